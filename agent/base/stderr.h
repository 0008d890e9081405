/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard error of an agent: a pipe, a socket of the journal, a terminal, whose reader may stop reading. It is never
 * waited for, as it is every thread's: what does not fit is lost, and that is the writer's to tell.
 */
#ifndef BASE_STDERR_H
#define BASE_STDERR_H

#include "base/slice.h"

/* While there is one thread: from here on neither stderr_write nor stdio's stderr waits. Again, when the descriptor has
 * become another. */
void stderr_take(void);
/* Any thread. How many bytes went; of at most PIPE_BUF (4096) mostly all or none. */
size_t stderr_write(struct slice bytes);

#endif
