/* SPDX-License-Identifier: Apache-2.0 */
/* Which price a model has: the target's own, the list's, or the ceiling of its family. */
#include "prices/prices.h"

#include "prices/names.h"
#include "prices/set.h"

#include <stdlib.h>

struct list_key {
    const char *family, *model;
};

static int compare_key(const void *left, const void *right)
{
    const struct list_key *key = left;
    const struct price_row *row = right;
    int order = strcmp(key->family, row->family);
    return order ? order : strcmp(key->model, row->model);
}

static const struct price_row *find_row(const struct settings *settings, const char *family, const char *model)
{
    struct list_key key = {family, model};
    return settings->price_count == 0
               ? NULL
               : bsearch(&key, settings->prices, settings->price_count, sizeof *settings->prices, compare_key);
}

/* A family's rows, which stand together in the list: the whole list is some hundred comparisons of names for each call.
 */
struct family {
    const struct price_row *rows;
    size_t count;
};

/* The first row that is not before the family, or the first behind it. */
static size_t find_edge(const struct settings *settings, const char *name, bool is_end)
{
    size_t low = 0, high = settings->price_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(settings->prices[middle].family, name) < (is_end ? 1 : 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct family find_family(const struct settings *settings, const char *name)
{
    size_t first = find_edge(settings, name, false);
    return (struct family){settings->prices + first, find_edge(settings, name, true) - first};
}

/* How many '-'-delimited words the names share from the start. */
static unsigned shared_words(const char *a, const char *b)
{
    unsigned words = 0;
    size_t i = 0;
    for (; a[i] && a[i] == b[i]; i++)
        words += a[i] == '-';
    bool a_ends = a[i] == '\0' || a[i] == '-', b_ends = b[i] == '\0' || b[i] == '-';
    return words + (i > 0 && a_ends && b_ends && !(a[i] == '-' && b[i] == '-'));
}

static bool is_free(const struct price_row *row)
{
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        if (row->prices.has[i] && row->prices.of[i].pico > 0)
            return false;
    return true;
}

/* By output, which is what most requests cost, then input. */
static bool is_dearer(const struct price_row *row, const struct price_row *than)
{
    if (!than || row->prices.output.pico != than->prices.output.pico)
        return !than || row->prices.output.pico > than->prices.output.pico;
    return row->prices.input.pico > than->prices.input.pico;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Two passes over the family: how much of the name can be matched, then the dearest of those that match as much. */
static bool find_ceiling(struct family family, const char *model, struct price_quote *quote)
{
    unsigned most = 0;
    for (size_t i = 0; i < family.count; i++) {
        const struct price_row *row = &family.rows[i];
        unsigned shared = is_free(row) ? 0 : shared_words(row->model, model);
        most = shared > most ? shared : most;
    }
    for (size_t i = 0; i < family.count; i++) {
        const struct price_row *row = &family.rows[i];
        if (is_free(row) || shared_words(row->model, model) < most)
            continue;
        struct price_set filled = price_set_fill(&row->prices, quote->hour_is_double);
        quote->listed = quote->row ? price_set_dearest(&quote->listed, &filled) : filled;
        quote->output_tokens_max = greater(quote->output_tokens_max, row->output_tokens_max);
        quote->context_tokens = greater(quote->context_tokens, row->context_tokens);
        if (is_dearer(row, quote->row))
            quote->row = row;
    }
    return quote->row != NULL;
}

static void take_row(struct price_quote *quote, const struct price_row *row)
{
    quote->row = row;
    quote->listed = row->prices;
    quote->output_tokens_max = row->output_tokens_max;
    quote->context_tokens = row->context_tokens;
}

/* What the list does not say of a model is the most that it says of the family; no answer is longer than the model's
 * own window. Must not be too small: a hold rests on it. */
static void take_family_limits(struct family family, struct price_quote *quote)
{
    uint64_t output = PRICES_OUTPUT_TOKENS_DEFAULT, context = 0;
    for (size_t i = 0; i < family.count; i++) {
        output = greater(output, family.rows[i].output_tokens_max);
        context = greater(context, family.rows[i].context_tokens);
    }
    if (!quote->output_tokens_max)
        quote->output_tokens_max =
            quote->context_tokens && quote->context_tokens < output ? quote->context_tokens : output;
    if (!quote->context_tokens)
        quote->context_tokens = context;
}

/* A unit that the model has no price for: the dearest of the provider's family. One that nobody has stays unknown, and
 * is an error once it is used. */
static void take_family_unit(struct family family, size_t unit, struct price_set *set)
{
    for (size_t i = 0; i < family.count; i++) {
        const struct price_set *prices = &family.rows[i].prices;
        if (!prices->has[unit])
            continue;
        if (!set->has[unit] || prices->of[unit].pico > set->of[unit].pico)
            set->of[unit] = prices->of[unit];
        set->has[unit] = true;
    }
}

static void complete(const struct settings *settings, struct family family, struct price_quote *quote)
{
    for (size_t i = 0; i < BUCKET_COUNT && settings->cost_tracking.unknown_price != UNKNOWN_PRICE_BLOCK; i++)
        if (bucket_rows[i].side == SIDE_UNIT && !quote->listed.has[i])
            take_family_unit(family, i, &quote->listed);
    struct price_set set = price_set_overlay(&quote->listed, &quote->pinned);
    quote->standard = price_set_fill(&set, quote->hour_is_double);
    quote->list_model = quote->row ? quote->row->model : NULL;
    if (!quote->output_tokens_max || !quote->context_tokens)
        take_family_limits(family, quote);
}

enum error prices_find(const struct settings *settings, const struct provider *provider, const char *model,
                       const char *variant, const struct price_set *pricing, struct price_quote *ret_quote)
{
    struct price_names names;
    struct family family = find_family(settings, provider->price_family);
    prices_list_names(provider, model, variant, &names);
    struct price_quote quote = {.hour_is_double = provider->dialect == DIALECT_ANTHROPIC,
                                .flex_is_full = provider->bills_flex_in_full};
    if (pricing)
        quote.pinned = *pricing;
    bool is_pinned = quote.pinned.has_input && quote.pinned.has_output;
    const struct price_row *row = NULL;
    for (size_t i = 0; i < names.count && !row; i++)
        row = find_row(settings, provider->price_family, names.rows[i]);
    if (row)
        take_row(&quote, row);
    else if (!is_pinned && (settings->cost_tracking.unknown_price == UNKNOWN_PRICE_BLOCK ||
                            !find_ceiling(family, names.plain, &quote)))
        return ERROR_PRICE_UNKNOWN;
    quote.basis = is_pinned || (row && price_set_has_any(&quote.pinned)) ? PRICE_PINNED
                  : row                                                  ? PRICE_LISTED
                                                                         : PRICE_CEILING;
    complete(settings, family, &quote);
    *ret_quote = quote;
    return ERROR_OK;
}

enum error prices_find_drawing(const struct settings *settings, const struct provider *provider, const char *model,
                               struct price_quote *quote)
{
    struct price_quote drawing;
    enum error error = prices_find(settings, provider, model, NULL, NULL, &drawing);
    if (error)
        return error;
    const struct price_set *prices = &drawing.standard;
    quote->drawing = (struct price_drawing){.is_known = true,
                                            .input = prices->input,
                                            .output = prices->output_image,
                                            .output_tokens_max = drawing.output_tokens_max};
    if (prices->input_image.pico > prices->input.pico)
        quote->drawing.input = prices->input_image;
    return ERROR_OK;
}

const char *prices_basis_name(enum price_basis basis)
{
    static const char *const names[] = {
        [PRICE_PINNED] = "pinned", [PRICE_LISTED] = "listed", [PRICE_CEILING] = "ceiling"};
    return names[basis];
}
