#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Another version on an old state directory: older ledgers are migrated with a backup before, what is newer is refused
# without a byte changed, what is disposable is made anew, and the way back is a backup.
. "$(dirname "$0")/lib.sh"
play "a state directory meets another version"
"${CC:-gcc}" -o "$T/schema" "$ROOT/tests/scenarios/44-schema.c" -ldb-5.3 || { skip "no C compiler, or no db.h"; exit 77; }
provider
STATE=$T/s/tollgate/dev LOG=$T/s/tollgate/dev/agent.log
one_target "cache: {enabled: true}" "capture: {base_urls: true}"
nothing_held() { wait_for 10 is_at_rest team_product_dev; }
# Every byte below the state directory but for the log of the refusal itself.
hashes() { (cd "$STATE" && find . -type f ! -name 'agent.log' ! -name 'start-*.err' ! -name start.lock -exec sha256sum {} + | sort -k2); }
VERSION=$("$TOLLGATE" version | cut -d' ' -f2)
start_again() { "$TOLLGATE" start >"$T/out" 2>&1; }

agent
openai "$(openai_body gpt-5.4-nano)" >/dev/null
nothing_held
before=$(money)
stop_agent
is "every store has its schema and its version" "$(cut -d' ' -f1,3 "$STATE/stores" | sort | tr '\n' ',')" \
    "addresses $VERSION,alerts $VERSION,base-url-port $VERSION,budgets $VERSION,ca $VERSION,cache $VERSION,events $VERSION,exports $VERSION,ledger $VERSION,port $VERSION,rate-limits $VERSION,redirects $VERSION,secrets $VERSION,"

# ---- older ledgers ----
for schema in 1 2; do
    "$T/schema" "$STATE/ledger" "$schema"
    sed -i "s/^ledger .*/ledger $schema 0.0.$schema/" "$STATE/stores"
    check "an agent starts on a ledger of schema $schema" start_again
    has "the log says it" "$(cat "$LOG")" "the ledger was brought from schema $schema to 3"
    is "with its money" "$(money)" "$before"
    is "a backup of before lies beside it" "$(find "$STATE" -maxdepth 1 -name "ledger.schema-$schema-*" | wc -l)" 1
    stop_agent
    is "the schema is written down" "$(grep '^ledger ' "$STATE/stores")" "ledger 3 $VERSION"
done

# Killed at any moment of it: the next start has all of it, or does it again.
for delay in 0.01 0.03 0.05 0.09; do
    "$T/schema" "$STATE/ledger" 2
    "$BUILD/tollgated" --environment dev --policy "$T/policy-config.dev.yaml" --providers "$T/providers.yaml" --state "$STATE" \
        --runtime "$T/r/tollgate/dev" --log "$LOG" 2>/dev/null &
    victim=$!
    timeout "$delay" tail --pid="$victim" -f /dev/null # a moment of its start, whichever it is
    kill -9 "$victim"
    wait "$victim" 2>/dev/null
    check "killed after $delay s of a migration, it starts" start_again
    is "with its money" "$(money)" "$before"
    stop_agent
done

# ---- newer: refused ----
for store in ledger addresses redirects ca secrets budgets exports alerts; do
    cp "$STATE/stores" "$T/stores.kept"
    sed -i "s/^$store .*/$store 99 9.9.9/" "$STATE/stores"
    hashes >"$T/hashes"
    start_again
    is "$store of schema 99: refused" $? 78
    has "with the version that wrote it" "$(cat "$T/out")" "has schema 99, written by tollgate 9.9.9; this one ($VERSION) knows schema"
    has "and what to do" "$(cat "$T/out")" "install 9.9.9 again, or"
    is "no byte has changed" "$(hashes | diff "$T/hashes" - | head -3)" ""
    cp "$T/stores.kept" "$STATE/stores"
done
has "the log has it, too" "$(cat "$LOG")" "written by tollgate 9.9.9"

# The ledger's own number, where the file is not there.
mv "$STATE/stores" "$T/stores.kept"
"$T/schema" "$STATE/ledger" 99
start_again
is "a ledger that says 99 inside: refused" $? 78
has "in words" "$(cat "$T/out" "$LOG")" "written by a newer version"
"$T/schema" "$STATE/ledger" 3
mv "$T/stores.kept" "$STATE/stores"
check "set back, it starts" start_again
is "with its money" "$(money)" "$before"

# ---- a restart into an older version: refused while the one that runs goes on ----
old=$("$TOLLGATE" status --json | json 'd["pid"]')
sed -i "s/^ledger .*/ledger 99 9.9.9/" "$STATE/stores"
"$TOLLGATE" restart >"$T/out" 2>&1
is "restart refuses, too" $? 78
is "and nothing has happened" "$("$TOLLGATE" status --json | json 'd["pid"]')" "$old"
sed -i "s/^ledger .*/ledger 3 $VERSION/" "$STATE/stores"

# ---- disposable ones ----
check "a backup" "$TOLLGATE" backup "$T/copy"
stop_agent
sum=$("$TOLLGATE" start >/dev/null 2>&1; "$TOLLGATE" report all --json | json 'd["total"]["cost"]')
stop_agent
for schema in 99 0; do
    sed -i -E "s/^(events|cache|rate-limits|port|base-url-port) .*/\1 $schema 9.9.9/" "$STATE/stores"
    check "events, cache and others of schema $schema: it starts" start_again
    for store in events cache rate-limits port base-url-port; do
        has "$store is put away, with a line" "$(cat "$LOG")" "put away [$store]: schema $schema of tollgate 9.9.9, not 1"
    done
    is "the events lie beside it" "$(find "$STATE" -maxdepth 1 -name "aux.schema-$schema-*" | wc -l)" 1
    is "sums come back from the ledger" "$(wait_for 10 sh -c '[ "$("$0" report all --json | grep -c "\"cost\": *\"0\"")" = 0 ]' "$TOLLGATE"; "$TOLLGATE" report all --json | json 'd["total"]["cost"]')" "$sum"
    is "money is as it was" "$(money)" "$before"
    has "calls are answered" "$(openai "$(openai_body gpt-5.4-nano)")" chat.completion
    nothing_held
    before=$(money)
    sum=$("$TOLLGATE" report all --json | json 'd["total"]["cost"]')
    stop_agent
done

# ---- the way back ----
sed -i "s/^ledger .*/ledger 99 9.9.9/" "$STATE/stores"
check "an older ledger is put in the place of a newer one" "$TOLLGATE" restore "$T/copy"
check "and an agent starts on it" start_again
stop_agent
done_playing
