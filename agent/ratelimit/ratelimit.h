/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rate limits of consumer groups: requests and tokens per minute and per day (consumer_groups[].rate_limits). A minute
 * is a sliding window of 12 × 5 s, a day one of 24 × 1 h; both by a clock that does not jump (monotonic), the day's
 * counts survive a restart by a small file. Shared by all loops, under one lock (a leaf). Nothing is counted for a
 * refusal.
 */
#ifndef RATELIMIT_RATELIMIT_H
#define RATELIMIT_RATELIMIT_H

#include "base/error.h"
#include "config/config.h"

struct ratelimit;

struct ratelimit *ratelimit_new(void);
void ratelimit_free(struct ratelimit *ratelimit);

enum ratelimit_kind {
    RATELIMIT_REQUESTS_MINUTE,
    RATELIMIT_TOKENS_MINUTE,
    RATELIMIT_REQUESTS_DAY,
    RATELIMIT_TOKENS_DAY
};
enum { RATELIMIT_KINDS = 4 };

struct ratelimit_row {
    enum ratelimit_kind kind;
    const char *name; /* "requests_per_minute" */
    uint64_t limit, left;
    uint32_t window_s; /* 60 or 86400 */
    uint32_t reset_s;  /* until `left` grows */
};
struct ratelimit_answer {
    struct ratelimit_row rows[RATELIMIT_KINDS]; /* the group's, after this request */
    unsigned count;                             /* 0: the group has no limits */
    int refused_by;                             /* index into rows; -1: granted */
    uint32_t retry_after_s;                     /* until as many tokens (or a request) are free again, at least 1 */
};
/* Takes one request and `tokens` (an estimate: input and asked-for output). RATE_LIMITED: nothing was taken. A request
 * of more tokens than the limit is refused with retry_after_s 0: it never fits. */
enum error ratelimit_take(struct ratelimit *ratelimit, const struct consumer_group *group, uint64_t tokens,
                          struct ratelimit_answer *ret_answer) MUST_USE;
/* What it used in the end, in place of the estimate; into the slots where the estimate was counted (`taken_ns`: of the
 * take, clock_monotonic_ns). */
void ratelimit_settle(struct ratelimit *ratelimit, const char *group, int64_t taken_ns, uint64_t tokens_estimate,
                      uint64_t tokens_used);

/* Fields of the answer: RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10), e.g.
 * "requests_per_minute";q=60;w=60 and "requests_per_minute";r=12;t=30. */
void ratelimit_format(const struct ratelimit_answer *answer, char *policy, size_t policy_bytes, char *state,
                      size_t state_bytes);

/* The day's counts, by rename, 0600; loading takes what lies within the last day by the wall clock. A file that cannot
 * be read or is damaged counts as none. FILE_UNWRITABLE. */
enum error ratelimit_save(struct ratelimit *ratelimit, const char *file) MUST_USE;
void ratelimit_load(struct ratelimit *ratelimit, const char *file);

#endif
