#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Other users, browsers and curious readers: nothing for them. Keys appear nowhere.
. "$(dirname "$0")/lib.sh"
play "what strangers get, and where keys are"
provider
agent
openai "$(openai_body gpt-5.4-mini-mini 'a prompt that stays private')" >/dev/null
openai "$(openai_body gpt-5.4-mini-mini 'another [[fault=500]]')" >/dev/null
runtime=$T/r/tollgate/dev state=$T/s/tollgate/dev
port=$("$TOLLGATE" status --json | json 'd["port"]')
pid=$("$TOLLGATE" status --json | json 'd["pid"]')

is "state and runtime are the owner's" "$(stat -c %a "$state" "$runtime" | tr '\n' ' ')" "700 700 "
is "no file is readable by others" "$(find "$state" "$runtime" -type f -perm /077)" ""
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    chmod 711 "$T" "$T/r" "$T/r/tollgate" "$runtime" # even if somebody opened the doors
    stranger() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
    address=$(governed python3 -c 'import socket; print(socket.gethostbyname("api.openai.com"))')
    got=$(stranger /usr/bin/python3 - "$address" "$port" <<'P'
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
s.settimeout(5)
try:
    s.sendall(b"\x16\x03\x01\x00\x05hello")
    print(len(s.recv(100)))
except OSError as error:
    print("0")
P
)
    is "another user's connection is closed without a byte" "$got" 0
    check "the agent says so" wait_for 5 grep -q 'uid 65534' "$state/agent.log"
    for socket in admin report identity; do
        if stranger /usr/bin/python3 -c 'import socket,sys; s=socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM if "identity" in sys.argv[1] else socket.SOCK_STREAM); s.connect(sys.argv[1])' "$runtime/$socket.sock" 2>/dev/null; then
            not_ok "another user cannot open $socket.sock"
        else
            ok "another user cannot open $socket.sock"
        fi
    done
    chmod 666 "$runtime/report.sock" # and that one, too: who is refused is told by which list
    asks() { stranger curl -sS --unix-socket "$runtime/report.sock" "$@"; }
    has "reports are for readers" "$(asks http://tollgate/v1/leaks)" '"hint":"access.readers"'
    has "what a launch needs is for members" "$(asks http://tollgate/v1/launch)" '"hint":"access.uids, access.gids"'
    has "orders are for the owner" "$(asks -X POST http://tollgate/v1/stop)" "orders are taken on admin.sock"
    chmod 600 "$runtime/report.sock"
    chmod 700 "$T" "$T/r" "$T/r/tollgate" "$runtime"
else
    skip "not root: the second user's part needs setpriv"
fi
lan=$(hostname -I 2>/dev/null | awk '{print $1}')
if [ -n "$lan" ]; then
    if timeout 5 bash -c "exec 3<>/dev/tcp/$lan/$port" 2>/dev/null; then not_ok "the LAN address refuses"; else ok "the LAN address refuses"; fi
fi
is "a browser is refused" "$(openai "$(openai_body)" -o /dev/null -w '%{http_code}' -H 'sec-fetch-site: cross-site')" 403

grep -rlE 'sk-test-openai|sk-ant-test' "$state" "$runtime" >"$T/found" 2>/dev/null
is "keys are in no file" "$(cat "$T/found")" ""
grep -rl 'stays private' "$state" "$runtime" >"$T/found" 2>/dev/null
is "prompts are in no file" "$(cat "$T/found")" ""
# Of the agent and its helpers: others on the machine may play, too.
lines=$(for one in "$pid" $(pgrep -P "$pid"); do tr '\0' ' ' <"/proc/$one/cmdline"; done)
has "command lines can be read" "$lines" tollgated
lacks "keys are in no command line" "$lines" sk-test
is "no core dump" "$(awk '/Max core/{print $5}' "/proc/$pid/limits")" 0
lacks "keys are in no event" "$(events)" sk-
has "the program holds the placeholder" "$(governed printenv OPENAI_API_KEY)" kt_cg_product_dev
lacks "not the key" "$(governed env)" sk-test

# an agent started from inside a governed shell is itself not governed
"$TOLLGATE" stop >/dev/null
GROUP=''
"$TOLLGATE" start --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml" >/dev/null
governed sh -c "'$TOLLGATE' stop >/dev/null; '$TOLLGATE' run -- true; '$TOLLGATE' status --json" >"$T/status"
inner=$(json 'd["pid"]' <"$T/status")
if [ -r "/proc/$inner/environ" ]; then
    lacks "the agent is not governed" "$(tr '\0' '\n' <"/proc/$inner/environ" | grep -E '^(LD_PRELOAD|TOLLGATE_(SHIM|GROUP))=')" =
    lacks "and takes no placeholder for a key" "$(tr '\0' '\n' <"/proc/$inner/environ")" kt_cg_
fi
has "so its targets lack their keys, and it says so" "$("$TOLLGATE" doctor --json 2>/dev/null)" openai-gpt4o-mini
stop_agent
done_playing
