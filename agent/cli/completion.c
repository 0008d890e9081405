/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate completion: what a shell evaluates, or finds in its directory of completions, to complete commands, their
 * words, options and values. Printed from the tables of commands and options alone: a new row is completed. A row's
 * words for people say what a value is: "dev|prod" are choices, FILE and DIR are looked for, anything else is the
 * user's.
 */
#include "cli/cli.h"

#include <string.h>
#include <sysexits.h>

/* ---- what the tables say ---- */

static bool completion_takes_files(const struct command *command)
{
    static const char *const names[] = {"FILE", "PATH", "FROM", "DIRECTORY"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strstr(command->arguments, names[i]))
            return true;
    return false;
}

/* "dev|prod" as "dev prod"; NULL: the value is no choice. */
static const char *completion_choices(const char *value)
{
    if (!value || !strchr(value, '|'))
        return NULL;
    char *choices = text_format("%s", value);
    for (char *bar = choices; (bar = strchr(bar, '|'));)
        *bar = ' ';
    return choices;
}

/* The next visible row at or after *at, which is moved behind it; NULL at the end. */
static const struct command *completion_next(size_t *at)
{
    const struct command *command;
    while ((command = command_at((*at)++)))
        if (!command->is_hidden)
            return command;
    return NULL;
}

static const char *completion_commands(void)
{
    struct text_list names = {0};
    const struct command *command;
    for (size_t at = 0; (command = completion_next(&at));)
        text_append(&names, command->name);
    return text_join(&names, " ");
}

static const char *completion_options(const struct command *command, bool only_with_value)
{
    struct text_list names = {0};
    const struct option_row *row;
    for (size_t at = 0; (row = options_next(command->options, &at));)
        if (row->value || !only_with_value)
            text_append(&names, text_format("--%s", row->name));
    return text_join(&names, " ");
}

/* "list | show NAME", "[error | warning]", "[list] | set ID": the words that begin alternatives. Others ("[PATH]",
 * "--shell …") are none; "[COMMAND]" is any of them. */
static const char *completion_words(const struct command *command)
{
    struct text_list words = {0};
    if (strcmp(command->arguments, "[COMMAND]") == 0)
        return completion_commands();
    for (const char *at = command->arguments; at; at = strstr(at, " | ")) {
        at += at == command->arguments ? 0 : strlen(" | ");
        at += *at == '[';
        size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz");
        if (length > 0 && (at[length] == '\0' || strchr(" ]", at[length])))
            text_append(&words, text_format("%.*s", (int)length, at));
    }
    return text_join(&words, " ");
}

/* ---- bash ---- */

/* Names of files are data: one on each line, and readline quotes what a shell would read otherwise. */
static const char bash_files[] = "_tollgate_files() {\n"
                                 "    local found\n"
                                 "    compopt -o filenames 2>/dev/null\n"
                                 "    mapfile -t found < <(compgen \"$@\" -- \"$current\")\n"
                                 "    COMPREPLY+=(\"${found[@]}\")\n"
                                 "}\n";

/* COMP_WORDS has `=` as a word of its own. After run's options a program follows, completed as if it stood alone. */
static const char bash_program[] =
    "    if [[ -n $program ]]; then\n"
    "        for ((i = 2; i < COMP_CWORD; i++)); do\n"
    "            case ${COMP_WORDS[i]} in\n"
    "            --) ((i++)); begun=yes; break ;;\n"
    "            =) ((i++)) ;;\n"
    "            --*) [[ \" $valued \" == *\" ${COMP_WORDS[i]} \"* && ${COMP_WORDS[i + 1]} != = ]] && ((i++)) ;;\n"
    "            *) begun=yes; break ;;\n"
    "            esac\n"
    "        done\n"
    "        if [[ -n $begun || $i -eq $COMP_CWORD && $current != [-=]* ]]; then\n"
    "            if declare -F _command_offset >/dev/null; then _command_offset \"$i\"\n"
    "            elif ((i == COMP_CWORD)); then _tollgate_files -c -f\n"
    "            else _tollgate_files -f; fi\n"
    "            return\n"
    "        fi\n"
    "    fi\n";

static const char bash_rest[] = "    [[ $COMP_CWORD -eq 2 ]] || words=\n"
                                "    [[ $current == -* ]] && words=$options files=\n"
                                "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
                                "    [[ -z $files ]] || _tollgate_files -f\n"
                                "}\n"
                                "complete -F _tollgate tollgate\n";

/* A line for each option whose value is known. */
static void bash_print_values(const struct command *command)
{
    const struct option_row *row;
    for (size_t at = 0; (row = options_next(command->options, &at));) {
        const char *choices = completion_choices(row->value);
        const char *reply = !row->value ? NULL
                            : choices   ? text_format("COMPREPLY=($(compgen -W '%s' -- \"$current\"))", choices)
                            : strcmp(row->value, "FILE") == 0 ? "_tollgate_files -f"
                            : strcmp(row->value, "DIR") == 0  ? "_tollgate_files -d"
                                                              : NULL;
        if (reply)
            printf("        %s--%s) %s ;;\n", command->name, row->name, reply);
    }
}

static void bash_print_command(const struct command *command)
{
    printf("    %s)\n        words='%s'\n        options='%s'\n        valued='%s'", command->name,
           completion_words(command), completion_options(command, false), completion_options(command, true));
    printf("%s%s ;;\n", completion_takes_files(command) ? " files=yes" : "",
           command->options & OPTIONS_STOP_AT_ARGUMENT ? " program=yes" : "");
}

static void bash_print(void)
{
    const struct command *command;
    printf("# bash completion for tollgate, printed by: tollgate completion bash\n"
           "%s"
           "_tollgate() {\n"
           "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
           "    local words= options= valued= files= program= begun= i\n"
           "    COMPREPLY=()\n"
           "    if [[ $COMP_CWORD -eq 1 ]]; then\n"
           "        COMPREPLY=($(compgen -W '%s' -- \"$current\"))\n"
           "        return\n"
           "    fi\n"
           "    case ${COMP_WORDS[1]} in\n",
           bash_files, completion_commands());
    for (size_t at = 0; (command = completion_next(&at));)
        bash_print_command(command);
    fputs("    *) return ;;\n    esac\n", stdout);
    fputs(bash_program, stdout);
    fputs("    [[ $previous == = ]] && previous=${COMP_WORDS[COMP_CWORD - 2]}\n"
          "    [[ $current == = ]] && current=\n"
          "    if [[ \" $valued \" == *\" $previous \"* ]]; then\n"
          "        case ${COMP_WORDS[1]}$previous in\n",
          stdout);
    for (size_t at = 0; (command = completion_next(&at));)
        bash_print_values(command);
    fputs("        esac\n        return\n    fi\n", stdout);
    fputs(bash_rest, stdout);
}

/* ---- zsh: the words of _arguments, quoted for its own reading and then for the shell ---- */

static const char *zsh_text(const char *text)
{
    char *escaped = text_allocate(2 * strlen(text) + 1), *to = escaped;
    for (; *text; text++) {
        if (strchr("[]:\\", *text))
            *to++ = '\\';
        *to++ = *text;
    }
    return escaped;
}

static void zsh_print_word(const char *word)
{
    fputs(" \\\n            ", stdout);
    shell_print_quoted(SHELL_ZSH, word, stdout);
}

static void zsh_print_option(const struct option_row *row)
{
    const char *choices = completion_choices(row->value);
    const char *value = "";
    if (row->value) {
        const char *action = choices                           ? text_format("(%s)", choices)
                             : strcmp(row->value, "FILE") == 0 ? "_files"
                             : strcmp(row->value, "DIR") == 0  ? "_files -/"
                                                               : " ";
        value = text_format(":%s:%s", zsh_text(choices ? row->name : row->value), action);
    }
    zsh_print_word(text_format("%s--%s%s[%s]%s", row->is_list ? "*" : "", row->name, row->value ? "=" : "",
                               zsh_text(row->help), value));
}

/* _arguments does not find a program behind `--`. */
static const char zsh_program[] = "        for ((i = 2; i < CURRENT; i++)); do\n"
                                  "            case $words[i] in\n"
                                  "            --) ((i++)); begun=yes; break ;;\n"
                                  "            --*) [[ \" $valued \" == *\" $words[i] \"* ]] && ((i++)) ;;\n"
                                  "            *) begun=yes; break ;;\n"
                                  "            esac\n"
                                  "        done\n"
                                  "        if [[ -n $begun || $i -eq $CURRENT && $words[i] != -* ]]; then\n"
                                  "            shift $((i - 1)) words\n"
                                  "            ((CURRENT -= i - 1))\n"
                                  "            _normal\n"
                                  "            return\n"
                                  "        fi\n";

static void zsh_print_command(const struct command *command)
{
    const struct option_row *row;
    const char *words = completion_words(command);
    printf("    %s)\n", command->name);
    if (command->options & OPTIONS_STOP_AT_ARGUMENT)
        printf("        valued='%s'\n%s", completion_options(command, true), zsh_program);
    fputs("        _arguments -S", stdout);
    for (size_t at = 0; (row = options_next(command->options, &at));)
        zsh_print_option(row);
    if (words[0])
        zsh_print_word(text_format("1:%s:(%s)", command->name, words));
    if (completion_takes_files(command))
        zsh_print_word("*:file:_files");
    fputs(" ;;\n", stdout);
}

static void zsh_print(void)
{
    const struct command *command;
    fputs("#compdef tollgate\n"
          "# zsh completion for tollgate, printed by: tollgate completion zsh\n"
          "_tollgate() {\n"
          "    local -a commands\n"
          "    local valued= begun= i\n"
          "    if ((CURRENT == 2)); then\n"
          "        commands=(",
          stdout);
    for (size_t at = 0; (command = completion_next(&at));)
        zsh_print_word(text_format("%s:%s", command->name, zsh_text(command->help)));
    fputs(")\n        _describe command commands\n"
          "        return\n"
          "    fi\n"
          "    shift words\n"
          "    ((CURRENT--))\n"
          "    case $words[1] in\n",
          stdout);
    for (size_t at = 0; (command = completion_next(&at));)
        zsh_print_command(command);
    /* Found by autoload, the file is the function's body; evaluated, it is registered. */
    fputs(
        "    esac\n"
        "}\n"
        "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _tollgate \"$@\"; else compdef _tollgate tollgate; fi\n",
        stdout);
}

/* ---- fish ---- */

static void fish_print_row(const char *command, const char *flags, const char *choices, const char *help)
{
    fputs("complete -c tollgate -n ", stdout);
    shell_print_quoted(SHELL_FISH, command ? text_format("__tollgate_is %s", command) : "__tollgate_is", stdout);
    printf(" %s", flags);
    if (choices) {
        fputs(" -a ", stdout);
        shell_print_quoted(SHELL_FISH, choices, stdout);
    }
    if (help) {
        fputs(" -d ", stdout);
        shell_print_quoted(SHELL_FISH, help, stdout);
    }
    putchar('\n');
}

static void fish_print_command(const struct command *command)
{
    const struct option_row *row;
    const char *words = completion_words(command);
    fish_print_row(NULL, "", command->name, command->help);
    for (size_t at = 0; (row = options_next(command->options, &at));) {
        const char *choices = completion_choices(row->value);
        const char *value = !row->value                       ? ""
                            : strcmp(row->value, "FILE") == 0 ? " -r -F"
                            : strcmp(row->value, "DIR") == 0  ? " -x -a '(__fish_complete_directories)'"
                                                              : " -x";
        fish_print_row(command->name, text_format("-l %s%s", row->name, value), choices, row->help);
    }
    if (words[0])
        fish_print_row(text_format("%s 2", command->name), "", words, NULL);
    if (command->options & OPTIONS_STOP_AT_ARGUMENT)
        fish_print_row(command->name, "-x", "(__fish_complete_subcommand --fcs-skip=2)", NULL);
    else if (completion_takes_files(command))
        fish_print_row(command->name, "-F", NULL, NULL);
}

static void fish_print(void)
{
    const struct command *command;
    fputs("# fish completion for tollgate, printed by: tollgate completion fish\n"
          "# No argument: where a command stands. NAME [COUNT]: behind this command, as its word number COUNT.\n"
          "function __tollgate_is\n"
          "    set -l words (commandline -opc)\n"
          "    set -q argv[1]; or begin; test (count $words) -eq 1; return; end\n"
          "    test (count $words) -gt 1; and test \"$words[2]\" = $argv[1]; or return\n"
          "    set -q argv[2]; or return 0\n"
          "    test (count $words) -eq $argv[2]\n"
          "end\n"
          "complete -c tollgate -f\n",
          stdout);
    for (size_t at = 0; (command = completion_next(&at));)
        fish_print_command(command);
}

int completion_command(struct cli *cli)
{
    static void (*const prints[SHELL_COUNT])(void) = {
        [SHELL_BASH] = bash_print, [SHELL_ZSH] = zsh_print, [SHELL_FISH] = fish_print};
    enum launch_shell shell = shell_find(cli->arguments.items[0]);
    if (shell == SHELL_COUNT || !prints[shell]) {
        text_complain("completion is for bash, zsh or fish, not %s", terminal_clean(cli->arguments.items[0]));
        return EX_USAGE;
    }
    prints[shell]();
    return EX_OK;
}
