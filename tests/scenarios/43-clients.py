#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Governed clients that call without a pause until a file appears: 43-clients.py STOP-FILE THREADS [streams]. Every call
has a connection of its own; streams come one after the other on one that is kept, until the agent says that it will close it. Prints {"answers", "refused", "failed", "why"}: refused are connects that nobody took, failed
are calls without a whole answer."""
import json, os, ssl, sys, threading, http.client

stop, threads, streams = sys.argv[1], int(sys.argv[2]), sys.argv[3:] == ["streams"]
text = "load [[tokens=10]] [[pace_ms=20]]" if streams else "load [[tokens=5]]"
body = json.dumps({"model": "gpt-5.4-nano", "max_tokens": 20, "stream": streams, "messages": [{"role": "user", "content": text}]})
end = b"data: [DONE]" if streams else b"chat.completion"
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
lock, sums, whys = threading.Lock(), {"answers": 0, "refused": 0, "failed": 0}, []


def call(connection):
    try:
        connection.request("POST", "/v1/chat/completions", body,
                           {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status == 200 and end in text:
            return "answers", ""
        return "failed", f"{answer.status} {text[:200]!r}"
    except ConnectionRefusedError as problem:
        return "refused", repr(problem)
    except Exception as problem:
        return "failed", repr(problem)


def run():
    connection = http.client.HTTPSConnection("api.openai.com", context=context, timeout=60)
    while not os.path.exists(stop):
        outcome, why = call(connection)
        if not streams or why:
            connection.close()
        with lock:
            sums[outcome] += 1
            if why and len(whys) < 5:
                whys.append(why)


workers = [threading.Thread(target=run) for _ in range(threads)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
print(json.dumps({**sums, "why": whys}))
