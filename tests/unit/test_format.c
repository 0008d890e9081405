/* SPDX-License-Identifier: Apache-2.0 */
/* Texts without printf: the same as with it, or none. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/format.h"
#include "base/money.h"
#include "tests/unit/suite.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>

__attribute__((format(printf, 2, 3))) static bool is_same(bool is_ours, const char *format, ...)
{
    char ours[128], theirs[128];
    bool is_right = true;
    va_list arguments, again;
    for (size_t room = 0; room <= sizeof ours; room++) {
        memset(ours, '#', sizeof ours);
        va_start(arguments, format);
        va_copy(again, arguments);
        int wanted = vsnprintf(theirs, sizeof theirs, format, arguments);
        int got = format_simple(ours, room, format, again);
        va_end(again);
        va_end(arguments);
        bool fits = is_ours && (size_t)wanted < room;
        is_right &= fits ? got == wanted && !strcmp(ours, theirs) : got == -1;
        for (size_t i = room; i < sizeof ours; i++)
            is_right &= ours[i] == '#';
    }
    return is_right;
}

TEST(format_is_printf_for_what_it_knows)
{
    CU_ASSERT(is_same(true, "%s", ""));
    CU_ASSERT(is_same(true, "plain"));
    CU_ASSERT(is_same(true, "pid %d uid %u, group %s by %s%s", 4711, 0u, "bench", "key", ""));
    CU_ASSERT(is_same(true, "%d%d %d", INT_MIN, INT_MAX, 0));
    CU_ASSERT(is_same(true, "%lld %lld %llu", LLONG_MIN, LLONG_MAX, ULLONG_MAX));
    CU_ASSERT(is_same(true, "%zu%%, 100 %%", SIZE_MAX));
    CU_ASSERT(is_same(true, "%u,%u", UINT_MAX, 1u));
}

TEST(format_leaves_the_rest_to_printf)
{
    CU_ASSERT(is_same(false, "%5d", 1));
    CU_ASSERT(is_same(false, "%.*s", 2, "abc"));
    CU_ASSERT(is_same(false, "a %x", 255u));
    CU_ASSERT(is_same(false, "%ld", 1L));
    CU_ASSERT(is_same(false, "%zd", (ssize_t)-1));
    CU_ASSERT(is_same(false, "%llx", 1ull));
}

TEST(format_in_an_arena_goes_on_where_the_block_ends)
{
    char wanted[600];
    struct arena *arena = arena_new(256);
    unsigned wrong = 0;
    for (unsigned i = 0; i < 600; i++) {
        memset(wanted, 'x', i);
        wanted[i] = '\0';
        wrong += strcmp(arena_printf(arena, "%s", wanted), wanted) != 0;
        wrong += strcmp(arena_printf(arena, "%.*s", (int)i, wanted), wanted) != 0;
        const char *zero = arena_alloc(arena, 40);
        for (int j = 0; j < 40; j++)
            wrong += zero[j] != 0;
    }
    EXPECT_INTEGER(wrong, 0);
    arena_free(arena);
}

TEST(clock_format_is_strftime)
{
    unsigned wrong = 0;
    for (int64_t s = 0; s < 4102444800; s += 86399 * 3 + 1) {
        char text[CLOCK_TEXT_MAX], wanted[CLOCK_TEXT_MAX];
        time_t seconds = (time_t)s;
        struct tm calendar;
        gmtime_r(&seconds, &calendar);
        size_t length = strftime(wanted, sizeof wanted, "%Y-%m-%dT%H:%M:%S", &calendar);
        snprintf(wanted + length, sizeof wanted - length, ".%03dZ", (int)(s % 1000));
        wrong += strcmp(clock_format(s * 1000000000 + s % 1000 * 1000000 + 999999, text), wanted) != 0;
    }
    EXPECT_INTEGER(wrong, 0);
}

TEST(amounts_are_written_without_needless_zeros)
{
    static const struct {
        int64_t nano;
        const char *wanted;
    } rows[] = {{0, "0"},
                {1, "0.000000001"},
                {-1, "-0.000000001"},
                {367800, "0.0003678"},
                {1000000000, "1"},
                {-1500000000, "-1.5"},
                {1000000000000, "1000"},
                {1020000000, "1.02"},
                {INT64_MAX, "9223372036.854775807"},
                {INT64_MIN, "-9223372036.854775808"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[MONEY_TEXT_MAX];
        EXPECT(!strcmp(money_format((struct money){rows[i].nano}, text), rows[i].wanted), "%s, wanted %s", text,
               rows[i].wanted);
    }
}
