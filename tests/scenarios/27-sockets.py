#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Servers of port 443 that stay: 27-sockets.py KEEPER SLOW. Both greet with "other ADDRESS". The keeper never closes; the slow
one, told the end, sends 16 bytes a second three times, and closes. Standard output has a line for each connection that ended."""
import socket, sys, threading, time


def greet(server, stay):
    local = server.getsockname()[0]
    kept = []
    while True:
        peer, _ = server.accept()
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


def send_slowly(peer):
    while peer.recv(1000):
        pass
    for _ in range(3):
        time.sleep(1)
        peer.send(b"sixteen bytes...")
    peer.close()


for address, stay in zip(sys.argv[1:], (keep, send_slowly)):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, 443))
    server.listen(1000)
    threading.Thread(target=greet, args=(server, stay), daemon=True).start()
sys.stdout.reconfigure(line_buffering=True)
print("ready")
time.sleep(600)
