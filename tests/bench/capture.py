# SPDX-License-Identifier: Apache-2.0
"""Called by `scripts/bench capture` with BUILD, a work directory, rounds, connects of a round and starts of a round: what
capture costs a program, by connect and by start. Every round runs every way, another one first each time; a ratio is of one
round, a figure the median over the rounds. Exit 1: a program failed.
"""
import os
import socket
import subprocess
import sys
import time
from statistics import median

build, work = sys.argv[1:3]
rounds, connects, starts = map(int, sys.argv[3:])
shim, launcher, runtime = build + "/libtollgate.so", build + "/tollgate", work + "/runtime"
static, dynamic = work + "/static", work + "/dynamic"
PLAIN = {"PATH": os.environ["PATH"], "HOME": work}
GOVERNED = {**PLAIN, "LD_PRELOAD": shim, "TOLLGATE_SHIM": shim, "TOLLGATE_LAUNCHER": launcher, "TOLLGATE_RUNTIME": runtime,
            "TOLLGATE_ENV": "dev"}
# As an exec hook starts it.
SUPERVISED = {**GOVERNED, "TOLLGATE_EXECUTE": static}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


port = free_port()
LOOPBACK, NAMED, PROVIDER = ("127.0.0.1", str(port)), ("127.77.0.1", "443"), ("203.0.113.9", "443")
CONNECTS = {  # way: program, environment, where to; the last: what it is compared with
    "bare": (dynamic, PLAIN, LOOPBACK, None),
    "bare_static": (static, PLAIN, LOOPBACK, None),
    "preload_passed": (dynamic, GOVERNED, LOOPBACK, "bare"),
    "preload_governed": (dynamic, GOVERNED, NAMED, "bare"),
    "supervised_passed": (launcher, SUPERVISED, LOOPBACK, "bare_static"),
    "supervised_governed": (launcher, SUPERVISED, PROVIDER, "bare_static"),
}
STARTS = {
    "bare": (dynamic, PLAIN, None),
    "bare_static": (static, PLAIN, None),
    "preload": (dynamic, GOVERNED, "bare"),
    "supervised": (launcher, SUPERVISED, "bare_static"),
}


def connect(way):
    program, environment, address, _ = CONNECTS[way]
    run = subprocess.run([static, "cost", *address, str(connects)], executable=program, env=environment, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"bench capture: {way}: status {run.returncode}: {run.stderr}")
    return float(run.stdout)


def start(way):
    program, environment, _ = STARTS[way]
    times = []
    for _ in range(starts):
        begin = time.perf_counter()
        _, status = os.waitpid(os.posix_spawn(program, ["program"], environment), 0)
        times.append((time.perf_counter() - begin) * 1e6)
        if status:
            sys.exit(f"bench capture: start {way}: status {status}")
    return median(times)


def play(what, ways, base_of):
    rows = []
    for number in range(rounds):
        names = list(ways)
        names = names[number % len(names):] + names[:number % len(names)]
        rows.append({name: play_one(what, name) for name in names})
        print(f"    {what} {number}: " + ", ".join(f"{name} {rows[-1][name]:.1f}" for name in ways), file=sys.stderr)
    for name in ways:
        print(f"figure capture_{what}_us_{name} {median(row[name] for row in rows):.1f} us")
    for name in ways:
        base = base_of(name)
        if base:
            print(f"figure capture_{what}_ratio_{name} {median(row[name] / row[base] for row in rows):.3f} ratio")
            print(f"figure capture_{what}_added_us_{name} {median(row[name] - row[base] for row in rows):.1f} us")


def play_one(what, name):
    return connect(name) if what == "connect" else start(name)


agent = subprocess.Popen([build + "/tests/bench/acknowledge", runtime, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
agent.stdout.readline()
subprocess.run([build + "/tests/clients/shim_map", runtime + "/map", "-p", f"443:{port}", "-r", "::ffff:203.0.113.9", "127.78.0.9",
                "api.openai.com=127.77.0.1"], check=True)
play("connect", CONNECTS, lambda name: CONNECTS[name][3])
play("start", STARTS, lambda name: STARTS[name][2])
agent.stdin.close()
sys.exit(agent.wait())
