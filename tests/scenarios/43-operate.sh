#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Operations on a running agent: restart without a refused connection, and the way back when the new one cannot start.
. "$(dirname "$0")/lib.sh"
play "an agent is operated"
provider
policy <<'Y'
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
consumer_groups:
  - {name: product-dev, api_key: kt_cg_product_dev, wallet_team_id: team_product_dev}
capture: {base_urls: true}
limits:
  drain_timeout_ms: 600000 # nothing here may pass because a time was up
Y
STATE=$T/s/tollgate/dev LOG=$T/s/tollgate/dev/agent.log
agent
pid_of() { "$TOLLGATE" status --json | json 'd["pid"]'; }
nothing_held() { wait_for 10 sh -c '"$0" wallet show team_product_dev --json | grep -q "\"held\": *\"0\""' "$TOLLGATE"; }
ports() { "$TOLLGATE" status --json | json 'd["port"], d["base_url_port"]'; }
first=$(pid_of) before=$(ports)

# ---- restart under load ----
"$TOLLGATE" run --project load -- python3 "$ROOT/tests/scenarios/43-clients.py" "$T/stop" 8 >"$T/load" 2>"$T/load.err" &
load=$!
openai "$(openai_body gpt-5.4-nano "count [[tokens=20]] [[pace_ms=100]]" ',"stream":true,"max_tokens":2000')" -N -o "$T/stream" 2>/dev/null &
stream=$!
wait_for 20 grep -q data: "$T/stream" || die "the stream does not begin"
for round in 1 2 3; do
    old=$(pid_of)
    check "restart $round" "$TOLLGATE" restart
    is "another agent serves" "$([ "$(pid_of)" != "$old" ] && echo yes)" yes
    [ "$round" = 1 ] && has "the stream that ran was led to its end" "$(tail -n 3 "$T/stream")" "[DONE]"
done
wait "$stream"
is "on the same ports" "$(ports)" "$before"
touch "$T/stop"
wait "$load"
is "no connect was refused, no call failed" "$(json 'd["refused"], d["failed"], d["why"]' <"$T/load")" "(0, 0, [])"
is "and there was load" "$(json 'd["answers"] > 50' <"$T/load")" True
nothing_held
is "each call was charged once, by the provider's bill" "$(wc -l <"$T/bill.jsonl")" "$(($(json 'd["answers"]' <"$T/load") + 1))"
is "with the project that is called, also where its word came to nobody" "$("$TOLLGATE" report all --by project --json | json '[r["calls"] for r in d["rows"] if r["project"] == "load"]')" "[$(json 'd["answers"]' <"$T/load")]"
is "and has one event" "$("$TOLLGATE" report all --json | json 'd["total"]["calls"]')" "$(wc -l <"$T/bill.jsonl")"
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
cp "$T/good.yaml" "$T/policy-config.dev.yaml"
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
check "the bundle" "$TOLLGATE" support-bundle --output "$T/b.tar.gz"
is "only its owner reads it" "$(stat -c %a "$T/b.tar.gz")" 600
"$TOLLGATE" support-bundle --output "$T/b.tar.gz" >"$T/out" 2>&1
is "nothing is overwritten" $? 73
check "gzip finds it whole" gzip -t "$T/b.tar.gz"
mkdir "$T/open" && tar -xzf "$T/b.tar.gz" -C "$T/open" --strip-components 1
is "it has every part" "$(ls "$T/open" | tr '\n' ' ')" "README.txt budgets.json doctor.json events.json files.txt log.txt metrics.txt settings.txt status.json stderr.txt stores.txt targets.json units.txt versions.txt "
has "its README says that nothing is sent" "$(cat "$T/open/README.txt")" "Nothing of it was sent anywhere"
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
kept_by NOTIFY_SOCKET="$T/nobody"
PATH=$T/bin:$PATH "$TOLLGATE" restart >"$T/out" 2>&1
is "systemd's is restarted by systemctl" "$(cat "$T/systemctl")" "--user restart tollgated"
has "which is said" "$(cat "$T/out")" "systemctl --user restart tollgated"
is "it hands nothing over" "$(curl -s -X POST --unix-socket "$T/r/tollgate/dev/admin.sock" http://x/v1/handover | json 'd["error"]["hint"]')" "systemctl restart"
is "the report socket takes no such order" "$(curl -s -o /dev/null -w '%{http_code}' -X POST --unix-socket "$T/r/tollgate/dev/report.sock" http://x/v1/handover)" 403
check "stop" "$TOLLGATE" stop
wait "$FOREGROUND_PID"

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
has "people read it, too" "$("$TOLLGATE" doctor --prod)" "why: "
stop_agent
done_playing
