#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Others took a usage of 0 for "no usage" and charged an estimate, or took no usage for 0 and charged nothing.
. "$(dirname "$0")/lib.sh"
play "a usage of zero is zero, and no usage is not"
provider
policy <<'Y'
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: haiku, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}}
consumer_groups:
  - {name: any, api_key: kt_cg_any, wallet_team_id: any}
wallets:
  - {id: any, credit: "10"}
Y
agent
GROUP=any
above_zero() { python3 -c "import sys; sys.exit(not float(sys.argv[1]) > 0)" "$1"; }
for dialect in openai anthropic; do
    case $dialect in openai) model=gpt-5.4-nano ;; *) model=claude-haiku-4-5 ;; esac
    for stream in '' ',"stream":true'; do
        name="$dialect${stream:+, stream}"
        spent=$(money any | cut -d' ' -f3)
        is "$name: usage 0 is answered" "$($dialect "$(${dialect}_body $model '[[fault=zero_usage]] [[tokens=30]]' "$stream")" -o "$T/answer" -w '%{http_code}')" 200
        settled any
        is "  charged 0" "$(last_event '["charge"]')" 0
        is "  exactly, the provider says so" "$(last_event '["attempts"][0]["basis"]') $(last_event '["attempts"][0]["usage_source"]')" "exact provider"
        is "  by the wallet, too" "$(money any | cut -d' ' -f3)" "$spent"
        is "$name: no usage is answered" "$($dialect "$(${dialect}_body $model '[[fault=no_usage]] [[tokens=30]]' "$stream")" -o "$T/answer" -w '%{http_code}')" 200
        settled any
        check "  charged more than 0" above_zero "$(last_event '["charge"]')"
        check "  and not called exact" [ "$(last_event '["attempts"][0]["basis"]')" != exact ]
        check "  by the wallet, too" [ "$(money any | cut -d' ' -f3)" != "$spent" ]
    done
done
headers=$(openai "$(openai_body gpt-5.4-nano '[[fault=zero_usage]]')" -D - -o /dev/null)
has "the program reads that it cost nothing" "$(tr -d '\r' <<<"$headers" | grep -i '^tollgate-cost:')" ": 0"
settled any
stop_agent
done_playing
