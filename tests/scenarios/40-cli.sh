#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The client program against a stand-in agent (40-cli-agent.py): launching, environments, start and stop, every command's
# output and exit code. BUILD names the build directory. Prints "ok NAME" or "not ok NAME: why"; exit 1 when one is not.
set -u
here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "${BUILD:-$here/../../build}" && pwd) || exit 1
tollgate=$BUILD/tollgate
make -s -C "$here/../.." BUILD="$BUILD" "$BUILD/tests/clients/shim_map" || exit 1
work=$(mktemp -d) || exit 1
failed=0
PROBLEM=
agents() { cat "$work"/count* 2>/dev/null; }
cleanup() {
    for pid in $(agents); do
        [[ $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") == *"$work"* ]] && kill "$pid"
    done
    rm -rf "$work"
}
trap cleanup EXIT

# ---- vocabulary ----
report() { # NAME: what PROBLEM says
    if [[ -z $PROBLEM ]]; then echo "ok $1"; else echo "not ok $1: $PROBLEM"; failed=1; fi
    PROBLEM=
}
problem() { [[ -n $PROBLEM ]] || PROBLEM=${1//$'\n'/ | }; }
code() { # WANTED COMMAND…: leaves out and err
    local wanted=$1; shift
    "$@" >"$work/out" 2>"$work/err" </dev/null
    local got=$?
    out=$(<"$work/out") err=$(<"$work/err")
    [[ $got == "$wanted" ]] || problem "exit code $got, not $wanted: $* ($err)"
}
equal() { [[ $1 == "$2" ]] || problem "got \"$1\", wanted \"$2\""; }
has() { [[ $1 == *"$2"* ]] || problem "\"$2\" is not in \"$1\""; }
hasnt() { [[ $1 != *"$2"* ]] || problem "\"$2\" is in \"$1\""; }

# A clean user: no variables but these.
mkdir -m 700 "$work/home" "$work/run" "$work/bin"
cp "$here/40-cli-agent.py" "$work/bin/tollgated" # the shim knows an agent by its name
for name in $(compgen -e); do
    case $name in PATH | LANG | BUILD | LD_LIBRARY_PATH | *SAN_OPTIONS) ;; *) unset "$name" ;; esac
done
export HOME=$work/home XDG_RUNTIME_DIR=$work/run XDG_STATE_HOME=$work/state TERM=dumb COLUMNS=120 TZ=UTC
export TOLLGATED=$work/bin/tollgated FAKE_COUNT=$work/count FAKE_ATTEMPTS=$work/attempts TOLLGATE_POLICY=$work/policy.yaml
echo 'environment: dev' >"$work/policy.yaml"
runtime=$XDG_RUNTIME_DIR/tollgate/dev state=$XDG_STATE_HOME/tollgate/dev

# A sanitized client refuses to start behind any preload unless told so.
grep -q libasan < <(ldd "$tollgate") && export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"

# ---- words that need no agent ----
code 64 "$tollgate"; has "$err" "run a program"; report no-command
code 64 "$tollgate" walet list; has "$err" "did you mean wallet?"; report did-you-mean
code 64 "$tollgate" status --jsn; has "$err" "did you mean --json?"; report did-you-mean-option
code 0 "$tollgate" help run; has "$out" "127 it was not found"; code 0 "$tollgate" --version; has "$out" "tollgate "
report help
code 64 "$tollgate" status --env staging; has "$err" "dev or prod"; report unknown-environment
code 69 "$tollgate" wallet list; has "$err" "no agent of dev is running"; report agent-absent
code 125 "$tollgate" run --env prod --runtime "$work/none" --state "$work/none" true; has "$err" "tollgate start --env prod"
[[ ! -e $work/count ]] || problem "an agent was started"
report prod-is-never-started-by-run
OPENAI_API_KEY=kt_cg_x code 0 "$tollgate" check a.yaml --providers b.yaml
equal "$(jq -c .argv <<<"$out")" '["--tool","check","a.yaml","--providers","b.yaml"]'; equal "$(jq -c .keys <<<"$out")" '[]'
code 0 "$tollgate" audit; equal "$(jq -c .argv <<<"$out")" "[\"--tool\",\"audit\",\"--state\",\"$state\"]"
report tools-are-passed-on
(export FAKE_FAIL=65; code 125 "$tollgate" run true; has "$err" 'did you mean cache?'; code 65 "$tollgate" start
 has "$err" 'policy.yaml:3:5: unknown key "cachee"'; compgen -G "$state/start-*" && problem "files are left"
 report failed-start-is-shown; exit $failed) || failed=1
(unset TOLLGATE_POLICY; cp "$tollgate" "$BUILD/libtollgate.so" "$work/home/"; code 78 "$work/home/tollgate" start
 has "$err" ".config/tollgate/policy-config.dev.yaml"; report no-policy-file; exit $failed) || failed=1

# ---- one agent for many ----
exec 9>"$work/inherited"
pids=()
for _ in {1..60}; do
    (trap '' CHLD; exec "$tollgate" run -- sh -c 'echo "$OPENAI_API_KEY"' >>"$work/parallel" 2>&1) &
    pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || problem "a run failed: $(tail -1 "$work/parallel")"; done
exec 9>&-
equal "$(wc -l <"$work/count")" 1; equal "$(wc -l <"$work/attempts")" 1; equal "$(sort "$work/parallel" | uniq -c | tr -s ' ')" " 60 kt_cg_product_dev"
report parallel-runs-start-one-agent
seen=$state/seen.json
equal "$(jq -r .cwd "$seen")" /; equal "$(jq -r .stdin "$seen")" /dev/null; equal "$(jq -r .umask "$seen")" 0o77
[[ $(jq -c .fds "$seen") == "[0,1,2,3,"* && $(jq '.fds | length' "$seen") -le 7 ]] || problem "fds $(jq -c .fds "$seen")"
[[ $(jq -r .session "$seen") != "$(ps -o sid= -p $$ | tr -d ' ')" ]] || problem "the agent is in our session"
equal "$(stat -c %a "$state" "$runtime" | tr '\n' ' ')" "700 700 "
equal "$(jq -r '.environment | keys[] | select(startswith("TOLLGATE_"))' "$seen")" ""; report agent-is-detached

# ---- in place ----
code 0 "$tollgate" run true; code 7 "$tollgate" run -- sh -c 'exit 7'; code 143 sh -c '"$0" run -- sh -c "kill -TERM \$\$"; exit $?' "$tollgate"
code 0 "$tollgate" run -- sh -c 'echo $$; exec sleep 0'; report exit-code-and-signal
"$tollgate" run -- sh -c 'echo $$' >"$work/out" & wait $!; equal "$(<"$work/out")" $!; report same-process
code 0 "$tollgate" stop
(trap '' USR1 CHLD; code 0 "$tollgate" run -- grep SigIgn /proc/self/status
 mask=0x${out##*$'\t'}; (( (mask >> 9 & 1) && (mask >> 16 & 1) )) || problem "ignored signals are $mask"
 report signal-dispositions; exit $failed) || failed=1
code 127 "$tollgate" run -- no-such-program; has "$err" "no-such-program: not found"
code 127 "$tollgate" run -- /no/such/program; report not-found
touch "$work/plain"; code 126 "$tollgate" run -- "$work/plain"; has "$err" "cannot be executed"; report not-executable
printf 'echo without a first line\n' >"$work/bare"; chmod +x "$work/bare"; code 0 "$tollgate" run "$work/bare"
has "$out" "without a first line"; report script-without-interpreter-line
code 125 "$tollgate" run; code 125 "$tollgate" run --grop x true; code 125 "$tollgate" run --group nobody true
has "$err" "no consumer group is named nobody"; code 125 "$tollgate" run --group 'a b' true; report own-failures
printf 'int main(void) { return 5; }\n' >"$work/static.c"; gcc -static -o "$work/static" "$work/static.c"
code 5 "$tollgate" run "$work/static"; equal "$err" ""; code 5 "$tollgate" run --engine preload "$work/static"
has "$err" "cannot be governed: static"; printf '#!%s\n' "$work/static" >"$work/script"; chmod +x "$work/script"
code 5 "$tollgate" run "$work/script"; equal "$err" ""; code 5 "$tollgate" run --engine preload "$work/script"
has "$err" "static"; code 125 "$tollgate" run --engine fast true; has "$err" "preload or supervise"; report static-program-dev
gcc -fsanitize=address -o "$work/asan" "$work/static.c" && { ASAN_OPTIONS=detect_leaks=0 code 5 "$tollgate" run "$work/asan"; }
report program-with-asan

# ---- the environment of the program ----
code 0 "$tollgate" run --group g1 --project p1 -- env
for line in "LD_PRELOAD=$BUILD/libtollgate.so" "TOLLGATE_SHIM=$BUILD/libtollgate.so" TOLLGATE_ENV=dev TOLLGATE_GROUP=g1 \
    TOLLGATE_PROJECT=p1 "TOLLGATE_RUNTIME=$runtime" "TOLLGATE_CA_FILE=$runtime/ca.pem" "SSL_CERT_FILE=$runtime/bundle.pem" \
    "TOLLGATE_CA_BUNDLE=$runtime/bundle.pem" "NODE_EXTRA_CA_CERTS=$runtime/ca.pem" "npm_config_cafile=$runtime/bundle.pem" \
    OPENAI_API_KEY=kt_cg_product_dev ANTHROPIC_API_KEY=kt_cg_product_dev; do
    [[ $'\n'$out$'\n' == *$'\n'"$line"$'\n'* ]] || problem "$line is missing"
done
hasnt "$out" EVIL; hasnt "$out" NO_PROXY; hasnt "$out" SSL_CERT_DIR; report environment
code 0 "$tollgate" run -- env; hasnt "$out" TOLLGATE_GROUP; hasnt "$out" TOLLGATE_PROJECT; report no-group-unless-asked
cp /usr/lib/x86_64-linux-gnu/libdl.so.2 "$work/other.so"
LD_PRELOAD="$work/other.so" code 0 "$tollgate" run -- sh -c 'echo $LD_PRELOAD'; equal "$out" "$BUILD/libtollgate.so:$work/other.so"
report preload-of-the-user-kept
code 0 "$tollgate" run --group g1 -- "$tollgate" run -- sh -c 'echo $LD_PRELOAD $TOLLGATE_GROUP; env | grep -c TOLLGATE_WAS || :'
equal "$out" "$BUILD/libtollgate.so g1"$'\n'0; report nested-run
HTTPS_PROXY=http://p:1 no_proxy=.corp code 0 "$tollgate" run -- "$tollgate" run -- sh -c 'echo $NO_PROXY $no_proxy'
equal "$out" ".corp,api.anthropic.com,api.openai.com .corp,api.anthropic.com,api.openai.com"
HTTPS_PROXY=http://p:1 NO_PROXY='*' code 0 "$tollgate" run -- sh -c 'echo $NO_PROXY; set -f; echo $no_proxy'
report no-proxy
SSL_CERT_DIR=/x code 0 "$tollgate" run -- sh -c 'echo $SSL_CERT_DIR'; equal "$out" /x; report certificate-directory-left-alone
printf 'USER ROOT without newline' >"$work/user.pem"
SSL_CERT_FILE=$work/user.pem code 0 "$tollgate" run -- sh -c 'echo $SSL_CERT_FILE; cat $SSL_CERT_FILE; echo $TOLLGATE_WAS_SSL_CERT_FILE'
merged=$(head -1 <<<"$out"); has "$merged" "$runtime/merged/"; has "$out" $'USER ROOT without newline\n-----BEGIN'
has "$out" "SYSTEM ROOTS"; equal "$(tail -1 <<<"$out")" "$work/user.pem"
REQUESTS_CA_BUNDLE=$work/user.pem NODE_EXTRA_CA_CERTS=$work/user.pem code 0 \
    "$tollgate" run -- "$tollgate" run -- sh -c 'echo $REQUESTS_CA_BUNDLE; cat $NODE_EXTRA_CA_CERTS'
equal "$(head -1 <<<"$out")" "$merged"; hasnt "$out" "SYSTEM ROOTS"; has "$out" "USER ROOT"; has "$out" "OUR ROOT"
equal "$(ls "$runtime/merged" | wc -l)" 2; report merged-bundle
printf 'NEW USER ROOT' >"$work/user.pem"; SSL_CERT_FILE=$work/user.pem code 0 "$tollgate" run -- sh -c 'cat $SSL_CERT_FILE'
has "$out" "NEW USER ROOT"; report merged-bundle-follows-the-file
if [[ -e /etc/ssl/certs/ca-certificates.crt ]]; then
    ln -s /etc/ssl/certs/ca-certificates.crt "$work/link.pem"
    PIP_CERT=$work/link.pem CURL_CA_BUNDLE=/gone code 0 "$tollgate" run -- sh -c 'echo $PIP_CERT $CURL_CA_BUNDLE'
    equal "$out" "$runtime/bundle.pem $runtime/bundle.pem"; report system-bundle-needs-no-merge
fi
AWS_CA_BUNDLE=$work code 0 "$tollgate" run -- sh -c 'echo $AWS_CA_BUNDLE'; equal "$out" "$work"; report directory-value-left-alone

# ---- a whole shell ----
export TRICKY="it's \$HOME \\ \`x\` \"q\""
mkdir "$work/we ird'\$HOME"
tricky=$work/"we ird'\$HOME"/c.pem; cp "$work/user.pem" "$tricky"
activate='eval "$('$tollgate' env --shell SHELL --project "it-s")"; printf "%s\n" "$OPENAI_API_KEY" "$LD_PRELOAD" "$SSL_CERT_FILE"; eval "$('$tollgate' env --off --shell SHELL)"; printf "%s\n" "$OPENAI_API_KEY" "${LD_PRELOAD-none}" "$SSL_CERT_FILE" "${ANTHROPIC_API_KEY-none}"; env | grep -E "^TOLLGATE_(RUN|ENV|WAS|STATE=)|tollgate_was" || echo clean'
for shell in bash zsh; do
    command -v $shell >/dev/null || { [[ $shell == bash ]] && problem "no bash"; continue; }
    OPENAI_API_KEY="sk-'real\$" SSL_CERT_FILE=$tricky code 0 $shell -c "${activate//SHELL/$shell}"
    mapfile -t lines <<<"$out"
    equal "${lines[0]}" kt_cg_product_dev; equal "${lines[1]}" "$BUILD/libtollgate.so"; has "${lines[2]}" /merged/
    equal "${lines[3]}" "sk-'real\$"; equal "${lines[4]}" none; equal "${lines[5]}" "$tricky"; equal "${lines[6]}" none
    equal "${lines[7]}" clean; report shell-$shell
done
(export HTTPS_PROXY=p NO_PROXY="it's \\ \$HOME"; code 0 "$tollgate" env --shell bash
 has "$out" "export NO_PROXY='it'\\''s \\ \$HOME,api.anthropic.com,api.openai.com'"
 code 0 "$tollgate" env --shell fish; has "$out" "set -gx NO_PROXY 'it\\'s \\\\ \$HOME,api.anthropic.com,api.openai.com'"
 report quoting; exit $failed) || failed=1
if command -v fish >/dev/null; then
    OPENAI_API_KEY="sk-'real\$" code 0 fish -c "$tollgate env --shell fish | source; echo \$OPENAI_API_KEY; $tollgate env --off --shell fish | source; echo \$OPENAI_API_KEY"
    equal "$out" "kt_cg_product_dev"$'\n'"sk-'real\$"; report shell-fish
fi
code 0 "$tollgate" env --shell json; equal "$(jq -r .set.TOLLGATE_RUNTIME <<<"$out")" "$runtime"
SHELL=/bin/fish code 0 "$tollgate" env; has "$out" "set -gx LD_PRELOAD"; code 64 "$tollgate" env --shell tcsh; report shell-names

# ---- a map that no program could read ----
# spoil HOW: the map as a full disk, an operator or another version leaves it
spoil() {
    case $1 in
    missing) rm -f "$runtime/map" ;;
    empty) : >"$runtime/map" ;;
    cut) head -c -1 "$work/map" >"$runtime/map" ;;
    checksum) printf x | dd of="$runtime/map" bs=1 seek=80 conv=notrunc status=none ;;
    version) printf '\002' | dd of="$runtime/map" bs=1 seek=8 conv=notrunc status=none ;;
    fifo) rm "$runtime/map"; mkfifo "$runtime/map" ;;
    esac
}
mend() { rm -rf "$runtime/map"; cp "$work/map" "$runtime/map"; }
map_words() { # the one line, after the program's name
    case $1 in
    missing) echo "is missing" ;; empty) echo "has an impossible size" ;; cut) echo "is cut off" ;; checksum) echo "has a wrong checksum" ;;
    version) echo "is of another version" ;; fifo) echo "is no regular file" ;;
    esac
}
cp "$runtime/map" "$work/map"
for how in missing empty cut checksum version fifo; do
    spoil $how
    line="cannot be governed: $runtime/map $(map_words $how) (tollgate restart: the agent writes it)"
    for engine in preload supervise; do
        code 0 "$tollgate" run --engine $engine -- echo started
        equal "$out" started; equal "$err" "tollgate: echo $line"
    done
    code 5 "$tollgate" run "$work/static"; equal "$err" "tollgate: $work/static $line"
    code 0 "$tollgate" env --shell bash; has "$out" LD_PRELOAD; equal "$err" "tollgate: what this shell starts $line"
    touch "$state/strict"
    for engine in preload supervise; do
        code 125 "$tollgate" run --engine $engine -- echo started
        equal "$out" ""; equal "$err" "tollgate: echo $line; capture.strict runs no ungoverned program"
    done
    code 125 "$tollgate" run "$work/static"; code 69 "$tollgate" env --shell bash; equal "$out" ""
    rm "$state/strict"; mend
    code 0 "$tollgate" run -- echo started; equal "$err" ""; report "map-$how-is-not-passed-over"
done
prod=(--env prod --state "$work/prod" --runtime "$work/prun")
FAKE_COUNT=$work/count.prod code 0 "$tollgate" start "${prod[@]}"
code 0 "$tollgate" run "${prod[@]}" -- echo started; equal "$err" ""
mv "$work/prun/map" "$work/map.prod"; code 125 "$tollgate" run "${prod[@]}" -- echo started; equal "$out" ""
equal "$err" "tollgate: echo cannot be governed: $work/prun/map is missing (tollgate restart --env prod: the agent writes it); prod runs no ungoverned program"
code 125 "$tollgate" run "${prod[@]}" "$work/static"
mv "$work/map.prod" "$work/prun/map"; code 0 "$tollgate" run "${prod[@]}" -- echo started; code 0 "$tollgate" stop "${prod[@]}"
report map-prod-refuses

# ---- a library that no program could load ----
mkdir "$work/copy"; cp "$tollgate" "$BUILD/libtollgate.so" "$work/copy/"
copy=$work/copy/tollgate library=$work/copy/libtollgate.so
damage() { # HOW: what is left of it after an upgrade that broke off, or by somebody's hand
    cp "$BUILD/libtollgate.so" "$library"
    case $1 in
    empty) : >"$library" ;;
    header) truncate -s 4096 "$library" ;;
    cut) truncate -s 20000 "$library" ;;
    text) echo 'INPUT(libtollgate.so.0)' >"$library" ;;
    foreign) cp /usr/lib/x86_64-linux-gnu/libdl.so.2 "$library" ;;
    program) cp "$tollgate" "$library" ;;
    version) python3 -c 'import sys
bytes = open(sys.argv[1], "rb").read()
note = b"Tollgate\0\0\0\0"
at = bytes.index(note) + len(note)
open(sys.argv[1], "wb").write(bytes[:at] + b"\x7f" + bytes[at + 1:])' "$library" ;;
    esac
}
library_words() {
    case $1 in
    empty | text) echo "is no library of this machine" ;; header | cut) echo "is cut off" ;; foreign | program) echo "is not of this program" ;;
    version) echo "is of another version" ;;
    esac
}
for how in empty header cut text foreign program version; do
    damage $how
    line="cannot be governed: $library $(library_words $how) (install it again)"
    LD_PRELOAD=$work/other.so code 0 "$copy" run -- sh -c 'echo "$LD_PRELOAD ${TOLLGATE_SHIM-none}"'
    equal "$out" "$work/other.so none"; equal "$err" "tollgate: sh $line"
    code 0 "$copy" run -- sh -c 'echo ${LD_PRELOAD-none}'; equal "$out" none
    code 0 "$copy" run --engine supervise -- echo started; equal "$out$err" started # needs none
    code 0 "$copy" env --shell bash; equal "$err" "tollgate: what this shell starts $line"
    code 1 "$copy" doctor --json; equal "$(jq -r '.checks[] | select(.name == "shim") | .status + " " + .text' <<<"$out")" "failure $library $(library_words $how)"
    touch "$state/strict"
    code 125 "$copy" run -- echo started; equal "$out" ""; equal "$err" "tollgate: echo $line; capture.strict runs no ungoverned program"
    code 69 "$copy" env --shell bash; code 5 "$copy" run "$work/static"; rm "$state/strict"
    report "library-$how-is-not-preloaded"
done
damage nothing; code 0 "$copy" run -- sh -c 'echo $LD_PRELOAD'; equal "$out$err" "$library"; report library-whole
if [[ $(id -u) == 0 ]] && unshare -m true 2>/dev/null; then
    touch "$state/strict"
    code 125 unshare -m sh -c 'mount --bind "$1" "$1" && mount -o remount,bind,noexec "$1" && "$2" run -- echo started' sh "$library" "$copy"
    has "$err" "lies where nothing may be executed (noexec)"; rm "$state/strict"; report library-noexec
fi

# ---- the agent's life ----
code 0 "$tollgate" status; has "$out" "$work/policy.yaml"; code 0 "$tollgate" status --json; equal "$(jq .port <<<"$out")" 4443
report status
echo other >"$work/other.yaml"; code 75 "$tollgate" start --policy "$work/other.yaml"; has "$err" "runs already"
code 0 "$tollgate" run --policy "$work/other.yaml" true; has "$err" "--policy changes nothing"; report other-policy
code 0 "$tollgate" reload; has "$err" "no price"; has "$out" "cdcdcdcdcdcd"; touch "$state/bad"
code 65 "$tollgate" reload; has "$err" "policy.yaml:1:1: unknown key"; has "$err" "stays as it was"; report reload
pid=$(tail -1 "$work/count")
code 0 "$tollgate" stop; [[ ! -d /proc/$pid || $(<"/proc/$pid/stat") == *") Z "* ]] || problem "the agent still runs"
code 0 "$tollgate" stop; has "$out" "no agent"; code 69 "$tollgate" status; report stop
(cd "$work" && unset TOLLGATE_POLICY && code 0 "$tollgate" start --policy other.yaml --providers policy.yaml --log-level debug
 has "$err" "policy.yaml:2:2: warning: no price"; code 0 "$tollgate" stop; code 0 "$tollgate" run true
 equal "$(jq -c '.argv[2:4] + .argv[8:10]' "$seen")" "[\"--policy\",\"$work/other.yaml\",\"--providers\",\"$work/policy.yaml\"]"
 report start-is-remembered; exit $failed) || failed=1
code 0 "$tollgate" run -- "$tollgate" stop
SSL_CERT_FILE=$work/user.pem HTTPS_PROXY=p NO_PROXY=.corp NOTIFY_SOCKET=/n code 0 "$tollgate" run -- \
    sh -c "$tollgate stop && $tollgate run true"
jq -r '.environment | to_entries[] | "\(.key)=\(.value)"' "$seen" >"$work/out"; out=$(<"$work/out")
for name in LD_PRELOAD= TOLLGATE_ENV= TOLLGATE_RUNTIME= TOLLGATE_WAS kt_cg_ NOTIFY_SOCKET "$runtime"; do hasnt "$out" "$name"; done
has "$out" "SSL_CERT_FILE=$work/user.pem"; has "$out" $'NO_PROXY=.corp\n'; hasnt "$out" api.openai.com
report agent-from-a-governed-shell-is-not-governed
(unset XDG_RUNTIME_DIR; fallback=/tmp/tollgate-$(id -u); [[ -e $fallback ]] && exit $failed
 mkdir -m 755 "$fallback"; code 77 "$tollgate" status; has "$err" "open to others"; rmdir "$fallback"
 ln -s "$work" "$fallback"; code 125 "$tollgate" run true; has "$err" "not a directory"; rm "$fallback"
 report planted-runtime-directory; exit $failed) || failed=1
long=$work/$(printf 'x%.0s' {1..100}); code 125 "$tollgate" run --runtime "$long" --state "$work/long" true
has "$err" "File name too long"; report runtime-path-too-long

# ---- reports ----
for COLUMNS in 80 120; do
    for words in "wallet list" "wallet show team_product_dev" events "why 01J8Z3K4W5X6Y7Z8A9B0C1D2E3"; do
        code 0 "$tollgate" $words
        [[ $words == why* ]] || (( $(LC_ALL=C.UTF-8 wc -L <"$work/out") <= COLUMNS )) ||
            problem "$words: a line has more than $COLUMNS columns"
        hasnt "$out" $'\033'
    done
    report "tables-at-$COLUMNS"
done
COLUMNS=120 code 0 "$tollgate" wallet list; has "$out" "FUNDED"; has "$out" "9.99"; has "$out" "team_product_dev"
COLUMNS=80 code 0 "$tollgate" wallet list; hasnt "$out" "FUNDED"; has "$out" "…"; report compact-below-100
code 0 "$tollgate" wallet list --json; equal "$(jq -r '.wallets[0].available' <<<"$out")" 9.990000000; report wallet-json
code 0 "$tollgate" wallet fund team_product_dev 10 --create --note "it's mine"
equal "$(jq -c 'del(.id)' "$state/order.json")" '{"amount":"10","note":"it'"'"'s mine","create":true}'
has "$(jq -r .id "$state/order.json" | grep -cE '^[0-7][0-9A-HJKMNP-TV-Z]{25}$')" 1
code 65 "$tollgate" wallet fund team_product_dev -5; has "$err" "not a valid sum"; code 1 "$tollgate" wallet show other
code 64 "$tollgate" wallet fund a/../b 5; code 64 "$tollgate" wallet fund x; report wallet
code 0 "$tollgate" events; equal "$(wc -l <<<"$out")" 2; has "$(head -1 <<<"$out")" "gpt-5.4-mini-mini → openai-gpt4o-mini"
has "$(head -1 <<<"$out")" "15/7"; has "$(head -1 <<<"$out")" "0.001234"; has "$(head -1 <<<"$out")" team_product_dev
has "$(tail -1 <<<"$out")" "402"; has "$(tail -1 <<<"$out")" "wallet_exhausted: team_product_dev has 0.00"
code 0 "$tollgate" events --limit 1 --json; equal "$(jq '.events | length' <<<"$out")" 1; code 64 "$tollgate" events --limit 0
report events
code 69 "$tollgate" events --follow --json; equal "$(jq -r .id <<<"$out" | tr '\n' ' ')" \
    "01J8Z3K4W5X6Y7Z8A9B0C1D2E3 01J8Z3K4W5X6Y7Z8A9B0C1D2E4 follow-1 follow-2 "; has "$err" "ended the stream"; report follow
code 0 "$tollgate" why 01J8Z3K4W5X6Y7Z8A9B0C1D2E3
for word in "receive" "held 0.02 of team_product_dev" "settle" "wallet team_product_dev" "0.001234 USD, held 0.02" "exact"; do
    has "$out" "$word"
done
code 0 "$tollgate" why last; has "$out" "wallet_exhausted"; code 1 "$tollgate" why 01J8Z3K4W5X6Y7Z8A9B0C1D2E9
code 0 "$tollgate" why 01J8Z3K4W5X6Y7Z8A9B0C1D2E3 --json; equal "$(jq '.steps | length' <<<"$out")" 3; report why
printf 'sk-a\0b\n' | "$tollgate" secret set OPENAI >"$work/out" 2>&1 || problem "$(<"$work/out")"
equal "$(xxd -p "$state/stored")" 736b2d610062; hasnt "$(tr -d '\0' <"$work/out")" sk-a
printf 'kt_cg_x\n' | "$tollgate" secret set OPENAI 2>/dev/null; equal $? 65
code 65 "$tollgate" secret set OPENAI; code 64 "$tollgate" secret get OPENAI; code 64 "$tollgate" secret set ../x; report secret
export OPENAI_API_KEY=sk-real HTTPS_PROXY=http://p
code 1 "$tollgate" doctor
for word in "agent's" "map  " "2 governed names" "real keys in this shell" "ledger" "loads" "seccomp" "fix: " "HTTPS_PROXY is set"; do
    has "$out" "${word/agent\'s/agent }"
done
has "$out" "what governed programs start runs, without capture.strict"
cp "$runtime/map" "$work/map"; "$BUILD/tests/clients/shim_map" "$runtime/map" -s -p 443:9 api.openai.com=127.77.0.1; code 1 "$tollgate" doctor
has "$out" "are not executed: capture.strict holds for"; cp "$work/map" "$runtime/map"; code 1 "$tollgate" doctor
hasnt "$out" sk-real; chmod 755 "$state"; code 1 "$tollgate" doctor --json
equal "$(jq -r '.checks[] | select(.name == "state directory") | .status + " " + .fix' <<<"$out")" "failure chmod 700 $state"
chmod 700 "$state"; printf x | dd of="$runtime/map" bs=1 seek=80 conv=notrunc status=none; code 1 "$tollgate" doctor
has "$out" "wrong checksum"; report doctor
code 64 "$tollgate" wallet list --state "$work/elsewhere"; has "$err" "keeps its state in $state, not in $work/elsewhere"
code 125 "$tollgate" run --state "$work/elsewhere" true; code 0 "$tollgate" wallet list --state "$state/."
code 0 "$tollgate" wallet list --state "$state"; report another-state
code 0 "$tollgate" stop; report last-stop
exit $failed
