# SPDX-License-Identifier: Apache-2.0
"""The Python `google-genai` SDK at a Gemini target: nothing is translated from or to Gemini, and other targets are refused.
See README.md."""
import asyncio
import base64
import json
import os
from enum import Enum
from typing import List

from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from sdk import (ASK, ASK_IMAGE, ASK_JSON, ASK_TOOL, ASK_TWO_TOOLS, CALENDAR, PNG, WEATHER, calendar, count, names, need, raises,
                 said, serve, weather)


class Place(BaseModel):
    street: str
    number: int


class Priority(str, Enum):
    low = "low"
    high = "high"


class Calendar(BaseModel):
    title: str
    place: Place
    guests: List[str]
    priority: Priority
    confirmed: bool


DECLARATION = {"name": "get_weather", "description": "The weather of a city", "parameters_json_schema": WEATHER}
TOOLS = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[DECLARATION])],
                                    automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True))


CLIENTS = {}


def client():
    """One for each key, kept: a client that nobody holds any more is closed under its own call."""
    key = os.environ["GEMINI_API_KEY"]
    if key not in CLIENTS:
        CLIENTS[key] = genai.Client()
    return CLIENTS[key]


def ask(model, contents, config=None):
    return client().models.generate_content(model=model, contents=contents, config=config)


def stream_of(model, contents, config=None):
    return list(client().models.generate_content_stream(model=model, contents=contents, config=config))


def whole(answer):
    need(isinstance(answer, types.GenerateContentResponse) and len(answer.candidates) == 1, answer)
    need(answer.candidates[0].finish_reason == types.FinishReason.STOP, answer.candidates[0].finish_reason)
    usage = answer.usage_metadata
    count(usage.prompt_token_count, usage.candidates_token_count)
    need(usage.total_token_count >= usage.prompt_token_count + usage.candidates_token_count, usage)
    return answer


def elsewhere(target, call):
    """At a target that is not Gemini: a typed refusal. Else the answer."""
    if target != "openai":
        return call()
    error = raises(errors.ClientError, call)
    need(error.code == 422 and error.status == "INVALID_ARGUMENT", error.code, error.status)
    return names(error, "cannot be translated")


def text(model, target):
    call = lambda: said(whole(ask(model, ASK, types.GenerateContentConfig(system_instruction="Be terse.", temperature=0.2,
                                                                         max_output_tokens=100))).text)
    return elsewhere(target, call)


def stream(model, target):
    def call():
        chunks = stream_of(model, ASK)
        need(len(chunks) > 5, "it was no stream", len(chunks))
        whole(chunks[-1])
        return said("".join(chunk.text or "" for chunk in chunks))
    return elsewhere(target, call)


def asynchronous(model, target):
    async def both():
        held = genai.Client()
        pieces = [chunk.text or "" async for chunk in await held.aio.models.generate_content_stream(model=model, contents=ASK)]
        said("".join(pieces))
        return said(whole(await held.aio.models.generate_content(model=model, contents=ASK)).text)
    return elsewhere(target, lambda: asyncio.run(both()))


def chat(model, target):
    def call():
        conversation = client().chats.create(model=model)
        need(conversation.send_message("first").text, "no first answer")
        answer = said("".join(chunk.text or "" for chunk in conversation.send_message_stream(ASK)))
        need(len(conversation.get_history()) >= 4, conversation.get_history())
        return answer
    return elsewhere(target, call)


def calls_of(parts, number):
    calls = [part.function_call for part in parts if part.function_call]
    need(len(calls) == number and all(call.name == "get_weather" for call in calls), calls)
    for call in calls:
        weather(call.args)
    return calls


def round_of(model, question, number, is_stream):
    def say(contents):
        if not is_stream:
            return whole(ask(model, contents, TOOLS)).candidates[0].content.parts
        return [part for chunk in stream_of(model, contents, TOOLS) for part in chunk.candidates[0].content.parts or []]
    first = say(question)
    calls = calls_of(first, number)
    results = [types.Part.from_function_response(name=call.name, response={"degrees": 3}) for call in calls]
    second = say([types.UserContent(question), types.ModelContent(first), types.UserContent(results)])
    answer = "".join(part.text or "" for part in second)
    need(answer, "no answer to the results")
    return answer


def tools(model, target):
    return elsewhere(target, lambda: round_of(model, ASK_TOOL, 1, False))


def tools_stream(model, target):
    return elsewhere(target, lambda: round_of(model, ASK_TOOL, 1, True))


def parallel(model, target):
    return elsewhere(target, lambda: round_of(model, ASK_TWO_TOOLS, 2, False))


def parallel_stream(model, target):
    return elsewhere(target, lambda: round_of(model, ASK_TWO_TOOLS, 2, True))


def automatic_tools(model, target):
    """The SDK's own loop over a Python function."""
    seen = []

    def get_weather(city: str, days: int) -> str:
        """The weather of a city."""
        seen.append((city, days))
        return "3 degrees"

    def call():
        answer = whole(ask(model, ASK_TOOL, types.GenerateContentConfig(tools=[get_weather])))
        need(len(seen) == 1 and isinstance(seen[0][0], str) and isinstance(seen[0][1], int), seen)
        need(answer.text, answer)
        return answer.text
    return elsewhere(target, call)


def image(model, target):
    contents = [types.Part.from_bytes(data=base64.b64decode(PNG), mime_type="image/png"), ASK_IMAGE]

    def call():
        answer = whole(ask(model, contents)).text
        need(ASK_IMAGE in answer, answer)
        return answer
    return elsewhere(target, call)


def json_mode(model, target):
    def call():
        answer = whole(ask(model, ASK_JSON, types.GenerateContentConfig(response_mime_type="application/json")))
        need(isinstance(json.loads(answer.text), dict), answer.text)
        return answer.text
    return elsewhere(target, call)


def json_schema(model, target):
    config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=CALENDAR)
    return elsewhere(target, lambda: str(calendar(whole(ask(model, ASK_JSON, config)).text)))


def parsed(model, target):
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Calendar)

    def call():
        answer = whole(ask(model, ASK_JSON, config))
        need(isinstance(answer.parsed, Calendar), answer.parsed, answer.text)
        return str(calendar(answer.parsed))
    return elsewhere(target, call)


def count_tokens(model, target):
    """Free, and Gemini's alone: it goes there whatever the pool is."""
    counted = client().models.count_tokens(model=model, contents=ASK).total_tokens
    count(counted)
    return str(counted)


def wrong_request(model, target):
    """A range that no model has."""
    error = raises(errors.ClientError, lambda: ask(model, ASK, {"max_output_tokens": 0}))
    need(error.code == 400 and error.status == "INVALID_ARGUMENT", error)
    return names(error)


def refused_wallet(model, target):
    error = raises(errors.ClientError, lambda: ask(model, ASK))
    need(error.code == 429 and error.status == "RESOURCE_EXHAUSTED", error)
    return names(error, "empty", "dev", "tollgate why")


def refused_rule(model, target):
    error = raises(errors.ClientError, lambda: stream_of(model, ASK))
    need(error.code == 403 and error.status == "PERMISSION_DENIED", error)
    return names(error, "no-matrix", "Ask somebody.")


def refused_model(model, target):
    return names(raises(errors.ClientError, lambda: ask(model, ASK)), "denied_models")


def refused_rate(model, target):
    return names(raises(errors.ClientError, lambda: ask(model, ASK)), "requests_per_day")


def busy(model, target):
    error = raises(errors.ServerError, lambda: ask(model, ASK + " [[fault=503]]"))
    need(error.code == 503, error)
    return names(error)


FEATURES = [text, stream, asynchronous, chat, tools, tools_stream, parallel, parallel_stream, automatic_tools, image, json_mode,
            json_schema, parsed, count_tokens, wrong_request, refused_wallet, refused_rule, refused_model, refused_rate, busy]

if __name__ == "__main__":
    serve("google-genai", {feature.__name__: feature for feature in FEATURES})
