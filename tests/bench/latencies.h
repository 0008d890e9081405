/* SPDX-License-Identifier: Apache-2.0 */
/* All latencies of a run, so that quantiles are exact. Included by load.c. */
#ifndef TESTS_BENCH_LATENCIES_H
#define TESTS_BENCH_LATENCIES_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct latencies {
    uint64_t *rows_ns;
    size_t count, capacity;
};

static inline void latencies_add(struct latencies *latencies, uint64_t latency_ns)
{
    if (latencies->count == latencies->capacity) {
        latencies->capacity = latencies->capacity ? latencies->capacity * 2 : 4096;
        latencies->rows_ns = realloc(latencies->rows_ns, latencies->capacity * sizeof *latencies->rows_ns);
        if (!latencies->rows_ns)
            abort();
    }
    latencies->rows_ns[latencies->count++] = latency_ns;
}

static inline int latencies_compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static inline void latencies_sort(struct latencies *latencies)
{
    if (latencies->count)
        qsort(latencies->rows_ns, latencies->count, sizeof *latencies->rows_ns, latencies_compare);
}

/* Of sorted latencies; part is 0.5 for the median. */
static inline double latencies_quantile_us(const struct latencies *latencies, double part)
{
    if (!latencies->count)
        return 0;
    return (double)latencies->rows_ns[(size_t)(part * (double)(latencies->count - 1))] / 1e3;
}

static inline double latencies_mean_us(const struct latencies *latencies)
{
    double sum_ns = 0;
    for (size_t i = 0; i < latencies->count; i++)
        sum_ns += (double)latencies->rows_ns[i];
    return latencies->count ? sum_ns / 1e3 / (double)latencies->count : 0;
}

#endif
