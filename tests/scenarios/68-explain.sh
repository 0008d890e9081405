#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `tollgate explain`: which rule, which target, which hold a request would meet, without an agent and without sending it;
# and every case beside an example policy says what it must say.
. "$(dirname "$0")/lib.sh"
play "explain"
explain() { "$TOLLGATE" explain "$@" 2>"$T/err"; }
answer=$(openai_body gpt-5.4-mini-mini hello ',"max_tokens":100' | env -u OPENAI_API_KEY "$TOLLGATE" explain "$ROOT/policies/policy-config.dev.yaml" 2>"$T/err")
has "the rule" "$answer" "default"
has "the target" "$answer" "openai-gpt4o-mini"
has "the hold" "$answer" "holds 0.00"
has "a key that is missing here is said" "$(cat "$T/err")" "is not here"
answer=$(openai_body no-such-model | explain "$ROOT/policies/policy-config.prod.yaml")
is "a refusal: exit code 1" "$?" 1
has "with its code" "$answer" model_unlisted
answer=$(anthropic_body claude-haiku | explain "$ROOT/policies/policy-config.dev.yaml" --json)
is "JSON for programs" "$(json 'd["endpoint"]+" "+d["targets"][0]["target"]' <<<"$answer")" "messages anthropic-haiku"
echo 'no json' | explain "$ROOT/policies/policy-config.dev.yaml" >/dev/null
is "no request: exit code 65" "$?" 65
openai_body x | explain /nowhere >/dev/null
is "no policy: exit code 65" "$?" 65
explain >/dev/null </dev/null
is "no arguments: exit code 64" "$?" 64
count=0
for cases in "$ROOT"/policies/examples/*.cases; do
    [ -e "$cases" ] || continue
    policy_file=${cases%.cases}.yaml
    while IFS='|' read -r name options request wanted; do
        [[ "$name" == \#* || -z "$name" ]] && continue
        # shellcheck disable=SC2086 # options are words
        answer=$(explain "$policy_file" $options <<<"$request")
        has "${cases##*/}: $name" "$answer" "$wanted"
        count=$((count + 1))
    done <"$cases"
done
check "examples have cases ($count)" [ "$count" -ge 8 ]
done_playing
