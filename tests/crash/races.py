#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""64 requests at once against money for exactly K of them. See races.sh, which starts the agent and the stand-in.

usage: races.py RUNTIME POLICY PROVIDER_PORT PROVIDER_CA ROUNDS SEED
Each round puts into the wallet what exactly K requests may cost at most (K: 0 to 64; often a little more, but less
than one request), and sends 64 at once: both dialects, JSON and streaming. The provider withholds every answer until
all 64 verdicts are in, and its usage is each request's bound, so that nothing is given back. In every other round two
hard budgets are in play, and any of the three may be the tightest.
"""
import random
import sys
import time

from governed import Agent, Broken, StandIn, Watch, make_request

REQUESTS, SECONDS_MAX = 64, 60
MODELS = {"openai": "gpt-5.4-nano", "anthropic": "claude-haiku-4-5"}
SHAPES = [("openai", False, False), ("openai", True, False), ("openai", True, True),
          ("anthropic", False, False), ("anthropic", True, False)]  # dialect, stream, without asking for usage
INPUT_NANO, OUTPUT_NANO = 1000, 10000  # of races.sh's targets
KEY, WALLET = "kt_cg_races", "races"
BUDGETS = ("first", "second")
WINDOWS = ("monthly", "rolling, length: 366d")


class Fault(Exception):
    """What no agent may do."""


class Round:
    def __init__(self, number):
        self.number, self.refused, self.answered = number, 0, 0
        self.refusals = {}


class Races:
    def __init__(self, runtime, policy, port, ca_file, seed):
        self.agent, self.standin = Agent(runtime), StandIn(port, ca_file)
        self.policy, self.base = policy, open(policy).read()
        self.random = random.Random(seed)
        self.wires, self.is_limited, self.month = {}, False, time.gmtime()[:2]
        self.over = self.under = self.admitted = 0
        self.windows = dict(zip(BUDGETS, self.random.sample(WINDOWS, 2)))
        self.used = dict.fromkeys(WINDOWS, 0)
        self.tightest = {}

    # ---- money ----

    def fund_for(self, count, bound):
        """`count` requests' worth, and at times a rest that pays for none. Returns how many the wallet can pay: more
        than asked for, when the rest of a round of dearer requests does."""
        available = self.agent.wallet(WALLET)["available"]
        wanted = count * bound + self.random.choice((0, 0, 1, self.random.randrange(bound), bound - 1))
        if wanted > available:
            self.agent.fund(WALLET, wanted - available)
        return max(wanted, available) // bound

    def limit(self, counts, bound):
        """Two hard budgets of which each has exactly `counts` requests' worth left. They count what is spent while they
        are in the policy: the rounds that had them."""
        rows, month = [], time.gmtime()[:2]
        if month != self.month:
            self.month, self.used["monthly"] = month, 0
        for name, count in zip(BUDGETS, counts):
            amount = self.used[self.windows[name]] + count * bound + self.random.choice((0, 1, bound - 1))
            scope = self.random.choice(("{}", f"{{wallet: {WALLET}}}", "{group: races}", '{wallet: "ra*"}'))
            window = self.windows[name]
            rows.append(f'  - {{id: {name}, scope: {scope}, amount: "{amount // 10**9}.{amount % 10**9:09d}", '
                        f"window: {window}, hard: true}}\n")
        self.write_policy("budgets:\n" + "".join(rows))

    def write_policy(self, more):
        with open(self.policy, "w") as file:
            file.write(self.base + more)
        self.agent.ask("POST", "/v1/reload", {})

    # ---- requests ----

    def prepare(self, body_bytes, tokens):
        """64 loaded wires of mixed kind. Connections are kept from round to round, now and then one is new."""
        chosen = []
        for i in range(REQUESTS):
            dialect, is_stream, hides = self.random.choice(SHAPES)
            wire = self.wires.pop((dialect, i), None)
            if not wire or self.random.random() < 0.02:
                if wire:
                    wire.close()
                wire = self.agent.connect(dialect)
            text = f"[[hold=1]] [[fresh={body_bytes}]] [[tokens={tokens}]]"
            wire.load(make_request(dialect, KEY, MODELS[dialect], text, tokens, is_stream, body_bytes, hides))
            wire.place, wire.is_stream, wire.admitted = (dialect, i), is_stream, False
            chosen.append(wire)
        self.random.shuffle(chosen)
        return chosen

    def take(self, wire, this):
        alive = wire.read()
        answer = wire.take_answer()
        if not answer:
            if not alive:
                raise Fault(f"{wire.place}: closed without an answer")
            return False
        status, fields, body = answer
        if status == 200:
            this.answered += 1
            if not this.is_released:
                raise Fault("an answer before the provider gave one")
        elif status in (402, 429) and fields.get("x-should-retry") == "false":
            this.refused += 1
            for word in ("wallet", "budget"):
                this.refusals[word] = this.refusals.get(word, 0) + (word.encode() in body)
        else:
            raise Fault(f"{wire.place}: {status} {body[:300]!r}")
        if alive and fields.get("connection", "").lower() != "close":
            self.wires[wire.place] = wire
        else:
            wire.close()
        return True

    def race(self, wires, this):
        """All at once; the provider lets go when each is either refused or at the provider."""
        watch, waiting, this.is_released, this.admitted = Watch(), set(wires), False, 0
        until = time.monotonic() + SECONDS_MAX
        for wire in wires:
            watch.add(wire)
        for wire in wires:
            wire.fire()
        while waiting:
            for wire in watch.ready(0.005 if not this.is_released else 1):
                if self.take(wire, this):
                    waiting.discard(wire)
                    watch.selector.unregister(wire.socket)
            if not this.is_released:
                held = self.standin.ask("GET", "/_stats")["held"]
                if held + this.refused >= REQUESTS:
                    this.is_released, this.admitted = True, held
                    self.standin.ask("POST", "/_release")
            if time.monotonic() > until:
                raise Fault(f"no verdict for {len(waiting)} requests in {SECONDS_MAX} s")
        watch.selector.close()

    # ---- one round ----

    def run(self, number, has_budgets):
        this = Round(number)
        body_bytes, tokens = self.random.randrange(400, 800), self.random.randrange(1, 30)
        bound = body_bytes * INPUT_NANO + tokens * OUTPUT_NANO
        before, billed_before = self.agent.wallet_at_rest(WALLET), self.bill()
        counts = [self.random.randrange(REQUESTS + 1) for _ in range(3 if has_budgets else 1)]
        if self.random.random() < 0.1:
            counts = [self.random.choice((0, 1, REQUESTS - 1, REQUESTS)) for _ in counts]
        if has_budgets:
            self.limit(counts[1:], bound)
        elif self.is_limited:
            self.write_policy("")
        self.is_limited = has_budgets
        counts[0] = min(REQUESTS, self.fund_for(counts[0], bound))
        wanted = min(counts)
        which = "wallet" if counts[0] == wanted else BUDGETS[counts[1:].index(wanted)]
        self.tightest[which] = self.tightest.get(which, 0) + 1
        self.race(self.prepare(body_bytes, tokens), this)
        self.admitted += this.admitted
        self.over += max(0, this.admitted - wanted)
        self.under += max(0, wanted - this.admitted)
        if this.admitted != wanted:
            print(f"round {number}: {this.admitted} admitted of {counts} (bound {bound} nano)", flush=True)
        for window in WINDOWS if has_budgets else ():
            self.used[window] += this.admitted * bound
        self.judge(this, before, billed_before, bound)

    def bill(self):
        usage = self.standin.usage()
        return usage["fresh"] * INPUT_NANO + usage["out"] * OUTPUT_NANO

    def judge(self, this, before, billed_before, bound):
        after = self.agent.wallet_at_rest(WALLET)
        spent, billed = after["spent"] - before["spent"], self.bill() - billed_before
        if after["held"]:
            raise Fault(f"{after['held']} nano are still held")
        if this.answered != this.admitted or spent != billed or spent != this.admitted * bound:
            raise Fault(f"{this.admitted} admitted, {this.answered} answered, spent {spent}, billed {billed}, "
                        f"one is {bound} nano")


def main():
    runtime, policy, port, ca_file, rounds, seed = sys.argv[1:]
    races = Races(runtime, policy, int(port), ca_file, int(seed))
    started, faults, budget_rounds = time.monotonic(), 0, 0
    for number in range(int(rounds)):
        try:
            budgets = number % 2 == 1
            races.run(number, budgets)
            budget_rounds += budgets
        except (Fault, Broken) as fault:
            print(f"round {number}: {fault}", flush=True)
            faults += 1
            break
    done = number + 1
    print(f"figure races_rounds {done} rounds")
    print(f"figure races_budget_rounds {budget_rounds} rounds")
    print(f"figure races_admitted {races.admitted} requests")
    print(f"figure over_admissions {races.over} requests")
    print(f"figure under_admissions {races.under} requests")
    print(f"figure races_faults {faults} faults")
    print(f"figure races_round_ms {(time.monotonic() - started) * 1000 / done:.0f} ms")
    print("# tightest: " + ", ".join(f"{name} {count}" for name, count in sorted(races.tightest.items())))
    return races.over + races.under + faults > 0


sys.exit(main())
