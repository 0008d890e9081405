#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The provider misbehaves: the program sees one clean answer or one clean error, and the money is right.
. "$(dirname "$0")/lib.sh"
play "faults of the provider"
provider
agent
ask() { openai "$(openai_body gpt-5.4-mini-mini "$1" "${2:-}")" "${@:3}"; }

is "429 passes through" "$(ask '[[fault=429]]' '' -o /dev/null -w '%{http_code}')" 429
is "500 passes through" "$(ask '[[fault=500]]' '' -o /dev/null -w '%{http_code}')" 500
settled
is "failed requests cost nothing" "$(money | cut -d' ' -f2,3)" "0 0"

answer=$(ask 'stream [[tokens=40]] [[fault=cut_rst]] [[cut=5]]' ',"stream":true' -N 2>/dev/null)
has "a cut stream ends in an error event" "$answer" '"error"'
lacks "and never looks complete" "$answer" '[DONE]'
settled
is "it is charged as partial" "$(last_event '["basis"]')" partial
check "and not for nothing" python3 -c "import sys; sys.exit(0 if float('$(last_event '["charge"]')') > 0 else 1)"

answer=$(ask 'no usage [[fault=no_usage]] [[tokens=30]]')
has "an answer without usage arrives" "$answer" chat.completion
settled
is "it is estimated, not free" "$(last_event '["usage_source"]+" "+str(float(d["events"][0]["charge"]) > 0)')" "estimated True"
ask 'zero [[fault=zero_usage]]' >/dev/null
settled
is "an explicit 0 is 0" "$(last_event '["usage_source"]+" "+d["events"][0]["charge"]')" "provider 0"

standin /_reset -X POST >/dev/null
ask 'first [[drop_next=1]]' >/dev/null
status=$(ask second '' -o /dev/null -w '%{http_code}')
arrived=$(standin /_bill | json 'len(d)')
case "$status $arrived" in
"502 2" | "200 2") ok "a dropped keep-alive connection: the POST arrives once ($status)" ;;
*) not_ok "a dropped keep-alive connection: the POST arrives once" "status $status, $arrived requests arrived" ;;
esac

answer=$(ask 'half closed [[tokens=40]] [[fault=half_close]] [[cut=5]]' ',"stream":true' -N --max-time 20 2>/dev/null)
has "a provider that closes its half: an error event" "$answer" '"error"'
settled
is "partial, too" "$(last_event '["basis"]')" partial
cat >"$T/half.py" <<'P'
import os, socket, ssl
body = b'{"model":"gpt-5.4-mini-mini","messages":[{"role":"user","content":"[[tokens=5]] half"}]}'
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
plain = socket.create_connection(("api.openai.com", 443), 20)
wire = context.wrap_socket(plain, server_hostname="api.openai.com")
wire.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: api.openai.com\r\nauthorization: Bearer " + os.environ["OPENAI_API_KEY"].encode()
             + b"\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
socket.socket(fileno=os.dup(wire.fileno())).shutdown(socket.SHUT_WR)
print(wire.recv(100).split(b"\r\n")[0].decode())
P
is "a program that closes its half has its answer" "$(governed /usr/bin/python3 "$T/half.py" 2>&1)" "HTTP/1.1 200 OK"
settled

# Nobody vouches for the provider, or its name leads nowhere: no byte of the request leaves, now and at the next try.
failing() { # WHAT, PART OF THE EVENT'S ERROR
    "$TOLLGATE" stop >/dev/null && agent
    paid=$(money | cut -d' ' -f3)
    is "$1: 502" "$(ask again '' -o "$T/answer" -w '%{http_code}')" 502
    settled
    is "$1: the event says so" "$(last_event '["error"]')" "$2"
    is "$1: no byte was sent, the hold went back" "$(last_event '["attempts"][0]["bytes_sent"]') $(money | cut -d' ' -f2,3)" "False 0 $paid"
    is "$1: nor at another try" "$(ask again '' -o "$T/answer" -w '%{http_code}')" 502
}
cp "$T/providers.yaml" "$T/providers.good"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -out "$T/other-ca.pem" -subj /CN=another -days 2 2>/dev/null
arrived=$(standin /_bill | json 'len(d)')
sed -i "s|ca_file: .*|ca_file: $T/other-ca.pem|" "$T/providers.yaml"
failing "another authority" upstream_tls
sed "s|https://127.0.0.1:|https://no-such-name.invalid:|" "$T/providers.good" >"$T/providers.yaml"
failing "a name that is none" upstream_resolve
is "the provider saw nothing of it" "$(standin /_bill | json 'len(d)')" "$arrived"
cp "$T/providers.good" "$T/providers.yaml"
"$TOLLGATE" stop >/dev/null && agent

kill "$PROVIDER_PID" && wait "$PROVIDER_PID" 2>/dev/null
PROVIDER_PID=
answer=$(ask 'nobody there' '' -w '\n%{http_code}')
is "provider down: 502" "$(tail -1 <<<"$answer")" 502
has "in the provider's shape" "$answer" '"error"'
settled
is "the hold went back" "$(last_event '["attempts"][0]["bytes_sent"]') $(last_event '["charge"]')" "False 0"
stop_agent
done_playing
