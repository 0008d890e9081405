/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events: a bounded queue, one writer thread, batches into aux/. Appending costs a copy and, when the queue was
 * empty, a wake-up; the writer waits a moment for company, because an event needs no promptness and a transaction of
 * one costs what a transaction of ten does. A failure of aux ends the keeping, never the handing on.
 */
#include "journal/internal.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { WAITING_MAX = 10000, LINGER_NS = 5000000 };

struct journal_follower {
    struct list node;
    void (*deliver)(void *context, struct slice json);
    void *context;
};

/* ---- the writer ---- */

static void deliver_events(struct journal *journal, const struct event *first)
{
    pthread_mutex_lock(&journal->follow_lock);
    for (const struct event *event = first; event; event = event->next)
        list_for_each_safe(node, &journal->followers)
        {
            struct journal_follower *follower = list_entry(node, struct journal_follower, node);
            follower->deliver(follower->context, (struct slice){event->json, event->length});
        }
    pthread_mutex_unlock(&journal->follow_lock);
}

static unsigned free_events(struct event *first)
{
    unsigned count = 0;
    for (struct event *next; first; first = next, count++) {
        next = first->next;
        free(first);
    }
    return count;
}

/* With the lock held. Waits for events, then a moment longer for more. */
static struct event *take_events(struct journal *journal)
{
    while (!journal->first && !journal->is_closing)
        pthread_cond_wait(&journal->arrived, &journal->lock);
    int64_t end_ns = clock_monotonic_ns() + LINGER_NS;
    const struct timespec end = {end_ns / 1000000000, end_ns % 1000000000};
    int result = 0;
    while (!journal->is_closing && !journal->flushing && journal->waiting < BATCH_MAX && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&journal->arrived, &journal->lock, &end);
    struct event *first = journal->first;
    journal->first = NULL;
    journal->last = &journal->first;
    journal->waiting = 0;
    return first;
}

static void *writer_main(void *context)
{
    struct journal *journal = context;
    pthread_mutex_lock(&journal->lock);
    while (journal->first || !journal->is_closing) {
        struct event *first = take_events(journal);
        pthread_mutex_unlock(&journal->lock);
        journal_keep_events(journal, first);
        deliver_events(journal, first);
        unsigned count = free_events(first);
        pthread_mutex_lock(&journal->lock);
        journal->done += count;
        pthread_cond_broadcast(&journal->written);
    }
    pthread_mutex_unlock(&journal->lock);
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
        free(journal);
        return error;
    }
    check(pthread_condattr_init(&monotonic) == 0 && pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
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
    pthread_cond_destroy(&journal->arrived);
    pthread_cond_destroy(&journal->written);
    pthread_mutex_destroy(&journal->lock);
    pthread_mutex_destroy(&journal->follow_lock);
    free(journal);
}

void journal_append(struct journal *journal, struct id id, struct slice json)
{
    struct event *event = malloc(sizeof *event + json.length);
    check(event != NULL);
    event->next = NULL;
    event->id = id;
    event->length = json.length;
    memcpy(event->json, json.data, json.length);
    pthread_mutex_lock(&journal->lock);
    bool is_full = journal->waiting >= WAITING_MAX;
    if (!is_full) {
        *journal->last = event;
        journal->last = &event->next;
        journal->appended++;
        if (journal->waiting++ == 0 || journal->waiting == BATCH_MAX)
            pthread_cond_signal(&journal->arrived);
    }
    pthread_mutex_unlock(&journal->lock);
    if (is_full) {
        atomic_fetch_add(&journal->dropped, 1);
        free(event);
    }
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

enum error journal_find(struct journal *journal, struct id id, char *text, size_t bytes_max, size_t *ret_length)
{
    if (!journal->store)
        return ERROR_STORE_IO;
    return store_get(journal->events, NULL, (struct slice){(const char *)id.bytes, sizeof id.bytes}, text, bytes_max,
                     ret_length);
}

struct recent {
    size_t left;
    journal_visit *visit;
    void *context;
};

static bool visit_event(void *context, struct slice key, struct slice value)
{
    struct recent *recent = context;
    struct id id;
    if (key.length != sizeof id.bytes)
        return true;
    memcpy(id.bytes, key.data, sizeof id.bytes);
    recent->left--;
    return recent->visit(recent->context, id, value) && recent->left > 0;
}

enum error journal_recent(struct journal *journal, size_t max, journal_visit *visit, void *context)
{
    struct recent recent = {max, visit, context};
    const struct slice none = {NULL, 0};
    if (max == 0)
        return ERROR_OK;
    if (!journal->store)
        return ERROR_STORE_IO;
    return store_scan(journal->events, NULL, none, none, true, visit_event, &recent);
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
