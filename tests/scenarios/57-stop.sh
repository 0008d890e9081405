#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How an agent ends: two cannot own one environment, a signal lets running answers end, a second one does not, and a
# ledger that can no longer write stops the agent with its own exit code, saying why.
. "$(dirname "$0")/lib.sh"
play "an agent ends in order"
provider
policy <<'Y'
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
consumer_groups:
  - {name: product-dev, api_key: kt_cg_product_dev, wallet_team_id: team_product_dev}
limits:
  drain_timeout_ms: 600000 # nothing here may pass because a time was up
Y
STATE=$T/s/tollgate/dev RUNTIME=$T/r/tollgate/dev LOG=$T/s/tollgate/dev/agent.log

# The agent as a child of this script, so that its exit code can be seen.
tollgated() {
    "$BUILD/tollgated" --environment dev --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml" \
        --state "$STATE" --runtime "$RUNTIME" --log "$LOG"
}
begin() {
    mkdir -p "$STATE"
    (exec -a tollgated "$BUILD/tollgated" --environment dev --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml" \
        --state "$STATE" --runtime "$RUNTIME" --log "$LOG" 2>>"$STATE/agent.stderr") &
    AGENT_PID=$!
    wait_for 20 "$TOLLGATE" status || die "the agent does not start: $(cat "$STATE/agent.stderr" "$LOG")"
}
# A streamed answer of N pieces, one each 100 ms, in the background; waits for its first piece.
stream() {
    rm -f "$T/stream"
    openai "$(openai_body gpt-5.4-nano "count [[tokens=$1]] [[pace_ms=100]]" ',"stream":true,"max_tokens":2000')" -N -o "$T/stream" 2>"$T/stream.err" &
    STREAM_PID=$!
    wait_for 20 grep -q data: "$T/stream" || die "the stream does not begin: $(cat "$T/stream.err")"
}
has_ended() { ! kill -0 "$AGENT_PID" 2>/dev/null; }
ends_with() {
    wait_for 60 has_ended || kill -9 "$AGENT_PID"
    wait "$AGENT_PID"
    is "$1" $? "$2"
}

begin
tollgated >"$T/out" 2>&1
is "a second agent exits with 75" $? 75
has "and says whose the environment is" "$(cat "$T/out" "$LOG")" "another agent owns this environment"
has "the first is untouched" "$(openai "$(openai_body gpt-5.4-nano)")" chat.completion

stream 30
kill -TERM "$AGENT_PID"
wait "$STREAM_PID"
has "a running answer ends after SIGTERM" "$(tail -n 3 "$T/stream")" "[DONE]"
ends_with "and the agent exits with 0" 0
check "everything is settled: the audit holds" "$TOLLGATE" audit
begin
lacks "and nothing was open" "$(tail -n 5 "$LOG")" "open holds settled"
is "nothing is held" "$(money | cut -d' ' -f2)" 0

stream 3000
kill -TERM "$AGENT_PID"
wait_for 10 grep -q "agent stopping" <(tail -n 1 "$LOG") || wait_for 10 sh -c 'tail -n 3 "$1" | grep -q "agent stopping"' sh "$LOG"
kill -TERM "$AGENT_PID"
ends_with "a second signal ends it now, with 0" 0
wait "$STREAM_PID"
lacks "the answer was cut" "$(tail -n 3 "$T/stream")" "[DONE]"
check "and settled: the audit holds" "$TOLLGATE" audit
begin
lacks "nothing was open then either" "$(tail -n 3 "$LOG")" "open holds settled"
is "what was cut is paid" "$(money | python3 -c 'a, h, s = input().split(); print(h == "0" and float(s) > 0)')" True

check "a backup before the fault" "$TOLLGATE" backup "$T/copy"
before=$(money)
stream 30
find "$STATE/ledger" -name 'log.*' -delete
wait_for 30 grep -q "ledger stopped" "$LOG" || not_ok "the ledger notices that its log is gone" "$(tail -n 3 "$LOG")"
has "the log says why" "$(grep "ledger stopped" "$LOG")" "log"
answer=$(openai "$(openai_body gpt-5.4-nano)" -w '%{http_code}' 2>&1)
lacks "a new call is not paid for" "$answer" chat.completion
wait "$STREAM_PID"
has "the running answer ends" "$(tail -n 3 "$T/stream")" "[DONE]"
ends_with "then the agent exits with 74" 74
has "as its log says" "$(tail -n 1 "$LOG")" "exit 74"
check "the backup takes the ledger's place" "$TOLLGATE" restore "$T/copy"
begin
is "with the money of then" "$(money)" "$before"
has "and calls are paid again" "$(openai "$(openai_body gpt-5.4-nano)")" chat.completion
settled
kill -TERM "$AGENT_PID"
ends_with "the last agent exits with 0" 0
check "its ledger holds" "$TOLLGATE" audit
is "no sanitizer reports anything" "$(find "$T" -name agent.stderr -exec grep -hE 'Sanitizer|runtime error:' {} + | head -3)" ""
done_playing
