#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The Debian package: the same bytes twice, lintian's word; installed into a root of its own with nothing but what it depends
# on, it makes the user of prod, starts nothing, and both agents start there by hand, govern, and keep apart.
. "$(dirname "$0")/lib.sh"
command -v dpkg-deb >/dev/null && command -v dpkg-shlibdeps >/dev/null && command -v scdoc >/dev/null || { skip "needs dpkg-dev and scdoc"; exit 77; }
grep -q 'lib[at]san' < <(ldd "$BUILD/tollgated") && { skip "a sanitized build is not packaged"; exit 77; }
play "the package, in a fresh root"
deb() { make -s -C "$ROOT" BUILD="$BUILD" deb DEB="$1"; }
check "it is made, lintian is content" deb "$T/first.deb"
command -v lintian >/dev/null || skip "lintian is not installed"
check "it is made again" deb "$T/second.deb"
check "and is the same" cmp "$T/first.deb" "$T/second.deb"
is "what the administrator edits" "$(dpkg-deb -I "$T/first.deb" conffiles)" "/etc/tollgate/policy-config.prod.yaml"
for library in libcurl4 libssl3 libdb5.3 libyaml-0-2 libjansson4 libpcre2-8-0 libzstd1 libc6; do
    has "it depends on $library" "$(dpkg-deb -f "$T/first.deb" Depends)" "$library"
done
lacks "no path of the build is in it" "$(dpkg-deb --fsys-tarfile "$T/first.deb" | tar -xO 2>/dev/null | grep -ac "$ROOT")" "$ROOT"
[ "$(id -u)" = 0 ] && command -v systemd-sysusers >/dev/null && unshare -m true 2>/dev/null || {
    skip "a root of its own needs root, mount namespaces and systemd-sysusers"
    done_playing
}

# ---- a root with the programs, libraries and files that the play needs, and dpkg's own books ----
R=$T/root
mkdir -p "$R"/{etc,proc,dev,tmp,root,home/dev,run,usr/bin,usr/lib,var/lib/dpkg/{info,updates}}
chmod 1777 "$R/tmp"
for link in bin sbin lib lib64; do mkdir -p "$R/usr/$link" && ln -s "usr/$link" "$R/$link"; done
: >"$R/var/lib/dpkg/status"
printf 'root:x:0:0::/root:/bin/sh\ndev:x:4001:4001::/home/dev:/bin/sh\nshop:x:4002:4002::/:/bin/sh\nother:x:4003:4003::/:/bin/sh\n' >"$R/etc/passwd"
printf 'root:x:0:\ndev:x:4001:\nshop:x:4002:\nother:x:4003:\n' >"$R/etc/group"
chown 4001:4001 "$R/home/dev"
take() { # files, links followed, at the same place
    local file
    for file in "$@"; do [ -e "$R$file" ] || cp -L --parents "$file" "$R" 2>/dev/null; done
}
programs=()
for program in sh cat env id ls mkdir setpriv curl; do programs+=("$(readlink -f "$(command -v $program)")"); done
for program in "${programs[@]}"; do take "$program"; done
[ -e "$R/usr/bin/sh" ] || ln -s "$(basename "$(readlink -f /bin/sh)")" "$R/usr/bin/sh"
for program in "${programs[@]}" "$BUILD/tollgated" "$BUILD/tollgate"; do
    for library in $(ldd "$program" | grep -o '/[^ ]*lib[^ ]*'); do take "$library"; done
done
for library in libnss_files.so.2 libnss_dns.so.2; do take "/lib/$(gcc -print-multiarch)/$library"; done
echo 'passwd: files
group: files' >"$R/etc/nsswitch.conf"
take /etc/ssl/certs/ca-certificates.crt

# Maintainer scripts run outside with DPKG_ROOT: the root has no systemd. What it depends on lies there without dpkg's books.
install_deb() {
    dpkg --root="$R" --force-depends --force-script-chrootless --force-not-root --no-triggers --log=/dev/null -i "$T/first.deb"
}
check "it installs" install_deb
is "the user of prod" "$(grep -c '^tollgate:.*:/var/lib/tollgate:' "$R/etc/passwd")" 1
uid=$(awk -F: '/^tollgate:/{print $3}' "$R/etc/passwd")
is "its directories" "$(cd "$R" && stat -c '%n %a %u' run/tollgate/prod var/lib/tollgate/prod)" "run/tollgate/prod 755 $uid
var/lib/tollgate/prod 700 $uid"
is "nothing is started or enabled" "$(find "$R/etc/systemd" -type l 2>/dev/null; ls -A "$R/run/tollgate/prod")" ""

# ---- both agents, by hand ----
provider
sed "s|ca_file: .*|ca_file: /etc/tollgate/provider-ca.pem|" "$T/providers.yaml" >"$R/etc/tollgate/providers.yaml"
cp "$T/provider-ca.pem" "$R/etc/tollgate/"
chmod 644 "$R"/etc/tollgate/*
cat >"$R/etc/tollgate/policy-config.prod.yaml" <<'Y'
capture: {refresh_seconds: 0}
providers:
  targets:
    - {id: nano, provider: openai, model: gpt-5.4-nano, secret_key_ref: {env: OPENAI_API_KEY}}
consumer_groups:
  - {name: shop, api_key: kt_cg_shop, wallet_team_id: shop}
wallets: [{id: shop, credit: "1"}]
access: {uids: [shop]}
Y
mkdir -p "$R/home/dev/.config/tollgate"
sed 's/kt_cg_shop/kt_cg_dev/; s/name: shop/name: dev/; s/^access.*//' "$R/etc/tollgate/policy-config.prod.yaml" >"$R/home/dev/.config/tollgate/policy-config.dev.yaml"
chown -R 4001:4001 "$R/home/dev"
# USER COMMAND…: in the root
inside() {
    local user=$1
    shift
    unshare -m sh -c 'mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"' "$R" \
        env -i PATH=/usr/bin:/usr/sbin OPENAI_API_KEY="$OPENAI_API_KEY" HOME="$([ "$user" = dev ] && echo /home/dev || echo /)" \
        setpriv --reuid="$user" --regid="$user" --init-groups "$@"
}
stop_agents() {
    inside dev tollgate stop >/dev/null 2>&1
    inside tollgate tollgate stop --env prod >/dev/null 2>&1
}
ON_END=stop_agents
ask() { # USER ENVIRONMENT: the status, as a program of that user
    inside "$1" tollgate run --env "$2" -- curl -sS -m 20 -o /dev/null -w '%{http_code}' https://api.openai.com/v1/chat/completions \
        -H 'content-type: application/json' -d "$(openai_body gpt-5.4-nano)" 2>&1
}
has "prod does not start by a run" "$(ask shop prod)" "no agent of prod is running"
has "root does not start it in its user's directories" "$(inside root tollgate start --env prod 2>&1)" "belongs to tollgate: start the agent as that user"
is "and leaves nothing there" "$(ls -A "$R/var/lib/tollgate/prod" "$R/run/tollgate/prod")" "$R/run/tollgate/prod:

$R/var/lib/tollgate/prod:"
check "prod starts by hand, as its user" inside tollgate tollgate start --env prod --providers /etc/tollgate/providers.yaml
check "dev starts by hand" inside dev tollgate start --providers /etc/tollgate/providers.yaml
is "the service's program is governed by prod" "$(ask shop prod)" 200
is "dev's program by dev" "$(ask dev dev)" 200
balance() { inside "$1" tollgate wallet show shop --env "$2" --json | json '"%s %s" % (d["spent"] != "0", d["held"])'; }
balances() { echo "$(balance tollgate prod), $(balance dev dev)"; }
are_charged() { [ "$(balances)" = "True 0, True 0" ]; }
wait_for 20 are_charged
is "each is charged in its own ledger" "$(balances)" "True 0, True 0"

# ---- nobody crosses ----
port() { inside "$1" tollgate status --env "$2" --json | json 'd["port"]'; }
prod_port=$(port tollgate prod) dev_port=$(port dev dev)
dev_runtime=/tmp/tollgate-4001/dev
# straight to an agent's port, past launcher and shim: curl's exit code, 35 when it is closed without a byte
straight() { inside "$1" sh -c "curl -sS -k -m 20 -o /dev/null --resolve api.openai.com:$2:$(address "$3") https://api.openai.com:$2/v1/models -H 'host: api.openai.com' -H 'authorization: Bearer ${4:-kt_cg_shop}' -w '%{http_code}' 2>/dev/null; echo \" \$?\""; }
address() { awk '$1 == "api.openai.com" { printf "127.77.%d.%d", $2 / 256, $2 % 256 }' "$1/addresses"; }
prod_state=$R/var/lib/tollgate/prod dev_state=$R/home/dev/.local/state/tollgate/dev
crossed=0
refuses() { # NAME WORDS USER COMMAND…: it fails, for that reason
    local name="$1" words="$2" out
    crossed=$((crossed + 1))
    shift 2
    if out=$(inside "$@" 2>&1); then not_ok "$name" "$out"; else has "$name" "$out" "$words"; fi
}
# NAME USER UID PORT STATE [KEY]: closed without a byte, each time; the log says so once a second
closes() {
    local i
    crossed=$((crossed + 1))
    is "$1" "$(straight "$2" "${@:4}")" "000 35"
    for ((i = 0; i < 100; i++)); do
        grep -q "closed without a byte.* uid $3 " "$5/agent.log" && { ok "$1: logged"; return; }
        straight "$2" "${@:4}" >/dev/null
    done
    not_ok "$1: logged"
}
may_not="this user may not use the agent of"
no_member="the peer's user may not use this agent"
reports="reports are for the agent's owner and the policy's readers"
denied="Permission denied"
while IFS='|' read -r name words user command; do
    refuses "$name" "$words" "$user" sh -c "$command" </dev/null
done <<L
another user's run for prod|$no_member|other|tollgate run --env prod -- id
dev's user's run for prod|$no_member|dev|tollgate run --env prod -- id
another user's run by dev's agent|$may_not|other|tollgate run --runtime $dev_runtime -- id
the service's run by dev's agent|$may_not|shop|tollgate run --runtime $dev_runtime -- id
prod's own user's run by dev's agent|$may_not|tollgate|tollgate run --runtime $dev_runtime -- id
money for prod's wallet by its program|$may_not|shop|tollgate wallet fund shop 100 --env prod
money for prod's wallet by dev|$may_not|dev|tollgate wallet fund shop 100 --env prod
stopping prod by its program|$may_not|shop|tollgate stop --env prod
another policy for prod by its program|$may_not|shop|tollgate reload --env prod
a secret of prod by its program|$may_not|shop|echo x | tollgate secret set k --env prod
prod's balances by dev|$reports|dev|tollgate wallet list --env prod
prod's events by another user|$reports|other|tollgate events --env prod
prod's state by its program|$denied|shop|ls /var/lib/tollgate/prod
prod's state by dev|$denied|dev|ls /var/lib/tollgate/prod
prod's ledger audited by dev|no ledger in|dev|tollgate audit --env prod
dev's state by prod|$denied|tollgate|ls /home/dev/.local/state/tollgate/dev
dev's sockets by prod|$denied|tollgate|ls $dev_runtime
L
closes "another user at prod's port" other 4003 "$prod_port" "$prod_state"
closes "dev's user at prod's port" dev 4001 "$prod_port" "$prod_state"
closes "prod's own user at dev's port" tollgate "$uid" "$dev_port" "$dev_state"
closes "another user at dev's port" other 4003 "$dev_port" "$dev_state"
closes "the service at dev's port, with dev's key" shop 4002 "$dev_port" "$dev_state" kt_cg_dev
is "a key of dev means nothing in prod" "$(straight shop "$prod_port" "$prod_state" kt_cg_dev)" "401 0"
is "nor one of prod in dev" "$(straight dev "$dev_port" "$dev_state" kt_cg_shop)" "401 0"
is "no key of the CA lies where others may look" "$(grep -rlE 'PRIVATE KEY' "$R/run/tollgate")" ""
is "attempts" "$((crossed >= 12))" 1
is "nothing of it moved money or a policy" "$(inside tollgate tollgate wallet show shop --env prod --json | json 'd["funded"]') $(ask shop prod)" "1 200"
for words in "/v1/launch]: uid 4003" "/v1/launch]: uid 4001" "/v1/wallets]: uid 4001" "/v1/events]: uid 4003"; do has "prod's log: $words" "$(cat "$prod_state/agent.log")" "$words"; done

# ---- and away ----
check "prod stops" inside tollgate tollgate stop --env prod
check "dev stops" inside dev tollgate stop
check "prod's ledger holds" inside tollgate tollgate audit --env prod
check "dev's ledger holds" inside dev tollgate audit
dpkg_away() { dpkg --root="$R" --force-depends --force-script-chrootless --force-not-root --no-triggers --log=/dev/null "$1" tollgate; }
# What an administrator has added: a governed service, and agents that start with the machine.
units=$R/etc/systemd/system
mkdir -p "$units/multi-user.target.wants" "$units/sockets.target.wants" "$units/other.service.d"
ln -s /lib/systemd/system/tollgated@.service "$units/multi-user.target.wants/tollgated@prod.service"
ln -s /lib/systemd/system/tollgated@.socket "$units/sockets.target.wants/tollgated@prod.socket"
printf '[Service]\nExecStart=/usr/bin/shop\n' >"$units/shop.service"
echo '[Service]' >"$units/other.service.d/tollgate.conf"
check "a service is governed" "$TOLLGATE" systemd enable shop --env prod --root "$R"
removed=$(dpkg_away -r 2>&1)
has "removed, it says which service cannot start" "$removed" "shop.service was to run under tollgate run, and cannot start any more: rm /etc/systemd/system/shop.service.d/tollgate.conf; systemctl daemon-reload"
is "and leaves what another package of it would find again" "$(find "$units" -name 'tollgat*' | wc -l)" 4
echo 'OPENAI_API_KEY=sk-x' >"$R/etc/tollgate/prod.env"
purged=$(dpkg_away -P 2>&1)
has "purged, it governs no service" "$purged" "/etc/systemd/system/shop.service.d/tollgate.conf is removed: shop.service runs without Tollgate from its next start on"
is "and nothing of it starts with the machine; what is another's stays" "$(find "$units" -name 'tollgat*')" "$units/other.service.d/tollgate.conf"
is "nor do its books know of it" "$(find "$R/var/lib/systemd" -name 'tollgat*' 2>/dev/null)" ""
has "purged, the ledger stays" "$purged" "the ledger of prod stays in /var/lib/tollgate, and with it providers' keys, the CA's key"
has "and what the administrator wrote" "$purged" "/etc/tollgate/prod.env stays"
has "which is said, and how it goes away" "$purged" "rm -r /var/lib/tollgate /etc/tollgate; userdel tollgate"
check "it is there" test -d "$prod_state/ledger"
is "the programs are not" "$(ls "$R/usr/bin/tollgate" "$R/usr/sbin/tollgated" "$R/usr/lib/tollgate" "$R/etc/tollgate/policy-config.prod.yaml" 2>/dev/null)" ""
done_playing
