#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Metrics: the text is well-formed and follows the conventions, counters are what the events and the ledger say, a model's
# name can be anything, the number of series is bounded; the port wants its token and is no browser's.
. "$(dirname "$0")/lib.sh"
play "metrics: what Prometheus reads, and who may"

metrics_of() { curl -sS --max-time 10 --unix-socket "$T/r/tollgate/dev/$1" http://agent/metrics; }
sum_of() { metrics_of report.sock | python3 "$ROOT/tests/scenarios/76-exposition.py" --sum "$@"; }
ask_port() { curl -sS --max-time 10 -o "$T/port.out" -w '%{http_code}' "http://127.0.0.1:$PORT${ASKED:-/metrics}" "$@"; }

provider
PORT=$(free_port)
(umask 077; echo metrics-token-0123456789 >"$T/metrics.token")
sed 's/^  targets:$/&\n    - {id: spare, provider: openai, model: gpt-5.4-mini-mini, secret_key_ref: {env: OPENAI_API_KEY}}/' \
    "$ROOT/policies/policy-config.dev.yaml" >"$T/policy-config.dev.yaml"
cat >>"$T/policy-config.dev.yaml" <<YAML
evidence:
  metrics: {enabled: true, port: $PORT, secret_key_ref: {file: metrics.token}}
budgets:
  - {id: watch, amount: 50}
YAML
agent

# ---- the text ----
check "an agent that has seen nothing has well-formed metrics" \
    bash -c "$(declare -f metrics_of); metrics_of report.sock | python3 '$ROOT/tests/scenarios/76-exposition.py'"
for i in 1 2 3; do openai "$(openai_body gpt-5.4-mini-mini "call $i")" >/dev/null; done
openai "$(openai_body gpt-5.4-mini-mini "call 1")" >/dev/null # from the cache
anthropic "$(anthropic_body)" >/dev/null
standin /_script -d '[{"match":{"model":"gpt-5.4-mini-mini","every":2},"fault":"drop"}]' >/dev/null
for i in 4 5; do openai "$(openai_body gpt-5.4-mini-mini "call $i")" >/dev/null; done # one goes to the other target, too: both cost
standin /_script -d '[]' >/dev/null
openai '{"model":"odd \"name\\ \n of a model","messages":[]}' >/dev/null
openai '{"model":' >/dev/null
settled
check "after calls they are well-formed, too" \
    bash -c "$(declare -f metrics_of); metrics_of report.sock | python3 '$ROOT/tests/scenarios/76-exposition.py'"
metrics_of admin.sock >"$T/metrics.txt"
has "the admin socket serves them, too" "$(cat "$T/metrics.txt")" "tollgate_build_info{version="
has "the type is that of the format" \
    "$(curl -sSi --unix-socket "$T/r/tollgate/dev/report.sock" http://agent/metrics | tr -d '\r' | grep -i ^content-type)" \
    "text/plain; version=0.0.4"
if command -v promtool >/dev/null; then
    check "promtool finds nothing to say" bash -c "promtool check metrics <'$T/metrics.txt' 2>&1 | { ! grep .; }"
else
    echo "SKIP promtool is not installed: its check of the metrics"
fi

# ---- the figures ----
is "every event is counted" "$(sum_of tollgate_requests_total)" "$(event_count)"
is "the cost is what the ledger says, to the nano-dollar" "$(sum_of tollgate_cost_usd_total)" "$(wallet_json | json 'd["spent"]')"
is "which a try that failed adds to" "$(events | json 'any(len(e["attempts"]) > 1 and float(e["attempts"][0]["charge"]) > 0 for e in d["events"])')" True
is "the wallet's balance, too" "$(sum_of tollgate_wallet_available_usd wallet=team_product_dev)" "$(wallet_json | json 'd["available"]')"
is "the cached answer is one" "$(sum_of tollgate_requests_total outcome=cached)" 1
is "and one hit of the cache" "$(sum_of tollgate_cache_lookups_total result=hit)" 1
is "input tokens are those of the events" "$(sum_of tollgate_tokens_total bucket=input)" \
    "$(events | json 'sum((of.get("tokens") or {}).get("input", 0) for e in d["events"] for of in [e, *e["attempts"][:-1]])')"
is "the budget's use is the cost" "$(sum_of tollgate_budget_used_usd budget=watch)" "$(sum_of tollgate_cost_usd_total)"
check "holds are at least the charges" python3 -c "import sys; sys.exit(float('$(sum_of tollgate_held_usd_total)') < float('$(sum_of tollgate_cost_usd_total)'))"
is "overhead is known of every call" "$(sum_of tollgate_overhead_seconds_count)" "$(event_count)"
is "and of each in its event, less than it took" "$(events | json 'all(0 <= e["overhead_us"] <= e["duration_us"] for e in d["events"])')" True
has "which why tells" "$(why_last)" "of which ours"
check "the ledger's commits are timed" [ "$(sum_of tollgate_ledger_commit_seconds_count)" -gt 0 ]
check "a target's breaker has one state" python3 -c "
import sys
sys.exit('$(sum_of tollgate_target_breaker_state)' != '$(sum_of tollgate_target_breaker_state state=closed)')"

# ---- bounded ----
governed python3 - <<'PY' >/dev/null
import http.client, json, os, ssl
connection = http.client.HTTPSConnection("api.openai.com")
for i in range(700):
    body = json.dumps({"model": f"text-embedding-3-small-{i}", "input": "x"}) # a target's key, but the program's model
    connection.request("POST", "/v1/embeddings", body, {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "content-type": "application/json"})
    connection.getresponse().read()
PY
settled
is "700 models that a program invents are 500 series, and one for the others" \
    "$(metrics_of report.sock | grep -c '^tollgate_held_usd_total')" 501
is "nothing is lost by that" "$(sum_of tollgate_requests_total)" "$(curl -sS --unix-socket "$T/r/tollgate/dev/report.sock" 'http://agent/v1/report?period=all' | json 'd["total"]["calls"]')"
is "nor money" "$(sum_of tollgate_cost_usd_total)" "$(wallet_json | json 'd["spent"]')"

# ---- the port ----
AUTH="authorization: Bearer metrics-token-0123456789"
is "with the token the port serves them" "$(ask_port -H "$AUTH")" 200
check "and they are well-formed" python3 "$ROOT/tests/scenarios/76-exposition.py" <"$T/port.out"
is "without it it does not" "$(ask_port)" 401
is "with another one neither" "$(ask_port -H 'authorization: Bearer metrics-token-0123456780')" 401
is "with a part of it neither" "$(ask_port -H 'authorization: Bearer metrics-token-012345678')" 401
is "an Origin is refused, even with the token" "$(ask_port -H "$AUTH" -H 'origin: http://evil.example')" 403
is "a Host that is another's is refused (DNS rebinding)" "$(ask_port -H "$AUTH" -H 'host: evil.example')" 403
is "localhost with the port is this one" "$(ask_port -H "$AUTH" -H "host: localhost:$PORT")" 200
for ASKED in /v1/events /v1/wallets /v1/stop /; do
    is "the port has no $ASKED" "$(ask_port -H "$AUTH")" 404
done
ASKED=/metrics
is "nor does it take orders" "$(ask_port -H "$AUTH" -X POST -d x)" 404
lacks "no answer has a field of CORS" "$(curl -sSi -H "$AUTH" "http://127.0.0.1:$PORT/metrics" | head -12)" -llow-
(umask 077; echo another-token-9876543210 >"$T/metrics.token")
"$TOLLGATE" reload >/dev/null
is "after a reload the old token is none" "$(ask_port -H "$AUTH")" 401
is "and the new one is" "$(ask_port -H "authorization: Bearer another-token-9876543210")" 200
lacks "no token in the log" "$(cat "$T"/s/tollgate/dev/agent.log)" token-

# ---- the setting ----
cat >"$T/no-token.dev.yaml" <<YAML
consumer_groups: [{name: g, api_key: kt_cg_g, wallet_team_id: w}]
evidence: {metrics: {enabled: true}}
YAML
"$TOLLGATE" check "$T/no-token.dev.yaml" >"$T/check.out" 2>&1
is "a port without a token is a mistake of the policy" $? 65
has "which says what is missing" "$(cat "$T/check.out")" secret_key_ref
LOG=$T/s/tollgate/dev/agent.log
before=$(grep -c 'without its token' "$LOG")
is "who has no token is refused, as often as he asks" "$(python3 "$ROOT/tests/scenarios/74-crowd.py" unscraped "$PORT" 400)" 401
check "the log tells most of it by numbers" test $(($(grep -c 'without its token' "$LOG") - before)) -lt 200
has "and says how many" "$(grep 'without its token' "$LOG")" "refusals that were not said"
# Whoever holds connections to the port gives way to who comes to scrape.
is "a crowd at the port shuts nobody out" "$(python3 "$ROOT/tests/scenarios/74-crowd.py" held "$PORT" another-token-9876543210)" "200 100"
stop_agent
done_playing
