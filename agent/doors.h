/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listening Unix sockets of the runtime directory: admin.sock, report.sock, redirect.sock. Each is the one that the
 * agent before left to us (inherited.h), with whoever waits in it, or a new one. Opened and closed by services.c, which
 * lends them to control/ and identity/; assumes that the runtime directory is ours.
 */
#ifndef DOORS_H
#define DOORS_H

#include "base/error.h"
#include "inherited.h"

/* -1: not open. The ports' places are not used. */
struct doors {
    int fds[INHERITED_COUNT];
};

void doors_init(struct doors *doors);
/* `is_shared`: others than the owner may connect, but for admin.sock. FILE_UNWRITABLE: it cannot be bound. */
enum error doors_open(struct doors *doors, enum inherited which, const char *runtime, bool is_shared) MUST_USE;
/* `is_kept`: somebody has copies, and keeps them for the next agent, or what has their names is another's. Otherwise
 * nobody finds the sockets any more. Idempotent. */
void doors_close(struct doors *doors, const char *runtime, bool is_kept);

#endif
