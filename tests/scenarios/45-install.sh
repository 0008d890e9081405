#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make install: a tree that works from where it lies, moved or not, with any of the libraries' places; what the machine's
# administrator changed stays; make uninstall leaves only that.
. "$(dirname "$0")/lib.sh"
play "an installed tree governs, and goes away again"
provider
tree() { (cd "$1" && find . -type f | sort | grep -v '/man/man'); }
install_to() { make -s -C "$ROOT" BUILD="$BUILD" PACKAGE="$T/package" DESTDIR="$1" PREFIX="$2" "${@:3}" install; }

check "it installs" install_to "$T/root" /usr
[ "$FAILURES" = 0 ] || done_playing
is "what is where" "$(tree "$T/root" | grep -v /doc/tollgate/examples/)" "./etc/tollgate/policy-config.prod.yaml
./usr/bin/tollgate
./usr/lib/systemd/system/tollgated@.service
./usr/lib/systemd/system/tollgated@.socket
./usr/lib/systemd/user/tollgated.service
./usr/lib/sysusers.d/tollgate.conf
./usr/lib/tmpfiles.d/tollgate.conf
./usr/lib/tollgate/libtollgate.so
./usr/sbin/tollgated
./usr/share/bash-completion/completions/tollgate
./usr/share/doc/tollgate/LICENSE
./usr/share/doc/tollgate/README.md
./usr/share/doc/tollgate/REFERENCE.md
./usr/share/fish/vendor_completions.d/tollgate.fish
./usr/share/tollgate/policies/policy-config.dev.yaml
./usr/share/tollgate/policies/policy-config.prod.yaml
./usr/share/tollgate/policies/policy.schema.json
./usr/share/tollgate/policies/prices.yaml
./usr/share/tollgate/policies/providers.yaml
./usr/share/zsh/site-functions/_tollgate"
is "nothing names the build or is left to fill in" "$(grep -rlE "@[a-z]+dir@|$T" "$T/root" --include=*.service --include=*.socket --include=*.conf)" ""
if command -v scdoc >/dev/null; then
    is "pages" "$(cd "$T/root/usr/share/man" && echo man?/*)" "man1/tollgate.1 man5/tollgate-policy.5 man8/tollgated.8"
    is "a page for every command" "$("$TOLLGATE" help | awk '/^  [a-z]/{print $1}')" \
        "$(sed -n 's/^\.SS tollgate //p' "$T/root/usr/share/man/man1/tollgate.1")"
    # scdoc itself ends lists with an empty paragraph
    if command -v mandoc >/dev/null; then
        is "mandoc finds nothing" "$(mandoc -Tlint -Wwarning "$T"/root/usr/share/man/man?/* | grep -v 'skipping paragraph macro')" ""
    else
        skip "mandoc is not installed"
    fi
    if command -v man >/dev/null; then
        is "man finds nothing" "$(for page in "$T"/root/usr/share/man/man?/*; do LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null; done)" ""
    else
        skip "man is not installed"
    fi
else
    skip "pages need scdoc"
fi

# What runs while an installation is under way, or after one that broke off, finds a whole file.
printf '#!/bin/sh\nfor to; do from=$was was=$to; done\ncase $to in *"$BREAK"*) mkdir -p "${to%%/*}"; head -c 5000 "$from" >"$to"; exit 1 ;; esac\nexec install "$@"\n' >"$T/half"
chmod +x "$T/half"
for file in bin/tollgate sbin/tollgated lib/tollgate/libtollgate.so share/tollgate/policies/prices.yaml; do
    check "an installation that breaks off at $file fails" sh -c '! "$@"' sh env BREAK="/usr/$file" make -s -C "$ROOT" BUILD="$BUILD" \
        PACKAGE="$T/package" DESTDIR="$T/root" PREFIX=/usr INSTALL="$T/half" install
    source=$BUILD/${file##*/}
    [ -e "$source" ] || source=$ROOT/policies/${file##*/}
    check "and leaves what was there" cmp "$T/root/usr/$file" "$source"
done
is "and nothing besides" "$(tree "$T/root" | grep 'new$')" ""

echo '# mine' >>"$T/root/etc/tollgate/policy-config.prod.yaml"
check "it installs again" install_to "$T/root" /usr
is "the administrator's file is as it was" "$(tail -1 "$T/root/etc/tollgate/policy-config.prod.yaml")" '# mine'
mkdir -p "$T/root/etc/systemd/system"
printf '[Service]\nExecStart=/bin/x\n' >"$T/root/etc/systemd/system/shop.service"
"$TOLLGATE" systemd enable shop --env prod --root "$T/root" >/dev/null
is "it uninstalls, and names services that start by it" "$(make -s -C "$ROOT" BUILD="$BUILD" DESTDIR="$T/root" PREFIX=/usr uninstall 2>&1)" \
    "its service cannot start without tollgate: rm $T/root/etc/systemd/system/shop.service.d/tollgate.conf"
rm -r "$T/root/etc/systemd"
is "only the administrator's file is left" "$(tree "$T/root")" ./etc/tollgate/policy-config.prod.yaml
for prefix in "/opt/my apps" '/opt/a&b' '/opt/100%' "/opt/it's" opt/relative; do
    is "PREFIX=$prefix is refused" "$(install_to "$T/odd" "$prefix" 2>&1 | grep -c 'PREFIX and the other places are absolute paths')" 1
done
check "before anything is written" test ! -e "$T/odd"
is "nor is another place" "$(install_to "$T/odd" /usr zshdir='/usr/z sh' 2>&1 | grep -c 'PREFIX and the other places are')" 1
check "a plain one of its kinds installs" install_to "$T/even root" /opt/tollgate-1.0~rc+2@x
has "and its unit names it" "$(cat "$T/even root/opt/tollgate-1.0~rc+2@x/lib/systemd/system/tollgated@.service")" "ExecStart=/opt/tollgate-1.0~rc+2@x/sbin/tollgated "
is "libdir elsewhere is refused" "$(install_to "$T/root" /usr libdir=/opt/lib 2>&1 | grep -c 'libdir is one of')" 1

# A tree in a prefix of its own, each place of libraries; then moved. The policy and the shim are those of the tree.
multiarch=$(gcc -print-multiarch)
for place in lib lib64 ${multiarch:+lib/$multiarch}; do
    rm -rf "$T/tree"
    check "$place: it installs" install_to "" "$T/tree" libdir="$T/tree/$place"
    TOLLGATE=$T/tree/bin/tollgate
    # $PATH has no tollgated, and the seed policy is found by convention
    is "$place: the policy of the tree" "$("$TOLLGATE" start --providers "$T/providers.yaml" >"$T/out" 2>&1 && "$TOLLGATE" status --json |
        json 'd["policy"]')" "$(readlink -f "$T/tree")/share/tollgate/policies/policy-config.dev.yaml"
    has "$place: it governs" "$(openai "$(openai_body)")" '"choices"'
    has "$place: by the shim of the tree" "$(governed env)" "LD_PRELOAD=$(readlink -f "$T/tree")/$place/tollgate/libtollgate.so"
    check "$place: it stops" "$TOLLGATE" stop
done
mv "$T/tree" "$T/moved"
TOLLGATE=$T/moved/bin/tollgate
check "moved: it starts, with the policy of its new place" "$TOLLGATE" start --providers "$T/providers.yaml"
has "moved: it governs" "$(openai "$(openai_body)")" '"choices"'
check "moved: it finds its own catalogue and prices" "$TOLLGATE" check "$T/moved/share/tollgate/policies/policy-config.dev.yaml"
has "prod's policy is the tree's own" "$("$TOLLGATE" start --env prod --state "$T/ps" --runtime "$T/pr" 2>&1; "$TOLLGATE" status --env prod \
    --state "$T/ps" --runtime "$T/pr" --json)" "$(readlink -f "$T/moved")/etc/tollgate/policy-config.prod.yaml"
prod_doctor() { "$TOLLGATE" doctor --prod --state "$T/ps" --runtime "$T/pr" --json 2>/dev/null | json "[c['text'] for c in d['checks'] if c['name'] == '$1' and c['status'] != 'ok']"; }
is "its doctor finds nothing about the policy's place" "$(prod_doctor "policy directory")$(prod_doctor "environment file")" "[][]"
chmod 777 "$T/moved"
is "a directory further up that others write" "$(prod_doctor "policy directory")" "['$T/moved has mode 777']"
chmod 1777 "$T/moved"
is "but where each has his own" "$(prod_doctor "policy directory")" "[]"
chmod 755 "$T/moved" && touch "$T/moved/etc/tollgate/prod.env" && chmod 644 "$T/moved/etc/tollgate/prod.env"
has "the environment file of the tree" "$(prod_doctor "environment file")" "etc/tollgate/prod.env has mode 644"
if [ "$(id -u)" = 0 ]; then
    chown nobody "$T/moved/etc"
    has "a directory of somebody else's" "$(prod_doctor "policy directory")" "$T/moved/etc belongs to nobody"
fi
check "prod's agent stops" "$TOLLGATE" stop --env prod --state "$T/ps" --runtime "$T/pr"
stop_agent
done_playing
