/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The children of the crash tests, each in a process group of its own. When child_wait or child_kill return, the child
 * and everything it started (a recovery runs in a child of its own) is gone.
 */
#ifndef CRASH_CHILD_H
#define CRASH_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

void child_prepare(void); /* once */
pid_t child_start(void (*run)(const char *directory), const char *directory);
/* The wait status. */
int child_wait(pid_t child);
/* At some moment within us_max, after history->is_ready if so wished. */
int child_kill(pid_t child, bool waits_until_ready, unsigned us_max);
/* Whether it ended well, or else (if that was wanted) by SIGKILL; anything else is a violation. */
void child_expect(int status, bool may_be_killed);

#endif
