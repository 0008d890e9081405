# SPDX-License-Identifier: Apache-2.0
"""Talks to an agent as a governed program would, many connections at once, from one thread: for races.py and
live-streams.py. Requests are encrypted before any is sent, so that all of them leave within a millisecond.

Nobody here retries, sleeps to wait for something, or judges: what an answer was is told, and what it means is the
caller's to say.
"""
import http.client
import json
import os
import selectors
import socket
import ssl
import sys
import time
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clients"))
from shim_map import read_map

HOSTS = {"openai": "api.openai.com", "anthropic": "api.anthropic.com"}
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
SILENCE_S = 60
HIDDEN_USAGE = b'"stream_options":{"include_usage":true},'  # what the agent adds to a stream that did not ask for it


class Broken(Exception):
    """The other side is gone, or what it said is no HTTP."""


def nano(text):
    return int(Decimal(text) * 10**9)


class Wire:
    """One TLS connection to the address that stands for a name; non-blocking but for its handshake."""

    def __init__(self, address, name, context):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self.socket = socket.create_connection(address, timeout=SILENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.socket.sendall(self.outgoing.read())
                data = self.socket.recv(65536)
                if not data:
                    raise Broken("closed in the handshake")
                self.incoming.write(data)
        self.socket.sendall(self.outgoing.read())
        self.socket.setblocking(False)

    def load(self, request):
        """Encrypts; nothing is sent."""
        self.tls.write(request)
        self.ready = self.outgoing.read()

    def fire(self):
        if self.socket.send(self.ready) != len(self.ready):
            raise Broken("a request that does not fit the socket's buffer")

    def read(self):
        """Takes in what is there. False: the other side is gone."""
        try:
            data = self.socket.recv(262144)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        if not data:
            return False
        self.incoming.write(data)
        try:
            while True:
                plain = self.tls.read(262144)
                if not plain:
                    return False
                self.data += plain
        except ssl.SSLWantReadError:
            return True
        except ssl.SSLError:
            return False

    def take_answer(self):
        """(status, fields, body) when a whole one is there, else None."""
        head, mark, rest = self.data.partition(b"\r\n\r\n")
        if not mark:
            return None
        lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
        if "chunked" in fields.get("transfer-encoding", ""):
            body, rest = take_chunks(rest)
        else:
            length = int(fields.get("content-length", 0))
            body, rest = (rest[:length], rest[length:]) if len(rest) >= length else (None, rest)
        if body is None:
            return None
        self.data = rest
        return int(lines[0].split(" ")[1]), fields, body

    def close(self):
        self.socket.close()


def take_chunks(data):
    body, at = b"", 0
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return None, data
        size = int(data[at:end], 16)
        if len(data) < end + 2 + size + 2:
            return None, data
        body += data[end + 2 : end + 2 + size]
        at = end + 2 + size + 2
        if size == 0:
            return body, data[at:]


class Watch:
    """Which of many wires have something to say."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()

    def add(self, wire):
        self.selector.register(wire.socket, selectors.EVENT_READ, wire)

    def drop(self, wire):
        self.selector.unregister(wire.socket)
        wire.close()

    def ready(self, seconds):
        return [key.data for key, _ in self.selector.select(seconds)]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("tollgate", timeout=SILENCE_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SILENCE_S)
        self.sock.connect(self.path)


def ask(connection, method, path, body=None):
    """One JSON answer; the connection may be used again."""
    connection.request(method, path, body=None if body is None else json.dumps(body))
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise Broken(f"{method} {path}: {answer.status} {text[:300]!r}")
    return json.loads(text)


class Agent:
    """The agent of a runtime directory: its governed addresses, and its admin socket."""

    def __init__(self, runtime):
        self.admin = os.path.join(runtime, "admin.sock")
        self.names = read_map(os.path.join(runtime, "map"))
        self.context = ssl.create_default_context(cafile=os.path.join(runtime, "ca.pem"))

    def connect(self, dialect):
        return Wire(self.names[HOSTS[dialect]], HOSTS[dialect], self.context)

    def ask(self, method, path, body=None):
        connection = UnixConnection(self.admin)
        try:
            return ask(connection, method, path, body)
        finally:
            connection.close()

    def wallet(self, name):
        """In nano: available held spent funded."""
        for row in self.ask("GET", "/v1/wallets")["wallets"]:
            if row["wallet"] == name:
                return {key: nano(row[key]) for key in ("available", "held", "spent", "funded")}
        return dict.fromkeys(("available", "held", "spent", "funded"), 0)  # nobody funded it yet

    def wallet_at_rest(self, name, seconds=30):
        """The same, once nothing is held; settles follow their answers by a moment."""
        until = time.monotonic() + seconds
        while (wallet := self.wallet(name))["held"] and time.monotonic() < until:
            time.sleep(0.002)
        return wallet

    def fund(self, wallet, amount):
        text = f"{amount // 10**9}.{amount % 10**9:09d}"
        self.ask("POST", f"/v1/wallets/{wallet}/fund", {"amount": text, "create": True})


class StandIn:
    """The stand-in provider's control paths, over one kept connection."""

    def __init__(self, port, ca_file):
        context = ssl.create_default_context(cafile=ca_file)
        context.check_hostname = False
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=SILENCE_S)

    def ask(self, method, path):
        return ask(self.connection, method, path, None if method == "GET" else {})

    def usage(self):
        return self.ask("GET", "/_bill?summary=1")["usage"]


def make_request(dialect, key, model, text, tokens_max, is_stream, body_bytes, hides_usage=False):
    """A request whose body has exactly `body_bytes` when it leaves the agent: what bounds its input tokens."""
    body = {"model": model, "max_tokens": tokens_max}
    if is_stream:
        body["stream"] = True
        if dialect == "openai" and not hides_usage:
            body["stream_options"] = {"include_usage": True}
    added = len(HIDDEN_USAGE) if hides_usage else 0
    body["messages"] = [{"role": "user", "content": text + " "}]
    pad = body_bytes - added - len(json.dumps(body))
    if pad < 0:
        raise ValueError(f"{body_bytes} bytes are too few")
    body["messages"][0]["content"] += "x" * pad
    data = json.dumps(body).encode()
    credential = {"openai": f"authorization: Bearer {key}",
                  "anthropic": f"x-api-key: {key}\r\nanthropic-version: 2023-06-01"}[dialect]
    head = (f"POST {PATHS[dialect]} HTTP/1.1\r\nhost: {HOSTS[dialect]}\r\n{credential}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n")
    return head.encode() + data
