#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in agent for 78-dashboard.sh: report.sock with made-up calls whose names are as hostile as names can be, for what
a real agent will not do on demand.   78-dashboard-agent.py RUNTIME ENVIRONMENT [closed|hung|broken]"""
import contextlib, json, os, random, socketserver, sys, time, urllib.parse
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

RUNTIME, ENVIRONMENT = sys.argv[1], sys.argv[2]
MOOD = sys.argv[3] if len(sys.argv) > 3 else ""
NANO = 10**9
MARKUP = "<img src=x onerror=\"document.title='owned'\">"
SCRIPT = "</script><script>document.title='owned'</script>"
COUNTS = ("calls refused failed hits misses streams rerouted cheaper clamped iterations ungoverned restored recovered request_bytes answer_bytes duration "
          "attempts retried input cache_read cache_write cache_write_1h input_audio output output_audio input_image output_image tool_calls "
          "images seconds characters").split()
MONEY = "hold cost written_off avoided".split()
DIMENSIONS = "group wallet provider model requested target project executable directory uid reason".split()
GROUPS = [("research", "team_research"), ("support-bots", "team_support"), (MARKUP, "team_" + "long_name_" * 6)]
MODELS = [("gpt-5.4-mini", "openai", "openai-mini"), ("claude-haiku-4-5", "anthropic", "anthropic-haiku"), ("gpt-5.4", "openai", "openai-large"),
          ("gemini-3-flash", "google", "gemini-flash"), (MARKUP, "openai", ""), ("model-with-a-name-that-does-not-end-" + "x" * 60, "other", "")]
PROGRAMS = ["/usr/bin/python3.11", "/usr/bin/node", "/home/you/" + SCRIPT.replace("/", "_"), "/opt/tools/code-assistant", "/usr/bin/curl"]
REASONS = ["", "", "", "", "", "", "", "wallet_exhausted", "model_not_allowed", "upstream_error", MARKUP]


def text(nano):
    sign, nano = ("-", -nano) if nano < 0 else ("", nano)
    return f"{sign}{nano // NANO}" + (f".{nano % NANO:09d}".rstrip("0") if nano % NANO else "")


def made_calls():
    chance = random.Random(ENVIRONMENT)
    now = datetime.now(timezone.utc)
    for n in range(2600 if ENVIRONMENT == "dev" else 1400):
        at = now - timedelta(seconds=chance.triangular(0, 32 * 86400, 86400))
        group, wallet = GROUPS[min(2, int(chance.expovariate(1.1)))]
        model, provider, target = MODELS[min(5, int(chance.expovariate(0.7)))]
        reason, hit = chance.choice(REASONS), chance.random() < 0.25
        row = dict.fromkeys(COUNTS + MONEY, 0)
        row |= {"group": group, "wallet": wallet, "provider": provider, "model": model, "target": target, "uid": "1000", "reason": reason,
                "requested": model if chance.random() < 0.7 else "gpt-5.4", "project": chance.choice(["shop", "lab", "", SCRIPT]),
                "executable": chance.choice(PROGRAMS), "directory": "/home/you/work", "at": at, "calls": 1, "streams": n % 3 == 0,
                "duration": chance.randint(200, 9000) * 1000, "hits": hit, "misses": not hit}
        row["rerouted"] = row["requested"] != model
        if reason:
            row["refused"], row["failed"] = (1, 0) if reason != "upstream_error" else (0, 1)
        elif hit:
            row["avoided"] = chance.randint(10**4, 10**7)
        else:
            row["input"], row["output"], row["cache_read"] = chance.randint(20, 9000), chance.randint(10, 1500), chance.choice([0, 0, 4096])
            row["cost"] = row["input"] * 250 + row["output"] * 2000 + row["cache_read"] * 25
            row["hold"], row["attempts"] = row["cost"] * 3, 1
        yield {name: int(value) if isinstance(value, bool) else value for name, value in row.items()}


STREAMED = []  # what followers were told
CALLS = sorted(made_calls(), key=lambda row: row["at"])


def floor(at, step):
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return {"hour": at.replace(minute=0, second=0, microsecond=0), "day": day, "week": day - timedelta(days=day.weekday()),
            "month": day.replace(day=1)}.get(step, at)


def span(period, zone):
    now = datetime.now(zone)
    today = floor(now, "day")
    month = floor(now, "month")
    spans = {"today": (today, now), "24h": (now - timedelta(1), now), "7d": (now - timedelta(7), now), "30d": (now - timedelta(30), now),
             "this-month": (month, now), "last-month": (floor(month - timedelta(1), "month"), month)}
    if ".." in period:
        return [datetime.fromisoformat(part).replace(tzinfo=zone) for part in period.split("..")]
    return spans[period]


def measures(rows):
    sums = {name: sum(row[name] for row in rows) for name in COUNTS}
    return sums | {name: text(sum(row[name] for row in rows)) for name in MONEY}


def nano_cost(rows):
    return sum(row["cost"] for row in rows)


def report(query):
    zone = ZoneInfo(query.get("timezone", "UTC"))
    since, until = span(query.get("period", "30d"), zone)
    step, by = query.get("step", "all"), [name for name in query.get("by", "").split(",") if name]
    calls = [row for row in CALLS if since <= row["at"] < until]
    grouped = {}
    for row in calls:
        start = floor(row["at"].astimezone(zone), step) if step != "all" else since
        grouped.setdefault(start, {}).setdefault(tuple(row[name] for name in by), []).append(row)
    rows = []
    for start, groups in sorted(grouped.items()):
        ordered = sorted(groups.items(), key=lambda item: -nano_cost(item[1]))
        limit = int(query.get("limit", 10**6))
        for names, members in ordered[:limit]:
            rows.append({"start": start.isoformat(timespec="seconds")} | dict(zip(by, names)) | measures(members))
        if ordered[limit:]:
            rows.append({"start": start.isoformat(timespec="seconds"), "rest": True} | measures([row for _, members in ordered[limit:] for row in members]))
    return {"environment": ENVIRONMENT, "since": since.isoformat(timespec="seconds"), "until": until.isoformat(timespec="seconds"),
            "timezone": str(zone), "rows": rows, "total": measures(calls)} | ({"ledger": {"spent": text(nano_cost(calls))}} if "ledger" in query else {})


def event(index):
    row = CALLS[index]
    steps = [{"step": name, "outcome": "next", "us": us, "text": words} for name, us, words in
             [("identify", 99, "pid 22038 uid 0, group by key"), ("authorize", 106, MARKUP), ("route", 109, "listed model"),
              ("reserve", 779, "held 0.000724 USD"), ("forward", 1108, "answered 200"), ("relay", 1355, "streamed, 3224 bytes")]]
    document = {name: row[name] for name in DIMENSIONS if row[name]}
    document |= {"id": f"01M8{index:022d}", "time": row["at"].isoformat(), "environment": ENVIRONMENT, "pid": 4000 + index, "host": "api.openai.com",
                 "path": "/v1/chat/completions", "method": "POST", "dialect": "openai", "model": row["requested"], "served_model": row["model"],
                 "outcome": "answered" if not row["reason"] else "failed" if row["failed"] else "refused", "status": 200 if not row["reason"] else 402, "charge": text(row["cost"]), "hold": text(row["hold"]), "duration_us": row["duration"],
                 "cache_status": "hit; ttl=10" if row["hits"] else "fwd=miss", "tokens": {"input": row["input"], "output": row["output"]},
                 "rule": "default", "steps": steps, "attempts": [], "route": {"left_out": {"gemini-flash": MARKUP}}}
    if row["reason"]:
        document |= {"error": row["reason"], "error_detail": SCRIPT}
    if row["cost"]:
        document["attempts"] = [{"target": row["target"], "provider": row["provider"], "model": row["model"], "hold": text(row["hold"]), "charge": text(row["cost"]),
                                 "basis": "exact", "usage_source": "answer", "status": 200, "bytes_sent": True, "first_byte_us": 212000, "total_us": row["duration"]}]
    return document


def question(name, query):
    now, before = ({figure: measures(calls)[figure] for figure in ("calls", "cost")} for calls in (CALLS[900:], CALLS[:900]))
    rows = [{"key": {"group": group}, "now": now, "before": before} for group, _ in GROUPS]
    since, until = span(query["period"], ZoneInfo(query["timezone"]))
    return {"environment": ENVIRONMENT, "name": name, "question": f"{name.replace('-', ' ').capitalize()}?", "answer": f"{GROUPS[0][0]} leads: {MARKUP}",
            "period": {"since": since.isoformat(), "until": until.isoformat()}, "before": {"since": (since - (until - since)).isoformat(), "until": since.isoformat()},
            "columns": ["group", "calls", "cost"], "rows": rows, "total": now, "total_before": before}


def wallet(name, share):
    spent = nano_cost([row for row in CALLS if row["wallet"] == name])
    funded = int(spent * share)
    return {"wallet": name, "available": text(funded - spent), "held": text(1234567), "spent": text(spent), "funded": text(funded), "transfers": 12,
            "burn_24h": text(spent // 25), "burn_7d": text(spent // 30), "days_left": None if share > 9 else 12.25, "projection_month": text(spent * 2)}


def budget(name, percent, is_hard):
    return {"id": name, "scope": {"wallet": "team_research", "model": "gpt-*"} if is_hard else {}, "window": "monthly", "time_zone": "UTC",
            "used": text(percent * NANO // 10), "held": "0", "limit": "10", "percent": percent, "forecast": text(percent * NANO // 7), "hard": is_hard,
            "starts": "2026-11-01T00:00:00Z", "renews": "2026-12-01T00:00:00Z", "origin": "policy"}


def answer(path, query):
    simple = {
        "/v1/hello": lambda: {"environment": ENVIRONMENT, "version": "0", "pid": os.getpid()},
        "/v1/report": lambda: report(query),
        "/v1/wallets": lambda: {"wallets": [wallet(name, share) for (_, name), share in zip(GROUPS, (1.02, 4, 20))]},
        "/v1/budgets": lambda: {"budgets": [budget("research-month", 84, True), budget("everything", 31, False), budget(MARKUP, 112, True)]},
        "/v1/alerts": lambda: {"alerts": [{"id": "1", "time": "2026-11-28T09:00:00Z", "kind": "budget", "text": f"research-month has used 80 %: {MARKUP}",
                                           "hint": "tollgate budget set"}]},
        "/v1/cache": lambda: {"enabled": True, "entries": 1812, "bytes": 7340032, "ttl_seconds": 7200},
        "/v1/targets": lambda: {"strategy": "usage_based", "targets": [
            {"id": target or MARKUP, "provider": provider, "model": model, "has_secret": i != 3, "breaker": "open" if i == 1 else "closed", "rests_for_s": 18, "model_missing": False,
             "in_flight": i, "served": 310 * i, "failed": i, "first_byte_us": 212000} for i, (model, provider, target) in enumerate(MODELS[:5])]},
        "/v1/leaks": lambda: {"leaks": [{"pid": 22117, "uid": 1000, "executable": "/usr/bin/" + MARKUP, "directory": SCRIPT, "host": "162.159.140.245", "since": "2026-11-29T21:07:12Z"}]},
        "/v1/live": lambda: {"live": [{"id": "1", "since": "2026-11-29T21:07:12Z", "step": "relay", "executable": MARKUP, "pid": 1}]},
        "/v1/events": lambda: {"events": STREAMED[::-1] + [event(i) for i in range(len(CALLS) - 1, len(CALLS) - 1 - int(query.get("limit", 50)), -1)]},
    }
    if path in simple:
        return 200, simple[path]()
    if path.startswith("/v1/questions/"):
        return 200, question(path.rsplit("/", 1)[1], query)
    if path.startswith("/v1/events/"):
        streamed = [document for document in STREAMED if document["id"] == path[-26:]]
        return 200, streamed[0] if streamed else event(int(path[-22:]))
    return 404, {"error": {"code": "not_found", "message": "the agent has no such path", "hint": ""}}


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        target = self.rfile.readline().decode().split(" ")[1]
        while self.rfile.readline().strip():
            pass
        path, _, query = target.partition("?")
        query = dict(urllib.parse.parse_qsl(query))
        if MOOD == "hung":
            time.sleep(3600)
        if MOOD == "broken":
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-le")
            return
        if query.get("follow"):
            self.follow()
            return
        status, document = answer(path, query)
        if MOOD == "closed" and path != "/v1/hello":
            status, document = 403, {"error": {"code": "peer_refused", "message": "reports are for the agent's owner and the policy's readers", "hint": "access.readers"}}
        body = json.dumps(document).encode()
        with contextlib.suppress(BrokenPipeError): # who asked is gone
            self.wfile.write(b"HTTP/1.1 %d X\r\nset-cookie: stolen=1\r\ncontent-length: %d\r\n\r\n" % (status, len(body)) + body)

    def follow(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n\r\n")
        for n in range(600):
            document = event(n % len(CALLS)) | {"id": f"01M9{len(STREAMED):022d}", "time": datetime.now(timezone.utc).isoformat()}
            STREAMED.append(document)
            try:
                self.wfile.write(json.dumps(document).encode() + b"\n")
            except OSError:
                return
            time.sleep(1)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


os.makedirs(RUNTIME, mode=0o700, exist_ok=True)
try:
    os.unlink(f"{RUNTIME}/report.sock")
except FileNotFoundError:
    pass
with Server(f"{RUNTIME}/report.sock", Handler) as server:
    server.serve_forever()
