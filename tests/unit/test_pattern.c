/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions of policies: what they find, what they refuse, and that none of them can take long. */
#include "base/pattern.h"
#include "suite.h"

static enum pattern_match find(const char *expression, struct slice text, size_t *from, size_t *to)
{
    char problem[160];
    size_t offset = 0;
    struct pattern *pattern = pattern_new(expression, problem, sizeof problem, &offset);
    EXPECT(pattern != NULL, "%s at %zu", problem, offset);
    struct pattern_budget budget = pattern_allow(text.length);
    enum pattern_match match = pattern ? pattern_find(pattern, text, &budget, from, to) : MATCH_FAILED;
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

/* ---- cost, in steps: they are the same on every machine ---- */

enum { BYTES = 1 << 16 };

/* What a search took of the budget of its text. */
static uint64_t steps_of(const char *expression, struct slice text, struct pattern_budget *budget,
                         enum pattern_match *ret_match)
{
    char problem[160];
    size_t offset, from, to;
    struct pattern *pattern = pattern_new(expression, problem, sizeof problem, &offset);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pattern);
    uint64_t before = budget->steps_left;
    *ret_match = pattern_find(pattern, text, budget, &from, &to);
    pattern_free(pattern);
    return before - budget->steps_left;
}

/* The classic ones: without a bound over the whole search each of these takes minutes. */
TEST(expensive_matches_fail_soon)
{
    static const struct {
        const char *expression, *tail;
    } rows[] = {
        {"(a+)+$", "!"}, {"(a|aa)+$", "!"},  {"(.*)(.*)(.*)(.*)x$", "xb"}, {"(a*)*b", "!b"},      {"a+b", "!b"},
        {"\\w+b", "!b"}, {"(a+)\\1b", "!b"}, {"a{40000}b", "!b"},          {"(a+)\\1!c", "!b!c"},
    };
    char *text = malloc(BYTES);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(text, 'a', BYTES);
        memcpy(text + BYTES - strlen(rows[i].tail), rows[i].tail, strlen(rows[i].tail));
        enum pattern_match match;
        struct pattern_budget budget = pattern_allow(BYTES);
        steps_of(rows[i].expression, (struct slice){text, BYTES}, &budget, &match);
        EXPECT(match == MATCH_FAILED, "%s: %d", rows[i].expression, (int)match);
    }
    free(text);
}

/* An item that goes over much costs by its length, also when nothing is called out between, and when it fails. */
TEST(long_items_cost_what_they_go_over)
{
    static const struct {
        const char *expression;
        uint64_t least; /* counted by items alone it is a tenth at most */
    } rows[] = {{"a+b", 30000}, {"a{1024}", 60000}, {"^(a+)\\1b", 40000}};
    enum { RUN = 1000, LENGTH = 3000 };
    char text[LENGTH];
    memset(text, '!', LENGTH);
    memset(text, 'a', RUN);
    text[LENGTH - 1] = 'b';
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum pattern_match match;
        struct pattern_budget budget = pattern_allow(LENGTH);
        uint64_t steps = steps_of(rows[i].expression, (struct slice){text, LENGTH}, &budget, &match);
        EXPECT(match == MATCH_NONE && steps >= rows[i].least, "%s: %llu", rows[i].expression,
               (unsigned long long)steps);
    }
    struct pattern_budget budget = pattern_allow(LENGTH); /* no repeat: the number of a character */
    enum pattern_match match;
    uint64_t steps = steps_of("a\\x{2014}", (struct slice){text, LENGTH}, &budget, &match);
    EXPECT(steps < 5000, "%llu", (unsigned long long)steps);
}

/* All searches of a request have one budget: many tiny texts, each below any bound of its own. */
TEST(many_searches_share_a_budget)
{
    struct pattern_budget budget = pattern_allow(3000 * 19);
    const uint64_t allowed = budget.steps_left;
    enum pattern_match match = MATCH_NONE;
    unsigned searches = 0;
    for (; searches < 3000 && match != MATCH_FAILED; searches++)
        steps_of("(a+)+$", SLICE_LITERAL("aaaaaaaaaaaaaab"), &budget, &match);
    CU_ASSERT(allowed <= 2500000 && budget.steps_left == 0);
    EXPECT(match == MATCH_FAILED && searches < 100, "%u searches", searches);
    steps_of("b", SLICE_LITERAL("b"), &budget, &match); /* spent is spent */
    EXPECT_INTEGER(match, MATCH_FAILED);
}

/* No text without a cost: however little is looked at. */
TEST(searches_that_try_nothing_cost_something)
{
    enum pattern_match match;
    struct pattern_budget budget = pattern_allow(0);
    char *text = calloc(1, BYTES);
    uint64_t tiny = steps_of("bluebird", SLICE_LITERAL("a"), &budget, &match);
    uint64_t large = steps_of("bluebird", (struct slice){text, BYTES}, &budget, &match);
    EXPECT(tiny >= 4 && tiny < 100, "%llu", (unsigned long long)tiny);
    EXPECT(large >= BYTES / 64 && large < BYTES / 8, "%llu", (unsigned long long)large);
    uint64_t match_steps = steps_of("a", SLICE_LITERAL("a"), &budget, &match); /* is handled by its finder */
    EXPECT(match == MATCH_FOUND && match_steps >= 48, "%llu", (unsigned long long)match_steps);
    free(text);
}

/* What rules really look for, all of it at once, in a long prompt: none of it is near the bound. */
TEST(innocent_patterns_fit_in_large_bodies)
{
    static const char *const expressions[] = {
        "project bluebird",
        "(?i)project bluebird",
        "[A-Z]{3}-\\d{5}",
        "\\b\\d{3}-\\d{2}-\\d{4}\\b",
        "(?i)(secret|confidential|internal only)",
        "\\w+@mycorp\\.com",
        "[\\w.+-]+@mycorp\\.com",
        "\\bPRJ-\\d+\\b",
        "(?i)\\b(password|passwd)\\s*[:=]\\s*\\S+",
        "(?s).*secret.*",
        "(?i)customer\\s+number\\s*\\d{6,}",
        "[0-9a-f]{40}",
        "[\\x{4e00}-\\x{9fff}]{12}",
        "^\\s*CONFIDENTIAL",
    };
    static const char prompt[] = "The quick brown fox, id 4711, jumps over 13 lazy dogs at host.example.org; user = "
                                 "bob@corp.example {\"k\": \"v_1\"} ABC-12 ";
    enum { LARGE = 1 << 20, SMALL = 1 << 10 };
    char *text = malloc(LARGE);
    for (size_t at = 0; at < LARGE; at++)
        text[at] = prompt[at % (sizeof prompt - 1)];
    for (size_t bytes = SMALL; bytes <= LARGE; bytes *= LARGE / SMALL) {
        struct pattern_budget budget = pattern_allow(bytes);
        for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
            enum pattern_match match;
            uint64_t steps = steps_of(expressions[i], (struct slice){text, bytes}, &budget, &match);
            EXPECT(match == MATCH_NONE, "%s in %zu bytes: %llu steps", expressions[i], bytes,
                   (unsigned long long)steps);
        }
        EXPECT(budget.steps_left > bytes * 4, "%llu", (unsigned long long)budget.steps_left);
    }
    free(text);
}

/* Found by tests/fuzz/fuzz_pattern.c: PCRE2 10.42 says offset 16 of 15 bytes. */
TEST(a_problem_lies_in_the_expression)
{
    static const char *const expressions[] = {"(*LIMIT_MATCH=1", "(*", "(", "[", "a{1,2"};
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        char problem[128];
        size_t offset = 0;
        struct pattern *pattern = pattern_new(expressions[i], problem, sizeof problem, &offset);
        EXPECT(offset <= strlen(expressions[i]), "%s: offset %zu", expressions[i], offset);
        pattern_free(pattern);
    }
}
