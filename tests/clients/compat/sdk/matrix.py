# SPDX-License-Identifier: Apache-2.0
"""Plays every SDK of this folder against every target of the pool and prints a table; called by scripts/compat, which has
started the stand-in and an agent on policy.yaml. After each feature the agent's own events say whether the target that was
meant served it, from the provider's usage, with nothing left held; of a refusal, that it was asked only once. See README.md.

matrix.py --small|--full [CLIENT…]      CLIENT: how a row's name begins
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from agent import Agent  # noqa: E402
from clients import Client  # noqa: E402
from governed import T, TOLLGATE, command_of, is_named, missing  # noqa: E402


def sdk(name, dialect, command):
    """One row: `command` is a program of this folder and the package it needs."""
    program, package, *words = command.split()
    runs = f"{{python}} {{here}}/../sdk/{program}" if program.endswith(".py") else f"node {{here}}/../sdk/{program}"
    needs = "{site}/" + package if program.endswith(".py") else "node {node}/node_modules/" + package
    return dialect, Client(name, "", "", needs, " ".join([runs, *words]))


SDKS = (
    sdk("Python openai", "openai", "sdk_openai.py openai"),
    sdk("Python anthropic", "anthropic", "sdk_anthropic.py anthropic"),
    sdk("Node openai", "openai", "sdk_openai.mjs openai"),
    sdk("Node @anthropic-ai/sdk", "anthropic", "sdk_anthropic.mjs @anthropic-ai/sdk"),
    sdk("Vercel ai, @ai-sdk/openai", "openai", "sdk_ai.mjs @ai-sdk/openai openai"),
    sdk("Vercel ai, @ai-sdk/anthropic", "anthropic", "sdk_ai.mjs @ai-sdk/anthropic anthropic"),
    sdk("LangChain, langchain-openai", "openai", "sdk_langchain.py langchain_openai openai"),
    sdk("LangChain, langchain-anthropic", "anthropic", "sdk_langchain.py langchain_anthropic anthropic"),
    sdk("LangChain.js, @langchain/openai", "openai", "sdk_langchain.mjs @langchain/openai openai"),
    sdk("LangChain.js, @langchain/anthropic", "anthropic", "sdk_langchain.mjs @langchain/anthropic anthropic"),
    sdk("Python google-genai", "google", "sdk_genai.py google/genai"),
    sdk("Node @google/genai", "google", "sdk_genai.mjs @google/genai"),
)
TARGET_IDS = {"openai": "openai-gpt4o-mini", "anthropic": "anthropic-haiku", "google": "google-flash"}
# By the dialect of the client: the models its program asks for (the first in --small) and the targets it is played at.
KINDS = {
    "openai": (["gpt-4o", "gpt-5.1", "pool"], ["openai", "anthropic", "any"]),
    "anthropic": (["claude-sonnet-4-5", "claude-3-5-haiku-latest", "pool"], ["openai", "anthropic", "any"]),
    "google": (["gemini-2.0-flash"], ["google", "openai", "any"]),
}
# Refusals: the feature, the key that is refused, requests that may reach the agent, whether --small plays it.
REFUSALS = {
    "refused_wallet": ("empty", 1, True),
    "refused_rule": ("ruled", 1, True),
    "refused_model": ("banned", 1, True),
    "refused_rate": ("rated", 1, True),  # of the day: it is far, and said to be final
    "waits_for_rate": ("slowed", 4, False),  # of the minute: it passes, and SDKs wait for it
    "busy": ("pool_{first}", 3, True),
}
# Vercel's `ai` tries every 429 again and knows no x-should-retry: of rate limits it asks three times.
IGNORES_SHOULD_RETRY = {"ai": {"refused_rate": 3}}
FREE_ENDPOINTS = ("count_tokens", "countTokens")
FEATURE_SECONDS_MAX = 200


def money(event):
    return float(event.get("charge") or 0)


def check_served(events, feature, target, served):
    """Of an answer: the meant target, the provider's usage, an exact charge."""
    for event in events:
        if feature == "tool_runner" and event is events[0] and event["error"] == "no_translation" and not money(event):
            continue  # Anthropic's runner asks the provider to hold the conversation, is told that nobody can, and goes on
        if event["status"] != 200 or event["error"]:
            return f"the event says {event['status']} {event['error']}"
        if event["endpoint"] in FREE_ENDPOINTS:
            continue
        served.add(event["target"])
        if target != "any" and event["target"] != TARGET_IDS[target]:
            return "served by " + str(event["target"])
        if event["usage_source"] != "provider" or event["basis"] != "exact" or money(event) <= 0:
            return f"charged {event['charge']}, {event['basis']}, usage of {event['usage_source']}"
    return None


def check_refused(events, requests_max):
    """Of a refusal: asked once, or as often as it may be; nothing charged."""
    if len(events) > requests_max:
        return f"{len(events)} requests reached the agent"
    for event in events:
        if event["status"] < 400 or money(event):
            return f"the event says {event['status']}, charged {event['charge']}"
    return None


class Program:
    """One SDK, one process over all features."""

    def __init__(self, command):
        clean = {"PATH": os.environ["PATH"], "HOME": os.environ["REAL_HOME"], "LANG": "C.UTF-8", "COMPAT_NODE": os.environ["COMPAT_NODE"]}
        words = [TOLLGATE, "run", "--env", "dev", "--", "env", "-i", *[f"{k}={v}" for k, v in clean.items()], *command]
        self.errors = open(os.path.join(T, "sdk.err"), "w+")
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        ready = self.process.stdout.readline().split()
        if ready[:1] != ["READY"]:
            self.errors.seek(0)
            raise RuntimeError("it does not start: " + self.errors.read()[-500:])
        self.package, self.version, self.features = ready[1], ready[2], ready[3:]

    def play(self, key, target, model, feature):
        self.process.stdin.write(f"kt_cg_{key} {target} {model} {feature}\n")
        self.process.stdin.flush()
        timer = subprocess.Popen(["sh", "-c", f"sleep {FEATURE_SECONDS_MAX}; kill {self.process.pid}"], start_new_session=True)
        line = self.process.stdout.readline().rstrip("\n")
        os.killpg(timer.pid, 9)
        timer.wait()
        return line or "FAIL it died or took too long"

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


class Table:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def judge(self, where, line, why):
        word = line.split(" ", 1)[0]
        if word == "SKIP":
            self.skipped += 1
            print(f"  {where}: {line}", file=sys.stderr)
            return "skip"
        if word == "FAIL" or why:
            self.failed += 1
            print(f"  {where}: {why or ''} {line}", file=sys.stderr)
            return "FAIL"
        self.passed += 1
        return "ok" if word == "ANSWER" else "422"


def play_cell(agent, table, program, where, key, target, model, feature, served):
    agent.begin()
    line = program.play(key, target, model, feature)
    why = None
    events, held, is_complete = agent.settle(1 if line.startswith("FAIL") else 15)
    if line.startswith(("ANSWER", "REFUSED")):
        if not events:
            why = "no event"
        elif held != "0":
            why = "still held: " + held
        elif not is_complete:
            why = "events and the stand-in's bill differ"
        elif feature == "waits_for_rate":
            late = [event for event in events if event["status"] == 429]
            why = check_refused(late, 2) or (None if 0 < len(late) <= len(events) - 2 else "it did not have to wait")
        elif feature in REFUSALS and line.startswith("REFUSED"):
            why = check_refused(events, IGNORES_SHOULD_RETRY.get(program.package, {}).get(feature, REFUSALS[feature][1]))
        elif line.startswith("REFUSED"):
            why = check_refused(events[-1:], 1) if feature.startswith("cannot") else check_refused(events, 1)
        elif feature not in REFUSALS:
            why = check_served(events, feature, target, served)
    return table.judge(where, line, why)


def play_program(agent, table, is_full, only, name, kind, command):
    try:
        program = Program(command)
    except (RuntimeError, OSError) as error:
        table.judge(name, "FAIL " + str(error), None)
        return
    models, targets = KINDS[kind]
    models = models if is_full else models[:1]
    print(f"\n{name} {program.version}")
    print(f"  {'feature':<28}" + "".join(f"{target:>11}" for target in targets))
    served = set()
    for feature in program.features:
        if only and feature not in only:
            continue
        if feature in REFUSALS:
            key, _, is_small = REFUSALS[feature]
            key = key.format(first=targets[0])
            if is_small or is_full:
                result = play_cell(agent, table, program, f"{name}, {feature}", key, "any", models[0], feature, served)
                print(f"  {feature:<28}{'refused' if result == '422' else result:>11}", flush=True)
            continue
        row = f"  {feature:<28}"
        for target in targets:
            results = [play_cell(agent, table, program, f"{name}, {feature}, {model} at {target}", "pool_" + target, target, model,
                                 feature, served) for model in models]
            row += f"{next((r for r in results if r in ('FAIL', 'skip')), results[0]):>11}"
        print(row, flush=True)
    program.close()
    missing = [target for target in targets if TARGET_IDS.get(target) not in served and target in TARGET_IDS]
    if kind != "google" and not only and missing:
        table.judge(name, "FAIL", f"never served by {' '.join(missing)}")


def main():
    is_full, names = sys.argv[1] == "--full", sys.argv[2:]
    only = set(filter(None, os.environ.get("COMPAT_FEATURES", "").split()))
    agent, table = Agent("team"), Table()
    for kind, client in SDKS:
        if not is_named(client.name, names):
            continue
        lacking = missing(client)
        if lacking:
            table.judge(client.name, f"SKIP {lacking} is not here", None)
        else:
            play_program(agent, table, is_full, only, client.name, kind, command_of(client))
    print(f"counts: {table.passed} {table.failed} {table.skipped}")


main()
