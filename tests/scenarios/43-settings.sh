#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a reload puts in force, what it leaves for a restart (and says so), and where backups go.
. "$(dirname "$0")/lib.sh"
play "settings change under a running agent"
provider
STATE=$T/s/tollgate/dev LOG=$T/s/tollgate/dev/agent.log
write_policy() { one_target "capture: {refresh_seconds: 0${1:-}}" "${2:-}"; } # further members of capture, further lines
reload() { "$TOLLGATE" reload >"$T/out" 2>&1; }
pending() { "$TOLLGATE" status --json | json 'd["pending"]'; }
doctor_row() { "$TOLLGATE" doctor --json 2>/dev/null | json "[c for c in d['checks'] if c['name'] == '$1'][0]['$2']"; }
write_policy
agent

# ---- what wants a restart is said, and stays said ----
is "nothing waits for a restart" "$(pending)" "[]"
port=$(free_port)
export METRICS_TOKEN=metrics-token-0123456789
write_policy ", hosts: [x.example.com], base_urls: true" "evidence: {events_file: $T/events.jsonl, metrics: {enabled: true, port: $port, secret_key_ref: {env: METRICS_TOKEN}}}
agent: {hardening: false}
limits: {loops: 3}"
check "a policy with such settings is reloaded" "$TOLLGATE" reload
reload
for line in "evidence.metrics.enabled: false -> true" "evidence.metrics.port: 9464 -> $port" "evidence.events_file: (none) -> $T/events.jsonl" \
    "agent.hardening: true -> false" "limits.loops: 0 -> 3" "capture.base_urls: false -> true" "capture.hosts: [] -> [x.example.com]" "governed host names: "; do
    has "reload says it: ${line%%:*}" "$(cat "$T/out")" "$line"
    has "status, too" "$("$TOLLGATE" status)" "$line"
done
has "with what to do" "$(cat "$T/out")" "evidence.metrics.port: 9464 -> $port takes effect at the next restart (tollgate restart)"
has "and the log, too" "$(cat "$LOG")" "limits.loops: 0 -> 3 takes effect at the next restart"
write_policy
reload
lacks "taken back, nothing is said" "$(cat "$T/out")" restart
is "and nothing waits" "$(pending)" "[]"
write_policy "" "limits: {loops: 3}"
reload
is "doctor warns that something waits" "$(doctor_row settings status)" warning
is "loops waits" "$(pending)" "[{'key': 'limits.loops', 'before': '0', 'after': '3'}]"
check "restart" "$TOLLGATE" restart
is "then it is in force" "$(pending)" "[]"
is "which doctor says" "$(doctor_row settings status)" ok

# ---- what does not is in force: the disk's low water, the strictness of the map, backups ----
paid() { openai "$(openai_body gpt-5.4-nano)" -o "$T/answer" -w '%{http_code}'; }
is "a paid call" "$(paid)" 200
write_policy "" "limits: {loops: 3, disk_low_water_bytes: 1099511627776}"
reload
lacks "a higher low water needs no restart" "$(cat "$T/out")" restart
wait_for 10 grep -q "disk nearly full" "$LOG"
is "and is in force" "$(paid)" 503
write_policy "" "limits: {loops: 3, disk_low_water_bytes: 0}"
reload
wait_for 10 grep -q "disk has room again" "$LOG"
is "so is a lower one" "$(paid)" 200
cp "$T/r/tollgate/dev/map" "$T/map" || die "no map"
write_policy ", strict: true" "limits: {loops: 3, disk_low_water_bytes: 0}"
reload
lacks "strict needs none" "$(cat "$T/out")" restart
map_is_new() { ! cmp -s "$T/r/tollgate/dev/map" "$T/map"; }
check "programs find it in the map" wait_for 10 map_is_new

# ---- backups: a directory that is not there is made; one that cannot be is refused, or left aside ----
mkdir "$T/disk"
write_policy "" "backups: {directory: $T/disk/a/b, every_hours: 1}"
reload
is "a directory that the running agent may not write to is refused" "$("$TOLLGATE" reload >/dev/null 2>&1; echo $?)" 65
has "with its place in the policy" "$(cat "$T/out")" "policy-config.dev.yaml:7:22: error: backups.directory: the running agent may not write to $T/disk/a/b"
has "and what to do" "$(cat "$T/out")" "hint: restart it to use this directory"
check "a restart makes it, with its parents" "$TOLLGATE" restart
is "for its owner alone" "$(stat -c %a "$T/disk/a" "$T/disk/a/b" | tr '\n' ' ')" "700 700 "
has "doctor says where they go, and when" "$(doctor_row backups text)" "they go to $T/disk/a/b (writable); none yet; the next at "
is "which is well" "$(doctor_row backups status)" ok
made=$("$TOLLGATE" backup)
has "a backup without a name goes there" "$made" "$T/disk/a/b/"
has "which doctor names" "$(doctor_row backups text)" "the last is $T/disk/a/b/2"
echo a file >"$T/disk/file"
write_policy "" "backups: {directory: $T/disk/file/b}"
"$TOLLGATE" restart >"$T/out" 2>&1
is "a restart refuses what cannot be made" $? 73
has "with its place, too" "$(cat "$T/out")" "policy-config.dev.yaml:7:22: error: backups.directory: user $(id -u) cannot write to $T/disk/file/b: Not a directory"
has "check warns of it" "$("$TOLLGATE" check "$T/policy-config.dev.yaml" 2>&1)" "warning: backups.directory: user $(id -u) cannot write"
is "and the agent went on" "$("$TOLLGATE" doctor --json 2>/dev/null | json 'len(d["checks"]) > 3')" True
stop_agent
agent
has "an agent that starts all the same says where they go" "$(cat "$LOG")" "until then, backups go to the agent's state"
is "doctor warns" "$(doctor_row backups status)" warning
has "of what is in the way" "$(doctor_row backups text)" "they go to $T/disk/file/b (not writable: Not a directory)"
made=$("$TOLLGATE" backup)
has "and a backup goes to its state" "$made" "$STATE/backups/2"
reload
has "a reload of the same policy is not refused for it" "$(cat "$T/out")" "in force: policy"
stop_agent
done_playing
