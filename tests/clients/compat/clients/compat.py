# SPDX-License-Identifier: Apache-2.0
"""What the Python clients share: the modes of the command line, one after the other, and what raw clients send. See ../README.md."""
import os
import sys

# What SDKs ask for in the mode `tools`; the stand-in then calls the tool.
ASK = "hello from " + os.path.basename(sys.argv[0])
ASK_TOOL = "use the tool to find the weather"
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}}


def modes():
    for number, mode in enumerate(sys.argv[1:]):
        if number:
            open(os.environ["COMPAT_PAUSE"]).read()
        yield mode


def post(ask):
    """Raw clients: ask(url, headers, body) answers the bytes."""
    headers = {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "content-type": "application/json"}
    for mode in modes():
        with open(os.path.join(os.environ["COMPAT_BODIES"], mode + ".json"), "rb") as file:
            body = file.read()
        print(ask(os.environ["COMPAT_URL"], headers, body).decode(), flush=True)


def answer(ask):
    """SDKs: ask(mode) answers the text, or the name of the tool that was called."""
    for mode in modes():
        print("ANSWER", ask(mode).replace("\n", " "), flush=True)


def is_ipv6():
    return "COMPAT_IPV6" in os.environ
