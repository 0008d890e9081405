# SPDX-License-Identifier: Apache-2.0
import httpx
import compat

client = httpx.Client(timeout=60)


def ask(url, headers, body):
    with client.stream("POST", url, content=body, headers=headers) as answer:
        answer.raise_for_status()
        return answer.read()


compat.post(ask)
