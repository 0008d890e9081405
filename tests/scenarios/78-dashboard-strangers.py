#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The dashboard's server against everybody who is not the browser that was given its address: other users of the machine,
pages of other origins, names that resolve to 127.0.0.1, broken and slow clients, and agents that are away, closed, hung or
broken. No browser is needed.   78-dashboard-strangers.py TOLLGATE DIRECTORY"""
import atexit, json, os, pathlib, random, re, signal, socket, subprocess, sys, time

TOLLGATE, WORK = sys.argv[1], pathlib.Path(sys.argv[2])
HERE = pathlib.Path(__file__).resolve().parent
failures = 0


def check(name, good, why=""):
    global failures
    failures += not good
    print(f"ok {name}" if good else f"not ok {name}: {str(why)[:400]}", flush=True)


def is_(name, got, wanted):
    check(name, got == wanted, f"got {got!r}, wanted {wanted!r}")


def wait_for(what, seconds=20):
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


# ---- the agents, and the dashboard ----

started = []


@atexit.register
def end_all():
    for process in started:
        process.kill()
        process.wait()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def is_listening(path):
    """It is there a moment before it listens."""
    with socket.socket(socket.AF_UNIX) as caller:
        return caller.connect_ex(str(path)) == 0


def start_agent(environment, mood="", directory=None):
    runtime = WORK / (directory or environment)
    process = subprocess.Popen([sys.executable, HERE / "78-dashboard-agent.py", runtime, environment, *([mood] if mood else [])])
    started.append(process)
    assert wait_for(lambda: is_listening(runtime / "report.sock")), "the stand-in agent does not start"
    return process


class Dashboard:
    def __init__(self, *options, environment=None):
        self.process = subprocess.Popen([TOLLGATE, "dashboard", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        started.append(self.process)
        self.address = self.process.stdout.readline().decode().strip()
        match = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?token=([0-9a-f]{40})", self.address)
        assert match, f"no address: {self.address!r}"
        self.port, self.token, self.cookie, self.room = int(match[1]), match[2], None, None

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=15) # less than any wait of the dashboard for an answer that is whole

    def raw(self, request):
        """(status, headers, body); status 0: closed without an answer."""
        with self.connect() as link:
            try:
                link.sendall(request)
            except (BrokenPipeError, ConnectionResetError):
                pass
            answer = b""
            try:
                while got := link.recv(65536):
                    answer += got
            except ConnectionResetError:
                pass
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        return (int(lines[0].split(" ")[1]) if lines[0] else 0,
                {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}, body)

    def ask(self, target, method="GET", host=None, cookie=True, fields=()):
        head = [f"{method} {target} HTTP/1.1", f"Host: {host or f'127.0.0.1:{self.port}'}", *fields]
        if cookie and self.cookie:
            head.append(f"Cookie: {cookie if isinstance(cookie, str) else self.cookie}")
        return self.raw("\r\n".join([*head, "", ""]).encode("latin-1"))

    def enter(self, **more):
        status, headers, _ = self.ask(f"/?token={self.token}", cookie=False, **more)
        if status == 200:
            self.cookie = headers["set-cookie"].split(";")[0]
            self.room = re.search(r"url=(/[0-9a-f]{40}/)", headers["refresh"])[1]
        return status, headers

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.process.wait(20)


start_agent("dev")
page = Dashboard("--no-open", "--runtime", f"dev={WORK}/dev", "--runtime", f"prod={WORK}/prod")
port, here = page.port, f"127.0.0.1:{page.port}"

# ---- where it listens, and what it tells whom ----

sockets = [line.split()[1] for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"]
is_("it listens on 127.0.0.1 alone", [address for address in sockets if address.endswith(f":{port:04X}")], [f"0100007F:{port:04X}"])
check("no IPv6 socket", not any(f":{port:04X}" in line.split()[1] for line in pathlib.Path("/proc/net/tcp6").read_text().splitlines()[1:]))
check("the token is in no argv", page.token.encode() not in pathlib.Path(f"/proc/{page.process.pid}/cmdline").read_bytes())
is_("tokens are of 160 random bits, never the same", len({page.token, Dashboard("--no-open", "--runtime", f"dev={WORK}/dev", "--runtime", f"prod={WORK}/prod").token}), 2)

# ---- before anybody entered ----

entry = f"/?token={page.token}"
for name, target in {"nothing": "/", "a wrong token": "/?token=" + "0" * 40, "an empty token": "/?token=", "a part of the token": entry[:-1],
                     "the token and more": entry + "0", "the page": "/index.html", "data": "/api/dev/v1/wallets"}.items():
    is_(f"without a session, {name} is refused", page.ask(target)[0], 403)
is_("HEAD does not use the token", page.ask(entry, method="HEAD")[0], 403)
for name, more in {
    "a foreign Origin": {"fields": ["Origin: http://evil.example"]}, "Origin null": {"fields": ["Origin: null"]}, "another name (rebinding)": {"host": f"evil.example:{port}"},
    "an image of a foreign page": {"fields": ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"]},
    "a frame of a foreign page": {"fields": ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"]},
    "a fetch of a foreign page": {"fields": ["Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"]}}.items():
    is_(f"the right token from {name} is refused, and not used up", page.enter(**more)[0], 403)

# ---- the way in ----

status, headers = page.enter(fields=["Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"])
is_("the token opens", status, 200)
for part in ("HttpOnly", "SameSite=Strict", f"Path={page.room}"):
    check(f"the cookie has {part}", part in headers["set-cookie"], headers["set-cookie"])
check("the cookie is not the token", page.token not in headers["set-cookie"])
is_("a used token is refused", page.ask(entry, cookie=False)[0], 403)
is_("also with the session", page.ask(entry)[0], 403)
is_("the page opens", page.ask(page.room)[0], 200)
is_("at localhost, too", page.ask(page.room, host=f"LocalHost:{port}")[0], 200)

# ---- headers, whatever the answer ----

wanted = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-store", "x-frame-options": "DENY",
          "cross-origin-resource-policy": "same-origin", "connection": "close"}
policy = ("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; "
          "base-uri 'none'; form-action 'none'")
for name, answer in {"the page": page.ask(page.room), "a script": page.ask(page.room + "app.js"), "data": page.ask(page.room + "api/dev/v1/wallets"),
                     "an absent agent": page.ask(page.room + "api/prod/v1/wallets"), "no such page": page.ask(page.room + "no"), "a refusal": page.ask("/"),
                     "a wrong method": page.ask(page.room, method="POST"), "rubbish": page.raw(b"rubbish\r\n\r\n")}.items():
    lacking = [f"{field}: {answer[1].get(field)}" for field, value in wanted.items() if answer[1].get(field) != value]
    check(f"security headers of {name}", not lacking and answer[1].get("content-security-policy", "").startswith(policy), [answer[0], lacking])
    check(f"no CORS for {name}", not any(field.startswith("access-control") for field in answer[1]))
is_("only the agent's bytes are passed on, not its headers", page.ask(page.room + "api/dev/v1/wallets")[1].get("set-cookie"), None)

# ---- with the session, but from elsewhere ----

data = page.room + "api/dev/v1/report?period=7d"
for host in (f"evil.example:{port}", f"evil.example:{port}.", "127.0.0.1", "localhost", f"127.0.0.1:{port + 1}", f"[::1]:{port}", f"127.0.0.2:{port}", f"127.1:{port}",
             f"127.0.0.1:{port}.evil.example", f"0.0.0.0:{port}", "", f"127.0.0.1:{port}@evil.example"):
    status, _, body = page.ask(data, host=host or " ")
    check(f"Host {host!r} is refused", status == 403 and b"cost" not in body, status)
for origin in ("http://evil.example", "null", f"https://{here}", f"http://127.0.0.1:{port + 1}", f"http://localhost:{port}", "file://", f"http://{here}.evil.example", ""):
    is_(f"Origin {origin!r} is refused", page.ask(data, fields=[f"Origin: {origin}"])[0], 403)
is_("its own Origin is not", page.ask(data, fields=[f"Origin: http://{here}"])[0], 200)
for site in ("cross-site", "same-site", "anything"):
    is_(f"Sec-Fetch-Site {site} is refused", page.ask(data, fields=[f"Sec-Fetch-Site: {site}"])[0], 403)
    is_(f"Sec-Fetch-Site {site} is refused as a visit, too",
        page.ask(page.room, fields=[f"Sec-Fetch-Site: {site}", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"])[0], 403)
name = page.cookie.split("=")[0]
for what, cookie in {"no cookie": None, "a wrong one": f"{name}=" + "0" * 40, "half of it": page.cookie[:-8], "more than it": page.cookie + "0", "another name": "x" + page.cookie,
                     "an empty one": f"{name}="}.items():
    is_(f"data with {what} is refused", page.ask(data, cookie=cookie or False)[0], 403)
is_("a cookie that somebody tossed in does not shut us out", page.ask(data, cookie=f"{name}=tossed; a=b; {page.cookie}")[0], 200)

# ---- it only reads ----

for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "PROPFIND"):
    status, headers, _ = page.ask(data, method=method)
    is_(f"{method} is refused", (status, headers.get("allow")), (405, "GET, HEAD"))
is_("a body with POST is refused", page.raw(f"POST {data} HTTP/1.1\r\nHost: {here}\r\nCookie: {page.cookie}\r\nContent-Length: 9\r\n\r\n123456789".encode())[0], 405)
for field in ("Content-Length: 5", "Transfer-Encoding: chunked", "Content-Length: 0x0"):
    is_(f"GET with {field} is refused", page.ask(data, fields=[field])[0], 400)
for path in ("v1/launch", "v1/doctor", "v1/stop", "v1/reload", "v1/backup", "v1/secrets/x", "v1/wallets/team/fund", "v1/wallets/", "v1/events/", "v1/events/a/b", "v1/events/..",
             "v1/questions/../launch", "v1/../v1/launch", "v1/report/", "v1/report%2f..", "v2/report", "", "metrics", "v1/events/" + "x" * 65, "v1/hello#x", "v1/hello\\x"):
    status, _, body = page.ask(page.room + "api/dev/" + path)
    check(f"the agent's path {path[:30]!r} is out of reach", status in (400, 404) and b"environment" not in body, status)
for path in ("api/staging/v1/hello", "api/devx/v1/hello", "api/dev", "api/", "api", "../", "../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "..%2f..%2fetc/passwd", "/etc/passwd",
             "app.js/..", "./app.js", "style.css?x", "index.html%00", "dashboard.c", ".git/config"):
    is_(f"the file {path!r} is out of reach", page.ask(page.room + path)[0], 404)
is_("a stranger to the room learns nothing", page.ask("/" + "0" * 40 + "/app.js")[0], 404)

# ---- heads that no browser sends ----

line = f"GET {page.room} HTTP/1.1\r\n"
host = f"Host: {here}\r\nCookie: {page.cookie}\r\n"
for name, request, status in (
        ("a head that is too long", line + host + "X: " + "x" * 9000 + "\r\n\r\n", 431), ("a head without an end", "GET /" + "x" * 9000, 431), ("two Hosts", line + host + host + "\r\n", 400),
        ("no Host", line + f"Cookie: {page.cookie}\r\n\r\n", 400), ("a folded line", line + host + " more\r\n\r\n", 400), ("a line without a colon", line + host + "rubbish\r\n\r\n", 400),
        ("a space before the colon", line + host + "X : y\r\n\r\n", 400), ("a bare newline", line + host + "X: a\nb\r\n\r\n", 400), ("a bare return", line + host + "X: a\rb\r\n\r\n", 400),
        ("a NUL", line + host + "X: a\0b\r\n\r\n", 400), ("HTTP/1.0", f"GET {page.room} HTTP/1.0\r\n{host}\r\n", 505), ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("no version", f"GET {page.room}\r\n{host}\r\n", 400), ("an absolute target", f"GET http://{here}{page.room} HTTP/1.1\r\n{host}\r\n", 400), ("a target that is none", f"GET * HTTP/1.1\r\n{host}\r\n", 400),
        ("nothing but an end", "\r\n\r\n", 400), ("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400), ("bytes beyond ASCII", f"GET {page.room}\xff HTTP/1.1\r\n{host}\r\n", 400)):
    is_(f"{name} is refused", page.raw(request.encode("latin-1"))[0], status)
is_("two requests at once get one answer", page.raw((line + host + "\r\n" + line + host + "\r\n").encode())[0], 200)
chance, answered = random.Random(78), {}
whole = (line + host + "Accept: */*\r\n\r\n").encode()
for _ in range(1500):
    damaged = bytearray(whole)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(damaged))
        damaged[at:at + chance.randint(0, 3)] = chance.choice([b"", b"\0", b"\r\n", b" ", b":", bytes([chance.randrange(256)]), b"\r\n\r\n", b"x" * 300])
    status = page.raw(bytes(damaged) + b"\r\n\r\n")[0]
    answered[status] = answered.get(status, 0) + 1
check("1,500 damaged heads get an answer each", set(answered) <= {200, 400, 403, 404, 405, 431, 505} and answered.get(400, 0) > 100, answered)

# ---- slow, many, and gone ----

is_("the page still opens", page.ask(page.room)[0], 200)
idle = [page.connect() for _ in range(120)]
is_("120 that say nothing do not stop one who speaks", page.ask(page.room)[0], 200)
for link in idle:
    link.close()
slow, sent = page.connect(), 0
slow.settimeout(0.4)
answer = b""
for byte in (line + host + "X: " + "x" * 400).encode():
    try:
        slow.send(bytes([byte]))
        answer += slow.recv(100)
    except TimeoutError:
        sent += 1
        continue
    except OSError:
        break
    break
check("who trickles his head is cut off", answer.startswith(b"HTTP/1.1 408") or sent < 200, [sent, answer])
slow.close()
full = [page.connect() for _ in range(6)]
for link in full: # asks for much and takes nothing
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    link.sendall(f"GET {page.room}api/dev/v1/events?limit=1000 HTTP/1.1\r\n{host}\r\n".encode())
is_("who takes nothing does not stop others", page.ask(data)[0], 200)
for link in full:
    link.close()
streams = [page.connect() for _ in range(12)]
for link in streams:
    link.sendall(f"GET {page.room}api/dev/v1/events?follow=1 HTTP/1.1\r\n{host}\r\n".encode())
heads = [link.recv(4096) for link in streams]
is_("streams are bounded", [sum(b"Tollgate-Agent-Status: %d" % status in head for head in heads) for status in (200, 503)], [4, 8])
is_("and leave room", page.ask(data)[0], 200)
for link in streams:
    link.close()
is_("streams that left make room for others", wait_for(lambda: page.ask(page.room + "api/dev/v1/events?follow=1", method="HEAD")[1]["tollgate-agent-status"] == "200"), True)


def open_files():
    return len(os.listdir(f"/proc/{page.process.pid}/fd"))


check("no descriptor stays behind", wait_for(lambda: open_files() < 12), open_files())

# ---- agents ----

status, headers, body = page.ask(page.room + "api/dev/v1/wallets")
is_("what an agent says is passed on as it is", (status, headers["tollgate-agent-status"], len(json.loads(body)["wallets"])), (200, "200", 3))
is_("HEAD has no body", page.ask(data, method="HEAD")[::2], (200, b""))


def state_of(directory, path="v1/wallets"):
    status, headers, body = page.ask(page.room + f"api/prod/{path}")
    return status, headers.get("tollgate-agent-status"), json.loads(body)["error"]["code"]


is_("an agent that does not run", state_of("prod"), (200, "503", "agent_absent"))
for mood, wanted_state in (("closed", (200, "403", "peer_refused")), ("broken", (200, "502", "agent_broken"))):
    agent = start_agent("prod", mood)
    is_(f"an agent that is {mood}", state_of("prod"), wanted_state)
    agent.kill()
    agent.wait()
    os.unlink(WORK / "prod" / "report.sock")
agent = start_agent("prod", "hung")
waiting = page.connect()
waiting.sendall(f"GET {page.room}api/prod/v1/report HTTP/1.1\r\n{host}\r\n".encode())
is_("an agent that hangs does not hold up another", page.ask(data)[0], 200)
waiting.close()
agent.kill()
agent.wait()
open_socket = WORK / "prod" / "report.sock"
if os.geteuid() != 0: # no mode shuts root out
    open_socket.chmod(0)
    is_("an agent whose socket is closed to us", state_of("prod"), (200, "403", "agent_closed"))

# ---- the browser is started without the token in an argv ----

tools = WORK / "tools"
tools.mkdir()
opener = tools / "xdg-open"
opener.write_text(f"#!/bin/sh\n{{ echo \"$0 $*\"; stat -c %a \"$1\"; cat \"$1\"; env; }} >{WORK}/opened.new; mv {WORK}/opened.new {WORK}/opened\n")
opener.chmod(0o755)
(WORK / "run").mkdir(mode=0o700)
environment = dict(os.environ, PATH=f"{tools}:{os.environ['PATH']}", DISPLAY=":99", XDG_RUNTIME_DIR=str(WORK / "run"), TOLLGATE_GROUP="x", LD_PRELOAD="")
with_browser = Dashboard("--env", "dev", "--runtime", f"{WORK}/dev", environment=environment)
check("a browser is started", wait_for((WORK / "opened").exists))
argv, mode, *rest = (WORK / "opened").read_text().splitlines()
check("the token is not in its argv", with_browser.token not in argv, argv)
is_("the file is for this user alone", mode, "600")
check("and leads to the address", any(with_browser.address in text for text in rest[:3]), rest[:3])
check("the browser is not governed", not any(text.startswith("TOLLGATE_") for text in rest))
with_browser.enter(fields=["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"]) # as from a file
check("the file's link opens, and the file goes", with_browser.cookie and wait_for(lambda: not list((WORK / "run").iterdir())), list((WORK / "run").iterdir()))
is_("prod is out of reach of --env dev", with_browser.ask(with_browser.room + "api/prod/v1/hello")[0], 404)
is_("--env dev has one environment", json.loads(with_browser.ask(with_browser.room + "api/environments")[2])["environments"], ["dev"])
is_("SIGTERM ends it", with_browser.end(signal.SIGTERM), 0)
again = Dashboard("--no-open", "--port", str(with_browser.port), "--env", "dev", "--runtime", f"{WORK}/dev", environment=environment)
is_("--port is obeyed", again.port, with_browser.port)
is_("a taken port is said", subprocess.run([TOLLGATE, "dashboard", "--no-open", "--port", str(again.port)], capture_output=True).returncode, 69)
for options, code in ((["--port", "0"], 64), (["--port", "x"], 64), (["--port", "65536"], 64), (["--env", "staging"], 64), (["--runtime", "x"], 64), (["extra"], 64)):
    is_(f"dashboard {' '.join(options)}", subprocess.run([TOLLGATE, "dashboard", "--no-open", *options], capture_output=True, timeout=20).returncode, code)

# ---- the end ----

waiting = page.connect()
waiting.sendall(f"GET {page.room}api/dev/v1/events?follow=1 HTTP/1.1\r\n{host}\r\n".encode())
waiting.recv(100)
is_("Ctrl-C ends it, also while a stream is open", page.end(), 0)
said = page.process.stdout.read() + page.process.stderr.read()
check("the token is said once", page.token.encode() not in said, said)
check("no sanitizer reports anything", b"Sanitizer" not in said and b"runtime error" not in said, said)
check("nor is the cookie said", page.cookie.split("=")[1].encode() not in said, said)
sys.exit(1 if failures else 0)
