/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is there and what goes: a hash table, a list by use, one by age, one of what is in memory. Every operation takes
 * the same time however many entries there are. Called with the cache's lock held. Nothing here reads or writes a file.
 */
#include "cache/index.h"

#include "base/check.h"

#include <stdlib.h>

enum {
    BUCKETS_MIN = 1024,
    SWEEP_MAX = 256,
    HOT_SHARE = 4, /* no answer takes more than this part of the memory for all */
};

/* ---- the table ---- */

static uint64_t hash_of(const struct cache_key *key)
{
    uint64_t hash;
    memcpy(&hash, key->bytes, sizeof hash);
    return hash;
}

static struct entry **bucket_of(const struct cache *cache, const struct cache_key *key)
{
    return &cache->buckets[hash_of(key) & cache->bucket_mask];
}

static uint64_t choose_bucket_count(uint32_t entries_max)
{
    uint64_t count = BUCKETS_MIN;
    while (count < entries_max)
        count *= 2;
    return count;
}

static void rehash(struct cache *cache, uint64_t count)
{
    struct entry **old = cache->buckets, **buckets = calloc(count, sizeof *buckets);
    uint64_t old_count = old ? cache->bucket_mask + 1 : 0;
    check(buckets != NULL);
    cache->buckets = buckets;
    cache->bucket_mask = count - 1;
    for (uint64_t i = 0; i < old_count; i++)
        for (struct entry *entry = old[i], *next; entry; entry = next) {
            next = entry->chain;
            struct entry **bucket = bucket_of(cache, &entry->key);
            entry->chain = *bucket;
            *bucket = entry;
        }
    free(old);
}

void index_init(struct cache *cache)
{
    list_init(&cache->uses);
    list_init(&cache->ages);
    list_init(&cache->hots);
    rehash(cache, BUCKETS_MIN);
}

void index_set_limits(struct cache *cache, uint32_t entries_max, uint64_t bytes_max)
{
    cache->entries_max = entries_max < 1 ? 1 : entries_max > CACHE_ENTRIES_MAX ? CACHE_ENTRIES_MAX : entries_max;
    cache->bytes_max = bytes_max ? bytes_max : CACHE_BYTES_MAX_DEFAULT;
    uint64_t count = choose_bucket_count(cache->entries_max);
    if (count > cache->bucket_mask + 1)
        rehash(cache, count);
}

void index_done(struct cache *cache)
{
    list_for_each_safe(node, &cache->ages)
    {
        struct entry *entry = list_entry(node, struct entry, age);
        cache_answer_release(entry->answer);
        free(entry);
    }
    free(cache->buckets);
}

struct entry *index_find(const struct cache *cache, const struct cache_key *key)
{
    struct entry *entry = *bucket_of(cache, key);
    while (entry && memcmp(&entry->key, key, sizeof *key) != 0)
        entry = entry->chain;
    return entry;
}

bool index_is_kept(const struct cache *cache, const struct entry *entry)
{
    return entry->kept_in && entry->kept_in == cache->generation;
}

/* ---- entries ---- */

struct entry *index_new_entry(const struct cache_key *key, const char *group, const char *model, uint32_t ttl_s,
                              int64_t made_ns)
{
    size_t group_bytes = strlen(group) + 1, model_bytes = strlen(model) + 1;
    struct entry *entry = calloc(1, sizeof *entry + group_bytes + model_bytes);
    check(entry != NULL);
    entry->key = *key;
    entry->ttl_s = ttl_s;
    entry->made_ns = made_ns;
    entry->model = entry->group + group_bytes;
    memcpy(entry->group, group, group_bytes);
    memcpy(entry->model, model, model_bytes);
    list_init(&entry->use);
    list_init(&entry->age);
    list_init(&entry->hot);
    return entry;
}

static void unlink_from_bucket(struct cache *cache, struct entry *entry)
{
    struct entry **at = bucket_of(cache, &entry->key);
    while (*at != entry)
        at = &(*at)->chain;
    *at = entry->chain;
}

static void cool(struct cache *cache, struct entry *entry)
{
    if (!entry->is_hot)
        return;
    entry->is_hot = false;
    list_remove(&entry->hot);
    cache->hot_bytes -= answer_bytes(entry->answer);
}

void index_remove(struct cache *cache, struct entry *entry)
{
    cool(cache, entry);
    unlink_from_bucket(cache, entry);
    list_remove(&entry->use);
    list_remove(&entry->age);
    cache->statistics.entries--;
    cache->statistics.bytes -= entry->bytes;
    entry->is_removed = true;
    if (entry->is_queued) /* the thread meets it, and frees it */
        return;
    cache_answer_release(entry->answer);
    entry->answer = NULL;
    if (index_is_kept(cache, entry))
        thread_queue_entry(cache, entry);
    else
        free(entry);
}

static bool is_past(const struct cache *cache, const struct entry *entry, uint32_t ttl_s, int64_t *ret_age_ns)
{
    *ret_age_ns = cache->now_ns() - entry->made_ns;
    return *ret_age_ns < 0 || *ret_age_ns >= ttl_s * NS_PER_S;
}

struct entry *index_find_fresh(struct cache *cache, const struct cache_seat *seat, uint32_t *ret_age_s,
                               uint32_t *ret_left_s)
{
    struct entry *entry = index_find(cache, &seat->key);
    int64_t age_ns;
    if (!entry)
        return NULL;
    uint32_t ttl_s = entry->ttl_s < seat->ttl_s ? entry->ttl_s : seat->ttl_s;
    if (is_past(cache, entry, ttl_s, &age_ns)) {
        cache->statistics.expired++;
        index_remove(cache, entry);
        return NULL;
    }
    if (seat->wishes.max_age_s >= 0 && age_ns >= seat->wishes.max_age_s * NS_PER_S)
        return NULL; /* too old for this one only */
    *ret_age_s = (uint32_t)(age_ns / NS_PER_S);
    *ret_left_s = ttl_s - *ret_age_s;
    return entry;
}

void index_use(struct cache *cache, struct entry *entry)
{
    list_remove(&entry->use);
    list_append(&cache->uses, &entry->use);
    if (!entry->is_hot)
        return;
    list_remove(&entry->hot);
    list_append(&cache->hots, &entry->hot);
}

/* What leaves memory and is not on disk either is gone. */
static void trim_hot(struct cache *cache)
{
    while (cache->hot_bytes > cache->hot_bytes_max && !list_is_empty(&cache->hots)) {
        struct entry *entry = list_entry(cache->hots.next, struct entry, hot);
        cool(cache, entry);
        if (entry->is_queued)
            continue; /* its answer waits for the disk */
        if (!index_is_kept(cache, entry)) {
            cache->statistics.evicted++;
            index_remove(cache, entry);
            continue;
        }
        cache_answer_release(entry->answer);
        entry->answer = NULL;
    }
}

void index_heat(struct cache *cache, struct entry *entry, struct cache_answer *answer)
{
    if (entry->is_hot || answer_bytes(answer) > cache->hot_bytes_max / HOT_SHARE)
        return;
    if (!entry->answer)
        entry->answer = cache_answer_retain(answer);
    entry->is_hot = true;
    list_append(&cache->hots, &entry->hot);
    cache->hot_bytes += answer_bytes(entry->answer);
    trim_hot(cache);
}

/* ---- what goes ---- */

static bool is_too_much(const struct cache *cache)
{
    return cache->statistics.entries > cache->entries_max || cache->statistics.bytes > cache->bytes_max;
}

/* The least recently used, a bounded number. Those that were loaded at start count as used when they were made. */
static void evict(struct cache *cache)
{
    for (unsigned i = 0; i < EVICTIONS_AT_ONCE && is_too_much(cache) && !list_is_empty(&cache->uses); i++) {
        cache->statistics.evicted++;
        index_remove(cache, list_entry(cache->uses.next, struct entry, use));
    }
}

/* The oldest first; entries of a longer TTL than those behind them hide these until they are looked up. */
bool index_sweep(struct cache *cache)
{
    int64_t age_ns;
    unsigned count = 0;
    for (; count < SWEEP_MAX && !list_is_empty(&cache->ages); count++) {
        struct entry *entry = list_entry(cache->ages.next, struct entry, age);
        if (!is_past(cache, entry, entry->ttl_s, &age_ns))
            break;
        cache->statistics.expired++;
        index_remove(cache, entry);
    }
    evict(cache);
    return count == SWEEP_MAX || is_too_much(cache);
}

/* ---- what comes ---- */

static void insert(struct cache *cache, struct entry *entry, uint64_t bytes)
{
    struct entry **bucket = bucket_of(cache, &entry->key);
    entry->chain = *bucket;
    *bucket = entry;
    entry->bytes = bytes;
    cache->statistics.entries++;
    cache->statistics.bytes += bytes;
}

static void make_room(struct cache *cache)
{
    evict(cache);
    trim_hot(cache);
}

void index_store(struct cache *cache, struct entry *entry, struct cache_answer *answer)
{
    struct entry *old = index_find(cache, &entry->key);
    uint64_t bytes = answer_bytes(answer);
    if (old)
        index_remove(cache, old);
    insert(cache, entry, answer->body.length);
    list_append(&cache->uses, &entry->use);
    list_append(&cache->ages, &entry->age);
    cache->statistics.stored++;
    entry->answer = answer;
    if (cache->generation && cache->waiting_bytes + bytes <= WAITING_BYTES_MAX) {
        cache->waiting_bytes += bytes;
        thread_queue_entry(cache, entry);
    } else {
        cache->statistics.unkept++;
    }
    if (!entry->is_queued && bytes > cache->hot_bytes_max / HOT_SHARE) /* too long for memory, and no disk */
        index_remove(cache, entry);
    else
        index_heat(cache, entry, answer);
    make_room(cache);
}

bool index_load(struct cache *cache, struct entry *entry, uint64_t bytes)
{
    if (index_find(cache, &entry->key))
        return false;
    insert(cache, entry, bytes);
    list_append(cache->uses.next, &entry->use); /* before the first */
    list_append(cache->ages.next, &entry->age);
    return true;
}

void index_end_write(struct cache *cache, struct entry *entry, uint64_t waiting_bytes, uint64_t bytes,
                     unsigned generation)
{
    cache->waiting_bytes -= waiting_bytes;
    entry->is_queued = false;
    if (bytes)
        entry->kept_in = generation;
    else if (!entry->is_removed)
        cache->statistics.unkept++;
    if (entry->is_removed) {
        cache_answer_release(entry->answer);
        entry->answer = NULL;
        if (index_is_kept(cache, entry))
            thread_queue_entry(cache, entry);
        else
            free(entry);
        return;
    }
    if (bytes) {
        cache->statistics.bytes += bytes - entry->bytes;
        entry->bytes = bytes;
    }
    if (entry->is_hot)
        return;
    if (!bytes) {
        index_remove(cache, entry);
        return;
    }
    cache_answer_release(entry->answer);
    entry->answer = NULL;
}

void index_lose_store(struct cache *cache, unsigned generation)
{
    cache->generation = generation;
    list_for_each_safe(node, &cache->ages)
    {
        struct entry *entry = list_entry(node, struct entry, age);
        if (!entry->answer)
            index_remove(cache, entry);
    }
}

/* ---- counting and clearing ---- */

bool index_matches(const char *group, const char *model, const char *wanted_group, const char *wanted_model)
{
    return (!wanted_group || strcmp(group, wanted_group) == 0) && (!wanted_model || strcmp(model, wanted_model) == 0);
}

uint64_t index_bucket_count(const struct cache *cache)
{
    return cache->bucket_mask + 1;
}

void index_visit_bucket(struct cache *cache, uint64_t bucket, const char *group, const char *model, index_visit *visit,
                        struct cache_part *part)
{
    for (struct entry *entry = cache->buckets[bucket], *next; entry; entry = next) {
        next = entry->chain;
        if (index_matches(entry->group, entry->model, group, model))
            visit(cache, entry, part);
    }
}

void index_count(struct cache *cache, struct entry *entry, struct cache_part *part)
{
    (void)cache;
    part->entries++;
    part->bytes += entry->bytes;
    part->bytes_in_memory += entry->answer ? answer_bytes(entry->answer) : 0;
}

void index_clear(struct cache *cache, struct entry *entry, struct cache_part *part)
{
    index_count(cache, entry, part);
    index_remove(cache, entry);
    cache->statistics.cleared++;
}
