#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a machine does to an agent: a wall clock that steps, no descriptors left, everybody starting it at once, kill -9 and
# how soon it is back, and files that are damaged, cut or gone while it is down. Money and running answers do not notice;
# without a file of the ledger there is no agent.
. "$(dirname "$0")/lib.sh"
play "faults of the machine"
provider
policy <<'Y'
cache: {enabled: true, ttl_seconds: 7200, max_entries: 5000, match_strategy: exact}
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}, pricing: {input: 0, cache_read: 0, cache_write: 0, cache_write_1h: 0, output: 10}}
consumer_groups:
  - {name: dev, api_key: kt_cg_dev, wallet_team_id: team_product_dev}
wallets:
  - {id: team_product_dev, credit: "10"}
cost_tracking: {clamp: false}
budgets:
  - {id: day, amount: "0.0015", window: daily, time_zone: UTC, hard: true}
Y
STATE=$T/s/tollgate/dev LOG=$T/s/tollgate/dev/agent.log
# 100 tokens of output cost 0.001 USD: one call a day fits, a second does not.
body() { openai_body gpt-5.4-nano "$1 [[tokens=${2:-100}]] [[pace_ms=${3:-0}]]" ",\"max_tokens\":${2:-100}${4:-}"; }
call() { openai "$(body "$@")" -D "$T/head" -o "$T/answer" -w '%{http_code}'; }
asked() { standin /_bill | json 'len(d)'; }
# A streamed answer of N pieces in the background, so many milliseconds apart until `let_go`; waits for its first piece.
stream() {
    rm -f "$T/stream"
    openai "$(body "$1 [[until_release=1]]" "$2" "$3" ',"stream":true')" -N -o "$T/stream" 2>"$T/stream.err" &
    STREAM_PID=$!
    wait_for 20 grep -q data: "$T/stream" || die "the stream does not begin: $(cat "$T/stream" "$T/stream.err")"
}
let_go() {
    standin /_release -X POST >/dev/null
    wait "$STREAM_PID"
}
held() { money | cut -d' ' -f2; }

# ---- the wall clock steps by a day, forth and back, under an open hold ----
clock() {
    local faketime pid
    faketime=$(find /usr/lib /usr/local/lib -name libfaketimeMT.so.1 2>/dev/null | head -1)
    case $BUILD in *-asan | *-tsan) faketime= ;; esac # a sanitizer's library must come first
    [ -n "$faketime" ] || { skip "libfaketime is not here, or this is a sanitizer's build: clocks that step are played by tests/unit alone"; return; }
    step() { echo "$1" >"$HOME/.faketimerc"; } # not by a variable: helpers of the agent keep none but HOME and a few
    step +0d
    mkdir -p "$STATE"
    # Programs have the machine's clock, too: certificates are of its time.
    export FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1
    governed() { LD_PRELOAD=$faketime "$TOLLGATE" run --group dev -- "$@"; }
    LD_PRELOAD=$faketime "$BUILD/tollgated" --environment dev --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml" \
        --state "$STATE" --runtime "$T/r/tollgate/dev" --log "$LOG" 2>>"$T/agent.stderr" &
    pid=$!
    wait_for 20 "$TOLLGATE" status || die "the agent does not start: $(tail -5 "$LOG")"
    stream first 100 1000
    is "a hold is open" "$(held)" 0.001
    step +1d
    is "a day ahead: it is neither freed nor kept" "$(held) $(kill -0 "$STREAM_PID" 2>/dev/null && echo running)" "0.001 running"
    let_go
    settled
    is "and is settled as what it cost" "$(money)" "9.999 0 0.001"
    is "the new day has a budget of its own" "$(call second)" 200
    is "once" "$(call third)" 429
    is "what was cached stays valid" "$(call second) $(grep -ci '^cache-status:.*hit' "$T/head")" "200 1"
    step +0d
    is "the clock goes back: nothing is granted twice" "$(call fourth)" 429
    step -1d
    is "nor two days back" "$(call fifth)" 429
    is "the cache answers as before" "$(call second)" 200
    step +2d
    is "the next day that is new has a budget" "$(call sixth)" 200
    step +0d
    settled
    check "the agent stops" "$TOLLGATE" stop
    wait "$pid"
    is "with exit code 0" $? 0
    check "the ledger's audit holds" "$TOLLGATE" audit
    is "three calls were paid, in all" "$(asked)" 3
    governed() { "$TOLLGATE" run -- "$@"; }
}
clock

# ---- no descriptors left ----
sed -i '/^budgets:/,$d' "$T/policy-config.dev.yaml"
agent
pid=$("$TOLLGATE" status --json | json 'd["pid"]')
port=$("$TOLLGATE" status --json | json 'd["port"]')
address=$(governed getent ahostsv4 api.openai.com | awk 'NR == 1 { print $1 }')
call warm >/dev/null
stream long 20000 30
descriptors() { find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l; }
prlimit --pid "$pid" --nofile=$(($(descriptors "$pid") + 12)):
cat >"$T/crowd.py" <<'P'
import socket, sys, time
crowd = [socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) for _ in range(60)]
print("in", flush=True)
sys.stdin.read()
P
mkfifo "$T/leave"
/usr/bin/python3 "$T/crowd.py" "$address" "$port" <"$T/leave" >"$T/crowd" &
crowd=$!
exec 7>"$T/leave"
wait_for 20 grep -q in "$T/crowd"
is_full() { [ "$(descriptors "$pid")" -ge "$(awk '/open files/ { print $4 }' "/proc/$pid/limits")" ] || grep -qiE "descriptor|EMFILE|files" <(tail -n 5 "$LOG"); }
check "no descriptor is left" wait_for 20 is_full
lines=$(grep -c data: "$T/stream")
grows() { [ "$(grep -c data: "$T/stream")" -gt $((lines + 5)) ]; }
check "a stream lives on" wait_for 20 grows
ticks() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }
before=$(ticks) # accepting pauses: it does not try again and again
/usr/bin/python3 -c 'import time; time.sleep(1)'
check "and no processor is burnt" test $(($(ticks) - before)) -lt 50
let_go
has "to its end" "$(tail -n 3 "$T/stream")" "[DONE]"
exec 7>&-
wait "$crowd"
is "when they have left, calls are answered" "$(call after)" 200
settled

# ---- kill -9, and everybody starts it again at once ----
kill -9 "$pid"
wait_for 10 sh -c "! kill -0 $pid 2>/dev/null"
cat >"$T/starts.py" <<'P'
import subprocess, sys
count, command = int(sys.argv[1]), sys.argv[2:]
running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(count)]
said = [(p.communicate()[0].decode(), p.returncode) for p in running]
print(sum(code == 0 for _, code in said), next((text for text, code in said if code), ""))
P
starts=${STARTS:-1000}
began=$(date +%s%N)
result=$(python3 "$T/starts.py" "$starts" "$TOLLGATE" start --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml")
echo "figure parallel_starts_$starts $((($(date +%s%N) - began) / 1000000)) ms"
is "$starts starts at once: each finds an agent" "$(echo $result)" "$starts"
first=$("$TOLLGATE" status --json | json 'd["pid"]')
is "and there is one" "$(grep -l -x -z -F "$STATE" /proc/[0-9]*/cmdline 2>/dev/null | while read -r one; do
    grep -q "^Name:.*tollgated" "${one%cmdline}status" 2>/dev/null && awk '/^PPid:/ { print $2 }' "${one%cmdline}status" 2>/dev/null; done | grep -cvx "$first")" 1
is "on the same port" "$("$TOLLGATE" status --json | json 'd["port"]')" "$port"
kill -9 "$first"
wait_for 10 sh -c "! kill -0 $first 2>/dev/null"
began=$(date +%s%N)
agent
echo "figure ready_after_kill $((($(date +%s%N) - began) / 1000000)) ms"
is "after a kill it is back, and answers" "$(call again)" 200
settled

# ---- files that nothing depends on: damaged, cut, gone ----
standin /_reset -X POST >/dev/null
spent() { money | cut -d' ' -f3; }
damage() { # HOW: of every file below aux/ and cache/
    find "$STATE/aux" "$STATE/cache" -type f 2>/dev/null | while read -r file; do
        case $1 in
        garbage) head -c "$(stat -c %s "$file")" /dev/urandom >"$T/garbage" && cat "$T/garbage" >"$file" ;;
        cut) truncate -s $(($(stat -c %s "$file") / 2)) "$file" ;;
        emptied) : >"$file" ;;
        gone) rm -f "$file" ;;
        esac
    done
}
for how in garbage cut emptied gone; do
    before=$(spent)
    is "$how: an answer before" "$(call "before $how")" 200
    settled
    is "$how: its price was paid" "$(python3 -c "print(round((float('$(spent)') - float('$before')) * 1000))")" 1
    stop_agent
    paid=$(asked)
    check "$how: there is something to damage" sh -c 'find "$1/aux" "$1/cache" -type f -size +0 | grep -q .' sh "$STATE"
    damage $how
    agent
    is "$how: an answer after" "$(call "after $how")" 200
    settled
    is "$how: and its price, once" "$(python3 -c "print(round((float('$(spent)') - float('$before')) * 1000))") $(($(asked) - paid))" "2 1"
    is_told() { [ "$("$TOLLGATE" report all --json | json 'round(float(d["total"]["cost"]) * 1000)')" = "$(python3 -c "print(round(float('$(spent)') * 1000))")" ]; }
    check "$how: reports have what the wallet paid" wait_for 20 is_told
done
stop_agent

# ---- a table of the ledger is gone: nobody serves money without it, nothing is made anew ----
start() { "$TOLLGATE" start --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml" >"$T/out" 2>&1; }
before=$(cd "$STATE/ledger" && echo *.db)
for table in transfers details ids jobs book; do
    mv "$STATE/ledger/$table.db" "$T/kept.db"
    start
    is "without $table.db no agent starts" $? 65
    has "it says which file is missing" "$(cat "$T/out")" "$STATE/ledger: $table.db is missing"
    has "and what to do" "$(cat "$T/out")" "tollgate restore"
    is "an audit says the same" "$("$TOLLGATE" audit 2>&1 | grep -c "$table.db is missing\|tollgate restore")" 2
    mv "$T/kept.db" "$STATE/ledger/$table.db"
done
is "none was made" "$(cd "$STATE/ledger" && echo *.db)" "$before"
mv "$STATE/ledger" "$T/kept"
start
is "nor does one start without the ledger" $? 65
rm -rf "$STATE/ledger"
mv "$T/kept" "$STATE/ledger"
check "with all of them it starts" start
stop_agent
done_playing
