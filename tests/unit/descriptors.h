/* SPDX-License-Identifier: Apache-2.0 */
/* What happens where a process has few descriptors left. Included by the suites that ask. */
#ifndef TESTS_UNIT_DESCRIPTORS_H
#define TESTS_UNIT_DESCRIPTORS_H

#include "tests/unit/suite.h"

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* What `play` says in a process of its own (a store that failed keeps what it has open) that has so many left. */
static bool says_with_descriptors(unsigned left, bool (*play)(void))
{
    struct rlimit limit;
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        limit.rlim_cur = limit.rlim_max = (rlim_t)dup(STDERR_FILENO) + left;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            _exit(2);
        _exit(play());
    }
    EXPECT(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) < 2,
           "%u descriptors: status %x", left, (unsigned)status);
    return WEXITSTATUS(status) == 1;
}

#endif
