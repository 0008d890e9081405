#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The log of an agent that was started by hand: moved away, removed, too large, in its state and elsewhere; one that
# nobody reads; none; and what starts that were killed leave.
. "$(dirname "$0")/lib.sh"
play "the log is rotated under a running agent"
provider
one_target
STATE=$T/s/tollgate/dev LOG=$T/s/tollgate/dev/agent.log
agent
says() { "$TOLLGATE" log info >/dev/null; } # one line
talks_to() { says; grep -q "log level: info" "$1" 2>/dev/null; }

mv "$LOG" "$LOG.moved"
check "moved away: it goes on in a new file" wait_for 10 talks_to "$LOG"
has "whose first lines are in the other" "$(cat "$LOG.moved")" "agent ready"
is "for its owner alone" "$(stat -c %a "$LOG")" 600
rm "$LOG"
check "removed: likewise" wait_for 10 talks_to "$LOG"
mv "$LOG" "$LOG.moved2"
check "reload" "$TOLLGATE" reload
has "a reload begins it at once" "$(cat "$LOG")" "policy in force"
lines=$(grep -c . "$LOG.moved2")
says
is "and the old one is left alone" "$(grep -c . "$LOG.moved2")" "$lines"

mv "$LOG" "$LOG.moved3"
kill -HUP "$("$TOLLGATE" status --json | json 'd["pid"]')" # as programs that rotate logs do
check "so does SIGHUP" wait_for 10 test -s "$LOG"

fill() { yes "2026-11-30T00:00:00.000Z info said before" | head -c 34000000 >>"$1"; }
fill "$LOG"
is_aside() { says; [ -e "$LOG.1" ]; }
check "beyond its bound it is put aside" wait_for 10 is_aside
check "and begun anew" wait_for 10 talks_to "$LOG"
is "small" "$([ "$(stat -c %s "$LOG")" -lt 1000000 ] && echo yes)" yes
check "a bundle" "$TOLLGATE" support-bundle --output "$T/b.tar.gz"
bundled=$(tar -xzOf "$T/b.tar.gz" --wildcards '*/log.txt')
has "has the end of the one" "$bundled" "said before"
has "and of the other" "$bundled" "log level: info"
stop_agent

# A log elsewhere is the business of whoever wants it there: it is followed, too, where the agent may write.
mkdir "$T/elsewhere"
"$BUILD/tollgated" --environment dev --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml" --state "$STATE" \
    --runtime "$T/r/tollgate/dev" --log "$T/elsewhere/log" 2>"$T/err" &
AGENT=$!
wait_for 20 "$TOLLGATE" status || die "the agent does not start: $(cat "$T/err")"
mv "$T/elsewhere/log" "$T/elsewhere/moved"
check "a log elsewhere that was moved" wait_for 10 talks_to "$T/elsewhere/log"
fill "$T/elsewhere/log"
is_aside_elsewhere() { says; [ -e "$T/elsewhere/log.1" ]; }
check "or is too large" wait_for 10 is_aside_elsewhere
stop_agent
wait "$AGENT"

# ---- a supervisor that does not read the log: lines are lost, and nothing else ----
mkfifo "$T/words"
python3 "$ROOT/tests/scenarios/43-log.py" "$TOLLGATE" "$T/heard" --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml" \
    --log-level debug <"$T/words" &
SUPERVISOR=$!
exec 7>"$T/words"
check "an agent whose log nobody reads gets ready" wait_for 20 "$TOLLGATE" status
calls() { for _ in $(seq 1 "$1"); do openai "$(openai_body gpt-5.4-nano)" -o "$T/answer" -w '%{http_code}\n' --max-time 10; done | sort | uniq -c | xargs; }
is "answers calls" "$(calls 40)" "40 200"
check "questions" "$TOLLGATE" status
check "and orders" "$TOLLGATE" reload
echo read >&7
check "when there is room it says how many lines were lost" wait_for 10 sh -c 'echo read >&7; grep -q "log lines lost.*: [0-9]" "$0"' "$T/heard"
is "answers again" "$(calls 40)" "40 200"
echo end >&7
exec 7>&-
wait "$SUPERVISOR"
is "and ends as it is told" "$(tail -n 1 "$T/heard")" "exit 0"

# ---- descriptors that are closed: no store, no socket gets their numbers ----
with_closed() {
    sh -c 'exec "$0" start --foreground --policy "$2/policy-config.dev.yaml" --providers "$2/providers.yaml" '"$1" "$TOLLGATE" '' "$T" &
    AGENT=$!
    is "an agent with $1 gets ready" "$(wait_for 20 "$TOLLGATE" status >/dev/null && echo yes)" yes
    is "answers" "$(calls 1)" "1 200"
    is "has nothing of its own there" "$(for fd in 0 1 2; do readlink "/proc/$AGENT/fd/$fd"; done | grep -c -e '^socket:' -e '^anon_inode' -e "$STATE")" 0
    stop_agent
    wait "$AGENT"
    is "and ends well" "$?" 0
}
with_closed '<&- 2>&-'
with_closed '<&- >&- 2>&-'

# ---- the files with the words of starts (shim/launch/start.c), of which some were killed ----
dead=$(sh -c 'echo $$')
: >"$STATE/start-$dead.err"
: >"$STATE/start-$$.err"
agent
is "a start removes what a killed one left, and that alone" "$(cd "$STATE" && echo start-*.err)" "start-$$.err"
stop_agent
rm "$STATE/start-$$.err" "$STATE/agent.stderr"
"$BUILD/tollgated" --environment dev --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml" --state "$STATE" \
    --runtime "$T/r/tollgate/dev" --log "$LOG" 2>"$STATE/start-$dead.err" &
AGENT=$!
wait_for 20 "$TOLLGATE" status || die "the agent does not start"
is "words of an agent whose start was killed are kept where they belong" "$(cd "$STATE" && echo start-*.err agent.std*)" "start-*.err agent.stderr"
is "and more will follow" "$(readlink "/proc/$AGENT/fd/2")" "$STATE/agent.stderr"
stop_agent
wait "$AGENT"
done_playing
