/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See pattern.h. PCRE2's own match limit begins anew at every place of the text; here each item of the pattern that is
 * tried is counted (automatic callouts), over the whole search, so that its cost is linear in the text.
 */
#include "base/pattern.h"

#include "base/check.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_PER_BYTE = 64, STEPS_AT_LEAST = 100000, HEAP_KIB_MAX = 1024, PATTERN_BYTES_MAX = 4096 };

struct pattern {
    pcre2_code *code;
};

struct budget {
    uint64_t steps_left;
};

static int count_step(pcre2_callout_block *block, void *context)
{
    struct budget *budget = context;
    (void)block;
    return budget->steps_left-- == 0 ? PCRE2_ERROR_MATCHLIMIT : 0;
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
        *ret_offset = offset;
        return NULL;
    }
    struct pattern *pattern = calloc(1, sizeof *pattern);
    check(pattern);
    pattern->code = code;
    return pattern;
}

void pattern_free(struct pattern *pattern)
{
    if (!pattern)
        return;
    pcre2_code_free(pattern->code);
    free(pattern);
}

enum pattern_match pattern_find(const struct pattern *pattern, struct slice text, size_t *ret_from, size_t *ret_to)
{
    struct budget budget = {STEPS_AT_LEAST + (uint64_t)text.length * STEPS_PER_BYTE};
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    check(data && context);
    pcre2_set_callout(context, count_step, &budget);
    pcre2_set_heap_limit(context, HEAP_KIB_MAX);
    int result = pcre2_match(pattern->code, (PCRE2_SPTR)(text.data ? text.data : ""), text.length, 0, 0, data, context);
    if (result >= 0) { /* 0: more groups than the one pair that is asked for */
        const PCRE2_SIZE *pair = pcre2_get_ovector_pointer(data);
        *ret_from = pair[0];
        *ret_to = pair[1] < pair[0] ? pair[0] : pair[1]; /* \K may put the start behind the end */
    }
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
    return result >= 0 ? MATCH_FOUND : result == PCRE2_ERROR_NOMATCH ? MATCH_NONE : MATCH_FAILED;
}
