/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events: a bounded queue, one writer thread, batches into aux/. They wait in chunks: appending costs a copy and,
 * when the queue was empty, a wake-up; the writer waits a moment for company, because an event needs no promptness and
 * a row of one costs what a row of ten does. A failure of aux ends the keeping, never the handing on; where the disk
 * has no room nothing is tried that could fail so, and the events wait in memory for it.
 */
#include "journal/internal.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { WAITING_MAX = 10000, LINGER_NS = 5000000, LOOK_AGAIN_NS = 500000000 };

struct journal_follower {
    struct list node;
    void (*deliver)(void *context, struct slice json);
    void *context;
};

/* ---- the writer ---- */

static void deliver_events(struct journal *journal, const struct chunk *first)
{
    struct id id;
    struct slice json;
    pthread_mutex_lock(&journal->follow_lock);
    for (const struct chunk *chunk = list_is_empty(&journal->followers) ? NULL : first; chunk; chunk = chunk->next)
        for (struct slice events = chunk_events(chunk); events_next(&events, &id, &json);)
            list_for_each_safe(node, &journal->followers)
            {
                struct journal_follower *follower = list_entry(node, struct journal_follower, node);
                follower->deliver(follower->context, json);
            }
    pthread_mutex_unlock(&journal->follow_lock);
}

/* With the lock held. One chunk of the usual size is kept for what comes next. */
static void release_chunks(struct journal *journal, struct chunk *first)
{
    for (struct chunk *next; first; first = next) {
        next = first->next;
        if (journal->spare || first->size != CHUNK_BYTES)
            free(first);
        else
            journal->spare = first;
    }
}

static unsigned count_events(const struct chunk *first)
{
    unsigned count = 0;
    for (; first; first = first->next)
        count += first->count;
    return count;
}

/* With the lock held. The oldest make way. What waits may never be written: the next start must look for it. */
static void hold_back(struct journal *journal, struct chunk *all)
{
    unsigned count = count_events(all);
    if (count)
        journal_note_gap(journal);
    for (struct chunk *oldest; count > WAITING_MAX; free(oldest)) {
        oldest = all;
        all = all->next;
        count -= oldest->count;
        atomic_fetch_add(&journal->dropped, oldest->count);
    }
    journal->held_back = all;
}

static struct chunk *join(struct chunk *first, struct chunk *second)
{
    struct chunk **end = &first;
    while (*end)
        end = &(*end)->next;
    *end = second;
    return first;
}

static struct timespec in_ns(int64_t ns)
{
    const int64_t end_ns = clock_monotonic_ns() + ns;
    return (struct timespec){end_ns / 1000000000, end_ns % 1000000000};
}

/* With the lock held. Waits for events, then a moment longer for more. */
static struct chunk *take_chunks(struct journal *journal)
{
    int result = 0;
    const struct timespec look = in_ns(LOOK_AGAIN_NS);
    while (!journal->first && !journal->is_closing && !journal->rebuild && result != ETIMEDOUT)
        result = journal->held_back ? pthread_cond_timedwait(&journal->arrived, &journal->lock, &look)
                                    : pthread_cond_wait(&journal->arrived, &journal->lock);
    const struct timespec end = in_ns(LINGER_NS);
    while (!journal->is_closing && !journal->flushing && !journal->rebuild && journal->waiting < BATCH_MAX &&
           result != ETIMEDOUT)
        result = pthread_cond_timedwait(&journal->arrived, &journal->lock, &end);
    struct chunk *first = journal->first;
    journal->first = journal->open = NULL;
    journal->last = &journal->first;
    journal->waiting = 0;
    return first;
}

static void *writer_main(void *context)
{
    struct journal *journal = context;
    pthread_mutex_lock(&journal->lock);
    while (journal->first || !journal->is_closing) {
        struct chunk *first = take_chunks(journal);
        struct rebuild *rebuild = journal->rebuild;
        journal->rebuild = NULL;
        pthread_mutex_unlock(&journal->lock);
        if (rebuild)
            rebuild_run(journal, rebuild);
        const unsigned count = count_events(first);
        const bool has_room = keep_has_room(journal);
        struct chunk *all = join(journal->held_back, first);
        journal->held_back = NULL;
        if (has_room)
            journal_keep_events(journal, all);
        deliver_events(journal, first);
        pthread_mutex_lock(&journal->lock);
        if (has_room)
            release_chunks(journal, all);
        else
            hold_back(journal, all);
        journal->done += count; /* who waits for what is held back would wait for somebody to clear up */
        pthread_cond_broadcast(&journal->written);
    }
    pthread_mutex_unlock(&journal->lock); /* nobody appends any more */
    if (keep_has_room(journal))
        journal_keep_events(journal, journal->held_back);
    else
        atomic_fetch_add(&journal->dropped, count_events(journal->held_back));
    release_chunks(journal, journal->held_back);
    return NULL;
}

static void start_writer(struct journal *journal)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the main thread's business */
    check(pthread_create(&journal->thread, NULL, writer_main, journal) == 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* ---- the public side ---- */

enum error journal_open(const char *directory, struct journal **ret_journal)
{
    pthread_condattr_t monotonic;
    struct journal *journal = calloc(1, sizeof *journal);
    check(journal != NULL);
    journal->last = &journal->first;
    list_init(&journal->followers);
    enum error error = journal_keep_open(journal, directory);
    if (error) {
        free(journal->directory);
        free(journal);
        return error;
    }
    check(pthread_condattr_init(&monotonic) == 0 && pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    check(pthread_rwlock_init(&journal->series_lock, NULL) == 0);
    check(pthread_mutex_init(&journal->lock, NULL) == 0 && pthread_mutex_init(&journal->follow_lock, NULL) == 0);
    check(pthread_cond_init(&journal->arrived, &monotonic) == 0 && pthread_cond_init(&journal->written, NULL) == 0);
    pthread_condattr_destroy(&monotonic);
    start_writer(journal);
    *ret_journal = journal;
    return ERROR_OK;
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    pthread_mutex_lock(&journal->lock);
    journal->is_closing = true;
    pthread_cond_signal(&journal->arrived);
    pthread_mutex_unlock(&journal->lock);
    pthread_join(journal->thread, NULL);
    check(list_is_empty(&journal->followers));
    journal_keep_close(journal);
    free(journal->spare);
    pthread_cond_destroy(&journal->arrived);
    pthread_cond_destroy(&journal->written);
    pthread_mutex_destroy(&journal->lock);
    pthread_rwlock_destroy(&journal->series_lock);
    pthread_mutex_destroy(&journal->follow_lock);
    free(journal);
}

/* With the lock held: where so many bytes, events' heads and lines included, can be added. */
static struct chunk *open_chunk(struct journal *journal, size_t bytes)
{
    struct chunk *chunk = journal->open;
    if (chunk && chunk->size - chunk->used - chunk->lines_bytes >= bytes && chunk->count < BATCH_MAX)
        return chunk;
    size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    bool is_spare = journal->spare && size == CHUNK_BYTES;
    chunk = is_spare ? journal->spare : malloc(sizeof *chunk + size);
    check(chunk != NULL);
    if (is_spare)
        journal->spare = NULL;
    *chunk = (struct chunk){.size = size};
    *journal->last = chunk;
    journal->last = &chunk->next;
    journal->open = chunk;
    return chunk;
}

/* With the lock held. */
static void add_event(struct journal *journal, struct id id, struct slice json, struct slice lines)
{
    const struct event_head head = {id, (uint32_t)json.length};
    struct chunk *chunk = open_chunk(journal, sizeof head + json.length + lines.length);
    char *place = chunk->bytes + chunk->used;
    memcpy(place, &head, sizeof head);
    memcpy(place + sizeof head, json.data, json.length);
    chunk->used += sizeof head + json.length;
    chunk->lines_bytes += lines.length;
    if (lines.length)
        memcpy(chunk->bytes + chunk->size - chunk->lines_bytes, lines.data, lines.length);
    chunk->count++;
    journal->appended++;
    if (journal->waiting++ == 0 || journal->waiting == BATCH_MAX)
        pthread_cond_signal(&journal->arrived);
}

void journal_append(struct journal *journal, struct id id, struct slice json, const struct journal_line *lines,
                    unsigned line_count)
{
    char bytes[JOURNAL_LINES_MAX * LINE_BYTES_MAX];
    size_t used = 0;
    check(json.length < UINT32_MAX && line_count <= JOURNAL_LINES_MAX);
    for (unsigned i = 0; i < line_count; i++)
        used += line_encode(&lines[i], id, bytes + used);
    pthread_mutex_lock(&journal->lock);
    bool is_full = journal->waiting >= WAITING_MAX;
    if (!is_full)
        add_event(journal, id, json, (struct slice){bytes, used});
    pthread_mutex_unlock(&journal->lock);
    if (is_full)
        atomic_fetch_add(&journal->dropped, 1);
}

void journal_flush(struct journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    uint64_t wanted = journal->appended;
    journal->flushing++;
    pthread_cond_signal(&journal->arrived);
    while (journal->done < wanted)
        pthread_cond_wait(&journal->written, &journal->lock);
    journal->flushing--;
    pthread_mutex_unlock(&journal->lock);
}

struct journal_follower *journal_follow(struct journal *journal, void (*deliver)(void *context, struct slice json),
                                        void *context)
{
    struct journal_follower *follower = calloc(1, sizeof *follower);
    check(follower != NULL);
    follower->deliver = deliver;
    follower->context = context;
    pthread_mutex_lock(&journal->follow_lock);
    list_append(&journal->followers, &follower->node);
    pthread_mutex_unlock(&journal->follow_lock);
    return follower;
}

void journal_unfollow(struct journal *journal, struct journal_follower *follower)
{
    pthread_mutex_lock(&journal->follow_lock);
    list_remove(&follower->node);
    pthread_mutex_unlock(&journal->follow_lock);
    free(follower);
}

bool journal_is_failed(const struct journal *journal)
{
    return atomic_load(&journal->is_failed);
}

unsigned long journal_dropped(const struct journal *journal)
{
    return atomic_load(&journal->dropped);
}
