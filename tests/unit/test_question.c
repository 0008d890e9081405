/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about more groups than rows: what is left out is one row more, and the rows come to the total. */
#include "evidence/evidence.h"
#include "tests/unit/suite.h"

#include "base/clock.h"
#include "base/json.h"

#include <unistd.h>

static void append(struct journal *journal, unsigned number)
{
    char time[CLOCK_TEXT_MAX], document[512];
    struct id id = {{0}};
    id.bytes[13] = (uint8_t)(number >> 8);
    id.bytes[14] = (uint8_t)number;
    snprintf(document, sizeof document,
             "{\"id\":\"x\",\"time\":\"%s\",\"group\":\"group-%u\",\"outcome\":\"answered\",\"status\":200,\"charge\":"
             "\"0.00%04u\"}",
             clock_format(clock_wall_ns(), time), number, number);
    journal_append_event(journal, id, slice_of(document));
}

/* The sum of rows[].now.calls, and how many rows are the rest's. */
static int64_t add_rows(struct slice answer, unsigned *ret_rows, unsigned *ret_rests)
{
    struct json_value rows, row, calls, rest;
    const struct json_query of_answer[] = {{"rows", &rows}};
    const struct json_query of_row[] = {{"now.calls", &calls}, {"rest", &rest}};
    int64_t sum = 0, number;
    *ret_rows = *ret_rests = 0;
    CU_ASSERT_EQUAL_FATAL(json_scan(answer, 16, of_answer, 1, NULL), ERROR_OK);
    for (size_t at = 0; json_next_element(rows.raw, &at, &row); ++*ret_rows) {
        CU_ASSERT_EQUAL_FATAL(json_scan(row.raw, 16, of_row, 2, NULL), ERROR_OK);
        *ret_rests += rest.kind == JSON_KIND_TRUE;
        sum += json_get_integer(&calls, &number) ? number : 0;
    }
    return sum;
}

static void expect_sums(struct journal *journal, unsigned calls, unsigned wanted_rows, unsigned wanted_rests)
{
    struct arena *arena = arena_new(1 << 20);
    struct buffer out;
    struct period period;
    const char *why;
    unsigned rows, rests;
    buffer_init(&out, 4 << 20);
    journal_flush(journal);
    CU_ASSERT_TRUE_FATAL(
        period_parse("24h", zone_load(arena, "UTC"), "UTC", clock_wall_ns() / 1000000000, &period, &why));
    json_write_raw(&out, "{");
    CU_ASSERT_EQUAL(question_write(journal, question_find("volume"), &period, arena, &out), ERROR_OK);
    json_write_raw(&out, "}");
    EXPECT_INTEGER(add_rows(buffer_contents(&out), &rows, &rests), calls);
    EXPECT_INTEGER(rows, wanted_rows);
    EXPECT_INTEGER(rests, wanted_rests);
    buffer_done(&out);
    arena_free(arena);
}

TEST(rows_come_to_the_total)
{
    char root[] = "/tmp/tollgate-question-XXXXXX", aux[64], command[96];
    struct journal *journal = NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
    snprintf(aux, sizeof aux, "%s/aux", root);
    CU_ASSERT_EQUAL_FATAL(journal_open(aux, &journal), ERROR_OK);
    for (unsigned i = 1; i <= 200; i++)
        append(journal, i);
    expect_sums(journal, 200, 200, 0);
    for (unsigned i = 201; i <= 250; i++)
        append(journal, i);
    expect_sums(journal, 250, 201, 1);
    journal_close(journal);
    snprintf(command, sizeof command, "rm -r %s", root);
    CU_ASSERT_EQUAL(system(command), 0);
}
