#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What is billed, and is no text of the model that was asked: images made by another model than the one that is named,
# sound, pictures that a tool draws. A provider of this play's own answers, with bills that are known.
. "$(dirname "$0")/lib.sh"
play "images, sound and drawings cost what is billed for them"
provider
python3 "$ROOT/tests/scenarios/66-units.py" "$T/units.port" >"$T/units.log" 2>&1 &
UNITS_PID=$!
ON_END="kill $UNITS_PID"
wait_for 10 test -s "$T/units.port"
python3 - "$T/providers.yaml" "$(cat "$T/units.port")" <<'P'
import re, sys
path, port = sys.argv[1:]
rows = open(path).read().split("  - id: ")
for number, row in enumerate(rows):
    if row.startswith("openai\n"):
        row = re.sub("base_url: .*", "base_url: http://127.0.0.1:" + port, row, count=1)
        rows[number] = re.sub("    ca_file.*\n", "", row)
open(path, "w").write("  - id: ".join(rows))
P
policy <<'Y'
providers:
  routing: {cross_dialect: equal}
  targets:
    - {id: dall-e, provider: openai, model: dall-e-2, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: image, provider: openai, model: gpt-image-1, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: audio, provider: openai, model: gpt-audio, secret_key_ref: {env: OPENAI_API_KEY}}
consumer_groups:
  - {name: any, api_key: kt_cg_any, wallet_team_id: any}
  - {name: plain, api_key: kt_cg_plain, wallet_team_id: any, denied_models: ["gpt-image*"]}
wallets:
  - {id: any, credit: "1000"}
Y
agent
ask() { # PATH BODY: the status; the answer is in $T/answer, the event in $T/event
    note_events
    governed sh -c 'exec curl -sS -m 30 -o "$T/answer" -w "%{http_code}" -H "authorization: Bearer $OPENAI_API_KEY" -H "content-type: application/json" "https://api.openai.com$1" -d "$2"' sh "$1" "$2" 2>"$T/error"
    wait_for 10 has_new_event
    "$TOLLGATE" events --limit 1 --json >"$T/event"
}
event() { json "d['events'][0]$1" <"$T/event"; }
nano() { python3 -c 'import sys; print(round(float(sys.argv[1]) * 10**9))' "$(event '["charge"]')"; }
held() { check "  no more than was held" python3 -c "import sys; sys.exit(not 0 < $(event '["charge"]') <= $(event '["hold"]'))"; }

# ---- images: no model is named ----
bare='{"prompt":"a cat","background":"transparent","output_format":"png"}'
GROUP=plain
is "an image with a parameter of gpt-image is one of gpt-image: denied" "$(ask /v1/images/generations "$bare")" 403
GROUP=any
is "  and made where that is allowed" "$(ask /v1/images/generations "$bare")" 200
is "  at the price of its tokens" "$(nano) $(event '["model"]') $(event '["basis"]')" "166650000 gpt-image-1 exact"
held
GROUP=plain
is "without such a parameter it is one of dall-e-2" "$(ask /v1/images/generations '{"prompt":"a cat"}')" 200
is "  whose answer counts tokens: it costs its price by the piece" "$(nano) $(event '["model"]') $(event '["basis"]')" "20000000 dall-e-2 estimate"

# ---- sound in a chat: read to the end, and cut before the usage came ----
GROUP=any
talk() { ask /v1/chat/completions "{\"model\":\"gpt-audio\",\"modalities\":[\"text\",\"audio\"],\"audio\":{\"voice\":\"alloy\",\"format\":\"pcm16\"},\"stream\":true,\"max_completion_tokens\":3000,\"messages\":[{\"role\":\"user\",\"content\":\"read me a story\"}]$1}"; }
is "sound that is heard to its end" "$(talk "")" 200
is "  costs what the usage says" "$(nano) $(event '["basis"]')" "106450000 exact"
talk ',"metadata":{"cut":"400"}' >"$T/status"
check "sound whose usage does not come costs no less ($(nano))" test "$(nano)" -ge 106450000
is "  by an estimate" "$(event '["usage_source"]')" estimated
held

# ---- pictures that a tool of a response draws ----
draw() { ask /v1/responses "{\"model\":\"gpt-5.4-nano\",\"max_output_tokens\":200,\"input\":\"draw a cat\",\"tools\":[{\"type\":\"image_generation\"$1}]}"; }
is "a picture that a tool draws" "$(draw ',"model":"gpt-image-1","quality":"high","size":"1536x1024"')" 200
is "  costs what its own model costs" "$(nano) $(event '["model"]') $(event '["basis"]')" "250282500 gpt-5.4-nano exact"
held
is "a tool that names no model draws with the default one" "$(draw '') $(nano)" "200 250282500"
held
is "one of another model" "$(draw ',"model":"gpt-image-1-mini"') $(nano)" "200 50152500"
held
is "one that the list does not know is not drawn for its price" "$(draw ',"model":"gpt-image-9"')" 200
held
is "two models are refused" "$(ask /v1/responses '{"model":"gpt-5.4-nano","max_output_tokens":200,"input":"x","tools":[{"type":"image_generation"},{"type":"image_generation","model":"gpt-image-2"}]}')" 400
GROUP=plain
is "a tool's model that is denied to the group" "$(draw ',"model":"gpt-image-1"')" 403
has "  is named" "$(cat "$T/answer")" "image_generation draws with gpt-image-1"
is "  and so is the default one" "$(draw '')" 403

# ---- a stream that cannot be translated any more: what still comes is billed all the same ----
GROUP=any
anthropic '{"model":"gpt-5.4-nano","max_tokens":9000,"stream":true,"messages":[{"role":"user","content":"hi"}],"tools":[{"name":"weather","input_schema":{"type":"object"}}]}' \
    -N -o "$T/answer" 2>/dev/null
has "more tool calls than a translation takes end it for the program" "$(cat "$T/answer")" "event: error"
wait_for_event
"$TOLLGATE" events --limit 1 --json >"$T/event"
is "  and cost what the provider counted to the end" "$(nano) $(event '["usage_source"]')" "$((500 * 200 + 8000 * 1250)) provider"
held

stop_agent
done_playing
