/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate run and env: ask the agent, compute the environment, and become the program (or its supervisor), or print it
 * for a shell. What run fails at itself ends with 125, so that every other code is the program's (env(1), timeout(1)).
 */
#include "cli/cli.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char *const run_engines[] = {"auto", "preload", "supervise", NULL};
enum run_engine { RUN_AUTO, RUN_PRELOAD, RUN_SUPERVISE, RUN_ENGINE_COUNT };

static enum run_engine run_find_engine(const char *name)
{
    int engine = 0;
    while (name && run_engines[engine] && strcmp(run_engines[engine], name) != 0)
        engine++;
    return (enum run_engine)engine;
}

/* dev says so and goes on: the placeholder key gets such a program a 401 from the provider. */
static int run_complain(const struct cli *cli, const char *name, const char *why, bool refuses_ungoverned)
{
    const char *whose = cli->place.is_prod ? "prod" : "capture.strict";
    text_complain("%s cannot be governed: %s%s", name, why,
                  refuses_ungoverned ? text_format("; %s runs no ungoverned program", whose) : "");
    return refuses_ungoverned ? CLI_RUN_FAILED : EX_OK;
}

/* Below a supervisor everything is supervised already, by the agent of whoever started that. */
static bool run_is_nested_elsewhere(const struct cli *cli)
{
    const char *runtime = getenv(TOLLGATE_ENV_RUNTIME);
    return filter_is_in_force() && (!runtime || strcmp(runtime, cli->place.runtime) != 0);
}

static struct supervise_program run_program(const struct cli *cli)
{
    char **arguments = text_allocate((cli->arguments.count + 1) * sizeof *arguments);
    for (size_t i = 0; i < cli->arguments.count; i++)
        arguments[i] = text_format("%s", cli->arguments.items[i]);
    return (struct supervise_program){.path = arguments[0], .fd = -1, .arguments = arguments};
}

/* A shim or supervisor without a map governs nothing, and says nothing; a loader starts a program without a library
 * that it cannot load, or with one that kills it. Neither may go unnoticed. */
static int run_look(const struct cli *cli, const char *name, bool is_supervised, bool refuses_ungoverned,
                    struct launch_facts *facts)
{
    const char *shim = locate_shim(); /* governed_changes says when there is none */
    const char *library = shim ? elf_check_library(shim) : NULL, *fault = agent_find_map_fault(cli);
    facts->is_unhooked = library != NULL;
    if (!fault && library && !is_supervised)
        fault = text_format("%s %s (install it again)", shim, library);
    return fault ? run_complain(cli, name, fault, refuses_ungoverned) : EX_OK;
}

/* Does not return when the program runs. */
static int run_start(const struct cli *cli, bool is_supervised, bool refuses_ungoverned)
{
    struct supervise_program program = run_program(cli);
    if (is_supervised && !filter_is_in_force()) {
        const char *why = supervise_explain(supervise_run(&program));
        int code = run_complain(cli, program.path, why, refuses_ungoverned);
        if (code != EX_OK)
            return code;
    }
    fflush(NULL);
    return supervise_execute(&program);
}

/* May this program run, and how. */
static int run_judge(const struct cli *cli, const struct launch_program *program, enum run_engine engine,
                     bool refuses_ungoverned, bool *ret_is_supervised)
{
    const char *name = cli->arguments.items[0];
    bool is_supervised = engine == RUN_SUPERVISE ? !program->ungoverned || program->is_supervisable
                                                 : engine == RUN_AUTO && program->is_supervisable;
    *ret_is_supervised = is_supervised;
    if (is_supervised && run_is_nested_elsewhere(cli))
        return run_complain(cli, name, "another environment's supervisor is above it", refuses_ungoverned);
    if (program->ungoverned && !is_supervised)
        return run_complain(cli, name, program->ungoverned, refuses_ungoverned);
    return EX_OK;
}

int run_command(struct cli *cli)
{
    const char *name = cli->arguments.items[0];
    enum run_engine engine = run_find_engine(cli->options.engine ? cli->options.engine : "auto");
    if (engine == RUN_ENGINE_COUNT) {
        text_complain("--engine is auto, preload or supervise");
        return CLI_RUN_FAILED;
    }
    struct launch_program program = elf_look(name);
    if (program.missing) {
        text_complain(program.missing == 127 ? "%s: not found" : "%s: cannot be executed", name);
        return program.missing;
    }
    struct launch_facts facts;
    struct launch_changes changes;
    bool refuses_ungoverned = false, is_supervised = false;
    int code = project_apply(cli);
    if (code == EX_OK)
        code = agent_get_launch(cli, &facts, &refuses_ungoverned);
    if (code == EX_OK)
        code = run_judge(cli, &program, engine, refuses_ungoverned, &is_supervised);
    if (code == EX_OK)
        code = run_look(cli, name, is_supervised, refuses_ungoverned, &facts);
    if (code == EX_OK)
        code = governed_changes(&facts, &changes);
    if (code != EX_OK)
        return CLI_RUN_FAILED;
    if (program.has_asan)
        governed_permit_asan(&changes);
    changes_apply(&changes);
    return run_start(cli, is_supervised, refuses_ungoverned);
}

/* "fd:N", "close:N" or a path. */
static struct supervise_program run_parse_order(const char *order, char **arguments)
{
    struct supervise_program program = {.path = order, .fd = -1, .arguments = arguments};
    bool is_closed = text_starts(order, TOLLGATE_EXECUTE_CLOSE);
    if (!is_closed && !text_starts(order, TOLLGATE_EXECUTE_OPEN))
        return program;
    program.fd = atoi(strchr(order, ':') + 1);
    if (is_closed)
        fcntl(program.fd, F_SETFD, FD_CLOEXEC);
    return program;
}

int run_for_hook(const char *order, char **arguments)
{
    struct supervise_program program = run_parse_order(text_format("%s", order), arguments);
    unsetenv(TOLLGATE_ENV_EXECUTE);
    if (!filter_is_in_force()) {
        const char *runtime = getenv(TOLLGATE_ENV_RUNTIME);
        struct launch_map map = {0};
        const char *path = runtime ? text_format("%s/" TOLLGATE_FILE_MAP, runtime) : NULL;
        const char *fault = path ? map_read(path, &map) : NULL;
        if (fault) /* strict or not is what it would say; the hook that sent us knows, and has looked */
            text_complain("%s is not governed until the agent writes its map: %s %s", arguments[0], path, fault);
        int error = supervise_run(&program);
        bool is_strict = map.header.flags & TOLLGATE_MAP_STRICT;
        text_complain("%s cannot be governed: %s%s", arguments[0], supervise_explain(error),
                      is_strict ? "; capture.strict runs no ungoverned program" : "");
        if (is_strict)
            return 126;
    }
    return supervise_execute(&program);
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

static int env_find_changes(struct cli *cli, struct launch_changes *ret_changes)
{
    struct launch_facts facts;
    bool refuses_ungoverned = false;
    int code = project_apply(cli);
    if (code == EX_OK)
        code = agent_get_launch(cli, &facts, &refuses_ungoverned);
    if (code == EX_OK && run_look(cli, "what this shell starts", false, refuses_ungoverned, &facts) != EX_OK)
        code = EX_UNAVAILABLE;
    return code == EX_OK ? governed_changes(&facts, ret_changes) : code;
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
        code = env_find_changes(cli, &changes);
    }
    if (code != EX_OK)
        return code;
    if (is_json)
        return env_print_json(&changes);
    shell_print(shell, &changes, cli->options.off, stdout);
    return EX_OK;
}
