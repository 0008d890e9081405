#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A provider whose answers are no text: images, sound in a chat, pictures drawn by a tool of a response. Bills are fixed.
Usage: 66-units.py PORT-FILE"""
import http.server, json, os, sys, time

DRAWN = {"input_tokens": 50, "input_tokens_details": {"text_tokens": 50, "image_tokens": 0}, "output_tokens": 4160, "total_tokens": 4210}


def image(body):
    return {"created": 1, "data": [{"b64_json": "AAAA"}], "usage": DRAWN}


def draw(body):
    """A response that drew one picture of the tool's model, which the answer repeats."""
    usage = {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 50, "total_tokens": 150}
    return {"id": "resp_%d" % body["max_output_tokens"], "object": "response", "status": "completed", "error": None, "background": body.get("background", False),
            "model": body["model"], "tools": body["tools"], "usage": usage,
            "output": [{"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "AAAA"}],
            "tool_usage": {"image_gen": {"input_tokens": 60, "output_tokens": 6240, "total_tokens": 6300}}}


def tell():
    """Events of a chat that speaks: 400 pieces, 400 tokens of text and 1,600 of sound."""
    def chunk(delta, **more):
        return {"id": "c1", "object": "chat.completion.chunk", "model": "gpt-audio",
                "choices": [{"index": 0, "delta": delta, "finish_reason": None}], **more}
    for _ in range(400):
        yield chunk({"audio": {"id": "audio_1", "data": "QUJD" * 256, "transcript": "word "}})
    usage = {"prompt_tokens": 20, "completion_tokens": 2000, "completion_tokens_details": {"audio_tokens": 1600}}
    yield {**chunk({}), "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    yield {**chunk({}, usage=usage), "choices": []}


def call_much():
    """Events of a chat that calls more tools than a translation takes, and goes on: 500 tokens in, 8,000 out."""
    def chunk(delta, **more):
        return {"id": "c1", "object": "chat.completion.chunk", "model": "gpt-5.4-nano",
                "choices": [{"index": 0, "delta": delta, "finish_reason": None}], **more}
    for number in range(130):
        yield chunk({"tool_calls": [{"index": number, "id": f"call_{number}", "type": "function",
                                     "function": {"name": "weather", "arguments": "{}"}}]})
    time.sleep(0.2)  # what follows comes in later pieces
    for _ in range(200):
        yield chunk({"content": "word "})
    yield {**chunk({}), "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    yield {**chunk({}, usage={"prompt_tokens": 500, "completion_tokens": 8000, "total_tokens": 8500}), "choices": []}


class Provider(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path.endswith("/chat/completions"):
            return self.stream(body)
        answer = json.dumps(draw(body) if self.path.endswith("/responses") else image(body)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def stream(self, body):
        """To the end, unless a metadata says before which event to end."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for number, event in enumerate(tell() if body["model"] == "gpt-audio" else call_much()):
            if number >= int(body.get("metadata", {}).get("cut", 1000)):
                return
            self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
with open(sys.argv[1] + ".part", "w", encoding="utf-8") as file:
    print(server.server_address[1], file=file)
os.rename(sys.argv[1] + ".part", sys.argv[1])
server.serve_forever()
