#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The exact cache: a hit moves no money, asks nobody, skips no rule and crosses no tenant; identical requests at the same
# time are asked once; what is incomplete, failed, refused or shortened is never kept.
. "$(dirname "$0")/lib.sh"
play "the cache"
provider
policy <<'Y'
budgets:
  - {id: short, amount: 0.0005, window: daily, scope: {project: short}, hard: true}
cache: {enabled: true, ttl_seconds: 7200, max_entries: 5000, match_strategy: exact, never_models: ["gpt-5.4"], temperature_above: 1.5}
providers:
  routing:
    model_groups:
      - {name: claude, targets: [haiku]}
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: voice, provider: openai, model: tts-1, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: big, provider: openai, model: gpt-5.4, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: haiku, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}}
consumer_groups:
  - {name: a, api_key: kt_cg_a, wallet_team_id: a}
  - {name: b, api_key: kt_cg_b, wallet_team_id: b}
  - {name: poor, api_key: kt_cg_poor, wallet_team_id: poor}
wallets:
  - {id: a, credit: "100"}
  - {id: b, credit: "100"}
  - {id: poor, credit: "0.001"}
Y
agent
GROUP=a
ask() { openai "$(openai_body "$1" "$2" "${3:-}")" "${@:4}"; }
asked() { standin /_bill | json 'len(d)'; }
responses_call() { governed curl -sS https://api.openai.com/v1/responses -H "authorization: Bearer $OPENAI_API_KEY" -H 'content-type: application/json' -d "{\"model\":\"gpt-5.4-nano\",\"input\":\"hello\",$1}" "${@:2}"; }
responses_stream() { governed curl -sS https://api.openai.com/v1/responses -H "authorization: Bearer $OPENAI_API_KEY" -H 'content-type: application/json' -d "{\"model\":\"gpt-5.4-nano\",\"stream\":true,\"input\":\"$1\"}" "${@:2}"; }
count_body() { printf '{"model":"claude-haiku-4-5","messages":[{"role":"user","content":"%s"}]}' "$1"; }
count_raw() { governed curl -sS https://api.anthropic.com/v1/messages/count_tokens -H "x-api-key: $ANTHROPIC_API_KEY" -H 'anthropic-version: 2023-06-01' -H 'content-type: application/json' -d "$1" "${@:2}"; }
count_call() { count_raw "$(count_body "$1")" "${@:2}"; }
gemini_call() { governed curl -sS https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent -H "x-goog-api-key: AIza-test-0123456789" -H 'content-type: application/json' -d "$1" "${@:2}"; }
status_of() { sed -n 's/^cache-status: *//pI' "$T/head" | tr -d '\r'; }

first=$(ask gpt-5.4-nano 'what is the sea' '' -D "$T/head")
has "a miss says so" "$(status_of)" "tollgate; fwd=miss"
has "the provider's name for the request goes to who made it" "$(cat "$T/head")" "x-request-id: "
made=$(sed -n 's/^tollgate-request-id: *//pI' "$T/head" | tr -d '\r')
settled a
before=$(money a)
second=$(ask gpt-5.4-nano 'what is the sea' '' -D "$T/head")
has "a hit says so, with its time" "$(status_of)" "tollgate; hit; ttl=7"
is "it is the same answer, to the byte" "$second" "$first"
lacks "it does not pass for that request of the provider's" "$(cat "$T/head")" "x-request-id"
lacks "but has a name of its own" "$(cat "$T/head")" "tollgate-request-id: $made"
has "by which is found who made it" "$(why_last)" "$made"
is "nobody was asked" "$(asked)" 1
settled a
is "no money moved" "$(money a)" "$before"
has "the head says 0" "$(cat "$T/head")" "tollgate-cost: 0"
is "the event says what was saved" "$(last_event '["avoided_cost"]')" "$(events | json 'd["events"][1]["charge"]')"
has "and why tells it" "$(why_last)" "hit"
has "and how much it saved" "$(why_last)" "0.00 USD, saved by the cache 0.00"
GROUP=a openai '{ "messages" : [ {"content":"what \u0069s the sea","role":"user"} ], "user":"me", "model":"gpt-5.4-nano" }' -D "$T/head" >/dev/null
has "other order, spaces, escapes and names of users are the same" "$(status_of)" "hit"
ask gpt-5.4-nano 'what is the sea' ',"temperature":0.5' -D "$T/head" >/dev/null
has "another number is not" "$(status_of)" "fwd=miss"
ask gpt-5.4-nano 'what is the sea' ',"temperature":5e-1' -D "$T/head" >/dev/null
has "the same number otherwise written is" "$(status_of)" "hit"
ask gpt-5.4-nano 'what is the sea' ',"temperature":1.8' -D "$T/head" >/dev/null
has "who wants variety gets it" "$(status_of)" "bypass"
ask gpt-5.4 'what is the sea' '' -D "$T/head" >/dev/null
has "models that the policy names stay out" "$(status_of)" "bypass"

stream=$(ask gpt-5.4-nano 'tell me' ',"stream":true' -N)
again=$(ask gpt-5.4-nano 'tell me' ',"stream":true' -N -D "$T/head")
has "a stream is a hit, too" "$(status_of)" "hit"
is "the same to the byte" "$again" "$stream"
ask gpt-5.4-nano 'tell me' '' -D "$T/head" >/dev/null
has "a stream never answers a document" "$(status_of)" "fwd=miss"
translated=$(ask claude 'tell me' '' )
is "a translated answer is kept as the program reads it" "$(ask claude 'tell me' '' -D "$T/head")" "$translated"
has "and is a hit" "$(status_of)" "hit"
messages=$(anthropic "$(anthropic_body claude-haiku-4-5 'tell me')")
is "messages, too" "$(anthropic "$(anthropic_body claude-haiku-4-5 'tell me')" -D "$T/head")" "$messages"
anthropic "$(anthropic_body claude-haiku-4-5 'tell me')" -H 'anthropic-beta: x-1' -D "$T/head" >/dev/null
has "another version is another question" "$(status_of)" "fwd=miss"

# ---- tenants, rules, reload ----
GROUP=b ask gpt-5.4-nano 'what is the sea' '' -D "$T/head" >/dev/null
has "another group never gets it" "$(status_of)" "fwd=miss"
sed -i 's/name: a, api_key: kt_cg_a, wallet_team_id: a/name: a, api_key: kt_cg_a, wallet_team_id: a, denied_models: ["gpt-5.4-nano"]/' "$T/policy-config.dev.yaml"
check "a group loses a model" "$TOLLGATE" reload
is "the old answer is not to be had" "$(ask gpt-5.4-nano 'what is the sea' '' -o /dev/null -w '%{http_code}')" 403
sed -i 's/, denied_models: \["gpt-5.4-nano"\]//; s/on_unlisted_model/on_unlisted_model/' "$T/policy-config.dev.yaml"
check "it gets it back" "$TOLLGATE" reload
ask gpt-5.4-nano 'what is the sea' '' -D "$T/head" >/dev/null
has "and with the same policy the same answer" "$(status_of)" "hit"

# ---- the program's own wishes ----
ask gpt-5.4-nano 'what is the sea' '' -H 'cache-control: no-cache' -D "$T/head" >/dev/null
has "no-cache asks again" "$(status_of)" "fwd=request"
is "only-if-cached: 504 when it is not there" "$(ask gpt-5.4-nano 'never asked' '' -H 'cache-control: only-if-cached' -D "$T/head" -o /dev/null -w '%{http_code}')" 504
is "and its Cache-Status says why, without a way that it went" "$(status_of)" "tollgate; detail=only-if-cached"
is "only-if-cached: the answer when it is" "$(ask gpt-5.4-nano 'what is the sea' '' -H 'cache-control: only-if-cached' -D "$T/head" -o /dev/null -w '%{http_code}')" 200
has "which is a hit" "$(status_of)" "tollgate; hit; ttl="
ask gpt-5.4-nano 'secret' '' -H 'cache-control: no-store' >/dev/null
ask gpt-5.4-nano 'secret' '' -D "$T/head" >/dev/null
has "no-store keeps nothing" "$(status_of)" "fwd=miss"

# ---- never kept ----
for fault in 'fault=500' 'fault=cut_rst' 'fault=error_event'; do
    ask gpt-5.4-nano "bad [[$fault]] [[cut=4]]" ',"stream":true' -N >/dev/null 2>&1
    ask gpt-5.4-nano "bad [[$fault]] [[cut=4]]" ',"stream":true' -N -D "$T/head" >/dev/null 2>&1
    lacks "after $fault nothing is there" "$(status_of)" "hit"
done
GROUP=poor ask gpt-5.4-nano 'long' ',"max_tokens":100000' >/dev/null
GROUP=poor ask gpt-5.4-nano 'long' ',"max_tokens":100000' -D "$T/head" >/dev/null
lacks "a shortened answer is not kept" "$(status_of)" "hit"

# ---- what has state or effects at the provider, refusals, damage ----
twice() { # NAME WANTED COMMAND…: the second of two
    "${@:3}" >/dev/null 2>&1
    "${@:3}" -D "$T/head" >/dev/null 2>&1
    has "$1" "$(status_of)" "$2"
}
twice "a conversation at the provider goes on" bypass responses_call '"conversation":"conv_123"'
twice "tools that run there run again" bypass responses_call '"tools":[{"type":"mcp","server_label":"x","server_url":"https://x.example/","require_approval":"never"}]'
twice "a container goes on" bypass anthropic "$(anthropic_body claude-haiku-4-5 'in it' ',"container":"c_1"')"
twice "the provider's refusal is asked for again" "fwd=miss" ask gpt-5.4-nano 'no [[refusal=1]]' ''
twice "as a stream, too" "fwd=miss" ask gpt-5.4-nano 'no [[refusal=1]]' ',"stream":true' -N
twice "of messages" "fwd=miss" anthropic "$(anthropic_body claude-haiku-4-5 'no [[refusal=1]]')"
twice "in pieces" "fwd=miss" anthropic "$(anthropic_body claude-haiku-4-5 'no [[refusal=1]] [[write_bytes=7]]' ',"stream":true')"
twice "of responses" "fwd=miss" responses_stream 'no [[refusal=1]]'
twice "of what is translated" "fwd=miss" ask claude 'no [[refusal=1]]' ''
twice "of Gemini, whose model is called by path" "fwd=miss" gemini_call '{"contents":[{"parts":[{"text":"no [[refusal=1]]"}]}]}'
twice "a whole one is a hit" "hit" gemini_call '{"contents":[{"parts":[{"text":"yes"}]}],"generationConfig":{"temperature":1.2}}'
twice "a temperature counts by Gemini's names" bypass gemini_call '{"contents":[{"parts":[{"text":"yes"}]}],"generationConfig":{"temperature":1.9}}'
twice "by either" bypass gemini_call '{"contents":[{"parts":[{"text":"yes"}]}],"generation_config":{"temperature":1.9}}'
twice "whatever stands beside it" bypass gemini_call '{"contents":[{"parts":[{"text":"yes"}]}],"generationConfig":{"temperature":1.9},"temperature":0}'
twice "as a text" bypass ask gpt-5.4-nano 'varied' ',"temperature":"1.9"'
twice "and as one that says nothing" bypass ask gpt-5.4-nano 'varied' ',"temperature":"warm"'
twice "a count that is no JSON is asked for again" "fwd=miss" count_call 'x [[fault=bad_json]]'
twice "a whole one is not" "hit" count_call 'x'
count_raw "$(count_body x) 1" -D "$T/head" >/dev/null
lacks "a request that is no JSON is not one that is" "$(status_of)" "hit"
twice "a stream that ends well with an event in it that is no JSON is asked for again" "fwd=miss" ask gpt-5.4-nano 'x [[fault=bad_json]]' ',"stream":true' -N
twice "of responses, too" "fwd=miss" responses_stream 'x [[fault=bad_json]]'
twice "of messages" "fwd=miss" anthropic "$(anthropic_body claude-haiku-4-5 'x [[fault=bad_json]]' ',"stream":true')"
twice "of what is translated" "fwd=miss" ask claude 'x [[fault=bad_json]]' ',"stream":true' -N
twice "with an event that is no UTF-8" "fwd=miss" ask gpt-5.4-nano 'x [[fault=bad_utf8]]' ',"stream":true' -N
twice "whole ones are hits, each api's" "hit" responses_stream 'whole'
twice "messages" "hit" anthropic "$(anthropic_body claude-haiku-4-5 'whole' ',"stream":true')"
twice "what is translated" "hit" ask claude 'whole' ',"stream":true' -N
own() { GROUP=a governed curl -sS "https://api.openai.com/v1/chat/completions" -H "authorization: Bearer $1" -H 'content-type: application/json' -d "$(openai_body gpt-5.4-nano 'with a key')" "${@:2}"; }
own sk-one >/dev/null
own sk-two -D "$T/head" >/dev/null
lacks "whoever has another key is not given the answer of that one's account" "$(status_of)" hit

# ---- the first leaves, or fails ----
cat >"$T/leave.py" <<'P'
import http.client, json, os, socket, ssl, sys, threading, time
prompt, early = sys.argv[1], float(sys.argv[2])
def ask(delay, leave):
    time.sleep(delay)
    connection = http.client.HTTPSConnection("api.openai.com", context=ssl.create_default_context(), timeout=60)
    body = json.dumps({"model": "gpt-5.4-nano", "max_tokens": 200, "stream": True, "messages": [{"role": "user", "content": prompt}]})
    connection.request("POST", "/v1/chat/completions", body, {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "content-type": "application/json"})
    answer = connection.getresponse()
    try:
        if leave:
            time.sleep(leave)
            connection.sock.shutdown(socket.SHUT_RDWR)
            return
        text = answer.read().decode()
    except Exception as problem:
        text = repr(problem)
    words = [json.loads(line[6:])["choices"] for line in text.splitlines() if line.startswith("data: {")]
    results[delay] = answer.status, "".join(c[0]["delta"].get("content") or "" for c in words if c), text.endswith("[DONE]\n\n"), text
results = {}
threads = [threading.Thread(target=ask, args=a) for a in ((0, early), (early + .6, 0), (early + .7, 0))]
[t.start() for t in threads]; [t.join() for t in threads]
ask(0, 0)
print(sorted({(status, text, done) for status, text, done, _ in results.values()}) if early else sorted((r[0], r[3]) for r in results.values()))
P
whole=$(governed python3 "$T/leave.py" 'the sea [[tokens=12]] [[pace_ms=150]]' 0.5)
is "who comes while nobody listens gets all of it, and so does who comes later" "$(echo "$whole" | grep -o "True" | wc -l)" 1
lacks "without a hole" "$whole" "False"
refused=$(governed python3 "$T/leave.py" 'bad [[fault=400]] [[delay_ms=900]]' 0)
lacks "those who wait for what the provider refuses read all of the refusal" "$refused" "IncompleteRead"
is "each of them" "$(echo "$refused" | grep -o '(400' | wc -l)" 3

# ---- followers end as the leader does, whatever has no end of its own ----
cat >"$T/same.py" <<'P'
import concurrent.futures, http.client, os, ssl, sys
def one(n):
    connection = http.client.HTTPSConnection("api.openai.com", context=ssl.create_default_context(), timeout=60)
    connection.request("POST", sys.argv[1], sys.argv[2], {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "content-type": "application/json"})
    try:
        answer = connection.getresponse()
        body, behind = answer.read(), b""
        if answer.status == 204: # what came behind it would be the next answer's beginning
            body = str(answer.getheader("transfer-encoding")).encode()
            connection.sock.settimeout(0.3)
            behind = connection.sock.recv(99)
        return answer.status, body, behind
    except TimeoutError:
        return answer.status, body, b""
    except http.client.HTTPException as problem:
        return repr(problem)
with concurrent.futures.ThreadPoolExecutor(3) as pool:
    answers = set(pool.map(one, range(3)))
print(len(answers), next(iter(answers))[0], *[text for answer in answers for text in answer[1:] if answer[0] == 204])
P
# All three are at the agent, and wait for one answer, when the provider gives it.
are_waiting() { [ "$("$TOLLGATE" top --json | json 'sum(call["step"] in ("recall", "forward") for call in d["live"]["live"])')" = "$1" ]; }
same() { # NAME PATH BODY [WANTED]
    governed python3 "$T/same.py" "$2" "$3" >"$T/same" &
    wait_for 20 are_waiting 3 || not_ok "$1: three ask"
    standin /_release -X POST >/dev/null
    wait $!
    is "$1" "$(cat "$T/same")" "${4:-1 200}"
}
same "sound" /v1/audio/speech '{"model":"tts-1","voice":"alloy","input":"say it [[hold=1]]"}'
same "a document that is no JSON" /v1/chat/completions "$(openai_body gpt-5.4-nano 'shared [[fault=bad_json]] [[hold=1]]')"
same "a stream that the provider ended with an error" /v1/chat/completions "$(openai_body gpt-5.4-nano 'shared [[fault=error_event]] [[cut=4]] [[hold=1]]' ',"stream":true')"
same "an answer without a body has no chunks, and nothing behind it" /v1/chat/completions "$(openai_body gpt-5.4-nano 'shared [[fault=no_content]] [[hold=1]]')" "1 204 b'None' b''"

# ---- what is the leader's alone is not shared ----
apart() { # TEXT MORE: two at once, the first of a project that is short of money; what each got, and who paid
    local first second
    TOLLGATE_PROJECT=short ask gpt-5.4-nano "$1 [[hold=1]]" "$2" -D "$T/head-first" >"$T/first" &
    first=$!
    wait_for 20 has_withheld 1 || not_ok "the first asks"
    ask gpt-5.4-nano "$1 [[hold=1]]" "$2" -D "$T/head" >"$T/second" &
    second=$!
    wait_for 20 has_withheld 2 || not_ok "the second asks the provider, too"
    standin /_release -X POST >/dev/null
    wait "$first" "$second"
}
apart "clamp me [[tokens=700]]" ',"max_tokens":2000'
has "who is short of money gets a shortened answer" "$(cat "$T/head-first")" "tollgate-clamped: max_tokens="
has "and who asks the same meanwhile, and is not, all of it" "$(json 'd["choices"][0]["finish_reason"]' <"$T/second")" "stop"
lacks "from the provider itself" "$(status_of)" "collapsed"
settled a
is "each pays for its own" "$(events | json 'sum(float(e["charge"]) > 0 for e in d["events"][:2])')" 2
apart "encoded [[fault=encoded]]" ''
for head in head-first head; do has "an encoding that nobody asked for is said to each" "$(cat "$T/$head")" "content-encoding: gzip"; done
refused=$(for n in 1 2 3 4 5 6; do ask gpt-5.4-nano "over [[refusal=1]]" ',"stream":true' -D "$T/head" >/dev/null; status_of; done)
lacks "who asks again after a refusal asks the provider" "$refused" "collapsed"

# ---- events as they happen: a reader that pauses, and reads on, has all of them ----
"$TOLLGATE" events --follow --json --limit 1 >"$T/followed" &
following=$!
check "the reader is there" wait_for 10 test -s "$T/followed"
kill -STOP $following
cat >"$T/many.py" <<'P'
import http.client, json, os, ssl
connection = http.client.HTTPSConnection("api.openai.com", context=ssl.create_default_context(), timeout=60)
for n in range(450):  # events lists 1,000: lib.sh counts them
    body = json.dumps({"model": "gpt-5.4-nano", "messages": [{"role": "user", "content": "many"}]})
    connection.request("POST", "/v1/chat/completions", body, {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "content-type": "application/json"})
    connection.getresponse().read()
P
governed python3 "$T/many.py"
kill -CONT $following
has_followed() { [ "$(wc -l <"$T/followed")" -ge 451 ]; }
check "all of them" wait_for 20 has_followed
kill $following

# ---- 100 at the same time ----
standin /_reset -X POST >/dev/null
settled a
before=$(money a | cut -d' ' -f3)
cat >"$T/together.py" <<'P'
import concurrent.futures, http.client, json, os, ssl, sys
body = json.dumps({"model": "gpt-5.4-nano", "max_tokens": 50, "stream": sys.argv[2] == "stream", "messages": [{"role": "user", "content": sys.argv[1]}]})
def one(n):
    connection = http.client.HTTPSConnection("api.openai.com", context=ssl.create_default_context(), timeout=60)
    connection.request("POST", "/v1/chat/completions", body, {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "content-type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read()
with concurrent.futures.ThreadPoolExecutor(100) as pool:
    answers = list(pool.map(one, range(100)))
print(len({a for a in answers}), answers[0][0])
P
for mode in stream json; do
    note_events
    is "100 at once ($mode): one answer for all" "$(governed python3 "$T/together.py" "together $mode [[delay_ms=300]] [[pace_ms=10]]" $mode)" "1 200"
done
is "asked once each" "$(asked)" 2
settled a
is "charged once each" "$(events | json 'sum(float(e["charge"]) > 0 for e in d["events"][:200])')" 2
is "the wallet paid that and no more" "$(python3 -c "print(round(float('$(money a | cut -d' ' -f3)')*1e9) - round(float('$before')*1e9))")" \
    "$(events | json 'sum(round(float(e["charge"])*1e9) for e in d["events"][:200])')"

# ---- restart, clear ----
stop_agent
agent
probe() { ask gpt-5.4-nano 'what is the sea' '' -D "$T/head" >/dev/null; [[ "$(status_of)" == *hit* ]]; }
check "answers survive a restart" wait_for 10 probe
has "stats" "$("$TOLLGATE" cache stats)" "entries"
has "of a group alone" "$("$TOLLGATE" cache stats --group b)" "entries    1"
part() { "$TOLLGATE" cache stats --json "$@" | json 'd["entries"]'; }
is "groups make up the whole" "$(($(part --group a) + $(part --group b) + $(part --group poor)))" "$(part)"
is "of a model alone" "$(($(part --model gpt-5.4-nano) + $(part --model claude) + $(part --model claude-haiku-4-5) + $(part --model gemini-2.5-flash)))" "$(part)"
is "of both" "$(part --group b --model gpt-5.4-nano)" 1
is "of a model that nobody asked" "$(part --model 'no/such model & more')" 0
slip() { local code; wrong=$("$TOLLGATE" cache "$@" 2>&1); code=$?; is "$1: no such group is a mistake in what was given" "$code" 65; has "$1: which there are" "$wrong" "there is: a, b, poor"; }
slip stats --group nosuch
slip clear --group nosuch
slip clear --group nosuch --model claude
is "nothing went by that" "$(part --group b)" 1
is "a group without entries is none" "$("$TOLLGATE" cache clear --group poor)" "0 answers forgotten"
check "and no mistake" "$TOLLGATE" cache clear --group poor
has "clear forgets" "$("$TOLLGATE" cache clear --group a)" "forgotten"
ask gpt-5.4-nano 'what is the sea' '' -D "$T/head" >/dev/null
has "what was cleared is asked again" "$(status_of)" "fwd=miss"
settled a
stop_agent
done_playing
