#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The agent under load from all sides at once, made for the sanitizer builds: every kind of client (also those that leave,
# half-close, or cannot pay), every kind of provider fault, reloads, an operator at work, and an end in the midst of it.
# Whatever happens: each answer is whole or a clean error, and the money adds up to the nano.
. "$(dirname "$0")/lib.sh"
play "load, faults, reloads, and an end under load"
ENVIRONMENT=prod
export TOLLGATE_STATE_DIR=$T/ps TOLLGATE_RUNTIME_DIR=$T/pr
mkdir -m 700 "$T/ps"
mkdir -m 755 "$T/pr"
provider
policy <<'Y'
providers:
  # Each fault must come from its provider, and each call reach it: a target that rests would hide both.
  routing: {circuit_breaker: {enabled: false}}
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}, pricing: {input: 1, output: 10}}
    - {id: haiku, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}, pricing: {input: 1, output: 10}}
consumer_groups:
  - {name: load, api_key: kt_cg_load, wallet_team_id: load, default: true}
  - {name: poor, api_key: kt_cg_poor, wallet_team_id: poor}
wallets:
  - {id: load, credit: "1000"}
  - {id: poor, credit: "0.001"}
limits: {loops: 4, drain_timeout_ms: 4000}
Y
cp "$T/policy-config.prod.yaml" "$T/one"
sed 's/id: haiku/id: haiku-two/' "$T/one" >"$T/two"

# Our own child, so that its exit code is seen; the rest of the vocabulary finds it by its directories.
serve() {
    "$BUILD/tollgated" --environment prod --policy "$T/policy-config.prod.yaml" --providers "$T/providers.yaml" \
        --state "$TOLLGATE_STATE_DIR" --runtime "$TOLLGATE_RUNTIME_DIR" --log "$T/s/agent.log" 2>>"$T/agent.stderr" &
    AGENT_PID=$!
    wait_for 20 "$TOLLGATE" status --env prod || die "the agent does not start: $(cat "$T/agent.stderr")"
}

# What the agent has open, but for the connections to the provider that libcurl keeps.
count_fds() {
    python3 - "$AGENT_PID" "$PROVIDER_PORT" <<'P'
import collections, os, re, sys
kept = set()
for line in open("/proc/net/tcp").read().splitlines()[1:]:
    fields = line.split()
    if int(fields[2].split(":")[1], 16) == int(sys.argv[2]):
        kept.add(f"socket:[{fields[9]}]")
links = collections.Counter()
for name in os.listdir(f"/proc/{sys.argv[1]}/fd"):
    try:
        link = os.readlink(f"/proc/{sys.argv[1]}/fd/{name}")
    except FileNotFoundError:
        continue
    if link not in kept:
        links[re.sub(r"\d+", "", link)] += 1
print(links.total(), *sorted(f"{link}={count}" for link, count in links.items()))
P
}
has_few_fds() { [ "$(count_fds | cut -d" " -f1)" -le "$1" ]; }
holds_nothing() { [ "$("$TOLLGATE" wallet list --env prod --json | json 'sum(float(w["held"]) for w in d["wallets"])')" = 0.0 ]; }

# One of those that work while the load runs: repeats a command until the load is over, counts what fails.
while_loaded() {
    local name=$1 pause=$2
    shift 2
    (
        while [ -e "$T/loaded" ]; do
            "$@" >"$T/$name.out" 2>"$T/$name.err" || { head -c 300 "$T/$name.err" && echo "$name failed"; } >>"$T/side.failed"
            echo >>"$T/$name.count"
            sleep "$pause"
        done
    ) &
    SIDE_PIDS+=($!)
}
swap_policy() {
    cp "$T/$(if [ $((RANDOM % 2)) = 0 ]; then echo one; else echo two; fi)" "$T/fresh"
    mv "$T/fresh" "$T/policy-config.prod.yaml"
}
reload_policy() { swap_policy && "$TOLLGATE" reload --env prod; }
call_governed() {
    governed sh -c 'curl -sS --max-time 60 https://api.openai.com/v1/chat/completions -H "authorization: Bearer $OPENAI_API_KEY" -H "content-type: application/json" -d "$1"' sh "$(openai_body gpt-5.4-nano)" |
        grep -q chat.completion
}
follow_events() { timeout 2 "$TOLLGATE" events --env prod --follow --json || [ $? = 124 ]; }
clients() { python3 "$ROOT/tests/scenarios/90-load-clients.py" "$1" "$TOLLGATE_RUNTIME_DIR" "$2" "$3" "$T/$1.json"; }

serve
call_governed || not_ok "a first call" "$(cat "$T/s/agent.log")"
check "a first round, until each loop has what it keeps" clients load 2 10
wait_for 10 holds_nothing
read -r fds opened < <(count_fds)
SIDE_PIDS=()
touch "$T/loaded"
while_loaded reload 0.2 reload_policy
while_loaded hangup 0.3 kill -HUP "$AGENT_PID"
while_loaded fund 0.1 "$TOLLGATE" wallet fund load 0.000000001 --env prod --note load
while_loaded events 0.1 "$TOLLGATE" events --env prod --limit 20 --json
while_loaded follow 0.1 follow_events
while_loaded wallets 0.1 "$TOLLGATE" wallet list --env prod --json
while_loaded governed 1 call_governed
check "32 clients at once" clients load 17 25
rm "$T/loaded"
wait "${SIDE_PIDS[@]}"
is "reloads, the operator and governed programs work meanwhile" "$(head -c 1500 "$T/side.failed" 2>/dev/null)" ""
for side in reload fund events wallets governed follow; do
    check "  $side: $(wc -l <"$T/$side.count") times" test "$(wc -l <"$T/$side.count")" -gt 0
done
problems='[r for r in d if r.get("problem")][:5] or ""'
is "each answer is whole, or the clean error it should be" "$(json "$problems" <"$T/load.json")" ""
echo "# $(json 'len(d), "requests", sum(1 for r in d if r.get("whole")), "whole answers"' <"$T/load.json")"
check "every kind of client had its turn" [ "$(json 'len({(r["dialect"], r["text"], r["stream"]) for r in d})' <"$T/load.json")" -ge 30 ]
if ! kill -0 "$AGENT_PID"; then
    wait "$AGENT_PID"
    not_ok "the agent lives" "exit code $?; $(head -c 4000 "$T/agent.stderr")"
    done_playing
fi
check "nothing is held any more" wait_for 10 holds_nothing
wait_for 5 has_few_fds "$fds" || not_ok "its descriptors are back to $fds" "it had $opened, has $(count_fds)"
echo "# $(count_fds | cut -d' ' -f1) descriptors"

clients drain 20 30 &
load=$!
wait_for 20 sh -c 'curl -sS --cacert "$0" "https://127.0.0.1:$1/_stats" | grep -q "\"in_flight\": *[1-9][0-9]"' "$T/provider-ca.pem" "$PROVIDER_PORT"
kill -TERM "$AGENT_PID"
wait "$AGENT_PID"
is "stopped under load, the agent's exit code is 0" $? 0
wait "$load"
is "what was under way ended whole, or visibly broken" "$(json "$problems" <"$T/drain.json")" ""
check "some of it ended whole after the signal" [ "$(json 'sum(1 for r in d if r.get("whole"))' <"$T/drain.json")" -gt 0 ]
check "the ledger's audit holds" "$TOLLGATE" audit --env prod

serve
is "no hold was left to recover" "$(grep -c 'open holds settled at start' "$T/s/agent.log")" 0
check "nothing is held after the restart" holds_nothing
events >"$T/events.json"
"$TOLLGATE" wallet list --env prod --json >"$T/wallets.json"
standin /_bill >"$T/bill.json"
cat >"$T/sums.py" <<'P'
import json, sys
from decimal import Decimal
directory = sys.argv[1]
load = lambda name: json.load(open(f"{directory}/{name}.json"))
nano = lambda text: int(Decimal(text) * 10**9)
events = {event["id"]: event for event in load("events")["events"]}
spent = sum(nano(wallet["spent"]) for wallet in load("wallets")["wallets"])
charged = sum(nano(event["charge"]) for event in events.values())
price = lambda row: row["usage"]["fresh"] * 1000 + row["usage"]["out"] * 10000
bill = [row for row in load("bill") if row["status"] == 200]
completed = sum(price(row) for row in bill if row["completed"])
by_tag = {row["tag"]: row for row in bill if row["tag"]}
print(f"# {len(events)} events; spent {spent}, charged {charged}, billed {sum(map(price, bill))}, completed {completed} nano",
      file=sys.stderr)
wrong = [] if len(events) < 1000 else ["too many events to see them all"]
if spent != charged:
    wrong.append(f"spent {spent} is not charged {charged}")
if spent < completed:
    wrong.append(f"spent {spent} is less than the bill {completed}")
for row in load("load") + load("drain"):
    billed = by_tag.get(row["tag"])
    if not row.get("whole") or row.get("status") != 200:
        continue
    charge = nano(events[row["id"]]["charge"])
    if charge != max(1, price(billed)):
        wrong.append(f"{row}: charged {charge}, billed {price(billed)}")
print("\n".join(wrong[:5]))
P
is "spent = charged, call for call what the provider billed" "$(python3 "$T/sums.py" "$T" || echo "sums.py failed")" ""
kill -TERM "$AGENT_PID"
wait "$AGENT_PID"
is "the idle agent's exit code is 0" $? 0
check "the ledger's audit holds" "$TOLLGATE" audit --env prod
reports=$(cat "$T/agent.stderr" "$T/s/agent.log" "$T/ps"/*.stderr 2>/dev/null | grep -nE -A30 'Sanitizer|runtime error:|check failed' | head -n "${REPORT_LINES:-120}")
is "no sanitizer has anything to say" "$reports" ""
done_playing
