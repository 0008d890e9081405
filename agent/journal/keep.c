/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events on disk: a table in aux/, written in batches by the journal's thread, without flushing. It is disposable:
 * what cannot be read is moved aside, what cannot be written is no longer kept.
 */
#include "journal/internal.h"

#include "base/clock.h"

#include <stdio.h>

enum {
    TRIES_MAX = 10, /* after losing a deadlock */
    CHECKPOINT_LOG_BYTES = 8 << 20,
    CHECKPOINT_EVERY = 1000, /* events between two looks at the size of the log */
};

static enum error open_store(const char *directory, struct journal *journal)
{
    enum error error = store_open(directory, STORE_SEQUENCE, &journal->store);
    if (error)
        return error;
    error = store_table_open(journal->store, "events", &journal->events);
    if (!error)
        return ERROR_OK;
    store_close(journal->store);
    journal->store = NULL;
    return error == ERROR_STORE_IO ? ERROR_STORE_CORRUPT : error;
}

static enum error move_aside(const char *directory)
{
    char time_text[CLOCK_TEXT_MAX], target[4096];
    int length = snprintf(target, sizeof target, "%s.damaged-%s", directory, clock_format(clock_wall_ns(), time_text));
    if (length < 0 || (size_t)length >= sizeof target || rename(directory, target) != 0)
        return ERROR_FILE_UNWRITABLE;
    return ERROR_OK;
}

/* Events are disposable: whatever is wrong with the old ones, the agent starts. Only a second agent is refused. */
enum error journal_keep_open(struct journal *journal, const char *directory)
{
    enum error error = open_store(directory, journal);
    if (error == ERROR_STORE_CORRUPT && move_aside(directory) == ERROR_OK)
        error = open_store(directory, journal);
    if (error == ERROR_ENVIRONMENT_BUSY)
        return error;
    if (error)
        atomic_store(&journal->is_failed, true);
    return ERROR_OK;
}

static enum error put_batch(struct journal *journal, const struct event *first, const struct event *end)
{
    struct store_transaction *transaction;
    enum error error = store_begin(journal->store, &transaction);
    if (error)
        return error;
    for (const struct event *event = first; event != end && !error; event = event->next)
        error = store_put(journal->events, transaction,
                          (struct slice){(const char *)event->id.bytes, sizeof event->id.bytes},
                          (struct slice){event->json, event->length});
    if (!error)
        return store_commit(transaction);
    store_abort(transaction);
    return error;
}

static void checkpoint(struct journal *journal, unsigned count)
{
    journal->since_checkpoint += count;
    if (journal->since_checkpoint < CHECKPOINT_EVERY)
        return;
    journal->since_checkpoint = 0;
    if (store_checkpoint(journal->store, CHECKPOINT_LOG_BYTES))
        atomic_store(&journal->is_failed, true);
}

void journal_keep_events(struct journal *journal, const struct event *first)
{
    while (first && !atomic_load(&journal->is_failed)) {
        const struct event *end = first;
        unsigned count = 0;
        for (; end && count < BATCH_MAX; count++)
            end = end->next;
        enum error error = ERROR_OVERLOADED;
        for (unsigned i = 0; i < TRIES_MAX && error == ERROR_OVERLOADED; i++)
            error = put_batch(journal, first, end);
        if (error)
            atomic_store(&journal->is_failed, true);
        else
            checkpoint(journal, count);
        first = end;
    }
}

void journal_keep_close(struct journal *journal)
{
    if (!journal->store)
        return;
    store_table_close(journal->events);
    store_close(journal->store);
}
