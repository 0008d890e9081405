/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions of policies (PCRE2, UTF-8), with bounds on what a match may cost: no pattern of a policy file and
 * no text of a program can hold a loop up. The only file that includes <pcre2.h>.
 */
#ifndef BASE_PATTERN_H
#define BASE_PATTERN_H

#include "base/error.h"
#include "base/slice.h"

#include <stdint.h>

struct pattern;

/* NULL: *ret_problem (a text of `problem_bytes`) says what is wrong, *ret_offset where in `text`. */
struct pattern *pattern_new(const char *text, char *problem, size_t problem_bytes, size_t *ret_offset);
void pattern_free(struct pattern *pattern); /* NULL is fine */
/* What the searches of one request may cost, all patterns over all its texts together: their owner passes it to each of
 * them. A step is one item of a pattern that is tried, or what takes as long: about 20 ns [M], so that those of 64 KiB,
 * 2.5 million, are 50 ms; redaction has as many again. A search costs some steps by itself, too: many patterns over
 * many tiny texts are not free. */
struct pattern_budget {
    uint64_t steps_left;
};
enum { PATTERN_STEPS_AT_LEAST = 1500000, PATTERN_STEPS_PER_BYTE = 16 };
static inline struct pattern_budget pattern_allow(size_t request_bytes)
{
    return (struct pattern_budget){PATTERN_STEPS_AT_LEAST + (uint64_t)request_bytes * PATTERN_STEPS_PER_BYTE};
}

/* Any thread. MATCH_FAILED: the budget is spent, or the match would take too much memory. Callers take it for a match,
 * so that nothing is got around by being expensive. What is no UTF-8 in the text matches nothing. */
enum pattern_match { MATCH_NONE, MATCH_FOUND, MATCH_FAILED };
enum pattern_match pattern_find(const struct pattern *pattern, struct slice text, struct pattern_budget *budget,
                                size_t *ret_from, size_t *ret_to);

#endif
