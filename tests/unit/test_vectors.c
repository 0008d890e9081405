/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metering vectors, to the nano-dollar and the whole way: a request is read, its answer metered in several cuts, and
 * the usage priced by policies/prices.yaml. Runs in the repository's root. What a row wants was not made by the code
 * under test: the amount is worked out by hand, and once more by the few lines of arithmetic below, from the sum that
 * stands beside it.
 */
#include "suite.h"
#include "vectors_anthropic.h"
#include "vectors_compatible.h"
#include "vectors_gemini.h"
#include "vectors_units.h"

enum { VECTORS_LEAST = 120 };

static const struct {
    const char *name;
    const struct vector *vectors;
    size_t count;
} tables[] = {
#define TABLE(name)                                                                                                    \
    {                                                                                                                  \
#name, name##_vectors, sizeof name##_vectors / sizeof *name##_vectors                                          \
    }
    TABLE(openai_chat), TABLE(openai_other), TABLE(responses), TABLE(image),  TABLE(audio),
    TABLE(compatible),  TABLE(pinned),       TABLE(anthropic), TABLE(gemini),
};

/* ---- the sum: 1000*0.75 + 500*4.5/2 ---- */

/* In units of half a pico-dollar, exact: a price of USD per million is one of micro-dollars per token. */
static bool add_term(const char **text, __int128 *half_pico)
{
    char *end;
    unsigned long long count = strtoull(*text, &end, 10), price = 0;
    int decimals = 0;
    if (end == *text || *end++ != '*' || *end < '0' || *end > '9')
        return false;
    for (bool has_point = false; (*end >= '0' && *end <= '9') || (*end == '.' && !has_point); end++) {
        if (*end == '.') {
            has_point = true;
            continue;
        }
        price = price * 10 + (unsigned long long)(*end - '0');
        decimals += has_point;
    }
    for (; decimals < 6; decimals++)
        price *= 10;
    bool is_halved = strncmp(end, "/2", 2) == 0;
    *half_pico += (__int128)count * price * (is_halved ? 1 : 2);
    *text = end + (is_halved ? 2 : 0);
    return decimals == 6;
}

static bool add_up(const char *sum, long long *ret_nano)
{
    __int128 half_pico = 0;
    while (*sum) {
        if (!add_term(&sum, &half_pico))
            return false;
        bool goes_on = strncmp(sum, " + ", 3) == 0;
        if (goes_on ? !sum[3] : *sum)
            return false;
        sum += goes_on ? 3 : 0;
    }
    *ret_nano = (long long)((half_pico + 1999) / 2000); /* rounded up once */
    return true;
}

/* "0.054399" in nano-dollars; -1: no amount. */
static long long nano_of(const char *usd)
{
    char *end;
    long long nano = strtoll(usd, &end, 10);
    int decimals = 0;
    if (*end == '.')
        for (end++; *end >= '0' && *end <= '9' && decimals < 9; end++, decimals++)
            nano = nano * 10 + (*end - '0');
    for (; decimals < 9; decimals++)
        nano *= 10;
    return *end ? -1 : nano;
}

/* ---- the whole way ---- */

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

static char *quoted(const char *text)
{
    char *copy = strdup(text ? text : "");
    for (char *at = copy; *at; at++)
        if (*at == '\'')
            *at = '"';
    return copy;
}

struct run {
    const struct vector *vector;
    const struct settings *settings;
    const struct provider *provider;
    const struct dialect *dialect;
    const struct endpoint *endpoint;
    struct request_facts facts;
    struct price_quote quote;
    char label[160];
};

static bool read_request(struct run *run, struct arena *arena)
{
    const struct vector *vector = run->vector;
    const char *problem = "";
    const struct dialect_request request = {
        .method = slice_of(vector->request ? "POST" : "GET"),
        .path = slice_of(vector->path),
        .content_type = slice_of(vector->content_type ? vector->content_type : "application/json"),
        .body = arena_copy(arena, slice_of(vector->request ? vector->request : "")),
        .depth_max = 128};
    run->endpoint = run->dialect->find_endpoint(request.method, request.path);
    if (!vector->request)
        return true;
    enum error error = run->dialect->read_request(run->endpoint, &request, arena, &run->facts, &problem);
    EXPECT(error == ERROR_OK, "%s: %s", run->label, problem);
    return error == ERROR_OK;
}

/* As flow/bound.c asks for it; a job has the model that it began with. */
static bool find_price(struct run *run)
{
    const struct vector *vector = run->vector;
    enum error error =
        prices_find(run->settings, run->provider, vector->job_model ? vector->job_model : run->facts.model,
                    run->facts.price_variant, vector->pinned, &run->quote);
    EXPECT(error == ERROR_OK, "%s: no price", run->label);
    EXPECT(vector->source == USAGE_NONE || run->quote.basis == vector->basis, "%s: %s", run->label,
           prices_basis_name(run->quote.basis));
    return error == ERROR_OK;
}

/* Feeds `answer` in pieces of `step` bytes, and returns what is charged for it; -1: no charge can be computed. */
static long long charge(const struct run *run, struct slice answer, size_t step, enum usage_source *ret_source)
{
    struct meter meter;
    struct usage usage;
    struct buffer out;
    struct money money = {0};
    bool hides = run->facts.is_streaming && !run->facts.asks_usage;
    buffer_init(&out, 1 << 20);
    meter_init(&meter, run->dialect, run->endpoint, run->vector->is_stream, hides, 1 << 18, 1 << 16);
    for (size_t at = 0; at < answer.length; at += step) {
        struct slice rest = slice_from(answer, at);
        CU_ASSERT(meter_feed(&meter, (struct slice){rest.data, step < rest.length ? step : rest.length}, &out));
    }
    CU_ASSERT(meter_finish(&meter, &out));
    *ret_source = meter_result(&meter, &run->facts, &usage);
    enum error error = prices_cost(&run->quote, &usage, meter.service_tier, &money);
    meter_done(&meter);
    buffer_done(&out);
    return error ? -1 : money.nano;
}

static void expect_charge(const struct run *run)
{
    const struct vector *vector = run->vector;
    long long by_hand = nano_of(vector->usd), by_sum = 0;
    bool is_sum = add_up(vector->sum, &by_sum);
    EXPECT(is_sum && by_sum == by_hand, "%s: the table says %s, its sum is %lld", run->label, vector->usd, by_sum);
    char *answer = quoted(vector->answer);
    static const size_t steps[] = {1 << 20, 1, 7, 61};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        enum usage_source source;
        long long nano = charge(run, slice_of(answer), steps[i], &source);
        EXPECT(nano == by_hand && source == vector->source, "%s, %zu bytes at a time: %lld nano, not %lld, source %d",
               run->label, steps[i], nano, by_hand, source);
        if (nano != by_hand || source != vector->source)
            break; /* one report per row is enough */
    }
    free(answer);
}

static const struct provider *find_provider(const struct settings *settings, const char *id)
{
    for (size_t i = 0; i < settings->provider_count; i++)
        if (strcmp(settings->providers[i].id, id) == 0)
            return &settings->providers[i];
    CU_FAIL_FATAL("no such provider");
    return NULL;
}

static void run_vector(const struct settings *settings, const struct vector *vector, const char *table, size_t number)
{
    struct vector quoted_vector = *vector;
    char *request = quoted(vector->request);
    struct arena *arena = arena_new(1024);
    if (vector->request)
        quoted_vector.request = request;
    struct run run = {.vector = &quoted_vector,
                      .settings = settings,
                      .provider = find_provider(settings, vector->provider),
                      .facts = {.choices = 1, .output_tokens_max = -1}};
    run.dialect = dialect_of(run.provider->dialect);
    snprintf(run.label, sizeof run.label, "%s vector %zu (%s%s, %s)", table, number, vector->provider, vector->path,
             vector->usd);
    if (read_request(&run, arena) && find_price(&run))
        expect_charge(&run);
    arena_free(arena);
    free(request);
}

TEST(vectors_cost_what_they_cost)
{
    struct settings *settings = load();
    size_t count = 0;
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (size_t i = 0; i < tables[t].count; i++, count++)
            run_vector(settings, &tables[t].vectors[i], tables[t].name, i);
    config_release(settings);
    printf("%zu vectors ", count);
    CU_ASSERT(count >= VECTORS_LEAST);
}

/* A row that stands there twice is none: what is asked, answered and charged differs. */
TEST(vectors_are_all_different)
{
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (size_t i = 0; i < tables[t].count; i++)
            for (size_t j = 0; j < i; j++) {
                const struct vector *a = &tables[t].vectors[i], *b = &tables[t].vectors[j];
                EXPECT(strcmp(a->path, b->path) || strcmp(a->answer, b->answer) || a->pinned != b->pinned ||
                           strcmp(a->request ? a->request : "", b->request ? b->request : ""),
                       "%s vectors %zu and %zu", tables[t].name, i, j);
            }
}

/* The arithmetic of the tables. */
TEST(sums_are_added_up)
{
    static const struct {
        const char *sum;
        long long nano; /* -1: no sum */
    } rows[] = {
        {"", 0},
        {"1*1", 1000},
        {"2000*2.5 + 400*0.25", 5100000},
        {"1*0.0028", 3},
        {"1*0.005/2", 3},
        {"2*0.0005", 1},
        {"1*0.000001", 1},
        {"3*3 + 12304*3.75 + 550*15", 54399000},
        {"1*0.0000001", -1},
        {"1", -1},
        {"1*", -1},
        {"1*1+1*1", -1},
        {"1*1 + ", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        long long nano = -1;
        bool is_sum = add_up(rows[i].sum, &nano);
        EXPECT((is_sum ? nano : -1) == rows[i].nano, "\"%s\": %lld", rows[i].sum, nano);
    }
    EXPECT_INTEGER(nano_of("0.054399"), 54399000);
    EXPECT_INTEGER(nano_of("17.4"), 17400000000);
    EXPECT_INTEGER(nano_of("0"), 0);
    EXPECT_INTEGER(nano_of("0.0000000001"), -1);
}
