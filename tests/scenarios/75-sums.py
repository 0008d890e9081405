#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every report's sums, by any grouping, in any step and time zone, are the ledger's and the events', to the nano-dollar.
Called by 75-reports.sh with `tollgate` in TOLLGATE. Prints what is wrong, or how many reports it looked at."""
import decimal
import json
import os
import socket
import subprocess
import sys

TOLLGATE, MONEY = os.environ["TOLLGATE"], ("hold", "cost", "written_off", "avoided")
NAMES = {"start", "end", "first", "last", "rest", "group", "wallet", "provider", "model", "requested", "target", "project",
         "executable", "directory", "uid", "reason"}
ZONES = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Pacific/Auckland"]
GROUPINGS = [None, "group", "wallet", "model", "provider,target", "executable,model", "project,reason",
             "group,wallet,provider,model,requested,target,project,executable,directory,uid,reason"]
bad, looked = [], 0


def ask(*arguments):
    done = subprocess.run([TOLLGATE, *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"tollgate {' '.join(arguments)} exits {done.returncode}: {done.stderr}")
    return done.stdout


def document(*arguments):
    return json.loads(ask(*arguments, "--json"))


def value(measures, name):
    return decimal.Decimal(measures[name]) if name in MONEY else measures[name]


spent = sum(decimal.Decimal(row["spent"]) for row in document("wallet", "list")["wallets"])
events = document("events", "--limit", "1000")["events"]
of_events = {
    "calls": len(events),
    "hits": sum("avoided_cost" in e for e in events),
    "avoided": sum((decimal.Decimal(e.get("avoided_cost") or 0) for e in events), decimal.Decimal(0)),
    "output": sum((of.get("tokens") or {}).get("output", 0) for e in events for of in [e, *e.get("attempts", [])[:-1]]),
}


def check(what, report):
    global looked
    looked += 1
    total = report["total"]
    for name in total:
        summed = sum((value(row, name) for row in report["rows"]), decimal.Decimal(0))
        if summed != value(total, name):
            bad.append(f"{what}: the rows' {name} come to {summed}, the total is {total[name]}")
    paid = decimal.Decimal(total["cost"]) - decimal.Decimal(total["written_off"])
    if paid != spent:
        bad.append(f"{what}: {paid} by the report, {spent} by the wallets")
    for name, wanted in of_events.items():
        if decimal.Decimal(total[name]) != wanted:
            bad.append(f"{what}: {name} {total[name]}, by the events {wanted}")
    for row in report["rows"]:
        if any("e" in str(row[name]).lower() for name in MONEY):
            bad.append(f"{what}: an exponent in {row}")


def ask_ledger(zone):
    """What the agent itself finds in the ledger for the period of the report."""
    agent = socket.socket(socket.AF_UNIX)
    agent.connect(os.environ["REPORT_SOCKET"])
    agent.sendall(f"GET /v1/report?period=all&ledger=1&timezone={zone} HTTP/1.1\r\nhost: agent\r\n\r\n".encode())
    answer = b""
    while piece := agent.recv(65536):
        answer += piece
    return json.loads(answer.split(b"\r\n\r\n", 1)[1])["ledger"]["spent"]


for zone in ZONES:
    if decimal.Decimal(ask_ledger(zone)) != spent:
        bad.append(f"in {zone} the ledger's payments come to {ask_ledger(zone)}, by the wallets {spent}")
    for by in GROUPINGS:
        grouped = ["--by", by] if by else []
        for view in ("hourly", "daily", "weekly", "monthly"):
            check(f"{view} by {by} in {zone}", document("report", view, "--window", "all", "--timezone", zone, *grouped))
        if by:
            check(f"all by {by} in {zone}", document("report", "all", "--timezone", zone, *grouped))
            check(f"all by {by}, the first 2, in {zone}", document("report", "all", "--timezone", zone, "--limit", "2", *grouped))

# What is left out by a filter and what is let through are the whole.
for name, option in (("group", "--group"), ("model", "--model"), ("executable", "--program")):
    whole = document("report", "all", "--by", name)
    # Of a lost event the ledger knows the program's last part alone, which as a pattern is every path's.
    exact = [row for row in whole["rows"] if row[name] and (name != "executable" or "/" in row[name])]
    parts = sum((decimal.Decimal(document("report", "all", option, row[name])["total"]["cost"]) for row in exact),
                decimal.Decimal(0))
    unnamed = sum((decimal.Decimal(row["cost"]) for row in whole["rows"] if row not in exact), decimal.Decimal(0))
    if parts + unnamed != decimal.Decimal(whole["total"]["cost"]):
        bad.append(f"filters of {name} come to {parts} and {unnamed}, the whole is {whole['total']['cost']}")

# The tables for people: the columns' cells come to their total.
for arguments in (["hourly"], ["daily", "--by", "group"], ["all"], ["all", "--by", "model"]):
    lines = [line.split() for line in ask("report", *arguments, "--window", "all").splitlines()] if arguments[0] != "all" else \
        [line.split() for line in ask("report", *arguments).splitlines()]
    title = next(i for i, line in enumerate(lines) if "COST" in line and "SAVED" in line)
    end = next(i for i, line in enumerate(lines) if line[:1] == ["total"])
    for place, column in ((-1, "SAVED"), (-2, "COST")):
        cells = [decimal.Decimal(line[place]) for line in lines[title + 1:end]]
        if sum(cells) != decimal.Decimal(lines[end][place]):
            bad.append(f"report {' '.join(arguments)}: {column} comes to {sum(cells)}, the total says {lines[end][place]}")

print("\n".join(bad[:20]) or f"{looked} reports come to {spent}, of {len(events)} events")
sys.exit(1 if bad else 0)
