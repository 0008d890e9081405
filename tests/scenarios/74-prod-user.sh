#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# prod's agent as a user of its own, as on a server: it may not look into the processes of others, and its events name
# program, directory and project all the same.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] && command -v setpriv >/dev/null || { skip "needs root and setpriv"; exit 77; }
play "prod's agent as its own user"
provider
# What that user may execute and read.
mkdir -m 755 "$T/bin" "$T/policies" "$T/project"
cp "$BUILD/tollgate" "$BUILD/tollgated" "$BUILD/libtollgate.so" "$T/bin/"
cp "$ROOT/policies/prices.yaml" "$T/policies/"
chmod 644 "$T/policies/prices.yaml"
printf '#!/bin/sh\nexec setpriv --reuid=65534 --regid=65534 --clear-groups "%s" "$@"\n' "$T/bin/tollgate" >"$T/bin/as-agent"
chmod 755 "$T" "$T/bin/as-agent"
chmod 644 "$T/providers.yaml" "$T/provider-ca.pem"
TOLLGATE=$T/bin/as-agent ENVIRONMENT=prod
policy <<'Y'
capture: {base_urls: true, addresses: ["203.0.113.9"]}
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
consumer_groups:
  - {name: any, api_key: kt_cg_any, wallet_team_id: any}
wallets: [{id: any, credit: "1"}]
access: {uids: [0]}
Y
chmod 644 "$T/policy-config.prod.yaml"
install -d -o 65534 -g 65534 -m 700 "$T/ps"
install -d -o 65534 -g 65534 -m 755 "$T/pr"
agent
pid=$("$TOLLGATE" status --env prod --json | json 'd["pid"]')
is "the agent is that user" "$(awk '/^Uid:/{print $3}' "/proc/$pid/status")" 65534
check "it may not read whose program that is" sh -c '! setpriv --reuid=65534 --regid=65534 --clear-groups readlink /proc/$$/exe'

curl=$(readlink -f "$(command -v curl)")
calls() { # ENGINE URL: the status
    note_events
    (cd "$T/project" && "$T/bin/tollgate" run --env prod --engine "$1" --group any --project shop --base-url -- curl -sS -m 20 -o /dev/null \
        -w '%{http_code}' "$2/v1/chat/completions" -H 'authorization: Bearer kt_cg_any' -d "$(openai_body gpt-5.4-nano)")
}
whose() { last_event '["executable"]+" "+d["events"][0]["directory"]+" "+d["events"][0]["project"]'; }
base=http://127.0.0.1:$("$TOLLGATE" status --env prod --json | json 'd["base_url_port"]')/openai
for engine in preload supervise; do
    is "$engine: answered" "$(calls $engine https://api.openai.com)" 200
    is "$engine: the event knows program, directory, project" "$(whose)" "$curl $T/project shop"
    is "$engine, by base URL: answered" "$(calls $engine "$base")" 200
    is "$engine, by base URL: the event knows them, too" "$(whose)" "$curl $T/project shop"
done
if command -v go >/dev/null && unshare -m true 2>/dev/null; then
    export GOCACHE=$T/gocache GOPROXY=off GOTOOLCHAIN=local GOFLAGS=-mod=mod
    CGO_ENABLED=0 go build -o "$T/post" "$ROOT/tests/clients/post.go" || not_ok "the Go program is built"
    printf '203.0.113.9 api.openai.com\n' >"$T/hosts"
    note_events
    has "a Go program: answered" "$(cd "$T/project" && unshare -m sh -c 'mount --bind "$1" /etc/hosts && shift && exec "$@"' sh "$T/hosts" \
        env OPENAI_API_KEY=kt_cg_any "$T/bin/tollgate" run --env prod --group any --project shop -- "$T/post" https://api.openai.com/v1/chat/completions \
        "$(openai_body gpt-5.4-nano)" 2>&1)" '200 {'
    is "a Go program: the supervisor says what it is" "$(whose)" "$T/post $T/project shop"
else
    skip "a Go program needs go and a private mount namespace"
fi
# Addresses that no provider is known to have.
supervisor() { /usr/bin/python3 "$ROOT/tests/scenarios/21-redirect.py" "$@"; }
is "prod calls nobody on another's word" "$(supervisor forged "$T/pr" 192.0.2.9 none)" "Connection refused"
is "but a provider" "$(supervisor forged "$T/pr" 203.0.113.9 none)" believed
/usr/bin/python3 "$ROOT/tests/scenarios/21-redirect.py" plain_server 127.0.0.57 "$T/ready" &
server=$!
ON_END="kill $server"
wait_for 10 test -e "$T/ready"
is "and passes on to whom the supervisor has called" "$(supervisor announced "$T/pr" 127.0.0.57 '' none 0 reached)" "220 welcome"
kill "$server"
wait "$server" 2>/dev/null
ON_END=
settled any
stop_agent
done_playing
