#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A Go program pays for its calls like any other: below `tollgate run`, below a shell there, as a server's child; with and
# without cgo. It resolves names by itself (a private /etc/hosts), so that only addresses can say where it goes.
. "$(dirname "$0")/lib.sh"
command -v go >/dev/null || { skip "go is not installed"; exit 77; }
unshare -m true 2>/dev/null || { skip "no private mount namespace here"; exit 77; }
play "Go programs"
provider
agent
export GOCACHE=$T/gocache GOPROXY=off GOTOOLCHAIN=local GOFLAGS=-mod=mod
for cgo in 0 1; do CGO_ENABLED=$cgo go build -o "$T/go$cgo" "$ROOT/tests/clients/post.go" || not_ok "build with CGO_ENABLED=$cgo"; done
rm -rf "$GOCACHE"
printf '203.0.113.9 api.openai.com\n198.51.100.7 other.example\n127.0.0.1 localhost\n' >"$T/hosts"
# resolved COMMAND…: api.openai.com is an address where nobody is.
resolved() { unshare -m sh -c 'mount --bind "$1" /etc/hosts && shift && exec "$@"' sh "$T/hosts" "$@" 2>&1; }
run() { resolved "$TOLLGATE" run -- "$@"; }
url=https://api.openai.com/v1/chat/completions
for cgo in 0 1; do
    note_events
    has "CGO_ENABLED=$cgo: the call is answered" "$(run "$T/go$cgo" $url "$(openai_body)")" '200 {'
    is "CGO_ENABLED=$cgo: the event knows the program" "$(last_event '["executable"]')" "$T/go$cgo"
    is "CGO_ENABLED=$cgo: and it was paid for" "$(last_event '["status"]')" 200
done
note_events
has "below a shell, after env -i" "$(run sh -c 'key=$OPENAI_API_KEY; exec env -i OPENAI_API_KEY="$key" "$@"' sh "$T/go0" $url "$(openai_body)")" '200 {'
is "its event, too" "$(last_event '["executable"]')" "$T/go0"
has "whom it does not pay is refused" "$(run sh -c 'OPENAI_API_KEY=kt_cg_nobody "$@"' sh "$T/go0" $url "$(openai_body)")" 401
gcc -D_GNU_SOURCE -O1 -static -pthread -o "$T/static" "$ROOT/tests/clients/supervised.c" 2>/dev/null &&
    is "200 programs that connect at once" "$("$TOLLGATE" run -- python3 "$ROOT/tests/clients/burst.py" 200 "$T/static" 203.0.113.9)" "200 connected: 127.78.0.1"
"$TOLLGATE" stop >/dev/null
has "no agent: the name's address refuses" "$(XDG_STATE_HOME=$T/s resolved env -i PATH="$PATH" LD_PRELOAD="$BUILD/libtollgate.so" TOLLGATE_SHIM="$BUILD/libtollgate.so" \
    TOLLGATE_LAUNCHER="$TOLLGATE" TOLLGATE_RUNTIME="$XDG_RUNTIME_DIR/tollgate/dev" TOLLGATE_ENV=dev sh -c '"$@"; exit' sh "$T/go0" https://127.77.0.1/ "")" "refused"
agent
settled
stop_agent
done_playing
