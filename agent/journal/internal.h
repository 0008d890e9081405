/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the journal share: journal.c (queue, writer, followers), keep.c (the rows in aux/), pack.c (rows of
 * many events), read.c (events), line.c (lines as bytes, and read from events), series.c and sums.c (the sums), lines.c
 * (lines of a period), rebuild.c (sums made anew, what is too old).
 */
#ifndef JOURNAL_INTERNAL_H
#define JOURNAL_INTERNAL_H

#include "base/list.h"
#include "base/packer.h"
#include "journal/journal.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <uthash.h>

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
/* From the front the events, from the back their lines (the last one's first). */
struct chunk {
    struct chunk *next;
    size_t size, used, lines_bytes;
    unsigned count; /* at most BATCH_MAX */
    char bytes[];
};

/* A line as bytes: this, its names (each with its NUL), its measures that are not 0. */
struct line_head {
    uint32_t bytes; /* all of it */
    uint16_t names_bytes;
    uint8_t measure_count;
    bool is_free; /* reached nobody, cost nothing, gave nothing: who may not spend can make many of them */
    int64_t time_ms;
    struct id id; /* of the event */
};
struct line_measure {
    uint8_t measure;
    uint8_t value[8];
};
enum {
    NAMES_BYTES_MAX = DIMENSION_COUNT * (JOURNAL_NAME_BYTES_MAX + 1),
    LINE_BYTES_MAX = sizeof(struct line_head) + NAMES_BYTES_MAX + MEASURE_COUNT * sizeof(struct line_measure),
};

/* How many series of a group began in the slot that it wrote to last. */
struct newcomers {
    UT_hash_handle hh;
    uint32_t slot, free, others;
    char group[];
};
/* One combination of names; never freed while the journal is open. */
struct series {
    UT_hash_handle hh;
    uint32_t number;
    size_t names_bytes;
    char names[];
};
/* What one series comes to in one slot, as far as it was needed lately. */
struct sum_key {
    uint32_t slot, series; /* slots since 1970 */
};
struct sum {
    UT_hash_handle hh;
    struct sum_key key;
    bool is_dirty;
    struct sum *next_dirty;
    uint64_t of[MEASURE_COUNT];
};
/* A line that was paid long after (or before) its call began: its event is not where its time says. */
struct late {
    int64_t time_ms;
    struct id id;
};

struct journal {
    struct store *store; /* NULL: nothing is kept */
    struct store_table *events, *sums, *names, *late, *marks;
    pthread_t thread;
    atomic_bool is_failed;
    atomic_ulong dropped;

    /* The writer's alone. */
    char *directory;
    struct chunk *held_back; /* delivered, and not on disk: there is no room */
    bool is_without_room;
    unsigned since_checkpoint;
    struct packer packer;
    struct buffer gathered, row;
    struct sum *cached, *dirty;  /* of sums */
    struct newcomers *newcomers; /* by group */
    struct sum *recent;          /* that the last line went to, by slot and names: mostly the next one's, too */
    uint32_t recent_slot;
    size_t recent_bytes;
    char recent_names[NAMES_BYTES_MAX];
    struct late *lates; /* not yet written */
    uint32_t late_count, late_capacity;

    pthread_rwlock_t series_lock; /* a leaf lock; only the writer changes them */
    struct series *by_names, **series;
    uint32_t series_count, series_capacity, series_put; /* put: so many are on disk */

    pthread_mutex_t lock; /* a leaf lock */
    pthread_cond_t arrived, written;
    struct chunk *first, **last, *open; /* open: the one that events are added to; NULL: a new one is needed */
    struct chunk *spare;                /* an empty one */
    unsigned waiting;
    uint64_t appended, done; /* events, since the start */
    unsigned flushing;       /* callers that wait */
    bool is_closing;
    struct rebuild *rebuild; /* ordered, and not begun; NULL: none */
    atomic_bool has_gap;

    pthread_mutex_t follow_lock; /* held while events are delivered; never together with `lock` */
    struct list followers;
};

/* Numbers in keys: big endian, so that their order is the rows'. */
static inline void number_write(uint64_t number, char *bytes, size_t count)
{
    for (size_t i = count; i-- > 0; number >>= 8)
        bytes[i] = (char)number;
}
static inline uint64_t number_read(const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++)
        number = number << 8 | at[i];
    return number;
}

/* keep.c */
/* Runs `body` in a transaction and commits it; all again when a deadlock was lost. STORE_IO: nothing is kept. */
typedef enum error journal_body(struct journal *journal, struct store_transaction *transaction, void *context);
enum error journal_transact(struct journal *journal, journal_body *body, void *context) MUST_USE;
/* ENVIRONMENT_BUSY; all else only marks the journal as failed. */
enum error journal_keep_open(struct journal *journal, const char *directory) MUST_USE;
/* Writes a chain of chunks, and from time to time a checkpoint. A failure marks the journal. */
void journal_keep_events(struct journal *journal, const struct chunk *first);
/* Whether what is written now will not fail for want of room; also when nothing is kept any more. */
bool keep_has_room(struct journal *journal);        /* the writer's; says what changed */
bool keep_may_write(const struct journal *journal); /* the same for others' writes */
void journal_keep_close(struct journal *journal);

/* line.c */
bool line_is_free(const struct journal_line *line);
size_t line_encode(const struct journal_line *line, struct id id, char bytes[LINE_BYTES_MAX]);
/* Takes the first line off. False: none is left. Its names, joined, and its measures (struct line_measure, unaligned)
 * are in `lines`. */
bool lines_next(struct slice *lines, struct line_head *ret_head, struct slice *ret_names, struct slice *ret_measures);
/* The names of a line or a series, one by one. */
void names_split(struct slice names, const char *ret_names[DIMENSION_COUNT]);
size_t names_join(const char *const names[DIMENSION_COUNT], char joined[NAMES_BYTES_MAX]);

/* series.c: the number of a combination of names; when there are too many, of a coarser one. */
enum error series_load(struct journal *journal) MUST_USE;
uint32_t series_find(struct journal *journal, struct slice names, uint32_t slot, bool is_free);
void series_free(struct journal *journal);
/* Series that were made since the last call go into the transaction with the sums. */
enum error series_put(struct journal *journal, struct store_transaction *transaction) MUST_USE;

/* sums.c: lines are added in memory, then put with the events; `sums_settle` when that was committed. */
enum error sums_add_line(struct journal *journal, struct id id, const struct journal_line *line) MUST_USE;
enum error sums_add_chunk(struct journal *journal, const struct chunk *chunk) MUST_USE;
enum error sums_put(struct journal *journal, struct store_transaction *transaction) MUST_USE;
void sums_settle(struct journal *journal);
void sums_forget(struct journal *journal); /* all that is in memory */
enum { SUM_KEY_BYTES = 8 };
void sum_make_key(struct sum_key key, char bytes[SUM_KEY_BYTES]);
bool sum_read_key(struct slice key, struct sum_key *ret_key);

/* lines.c */
enum { LATE_MS = 3600000, LATE_KEY_BYTES = 8 + sizeof(struct id) };
bool line_is_late(const struct id *id, int64_t time_ms);
void late_make_key(const struct late *late, char key[LATE_KEY_BYTES]);
/* Every kept event of a row, from id `from` (NULL: the first) on, in the order of rows. */
typedef bool journal_visit_row(void *context, struct slice key, struct slice events);
enum error journal_scan_rows(struct journal *journal, const struct id *from, journal_visit_row *visit,
                             void *context) MUST_USE;

/* rebuild.c, on the writer's thread */
void rebuild_run(struct journal *journal, struct rebuild *rebuild);
enum error rebuild_if_interrupted(struct journal *journal) MUST_USE;
enum error marks_get(struct journal *journal, const char *name, uint64_t *ret_value) MUST_USE; /* 0 when absent */

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
