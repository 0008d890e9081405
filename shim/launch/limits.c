/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process may have (setrlimit(2)). A new agent inherits it from whoever starts it, and may be started from
 * another shell than the one before. Called by restart alone, while the old agent still serves.
 */
#include "shim/launch/launch.h"

#include <sys/resource.h>
#include <sysexits.h>

/* Those that an agent would miss, with the letter and the unit of bash's ulimit. */
static const struct row {
    int resource;
    char letter;
    unsigned unit;
} rows[] = {
    {RLIMIT_NOFILE, 'n', 1}, {RLIMIT_NPROC, 'u', 1},   {RLIMIT_FSIZE, 'f', 1024}, {RLIMIT_CPU, 't', 1},
    {RLIMIT_AS, 'v', 1024},  {RLIMIT_DATA, 'd', 1024}, {RLIMIT_STACK, 's', 1024}, {RLIMIT_MEMLOCK, 'l', 1024},
};

static const char *limits_format(const struct row *row, rlim_t value)
{
    return value == RLIM_INFINITY ? "unlimited" : text_format("%llu", (unsigned long long)value / row->unit);
}

/* The hard limit is the user's word, and stays, even where he could raise it. */
static int limits_match_row(const struct row *row, int pid)
{
    struct rlimit here, there;
    if (prlimit(pid, row->resource, NULL, &there) != 0 || prlimit(0, row->resource, NULL, &here) != 0)
        return EX_OK;                    /* another user's: he may not be restarted from here anyway */
    if (here.rlim_cur >= there.rlim_cur) /* RLIM_INFINITY is the largest */
        return EX_OK;
    if (here.rlim_max >= there.rlim_cur) {
        here.rlim_cur = there.rlim_cur;
        if (prlimit(0, row->resource, &here, NULL) == 0)
            return EX_OK;
    }
    text_complain("ulimit -%c is %s here, and %s for the agent that runs: a new one would have less; raise it",
                  row->letter, limits_format(row, here.rlim_max), limits_format(row, there.rlim_cur));
    return EX_CONFIG;
}

int limits_match(int pid)
{
    int code = EX_OK;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const int found = limits_match_row(&rows[i], pid);
        code = found != EX_OK ? found : code;
    }
    return code;
}
