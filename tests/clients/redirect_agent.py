#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the supervisor needs of an agent, for its scenario: redirect_agent.py RUNTIME PORT LOG.
Acknowledges announcements on RUNTIME/redirect.sock, accepts on PORT of every loopback address, greets with
"agent LOCAL-ADDRESS" and closes. LOG gets a line per announcement and per connection; an announcement says which socket was
handed over with it. RUNTIME/silent: announcements are not answered. RUNTIME/refuse: they are refused with that errno."""
import ipaddress, os, selectors, socket, struct, sys

runtime, port, log = sys.argv[1], int(sys.argv[2]), open(sys.argv[3], "a", buffering=1)
FORM = struct.Struct("=IHHQ16sHHi64s64s256s256s")
ANSWER = struct.Struct("=IHHI")
MAGIC = 0x52444952
NETWORKS = [ipaddress.ip_network("127.77.0.0/16"), ipaddress.ip_network("127.78.0.0/16")]

path = runtime + "/redirect.sock"
if os.path.exists(path):
    os.unlink(path)
announcements = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
announcements.bind(path)
announcements.listen(4)  # many programs at once must get by with that
connections = socket.socket()
connections.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
connections.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
connections.bind(("0.0.0.0", port))
connections.listen(1024)
watch = selectors.DefaultSelector()


def describe(handed):
    """Where the socket leads, and whether it is there."""
    name = handed.getsockopt(socket.SOL_SOCKET, 28, 16 if handed.family == socket.AF_INET else 28)  # SO_PEERNAME
    address = ipaddress.ip_address(name[4:8] if handed.family == socket.AF_INET else name[8:24])
    state = "connecting" if handed.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == 2 else "connected"
    return "%s %d %s" % (address, struct.unpack(">H", name[2:4])[0], state)


def announced(peer):
    message, control, _, _ = peer.recvmsg(1024, socket.CMSG_SPACE(4))
    handed = [socket.socket(fileno=fd) for _, _, data in control for fd in struct.unpack("=i", data)]
    if not message:
        watch.unregister(peer)
        peer.close()
        return
    magic, version, size, cookie, original, wanted, has_socket, pid, group, project, executable, directory = FORM.unpack(message)
    assert (magic, version, size) == (MAGIC, 3, FORM.size) and has_socket == len(handed), message
    address = ipaddress.ip_address(original)
    address = address.ipv4_mapped or address
    text = lambda name: name.rstrip(b"\0").decode() or "-"
    says = text(executable), text(directory)
    try:
        assert says == tuple(os.readlink("/proc/%d/%s" % (pid, link)) for link in ("exe", "cwd")), says
        name = os.path.basename(os.readlink("/proc/%d/exe" % pid))
    except FileNotFoundError:  # of a process whose first thread has ended
        name = "?"
    print("announced", address, wanted, name, text(group), text(project), "cookie", cookie != 0, file=log)
    for connection in handed:
        print("handed", describe(connection), file=log)
        connection.close()
    if os.path.exists(runtime + "/silent"):
        return
    refused = int(open(runtime + "/refuse").read()) if os.path.exists(runtime + "/refuse") else 0
    stays = any(address in network for network in NETWORKS)
    local = int(address) if stays else int(ipaddress.ip_address("127.78.0.1"))
    try:
        peer.send(ANSWER.pack(MAGIC, port, refused, local))
    except OSError:  # who asked has waited for long enough
        pass


def connected(listener):
    peer, _ = listener.accept()
    local = peer.getsockname()[0]
    print("accepted", local, file=log)
    try:
        peer.send(b"agent %s\n" % local.encode())
    except OSError:
        pass
    peer.close()


watch.register(announcements, selectors.EVENT_READ, lambda s: watch.register(s.accept()[0], selectors.EVENT_READ, announced))
watch.register(connections, selectors.EVENT_READ, connected)
print("ready", flush=True)
while True:
    for key, _ in watch.select():
        key.data(key.fileobj)
