#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# curl as a client of the soak, a process per call; client.py says what these do.
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT

while IFS=$'\t' read -r tag dialect stream abort tokens text; do
    case $dialect in
    openai) url=https://api.openai.com/v1/chat/completions model=gpt-5.4-nano end='data: [DONE]' ;;
    *) url=https://api.anthropic.com/v1/messages model=claude-haiku-4-5 end='data: {"type":"message_stop"}' ;;
    esac
    more=
    [ "$stream" = 0 ] || more=',"stream":true'
    # The key is not for the list of processes.
    if [ "$dialect" = openai ]; then echo "header = \"authorization: Bearer $OPENAI_API_KEY\""; else
        printf 'header = "x-api-key: %s"\nheader = "anthropic-version: 2023-06-01"\n' "$ANTHROPIC_API_KEY"
    fi >"$T/key"
    rm -f "$T/head" "$T/body"
    # To leave in the midst of an answer: half a second is all it gets.
    curl -sN --max-time "$([ "$abort" = 1 ] && echo 0.5 || echo 60)" -K "$T/key" -D "$T/head" -o "$T/body" -H "x-standin-tag: $tag" \
        -H 'content-type: application/json' "$url" \
        -d "{\"model\":\"$model\",\"max_tokens\":$tokens,\"messages\":[{\"role\":\"user\",\"content\":\"$text\"}]$more}"
    code=$?
    id=$(tr -d '\r' <"$T/head" 2>/dev/null | awk 'tolower($1) == "tollgate-request-id:" { print $2 }')
    status=$(awk 'NR == 1 { print $2 }' "$T/head" 2>/dev/null)
    outcome=whole
    if [ "$code" = 28 ] && [ "$abort" = 1 ]; then outcome=aborted
    elif [ "$code" != 0 ]; then outcome=broken
    elif [ "$status" != 200 ]; then outcome=error
    elif [ "$stream" = 1 ] && ! tail -n 2 "$T/body" | grep -qF "$end"; then outcome=broken; fi
    printf '%s\t%s\t%s\t%s\n' "$tag" "${id:--}" "${status:-0}" "$outcome"
done
