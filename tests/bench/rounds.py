# SPDX-License-Identifier: Apache-2.0
"""What the figures of scripts/bench have in common: the results of its cells, figures that are paired within a round, and
the money, which must be right before a figure means anything.
"""
import json
import sys
from decimal import Decimal
from statistics import median

NANO, SONNET = ("0.2", "1.25"), ("3", "15")  # USD per million tokens, in and out: gpt-5.4-nano, claude-sonnet-4-6
WALLETS = {"tollgate": ("tollgate", "bench", *NANO), "tmpfs": ("tmpfs", "bench", *NANO),
           "redacted": ("tollgate", "redacted", *NANO), "translated": ("tollgate", "translated", *SONNET),
           "first": ("hit", "bench", *NANO), "miss": ("miss", "bench", *NANO), "off": ("off", "bench", *NANO)}


def fields(words):
    return {name: float(value) for name, value in (word.split("=", 1) for word in words)}


def read_results(work):
    """{load: {system: {round: {name: value}}}}"""
    results = {}
    for line in (work / "results").read_text().splitlines():
        number, load, system, *words = line.split()
        results.setdefault(load, {}).setdefault(system, {})[int(number)] = fields(words)
    return results


def check_bills(work, wallets, unasked=()):
    """Each cell: the provider saw every request once, answered it 200 and whole. At the end the wallets paid all of it.
    unasked: systems that answer by themselves, of which the provider must see nothing.
    wallets: {system: (file of the agent's wallets, wallet, USD per million tokens in, out)}"""
    faults, spent = [], {}
    for line in (work / "bills").read_text().splitlines():
        head, bill = line.split(" bill=", 1)
        load, system, *words = head.split()
        bill, answers = json.loads(bill), 0 if system in unasked else int(fields(words)["answers"])
        if not bill["rows"] == bill["completed"] == bill["statuses"].get("200", 0) == answers:
            faults.append(f"{load} {system}: {answers} answers, billed {bill['rows']} {bill['statuses']}")
        spent.setdefault(system, [0, 0])
        spent[system][0] += bill["usage"]["fresh"]
        spent[system][1] += bill["usage"]["out"]
    for system in set(wallets) & set(spent):
        name, wallet, *prices = wallets[system]
        rows = json.loads((work / f"{name}.wallet").read_text())["wallets"]
        row = next(row for row in rows if row["wallet"] == wallet)
        cost = sum(tokens * Decimal(price) for tokens, price in zip(spent[system], prices)) / 10**6
        if Decimal(row["spent"]) != cost or Decimal(row["held"]):
            faults.append(f"{system}: the wallet paid {row['spent']}, the bill is {cost.normalize():f}, held {row['held']}")
    for fault in faults:
        print(f"error: bench: {fault}", file=sys.stderr)
    return not faults


def figure(name, value, unit):
    print(f"figure {name} {value:.4g} {unit}" if value < 1000 else f"figure {name} {value:.0f} {unit}")


def paired(results, load, compute):
    """compute(one round's {system: fields}) for every round, without those where it cannot be said."""
    rounds = {}
    for system, rows in results[load].items():
        for number, row in rows.items():
            rounds.setdefault(number, {})[system] = row
    values = []
    for row in rounds.values():
        try:
            values.append(compute(row))
        except (KeyError, ZeroDivisionError, ValueError):
            pass
    return values


def paired_figure(name, values, unit):
    if not values:
        print(f"SKIP: {name}: no round could say", file=sys.stderr)
        return
    figure(name, median(values), unit)
    print(f"    {name}: {' '.join(f'{value:.3g}' for value in sorted(values))}", file=sys.stderr)
