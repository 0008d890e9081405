#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Called by `scripts/bench streams [small|full]`: many streams at once (full: 5,000) through an agent with all on, after
# the same without it. Each piece of each stream carries its place there, which the client checks: none may be lost, late
# or twice, nor may a stream cost the agent more memory than KIB_MAX, nor the wallet pay anything but the provider's
# bill. How fast it is is a figure, and no verdict. tests/bench/README.md says what each figure means.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib.sh"

KIB_MAX=110
case ${1:-full} in
small) streams=500 pieces=24 pace_ms=250 spread_ms=3000 systems=tollgate ;;
full) streams=5000 pieces=80 pace_ms=500 spread_ms=20000 systems="direct tollgate" ;;
*) die "bench streams: sizes are small and full" ;;
esac
files=$((streams * 2 + 500)) limit=$(ulimit -Hn)
[ "$limit" = unlimited ] || [ "$limit" -ge "$files" ] ||
    { skip "bench streams: $streams streams need $files descriptors, the limit is $limit"; exit 77; }
ulimit -Sn "$files"
load=$BUILD/tests/bench/load
make -s -C "$ROOT" -j"$(cores)" BUILD="$BUILD" "$BUILD/tollgated" "$BUILD/provider" "$load"

name=api.openai.com model=gpt-5.4-nano placeholder=kt_cg_streams work=$(mktemp -d) disk=$(mktemp -d "$BUILD/bench.XXXXXX")
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" || true; done
    rm -rf "$work" "$disk"
}
trap finish EXIT
trap 'exit 130' INT TERM

"$BUILD/provider" --listen 127.0.0.1:0 --ca-file "$work/provider-ca.pem" --port-file "$work/port" >"$work/provider.log" 2>&1 &
pids+=("$!")
wait_for 20 test -s "$work/port" || die "bench streams: the stand-in does not start: $(cat "$work/provider.log")"
port=$(cat "$work/port")
cat >"$work/policy-config.dev.yaml" <<POLICY
providers:
  targets: [{id: bench, provider: openai, model: $model, secret_key_ref: {env: OPENAI_API_KEY}}]
consumer_groups: [{name: bench, api_key: $placeholder, wallet_team_id: bench}]
wallets: [{id: bench, credit: 1000000}]
cost_tracking: {enabled: true, wallet_enforcement: true}
capture: {refresh_seconds: 0}
limits: {connections_per_uid_max: $((streams + 100)), connections_max: $((streams + 100)), head_timeout_ms: 120000}
POLICY
cat >"$work/providers.yaml" <<PROVIDERS
providers:
  - {id: openai, dialect: openai, hosts: [$name], base_url: "https://127.0.0.1:$port", local: true,
     ca_file: "$work/provider-ca.pem", key_header: authorization, price_family: openai, key_environment: [OPENAI_API_KEY]}
PROVIDERS
env -i PATH="$PATH" OPENAI_API_KEY=sk-streams "$BUILD/tollgated" --environment dev --policy "$work/policy-config.dev.yaml" \
    --providers "$work/providers.yaml" --prices "$ROOT/policies/prices.yaml" --state "$disk/state" --runtime "$work/run" \
    >"$work/agent.log" 2>&1 &
agent=$!
pids+=("$agent")
wait_for 20 curl -sf --unix-socket "$work/run/admin.sock" http://tollgate/v1/wallets ||
    { cat "$work/agent.log" >&2; die "bench streams: the agent does not start"; }

bill() { curl -sf -m 20 --cacert "$work/provider-ca.pem" "https://127.0.0.1:$port/_bill?summary=1"; }
reset() { curl -sf -m 20 --cacert "$work/provider-ca.pem" "https://127.0.0.1:$port/_reset" -d '' >/dev/null; }
is_settled() { curl -sf --unix-socket "$work/run/admin.sock" http://tollgate/v1/wallets >"$work/tollgate.wallet" &&
    ! grep -q '"held":"[^"]*[1-9]' "$work/tollgate.wallet"; }

ask() { # SYSTEM STREAMS PIECES PACE_MS SPREAD_MS LOAD: its line goes to $work/results, what the provider billed to $work/bills
    local where=(--connect "127.0.0.1:$port" --ca "$work/provider-ca.pem" --key sk-streams) out
    [ "$1" = direct ] || where=(--map "$work/run/map" --ca "$work/run/ca.pem" --key "$placeholder" --pid "$agent")
    reset
    out=$("$load" --name "$name" --model "$model" --numbers 1 --connections "$2" --pieces "$3" \
        --pace-ms "$4" --spread-ms "$5" "${where[@]}") ||
        { tail -n 5 "$work/agent.log" >&2; die "bench streams: $1 fails"; }
    echo "1 $6 $1 $out" >>"$work/results"
    echo "$6 $1 $out bill=$(bill)" >>"$work/bills"
}
ask tollgate 8 4 20 20 first # what the agent needs once is no stream's
for system in $systems; do ask "$system" "$streams" "$pieces" "$pace_ms" "$spread_ms" streams; done
wait_for 20 is_settled || die "bench streams: money is held after the last stream"
python3 "$ROOT/tests/bench/figures_streams.py" "$work" "$streams" "$KIB_MAX"
say "bench streams ${1:-full}: $SECONDS s"
