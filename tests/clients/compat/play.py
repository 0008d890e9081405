# SPDX-License-Identifier: Apache-2.0
"""Plays the table of clients.py against a running agent and stand-in, one cell after the other; called by scripts/compat.
Each cell is one governed run in a cleared environment, and passes when the program got its answer and the agent's events say
that it was charged to the right wallet under the right name.

play.py --small|--full ENGINES USER [CLIENT…]
    ENGINES: rows of these, separated by commas. USER: who plays. CLIENT: how a row's name begins.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time

from agent import Agent
from clients import AGENT, CLIENTS, MODES, RAW, SDK, SITUATIONS
from governed import PAUSE, T, TOLLGATE, clean_environment, command_of, is_named, missing, probe_engines, run_governed

CELL_SECONDS_MAX = 150
DEAD_PROXY = "http://127.0.0.1:9"
PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy")
# What an answer of each mode shows.
SHOWN = {"json": '"chat.completion"', "stream": "data: [DONE]", "tools": '"tool_calls"'}
# Situations in which --small plays only these.
SMALL_SITUATIONS = ("curl", "Debian's python3, urllib", "Node openai", "Java HttpClient", "Go net/http")


def restart_agent():
    files = ["--policy", f"{T}/policy-config.dev.yaml", "--providers", f"{T}/providers.yaml"]
    for words in (["stop"], ["start", *files]):
        done = subprocess.run([TOLLGATE, *words, "--env", "dev"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise RuntimeError("the agent does not restart: " + done.stderr[-300:])


def restart_when_paused(process):
    """The program has its first answer when it opens the FIFO; it goes on at the FIFO's end."""
    deadline = time.monotonic() + CELL_SECONDS_MAX
    while process.poll() is None and time.monotonic() < deadline:
        try:
            fifo = os.open(PAUSE, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.02)
            continue
        try:
            restart_agent()
        finally:
            os.close(fifo)
        return


def cell_words(client, column, home):
    """The governed command line of a cell."""
    modes = [column] if column in MODES else [client.modes[0]] * (2 if column == "restart" else 1)
    environment = [*clean_environment(), f"HOME={home}"]
    environment += [f"{name}={DEAD_PROXY}" for name in PROXY_VARIABLES] if column == "proxy" else []
    environment += ["COMPAT_IPV6=1"] if column == "ipv6" else []
    if client.kind == AGENT:
        command = command_of(client, "please use the tool" if column == "tools" else "hello")
    else:
        command = command_of(client) + modes
    if column == "stdin":
        command = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
    elif column == "fds":
        command = [shutil.which("python3"), "-c", "import os, sys; os.closerange(3, 4096); os.execvp(sys.argv[1], sys.argv[1:])", *command]
    elif column == "restart" and client.kind == AGENT:
        command = ["sh", "-c", '"$@" </dev/null && cat "$COMPAT_PAUSE" && exec "$@" </dev/null', "sh", *command]
    return run_governed(environment, ["timeout", "-k", "5", str(CELL_SECONDS_MAX), *command]), modes


def run_cell(words, home, is_restart):
    """Answers the exit status and what was printed."""
    with open(f"{T}/out", "w+b") as out, open(f"{T}/err", "w+b") as err:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=home)
        if is_restart:
            restart_when_paused(process)
        code = process.wait(CELL_SECONDS_MAX + 30)
        out.seek(0)
        err.seek(0)
        return code, out.read().decode(errors="replace"), err.read().decode(errors="replace")


def plain_name(executable):
    return re.sub(r"(?<=[a-z])[\d.]+$", "", os.path.basename(executable or ""))


def judge_output(client, code, out, err, modes):
    if code != 0:
        return f"exit {code}: " + " | ".join((err.strip() or out.strip()).splitlines()[-3:])[-400:]
    for mode in set(modes):
        shown = {SDK: "ANSWER ", RAW: SHOWN[mode], AGENT: "You said: "}.get(client.kind, "")
        if out.count(shown) < modes.count(mode):
            return f"no answer in {out[-200:]!r}"
    if "tools" in modes and client.kind == SDK and "get_weather" not in out:
        return f"the tool is not called: {out[-200:]!r}"
    return None if out.strip() else "nothing was printed"


def judge_events(client, events, held, is_complete):
    if not events:
        return "not governed: no event"
    # git asks for what no provider has; agents ask for more than answers, without a key: that is nobody's and costs nothing
    ours = [event for event in events if event["group_source"] == "key" or is_charged(event)]
    for event in ours:
        if event["wallet"] != "team_matrix":
            return f"charged to {event['wallet']}"
    charged = {plain_name(event["executable"]) for event in ours if event["status"] == 200 or client.name == "git"}
    if charged != set(client.executable.split()):
        return "charged as " + " ".join(sorted(name or "?" for name in charged))
    if held != "0" or not is_complete:
        return f"still held: {held}" if held != "0" else "events and the stand-in's bill differ"
    return None


def is_charged(event):
    return float(event["charge"] or 0) > 0


client_calls = {}  # of an agent that is only greeted


def play_cell(agent, client, column):
    home = os.path.join(T, "home")
    shutil.rmtree(home, ignore_errors=True)
    os.mkdir(home)
    agent.begin()
    line, modes = cell_words(client, column, home)
    code, out, err = run_cell(line, home, column == "restart")
    why = judge_output(client, code, out, err, modes)
    events, held, is_complete = agent.settle(1 if why else 15)
    why = why or judge_events(client, events, held, is_complete)
    if client.kind == AGENT and column == "tools" and not why:
        # the call of the tool and its result are one more request, at least
        why = None if sum(map(is_charged, events)) > client_calls[client.name] else "it did not send the tool's result"
    client_calls.setdefault(client.name, sum(map(is_charged, events)))
    return why


def columns_of(client, is_small):
    situations = client.situations if not is_small or client.name in SMALL_SITUATIONS else ()
    return [*client.modes, *situations]


def play_client(agent, client, engines, is_small):
    """Answers its cells: column → ok, FAIL or skip; absent: the client has no such thing."""
    lacking = missing(client)
    if client.engine not in engines or lacking:
        why = f"{lacking} is not here" if lacking else f"the engine '{client.engine}' is not in this build"
        print(f"SKIP: {client.name}: {why}", file=sys.stderr)
        return {column: "skip" for column in columns_of(client, is_small)}
    cells = {}
    for column in columns_of(client, is_small):
        why = play_cell(agent, client, column)
        cells[column] = "FAIL" if why else "ok"
        if why:
            print(f"  {client.name}, {column}: {why}", file=sys.stderr)
    return cells


def wanted(client, engines, is_small, only):
    return client.engine in engines and (client.is_small or not is_small) and is_named(client.name, only)


def main():
    is_small, engines, user, only = sys.argv[1] == "--small", sys.argv[2].split(","), sys.argv[3], sys.argv[4:]
    os.mkfifo(PAUSE)
    agent, table, present = Agent("team_matrix"), {}, probe_engines()
    columns = [*MODES, *SITUATIONS]
    print(f"{'client, as ' + user:<42}" + "".join(f"{column:>8}" for column in columns))
    for client in CLIENTS:
        if not wanted(client, engines, is_small, only):
            continue
        start = time.monotonic()
        cells = table[client.name] = play_client(agent, client, present, is_small)
        shown = "".join(f"{cells.get(column, '-'):>8}" for column in columns)
        print(f"{client.name:<42}{shown}{time.monotonic() - start:>5.0f} s", flush=True)
    print("results: " + json.dumps({"user": user, "table": table}))
    cells = [cell for row in table.values() for cell in row.values()]
    print(f"counts: {cells.count('ok')} {cells.count('FAIL')} {cells.count('skip')}")


main()
