/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See ratelimit.h. Called by flow/ from any loop; every group is counted, limited or not, so that a limit that a reload
 * brings finds the truth. One lock, held for a few hundred additions at most.
 */
#include "ratelimit/ratelimit.h"

#include "base/clock.h"
#include "ratelimit/counts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct kind_row {
    const char *name;
    const struct span_kind *span;
    uint32_t window_s;
    unsigned which;
    size_t limit; /* offset in struct rate_limits */
} kind_rows[RATELIMIT_KINDS] = {
#define LIMIT(member) #member
    [RATELIMIT_REQUESTS_MINUTE] = {LIMIT(requests_per_minute), &span_minute, 60, SPAN_REQUESTS,
                                   offsetof(struct rate_limits, requests_per_minute)},
    [RATELIMIT_TOKENS_MINUTE] = {LIMIT(tokens_per_minute), &span_minute, 60, SPAN_TOKENS,
                                 offsetof(struct rate_limits, tokens_per_minute)},
    [RATELIMIT_REQUESTS_DAY] = {LIMIT(requests_per_day), &span_day, 86400, SPAN_REQUESTS,
                                offsetof(struct rate_limits, requests_per_day)},
    [RATELIMIT_TOKENS_DAY] = {LIMIT(tokens_per_day), &span_day, 86400, SPAN_TOKENS,
                              offsetof(struct rate_limits, tokens_per_day)},
#undef LIMIT
};

struct ratelimit *ratelimit_new(void)
{
    struct ratelimit *ratelimit = calloc(1, sizeof *ratelimit);
    check(ratelimit != NULL && pthread_mutex_init(&ratelimit->lock, NULL) == 0);
    return ratelimit;
}

void ratelimit_free(struct ratelimit *ratelimit)
{
    struct counts *counts, *next;
    if (!ratelimit)
        return;
    HASH_ITER(hh, ratelimit->groups, counts, next)
    {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): uthash keeps no freed element */
        HASH_DELETE(hh, ratelimit->groups, counts);
        free(counts);
    }
    pthread_mutex_destroy(&ratelimit->lock);
    free(ratelimit);
}

/* An unused row: of the group that was not heard of for the longest time when the table is full. */
static struct counts *make_counts(struct ratelimit *ratelimit)
{
    struct counts *oldest = ratelimit->groups;
    if (HASH_COUNT(ratelimit->groups) < COUNTS_MAX) {
        struct counts *counts = calloc(1, sizeof *counts);
        check(counts != NULL);
        return counts;
    }
    for (struct counts *counts = ratelimit->groups; counts; counts = counts->hh.next)
        if (counts->used_ns < oldest->used_ns)
            oldest = counts;
    HASH_DELETE(hh, ratelimit->groups, oldest);
    memset(oldest, 0, sizeof *oldest);
    return oldest;
}

struct counts *counts_find(struct ratelimit *ratelimit, const char *group, size_t length, int64_t now_ns)
{
    struct counts *counts;
    if (length >= COUNTS_NAME_BYTES)
        length = COUNTS_NAME_BYTES - 1;
    HASH_FIND(hh, ratelimit->groups, group, length, counts);
    if (!counts) {
        counts = make_counts(ratelimit);
        memcpy(counts->group, group, length);
        HASH_ADD_KEYPTR(hh, ratelimit->groups, counts->group, length, counts);
    }
    counts->used_ns = now_ns;
    return counts;
}

static uint64_t limit_of(const struct rate_limits *limits, const struct kind_row *kind)
{
    uint64_t limit;
    memcpy(&limit, (const char *)limits + kind->limit, sizeof limit);
    return limit;
}

static const struct span *span_of(const struct counts *counts, const struct kind_row *kind)
{
    return kind->span == &span_day ? &counts->day : &counts->minute;
}

/* A row's refusal: true, and how long that will last (0: for ever). */
static bool is_refused(const struct counts *counts, const struct kind_row *kind, uint64_t limit, uint64_t wanted,
                       int64_t now_ns, uint32_t *ret_wait_s)
{
    const struct span *span = span_of(counts, kind);
    uint64_t used = span_sum(span, kind->span, now_ns, kind->which);
    *ret_wait_s = 0;
    if (wanted > limit)
        return true;
    if (used <= limit - wanted)
        return false;
    *ret_wait_s = span_wait_s(span, kind->span, now_ns, kind->which, used - (limit - wanted));
    return true;
}

/* Which row refuses for the longest time; -1: none does. */
static int find_refusal(const struct counts *counts, const struct rate_limits *limits,
                        const struct ratelimit_answer *answer, uint64_t tokens, int64_t now_ns, uint32_t *ret_wait_s)
{
    int refused_by = -1;
    for (unsigned i = 0; i < answer->count; i++) {
        const struct kind_row *kind = &kind_rows[answer->rows[i].kind];
        uint64_t wanted = kind->which == SPAN_TOKENS ? tokens : 1;
        uint32_t wait_s;
        if (!is_refused(counts, kind, limit_of(limits, kind), wanted, now_ns, &wait_s))
            continue;
        bool is_longer = refused_by < 0 || !wait_s || (*ret_wait_s && wait_s > *ret_wait_s);
        if (!is_longer)
            continue;
        refused_by = (int)i;
        *ret_wait_s = wait_s;
    }
    return refused_by;
}

static void fill_row(const struct counts *counts, int64_t now_ns, struct ratelimit_row *row)
{
    const struct kind_row *kind = &kind_rows[row->kind];
    const struct span *span = span_of(counts, kind);
    uint64_t used = span_sum(span, kind->span, now_ns, kind->which);
    row->left = row->limit > used ? row->limit - used : 0;
    uint64_t excess = used >= row->limit ? used - row->limit + 1 : 1;
    row->reset_s = used ? span_wait_s(span, kind->span, now_ns, kind->which, excess) : 0;
}

enum error ratelimit_take(struct ratelimit *ratelimit, const struct consumer_group *group, uint64_t tokens,
                          struct ratelimit_answer *ret_answer)
{
    struct ratelimit_answer answer = {.refused_by = -1};
    for (unsigned i = 0; i < RATELIMIT_KINDS; i++) {
        uint64_t limit = limit_of(&group->rate_limits, &kind_rows[i]);
        if (limit)
            answer.rows[answer.count++] = (struct ratelimit_row){
                .kind = i, .name = kind_rows[i].name, .limit = limit, .window_s = kind_rows[i].window_s};
    }
    pthread_mutex_lock(&ratelimit->lock);
    int64_t now_ns = clock_monotonic_ns(); /* within the lock: no other thread's later time comes before it */
    struct counts *counts = counts_find(ratelimit, group->name, strlen(group->name), now_ns);
    answer.refused_by = find_refusal(counts, &group->rate_limits, &answer, tokens, now_ns, &answer.retry_after_s);
    if (answer.refused_by < 0) {
        span_add(&counts->minute, &span_minute, span_number(&span_minute, now_ns), 1, tokens);
        span_add(&counts->day, &span_day, span_number(&span_day, now_ns), 1, tokens);
    }
    for (unsigned i = 0; i < answer.count; i++)
        fill_row(counts, now_ns, &answer.rows[i]);
    pthread_mutex_unlock(&ratelimit->lock);
    *ret_answer = answer;
    return answer.refused_by < 0 ? ERROR_OK : ERROR_RATE_LIMITED;
}

void ratelimit_settle(struct ratelimit *ratelimit, const char *group, int64_t taken_ns, uint64_t tokens_estimate,
                      uint64_t tokens_used)
{
    struct counts *counts;
    size_t length = strnlen(group, COUNTS_NAME_BYTES - 1);
    pthread_mutex_lock(&ratelimit->lock);
    HASH_FIND(hh, ratelimit->groups, group, length, counts);
    if (counts) {
        span_replace_tokens(&counts->minute, &span_minute, taken_ns, tokens_estimate, tokens_used);
        span_replace_tokens(&counts->day, &span_day, taken_ns, tokens_estimate, tokens_used);
    }
    pthread_mutex_unlock(&ratelimit->lock);
}

/* An integer of a structured field has at most 15 digits (RFC 9651, 3.3.1). */
static unsigned long long field_integer(uint64_t value)
{
    const uint64_t most = 999999999999999;
    return value < most ? value : most;
}

/* Whole items only: what does not fit is left out. */
static void append_item(char *text, size_t bytes, const struct ratelimit_row *row, char first, uint64_t count,
                        char second, uint32_t seconds)
{
    char item[96];
    size_t length = bytes ? strlen(text) : 0;
    snprintf(item, sizeof item, "%s\"%s\";%c=%llu;%c=%u", length ? ", " : "", row->name, first, field_integer(count),
             second, seconds);
    if (length + strlen(item) < bytes)
        memcpy(text + length, item, strlen(item) + 1);
}

void ratelimit_format(const struct ratelimit_answer *answer, char *policy, size_t policy_bytes, char *state,
                      size_t state_bytes)
{
    if (policy_bytes)
        policy[0] = '\0';
    if (state_bytes)
        state[0] = '\0';
    for (unsigned i = 0; i < answer->count; i++) {
        const struct ratelimit_row *row = &answer->rows[i];
        append_item(policy, policy_bytes, row, 'q', row->limit, 'w', row->window_s);
        append_item(state, state_bytes, row, 'r', row->left, 't', row->reset_s);
    }
}
