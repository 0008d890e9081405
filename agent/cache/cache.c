/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, closing, limits, and what people ask: see cache.h. */
#include "cache/flight.h"

#include "base/check.h"

#include <stdlib.h>
#include <time.h>

enum { BUCKETS_AT_ONCE = 256 };

/* Goes on during suspend, unlike the monotonic clock, and never jumps, unlike the wall clock. */
static int64_t boottime_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

struct memo *cache_memo(struct cache *cache)
{
    return cache->memo;
}

static void init_locks(struct cache *cache)
{
    pthread_condattr_t monotonic;
    check(pthread_condattr_init(&monotonic) == 0 && pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    check(pthread_mutex_init(&cache->lock, NULL) == 0);
    check(pthread_cond_init(&cache->arrived, &monotonic) == 0 && pthread_cond_init(&cache->rested, NULL) == 0);
    pthread_condattr_destroy(&monotonic);
}

struct cache *cache_open(const struct cache_options *options)
{
    struct cache *cache = calloc(1, sizeof *cache);
    check(cache != NULL);
    cache->options = *options;
    if (!cache->options.flight_bytes_max)
        cache->options.flight_bytes_max = CACHE_FLIGHT_BYTES_MAX_DEFAULT;
    cache->hot_bytes_max = options->hot_bytes_max ? options->hot_bytes_max : CACHE_HOT_BYTES_MAX_DEFAULT;
    cache->now_ns = options->now_ns ? options->now_ns : boottime_ns;
    cache->work_last = &cache->work_first;
    list_init(&cache->reads);
    list_init(&cache->flights);
    for (size_t i = 0; i < FLIGHT_BUCKETS; i++)
        list_init(&cache->flight_buckets[i]);
    init_locks(cache);
    index_init(cache);
    index_set_limits(cache, options->entries_max, options->bytes_max);
    cache->memo = memo_new();
    cache->keep = keep_open(options);
    cache->generation = keep_generation(cache->keep);
    thread_start(cache);
    return cache;
}

void cache_close(struct cache *cache)
{
    if (!cache)
        return;
    pthread_mutex_lock(&cache->lock);
    check(list_is_empty(&cache->flights) && list_is_empty(&cache->reads));
    cache->is_closing = true;
    pthread_cond_signal(&cache->arrived);
    pthread_mutex_unlock(&cache->lock);
    pthread_join(cache->thread, NULL);
    keep_close(cache->keep);
    index_done(cache);
    memo_free(cache->memo);
    pthread_cond_destroy(&cache->arrived);
    pthread_cond_destroy(&cache->rested);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

void cache_set_limits(struct cache *cache, uint32_t entries_max, uint64_t bytes_max)
{
    pthread_mutex_lock(&cache->lock);
    index_set_limits(cache, entries_max, bytes_max);
    pthread_cond_signal(&cache->arrived);
    pthread_mutex_unlock(&cache->lock);
}

void cache_read_statistics(struct cache *cache, struct cache_statistics *ret_statistics)
{
    pthread_mutex_lock(&cache->lock);
    *ret_statistics = cache->statistics;
    ret_statistics->bytes_in_memory = cache->hot_bytes + cache->waiting_bytes + atomic_load(&cache->flight_bytes) +
                                      cache->statistics.entries * INDEX_ENTRY_BYTES;
    ret_statistics->is_on_disk = cache->generation != 0;
    pthread_mutex_unlock(&cache->lock);
}

/* With the lock held. Nobody may join them any more, and what they bring is not stored. */
static void clear_flights(struct cache *cache, const char *group, const char *model)
{
    list_for_each(node, &cache->flights)
    {
        struct flight *flight = list_entry(node, struct flight, all);
        if (!index_matches(flight->group, flight->model, group, model))
            continue;
        flight->is_cleared = true;
        list_remove(&flight->bucket);
    }
}

/* Calls `visit` for each entry that matches, bucket by bucket: the loops are not kept waiting, however many there are.
 */
static void visit_entries(struct cache *cache, const char *group, const char *model, index_visit *visit,
                          struct cache_part *part)
{
    uint64_t bucket = 0;
    cache_flush(cache); /* what the store had at the start is in the index now */
    for (bool is_done = false; !is_done;) {
        pthread_mutex_lock(&cache->lock);
        for (uint64_t i = 0; i < BUCKETS_AT_ONCE && bucket < index_bucket_count(cache); i++)
            index_visit_bucket(cache, bucket++, group, model, visit, part);
        is_done = bucket >= index_bucket_count(cache);
        pthread_mutex_unlock(&cache->lock);
    }
}

void cache_count(struct cache *cache, const char *group, const char *model, struct cache_part *ret_part)
{
    *ret_part = (struct cache_part){0};
    visit_entries(cache, group, model, index_count, ret_part);
}

/* What was stored before the call is gone after it. */
uint64_t cache_clear(struct cache *cache, const char *group, const char *model)
{
    struct cache_part cleared = {0};
    pthread_mutex_lock(&cache->lock);
    clear_flights(cache, group, model);
    pthread_mutex_unlock(&cache->lock);
    visit_entries(cache, group, model, index_clear, &cleared);
    cache_flush(cache);
    return cleared.entries;
}
