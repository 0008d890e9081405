/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A secret is a type whose only formatter prints ***. Its bytes are reachable through secret_reveal alone, which is
 * for the code that puts a key on the wire; grep for it to review every use. A secret lies in pages of its own: locked
 * where the system allows, in no core dump, not in forked processes, wiped and unmapped when freed.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/slice.h"

struct secret;

struct secret *secret_new(struct slice bytes);
void secret_free(struct secret *secret); /* NULL is fine */
/* How many secrets could not be locked, and so may be swapped out: RLIMIT_MEMLOCK is too small. */
unsigned secret_count_swappable(void);
struct slice secret_reveal(const struct secret *secret);
/* Always "***". */
const char *secret_format(const struct secret *secret);
bool secret_is_equal(const struct secret *secret, struct slice bytes); /* constant time in the length of the secret */

#endif
