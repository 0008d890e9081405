#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random traffic, the same for the same seed: calls that are answered, repeated (the cache), streamed to the end or left
in the middle, malformed, of a model that is denied. Called by 75-reports.sh, governed: 75-traffic.py SEED COUNT"""
import http.client
import json
import os
import random
import ssl
import sys

chance, count = random.Random(int(sys.argv[1])), int(sys.argv[2])
context = ssl.create_default_context(cafile=os.environ["TOLLGATE_CA_FILE"])


def post(host, path, body, fields, read_lines):
    connection = http.client.HTTPSConnection(host, context=context, timeout=30)
    try:
        connection.request("POST", path, body, {"content-type": "application/json", **fields})
        answer = connection.getresponse()
        if read_lines is None:
            answer.read()
        for _ in range(read_lines or 0):
            answer.readline()
    except (OSError, http.client.HTTPException):
        pass  # a fault of the stand-in's, or an agent that is gone: what it cost is for the ledger to say
    finally:
        connection.close()


def openai(body, read_lines=None):
    post("api.openai.com", "/v1/chat/completions", body if isinstance(body, str) else json.dumps(body),
         {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}, read_lines)


def anthropic(body):
    post("api.anthropic.com", "/v1/messages", json.dumps(body),
         {"x-api-key": os.environ["ANTHROPIC_API_KEY"], "anthropic-version": "2023-06-01"}, None)


def chat(model, text, **more):
    return {"model": model, "max_tokens": chance.randint(20, 200), "messages": [{"role": "user", "content": text}], **more}


def repeated():
    return {"model": "gpt-5.4-nano", "max_tokens": 50, "messages": [{"role": "user", "content": f"again {chance.randint(1, 3)}"}]}


for i in range(count):
    text = f"{sys.argv[1]}-{i} " + "word " * chance.randint(1, 60)
    kind = chance.choices(["fast", "nano", "claude", "again", "stream", "left", "broken", "denied"], [6, 5, 4, 6, 3, 3, 1, 2])[0]
    if kind == "fast":
        openai(chat("fast", text))
    elif kind == "nano":
        openai(chat("gpt-5.4-nano", text))
    elif kind == "claude":
        anthropic(chat("claude-haiku-4-5", text))
    elif kind == "again":
        openai(repeated())
    elif kind == "stream":
        openai(chat("gpt-5.4-nano", text, stream=True))
    elif kind == "left":
        openai(chat("gpt-5.4-nano", text + " [[tokens=60]] [[pace_ms=10]]", stream=True), chance.randint(1, 30))
    elif kind == "broken":
        openai('{"model": "gpt-5.4-nano", "messages": ')
    else:
        openai(chat("gpt-5.4-pro", text))
