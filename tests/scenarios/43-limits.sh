#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a new agent lacks (files, descriptors, memory) is found out while the old one serves, and ruins no events.
. "$(dirname "$0")/lib.sh"
play "a restart with less than the agent has"
STATE=$T/s/tollgate/dev
LOG=$STATE/agent.log
leave() {
    "$TOLLGATE" stop >/dev/null 2>&1
    mountpoint -q "$T/s" && umount -l "$T/s"
}
ON_END=leave
provider
one_target "cache: {enabled: true}"
agent
pid_of() { "$TOLLGATE" status --json 2>/dev/null | json 'd["pid"]' 2>/dev/null; }
serving() { "$TOLLGATE" status --json 2>&1 | json '(d["pid"], "draining" in d)' 2>&1 | tail -n 1; } # one that ends answers, too
paid() { openai "$(openai_body gpt-5.4-nano)" -o "$T/answer" -w '%{http_code}'; }
count() { "$TOLLGATE" report all --json | json 'd["total"]["calls"]'; }
is "a call" "$(paid)" 200
settled
is "and one from the cache" "$(paid)" 200
wait_for 10 sh -c '[ "$("$0" events --limit 9 --json | grep -o "\"id\"" | wc -l)" = 2 ]' "$TOLLGATE"

# ---- a shell with lower limits: `WHAT LIMITS`, hard ones, below what the agent has ----
# In a pipe: with a limit for files nothing can be written to one.
below() { (ulimit "$1" "$2" && exec "$TOLLGATE" restart) 2>&1 | cat; }
code_below() {
    (ulimit "$1" "$2" && exec "$TOLLGATE" restart) 2>&1 | cat >/dev/null
    echo "${PIPESTATUS[0]}"
}
memory="-v 120000"
case $BUILD in *-asan | *-tsan) memory= ;; esac # a sanitizer's shadow is larger than any memory
pid=$(pid_of)
while read -r option value; do
    [ "$option" ] || continue
    is "a restart below ulimit $option $value is refused" "$(code_below "$option" "$value")" 78
    has "which says what is in the way" "$(below "$option" "$value")" "ulimit $option is $value here"
    is "and the one that served goes on" "$(serving)" "($pid, False)"
done <<ROWS
-n 10
-n 14
-n 20
-n 40
$memory
-f 0
-f 50
-t 1000
ROWS
is "calls are answered" "$(paid)" 200

# ---- where the hard limit permits it, the new agent has what the old one had ----
limits_of() { prlimit --pid "$1" --raw --noheadings --output RESOURCE,SOFT | sort; }
before=$(limits_of "$pid")
(ulimit -S -n 16 -f 50 ${memory:+-v 900000} && exec "$TOLLGATE" restart) >"$T/out" 2>&1
is "a restart below soft limits" $? 0
is "is another agent's" "$([ "$(pid_of)" != "$pid" ] && echo yes)" yes
is "which has what the one before had" "$(limits_of "$(pid_of)")" "$before"
stop_agent

# ---- a start without the memory that it needs ----
if [ "$memory" ]; then
    is "a start below ulimit $memory fails" "$( (ulimit $memory && exec timeout 60 "$TOLLGATE" start --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml") >"$T/out" 2>&1; echo $?)" 70
    has "and says for want of what" "$(cat "$T/out")" "there was no more memory (ulimit -v"
    is "and leaves nobody" "$("$TOLLGATE" stop)" "no agent of dev is running"
fi

# ---- a start with too few descriptors ----
agent
kept=$(count)
is "each call is counted" "$kept" 3
"$TOLLGATE" stop >/dev/null
for files in 10 14 20 24 30 40 127; do
    (ulimit -n "$files" && exec "$TOLLGATE" start) >"$T/out" 2>&1
    is "a start with $files descriptors is refused" $? 78
    has "which says so" "$(cat "$T/out")" "$files descriptors are too few"
done
is "no event is moved aside" "$(find "$STATE" -maxdepth 1 -name 'aux.damaged-*')" ""
agent
is "reports have what they had" "$(count)" "$kept"
lacks "nor is the cache made anew" "$(cat "$LOG")" "made anew"
stop_agent
(ulimit -n 128 && exec "$TOLLGATE" start) >"$T/out" 2>&1
is "128 are enough" $? 0
is "for a call" "$(paid)" 200
stop_agent

# ---- what is damaged is moved aside, which is said ----
head -c 4096 /dev/urandom | dd of="$STATE/aux/sums.db" conv=notrunc status=none
agent
is "damaged events are moved aside" "$(find "$STATE" -maxdepth 1 -name 'aux.damaged-*' | wc -l)" 1
has "which is said" "$(grep "aux.damaged-" "$LOG")" "$STATE/aux"
stop_agent

# ---- no files left ----
mount -t tmpfs -o size=300m,nr_inodes=120,mode=700 none "$T/s" 2>/dev/null || { skip "no tmpfs may be mounted"; done_playing; }
agent
pid=$(pid_of)
for i in $(seq 1 200); do : >"$T/s/f$i" || break; done 2>/dev/null
"$TOLLGATE" restart >"$T/out" 2>&1
is "without a free inode a restart is refused" $? 74
has "which says what is in the way" "$(cat "$T/out")" "$STATE: 0 inodes are free, an agent needs"
is "and the one that served goes on" "$(serving)" "($pid, False)"
rm "$T"/s/f*
check "with some, a restart" "$TOLLGATE" restart
is "is another agent's" "$([ "$(pid_of)" != "$pid" ] && echo yes)" yes
# What the look before does not find: the file for the words of the start cannot be made.
pid=$(pid_of)
sh -c 'mkdir "$0/start-$$.err" && exec "$1" restart' "$STATE" "$TOLLGATE" >"$T/out" 2>&1
is "a restart that cannot make its file is refused" $? 73
has "with the file's name" "$(cat "$T/out")" ".err: Is a directory"
is "and the one that served goes on" "$(serving)" "($pid, False)"
stop_agent
done_playing
