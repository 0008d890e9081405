#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Others let the concurrent first requests of a consumer they had never seen through, or gave each of them the credit.
. "$(dirname "$0")/lib.sh"
play "32 first requests at once of a consumer nobody has seen"
provider
# Input is free, so that a request of 10 tokens costs 0.0001 USD at most and in truth, whatever its size.
write_policy() {
    policy <<Y
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}, pricing: {input: 0, cache_read: 0, cache_write: 0, cache_write_1h: 0, output: 10}}
consumer_groups:
  - {name: first, api_key: kt_cg_first, wallet_team_id: first}
$1
cost_tracking: {default_credit: "0.0005", clamp: false}
Y
}
write_policy ""
agent
at_once() { note_events; governed python3 "$ROOT/tests/scenarios/30-at-once.py" "$@"; }
body=$(openai_body gpt-5.4-nano '[[tokens=10]]' ',"max_tokens":10')
GROUP=first
is "credit for five: five of 32 pass" "$(at_once openai 32 "$body")" "200:5 429:27"
settled first
is "and the credit was granted once" "$(money first)" "0 0 0.0005"
is "the provider was asked five times" "$(standin /_bill | json 'len(d)')" 5

write_policy '  - {name: later, api_key: kt_cg_later, wallet_team_id: later}'
check "a group that a reload brings" "$TOLLGATE" reload
GROUP=later
is "has credit for five, too" "$(at_once openai 32 "$body")" "200:5 429:27"
settled later
is "once" "$(money later)" "0 0 0.0005"
check "the next reload" "$TOLLGATE" reload
is "grants nothing again" "$(money later)" "0 0 0.0005"

GROUP=
is "a key that names no group: none of 32 passes" \
    "$(OPENAI_API_KEY=kt_cg_nobody governed sh -c 'OPENAI_API_KEY=kt_cg_nobody exec python3 "$0" openai 32 "$1"' "$ROOT/tests/scenarios/30-at-once.py" "$body")" "401:32"
is "ten calls reached the provider, all told" "$(standin /_bill | json 'len(d)')" 10
is "and no wallet was made for nobody" "$("$TOLLGATE" wallet list --json | json 'sorted(w["wallet"] for w in d["wallets"])')" "['first', 'later']"
is "one agent all along" "$(grep -c 'agent ready' "$T/s/tollgate/dev/agent.log")" 1
stop_agent
done_playing
