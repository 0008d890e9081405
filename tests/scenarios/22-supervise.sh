#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Static and Go programs: the supervisor alone, with a hand-made runtime directory and a stand-in for the agent's
# redirect.sock (tests/clients/redirect_agent.py), then exec hooks, trees, life and death. BUILD names the build directory.
# One line per check: "ok NAME", "not ok NAME: why" or "skip NAME: why". Exit 0 all passed, 1 some failed, 77 not possible.
set -u
cd "$(dirname "$0")/../.." || exit 77
# A network of our own, where addresses refuse, are silent or cannot be reached as the play wants it.
if [ -z "${OWN_NETWORK:-}" ] && unshare -n ip link set lo up 2>/dev/null; then
    OWN_NETWORK=1 exec unshare -n bash tests/scenarios/22-supervise.sh "$@"
fi
. scripts/lib.sh
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
make -s BUILD="$BUILD" "$BUILD/tollgate" "$BUILD/tests/clients/shim_map" || exit 1
# The shim is never sanitized, the launcher may be.
SHIM=$BUILD/libtollgate.so LAUNCHER=$BUILD/tollgate MAP=$BUILD/tests/clients/shim_map
make -s BUILD="$BUILD" "$SHIM" || exit 1
umask 022
DIR=$(mktemp -d /tmp/tg.XXXXXX)
RUN=$DIR/runtime
mkdir -m 0700 "$RUN"
failed=0 AGENT=
finish() {
    [ -n "$AGENT" ] && kill "$AGENT" 2>/dev/null && wait "$AGENT" 2>/dev/null
    [ -n "$OTHERS" ] && kill "$OTHERS" 2>/dev/null && wait "$OTHERS" 2>/dev/null
    rm -rf "$DIR"
}
trap finish EXIT
pass() { echo "ok $1"; }
fail() { failed=1; echo "not ok $1: $(echo "$2" | tr '\n' '|' | cut -c1-400)"; }
skip() { echo "skip $1: $2"; }
have() { command -v "$1" >/dev/null 2>&1; }
is() { if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "got '$2', wanted '$3'"; fi; }
has() { case $2 in *"$3"*) pass "$1" ;; *) fail "$1" "no '$3' in '$2'" ;; esac; }
FAMILY=("LD_PRELOAD=$SHIM" "TOLLGATE_SHIM=$SHIM" "TOLLGATE_LAUNCHER=$LAUNCHER" "TOLLGATE_RUNTIME=$RUN" TOLLGATE_ENV=dev TOLLGATE_GROUP=research)
ASAN=()
case $BUILD in *-asan) ASAN=(ASAN_OPTIONS=verify_asan_link_order=0:disable_coredump=0) ;; esac
# governed COMMAND…: as a dynamic program that carries the shim would start it. supervised PROGRAM…: through its exec hook.
governed() { timeout 60 env -i PATH="$PATH" HOME="$DIR" "${FAMILY[@]}" "${ASAN[@]}" sh -c 'exec "$@"' sh "$@"; }
supervised() { governed "$@" 2>&1; }
# Becomes the program: for jobs whose process id matters.
become() { exec env -i PATH="$PATH" HOME="$DIR" "${FAMILY[@]}" "${ASAN[@]}" sh -c 'exec "$@"' sh "$@"; }
PORT=$(free_port)
PROVIDER=203.0.113.9 PROVIDER6=2001:db8::9 # documentation addresses: nobody is there
OTHER=198.51.100.7 OTHER6=2001:db8::77     # a server, "other ADDRESS"
REFUSED=198.51.100.8 REFUSED6=2001:db8::78 SILENT6=2001:db8:1::65 UNREACHABLE=198.51.100.9 SILENT=198.51.100.65
LATE=198.51.100.10 LATE_TOO=198.51.100.11 LATE_REFUSED=198.51.100.12 LATE_LAST=198.51.100.13 # silent until they are told
OTHERS=
make_network() {
    ip link set lo up && ip addr add $OTHER/32 dev lo && ip addr add $REFUSED/32 dev lo && ip addr add $LATE_REFUSED/32 dev lo &&
        ip addr add $LATE/32 dev lo && ip addr add $LATE_TOO/32 dev lo && ip addr add $LATE_LAST/32 dev lo && ip route add unreachable $UNREACHABLE && ip link add silent0 type veth peer name silent1 &&
        ip link set silent0 up && ip link set silent1 up && ip route add $SILENT/32 dev silent0 &&
        ip neigh add $SILENT lladdr 02:00:00:00:00:01 dev silent0 nud permanent || return
    ip -6 addr add 2001:db8:1::1/64 dev silent0 nodad && ip -6 neigh add $SILENT6 lladdr 02:00:00:00:00:01 dev silent0 nud permanent
    ip -6 addr add $OTHER6/128 dev lo nodad && ip -6 addr add $REFUSED6/128 dev lo nodad
    python3 tests/clients/other_servers.py $OTHER,$OTHER6 $LATE,$LATE_TOO,$LATE_REFUSED,$LATE_LAST "$DIR/late" >"$DIR/others.out" 2>"$DIR/others.err" &
    OTHERS=$!
    wait_for 10 grep -q ready "$DIR/others.out" || { cat "$DIR/others.err"; exit 1; }
}
write_map() {
    "$MAP" "$RUN/map.new" -p "443:$PORT" -r ::ffff:$PROVIDER 127.78.0.9 -r $PROVIDER6 127.78.0.10 "$@" api.openai.com=127.77.0.1 &&
        mv "$RUN/map.new" "$RUN/map"
}
start_agent() {
    : >"$DIR/agent.log"
    : >"$DIR/agent.out" # here, not by the agent's redirection: the former one's word is no answer
    python3 tests/clients/redirect_agent.py "$RUN" "$PORT" "$DIR/agent.log" >>"$DIR/agent.out" 2>"$DIR/agent.err" 8>&- 9<&- &
    AGENT=$!
    wait_for 10 grep -q ready "$DIR/agent.out" || { cat "$DIR/agent.err"; exit 1; }
}
stop_agent() {
    kill "$AGENT"
    wait "$AGENT" 2>/dev/null
    AGENT=
}
build_programs() {
    PROGRAMS=()
    gcc -D_GNU_SOURCE -O1 -static -pthread -o "$DIR/static" tests/clients/supervised.c 2>"$DIR/gcc.err" || { cat "$DIR/gcc.err"; exit 1; }
    PROGRAMS+=(static)
    if have musl-gcc && musl-gcc -D_GNU_SOURCE -O1 -static -o "$DIR/musl" tests/clients/supervised.c 2>/dev/null; then
        PROGRAMS+=(musl)
    else skip "static musl program" "no musl-gcc"; fi
    if have go; then
        export GOCACHE=$DIR/gocache GOPROXY=off GOTOOLCHAIN=local GOFLAGS=-mod=mod
        CGO_ENABLED=0 go build -o "$DIR/go" tests/clients/supervised.go && PROGRAMS+=(go)
        CGO_ENABLED=1 go build -o "$DIR/cgo" tests/clients/supervised.go && PROGRAMS+=(cgo)
        rm -rf "$GOCACHE"
        is "Go builds with and without cgo" "${#PROGRAMS[@]}" "$(($(have musl-gcc && echo 2 || echo 1) + 2))"
        if [ -x "$DIR/cgo" ] && grep -q INTERP < <(readelf -l "$DIR/cgo"); then pass "the cgo program is dynamic"; else fail "the cgo program is dynamic" "$(file "$DIR/cgo")"; fi
    else skip "Go programs" "no go"; fi
    gcc -D_GNU_SOURCE -O1 -pthread -o "$DIR/dynamic" tests/clients/supervised.c
    build_forbid || exit 1
}

check_connects() {
    local program address output
    for program in "${PROGRAMS[@]}"; do
        for address in $PROVIDER $PROVIDER6 ${OTHERS:+$OTHER $OTHER6}; do
            is "$program to $address" "$(supervised "$DIR/$program" connect $address 443)" "connected: agent 127.78.0.1"
        done
        is "$program to an address of the map" "$(supervised "$DIR/$program" connect 127.77.0.1 443)" "connected: agent 127.77.0.1"
        has "$program to a port of it that nobody governs" "$(supervised "$DIR/$program" connect 127.77.0.1 80)" "onnection refused"
        is "$program to loopback" "$(supervised "$DIR/$program" connect 127.0.0.1 "$PORT")" "connected: agent 127.0.0.1"
        is "$program after env -i" "$(supervised sh -c "env -i '$DIR/$program' connect $PROVIDER 443")" "connected: agent 127.78.0.1"
    done
    has "the agent knows who, whose and where to" "$(cat "$DIR/agent.log")" "announced $PROVIDER6 443 static research - cookie True"
    is "every announcement is followed by its connection" "$(grep -c ^announced "$DIR/agent.log")" "$(grep -c '^accepted 127.7' "$DIR/agent.log")"
    for address in $PROVIDER $PROVIDER6; do
        is "epoll, $address" "$(supervised "$DIR/static" epoll $address 443)" \
            "first Operation now in progress, ready 1 7, error 0, keepalive 1, nonblocking 1, second Success, third Transport endpoint is already connected"
        is "QUIC falls back, $address" "$(supervised "$DIR/static" udp $address 443)" "udp: Connection refused"
        is "TCP Fast Open falls back, $address" "$(supervised "$DIR/static" fastopen $address 443 | sort -u | tr '\n' ' ')" \
            "sendmmsg: Operation not supported sendmsg: Operation not supported sendto: Operation not supported "
    done
    is "source-address probes succeed" "$(supervised "$DIR/static" udp 127.77.0.1 443)" "udp connected"
    is "a socket that speaks IPv6 only" "$(supervised "$DIR/static" only $PROVIDER6 443)" "connected: agent 127.78.0.1"
    is "and one that is bound" "$(supervised "$DIR/static" only $PROVIDER6 443 1)" "connected: agent 127.78.0.1"
    is "no way around" "$(supervised "$DIR/static" evasion $PROVIDER 443 | head -1)" \
        "io_uring Function not implemented, undumpable 0, dumpable 1, x32 Function not implemented, no_new_privs 1"
    echo 13 >"$RUN/refuse"
    is "the agent's refusal is the program's errno" "$(supervised "$DIR/static" connect $PROVIDER 443)" "connect: Permission denied"
    rm "$RUN/refuse"
}

# What is true of an address that nobody knows, the program hears, and before the agent does.
check_truth() {
    [ -n "$OTHERS" ] || { skip "addresses of anybody's" "needs a network namespace"; return; }
    local program front before
    : >"$DIR/agent.log"
    for program in "${PROGRAMS[@]}"; do
        has "$program: refused" "$(supervised "$DIR/$program" connect $REFUSED 443)" "onnection refused"
        has "$program: refused, IPv6" "$(supervised "$DIR/$program" connect $REFUSED6 443)" "onnection refused"
        has "$program: unreachable" "$(supervised "$DIR/$program" connect $UNREACHABLE 443 | sed 's/Host is unreachable/no route to host/')" "o route to host"
        has "$program: no such network" "$(supervised "$DIR/$program" connect 192.0.2.1 443 | sed 's/ is / /')" "etwork unreachable"
    done
    is "the agent heard of none" "$(cat "$DIR/agent.log")" ""
    is "one that does not wait hears it, too" "$(supervised "$DIR/static" later $REFUSED 443)" "at once: Connection refused"
    is "and is connected" "$(supervised "$DIR/static" later $OTHER 443)" "ready 1, error 0, then an answer"
    is "a connected socket is handed over" "$(grep -c "^handed $OTHER 443 connected" "$DIR/agent.log")" 1
    is "a provider's address needs none" "$(supervised "$DIR/static" connect $PROVIDER 443; grep -c "^handed $PROVIDER" "$DIR/agent.log")" \
        "connected: agent 127.78.0.1
0"
    is "silent: ended by the program's own signal" "$(supervised "$DIR/static" alarm $SILENT 443)" "connect: Interrupted system call"
    is "silent: by the socket's timeout" "$(supervised "$DIR/static" timeout $SILENT 443)" "connect: Operation now in progress"
    is "silent: by a signal from outside" "$(supervised timeout 1 "$DIR/static" connect $SILENT 443; echo $?)" 124
    with_the_agent() { [ "$(grep -c "^handed $SILENT 443 connecting" "$DIR/agent.log")" = "$1" ]; }
    wait_for 10 with_the_agent 2
    before=$(grep -c "^handed $SILENT 443 connecting" "$DIR/agent.log")
    is "those that were left are with the agent" "$before" 2
    is "silent: one that does not wait is with the agent" "$(supervised "$DIR/static" later $SILENT 443)" "ready 1, error 0, then an answer"
    is "as is our connection" "$(($(grep -c "^handed $SILENT 443 connecting" "$DIR/agent.log") - before))" 1
    become "$DIR/static" connect $SILENT 443 >"$DIR/stuck" 2>&1 &
    front=$!
    is "while one waits, others do not" "$(supervised "$DIR/static" threads $OTHER 443 8 5)" "connected 40, EINTR 0, EISCONN 0, other 0"
    is "nor do its own threads" "$(supervised "$DIR/static" beside $OTHER 443 $SILENT)" "connected 20, EINTR 0, EISCONN 0, other 0"
    kill -KILL $front
    wait $front 2>/dev/null
    is "refused after a while" "$(echo refuse >"$DIR/late.$LATE_REFUSED"; supervised "$DIR/static" connect $LATE_REFUSED 443)" "connect: Connection refused"
    is "connected after a while" "$(echo accept >"$DIR/late.$LATE"; supervised "$DIR/static" connect $LATE 443)" "connected: agent 127.78.0.1"
    is "and so with a signal each millisecond" "$(echo accept >"$DIR/late.$LATE_TOO"; supervised "$DIR/static" storm $LATE_TOO 443 1)" \
        "connected 1, EINTR 0, EISCONN 0, other 0"
    packets() { awk '$1 == "silent1:" { print $3 }' /proc/net/dev; }
    before=$(packets)
    supervised timeout 1 "$DIR/static" storm $SILENT 443 1 >/dev/null
    is "which is one call, not one for each" "$(($(packets) - before < 8))" 1
    is "from an address of its own" "$(supervised "$DIR/static" from $OTHER 443 $REFUSED)" "connected: agent 127.78.0.1"
    wait_for 10 grep -q "from $REFUSED" "$DIR/others.out" # it writes after it has answered
    has "that the server sees" "$(cat "$DIR/others.out")" "from $REFUSED"
    is "bound to a device: goes its own way" "$(supervised "$DIR/static" device $OTHER 443 lo)" "connected: other $OTHER"
    is "in another network namespace, too" "$(supervised "$DIR/static" elsewhere $OTHER 443)" "connect: Network is unreachable"
    if unshare -m true 2>/dev/null && [ -x "$DIR/go" ]; then
        printf '%s two.test\n' $REFUSED $OTHER >"$DIR/hosts"
        printf '%s both.test\n' $REFUSED6 $OTHER >>"$DIR/hosts"
        printf '%s eyes.test\n' $SILENT6 $OTHER >>"$DIR/hosts"
        before=$(grep -c "^handed $OTHER 443 connected" "$DIR/agent.log")
        for program in two both eyes; do
            is "go, $program.test: the first address refuses, the second is taken" "$(unshare -m sh -c 'mount --bind "$1" /etc/hosts && shift && exec "$@"' sh \
                "$DIR/hosts" env -i PATH="$PATH" "${FAMILY[@]}" "${ASAN[@]}" sh -c '"$0" connect "$1" 443; exit' "$DIR/go" $program.test 2>&1)" \
                "connected: agent 127.78.0.1"
        done
        is "and so each time, also when the first is silent" "$(($(grep -c "^handed $OTHER 443 connected" "$DIR/agent.log") - before))" 3
    else skip "fail-over in Go" "no private mount namespace here, or no go"; fi
}

check_many() {
    is "500 connects under a 1 ms timer" "$(supervised "$DIR/static" storm $PROVIDER 443 500)" "connected 500, EINTR 0, EISCONN 0, other 0"
    is "and past the agent" "$(supervised "$DIR/static" storm 127.0.0.1 "$PORT" 500)" "connected 500, EINTR 0, EISCONN 0, other 0"
    is "64 threads at once" "$(supervised "$DIR/static" threads $PROVIDER 443 64 20)" "connected 1280, EINTR 0, EISCONN 0, other 0"
    is "200 programs at once, more than the agent's door holds" "$(supervised python3 tests/clients/burst.py 200 "$DIR/static" $PROVIDER)" \
        "200 connected: 127.78.0.1"
    [ -n "$OTHERS" ] && is "and to an address of anybody's" "$(supervised python3 tests/clients/burst.py 100 "$DIR/static" $OTHER)" "100 connected: 127.78.0.1"
    [ -x "$DIR/go" ] && is "100 goroutines at once" "$(supervised "$DIR/go" threads $PROVIDER 443 100 20)" "greeted 2000 others map[]"
}

as_user() { setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all "$@"; }
check_user() {
    if [ "$(id -u)" != 0 ] || ! have setpriv; then
        skip "a user without capabilities" "needs root and setpriv"
        return
    fi
    local program output
    chmod 755 "$DIR"
    chmod 711 "$RUN"
    chmod 666 "$RUN/redirect.sock"
    chmod 644 "$RUN/map"
    if ! as_user test -r "$SHIM" || ! as_user test -x "$LAUNCHER"; then
        mkdir -m 755 "$DIR/copy" && cp "$SHIM" "$LAUNCHER" "$DIR/copy/"
        local FAMILY=("LD_PRELOAD=$DIR/copy/libtollgate.so" "TOLLGATE_SHIM=$DIR/copy/libtollgate.so" "TOLLGATE_LAUNCHER=$DIR/copy/tollgate" "TOLLGATE_RUNTIME=$RUN" TOLLGATE_ENV=dev)
    fi
    for program in "${PROGRAMS[@]}"; do
        is "$program as a user without capabilities" \
            "$(as_user env -i PATH="$PATH" "${FAMILY[@]}" "${ASAN[@]}" sh -c '"$@"; exit' sh "$DIR/$program" connect $PROVIDER 443 2>&1)" "connected: agent 127.78.0.1"
    done
    write_map -s
    chmod 644 "$RUN/map"
    cp /bin/true "$DIR/unread" && chmod 711 "$DIR/unread"
    is "strict: a program that its mode forbids to read runs" \
        "$(as_user env -i PATH="$PATH" "${FAMILY[@]}" "${ASAN[@]}" sh -c '"$@"; echo $?' sh "$DIR/unread" 2>&1)" 0
    write_map
    chmod 644 "$RUN/map"
}

# The program finds in itself what it would find without us. In both runs the environment is completed by sh's constructor.
check_self() {
    local plain=$DIR/plain under=$DIR/under
    self() { governed "$DIR/static" self 2>&1 | grep -vE '^(TOLLGATE_LAUNCHER|_)=' | sort; }
    same() {
        (FAMILY=("${FAMILY[@]/#TOLLGATE_LAUNCHER=*/TOLLGATE_LAUNCHER=/none}"); self) >"$plain"
        self >"$under"
        if [ "$(wc -l <"$plain")" -gt 30 ] && diff "$plain" "$under" >"$DIR/diff"; then pass "$1"; else fail "$1" "$(cat "$DIR/diff")"; fi
    }
    same "descriptors, mask, limits, directory and environment are the same" 7</etc/passwd
    (
        trap '' HUP USR1 CHLD
        ulimit -n 77 -c 5
        same "with a closed stream, ignored signals and low limits, too" <&-
        exit $failed
    ) || failed=1
    governed "$DIR/static" self >"$under" 2>&1
    has "the environment is complete" "$(cat "$under")" "SSL_CERT_FILE=$RUN/bundle.pem"
    is "our order is not in it" "$(grep -c TOLLGATE_EXECUTE "$under")" 0
    is "five thousand arguments go through" "$(governed python3 -c "
import subprocess
print(subprocess.run(['$DIR/static', 'connect', '$PROVIDER', '443'] + ['x' * 100] * 5000, capture_output=True, text=True).stdout.strip())")" \
        "connected: agent 127.78.0.1"
}

check_hooks() {
    cat >"$DIR/hooks.py" <<'P'
import ctypes, os, subprocess, sys
program, address = sys.argv[1:]
directory, name = os.path.split(program)
call = [program, "connect", address, "443"]
libc = ctypes.CDLL(None, use_errno=True)
strings = lambda items: (ctypes.c_char_p * (len(items) + 1))(*[item.encode() for item in items], None)

def forked(what):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.dup2(writer, 1)
        what()
        os._exit(99)
    os.close(writer)
    os.wait()
    return os.read(reader, 4096).decode()

def spawned(spawn, path, environment):
    return forked(lambda: (os.waitpid(spawn(path, call, environment), 0), os._exit(0)))

os.environ["PATH"] = directory + ":" + os.environ["PATH"]
for line in [
    ("execve", forked(lambda: os.execve(program, call, {}))),
    ("execvpe", forked(lambda: os.execvpe(name, call, {"PATH": directory}))),
    ("execvp", forked(lambda: libc.execvp(name.encode(), strings(call)))),
    ("fexecve", forked(lambda: os.execve(os.open(program, os.O_RDONLY | os.O_CLOEXEC), call, {}))),
    ("fexecve of a bare name", forked(lambda: os.execve(os.open(program, os.O_PATH | os.O_CLOEXEC), call, {}))),
    ("execveat of a bare name", forked(lambda: libc.execveat(os.open(program, os.O_PATH), b"", strings(call), strings([]), 0x1000))),
    ("execve with another's order", forked(lambda: os.execve(program, call, {"TOLLGATE_EXECUTE": "/bin/true"}))),
    ("posix_spawn with another's order", spawned(os.posix_spawn, program, {"TOLLGATE_EXECUTE": "/bin/true"})),
    ("execveat", forked(lambda: libc.execveat(os.open(directory, os.O_RDONLY), name.encode(), strings(call), strings([]), 0))),
    ("syscall", forked(lambda: libc.syscall(59, program.encode(), strings(call), strings([])))),
    ("posix_spawn", spawned(os.posix_spawn, program, {})),
    ("posix_spawnp", spawned(os.posix_spawnp, name, {})),
    ("system", forked(lambda: (libc.clearenv(), libc.system(" ".join(call).encode()), os._exit(0)))),
    ("popen", os.popen(" ".join(call)).read()),
    ("subprocess", subprocess.run(call, env={}, capture_output=True, text=True).stdout),
]:
    print("ok" if line[1] == "connected: agent 127.78.0.1\n" else "not ok", "hook", line[0], repr(line[1]))
P
    local program line
    for program in "${PROGRAMS[@]}"; do
        while read -r line; do
            case $line in ok*) pass "$program ${line#ok }" ;; *) fail "$program $line" "not governed" ;; esac
        done < <(supervised python3 "$DIR/hooks.py" "$DIR/$program" $PROVIDER)
    done
    cp "$DIR/static" "$DIR/plain.static" && chmod a-x "$DIR/plain.static"
    is "a file that may not be executed is the kernel's to refuse" "$(supervised sh -c "'$DIR/plain.static' 2>/dev/null; echo \$?")" 126
}

check_trees() {
    local expected="connected: agent 127.78.0.1" program
    if [ -x "$DIR/go" ]; then
        is "go, static" "$(supervised "$DIR/go" run "$DIR/static" connect $PROVIDER 443)" "$expected"
        is "go, sh, env -i, static" "$(supervised "$DIR/go" run sh -c "env -i '$DIR/static' connect $PROVIDER 443")" "$expected"
        is "dynamic below go goes through its own shim" "$(supervised "$DIR/go" run "$DIR/dynamic" connect 127.77.0.1 443)" "connected: agent 127.77.0.1"
        has "the program knows its supervisor" "$(supervised "$DIR/go" run /usr/bin/env)" TOLLGATE_SUPERVISED=
    fi
    is "python, static" "$(supervised python3 -c "import subprocess; subprocess.run(['$DIR/static', 'connect', '$PROVIDER', '443'], env={})")" "$expected"
    for program in $(seq 12); do
        printf 'all: s%s d%s\ns%s:\n\t@%s connect %s 443\nd%s:\n\t@%s connect 127.77.0.1 443\n' "$program" "$program" "$program" "$DIR/static" $PROVIDER \
            "$program" "$DIR/dynamic"
    done >"$DIR/Makefile"
    is "make -j with both kinds" "$(supervised make -s -j6 -f "$DIR/Makefile" | sort | uniq -c | tr -s ' ' | tr '\n' ';')" \
        " 12 connected: agent 127.77.0.1; 12 connected: agent 127.78.0.1;"
    if unshare -m true 2>/dev/null && [ -x "$DIR/go" ]; then
        printf '%s api.openai.com\n' $PROVIDER >"$DIR/hosts"
        is "a name that the program resolves itself" "$(unshare -m sh -c 'mount --bind "$1" /etc/hosts && shift && exec "$@"' sh "$DIR/hosts" \
            env -i PATH="$PATH" "${FAMILY[@]}" "${ASAN[@]}" sh -c '"$0" connect api.openai.com 443; exit' "$DIR/go" 2>&1)" "$expected"
    else skip "a name that the program resolves itself" "no private mount namespace here, or no go"; fi
    cp /bin/true "$DIR/own" && chmod u+s "$DIR/own"
    cp /bin/true "$DIR/setuid" && chown 65534 "$DIR/setuid" && chmod u+s "$DIR/setuid" || rm "$DIR/setuid"
    { printf '\177ELF\1\1\1' && head -c 100 /dev/zero; } >"$DIR/foreign" && chmod +x "$DIR/foreign"
    write_map -s
    for program in setuid foreign; do
        [ -e "$DIR/$program" ] || { skip "strict: $program" "needs root"; continue; }
        has "strict: $program" "$(supervised python3 -c "
import os
try: os.execv('$DIR/$program', ['x'])
except OSError as error: print(error)")" "[Errno 1]"
    done
    is "strict: setuid of one's own gains nothing, and runs" "$(supervised "$DIR/own"; echo $?)" 0
    printf '#!/bin/sh\nexit 9\n' >"$DIR/script" && chmod 4755 "$DIR/script"
    is "strict: so does a script, whose setuid bit is nothing" "$(supervised "$DIR/script"; echo $?)" 9
    if [ "$(id -u)" = 0 ] && have sudo && sudo -n true 2>/dev/null; then
        : >"$RUN/bundle.pem" && chmod 600 "$RUN/bundle.pem"
        is "strict: root's sudo runs" "$(supervised sudo -n sh -c 'exit 8'; echo $?)" 8
        is "strict: but not as a user who may not use us" "$(supervised sudo -n -u '#65534' "$DIR/own" >/dev/null; echo $?)" 1
        is "strict: nor static so" "$(supervised sudo -n -u '#65534' "$DIR/static" exit 0 >/dev/null; echo $?)" 1
        chmod 711 "$DIR"
        write_map
        is "not strict: it runs" "$(supervised sudo -n -u '#65534' "$DIR/static" exit 7 >/dev/null; echo $?)" 7
        chmod 700 "$DIR"
        rm "$RUN/bundle.pem"
        write_map -s
    else skip "strict: root's sudo" "needs root and sudo"; fi
    has "strict: one that cannot be looked at does not" "$(supervised python3 -c "
import os, resource
held = os.open('/dev/null', os.O_RDONLY)
resource.setrlimit(resource.RLIMIT_NOFILE, (held + 1, held + 1))
try: os.execv('$DIR/static', ['x', 'exit', '0'])
except OSError as error: print(error)")" "[Errno 1]"
    is "strict: static by a bare name is supervised" "$(supervised python3 -c "
import os
os.execve(os.open('$DIR/static', os.O_PATH | os.O_CLOEXEC), ['x', 'connect', '$PROVIDER', '443'], {})")" "$expected"
    is "strict: static is supervised" "$(supervised "$DIR/static" connect $PROVIDER 443)" "$expected"
    has "strict: static without a launcher" "$(supervised env TOLLGATE_LAUNCHER=/none sh -c "'$DIR/static' exit 0")" "ermi"
    write_map
    supervised env TOLLGATE_LAUNCHER=/none sh -c "'$DIR/static' exit 5"
    is "not strict: static without a launcher" $? 5
}

# ---- life and death ----

check_ends() {
    local code number
    for code in 0 1 42 255; do
        supervised "$DIR/static" exit $code >/dev/null
        is "exit code $code" "$?" $code
    done
    is "deaths by signals" "$(governed python3 -c "
import subprocess
print([subprocess.run(['$DIR/static', 'die', str(number)]).returncode for number in (1, 2, 9, 13, 15, 34)])")" "[-1, -2, -9, -13, -15, -34]"
    mkdir "$DIR/cores"
    is "one core is enough" "$(cd "$DIR/cores" && ulimit -c unlimited 2>/dev/null; governed python3 -c "
import subprocess, os
print(subprocess.run(['$DIR/static', 'die', '6']).returncode, len([n for n in os.listdir('.') if n.startswith('core')]) < 2)")" "-6 True"
}

# start_job OUTPUT PROGRAM…: the job's first line says program and server; front is the caller's child.
start_job() {
    local out=$1
    shift
    : >"$out"
    become "$@" >"$out" 2>&1 &
    front=$!
    wait_for 10 test -s "$out"
    read -r program server <"$out"
}
check_signals() {
    local front program server output=$DIR/count number
    start_job "$output" "$DIR/static" count
    for number in 15 1 36 18; do
        kill -$number "$front"
        wait_for 5 grep -q "got $number$" "$output"
    done
    kill -USR2 "$front"
    wait "$front"
    is "signals sent to the front are the program's" "$(grep ^signal "$output" | tr '\n' ' ')" \
        "signal 1 times 1 signal 15 times 1 signal 18 times 1 signal 36 times 1 "
    start_job "$output" "$DIR/static" count
    is_stopped() { [ "$(ps -o stat= -p "$program" | cut -c1)" = T ]; }
    is_running() { ! is_stopped; }
    for number in STOP TSTP STOP; do
        kill -$number "$front"
        wait_for 10 is_stopped
        is "SIG$number stops the program" "$(is_stopped; echo $?)" 0
        kill -CONT "$front"
        wait_for 10 is_running
        is "SIGCONT continues it after SIG$number" "$(is_running; echo $?)" 0
    done
    kill -USR2 "$front"
    wait "$front"
    is "and its end is relayed" "$?" 0
    cat >"$DIR/group.py" <<'P'
import os, signal, subprocess, sys, time
job = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True, preexec_fn=os.setpgrp)
program = int(job.stdout.readline().split()[0])
def is_pending(pid, number):
    try:
        return any(int(line.split()[1], 16) >> number - 1 & 1 for line in open(f"/proc/{pid}/status") if line.startswith(("SigPnd", "ShdPnd")))
    except OSError:
        return False
def members():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getpgid(int(pid)) == job.pid:
                yield pid
        except OSError:
            pass
group = [*members()]
# Two of a kind that come before somebody has taken the first are one, to the kernel: each is waited for, by the program's word,
# and until nobody of the group has it before him any more.
def send(kill, to, number):
    kill(to, number)
    while (line := job.stdout.readline()) and line != f"got {number:d}\n":
        pass
    end = time.monotonic() + 20
    while any(is_pending(pid, number) for pid in group) and time.monotonic() < end:
        time.sleep(0.001)
for _ in range(20):
    send(os.killpg, job.pid, signal.SIGTERM)
send(os.kill, job.pid, signal.SIGHUP)
os.kill(program, signal.SIGUSR2)
print(", ".join(line for line in job.stdout.read().split("\n") if line.startswith("signal")))
P
    is "signals sent to the group come once" "$(supervised python3 "$DIR/group.py" "$DIR/static" count)" "signal 1 times 1, signal 15 times 20"
}


# What a service manager tells a program by its number.
check_service() {
    local front program server told=nothing
    start_job "$DIR/service" sh -c 'export LISTEN_FDS=0 LISTEN_PID=$$ LISTEN_PIDFDID=1 WATCHDOG_USEC=9 WATCHDOG_PID=$$; exec "$0" count' "$DIR/static"
    told=$(tr '\0' '\n' <"/proc/$program/environ" | grep -E '^(LISTEN|WATCHDOG)_PID' | sort | tr '\n' ' ')
    is "sockets and watchdog of a service are the program's" "$told" "LISTEN_PID=$program WATCHDOG_PID=$program "
    kill -KILL "$program"
    wait "$front" 2>/dev/null
    start_job "$DIR/service" sh -c 'export LISTEN_PID=1 LISTEN_PIDFDID=1 WATCHDOG_PID=1; exec "$0" count' "$DIR/static"
    told=$(tr '\0' '\n' <"/proc/$program/environ" | grep -E '^(LISTEN|WATCHDOG)_PID' | sort | tr '\n' ' ')
    is "another process's are not" "$told" "LISTEN_PID=1 LISTEN_PIDFDID=1 WATCHDOG_PID=1 "
    kill -KILL "$program"
    wait "$front" 2>/dev/null
}

check_jobs() {
    cat >"$DIR/jobs.py" <<'P'
import os, pty, re, select, sys, time
shell, terminal = pty.fork()
if shell == 0:
    os.environ["PS1"] = "$ "
    os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
seen = b""
def until(pattern, seconds=10):
    global seen
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = re.search(pattern, seen)
        if found:
            seen = seen[found.end():]
            return found
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 4096)
def say(name, passed):
    print("ok" if passed else "not ok", name, flush=True)
def is_state(number, wanted):
    for _ in range(200):
        if open("/proc/%s/stat" % number).read().rsplit(")", 1)[1].split()[0] == wanted:
            return True
        time.sleep(0.02)
def type(text):
    os.write(terminal, text)
until(rb"\$ ")
type(b"%s count\n" % sys.argv[1].encode())
program = int(until(rb"(\d+) \d+\r\n").group(1))
type(b"\x1a")
say("^Z stops the job", until(b"Stopped"))
say("and the program", is_state(program, "T"))
type(b"fg\n")
say("fg continues it", is_state(program, "S"))
os.kill(program, 19)
say("a program that is stopped stops the job", until(b"Stopped"))
type(b"bg\n")
say("bg continues it", is_state(program, "S"))
type(b"echo; jobs\n")
say("and the shell knows", until(b"Running"))
os.kill(program, 19)
say("stopped in the background", is_state(program, "T"))
os.kill(program, 18)
say("continued there", is_state(program, "S"))
def is_known_to_run():
    type(b"echo; echo; jobs; echo end\n")
    return until(rb"(Running|Stopped)(?s:.*?)\nend").group(1) == b"Running"
say("the job runs with it", any(is_known_to_run() for _ in range(100)))
type(b"fg\n")
until(b"count")
while os.tcgetpgrp(terminal) == shell:
    time.sleep(0.02)
type(b"\x03")
until(rb"got 2\r\n")
os.kill(program, 12)
say("^C comes once", until(b"signal 2 times 1\r\n"))
type(b"exit\n")
P
    local line lines=0
    while read -r line; do
        lines=$((lines + 1))
        case $line in ok*) pass "job control: ${line#ok }" ;; *) fail "job control: ${line#not ok }" "not so" ;; esac
    done < <(become python3 "$DIR/jobs.py" "$DIR/static" 2>&1 | tr -d '\r' | grep -E '^(ok|not ok|[A-Z][a-z]*Error)')
    is "job control was played to its end" $lines 10
}

# No process has our runtime directory in its environment any more.
count_left() { grep -lszF "TOLLGATE_RUNTIME=$RUN" /proc/[0-9]*/environ 2>/dev/null | wc -l; }
none_left() { [ "$(count_left)" = 0 ]; }
check_daemon() {
    local out=$DIR/daemon.out go=$DIR/daemon.go output daemon server
    output=$(supervised "$DIR/static" daemon $PROVIDER 443 "$go" "$out")
    is "the caller waits for no daemon, nor does its pipe" "$?$output" 0
    wait_for 5 test -s "$out"
    daemon=$(head -1 "$out")
    server=$(ps -o ppid= -p "$daemon" | tr -d ' ')
    is "what serves it left the session" "$(ps -o sid= -p "$server" | tr -d ' ')" "$server"
    is "and holds nothing of the caller's open" "$(find "/proc/$server/fd" -lname '/*' ! -lname /dev/null)" ""
    touch "$go"
    wait_for 10 grep -q connect "$out"
    is "the daemon is governed" "$(tail -1 "$out")" "connected: agent 127.78.0.1"
    wait_for 10 none_left
    is "then nothing is left" "$(count_left)" 0
}

# ask ADDRESS PORT: one connect of the job that reads lines.
ask() {
    local line=nothing
    echo "$1 $2" >&8
    read -r -t 20 line <&9
    echo "$line"
}
start_lines() {
    mkfifo "$DIR/in" "$DIR/answers"
    become "$DIR/static" lines <"$DIR/in" >"$DIR/answers" 2>&1 &
    front=$!
    exec 8>"$DIR/in" 9<"$DIR/answers"
    rm "$DIR/in" "$DIR/answers"
    read -r -t 20 program server <&9
    said=
    if [ "$program" = tollgate: ]; then
        said=$server
        read -r -t 20 program server <&9
    fi
}
stop_lines() {
    local code
    exec 8>&-
    wait "$front" 2>/dev/null
    code=$?
    exec 9<&-
    return $code
}
is_gone() { ! kill -0 "$1" 2>/dev/null; }
check_death() {
    local front program server line
    start_lines
    is "before" "$(ask $PROVIDER 443)" "connected: agent 127.78.0.1"
    kill -KILL "$server"
    is "server killed: a provider's address is governed" "$(ask $PROVIDER 443)" "connected: agent 127.78.0.1"
    is "server killed: others are open" "$(ask 127.0.0.1 "$PORT")" "connected: agent 127.0.0.1"
    stop_lines
    is "server killed: the end is relayed" "$?" 0
    start_lines
    : >"$DIR/agent.log"
    touch "$RUN/silent"
    echo "$PROVIDER 443" >&8 # waits for the agent, which says nothing
    wait_for 5 grep -q "announced $PROVIDER 443 static" "$DIR/agent.log"
    rm "$RUN/silent"
    kill -KILL "$server"
    line=nothing
    read -r -t 20 line <&9
    is "server killed in the middle of a call" "$line" "connected: agent 127.78.0.1"
    stop_lines
    if [ -n "$OTHERS" ]; then
        start_lines
        echo "$LATE_LAST 443" >&8
        wait_for 5 grep -q ' 0D6433C6:01BB 02 ' /proc/net/tcp # 198.51.100.13, SYN_SENT
        kill -KILL "$server"
        echo accept >"$DIR/late.$LATE_LAST"
        line=nothing
        read -r -t 20 line <&9
        is "server killed while an address is silent" "$line" "connected: agent 127.78.0.1"
        stop_lines
    fi
    start_lines
    kill -KILL "$front"
    wait_for 5 is_gone "$program"
    is "front killed: the program is killed with it" "$(is_gone "$program"; echo $?)" 0
    stop_lines
    wait_for 5 none_left
    is "nothing is left of them" "$(count_left)" 0
}

check_agent_down() {
    local front program server line
    start_lines
    is "agent there" "$(ask $PROVIDER 443)" "connected: agent 127.78.0.1"
    stop_agent
    is "agent down: a provider's address is refused" "$(ask $PROVIDER 443)" "connect: Connection refused"
    is "agent down: and by IPv6" "$(ask $PROVIDER6 443)" "connect: Connection refused"
    is "agent down: an address of the map is refused" "$(ask 127.77.0.1 443)" "connect: Connection refused"
    is "agent down: all others go their way" "$(timeout 20 env -i PATH="$PATH" "${FAMILY[@]}" sh -c '"$0" connect '$OTHER' 443; exit' "$DIR/static" 2>&1)" \
        "$(timeout 20 env -i "$DIR/static" connect $OTHER 443)"
    start_agent
    is "agent back: governed again" "$(ask $PROVIDER 443)" "connected: agent 127.78.0.1"
    touch "$RUN/silent"
    is "an agent that says nothing: refused after a while" "$(ask $PROVIDER 443)" "connect: Connection refused"
    rm "$RUN/silent"
    is "and when it speaks again" "$(ask $PROVIDER 443)" "connected: agent 127.78.0.1"
    echo 11 >"$RUN/refuse" # TOLLGATE_REDIRECT_AGAIN
    : >"$DIR/agent.log"
    echo "$PROVIDER 443" >&8
    is_asked() { [ "$(grep -c "^announced $PROVIDER 443" "$DIR/agent.log")" -gt "$1" ]; }
    check_asked() { wait_for 10 is_asked "$1" && pass "$2" || fail "$2" "$(cat "$DIR/agent.log")"; }
    check_asked 2 "while another agent takes over, it is asked again and again"
    is "and all others go their way" "$(timeout 20 env -i PATH="$PATH" "${FAMILY[@]}" sh -c '"$0" connect '$OTHER' 443; exit' "$DIR/static" 2>&1)" \
        "$(timeout 20 env -i "$DIR/static" connect $OTHER 443)"
    stop_agent
    rm "$RUN/refuse"
    start_agent
    line=nothing
    read -r -t 20 line <&9
    is "until the next one is there" "$line" "connected: agent 127.78.0.1"
    write_map -p "8443:$PORT"
    is "a new map is read while the program runs" "$(ask $PROVIDER 8443)" "connected: agent 127.78.0.1"
    write_map
    stop_lines
}

# flip FILE INDEX: the file with that byte changed.
flip() { python3 -c 'import sys
bytes = bytearray(open(sys.argv[1], "rb").read())
bytes[int(sys.argv[2])] ^= 0xa5
sys.stdout.buffer.write(bytes)' "$@"; }
check_maps() {
    local good=$DIR/map.good size length front program server said wrong=
    cp "$RUN/map" "$good"
    size=$(wc -c <"$good")
    start_lines
    is "with a map" "$(ask 127.77.0.1 443)" "connected: agent 127.77.0.1"
    for length in $(seq 0 $((size - 1))); do
        head -c "$length" "$good" >"$RUN/map.new" && mv "$RUN/map.new" "$RUN/map"
        [ "$(ask 127.77.0.1 443)" = "connected: agent 127.77.0.1" ] || wrong+=" $length"
    done
    is "a map cut at any of $size bytes leaves the last good one in force" "$wrong" ""
    stop_lines
    rm "$RUN/map"
    start_lines
    is "no map: the launcher says so" "$said" "$DIR/static is not governed until the agent writes its map: $RUN/map is missing"
    is "an address of ours refuses all the same" "$(ask 127.77.0.1 443)" "connect: Connection refused"
    for length in $(seq 0 $((size - 1))); do
        head -c "$length" "$good" >"$RUN/map"
        [ "$(ask 127.0.0.1 "$PORT")" = "connected: agent 127.0.0.1" ] || wrong+=" $length"
    done
    is "nor does a program that starts with one come to harm" "$wrong" ""
    for length in $(seq 0 $((size - 1))); do
        flip "$good" "$length" >"$RUN/map.new" && mv "$RUN/map.new" "$RUN/map"
        [ "$(ask 127.77.0.1 443)" = "connect: Connection refused" ] || wrong+=" $length"
    done
    is "a map with any of its bytes changed is none" "$wrong" ""
    rm "$RUN/map"
    write_map
    is "and the first good one is taken" "$(ask 127.77.0.1 443)" "connected: agent 127.77.0.1"
    stop_lines
}

check_names() {
    local names
    mapfile -t names < <(awk 'BEGIN { for (i = 0; i < 10000; i++) printf "a-name-%05d.test=127.77.%d.%d\n", i, 16 + i / 250, 1 + i % 250 }')
    write_map "${names[@]}"
    is "10,000 names: an address of the last" "$(supervised "$DIR/static" connect 127.77.55.250 443)" "connected: agent 127.77.55.250"
    is "and one of a provider" "$(supervised "$DIR/static" connect $PROVIDER 443)" "connected: agent 127.78.0.1"
    start_lines
    is "a small map again" "$(write_map && ask 127.77.0.1 443)" "connected: agent 127.77.0.1"
    write_map "${names[@]}"
    is "and while a program runs" "$(ask 127.77.16.1 443)" "connected: agent 127.77.16.1"
    stop_lines
    write_map
}

check_foreign() {
    cat >"$DIR/foreign.c" <<'C'
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    struct sock_filter allow = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    struct sock_fprog program = {1, &allow};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (FORBIDDEN) {
        struct sock_filter forbid[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FORBIDDEN, 0, 1),
                                       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1), allow};
        struct sock_fprog sandbox = {4, forbid};
        return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &sandbox) ? 3 : execvp(argv[1], argv + 1);
    }
    long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (listener < 0 || dup2((int)listener, 200) != 200)
        return 3;
    return argc > 1 ? execvp(argv[1], argv + 1) : 2;
}
C
    gcc -DFORBIDDEN=0 -o "$DIR/foreigner" "$DIR/foreign.c" && gcc -DFORBIDDEN=SYS_seccomp -o "$DIR/no_seccomp" "$DIR/foreign.c" &&
        gcc -DFORBIDDEN=SYS_pidfd_getfd -o "$DIR/no_getfd" "$DIR/foreign.c" || { fail "another's supervisor" "does not compile"; return; }
    local output
    output=$(supervised "$DIR/foreigner" "$DIR/static" exit 6)
    is "below another's supervisor the program runs" "$?" 6
    has "and that is said" "$output" "another program's seccomp supervisor is above it"
    doctor() { env -i PATH="$PATH" HOME="$DIR" "${ASAN[@]}" "$@" "$LAUNCHER" doctor --state "$DIR/none" --runtime "$DIR/none" | grep -E '(ok|warning) +seccomp'; }
    has "the doctor knows it, too" "$(doctor "$DIR/foreigner")" "no program can be supervised: another program's seccomp supervisor is above it"
    has "and a sandbox without seccomp" "$(doctor "$DIR/no_seccomp")" "no program can be supervised: this sandbox forbids a supervisor"
    has "or without pidfd_getfd" "$(doctor "$DIR/no_getfd")" "no program can be supervised: this sandbox forbids a supervisor"
    has "and where all is well" "$(doctor)" "static and Go programs can be supervised"
    write_map -s
    output=$(supervised "$DIR/foreigner" "$DIR/static" exit 6)
    is "but not under strict" "$?" 126
    write_map
}

# The thread that calls is not the one that the process is known by.
check_threads() {
    local what
    for what in leaderless table; do
        is "$what: governed" "$(supervised "$DIR/static" $what $PROVIDER 443)" "connected: agent 127.78.0.1"
        [ -n "$OTHERS" ] && is "$what: and to an address of anybody's" "$(supervised "$DIR/static" $what $OTHER 443)" "connected: agent 127.78.0.1"
        # As a kernel before 6.9 answers pidfd_open(PIDFD_THREAD).
        is "$what, old kernel: refused" "$(supervised "$DIR/forbid" 434 1 128 22 sh -c "exec '$DIR/static' $what $PROVIDER 443")" \
            "connect: Connection refused"
    done
    is "threads, old kernel: governed" "$(supervised "$DIR/forbid" 434 1 128 22 sh -c "exec '$DIR/static' threads $PROVIDER 443 8 5")" \
        "connected 40, EINTR 0, EISCONN 0, other 0"
}

# A sandbox may forbid what the supervisor needs only after its filter is in force: the program runs, ungoverned, and
# whoever waits for its output waits for nothing of ours. forbid NUMBER ARGUMENT VALUE ERRNO PROGRAM…: as Docker's profile does.
build_forbid() {
    cat >"$DIR/forbid.c" <<'C'
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    if (argc < 6)
        return 2;
    unsigned argument = offsetof(struct seccomp_data, args) + 8 * (unsigned)atoi(argv[2]);
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)atoi(argv[1]), 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)atoi(argv[3]), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)atoi(argv[4])),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof steps / sizeof *steps, steps};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        return 3;
    return execvp(argv[5], argv + 5);
}
C
    gcc -o "$DIR/forbid" "$DIR/forbid.c"
}
check_late_failure() {
    local output=$DIR/late limit
    # Into a file: whatever is left would keep a pipe open for ever.
    late() { supervised timeout 20 "$@" >"$output"; }
    late "$DIR/forbid" 438 2 0 1 sh -c "exec '$DIR/static' exit 6"
    is "pidfd_getfd forbidden: the program runs" "$?" 6
    has "that is said" "$(cat "$output")" "this sandbox forbids a supervisor"
    wait_for 10 none_left
    is "and nothing of us is left" "$(count_left)" 0
    late "$DIR/forbid" 438 2 0 1 sh -c "exec '$DIR/static' childless"
    is "nor a child that the program did not start" "$(tail -1 "$output")" "No child processes"
    for limit in 4 5 6 7 8 9; do
        late sh -c "ulimit -n $limit; exec '$DIR/static' exit 6"
        is "$limit descriptors: the program runs" "$?" 6
        wait_for 10 none_left
        is "$limit descriptors: nothing of us is left" "$(count_left)" 0
    done
    late sh -c "ulimit -n 8; exec '$DIR/static' exit 6"
    has "8 descriptors: that is said" "$(cat "$output")" "Too many open files"
}

build_programs
write_map
[ -z "${OWN_NETWORK:-}" ] || make_network || exit 1
start_agent
for part in ${PARTS:-connects truth many user self hooks trees ends signals service jobs daemon death agent_down maps names foreign threads late_failure}; do "check_$part"; done
is "the stand-in had nothing to complain about" "$(cat "$DIR/agent.err")" ""
exit $failed
