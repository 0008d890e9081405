#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 under 200 live streams. See live-streams.sh, which starts the stand-in provider.

usage: live-streams.py TOLLGATED STATE RUNTIME POLICY PROVIDERS LOG PROVIDER_PORT PROVIDER_CA ROUNDS SEED
Each round opens 200 streams of different lengths, which the provider withholds until it has all of them, and kills the
agent at a random moment of the next second: some have ended by then, some are being settled, most run. The provider's own bill is the oracle:
before the kill it never exceeds what the wallet has spent or holds, after the restart never what it has spent. Every
fifth start is killed too. Leaves the last agent running.
"""
import os
import random
import selectors
import subprocess
import sys
import time

from governed import Agent, Broken, StandIn, Watch, make_request

STREAMS, PACE_MS, SECONDS_MAX = 200, 50, 60
MODELS = {"openai": "gpt-5.4-nano", "anthropic": "claude-haiku-4-5"}
INPUT_NANO, OUTPUT_NANO = 1000, 10000  # of live-streams.sh's targets
KEY, WALLET = "kt_cg_live", "live"


class Fault(Exception):
    """What no agent may do."""


class Process:
    """One life of the agent."""

    def __init__(self, command, log):
        self.begin = time.monotonic()
        self.ready_fd, write_fd = os.pipe()
        self.child = subprocess.Popen(command + ["--ready-fd", str(write_fd)], pass_fds=(write_fd,), stdout=log,
                                      stderr=log)
        os.close(write_fd)

    def wait_ready(self):
        """Milliseconds from its start."""
        selector = selectors.DefaultSelector()
        selector.register(self.ready_fd, selectors.EVENT_READ)
        is_ready = selector.select(SECONDS_MAX) and os.read(self.ready_fd, 1)
        ready_ms = (time.monotonic() - self.begin) * 1000
        os.close(self.ready_fd)
        if not is_ready:
            raise Fault(f"the agent does not start: exit code {self.child.poll()}")
        return ready_ms

    def kill(self):
        self.child.kill()
        self.child.wait()


class LiveStreams:
    def __init__(self, command, runtime, log, port, ca_file, seed):
        self.command, self.runtime, self.log = command, runtime, log
        self.standin, self.random = StandIn(port, ca_file), random.Random(seed)
        self.ready_ms, self.cut, self.ended, self.violations = [], 0, 0, 0
        self.idle = self.in_flight()

    def in_flight(self):
        return self.standin.ask("GET", "/_stats")["in_flight"]

    def bill(self):
        usage = self.standin.usage()
        return usage["fresh"] * INPUT_NANO + usage["out"] * OUTPUT_NANO

    def wait_for(self, name, count):
        """Until so many are `in_flight`, or `held`."""
        idle = self.idle if name == "in_flight" else 0
        until = time.monotonic() + SECONDS_MAX
        while (found := self.standin.ask("GET", "/_stats")[name] - idle) != count:
            if time.monotonic() > until:
                raise Fault(f"{found} streams are {name}, not {count}, after {SECONDS_MAX} s")
            time.sleep(0.005)

    def start(self):
        """An agent that is ready; at times the first one is killed in the middle of its start."""
        if self.random.random() < 0.2:
            unlucky = Process(self.command, self.log)
            time.sleep(self.random.random() * 0.15)
            unlucky.kill()
            os.close(unlucky.ready_fd)
        self.process = Process(self.command, self.log)
        self.ready_ms.append(self.process.wait_ready())
        self.agent = Agent(self.runtime)

    def open_streams(self):
        """Loaded wires, and what all of them may cost at most."""
        wires, bounds = [], 0
        for i in range(STREAMS):
            dialect = ("openai", "anthropic")[i % 2]
            body_bytes, tokens = self.random.randrange(300, 600), self.random.randrange(10, 60)
            if i % 9 == 0:  # runs still when we are late
                tokens += 1000
            text = f"[[fresh={body_bytes}]] [[tokens={tokens}]] [[pace_ms={PACE_MS}]] [[hold=1]]"
            wire = self.agent.connect(dialect)
            wire.load(make_request(dialect, KEY, MODELS[dialect], text, tokens, True, body_bytes, False))
            wires.append(wire)
            bounds += body_bytes * INPUT_NANO + tokens * OUTPUT_NANO
        return wires, bounds

    def read_for(self, watch, wires, seconds):
        """Reads what comes meanwhile, so that no stream waits for us."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            for wire in watch.ready(left):
                if not wire.read():
                    raise Fault("a stream's connection ended under a living agent")

    def run(self):
        before, billed_before = self.agent.wallet(WALLET), self.bill()
        wires, bounds = self.open_streams()
        watch = Watch()
        for wire in wires:
            watch.add(wire)
        for wire in wires:
            wire.fire()
        self.wait_for("held", STREAMS)
        self.standin.ask("POST", "/_release")
        self.read_for(watch, wires, self.random.random() * 1.5)
        billed = self.bill()  # first: it only grows
        wallet = self.agent.wallet(WALLET)
        if billed - billed_before > wallet["spent"] + wallet["held"] - before["spent"]:
            raise Fault(f"alive: billed {billed - billed_before}, spent or held less: {wallet}")
        self.process.kill()
        for wire in wires:
            wire.read()
        ended = sum(1 for wire in wires if wire.take_answer())
        if ended == STREAMS:
            raise Fault("no stream was alive when the agent was killed")
        self.ended, self.cut = self.ended + ended, self.cut + STREAMS - ended
        for wire in wires:
            watch.drop(wire)
        watch.selector.close()
        self.wait_for("in_flight", 0)
        self.start()
        self.judge(before, billed_before, bounds)

    def judge(self, before, billed_before, bounds):
        after, billed = self.agent.wallet(WALLET), self.bill() - billed_before
        spent = after["spent"] - before["spent"]
        if after["held"]:
            raise Fault(f"{after['held']} nano are held after the restart")
        if not 0 < billed <= spent <= bounds:
            raise Fault(f"billed {billed}, spent {spent}, the bounds were {bounds}")


def main():
    tollgated, state, runtime, policy, providers, log_file, port, ca_file, rounds, seed = sys.argv[1:]
    command = [tollgated, "--environment", "prod", "--policy", policy, "--providers", providers, "--state", state,
               "--runtime", runtime, "--log", log_file]
    live = LiveStreams(command, runtime, open(f"{state}/agent.stderr", "ab"), int(port), ca_file, int(seed))
    live.start()
    for number in range(int(rounds)):
        try:
            live.run()
        except (Fault, Broken) as fault:
            print(f"round {number}: {fault}", flush=True)
            live.violations += 1
            break
    ready = sorted(live.ready_ms)
    print(f"figure live_stream_kills {number + 1} kills")
    print(f"figure live_streams_cut {live.cut} streams")
    print(f"figure live_streams_ended {live.ended} streams")
    print(f"figure ready_ms {ready[len(ready) // 2]:.0f} ms")
    print(f"figure ready_ms_longest {ready[-1]:.0f} ms")
    print(f"figure live_stream_violations {live.violations} violations")
    return live.violations > 0


if __name__ == "__main__":
    sys.exit(main())
