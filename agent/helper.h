/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that do for the agent what may hang or needs to know nothing of it: forked before it starts a thread or
 * locks itself down (a secret that it has read is in no child: base/secret.h). Orders and answers pass over a pair of
 * sockets that keeps the messages' bounds. The alert commands' (notify.c, the first, as it is as free as the user), the
 * one that asks DNS (resolver.c), those that look into other processes (startup.c), and the one that has the CA's keys
 * (names.c).
 */
#ifndef HELPER_H
#define HELPER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The helper's end of the pair, in the helper. */
enum { HELPER_FD = 3, HELPER_VARIABLES_MAX = 16 };

struct helper {
    int fd; /* the agent's end; the helper sees its closing */
    pid_t pid;
};

/* Forks. The child keeps nothing of the agent but the pair and an environment of a few harmless names, can be read by
 * no other process of the user, is called `name`, outlives the signals that stop a service, and runs `run` to its end.
 */
bool helper_open(struct helper *helper, const char *name, void (*run)(const void *context), const void *context);
/* In the helper: lives on as a process that does nothing but run `work` in another one, and make it anew, a second
 * later, when it dies, as one may that loads others' code. Whoever asked it then gets `answer`. Returns when `work`
 * has. The other one ends with this one. */
void helper_keep(void (*work)(void), const void *answer, size_t answer_bytes);
/* False once it has ended; the caller's own, of one thread. */
bool helper_is_alive(struct helper *helper);
/* Closes the pair and waits for the helper's end. */
void helper_close(struct helper *helper);
/* The same of one that has nothing to finish: after a second it is killed, and not waited for (a file system, or a name
 * server, that it asked may hang). */
void helper_end(struct helper *helper);

#endif
