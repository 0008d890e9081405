# SPDX-License-Identifier: Apache-2.0
import asyncio, json, os, sys, aiohttp
stream = sys.argv[1] == "stream"
body = {"model": "gpt-5.4-mini-mini", "stream": stream, "messages": [{"role": "user", "content": "hello from aiohttp"}]}
async def main():
    headers, text = {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}, ""
    async with aiohttp.ClientSession() as session, session.post(
            "https://api.openai.com/v1/chat/completions", json=body, headers=headers) as answer:
        answer.raise_for_status()
        if not stream:
            return (await answer.json())["choices"][0]["message"]["content"]
        async for line in answer.content:
            if line.startswith(b"data: {"):
                text += json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
    return text
print("ANSWER", asyncio.run(main()).replace("\n", " "))
