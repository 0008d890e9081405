#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tollgate systemd: the drop-in that lets a service run under tollgate run. Units as systemd reads them, names and commands
# that cannot be governed, what changes later; and the line that systemd would execute, executed.
. "$(dirname "$0")/lib.sh"
play "services by drop-in"
R=$T/root
mkdir -p "$R/etc/systemd/system" "$R/usr/lib/systemd/system"
unit() { cat >"$R/$1"; }
drop_in=etc/systemd/system/shop.service.d/tollgate.conf
enable() { "$TOLLGATE" systemd enable "$1" --env prod --root "$R" "${@:2}" 2>&1; }
starts() { sed -n 's/^ExecStart=//p' "$R/$drop_in" | tr '\n' '|'; }
run="$(readlink -f "$TOLLGATE") run --env prod"

unit usr/lib/systemd/system/shop.service <<'U'
[Unit]
ExecStart=/no/such
[Service]
# ExecStart=/a/comment
Type=notify
User=shop
ExecStart=-/usr/bin/shop serve \
    # a comment between
    --port 80 "two words" %i ${HOME}
U
said=$(enable shop --group shop --project web)
has "it says what it did" "$said" "$R/$drop_in: its ExecStart runs under tollgate run --env prod"
has "it says who must be admitted" "$said" "its user, shop, must be"
has "it says what to do" "$said" "systemctl daemon-reload && systemctl restart shop.service"
is "the drop-in" "$(grep -v '^#' "$R/$drop_in")" "[Unit]
Wants=tollgated@prod.service
After=tollgated@prod.service

[Service]
NotifyAccess=all
ExecStart=
ExecStart=-$run --group shop --project web -- /usr/bin/shop serve  --port 80 \"two words\" %i \${HOME}"
is "all may read it" "$(stat -c %a "$R/$drop_in" "$R/${drop_in%/*}" | tr '\n' ' ')" "644 755 "
cp "$R/$drop_in" "$T/first"
check "it may be done again" enable shop --group shop --project web
check "and is the same" cmp "$R/$drop_in" "$T/first"
is "list" "$("$TOLLGATE" systemd list --root "$R" | tail -1 | tr -s ' ')" "shop.service prod governed"

# ---- what the unit says elsewhere ----
mkdir -p "$R/etc/systemd/system/shop.service.d"
printf '[Service]\nType=exec\nExecStart=\nExecStart=/usr/bin/first\nExecStart=!/usr/bin/second x\n' | unit etc/systemd/system/shop.service.d/10-mine.conf
is "list sees that ExecStart has changed" "$("$TOLLGATE" systemd list --root "$R" | tail -1 | tr -s ' ')" "shop.service prod out of date"
"$TOLLGATE" systemd list --root "$R" >/dev/null
is "and exits with 1" $? 1
enable shop >/dev/null
is "drop-ins count, and prefixes go first" "$(starts)" "|$run -- /usr/bin/first|!$run -- /usr/bin/second x|"
lacks "what is no longer notify" "$(cat "$R/$drop_in")" NotifyAccess
printf '[Service]\nExecStart=\nExecStart=/usr/bin/late\n' | unit etc/systemd/system/shop.service.d/zz.conf
has "a later drop-in is said" "$(enable shop)" "zz.conf sets ExecStart and comes after tollgate.conf"
has "list says so, too" "$("$TOLLGATE" systemd list --root "$R")" "overruled by"
rm "$R/etc/systemd/system/shop.service.d/zz.conf"
printf '[Service]\nExecStart=/opt/other\n' | unit etc/systemd/system/shop.service
rm "$R/etc/systemd/system/shop.service.d/10-mine.conf"
enable shop >/dev/null
is "the administrator's unit goes before the package's" "$(starts)" "|$run -- /opt/other|"
printf '[Service]\nExecStart=/usr/bin/worker %%i\n' | unit usr/lib/systemd/system/work@.service
has "an instance of a template" "$(enable work@blue.service)" "work@blue.service.d/tollgate.conf"
rm -r "$R/etc/systemd/system/work@blue.service.d"

# ---- what cannot be ----
refused() { # NAME CODE PART COMMAND…
    local out code
    out=$("${@:4}" 2>&1)
    code=$?
    is "$1: exit code" "$code" "$2"
    has "$1: its words" "$out" "$3"
}
refused "no environment" 64 "--env prod" "$TOLLGATE" systemd enable shop --root "$R"
refused "a path as a name" 64 "no name of a service" "$TOLLGATE" systemd enable ../shop --env prod --root "$R"
refused "a socket" 64 "no name of a service" "$TOLLGATE" systemd enable "a b" --env prod --root "$R"
refused "no such unit" 66 "there is no unit none.service" "$TOLLGATE" systemd enable none --env prod --root "$R"
refused "an option that means something in a unit" 64 "cannot stand in a unit" "$TOLLGATE" systemd enable shop --env prod --root "$R" --group 'a%n'
refused "a line break in an option" 64 "cannot stand in a unit" "$TOLLGATE" systemd enable shop --env prod --root "$R" --group $'a\nExecStart=/bin/sh'
refused "no word" 64 "enable UNIT" "$TOLLGATE" systemd enable --root "$R"
while IFS='|' read -r name text part; do
    printf "$text" | unit usr/lib/systemd/system/bad.service
    refused "$name" 65 "$part" "$TOLLGATE" systemd enable bad --env prod --root "$R"
    check "$name: nothing is written" test ! -e "$R/etc/systemd/system/bad.service.d"
done <<'L'
another name|[Service]\nExecStart=@/bin/x y\n|another name
several commands|[Service]\nExecStart=/bin/x ; /bin/y\n|several commands
no command|[Service]\nType=oneshot\n|no ExecStart
taken back|[Service]\nExecStart=/bin/x\nExecStart=\n|no ExecStart
already|[Service]\nExecStart=/usr/bin/tollgate run -- /bin/x\n|runs tollgate already
L
ln -sf /dev/null "$R/usr/lib/systemd/system/bad.service"
refused "masked" 65 "masked" "$TOLLGATE" systemd enable bad --env prod --root "$R"
mkdir -p "$R/etc/systemd/system/work@red.service.d"
echo '[Service]' | unit etc/systemd/system/work@red.service.d/tollgate.conf
refused "somebody else's drop-in" 73 "not from us" "$TOLLGATE" systemd enable work@red --env prod --root "$R"
refused "somebody else's drop-in stays" 65 "not from us" "$TOLLGATE" systemd disable work@red --root "$R"

# ---- systemd's own view, and the line itself ----
provider
agent
printf '[Service]\nExecStart=/usr/bin/env\n' | unit etc/systemd/system/shop.service
"$TOLLGATE" systemd enable shop --env dev --root "$R" >/dev/null
if command -v systemd-analyze >/dev/null; then
    verify() { SYSTEMD_UNIT_PATH="$R/etc/systemd/system:/usr/lib/systemd/system" systemd-analyze verify --man=no --recursive-errors=no "$R/etc/systemd/system/shop.service" 2>&1 | grep -i shop; }
    is "systemd finds nothing" "$(verify)" ""
    sed -i "s|=$(readlink -f "$TOLLGATE")|=/no/such/tollgate|" "$R/$drop_in"
    has "(it has read the drop-in)" "$(verify)" "/no/such/tollgate"
    "$TOLLGATE" systemd enable shop --env dev --root "$R" >/dev/null
else
    skip "systemd-analyze is not installed"
fi
has "the line governs" "$(sh -c "$(starts | tr -d '|')")" "OPENAI_API_KEY=kt_cg_"

has "disable" "$("$TOLLGATE" systemd disable shop --root "$R")" "removed"
check "nothing is left" test ! -e "$R/etc/systemd/system/shop.service.d"
has "disable again" "$("$TOLLGATE" systemd disable shop --root "$R")" "is not enabled"
stop_agent
done_playing
