# SPDX-License-Identifier: Apache-2.0
"""Called by streams.sh with its work directory, the count of streams and the most memory of each: figures of many
streams at once. Exit 1: an event was lost or reordered, wrong money, or more memory than that.
"""
import pathlib
import sys

from rounds import WALLETS, check_bills, figure, read_results

work, streams, kib_max = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
systems = {system: rows[1] for system, rows in read_results(work)["streams"].items()}
faults = [] if check_bills(work, WALLETS) else ["wrong money"]
for system, row in systems.items():
    for name in ("lost", "reordered"):
        if row[name]:
            faults.append(f"{system}: {row[name]:.0f} events {name}")
    if not row["steady"]:
        print(f"    {system}: the streams never ran all at once, the figures include their beginning", file=sys.stderr)
    figure(f"streams_events_per_s_{system}", row["rate"], "1/s")

row = systems["tollgate"]
kib = (row["rss_kib"] - row["rss_before_kib"]) / streams
figure("streams_at_once", streams, "streams")
figure("streams_kib_each", kib, "KiB")
figure("streams_lost", row["lost"], "events")
figure("streams_reordered", row["reordered"], "events")
figure("streams_cpu_us", row["cpu_us"], "us/event")
figure("streams_cores", row["cpu_us"] * row["rate"] / 1e6, "cores")
if row["steady"] and kib > kib_max:
    faults.append(f"a stream costs {kib:.1f} KiB, more than {kib_max}")
for fault in faults:
    print(f"error: bench streams: {fault}", file=sys.stderr)
sys.exit(1 if faults else 0)
