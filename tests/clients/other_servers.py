#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Servers of addresses that no provider has, port 443, for the supervisor's scenario:
other_servers.py ADDRESS,ADDRESS… LATE,LATE… ORDERS. Each greets with "other ADDRESS" and says on standard output who called. A
late one answers nobody, its queue being full, until half a second after a file ORDERS.ADDRESS says "refuse" or "accept"."""
import os, selectors, socket, sys, time

prompt, late, orders = sys.argv[1].split(","), sys.argv[2].split(","), sys.argv[3]
watch, callers = selectors.DefaultSelector(), []


def listen(address, backlog):
    server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, 443))
    server.listen(backlog)
    return server


def listen_full(address):
    """Until a call stays without an answer."""
    server = listen(address, 0)
    for _ in range(10):
        caller = socket.socket()
        caller.settimeout(0.2)
        try:
            caller.connect((address, 443))
        except TimeoutError:
            return server
        callers.append(caller)
    sys.exit("a queue without an end")


def greet(server):
    peer, who = server.accept()
    local = server.getsockname()[0]
    print("called", local, "from", who[0], flush=True)
    try:
        peer.send(b"other %s\n" % local.encode())
    except OSError:
        pass
    peer.close()


for address in prompt:
    watch.register(listen(address, 1024), selectors.EVENT_READ)
servers = {address: listen_full(address) for address in late}
print("ready", flush=True)
while True:
    for key, _ in watch.select(0.1):
        greet(key.fileobj)
    for address in [address for address in servers if os.path.exists(orders + "." + address)]:
        time.sleep(0.5)
        server = servers.pop(address)
        if open(orders + "." + address).read().strip() == "refuse":
            server.close()
        else:
            watch.register(server, selectors.EVENT_READ)
