#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The operator's commands: what is put in, corrected, listed and refused. A refusal writes nothing; an order that is
# repeated is done once; budgets set by hand are checked like a policy's; a backup is a ledger.
. "$(dirname "$0")/lib.sh"
play "money commands do what they say, once"
provider
policy <<'Y'
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
consumer_groups:
  - {name: team, api_key: kt_cg_team, wallet_team_id: team}
wallets:
  - {id: team, credit: "10"}
budgets:
  - {id: month, amount: "100", scope: {wallet: team}}
Y
agent
GROUP=team

# refused NAME CODE PART ARGUMENTS…: the command fails with CODE, says PART, and the ledger stays as it was.
refused() {
    local name=$1 code=$2 part=$3 before got
    shift 3
    before=$("$TOLLGATE" wallet list --json)
    "$TOLLGATE" "$@" >"$T/out" 2>"$T/err"
    got=$?
    is "$name: code" "$got" "$code"
    has "$name: words" "$(cat "$T/err")" "$part"
    is "$name: nothing written" "$("$TOLLGATE" wallet list --json)" "$before"
}

refused "nothing" 65 "more than 0" wallet fund team 0
refused "less than nothing" 65 "more than 0" wallet fund team -5
refused "ten decimals" 65 "more than nine decimals" wallet fund team 1.0000000001
refused "an exponent" 65 "not a number" wallet fund team 1e3
refused "a comma" 65 "comma" wallet fund team 1,5
refused "words" 65 "not a number" wallet fund team much
refused "an empty amount" 65 "not a number" wallet fund team ''
refused "two points" 65 "not a number" wallet fund team 1.2.3
refused "infinity" 65 "" wallet fund team inf
refused "more than an integer" 65 "larger than a ledger can hold" wallet fund team 9223372036.854775808
refused "more than a ledger" 65 "larger than a ledger can hold" wallet fund team 99999999999999999999
refused "a sum that overflows" 65 "more than it can" wallet fund team 9223372036.854775807
refused "euros" 65 "amounts are in USD" wallet fund team "5 EUR"
refused "a euro sign" 65 "amounts are in USD" wallet fund team "€5"
refused "pounds" 65 "amounts are in USD" wallet fund team "£ 5"
refused "euros hint" 65 "leave the currency out, or write USD" wallet fund team "EUR 5"
refused "an unknown wallet" 1 "there is: team" wallet fund taem 5
refused "an unknown wallet: hint" 1 "tollgate wallet fund taem AMOUNT --create" wallet fund taem 5
refused "no name" 64 "no name of a wallet" wallet fund "a b" 5
refused "an id that is none" 65 "26" wallet fund team 5 --id xyz
refused "an adjustment without a note" 64 "--note" wallet adjust team -1
refused "an adjustment of nothing" 65 "changes nothing" wallet adjust team 0 --note x
refused "an adjustment below 0" 65 "cannot go below 0" wallet adjust team -10.000000001 --note x
refused "an adjustment of nobody" 1 "no wallet is named" wallet adjust taem 1 --note x
refused "a note that is too long" 65 "119" wallet fund team 1 --note "$(printf 'x%.0s' {1..130})"
refused "the history of nobody" 1 "there is: team" wallet history taem
refused "a history of nothing" 65 "1 to 10000" wallet history team --count 0
refused "a count that is none" 64 "--count" wallet history team --count ten

check "USD may be written" "$TOLLGATE" wallet fund team "5 USD" --note "the fifth"
check "a dollar sign too" "$TOLLGATE" wallet fund team '$0.5'
check "a new wallet on purpose" "$TOLLGATE" wallet fund other 2 --create
check "down" "$TOLLGATE" wallet adjust team -2.25 --note "billed twice by mistake"
check "and up" "$TOLLGATE" wallet adjust team 0.000000001 --note "a nano back"
is "to the nano" "$(money team)" "13.250000001 0 2.25"

id=01M85F31RD2SMVNV6ZA7AXA2GF
check "an order with an id" "$TOLLGATE" wallet fund team 1 --id $id
check "repeated: done once" "$TOLLGATE" wallet fund team 1 --id $id
is "the money came once" "$(money team)" "14.250000001 0 2.25"
refused "its id for another amount" 65 "used before" wallet fund team 2 --id $id
refused "its id for another wallet" 65 "used before" wallet fund other 1 --id $id

history=$("$TOLLGATE" wallet history team --count 3)
is "the newest first, as many as asked" "$(wc -l <<<"$history")" 4
has "what it was" "$(sed -n 2p <<<"$history")" "fund"
has "and the note" "$("$TOLLGATE" wallet history team --json | json '[t["note"] for t in d["history"] if t["kind"]=="adjust"]')" "billed twice by mistake"
openai "$(openai_body gpt-5.4-nano hi ',"max_tokens":20')" >"$T/out"
settled team
is "what counted against budgets is left out" "$("$TOLLGATE" wallet history team --json | json 'any(t["is_budget"] for t in d["history"])')" False
is "unless it is asked for" "$("$TOLLGATE" wallet history team --all --json | json 'any(t["is_budget"] for t in d["history"])')" True
is "and nothing else is lost" "$("$TOLLGATE" wallet history team --all --count 1000 --json | json '[t["sequence"] for t in d["history"] if not t["is_budget"]]')" \
    "$("$TOLLGATE" wallet history team --count 1000 --json | json '[t["sequence"] for t in d["history"]]')"

call=$(last_event '["id"]')
for id in $("$TOLLGATE" wallet history team --all --json | json '" ".join({t["id"] for t in d["history"] if t["kind"] in ("pending", "post")})'); do
    is "why knows the call of a transfer" "$("$TOLLGATE" why "$id" --json | json 'd["id"]') $([ "$id" = "$call" ] || echo another)" "$call another"
done
"$TOLLGATE" why 0000000000000000000000000G >/dev/null 2>&1
is "but not of one that is none" $? 1

budgets() { "$TOLLGATE" budget list --json; }
budget() { budgets | json "[b for b in d['budgets'] if b['id']=='$1'][0]$2"; }
is "a budget has used what the wallet spent" "$(budget month '["used"]')" "$(python3 -c "from decimal import Decimal as D; print(D('$(money team | cut -d' ' -f3)') - D('2.25'))")"
check "a hard budget by hand" "$TOLLGATE" budget set day --amount 0.5 --window daily --hard --scope wallet=team --time-zone Europe/Berlin --alerts 50,100
is "is in force" "$(budget day '["limit"]')" "0.5"
is "from the operator" "$(budget day '["origin"]') $(budget day '["hard"]') $(budget day '["window"]')" "operator True daily"
has "people see it" "$("$TOLLGATE" budget list)" "day"
check "a rolling one" "$TOLLGATE" budget set roll --amount 7 --window rolling --length 24h
before=$(budgets | json '[(b["id"],b["limit"]) for b in d["budgets"]]')
unset_fails() { is "$1 is refused" "$("$TOLLGATE" budget "${@:3}" >"$T/out" 2>"$T/err"; echo $?)" "$2"; }
unset_fails "a budget of a letter" 65 set bad --amount x
unset_fails "a window that is none" 65 set bad --amount 5 --window yearly
has "with what could be meant" "$(cat "$T/err")" "window"
unset_fails "a zone that is none" 65 set bad --amount 5 --time-zone Europe/Atlantis
unset_fails "a scope that is none" 65 set bad --amount 5 --scope team=x
unset_fails "alerts out of order" 65 set bad --amount 5 --alerts 80,50
unset_fails "alerts that are none" 64 set bad --amount 5 --alerts half
unset_fails "no amount" 64 set bad
unset_fails "hard and soft" 64 set bad --amount 5 --hard --soft
unset_fails "other money" 65 set bad --amount "5 EUR"
unset_fails "a budget of the policy" 1 unset month
unset_fails "a budget that is none" 1 unset nobody
is "the budgets in force stayed" "$(budgets | json '[(b["id"],b["limit"]) for b in d["budgets"]]')" "$before"
check "an amount is changed" "$TOLLGATE" budget set day --amount 0.000000001 --window daily --hard --scope wallet=team
answer=$(openai "$(openai_body gpt-5.4-nano hi ',"max_tokens":20')")
has "and refuses at once" "$answer" "day"
check "and taken back" "$TOLLGATE" budget unset day
has "calls go on" "$(openai "$(openai_body gpt-5.4-nano hi ',"max_tokens":20')")" chat.completion
settled team

# The ledger keeps the first 63 bytes of a program's name: in the middle of a character, or of what is none.
for odd in "$(printf 'é%.0s' {1..40})" "$(printf 'a\xff\xc3')"; do
    cp "$(command -v curl)" "$T/$odd"
    note_events
    governed sh -c 'exec "$0" -sS -m 60 -o /dev/null https://api.openai.com/v1/chat/completions -H "authorization: Bearer $OPENAI_API_KEY" -H "content-type: application/json" -d "$1"' "$T/$odd" "$(openai_body gpt-5.4-nano)"
    settled team
done
last_transfer=$("$TOLLGATE" wallet history team --json --count 1 | json 'd["history"][0]["time"]')
check "a backup" "$TOLLGATE" backup "$T/copy"
is "is made once" "$("$TOLLGATE" backup "$T/copy" >"$T/out" 2>&1; echo $?)" 65
has "a directory that is there stays" "$(cat "$T/out")" "$T/copy: it exists already; it stays as it is, and no backup was made"
lacks "which is not said to be gone" "$(cat "$T/out")" "nothing is left"
from_nowhere() (mkdir "$T/gone" && cd "$T/gone" && rmdir "$T/gone" && "$TOLLGATE" "$@" 2>&1; echo $?)
is "from a directory that is gone a relative path leads nowhere" "$(from_nowhere backup "tg-nowhere-$$")" \
    "$(printf 'tollgate: tg-nowhere-%s: the working directory cannot be found: No such file or directory\n66' $$)"
check "and nothing is made in the root directory" test ! -e "/tg-nowhere-$$"
rm -rf "/tg-nowhere-$$"
check "one where backups go" sh -c '"$0" backup | grep -q "/backups/20"' "$TOLLGATE"
several() { # also at once
    for i in 1 2 3 4 5; do "$TOLLGATE" backup & done | sort -u
    wait
}
is "several in one second are several" "$(several | grep -cE '/backups/20[0-9]{6}T[0-9]{6}Z$')" 5
has "the doctor knows the last one" "$("$TOLLGATE" doctor)" "the last is"
is "a running agent's ledger is not dumped" "$("$TOLLGATE" dump >"$T/out" 2>"$T/err"; echo $?)" 75
has "with what to do" "$(cat "$T/err")" "tollgate stop"
is "nor replaced" "$("$TOLLGATE" restore "$T/copy" >"$T/out" 2>"$T/err"; echo $?)" 75
before=$(money team)
check "money comes after the backup" "$TOLLGATE" wallet fund team 3
stop_agent
check "a stopped one's is dumped" sh -c '"$0" dump >"$1" && [ "$(grep -c . "$1")" -gt 10 ]' "$TOLLGATE" "$T/dump"
check "the backup is put back" sh -c '"$0" restore "$1" >"$2"' "$TOLLGATE" "$T/copy" "$T/out"
has "with the time from which on it knows no money" "$(cat "$T/out")" "transfers, the last of $last_transfer: it knows no money of later"
agent
is "with the money of then" "$(money team)" "$before"
is "budgets set by hand outlive the agent" "$(budget roll '["limit"]')" 7
stop_agent
mkdir "$T/ps"
for from in "$T/copy" "$T/dump"; do
    is "what is dev's is not put in prod's place" "$(TOLLGATE_STATE_DIR=$T/ps "$TOLLGATE" restore "$from" --env prod >"$T/out" 2>&1; echo $?)" 65
    has "and it says so" "$(cat "$T/out")" "$from: it is a ledger of dev, not of prod; nothing was changed"
done
is "nothing was left there" "$(ls "$T/ps")" ""
ln -s copy "$T/latest"
check "a link to a backup is one" "$TOLLGATE" restore "$T/latest"
has "a pipe is not said to be damaged" "$("$TOLLGATE" restore <(cat "$T/dump") 2>&1)" "a dump is read twice: it must be a file"
check "the dump is put back" "$TOLLGATE" restore "$T/dump"
agent
is "with the money of the end" "$(python3 -c "from decimal import Decimal as D; print(D('$(money team | cut -d' ' -f1)') - D('$(cut -d' ' -f1 <<<"$before")') == 3)")" True
stop_agent
done_playing
