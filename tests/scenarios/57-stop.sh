#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How an agent ends: two cannot own one environment, a signal lets running answers end, a second one does not, and a
# ledger that can no longer write stops the agent with its own exit code, saying why.
. "$(dirname "$0")/lib.sh"
play "an agent ends in order"
provider
one_target "limits: {drain_timeout_ms: 600000}" # nothing here may pass because a time was up
STATE=$T/s/tollgate/dev RUNTIME=$T/r/tollgate/dev LOG=$T/s/tollgate/dev/agent.log

# The agent as a child of this script, so that its exit code can be seen.
tollgated() {
    timeout 60 "$BUILD/tollgated" --environment dev --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml" \
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

# One runtime directory, another state: the sockets are the first one's.
mkdir -p "$T/other"
sockets() { ls -i "$RUNTIME"/*.sock; }
before=$(sockets)
STATE=$T/other LOG=$T/other/agent.log tollgated >"$T/out" 2>&1
is "an agent with another state exits with 75, too" $? 75
has "and says whose the runtime directory is" "$(cat "$T/out")" "$RUNTIME belongs to another agent: pid $AGENT_PID, its state is in $STATE"
has "its log says so, too" "$(cat "$T/other/agent.log")" "belongs to another agent: pid $AGENT_PID"
lacks "it has opened nothing of its own" "$(ls "$T/other")" ledger
timeout 60 "$TOLLGATE" start --foreground --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml" --state "$T/other" --runtime "$RUNTIME" >"$T/out" 2>&1
is "nor does one in the foreground start" $? 75
has "in words" "$(cat "$T/out")" "belongs to another agent: pid $AGENT_PID"
is "the first one's sockets are there" "$(sockets)" "$before"
has "and answer" "$(openai "$(openai_body gpt-5.4-nano)")" chat.completion
has "doctor names the owner" "$("$TOLLGATE" doctor 2>&1)" "the agent with pid $AGENT_PID, whose state is in $STATE"
has "and says that it is another one's" "$("$TOLLGATE" doctor --state "$T/other" --runtime "$RUNTIME" --json 2>/dev/null |
    json '[c["status"] for c in d["checks"] if c["name"] == "runtime owner"]')" failure

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
is_ending() { grep -q "(pid $AGENT_PID) ends its last calls: tollgate stop waits for its end" <("$TOLLGATE" status 2>&1); }
check "who asks meanwhile is told that it ends" wait_for 10 is_ending
"$TOLLGATE" start --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml" --state "$T/other" --runtime "$RUNTIME" >"$T/out" 2>&1
is "an agent with another state is not started then either" $? 75
has "at once, saying whose the directory is" "$(cat "$T/out")" "belongs to another agent: pid $AGENT_PID"
wait_for 10 sh -c 'tail -n 3 "$1" | grep -q "agent stopping"' sh "$LOG"
kill -TERM "$AGENT_PID"
ends_with "a second signal ends it now, with 0" 0
wait "$STREAM_PID"
lacks "the answer was cut" "$(tail -n 3 "$T/stream")" "[DONE]"
check "and settled: the audit holds" "$TOLLGATE" audit
begin
lacks "nothing was open then either" "$(tail -n 3 "$LOG")" "open holds settled"
is "its event does not blame the client" "$("$TOLLGATE" events --limit 1 --json | json 'd["events"][0]["error"], d["events"][0]["outcome"]')" "('agent_stopped', 'failed')"
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
