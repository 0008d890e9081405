#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Exports: whatever happened (refusals, cache hits, fallbacks, partial streams, usage above every hold, holds that a kill
# left), the rows of each format sum up to the ledger to the nano-dollar; FOCUS files keep to the specification; no cell is
# a formula; a file is there whole or not at all; what a schedule missed is written once.
. "$(dirname "$0")/lib.sh"
play "exports agree with the ledger"
provider
policy <<'Y'
cache: {enabled: true}
providers:
  routing:
    strategy: ordered
    on_unlisted_model: block
    model_groups:
      - {name: fast, targets: [first, second]}
      - {name: mixed, targets: [first, claude]}
    cross_dialect: equal
    circuit_breaker: {enabled: false}
  targets:
    - {id: first, provider: openai, model: gpt-5.4-mini, secret_key_ref: {env: OPENAI_API_KEY}, timeout_ms: 60000}
    - {id: second, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
    - {id: claude, provider: anthropic, model: claude-haiku-4-5, secret_key_ref: {env: ANTHROPIC_API_KEY}, pricing: {input: 1, output: 5.0007}}
consumer_groups:
  - {name: a, api_key: kt_cg_a, wallet_team_id: a}
  - {name: b, api_key: kt_cg_b, wallet_team_id: b}
  - {name: poor, api_key: kt_cg_poor, wallet_team_id: poor}
wallets:
  - {id: a, credit: "100"}
  - {id: b, credit: "100"}
  - {id: poor, credit: "0.002"}
evidence:
  exports: {schedule: daily, formats: [csv, jsonl, focus]}
Y
agent
GROUP=a
ask() { openai "$(openai_body "$1" "$2" ',"max_tokens":60'"${3:-}")" "${@:4}" >/dev/null; }
fail_first() { standin /_script -d "[{\"match\":{\"model\":\"gpt-5.4-mini\"},\"fault\":\"$1\"}]" >/dev/null; }
GROUPS_OF_PLAY=(a b a b)
for i in 1 2 3 4; do
    GROUP=${GROUPS_OF_PLAY[$((i - 1))]}
    ask gpt-5.4-nano "hello $i [[tokens=$i]]"
    ask gpt-5.4-nano "hello $i [[tokens=$i]]" # a hit
    ask gpt-5.4-nano "cached prompt $i [[fresh=100]] [[cached=90$i]]" ',"stream":true'
    anthropic "$(anthropic_body claude-haiku-4-5 "write the cache $i [[cache_write=50$i]]")" >/dev/null
done
patience() { sed -i "/id: first/s/timeout_ms: [0-9]*/timeout_ms: $1/" "$T/policy-config.dev.yaml" && "$TOLLGATE" reload >/dev/null 2>&1 || not_ok "the policy is in force"; }
patience 1000
fail_first hang # what was only sent is an estimate that costs
ask fast "fall back 1"
ask mixed "fall back 2"
patience 60000
fail_first 503
ask fast "fall back 3"
standin /_script -d '[]' >/dev/null
GROUP=poor
ask gpt-5.4-nano "far more than it may [[reasoning=90000]]"      # above hold and wallet: written off
ask gpt-5.4-nano "refused: nothing is left"
GROUP=a
for name in '=1+1' '+2' '-3' '@SUM(A1)' 'a\",\"b' '=HYPERLINK(\"x\")'; do ask "$name" "refused: $name"; done
note_events
governed sh -c 'curl -sSN --max-time 60 https://api.openai.com/v1/chat/completions -H "authorization: Bearer $OPENAI_API_KEY" -H "content-type: application/json" -d "$1" | head -c 2000 >/dev/null' sh \
    "$(openai_body gpt-5.4-nano 'leave [[tokens=400]] [[pace_ms=10]]' ',"stream":true')" 2>/dev/null # a partial stream
settled a
"$TOLLGATE" wallet adjust a -0.25 --note "billed twice" >/dev/null

# killed while two calls are open: their holds are settled at the next start
(ask gpt-5.4-nano 'open at the kill [[delay_ms=20000]]' 2>/dev/null) &
one=$!
(GROUP=b ask gpt-5.4-nano 'open at the kill, too [[delay_ms=20000]]' 2>/dev/null) &
two=$!
both_held() { [ "$("$TOLLGATE" wallet list --json | json 'sum(float(w["held"]) > 0 for w in d["wallets"])')" = 2 ]; }
check "two calls are under way" wait_for 10 both_held
pid=$("$TOLLGATE" status --json | json 'd["pid"]')
kill -9 "$pid"
wait_for 10 sh -c "! kill -0 $pid 2>/dev/null"
wait $one $two
agent
is_recovered() { [ "$(events | json 'sum(e.get("usage_source") == "recovered" for e in d["events"])')" = 2 ]; }
check "both have events" wait_for 10 is_recovered

# ---- sums ----
export_to() { "$TOLLGATE" export --window all --format "$1" --output "$2" "${@:3}"; }
for format in csv jsonl focus; do
    check "$format: reconciled" export_to $format "$T/all.$format"
    check "$format: the same to standard output" "$TOLLGATE" export --window all --format $format
done
check "any HTTP client reads it" sh -c 'curl -sS --unix-socket "$0" "http://localhost/v1/export?format=csv&period=all" | cmp - "$1"' \
    "$T/r/tollgate/dev/report.sock" "$T/all.csv"
has "and finds the manifest behind it" "$(curl -sSi --raw --unix-socket "$T/r/tollgate/dev/report.sock" \
    "http://localhost/v1/export?format=jsonl&period=2020-01")" 'tollgate-manifest: {"file":"tollgate-dev-2020-01-01.jsonl","format":"jsonl"'
wallets=$("$TOLLGATE" wallet list --json)
cat >"$T/sums.py" <<'P'
"""Sums of the three files, of the manifests and of the wallets, each by its own way; prints what differs."""
import csv, hashlib, json, os, sys
from decimal import Decimal
folder, wallets = sys.argv[1], json.loads(sys.argv[2])["wallets"]
rows = {name: list(csv.DictReader(open(f"{folder}/all.{name}", newline="", encoding="utf-8"), strict=True)) for name in ("csv", "focus")}
rows["jsonl"] = [json.loads(line) for line in open(f"{folder}/all.jsonl", encoding="utf-8")]
total = lambda name, column: sum((Decimal(row[column]) for row in rows[name]), Decimal(0))
# what wallets spent, less the adjustment of 0.25
spent = sum(Decimal(w["spent"]) for w in wallets) - Decimal("0.25")
columns = {"csv": ("cost", "written_off", "avoided"), "jsonl": ("cost", "written_off", "avoided"), "focus": ("BilledCost", "x_WrittenOffCost", "x_AvoidedCost")}
for name, (cost, written_off, avoided) in columns.items():
    manifest = json.load(open(f"{folder}/all.{name}.manifest.json"))
    data = open(f"{folder}/all.{name}", "rb").read()
    facts = [("cost - written off = spent", total(name, cost) - total(name, written_off), spent),
             ("manifest's cost", Decimal(manifest["sums"]["cost"]), total(name, cost)),
             ("manifest's avoided", Decimal(manifest["sums"]["avoided"]), total(name, avoided)),
             ("ledger's posts", Decimal(manifest["ledger"]["posts"]["amount"]), spent),
             ("ledger's write-offs", Decimal(manifest["ledger"]["write_offs"]["amount"]), total(name, written_off)),
             ("adjustment", manifest["ledger"]["adjustments"], {"count": 1, "amount": "-0.25"}),
             ("rows", manifest["rows"], len(rows[name])), ("bytes", manifest["bytes"], len(data)),
             ("hash", manifest["sha256"], hashlib.sha256(data).hexdigest()), ("file", manifest["file"], f"all.{name}"),
             ("reconciled", manifest["reconciled"], True)]
    for what, got, wanted in facts:
        if got != wanted:
            print(f"{name}: {what}: {got}, wanted {wanted}")
if list(rows["csv"][0]) != list(rows["jsonl"][0]):
    print("csv and jsonl have other columns")
for a, b in zip(rows["csv"], rows["jsonl"]):
    for key, value in a.items():
        wanted = "" if b[key] is None else str(b[key])
        if value != wanted and value != "'" + wanted:
            print(f"{key}: {value!r} in csv, {wanted!r} in jsonl")
of = lambda column: sum(int(row[column]) for row in rows["csv"])
tokens = {}
for row in rows["focus"]:
    tokens[row["x_TokenType"]] = tokens.get(row["x_TokenType"], 0) + int(row["ConsumedQuantity"])
for name in ("input", "cache_read", "cache_write", "output"):
    if of(name) != tokens.get(name, 0) or not of(name):
        print(f"{name}: {of(name)} in csv, {tokens.get(name)} in focus")
seen = {"refused": of("refused"), "hits": of("hits"), "retried": of("retried"), "recovered": of("recovered"), "streams": of("streams")}
least = {"refused": 7, "hits": 4, "retried": 3, "recovered": 2, "streams": 5}
for name, count in least.items():
    if seen[name] < count:
        print(f"the play has too little of {name}: {seen}")
if total("csv", "written_off") <= 0 or total("csv", "avoided") <= 0:
    print("nothing was written off or avoided")
if len({(row["id"], row["attempt"]) for row in rows["csv"]}) != len(rows["csv"]):
    print("a try has two rows")
P
is "files, manifests and wallets agree to the nano-dollar" "$(python3 "$T/sums.py" "$T" "$wallets")" ""
check "the FOCUS file keeps to the specification" python3 "$ROOT/tests/clients/focus_validate.py" "$T/all.focus"
check "(what checks it notices damage)" python3 "$ROOT/tests/clients/focus_validate.py" --self-test
has "a saving is no credit" "$(cut -d, -f1 "$T/all.focus" | sort -u | tr '\n' ' ')" "BilledCost"
is "and no cost is below 0" "$(grep -c '^-' "$T/all.focus")" 0

# ---- formulas ----
cat >"$T/formulas.py" <<'P'
import csv, re, sys
count = 0
for name in sys.argv[1:]:
    for row in csv.reader(open(name, newline="", encoding="utf-8"), strict=True):
        for cell in row:
            count += cell.lstrip("'")[:1] in "=+-@" and cell != "" and cell.startswith("'")
            if re.match(r" *[=+\-@\t\r\n]", cell) and not re.match(r"-[0-9.]+$", cell):
                print(name, repr(cell))
print(count)
P
guarded=$(python3 "$T/formulas.py" "$T/all.csv" "$T/all.focus")
is "no cell begins as a formula, and some would have" "$(wc -l <<<"$guarded") $([ "$guarded" -ge 8 ] && echo some)" "1 some"
is "every row ends with CRLF" "$(grep -cv $'\r$' "$T/all.csv")" 0

# ---- whole or not at all ----
mkdir "$T/out"
files() { find "$T/out" -type f | wc -l; }
limited() { (trap '' XFSZ; ulimit -f "$1"; "$TOLLGATE" export --window all --format csv --output "$T/out/f.csv" 2>"$T/err"); }
limited 2
is "a full disk: exit code" $? 73
has "and words" "$(cat "$T/err")" "cannot be written"
is "and no file, no temporary one" "$(files)" 0
cp "$T/all.csv" "$T/out/f.csv"
limited 2
is "what was there stays" "$(files) $(cmp "$T/all.csv" "$T/out/f.csv" && echo same)" "1 same"
rm "$T/out/f.csv"
echo mine >"$T/out/g.csv.new"
check "a file and a manifest are replaced" sh -c 'for i in 1 2; do "$1" export --window all --output "$2/g.csv" || exit 1; done' sh "$TOLLGATE" "$T/out"
is "and what looks like a temporary one is not touched" "$(cat "$T/out/g.csv.new") $(files)" "mine 3"
before=$(sha256sum "$T/out"/g.csv*)
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then # what is mounted cannot be renamed
    unshare -m sh -c 'mount --bind "$2/g.csv.manifest.json" "$2/g.csv.manifest.json" && exec "$1" export --window 2020-01 --output "$2/g.csv"' \
        sh "$TOLLGATE" "$T/out" 2>"$T/err"
    is "a manifest that cannot be replaced: exit code, words" "$? $(grep -c 'cannot be written' "$T/err")" "73 1"
    is "and both older files are as they were, alone" "$(sha256sum "$T/out"/g.csv*) $(files)" "$before 3"
fi
rm "$T/out"/g.csv*
"$TOLLGATE" export --window all --output "$T/missing/f.csv" 2>"$T/err"
is "a directory that is not there" "$? $(grep -c 'cannot be written' "$T/err")" "73 1"
"$TOLLGATE" export --window all --output "$T/out" 2>"$T/err"
is "a directory is no file" "$? $(grep -c 'no regular file' "$T/err")" "73 1"
for bad in "--format xml" "--window someday" "--timezone Mars/Olympus" "--window 2026-11-31"; do
    # shellcheck disable=SC2086
    "$TOLLGATE" export $bad >"$T/got" 2>"$T/err"
    is "$bad is refused" "$? $(wc -c <"$T/got") $(grep -c . "$T/err")" "65 0 1"
done
check "a window without a call" "$TOLLGATE" export --window 2020-01 --format jsonl --output "$T/out/empty.jsonl"
is "is an empty file that agrees with the ledger" "$(wc -c <"$T/out/empty.jsonl") $(json 'd["reconciled"], d["period"]["since"]' <"$T/out/empty.jsonl.manifest.json")" \
    "0 (True, '2020-01-01T00:00:00+00:00')"
has "days begin where one says" "$("$TOLLGATE" export --window yesterday --timezone Asia/Kolkata --output "$T/out/y.csv" --json)" "T00:00:00+05:30"

# ---- differences, and answers that end too early: an agent that plays them ----
cat >"$T/fake.py" <<'P'
import os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(5)
manifest = '{"bytes":3,"rows":1,"reconciled":false,"reconciliation":{"paid":"1","problem":"the rows have 0.5 USD less"}}'
head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"
for end in (b"0\r\ntollgate-manifest: " + manifest.encode() + b"\r\n\r\n", b"0\r\n\r\n", b"5\r\nde", b""):
    peer, _ = server.accept()
    peer.recv(65536)
    peer.sendall(head + end)
    peer.close()
P
mkdir -m 700 "$T/fake"
python3 "$T/fake.py" "$T/fake/report.sock" &
fake=$!
wait_for 10 test -S "$T/fake/report.sock"
from_fake() { "$TOLLGATE" export --runtime "$T/fake" --output "$T/out/fake.csv" 2>"$T/err"; }
from_fake >/dev/null
is "a difference: exit code, words, file" "$? $(grep -c 'differs from the ledger: the rows have 0.5 USD less' "$T/err") $(cat "$T/out/fake.csv")" "1 1 abc"
rm "$T/out"/fake.csv*
before=$(files)
for what in "without a manifest" "cut in a chunk" "cut between chunks"; do
    from_fake
    is "$what: no file" "$([ $? -gt 1 ] && echo failed) $(files)" "failed $before"
done
wait $fake

# ---- on a schedule ----
faketime=$(find /usr/lib /usr/local/lib -name libfaketimeMT.so.1 2>/dev/null | head -1)
first_day=$(date -u -d "$(sed 1d "$T/all.csv" | cut -d, -f3 | sort | head -1)" +%s)
# Days that have ended, so many days from now: three files each.
due() { echo $((3 * (($(date +%s) - 30) / 86400 + $1 - first_day / 86400))); }
is "nothing was due today" "$("$TOLLGATE" export --list --json | json 'len(d["exports"])')" "$(due 0)"
stop_agent
case $BUILD in *-asan | *-tsan) faketime= ;; esac # a sanitizer's library must come first
if [ -z "$faketime" ]; then
    skip "libfaketime is not here, or this is a sanitizer's build: the schedule is tested by tests/unit/test_export_schedule.c"
    done_playing
fi
# `tollgate start` hands no LD_PRELOAD on.
days_later() {
    LD_PRELOAD=$faketime FAKETIME="+$1d" FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 "$BUILD/tollgated" \
        --environment dev --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml" \
        --state "$T/s/tollgate/dev" --runtime "$T/r/tollgate/dev" 2>>"$T/agent.err" &
    wait_for 10 "$TOLLGATE" status
}
listed() { "$TOLLGATE" export --list --json | json 'len(d["exports"])'; }
has_listed() { [ "$(listed)" = "$1" ]; }
exports=$T/s/tollgate/dev/exports
days_later 21
written=$(due 21)
check "three weeks later: a file of each day and format" wait_for 30 has_listed "$written"
is "each with its manifest, and nothing else" "$(find "$exports" -type f | wc -l)" $((2 * written))
check "all of them reconciled" sh -c "! grep -L '\"reconciled\":true' '$exports'/*.manifest.json | grep ."
is "together they have what was spent" "$(python3 - "$exports" <<'P'
import glob, json, sys
from decimal import Decimal
print({f: str(sum(Decimal(json.load(open(m))["sums"]["cost"]) for m in glob.glob(f"{sys.argv[1]}/*-daily.{f}.manifest.json"))) for f in ("csv", "jsonl")})
P
)" "$(python3 -c "
import json
cost = json.load(open('$T/all.csv.manifest.json'))['sums']['cost']
print({'csv': cost, 'jsonl': cost})")"
find "$exports" -type f -printf '%i %p\n' | sort >"$T/inodes"
stop_agent
days_later 22
check "a day later: that day's, too" wait_for 30 has_listed "$(due 22)"
is "and none of the others was written again" "$(find "$exports" -type f -printf '%i %p\n' | sort | comm -12 - "$T/inodes" | wc -l)" $((2 * written))
has "people can read the list" "$("$TOLLGATE" export --list)" "SINCE"
check "FOCUS files of the schedule keep to the specification" python3 "$ROOT/tests/clients/focus_validate.py" "$exports"/*.focus.csv

# ---- another time zone, and what cannot be written ----
doctor_says() { "$TOLLGATE" doctor --json | json '[c["status"] for c in d["checks"] if c["name"] == "exports"]'; }
is "doctor: exports are well" "$(doctor_says)" "['ok']"
sed -i 's/exports: {schedule: daily/exports: {timezone: Europe\/Berlin, schedule: daily/' "$T/policy-config.dev.yaml"
sha256sum "$exports"/* >"$T/hashes"
"$TOLLGATE" reload >/dev/null
is_beside() { ls "$exports"/*-daily-2.csv >/dev/null 2>&1; }
check "a day of another zone has a file beside the other" wait_for 30 is_beside
check "and no file was replaced" sha256sum --quiet -c "$T/hashes"
is "no two rows of the list share a file" "$("$TOLLGATE" export --list --json | json 'len(d["exports"]) - len({e["file"] for e in d["exports"]})')" 0
# Where the running agent may not write (agent.hardening), or cannot, a reload is refused; what is in its way later, the doctor says.
cp "$T/policy-config.dev.yaml" "$T/before.yaml"
sed -i "s|exports: {|exports: {directory: $T/elsewhere, |" "$T/policy-config.dev.yaml"
"$TOLLGATE" reload >"$T/out.txt" 2>&1
has "a directory that the running agent may not write to is refused" "$(cat "$T/out.txt")" "may not write to $T/elsewhere"
: >"$T/s/tollgate/dev/no-directory"
sed "s|exports: {|exports: {directory: $T/s/tollgate/dev/no-directory, |" "$T/before.yaml" >"$T/policy-config.dev.yaml"
"$TOLLGATE" reload >"$T/out.txt" 2>&1
has "nor one that is none" "$(cat "$T/out.txt")" "Not a directory"
later=$T/s/tollgate/dev/later
sed "s|exports: {|exports: {directory: $later, |" "$T/before.yaml" >"$T/policy-config.dev.yaml"
check "one in its state is taken" "$TOLLGATE" reload
rm -rf "$later"
: >"$later"
sed -i 's/timezone: Europe.Berlin/timezone: Asia\/Kolkata/' "$T/policy-config.dev.yaml"
check "and stays, with a warning, when it is none any more" "$TOLLGATE" reload
is_told() { [ "$(doctor_says)" = "['warning']" ]; }
check "doctor tells what cannot be written" wait_for 30 is_told
has "and where" "$("$TOLLGATE" doctor)" "$later/tollgate-dev-"
sed -i 's/exports: {/keep_events_days: 7\n  exports: {/' "$T/policy-config.dev.yaml"
has "events must be kept until they are exported" "$("$TOLLGATE" check --policy "$T/policy-config.dev.yaml" 2>&1)" '"keep_events_days" is too few for daily exports'
stop_agent
done_playing
