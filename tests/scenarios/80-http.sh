#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Messages that could be understood in two ways are refused: 400 and close; with TLS, and by base URL. Bad JSON gets the
# provider's own error.
. "$(dirname "$0")/lib.sh"
play "bad HTTP and bad JSON"
provider
policy < <(sed '/^cache:/,/^[^ ]/s/enabled: true/enabled: false/' "$ROOT/policies/policy-config.dev.yaml"; echo 'capture: {base_urls: true}')
agent
cat >"$T/raw.py" <<'PYTHON'
import os, socket, ssl, sys
context = ssl.create_default_context(cafile=os.environ["TOLLGATE_CA_FILE"])
port = int(sys.argv[1]) if len(sys.argv) > 1 else None # of base URLs; else TLS
def connect():
    if port:
        return socket.create_connection(("127.0.0.1", port), 10)
    raw = socket.create_connection(("api.openai.com", 443), 10)
    return context.wrap_socket(raw, server_hostname="api.openai.com")
def send(data, pieces=1):
    s = connect()
    s.settimeout(10)
    try:
        for i in range(pieces):
            s.sendall(data[len(data) * i // pieces: len(data) * (i + 1) // pieces])
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
    except TimeoutError:
        return "open " + answer[9:12].decode()
    except OSError as error:
        if not answer: return "reset"
    return "closed " + answer[9:12].decode()
key = os.environ["OPENAI_API_KEY"]
host, path = (f"127.0.0.1:{port}".encode(), b"/openai") if port else (b"api.openai.com", b"")
H = b"Host: " + host + b"\r\nauthorization: Bearer " + key.encode() + b"\r\n"
P = b"POST " + path + b"/v1/chat/completions HTTP/1.1\r\n"
cases = {
    "content-length with transfer-encoding": P + H + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two content-lengths": P + H + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "two equal content-lengths": P + H + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "transfer-encoding gzip, chunked": P + H + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "transfer-encoding chunked twice": P + H + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare LF": b"GET " + path + b"/v1/models HTTP/1.1\n" + H.replace(b"\r\n", b"\n") + b"\n",
    "bare CR": b"GET " + path + b"/v1/models HTTP/1.1\r\nX: a\rb\r\n" + H + b"\r\n",
    "obs-fold": b"GET " + path + b"/v1/models HTTP/1.1\r\n" + H + b"X: a\r\n b\r\n\r\n",
    "space before the colon": b"GET " + path + b"/v1/models HTTP/1.1\r\nHost : " + host + b"\r\n\r\n",
    "bad field name": b"GET " + path + b"/v1/models HTTP/1.1\r\n" + H + b"X(y: a\r\n\r\n",
    "NUL in a value": b"GET " + path + b"/v1/models HTTP/1.1\r\n" + H + b"X: a\0b\r\n\r\n",
    "no Host": b"GET " + path + b"/v1/models HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET " + path + b"/v1/models HTTP/1.1\r\n" + H + b"Host: " + host + b"\r\n\r\n",
    "another Host": b"GET " + path + b"/v1/models HTTP/1.1\r\nHost: api.anthropic.com\r\n\r\n",
    "absolute form": b"GET http://" + host + path + b"/v1/models HTTP/1.1\r\n" + H + b"\r\n",
    "CONNECT": b"CONNECT " + host + b" HTTP/1.1\r\n" + H + b"\r\n",
    "an HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "garbage": b"\x00\x01\x02\x03\r\n\r\n",
}
failures = 0
for name, data in cases.items():
    for pieces in (1, len(data)):
        got = send(data, pieces)
        good = got == ("closed 403" if port and name == "another Host" else "closed 400")
        failures += not good
        print(f"{'ok' if good else 'not ok'} {'by base URL: ' if port else ''}{name}{' byte by byte' if pieces > 1 else ''}{'' if good else ': ' + got}")
sys.exit(1 if failures else 0)
PYTHON
{
    governed python3 "$T/raw.py"
    governed python3 "$T/raw.py" "$("$TOLLGATE" status --json | json 'd["base_url_port"]')" && echo "ok by base URL: all of it"
} >"$T/raw.out" || grep -q '^not ok' "$T/raw.out" || not_ok "raw.py came to its end"
FAILURES=$((FAILURES + $(grep -c '^not ok' "$T/raw.out")))
cat "$T/raw.out"
for bad in '{' '[1,2' '{"model":1}' '{"model":"m"}' '{"model":"m","model":"n","messages":[]}' '' 'null' '{"model":"m","messages":"x"}'; do
    answer=$(openai "$bad" -w '\n%{http_code}')
    is "body $bad: 400 invalid_request_error" "$(tail -1 <<<"$answer") $(head -1 <<<"$answer" | json 'd["error"]["type"]')" "400 invalid_request_error"
done
is "Anthropic's shape for Anthropic" "$(anthropic '{' | json 'd["type"]+" "+d["error"]["type"]')" "error invalid_request_error"
head -c 40000000 /dev/zero | tr '\0' ' ' >"$T/big"
is "a body above the limit: 413" "$(openai x --data-binary "@$T/big" -o /dev/null -w '%{http_code}' -H 'expect:')" 413
is "WebSocket: 426" "$(governed curl -sS --http1.1 -o /dev/null -w '%{http_code}' https://api.openai.com/v1/responses -H 'connection: upgrade' -H 'upgrade: websocket' -H 'sec-websocket-version: 13' -H 'sec-websocket-key: aaaaaaaaaaaaaaaaaaaaaa==')" 426
# The next `tollgate run` would start another one, and nobody would see that the first had died.
is "one agent all along" "$(grep -c 'agent ready' "$T/s/tollgate/dev/agent.log")" 1
is "nothing of it reached the provider" "$(standin /_bill | json 'len(d)')" 0
is "and it cost nothing" "$(money | cut -d' ' -f2,3)" "0 0"
stop_agent
done_playing
