/* SPDX-License-Identifier: Apache-2.0 */
/* See latency.h. Called by use.c and strategies.c, under their lock; reads no clock. */
#include "routing/latency.h"

#include <math.h>

/* Thirty seconds: a model's first byte takes seconds, so the ten of RPC balancers would forget between two answers. */
static const double DECAY_NS = 30e9;

void latency_add(struct latency *latency, int64_t first_byte_ns, int64_t now_ns)
{
    double sample = (double)first_byte_ns;
    if (first_byte_ns <= 0)
        return;
    if (!latency->samples || sample > latency->average_ns) {
        latency->average_ns = sample;
    } else {
        double kept = exp(-(double)(now_ns - latency->updated_ns) / DECAY_NS);
        latency->average_ns = latency->average_ns * kept + sample * (1 - kept);
    }
    latency->updated_ns = now_ns;
    latency->samples++;
}

double latency_get(const struct latency *latency, int64_t now_ns)
{
    return latency->samples ? latency->average_ns * exp(-(double)(now_ns - latency->updated_ns) / DECAY_NS) : 0;
}
