/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prices: from the price list and a target's own `pricing`, what usage costs and what a request can cost at most. Pure
 * functions over a settings snapshot; what was learned about prompts is an object of its own.
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

/* What pictures cost that a tool draws with another model. */
struct price_drawing {
    bool is_known;
    struct price input, output; /* a token of what that model is given, the dearest there is; of what it draws */
    uint64_t output_tokens_max; /* of one picture */
};

/* What a request will be charged at. Self-contained but for `row`, which lives as long as the settings. */
struct price_quote {
    enum price_basis basis;
    const char *list_model;      /* the row used (CEILING: the dearest of the family), NULL for PINNED without a row */
    const struct price_row *row; /* the same; NULL for PINNED without a row */
    struct price_set standard;   /* every token's price filled in: a missing cache or audio price is the input (output)
                                    price, a missing cache_write is 1.25 times and a missing cache_write_1h twice the
                                    input price in Anthropic's dialect. A unit's price that the list has for no model
                                    of the family is unknown: its has_ stays false */
    struct price_set pinned; /* what the target's pricing says: goes before the list, its tiers and its fast prices */
    struct price_set listed; /* what the list says, has_ members only (CEILING: the dearest of each in the family; a
                                unit that it has no price for: the family's dearest, unless the policy blocks) */
    struct price_drawing drawing; /* prices_find_drawing; known: the buckets of images are that model's, at no other
                                     service level than the standard one */
    bool flex_is_full;            /* the provider's flex tier costs as much as its standard one */
    bool is_regional;    /* set by who asks: a place was chosen, for which Anthropic takes a tenth more of each token's
                            price ("Pricing", data residency) */
    bool hour_is_double; /* Anthropic: writing to the one-hour cache costs twice the input price, to the other 1.25 */
    uint64_t output_tokens_max; /* the model's maximum; unknown: the greatest of its family, at least
                                   PRICES_OUTPUT_TOKENS_DEFAULT, at most the model's own window. Never 0 */
    uint64_t context_tokens;    /* the model's window; unknown: the longest of its family; 0: none is known */
};

/* Most models of the list answer with at most 128,000 tokens. */
enum { PRICES_OUTPUT_TOKENS_DEFAULT = 131072 };

/* The price of `model` at a provider; pricing and variant may be NULL. A variant ("1024x1024/hd") is looked for as a
 * row MODEL/VARIANT first. A model that the provider's aliases name is priced as what they say. A dated name that has
 * no row of its own has that of the undated one (prices/names.c). PRICE_UNKNOWN: there is none, and the policy blocks
 * or the list has no price of that family at all. CEILING: the dearest list price of the longest matching family (names
 * sharing the longest '-'-delimited prefix), else of the provider's; families that are free do not count, so that the
 * unknown is never free. */
enum error prices_find(const struct settings *settings, const struct provider *provider, const char *model,
                       const char *variant, const struct price_set *pricing, struct price_quote *ret_quote) MUST_USE;
/* Fills quote->drawing with the prices of a tool's image model. Errors as prices_find. */
enum error prices_find_drawing(const struct settings *settings, const struct provider *provider, const char *model,
                               struct price_quote *quote) MUST_USE;
/* What the usage costs: the tier reached by the whole prompt, the service tier billed ("priority", "fast": the fast
 * prices; "flex", "batch": half the tokens' prices, units in full; "" and all others: standard). AMOUNT_OVERFLOW;
 * PRICE_UNKNOWN: units were used that have no price, not even a ceiling. */
enum error prices_cost(const struct price_quote *quote, const struct usage *usage, const char *service_tier,
                       struct money *ret_cost) MUST_USE;
/* What a request can use at most. */
struct price_bound {
    uint64_t input_tokens, output_tokens; /* output: per choice */
    uint64_t choices;                     /* 0 is 1 */
    struct usage units;                   /* UNIT buckets, and those of images: tokens of what quote->drawing is of */
    const char *service_tier;             /* as asked for: half prices are not believed before they are billed, but for
                                             "batch", which the endpoint itself says */
};
/* The hard upper bound of a request: input at the dearest prompt-side rate that any prompt up to it can reach (cache
 * write, audio, tier), output × choices at the dearest output rate, units at theirs. AMOUNT_OVERFLOW; PRICE_UNKNOWN: a
 * unit that has no price, not even a ceiling. */
enum error prices_bound(const struct price_quote *quote, const struct price_bound *bound,
                        struct money *ret_bound) MUST_USE;
/* The clamp: the greatest output limit per choice, from `least` to bound->output_tokens (least ≤ that), whose
 * prices_bound is within `affordable`. 0 when even that of `least` is not. */
uint64_t prices_find_output_limit(const struct price_quote *quote, const struct price_bound *bound, uint64_t least,
                                  struct money affordable);

/* ---- `hold: learned`: input tokens from what similar requests really used. Not hard: text of another kind than all
 * before it can have more. ---- */

/* Bytes per input token by (provider, model, size of the body): the lowest 1 % of what was seen. Bounded (256 rows, the
 * least recently used goes), in memory alone, any thread. */
struct prices_memory;
enum { PRICES_SAMPLES_MIN = 50 };
struct prices_memory *prices_memory_new(void);
void prices_memory_free(struct prices_memory *memory); /* NULL is fine */
/* What the provider counted for a body of this size. A count above what was learned so far means that the learned is
 * wrong: it is forgotten, and takes PRICES_SAMPLES_MIN more to speak again. 0 bytes or tokens teach nothing. */
void prices_memory_learn(struct prices_memory *memory, const char *provider, const char *model, uint64_t body_bytes,
                         uint64_t input_tokens);
/* The tokens that a body of this size is expected not to exceed, a quarter added, never more than its bytes. False
 * until PRICES_SAMPLES_MIN bodies of similar size (within a factor of four) were seen. */
bool prices_memory_find(struct prices_memory *memory, const char *provider, const char *model, uint64_t body_bytes,
                        uint64_t *ret_tokens);

/* For check: a warning for each target whose model has no list price and no pricing, with the line to add. */
void prices_warn_unknown(const struct settings *settings, struct config_problems *problems);
const char *prices_basis_name(enum price_basis basis); /* pinned listed ceiling */

#endif
