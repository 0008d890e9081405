# SPDX-License-Identifier: Apache-2.0
"""What the rows of the stand-in's bill cost at list prices, reckoned apart from the agent: in whole nano-dollars, rounded
up once a row. Called by 66-dialects.sh and 67-jobs.sh.
usage: 66-charge.py PRICES FAMILY [MODEL=ROW…] < BILL   the sum of all rows, which must all be of that family's models
       66-charge.py PRICES FAMILY [MODEL=ROW…] --event EVENTS < BILL
           of the last row and the newest event, a line each: buckets billed, buckets metered, nano-dollars billed, charged
MODEL=ROW: that model has the price of another row of the list. Batches are half price."""
import json
import re
import sys
from decimal import Decimal

NAMES = {"fresh": "input", "tool_prompt": "input", "cache_write_5m": "cache_write", "out": "output"}
PICO_PER_TOKEN = 10**6  # of a price of 1 USD per million


def read_prices(path, family):
    rows, inside = {}, False
    for line in open(path, encoding="utf-8"):
        if re.match(r"  \S+:$", line):
            inside = line.strip() == family + ":"
        found = inside and re.match(r"    (\S+): \{(.*)\}", line)
        if found:
            members = re.findall(r"(\w+): ([\d.]+)", found[2])
            rows.setdefault(found[1].strip('"'), {name: Decimal(value) for name, value in members})
    return rows


def buckets(usage):
    sums = {}
    for name, count in usage.items():
        if name != "reasoning":  # part of out
            sums[NAMES.get(name, name)] = sums.get(NAMES.get(name, name), 0) + count
    return {name: count for name, count in sums.items() if count}


def price_of(name, listed, prices):
    """Of a list that does not say it: the cache costs what input does, an hour of it twice that, units what the family's."""
    fallbacks = {"cache_read": listed.get("input"), "cache_write_1h": 2 * listed.get("input", 0),
                 "tool_calls": prices.get("*", {}).get("tool_calls")}
    return listed[name] if name in listed else fallbacks[name]


def charge(row, prices):
    listed = prices[row["model"]]
    pico = sum(count * price_of(name, listed, prices) * PICO_PER_TOKEN for name, count in buckets(row["usage"]).items())
    assert pico == int(pico)
    pico = -(-int(pico) // 2) if "batch_" in row.get("job", "") else int(pico)
    return -(-pico // 1000)


def main(path, family, *rest):
    prices, bill = read_prices(path, family), json.load(sys.stdin)
    for model, row in (argument.split("=") for argument in rest if "=" in argument):
        prices[model] = prices[row]
    if "--event" not in rest:
        print(sum(charge(row, prices) for row in bill if any(row["usage"].values())))
        return
    event, row = json.load(open(rest[-1], encoding="utf-8"))["events"][0], bill[-1]
    print(json.dumps(buckets(row["usage"]), sort_keys=True))
    print(json.dumps({name: count for name, count in event["tokens"].items() if count}, sort_keys=True))
    print(charge(row, prices))
    print(int(Decimal(event["charge"]) * 10**9))


main(*sys.argv[1:])
