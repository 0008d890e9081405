#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The clients of 90-load.sh: many at once, without the shim, straight at the address that stands for the name.

usage: 90-load-clients.py load|drain RUNTIME REQUESTS SECONDS RESULTS
Each judges every answer it gets: whole and well-formed, a clean error in the provider's shape, or the break it asked
for. RESULTS is a JSON list of rows; a row with `problem` is a fault of the agent. Nobody here retries.
`drain`: the agent is told to stop meanwhile; a connection that is refused or closed before an answer began is its end.
"""
import json
import os
import random
import socket
import ssl
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clients"))
from shim_map import read_map

MODEL = {"openai": "gpt-5.4-nano", "anthropic": "claude-haiku-4-5"}
HOST = {"openai": "api.openai.com", "anthropic": "api.anthropic.com"}
PATH = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
SILENCE_S = 45


class Cut(Exception):
    """The connection broke, or ended without a close_notify."""


class Refused(Exception):
    """No connection, or one that was closed before an answer began."""


class Wire:
    """TLS over memory, so that either direction can be ended alone."""

    def __init__(self, name):
        self.socket = socket.socket()
        self.socket.settimeout(SILENCE_S)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = TLS.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self.data = b""
        self.answers = 0
        try:
            self.socket.connect(NAMES[name])
            while True:
                try:
                    self.tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    self.exchange()
            self.flush()
        except (OSError, Cut) as error:
            self.socket.close()
            raise Refused(repr(error))

    def flush(self):
        if self.outgoing.pending:
            self.socket.sendall(self.outgoing.read())

    def exchange(self):
        self.flush()
        data = self.socket.recv(65536)
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()

    def send(self, data):
        try:
            self.tls.write(data)
            self.flush()
        except OSError as error:
            raise Cut(repr(error))

    def half_close(self):
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.flush()
        self.socket.shutdown(socket.SHUT_WR)

    def fill(self):
        """More plaintext; False at a clean end."""
        while True:
            try:
                data = self.tls.read(65536)
                self.data += data
                return bool(data)
            except ssl.SSLWantReadError:
                try:
                    self.exchange()
                except TimeoutError:
                    raise Cut("silence")
                except OSError as error:
                    raise Cut(repr(error))
            except ssl.SSLZeroReturnError:
                return False
            except OSError as error:
                raise Cut(repr(error))

    def until(self, mark):
        while mark not in self.data:
            if not self.fill():
                raise Cut("close_notify in mid-answer")
        found, self.data = self.data.split(mark, 1)
        return found

    def exactly(self, count):
        while len(self.data) < count:
            if not self.fill():
                raise Cut("close_notify in mid-answer")
        found, self.data = self.data[:count], self.data[count:]
        return found

    def close(self, reset=False):
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Answer:
    def __init__(self, wire):
        self.body, self.is_whole, self.cut = b"", False, ""
        try:
            while not wire.data:
                if not wire.fill():
                    raise Refused("closed before the answer")
        except Cut as error:
            raise Refused(str(error))
        head = wire.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        self.status = int(head[0].split(" ")[1])
        self.fields = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in head[1:])}
        self.id = self.fields.get("tollgate-request-id", "")
        self.is_last = self.fields.get("connection", "").lower() == "close"
        self.wire = wire

    def read(self):
        try:
            if "chunked" in self.fields.get("transfer-encoding", ""):
                while True:
                    size = int(self.wire.until(b"\r\n"), 16)
                    piece = self.wire.exactly(size + 2)
                    if piece[-2:] != b"\r\n":
                        raise ValueError("chunk without CRLF")
                    if not size:
                        break
                    self.body += piece[:-2]
            else:
                self.body = self.wire.exactly(int(self.fields["content-length"]))
            self.is_whole = True
        except Cut as error:
            self.cut = str(error)
        return self


def price(fresh, out):
    return max(1, fresh * 1000 + out * 10000)  # nano; the pricing of the scenario's targets


def nano(text):
    whole, _, part = text.partition(".")
    return int(whole) * 10**9 + int(part.ljust(9, "0") or 0)


def judge_json(answer, dialect):
    body = json.loads(answer.body)
    usage = body["usage"]
    if dialect == "openai":
        whole, cost = body["object"] == "chat.completion", price(usage["prompt_tokens"], usage["completion_tokens"])
    else:
        whole, cost = body["type"] == "message", price(usage["input_tokens"], usage["output_tokens"])
    if not whole:
        return "no answer"
    return "" if nano(answer.fields["tollgate-cost"]) == cost else f"cost {answer.fields['tollgate-cost']}, not {cost}"


def judge_events(body, dialect):
    """The last event of a stream, and that each is one JSON document."""
    if not body.endswith(b"\n\n"):
        return None, "the stream does not end with its event"
    last = ""
    for event in filter(None, body.decode().split("\n\n")):
        lines = dict(line.split(": ", 1) for line in event.strip().split("\n"))
        last = lines["data"]
        if last != "[DONE]":
            document = json.loads(last)
            last = "error" if "error" in document else document.get("type", "")
    return last, ""


def judge_error(answer, dialect):
    body = json.loads(answer.body)
    error = body["error"]
    if dialect == "anthropic" and body["type"] != "error":
        return "not Anthropic's shape"
    return "" if isinstance(error["message"], str) and isinstance(error["type"], str) else "not an error's shape"


def judge(answer, dialect, stream, wanted, may_break):
    """'' or what is wrong. wanted: the statuses that may come."""
    if answer.status not in wanted:
        return f"status {answer.status}, not {wanted}: {answer.body[:300]!r}"
    if answer.status != 200:
        return judge_error(answer, dialect) if answer.is_whole else f"error answer cut: {answer.cut}"
    if not stream:
        return judge_json(answer, dialect) if answer.is_whole else f"JSON answer cut: {answer.cut}"
    if not answer.is_whole and not may_break:
        return f"stream cut: {answer.cut}, {answer.body[-200:]!r}"
    if not answer.is_whole and may_break == "abort":
        return ""
    last, problem = judge_events(answer.body, dialect)
    if problem:
        return problem
    end = {"openai": "[DONE]", "anthropic": "message_stop"}[dialect]
    if answer.is_whole:
        return "" if last == end and not may_break else f"whole, yet ends with {last}"
    return "" if last == "error" else f"broken without an error event: {last}"


class Kind:
    def __init__(self, dialect, text, stream=False, usage=False, wanted=(200,), may_break="", leave="", half=False,
                 key="kt_cg_load", tokens=0):
        self.__dict__.update(locals())

    def request(self, tag):
        body = {"model": MODEL[self.dialect], "messages": [{"role": "user", "content": self.text}]}
        if self.stream:
            body["stream"] = True
        if self.usage:
            body["stream_options"] = {"include_usage": True}
        body["max_tokens"] = self.tokens or 300
        data = json.dumps(body).encode()
        key = {"openai": f"authorization: Bearer {self.key}",
               "anthropic": f"x-api-key: {self.key}\r\nanthropic-version: 2023-06-01"}[self.dialect]
        head = (f"POST {PATH[self.dialect]} HTTP/1.1\r\nhost: {HOST[self.dialect]}\r\n{key}\r\nx-standin-tag: {tag}\r\n"
                f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n")
        return head.encode() + data

    def play(self, wire, tag, row):
        data = self.request(tag)
        if self.leave == "request":
            wire.send(data[: random.randrange(1, len(data))])
            return wire.close(random.random() < 0.5)
        wire.send(data)
        if self.leave == "head":
            time.sleep(random.random() * 0.1)
            return wire.close(random.random() < 0.5)
        if self.half:
            wire.half_close()
        answer = Answer(wire)
        row.update(id=answer.id, status=answer.status)
        if self.leave == "body":
            wire.exactly(1)
            time.sleep(random.random() * 0.1)
            return wire.close(random.random() < 0.5)
        answer.read()
        row.update(whole=answer.is_whole, problem=judge(answer, self.dialect, self.stream, self.wanted, self.may_break))
        wire.answers += 1
        if answer.is_last or not answer.is_whole or self.half:
            wire.close()


def load_kinds():
    both = [("openai", {}), ("anthropic", {})]
    rows = []
    for dialect, _ in both:
        rows += [
            Kind(dialect, "plain"), Kind(dialect, "plain"),
            Kind(dialect, "stream [[tokens=60]]", stream=True),
            Kind(dialect, "large [[bytes=200000]]"),
            Kind(dialect, "slow stream [[tokens=20]] [[pace_ms=10]]", stream=True),
            Kind(dialect, "leaves [[tokens=100]] [[pace_ms=5]]", stream=True, leave="body"),
            Kind(dialect, "leaves early [[delay_ms=150]] [[tokens=50]]", stream=True, leave="head"),
            Kind(dialect, "leaves early [[delay_ms=150]]", leave="head"),
            Kind(dialect, "leaves at once", leave="request"),
            Kind(dialect, "half-closes", half=True),
            Kind(dialect, "half-closes [[tokens=20]] [[pace_ms=5]]", stream=True, half=True),
            Kind(dialect, "poor", key="kt_cg_poor", tokens=100000, wanted=(402, 429)),
            Kind(dialect, "[[fault=429]]", wanted=(429,)), Kind(dialect, "[[fault=500]]", stream=True, wanted=(500,)),
            Kind(dialect, "[[fault=cut_rst]] [[tokens=80]]", wanted=(502,)),
            Kind(dialect, "[[fault=cut_fin]] [[tokens=30]]", stream=True, may_break="event"),
            Kind(dialect, "[[fault=drop]]", wanted=(502,)),
        ]
    rows.append(Kind("openai", "stream [[tokens=60]]", stream=True, usage=True))
    return rows


def drain_kinds():
    rows = []
    for dialect in ("openai", "anthropic"):
        rows += [
            Kind(dialect, "plain"),
            Kind(dialect, "slow stream [[tokens=40]] [[pace_ms=20]]", stream=True),
            Kind(dialect, "slow stream [[tokens=40]] [[pace_ms=20]]", stream=True),
            Kind(dialect, "leaves [[tokens=100]] [[pace_ms=20]]", stream=True, leave="body"),
            Kind(dialect, "late [[delay_ms=700]]"),
            Kind(dialect, "endless [[tokens=290]] [[pace_ms=200]]", stream=True, may_break="abort"),
        ]
    return rows


def run_client(number, kinds, is_draining, requests, until, rows):
    wire = {}
    for turn in range(requests):
        if time.monotonic() > until:
            return
        kind = kinds[(number if is_draining else number + turn * 5) % len(kinds)]
        row = {"tag": f"{'d' if is_draining else 'l'}{number}-{turn}", "text": kind.text, "stream": kind.stream,
               "dialect": kind.dialect}
        rows.append(row)
        try:
            known = wire.get(kind.dialect)
            if not known or known.socket.fileno() < 0:
                known = wire[kind.dialect] = Wire(HOST[kind.dialect])
            kind.play(known, row["tag"], row)
        except Refused as error:
            row.update({"end" if is_draining else "problem": f"refused: {error}"})
            if is_draining:
                return
            wire.pop(kind.dialect, None)
        except Cut as error:
            known.close()
            row.update({"end" if is_draining else "problem": f"cut: {error}"})
            if is_draining:
                return
        except Exception as error:  # an answer that cannot be parsed is the agent's fault, too
            known.close()
            row["problem"] = repr(error)
    for known in wire.values():
        known.close()


def main():
    global NAMES, TLS
    mode, runtime, requests, seconds, results = sys.argv[1:]
    NAMES = read_map(f"{runtime}/map")
    TLS = ssl.create_default_context(cafile=f"{runtime}/ca.pem")
    random.seed(int.from_bytes(struct.pack("d", time.time()), "little"))
    is_draining = mode == "drain"
    kinds, rows = drain_kinds() if is_draining else load_kinds(), []
    until = time.monotonic() + float(seconds)
    threads = [threading.Thread(target=run_client, args=(i, kinds, is_draining, int(requests), until, rows))
               for i in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open(results, "w") as file:
        json.dump(rows, file)


main()
