# SPDX-License-Identifier: Apache-2.0
"""A program that calls both providers with urllib and requests. It knows nothing of Tollgate."""
import json
import os
import urllib.request


def ask_anthropic_with_urllib():
    body = {"model": os.environ["anthropic_model"], "max_tokens": 100,
            "messages": [{"role": "user", "content": "Name one colour."}]}
    request = urllib.request.Request("https://api.anthropic.com/v1/messages", json.dumps(body).encode(), {
        "x-api-key": os.environ["ANTHROPIC_API_KEY"], "anthropic-version": "2023-06-01",
        "content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        print("urllib, api.anthropic.com:", json.load(answer)["content"][0]["text"])


def stream_openai_with_requests():
    try:
        import requests
    except ImportError:
        print("requests is not installed for this python3: only urllib is shown")
        return
    body = {"model": os.environ["openai_model"], "stream": True,
            "messages": [{"role": "user", "content": "Count to three."}]}
    with requests.post("https://api.openai.com/v1/chat/completions", json=body, stream=True, headers={
            "Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}) as answer:
        answer.raise_for_status()
        print("requests, api.openai.com, streaming: ", end="")
        for line in answer.iter_lines():
            if line.startswith(b"data: {"):
                for choice in json.loads(line[6:])["choices"]:
                    print(choice["delta"].get("content") or "", end="", flush=True)
        print()


if os.environ.get("has_anthropic"):
    ask_anthropic_with_urllib()
if os.environ.get("has_openai"):
    stream_openai_with_requests()
