/* SPDX-License-Identifier: Apache-2.0 */
/* See histogram.h. The bounds are those of 1, 2.5 and 5 in each decade: what is ours lies in the lower ones. */
#include "base/histogram.h"

#include "base/check.h"

static const struct bound {
    uint64_t ns;
    const char *text;
} bounds[HISTOGRAM_BOUNDS] = {
    {10000, "0.00001"},  {25000, "0.000025"}, {50000, "0.00005"},  {100000, "0.0001"},  {250000, "0.00025"},
    {500000, "0.0005"},  {1000000, "0.001"},  {2500000, "0.0025"}, {5000000, "0.005"},  {10000000, "0.01"},
    {25000000, "0.025"}, {50000000, "0.05"},  {100000000, "0.1"},  {250000000, "0.25"}, {500000000, "0.5"},
    {1000000000, "1"},   {2500000000, "2.5"}, {5000000000, "5"},   {10000000000, "10"},
};

static void add_to(_Atomic uint64_t *counter, uint64_t more)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more, memory_order_relaxed);
}

void histogram_observe(struct histogram *histogram, int64_t ns)
{
    const uint64_t took_ns = ns > 0 ? (uint64_t)ns : 0;
    unsigned step = 0;
    while (step < HISTOGRAM_BOUNDS && took_ns > bounds[step].ns)
        step++;
    add_to(&histogram->counts[step], 1);
    add_to(&histogram->sum_ns, took_ns);
}

void histogram_add(const struct histogram *histogram, struct histogram_sum *sum)
{
    for (unsigned step = 0; step < HISTOGRAM_STEPS; step++)
        sum->counts[step] += atomic_load_explicit(&histogram->counts[step], memory_order_relaxed);
    sum->sum_ns += atomic_load_explicit(&histogram->sum_ns, memory_order_relaxed);
}

uint64_t histogram_bound_ns(unsigned step)
{
    check(step < HISTOGRAM_BOUNDS);
    return bounds[step].ns;
}

const char *histogram_bound_text(unsigned step)
{
    check(step < HISTOGRAM_BOUNDS);
    return bounds[step].text;
}
