#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a program might try in order to get around a rule, to pay with another's money, or to learn a key; and what must
# never travel to another provider. Each line was a hole once, or is the neighbour of one.
. "$(dirname "$0")/lib.sh"
play "getting around the policy"
provider
policy <<'Y'
providers:
  routing:
    cross_dialect: equal
    on_unlisted_model: route
    model_groups:
      - {name: smart, targets: [opus]}
      - {name: claude, targets: [haiku]}
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: haiku, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}}
    - {id: opus, provider: anthropic, model: claude-opus-4-6, secret_key_ref: {env: ANTHROPIC_API_KEY}}
consumer_groups:
  - {name: any, api_key: kt_cg_any, wallet_team_id: any}
  - {name: other, api_key: kt_cg_other, wallet_team_id: other}
  - {name: strict, api_key: kt_cg_strict, wallet_team_id: any, denied_models: ["gpt-5.4-pro*"]}
  - {name: short, api_key: kt_cg_short, wallet_team_id: any, max_output_tokens: 30}
wallets:
  - {id: any, credit: "100"}
  - {id: other, credit: "100"}
policies:
  rules:
    - {id: no-opus, action: block, when: {models: ["claude-opus-*"]}}
    - {id: project-x, action: block, when: {regex: ["(?i)project x"]}}
Y
agent
GROUP=any
post() { # PATH BODY [CURL OPTIONS…]: answer, then the status
    local path=$1 body=$2 host=api.openai.com
    shift 2
    [[ $path = /v1/messages* ]] && host=api.anthropic.com
    note_events
    governed sh -c 'url=$1 body=$2; shift 2; exec curl -sS -m 20 --path-as-is -w "\n%{http_code}" "$url" -H "authorization: Bearer $OPENAI_API_KEY" -H "anthropic-version: 2023-06-01" -d "$body" "$@"' sh "https://$host$path" "$body" "$@"
}
json_type='content-type: application/json'
status() { tail -1 <<<"$1"; }
chat() { openai_body "${2:-gpt-5.4-nano}" "$1" "${3:-}"; }

# ---- rules ----
for type in 'multipart/x' 'multipart/form-data; boundary=x' 'text/plain' 'application/x-www-form-urlencoded'; do
    has "a content type of $type hides no text" "$(post /v1/chat/completions "$(chat 'about \u0050roject X')" -H "content-type: $type")" project-x
done
answer=$(post /v1/moderations '{"input":"a","input":"\u0050roject X"}' -H "$json_type")
is "members given twice are refused, where nothing is paid, too" "$(status "$answer")" 400
has "a path in disguise is refused" "$(post /v1/%63hat/completions "$(chat hello)" -H "$json_type")" "escapes"
for body in "$(chat hello smart)" "$(chat hello claude-opus-4-6)"; do
    answer=$(post /v1/chat/completions "$body" -H "$json_type")
    is "a blocked model does not serve under another name" "$(status "$answer")" 403
done
standin /_reset -X POST >/dev/null
post /v1/chat/completions "$(chat hello whatever)" -H "$json_type" >/dev/null
is "nor does the lane give it" "$(standin /_bill | json 'sum("opus" in r["model"] for r in d)')" 0
# Of two names the one that was looked at is served: a deployment's in the path, and another in the body.
GROUP=strict
for path in /v1/deployments /openai/deployments /v1/x/deployments; do
    standin /_reset -X POST >/dev/null
    answer=$(post "$path/gpt-5.4-nano/chat/completions" "$(chat hello gpt-5.4-pro)" -H "$json_type")
    is "a path with the name of another model gets that model, not the body's ($path)" "$(status "$answer") $(standin /_bill | json '[r["model"] for r in d]')" "200 ['gpt-5.4-nano']"
    is "nor is a denied one had by the path" "$(status "$(post "$path/gpt-5.4-pro/chat/completions" "$(chat hello)" -H "$json_type")")" 403
done
GROUP=any
has "further models are refused" "$(post /v1/chat/completions "$(chat hello gpt-5.4-nano ',"models":["gpt-5.4-pro"]')" -H "$json_type")" "further models"
params='"max_tokens":20,"messages":[{"role":"user","content":"hi"}]'
batch() { printf '{"requests":[{"custom_id":"a","params":{"model":"%s",%s}},{"custom_id":"b","params":{"model":"%s",%s}}]}' "$1" "$params" "$2" "$params"; }
has "a batch of several models is refused" "$(post /v1/messages/batches "$(batch claude-haiku-4-5 claude-opus-4-6)" -H "$json_type")" "several models"
has "a batch of a blocked one, too" "$(post /v1/messages/batches "$(batch claude-opus-4-6 claude-opus-4-6)" -H "$json_type")" no-opus
params='"max_tokens":3000,"messages":[{"role":"user","content":"hi"}]'
answer=$(GROUP=short post /v1/messages/batches "$(batch claude-haiku-4-5 claude-haiku-4-5)" -H "$json_type")
is "a batch cannot have longer answers than its group" "$(status "$answer")" 403
printf '{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-5.4-pro","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}}\n' >"$T/batch.jsonl"
file=$(GROUP=strict governed sh -c 'curl -sS -m 20 https://api.openai.com/v1/files -H "authorization: Bearer $OPENAI_API_KEY" -F purpose=batch -F "file=@$0"' "$T/batch.jsonl" | json 'd["id"]')
answer=$(GROUP=strict post /v1/batches '{"input_file_id":"'"$file"'","endpoint":"/v1/chat/completions","completion_window":"24h"}' -H "$json_type")
is "what is in a batch's file is looked at, too" "$(status "$answer")" 403

# ---- other people's jobs ----
id=$(post /v1/responses '{"model":"gpt-5.4-nano","background":true,"max_output_tokens":50,"input":"hi [[polls=0]]"}' -H "$json_type" | head -1 | json 'd["id"]')
answer=$(GROUP=other governed sh -c 'curl -sS -m 20 -w "\n%{http_code}" "https://api.openai.com/v1/responses/$0" -H "authorization: Bearer $OPENAI_API_KEY"' "$id")
is "another wallet's job is not there" "$(status "$answer")" 404
lacks "nor is its answer" "$answer" output_text
answer=$(governed sh -c 'for i in 1 2 3 4 5 6; do curl -sS -m 20 -o /dev/null "https://api.openai.com/v1/responses/$0" -H "authorization: Bearer $OPENAI_API_KEY" & done; wait' "$id")
settled any
is "asked after by six at once, it is charged once" "$(events | json 'sum(round(float(e["charge"])*1e9) for e in d["events"])')" \
    "$(python3 -c "print(round((float('$(money any | cut -d' ' -f3)') + float('$(money other | cut -d' ' -f3)'))*1e9))")"

# ---- what must not travel ----
fields=(-H 'cookie: session=SECRET' -H 'helicone-auth: Bearer SECRET' -H 'ocp-apim-subscription-key: SECRET' -H 'x-amz-security-token: SECRET' -H "x-api-key: SECRET")
cat >"$T/echo.py" <<'P'
import http.server, ssl, sys
class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        with open(sys.argv[1], "a") as log:
            print(self.path, self.headers, body.decode(), file=log)
        answer = b'{"type":"message","id":"msg_1","role":"assistant","model":"m","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Echo)
print(server.server_port, flush=True)
server.serve_forever()
P
python3 "$T/echo.py" "$T/echo.log" >"$T/echo.port" &
echo_pid=$!
wait_for 10 test -s "$T/echo.port"
sed -i "s|model: claude-haiku-4-5,|model: claude-haiku-4-5, base_url: \"http://127.0.0.1:$(cat "$T/echo.port")\", local: true,|" "$T/policy-config.dev.yaml"
check "reload" "$TOLLGATE" reload
post '/v1/chat/completions?key=SECRET&%6Bey=SECRET' "$(chat hello claude)" -H "$json_type" "${fields[@]}" >/dev/null
check "the other provider was asked" test -s "$T/echo.log"
lacks "what belongs to the first provider stays there" "$(cat "$T/echo.log")" SECRET
lacks "the placeholder key stays here" "$(cat "$T/echo.log")" kt_cg_
has "the target's own key goes" "$(cat "$T/echo.log")" sk-ant-test
kill "$echo_pid"
wait "$echo_pid" 2>/dev/null
settled any
stop_agent
done_playing
