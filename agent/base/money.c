/* SPDX-License-Identifier: Apache-2.0 */
/* Exact decimal arithmetic for money.h; no floating point anywhere. */
#include "base/money.h"

#include "base/check.h"

#include <stdio.h>

enum error money_add(struct money a, struct money b, struct money *ret_sum)
{
    int64_t sum;
    if (__builtin_add_overflow(a.nano, b.nano, &sum))
        return ERROR_AMOUNT_OVERFLOW;
    ret_sum->nano = sum;
    return ERROR_OK;
}

enum error money_subtract(struct money a, struct money b, struct money *ret_difference)
{
    int64_t difference;
    if (__builtin_sub_overflow(a.nano, b.nano, &difference))
        return ERROR_AMOUNT_OVERFLOW;
    ret_difference->nano = difference;
    return ERROR_OK;
}

void cost_add(struct cost *cost, uint64_t tokens, struct price price)
{
    check(price.pico >= 0 && tokens <= INT64_MAX);
    cost->pico += (__int128)tokens * price.pico;
}

enum error cost_to_money(struct cost cost, struct money *ret_money)
{
    __int128 nano = (cost.pico + 999) / 1000;
    if (nano > INT64_MAX)
        return ERROR_AMOUNT_OVERFLOW;
    ret_money->nano = (int64_t)nano;
    return ERROR_OK;
}

/* Decimal text to an integer scaled by 10^decimals. */
static enum error parse_decimal(struct slice text, unsigned decimals, int64_t *ret_value)
{
    size_t i = 0;
    bool negative = text.length && text.data[0] == '-';
    if (negative)
        i++;
    int64_t value = 0;
    unsigned digits = 0, fraction = 0;
    bool point = false;
    for (; i < text.length; i++) {
        char c = text.data[i];
        if (c == '.' && !point && digits) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9' || (point && ++fraction > decimals))
            return ERROR_AMOUNT_INVALID;
        digits++;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, c - '0', &value))
            return ERROR_AMOUNT_OVERFLOW;
    }
    if (!digits || (point && !fraction))
        return ERROR_AMOUNT_INVALID;
    for (; fraction < decimals; fraction++)
        if (__builtin_mul_overflow(value, 10, &value))
            return ERROR_AMOUNT_OVERFLOW;
    *ret_value = negative ? -value : value;
    return ERROR_OK;
}

/* Every event has some, and printf takes longer than all else of an amount. */
static char *format_decimal(int64_t value, unsigned decimals, char text[MONEY_TEXT_MAX])
{
    char digits[MONEY_TEXT_MAX], *end = digits + sizeof digits, *at = end;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    bool is_fraction = false;
    for (unsigned i = 0; i < decimals; i++, rest /= 10)
        if (rest % 10 || is_fraction) {
            *--at = (char)('0' + rest % 10);
            is_fraction = true;
        }
    if (is_fraction)
        *--at = '.';
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--at = '-';
    memcpy(text, at, (size_t)(end - at));
    text[end - at] = '\0';
    return text;
}

enum error money_parse(struct slice text, struct money *ret_money)
{
    return parse_decimal(text, 9, &ret_money->nano);
}

enum error price_parse(struct slice usd_per_million, struct price *ret_price)
{
    int64_t pico;
    enum error error = parse_decimal(usd_per_million, 6, &pico);
    if (error)
        return error;
    if (pico < 0)
        return ERROR_AMOUNT_INVALID;
    ret_price->pico = pico; /* 1e-6 USD per 1e6 tokens = 1e-12 USD per token */
    return ERROR_OK;
}

char *money_format(struct money money, char text[MONEY_TEXT_MAX])
{
    return format_decimal(money.nano, 9, text);
}

char *price_format(struct price price, char text[MONEY_TEXT_MAX])
{
    return format_decimal(price.pico, 6, text);
}
