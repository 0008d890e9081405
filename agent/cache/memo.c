/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first level of the key: a body whose very bytes were seen before need not be made canonical again. A fixed table
 * of digests, two places per row, the older one gives way. It holds nothing of any body, and what it answers is a
 * function of the bytes alone: it may be shared by all tenants. Called by key.c.
 */
#include "cache/internal.h"

#include "base/check.h"

#include <stdlib.h>

enum { ROWS = 4096, PLACES = 2 };

struct place {
    unsigned char raw[DIGEST_BYTES], canonical[DIGEST_BYTES];
    enum api api;
    bool is_taken;
};

struct memo {
    pthread_mutex_t lock; /* a leaf */
    struct place rows[ROWS][PLACES];
};

struct memo *memo_new(void)
{
    struct memo *memo = calloc(1, sizeof *memo);
    check(memo != NULL && pthread_mutex_init(&memo->lock, NULL) == 0);
    return memo;
}

void memo_free(struct memo *memo)
{
    pthread_mutex_destroy(&memo->lock);
    free(memo);
}

static struct place *row_of(struct memo *memo, const unsigned char raw[DIGEST_BYTES])
{
    return memo->rows[(raw[0] | (unsigned)raw[1] << 8) % ROWS];
}

static bool find(struct memo *memo, enum api api, const unsigned char raw[DIGEST_BYTES],
                 unsigned char ret_canonical[DIGEST_BYTES])
{
    bool is_found = false;
    pthread_mutex_lock(&memo->lock);
    const struct place *row = row_of(memo, raw);
    for (size_t i = 0; i < PLACES && !is_found; i++) {
        is_found = row[i].is_taken && row[i].api == api && memcmp(row[i].raw, raw, DIGEST_BYTES) == 0;
        if (is_found)
            memcpy(ret_canonical, row[i].canonical, DIGEST_BYTES);
    }
    pthread_mutex_unlock(&memo->lock);
    return is_found;
}

static void remember(struct memo *memo, enum api api, const unsigned char raw[DIGEST_BYTES],
                     const unsigned char canonical[DIGEST_BYTES])
{
    pthread_mutex_lock(&memo->lock);
    struct place *row = row_of(memo, raw);
    row[1] = row[0];
    row[0].api = api;
    row[0].is_taken = true;
    memcpy(row[0].raw, raw, DIGEST_BYTES);
    memcpy(row[0].canonical, canonical, DIGEST_BYTES);
    pthread_mutex_unlock(&memo->lock);
}

void memo_find_digest(struct memo *memo, enum api api, struct slice body, unsigned char ret_digest[DIGEST_BYTES],
                      bool *ret_is_canonical)
{
    unsigned char raw[DIGEST_BYTES];
    size_t length = 0;
    digest_sha256(body, raw);
    *ret_is_canonical = true;
    if (find(memo, api, raw, ret_digest))
        return;
    char *canonical = canonical_make(api, body, &length);
    if (canonical) {
        digest_sha256((struct slice){canonical, length}, ret_digest);
        remember(memo, api, raw, ret_digest);
        free(canonical);
        return;
    }
    *ret_is_canonical = false;
    memcpy(ret_digest, raw, DIGEST_BYTES);
}
