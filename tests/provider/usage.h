/* SPDX-License-Identifier: Apache-2.0 */
/* Exact usage in disjoint buckets: what the stand-in bills. The dialects' writers show it in their own terms.
 */
#ifndef TESTS_PROVIDER_USAGE_H
#define TESTS_PROVIDER_USAGE_H

#include <stdbool.h>
#include <stdint.h>

struct exchange;

struct usage {
    uint64_t fresh; /* prompt tokens neither read from nor written to the cache */
    uint64_t cache_read;
    uint64_t cache_write; /* 5 minutes */
    uint64_t cache_write_1h;
    uint64_t tool_prompt; /* Gemini: extra input */
    uint64_t out;         /* with reasoning */
    uint64_t reasoning;   /* part of out */
};

/* Usage of the whole planned answer. */
void usage_plan(const struct exchange *exchange, struct usage *ret_usage);
/* What is billed for what was sent; whole: the answer was sent to its end. */
void usage_bill(const struct exchange *exchange, bool whole, struct usage *ret_usage);
/* The whole prompt as OpenAI and Gemini count it. */
uint64_t usage_get_prompt(const struct usage *usage);

#endif
