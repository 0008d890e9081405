# SPDX-License-Identifier: Apache-2.0
from google import genai
from google.genai import types
import compat

client = genai.Client()
TOOL = types.Tool(function_declarations=[{"name": "get_weather", "parameters_json_schema": compat.WEATHER}])


def ask(mode):
    words = {"model": "gemini-2.5-flash", "contents": compat.ASK_TOOL if mode == "tools" else compat.ASK}
    if mode == "stream":
        return "".join(chunk.text or "" for chunk in client.models.generate_content_stream(**words))
    if mode == "tools":
        answer = client.models.generate_content(**words, config=types.GenerateContentConfig(tools=[TOOL]))
        return answer.function_calls[0].name
    return client.models.generate_content(**words).text


compat.answer(ask)
