#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The placeholder key from end to end: the program holds kt_cg_…, the agent swaps it for the target's key wherever it
# stood, it never travels, and whoever slips past with it is answered 401.
. "$(dirname "$0")/lib.sh"
play "placeholder keys end to end"
provider

# ---- every provider of the catalogue: what its programs look for is the placeholder ----
cp "$ROOT/policies/providers.yaml" "$T/catalogue.yaml"
cp "$T/providers.yaml" "$T/standin.yaml"
cp "$T/catalogue.yaml" "$T/providers.yaml"
agent
governed env >"$T/environment"
for variable in $(sed -n 's/^ *key_environment: \[\(.*\)\].*/\1/p' "$T/catalogue.yaml" | tr -d ','); do
    is "run: $variable is the placeholder" "$(sed -n "s/^$variable=//p" "$T/environment")" kt_cg_product_dev
done
rows=$(grep -c '^  - id:' "$T/catalogue.yaml")
is "every provider names its variables" "$(grep -c '^    key_environment: \[.' "$T/catalogue.yaml")" "$rows"
check "the agent stops" "$TOLLGATE" stop

# ---- wherever a key stands: the group is known by it, the target's key goes, nothing of it travels ----
cp "$T/standin.yaml" "$T/providers.yaml"
cat >"$T/echo.py" <<'P'
import http.server, sys
class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        with open(sys.argv[1], "a") as log:
            print(self.path, self.headers, body.decode(), file=log)
        answer = b'{"id":"x","object":"chat.completion","model":"m","type":"message","role":"assistant","choices":[],"content":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2,"input_tokens":1,"output_tokens":1},"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1}}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    do_GET = lambda self: self.do_POST()
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
print(server.server_port, flush=True)
server.serve_forever()
P
python3 "$T/echo.py" "$T/echo.log" >"$T/echo.port" &
echo_pid=$!
wait_for 10 test -s "$T/echo.port"
at="base_url: \"http://127.0.0.1:$(cat "$T/echo.port")\", local: true"
cat >>"$T/providers.yaml" <<Y
  - {id: azure, dialect: openai, hosts: [mine.openai.azure.com], base_url: "https://mine.openai.azure.com", api_prefix: /openai/v1, responses: true, key_header: api-key, price_family: azure, key_environment: [AZURE_OPENAI_API_KEY]}
  - {id: other, dialect: openai, hosts: [api.other.example], base_url: "http://127.0.0.1:$(cat "$T/echo.port")", local: true, price_family: openai, key_environment: [OTHER_API_KEY]}
  - {id: lending, dialect: openai, hosts: [api.lending.example], base_url: "http://127.0.0.1:$(cat "$T/echo.port")", local: true, price_family: openai, key_environment: [LENDING_API_KEY]}
Y
for secret in openai anthropic google azure lending; do
    printf 'real-key-of-%s' $secret >"$T/$secret.key"
    chmod 600 "$T/$secret.key"
done
policy <<Y
capture: {unlisted_provider: pass}
providers:
  routing: {on_unlisted_model: pass}
  targets:
    - {id: openai, provider: openai, model: gpt-5.4-nano, $at, secret_key_ref: {file: $T/openai.key}}
    - {id: anthropic, provider: anthropic, model: claude-haiku-4-5, $at, secret_key_ref: {file: $T/anthropic.key}}
    - {id: google, provider: google, model: gemini-2.5-flash, $at, secret_key_ref: {file: $T/google.key}}
    - {id: azure, provider: azure, model: gpt-5.4-mini, $at, secret_key_ref: {file: $T/azure.key}}
    - {id: lending, provider: lending, model: gpt-4o-mini, $at, secret_key_ref: {file: $T/lending.key}}
consumer_groups:
  - {name: first, api_key: kt_cg_first, wallet_team_id: any}
  - {name: second, api_key: kt_cg_second, wallet_team_id: any}
  - {name: strict, api_key: kt_cg_strict, wallet_team_id: any, keys: placeholder_only}
  - {name: bound, api_key: kt_cg_bound, wallet_team_id: any, uids: [4242]}
wallets: [{id: any, credit: "100"}]
Y
agent
chat='{"model":"gpt-5.4-nano","max_tokens":20,"messages":[{"role":"user","content":"hi"}]}'
azure=${chat/nano/mini} unlisted=${chat/5.4-nano/4.1}
messages='{"model":"claude-haiku-4-5","max_tokens":20,"messages":[{"role":"user","content":"hi"}]}'
gemini='{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":20}}'
send() { # URL BODY [CURL OPTIONS…]: the status
    local url=$1 body=$2
    shift 2
    : >"$T/echo.log"
    note_events
    governed curl -sS -m 20 -o "$T/answer" -w '%{http_code}' "$url" -H 'content-type: application/json' -d "$body" "$@"
}
swapped() { # NAME KEY-HEADER PROVIDER URL BODY [CURL OPTIONS…]
    local name=$1 field=$2 provider=$3
    shift 3
    is "$name: answered" "$(send "$@")" 200
    is "$name: the group is the key's" "$(last_event '["group"]+" "+d["events"][0]["group_source"]')" "second key"
    has "$name: the target's key goes" "$(tr 'A-Z' 'a-z' <"$T/echo.log")" "$field: ${AUTH:-}real-key-of-$provider"
    lacks "$name: the placeholder stays" "$(cat "$T/echo.log")" kt_cg_
    lacks "$name: and the program's other key" "$(cat "$T/echo.log")" own-key
}
openai_url=https://api.openai.com/v1/chat/completions anthropic_url=https://api.anthropic.com/v1/messages
google_url=https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent
azure_url=https://mine.openai.azure.com/openai/v1/chat/completions
AUTH='bearer ' swapped Authorization authorization openai "$openai_url" "$chat" -H 'authorization: Bearer kt_cg_second'
AUTH='bearer ' swapped "authorization: bearer" authorization openai "$openai_url" "$chat" -H 'authorization: bearer kt_cg_second'
swapped x-api-key x-api-key anthropic "$anthropic_url" "$messages" -H 'x-api-key: kt_cg_second' -H 'anthropic-version: 2023-06-01'
swapped x-goog-api-key x-goog-api-key google "$google_url" "$gemini" -H 'x-goog-api-key: kt_cg_second'
swapped '?key=' x-goog-api-key google "$google_url?key=kt_cg_second" "$gemini"
swapped '?alt=json&key=' x-goog-api-key google "$google_url?alt=json&key=kt_cg_second" "$gemini"
swapped api-key api-key azure "$azure_url" "$azure" -H 'api-key: kt_cg_second'
swapped "of several keys the placeholder counts" x-api-key anthropic "$anthropic_url" "$messages" \
    -H 'x-api-key: own-key' -H 'authorization: Bearer kt_cg_second' -H 'anthropic-version: 2023-06-01'
swapped "in the query, too" x-goog-api-key google "$google_url?key=kt_cg_second" "$gemini" -H 'x-goog-api-key: own-key'
is "an escaped parameter: answered" "$(send "$google_url?%6Bey=kt_cg_second&alt=json" "$gemini" -H 'x-goog-api-key: kt_cg_second')" 200
has "and the rest of the query goes" "$(cat "$T/echo.log")" "generateContent?alt=json "
lacks "not its value" "$(cat "$T/echo.log")" kt_cg_

# ---- a key that is none, and keys that are not for you ----
is "a key of no group: 401" "$(send "$openai_url" "$chat" -H 'authorization: Bearer kt_cg_nobody')" 401
is "in the provider's shape" "$(json 'd["error"]["code"]' <"$T/answer")" invalid_api_key
is "and nothing was sent" "$(cat "$T/echo.log")" ""
is "a key that is bound to other users: 403" "$(send "$openai_url" "$chat" -H 'authorization: Bearer kt_cg_bound')" 403
has "and says why" "$(cat "$T/answer")" "may not use the consumer group"
GROUP=strict
is "placeholder_only: the placeholder is answered" "$(send "$openai_url" "$chat" -H 'authorization: Bearer kt_cg_strict')" 200
for field in 'authorization: Bearer own-key' 'x-api-key: own-key' 'api-key: own-key' 'x-goog-api-key: own-key'; do
    is "placeholder_only: ${field%% *} is refused" "$(send "$openai_url" "$chat" -H "$field")" 403
done
is "placeholder_only: so is ?key=" "$(send "$google_url?key=own-key" "$gemini")" 403
other=https://api.other.example/v1/chat/completions
for field in 'authorization: Bearer own-key' 'authorization: own-key' 'authorization: Basic own-key' 'cookie: own-key'; do
    is "placeholder_only: $field passes nowhere" "$(send "$other" "$unlisted" -H "$field")" 403
    is "and nothing was sent" "$(cat "$T/echo.log")" ""
done
GROUP=first
is "any: the program's own key passes where no target is" "$(send "$other" "$unlisted" -H 'authorization: Bearer own-key')" 200
has "as it is" "$(cat "$T/echo.log")" "Bearer own-key"
is "the placeholder passes nowhere" "$(send "$other" "$unlisted" -H 'authorization: Bearer kt_cg_first')" 403
is "and nothing was sent" "$(cat "$T/echo.log")" ""
is "nor beside the own key" "$(send "$other?x=kt_cg_first" "$unlisted" -H 'authorization: Bearer own-key' -H 'x-note: kt_cg_first')" 200
lacks "it stays here" "$(cat "$T/echo.log")" kt_cg_
has "the own key went" "$(cat "$T/echo.log")" "Bearer own-key"
settled any

# ---- a key that is lent: what is passed goes as it came, also by an api that the provider may not speak ----
pid=$("$TOLLGATE" status --json | json 'd["pid"]')
for input in '"hi"' '[{"id":"msg_1"}]'; do
    is "a model that no target has goes with the target's key" "$(send https://api.lending.example/v1/responses '{"model":"gpt-4.1","max_output_tokens":10,"input":'"$input"'}' -H 'authorization: Bearer kt_cg_first')" 200
    has "to the path that was asked" "$(cat "$T/echo.log")" "/v1/responses"
    has "in the program's words" "$(cat "$T/echo.log")" gpt-4.1
    has "with that key" "$(cat "$T/echo.log")" real-key-of-lending
done
is "by the same agent" "$("$TOLLGATE" status --json | json 'd["pid"]')" "$pid"
settled any

# ---- a secret that is a placeholder ----
if "$TOLLGATE" secret set mistaken <<<'kt_cg_first' >/dev/null 2>"$T/err"; then not_ok "secret set takes no placeholder"; else has "secret set takes no placeholder" "$(cat "$T/err")" "placeholder"; fi
printf kt_cg_first >"$T/openai.key"
if "$TOLLGATE" reload >"$T/out" 2>&1; then not_ok "a secret file with a placeholder is an error"; else has "a secret file with a placeholder is an error" "$(cat "$T/out")" "placeholder key"; fi
lacks "its value is not said" "$(cat "$T/out")" kt_cg_first
OPENAI_API_KEY=kt_cg_first "$BUILD/tollgated" --tool check "$ROOT/policies/policy-config.dev.yaml" >"$T/out" 2>&1
is "a variable with a placeholder is an error" "$?" 65
has "and says so" "$(cat "$T/out")" "placeholder key"
lacks "without the value" "$(cat "$T/out")" kt_cg_first
printf 'real-key-of-openai' >"$T/openai.key"
kill "$echo_pid"
wait "$echo_pid" 2>/dev/null
lacks "no key in the agent's files" "$(grep -rlE 'real-key-of|own-key' "$T/s" "$T/r")" /
lacks "nor in events" "$(events)" real-key-of

# ---- a call that slipped past ----
slipped() { standin "$1" -o /dev/null -w '%{http_code}' -H 'content-type: application/json' -d "$2" -H "$3"; }
is "slipped past: OpenAI answers 401" "$(slipped /v1/chat/completions "$chat" 'authorization: Bearer kt_cg_first')" 401
is "slipped past: Anthropic answers 401" "$(slipped /v1/messages "$messages" 'x-api-key: kt_cg_first')" 401
is "slipped past: Gemini answers 401" "$(slipped /v1beta/models/gemini-2.5-flash:generateContent "$gemini" 'x-goog-api-key: kt_cg_first')" 401
is "slipped past: ?key= too" "$(slipped '/v1beta/models/gemini-2.5-flash:generateContent?key=kt_cg_first' "$gemini" 'x-nothing: x')" 401
is "and bills nothing" "$(standin /_bill | json 'sum(r["status"] == 200 for r in d)')" 0
stop_agent
done_playing
