/* SPDX-License-Identifier: Apache-2.0 */
/* The measures of a row of a report as numbers, and numbers as text. */
#include "cli/report.h"

#include <stdlib.h>
#include <string.h>

enum { NANO_DIGITS = 9, NANO_PER_USD = 1000000000 };

long long nano_parse(const char *decimal)
{
    const bool is_negative = decimal[0] == '-';
    char *end;
    long long nano = strtoll(decimal + is_negative, &end, 10) * NANO_PER_USD, scale = NANO_PER_USD;
    if (*end == '.')
        for (end++; *end >= '0' && *end <= '9' && scale > 1; end++) {
            scale /= 10;
            nano += (*end - '0') * scale;
        }
    if (*end != '\0' || end == decimal)
        return 0;
    return is_negative ? -nano : nano;
}

const char *nano_format(long long nano)
{
    const unsigned long long size = nano < 0 ? 0 - (unsigned long long)nano : (unsigned long long)nano;
    return terminal_money(
        text_format("%s%llu.%0*llu", nano < 0 ? "-" : "", size / NANO_PER_USD, NANO_DIGITS, size % NANO_PER_USD));
}

static long long sum_of(const json_t *measures, const char *const *names)
{
    long long sum = 0;
    for (; *names; names++)
        sum += api_integer(measures, *names, 0);
    return sum;
}

void figures_read(const json_t *measures, struct figures *ret_figures)
{
    static const char *const input[] = {"input", "cache_write", "cache_write_1h", "input_audio", "input_image", NULL};
    static const char *const output[] = {"output", "output_audio", "output_image", NULL};
    *ret_figures = (struct figures){
        .calls = api_integer(measures, "calls", 0),
        .refused = api_integer(measures, "refused", 0),
        .failed = api_integer(measures, "failed", 0),
        .hits = api_integer(measures, "hits", 0),
        .input = sum_of(measures, input),
        .cached = api_integer(measures, "cache_read", 0),
        .output = sum_of(measures, output),
        .cost = nano_parse(api_text(measures, "cost", "0")),
        .avoided = nano_parse(api_text(measures, "avoided", "0")),
    };
}

void figures_add(struct figures *sum, const struct figures *more)
{
    sum->calls += more->calls;
    sum->refused += more->refused;
    sum->failed += more->failed;
    sum->hits += more->hits;
    sum->input += more->input;
    sum->cached += more->cached;
    sum->output += more->output;
    sum->cost += more->cost;
    sum->avoided += more->avoided;
}

const char *figures_count(long long count)
{
    static const struct {
        long long from, unit;
        const char *name;
    } rows[] = {{10000000000, 1000000000, "G"}, {10000000, 1000000, "M"}, {100000, 1000, "k"}};
    for (size_t i = 0; terminal_is_compact() && i < sizeof rows / sizeof *rows; i++)
        if (count >= rows[i].from)
            return text_format("%lld%s", count / rows[i].unit, rows[i].name);
    return text_format("%lld", count);
}

void figures_add_short(struct table *table, const struct figures *figures)
{
    const long long counts[] = {figures->calls, figures->refused, figures->input + figures->cached, figures->output};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        table_add(table, figures_count(counts[i]));
    table_add(table, nano_format(figures->cost));
    table_add(table, nano_format(figures->avoided));
}
