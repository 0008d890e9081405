/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long something took, counted in fixed steps from 10 µs to 10 s. One thread observes, any thread reads: plain
 * loads and stores of atomics, no lock, no locked instruction. A reader may miss what is being observed just now.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum { HISTOGRAM_BOUNDS = 19, HISTOGRAM_STEPS = HISTOGRAM_BOUNDS + 1 /* the last one has no upper bound */ };

/* Zeroed memory is an empty one. */
struct histogram {
    _Atomic uint64_t counts[HISTOGRAM_STEPS];
    _Atomic uint64_t sum_ns;
};
/* Of one or several histograms. */
struct histogram_sum {
    uint64_t counts[HISTOGRAM_STEPS], sum_ns;
};

/* Of the one thread that observes; below 0 counts as 0. */
void histogram_observe(struct histogram *histogram, int64_t ns);
/* Adds to *sum, which begins zeroed. */
void histogram_add(const struct histogram *histogram, struct histogram_sum *sum);
/* The upper bound (inclusive) of a step below HISTOGRAM_BOUNDS, in nanoseconds and as seconds in decimals. */
uint64_t histogram_bound_ns(unsigned step);
const char *histogram_bound_text(unsigned step);

#endif
