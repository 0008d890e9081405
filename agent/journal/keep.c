/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events on disk: a table in aux/, written in batches by the journal's thread, without flushing. It is disposable:
 * what is damaged is moved aside, what cannot be written is no longer kept. Exchanges that began and ended together
 * share a row (pack.c); one that took long, or was alone, has its own.
 */
#include "journal/internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

enum {
    TRIES_MAX = 10, /* after losing a deadlock */
    CHECKPOINT_LOG_BYTES = 8 << 20,
    CHECKPOINT_EVERY = 1000, /* events between two looks at the size of the log */
    ROOM_BYTES = 8 << 20,    /* for a batch, the log's next file, and the pages that a checkpoint writes */
    WHY_BYTES = 512,
};

static const struct {
    const char *name;
    size_t offset; /* in struct journal */
} tables[] = {
    {"events", offsetof(struct journal, events)}, {"sums", offsetof(struct journal, sums)},
    {"names", offsetof(struct journal, names)},   {"late", offsetof(struct journal, late)},
    {"marks", offsetof(struct journal, marks)},
};
enum { TABLES = sizeof tables / sizeof *tables };

static struct store_table **table_at(struct journal *journal, size_t index)
{
    return (struct store_table **)(void *)((char *)journal + tables[index].offset);
}

static void close_store(struct journal *journal)
{
    for (size_t i = 0; i < TABLES; i++) {
        struct store_table **table = table_at(journal, i);
        if (*table)
            store_table_close(*table);
        *table = NULL;
    }
    store_close(journal->store);
    journal->store = NULL;
}

/* A good store that could not be opened for want of descriptors, memory or room is not damaged: `why` says so. */
static enum error open_store(const char *directory, struct journal *journal, char why[WHY_BYTES])
{
    enum error error = store_open(directory, STORE_SEQUENCE, &journal->store);
    if (error) {
        snprintf(why, WHY_BYTES, "%s", store_failure(NULL));
        return error;
    }
    for (size_t i = 0; i < TABLES && !error; i++)
        error = store_table_open(journal->store, tables[i].name, table_at(journal, i));
    error = error ? error : series_load(journal);
    error = error ? error : rebuild_if_interrupted(journal);
    if (!error)
        return ERROR_OK;
    const enum store_lack lack = store_find_lack(journal->store);
    snprintf(why, WHY_BYTES, "%s", store_failure(journal->store));
    series_free(journal);
    close_store(journal);
    return error == ERROR_STORE_IO && lack == STORE_LACKS_NOTHING ? ERROR_STORE_CORRUPT : error;
}

static enum error move_aside(const char *directory, const char *why)
{
    char time_text[CLOCK_TEXT_MAX], target[4096];
    int length = snprintf(target, sizeof target, "%s.damaged-%s", directory, clock_format(clock_wall_ns(), time_text));
    if (length < 0 || (size_t)length >= sizeof target || rename(directory, target) != 0)
        return ERROR_FILE_UNWRITABLE;
    log_event(EVENT_JOURNAL_ASIDE, NULL, "%s: %s; those of payments are written again from the ledger", target,
              why[0] ? why : error_row(ERROR_STORE_CORRUPT)->text);
    return ERROR_OK;
}

/* Nothing more is kept until the next start, which makes the events of payments anew of the ledger. */
static void fail(struct journal *journal, const char *why, enum error error)
{
    if (!atomic_exchange(&journal->is_failed, true))
        log_event(EVENT_JOURNAL_FAILED, NULL, "events are no longer kept, calls go on: %s: %s; tollgate restart",
                  journal->directory, why[0] ? why : error_row(error)->text);
}

bool keep_may_write(const struct journal *journal)
{
    struct statvfs room;
    return atomic_load(&journal->is_failed) || statvfs(journal->directory, &room) != 0 ||
           (uint64_t)room.f_bavail * room.f_frsize >= ROOM_BYTES;
}

bool keep_has_room(struct journal *journal)
{
    const bool has_room = keep_may_write(journal);
    if (has_room == journal->is_without_room && !atomic_load(&journal->is_failed))
        log_event(EVENT_JOURNAL_WAITS, NULL, "%s: events %s", journal->directory,
                  has_room ? "are written again" : "wait in memory for room on the disk");
    journal->is_without_room = !has_room;
    return has_room;
}

/* Events are disposable: whatever is wrong with the old ones, the agent starts; those that may be whole stay for the
 * next one. Only a second agent is refused. */
enum error journal_keep_open(struct journal *journal, const char *directory)
{
    journal->directory = strdup(directory);
    check(journal->directory != NULL);
    buffer_init(&journal->gathered, CHUNK_BYTES);
    buffer_init(&journal->row, 2 * packer_bytes_max(CHUNK_BYTES));
    char why[WHY_BYTES] = "";
    enum error error = open_store(directory, journal, why);
    if (error == ERROR_STORE_CORRUPT && move_aside(directory, why) == ERROR_OK)
        error = open_store(directory, journal, why);
    if (error == ERROR_ENVIRONMENT_BUSY)
        return error;
    if (error)
        fail(journal, why, error);
    return ERROR_OK;
}

static enum error transact_once(struct journal *journal, journal_body *body, void *context)
{
    struct store_transaction *transaction;
    enum error error = store_begin(journal->store, &transaction);
    if (error)
        return error;
    error = body(journal, transaction, context);
    if (!error)
        return store_commit(transaction);
    store_abort(transaction);
    return error;
}

enum error journal_transact(struct journal *journal, journal_body *body, void *context)
{
    enum error error = journal->store ? ERROR_OVERLOADED : ERROR_STORE_IO;
    for (unsigned i = 0; i < TRIES_MAX && error == ERROR_OVERLOADED; i++)
        error = transact_once(journal, body, context);
    return error;
}

static enum error put_alone(struct journal *journal, struct store_transaction *transaction, struct id id,
                            struct slice json)
{
    return store_put(journal->events, transaction, (struct slice){(const char *)id.bytes, sizeof id.bytes}, json);
}

/* Those of a chunk that share a row; most often all of them. */
static struct slice gather(struct journal *journal, const struct chunk *chunk, const struct pack *pack)
{
    struct slice events = chunk_events(chunk), before = events, json;
    struct id id;
    if (pack->count == chunk->count)
        return events;
    buffer_reset(&journal->gathered, CHUNK_BYTES);
    for (; events_next(&events, &id, &json); before = events)
        if (pack_has(pack, &id))
            check(buffer_append(&journal->gathered, (struct slice){before.data, before.length - events.length}));
    return buffer_contents(&journal->gathered);
}

static enum error put_packed(struct journal *journal, struct store_transaction *transaction, const struct chunk *chunk,
                             const struct pack *pack)
{
    char key[PACK_KEY_BYTES];
    if (!pack_write(pack, gather(journal, chunk, pack), &journal->packer, &journal->row))
        return ERROR_NO_MEMORY;
    pack_make_key(pack, key);
    return store_put(journal->events, transaction, (struct slice){key, sizeof key}, buffer_contents(&journal->row));
}

static enum error put_chunk(struct journal *journal, struct store_transaction *transaction, const struct chunk *chunk)
{
    const struct pack pack = pack_plan(chunk);
    struct slice events = chunk_events(chunk), json;
    struct id id;
    enum error error = ERROR_OK;
    while (!error && events_next(&events, &id, &json))
        if (pack.count == 1 || !pack_has(&pack, &id))
            error = put_alone(journal, transaction, id, json);
    return error || pack.count == 1 ? error : put_packed(journal, transaction, chunk, &pack);
}

struct chunks {
    const struct chunk *first, *end;
};

static enum error put_chunks(struct journal *journal, struct store_transaction *transaction, void *context)
{
    const struct chunks *chunks = context;
    enum error error = ERROR_OK;
    for (const struct chunk *chunk = chunks->first; chunk != chunks->end && !error; chunk = chunk->next)
        error = put_chunk(journal, transaction, chunk);
    return error ? error : sums_put(journal, transaction);
}

static void checkpoint(struct journal *journal, unsigned count)
{
    journal->since_checkpoint += count;
    if (journal->since_checkpoint < CHECKPOINT_EVERY)
        return;
    journal->since_checkpoint = 0;
    enum error error = store_checkpoint(journal->store, CHECKPOINT_LOG_BYTES);
    if (error)
        fail(journal, store_failure(journal->store), error);
}

void journal_keep_events(struct journal *journal, const struct chunk *first)
{
    while (first && !atomic_load(&journal->is_failed)) {
        struct chunks chunks = {first, first};
        unsigned count = 0;
        enum error error = ERROR_OK;
        for (; chunks.end && (count == 0 || count + chunks.end->count <= BATCH_MAX) && !error;
             chunks.end = chunks.end->next) {
            count += chunks.end->count;
            error = sums_add_chunk(journal, chunks.end);
        }
        error = error ? error : journal_transact(journal, put_chunks, &chunks);
        sums_settle(journal);
        if (error)
            fail(journal, store_failure(journal->store), error);
        else
            checkpoint(journal, count);
        first = chunks.end;
    }
}

void journal_keep_close(struct journal *journal)
{
    packer_done(&journal->packer);
    buffer_done(&journal->gathered);
    buffer_done(&journal->row);
    sums_forget(journal);
    series_free(journal);
    free(journal->lates);
    if (journal->store)
        close_store(journal);
    free(journal->directory);
}
