/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prices/: which price a model has, what usage costs, and that a hold's bound is one. Vectors of the design are exact;
 * expected amounts were worked out by hand from the published prices. Runs in the repository's root.
 */
#include "prices/prices.h"
#include "tests/unit/suite.h"

#include <pthread.h>
#include <stdlib.h>

enum { MILLION = 1000000 };

static struct settings *load(void)
{
    struct config_problems problems;
    struct settings *settings = NULL;
    struct config_sources sources = {.policy_file = "policies/policy-config.dev.yaml",
                                     .providers_file = "policies/providers.yaml",
                                     .prices_file = "policies/prices.yaml",
                                     .environment = -1};
    config_problems_init(&problems);
    enum error error = config_load(&sources, &problems, &settings);
    if (error)
        config_print_problems(&problems, stderr);
    config_problems_done(&problems);
    CU_ASSERT_EQUAL_FATAL(error, ERROR_OK);
    return settings;
}

static const struct provider *provider_of(const struct settings *settings, const char *id)
{
    for (size_t i = 0; i < settings->provider_count; i++)
        if (strcmp(settings->providers[i].id, id) == 0)
            return &settings->providers[i];
    CU_FAIL_FATAL("no such provider");
    return NULL;
}

static struct price_quote quote_of(const struct settings *settings, const char *provider, const char *model)
{
    struct price_quote quote = {0};
    enum error error = prices_find(settings, provider_of(settings, provider), model, NULL, NULL, &quote);
    EXPECT(error == ERROR_OK, "%s %s", provider, model);
    return quote;
}

/* As written in a policy. */
static struct price price(const char *text)
{
    struct price value = {0};
    EXPECT(price_parse(slice_of(text), &value) == ERROR_OK, "%s", text);
    return value;
}

static const struct {
    const char *provider, *model;
    enum price_basis basis;
    const char *list_model, *input, *output, *cache_read, *cache_write, *cache_write_1h;
    uint64_t output_tokens_max;
} found[] = {
    {"openai", "gpt-5.4-mini", PRICE_LISTED, "gpt-5.4-mini", "0.75", "4.5", "0.075", "0.75", "0.75", 128000},
    {"anthropic", "claude-sonnet-4-5", PRICE_LISTED, "claude-sonnet-4-5", "3", "15", "0.3", "3.75", "6", 64000},
    /* an explicit 0 is 0 */
    {"openai", "gpt-3.5-turbo", PRICE_LISTED, "gpt-3.5-turbo", "0.5", "1.5", "0", "0.5", "0.5", 4096},
    /* the two unlisted models of the policy files */
    {"openai", "gpt-5.4-mini-mini", PRICE_CEILING, "gpt-5.4-mini", "0.75", "4.5", "0.075", "0.75", "0.75", 128000},
    {"anthropic", "claude-haiku", PRICE_CEILING, "claude-haiku-4-5", "1", "5", "0.1", "1.25", "2", 64000},
    /* the family gpt-5.4: mini, nano, pro and itself; pro is the dearest, and has no cache price */
    {"openai", "gpt-5.4-ultra", PRICE_CEILING, "gpt-5.4-pro", "30", "180", "30", "30", "30", 128000},
    /* whole words only: gpt-4o is no gpt-4, gpt-4oo shares "gpt" with all of them */
    {"openai", "gpt-4o-mini-2024-07-18", PRICE_LISTED, "gpt-4o-mini", "0.15", "0.6", "0.075", "0.15", "0.15", 16384},
    {"openai", "gpt-4.1-mini-maxi", PRICE_CEILING, "gpt-4.1-mini", "0.4", "1.6", "0.1", "0.4", "0.4", 32768},
    {"openai", "gpt-4oo", PRICE_CEILING, "gpt-5.4-pro", "30", "180", "30", "30", "30", 272000},
    /* nothing shared: the provider's dearest */
    {"openai", "curie", PRICE_CEILING, "o1-pro", "150", "600", "150", "150", "150", 272000},
    {"openai", "", PRICE_CEILING, "o1-pro", "150", "600", "150", "150", "150", 272000},
    /* the free model of the family does not make its unknown sister free */
    {"cohere", "north-mini-code-2", PRICE_CEILING, NULL, "2.5", "10", "2.5", "2.5", "2.5", 32000},
};

TEST(prices_are_found)
{
    struct settings *settings = load();
    for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
        struct price_quote quote = quote_of(settings, found[i].provider, found[i].model);
        const char *model = found[i].model;
        EXPECT(quote.basis == found[i].basis, "%s: %s", model, prices_basis_name(quote.basis));
        if (found[i].list_model)
            EXPECT_STRING(quote.list_model, found[i].list_model);
        EXPECT(quote.standard.input.pico == price(found[i].input).pico, "%s input", model);
        EXPECT(quote.standard.output.pico == price(found[i].output).pico, "%s output", model);
        EXPECT(quote.standard.cache_read.pico == price(found[i].cache_read).pico, "%s cache_read", model);
        EXPECT(quote.standard.cache_write.pico == price(found[i].cache_write).pico, "%s cache_write", model);
        EXPECT(quote.standard.cache_write_1h.pico == price(found[i].cache_write_1h).pico, "%s 1h", model);
        EXPECT(quote.output_tokens_max == found[i].output_tokens_max, "%s max %llu", model,
               (unsigned long long)quote.output_tokens_max);
    }
    config_release(settings);
}

/* Which row a name has: its own; else without its date, when a whole date is all that differs; an alias's. */
TEST(names_are_found_under_their_alias_their_variant_and_without_their_date)
{
    static struct price_row rows[] = {
        {.family = "f", .model = "chat"},
        {.family = "f", .model = "chat-2025-01-01"},
        {.family = "f", .model = "chat-preview"},
        {.family = "f", .model = "flash"},
        {.family = "f", .model = "image"},
        {.family = "f", .model = "image/1024x1024/hd"},
        {.family = "f", .model = "long-model-name"},
        {.family = "f", .model = "opus-4"},
        {.family = "f", .model = "variants/only"},
    };
    static struct model_alias aliases[] = {
        {"best", "opus-4"}, {"chat-old", "chat"}, {"loop", "best"}, {"flash", "chat"}};
    static const struct {
        const char *model, *variant, *row; /* NULL: the ceiling */
    } wanted[] = {
        {"chat", NULL, "chat"},
        {"chat", "", "chat"},
        {"chat-2025-01-01", NULL, "chat-2025-01-01"}, /* its own goes first */
        {"chat-2025-01-02", NULL, "chat"},
        {"chat-20250102", NULL, "chat"},
        {"chat@20250102", NULL, "chat"},
        {"chat-latest", NULL, "chat"},
        {"opus-4-20250929", NULL, "opus-4"},
        {"models/image", NULL, "image"},
        {"models/opus-4-latest", NULL, "opus-4"},
        {"chat-preview-09-2025", NULL, "chat-preview"}, /* before chat */
        {"opus-4-preview-09-2025", NULL, "opus-4"},
        {"models/opus-4-preview-05-06", NULL, "opus-4"},
        {"best", NULL, "opus-4"},
        {"models/best", NULL, "opus-4"},
        {"chat-old", NULL, "chat"},
        {"flash", NULL, "chat"}, /* the alias goes before the list */
        {"loop", NULL, NULL},    /* one step only */
        {"best-2025-01-02", NULL, NULL},
        {"image", "1024x1024/hd", "image/1024x1024/hd"},
        {"image-2025-04-15", "1024x1024/hd", "image/1024x1024/hd"},
        {"image", "1024x1024/low", "image"},
        {"image", NULL, "image"},
        {"variants", "only", "variants/only"},
        {"variants", "other", NULL},
        {"variants", NULL, NULL},
        /* what is no date, or not all that differs */
        {"chat-2025-13-01", NULL, NULL},
        {"chat-2025-00-10", NULL, NULL},
        {"chat-1025-01-01", NULL, NULL},
        {"chat-2025-01-1", NULL, NULL},
        {"chat-0613", NULL, NULL},
        {"chat-2411", NULL, NULL},
        {"chat-32k", NULL, NULL},
        {"chat-09-2025", NULL, NULL},
        {"chat-05-06", NULL, NULL},
        {"long-model-name-09-2025", NULL, NULL},
        {"long-model-name-05-06", NULL, NULL},
        {"opus-4-preview", NULL, NULL},
        {"chat-mini-2025-01-01", NULL, NULL},
        {"chat2025-01-01", NULL, NULL},
        {"chat-2025-01-01-x", NULL, NULL},
        {"my-chat", NULL, NULL},
        {"-2025-01-01", NULL, NULL},
        {"-latest", NULL, NULL},
        {"-preview-09-2025", NULL, NULL},
        {"models/", NULL, NULL},
        {"", "", NULL},
        {"", "x", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        rows[i].prices =
            (struct price_set){.input = {1000 + (int64_t)i}, .output = {1000}, .has_input = true, .has_output = true};
    struct settings settings = {.prices = rows, .price_count = sizeof rows / sizeof *rows};
    const struct provider provider = {
        .price_family = "f", .aliases = aliases, .alias_count = sizeof aliases / sizeof *aliases};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        struct price_quote quote;
        CU_ASSERT_EQUAL_FATAL(prices_find(&settings, &provider, wanted[i].model, wanted[i].variant, NULL, &quote),
                              ERROR_OK);
        EXPECT(quote.basis == (wanted[i].row ? PRICE_LISTED : PRICE_CEILING), "%s: %s", wanted[i].model,
               quote.list_model);
        if (wanted[i].row)
            EXPECT_STRING(quote.list_model, wanted[i].row);
    }
    /* the family of a name is that of what it stands for */
    struct price_quote quote;
    static struct model_alias unlisted = {"nick", "opus-4-x"};
    const struct provider nicknamed = {.price_family = "f", .aliases = &unlisted, .alias_count = 1};
    CU_ASSERT_EQUAL_FATAL(prices_find(&settings, &nicknamed, "nick", NULL, NULL, &quote), ERROR_OK);
    EXPECT_STRING(quote.list_model, "opus-4");
    CU_ASSERT_EQUAL_FATAL(prices_find(&settings, &nicknamed, "models/opus-4-y", NULL, NULL, &quote), ERROR_OK);
    EXPECT_STRING(quote.list_model, "opus-4");
    char *long_one = malloc(100001);
    memset(long_one, 'a', 100000);
    long_one[100000] = '\0';
    CU_ASSERT_EQUAL(prices_find(&settings, &provider, long_one, long_one, NULL, &quote), ERROR_OK);
    EXPECT_INTEGER(quote.basis, PRICE_CEILING);
    free(long_one);
}

TEST(dated_names_of_the_real_list)
{
    static const struct {
        const char *provider, *model, *row;
    } names[] = {
        {"openai", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"},
        {"openai", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13"}, /* dearer than gpt-4o: its own row */
        {"openai", "gpt-4o-2026-01-01", "gpt-4o"},
        {"anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20250929"},
        {"anthropic", "claude-sonnet-4-5-20260101", "claude-sonnet-4-5"},
        {"google", "models/gemini-2.5-flash", "gemini-2.5-flash"},
        {"google", "gemini-2.5-flash-preview-09-2025", "gemini-2.5-flash"},
        {"google", "models/gemini-2.5-flash-lite-preview-06-17", "gemini-2.5-flash-lite"},
        {"google", "gemini-2.5-flash-preview-tts", "gemini-2.5-flash-preview-tts"},
        {"google", "gemini-flash-latest", "gemini-flash-latest"},
    };
    struct settings *settings = load();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct price_quote quote = quote_of(settings, names[i].provider, names[i].model);
        EXPECT(quote.basis == PRICE_LISTED, "%s", names[i].model);
        EXPECT_STRING(quote.list_model, names[i].row);
    }
    config_release(settings);
}

TEST(models_without_a_known_maximum_get_the_stated_default)
{
    struct settings *settings = load();
    EXPECT_INTEGER(quote_of(settings, "google", "gemini-2.5-pro").output_tokens_max, PRICES_OUTPUT_TOKENS_DEFAULT);
    config_release(settings);
}

/* The list says nothing of it: then the most that it says of the family, and no more than the model's own window. */
TEST(limits_that_no_list_states_are_the_greatest_of_the_family)
{
    static struct price_row rows[] = {
        {.family = "f", .model = "a", .output_tokens_max = 300000, .context_tokens = 900000},
        {.family = "f", .model = "b"},
        {.family = "f", .model = "c", .context_tokens = 250000},
        {.family = "f", .model = "d", .output_tokens_max = 10},
        {.family = "g", .model = "a", .output_tokens_max = 9000000, .context_tokens = 9000000},
    };
    static const struct {
        const char *model;
        uint64_t output, context;
    } wanted[] = {{"a", 300000, 900000}, {"b", 300000, 900000}, {"c", 250000, 250000}, {"d", 10, 900000}};
    struct settings settings = {.prices = rows, .price_count = sizeof rows / sizeof *rows};
    const struct provider provider = {.price_family = "f"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        struct price_quote quote;
        CU_ASSERT_EQUAL_FATAL(prices_find(&settings, &provider, wanted[i].model, NULL, NULL, &quote), ERROR_OK);
        EXPECT_INTEGER(quote.output_tokens_max, wanted[i].output);
        EXPECT_INTEGER(quote.context_tokens, wanted[i].context);
    }
}

TEST(no_model_of_the_list_has_a_bound_of_nothing)
{
    struct settings *settings = load();
    for (size_t i = 0; i < settings->price_count; i++) {
        const struct provider provider = {.price_family = settings->prices[i].family};
        struct price_quote quote;
        if (prices_find(settings, &provider, settings->prices[i].model, NULL, NULL, &quote) == ERROR_OK)
            EXPECT(quote.output_tokens_max > 0, "%s", settings->prices[i].model);
    }
    config_release(settings);
}

TEST(unknown_prices_can_be_blocked)
{
    struct settings *settings = load();
    struct price_quote quote = {.context_tokens = 7};
    const struct provider *openai = provider_of(settings, "openai");
    settings->cost_tracking.unknown_price = UNKNOWN_PRICE_BLOCK;
    EXPECT_INTEGER(prices_find(settings, openai, "gpt-5.4-mini-mini", NULL, NULL, &quote), ERROR_PRICE_UNKNOWN);
    EXPECT_INTEGER(quote.context_tokens, 7); /* untouched */
    EXPECT_INTEGER(prices_find(settings, openai, "gpt-5.4-mini", NULL, NULL, &quote), ERROR_OK);
    struct price_set pricing = {.input = price("1"), .has_input = true};
    EXPECT_INTEGER(prices_find(settings, openai, "gpt-5.4-mini-mini", NULL, &pricing, &quote), ERROR_PRICE_UNKNOWN);
    pricing.has_output = true;
    EXPECT_INTEGER(prices_find(settings, openai, "gpt-5.4-mini-mini", NULL, &pricing, &quote), ERROR_OK);
    EXPECT_INTEGER(quote.basis, PRICE_PINNED);
    config_release(settings);
}

TEST(a_family_without_any_price_is_unknown_even_with_a_ceiling)
{
    struct settings *settings = load();
    struct provider provider = {.id = "x", .price_family = "nobody"};
    struct price_quote quote;
    EXPECT_INTEGER(prices_find(settings, &provider, "m", NULL, NULL, &quote), ERROR_PRICE_UNKNOWN);
    config_release(settings);
}

static const struct {
    const char *provider, *model, *service_tier;
    struct usage tokens;
    const char *cost;
} costs[] = {
    /* the vector of the design: 3 fresh, 12304 written, 550 out at 3/3.75/15 */
    {"anthropic", "claude-sonnet-4-5", "", {.input = 3, .cache_write = 12304, .output = 550}, "0.054399"},
    {"anthropic", "claude-sonnet-4-5", "", {.cache_write_1h = MILLION}, "6"},
    /* fast: 30 in and 150 out; writing to the cache is 1.25 and 2 times that */
    {"anthropic", "claude-opus-4-6", "fast", {.input = MILLION, .cache_write = MILLION, .output = 1}, "67.50015"},
    {"anthropic", "claude-opus-4-6", "fast", {.cache_write_1h = MILLION, .cache_read = MILLION}, "63"},
    {"anthropic", "claude-opus-4-6", "standard", {.cache_write = MILLION}, "6.25"},
    {"anthropic", "claude-sonnet-4-5", "standard", {.cache_read = MILLION, .output = 1}, "0.300015"},
    /* 2600 = 2000 fresh + 400 read + 200 written, written at the input price: it has none of its own */
    {"openai", "gpt-5.4-mini", "default", {.input = 2000, .cache_read = 400, .cache_write = 200}, "0.00168"},
    /* rounded up once, to a nano-USD: 1 token at 0.075 per million is 75 nano; at 0.0375 37.5 */
    {"openai", "gpt-5.4-mini", "", {.cache_read = 1}, "0.000000075"},
    {"groq", "openai/gpt-oss-20b", "", {.cache_read = 1}, "0.000000038"},
    {"groq", "openai/gpt-oss-20b", "", {.cache_read = 1, .input = 1}, "0.000000113"},
    {"openai", "gpt-5.4-mini", "", {0}, "0"},
    /* tiers: above 272,000 tokens of prompt, whichever bucket, all of it is dearer, the answer too */
    {"openai", "gpt-5.4", "", {.input = 272000, .output = 1000}, "0.695"},
    {"openai", "gpt-5.4", "", {.input = 272001, .output = 1000}, "1.382505"},
    {"openai", "gpt-5.4", "", {.input = 1, .cache_read = 272000, .output = 1000}, "0.158505"},
    {"google", "gemini-2.5-pro", "", {.input = 200000}, "0.25"},
    {"google", "gemini-2.5-pro", "", {.input = 200001}, "0.5000025"},
    /* service tiers */
    {"openai", "gpt-5.4-mini", "priority", {.input = 1000, .cache_read = 1000, .output = 1000}, "0.01065"},
    {"openai", "gpt-5.4-nano", "priority", {.input = 1000}, "0.0002"}, /* none listed: standard */
    {"openai", "gpt-5.4-mini", "flex", {.input = 1000, .output = 1000}, "0.002625"},
    {"openai", "gpt-5.4-mini", "batch", {.input = 1}, "0.000000375"},
    {"openai", "gpt-5.4-mini", "no-such-tier", {.input = 1000}, "0.00075"},
    {"openai", "gpt-5.4", "priority", {.input = 300000, .output = 1000}, "1.53"}, /* the dearer of both */
    /* audio */
    {"google", "gemini-2.5-flash", "", {.input = 1000, .input_audio = 1000, .output_audio = 1000}, "0.0038"},
    /* embeddings cost nothing on the way out */
    {"openai", "text-embedding-3-small", "", {.input = 8191, .output = 5}, "0.00016382"},
    {"openai", "gpt-5.4-mini-mini", "", {.input = 1000, .output = 1000}, "0.00525"},
};

static void expect_money(struct money money, const char *wanted, const char *what)
{
    char text[MONEY_TEXT_MAX];
    money_format(money, text);
    EXPECT(strcmp(text, wanted) == 0, "%s: got %s, wanted %s", what, text, wanted);
}

TEST(usage_costs_exactly)
{
    struct settings *settings = load();
    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++) {
        struct price_quote quote = quote_of(settings, costs[i].provider, costs[i].model);
        struct money cost = {-1};
        EXPECT_INTEGER(prices_cost(&quote, &costs[i].tokens, costs[i].service_tier, &cost), ERROR_OK);
        expect_money(cost, costs[i].cost, costs[i].model);
    }
    config_release(settings);
}

TEST(pinned_prices_go_before_the_list_its_tiers_and_its_fast_prices)
{
    struct settings *settings = load();
    struct price_set pricing = {.input = price("1"), .has_input = true};
    struct price_quote quote;
    struct usage tokens = {.input = 300000, .output = 1000};
    struct money cost;
    const struct provider *openai = provider_of(settings, "openai");
    CU_ASSERT_EQUAL_FATAL(prices_find(settings, openai, "gpt-5.4", NULL, &pricing, &quote), ERROR_OK);
    EXPECT_STRING(prices_basis_name(quote.basis), "pinned");
    EXPECT_INTEGER(prices_cost(&quote, &tokens, "", &cost), ERROR_OK);
    expect_money(cost, "0.3225", "input pinned at 1, output of the long tier 22.5");
    EXPECT_INTEGER(prices_cost(&quote, &tokens, "priority", &cost), ERROR_OK);
    expect_money(cost, "0.33", "output fast at 30");
    pricing = (struct price_set){.input = price("0"), .output = price("0"), .has_input = true, .has_output = true};
    CU_ASSERT_EQUAL_FATAL(prices_find(settings, openai, "llama-at-home", NULL, &pricing, &quote), ERROR_OK);
    CU_ASSERT_PTR_NULL(quote.row);
    CU_ASSERT_PTR_NULL(quote.list_model);
    EXPECT_INTEGER(prices_cost(&quote, &tokens, "", &cost), ERROR_OK);
    expect_money(cost, "0", "free where the policy says so");
    /* half a pin on an unknown model: the rest is the ceiling's */
    pricing = (struct price_set){.input = price("1"), .has_input = true};
    CU_ASSERT_EQUAL_FATAL(prices_find(settings, openai, "gpt-5.4-mini-mini", NULL, &pricing, &quote), ERROR_OK);
    EXPECT_INTEGER(quote.basis, PRICE_CEILING);
    EXPECT_INTEGER(quote.standard.input.pico, price("1").pico);
    EXPECT_INTEGER(quote.standard.output.pico, price("4.5").pico);
    config_release(settings);
}

static const struct {
    const char *provider, *model, *service_tier;
    uint64_t input, output, choices;
    const char *bound;
} bounds[] = {
    {"openai", "gpt-5.4-mini", "", 1000, 1000, 1, "0.00525"},
    {"openai", "gpt-5.4-mini", "", 1000, 1000, 3, "0.01425"},
    {"openai", "gpt-5.4-mini", "", 1000, 1000, 0, "0.00525"},     /* n absent is 1 */
    {"openai", "gpt-5.4-mini", "flex", 1000, 1000, 1, "0.00525"}, /* half only when billed so */
    {"openai", "gpt-5.4-mini", "priority", 1000, 1000, 1, "0.0105"},
    {"anthropic", "claude-sonnet-4-5", "", MILLION, 0, 1, "6"}, /* all of it written for an hour */
    {"anthropic", "claude-opus-4-6", "", MILLION, 0, 1, "10"},
    {"anthropic", "claude-opus-4-6", "fast", MILLION, 0, 1, "60"},
    {"openai", "gpt-5.4", "", 272000, 0, 1, "0.68"},
    {"openai", "gpt-5.4", "", 272001, 1000, 1, "1.382505"},
    {"google", "gemini-2.5-flash", "", 1000, 0, 1, "0.001"}, /* all of it audio */
};

TEST(bounds_take_the_dearest_rate_that_can_be_reached)
{
    struct settings *settings = load();
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        struct price_quote quote = quote_of(settings, bounds[i].provider, bounds[i].model);
        struct money bound = {-1};
        EXPECT_INTEGER(
            prices_bound(&quote,
                         &(struct price_bound){
                             bounds[i].input, bounds[i].output, bounds[i].choices, {0}, bounds[i].service_tier},
                         &bound),
            ERROR_OK);
        expect_money(bound, bounds[i].bound, bounds[i].model);
    }
    config_release(settings);
}

/* xorshift64: the same numbers every run. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* The promise of a hold, over the whole list: whatever usage stays within the bound's tokens, its cost stays within the
 * bound's money. */
TEST(no_usage_within_the_bound_costs_more_than_it)
{
    static const char *const tiers[] = {"", "priority", "flex", "batch", "default", "fast"};
    struct settings *settings = load();
    uint64_t state = 88172645463325252u, checked = 0;
    for (size_t i = 0; i < settings->price_count; i++) {
        struct provider provider = {.price_family = settings->prices[i].family,
                                    .dialect = i % 2 ? DIALECT_ANTHROPIC : DIALECT_OPENAI};
        for (unsigned round = 0; round < 40; round++) {
            char model[160];
            snprintf(model, sizeof model, "%s%s", settings->prices[i].model, round % 2 ? "" : "-unknown");
            struct price_quote quote;
            struct usage use = {.input = next_random(&state) % 300000,
                                .cache_read = next_random(&state) % 90000,
                                .cache_write = next_random(&state) % 50000,
                                .cache_write_1h = next_random(&state) % 50000,
                                .input_audio = next_random(&state) % 9000,
                                .output = next_random(&state) % 60000,
                                .output_audio = next_random(&state) % 900};
            uint64_t input = use.input + use.cache_read + use.cache_write + use.cache_write_1h + use.input_audio;
            const char *tier = tiers[next_random(&state) % (sizeof tiers / sizeof *tiers)];
            struct money cost, bound;
            if (prices_find(settings, &provider, model, NULL, NULL, &quote) != ERROR_OK)
                continue;
            CU_ASSERT_EQUAL_FATAL(prices_cost(&quote, &use, tier, &cost), ERROR_OK);
            /* n choices, each with its own share of the output, and none of them above the limit */
            uint64_t choices = 1 + next_random(&state) % 4;
            uint64_t limit = (use.output + use.output_audio + choices - 1) / choices;
            CU_ASSERT_EQUAL_FATAL(
                prices_bound(&quote,
                             &(struct price_bound){input + next_random(&state) % 1000, limit, choices, {0}, tier},
                             &bound),
                ERROR_OK);
            checked++;
            if (money_compare(cost, bound) > 0)
                EXPECT(false, "%s %s %s", provider.price_family, model, tier);
        }
    }
    EXPECT(checked > 20000, "%llu", (unsigned long long)checked);
    config_release(settings);
}

/* ---- units ---- */

/* Tool calls have a price in the family, images one of a variant, seconds one at a model; characters none. */
static struct price_row unit_rows[] = {
    {.family = "f", .model = "chat"},   {.family = "f", .model = "image"},  {.family = "f", .model = "image/hd"},
    {.family = "f", .model = "search"}, {.family = "f", .model = "speech"}, {.family = "g", .model = "other"},
};

static struct settings unit_settings(void)
{
    enum { CHAT, IMAGE, IMAGE_HD, SEARCH, SPEECH, OTHER };
    for (size_t i = 0; i < sizeof unit_rows / sizeof *unit_rows; i++)
        unit_rows[i].prices = (struct price_set){.has_input = true, .has_output = true};
    unit_rows[CHAT].prices.input = unit_rows[OTHER].prices.input = price("1");
    unit_rows[CHAT].prices.output = unit_rows[OTHER].prices.output = price("2");
    unit_rows[CHAT].prices.tool_calls = price("10000");
    unit_rows[SEARCH].prices.tool_calls = price("25000");
    unit_rows[IMAGE].prices.images = price("40000");
    unit_rows[IMAGE_HD].prices.images = price("80000");
    unit_rows[SPEECH].prices.seconds = price("100");
    unit_rows[OTHER].prices.characters = price("15");
    unit_rows[CHAT].prices.has_tool_calls = unit_rows[SEARCH].prices.has_tool_calls = true;
    unit_rows[IMAGE].prices.has_images = unit_rows[IMAGE_HD].prices.has_images = true;
    unit_rows[SPEECH].prices.has_seconds = unit_rows[OTHER].prices.has_characters = true;
    return (struct settings){.prices = unit_rows, .price_count = sizeof unit_rows / sizeof *unit_rows};
}

/* Pictures of a tool: at the prices of the model that draws, at no other service level, in the bound as in the cost. */
TEST(drawings_cost_what_their_own_model_costs)
{
    static const struct {
        const char *model, *tier;
        uint64_t input, output, drawn_in, drawn_out;
        const char *cost;
    } rows[] = {
        {"gpt-image-1", "", 100, 50, 60, 6240, "0.2502825"},
        {"gpt-image-1-mini", "", 0, 0, 60, 6240, "0.05007"},
        {"gpt-image-2", "", 0, 0, 1000, 1000, "0.035"},
        {"gpt-image-1", "flex", 1000, 0, 0, 1000, "0.0401"},
        {"gpt-image-1", "batch", 1000, 0, 0, 1000, "0.0401"},
        {"gpt-image-99", "", 0, 0, 1000, 1000, "0.05"}, /* the dearest of its family */
    };
    struct settings *settings = load();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct price_quote quote = quote_of(settings, "openai", "gpt-5.4-nano");
        const struct usage usage = {.input = rows[i].input,
                                    .output = rows[i].output,
                                    .input_image = rows[i].drawn_in,
                                    .output_image = rows[i].drawn_out};
        const struct price_bound most = {.input_tokens = rows[i].input,
                                         .output_tokens = rows[i].output,
                                         .units = {.input_image = rows[i].drawn_in, .output_image = rows[i].drawn_out},
                                         .service_tier = rows[i].tier};
        struct money cost = {-1}, bound = {-1};
        EXPECT_INTEGER(prices_find_drawing(settings, provider_of(settings, "openai"), rows[i].model, &quote), ERROR_OK);
        EXPECT_INTEGER(prices_cost(&quote, &usage, rows[i].tier, &cost), ERROR_OK);
        EXPECT_INTEGER(prices_bound(&quote, &most, &bound), ERROR_OK);
        expect_money(cost, rows[i].cost, rows[i].model);
        EXPECT(money_compare(cost, bound) <= 0, "%s %s: above its bound", rows[i].model, rows[i].tier);
    }
    config_release(settings);
}

TEST(units_cost_what_they_cost_and_the_unknown_the_dearest)
{
    static const struct {
        const char *model, *variant;
        struct usage usage;
        enum error error;
        const char *cost;
    } rows[] = {
        {"chat", NULL, {.input = MILLION, .tool_calls = 3}, ERROR_OK, "1.03"},
        {"image", NULL, {.images = 2}, ERROR_OK, "0.08"},
        {"image", "hd", {.images = 2}, ERROR_OK, "0.16"},
        {"image", "low", {.images = 2}, ERROR_OK, "0.08"},
        {"speech", NULL, {.seconds = 60}, ERROR_OK, "0.006"},
        /* listed, but not that: the dearest of the family */
        {"chat", NULL, {.images = 1}, ERROR_OK, "0.08"},
        {"image", NULL, {.tool_calls = 1}, ERROR_OK, "0.025"},
        {"unknown", NULL, {.tool_calls = 1, .images = 1, .seconds = 1}, ERROR_OK, "0.1051"},
        {"image-2", NULL, {.images = 1}, ERROR_OK, "0.04"}, /* of the longest matching names */
        /* nobody has that: an error, but only once it is used */
        {"chat", NULL, {.characters = 1}, ERROR_PRICE_UNKNOWN, NULL},
        {"unknown", NULL, {.characters = 1}, ERROR_PRICE_UNKNOWN, NULL},
        {"chat", NULL, {.output = MILLION}, ERROR_OK, "2"},
        {"chat", NULL, {.tool_calls = UINT64_MAX}, ERROR_AMOUNT_OVERFLOW, NULL},
    };
    struct settings settings = unit_settings();
    const struct provider provider = {.price_family = "f"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct price_quote quote;
        struct money cost = {42}, bound = {42};
        const struct usage *usage = &rows[i].usage;
        CU_ASSERT_EQUAL_FATAL(prices_find(&settings, &provider, rows[i].model, rows[i].variant, NULL, &quote),
                              ERROR_OK);
        EXPECT_INTEGER(prices_cost(&quote, usage, "", &cost), rows[i].error);
        EXPECT_INTEGER(prices_bound(&quote, &(struct price_bound){usage->input, usage->output, 1, *usage, ""}, &bound),
                       rows[i].error);
        if (rows[i].error) {
            CU_ASSERT(cost.nano == 42 && bound.nano == 42);
            continue;
        }
        expect_money(cost, rows[i].cost, rows[i].model);
        expect_money(bound, rows[i].cost, rows[i].model);
    }
}

TEST(units_without_a_price_are_not_made_up_when_the_policy_blocks)
{
    struct settings settings = unit_settings();
    const struct provider provider = {.price_family = "f"};
    struct price_quote quote;
    struct money money;
    settings.cost_tracking.unknown_price = UNKNOWN_PRICE_BLOCK;
    CU_ASSERT_EQUAL_FATAL(prices_find(&settings, &provider, "chat", NULL, NULL, &quote), ERROR_OK);
    CU_ASSERT(quote.standard.has_tool_calls && !quote.standard.has_images && quote.standard.images.pico == 0);
    EXPECT_INTEGER(prices_cost(&quote, &(struct usage){.tool_calls = 1}, "", &money), ERROR_OK);
    EXPECT_INTEGER(prices_cost(&quote, &(struct usage){.images = 1}, "", &money), ERROR_PRICE_UNKNOWN);
    EXPECT_INTEGER(prices_find(&settings, &provider, "unknown", NULL, NULL, &quote), ERROR_PRICE_UNKNOWN);
    /* a target's own price goes before all */
    struct price_set pricing = {.images = price("5"), .has_images = true};
    CU_ASSERT_EQUAL_FATAL(prices_find(&settings, &provider, "chat", NULL, &pricing, &quote), ERROR_OK);
    EXPECT_INTEGER(prices_cost(&quote, &(struct usage){.images = MILLION}, "", &money), ERROR_OK);
    expect_money(money, "5", "pinned");
    settings.cost_tracking.unknown_price = UNKNOWN_PRICE_CEILING;
    pricing.images = price("0"); /* an explicit 0 is 0, also in a family that has a price */
    CU_ASSERT_EQUAL_FATAL(prices_find(&settings, &provider, "chat", NULL, &pricing, &quote), ERROR_OK);
    EXPECT_INTEGER(prices_cost(&quote, &(struct usage){.images = MILLION}, "", &money), ERROR_OK);
    expect_money(money, "0", "pinned at 0");
    /* a target priced as a whole, of a model that no list knows: units are the family's */
    pricing = (struct price_set){.has_input = true, .has_output = true};
    CU_ASSERT_EQUAL_FATAL(prices_find(&settings, &provider, "at-home", NULL, &pricing, &quote), ERROR_OK);
    EXPECT_INTEGER(prices_cost(&quote, &(struct usage){.input = 5, .tool_calls = 2}, "", &money), ERROR_OK);
    expect_money(money, "0.05", "pinned tokens, tool calls of the family");
    EXPECT_INTEGER(prices_cost(&quote, &(struct usage){.characters = 2}, "", &money), ERROR_PRICE_UNKNOWN);
}

TEST(half_prices_are_of_tokens_and_believed_of_batches_alone)
{
    static const struct {
        const char *service_tier, *cost, *bound;
    } rows[] = {{"", "3.01", "3.01"},
                {"batch", "1.51", "1.51"},
                {"flex", "1.51", "3.01"},
                {"default", "3.01", "3.01"},
                {NULL, "3.01", "3.01"}};
    struct settings settings = unit_settings();
    const struct provider provider = {.price_family = "f"};
    const struct usage usage = {.input = MILLION, .output = MILLION, .tool_calls = 1};
    struct price_quote quote;
    struct money money;
    CU_ASSERT_EQUAL_FATAL(prices_find(&settings, &provider, "chat", NULL, NULL, &quote), ERROR_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        EXPECT_INTEGER(prices_cost(&quote, &usage, rows[i].service_tier, &money), ERROR_OK);
        expect_money(money, rows[i].cost, rows[i].service_tier ? rows[i].service_tier : "NULL");
        EXPECT_INTEGER(
            prices_bound(&quote, &(struct price_bound){MILLION, MILLION, 1, usage, rows[i].service_tier}, &money),
            ERROR_OK);
        expect_money(money, rows[i].bound, rows[i].service_tier ? rows[i].service_tier : "NULL");
    }
    quote.is_regional = true; /* a tenth more of each token's price, not of the tool's */
    static const char *const tiers[][2] = {{"", "3.31"}, {"batch", "1.66"}};
    for (size_t i = 0; i < sizeof tiers / sizeof *tiers; i++) {
        EXPECT_INTEGER(prices_cost(&quote, &usage, tiers[i][0], &money), ERROR_OK);
        expect_money(money, tiers[i][1], "regional");
        EXPECT_INTEGER(prices_bound(&quote, &(struct price_bound){MILLION, MILLION, 1, usage, tiers[i][0]}, &money),
                       ERROR_OK);
        expect_money(money, tiers[i][1], "regional bound");
    }
}

/* A price list of anything: each member there or not, tiers and fast prices that go up or down. */
static void random_prices(struct price_set *set, uint64_t *state, bool is_complete)
{
    *set = (struct price_set){0};
    for (size_t b = 0; b < BUCKET_COUNT; b++) {
        set->has[b] = next_random(state) % 3 == 0;
        if (set->has[b])
            set->of[b].pico = (int64_t)(next_random(state) % 4 ? next_random(state) % 50000000 : 0);
    }
    if (!is_complete)
        return;
    set->has_input = set->has_output = true;
    set->input.pico = (int64_t)(next_random(state) % 9000000);
    set->output.pico = (int64_t)(next_random(state) % 9000000);
}

/* The promise of a hold, with every bucket and unit, over lists that no provider would print. */
TEST(no_usage_of_any_bucket_within_the_bound_costs_more_than_it)
{
    enum { ROWS = 6 };
    static const char *const tiers[] = {"", "priority", "flex", "batch", "default", "fast"};
    static const char *const names[ROWS] = {"a-1", "a-1/x", "a-2", "b-1", "b-2", "c"};
    static const char *const asked[] = {"a-1", "a-3", "b-1-2025-01-01", "c", "d", ""};
    uint64_t state = 20250101, checked = 0, unknown = 0;
    for (unsigned list = 0; list < 400; list++) {
        struct price_tier steps[ROWS][2];
        struct price_row rows[ROWS];
        for (size_t i = 0; i < ROWS; i++) {
            rows[i] = (struct price_row){
                .family = "f", .model = names[i], .tiers = steps[i], .tier_count = next_random(&state) % 3};
            random_prices(&rows[i].prices, &state, true);
            random_prices(&rows[i].fast, &state, false);
            random_prices(&steps[i][0].prices, &state, false);
            random_prices(&steps[i][1].prices, &state, false);
            steps[i][0].above_tokens = next_random(&state) % 1000;
            steps[i][1].above_tokens = 1000 + next_random(&state) % 1000;
        }
        struct settings settings = {.prices = rows, .price_count = ROWS};
        for (unsigned round = 0; round < 100; round++) {
            struct provider provider = {.price_family = "f", .dialect = round % 2 ? DIALECT_ANTHROPIC : DIALECT_OPENAI};
            struct price_set pricing;
            struct price_quote quote;
            struct usage use = {0};
            struct price_bound most = {.choices = 1 + next_random(&state) % 3,
                                       .service_tier = tiers[next_random(&state) % 6]};
            random_prices(&pricing, &state, false);
            if (prices_find(&settings, &provider, asked[next_random(&state) % 6], round % 3 ? "x" : NULL,
                            round % 5 ? NULL : &pricing, &quote) != ERROR_OK)
                continue;
            uint64_t output = 0;
            for (size_t b = 0; b < BUCKET_COUNT; b++) {
                use.of[b] = next_random(&state) % 3 ? next_random(&state) % 700 : 0;
                if (bucket_rows[b].side == SIDE_UNIT)
                    most.units.of[b] = use.of[b] + next_random(&state) % 2;
                else if (bucket_rows[b].side == SIDE_PROMPT)
                    most.input_tokens += use.of[b];
                else
                    output += use.of[b];
            }
            most.input_tokens += next_random(&state) % 500;
            most.output_tokens = (output + most.choices - 1) / most.choices;
            struct money cost, bound;
            enum error bound_error = prices_bound(&quote, &most, &bound);
            enum error error = prices_cost(&quote, &use, most.service_tier, &cost);
            /* what cannot be priced at the end was refused at the beginning */
            EXPECT(!error || bound_error == error, "cost %d, bound %d", error, bound_error);
            unknown += bound_error == ERROR_PRICE_UNKNOWN;
            if (error || bound_error)
                continue;
            checked++;
            if (money_compare(cost, bound) > 0)
                EXPECT(false, "list %u, round %u, tier \"%s\": %lld > %lld", list, round, most.service_tier,
                       (long long)cost.nano, (long long)bound.nano);
        }
    }
    EXPECT(checked > 10000 && unknown > 100, "%llu, %llu", (unsigned long long)checked, (unsigned long long)unknown);
}

/* What the clamp rests on: the limit found is affordable, the next is not. */
TEST(an_output_limit_is_the_greatest_that_a_sum_pays)
{
    static const char *const models[] = {"gpt-5.4", "gpt-5.4-mini", "text-embedding-3-small", "o1-pro"};
    struct settings *settings = load();
    uint64_t state = 1234567, partial = 0;
    for (unsigned round = 0; round < 4000; round++) {
        struct price_quote quote = quote_of(settings, "openai", models[round % 4]);
        const char *tier = round % 3 ? "priority" : "";
        uint64_t input = next_random(&state) % 400000, least = 1 + next_random(&state) % 500,
                 most = least + next_random(&state) % 130000, choices = next_random(&state) % 5;
        struct money sum = {(int64_t)(next_random(&state) % 12000000000)}, bound;
        uint64_t limit =
            prices_find_output_limit(&quote, &(struct price_bound){input, most, choices, {0}, tier}, least, sum);
        if (limit == 0) {
            CU_ASSERT_EQUAL_FATAL(prices_bound(&quote, &(struct price_bound){input, least, choices, {0}, tier}, &bound),
                                  ERROR_OK);
            EXPECT(money_compare(bound, sum) > 0, "round %u: %llu tokens fit", round, (unsigned long long)least);
            continue;
        }
        EXPECT(limit >= least && limit <= most, "round %u: %llu", round, (unsigned long long)limit);
        CU_ASSERT_EQUAL_FATAL(prices_bound(&quote, &(struct price_bound){input, limit, choices, {0}, tier}, &bound),
                              ERROR_OK);
        EXPECT(money_compare(bound, sum) <= 0, "round %u: %llu tokens do not fit", round, (unsigned long long)limit);
        if (limit == most)
            continue;
        partial++;
        CU_ASSERT_EQUAL_FATAL(prices_bound(&quote, &(struct price_bound){input, limit + 1, choices, {0}, tier}, &bound),
                              ERROR_OK);
        EXPECT(money_compare(bound, sum) > 0, "round %u: one more than %llu fits", round, (unsigned long long)limit);
    }
    EXPECT(partial > 300, "%llu", (unsigned long long)partial);
    config_release(settings);
}

TEST(an_output_limit_at_the_edges)
{
    struct settings *settings = load();
    struct price_quote quote = quote_of(settings, "openai", "gpt-5.4-mini"); /* 4500 nano per token */
    EXPECT_INTEGER(prices_find_output_limit(&quote, &(struct price_bound){0, 1, 1, {0}, ""}, 1, (struct money){4500}),
                   1);
    EXPECT_INTEGER(prices_find_output_limit(&quote, &(struct price_bound){0, 1, 1, {0}, ""}, 1, (struct money){4499}),
                   0);
    EXPECT_INTEGER(prices_find_output_limit(&quote, &(struct price_bound){0, 9, 1, {0}, ""}, 0, MONEY_ZERO), 0);
    EXPECT_INTEGER(
        prices_find_output_limit(&quote, &(struct price_bound){0, 9, 2, {0}, ""}, 1, (struct money){9000 * 4 + 8999}),
        4);
    /* bounds that no money can hold cost too much */
    EXPECT_INTEGER(
        prices_find_output_limit(&quote, &(struct price_bound){0, UINT64_MAX, 1, {0}, ""}, 1, (struct money){45000}),
        10);
    EXPECT_INTEGER(prices_find_output_limit(&quote, &(struct price_bound){UINT64_MAX, 9, 1, {0}, ""}, 1, MONEY_MAX), 0);
    struct price_set pricing = {.has_input = true, .has_output = true};
    CU_ASSERT_EQUAL_FATAL(prices_find(settings, provider_of(settings, "openai"), "free", NULL, &pricing, &quote),
                          ERROR_OK);
    EXPECT_INTEGER(prices_find_output_limit(&quote, &(struct price_bound){0, INT64_MAX, 1, {0}, ""}, 1, MONEY_ZERO),
                   INT64_MAX);
    config_release(settings);
}

/* ---- learned ---- */

static void learn(struct prices_memory *memory, const char *model, unsigned times, uint64_t bytes, uint64_t tokens)
{
    for (unsigned i = 0; i < times; i++)
        prices_memory_learn(memory, "p", model, bytes, tokens);
}

static uint64_t learned(struct prices_memory *memory, const char *model, uint64_t bytes)
{
    uint64_t tokens = 0;
    return prices_memory_find(memory, "p", model, bytes, &tokens) ? tokens : 0;
}

TEST(what_is_learned_speaks_after_fifty_of_a_kind)
{
    struct prices_memory *memory = prices_memory_new();
    learn(memory, "m", PRICES_SAMPLES_MIN - 1, 10000, 2000);
    EXPECT_INTEGER(learned(memory, "m", 10000), 0);
    learn(memory, "m", 1, 10000, 2000);
    EXPECT_INTEGER(learned(memory, "m", 10000), 2500); /* 5 bytes a token, and a quarter more */
    EXPECT_INTEGER(learned(memory, "m", 5000), 1250);
    EXPECT_INTEGER(learned(memory, "other", 10000), 0);
    uint64_t tokens;
    EXPECT(!prices_memory_find(memory, "q", "m", 10000, &tokens), "another provider");
    /* a short prompt is mostly JSON: it says nothing of a long one, and the other way round */
    EXPECT_INTEGER(learned(memory, "m", 1000000), 0);
    EXPECT_INTEGER(learned(memory, "m", 100), 0);
    prices_memory_free(memory);
}

TEST(what_is_learned_is_the_lowest_and_never_above_the_bytes)
{
    struct prices_memory *memory = prices_memory_new();
    learn(memory, "m", 90, 10000, 2000);
    learn(memory, "m", 1, 10000, 2400);
    uint64_t tokens = learned(memory, "m", 10000);
    EXPECT(tokens >= 2400 * 5 / 4, "%llu", (unsigned long long)tokens);
    learn(memory, "bytes", 100, 10000, 20000); /* more tokens than bytes: the bound by bytes is all there is */
    EXPECT_INTEGER(learned(memory, "bytes", 10000), 10000);
    learn(memory, "one", 100, 10000, 10000);
    EXPECT_INTEGER(learned(memory, "one", 10000), 10000);
    learn(memory, "absurd", 100, 10000, 1); /* a provider that counts next to nothing */
    EXPECT(learned(memory, "absurd", 10000) >= 10000 / 16, "%llu",
           (unsigned long long)learned(memory, "absurd", 10000));
    prices_memory_free(memory);
}

TEST(what_teaches_nothing_is_ignored)
{
    struct prices_memory *memory = prices_memory_new();
    char name[200];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    learn(memory, "m", 100, 0, 10);
    learn(memory, "m", 100, 1000, 0);
    learn(memory, name, 100, 1000, 100);
    EXPECT_INTEGER(learned(memory, "m", 1000), 0);
    EXPECT_INTEGER(learned(memory, "m", 0), 0);
    EXPECT_INTEGER(learned(memory, name, 1000), 0);
    learn(memory, "m", 100, UINT64_MAX, 1);
    EXPECT_INTEGER(learned(memory, "m", UINT64_MAX), UINT64_MAX);
    learn(memory, "n", 100, 1, UINT64_MAX);
    EXPECT_INTEGER(learned(memory, "n", 1), 1);
    prices_memory_free(memory);
}

/* Prose for long, then something dense: it is beaten once, and says no more until it has seen fifty of what comes now.
 */
TEST(what_was_learned_is_forgotten_when_it_is_beaten)
{
    struct prices_memory *memory = prices_memory_new();
    learn(memory, "m", 3000, 10000, 2000);
    learn(memory, "m", 1, 10000, 7700); /* base64, 1.3 bytes a token */
    EXPECT_INTEGER(learned(memory, "m", 10000), 0);
    learn(memory, "m", PRICES_SAMPLES_MIN - 1, 10000, 2000);
    EXPECT(learned(memory, "m", 10000) >= 7700, "%llu", (unsigned long long)learned(memory, "m", 10000));
    prices_memory_free(memory);
}

/* Whoever chooses the prompts, even against us: a hold is beaten at most once in fifty. */
TEST(no_sequence_beats_what_is_learned_more_than_once_in_fifty)
{
    uint64_t state = 42, samples = 0, beaten = 0, spoken = 0;
    for (unsigned play = 0; play < 60; play++) {
        struct prices_memory *memory = prices_memory_new();
        for (unsigned i = 0; i < 2000; i++, samples++) {
            uint64_t bytes = 20000 + next_random(&state) % 20000, expected = 0;
            bool is_known = prices_memory_find(memory, "p", "m", bytes, &expected);
            /* drifting, random, or just above what is expected, as soon as something is */
            uint64_t tokens = play % 3 == 0   ? bytes * 10 / (13 + i % 41)
                              : play % 3 == 1 ? bytes * 8 / (8 + next_random(&state) % 60)
                              : is_known      ? expected + 1 + next_random(&state) % 100
                                              : bytes / 16;
            beaten += is_known && tokens > expected;
            spoken += is_known;
            EXPECT(!is_known || expected <= bytes, "%llu", (unsigned long long)expected);
            prices_memory_learn(memory, "p", "m", bytes, tokens);
        }
        prices_memory_free(memory);
    }
    EXPECT(beaten <= samples / PRICES_SAMPLES_MIN, "%llu of %llu", (unsigned long long)beaten,
           (unsigned long long)samples);
    EXPECT(beaten > 100 && spoken > samples / 4, "%llu, %llu", (unsigned long long)beaten, (unsigned long long)spoken);
}

TEST(what_is_learned_is_bounded_and_the_oldest_goes)
{
    struct prices_memory *memory = prices_memory_new();
    char model[32];
    learn(memory, "kept", 100, 10000, 2000);
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(model, sizeof model, "model-%u", i);
        learn(memory, model, PRICES_SAMPLES_MIN, 10000, 2000);
        if (i % 100 == 0)
            learn(memory, "kept", 1, 10000, 2000);
    }
    EXPECT_INTEGER(learned(memory, "kept", 10000), 2500);
    EXPECT_INTEGER(learned(memory, "model-1999", 10000), 2500);
    EXPECT_INTEGER(learned(memory, "model-0", 10000), 0);
    prices_memory_free(memory);
}

struct pupil {
    struct prices_memory *memory;
    uint64_t seed, wrong;
};

static void *learn_in_thread(void *context)
{
    struct pupil *pupil = context;
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t bytes = 16384 + next_random(&pupil->seed) % 40000, tokens;
        prices_memory_learn(pupil->memory, "p", "m", bytes, bytes / 4);
        if (prices_memory_find(pupil->memory, "p", "m", bytes, &tokens) && (tokens < bytes / 4 || tokens > bytes))
            pupil->wrong++;
    }
    return NULL;
}

TEST(what_one_thread_learns_all_know)
{
    enum { THREADS = 4 };
    struct prices_memory *memory = prices_memory_new();
    struct pupil pupils[THREADS];
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        pupils[i] = (struct pupil){memory, 77 + i, 0};
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, learn_in_thread, &pupils[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        EXPECT_INTEGER(pupils[i].wrong, 0);
    }
    EXPECT_INTEGER(learned(memory, "m", 20000), 6250);
    prices_memory_free(memory);
}

TEST(amounts_that_do_not_fit_are_errors)
{
    struct settings *settings = load();
    struct price_quote quote = quote_of(settings, "openai", "o1-pro");
    static const struct usage huge[] = {{.input = UINT64_MAX},
                                        {.output = (uint64_t)INT64_MAX + 1},
                                        {.input = INT64_MAX, .cache_read = INT64_MAX, .cache_write = INT64_MAX}};
    struct money money = {42};
    for (size_t i = 0; i < sizeof huge / sizeof *huge; i++)
        EXPECT_INTEGER(prices_cost(&quote, &huge[i], "", &money), ERROR_AMOUNT_OVERFLOW);
    EXPECT_INTEGER(prices_bound(&quote, &(struct price_bound){UINT64_MAX, 1, 1, {0}, ""}, &money),
                   ERROR_AMOUNT_OVERFLOW);
    EXPECT_INTEGER(prices_bound(&quote, &(struct price_bound){1, UINT64_MAX / 2, 3, {0}, ""}, &money),
                   ERROR_AMOUNT_OVERFLOW);
    EXPECT_INTEGER(prices_bound(&quote, &(struct price_bound){INT64_MAX, 1, 1, {0}, ""}, &money),
                   ERROR_AMOUNT_OVERFLOW);
    EXPECT_INTEGER(money.nano, 42);
    config_release(settings);
}

TEST(check_names_models_without_a_price_and_the_line_to_add)
{
    struct settings *settings = load();
    struct config_problems problems;
    config_problems_init(&problems);
    prices_warn_unknown(settings, &problems);
    CU_ASSERT_EQUAL_FATAL(problems.count, 2);
    EXPECT_INTEGER(problems.error_count, 0);
    EXPECT_STRING(
        problems.rows[0].message,
        "model \"gpt-5.4-mini-mini\" has no list price: charged at the ceiling of its family, 0.75 in and 4.5 "
        "out (USD per million tokens, as gpt-5.4-mini)");
    EXPECT_STRING(problems.rows[0].hint, "add to the target its true price, e.g. pricing: {input: 0.75, output: 4.5}");
    EXPECT_STRING(problems.rows[0].place.source_line, "      model: gpt-5.4-mini-mini");
    EXPECT_INTEGER(problems.rows[0].place.caret, 14);
    EXPECT(strstr(problems.rows[1].message, "claude-haiku-4-5") != NULL, "%s", problems.rows[1].message);
    config_problems_done(&problems);
    config_problems_init(&problems);
    settings->cost_tracking.unknown_price = UNKNOWN_PRICE_BLOCK;
    prices_warn_unknown(settings, &problems);
    EXPECT_INTEGER(problems.count, 2);
    EXPECT_STRING(problems.rows[0].message, "model \"gpt-5.4-mini-mini\" has no price: its requests are refused");
    config_problems_done(&problems);
    config_release(settings);
}
