# SPDX-License-Identifier: Apache-2.0
"""The Python `anthropic` SDK: Messages, with the SDK's own accumulator, parser and tool runner. See README.md."""
import asyncio
import json
from enum import Enum
from typing import List

import anthropic
from anthropic import Anthropic, AsyncAnthropic, beta_tool
from anthropic.types import Message
from pydantic import BaseModel

from sdk import (ASK, ASK_IMAGE, ASK_JSON, ASK_TOOL, ASK_TWO_TOOLS, CALENDAR, PNG, WEATHER, calendar, count, distinct, names,
                 need, raises, said, serve, weather)


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


TOOL = {"name": "get_weather", "description": "The weather of a city", "input_schema": WEATHER}
FORMAT = {"format": {"type": "json_schema", "schema": CALENDAR}}


def user(content):
    return {"role": "user", "content": content}


def picture(source):
    return user([{"type": "image", "source": source}, {"type": "text", "text": ASK_IMAGE}])


def ask(model, messages, **more):
    return Anthropic(timeout=60).messages.create(**{"model": model, "messages": messages, "max_tokens": 300, **more})


def stream_of(model, messages, **more):
    return Anthropic(timeout=60).messages.stream(**{"model": model, "messages": messages, "max_tokens": 300, **more})


def whole(message, reason="end_turn"):
    need(isinstance(message, Message) and message.type == "message" and message.role == "assistant", message)
    need(message.id.startswith("msg_") and message.model, message)
    need(message.stop_reason == reason, message)
    count(message.usage.input_tokens, message.usage.output_tokens)
    return message


def words(message):
    return "".join(block.text for block in message.content if block.type == "text")


def text(model, target):
    message = whole(ask(model, [user(ASK)], system="You are terse.", extra_body={"temperature": 0.2}))
    need([block.type for block in message.content] == ["text"], message.content)
    return said(words(message))


def conversation(model, target):
    """System and contents as blocks with cache marks, stop sequences, several turns, thinking switched off."""
    turns = [user([{"type": "text", "text": "first"}]), {"role": "assistant", "content": [{"type": "text", "text": "an answer"}]},
             user([{"type": "text", "text": ASK, "cache_control": {"type": "ephemeral"}}])]
    system = [{"type": "text", "text": "You are terse.", "cache_control": {"type": "ephemeral"}}]
    return said(words(whole(ask(model, turns, system=system, stop_sequences=["###"], metadata={"user_id": "somebody"},
                                thinking={"type": "disabled"}, extra_body={"top_k": 5}))))


def length(model, target):
    return words(whole(ask(model, [user(ASK)], max_tokens=4), "max_tokens"))


def stream(model, target):
    with stream_of(model, [user(ASK)]) as events:
        pieces = list(events.text_stream)
        message = whole(events.get_final_message())
    need(len(pieces) > 5 and "".join(pieces) == words(message), "pieces and whole differ", pieces, message)
    return said(words(message))


def stream_events(model, target):
    """The raw events, in their order."""
    events = list(ask(model, [user(ASK)], stream=True))
    kinds = [event.type for event in events]
    need(kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"], kinds)
    need(kinds.count("content_block_start") == kinds.count("content_block_stop") == 1, kinds)
    delta = events[-2]
    need(delta.delta.stop_reason == "end_turn", delta)
    count(delta.usage.output_tokens)
    return said("".join(event.delta.text for event in events if event.type == "content_block_delta"))


def asynchronous(model, target):
    async def both():
        async with AsyncAnthropic(timeout=60) as client:
            one = await client.messages.create(model=model, max_tokens=100, messages=[user(ASK)])
            async with client.messages.stream(model=model, max_tokens=100, messages=[user(ASK)]) as events:
                said(await events.get_final_text())
        return said(words(whole(one)))
    return asyncio.run(both())


def calls_of(message, number):
    calls = [block for block in whole(message, "tool_use").content if block.type == "tool_use"]
    need(len(calls) == number, message.content)
    for call in calls:
        need(call.id and call.name == "get_weather" and isinstance(call.input, dict), call)
        weather(call.input)
    if number == 2:
        distinct([call.id for call in calls])
    return calls


def results(calls):
    return user([{"type": "tool_result", "tool_use_id": call.id, "content": json.dumps({"degrees": 3})} for call in calls])


def tools(model, target):
    message = ask(model, [user(ASK_TOOL)], tools=[TOOL])
    calls = calls_of(message, 1)
    second = whole(ask(model, [user(ASK_TOOL), {"role": "assistant", "content": message.content}, results(calls)], tools=[TOOL]))
    need(words(second), second)
    return words(second)


def tools_stream(model, target):
    with stream_of(model, [user(ASK_TOOL)], tools=[TOOL]) as events:
        kinds = [event.type for event in events]
        message = events.get_final_message()
    need("input_json" in kinds, set(kinds))
    calls = calls_of(message, 1)
    with stream_of(model, [user(ASK_TOOL), {"role": "assistant", "content": message.content}, results(calls)], tools=[TOOL]) as events:
        answer = events.get_final_text()
    need(answer, "no answer to the result")
    return answer


def parallel(model, target):
    message = ask(model, [user(ASK_TWO_TOOLS)], tools=[TOOL])
    calls = calls_of(message, 2)
    second = whole(ask(model, [user(ASK_TWO_TOOLS), {"role": "assistant", "content": message.content}, results(calls)], tools=[TOOL]))
    need(words(second), second)
    return words(second)


def parallel_stream(model, target):
    with stream_of(model, [user(ASK_TWO_TOOLS)], tools=[TOOL]) as events:
        indexes = [event.index for event in events if event.type == "content_block_start"]
        message = events.get_final_message()
    need(indexes == sorted(set(indexes)), "blocks out of order", indexes)
    calls = calls_of(message, 2)
    with stream_of(model, [user(ASK_TWO_TOOLS), {"role": "assistant", "content": message.content}, results(calls)],
                   tools=[TOOL]) as events:
        answer = events.get_final_text()
    need(answer, "no answer to the result")
    return answer


def tool_choice(model, target):
    choice = {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True}
    return calls_of(ask(model, [user(ASK_TOOL)], tools=[TOOL], tool_choice=choice), 1)[0].name


def tool_error(model, target):
    """A tool that failed, a result of blocks, two of them in one turn beside a text."""
    message = ask(model, [user(ASK_TOOL)], tools=[TOOL])
    calls = calls_of(message, 1)
    result = {"type": "tool_result", "tool_use_id": calls[0].id, "is_error": True,
              "content": [{"type": "text", "text": "no such city"}, {"type": "image", "source": {
                  "type": "base64", "media_type": "image/png", "data": PNG}}]}
    turns = [user(ASK_TOOL), {"role": "assistant", "content": message.content}, user([result, {"type": "text", "text": ASK}])]
    return words(whole(ask(model, turns, tools=[TOOL])))


def tool_runner(model, target):
    """The SDK's own loop: it calls the function and sends the result by itself."""
    seen = []

    @beta_tool
    def get_weather(city: str, days: int) -> str:
        """The weather of a city.

        Args:
            city: The name of the city
            days: How many days ahead
        """
        seen.append((city, days))
        return "3 degrees"

    runner = Anthropic(timeout=60).beta.messages.tool_runner(model=model, max_tokens=300, tools=[get_weather], messages=[user(ASK_TOOL)])
    last = runner.until_done()
    need(len(seen) == 1 and isinstance(seen[0][0], str) and isinstance(seen[0][1], int), seen)
    need(last.stop_reason == "end_turn", last)
    return words(last)


def image(model, target):
    message = whole(ask(model, [picture({"type": "base64", "media_type": "image/png", "data": PNG})]))
    need(ASK_IMAGE in words(message), message)
    return words(message)


def image_url(model, target):
    message = whole(ask(model, [picture({"type": "url", "url": "https://example.com/cat.png"})]))
    need(ASK_IMAGE in words(message), message)
    return words(message)


def json_schema(model, target):
    message = whole(ask(model, [user(ASK_JSON)], output_config=FORMAT))
    need([block.type for block in message.content] == ["text"], message.content)
    return str(calendar(words(message)))


def json_stream(model, target):
    with stream_of(model, [user(ASK_JSON)], output_config=FORMAT) as events:
        return str(calendar(events.get_final_text()))


def parse(model, target):
    message = Anthropic(timeout=60).messages.parse(model=model, max_tokens=300, messages=[user(ASK_JSON)], output_format=Calendar)
    need(isinstance(message.parsed_output, Calendar), message)
    return str(calendar(message.parsed_output))


def parse_stream(model, target):
    with stream_of(model, [user(ASK_JSON)], output_format=Calendar) as events:
        message = events.get_final_message()
    return str(calendar(message.parsed_output))


def count_tokens(model, target):
    """Only Anthropic counts: of a pool it is asked, with the same content."""
    call = lambda: Anthropic(timeout=60).messages.count_tokens(model=model, messages=[user(ASK)])
    if target == "openai":
        return names(raises((anthropic.UnprocessableEntityError, anthropic.APIStatusError), call))
    counted = call()
    count(counted.input_tokens)
    return str(counted.input_tokens)


def cannot_prefill(model, target):
    """The beginning of an answer: OpenAI has no such thing."""
    turns = [user(ASK), {"role": "assistant", "content": "Well,"}]
    if target == "openai":
        error = raises(anthropic.UnprocessableEntityError, lambda: ask(model, turns))
        need(error.status_code == 422 and error.body["error"]["type"] == "invalid_request_error", error.body)
        return names(error, "messages[1]", "the beginning of an answer cannot be given")
    return said(words(whole(ask(model, turns))))


def cannot_stop(model, target):
    """Five stop sequences, one more than OpenAI takes; streamed: refused before anything is streamed."""
    sequences = ["#" * n for n in range(3, 8)]
    if target == "openai":
        def call():
            with stream_of(model, [user(ASK)], stop_sequences=sequences) as events:
                return events.get_final_text()
        return names(raises(anthropic.UnprocessableEntityError, call), "stop_sequences")
    return said(words(whole(ask(model, [user(ASK)], stop_sequences=sequences))))


def wrong_request(model, target):
    """What no provider takes: in Anthropic's shape, whoever says so."""
    error = raises((anthropic.BadRequestError, anthropic.UnprocessableEntityError), lambda: ask(model, []))
    return names(error, "messages")


def refused_wallet(model, target):
    error = raises(anthropic.APIStatusError, lambda: ask(model, [user(ASK)]))
    need(error.status_code == 402 and error.body["error"]["type"] == "billing_error", error.status_code, error.body)
    return names(error, "empty", "dev", "tollgate why")


def refused_rule(model, target):
    def call():
        with stream_of(model, [user(ASK)]) as events:
            return events.get_final_text()
    error = raises(anthropic.PermissionDeniedError, call)
    need(error.body["error"]["type"] == "permission_error", error.body)
    return names(error, "no-matrix", "Ask somebody.")


def refused_model(model, target):
    return names(raises(anthropic.PermissionDeniedError, lambda: ask(model, [user(ASK)])), "denied_models")


def refused_rate(model, target):
    error = raises(anthropic.RateLimitError, lambda: ask(model, [user(ASK)]))
    need(error.body["error"]["type"] == "rate_limit_error", error.body)
    return names(error, "requests_per_day")


def waits_for_rate(model, target):
    """One request in a minute: the SDK sleeps as long as it is told, and is served."""
    said(words(whole(ask(model, [user(ASK)]))))
    return said(words(whole(ask(model, [user(ASK)]))))


def busy(model, target):
    error = raises((anthropic.InternalServerError, anthropic.OverloadedError, anthropic.ServiceUnavailableError),
                   lambda: ask(model, [user(ASK + " [[fault=503]]")]))
    need(error.status_code in (503, 529), error.status_code)
    return names(error)


FEATURES = [text, conversation, length, stream, stream_events, asynchronous, tools, tools_stream, parallel, parallel_stream,
            tool_choice, tool_error, tool_runner, image, image_url, json_schema, json_stream, parse, parse_stream, count_tokens,
            cannot_prefill, cannot_stop, wrong_request, refused_wallet, refused_rule, refused_model, refused_rate, waits_for_rate, busy]

if __name__ == "__main__":
    serve("anthropic", {feature.__name__: feature for feature in FEATURES})
