/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is the same request: canonical JSON, the parts of the key one by one, request knobs, what may be stored.
 */
#include "base/json.h"
#include "cache/internal.h"
#include "tests/unit/cache_pairs.h"
#include "tests/unit/suite.h"

#include <time.h>

static struct cache *open_cache(void)
{
    const struct cache_options options = {.entries_max = 10};
    return cache_open(&options);
}

static struct cache_policy policy_of(unsigned char byte)
{
    struct cache_policy policy = {.is_made = true};
    memset(policy.digest, byte, sizeof policy.digest);
    return policy;
}

static const struct cache_policy *some_policy(void)
{
    static struct cache_policy policy;
    policy = policy_of(7);
    return &policy;
}

static struct cache_tenant some_tenant(void)
{
    return (struct cache_tenant){ENVIRONMENT_DEV, "product-dev", "team", some_policy()};
}

static struct cache_request some_request(enum api api, const char *body)
{
    return (struct cache_request){.api = api,
                                  .dialect = DIALECT_OPENAI,
                                  .host = "api.openai.com",
                                  .method = SLICE_LITERAL("POST"),
                                  .path = SLICE_LITERAL("/v1/chat/completions"),
                                  .query = {NULL, 0},
                                  .body = slice_of(body),
                                  .is_json = true,
                                  .project = "",
                                  .output_tokens_max = -1};
}

static bool is_equal(const struct cache_key *a, const struct cache_key *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static struct cache_key key_of(struct cache *cache, const struct cache_tenant *tenant,
                               const struct cache_request *request)
{
    struct cache_key key = {{0}};
    EXPECT(cache_make_key(cache, tenant, request, &key), "no key");
    return key;
}

static bool is_same_body(struct cache *cache, enum api api, const char *left, const char *right)
{
    const struct cache_tenant tenant = some_tenant();
    const struct cache_request first = some_request(api, left), second = some_request(api, right);
    struct cache_key a = key_of(cache, &tenant, &first), b = key_of(cache, &tenant, &second);
    return is_equal(&a, &b);
}

TEST(pairs_are_the_same_or_not)
{
    EXPECT(PAIR_COUNT >= 60, "%d pairs", (int)PAIR_COUNT);
    for (size_t i = 0; i < PAIR_COUNT; i++) {
        const struct pair *pair = &pairs[i];
        struct cache *cache = open_cache(); /* its memo is empty: what is remembered must not hide what is computed */
        EXPECT(json_scan(slice_of(pair->left), 100, NULL, 0, NULL) == ERROR_OK, "%s: left", pair->what);
        EXPECT(json_scan(slice_of(pair->right), 100, NULL, 0, NULL) == ERROR_OK, "%s: right", pair->what);
        EXPECT(is_same_body(cache, pair->api, pair->left, pair->right) == pair->is_same, "%s", pair->what);
        EXPECT(is_same_body(cache, pair->api, pair->right, pair->left) == pair->is_same, "%s, remembered", pair->what);
        cache_close(cache);
    }
}

/* What is remembered of a body was found for one api: others leave out other members. */
TEST(bodies_are_remembered_per_api)
{
    struct cache *cache = open_cache();
    static const char *const bodies[] = {"{\"user\":\"a\"}", "{\"user\":\"b\"}"};
    EXPECT(is_same_body(cache, API_CHAT, bodies[0], bodies[1]), "chat");
    EXPECT(!is_same_body(cache, API_MESSAGES, bodies[0], bodies[1]), "messages, after chat");
    EXPECT(is_same_body(cache, API_CHAT, bodies[0], bodies[1]), "chat, after messages");
    cache_close(cache);
}

TEST(no_two_apis_share)
{
    struct cache *cache = open_cache();
    const struct cache_tenant tenant = some_tenant();
    struct cache_key keys[API_COUNT];
    for (unsigned i = 0; i < API_COUNT; i++) {
        const struct cache_request request = some_request((enum api)i, "{\"model\":\"m\"}");
        keys[i] = key_of(cache, &tenant, &request);
        for (unsigned j = 0; j < i; j++)
            EXPECT(!is_equal(&keys[i], &keys[j]), "apis %u and %u", i, j);
    }
    cache_close(cache);
}

TEST(canonical_text_is_what_it_says)
{
    static const struct {
        const char *document, *wanted;
    } rows[] = {
        {" { \"b\" : 1.50 , \"a\" : [ true , null , \"\\u0041\\\"\" ] } ", "{\"a\":[true,null,\"A\\\"\"],\"b\":15e-1}"},
        {"{\"user\":\"x\",\"z\":{\"user\":1}}", "{\"z\":{\"user\":1}}"},
        {"-0.0", "-0"},
        {"[]", "[]"},
        {"[[[{}]]]", "[[[{}]]]"},
        {"[1.5,1.5,1.5]", "[15e-1,15e-1,15e-1]"},
        {"100000", "1e5"},
        {"1e-99999999999999999999", "x1e-99999999999999999999"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t length = 0;
        char *text = canonical_make(API_CHAT, slice_of(rows[i].document), &length);
        EXPECT(text && slice_is((struct slice){text, length}, rows[i].wanted), "%s: got %.*s", rows[i].document,
               (int)length, text ? text : "");
        free(text);
    }
}

/* What is no JSON is never read beyond its end, and compared byte by byte. */
TEST(broken_documents_do_no_harm)
{
    static const char *const rows[] = {
        "",     "{",         "}",       "[",    "]",          "{\"a\"",  "{\"a\":",      "{\"a\":}", "\"",
        "\"\\", "\"\\u",     "\"\\u12", "[1,",  "{\"a\":1,}", "{]",      "[}",           "{1:2}",    "\"\\ud83d",
        "{{}}", "[,]",       ":",       ",",    "{\"a\\",     "nul\xff", "{\"a\":\"b\\", "{\"\\u",   "[\"\\ud83d\\u",
        "{:1}", "{\"a\" 1}", "[1 2]",   "{}{}", "[][]",       "--1",     "1e",           "-",        "{,}",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t length = strlen(rows[i]), made = 0;
        char *exact = malloc(length + 1); /* an overrun shows under the address sanitizer */
        memcpy(exact, rows[i], length);
        char *copy = realloc(exact, length ? length : 1);
        free(canonical_make(API_CHAT, (struct slice){copy, length}, &made));
        free(copy);
    }
}

/* `part` so many times, # in it is its number. */
static char *repeat(const char *first, const char *part, size_t count, const char *last)
{
    const char *mark = strchr(part, '#');
    size_t before = mark ? (size_t)(mark - part) : strlen(part);
    char *text = malloc(strlen(first) + count * (strlen(part) + 24) + strlen(last) + 1), *at = stpcpy(text, first);
    for (size_t i = 0; i < count; i++) {
        at = mempcpy(at, part, before);
        if (mark)
            at = stpcpy(at + sprintf(at, "%zx", i), mark + 1);
    }
    strcpy(at, last);
    return text;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A megabyte of anything costs about the same: nothing is quadratic. */
TEST(hostile_documents_cost_little)
{
    static const struct {
        const char *what, *first, *part;
        size_t count;
        const char *last;
    } rows[] = {
        {"names that sort late", "{\"\":0", ",\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa#\":1", 18000, "}"},
        {"objects", "[0", ",{}", 350000, "]"},
        {"members", "{\"\":0", ",\"#\":1", 90000, "}"},
        {"numbers", "[0", ",1.5", 260000, "]"},
        {"escapes", "[\"", "\\u0022", 170000, "\"]"},
        {"escaped names", "{\"\":0", ",\"\\u0061#\":1", 60000, "}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = repeat(rows[i].first, rows[i].part, rows[i].count, rows[i].last);
        size_t length = 0;
        double before = seconds();
        char *canonical = canonical_make(API_CHAT, slice_of(text), &length);
        double cost_s = seconds() - before;
        EXPECT(canonical != NULL, "%s", rows[i].what);
        EXPECT(cost_s < 1.5, "%s: %.3f s for %zu bytes", rows[i].what, cost_s, strlen(text));
        free(canonical);
        free(text);
    }
}

static char *nested(size_t depth, const char *order)
{
    char *text = malloc(depth * 16 + (1 << 20) + 16), *at = text;
    for (size_t i = 0; i < depth; i++)
        at = stpcpy(at, order[0] == 'b' ? "{\"b\":" : "{\"a\":0,\"b\":");
    *at++ = '"';
    memset(at, 'x', 1 << 20);
    at += 1 << 20;
    *at++ = '"';
    for (size_t i = 0; i < depth; i++)
        at = stpcpy(at, order[0] == 'b' ? ",\"a\":0}" : "}");
    *at = '\0';
    return text;
}

TEST(deep_documents_cost_little_and_have_a_bound)
{
    char *left = nested(1000, "b"), *right = nested(1000, "a"), *deep = repeat("", "[", 1100, "");
    size_t left_length = 0, right_length = 0;
    double before = seconds();
    char *first = canonical_make(API_CHAT, slice_of(left), &left_length),
         *second = canonical_make(API_CHAT, slice_of(right), &right_length);
    EXPECT(seconds() - before < 0.5, "%.3f s", seconds() - before);
    EXPECT(first && second && left_length == right_length && memcmp(first, second, left_length) == 0, "differs");
    EXPECT(canonical_make(API_CHAT, slice_of(deep), &left_length) == NULL, "too deep, and taken");
    free(first);
    free(second);
    free(left);
    free(right);
    free(deep);
}

/* ---- tenants ---- */

TEST(tenants_that_differ_in_one_member_never_share)
{
    static const struct cache_policy other = {.is_made = true};
    const struct cache_tenant tenants[] = {
        some_tenant(),
        {ENVIRONMENT_PROD, "product-dev", "team", some_policy()},
        {ENVIRONMENT_DEV, "product-prod", "team", some_policy()},
        {ENVIRONMENT_DEV, "product-dev", "team2", some_policy()},
        {ENVIRONMENT_DEV, "product-dev", "team", &other},
        {ENVIRONMENT_DEV, "product-devt", "eam", some_policy()},
        {ENVIRONMENT_DEV, "team", "product-dev", some_policy()},
    };
    enum { COUNT = sizeof tenants / sizeof *tenants };
    struct cache *cache = open_cache();
    const struct cache_request request = some_request(API_CHAT, "{\"model\":\"m\"}");
    struct cache_key keys[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        keys[i] = key_of(cache, &tenants[i], &request);
        struct cache_key again = key_of(cache, &tenants[i], &request);
        EXPECT(is_equal(&keys[i], &again), "tenant %zu is not itself", i);
        for (size_t j = 0; j < i; j++)
            EXPECT(!is_equal(&keys[i], &keys[j]), "tenants %zu and %zu share", i, j);
    }
    cache_close(cache);
}

TEST(without_a_tenant_there_is_no_key)
{
    static const struct cache_policy unmade = {.is_made = false};
    const struct cache_tenant tenants[] = {
        {ENVIRONMENT_COUNT, "g", "w", some_policy()}, {ENVIRONMENT_DEV, NULL, "w", some_policy()},
        {ENVIRONMENT_DEV, "", "w", some_policy()},    {ENVIRONMENT_DEV, "g", NULL, some_policy()},
        {ENVIRONMENT_DEV, "g", "", some_policy()},    {ENVIRONMENT_DEV, "g", "w", NULL},
        {ENVIRONMENT_DEV, "g", "w", &unmade},
    };
    struct cache *cache = open_cache();
    const struct cache_request request = some_request(API_CHAT, "{}");
    struct cache_key key;
    memset(&key, 7, sizeof key);
    struct cache_key before = key;
    for (size_t i = 0; i < sizeof tenants / sizeof *tenants; i++)
        EXPECT(!cache_make_key(cache, &tenants[i], &request, &key) && is_equal(&key, &before), "row %zu", i);
    EXPECT(!cache_make_key(cache, NULL, &request, &key), "no tenant at all");
    cache_close(cache);
}

/* ---- the other parts ---- */

static const struct http_field fields_of[][2] = {
    {{SLICE_LITERAL("anthropic-version"), SLICE_LITERAL("2023-06-01")}},
    {{SLICE_LITERAL("Anthropic-Version"), SLICE_LITERAL("2023-01-01")}},
    {{SLICE_LITERAL("anthropic-beta"), SLICE_LITERAL("2023-06-01")}},
    {{SLICE_LITERAL("openai-beta"), SLICE_LITERAL("assistants=v2")}},
    {{SLICE_LITERAL("openai-organization"), SLICE_LITERAL("org-1")}},
    {{SLICE_LITERAL("openai-project"), SLICE_LITERAL("org-1")}},
    {{SLICE_LITERAL("anthropic-beta"), SLICE_LITERAL("a")}, {SLICE_LITERAL("anthropic-beta"), SLICE_LITERAL("b")}},
    {{SLICE_LITERAL("anthropic-beta"), SLICE_LITERAL("b")}, {SLICE_LITERAL("anthropic-beta"), SLICE_LITERAL("a")}},
};

static void vary(struct cache_request *request, unsigned which)
{
    switch (which) {
    case 1:
        request->host = "api.groq.com";
        break;
    case 2:
        request->method = SLICE_LITERAL("GET");
        break;
    case 3:
        request->path = SLICE_LITERAL("/v1/chat/completionsx");
        break;
    case 4:
        request->query = SLICE_LITERAL("alt=sse");
        break;
    case 5:
        request->query = SLICE_LITERAL("api-version=2024-10-21");
        break;
    case 6:
        request->query = SLICE_LITERAL("alt=sse&api-version=2024-10-21");
        break;
    case 7:
        request->dialect = DIALECT_ANTHROPIC;
        break;
    case 8:
        request->output_tokens_max = 100;
        break;
    case 9:
        request->is_json = false;
        break;
    case 10:
        request->api = API_OTHER;
        break;
    case 11:
        request->query = SLICE_LITERAL("keys=1");
        break;
    default:
        if (which >= 12) {
            request->fields = fields_of[which - 12];
            request->field_count = fields_of[which - 12][1].name.data ? 2 : 1;
        }
    }
}

TEST(each_part_of_the_request_counts)
{
    enum { COUNT = 12 + sizeof fields_of / sizeof *fields_of };
    struct cache *cache = open_cache();
    const struct cache_tenant tenant = some_tenant();
    struct cache_key keys[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        struct cache_request request = some_request(API_CHAT, "{\"model\":\"m\"}");
        vary(&request, i);
        keys[i] = key_of(cache, &tenant, &request);
        for (unsigned j = 0; j < i; j++)
            EXPECT(!is_equal(&keys[i], &keys[j]), "requests %u and %u share", i, j);
    }
    cache_close(cache);
}

TEST(what_says_who_asks_does_not_count)
{
    static const struct {
        const char *left, *right;
        bool is_same;
    } queries[] = {
        {"key=abc", "", true},
        {"key=abc&alt=sse", "alt=sse&key=def", true},
        {"KEY=1&a=b", "a=b", true},
        {"api-key=1&a=b", "a=b", true},
        {"access_token=1", "api_key=2", true},
        {"monkey=1", "", false},
        {"a=key", "", false},
        {"a=1&b=2", "b=2&a=1", false},
        {"a=1", "a=1&", true},
    };
    static const struct http_field ignored[] = {{SLICE_LITERAL("authorization"), SLICE_LITERAL("Bearer sk-1")},
                                                {SLICE_LITERAL("x-api-key"), SLICE_LITERAL("2")},
                                                {SLICE_LITERAL("user-agent"), SLICE_LITERAL("curl")},
                                                {SLICE_LITERAL("accept-encoding"), SLICE_LITERAL("gzip")}};
    struct cache *cache = open_cache();
    const struct cache_tenant tenant = some_tenant();
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        struct cache_request left = some_request(API_CHAT, "{}"), right = left;
        left.query = slice_of(queries[i].left);
        right.query = slice_of(queries[i].right);
        struct cache_key a = key_of(cache, &tenant, &left), b = key_of(cache, &tenant, &right);
        EXPECT(is_equal(&a, &b) == queries[i].is_same, "%s | %s", queries[i].left, queries[i].right);
    }
    struct cache_request plain = some_request(API_CHAT, "{}"), keyed = plain;
    keyed.fields = ignored;
    keyed.field_count = 4;
    struct cache_key a = key_of(cache, &tenant, &plain), b = key_of(cache, &tenant, &keyed);
    EXPECT(is_equal(&a, &b), "the program's key is part of it");
    cache_close(cache);
}

TEST(projects_count_when_the_policy_asks)
{
    struct cache *cache = open_cache();
    struct cache_policy with = policy_of(1), without = policy_of(1);
    with.uses_projects = true;
    const struct cache_policy *policies[] = {&with, &without};
    for (size_t i = 0; i < 2; i++) {
        struct cache_tenant tenant = {ENVIRONMENT_DEV, "g", "w", policies[i]};
        struct cache_request left = some_request(API_CHAT, "{}"), right = left;
        left.project = "a";
        right.project = "b";
        struct cache_key a = key_of(cache, &tenant, &left), b = key_of(cache, &tenant, &right);
        EXPECT(is_equal(&a, &b) == (i == 1), "policy %zu", i);
    }
    cache_close(cache);
}

TEST(bodies_that_are_no_json_count_by_their_bytes)
{
    struct cache *cache = open_cache();
    const struct cache_tenant tenant = some_tenant();
    static const struct http_field types[] = {
        {SLICE_LITERAL("content-type"), SLICE_LITERAL("multipart/form-data; boundary=a")},
        {SLICE_LITERAL("content-type"), SLICE_LITERAL("multipart/form-data; boundary=b")}};
    struct cache_request left = some_request(API_OTHER, "a  b"), right = some_request(API_OTHER, "a b");
    left.is_json = right.is_json = false;
    struct cache_key a = key_of(cache, &tenant, &left), b = key_of(cache, &tenant, &right);
    EXPECT(!is_equal(&a, &b), "white space");
    right = left;
    b = key_of(cache, &tenant, &right);
    EXPECT(is_equal(&a, &b), "itself");
    left.fields = &types[0];
    right.fields = &types[1];
    left.field_count = right.field_count = 1;
    a = key_of(cache, &tenant, &left);
    b = key_of(cache, &tenant, &right);
    EXPECT(!is_equal(&a, &b), "content type");
    cache_close(cache);
}

/* ---- knobs ---- */

TEST(wishes_are_read)
{
    static const struct {
        const char *control, *second, *pragma;
        struct cache_wishes wanted;
    } rows[] = {
        {NULL, NULL, NULL, {false, false, false, -1}},
        {"no-cache", NULL, NULL, {true, false, false, -1}},
        {"No-Store", NULL, NULL, {false, true, false, -1}},
        {"only-if-cached, max-age=60", NULL, NULL, {false, false, true, 60}},
        {" max-age = 5 ,no-store", NULL, NULL, {false, true, false, 5}},
        {"max-age=60", "max-age=10, no-cache", NULL, {true, false, false, 10}},
        {"max-age=\"7\"", NULL, NULL, {false, false, false, 7}},
        {"max-age=abc", NULL, NULL, {false, false, false, 0}},
        {"max-age=-1", NULL, NULL, {false, false, false, 0}},
        {"max-age", NULL, NULL, {false, false, false, 0}},
        {"max-age=99999999999999999999999", NULL, NULL, {false, false, false, INT32_MAX}},
        {"no-cachex, xno-store, stale-if-error=5, ,,", NULL, NULL, {false, false, false, -1}},
        {NULL, NULL, "no-cache", {true, false, false, -1}},
        {"max-age=5", NULL, "no-cache", {false, false, false, 5}},
        {NULL, NULL, "no-store", {false, false, false, -1}},
        {"", NULL, NULL, {false, false, false, -1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_field fields[3];
        size_t count = 0;
        if (rows[i].control)
            fields[count++] = (struct http_field){SLICE_LITERAL("Cache-Control"), slice_of(rows[i].control)};
        if (rows[i].second)
            fields[count++] = (struct http_field){SLICE_LITERAL("cache-control"), slice_of(rows[i].second)};
        if (rows[i].pragma)
            fields[count++] = (struct http_field){SLICE_LITERAL("pragma"), slice_of(rows[i].pragma)};
        struct cache_wishes got = {true, true, true, 77};
        cache_read_wishes(fields, count, &got);
        EXPECT(got.no_cache == rows[i].wanted.no_cache && got.no_store == rows[i].wanted.no_store &&
                   got.only_if_cached == rows[i].wanted.only_if_cached && got.max_age_s == rows[i].wanted.max_age_s,
               "row %zu: %d %d %d %lld", i, got.no_cache, got.no_store, got.only_if_cached, (long long)got.max_age_s);
    }
}

TEST(what_may_be_stored)
{
    const struct cache_outcome good = {.status = 200, .is_complete = true};
    struct cache_outcome rows[11];
    for (size_t i = 0; i < 11; i++)
        rows[i] = good;
    rows[0].status = 206;
    rows[1].is_complete = false;
    rows[2].is_clamped = true;
    rows[3].is_cheaper = true;
    rows[4].is_refusal = true;
    rows[5].is_deferred = true;
    rows[6].is_encoded = true;
    rows[7].wants_no_store = true;
    rows[8].is_forbidden = true;
    rows[9].is_damaged = true;
    rows[10].lacks_end = true;
    EXPECT(cache_why_not_stored(&good) == NULL, "a good one");
    for (size_t i = 0; i < 11; i++)
        EXPECT(cache_why_not_stored(&rows[i]) != NULL, "row %zu", i);
    EXPECT(cache_keeps_field(SLICE_LITERAL("Content-Type")) && !cache_keeps_field(SLICE_LITERAL("set-cookie")) &&
               !cache_keeps_field(SLICE_LITERAL("x-ratelimit-remaining-tokens")) &&
               !cache_keeps_field(SLICE_LITERAL("x-request-id")) && !cache_keeps_field(SLICE_LITERAL("Request-Id")),
           "fields");
}
