# SPDX-License-Identifier: Apache-2.0
"""Called by `scripts/bench cache` with its work directory: a hit beside nginx with a file of the same bytes, and a miss
beside an agent without a cache, in the same round. A figure is the median over the rounds. Exit 1: wrong answers, wrong
money, or a hit for which the provider was asked.
"""
import pathlib
import sys
from statistics import median

from rounds import WALLETS, check_bills, figure, paired, paired_figure, read_results

work = pathlib.Path(sys.argv[1])
KINDS = ("json_1k", "json_20k", "stream_20k")


def ratio(name, system, base):
    return lambda row: row[system][name] / row[base][name]


def print_load(results, load):
    for quantile in ("p50", "p99", "mean"):
        paired_figure(f"cache_hit_{quantile}_ratio_{load}", paired(results, load, ratio(f"{quantile}_us", "hit", "file")), "ratio")
    paired_figure(f"cache_hit_rps_ratio_{load}", paired(results, load, ratio("rate", "hit", "file")), "ratio")
    paired_figure(f"cache_hit_rps_per_core_ratio_{load}", paired(results, load, ratio("cpu_us", "file", "hit")), "ratio")
    paired_figure(f"cache_hit_cpu_ratio_{load}", paired(results, load, ratio("cpu_us", "hit", "file")), "ratio")
    for quantile in ("p50", "p99"):
        paired_figure(f"cache_miss_{quantile}_ratio_{load}", paired(results, load, ratio(f"{quantile}_us", "miss", "off")), "ratio")
    paired_figure(f"cache_miss_cpu_ratio_{load}", paired(results, load, ratio("cpu_us", "miss", "off")), "ratio")
    paired_figure(f"cache_miss_cpu_more_us_{load}", paired(results, load, lambda row: row["miss"]["cpu_us"] -
                                                           row["off"]["cpu_us"]), "us")
    for system, rows in results[load].items():
        for name, unit in (("p50_us", "us"), ("cpu_us", "us"), ("rate", "1/s")):
            figure(f"cache_{name}_{load}_{system}", median(row[name] for row in rows.values()), unit)
        busy = median(row["cpu_us"] * row["rate"] / 1e6 for row in rows.values())
        print(f"    {load} {system}: busy {busy:.2f} of its core", file=sys.stderr)


if not check_bills(work, WALLETS, unasked=("file", "hit")):
    sys.exit(1)
everything = read_results(work)
for kind in KINDS:
    figure(f"cache_answer_bytes_{kind}", (work / "files" / kind).stat().st_size, "B")
for load in everything:
    print_load(everything, load)
