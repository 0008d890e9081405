#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Others took a hold for endpoints they only pass through, and had no code there that gave it back: the wallet drained by
# itself. Every way through that is not a metered answer must leave nothing held.
. "$(dirname "$0")/lib.sh"
play "endpoints that are passed through hold nothing for long"
provider
policy <<'Y'
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: haiku, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}}
consumer_groups:
  - {name: any, api_key: kt_cg_any, wallet_team_id: any}
wallets:
  - {id: any, credit: "1"}
cost_tracking: {clamp: false}
Y
agent
GROUP=any
call() { # METHOD URL [CURL OPTIONS…]: the status
    local method=$1 url=$2
    shift 2
    note_events
    governed sh -c 'exec curl -sS -m 20 -o /dev/null -w "%{http_code}" -H "authorization: Bearer $OPENAI_API_KEY" -H "x-api-key: $ANTHROPIC_API_KEY" -H "anthropic-version: 2023-06-01" -H "content-type: application/json" -X "$@"' sh "$method" "$url" "$@" 2>/dev/null
}
openai_url=https://api.openai.com/v1 anthropic_url=https://api.anthropic.com/v1
fail() { openai_body gpt-5.4-nano "[[fault=$1]]" ',"max_tokens":20'; }
for round in 1 2 3; do
    for request in \
        "200 GET $openai_url/models" \
        "200 GET $anthropic_url/models" \
        "200 GET $openai_url/fine_tuning/jobs" \
        "200 POST $openai_url/fine_tuning/jobs {\"model\":\"gpt-5.4-nano\",\"training_file\":\"file-1\"}" \
        "200 POST $openai_url/vector_stores {\"name\":\"hi\"}" \
        "200 POST $openai_url/threads/thread_1/runs {\"assistant_id\":\"a\",\"additional_messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}" \
        "200 POST $anthropic_url/messages/count_tokens {\"model\":\"claude-haiku-4-5\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}" \
        "404 GET $openai_url/nowhere" \
        "404 POST $openai_url/files/nothing/more {}" \
        "400 POST $openai_url/chat/completions {}" \
        "500 POST $openai_url/chat/completions $(fail 500)" \
        "429 POST $openai_url/chat/completions $(fail 429)" \
        "401 POST $openai_url/chat/completions $(fail 401)"; do
        read -r wanted method url body <<<"$request"
        got=$(call "$method" "$url" ${body:+-d "$body"})
        [ "$round" -gt 1 ] && [ "$got" = "$wanted" ] || is "$method ${url#https://} ${body:0:60}" "$got" "$wanted"
    done
done
settled any
is "nothing is held, nothing was spent" "$(money any)" "1 0 0"
is "the events say that nobody knows what these cost" "$(events | json '{(e["endpoint"], e["unmetered"], e["usage_source"]) for e in d["events"] if e["endpoint"] in ("fine_tuning", "vector_stores", "threads")} == {(n, True, "none") for n in ("fine_tuning", "vector_stores", "threads")}')" True
is "and no event charged anything" "$(events | json 'sum(float(e["charge"]) for e in d["events"])')" 0.0

# Gone in the middle of a pass-through, the provider answers nothing, breaks off: the same.
for text in '[[tokens=200]] [[pace_ms=20]]' '[[fault=hang]]' '[[fault=drop]]' '[[fault=cut_rst]]'; do
    call POST "$openai_url/threads/thread_1/runs" -m 0.5 -d "{\"assistant_id\":\"a\",\"stream\":true,\"additional_messages\":[{\"role\":\"user\",\"content\":\"$text\"}]}" >/dev/null
done
is_idle() { [ "$(standin /_stats | json 'd["in_flight"]')" -le 1 ]; }
check "the provider is left alone" wait_for 20 is_idle
nothing_held() { [ "$(money any)" = "1 0 0" ]; }
check "nothing is held" wait_for 10 nothing_held # although one is tried again
check "an ordinary call still pays" [ "$(openai "$(openai_body gpt-5.4-nano hi ',"max_tokens":20')" -o /dev/null -w '%{http_code}')" = 200 ]
wait_for_event
check "and is the only one that did" [ "$(events | json 'sum(float(e["charge"]) > 0 for e in d["events"])')" = 1 ]
stop_agent
agent
is "no hold was left for the next start" "$(find "$T/s" -name agent.log -exec cat {} + | grep -c 'open holds settled')" 0
stop_agent
done_playing
