/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Money is its own struct, so that adding tokens to money does not compile. Amounts are int64 nano-USD (1e-9 USD);
 * prices are int64 pico-USD (1e-12 USD) per token; a cost is summed in 128 bits and rounded up once per request.
 */
#ifndef BASE_MONEY_H
#define BASE_MONEY_H

#include "base/error.h"
#include "base/slice.h"

struct money {
    int64_t nano;
};

struct price {
    int64_t pico; /* per token (or per unit, where a price is per unit) */
};

/* A running sum of tokens × price; exact, cannot overflow for token counts and prices below 2^63. */
struct cost {
    __int128 pico;
};

#define MONEY_ZERO ((struct money){0})
#define MONEY_MAX  ((struct money){INT64_MAX})

/* Of a sum that nothing bounds from above: MONEY_MAX, where it is more, is as much as can be said. */
static inline struct money money_clamp(__int128 nano)
{
    return nano > INT64_MAX ? MONEY_MAX : (struct money){(int64_t)nano};
}

static inline int money_compare(struct money a, struct money b)
{
    return (a.nano > b.nano) - (a.nano < b.nano);
}
/* ERROR_AMOUNT_OVERFLOW when the sum does not fit. */
enum error money_add(struct money a, struct money b, struct money *ret_sum) MUST_USE;
enum error money_subtract(struct money a, struct money b, struct money *ret_difference) MUST_USE;

/* Both arguments non-negative; checked. */
void cost_add(struct cost *cost, uint64_t tokens, struct price price);
/* Rounded up to the next nano-USD; ERROR_AMOUNT_OVERFLOW when it does not fit. */
enum error cost_to_money(struct cost cost, struct money *ret_money) MUST_USE;

/* "12", "12.5", "0.000000001", at most nine decimals, optional leading '-' ; nothing else. ERROR_AMOUNT_INVALID or
 * ERROR_AMOUNT_OVERFLOW. */
enum error money_parse(struct slice text, struct money *ret_money) MUST_USE;
/* USD per million tokens as written in policies and price lists ("0.075", at most six decimals: exact in pico). */
enum error price_parse(struct slice usd_per_million, struct price *ret_price) MUST_USE;

enum { MONEY_TEXT_MAX = 32 };
/* "12.5", "-0.000000001", "0": exact, no trailing zeros, no exponent. Returns `text`. */
char *money_format(struct money money, char text[MONEY_TEXT_MAX]);
/* USD per million tokens, the inverse of price_parse. */
char *price_format(struct price price, char text[MONEY_TEXT_MAX]);

#endif
