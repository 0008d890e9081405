/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking: one look at what is there and what is under way, so that of any number of identical requests one leads. A
 * seat is the cache's side of an ask; it outlives the ask while a task or the cache's thread holds it. Called by flow/
 * and, for answers from disk, by the cache's thread.
 */
#include "cache/flight.h"

#include "base/check.h"

#include <stdlib.h>

/* ---- seats ---- */

static void release(struct cache_seat *seat, int count)
{
    if (atomic_fetch_sub_explicit(&seat->references, count, memory_order_acq_rel) != count)
        return;
    check(!seat->flight && !seat->answer && !seat->read);
    free(seat);
}

void ask_release(struct cache_seat *seat)
{
    release(seat, 1);
}

static void retain(struct cache_seat *seat)
{
    atomic_fetch_add_explicit(&seat->references, 1, memory_order_relaxed);
}

/* What the cache's thread found, if that is why we are woken. */
static void take_result(struct cache_seat *seat)
{
    struct cache_ask *ask = seat->ask;
    pthread_mutex_lock(&seat->cache->lock);
    bool has_result = seat->has_result;
    seat->has_result = false;
    pthread_mutex_unlock(&seat->cache->lock);
    if (!has_result)
        return;
    ask->reply = seat->reply;
    ask->answer = seat->answer;
    ask->age_s = seat->age_s;
    ask->ttl_left_s = seat->ttl_left_s;
    seat->answer = NULL;
}

static void run(struct task *task)
{
    struct cache_seat *seat = list_entry(task, struct cache_seat, task);
    atomic_store(&seat->is_posted, false); /* before we look: what changes after that wakes us again */
    struct cache_ask *ask = seat->ask;
    if (ask) {
        take_result(seat);
        ask->resume(ask);
    }
    ask_release(seat);
}

void ask_wake(struct cache_seat *seat)
{
    if (atomic_exchange(&seat->is_posted, true))
        return;
    retain(seat);
    mailbox_post(seat->mailbox, &seat->task);
}

static struct cache_seat *new_seat(struct cache *cache, struct cache_ask *ask)
{
    const char *group = ask->group ? ask->group : "", *model = ask->model ? ask->model : "";
    size_t group_bytes = strlen(group) + 1, model_bytes = strlen(model) + 1;
    struct cache_seat *seat = calloc(1, sizeof *seat + group_bytes + model_bytes);
    check(seat != NULL && ask->mailbox && ask->resume);
    atomic_init(&seat->references, 1);
    seat->task.run = run;
    seat->cache = cache;
    seat->ask = ask;
    seat->mailbox = ask->mailbox;
    seat->key = ask->key;
    seat->wishes = ask->wishes;
    seat->ttl_s = ask->ttl_s;
    list_init(&seat->node);
    seat->group = (char *)(seat + 1);
    seat->model = seat->group + group_bytes;
    memcpy(seat->group, group, group_bytes);
    memcpy(seat->model, model, model_bytes);
    return seat;
}

/* ---- deciding ---- */

/* With the lock held: is it there? True: the reply is HIT or WAIT. */
static bool find_entry(struct cache *cache, struct cache_seat *seat, bool may_wait)
{
    if (seat->wishes.no_cache)
        return false;
    struct entry *entry = index_find_fresh(cache, seat, &seat->age_s, &seat->ttl_left_s);
    if (!entry)
        return false;
    struct cache_answer *answer = entry->answer;
    if (!answer && seat->read && entry->made_ns == seat->read_made_ns)
        answer = seat->read; /* too long to be kept in memory */
    if (answer) {
        index_use(cache, entry);
        cache->statistics.hits++;
        seat->answer = cache_answer_retain(answer);
        seat->reply = CACHE_HIT;
        return true;
    }
    if (!may_wait || cache->read_count >= READS_WAITING_MAX)
        return false;
    seat->is_reading = true;
    retain(seat);
    list_append(&cache->reads, &seat->node);
    cache->read_count++;
    pthread_cond_signal(&cache->arrived);
    seat->reply = CACHE_WAIT;
    return true;
}

/* With the lock held: it is not there. *ret_flight: one to be joined, with a reference. */
static void find_flight(struct cache *cache, struct cache_seat *seat, struct flight **ret_flight)
{
    struct flight *flight = seat->wishes.only_if_cached ? NULL : flight_find(cache, &seat->key);
    if (flight && !seat->wishes.no_cache) {
        *ret_flight = flight_retain(flight);
        return;
    }
    cache->statistics.misses++;
    if (seat->wishes.only_if_cached) {
        seat->reply = CACHE_ABSENT;
    } else if (seat->wishes.no_store) {
        seat->reply = CACHE_ALONE;
    } else {
        seat->flight = flight_new(seat, !flight);
        seat->reply = CACHE_LEAD;
    }
}

/* A flight that ended badly, or grew too long, between our two looks is taken off the list: the next round does not
 * meet it. */
void ask_resolve(struct cache_seat *seat, bool may_wait)
{
    struct cache *cache = seat->cache;
    for (;;) {
        struct flight *flight = NULL;
        pthread_mutex_lock(&cache->lock);
        if (!find_entry(cache, seat, may_wait))
            find_flight(cache, seat, &flight);
        pthread_mutex_unlock(&cache->lock);
        if (!flight)
            return;
        if (flight_join(flight, seat)) {
            seat->reply = CACHE_FOLLOW;
            pthread_mutex_lock(&cache->lock);
            cache->statistics.follows++;
            pthread_mutex_unlock(&cache->lock);
            return;
        }
        flight_unlist(flight);
        flight_release(flight);
    }
}

/* Nobody takes the result: its thread has left. */
static void undo(struct cache_seat *seat)
{
    cache_answer_release(seat->answer);
    seat->answer = NULL;
    flight_leave(seat);
}

void ask_answer(struct cache_seat *seat)
{
    struct cache *cache = seat->cache;
    pthread_mutex_lock(&cache->lock);
    bool is_cancelled = seat->is_cancelled;
    seat->is_in_hands = false;
    if (!is_cancelled) {
        seat->has_result = true;
        ask_wake(seat);
    }
    pthread_mutex_unlock(&cache->lock);
    if (is_cancelled)
        undo(seat);
}

/* ---- the public side ---- */

enum cache_reply cache_ask(struct cache *cache, struct cache_ask *ask)
{
    struct cache_seat *seat = new_seat(cache, ask);
    check(!ask->seat);
    ask->seat = seat;
    ask->answer = NULL;
    /* Once the thread may have it, what is in the seat is the thread's until it is posted. */
    ask_resolve(seat, true);
    pthread_mutex_lock(&cache->lock);
    bool is_waiting = seat->is_reading || seat->is_in_hands || seat->has_result;
    pthread_mutex_unlock(&cache->lock);
    if (is_waiting) {
        ask->reply = CACHE_WAIT;
        return CACHE_WAIT;
    }
    ask->reply = seat->reply;
    ask->answer = seat->answer;
    ask->age_s = seat->age_s;
    ask->ttl_left_s = seat->ttl_left_s;
    seat->answer = NULL;
    return ask->reply;
}

void cache_leave(struct cache *cache, struct cache_ask *ask)
{
    struct cache_seat *seat = ask->seat;
    if (!seat)
        return;
    pthread_mutex_lock(&cache->lock);
    bool was_reading = seat->is_reading, is_in_hands = seat->is_in_hands;
    if (was_reading) {
        list_remove(&seat->node);
        cache->read_count--;
        seat->is_reading = false;
    }
    seat->is_cancelled = true;
    seat->has_result = false;
    pthread_mutex_unlock(&cache->lock);
    if (!is_in_hands)
        undo(seat);
    cache_answer_release(ask->answer);
    ask->answer = NULL;
    ask->seat = NULL;
    seat->ask = NULL;
    release(seat, was_reading ? 2 : 1); /* the thread's, too: it will not come */
}
