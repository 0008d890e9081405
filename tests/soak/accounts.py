# SPDX-License-Identifier: Apache-2.0
"""The judge of scripts/soak: every call of every client once, and slopes. usage: accounts.py WORK MINUTES

WORK has what soak.py wrote, what the agent exported at the end (lines.jsonl), its wallet, and the provider's bill. Prints
a table and figures; exit 1 with a line "error: …" for each thing that is wrong.

  lost             an answer whose id no event has; but what was no success and ended within KILL_S of the kill -9, since
                   events are not flushed to disk (the money is: what was paid is found again at the start)
  double           an id with two events, or that two answers carry; a call that the provider was asked twice
  wrong charge     a whole answer that cost anything but the provider's bill (nothing, from the cache); around the kill,
                   where a hold may be spent whole (a kill between the answer's last byte and its settle), less than the bill
Slopes are of the last life, by least squares, its first WARM_UP left out; what they come to over that time must be within
a share of the mean, and a little that is no trend.
"""
import collections
import json
import pathlib
import sys
from decimal import Decimal

KILL_S, WARM_UP = 3, 0.25
SHORT_MINUTES = 5  # below, memory is still on its way to where it stays
LIMITS = {  # share of the mean in a run, in a short one; and what is never a trend
    "rss_kib": (0.10, 0.50, 4096), "fds": (0.10, 0.50, 10), "threads": (0.05, 0.20, 2)}

work, minutes = pathlib.Path(sys.argv[1]), float(sys.argv[2])
faults = []


def exchange_of(number):
    """The lowest byte of an id is the attempt's. A hold that the start after the kill found open has a line by its own id."""
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    value = 0
    for digit in number:
        value = value * 32 + digits.index(digit)
    value &= ~0xFF
    return "".join(digits[value >> shift & 31] for shift in range(125, -1, -5))


def read_lines(name):
    with open(work / name) as file:
        return [json.loads(line) for line in file if line.strip()]


def nano(text):
    return int(Decimal(text) * 10**9)


def price(bill_row):
    usage = bill_row.get("usage") or {}
    return usage.get("fresh", 0) * 1000 + usage.get("out", 0) * 10000


def fault(kind, items):
    if items:
        faults.append(f"{kind}: {len(items)}, such as {items[0]}")
    return len(items)


def is_near_kill(row):
    return any(row["begin"] - 1 <= kill <= row["end"] + KILL_S for kill in kills)


def find_doubles():
    counts = collections.Counter(line["id"] for line in lines)
    ids = collections.Counter(number for row in rows for number in row["ids"])
    asked = collections.Counter(row["tag"] for row in bill if row["tag"] and row["endpoint"] not in ("job", "responses.retrieve"))
    jobs = {row["tag"] for row in rows if row["kind"] == "job"}
    return (fault("events of one id twice", [number for number, count in counts.items() if count > 1]) +
            fault("two answers with one id", [number for number, count in ids.items() if count > 1]) +
            fault("the provider was asked twice", [tag for tag, count in asked.items() if count > 1 and tag not in jobs]))


def find_lost():
    lost = [(row, number) for row in rows for number in row["ids"] if number not in by_id]
    forgiven = [pair for pair in lost if is_near_kill(pair[0]) and pair[0]["outcome"] != "whole"]
    unpaid = [pair for pair in lost if pair not in forgiven]
    return fault("lost", unpaid), len(forgiven)


def is_hit(row):
    return all(by_id[number]["hits"] for number in row["ids"] if number in by_id)


def find_wrong_charges():
    wrong = []
    for row in rows:
        if row["outcome"] != "whole":
            continue
        cost = sum(nano(by_id[number]["cost"]) for number in row["ids"] if number in by_id)
        billed = sum(price(bill_row) for bill_row in by_tag[row["tag"]])
        is_right = cost >= billed if is_near_kill(row) else cost == billed
        if not is_right or (not billed and not is_hit(row)):
            wrong.append((row["tag"], row["kind"], row["ids"], f"cost {cost}", f"billed {billed}"))
    return fault("wrong charge", wrong)


def check_wallet():
    wallet = json.loads((work / "wallet.json").read_text())
    spent, charged, held = nano(wallet["spent"]), sum(nano(line["cost"]) for line in lines), nano(wallet["held"])
    completed = sum(price(row) for row in bill if row["completed"])
    if spent != charged:
        faults.append(f"the wallet spent {spent}, the events come to {charged} nano")
    if held:
        faults.append(f"{held} nano are still held")
    if spent < completed:
        faults.append(f"spent {spent}, less than the {completed} nano of what the provider completed")
    return spent, completed


def find_slope(points):
    """Per second."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0, mean_y


def check_slopes():
    begin = [event["at"] for event in life["events"] if event["what"] == "agent ready, life 3"][0]
    samples = [row for row in read_lines("samples.jsonl") if row["life"] == 3]
    end = samples[-1]["at"] if samples else begin
    steady = [row for row in samples if row["at"] >= begin + (end - begin) * WARM_UP]
    if len(steady) < 3:
        faults.append(f"only {len(steady)} samples: no slope can be told")
        return
    seconds = steady[-1]["at"] - steady[0]["at"]
    print(f"slopes over {seconds:.0f} s, {len(steady)} samples:")
    for name, (share, short_share, least) in LIMITS.items():
        slope, mean = find_slope([(row["at"], row[name]) for row in steady])
        growth = slope * seconds
        allowed = mean * (short_share if minutes < SHORT_MINUTES else share) + least
        print(f"  {name:8} mean {mean:10.1f}  slope {slope * 60:+9.2f} a minute  growth {growth:+9.1f}  allowed {allowed:8.1f}")
        print(f"figure soak_{name}_slope {slope * 60:.3f} {name}/min")
        if abs(growth) > allowed and growth > 0:
            faults.append(f"{name} grows by {growth:.1f} in {seconds:.0f} s, more than {allowed:.1f}")


def print_table():
    outcomes = ("whole", "error", "aborted", "broken")
    print(f"{'client':10}" + "".join(f"{name:>9}" for name in outcomes))
    for client in sorted({row["client"] for row in rows}):
        counts = collections.Counter(row["outcome"] for row in rows if row["client"] == client)
        print(f"{client:10}" + "".join(f"{counts[name]:9}" for name in outcomes))
    for kind in sorted({row["kind"] for row in rows}):
        counts = collections.Counter(row["outcome"] for row in rows if row["kind"] == kind)
        print(f"  {kind:14}" + " ".join(f"{name} {count}" for name, count in sorted(counts.items())))


rows, lines, bill = read_lines("rows.jsonl"), read_lines("lines.jsonl"), read_lines("bill.jsonl")
life = json.loads((work / "life.json").read_text())
kills = [event["at"] for event in life["events"] if event["what"] == "agent killed"]
by_id, by_tag = {line["id"]: line for line in lines}, collections.defaultdict(list)
by_id.update({exchange_of(line["id"]): line for line in lines if line["restored"]})
for row in bill:
    by_tag[row["tag"]].append(row)
print_table()
doubles, (lost, forgiven), wrong, (spent, completed) = find_doubles(), find_lost(), find_wrong_charges(), check_wallet()
whole = [row for row in rows if row["outcome"] == "whole"]
if not whole or not any(is_hit(row) for row in whole):
    faults.append("no call was answered whole, or none by the cache")
if life["failed_reloads"] or not life["reloads"]:
    faults.append(f"{life['failed_reloads']} reloads failed, {life['reloads']} did not")
print(f"calls {len(rows)}, whole {len(whole)} ({sum(map(is_hit, whole))} from the cache), events {len(lines)}, bill {len(bill)} rows")
print(f"lost {lost}, double {doubles}, wrong charges {wrong}; unpaid calls whose events the kill took: {forgiven}")
print(f"spent {spent / 1e9:.6f} USD, the provider completed {completed / 1e9:.6f}; reloads {life['reloads']}; "
      f"restored events {sum(line['restored'] for line in lines)}, recovered holds {sum(line['recovered'] for line in lines)}")
check_slopes()
print(f"figure soak_calls {len(rows)} calls")
print(f"figure soak_lost {lost} calls")
print(f"figure soak_double {doubles} calls")
for text in faults:
    print(f"error: soak: {text}")
sys.exit(1 if faults else 0)
