# SPDX-License-Identifier: Apache-2.0
"""What the Python programs of this folder share: the loop over features, the checks that every answer must pass, and
the same questions for all. See README.md. Knows nothing of a particular SDK."""
import importlib.metadata
import json
import os
import sys
import traceback

# The same questions, schemas and picture (a PNG of 2 × 2 pixels) for all programs.
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "shared.json"), encoding="utf-8") as file:
    SHARED = json.load(file)
PNG, WEATHER, CALENDAR = SHARED["PNG"], SHARED["WEATHER"], SHARED["CALENDAR"]
ASK, ASK_TOOL, ASK_TWO_TOOLS, ASK_JSON, ASK_IMAGE = (SHARED[n] for n in ("ASK", "ASK_TOOL", "ASK_TWO_TOOLS", "ASK_JSON", "ASK_IMAGE"))


class Skip(Exception):
    """This SDK has no such feature; the message says so."""


def need(condition, *facts):
    """assert, with what was got."""
    if not condition:
        raise AssertionError(" ".join(repr(fact) for fact in facts))


def count(*numbers):
    """Tokens, as the SDK's types have them."""
    for number in numbers:
        need(isinstance(number, int) and not isinstance(number, bool) and number > 0, "no count of tokens", number)


def said(text):
    need(isinstance(text, str) and "hello from the matrix" in text, "not the stand-in's echo", text)
    return text


def weather(arguments):
    """Arguments of the tool: as a text or an object, whatever the SDK gives; they must fit WEATHER."""
    value = json.loads(arguments) if isinstance(arguments, str) else dict(arguments)
    need(sorted(value) == ["city", "days", "unit"], "members of the arguments", value)
    need(isinstance(value["city"], str) and value["city"], "city", value)
    need(float(value["days"]).is_integer() and not isinstance(value["days"], (bool, str)), "days", value)
    need(value["unit"] in ("celsius", "fahrenheit"), "unit", value)
    return value


def calendar(text):
    """Structured output: as a text or an object; it must fit CALENDAR."""
    value = json.loads(text) if isinstance(text, str) else text
    value = value.model_dump(mode="json") if hasattr(value, "model_dump") else value
    need(sorted(value) == sorted(CALENDAR["required"]), "members of the answer", value)
    need(isinstance(value["title"], str) and isinstance(value["confirmed"], bool), "title, confirmed", value)
    need(value["priority"] in ("low", "high"), "priority", value)
    need(isinstance(value["guests"], list) and all(isinstance(guest, str) for guest in value["guests"]), "guests", value)
    need(sorted(value["place"]) == ["number", "street"] and isinstance(value["place"]["street"], str), "place", value)
    need(isinstance(value["place"]["number"], int), "number", value)
    return value


def distinct(names):
    need(len(names) == 2 and len(set(names)) == 2 and all(names), "ids of two calls", names)


def raises(kinds, call):
    """The exception that the call must end with; its class is the SDK's contract."""
    try:
        answer = call()
    except kinds as error:
        return error
    raise AssertionError("it was not refused: " + str(answer)[:200])


def names(error, *parts):
    """What a person must be able to read in the exception's text."""
    text = str(error)
    for part in parts:
        need(part in text, "the exception does not say", part, text[:400])
    need("kt_cg_" not in text and "sk-" not in text, "a key stands in it", text[:400])
    return "REFUSED " + type(error).__name__ + " " + text[:120]


def version(package):
    return importlib.metadata.version(package)


def serve(package, features):
    """One line in: KEY TARGET MODEL FEATURE. One line out: ANSWER …, REFUSED …, SKIP … or FAIL …."""
    print("READY", package, version(package), *features, flush=True)
    for line in sys.stdin:
        key, target, model, feature = line.split()
        for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"):
            os.environ[name] = key
        try:
            text = features[feature](model, target)
            text = text if text.startswith("REFUSED ") else "ANSWER " + text
        except Skip as skip:
            text = "SKIP " + str(skip)
        except BaseException as error:  # whatever goes wrong is a failure of this feature alone
            where = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)][-4:]
            text = f"FAIL {type(error).__name__}: {error} ({' '.join(where)})"
        print(" ".join(text.split())[:1500], flush=True)
