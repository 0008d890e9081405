/* SPDX-License-Identifier: Apache-2.0 */
/* What harden.c, harden_paths.c and harden_calls.c say to each other; included by nobody else. */
#ifndef HARDEN_INTERNAL_H
#define HARDEN_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

/* How much may be done below a directory. */
enum harden_access {
    HARDEN_ALL,    /* files, directories and sockets made, changed, removed */
    HARDEN_APPEND, /* files made and written, none removed */
    HARDEN_FILE,   /* this one file is written, as it is */
};

struct harden_place {
    const char *path;
    enum harden_access access;
};

/* ---- harden_paths.c ---- */

/* Forbids this thread, and what it starts, to execute any file, and to change any outside of the places; those that
 * cannot be opened are left out. Returns the kernel's version of Landlock, 0 when it has none. */
int harden_restrict_paths(const struct harden_place *places, size_t count);

/* ---- harden_calls.c ---- */

enum harden_list {
    HARDEN_LIST_AGENT,  /* what harden_calls.def allows; all else does not exist (ENOSYS) */
    HARDEN_LIST_HELPER, /* all but what kills */
};

/* Every thread of the process, and what it starts. False: the kernel has no seccomp filters. */
bool harden_restrict_calls(enum harden_list list);

#endif
