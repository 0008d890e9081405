#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Governed clients that ask all at once; for the scenarios 30 to 38.

usage: 30-at-once.py openai|anthropic COUNT BODY [TRIES]
Connects COUNT times, then sends BODY on all connections together. Prints how often each status came as the last word,
"200:3 429:2", sorted; "broken" is an answer that did not come whole. With TRIES each client repeats a failed request at
once, up to so many tries, as the providers' own libraries do: 408, 409, 429 and 5xx, unless x-should-retry says no; then
"tries:N" counts all of them.
"""
import collections
import http.client
import os
import ssl
import sys
import threading

HOSTS = {"openai": "api.openai.com", "anthropic": "api.anthropic.com"}
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}


def fields(dialect):
    if dialect == "openai":
        return {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
    return {"x-api-key": os.environ["ANTHROPIC_API_KEY"], "anthropic-version": "2023-06-01"}


def is_retried(answer):
    is_temporary = answer.status in (408, 409, 429) or answer.status >= 500
    return is_temporary and answer.getheader("x-should-retry") != "false"


def ask(connection, dialect, body, tries, start, counts):
    for turn in range(tries):
        if turn == 0:
            start.wait()
        try:
            counts["tries"] += 1
            connection.request("POST", PATHS[dialect], body, fields(dialect) | {"content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            verdict = str(answer.status)
            if not is_retried(answer):
                break
        except (OSError, http.client.HTTPException):
            verdict = "broken"
            connection.close()
    counts[verdict] += 1


def main():
    dialect, count, body = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    tries = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    context = ssl.create_default_context(cafile=os.environ["TOLLGATE_CA_FILE"])
    connections = [http.client.HTTPSConnection(HOSTS[dialect], context=context, timeout=60) for _ in range(count)]
    for connection in connections:
        connection.connect()
    start, counts = threading.Barrier(count), collections.Counter()
    threads = [threading.Thread(target=ask, args=(connection, dialect, body.encode(), tries, start, counts))
               for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tried = counts.pop("tries")
    print(*(f"{verdict}:{number}" for verdict, number in sorted(counts.items())),
          *([f"tries:{tried}"] if len(sys.argv) > 4 else []))


main()
