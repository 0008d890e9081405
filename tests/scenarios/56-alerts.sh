#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Alerts: each threshold once, across restarts, to the log, to a command that knows no secret, and to a webhook that is
# signed and tried again under the same id. What cannot be delivered holds up nothing, and is given at the next start.
. "$(dirname "$0")/lib.sh"
play "who is told when money goes"
provider
export ALERT_SECRET=whsec-0123456789abcdef
leave() { # also after die: end_play goes by the exit code
    local code=$1
    [ -n "${RECEIVER_PID:-}" ] && kill "$RECEIVER_PID" 2>/dev/null
    return "$code"
}
trap 'leave $?; end_play' EXIT
receiver() { # FAILURES: how many posts it answers with 500 first
    rm -f "$T/receiver.port"
    python3 "$ROOT/tests/scenarios/56-receiver.py" "$T/posts" "$1" "${RECEIVER_PORT:-0}" >"$T/receiver.port" 2>"$T/receiver.err" &
    RECEIVER_PID=$!
    wait_for 10 test -s "$T/receiver.port" || die "the receiver does not start: $(cat "$T/receiver.err")"
    RECEIVER_PORT=$(cat "$T/receiver.port")
}
cat >"$T/command" <<'S'
#!/bin/sh
cd "$(dirname "$0")" && { cat; echo; } >>alerts && env >>alerts.environment
echo noise; echo noise >&2
S
cat >"$T/hang" <<'S'
#!/bin/sh
echo started >>"$(dirname "$0")/hung"
sleep 600
S
chmod +x "$T/command" "$T/hang"
receiver 2

write_policy() { # COMMAND [TIMEOUT_MS]
    policy <<Y
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
consumer_groups:
  - {name: team, api_key: kt_cg_team, wallet_team_id: team}
wallets:
  - {id: team, credit: "1", low_balance: "0.9985"}
budgets:
  - {id: month, amount: "0.01", scope: {wallet: team}, alerts: [25, 50, 75, 100]}
alerts:
  command: ["$1", "an argument"]
  command_timeout_ms: ${2:-60000}
  webhook:
    {url: "http://127.0.0.1:$RECEIVER_PORT/hook/sesame", local: true, secret_key_ref: {env: ALERT_SECRET}, timeout_ms: 5000, tries_max: 4}
Y
}
write_policy "$T/command"
agent
GROUP=team
# 2000 tokens of output are 0.0025 USD: a quarter of the budget
spend() { openai "$(openai_body gpt-5.4-nano 'count [[tokens=2000]]' ',"max_tokens":2000')" >"$T/out"; settled team; }
accepted() { python3 - "$T/posts" "$1" <<'P'
import json, os, sys
d = [json.loads(line) for line in open(sys.argv[1])] if os.path.exists(sys.argv[1]) else []
print(eval(sys.argv[2]))
P
}
told() { [ "$(accepted 'sum(r["status"] == 200 for r in d)')" -ge "$1" ]; }
wait_told() { wait_for 30 told "$1" || not_ok "the webhook is told $1 times" "$(tail -c 300 "$T/posts")"; }
commands() { python3 - "$T/alerts" "$1" <<'P'
import json, sys
d = [json.loads(line) for line in open(sys.argv[1]) if line.strip()]
print(eval(sys.argv[2]))
P
}
logged() { grep -c "warning alert \[$1\]" "$T/s/tollgate/dev/agent.log"; }

spend
wait_told 2 # the budget's quarter, the low wallet
is "the first quarter: one alert of the budget" "$(logged budget:month)" 1
is "and one of the wallet" "$(logged low_balance:team)" 1
is "the webhook was tried again until it took it" "$(accepted 'sorted(r["status"] for r in d)')" "[200, 200, 500, 500]"
is "every try signed over time and body" "$(accepted 'all(r["is_signed"] for r in d)')" True
is "a repeated try has the same delivery id" "$(accepted 'len({r["delivery"] for r in d})')" 2
is "which is the alert's" "$(accepted 'all(r["delivery"] == r["body"]["id"] for r in d)')" True
is "not the same time for ever" "$(accepted 'all(abs(r["received"] - r["time"]) < 60 for r in d)')" True
told_both() { grep -q month "$T/alerts" && grep -q low_balance "$T/alerts" && grep -q THRESHOLD=25 "$T/alerts.environment"; }
wait_for 10 told_both
is "the command got it as JSON" "$(commands '[(a["kind"], a["budget"], a["threshold"], a["limit"], a["environment"]) for a in d if a["kind"] == "budget"]')" "[('budget', 'month', '25', '0.01', 'dev')]"
is "with what was spent" "$(commands '[float(a["spent"]) >= 0.0025 for a in d if a["kind"] == "budget"]')" "[True]"
is "and of the wallet" "$(commands '[(a["wallet"], a["limit"], "fund" in a["hint"]) for a in d if a["kind"] == "low_balance"]')" "[('team', '0.9985', True)]"
has "and a few variables" "$(cat "$T/alerts.environment")" "TOLLGATE_ALERT_KIND=budget"
has "the threshold too" "$(cat "$T/alerts.environment")" "TOLLGATE_ALERT_THRESHOLD=25"
lacks "no key is in its environment" "$(cat "$T/alerts.environment")" "sk-test"
lacks "nor the webhook's" "$(cat "$T/alerts.environment")" "whsec"
helper=$(pgrep -P "$("$TOLLGATE" status --json | json 'd["pid"]')" | head -1)
lacks "nor in the helper's, as /proc shows it" "$(tr '\0' '\n' <"/proc/$helper/environ" 2>&1)" "sk-test"
lacks "no secret is in the log" "$(cat "$T/s/tollgate/dev/agent.log")" whsec
lacks "nor the address's token" "$(cat "$T/s/tollgate/dev/agent.log")" sesame

spend
wait_told 3
is "half: the next one, and only it" "$(accepted '[r["body"]["threshold"] for r in d if r["status"] == 200 and r["body"]["kind"] == "budget"]')" "['25', '50']"
stop_agent
agent
"$TOLLGATE" wallet fund team 0.000000001 >/dev/null # wakes the look
wait_told 4
is "a restart repeats nothing but what funding armed" "$(accepted '[r["body"]["threshold"] for r in d if r["status"] == 200][-1]')" low_balance
is "the budget's are not given again" "$(logged budget:month)" 2

kill "$RECEIVER_PID" && wait "$RECEIVER_PID" 2>/dev/null
write_policy "$T/hang" 3000
check "a command that hangs, a receiver that is gone" "$TOLLGATE" reload
spend
is "calls go on meanwhile" "$(json 'd["object"]' <"$T/out")" chat.completion
wait_for 30 grep -q "did not end in time and was killed" "$T/s/tollgate/dev/agent.log" || not_ok "a hanging command is killed"
wait_for 60 grep -q "webhook: .*given up until the next start" "$T/s/tollgate/dev/agent.log" || not_ok "a dead receiver is given up"
wait_for 30 grep -q "command: .*given up until the next start" "$T/s/tollgate/dev/agent.log" || not_ok "a hanging command is given up"
is "after as many tries as it may have" "$(grep -c 'webhook: ' "$T/s/tollgate/dev/agent.log")" $((2 + 4))
is "three commands, none of them left" "$(wc -l <"$T/hung") $(pgrep -fc "$T/hang")" "3 0"
has "the doctor says so" "$("$TOLLGATE" doctor)" "1 could not be delivered"
lacks "still no token in the log" "$(cat "$T/s/tollgate/dev/agent.log")" sesame
stop_agent
receiver 0
write_policy "$T/command"
agent
wait_told 5
is "what was not delivered comes at the next start" "$(accepted '[(r["body"]["budget"], r["body"]["threshold"]) for r in d][-1]')" "('month', '75')"
is "to the command too" "$(wait_for 10 grep -q '"threshold":"75"' "$T/alerts" && commands '[a["threshold"] for a in d].count("75")')" 1
stop_agent
agent
spend
wait_told 6
is "delivered is delivered" "$(accepted '[r["body"]["threshold"] for r in d if r["status"] == 200 and r["body"]["kind"] == "budget"]')" "['25', '50', '75', '100']"
helper=$(pgrep -P "$("$TOLLGATE" status --json | json 'd["pid"]')" | head -1)
kill -9 "$("$TOLLGATE" status --json | json 'd["pid"]')"
check "the helper dies with its agent" wait_for 10 sh -c "! kill -0 $helper"
agent
stop_agent
kill "$RECEIVER_PID" 2>/dev/null && wait "$RECEIVER_PID" 2>/dev/null
done_playing
