/* SPDX-License-Identifier: Apache-2.0 */
/* Spans of time as people write them, in their time zone. */
#include "evidence/evidence.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

#define LAST_S INT64_C(9214646400) /* 2262-01-01 */
enum { DAY_S = 86400, HOUR_S = 3600, YEAR_MIN = 1970, YEAR_MAX = 2261 /* nanoseconds fit in 64 bits */ };

static int64_t floor_to(int64_t value, int64_t unit)
{
    int64_t rest = value % unit;
    return value - (rest < 0 ? rest + unit : rest);
}

static int64_t local_day(const struct zone *zone, int64_t at_s)
{
    return floor_to(at_s + zone_offset_at(zone, at_s), DAY_S) / DAY_S;
}

/* 1970-01-01 was a Thursday, day 3 of a week that begins on Monday. */
static int64_t first_of_week(int64_t day)
{
    return floor_to(day + 3, 7) - 3;
}

/* The first of the month of `day`, so many months on. */
static int64_t first_of_month(int64_t day, int months)
{
    int64_t year;
    unsigned month, ignored;
    zone_civil_from_days(day, &year, &month, &ignored);
    int64_t whole = year * 12 + (int64_t)month - 1 + months;
    return zone_days_from_civil(whole / 12, (unsigned)(whole % 12) + 1, 1);
}

static int64_t midnight(const struct zone *zone, int64_t day)
{
    return zone_instant_of(zone, day * DAY_S);
}

int64_t period_step_start(const struct zone *zone, enum period_step step, int64_t at_s)
{
    switch (step) {
    case STEP_ALL:
        return 0;
    case STEP_QUARTER:
        return floor_to(at_s, JOURNAL_SLOT_S);
    case STEP_HOUR:
        return at_s - (at_s + zone_offset_at(zone, at_s) - floor_to(at_s + zone_offset_at(zone, at_s), HOUR_S));
    case STEP_DAY:
        return midnight(zone, local_day(zone, at_s));
    case STEP_WEEK:
        return midnight(zone, first_of_week(local_day(zone, at_s)));
    case STEP_MONTH:
        return midnight(zone, first_of_month(local_day(zone, at_s), 0));
    }
    return at_s;
}

int64_t period_step_next(const struct zone *zone, enum period_step step, int64_t start_s)
{
    /* Half a day on, so that a midnight that does not exist (a zone that changes at 0:00) is of its day. */
    int64_t day = local_day(zone, start_s + DAY_S / 2);
    switch (step) {
    case STEP_ALL:
        return INT64_MAX;
    case STEP_QUARTER:
        return start_s + JOURNAL_SLOT_S;
    case STEP_HOUR:
        return start_s + HOUR_S;
    case STEP_DAY:
        return midnight(zone, day + 1);
    case STEP_WEEK:
        return midnight(zone, day + 7);
    case STEP_MONTH:
        return midnight(zone, first_of_month(day, 1));
    }
    return INT64_MAX;
}

bool period_parse_step(const char *text, enum period_step *ret_step)
{
    static const char *const names[] = {
        [STEP_ALL] = "all", [STEP_QUARTER] = "quarter", [STEP_HOUR] = "hour",
        [STEP_DAY] = "day", [STEP_WEEK] = "week",       [STEP_MONTH] = "month",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(text, names[i])) {
            *ret_step = (enum period_step)i;
            return true;
        }
    return false;
}

char *period_format(const struct zone *zone, int64_t at_s, char text[PERIOD_TEXT_MAX])
{
    int32_t offset = zone_offset_at(zone, at_s);
    int64_t local = at_s + offset, day = floor_to(local, DAY_S) / DAY_S, year;
    unsigned month, date, second = (unsigned)(local - day * DAY_S);
    unsigned away = (unsigned)(offset < 0 ? -offset : offset);
    zone_civil_from_days(day, &year, &month, &date);
    snprintf(text, PERIOD_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02u%c%02u:%02u", (unsigned)year % 10000, month, date,
             second / 3600, second / 60 % 60, second % 60, offset < 0 ? '-' : '+', away / 3600 % 100, away / 60 % 60);
    return text;
}

/* ---- names ---- */

struct days {
    int64_t since, until;
};

static struct days named_days(int64_t today, size_t name)
{
    int64_t week = first_of_week(today);
    const struct days rows[] = {
        {today, today + 1},
        {today - 1, today},
        {week, week + 7},
        {week - 7, week},
        {first_of_month(today, 0), first_of_month(today, 1)},
        {first_of_month(today, -1), first_of_month(today, 0)},
    };
    return rows[name];
}

static bool parse_name(const char *text, int64_t now_s, struct period *period)
{
    static const char *const names[] = {"today", "yesterday", "this-week", "last-week", "this-month", "last-month"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(text, names[i])) {
            struct days days = named_days(local_day(period->zone, now_s), i);
            period->since_s = midnight(period->zone, days.since);
            period->until_s = midnight(period->zone, days.until);
            return true;
        }
    if (strcmp(text, "all") != 0)
        return false;
    period->since_s = 0;
    period->until_s = LAST_S; /* not now: the clock may have been ahead */
    return true;
}

/* "24h", "7d": back from the end of the present slot; of days, from the end of this one. */
static bool parse_length(const char *text, int64_t now_s, struct period *period)
{
    enum { DAYS_MAX = 36500 };
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    unsigned long count = strtoul(text, &end, 10);
    if (count < 1 || count > DAYS_MAX || (strcmp(end, "h") != 0 && strcmp(end, "d") != 0))
        return false;
    int64_t day = local_day(period->zone, now_s) + 1;
    bool is_days = *end == 'd';
    period->until_s = is_days ? midnight(period->zone, day) : floor_to(now_s, JOURNAL_SLOT_S) + JOURNAL_SLOT_S;
    period->since_s =
        is_days ? midnight(period->zone, day - (int64_t)count) : period->until_s - (int64_t)count * HOUR_S;
    return true;
}

/* ---- dates ---- */

/* As `form` begins, with a digit for each 0. */
static bool has_form(const char *text, size_t length, const char *form)
{
    for (size_t i = 0; i < length; i++)
        if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    return true;
}

static unsigned digits(const char *text, size_t count)
{
    unsigned value = 0;
    for (size_t i = 0; i < count; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    return value;
}

/* "2026-11", "2026-11-01", "2026-11-01T10:15"; *ret_until: the end of the month, the day, the quarter. */
static bool parse_date(const char *text, size_t length, const struct zone *zone, int64_t *ret_since, int64_t *ret_until)
{
    bool is_month = length == 7, is_day = length == 10, is_time = length == 16;
    if ((!is_month && !is_day && !is_time) || !has_form(text, length, "0000-00-00T00:00"))
        return false;
    unsigned year = digits(text, 4), month = digits(text + 5, 2), day = is_month ? 1 : digits(text + 8, 2);
    unsigned hour = is_time ? digits(text + 11, 2) : 0, minute = is_time ? digits(text + 14, 2) : 0;
    if (year < YEAR_MIN || year > YEAR_MAX || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59)
        return false;
    int64_t first = zone_days_from_civil(year, month, day), next = first_of_month(first, 1);
    if (first_of_month(first, 0) != zone_days_from_civil(year, month, 1) || (is_time && minute % 15))
        return false; /* the 31st of a month of 30 days is of the next one */
    *ret_since = is_time ? zone_instant_of(zone, first * DAY_S + hour * HOUR_S + minute * 60) : midnight(zone, first);
    *ret_until = is_month ? midnight(zone, next) : is_day ? midnight(zone, first + 1) : *ret_since + JOURNAL_SLOT_S;
    return true;
}

static bool parse_dates(const char *text, struct period *period)
{
    const char *dots = strstr(text, "..");
    int64_t ignored;
    if (!dots)
        return parse_date(text, strlen(text), period->zone, &period->since_s, &period->until_s);
    return parse_date(text, (size_t)(dots - text), period->zone, &period->since_s, &ignored) &&
           parse_date(dots + 2, strlen(dots + 2), period->zone, &period->until_s, &ignored);
}

bool period_parse(const char *text, const struct zone *zone, const char *zone_name, int64_t now_s,
                  struct period *ret_period, const char **ret_why)
{
    *ret_period = (struct period){.zone = zone, .zone_name = zone_name};
    if (!parse_name(text, now_s, ret_period) && !parse_length(text, now_s, ret_period) &&
        !parse_dates(text, ret_period)) {
        *ret_why = "a period is today, yesterday, this-week, last-week, this-month, last-month, 24h, 7d, all, "
                   "2026-11, 2026-11-01, or two dates: 2026-11-01..2026-11-15 (the last day excluded)";
        return false;
    }
    if (ret_period->until_s <= ret_period->since_s) {
        *ret_why = "the period ends before it begins";
        return false;
    }
    return true;
}

void period_write(struct buffer *out, const char *name, const struct period *period)
{
    char text[PERIOD_TEXT_MAX];
    json_write_member(out, name);
    json_write_raw(out, "{");
    json_write_member_string(out, "since", period_format(period->zone, period->since_s, text));
    json_write_member_string(out, "until", period_format(period->zone, period->until_s, text));
    json_write_raw(out, "}");
}

/* A whole month, a run of whole days, anything else. */
struct period period_before(const struct period *period)
{
    struct period before = *period;
    int64_t since_day = local_day(period->zone, period->since_s), until_day = local_day(period->zone, period->until_s);
    before.until_s = period->since_s;
    bool is_days =
        midnight(period->zone, since_day) == period->since_s && midnight(period->zone, until_day) == period->until_s;
    if (is_days && first_of_month(since_day, 0) == since_day && first_of_month(since_day, 1) == until_day)
        before.since_s = midnight(period->zone, first_of_month(since_day, -1));
    else if (is_days)
        before.since_s = midnight(period->zone, since_day - (until_day - since_day));
    else
        before.since_s = period->since_s - (period->until_s - period->since_s);
    return before;
}
