#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks a text exposition (Prometheus, format 0.0.4) on standard input against its grammar and our conventions; prints
the value of the sample that is named, or with --sum FAMILY [LABEL=VALUE]… the exact sum of a family's samples. Exit 1
with what is wrong."""
import decimal, re, sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf'({NAME})(?:\{{((?:{NAME}="(?:[^"\\\n]|\\["\\n])*"(?:,(?={NAME}))?)*)\}})? (-?[0-9.]+|\+Inf|NaN)$')
LABEL = re.compile(rf'({NAME})="((?:[^"\\\n]|\\["\\n])*)"')
bad, families, samples, seen = [], {}, [], set()


def family_of(name):
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    return base if families.get(base, {}).get("type") == "histogram" else name


def read(text):
    current = None
    if not text.endswith("\n"):
        bad.append("the last line has no end")
    for number, line in enumerate(text.splitlines(), 1):
        head = re.match(rf"# (HELP|TYPE) ({NAME}) (.+)$", line)
        if head:
            kind, name, rest = head.groups()
            if kind == "HELP":
                if name in families:
                    bad.append(f"line {number}: {name} has two heads")
                families[name] = {"help": rest, "type": None}
                current = name
            elif name != current or rest not in ("counter", "gauge", "histogram"):
                bad.append(f"line {number}: TYPE does not follow its HELP: {line}")
            else:
                families[name]["type"] = rest
            continue
        match = SAMPLE.match(line)
        if not match:
            bad.append(f"line {number}: no sample: {line}")
            continue
        name, labels, value = match.groups()
        if family_of(name) != current:
            bad.append(f"line {number}: {name} is not below its own head")
        key = (name, tuple(sorted(LABEL.findall(labels or ""))))
        if key in seen:
            bad.append(f"line {number}: the same series twice: {line}")
        seen.add(key)
        samples.append((name, dict(key[1]), value))


def check_conventions():
    for name, family in families.items():
        if not name.startswith(("tollgate_", "process_")):
            bad.append(f"{name}: foreign prefix")
        if (family["type"] == "counter") != name.endswith("_total"):
            bad.append(f"{name}: _total belongs to counters, and to all of them")
        if re.search(r"_(ms|us|ns|milliseconds|microseconds|kb|kilobytes)(_|$)", name):
            bad.append(f"{name}: no base unit")
    for name, _, value in samples:
        if families.get(name, {}).get("type") == "counter" and value.startswith("-"):
            bad.append(f"{name}: a counter below 0")


def check_histograms():
    groups = {}
    for name, labels, value in samples:
        family = family_of(name)
        if families.get(family, {}).get("type") != "histogram":
            continue
        key = (family, tuple(sorted((k, v) for k, v in labels.items() if k != "le")))
        groups.setdefault(key, {"buckets": [], "sum": None, "count": None})
        if name.endswith("_bucket"):
            groups[key]["buckets"].append((labels.get("le"), int(value)))
        else:
            groups[key][name.rsplit("_", 1)[1]] = value
    for key, group in groups.items():
        counts = [count for _, count in group["buckets"]]
        bounds = [float(le) for le, _ in group["buckets"]]
        if bounds != sorted(bounds) or counts != sorted(counts) or not bounds or bounds[-1] != float("inf"):
            bad.append(f"{key}: buckets do not ascend to +Inf: {group['buckets']}")
        elif group["sum"] is None or group["count"] is None or int(group["count"]) != counts[-1]:
            bad.append(f"{key}: _sum or _count is missing or wrong")


read(sys.stdin.buffer.read().decode("utf-8"))
check_conventions()
check_histograms()
if bad:
    print("\n".join(bad[:20]))
    sys.exit(1)
if sys.argv[1:2] == ["--sum"]:
    wanted = dict(pair.split("=", 1) for pair in sys.argv[3:])
    total = sum((decimal.Decimal(value) for name, labels, value in samples
                 if name == sys.argv[2] and all(labels.get(k) == v for k, v in wanted.items())), decimal.Decimal(0))
    print(format(total.normalize(), "f"))
elif len(sys.argv) > 1:
    print(" ".join(f"{name}{labels} {value}" for name, labels, value in samples if name == sys.argv[1]))
