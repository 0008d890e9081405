/* SPDX-License-Identifier: Apache-2.0 */
/* base/pattern.c: any expression over any text: the budget is kept, and a match lies in the text. Split at a NUL. */
#include "fuzz.h"

#include "base/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = fuzz_slice(data, size);
    const char *end = size ? memchr(data, '\0', size) : NULL;
    size_t length = end ? (size_t)(end - input.data) : size, offset = 0, from = 0, to = 0;
    char problem[128] = "", *text = fuzz_copy((struct slice){input.data, length});
    struct slice searched = slice_from(input, length + 1);
    struct pattern *pattern = pattern_new(text, problem, sizeof problem, &offset);
    if (!pattern) {
        FUZZ_REQUIRE(*problem && offset <= length, "%zu of %zu: %s", offset, length, problem);
    } else {
        struct pattern_budget budget = pattern_allow(searched.length);
        uint64_t before = budget.steps_left;
        enum pattern_match match = pattern_find(pattern, searched, &budget, &from, &to);
        FUZZ_REQUIRE(budget.steps_left <= before, "a budget that grows");
        FUZZ_REQUIRE(match != MATCH_FOUND || (from <= to && to <= searched.length), "%zu to %zu", from, to);
    }
    pattern_free(pattern);
    free(text);
    return 0;
}
