# SPDX-License-Identifier: Apache-2.0
"""Plays the table of clients.py against a running agent and stand-in, one cell after the other; called by scripts/compat.
Each cell is one governed run in a cleared environment, and passes when the program got its answer and the agent's events say
that it was charged to the right wallet under the right name.

play.py --small|--full RESULTS [CLIENT…]       CLIENT: the beginning of a row's name; RESULTS: a file for the cells, as JSON
"""
import glob
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time

from agent import TOLLGATE, Agent
from clients import CLIENTS, MODES, RAW, SDK, SITUATIONS, TOOL

T, CACHE = os.environ["T"], os.environ["COMPAT_CACHE"]
HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients")
URL = "https://api.openai.com/v1/chat/completions"
KEY = "kt_cg_matrix"
PAUSE = os.path.join(T, "pause")
CELL_SECONDS_MAX = 90
DEAD_PROXY = "http://127.0.0.1:9"
PROXIES = [f"{name}={DEAD_PROXY}" for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy")]
# What an answer of each mode shows; a whole program only has to end well.
SHOWN = {"json": '"chat.completion"', "stream": "data: [DONE]", "tools": '"tool_calls"'}
# Situations in which --small plays only these.
SMALL_SITUATIONS = ("curl", "Debian's python3, urllib", "Node openai", "Java HttpClient", "Go net/http")


def first(pattern):
    return next(iter(sorted(glob.glob(pattern))), pattern)


def clean_environment():
    return [f"PATH={os.environ['PATH']}", "LANG=C.UTF-8", f"COMPAT_NODE={CACHE}/node", f"COMPAT_BODIES={HERE}/../bodies", f"COMPAT_URL={URL}",
            f"COMPAT_PAUSE={PAUSE}", *(f"{name}={KEY}" for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "CODEX_API_KEY"))]


class Words:
    """What the braces of the table stand for."""

    def __init__(self):
        self.words = {"here": HERE, "cache": CACHE, "python": f"{CACHE}/venv/bin/python", "node": f"{CACHE}/node",
                      "site": first(f"{CACHE}/venv/lib/python3*/site-packages"), "tools": f"{CACHE}/tools/node_modules/.bin",
                      "first_python": shutil.which("python3"), "clean": " ".join(shlex.quote(pair) for pair in clean_environment())}

    def missing(self, client):
        """The first thing that a client needs and this machine lacks."""
        for need in shlex.split(client.needs.format(**self.words)):
            if not (glob.glob(need) if need.startswith("/") else shutil.which(need)):
                return os.path.basename(need)
        return None

    def command(self, client):
        return [piece for word in shlex.split(client.command) for piece in
                (shlex.split(self.words["clean"]) if word == "{clean}" else [word.format(**self.words)])]


def probe_engines():
    """The engines of this build: what a governed program sees of them."""
    engines = {"preload"}
    hosts = subprocess.run([TOLLGATE, "run", "--env", "dev", "--", "cat", "/etc/hosts"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if "api.openai.com" in hosts.stdout:
        engines.add("hosts")
    probe = os.path.join(CACHE, "c-probe")
    if os.path.exists(probe):
        done = subprocess.run([TOLLGATE, "run", "--env", "dev", "--", probe], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if "TOLLGATE_SUPERVISED=" in done.stdout:
            engines.add("supervised")
    return engines


def restart_agent():
    for words in (["stop", "--env", "dev"], ["start", "--env", "dev", "--policy", f"{T}/policy-config.dev.yaml", "--providers", f"{T}/providers.yaml"]):
        done = subprocess.run([TOLLGATE, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
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


def cell_words(client, words, column, home):
    """The governed command line of a cell."""
    modes = [column] if column in MODES else [client.modes[0]] * (2 if column == "restart" else 1)
    environment = [*clean_environment(), f"HOME={home}"]
    environment += PROXIES if column == "proxy" else []
    environment += ["COMPAT_IPV6=1"] if column == "ipv6" else []
    command = words.command(client) + (modes if client.kind != TOOL or client.modes == ("json",) else [])
    if column == "stdin":
        command = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
    elif column == "fds":
        command = [shutil.which("python3"), "-c", "import os, sys; os.closerange(3, 4096); os.execvp(sys.argv[1], sys.argv[1:])", *command]
    elif column == "restart" and client.kind == TOOL:
        command = ["sh", "-c", '"$@" </dev/null && cat "$COMPAT_PAUSE" && exec "$@" </dev/null', "sh", *command]
    return [TOLLGATE, "run", "--env", "dev", "--", "env", "-i", *environment, "timeout", "-k", "5", str(CELL_SECONDS_MAX), *command], modes


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
        shown = "ANSWER " if client.kind == SDK else SHOWN[mode]
        if client.kind != TOOL and out.count(shown) < modes.count(mode):
            return f"no answer in {out[-200:]!r}"
    if "tools" in modes and client.kind == SDK and "get_weather" not in out:
        return f"the tool is not called: {out[-200:]!r}"
    return None if out.strip() else "nothing was printed"


def judge_events(client, events, held, is_complete):
    if not events:
        return "not governed: no event"
    charged = {plain_name(event["executable"]) for event in events if event["status"] == 200 or client.executable.startswith("git")}
    for event in events:
        if event["wallet"] != "team_matrix":
            return f"charged to {event['wallet']}"
    if charged != set(client.executable.split()):
        return "charged as " + " ".join(sorted(name or "?" for name in charged))
    if held != "0" or not is_complete:
        return f"still held: {held}" if held != "0" else "events and the stand-in's bill differ"
    return None


def play_cell(agent, client, words, column):
    home = os.path.join(T, "home")
    shutil.rmtree(home, ignore_errors=True)
    os.mkdir(home)
    agent.begin()
    line, modes = cell_words(client, words, column, home)
    code, out, err = run_cell(line, home, column == "restart")
    why = judge_output(client, code, out, err, modes)
    events, held, is_complete = agent.settle(1 if why else 15)
    return why or judge_events(client, events, held, is_complete)


def columns_of(client, is_small):
    situations = client.situations if not is_small or client.name in SMALL_SITUATIONS else ()
    return [*client.modes, *situations]


def play_client(agent, client, words, engines, is_small):
    """Answers its cells: column → ok, FAIL or skip; absent: the client has no such thing."""
    missing = words.missing(client)
    if client.engine not in engines or missing:
        why = f"{missing} is not here" if missing else f"the engine '{client.engine}' is not in this build"
        print(f"SKIP: {client.name}: {why}", file=sys.stderr)
        return {column: "skip" for column in columns_of(client, is_small)}
    cells = {}
    for column in columns_of(client, is_small):
        why = play_cell(agent, client, words, column)
        cells[column] = "FAIL" if why else "ok"
        if why:
            print(f"  {client.name}, {column}: {why}", file=sys.stderr)
    return cells


def main():
    is_small, results, only = sys.argv[1] == "--small", sys.argv[2], sys.argv[3:]
    os.mkfifo(PAUSE)
    agent, words, table = Agent("team_matrix"), Words(), {}
    engines = probe_engines()
    columns = [*MODES, *SITUATIONS]
    print(f"{'client':<42}" + "".join(f"{column:>8}" for column in columns))
    for client in CLIENTS:
        if only and not any(client.name.lower().startswith(name.lower()) for name in only) or is_small and not client.is_small:
            continue
        start = time.monotonic()
        table[client.name] = play_client(agent, client, words, engines, is_small)
        print(f"{client.name:<42}" + "".join(f"{table[client.name].get(column, '-'):>8}" for column in columns) +
              f"  {time.monotonic() - start:.0f} s", flush=True)
    with open(results, "w", encoding="utf-8") as file:
        json.dump(table, file)
    cells = [cell for row in table.values() for cell in row.values()]
    print(f"counts: {cells.count('ok')} {cells.count('FAIL')} {cells.count('skip')}")


main()
