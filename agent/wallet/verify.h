/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What verify.c (the book and the sums) and verify_walk.c (one transfer after the other) share.
 */
#ifndef WALLET_VERIFY_H
#define WALLET_VERIFY_H

#include "wallet/internal.h"

struct book_row {
    enum account_kind kind;
    struct balance stored, anchored, computed;
    __int128 held_debit, held_credit; /* by the open holds */
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
    enum error error;
};

static inline __int128 verify_available(const struct balance *balance)
{
    return (__int128)balance->credits_posted - balance->debits_posted - balance->debits_pending;
}

void verify_find_fault(struct walk *walk, enum invariant invariant, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* For store_scan over the journal; context is the walk, whose `error` stops it. */
bool verify_walk_transfer(void *context, struct slice key, struct slice row);

#endif
