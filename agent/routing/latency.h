/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time to first byte as a peak-sensitive moving average ("Peak EWMA", as in Twitter's Finagle): it rises at once with
 * a slow answer and falls slowly, by time and not by count, so that a target nobody asks is asked again one day.
 */
#ifndef ROUTING_LATENCY_H
#define ROUTING_LATENCY_H

#include <stdint.h>

struct latency {
    double average_ns;
    int64_t updated_ns;
    uint64_t samples;
};

void latency_add(struct latency *latency, int64_t first_byte_ns, int64_t now_ns);
/* Now, faded since the last sample; 0 without any. */
double latency_get(const struct latency *latency, int64_t now_ns);

#endif
