/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May the launcher take the place of a static or Go program in an exec, and what is it told. Asked by exec.c in vfork
 * children and signal handlers: stack only. The target is passed by name in one variable, so that the arguments, of any
 * number, stay as they are. Not wrapped are targets that cannot be executed (their own errno is the answer), and
 * programs that a debugger starts: it counts execs and wants the program itself.
 */
#include <fcntl.h>
#include <unistd.h>

#include "shim/preload/shim.h"

#define SUPERVISE_STATUS_BYTES 512 /* of /proc/self/status; TracerPid is its seventh line */

bool supervise_is_above(void)
{
    return RAW6(SYS_prctl, TOLLGATE_PROBE_OPTION, 0, 0, 0, 0, 0) == -TOLLGATE_PROBE_ERRNO;
}

static __attribute__((noinline)) bool supervise_is_traced(void)
{
    char status[SUPERVISE_STATUS_BYTES];
    long fd = RAW6(SYS_openat, AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC, 0, 0, 0);
    if (fd < 0)
        return false;
    long got = RAW3(SYS_read, fd, status, sizeof status - 1);
    RAW3(SYS_close, fd, 0, 0);
    if (got <= 0)
        return false;
    status[got] = '\0';
    const char *tracer = text_find(status, "TracerPid:\t");
    return tracer != NULL && !text_starts(tracer, "TracerPid:\t0\n");
}

static bool supervise_can_execute(int directory, const char *path, int flags)
{
    return RAW6(SYS_faccessat2, directory, path, X_OK, AT_EACCESS | flags, 0, 0) == 0;
}

/* A descriptor goes through the launcher's exec, and the launcher closes it for the program where it would have been.
 */
static void supervise_order_descriptor(struct supervise_target *target, int fd)
{
    bool is_closed = RAW3(SYS_fcntl, fd, F_GETFD, 0) != 0 || target->opened >= 0;
    char *end = text_append(target->order, is_closed ? TOLLGATE_EXECUTE_CLOSE : TOLLGATE_EXECUTE_OPEN);
    text_append_number(end, (uint32_t)fd);
    if (is_closed && target->opened < 0) {
        RAW3(SYS_fcntl, fd, F_SETFD, 0);
        target->uncovered = fd;
    }
}

static bool supervise_order_path(struct supervise_target *target)
{
    bool is_relative = target->path[0] != '/' && target->directory != AT_FDCWD;
    if (target->is_search)
        return elf_find(target->path, target->order) && supervise_can_execute(AT_FDCWD, target->order, 0);
    if (!supervise_can_execute(target->directory, target->path, 0) || text_length(target->path) >= ELF_PATH_BYTES)
        return false;
    if (!is_relative) {
        text_append(target->order, target->path);
        return true;
    }
    target->opened = (int)RAW6(SYS_openat, target->directory, target->path, O_PATH, 0, 0, 0);
    if (target->opened < 0)
        return false;
    supervise_order_descriptor(target, target->opened);
    return true;
}

bool supervise_prepare(struct supervise_target *target)
{
    target->opened = target->uncovered = -1;
    if (shim.launcher == NULL || shim.launcher[0] != '/' || !supervise_can_execute(AT_FDCWD, shim.launcher, 0) ||
        supervise_is_traced())
        return false;
    if (target->path != NULL)
        return supervise_order_path(target);
    if (!supervise_can_execute(target->directory, "", AT_EMPTY_PATH))
        return false;
    supervise_order_descriptor(target, target->directory);
    return true;
}

void supervise_undo(const struct supervise_target *target)
{
    if (target->opened >= 0)
        RAW3(SYS_close, target->opened, 0, 0);
    if (target->uncovered >= 0)
        RAW3(SYS_fcntl, target->uncovered, F_SETFD, FD_CLOEXEC);
}
