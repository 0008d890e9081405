/* SPDX-License-Identifier: Apache-2.0 */
/* What harden.c, harden_paths.c, harden_libraries.c and harden_calls.c say to each other; included by nobody else. */
#ifndef HARDEN_INTERNAL_H
#define HARDEN_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How much may be done below a directory. */
enum harden_access {
    HARDEN_ALL,    /* files, directories and sockets made, changed, removed */
    HARDEN_APPEND, /* files made and written, none removed */
    HARDEN_ROTATE, /* the same, and files renamed and removed */
    HARDEN_FILE,   /* this one file is written, as it is */
};

struct harden_place {
    const char *path;
    enum harden_access access;
};

/* ---- harden_paths.c ---- */

/* Forbids this thread, and what it starts, to execute any file, to change any outside of the places (those that cannot
 * be opened are left out) and to reach others' abstract Unix sockets, where the kernel can (version 6). Returns the
 * kernel's version of Landlock, 0 when it has none. */
int harden_restrict_paths(const struct harden_place *places, size_t count);

/* ---- harden_libraries.c ---- */

/* Loads, for good, the libraries that libc would load when it first needs them: what ends threads, and what
 * nsswitch.conf names for users, groups and hosts. One that is not there is left out, as libc does. */
void harden_load_libraries(void);

/* ---- harden_calls.c ---- */

enum harden_list {
    HARDEN_LIST_AGENT,  /* what harden_calls.def allows; all else does not exist (ENOSYS) */
    HARDEN_LIST_LOADER, /* all but what kills */
};

/* Whether HARDEN_LIST_AGENT is written for that architecture (a token of libseccomp's); 0: this process's own. Where it
 * is not, a call that every program needs may have another name, and nobody has tried. */
bool harden_has_list(uint32_t architecture);
/* Every thread of the process, and what it starts. False: the kernel has no seccomp filters. */
bool harden_restrict_calls(enum harden_list list);

#endif
