#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the supervisor needs of an agent, for its scenario: redirect_agent.py RUNTIME PORT LOG.
Acknowledges announcements on RUNTIME/redirect.sock, accepts on PORT of every loopback address, greets with
"agent LOCAL-ADDRESS" and closes. LOG gets a line per announcement and per connection; a connection says what was announced
for its socket. RUNTIME/silent: announcements are not answered. RUNTIME/refuse: they are refused with that errno."""
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


def announced(peer):
    message = peer.recv(1024)
    if not message:
        watch.unregister(peer)
        peer.close()
        return
    magic, version, size, cookie, original, wanted, _, pid, group, project, executable, directory = FORM.unpack(message)
    assert (magic, version, size) == (MAGIC, 2, FORM.size), message
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
    if os.path.exists(runtime + "/silent"):
        return
    refused = int(open(runtime + "/refuse").read()) if os.path.exists(runtime + "/refuse") else 0
    stays = any(address in network for network in NETWORKS)
    local = int(address) if stays else int(ipaddress.ip_address("127.78.0.1"))
    peer.send(ANSWER.pack(MAGIC, port, refused, local))


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
