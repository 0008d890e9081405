/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_BASE_DESCRIPTORS_H
#define TOLLGATE_BASE_DESCRIPTORS_H

#include <stdbool.h>

/* Who may take which of the process's last descriptors (RLIMIT_NOFILE). Files come first: a ledger that cannot open its
 * next log file stops the agent; then the connections to providers, as their programs wait; then new programs. */
enum descriptor_use {
    DESCRIPTOR_PROVIDER, /* leaves a sixteenth of them, at most 64 */
    DESCRIPTOR_PROGRAM,  /* leaves a quarter, at most 512 */
    DESCRIPTOR_BROUGHT,  /* of supervisors, whose programs go their own way without us: leaves a half, at most 1,024 */
};

/* Those of 0 to 2 that are closed become /dev/null, lest a store or a socket gets such a number, and messages. First of
 * all in main(). */
void descriptors_fill(void);
/* Whether this new descriptor (the lowest that was free) is one of those that are left to others. */
bool descriptor_is_kept(int fd, enum descriptor_use use);
/* Whether the next one would be. True, too, when there is none. */
bool descriptors_are_short(enum descriptor_use use);

#endif
