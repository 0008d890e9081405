/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions of policies (PCRE2, UTF-8), with bounds on what a match may cost: no pattern of a policy file and
 * no text of a program can hold a loop up. The only file that includes <pcre2.h>.
 */
#ifndef BASE_PATTERN_H
#define BASE_PATTERN_H

#include "base/error.h"
#include "base/slice.h"

struct pattern;

/* NULL: *ret_problem (a text of `problem_bytes`) says what is wrong, *ret_offset where in `text`. */
struct pattern *pattern_new(const char *text, char *problem, size_t problem_bytes, size_t *ret_offset);
void pattern_free(struct pattern *pattern); /* NULL is fine */
/* Any thread. MATCH_FAILED: the match would have cost too much:
 * callers take it for a match, so that nothing is got around by being expensive. What is no UTF-8 in the text matches
 * nothing. */
enum pattern_match { MATCH_NONE, MATCH_FOUND, MATCH_FAILED };
enum pattern_match pattern_find(const struct pattern *pattern, struct slice text, size_t *ret_from, size_t *ret_to);

#endif
