#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What runs under Tollgate, and what goes past it: `tollgate ps`, the leak detector's events, the doctor's finding.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
play "programs that are governed, silent, and past the agent"
provider
policy <<P
$(cat "$ROOT/policies/policy-config.dev.yaml")
capture: {addresses: ["127.0.0.61"], leak_check_seconds: 1}
P
agent

# A program that calls and stays, one that is silent, and a stranger's leak below.
cat >"$T/caller.py" <<'P'
import os, sys, time, urllib.request
if sys.argv[1] == "call":
    request = urllib.request.Request("https://api.openai.com/v1/chat/completions", b'{"model":"gpt-5.4-mini-mini","messages":[{"role":"user","content":"hi"}]}',
        {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "content-type": "application/json"})
    urllib.request.urlopen(request).read()
print("ready", flush=True)
time.sleep(600)
P
started=()
start_one() { # NAME COMMAND…: until it says ready
    local name=$1
    shift
    "$@" >"$T/$name.out" 2>"$T/$name.err" &
    started+=($!)
    wait_for 20 grep -q ready "$T/$name.out" || { cat "$T/$name.err"; return 1; }
}
governed_quietly() { "$TOLLGATE" run -- "$@"; }
start_one caller governed_quietly /usr/bin/python3 "$T/caller.py" call
start_one silent governed_quietly /usr/bin/python3 "$T/caller.py" wait
"$TOLLGATE" ps >"$T/ps"
check "nothing goes past: exit 0" [ $? -eq 0 ]
cat "$T/ps"
check "who calls is governed" grep -Eq 'preload +governed .*python3(\.[0-9]+)? .*caller.py' "$T/ps"
check "who does not is silent" grep -Eq 'preload +silent .*python3' "$T/ps"
is "two programs" "$("$TOLLGATE" ps --json | json 'len(d["processes"])')" 2
is "one call" "$("$TOLLGATE" ps --json | json 'sorted(p["calls"] for p in d["processes"])')" "[0, 1]"
check "arguments are not shown" bash -c "! grep -q 'caller.py call' '$T/ps'"

# A provider's address, reached by somebody who does not run under Tollgate.
if ! python3 -c 'import socket; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.61", 443))' 2>/dev/null; then
    skip "port 443 cannot be bound here: leaks are not played"
else
    cat >"$T/leak.py" <<'P'
import socket, sys, threading, time
# Closes what names one of ours, or no server; keeps the others, who say nothing or name a provider.
def serve(peer):
    while data := peer.recv(10000):
        if b".test" in data or b"no handshake" in data:
            peer.close()
            return
def accept():
    while True:
        threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
if sys.argv[1] == "listen":
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.61", 443))
    server.listen()
    threading.Thread(target=accept, daemon=True).start()
else:
    client = socket.create_connection(("127.0.0.61", 443))
print("ready", flush=True)
time.sleep(600)
P
    start_one server /usr/bin/python3 "$T/leak.py" listen
    start_one leak /usr/bin/python3 "$T/leak.py" connect
    "$TOLLGATE" ps >"$T/ps"
    check "something goes past: exit 1" [ $? -eq 1 ]
    check "said loudly, with its program" grep -Eq "^UNGOVERNED pid ${started[-1]}, .*/python3[.0-9]*: connected to 127.0.0.61 past the agent" "$T/ps"
    check "it becomes an event" wait_for 10 bash -c "'$TOLLGATE' events --json --limit 5 | grep -q '\"kind\": *\"ungoverned\"'"
    "$TOLLGATE" ps >/dev/null # each is another look
    "$TOLLGATE" ps >/dev/null
    ungoverned_events() { "$TOLLGATE" events --json --limit 50 | json 'sum(e.get("kind") == "ungoverned" for e in d["events"])'; }
    is "one event, however often it is seen" "$(ungoverned_events)" 1
    check "the log says it" grep -q UNGOVERNED "$T/s/tollgate/dev/agent.log"
    check "why explains it" bash -c "'$TOLLGATE' why last | grep -q 'past the agent'"
    "$TOLLGATE" doctor >"$T/doctor"
    check "the doctor knows the address" grep -Eq '^ok +addresses +1 addresses' "$T/doctor"
    check "the doctor fails" grep -Eq '^failure +leaks +1 connections' "$T/doctor"
    kill "${started[-1]}"
    wait "${started[-1]}" 2>/dev/null
    "$TOLLGATE" ps >"$T/ps"
    check "gone: exit 0 again" [ $? -eq 0 ]
    # Through the agent, to that address, but with no governed name: it is passed on, and said.
    cat >"$T/passed.py" <<'P'
import socket, ssl, sys
for name in sys.argv[1:]:
    client = socket.create_connection(("127.0.0.61", 443))
    client.settimeout(20)  # not gone before the agent looks whose connection it is
    try:
        if name == "-":
            client.sendall(b"no handshake")
            client.recv(1)
        else:
            ssl.create_default_context().wrap_socket(client, server_hostname=name)
    except OSError:
        pass
P
    governed_quietly /usr/bin/python3 "$T/passed.py" other.test other.test elsewhere.test
    passed_events() { "$TOLLGATE" events --json --limit 50 | json 'sum("passed the program on" in (e.get("error_detail") or "") for e in d["events"])'; }
    one_passed() { [ "$(passed_events)" = 1 ]; }
    check "what names another server at a provider's address is an event" wait_for 10 one_passed
    governed_quietly curl -sS -m 20 --resolve third.test:443:127.0.0.61 https://third.test/ >/dev/null 2>&1
    two_passed() { [ "$(passed_events)" = 2 ]; }
    check "once for each program" wait_for 10 two_passed
    log=$T/s/tollgate/dev/agent.log
    check "with words that say which" grep -Eq 'UNGOVERNED.*/python3[.0-9]* \(pid [1-9][0-9]*, uid [0-9]+\) was passed on to 127.0.0.61 port 443, and named other.test, which is not governed' "$log"
    check "why has them" bash -c "'$TOLLGATE' why last | grep -q 'it named third.test, which is not governed'"
    cp "$(readlink -f /usr/bin/python3)" "$T/another"
    governed_quietly "$T/another" "$T/passed.py" -
    check "nothing that could be read is said, too" wait_for 10 grep -q 'another (pid .* and named no server' "$log"
    four_events() { [ "$(ungoverned_events)" = 4 ]; }
    check "each of the four is an event" wait_for 10 four_events
    # An agent of another installation, whose file an upgrade has taken away: it waits for the same address.
    mkdir "$T/other"
    cp "$BUILD/tollgated" "$T/other/"
    sed "s|https://127.0.0.1:$PROVIDER_PORT|https://127.0.0.61|" "$T/providers.yaml" >"$T/other/providers.yaml"
    other=(--state "$T/other/state" --runtime "$T/other/runtime")
    check "another agent starts" env TOLLGATED="$T/other/tollgated" "$TOLLGATE" start "${other[@]}" \
        --policy "$T/policy-config.dev.yaml" --providers "$T/other/providers.yaml" --prices "$ROOT/policies/prices.yaml"
    rm "$T/other/tollgated"
    "$TOLLGATE" run "${other[@]}" -- curl -sS https://api.openai.com/v1/models >/dev/null 2>&1 &
    started+=($!)
    calls_the_address() { awk '$3 == "3D00007F:01BB" && $4 == "01" { found = 1 } END { exit !found }' /proc/net/tcp; }
    check "it calls the provider" wait_for 20 calls_the_address
    "$TOLLGATE" ps >"$T/ps"
    check "an agent's call is no leak, whichever agent's" [ $? -eq 0 ]
    check "the call was still there" calls_the_address
    is "nor an event" "$(ungoverned_events)" 4
    kill "${started[-1]}"
    check "another agent stops" "$TOLLGATE" stop "${other[@]}"
fi
kill "${started[@]}" 2>/dev/null
wait "${started[@]}" 2>/dev/null
stop_agent
done_playing
