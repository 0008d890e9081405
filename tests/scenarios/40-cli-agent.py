#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for tollgated in 40-cli.sh: the command line, the runtime files and the control API, with fixed answers.

FAKE_ATTEMPTS  file that gets one line per start
FAKE_COUNT     file that gets the pid of each that became the agent
FAKE_FAIL      exit with this code after two lines on standard error, as for a bad policy
"""
import fcntl, json, os, socketserver, struct, sys, threading
from http.server import BaseHTTPRequestHandler

options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
if "--tool" in options:
    print(json.dumps({"argv": sys.argv[1:], "keys": [k for k, v in os.environ.items() if v.startswith("kt_cg_")]}))
    sys.exit(0)
if os.environ.get("FAKE_FAIL"):
    sys.stderr.write("policy.yaml:3:5: unknown key \"cachee\"\n    did you mean cache?\n")
    sys.exit(int(os.environ["FAKE_FAIL"]))
if os.environ.get("FAKE_ATTEMPTS"):
    with open(os.environ["FAKE_ATTEMPTS"], "a") as attempts:
        attempts.write("start\n")
state, runtime = options["--state"], options["--runtime"]
lock = open(state + "/owner", "w")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    sys.exit(75)
if os.environ.get("FAKE_COUNT"):
    with open(os.environ["FAKE_COUNT"], "a") as count:
        count.write(f"{os.getpid()}\n")
with open(state + "/seen.json", "w") as seen:
    json.dump({"argv": sys.argv[1:], "environment": dict(os.environ), "cwd": os.getcwd(), "session": os.getsid(0),
               "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd")), "stdin": os.readlink("/proc/self/fd/0"),
               "umask": oct(os.umask(0o077))}, seen)

GOVERNED = ["api.openai.com", "api.anthropic.com"]


def write_map():
    names = sorted(GOVERNED)
    text = b"".join(name.encode() + b"\0" for name in names)
    rows, offset = b"", 0
    for index, name in enumerate(names):
        rows += struct.pack("<II", 0x7F4D0001 + index, offset)
        offset += len(name) + 1
    body = struct.pack("<HH", 443, 1) + rows + text

    def head(checksum):
        return struct.pack("<QIIQIIIIIIIIII", 0x50414D474C4C4F54, 3, 64 + len(body), checksum, 0x7F4D0000, 0xFFFF0000, 1,
                           len(names), len(text), 7, 0x7F4E0000, 0, 0, 0)

    checksum = 14695981039346656037
    for byte in head(0) + body:
        checksum = ((checksum ^ byte) * 1099511628211) % (1 << 64)
    with open(runtime + "/map", "wb") as file:
        file.write(head(checksum) + body)


write_map()
for name, content in (("ca.pem", "OUR ROOT"), ("bundle.pem", "SYSTEM ROOTS\nOUR ROOT")):
    with open(f"{runtime}/{name}", "w") as file:
        file.write(f"-----BEGIN CERTIFICATE-----\n{content}\n-----END CERTIFICATE-----\n")

WALLET = {"wallet": "team_product_dev", "available": "9.990000000", "held": "0.000000000", "spent": "0.010000000",
          "funded": "10.000000000", "transfers": 3}
EVENT = {"id": "01J8Z3K4W5X6Y7Z8A9B0C1D2E3", "time": "2026-07-02T10:11:12.000Z", "environment": "dev",
         "group": "product-dev", "group_source": "key", "wallet": "team_product_dev", "pid": 42, "uid": 0,
         "executable": "/usr/bin/pyth\u001b[31mon3", "method": "POST", "host": "api.openai.com",
         "path": "/v1/chat/completions", "stream": True, "model": "gpt-5.4-mini-mini", "target": "openai-gpt4o-mini",
         "provider": "openai", "status": 200, "error": None, "hold": "0.020000000", "charge": "0.001234000",
         "wallet_available": "9.990000000", "duration_us": 12345,
         "tokens": {"input": 12, "cache_read": 3, "output": 7},
         "steps": [{"step": "receive", "outcome": "NEXT", "us": 11}, {"step": "reserve", "outcome": "WAIT", "us": 205,
                   "text": "held 0.02 of team_product_dev"}, {"step": "settle", "outcome": "NEXT", "us": 12001}],
         "attempts": [{"target": "openai-gpt4o-mini", "provider": "openai", "model": "gpt-5.4-mini-mini", "status": 200,
                       "hold": "0.020000000", "charge": "0.001234000", "basis": "exact", "bytes_sent": True,
                       "connect_us": 10, "first_byte_us": 20, "total_us": 30}]}
REFUSED = dict(EVENT, id="01J8Z3K4W5X6Y7Z8A9B0C1D2E4", status=402, error="wallet_exhausted",
               error_detail="team_product_dev has 0.00 and this call may cost 0.02", charge="0.000000000")
HELLO = {"environment": options["--environment"], "version": "0.1.0", "pid": os.getpid(), "port": 4443,
         "policy": options["--policy"], "policy_digest": "ab" * 32, "started": "2026-07-02T10:00:00Z", "state": state}
stored = {}


def fail(status, code, message, hint=""):
    return status, {"error": {"code": code, "message": message, "hint": hint}}


def get(path):
    if path == "/v1/hello":
        return 200, HELLO
    if path.startswith("/v1/launch"):
        group = path.partition("group=")[2] or "product-dev"
        if group == "nobody":
            return fail(403, "group_unknown", "no consumer group is named nobody", "tollgate check prints the groups")
        return 200, {"environment": options["--environment"], "group": group, "placeholder": "kt_cg_product_dev",
                     "key_environment": ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "EVIL;touch pwned"],
                     "governed": GOVERNED,
                     "refuses_ungoverned": options["--environment"] == "prod" or os.path.exists(state + "/strict")}
    if path == "/v1/wallets":
        return 200, {"wallets": [WALLET, dict(WALLET, wallet="a_team_with_a_remarkably_long_name_that_gives_way_to_money")]}
    if path == "/v1/wallets/team_product_dev":
        return 200, dict(WALLET, history=[{"sequence": 1, "kind": "fund", "id": "01J", "time": "2026-07-02T10:00:00Z",
                                           "wallet": "team_product_dev", "counterparty": "funding",
                                           "amount": "10.000000000", "basis": "none", "note": "first credit"}])
    if path.startswith("/v1/events?limit="):
        return 200, {"events": [REFUSED, EVENT][:int(path.partition("=")[2])]}
    if path == "/v1/events/" + EVENT["id"]:
        return 200, EVENT
    if path == "/v1/doctor":
        return 200, {"checks": [{"name": "ledger", "status": "ok", "text": "operations: 3, in batches: 1", "fix": ""}]}
    return fail(404, "not_found", "no such thing")


def post(path, body):
    if path == "/v1/stop":
        return 200, {}
    if path == "/v1/reload":
        if os.path.exists(state + "/bad"):
            return 422, {"error": {"code": "settings_invalid", "message": "the policy file has errors", "hint": ""},
                         "problems": "policy.yaml:1:1: unknown key\n"}
        return 200, {"policy_digest": "cd" * 32, "warnings": "policy.yaml:2:1: no price\n"}
    if path.startswith("/v1/secrets/"):
        stored[path.rpartition("/")[2]] = body
        with open(state + "/stored", "wb") as file:
            file.write(body)
        return 200, {}
    if path.endswith("/fund"):
        order = json.loads(body)
        with open(state + "/order.json", "w") as file:
            json.dump(order, file)
        if order["amount"].startswith("-"):
            return fail(400, "amount_invalid", "the amount is not a valid sum of USD", "at most nine decimals")
        return 200, WALLET
    return fail(404, "not_found", "no such thing")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        if self.path == "/v1/wallets":  # one answer in chunks: HTTP/1.1 allows it any time
            self.send_header("Transfer-Encoding", "chunked")
            body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:50], body[50:])) + b"0\r\n\r\n"
        else:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def do_GET(self):
        if self.path != "/v1/events?follow=1":
            return self.answer(*get(self.path))
        self.wfile.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        for number in range(3):
            line = json.dumps(dict(EVENT, id=f"follow-{number}" if number else EVENT["id"]))
            self.wfile.write(line.encode() + b"\n")
            self.wfile.flush()
        self.close_connection = True

    def do_POST(self):
        self.answer(*post(self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        if self.path == "/v1/stop":
            os._exit(0)

    def log_message(self, *arguments):
        pass

    def address_string(self):
        return "local"


class Server(socketserver.ThreadingUnixStreamServer):
    request_queue_size = 1024
    daemon_threads = True


servers = []
for name in ("report.sock", "admin.sock"):
    path = f"{runtime}/{name}"
    if os.path.exists(path):
        os.unlink(path)
    servers.append(Server(path, Handler))
threading.Thread(target=servers[1].serve_forever, daemon=True).start()
sys.stderr.write("policy.yaml:2:2: warning: no price\n")
sys.stderr.flush()
os.write(int(options["--ready-fd"]), b"ready\n")
os.close(int(options["--ready-fd"]))
servers[0].serve_forever()
