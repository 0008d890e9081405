#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The agent dies: nothing slips past it, and a running program recovers when the next run starts it again.
. "$(dirname "$0")/lib.sh"
play "the agent is killed under a running program"
provider
agent
cat >"$T/client.py" <<'P'
import json, os, sys, time, urllib.request
def call():
    body = json.dumps({"model": "gpt-5.4-mini-mini", "messages": [{"role": "user", "content": "hi"}]}).encode()
    request = urllib.request.Request("https://api.openai.com/v1/chat/completions", body, {
        "authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "content-type": "application/json"})
    start = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return "answered"
    except urllib.error.URLError as error:
        fast = "at once" if time.monotonic() - start < 5 else "late"
        return ("refused " if isinstance(error.reason, ConnectionRefusedError) else repr(error.reason) + " ") + fast
import urllib.error
for line in sys.stdin:
    print(call(), flush=True)
P
mkfifo "$T/in" "$T/out"
governed python3 "$T/client.py" <"$T/in" >"$T/out" &
client=$!
exec 8>"$T/in" 9<"$T/out"
next() { echo >&8; read -r -t 30 -u 9 line; echo "$line"; }
is "the program works" "$(next)" answered
pid=$("$TOLLGATE" status --json | json 'd["pid"]')
port=$("$TOLLGATE" status --json | json 'd["port"]')
settled # else this call is one that was open, too
kill -9 "$pid"
wait_for 10 sh -c "! kill -0 $pid"
is "agent dead: refused at once" "$(next)" "refused at once"
is "the provider saw one call" "$(standin /_bill | json 'len(d)')" 1
is "another run starts the agent again" "$(governed echo started)" started
is "on the same port" "$("$TOLLGATE" status --json | json 'd["port"]')" "$port"
is "and the running program's next call works" "$(next)" answered
exec 8>&- 9<&-
wait $client
settled

# A call that is open when the agent dies is charged at the next start, and has an event that says so.
(openai "$(openai_body gpt-5.4-mini-mini 'slow [[delay_ms=20000]]')" >/dev/null 2>&1) &
slow=$!
is_held() { [ "$(money | cut -d' ' -f2)" != 0 ]; }
check "a call is under way" wait_for 10 is_held
pid=$("$TOLLGATE" status --json | json 'd["pid"]')
kill -9 "$pid"
wait_for 10 sh -c "! kill -0 $pid"
wait $slow
agent
has_recovered() { [ "$(events | json 'sum(e["usage_source"] == "recovered" for e in d["events"])')" = 1 ]; }
check "it has an event: recovered" wait_for 10 has_recovered
is "the events sum to what the wallet paid" "$(events | json 'sum(round(float(e["charge"])*1e9) for e in d["events"])')" \
    "$(python3 -c "print(round(float('$(money | cut -d' ' -f3)')*1e9))")"
recovered=$(events | json '[e["id"] for e in d["events"] if e["usage_source"] == "recovered"][0]')
call=$(python3 - "$recovered" <<'PYTHON'
import sys
digits, value = "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 0
for digit in sys.argv[1]:
    value = value * 32 + digits.index(digit)
value &= ~0xff  # the lowest byte of a hold's id is the attempt's
print("".join(digits[value >> shift & 31] for shift in range(125, -1, -5)))
PYTHON
)
is "whose id is the hold's" "$([ "$call" != "$recovered" ] && echo another)" another
has "and that is found by the id that the program had" "$("$TOLLGATE" why "$call" 2>&1)" "$recovered"
check "the listing shows it" "$TOLLGATE" events --limit 3
stop_agent
done_playing
