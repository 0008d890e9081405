# SPDX-License-Identifier: Apache-2.0
from langchain_openai import ChatOpenAI
import compat

model = ChatOpenAI(model="gpt-5.4-mini-mini")
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "The weather", "parameters": compat.WEATHER}}


def ask(mode):
    if mode == "stream":
        return "".join(str(chunk.content) for chunk in model.stream(compat.ASK))
    if mode == "tools":
        return model.bind_tools([TOOL]).invoke(compat.ASK_TOOL).tool_calls[0]["name"]
    return model.invoke(compat.ASK).content


compat.answer(ask)
