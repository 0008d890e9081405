/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache's thread: reads what is only on disk, writes what is new, deletes what was removed, drops what is past its
 * time; reads first, writes in batches. It alone touches the store and zstd. Started by cache_open.
 */
#include "cache/index.h"

#include "base/check.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

enum { SWEEP_EVERY_S = 10, BATCH_ENTRIES_MAX = 64, BATCH_BYTES_MAX = 4 << 20, LOAD_AT_ONCE = 256 };

void thread_queue_entry(struct cache *cache, struct entry *entry)
{
    entry->is_queued = true;
    entry->work_next = NULL;
    *cache->work_last = entry;
    cache->work_last = &entry->work_next;
    pthread_cond_signal(&cache->arrived);
}

static void note(const struct cache *cache, const char *text)
{
    if (cache->options.noted)
        cache->options.noted(cache->options.context, text);
}

/* The store went, and with it all that was nowhere else. */
static void renew(struct cache *cache)
{
    keep_renew(cache->keep);
    pthread_mutex_lock(&cache->lock);
    cache->statistics.corrupt++;
    index_lose_store(cache, keep_generation(cache->keep));
    pthread_mutex_unlock(&cache->lock);
}

/* ---- writing and deleting ---- */

/* One entry of a batch, out of the queue. While is_queued stays set nobody else frees it. */
struct work {
    struct entry *entry;
    struct cache_answer *answer; /* to be written, a reference; NULL: delete */
    uint64_t answer_bytes, stored_bytes;
};

/* With the lock held. */
static unsigned take_batch(struct cache *cache, struct work batch[BATCH_ENTRIES_MAX])
{
    unsigned count = 0;
    uint64_t bytes = 0;
    while (cache->work_first && count < BATCH_ENTRIES_MAX && bytes < BATCH_BYTES_MAX) {
        struct entry *entry = cache->work_first;
        cache->work_first = entry->work_next;
        if (!cache->work_first)
            cache->work_last = &cache->work_first;
        struct work work = {.entry = entry};
        if (entry->answer) {
            work.answer_bytes = answer_bytes(entry->answer);
            work.answer = entry->is_removed ? NULL : cache_answer_retain(entry->answer);
        }
        bytes += work.answer_bytes;
        batch[count++] = work;
    }
    return count;
}

static void write_entry(struct keep *keep, struct work *work)
{
    const struct entry *entry = work->entry;
    if (!work->answer) {
        keep_delete(keep, &entry->key);
        return;
    }
    struct row row = {.made_ns = entry->made_ns,
                      .ttl_s = entry->ttl_s,
                      .group = entry->group,
                      .model = entry->model,
                      .answer = *work->answer};
    if (!keep_write(keep, &entry->key, &row, &work->stored_bytes))
        work->stored_bytes = 0;
}

static void write_batch(struct cache *cache, struct work *batch, unsigned count)
{
    bool is_written = keep_begin(cache->keep);
    for (unsigned i = 0; i < count && is_written; i++)
        write_entry(cache->keep, &batch[i]);
    is_written = is_written && keep_end(cache->keep);
    for (unsigned i = 0; i < count && !is_written; i++)
        batch[i].stored_bytes = 0;
    for (unsigned i = 0; i < count; i++)
        cache_answer_release(batch[i].answer);
}

/* With the lock held. */
static void end_batch(struct cache *cache, struct work *batch, unsigned count, unsigned generation)
{
    for (unsigned i = 0; i < count; i++) {
        struct entry *entry = batch[i].entry;
        if (batch[i].answer_bytes) {
            index_end_write(cache, entry, batch[i].answer_bytes, batch[i].stored_bytes, generation);
        } else { /* it was deleted */
            free(entry);
        }
    }
}

/* ---- reading ---- */

/* With the lock held: the seat is in hands from here on. */
static struct cache_seat *take_read(struct cache *cache)
{
    if (list_is_empty(&cache->reads))
        return NULL;
    struct cache_seat *seat = list_entry(cache->reads.next, struct cache_seat, node);
    list_remove(&seat->node);
    cache->read_count--;
    seat->is_reading = false;
    seat->is_in_hands = true;
    return seat;
}

/* An answer that came from the disk becomes hot, if its entry is still the one that was looked for; one whose bytes are
 * not what was written goes. */
static bool take_answer(struct cache *cache, const struct cache_seat *seat, enum error error)
{
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = index_find(cache, &seat->key);
    bool is_same = entry && entry->made_ns == seat->read_made_ns && !entry->answer;
    if (is_same && !error)
        index_heat(cache, entry, seat->read);
    if (is_same && error) {
        cache->statistics.corrupt++;
        index_remove(cache, entry);
    }
    pthread_mutex_unlock(&cache->lock);
    return is_same;
}

static void read_for(struct cache *cache, struct cache_seat *seat)
{
    pthread_mutex_lock(&cache->lock);
    const struct entry *entry = index_find(cache, &seat->key);
    bool is_on_disk = entry && !entry->answer;
    seat->read_made_ns = entry ? entry->made_ns : 0;
    pthread_mutex_unlock(&cache->lock);
    if (is_on_disk) {
        enum error error = keep_read(cache->keep, &seat->key, seat->read_made_ns, &seat->read);
        if (take_answer(cache, seat, error) && error)
            note(cache, "an answer of the cache is not what was written; it is forgotten");
    }
    ask_resolve(seat, false);
    cache_answer_release(seat->read);
    seat->read = NULL;
    ask_answer(seat);
    ask_release(seat);
}

/* ---- loading at start ---- */

struct loading {
    struct cache *cache;
    struct entry **rows;
    uint64_t *bytes;
    uint32_t count, capacity;
    uint64_t corrupt;
    bool has_too_many;
};

static bool visit_row(void *context, const struct cache_key *key, enum row_state state, const struct row *row)
{
    struct loading *loading = context;
    if (loading->count == 2 * CACHE_ENTRIES_MAX) {
        loading->has_too_many = true;
        return false;
    }
    if (loading->count == loading->capacity) {
        loading->capacity = loading->capacity ? 2 * loading->capacity : 1024;
        loading->rows = reallocarray(loading->rows, loading->capacity, sizeof *loading->rows);
        check(loading->rows != NULL);
    }
    bool is_fine = state == ROW_FINE;
    loading->corrupt += state == ROW_CORRUPT;
    struct entry *entry = is_fine ? index_new_entry(key, row->group, row->model, row->ttl_s, row->made_ns)
                                  : index_new_entry(key, "", "", 0, 0);
    entry->bytes = is_fine ? row->stored_bytes : 0;
    entry->kept_in = keep_generation(loading->cache->keep);
    entry->is_removed = !is_fine;
    loading->rows[loading->count++] = entry;
    return true;
}

static int compare_ages(const void *a, const void *b)
{
    const struct entry *left = *(struct entry *const *)a, *right = *(struct entry *const *)b;
    return (left->made_ns < right->made_ns) - (left->made_ns > right->made_ns); /* youngest first */
}

/* With the lock held. What is past its time, and what comes from the future, is swept or deleted. */
static void load_entry(struct cache *cache, struct entry *entry)
{
    bool is_usable =
        !entry->is_removed && entry->made_ns <= cache->now_ns() && cache->statistics.entries < cache->entries_max;
    struct entry *younger = index_find(cache, &entry->key);
    if (!younger && is_usable) {
        check(index_load(cache, entry, entry->bytes));
    } else if (!younger) {
        entry->is_removed = true;
        thread_queue_entry(cache, entry);
    } else { /* its row is the younger one's by now, or will be; or that one is in memory only */
        entry->is_removed = true;
        if (younger->is_queued || index_is_kept(cache, younger))
            free(entry);
        else
            thread_queue_entry(cache, entry);
    }
}

static void load(struct cache *cache)
{
    struct loading loading = {.cache = cache};
    bool is_fine = keep_load(cache->keep, visit_row, &loading) && !loading.has_too_many;
    if (is_fine && loading.count)
        qsort(loading.rows, loading.count, sizeof *loading.rows, compare_ages);
    for (uint32_t i = 0; i < loading.count; i += LOAD_AT_ONCE) {
        pthread_mutex_lock(&cache->lock);
        for (uint32_t j = i; j < loading.count && j < i + LOAD_AT_ONCE; j++)
            if (is_fine)
                load_entry(cache, loading.rows[j]);
            else
                free(loading.rows[j]);
        pthread_mutex_unlock(&cache->lock);
    }
    free(loading.rows);
    if (!is_fine)
        renew(cache);
    pthread_mutex_lock(&cache->lock);
    cache->statistics.corrupt += is_fine ? loading.corrupt : 0;
    cache->is_loaded = true;
    pthread_mutex_unlock(&cache->lock);
    if (is_fine && loading.corrupt)
        note(cache, "rows of the cache's store are not what was written; they are forgotten");
}

/* ---- the thread ---- */

/* With the lock held. False: it is to end. */
static bool wait_for_work(struct cache *cache)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += SWEEP_EVERY_S;
    int result = 0;
    while (list_is_empty(&cache->reads) && !cache->work_first && result != ETIMEDOUT && !index_sweep(cache)) {
        if (cache->work_first) /* the sweep removed some */
            break;
        if (cache->is_closing)
            return false;
        cache->is_busy = false;
        pthread_cond_broadcast(&cache->rested);
        result = pthread_cond_timedwait(&cache->arrived, &cache->lock, &end);
    }
    cache->is_busy = true;
    return true;
}

static void *thread_main(void *context)
{
    struct cache *cache = context;
    struct work batch[BATCH_ENTRIES_MAX];
    load(cache);
    pthread_mutex_lock(&cache->lock);
    while (wait_for_work(cache)) {
        struct cache_seat *seat = take_read(cache);
        unsigned generation = keep_generation(cache->keep);
        unsigned count = seat ? 0 : take_batch(cache, batch);
        pthread_mutex_unlock(&cache->lock);
        if (seat)
            read_for(cache, seat);
        if (count)
            write_batch(cache, batch, count);
        if (keep_is_failed(cache->keep))
            renew(cache);
        pthread_mutex_lock(&cache->lock);
        end_batch(cache, batch, count, generation);
    }
    pthread_mutex_unlock(&cache->lock);
    return NULL;
}

void thread_start(struct cache *cache)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the main thread's business */
    cache->is_busy = true;
    check(pthread_create(&cache->thread, NULL, thread_main, cache) == 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void cache_flush(struct cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    do {
        pthread_cond_signal(&cache->arrived);
        pthread_cond_wait(&cache->rested, &cache->lock);
    } while (!cache->is_loaded || cache->is_busy || cache->work_first || !list_is_empty(&cache->reads));
    pthread_mutex_unlock(&cache->lock);
}
