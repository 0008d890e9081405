#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Others logged a settle that failed and forgot it: the call was free, or its hold stayed for ever. Here the disk fails
# once, at the very write of a settle (37-fail-once.c). The agent stops rather than guess; the next start settles.
. "$(dirname "$0")/lib.sh"
play "the disk fails once, at a settle"
ENVIRONMENT=prod
export TOLLGATE_STATE_DIR=$T/ps TOLLGATE_RUNTIME_DIR=$T/pr
mkdir -m 700 "$T/ps"
mkdir -m 755 "$T/pr"
"${CC:-gcc}" -D_GNU_SOURCE -O1 -fPIC -shared -o "$T/fail-once.so" "$ROOT/tests/scenarios/37-fail-once.c" || { skip "no C compiler"; exit 77; }
provider
policy <<'Y'
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}, pricing: {input: 0, cache_read: 0, cache_write: 0, cache_write_1h: 0, output: 10}}
consumer_groups:
  - {name: any, api_key: kt_cg_any, wallet_team_id: any}
wallets:
  - {id: any, credit: "1"}
cost_tracking: {clamp: false}
Y
serve() {
    env FAIL_ONCE="$TOLLGATE_STATE_DIR/fail" LD_PRELOAD="$T/fail-once.so" ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0" \
        "$BUILD/tollgated" --environment prod --policy "$T/policy-config.prod.yaml" --providers "$T/providers.yaml" \
        --state "$TOLLGATE_STATE_DIR" --runtime "$TOLLGATE_RUNTIME_DIR" --log "$T/s/agent.log" 2>>"$T/agent.stderr" &
    AGENT_PID=$!
    wait_for 20 "$TOLLGATE" status --env prod || die "the agent does not start: $(cat "$T/agent.stderr")"
}
is_held() { [ "$(standin /_stats | json 'd["held"]')" = 1 ]; }
is_gone() { ! kill -0 "$AGENT_PID" 2>/dev/null; }
nano() { python3 -c "print(round(float('$1') * 1e9))"; }
spent() { nano "$(money any | cut -d' ' -f3)"; }

# A call that waits at the provider: its hold of 50 tokens is on the disk, its settle of 10 will be the next write.
with_call() { # ORDER
    openai "$(openai_body gpt-5.4-nano '[[tokens=10]] [[hold=1]]' ',"max_tokens":50')" -o "$T/answer" -w '%{http_code}' >"$T/status" 2>&1 &
    local call=$!
    check "  a call waits at the provider" wait_for 20 is_held
    is "  its hold is on the disk" "$(nano "$(money any | cut -d' ' -f2)")" 500000
    echo "$1" >"$TOLLGATE_STATE_DIR/fail"
    standin /_release -X POST >/dev/null
    wait $call
}

serve
for order in "write 5" "sync 5"; do # 5: EIO
    echo "# the next $order fails"
    before=$(spent)
    with_call "$order"
    check "  the disk did fail" wait_for 20 test ! -e "$TOLLGATE_STATE_DIR/fail"
    check "  the agent stops by itself" wait_for 20 is_gone
    wait "$AGENT_PID"
    is "  with an exit code that says input/output error" $? 74
    check "  and a line that says why" grep -qi 'ledger.*input/output error' "$T/s/agent.log"
    is "  no more reaches the provider" "$(standin /_bill | json 'sum(r["status"] == 200 for r in d)')" "$((${calls:-0} + 1))"
    calls=$((${calls:-0} + 1))
    serve
    is "  after the restart nothing is held" "$(money any | cut -d' ' -f2)" 0
    charge=$(($(spent) - before))
    case $order in
    write*) is "  the hold was found open and settled once, whole, since prod cannot know what it cost" "$charge" 500000 ;;
    # The record was written, and nobody knows whether it is on the disk: it may be found, or not.
    *) check "  it is charged once: what it cost, or the whole hold ($charge nano)" [ "$charge" = 100000 -o "$charge" = 500000 ] ;;
    esac
done

echo "# the disk is full for one write of a settle"
before=$(spent)
with_call "write 28" # ENOSPC
is "  the call is answered" "$(cat "$T/status")" 200
settled any
check "  the disk did fail" wait_for 20 test ! -e "$TOLLGATE_STATE_DIR/fail"
is "  the settle went on" "$(($(spent) - before))" 100000
check "  and the agent lives" kill -0 "$AGENT_PID"
kill -TERM "$AGENT_PID"
wait "$AGENT_PID"
is "the agent stops well" $? 0
is "what was spent covers the provider's bill" "$(python3 -c "print($(standin /_bill | json 'sum(r["usage"]["out"] * 10000 for r in d)') <= 1100000)")" True
is "no sanitizer reports anything" "$(grep -hE 'Sanitizer|runtime error:' "$T/agent.stderr" | head -3)" ""
check "the ledger's audit holds" "$TOLLGATE" audit --env prod
done_playing
