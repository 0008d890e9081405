/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast a wallet is emptied: samples of what was spent, of the last 24 hours of this agent's life. In memory only: a
 * warning that comes an hour after a restart is early enough. Called by alerts.c.
 */
#ifndef PACE_H
#define PACE_H

#include "base/money.h"

#include <stdbool.h>
#include <stdint.h>

enum { PACE_SAMPLES_MAX = 145, PACE_STEP_S = 600, PACE_SPAN_S = 24 * 3600, PACE_LEAST_S = 3600 };

struct pace {
    struct pace_sample {
        int64_t time_s, spent_nano;
    } samples[PACE_SAMPLES_MAX]; /* a ring */
    unsigned first, count;
};

/* `time_s`: any clock that only moves forward. */
void pace_note(struct pace *pace, int64_t time_s, struct money spent);
/* How long `left` lasts at the pace of the last 24 hours. False: less than an hour is known, or nothing was spent. */
bool pace_find(const struct pace *pace, int64_t time_s, struct money spent, struct money left, int64_t *ret_seconds);

#endif
