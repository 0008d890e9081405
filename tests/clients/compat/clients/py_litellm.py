# SPDX-License-Identifier: Apache-2.0
import litellm
import compat

TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": compat.WEATHER}}


def ask(mode):
    more = {"tools": [TOOL]} if mode == "tools" else {"stream": mode == "stream"}
    answer = litellm.completion(
        model="openai/gpt-5.4-mini-mini", messages=[{"role": "user", "content": compat.ASK_TOOL if mode == "tools" else compat.ASK}], **more)
    if mode == "stream":
        return "".join(chunk.choices[0].delta.content or "" for chunk in answer)
    message = answer.choices[0].message
    return message.tool_calls[0].function.name if mode == "tools" else message.content


compat.answer(ask)
