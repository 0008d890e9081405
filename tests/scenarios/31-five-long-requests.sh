#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Others charge after the answer: five long requests against a wallet that pays for three all passed, and it went below 0.
. "$(dirname "$0")/lib.sh"
play "five long requests, and money for three"
provider
policy <<'Y'
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}, pricing: {input: 0, cache_read: 0, cache_write: 0, cache_write_1h: 0, output: 10}}
    - {id: haiku, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}, pricing: {input: 0, cache_read: 0, cache_write: 0, cache_write_1h: 0, output: 10}}
consumer_groups:
  - {name: three, api_key: kt_cg_three, wallet_team_id: three}
  - {name: other, api_key: kt_cg_other, wallet_team_id: other}
wallets:
  - {id: three, credit: "0.0015"}
  - {id: other, credit: "0.001799999"}
cost_tracking: {clamp: false}
Y
agent
at_once() { note_events; governed python3 "$ROOT/tests/scenarios/30-at-once.py" "$@"; }
held() { standin /_stats | json 'd["held"]'; }
has_held() { [ "$(held)" = "$1" ]; }

# 50 tokens at 10 USD per million: 0.0005 USD. The provider answers none of them before it is told to.
GROUP=three
at_once openai 5 "$(openai_body gpt-5.4-nano '[[tokens=50]] [[hold=1]]' ',"max_tokens":50,"stream":true')" >"$T/five" &
five=$!
check "three reach the provider" wait_for 20 has_held 3
is "their money is held, nothing is left" "$(money three)" "0 0.0015 0"
is "a sixth is refused while they run" "$(openai "$(openai_body gpt-5.4-nano '[[tokens=1]]' ',"max_tokens":1')" -o /dev/null -w '%{http_code}')" 429
is "no fourth is on its way" "$(held)" 3
standin /_release -X POST >/dev/null
wait $five
is "three are answered, two refused" "$(cat "$T/five")" "200:3 429:2"
settled three
is "and all of it is spent" "$(money three)" "0 0 0.0015"

# Anthropic, JSON, answers shorter than asked for: what comes back pays for a fourth, but only once it came back.
GROUP=other
anthropic_at_once() { at_once anthropic "$1" '{"model":"claude-haiku-4-5","max_tokens":50,"messages":[{"role":"user","content":"[[tokens=10]] [[hold=1]]"}]}'; }
anthropic_at_once 5 >"$T/five" &
five=$!
check "three reach the provider" wait_for 20 has_held 3
is "the rest pays for no fourth" "$(money other)" "0.000299999 0.0015 0"
standin /_release -X POST >/dev/null
wait $five
is "three are answered, two refused" "$(cat "$T/five")" "200:3 402:2"
settled other
is "what was not used came back" "$(money other)" "0.001499999 0 0.0003"
anthropic_at_once 5 >"$T/five" &
five=$!
check "now it pays for two" wait_for 20 has_held 2
standin /_release -X POST >/dev/null
wait $five
is "and two are answered" "$(cat "$T/five")" "200:2 402:3"
settled other
is "what wallets spent is what the provider billed" "$(standin '/_bill?summary=1' | json 'd["usage"]["out"] * 10000')" \
    "$("$TOLLGATE" wallet list --json | json 'sum(round(float(w["spent"])*1e9) for w in d["wallets"])')"
stop_agent
done_playing
