#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A Go program pays for its calls like any other: below `tollgate run`, below a shell there, as a server's child; with and
# without cgo. It resolves names by itself (a private /etc/hosts), so that only addresses can say where it goes.
# A network of our own, where addresses that the agent does not know answer as the play wants it.
if [ -z "${OWN_NETWORK:-}" ] && unshare -n ip link set lo up 2>/dev/null; then
    OWN_NETWORK=1 exec unshare -n bash "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
command -v go >/dev/null || { skip "go is not installed"; exit 77; }
unshare -m true 2>/dev/null || { skip "no private mount namespace here"; exit 77; }
play "Go programs"
[ -z "${OWN_NETWORK:-}" ] || { ip link set lo up && ip addr add 198.51.100.7/32 dev lo && ip addr add 198.51.100.8/32 dev lo &&
    ip addr add 198.51.100.9/32 dev lo; }
provider
policy <<P
$(sed '/^cache:/,/^[^ ]/s/enabled: true/enabled: false/' "$ROOT/policies/policy-config.dev.yaml")
capture: {addresses: ["203.0.113.9"]}
P
agent
export GOCACHE=$T/gocache GOPROXY=off GOTOOLCHAIN=local GOFLAGS=-mod=mod
for cgo in 0 1; do CGO_ENABLED=$cgo go build -o "$T/go$cgo" "$ROOT/tests/clients/post.go" || not_ok "build with CGO_ENABLED=$cgo"; done
CGO_ENABLED=0 go build -o "$T/posts" "$ROOT/tests/clients/posts.go" || not_ok "build of posts"
CGO_ENABLED=0 go build -o "$T/connect" "$ROOT/tests/clients/supervised.go"
rm -rf "$GOCACHE"
printf '203.0.113.9 api.openai.com\n198.51.100.9 api.anthropic.com\n198.51.100.7 other.test\n198.51.100.8 none.test\n127.0.0.1 localhost\n' >"$T/hosts"
# resolved COMMAND…: api.openai.com is an address where nobody is, but known; api.anthropic.com's is another server's.
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

# ---- the agent is restarted under them: who calls on, and who begins meanwhile ----
run "$T/posts" $url "$(openai_body)" "$T/enough" 4 >"$T/posts.out" &
posts=$!
(until [ -e "$T/enough" ]; do run "$T/go0" $url "$(openai_body)"; done >"$T/beginners") &
beginners=$!
connects() { until [ -e "$T/enough" ]; do "$TOLLGATE" run -- "$T/static" cost 203.0.113.9 443 50; echo "exit $?"; done; }
[ -x "$T/static" ] && connects >"$T/connects" 2>&1 &
connects=$!
for round in 1 2; do
    rm -f "$T/stream"
    openai "$(openai_body "" "count [[tokens=30]] [[pace_ms=100]]" ',"stream":true,"max_tokens":2000')" -N -o "$T/stream" 2>/dev/null &
    stream=$!
    wait_for 20 grep -q data: "$T/stream" || not_ok "the stream begins"
    check "restart $round, with a call that goes on for a while" "$TOLLGATE" restart
    wait $stream
    has "which was led to its end" "$(tail -n 3 "$T/stream")" "[DONE]"
done
touch "$T/enough"
wait $posts $beginners $connects
is "of the calls of a program that went on none was refused" "$(sed -E 's/answered [1-9][0-9]*/answered some/' "$T/posts.out")" "answered some others map[]"
is "nor of programs that began meanwhile" "$(grep -v '^200 {' "$T/beginners" | sort | uniq -c | head -3)$(grep -c '^200 {' "$T/beginners" | sed 's/^0$/none/;s/^[0-9]*$/some/')" some
[ -x "$T/static" ] && is "nor a connect" "$(grep -v '^[0-9.]*$' "$T/connects" | sort -u | head -3)" "exit 0"

if [ -n "${OWN_NETWORK:-}" ]; then
    python3 "$ROOT/tests/clients/other_servers.py" 198.51.100.7 198.51.100.8 "$T/late" >"$T/others" 2>&1 &
    others=$!
    (cd "$T/h" && exec python3 -m http.server 443 --bind 198.51.100.9) >"$T/quiet" 2>&1 &
    others="$others $!"
    ON_END="kill $others"
    wait_for 10 grep -q ready "$T/others"
    wait_for 10 curl -s -o /dev/null http://198.51.100.9:443/
    is "an address that nobody knows is passed on" "$(run "$T/connect" connect other.test 443)" "connected: other 198.51.100.7"
    note_events
    answer=$(run "$T/go0" https://api.anthropic.com/v1/messages '{"model":"claude-haiku","max_tokens":20,"messages":[{"role":"user","content":"hello"}]}')
    has "but the provider's name is governed there, too: its own answer" "$answer" 'anthropic-version: header is required'
    is "by name alone" "$(last_event '["host"]')" api.anthropic.com
    kill $others
    wait $others 2>/dev/null
    ON_END=
    has "and what refuses, refuses" "$(run "$T/connect" connect none.test 443)" "connection refused"
else
    skip "addresses of anybody's: no network namespace here"
fi
"$TOLLGATE" stop >/dev/null
has "no agent: the name's address refuses" "$(XDG_STATE_HOME=$T/s resolved env -i PATH="$PATH" LD_PRELOAD="$BUILD/libtollgate.so" TOLLGATE_SHIM="$BUILD/libtollgate.so" \
    TOLLGATE_LAUNCHER="$TOLLGATE" TOLLGATE_RUNTIME="$XDG_RUNTIME_DIR/tollgate/dev" TOLLGATE_ENV=dev sh -c '"$@"; exit' sh "$T/go0" https://127.77.0.1/ "")" "refused"
agent
settled
stop_agent
done_playing
