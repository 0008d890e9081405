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
governed python3 "$ROOT/tests/scenarios/43-clients.py" "$T/stop" 8 >"$T/load" 2>"$T/load.err" &
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

stop_agent
check "restart without an agent starts one" "$TOLLGATE" restart
stop_agent
done_playing
