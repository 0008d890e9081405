/* SPDX-License-Identifier: Apache-2.0 */
/* See zone_rule.h: a reader with one function per part of the grammar, and the offset at an instant by the rule. */
#include "base/zone_rule.h"

#include "base/zone.h"

#include <ctype.h>

enum { DAY_S = 86400, HOURS_MAX = 167, STANDARD_HOURS_MAX = 24 };

struct reader {
    struct slice rest;
    bool is_broken;
};

static bool take(struct reader *reader, char c)
{
    if (reader->rest.length == 0 || *reader->rest.data != c)
        return false;
    reader->rest = slice_from(reader->rest, 1);
    return true;
}

static void want(struct reader *reader, char c)
{
    reader->is_broken |= !take(reader, c);
}

static int take_number(struct reader *reader, int min, int max)
{
    int number = 0;
    size_t digits = 0;
    while (digits < 4 && digits < reader->rest.length && isdigit((unsigned char)reader->rest.data[digits]))
        number = number * 10 + (reader->rest.data[digits++] - '0');
    reader->rest = slice_from(reader->rest, digits);
    if (digits > 0 && number >= min && number <= max)
        return number;
    reader->is_broken = true;
    return min;
}

/* hh[:mm[:ss]], with a sign */
static int32_t take_time(struct reader *reader, int hours_max)
{
    bool is_negative = take(reader, '-');
    if (!is_negative)
        take(reader, '+');
    int32_t seconds = take_number(reader, 0, hours_max) * 3600;
    if (take(reader, ':')) {
        seconds += take_number(reader, 0, 59) * 60;
        if (take(reader, ':'))
            seconds += take_number(reader, 0, 59);
    }
    return is_negative ? -seconds : seconds;
}

/* CET, or <+0545> */
static void skip_name(struct reader *reader)
{
    bool is_quoted = take(reader, '<');
    size_t length = 0;
    while (length < reader->rest.length &&
           (isalpha((unsigned char)reader->rest.data[length]) ||
            (is_quoted && (isdigit((unsigned char)reader->rest.data[length]) || reader->rest.data[length] == '+' ||
                           reader->rest.data[length] == '-'))))
        length++;
    reader->is_broken |= length < 3;
    reader->rest = slice_from(reader->rest, length);
    if (is_quoted)
        want(reader, '>');
}

static struct zone_date take_date(struct reader *reader)
{
    struct zone_date date = {.form = ZONE_DATE_DAY, .seconds_of_local = 7200};
    want(reader, ',');
    if (take(reader, 'M')) {
        date.form = ZONE_DATE_WEEKDAY;
        date.month = (unsigned)take_number(reader, 1, 12);
        want(reader, '.');
        date.week = (unsigned)take_number(reader, 1, 5);
        want(reader, '.');
        date.day = take_number(reader, 0, 6);
    } else if (take(reader, 'J')) {
        date.form = ZONE_DATE_JULIAN;
        date.day = take_number(reader, 1, 365);
    } else {
        date.day = take_number(reader, 0, 365);
    }
    if (take(reader, '/'))
        date.seconds_of_local = take_time(reader, HOURS_MAX);
    return date;
}

/* POSIX counts west of Greenwich as positive. */
bool zone_rule_parse(struct slice text, struct zone_rule *ret_rule)
{
    struct reader reader = {.rest = text};
    struct zone_rule rule = {0};
    skip_name(&reader);
    rule.standard_offset = -take_time(&reader, STANDARD_HOURS_MAX);
    rule.has_summer = reader.rest.length > 0;
    if (rule.has_summer) {
        skip_name(&reader);
        bool is_default = reader.rest.length == 0 || *reader.rest.data == ',';
        rule.summer_offset = is_default ? rule.standard_offset + 3600 : -take_time(&reader, STANDARD_HOURS_MAX);
        rule.summer_begins = take_date(&reader);
        rule.summer_ends = take_date(&reader);
    }
    if (reader.is_broken || reader.rest.length > 0)
        return false;
    *ret_rule = rule;
    return true;
}

static bool is_leap_year(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days since 1970-01-01. */
static int64_t day_of(const struct zone_date *date, int64_t year)
{
    int64_t new_year = zone_days_from_civil(year, 1, 1);
    if (date->form == ZONE_DATE_DAY)
        return new_year + date->day;
    if (date->form == ZONE_DATE_JULIAN)
        return new_year + date->day - 1 + (is_leap_year(year) && date->day >= 60);
    int64_t first = zone_days_from_civil(year, date->month, 1);
    int64_t next =
        date->month == 12 ? zone_days_from_civil(year + 1, 1, 1) : zone_days_from_civil(year, date->month + 1, 1);
    int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
    int64_t day = first + (date->day - weekday + 7) % 7 + (int64_t)(date->week - 1) * 7;
    return day < next ? day : day - 7;
}

struct change {
    int64_t at;
    int32_t offset; /* from then on */
};

/* The changes of the years around: one that its hours move into a neighbouring year is found, too. Where both happen at
 * once (summer time all year: RFC 9636 section 3.3.1) summer wins, so it comes second. */
int32_t zone_rule_offset(const struct zone_rule *rule, int64_t utc_s, int64_t *ret_until)
{
    int64_t year, latest = INT64_MIN, until = INT64_MAX;
    unsigned month, day;
    int32_t offset = rule->standard_offset;
    int64_t local_s = utc_s + rule->standard_offset;
    zone_civil_from_days((local_s - (local_s % DAY_S + DAY_S) % DAY_S) / DAY_S, &year, &month, &day);
    for (int64_t y = year - 1; rule->has_summer && y <= year + 1; y++) {
        const struct change changes[] = {
            {day_of(&rule->summer_ends, y) * DAY_S + rule->summer_ends.seconds_of_local - rule->summer_offset,
             rule->standard_offset},
            {day_of(&rule->summer_begins, y) * DAY_S + rule->summer_begins.seconds_of_local - rule->standard_offset,
             rule->summer_offset},
        };
        for (size_t i = 0; i < 2; i++) {
            if (changes[i].at > utc_s && changes[i].at < until)
                until = changes[i].at;
            if (changes[i].at > utc_s || changes[i].at < latest)
                continue;
            if (changes[i].at == latest && changes[i].offset == rule->standard_offset)
                continue;
            latest = changes[i].at;
            offset = changes[i].offset;
        }
    }
    *ret_until = until;
    return offset;
}
