/* SPDX-License-Identifier: Apache-2.0 */
/* Time. Durations and deadlines use the monotonic clock; the wall clock is for what people read. Tests replace
 * clock.c at link time by a scripted clock. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds since some fixed point; never jumps. */
int64_t clock_monotonic_ns(void);
/* Nanoseconds since 1970-01-01 UTC; may jump. */
int64_t clock_wall_ns(void);

enum { CLOCK_TEXT_MAX = 32 };
/* "2026-11-23T20:30:00.123Z". Returns `text`. */
char *clock_format(int64_t wall_ns, char text[CLOCK_TEXT_MAX]);

#endif
