/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The window of a budget at an instant: where its period began and ends in local time of its zone, or which buckets a
 * rolling one covers. Arithmetic only: the clock is the caller's.
 */
#include "base/zone.h"
#include "budget/budget.h"

enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400, BUCKETS_MAX = 60 };

static int64_t floor_to(int64_t value, int64_t unit)
{
    return value - (value % unit + unit) % unit;
}

/* Buckets are numbered in 32 bits: until the year 10136. */
static uint32_t minute_of(int64_t seconds)
{
    int64_t minutes = floor_to(seconds, MINUTE_S) / MINUTE_S;
    return minutes < 0 ? 0 : minutes > UINT32_MAX ? UINT32_MAX : (uint32_t)minutes;
}

/* Both take a local time and return the local beginning of the period that holds it, or of the one after that. */
static int64_t begin_of(enum budget_period period, int64_t local_s)
{
    int64_t year, day = floor_to(local_s, DAY_S) / DAY_S;
    unsigned month, day_of_month;
    switch (period) {
    case BUDGET_HOURLY:
        return floor_to(local_s, HOUR_S);
    case BUDGET_WEEKLY:
        return (floor_to(day + 3, 7) - 3) * DAY_S; /* 1970-01-01 was a Thursday */
    case BUDGET_MONTHLY:
        zone_civil_from_days(day, &year, &month, &day_of_month);
        return zone_days_from_civil(year, month, 1) * DAY_S;
    case BUDGET_DAILY:
    case BUDGET_ROLLING:
        break;
    }
    return day * DAY_S;
}

static int64_t begin_of_next(enum budget_period period, int64_t begin)
{
    static const int64_t lengths_s[] = {
        [BUDGET_HOURLY] = HOUR_S,
        [BUDGET_DAILY] = DAY_S,
        [BUDGET_WEEKLY] = INT64_C(7) * DAY_S,
        [BUDGET_MONTHLY] = INT64_C(31) * DAY_S,
        [BUDGET_ROLLING] = DAY_S,
    };
    return begin_of(period, begin + lengths_s[period]);
}

static struct money limit_of(const struct budget *budget, int64_t local_s)
{
    int64_t year;
    unsigned month, day;
    zone_civil_from_days(floor_to(local_s, DAY_S) / DAY_S, &year, &month, &day);
    bool is_seasonal = budget->period == BUDGET_MONTHLY && budget->has_month[month - 1];
    return is_seasonal ? budget->by_month[month - 1] : budget->amount;
}

/* A clock set back over a beginning (00:01 to 23:01 the day before) would name the period before again: what has begun
 * stays begun. No clock change is longer than a day, no period shorter than an hour: 24 turns at most. */
static void find_fixed(const struct budget *budget, int64_t now_s, struct budget_window *window)
{
    int64_t begin = begin_of(budget->period, now_s + zone_offset_at(budget->zone, now_s));
    int64_t next = begin_of_next(budget->period, begin);
    window->ends_s = zone_instant_of(budget->zone, next);
    while (window->ends_s <= now_s) {
        begin = next;
        next = begin_of_next(budget->period, begin);
        window->ends_s = zone_instant_of(budget->zone, next);
    }
    window->starts_s = zone_instant_of(budget->zone, begin);
    window->first = window->last = minute_of(window->starts_s);
    window->limit = limit_of(budget, begin);
}

/* The smallest of a few round widths that divides the length into at most 59 buckets (one more is the one that has
 * begun). Each width is at most 2.5 times the one before, so there are at least 23; an hour has 30. */
static uint32_t bucket_minutes(uint32_t length_minutes)
{
    static const uint32_t widths[] = {2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 5760, 14400};
    size_t i = 0;
    while (i + 1 < sizeof widths / sizeof *widths && (length_minutes + widths[i] - 1) / widths[i] > BUCKETS_MAX - 1)
        i++;
    return widths[i];
}

static void find_rolling(const struct budget *budget, int64_t now_s, struct budget_window *window)
{
    int64_t width = bucket_minutes(budget->rolling_minutes);
    int64_t length = (budget->rolling_minutes + width - 1) / width * width;
    int64_t last = floor_to(floor_to(now_s, MINUTE_S) / MINUTE_S, width), first = last - length;
    window->starts_s = first * MINUTE_S;
    window->ends_s = (last + width) * MINUTE_S;
    window->first = minute_of(first * MINUTE_S);
    window->last = minute_of(last * MINUTE_S);
    window->limit = budget->amount;
}

void budget_find_window(const struct budget *budget, int64_t now_s, struct budget_window *ret_window)
{
    if (budget->period == BUDGET_ROLLING)
        find_rolling(budget, now_s, ret_window);
    else
        find_fixed(budget, now_s, ret_window);
}

struct money budget_forecast(const struct budget_window *window, struct money spent, int64_t now_s)
{
    int64_t passed_s = now_s - window->starts_s, length_s = window->ends_s - window->starts_s;
    if (window->first != window->last || passed_s <= 0 || passed_s >= length_s)
        return spent;
    return money_clamp((__int128)spent.nano * length_s / passed_s);
}
