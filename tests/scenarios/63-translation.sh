#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A program of one api is answered by a target of another: it reads its own format, and the money is the target's.
. "$(dirname "$0")/lib.sh"
play "one api answered by another"
provider
policy <<'Y'
providers:
  routing:
    cross_dialect: equal
    on_unlisted_model: block
    model_groups:
      - {name: claude, targets: [haiku]}
      - {name: gpt, targets: [nano]}
      - {name: both, targets: [nano, haiku], strategy: ordered}
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: haiku, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}}
consumer_groups:
  - {name: any, api_key: kt_cg_any, wallet_team_id: any}
wallets:
  - {id: any, credit: "100"}
Y
agent
GROUP=any
responses() { note_events; governed sh -c 'curl -sS -m 60 https://api.openai.com/v1/responses -H "authorization: Bearer $OPENAI_API_KEY" -H "content-type: application/json" -d "$0" "$@"' "$@"; }

answer=$(openai "$(openai_body claude)" -D "$T/head")
is "chat answered by Anthropic reads as chat" "$(json 'd["object"]+" "+d["choices"][0]["finish_reason"]+" "+d["choices"][0]["message"]["role"]' <<<"$answer")" "chat.completion stop assistant"
has "and says so in a header" "$(cat "$T/head")" "tollgate-translated: messages"
lacks "the target's own fields stay behind" "$(tr A-Z a-z <"$T/head")" "anthropic"
settled any
is "charged at the target's price, exactly" "$(last_event '["provider"]+" "+d["events"][0]["basis"]')" "anthropic exact"
is "the provider was asked in its own words" "$(standin /_bill | json 'd[-1]["path"]')" "/v1/messages"
wanted=$(json 'd["usage"]["prompt_tokens"]*1000 + d["usage"]["completion_tokens"]*5000' <<<"$answer")
is "usage as the program counts it is what was charged" "$(last_event '["charge"]' | python3 -c 'print(round(float(input())*1e9))')" "$wanted"

stream=$(openai "$(openai_body claude hello ',"stream":true')" -N)
has "a stream reads as chunks" "$stream" '"chat.completion.chunk"'
has "and ends" "$stream" 'data: [DONE]'
lacks "usage only when asked for" "$stream" '"usage":{'
has "when asked for" "$(openai "$(openai_body claude hello ',"stream":true,"stream_options":{"include_usage":true}')" -N)" '"usage":{'
answer=$(anthropic "$(anthropic_body gpt)")
is "messages answered by OpenAI read as a message" "$(json 'd["type"]+" "+d["stop_reason"]+" "+d["content"][0]["type"]' <<<"$answer")" "message end_turn text"
stream=$(anthropic "$(anthropic_body gpt hello ',"stream":true')" -N)
for event in message_start content_block_start content_block_delta content_block_stop message_delta message_stop; do has "a stream has $event" "$stream" "event: $event"; done
settled any
is "metered exactly, by the provider's numbers" "$(last_event '["usage_source"]+" "+d["events"][0]["basis"]')" "provider exact"
answer=$(responses '{"model":"claude","input":"hello"}')
is "responses answered by Anthropic" "$(json 'd["object"]+" "+d["status"]+" "+d["output"][-1]["content"][0]["type"]' <<<"$answer")" "response completed output_text"
stream=$(responses '{"model":"claude","input":"hello","stream":true}' -N)
has "and streamed" "$stream" 'event: response.completed'

tools=',"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}]'
answer=$(openai "$(openai_body claude 'use the tool' "$tools")")
is "a tool call" "$(json 'd["choices"][0]["finish_reason"]+" "+d["choices"][0]["message"]["tool_calls"][0]["function"]["name"]' <<<"$answer")" "tool_calls weather"

answer=$(openai "$(openai_body claude hello ',"n":2')" -w '\n%{http_code}')
is "what cannot be said there: 422" "$(tail -1 <<<"$answer")" 422
has "and the field is named" "$answer" "n"
has "with the reason" "$answer" no_translation
has "as an error of the request's own" "$answer" invalid_request_error
openai "$(openai_body claude hello ',"seed":7')" -o /dev/null
settled any
has "why tells what was left out by rule" "$(why_last)" "left out by rule: seed"
id=$(responses '{"model":"claude","input":"hello"}' | json 'd["id"]')
answer=$(responses '{"model":"gpt","input":"and?","previous_response_id":"'"$id"'"}' -w '\n%{http_code}')
is "what no provider keeps cannot go on there: 422" "$(tail -1 <<<"$answer")" 422
has "which is said" "$answer" "previous_response_id"
is "with another target left, that one" "$(openai "$(openai_body both hello ',"n":2')" -o /dev/null -w '%{http_code}') $(last_event '["target"]')" "200 nano"
standin /_script -d '[{"match":{"path":"/v1/messages"},"fault":"529"}]' >/dev/null
answer=$(openai "$(openai_body claude)" -w '\n%{http_code}')
is "an error of the target in the program's shape" "$(tail -1 <<<"$answer") $(head -1 <<<"$answer" | json '"message" in d["error"] and "type" not in d')" "503 True"
standin /_script -d '[{"match":{"path":"/v1/messages"},"fault":"cut_rst","cut":4}]' >/dev/null
stream=$(openai "$(openai_body claude 'hello [[tokens=30]]' ',"stream":true')" -N 2>/dev/null)
has "a cut stream ends with an error" "$stream" '"error"'
lacks "and never looks whole" "$stream" '[DONE]'
lacks "nor finished" "$stream" '"finish_reason":"stop"'
settled any
is "what was seen is charged" "$(last_event '["basis"]+" "+str(float(d["events"][0]["charge"]) > 0)')" "partial True"
is "nothing is held" "$(money any | cut -d' ' -f2)" 0
stop_agent
done_playing
