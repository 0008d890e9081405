#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A program that speaks HTTP/1.0 knows no chunks (RFC 9112 6.1): a stream goes to it as it is, and ends with the connection.
# How long an answer is, is said only where nothing of ours may follow.
. "$(dirname "$0")/lib.sh"
play "HTTP/1.0"
provider
CACHE=true
agent
ask() { # VERSION PROMPT
    governed curl -sS "--http$1" -N https://api.openai.com/v1/chat/completions -H "authorization: Bearer $OPENAI_API_KEY" -H 'content-type: application/json' \
        -D "$T/head" -o "$T/body" -d "{\"model\":\"gpt-5.4-nano\",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"max_tokens\":50,\"messages\":[{\"role\":\"user\",\"content\":\"$2\"}]}"
}
field() { sed -n "s/^$1: *//pI" "$T/head" | tr -d '\r'; }
unframed() { # NAME
    is "$1: no chunks, no length" "$(field transfer-encoding)$(field content-length)" ""
    is "  but the connection's end" "$(field connection)" close
    is "  after an event stream, whole" "$(head -c 6 "$T/body") $(tail -n 2 "$T/body" | head -n 1)" "data:  data: [DONE]"
}
check "a stream by HTTP/1.0" ask 1.0 "[[tokens=30]] hello"
unframed "from the provider"
is "  not from the cache" "$(field cache-status | grep -c '; hit')" 0
cp "$T/body" "$T/first"
check "once more" ask 1.0 "[[tokens=30]] hello"
unframed "from the cache"
is "  which says so" "$(field cache-status | grep -c '; hit')" 1
check "  the same bytes" cmp "$T/first" "$T/body"
check "and by HTTP/1.1" ask 1.1 "[[tokens=30]] hello"
is "  with chunks" "$(field transfer-encoding)" chunked
check "  the same bytes" cmp "$T/first" "$T/body"
check "a stream that breaks" ask 1.0 "[[tokens=200]] [[fault=cut_rst]] [[cut=50]]"
check "  ends with an error event" grep -q '"error"' "$T/body"
is "  and not as if it were whole" "$(grep -c DONE "$T/body")" 0
json_answer() { # VERSION PROMPT
    governed curl -sS "--http$1" https://api.openai.com/v1/chat/completions -H "authorization: Bearer $OPENAI_API_KEY" -H 'content-type: application/json' -D "$T/head" -o "$T/body" \
        -d "{\"model\":\"gpt-5.4-nano\",\"max_tokens\":50,\"messages\":[{\"role\":\"user\",\"content\":\"$2\"}]}"
}
check "a long answer of unknown length" json_answer 1.0 "[[bytes=6000000]] [[framing=chunked]]"
is "  comes whole" "$(field transfer-encoding) $(stat -c %s "$T/body")" " 6000000"
breaks() { ! json_answer "$@"; }
check "one that breaks cannot be taken for a whole one" breaks 1.0 "[[bytes=6000000]] [[framing=chunked]] [[fault=cut_rst]] [[cut=5500000]]"
# What follows the announced length would be the next answer to who keeps the connection.
is_broken() { ! ask "$@"; }
check "by HTTP/1.1, a stream of announced length that breaks is not whole" is_broken 1.1 "[[tokens=200]] [[framing=length]] [[fault=short_body]] [[cut=150]]"
is "  has chunks, so that an event fits behind it" "$(field transfer-encoding)$(field content-length)" chunked
check "  ends with an error event" grep -q '"error"' "$T/body"
stop_agent
done_playing
