/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FinOps FOCUS 1.2: one row per hour, wallet, provider, model and kind of token (or other unit). Made of the journal's
 * sums, an hour at a time. The cost of a sum is known as a whole: it is divided among its kinds in proportion to what
 * they cost at the prices in force, exactly; x_CostBasis says whether those prices explain it (Metered) or not
 * (Allocated). Called by export.c.
 */
#include "evidence/export.h"

#include "base/check.h"
#include "base/grow.h"
#include "base/hash.h"
#include "prices/prices.h"

enum { HOUR_S = 3600, DAY_S = 86400, TIME_TEXT_MAX = 24, KEY_BYTES_MAX = 3 * (JOURNAL_NAME_BYTES_MAX + 1) };

/* What a row is about: a bucket, or one of these. */
enum { PART_CALLS = BUCKET_COUNT, PART_HITS, PART_COUNT };
static const struct part_row {
    const char *name, *unit, *meter;
} part_rows[PART_COUNT] = {
    [BUCKET_input] = {"input", "Tokens", "Input tokens"},
    [BUCKET_cache_read] = {"cache_read", "Tokens", "Input tokens from the provider's cache"},
    [BUCKET_cache_write] = {"cache_write", "Tokens", "Input tokens to the provider's cache"},
    [BUCKET_cache_write_1h] = {"cache_write_1h", "Tokens", "Input tokens to the provider's cache, for an hour"},
    [BUCKET_input_audio] = {"input_audio", "Tokens", "Audio input tokens"},
    [BUCKET_output] = {"output", "Tokens", "Output tokens"},
    [BUCKET_output_audio] = {"output_audio", "Tokens", "Audio output tokens"},
    [BUCKET_input_image] = {"input_image", "Tokens", "Image input tokens"},
    [BUCKET_output_image] = {"output_image", "Tokens", "Image output tokens"},
    [BUCKET_tool_calls] = {"tool_calls", "Calls", "Calls of the provider's tools"},
    [BUCKET_images] = {"images", "Images", "Images"},
    [BUCKET_seconds] = {"seconds", "Seconds", "Seconds of audio"},
    [BUCKET_characters] = {"characters", "Characters", "Characters spoken"},
    [PART_CALLS] = {"calls", "Requests", "Calls whose use is not known"},
    [PART_HITS] = {"cache_hits", "Requests", "Answers from Tollgate's cache"},
};

enum basis { BASIS_OF_METER, BASIS_OF_SHARES, BASIS_OF_CALLS }; /* of several, the last is said */
static const char *const basis_names[] = {"Metered", "Allocated", "Unmetered"};

struct part {
    bool is_used;
    uint64_t quantity, cost, written_off, avoided;
    enum basis basis;
};
/* One wallet, provider and model in the hour at hand. */
struct group {
    const char *wallet, *provider, *model;
    struct part parts[PART_COUNT];
    UT_hash_handle hh;
    char key[KEY_BYTES_MAX];
};
struct series_prices {
    int64_t pico[BUCKET_COUNT];
};
struct focus {
    struct export_file *file;
    struct arena *arena;
    struct series_prices **prices; /* by series; found when first needed */
    uint32_t series_capacity;
    int64_t hour_s; /* whose groups these are; -1: none */
    struct group *groups;
};

/* ---- columns: the specification's in the order of the alphabet, then ours ---- */

/* clang-format off */
#define FOCUS_COLUMNS(X) \
    X(BilledCost) X(BillingAccountId) X(BillingAccountName) X(BillingCurrency) X(BillingPeriodEnd) \
    X(BillingPeriodStart) X(ChargeCategory) X(ChargeClass) X(ChargeDescription) X(ChargeFrequency) \
    X(ChargePeriodEnd) X(ChargePeriodStart) X(ConsumedQuantity) X(ConsumedUnit) X(ContractedCost) \
    X(EffectiveCost) X(InvoiceIssuerName) X(ListCost) X(PricingCategory) X(PricingQuantity) X(PricingUnit) \
    X(ProviderName) X(PublisherName) X(ServiceCategory) X(ServiceName) X(ServiceSubcategory) X(SkuId) \
    X(SkuMeter) X(SubAccountId) X(SubAccountName) X(x_AvoidedCost) X(x_CostBasis) X(x_Environment) X(x_Model) \
    X(x_TokenType) X(x_WrittenOffCost)
/* clang-format on */
enum column {
#define COLUMN(name) COLUMN_##name,
    FOCUS_COLUMNS(COLUMN)
#undef COLUMN
        COLUMN_COUNT
};
static const char *const column_names[COLUMN_COUNT] = {
#define NAME(name) #name,
    FOCUS_COLUMNS(NAME)
#undef NAME
};

enum { CELL_BYTES_MAX = 1024 };
struct cells {
    char texts[COLUMN_COUNT][CELL_BYTES_MAX]; /* "": null */
};

static void set(struct cells *cells, enum column column, const char *text)
{
    snprintf(cells->texts[column], CELL_BYTES_MAX, "%s", text);
}

static void set_money(struct cells *cells, enum column column, uint64_t nano)
{
    money_format(money_clamp(nano), cells->texts[column]);
}

/* The specification's form of a time: UTC, in seconds. */
static void set_time(struct cells *cells, enum column column, int64_t at_s)
{
    int64_t year, day = at_s / DAY_S, second = at_s % DAY_S;
    unsigned month, of_month;
    zone_civil_from_days(day, &year, &month, &of_month);
    snprintf(cells->texts[column], CELL_BYTES_MAX, "%04lld-%02u-%02uT%02d:%02d:%02dZ", (long long)year, month, of_month,
             (int)(second / HOUR_S), (int)(second / 60 % 60), (int)(second % 60));
}

/* A provider's invoice is of a month. */
static void set_times(struct cells *cells, const struct focus *focus)
{
    const struct period *period = &focus->file->order->period;
    const int64_t start_s = focus->hour_s > period->since_s ? focus->hour_s : period->since_s;
    const int64_t next_s = focus->hour_s + HOUR_S;
    int64_t year;
    unsigned month, day;
    zone_civil_from_days(start_s / DAY_S, &year, &month, &day);
    const int64_t month_days = zone_days_from_civil(year, month, 1);
    const int64_t next_days = zone_days_from_civil(month == 12 ? year + 1 : year, month == 12 ? 1 : month + 1, 1);
    set_time(cells, COLUMN_ChargePeriodStart, start_s);
    set_time(cells, COLUMN_ChargePeriodEnd, next_s < period->until_s ? next_s : period->until_s);
    set_time(cells, COLUMN_BillingPeriodStart, month_days * DAY_S);
    set_time(cells, COLUMN_BillingPeriodEnd, next_days * DAY_S);
}

static void set_amounts(struct cells *cells, const struct part *part, const struct part_row *row)
{
    static const enum column costs[] = {COLUMN_BilledCost, COLUMN_ContractedCost, COLUMN_EffectiveCost,
                                        COLUMN_ListCost};
    static const enum column quantities[] = {COLUMN_ConsumedQuantity, COLUMN_PricingQuantity};
    static const enum column units[] = {COLUMN_ConsumedUnit, COLUMN_PricingUnit};
    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++)
        set_money(cells, costs[i], part->cost);
    for (size_t i = 0; i < 2; i++) {
        snprintf(cells->texts[quantities[i]], CELL_BYTES_MAX, "%llu", (unsigned long long)part->quantity);
        set(cells, units[i], row->unit);
    }
    set_money(cells, COLUMN_x_AvoidedCost, part->avoided);
    set_money(cells, COLUMN_x_WrittenOffCost, part->written_off);
    set(cells, COLUMN_x_CostBasis, basis_names[part->basis]);
}

/* Who bills is the provider; nobody: the row is ours. */
static void set_names(struct cells *cells, const struct focus *focus, const struct group *group,
                      const struct part_row *row)
{
    static const enum column providers[] = {COLUMN_InvoiceIssuerName, COLUMN_ProviderName, COLUMN_PublisherName};
    const char *environment = config_environment_name(focus->file->order->settings->environment);
    const char *provider = *group->provider ? group->provider : "Tollgate", *model = *group->model ? group->model : "-";
    for (size_t i = 0; i < sizeof providers / sizeof *providers; i++)
        set(cells, providers[i], provider);
    set(cells, COLUMN_BillingAccountId, environment);
    snprintf(cells->texts[COLUMN_BillingAccountName], CELL_BYTES_MAX, "Tollgate %s", environment);
    set(cells, COLUMN_BillingCurrency, "USD");
    set(cells, COLUMN_ChargeCategory, "Usage");
    set(cells, COLUMN_ChargeClass, "");
    set(cells, COLUMN_ChargeFrequency, "Usage-Based");
    snprintf(cells->texts[COLUMN_ChargeDescription], CELL_BYTES_MAX, "%s: %s at %s", row->meter, model, provider);
    set(cells, COLUMN_PricingCategory, "Standard");
    set(cells, COLUMN_ServiceCategory, "AI and Machine Learning");
    set(cells, COLUMN_ServiceSubcategory, "Generative AI");
    snprintf(cells->texts[COLUMN_ServiceName], CELL_BYTES_MAX, "%s API", provider);
    snprintf(cells->texts[COLUMN_SkuId], CELL_BYTES_MAX, "%s/%s/%s", provider, model, row->name);
    set(cells, COLUMN_SkuMeter, row->meter);
    set(cells, COLUMN_SubAccountId, group->wallet);
    set(cells, COLUMN_SubAccountName, group->wallet);
    set(cells, COLUMN_x_Environment, environment);
    set(cells, COLUMN_x_Model, group->model);
    set(cells, COLUMN_x_TokenType, row->name);
}

static bool put_row(struct focus *focus, struct cells *cells, const struct group *group, unsigned part)
{
    struct buffer *out = &focus->file->out;
    set_times(cells, focus);
    set_amounts(cells, &group->parts[part], &part_rows[part]);
    set_names(cells, focus, group, &part_rows[part]);
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        csv_put_raw(out, i ? SLICE_LITERAL(",") : SLICE_LITERAL(""));
        csv_put_text(out, slice_of(cells->texts[i]));
    }
    csv_put_raw(out, SLICE_LITERAL("\r\n"));
    return export_end_row(focus->file);
}

static void put_header(struct buffer *out)
{
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        csv_put_raw(out, i ? SLICE_LITERAL(",") : SLICE_LITERAL(""));
        csv_put_raw(out, slice_of(column_names[i]));
    }
    csv_put_raw(out, SLICE_LITERAL("\r\n"));
}

/* ---- an hour ---- */

static int compare_groups(const struct group *a, const struct group *b)
{
    return strcmp(a->key, b->key);
}

/* The table first: the list of its rows outlives it. */
static void free_groups(struct focus *focus)
{
    struct group *group = focus->groups;
    HASH_CLEAR(hh, focus->groups);
    while (group) {
        struct group *next = group->hh.next;
        free(group);
        group = next;
    }
}

static bool end_hour(struct focus *focus)
{
    bool goes_on = true;
    struct cells *cells = calloc(1, sizeof *cells);
    check(cells != NULL);
    HASH_SORT(focus->groups, compare_groups);
    for (const struct group *group = focus->groups; group && goes_on; group = group->hh.next)
        for (unsigned i = 0; i < PART_COUNT && goes_on; i++)
            goes_on = !group->parts[i].is_used || put_row(focus, cells, group, i);
    free(cells);
    free_groups(focus);
    return goes_on;
}

static struct group *get_group(struct focus *focus, const char *const names[DIMENSION_COUNT])
{
    const char *wallet = names[DIMENSION_wallet], *provider = names[DIMENSION_provider],
               *model = names[DIMENSION_model];
    char key[KEY_BYTES_MAX];
    struct group *group;
    snprintf(key, sizeof key, "%s\x1f%s\x1f%s", wallet, provider, model);
    HASH_FIND_STR(focus->groups, key, group);
    if (group)
        return group;
    group = calloc(1, sizeof *group);
    check(group != NULL);
    group->wallet = wallet;
    group->provider = provider;
    group->model = model;
    memcpy(group->key, key, sizeof key);
    HASH_ADD_STR(focus->groups, key, group);
    return group;
}

/* ---- a sum ---- */

static const struct provider *find_provider(const struct settings *settings, const char *id)
{
    for (size_t i = 0; i < settings->provider_count; i++)
        if (!strcmp(settings->providers[i].id, id))
            return &settings->providers[i];
    return NULL;
}

static const struct price_set *find_pricing(const struct settings *settings, const char *target)
{
    for (size_t i = 0; i < settings->target_count; i++)
        if (!strcmp(settings->targets[i].id, target))
            return &settings->targets[i].pricing;
    return NULL;
}

/* All 0 where nothing is known of it. */
static const struct series_prices *get_prices(struct focus *focus, uint32_t series, const char *const *names)
{
    const struct settings *settings = focus->file->order->settings;
    const uint32_t capacity = focus->series_capacity;
    struct price_quote quote;
    focus->prices = grow_array(focus->prices, &focus->series_capacity, series, sizeof *focus->prices);
    memset(focus->prices + capacity, 0, (focus->series_capacity - capacity) * sizeof *focus->prices);
    if (focus->prices[series])
        return focus->prices[series];
    struct series_prices *prices = arena_new_struct(focus->arena, struct series_prices);
    const struct provider *provider = find_provider(settings, names[DIMENSION_provider]);
    if (provider && prices_find(settings, provider, names[DIMENSION_model], NULL,
                                find_pricing(settings, names[DIMENSION_target]), &quote) == ERROR_OK)
        for (size_t i = 0; i < BUCKET_COUNT; i++)
            prices->pico[i] = quote.standard.of[i].pico;
    return focus->prices[series] = prices;
}

/* Each try was rounded up to the next nano-dollar. */
static bool is_explained(uint64_t cost, unsigned __int128 pico, const uint64_t of[MEASURE_COUNT])
{
    const unsigned __int128 paid = (unsigned __int128)cost * 1000;
    uint64_t tries = of[MEASURE_attempts] > of[MEASURE_calls] ? of[MEASURE_attempts] : of[MEASURE_calls];
    return paid >= pico && paid - pico < (unsigned __int128)1000 * (tries ? tries : 1);
}

static void add_part(struct group *group, unsigned index, uint64_t quantity, uint64_t cost, uint64_t written_off,
                     enum basis basis)
{
    struct part *part = &group->parts[index];
    part->is_used = true;
    part->quantity += quantity;
    part->cost += cost;
    part->written_off += written_off;
    part->basis = basis > part->basis ? basis : part->basis;
}

/* Weights: what each bucket costs at the prices in force, in pico-dollars; without prices, the tokens themselves. */
static void add_cost(struct focus *focus, struct group *group, uint32_t series, const char *const *names,
                     const uint64_t of[MEASURE_COUNT])
{
    const uint64_t *used = of + MEASURE_buckets, cost = of[MEASURE_cost], written_off = of[MEASURE_written_off];
    const struct series_prices *prices = get_prices(focus, series, names);
    unsigned __int128 weights[BUCKET_COUNT], pico = 0, units = 0;
    uint64_t costs[BUCKET_COUNT] = {0}, losses[BUCKET_COUNT] = {0};
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        weights[i] = (unsigned __int128)used[i] * (uint64_t)prices->pico[i];
        pico += weights[i];
        units += used[i];
    }
    if (units == 0) {
        uint64_t calls = of[MEASURE_calls] ? of[MEASURE_calls] : 1;
        if (cost || written_off)
            add_part(group, PART_CALLS, calls, cost, written_off, BASIS_OF_CALLS);
        return;
    }
    for (size_t i = 0; i < BUCKET_COUNT && pico == 0; i++)
        weights[i] = used[i];
    check(export_split(cost, weights, BUCKET_COUNT, costs) && export_split(written_off, weights, BUCKET_COUNT, losses));
    for (unsigned i = 0; i < BUCKET_COUNT; i++)
        if (used[i])
            add_part(group, i, used[i], costs[i], losses[i],
                     is_explained(cost, pico, of) ? BASIS_OF_METER : BASIS_OF_SHARES);
}

static bool visit_sum(void *context, int64_t slot_s, uint32_t series, const uint64_t of[MEASURE_COUNT])
{
    struct focus *focus = context;
    const char *names[DIMENSION_COUNT];
    bool goes_on = true;
    if (slot_s - slot_s % HOUR_S != focus->hour_s) {
        goes_on = end_hour(focus);
        focus->hour_s = slot_s - slot_s % HOUR_S;
    }
    for (unsigned i = 0; i < MEASURE_COUNT; i++)
        focus->file->result->sums[i] += of[i];
    journal_find_series(focus->file->order->journal, series, names);
    struct group *group = get_group(focus, names);
    add_cost(focus, group, series, names, of);
    if (of[MEASURE_hits] || of[MEASURE_avoided]) {
        add_part(group, PART_HITS, of[MEASURE_hits], 0, 0, BASIS_OF_METER);
        group->parts[PART_HITS].avoided += of[MEASURE_avoided];
    }
    return goes_on;
}

enum error export_focus(struct export_file *file)
{
    const struct export_order *order = file->order;
    struct focus focus = {.file = file, .arena = arena_new(16384), .hour_s = -1};
    put_header(&file->out);
    enum error error =
        journal_scan_sums(order->journal, order->period.since_s, order->period.until_s, visit_sum, &focus);
    if (!error && !end_hour(&focus))
        error = ERROR_FILE_UNWRITABLE;
    free_groups(&focus);
    free(focus.prices);
    arena_free(focus.arena);
    return error;
}
