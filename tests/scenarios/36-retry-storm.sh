#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Others kept the hold of each failed try, or charged it, so that a library's retries emptied the wallet.
. "$(dirname "$0")/lib.sh"
play "libraries that retry, and a provider that fails most of the time"
provider
# The breaker would end such a storm by itself (61-routing): here the money is to be seen.
policy <<'Y'
providers:
  routing: {circuit_breaker: {enabled: false}}
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}, pricing: {input: 0, cache_read: 0, cache_write: 0, cache_write_1h: 0, output: 10}}
consumer_groups:
  - {name: storm, api_key: kt_cg_storm, wallet_team_id: storm}
  - {name: spill, api_key: kt_cg_spill, wallet_team_id: spill}
wallets:
  - {id: storm, credit: "0.0016"}
  - {id: spill, credit: "0.0016"}
cost_tracking: {clamp: false}
Y
agent
at_once() { note_events; governed python3 "$ROOT/tests/scenarios/30-at-once.py" "$@"; }
billed() { standin /_bill | json 'sum(r["usage"]["out"] * 10000 for r in d)'; }
spent() { money "$1" | cut -d' ' -f3 | python3 -c 'print(round(float(input()) * 1e9))'; }
count() { tr ' ' '\n' <<<"$2" | sed -n "s/^$1://p" | grep . || echo 0; }

# 10 tokens cost 0.0001 USD: the wallet pays 16 calls. Of six tries the provider answers two.
GROUP=storm
standin /_script -d '[{"match": {"every": 3}, "fault": "503"}, {"match": {"every": 2}, "fault": "500"}]' >/dev/null
body=$(openai_body gpt-5.4-nano '[[tokens=10]]' ',"max_tokens":10')
result=$(at_once openai 12 "$body" 8)
echo "# 12 clients, up to 8 tries each: $result"
tries=$(count tries "$result")
check "there was a storm" [ "$tries" -gt 12 ]
settled storm
is "nothing is held" "$(money storm | cut -d' ' -f2)" 0
is "spent is what the provider billed, to the nano" "$(spent storm)" "$(billed)"
check "which is less than the wallet had" [ "$(spent storm)" -le 1600000 ]
check "each client that was answered paid once" [ "$(spent storm)" -eq $(($(count 200 "$result") * 100000)) ]
is "each try is an exchange of its own" "$(event_count)" "$tries"
is "each one the provider saw had a hold of its own" \
    "$(events | json 'sum("hold" in a for e in d["events"] for a in e["attempts"])')" "$(standin /_bill | json 'len(d)')"

# The provider takes each request and says nothing: dev charges an estimate of the input, which is free here; nothing leaks.
standin /_script -d '[{"fault": "drop_rst"}]' >/dev/null
GROUP=spill
echo "# a provider that hangs up: $(at_once openai 12 "$body" 4)"
settled spill
is "nothing is held" "$(money spill | cut -d' ' -f2)" 0
check "and no more is spent than there was" [ "$(spent spill)" -le 1600000 ]

# Refusals for want of money must end the storm at once: x-should-retry says so.
standin /_script -d '[]' >/dev/null
standin /_reset -X POST >/dev/null
left=$(python3 -c "print(round(float('$(money spill | cut -d' ' -f1)') * 1e9) // 100000)")
result=$(at_once openai 30 "$body" 8)
is "30 clients, money for $left" "$result" "200:$left 429:$((30 - left)) tries:30"
settled spill
is "nothing is held" "$(money spill | cut -d' ' -f2)" 0
is "the provider saw only what was paid for" "$(standin /_bill | json 'len(d)')" "$left"
stop_agent
done_playing
