/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CUnit suites found by name, never registered by hand: TEST(money_parse_bounds) { … } puts a row into the linker
 * section `test_row_list`, and the main below runs every row of that section. Include it once, in exactly one .c file
 * per program (tests/unit/test_NAME.c). The suite is named after the file, the tests after their functions.
 *
 *   build/unit/test_money            all tests; exits 1 when an assertion failed
 *   build/unit/test_money parse      only the tests whose name contains "parse"
 */
#ifndef TESTS_UNIT_SUITE_H
#define TESTS_UNIT_SUITE_H

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_row {
    const char *name;
    int line; /* tests run in the file's order, basic ones first: the linker's order is another */
    void (*run)(void);
};

/* gcc puts no ASan red zones around objects of a named section, so the rows lie next to each other in every build. */
#define TEST(test_name)                                                                                                \
    static void test_name(void);                                                                                       \
    static const struct test_row test_row_##test_name                                                                  \
        __attribute__((section("test_row_list"), used, aligned(sizeof(void *)))) = {#test_name, __LINE__, test_name};  \
    static void test_name(void)

/* The assertions that tables of cases want: they say which row failed, and go on. */
#define EXPECT(condition, ...)                                                                                         \
    do {                                                                                                               \
        int expect_ok = (condition) ? 1 : 0;                                                                           \
        if (!expect_ok) {                                                                                              \
            fprintf(stderr, "\n    %s:%d: expected %s: ", __FILE__, __LINE__, #condition);                             \
            fprintf(stderr, __VA_ARGS__);                                                                              \
        }                                                                                                              \
        CU_assertImplementation(expect_ok, __LINE__, #condition, __FILE__, "", CU_FALSE);                              \
    } while (0)
#define EXPECT_STRING(actual, wanted)                                                                                  \
    do {                                                                                                               \
        const char *expect_actual = (actual), *expect_wanted = (wanted);                                               \
        EXPECT(expect_actual &&strcmp(expect_actual, expect_wanted) == 0, "got \"%s\", wanted \"%s\"",                 \
               expect_actual ? expect_actual : "(null)", expect_wanted);                                               \
    } while (0)
#define EXPECT_INTEGER(actual, wanted)                                                                                 \
    do {                                                                                                               \
        long long expect_actual = (long long)(actual), expect_wanted = (long long)(wanted);                            \
        EXPECT(expect_actual == expect_wanted, "got %lld, wanted %lld", expect_actual, expect_wanted);                 \
    } while (0)

extern const struct test_row __start_test_row_list[], __stop_test_row_list[];

/* "…/test_money.c" -> "money" */
static inline void suite_name(const char *file, char *name, size_t bytes_max)
{
    const char *base = strrchr(file, '/');
    base = base ? base + 1 : file;
    if (strncmp(base, "test_", 5) == 0)
        base += 5;
    snprintf(name, bytes_max, "%.*s", (int)strcspn(base, "."), base);
}

/* The row that follows in the file; NULL after the last. */
static inline const struct test_row *suite_next(const struct test_row *after)
{
    const struct test_row *next = NULL;
    for (const struct test_row *row = __start_test_row_list; row < __stop_test_row_list; row++)
        if (row->line > (after ? after->line : 0) && (!next || row->line < next->line))
            next = row;
    return next;
}

static inline int suite_run(const char *file, const char *filter)
{
    char name[64];
    suite_name(file, name, sizeof name);
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 2;
    CU_pSuite suite = CU_add_suite(name, NULL, NULL);
    unsigned tests = 0;
    for (const struct test_row *row = suite_next(NULL); suite && row; row = suite_next(row)) {
        if (!strstr(row->name, filter))
            continue;
        tests++;
        if (!CU_add_test(suite, row->name, row->run))
            suite = NULL;
    }
    if (!suite || tests == 0) {
        fprintf(stderr, "%s: no test to run\n", name);
        CU_cleanup_registry();
        return 2;
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_ErrorCode error = CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures() + CU_get_number_of_suites_failed();
    CU_cleanup_registry();
    fflush(NULL);
    return error != CUE_SUCCESS || failures > 0;
}

int main(int argc, char **argv)
{
    return suite_run(__BASE_FILE__, argc > 1 ? argv[1] : "");
}

#endif
