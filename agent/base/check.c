/* SPDX-License-Identifier: Apache-2.0 */
/* The panic behind check(): async-signal-safe enough to work with a broken heap. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static _Thread_local const char *current_trail;

void check_set_trail(const char *trail)
{
    current_trail = trail;
}

_Noreturn void check_panic(const char *condition, const char *file, int line)
{
    char text[512];
    int length = snprintf(text, sizeof text, "tollgate: panic: check(%s) failed at %s:%d, step %s\n", condition, file,
                          line, current_trail ? current_trail : "-");
    if (length > 0) {
        size_t size = (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
        ssize_t ignored = write(STDERR_FILENO, text, size);
        (void)ignored;
    }
    abort();
}
