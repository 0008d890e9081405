#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rules of the policy, each seen where it must be: in the error that the program reads, in the event, in why, and at the
# provider (what was redacted never got there). Rate limits, with the fields that say so.
. "$(dirname "$0")/lib.sh"
play "rules, redaction, rate limits"
provider
policy <<'Y'
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: haiku, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}}
consumer_groups:
  - {name: any, api_key: kt_cg_any, wallet_team_id: any, default: true}
  - {name: batches, api_key: kt_cg_batches, wallet_team_id: any}
  - {name: night, api_key: kt_cg_night, wallet_team_id: any}
  - name: slow
    api_key: kt_cg_slow
    wallet_team_id: any
    rate_limits: {requests_per_minute: 3}
  - name: small
    api_key: kt_cg_small
    wallet_team_id: any
    rate_limits: {tokens_per_minute: 500}
wallets:
  - {id: any, credit: "100"}
policies:
  rules:
    - {id: free-for-tests, action: allow, when: {keywords: ["let me through"]}}
    - {id: no-opus, action: block, message: "ask the platform team", when: {models: ["claude-opus-*"]}}
    - {id: no-images, action: block, when: {endpoints: ["images*"]}}
    - {id: at-night, action: block, when: {groups: [night], hours: "00:00-24:00"}}
    - {id: project-x, action: block, when: {regex: ["(?i)project\\s+x\\b"]}}
    - {id: no-cards, action: block, when: {detect: [card]}}
    - {id: clean, action: redact, when: {detect: [email, phone, iban, api_key, private_key]}}
    - {id: no-long, action: block, when: {groups: [batches], output_tokens_above: 1000}}
    - {id: short, action: limit, output_tokens_max: 30, when: {output_tokens_above: 100}}
    - {id: long-input, action: flag, when: {input_bytes_above: 2000}}
Y
agent
GROUP=any
ask() { openai "$(openai_body gpt-5.4-nano "$1" "${2:-}")" "${@:3}"; }
status() { tail -1 <<<"$1"; }

answer=$(openai "$(openai_body claude-opus-4-6)" -w '\n%{http_code}')
is "a denied model: 403" "$(status "$answer")" 403
has "the error names the rule" "$answer" 'policies.rules[no-opus]'
has "and its message" "$answer" "ask the platform team"
is "the event names it" "$(last_event '["rule"]+" "+d["events"][0]["error"]')" "policies.rules[no-opus] rule_blocked"
has "and why does" "$(why_last)" "no-opus"
answer=$(anthropic "$(anthropic_body claude-opus-4-6)" -w '\n%{http_code}')
has "in Anthropic's shape, too" "$answer" '"permission_error"'
answer=$(governed sh -c 'curl -sS -m 20 -w "\n%{http_code}" https://api.openai.com/v1/images/generations -H "authorization: Bearer $OPENAI_API_KEY" -H "content-type: application/json" -d "{\"model\":\"gpt-image-1\",\"prompt\":\"a cat\"}"')
has "an endpoint" "$answer" 'no-images'
answer=$(GROUP=night ask hello '' -w '\n%{http_code}')
has "a time of day" "$answer" 'at-night'
has "a pattern" "$(ask 'tell me of PROJECT  X please')" 'project-x'
has "also when it is escaped" "$(ask 'tell me of \u0050roject\u0020X please')" 'project-x'
has "a card number" "$(ask 'pay with 4111 1111 1111 1111')" 'no-cards'
lacks "without telling it" "$(ask 'pay with 4111 1111 1111 1111')" '4111'
has "no card number, no refusal" "$(ask 'order 4111 1111 1111 1112')" 'chat.completion'
has "what is allowed first is not asked further" "$(ask 'let me through: project x')" 'chat.completion'

standin /_reset -X POST >/dev/null
sent=$(ask 'write to jane.doe@example.com or +49 30 901820, key sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD')
has "a redacted request is answered" "$sent" 'chat.completion'
has "the provider saw the places" "$sent" 'write to [email]'
lacks "and never the address" "$sent" 'jane.doe'
lacks "nor the key" "$sent" 'sk-proj-abc'
is "the event counts them" "$(last_event '["redacted"]')" "1 email, 1 phone, 1 api_key"
lacks "and holds nothing of them" "$(events)$(cat "$T"/s/tollgate/dev/*.log 2>/dev/null)" 'jane.doe'
is "the rule is named" "$(last_event '["rules"]')" "['clean', 'short']"

settled any
ask 'be long' ',"max_tokens":1000' -D "$T/head" -o "$T/body"
is "a limit lowers what is asked for" "$(json 'd["usage"]["completion_tokens"] <= 30' <"$T/body")" True
long=$(head -c 3000 /dev/zero | tr '\0' a)
ask "$long" >/dev/null
is "a flag only marks" "$(last_event '["rules"]')" "['short', 'long-input']"

# ---- batches: each of their requests counts, not their mean ----
batch() { # MAX_TOKENS…: the status, and the rule that refused
    local body
    body=$(python3 -c 'import json,sys; print(json.dumps({"requests": [{"custom_id": str(i), "params": {"model": "claude-haiku-4-5", "max_tokens": int(n), "messages": [{"role": "user", "content": "hi"}]}} for i, n in enumerate(sys.argv[1:])]}))' "$@")
    governed sh -c 'curl -sS -m 60 -o "$T/batch" -w "%{http_code}" https://api.anthropic.com/v1/messages/batches -H "x-api-key: $ANTHROPIC_API_KEY" -H "anthropic-version: 2023-06-01" -H "content-type: application/json" -d "$1"' sh "$body"
    grep -o 'policies.rules.[a-z-]*' "$T/batch" | head -1
}
small=$(printf '1 %.0s' {1..99})
GROUP=batches
is "requests below a rule's bound" "$(batch 90 1)" 200
is "one above it" "$(batch $small 2000)" "403policies.rules[no-long"
is "a limit that one exceeds: none can be shortened" "$(batch $small 200)" "403policies.rules[short"

# ---- rate limits ----
GROUP=slow
for i in 1 2 3; do is "request $i of 3 in a minute" "$(ask hello '' -o /dev/null -w '%{http_code}')" 200; done
answer=$(ask hello '' -D "$T/head" -w '\n%{http_code}')
is "the fourth: 429" "$(status "$answer")" 429
has "with the limit's name" "$answer" 'rate_limits.requests_per_minute'
has "as a rate limit of the provider's kind" "$answer" 'rate_limit'
seconds=$(sed -n 's/^retry-after: *\([0-9]*\).*/\1/pI' "$T/head")
check "Retry-After is short ($seconds s)" [ "${seconds:-999}" -ge 1 -a "${seconds:-999}" -le 60 ]
has "RateLimit-Policy says the limit" "$(cat "$T/head")" '"requests_per_minute";q=3;w=60'
has "RateLimit says what is left" "$(cat "$T/head")" '"requests_per_minute";r=0;t='
GROUP=small
is "tokens that never fit: final" "$(ask hello ',"max_tokens":600' -D "$T/head" -o /dev/null -w '%{http_code}') $(grep -ci 'x-should-retry: false' "$T/head") $(grep -ci '^retry-after' "$T/head")" "429 1 0"
is "tokens that fit" "$(ask hello ',"max_tokens":100' -o /dev/null -w '%{http_code}')" 200
wait_for_event
is "nothing of a refusal reached the provider or cost money" "$(events | json 'sum(float(e["charge"]) for e in d["events"] if e["error"])')" 0.0
stop_agent
done_playing
