# SPDX-License-Identifier: Apache-2.0
"""README's table of clients, between its two marks: its rows are those of clients.py.

table.py write README RESULTS      RESULTS: what play.py printed after `results: `, a line for each who played; other rows stay
table.py check README              whether the rows are the right ones; what stands in them is of the machine that wrote it
"""
import json
import sys

from clients import CLIENTS, MODES, SITUATIONS

BEGIN, END = "<!-- compat: scripts/compat --write-table -->\n", "<!-- compat: end -->\n"
HEAD = "| client | governed by | answers | situations |\n|---|---|---|---|\n"
BY = {"preload": "preload", "hosts": "preload", "supervised": "supervisor"}


def summary(cells, columns):
    """`all passed` by name; what did not pass is said."""
    here = [column for column in columns if column in cells]
    failed = [column for column in here if cells[column] == "FAIL"]
    if not here:
        return "–"
    if all(cells[column] == "skip" for column in here):
        return "not tried"
    return ", ".join(column for column in here if column not in failed) + (", not " + ", ".join(failed) if failed else "")


def row(client, results, old):
    """Who plays twice (as root and as a user) must pass twice."""
    cells = {}
    if not any(client.name in table for table in results):
        return next((line + "\n" for line in old.splitlines() if line.startswith(f"| {client.name} |")), "")
    for table in results:
        for column, cell in table.get(client.name, {}).items():
            cells[column] = cell if cells.get(column, "ok") == "ok" else cells[column]
    return f"| {client.name} | {BY[client.engine]} | {summary(cells, MODES)} | {summary(cells, SITUATIONS)} |\n"


def split(text):
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit("compat: README has no marks for the table of clients")
    before, rest = text.split(BEGIN)
    return before, *rest.split(END)


def main():
    with open(sys.argv[2], encoding="utf-8") as file:
        before, old, after = split(file.read())
    if sys.argv[1] == "check":
        have = [line.split("|")[1].strip() for line in old.splitlines()[2:]]
        want = [client.name for client in CLIENTS]
        if have != want:
            different = sorted(set(have) ^ set(want)) or ["their order"]
            sys.exit(f"compat: README's table has other clients than tests/clients/compat/clients.py: {', '.join(different)}; "
                     "run scripts/compat --write-table")
        print(f"compat: README's table has the {len(want)} clients")
        return
    with open(sys.argv[3], encoding="utf-8") as file:
        results = [json.loads(line)["table"] for line in file]
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(before + BEGIN + HEAD + "".join(row(client, results, old) for client in CLIENTS) + END + after)


main()
