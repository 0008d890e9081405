#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Policies: both seed files load as given; mistakes are all shown at once with their place; a bad reload changes nothing.
. "$(dirname "$0")/lib.sh"
play "policies that are right, and wrong"
provider
for environment in dev prod; do
    check "the $environment seed policy loads as given" "$TOLLGATE" check "$ROOT/policies/policy-config.$environment.yaml"
    has "and names the models without a price" "$("$TOLLGATE" check "$ROOT/policies/policy-config.$environment.yaml" 2>&1)" gpt-5.4-mini-mini
done
agent
cat >"$T/bad.dev.yaml" <<'Y'
cach:
  enabled: true
cost_tracking:
  wallet_enforcement: maybe
providers:
  targets:
    - id: a
      provider: opnai
      model: m
    - id: a
      provider: openai
      model: m
consumer_groups:
  - name: g
    api_key: sk-not-a-placeholder
    wallet_team_id: w
Y
"$TOLLGATE" check "$T/bad.dev.yaml" >"$T/out" 2>&1
is "exit 65" $? 65
out=$(cat "$T/out")
for place in 1:1 4:23 8:17 10:11 15:14; do has "an error at line:column $place" "$out" "bad.dev.yaml:$place: error"; done
has "did you mean" "$out" "cache"
has "a caret" "$out" "^"

before=$("$TOLLGATE" status --json | json 'd["policy_digest"]')
cp "$T/bad.dev.yaml" "$T/policy-config.dev.yaml.new"
cp "$T/policy-config.dev.yaml" "$T/good"
cp "$T/bad.dev.yaml" "$T/policy-config.dev.yaml"
if "$TOLLGATE" reload >"$T/out" 2>&1; then not_ok "a bad reload is refused"; else ok "a bad reload is refused"; fi
has "with the exact place" "$(cat "$T/out")" "policy-config.dev.yaml:1:1"
is "the old policy stays in force" "$("$TOLLGATE" status --json | json 'd["policy_digest"]')" "$before"
has "and works" "$(openai "$(openai_body)")" chat.completion
sed 's/product-dev/renamed/' "$T/good" >"$T/policy-config.dev.yaml"
check "a good reload is taken" "$TOLLGATE" reload
openai "$(openai_body)" >/dev/null
is "and drives the next call" "$(last_event '["group"]')" renamed

# The price list likewise.
"$TOLLGATE" stop >/dev/null
cp "$ROOT/policies/prices.yaml" "$T/prices.yaml"
agent --prices "$T/prices.yaml"
sed '0,/input: [0-9.]*/s//input: cheap/' "$ROOT/policies/prices.yaml" >"$T/prices.yaml"
"$TOLLGATE" reload >"$T/out" 2>&1
check "a bad price list is refused ($?)" grep -q 'prices.yaml:[0-9]*:[0-9]*: error' "$T/out"
price=$(openai "$(openai_body)" >/dev/null; last_event '["charge"]')
check "the old prices stay in force" python3 -c "import sys; sys.exit(not float('$price') > 0)"

cp "$T/bad.dev.yaml" "$T/policy-config.dev.yaml"
"$TOLLGATE" stop >/dev/null
"$TOLLGATE" start --policy "$T/bad.dev.yaml" >"$T/out" 2>&1
is "an agent does not start on a bad policy" $? 65
head -c 2000000 /dev/zero | tr '\0' '[' >"$T/deep.dev.yaml"
timeout 10 "$TOLLGATE" check "$T/deep.dev.yaml" >/dev/null 2>&1
is "hostile YAML is refused quickly" $? 65

ENVIRONMENT=prod
agent
is "prod blocks an unlisted model" "$(openai "$(openai_body gpt-4o)" -o /dev/null -w '%{http_code}')" 403
answer=$(openai "$(openai_body gpt-5.4-mini)" -w '\n%{http_code}')
is "a prod wallet starts at 0 and blocks" "$(tail -1 <<<"$answer")" 429
has "and says which command funds it" "$answer" "wallet fund team_product_prod"
check "fund" "$TOLLGATE" wallet fund team_product_prod 5 --create --env prod
has "then it works" "$(openai "$(openai_body gpt-5.4-mini)")" chat.completion
is "on its own state" "$(last_event '["environment"]')" prod
settled
stop_agent
done_playing
