/* SPDX-License-Identifier: Apache-2.0 */
/* The real clock. */
#include "base/clock.h"

#include "base/zone.h"

#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

static void put_digits(char *text, unsigned count, unsigned value)
{
    for (; count > 0; value /= 10)
        text[--count] = (char)('0' + value % 10);
}

/* Every event has one; strftime asks for the time zone, under a lock. */
char *clock_format(int64_t wall_ns, char text[CLOCK_TEXT_MAX])
{
    enum { DAY_MS = 86400000 };
    int64_t milliseconds = wall_ns / 1000000, days = milliseconds / DAY_MS, year;
    unsigned month, day, of_day = (unsigned)(milliseconds - days * DAY_MS);
    zone_civil_from_days(days, &year, &month, &day);
    memcpy(text, "0000-00-00T00:00:00.000Z", sizeof "0000-00-00T00:00:00.000Z");
    put_digits(text, 4, (unsigned)year);
    put_digits(text + 5, 2, month);
    put_digits(text + 8, 2, day);
    put_digits(text + 11, 2, of_day / 3600000);
    put_digits(text + 14, 2, of_day / 60000 % 60);
    put_digits(text + 17, 2, of_day / 1000 % 60);
    put_digits(text + 20, 3, of_day % 1000);
    return text;
}
