# SPDX-License-Identifier: Apache-2.0
from anthropic import Anthropic
import compat

client = Anthropic()


def ask(mode):
    words = {"model": "claude-haiku", "max_tokens": 100,
             "messages": [{"role": "user", "content": compat.ASK_TOOL if mode == "tools" else compat.ASK}]}
    if mode == "stream":
        with client.messages.stream(**words) as stream:
            return "".join(stream.text_stream)
    if mode == "tools":
        answer = client.messages.create(**words, tools=[{"name": "get_weather", "input_schema": compat.WEATHER}])
        return next(block.name for block in answer.content if block.type == "tool_use")
    return client.messages.create(**words).content[0].text


compat.answer(ask)
