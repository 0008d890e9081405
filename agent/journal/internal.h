/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What journal.c (queue, writer, followers) and keep.c (the rows in aux/) share.
 */
#ifndef JOURNAL_INTERNAL_H
#define JOURNAL_INTERNAL_H

#include "base/list.h"
#include "journal/journal.h"
#include "store/store.h"

#include <stdatomic.h>

enum { BATCH_MAX = 512 }; /* rows in one transaction: bounds its locks */

struct event {
    struct event *next;
    struct id id;
    size_t length;
    char json[];
};

struct journal {
    struct store *store; /* NULL: nothing is kept */
    struct store_table *events;
    pthread_t thread;
    atomic_bool is_failed;
    atomic_ulong dropped;
    unsigned since_checkpoint; /* writer only */

    pthread_mutex_t lock; /* a leaf lock */
    pthread_cond_t arrived, written;
    struct event *first, **last;
    unsigned waiting;
    uint64_t appended, done; /* events, since the start */
    unsigned flushing;       /* callers that wait */
    bool is_closing;

    pthread_mutex_t follow_lock; /* held while events are delivered; never together with `lock` */
    struct list followers;
};

/* ENVIRONMENT_BUSY; all else only marks the journal as failed. */
enum error journal_keep_open(struct journal *journal, const char *directory) MUST_USE;
/* Writes a chain of events, and from time to time a checkpoint. A failure marks the journal. */
void journal_keep_events(struct journal *journal, const struct event *first);
void journal_keep_close(struct journal *journal);

#endif
