#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Budgets in the life of a request: which of them count a call, which refuse it and in which words, what they never do.
. "$(dirname "$0")/lib.sh"
play "budgets are held with the wallet"
provider
export GEMINI_API_KEY=test-gemini-0123456789
write_policy() { # BUDGETS, one a line; COST_TRACKING
    {
        cat <<'Y'
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}, pricing: {input: 0, cache_read: 0, cache_write: 0, cache_write_1h: 0, output: 10}}
    - {id: mini, provider: openai, model: gpt-5.4-mini, secret_key_ref: {env: OPENAI_API_KEY}, pricing: {input: 0, cache_read: 0, cache_write: 0, cache_write_1h: 0, output: 10}}
    - {id: haiku, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}, pricing: {input: 0, cache_read: 0, cache_write: 0, cache_write_1h: 0, output: 10}}
    - {id: flash, provider: google, model: gemini-2.5-flash, secret_key_ref: {env: GEMINI_API_KEY}}
consumer_groups:
  - {name: red, api_key: kt_cg_red, wallet_team_id: first}
  - {name: blue, api_key: kt_cg_blue, wallet_team_id: second}
wallets:
  - {id: first, credit: "10"}
  - {id: second, credit: "10"}
Y
        echo "cost_tracking: {${2:-clamp: false}}"
        echo "budgets:"
        echo "$1"
    } | policy
}
reload() {
    write_policy "$@"
    "$TOLLGATE" reload >"$T/reload" 2>&1 || not_ok "the policy is in force" "$(cat "$T/reload")"
}
# 100 tokens of output cost 0.001 USD, and are held before.
nano() { openai "$(openai_body gpt-5.4-nano "[[tokens=${1:-100}]]" ",\"max_tokens\":${1:-100}")" -D "$T/head" -o "$T/answer" -w '%{http_code}'; }
mini() { openai "$(openai_body gpt-5.4-mini '[[tokens=100]]' ',"max_tokens":100')" -o "$T/answer" -w '%{http_code}'; }
haiku() { anthropic "$(anthropic_body claude-haiku-4-5 '[[tokens=200]]')" -D "$T/head" -o "$T/answer" -w '%{http_code}'; }
gemini() {
    note_events
    governed sh -c 'exec curl -sS --max-time 60 -D "$T/head" -o "$T/answer" -w "%{http_code}" https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent -H "x-goog-api-key: $GEMINI_API_KEY" -H "content-type: application/json" -d "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]}"'
}
responses() {
    note_events
    governed sh -c 'exec curl -sS --max-time 60 -o "$T/answer" -w "%{http_code}" https://api.openai.com/v1/responses -H "authorization: Bearer $OPENAI_API_KEY" -H "content-type: application/json" -d "{\"model\":\"gpt-5.4-nano\",\"input\":\"hi\"}"'
}
field() { tr -d '\r' <"$T/head" | sed -n "s/^$1: //p"; }
counted() { last_event '.get("budgets")'; }

GROUP=red
write_policy '  - {id: spring, amount: "0.0015", hard: true, time_zone: Europe/Berlin}'
agent
is "a hard budget pays while it can" "$(nano)" 200
is "  the event names it" "$(counted)" "['spring']"
settled first
is "then it refuses, OpenAI: 429" "$(nano)" 429
message=$(json 'd["error"]["message"]' <"$T/answer")
is "  as an exhausted quota" "$(json 'd["error"]["type"]+" "+d["error"]["code"]' <"$T/answer")" "insufficient_quota project_spend_limit_exceeded"
has "  with its name and window" "$message" "monthly budget spring ($(LC_ALL=C TZ=Europe/Berlin date +'%B %Y'), Europe/Berlin) of dev"
has "  what it has left" "$message" "has 0.0005 USD left"
has "  what was needed" "$message" "may cost up to 0.001 USD"
renews=$(TZ=UTC date -d "TZ=\"Europe/Berlin\" $(TZ=Europe/Berlin date -d "$(TZ=Europe/Berlin date +%Y-%m-01) +1 month" +%Y-%m-%d) 00:00" +'%Y-%m-%d %H:%M UTC')
has "  when it begins anew" "$message" "begins anew at $renews"
has "  the command that helps" "$message" "tollgate budget set spring --amount AMOUNT --hard --time-zone Europe/Berlin --env dev"
is "  final, and not the wallet's fault" "$(field x-should-retry) $(field tollgate-wallet-remaining)" "false 9.999"
is "  the event says which error" "$(last_event '["error"]')" budget_exhausted
is "Anthropic: 402 billing_error" "$(haiku) $(json 'd["type"]+" "+d["error"]["type"]' <"$T/answer")" "402 error billing_error"
has "  with the same words" "$(cat "$T/answer")" "monthly budget spring"
is "a stream is refused before it begins" "$(openai "$(openai_body gpt-5.4-nano hi ',"max_tokens":100,"stream":true')" -D "$T/head" -o /dev/null -w '%{http_code}') $(field content-type)" "429 application/json"
is "what still fits is answered" "$(nano 50)" 200
settled first
asked=$(standin /_bill | json 'len(d)')
is "a call that cannot be metered is refused when nothing is left" "$(responses)" 429
has "  by name" "$(cat "$T/answer")" "budget spring"
is "  Gemini: 429 RESOURCE_EXHAUSTED" "$(gemini) $(json 'd["error"]["status"]' <"$T/answer") $(field x-should-retry)" "429 RESOURCE_EXHAUSTED false"
is "  and the provider is not asked" "$(standin /_bill | json 'len(d)')" "$asked"
check "the command of the message" sh -c 'eval "$(echo "$1" | sed -n "s/.*\(tollgate budget set.*--env dev\).*/\1/p" | sed "s|^tollgate|$0|; s/AMOUNT/0.0025/")"' "$TOLLGATE" "$message"
is "  helps" "$(nano)" 200
settled first
is "  as far as it goes: what was used is not forgotten" "$(nano)" 429
"$TOLLGATE" budget unset spring >/dev/null 2>&1

reload '  - {id: soft, amount: "0.0001"}
  - {id: zero, amount: 0}'
is "soft budgets refuse nothing" "$(nano)$(nano)" 200200
is "  and count" "$(counted)" "['soft', 'zero']"
is "  nor what cannot be metered" "$(responses)" 200
settled first

reload '  - {id: narrow, amount: "0.0012", hard: true, window: daily}
  - {id: wide, amount: "0.0032", hard: true, window: weekly}'
is "of two hard ones both must pay" "$(nano)" 200
is "  and both count" "$(counted)" "['narrow', 'wide']"
settled first
is "  one that cannot is enough" "$(nano)" 429
has "  and it is named" "$(cat "$T/answer")" "daily budget narrow"
reload '  - {id: narrow, amount: "0.1", hard: true, window: daily}
  - {id: wide, amount: "0.0012", hard: true, window: weekly}'
is "  the other one, too" "$(nano)" 429
has "  and it is named" "$(cat "$T/answer")" "weekly budget wide"
reload '  - {id: narrow, amount: "0.1", hard: true, window: daily}
  - {id: wide, amount: "0.0032", hard: true, window: weekly}'
is "  what was refused counts in neither: two more fit" "$(nano)$(settled first)$(nano)" 200200
settled first
is "  and no third" "$(nano)" 429

# Each scope lets pass what is none of its business: (budget, a call that it refuses, one that it does not).
as() { local GROUP=$1; shift; "$@"; }
of_project() { "$TOLLGATE" run --env dev --group red --project "$1" -- sh -c 'exec curl -sS -o /dev/null -w "%{http_code}" https://api.openai.com/v1/chat/completions -H "authorization: Bearer $OPENAI_API_KEY" -H "content-type: application/json" -d "$1"' sh "$(openai_body gpt-5.4-nano hi ',"max_tokens":10')"; }
while IFS='|' read -r scope refused passed; do
    reload "  - {id: scoped, scope: {$scope}, amount: 0, hard: true}"
    is "scope $scope: $refused is refused" "$($refused)" "$([ "$refused" = haiku ] && echo 402 || echo 429)"
    is "  $passed is not" "$($passed)" 200
done <<'S'
wallet: first|as red nano|as blue nano
group: blue|as blue nano|as red nano
provider: anthropic|haiku|nano
model: gpt-5.4-mini|mini|nano
model: "gpt-5.4-n*"|nano|mini
project: shop|of_project shop|of_project other
project: shop|of_project shop|nano
provider: openai, group: blue|as blue nano|as red nano
S

reload '  - {id: short, amount: "0.004", hard: true, window: rolling, length: 24h}' "clamp: true"
is "a hard budget clamps as a wallet does" "$(openai "$(openai_body gpt-5.4-nano '[[tokens=5000]]' ',"max_tokens":5000')" -D "$T/head" -o "$T/answer" -w '%{http_code}') $(field tollgate-clamped)" "200 max_tokens=400"
is "  and the answer is so long" "$(json 'd["usage"]["completion_tokens"]' <"$T/answer")" 400
settled first
is "  then refuses" "$(nano)" 429
has "  the window that rolls" "$(cat "$T/answer")" "budget short (the last 24 hours) of dev"
has "  and when it has more" "$(cat "$T/answer")" "has more from"
reload '  - {id: all, scope: {group: "r*", provider: openai}, amount: 0, hard: true, window: rolling, length: 24h}'
is "a command keeps what the budget is" "$(nano)" 429
has "  its scope and its window" "$(json 'd["error"]["message"]' <"$T/answer")" "budget set all --amount AMOUNT --hard --window rolling --length 24h --scope group='r*' --scope provider='openai' --env dev"

settled first
check "after all that, both wallets lost what their events charged" python3 -c "
from decimal import Decimal as D
import json, sys
spent = sum(D(w['spent']) for w in json.loads('''$("$TOLLGATE" wallet list --json)''')['wallets'])
charged = sum(D(e['charge']) for e in json.loads(sys.stdin.read())['events'])
sys.exit(spent != charged)" <<<"$(events)"
stop_agent
done_playing
