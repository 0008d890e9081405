#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A target fails before its first byte, in every way that faults.md names: another one answers, the program sees one clean
# answer, and the money is right: one hold per attempt, none leaked. After the first byte there is no second try.
. "$(dirname "$0")/lib.sh"
play "another target answers when one fails before its first byte"
provider
policy <<'Y'
providers:
  routing:
    strategy: ordered
    model_groups:
      - {name: fast, targets: [first, second]}
      - {name: mixed, targets: [first, claude]}
      - {name: three, targets: [first, second, claude]}
      - {name: lost, targets: [stranger, second]}
      - {name: dead, targets: [nobody, second]}
    cross_dialect: equal
    circuit_breaker: {enabled: false}
  targets:
    - {id: first, provider: openai, model: gpt-5.4-mini, secret_key_ref: {env: OPENAI_API_KEY}, timeout_ms: 60000}
    - {id: second, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: claude, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}}
    - {id: stranger, provider: openai, model: gpt-4.1-mini, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: nobody, provider: openai, model: gpt-5.4, secret_key_ref: {env: OPENAI_API_KEY}, base_url: "https://127.0.0.1:9", local: true}
consumer_groups:
  - {name: any, api_key: kt_cg_any, wallet_team_id: any}
wallets:
  - {id: any, credit: "100"}
Y
agent
GROUP=any
fail_first() { standin /_script -d "[{\"match\":{\"model\":\"gpt-5.4-mini\"},\"fault\":\"$1\"${2:-}}]" >/dev/null; standin /_reset -X POST >/dev/null; }
ask() { openai "$(openai_body "$1" hello ',"max_tokens":50'"${2:-}")" "${@:3}"; }
attempts() { last_event '["attempts"]' >/dev/null; "$TOLLGATE" events --limit 1 --json | json "$1"; }

patience() { # MS: of the first target; short where nothing answers, or else whoever is late for want of a processor has failed
    sed -i "/id: first/s/timeout_ms: [0-9]*/timeout_ms: $1/" "$T/policy-config.dev.yaml"
    "$TOLLGATE" reload >/dev/null 2>&1 || not_ok "the policy is in force"
}
for fault in 429 500 502 503 529 408 drop drop_rst hang; do
    [ $fault = hang ] && patience 1000
    fail_first "$fault"
    answer=$(ask fast '' -w '\n%{http_code}')
    is "$fault: one clean answer" "$(tail -1 <<<"$answer") $(grep -c '"chat.completion"' <<<"$answer")" "200 1"
    settled any
    is "$fault: two attempts, the second served" "$(attempts '" ".join(a["target"] for a in d["events"][0]["attempts"])')" "first second"
    is "$fault: each had a hold of its own" "$(attempts 'len([a for a in d["events"][0]["attempts"] if float(a["hold"]) > 0])')" 2
    stream=$(ask fast ',"stream":true' -N)
    has "$fault: a stream, too" "$stream" 'data: [DONE]'
    lacks "$fault: and nothing of the failure is in it" "$stream" '"error"'
done
patience 60000
settled any
is "what was answered with an error cost nothing; what was only sent is an estimate" \
    "$(events | json 'sorted({(a["basis"], float(a["charge"]) > 0) for e in d["events"] for a in e["attempts"] if a["target"] == "first"})')" \
    "[('estimate', True), ('exact', False)]"
is "the events' charges are what the wallet spent" \
    "$(events | json 'sum(round(float(e["charge"])*1e9) for e in d["events"])')" "$(python3 -c "print(round($(money any | cut -d' ' -f3)*1e9))")"

fail_first 503
answer=$(ask mixed)
has "another dialect answers in the program's own" "$answer" '"object":"chat.completion"'
is "the event says that it was translated" "$(attempts 'd["events"][0]["attempts"][1]["translated_to"]')" messages
answer=$(ask dead '' -w '\n%{http_code}')
is "nobody there: the next one" "$(tail -1 <<<"$answer")" 200
settled any
is "the hold of what was never sent is void" "$(attempts 'str(d["events"][0]["attempts"][0]["bytes_sent"])+" "+d["events"][0]["attempts"][0]["charge"]')" "False 0"

standin /_script -d '[{"fault":"503"}]' >/dev/null
standin /_reset -X POST >/dev/null
answer=$(ask three '' -w '\n%{http_code}')
is "all fail: the last one's error, once" "$(tail -1 <<<"$answer") $(standin /_bill | json 'len(d)')" "503 3"
has "in the program's own shape" "$answer" '"error":{"message"'
answer=$(ask gpt-5.4-nano '' -w '\n%{http_code}')
is "without another target its error passes" "$(tail -1 <<<"$answer") $(standin /_bill | json 'len(d)')" "503 4"

standin /_script -d '[{"match":{"model":"gpt-5.4-mini"},"fault":"400"}]' >/dev/null
standin /_reset -X POST >/dev/null
is "an error of the request's own passes, too" "$(ask fast '' -o /dev/null -w '%{http_code}') $(standin /_bill | json 'len(d)')" "400 1"
standin /_script -d '[{"match":{"model":"gpt-4.1-mini"},"fault":"model_not_found"}]' >/dev/null
is "a model that the target does not know: the next one" "$(ask lost '' -o /dev/null -w '%{http_code}')" 200
has "doctor names it" "$("$TOLLGATE" doctor)" "does not know the model"
standin /_reset -X POST >/dev/null
is "and it is not asked again" "$(ask lost '' -o /dev/null -w '%{http_code}') $(standin /_bill | json 'len(d)')" "200 1"

standin /_script -d '[{"match":{"model":"gpt-5.4-nano"},"reject_stream_options":1}]' >/dev/null
standin /_reset -X POST >/dev/null
stream=$(ask gpt-5.4-nano ',"stream":true' -N)
has "a target that takes no stream_options is asked again without" "$stream" 'data: [DONE]'
is "once" "$(standin /_bill | json '" ".join(str(r["status"]) for r in d)')" "400 200"
settled any
is "and estimated" "$(last_event '["usage_source"]')" estimated

fail_first cut_rst ',"cut":3'
stream=$(ask fast ',"stream":true' -N 2>/dev/null)
has "after the first byte: an error event" "$stream" '"error"'
lacks "and no second answer" "$stream" '[DONE]'
is "nobody else was asked" "$(standin /_bill | json 'len(d)')" 1
standin /_script -d '[]' >/dev/null
settled any
is "nothing is held" "$(money any | cut -d' ' -f2)" 0
stop_agent
done_playing
