#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# prod's agent as a user of its own, as on a server: it may not look into the processes of others, and its events name
# program, directory and project all the same.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] && command -v setpriv >/dev/null || { skip "needs root and setpriv"; exit 77; }
play "prod's agent as its own user"
provider
# What that user may execute and read.
mkdir -m 755 "$T/bin" "$T/policies" "$T/project"
cp "$BUILD/tollgate" "$BUILD/tollgated" "$BUILD/libtollgate.so" "$T/bin/"
cp "$ROOT/policies/prices.yaml" "$T/policies/"
chmod 644 "$T/policies/prices.yaml"
printf '#!/bin/sh\nexec setpriv --reuid=65534 --regid=65534 --clear-groups "%s" "$@"\n' "$T/bin/tollgate" >"$T/bin/as-agent"
chmod 755 "$T" "$T/bin/as-agent"
chmod 644 "$T/providers.yaml" "$T/provider-ca.pem"
TOLLGATE=$T/bin/as-agent ENVIRONMENT=prod
policy <<'Y'
capture: {base_urls: true, addresses: ["203.0.113.9"]}
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
consumer_groups:
  - {name: any, api_key: kt_cg_any, wallet_team_id: any}
wallets: [{id: any, credit: "1"}]
access: {uids: [0, 61001, 61002, 61003, 61004, 61005, 61006, 61007, 61008], gids: [1]}
Y
chmod 644 "$T/policy-config.prod.yaml"
install -d -o 65534 -g 65534 -m 700 "$T/ps"
install -d -o 65534 -g 65534 -m 755 "$T/pr"
agent
pid=$("$TOLLGATE" status --env prod --json | json 'd["pid"]')
is "the agent is that user" "$(awk '/^Uid:/{print $3}' "/proc/$pid/status")" 65534
check "it may not read whose program that is" sh -c '! setpriv --reuid=65534 --regid=65534 --clear-groups readlink /proc/$$/exe'

curl=$(readlink -f "$(command -v curl)")
calls() { # ENGINE URL: the status
    note_events
    (cd "$T/project" && "$T/bin/tollgate" run --env prod --engine "$1" --group any --project shop --base-url -- curl -sS -m 20 -o /dev/null \
        -w '%{http_code}' "$2/v1/chat/completions" -H 'authorization: Bearer kt_cg_any' -d "$(openai_body gpt-5.4-nano)")
}
whose() { last_event '["executable"]+" "+d["events"][0]["directory"]+" "+d["events"][0]["project"]'; }
base=http://127.0.0.1:$("$TOLLGATE" status --env prod --json | json 'd["base_url_port"]')/openai
for engine in preload supervise; do
    is "$engine: answered" "$(calls $engine https://api.openai.com)" 200
    is "$engine: the event knows program, directory, project" "$(whose)" "$curl $T/project shop"
    is "$engine, by base URL: answered" "$(calls $engine "$base")" 200
    is "$engine, by base URL: the event knows them, too" "$(whose)" "$curl $T/project shop"
done
if command -v go >/dev/null && unshare -m true 2>/dev/null; then
    export GOCACHE=$T/gocache GOPROXY=off GOTOOLCHAIN=local GOFLAGS=-mod=mod
    CGO_ENABLED=0 go build -o "$T/post" "$ROOT/tests/clients/post.go" || not_ok "the Go program is built"
    printf '203.0.113.9 api.openai.com\n' >"$T/hosts"
    note_events
    has "a Go program: answered" "$(cd "$T/project" && unshare -m sh -c 'mount --bind "$1" /etc/hosts && shift && exec "$@"' sh "$T/hosts" \
        env OPENAI_API_KEY=kt_cg_any "$T/bin/tollgate" run --env prod --group any --project shop -- "$T/post" https://api.openai.com/v1/chat/completions \
        "$(openai_body gpt-5.4-nano)" 2>&1)" '200 {'
    is "a Go program: the supervisor says what it is" "$(whose)" "$T/post $T/project shop"
else
    skip "a Go program needs go and a private mount namespace"
fi
# Whoever fills the queue of hellos, which is short and everybody's.
python3 "$ROOT/tests/scenarios/74-crowd.py" flood "$T/pr/identity.sock" "$T/flood" &
flooder=$!
ON_END="kill $flooder"
wait_for 10 test -e "$T/flood" || not_ok "the queue of hellos can be filled"
cat >"$T/many.py" <<'PYTHON'
import os, ssl, sys, urllib.request
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
for _ in range(int(sys.argv[2])): # a connection each
    urllib.request.urlopen(urllib.request.Request("https://api.openai.com/v1/chat/completions", sys.argv[1].encode(),
                                                  {"authorization": "Bearer kt_cg_any"}), context=context, timeout=30).read()
PYTHON
before=$(events | json 'len(d["events"])')
check "200 connections in a flood" sh -c 'cd "$1" && shift && exec "$@"' sh "$T/project" "$T/bin/tollgate" run --env prod --group any --project shop \
    -- /usr/bin/python3 "$T/many.py" "$(openai_body gpt-5.4-nano)" 200
came() { [ "$(events | json 'len(d["events"])')" -ge $((before + 200)) ]; }
check "all have their events" wait_for 20 came
kill "$flooder"
wait "$flooder" 2>/dev/null
ON_END=
is "who floods the queue of hellos hides nobody's call" \
    "$(events | json '[*{(e["executable"], e["directory"], e["project"]) for e in d["events"][:200]}]')" \
    "[('$(readlink -f /usr/bin/python3)', '$T/project', 'shop')]"
# Addresses that no provider is known to have.
supervisor() { /usr/bin/python3 "$ROOT/tests/scenarios/21-redirect.py" "$@"; }
is "prod calls nobody on another's word" "$(supervisor forged "$T/pr" 192.0.2.9 none)" "Connection refused"
is "but a provider" "$(supervisor forged "$T/pr" 203.0.113.9 none)" believed
/usr/bin/python3 "$ROOT/tests/scenarios/21-redirect.py" plain_server 127.0.0.57 "$T/ready" &
server=$!
ON_END="kill $server"
wait_for 10 test -e "$T/ready"
is "and passes on to whom the supervisor has called" "$(supervisor announced "$T/pr" 127.0.0.57 '' none 0 reached)" "220 welcome"
kill "$server"
wait "$server" 2>/dev/null
ON_END=
settled any

# ---- a user without room for another thread (ulimit -u, TasksMax=): what needs one waits, the agent goes on ----
limit() { setpriv --reuid=65534 --regid=65534 --clear-groups prlimit --pid "$pid" "$@"; }
room=$(limit --nproc --raw --noheadings --output SOFT)
threads() { limit --nproc="$1:"; }
check "the agent's user gets no further thread" threads 1
(
    for i in 1 2 3; do timeout 10 "$TOLLGATE" status --env prod; done
) >"$T/lack" 2>&1
lacks "status has no answer then" "$(cat "$T/lack")" "environment"
is "calls are answered" "$(curl -sS -m 20 -o /dev/null -w '%{http_code}' "$base/v1/chat/completions" -H 'authorization: Bearer kt_cg_any' \
    -d "$(openai_body gpt-5.4-nano)")" 200
check "until it has room" threads "$room"
is "it answers, the same agent" "$("$TOLLGATE" status --env prod --json | json 'd["pid"]')" "$pid"
has "and its log says what there was" "$(cat "$T"/ps/*.log "$T"/ps/*/*.log "$T/ps"/*/*/*.log 2>/dev/null)" "no thread or memory can be had"
settled any

# ---- who is taken off the list while his connection is open ----
cat >"$T/keeps.py" <<'PYTHON'
import http.client, os, ssl, sys, time
connection = http.client.HTTPSConnection("api.openai.com", context=ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"]), timeout=30)
connection.connect()
connection.auto_open = 0  # this connection, or none
for until in sys.argv[2:]:
    for _ in range(600):
        if os.path.exists(until):
            break
        time.sleep(0.05)
    try:
        connection.request("POST", "/v1/chat/completions", sys.argv[1], {"authorization": "Bearer kt_cg_any"})
        answer = connection.getresponse()
        answer.read()
        print(answer.status, flush=True)
    except OSError: # a reset, or an end, as the kernel sees it
        print("closed", flush=True)
PYTHON
chmod 644 "$T/keeps.py"
setpriv --reuid=61001 --regid=61001 --clear-groups "$T/bin/tollgate" run --env prod --group any -- /usr/bin/python3 "$T/keeps.py" "$(openai_body gpt-5.4-nano)" \
    / "$T/on" "$T/off" >"$T/keeps" 2>&1 &
keeps=$!
ON_END="kill $keeps"
said() { [ "$(wc -l <"$T/keeps")" -ge "$1" ]; }
check "a member calls" wait_for 20 said 1
check "the policy is loaded again" "$TOLLGATE" reload --env prod
touch "$T/on"
check "his connection stays" wait_for 20 said 2
sed -i 's/61001, //' "$T/policy-config.prod.yaml"
check "access is taken from him" "$TOLLGATE" reload --env prod
touch "$T/off"
wait "$keeps" 2>/dev/null
ON_END=
is "and with it the connection that he had open" "$(xargs <"$T/keeps")" "200 200 closed"
has "the log says so" "$(cat "$T/ps/agent.log")" "no longer list uid 61001"
sed -i 's/uids: \[0, /&61001, /' "$T/policy-config.prod.yaml"
"$TOLLGATE" reload --env prod >/dev/null

# ---- the sockets that everybody can open: strangers have places of their own ----
crowd() { timeout 120 python3 "$ROOT/tests/scenarios/74-crowd.py" "$@"; }
report=$T/pr/report.sock
is "a crowd of strangers shuts nobody out" "$(crowd full "$report")" "owner 200 user 200 group 200 database 200 stranger 403 True"
is "nor does one member" "$(crowd greedy "$report" 61001)" "other 200 owner 200 200"
is "nor do members that crowd" "$(crowd crowded "$report")" "member 200 again 200 owner 200 True"
# Lines of refusals, and how many refusals they tell of.
told() { grep 'control request refused' "$T/ps/agent.log" | grep "$1" | sed -n 's/.*and \([0-9]*\) refusals that.*/\1/p; t; s/.*/0/p' |
    awk '{ lines++; told += 1 + $1 } END { print lines + 0, told + 0 }'; }
before=$(told 'uid 62001')
refused=$(crowd refused "$report" 400)
lines=$(told 'uid 62001')
is "refusals are told, all of them" "$refused $((${lines#* } - ${before#* }))" "401 401"
check "and most of them by their number" test $((${lines% *} - ${before% *})) -lt 200
is "a stranger who drips is cut off" "$(crowd slow "$report")" "cut off"

# ---- root's orders leave the ledger to that user ----
as_root() { "$T/bin/tollgate" "$@" --env prod >"$T/out" 2>&1; }
check "a backup" "$TOLLGATE" backup --env prod "$T/ps/copy"
stop_agent
as_root restore "$T/ps/copy"
is "root's restore is refused" $? 77
has "with the command to use" "$(cat "$T/out")" "runuser -u $(id -nu 65534) -- tollgate restore --env prod $T/ps/copy"
for order in audit dump; do
    as_root $order
    is "so is root's $order" $? 77
done
is "nothing there is root's" "$(find "$T/ps" -user 0)" ""
check "that user restores" "$TOLLGATE" restore --env prod "$T/ps/copy"
for file in ledger/lock ledger/log.0000000001 ledger/ids.db; do
    [ $file != ledger/lock ] && chown 0 "$T/ps/$file" || chown -R 0 "$T/ps/ledger"
    is "$file is root's all the same: no agent" "$("$TOLLGATE" start --env prod --policy "$T/policy-config.prod.yaml" \
        --providers "$T/providers.yaml" >"$T/out" 2>&1; echo $?)" 74
    has "with the file" "$(cat "$T/out")" "${file#*/}: "
    has "and the reason" "$(cat "$T/out")" "Permission denied"
    lacks "and no empty hint" "$(cat "$T/out")" "()"
    chown -R 65534 "$T/ps/ledger"
done
agent
# Root, whom access does not name, looks after it.
sed -i 's/uids: \[0, /uids: [/' "$T/policy-config.prod.yaml"
check "a policy without root is in force" "$TOLLGATE" reload --env prod
trust() { "$T/bin/tollgate" doctor --prod --json 2>/dev/null | json '[c["status"] + ": " + c["text"] for c in d["checks"] if c["name"] == "trust"]'; }
has "root's run says that its calls are closed" "$("$T/bin/tollgate" run --env prod -- true 2>&1)" "this user may not use the agent of prod"
is "root's doctor does not take that for a failure" "$(trust)" "['warning: not tested: access of the policy does not admit root']"
# With a key in the agent's store, which is not root's.
echo sk-stored-0123456789 | "$TOLLGATE" secret set openai --env prod >/dev/null
sed -i 's/{env: OPENAI_API_KEY}/{store: openai}/' "$T/policy-config.prod.yaml"
check "a policy with a key of the store is in force" "$TOLLGATE" reload --env prod
as_root restart
is "root's restart is refused" $? 77
is "with the reason and the command, and nothing about the policy" "$(cat "$T/out")" \
    "tollgate: $T/ps is $(id -nu 65534)'s, and so must a new agent be: runuser -u $(id -nu 65534) -- tollgate restart --env prod"
check "that user's is done" "$TOLLGATE" restart --env prod
stop_agent
printf '#!/bin/sh\necho "$@"\n' >"$T/bin/systemctl"
chmod 755 "$T/bin/systemctl"
NOTIFY_SOCKET=$T/nobody "$TOLLGATE" start --env prod --foreground >"$T/foreground" 2>&1 &
foreground=$!
wait_for 20 "$TOLLGATE" status --env prod || not_ok "an agent of a manager starts" "$(cat "$T/foreground")"
is "of systemd's agent root's restart asks that user's eyes, and then systemd" "$(PATH=$T/bin:$PATH "$T/bin/tollgate" restart --env prod 2>/dev/null)" \
    "restart tollgated@prod"
stop_agent
wait "$foreground"
done_playing
