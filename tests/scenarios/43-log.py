#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An agent in the foreground of a supervisor that does not read its standard error: a pipe of 4 KiB, filled before.

usage: 43-log.py TOLLGATE FILE OPTIONS...; runs `TOLLGATE start --foreground OPTIONS`; what came of it goes to FILE as
lines. On standard input come the words: `read` (the supervisor reads what is there), `end` (SIGTERM)."""
import fcntl
import os
import signal
import subprocess
import sys

out, into = os.pipe()
fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, 4096)
os.set_blocking(into, False)
try:
    while True:
        os.write(into, b"full\n")
except BlockingIOError:
    pass
os.set_blocking(into, True)
os.set_blocking(out, False)
agent = subprocess.Popen([sys.argv[1], "start", "--foreground"] + sys.argv[3:], stdin=subprocess.DEVNULL, stdout=into, stderr=into)


def tell(text):
    with open(sys.argv[2], "ab") as file:
        file.write(text)


def read():
    while True:
        try:
            piece = os.read(out, 65536)
        except BlockingIOError:
            return
        tell(piece)


for word in sys.stdin:
    if word == "read\n":
        read()
        tell(b"(that was all)\n")
    elif word == "end\n":
        agent.send_signal(signal.SIGTERM)
        try:
            tell(b"exit %d\n" % agent.wait(60))
        except subprocess.TimeoutExpired:
            tell(b"it does not end\n")
        break
agent.kill()
agent.wait()
