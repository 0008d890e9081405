#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Evidence equals the ledger to the nano-dollar: whatever happened to calls, to the agent, and to the events themselves.
. "$(dirname "$0")/lib.sh"
play "sums of events are what the ledger paid, and are made whole again when events were lost"
provider
policy <<'Y'
providers:
  routing:
    strategy: ordered
    model_groups:
      - {name: fast, targets: [first, second]}
    circuit_breaker: {enabled: false}
  targets:
    - {id: first, provider: openai, model: gpt-5.4-mini, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: second, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: claude, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}}
cache: {enabled: true, ttl_seconds: 600}
evidence: {events_file: events.jsonl}
consumer_groups:
  - {name: any, api_key: kt_cg_any, wallet_team_id: any}
  - {name: poor, api_key: kt_cg_poor, wallet_team_id: poor}
wallets:
  - {id: any, credit: "100"}
  - {id: poor, credit: "0.000001"}
Y
agent
GROUP=any
report() { curl -sS --unix-socket "$T/r/tollgate/dev/report.sock" "http://agent/v1/report?period=today&ledger=1&$1"; }
admin() { curl -sS --unix-socket "$T/r/tollgate/dev/admin.sock" "http://agent$1" "${@:2}"; }
nano='lambda text: round(__import__("decimal").Decimal(text) * 10**9)'
# What rows sum up to, the total, and what the ledger paid, each in nano-dollars; the rows' cost less what was written off.
sums() { report "$1" | json "(lambda n: (sum(n(r['cost']) - n(r['written_off']) for r in d['rows']), n(d['total']['cost']) - n(d['total']['written_off']), n(d['ledger']['spent'])))($nano)"; }
are_one() { is "$1" "$(sums "$2" | python3 -c 'import sys; a = eval(sys.stdin.read()); print(len(set(a)), a[0] > 0)')" "1 True"; }
ask() { openai "$(openai_body "$1" "$2" ',"max_tokens":50'"${3:-}")" "${@:4}"; }

for i in 1 2 3; do
    ask fast "question $i" >/dev/null
    ask fast "question $i" >/dev/null                                         # a hit
    ask fast "stream $i" ',"stream":true' -N >/dev/null
    standin /_script -d '[{"match":{"model":"gpt-5.4-mini"},"fault":"503"}]' >/dev/null
    ask fast "falls back $i" >/dev/null
    standin /_script -d '[{"match":{"model":"gpt-5.4-mini"},"fault":"cut_rst"}]' >/dev/null
    ask fast "is cut $i" ',"stream":true' -N >/dev/null 2>&1
    standin /_script -d '[]' >/dev/null
    anthropic "$(anthropic_body claude-haiku-4-5 "hello $i [[tokens=20]]")" >/dev/null
    GROUP=poor ask fast "cannot pay $i" >/dev/null
    ask nothing-like-it "is refused $i" >/dev/null
done
settled any
for by in "" by=group by=model by=provider,target by=executable,uid by=reason step=hour step=quarter\&by=model "timezone=Asia/Kathmandu&step=day&by=wallet"; do
    are_one "the report by '$by' equals the ledger" "$by"
done
is "calls are counted once: hits, refusals, retries" \
    "$(report by=group | json '[(r["group"], r["calls"], r["hits"], r["refused"], r["retried"] > 0, float(r["avoided"]) > 0) for r in sorted(d["rows"], key=lambda r: r["group"])]')" \
    "[('any', $((7 * 3)), 3, 0, True, True), ('poor', 3, 0, 3, False, False)]"
is "tokens are the provider's" \
    "$(report group=any | json 'd["total"]["input"] > 0 and d["total"]["output"] > 0')" True
is "a filter takes what fits" "$(report 'by=model&model=claude-*' | json '[r["model"] for r in d["rows"]]')" "['claude-haiku-4-5']"
is "a limit keeps the sum whole" "$(sums 'by=model&limit=1' | python3 -c 'import sys; print(len(set(eval(sys.stdin.read()))))')" 1
has "an unknown name is said" "$(report by=nonsense)" 'sums are not kept by nonsense'
has "a bad period is said with its forms" "$(curl -sS --unix-socket "$T/r/tollgate/dev/report.sock" 'http://agent/v1/report?period=2026-13')" 'last-month'
has "a question is answered in a sentence" "$(curl -sS --unix-socket "$T/r/tollgate/dev/report.sock" 'http://agent/v1/questions/cache-repeats?period=today')" 'The cache answered'
is "sessions are what one program did" "$(curl -sS --unix-socket "$T/r/tollgate/dev/report.sock" 'http://agent/v1/report/sessions?period=today&group=any' | json 'len(d["sessions"]) >= 1 and d["sessions"][0]["calls"] > 0')" True
is "wallets have a pace" "$(wallet_json any >/dev/null; "$TOLLGATE" wallet list --json | json '[w["burn_24h"] == w["spent"] for w in d["wallets"] if w["wallet"] == "any"]')" "[True]"

is "the file of events has each as a line" \
    "$(python3 -c 'import json,sys; e = [json.loads(l) for l in open(sys.argv[1])]; print(len(e), len({x["id"] for x in e}))' "$T/events.jsonl")" "24 24"
mv "$T/events.jsonl" "$T/moved"
sleep 1.1 # it is looked for once a second
ask fast "after the file was moved" >/dev/null
settled any
is "one that was moved away is made anew" "$(wc -l <"$T/events.jsonl") $(stat -c %a "$T/events.jsonl")" "1 600"

everything() { report 'by=group,wallet,provider,model,requested,target,project,executable,directory,uid,reason&step=quarter' | json '[(r, ) for r in d["rows"]], d["total"]'; }
before=$(everything)
is "made anew, the sums are the same" "$(admin /v1/report/rebuild -X POST -d '' >/dev/null; everything | md5sum)" "$(md5sum <<<"$before")"

# The agent is killed with calls open: what was settled and not yet recorded, and what was open, is there afterwards.
pid=$(cat "$T"/s/tollgate/dev/ledger/lock 2>/dev/null || "$TOLLGATE" status --json | json 'd["pid"]')
ask fast "open at the kill [[tokens=400]][[pace_ms=400]]" ',"stream":true' -N >/dev/null 2>&1 &
calls=($!)
wait_for 10 sh -c '"$0" wallet show any --json | grep -q "\"held\": *\"0\.[0-9]*[1-9]"' "$TOLLGATE"
for i in $(seq 10); do
    ask fast "before the kill $i [[tokens=30]]" ',"stream":true' -N >/dev/null 2>&1 &
    calls+=($!)
done
wait "${calls[@]:1}"
kill -9 "$pid"
wait "${calls[@]}"
agent
are_one "after a kill, the report equals the ledger" by=model
is "a call that was open is in it" "$(report by=reason | json 'sum(r["recovered"] for r in d["rows"]) > 0')" True

# Every event is lost: the ledger still knows what was paid, to whom, by which group and program.
stop_agent
rm -rf "$T"/s/tollgate/dev/aux
agent
are_one "without any event, the report equals the ledger" by=provider
is "and still says whose it was" "$(report by=group | json 'sorted({r["group"] for r in d["rows"] if float(r["cost"]) > 0 and r["group"]})')" "['any']"
has "and the log says so" "$(cat "$T"/s/tollgate/dev/agent.log)" 'events written again from the ledger'
stop_agent
agent
is "once only" "$(grep -c 'events written again' "$T"/s/tollgate/dev/agent.log)" 2
are_one "an orderly end loses nothing" step=day
stop_agent
done_playing
