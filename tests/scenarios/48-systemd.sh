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
ExecStart=-$run --group shop --project web -- /usr/bin/shop serve      --port 80 \"two words\" %i \${HOME}"
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

# ---- lines as systemd reads them ----
line() { # NAME WANTED TEXT: what runs of a unit with this behind [Service]
    printf '[Service]\n%s\n' "$3" | unit usr/lib/systemd/system/line.service
    enable line >/dev/null
    is "$1" "$(sed -n 's/^ExecStart=.* -- //p' "$R/etc/systemd/system/line.service.d/tollgate.conf")" "$2"
}
line "two backslashes at the end are one of the value" '/bin/echo a\\ ' $'ExecStart=/bin/echo a\\\\\nNice=1'
line "three go on" '/bin/echo a\\ b' $'ExecStart=/bin/echo a\\\\\\\nb\nNice=1'
line "a backslash and a blank do not, and join nothing to our line" '/bin/echo a\ ' $'ExecStart=/bin/echo a\\ \nNice=1'
line "what goes on keeps its blanks" '/bin/echo "a    b"' $'ExecStart=/bin/echo "a \\\n  b"\nNice=1'
line "an empty line ends it" '/bin/echo a' $'ExecStart=/bin/echo a\\\n\nNice=1'
line "lines may end as those of DOS" '/bin/echo a  b' $'ExecStart=/bin/echo a \\\r\nb\r\nNice=1\r'
is "list finds them as they are" "$("$TOLLGATE" systemd list --root "$R" | grep line | tr -s ' ')" "line.service prod governed"
printf '\xef\xbb\xbf[Service]\nExecStart=/bin/marked\n' | unit usr/lib/systemd/system/line.service
enable line >/dev/null
is "a file may begin with the mark of UTF-8" "$(grep -c -- '-- /bin/marked$' "$R/etc/systemd/system/line.service.d/tollgate.conf")" 1
rm -r "$R/usr/lib/systemd/system/line.service" "$R/etc/systemd/system/line.service.d"

# ---- who hears the program, which may be tollgate's child ----
while IFS='|' read -r lines wanted; do
    printf "[Service]\nExecStart=/bin/x\n$lines\n" | unit usr/lib/systemd/system/heard.service
    enable heard >/dev/null
    is "NotifyAccess with ${lines//\\n/, }" "$(grep -c '^NotifyAccess=all$' "$R/etc/systemd/system/heard.service.d/tollgate.conf")" "$wanted"
done <<'L'
Type=simple|0
Type=simple\nWatchdogSec=30|1
Type=exec\nWatchdogSec=30\nWatchdogSec=0|0
WatchdogSec=1min\nNotifyAccess=main|1
Type=notify-reload\nNotifyAccess=main|1
Type=notify\nNotifyAccess=all|0
L
rm -r "$R/usr/lib/systemd/system/heard.service" "$R/etc/systemd/system/heard.service.d"

# ---- drop-ins of others ----
main=etc/systemd/system/a-b-c.service
printf '[Service]\nExecStart=/usr/bin/own\n' | unit $main
for owner in service a-.service a-b-.service a-b-c.service; do
    mkdir -p "$R/usr/lib/systemd/system/$owner.d"
    printf "[Service]\nExecStart=\nExecStart=/usr/bin/$owner\n" | unit "usr/lib/systemd/system/$owner.d/50-same.conf"
    drop_in=etc/systemd/system/a-b-c.service.d/tollgate.conf
    enable a-b-c >/dev/null
    is "the drop-in of $owner counts, before those of less" "$(starts)" "|$run -- /usr/bin/$owner|"
done
mkdir -p "$R/etc/systemd/system/a-.service.d"
printf '[Service]\nExecStart=\nExecStart=/usr/bin/last\n' | unit etc/systemd/system/a-.service.d/60-other.conf
enable a-b-c >/dev/null
is "of different names the last counts" "$(starts)" "|$run -- /usr/bin/last|"
rm -r "$R"/etc/systemd/system/a-* "$R"/usr/lib/systemd/system/{,a-.,a-b-.,a-b-c.}service.d
printf '[Service]\nExecStart=/usr/bin/maria\n' | unit usr/lib/systemd/system/maria.service
ln -s /usr/lib/systemd/system/maria.service "$R/etc/systemd/system/mysql.service"
ln -s maria.service "$R/usr/lib/systemd/system/mysqld.service"
drop_in=etc/systemd/system/mysql.service.d/tollgate.conf
enable mysql >/dev/null
is "an alias is read below the root" "$(starts)" "|$run -- /usr/bin/maria|"
mkdir -p "$R/etc/systemd/system/maria.service.d" "$R/etc/systemd/system/mysqld.service.d"
printf '[Service]\nExecStart=\nExecStart=/usr/bin/real\n' | unit etc/systemd/system/maria.service.d/10-x.conf
enable mysql >/dev/null
is "drop-ins of its real name count" "$(starts)" "|$run -- /usr/bin/real|"
printf '[Service]\nExecStart=\nExecStart=/usr/bin/other\n' | unit etc/systemd/system/mysqld.service.d/20-x.conf
enable mysql >/dev/null
is "and those of another alias" "$(starts)" "|$run -- /usr/bin/other|"
printf "[Service]\nExecStart=\nExecStart=/bin/sh -c 'a ; b' \\\\; \"c ; d\"\n" | unit etc/systemd/system/mysqld.service.d/20-x.conf
enable mysql >/dev/null
is "a ; that is quoted is data" "$(starts)" "|$run -- /bin/sh -c 'a ; b' \\; \"c ; d\"|"
rm -r "$R"/etc/systemd/system/m* "$R"/usr/lib/systemd/system/m*
drop_in=etc/systemd/system/shop.service.d/tollgate.conf

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
itself|[Service]\nExecStart=/usr/sbin/tollgated --environment prod\n|is Tollgate itself
itself by name|[Service]\nExecStart=tollgated --env prod\n|is Tollgate itself
itself in quotes|[Service]\nExecStart=-"/usr/sbin/tollgated" --env prod\n|is Tollgate itself
already behind a tab|[Service]\nExecStart=/usr/bin/tollgate\trun -- /bin/x\n|runs tollgate already
already by name|[Service]\nExecStart=tollgate "run" -- /bin/x\n|runs tollgate already
a quoted prefix|[Service]\nExecStart="-/bin/x" y\n|is quoted
foreground|[Service]\nExecStart=/usr/bin/tollgate start --foreground\n|is Tollgate itself
L
# ---- what stands between a service and the agent is said ----
said() { enable wall 2>&1 | grep -c 'of wall.service: .*; it will not be governed so'; }
while IFS='|' read -r lines wanted; do
    printf "[Service]\nExecStart=/bin/x\n$lines\n" | unit usr/lib/systemd/system/wall.service
    is "walls of ${lines//\\n/, }" "$(said)" "$wanted"
done <<L
PrivateNetwork=yes|1
PrivateNetwork=yes\\nPrivateNetwork=no|0
RestrictAddressFamilies=AF_INET AF_INET6|1
RestrictAddressFamilies=AF_INET AF_INET6\\nRestrictAddressFamilies=AF_UNIX|0
RestrictAddressFamilies=AF_INET6 AF_UNIX|1
RestrictAddressFamilies=none|1
RestrictAddressFamilies=~AF_NETLINK|0
RestrictAddressFamilies=~AF_NETLINK AF_UNIX|1
RootDirectory=/srv/root|1
InaccessiblePaths=/boot -/run/tollgate|1
InaccessiblePaths=/run/tollgate/production|0
InaccessiblePaths=/run/tollgate/|1
InaccessiblePaths=/run//tollgate/.|0
InaccessiblePaths="/run"|1
InaccessiblePaths=/boot "-/var/run/tollgate"|1
InaccessiblePaths=%%t/tollgate|1
InaccessiblePaths=%%tollgate|0
InaccessiblePaths=/run\\nInaccessiblePaths=|0
IPAddressDeny=any|1
IPAddressDeny=any\\nIPAddressAllow=localhost 10.0.0.0/8|0
IPAddressDeny=any\\nIPAddressAllow=127.0.0.1|1
IPAddressDeny=127.64.0.0/10|1
IPAddressDeny=10.0.0.0/8 link-local|0
NetworkNamespacePath=/run/netns/x|1
NoExecPaths=/|1
NoExecPaths=/\\nExecPaths=/bin /lib|1
NoExecPaths=/\\nExecPaths=/usr $(readlink -f "$BUILD")|0
NoExecPaths=/home/x|0
SystemCallFilter=~connect|1
SystemCallFilter=~connect:EPERM|1
SystemCallFilter=~@network-io\\nSystemCallFilter=connect socket sendto|0
SystemCallFilter=@system-service|0
SystemCallFilter=@system-service\\nSystemCallFilter=~@privileged @resources|0
SystemCallFilter=@system-service\\nSystemCallFilter=~@network-io|1
SystemCallFilter=@basic-io @file-system|1
RestrictAddressFamilies=AF_INET AF_UNIX\\nRestrictAddressFamilies=~AF_UNIX|1
RestrictAddressFamilies=~AF_NETLINK\\nRestrictAddressFamilies=~AF_PACKET|0
RestrictAddressFamilies=~AF_UNIX\\nRestrictAddressFamilies=AF_UNIX|0
TemporaryFileSystem=/:ro|1
TemporaryFileSystem=/run/tollgate:ro|1
DynamicUser=true|1
Nice=5|0
L
# dev's agent lives in the user's own directories.
dev() { "$TOLLGATE" systemd enable wall --env dev --root "$R" "$@" 2>&1; }
while IFS='|' read -r lines wanted; do
    printf "[Service]\nExecStart=/bin/x\n$lines\n" | unit usr/lib/systemd/system/wall.service
    is "walls of ${lines//\\n/, }, in dev" "$(dev | grep -c 'of wall.service: .*; it will not be governed so') $(said)" "$wanted 0"
done <<'L'
PrivateTmp=yes|1
PrivateTmp=no|0
ProtectHome=read-only|1
ProtectHome=no|0
ProtectSystem=strict|1
ProtectSystem=full|0
L
has "dev's agent would end with the service" "$(dev)" "--env dev: an agent that wall.service starts runs inside of it, and ends with it. Keep one running, whose directory --runtime names, or use prod's"
lacks "prod's does not" "$(enable wall)" "ends with it"
printf '[Service]\nExecStart=/bin/x\nPrivateTmp=yes\n' | unit usr/lib/systemd/system/wall.service
is "with a directory elsewhere /tmp is nobody's" "$(dev --runtime /run/user/1000/tollgate/dev | grep -c 'it will not be governed so')" 0
if echo 'int main(void) { return 0; }' | gcc -static -x c -o "$T/static" - 2>/dev/null; then
    printf '[Service]\nExecStart=%s\nSystemCallFilter=@system-service\n' "$T/static" | unit usr/lib/systemd/system/wall.service
    is "a static program wants a supervisor, which wants more calls" "$(said)" 1
    echo 'SystemCallFilter=seccomp pidfd_getfd' >>"$R/usr/lib/systemd/system/wall.service"
    is "with them nothing is in its way" "$(said)" 0
else
    skip "no static libc"
fi
printf '[Service]\nUser=shop\nExecStart=+/bin/x\n' | unit usr/lib/systemd/system/wall.service
has "a command with + is root's" "$(enable wall)" "its user, root, must be one of access.uids"
rm -r "$R/usr/lib/systemd/system/wall.service" "$R/etc/systemd/system/wall.service.d"
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
