# SPDX-License-Identifier: Apache-2.0
"""Called by scripts/bench with its work directory: checks what was run, then prints one line per figure. A figure is the
median over rounds of something computed within one round. Exit 1: an answer too few or too many, or money that is wrong.
"""
import pathlib
import sys
from statistics import median

from rounds import WALLETS, check_bills, fields, figure, paired, paired_figure, read_results

work = pathlib.Path(sys.argv[1])
MIDDLES = ("nginx", "tollgate", "tmpfs")


def added(row, system, name="p50_us"):
    return row[system][name] - row["direct"][name]


def added_ratio(name):
    """What the agent without the disk flush adds, relative to what nginx adds in the same round."""
    def compute(row):
        if added(row, "nginx", name) <= 0:
            raise ValueError("nginx added nothing: noise")
        return added(row, "tmpfs", name) / added(row, "nginx", name)
    return compute


def print_ratios(results):
    for load in results:
        paired_figure(f"cpu_ratio_{load}", paired(results, load, lambda row: row["tollgate"]["cpu_us"] /
                                                  row["nginx"]["cpu_us"]), "ratio")
    paired_figure("cpu_ratio_1k_c10_tmpfs", paired(results, "1k_c10", lambda row: row["tmpfs"]["cpu_us"] /
                                                   row["nginx"]["cpu_us"]), "ratio")
    paired_figure("p50_added_ratio_1k_c10", paired(results, "1k_c10", added_ratio("p50_us")), "ratio")
    paired_figure("mean_added_ratio_1k_c10", paired(results, "1k_c10", added_ratio("mean_us")), "ratio")
    for system in MIDDLES:
        for load in ("1k_c1", "1k_c10"):
            suffix = "" if system == "tollgate" else "_" + system
            if system in results[load]:
                for name in ("p50", "p99", "mean"):
                    paired_figure(f"{name}_added_us_{load}{suffix}",
                                  paired(results, load, lambda row: added(row, system, f"{name}_us")), "us")
    paired_figure("rps_ratio_1k_c10", paired(results, "1k_c10", lambda row: row["tollgate"]["rate"] /
                                             row["nginx"]["rate"]), "ratio")


def print_systems(results):
    for load, systems in results.items():
        streams = load.startswith("sse")
        for system, rows in systems.items():
            middle = lambda name: median(row[name] for row in rows.values())
            suffix = "" if system == "tollgate" else "_" + system
            figure(f"{'events_per_s' if streams else 'rps'}_{load}{suffix}", middle("rate"), "1/s")
            for name in ("p50_us", "p99_us", "mean_us"):
                figure(f"{'first_event_' if streams else ''}{name}_{load}_{system}", middle(name), "us")
            if system != "direct":
                figure(f"cpu_us_{load}_{system}", middle("cpu_us"), "us/event" if streams else "us")
            if streams and system != "direct":  # later rounds find the memory of the first one
                kib = max(row["rss_kib"] - row["rss_before_kib"] for row in rows.values()) / 1000
                figure(f"kib_per_stream_{system}", kib, "KiB")
            if not all(row["steady"] for row in rows.values()):
                print(f"    {load} {system}: includes the streams' beginning, they never ran all at once", file=sys.stderr)


def print_rest():
    rss = dict(line.split()[1:] for line in (work / "rss").read_text().splitlines())
    figure("rss_mib", float(rss["after"]), "MiB")
    figure("rss_mib_idle", float(rss["idle"]), "MiB")
    starts = [line.split()[1:] for line in (work / "starts").read_text().splitlines()]
    for kind, name in (("cold", "start_ms"), ("warm", "start_ms_warm")):
        figure(name, median(int(us) for row, us in starts if row == kind) / 1000, "ms")
    spawn = fields((work / "spawn").read_text().split())
    figure("true_start_ratio", spawn["ratio"], "ratio")
    figure("true_start_us", spawn["bare_us"], "us")
    figure("true_start_us_shim", spawn["shim_us"], "us")


if not check_bills(work, WALLETS):
    sys.exit(1)
everything = read_results(work)
print_ratios(everything)
print_systems(everything)
print_rest()
