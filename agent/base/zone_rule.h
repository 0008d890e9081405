/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The footer of a TZif file: a rule for all time after the table, as the TZ variable of POSIX 1003.1 section 8.3 with
 * the extension of RFC 9636 section 3.3.1 (hours from -167 to 167). For zone.c and zone_read.c only.
 */
#ifndef BASE_ZONE_RULE_H
#define BASE_ZONE_RULE_H

#include "base/slice.h"

#include <stdint.h>

enum zone_date_form { ZONE_DATE_JULIAN /* 1–365, never February 29 */, ZONE_DATE_DAY /* 0–365 */, ZONE_DATE_WEEKDAY };

/* When a change happens each year. */
struct zone_date {
    enum zone_date_form form;
    int day;                  /* JULIAN, DAY; WEEKDAY: 0 Sunday … 6 */
    unsigned month, week;     /* WEEKDAY: week 5 is the last */
    int32_t seconds_of_local; /* after that day's local midnight, may be negative or beyond a day */
};

struct zone_rule {
    bool has_summer;
    int32_t standard_offset, summer_offset; /* seconds east of UTC */
    struct zone_date summer_begins, summer_ends;
};

/* False: no valid rule. */
bool zone_rule_parse(struct slice text, struct zone_rule *ret_rule);
/* The offset at an instant, and when it next changes (INT64_MAX: never). */
int32_t zone_rule_offset(const struct zone_rule *rule, int64_t utc_s, int64_t *ret_until);

#endif
