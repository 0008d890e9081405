#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The shim alone, without an agent: a hand-made runtime directory (map, roots, key store), a TLS server where the agent
# would listen, and real clients that carry nothing but the shim. BUILD names the build directory.
# One line per check: "ok NAME", "not ok NAME: why" or "skip NAME: why". Exit 0 all passed, 1 some failed, 77 not possible.
set -u
cd "$(dirname "$0")/../.." || exit 77
BUILD=${BUILD:-build}
case $BUILD in *-asan | *-tsan)
    echo "skip all: the shim is never sanitized; the plain run holds ASan programs, ASan clients and valgrind"
    exit 77
    ;;
esac
TOOLS=shim_map,shim_names,shim_connect,shim_hosts,shim_exec,shim_storm,shim_quiet,shim_cost
eval "make -s BUILD='$BUILD' '$BUILD'/libtollgate.so '$BUILD'/tests/clients/{$TOOLS}" || exit 1
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
SHIM=$BUILD/libtollgate.so
CLIENTS=$BUILD/tests/clients
DIR=$(mktemp -d)
RUN=$DIR/runtime
mkdir -m 0700 "$RUN"
SERVER=
failed=0
finish() {
    [ -n "$SERVER" ] && kill "$SERVER" 2>/dev/null && wait "$SERVER" 2>/dev/null
    rm -rf "$DIR"
}
trap finish EXIT
AGENT_PORT=$((20000 + $$ % 6000 * 2))
OPEN_PORT=$((AGENT_PORT + 1))

pass() { echo "ok $1"; }
fail() { failed=1; echo "not ok $1: $(echo "$2" | tr '\n' ' ' | cut -c1-300)"; }
skip() { echo "skip $1: $2"; }
have() { command -v "$1" >/dev/null 2>&1; }
# The variables that make a process governed, and nothing else.
FAMILY=("LD_PRELOAD=$SHIM" "TOLLGATE_SHIM=$SHIM" "TOLLGATE_RUNTIME=$RUN" "TOLLGATE_ENV=dev")
mkdir "$DIR/bin"
PATH=$DIR/bin:$PATH
printf '#!/bin/sh\nexec env -i PATH="$PATH" HOME=%s %s "$@"\n' "$DIR" "${FAMILY[*]}" >"$DIR/bin/governed"
chmod +x "$DIR/bin/governed"
# lines NAME COMMAND…: a client that prints its own check lines.
lines() {
    local name=$1 output code
    shift
    output=$(timeout 60 "$@" 2>&1)
    code=$?
    echo "$output"
    [ $code -eq 0 ] || fail "$name" "exit status $code"
    [ "$(echo "$output" | grep -c '^ok ')" -gt 0 ] || fail "$name" "no check ran"
}
# expects NAME PATTERN COMMAND…: exit status 0 and output that matches.
expects() {
    local name=$1 pattern=$2 output code
    shift 2
    output=$(timeout 60 "$@" 2>&1)
    code=$?
    if [ $code -eq 0 ] && echo "$output" | grep -qE -- "$pattern"; then pass "$name"; else fail "$name" "status $code: $output"; fi
}
# status NAME CODE COMMAND…
status() {
    local name=$1 wanted=$2 output code
    shift 2
    output=$(timeout 60 "$@" 2>&1)
    code=$?
    if [ $code -eq "$wanted" ]; then pass "$name"; else fail "$name" "status $code: $output"; fi
}

make_roots() {
    local constraints='critical,permitted;DNS:api.openai.com,excluded;IP:0.0.0.0/0.0.0.0,excluded;IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0'
    cat >"$DIR/ca.cnf" <<CONFIG
[req]
distinguished_name=name
prompt=no
[name]
CN=Tollgate test root
[root]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign
nameConstraints=$constraints
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
[intermediate]
basicConstraints=critical,CA:TRUE,pathlen:0
keyUsage=critical,keyCertSign
extendedKeyUsage=serverAuth
nameConstraints=$constraints
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
[leaf]
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectAltName=critical,DNS:api.openai.com
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
CONFIG
    local key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
    (
        cd "$DIR" &&
            openssl req -x509 $key -keyout root.key -out ca.pem -config ca.cnf -extensions root -days 30 &&
            openssl req $key -keyout inter.key -subj '/CN=Tollgate test intermediate' -out inter.csr &&
            openssl x509 -req -in inter.csr -CA ca.pem -CAkey root.key -CAcreateserial -extfile ca.cnf \
                -extensions intermediate -days 30 -out inter.pem &&
            openssl req $key -keyout leaf.key -subj / -out leaf.csr &&
            openssl x509 -req -in leaf.csr -CA inter.pem -CAkey inter.key -CAcreateserial -extfile ca.cnf \
                -extensions leaf -days 1 -out leaf.pem &&
            cp ca.pem "$RUN/ca.pem" && cat /etc/ssl/certs/ca-certificates.crt ca.pem >"$RUN/bundle.pem"
    ) >"$DIR/openssl.log" 2>&1
}

write_map() {
    "$CLIENTS/shim_map" "$RUN/map" -p "443:$AGENT_PORT" -b "$AGENT_PORT" \
        a-rather-long-host-name-beyond-any-numeric-form.of-an-address.api.openai.com=127.77.0.3 \
        api.anthropic.com=127.77.0.2 api.openai.com=127.77.0.1 \
        -r ::ffff:192.0.2.7 127.78.0.2 -r ::ffff:198.51.100.9 127.78.0.4 -r 2001:db8::7 127.78.0.3
}

PYTHON_SERVER='
import http.server, socketserver, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        page = ("Cipher %s\n" % (self.connection.cipher(),)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)
    def log_message(self, *arguments):
        pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server = Server(("127.77.0.1", int(sys.argv[1])), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()'

start_server() {
    cat "$DIR/leaf.pem" "$DIR/inter.pem" >"$DIR/chain.pem"
    /usr/bin/python3 -c "$PYTHON_SERVER" "$AGENT_PORT" "$DIR/chain.pem" "$DIR/leaf.key" >"$DIR/server.log" 2>&1 &
    SERVER=$!
    for _ in $(seq 200); do
        (exec 3<>"/dev/tcp/127.77.0.1/$AGENT_PORT") 2>/dev/null && return 0
        kill -0 "$SERVER" 2>/dev/null || return 1
        read -rt 0.02 <> <(:) || :
    done
    return 1
}

stop_server() {
    kill "$SERVER" && wait "$SERVER" 2>/dev/null
    SERVER=
}

check_library() {
    local wanted exported
    wanted=$(grep -oE '^(HOOK|LIST|TRUST)\([A-Za-z0-9_]+' shim/preload/hooks.def | sed 's/.*(//; $a syscall' | sort)
    exported=$(nm -D --defined-only "$SHIM" | awk '{print $3}' | sort)
    if [ "$wanted" = "$exported" ]; then pass "exports are the hooks"; else fail "exports are the hooks" "$(diff <(echo "$wanted") <(echo "$exported"))"; fi
    if readelf -d "$SHIM" | grep -q NEEDED; then fail "no library needed" "DT_NEEDED"; else pass "no library needed"; fi
    local strong
    strong=$(nm -D --undefined-only "$SHIM" | grep -v ' w ')
    if [ -z "$strong" ]; then pass "every outside symbol is weak"; else fail "every outside symbol is weak" "$strong"; fi
}

check_names_everywhere() {
    lines "names in C" governed "$CLIENTS/shim_names"
    expects "names in python" "^127.77.0.1$" governed python3 -c 'import socket
print(socket.getaddrinfo("api.openai.com", 443, type=socket.SOCK_STREAM)[0][4][0])'
    if have musl-gcc && musl-gcc -D_GNU_SOURCE -I. -o "$DIR/musl_names" tests/clients/shim_names.c &&
        musl-gcc -D_GNU_SOURCE -I. -o "$DIR/musl_exec" tests/clients/shim_exec.c; then
        # musl numbers services and families its own way; what counts is that nothing governed fails and nothing dies.
        local output code
        output=$(governed "$DIR/musl_names" 2>&1)
        code=$?
        if [ $code -le 1 ] && ! echo "$output" | grep -E 'not ok (getaddrinfo (unspec|inet|upper|trailing|NULL)|canonical|gethost)'; then
            pass "names in a musl program"
        else
            fail "names in a musl program" "status $code: $output"
        fi
        status "musl child after env -i" 7 governed env -i "$DIR/musl_exec" child
        lines "children of a musl program" governed "$DIR/musl_exec" children
    else
        skip "musl program" "no musl-gcc"
    fi
}

# Who resolves names by himself is told by the object that opens the file: c-ares.
check_hosts() {
    local wanted
    cp "$CLIENTS/shim_hosts" "$DIR/bin/cares-hosts"
    lines "/etc/hosts" governed cares-hosts
    cp "$(command -v cat)" "$DIR/bin/cares-cat"
    wanted=$(cat /etc/hosts; printf '\n127.77.0.3 a-rather-long-host-name-beyond-any-numeric-form.of-an-address.api.openai.com\n'
        printf '127.77.0.2 api.anthropic.com\n127.77.0.1 api.openai.com\n')
    if [ "$(governed cares-cat /etc/hosts | grep -v '^# for programs below tollgate')" = "$wanted" ]; then pass "/etc/hosts has the names at its end"; else
        fail "/etc/hosts has the names at its end" "$(governed cares-cat /etc/hosts)"; fi
    if [ "$(governed cat /etc/hosts)" = "$(cat /etc/hosts)" ]; then pass "who may write it back gets the file itself"; else fail "who may write it back gets the file itself" "it has the names"; fi
    if have musl-gcc && musl-gcc -D_GNU_SOURCE -I. -o "$DIR/musl-cares-hosts" tests/clients/shim_hosts.c; then
        lines "/etc/hosts in a musl program" governed "$DIR/musl-cares-hosts"
    else skip "/etc/hosts in a musl program" "no musl-gcc"; fi
}

check_children() {
    local child="$CLIENTS/shim_exec"
    lines "children in C" governed "$child" children
    status "child of sh -c" 7 governed sh -c "'$child' child"
    status "child after env -i" 7 governed env -i "$child" child
    status "child after env -i sh -c" 7 governed env -i /bin/sh -c "exec env -i '$child' child"
    status "child with its own LD_PRELOAD" 7 governed env LD_PRELOAD=libm.so.6 "$child" child
    printf '#!/usr/bin/env -S -i %s child\n' "$child" >"$DIR/script"
    chmod +x "$DIR/script"
    status "child of a script after env -i" 7 governed env -i "$DIR/script"
    status "child of python subprocess, empty env, close_fds" 7 governed python3 -c "import subprocess, sys
sys.exit(subprocess.run(['$child', 'child'], env={}, close_fds=True).returncode)"
    if have perl; then status "child of perl exec" 7 governed perl -e "%ENV = (); exec '$child', 'child'"; else skip perl "not installed"; fi
    if have ruby; then status "child of ruby spawn" 7 governed ruby -e "system({}, '$child', 'child', unsetenv_others: true); exit \$?.exitstatus"; else skip ruby "not installed"; fi
    if have php; then status "child of php proc_open" 7 governed php -r "\$p = proc_open(['$child', 'child'], [], \$x, null, []); exit(proc_close(\$p));"; else skip php "not installed"; fi
    if have node; then
        status "child of node, empty env" 7 governed node -e "process.exit(require('child_process').spawnSync('$child', ['child'], {env: {}}).status)"
    else skip "child of node" "not installed"; fi
    if have java; then
        cat >"$DIR/Child.java" <<JAVA
public class Child { public static void main(String[] a) throws Exception {
    ProcessBuilder b = new ProcessBuilder("$child", "child").inheritIO(); b.environment().clear();
    System.exit(b.start().waitFor()); } }
JAVA
        status "child of java, cleared env" 7 governed java "$DIR/Child.java"
    else skip "child of java" "not installed"; fi
}

check_left_alone() {
    local printer="$DIR/printer" output
    printf '#include <stdio.h>\nextern char **environ;\nint main(void) { for (char **e = environ; *e; e++) puts(*e); return 0; }\n' >"$DIR/printer.c"
    gcc -o "$printer" "$DIR/printer.c" && gcc -static -o "$printer.static" "$DIR/printer.c" && cp "$printer" "$printer.setuid" || return
    chmod u+s "$printer.setuid"
    cp "$printer" "$DIR/tollgated"
    output=$(governed env -i "$printer.static" 2>&1)
    if [ -z "$output" ]; then pass "static program left alone"; else fail "static program left alone" "$output"; fi
    expects "setuid program of one's own gains nothing and is governed" "^LD_PRELOAD=$SHIM$" governed env -i "$printer.setuid"
    if chown 65534 "$printer.setuid" 2>/dev/null && chmod u+s "$printer.setuid"; then
        # The loader, privileged or not, takes the setuid program's own constructor into account; its exec must add nothing.
        output=$(governed env -i "$printer.setuid" 2>&1)
        if [ -z "$output" ]; then pass "setuid program left alone"; else fail "setuid program left alone" "$output"; fi
    else skip "setuid program left alone" "needs root"; fi
    output=$(governed env "LD_PRELOAD=libm.so.6:$SHIM" OPENAI_API_KEY=kt_cg_x KEEP=1 HTTPS_PROXY=http://127.0.0.1:9 sh -c "'$DIR/tollgated'" 2>&1)
    if echo "$output" | grep -q '^KEEP=1$' && echo "$output" | grep -q '^LD_PRELOAD=libm.so.6$' &&
        ! echo "$output" | grep -E "TOLLGATE_|libtollgate|kt_cg_|$RUN|openai"; then
        pass "the agent gets none of it"
    else fail "the agent gets none of it" "$output"; fi
    output=$(governed env HTTPS_PROXY=http://127.0.0.1:9 NO_PROXY=a.test "$printer")
    if echo "$output" | grep -qE '^NO_PROXY=a.test,.*api.openai.com$' && echo "$output" | grep -qE '^no_proxy=a.test,.*api.openai.com$'; then
        pass "NO_PROXY gets the governed names"
    else fail "NO_PROXY gets the governed names" "$output"; fi
    if [ "$(governed env LD_PRELOAD=libm.so.6 "$printer" | grep ^LD_PRELOAD)" = "LD_PRELOAD=$SHIM:libm.so.6" ]; then
        pass "the user's LD_PRELOAD is kept"
    else fail "the user's LD_PRELOAD is kept" "$(governed env LD_PRELOAD=libm.so.6 "$printer")"; fi
    output=$(governed env -i TOLLGATE_RUNTIME=/no/such/agent SSL_CERT_FILE=/mine "$printer")
    if echo "$output" | grep -q '^SSL_CERT_FILE=/mine$' && ! echo "$output" | grep -q "$RUN"; then
        pass "another agent's family is not mixed with ours"
    else fail "another agent's family is not mixed with ours" "$output"; fi
    mkdir "$DIR/copy" && cp "$SHIM" "$DIR/copy/libtollgate.so"
    output=$(governed env LD_PRELOAD="$DIR/copy/libtollgate.so" TOLLGATE_SHIM="$DIR/copy/libtollgate.so" \
        sh -c "rm -r '$DIR/copy'; '$printer'; env -i '$printer'" 2>&1)
    if [ -n "$output" ] && ! echo "$output" | grep -E 'ld\.so|libtollgate.so$' | grep -v '^TOLLGATE_SHIM='; then
        pass "a library that is gone is not asked for"
    else fail "a library that is gone is not asked for" "$output"; fi
    if governed env -i "$printer" | sort | cmp -s - <(governed sh -c "exec env -i '$printer'" | sort); then
        pass "completed environments are equal"
    else fail "completed environments are equal" "they differ"; fi
}

# Whoever may not read our files gets nothing of ours: sudo, su and the like behave as without us.
check_users() {
    if [ "$(id -u)" != 0 ] || ! have setpriv; then
        skip "programs that become another user" "needs root and setpriv"
        return
    fi
    local public=$DIR/public as="setpriv --reuid 65534 --regid 65534 --clear-groups" output mine
    chmod 755 "$DIR" && mkdir -m 755 "$public" && cp "$SHIM" "$DIR/printer" "$public/" && chmod 755 "$public"/*
    mine=(env "LD_PRELOAD=$public/libtollgate.so" "TOLLGATE_SHIM=$public/libtollgate.so" OPENAI_API_KEY=kt_cg_x KEEP=1
        TOLLGATE_WAS_SSL_CERT_FILE=/was TOLLGATE_WAS_PIP_CERT=/merge SSL_CERT_FILE="$RUN/bundle.pem" REQUESTS_CA_BUNDLE=/own
        PIP_CERT=/x/merged/0123456789abcdef.pem "TOLLGATE_BASE_URLS=A_URL,OPENAI_BASE_URL" OPENAI_BASE_URL=http://127.0.0.1:7/openai
        B_URL=http://127.0.0.1:7/ HTTPS_PROXY=http://127.0.0.1:9 NO_PROXY=a.test)
    # as_without_us NAME COMMAND…: the program finds what the user had, and nothing else of what is looked for.
    as_without_us() {
        local name=$1
        shift
        output=$(governed "${mine[@]}" "$@" 2>&1 | grep -E "ld\.so|TOLLGATE|libtollgate|LD_PRELOAD|$RUN|kt_cg_|KEEP|CERT|CA_|_URL|NO_PROXY" | sort | tr '\n' ' ')
        if [ "$output" = "B_URL=http://127.0.0.1:7/ KEEP=1 NO_PROXY=a.test PIP_CERT=/merge REQUESTS_CA_BUNDLE=/own SSL_CERT_FILE=/was " ]; then pass "$name"
        else fail "$name" "$output"; fi
    }
    as_without_us "as another user" $as "$public/printer"
    as_without_us "and below its shell" $as sh -c "'$public/printer'; exit"
    as_without_us "by effective ids alone" /usr/bin/python3 -c "import os; os.setegid(65534); os.seteuid(65534); os.execv('$public/printer', ['x'])"
    printf '#include <unistd.h>\nint main(int n, char **a) { return n < 2 || setgid(65534) || setuid(65534) || execv(a[1], a + 1); }\n' >"$DIR/become.c"
    gcc -static -o "$public/become" "$DIR/become.c"
    # No hook completed NO_PROXY there, and no map says what of it is ours.
    as_without_us "started by a program that no hook sees" env -u no_proxy NO_PROXY=a.test "$public/become" "$public/printer"
    output=$(governed env -i "LD_PRELOAD=$public/libtollgate.so" KEEP=1 $as "$public/printer" 2>&1)
    if [ "$output" = KEEP=1 ]; then pass "nothing is put back either"; else fail "nothing is put back either" "$output"; fi
    chmod 711 "$RUN" && chmod 644 "$RUN"/*
    output=$(governed env "${mine[@]:1:2}" $as env -i "$public/printer" 2>&1)
    if echo "$output" | grep -q "^TOLLGATE_RUNTIME=$RUN$" && echo "$output" | grep -q "^SSL_CERT_FILE=$RUN/bundle.pem$"; then
        pass "who may read our files is governed"
    else fail "who may read our files is governed" "$output"; fi
    chmod 700 "$RUN" "$DIR"
}

check_errors() {
    local plain="$DIR/errors.plain" shimmed="$DIR/errors.shim" where="$DIR/errors"
    mkdir "$where"
    env -i PATH="$PATH" timeout 60 "$CLIENTS/shim_exec" errors "$where" >"$plain" 2>&1
    rm -rf "$where"
    mkdir "$where"
    governed timeout 60 "$CLIENTS/shim_exec" errors "$where" >"$shimmed" 2>&1
    if [ "$(wc -l <"$plain")" -gt 250 ] && cmp -s "$plain" "$shimmed"; then
        pass "errno for errno: $(grep -c 'errno [1-9]' "$plain") failing execs"
    else fail "errno for errno" "$(diff "$plain" "$shimmed" | head -5)"; fi
}

trace() {
    strace -f -o "$DIR/trace" "$@" >/dev/null 2>&1
    sed -n '/getpgid(77)/,/getpgid(78)/p' "$DIR/trace" | sed -E 's/^[0-9]+ +//; s/0x[0-9a-f]+/POINTER/g; s/getrandom\("[^"]*"/getrandom(BYTES/'
}

check_quiet() {
    if ! have strace || ! strace -o /dev/null true 2>/dev/null; then
        skip "no system call added" "no strace"
        return
    fi
    trace env -i "$CLIENTS/shim_quiet" >"$DIR/trace.plain"
    trace env -i "${FAMILY[@]}" "$CLIENTS/shim_quiet" >"$DIR/trace.shim"
    if [ "$(wc -l <"$DIR/trace.plain")" -gt 20 ] && cmp -s "$DIR/trace.plain" "$DIR/trace.shim"; then
        pass "no system call added in $(wc -l <"$DIR/trace.plain")"
    else fail "no system call added" "$(diff "$DIR/trace.plain" "$DIR/trace.shim" | head -5)"; fi
}

check_bad_maps() {
    local good="$DIR/map.good" size length byte died=0 accepted=0 code
    cp "$RUN/map" "$good"
    size=$(wc -c <"$good")
    for length in 0 1 7 8 15 16 24 47 48 49 55 56 63 80 $((size / 2)) $((size - 1)); do
        head -c "$length" "$good" >"$RUN/map"
        governed "$CLIENTS/shim_quiet" || died=1
        [ "$(governed sh -c 'echo "${SSL_CERT_FILE-}"')" = "" ] || accepted=1
    done
    for length in $(seq 0 $((size - 1))); do
        cp "$good" "$RUN/map"
        byte=$(od -An -tu1 -j"$length" -N1 "$good")
        printf "\\x$(printf %x $((byte ^ 0xa5)))" | dd of="$RUN/map" bs=1 seek="$length" conv=notrunc status=none
        governed "$CLIENTS/shim_quiet" || died=1
        [ "$(governed sh -c 'echo "${SSL_CERT_FILE-}"')" = "" ] || accepted=1
    done
    for length in offset text address count redirect; do
        "$CLIENTS/shim_map" "$RUN/map" -x "$length" -p "443:$AGENT_PORT" api.openai.com=127.77.0.1 -r 2001:db8::7 127.78.0.3
        governed "$CLIENTS/shim_quiet" || died=1
        [ "$(governed sh -c 'echo "${SSL_CERT_FILE-}"')" = "" ] || accepted=1
    done
    (cat "$good"; echo more) >"$RUN/map"
    [ "$(governed sh -c 'echo "${SSL_CERT_FILE-}"')" = "" ] || accepted=1
    rm "$RUN/map"
    mkfifo "$RUN/map"
    governed timeout 5 "$CLIENTS/shim_quiet"
    code=$?
    [ $code -eq 0 ] || died=$code
    rm "$RUN/map"
    governed "$CLIENTS/shim_quiet" || died=1
    cp "$good" "$RUN/map"
    if [ $died -eq 0 ]; then pass "truncated and corrupt maps harm nobody"; else fail "truncated and corrupt maps harm nobody" "$died"; fi
    if [ $accepted -eq 0 ]; then pass "no wrong map is believed"; else fail "no wrong map is believed" "one was"; fi
}

# One more name than a variable of the kernel could hold in NO_PROXY.
check_ten_thousand_names() {
    local names output child="$CLIENTS/shim_exec" printer="$DIR/printer"
    mapfile -t names < <(awk 'BEGIN { for (i = 0; i < 10000; i++) printf "name-%05d.many.test=127.77.%d.%d\n", i, 16 + i / 250, 1 + i % 250 }')
    cp "$RUN/map" "$DIR/map.good"
    "$CLIENTS/shim_map" "$RUN/map" -p "443:$AGENT_PORT" api.anthropic.com=127.77.0.2 api.openai.com=127.77.0.1 "${names[@]}" ||
        { fail "10,000 names" "no map"; return; }
    expects "10,000 names: first, middle, last, none" "^127.77.0.2 127.77.36.1 127.77.55.250 gaierror$" governed python3 -c 'import socket
def ask(name):
    try:
        return socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)[0][4][0]
    except OSError as error:
        return type(error).__name__
print(*map(ask, ("api.anthropic.com", "name-05000.many.test", "NAME-09999.many.test.", "name-10000.many.test")))'
    expects "10,000 names in /etc/hosts" "^10000$" sh -c 'governed cares-cat /etc/hosts | grep -c many.test'
    status "10,000 names: child after env -i" 7 governed env -i "$child" child
    status "10,000 names: child with a proxy, after env -i" 7 governed env -i HTTPS_PROXY=http://127.0.0.1:9 "$child" child
    status "10,000 names: its own children" 7 governed HTTPS_PROXY=http://127.0.0.1:9 sh -c "sh -c \"exec '$child' child\""
    output=$(governed HTTPS_PROXY=http://127.0.0.1:9 NO_PROXY=a.test sh -c "'$printer'" | grep '^NO_PROXY=')
    if [[ $output =~ ^NO_PROXY=a.test,api.anthropic.com,api.openai.com,name-00000.*,name-[0-9]{5}.many.test$ && ${#output} -le 4200 ]]; then
        pass "NO_PROXY gets those that fit"
    else fail "NO_PROXY gets those that fit" "${#output} bytes: ${output:0:60}…${output: -40}"; fi
    cp "$DIR/map.good" "$RUN/map"
}

check_tools() {
    if have valgrind; then
        expects "valgrind: names" "ERROR SUMMARY: 0 errors" governed valgrind --error-exitcode=9 --leak-check=full "$CLIENTS/shim_names"
        expects "valgrind: execs" "ERROR SUMMARY: 0 errors" governed valgrind --error-exitcode=9 --leak-check=full "$CLIENTS/shim_quiet"
        lines "valgrind: connections" governed TOLLGATE_GROUP=research valgrind -q --error-exitcode=9 "$CLIENTS/shim_connect" "$RUN" "$AGENT_PORT" "$OPEN_PORT" gentle
    else skip valgrind "not installed"; fi
    if gcc -D_GNU_SOURCE -I. -fsanitize=address,undefined -o "$DIR/asan_names" tests/clients/shim_names.c 2>/dev/null; then
        expects "ASan program after env -i" "^ok gethostbyname$" governed env -i "$DIR/asan_names"
        expects "ASan program with options of its own" "^ok gethostbyname$" governed env -i ASAN_OPTIONS=detect_leaks=1 "$DIR/asan_names"
    else skip "ASan program" "no libasan"; fi
}

PYTHON_FETCH='
try:
    from urllib.request import urlopen
except ImportError:
    from urllib2 import urlopen
print(urlopen("https://api.openai.com/").read())'
PYTHON_CAFILE='
import socket, ssl
context = ssl.create_default_context(cafile="/etc/ssl/certs/ISRG_Root_X1.pem")
tls = context.wrap_socket(socket.create_connection(("api.openai.com", 443)), server_hostname="api.openai.com")
print("Cipher is", tls.cipher(), tls.getpeername()[1] == 443 and "port hidden")'
PYTHON_CONTEXTS='
import ssl
count = lambda protocol: len([c for c in ssl.SSLContext(protocol).get_ca_certs() if "Tollgate" in str(c)])
print("client", count(ssl.PROTOCOL_TLS_CLIENT), "server", count(ssl.PROTOCOL_TLS_SERVER))'

PYTHON_OTHER_NAME='
import socket, ssl
context = ssl.create_default_context()
try:
    context.wrap_socket(socket.create_connection(("api.openai.com", 443)), server_hostname="other.test")
    print("accepted")
except ssl.SSLCertVerificationError:
    print("refused")'

check_clients() {
    local url=https://api.openai.com/ output
    # client NAME PROGRAM ARGUMENTS…: the server's page must arrive over verified TLS.
    client() {
        local name=$1
        shift
        if have "$1"; then expects "client: $name" "Cipher" governed "$@"; else skip "client: $name" "not installed"; fi
    }
    client curl curl -sS "$url"
    client "curl --cacert" curl -sS --cacert /etc/ssl/certs/ISRG_Root_X1.pem "$url"
    client "curl below env -i" env -i curl -sS "$url"
    client "curl below a proxy" env HTTPS_PROXY=http://127.0.0.1:9 curl -sS "$url"
    client wget wget -qO- "$url"
    client "system python urllib" /usr/bin/python3 -c "$PYTHON_FETCH"
    client "python urllib" python3 -c "$PYTHON_FETCH"
    client "python explicit cafile" python3 -c "$PYTHON_CAFILE"
    if python3 -c 'import requests' 2>/dev/null; then
        client "python requests" python3 -c 'import requests; print(requests.get("https://api.openai.com/").text)'
    else skip "client: python requests" "not installed"; fi
    client "node fetch" node -e 'fetch("https://api.openai.com/").then(r => r.text()).then(console.log)'
    client "node fetch below env -i" env -i "$(command -v node)" -e 'fetch("https://api.openai.com/").then(r => r.text()).then(console.log)'
    client "ruby net/http" ruby -rnet/http -e 'puts Net::HTTP.get(URI("https://api.openai.com/"))'
    client "ruby with a store of its own" ruby -rnet/http -ropenssl -e 'h = Net::HTTP.new("api.openai.com", 443)
h.use_ssl = true; h.cert_store = OpenSSL::X509::Store.new; puts h.get("/").body'
    if perl -MLWP::UserAgent -e 1 2>/dev/null; then
        client "perl LWP" perl -MLWP::UserAgent -e 'print LWP::UserAgent->new->get("https://api.openai.com/")->content'
    else skip "client: perl LWP" "not installed"; fi
    client php php -r 'echo file_get_contents("https://api.openai.com/");'
    if have git; then
        output=$(GIT_TERMINAL_PROMPT=0 governed timeout 20 git ls-remote https://api.openai.com/x.git 2>&1)
        # The page is no repository; what counts is that TLS was not the reason.
        if echo "$output" | grep -qiE 'certificate|resolve|refused|connect|tls'; then fail "client: git" "$output"; else pass "client: git"; fi
    else skip "client: git" "not installed"; fi
    if have keytool && [ -f /etc/ssl/certs/java/cacerts ]; then
        cp /etc/ssl/certs/java/cacerts "$RUN/cacerts.jks" && chmod u+w "$RUN/cacerts.jks"
        keytool -importcert -noprompt -alias tollgate -file "$DIR/ca.pem" -keystore "$RUN/cacerts.jks" -storepass changeit >/dev/null 2>&1
        cat >"$DIR/Fetch.java" <<'JAVA'
import java.net.URI;
import java.net.http.*;
public class Fetch { public static void main(String[] a) throws Exception {
    HttpRequest request = HttpRequest.newBuilder(URI.create("https://api.openai.com/")).build();
    System.out.println(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body()); } }
JAVA
        client "java HttpClient" java "$DIR/Fetch.java"
        output=$(governed keytool -list -cacerts -storepass changeit 2>&1)
        if echo "$output" | grep -q '^tollgate'; then fail "keytool sees the real store" "ours"; else pass "keytool sees the real store"; fi
    else skip "client: java" "not installed"; fi
    expects "server contexts are left alone" "client 1 server 0" governed python3 -c "$PYTHON_CONTEXTS"
    expects "verification of names stays on" "^refused$" governed python3 -c "$PYTHON_OTHER_NAME"
}

make_roots || { echo "skip all: openssl failed"; exit 77; }
write_map || exit 1
check_library
check_names_everywhere
lines "connections" governed TOLLGATE_GROUP=research "$CLIENTS/shim_connect" "$RUN" "$AGENT_PORT" "$OPEN_PORT"
check_hosts
check_children
check_left_alone
check_users
check_errors
check_quiet
check_bad_maps
check_ten_thousand_names
lines "storm" governed "$CLIENTS/shim_storm" "$AGENT_PORT"
check_tools
if start_server; then
    check_clients
    stop_server
    status "server gone: refused at once" 7 governed curl -sS https://api.openai.com/
else
    fail "TLS server" "$(cat "$DIR/server.log")"
fi
env -i "$CLIENTS/shim_cost" "${FAMILY[@]}"
exit $failed
