/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What journal.c (queue, writer, followers), keep.c (the rows in aux/), pack.c (rows of many events) and read.c share.
 */
#ifndef JOURNAL_INTERNAL_H
#define JOURNAL_INTERNAL_H

#include "base/list.h"
#include "base/packer.h"
#include "journal/journal.h"
#include "store/store.h"

#include <stdatomic.h>

enum {
    BATCH_MAX = 512,        /* events in one transaction: bounds its locks */
    CHUNK_BYTES = 64 << 10, /* of events that wait together, and become one row */
    /* Between the beginnings of the oldest and the newest exchange of one row: bounds what a look-up goes through. */
    PACK_SPAN_MS = 250,
};

/* Events, one after another, each behind its head: how they wait, and how a row of many has them. */
struct event_head {
    struct id id;
    uint32_t bytes;
};
struct chunk {
    struct chunk *next;
    size_t size, used;
    unsigned count; /* at most BATCH_MAX */
    char bytes[];
};

struct journal {
    struct store *store; /* NULL: nothing is kept */
    struct store_table *events;
    pthread_t thread;
    atomic_bool is_failed;
    atomic_ulong dropped;

    /* The writer's alone. */
    unsigned since_checkpoint;
    struct packer packer;
    struct buffer gathered, row;

    pthread_mutex_t lock; /* a leaf lock */
    pthread_cond_t arrived, written;
    struct chunk *first, **last, *open; /* open: the one that events are added to; NULL: a new one is needed */
    struct chunk *spare;                /* an empty one */
    unsigned waiting;
    uint64_t appended, done; /* events, since the start */
    unsigned flushing;       /* callers that wait */
    bool is_closing;

    pthread_mutex_t follow_lock; /* held while events are delivered; never together with `lock` */
    struct list followers;
};

/* keep.c */
/* ENVIRONMENT_BUSY; all else only marks the journal as failed. */
enum error journal_keep_open(struct journal *journal, const char *directory) MUST_USE;
/* Writes a chain of chunks, and from time to time a checkpoint. A failure marks the journal. */
void journal_keep_events(struct journal *journal, const struct chunk *first);
void journal_keep_close(struct journal *journal);

/* pack.c */
struct slice chunk_events(const struct chunk *chunk);
/* Takes the first event off. False: none is left, or what is left is none. */
bool events_next(struct slice *events, struct id *ret_id, struct slice *ret_json);
uint64_t id_milliseconds(const struct id *id);

/* Which events of a chunk become one row: those that began at most PACK_SPAN_MS before its newest. */
struct pack {
    struct id oldest, newest;
    unsigned count;
};
struct pack pack_plan(const struct chunk *chunk);
bool pack_has(const struct pack *pack, const struct id *id);
/* The key of such a row is its newest id and one byte more; an event of its own is a document under its id. */
enum { PACK_KEY_BYTES = sizeof(struct id) + 1 };
void pack_make_key(const struct pack *pack, char ret_key[PACK_KEY_BYTES]);
bool pack_read_key(struct slice key, struct id *ret_newest);
/* Replaces what is in `row`. */
bool pack_write(const struct pack *pack, struct slice events, struct packer *packer, struct buffer *row) MUST_USE;
/* The head alone; then appends the events. False: it is no such row. */
bool pack_read_oldest(struct slice row, struct id *ret_oldest) MUST_USE;
bool pack_read(struct slice row, struct packer *packer, struct buffer *events) MUST_USE;

#endif
