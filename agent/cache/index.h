/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in the cache, who asks for it, and what the cache's thread has to do. For the files of cache/ that have to do
 * with entries. Everything here is guarded by cache->lock unless it says otherwise. That lock and a flight's are never
 * held together; under either only a mailbox's may be taken (so that nobody is woken after he left).
 */
#ifndef CACHE_INDEX_H
#define CACHE_INDEX_H

#include "base/list.h"
#include "cache/keep.h"

#include <stdatomic.h>

enum {
    FLIGHT_BUCKETS = 1024,
    EVICTIONS_AT_ONCE = 64, /* per store; the thread goes on where that is not enough */
    READS_WAITING_MAX = 1024,
    INDEX_ENTRY_BYTES = 256, /* about, for the statistics: the entry, its texts, the allocator */
};
#define WAITING_BYTES_MAX                                                                                              \
    ((uint64_t)16 << 20) /* answers that wait for the disk; what comes then is kept in memory only */
#define NS_PER_S INT64_C(1000000000)

struct entry {
    struct entry *chain;     /* of its bucket */
    struct list use, age;    /* of cache->uses (last used last), cache->ages (youngest last) */
    struct list hot;         /* of cache->hots; linked only while is_hot */
    struct entry *work_next; /* while is_queued */
    struct cache_key key;
    int64_t made_ns; /* by the cache's clock */
    uint32_t ttl_s;
    uint64_t bytes;              /* as counted: of its body, compressed once that is known */
    struct cache_answer *answer; /* hot, or waiting to be written; NULL: on disk only */
    unsigned kept_in;            /* the generation of the store that has it; 0: none */
    bool is_hot, is_queued;
    bool is_removed; /* not in the index any more: the thread frees it */
    char *model;     /* behind the group, in the same memory */
    char group[];
};

/* One ask, for as long as anybody may come back to it. */
struct cache_seat {
    struct task task;
    atomic_int references; /* the ask's, the thread's, a posted task's */
    atomic_bool is_posted;
    struct cache *cache;
    struct cache_ask *ask; /* its thread only; NULL: it left */
    struct mailbox *mailbox;
    struct cache_key key;
    struct cache_wishes wishes;
    uint32_t ttl_s;
    char *group, *model; /* behind the seat */
    /* reading from disk */
    struct list node;                           /* of cache->reads, or of its flight's followers */
    bool is_reading, is_in_hands, is_cancelled; /* queued; the thread has it; it left meanwhile */
    bool has_result;                            /* its thread, and the cache's thread before it is posted */
    enum cache_reply reply;                     /* of the result … */
    struct cache_answer *answer;
    uint32_t age_s, ttl_left_s;
    struct cache_answer *read; /* from disk, the thread's: of an entry made at … */
    int64_t read_made_ns;      /* … this */
    /* sharing: flight.c */
    struct flight *flight; /* a reference */
    uint64_t position;     /* of the next byte to read */
    bool is_waiting;       /* it has read everything */
    bool is_started;       /* it has seen the head */
    bool was_dropped;      /* it goes its own way */
    bool is_behind;        /* a leader whose program reads from `position` on */
};

struct cache {
    pthread_mutex_t lock; /* see above */
    pthread_cond_t arrived, rested;
    struct cache_options options;
    int64_t (*now_ns)(void);
    struct memo *memo;
    struct keep *keep; /* the thread's, after opening */

    struct entry **buckets;
    uint64_t bucket_mask;
    struct list uses, ages, hots;
    uint32_t entries_max;
    uint64_t bytes_max, hot_bytes_max;
    uint64_t hot_bytes, waiting_bytes;
    unsigned generation; /* of the store; 0: there is none */
    struct cache_statistics statistics;

    struct list flight_buckets[FLIGHT_BUCKETS]; /* those that may be joined */
    struct list flights;                        /* those that may be stored */
    atomic_ullong flight_bytes;

    struct list reads; /* seats */
    unsigned read_count;
    struct entry *work_first, **work_last;
    bool is_loaded, is_busy, is_closing;
    pthread_t thread;
};

/* ---- index.c ---- */
void index_init(struct cache *cache);
void index_done(struct cache *cache);
void index_set_limits(struct cache *cache, uint32_t entries_max, uint64_t bytes_max);
struct entry *index_new_entry(const struct cache_key *key, const char *group, const char *model, uint32_t ttl_s,
                              int64_t made_ns);
struct entry *index_find(const struct cache *cache, const struct cache_key *key);
/* One that may be used now; what is past its time goes. *ret_age_s, *ret_left_s: of it. */
struct entry *index_find_fresh(struct cache *cache, const struct cache_seat *seat, uint32_t *ret_age_s,
                               uint32_t *ret_left_s);
/* A new answer; replaces an older one. Takes the entry. */
void index_store(struct cache *cache, struct entry *entry, struct cache_answer *answer);
/* One that the store had before, older than all that are there; false: there is a younger one. */
bool index_load(struct cache *cache, struct entry *entry, uint64_t bytes);
void index_use(struct cache *cache, struct entry *entry);
/* Its answer is in memory from now on. */
void index_heat(struct cache *cache, struct entry *entry, struct cache_answer *answer);
void index_remove(struct cache *cache, struct entry *entry);
/* Removes what is past its time or too much, a bounded number; true when there may be more. */
bool index_sweep(struct cache *cache);
bool index_is_kept(const struct cache *cache, const struct entry *entry);
/* The entry was written (bytes, to the store of this generation), or was not (0). The thread has it no more. */
void index_end_write(struct cache *cache, struct entry *entry, uint64_t answer_bytes, uint64_t bytes,
                     unsigned generation);
/* The store was lost: what was only there is not any more. */
void index_lose_store(struct cache *cache, unsigned generation);
uint64_t index_bucket_count(const struct cache *cache);
/* Calls `visit` for those of a bucket that match; it may remove them. */
typedef void index_visit(struct cache *cache, struct entry *entry, struct cache_part *part);
void index_visit_bucket(struct cache *cache, uint64_t bucket, const char *group, const char *model, index_visit *visit,
                        struct cache_part *part);
/* Both count the entry; the second removes it. */
void index_count(struct cache *cache, struct entry *entry, struct cache_part *part);
void index_clear(struct cache *cache, struct entry *entry, struct cache_part *part);
bool index_matches(const char *group, const char *model, const char *wanted_group, const char *wanted_model);

/* ---- ask.c ---- */
/* Decides the seat's reply; WAIT only when it may. Takes the cache's lock itself. */
void ask_resolve(struct cache_seat *seat, bool may_wait);
/* The thread's last word on a seat that it had in hands. */
void ask_answer(struct cache_seat *seat);
/* With the cache's or the flight's lock held, so that it comes before any leave. */
void ask_wake(struct cache_seat *seat);
void ask_release(struct cache_seat *seat);

/* ---- thread.c ---- */
void thread_start(struct cache *cache);
void thread_queue_entry(struct cache *cache, struct entry *entry); /* to be written, or deleted when is_removed */

#endif
