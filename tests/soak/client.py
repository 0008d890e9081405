#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A client of the soak that stays: python's own HTTP library, or the providers' SDKs. What all clients of the soak do:

read lines "TAG DIALECT STREAM ABORT TOKENS TEXT" (tabs) from standard input, make that call with the header x-standin-tag:
TAG, once, whatever comes of it; write "TAG ID STATUS OUTCOME" (tabs). ID: the answer's tollgate-request-id, "-" without an
answer, several joined by "," where a job was asked for; OUTCOME: whole, error (a whole answer of another status),
aborted (on order, after the first bytes), broken.
usage: client.py plain|sdk
"""
import http.client
import importlib.util
import json
import os
import ssl
import sys
import time

HOSTS = {"openai": "api.openai.com", "anthropic": "api.anthropic.com"}
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
MODELS = {"openai": "gpt-5.4-nano", "anthropic": "claude-haiku-4-5"}
ENDS = {"openai": b"data: [DONE]\n\n", "anthropic": b'event: message_stop\ndata: {"type":"message_stop"}\n\n'}
TIMEOUT_S, POLLS_MAX = 60, 40


def make_body(dialect, stream, tokens, text):
    return {"model": MODELS[dialect], "max_tokens": tokens, **({"stream": True} if stream else {}),
            "messages": [{"role": "user", "content": text}]}


class Plain:
    """http.client, a connection kept for each host."""

    def __init__(self):
        self.context, self.wires = ssl.create_default_context(), {}

    def call(self, tag, dialect, method, path, body):
        wire = self.wires.get(dialect)
        if not wire or not wire.sock: # http.client would else connect again by itself, in the midst of a request
            wire = self.wires[dialect] = http.client.HTTPSConnection(HOSTS[dialect], timeout=TIMEOUT_S, context=self.context)
            wire.connect()
        key = ({"authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"} if dialect == "openai" else
               {"x-api-key": os.environ["ANTHROPIC_API_KEY"], "anthropic-version": "2023-06-01"})
        wire.request(method, path, None if body is None else json.dumps(body), {**key, "x-standin-tag": tag, "content-type": "application/json"})
        return wire.getresponse()

    def run(self, tag, dialect, stream, abort, tokens, text):
        self.id, self.status = "-", 0
        try:
            if dialect == "job":
                return self.run_job(tag, tokens, text)
            answer = self.call(tag, dialect, "POST", PATHS[dialect], make_body(dialect, stream, tokens, text))
            self.id, self.status = answer.getheader("tollgate-request-id", "-"), answer.status
            if abort:
                answer.read(1)
                self.drop(dialect)
                return "aborted"
            body = answer.read()
            if stream and self.status == 200 and not body.endswith(ENDS[dialect]):
                return "broken"
            return "whole" if self.status == 200 else "error"
        except (OSError, http.client.HTTPException):
            self.drop(dialect)
            return "broken"

    def drop(self, dialect):
        if wire := self.wires.pop("openai" if dialect == "job" else dialect, None):
            wire.close()

    def run_job(self, tag, tokens, text):
        """A background response, asked for until it is done: each call has its own event, the job one bill."""
        body = {"model": MODELS["openai"], "background": True, "max_output_tokens": tokens, "input": text}
        answer = self.call(tag, "openai", "POST", "/v1/responses", body)
        self.id, self.status = answer.getheader("tollgate-request-id", "-"), answer.status
        job = json.loads(answer.read())
        for _ in range(POLLS_MAX):
            if self.status != 200 or job.get("status") not in ("queued", "in_progress"):
                break
            time.sleep(0.05)
            answer = self.call(tag, "openai", "GET", f"/v1/responses/{job['id']}", None)
            self.id, self.status = f"{self.id},{answer.getheader('tollgate-request-id', '-')}", answer.status
            job = json.loads(answer.read())
        if self.status != 200:
            return "error"
        return "whole" if job["status"] == "completed" else "broken"


class Sdk:
    """The SDKs, told not to try again: who counts calls must make them himself."""

    def __init__(self):
        import anthropic
        import openai

        self.clients = {"openai": openai.OpenAI(max_retries=0, timeout=TIMEOUT_S),
                        "anthropic": anthropic.Anthropic(max_retries=0, timeout=TIMEOUT_S)}
        self.status_errors = (openai.APIStatusError, anthropic.APIStatusError)
        self.errors = (openai.APIError, anthropic.APIError, OSError, ValueError)
        for name in ("httpx", "httpx2"): # what they are built on lets its own errors through; newer ones have another
            if importlib.util.find_spec(name):
                self.errors += (importlib.import_module(name).HTTPError,)

    def run(self, tag, dialect, stream, abort, tokens, text):
        client = self.clients[dialect]
        resource = client.chat.completions if dialect == "openai" else client.messages
        self.id, self.status = "-", 0
        try:
            call = resource.with_streaming_response.create(**make_body(dialect, stream, tokens, text),
                                                           extra_headers={"x-standin-tag": tag})
            with call as answer:
                self.id, self.status = answer.headers.get("tollgate-request-id", "-"), answer.status_code
                if not stream:
                    answer.parse()
                    return "whole"
                is_whole = False
                for event in answer.parse():
                    if abort:
                        return "aborted"
                    is_whole = (dialect == "openai" and event.choices and event.choices[0].finish_reason is not None) or \
                        getattr(event, "type", "") == "message_stop" or is_whole
                return "whole" if is_whole else "broken"
        except self.status_errors as error:
            self.id, self.status = error.response.headers.get("tollgate-request-id", "-"), error.response.status_code
            # An error event in a stream of status 200 comes here, too.
            return "broken" if self.status == 200 else "error"
        except self.errors:
            return "broken"


client = Sdk() if sys.argv[1] == "sdk" else Plain()
for line in sys.stdin:
    tag, dialect, stream, abort, tokens, text = line.rstrip("\n").split("\t")
    outcome = client.run(tag, dialect, stream == "1", abort == "1", int(tokens), text)
    print(tag, client.id, client.status, outcome, sep="\t", flush=True)
