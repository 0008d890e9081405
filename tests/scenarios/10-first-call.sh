#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An unmodified program's call is captured, decided, forwarded, streamed back, metered, charged and recorded.
. "$(dirname "$0")/lib.sh"
play "the first governed call, on the seed policy exactly as given"
provider
CACHE=true # exactly as given: each call here asks something else
agent

answer=$(openai "$(openai_body gpt-5.4-mini-mini one)")
has "curl gets OpenAI's answer" "$answer" '"chat.completion"'
is "the program is known by name" "$(last_event '["executable"].split("/")[-1]')" curl
is "the group comes from the placeholder key" "$(last_event '["group"]+" "+d["events"][0]["group_source"]')" "product-dev key"
is "usage is the provider's own" "$(last_event '["usage_source"]')" provider
settled
charge=$(last_event '["charge"]')
is "the wallet paid exactly the charge" "$(money | cut -d' ' -f3)" "$charge"
# gpt-5.4-mini-mini has no list price: the ceiling is gpt-5.4-mini, 0.75 and 4.5 USD per million tokens
wanted=$(json 'max(1, -(-(d["usage"]["prompt_tokens"]*750 + d["usage"]["completion_tokens"]*4500)))/1e9' <<<"$answer")
is "the charge is the bill at the ceiling price" "$(python3 -c "print($charge == $wanted)")" True
is "the price basis is said" "$(last_event '["attempts"][0]["price_basis"]+" "+d["events"][0]["attempts"][0]["price_model"]')" "ceiling gpt-5.4-mini"

stream=$(openai "$(openai_body gpt-5.4-mini-mini two ',"stream":true')" -N)
has "a stream arrives whole" "$stream" 'data: [DONE]'
lacks "usage that was not asked for is hidden" "$stream" '"usage"'
is "yet it was metered by the provider's numbers" "$(last_event '["usage_source"]')" provider
stream=$(openai "$(openai_body gpt-5.4-mini-mini three ',"stream":true,"stream_options":{"include_usage":true}')" -N)
has "usage that was asked for is shown" "$stream" '"usage":{'

answer=$(anthropic "$(anthropic_body)")
has "curl gets Anthropic's answer" "$answer" '"type":"message"'
stream=$(anthropic "$(anthropic_body claude-haiku hello ',"stream":true')" -N)
has "Anthropic's stream ends with message_stop" "$stream" 'event: message_stop'
is "and is metered" "$(last_event '["usage_source"]')" provider

headers=$(openai "$(openai_body gpt-5.4-mini-mini four)" -D - -o /dev/null)
for field in tollgate-request-id tollgate-environment tollgate-target tollgate-hold tollgate-cost tollgate-wallet-remaining; do
    has "answers carry $field" "$headers" "$field:"
done
id=$(sed -n 's/^tollgate-request-id: *\([0-9A-Z]*\).*/\1/p' <<<"$headers")
settled
why=$("$TOLLGATE" why "$id")
for step in receive identify authorize route reserve forward relay settle; do
    has "why tells what $step decided" "$why" "$step"
done

settled
bill=$(standin /_bill | json 'len([r for r in d if r["status"] == 200])')
is "the provider was asked exactly once per call" "$bill" 6
spent=$(money | cut -d' ' -f3)
sum=$(events | json 'str(sum(round(float(e["charge"])*1e9) for e in d["events"]))')
is "the events' charges sum to what the wallet spent" "$(python3 -c "print(round($spent*1e9))")" "$sum"
has "events list the program" "$("$TOLLGATE" events --limit 5)" curl
stop_agent
done_playing
