/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers by their exact decimal value: 1, 1.0 and 10e-1 are one number, 1 and 1.0000001 two, and so are two integers
 * of thirty digits that differ in the last. No floating point: it would make different numbers equal. Called by
 * canonical.c.
 */
#include "cache/internal.h"

#include <stdio.h>

enum { EXPONENT_DIGITS_MAX = 15 }; /* with the digits of a body below 4 GiB it cannot overflow */

/* A number taken apart: the digits between first and last (a point may be among them), times 10^exponent. */
struct decimal {
    const char *first, *last; /* the first and the last digit that is not 0; NULL: the number is 0 */
    int64_t exponent;
    bool is_negative, is_beyond; /* beyond: its exponent is too long to count with */
};

static int64_t read_exponent(const char *at, const char *end, bool *ret_is_beyond)
{
    bool is_negative = at < end && *at == '-';
    int64_t exponent = 0;
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    while (at < end && *at == '0')
        at++;
    *ret_is_beyond = end - at > EXPONENT_DIGITS_MAX;
    for (; at < end && !*ret_is_beyond; at++)
        exponent = exponent * 10 + (*at - '0');
    return is_negative ? -exponent : exponent;
}

static struct decimal read_decimal(struct slice number)
{
    struct decimal decimal = {0};
    const char *at = number.data, *end = number.data + number.length, *point = NULL;
    decimal.is_negative = at < end && *at == '-';
    for (at += decimal.is_negative; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            point = at;
        } else if (*at != '0') {
            decimal.first = decimal.first ? decimal.first : at;
            decimal.last = at;
        }
    }
    const char *digits_end = at;
    if (at < end)
        decimal.exponent = read_exponent(at + 1, end, &decimal.is_beyond);
    if (!decimal.first)
        return decimal;
    const char *units_end = point ? point : digits_end; /* behind the digit of 10^0 */
    decimal.exponent += decimal.last < units_end ? units_end - decimal.last - 1 : units_end - decimal.last;
    return decimal;
}

/* -0 stays what it is: a provider may read it as a float, and keeping it apart costs a miss at most. */
size_t number_write_canonical(struct slice number, char *text)
{
    struct decimal decimal = read_decimal(number);
    char *at = text;
    if (decimal.is_beyond && decimal.first) { /* equal only to what is written the same way */
        *at++ = 'x';
        memcpy(at, number.data, number.length);
        return number.length + 1;
    }
    if (decimal.is_negative)
        *at++ = '-';
    if (!decimal.first) {
        *at++ = '0';
        return (size_t)(at - text);
    }
    for (const char *digit = decimal.first; digit <= decimal.last; digit++)
        if (*digit != '.')
            *at++ = *digit;
    if (decimal.exponent)
        at += snprintf(at, NUMBER_ROOM_BYTES, "e%lld", (long long)decimal.exponent);
    return (size_t)(at - text);
}
