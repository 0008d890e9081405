/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Periods as people write them: which instants they begin and end at, days that are short or long, the period before,
 * and what is refused. Without a time zone database most of it is skipped, and says so.
 */
#include "evidence/evidence.h"
#include "tests/unit/suite.h"

#include <unistd.h>

static struct arena *arena;
static const int64_t now_s = 1795957620; /* Sunday, 29 November 2026, 13:07 UTC */

static void free_arena(void)
{
    arena_free(arena);
}

static const struct zone *load(const char *name)
{
    if (!arena) {
        arena = arena_new(1 << 20);
        atexit(free_arena);
    }
    return zone_load(arena, name);
}

static bool has_database(void)
{
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) == 0)
        return true;
    fprintf(stderr, "skipped: this machine has no time zone database ");
    return false;
}

static bool parse(const char *zone_name, const char *text, struct period *ret_period)
{
    const char *why = NULL;
    bool is_one = period_parse(text, load(zone_name), zone_name, now_s, ret_period, &why);
    EXPECT(is_one || why, "%s: refused without a word", text);
    return is_one;
}

static void expect_span(const char *what, const struct period *period, const char *since, const char *until)
{
    char text[PERIOD_TEXT_MAX];
    EXPECT(!strcmp(period_format(period->zone, period->since_s, text), since), "%s begins at %s, not %s", what, text,
           since);
    EXPECT(!strcmp(period_format(period->zone, period->until_s, text), until), "%s ends at %s, not %s", what, text,
           until);
}

static const char berlin[] = "Europe/Berlin", kathmandu[] = "Asia/Kathmandu", sao_paulo[] = "America/Sao_Paulo";

TEST(periods_are_local)
{
    static const struct {
        const char *zone, *text, *since, *until;
        unsigned quarters;
    } rows[] = {
        {berlin, "today", "2026-11-29T00:00:00+01:00", "2026-11-30T00:00:00+01:00", 96},
        {berlin, "yesterday", "2026-11-28T00:00:00+01:00", "2026-11-29T00:00:00+01:00", 96},
        {berlin, "this-week", "2026-11-23T00:00:00+01:00", "2026-11-30T00:00:00+01:00", 672},
        {berlin, "last-week", "2026-11-16T00:00:00+01:00", "2026-11-23T00:00:00+01:00", 672},
        {berlin, "this-month", "2026-11-01T00:00:00+01:00", "2026-12-01T00:00:00+01:00", 2880},
        {berlin, "last-month", "2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00", 2980},
        {berlin, "24h", "2026-11-28T14:15:00+01:00", "2026-11-29T14:15:00+01:00", 96},
        {berlin, "7d", "2026-11-23T00:00:00+01:00", "2026-11-30T00:00:00+01:00", 672},
        {berlin, "40d", "2026-10-21T00:00:00+02:00", "2026-11-30T00:00:00+01:00", 3844},
        {berlin, "2026-03-29", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00", 92},
        {berlin, "2026-10-25", "2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00", 100},
        {berlin, "2026-03-29T02:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:15:00+02:00", 1},
        {berlin, "2026-10-25T02:15", "2026-10-25T02:15:00+02:00", "2026-10-25T02:30:00+02:00", 1},
        {berlin, "2026-10-25T00:00..2026-10-25T04:00", "2026-10-25T00:00:00+02:00", "2026-10-25T04:00:00+01:00", 20},
        {berlin, "2026-02", "2026-02-01T00:00:00+01:00", "2026-03-01T00:00:00+01:00", 2688},
        {berlin, "2028-02", "2028-02-01T00:00:00+01:00", "2028-03-01T00:00:00+01:00", 2784},
        {berlin, "2028-02-29", "2028-02-29T00:00:00+01:00", "2028-03-01T00:00:00+01:00", 96},
        {berlin, "2026-12", "2026-12-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00", 2976},
        {berlin, "2026-12-31", "2026-12-31T00:00:00+01:00", "2027-01-01T00:00:00+01:00", 96},
        {berlin, "2026-10..2026-11-15", "2026-10-01T00:00:00+02:00", "2026-11-15T00:00:00+01:00", 4324},
        {kathmandu, "today", "2026-11-29T00:00:00+05:45", "2026-11-30T00:00:00+05:45", 96},
        {kathmandu, "24h", "2026-11-28T19:00:00+05:45", "2026-11-29T19:00:00+05:45", 96},
        {kathmandu, "2026-11", "2026-11-01T00:00:00+05:45", "2026-12-01T00:00:00+05:45", 2880},
        {sao_paulo, "2018-11-04", "2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00", 92},
        {sao_paulo, "2018-02-17", "2018-02-17T00:00:00-02:00", "2018-02-18T00:00:00-03:00", 100},
        {sao_paulo, "2018-11", "2018-11-01T00:00:00-03:00", "2018-12-01T00:00:00-02:00", 2876},
    };
    for (size_t i = 0; has_database() && i < sizeof rows / sizeof *rows; i++) {
        struct period period;
        if (!load(rows[i].zone))
            continue;
        EXPECT(parse(rows[i].zone, rows[i].text, &period), "%s is refused", rows[i].text);
        expect_span(rows[i].text, &period, rows[i].since, rows[i].until);
        EXPECT(period.until_s - period.since_s == (int64_t)rows[i].quarters * JOURNAL_SLOT_S, "%s in %s: %lld s",
               rows[i].text, rows[i].zone, (long long)(period.until_s - period.since_s));
    }
}

TEST(the_period_before_is_of_the_same_kind)
{
    static const struct {
        const char *zone, *text, *since;
    } rows[] = {
        {berlin, "2026-03", "2026-02-01T00:00:00+01:00"},
        {berlin, "2026-01", "2025-12-01T00:00:00+01:00"},
        {berlin, "this-month", "2026-10-01T00:00:00+02:00"},
        {berlin, "this-week", "2026-11-16T00:00:00+01:00"},
        {berlin, "2026-03-30", "2026-03-29T00:00:00+01:00"},
        {berlin, "2026-10-26", "2026-10-25T00:00:00+02:00"},
        {berlin, "2026-11-01..2026-11-15", "2026-10-18T00:00:00+02:00"},
        {berlin, "24h", "2026-11-27T14:15:00+01:00"},
        {berlin, "2026-10-25T00:00..2026-10-25T04:00", "2026-10-24T19:00:00+02:00"},
        {kathmandu, "2026-03", "2026-02-01T00:00:00+05:45"},
        {sao_paulo, "2018-11-05", "2018-11-04T01:00:00-02:00"},
        {sao_paulo, "2018-11-04", "2018-11-03T00:00:00-03:00"},
        {sao_paulo, "2018-12", "2018-11-01T00:00:00-03:00"},
    };
    for (size_t i = 0; has_database() && i < sizeof rows / sizeof *rows; i++) {
        struct period period;
        char until[PERIOD_TEXT_MAX];
        if (!load(rows[i].zone))
            continue;
        EXPECT(parse(rows[i].zone, rows[i].text, &period), "%s is refused", rows[i].text);
        struct period before = period_before(&period);
        expect_span(rows[i].text, &before, rows[i].since, period_format(period.zone, period.since_s, until));
    }
}

TEST(what_is_no_period_is_refused)
{
    static const char *const rows[] = {
        "",
        "Today",
        "tomorrow",
        "2026",
        "2026- 1",
        "2026-+1",
        "2026--1",
        "+026-11",
        " 026-11",
        "2026-1 ",
        "2026/11",
        "2026-00",
        "2026-13",
        "1969-12",
        "2026-11-1",
        "2026-11- 1",
        "2026-11-+1",
        "2026-11-00",
        "2026-02-29",
        "2026-04-31",
        "2026-11-01 10:00",
        "2026-11-01T24:00",
        "2026-11-01T10:60",
        "2026-11-01T10:07",
        "2026-11-01T 9:00",
        "2026-11-01T10:00:00",
        "2026-11..",
        "..2026-11",
        "2026-11-01..2026-11-01",
        "2026-11-02..2026-11-01",
        "2026-11-01..2026-11-15..2026-11-20",
        "0h",
        "0d",
        "-1d",
        "+1d",
        " 1d",
        "1w",
        "7d ",
        "36501d",
        "99999999999999999999d",
    };
    struct period period;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        EXPECT(!parse("UTC", rows[i], &period), "\"%s\" was taken", rows[i]);
}

TEST(steps_follow_each_other_without_gaps)
{
    static const struct {
        enum period_step step;
        unsigned count;
    } rows[] = {{STEP_DAY, 365}, {STEP_WEEK, 53}, {STEP_MONTH, 12}, {STEP_HOUR, 8760}, {STEP_QUARTER, 35040}};
    struct period year;
    if (!has_database() || !load(sao_paulo))
        return;
    EXPECT(parse(sao_paulo, "2018-01..2019-01", &year), "the year is refused");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned count = 0;
        int64_t at = period_step_start(year.zone, rows[i].step, year.since_s), next;
        EXPECT(at <= year.since_s, "step %d begins late", (int)rows[i].step);
        for (; at < year.until_s; at = next, count++) {
            next = period_step_next(year.zone, rows[i].step, at);
            if (next <= at || period_step_start(year.zone, rows[i].step, next - 1) != at) {
                EXPECT(false, "step %d from %lld to %lld", (int)rows[i].step, (long long)at, (long long)next);
                break;
            }
        }
        EXPECT_INTEGER(count, rows[i].count);
    }
}
