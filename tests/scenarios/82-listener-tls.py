#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the listener agrees to in a handshake, asked with client hellos made by hand: no TLS library still offers what is
to be refused. Called by 82-listener-tls.sh. usage: 82-listener-tls.py RUNTIME NAME

Every one of the 65,536 code points of cipher suites is offered with each version from SSL 3.0 to TLS 1.3, thousands at a
time: what the listener picks is noted and left out of the next hello, until it picks nothing. Groups and signatures
likewise. Prints "ok NAME" or "not ok NAME: why", a line each; exit 1 when one is not ok.
"""
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clients"))
from shim_map import read_map

VERSIONS = {"SSL 3.0": 0x0300, "TLS 1.0": 0x0301, "TLS 1.1": 0x0302, "TLS 1.2": 0x0303, "TLS 1.3": 0x0304}
SUITES = {"TLS 1.2": [0xC02B, 0xC02C, 0xCCA9], "TLS 1.3": [0x1301, 0x1302, 0x1303]}  # in the order of preference
GROUPS = {23, 24, 29}  # P-256, P-384, X25519
SIGNATURES = {0x0403, 0x0503, 0x0603}  # ECDSA with SHA-256, -384 and -512
GOOD_GROUPS = (29, 23)
GOOD_SIGNATURES = (0x0403, 0x0503, 0x0603, 0x0804, 0x0401)
SUITES_AT_ONCE = 4096
ALERT, HANDSHAKE, SERVER_HELLO = 21, 22, 2
SCSV = {0x00FF, 0x5600}  # signals, and no suites
SERVER_NAME, SUPPORTED_GROUPS, EXTENDED_MASTER, HEARTBEAT, RENEGOTIATION = 0, 10, 23, 15, 0xFF01
INAPPROPRIATE_FALLBACK, UNRECOGNIZED_NAME = 86, 112
failed = []


def say(name, got, wanted):
    if got == wanted:
        print(f"ok {name}")
        return
    print(f"not ok {name}: got {got!r}, wanted {wanted!r}")
    failed.append(name)


def words(values, form="H"):
    return b"".join(struct.pack(f">{form}", value) for value in values)


def block(size, data):
    return len(data).to_bytes(size, "big") + data


def extension(number, data):
    return struct.pack(">H", number) + block(2, data)


def make_hello(version, suites, groups=GOOD_GROUPS, signatures=GOOD_SIGNATURES, name=None, more=b"", compressions=b"\0",
               share=29):
    """One handshake message; the caller puts it into records."""
    name = (name or NAME).encode()
    extensions = extension(SERVER_NAME, block(2, b"\0" + block(2, name)))
    extensions += extension(SUPPORTED_GROUPS, block(2, words(groups))) + extension(11, block(1, b"\0"))
    extensions += extension(13, block(2, words(signatures))) + extension(EXTENDED_MASTER, b"") + more
    if version == VERSIONS["TLS 1.3"]:
        extensions += extension(43, block(1, words([version])))
        # Any 32 bytes are a key of X25519. Without a share, the server says which group it would like.
        extensions += extension(51, block(2, words([share]) + block(2, os.urandom(32)) if share else b""))
    if version == VERSIONS["SSL 3.0"]:
        extensions = b""
    body = words([min(version, 0x0303)]) + os.urandom(32) + block(1, os.urandom(32)) + block(2, words(suites))
    body += block(1, compressions) + (block(2, extensions) if extensions else b"")
    return b"\x01" + block(3, body)


def make_records(version, message):
    cut = [message[i : i + 16000] for i in range(0, len(message), 16000)]
    return b"".join(b"\x16" + words([min(version, 0x0301)]) + block(2, piece) for piece in cut)


class Answer:
    """What came back: the first message, or an alert's number, or nothing."""

    def __init__(self, data):
        self.alert = self.suite = self.version = self.compression = None
        self.extensions, self.signature, self.group = {}, None, None
        plain = b""
        while len(data) >= 5:
            kind, length = data[0], int.from_bytes(data[3:5], "big")
            if kind == ALERT and len(data) >= 7:
                self.alert = data[6]
            if kind == HANDSHAKE:
                plain += data[5 : 5 + length]
            data = data[5 + length :]
        while len(plain) >= 4:
            length = int.from_bytes(plain[1:4], "big")
            self.read_message(plain[0], plain[4 : 4 + length])
            plain = plain[4 + length :]

    def read_message(self, kind, body):
        if kind == SERVER_HELLO and self.suite is None:
            self.version = int.from_bytes(body[:2], "big")
            body = body[34:]
            body = body[1 + body[0] :]
            self.suite, self.compression = int.from_bytes(body[:2], "big"), body[2]
            self.read_extensions(body[5:])
        if kind == 12 and body[0] == 3:  # ServerKeyExchange with a named curve
            self.group = int.from_bytes(body[1:3], "big")
            self.signature = int.from_bytes(body[4 + body[3] :][:2], "big")

    def read_extensions(self, data):
        while len(data) >= 4:
            number, length = struct.unpack(">HH", data[:4])
            self.extensions[number] = data[4 : 4 + length]
            data = data[4 + length :]
        if 43 in self.extensions:
            self.version = int.from_bytes(self.extensions[43], "big")
        if 51 in self.extensions:
            self.group = int.from_bytes(self.extensions[51][:2], "big")


def ask_raw(data):
    with socket.create_connection(ADDRESS, timeout=20) as wire:
        wire.sendall(data)
        got = b""
        try:
            wire.settimeout(20)
            while chunk := wire.recv(65536):
                got += chunk
                answer = Answer(got)
                # ServerHelloDone ends a flight of TLS 1.2; in TLS 1.3 what follows the hello is encrypted.
                if answer.alert is not None or answer.version == 0x0304 or b"\x0e\0\0\0" in got[-9:]:
                    break
        except OSError:
            pass
    return Answer(got)


def ask(version, suites, **options):
    return ask_raw(make_records(version, make_hello(version, suites, **options)))


def find_suites(version):
    """All that it picks, in the order in which it prefers them within each hello."""
    found = []
    every = [suite for suite in range(0x10000) if suite not in SCSV]
    for start in range(0, len(every), SUITES_AT_ONCE):
        left = every[start : start + SUITES_AT_ONCE]
        while (answer := ask(version, left)).suite is not None:
            if answer.version != version or answer.suite not in left or answer.compression:
                return [f"version {answer.version:04x}, suite {answer.suite:04x}, compression {answer.compression}"]
            found.append(answer.suite)
            left.remove(answer.suite)
    return found


def check_versions():
    for name, version in VERSIONS.items():
        suites = find_suites(version)
        say(f"{name}: of all suites there are, only these", sorted(suites), sorted(SUITES.get(name, [])))
        for first in range(len(SUITES.get(name, []))):  # whatever the client would like best
            left = SUITES[name][first:]
            say(f"{name}: suite {left[0]:04x} is preferred to those after it", ask(version, left[::-1]).suite, left[0])
    ssl2 = b"\x01" + words([0x0002, 9, 0, 16]) + bytes.fromhex("010080030080060040") + os.urandom(16)
    answer = ask_raw(struct.pack(">H", 0x8000 | len(ssl2)) + ssl2)
    say("SSL 2.0 is refused", (answer.suite, answer.version), (None, None))
    answer = ask(VERSIONS["TLS 1.2"], [0x5600, *SUITES["TLS 1.2"]])
    say("a client that was made to fall back is told so", (answer.suite, answer.alert), (None, INAPPROPRIATE_FALLBACK))


def check_groups():
    version, left, found = VERSIONS["TLS 1.3"], list(range(1, 0x0300)), set()
    while (answer := ask(version, SUITES["TLS 1.3"], groups=left, share=None)).group is not None:
        found.add(answer.group)
        left.remove(answer.group)
    say("of all groups there are, only these", found, GROUPS)
    version, left, found = VERSIONS["TLS 1.2"], list(range(0x0100, 0x1000)), set()
    while (answer := ask(version, SUITES["TLS 1.2"], signatures=left)).signature is not None:
        found.add(answer.signature)
        left.remove(answer.signature)
    say("TLS 1.2: of all signatures there are, only those of the leaf's key with SHA-256 and longer", found, SIGNATURES)
    say("TLS 1.2: a client that takes only SHA-1 is refused", ask(version, SUITES["TLS 1.2"], signatures=[0x0203]).suite, None)


def check_extensions():
    more = extension(HEARTBEAT, b"\x01") + extension(RENEGOTIATION, b"\0") + extension(16, block(2, block(1, b"h2")))
    answer = ask(VERSIONS["TLS 1.2"], SUITES["TLS 1.2"], more=more, compressions=b"\x01\0")
    say("TLS 1.2: no compression", answer.compression, 0)
    say("TLS 1.2: no heartbeat", HEARTBEAT in answer.extensions, False)
    say("TLS 1.2: the extended master secret", EXTENDED_MASTER in answer.extensions, True)
    say("TLS 1.2: renegotiation is of the safe kind, where it were allowed", answer.extensions.get(RENEGOTIATION), b"\0")
    say("who speaks only h2 is not told that we do", 16 in answer.extensions, False)
    answer = ask(VERSIONS["TLS 1.2"], SUITES["TLS 1.2"], name="example.com")
    say("another server name is refused", (answer.suite, answer.alert), (None, UNRECOGNIZED_NAME))


NAME = sys.argv[2]
ADDRESS = read_map(f"{sys.argv[1]}/map")[NAME]
check_versions()
check_groups()
check_extensions()
sys.exit(1 if failed else 0)
