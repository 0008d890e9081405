#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Holds: what the bound consists of, what `hold: learned` makes of it, and what happens when usage goes above the hold,
# when a hold outlives its deadline, and when the disk of the ledger is full.
. "$(dirname "$0")/lib.sh"
play "what is held, and what when it was not enough"
provider
LOG=$T/s/tollgate/dev/agent.log
write_policy() { # COST_TRACKING; LIMITS
    policy <<Y
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}, pricing: {input: 10, cache_read: 10, cache_write: 10, cache_write_1h: 10, output: 20}}
    - {id: haiku, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}, pricing: {input: 10, cache_read: 10, cache_write: 10, cache_write_1h: 10, output: 20}}
consumer_groups:
  - {name: rich, api_key: kt_cg_rich, wallet_team_id: rich}
  - {name: poor, api_key: kt_cg_poor, wallet_team_id: poor}
wallets:
  - {id: rich, credit: "1000"}
  - {id: poor, credit: "0.02"}
cost_tracking: {clamp: false${1:+, $1}}
limits: {drain_timeout_ms: 20000${2:+, $2}}
budgets:
  - {id: all, amount: 1000, hard: true}
Y
}
status() { "$1" "$2" -D "$T/head" -o "$T/answer" -w '%{http_code}'; }
field() { tr -d '\r' <"$T/head" | sed -n "s/^$1: //p"; }
# 10 USD per million tokens of input, 20 of output.
price() { python3 -c 'import sys; from decimal import Decimal as D; i, o = map(int, sys.argv[1:]); print(format((D(i) * 10 + D(o) * 20) / 10**6, "f").rstrip("0"))' "$@"; }
held() { last_event '["hold"]'; }

write_policy
agent
GROUP=rich
body=$(openai_body gpt-5.4-nano hello ',"max_tokens":300')
status openai "$body" >/dev/null
is "the bound: a token for each byte, and max_tokens" "$(held)" "$(price ${#body} 300)"
is "  the event says that it is one" "$(last_event '["hold_basis"]')" bound
is "  and the header what is held" "$(field tollgate-hold)" "$(price ${#body} 300)"
body=$(openai_body gpt-5.4-nano hello ',"n":3,"max_completion_tokens":300')
status openai "$body" >/dev/null
is "n answers" "$(held)" "$(price ${#body} 900)"
body=$(openai_body gpt-5.4-nano hello)
status openai "$body" >/dev/null
is "no limit: the model's maximum" "$(held)" "$(price ${#body} 128000)"
body=$(openai_body gpt-5.4-nano hello ',"max_tokens":300,"prediction":{"type":"content","content":"0123456789"}')
status openai "$body" >/dev/null
is "a prediction, whose rejected tokens are billed" "$(held)" "$(price ${#body} $((300 + 41)))"
body=$(anthropic_body claude-haiku-4-5 hello ',"tools":[{"name":"f","input_schema":{"type":"object"}}]')
status anthropic "$body" >/dev/null
is "Anthropic's tools bring a prompt of their own" "$(held)" "$(price $((${#body} + 530)) 200)"
body='{"model":"gpt-5.4-nano","max_tokens":20,"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}},{"type":"text","text":"hello"}]}]}'
status openai "$body" >/dev/null
is "a file by reference: the model's window" "$(held)" "$(price 400000 20)"
settled rich

# Above the bound: the bill is paid as far as the wallet goes, the rest is written off, and nobody's wallet goes below 0.
GROUP=poor
body=$(openai_body gpt-5.4-nano '[[fresh=100000]]' ',"max_tokens":20')
is "usage above the bound: the answer is delivered" "$(status openai "$body")" 200
settled poor
is "  the wallet is empty, not overdrawn" "$(money poor)" "0 0 0.02"
is "  the event tells the whole cost" "$(last_event '["charge"]')" "$(price 100000 20)"
is "  and that the hold was exceeded" "$(last_event '["hold_exceeded"]')" True
has "  so does the log" "$(cat "$LOG")" "usage above the hold [$(last_event '["id"]')]"
is "  the next call is refused" "$(status openai "$body")" 429

# What no call to the model can come to is no count: nobody's wallet is emptied by one number.
GROUP=rich
for fresh in 900000000 9000000000000000; do
    before=$(money rich | cut -d' ' -f3)
    body=$(openai_body gpt-5.4-nano "[[fresh=$fresh]]" ',"max_tokens":20')
    is "a count of $fresh tokens: the answer is delivered" "$(status openai "$body")" 200
    settled rich
    is "  at most its hold is paid" "$(python3 -c "from decimal import Decimal as D; print(D('$(money rich | cut -d' ' -f3)') - D('$before') == D('$(last_event '["charge"]')') <= D('$(field tollgate-hold)'))")" True
done
is "  and no report has such numbers" "$("$TOLLGATE" report all --wallet rich --json | json 'd["total"]["input"] < 10**8')" True
has "  the log says that it is not believed" "$(cat "$LOG")" "more than any call to gpt-5.4-nano can: not believed"

# `hold: learned`
cat >"$T/many.py" <<'PYTHON'
import http.client, json, os, ssl, sys
context = ssl.create_default_context(cafile=os.environ["TOLLGATE_CA_FILE"])
connection = http.client.HTTPSConnection("api.openai.com", context=context, timeout=60)
codes = set()
for text in sys.argv[2:] * int(sys.argv[1]):
    connection.request("POST", "/v1/chat/completions", json.dumps({"model": "gpt-5.4-nano", "max_tokens": 20,
        "messages": [{"role": "user", "content": text}]}), {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"]})
    answer = connection.getresponse()
    answer.read()
    codes.add(answer.status)
print(*codes)
PYTHON
GROUP=rich
prose=$(python3 -c 'print("many a word of prose " * 300, end="")')
many() { note_events; governed python3 "$T/many.py" "$@"; }
one() { many 1 "$1"; }
bytes_of() { last_event '["request_bytes"]'; }
learned_now() { one "$prose" >/dev/null; last_event '["hold_basis"]'; }
is "before the policy allows it, nothing is learned" "$(many 60 "$prose")" 200
settled rich
is "  and all is held" "$(last_event '["hold_basis"]') $(held)" "bound $(price "$(bytes_of)" 20)"
write_policy "hold: learned"
check "now it does" "$TOLLGATE" reload
is "fifty calls teach" "$(many 50 "$prose")" 200
settled rich
is "  while they are held whole" "$(last_event '["hold_basis"]') $(held)" "bound $(price "$(bytes_of)" 20)"
is "  the next is held as learned" "$(learned_now)" learned
has "  and why says so" "$(why_last)" "no hard bound"
check "  at less than half" python3 -c "import sys; sys.exit(not 2 * $(held) < $(price "$(bytes_of)" 20))"
check "  and more than it cost" python3 -c "import sys; sys.exit(not $(held) >= $(last_event '["charge"]') > 0)"
is "another size is not known" "$(one "short" >/dev/null; last_event '["hold_basis"]')" bound
is "nor is what refers to files" "$(one "$prose" >/dev/null
    note_events
    governed sh -c 'exec curl -sS -o /dev/null https://api.openai.com/v1/chat/completions -H "authorization: Bearer $OPENAI_API_KEY" -H "content-type: application/json" -d "$1"' sh \
        "{\"model\":\"gpt-5.4-nano\",\"max_tokens\":20,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"file_id\":\"f\"}},{\"type\":\"text\",\"text\":\"$prose\"}]}]}"
    last_event '["hold_basis"]')" bound
is "a denser text is answered" "$(one "$prose [[fresh=3000]]")" 200
settled rich
is "  above its hold" "$(last_event '["hold_basis"]') $(last_event '["hold_exceeded"]')" "learned True"
is "  and what was learned is forgotten" "$(learned_now)" bound
settled rich

# A hold past its deadline: the ledger takes it whole; the answer that comes later changes nothing.
check "the agent stops" "$TOLLGATE" stop
write_policy "" "hold_deadline_seconds: 1"
agent
before=$(money rich | cut -d' ' -f3)
openai "$(openai_body gpt-5.4-nano '[[hold=1]]' ',"max_tokens":20')" -o "$T/late" -w '%{http_code}' >"$T/late.code" &
LATE=$!
expired() { grep -q "hold past its deadline" "$LOG"; }
check "a hold past its deadline is taken" wait_for 60 expired
check "  then the provider answers" standin /_release -X POST
wait "$LATE"
is "  and the program has its answer" "$(cat "$T/late.code")" 200
is "  the event says what was paid" "$(last_event '["basis"]') $(last_event '["charge"]')" "worst $(held)"
is "  and so does the wallet" "$(python3 -c "from decimal import Decimal as D; print(D('$(money rich | cut -d' ' -f3)') - D('$before') == D('$(held)'))")" True
has "  and the log" "$(cat "$LOG")" "[$(last_event '["id"]')]: hold not resolved"

# Less room than the low-water mark: nothing that may cost is begun.
check "the agent stops" "$TOLLGATE" stop
write_policy "" "disk_low_water_bytes: 1099511627776"
agent
standin /_reset -X POST >/dev/null
small=$(openai_body gpt-5.4-nano hello ',"max_tokens":20')
disk_is_low() { grep -q "disk nearly full" "$LOG"; }
check "a full disk is seen" wait_for 30 disk_is_low
is "  OpenAI: 503, not to be tried again" "$(status openai "$small") $(field x-should-retry)" "503 false"
has "  it says why" "$(cat "$T/answer")" "disk that the ledger is on is nearly full"
is "  Anthropic likewise" "$(status anthropic "$(anthropic_body claude-haiku-4-5)") $(json 'd["type"]' <"$T/answer") $(field x-should-retry)" "503 error false"
is "  what cannot be metered, too" "$(governed sh -c 'exec curl -sS -o /dev/null -w "%{http_code}" https://api.openai.com/v1/responses -H "authorization: Bearer $OPENAI_API_KEY" -H "content-type: application/json" -d "{\"model\":\"gpt-5.4-nano\",\"input\":\"hi\"}"')" 503
is "  the provider was not asked" "$(standin /_bill | json 'len(d)')" 0
is "  what is never billed passes" "$(governed sh -c 'exec curl -sS -o /dev/null -w "%{http_code}" https://api.openai.com/v1/models -H "authorization: Bearer $OPENAI_API_KEY"')" 200
stop_agent
done_playing
