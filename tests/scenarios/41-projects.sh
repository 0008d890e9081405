#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A project's .tollgate.yaml: found upwards, followed once trusted by path and content, before defaults and after options
# and variables; what hostile files can do (nothing); shells that have the hook.
. "$(dirname "$0")/lib.sh"
play "projects: trust, order, hostile files, shell hooks"
# A sanitized client refuses to start behind any preload, as in a governed shell, unless told so.
grep -q libasan < <(ldd "$TOLLGATE") && export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"
unset TOLLGATE_ENV TOLLGATE_GROUP TOLLGATE_PROJECT TOLLGATE_RUNTIME TOLLGATE_PROJECT_FILE
provider
policy <<'YAML'
environment: dev
providers:
  targets:
    - {id: openai-gpt4o-mini, provider: openai, model: gpt-5.4-mini-mini, secret_key_ref: {env: OPENAI_API_KEY}}
projects:
  - {name: 'shop*', routing: {on_unlisted_model: block}}
consumer_groups:
  - {name: product-dev, api_key: kt_cg_product_dev, wallet_team_id: team_product_dev, default: true}
  - {name: research, api_key: kt_cg_research, wallet_team_id: team_research}
cost_tracking: {enabled: true, wallet_enforcement: true}
YAML
agent
trust() { "$TOLLGATE" trust "$@" </dev/null; }
run() { "$TOLLGATE" run "$@" 2>"$T/err"; }
names() { run "$@" -- sh -c 'echo "$TOLLGATE_ENV/${TOLLGATE_GROUP-}/${TOLLGATE_PROJECT-}"'; }
ask() { # MODEL [RUN OPTIONS…]: the status
    local body
    body=$(openai_body "$1")
    shift
    note_events
    run "$@" -- sh -c 'curl -sS --max-time 60 -o /dev/null -w "%{http_code}" https://api.openai.com/v1/chat/completions -H "authorization: Bearer $OPENAI_API_KEY" -H "content-type: application/json" -d "$0"' "$body"
}
shop=$HOME/work/shop
mkdir -p "$shop/src/deep" "$HOME/work/other"

# ---- without, untrusted, trusted
cd "$shop/src/deep" || exit 1
is "without a file a call has no project" "$(ask gpt-5.4-mini-mini) $(last_event '["project"]')" "200 "
printf 'environment: dev\ngroup: research\nproject: shop\n' >"$shop/.tollgate.yaml"
is "a file that is not trusted is not followed" "$(names)" "dev//"
has "one line says so, and what helps" "$(cat "$T/err")" "$shop/.tollgate.yaml is not trusted and is not followed; tollgate trust"
is "exactly one" "$(wc -l <"$T/err")" 1
out=$(trust)
for part in "$shop/.tollgate.yaml" "environment  dev" "group        research" "project      shop" "trusted, until it changes"; do
    has "trust shows: ${part##*/}" "$out" "$part"
done
is "what is kept is the user's alone" "$(stat -c %a "$XDG_STATE_HOME/tollgate/trust" "$XDG_STATE_HOME/tollgate/trust/projects.json" | tr '\n' ' ')" "700 600 "
is "a trusted file is followed from below" "$(names)" "dev/research/shop"
is "silently" "$(cat "$T/err")" ""
is "a call is the project's" "$(ask gpt-5.4-mini-mini) $(last_event '["project"]') $(last_event '["group"]') $(last_event '["wallet"]')" "200 shop research team_research"
is "its routing is the project's" "$(ask unlisted-model)" 403
is "and not another's" "$(ask unlisted-model --project other)" 200
has "env follows it too" "$("$TOLLGATE" env --shell bash)" "export TOLLGATE_PROJECT='shop'"

# ---- the order
is "options go before the file" "$(names --group product-dev --project mine)" "dev/product-dev/mine"
is "variables too" "$(TOLLGATE_PROJECT=mine names)" "dev/research/mine"
is "and options before variables" "$(TOLLGATE_PROJECT=mine names --project yours)" "dev/research/yours"
is "a governed program stays with its names" "$("$TOLLGATE" run --project outer -- "$TOLLGATE" run -- sh -c 'echo "$TOLLGATE_PROJECT"')" outer

# ---- changes, copies, links
printf '# only a comment\n' >>"$shop/.tollgate.yaml"
is "a changed file is not followed" "$(names)" "dev//"
has "and that is said" "$(cat "$T/err")" "has changed since it was trusted"
has "the list says so" "$(trust --list)" "changed"
has "it can be trusted again" "$(trust)" "trusted again"
cp "$shop/.tollgate.yaml" "$HOME/work/other/"
is "a copy elsewhere is not trusted" "$(cd "$HOME/work/other" && names)" "dev//"
ln -sf "$shop/.tollgate.yaml" "$HOME/work/other/.tollgate.yaml"
is "nor is a link to the file" "$(cd "$HOME/work/other" && names)" "dev//"
ln -s "$shop" "$HOME/shortcut"
is "a link to the directory is the directory" "$(cd "$HOME/shortcut/src" && names)" "dev/research/shop"
printf 'project: above\n' >"$T/.tollgate.yaml"
is "nothing above the home directory is looked at" "$(cd "$HOME" && names; cat "$T/err")" "dev//"
rm "$T/.tollgate.yaml"
has "trust is taken back" "$(trust --remove)" "is not trusted any more"
is "and is then gone" "$(names)" "dev//"
trust --remove >/dev/null 2>&1
is "twice is a negative" $? 1
trust >/dev/null
mkdir "$HOME/work/My Shop (2)"
: >"$HOME/work/My Shop (2)/.tollgate.yaml"
is "without a name it is the directory's, as a name" "$(cd "$HOME/work/My Shop (2)" && trust >/dev/null && names)" "dev//My-Shop-2-"

# ---- prod, never by accident
mkdir "$HOME/work/live" && cd "$HOME/work/live" || exit 1
printf 'environment: prod\n' >.tollgate.yaml
run touch "$T/ran"
is "an untrusted file that says prod stops run" "$? $(ls "$T/ran" 2>/dev/null)" "125 "
has "with what helps" "$(cat "$T/err")" "is not trusted and is for prod: see it and trust it with tollgate trust, or say --env dev or --env prod"
is "--env decides" "$(names --env dev)" "dev//"
is "TOLLGATE_ENV decides" "$(TOLLGATE_ENV=dev names)" "dev//"
"$TOLLGATE" env --shell bash >"$T/out" 2>/dev/null
is "env is stopped too" "$? $(cat "$T/out")" "77 "
has "trust warns" "$(trust)" "prod: programs run here spend prod's money"
run touch "$T/ran"
is "a trusted one is followed; prod's agent is not started" "$? $(ls "$T/ran" 2>/dev/null)" "125 "
has "which is said" "$(cat "$T/err")" "no agent of prod is running"
is "TOLLGATE_ENV goes before it" "$(TOLLGATE_ENV=dev names)" "dev//live"
has "aloud" "$(cat "$T/err")" "TOLLGATE_ENV says dev, which goes before"
printf 'environment: dev\n' >.tollgate.yaml
run true
is "what was for prod and changed does not become dev in silence" $? 125
printf 'environment: prod\n' >.tollgate.yaml
(
    ENVIRONMENT=prod
    agent
    "$TOLLGATE" wallet fund team_product_prod 5 --create --env prod >/dev/null
    note_events
    "$TOLLGATE" run -- sh -c 'curl -sS -o /dev/null https://api.openai.com/v1/chat/completions -H "authorization: Bearer $OPENAI_API_KEY" -H "content-type: application/json" -d "$0"' "$(openai_body gpt-5.4-mini)"
    is "with prod's agent there, calls are prod's" "$(last_event '["environment"]') $(last_event '["project"]') $(last_event '["wallet"]')" "prod live team_product_prod"
    stop_agent
    exit $FAILURES
) || FAILURES=$((FAILURES + 1))

# ---- files that somebody made to hurt
evil=$HOME/work/evil
mkdir "$evil" && cd "$evil" || exit 1
refused() { # NAME PART: not followed, in time, with the reason, and nothing is stopped
    is "$1: not followed" "$(timeout 20 "$TOLLGATE" run -- sh -c 'echo "$TOLLGATE_ENV/${TOLLGATE_PROJECT-}"' 2>"$T/err")" "dev/"
    has "$1: the reason" "$(cat "$T/err")" "$2"
    trust >"$T/out" 2>&1 && not_ok "$1: cannot be trusted" "$(cat "$T/out")"
    rm -rf .tollgate.yaml
}
mkfifo .tollgate.yaml && refused "a pipe" "is no regular file"
mkdir .tollgate.yaml && refused "a directory" "is no regular file"
ln -s .tollgate.yaml .tollgate.yaml && refused "a loop of links" "is a loop of symbolic links"
ln -s /dev/zero .tollgate.yaml && refused "a device" "is no regular file"
head -c 10M /dev/zero | tr '\0' '#' >.tollgate.yaml && refused "10 MB" "is larger than 16 KiB"
printf 'environment: prod\n' >.tollgate.yaml && chmod 666 .tollgate.yaml && refused "writable by others" "can be written by others"
if [ "$(id -u)" = 0 ]; then
    printf 'environment: prod\n' >.tollgate.yaml && chown nobody .tollgate.yaml && refused "another user's" "belongs to another user"
    mkdir -m 1777 "$HOME/work/tmp" "$HOME/work/tmp/mine" && printf 'environment: prod\n' >"$HOME/work/tmp/.tollgate.yaml"
    chown nobody "$HOME/work/tmp/.tollgate.yaml"
    is "another user's file above, in a directory for all, stops nobody" "$(cd "$HOME/work/tmp/mine" && names)" "dev//"
else
    skip "other users' files need root"
fi
for bad in 'enviroment: prod' 'environment: [prod' 'environment: &a prod' $'a: 1\nenvironment: prod' 'project: "a;touch pwned"' 'project: "\e[31mred"' '- prod' '{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{'; do
    printf '%s\n' "$bad" >.tollgate.yaml
    run touch pwned
    got=$?
    is "mistakes could mean prod: ${bad//$'\n'/ }" $got 125
    trust >"$T/out" 2>&1
    is "and are not trusted" $? 65
    has "with their place" "$(cat "$T/out")" ".tollgate.yaml:"
    lacks "nothing reaches the terminal as it was" "$(cat "$T/out")" $'\e'
done
is "nothing was run" "$(find "$HOME" -name pwned)" ""
printf 'enviroment: prod\n' >.tollgate.yaml
has "a slip gets its hint" "$(trust 2>&1)" 'did you mean "environment"?'
odd=$HOME/work/$'o\'dd "$(touch pwned)" `touch pwned`\n\e[31m'
mkdir "$odd" && cd "$odd" || exit 1
printf 'shell: true\n' >.tollgate.yaml
lacks "a path's control characters do not reach the terminal" "$(names; cat "$T/err"; trust)" $'\e'
is "such a path is trusted and followed" "$(names)" "dev//o-dd-touch-pwned-touch-pwned-31m"
cd "$shop" || exit 1
is "without HOME it is found as well" "$(env -u HOME "$TOLLGATE" run -- sh -c 'echo "$TOLLGATE_PROJECT"')" shop

store=$XDG_STATE_HOME/tollgate/trust/projects.json
chmod 644 "$store"
is "a list that others may read or write is not believed" "$(names)" "dev//"
has "and that is said" "$(cat "$T/err")" "is open to others"
chmod 600 "$store"
chmod 755 "${store%/*}"
is "nor one in a directory that is open to others" "$(names)" "dev//"
trust >/dev/null 2>&1
is "where nothing is kept either" $? 73
chmod 700 "${store%/*}"
cp "$store" "$T/store" && printf '{"projects": ' >"$store"
is "nor is a damaged one" "$(names)" "dev//"
trust >/dev/null 2>&1 && not_ok "a damaged list is not written over" "it was"
rm "$store" && ln -s "$T/store" "$store"
is "nor a link" "$(names)" "dev//"
rm "$store" && cp "$T/store" "$store" && chmod 600 "$store"
is "the right one is" "$(names)" "dev/research/shop"
for i in 1 2 3 4 5 6; do
    mkdir -p "$HOME/many/$i" && : >"$HOME/many/$i/.tollgate.yaml"
    trust "$HOME/many/$i" >/dev/null &
    trusting[i]=$!
done
wait "${trusting[@]}"
is "six at once are all kept" "$(trust --list | grep -c "many/.*trusted")" 6

# ---- a file that changes between any two looks at it: what is followed is what was hashed
cd "$HOME/work/other" && rm -f .tollgate.yaml || exit 1
printf 'project: good\n' >good.yaml
printf 'environment: prod\nproject: evil\n' >evil.yaml
cp good.yaml .tollgate.yaml && trust >/dev/null
(for _ in {1..4000}; do
    cp evil.yaml .a && mv .a .tollgate.yaml
    cp good.yaml .a && mv .a .tollgate.yaml
    [ -e stop ] && break
done) 2>/dev/null &
swapper=$!
for _ in {1..40}; do
    run -- sh -c 'echo "$TOLLGATE_ENV/$TOLLGATE_PROJECT"' || if grep -q 'no agent of prod' "$T/err"; then echo prod; else echo stopped; fi
done >"$T/out"
touch stop
wait $swapper
is "a file that is swapped all the time is followed as trusted, or not" "$(sort -u "$T/out" | grep -vxE 'dev/good|stopped')" ""
has "both were seen" "$(sort -u "$T/out" | tr '\n' ' ')" "dev/good stopped"

# ---- shells
printf 'environment: dev\nproject: shop\nshell: true\n' >"$shop/.tollgate.yaml"
trust "$shop" >/dev/null
mkdir "$HOME/work/plain"
printf '#!/bin/sh\necho step >>%s\nexec %s "$@"\n' "$T/steps" "$TOLLGATE" >"$T/counted" && chmod +x "$T/counted"
lines() { # SHELL: what a user types; "status" is $? or $status
    local status='$?' load="eval \"\$(sed 's|$TOLLGATE|$T/counted|' $T/hook)\"" set_e='set -eu' clear_e='set +eu'
    [ "$1" = fish ] && status='$status' load="sed 's|$TOLLGATE|$T/counted|' $T/hook | source" set_e='true' clear_e='true'
    cat <<LINES
cd $HOME/work/plain
export OPENAI_API_KEY=sk-mine SSL_CERT_FILE=/mine.pem PIP_CERT=
$load
$load
true
echo "steps: "\$(cat $T/steps | wc -l)
true
true
false
echo "kept: $status"
echo "quiet: "\$(cat $T/steps | wc -l)
cd $shop
echo "in: \$OPENAI_API_KEY \$TOLLGATE_PROJECT \$TOLLGATE_ENV"
$set_e
cd src
false || true
echo "below: \$TOLLGATE_PROJECT"
$clear_e
curl -sS -o /dev/null -w 'call: %{http_code}\n' https://api.openai.com/v1/chat/completions -H "authorization: Bearer \$OPENAI_API_KEY" -H 'content-type: application/json' -d '$(openai_body)'
$1 $2 -c 'echo "child: \$TOLLGATE_PROJECT"'
cd "$HOME/work/plain"
echo "out: \$OPENAI_API_KEY \$SSL_CERT_FILE [\$TOLLGATE_PROJECT] [\$LD_PRELOAD]"
env | grep -E '^(TOLLGATE_|__tollgate)' ; echo "left: "\$(env | grep -cE '^(TOLLGATE_|__tollgate|.*kt_cg_)')
cd $HOME/work/odd-link
echo "odd: \$TOLLGATE_PROJECT"
cd $HOME/work/live
echo "prod: [\$TOLLGATE_ENV] \$OPENAI_API_KEY"
cd $HOME/work/untrusted
true
true
cd "$HOME/work/plain"
false
echo "end: $status [\$TOLLGATE_ENV] \$OPENAI_API_KEY"
exit
LINES
}
ln -s "$odd" "$HOME/work/odd-link"
mkdir "$HOME/work/untrusted" && printf 'shell: true\n' >"$HOME/work/untrusted/.tollgate.yaml"
for shell in bash zsh fish; do
    command -v $shell >/dev/null && command -v script >/dev/null || { skip "no $shell, or no script(1): its hook was not tried"; continue; }
    case $shell in bash) plain='--norc --noprofile' ;; zsh) plain=-f ;; fish) plain=--no-config ;; esac
    rm -f "$T/steps" && touch "$T/steps"
    "$TOLLGATE" hook $shell >"$T/hook"
    note_events
    lines $shell $plain >"$T/lines"
    (cd "$HOME" && TERM=dumb PS1='> ' timeout 60 script -qec "$shell $plain" /dev/null <"$T/lines") 2>&1 | tr -d '\r' >"$T/typed"
    said() { grep -aE "^$1: " "$T/typed" | tail -1; }
    is "$shell: a prompt elsewhere asks once" "$(said steps)" "steps: 1"
    is "$shell: where nothing changes no process is started" "$(said quiet)" "quiet: 1"
    is "$shell: the status is the command's" "$(said kept)" "kept: 1"
    is "$shell: entering governs it" "$(said in)" "in: kt_cg_product_dev shop dev"
    is "$shell: and what lies below, under set -eu" "$(said below)" "below: shop"
    is "$shell: a call" "$(said call) $(last_event '["project"]')" "call: 200 shop"
    is "$shell: a child" "$(said child)" "child: shop"
    is "$shell: leaving gives the user's own back" "$(said out)" "out: sk-mine /mine.pem [] []"
    is "$shell: and leaves nothing" "$(said left)" "left: 0"
    is "$shell: a path full of traps is only a path" "$(said odd) $(find "$HOME" -name pwned)" "odd: o-dd-touch-pwned-touch-pwned-31m "
    is "$shell: prod's agent is not started" "$(said prod)" "prod: [] sk-mine"
    is "$shell: an untrusted file is said once" "$(grep -ac "untrusted/.tollgate.yaml is not trusted" "$T/typed")" 1
    is "$shell: in the end all is as before" "$(said end)" "end: 1 [] sk-mine"
    lacks "$shell: nothing complains" "$(cat "$T/typed")" "rror"
done

# ---- bash: what else lives in PROMPT_COMMAND, shells in shells
# What is typed ahead may be read by a shell that is on its way out or in: each line waits for its prompt.
has_prompts() { [ "$(grep -aoE 'bash-[0-9.]+[#$] ' "$T/terminal" | wc -l)" -ge "$1" ]; }
type_lines() {
    local line count=0
    while IFS= read -r line; do
        count=$((count + 1))
        wait_for 20 has_prompts $count
        printf '%s\n' "$line"
    done
}
bash_says() { # NAME WORD WANTED: lines for a shell come from standard input; the last "WORD: …" on its terminal is "WORD: WANTED"
    local said got
    : >"$T/terminal"
    said=$(cd "$HOME" && type_lines | TERM=dumb timeout 180 script -qec "bash --norc --noprofile" /dev/null 2>&1 | tee "$T/terminal" | tr -d '\r\0')
    got=$(grep -aE "^$2: " <<<"$said" | tail -1)
    is "$1" "$got" "$2: $3"
    [ "$got" = "$2: $3" ] || sed 's/^/terminal: /' <<<"$said"
}
if command -v script >/dev/null; then
    hook="eval \"\$($TOLLGATE hook bash)\""
    bash_says "an array of PROMPT_COMMANDs goes on, with the status" theirs "1 1 2" <<LINES
PROMPT_COMMAND=('one=\$?' 'two=\$?')
$hook
false
echo "theirs: \$one \$two \${#PROMPT_COMMAND[@]}"
exit
LINES
    bash_says "a shell in a governed shell ends at the same border" nested "[] []" <<LINES
$hook
cd $shop
bash --norc --noprofile
$hook
cd ..
echo "nested: [\${TOLLGATE_PROJECT-}] [\${LD_PRELOAD-}]"
exit
exit
LINES
    bash_says "a shell under run is left alone" under "chosen" <<LINES
cd $shop
$TOLLGATE run --project chosen -- bash --norc --noprofile
$hook
true
cd ..
echo "under: \$TOLLGATE_PROJECT"
exit
exit
LINES
    bash_says "also when run starts it out of a governed shell" under "chosen" <<LINES
$hook
cd $shop
$TOLLGATE run --project chosen -- bash --norc --noprofile
$hook
cd ..
true
echo "under: \$TOLLGATE_PROJECT"
exit
exit
LINES
fi
cd "$T" || exit 1
stop_agent
done_playing
