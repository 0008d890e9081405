# SPDX-License-Identifier: Apache-2.0
"""The Python `openai` SDK: Chat Completions and Responses, with the SDK's own accumulators and parsers. See README.md."""
import asyncio
import json
from enum import Enum
from typing import List

import openai
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response
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


TOOL = {"type": "function", "function": {"name": "get_weather", "description": "The weather of a city", "parameters": WEATHER,
                                         "strict": True}}
RESPONSES_TOOL = {"type": "function", **TOOL["function"]}
SCHEMA = {"name": "calendar", "schema": CALENDAR, "strict": True}
SYSTEM = {"role": "system", "content": "You are terse."}


def user(text):
    return {"role": "user", "content": text}


def picture(text, url="data:image/png;base64," + PNG):
    return user([{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}])


def chat(model, messages, **more):
    return OpenAI(timeout=60).chat.completions.create(model=model, messages=messages, **more)


def usage(value):
    count(value.prompt_tokens, value.completion_tokens)
    need(value.total_tokens == value.prompt_tokens + value.completion_tokens, "total", value)


def whole(answer, reason="stop"):
    need(type(answer) is ChatCompletion or isinstance(answer, ChatCompletion), type(answer))
    need(answer.object == "chat.completion" and answer.id.startswith("chatcmpl-") and answer.created > 1.6e9, answer)
    need(answer.model, "no model")
    need(len(answer.choices) == 1 and answer.choices[0].finish_reason == reason, answer.choices)
    usage(answer.usage)
    return answer.choices[0].message


def text(model, target):
    message = whole(chat(model, [SYSTEM, user(ASK)], temperature=0.2, max_tokens=100))
    need(message.role == "assistant" and not message.tool_calls and message.refusal is None, message)
    return said(message.content)


def developer(model, target):
    """The newer names: developer, max_completion_tokens, reasoning_effort, stop; a conversation of three turns."""
    turns = [{"role": "developer", "content": "Be terse."}, user("first"), {"role": "assistant", "content": "an answer"}, user(ASK)]
    return said(whole(chat(model, turns, max_completion_tokens=200, stop=["###"], user="somebody", seed=7)).content)


def length(model, target):
    message = whole(chat(model, [user(ASK)], max_tokens=4), "length")
    need(message.content, message)
    return message.content


def stream(model, target):
    chunks = list(chat(model, [user(ASK)], stream=True))
    need(all(isinstance(chunk, ChatCompletionChunk) for chunk in chunks), chunks)
    need(chunks[0].choices[0].delta.role == "assistant", chunks[0])
    need(all(len(chunk.choices) == 1 and chunk.usage is None for chunk in chunks), "usage that nobody asked for", chunks[-1])
    need([c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == ["stop"], "finish_reason", chunks[-1])
    need(len({chunk.id for chunk in chunks}) == 1, "ids differ")
    need(len(chunks) > 5, "it was no stream", len(chunks))
    return said("".join(chunk.choices[0].delta.content or "" for chunk in chunks))


def stream_usage(model, target):
    chunks = list(chat(model, [user(ASK)], stream=True, stream_options={"include_usage": True}))
    need(not chunks[-1].choices, "the last chunk has choices", chunks[-1])
    usage(chunks[-1].usage)
    need(all(chunk.usage is None for chunk in chunks[:-1]), "usage before the end")
    return said("".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]))


def stream_helper(model, target):
    with OpenAI(timeout=60).chat.completions.stream(model=model, messages=[user(ASK)]) as events:
        kinds = [event.type for event in events]
        answer = events.get_final_completion()
    need("content.delta" in kinds and "content.done" in kinds, set(kinds))
    need(answer.choices[0].finish_reason == "stop", answer)
    return said(answer.choices[0].message.content)


def asynchronous(model, target):
    async def both():
        async with AsyncOpenAI(timeout=60) as client:
            one = await client.chat.completions.create(model=model, messages=[user(ASK)])
            pieces = [c.choices[0].delta.content or "" async for c in await client.chat.completions.create(
                model=model, messages=[user(ASK)], stream=True)]
        said("".join(pieces))
        return said(whole(one).content)
    return asyncio.run(both())


def answer_calls(model, question, message, calls, **more):
    """The second turn: what the SDK gave as the first, and the tools' results."""
    turns = [SYSTEM, user(question), message]
    turns += [{"role": "tool", "tool_call_id": call.id, "content": json.dumps({"degrees": 3 + i})} for i, call in enumerate(calls)]
    answer = chat(model, turns, tools=[TOOL], **more)
    if more.get("stream"):
        chunks = list(answer)
        need(chunks[-1].choices[0].finish_reason == "stop", chunks[-1])
        words = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    else:
        words = whole(answer).content
    need(words, "no answer to the result")
    return words


def tools(model, target):
    message = whole(chat(model, [SYSTEM, user(ASK_TOOL)], tools=[TOOL]), "tool_calls")
    need(len(message.tool_calls) == 1 and message.tool_calls[0].type == "function", message)
    call = message.tool_calls[0]
    need(call.id and call.function.name == "get_weather", call)
    weather(call.function.arguments)
    return answer_calls(model, ASK_TOOL, message, [call])


def stream_calls(model, question):
    """Pieces of calls put together by hand, by index, as many programs do."""
    calls, reasons = {}, []
    for chunk in chat(model, [SYSTEM, user(question)], tools=[TOOL], stream=True):
        reasons += [chunk.choices[0].finish_reason] if chunk.choices[0].finish_reason else []
        for piece in chunk.choices[0].delta.tool_calls or []:
            if piece.index not in calls:
                need(piece.id and piece.type == "function" and piece.function.name, "a first piece without its name", piece)
                calls[piece.index] = {"id": piece.id, "type": "function", "function": {"name": piece.function.name, "arguments": ""}}
            else:
                need(not piece.function.name, "a name twice", piece)
            calls[piece.index]["function"]["arguments"] += piece.function.arguments or ""
    need(reasons == ["tool_calls"], reasons)
    need(sorted(calls) == list(range(len(calls))), "indexes", calls)
    for call in calls.values():
        need(call["function"]["name"] == "get_weather", call)
        weather(call["function"]["arguments"])
    return [calls[i] for i in sorted(calls)]


def tools_stream(model, target):
    calls = stream_calls(model, ASK_TOOL)
    need(len(calls) == 1, calls)
    turns = [SYSTEM, user(ASK_TOOL), {"role": "assistant", "content": None, "tool_calls": calls},
             {"role": "tool", "tool_call_id": calls[0]["id"], "content": "3 degrees"}]
    words = "".join(c.choices[0].delta.content or "" for c in chat(model, turns, tools=[TOOL], stream=True))
    need(words, "no answer to the result")
    return words


def tools_stream_helper(model, target):
    with OpenAI(timeout=60).chat.completions.stream(model=model, messages=[SYSTEM, user(ASK_TOOL)], tools=[TOOL]) as events:
        kinds = {event.type for event in events}
        message = events.get_final_completion().choices[0].message
    need("tool_calls.function.arguments.delta" in kinds and "tool_calls.function.arguments.done" in kinds, kinds)
    need(len(message.tool_calls) == 1, message)
    weather(message.tool_calls[0].function.arguments)
    weather(message.tool_calls[0].function.parsed_arguments)
    return answer_calls(model, ASK_TOOL, message, message.tool_calls, stream=True)


def parallel(model, target):
    message = whole(chat(model, [SYSTEM, user(ASK_TWO_TOOLS)], tools=[TOOL]), "tool_calls")
    distinct([call.id for call in message.tool_calls])
    for call in message.tool_calls:
        weather(call.function.arguments)
    return answer_calls(model, ASK_TWO_TOOLS, message, message.tool_calls)


def parallel_stream(model, target):
    calls = stream_calls(model, ASK_TWO_TOOLS)
    distinct([call["id"] for call in calls])
    with OpenAI(timeout=60).chat.completions.stream(model=model, messages=[SYSTEM, user(ASK_TWO_TOOLS)], tools=[TOOL]) as events:
        message = events.until_done().get_final_completion().choices[0].message
    distinct([call.id for call in message.tool_calls])
    for call in message.tool_calls:
        weather(call.function.parsed_arguments)
    return answer_calls(model, ASK_TWO_TOOLS, message, message.tool_calls, stream=True)


def tool_choice(model, target):
    choice = {"type": "function", "function": {"name": "get_weather"}}
    first = chat(model, [user(ASK_TOOL)], tools=[TOOL], tool_choice=choice, parallel_tool_calls=False).choices[0]
    # OpenAI says "stop" after a call that was forced by name: programs look at the calls
    need(first.finish_reason in ("stop", "tool_calls") and len(first.message.tool_calls) == 1, first)
    weather(first.message.tool_calls[0].function.arguments)
    return first.message.tool_calls[0].function.name


def image(model, target):
    message = whole(chat(model, [picture(ASK_IMAGE)]))
    need(ASK_IMAGE in message.content, message)
    return message.content


def image_url(model, target):
    message = whole(chat(model, [picture(ASK_IMAGE, "https://example.com/cat.png")]))
    need(ASK_IMAGE in message.content, message)
    return message.content


def json_object(model, target):
    message = whole(chat(model, [user(ASK_JSON)], response_format={"type": "json_object"}))
    need(isinstance(json.loads(message.content), dict), message)
    return message.content


def json_schema(model, target):
    message = whole(chat(model, [user(ASK_JSON)], response_format={"type": "json_schema", "json_schema": SCHEMA}))
    need(not message.tool_calls, message)
    return str(calendar(message.content))


def json_stream(model, target):
    chunks = list(chat(model, [user(ASK_JSON)], response_format={"type": "json_schema", "json_schema": SCHEMA}, stream=True))
    need(chunks[-1].choices[0].finish_reason == "stop", chunks[-1])
    need(not any(chunk.choices[0].delta.tool_calls for chunk in chunks), "the tool behind it shows")
    return str(calendar("".join(chunk.choices[0].delta.content or "" for chunk in chunks)))


def parse(model, target):
    answer = OpenAI(timeout=60).chat.completions.parse(model=model, messages=[user(ASK_JSON)], response_format=Calendar)
    need(isinstance(answer.choices[0].message.parsed, Calendar), answer)
    return str(calendar(answer.choices[0].message.parsed))


def parse_stream(model, target):
    with OpenAI(timeout=60).chat.completions.stream(model=model, messages=[user(ASK_JSON)], response_format=Calendar) as events:
        answer = events.until_done().get_final_completion()
    return str(calendar(answer.choices[0].message.parsed))


# ---- Responses

def respond(model, question, **more):
    return OpenAI(timeout=60).responses.create(model=model, input=question, **more)


def done(answer, status="completed"):
    need(isinstance(answer, Response) and answer.object == "response" and answer.id.startswith("resp_"), answer)
    need(answer.status == status and answer.error is None, answer)
    count(answer.usage.input_tokens, answer.usage.output_tokens)
    need(answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens, answer.usage)
    return answer


def responses_text(model, target):
    return said(done(respond(model, ASK, instructions="Be terse.", max_output_tokens=100, temperature=0.3)).output_text)


def responses_stream(model, target):
    events = list(respond(model, [user(ASK)], stream=True))
    kinds = [event.type for event in events]
    need(kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds)
    need([event.sequence_number for event in events] == list(range(len(events))), "sequence numbers")
    words = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    need(done(events[-1].response).output_text == words, "the whole differs from its pieces", words)
    return said(words)


def responses_stream_helper(model, target):
    with OpenAI(timeout=60).responses.stream(model=model, input=ASK) as events:
        answer = events.until_done().get_final_response()
    return said(done(answer).output_text)


def functions(answer):
    calls = [item for item in answer.output if item.type == "function_call"]
    for call in calls:
        need(call.name == "get_weather" and call.call_id, call)
        weather(call.arguments)
    return calls


def outputs(calls):
    return [{"type": "function_call_output", "call_id": call.call_id, "output": json.dumps({"degrees": 3})} for call in calls]


def responses_tools(model, target):
    answer = done(respond(model, [user(ASK_TOOL)], tools=[RESPONSES_TOOL]))
    calls = functions(answer)
    need(len(calls) == 1, answer)
    second = done(respond(model, [user(ASK_TOOL), *answer.output, *outputs(calls)], tools=[RESPONSES_TOOL]))
    need(second.output_text, second)
    return second.output_text


def responses_tools_stream(model, target):
    with OpenAI(timeout=60).responses.stream(model=model, input=[user(ASK_TOOL)], tools=[RESPONSES_TOOL]) as events:
        kinds = [event.type for event in events]
        answer = done(events.get_final_response())
    need("response.function_call_arguments.delta" in kinds and "response.function_call_arguments.done" in kinds, set(kinds))
    calls = functions(answer)
    need(len(calls) == 1, answer)
    turns = [user(ASK_TOOL), *[item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in answer.output],
             *outputs(calls)]
    words = "".join(event.delta for event in respond(model, turns, tools=[RESPONSES_TOOL], stream=True)
                    if event.type == "response.output_text.delta")
    need(words, "no answer to the result")
    return words


def responses_parallel(model, target):
    answer = done(respond(model, [user(ASK_TWO_TOOLS)], tools=[RESPONSES_TOOL]))
    calls = functions(answer)
    distinct([call.call_id for call in calls])
    with OpenAI(timeout=60).responses.stream(model=model, input=[user(ASK_TWO_TOOLS)], tools=[RESPONSES_TOOL]) as events:
        distinct([call.call_id for call in functions(events.until_done().get_final_response())])
    second = done(respond(model, [user(ASK_TWO_TOOLS), *answer.output, *outputs(calls)], tools=[RESPONSES_TOOL]))
    need(second.output_text, second)
    return second.output_text


def responses_image(model, target):
    content = [{"type": "input_text", "text": ASK_IMAGE}, {"type": "input_image", "image_url": "data:image/png;base64," + PNG,
                                                           "detail": "auto"}]
    answer = done(respond(model, [user(content)]))
    need(ASK_IMAGE in answer.output_text, answer)
    return answer.output_text


def responses_json(model, target):
    answer = done(respond(model, ASK_JSON, text={"format": {"type": "json_object"}}))
    need(isinstance(json.loads(answer.output_text), dict), answer)
    return answer.output_text


def responses_parse(model, target):
    answer = OpenAI(timeout=60).responses.parse(model=model, input=ASK_JSON, text_format=Calendar)
    need(isinstance(answer.output_parsed, Calendar), answer)
    with OpenAI(timeout=60).responses.stream(model=model, input=ASK_JSON, text_format=Calendar) as events:
        calendar(events.until_done().get_final_response().output_parsed)
    return str(calendar(answer.output_parsed))


# ---- refusals

def cannot_two_answers(model, target):
    """Two choices: OpenAI alone has them."""
    if target == "anthropic":
        error = raises(openai.UnprocessableEntityError, lambda: chat(model, [user(ASK)], n=2))
        need(error.status_code == 422 and error.type == "invalid_request_error", error.body)
        return names(error, "n cannot be translated to Anthropic Messages")
    answer = chat(model, [user(ASK)], n=2)
    need(len(answer.choices) == 2, answer)
    return said(answer.choices[1].message.content)


def cannot_logprobs(model, target):
    if target == "anthropic":
        error = raises(openai.UnprocessableEntityError, lambda: chat(model, [user(ASK)], logprobs=True, stream=True))
        return names(error, "logprobs cannot be translated")
    return said("".join(c.choices[0].delta.content or "" for c in chat(model, [user(ASK)], logprobs=True, stream=True)))


def cannot_previous(model, target):
    """A conversation that the provider keeps: at OpenAI it goes on, an answer that was translated is kept nowhere."""
    first = done(respond(model, "remember this", store=True))
    call = lambda: respond(model, ASK, previous_response_id=first.id)
    if first.to_dict().get("store") is False:
        need(target != "openai", "OpenAI's own answer is not stored")
        error = raises(openai.UnprocessableEntityError, call)
        need(error.code == "no_translation", error.body)
        return names(error)
    return said(done(call()).output_text)


def wrong_request(model, target):
    """What no provider takes: their own error, in OpenAI's shape."""
    error = raises((openai.BadRequestError, openai.UnprocessableEntityError), lambda: chat(model, []))
    return names(error, "messages")


def refused_wallet(model, target):
    error = raises(openai.RateLimitError, lambda: chat(model, [user(ASK)]))
    need(error.code == "project_spend_limit_exceeded" and error.type == "insufficient_quota", error.body)
    need(error.response.headers["x-should-retry"] == "false", error.response.headers)
    return names(error, "empty", "dev", "tollgate why")


def refused_rule(model, target):
    error = raises(openai.PermissionDeniedError, lambda: chat(model, [user(ASK)], stream=True))
    return names(error, "no-matrix", "Ask somebody.")


def refused_model(model, target):
    return names(raises(openai.PermissionDeniedError, lambda: chat(model, [user(ASK)])), "denied_models")


def refused_rate(model, target):
    error = raises(openai.RateLimitError, lambda: chat(model, [user(ASK)]))
    return names(error, "requests_per_day")


def waits_for_rate(model, target):
    """One request in a minute: the SDK sleeps as long as it is told, and is served."""
    said(whole(chat(model, [user(ASK)])).content)
    return said(whole(chat(model, [user(ASK)])).content)


def busy(model, target):
    error = raises(openai.InternalServerError, lambda: chat(model, [user(ASK + " [[fault=503]]")]))
    need(error.status_code in (503, 529), error.status_code)
    return names(error)


FEATURES = [text, developer, length, stream, stream_usage, stream_helper, asynchronous, tools, tools_stream, tools_stream_helper,
            parallel, parallel_stream, tool_choice, image, image_url, json_object, json_schema, json_stream, parse, parse_stream,
            responses_text, responses_stream, responses_stream_helper, responses_tools, responses_tools_stream,
            responses_parallel, responses_image, responses_json, responses_parse, cannot_two_answers, cannot_logprobs,
            cannot_previous, wrong_request, refused_wallet, refused_rule, refused_model, refused_rate, waits_for_rate, busy]

if __name__ == "__main__":
    serve("openai", {feature.__name__: feature for feature in FEATURES})
