/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate run and env: ask the agent, compute the environment, and become the program, or print it for a shell. What
 * run fails at itself ends with 125, so that every other code is the program's (env(1), timeout(1)).
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* dev says so and goes on: the placeholder key gets such a program a 401 from the provider. prod refuses. */
static int run_judge(const struct launch_program *program, const char *name, bool refuses_unhooked)
{
    if (!program->ungoverned)
        return EX_OK;
    text_complain("%s cannot be governed by the preload engine: %s%s", name, program->ungoverned,
                  refuses_unhooked ? "; prod runs no ungoverned program" : "");
    return refuses_unhooked ? CLI_RUN_FAILED : EX_OK;
}

static int run_exec(const struct cli *cli)
{
    char **arguments = text_allocate((cli->arguments.count + 1) * sizeof *arguments);
    for (size_t i = 0; i < cli->arguments.count; i++)
        arguments[i] = text_format("%s", cli->arguments.items[i]);
    fflush(NULL);
    execvp(arguments[0], arguments);
    int error = errno;
    text_complain("%s: %s", arguments[0], strerror(error));
    return error == ENOENT ? 127 : 126;
}

int run_command(struct cli *cli)
{
    const char *name = cli->arguments.items[0];
    struct launch_program program = elf_look(name);
    if (program.missing) {
        text_complain(program.missing == 127 ? "%s: not found" : "%s: cannot be executed", name);
        return program.missing;
    }
    struct launch_facts facts;
    struct launch_changes changes;
    bool refuses_unhooked = false;
    int code = project_apply(cli);
    if (code == EX_OK)
        code = agent_get_launch(cli, &facts, &refuses_unhooked);
    if (code == EX_OK)
        code = run_judge(&program, name, refuses_unhooked);
    if (code == EX_OK)
        code = governed_changes(&facts, &changes);
    if (code != EX_OK)
        return CLI_RUN_FAILED;
    if (program.has_asan)
        governed_permit_asan(&changes);
    changes_apply(&changes);
    return run_exec(cli);
}

static int env_print_json(const struct launch_changes *changes)
{
    json_t *set = json_object(), *unset = json_array();
    for (size_t i = 0; i < changes->count; i++) {
        const struct launch_change *change = &changes->items[i];
        if (change->value)
            json_object_set_new(set, change->name, json_string_nocheck(change->value));
        else
            json_array_append_new(unset, json_string(change->name));
    }
    json_t *document = json_pack("{s:o, s:o}", "set", set, "unset", unset);
    int failed = json_dumpf(document, stdout, JSON_INDENT(2));
    json_decref(document);
    putchar('\n');
    return failed ? EX_SOFTWARE : EX_OK;
}

int env_command(struct cli *cli)
{
    const char *name = cli->options.shell ? cli->options.shell : getenv("SHELL");
    bool is_json = name && strcmp(name, "json") == 0;
    enum launch_shell shell = name ? shell_find(name) : SHELL_COUNT;
    if (!is_json && shell == SHELL_COUNT) {
        text_complain("--shell is bash, zsh, fish or json");
        return EX_USAGE;
    }
    struct launch_changes changes = {0};
    int code = EX_OK;
    if (cli->options.off) {
        governed_undo(&cli->place, &changes);
    } else {
        struct launch_facts facts;
        bool refuses_unhooked;
        code = project_apply(cli);
        if (code == EX_OK)
            code = agent_get_launch(cli, &facts, &refuses_unhooked);
        if (code == EX_OK)
            code = governed_changes(&facts, &changes);
    }
    if (code != EX_OK)
        return code;
    if (is_json)
        return env_print_json(&changes);
    shell_print(shell, &changes, cli->options.off, stdout);
    return EX_OK;
}
