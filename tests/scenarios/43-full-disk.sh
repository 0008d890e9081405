#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The disk of the state is full: the agent that serves goes on, none is put in its place, and a backup goes elsewhere.
. "$(dirname "$0")/lib.sh"
play "the state's disk is full"
mount -t tmpfs -o size=56m,mode=700 none "$T/s" 2>/dev/null || { skip "no tmpfs may be mounted"; exit 0; }
leave() { "$TOLLGATE" stop >/dev/null 2>&1; umount -l "$T/s"; }
ON_END=leave
provider
one_target "limits: {disk_low_water_bytes: 2097152}"
LOG=$T/s/tollgate/dev/agent.log
agent
paid() { openai "$(openai_body gpt-5.4-nano)" -o "$T/answer" -w '%{http_code}'; }
is "a paid call" "$(paid)" 200
settled
before=$(money)
head -c 200M /dev/zero >"$T/s/fill" 2>/dev/null # to the last byte
wait_for 10 grep -q "disk nearly full" "$LOG"
is "on a full disk there is none" "$(paid)" 503
wait_for 10 grep -q "events wait in memory for room" "$LOG"
is "events wait for room" "$? $("$TOLLGATE" events --limit 9 --json | json '[e["status"] for e in d["events"]]')" "0 [200]"

# ---- nothing is put in its place ----
pid=$("$TOLLGATE" status --json | json 'd["pid"]')
"$TOLLGATE" restart >"$T/out" 2>&1
is "a restart is refused" $? 74
has "which says what is in the way" "$(cat "$T/out")" "$T/s/tollgate/dev: 0 MiB are free, an agent needs 10 to start"
is "and the one that served goes on" "$("$TOLLGATE" status --json | json 'd["pid"]')" "$pid"

# ---- a backup goes to another disk ----
check "a backup elsewhere is made" "$TOLLGATE" backup "$T/copy"
is "is whole" "$([ -s "$T/copy/ledger.jsonl" ] && [ -s "$T/copy/transfers.db" ] && echo yes)" yes
is "nothing is left where it waited" "$(find "$T/r/tollgate/dev/backups" "$T/s/tollgate/dev/backups" -mindepth 1 | wc -l)" 0
"$TOLLGATE" backup >"$T/out" 2>&1
is "one in the state is refused" $? 75
has "with what to do" "$(cat "$T/out")" "too little room on its file system; name another disk by backups.directory"
is "the ledger goes on" "$(money)" "$before"

# ---- with what a start needs there is a next one ----
truncate -s -11M "$T/s/fill"
check "with little more than that, a restart" "$TOLLGATE" restart
is "is another agent's" "$([ "$("$TOLLGATE" status --json | json 'd["pid"]')" != "$pid" ] && echo yes)" yes
is "that is well with its money" "$(money)" "$before"
rm "$T/s/fill"
is "with room, a paid call" "$(paid)" 200
settled
# A store of events that had been written to the last byte would be lost until a restart.
head -c 200M /dev/zero >"$T/s/fill" 2>/dev/null
is_refused() { [ "$(paid)" = 503 ]; }
check "full again" wait_for 10 is_refused
rm "$T/s/fill"
newest() { "$TOLLGATE" events --limit 1 --json | json 'd["events"][0]["status"]'; }
has_refused() { [ "$(newest)" = 503 ]; }
check "with room again the refused call has its event, without a restart" wait_for 10 has_refused
lacks "and the doctor finds nothing" "$("$TOLLGATE" doctor)" "events are not kept"
is "reports say what the ledger says" "$("$TOLLGATE" report all --json | json 'd["total"]["cost"]')" "$(money | cut -d' ' -f3)"

# ---- an agent that stops while events wait: the next one writes them ----
openai "$(openai_body gpt-5.4-nano "count [[tokens=200]] [[pace_ms=100]] [[until_release=1]]" ',"stream":true,"max_tokens":2000')" -N -o "$T/stream" &
stream=$!
wait_for 20 grep -q data: "$T/stream"
head -c 200M /dev/zero >"$T/s/fill" 2>/dev/null
truncate -s -1M "$T/s/fill"
check "full while an answer streams" wait_for 10 is_refused
standin /_release -X POST >/dev/null
wait "$stream"
has "it comes to its end" "$(tail -n 3 "$T/stream")" "[DONE]"
wait_for 10 eval '[ "$(money | cut -d" " -f2)" = 0 ]'
spent=$(money | cut -d' ' -f3)
check "the agent stops" "$TOLLGATE" stop
rm "$T/s/fill"
agent
is "its payment is in the ledger" "$(money | cut -d' ' -f3)" "$spent"
is_told() { [ "$("$TOLLGATE" report all --json | json 'd["total"]["cost"]')" = "$spent" ]; }
check "and in reports" wait_for 10 is_told
stop_agent
head -c 200M /dev/zero >"$T/s/fill" 2>/dev/null
"$TOLLGATE" start >"$T/out" 2>&1
[ $? -ne 0 ] && has "a start on a full disk says so" "$(cat "$T/out")" "0 MiB are free, an agent needs 10 to start"
rm "$T/s/fill"
check "the copy is restored" "$TOLLGATE" restore "$T/copy"
agent
is "with the money that there was" "$(money)" "$before"
stop_agent
done_playing
