# SPDX-License-Identifier: Apache-2.0
"""Programs and servers of 21-redirect.sh: 21-redirect.py ROLE ARGUMENTS…"""
import hashlib, json, os, socket, ssl, struct, sys, threading, time

BULK = 10 << 20


def dawdle():
    """Between the connection and the first byte; longer than the agent's hello_timeout_ms when LATE is set."""
    time.sleep(float(os.environ.get("LATE", 0)))


def listen(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, 443))
    server.listen(16)
    return server


def serve(server, handle, ready):
    open(ready, "w").close()
    while True:
        connection, _ = server.accept()
        threading.Thread(target=handle, args=(connection,), daemon=True).start()


def digest_of(connection):
    """Of all that comes until the other side's end."""
    digest, total = hashlib.sha256(), 0
    while piece := connection.recv(65536):
        digest.update(piece)
        total += len(piece)
    return f"{total} {digest.hexdigest()}\n".encode()


def tls_server(address, certificate, key, ready):
    """Takes 10 MiB, sends their digest and 10 MiB."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def handle(raw):
        try:
            with context.wrap_socket(raw, server_side=True) as connection:
                digest, left = hashlib.sha256(), BULK
                while left:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    digest.update(piece)
                    left -= len(piece)
                connection.sendall(digest.hexdigest().encode() + b"y" * BULK)
        except OSError:
            pass

    serve(listen(address), handle, ready)


def plain_server(address, ready):
    """Speaks first; when the other side has ended, says what came, 10 MiB more, and ends."""

    def handle(connection):
        try:
            connection.sendall(b"220 welcome\r\n")
            connection.sendall(digest_of(connection) + b"z" * BULK)
        except OSError:
            pass
        connection.close()

    serve(listen(address), handle, ready)


def quiet_server(address, ready):
    """Says what came when the other side has ended, and nothing before."""

    def handle(connection):
        connection.sendall(digest_of(connection))
        connection.close()

    serve(listen(address), handle, ready)


def ask_quiet(address):
    connection = socket.create_connection((address, 443), 30)
    dawdle()
    connection.sendall(b"HELO there\r\n")
    connection.shutdown(socket.SHUT_WR)
    print("heard" if connection.recv(100).decode() == f"12 {hashlib.sha256(b'HELO there' + bytes([13, 10])).hexdigest()}\n" else "not heard")


def ask_tls(address, certificate):
    """The server's own certificate, verified by the program itself, and 10 MiB both ways."""
    context = ssl.create_default_context(cafile=certificate)
    with context.wrap_socket(socket.create_connection((address, 443), 30), server_hostname="other.test") as connection:
        connection.sendall(b"x" * BULK)
        received = b""
        while piece := connection.recv(1 << 20):
            received += piece
    wanted = hashlib.sha256(b"x" * BULK).hexdigest().encode() + b"y" * BULK
    print("intact" if received == wanted else f"{len(received)} bytes")


def ask_plain(address):
    connection = socket.create_connection((address, 443), 30)
    peer = connection.getpeername()
    welcome = connection.recv(100)
    connection.sendall(b"x" * BULK)
    connection.shutdown(socket.SHUT_WR)
    received = b""
    while piece := connection.recv(1 << 20):
        received += piece
    wanted = f"{BULK} {hashlib.sha256(b'x' * BULK).hexdigest()}\n".encode() + b"z" * BULK
    print(welcome.decode().strip(), "intact" if received == wanted else f"{len(received)} bytes", *peer[:2])


def converse(address):
    """Says what it reads from standard input, and at its end hears what the server makes of it."""
    connection = socket.create_connection((address, 443), 30)
    print(connection.recv(100).decode().strip(), flush=True)
    said = b""
    for line in sys.stdin:
        connection.sendall(line.encode())
        said += line.encode()
    connection.shutdown(socket.SHUT_WR)
    received = b""
    while piece := connection.recv(1 << 20):
        received += piece
    wanted = f"{len(said)} {hashlib.sha256(said).hexdigest()}\n".encode() + b"z" * BULK
    print("intact" if received == wanted else f"{len(received)} bytes")


def post(connection, key):
    body = json.dumps({"model": "gpt-5.4-mini-mini", "messages": [{"role": "user", "content": "hello"}]})
    connection.sendall((f"POST /v1/chat/completions HTTP/1.1\r\nhost: api.openai.com\r\nauthorization: Bearer {key}\r\n"
                        f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n{body}").encode())
    received = b""
    while piece := connection.recv(65536):
        received += piece
    print("answered" if b"chat.completion" in received else received[:200])


def call(address):
    """A hard-coded address, the provider's name in the handshake only."""
    context = ssl.create_default_context()
    raw = socket.create_connection((address, 443), 30)
    dawdle()
    with context.wrap_socket(raw, server_hostname="api.openai.com") as connection:
        post(connection, os.environ["OPENAI_API_KEY"])


FORM = struct.Struct("<IHH8s16sHHi64s64s256s256s")  # struct tollgate_redirect


def announce(supervisor, cookie, address, pid=0, handed=None):
    """What a supervisor says of a socket before it connects it: where to, and with what it gets there. The answer."""
    original = b"\0" * 10 + b"\xff\xff" + socket.inet_aton(address)
    form = FORM.pack(0x52444952, 3, FORM.size, cookie, original, 443, handed is not None, int(pid) or os.getpid(), b"", b"thesis", b"", b"")
    rights = [] if handed is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", handed.fileno()))]
    supervisor.sendmsg([form], rights)
    _, port, refused, there = struct.unpack("<IHHI", supervisor.recv(100))
    return refused and os.strerror(refused), (socket.inet_ntoa(struct.pack(">I", there)), port)


def supervise(runtime):
    supervisor = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    supervisor.connect(runtime + "/redirect.sock")
    return supervisor


def new_socket():
    raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    raw.settimeout(30)
    return raw, raw.getsockopt(socket.SOL_SOCKET, 57, 8)  # SO_COOKIE


def announced(runtime, address, key, name, pid=0, reached=""):
    """What a supervisor does for a program: reach the address (or not), announce, then connect where the answer says."""
    raw, cookie = new_socket()
    handed = socket.create_connection((address, 443), 30) if reached else None
    refused, there = announce(supervise(runtime), cookie, address, pid, handed)
    if refused:
        print("refused", refused)
        return
    if handed:
        handed.close()
    raw.connect(there)
    dawdle()
    if name == "api.openai.com":
        context = ssl.create_default_context(cafile=runtime + "/ca.pem")
        with context.wrap_socket(raw, server_hostname=name) as connection:
            post(connection, key)
    else:
        print(raw.recv(100).decode().strip())


def announced_often(runtime, address, times):
    """As many as that, one after another, each with a socket of its own."""
    supervisor, heard = supervise(runtime), 0
    for _ in range(int(times)):
        raw, cookie = new_socket()
        handed = socket.create_connection((address, 443), 30)
        refused, there = announce(supervisor, cookie, address, 0, handed)
        handed.close()
        if not refused:
            raw.connect(there)
            heard += raw.recv(100).startswith(b"220")
        raw.close()
    print(heard)


def forged(runtime, address, what):
    """What no supervisor says."""
    raw, cookie = new_socket()
    handed = {"file": lambda: open("/dev/null"), "elsewhere": lambda: socket.create_connection((os.environ["ELSEWHERE"], 443), 30),
              "unconnected": socket.socket, "none": lambda: None}[what]()
    print(announce(supervise(runtime), cookie, address, 0, handed)[0] or "believed")


def garbage(address):
    """Whatever comes, the server answers, not we: bytes of an alert, an end or a reset."""
    for first in (b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc" + os.urandom(20000), b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\xff", os.urandom(3000), b"\x16"):
        connection = socket.create_connection((address, 443), 30)
        try:
            connection.sendall(first)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except OSError:
            pass
    print("over")


def cares():
    """c-ares finds the governed names in /etc/hosts."""
    import pycares
    found = []
    channel = pycares.Channel(servers=["127.0.0.1"], timeout=1, tries=1)
    if hasattr(channel, "gethostbyname"):
        channel.gethostbyname("api.openai.com", socket.AF_INET, lambda result, error: found.append((result, error)))
    else:
        channel.getaddrinfo("api.openai.com", 443, family=socket.AF_INET, callback=lambda result, error: found.append((result, error)))
    for _ in range(50):
        if found:
            break
        if hasattr(channel, "process_fd"):
            channel.process_fd(pycares.ARES_SOCKET_BAD, pycares.ARES_SOCKET_BAD)
    print(found)


globals()[sys.argv[1]](*sys.argv[2:])
