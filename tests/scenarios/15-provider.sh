#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The stand-in provider itself: formats, usage, bill, faults, gate, rules, and 1,000 paced streams at once. What is
# wrong here makes every later scenario lie, so it comes before them. BUILD: build directory. STREAMS: size of the load.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$here/build}
streams=${STREAMS:-1000}
work=$(mktemp -d)
failed=0
pid=

finish() {
    [ -n "$pid" ] && kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT

expect() { # NAME ACTUAL WANTED
    if [ "$2" = "$3" ]; then
        echo "ok $1"
    else
        echo "not ok $1: got '$2', wanted '$3'"
        failed=1
    fi
}

check_same() { # NAME FILE FILE
    expect "$1" "$(cmp "$2" "$3" && echo same)" same
}

start() { # OPTIONS…: waits for the port on a pipe, not for a while
    mkfifo "$work/ready"
    "$build/provider" --listen 127.0.0.1:0 --ca-file "$work/ca.pem" --ca-key "$work/ca.key" --port-file "$work/port" \
        --bill "$work/bill.jsonl" --names extra.test --ready-fd 9 "$@" 9>"$work/ready" >"$work/out" 2>&1 &
    pid=$!
    read -r port <"$work/ready"
    rm "$work/ready"
    url=https://api.openai.com:$port
}

stop() {
    kill "$pid"
    wait "$pid"
    status=$?
    pid=
}

call() { # PATH curl-options…: body to $work/body; prints the HTTP status and curl's exit code
    local path=$1
    shift
    curl -s -m 20 -o "$work/body" -w '%{http_code} %{exitcode}' --cacert "$work/ca.pem" \
        --resolve "api.openai.com:$port:127.0.0.1" -H "authorization: Bearer ${key-sk-standin-secret}" "$@" "$url$path"
}

chat() { # PROMPT MEMBERS curl-options…: JSON members come after the messages
    local prompt=$1 members=${2:-}
    shift $(($# > 1 ? 2 : 1))
    call /v1/chat/completions "$@" \
        -d "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"$prompt\"}]${members:+,$members}}"
}

message() { # PROMPT MEMBERS curl-options…
    local prompt=$1 members=${2:-}
    shift $(($# > 1 ? 2 : 1))
    call /v1/messages -H 'anthropic-version: 2023-06-01' "$@" -d "{\"model\":\"claude-test\",\"max_tokens\":1000,
        \"messages\":[{\"role\":\"user\",\"content\":\"$prompt\"}]${members:+,$members}}"
}

generate() { # VERB PROMPT MEMBERS
    call "/v1beta/models/gemini-test:$1" -d "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"$2\"}]}]${3:+,$3}}"
}

# Evaluates a Python expression over the last answer: d is its JSON, or the list of its SSE events; raw its bytes.
answer() {
    python3 - "$work/body" "$1" <<'PYTHON' 2>&1 | tail -1
import json, sys
raw = open(sys.argv[1], "rb").read()
text = raw.decode(errors="replace")
if "data: " in text[:60]:
    d = [json.loads(l[6:]) for l in text.splitlines() if l.startswith("data: {")]
    names = [l[7:] for l in text.splitlines() if l.startswith("event: ")]
else:
    try:
        d = json.loads(text) if text.strip() else None
    except ValueError:
        d = None
        if sys.argv[2] == "d":
            raise
print(eval("(" + sys.argv[2] + ")"))
PYTHON
}

bill() { # EXPRESSION over rows (list) and last (its last row)
    call /_bill >"$work/status"
    answer "(lambda rows, last: ($1))(d, d[-1] if d else None)"
}

openai_formats() {
    expect chat "$(chat 'hello there [[tokens=6]]')" "200 0"
    expect chat.text "$(answer 'd["choices"][0]["message"]["content"]')" "You said: hello there and the"
    expect chat.usage "$(answer '[d["usage"][k] for k in ("prompt_tokens", "completion_tokens", "total_tokens")]')" \
        "[9, 6, 15]"
    chat 'long [[tokens=50]]' '"max_tokens":7' >/dev/null
    expect chat.length "$(answer '(d["choices"][0]["finish_reason"], d["usage"]["completion_tokens"])')" "('length', 7)"
    chat x '"n":3' >/dev/null
    expect chat.choices "$(answer '(len(d["choices"]), d["usage"]["completion_tokens"])')" "(3, 60)"
    chat x '"response_format":{"type":"json_object"}' >/dev/null
    expect chat.json "$(answer 'list(json.loads(d["choices"][0]["message"]["content"]))')" "['answer']"
    chat '[[fresh=2000]][[cached=400]][[cache_write=200]]' >/dev/null
    expect chat.cached "$(answer '[d["usage"]["prompt_tokens"]] + [d["usage"]["prompt_tokens_details"][k]
        for k in ("cached_tokens", "cache_write_tokens")]')" "[2600, 400, 200]"
    chat 'hi [[tokens=4]]' '"stream":true' >/dev/null
    expect sse.text "$(answer '"".join(c["choices"][0]["delta"].get("content") or "" for c in d)')" "You said: hi and"
    expect sse.no_usage "$(answer 'any("usage" in c for c in d), raw.endswith(b"data: [DONE]\n\n"), len(d)')" \
        "(False, True, 6)"
    chat 'hi [[tokens=4]]' '"stream":true,"stream_options":{"include_usage":true}' >/dev/null
    expect sse.usage "$(answer '[c["usage"] for c in d[:-1]], d[-1]["choices"], d[-1]["usage"]["total_tokens"]')" \
        "([None, None, None, None, None, None], [], 11)"
    call /v1/completions -d '{"model":"m","prompt":"one [[tokens=3]]"}' >/dev/null
    expect completions "$(answer 'd["choices"][0]["text"], d["usage"]["completion_tokens"]')" "('You said: one', 3)"
    call /v1/responses -d '{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"a [[tokens=3]]"}]}]}' \
        >/dev/null
    expect responses "$(answer 'd["output"][0]["content"][0]["text"], d["usage"]["output_tokens"]')" "('You said: a', 3)"
    call /v1/responses -d '{"model":"m","input":"a","stream":true,"max_output_tokens":2}' >/dev/null
    expect responses.sse "$(answer 'names[0], names[-1], d[-1]["response"]["usage"]["output_tokens"],
        [e["sequence_number"] for e in d] == list(range(len(d))), all(e["type"] == n for e, n in zip(d, names))')" \
        "('response.created', 'response.incomplete', 2, True, True)"
    call /v1/embeddings -d '{"model":"m","input":["a","bb"],"dimensions":8}' >/dev/null
    expect embeddings "$(answer '[len(e["embedding"]) for e in d["data"]], d["usage"]["total_tokens"]')" "([8, 8], 8)"
    call /v1/embeddings -d '{"model":"m","input":"a","dimensions":6,"encoding_format":"base64"}' >/dev/null
    expect embeddings.base64 "$(answer 'len(__import__("base64").b64decode(d["data"][0]["embedding"]))')" 24
    call /v1/models >/dev/null
    expect models "$(answer 'd["object"], d["data"][0]["object"]')" "('list', 'model')"
}

anthropic_formats() {
    message 'hello [[tokens=4]]' >/dev/null
    expect message "$(answer 'd["content"][0]["text"], d["stop_reason"], d["usage"]["input_tokens"],
        d["usage"]["output_tokens"]')" "('You said: hello and', 'end_turn', 8, 4)"
    message '[[fresh=3]][[cache_write=12304]][[tokens=550]]' '"stream":true' >/dev/null
    expect message.sse "$(answer 'names[:3] + names[-3:], len(d)')" \
        "(['message_start', 'content_block_start', 'ping', 'content_block_stop', 'message_delta', 'message_stop'], 556)"
    expect message.usage "$(answer '[d[0]["message"]["usage"][k] for k in ("input_tokens",
        "cache_creation_input_tokens", "cache_read_input_tokens")], d[-2]["usage"]')" \
        "([3, 12304, 0], {'output_tokens': 550})"
    message '[[late_input=1]][[fresh=9]]' '"stream":true' >/dev/null
    expect message.late "$(answer 'd[0]["message"]["usage"]["input_tokens"], d[-2]["usage"]["input_tokens"]')" "(0, 9)"
    call /v1/messages/count_tokens -H 'anthropic-version: 1' \
        -d '{"model":"m","system":"be brief","messages":[{"role":"user","content":"hello"}]}' >/dev/null
    expect count_tokens "$(answer 'd')" "{'input_tokens': 10}"
    expect message.version "$(call /v1/messages -d '{}') $(answer 'd["error"]["type"]')" "400 0 invalid_request_error"
    expect message.max_tokens "$(call /v1/messages -H 'anthropic-version: 1' \
        -d '{"model":"m","messages":[{"role":"user","content":"x"}]}') $(answer 'd["error"]["message"]')" \
        "400 0 max_tokens: Field required"
}

gemini_formats() {
    generate generateContent 'hi [[tokens=3]] [[fresh=10]] [[cached=5]] [[reasoning=7]] [[tool_prompt=2]]' >/dev/null
    expect gemini "$(answer 'd["candidates"][0]["content"]["parts"][0]["text"], [d["usageMetadata"][k] for k in (
        "promptTokenCount", "cachedContentTokenCount", "candidatesTokenCount", "thoughtsTokenCount",
        "toolUsePromptTokenCount", "totalTokenCount")]')" "('You said: hi', [15, 5, 3, 7, 2, 27])"
    generate 'streamGenerateContent?alt=sse' 'hi [[tokens=3]]' >/dev/null
    expect gemini.sse "$(answer '[c["usageMetadata"]["candidatesTokenCount"] for c in d],
        d[-1]["candidates"][0]["finishReason"]')" "([1, 2, 3], 'STOP')"
    key='' generate 'streamGenerateContent?key=abc' 'hi [[tokens=3]]' >/dev/null
    expect gemini.array "$(answer 'type(d).__name__, "".join(c["candidates"][0]["content"]["parts"][0]["text"]
        for c in d)')" "('list', 'You said: hi')"
    call /v1beta/models/m:embedContent -d '{"content":{"parts":[{"text":"hi"}]}}' >/dev/null
    expect gemini.embed "$(answer 'len(d["embedding"]["values"])')" 768
}

tool_calls() {
    local schema='{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city","days"]}'
    local openai="\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"parameters\":$schema}}]"
    local want="('weather', {'city': 'example', 'days': 1})"
    chat 'use the tool' "$openai" >/dev/null
    expect tool.openai "$(answer '(lambda f: (f["name"], json.loads(f["arguments"])))(
        d["choices"][0]["message"]["tool_calls"][0]["function"])')" "$want"
    chat 'use the tool' "$openai,\"stream\":true" >/dev/null
    expect tool.openai.sse "$(answer '(lambda t: (t[0]["function"]["name"], json.loads("".join(
        p["function"]["arguments"] for p in t))))([c["choices"][0]["delta"]["tool_calls"][0] for c in d[:-1]])')" "$want"
    call /v1/chat/completions -d "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"use the tool\"},
        {\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"sunny\"}],$openai}" >/dev/null
    expect tool.result "$(answer 'd["choices"][0]["finish_reason"]')" stop
    message 'use the tool' "\"tools\":[{\"name\":\"weather\",\"input_schema\":$schema}]" >/dev/null
    expect tool.anthropic "$(answer 'd["content"][0]["name"], d["content"][0]["input"]')" "$want"
    message 'use the tool' "\"stream\":true,\"tools\":[{\"name\":\"weather\",\"input_schema\":$schema}]" >/dev/null
    expect tool.anthropic.sse "$(answer 'd[1]["content_block"]["name"], json.loads("".join(
        e["delta"]["partial_json"] for e in d if e["type"] == "content_block_delta"))')" "$want"
    generate generateContent 'use the tool' "\"tools\":[{\"functionDeclarations\":[{\"name\":\"weather\",\"parameters\":$schema}]}]" \
        >/dev/null
    expect tool.gemini "$(answer '(lambda f: (f["name"], f["args"]))(
        d["candidates"][0]["content"]["parts"][0]["functionCall"])')" "$want"
    call /v1/responses -d "{\"model\":\"m\",\"input\":\"use the tool\",\"stream\":true,
        \"tools\":[{\"type\":\"function\",\"name\":\"weather\",\"parameters\":$schema}]}" >/dev/null
    expect tool.responses.sse "$(answer '(lambda i: (i["name"], json.loads(i["arguments"])))(
        d[-1]["response"]["output"][0])')" "$want"
}

SCHEMA='{"type":"object","properties":{"city":{"type":"string","enum":["Bäle"]},"at":{"type":"object","properties":{"day":{"type":"integer"}},"required":["day"]},"tags":{"type":"array","minItems":2,"items":{"type":"string"}}},"required":["city","at","tags"]}'
SCHEMA_WANTED="{'city': 'Bäle', 'at': {'day': 1}, 'tags': ['example', 'example']}"

tool_calls_at_once() {
    local schema='{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}'
    local openai="\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"parameters\":$schema}}]"
    local anthropic="\"tools\":[{\"name\":\"weather\",\"input_schema\":$schema}]" want="(3, 3, [{'city': 'example'}])"
    local prompt='use the tool [[tool_calls=3]]'
    chat "$prompt" "$openai" >/dev/null
    expect tools.openai "$(answer '(lambda t: (len(t), len({c["id"] for c in t}), [json.loads(a) for a in {c["function"]["arguments"] for c in t}]))(
        d["choices"][0]["message"]["tool_calls"])')" "$want"
    chat "$prompt" "$openai,\"stream\":true" >/dev/null
    expect tools.openai.sse "$(answer '(lambda t: (len({c["index"] for c in t}), len([c for c in t if "id" in c]), [json.loads(a) for a in
        {"".join(c["function"]["arguments"] for c in t if c["index"] == i) for i in (0, 1, 2)}]))(
        [c for e in d for c in e["choices"][0]["delta"].get("tool_calls", [])])')" "$want"
    message "$prompt" "$anthropic" >/dev/null
    expect tools.anthropic "$(answer 'len(d["content"]), len({b["id"] for b in d["content"]}), [d["content"][2]["input"]]')" "$want"
    message "$prompt" "$anthropic,\"stream\":true" >/dev/null
    expect tools.anthropic.sse "$(answer '(lambda starts, stops, text: (len(starts), len(set(stops)), [json.loads(a) for a in {text(i) for i in stops}]))(
        [e for e in d if e["type"] == "content_block_start"], [e["index"] for e in d if e["type"] == "content_block_stop"],
        lambda i: "".join(e["delta"]["partial_json"] for e in d if e["type"] == "content_block_delta" and e["index"] == i))')" "$want"
    for verb in generateContent 'streamGenerateContent?alt=sse' streamGenerateContent; do
        generate "$verb" "$prompt" "\"tools\":[{\"functionDeclarations\":[{\"name\":\"weather\",\"parameters\":$schema}]}]" >/dev/null
        expect "tools.gemini ${verb:0:6}" "$(answer '(lambda p: (len(p), 3, [p[2]["functionCall"]["args"]]))(
            [q for c in (d if isinstance(d, list) else [d]) for q in c["candidates"][0]["content"]["parts"]])')" "$want"
    done
    local responses="{\"model\":\"m\",\"input\":\"$prompt\",\"tools\":[{\"type\":\"function\",\"name\":\"weather\",\"parameters\":$schema}]"
    call /v1/responses -d "$responses}" >/dev/null
    expect tools.responses "$(answer '(lambda o: (len(o), len({i["call_id"] for i in o}), [json.loads(o[2]["arguments"])]))(d["output"])')" "$want"
    call /v1/responses -d "$responses,\"stream\":true}" >/dev/null
    expect tools.responses.sse "$(answer '(lambda o: (len(o), len({i["call_id"] for i in o}), [json.loads(o[2]["arguments"])]))(
        [e["item"] for e in d if e["type"] == "response.output_item.done"])')" "$want"
    expect tools.responses.order "$(answer '[e["sequence_number"] for e in d] == list(range(len(d))), d[-1]["type"],
        "".join(e["delta"] for e in d if e.get("delta") and e["output_index"] == 1)')" "(True, 'response.completed', '{\"city\":\"example\"}')"
    chat 'no word of it' "$openai,\"tool_choice\":\"required\"" >/dev/null
    expect tools.forced.openai "$(answer 'd["choices"][0]["finish_reason"]')" tool_calls
    message 'no word of it' "\"tools\":[{\"name\":\"other\",\"input_schema\":{}},{\"name\":\"weather\",\"input_schema\":$schema}],
        \"tool_choice\":{\"type\":\"tool\",\"name\":\"weather\"}" >/dev/null
    expect tools.forced.anthropic "$(answer 'd["content"][0]["name"], d["content"][0]["input"]')" "('weather', {'city': 'example'})"
}

schemas() {
    chat x "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\",\"schema\":$SCHEMA}}" >/dev/null
    expect schema.openai "$(answer 'json.loads(d["choices"][0]["message"]["content"])')" "$SCHEMA_WANTED"
    chat x "\"stream\":true,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\",\"schema\":$SCHEMA}}" >/dev/null
    expect schema.openai.sse "$(answer 'json.loads("".join(c["choices"][0]["delta"].get("content") or "" for c in d))')" "$SCHEMA_WANTED"
    expect schema.billed "$(bill 'last["usage"]["out"]') $(answer 0)" "$(bill 'last["events"] - 3') 0"
    call /v1/responses -d "{\"model\":\"m\",\"input\":\"x\",\"text\":{\"format\":{\"type\":\"json_schema\",\"schema\":$SCHEMA}}}" >/dev/null
    expect schema.responses "$(answer 'json.loads(d["output"][0]["content"][0]["text"])')" "$SCHEMA_WANTED"
    message x "\"tools\":[{\"name\":\"json\",\"input_schema\":$SCHEMA}],\"tool_choice\":{\"type\":\"any\"}" >/dev/null
    expect schema.anthropic "$(answer 'd["content"][0]["input"]')" "$SCHEMA_WANTED"
    generate generateContent x "\"generationConfig\":{\"responseMimeType\":\"application/json\",\"responseSchema\":$SCHEMA}" >/dev/null
    expect schema.gemini "$(answer 'json.loads(d["candidates"][0]["content"]["parts"][0]["text"])')" "$SCHEMA_WANTED"
}

contents() {
    local pixel=iVBORw0KGgo= text='{"type":"text","text":"look"}' tokens
    call /v1/chat/completions -d "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[$text,
        {\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,$pixel\"}},{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x.example/a.png\"}}]}]}" >/dev/null
    expect image.openai "$(answer 'd["usage"]["prompt_tokens"]')" $((1 + 3 + 170))
    call /v1/messages -H 'anthropic-version: 1' -d "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":[$text,
        {\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"$pixel\"}},
        {\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x.example/a.png\"}}]}]}" >/dev/null
    expect image.anthropic "$(answer 'd["usage"]["input_tokens"]')" $((1 + 3 + 170))
    call /v1beta/models/m:generateContent -d "{\"contents\":[{\"parts\":[{\"text\":\"look\"},{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"$pixel\"}}]}]}" >/dev/null
    expect image.gemini "$(answer 'd["usageMetadata"]["promptTokenCount"]')" $((1 + 3 + 85))
    call /v1/responses -d "{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"image_url\":\"https://x.example/a.png\"}]}]}" >/dev/null
    expect image.responses "$(answer 'd["usage"]["input_tokens"]')" 88
    tokens='[[reasoning=5]] [[show_reasoning=1]] [[tokens=4]]'
    chat "hi $tokens" >/dev/null
    expect thinking.openai "$(answer 'd["choices"][0]["message"]["reasoning_content"], d["choices"][0]["message"]["content"],
        d["usage"]["completion_tokens"]')" "('and the stand-in answers with', 'You said: hi and', 9)"
    chat "hi $tokens" '"stream":true' >/dev/null
    expect thinking.openai.sse "$(answer '"".join(c["choices"][0]["delta"].get("reasoning_content", "") for c in d)')" "and the stand-in answers with"
    message "hi $tokens" >/dev/null
    expect thinking.anthropic "$(answer 'd["content"][0]["thinking"], len(d["content"][0]["signature"]) > 8, d["content"][1]["text"],
        d["usage"]["output_tokens"]')" "('and the stand-in answers with', True, 'You said: hi and', 9)"
    message "hi $tokens" '"stream":true' >/dev/null
    expect thinking.anthropic.sse "$(answer '[(e["type"].split("_")[-1], e["index"]) for e in d if e["type"].startswith("content_block_s")],
        [e["delta"]["type"] for e in d if e["type"] == "content_block_delta"][5]')" \
        "([('start', 0), ('stop', 0), ('start', 1), ('stop', 1)], 'signature_delta')"
    for verb in generateContent 'streamGenerateContent?alt=sse' streamGenerateContent; do
        generate "$verb" "hi $tokens" >/dev/null
        expect "thinking.gemini ${verb:0:6}" "$(answer '(lambda p: (p[0]["text"], p[0]["thought"], "".join(q["text"] for q in p[1:])))(
            [q for c in (d if isinstance(d, list) else [d]) for q in c["candidates"][0]["content"]["parts"]])')" \
            "('and the stand-in answers with', True, 'You said: hi and')"
    done
    chat 'hi [[refusal=1]] [[tokens=4]]' >/dev/null
    expect refusal.openai "$(answer 'd["choices"][0]["message"]["content"], d["choices"][0]["message"]["refusal"]')" "(None, 'I will not: hi')"
    chat 'hi [[refusal=1]] [[tokens=4]]' '"stream":true' >/dev/null
    expect refusal.openai.sse "$(answer '"".join(c["choices"][0]["delta"].get("refusal") or "" for c in d)')" "I will not: hi"
    message 'hi [[refusal=1]]' >/dev/null
    expect refusal.anthropic "$(answer 'd["stop_reason"]')" refusal
    generate generateContent 'hi [[refusal=1]]' >/dev/null
    expect refusal.gemini "$(answer 'd["candidates"][0]["finishReason"]')" SAFETY
    call /v1/responses -d '{"model":"m","input":"[[web_search=2]] [[tokens=3]]","stream":true}' >/dev/null
    expect search "$(answer '[i["type"] for i in d[-1]["response"]["output"]], [e["sequence_number"] for e in d] == list(range(len(d))),
        [e["output_index"] for e in d if e["type"] == "response.output_item.done"]')" \
        "(['web_search_call', 'web_search_call', 'message'], True, [0, 1, 2])"
    expect search.billed "$(bill 'last["usage"]["tool_calls"]')" 2
    local asked
    asked=$(python3 -c 'import time; print(time.monotonic_ns())')
    chat '[[stamp=1]] [[tokens=3]] [[pace_ms=20]]' '"stream":true' >/dev/null
    # From before the call: a token that is late itself is nearer to the next.
    expect stamp "$(answer '(lambda t, now: (len(t), t == sorted(t), t[2] - '"$asked"' >= 40e6, 0 <= now - t[2] < 5e9))(
        [int(c["choices"][0]["delta"]["content"][1:].split(" ")[0]) for c in d if c["choices"][0]["delta"].get("content")],
        __import__("time").monotonic_ns())')" "(3, True, True, True)"
}

job() { # EXPRESSION over the job rows of the bill
    call /_bill >"$work/status"
    answer "(lambda jobs, last: ($1))([r for r in d if r.get('job')], d[-1])"
}

background() {
    local id
    call /_reset -d '' >/dev/null
    call /v1/responses -d '{"model":"gpt-4o","background":true,"input":"hello [[tokens=5]] [[polls=2]]"}' >/dev/null
    expect job.queued "$(answer 'd["status"], d["background"], d["usage"], d["output"]')" "('queued', True, None, [])"
    id=$(answer 'd["id"]')
    for _ in 1 2; do
        call "/v1/responses/$id" >/dev/null
        expect job.running "$(answer 'd["id"], d["status"], d["usage"]')" "('$id', 'in_progress', None)"
    done
    expect job.unbilled "$(bill '[r["usage"]["out"] for r in rows]')" "[0, 0, 0]"
    call "/v1/responses/$id" >/dev/null
    expect job.done "$(answer 'd["status"], d["usage"]["output_tokens"], d["output"][0]["content"][0]["text"]')" "('completed', 5, 'You said: hello and the')"
    call "/v1/responses/$id" >/dev/null
    expect job.billed_once "$(job '[(r["job"], r["model"], r["usage"]["out"], r["usage"]["fresh"]) for r in jobs], last["usage"]["out"], last["endpoint"]')" \
        "([('$id', 'gpt-4o', 5, 11)], 0, 'responses.retrieve')"
    call /v1/responses -d "{\"model\":\"gpt-4o\",\"input\":\"more [[tokens=2]]\",\"previous_response_id\":\"$id\"}" >/dev/null
    expect job.previous "$(answer 'd["previous_response_id"], d["usage"]["input_tokens"]')" "('$id', $((8 + 11 + 5)))"
    expect job.previous.unknown "$(call /v1/responses -d '{"model":"m","input":"x","previous_response_id":"resp_none"}') $(answer 'd["error"]["code"]')" \
        "400 0 previous_response_not_found"
    expect job.unknown "$(call /v1/responses/resp_none)" "404 0"
    call /v1/responses -d '{"model":"m","background":true,"input":"x"}' >/dev/null
    id=$(answer 'd["id"]')
    call "/v1/responses/$id/cancel" -X POST >/dev/null
    expect job.cancelled "$(answer 'd["status"], d["usage"]')" "('cancelled', None)"
    call "/v1/responses/$id" >/dev/null
    expect job.cancelled.stays "$(answer 'd["status"]') $(job 'len(jobs)')" "cancelled 1"
    call /v1/responses -d '{"model":"m","background":true,"input":"[[job_fails=1]] [[polls=0]]"}' >/dev/null
    call "/v1/responses/$(answer 'd["id"]')" >/dev/null
    expect job.failed "$(answer 'd["status"], d["error"]["code"], d["usage"]') $(job 'len(jobs)')" "('failed', 'server_error', None) 1"
    call /v1/responses -d '{"model":"m","background":true,"stream":true,"input":"[[tokens=40]] [[fault=cut_fin]] [[polls=1]]"}' >/dev/null
    id=$(answer 'd[0]["response"]["id"]')
    expect job.stream.cut "$(answer 'd[0]["response"]["background"], d[-1]["type"]') $(job 'jobs[-1]["usage"]["out"], last["usage"]["out"]')" \
        "(True, 'response.output_text.delta') (40, 0)"
    call "/v1/responses/$id" >/dev/null
    call "/v1/responses/$id" >/dev/null
    expect job.stream.goes_on "$(answer 'd["status"], d["usage"]["output_tokens"]') $(job 'len(jobs)')" "('completed', 40) 2"
}

line() { # NUMBER PROMPT [MODEL]
    printf '{"custom_id":"r%s","method":"POST","url":"/v1/chat/completions","body":{"model":"%s","max_tokens":9,"messages":[{"role":"user","content":"%s"}]}}\n' "$1" "${3:-gpt-4o}" "$2"
}

batch() { # makes one of $work/lines, prints its id
    call /v1/files -F purpose=batch -F "file=@$work/lines;filename=in.jsonl" >/dev/null
    call /v1/batches -d "{\"input_file_id\":\"$(answer 'd["id"]')\",\"endpoint\":\"/v1/chat/completions\",\"completion_window\":\"24h\"}" >/dev/null
    answer 'd["id"]'
}

batches() {
    local id
    call /_reset -d '' >/dev/null
    { line 1 'one [[tokens=3]]'; line 2 'two [[tokens=4]] [[cached=50]]'; line 3 '[[fault=429]]'; } >"$work/lines"
    call /v1/files -F purpose=batch -F "file=@$work/lines;filename=in.jsonl" >/dev/null
    expect file "$(answer 'd["object"], d["bytes"], d["purpose"], d["filename"]')" "('file', $(wc -c <"$work/lines"), 'batch', 'in.jsonl')"
    call "/v1/files/$(answer 'd["id"]')/content" >/dev/null
    check_same file.content "$work/body" "$work/lines"
    expect file.unknown "$(call /v1/files/file-none) $(call /v1/files -F purpose=batch) $(call /v1/batches -d '{}')" "404 0 400 0 400 0"
    id=$(batch)
    expect batch.made "$(answer 'd["status"], d["request_counts"], "usage" in d')" "('validating', {'total': 3, 'completed': 0, 'failed': 0}, False)"
    call "/v1/batches/$id" >/dev/null
    expect batch.running "$(answer 'd["status"]') $(job 'len(jobs)')" "in_progress 0"
    call "/v1/batches/$id" >/dev/null
    expect batch.done "$(answer 'd["status"], d["model"], d["request_counts"], [d["usage"][k] for k in ("input_tokens", "output_tokens", "total_tokens")],
        d["usage"]["input_tokens_details"]')" \
        "('completed', 'gpt-4o', {'total': 3, 'completed': 2, 'failed': 1}, [$((7 + 11 + 50)), 7, 75], {'cached_tokens': 50})"
    call "/v1/files/$(answer 'd["output_file_id"]')/content" >/dev/null
    expect batch.output "$(answer '[(r["custom_id"], r["response"]["body"]["usage"]["completion_tokens"]) for r in map(json.loads, text.splitlines())]')" \
        "[('r1', 3), ('r2', 4)]"
    call "/v1/batches/$id" >/dev/null
    expect batch.billed_once "$(job '[(r["job"], r["requests"], r["usage"]["fresh"], r["usage"]["cache_read"], r["usage"]["out"]) for r in jobs]')" \
        "[('$id', 2, 18, 50, 7)]"
    { line 1 x; line 2 x gpt-4o-mini; } >"$work/lines"
    id=$(batch)
    call "/v1/batches/$id" >/dev/null
    call "/v1/batches/$id" >/dev/null
    expect batch.failed "$(answer 'd["status"], d["errors"]["data"][0]["code"]') $(job 'len(jobs)')" "('failed', 'mismatched_model') 1"
    line 1 x >"$work/lines"
    id=$(batch)
    call "/v1/batches/$id/cancel" -X POST >/dev/null
    expect batch.cancelling "$(answer 'd["status"]')" cancelling
    call "/v1/batches/$id" >/dev/null
    expect batch.cancelled "$(answer 'd["status"], d["usage"]["total_tokens"]') $(job 'len(jobs)')" "('cancelled', 0) 1"
}

message_batches() {
    local id version='anthropic-version: 2023-06-01'
    param() { printf '{"custom_id":"%s","params":{"model":"claude-test","max_tokens":50,"messages":[{"role":"user","content":"%s"}]}}' "$1" "$2"; }
    call /_reset -d '' >/dev/null
    call /v1/messages/batches -H "$version" -d "{\"requests\":[$(param a 'one [[tokens=3]]'),$(param b '[[job_fails=1]]'),$(param c 'two [[tokens=4]]')]}" >/dev/null
    expect mbatch.made "$(answer 'd["type"], d["processing_status"], d["request_counts"]["processing"], d["results_url"]')" "('message_batch', 'in_progress', 3, None)"
    id=$(answer 'd["id"]')
    expect mbatch.results_later "$(call "/v1/messages/batches/$id/results" -H "$version")" "404 0"
    call "/v1/messages/batches/$id" -H "$version" >/dev/null
    expect mbatch.running "$(answer 'd["processing_status"]') $(job 'len(jobs)')" "in_progress 0"
    call "/v1/messages/batches/$id" -H "$version" >/dev/null
    expect mbatch.ended "$(answer 'd["processing_status"], d["request_counts"]["succeeded"], d["request_counts"]["errored"], d["results_url"].endswith("/results")')" \
        "('ended', 2, 1, True)"
    call "/v1/messages/batches/$id/results" -H "$version" >/dev/null
    expect mbatch.results "$(answer '[(r["custom_id"], r["result"]["type"], r["result"].get("message", {}).get("usage", {}).get("output_tokens"))
        for r in map(json.loads, text.splitlines())]')" "[('a', 'succeeded', 3), ('b', 'errored', None), ('c', 'succeeded', 4)]"
    expect mbatch.billed "$(job '[(r["job"], r["model"], r["usage"]["fresh"], r["usage"]["out"]) for r in jobs]')" "[('$id', 'claude-test', 14, 7)]"
    call /v1/messages/batches -H "$version" -d "{\"requests\":[$(param a x)]}" >/dev/null
    id=$(answer 'd["id"]')
    call "/v1/messages/batches/$id/cancel" -X POST -H "$version" >/dev/null
    expect mbatch.canceling "$(answer 'd["processing_status"]')" canceling
    call "/v1/messages/batches/$id" -H "$version" >/dev/null
    expect mbatch.canceled "$(answer 'd["processing_status"], d["request_counts"]["canceled"]') $(job 'len(jobs)')" "('ended', 1) 1"
}

media() {
    head -c 50000 /dev/urandom >"$work/sound"
    call /v1/images/generations -d '{"model":"gpt-image-1","prompt":"a cat","n":2,"quality":"low"}' >/dev/null
    expect image.tokens "$(answer 'len(d["data"]), d["usage"]["output_tokens"], d["usage"]["input_tokens_details"]')" "(2, 544, {'text_tokens': 5, 'image_tokens': 0})"
    expect image.billed "$(bill 'last["usage"]["fresh"], last["usage"]["output_image"], last["usage"]["out"]')" "(5, 544, 0)"
    call /v1/images/generations -d '{"model":"gpt-image-1","prompt":"a cat","stream":true}' >/dev/null
    expect image.sse "$(answer 'names, d[-1]["usage"]["total_tokens"]')" "(['image_generation.partial_image', 'image_generation.completed'], 1061)"
    call /v1/images/generations -d '{"model":"dall-e-3","prompt":"a cat","n":3}' >/dev/null
    expect image.pieces "$(answer 'len(d["data"]), "usage" in d') $(bill 'last["usage"]["images"], last["usage"]["fresh"]')" "(3, False) (3, 0)"
    call /v1/images/edits -F model=gpt-image-1 -F 'prompt=a hat [[tokens=100]]' -F "image[]=@$work/sound;filename=a.png" -F "image[]=@$work/sound;filename=b.png" >/dev/null
    expect image.edit "$(answer 'd["usage"]["input_tokens_details"], d["usage"]["output_tokens"]') $(bill 'last["usage"]["input_image"]')" "({'text_tokens': 8, 'image_tokens': 170}, 100) 170"
    expect image.edit.missing "$(call /v1/images/edits -F model=gpt-image-1 -F prompt=x) $(answer 'd["error"]["param"]')" "400 0 image"
    call /v1/audio/speech -D "$work/head" -d '{"model":"tts-1","voice":"a","input":"Zwölf Boxkämpfer"}' >/dev/null
    expect speech "$(answer 'len(raw)' 2>/dev/null || wc -c <"$work/body") $(grep -ci '^content-type: audio/mpeg' "$work/head")" "4096 1"
    expect speech.billed "$(bill 'last["usage"]["characters"], last["usage"]["fresh"]')" "(16, 0)"
    call /v1/audio/speech -d '{"model":"gpt-4o-mini-tts","voice":"a","input":"hello [[tokens=30]]","stream_format":"sse"}' >/dev/null
    expect speech.sse "$(answer 'd[-1]["type"], d[-1]["usage"]["input_tokens"], d[-1]["usage"]["output_tokens"]') $(bill 'last["usage"]["output_audio"]')" "('speech.audio.done', 8, 30) 30"
    call /v1/audio/transcriptions -F model=whisper-1 -F "file=@$work/sound" >/dev/null
    expect transcript.duration "$(answer 'd["usage"]') $(bill 'last["usage"]["seconds"]')" "{'type': 'duration', 'seconds': 4} 4"
    call /v1/audio/transcriptions -F model=gpt-4o-transcribe -F 'prompt=[[seconds=7]] [[tokens=6]]' -F "file=@$work/sound" >/dev/null
    expect transcript.tokens "$(answer 'd["usage"]["type"], d["usage"]["input_token_details"], d["usage"]["output_tokens"]') $(bill 'last["usage"]["input_audio"]')" \
        "('tokens', {'text_tokens': 10, 'audio_tokens': 70}, 6) 70"
    call /v1/audio/transcriptions -F model=gpt-4o-transcribe -F stream=true -F "file=@$work/sound" >/dev/null
    expect transcript.sse "$(answer 'd[-1]["type"], d[-1]["usage"]["output_tokens"], "".join(e["delta"] for e in d[:-1]) == d[-1]["text"]')" "('transcript.text.done', 20, True)"
    call /v1/audio/transcriptions -D "$work/head" -F model=whisper-1 -F response_format=text -F "file=@$work/sound" >/dev/null
    expect transcript.text "$(cut -c1-9 <"$work/body") $(grep -ci '^content-type: text/plain' "$work/head")" "You said: 1"
    call /v1/audio/transcriptions -F model=whisper-1 -F response_format=srt -F 'prompt=[[seconds=62]]' -F "file=@$work/sound" >/dev/null
    expect transcript.srt "$(sed -n 2p "$work/body")" "00:00:00,000 --> 00:01:02,000"
}

others() {
    expect unmetered "$(call /v1/fine_tuning/jobs) $(call /v1/vector_stores -d '{}') $(call /v1/threads/t/runs -d '{"additional_messages":[{"role":"user","content":"hi"}],"stream":true}') $(tail -c 14 "$work/body" | tr -d '\n')" \
        "200 0 200 0 200 0 data: [DONE]"
    expect prefix "$(call /openai/v1/chat/completions -d '{"model":"m","messages":"x"}') $(answer 'd["object"]')" "200 0 chat.completion"
}

refusals() {
    expect no_model "$(call /v1/chat/completions -d '{}') $(answer 'd["error"]["param"]')" "400 0 model"
    expect no_messages "$(call /v1/chat/completions -d '{"model":"m"}') $(answer 'd["error"]["param"]')" "400 0 messages"
    expect no_json "$(call /v1/chat/completions -d '{"mod') $(answer 'd["error"]["type"]')" "400 0 invalid_request_error"
    expect no_path "$(call /v1/nothing) $(answer 'd["error"]["code"]')" "404 0 unknown_url"
    expect key.none "$(key='' chat x) $(answer 'd["error"]["code"]')" "401 0 invalid_api_key"
    expect key.placeholder "$(key=kt_cg_0123 message x) $(answer 'd["error"]["type"]')" "401 0 authentication_error"
    expect key.bad "$(key=bad generate generateContent x) $(answer 'd["error"]["status"]')" "401 0 UNAUTHENTICATED"
    expect key.anthropic "$(key='' message x '' -H 'x-api-key: sk-a')" "200 0"
    expect bad_http "$(call /v1/models -H 'bad name: x')" "400 0"
}

faults() {
    local row name status
    for row in "429 429" "500 500" "503 503" "model_not_found 404" "insufficient_quota 429" "drop 000:52" \
        "drop_rst 000:56" "short_body 200:18" "cut_rst 200:56" "cut_fin 200:18" "close_after 200"; do
        read -r name status <<<"$row"
        [[ $status == *:* ]] || status=$status:0
        expect "fault.$name" "$(chat "[[fault=$name]]")" "${status/:/ }"
    done
    for name in cut_rst:56 cut_fin:18 half_close:18 error_event:0; do
        expect "fault.sse.$name" "$(chat "[[fault=${name%:*}]][[cut=3]]" '"stream":true')" "200 ${name#*:}"
        expect "fault.sse.$name.events" "$(answer 'sum(1 for c in d if "choices" in c), any("error" in c for c in d)')" \
            "(3, $([ "$name" = error_event:0 ] && echo True || echo False))"
    done
    expect fault.529 "$(message '[[fault=529]]') $(answer 'd["error"]["type"]')" "529 0 overloaded_error"
    chat '[[fault=429]][[retry_after=3]]' '' -D "$work/head" >/dev/null
    expect fault.retry_after "$(tr -d '\r' <"$work/head" | grep -i '^retry-after')" "retry-after: 3"
    chat '[[fault=bad_json]]' >/dev/null
    expect fault.bad_json "$(answer d | cut -d: -f1)" json.decoder.JSONDecodeError
    chat '[[fault=bad_utf8]]' >/dev/null
    expect fault.bad_utf8 "$(answer 'b"\xff\xfe" in raw')" True
    chat '[[fault=no_usage]]' >/dev/null
    expect fault.no_usage "$(answer '"usage" in d') $(bill 'last["usage"]["out"], last["usage_sent"]')" \
        "False (20, 'none')"
    chat '[[fault=zero_usage]]' >/dev/null
    expect fault.zero_usage "$(answer 'd["usage"]["total_tokens"]') $(bill 'last["usage"]["out"]')" "0 0"
    expect fault.hang "$(chat '[[fault=hang]]' '' -m 3) $(bill 'last["status"], last["ended"]')" "000 28 (0, 'fault')"
    expect fault.stall "$(chat '[[fault=stall]][[cut=2]]' '"stream":true' -m 3) $(answer 'len(d)')" "200 28 2"
    expect fault.stream_options "$(chat '[[reject_stream_options=1]]' \
        '"stream":true,"stream_options":{"include_usage":true}') $(answer 'd["error"]["param"]')" "400 0 stream_options"
}

shapes() {
    local bytes
    for bytes in 1024 100000 1000000; do
        chat "[[bytes=$bytes]]" >/dev/null
        expect "bytes.$bytes" "$(answer 'len(raw)') $(bill 'last["answer_bytes"]')" "$bytes $bytes"
    done
    chat '[[bytes=100000]][[framing=chunked]]' '' -D "$work/head" >/dev/null
    expect framing.chunked "$(answer 'len(raw)') $(grep -ci '^transfer-encoding: chunked' "$work/head")" "100000 1"
    chat '[[framing=length]]' '"stream":true' -D "$work/head" >/dev/null
    expect framing.length "$(answer 'len(d)') $(grep -ci '^content-length' "$work/head")" "22 1"
    expect framing.close "$(chat '[[framing=close]][[write_bytes=1]]')" "200 0"
    expect one_byte "$(answer 'd["object"]')" chat.completion
    chat '[[header_bytes=20000]]' '' -D "$work/head" >/dev/null
    expect header_bytes "$(($(wc -c <"$work/head") > 20000))" 1
    local took
    took=$(curl -s -o "$work/body" -w '%{time_starttransfer}' --cacert "$work/ca.pem" \
        --resolve "api.openai.com:$port:127.0.0.1" -H 'authorization: Bearer sk' "$url/v1/chat/completions" \
        -d '{"model":"m","messages":[{"role":"user","content":"[[delay_ms=300]]"}]}')
    expect delay "$(python3 -c "print($took >= 0.3)")" True
}

bill_checks() {
    call /_reset -d '' >/dev/null
    chat 'count me' '"stream":true' -H 'x-standin-tag: t1' -H 'x-request-id: r1' >/dev/null
    cp "$work/body" "$work/first"
    expect bill.row "$(bill '(len(rows), last["tag"], last["request_id"], last["model"], last["stream"], last["status"],
        last["usage"]["fresh"], last["usage"]["out"], last["completed"])')" \
        "(1, 't1', 'r1', 'gpt-4o', True, 200, 5, 20, True)"
    expect bill.answer_sha256 "$(bill 'last["answer_sha256"]')" "$(sha256sum "$work/first" | cut -d' ' -f1)"
    expect bill.request_sha256 "$(bill 'last["request_sha256"]')" \
        "$(printf '{"model":"gpt-4o","messages":[{"role":"user","content":"count me"}],"stream":true}' | sha256sum | cut -d' ' -f1)"
    expect bill.key "$(bill 'last["key"]')" "$(printf sk-standin-secret | sha256sum | cut -c1-16)"
    expect bill.secret "$(grep -c sk-standin-secret "$work/bill.jsonl")" 0
    chat '[[tokens=100]][[pace_ms=50]]' '"stream":true' -m 3 >/dev/null
    for _ in $(seq 200); do # the abort reaches the stand-in when it does
        [ "$(bill 'len(rows)')" = 2 ] && break
    done
    expect bill.aborted "$(bill 'last["ended"], 0 < last["usage"]["out"] < 100')" "('client', True)"
    call "/_bill?tag=t1" >/dev/null
    expect bill.tag "$(answer 'len(d)')" 1
    call "/_bill?summary=1" >/dev/null
    expect bill.summary "$(answer 'd["rows"], d["completed"], d["statuses"], d["models"]["gpt-4o"]["rows"]')" \
        "(2, 1, {'200': 2}, 2)"
    # A dropped keep-alive connection: curl sends the POST again, and the bill has seen both.
    call /_reset -d '' >/dev/null
    local body='{"model":"m","messages":[{"role":"user","content":"[[drop_next=1]]"}]}' plain='{"model":"m","prompt":"x"}'
    curl -s -m 20 --cacert "$work/ca.pem" --resolve "api.openai.com:$port:127.0.0.1" -H 'authorization: Bearer k' \
        "$url/v1/chat/completions" -d "$body" -o "$work/body" --next -s --cacert "$work/ca.pem" \
        --resolve "api.openai.com:$port:127.0.0.1" -H 'authorization: Bearer k' "$url/v1/completions" -d "$plain" \
        -o "$work/body"
    expect bill.resent "$(bill '[(r["request"], r["status"], r["ended"]) for r in rows]')" \
        "[(1, 200, 'completed'), (2, 0, 'fault'), (1, 200, 'completed')]"
}

rules() {
    call /_script -d '[{"match":{"path":"/v1/chat/*","model":"gpt-4o","every":2},"fault":"503"},
        {"match":{"nth":3},"fault":"429","retry_after":1}]' >/dev/null
    expect rules "$(for _ in 1 2 3 4; do chat x | cut -c1-4; done | tr -d '\n')" "200 503 429 503 "
    expect rules.directive_wins "$(chat x) $(chat '[[fault=500]]')" "200 0 500 0"
    expect rules.bad "$(call /_script -d '[{"oops":1}]')" "400 0"
    call /_script -d '[]' >/dev/null
    expect rules.cleared "$(chat x) $(chat x)" "200 0 200 0"
}

gate() {
    local i waiting=()
    for i in 1 2 3; do
        curl -s -m 20 -o /dev/null -w '%{http_code}\n' --cacert "$work/ca.pem" -H 'authorization: Bearer k' \
            --resolve "api.openai.com:$port:127.0.0.1" "$url/v1/completions" \
            -d "{\"model\":\"m\",\"prompt\":\"[[barrier=3]]\"}" >>"$work/gate" &
        waiting+=($!)
    done
    wait "${waiting[@]}"
    expect gate.barrier "$(tr '\n' ' ' <"$work/gate")" "200 200 200 "
    curl -s -m 20 -o /dev/null -w '%{http_code}' --cacert "$work/ca.pem" -H 'authorization: Bearer k' \
        --resolve "api.openai.com:$port:127.0.0.1" "$url/v1/completions" -d '{"model":"m","prompt":"[[hold=1]]"}' \
        >"$work/held" &
    i=$!
    for _ in $(seq 200); do
        call /_stats >/dev/null
        [ "$(answer 'd["held"]')" = 1 ] && break
    done
    expect gate.held "$(cat "$work/held")" ""
    call /_release -d '' >/dev/null
    wait "$i"
    expect gate.released "$(answer 'd["released"]') $(cat "$work/held")" "1 200"
}

ticks() { # CPU time of the stand-in so far
    awk '{ print $14 + $15 }' "/proc/$pid/stat"
}

load() {
    local before after
    before=$(ticks)
    python3 "$here/tests/provider/streams.py" "$port" "$work/ca.pem" "$streams" 20 100 >"$work/body"
    after=$(ticks)
    expect load "$(answer 'd["whole"], d["events"]')" "($streams, $((streams * 23)))"
    echo "figure provider_cpu_us_per_event $(python3 -c "print(round(($after - $before) * 10000 / ($streams * 23), 1))") us"
    echo "figure provider_rss_mib $(awk '/VmHWM/ { print int($2 / 1024) }' "/proc/$pid/status") MiB"
    call /_stats >/dev/null
    expect load.left "$(answer 'd["open_connections"], d["in_flight"]')" "(1, 1)"
}

life() {
    expect ca.key_mode "$(stat -c %a "$work/ca.key")" 600
    expect names "$(curl -s -o /dev/null -w '%{http_code}' --cacert "$work/ca.pem" --resolve "extra.test:$port:127.0.0.1" \
        -H 'authorization: Bearer k' "https://extra.test:$port/v1/models")" 200
    cp "$work/ca.pem" "$work/ca.before"
    curl -s -m 20 -o /dev/null --cacert "$work/ca.pem" -H 'authorization: Bearer k' --resolve \
        "api.openai.com:$port:127.0.0.1" "$url/v1/completions" -d '{"model":"m","prompt":"[[hold=1]]"}' &
    local held=$!
    for _ in $(seq 200); do
        call /_stats >/dev/null
        [ "$(answer 'd["held"]')" = 1 ] && break
    done
    stop
    wait "$held"
    expect stop "$status" 0
    expect stop.bill "$(tail -1 "$work/bill.jsonl" | grep -o '"ended":"[a-z]*"')" '"ended":"shutdown"'
    expect stop.reports "$(grep -v '^provider: listening' "$work/out")" ""
    start --threads 2
    expect restart.ca "$(cmp "$work/ca.pem" "$work/ca.before" && chat x)" "200 0"
    stop
    expect stop.threads "$status" 0
}

start
openai_formats
anthropic_formats
gemini_formats
tool_calls
tool_calls_at_once
schemas
contents
background
batches
message_batches
media
others
refusals
faults
shapes
bill_checks
rules
gate
load
life
exit $failed
