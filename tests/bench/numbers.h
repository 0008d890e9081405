/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers that the stand-in writes into its streams (directive `number`): each piece of text begins "#K ", its
 * place in the stream. A number that is skipped is a lost event, one that comes late or twice is a reordered one.
 * Included by answer.h.
 */
#ifndef TESTS_BENCH_NUMBERS_H
#define TESTS_BENCH_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct numbers {
    uint64_t next, number;
    bool is_open, has_digits; /* between '#' and what ends its number: bytes may be cut there */
    uint64_t lost, reordered;
};

static inline void numbers_end(struct numbers *numbers, char end)
{
    numbers->is_open = false;
    if (end != ' ' || !numbers->has_digits)
        return; /* a '#' of another kind */
    if (numbers->number < numbers->next) {
        numbers->reordered++;
        return;
    }
    numbers->lost += numbers->number - numbers->next;
    numbers->next = numbers->number + 1;
}

static inline void numbers_take(struct numbers *numbers, const char *data, size_t length)
{
    const char *at = data, *end = data + length;
    while (at < end) {
        if (!numbers->is_open) {
            at = memchr(at, '#', (size_t)(end - at));
            if (!at)
                return;
            numbers->is_open = true;
            numbers->has_digits = false;
            numbers->number = 0;
            at++;
            continue;
        }
        char c = *at++;
        if (c < '0' || c > '9') {
            numbers_end(numbers, c);
            continue;
        }
        numbers->has_digits = true;
        numbers->number = numbers->number * 10 + (uint64_t)(c - '0');
    }
}

/* The stream is over, which had so many. */
static inline void numbers_finish(struct numbers *numbers, uint64_t count)
{
    if (numbers->next < count)
        numbers->lost += count - numbers->next;
    else
        numbers->reordered += numbers->next - count; /* of another stream */
}

#endif
