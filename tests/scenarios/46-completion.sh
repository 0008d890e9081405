#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What shells complete: commands, their words, options, values, files, and the program behind run, in bash (its function,
# and typed with TAB), zsh (typed) and fish.
. "$(dirname "$0")/lib.sh"
play "completions in three shells"
cd "$T" || exit 1
mkdir bin files
touch files/one.yaml files/two.yaml
ln -s "$BUILD/tollgate" bin/tollgate
PATH=$T/bin:$PATH
"$TOLLGATE" completion bash >bash.sh
"$TOLLGATE" completion zsh >zsh.sh
"$TOLLGATE" completion fish >fish.sh

# ---- bash, by its function: the last word is completed ----
complete_bash() { bash --norc -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tollgate; printf "%s " "${COMPREPLY[@]}"' "$T/bash.sh" "$@" 2>&1; }
commands=$("$TOLLGATE" help | awk '/^  [a-z]/{printf "%s ", $1}')
is "bash: every command of the help" "$(complete_bash tollgate '')" "$commands"
is "bash: the beginning of one" "$(complete_bash tollgate wal)" "wallet "
is "bash: words of a command" "$(complete_bash tollgate wallet '')" "list show history fund adjust "
is "bash: words in brackets" "$(complete_bash tollgate log '')$(complete_bash tollgate budget '')" "error warning info debug list set unset "
is "bash: the first of several" "$(complete_bash tollgate report ho)" "hourly "
is "bash: a word only where it stands" "$(complete_bash tollgate wallet show l)" " "
is "bash: commands for help" "$(complete_bash tollgate help wal)" "wallet "
is "bash: no hidden command" "$(complete_bash tollgate hook-)" " "
is "bash: options" "$(complete_bash tollgate wallet fund x 1 --c)" "--create --count "
is "bash: choices" "$(complete_bash tollgate status --env '')" "dev prod "
is "bash: choices behind =" "$(complete_bash tollgate status --env = p)" "prod "
is "bash: choices right behind =" "$(complete_bash tollgate run --env =)" "dev prod "
is "bash: no guess at names" "$(complete_bash tollgate run --group '')" " "
is "bash: files" "$(complete_bash tollgate start --policy files/o)" "files/one.yaml "
is "bash: files as arguments" "$(complete_bash tollgate check files/)" "files/one.yaml files/two.yaml "
is "bash: run's options" "$(complete_bash tollgate run --en)" "--env --engine "
is "bash: run's program" "$(complete_bash tollgate run --env prod -- tollgat)" "tollgate "
is "bash: run's program without --" "$(complete_bash tollgate run --env prod tollgat)" "tollgate "
is "bash: the program's options are its own" "$(complete_bash tollgate run ls --en)" " "
is "bash: every option is offered" "$(for command in $commands; do
    diff <("$TOLLGATE" help "$command" | grep -o '^  --[a-z-]*' | tr -d ' ' | grep -v help | sort -u) \
        <(complete_bash tollgate "$command" -- | tr ' ' '\n' | grep . | grep -v help | sort -u) | sed "s/^[<>]/$command &/"
done | grep -vE ' > ?$|^[0-9]' | grep -vE '^(run|trust|hook|completion|explain|check|help) < --(env|state|runtime)')" ""

# ---- typed ----
typed() { python3 "$ROOT/tests/scenarios/46-completion.py" "$@" 2>&1; }
is "bash, typed" "$(typed bash ". '$T/bash.sh'" 'tollgate wal' 'tollgate wallet hi' 'tollgate status --env=p' 'tollgate check files/o')" \
    'tollgate|wallet|
tollgate|wallet|history|
tollgate|status|--env=prod|
tollgate|check|files/one.yaml|'
# Names of files are data, whatever they spell.
mkdir odd 'odd/dir$(touch${IFS}PWNED)' 'odd/two words'
touch 'odd/pol$(touch${IFS}PWNED)x' 'odd/two words.yaml' 'odd/*'
odd_lines=('tollgate start --policy odd/pol' 'tollgate check odd/pol' 'tollgate check odd/two\ words.' 'tollgate check --state odd/dir' 'tollgate run ls odd/pol' 'tollgate check "odd/two words.')
odd='tollgate|start|--policy|odd/pol$(touch${IFS}PWNED)x|
tollgate|check|odd/pol$(touch${IFS}PWNED)x|
tollgate|check|odd/two words.yaml|
tollgate|check|--state|odd/dir$(touch${IFS}PWNED)/|
tollgate|run|ls|odd/pol$(touch${IFS}PWNED)x|
tollgate|check|odd/two words.yaml|'
is "bash, typed: odd names" "$(typed bash ". '$T/bash.sh'" "${odd_lines[@]}")" "$odd"
if [ -r /usr/share/bash-completion/bash_completion ]; then
    is "bash, with the library of completions" "$(typed bash ". /usr/share/bash-completion/bash_completion; . '$T/bash.sh'" \
        'tollgate run --env dev -- tollgate wallet fu' 'tollgate run -- tollgate status --env=p')" 'tollgate|run|--env|dev|--|tollgate|wallet|fund|
tollgate|run|--|tollgate|status|--env=prod|'
else
    skip "bash-completion is not installed"
fi
if command -v zsh >/dev/null; then
    lines=('tollgate wal' 'tollgate wallet hi' 'tollgate status --env p' 'tollgate status --env=p' 'tollgate check files/o' 'tollgate run --engine sup'
        'tollgate run -- tollgate wallet fu' 'tollgate run --env dev tollgate wallet fu')
    wanted='tollgate|wallet|
tollgate|wallet|history|
tollgate|status|--env|prod|
tollgate|status|--env=prod|
tollgate|check|files/one.yaml|
tollgate|run|--engine|supervise|
tollgate|run|--|tollgate|wallet|fund|
tollgate|run|--env|dev|tollgate|wallet|fund|'
    is "zsh, evaluated" "$(typed zsh "autoload -Uz compinit; compinit -u -d '$T/zdump'; . '$T/zsh.sh'" "${lines[@]}")" "$wanted"
    is "zsh, typed: odd names" "$(typed zsh "autoload -Uz compinit; compinit -u -d '$T/zdump'; . '$T/zsh.sh'" "${odd_lines[@]}" | sed 's,)/*|$,)|,')" "$(sed 's,)/*|$,)|,' <<<"$odd")"
    mkdir site && cp zsh.sh site/_tollgate
    is "zsh, autoloaded" "$(typed zsh "fpath=('$T/site' \$fpath); autoload -Uz compinit; compinit -u -d '$T/zdump2'" "${lines[@]}")" "$wanted"
else
    skip "zsh is not installed"
fi
if command -v fish >/dev/null; then
    complete_fish() { fish --no-config -c ". '$T/fish.sh'; complete -C \"\$argv\"" "$1" 2>&1 | cut -f1 | sort | tr '\n' ' '; }
    is "fish: commands" "$(complete_fish 'tollgate wal')" "wallet "
    is "fish: all commands" "$(complete_fish 'tollgate ')" "$(printf '%s\n' $commands | sort | tr '\n' ' ')"
    is "fish: words" "$(complete_fish 'tollgate wallet ')" "adjust fund history list show "
    is "fish: a word only where it stands" "$(complete_fish 'tollgate wallet show l')" ""
    is "fish: options" "$(complete_fish 'tollgate wallet fund x 1 --c')" "--count --create "
    is "fish: choices" "$(complete_fish 'tollgate status --env ')" "dev prod "
    is "fish: files" "$(complete_fish 'tollgate check files/o')" "files/one.yaml "
    is "fish: odd names" "$(complete_fish 'tollgate check odd/'; complete_fish 'tollgate start --state odd/')" \
        'odd/* odd/dir$(touch${IFS}PWNED)/ odd/pol$(touch${IFS}PWNED)x odd/two words.yaml odd/two words/ odd/dir$(touch${IFS}PWNED)/ odd/two words/ '
    is "fish: the program of run" "$(complete_fish 'tollgate run -- tollgate wallet fu')" "fund "
else
    skip "fish is not installed"
fi
check "no name was executed" test ! -e PWNED
has "another shell is refused" "$("$TOLLGATE" completion csh 2>&1)" "bash, zsh or fish"
done_playing
