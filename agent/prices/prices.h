/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prices: from the price list and a target's own `pricing`, what usage costs and what a request can cost at most. Pure
 * functions over a settings snapshot.
 */
#ifndef PRICES_PRICES_H
#define PRICES_PRICES_H

#include "base/error.h"
#include "base/money.h"
#include "config/config.h"

enum price_basis {
    PRICE_PINNED /* target's pricing */,
    PRICE_LISTED,
    PRICE_CEILING /* unknown model, dearest of its family */
};

/* Tokens by disjoint bucket, mirrors dialect's struct usage (services do not include each other; a step copies). */
struct price_tokens {
    uint64_t input, cache_read, cache_write, cache_write_1h, input_audio, output, output_audio;
};

struct price_quote {
    enum price_basis basis;
    const char *list_model;      /* the row used, NULL for PINNED */
    const struct price_row *row; /* NULL for PINNED without a row */
    struct price_set standard;   /* every member filled in (a missing cache price = the input price …) */
    uint64_t output_tokens_max;  /* the model's maximum, or a stated default when unknown */
    uint64_t context_tokens;     /* 0 unknown */
    struct price_row ceiling;    /* storage for a synthesised row (basis CEILING) */
};

/* The price of `model` at a provider; pricing may be NULL. PRICE_UNKNOWN when there is none and the policy blocks.
 * CEILING: the dearest list price of the longest matching family (names sharing the longest '-'-delimited prefix), else
 * of the provider's. */
enum error prices_find(const struct settings *settings, const struct provider *provider, const char *model,
                       const struct price_set *pricing, struct price_quote *ret_quote) MUST_USE;
/* What the usage costs: the tier reached by the whole prompt, the service tier billed ("priority" = fast; "" or unknown
 * = standard; "flex"/"batch" half). AMOUNT_OVERFLOW. */
enum error prices_cost(const struct price_quote *quote, const struct price_tokens *tokens, const char *service_tier,
                       struct money *ret_cost) MUST_USE;
/* The hard upper bound of a request: input_tokens_bound at the dearest input-side rate that bound can reach (cache
 * write, tier), output bound × choices at the output rate. */
enum error prices_bound(const struct price_quote *quote, uint64_t input_tokens_bound, uint64_t output_tokens_bound,
                        uint64_t choices, const char *service_tier, struct money *ret_bound) MUST_USE;
const char *prices_basis_name(enum price_basis basis); /* pinned listed ceiling */

#endif
