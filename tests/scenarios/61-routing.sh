#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Where requests go: strategies, limits, breaker, Retry-After, model groups, overrides; and how one sees it.
. "$(dirname "$0")/lib.sh"
play "routing"
provider
policy <<'Y'
providers:
  routing:
    strategy: usage_based
    on_unlisted_model: block
    model_groups:
      - {name: even, targets: [a, b]}
      - {name: three-to-one, targets: [c, d]}
      - {name: full, targets: [e, a]}
      - {name: in-order, targets: [b, a], strategy: ordered}
      - {name: cheap, targets: [a, nano], strategy: lowest_cost}
      - {name: broken, targets: [f, a], strategy: ordered}
    circuit_breaker: {failures: 3, open_seconds: 3600, probes: 2}
  targets:
    - {id: a, provider: openai, model: gpt-5.4-mini, secret_key_ref: {env: OPENAI_API_KEY}, limits: {rpm: 100000, tpm: 100000000}}
    - {id: b, provider: openai, model: gpt-5.4, secret_key_ref: {env: OPENAI_API_KEY}, limits: {rpm: 100000, tpm: 100000000}}
    - {id: c, provider: openai, model: gpt-5.4-mini, secret_key_ref: {env: OPENAI_API_KEY}, limits: {rpm: 30000}}
    - {id: d, provider: openai, model: gpt-5.4, secret_key_ref: {env: OPENAI_API_KEY}, limits: {rpm: 10000}}
    - {id: e, provider: openai, model: gpt-4.1-mini, secret_key_ref: {env: OPENAI_API_KEY}, limits: {rpm: 2}}
    - {id: f, provider: openai, model: gpt-4.1, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: keyless, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: NO_SUCH_KEY}}
consumer_groups:
  - name: any
    api_key: kt_cg_any
    wallet_team_id: any
    model_groups: [{name: mine, targets: [nano]}]
  - {name: strict, api_key: kt_cg_strict, wallet_team_id: any, denied_models: ["gpt-5.4-nano"]}
  - {name: narrow, api_key: kt_cg_narrow, wallet_team_id: any, allowed_models: [in-order, gpt-5.4-mini], data_policy: [eu]}
wallets:
  - {id: any, credit: "1000"}
Y
agent
GROUP=any
ask() { openai "$(openai_body "$1" "${2:-hello}" ',"max_tokens":20')" "${@:3}"; }
served() { standin /_bill | json 'd and " ".join(r["model"] for r in d)'; }

# 64 at once, 640 in all
split() { # GROUP: the share of the first target in percent
    standin /_reset -X POST >/dev/null
    governed python3 - "$1" <<'P' || return 1
import concurrent.futures, http.client, json, os, ssl, sys
def one(n):
    connection = http.client.HTTPSConnection("api.openai.com", context=ssl.create_default_context(), timeout=60)
    done = 0
    for i in range(10):
        body = json.dumps({"model": sys.argv[1], "max_tokens": 10, "messages": [{"role": "user", "content": "hi [[delay_ms=5]]"}]})
        connection.request("POST", "/v1/chat/completions", body, {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        done += answer.status == 200
    return done
with concurrent.futures.ThreadPoolExecutor(64) as pool:
    total = sum(pool.map(one, range(64)))
sys.exit(total != 640)
P
    standin /_bill | json 'round(100 * sum(r["model"] == "gpt-5.4-mini" for r in d) / len(d))'
}
share=$(split even)
check "equal limits, 64 in flight: within 55:45 ($share %)" [ "$share" -ge 45 -a "$share" -le 55 ]
share=$(split three-to-one)
check "limits 3:1: within 5 points of 75:25 ($share %)" [ "$share" -ge 70 -a "$share" -le 80 ]

standin /_reset -X POST >/dev/null
for _ in 1 2 3 4 5 6; do ask full >/dev/null; done
is "a target over its limit gets nothing" "$(standin /_bill | json 'sum(r["model"] == "gpt-4.1-mini" for r in d) <= 2 and len(d)')" 6
standin /_reset -X POST >/dev/null
ask in-order >/dev/null
ask cheap >/dev/null
ask mine >/dev/null
is "ordered, lowest cost, a group of one's own" "$(served)" "gpt-5.4 gpt-5.4-nano gpt-5.4-nano"
answer=$(ask unknown-model '' -w '\n%{http_code}')
is "an unlisted model is blocked where the policy says so" "$(tail -1 <<<"$answer")" 403
has "by its code" "$answer" model_unlisted

# ---- what is denied serves nobody under another name ----
standin /_reset -X POST >/dev/null
GROUP=strict
ask cheap >/dev/null
is "a denied model does not serve, although it is the cheapest" "$(served)" gpt-5.4-mini
has "why says so" "$(why_last)" "nano: its model is not allowed"
GROUP=narrow
answer=$(ask in-order '' -w '\n%{http_code}')
is "a data policy that no target keeps: 403" "$(tail -1 <<<"$answer")" 403
has "by its code" "$answer" target_denied
GROUP=any
standin /_script -d '[{"match":{"path":"/v1/embeddings"},"fault":"model_not_found"}]' >/dev/null
sed -i 's/on_unlisted_model: block/on_unlisted_model: route/' "$T/policy-config.dev.yaml"
check "reload" "$TOLLGATE" reload
for _ in 1 2; do governed sh -c 'curl -sS -m 20 https://api.openai.com/v1/embeddings -H "authorization: Bearer $OPENAI_API_KEY" -H "content-type: application/json" -d "{\"model\":\"text-embedding-99\",\"input\":\"x\"}"' >/dev/null; done
standin /_script -d '[]' >/dev/null
is "an unknown embeddings model takes no chat target out" "$(ask gpt-5.4-mini '' -o /dev/null -w '%{http_code}')" 200

# ---- the breaker ----
standin /_script -d '[{"match":{"model":"gpt-4.1"},"fault":"500"}]' >/dev/null
standin /_reset -X POST >/dev/null
for _ in 1 2 3 4 5; do is "a target that fails is stepped over" "$(ask broken '' -o /dev/null -w '%{http_code}')" 200; done
is "after three failures in a row it rests" "$(standin /_bill | json 'sum(r["model"] == "gpt-4.1" for r in d)')" 3
has "targets shows it" "$("$TOLLGATE" targets)" "open"
is "and why tells it" "$(last_event '["route"]["left_out"]["f"][:7]')" "breaker"
standin /_script -d '[]' >/dev/null
state() { "$TOLLGATE" targets --json | json 'next(t["breaker"] for t in d["targets"] if t["id"] == "f")'; }
probe() { ask broken >/dev/null; [ "$(state)" = closed ]; }
"$TOLLGATE" stop >/dev/null
sed -i 's/open_seconds: 3600/open_seconds: 1/' "$T/policy-config.dev.yaml"
agent # with a rest that ends
standin /_script -d '[{"match":{"model":"gpt-4.1"},"fault":"500"}]' >/dev/null
for _ in 1 2 3; do ask broken >/dev/null; done
standin /_script -d '[]' >/dev/null
check "it is probed once its rest is over" wait_for 40 probe
is "successful probes close it" "$(state)" closed
check "not fewer than two" [ "$(standin /_bill | json 'sum(r["model"] == "gpt-4.1" and r["status"] == 200 for r in d)')" -ge 2 ]

standin /_script -d '[{"match":{"model":"gpt-4.1"},"fault":"429","retry_after":30}]' >/dev/null
ask broken >/dev/null
standin /_reset -X POST >/dev/null
ask broken >/dev/null
is "Retry-After is respected" "$(served)" gpt-5.4-mini
has "and seen" "$("$TOLLGATE" targets)" "rests"
standin /_script -d '[]' >/dev/null
has "a target without a key is named" "$("$TOLLGATE" targets)" "no key"
settled any
stop_agent
done_playing
