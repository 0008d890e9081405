#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One state, two runtime directories: whoever comes by another one than the agent's (cron, su), or after the agent's own
# was removed (a logout), is told at once where the agent is and what to do, and starts nothing beside it.
. "$(dirname "$0")/lib.sh"
play "an agent is found by its state"
provider
one_target "limits: {drain_timeout_ms: 600000}" # nothing here may pass because a time was up
RUNTIME=$T/r/tollgate/dev STATE=$T/s/tollgate/dev LOG=$T/s/tollgate/dev/agent.log
mkdir -m 700 "$T/r2"
elsewhere() { timeout 20 env XDG_RUNTIME_DIR="$T/r2" "$TOLLGATE" "$@" >"$T/out" 2>&1; }
here() { timeout 20 "$TOLLGATE" "$@" >"$T/out" 2>&1; }
out() { cat "$T/out"; }
pid_of() { "$TOLLGATE" status --json | json 'd["pid"]'; }
finding() { json "[c['$1'] for c in d['checks'] if c['name'] == 'agent'][0]" <"$T/out"; }
# tell WAY WORDS: every command that meets the agent by WAY says WORDS, and starts nothing
tell() {
    local way=$1 words=$2 lines row
    lines=$(wc -l <"$LOG")
    for row in "75 start" "125 run -- true" "69 status" "69 stop" "69 wallet list" "69 top" "75 restart"; do
        $way ${row#* }
        is "$way, ${row#* }: its code" $? "${row%% *}"
        is "in one line" "$(out)" "tollgate: $words"
    done
    $way doctor --json
    is "$way, doctor: its code" $? 1
    is "its row is a failure" "$(finding status)" failure
    is "in the same words" "$(finding text): $(finding fix)" "$words"
    is "no agent was started: the log of the one that runs has no word of it" "$(wc -l <"$LOG")" "$lines"
}

# ---- another runtime directory ----
agent
pid=$(pid_of)
is "the state says whose it is" "$(cat "$STATE/state.lock")" "$pid $RUNTIME"
tell elsewhere "the agent of dev runs already (pid $pid), with the runtime directory $RUNTIME, not $T/r2/tollgate/dev: --runtime $RUNTIME or XDG_RUNTIME_DIR=$T/r finds it"
elsewhere status --runtime "$RUNTIME"
has "--runtime does find it" "$? $(out)" "0 environment    dev"
elsewhere run --runtime "$RUNTIME" -- true
is "for run, too" "$?" 0
elsewhere start --foreground --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml"
is "one in the foreground exits with 75" $? 75
has "in words" "$(out)" "$STATE belongs to another agent: pid $pid, its runtime directory is $RUNTIME"
lacks "and has left the other runtime directory" "$(ls "$T/r2/tollgate/dev")" .sock
is "the agent is the one of before" "$(pid_of)" "$pid"
ln -s "$T/r" "$T/r3"
is "the same directory by another name is no other one" "$(XDG_RUNTIME_DIR=$T/r3 "$TOLLGATE" status --json | json 'd["pid"]')" "$pid"

# A restart hands the state on, too.
check "restart" "$TOLLGATE" restart
is "the next one owns the state" "$(cat "$STATE/state.lock")" "$(pid_of) $RUNTIME"
stop_agent
elsewhere stop
is "nobody's state: there is nothing to stop" "$? $(out)" "0 no agent of dev is running"
elsewhere start --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml"
is "an agent that is stopped may come back by another runtime directory" $? 0
here stop
has "and is now told from there" "$? $(out)" "69 tollgate: the agent of dev runs already"
elsewhere stop
is "stops" $? 0

# A killed one owns nothing; nor does a runtime directory that is not XDG's have a variable of XDG's.
"$TOLLGATE" start --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml" --runtime "$T/own" >/dev/null 2>&1 || not_ok "it starts in a directory of its own"
here status
has "a directory of its own is named by ours" "$(out)" "not $RUNTIME: --runtime $T/own or TOLLGATE_RUNTIME_DIR=$T/own finds it"
kill -9 "$("$TOLLGATE" status --runtime "$T/own" --json | json 'd["pid"]')"
not_owned() { grep -q "no agent of dev is running" <("$TOLLGATE" status 2>&1); }
check "a killed one is not in the way" wait_for 10 not_owned
here run -- true
is "run starts the next one" $? 0

# ---- one that ends is waited for ----
# ends RUNTIME|gone [stop]: the agent is told to end while a call runs, with its runtime directory or without
ends() {
    rm -f "$T/stream"
    openai "$(openai_body gpt-5.4-nano "count [[tokens=2000]] [[pace_ms=100]] [[until_release=1]]" ',"stream":true,"max_tokens":2000')" -N -o "$T/stream" 2>/dev/null &
    stream=$!
    wait_for 20 grep -q data: "$T/stream" || die "the stream does not begin"
    pid=$(pid_of)
    [ "$1" = "$RUNTIME" ] || rm -rf "$T/r/tollgate"
    kill -TERM "$pid"
    is_ending() { grep -q "pid $pid, of the runtime directory $RUNTIME) ends its last calls: tollgate run waits" <(XDG_RUNTIME_DIR=$T/r2 "$TOLLGATE" status 2>&1); }
    check "an agent ends its last calls" wait_for 10 is_ending
    (sleep 3 && standin /_release -X POST >/dev/null) & # who waits for that end does not say so to us
    release=$!
    if [ "${2:-}" = stop ]; then
        here stop
        is "stop waits for its end" "$? $(out)" "0 "
        is "and there is none then" "$("$TOLLGATE" stop)" "no agent of dev is running"
        wait "$release" "$stream"
        has "the call was led to its end" "$(tail -n 3 "$T/stream")" "[DONE]"
        return
    fi
    lines=$(wc -l <"$LOG")
    elsewhere run -- sh -c 'echo "$TOLLGATE_RUNTIME"'
    is "run waits for its end, and starts the next one where it is" "$? $(out)" "0 $T/r2/tollgate/dev"
    wait "$release" "$stream"
    has "the call was led to its end" "$(tail -n 3 "$T/stream")" "[DONE]"
    lacks "and no other agent was tried meanwhile" "$(tail -n "+$((lines + 1))" "$LOG")" "another agent"
    elsewhere stop
    is "that one stops" $? 0
}
ends "$RUNTIME"
agent
ends "$RUNTIME" stop
agent
ends gone

# ---- its socket is gone ----
agent
pid=$(pid_of)
mv "$RUNTIME/report.sock" "$T/report.sock"
silent="the agent of dev (pid $pid) does not answer: it is starting, or $RUNTIME/report.sock is gone: if that lasts, kill -TERM $pid ends it (it drains), then tollgate run starts another"
for row in stop status "wallet list"; do
    here $row
    is "no $row without it: its code" $? 69
    is "in one line" "$(out)" "tollgate: $silent"
done
here doctor --json
is "doctor fails" "$? $(finding status)" "1 failure"
is "in the same words" "$(finding text): $(finding fix)" "$silent"
mv "$T/report.sock" "$RUNTIME/report.sock"
is "the agent is the one of before" "$(pid_of)" "$pid"
mv "$RUNTIME/report.sock" "$T/report.sock"
kill -TERM "$pid"
here run -- true
is "after that signal run starts another, as it says" "$? $(out)" "0 "
is "which is another one" "$([ "$(pid_of)" != "$pid" ] && echo yes)" yes
stop_agent

# ---- its runtime directory is gone ----
agent
pid=$(pid_of)
lost="the agent of dev runs (pid $pid), but its runtime directory $RUNTIME is gone, so that it cannot be reached: kill -TERM $pid ends it (it drains), then tollgate run starts another"
rm -rf "$T/r/tollgate"
tell here "$lost"
tell elsewhere "$lost"
kill -TERM "$pid"
here run -- true
is "after that signal run starts another, as it says" "$? $(out)" "0 "
is "with the state" "$(cat "$STATE/state.lock")" "$(pid_of) $RUNTIME"
is "which is another one" "$([ "$(pid_of)" != "$pid" ] && echo yes)" yes
stop_agent

# ---- and another agent's by now: where no Landlock closes it, the first one leaves it alone ----
one_target "agent: {hardening: false}"
agent
pid=$(pid_of)
rm -rf "$T/r/tollgate"
agent --state "$T/other"
facts() { stat -c '%n %i %z' "$RUNTIME"/*; }
before=$(facts) other=$(pid_of)
is "an agent of another state makes the directory anew" "$([ "$other" != "$pid" ] && echo yes)" yes
kill -HUP "$pid"
wait_for 10 sh -c 'tail -n 1 "$1" | grep -q "policy in force"' sh "$LOG"
kill -TERM "$pid"
has_ended() { ! kill -0 "$pid" 2>/dev/null; }
check "the first one ends" wait_for 20 has_ended
is "what is there is as the other one wrote it" "$(facts)" "$before"
is "which answers" "$(pid_of)" "$other"
stop_agent

# ---- a lock that was removed, and one that a start left there in vain, make it nobody else's ----
one_target
agent
rm "$RUNTIME/agent.lock"
here start --foreground --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml"
is "a second agent finds the state taken" $? 75
check "a lock is there again" test -e "$RUNTIME/agent.lock"
rm "$RUNTIME/map" "$RUNTIME/ca.pem"
governed true
check "the map is put back all the same" wait_for 10 test -s "$RUNTIME/map"
check "and the certificates" wait_for 10 test -s "$RUNTIME/ca.pem"
stop_agent
done_playing
