# SPDX-License-Identifier: Apache-2.0
import json, os, sys, urllib.request
stream = sys.argv[1] == "stream"
body = {"model": "gpt-5.4-mini-mini", "stream": stream, "messages": [{"role": "user", "content": "hello from urllib"}]}
request = urllib.request.Request("https://api.openai.com/v1/chat/completions", json.dumps(body).encode(), {
    "authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "content-type": "application/json"})
text = ""
with urllib.request.urlopen(request, timeout=60) as answer:
    if stream:
        for line in answer:
            if line.startswith(b"data: {"):
                text += json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
    else:
        text = json.load(answer)["choices"][0]["message"]["content"]
print("ANSWER", text.replace("\n", " "))
