#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sockets of supervised programs that do not go as they usually do, with the agent itself behind the supervisor: calls that
# are left, shut or many at once; splices that nobody holds any more; ways that do not lead to the agent.
here=$(cd "$(dirname "$0")" && pwd)
# A network of our own, where addresses are silent, late or somebody else's as the play wants it.
if [ -z "${OWN_NETWORK:-}" ]; then
    unshare -n true 2>/dev/null || { echo "skip sockets: no network namespace here"; exit 77; }
    OWN_NETWORK=1 exec unshare -n bash "$here/27-sockets.sh" "$@"
fi
. "$here/lib.sh"
play "sockets of supervised programs"
KEEPER=198.51.100.7 SLOW=198.51.100.8 SILENT=198.51.100.65 PROVIDER=203.0.113.9
KEEPER6=2001:db8::7 QUIET6=2001:db8::8 SOURCE6=2001:db8::1
LATE=(198.51.100.{20..27})
PLACES=60
servers=()
end_servers() { kill "${servers[@]}" 2>/dev/null; }
ON_END=end_servers
ip link set lo up
for address in $KEEPER $SLOW "${LATE[@]}"; do ip addr add "$address/32" dev lo; done
[ -e /proc/net/if_inet6 ] || { skip "no IPv6 here"; exit 77; }
for address in $KEEPER6 $QUIET6 $SOURCE6; do ip -6 addr add "$address/128" dev lo nodad; done
ip link add silent0 type veth peer name silent1 && ip link set silent0 up && ip link set silent1 up &&
    ip route add $SILENT/32 dev silent0 && ip neigh add $SILENT lladdr 02:00:00:00:00:01 dev silent0 nud permanent || exit 1
serve() { # NAME COMMAND…: until it says ready
    local name=$1
    shift
    "$@" >"$T/$name.out" 2>"$T/$name.err" &
    servers+=($!)
    wait_for 20 grep -q ready "$T/$name.out" || die "$name: $(cat "$T/$name.err")"
}
serve keeper python3 "$here/27-sockets.py" $KEEPER $SLOW $KEEPER6 $QUIET6
serve late python3 "$ROOT/tests/clients/other_servers.py" 127.0.0.1 "$(IFS=,; echo "${LATE[*]}")" "$T/late"
gcc -D_GNU_SOURCE -O1 -static -pthread -o "$T/sockets" "$ROOT/tests/clients/sockets.c" || exit 1
provider
policy <<P
$(sed '/^cache:/,/^[^ ]/s/enabled: true/enabled: false/' "$ROOT/policies/policy-config.dev.yaml")
capture: {addresses: ["$PROVIDER"], refresh_seconds: 0}
limits: {connections_per_uid_max: $PLACES}
P
agent
supervised() { timeout 60 "$TOLLGATE" run -- "$T/sockets" "$@" 2>&1; }
# late N ORDER: the address that answers, as ORDER says, half a second after it was called: whenever that is.
late() {
    local address=${LATE[$1]} number
    # shellcheck disable=SC2046 # four numbers
    number=$(printf '%02X' $(tr . '\n' <<<"$address" | tac))
    (wait_for 60 grep -q " $number:01BB 02 " /proc/net/tcp && echo "$2" >"$T/late.$address") & # SYN_SENT
}

check_left() {
    late 0 accept
    is "a signal ends the call, not the connection: poll waits for its outcome" "$(supervised signal "${LATE[0]}")" \
        "Interrupted system call, poll 1 out, error 0, then other ${LATE[0]}"
    late 1 accept
    is "nor does a timeout of the socket" "$(supervised timeout "${LATE[1]}")" \
        "Operation now in progress, poll 1 out, error 0, then other ${LATE[1]}"
    late 2 refuse
    has "one that is refused then ends so" "$(supervised signal "${LATE[2]}")" "Connection reset by peer"
    late 3 accept
    is "the same call again is told the outcome" "$(supervised again "${LATE[3]}" 0)" \
        "Operation now in progress, again connected, once more Transport endpoint is already connected"
    late 4 refuse
    is "also a bad one, and then the socket is free" "$(supervised again "${LATE[4]}" 0)" \
        "Operation now in progress, again Connection refused, once more Connection refused"
    late 5 accept
    is "the same call after a long while" "$(supervised again "${LATE[5]}" 3)" \
        "Operation now in progress, again connected, once more Transport endpoint is already connected"
}

# A server that keeps its connections for ever keeps no places of a user whose programs have gone.
ends_are() { [ "$(grep -c . "$T/keeper.out")" = "$1" ]; }
check_orphans() {
    local before
    before=$(grep -c . "$T/keeper.out")
    is "opened and closed, more than there are places" "$(supervised many $KEEPER $((PLACES * 3)) close)" "greeted $((PLACES * 3))"
    is "half-closed, and gone" "$(supervised many $KEEPER $((PLACES - 10)) shut)" "greeted $((PLACES - 10))"
    wait_for 10 ends_are $((before + PLACES * 4 - 10))
    is "the server has heard of every end" "$(($(grep -c . "$T/keeper.out") - before))" $((PLACES * 4 - 10))
    is "and the places are free again" "$(supervised many $KEEPER $((PLACES - 10)) keep)" "greeted $((PLACES - 10))"
    is "half-closed, and held: the server sends on" "$(supervised half $SLOW)" "connected, other $SLOW, 48 bytes more"
}

check_crowd() {
    is "300 wait for a silent address: others do not" "$(SECOND=$KEEPER supervised crowd $SILENT 300)" "connected, other $KEEPER"
    has "and who is governed is" "$(SECOND=$PROVIDER supervised crowd $SILENT 300)" "connected, "
}

# Where there is no room for them, connections to nobody's addresses go as without us.
check_room() {
    local pid
    is "a supervisor without descriptors" "$(SECOND=$KEEPER DESCRIPTORS=20 supervised crowd $SILENT 20)" "connected, other $KEEPER"
    # Refused, or come to the agent while the crowd was still arriving: never passed by.
    case $(SECOND=$PROVIDER DESCRIPTORS=20 supervised crowd $SILENT 20) in
    "Connection refused, Transport endpoint is not connected" | "connected, ") ok "is closed to a provider's address" ;;
    *) not_ok "is closed to a provider's address" "it was passed by" ;;
    esac
    is "more than the user has places" "$(supervised many $KEEPER $((PLACES * 2)) keep)" "greeted $((PLACES * 2))"
    pid=$("$TOLLGATE" status --json | json 'd["pid"]')
    prlimit --pid "$pid" --nofile=$(($(find "/proc/$pid/fd" | wc -l) + 40)):
    is "more than the agent has descriptors" "$(supervised many $KEEPER $((PLACES - 5)) keep)" "greeted $((PLACES - 5))"
    prlimit --pid "$pid" --nofile=1024:
}

check_mptcp() {
    [ "$(cat /proc/sys/net/mptcp/enabled 2>/dev/null)" = 1 ] || { skip "this kernel has no MPTCP"; return; }
    is "MPTCP to nobody's address goes its way" "$(supervised mptcp $KEEPER)" "connected, other $KEEPER"
    is "and to a provider's not" "$(supervised mptcp $PROVIDER)" "Protocol not supported, Transport endpoint is not connected"
    is "nor to a governed name's" "$(supervised mptcp 127.77.0.1)" "Protocol not supported, Transport endpoint is not connected"
}

check_threads() {
    is "shut by another thread: the call ends, and the socket is free" "$(SECOND=$KEEPER supervised shut $SILENT)" \
        "Software caused connection abort, then connected"
    # A job of its own, as a shell would have it; what waitpid tells is what the shell would see.
    is "a stop does not wait for another thread's connect, and that goes on" "$(timeout 60 python3 "$here/27-sockets.py" stop "$TOLLGATE" run -- "$T/sockets" stopped $SILENT)" \
        "stopped continued"
}

check_bound() {
    is "bound to an IPv6 source: comes to the agent all the same" "$(supervised bound $KEEPER6 $SOURCE6)" \
        "connected to ::ffff:127.78.0.1, flags 1000000 1, nodelay 1, other $KEEPER6"
    has "and the server sees that source" "$(cat "$T/keeper.out")" "from $SOURCE6"
    is "so does one that does not wait" "$(supervised bound $KEEPER6 $SOURCE6 later)" \
        "Operation now in progress to ::ffff:127.78.0.1, flags 1004000 1, nodelay 1, other $KEEPER6"
    has "and refusals are told" "$(supervised bound 2001:db8::1 $SOURCE6)" "Connection refused"
    has "so that a governed name is governed" "$(timeout 60 "$TOLLGATE" run --engine supervise -- python3 "$here/27-sockets.py" call $QUIET6 $SOURCE6 2>&1)" \
        "HTTP/1.1 200"
}

for part in ${PARTS:-left orphans crowd room mptcp bound threads}; do "check_$part"; done
stop_agent
done_playing
