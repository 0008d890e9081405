# SPDX-License-Identifier: Apache-2.0
import json, os, sys, httpx
stream = sys.argv[1] == "stream"
body = {"model": "gpt-5.4-mini-mini", "stream": stream, "messages": [{"role": "user", "content": "hello from httpx"}]}
headers = {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
url, text = "https://api.openai.com/v1/chat/completions", ""
if stream:
    import asyncio
    async def main():
        text = ""
        async with httpx.AsyncClient(timeout=60) as client, client.stream("POST", url, json=body, headers=headers) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    text += json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
        return text
    text = asyncio.run(main())
else:
    answer = httpx.post(url, json=body, headers=headers, timeout=60)
    answer.raise_for_status()
    text = answer.json()["choices"][0]["message"]["content"]
print("ANSWER", text.replace("\n", " "))
