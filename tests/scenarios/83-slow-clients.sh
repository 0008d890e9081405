#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Slow clients of the four kinds of slowhttptest (headers, body, reading, ranges), 300 at a time, from the same user: the
# p99 of everybody else's requests stays within twice what it is without them. By a client of our own, and by
# slowhttptest where it is installed.
#
# What protects others: no connection has a thread, so who waits costs memory alone; a head must be there in 10 s
# (limits.head_timeout_ms), a body or a reader may pause for 30 s; what a reader does not take is bounded, and then the
# provider is not read. connections_per_uid_max keeps places for other users; a user's own programs share his.
. "$(dirname "$0")/lib.sh"
case $BUILD in *-asan | *-tsan)
    skip "ratios of times say nothing of a build with sanitizers; their bytes are 80's and 90's"
    exit 77
    ;;
esac
play "slow clients"
ulimit -Sn "$(ulimit -Hn)" 2>/dev/null
provider
policy < <(sed '/^cache:/,/^[^ ]/s/enabled: true/enabled: false/' "$ROOT/policies/policy-config.dev.yaml")
agent
"$TOLLGATE" wallet fund team_product_dev 1000000 --env dev >/dev/null 2>&1
R=$T/r/tollgate/dev
KEY=$(governed printenv OPENAI_API_KEY)
ATTACKERS=${ATTACKERS:-300} ROUNDS=3
CLIENT="python3 $ROOT/tests/scenarios/83-slow-clients.py"
pid=$("$TOLLGATE" status --json | json 'd["pid"]')
rss() { awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$pid/status"; }
memory_before=$(rss)

within() { awk -v ratio="$1" 'BEGIN { exit !(ratio <= 2.0) }'; }
measure() { timeout 400 $CLIENT measure "$R" "$KEY" $ATTACKERS $ROUNDS >"$T/ratios" 2>"$T/ratios.err"; }
all_within() { awk '$3 > 2.0 { bad = 1 } END { exit bad || NR != 4 }' "$T/ratios"; }
measure && { all_within || measure; } # a machine that does something else meanwhile: once more
is "four kinds were measured" "$(awk '{ print $2 }' "$T/ratios" | tr '\n' ' ')$(tail -3 "$T/ratios.err")" "headers body read range "
while read -r _ kind ratio _ quiet _ attacked _ held; do
    echo "figure slow_${kind}_p99_ratio $ratio ratio"
    check "slow $kind: the p99 of others is within twice (x $ratio: $quiet ms, with $held slow ones $attacked ms)" within "$ratio"
    check "slow $kind: they were there ($held of $ATTACKERS)" [ "$held" -ge $((ATTACKERS * 9 / 10)) ]
done <"$T/ratios"
echo "figure slow_rss_mib_more $(($(rss) - memory_before)) MiB"

# It says so every five seconds, in colours; its requests with ranges have their answers, and are gone, before
# it says anything.
is_at_work() { sed 's/\x1b\[[0-9;]*[mHJ]//g' "$1" | grep -qE '^(connected|closed): +[1-9][0-9][0-9]|^Exit status: No open connections left'; }

# The same by slowhttptest: its own connections, its own pace. It resolves the name, so it is governed.
if command -v slowhttptest >/dev/null; then
    while read -r kind options; do
        ratio=
        for _ in 1 2 3 4; do # both anew: what others do on the machine in between is in one of them alone
            quiet=$($CLIENT probe "$R" "$KEY" 250)
            # shellcheck disable=SC2086
            governed slowhttptest $options -c 300 -r 150 -l 20 -p 5 -u https://api.openai.com/v1/chat/completions >"$T/slow.$kind" 2>&1 &
            tool=$!
            wait_for 15 is_at_work "$T/slow.$kind"
            attacked=$($CLIENT probe "$R" "$KEY" 250)
            kill "$tool" 2>/dev/null
            wait "$tool" 2>/dev/null
            ratio=$(awk -v a="$attacked" -v q="$quiet" 'function floor(x) { return x < 10 ? 10 : x } BEGIN { printf "%.2f", floor(a) / floor(q) }')
            within "$ratio" && break
        done
        echo "figure slowhttptest_${kind}_p99_ratio $ratio ratio"
        check "slowhttptest $kind: within twice (x $ratio: $quiet ms, $attacked ms)" within "$ratio"
        check "slowhttptest $kind: it was at work" is_at_work "$T/slow.$kind"
    done <<'KINDS'
headers -H -i 1 -t POST
body -B -i 1 -s 8192
read -X -w 10 -y 20 -n 1 -z 5 -k 3
range -R -a 5 -b 1300 -t GET
KINDS
else
    skip "slowhttptest is not installed: our own client alone"
fi

has "afterwards all is as before" "$(openai "$(openai_body)")" '"chat.completion"'
settled
is "nothing is held" "$(money | cut -d' ' -f2)" 0
stop_agent
done_playing
