/* SPDX-License-Identifier: Apache-2.0 */
/* base/histogram and evidence/exposition: steps and sums; what labels may hold; a buffer that is full. */
#include "suite.h"

#include "evidence/exposition.h"

static struct histogram observed;

TEST(histogram_counts_by_steps)
{
    struct histogram_sum sum = {.sum_ns = 0};
    const int64_t took[] = {-5, 0, 10000, 10001, 25000, 999999, 10000000000, 10000000001};
    for (size_t i = 0; i < sizeof took / sizeof *took; i++)
        histogram_observe(&observed, took[i]);
    histogram_add(&observed, &sum);
    CU_ASSERT_EQUAL(sum.counts[0], 3); /* below 0 counts as 0; a bound is in its step */
    CU_ASSERT_EQUAL(sum.counts[1], 2);
    CU_ASSERT_EQUAL(sum.counts[6], 1);
    CU_ASSERT_EQUAL(sum.counts[HISTOGRAM_BOUNDS - 1], 1);
    CU_ASSERT_EQUAL(sum.counts[HISTOGRAM_BOUNDS], 1);
    CU_ASSERT_EQUAL(sum.sum_ns, 20001045001);
    histogram_add(&observed, &sum); /* another worker's */
    CU_ASSERT_EQUAL(sum.counts[0], 6);
}

TEST(bounds_ascend_and_are_what_they_say)
{
    for (unsigned step = 0; step < HISTOGRAM_BOUNDS; step++) {
        EXPECT((uint64_t)(strtod(histogram_bound_text(step), NULL) * 1e9 + 0.5) == histogram_bound_ns(step), "%u",
               step);
        EXPECT(step == 0 || histogram_bound_ns(step) > histogram_bound_ns(step - 1), "%u", step);
    }
}

static const char *write_labelled(const char *value)
{
    static char text[1024];
    struct buffer out;
    buffer_init(&out, 4096);
    struct exposition exposition = {.out = &out};
    const struct label label = {"model", value};
    exposition_begin(&exposition, "x", "gauge", "help");
    exposition_integer(&exposition, &label, 1, 7);
    struct slice written = buffer_contents(&out);
    CU_ASSERT_FALSE_FATAL(exposition.is_full || written.length >= sizeof text);
    memcpy(text, written.data, written.length);
    text[written.length] = '\0';
    buffer_done(&out);
    return text + strlen("# HELP x help\n# TYPE x gauge\n");
}

TEST(labels_hold_anything)
{
    static const struct {
        const char *value, *text;
    } rows[] = {
        {"gpt-5", "x{model=\"gpt-5\"} 7\n"},
        {NULL, "x{model=\"\"} 7\n"},
        {"a\"b\\c\nd", "x{model=\"a\\\"b\\\\c\\nd\"} 7\n"},
        {"\x01\x7f", "x{model=\"??\"} 7\n"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "x{model=\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"} 7\n"},
        {"\xc3", "x{model=\"?\"} 7\n"},                          /* cut */
        {"\xff\xc0\xaf\xed\xa0\x80", "x{model=\"??????\"} 7\n"}, /* none, overlong, half a pair */
        {"} 1\nevil_total 5", "x{model=\"} 1\\nevil_total 5\"} 7\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        EXPECT_STRING(write_labelled(rows[i].value), rows[i].text);
}

TEST(long_labels_are_cut_between_characters)
{
    char value[400];
    for (size_t i = 0; i + 2 < sizeof value; i += 2)
        memcpy(value + i, "\xc3\xa9", 3);
    value[0] = 'a'; /* the cut would fall into a character: its first byte becomes a '?' */
    memmove(value + 1, value + 2, sizeof value - 2);
    const char *text = write_labelled(value);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "?\"} 7\n"));
    CU_ASSERT_EQUAL(strlen(text), strlen("x{model=\"") + 128 + strlen("\"} 7\n"));
}

TEST(money_is_exact_and_a_full_buffer_says_so)
{
    struct buffer out;
    buffer_init(&out, 64);
    struct exposition exposition = {.out = &out};
    exposition_begin(&exposition, "y_total", "counter", "h");
    exposition_money(&exposition, NULL, 0, (struct money){1});
    CU_ASSERT_FALSE(exposition.is_full);
    CU_ASSERT(slice_has_suffix(buffer_contents(&out), "\ny_total 0.000000001\n"));
    exposition_seconds(&exposition, NULL, 0, 1500000000);
    CU_ASSERT_TRUE(exposition.is_full);
    buffer_done(&out);
}
