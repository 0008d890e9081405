/* SPDX-License-Identifier: Apache-2.0 */
/*
 * system and popen start /bin/sh inside libc, with `environ` as it is, and no exec hook sees it. A program that emptied
 * its environment gets a complete one lent for the length of the call; any other (nearly all) pays one scan. The shell
 * is taken for dynamic: on a system where it is not, the extra variables do nothing.
 */
#include <errno.h>

#include "shim/preload/shim.h"

#define SHELL_COPY_BYTES_MAX (24u << 10)

struct shell_call {
    const char *command;
    const char *mode; /* popen; NULL: system */
    int status;
    FILE *stream;
};

static void shell_real(struct shell_call *call)
{
    real_system_call run = REAL(system);
    real_popen_call start = REAL(popen);
    if (call->mode == NULL)
        call->status = run ? run(call->command) : -1;
    else
        call->stream = start ? start(call->command, call->mode) : NULL;
}

/* Somebody who changed `environ` meanwhile keeps the change. */
static __attribute__((noinline)) void shell_with_plan(struct shell_call *call, const struct environment_plan *plan)
{
    const char **array = __builtin_alloca(plan->array_bytes);
    char *text = __builtin_alloca(plan->text_bytes + 1);
    environment_build(plan, array, text);
    char **lent = (char **)(uintptr_t)array;
    char **own = environ;
    environ = lent;
    shell_real(call);
    if (environ == lent)
        environ = own;
}

static void shell_run(struct shell_call *call)
{
    struct environment_plan plan;
    struct target shell = {.kind = TARGET_DYNAMIC};
    if (!exec_has_map()) {
        call->status = -1;
        real_set_errno(EPERM);
        return;
    }
    if (shim.is_active && &environ != NULL && environment_plan(environ, shell, NULL, &plan) &&
        plan.array_bytes + plan.text_bytes <= SHELL_COPY_BYTES_MAX)
        shell_with_plan(call, &plan);
    else
        shell_real(call);
}

int hook_system(const char *command)
{
    struct shell_call call = {.command = command};
    if (command == NULL)
        shell_real(&call);
    else
        shell_run(&call);
    return call.status;
}

FILE *hook_popen(const char *command, const char *mode)
{
    struct shell_call call = {.command = command, .mode = mode};
    if (mode == NULL)
        return NULL;
    shell_run(&call);
    return call.stream;
}
