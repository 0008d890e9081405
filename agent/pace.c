/* SPDX-License-Identifier: Apache-2.0 */
/* See pace.h. One sample in ten minutes: 145 of them cover a day, both ends included. */
#include "pace.h"

void pace_note(struct pace *pace, int64_t time_s, struct money spent)
{
    unsigned last = (pace->first + pace->count - 1) % PACE_SAMPLES_MAX;
    if (pace->count && time_s - pace->samples[last].time_s < PACE_STEP_S)
        return;
    if (pace->count == PACE_SAMPLES_MAX) {
        pace->first = (pace->first + 1) % PACE_SAMPLES_MAX;
        pace->count--;
    }
    pace->samples[(pace->first + pace->count) % PACE_SAMPLES_MAX] = (struct pace_sample){time_s, spent.nano};
    pace->count++;
}

bool pace_find(const struct pace *pace, int64_t time_s, struct money spent, struct money left, int64_t *ret_seconds)
{
    const struct pace_sample *oldest = NULL;
    for (unsigned i = 0; i < pace->count && !oldest; i++) {
        const struct pace_sample *sample = &pace->samples[(pace->first + i) % PACE_SAMPLES_MAX];
        if (time_s - sample->time_s <= PACE_SPAN_S)
            oldest = sample;
    }
    if (!oldest || time_s - oldest->time_s < PACE_LEAST_S || spent.nano <= oldest->spent_nano)
        return false;
    __int128 seconds = (__int128)left.nano * (time_s - oldest->time_s) / (spent.nano - oldest->spent_nano);
    *ret_seconds = seconds < 0 ? 0 : seconds > INT64_MAX ? INT64_MAX : (int64_t)seconds;
    return true;
}
