#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Operations on a running agent: restart without a refused connection, and the way back when the new one cannot start.
. "$(dirname "$0")/lib.sh"
play "an agent is operated"
provider
one_target "capture: {base_urls: true}" \
    "limits: {drain_timeout_ms: 600000}" # nothing here may pass because a time was up
STATE=$T/s/tollgate/dev LOG=$T/s/tollgate/dev/agent.log
agent
pid_of() { "$TOLLGATE" status --json | json 'd["pid"]'; }
nothing_held() { wait_for 10 is_at_rest team_product_dev; }
ports() { "$TOLLGATE" status --json | json 'd["port"], d["base_url_port"]'; }
doors() { (cd "$T/r/tollgate/dev" && ls -i admin.sock report.sock redirect.sock); }
first=$(pid_of) before=$(ports) doors=$(doors)

# ---- restart under load ----
"$TOLLGATE" run --project load -- python3 "$ROOT/tests/scenarios/43-clients.py" "$T/stop" 8 >"$T/load" 2>"$T/load.err" &
load=$!
"$TOLLGATE" run --project streams -- python3 "$ROOT/tests/scenarios/43-clients.py" "$T/stop" 4 streams >"$T/streams" 2>"$T/streams.err" &
streams=$!
openai "$(openai_body gpt-5.4-nano "count [[tokens=20]] [[pace_ms=100]]" ',"stream":true,"max_tokens":2000')" -N -o "$T/stream" 2>/dev/null &
stream=$!
wait_for 20 grep -q data: "$T/stream" || die "the stream does not begin"
for round in 1 2 3; do
    old=$(pid_of)
    check "restart $round" "$TOLLGATE" restart
    is "another agent serves" "$([ "$(pid_of)" != "$old" ] && echo yes)" yes
    [ "$round" = 1 ] && { wait "$stream"; has "the stream that ran was led to its end" "$(tail -n 3 "$T/stream")" "[DONE]"; }
done
# Each ends the agent that it found when its turn came, not the one of before.
old=$(pid_of)
"$TOLLGATE" restart >"$T/one" 2>&1 &
one=$!
check "two restarts at once" "$TOLLGATE" restart
wait "$one"
is "both do what they say" $? 0
is "and an agent serves" "$([ "$(pid_of)" != "$old" ] && echo yes)" yes
is "on the same ports" "$(ports)" "$before"
is "and Unix sockets" "$(doors)" "$doors"
touch "$T/stop"
wait "$load" "$streams"
is "on kept connections no stream failed, and no call after one" "$(json 'd["refused"], d["failed"], d["why"]' <"$T/streams")" "(0, 0, [])"
is "and there were some" "$(json 'd["answers"] > 20' <"$T/streams")" True
is "no connect was refused, no call failed" "$(json 'd["refused"], d["failed"], d["why"]' <"$T/load")" "(0, 0, [])"
is "and there was load" "$(json 'd["answers"] > 50' <"$T/load")" True
nothing_held
is "each call was charged once, by the provider's bill" "$(standin /_bill | json 'len(d)')" "$(($(json 'd["answers"]' <"$T/load") + $(json 'd["answers"]' <"$T/streams") + 1))"
is "with the project that is called, also where its word came to nobody" "$("$TOLLGATE" report all --by project --json | json '[r["calls"] for r in d["rows"] if r["project"] == "load"]')" "[$(json 'd["answers"]' <"$T/load")]"
is "and has one event" "$("$TOLLGATE" report all --json | json 'd["total"]["calls"]')" "$(standin /_bill | json 'len(d)')"
lacks "no hold was left to a start" "$(cat "$LOG")" "open holds settled"
is "base URLs answer on the old port" "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$("$TOLLGATE" status --json | json 'd["base_url_port"]')/openai/v1/models")" 401

# ---- a new one that would not start ----
old=$(pid_of)
cp "$T/policy-config.dev.yaml" "$T/good.yaml"
echo 'nonsense: 1' >>"$T/policy-config.dev.yaml"
"$TOLLGATE" restart >"$T/out" 2>&1
is "a bad policy: refused before anything happens" $? 65
has "it says where" "$(cat "$T/out")" "nonsense"
is "and the old agent goes on" "$(pid_of)" "$old"
rm "$T/policy-config.dev.yaml"
"$TOLLGATE" restart >"$T/out" 2>&1
is "a policy that is gone is not replaced by ours" $? 78
has "it says which" "$(cat "$T/out")" "$T/policy-config.dev.yaml, with which the agent of dev was started, is not there"
is "the old agent goes on" "$(pid_of)" "$old"
cp "$T/good.yaml" "$T/policy-config.dev.yaml"
mv "$T/providers.yaml" "$T/away.yaml"
"$TOLLGATE" restart >"$T/out" 2>&1
is "nor a catalogue" "$? $(grep -c 'name another with --providers FILE' "$T/out") $(pid_of)" "78 1 $old"
mv "$T/away.yaml" "$T/providers.yaml"
(unset OPENAI_API_KEY && "$TOLLGATE" restart >"$T/out" 2>&1)
is "a key that the new one would not find: refused" $? 78
has "it says which" "$(cat "$T/out")" "target nano"
is "and the old agent goes on, again" "$(pid_of)" "$old"
cat >"$T/tollgated" <<'S'
#!/bin/sh
[ "$1" = --tool ] && exit 0
echo "this version is broken" >&2
exit 70
S
chmod 700 "$T/tollgated"
TOLLGATED=$T/tollgated "$TOLLGATE" restart >"$T/out" 2>&1
is "a program that does not start: its code" $? 70
has "its words" "$(cat "$T/out")" "this version is broken"
has "and the one before serves again" "$(cat "$T/out")" "was started again, and serves"
is "it does" "$("$TOLLGATE" status --json | json 'd["port"], d["base_url_port"]')" "$before"
has "with its money" "$(openai "$(openai_body gpt-5.4-nano)")" chat.completion
nothing_held
check "start after that finds it" "$TOLLGATE" start

# ---- log levels ----
agent
is "the level is the start's" "$("$TOLLGATE" log)" info
quiet() { openai "$(openai_body gpt-5.4-nano)" >/dev/null; nothing_held; grep -c "debug exchange" "$LOG"; }
is "info tells of no call that goes well" "$(quiet)" 0
is "debug is set while it runs" "$("$TOLLGATE" log debug)" debug
has "status shows it" "$("$TOLLGATE" status)" "log level      debug"
is "debug tells of each call" "$(quiet)" 1
is "back to error" "$("$TOLLGATE" log error)" error
is "and it is quiet again" "$(quiet)" 1
has "the log has both changes" "$(cat "$LOG")" "log level: error, debug before"
"$TOLLGATE" log loud >"$T/out" 2>&1
is "another word is refused" $? 64
is "on the report socket nobody sets it" "$(curl -s -o /dev/null -w '%{http_code}' -X POST --unix-socket "$T/r/tollgate/dev/report.sock" http://x/v1/log/debug)" 403
check "a restart" "$TOLLGATE" restart
is "has the start's level again" "$("$TOLLGATE" log)" info

# ---- support-bundle ----
stop_agent
mkdir "$T/secrets"
export PLANT_KEY='sk-proj-PLANTkey"q/w?0123456789abcdef' PLANT_METRICS='PLANTmetrics+token/0123456789"x' PLANT_SIGN='PLANTsign&0123456789abcdef'
export HTTPS_PROXY='http://PLANTuser:PLANTproxypass%2F99@127.0.0.1:9' NO_PROXY=127.0.0.1,localhost
printf 'PLANTstored/0123456789\\x' | "$TOLLGATE" secret set stored >/dev/null 2>&1
metrics_port=$(free_port)
cat >"$T/policy-config.dev.yaml" <<Y
# a comment with a key: sk-PLANTcomment0123456789
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: PLANT_KEY}}
    - {id: mini, provider: openai, model: gpt-5.4-mini-mini, secret_key_ref: {store: stored}}
    - id: far
      provider: openai
      model: strange-x # PLANTbefore0123456789
      base_url: "https://127.0.0.1:9/PLANTaccount0123456789/v1"
      secret_key_ref: {env: PLANT_KEY}
consumer_groups:
  - {name: product-dev, api_key: kt_cg_PLANTplaceholder_0123456789, wallet_team_id: team_product_dev, denied_models: [gpt-4*]}
alerts:
  command: [/bin/false, --token, PLANTargument0123456789]
  webhook: {url: "http://127.0.0.1:9/hooks/PLANThook0123456789", local: true, secret_key_ref: {env: PLANT_SIGN}}
evidence: {metrics: {enabled: true, port: $metrics_port, secret_key_ref: {env: PLANT_METRICS}}}
budgets:
  - {id: tiny, scope: {wallet: team_product_dev}, amount: "0.0001", window: daily, alerts: [1]}
Y
agent --log-level debug
printf 'PLANTstored/0123456789\\x' | "$TOLLGATE" secret set stored || not_ok "the store takes a key"
check "reload" "$TOLLGATE" reload
has "a call with a planted prompt" "$(openai "$(openai_body gpt-5.4-nano 'PLANTprompt: my secret plan for 2027 + 1/2')")" chat.completion
lacks "one that is refused" "$(openai "$(openai_body gpt-4o 'PLANTrefused prompt 0123456789')")" chat.completion
nothing_held
wait_for 20 grep -q "alert not delivered" "$LOG"
mkdir "$T/log" && cp "$LOG" "$T/log/"
has "the debug level tells of each call" "$(cat "$LOG")" "debug exchange"
is "and of no secret or prompt" "$(python3 "$ROOT/tests/scenarios/43-secrets.py" "$T/log" "$STATE/ca")" clean
has "(the agent's words quote its policy)" "$(cat "$STATE/agent.stderr")" PLANTbefore0123456789
mkfifo -m 600 "$STATE/secrets/fifo"
check "the bundle" timeout 60 "$TOLLGATE" support-bundle --output "$T/b.tar.gz"
is "only its owner reads it" "$(stat -c %a "$T/b.tar.gz")" 600
"$TOLLGATE" support-bundle --output "$T/b.tar.gz" >"$T/out" 2>&1
is "nothing is overwritten" $? 73
check "gzip finds it whole" gzip -t "$T/b.tar.gz"
mkdir "$T/open" && tar -xzf "$T/b.tar.gz" -C "$T/open" --strip-components 1
is "it has every part" "$(ls "$T/open" | tr '\n' ' ')" "README.txt budgets.json doctor.json events.json files.txt log.txt metrics.txt settings.txt status.json stderr.txt stores.txt targets.json units.txt versions.txt "
has "its README says that nothing is sent" "$(cat "$T/open/README.txt")" "Nothing of it was sent anywhere"
has "warnings of the start are, without the policy's line" "$(cat "$T/open/stderr.txt")" "warning: "
has "where a target is asked is" "$(cat "$T/open/doctor.json")" "https://127.0.0.1:9/***"
is "events are in it" "$(json 'len(d["events"]) > 1' <"$T/open/events.json")" True
has "figures are" "$(cat "$T/open/metrics.txt")" "# TYPE"
has "settings are, with defaults" "$(cat "$T/open/settings.txt")" "limits.head_bytes_max: 65536  # default"
has "and with *** for secrets" "$(cat "$T/open/settings.txt")" "consumer_groups[0].api_key: ***"
has "files are, with permissions" "$(cat "$T/open/files.txt")" "/ledger/"
is "no planted secret in any form" "$(python3 "$ROOT/tests/scenarios/43-secrets.py" "$T/open" "$STATE/ca")" clean
has "names are in it" "$(cat "$T/open/events.json")" team_product_dev
check "a bundle without names" "$TOLLGATE" support-bundle --redact-names --output "$T/n.tar.gz"
mkdir "$T/names" && tar -xzf "$T/n.tar.gz" -C "$T/names" --strip-components 1
is "has none of them" "$(grep -rlE "team_product_dev|product-dev|$T|curl" "$T/names" | sort | tr '\n' ' ')" ""
# Names that JSON spells otherwise, and short ones; numbers that are no names stay.
sed -i '/name: product-dev/a\  - {name: qa, api_key: kt_cg_qa_0123456789, wallet_team_id: zx}\n  - {name: "7", api_key: kt_cg_seven_0123456789, wallet_team_id: zx}' "$T/policy-config.dev.yaml"
printf 'wallets:\n  - {id: zx, credit: "5"}\nbackups: {directory: "%s/For Acme"}\n' "$T" >>"$T/policy-config.dev.yaml"
mkdir -m 700 "$T/For Acme"
check "groups with short names" "$TOLLGATE" restart
for directory in 'My "Acme" GmbH' 'back\slash acme' $'line\nacme'; do
    mkdir "$T/$directory"
    cp "$(command -v curl)" "$T/$directory/Acme\"curl"
    for group in qa 7; do
        (cd "$T/$directory" && "$TOLLGATE" run --group $group --project zq -- sh -c 'exec "$0" -sS -m 60 -o /dev/null https://api.openai.com/v1/chat/completions -H "authorization: Bearer $OPENAI_API_KEY" -H "content-type: application/json" -d "$1"' \
            "$T/$directory/Acme\"curl" "$(openai_body gpt-5.4-nano)")
    done
done
nothing_held
is "their events are there" "$(events | json 'sorted({(e["group"], e["project"]) for e in d["events"] if "Acme" in str(e["executable"])})')" "[('7', 'zq'), ('qa', 'zq')]"
check "a bundle without them" "$TOLLGATE" support-bundle --redact-names --output "$T/short.tar.gz"
mkdir "$T/short" && tar -xzf "$T/short.tar.gz" -C "$T/short" --strip-components 1
is "has none of those, either" "$(grep -rnE '[Aa]cme|\b(qa|zx|zq)\b|(group|name)[":= ]+7\b' "$T/short" | head -5)" ""
is "and is JSON with its numbers" "$(json 'sorted({type(e["attempts"]).__name__ for e in d["events"]})' <"$T/short/events.json")" "['list']"
# A policy with mistakes is quoted to its author, not in a bundle; nor is a key in the place of a name.
cp "$T/policy-config.dev.yaml" "$T/good.yaml"
sed -i -e 's/^  webhook:/  webhok:/' -e 's/{env: PLANT_KEY}/{env: PLANTpasted0123456789abcdef}/' "$T/policy-config.dev.yaml"
check "a bundle with a broken policy" "$TOLLGATE" support-bundle --output "$T/broken.tar.gz"
mkdir "$T/broken" && tar -xzf "$T/broken.tar.gz" -C "$T/broken" --strip-components 1
has "says where it is broken" "$(cat "$T/broken/settings.txt")" ": error: (tollgate check says which)"
is "and holds no secret" "$(python3 "$ROOT/tests/scenarios/43-secrets.py" "$T/broken" "$STATE/ca")" clean
cp "$T/good.yaml" "$T/policy-config.dev.yaml"
unset HTTPS_PROXY NO_PROXY

stop_agent
check "a bundle without an agent" "$TOLLGATE" support-bundle --output "$T/stopped.tar.gz"
check "restart without an agent starts one" "$TOLLGATE" restart
stop_agent

# ---- while one agent of prod follows another ----
ENVIRONMENT=prod
policy <<Y
environment: prod
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
consumer_groups:
  - {name: shop, api_key: kt_cg_shop, wallet_team_id: team_product_prod}
access: {uids: [$(id -u)]}
wallets:
  - {id: team_product_prod, credit: "10"}
limits: {drain_timeout_ms: 600000}
Y
agent
old=$("$TOLLGATE" status --env prod --json | json 'd["pid"]')
rm "$T/stream"
openai "$(openai_body gpt-5.4-nano "count [[tokens=2000]] [[pace_ms=100]] [[until_release=1]]" ',"stream":true,"max_tokens":2000')" -N -o "$T/stream" 2>/dev/null &
stream=$!
wait_for 20 grep -q data: "$T/stream" || die "the stream does not begin"
"$TOLLGATE" restart --env prod >"$T/restart" 2>&1 &
restart=$!
is_draining() { "$TOLLGATE" status --env prod 2>/dev/null | grep -q '^restarting'; }
check "status says that it is being restarted" wait_for 20 is_draining
has "since when, and how many are left" "$("$TOLLGATE" status --env prod)" ", 1 connections left; new ones wait for the next agent"
has "doctor says it, too" "$("$TOLLGATE" doctor --env prod 2>&1)" "the agent ends its last calls since"
has "money is shown all the time" "$("$TOLLGATE" wallet list --env prod 2>&1)" team_product_prod
"$TOLLGATE" stop --env prod >"$T/out" 2>&1
is "it is told to end once" $? 75
has "in words" "$(cat "$T/out")" "ending its last calls already"
openai "$(openai_body gpt-5.4-nano)" -v >"$T/meanwhile" 2>"$T/err" &
meanwhile=$!
wait_for 20 grep -q "Connected to" "$T/err" || not_ok "a program of prod is started meanwhile" "$(tail -n 3 "$T/err")"
standin /_release -X POST >/dev/null
wait "$stream" "$restart" "$meanwhile"
has "a program of prod that is started meanwhile is answered" "$(cat "$T/meanwhile")" chat.completion
is "by the next agent" "$([ "$("$TOLLGATE" status --env prod --json | json 'd["pid"]')" != "$old" ] && echo yes)" yes
has "the call that ran was led to its end" "$(tail -n 3 "$T/stream")" "[DONE]"
has "and the next agent says who it is" "$(cat "$T/restart")" "environment    prod"
stop_agent
"$TOLLGATE" run --env prod -- true >"$T/out" 2>&1
is "where no agent is, a program of prod is refused" $? 125
is "with one word, at once" "$(sed 's/(.*)/(…)/' "$T/out")" "tollgate: no agent of prod is running (…); tollgate start --env prod starts one"
ENVIRONMENT=dev
unset TOLLGATE_STATE_DIR TOLLGATE_RUNTIME_DIR
rm -rf "$T/ps" "$T/pr"

# ---- agents that somebody else keeps ----
mkdir "$T/bin"
printf '#!/bin/sh\necho "$@" >"%s/systemctl"\n' "$T" >"$T/bin/systemctl"
chmod 700 "$T/bin/systemctl"
kept_by() { # VARIABLE=VALUE…: an agent in the foreground, with them
    env "$@" "$TOLLGATE" start --foreground >"$T/foreground" 2>&1 &
    FOREGROUND_PID=$!
    wait_for 20 "$TOLLGATE" status || die "the agent does not start: $(cat "$T/foreground")"
}
kept_by TG_NOTHING=1
"$TOLLGATE" restart >"$T/out" 2>&1
is "an agent in the foreground is restarted by whoever runs it" $? 64
has "in words" "$(cat "$T/out")" "in the foreground of another program"
is "and goes on" "$(pid_of)" "$FOREGROUND_PID"
check "stop" "$TOLLGATE" stop
wait "$FOREGROUND_PID"
"$TOLLGATE" start --foreground <&- >&- 2>&- &
FOREGROUND_PID=$!
check "one whose streams are closed starts" wait_for 20 "$TOLLGATE" status
check "and stops" "$TOLLGATE" stop
wait "$FOREGROUND_PID"
is "in order" $? 0
kept_by NOTIFY_SOCKET="$T/nobody"
PATH=$T/bin:$PATH "$TOLLGATE" restart >"$T/out" 2>&1
is "systemd's is restarted by systemctl" "$(cat "$T/systemctl")" "--user restart tollgated"
has "which is said" "$(cat "$T/out")" "systemctl --user restart tollgated"
is "it hands nothing over" "$(curl -s -X POST --unix-socket "$T/r/tollgate/dev/admin.sock" http://x/v1/handover | json 'd["error"]["hint"]')" "systemctl restart"
is "the report socket takes no such order" "$(curl -s -o /dev/null -w '%{http_code}' -X POST --unix-socket "$T/r/tollgate/dev/report.sock" http://x/v1/handover)" 403
check "stop" "$TOLLGATE" stop
wait "$FOREGROUND_PID"
kept_by NOTIFY_SOCKET="$T/nobody" FDSTORE=8
rm -f "$T/stream"
openai "$(openai_body gpt-5.4-nano "count [[tokens=2000]] [[pace_ms=100]] [[until_release=1]]" ',"stream":true,"max_tokens":2000')" -N -o "$T/stream" 2>/dev/null &
stream=$!
wait_for 20 grep -q data: "$T/stream" || die "the stream does not begin"
kill -TERM "$FOREGROUND_PID"
is_ending() { grep -q '^ending' <("$TOLLGATE" status 2>/dev/null); }
check "an agent whose manager may start another says that it ends" wait_for 20 is_ending
openai "$(openai_body gpt-5.4-nano)" >"$T/meanwhile" 2>"$T/err" &
meanwhile=$!
check "a program that is started meanwhile waits for the next one" wait_for 20 grep -q "waits for the next one" "$T/err"
standin /_release -X POST >/dev/null
wait "$stream" "$FOREGROUND_PID" "$meanwhile"
has "and is answered" "$(cat "$T/meanwhile")" chat.completion
has "after the last call of the one before" "$(tail -n 3 "$T/stream")" "[DONE]"
stop_agent

# ---- doctor --prod ----
ENVIRONMENT=prod
policy <<Y
environment: prod
providers:
  routing: {on_unlisted_model: block}
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {store: prodkey}}
consumer_groups:
  - {name: shop, api_key: kt_cg_shop, wallet_team_id: team_shop, keys: placeholder_only}
access: {uids: [$(id -u)]}
capture: {unlisted_provider: block, unmetered_endpoint: block}
cost_tracking: {unknown_price: block}
alerts: {command: [/bin/true]}
backups: {directory: $T/prod-backups}
budgets:
  - {id: shop, scope: {group: shop}, amount: 50, window: monthly, hard: true}
Y
chmod 600 "$T/policy-config.prod.yaml"
agent
printf 'sk-prod-only-0123456789' | "$TOLLGATE" secret set prodkey --env prod >/dev/null
examine() { "$TOLLGATE" doctor --prod --json 2>/dev/null >"$T/findings"; }
# finding NAME MEMBER: of the first finding that is not ok, else of the first
finding() { json "(sorted((c for c in d['checks'] if c['name'] == '$1'), key=lambda c: c['status'] == 'ok') or [{}])[0].get('$2')" <"$T/findings"; }
examine
for name in wallets prices budgets access keys models providers endpoints alerts backups environment; do
    is "policy $name: ok" "$(finding "policy $name" status)" ok
done
for name in "prod files" "core dumps" "dev and prod"; do
    is "$name: ok" "$(finding "$name" status)" ok
done
is "every finding of prod's says why" "$(json '[c["name"] for c in d["checks"] if c["name"].startswith("policy ") and not c.get("why")]' <"$T/findings")" "[]"
"$TOLLGATE" backup --env prod >/dev/null
examine
is "a backup is seen where the policy wants it" "$(finding "recent backup" status) $(ls "$T/prod-backups" | sed 's/^2.*/2/' | sort -u)" "ok 2"
mkdir "$T/prod-backups/99-odd"
examine
has "the last one is by its time, not by an odd name" "$(finding backups text)" "the last is $T/prod-backups/2"
# The agent makes one by itself a minute after its start: it may come in between.
aged=0
are_old() {
    local one
    for one in "$T"/prod-backups/202[1-9]*; do
        [ ! -e "$one" ] || mv "$one" "$T/prod-backups/2020010$((aged += 1))-000000"
    done
    examine
    [ "$(finding "recent backup" status)" = warning ]
}
check "nor is that one recent" wait_for 10 are_old
is "the rest is there" "$(json 'sorted({"own user", "swap", "clock", "prod disk", "recent backup", "descriptors", "hardening in force"} - {c["name"] for c in d["checks"]})' <"$T/findings")" "[]"
[ "$(id -u)" = 0 ] && is "an agent of root's is a failure" "$(finding "own user" status)" failure
[ -d /run/systemd/system ] || has "without systemd it says so" "$(finding units text)" "no systemd runs here"
# Each thing that is broken is found, and its own fix mends it.
broken() { # NAME FILE MODE
    chmod "$3" "$2"
    "$TOLLGATE" doctor --prod --json >"$T/findings" 2>/dev/null
    is "$1 with mode $3: exit code" $? 1
    is "and a failure" "$(finding "$1" status)" failure
    eval "$(finding "$1" fix)"
    examine
    is "which its fix mends" "$(finding "prod files" status)" ok
}
broken state "$T/ps" 755
broken "key store" "$T/ps/secrets" 750
broken ledger "$T/ps/ledger" 711
broken CA "$T/ps/ca" 705
broken "policy file" "$T/policy-config.prod.yaml" 662
broken "admin socket" "$T/pr/admin.sock" 660
mkdir -p "$T/s/tollgate/dev/secrets" && cp "$T/ps/secrets/prodkey" "$T/s/tollgate/dev/secrets/other"
examine
has "a key of prod's in dev's store is found" "$(finding "dev and prod" text)" "a key of prod (prodkey) is one of dev's, too"
rm "$T/s/tollgate/dev/secrets/other"
sed -i -e 's/placeholder_only/any/' -e 's/^cost_tracking.*/cost_tracking: {wallet_enforcement: false}/' -e 's/hard: true/hard: false/' -e '/^access/d' -e '/^alerts/d' \
    -e 's/^capture.*/capture: {unlisted_provider: meter, unmetered_endpoint: meter}/' "$T/policy-config.prod.yaml"
"$TOLLGATE" reload --env prod >/dev/null 2>&1 || not_ok "the lax policy is in force"
examine
for name in wallets:failure keys:failure budgets:warning access:warning providers:warning endpoints:warning alerts:warning; do
    is "lax policy: ${name%:*}" "$(finding "policy ${name%:*}" status)" "${name#*:}"
done
printf '%s\n' 'alerts: {webhook: {url: "http://127.0.0.1:9/hook", local: true}}' >>"$T/policy-config.prod.yaml"
chmod 644 "$T/policy-config.prod.yaml"
"$TOLLGATE" reload --env prod >/dev/null 2>&1 || not_ok "the policy with a webhook is in force"
examine
is "a webhook's address that all may read" "$(finding "policy webhook" status)" warning
chmod 640 "$T/policy-config.prod.yaml"
examine
is "or not" "$(finding "policy webhook" status)" ok
has "people read it, too" "$("$TOLLGATE" doctor --prod)" "why: "
stop_agent
done_playing
