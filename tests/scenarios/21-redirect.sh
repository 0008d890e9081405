#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Programs that find the provider's address by themselves: hard-coded, by DNS of their own, by /etc/hosts; and what lives
# at such an address besides the provider, which must not notice us. Loopback addresses stand for the provider's.
. "$(dirname "$0")/lib.sh"
play "connections by address"
provider
cat >"$T/capture" <<'Y'
capture:
  refresh_seconds: 0
  hello_timeout_ms: 500
Y
sed '/^cache:/,/^[^ ]/s/enabled: true/enabled: false/' "$ROOT/policies/policy-config.dev.yaml" >"$T/seed"
policy < <(cat "$T/seed" "$T/capture"; echo '  addresses: [127.0.0.51, 127.0.0.52, 127.0.0.54, "::1"]')
agent
runtime=$T/r/tollgate/dev state=$T/s/tollgate/dev
PY=/usr/bin/python3
PLAY=$ROOT/tests/scenarios/21-redirect.py
python() { governed "$PY" "$PLAY" "$@"; }
program() { last_event '["executable"].split("/")[-1]'; }
SERVERS=
stop_servers() { [ -z "$SERVERS" ] || kill $SERVERS 2>/dev/null; }
ON_END=stop_servers

# ---- governed ----
for address in 127.0.0.51 '[::1]'; do
    [ "$address" = 127.0.0.51 ] || grep -q . /proc/net/if_inet6 2>/dev/null || { echo "skip IPv6: this machine has none"; continue; }
    answer=$(openai "$(openai_body)" --resolve "api.openai.com:443:$address" -w '\n%{remote_ip} %{remote_port}')
    has "curl --resolve to $address is governed" "$answer" '"chat.completion"'
    is "and sees the address it asked for" "$(tail -1 <<<"$answer" | tr -d '[]')" "$(tr -d '[]' <<<"$address") 443"
    is "the call is the program's" "$(program)" curl
    answer=$(openai "$(openai_body)" --connect-to "::$address:443")
    has "curl --connect-to $address is governed" "$answer" '"chat.completion"'
done
settled
before=$(money | cut -d' ' -f3)
note_events
is "a hard-coded address with the provider's name is governed" "$(python call 127.0.0.51)" answered
is "the call is python's" "$(program | cut -c1-6)" python
settled
is "and its wallet has paid" "$(python3 -c "print($(money | cut -d' ' -f3) > $before)")" True
is "in the group of its key" "$(last_event '["group"]+" "+d["events"][0]["group_source"]')" "product-dev key"
if CARES=${CARES_PYTHON:-python3} && "$CARES" -c 'import pycares' 2>/dev/null; then
    has "c-ares finds the governed address in /etc/hosts" "$(governed "$CARES" "$PLAY" cares)" 127.77.
else
    echo "skip c-ares: no pycares (CARES_PYTHON names a Python that has it)"
fi
lacks "others than resolvers read /etc/hosts as it is" "$(governed "$PY" -c 'print(open("/etc/hosts").read())')" 127.77.
lacks "the file itself has not" "$(cat /etc/hosts)" 127.77.

# ---- announced by a supervisor ----
note_events
is "an announced connection is governed" "$(ungoverned "$PY" "$PLAY" announced "$runtime" 192.0.2.9 kt_cg_product_dev api.openai.com)" answered
is "the call is the announced program's" "$(program | cut -c1-6)" python
is "as is its directory" "$(last_event '["directory"]')" "$PWD"
is "and its project" "$(last_event '["project"]')" thesis
sleeper=$(sleep 60 >/dev/null 2>&1 & echo $!)
note_events
ungoverned "$PY" "$PLAY" announced "$runtime" 192.0.2.9 kt_cg_product_dev api.openai.com "$sleeper" >/dev/null
is "nobody announces for others" "$(program | cut -c1-6)" python
kill "$sleeper"

# ---- passed on ----
if [ "$(id -u)" = 0 ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$T/other.key" -out "$T/other.pem" -days 2 \
        -subj /CN=other.test -addext subjectAltName=DNS:other.test 2>/dev/null
    "$PY" "$PLAY" tls_server 127.0.0.51 "$T/other.pem" "$T/other.key" "$T/ready-tls" &
    SERVERS=$!
    "$PY" "$PLAY" plain_server 127.0.0.52 "$T/ready-plain" &
    SERVERS="$SERVERS $!"
    "$PY" "$PLAY" quiet_server 127.0.0.54 "$T/ready-quiet" &
    SERVERS="$SERVERS $!"
    wait_for 10 test -e "$T/ready-tls" -a -e "$T/ready-plain" -a -e "$T/ready-quiet"
    note_events
    # What is passed on at a provider's address is said, but is no call.
    call_count() { "$TOLLGATE" events --limit 1000 --json | json 'sum(e.get("kind") != "ungoverned" for e in d["events"])'; }
    calls=$(call_count)
    is "another server at the address: its own certificate, 10 MiB both ways" "$(python ask_tls 127.0.0.51 "$T/other.pem")" intact
    is "a server that speaks first, 10 MiB both ways, half-closed" "$(python ask_plain 127.0.0.52)" "220 welcome intact 127.0.0.52 443"
    has "a client sees the other server's certificate" "$(governed timeout 60 openssl s_client -connect 127.0.0.51:443 -servername other.test </dev/null 2>&1 | tr -d ' ')" \
        "subject=CN=other.test"
    is "garbage is the server's to answer" "$(python garbage 127.0.0.51)" over
    is "an announced connection to another server is passed on" "$(ungoverned "$PY" "$PLAY" announced "$runtime" 127.0.0.52 '' none)" "220 welcome"
    is "bytes that come late reach their server" "$(LATE=1 python ask_quiet 127.0.0.54)" heard
    is "none of it is a call" "$(call_count)" "$calls"
    is "the provider's name, late, is governed" "$(LATE=1 python call 127.0.0.51)" answered
    is "as it is on an announced connection" \
        "$(LATE=1 ungoverned "$PY" "$PLAY" announced "$runtime" 127.0.0.51 kt_cg_product_dev api.openai.com)" answered
    has "the provider's name at the same address is still governed" "$(python call 127.0.0.51)" answered

    # ---- over a socket that its supervisor had connected ----
    is "passed on over the supervisor's own connection" "$(ungoverned "$PY" "$PLAY" announced "$runtime" 127.0.0.52 '' none 0 reached)" "220 welcome"
    is "the provider's name is governed there, too" \
        "$(ungoverned "$PY" "$PLAY" announced "$runtime" 127.0.0.51 kt_cg_product_dev api.openai.com 0 reached)" answered
    is "as it is when it comes late" \
        "$(LATE=1 ungoverned "$PY" "$PLAY" announced "$runtime" 127.0.0.51 kt_cg_product_dev api.openai.com 0 reached)" answered
    for what in file unconnected elsewhere; do
        is "a forged announcement: $what" "$(ELSEWHERE=127.0.0.51 ungoverned "$PY" "$PLAY" forged "$runtime" 127.0.0.52 $what)" "Protocol error"
    done
    is "none at all, in dev" "$(ungoverned "$PY" "$PLAY" forged "$runtime" 192.0.2.9 none)" believed
    agent_pid=$("$TOLLGATE" status --json | json 'd["pid"]')
    count_fds() { ls "/proc/$agent_pid/fd" | wc -l; }
    few_fds() { [ "$(count_fds)" -le "$1" ]; }
    fds=$(count_fds)
    is "500 connects, each with its socket" "$(ungoverned "$PY" "$PLAY" announced_often "$runtime" 127.0.0.52 500)" 500
    check "leave the agent no descriptors" wait_for 10 few_fds $((fds + 5))

    # ---- a stop waits for what is passed on ----
    mkfifo "$T/say"
    python converse 127.0.0.52 <"$T/say" >"$T/heard" &
    talker=$!
    exec 7>"$T/say"
    check "a connection is passed on" wait_for 10 grep -q welcome "$T/heard"
    "$TOLLGATE" stop >/dev/null 7>&- &
    stopper=$!
    check "the agent is stopping" wait_for 5 sh -c '! "$0" status >/dev/null 2>&1' "$TOLLGATE"
    echo goes on >&7
    exec 7>&-
    wait "$talker"
    is "which goes on until its own end" "$(tail -1 "$T/heard")" "intact"
    wait "$stopper"
    "$TOLLGATE" start --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml" >/dev/null
    stop_servers
    SERVERS=
else
    echo "skip servers on port 443: not root"
fi
status=0
governed curl -sS -m 10 --resolve other.test:443:127.0.0.51 https://other.test/ >/dev/null 2>&1 || status=$?
check "nobody at the address: the program's own failure" test "$status" -ne 0

# ---- strangers ----
port=$("$TOLLGATE" status --json | json 'd["port"]')
stand_in=127.78.0.$(sed -n 's/^127.0.0.51 \([0-9]*\) .*/\1/p' "$state/redirects")
probe='import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
s.settimeout(5)
try:
    print(len(s.recv(100)))
except OSError as error:
    print("0" if isinstance(error, ConnectionError) else error)'
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    is "another user's connection is closed without a byte" \
        "$(setpriv --reuid=65534 --regid=65534 --clear-groups "$PY" -c "$probe" "$stand_in" "$port")" 0
    check "the agent says so" wait_for 5 grep -q 'uid 65534' "$state/agent.log"
else
    echo "skip another user: not root"
fi
is "a stand-in of nothing is closed without a byte" "$("$PY" -c "$probe" 127.78.200.200 "$port")" 0
is "so is the one for announced connections, unannounced" "$("$PY" -c "$probe" 127.78.0.1 "$port")" 0

# ---- the set changes ----
cp "$state/redirects" "$T/redirects.before"
policy < <(cat "$T/seed" "$T/capture"; echo '  addresses: [127.0.0.53, 127.0.0.51]')
"$TOLLGATE" reload >/dev/null
check "a reload brings new addresses" wait_for 10 grep -q '^127.0.0.53 ' "$state/redirects"
is "for programs that start from now on" "$(wait_for 10 sh -c '[ "$("$0" run -- "$1" "$2" call 127.0.0.53 2>/dev/null)" = answered ]' "$TOLLGATE" "$PY" "$PLAY" && echo governed)" governed
"$TOLLGATE" stop >/dev/null
"$TOLLGATE" start --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml" >/dev/null
is "stand-ins outlive a restart" "$(cut -d' ' -f1,2 "$state/redirects" | grep -Fxc -f <(cut -d' ' -f1,2 "$T/redirects.before"))" 4
note_events
is "and the address is governed as before" "$(python call 127.0.0.51)" answered
governed sh -c ': >"$0/waiting"; until [ -e "$0/stopped" ]; do :; done; curl -sS -m 10 --resolve api.openai.com:443:127.0.0.51 https://api.openai.com/; echo $? >"$0/refused"' "$T" 2>/dev/null &
waiting=$!
wait_for 10 test -e "$T/waiting" # by then `run` has its agent, and starts no other
stop_agent
touch "$T/stopped"
wait "$waiting"
is "agent stopped: refused" "$(cat "$T/refused")" 7
done_playing
