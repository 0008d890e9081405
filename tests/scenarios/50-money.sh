#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Money: a hard stop at zero, refusals in the provider's own shape, holds that become charges, an operator who funds.
. "$(dirname "$0")/lib.sh"
play "a wallet stops the call before it leaves"
provider
policy <<'Y'
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: haiku, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}}
consumer_groups:
  - {name: poor, api_key: kt_cg_poor, wallet_team_id: poor}
  - {name: strict, api_key: kt_cg_strict, wallet_team_id: rich, denied_models: ["claude-*"], max_output_tokens: 7}
wallets:
  - {id: poor, credit: "0.001"}
  - {id: rich, credit: "10"}
# A cheaper target would answer for one that cannot be paid: here the refusal is what is looked at.
cost_tracking: {clamp: false, cheaper_target: false}
Y
agent

GROUP=poor
# 1000 output tokens at 1.25 USD per million are 0.00125 USD: more than the wallet has
answer=$(openai "$(openai_body gpt-5.4-nano hi ',"max_tokens":1000')" -w '\n%{http_code}')
is "OpenAI: 429" "$(tail -1 <<<"$answer")" 429
body=$(head -1 <<<"$answer")
is "OpenAI: insufficient_quota" "$(json 'd["error"]["type"]+" "+d["error"]["code"]' <<<"$body")" "insufficient_quota project_spend_limit_exceeded"
has "the message names the wallet" "$body" "poor"
has "and what is left" "$body" "0.001"
has "and the command that helps" "$body" "tollgate wallet fund"
has "and the event" "$body" "tollgate why"
answer=$(anthropic "$(anthropic_body claude-haiku-4-5)" -w '\n%{http_code}')
is "Anthropic: 402 billing_error" "$(tail -1 <<<"$answer") $(head -1 <<<"$answer" | json 'd["type"]+" "+d["error"]["type"]')" "402 error billing_error"
headers=$(openai "$(openai_body gpt-5.4-nano hi ',"max_tokens":1000,"stream":true')" -D - -o /dev/null)
has "a refused stream is plain JSON" "$headers" "content-type: application/json"
has "and final" "$headers" "x-should-retry: false"
is "the provider was never asked" "$(standin /_bill | json 'len(d)')" 0
is "nothing is held or spent" "$(money poor)" "0.001 0 0"
check "a small call fits" sh -c 'echo "$1" | grep -q chat.completion' sh "$(openai "$(openai_body gpt-5.4-nano hi ',"max_tokens":20')")"
settled poor
before=$(money poor | cut -d' ' -f1)
check "the operator funds" "$TOLLGATE" wallet fund poor 1.000000001 --note "more for tests"
is "to the nano" "$(python3 -c "from decimal import Decimal as D; print(D('$(money poor | cut -d' ' -f1)') - D('$before') == D('1.000000001'))")" True
check "now the large one fits" sh -c 'echo "$1" | grep -q chat.completion' sh "$(openai "$(openai_body gpt-5.4-nano hi ',"max_tokens":1000')")"
for bad in -1 0 1.0000000001 1e3 99999999999999999999 abc ''; do
    if "$TOLLGATE" wallet fund poor -- "$bad" >/dev/null 2>"$T/err"; then not_ok "fund '$bad' is refused"; else ok "fund '$bad' is refused"; fi
done
if "$TOLLGATE" wallet fund nobody 5 >/dev/null 2>&1; then not_ok "an unknown wallet is not made by a slip"; else ok "an unknown wallet is not made by a slip"; fi

GROUP=strict
answer=$(anthropic "$(anthropic_body claude-haiku-4-5)" -w '\n%{http_code}')
is "a denied model: 403 permission_error" "$(tail -1 <<<"$answer") $(head -1 <<<"$answer" | json 'd["error"]["type"]')" "403 permission_error"
has "that names the rule" "$answer" denied_models
openai "$(openai_body gpt-5.4-nano 'count [[tokens=50]]')" >"$T/out"
is "max_output_tokens bounds the answer" "$(json 'd["usage"]["completion_tokens"]' <"$T/out")" 7
is "the program's own key names no group" "$(governed curl -sS -o /dev/null -w '%{http_code}' https://api.openai.com/v1/models -H 'authorization: Bearer kt_cg_nobody')" 401

settled rich && settled poor
spent=$("$TOLLGATE" wallet list --json | json 'str(sum(round(float(w["spent"])*1e9) for w in d["wallets"]))')
check "something was spent" test "${spent:-0}" -gt 0
is "what wallets spent is what events charged" "$(events | json 'str(sum(round(float(e["charge"])*1e9) for e in d["events"]))')" "$spent"
is "one agent all along" "$(grep -c 'agent ready' "$T/s/tollgate/dev/agent.log")" 1
stop_agent
agent
is "balances outlive the agent" "$(python3 -c "print($(money poor | cut -d' ' -f1) > 1)")" True
stop_agent
done_playing
