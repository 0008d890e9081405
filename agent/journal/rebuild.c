/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums made anew from the events, and what is too old removed. Slots whose events are no longer all there keep the sums
 * they have: the mark "trimmed" says up to where. Interrupted, a rebuild begins again with the next start.
 */
#include "journal/internal.h"

#include "base/arena.h"
#include "base/check.h"

#include <stdlib.h>

enum {
    DELETE_MAX = 500, /* rows in one transaction */
    ADDED_MAX = 4096, /* events whose sums wait to be put */
};

struct rebuild {
    bool is_done;
    enum error error;
    uint64_t events;
};

/* ---- marks ---- */

enum error marks_get(struct journal *journal, const char *name, uint64_t *ret_value)
{
    size_t length;
    *ret_value = 0;
    if (!journal->store)
        return ERROR_STORE_IO;
    enum error error = store_get(journal->marks, NULL, slice_of(name), ret_value, sizeof *ret_value, &length);
    return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

struct mark {
    const char *name;
    uint64_t value;
};

static enum error put_mark_row(struct journal *journal, struct store_transaction *transaction, void *context)
{
    const struct mark *mark = context;
    return store_put(journal->marks, transaction, slice_of(mark->name),
                     (struct slice){(const char *)&mark->value, sizeof mark->value});
}

static enum error put_mark(struct journal *journal, const char *name, uint64_t value)
{
    struct mark mark = {name, value};
    return journal_transact(journal, put_mark_row, &mark);
}

uint64_t journal_get_mark(struct journal *journal)
{
    uint64_t mark;
    return marks_get(journal, "reconciled", &mark) ? 0 : mark;
}

void journal_set_mark(struct journal *journal, uint64_t sequence)
{
    bool is_whole = !atomic_load(&journal->has_gap) && !journal_is_failed(journal) && !journal_dropped(journal);
    if (is_whole && put_mark(journal, "reconciled", sequence))
        atomic_store(&journal->has_gap, true);
}

void journal_note_gap(struct journal *journal)
{
    atomic_store(&journal->has_gap, true);
}

/* ---- removing rows ---- */

struct batch {
    struct store_table *table;
    bool (*is_wanted)(void *context, struct slice key); /* false: this one stays, and all behind it */
    void *context;
    unsigned count;
    struct {
        char bytes[32];
        size_t length;
    } keys[DELETE_MAX];
};

static bool collect(void *context, struct slice key, struct slice value)
{
    struct batch *batch = context;
    (void)value;
    if (key.length > sizeof batch->keys[0].bytes || !batch->is_wanted(batch->context, key))
        return false;
    memcpy(batch->keys[batch->count].bytes, key.data, key.length);
    batch->keys[batch->count].length = key.length;
    return ++batch->count < DELETE_MAX;
}

static enum error delete_batch(struct journal *journal, struct store_transaction *transaction, void *context)
{
    const struct batch *batch = context;
    enum error error = ERROR_OK;
    (void)journal;
    for (unsigned i = 0; i < batch->count && !error; i++) {
        error = store_delete(batch->table, transaction, (struct slice){batch->keys[i].bytes, batch->keys[i].length});
        error = error == ERROR_NOT_FOUND ? ERROR_OK : error;
    }
    return error;
}

/* Removes up to DELETE_MAX rows from `first` on; *ret_is_full: there may be more. */
static enum error remove_rows(struct journal *journal, struct batch *batch, struct slice first, bool *ret_is_full)
{
    const struct slice none = {NULL, 0};
    batch->count = 0;
    enum error error = store_scan(batch->table, NULL, first, none, false, collect, batch);
    *ret_is_full = batch->count == DELETE_MAX;
    return error || !batch->count ? error : journal_transact(journal, delete_batch, batch);
}

/* ---- sums made anew ---- */

struct reading {
    struct journal *journal;
    uint64_t events;
    uint32_t first_slot;
    enum error error;
};

static enum error put_sum_rows(struct journal *journal, struct store_transaction *transaction, void *context)
{
    (void)context;
    return sums_put(journal, transaction);
}

static enum error put_sums(struct journal *journal)
{
    enum error error = journal_transact(journal, put_sum_rows, NULL);
    sums_settle(journal);
    return error;
}

static void add_event(struct reading *reading, struct id id, struct slice json)
{
    struct journal_line lines[JOURNAL_LINES_MAX];
    struct arena *arena = arena_new(2048);
    unsigned count = journal_read_lines(json, arena, lines);
    for (unsigned i = 0; i < count && !reading->error; i++) {
        if (lines[i].time_ms / 1000 / JOURNAL_SLOT_S < reading->first_slot)
            continue;
        reading->error = sums_add_line(reading->journal, id, &lines[i]);
    }
    arena_free(arena);
    if (++reading->events % ADDED_MAX == 0 && !reading->error)
        reading->error = put_sums(reading->journal);
}

static bool add_events(void *context, struct slice key, struct slice events)
{
    struct reading *reading = context;
    struct id id;
    struct slice json;
    (void)key;
    while (!reading->error && events_next(&events, &id, &json))
        add_event(reading, id, json);
    return !reading->error;
}

static bool is_any(void *context, struct slice key)
{
    (void)context, (void)key;
    return true;
}

static enum error remove_sums_from(struct journal *journal, uint32_t first_slot)
{
    struct batch *batch = malloc(sizeof *batch);
    check(batch != NULL);
    *batch = (struct batch){.table = journal->sums, .is_wanted = is_any};
    char first[SUM_KEY_BYTES];
    sum_make_key((struct sum_key){first_slot, 0}, first);
    bool is_full = true;
    enum error error = ERROR_OK;
    while (is_full && !error)
        error = remove_rows(journal, batch, (struct slice){first, sizeof first}, &is_full);
    free(batch);
    return error;
}

static enum error make_anew(struct journal *journal, uint64_t *ret_events)
{
    uint64_t trimmed_slot = 0;
    struct reading reading = {.journal = journal};
    enum error error = marks_get(journal, "trimmed", &trimmed_slot);
    error = error ? error : put_mark(journal, "rebuilding", 1);
    if (error)
        return error;
    reading.first_slot = (uint32_t)trimmed_slot;
    sums_forget(journal);
    error = remove_sums_from(journal, reading.first_slot);
    error = error ? error : journal_scan_rows(journal, NULL, add_events, &reading);
    error = error ? error : reading.error;
    error = error ? error : put_sums(journal);
    error = error ? error : put_mark(journal, "rebuilding", 0);
    *ret_events = reading.events;
    return error;
}

/* The journal's lock is not held; who ordered it waits for `written`. */
void rebuild_run(struct journal *journal, struct rebuild *rebuild)
{
    uint64_t events = 0;
    enum error error = make_anew(journal, &events);
    pthread_mutex_lock(&journal->lock);
    rebuild->events = events;
    rebuild->error = error;
    rebuild->is_done = true;
    pthread_cond_broadcast(&journal->written);
    pthread_mutex_unlock(&journal->lock);
}

enum error journal_rebuild_sums(struct journal *journal, uint64_t *ret_events)
{
    struct rebuild rebuild = {0};
    if (!journal->store)
        return ERROR_STORE_IO;
    pthread_mutex_lock(&journal->lock);
    while (journal->rebuild) /* somebody else's has not begun */
        pthread_cond_wait(&journal->written, &journal->lock);
    journal->rebuild = &rebuild;
    pthread_cond_signal(&journal->arrived);
    while (!rebuild.is_done)
        pthread_cond_wait(&journal->written, &journal->lock);
    pthread_mutex_unlock(&journal->lock);
    *ret_events = rebuild.events;
    return rebuild.error;
}

enum error rebuild_if_interrupted(struct journal *journal)
{
    uint64_t is_unfinished = 0, events;
    enum error error = marks_get(journal, "rebuilding", &is_unfinished);
    return error || !is_unfinished ? error : make_anew(journal, &events);
}

/* ---- what is too old ---- */

static bool find_first(void *context, struct slice key, struct slice events)
{
    struct id *ret_id = context;
    struct slice json;
    (void)key;
    return !events_next(&events, ret_id, &json);
}

int64_t journal_oldest_ms(struct journal *journal)
{
    struct id id;
    memset(&id, 0xff, sizeof id);
    if (journal_scan_rows(journal, NULL, find_first, &id) || id.bytes[0] == 0xff)
        return INT64_MAX;
    return (int64_t)id_milliseconds(&id);
}

struct trim {
    int64_t before_ms;
    uint64_t last_slot; /* of a line of what goes */
    unsigned rows;
};

static bool is_event_old(void *context, struct slice key)
{
    const struct trim *trim = context;
    struct id id;
    memcpy(id.bytes, key.data, sizeof id.bytes);
    return (int64_t)id_milliseconds(&id) < trim->before_ms;
}

static bool see_slots(void *context, struct slice key, struct slice events)
{
    struct trim *trim = context;
    struct journal_line lines[JOURNAL_LINES_MAX];
    struct slice json;
    struct id id;
    if (!is_event_old(trim, key) || trim->rows++ == DELETE_MAX)
        return false;
    while (events_next(&events, &id, &json)) {
        struct arena *arena = arena_new(2048);
        for (unsigned i = journal_read_lines(json, arena, lines); i-- > 0;) {
            int64_t slot = lines[i].time_ms / 1000 / JOURNAL_SLOT_S;
            if (slot >= 0 && (uint64_t)slot > trim->last_slot)
                trim->last_slot = (uint64_t)slot;
        }
        arena_free(arena);
    }
    return true;
}

static bool trim_events(struct journal *journal, struct batch *batch, int64_t before_ms)
{
    struct trim trim = {.before_ms = before_ms};
    uint64_t trimmed_slot;
    bool is_full = false;
    if (journal_scan_rows(journal, NULL, see_slots, &trim) || !trim.rows ||
        marks_get(journal, "trimmed", &trimmed_slot))
        return false;
    if (trim.last_slot + 1 > trimmed_slot && put_mark(journal, "trimmed", trim.last_slot + 1))
        return false;
    *batch = (struct batch){.table = journal->events, .is_wanted = is_event_old, .context = &trim};
    return remove_rows(journal, batch, (struct slice){NULL, 0}, &is_full) == ERROR_OK && is_full;
}

static bool is_sum_old(void *context, struct slice key)
{
    struct sum_key at;
    return sum_read_key(key, &at) && at.slot < *(const uint32_t *)context;
}

static bool is_late_old(void *context, struct slice key)
{
    return number_read(key.data, sizeof(uint64_t)) < *(const uint64_t *)context;
}

bool journal_trim(struct journal *journal, int64_t events_before_ms, int64_t sums_before_s)
{
    struct batch *batch = malloc(sizeof *batch);
    const struct slice none = {NULL, 0};
    bool is_left = false, is_full = false;
    check(batch != NULL);
    if (!keep_may_write(journal)) { /* what is old may wait: a write that fails would end the keeping */
        free(batch);
        return false;
    }
    if (journal->store && !journal_is_failed(journal) && events_before_ms > 0) {
        uint64_t before_ms = (uint64_t)events_before_ms;
        is_left = trim_events(journal, batch, events_before_ms);
        *batch = (struct batch){.table = journal->late, .is_wanted = is_late_old, .context = &before_ms};
        is_left |= remove_rows(journal, batch, none, &is_full) == ERROR_OK && is_full;
    }
    if (journal->store && !journal_is_failed(journal) && sums_before_s > 0) {
        uint32_t slot = (uint32_t)(sums_before_s / JOURNAL_SLOT_S);
        *batch = (struct batch){.table = journal->sums, .is_wanted = is_sum_old, .context = &slot};
        is_left |= remove_rows(journal, batch, none, &is_full) == ERROR_OK && is_full;
    }
    free(batch);
    return is_left;
}
