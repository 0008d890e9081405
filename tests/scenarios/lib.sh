# SPDX-License-Identifier: Apache-2.0
# The vocabulary of the scenarios. A scenario sources this, says `play "what it shows"`, and then uses:
#   provider …        the stand-in provider, on a free port            standin PATH   asks it (/_bill, /_reset, …)
#   policy <<EOF      writes the policy file                           agent [OPTIONS] starts the agent on it
#   one_target LINE…  writes a small one, with further lines
#   governed CMD…     runs a program under `tollgate run`
#   check NAME CMD…   one line "ok NAME" or "not ok NAME"              is NAME GOT WANTED / has NAME TEXT PART
#   money             what the wallet shows as "available held spent"  last_event PATH   a member of the newest event
#   stop_agent        drains, audits the ledger                        done_playing   the verdict
# Nothing sleeps to wait for something: it waits for the thing. Everything lives in a directory of its own under /tmp.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

FAILURES=0
TOLLGATE=$BUILD/tollgate
unset TOLLGATE_POLICY TOLLGATE_STATE_DIR TOLLGATE_RUNTIME_DIR LD_PRELOAD

play() {
    T=$(mktemp -d /tmp/tg.XXXXXX)
    export T XDG_STATE_HOME=$T/s XDG_RUNTIME_DIR=$T/r XDG_CONFIG_HOME=$T/c HOME=$T/h
    mkdir -p "$T/s" "$T/r" "$T/c" "$T/h"
    chmod 700 "$T/r"
    export OPENAI_API_KEY=sk-test-openai-0123456789 ANTHROPIC_API_KEY=sk-ant-test-0123456789
    PROVIDER_PID=
    ENVIRONMENT=dev
    trap end_play EXIT
    echo "# $1"
}

end_play() {
    local code=$?
    ${ON_END:-:} # what a scenario wants to be done, whatever its verdict (which a trap of its own would lose)
    "$TOLLGATE" stop --env "$ENVIRONMENT" >/dev/null 2>&1
    [ -n "$PROVIDER_PID" ] && kill "$PROVIDER_PID" 2>/dev/null && wait "$PROVIDER_PID" 2>/dev/null
    if [ $FAILURES -gt 0 ] || [ $code -ne 0 ]; then
        find "$T/s" -name agent.log -exec tail -n 30 {} + 2>/dev/null
    fi
    rm -rf "$T"
    exit $code
}

provider() {
    PROVIDER_PORT=$(free_port)
    "$BUILD/provider" --listen "127.0.0.1:$PROVIDER_PORT" --ca-file "$T/provider-ca.pem" --port-file "$T/provider.port" \
        --bill "$T/bill.jsonl" "$@" >"$T/provider.log" 2>&1 &
    PROVIDER_PID=$!
    wait_for 30 test -s "$T/provider.port" || die "the stand-in provider does not start: $(cat "$T/provider.log")"
    sed -e "s|https://127.0.0.1:[0-9]*|https://127.0.0.1:$PROVIDER_PORT|" -e "s|ca_file: .*|ca_file: $T/provider-ca.pem|" \
        "$ROOT/tests/provider/providers.yaml" >"$T/providers.yaml"
}

# Asks the stand-in itself, with nobody in between.
standin() {
    local path=$1
    shift
    env -u SSL_CERT_FILE -u CURL_CA_BUNDLE curl -sS --cacert "$T/provider-ca.pem" "https://127.0.0.1:$PROVIDER_PORT$path" "$@"
}

has_withheld() { [ "$(standin /_stats | json 'd["held"]')" = "$1" ]; } # so many calls with [[hold=1]] wait there for /_release

policy() { cat >"$T/policy-config.$ENVIRONMENT.yaml"; }
# The policy of plays that are about something else: one target, one group; then further lines.
one_target() {
    policy <<Y
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
consumer_groups:
  - {name: product-dev, api_key: kt_cg_product_dev, wallet_team_id: team_product_dev}
$(printf '%s\n' "$@")
Y
}

agent() {
    # The seed policy; without its cache, unless the play is about it: plays ask the same thing twice.
    [ -e "$T/policy-config.$ENVIRONMENT.yaml" ] ||
        sed "/^cache:/,/^[^ ]/s/enabled: true/enabled: ${CACHE:-false}/" "$ROOT/policies/policy-config.$ENVIRONMENT.yaml" \
            >"$T/policy-config.$ENVIRONMENT.yaml"
    local prod=()
    # No play asks DNS for addresses of providers.
    grep -q refresh_seconds "$T/policy-config.$ENVIRONMENT.yaml" || {
        grep -q '^capture:' "$T/policy-config.$ENVIRONMENT.yaml" || echo 'capture: {}' >>"$T/policy-config.$ENVIRONMENT.yaml"
        sed -i -e 's/^capture: *{\([^}]\)/capture: {refresh_seconds: 0, \1/' -e 's/^capture: *{}/capture: {refresh_seconds: 0}/' \
            -e 's/^capture: *$/&\n  refresh_seconds: 0/' "$T/policy-config.$ENVIRONMENT.yaml"
    }
    [ "$ENVIRONMENT" = prod ] && export TOLLGATE_STATE_DIR=$T/ps TOLLGATE_RUNTIME_DIR=$T/pr
    "$TOLLGATE" start --env "$ENVIRONMENT" --policy "$T/policy-config.$ENVIRONMENT.yaml" --providers "$T/providers.yaml" "${prod[@]}" "$@" \
        2>"$T/start.err" >"$T/start.out" || { cat "$T/start.err"; die "the agent does not start"; }
}

event_count() { "$TOLLGATE" events --env "$ENVIRONMENT" --limit 1000 --json 2>/dev/null | json 'len(d["events"])' 2>/dev/null || echo 0; }
# An event follows its answer by as much as its settle takes: what is there, or newest, when a call begins says nothing of
# whose it is. Ids do: they begin with the millisecond at which their call began, in ten digits of base 32. What is noted is
# that of now; no call before is as young, and none from here on older, whenever their events come.
note_events() {
    local digits=0123456789ABCDEFGHJKMNPQRSTVWXYZ now=$((${EPOCHREALTIME/[.,]/} / 1000)) id= i
    for ((i = 0; i < 10; i++, now >>= 5)); do id=${digits:now & 31:1}$id; done
    echo "$id" >"$T/noted"
}
has_new_event() {
    local LC_ALL=C id
    id=$("$TOLLGATE" events --env "$ENVIRONMENT" --limit 1 --json 2>/dev/null | sed -n 's/^{"events":\[{"id":"\([0-9A-Z]*\)".*/\1/p')
    [[ $id > $(cat "$T/noted" 2>/dev/null) ]]
}
wait_for_event() { wait_for 10 has_new_event || echo "# no new event came" >&2; }

ungoverned() { "$@"; }
governed() { "$TOLLGATE" run --env "$ENVIRONMENT" ${GROUP:+--group "$GROUP"} -- "$@"; }

ok() { echo "ok $1"; }
not_ok() {
    echo "not ok $1: ${2:-}"
    FAILURES=$((FAILURES + 1))
    echo "$1" >>"$T/failed" # what fails in a subshell counts, too
}
check() {
    local name=$1 out
    shift
    if out=$("$@" 2>&1); then ok "$name"; else not_ok "$name" "$(tail -c 400 <<<"$out")"; fi
}
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got '$2', wanted '$3'"; fi; }
has() { case $2 in *"$3"*) ok "$1" ;; *) not_ok "$1" "no '$3' in '$(head -c 600 <<<"$2")'" ;; esac; }
lacks() { case $2 in *"$3"*) not_ok "$1" "'$3' stands in it" ;; *) ok "$1" ;; esac; }

# json EXPRESSION: reads JSON on standard input, prints a Python expression over it (d).
json() { python3 -c 'import json,sys; d=json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }

wallet_json() { "$TOLLGATE" wallet show "${1:-team_product_$ENVIRONMENT}" --env "$ENVIRONMENT" --json; }
money() { wallet_json "$@" | json '" ".join([d["available"], d["held"], d["spent"]])'; }
# Of the newest call since the last note, and not of one before.
last_event() {
    wait_for_event
    "$TOLLGATE" events --env "$ENVIRONMENT" --limit 1 --json | json "d['events'][0]$1"
}
why_last() {
    wait_for_event
    "$TOLLGATE" why last --env "$ENVIRONMENT"
}
events() { "$TOLLGATE" events --env "$ENVIRONMENT" --limit 1000 --json; }
# Of a wallet nothing is held and no call runs: then each of its calls has its event, too.
is_at_rest() {
    local held='[w["held"] for w in d["wallets"]["wallets"] if w["wallet"] == "'$1'"]' callers='[call["wallet"] for call in d["live"]["live"]]'
    "$TOLLGATE" top --env "$ENVIRONMENT" --json | json "$held == ['0'] and '$1' not in $callers" | grep -q True
}
# Waits for the event of the last call, and until all calls of the wallet are over.
settled() {
    wait_for_event
    wait_for 10 is_at_rest "${1:-team_product_$ENVIRONMENT}" || echo "# something is still held, or runs" >&2
}

stop_agent() {
    check "the agent stops" "$TOLLGATE" stop --env "$ENVIRONMENT"
    is "no sanitizer reports anything" "$(find "$T" -name agent.stderr -exec grep -hE 'Sanitizer|runtime error:' {} + | head -3)" ""
    check "the ledger's audit holds" "$TOLLGATE" audit --env "$ENVIRONMENT"
}

done_playing() {
    [ "$FAILURES" -eq 0 ] && [ ! -e "$T/failed" ] && exit 0
    echo "# $FAILURES failed here, $(grep -c . "$T/failed" 2>/dev/null) with those in subshells"
    exit 1
}

# The usual requests.
openai_body() { printf '{"model":"%s","messages":[{"role":"user","content":"%s"}]%s}' "${1:-gpt-5.4-mini-mini}" "${2:-hello}" "${3:-}"; }
anthropic_body() { printf '{"model":"%s","max_tokens":200,"messages":[{"role":"user","content":"%s"}]%s}' "${1:-claude-haiku}" "${2:-hello}" "${3:-}"; }
# openai BODY [CURL OPTIONS…] and anthropic likewise, governed, with the placeholder key of the environment
openai() {
    local body=$1
    shift
    note_events
    governed sh -c 'body=$1; shift; exec curl -sS --max-time 60 https://api.openai.com/v1/chat/completions -H "authorization: Bearer $OPENAI_API_KEY" -H "content-type: application/json" -d "$body" "$@"' sh "$body" "$@"
}
anthropic() {
    local body=$1
    shift
    note_events
    governed sh -c 'body=$1; shift; exec curl -sS --max-time 60 https://api.anthropic.com/v1/messages -H "x-api-key: $ANTHROPIC_API_KEY" -H "anthropic-version: 2023-06-01" -H "content-type: application/json" -d "$body" "$@"' sh "$body" "$@"
}
