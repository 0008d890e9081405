#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The map that programs read when they start goes, or is spoilt (tmpfiles' ageing of /tmp, a full disk, an operator): the
# agent puts it back before `run` starts a program, and where it cannot, run says so, and prod and capture.strict refuse.
# Likewise the certificates by which programs trust the agent; without them calls fail.
. "$(dirname "$0")/lib.sh"
play "no program starts beside the agent for want of a map"
provider
NAME=api.openai.com
# address: what a program that starts now is told
address() { timeout 30 "$TOLLGATE" run --env "$ENVIRONMENT" "$@" -- getent ahostsv4 $NAME 2>"$T/err" | awk 'NR == 1 {print $1}'; }
log_lines() { grep -c "the map that programs read was not as the agent wrote it" "$LOG"; }
# A non-empty directory cannot be replaced by a file, whoever tries.
block() { rm -f "$MAP" && mkdir -p "$MAP/in the way"; }
unblock() { rm -r "$MAP"; }

# ---- what the agent puts back ----
RUNTIME=$T/r/tollgate/dev MAP=$T/r/tollgate/dev/map LOG=$T/s/tollgate/dev/agent.log
one_target
agent
wanted=$(address)
has "a governed name has an address of ours" "$wanted" 127.77.
cp "$MAP" "$T/map"
is "nothing is written as long as nothing happens" "$(address; log_lines)" "$wanted
0"
lines=0
for how in "rm -f" "truncate -s 0" "truncate -s -1" "chmod 000" "cp $T/providers.yaml" "ln -sf /dev/null"; do
    $how "$MAP"
    is "$how: a program that starts is governed" "$(address)" "$wanted"
    is "without a word of run" "$(cat "$T/err")" ""
    is "by the map of before" "$(cmp "$MAP" "$T/map" && stat -c %a "$MAP")" 600
    lines=$((lines + 1))
    is "and the log has a line of it" "$(log_lines)" $lines
done
rm "$MAP"
kill -HUP "$("$TOLLGATE" status --json | json 'd["pid"]')"
check "it comes back without a run" wait_for 10 test -s "$MAP"

# ---- the certificates that make programs trust the agent ----
trust_lines() { grep -c "what makes programs trust the agent was not as the agent wrote it.*: $1" "$LOG"; }
get() { openai "$(openai_body gpt-5.4-nano hello)" -o /dev/null -w '%{http_code}'; }
is "a call" "$(get)" 200
is "nothing has happened to them" "$(trust_lines "written again")" 0
lines=0
for file in ca.pem bundle.pem cacerts.jks; do
    cp "$RUNTIME/$file" "$T/before"
    for how in rm "truncate -s 100" "cp $T/providers.yaml"; do
        $how "$RUNTIME/$file"
        is "$how $file: a program that starts trusts the agent" "$(get)" 200
        lines=$((lines + 1))
        is "  the file is as before, and the log has a line of it" "$(cmp "$RUNTIME/$file" "$T/before" && trust_lines "written again")" $lines
    done
done
rm "$RUNTIME/bundle.pem" && mkdir -p "$RUNTIME/bundle.pem/in the way"
for try in 1 2; do is "where it cannot be put back, calls fail ($try)" "$(get 2>/dev/null)" 000; done
is "the log says so once" "$(trust_lines "cannot be written again")" 1
rm -r "$RUNTIME/bundle.pem"
is "and then it can" "$(get)" 200

# ---- what it cannot put back ----
block
told="getent cannot be governed: $MAP is no regular file (tollgate restart: the agent writes it)"
for engine in preload supervise; do
    address --engine $engine >/dev/null
    is "dev, $engine: run says it, once" "$(cat "$T/err")" "tollgate: $told"
done
is "and the log, once" "$(grep -c "cannot be written again; programs" "$LOG")" 1
is "the program starts" "$("$TOLLGATE" run -- echo started 2>/dev/null)" started
unblock
is "governed again" "$(address)" "$wanted"
is "without a word" "$(cat "$T/err")" ""
# A child goes as without us (its key is the placeholder), as long as the map is away.
is "dev: a governed program starts others" "$("$TOLLGATE" run -- sh -c 'rm "$0"; /bin/echo started' "$MAP")" started
stop_agent

# ---- capture.strict ----
one_target "capture: {strict: true}"
agent
block
for engine in preload supervise; do
    is "strict, $engine: nothing starts" "$("$TOLLGATE" run --engine $engine -- echo started 2>"$T/err"; echo $?)" 125
    is "in words" "$(cat "$T/err")" "tollgate: ${told/getent/echo}; capture.strict runs no ungoverned program"
done
unblock
# What runs already keeps what it has read. What it starts would have nothing to read: it is not executed.
printf 'int main(void) { return 5; }\n' >"$T/static.c"
gcc -static -o "$T/static" "$T/static.c"
for program in /bin/echo "$T/static"; do
    for spoil in rm "truncate -s -1"; do
        "$TOLLGATE" run -- sh -c '$0 "$1"; $2 started' "$spoil" "$MAP" "$program" >"$T/out" 2>"$T/err"
        is "strict, $spoil: a governed program cannot start ${program##*/}" "$? $(cat "$T/out")" "126 "
        has "as it is told" "$(cat "$T/err")" "not permitted"
    done
done
cat >"$T/shell.c" <<'C'
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int count, char **arguments)
{
    if (count != 2 || unlink(arguments[1]) != 0)
        return 1;
    int status = system("echo started"), first = errno;
    FILE *pipe = popen("echo started >&2", "r");
    printf("%d %d %d %d\n", status, first == EPERM, pipe != NULL, errno == EPERM);
    return 0;
}
C
gcc -o "$T/shell" "$T/shell.c"
is "nor a shell, by system or popen" "$("$TOLLGATE" run -- "$T/shell" "$MAP" 2>&1)" "-1 1 0 1"
is "a supervisor above knows the map" "$("$TOLLGATE" run --engine supervise -- sh -c 'rm "$0"; echo started' "$MAP")" started
is "governed as before" "$(address)" "$wanted"
stop_agent

# ---- prod ----
ENVIRONMENT=prod MAP=$T/pr/map LOG=$T/ps/agent.log
policy <<Y
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
consumer_groups:
  - {name: any, api_key: kt_cg_any, wallet_team_id: any}
access: {uids: [$(id -u)]}
Y
agent
wanted=$(address)
has "prod: an address of ours" "$wanted" 127.77.
rm "$MAP"
is "a map that was removed comes back" "$(address)" "$wanted"
is "for everybody to read" "$(stat -c %a "$MAP")" 644
block
for engine in preload supervise; do
    is "prod, $engine: nothing starts" "$("$TOLLGATE" run --env prod --engine $engine -- echo started 2>"$T/err"; echo $?)" 125
    is "in words" "$(cat "$T/err")" "tollgate: echo cannot be governed: $MAP is no regular file (tollgate restart --env prod: the agent writes it); prod runs no ungoverned program"
done
unblock
is "governed again" "$(address)" "$wanted"
stop_agent
done_playing
