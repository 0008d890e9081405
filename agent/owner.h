/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns a runtime directory, and who a state: one agent at a time, from before it opens its state until its process
 * ends. The locks are the kernel's, so that a killed agent leaves none. Each file's words name the other directory, so
 * that whoever looks at one finds the agent, also by a runtime directory that is gone (struct launch_owner of
 * shim/launch reads them). Called by services.c.
 */
#ifndef OWNER_H
#define OWNER_H

#include "base/error.h"

#include <stdbool.h>

enum { OWNER_LOCKS = 2 };
/* A lock is held as long as its descriptor, or a copy, is open; -1: not held. */
struct owner {
    int fds[OWNER_LOCKS];
};

void owner_init(struct owner *owner);
/* ENVIRONMENT_BUSY: another agent has one of the two, and `has_log` or not, standard error and the log are told which.
 * FILE_UNWRITABLE. What was claimed before a failure stays so until owner_release. */
enum error owner_claim(struct owner *owner, const char *runtime, const char *state, bool has_log) MUST_USE;
/* From now on the words say that the agent ends its last calls: whoever cannot ask it may wait for it. */
void owner_note_end(const struct owner *owner);
/* The runtime directory was removed and made anew, and is another agent's now, who has its lock: nothing in it is ours
 * any more. */
bool owner_is_another(const struct owner *owner, const char *runtime);
/* The state first: one that is owned has its runtime directory, unless that was removed. */
void owner_release(struct owner *owner);

#endif
