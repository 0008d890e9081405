/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions of policies: what they find, what they refuse, and that none of them can take long. */
#include "base/pattern.h"
#include "suite.h"

#include <stdint.h>
#include <time.h>

static enum pattern_match find(const char *expression, struct slice text, size_t *from, size_t *to)
{
    char problem[160];
    size_t offset = 0;
    struct pattern *pattern = pattern_new(expression, problem, sizeof problem, &offset);
    EXPECT(pattern != NULL, "%s at %zu", problem, offset);
    enum pattern_match match = pattern ? pattern_find(pattern, text, from, to) : MATCH_FAILED;
    pattern_free(pattern);
    return match;
}

TEST(patterns_find_where)
{
    size_t from = 99, to = 99;
    EXPECT_INTEGER(find("pro(ject)? \\d+", SLICE_LITERAL("of project 42."), &from, &to), MATCH_FOUND);
    CU_ASSERT(from == 3 && to == 13);
    EXPECT_INTEGER(find("(?i)SECRET", SLICE_LITERAL("a secret"), &from, &to), MATCH_FOUND);
    EXPECT_INTEGER(find("secret", SLICE_LITERAL("nothing"), &from, &to), MATCH_NONE);
    EXPECT_INTEGER(find("^$", SLICE_LITERAL(""), &from, &to), MATCH_FOUND);
    EXPECT_INTEGER(find("\xc3\xa9t\xc3\xa9", SLICE_LITERAL("un \xc3\xa9t\xc3\xa9"), &from, &to), MATCH_FOUND);
    EXPECT_INTEGER(find("ok", SLICE_LITERAL("\xff\xfe ok"), &from, &to), MATCH_FOUND);
}

TEST(wrong_patterns_say_where)
{
    char problem[160] = "";
    size_t offset = 0;
    CU_ASSERT(pattern_new("a(b", problem, sizeof problem, &offset) == NULL);
    CU_ASSERT(offset == 3 && problem[0]);
    char *long_one = malloc(5001);
    memset(long_one, 'a', 5000);
    long_one[5000] = '\0';
    CU_ASSERT(pattern_new(long_one, problem, sizeof problem, &offset) == NULL);
    free(long_one);
}

/* The classic ones: without a bound over the whole search each of these takes minutes. */
TEST(expensive_matches_fail_soon)
{
    static const char *const expressions[] = {"(a+)+$", "(a|aa)+$", "(.*)(.*)(.*)(.*)x", "(a*)*b"};
    enum { BYTES = 1 << 16 };
    char *text = malloc(BYTES);
    memset(text, 'a', BYTES);
    text[BYTES - 1] = '!';
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        size_t from, to;
        clock_t start = clock();
        enum pattern_match match = find(expressions[i], (struct slice){text, BYTES}, &from, &to);
        double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        EXPECT(match != MATCH_FOUND, "%s", expressions[i]);
        EXPECT(seconds < 20, "%s took %f s", expressions[i], seconds);
    }
    free(text);
}
