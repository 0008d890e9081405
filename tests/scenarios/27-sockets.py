#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Servers of port 443 that stay: 27-sockets.py KEEPER SLOW KEEPER6 QUIET. But for the quiet one they greet with "other ADDRESS".
Keepers never close, nor does the quiet one; the slow one, told the end, sends 16 bytes a second three times, and closes. Standard output has a line for each connection that ended.
27-sockets.py stop COMMAND…: once it says ready, stops it as ^Z does, and lets it go on; says what its parent saw within 8 s.
27-sockets.py call ADDRESS SOURCE: asks api.openai.com at that address, from that source, for its models."""
import os, signal, socket, ssl, subprocess, sys, threading, time


def greet(server, stay):
    local = server.getsockname()[0]
    kept = []
    while True:
        peer, who = server.accept()
        if server.family == socket.AF_INET6:
            print("from", who[0])
        if stay != wait:
            peer.send(b"other %s\n" % local.encode())
        kept.append(peer)
        threading.Thread(target=stay, args=(peer,), daemon=True).start()


def keep(peer):
    try:
        while peer.recv(1000):
            pass
        sys.stdout.write("end\n")
    except OSError:
        sys.stdout.write("reset\n")


def wait(peer):
    keep(peer)


def send_slowly(peer):
    while peer.recv(1000):
        pass
    for _ in range(3):
        time.sleep(1)
        peer.send(b"sixteen bytes...")
    peer.close()


def see(pid, flag):
    """Did the child do so?"""
    for _ in range(400):
        seen, status = os.waitpid(pid, flag | os.WNOHANG)
        if seen:
            return os.WIFSTOPPED(status) if flag == os.WUNTRACED else os.WIFCONTINUED(status)
        time.sleep(0.02)
    return False


def stop(command):
    child = subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=os.setpgrp)
    child.stdout.readline()
    os.killpg(child.pid, signal.SIGTSTP)
    stopped = see(child.pid, os.WUNTRACED)
    os.killpg(child.pid, signal.SIGCONT)
    continued = see(child.pid, os.WCONTINUED)
    os.killpg(child.pid, signal.SIGKILL)
    print("stopped" if stopped else "not stopped", "continued" if continued else "not continued")


def call(address, source):
    plain = socket.create_connection((address, 443), 10, (source, 0))
    request = "GET /v1/models HTTP/1.1\r\nhost: api.openai.com\r\nauthorization: Bearer %s\r\n\r\n" % os.environ["OPENAI_API_KEY"]
    with ssl.create_default_context().wrap_socket(plain, server_hostname="api.openai.com") as secure:
        secure.send(request.encode())
        print(secure.recv(1000).decode().splitlines()[0])


if sys.argv[1] in ("stop", "call"):
    stop(sys.argv[2:]) if sys.argv[1] == "stop" else call(*sys.argv[2:])
    sys.exit()
for address, stay in zip(sys.argv[1:], (keep, send_slowly, keep, wait)):
    server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, 443))
    server.listen(1000)
    threading.Thread(target=greet, args=(server, stay), daemon=True).start()
sys.stdout.reconfigure(line_buffering=True)
print("ready")
time.sleep(600)
