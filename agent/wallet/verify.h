/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What verify.c (the book and the sums), verify_walk.c (one transfer after the other), verify_budgets.c and
 * verify_jobs.c share.
 */
#ifndef WALLET_VERIFY_H
#define WALLET_VERIFY_H

#include "wallet/internal.h"

struct verify_budget {
    char name[WALLET_BUDGET_NAME_MAX];
    uint32_t newest;     /* its bucket with the highest number */
    uint32_t used_until; /* start of the newest bucket that was counted in so far */
    UT_hash_handle hh;
};

struct book_row {
    enum account_kind kind;
    struct verify_budget *budget; /* of a bucket, else NULL */
    uint32_t start, older;        /* of a bucket: minutes; the bucket made before it, 0: none (funding is no bucket) */
    struct balance stored, anchored, computed;
    __int128 held_debit, held_credit; /* by the open holds */
};

/* The POST or VOID whose linked ones are to follow. */
struct ending {
    struct transfer resolution;
    uint64_t hold;
    int64_t held;
    unsigned count, done;
    uint32_t linked[WALLET_BUDGETS_MAX], allowance;
};

struct walk {
    const struct tables *tables;
    struct verification *result;
    struct book_row *accounts;
    uint32_t account_count;
    struct head stored_head;
    struct anchor anchor; /* zeroed: from the beginning */
    bool has_head, has_hash, with_ids;
    uint64_t expected, ids;
    unsigned char hash[HASH_BYTES];
    struct transfer before; /* the transfer before this one */
    struct verify_budget *budgets;
    struct ending ending;
    enum error error;
};

static inline __int128 verify_available(const struct balance *balance)
{
    return (__int128)balance->credits_posted - balance->debits_posted - balance->debits_pending;
}

void verify_find_fault(struct walk *walk, enum invariant invariant, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A sum of the walk; a fault when it overflows or falls below 0. */
void verify_add(struct walk *walk, const struct transfer *transfer, int64_t *sum, int64_t amount);
/* For %llu. */
static inline unsigned long long verify_number(const struct transfer *transfer)
{
    return (unsigned long long)transfer->sequence;
}

/* verify_budgets.c */
void verify_add_bucket(struct walk *walk, uint32_t number, struct slice name);
void verify_start_budgets(struct walk *walk);
void verify_free_budgets(struct walk *walk);
void verify_linked_hold(struct walk *walk, const struct transfer *transfer);
void verify_linked_resolution(struct walk *walk, const struct transfer *transfer, struct slice detail);
void verify_linked_money(struct walk *walk, const struct transfer *transfer); /* its accounts exist */
void verify_begin_ending(struct walk *walk, const struct transfer *transfer, const struct hold *hold);
void verify_finish_ending(struct walk *walk, const struct transfer *transfer);

/* verify_jobs.c */
void verify_defer(struct walk *walk, const struct transfer *transfer, struct slice detail);
/* A deferred hold from before the walk, that ends after the anchor, into result->holds. NULL: there is none. */
struct hold *verify_reopen_hold(struct walk *walk, const struct transfer *resolution);
enum error verify_load_jobs(struct walk *walk) MUST_USE; /* those from before the walk */
enum error verify_compare_jobs(struct walk *walk) MUST_USE;

/* verify_walk.c */
enum error verify_read_detail(struct walk *walk, const struct transfer *transfer, unsigned char bytes[DETAIL_BYTES_MAX],
                              struct slice *ret_detail) MUST_USE;
/* For store_scan over the journal; context is the walk, whose `error` stops it. */
bool verify_walk_transfer(void *context, struct slice key, struct slice row);

#endif
