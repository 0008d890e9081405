# SPDX-License-Identifier: Apache-2.0
import requests
import compat

session = requests.Session()


def ask(url, headers, body):
    with session.post(url, data=body, headers=headers, stream=True, timeout=60) as answer:
        answer.raise_for_status()
        return b"".join(answer.iter_content(4096))


compat.post(ask)
