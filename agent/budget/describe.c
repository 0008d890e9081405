/* SPDX-License-Identifier: Apache-2.0 */
/* Budgets and their windows in words, for errors, alerts and reports. */
#include "base/check.h"
#include "base/zone.h"
#include "budget/budget.h"

#include <stdio.h>

enum { DAY_S = 86400, HOUR_S = 3600, WHEN_BYTES = 80 };

const char *budget_window_name(enum budget_period period)
{
    static const char *const names[] = {"hourly", "daily", "weekly", "monthly", "rolling"};
    check((size_t)period < sizeof names / sizeof *names);
    return names[period];
}

static void describe_length(uint32_t minutes, char when[WHEN_BYTES])
{
    uint32_t hours = minutes / 60;
    bool is_days = hours % 24 == 0 && hours > 24;
    snprintf(when, WHEN_BYTES, "the last %u %s", is_days ? hours / 24 : hours, is_days ? "days" : "hours");
}

static void describe_beginning(const struct budget *budget, int64_t starts_s, char when[WHEN_BYTES])
{
    static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                         "July",    "August",   "September", "October", "November", "December"};
    int64_t local_s = starts_s + zone_offset_at(budget->zone, starts_s), year;
    int64_t second_of_day = (local_s % DAY_S + DAY_S) % DAY_S;
    unsigned month, day;
    zone_civil_from_days((local_s - second_of_day) / DAY_S, &year, &month, &day);
    const char *name = months[month - 1];
    if (budget->period == BUDGET_MONTHLY)
        snprintf(when, WHEN_BYTES, "%s %lld", name, (long long)year);
    else if (budget->period == BUDGET_HOURLY)
        snprintf(when, WHEN_BYTES, "%u %s %lld %02d:%02d", day, name, (long long)year, (int)(second_of_day / HOUR_S),
                 (int)(second_of_day % HOUR_S / 60));
    else
        snprintf(when, WHEN_BYTES, "%s%u %s %lld", budget->period == BUDGET_WEEKLY ? "week of " : "", day, name,
                 (long long)year);
}

char *budget_describe(const struct budget *budget, const struct budget_window *window, char *text, size_t text_bytes)
{
    char when[WHEN_BYTES];
    bool is_rolling = budget->period == BUDGET_ROLLING;
    if (is_rolling)
        describe_length(budget->rolling_minutes, when);
    else
        describe_beginning(budget, window->starts_s, when);
    snprintf(text, text_bytes, "%s budget %s (%s%s%s)", budget_window_name(budget->period), budget->id, when,
             is_rolling ? "" : ", ", is_rolling ? "" : budget->time_zone);
    return text;
}
