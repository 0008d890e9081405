#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Money for exactly K of 64 simultaneous requests admits exactly K, through the real agent (prod) and the stand-in.
#   races.sh [ROUNDS [SEED]]   50 rounds by default; a long run has 1,000. Prints the seed and figures; exit 1 on a fault
set -uo pipefail
. "$(dirname "$0")/../scenarios/lib.sh"
rounds=${1:-50} seed=${2:-$(date +%s%N | tail -c 9)}
echo "seed $seed"
play "exactly K of 64"
ENVIRONMENT=prod
export TOLLGATE_STATE_DIR=$T/ps TOLLGATE_RUNTIME_DIR=$T/pr PYTHONDONTWRITEBYTECODE=1
mkdir -m 700 "$T/ps"
mkdir -m 755 "$T/pr"
provider
policy <<'Y'
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}, pricing: {input: 1, output: 10, cache_read: 1, cache_write: 1, cache_write_1h: 1}}
    - {id: haiku, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}, pricing: {input: 1, output: 10, cache_read: 1, cache_write: 1, cache_write_1h: 1}}
consumer_groups:
  - {name: races, api_key: kt_cg_races, wallet_team_id: races, default: true}
wallets:
  - {id: races, credit: "0"}
cost_tracking: {enabled: true, wallet_enforcement: true, clamp: false}
limits: {loops: 4}
Y
agent
python3 "$ROOT/tests/crash/races.py" "$TOLLGATE_RUNTIME_DIR" "$T/policy-config.prod.yaml" "$PROVIDER_PORT" \
    "$T/provider-ca.pem" "$rounds" "$seed" || not_ok "exactly what can be paid is admitted" "replay: races.sh $rounds $seed"
stop_agent
done_playing
