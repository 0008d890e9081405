/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints changes as statements for `eval` (bash, zsh) or `source` (fish). Every value is quoted so that no character
 * means anything to the shell. The user's own API keys are put aside in variables that are not exported: programs
 * must not see them while governed, and they come back when governing ends.
 */
#include "shim/launch/launch.h"

#include <stdlib.h>
#include <string.h>

#define SHELL_ASIDE "__tollgate_was_"

static const char *const shell_names[SHELL_COUNT] = {"bash", "zsh", "fish"};

enum launch_shell shell_find(const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *base = slash ? slash + 1 : name;
    for (int shell = 0; shell < SHELL_COUNT; shell++)
        if (strcmp(base, shell_names[shell]) == 0)
            return (enum launch_shell)shell;
    /* Other Bourne shells read the same statements. */
    return strcmp(base, "sh") == 0 || strcmp(base, "dash") == 0 || strcmp(base, "ksh") == 0 ? SHELL_BASH : SHELL_COUNT;
}

/* Inside single quotes fish knows \\ and \', the others know no escape at all. */
void shell_print_quoted(enum launch_shell shell, const char *value, FILE *to)
{
    fputc('\'', to);
    for (; *value; value++) {
        if (shell == SHELL_FISH && (*value == '\'' || *value == '\\'))
            fputc('\\', to);
        if (shell != SHELL_FISH && *value == '\'')
            fputs("'\\'", to);
        fputc(*value, to);
    }
    fputc('\'', to);
}

static void shell_print_set(enum launch_shell shell, const char *name, const char *value, FILE *to)
{
    fprintf(to, shell == SHELL_FISH ? "set -gx %s " : "export %s=", name);
    shell_print_quoted(shell, value, to);
    fputc('\n', to);
}

static void shell_print_aside(enum launch_shell shell, const char *name, FILE *to)
{
    if (shell == SHELL_FISH)
        fprintf(to, "set -g " SHELL_ASIDE "%s $%s\n", name, name);
    else
        fprintf(to, SHELL_ASIDE "%s=\"$%s\"\n", name, name);
}

static void shell_print_restore(enum launch_shell shell, const char *name, FILE *to)
{
    if (shell == SHELL_FISH)
        fprintf(to, "if set -q " SHELL_ASIDE "%s; set -gx %s $" SHELL_ASIDE "%s; set -e " SHELL_ASIDE "%s; else; ",
                name, name, name, name);
    else
        fprintf(to,
                "if [ -n \"${" SHELL_ASIDE "%s+x}\" ]; then export %s=\"$" SHELL_ASIDE "%s\"; unset " SHELL_ASIDE
                "%s; else ",
                name, name, name, name);
    fprintf(to, shell == SHELL_FISH ? "set -e %s; end\n" : "unset %s; fi\n", name);
}

void shell_print(enum launch_shell shell, const struct launch_changes *changes, bool is_undo, FILE *to)
{
    for (size_t i = 0; i < changes->count; i++) {
        const struct launch_change *change = &changes->items[i];
        const char *present = getenv(change->name);
        if (is_undo && change->is_key) {
            shell_print_restore(shell, change->name, to);
        } else if (!change->value) {
            fprintf(to, shell == SHELL_FISH ? "set -e %s\n" : "unset %s\n", change->name);
        } else {
            if (change->is_key && present && present[0] && !owned_is_key(present))
                shell_print_aside(shell, change->name, to);
            shell_print_set(shell, change->name, change->value, to);
        }
    }
}
