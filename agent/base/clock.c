/* SPDX-License-Identifier: Apache-2.0 */
/* The real clock. */
#include "base/clock.h"

#include <stdio.h>
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

char *clock_format(int64_t wall_ns, char text[CLOCK_TEXT_MAX])
{
    time_t seconds = (time_t)(wall_ns / 1000000000);
    struct tm calendar;
    gmtime_r(&seconds, &calendar);
    size_t length = strftime(text, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &calendar);
    snprintf(text + length, CLOCK_TEXT_MAX - length, ".%03dZ", (int)(wall_ns / 1000000 % 1000));
    return text;
}
