#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A service manager starts the agent: it inherits the listening socket, says READY=1, and keeps the socket's port. Its queue
# may be short and full of others' words, and it may have told its children to ignore that theirs end.
. "$(dirname "$0")/lib.sh"
play "socket activation and sd_notify"
provider
cp "$ROOT/policies/policy-config.dev.yaml" "$T/"
export TOLLGATE_STATE_DIR=$T/s/dev TOLLGATE_RUNTIME_DIR=$T/r/dev
cat >"$T/manager.py" <<'PYTHON'
import os, signal, socket, sys, threading, time
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("0.0.0.0", 0))
listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
listener.listen(128)
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(sys.argv[1])
pid = os.fork()
if pid == 0:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.dup2(listener.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), NOTIFY_SOCKET=sys.argv[1], FDSTORE="8")
    os.execv(sys.argv[2], sys.argv[2:])
# The queue is filled as other services would fill it, and read when whoever has more to say has waited.
others = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
others.setblocking(False)
try:
    for _ in range(1000):
        others.sendto(b"WATCHDOG=1", sys.argv[1])
except BlockingIOError:
    pass
time.sleep(2)
heard = ""
while "READY=1" not in heard:
    heard = notify.recv(100).decode()
print(listener.getsockname()[1], heard, flush=True)
listener.close()
threading.Thread(target=lambda: [notify.recv(100) for _ in iter(int, 1)], daemon=True).start()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PYTHON
python3 "$T/manager.py" "$T/notify" "$BUILD/tollgated" --environment dev --policy "$T/policy-config.dev.yaml" \
    --state "$TOLLGATE_STATE_DIR" --runtime "$TOLLGATE_RUNTIME_DIR" --providers "$T/providers.yaml" >"$T/said" 2>"$T/agent.err" &
manager=$!
check "the agent says that it is ready" wait_for 15 grep -q 'READY=1' "$T/said"
is "it serves on the inherited socket" "$("$TOLLGATE" status --json | json 'd["port"]')" "$(cut -d' ' -f1 "$T/said")"
asker() { pgrep -P "$(pgrep -P "$("$TOLLGATE" status --json | json 'd["pid"]')" -x tollgate-names)"; }
before=$(asker)
kill -9 "$before"
is_anew() { [ -n "$(asker)" ] && [ "$(asker)" != "$before" ]; }
check "who asks for names is made anew" wait_for 10 is_anew
has "a governed call goes through it" "$(openai "$(openai_body)")" chat.completion
settled
check "the agent stops" "$TOLLGATE" stop
wait "$manager"
is "with exit code 0" $? 0
check "the ledger's audit holds" "$TOLLGATE" audit
done_playing
