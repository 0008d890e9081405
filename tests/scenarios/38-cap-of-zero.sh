#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Others read a cap of 0 as "no cap". Here 0 is the smallest cap there is: nothing passes, not even what costs nothing.
. "$(dirname "$0")/lib.sh"
play "wallets and budgets of zero"
provider
write_policy() { # MORE
    policy <<Y
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: free, provider: openai, model: gpt-oss-free, secret_key_ref: {env: OPENAI_API_KEY}, pricing: {input: 0, output: 0, cache_read: 0, cache_write: 0, cache_write_1h: 0, input_audio: 0, output_audio: 0}}
consumer_groups:
  - {name: zero, api_key: kt_cg_zero, wallet_team_id: zero}
  - {name: unlisted, api_key: kt_cg_unlisted, wallet_team_id: unlisted}
  - {name: rich, api_key: kt_cg_rich, wallet_team_id: rich}
wallets:
  - {id: zero, credit: "0"}
  - {id: rich, credit: "10"}
cost_tracking: {default_credit: "0", clamp: false}
$1
Y
}
status() { openai "$(openai_body "$1" hi ',"max_tokens":5')" -o "$T/answer" -w '%{http_code}'; }
write_policy ""
agent
for GROUP in zero unlisted; do
    is "wallet $GROUP: refused" "$(status gpt-5.4-nano)" 429
    is "  what is free, too" "$(status gpt-oss-free)" 429
    has "  and the answer says how to go on" "$(cat "$T/answer")" "tollgate wallet fund $GROUP"
done
GROUP=rich
is "a wallet with money pays" "$(status gpt-5.4-nano)" 200
is "and what is free is free" "$(status gpt-oss-free) $(last_event '["charge"]')" "200 0"
settled rich
asked=$(standin /_bill | json 'len(d)')

for scope in '{}' '{group: rich}' '{wallet: rich}' '{provider: openai}' '{model: gpt-5.4-nano}' '{wallet: "r*", model: "gpt-5.4-*"}'; do
    write_policy "budgets: [{id: nothing, scope: $scope, amount: 0, hard: true}]"
    check "a hard budget of 0, scope $scope" "$TOLLGATE" reload
    is "  refuses" "$(status gpt-5.4-nano)" 429
    has "  and names itself" "$(cat "$T/answer")" nothing
done
write_policy 'budgets: [{id: large, amount: 100, hard: true}, {id: nothing, amount: 0, hard: true}]'
check "beside one that could pay" "$TOLLGATE" reload
is "  it refuses all the same" "$(status gpt-5.4-nano)" 429
is "  what is free, too" "$(status gpt-oss-free)" 429
is "the provider was not asked" "$(standin /_bill | json 'len(d)')" "$asked"
write_policy 'budgets: [{id: nothing, scope: {group: zero}, amount: 0, hard: true}]'
check "a budget of 0 for others" "$TOLLGATE" reload
is "  refuses nothing" "$(status gpt-5.4-nano)" 200
write_policy 'budgets: [{id: nothing, amount: 0}]'
check "a soft budget of 0" "$TOLLGATE" reload
is "  refuses nothing" "$(status gpt-5.4-nano)" 200
settled rich
is "nothing is held" "$(money rich | cut -d' ' -f2)" 0
stop_agent
done_playing
