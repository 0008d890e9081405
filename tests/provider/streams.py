# SPDX-License-Identifier: Apache-2.0
"""Holds N paced SSE streams open against the stand-in at once and checks each of them to its last byte.
Called by tests/scenarios/15-provider.sh. usage: streams.py PORT CA_FILE STREAMS TOKENS PACE_MS
Prints one JSON object: streams that were whole, events seen, seconds. The barrier makes all of them start together.
"""
import asyncio
import json
import resource
import ssl
import sys
import time

port, ca_file, streams, tokens, pace_ms = int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:6])
prompt = f"load [[tokens={tokens}]] [[pace_ms={pace_ms}]] [[barrier={streams}]]"
body = json.dumps({"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": prompt}]})
request = (f"POST /v1/chat/completions HTTP/1.1\r\nhost: api.openai.com\r\nauthorization: Bearer sk-load\r\n"
           f"connection: close\r\ncontent-length: {len(body)}\r\n\r\n{body}").encode()


async def stream(context, opening):
    async with opening:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context,
                                                       server_hostname="api.openai.com", ssl_handshake_timeout=60)
    writer.write(request)
    answer = await reader.read(-1)
    writer.close()
    whole = answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    return whole, answer.count(b"\ndata: ")


async def main():
    context = ssl.create_default_context(cafile=ca_file)
    opening = asyncio.Semaphore(50)
    started = time.monotonic()
    results = await asyncio.gather(*(stream(context, opening) for _ in range(streams)))
    print(json.dumps({"whole": sum(whole for whole, _ in results), "events": sum(events for _, events in results),
                      "seconds": round(time.monotonic() - started, 2)}))


hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
asyncio.run(main())
