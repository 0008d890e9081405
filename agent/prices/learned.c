/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes per input token, learned from real usage: for `hold: learned`, where the bound by bytes would hold several
 * times too much (ledger.md measured 5.4 for English, 1.3 for random bytes). A histogram per (provider, model, size),
 * in buckets that are an eighth of an octave wide; what it answers is the lower edge of the bucket with the lowest 1 %.
 * Called by flow when a request is held and when its usage is known. Promises nothing.
 */
#include "prices/prices.h"

#include "base/check.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    ROWS_MAX = 256,
    EIGHTHS = 8,     /* buckets per octave, and the unit of a ratio */
    OCTAVES = 4,     /* 1 to 16 bytes per token; what lies outside counts as the nearest */
    COUNT_MAX = 4096 /* then all counts are halved: what is old weighs less */
};

struct row {
    char provider[32], model[128];
    unsigned size_class;
    uint64_t last_used; /* 0: free */
    uint32_t total;
    uint16_t counts[OCTAVES * EIGHTHS];
};

struct prices_memory {
    pthread_mutex_t lock;
    uint64_t clock;
    struct row rows[ROWS_MAX];
};

struct prices_memory *prices_memory_new(void)
{
    struct prices_memory *memory = calloc(1, sizeof *memory);
    check(memory);
    pthread_mutex_init(&memory->lock, NULL);
    return memory;
}

void prices_memory_free(struct prices_memory *memory)
{
    if (!memory)
        return;
    pthread_mutex_destroy(&memory->lock);
    free(memory);
}

/* A short body is mostly JSON, a long one mostly text: each teaches about its own kind alone. */
static unsigned size_class_of(uint64_t body_bytes)
{
    return (63U - (unsigned)__builtin_clzll(body_bytes | 1)) / 2;
}

/* Linear within an octave: the lower edge of bucket b is (8 + b % 8) << (b / 8) eighths. */
static unsigned bucket_of(uint64_t body_bytes, uint64_t tokens)
{
    uint64_t eighths;
    if (body_bytes <= tokens)
        return 0;
    if (__builtin_mul_overflow(body_bytes, (uint64_t)EIGHTHS, &eighths))
        return 0;
    eighths /= tokens;
    unsigned octave = 63U - (unsigned)__builtin_clzll(eighths / EIGHTHS);
    if (octave >= OCTAVES)
        return OCTAVES * EIGHTHS - 1;
    return octave * EIGHTHS + (unsigned)(eighths >> octave) - EIGHTHS;
}

static struct row *find_row(struct prices_memory *memory, const char *provider, const char *model, unsigned size_class)
{
    for (size_t i = 0; i < ROWS_MAX; i++) {
        struct row *row = &memory->rows[i];
        if (row->last_used && row->size_class == size_class && !strcmp(row->model, model) &&
            !strcmp(row->provider, provider))
            return row;
    }
    return NULL;
}

static struct row *make_row(struct prices_memory *memory, const char *provider, const char *model, unsigned size_class)
{
    struct row *oldest = &memory->rows[0];
    for (size_t i = 1; i < ROWS_MAX; i++)
        if (memory->rows[i].last_used < oldest->last_used)
            oldest = &memory->rows[i];
    *oldest = (struct row){.size_class = size_class};
    memcpy(oldest->provider, provider, strlen(provider) + 1);
    memcpy(oldest->model, model, strlen(model) + 1);
    return oldest;
}

/* Below PRICES_SAMPLES_MIN × 2 samples the lowest 1 % is the lowest one. */
static bool estimate(const struct row *row, uint64_t body_bytes, uint64_t *ret_tokens)
{
    uint64_t below = 0;
    unsigned bucket = 0;
    if (row->total < PRICES_SAMPLES_MIN)
        return false;
    while ((below += row->counts[bucket]) <= row->total / 100)
        bucket++;
    const uint64_t edge = (uint64_t)(EIGHTHS + bucket % EIGHTHS) << (bucket / EIGHTHS);
    __extension__ typedef unsigned __int128 wide;
    wide tokens = ((wide)body_bytes * EIGHTHS * 5 + edge * 4 - 1) / (edge * 4);
    *ret_tokens = tokens < body_bytes ? (uint64_t)tokens : body_bytes;
    return true;
}

static void count(struct row *row, unsigned bucket)
{
    if (row->total >= COUNT_MAX) {
        row->total = 0;
        for (size_t i = 0; i < sizeof row->counts / sizeof *row->counts; i++) {
            row->counts[i] = (uint16_t)((row->counts[i] + 1) / 2); /* up: a rare one is not lost */
            row->total += row->counts[i];
        }
    }
    row->counts[bucket]++;
    row->total++;
}

static bool fits(const char *provider, const char *model)
{
    return strlen(provider) < sizeof((struct row *)NULL)->provider && strlen(model) < sizeof((struct row *)NULL)->model;
}

void prices_memory_learn(struct prices_memory *memory, const char *provider, const char *model, uint64_t body_bytes,
                         uint64_t input_tokens)
{
    if (!body_bytes || !input_tokens || !fits(provider, model))
        return;
    unsigned size_class = size_class_of(body_bytes);
    uint64_t expected;
    pthread_mutex_lock(&memory->lock);
    struct row *row = find_row(memory, provider, model, size_class);
    if (!row)
        row = make_row(memory, provider, model, size_class);
    if (estimate(row, body_bytes, &expected) && input_tokens > expected) {
        memset(row->counts, 0, sizeof row->counts);
        row->total = 0;
    }
    count(row, bucket_of(body_bytes, input_tokens));
    row->last_used = ++memory->clock;
    pthread_mutex_unlock(&memory->lock);
}

bool prices_memory_find(struct prices_memory *memory, const char *provider, const char *model, uint64_t body_bytes,
                        uint64_t *ret_tokens)
{
    if (!body_bytes || !fits(provider, model))
        return false;
    pthread_mutex_lock(&memory->lock);
    const struct row *row = find_row(memory, provider, model, size_class_of(body_bytes));
    bool is_known = row && estimate(row, body_bytes, ret_tokens);
    pthread_mutex_unlock(&memory->lock);
    return is_known;
}
