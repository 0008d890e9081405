#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The bad-input table of HTTP (tests/badinput/cases.py) through a live agent, over TLS: every message that must be
# refused is, with its code, and closes the connection; what is legal is never called malformed; the agent lives on, and
# nothing of it costs anything.
. "$(dirname "$0")/lib.sh"
play "3,000 bad HTTP messages"
provider
policy <"$ROOT/policies/policy-config.dev.yaml"
agent
cat >"$T/send.py" <<'PYTHON'
import os, re, socket, ssl, subprocess, sys
context = ssl.create_default_context(cafile=os.environ["TOLLGATE_CA_FILE"])
CODES = {"http_malformed": b"400", "http_head_too_large": b"431", "http_body_too_large": b"413"}
# What the parser takes and the flow refuses: escapes that hide dots or are none, a method that no provider knows.
STRICTER = {r"target '/%2ea'", r"target '/a%2e'", r"target '/%2e%2e%2e'", r"target '/%zz'", "method TRACE"}
def send(data):
    raw = socket.create_connection(("api.openai.com", 443), 10)
    with context.wrap_socket(raw, server_hostname="api.openai.com") as s:
        answer = b""
        s.settimeout(10)
        try:
            s.sendall(data)
            while chunk := s.recv(65536):
                answer += chunk
                end = answer.find(b"\r\n\r\n")
                if end >= 0 and data.startswith(b"HEAD ") or answer.endswith(b"\r\n0\r\n\r\n"):
                    break
                if end >= 0 and (length := re.search(rb"(?i)content-length: (\d+)", answer[:end])) and len(answer) >= end + 4 + int(length[1]):
                    break # of a legal message the connection stays open
        except (ConnectionError, ssl.SSLError, TimeoutError):
            pass # it closes before it has read everything; what it said before counts
        return answer
count, failures = 0, 0
for line in subprocess.run([sys.executable, sys.argv[1], "http"], capture_output=True, check=True).stdout.decode().splitlines():
    kind, name, verdict, text = line.split("\t")
    if re.match(r"(a request line|a head|\d+ fields|a body) ?(of)? ?\d*|chunks: a size beyond", name) or verdict == "more":
        continue # by the limits of the unit program, not of this policy
    data = re.sub(rb"\\x(..)", lambda m: bytes([int(m[1], 16)]), text.encode())
    answer = send(data)
    status, is_malformed = answer[9:12], b"http_malformed" in answer or b"HTTP message is malformed" in answer
    if name in STRICTER:
        verdict = "http_malformed"
    if verdict == "accept":
        good = not is_malformed and status != b""
    else:
        good = status == CODES[verdict] and answer.count(b"HTTP/1.1 ") == 1
    count += 1
    failures += not good
    if not good:
        print(f"not ok {name}: {status.decode()} {answer[-200:]!r}, wanted {verdict}")
print(f"{count} messages, {failures} other verdicts")
sys.exit(1 if failures or count < 2500 else 0)
PYTHON
governed python3 "$T/send.py" "$ROOT/tests/badinput/cases.py" >"$T/send.out" 2>&1
code=$?
grep "^not ok" "$T/send.out"
is "every message has its verdict ($(tail -1 "$T/send.out"))" "$code" 0
is "and it cost nothing" "$(money | cut -d' ' -f2,3)" "0 0"
is "a plain call still works" "$(openai '{"model":"gpt-5.4-nano","messages":[{"role":"user","content":"hi"}],"max_tokens":5}' -o /dev/null -w '%{http_code}')" 200
is "one agent all along" "$(grep -c 'agent ready' "$T/s/tollgate/dev/agent.log")" 1
stop_agent
done_playing
