#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Others ignored a budget whose field was misspelt: it looked like a limit, and was none. Here it is an error with its
# place and the word that was meant, at check, at start and at reload, where the old policy stays in force.
. "$(dirname "$0")/lib.sh"
play "budgets with a slip of the pen"
provider
write_policy() { # BUDGETS
    policy <<Y
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}, pricing: {input: 0, cache_read: 0, cache_write: 0, cache_write_1h: 0, output: 10}}
consumer_groups:
  - {name: any, api_key: kt_cg_any, wallet_team_id: any}
wallets:
  - {id: any, credit: "10"}
cost_tracking: {clamp: false}
$1
Y
}
file=$T/policy-config.dev.yaml
refused() { # NAME BUDGETS MEANT
    local out
    write_policy "$2"
    out=$("$TOLLGATE" check "$file" --providers "$T/providers.yaml" 2>&1)
    is "$1: refused" $? 65
    has "  with its place" "$out" "$file:9:"
    has "  and the word that was meant" "$out" "$3"
}
refused "budgts" 'budgts: [{id: a, amount: 5, hard: true}]' "did you mean \"budgets\"?"
refused "amont" 'budgets: [{id: a, amont: 5, hard: true}]' "did you mean \"amount\"?"
refused "hart" 'budgets: [{id: a, amount: 5, hart: true}]' "did you mean \"hard\"?"
refused "windwo" 'budgets: [{id: a, amount: 5, windwo: daily}]' "did you mean \"window\"?"
refused "window: montly" 'budgets: [{id: a, amount: 5, window: montly}]' "did you mean \"monthly\"?"
refused "scop" 'budgets: [{id: a, amount: 5, scop: {group: any}}]' "did you mean \"scope\"?"
refused "scope: grup" 'budgets: [{id: a, amount: 5, scope: {grup: any}}]' "did you mean \"group\"?"
refused "allerts" 'budgets: [{id: a, amount: 5, allerts: [50]}]' "did you mean \"alerts\"?"
refused "hard: yes, as text" 'budgets: [{id: a, amount: 5, hard: "ture"}]' "true"
refused "no amount at all" 'budgets: [{id: a, hard: true}]' "amount"
refused "a negative amount" 'budgets: [{id: a, amount: -5, hard: true}]' "amount"
refused "a budget twice" 'budgets: [{id: a, amount: 5}, {id: a, amount: 6}]' "a"
if "$TOLLGATE" start --policy "$file" --providers "$T/providers.yaml" >"$T/out" 2>&1; then not_ok "no agent starts on it"; else ok "no agent starts on it"; fi
has "and says why" "$(cat "$T/out")" "$file:9:"

# 10 tokens cost 0.0001 USD: the budget pays for one call.
write_policy 'budgets: [{id: one, amount: "0.00015", hard: true}]'
agent
GROUP=any
status() { openai "$(openai_body gpt-5.4-nano '[[tokens=10]]' ',"max_tokens":10')" -o "$T/answer" -w '%{http_code}'; }
is "spelt well, the budget lets one call pass" "$(status)" 200
settled any
is "and no other" "$(status)" 429
write_policy 'budgets: [{id: one, amont: "100", hard: true}]'
if "$TOLLGATE" reload >"$T/out" 2>&1; then not_ok "a reload with a slip is refused"; else ok "a reload with a slip is refused"; fi
has "with the word that was meant" "$(cat "$T/out")" "did you mean \"amount\"?"
is "the old budget stays in force" "$(status)" 429
write_policy 'budgets: [{id: one, amount: "0.00025", hard: true}]'
check "corrected, it is in force" "$TOLLGATE" reload
is "and what it has used is not forgotten: one more call" "$(status)" 200
settled any
is "and no other" "$(status)" 429
stop_agent
done_playing
