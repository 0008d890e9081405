# SPDX-License-Identifier: Apache-2.0
"""Called by scripts/bench report: asks a running agent for every report and view, several times each, and prints how
long the best try of each took, the slowest of them, the agent's peak memory, and how fast an export comes beside
`wc -l` of the same file. Usage: report.py SOCKET WORK-DIRECTORY ROUNDS SUFFIX"""
import http.client
import json
import pathlib
import socket
import subprocess
import sys
import time

path, work, rounds, suffix = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
ZONE = "timezone=Europe/Berlin"
REPORTS = {
    "today": "/v1/report?period=today",
    "hourly": "/v1/report?period=7d&step=hour",
    "daily": "/v1/report?period=30d&step=day",
    "daily_by_model": "/v1/report?period=30d&step=day&by=model",
    "monthly": "/v1/report?period=all&step=month",
    "by_program_and_model": "/v1/report?period=30d&by=executable,model",
    "by_everything": "/v1/report?period=30d&by=group,wallet,provider,model,requested,target,project,executable,directory,uid,reason",
    "one_group": "/v1/report?period=30d&step=day&group=team-1",
}
VIEWS = {
    "sessions": "/v1/report/sessions?period=7d&limit=100",
    "wallets": "/v1/wallets",
    "budgets": "/v1/budgets",
    "events": "/v1/events?limit=100",
    "metrics": "/metrics",
}


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(600)
        self.sock.connect(path)


def ask(url):
    connection = Connection("agent")
    start = time.monotonic()
    connection.request("GET", url)
    response = connection.getresponse()
    body = response.read()
    took = time.monotonic() - start
    connection.close()
    return response.status, body, took


def with_zone(url):
    return url + ("&" if "?" in url else "?") + ZONE if url.startswith(("/v1/report", "/v1/questions")) else url


def figure(name, value, unit):
    print(f"figure {name}{suffix} {value} {unit}", flush=True)


def measure(name, url):
    """Milliseconds of the best try; the machine's other work is none of the agent's."""
    best = None
    for _ in range(rounds):
        status, body, took = ask(with_zone(url))
        if status != 200:
            sys.exit(f"bench: {url} was answered {status}: {body[:300]!r}")
        best = took if best is None else min(best, took)
    figure(f"report_{name}", f"{best * 1000:.1f}", "ms")
    return best


def status_kib(pid, name):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def measure_export():
    status, body, _ = ask(f"/v1/export?format=jsonl&period=30d&{ZONE}")
    if status == 404:
        print("SKIP this agent exports nothing")
        return
    if status != 200:
        sys.exit(f"bench: the export was answered {status}: {body[:300]!r}")
    took = min(ask(f"/v1/export?format=jsonl&period=30d&{ZONE}")[2] for _ in range(max(1, rounds // 2)))
    file = work / "export.jsonl"
    file.write_bytes(body)
    rows = body.count(b"\n")
    start = time.monotonic()
    counted = int(subprocess.run(["wc", "-l", str(file)], check=True, capture_output=True).stdout.split()[0])
    wc = time.monotonic() - start
    if counted != rows:
        sys.exit(f"bench: wc counts {counted} rows of {rows}")
    file.unlink()
    figure("export_rows_per_s", f"{rows / took:.0f}", "1/s")
    figure("export_per_wc", f"{took / wc:.0f}", "ratio")


hello = json.loads(ask("/v1/hello")[1])
before = status_kib(hello["pid"], "VmHWM")
slowest = max(measure(name, url) for name, url in REPORTS.items())
views = dict(VIEWS)
for row in json.loads(ask("/v1/questions")[1])["questions"]:
    views["question_" + row["name"].replace("-", "_")] = f"/v1/questions/{row['name']}?period=7d"
slowest_view = max(measure(name, url) for name, url in views.items())
figure("report_slowest", f"{slowest * 1000:.1f}", "ms")
figure("view_slowest", f"{slowest_view * 1000:.1f}", "ms")
figure("report_memory_before", before, "KiB")
figure("report_peak_memory", status_kib(hello["pid"], "VmHWM"), "KiB")
measure_export()
figure("export_peak_memory", status_kib(hello["pid"], "VmHWM"), "KiB")
total = json.loads(ask("/v1/report?period=all")[1])["total"]
figure("report_calls", total["calls"], "calls")
