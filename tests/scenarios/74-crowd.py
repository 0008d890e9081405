#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who crowds the report socket, as users that root becomes for each connection (the kernel's word on a peer is of that moment):
   full SOCKET            many strangers hold all they can get; members, the owner and a further stranger ask
   greedy SOCKET MEMBER   one member holds all he can get; another one and the owner ask
   crowded SOCKET         all members but one hold all they can get, that one asks
   slow SOCKET            a stranger who sends a byte now and then
   refused SOCKET COUNT   refusals, one after the other; and one more when that second is over
   unscraped PORT COUNT   likewise, at the port of metrics
   held PORT TOKEN        the same as full, at that port, where nobody's word is had
   flood SOCKET READY     datagrams, as fast as they go, until it is killed; makes the file READY when its queue is full
"""
import os, socket, sys, time

STRANGERS, EACH, MEMBER, GROUP_MEMBER = range(62001, 62012), 12, 61001, 1  # daemon's uid and gid


def become(uid, gids=()):
    os.setgroups(list(gids))
    os.setegid(gids[0] if gids else 65534)
    os.seteuid(uid)


def root_again():
    os.seteuid(0)
    os.setegid(0)


def knock(path, uid, gids=()):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    become(uid, gids)
    try:
        connection.connect(path)
    finally:
        root_again()
    return connection


def answer(connection, path="/v1/hello", head=""):
    """The status, or what became of it."""
    try:
        connection.sendall(f"GET {path} HTTP/1.1\r\nhost: {head or 'tollgate'}\r\n\r\n".encode())
        return (connection.recv(4096).split() + [b"", b"closed"])[1].decode()
    except OSError as error:
        return type(error).__name__


def insist(connect, *asked):
    """Those who gave way may be still on their way out: who is closed tries again, a few times."""
    for _ in range(5):
        said = answer(connect(), *asked)
        if said.isdigit():
            break
        time.sleep(0.05)
    return said


def full(path):
    held = [knock(path, uid) for _ in range(EACH) for uid in STRANGERS]
    print("owner", answer(knock(path, 0)), "user", answer(knock(path, MEMBER)), "group", answer(knock(path, GROUP_MEMBER, [1])),
          "database", insist(lambda: knock(path, GROUP_MEMBER, [65534])), "stranger", insist(lambda: knock(path, 62099)), len(held) > 96)


def greedy(path, member):
    held = [knock(path, int(member)) for _ in range(200)]
    print("other", answer(knock(path, GROUP_MEMBER, [1])), "owner", answer(knock(path, 0)), len(held))


def crowded(path):
    held = [knock(path, uid) for _ in range(EACH) for uid in range(61001, 61008)]
    print("member", insist(lambda: knock(path, 61008)), "again", insist(lambda: knock(path, 61008)), "owner", answer(knock(path, 0)), len(held) > 72)


def slow(path):
    connection = knock(path, 62001)
    for sent in range(300):
        try:
            connection.sendall(b"G")
            time.sleep(0.05)
        except OSError:
            break
    print("cut off" if sent < 299 else "read on and on")


def refused(path, count):
    refusals = sum(answer(knock(path, 62001), "/v1/wallets") == "403" for _ in range(int(count)))
    time.sleep(1.1)
    print(refusals + (answer(knock(path, 62001), "/v1/wallets") == "403"))


def unscraped(port, count):
    def scrape():
        return answer(socket.create_connection(("127.0.0.1", int(port)), 20), "/metrics", f"127.0.0.1:{port}") == "401"
    refusals = sum(scrape() for _ in range(int(count)))
    time.sleep(1.1)
    print(refusals + scrape())


def flood(path, ready):
    become(62001)
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.connect(path)
    sender.setblocking(False)
    is_told = False
    while True:
        try:
            sender.send(b"nothing")
        except BlockingIOError:
            if not is_told:
                root_again()
                open(ready, "w").close()
                become(62001)
                is_told = True


def held(port, token):
    def connect():
        return socket.create_connection(("127.0.0.1", int(port)), 20)
    crowd = [connect() for _ in range(100)]
    print(insist(connect, "/metrics", f"127.0.0.1:{port}\r\nauthorization: Bearer {token}"), len(crowd))


{each.__name__: each for each in (full, greedy, crowded, slow, refused, unscraped, held, flood)}[sys.argv[1]](*sys.argv[2:])
