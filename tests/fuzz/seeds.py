#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the fuzz targets: seeds.py FOLDER makes FOLDER/TARGET/NN. All are written here by hand, the
binary ones from their parts; where a target's first bytes choose what is read, they are put before the rest."""
import hashlib, json, pathlib, struct, sys

SEEDS = {}

def seed(target, *inputs):
    for data in inputs:
        SEEDS.setdefault(target, []).append(data.encode() if isinstance(data, str) else data)

def choices(count, *inputs):
    """Each input behind each of `count` first bytes."""
    return [bytes([i]) + (x.encode() if isinstance(x, str) else x) for i in range(count) for x in inputs]

# ---- TLS hello ----
def extension(kind, body): return struct.pack(">HH", kind, len(body)) + body
def server_name(name): return extension(0, struct.pack(">HBH", len(name) + 3, 0, len(name)) + name)
def hello(extensions, cut=None, version=b"\x03\x03"):
    body = version + b"r" * 32 + b"\x20" + b"s" * 32 + struct.pack(">H", 4) + b"\x13\x01\x13\x02" + b"\x01\x00"
    body += struct.pack(">H", len(extensions)) + extensions
    message = b"\x01" + struct.pack(">I", len(body))[1:] + body
    pieces = [message] if not cut else [message[i:i + cut] for i in range(0, len(message), cut)]
    return b"".join(b"\x16\x03\x01" + struct.pack(">H", len(p)) + p for p in pieces)
alpn = extension(16, b"\x00\x0c\x02h2\x08http/1.1")
seed("hello", hello(server_name(b"api.openai.com") + alpn), hello(alpn), hello(alpn + server_name(b"API.Anthropic.com.")),
     hello(server_name(b"api.openai.com"), cut=20), hello(extension(43, b"\x02\x03\x04") + server_name(b"x" * 250 + b".a")),
     b"GET / HTTP/1.1\r\n\r\n", hello(server_name(b"a.b") + server_name(b"c.d")), b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03")

# ---- HTTP ----
line, host = "POST /v1/chat/completions HTTP/1.1\r\n", "Host: api.openai.com\r\n"
seed("http", "GET /v1/models?limit=2 HTTP/1.1\r\n" + host + "\r\n", line + host + "Content-Length: 5\r\n\r\nhello",
     line + host + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;a=\"b\"\r\nabc\r\n0\r\n\r\n",
     line + host + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", "GET / HTTP/1.0\r\nHost: a.b:443\r\nConnection: keep-alive\r\n\r\n",
     "GET / HTTP/1.1\r\n" + host + "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", line + host + "X: a\r\n b\r\n\r\n",
     "\r\n" + line + host + "Connection: close, x\r\nX: \tv \r\nContent-Length: 0\r\n\r\n", line + host + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx")
seed("answer_head", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nX-Request-Id: 1\r\n\r\n",
     "HTTP/1.1 429 Too Many\r\nRetry-After: 3\r\nContent-Length: 2\r\ncontent-length: 2\r\n\r\n", "HTTP/1.0 500\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n")
events = "event: message_start\ndata: {\"a\":1}\n\ndata: x\ndata: y\nid: 7\nretry: 10\n\n: comment\r\n\r\ndata:z\r\rdata: [DONE]\n\n"
seed("sse", *choices(2, events, "data: half", "data: a\r\n\r\ndata: b\r\n\r\n", "\n\n\n", "x\n\nunknown: y\n\n", "data: " + "l" * 100 + "\n\n"))

# ---- JSON ----
documents = ['{"model":"gpt","a":{"b":"\\u0041\\n"},"usage":{"prompt_tokens_details":{"cached_tokens":12}}}', "[1,-0.5e10,true,false,null,\"\"]",
             '{"a":[{"b":[[[[]]]]}],"c":"\\ud83d\\ude00"}', '"\\u0000"', "[1e400]", '{"a":1,"a":2}', '["' + "é" * 10 + '\\\\"]', "123456789012345678901234567890", " {} "]
seed("json", *documents)
seed("canonical", *choices(6, *documents[:4], '{"b":1.50,"a":[15e-1,1.5],"user":"x","stream":true,"metadata":{}}'))
seed("values", "12.5", "-0.000000001", "9223372036.854775807", "0.075", "01HZX3Y6T0ABCDEFGHJKMNPQRS", "00000000000000000000000000", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
     "1e400", "-0.0", "1200.50", "1e-99999999999999999999", "100e0001")

# ---- forms ----
def form(*parts, boundary="xYz"):
    return "".join(f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n" for head, value in parts) + f"--{boundary}--\r\n"
audio = form(('name="model"', "whisper-1"), ('name="file"; filename="a.wav"', "RIFF....WAVE"), ('name="stream"', "true"))
wave = b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16) + b"data\0\0\0\0" + bytes(64)
mp3 = b"ID3\4\0\0\0\0\0\2xx" + (b"\xff\xe3\x18\0" + bytes(68)) * 4
recordings = [b"\0" + form(('name="file"; filename="a"', x.decode("latin-1"))).encode("latin-1") for x in (wave, mp3)]
image = form(('name="model"', "gpt-image-1"), ('name="image"; filename="a.png"\r\nContent-Type: image/png', "\x89PNG"), ('name="prompt"', "a cat"), ('name="n"', "2"))
seed("form", *choices(1, audio, image, form()), *recordings, b"\x07multipart/form-data; boundary=\"b c\"; x=y\n" + form(("name=a", "b"), boundary="b").encode(),
     b"\x07multipart/form-data; boundary=b\n" + form(("name=a", "b"), boundary="b").encode())

# ---- requests ----
chat = {"model": "gpt-5.4-nano", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "hi"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}, {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function",
        "function": {"name": "f", "arguments": "{\"a\":1}"}}]}, {"role": "tool", "tool_call_id": "call_1", "content": "42"}], "stream": True, "max_tokens": 100, "n": 1,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}], "stream_options": {"include_usage": False},
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}, "stop": ["x"], "temperature": 0.5}
small_chat = {"model": "gpt-5.4-nano", "messages": [{"role": "user", "content": "hi"}], "max_completion_tokens": 5}
responses = {"model": "gpt-5.4", "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}, {"type": "function_call", "call_id": "c", "name": "f",
             "arguments": "{}"}, {"type": "function_call_output", "call_id": "c", "output": "1"}], "instructions": "x", "max_output_tokens": 50, "stream": True,
             "tools": [{"type": "function", "name": "f", "parameters": {}}, {"type": "web_search"}], "background": False, "previous_response_id": None, "text": {"format": {"type": "text"}}}
messages = {"model": "claude-opus-4-1", "max_tokens": 100, "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}], "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "42"}]}], "stream": True, "tools": [{"name": "f",
            "input_schema": {"type": "object"}}], "thinking": {"type": "enabled", "budget_tokens": 50}, "stop_sequences": ["x"]}
generate = {"contents": [{"role": "user", "parts": [{"text": "hi"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}], "generationConfig":
            {"maxOutputTokens": 100, "candidateCount": 1, "thinkingConfig": {"thinkingBudget": 10}}, "tools": [{"functionDeclarations": [{"name": "f"}]}, {"googleSearch": {}}]}
image_call = {"model": "gpt-image-1", "prompt": "a cat", "n": 2, "size": "1024x1024", "quality": "hd"}
speech = {"model": "tts-1", "input": "hello", "voice": "x"}
batch = {"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h"}
upload = form(('name="purpose"', "batch"), ('name="file"; filename="b.jsonl"', json.dumps({"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": small_chat}) + "\n"))
dump = lambda value: json.dumps(value, separators=(",", ":"))
openai = [chat, responses, {"model": "text-embedding-3-small", "input": ["a", "b"]}, {"model": "m", "prompt": "x", "max_tokens": 3, "best_of": 2}, image_call, image, image_call, image,
          speech, audio, audio, batch, upload, {}, {}, responses]
seed("openai_request", *[bytes([i]) + (x if isinstance(x, str) else dump(x)).encode() for i, x in enumerate(openai)], b"\x00" + dump(small_chat).encode(), b"\x00{\"model\":null,\"messages\":[]}")
requests = {"requests": [{"custom_id": "1", "params": {"model": "claude", "max_tokens": 5, "messages": []}}, {"custom_id": "2", "params": {"model": "b", "max_tokens": 7, "messages": []}}]}
seed("anthropic_request", *[bytes([i]) + dump(x).encode() for i, x in enumerate([messages, requests, {}, {}, chat])])
seed("gemini_request", *[bytes([i]) + dump(x).encode() for i, x in enumerate([generate, generate, {"content": {"parts": [{"text": "x"}]}},
     {"requests": [{"model": "models/e", "content": {"parts": [{"text": "x"}]}}]}, {"instances": [{"prompt": "cat"}], "parameters": {"sampleCount": 2}}, chat])])
seed("translate_request", *[bytes([i]) + dump(x).encode() for i, x in [(0, chat), (0, small_chat), (1, responses), (2, messages), (3, responses), (1, {"model": "m", "input": "hi"})]])

# ---- answers ----
def stream(*events, done=""): return "".join((f"event: {e['type']}\n" if "type" in e and not done else "") + f"data: {dump(e)}\n\n" for e in events) + done
chat_usage = {"prompt_tokens": 2600, "completion_tokens": 12, "prompt_tokens_details": {"cached_tokens": 400}, "completion_tokens_details": {"reasoning_tokens": 3}}
def chunk(delta, finish=None, **more): return {"id": "c", "object": "chat.completion.chunk", "model": "gpt", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}
chat_stream = stream(chunk({"role": "assistant", "content": "he"}, usage=None), chunk({"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "f", "arguments": "{\"a\""}}]}),
                     chunk({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}), chunk({}, "stop"), {"id": "c", "choices": [], "usage": chat_usage}, done="data: [DONE]\n\n")
chat_document = {"id": "c", "model": "gpt", "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi", "tool_calls": [{"id": "x", "type": "function",
                 "function": {"name": "f", "arguments": "{}"}}]}, "finish_reason": "stop"}], "usage": chat_usage, "service_tier": "default"}
response = {"id": "resp_1", "object": "response", "status": "completed", "model": "gpt", "output": [{"type": "message", "content": [{"type": "output_text", "text": "hi"}]}],
            "usage": {"input_tokens": 5, "output_tokens": 7, "input_tokens_details": {"cached_tokens": 1}}}
response_stream = stream({"type": "response.created", "response": {"id": "resp_1"}}, {"type": "response.output_text.delta", "delta": "hi"}, {"type": "response.completed", "response": response})
seed("openai_answer", *[bytes([i, k]) + x.encode() for i, k, x in [(0, 1, chat_stream), (0, 2, chat_stream), (0, 0, dump(chat_document)), (1, 1, response_stream), (1, 0, dump(response)),
     (2, 0, dump({"data": [], "usage": {"prompt_tokens": 3, "total_tokens": 3}})), (4, 0, dump({"data": [{"b64_json": "A"}], "usage": {"input_tokens": 1, "output_tokens": 2}})),
     (9, 0, dump({"text": "hi", "usage": {"type": "duration", "seconds": 3}})), (9, 1, stream({"type": "transcript.text.done", "text": "x", "usage": {"input_tokens": 4, "output_tokens": 5}})),
     (12, 0, dump({"id": "file-1"})), (13, 0, dump(response)), (14, 0, dump({"id": "batch_1", "status": "completed", "usage": {"input_tokens": 3, "output_tokens": 4}})), (0, 0, '{"error":{"message":"x"}}')]])
message_stream = stream({"type": "message_start", "message": {"id": "msg_1", "model": "claude", "content": [], "usage": {"input_tokens": 3, "cache_creation_input_tokens": 12304,
                        "cache_creation": {"ephemeral_5m_input_tokens": 12304, "ephemeral_1h_input_tokens": 0}, "output_tokens": 1}}},
                        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}, {"type": "ping"},
                        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}}, {"type": "content_block_stop", "index": 0},
                        {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}},
                        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{\"a\":1}"}}, {"type": "content_block_stop", "index": 1},
                        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 550}}, {"type": "message_stop"})
message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [{"type": "text", "text": "hi"}, {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}],
           "stop_reason": "tool_use", "usage": {"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": 2}}
result_lines = dump({"custom_id": "1", "result": {"type": "succeeded", "message": message}}) + "\n" + dump({"custom_id": "2", "result": {"type": "errored"}}) + "\n"
seed("anthropic_answer", *[bytes([i, k]) + x.encode() for i, k, x in [(0, 1, message_stream), (0, 2, message_stream), (0, 0, dump(message)), (1, 0, dump({"id": "msgbatch_1", "processing_status": "in_progress"})),
     (2, 0, dump({"id": "b", "processing_status": "ended", "request_counts": {"succeeded": 1}})), (3, 0, result_lines), (4, 1, chat_stream), (0, 1, stream({"type": "error", "error": {"type": "overloaded_error"}}))]])
usage = {"promptTokenCount": 10, "cachedContentTokenCount": 4, "candidatesTokenCount": 3, "thoughtsTokenCount": 2, "totalTokenCount": 15, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 2}]}
candidate = {"candidates": [{"content": {"parts": [{"text": "hi"}], "role": "model"}, "finishReason": "STOP", "index": 0}], "usageMetadata": usage, "modelVersion": "gemini"}
gemini_stream = stream(candidate, candidate)
seed("gemini_answer", *[bytes([i, k]) + x.encode() for i, k, x in [(0, 0, dump(candidate)), (1, 1, gemini_stream), (1, 2, gemini_stream), (1, 0, dump([candidate, candidate])), (2, 0, dump({"embedding": {"values": [1]}})),
     (4, 0, dump({"predictions": [{"bytesBase64Encoded": "A"}]})), (5, 1, chat_stream), (0, 0, '{"error":{"code":429}}')]])
seed("translate_answer", *[bytes([w, k]) + x.encode() for w, k, x in [(0, 0, message_stream), (0, 2, message_stream), (0, 1, dump(message)), (1, 0, message_stream), (1, 1, dump(message)), (2, 0, chat_stream),
     (2, 1, dump(chat_document)), (3, 0, chat_stream), (3, 1, dump(chat_document)), (3, 3, dump(chat_document)), (0, 4, '{"type":"error","error":{"type":"overloaded_error","message":"x"}}'),
     (2, 4, '{"error":{"message":"x","type":"rate_limit_error","code":null}}')]])

# ---- policies ----
seed("redact", '{"messages":[{"role":"user","content":"write to jane@example.com, card 4111 1111 1111 1111, +49 171 1234567, DE89 3704 0044 0532 0130 00"}]}',
     '["sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCDEF","-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----"]', '{"arguments":"{\\"to\\": \\"jane@example.com\\", \\"n\\": 4111111111111111}"}',
     '["the Project BLUEBIRD, ABC-123 by mail"]', '["\\u006aane\\u0040example\\u002ecom"]', "plain jane@example.com", '["[email] [card] [redacted]"]', '"ｊane＠example.com and j\u200bane@example.com"')
seed("pattern", "(a+)+$\0aaaaaaaaaaaaaaaaaaaaaaaaaaaa!", "[A-Z]{3}-[0-9]+\0ABC-12", "(?i)secret\\b\0my SECRET x", "(?<n>x)(?P>n)\0xx", "\\p{L}+\0äö", "^(?=(a|b)*c)\0abababc", "(\0x", "a{1,1000}{1,1000}\0aaaa")
policy = """environment: dev
consumer_groups:
  - name: g
    api_key: kt_cg_g
    wallet_team_id: w
    allowed_models: [gpt-*, "claude-*"]
    rate_limits: {requests_per_minute: 10, tokens_per_day: 1000}
providers:
  targets:
    - id: t
      provider: openai
      model: gpt-5.4-nano
      secret_key_ref: {env: NAME}
budgets:
  - {id: team, amount: "50", window: monthly, hard: true}
policies:
  rules:
    - id: no-opus
      action: block
      when: {models: ["opus*"], keywords: [x], patterns: ["[a-z]+"], hours: "22:00-06:00", days: [mon]}
      message: |
        No.
"""
seed("policy", policy, "a: &b [1]\nc: *b\n", "%YAML 1.1\n---\na: !!str b\n...\n", "consumer_groups: [{name: 'g', \"api_key\": kt_cg_g,}]\n", "? a\n: - b\n  - >-\n   c\n", "\ufeffenvironment: dev\n", "limits: {loops: 99999999999}\n")
seed("catalogue", "providers: [{id: openai, dialect: openai, hosts: [a.example], base_url: https://a.example, price_family: openai}]\n",
     "providers:\n  - id: x\n    dialect: gemini\n    hosts: [\"*.c.example\"]\n    price_family: c\n    key_environment: [C]\n    api_prefix: /v1\n")
seed("prices", "as_of: 2026-07-02\nfamilies: {openai: {m: {input: 1, output: 2, cache_read: 0.1}, \"m-*\": {input: 0.075, output: 3}}}\n", "as_of: x\nfamilies: {}\n")
seed("project", *choices(2, "environment: dev\ngroup: g\nproject: p\nshell: true\n", '{"id": "team", "amount": "50", "window": "monthly"}', "# nothing\n", "environment: prod\n", "{id: a, amount: '1.5', window: rolling-24h, hard: true, match: {models: [x]}}"))
seed("address", *choices(2, "127.77.0.0/16", "192.0.2.1", "2001:db8::7", "https://api.example.com/v1", "http://[::1]:80/", "api.example.com", "*.openai.azure.com"),
     "\x01192.0.2.1 5 1700000000 dns\n2001:db8::7 6 1700000001 policy\n::ffff:10.0.0.1 70000 1 dns\n")
seed("control", "\x00GET /v1/report?since=24h&by=model%2Cgroup&a=%00b&period= HTTP/1.1\r\nHost: tollgate\r\n\r\n", *["\x01" + x for x in ["12.50", "$5", "5 USD", "-$0.01", "5 EUR", "1,000"]],
     *["\x02" + x for x in ["today", "last-week", "24h", "7d", "all", "2026-11-01", "2026-11", "2026-11-01..2026-11-15", "2026-11-01T10:00..2026-11-01T12:00", "this-month", "99999999h", "0000-00-00"]])

# ---- what both sides of the shim share ----
def shared_map(names, redirects=(), ports=((443, 8443),)):
    text = b"".join(n + b"\0" for n, _ in names)
    offsets, at = [], 0
    for name, address in names:
        offsets.append((address, at)); at += len(name) + 1
    rows = b"".join(struct.pack("<HH", *p) for p in ports) + b"".join(struct.pack("<II", *n) for n in offsets) + b"".join(o + struct.pack("<I", a) for o, a in redirects)
    size = 64 + len(rows) + len(text)
    header = struct.pack("<QIIQ10I", 0x50414D474C4C4F54, 3, size, 0, 0x7F4D0000, 0xFFFF0000, len(ports), len(names), len(text), 1, 0x7F4E0000, len(redirects), 0, 8080)
    return header + rows + text
names = [(b"api.anthropic.com", 0x7F4D0002), (b"api.openai.com", 0x7F4D0001)]
one = b"\0" * 10 + b"\xff\xff\x01\x02\x03\x04"
seed("map", *choices(2, shared_map(names), shared_map(names, [(one, 0x7F4E0005)]), shared_map([], ports=())))
def program(*segments, kind=2, extra=b""):
    header = b"\x7fELF\x02\x01\x01" + b"\0" * 9 + struct.pack("<HHIQQQIHHHHHH", kind, 62, 1, 0, 64, 0, 0, 64, 56, len(segments), 64, 0, 0)
    return header + b"".join(struct.pack("<IIQQQQQQ", *s) for s in segments) + extra
seed("elf", program((1, 5, 0, 0, 0, 4096, 4096, 4096)), program((3, 4, 64, 0, 0, 28, 28, 1), (1, 5, 0, 0, 0, 4096, 4096, 4096), kind=3),
     program((4, 4, 120, 0, 0, 16, 16, 4), extra=struct.pack("<III", 4, 0, 4) + b"Go\0\0"), b"#!/bin/sh\n", b"#! /usr/bin/env x\n", b"\x7fELF",
     program((2, 6, 176, 176, 0, 64, 64, 8), (1, 5, 0, 0, 0, 4096, 4096, 4096), (3, 4, 64, 0, 0, 28, 28, 1), kind=3,
             extra=struct.pack("<QQQQQQ", 1, 1, 5, 280, 0, 0) + b"\0libasan.so.8\0" + b"\0" * 400))
def padded(text, size): return text + b"\0" * (size - len(text))
paths = padded(b"g", 64) + padded(b"p", 64) + padded(b"/usr/bin/x (deleted)", 256) + padded(b"/home/x", 256)
seed("datagram", *choices(2, struct.pack("<IHHQ", 0x4F4C4C48, 2, 656, 7) + paths, struct.pack("<IHHQ", 0x52444952, 3, 680, 7) + one + struct.pack("<HHi", 443, 0, 99) + paths))

# ---- what we keep ----
event = dump({"id": "01HZX3Y6T0ABCDEFGHJKMNPQRS", "time": "2026-11-30T00:00:00Z", "environment": "dev", "group": "g", "model": "m", "attempts": [{"target": "t", "charge": "0.01", "usage": {"input": 3}}], "charge": "0.01"})
packed = bytes(16) + struct.pack("<I", len(event)) + event.encode()
seed("journal", "\x00" + event, b"\x01" + packed * 3, b"\x02" + bytes(16) + struct.pack("<I", len(packed)) + b"\x28\xb5\x2f\xfd" + b"\0" * 8)
transfer = bytes([1, 0, 0, 0]) + bytes(16) + struct.pack(">qqIIQQ", 1, 2, 3, 4, 5, 6) + bytes(32)
seed("rows", *choices(4, transfer.ljust(92, b"\0"), bytes(48), bytes(40), bytes([0]) * 65, bytes(9), b"tgcache2" + bytes(300)), b"\x02note", b"\x02" + bytes([3]) + bytes(7) + b"openai\0resp_1\0note")
def zone(version=b"2", footer=b"\nCET-1CEST,M3.5.0,M10.5.0/3\n"):
    block = lambda size: b"TZif" + version + b"\0" * 15 + struct.pack(">6I", 0, 0, 0, 2, 2, 8) + b"".join(struct.pack(">q" if size == 8 else ">i", t) for t in (0, 1000000)) + b"\x01\x00" + struct.pack(">iBBiBB", 3600, 0, 0, 7200, 1, 4) + b"CET\0CES\0"
    return block(4) + block(8) + footer
seed("zone", zone(), zone(footer=b"\n<-03>3\n"), zone(footer=b"\n\n"), zone(footer=b"\nEST5EDT,J60/2:30,300/26\n"), b"TZif2")
seed("cli_http", "\x40HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "\x07HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "\xffHTTP/1.1 503 No\r\n\r\nuntil the end".encode("latin-1"),
     "\x01HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx")
seed("backup", "\x01", "\x01\x00\x08\x03\x31", "\x01\x02\x00\x01\x00", "\x01\x03\x00\x02\x00", "\x00{\"ledger\":{\"schema\":3,\"environment\":\"dev\"}}\n")
seed("state", "\x00take wallet.team 7 50%\ndeliver wallet.team 7 50%\ntake budget.b 18446744073709551615 100%\ntake torn", "\x011790000000 3 400 product-dev\n1790003600 1 18446744073709551615 g\n")

if __name__ == "__main__":
    for target, inputs in SEEDS.items():
        folder = pathlib.Path(sys.argv[1]) / target
        folder.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(inputs):
            (folder / f"{number:02}").write_bytes(data)
