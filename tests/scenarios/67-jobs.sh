#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Work that goes on after its answer (background responses, batches) keeps its hold until somebody sees it done, over
# restarts and crashes, and costs what the provider bills for it: no more, no less, once.
. "$(dirname "$0")/lib.sh"
play "jobs: money held after the answer, paid when the work is done"
provider
write_policy() { # job_deadline_seconds
    policy <<Y
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: haiku, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}}
consumer_groups:
  - {name: any, api_key: kt_cg_any, wallet_team_id: any}
  - {name: stuck, api_key: kt_cg_stuck, wallet_team_id: stuck}
  - {name: limited, api_key: kt_cg_limited, wallet_team_id: ${LIMITED_WALLET:-limited}, rate_limits: {tokens_per_day: 2000}}
wallets:
  - {id: any, credit: "1000"}
  - {id: limited, credit: "1000"}
  - {id: other, credit: "1000"}
  - {id: stuck, credit: "1000"}
cost_tracking: {clamp: false, job_deadline_seconds: $1}
Y
}
call() { # METHOD PATH [CURL OPTIONS…], by the host that has the path; the body to $T/answer; prints the status
    local method=$1 path=$2 host=api.openai.com
    shift 2
    [[ $path = /v1/messages* ]] && host=api.anthropic.com
    note_events
    governed sh -c 'exec curl -sS -m 60 -D "$T/head" -o "$T/answer" -w "%{http_code}" -H "authorization: Bearer $OPENAI_API_KEY" -H "x-api-key: $ANTHROPIC_API_KEY" -H "anthropic-version: 2023-06-01" -X "$@"' sh "$method" "https://$host$path" "$@" 2>/dev/null
}
post() { call POST "$1" -H 'content-type: application/json' -d "$2"; }
answer() { json "$1" <"$T/answer"; }
background() { post /v1/responses "{\"model\":\"gpt-5.4-nano\",\"max_output_tokens\":500,\"background\":true,\"input\":\"$1\"${2:-}}"; }
jobs() { "$TOLLGATE" jobs --json | json "$1"; }
has_job() { jobs "'$1' in [j['key'] for j in d['jobs']]"; }
nano() { python3 -c 'import sys; print(round(float(sys.argv[1]) * 10**9))' "$1"; }
held() { nano "$(money any | cut -d' ' -f2)"; }
spent() { nano "$(money any | cut -d' ' -f3)"; }
# What is held, and what was spent since `begin`.
begin() { SPENT_BEFORE=$(spent); }
moved() { echo "$(held) $(($(spent) - SPENT_BEFORE))"; }
paid() { nano "$(last_event '["charge"]')"; }
reckon() { # FAMILY EXPRESSION over the rows of the bill (d): what they cost
    standin /_bill | json "__import__('json').dumps([r for r in d if $2])" | python3 "$ROOT/tests/scenarios/66-charge.py" "$ROOT/policies/prices.yaml" "$1"
}
job_cost() { reckon "${2:-openai}" "r.get('job') == '$1'"; }
same() { if [ "$2" = "$3" ] && [ "$2" -gt 0 ]; then ok "$1"; else not_ok "$1" "got '$2', wanted '$3', more than 0"; fi; }

# One that nobody asks after. Its deadline is a minute, the least that there is; the others have a day.
write_policy 60
agent
GROUP=stuck
is "a job that nobody will ask after" "$(background 'left alone [[polls=0]]')" 200
STUCK=$(answer 'd["id"]') STUCK_HOLD=$(money stuck | cut -d' ' -f2)
write_policy 86400
check "the deadline of later ones is longer" "$TOLLGATE" reload
GROUP=any

# ---- a background response ----
begin
is "a background response begins" "$(background 'hello [[polls=3]] [[tokens=7]]') $(answer 'd["status"]')" "200 queued"
id=$(answer 'd["id"]')
lacks "its answer names no cost" "$(tr A-Z a-z <"$T/head")" "tollgate-cost"
is "its answer costs nothing yet" "$(last_event '["charge"]') $(last_event '["usage_source"]')" "0 none"
is "the event names the job" "$(last_event '["attempts"][0]["job"]')" "$id"
check "the hold stays" [ "$(held)" -gt 0 ]
HELD=$(held)
is "it is that of the call" "$HELD" "$(nano "$(last_event '["attempts"][0]["hold"]')")"
has "tollgate jobs shows it" "$("$TOLLGATE" jobs)" "$id"
is "with what it holds, and for whom" "$(jobs "[(j['provider'], j['wallet'], round(float(j['held']) * 10**9)) for j in d['jobs'] if j['key'] == '$id']")" "[('openai', 'any', $HELD)]"
is "asked while it works" "$(call GET "/v1/responses/$id") $(answer 'd["status"]') $(paid)" "200 in_progress 0"
is "nothing moves" "$(moved)" "$HELD 0"
check "the agent stops, with a job open" "$TOLLGATE" stop
check "and the ledger is right" "$TOLLGATE" audit
agent
is "after a restart it is there" "$(has_job "$id") $(moved)" "True $HELD 0"
is "asked again" "$(call GET "/v1/responses/$id") $(answer 'd["status"]') $(paid)" "200 in_progress 0"
pid=$("$TOLLGATE" status --json | json 'd["pid"]')
kill -9 "$pid"
wait_for 10 sh -c "! kill -0 $pid"
agent
is "after a crash, too" "$(has_job "$id") $(moved)" "True $HELD 0"
is "asked once more" "$(call GET "/v1/responses/$id") $(answer 'd["status"]') $(paid)" "200 in_progress 0"
is "done" "$(call GET "/v1/responses/$id") $(answer 'd["status"]+" "+str(d["usage"]["output_tokens"])')" "200 completed 7"
same "it costs what the provider bills for it" "$(paid)" "$(job_cost "$id")"
PAID=$(paid)
is "the event says whose numbers these are" "$(last_event '["usage_source"]+" "+d["events"][0]["basis"]')" "provider exact"
is "and which job was paid" "$(last_event '["job"]')" "$id"
is "the rest of the hold is free" "$(moved)" "0 $PAID"
is "the job is gone" "$(has_job "$id")" False
is "asked after that: nothing" "$(call GET "/v1/responses/$id") $(answer 'd["status"]') $(paid)" "200 completed 0"
is "paid once" "$(moved)" "0 $PAID"
is "and its tokens are counted once" "$(last_event '["usage_source"]') $("$TOLLGATE" report all --wallet any --json | json 'd["total"]["output"]')" "none 7"

# ---- cancelled, failed, unknown ----
CANCELLED=0 # paid for jobs of which nobody says what they used
cancel() { # ID: pays its hold, whatever the provider bills
    local hold
    hold=$(held)
    is "cancelled: nobody says how far it came, so its hold is taken" "$(call POST "/v1/responses/$1/cancel") $(answer 'd["status"]') $(paid)" "200 cancelled $hold"
    CANCELLED=$((CANCELLED + hold))
}
begin
background 'stop it' >/dev/null
id=$(answer 'd["id"]')
check "another one" [ "$(held)" -gt 0 ]
cancel "$id"
is "nothing is held any more" "$(moved) $(has_job "$id")" "0 $CANCELLED False"
is "the event says so" "$(last_event '["basis"]')" worst
# Who leaves a stream in the middle and cancels has read what the provider bills.
begin
note_events
governed sh -c 'curl -sSN -m 60 https://api.openai.com/v1/responses -H "authorization: Bearer $OPENAI_API_KEY" -d "$1" 2>/dev/null | head -n 60' sh \
    '{"model":"gpt-5.4-nano","input":"all of it [[tokens=600]] [[pace_ms=10]]","background":true,"stream":true,"max_output_tokens":2000}' >"$T/cut"
check "a part of a background stream is read" grep -q output_text.delta "$T/cut"
id=$(grep -o 'resp_[0-9a-f]*' "$T/cut" | head -1) CUT=$id
has_its_job() { [ "$(has_job "$id")" = True ]; }
check "its reader left, the job is open" wait_for 20 has_its_job
cancel "$id" # what was read is not free
begin
background '[[job_fails=1]] [[polls=0]]' >/dev/null
is "failed" "$(call GET "/v1/responses/$(answer 'd["id"]')") $(answer 'd["status"]') $(paid)" "200 failed 0"
is "all of its hold is free" "$(moved)" "0 0"
is "a job that is none" "$(call GET /v1/responses/resp_none) $(paid)" "404 0"
begin
is "a background response that is refused" "$(background '[[fault=500]]')" 500
settled any
is "holds nothing" "$(moved)" "0 0"

background 'mine [[polls=2]] [[tokens=7]]' >/dev/null
id=$(answer 'd["id"]') GROUP=stuck
billed=$(standin /_bill | json 'len(d)')
for ask in "GET /v1/responses/$id" "GET /v1/responses/$id/input_items" "DELETE /v1/responses/$id" "POST /v1/responses/$id/cancel"; do
    is "while it is open, to another wallet it is not there: ${ask%% *}" "$(call $ask)" 404
done
is "and its provider is not asked" "$(standin /_bill | json 'len(d)')" "$billed"
GROUP=any
cancel "$id"

# ---- a group that gets another wallet, and its limits ----
GROUP=limited LIMITED=
for i in 1 2 3; do
    is "a job of a group with 2,000 tokens a day, limited to 500" "$(background 'small [[polls=1]] [[tokens=7]]')" 200
    id=$(answer 'd["id"]')
    if [ $i = 3 ]; then
        LIMITED_WALLET=other write_policy 86400
        check "its group has another wallet now" "$TOLLGATE" reload
    fi
    is "asked" "$(call GET "/v1/responses/$id") $(answer 'd["status"]')" "200 in_progress"
    is "done" "$(call GET "/v1/responses/$id") $(answer 'd["status"]')" "200 completed"
    settled limited
    LIMITED="$LIMITED, '$id'"
done
is "the wallet that held for it has paid" "$(nano "$(money limited | cut -d' ' -f3)") $(money limited | cut -d' ' -f2) $(money other | cut -d' ' -f3)" "$(reckon openai "r.get('job') in (0$LIMITED)") 0 0"
is "the limit counts what was used" "$(background 'one more [[polls=0]]' "")" 200
has "with the jobs' tokens, once" "$(grep -i '^ratelimit:' "$T/head")" '"tokens_per_day";r=14'
cancelled=$(money other | cut -d' ' -f2)
is "and that one is cancelled" "$(call POST "/v1/responses/$(answer 'd["id"]')/cancel")" 200
settled other
is "for its hold" "$(money other | cut -d' ' -f3)" "$cancelled"
write_policy 86400
check "the group has its own wallet again" "$TOLLGATE" reload
GROUP=any

# ---- streams ----
begin
is "streamed in the background, to the end" "$(background 'hello [[tokens=9]]' ',"stream":true') $(grep -c '^event: response.completed' "$T/answer")" "200 1"
settled any
id=$(grep -o 'resp_[0-9a-f]*' "$T/answer" | head -1)
same "costs what it is billed" "$(paid)" "$(job_cost "$id")"
PAID=$(paid)
is "and is no job" "$(moved) $(has_job "$id")" "0 $PAID False"
begin
background 'hello [[tokens=30]] [[fault=cut_rst]] [[polls=1]]' ',"stream":true' >/dev/null
id=$(grep -o 'resp_[0-9a-f]*' "$T/answer" | head -1)
wait_for 10 has_new_event
is "cut in the middle, it goes on as a job" "$(has_job "$id") $(paid)" "True 0"
is "asked" "$(call GET "/v1/responses/$id") $(answer 'd["status"]') $(paid)" "200 in_progress 0"
is "done" "$(call GET "/v1/responses/$id") $(answer 'd["status"]')" "200 completed"
same "paid whole" "$(paid)" "$(job_cost "$id")"
PAID=$(paid)
is "nothing is held" "$(moved)" "0 $PAID"

# ---- OpenAI's batches ----
line() { printf '{"custom_id":"r%s","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-5.4-nano","max_tokens":50,"messages":[{"role":"user","content":"%s"}]}}\n' "$1" "$2"; }
{ line 1 'one [[tokens=30]]'; line 2 'two [[tokens=41]] [[cached=60]]'; line 3 '[[fault=429]]'; } >"$T/lines"
upload() { call POST /v1/files -F purpose=batch -F "file=@$T/lines;filename=requests.jsonl"; }
make_batch() { post /v1/batches "{\"input_file_id\":\"$1\",\"endpoint\":\"/v1/chat/completions\",\"completion_window\":\"24h\"}"; }
is "a file is uploaded, for nothing" "$(upload) $(answer 'd["object"]') $(paid)" "200 file 0"
FILE=$(answer 'd["id"]')
begin
is "a batch of it" "$(make_batch "$FILE") $(answer 'd["status"]') $(paid)" "200 validating 0"
id=$(answer 'd["id"]')
# 0.2 and 1.25 USD per million tokens, half of it; 50 tokens of output each, a token for each byte of input at most
is "holds its bound, at half price" "$(held)" "$(python3 -c "print(-(-($(tr -d '\n' <"$T/lines" | wc -c) * 200000 + 150 * 1250000) // 2000))")"
is "it is a job" "$(has_job "$id")" True
is "working" "$(call GET "/v1/batches/$id") $(answer 'd["status"]') $(paid)" "200 in_progress 0"
GROUP=stuck
for ask in "GET /v1/batches/$id" "POST /v1/batches/$id/cancel"; do is "another wallet's, to whom it is not there: ${ask%% *}" "$(call $ask)" 404; done
GROUP=any
is "done" "$(call GET "/v1/batches/$id") $(answer 'd["status"]+" "+str(d["request_counts"]["completed"])')" "200 completed 2"
same "it costs what is billed, at half price" "$(paid)" "$(job_cost "$id")"
is "the event has the buckets" "$(last_event '["tokens"]["cache_read"]') $(last_event '["tokens"]["output"]')" "60 71"
PAID=$(paid)
is "nothing is held" "$(moved) $(has_job "$id")" "0 $PAID False"
is "its answers are free to read" "$(call GET "/v1/files/$(answer 'd["output_file_id"]')/content") $(grep -c custom_id "$T/answer") $(paid)" "200 2 0"
is "a second batch of the file" "$(make_batch "$FILE")" 200
id=$(answer 'd["id"]')
is "cancelling: it may yet have cost something" "$(call POST "/v1/batches/$id/cancel") $(answer 'd["status"]') $(has_job "$id")" "200 cancelling True"
is "cancelled: nothing was done, nothing is paid" "$(call GET "/v1/batches/$id") $(answer 'd["status"]') $(paid) $(held)" "200 cancelled 0 0"
requests=$(standin /_bill | json 'len(d)')
is "a file that this agent has not seen" "$(make_batch file-unseen) $(answer 'd["error"]["type"]')" "403 permission_error"
has "is refused for that" "$(cat "$T/answer")" "batch_unknown"
has "with what helps" "$(cat "$T/answer")" "upload the file again"
is "the provider was not asked" "$(standin /_bill | json 'len(d)')" "$requests"
check "the agent stops" "$TOLLGATE" stop
agent
is "after a restart it knows no files" "$(make_batch "$FILE") $(grep -c batch_unknown "$T/answer")" "403 1"
is "uploaded again" "$(upload)" 200
begin
is "a batch can be made of it" "$(make_batch "$(answer 'd["id"]')")" 200
id=$(answer 'd["id"]')
call GET "/v1/batches/$id" >/dev/null
is "and ends" "$(call GET "/v1/batches/$id") $(answer 'd["status"]')" "200 completed"
same "at what is billed" "$(paid)" "$(job_cost "$id")"
PAID=$(paid)
is "nothing is held" "$(moved)" "0 $PAID"

# Calls of tools are held beside the tokens: 0.01 USD each, 64 where the line names no limit.
tool_line() { printf '{"custom_id":"t","method":"POST","url":"/v1/%s","body":{"model":"gpt-5.4-nano",%s}}\n' "$1" "$2"; }
{ tool_line responses '"max_output_tokens":16,"input":"x","tools":[{"type":"web_s\u0065arch"}]'; tool_line responses '"max_output_tokens":16,"input":"x","max_tool_calls":3,"tools":[{"type":"shell"}]'
    tool_line chat/completions '"max_tokens":16,"n":2,"messages":[],"web_search_options":{}'; } >"$T/lines"
upload >/dev/null
begin
make_batch "$(answer 'd["id"]')" >/dev/null
id=$(answer 'd["id"]')
check "tools of a batch's lines are held for" [ "$(held)" -ge $(((64 + 3 + 2) * 10000000)) ]
call POST "/v1/batches/$id/cancel" >/dev/null
call GET "/v1/batches/$id" >/dev/null
settled any
is "and free again" "$(moved)" "0 0"

# ---- Anthropic's batches ----
request() { printf '{"custom_id":"%s","params":{"model":"claude-haiku-4-5","max_tokens":50,"messages":[{"role":"user","content":"%s"}]}}' "$1" "$2"; }
begin
is "a message batch" "$(post /v1/messages/batches "{\"requests\":[$(request a 'one [[tokens=30]]'),$(request b '[[job_fails=1]]'),$(request c 'two [[cache_write=100]] [[tokens=5]]')]}") $(answer 'd["processing_status"]') $(paid)" "200 in_progress 0"
id=$(answer 'd["id"]')
is "is a job" "$(has_job "$id")" True
check "holds something" [ "$(held)" -gt 0 ]
HELD=$(held)
is "working" "$(call GET "/v1/messages/batches/$id") $(answer 'd["processing_status"]') $(paid) $(held)" "200 in_progress 0 $HELD"
is "ended, it does not say what it used" "$(call GET "/v1/messages/batches/$id") $(answer 'd["processing_status"]') $(paid) $(held)" "200 ended 0 $HELD"
is "its results do" "$(call GET "/v1/messages/batches/$id/results") $(grep -c '"succeeded"' "$T/answer")" "200 2"
same "paid at half price" "$(paid)" "$(job_cost "$id" anthropic)"
PAID=$(paid)
is "nothing is held" "$(moved) $(has_job "$id")" "0 $PAID False"
is "read twice, paid once" "$(call GET "/v1/messages/batches/$id/results") $(paid) $(moved)" "200 0 0 $PAID"
post /v1/messages/batches "{\"requests\":[$(request a one)]}" >/dev/null
id=$(answer 'd["id"]')
is "one that is cancelled" "$(call POST "/v1/messages/batches/$id/cancel") $(answer 'd["processing_status"]') $(has_job "$id")" "200 canceling True"
is "costs nothing in the end" "$(call GET "/v1/messages/batches/$id") $(answer 'd["processing_status"]') $(paid) $(held) $(has_job "$id")" "200 ended 0 0 False"

# ---- the sums ----
is "what events charged is what the wallet spent" "$(events | json 'sum(round(float(e["charge"]) * 10**9) for e in d["events"] if e.get("wallet") == "any")')" "$(spent)"
# (The stand-in bills the part of a cancelled stream that it has sent, in its row, and nothing for one that had not begun.)
is "and what the provider bills" "$((CANCELLED + $(reckon openai "r['dialect'] == 'openai' and r.get('job') not in ('$STUCK', '$CUT'$LIMITED)") + $(reckon anthropic "r['dialect'] == 'anthropic'")))" "$(spent)"

# ---- the one that nobody asked after ----
LOG=$T/s/tollgate/dev/agent.log
is "it is still held, over all of this, or was taken whole" "$(money stuck | python3 -c "from decimal import Decimal as D; a, h, s = map(D, input().split()); print(h + s == D('$STUCK_HOLD') > 0)")" True
taken() { [ "$(money stuck | cut -d' ' -f2-3)" = "0 $STUCK_HOLD" ]; }
check "past its deadline it is taken whole" wait_for 45 taken
is "and is no job any more" "$(has_job "$STUCK")" False
has "the log says so" "$(cat "$LOG")" "$STUCK"
# $T/expired: of each event that tells of a charge for it, what it says
expired() {
    "$TOLLGATE" events --json --limit 1000 | python3 -c 'import json, sys
for e in json.load(sys.stdin)["events"]:
    if e.get("wallet") == "stuck" and e.get("charge") not in (None, "0"):
        print(e["charge"], e["error"], e["basis"], e["provider"], e["source"])' >"$T/expired"
}
has_expired() { expired && [ -s "$T/expired" ]; }
check "and so does an event, at once" wait_for 20 has_expired
is "  of what was taken" "$(cat "$T/expired")" "$STUCK_HOLD expired worst openai ledger"
GROUP=stuck
is "asked at last: nothing is paid twice" "$(call GET "/v1/responses/$STUCK") $(answer 'd["status"]') $(paid)" "200 completed 0"
check "the money stays taken" taken
stop_agent
agent
expired
is "after a restart that event is there, once" "$(cat "$T/expired")" "$STUCK_HOLD expired worst openai ledger"
total=$("$TOLLGATE" report all --json | json '(__import__("decimal").Decimal(d["total"]["cost"]) - __import__("decimal").Decimal(d["total"]["written_off"])).normalize()')
is "and the report comes to what the wallets spent" "$total" "$(python3 -c 'import sys; from decimal import Decimal as D; print(sum(D(row.split()[2]) for row in sys.argv[1:]).normalize())' "$(money any)" "$(money stuck)" "$(money limited)" "$(money other)")"
stop_agent
done_playing
