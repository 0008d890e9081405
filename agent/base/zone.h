/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time zones without the process's own TZ: the transitions of one zone, read from the system's database (RFC 9636).
 * Called by config (which says that a name is unknown) and by whoever divides time into local days.
 */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include "base/arena.h"

#include <stdint.h>

struct zone;

/* A name of the system's database ("UTC", "Europe/Berlin"); NULL when unknown or unreadable. "UTC" needs no database.
 * Names are [A-Za-z0-9_+/-]+, without a leading '/'. Lives as long as the arena. */
const struct zone *zone_load(struct arena *arena, const char *name);
/* The same from a file's bytes: TZif of version 2 or later. NULL when they are not that; never reads beyond them,
 * whatever they are. Files with leap seconds ("right/…") are refused: our seconds are POSIX's. */
const struct zone *zone_parse(struct arena *arena, struct slice bytes);

/* The name that it was loaded by; "" of zone_parse. */
const char *zone_name(const struct zone *zone);

/* Seconds east of UTC at an instant (seconds since 1970 UTC); past the table's end by its footer rule. */
int32_t zone_offset_at(const struct zone *zone, int64_t utc_s);
/* The first instant whose local time is at or after the given local one (seconds since 1970-01-01 00:00 local). */
int64_t zone_instant_of(const struct zone *zone, int64_t local_s);

/* Civil dates, proleptic Gregorian: days since 1970-01-01. month 1–12, day 1–31. */
int64_t zone_days_from_civil(int64_t year, unsigned month, unsigned day);
void zone_civil_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);

#endif
