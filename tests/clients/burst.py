#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many programs that connect in the same instant: burst.py NUMBER PROGRAM ADDRESS. Prints how many got which answer.
PROGRAM is supervised.c."""
import collections, os, subprocess, sys

number, program, address = int(sys.argv[1]), sys.argv[2], sys.argv[3]
gate, opener = os.pipe()
answers, said = os.pipe()
jobs = [subprocess.Popen([program, "gated", address, "443"], stdin=gate, stdout=said, stderr=said) for _ in range(number)]
os.close(gate)
os.close(said)
lines = os.fdopen(answers)
for _ in range(number):
    assert next(lines) == "ready\n"
os.close(opener)
counts = collections.Counter(line.strip() for line in lines)
print(", ".join("%d %s" % (count, line) for line, count in sorted(counts.items())))
for job in jobs:
    job.wait()
