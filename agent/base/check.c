/* SPDX-License-Identifier: Apache-2.0 */
/* The panic behind check(): async-signal-safe enough to work with a broken heap. */
#include "base/check.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATIENCE_MS = 1000 };

static _Thread_local const char *current_trail;

void check_set_trail(const char *trail)
{
    current_trail = trail;
}

/* A reader that has stopped reading must not keep a broken agent alive. */
static bool has_room(int fd)
{
    struct pollfd polled = {fd, POLLOUT, 0};
    return poll(&polled, 1, PATIENCE_MS) > 0;
}

_Noreturn void check_panic(const char *condition, const char *file, int line)
{
    const bool is_lack = errno == ENOMEM; /* also pthread_create's, where a thread's stack has no room */
    char text[512];
    int length =
        snprintf(text, sizeof text, "tollgate: panic: check(%s) failed at %s:%d, step %s%s\n", condition, file, line,
                 current_trail ? current_trail : "-",
                 is_lack ? "; there was no more memory (ulimit -v, a limit of its group, or the machine's)" : "");
    if (length > 0 && has_room(STDERR_FILENO)) {
        size_t size = (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
        ssize_t ignored = write(STDERR_FILENO, text, size);
        (void)ignored;
    }
    abort();
}
