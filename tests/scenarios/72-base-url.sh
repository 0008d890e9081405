#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Plan B for programs that trust only certificates of their own: a base URL at a plain HTTP port of 127.0.0.1. Off unless
# the policy says so; a kt_cg_ key for every call; nothing for browsers, other users, other names; the rest as ever.
CLIENTS=${TOLLGATE_COMPAT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tollgate-compat}
. "$(dirname "$0")/lib.sh"
play "base URLs"
provider

# Local addresses at which the agent listens, one a line.
listens() {
    python3 - "$("$TOLLGATE" status --env "$ENVIRONMENT" --json | json 'd["pid"]')" <<'P'
import os, sys
pid = sys.argv[1]
inodes = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
for family in "tcp", "tcp6":
    for line in open(f"/proc/net/{family}").read().splitlines()[1:]:
        part = line.split()
        if part[3] == "0A" and f"socket:[{part[9]}]" in inodes:
            print(part[1].split(":")[0])
P
}
base_port() { "$TOLLGATE" status --env "$ENVIRONMENT" --json | json 'd["base_url_port"]'; }
ask() { # PATH [CURL OPTIONS…]: the answer's body in $T/body, its head in $T/head; prints the status
    local path=$1
    shift
    note_events
    ungoverned curl -sS -m 20 --path-as-is -D "$T/head" -o "$T/body" -w '%{http_code}' "http://127.0.0.1:$PORT$path" "$@"
}
# As it is: no preload, no variable of ours.
ungoverned() { env -i "PATH=$PATH" "HOME=$HOME" LANG=C.UTF-8 "$@"; }
key='authorization: Bearer kt_cg_any'
error_code() { json 'd["error"]["code"]' <"$T/body"; }

# ---- off by default ----
agent
is "off by default: one port" "$(listens | wc -l)" 1
is "status says so" "$("$TOLLGATE" status | sed -n 's/^base URLs *//p') $(base_port)" "off 0"
"$TOLLGATE" run --base-url -- true 2>"$T/err"
is "run --base-url: 125" "$?" 125
has "with the line to add" "$(cat "$T/err")" "capture: {base_urls: true}"
has "and where" "$(cat "$T/err")" "$T/policy-config.dev.yaml"
"$TOLLGATE" env --shell bash --base-url >"$T/out" 2>&1
is "env --base-url: 78" "$?" 78
lacks "run without it sets nothing" "$(governed env)" _BASE_URL=
policy <<'Y'
capture: {base_urls: true}
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: mini, provider: openai, model: gpt-5.4-mini-mini, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: haiku, provider: anthropic, model: claude-haiku, secret_key_ref: {env: ANTHROPIC_API_KEY}}
    - {id: flash, provider: google, model: gemini-2.5-flash, secret_key_ref: {env: GEMINI_API_KEY}}
consumer_groups:
  - {name: any, api_key: kt_cg_any, wallet_team_id: any}
  - {name: mine, api_key: kt_cg_mine, wallet_team_id: any, uids: [0]}
  - {name: short, api_key: kt_cg_short, wallet_team_id: short}
wallets: [{id: any, credit: "100"}, {id: short, credit: "0"}]
access: {uids: []}
limits: {head_timeout_ms: 60000}
Y
"$TOLLGATE" reload >"$T/out" 2>&1
has "a reload says that it needs a restart" "$(cat "$T/out")" "capture.base_urls: false -> true takes effect at the next restart"
has "so does doctor" "$("$TOLLGATE" doctor 2>&1)" "the policy says something else since the start"
check "the agent stops" "$TOLLGATE" stop
export GEMINI_API_KEY=test-gemini-0123456789
agent
PORT=$(base_port)
is "on: 127.0.0.1 and nothing else" "$(listens | sort | tr '\n' ' ')" "00000000 0100007F "
has "status says where" "$("$TOLLGATE" status)" "http://127.0.0.1:$PORT/PROVIDER"
has "doctor, too" "$("$TOLLGATE" doctor 2>&1)" "http://127.0.0.1:$PORT/PROVIDER"

# ---- real clients, with nothing but a base URL and a key ----
answers() { # NAME EXECUTABLE COMMAND…
    local name=$1 executable=$2
    shift 2
    note_events
    ungoverned OPENAI_API_KEY=kt_cg_any ANTHROPIC_API_KEY=kt_cg_any GEMINI_API_KEY=kt_cg_any \
        OPENAI_BASE_URL="http://127.0.0.1:$PORT/openai/v1" ANTHROPIC_BASE_URL="http://127.0.0.1:$PORT/anthropic" \
        GOOGLE_GEMINI_BASE_URL="http://127.0.0.1:$PORT/google" COMPAT_NODE="$CLIENTS/node" "$@" >"$T/out" 2>"$T/err" </dev/null
    if grep -q ANSWER "$T/out"; then ok "$name is answered"; else not_ok "$name is answered" "$(tail -n 3 "$T/out" "$T/err")"; fi
    is "$name is known by name" "$(last_event '["executable"].split("/")[-1]' | sed 's/^python3.*/python3/')" "$executable"
}
cat >"$T/ask.py" <<'P'
import json, os, sys, urllib.request
stream = sys.argv[1] == "stream"
body = {"model": "gpt-5.4-nano", "stream": stream, "messages": [{"role": "user", "content": "hello"}]}
request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json.dumps(body).encode(), {
    "authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "content-type": "application/json"})
text = urllib.request.urlopen(request, timeout=60).read().decode()
print("ANSWER" if ("[DONE]" in text) == stream and "chat.completion" in text else text)
P
cat >"$T/ask_genai.py" <<'P'
from google import genai
client = genai.Client()
print("ANSWER", client.models.generate_content(model="gemini-2.5-flash", contents="hi").text)
P
cat >"$T/fetch.mjs" <<'P'
const answer = await fetch(process.env.OPENAI_BASE_URL + "/chat/completions", { method: "POST",
    headers: { authorization: "Bearer " + process.env.OPENAI_API_KEY, "content-type": "application/json" },
    body: JSON.stringify({ model: "gpt-5.4-nano", messages: [{ role: "user", content: "hello" }] }) });
console.log(answer.ok ? "ANSWER" : await answer.text());
P
clients=$ROOT/tests/clients/compat/clients
venv=$CLIENTS/venv/bin/python
answers curl curl sh -c 'curl -sS "$OPENAI_BASE_URL/chat/completions" -H "authorization: Bearer $OPENAI_API_KEY" -d "$0" | sed "s/chat.completion/ANSWER/"' "$(openai_body gpt-5.4-nano)"
for mode in json stream; do
    answers "urllib, $mode" python3 /usr/bin/python3 "$T/ask.py" $mode
    for sdk in openai anthropic; do
        if "$venv" -c "import $sdk" 2>/dev/null; then
            answers "the Python SDK $sdk, $mode" python3 "$venv" "$clients/py_$sdk.py" $mode
        else
            skip "the Python SDK $sdk is not here (scripts/compat installs it)"
        fi
        package=${sdk/anthropic/@anthropic-ai/sdk}
        if [ -d "$CLIENTS/node/node_modules/$package" ] && command -v node >/dev/null; then
            answers "the Node SDK $sdk, $mode" node node "$clients/node_$sdk.mjs" $mode
        else
            skip "the Node SDK $sdk is not here (scripts/compat installs it)"
        fi
    done
done
if "$venv" -c 'import google.genai' 2>/dev/null; then answers "google-genai" python3 "$venv" "$T/ask_genai.py"; else skip "google-genai is not here"; fi
if command -v node >/dev/null; then answers "Node's fetch" node node "$T/fetch.mjs"; else skip "no node"; fi
settled any

# ---- the way to a provider ----
is "a path of the provider's own" "$(ask /openai/v1/models -H "$key")" 200
is "is recorded as the provider's" "$(last_event '["host"]+d["events"][0]["path"]')" api.openai.com/v1/models
has "and why says how it came" "$(why_last)" "by base URL"
is "by the host's name" "$(ask /generativelanguage.googleapis.com/v1beta/models -H 'x-goog-api-key: kt_cg_any')" 200
is "localhost is a name of it" "$(ask /openai/v1/models -H "$key" -H "Host: LocalHost:$PORT")" 200
is "?key= is a key" "$(ask '/google/v1beta/models?key=kt_cg_any')" 200
for path in / /nobody/v1/models /v1/models /OPENAI/v1/models /%6fpenai/v1/models //openai/v1/models; do
    is "404: $path" "$(ask $path -H "$key")" 404
done
has "names those that are known" "$(cat "$T/body")" "openai, anthropic, google, groq"
is "dots lead nowhere" "$(ask /openai/../anthropic/v1/models -H "$key")" 400
is "a wallet that cannot pay: as on the other port" "$(ask /openai/v1/chat/completions -H 'authorization: Bearer kt_cg_short' -d "$(openai_body gpt-5.4-nano)") $(error_code)" "429 project_spend_limit_exceeded"

# ---- a key of a group, and no other ----
standin /_reset -X POST >/dev/null
chat=/openai/v1/chat/completions
for field in 'x-nothing: x' 'authorization: Bearer sk-own-key' 'x-api-key: sk-own-key' 'authorization: kt_cg_any' 'authorization: Bearer kt_cg_' 'authorization: Bearer kt_cg_any2'; do
    is "401: $field" "$(ask $chat -H "$field" -d "$(openai_body gpt-5.4-nano)") $(error_code)" "401 invalid_api_key"
done
is "Anthropic's shape" "$(ask /anthropic/v1/messages -H 'x-api-key: sk-own-key' -d "$(anthropic_body)") $(json 'd["type"]+" "+d["error"]["type"]' <"$T/body")" "401 error authentication_error"
is "Gemini's shape" "$(ask '/google/v1beta/models?key=own') $(json 'd["error"]["status"]' <"$T/body")" "401 UNAUTHENTICATED"
is "nothing of it reached the provider" "$(standin /_bill | json 'len(d)')" 0

# ---- browsers ----
browser() { # NAME CURL OPTIONS…
    local name=$1
    shift
    is "browser: $name" "$(ask $chat -H "$key" "$@") $(json 'd["error"]["code"]' <"$T/body" 2>/dev/null)" "403 browser_refused"
    if grep -qi '^access-control' "$T/head"; then not_ok "no field of CORS: $name"; else ok "no field of CORS: $name"; fi
    has "and closed: $name" "$(tr A-Z a-z <"$T/head")" "connection: close"
}
body=$(openai_body gpt-5.4-nano)
browser "a page's fetch" -d "$body" -H 'Origin: http://evil.example' -H 'Sec-Fetch-Site: cross-site' -H 'Sec-Fetch-Mode: cors'
browser "Origin" -d "$body" -H 'Origin: http://evil.example'
browser "Origin: null" -d "$body" -H 'Origin: null'
browser "its own origin" -d "$body" -H "Origin: http://127.0.0.1:$PORT"
browser "Referer" -H 'Referer: http://evil.example/'
for field in 'Site: none' 'Site: same-origin' 'Dest: image' 'User: ?1' 'Mode: no-cors' 'Mode: navigate'; do
    browser "Sec-Fetch-$field" -H "Sec-Fetch-$field"
done
browser "client hints" -H 'Sec-CH-UA: "Chromium"'
browser "preflight" -X OPTIONS -H 'Access-Control-Request-Method: POST'
browser "bare OPTIONS" -X OPTIONS
browser "private network access" -H 'Access-Control-Request-Private-Network: true'
browser "DNS rebinding" -d "$body" -H "Host: evil.example:$PORT"
browser "a name without port" -H 'Host: 127.0.0.1'
browser "another port" -H 'Host: 127.0.0.1:80'
browser "another address" -H "Host: 127.0.0.2:$PORT"
browser "the provider's name" -H 'Host: api.openai.com'
is "a browser's body is not waited for" "$(ask $chat -H "$key" -H 'Origin: http://evil.example' -H 'content-length: 1000000' -X POST -m 5)" 403
is "WebSocket: 426" "$(ask /openai/v1/responses -H "$key" --http1.1 -H 'connection: upgrade' -H 'upgrade: websocket' -H 'sec-websocket-version: 13' -H 'sec-websocket-key: aaaaaaaaaaaaaaaaaaaaaa==')" 426
is "nothing of it reached the provider" "$(standin /_bill | json 'len(d)')" 0

# ---- the transport: as on the TLS port (scenario 80 has what is malformed) ----
cat >"$T/raw.py" <<'P'
import json, socket, sys, time
port, failures = int(sys.argv[1]), 0
def check(name, good, got=""):
    global failures
    failures += not good
    print(f"{'ok' if good else 'not ok'} {name}{'' if good else ': ' + str(got)[-300:]}")
def connect():
    s = socket.create_connection(("127.0.0.1", port), 10)
    s.settimeout(20)
    return s
def head(body, extra="", path="/openai/v1/chat/completions"):
    return (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nauthorization: Bearer kt_cg_any\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n{extra}\r\n").encode()
def body(text, **more): return json.dumps({"model": "gpt-5.4-nano", "messages": [{"role": "user", "content": text}], **more}).encode()
def read_all(s, pause=0, piece=65536):
    got = b""
    while chunk := s.recv(piece):
        got += chunk
        if pause: time.sleep(pause)
    return got
def dechunk(answer):
    at, pieces = answer.index(b"\r\n\r\n") + 4, []
    while size := int(answer[at:(end := answer.index(b"\r\n", at))], 16):
        pieces.append(answer[end + 2:end + 2 + size])
        at = end + 2 + size + 2
    return b"".join(pieces)
small = body("hello")
s = connect(); s.sendall(head(small) + small + head(small, "connection: close\r\n") + small)
got = read_all(s)
check("two requests at once are answered in turn", got.count(b"HTTP/1.1 200") == 2 and got.count(b'"chat.completion"') == 2, got)
s = connect(); answers = 0
for i in range(3):
    s.sendall(head(small, "connection: close\r\n" if i == 2 else "") + small)
    if i < 2:
        got = b""
        while got.count(b'"usage"') == 0: got += s.recv(65536)
        answers += 1
answers += read_all(s).count(b"HTTP/1.1 200")
check("a connection is kept", answers == 3, answers)
s = connect(); data = head(small, "connection: close\r\n") + small
for byte in data: s.send(bytes([byte]))
check("byte by byte", read_all(s).startswith(b"HTTP/1.1 200"))
s = connect(); s.sendall(head(small, "expect: 100-continue\r\nconnection: close\r\n"))
first = s.recv(1000); s.sendall(small); got = read_all(s)
check("Expect: 100-continue", first == b"HTTP/1.1 100 Continue\r\n\r\n" and got.startswith(b"HTTP/1.1 200"), first)
s = connect(); s.sendall(head(small, "expect: 100-continue\r\norigin: x\r\n")); first = s.recv(1000)
check("no leave for a browser to send its body", first.startswith(b"HTTP/1.1 403"), first)
check("a body of 6 MiB", got.startswith(b"HTTP/1.1 200"), got[:200])
s = connect(); ask = body("[[tokens=40000]]", stream=True); s.sendall(head(ask, "connection: close\r\n") + ask)
stream = dechunk(read_all(s, 0.001, 20000))
check("a long stream to a slow reader", stream.endswith(b"data: [DONE]\n\n") and len(stream) > 5 << 20, (len(stream), stream[-80:]))
s = connect(); ask = body("hello"); s.sendall(head(ask) + ask); s.shutdown(socket.SHUT_WR)
check("half-closed: the answer still comes", read_all(s).startswith(b"HTTP/1.1 200"))
s = connect(); s.sendall(b"POST /openai/v1/chat"); got = read_all(s)
check("half a head: 408", got.startswith(b"HTTP/1.1 408"), got)
s = connect(); got = read_all(s)
check("nothing at all: closed silently", got == b"", got)
sys.exit(failures > 0)
P
# Short for those who say nothing; nobody else here need be quick.
head_timeout() { sed -i "s/head_timeout_ms: [0-9]*/head_timeout_ms: $1/" "$T/policy-config.dev.yaml" && "$TOLLGATE" reload >/dev/null 2>&1 || not_ok "the policy is in force"; }
head_timeout 2000
/usr/bin/python3 "$T/raw.py" "$PORT" >"$T/raw.out" 2>"$T/raw.err" || grep -q '^not ok' "$T/raw.out" || not_ok "raw.py came to its end" "$(tail -3 "$T/raw.err")"
FAILURES=$((FAILURES + $(grep -c '^not ok' "$T/raw.out")))
cat "$T/raw.out"
head_timeout 60000
head -c 40000000 /dev/zero >"$T/large"
is "a body above the limit: 413" "$(ask $chat -H "$key" --data-binary "@$T/large" -H 'Expect:')" 413
head -c 6000000 /dev/zero >"$T/large"
is "one of 6 MB, as curl sends it" "$(ask /openai/v1/files -H "$key" -F purpose=user_data -F "file=@$T/large" -H 'Expect: 100-continue') $(json 'd["bytes"]' <"$T/body")" "200 6000000"
settled any

# ---- under run: the variables, and one charge ----
GROUP=any
urls() { sed -n 's/^\([A-Z_]*_\(BASE_URL\|API_BASE\)\)=/\1=/p' | sort | tr '\n' ' '; }
wanted="ANTHROPIC_BASE_URL=http://127.0.0.1:$PORT/anthropic GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:$PORT/google GROQ_BASE_URL=http://127.0.0.1:$PORT/groq OPENAI_API_BASE=http://127.0.0.1:$PORT/openai/v1 OPENAI_BASE_URL=http://127.0.0.1:$PORT/openai/v1 "
is "run sets none by itself" "$(governed env | urls)" ""
is "run --base-url sets them" "$("$TOLLGATE" run --base-url -- env | urls)" "$wanted"
is "run within it keeps them" "$("$TOLLGATE" run --base-url -- "$TOLLGATE" run -- env | urls)" "$wanted"
kept=$(OPENAI_BASE_URL=http://127.0.0.1:9999/v1 "$TOLLGATE" run --base-url -- env 2>"$T/err" | urls)
has "a value of the user's stays" "$kept" "OPENAI_BASE_URL=http://127.0.0.1:9999/v1 "
has "and is said" "$(cat "$T/err")" "OPENAI_BASE_URL is set already and stays"
standin /_reset -X POST >/dev/null
before=$(event_count) spent=$(money any | cut -d' ' -f3)
note_events
"$TOLLGATE" run --base-url -- sh -c 'curl -sS -m 20 "$OPENAI_BASE_URL/chat/completions" -H "authorization: Bearer $OPENAI_API_KEY" -d "$0"' "$body" >"$T/out"
settled any
is "a call under run: one event" "$(($(event_count) - before))" 1
is "asked once" "$(standin /_bill | json 'len(d)')" 1
is "and charged once" "$(python3 -c "print(round(($(money any | cut -d' ' -f3) - $spent) * 1e9) == round($(last_event '["charge"]') * 1e9))")" True
(
    export ASAN_OPTIONS=verify_asan_link_order=0 # a sanitized tollgate, too, starts behind the preload library
    export https_proxy=http://127.0.0.1:9 NO_PROXY=corp.example
    env | sort >"$T/env.before"
    eval "$("$TOLLGATE" env --shell bash --base-url)"
    echo "$NO_PROXY" >"$T/no-proxy"
    env | urls >"$T/env.urls"
    eval "$("$TOLLGATE" env --shell bash --base-url)"
    echo "$NO_PROXY" >>"$T/no-proxy"
    eval "$("$TOLLGATE" env --shell bash --off)"
    env | sort | grep -v '^no_proxy=corp.example$' >"$T/env.after"
)
is "env --base-url sets them" "$(cat "$T/env.urls")" "$wanted"
has "they go through no proxy" "$(head -1 "$T/no-proxy")" "corp.example,127.0.0.1,api"
is "twice is once" "$(uniq "$T/no-proxy" | wc -l)" 1
is "env --off leaves nothing" "$(diff "$T/env.before" "$T/env.after")" ""

# ---- whose: a preloaded program says it before it connects, a static one is found by /proc ----
cat >"$T/post.c" <<'C'
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv) /* PORT KEY BODY: prints the answer's status */
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr = {htonl(0x7f000001)}};
    char status[14] = "", head[1000];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int length = snprintf(head, sizeof head, "POST /openai/v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:%s\r\n"
        "authorization: Bearer %s\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s", argv[1], argv[2],
        strlen(argv[3]), argv[3]);
    if (argc != 4 || connect(fd, (void *)&to, sizeof to) || write(fd, head, length) != length || read(fd, status, 12) < 12)
        return 1;
    return puts(status + 9) < 0;
}
C
gcc -o "$T/post" "$T/post.c" && gcc -static -o "$T/post.static" "$T/post.c" || not_ok "the clients are built"
posts() { # PROJECT PROGRAM [ENGINE]: the status
    note_events
    "$TOLLGATE" run ${3:+--engine "$3"} --group any --project "$1" --base-url -- "$T/$2" "$PORT" kt_cg_any "$(openai_body gpt-5.4-nano)"
}
echo 'budgets: [{id: p5, scope: {project: p5}, amount: 0, hard: true}]' >>"$T/policy-config.dev.yaml"
check "reload" "$TOLLGATE" reload
for program in post "post supervise" post.static; do
    name=${program% *} engine=${program#"${program% *}"}
    is "$program: a call of a project" "$(posts p4 $name $engine)" 200
    is "$program: is the project's" "$(last_event '["project"]') $(last_event '["executable"]')" "p4 $T/$name"
    is "$program: a hard budget of the project holds" "$(posts p5 $name $engine)" 429
    is "$program: and says whose call it was" "$(last_event '["project"]')" p5
done
settled any

# ---- other users ----
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    stranger() { setpriv --reuid=65534 --regid=65534 --clear-groups curl -sS -m 10 -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT/openai/v1/models" "$@" 2>&1; }
    has "another user is closed without a byte" "$(stranger -H "$key")" 000
    check "the agent says so" wait_for 5 grep -q 'uid 65534' "$T/s/tollgate/dev/agent.log"
    sed -i 's/^access: .*/access: {uids: [65534]}/' "$T/policy-config.dev.yaml"
    check "reload" "$TOLLGATE" reload
    is "unless the policy admits him" "$(stranger -H "$key")" 200
    is "with a key that is bound to others: 403" "$(stranger -H 'authorization: Bearer kt_cg_mine')" 403
    is "which its user may use" "$(ask /openai/v1/models -H 'authorization: Bearer kt_cg_mine')" 200
else
    skip "not root: the second user's part needs setpriv"
fi

# ---- the port stays ----
log=$T/s/tollgate/dev/agent.log
kill -9 "$("$TOLLGATE" status --json | json 'd["pid"]')"
wait_for 10 sh -c "! '$TOLLGATE' status >/dev/null 2>&1"
is "agent down: refused" "$(ask /openai/v1/models -H "$key" 2>/dev/null)" 000
agent
is "the port is the same after a kill" "$(base_port)" "$PORT"
is "and answers" "$(ask /openai/v1/models -H "$key")" 200
"$TOLLGATE" stop >/dev/null
python3 -c 'import socket,sys,time; s=socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); print(1, flush=True); time.sleep(600)' "$PORT" >"$T/thief" &
thief=$!
wait_for 10 test -s "$T/thief"
agent
if [ "$(base_port)" != "$PORT" ] && [ "$(base_port)" != 0 ]; then ok "taken by another: a new one"; else not_ok "taken by another: a new one" "$(base_port)"; fi
is "which is kept" "$(cat "$T/s/tollgate/dev/base-url-port")" "$(base_port)"
"$TOLLGATE" stop >/dev/null
sed -i "s/^capture: .*/capture: {base_urls: true, base_url_port: $PORT}/" "$T/policy-config.dev.yaml"
"$TOLLGATE" start --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml" >"$T/out" 2>&1
is "the policy's port, taken: no start" "$(($? != 0))" 1
has "and it is said which" "$(cat "$T/out" "$log")" "capture.base_url_port $PORT: Address already in use"
kill "$thief"
wait "$thief" 2>/dev/null
agent
is "the policy's port" "$(base_port)" "$PORT"
sed -i "s/^capture: .*/capture: {base_url_port: $PORT}/" "$T/policy-config.dev.yaml"
has "a port without base_urls is warned of" "$("$TOLLGATE" check "$T/policy-config.dev.yaml" 2>&1)" '"base_url_port" without "base_urls" opens no port'
lacks "no key in the agent's files" "$(grep -rlE 'sk-own-key|sk-test|test-gemini' "$T/s" "$T/r")" /
stop_agent

# ---- prod ----
ENVIRONMENT=prod GROUP=
mkdir -m 700 "$T/ps"
mkdir -m 755 "$T/pr"
policy <<'Y'
capture: {base_urls: true}
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
consumer_groups:
  - {name: any, api_key: kt_cg_any, wallet_team_id: any, default: true}
wallets: [{id: any, credit: "1"}]
Y
agent
PORT=$(base_port)
is "prod: answered" "$(ask $chat -H "$key" -d "$body")" 200
is "prod: no default group" "$(ask $chat -d "$body")" 401
is "prod: a model that is no target is refused" "$(ask $chat -H "$key" -d "$(openai_body gpt-5.4)")" 403
is "prod: browsers" "$(ask $chat -H "$key" -H 'Origin: x' -d "$body")" 403
is "prod: run --base-url" "$("$TOLLGATE" run --env prod --base-url -- printenv OPENAI_BASE_URL)" "http://127.0.0.1:$PORT/openai/v1"
wait_for 10 is_at_rest any # a browser has no event
stop_agent
done_playing
