#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every endpoint that is metered, as a document and as a stream: the event has the provider's buckets, the charge is what
# the bill comes to at list prices, to the nano-dollar, and the program gets the provider's bytes.
. "$(dirname "$0")/lib.sh"
play "what the agent meters, against what the provider bills"
export GEMINI_API_KEY=AIza-test-google-0123456789 GROQ_API_KEY=gsk-test-0123456789
provider
MODELS="gpt-5.4-nano gpt-5 gpt-3.5-turbo-instruct text-embedding-3-small gpt-image-1 dall-e-3 tts-1 gpt-4o-mini-tts whisper-1 gpt-4o-transcribe"
{
    echo "providers:"
    echo "  targets:"
    for model in $MODELS; do echo "    - {id: $model, provider: openai, model: $model, secret_key_ref: {env: OPENAI_API_KEY}}"; done
    cat <<'Y'
    - {id: haiku, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}}
    - {id: flash, provider: google, model: gemini-2.5-flash, secret_key_ref: {env: GEMINI_API_KEY}}
    - {id: vectors, provider: google, model: gemini-embedding-001, secret_key_ref: {env: GEMINI_API_KEY}}
    - {id: llama, provider: groq, model: llama-3.1-8b-instant, secret_key_ref: {env: GROQ_API_KEY}}
consumer_groups:
  - {name: any, api_key: kt_cg_any, wallet_team_id: any}
wallets:
  - {id: any, credit: "1000"}
cost_tracking: {clamp: false}
Y
} | policy
agent
GROUP=any
nano() { python3 -c 'import sys; print(round(float(sys.argv[1]) * 10**9))' "$1"; }
event() { json "d['events'][0]$1" <"$T/event"; }

# One call with its bytes, its row of the bill and its event. The keys are the environment's placeholders.
call() { # URL CURL-OPTIONS…
    note_events
    standin /_reset -X POST >/dev/null
    governed sh -c 'exec curl -sS -m 60 -o "$T/answer" -w "%{http_code}" -H "authorization: Bearer $OPENAI_API_KEY" -H "x-api-key: $ANTHROPIC_API_KEY" -H "x-goog-api-key: $GEMINI_API_KEY" -H "anthropic-version: 2023-06-01" "$@"' sh "$@" >"$T/status" 2>"$T/error"
    wait_for 10 has_new_event
    "$TOLLGATE" events --limit 1 --json >"$T/event"
    standin /_bill >"$T/bill"
}
known_by() { is "$1: $2" "$(cat "$T/status") $(event '["usage_source"] + " " + d["events"][0]["basis"]')" "200 $2"; }
same_bytes() { is "$1: the provider's bytes" "$(sha256sum <"$T/answer" | cut -d' ' -f1)" "$(json 'd[-1]["answer_sha256"]' <"$T/bill")"; }
priced() { # NAME FAMILY [MODEL=ROW]: buckets and charge are the bill's
    local name=$1 billed metered cost charge
    shift
    { read -r billed && read -r metered && read -r cost && read -r charge; } < <(python3 "$ROOT/tests/scenarios/66-charge.py" "$ROOT/policies/prices.yaml" "$@" --event "$T/event" <"$T/bill")
    is "$name: the bill's buckets" "${metered:-none}" "${billed:-unknown}"
    is "$name: charged what the bill comes to" "${charge:-none}" "${cost:-unknown}"
    [ "${cost:-0}" -gt 0 ] || not_ok "$name: costs something" "$cost"
}
exact() { # NAME FAMILY URL CURL-OPTIONS…; ROW: the price list's, when it is not the model's
    local name=$1 family=$2
    shift 2
    call "$@"
    known_by "$name" "provider exact"
    priced "$name" "$family" ${ROW:+"$ROW"}
    same_bytes "$name"
}
estimated() { # NAME URL CURL-OPTIONS…: the provider does not say what it bills
    local name=$1
    shift
    call "$@"
    known_by "$name" "estimated estimate"
    check "$name: it costs something, no more than was held" python3 -c "import sys; sys.exit(not 0 < $(event '["charge"]') <= $(event '["hold"]'))"
    same_bytes "$name"
}
held_is() { check "$1" python3 -c "import sys; sys.exit(not $(event '["hold"]') $2 $(event '["charge"]'))"; }
openai_url=https://api.openai.com/v1 anthropic_url=https://api.anthropic.com/v1 google_url=https://generativelanguage.googleapis.com/v1beta
JSON=(-H 'content-type: application/json' -d)
LONG="$(printf 'prose %.0s' $(seq 250)) [[tokens=23]] [[fresh=1000]] [[cached=300]]" # no more than a token for each byte
LONGER="$(printf 'prose %.0s' $(seq 2300)) [[tokens=23]] [[fresh=3]] [[cached=700]] [[cache_write=12304]] [[cache_write_1h=55]]"
TOOL='{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}'
PNG=data:image/png\;base64,iVBORw0KGgo=
head -c 90000 /dev/zero >"$T/sound.mp3"
head -c 2000 /dev/zero >"$T/picture.png"

# ---- OpenAI: chat ----
exact "chat" openai $openai_url/chat/completions "${JSON[@]}" "$(openai_body gpt-5.4-nano "$LONG [[reasoning=9]]" ',"max_completion_tokens":100')"
exact "chat, three choices" openai $openai_url/chat/completions "${JSON[@]}" "$(openai_body gpt-5.4-nano 'hello [[tokens=5]]' ',"n":3')"
exact "chat, a stream that shows its usage" openai $openai_url/chat/completions "${JSON[@]}" "$(openai_body gpt-5.4-nano "$LONG" ',"stream":true,"stream_options":{"include_usage":true}')"
exact "chat, tools at once" openai $openai_url/chat/completions "${JSON[@]}" "$(openai_body gpt-5.4-nano 'use the tool [[tool_calls=3]]' ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"parameters\":$TOOL}}]")"
exact "chat, an answer to a schema" openai $openai_url/chat/completions "${JSON[@]}" "$(openai_body gpt-5.4-nano hello ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\",\"schema\":$TOOL}}")"
exact "chat, images" openai $openai_url/chat/completions "${JSON[@]}" "{\"model\":\"gpt-5.4-nano\",\"max_tokens\":30,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"look\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"$PNG\"}},{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x.example/a.png\"}}]}]}"
exact "chat, cut by its limit" openai $openai_url/chat/completions "${JSON[@]}" "$(openai_body gpt-5.4-nano '[[tokens=50]]' ',"max_tokens":7')"

# Usage that the program did not ask for is asked for and hidden: the only bytes that differ.
plain() { sed -E 's/chatcmpl-[0-9a-f]+/ID/; s/"created":[0-9]+/"created":0/' "$1" | sha256sum; }
body=$(openai_body gpt-5.4-nano 'hidden [[tokens=9]]' ',"stream":true')
call $openai_url/chat/completions "${JSON[@]}" "$body"
known_by "chat, a stream that hides its usage" "provider exact"
priced "chat, a stream that hides its usage" openai
lacks "  it is hidden" "$(cat "$T/answer")" '"usage"'
check "  so the bytes are not the provider's" [ "$(sha256sum <"$T/answer" | cut -d' ' -f1)" != "$(json 'd[-1]["answer_sha256"]' <"$T/bill")" ]
standin /v1/chat/completions -H 'authorization: Bearer sk-x' -d "$body" -o "$T/direct"
is "  but those of one that was not asked" "$(plain "$T/answer")" "$(plain "$T/direct")"

# ---- OpenAI: the others ----
for stream in false true; do
    kind=$([ $stream = true ] && echo "a stream" || echo "a document")
    exact "responses, $kind" openai $openai_url/responses "${JSON[@]}" "{\"model\":\"gpt-5.4-nano\",\"input\":\"$LONG\",\"stream\":$stream}"
    exact "responses that search the web, $kind" openai $openai_url/responses "${JSON[@]}" "{\"model\":\"gpt-5.4-nano\",\"max_output_tokens\":50,\"input\":\"find [[web_search=2]]\",\"tools\":[{\"type\":\"web_search\"}],\"stream\":$stream}"
    exact "responses with tools at once, $kind" openai $openai_url/responses "${JSON[@]}" "{\"model\":\"gpt-5.4-nano\",\"input\":\"use the tool [[tool_calls=2]]\",\"tools\":[{\"type\":\"function\",\"name\":\"weather\",\"parameters\":$TOOL}],\"stream\":$stream}"
    exact "an image by tokens, $kind" openai $openai_url/images/generations "${JSON[@]}" "{\"model\":\"gpt-image-1\",\"prompt\":\"a cat\",\"quality\":\"low\",\"stream\":$stream}"
    exact "a transcription by tokens, $kind" openai $openai_url/audio/transcriptions -F model=gpt-4o-transcribe -F 'prompt=words [[tokens=12]]' -F stream=$stream -F "file=@$T/sound.mp3"
done
exact "completions" openai $openai_url/completions "${JSON[@]}" '{"model":"gpt-3.5-turbo-instruct","prompt":"hello [[tokens=11]]","max_tokens":50}'
call $openai_url/completions "${JSON[@]}" '{"model":"gpt-3.5-turbo-instruct","prompt":"hello [[tokens=11]]","max_tokens":50,"stream":true}'
known_by "completions, a stream" "provider exact"
priced "completions, a stream" openai
exact "embeddings of several texts" openai $openai_url/embeddings "${JSON[@]}" '{"model":"text-embedding-3-small","input":["one","two and more","three"],"dimensions":8}'
exact "embeddings in base64" openai $openai_url/embeddings "${JSON[@]}" '{"model":"text-embedding-3-small","input":"one","encoding_format":"base64"}'
exact "an image that is edited" openai $openai_url/images/edits -F model=gpt-image-1 -F 'prompt=a hat' -F quality=low -F "image[]=@$T/picture.png" -F "image[]=@$T/picture.png"
exact "speech by tokens, a stream" openai $openai_url/audio/speech "${JSON[@]}" '{"model":"gpt-4o-mini-tts","voice":"alloy","input":"hello there [[tokens=33]]","stream_format":"sse"}'
estimated "speech by tokens, plain" $openai_url/audio/speech "${JSON[@]}" '{"model":"gpt-4o-mini-tts","voice":"alloy","input":"hello there"}'
ROW=dall-e-3=dall-e-3/1024x1792/hd exact "images by the piece" openai $openai_url/images/generations "${JSON[@]}" '{"model":"dall-e-3","prompt":"a cat","size":"1024x1792","quality":"hd","n":2}'
ROW=dall-e-3=dall-e-3/1024x1024/standard exact "an image by the piece, of the usual size" openai $openai_url/images/generations "${JSON[@]}" '{"model":"dall-e-3","prompt":"a cat"}'
held_is "  its hold is its price" ==
exact "a transcription by seconds" openai $openai_url/audio/transcriptions -F model=whisper-1 -F "file=@$T/sound.mp3"
held_is "  its hold is no less" ">="
estimated "a transcription as plain text" $openai_url/audio/transcriptions -F model=whisper-1 -F response_format=text -F "file=@$T/sound.mp3"
python3 -c "import sys, wave; w = wave.open(sys.argv[1], 'wb'); w.setparams((1, 2, 16000, 0, 'NONE', '')); w.writeframes(bytes(3200000))" "$T/sound.wav"
estimated "a transcription of 100 s of samples as plain text" $openai_url/audio/transcriptions -F model=whisper-1 -F response_format=text -F "file=@$T/sound.wav"
check "  costs as much as its length, at 0.006 USD a minute" python3 -c "import sys; sys.exit(not 0.01 <= $(event '["charge"]') <= 0.0103)"
call $openai_url/audio/speech "${JSON[@]}" '{"model":"tts-1","voice":"alloy","input":"Zw\u00f6lf Boxkämpfer"}'
priced "speech by characters, which the request says" openai
is "  and not the provider" "$(event '["usage_source"]')" estimated
held_is "  its hold is its price" ==
same_bytes "speech by characters"

# ---- Anthropic ----
for stream in false true; do
    kind=$([ $stream = true ] && echo "a stream" || echo "a document")
    exact "messages, $kind" anthropic $anthropic_url/messages "${JSON[@]}" "$(anthropic_body claude-haiku-4-5 "$LONGER" ",\"stream\":$stream")"
    exact "messages with thinking, $kind" anthropic $anthropic_url/messages "${JSON[@]}" "$(anthropic_body claude-haiku-4-5 '[[reasoning=30]] [[show_reasoning=1]]' ",\"stream\":$stream")"
    exact "messages with tools at once, $kind" anthropic $anthropic_url/messages "${JSON[@]}" "$(anthropic_body claude-haiku-4-5 'use the tool [[tool_calls=3]]' ",\"tools\":[{\"name\":\"weather\",\"input_schema\":$TOOL}],\"stream\":$stream")"
    exact "messages, a refusal, $kind" anthropic $anthropic_url/messages "${JSON[@]}" "$(anthropic_body claude-haiku-4-5 '[[refusal=1]]' ",\"stream\":$stream")"
done
exact "messages whose input comes late" anthropic $anthropic_url/messages "${JSON[@]}" "$(anthropic_body claude-haiku-4-5 '[[late_input=1]] [[fresh=90]]' ',"stream":true')"
exact "messages with an image" anthropic $anthropic_url/messages "${JSON[@]}" '{"model":"claude-haiku-4-5","max_tokens":30,"messages":[{"role":"user","content":[{"type":"text","text":"look"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]}]}'
call $anthropic_url/messages/count_tokens "${JSON[@]}" '{"model":"claude-haiku-4-5","messages":[{"role":"user","content":"hi"}]}'
is "counting is free" "$(cat "$T/status") $(event '["charge"]') $(event '["usage_source"]')" "200 0 none"
same_bytes "counting"

# ---- Gemini ----
gemini_body() { printf '{"contents":[{"role":"user","parts":[{"text":"%s"}]}]%s}' "$1" "${2:-}"; }
for method in generateContent 'streamGenerateContent?alt=sse' streamGenerateContent; do
    exact "$method" google "$google_url/models/gemini-2.5-flash:$method" "${JSON[@]}" "$(gemini_body "$LONG [[reasoning=9]] [[tool_prompt=40]]" ',"generationConfig":{"maxOutputTokens":400}')"
    exact "$method with thoughts" google "$google_url/models/gemini-2.5-flash:$method" "${JSON[@]}" "$(gemini_body '[[reasoning=9]] [[show_reasoning=1]]')"
    exact "$method with tools at once" google "$google_url/models/gemini-2.5-flash:$method" "${JSON[@]}" "$(gemini_body 'use the tool [[tool_calls=3]]' ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"weather\",\"parameters\":$TOOL}]}]")"
done
exact "generateContent to a schema" google "$google_url/models/gemini-2.5-flash:generateContent" "${JSON[@]}" "$(gemini_body hello ",\"generationConfig\":{\"responseMimeType\":\"application/json\",\"responseSchema\":$TOOL}")"
exact "generateContent with an image" google "$google_url/models/gemini-2.5-flash:generateContent" "${JSON[@]}" '{"contents":[{"parts":[{"text":"look"},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}]}]}'
estimated "embedContent" "$google_url/models/gemini-embedding-001:embedContent" "${JSON[@]}" '{"content":{"parts":[{"text":"hello there"}]}}'
estimated "batchEmbedContents" "$google_url/models/gemini-embedding-001:batchEmbedContents" "${JSON[@]}" '{"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"one"}]}},{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"two"}]}}]}'

# The key may be in the URL: the environment's, or one that the program brought along.
note_events
governed sh -c 'exec curl -sS -m 60 -o "$T/answer" -w "%{http_code}" "$0?alt=sse&key=$GEMINI_API_KEY" -H "content-type: application/json" -d "$1"' \
    "$google_url/models/gemini-2.5-flash:streamGenerateContent" "$(gemini_body hello)" >"$T/status"
is "a key in the URL names the group" "$(cat "$T/status") $(last_event '["group_source"]')" "200 key"
is "the provider gets its own key" "$(standin /_bill | json 'd[-1]["key"]')" "$(printf %s "$GEMINI_API_KEY" | sha256sum | cut -c1-16)"
governed curl -sS -m 60 -o "$T/answer" "$google_url/models/gemini-2.5-flash:generateContent?key=AIza-own-9876543210" -H 'content-type: application/json' -d "$(gemini_body hello)" 2>/dev/null
settled any
is "no key is in any event, log or file" "$(events | grep -c 'AIza-\|key=') $(grep -rlE 'AIza-(test|own)' "$T/s" "$T/r" 2>/dev/null | head -3)" "0 "
lacks "nor in what why says" "$(why_last)" AIza-

# ---- a provider that is a row of the catalogue and nothing else ----
groq_url=https://api.groq.com/openai/v1
groq() { call $groq_url/chat/completions -H "authorization: Bearer kt_cg_any" "${JSON[@]}" "$(openai_body llama-3.1-8b-instant "$LONG" "$1")"; }
groq ',"stream":false'
known_by "groq" "provider exact"
priced "groq" groq
same_bytes "groq"
is "  asked below its own prefix" "$(json 'd[-1]["path"]' <"$T/bill") $(event '["provider"]')" "/openai/v1/chat/completions groq"
groq ',"stream":true,"stream_options":{"include_usage":true}'
known_by "groq, a stream" "provider exact"
priced "groq, a stream" groq
same_bytes "groq, a stream"

settled any
is "nothing went above its hold" "$(events | json '[e["endpoint"] for e in d["events"] if e.get("hold_exceeded")]')" "[]"
is "nothing is left held" "$(money any | cut -d' ' -f2)" 0
is "what events charged is what the wallet spent" "$(events | json 'sum(round(float(e["charge"]) * 10**9) for e in d["events"])')" "$(nano "$(money any | cut -d' ' -f3)")"
stop_agent
done_playing
