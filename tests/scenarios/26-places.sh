#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How many connections one user may have open at once (limits.connections_per_uid_max), the agent's own user included.
. "$(dirname "$0")/lib.sh"
play "places of one user"
provider
policy <<P
$(sed '/^cache:/,/^[^ ]/s/enabled: true/enabled: false/' "$ROOT/policies/policy-config.dev.yaml")
limits: {connections_per_uid_max: 8}
P
agent
port=$("$TOLLGATE" status --json | json 'd["port"]')
address=$(governed getent ahostsv4 api.openai.com | awk 'NR == 1 { print $1 }')
cat >"$T/knock.py" <<'P'
import socket, sys
address, port = sys.argv[1], int(sys.argv[2])


def is_open(connection, seconds):
    """Closed without a byte, or held for so long in silence. Who must be closed is waited for."""
    connection.settimeout(seconds)
    try:
        return connection.recv(1) != b""
    except TimeoutError:
        return True
    except ConnectionError:
        return False


def knock():
    return socket.create_connection((address, port), 10)


held = [knock() for _ in range(8)]
print("held", sum(is_open(connection, 0.3) for connection in held))
print("further", sum(is_open(knock(), 20) for _ in range(3)))
held.pop().close()
for _ in range(100):
    another = knock()
    is_free = is_open(another, 3)
    if is_free:
        break
print("after one has left", is_free)
print("and no more", is_open(knock(), 20))
P
is "a user has so many places and no more" "$(/usr/bin/python3 "$T/knock.py" "$address" "$port" | tr '\n' ' ')" \
    "held 8 further 0 after one has left True and no more False "
log=$T/s/tollgate/dev/agent.log
check "the log says so" grep -q "uid $(id -u) has the 8 connections of limits.connections_per_uid_max (1 refused" "$log"
is "once a minute" "$(grep -c connections_per_uid_max "$log")" 1
has "they are free again when he has gone" "$(openai "$(openai_body)")" '"chat.completion"'
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    policy <<P
$(sed '/^cache:/,/^[^ ]/s/enabled: true/enabled: false/' "$ROOT/policies/policy-config.dev.yaml")
limits: {connections_per_uid_max: 8}
access: {uids: [0, 65534]}
P
    "$TOLLGATE" reload >/dev/null 2>&1
    /usr/bin/python3 -c 'import socket, sys, time
held = [socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) for _ in range(8)]
open(sys.argv[3], "w").close()
time.sleep(600)' "$address" "$port" "$T/held" &
    holder=$!
    wait_for 10 test -e "$T/held"
    chmod 755 "$T" && chmod 644 "$T/knock.py"
    has "another user's are his own" "$(setpriv --reuid=65534 --regid=65534 --clear-groups /usr/bin/python3 "$T/knock.py" "$address" "$port" 2>&1 | tr '\n' ' ')" "held 8 further 0"
    kill "$holder"
    wait "$holder" 2>/dev/null
else
    skip "another user's places: not root"
fi
stop_agent
done_playing
