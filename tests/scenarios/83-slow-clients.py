#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Slow clients of four kinds, hundreds at a time, and what an ordinary client notices. Called by 83-slow-clients.sh.

usage: 83-slow-clients.py measure RUNTIME KEY ATTACKERS ROUNDS
       83-slow-clients.py probe RUNTIME KEY REQUESTS      prints the p99 of so many ordinary requests, in ms
Each round measures quiet, then each kind of attack, then quiet again. Of each, the median over the rounds is compared:
one line "ratio KIND R quiet MS attacked MS held N" per kind, where what is below FLOOR_MS counts as FLOOR_MS, so that
the noise of a busy machine is not taken for harm. held: how many attackers were connected, at the least.
"""
import json
import os
import signal
import socket
import ssl
import sys
import time
from statistics import median

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clients"))
from shim_map import read_map

NAME, MODEL = "api.openai.com", "gpt-5.4-mini-mini"
FLOOR_MS, REQUESTS, NEW_EVERY, TICK_S, SLICES = 10, 250, 5, 0.25, 10
RANGES = "0-" + "".join(f",5-{end}" for end in range(1300))  # Apache's killer, within our limit of a head


def chat(text, tokens=100):
    return json.dumps({"model": MODEL, "max_tokens": tokens,
                       "messages": [{"role": "user", "content": text}]}).encode()


def head(length, more=""):
    return (f"POST /v1/chat/completions HTTP/1.1\r\nhost: {NAME}\r\nauthorization: Bearer {KEY}\r\n"
            f"content-type: application/json\r\ncontent-length: {length}\r\n{more}").encode()


def connect(receive_bytes=0):
    raw = socket.socket()
    if receive_bytes:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    raw.settimeout(60)
    raw.connect(ADDRESS)
    return TLS.wrap_socket(raw, server_hostname=NAME)


# ---- the ordinary client

def read_answer(wire):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = wire.recv(65536)
        if not piece:
            raise ConnectionError("closed")
        data += piece
    front, body = data.split(b"\r\n\r\n", 1)
    if not front.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(front[:200] + body[:400])
    length = int(front.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += wire.recv(65536)


def probe(requests):
    """The p99 in ms; every fifth request on a connection of its own, whose handshake counts."""
    wire, times = connect(), []
    body = chat("hello [[tokens=20]]")
    for number in range(requests):
        begin = time.monotonic()
        if number % NEW_EVERY == 0:
            wire.close()
            wire = connect()
        wire.sendall(head(len(body), "\r\n") + body)
        read_answer(wire)
        times.append(time.monotonic() - begin)
    wire.close()
    return sorted(times)[int(len(times) * 0.99)] * 1000


# ---- the attackers

def begin_headers(wire):
    wire.sendall(head(10))


def begin_body(wire):
    wire.sendall(head(100000, "\r\n") + b'{"model":"')


def begin_read(wire):
    body = chat("slow reader [[bytes=200000]]", 60000)
    wire.sendall(head(len(body), "\r\n") + body)


def begin_range(wire):
    wire.sendall(f"GET /v1/models HTTP/1.1\r\nhost: {NAME}\r\nauthorization: Bearer {KEY}\r\n"
                 f"range: bytes={RANGES}\r\n\r\n".encode())


def read_little(wire, _):
    return wire.recv(5) != b""


def send_again(wire, tick):
    """A request each three seconds: a flood of them would be load, not slowness."""
    try:
        while wire.recv(65536):
            pass
        return False
    except (ssl.SSLWantReadError, BlockingIOError):
        pass
    if tick % 12 == 0:
        begin_range(wire)
    return True


def send_field(wire, tick):
    return wire.send(b"x-%d: y\r\n" % tick) > 0


def send_byte(wire, _):
    return wire.send(b"a") > 0


KINDS = {  # what it begins with, what it does each tick, its receive buffer
    "headers": (begin_headers, send_field, 0),
    "body": (begin_body, send_byte, 0),
    "read": (begin_read, read_little, 2048),
    "range": (begin_range, send_again, 0),
}


class Attacker:
    def __init__(self, kind):
        self.begin, self.tick, self.receive_bytes = KINDS[kind]
        self.wire, self.ticks = None, 0

    def open(self):
        try:
            self.wire = connect(self.receive_bytes)
            self.begin(self.wire)
            self.wire.setblocking(False)
        except OSError:
            self.wire = None

    def act(self):
        """The agent has put it out: it comes back."""
        self.ticks += 1
        try:
            if self.wire and self.tick(self.wire, self.ticks):
                return
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            return
        except OSError:
            pass
        if self.wire:
            self.wire.close()
        self.open()


def attack(kind, count, told):
    """In a process of its own, until it is killed; tells after each tick how many are connected."""
    os.nice(5)  # it shall take patience, and not the processor
    crowd = [Attacker(kind) for _ in range(count)]
    for attacker in crowd:
        attacker.open()
    while True:
        os.write(told, b"%d\n" % sum(attacker.wire is not None for attacker in crowd))
        for part in range(SLICES):
            for attacker in crowd[part::SLICES]:
                attacker.act()
            time.sleep(TICK_S / SLICES)


def measure_attacked(kind, count):
    """(p99 in ms, attackers that were connected at the least)"""
    listen, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(listen)
        try:
            attack(kind, count, told)
        finally:
            os._exit(1)
    os.close(told)
    try:
        counts = os.read(listen, 65536)  # all have tried
        value = probe(REQUESTS)
        os.set_blocking(listen, False)
        try:
            counts += os.read(listen, 65536)
        except BlockingIOError:
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(listen)
    return value, min(map(int, counts.split()))


def measure(count, rounds):
    quiet, attacked, held = [], {kind: [] for kind in KINDS}, {kind: count for kind in KINDS}
    for _ in range(rounds):
        quiet.append(probe(REQUESTS))
        for kind in KINDS:
            value, connected = measure_attacked(kind, count)
            attacked[kind].append(value)
            held[kind] = min(held[kind], connected)
        quiet.append(probe(REQUESTS))
    base = median(quiet)
    for kind, values in attacked.items():
        value = median(values)
        print(f"ratio {kind} {max(value, FLOOR_MS) / max(base, FLOOR_MS):.2f} quiet {base:.1f} attacked {value:.1f} held {held[kind]}",
              flush=True)


KEY = sys.argv[3]
ADDRESS = read_map(f"{sys.argv[2]}/map")[NAME]
TLS = ssl.create_default_context(cafile=f"{sys.argv[2]}/ca.pem")
if sys.argv[1] == "probe":
    print(f"{probe(int(sys.argv[4])):.1f}")
else:
    measure(int(sys.argv[4]), int(sys.argv[5]))
