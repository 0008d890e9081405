#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The clamp: a wallet that cannot pay the longest answer pays for a shorter one, and says so; below a floor it refuses.
. "$(dirname "$0")/lib.sh"
play "an answer as long as the wallet can pay"
provider
# Every case has a wallet of its own, so that what is left decides alone.
cases="openai-json openai-stream openai-open openai-null openai-named openai-two anthropic-json anthropic-stream"
write_policy() { # COST_TRACKING
    {
        cat <<'Y'
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: haiku, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}}
Y
        echo "consumer_groups:"
        for name in $cases rich floor small off thinks doubts; do echo "  - {name: $name, api_key: kt_cg_$name, wallet_team_id: $name}"; done
        echo "wallets:"
        for name in $cases; do case $name in anthropic*) echo "  - {id: $name, credit: \"0.005\"}" ;; *) echo "  - {id: $name, credit: \"0.001\"}" ;; esac; done
        # 256 tokens of output are 0.00032 USD, the prompt some 0.00002; thinking of 2,000 tokens is 0.01 USD
        echo '  - {id: rich, credit: "10"}'
        echo '  - {id: floor, credit: "0.0003"}'
        echo '  - {id: small, credit: "0.0001"}'
        echo '  - {id: "off", credit: "0.001"}'
        echo '  - {id: thinks, credit: "0.015"}'
        echo '  - {id: doubts, credit: "0.0085"}'
        echo "cost_tracking: {cheaper_target: ${CHEAPER:-false}${1:+, }$1}"
    } | policy
}
write_policy ""
agent
# What CREDIT pays: the body's bytes (and those of the usage flag that we add) at IN, the rest at OUT, in USD per million.
limit_of() { # CREDIT BODY ADDED IN OUT CHOICES
    python3 -c '
import sys
from fractions import Fraction as F
credit, body, added, price_in, price_out, choices = sys.argv[1:]
left = F(credit) - (len(body.encode()) + int(added)) * F(price_in) / 10**6
print(left // (F(price_out) / 10**6 * int(choices)))' "$@"
}
field() { tr -d '\r' <"$T/head" | sed -n "s/^$1: //p"; }
usage_flag='"stream_options":{"include_usage":true},'

long='[[tokens=5000]]'
for GROUP in $cases; do
    dialect=${GROUP%-*} added=0 choices=1 model=gpt-5.4-nano credit=0.001 in=0.2 out=1.25
    case $GROUP in
    openai-json) body=$(openai_body $model "$long" ',"max_tokens":5000') ;;
    openai-stream) body=$(openai_body $model "$long" ',"max_tokens":5000,"stream":true') added=${#usage_flag} ;;
    openai-open) body=$(openai_body $model "$long") ;;
    openai-null) body=$(openai_body $model "$long" ',"max_completion_tokens":null,"max_tokens":null') ;;
    openai-named) body=$(openai_body $model "$long" ',"max_completion_tokens": 4999 ') ;;
    openai-two) body=$(openai_body $model "$long" ',"n":2,"max_tokens":5000') choices=2 ;;
    anthropic-*)
        model=claude-haiku-4-5 credit=0.005 in=2 out=5
        body=$(anthropic_body $model "$long") body=${body/'"max_tokens":200'/'"max_tokens":5000'}
        [ "$GROUP" = anthropic-stream ] && body="${body%\}},\"stream\":true}"
        ;;
    esac
    limit=$(limit_of "$credit" "$body" "$added" "$in" "$out" "$choices")
    standin /_reset -X POST >/dev/null
    is "$GROUP: it is answered" "$("$dialect" "$body" -D "$T/head" -o "$T/out" -w '%{http_code}')" 200
    is "  the header says how long" "$(field tollgate-clamped)" "max_tokens=$limit"
    is "  and no longer is the answer" "$(standin /_bill | json 'd[-1]["usage"]["out"]')" $((limit * choices))
    is "  the event says so" "$(last_event '["clamped_output_tokens"]')" "$limit"
    has "  and why" "$("$TOLLGATE" why last)" "clamped: output limited to $limit tokens"
    is "  what was granted is held" "$(last_event '["hold"]')" "$credit"
    settled "$GROUP"
    check "  what is left is what was not used" python3 -c "
import sys
from decimal import Decimal as D
available, held, spent = map(D, '$(money "$GROUP")'.split())
sys.exit(not (available >= 0 and held == 0 and available + spent == D('$credit') and spent == D('$(last_event '["charge"]')') > 0))"
done

GROUP=rich
openai "$(openai_body gpt-5.4-nano '[[tokens=50]]' ',"max_tokens":5000')" -D "$T/head" -o "$T/out"
is "a wallet that can pay is not clamped" "$(field tollgate-clamped)" ""
is "  nor says the event that it was" "$(last_event '.get("clamped_output_tokens")')" None
lacks "  nor why" "$("$TOLLGATE" why last)" clamped

standin /_reset -X POST >/dev/null
GROUP=floor
answer=$(openai "$(openai_body gpt-5.4-nano "$long" ',"max_tokens":5000')" -D "$T/head" -w '\n%{http_code}')
is "below the floor it is refused" "$(tail -1 <<<"$answer") $(field x-should-retry) $(field tollgate-clamped)" "429 false "
has "  which names the floor" "$answer" "limited to 256 tokens"
has "  and the wallet" "$answer" "wallet floor (dev) has 0.0003 USD left"
is "  a stream, too" "$(openai "$(openai_body gpt-5.4-nano "$long" ',"max_tokens":5000,"stream":true')" -o /dev/null -w '%{http_code}')" 429
is "  who asks for less gets it" "$(openai "$(openai_body gpt-5.4-nano "$long" ',"max_tokens":200')" -D "$T/head" -o /dev/null -w '%{http_code}')$(field tollgate-clamped)" 200
GROUP=small
is "  or is refused: nothing below the floor is made shorter" "$(openai "$(openai_body gpt-5.4-nano "$long" ',"max_tokens":200')" -o /dev/null -w '%{http_code}')" 429
GROUP=thinks
thinking=$(anthropic_body claude-haiku-4-5 "$long" ',"thinking":{"type":"enabled","budget_tokens":2000}')
thinking=${thinking/'"max_tokens":200'/'"max_tokens":5000'}
limit=$(limit_of 0.015 "$thinking" 0 2 5 1)
is "thinking: what remains beyond its budget is clamped" "$(anthropic "$thinking" -D "$T/head" -o /dev/null -w '%{http_code}') $(field tollgate-clamped)" "200 max_tokens=$limit"
check "  above the budget" test "$limit" -gt 2000
GROUP=doubts
answer=$(anthropic "$thinking" -w '\n%{http_code}')
is "  not below it, which the provider would refuse" "$(tail -1 <<<"$answer")" 402
has "  and the refusal says how much it takes" "$answer" "limited to 2001 tokens"
GROUP=off
is "a prediction is not clamped: what it adds is not limited" \
    "$(openai "$(openai_body gpt-5.4-nano "$long" ',"max_tokens":5000,"prediction":{"type":"content","content":"x"}')" -o /dev/null -w '%{http_code}')" 429

standin /_reset -X POST >/dev/null
write_policy "clamp_tokens_min: 64"
check "the floor is a setting" "$TOLLGATE" reload
GROUP=floor
settled floor
body=$(openai_body gpt-5.4-nano "$long" ',"max_tokens":5000')
limit=$(limit_of "$(money floor | cut -d' ' -f1)" "$body" 0 0.2 1.25 1)
if [ "$limit" -ge 64 ]; then wanted="200 max_tokens=$limit"; else wanted="429 "; fi
is "  what was refused is answered" "$(openai "$body" -D "$T/head" -o /dev/null -w '%{http_code}') $(field tollgate-clamped)" "$wanted"

write_policy "clamp: false"
check "the clamp is a setting" "$TOLLGATE" reload
GROUP=off
for stream in '' ',"stream":true'; do
    is "without it the call is refused${stream:+, as a stream too}" "$(openai "$(openai_body gpt-5.4-nano "$long" ',"max_tokens":5000'"$stream")" -o /dev/null -w '%{http_code}')" 429
done
is "and nothing is held or spent" "$(money off)" "0.001 0 0"

# What comes after the clamp, where the policy wants it (dev's default): another target, which the wallet can pay.
CHEAPER=true write_policy "clamp: false"
check "a cheaper target is a setting" "$TOLLGATE" reload
GROUP=doubts
answer=$(anthropic '{"model":"claude-haiku-4-5","max_tokens":2000,"messages":[{"role":"user","content":"hello"}]}' -D "$T/head" -w '\n%{http_code}')
is "the dear one cannot be paid: a cheaper one answers" "$(tail -1 <<<"$answer") $(field tollgate-target)" "200 nano"
is "in the program's own words" "$(head -1 <<<"$answer" | json 'd["type"]')" message
settled doubts
is "the event says so" "$(last_event '["route"]["cheaper"]') $(last_event '["attempts"][0]["target"]')" "True haiku"
is "and only what was sent is paid" "$(events | json 'sum(float(a["charge"]) > 0 for a in d["events"][0]["attempts"])')" 1
pid=$("$TOLLGATE" status --json | json 'd["pid"]')
for name in 'dear\n' 'a\r\nx: y' 'a\u0001' 'a\u007f'; do
    is "a model's name that no field can hold is refused" "$(openai '{"model":"'"$name"'","max_tokens":20000,"messages":[{"role":"user","content":"hi"}]}' -o "$T/answer" -w '%{http_code}')" 400
    has "in words" "$(cat "$T/answer")" "the model's name has a control character"
done
is "by the same agent" "$("$TOLLGATE" status --json | json 'd["pid"]')" "$pid"
stop_agent
done_playing
