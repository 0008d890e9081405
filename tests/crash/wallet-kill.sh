#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# kill -9 against the ledger.
#   tests/crash/wallet-kill.sh [CYCLES [SEED]]   50 cycles by default; prints the seed, figures, exits 1 on a violation
#   tests/crash/wallet-kill.sh planted           builds the ledger with each planted bug of agent/base/plant.h in turn:
#                                                every one must be caught
# BUILD=DIR (default: build) is where it builds; the ledger's directory is made below ${TMPDIR:-/tmp}.
set -eu
cd "$(dirname "$0")/../.."
build=${BUILD:-build}

# Only what the ledger needs, so that a planted build is a matter of seconds.
make_program() { # directory, flags
    objects=$1/tests/crash/wallet_kill.o
    for source in agent/base/*.c agent/store/*.c agent/wallet/*.c agent/net/digest.c; do
        objects="$objects $1/${source%.c}.o"
    done
    # shellcheck disable=SC2086
    make -s BUILD="$1" PLANTFLAGS="$2" $objects
    # shellcheck disable=SC2086
    gcc -pie -pthread -o "$1/wallet_kill" $objects -ldb-5.3 -lcrypto
}

run() { # program, cycles, seed
    directory=$(mktemp -d "${TMPDIR:-/tmp}/tollgate-kill.XXXXXX")
    status=0
    "$1" "$directory" "$2" "$3" || status=$?
    rm -rf "$directory"
    return $status
}

if [ "${1:-}" = planted ]; then
    missed=0
    for number in $(sed -n 's/.*PLANT_[A-Z_]*, *\/\* \([0-9]*\): .*/\1/p' agent/base/plant.h); do
        make_program "$build/planted-$number" "-DPLANT=$number"
        if run "$build/planted-$number/wallet_kill" 40 "$number" >"$build/planted-$number/out" 2>&1; then
            echo "planted bug $number was not caught"
            missed=$((missed + 1))
        else
            echo "planted bug $number caught: $(grep -m1 violation: "$build/planted-$number/out" || echo crash)"
        fi
    done
    echo "figure planted_missed $missed bugs"
    exit "$((missed > 0))"
fi

seed=${2:-$(date +%s)}
echo "seed $seed"
make_program "$build/crash" ""
run "$build/crash/wallet_kill" "${1:-50}" "$seed"
