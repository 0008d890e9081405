#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The provider misbehaves: the program sees one clean answer or one clean error, and the money is right.
. "$(dirname "$0")/lib.sh"
play "faults of the provider"
provider
agent
ask() { openai "$(openai_body gpt-5.4-mini-mini "$1" "${2:-}")" "${@:3}"; }

is "429 passes through" "$(ask '[[fault=429]]' '' -o /dev/null -w '%{http_code}')" 429
is "500 passes through" "$(ask '[[fault=500]]' '' -o /dev/null -w '%{http_code}')" 500
settled
is "failed requests cost nothing" "$(money | cut -d' ' -f2,3)" "0 0"

answer=$(ask 'stream [[tokens=40]] [[fault=cut_rst]] [[cut=5]]' ',"stream":true' -N 2>/dev/null)
has "a cut stream ends in an error event" "$answer" '"error"'
lacks "and never looks complete" "$answer" '[DONE]'
settled
is "it is charged as partial" "$(last_event '["basis"]')" partial
check "and not for nothing" python3 -c "import sys; sys.exit(0 if float('$(last_event '["charge"]')') > 0 else 1)"

answer=$(ask 'no usage [[fault=no_usage]] [[tokens=30]]')
has "an answer without usage arrives" "$answer" chat.completion
settled
is "it is estimated, not free" "$(last_event '["usage_source"]+" "+str(float(d["events"][0]["charge"]) > 0)')" "estimated True"
ask 'zero [[fault=zero_usage]]' >/dev/null
settled
is "an explicit 0 is 0" "$(last_event '["usage_source"]+" "+d["events"][0]["charge"]')" "provider 0"

standin /_reset -X POST >/dev/null
ask 'first [[drop_next=1]]' >/dev/null
status=$(ask second '' -o /dev/null -w '%{http_code}')
arrived=$(standin /_bill | json 'len(d)')
case "$status $arrived" in
"502 2" | "200 2") ok "a dropped keep-alive connection: the POST arrives once ($status)" ;;
*) not_ok "a dropped keep-alive connection: the POST arrives once" "status $status, $arrived requests arrived" ;;
esac

kill "$PROVIDER_PID" && wait "$PROVIDER_PID" 2>/dev/null
PROVIDER_PID=
answer=$(ask 'nobody there' '' -w '\n%{http_code}')
is "provider down: 502" "$(tail -1 <<<"$answer")" 502
has "in the provider's shape" "$answer" '"error"'
settled
is "the hold went back" "$(last_event '["attempts"][0]["bytes_sent"]') $(last_event '["charge"]')" "False 0"
stop_agent
done_playing
