# SPDX-License-Identifier: Apache-2.0
"""Called by `scripts/bench stream` with its work directory: checks what was run, then prints one line per figure. Times
are what a middle adds to direct in the same round: to the first piece of text, and to each piece on its way from the
provider, which writes the time into it. A figure is the median over the rounds. Exit 1: wrong answers or wrong money.
"""
import pathlib
import sys
from statistics import median

from rounds import WALLETS, check_bills, figure, paired, paired_figure, read_results

work = pathlib.Path(sys.argv[1])
MIDDLES = ("nginx", "tollgate", "tmpfs", "translated", "redacted")
ADDED = (("first_added_us", "first_us"), ("first_added_p99_us", "first_p99_us"), ("event_added_us", "event_us"),
         ("event_added_p99_us", "event_p99_us"), ("event_added_mean_us", "event_mean_us"))


def suffix(load, system):
    return load if system == "tollgate" else f"{load}_{system}"


def difference(name, system, base):
    return lambda row: row[system][name] - row[base][name]


def ratio(name, system, base):
    return lambda row: row[system][name] / row[base][name]


def print_load(results, load):
    is_first = load.startswith("first")  # streams of two pieces, one after another: only their beginning says something
    systems = results[load]
    for system in MIDDLES:
        if system not in systems:
            continue
        for name, field in ADDED:
            if name == "first_added_us" or is_first == name.startswith("first"):
                paired_figure(f"{name}_{suffix(load, system)}", paired(results, load, difference(field, system, "direct")), "us")
        if not is_first:
            figure(f"cpu_us_{load}_{system}", median(row["cpu_us"] for row in systems[system].values()), "us/event")
        if not is_first and system != "nginx":
            paired_figure(f"cpu_ratio_{suffix(load, system)}", paired(results, load, ratio("cpu_us", system, "nginx")), "ratio")
    for name in ("first_us",) if is_first else ("event_us", "rate"):
        paired_figure(f"{name}_{load}_direct", paired(results, load, lambda row: row["direct"][name]),
                      "1/s" if name == "rate" else "us")
    for system, rows in systems.items():
        if not is_first and not all(row["steady"] for row in rows.values()):
            print(f"    {load} {system}: includes the streams' beginning, they never ran all at once", file=sys.stderr)


def print_work(results, load, system, name):
    """What translation, or a rule that redacts, costs beside the same call without it."""
    if load.startswith("first"):
        paired_figure(f"{name}_first_us_{load}", paired(results, load, difference("first_us", system, "tollgate")), "us")
        return
    paired_figure(f"{name}_event_us_{load}", paired(results, load, difference("event_us", system, "tollgate")), "us")
    paired_figure(f"{name}_cpu_us_{load}", paired(results, load, difference("cpu_us", system, "tollgate")), "us/event")
    paired_figure(f"{name}_cpu_ratio_{load}", paired(results, load, ratio("cpu_us", system, "tollgate")), "ratio")


if not check_bills(work, WALLETS):
    sys.exit(1)
everything = read_results(work)
for load in everything:
    print_load(everything, load)
    print_work(everything, load, "translated", "translation")
    if "redacted" in everything[load]:
        print_work(everything, load, "redacted", "redaction")
