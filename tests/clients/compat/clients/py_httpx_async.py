# SPDX-License-Identifier: Apache-2.0
import asyncio
import httpx
import compat

transport = httpx.AsyncHTTPTransport(local_address="::") if compat.is_ipv6() else None


async def fetch(url, headers, body):
    async with httpx.AsyncClient(timeout=60, transport=transport) as client:
        async with client.stream("POST", url, content=body, headers=headers) as answer:
            answer.raise_for_status()
            return await answer.aread()


compat.post(lambda *words: asyncio.run(fetch(*words)))
