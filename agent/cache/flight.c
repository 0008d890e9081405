/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a flight: who is in it, who leads it, how it ends. Called by ask.c and share.c.
 */
#include "cache/flight.h"

#include "base/check.h"

#include <stdlib.h>

static struct list *bucket_of(struct cache *cache, const struct cache_key *key)
{
    return &cache->flight_buckets[(key->bytes[0] | (unsigned)key->bytes[1] << 8) % FLIGHT_BUCKETS];
}

struct flight *flight_new(struct cache_seat *seat, bool is_listed)
{
    size_t group_bytes = strlen(seat->group) + 1, model_bytes = strlen(seat->model) + 1;
    struct flight *flight = calloc(1, sizeof *flight + group_bytes + model_bytes);
    check(flight != NULL && pthread_mutex_init(&flight->lock, NULL) == 0);
    atomic_init(&flight->references, 1);
    flight->cache = seat->cache;
    flight->key = seat->key;
    flight->ttl_s = seat->ttl_s;
    flight->leader = seat;
    flight->is_whole = true;
    flight->group = (char *)(flight + 1);
    flight->model = flight->group + group_bytes;
    memcpy(flight->group, seat->group, group_bytes);
    memcpy(flight->model, seat->model, model_bytes);
    list_init(&flight->followers);
    list_init(&flight->waiting);
    list_init(&flight->bucket);
    if (is_listed)
        list_append(bucket_of(seat->cache, &seat->key), &flight->bucket);
    list_append(&seat->cache->flights, &flight->all);
    return flight;
}

struct flight *flight_find(struct cache *cache, const struct cache_key *key)
{
    list_for_each(node, bucket_of(cache, key))
    {
        struct flight *flight = list_entry(node, struct flight, bucket);
        if (memcmp(&flight->key, key, sizeof *key) == 0)
            return flight;
    }
    return NULL;
}

struct flight *flight_retain(struct flight *flight)
{
    atomic_fetch_add_explicit(&flight->references, 1, memory_order_relaxed);
    return flight;
}

void flight_release(struct flight *flight)
{
    if (atomic_fetch_sub_explicit(&flight->references, 1, memory_order_acq_rel) != 1)
        return;
    for (struct piece *piece = flight->first, *next; piece; piece = next) {
        next = piece->next;
        free(piece);
    }
    atomic_fetch_sub(&flight->cache->flight_bytes, flight->total - flight->base);
    cache_answer_release(flight->head);
    cache_answer_release(flight->made);
    free(flight->frames);
    free(flight->detail);
    pthread_mutex_destroy(&flight->lock);
    free(flight);
}

void flight_unlist(struct flight *flight)
{
    pthread_mutex_lock(&flight->cache->lock);
    list_remove(&flight->bucket);
    pthread_mutex_unlock(&flight->cache->lock);
}

bool flight_join(struct flight *flight, struct cache_seat *seat)
{
    pthread_mutex_lock(&flight->lock);
    bool is_joined = flight->state < FLIGHT_DONE && !flight->is_closed && flight->is_whole;
    if (is_joined) {
        list_append(&flight->followers, &seat->node);
        if (flight->follower_count++ == 0 && flight->leader)
            ask_wake(flight->leader); /* it may be waiting for its own program alone */
        seat->flight = flight;
        seat->position = 0;
    }
    pthread_mutex_unlock(&flight->lock);
    return is_joined;
}

/* ---- how it ends: the lock is held ---- */

void flight_wake(struct flight *flight)
{
    list_for_each_safe(node, &flight->waiting)
    {
        struct cache_seat *seat = list_entry(node, struct cache_seat, node);
        list_remove(node);
        list_append(&flight->followers, node);
        seat->is_waiting = false;
        ask_wake(seat);
    }
}

static struct cache_seat *first_follower(struct flight *flight)
{
    struct list *head = !list_is_empty(&flight->waiting) ? &flight->waiting : &flight->followers;
    return list_is_empty(head) ? NULL : list_entry(head->next, struct cache_seat, node);
}

/* One takes over; it learns of it when it reads. */
static void promote(struct flight *flight, struct cache_seat *seat)
{
    list_remove(&seat->node);
    flight->follower_count--;
    seat->is_waiting = false;
    flight->leader = seat;
    ask_wake(seat);
}

static void fail_all(struct flight *flight, enum error error, const char *detail)
{
    flight->state = FLIGHT_FAILED;
    flight->leader = NULL;
    flight->error = error;
    flight->detail = strdup(detail ? detail : error_row(error)->text);
    check(flight->detail != NULL);
    flight_wake(flight);
}

/* What the leader met is likely what they meet, too; one after the other they would wait for each other's time-outs. */
static void release_all(struct flight *flight)
{
    struct list *heads[] = {&flight->followers, &flight->waiting};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        list_for_each(node, heads[i]) list_entry(node, struct cache_seat, node)->was_dropped = true;
}

static void forget(struct flight *flight)
{
    pthread_mutex_lock(&flight->cache->lock);
    list_remove(&flight->bucket);
    list_remove(&flight->all);
    pthread_mutex_unlock(&flight->cache->lock);
}

static bool has_led(const struct cache_seat *seat)
{
    return seat->flight && seat->flight->leader == seat;
}

void cache_lead_fail(struct cache *cache, struct cache_ask *ask, enum error error, const char *detail)
{
    (void)cache;
    struct cache_seat *seat = ask->seat;
    struct flight *flight = seat ? seat->flight : NULL;
    if (!flight)
        return;
    pthread_mutex_lock(&flight->lock);
    bool is_leader = has_led(seat), has_ended = false;
    bool is_open = is_leader && flight->state == FLIGHT_OPEN;
    struct cache_seat *next = is_open && error == ERROR_CLIENT_GONE ? first_follower(flight) : NULL;
    if (next) {
        promote(flight, next);
    } else if (is_leader) {
        if (is_open)
            release_all(flight);
        fail_all(flight, error, detail);
        has_ended = true;
    }
    pthread_mutex_unlock(&flight->lock);
    if (has_ended)
        forget(flight);
}

/* A follower that was promoted and has not noticed yet leads as well. */
void flight_leave(struct cache_seat *seat)
{
    struct flight *flight = seat->flight;
    struct cache_ask as_leader = {.seat = seat};
    if (!flight)
        return;
    cache_lead_fail(flight->cache, &as_leader, ERROR_CLIENT_GONE, NULL);
    pthread_mutex_lock(&flight->lock);
    if (!list_is_empty(&seat->node)) {
        list_remove(&seat->node);
        flight->follower_count--;
        if ((flight->follower_count == 0 || flight->is_held) && flight->leader)
            ask_wake(flight->leader);
    }
    pthread_mutex_unlock(&flight->lock);
    seat->flight = NULL;
    flight_release(flight);
}

/* ---- the end of a good one ---- */

static struct cache_answer *make_answer(const struct flight *flight, const struct cache_made *made)
{
    struct cache_answer from = *flight->head;
    from.body = (struct slice){NULL, (size_t)flight->total};
    from.frames = flight->frames;
    from.frame_count = flight->frame_count;
    from.made = *made;
    struct cache_answer *answer = answer_new(&from);
    char *at = answer_body(answer);
    for (const struct piece *piece = flight->first; piece; piece = piece->next) {
        memcpy(at, piece->bytes, piece->length);
        at += piece->length;
    }
    return answer;
}

static const char *why_not(const struct flight *flight, const struct cache_outcome *outcome)
{
    if (!flight->is_whole)
        return "it is too long";
    if (flight->ttl_s == 0)
        return "it would be kept for no time";
    return cache_why_not_stored(outcome);
}

/* What it brought is there before the flight is gone: whoever comes meets one of them. */
static const char *store_or_not(struct flight *flight, const struct cache_outcome *outcome,
                                const struct cache_made *made)
{
    struct cache *cache = flight->cache;
    const char *why = why_not(flight, outcome);
    struct cache_answer *answer = why ? NULL : make_answer(flight, made);
    struct entry *entry =
        why ? NULL : index_new_entry(&flight->key, flight->group, flight->model, flight->ttl_s, cache->now_ns());
    pthread_mutex_lock(&cache->lock);
    if (!why && flight->is_cleared)
        why = "the cache was cleared meanwhile";
    if (!why)
        index_store(cache, entry, answer);
    list_remove(&flight->bucket);
    list_remove(&flight->all);
    pthread_mutex_unlock(&cache->lock);
    if (why) {
        cache_answer_release(answer);
        free(entry);
    }
    return why;
}

const char *cache_lead_finish(struct cache *cache, struct cache_ask *ask, const struct cache_outcome *outcome,
                              const struct cache_made *made)
{
    struct cache_seat *seat = ask->seat;
    struct flight *flight = seat ? seat->flight : NULL;
    if (!flight || ask->reply != CACHE_LEAD)
        return "it was not to be stored";
    pthread_mutex_lock(&flight->lock);
    bool can_end = has_led(seat) && flight->state == FLIGHT_FLOWING;
    pthread_mutex_unlock(&flight->lock);
    if (!can_end || !outcome->is_complete) {
        cache_lead_fail(cache, ask, ERROR_UPSTREAM_CUT, NULL);
        return cache_why_not_stored(&(struct cache_outcome){.status = 200});
    }
    const char *why = store_or_not(flight, outcome, made);
    const struct cache_answer facts = {.made = *made};
    struct cache_answer *copy = answer_new(&facts);
    pthread_mutex_lock(&flight->lock);
    flight->state = FLIGHT_DONE;
    flight->leader = NULL;
    flight->made = copy;
    flight_wake(flight);
    pthread_mutex_unlock(&flight->lock);
    return why;
}
