# SPDX-License-Identifier: Apache-2.0
"""LangChain with langchain-openai or langchain-anthropic: sdk_langchain.py openai|anthropic. See README.md."""
import asyncio
import sys
from enum import Enum
from typing import List

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from sdk import (ASK, ASK_IMAGE, ASK_JSON, ASK_TOOL, ASK_TWO_TOOLS, CALENDAR, PNG, calendar, count, distinct, names, need, raises,
                 said, serve, weather)

PROVIDER = sys.argv[1]
if PROVIDER == "openai":
    import openai as errors
    from langchain_openai import ChatOpenAI as Chat
else:
    import anthropic as errors
    from langchain_anthropic import ChatAnthropic as Chat


class Place(BaseModel):
    street: str
    number: int


class Priority(str, Enum):
    low = "low"
    high = "high"


class Calendar(BaseModel):
    """A meeting."""
    title: str
    place: Place
    guests: List[str]
    priority: Priority
    confirmed: bool


class Unit(str, Enum):
    celsius = "celsius"
    fahrenheit = "fahrenheit"


@tool
def get_weather(city: str, days: int, unit: Unit) -> str:
    """The weather of a city."""
    weather({"city": city, "days": days, "unit": unit.value})
    return "3 degrees"


def chat(model, **more):
    return Chat(model=model, timeout=60, **more)


def words(message):
    return message.text if isinstance(message.text, str) else message.text()


def whole(message, reason=("stop", "end_turn")):
    need(isinstance(message, AIMessage), type(message))
    metadata = message.response_metadata
    got = metadata.get("finish_reason") or metadata.get("stop_reason") or metadata.get("status")
    need(got in reason, "why it stopped", metadata)
    # langchain-anthropic reads a stream's usage from its last event alone, which need not repeat the input
    count(message.usage_metadata["output_tokens"])
    if not isinstance(message, AIMessageChunk) or PROVIDER == "openai":
        count(message.usage_metadata["input_tokens"])
    return message


def joined(chunks):
    total = None
    for chunk in chunks:
        need(isinstance(chunk, AIMessageChunk), type(chunk))
        total = chunk if total is None else total + chunk
    return total


def text(model, target):
    return said(words(whole(chat(model).invoke([SystemMessage("Be terse."), HumanMessage(ASK)]))))


def stream(model, target):
    chunks = list(chat(model).stream(ASK))
    need(len(chunks) > 5, "it was no stream", len(chunks))
    return said(words(whole(joined(chunks))))


LOOP = asyncio.new_event_loop()  # one: LangChain shares its connections between the calls of a program


def asynchronous(model, target):
    async def both():
        llm = chat(model)
        pieces = [words(chunk) async for chunk in llm.astream(ASK)]
        said("".join(pieces))
        return said(words(whole(await llm.ainvoke(ASK))))
    return LOOP.run_until_complete(both())


def batch(model, target):
    """Several at once, over one client."""
    answers = chat(model).batch([ASK, ASK, ASK])
    need(len(answers) == 3, answers)
    return said(words(answers[2]))


def answer_calls(llm, question, message, number, is_stream=False):
    need(len(message.tool_calls) == number and not message.invalid_tool_calls, message)
    for call in message.tool_calls:
        need(call["name"] == "get_weather" and call["id"], call)
        weather(call["args"])
    if number == 2:
        distinct([call["id"] for call in message.tool_calls])
    results = [get_weather.invoke(call) for call in message.tool_calls]
    need(all(isinstance(result, ToolMessage) for result in results), results)
    turns = [HumanMessage(question), message, *results]
    second = joined(llm.stream(turns)) if is_stream else llm.invoke(turns)
    need(words(whole(second)), "no answer to the results")
    return words(second)


def tools(model, target):
    llm = chat(model).bind_tools([get_weather])
    return answer_calls(llm, ASK_TOOL, whole(llm.invoke(ASK_TOOL), ("tool_calls", "tool_use")), 1)


def tools_stream(model, target):
    llm = chat(model).bind_tools([get_weather])
    return answer_calls(llm, ASK_TOOL, joined(llm.stream(ASK_TOOL)), 1, True)


def parallel(model, target):
    llm = chat(model).bind_tools([get_weather])
    return answer_calls(llm, ASK_TWO_TOOLS, llm.invoke(ASK_TWO_TOOLS), 2)


def parallel_stream(model, target):
    llm = chat(model).bind_tools([get_weather])
    return answer_calls(llm, ASK_TWO_TOOLS, joined(llm.stream(ASK_TWO_TOOLS)), 2, True)


def tool_choice(model, target):
    llm = chat(model).bind_tools([get_weather], tool_choice="get_weather")
    message = llm.invoke(ASK_TOOL)
    need(len(message.tool_calls) == 1, message)
    return str(weather(message.tool_calls[0]["args"]))


def image(model, target):
    content = [{"type": "text", "text": ASK_IMAGE}, {"type": "image", "base64": PNG, "mime_type": "image/png"}]
    message = whole(chat(model).invoke([HumanMessage(content=content)]))
    need(ASK_IMAGE in words(message), message)
    return words(message)


def structured(method, model, schema=Calendar):
    return str(calendar(chat(model).with_structured_output(schema, method=method).invoke(ASK_JSON)))


def structured_schema(model, target):
    return structured("json_schema", model)


def structured_dict(model, target):
    return structured("json_schema", model, {"title": "Calendar", "description": "A meeting.", **CALENDAR})


def structured_tool(model, target):
    return structured("function_calling", model)


def json_mode(model, target):
    llm = chat(model).with_structured_output(None, method="json_mode")
    answer = llm.invoke(ASK_JSON)
    need(isinstance(answer, dict), answer)
    return str(answer)


def responses(model, target):
    return said(words(whole(chat(model, use_responses_api=True).invoke(ASK), ("completed",))))


def responses_tools(model, target):
    llm = chat(model, use_responses_api=True).bind_tools([get_weather])
    message = llm.invoke(ASK_TOOL)
    need(len(message.tool_calls) == 1, message)
    second = llm.invoke([HumanMessage(ASK_TOOL), message, get_weather.invoke(message.tool_calls[0])])
    need(words(second), second)
    return words(second)


def responses_structured(model, target):
    llm = chat(model, use_responses_api=True).with_structured_output(Calendar, method="json_schema")
    return str(calendar(llm.invoke(ASK_JSON)))


def cannot(model, target):
    if PROVIDER == "openai":
        call = lambda: chat(model, logprobs=True).invoke(ASK)
    else:
        call = lambda: chat(model).invoke([HumanMessage(ASK), AIMessage("Well,")])
    if target != ("anthropic" if PROVIDER == "openai" else "openai"):
        return said(words(call()))
    return names(raises(errors.UnprocessableEntityError, call), "cannot be translated")


def refused_wallet(model, target):
    kind = errors.RateLimitError if PROVIDER == "openai" else errors.APIStatusError
    return names(raises(kind, lambda: chat(model).invoke(ASK)), "empty", "dev", "tollgate why")


def refused_rule(model, target):
    return names(raises(errors.PermissionDeniedError, lambda: list(chat(model).stream(ASK))), "no-matrix", "Ask somebody.")


def refused_model(model, target):
    return names(raises(errors.PermissionDeniedError, lambda: chat(model).invoke(ASK)), "denied_models")


def refused_rate(model, target):
    return names(raises(errors.RateLimitError, lambda: chat(model).invoke(ASK)), "requests_per_day")


def busy(model, target):
    return names(raises(errors.InternalServerError, lambda: chat(model).invoke(ASK + " [[fault=503]]")))


FEATURES = [text, stream, asynchronous, batch, tools, tools_stream, parallel, parallel_stream, tool_choice, image, structured_schema,
            structured_dict, structured_tool]
FEATURES += [json_mode, responses, responses_tools, responses_structured] if PROVIDER == "openai" else []
FEATURES += [cannot, refused_wallet, refused_rule, refused_model, refused_rate, busy]

if __name__ == "__main__":
    serve("langchain-" + PROVIDER, {feature.__name__: feature for feature in FEATURES})
