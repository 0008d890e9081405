#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The director of scripts/soak: an agent's life with real clients, faults, reloads, restarts and clock steps.

usage: soak.py MINUTES WORK BUILD CLOCK CLIENT…
WORK has the policy in two versions (one.yaml, two.yaml), providers.yaml and the directories state and runtime. CLOCK: the library that clock.c makes, or
"" for no clock steps. CLIENT: NAME=COMMAND, one process each, which stays (client.py says what it
does). Writes WORK/rows.jsonl (what the clients saw), WORK/samples.jsonl, WORK/life.json; accounts.py judges them.

The first quarter has the restarts: an orderly one, and a kill -9. What follows is one life, whose memory, descriptors and
threads can be looked at over time.
"""
import json
import os
import queue
import random
import shlex
import signal
import struct
import subprocess
import sys
import threading
import time

STOP_AT, KILL_AT = 0.10, 0.20  # of the whole time
SAMPLE_S, RELOAD_S, PAUSE_S, READY_S, ANSWER_S = 2, 5, 0.05, 60, 120
STEPS_S = (36000, -3000, 0, 60, -60, 7200, 0)  # all leaves are good for them: clients and provider have the true clock
CACHED_TEXTS = 8

KINDS = [  # weight, name, dialects, stream, abort, tokens, text
    (6, "plain", "openai anthropic", 0, 0, 100, "plain {tag}"),
    (5, "stream", "openai anthropic", 1, 0, 100, "stream {tag} [[tokens=40]]"),
    (2, "slow stream", "openai anthropic", 1, 0, 100, "slow {tag} [[tokens=20]] [[pace_ms=25]]"),
    (1, "large", "openai anthropic", 0, 0, 60000, "large {tag} [[bytes=150000]]"),
    (4, "cached", "openai anthropic", 0, 0, 100, "the same again {same}"),
    (2, "cached stream", "openai anthropic", 1, 0, 100, "the same stream again {same}"),
    (2, "leaves", "openai anthropic", 1, 1, 200, "leaves {tag} [[tokens=80]] [[pace_ms=20]]"),
    (1, "429", "openai anthropic", 0, 0, 100, "{tag} [[fault=429]]"),
    (1, "500", "openai anthropic", 1, 0, 100, "{tag} [[fault=500]]"),
    (1, "drop", "openai anthropic", 0, 0, 100, "{tag} [[fault=drop]]"),
    (1, "cut_rst", "openai anthropic", 1, 0, 100, "{tag} [[fault=cut_rst]] [[tokens=40]]"),
    (1, "cut_fin", "openai anthropic", 1, 0, 100, "{tag} [[fault=cut_fin]] [[tokens=40]]"),
    (1, "half_close", "openai anthropic", 1, 0, 100, "{tag} [[fault=half_close]] [[tokens=40]]"),
    (1, "error_event", "openai anthropic", 1, 0, 100, "{tag} [[fault=error_event]] [[tokens=40]]"),
    (2, "job", "job", 0, 0, 100, "job {tag} [[polls=2]]"),
]


def say(text):
    print(f"    {time.monotonic() - BEGAN:6.1f} s  {text}", file=sys.stderr, flush=True)


class Agent:
    """One agent at a time, and its lives."""

    def __init__(self, work, build, clock):
        self.command = [f"{build}/tollgated", "--environment", "prod", "--policy", f"{work}/policy-config.prod.yaml",
                        "--providers", f"{work}/providers.yaml", "--state", f"{work}/state", "--runtime", f"{work}/runtime",
                        "--log", f"{work}/agent.log"]
        self.environment = {"PATH": os.environ["PATH"], "OPENAI_API_KEY": "sk-soak-openai", "ANTHROPIC_API_KEY": "sk-soak-anthropic"}
        self.clock = open(f"{work}/clock", "w+b", buffering=0)
        self.set_clock(0)
        if clock:
            self.environment.update(LD_PRELOAD=clock, SOAK_CLOCK=f"{work}/clock")
        self.child, self.life, self.events = None, 0, []
        self.lock = threading.Lock()  # no reload of an agent that is about to end
        self.errors = open(f"{work}/agent.stderr", "ab")

    def set_clock(self, seconds):
        os.pwrite(self.clock.fileno(), struct.pack("=q", seconds), 0)

    def note(self, what):
        self.events.append({"what": what, "at": time.monotonic()})
        say(what)

    def start(self):
        ready, told = os.pipe()
        child = subprocess.Popen(self.command + ["--ready-fd", str(told)], pass_fds=(told,), env=self.environment,
                                 stdout=self.errors, stderr=self.errors)
        os.close(told)
        is_ready = os.read(ready, 1)  # ends with the agent, too
        os.close(ready)
        if not is_ready:
            raise SystemExit(f"soak: the agent does not start: exit code {child.wait()}")
        self.child = child  # nobody reloads one that is not ready
        self.life += 1
        self.note(f"agent ready, life {self.life}")

    def end(self, number):
        with self.lock:
            self.note({signal.SIGTERM: "agent stopped", signal.SIGKILL: "agent killed"}[number])
            self.child.send_signal(number)
            code = self.child.wait(timeout=READY_S)
            wanted = {signal.SIGTERM: 0, signal.SIGKILL: -signal.SIGKILL}[number]
            if code != wanted:
                raise SystemExit(f"soak: the agent ended with {code}, not {wanted}")
            self.child = None


class Client(threading.Thread):
    """Gives one client process its work, a call at a time, and writes down what it says."""

    def __init__(self, name, command, build, log):
        super().__init__(daemon=True)
        self.name, self.log, self.count, self.random = name, log, 0, random.Random(name)
        self.kinds = [kind for kind in KINDS if kind[2] != "job" or name == "python"]
        self.process = subprocess.Popen([f"{build}/tollgate", "run", "--env", "prod", "--", *shlex.split(command)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1)
        self.answers = queue.Queue()
        self.failure = ""
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.answers.put(line.rstrip("\n").split("\t"))
        self.answers.put(None)

    def call(self):
        weights = [kind[0] for kind in self.kinds]
        _, name, dialects, stream, abort, tokens, text = self.random.choices(self.kinds, weights)[0]
        tag = f"{self.name}-{self.count}"
        self.count += 1
        text = text.format(tag=tag, same=self.random.randrange(CACHED_TEXTS))
        dialect = self.random.choice(dialects.split())
        row = {"tag": tag, "client": self.name, "kind": name, "dialect": dialect, "begin": time.monotonic()}
        self.process.stdin.write("\t".join(map(str, (tag, dialect, stream, abort, tokens, text))) + "\n")
        self.process.stdin.flush()
        answer = self.answers.get(timeout=ANSWER_S)
        if answer is None or answer[0] != tag:
            raise RuntimeError(f"{self.name}: {answer} in answer to {tag}")
        row.update(ids=[] if answer[1] == "-" else answer[1].split(","), status=int(answer[2]), outcome=answer[3],
                   end=time.monotonic())
        self.log(row)
        if not row["status"]:
            time.sleep(0.2)  # the agent is away

    def run(self):
        try:
            while not IS_OVER.is_set():
                self.call()
                time.sleep(PAUSE_S)
        except Exception as error:  # told by whoever waits for it
            self.failure = repr(error)

    def finish(self):
        self.join(ANSWER_S + 5)
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def sample(agent, log):
    while not IS_OVER.wait(SAMPLE_S):
        child, life = agent.child, agent.life
        if not child:
            continue
        try:
            with open(f"/proc/{child.pid}/status") as file:
                status = dict(line.split(":", 1) for line in file)
            log({"at": time.monotonic(), "life": life, "rss_kib": int(status["VmRSS"].split()[0]),
                 "threads": int(status["Threads"]), "fds": len(os.listdir(f"/proc/{child.pid}/fd"))})
        except (OSError, KeyError):
            pass  # it has just ended


def reload(agent, build, work, counts):
    for version in ("two", "one") * 100000:
        if IS_OVER.wait(RELOAD_S):
            return
        with agent.lock:
            if not agent.child:
                continue
            with open(f"{work}/{version}.yaml") as source, open(f"{work}/fresh.yaml", "w") as fresh:
                fresh.write(source.read())
            os.replace(f"{work}/fresh.yaml", f"{work}/policy-config.prod.yaml")
            done = subprocess.run([f"{build}/tollgate", "reload", "--env", "prod"], capture_output=True, text=True, timeout=READY_S)
        counts["reloads" if done.returncode == 0 else "failed_reloads"] += 1
        if done.returncode:
            say(f"reload: {done.stderr.strip()[:200]}")


def step_clock(agent, seconds):
    """The clock goes its ways, but not while the agent starts: its leaf is to be good for the clients' clock."""
    for step in STEPS_S * 1000:
        if IS_OVER.wait(seconds):
            break
        agent.set_clock(step)
        agent.note(f"clock {step:+d} s")


def wait_until(moment, clients):
    while (left := BEGAN + moment - time.monotonic()) > 0:
        time.sleep(min(left, 1))
        if failed := [client.failure for client in clients if client.failure]:
            raise SystemExit(f"soak: a client failed: {failed[0]}")
        if any(client.process.poll() is not None for client in clients):
            raise SystemExit("soak: a client has ended")


def run(agent, clients, seconds, has_clock):
    wait_until(seconds * STOP_AT, clients)
    agent.end(signal.SIGTERM)
    agent.start()
    wait_until(seconds * KILL_AT, clients)
    agent.end(signal.SIGKILL)
    agent.start()
    if has_clock:
        threading.Thread(target=step_clock, args=(agent, max(3, seconds / 20)), daemon=True).start()
    # However late it began, there are samples enough of the last life to tell a slope.
    wait_until(max(seconds, time.monotonic() - BEGAN + 10 * SAMPLE_S), clients)


def main():
    minutes, work, build, clock, commands = float(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:]
    agent, counts, lock = Agent(work, build, clock), {"reloads": 0, "failed_reloads": 0}, threading.Lock()
    files = {name: open(f"{work}/{name}.jsonl", "w") for name in ("rows", "samples")}

    def log(name):
        def write(row):
            with lock:
                files[name].write(json.dumps(row) + "\n")
        return write

    clients = []
    agent.start()
    try:
        clients = [Client(*command.split("=", 1), build, log("rows")) for command in commands]
        for client in clients:
            client.start()
        threading.Thread(target=sample, args=(agent, log("samples")), daemon=True).start()
        reloads = threading.Thread(target=reload, args=(agent, build, work, counts), daemon=True)
        reloads.start()
        run(agent, clients, minutes * 60, bool(clock))
        IS_OVER.set()
        reloads.join(READY_S)
        for client in clients:
            client.finish()
        if failed := [client.failure for client in clients if client.failure]:
            raise SystemExit(f"soak: a client failed: {failed[0]}")
        agent.set_clock(0)
        agent.end(signal.SIGTERM)
        agent.start()  # for whoever asks what became of it all
        with open(f"{work}/life.json", "w") as file:
            json.dump({"events": agent.events, "pid": agent.child.pid, **counts}, file)
    except BaseException:
        if agent.child:
            agent.child.kill()
        raise
    finally:
        IS_OVER.set()
        for client in clients:
            client.process.kill()
        for file in files.values():
            file.close()


BEGAN, IS_OVER = time.monotonic(), threading.Event()
main()
