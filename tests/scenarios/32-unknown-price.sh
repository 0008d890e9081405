#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Others let a model without a price pass for nothing, so that a new model was free until somebody noticed.
. "$(dirname "$0")/lib.sh"
play "models that no price list knows"
provider
write_policy() { # RULE
    policy <<Y
providers:
  targets:
    - {id: unheard, provider: openai, model: gpt-99-unheard-of, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: unseen, provider: anthropic, model: claude-unseen-9, secret_key_ref: {env: ANTHROPIC_API_KEY}}
consumer_groups:
  - {name: rich, api_key: kt_cg_rich, wallet_team_id: rich}
  - {name: poor, api_key: kt_cg_poor, wallet_team_id: poor}
wallets:
  - {id: rich, credit: "10"}
  - {id: poor, credit: "0.001"}
cost_tracking: {unknown_price: $1, clamp: false}
Y
}
write_policy ceiling
agent
bill_rows() { standin /_bill | json 'len(d)'; }
above_zero() { python3 -c "import sys; sys.exit(not all(float(x) > 0 for x in sys.argv[1:]))" "$@"; }
GROUP=rich
for dialect in openai anthropic; do
    case $dialect in openai) model=gpt-99-unheard-of limit=',"max_tokens":200' ;; *) model=claude-unseen-9 limit= ;; esac
    for stream in '' ',"stream":true'; do
        is "$dialect${stream:+, stream}: it is answered" "$($dialect "$(${dialect}_body $model '[[tokens=20]]' "$limit$stream")" -o /dev/null -w '%{http_code}')" 200
        is "  at a ceiling" "$(last_event '["attempts"][0]["price_basis"]')" ceiling
        check "  held and charged for more than nothing" above_zero "$(last_event '["hold"]')" "$(last_event '["charge"]')"
        settled rich
    done
done
GROUP=poor
before=$(bill_rows)
is "a wallet that cannot pay the ceiling refuses" "$(openai "$(openai_body gpt-99-unheard-of hi ',"max_tokens":20000')" -o /dev/null -w '%{http_code}')" 429
is "  before the provider is asked" "$(bill_rows)" "$before"
is "  and keeps its money" "$(money poor)" "0.001 0 0"

write_policy block
check "the policy blocks unknown prices now" "$TOLLGATE" reload
GROUP=rich
spent=$(money rich)
answer=$(openai "$(openai_body gpt-99-unheard-of hi)" -w '\n%{http_code}')
is "OpenAI: 403" "$(tail -1 <<<"$answer")" 403
has "  that names the model" "$answer" gpt-99-unheard-of
is "Anthropic: 403" "$(anthropic "$(anthropic_body claude-unseen-9 hi ',"stream":true')" -o /dev/null -w '%{http_code}')" 403
is "the provider was not asked" "$(bill_rows)" "$before"
is "nothing is held or spent for them" "$(money rich)" "$spent"
stop_agent
done_playing
