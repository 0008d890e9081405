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
    d = json.loads(text) if text.strip() else None
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
    expect fault.hang "$(chat '[[fault=hang]]' '' -m 0.3) $(bill 'last["status"], last["ended"]')" "000 28 (0, 'fault')"
    expect fault.stall "$(chat '[[fault=stall]][[cut=2]]' '"stream":true' -m 0.3) $(answer 'len(d)')" "200 28 2"
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
    chat '[[tokens=100]][[pace_ms=50]]' '"stream":true' -m 0.4 >/dev/null
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
refusals
faults
shapes
bill_checks
rules
gate
load
life
exit $failed
