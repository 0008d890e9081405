/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate check, explain, audit, restore and dump: what needs no running agent is done by the agent's program itself,
 * in our place. The last three need a stopped one, because one process owns a ledger.
 */
#include "cli/cli.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static int tool_exec(const struct cli *cli, const char *tool, const struct text_list *arguments)
{
    const char *program = locate_agent();
    if (!program) {
        text_complain("tollgated is neither beside %s nor in PATH", locate_program());
        return EX_UNAVAILABLE;
    }
    char **all = text_allocate((arguments->count + 4) * sizeof *all);
    all[0] = text_format("%s", program);
    all[1] = text_format("--tool");
    all[2] = text_format("%s", tool);
    for (size_t i = 0; i < arguments->count; i++)
        all[3 + i] = text_format("%s", arguments->items[i]);
    fflush(NULL);
    /* A placeholder key of a governed shell is no provider's key. */
    execve(program, all, scrub_environment(&cli->place));
    text_complain("%s: %s", program, strerror(errno));
    return EX_UNAVAILABLE;
}

int check_command(struct cli *cli)
{
    return tool_exec(cli, "check", &cli->arguments);
}

int explain_command(struct cli *cli)
{
    return tool_exec(cli, "explain", &cli->arguments);
}

/* tool --state DIR ARGUMENTS… */
static int tool_exec_on_state(const struct cli *cli, const char *tool)
{
    struct text_list arguments = {0};
    int code = owner_check_root(cli, tool);
    if (code != EX_OK)
        return code;
    text_append(&arguments, "--state");
    text_append(&arguments, cli->place.state);
    for (size_t i = 0; i < cli->arguments.count; i++)
        text_append(&arguments, cli->arguments.items[i]);
    return tool_exec(cli, tool, &arguments);
}

/* The ledger's lock decides in the end; this says it in words that help. */
static int tool_exec_stopped(const struct cli *cli, const char *tool, const char *instead)
{
    if (agent_is_absent(cli))
        return tool_exec_on_state(cli, tool);
    text_complain("the agent of %s is running and owns the ledger: tollgate stop%s first%s", cli->place.environment,
                  cli->place.is_prod ? " --env prod" : "", instead);
    return EX_TEMPFAIL;
}

int audit_command(struct cli *cli)
{
    return tool_exec_on_state(cli, "audit");
}

int restore_command(struct cli *cli)
{
    text_append(&cli->arguments, "--environment");
    text_append(&cli->arguments, cli->place.environment);
    return tool_exec_stopped(cli, "restore", "");
}

int dump_command(struct cli *cli)
{
    return tool_exec_stopped(cli, "dump", ", or tollgate backup, which writes a dump beside the copy");
}
