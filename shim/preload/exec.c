/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every way to start a program. libc's own calls among these functions never pass through a hook, so each public one
 * has its own, and all lead to exec_run: look at the target, put back what its environment lacks (or take out what
 * is ours, for the agent and whatever cannot use it), call the real function once. A static or Go program is executed
 * through the launcher, which takes its place and its arguments as they are, and supervises it (supervise.c says when).
 * Runs in vfork children and signal handlers: nothing is allocated, locked or written but the stack. An environment
 * that is complete costs the look and nothing else.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#include "shim/preload/shim.h"

/* More than this is not copied to a stack of unknown size: the exec goes through as it is. */
#define EXEC_COPY_BYTES_MAX (24u << 10)

enum exec_kind { EXEC_PATH, EXEC_SEARCH, EXEC_DESCRIPTOR, EXEC_AT, EXEC_SPAWN, EXEC_SPAWN_SEARCH };

struct exec_call {
    enum exec_kind kind;
    int directory; /* EXEC_AT; EXEC_DESCRIPTOR: the program itself */
    int flags;     /* EXEC_AT */
    const char *path;
    char *const *arguments;
    char *const *environment;
    pid_t *process; /* EXEC_SPAWN* */
    const posix_spawn_file_actions_t *actions;
    const posix_spawnattr_t *attributes;
};

static int exec_real_path(const struct exec_call *call, char *const *environment)
{
    real_execve_call real = REAL(execve);
    return real ? real(call->path, call->arguments, environment)
                : (int)raw_result(RAW3(SYS_execve, call->path, call->arguments, environment));
}

static int exec_real_at(const struct exec_call *call, char *const *environment)
{
    /* musl has no execveat; glibc's is the bare system call. */
    return (int)raw_result(
        RAW6(SYS_execveat, call->directory, call->path, call->arguments, environment, call->flags, 0));
}

static int exec_missing(void)
{
    real_set_errno(ENOSYS);
    return -1;
}

static int exec_real(const struct exec_call *call, char *const *environment)
{
    real_execvpe_call search = REAL(execvpe);
    real_fexecve_call descriptor = REAL(fexecve);
    real_posix_spawn_call spawn = REAL(posix_spawn);
    real_posix_spawnp_call spawn_search = REAL(posix_spawnp);
    switch (call->kind) {
    case EXEC_PATH:
        return exec_real_path(call, environment);
    case EXEC_SEARCH:
        return search ? search(call->path, call->arguments, environment) : exec_missing();
    case EXEC_DESCRIPTOR:
        return descriptor ? descriptor(call->directory, call->arguments, environment) : exec_missing();
    case EXEC_AT:
        return exec_real_at(call, environment);
    case EXEC_SPAWN:
        return !spawn ? ENOSYS
                      : spawn(call->process, call->path, call->actions, call->attributes, call->arguments, environment);
    case EXEC_SPAWN_SEARCH:
        return !spawn_search ? ENOSYS
                             : spawn_search(call->process, call->path, call->actions, call->attributes, call->arguments,
                                            environment);
    }
    return exec_missing();
}

static bool exec_is_too_big(const struct exec_call *call, int result)
{
    if (call->kind == EXEC_SPAWN || call->kind == EXEC_SPAWN_SEARCH)
        return result == E2BIG;
    return result == -1 && real_get_errno() == E2BIG;
}

/* Its own frame, so that the memory is taken only on this path. */
static __attribute__((noinline)) int exec_with_plan(const struct exec_call *call, const struct environment_plan *plan)
{
    const char **array = __builtin_alloca(plan->array_bytes);
    char *text = __builtin_alloca(plan->text_bytes + 1);
    environment_build(plan, array, text);
    int saved = real_get_errno();
    int result = exec_real(call, (char *const *)(uintptr_t)array);
    if (plan->order != NULL || !exec_is_too_big(call, result))
        return result;
    /* The few bytes that we added must not be what breaks the program. */
    real_set_errno(saved);
    return exec_real(call, call->environment);
}

/*
 * After a chroot, or once the library was removed, ld.so would complain on the child's stderr about a preload that it
 * cannot open: then all that is ours is taken out, as for a foreign architecture.
 */
static bool exec_can_preload(void)
{
    return shim.library == NULL || RAW3(SYS_faccessat, AT_FDCWD, shim.library, R_OK) == 0;
}

static bool exec_is_search(const struct exec_call *call)
{
    return call->kind == EXEC_SEARCH || call->kind == EXEC_SPAWN_SEARCH;
}

/* A supervisor above us has its own. Asked under strict alone: elsewhere the target runs all the same. */
bool exec_has_map(void)
{
    return !map_is_strict() || map_is_there(shim.map) || supervise_is_above();
}

static struct target exec_look(const struct exec_call *call)
{
    struct target target = elf_look(call->directory, call->path, call->flags, exec_is_search(call));
    bool is_usable = target.kind == TARGET_AGENT || (environment_is_readable() && exec_has_map());
    if (!is_usable || (target.kind == TARGET_DYNAMIC && !exec_can_preload()))
        target.kind = TARGET_FOREIGN;
    return target;
}

static int exec_fail(const struct exec_call *call, int error)
{
    if (call->kind == EXEC_SPAWN || call->kind == EXEC_SPAWN_SEARCH)
        return error;
    real_set_errno(error);
    return -1;
}

static bool exec_is_bounded(const struct environment_plan *plan)
{
    return plan->array_bytes + plan->text_bytes <= EXEC_COPY_BYTES_MAX;
}

/* Nothing can govern it: under capture.strict it does not run. */
static int exec_ungoverned(const struct exec_call *call)
{
    return map_is_strict() ? exec_fail(call, EPERM) : exec_real(call, call->environment);
}

static int exec_completed(const struct exec_call *call, struct target target)
{
    struct environment_plan plan;
    if (!environment_plan(call->environment, target, NULL, &plan) || !exec_is_bounded(&plan))
        return exec_real(call, call->environment);
    return exec_with_plan(call, &plan);
}

static struct supervise_target exec_name_target(const struct exec_call *call)
{
    bool is_descriptor = call->kind == EXEC_DESCRIPTOR || (call->kind == EXEC_AT && call->path[0] == '\0');
    return (struct supervise_target){.directory = call->directory,
                                     .path = is_descriptor ? NULL : call->path,
                                     .is_search = exec_is_search(call) && text_find(call->path, "/") == NULL};
}

/* The launcher in the target's place: same arguments, the target named in the environment. */
static __attribute__((noinline)) int exec_supervised(const struct exec_call *call)
{
    struct supervise_target target = exec_name_target(call);
    struct exec_call launch = *call;
    struct environment_plan plan;
    launch.kind = call->kind == EXEC_SPAWN_SEARCH || call->kind == EXEC_SPAWN ? EXEC_SPAWN : EXEC_PATH;
    launch.path = shim.launcher;
    if (!supervise_prepare(&target))
        return exec_ungoverned(call);
    environment_plan(call->environment, elf_look(AT_FDCWD, shim.launcher, 0, false), target.order, &plan);
    int result = exec_is_bounded(&plan) ? exec_with_plan(&launch, &plan) : exec_fail(call, E2BIG);
    supervise_undo(&target);
    /* What we add must not be what breaks the program. */
    return exec_is_too_big(call, result) ? exec_ungoverned(call) : result;
}

static int exec_run(const struct exec_call *call)
{
    if (!shim.is_active || (call->environment != NULL && !pointer_is_plausible(call->environment)))
        return exec_real(call, call->environment);
    struct target target = exec_look(call);
    switch (target.kind) {
    case TARGET_DYNAMIC:
    case TARGET_AGENT:
        return exec_completed(call, target);
    case TARGET_FOREIGN:
        return map_is_strict() ? exec_fail(call, EPERM) : exec_completed(call, target);
    case TARGET_PRIVILEGED:
        return exec_ungoverned(call);
    case TARGET_STATIC:
        break;
    }
    if (!supervise_is_above())
        return exec_supervised(call);
    target.kind = TARGET_DYNAMIC; /* governed already; what it starts is completed by its environment */
    return exec_completed(call, target);
}

static int exec_path(const char *path, char *const *arguments, char *const *environment)
{
    struct exec_call call = {
        .kind = EXEC_PATH, .directory = AT_FDCWD, .path = path, .arguments = arguments, .environment = environment};
    return exec_run(&call);
}

static int exec_search(const char *file, char *const *arguments, char *const *environment)
{
    struct exec_call call = {
        .kind = EXEC_SEARCH, .directory = AT_FDCWD, .path = file, .arguments = arguments, .environment = environment};
    return exec_run(&call);
}

static char *const *exec_environ(void)
{
    return &environ != NULL ? environ : NULL;
}

int hook_execve(const char *path, char *const *arguments, char *const *environment)
{
    return exec_path(path, arguments, environment);
}

int hook_execv(const char *path, char *const *arguments)
{
    return exec_path(path, arguments, exec_environ());
}

int hook_execvp(const char *file, char *const *arguments)
{
    return exec_search(file, arguments, exec_environ());
}

int hook_execvpe(const char *file, char *const *arguments, char *const *environment)
{
    return exec_search(file, arguments, environment);
}

int hook_fexecve(int fd, char *const *arguments, char *const *environment)
{
    struct exec_call call = {.kind = EXEC_DESCRIPTOR,
                             .directory = fd,
                             .flags = AT_EMPTY_PATH,
                             .path = "",
                             .arguments = arguments,
                             .environment = environment};
    return exec_run(&call);
}

int hook_execveat(int directory, const char *path, char *const *arguments, char *const *environment, int flags)
{
    struct exec_call call = {.kind = EXEC_AT,
                             .directory = directory,
                             .flags = flags,
                             .path = path,
                             .arguments = arguments,
                             .environment = environment};
    return exec_run(&call);
}

int hook_posix_spawn(pid_t *process, const char *path, const posix_spawn_file_actions_t *actions,
                     const posix_spawnattr_t *attributes, char *const *arguments, char *const *environment)
{
    struct exec_call call = {.kind = EXEC_SPAWN,
                             .directory = AT_FDCWD,
                             .path = path,
                             .arguments = arguments,
                             .environment = environment,
                             .process = process,
                             .actions = actions,
                             .attributes = attributes};
    return exec_run(&call);
}

int hook_posix_spawnp(pid_t *process, const char *file, const posix_spawn_file_actions_t *actions,
                      const posix_spawnattr_t *attributes, char *const *arguments, char *const *environment)
{
    struct exec_call call = {.kind = EXEC_SPAWN_SEARCH,
                             .directory = AT_FDCWD,
                             .path = file,
                             .arguments = arguments,
                             .environment = environment,
                             .process = process,
                             .actions = actions,
                             .attributes = attributes};
    return exec_run(&call);
}

/* The list forms build the vector on the stack, as libc's own do. */
static size_t exec_count_arguments(va_list *list)
{
    size_t count = 1;
    while (va_arg(*list, const char *) != NULL)
        count++;
    return count;
}

static void exec_copy_arguments(va_list *list, const char *first, size_t count, const char **array)
{
    array[0] = first;
    for (size_t i = 1; i < count; i++)
        array[i] = va_arg(*list, const char *);
    array[count] = NULL;
}

int hook_execl(const char *path, const char *first, ...)
{
    va_list list;
    va_start(list, first);
    size_t count = first != NULL ? exec_count_arguments(&list) : 0;
    va_end(list);
    const char **array = __builtin_alloca((count + 1) * sizeof *array);
    va_start(list, first);
    exec_copy_arguments(&list, first, count, array);
    va_end(list);
    return exec_path(path, (char *const *)(uintptr_t)array, exec_environ());
}

int hook_execlp(const char *file, const char *first, ...)
{
    va_list list;
    va_start(list, first);
    size_t count = first != NULL ? exec_count_arguments(&list) : 0;
    va_end(list);
    const char **array = __builtin_alloca((count + 1) * sizeof *array);
    va_start(list, first);
    exec_copy_arguments(&list, first, count, array);
    va_end(list);
    return exec_search(file, (char *const *)(uintptr_t)array, exec_environ());
}

int hook_execle(const char *path, const char *first, ...)
{
    va_list list;
    va_start(list, first);
    size_t count = first != NULL ? exec_count_arguments(&list) : 0;
    va_end(list);
    const char **array = __builtin_alloca((count + 1) * sizeof *array);
    va_start(list, first);
    exec_copy_arguments(&list, first, count, array);
    if (first != NULL)
        (void)va_arg(list, const char *);
    char *const *environment = va_arg(list, char *const *);
    va_end(list);
    return exec_path(path, (char *const *)(uintptr_t)array, environment);
}
