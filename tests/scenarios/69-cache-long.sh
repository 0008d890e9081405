#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Identical requests at the same time for an answer that outgrows what the cache keeps (8 MiB): whoever reads gets all
# of it, however the others do; who sleeps holds nobody up for long; it is paid once; who comes late asks for itself.
. "$(dirname "$0")/lib.sh"
play "a long answer for several"
provider
policy <<'Y'
cache: {enabled: true, ttl_seconds: 7200}
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
consumer_groups:
  - {name: a, api_key: kt_cg_a, wallet_team_id: a}
wallets:
  - {id: a, credit: "100"}
Y
agent
GROUP=a
asked() { standin /_bill | json 'len(d)'; }
cat >"$T/long.py" <<'P'
import http.client, json, os, ssl, sys, threading, time
# Each: when it asks (s), then how it reads: all, slowly, nap (some seconds, then all), crawl (100 KB/s for half a
# minute, then all), sleep (until all others are done)
habits = [h.split(":") for h in sys.argv[2:]]
over = threading.Event()
def ask(number, delay, habit):
    time.sleep(float(delay))
    connection = http.client.HTTPSConnection("api.openai.com", context=ssl.create_default_context(), timeout=120)
    body = json.dumps({"model": "gpt-5.4-nano", "max_tokens": 100000, "stream": True, "messages": [{"role": "user", "content": sys.argv[1]}]})
    connection.request("POST", "/v1/chat/completions", body, {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "content-type": "application/json"})
    answer = connection.getresponse()
    if habit == "sleep":
        over.wait(100)
    if habit == "nap":
        time.sleep(3)
    total, tail, text = 0, b"", "cut"
    try:
        for _ in range(60 if habit == "crawl" else 0):
            total += len(answer.read(50000))
            time.sleep(.5)
        while piece := answer.read(200000):
            total, tail, text = total + len(piece), (tail + piece)[-200:], "ended"
            if habit == "slowly":
                time.sleep(.02)
    except Exception:
        text = "cut"
    whole = text == "ended" and tail.endswith(b"data: [DONE]\n\n") and total > 12000000
    results[number] = f"{habit} {'whole' if whole else 'broken'} {answer.headers['cache-status'].split('; ', 1)[1]}", total
results = {}
threads = [threading.Thread(target=ask, args=(n, *h)) for n, h in enumerate(habits)]
[t.start() for t in threads]
[t.join() for t, h in zip(threads, habits) if h[1] != "sleep"]
over.set()
[t.join() for t in threads]
print("; ".join(results[n][0] for n in sorted(results)))
print("sizes:", len({size for text, size in results.values() if " whole " in text}), file=sys.stderr)
P
long() { governed python3 "$T/long.py" "$1 [[bytes=${BYTES:-12000000}]] [[tokens=3000]] [[delay_ms=1500]]" "${@:2}" 2>"$T/sizes"; }
M="whole fwd=miss" F="whole fwd=miss; collapsed"

before=$(money a | cut -d' ' -f3)
note_events
is "a leader that reads slowly, and one that naps, are waited for" "$(long slow 0:slowly .5:all .5:slowly .5:nap)" "slowly $M; all $F; slowly $F; nap $F"
is "each has as much" "$(cat "$T/sizes")" "sizes: 1"
is "a leader that naps loses nothing" "$(long nap 0:nap .5:all)" "nap $M; all $F"
is "a leader that sleeps does not keep those from it who read" "$(long leader 0:sleep .5:all .6:slowly)" "sleep broken fwd=miss; all $F; slowly $F"
is "a follower that sleeps neither" "$(long follower 0:all .5:sleep .6:slowly)" "all $M; sleep broken fwd=miss; collapsed; slowly $F"
is "each was asked once" "$(asked)" 4
settled a
is "and charged once" "$(events | json 'sum(float(e["charge"]) > 0 for e in d["events"][:12])')" 4
is "the wallet paid that and no more" "$(python3 -c "print(round(float('$(money a | cut -d' ' -f3)')*1e9) - round(float('$before')*1e9))")" \
    "$(events | json 'sum(round(float(e["charge"])*1e9) for e in d["events"][:12])')"
is "their events say why they ended" "$(events | json 'sum("cut off" in json.dumps(e) for e in d["events"][:12])')" 2
is "it is not kept" "$("$TOLLGATE" cache stats --json | json 'd["entries"]')" 0

# ---- slow, but steady: megabytes lie in the kernel between the agent and the program, whose pace is what counts ----
BYTES=24000000
is "a follower that crawls is waited for" "$(long crawl-follower 0:all .5:crawl)" "all $M; crawl $F"
is "a leader that crawls, too" "$(long crawl-leader 0:crawl .5:all)" "crawl $M; all $F"

# ---- leaders that sleep while others read: what they have not read is within the flights' bound, and not for ever ----
cat >"$T/sleepers.py" <<'P'
import http.client, json, os, ssl, time
connections = []
def ask(number):
    connection = http.client.HTTPSConnection("api.openai.com", context=ssl.create_default_context(), timeout=60)
    prompt = f"sleeper {number} [[bytes=7000000]] [[tokens=3000]] [[delay_ms=300]]"
    body = {"model": "gpt-5.4-nano", "max_tokens": 100000, "stream": True, "messages": [{"role": "user", "content": prompt}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "content-type": "application/json"})
    return connection
def is_whole(connection):
    try:
        return connection.getresponse().read().endswith(b"data: [DONE]\n\n")
    except http.client.HTTPException:
        return False
def tell(*what):
    return json.loads(os.popen(" ".join((os.environ["TOLLGATE"], *what, "--json"))).read())
whole = 0
for number in range(7):
    connections.append(ask(number))
    time.sleep(.1)
    whole += is_whole(ask(number))
held = tell("cache", "stats")["bytes_in_memory"]
print(whole, "whole;", "counted" if held > 72000000 else f"{held} counted")  # at most 32 MiB of them are stored answers
print("wakes up:", is_whole(connections[0]), flush=True)
for _ in range(300):
    events = tell("events", "--limit", "1000")["events"]
    cut = sum("its program read nothing" in step.get("text", "") for event in events for step in event["steps"])
    if cut >= 5:
        break
    time.sleep(.2)
print("cut off:", cut >= 5, "and not whole:", not is_whole(connections[1]))
P
export TOLLGATE
sleepers=$(governed python3 "$T/sleepers.py" 2>&1)
has "what leaders that sleep have not read counts in the cache's bound" "$sleepers" "7 whole; counted"
has "who wakes up in time has all of it" "$sleepers" "wakes up: True"
has "who does not is cut off, cache or no cache" "$sleepers" "cut off: True and not whole: True"
stop_agent
done_playing
