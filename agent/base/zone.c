/* SPDX-License-Identifier: Apache-2.0 */
/* See zone.h: finding the stretch of constant offset that an instant lies in, and civil dates. */
#include "base/zone_internal.h"

/* Some 140 million years: sums with offsets and days stay far from overflow. */
#define INSTANT_MAX ((int64_t)1 << 52)

static int64_t clamp(int64_t seconds)
{
    return seconds > INSTANT_MAX ? INSTANT_MAX : seconds < -INSTANT_MAX ? -INSTANT_MAX : seconds;
}

/* The offset at an instant, and the instant up to which it lasts. */
static int32_t find_stretch(const struct zone *zone, int64_t utc_s, int64_t *ret_until)
{
    size_t low = 0, high = zone->count; /* of the first start after utc_s */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->starts[middle] <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_until = low < zone->count ? zone->starts[low] : INT64_MAX;
    if (low == zone->count && zone->has_rule)
        return zone_rule_offset(&zone->rule, utc_s, ret_until);
    return low == 0 ? zone->first_offset : zone->offsets[low - 1];
}

const char *zone_name(const struct zone *zone)
{
    return zone->name ? zone->name : "";
}

int32_t zone_offset_at(const struct zone *zone, int64_t utc_s)
{
    int64_t until;
    return find_stretch(zone, clamp(utc_s), &until);
}

/* No local time is reached earlier than with the greatest offset. From there, stretch by stretch: local time runs
 * evenly within each. */
int64_t zone_instant_of(const struct zone *zone, int64_t local_s)
{
    int64_t wanted = clamp(local_s), at = wanted - ZONE_OFFSET_MAX, until;
    for (;;) {
        int64_t reached = wanted - find_stretch(zone, at, &until);
        if (reached < at)
            reached = at;
        if (reached < until)
            return reached;
        at = until;
    }
}

/* Years begin in March here, so that the leap day is the last of a year; 146,097 days are 400 years. */
int64_t zone_days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + (int64_t)day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

void zone_civil_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    *ret_day = (unsigned)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *ret_month = (unsigned)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *ret_year = year_of_era + era * 400 + (*ret_month <= 2);
}
