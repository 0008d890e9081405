# SPDX-License-Identifier: Apache-2.0
import json, os, sys, requests
stream = sys.argv[1] == "stream"
body = {"model": "claude-haiku", "max_tokens": 100, "stream": stream, "messages": [{"role": "user", "content": "hello from requests"}]}
text = ""
with requests.post("https://api.anthropic.com/v1/messages", json=body, stream=stream, timeout=60, headers={
        "x-api-key": os.environ["ANTHROPIC_API_KEY"], "anthropic-version": "2023-06-01"}) as answer:
    answer.raise_for_status()
    if stream:
        for line in answer.iter_lines():
            if line.startswith(b"data: "):
                text += json.loads(line[6:]).get("delta", {}).get("text", "")
    else:
        text = answer.json()["content"][0]["text"]
print("ANSWER", text.replace("\n", " "))
