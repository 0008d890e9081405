# SPDX-License-Identifier: Apache-2.0
"""What the drivers of this folder ask the agent and the stand-in: what happened since begin(), and whether it adds up.
scripts/compat has started both, by the vocabulary of tests/scenarios/lib.sh."""
import json
import os
import ssl
import subprocess
import time
import urllib.request

TOLLGATE = os.environ["TOLLGATE"]


class Agent:
    def __init__(self, wallet):
        self.wallet, self.newest, self.billed_before = wallet, None, 0
        self.standin = "https://127.0.0.1:" + os.environ["PROVIDER_PORT"]
        self.trust = ssl.create_default_context(cafile=os.path.join(os.environ["T"], "provider-ca.pem"))

    def ask(self, *words):
        done = subprocess.run([TOLLGATE, *words, "--env", "dev", "--json"], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def billed(self):
        """Requests that ended at the stand-in, in all."""
        with urllib.request.urlopen(self.standin + "/_bill?summary=1", context=self.trust) as answer:
            return json.load(answer)["rows"]

    def begin(self):
        events = self.ask("events", "--limit", "1")["events"]
        self.newest = events[0]["id"] if events else None
        self.billed_before = self.billed()

    def fresh_events(self):
        """Events since begin(), oldest first."""
        events = []
        for event in self.ask("events", "--limit", "40")["events"]:
            if event["id"] == self.newest:
                break
            events.insert(0, event)
        return events

    def settle(self, seconds_max):
        """Waits until what the stand-in billed has its events and nothing is held: an event follows its answer."""
        before, deadline = None, time.monotonic() + seconds_max
        while True:
            events = self.fresh_events()
            sent = sum(attempt["bytes_sent"] for event in events for attempt in event.get("attempts") or [])
            held = self.ask("wallet", "show", self.wallet)["held"]
            is_complete = bool(events) and held == "0" and sent == self.billed() - self.billed_before and before == len(events)
            if is_complete or time.monotonic() > deadline:
                return events, held, is_complete
            before = len(events)
            time.sleep(0.02)
