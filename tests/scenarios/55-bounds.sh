#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a first review broke: holds that did not bound, charges without a bill, ways around an empty wallet.
. "$(dirname "$0")/lib.sh"
ENVIRONMENT=dev
play "the hold is a bound, and nothing is charged that was not billed"
provider
policy <<'Y'
providers:
  targets:
    - {id: mini, provider: openai, model: gpt-5.4-mini, secret_key_ref: {env: OPENAI_API_KEY}}
consumer_groups:
  - {name: small, api_key: kt_cg_small, wallet_team_id: small}
  - {name: rich, api_key: kt_cg_rich, wallet_team_id: rich, denied_models: ["gpt-5.4-pro*"]}
  - {name: empty, api_key: kt_cg_empty, wallet_team_id: empty}
wallets:
  - {id: small, credit: "0.0006"}
  - {id: rich, credit: "10"}
  - {id: empty, credit: "0"}
limits: {client_gone: drain}
Y
agent
GROUP=small
priority=$(openai_body gpt-5.4-mini '[[tokens=100]] [[tier=priority]]' ',"max_tokens":100,"service_tier":"priority"')
is "priority is held at the priority price" "$(openai "$priority" -o /dev/null -w '%{http_code}')" 429
is "no word on the service tier may mean priority" \
    "$(openai "$(openai_body gpt-5.4-mini '[[tokens=100]]' ',"max_tokens":100')" -o /dev/null -w '%{http_code}')" 429
is "the standard tier fits" \
    "$(openai "$(openai_body gpt-5.4-mini '[[tokens=50]]' ',"max_tokens":50,"service_tier":"default"')" -o /dev/null -w '%{http_code}')" 200
GROUP=rich
file='{"model":"gpt-5.4-mini","max_tokens":20,"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}},{"type":"text","text":"[[fresh=100000]]"}]}]}'
openai "$file" >/dev/null
settled rich
check "a file by reference is held at the model's window" python3 -c "
import sys; sys.exit(0 if float('$(last_event '["hold"]')') >= float('$(last_event '["charge"]')') > 0.07 else 1)"
is "an absurd n is a refusal, not a fault" "$(openai "$(openai_body gpt-5.4-mini hi ',"n":1000000000,"max_tokens":1000000000')" -o /dev/null -w '%{http_code}')" 429
responses() { governed sh -c 'exec curl -sS -o /dev/null -w "%{http_code}" https://api.openai.com/v1/responses -H "authorization: Bearer $OPENAI_API_KEY" -H "content-type: application/json" -d "$1"' sh "$1"; }
is "a denied model is denied on an unmetered endpoint too" "$(responses '{"model":"gpt-5.4-pro","input":"hi"}')" 403
is "an unmetered call of a wallet with money passes" "$(responses '{"model":"gpt-5.4-mini","input":"hi"}')" 200
GROUP=empty
is "an empty wallet pays for no unmetered call" "$(responses '{"model":"gpt-5.4-mini","input":"hi"}')" 429

GROUP=rich
standin /_reset -X POST >/dev/null
cat >"$T/two.py" <<'PYTHON'
import http.client, json, os, ssl, time
context = ssl.create_default_context(cafile=os.environ["TOLLGATE_CA_FILE"])
for text in ("[[fault=close_after]]", "plain"):
    connection = http.client.HTTPSConnection("api.openai.com", context=context, timeout=30)
    connection.request("POST", "/v1/chat/completions", json.dumps({"model": "gpt-5.4-mini", "max_tokens": 20,
        "messages": [{"role": "user", "content": text}]}), {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"]})
    print(connection.getresponse().status, end=" ")
    time.sleep(0.3)
PYTHON
is "a kept connection that the provider closed: the next call works" "$(governed python3 "$T/two.py")" "200 200 "
is "and arrives once" "$(standin /_bill | json 'len(d)')" 2

cat >"$T/reset.py" <<'PYTHON'
import json, os, socket, ssl, struct, sys
context = ssl.create_default_context(cafile=os.environ["TOLLGATE_CA_FILE"])
raw = socket.create_connection(("api.openai.com", 443))
s = context.wrap_socket(raw, server_hostname="api.openai.com")
body = json.dumps({"model": "gpt-5.4-mini", "stream": True, "max_tokens": 50, "messages": [{"role": "user", "content": "[[hold=1]] [[delay_ms=500]]"}]}).encode()
s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nauthorization: Bearer " + os.environ["OPENAI_API_KEY"].encode() + b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
sys.stdin.read()
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
os.close(s.detach())
PYTHON
pid=$("$TOLLGATE" status --json | json 'd["pid"]')
settled rich
note_events
# It is reset when the provider has it, and answered after that.
mkfifo "$T/leave"
governed python3 "$T/reset.py" <"$T/leave" &
exec 7>"$T/leave"
check "a call comes to the provider" wait_for 20 has_withheld 1
exec 7>&-
wait $!
standin /_release -X POST >/dev/null
settled rich
is "a reset before a drained stream's head leaves the agent alive" "$("$TOLLGATE" status --json | json 'd["pid"]')" "$pid"
is "and is charged exactly" "$(last_event '["basis"]')" exact
total() { python3 -c "import sys; print(sum(round(float(x) * 1e9) for x in sys.argv[1:]))" "$@"; }
is "what wallets spent is what events charged" "$(total "$(money small | cut -d' ' -f3)" "$(money rich | cut -d' ' -f3)")" \
    "$(events | json 'sum(round(float(e["charge"])*1e9) for e in d["events"])')"
stop_agent
done_playing
