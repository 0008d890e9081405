/* SPDX-License-Identifier: Apache-2.0 */
/* What usage costs, and what a request can cost at most. Sums in 128 bits, rounded up once. */
#include "prices/prices.h"

#include "prices/set.h"

static struct price dearer(struct price a, struct price b)
{
    return a.pico > b.pico ? a : b;
}

enum speed { SPEED_STANDARD, SPEED_FAST, SPEED_HALF };

static bool is_sum(const char *service_tier)
{
    return service_tier && strcmp(service_tier, "batch") == 0;
}

static enum speed speed_of(const struct price_quote *quote, const char *service_tier)
{
    static const struct {
        const char *name;
        enum speed speed;
    } rows[] = {{"priority", SPEED_FAST}, {"fast", SPEED_FAST}, {"flex", SPEED_HALF}, {"batch", SPEED_HALF}};
    for (size_t i = 0; service_tier && i < sizeof rows / sizeof *rows; i++)
        if (strcmp(service_tier, rows[i].name) == 0)
            return rows[i].speed == SPEED_HALF && quote->flex_is_full && !is_sum(service_tier) ? SPEED_STANDARD
                                                                                               : rows[i].speed;
    return SPEED_STANDARD;
}

/* The list's prices with some replaced, under what the target pins. Anthropic's cache writes are multiples of the input
 * price: of the new one, where the list says no more. */
static struct price_set variant(const struct price_quote *quote, const struct price_set *replaced)
{
    struct price_set set = quote->listed;
    if (quote->hour_is_double && replaced->has_input)
        set.has_cache_write = set.has_cache_write_1h = false;
    set = price_set_overlay(&set, replaced);
    set = price_set_overlay(&set, &quote->pinned);
    return price_set_fill(&set, quote->hour_is_double);
}

/* The prices of a prompt of this size. A model with both long-context and fast prices: no list says what both together
 * cost, so the dearer of each member. A ceiling's tiers are one model's: they never go below the family's dearest. */
static struct price_set prices_at(const struct price_quote *quote, uint64_t prompt_tokens, enum speed speed)
{
    const struct price_row *row = quote->row;
    struct price_set set = quote->standard;
    for (size_t i = 0; row && i < row->tier_count; i++)
        if (prompt_tokens > row->tiers[i].above_tokens)
            set = variant(quote, &row->tiers[i].prices);
    if (row && speed == SPEED_FAST) {
        struct price_set fast = variant(quote, &row->fast);
        set = price_set_dearest(&set, &fast);
    }
    return quote->basis == PRICE_CEILING ? price_set_dearest(&set, &quote->standard) : set;
}

/* Adds tokens × price; false when there are more tokens than any answer can have. */
static bool add(struct cost *cost, uint64_t tokens, struct price price)
{
    if (tokens > INT64_MAX)
        return false;
    cost_add(cost, tokens, price);
    return true;
}

/* What is counted in units. PRICE_UNKNOWN when one was used that nobody has a price for; one that only a tier has a
 * price for counts as that, so that what a bound could price its cost can, whichever tier it ends in. */
static enum error add_units(struct cost *cost, const struct price_quote *quote, const struct price_set *set,
                            const struct usage *usage)
{
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        if (bucket_rows[i].side != SIDE_UNIT || usage->of[i] == 0)
            continue;
        if (!quote->standard.has[i])
            return ERROR_PRICE_UNKNOWN;
        if (!add(cost, usage->of[i], set->of[i]))
            return ERROR_AMOUNT_OVERFLOW;
    }
    return ERROR_OK;
}

/* Rounded up. Of tokens only: what the providers halve for batches and slow answers are the prices of tokens, fees for
 * tools stay. */
static struct cost half_of(struct cost cost)
{
    return (struct cost){(cost.pico + 1) / 2};
}

/* A tenth more, of tokens only, rounded up. */
static struct cost regional_of(struct cost cost)
{
    return (struct cost){cost.pico + (cost.pico + 9) / 10};
}

/* Everything that the provider counts as prompt; saturates. */
static uint64_t prompt_of(const struct usage *usage)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        if (bucket_rows[i].side == SIDE_PROMPT && __builtin_add_overflow(sum, usage->of[i], &sum))
            return UINT64_MAX;
    return sum;
}

/* The buckets of images are those of the model that drew, which bills them on its own. */
static bool is_drawn(const struct price_quote *quote, size_t bucket)
{
    return quote->drawing.is_known && (bucket == BUCKET_input_image || bucket == BUCKET_output_image);
}

static bool add_drawn(struct cost *cost, const struct price_drawing *drawing, uint64_t input, uint64_t output)
{
    return !drawing->is_known || (add(cost, input, drawing->input) && add(cost, output, drawing->output));
}

enum error prices_cost(const struct price_quote *quote, const struct usage *usage, const char *service_tier,
                       struct money *ret_cost)
{
    enum speed speed = speed_of(quote, service_tier);
    /* Of a batch the sum of many prompts is known, and no tier is of a sum. */
    struct price_set set = prices_at(quote, is_sum(service_tier) ? 0 : prompt_of(usage), speed);
    struct cost cost = {0};
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        if (bucket_rows[i].side != SIDE_UNIT && !is_drawn(quote, i) && !add(&cost, usage->of[i], set.of[i]))
            return ERROR_AMOUNT_OVERFLOW;
    if (speed == SPEED_HALF)
        cost = half_of(cost);
    if (quote->is_regional)
        cost = regional_of(cost);
    if (!add_drawn(&cost, &quote->drawing, usage->input_image, usage->output_image))
        return ERROR_AMOUNT_OVERFLOW;
    enum error error = add_units(&cost, quote, &set, usage);
    return error ? error : cost_to_money(cost, ret_cost);
}

/* Any bucket of that side can be any of these, at worst all of it the dearest. */
static struct price dearest_rate(const struct price_set *set, enum bucket_side side)
{
    struct price rate = {0};
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        if (bucket_rows[i].side == side)
            rate = dearer(rate, set->of[i]);
    return rate;
}

/* A prompt below the bound may end in a lower tier; where a list makes that the dearer one, it counts. */
static struct price_set dearest_up_to(const struct price_quote *quote, uint64_t prompt_tokens, enum speed speed)
{
    struct price_set set = prices_at(quote, 0, speed);
    for (size_t i = 0; quote->row && i < quote->row->tier_count; i++) {
        uint64_t above = quote->row->tiers[i].above_tokens;
        if (prompt_tokens <= above)
            break;
        struct price_set higher = prices_at(quote, above + 1, speed);
        set = price_set_dearest(&set, &higher);
    }
    return set;
}

/* Half is certain only where the endpoint is that of batches; "flex" may be answered at the standard price. */
static bool is_batch(const char *service_tier)
{
    return service_tier && strcmp(service_tier, "batch") == 0;
}

enum error prices_bound(const struct price_quote *quote, const struct price_bound *bound, struct money *ret_bound)
{
    struct price_set set = dearest_up_to(quote, bound->input_tokens, speed_of(quote, bound->service_tier));
    struct cost cost = {0};
    uint64_t output_tokens;
    if (__builtin_mul_overflow(bound->output_tokens, bound->choices ? bound->choices : 1, &output_tokens))
        return ERROR_AMOUNT_OVERFLOW;
    if (!add(&cost, bound->input_tokens, dearest_rate(&set, SIDE_PROMPT)) ||
        !add(&cost, output_tokens, dearest_rate(&set, SIDE_OUTPUT)))
        return ERROR_AMOUNT_OVERFLOW;
    if (is_batch(bound->service_tier))
        cost = half_of(cost);
    if (quote->is_regional)
        cost = regional_of(cost);
    if (!add_drawn(&cost, &quote->drawing, bound->units.input_image, bound->units.output_image))
        return ERROR_AMOUNT_OVERFLOW;
    enum error error = add_units(&cost, quote, &set, &bound->units);
    return error ? error : cost_to_money(cost, ret_bound);
}

uint64_t prices_find_output_limit(const struct price_quote *quote, const struct price_bound *bound, uint64_t least,
                                  struct money affordable)
{
    uint64_t fits = 0, low = least, high = bound->output_tokens;
    struct price_bound tried = *bound;
    while (low <= high) { /* at most 64 rounds; what does not fit in money costs too much */
        uint64_t middle = low + (high - low) / 2;
        struct money cost;
        tried.output_tokens = middle;
        bool is_affordable = prices_bound(quote, &tried, &cost) == ERROR_OK && money_compare(cost, affordable) <= 0;
        if (is_affordable) {
            fits = middle;
            low = middle + 1;
        } else if (middle == least) {
            break;
        } else {
            high = middle - 1;
        }
        if (low == 0)
            break; /* UINT64_MAX was affordable */
    }
    return fits;
}
