#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The agent as a service: what it tells its manager, what happens to the port that the manager keeps, and the units.
. "$(dirname "$0")/lib.sh"
play "the agent below a service manager"
provider
agent # its policy, and the files of the environment
"$TOLLGATE" stop >/dev/null
STATE=$XDG_STATE_HOME/tollgate/dev RUNTIME=$XDG_RUNTIME_DIR/tollgate/dev
export STATE RUNTIME
managed() { # WHAT PORT: by `tollgate start --foreground`, which remembers the files
    timeout 120 python3 "$ROOT/tests/scenarios/47-service.py" "$1" "$2" "$TOLLGATE" start --foreground 2>"$T/$1.err"
}
if [ "$(id -u)" = 0 ] && ! grep -q AddressSanitizer < <(strings -n 8 "$BUILD/tollgated" 2>/dev/null); then
    is "ready, alive, silent when a loop hangs, stopping" "$(managed notify 0)" "ready
alive
hung
stopping
exit 0"
else
    skip "only root stops one thread of an agent"
    is "ready, alive, stopping" "$(managed notify 0 | grep -v -e hung -e 'still alive')" "ready
alive
stopping
exit 0"
fi
has "the log goes to standard error" "$(cat "$T/notify.err")" "info agent ready"
is "the port outlives the agent, and a connection that came between" "$(managed sockets "$(free_port)")" "ready
before TLSv1.3
meanwhile TLSv1.3
exit 0
the port is still open"
is "what the agent leaves with its manager outlives it, also when it is killed" "$(managed store 0)" "ready
kept tollgate-admin tollgate-redirect tollgate-report tollgate-tls
before TLSv1.3
meanwhile TLSv1.3 by the next agent: True
before TLSv1.3
meanwhile TLSv1.3 by the next agent: True
exit 0 and kept tollgate-admin tollgate-redirect tollgate-report tollgate-tls
a service that is stopped has no port"

# ---- the units, as installed ----
make -s -C "$ROOT" BUILD="$BUILD" PACKAGE="$T/package" DESTDIR="$T/root" PREFIX=/usr install >/dev/null
units=$T/root/usr/lib/systemd
if command -v systemd-analyze >/dev/null; then
    # systemd takes programs and what a unit wants from this root
    for unit in system/tollgated@prod.service system/tollgated@prod.socket user/tollgated.service; do
        file=${unit/@prod/@}
        cp "$units/$file" "$T/${unit##*/}"
        sed -i "s|=/usr/|=$T/root/usr/|" "$T/${unit##*/}"
        user=
        [ "${unit%%/*}" = user ] && user=--user
        is "$unit: systemd finds nothing" "$(systemd-analyze verify --recursive-errors=no --man=no $user "$T/${unit##*/}" 2>&1 | grep "$T\|tollgate")" ""
    done
    score=$(systemd-analyze security --offline=yes "$T/tollgated@prod.service" 2>&1 | tail -1)
    echo "figure systemd-analyze security: $score"
    check "the service is well sandboxed" awk -v text="$score" 'BEGIN { match(text, /: [0-9.]+/); exit !(RSTART && substr(text, RSTART + 2, RLENGTH - 2) + 0 < 3) }'
else
    skip "systemd-analyze is not installed"
fi
if command -v systemd-sysusers >/dev/null && [ "$(id -u)" = 0 ]; then
    mkdir -p "$T/root/etc"
    systemd-sysusers --root="$T/root" 2>"$T/sysusers.err"
    has "the user of prod" "$(cat "$T/root/etc/passwd")" ":Tollgate, the agent of production:/var/lib/tollgate:"
    check "its directories" systemd-tmpfiles --root="$T/root" --create --prefix=/run/tollgate --prefix=/var/lib/tollgate
    uid=$(awk -F: '/^tollgate:/{print $3}' "$T/root/etc/passwd")
    is "their owners and modes" "$(cd "$T/root" && stat -c '%n %a %u' run/tollgate/prod var/lib/tollgate/prod run/tollgate var/lib/tollgate)" \
        "run/tollgate/prod 755 $uid
var/lib/tollgate/prod 700 $uid
run/tollgate 755 0
var/lib/tollgate 755 0"
else
    skip "systemd-sysusers needs root"
fi
done_playing
