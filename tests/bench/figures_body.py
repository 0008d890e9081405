# SPDX-License-Identifier: Apache-2.0
"""Called by `scripts/bench body` with its work directory: the whole agent with bodies of 1 MB, beside nginx in the same
round, and what it uses more than nginx in scans of such a body (of the stages, which tests/bench/body.c measured).
Exit 1: wrong answers or wrong money.
"""
import pathlib
import sys
from statistics import median

from rounds import WALLETS, check_bills, figure, paired, paired_figure, read_results

work = pathlib.Path(sys.argv[1])
LOAD = "1m_c1"

if not check_bills(work, WALLETS):
    sys.exit(1)
stages = dict(line.split()[1:3] for line in (work / "stages").read_text().splitlines())
scan_us = float(stages["body_text_scan_us"])
results = read_results(work)
for system in ("nginx", "tollgate", "translated", "redacted"):
    figure(f"cpu_us_{LOAD}_{system}", median(row["cpu_us"] for row in results[LOAD][system].values()), "us")
    if system == "nginx":
        continue
    suffix = "" if system == "tollgate" else "_" + system
    paired_figure(f"cpu_ratio_{LOAD}{suffix}", paired(results, LOAD, lambda row: row[system]["cpu_us"] /
                                                      row["nginx"]["cpu_us"]), "ratio")
    paired_figure(f"cpu_more_{LOAD}{suffix}", paired(results, LOAD, lambda row: (row[system]["cpu_us"] -
                                                     row["nginx"]["cpu_us"]) / scan_us), "scans")
paired_figure(f"cpu_more_{LOAD}_translated_beyond_jansson",
              paired(results, LOAD, lambda row: (row["translated"]["cpu_us"] - row["nginx"]["cpu_us"]) / scan_us -
                     float(stages["body_text_jansson"])), "scans")
