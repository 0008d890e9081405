# SPDX-License-Identifier: Apache-2.0
import urllib.request
import compat


def ask(url, headers, body):
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as answer:
        return answer.read()


compat.post(ask)
