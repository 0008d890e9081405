#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tollgate dashboard: strangers of all kinds get nothing, and in a real browser every figure is the agents' own. dev is a real
# agent with calls of every kind; prod is a stand-in whose names are full of markup. SCREENSHOTS=DIR keeps pictures.
. "$(dirname "$0")/lib.sh"
here=$ROOT/tests/scenarios
cache=${TOLLGATE_COMPAT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tollgate-compat}
real_home=$HOME
CACHE=true
play "the dashboard"
unset DISPLAY WAYLAND_DISPLAY

# ---- without a browser ----
mkdir "$T/strangers"
timeout 300 python3 "$here/78-dashboard-strangers.py" "$TOLLGATE" "$T/strangers" >"$T/said" 2>&1
code=$?
cat "$T/said"
[ $code -eq 0 ] || not_ok "strangers get nothing" "exit code $code, $(grep -c '^not ok' "$T/said") of $(grep -cE '^(not )?ok' "$T/said") failed"

# ---- the browser ----
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
module=$cache/browser/node_modules/playwright-core
[ -d "$module" ] || {
    mkdir -p "$cache/browser" && HOME=$real_home timeout 300 npm --prefix "$cache/browser" install --silent --no-audit --no-fund playwright-core
} >"$T/npm.log" 2>&1
lacking=
[ -n "$chromium" ] || lacking="no Chromium"
command -v node >/dev/null || lacking="no node"
[ -d "$module" ] || lacking="no playwright-core ($(tail -1 "$T/npm.log"))"
if [ -n "$lacking" ]; then
    skip "the dashboard in a browser: $lacking"
    [ "$FAILURES" -eq 0 ] && exit 77
    done_playing
fi

# ---- dev: a real agent, and calls of every kind ----
provider
policy <<'Y'
providers:
  routing:
    strategy: ordered
    model_groups:
      - {name: fast, targets: [first, second]}
    circuit_breaker: {enabled: false}
  targets:
    - {id: first, provider: openai, model: gpt-5.4-mini, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: second, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: claude, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}}
cache: {enabled: true, ttl_seconds: 600}
consumer_groups:
  - {name: any, api_key: kt_cg_any, wallet_team_id: any}
  - {name: poor, api_key: kt_cg_poor, wallet_team_id: poor}
wallets:
  - {id: any, credit: "100"}
  - {id: poor, credit: "0.000001"}
budgets:
  - {id: all-day, amount: 0.001, window: daily}
  - {id: any-month, amount: 5, window: monthly, scope: {wallet: any}, hard: true}
Y
agent
GROUP=any
ask() { openai "$(openai_body "$1" "$2" ',"max_tokens":50'"${3:-}")" "${@:4}" >/dev/null 2>&1; }
markup="<img src=x onerror=\\\"document.title='owned'\\\">"
for i in 1 2 3; do
    ask fast "question $i"
    ask fast "question $i" # a hit
    ask fast "stream $i" ',"stream":true' -N
    standin /_script -d '[{"match":{"model":"gpt-5.4-mini"},"fault":"503"}]' >/dev/null
    ask fast "falls back $i"
    standin /_script -d '[]' >/dev/null
    anthropic "$(anthropic_body claude-haiku-4-5 "hello $i [[tokens=20]]")" >/dev/null
    GROUP=poor ask fast "cannot pay $i"
    ask "$markup" "a name full of markup $i"
done
hostile="$T/<img src=x onerror=alert(1)>"
cp "$(command -v curl)" "$hostile"
governed "$hostile" -sS --max-time 20 https://api.openai.com/v1/chat/completions -H "authorization: Bearer kt_cg_any" -H 'content-type: application/json' \
    -d "$(openai_body fast "from a program with a name")" >/dev/null
settled any
printf '#!/bin/sh\nexec "%s" run --group any --project live-call -- curl -sS --max-time 20 https://api.openai.com/v1/chat/completions -H "authorization: Bearer kt_cg_any" -d %s\n' \
    "$TOLLGATE" "'$(openai_body fast "as it happens")'" >"$T/call"
chmod +x "$T/call"

# ---- prod: a stand-in ----
python3 "$here/78-dashboard-agent.py" "$T/pr" prod >"$T/prod.log" 2>&1 &
prod=$!
"$TOLLGATE" dashboard --no-open --runtime "dev=$T/r/tollgate/dev" --runtime "prod=$T/pr" >"$T/address" 2>"$T/dashboard.err" &
dashboard=$!
end_dashboard() { kill "$prod" "$dashboard" 2>/dev/null; }
ON_END=end_dashboard
wait_for 20 curl -sS --unix-socket "$T/pr/report.sock" http://agent/ && wait_for 20 test -s "$T/address" || die "the dashboard does not start: $(cat "$T/dashboard.err")"

PLAYWRIGHT=$module CHROMIUM=$chromium SCREENSHOTS=${SCREENSHOTS:-} CALL=$T/call PROD_PID=$prod AGENT=$here/78-dashboard-agent.py HOME=$T/h \
    timeout 600 node "$here/78-dashboard.mjs" "$(head -1 "$T/address")" "$T/r/tollgate/dev" "$T/pr" >"$T/said" 2>&1
code=$?
cat "$T/said"
[ $code -eq 0 ] || not_ok "the browser" "exit code $code, $(grep -c '^not ok' "$T/said") of $(grep -cE '^(not )?ok' "$T/said") failed"
kill -INT "$dashboard"
wait "$dashboard"
is "Ctrl-C ends the dashboard" $? 0
is "no sanitizer reports anything about the dashboard" "$(grep -hE 'Sanitizer|runtime error:' "$T/dashboard.err" | head -3)" ""
stop_agent
done_playing
