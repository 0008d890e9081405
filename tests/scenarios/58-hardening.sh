#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the agent has given up once it serves: it executes nothing, writes in its places alone, knows no CA's key and
# forgets a provider's key with the policy that named it; certificates are renewed all the same. Attempts from inside are
# tests/unit/test_harden.c; here they come through a debugger, which root alone can attach.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || { skip "needs root, to look into the agent"; exit 77; }
play "the agent is hard to hurt"
provider
mkdir -p "$T/s/tollgate/dev/secrets"
chmod 700 "$T/s/tollgate/dev" "$T/s/tollgate/dev/secrets"
printf 'sk-first-0123456789-abcdefghijkl' >"$T/first.key"
printf 'sk-second-9876543210-zyxwvutsrqp' >"$T/second.key"
unset OPENAI_API_KEY ANTHROPIC_API_KEY
policy <<'Y'
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {store: first}}
consumer_groups:
  - {name: product-dev, api_key: kt_cg_product_dev, wallet_team_id: team_product_dev}
Y
STATE=$T/s/tollgate/dev RUNTIME=$T/r/tollgate/dev LOG=$T/s/tollgate/dev/agent.log
agent
key() { "$TOLLGATE" secret set "$1" <"$T/$1.key" >/dev/null && "$TOLLGATE" reload >/dev/null; }
field() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
hardening() { "$TOLLGATE" status --json | json "d['hardening']$1"; }
helper() { pgrep -P "$PID" -f . | while read -r pid; do [ "$(cat "/proc/$pid/comm")" = "$1" ] && echo "$pid"; done; }
scan() { python3 "$ROOT/tests/scenarios/58-scan.py" "$@"; }
pid_of_agent() { "$TOLLGATE" status --json | json 'd["pid"]'; }
PID=$(pid_of_agent)
SIGNER=$(helper tollgate-signer)
has_landlock=$([ "$(hardening '["landlock"]')" -gt 0 ] && echo 1)
is_sanitized=$(grep -q -a __asan_init "$BUILD/tollgated" || grep -q -a __tsan_init "$BUILD/tollgated" && echo 1)

# ---- the kernel's word ----
is "no new privileges" "$(field "$PID" NoNewPrivs)" 1
is "no core dump" "$(awk '/^Max core file size/{print $5, $6}' "/proc/$PID/limits")" "0 0"
is "every thread" "$(cat /proc/"$PID"/task/*/status | grep -c '^NoNewPrivs:.*1')" "$(find /proc/"$PID"/task -mindepth 1 -maxdepth 1 | wc -l)"
is "nor of who runs the alert commands" "$(awk '/^Max core file size/{print $5, $6}' "/proc/$(helper tollgate-alerts)/limits")" "0 0"
for name in tollgate-signer tollgate-names tollgate-looks; do
    is "$name: no new privileges" "$(field "$(helper $name | head -1)" NoNewPrivs)" 1
done
if [ -z "$is_sanitized" ]; then
    is "system calls are filtered, in every thread" "$(cat /proc/"$PID"/task/*/status | grep '^Seccomp:' | sort -u | tr -d '\t')" "Seccomp:2"
    is "in the signer, too" "$(field "$SIGNER" Seccomp)" 2
    is "not dumpable: what is its own is root's" "$(stat -c %U "/proc/$PID/mem")" root
    is "status: all is in force" "$(hardening '["missing"]')" ""
    has "and says so to people" "$("$TOLLGATE" status)" "hardening      in force"
fi
has "doctor: keys and process" "$("$TOLLGATE" doctor)" "hardening"

# ---- the unit: what systemd forbids must not be what the agent needs to forbid itself more, or to work ----
if command -v systemd-analyze >/dev/null; then
    cat >"$T/unit.py" <<'P'
import re, subprocess, sys
unit, own = open(sys.argv[1]).read(), open(sys.argv[2]).read()
def expand(word):
    if not word.startswith("@"):
        return {word}
    lines = subprocess.run(["systemd-analyze", "syscall-filter", word], capture_output=True, text=True).stdout.splitlines()[1:]
    return set().union(*(expand(line.strip()) for line in lines if line.strip() and not line.strip().startswith("#")))
allowed = set()
for line in re.findall(r"^SystemCallFilter=(.*)$", unit, re.M):
    words = set().union(*(expand(word) for word in line.lstrip("~").split()))
    allowed = allowed - words if line.startswith("~") else allowed | words
wanted = set(re.findall(r"\bALLOW\w*\((\w+)", re.sub(r"/\*.*?\*/", "", own, flags=re.S)))
print(*sorted((wanted | {"seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"}) - allowed), len(wanted) > 100)
P
    is "the unit allows what the agent needs" "$(python3 "$T/unit.py" "$ROOT/scripts/package/systemd/system/tollgated@.service.in" "$ROOT/agent/harden_calls.def")" True
fi

# ---- memory: not of a build with sanitizers, which keep copies of their own, and lock nothing ----
# scanned NAME COUNTS PID FILE…: what the scan must find: 0, or + for at least once, one a file
scanned() {
    local name=$1 wanted=$2
    shift 2
    [ -n "$is_sanitized" ] || is "$name" "$(scan "$@" | sed 's/[1-9][0-9]*/+/g')" "$wanted"
}

# ---- keys of providers ----
key first
has "a call with the key" "$(openai "$(openai_body gpt-5.4-nano)")" chat.completion
scanned "the scan finds a key that is in force" + "$PID" "$T/first.key"
[ -n "$is_sanitized" ] || has "its page is locked, in no dump and in no child" "$(python3 - "$PID" "$T/first.key" <<'P'
import re, sys
pid, key = sys.argv[1], open(sys.argv[2], "rb").read()
flags, region = {}, None
for line in open(f"/proc/{pid}/smaps"):
    match = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
    if match:
        region = int(match[1], 16), int(match[2], 16)
    elif line.startswith("VmFlags:"):
        flags[region] = line.split()[1:]
with open(f"/proc/{pid}/mem", "rb", 0) as memory:
    for (begin, end), words in flags.items():
        if "lo" in words and "io" not in words and end - begin <= 65536:
            memory.seek(begin)
            if key in memory.read(end - begin):
                print(*words)
P
)" " lo "
sed -i 's/store: first/store: second/' "$T/policy-config.dev.yaml"
key second
rm -f "$STATE/secrets/first"
has "a call with another key" "$(openai "$(openai_body gpt-5.4-nano)")" chat.completion
scanned "the first one is nowhere in memory any more" 0 "$PID" "$T/first.key"
scanned "the second one is" + "$PID" "$T/second.key"

# ---- the CA's key ----
CA_KEY=$STATE/ca/pair-001/intermediate.key
scanned "the signer has the CA's key" + "$SIGNER" "$CA_KEY"
scanned "the agent that had it made does not" 0 "$PID" "$CA_KEY"
scanned "nor has the signer any key of a provider" "0 0" "$SIGNER" "$T/first.key" "$T/second.key"
for looker in $(helper tollgate-looks); do
    scanned "nor has who looks into other processes" "0 0 0" "$looker" "$CA_KEY" "$T/first.key" "$T/second.key"
done
is "whose call it was is still the kernel's word" "$(last_event '["executable"]')" "$(readlink -f "$(command -v curl)")"
HANGING="$(helper tollgate-looks) $(helper tollgate-alerts) $(helper tollgate-names)"
# shellcheck disable=SC2086 # numbers
kill -STOP $HANGING # as one would hang on a file system that does not answer
has "calls go on without their word" "$(openai "$(openai_body gpt-5.4-nano)")" chat.completion
is "then the program's own counts" "$(last_event '["executable"]')" "$(readlink -f "$(command -v curl)")"
has "and nobody waits for them again" "$(openai "$(openai_body gpt-5.4-nano)" --max-time 10)" chat.completion
stop_agent # the helpers hang still
is "hanging helpers end with it" "$(wait_for 10 sh -c 'for pid; do kill -0 "$pid" && exit 1; done; true' sh $HANGING && echo gone)" gone
agent
PID=$(pid_of_agent)
has "a call of the next run" "$(openai "$(openai_body gpt-5.4-nano)")" chat.completion
scanned "the agent that found it has not" 0 "$PID" "$CA_KEY"

# ---- through a debugger ----
# Calls a function of the agent's libc; prints what it returned.
ulimit -c 0 # gdb does not always survive the death of what it debugs
inside() { gdb -p "${2:-$PID}" -batch -nx -ex 'set print thread-events off' -ex "print (int)$1" 2>&1 | sed -n 's/^\$1 = //p'; }
if command -v gdb >/dev/null && [ -z "$is_sanitized" ]; then
    check "a debugger gets an answer" [ "$(inside 'getpid()')" = "$PID" ]
    for name in tollgate-alerts tollgate-signer tollgate-names tollgate-looks; do # 3: PR_GET_DUMPABLE
        is "$name: no other process of its user may read it" "$(inside 'prctl(3)' "$(helper $name | head -1)")" 0
    done
    touch "$T/program"
    is "the agent makes nothing set-user-ID" "$(inside "chmod(\"$T/program\", 04755)")" -1
    for name in tollgate-signer tollgate-looks; do
        is "nor does $name" "$(inside "chmod(\"$T/program\", 04755)" "$(helper $name | head -1)")" -1
    done
    is "and it is not" "$(stat -c %a "$T/program")" "$(printf %o $((0666 & ~0$(umask))))"
    [ -z "$has_landlock" ] || is "the agent cannot write what its user may" "$(inside 'open("/etc/shadow", 1)')" -1
    [ -z "$has_landlock" ] || is "nor make a file" "$(inside "open(\"$T/planted\", 0101, 0600)")" -1
    check "but where it belongs" [ "$(inside "open(\"$STATE/planted\", 0101, 0600)")" -ge 0 ]
    is "and there is no file but that one" "$(find "$T" -name planted)" "$STATE/planted"
    inside 'execl("/bin/sh", "sh", "-c", "touch '"$T"'/executed", 0)' >/dev/null
    check "who makes it execute a program ends it" wait_for 10 sh -c '! kill -0 "$1" 2>/dev/null' sh "$PID"
    check "and nothing was executed" [ ! -e "$T/executed" ]
    agent
    has "the next one serves" "$(openai "$(openai_body gpt-5.4-nano)")" chat.completion
else
    skip "no gdb, or a build with sanitizers: attempts from inside are tests/unit/test_harden.c's"
fi
stop_agent

# ---- an agent of this script's own: its clock, its limits, its end ----
begin() { # WRAPPER…
    (exec "$@" "$BUILD/tollgated" --environment dev --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml" \
        --state "$STATE" --runtime "$RUNTIME" --log "$LOG" 2>>"$STATE/agent.stderr") &
    PID=$!
    wait_for 20 "$TOLLGATE" status || die "the agent does not start: $(cat "$STATE/agent.stderr" "$LOG")"
}
leaf() {
    local address
    address=$(awk '$1 == "api.openai.com" {print "127.77." int($2 / 256) "." $2 % 256}' "$STATE/addresses")
    openssl s_client -connect "$address:$("$TOLLGATE" status --json | json 'd["port"]')" -servername api.openai.com </dev/null 2>/dev/null |
        openssl x509 -noout "${1:--serial}" | if [ "${1:-}" = -enddate ]; then date +%s -d "$(cut -d= -f2)"; else cat; fi
}
faketime=$(find /usr/lib -name libfaketimeMT.so.1 2>/dev/null | head -1)
if [ -n "$faketime" ] && [ -z "$is_sanitized" ]; then
    echo +0 >"$HOME/.faketimerc" # helpers keep HOME, and no variable of faketime's
    begin env LD_PRELOAD="$faketime" FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1
    first=$(leaf)
    has "a leaf is shown" "$first" serial=
    is "the same one again" "$(leaf)" "$first"
    echo +19h >"$HOME/.faketimerc"
    second=$(leaf)
    check "19 hours later it is another" [ -n "$second" -a "$second" != "$first" ]
    check "that lives for another day" [ "$(leaf -enddate)" -gt $(($(date +%s) + 42 * 3600)) ]
    scanned "and the CA's key is not in the agent" 0 "$PID" "$CA_KEY"
    stop_agent
    wait "$PID" 2>/dev/null
    rm "$HOME/.faketimerc"
else
    skip "no libfaketime: renewal is tests/unit/test_net_certificates.c's"
fi

for row in "tollgate-signer signs certificates" "tollgate-looks looks into other processes"; do
    begin env
    kill -9 "$(helper "${row%% *}" | head -1)"
    wait_for 30 sh -c '! kill -0 "$1" 2>/dev/null' sh "$PID"
    wait "$PID"
    is "an agent without ${row%% *} ends, to be started again" $? 70
    has "and says why" "$(tail -n 5 "$LOG")" "the process that ${row#* } is gone"
done

# ---- what the agent can go on without ----
begin env
is_said() { "$TOLLGATE" status | grep -q "$1" && "$TOLLGATE" doctor | grep -q "$1" && grep -q "without a helper.*$1" "$LOG"; }
kill -9 "$(helper tollgate-alerts)"
check "an agent without tollgate-alerts says so at once" wait_for 10 is_said "alert commands cannot run"
keeper=$(helper tollgate-names)
asks=$(pgrep -P "$keeper")
kill -9 "$asks"
is_another() { [ -n "$(pgrep -P "$keeper")" ] && [ "$(pgrep -P "$keeper")" != "$asks" ]; }
check "who asks for names is made anew" wait_for 10 is_another
lacks "which is no loss" "$("$TOLLGATE" status)" "addresses of providers"
kill -9 "$keeper"
check "an agent without tollgate-names says so at once" wait_for 10 is_said "addresses of providers stay as they are"
has "and serves on" "$(openai "$(openai_body gpt-5.4-nano)")" chat.completion
stop_agent
wait "$PID"
is "to an end in order" $? 0

if [ -z "$is_sanitized" ]; then
    begin setpriv --bounding-set=-ipc_lock prlimit --memlock=0:0
    has "keys that may be swapped out are said" "$("$TOLLGATE" doctor)" "may be swapped out"
    is "in the status, too" "$(hardening '["keys_locked"]')" False
    stop_agent
    wait "$PID" 2>/dev/null
fi

# ---- the switch ----
echo 'agent: {hardening: false}' >>"$T/policy-config.dev.yaml"
agent
PID=$(pid_of_agent)
is "switched off: nothing is filtered" "$(field "$PID" Seccomp)" 0
for name in signer names; do
    is "nor has tollgate-$name given up anything" "$(field "$(helper tollgate-$name)" NoNewPrivs)" 0
done
is "and the status says so" "$(hardening '["wanted"]')" False
has "and the log" "$(cat "$LOG")" "agent.hardening is false"
has "and the doctor" "$("$TOLLGATE" doctor)" "agent.hardening is false"
sed -i 's/hardening: false/hardening: true/' "$T/policy-config.dev.yaml"
has "switching it on wants a restart" "$("$TOLLGATE" reload 2>&1)" "agent.hardening: false -> true takes effect at the next restart"
stop_agent
done_playing
