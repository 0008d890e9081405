#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 under 200 live streams of prod: the provider's bill never exceeds what the wallet spent or holds, no hold
# outlives the restart, and the agent is ready again soon.
#   live-streams.sh [ROUNDS [SEED]]   20 rounds by default. Prints the seed and figures; exit 1 on a violation
set -uo pipefail
. "$(dirname "$0")/../scenarios/lib.sh"
rounds=${1:-20} seed=${2:-$(date +%s%N | tail -c 9)}
echo "seed $seed"
play "kill -9 under 200 live streams"
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
  - {name: live, api_key: kt_cg_live, wallet_team_id: live, default: true}
wallets:
  - {id: live, credit: "1000000"}
cost_tracking: {enabled: true, wallet_enforcement: true}
limits: {loops: 4}
Y
python3 "$ROOT/tests/crash/live-streams.py" "$BUILD/tollgated" "$TOLLGATE_STATE_DIR" "$TOLLGATE_RUNTIME_DIR" \
    "$T/policy-config.prod.yaml" "$T/providers.yaml" "$T/s/agent.log" "$PROVIDER_PORT" "$T/provider-ca.pem" "$rounds" "$seed" ||
    not_ok "nothing is billed that was not spent or held" "replay: live-streams.sh $rounds $seed"
stop_agent
done_playing
