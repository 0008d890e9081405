# SPDX-License-Identifier: Apache-2.0
# The vocabulary of the scenarios. A scenario sources this, says `play "what it shows"`, and then uses:
#   provider …        the stand-in provider, on a free port            standin PATH   asks it (/_bill, /_reset, …)
#   policy <<EOF      writes the policy file                           agent [OPTIONS] starts the agent on it
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
    wait_for 10 test -s "$T/provider.port" || die "the stand-in provider does not start: $(cat "$T/provider.log")"
    sed -e "s|https://127.0.0.1:[0-9]*|https://127.0.0.1:$PROVIDER_PORT|" -e "s|ca_file: .*|ca_file: $T/provider-ca.pem|" \
        "$ROOT/tests/provider/providers.yaml" >"$T/providers.yaml"
}

# Asks the stand-in itself, with nobody in between.
standin() {
    local path=$1
    shift
    env -u SSL_CERT_FILE -u CURL_CA_BUNDLE curl -sS --cacert "$T/provider-ca.pem" "https://127.0.0.1:$PROVIDER_PORT$path" "$@"
}

policy() { cat >"$T/policy-config.$ENVIRONMENT.yaml"; }

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
has_new_event() { [ "$(event_count)" -gt "$(cat "$T/event-count" 2>/dev/null || echo -1)" ]; }
note_events() { event_count >"$T/event-count"; }

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
# An event follows its answer by a moment (it waits for the settle): wait for one newer than the last call's start.
last_event() {
    wait_for 10 has_new_event
    "$TOLLGATE" events --env "$ENVIRONMENT" --limit 1 --json | json "d['events'][0]$1"
}
events() { "$TOLLGATE" events --env "$ENVIRONMENT" --limit 1000 --json; }
# Waits until nothing is held any more: a settle may follow the answer by a moment.
settled() {
    wait_for 10 has_new_event
    wait_for 10 sh -c '"$0" wallet show "$1" --env "$2" --json | grep -q "\"held\": *\"0\""' "$TOLLGATE" "${1:-team_product_$ENVIRONMENT}" "$ENVIRONMENT"
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
