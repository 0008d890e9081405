# SPDX-License-Identifier: Apache-2.0
"""Programs that have nothing to do with providers: each does the same, with the same output and exit code, under `tollgate run`
as without it; called by scripts/compat.

bystanders.py --small|--full [PROGRAM…]
"""
import os
import shutil
import subprocess
import sys

from governed import HERE, T, TOLLGATE, is_named

SECONDS_MAX = 120
JEMALLOC, FAKETIME = "libjemalloc.so.2", "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
# name, what must be there, is it played in --small, shell command. What changes from run to run is left out of the output.
# Ours may be seen in exactly one place: the line of `tollgate` itself on standard error, which is not compared.
ROWS = (
    ("sudo", "sudo", True, "sudo -n sh -c 'id -u'; sudo -n false; echo $?; "
     "setpriv --reuid 65534 --regid 65534 --clear-groups sudo -n id -u 2>&1; echo $?"),
    ("root's programs as another user", "sudo su setpriv curl git openssl", True, "sh $HERE/other_user.sh"),
    ("ping", "ping", True, "ping -q -c 1 127.0.0.1 | grep -o '1 received'; ping -q -c 1 -W 1 name.invalid; echo $?"),
    ("ssh", "ssh", True, "ssh -V 2>&1; ssh -o BatchMode=yes -p 9 127.0.0.1 true 2>&1; echo $?"),
    ("docker client", "docker", True, "docker --version; DOCKER_HOST=tcp://127.0.0.1:9 docker ps 2>&1; echo $?"),
    ("apt", "apt-get", True, "apt-get --version | head -1; "
     "apt-get -s install base-files 2>&1 | tail -1; apt-cache show base-files | grep ^Package"),
    ("gcc", "gcc", True, "printf 'int main(void){return 7;}' | gcc -x c -o $W/seven - && $W/seven; echo $?; gcc -c $W/none.c 2>&1; echo $?"),
    ("make", "make gcc", True, "printf 'all: a b c\\n%%:; @echo $@\\n' >$W/Makefile; make -s -j3 -C $W all | sort"),
    ("git", "git", True, "git init -q $W/repo && cd $W/repo && "
     "git -c user.name=x -c user.email=x commit -q --allow-empty -m x && git log --format=%s"),
    ("strace", "strace", True, "strace -o $W/trace true; echo $?; tail -1 $W/trace; strace -f -o $W/trace sh -c '/bin/false; exit 3'; echo $?"),
    ("gdb", "gdb gcc", True, "printf 'int main(void){return 9;}' | gcc -g -x c -o $W/nine - && gdb -nx -batch -ex 'break main' -ex run -ex continue "
     "$W/nine 2>&1 | grep -oE 'Breakpoint 1, main|exited with code 11'"),
    ("valgrind", "valgrind", False, "valgrind -q --error-exitcode=5 /bin/true; echo $?"),
    ("jemalloc, preloaded", f"*/{JEMALLOC}", True, f"LD_PRELOAD={JEMALLOC} sh -c 'grep -o -m1 {JEMALLOC} /proc/self/maps; ls / | head -3'; echo $?"),
    ("libfaketime, preloaded", FAKETIME, True, f"LD_PRELOAD={FAKETIME} FAKETIME='2001-02-03 04:05:06' date -u +%Y-%m-%d; echo $?"),
    ("musl program", "musl-gcc", True, "cp $HERE/clients/bystander.c $W/; musl-gcc -o $W/musl $W/bystander.c && $W/musl; echo $?"),
    ("static program", "gcc", True, "gcc -static -o $W/static $HERE/clients/bystander.c 2>/dev/null && $W/static; echo $?"),
    ("strace of a static program", "strace gcc", True, "printf 'int main(void){return 8;}' | gcc -static -x c -o $W/eight - && "
     "strace -o $W/trace $W/eight; echo $?; tail -1 $W/trace"),
    ("busybox", "busybox", True, "busybox sh -c 'echo one two | busybox awk \"{print \\$2}\"; exit 4'; echo $?"),
    ("browser, headless", "chromium", False, "chromium --headless --no-sandbox --disable-gpu --user-data-dir=$W/chromium "
     "--dump-dom 'data:text/html,<p>hello</p>' 2>/dev/null; echo $?"),
    ("signals and job control", "bash", True, "bash -c 'sleep 60 & kill -TERM $!; wait $!; echo $?; kill -KILL $$'; echo $?"),
    ("exit codes and closed descriptors", "sh", True, "sh -c 'exit 42'; echo $?; sh -c 'ls <&- >&- 2>&-'; echo $?"),
)


def is_here(need):
    if need.startswith("*/"):
        return need[2:] in subprocess.run(["ldconfig", "-p"], capture_output=True, text=True).stdout
    return os.path.exists(need) if need.startswith("/") else shutil.which(need) is not None


def run(command, prefix):
    """Exit code and both outputs, in a folder of its own under the same name."""
    folder = os.path.join(T, "work")
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    environment = {**os.environ, "W": folder, "HERE": HERE, "HOME": folder, "LC_ALL": "C.UTF-8"}
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"):
        environment.pop(name, None)
    done = subprocess.run([*prefix, "sh", "-c", command], capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment,
                          timeout=SECONDS_MAX)
    errors = "\n".join(line for line in done.stderr.splitlines() if not line.startswith("tollgate: "))
    return done.returncode, done.stdout, errors


def main():
    is_small, only = sys.argv[1] == "--small", sys.argv[2:]
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    print(f"{'program':<42}{'as without us':>16}")
    for name, needs, is_in_small, command in ROWS:
        if is_small and not is_in_small or not is_named(name, only):
            continue
        lacking = next((need for need in needs.split() if not is_here(need)), None)
        result = "skip"
        if lacking:
            print(f"SKIP: {name}: {lacking} is not here", file=sys.stderr)
        else:
            bare, under_us = run(command, []), run(command, [TOLLGATE, "run", "--env", "dev", "--"])
            result = "ok" if bare == under_us else "FAIL"
            if bare != under_us:
                print(f"  {name}: bare {bare!r}\n    under us {under_us!r}", file=sys.stderr)
        counts[result] += 1
        print(f"{name:<42}{result:>16}", flush=True)
    print(f"counts: {counts['ok']} {counts['FAIL']} {counts['skip']}")


main()
