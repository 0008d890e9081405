# SPDX-License-Identifier: Apache-2.0
"""A small service manager for 47-service.sh: says what the agent tells it. WHAT PORT COMMAND…
notify   the words that come within a few watchdog periods; then one loop is stopped (ptrace), and no more may come
sockets  opens the port and hands it over (sd_listen_fds(3)), kills the agent, connects meanwhile, starts the next one
store    keeps what agents leave (FDSTORE of sd_notify(3)) and gives it to the next one; connects between two of them"""
import ctypes, fcntl, os, pathlib, signal, socket, ssl, subprocess, sys, tempfile, time

what, port, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
PERIOD_S = 0.4
folder = tempfile.TemporaryDirectory()
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(folder.name + "/notify")


kept = {}  # name: descriptor


def start_with_kept():
    """The shell brings the descriptors into their places, far from where they may be."""
    names, environment = sorted(kept), {**os.environ, "NOTIFY_SOCKET": folder.name + "/notify", "FDSTORE": "8"}
    if not names:
        return subprocess.Popen(command, env=environment)
    environment.update(LISTEN_FDS=str(len(names)), LISTEN_FDNAMES=":".join(names))
    high = [fcntl.fcntl(kept[name], fcntl.F_DUPFD, 50) for name in names]
    moves = "; ".join(f"exec {3 + i}<&{fd} {fd}<&-" for i, fd in enumerate(high))
    agent = subprocess.Popen(["bash", "-c", moves + '; export LISTEN_PID=$$; exec "$@"', "bash", *command], env=environment, pass_fds=high)
    for fd in high:
        os.close(fd)
    return agent


def wait_for_words(wanted):
    """Like a manager: what it is told to keep, it keeps."""
    manager.settimeout(30)
    for _ in range(200):
        text, fds, _, _ = socket.recv_fds(manager, 4096, 8)
        lines = dict(line.split("=", 1) for line in text.decode().splitlines())
        name = lines.get("FDNAME")
        if "FDSTOREREMOVE" in lines and name in kept:
            os.close(kept.pop(name))
        if "FDSTORE" in lines:
            kept[name] = fds[0]
        if wanted in text.decode():
            return True
    return False


def start(**more):
    environment = {**os.environ, "NOTIFY_SOCKET": folder.name + "/notify", "WATCHDOG_USEC": str(int(PERIOD_S * 1e6)), **more}
    if "LISTEN_FDS" in more:
        # the shell sets its own number, which the agent keeps
        return subprocess.Popen(["sh", "-c", 'exec 3<&%d; export LISTEN_PID=$$; exec "$@"' % listener.fileno(), "sh", *command],
                                env=environment, pass_fds=[listener.fileno()])
    return subprocess.Popen(command, env=environment)


def word(seconds):
    manager.settimeout(seconds)
    try:
        return manager.recv(100).decode()
    except TimeoutError:
        return ""


def ready():
    for _ in range(100):
        if word(30) == "READY=1":
            return True
    return False


def loops(pid):
    return [int(task.name) for task in pathlib.Path(f"/proc/{pid}/task").iterdir() if (task / "comm").read_text() == "loop\n"]


def stop_thread(thread):
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    for order in (0x4206, 0x4207):  # PTRACE_SEIZE, PTRACE_INTERRUPT
        if ptrace(order, thread, None, None) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")
    os.waitpid(thread, 0x40000000)  # __WALL


def drain(seconds):
    """What comes until nothing comes for so long."""
    words = []
    while len(words) < 100 and (said := word(seconds)):
        words.append(said)
    return words


def notify():
    agent = start()
    print("ready" if ready() else "not ready")
    print("alive" if [word(30) for _ in range(5)] == ["WATCHDOG=1"] * 5 else "silent")
    if os.geteuid() == 0:
        thread = loops(agent.pid)[0]
        stop_thread(thread)
        drain(3 * PERIOD_S)  # a beat that was under way
        print("hung" if not drain(5 * PERIOD_S) else "still alive")
        agent.kill()  # as the manager would
        os.waitpid(thread, 0x40000000)  # the tracer's to reap, before its process
        agent.wait(30)
        agent = start()
        ready()
    agent.terminate()
    print("stopping" if "STOPPING=1" in iter(lambda: word(30), "") else "no word")
    print("exit", agent.wait(30))


def governed():
    """A governed name's address and its certificates' issuer."""
    name, part = pathlib.Path(os.environ["STATE"], "addresses").read_text().splitlines()[0].split()
    return name, f"127.77.{int(part) >> 8}.{int(part) & 255}"


def connect():
    return socket.create_connection((governed()[1], port), 10)


def greet(connection):
    """A handshake by the agent of the moment."""
    context = ssl.create_default_context(cafile=os.environ["RUNTIME"] + "/ca.pem")
    with connection, context.wrap_socket(connection, server_hostname=governed()[0]) as tls:
        return tls.version()


def sockets():
    global listener
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen(100)
    agent = start(LISTEN_FDS="1")
    print("ready" if ready() else "not ready")
    print("before", greet(connect()))
    agent.kill()
    agent.wait(30)
    waiting = connect()  # not refused
    agent = start(LISTEN_FDS="1")
    ready()
    print("meanwhile", greet(waiting))
    agent.terminate()
    print("exit", agent.wait(30))
    with connect():
        print("the port is still open")


def ask():
    """A question to the agent that is not read yet."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(30)
    connection.connect(os.environ["RUNTIME"] + "/report.sock")
    connection.send(b"GET /v1/hello HTTP/1.1\r\nHost: x\r\n\r\n")
    return connection


def read_all(connection):
    return b"".join(iter(lambda: connection.recv(65536), b""))


def store():
    global port
    agent = start_with_kept()
    print("ready" if wait_for_words("READY=1") else "not ready")
    print("kept", *sorted(kept))
    port = int(pathlib.Path(os.environ["STATE"], "port").read_text())
    for number in (signal.SIGTERM, signal.SIGKILL):
        print("before", greet(connect()))
        agent.send_signal(number)
        agent.wait(30)
        waiting, question = connect(), ask()  # neither is refused
        announcer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        announcer.connect(os.environ["RUNTIME"] + "/redirect.sock")
        agent = start_with_kept()
        wait_for_words("READY=1")
        print("meanwhile", greet(waiting), "by the next agent:", b'"pid":%d,' % agent.pid in read_all(question))
    agent.terminate()
    print("exit", agent.wait(30), "and kept", *sorted(kept))
    for fd in kept.values():
        os.close(fd)
    try:
        connect().close()
        print("open")
    except ConnectionRefusedError:
        print("a service that is stopped has no port")


{"notify": notify, "sockets": sockets, "store": store}[what]()
