#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Reports: over random traffic with refusals, cache hits, fallbacks, streams left in the middle, a kill -9 and holds that
# were recovered, every sum in every grouping and time zone is the ledger's; what people read says the same.
. "$(dirname "$0")/lib.sh"
play "reports: what was spent, by whom, on what"
provider
export TZ=Europe/Berlin
policy <<'Y'
cache: {enabled: true}
providers:
  routing:
    strategy: ordered
    model_groups:
      - {name: fast, targets: [first, second, claude]}
    cross_dialect: equal
    circuit_breaker: {enabled: false}
  targets:
    - {id: first, provider: openai, model: gpt-5.4-mini, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: second, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: claude, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}}
consumer_groups:
  - {name: rich, api_key: kt_cg_rich, wallet_team_id: rich, denied_models: ["gpt-5.4-pro"]}
  - {name: poor, api_key: kt_cg_poor, wallet_team_id: poor, denied_models: ["gpt-5.4-pro"]}
wallets:
  - {id: rich, credit: "100"}
  - {id: poor, credit: "0.0003"}
Y
agent
report() { "$TOLLGATE" report "$@"; }

# ---- nothing yet ----
is "before anything was spent a report is no failure" "$(report >/dev/null; echo $?)" 0
has "and yesterday is answered" "$(report yesterday)" "nothing was spent"

# ---- traffic ----
standin /_script -d '[{"match":{"model":"gpt-5.4-mini","every":2},"fault":"503"},{"match":{"model":"gpt-5.4-mini","every":5},"fault":"drop"}]' >/dev/null
ln -s "$(readlink -f "$(command -v python3)")" "$T/python3"
GROUP=rich governed python3 "$ROOT/tests/scenarios/75-traffic.py" 1 60 &
first=$!
(mkdir -p "$T/shop" && cd "$T/shop" && exec "$TOLLGATE" run --group poor --project shop -- python3 "$ROOT/tests/scenarios/75-traffic.py" 2 40) &
second=$!
wait $first $second
note_events
GROUP=rich governed python3 "$ROOT/tests/scenarios/75-traffic.py" 3 200 &
third=$!
(GROUP=rich openai "$(openai_body gpt-5.4-nano 'slow [[delay_ms=20000]]')" >/dev/null 2>&1) &
slow=$!
is_held() { [ "$(money rich | cut -d' ' -f2)" != 0 ]; }
check "calls are under way" wait_for 10 is_held
live() { curl -sS --unix-socket "$T/r/tollgate/dev/report.sock" http://agent/v1/live; }
is_live() { live | json 'sum(e["step"] == "forward" and e["model"] == "gpt-5.4-nano" and e["executable"].endswith("/curl") for e in d["live"])' | grep -q '^[1-9]'; }
check "they are seen while they run" wait_for 10 is_live
has "top shows them, too" "$("$TOLLGATE" top)" "RUNNING"
pid=$("$TOLLGATE" status --json | json 'd["pid"]')
kill -9 "$pid"
wait_for 10 sh -c "! kill -0 $pid"
wait $third $slow
agent
has_recovered() { [ "$(events | json 'sum(e.get("usage_source") == "recovered" for e in d["events"])')" -ge 1 ]; }
check "a hold was recovered, and is an event" wait_for 10 has_recovered
GROUP=rich openai "$(openai_body gpt-5.4-nano "after all")" >/dev/null
settled rich
is "the traffic was of every kind" "$(events | json '" ".join(str(n > 0) for n in [
    sum("avoided_cost" in e for e in d["events"]),
    sum(len(e["attempts"]) > 1 for e in d["events"]),
    sum(e.get("error") == "model_denied" for e in d["events"]),
    sum(e.get("error") == "wallet_exhausted" for e in d["events"]),
    sum(a["basis"] == "partial" for e in d["events"] for a in e["attempts"]),
    sum(e.get("usage_source") == "recovered" for e in d["events"])])')" "True True True True True True"

# ---- sums ----
export TOLLGATE REPORT_SOCKET=$T/r/tollgate/dev/report.sock
sums=$(python3 "$ROOT/tests/scenarios/75-sums.py" 2>&1)
is "every sum is the ledger's, whatever the grouping, step and time zone" "$? $(tail -3 <<<"$sums")" "0 $(tail -1 <<<"$sums")"

before=$(report all --by group,model,reason --json)
is "sums that are made anew of the events are those of all events" "$(report rebuild)" "the sums were made anew of $(event_count) events"
is "and the same" "$(report all --by group,model,reason --json | json 'd["rows"]')" "$(json 'd["rows"]' <<<"$before")"

# ---- one command ----
answer=$(report today)
dearest=$(report all --by executable --json | json 'd["rows"][0]["executable"].rsplit("/")[-1]')
has "which program spent most" "$(head -1 <<<"$answer")" "$dearest spent most: "
model=$(report all --by executable,model --json | json 'max((r for r in d["rows"] if r["executable"].endswith("/'"$dearest"'")), key=lambda r: float(r["cost"]))["model"]')
has "on which model" "$(head -1 <<<"$answer")" "on $model;"
has "and what the cache saved" "$(head -1 <<<"$answer")" "the cache saved $(report all --json --by model | json 'd["total"]["avoided"].rstrip("0")')"
has "what is left stands beneath" "$answer" "BURN/DAY"
has "the overview has programs" "$(report)" "PROGRAM"
is "and its document five parts" "$(report --json | json '" ".join(d)')" "today yesterday week programs models"

# ---- options ----
is "a group alone" "$(report all --group poor --json | json 'd["total"]["cost"]')" "$(wallet_json poor | json 'd["spent"]')"
is "by pattern" "$(report all --model 'claude-*' --by model --json | json '{r["model"].split("-")[0] for r in d["rows"]}')" "{'claude'}"
is "a project is that of the run" "$(report all --project shop --by group --json | json '[r["group"] for r in d["rows"]]')" "['poor']"
is "a window in the future is empty" "$(report daily --since 2200-01-01 --until 2200-02-01 --json | json 'd["total"]["calls"]')" 0
is "breakdown is by model, too" "$(report daily --breakdown --json | json '{"model" in r for r in d["rows"]}')" "{True}"
is "limits leave the rest in one row" "$(report all --by model --limit 1 --json | json '[r.get("rest", False) for r in d["rows"]]')" "[False, True]"
has "which the table calls others" "$(report all --by model --limit 1)" others
is "a session is one program in one directory" "$(report session --project shop --json | json '[(s["group"], s["directory"].rsplit("/")[-1]) for s in d["sessions"]]')" "[('poor', 'shop')]"
is "the time zone is the user's own" "$(report today --json | json 'd["timezone"]')" Europe/Berlin
is "or the one that is asked for" "$(report today --timezone Asia/Tokyo --json | json 'd["timezone"] + d["since"][-6:]')" Asia/Tokyo+09:00
is "a TZ without a name is said, and UTC" "$(TZ=CET-1 report today --json 2>"$T/err" | json 'd["timezone"]')/$(grep -c 'no name' "$T/err")" UTC/1
longest() { awk '{ gsub(/[^\x01-\x7f]/, ""); if (length > most) most = length } END { print most + 0 }'; }
check "it fits 80 columns" [ "$(COLUMNS=80 report daily --by group | longest)" -le 80 ]
lacks "and leaves columns out there" "$(COLUMNS=80 report daily --by group)" CACHED
lacks "as with --compact" "$(COLUMNS=200 report daily --compact)" CACHED
has "wide, they are there" "$(COLUMNS=200 report daily)" CACHED
lacks "no colour where nobody watches" "$(report daily)" $'\x1b'
exit_of() { "$TOLLGATE" report "$@" >/dev/null 2>"$T/err"; echo $?; }
is "a mistyped view is a usage error" "$(exit_of dayly)" 64
has "which says what was meant" "$(cat "$T/err")" "daily"
is "so are two periods at once" "$(exit_of yesterday --since 2026-01-01)" 64
is "a dimension that there is not is refused" "$(exit_of all --by colour)" 65
is "a time zone, too" "$(exit_of all --timezone Mars/Olympus)" 65
is "a month with a blank is none" "$(exit_of '2026- 1')" 65
for view in session live question "question volume" ""; do
    # shellcheck disable=SC2086
    is "'report $view' has its own columns, and says so" "$(exit_of $view --breakdown)/$(grep -c 'its own columns' "$T/err")" 64/1
done
is "with --by, too" "$(exit_of session --by model)/$(exit_of live --by model)/$(exit_of question volume --by model)" 64/64/64

# ---- questions ----
for question in $(report question --json | json '" ".join(q["name"] for q in d["questions"])'); do
    has "question $question has an answer in words" "$(report question "$question" --json | json 'd["answer"] != "" and "before" in d')" True
    check "  and as a table" report question "$question"
done
is "there are six" "$(report question --json | json 'len(d["questions"])')" 6
is "one that nobody asks is a negative finding" "$(exit_of question whether-it-rains)" 1

# ---- lines for people ----
has "the status line" "$("$TOLLGATE" statusline)" "dev: "
is "with a format of one's own" "$("$TOLLGATE" statusline --wallet poor --format '{env}|{wallet}|{left}|{nonsense}')" \
    "dev|poor|$(wallet_json poor | json 'd["available"]')|{nonsense}"
is "a status line that nobody can read is no failure" "$("$TOLLGATE" statusline >&-; echo $?) $("$TOLLGATE" statusline 2>&1 >/dev/full; echo $?) $("$TOLLGATE" statusline <&- >&- 2>&-; echo $?)" "0 0 0"
statusline_json() { "$TOLLGATE" statusline --json "$@" | json "$EXPRESSION"; }
EXPRESSION='" ".join(d)'
is "its document has the same names" "$(statusline_json)" "agent environment wallet left held burn days today calls saved denied"
EXPRESSION='(d["agent"], d["environment"], d["wallet"], d["left"], d["calls"])'
is "and says what is so" "$(statusline_json --wallet poor)" \
    "(True, 'dev', 'poor', '$(wallet_json poor | json 'd["available"]')', $(report today --wallet poor --json | json 'd["total"]["calls"]'))"
top=$("$TOLLGATE" top)
has "top prints once where nobody watches" "$top" "WALLET"
has "with the latest calls" "$top" "gpt-5.4-nano"
lacks "and without moving the cursor" "$top" $'\x1b'
is "its document has its parts" "$("$TOLLGATE" top --json | json 'sorted(d)')" "['events', 'live', 'today', 'wallets']"
screen() { # what top writes on a terminal, until q is typed
    python3 - "$TOLLGATE" <<'P'
import os, pty, select, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.environ.update(TERM="xterm", LINES="30", COLUMNS="120")
    os.environ.pop("NO_COLOR", None)
    os.execv(sys.argv[1], [sys.argv[1], "top", "--every", "1"])
seen, end = b"", time.monotonic() + 20
while seen.count(b"\x1b[H") < 2 and time.monotonic() < end:
    if select.select([fd], [], [], 1)[0]:
        seen += os.read(fd, 65536)
os.write(fd, b"q")
try:
    while time.monotonic() < end:
        seen += os.read(fd, 65536)
except OSError:
    pass
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.count(b"\x1b[?1049h"), seen.count(b"\x1b[?1049l"), b"WALLET" in seen)
P
}
is "on a terminal it draws again, and gives the screen back" "$(screen)" "0 1 1 True"
has "wallet list shows what burns" "$("$TOLLGATE" wallet list)" "BURN/DAY"
filtered() { "$TOLLGATE" events --limit 1000 --json "$@" | json "$EXPRESSION"; }
EXPRESSION='{(e["group"], e.get("error")) for e in d["events"]}'
is "events by several members at once" "$(filtered --filter group=poor,error=wallet_exhausted)" "{('poor', 'wallet_exhausted')}"
EXPRESSION='len(d["events"])'
is "by a pattern" "$(filtered --filter 'status=4*')" "$("$TOLLGATE" events --limit 1000 --json | json 'sum(str(e["status"]).startswith("4") for e in d["events"])')"
is "and a limit is of those that fit" "$("$TOLLGATE" events --limit 2 --filter group=rich --json | json 'len(d["events"])')" 2
"$TOLLGATE" events --filter nonsense >/dev/null 2>&1
is "a filter without = is a usage error" $? 64
filter_exit() { "$TOLLGATE" events --limit 1 --filter "$1" >/dev/null 2>"$T/err"; echo $?; }
is "so is a member that no event has" "$(filter_exit nonsense=1)" 64
has "which names those there are" "$(cat "$T/err")" "group_source"
is "and a value that it cannot have" "$(filter_exit status=abc)/$(filter_exit stream=maybe)" 64/64
for name in $("$TOLLGATE" events --limit 1000 --json | json '" ".join(sorted({name for e in d["events"] for name, value in e.items() if not isinstance(value, (dict, list))}))'); do
    [[ $(filter_exit "$name=") == 0 ]] || not_ok "events have a member that --filter does not know" "$name: $(cat "$T/err")"
done

# ---- dev and prod side by side ----
add() { python3 -c 'import decimal, sys; print(format(sum(map(decimal.Decimal, sys.argv[1:])).normalize(), "f"))' "$@"; }
dev_spent=$(add "$(wallet_json rich | json 'd["spent"]')" "$(wallet_json poor | json 'd["spent"]')")
sed -e 's/credit: "0.0003"/credit: "1"/' -e '$a evidence: {events_file: /dev/full}' "$T/policy-config.dev.yaml" >"$T/policy-config.prod.yaml"
mkdir -m 700 "$T/ps" && mkdir -m 755 "$T/pr"
prod() { TOLLGATE_STATE_DIR=$T/ps TOLLGATE_RUNTIME_DIR=$T/pr "$TOLLGATE" "$@" --env prod; }
end_prod() { prod stop >/dev/null 2>&1; }
ON_END=end_prod
check "prod starts" prod start --policy "$T/policy-config.prod.yaml" --providers "$T/providers.yaml"
TOLLGATE_STATE_DIR=$T/ps TOLLGATE_RUNTIME_DIR=$T/pr "$TOLLGATE" run --env prod --group rich -- python3 "$ROOT/tests/scenarios/75-traffic.py" 4 15
prod_is_idle() { prod wallet show rich --json | grep -q '"held": *"0"'; }
check "prod settles" wait_for 20 prod_is_idle
both() { TOLLGATE_ENV=prod TOLLGATE_RUNTIME=$T/pr TOLLGATE_STATE=$T/ps "$TOLLGATE" report "$@" --env both; }
prod_spent=$(prod wallet show rich --json | json 'd["spent"]')
is "both documents are there" "$(both all --json | json '[(e["environment"], e["total"]["cost"]) for e in d["environments"]]')" \
    "[('dev', '$dev_spent'), ('prod', '$prod_spent')]"
is "side by side they come to the sum, in whole nano-dollars" "$(both daily --window all | awk '$1 == "total" { print $NF }')" "$(add "$dev_spent" "$prod_spent")"
is "events that the file has no room for are a finding of the doctor" \
    "$(prod doctor --json | json '[(f["status"], "missing in the events file" in f["text"]) for f in d["checks"] if f["name"] == "events"]')" "[('warning', True)]"
check "prod stops" prod stop
has "what does not answer is said" "$(both daily 2>&1)" "no agent of prod"
is "and the other one is shown" "$(both daily --window all 2>/dev/null | awk '$1 == "total" { print $NF }')" "$dev_spent"

# ---- an agent that does not answer ----
pid=$("$TOLLGATE" status --json | json 'd["pid"]')
kill -STOP "$pid"
is "a report of an agent that is stopped is given up" "$(exit_of today)/$(grep -c 'runs but does not answer' "$T/err")" 75/1
has "top says so, too" "$("$TOLLGATE" top)" "runs but does not answer"
is "the status line knows that it is there" "$("$TOLLGATE" statusline --json)" '{"agent":true,"environment":"dev","problem":"no answer in time"}'
kill -CONT "$pid"

stop_agent
is "as a document" "$("$TOLLGATE" statusline --json; echo $?)" "$(printf '{"agent":false,"environment":"dev","problem":"no agent"}\n0')"
is "without an agent the status line is a word, and no failure" "$("$TOLLGATE" statusline 2>&1; echo $?)" "$(printf 'dev: no agent\n0')"
is "a report says that there is none" "$(exit_of daily)" 69
done_playing
