/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See pattern.h. PCRE2's own match limit begins anew at every place of the text; here each item of the pattern that is
 * tried is counted (automatic callouts), over all searches of a budget. One item can be long: x+ goes over a whole text
 * and is one step, so what an item went over costs besides; and what it can go over in vain (x{5000}, \1) is taken for
 * gone over each time.
 */
#include "base/pattern.h"

#include "base/check.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAP_KIB_MAX = 1024, PATTERN_BYTES_MAX = 4096 };
enum {
    BYTES_PER_STEP = 16,       /* that an item goes over: 0.6 to 1 ns each [M] */
    SCANNED_PER_STEP = 32,     /* of a text, by the check of UTF-8 and PCRE2's look for a first character */
    STEPS_PER_SEARCH = 4,      /* to set it up */
    STEPS_OF_MATCH = 48,       /* what its finder does with it: 1 us [M] */
    STEPS_OF_FAILURE = 100000, /* 1 MiB of frames, filled */
};

struct pattern {
    pcre2_code *code;
    unsigned repeat_max; /* the largest number in braces */
    bool has_references; /* \1 */
};

struct search {
    const struct pattern *pattern;
    struct pattern_budget *budget;
    size_t place; /* of the last step */
};

static bool spend(struct pattern_budget *budget, uint64_t steps)
{
    bool is_enough = steps <= budget->steps_left;
    budget->steps_left = is_enough ? budget->steps_left - steps : 0;
    return is_enough;
}

static size_t captured_bytes(const pcre2_callout_block *block)
{
    size_t bytes = block->capture_top;
    for (uint32_t i = 1; i < block->capture_top; i++) {
        PCRE2_SIZE from = block->offset_vector[2 * (size_t)i], to = block->offset_vector[2 * (size_t)i + 1];
        bytes += from != PCRE2_UNSET && to != PCRE2_UNSET && to > from ? to - from : 0;
    }
    return bytes;
}

static int count_step(pcre2_callout_block *block, void *context)
{
    struct search *search = context;
    size_t place = block->current_position;
    size_t bytes = search->pattern->repeat_max + (place > search->place ? place - search->place : 0);
    if (search->pattern->has_references)
        bytes += captured_bytes(block);
    search->place = place;
    return spend(search->budget, 1 + bytes / BYTES_PER_STEP) ? 0 : PCRE2_ERROR_MATCHLIMIT;
}

/* Behind "\x{…}", whose number repeats nothing, or any other escape. */
static const char *skip_escape(const char *at)
{
    const char *end;
    if (at[1] && strchr("xoNpPgk", at[1]) && at[2] == '{' && (end = strchr(at, '}')))
        return end + 1;
    return at + (at[1] ? 2 : 1);
}

/* Within classes and comments, too: rather too much than too little. */
static unsigned find_repeat_max(const char *text)
{
    enum { REPEAT_MAX = 65535 }; /* PCRE2's */
    unsigned largest = 0;
    for (const char *at = text; *at;) {
        unsigned number = 0;
        if (*at == '\\') {
            at = skip_escape(at);
            continue;
        }
        if (*at++ != '{')
            continue;
        for (; *at >= '0' && *at <= '9' && number <= REPEAT_MAX; at++)
            number = number * 10 + (unsigned)(*at - '0');
        largest = number > largest ? number : largest;
    }
    return largest;
}

struct pattern *pattern_new(const char *text, char *problem, size_t problem_bytes, size_t *ret_offset)
{
    int error;
    PCRE2_SIZE offset = 0;
    size_t length = strlen(text);
    if (length > PATTERN_BYTES_MAX) {
        snprintf(problem, problem_bytes, "the expression is longer than %d bytes", PATTERN_BYTES_MAX);
        *ret_offset = PATTERN_BYTES_MAX;
        return NULL;
    }
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text, length,
                                     PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_AUTO_CALLOUT | PCRE2_NEVER_BACKSLASH_C,
                                     &error, &offset, NULL);
    if (!code) {
        pcre2_get_error_message(error, (PCRE2_UCHAR *)problem, problem_bytes);
        *ret_offset = offset < length ? offset : length; /* PCRE2 looks one further for some */
        return NULL;
    }
    struct pattern *pattern = calloc(1, sizeof *pattern);
    check(pattern);
    uint32_t reference_max = 0;
    pcre2_pattern_info(code, PCRE2_INFO_BACKREFMAX, &reference_max);
    *pattern = (struct pattern){code, find_repeat_max(text), reference_max > 0};
    return pattern;
}

void pattern_free(struct pattern *pattern)
{
    if (!pattern)
        return;
    pcre2_code_free(pattern->code);
    free(pattern);
}

enum pattern_match pattern_find(const struct pattern *pattern, struct slice text, struct pattern_budget *budget,
                                size_t *ret_from, size_t *ret_to)
{
    struct search search = {.pattern = pattern, .budget = budget};
    if (!spend(budget, STEPS_PER_SEARCH + text.length / SCANNED_PER_STEP))
        return MATCH_FAILED;
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    check(data && context);
    pcre2_set_callout(context, count_step, &search);
    pcre2_set_heap_limit(context, HEAP_KIB_MAX);
    int result = pcre2_match(pattern->code, (PCRE2_SPTR)(text.data ? text.data : ""), text.length, 0, 0, data, context);
    if (result >= 0) { /* 0: more groups than the one pair that is asked for */
        const PCRE2_SIZE *pair = pcre2_get_ovector_pointer(data);
        *ret_from = pair[0];
        *ret_to = pair[1] < pair[0] ? pair[0] : pair[1]; /* \K may put the start behind the end */
    }
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
    if (result < 0 && result != PCRE2_ERROR_NOMATCH) {
        spend(budget, STEPS_OF_FAILURE);
        return MATCH_FAILED;
    }
    if (result >= 0)
        spend(budget, STEPS_OF_MATCH);
    return result >= 0 ? MATCH_FOUND : MATCH_NONE;
}
