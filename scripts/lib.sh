# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts: where things are, and how to say what happens.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${BUILD:-$ROOT/build}
export ROOT BUILD

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
skip() { printf 'SKIP: %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
cores() { nproc 2>/dev/null || echo 2; }

# A free TCP port on loopback, below the range the kernel gives to clients.
free_port() {
    python3 - <<'PY'
import random, socket
for _ in range(200):
    port = random.randint(10000, 19999)
    try:
        with socket.socket() as s:
            s.bind(("127.0.0.1", port))
        print(port)
        break
    except OSError:
        pass
PY
}

# Waits until a command succeeds, at most SECONDS; polls every 50 ms.
wait_for() {
    local seconds=$1 i
    shift
    for ((i = 0; i < seconds * 20; i++)); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.05
    done
    return 1
}
