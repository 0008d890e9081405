# SPDX-License-Identifier: Apache-2.0
"""aiohttp; with the word `aiodns` before the modes it resolves names itself, by c-ares."""
import asyncio
import socket
import sys
import aiohttp
import compat

resolver = aiohttp.AsyncResolver if sys.argv[1] == "aiodns" else aiohttp.ThreadedResolver
if sys.argv[1] == "aiodns":
    del sys.argv[1]


async def fetch(url, headers, body):
    family = socket.AF_INET6 if compat.is_ipv6() else socket.AF_UNSPEC
    connector = aiohttp.TCPConnector(resolver=resolver(), family=family)
    async with aiohttp.ClientSession(connector=connector, trust_env=True) as session:
        async with session.post(url, data=body, headers=headers) as answer:
            answer.raise_for_status()
            return await answer.read()


compat.post(lambda *words: asyncio.run(fetch(*words)))
