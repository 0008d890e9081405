# SPDX-License-Identifier: Apache-2.0
"""58-scan.py PID FILE…: how often the secrets of the files are in the process's memory, one number a file. A file is a
PEM key (its number as OpenSSL and as DER has it, and its text) or anything else (its bytes). Reads what root may."""
import base64, re, sys


def needles(data):
    if b"PRIVATE KEY" not in data:
        return [data.strip()]
    text = b"".join(line for line in data.splitlines() if b"-----" not in line)
    der = base64.b64decode(text)
    at = der.index(bytes.fromhex("0201010420")) + 5  # ECPrivateKey: version 1, then the number (RFC 5915)
    number = der[at:at + 32]
    return [number, number[::-1], text[52:84]]


def regions(pid):
    for line in open(f"/proc/{pid}/maps", encoding="utf-8"):
        match = re.match(r"([0-9a-f]+)-([0-9a-f]+) r(?!.*\[v(var|syscall|var_vclock)\])", line)
        if match:
            yield int(match[1], 16), int(match[2], 16)


wanted = [needles(open(name, "rb").read()) for name in sys.argv[2:]]
counts = [0] * len(wanted)
with open(f"/proc/{sys.argv[1]}/mem", "rb", 0) as memory:
    for begin, end in regions(sys.argv[1]):
        try:
            memory.seek(begin)
            block = memory.read(end - begin)
        except (OSError, OverflowError):
            continue  # a mapping of a device, or one that has gone
        for i, each in enumerate(wanted):
            counts[i] += sum(block.count(needle) for needle in each)
print(*counts)
