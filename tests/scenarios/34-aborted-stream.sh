#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Others gave the whole hold back when the client left in mid-answer: reading almost all of every stream was free.
. "$(dirname "$0")/lib.sh"
play "clients that leave in mid-stream pay"
provider
write_policy() { # RULE
    policy <<Y
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}, pricing: {input: 1, output: 10}}
    - {id: haiku, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}, pricing: {input: 1, output: 10}}
consumer_groups:
  - {name: any, api_key: kt_cg_any, wallet_team_id: any}
wallets:
  - {id: any, credit: "10"}
limits: {client_gone: $1}
Y
}
# Reads so many events of a stream, then leaves without a word.
cat >"$T/leave.py" <<'P'
import http.client, json, os, socket, ssl, sys
dialect, events = sys.argv[1], int(sys.argv[2])
context = ssl.create_default_context(cafile=os.environ["TOLLGATE_CA_FILE"])
host, path, model, fields = {
    "openai": ("api.openai.com", "/v1/chat/completions", "gpt-5.4-nano", {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}),
    "anthropic": ("api.anthropic.com", "/v1/messages", "claude-haiku-4-5", {"x-api-key": os.environ["ANTHROPIC_API_KEY"], "anthropic-version": "2023-06-01"}),
}[dialect]
connection = http.client.HTTPSConnection(host, context=context, timeout=30)
connection.request("POST", path, json.dumps({"model": model, "stream": True, "max_tokens": 60, "messages": [
    {"role": "user", "content": "[[tokens=60]] [[pace_ms=20]]"}]}), fields)
answer = connection.getresponse()
seen = 0
while seen < events:
    seen += answer.readline().startswith(b"data:")
os._exit(0)
P
leave() { note_events; governed python3 "$T/leave.py" "$@"; settled any; }
nano() { python3 -c "print(round(float('$1') * 1e9))"; }
is_idle() { standin /_stats | grep -q '"in_flight": *1,'; } # the one is the question
bill() { wait_for 20 is_idle; standin "/_bill" | json "sum(r['usage']['fresh'] * 1000 + r['usage']['out'] * 10000 for r in d)"; }

write_policy abort
agent
GROUP=any
for dialect in openai anthropic; do
    standin /_reset -X POST >/dev/null
    leave $dialect 30
    charge=$(nano "$(last_event '["charge"]')") hold=$(nano "$(last_event '["hold"]')")
    # 28: the first events of a stream need not carry text
    check "$dialect, abort: what was seen is charged ($charge nano)" [ "$charge" -ge 280000 ]
    check "  and no more than was held" [ "$charge" -le "$hold" ]
    check "  the provider was told to stop" [ "$(bill)" -lt 660000 ]
done
write_policy drain
check "the policy drains now" "$TOLLGATE" reload
for dialect in openai anthropic; do
    for events in 1 30; do
        standin /_reset -X POST >/dev/null
        leave $dialect $events
        is "$dialect, drain, gone after $events events: all of it is charged" "$(nano "$(last_event '["charge"]')")" "$(bill)"
        is "  exactly" "$(last_event '["basis"]')" exact
        check "  which is the whole answer" [ "$(bill)" -ge 600000 ]
    done
done
is "nothing is held" "$(money any | cut -d' ' -f2)" 0
is "what the wallet spent is what events charged" "$(nano "$(money any | cut -d' ' -f3)")" "$(events | json 'sum(round(float(e["charge"])*1e9) for e in d["events"])')"
stop_agent
done_playing
