/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is sent to a provider: the rendition of the request with the target's model, limit and flags in it, where it
 * goes, and which of the program's fields go with it. What came in is never edited. Called by reserve and forward.
 */
#include "flow/exchange.h"

static const char *prefix_of(const struct provider *provider)
{
    return provider->api_prefix ? provider->api_prefix : dialect_of(provider->dialect)->api_prefix;
}

/* ---- body and path ---- */

/* A listed target's call is for its model; what is no model's call (files, a job's state) stays as it is. */
static bool is_renamed(const struct exchange *exchange, const struct attempt *attempt)
{
    return attempt->target && exchange->endpoint->kind == ENDPOINT_METERED && attempt->rendition->facts.model[0] &&
           strcmp(attempt->model, attempt->rendition->facts.model) != 0;
}

static bool wants_usage(const struct attempt *attempt)
{
    const struct rendition *rendition = attempt->rendition;
    enum api api = rendition->endpoint->api;
    return (api == API_CHAT || api == API_COMPLETIONS) && rendition->facts.is_streaming && !rendition->facts.asks_usage;
}

static struct slice make_path(struct exchange *exchange, const struct attempt *attempt)
{
    const char *prefix = prefix_of(attempt->provider);
    if (attempt->rendition->is_translated)
        return slice_of(arena_printf(exchange->arena, "%s%s", prefix, attempt->rendition->endpoint->path));
    /* Azure's older paths name the model that its newer ones take from the body. */
    if (exchange->endpoint->path &&
        memmem(exchange->request->path.data, exchange->request->path.length, "/deployments/",
               strlen("/deployments/")) &&
        attempt->target)
        return slice_of(arena_printf(exchange->arena, "%s%s", prefix, exchange->endpoint->path));
    struct slice path =
        dialect_place_path(exchange->request->path, prefix_of(exchange->provider), prefix, exchange->arena);
    if (is_renamed(exchange, attempt) && exchange->dialect->edit_path)
        path = exchange->dialect->edit_path(path, attempt->model, exchange->arena);
    return path;
}

void outgoing_make(struct exchange *exchange, struct attempt *attempt, int64_t limit)
{
    const struct rendition *rendition = attempt->rendition;
    struct request_facts named = rendition->facts;
    struct request_edits edits = {.output_tokens_max = -1};
    attempt->path = make_path(exchange, attempt);
    exchange->outgoing.clamped_to = -1;
    exchange->outgoing.output_tokens_max = rendition->facts.output_tokens_max;
    attempt->body = rendition->body;
    if (exchange->endpoint->kind != ENDPOINT_METERED)
        return;
    if (is_renamed(exchange, attempt) && !exchange->dialect->edit_path)
        edits.model = attempt->model;
    if (named.is_model_of_path) {
        edits.model = attempt->model;
        named.model[0] = '\0'; /* the body's is another one, or there is none */
    }
    edits.inject_usage = attempt->asks_usage = wants_usage(attempt) && !attempt->is_plain;
    if (limit >= 0 && !named.has_no_limit && (named.output_tokens_max < 0 || named.output_tokens_max > limit))
        edits.output_tokens_max = limit;
    if (!named.output_max_member && attempt->provider->limits_by_max_tokens)
        named.output_max_member = "max_tokens";
    attempt->body =
        rendition->dialect->edit_request(rendition->endpoint, rendition->body, &named, &edits, exchange->arena);
    if (edits.output_tokens_max >= 0)
        exchange->outgoing.output_tokens_max = edits.output_tokens_max;
}

/* The placeholder key names a group of ours: it is nobody else's business. */
static bool holds_placeholder(struct slice value)
{
    return value.length && memmem(value.data, value.length, "kt_cg_", 6) != NULL;
}

static bool is_parameter(struct slice part, const char *name)
{
    size_t length = strlen(name);
    return part.length > length && strncasecmp(part.data, name, length) == 0 && part.data[length] == '=';
}

/* With a target's key: to the provider that was called the query without `key=…`, which is the program's key, however
 * it is written; to another one only what says how the answer is to be framed. */
static bool is_sent(const struct exchange *exchange, const struct attempt *attempt, struct slice part)
{
    bool is_plain = memchr(part.data, '%', part.length < 8 ? part.length : 8) == NULL;
    if (holds_placeholder(part))
        return false;
    if (!attempt->target)
        return true;
    if (strcmp(attempt->provider->id, exchange->provider->id) != 0)
        return is_parameter(part, "alt");
    return is_plain && !is_parameter(part, "key") && !is_parameter(part, "api_key") &&
           !is_parameter(part, "access_token");
}

static struct slice copy_query(struct exchange *exchange, const struct attempt *attempt)
{
    struct slice query = exchange->request->query;
    char *copy = arena_alloc(exchange->arena, query.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < query.length;) {
        struct slice rest = slice_from(query, i);
        const char *end = memchr(rest.data, '&', rest.length);
        size_t part = end ? (size_t)(end - rest.data) : rest.length;
        if (part && is_sent(exchange, attempt, (struct slice){rest.data, part})) {
            if (length)
                copy[length++] = '&';
            memcpy(copy + length, rest.data, part);
            length += part;
        }
        i += part + 1;
    }
    return (struct slice){copy, length};
}

const char *outgoing_url(struct exchange *exchange, const struct attempt *attempt)
{
    const char *base = attempt->target ? attempt->target->base_url : attempt->provider->base_url;
    struct slice query = {NULL, 0};
    if (!attempt->rendition->is_translated)
        query = copy_query(exchange, attempt);
    return arena_printf(exchange->arena, "%s" SLICE_FORMAT "%s" SLICE_FORMAT, base, SLICE_ARGUMENTS(attempt->path),
                        query.length ? "?" : "", SLICE_ARGUMENTS(query));
}

/* ---- fields ---- */

/* Which of the program's fields go along. */
enum carry {
    CARRY_NEVER,   /* between the program and us; or libcurl writes its own; accept-encoding: metering reads the answer,
                      so the provider must not compress it */
    CARRY_OWN_KEY, /* only with the program's own key, to the provider that it called: who it says it is */
    CARRY_DIALECT, /* to any provider that speaks the same */
    CARRY_ANYWHERE,
    CARRY_PROVIDER, /* to the provider that was called, whoever's key it is */
};
static const struct carry_row {
    const char *name; /* a last '-' stands for any ending; what has no row is CARRY_PROVIDER */
    enum carry carry;
} carry_rows[] = {
    {"host", CARRY_NEVER},
    {"content-length", CARRY_NEVER},
    {"expect", CARRY_NEVER},
    {"accept-encoding", CARRY_NEVER},
    {"authorization", CARRY_OWN_KEY},
    {"proxy-authorization", CARRY_OWN_KEY},
    {"x-api-key", CARRY_OWN_KEY},
    {"x-goog-api-key", CARRY_OWN_KEY},
    {"api-key", CARRY_OWN_KEY},
    {"ocp-apim-subscription-key", CARRY_OWN_KEY},
    {"x-amz-security-token", CARRY_OWN_KEY},
    {"cookie", CARRY_OWN_KEY},
    {"openai-organization", CARRY_OWN_KEY},
    {"openai-project", CARRY_OWN_KEY},
    {"chatgpt-account-id", CARRY_OWN_KEY},
    {"x-goog-user-project", CARRY_OWN_KEY},
    {"openai-beta", CARRY_DIALECT},
    {"anthropic-version", CARRY_DIALECT},
    {"anthropic-beta", CARRY_DIALECT},
    {"x-goog-api-client", CARRY_DIALECT},
    {"x-stainless-", CARRY_DIALECT},
    {"content-type", CARRY_DIALECT},
    {"user-agent", CARRY_DIALECT},
    {"accept", CARRY_DIALECT},
    {"idempotency-key", CARRY_ANYWHERE},
    {"x-request-id", CARRY_ANYWHERE},
    {"x-client-request-id", CARRY_ANYWHERE},
};

static enum carry carry_of(struct slice name)
{
    for (size_t i = 0; i < sizeof carry_rows / sizeof *carry_rows; i++)
        if (http_field_is_named(name, carry_rows[i].name))
            return carry_rows[i].carry;
    return CARRY_PROVIDER;
}

static bool is_same_provider(const struct exchange *exchange, const struct attempt *attempt)
{
    return !attempt->rendition->is_translated && strcmp(attempt->provider->id, exchange->provider->id) == 0;
}

static bool is_carried(const struct exchange *exchange, const struct attempt *attempt, const struct http_field *field)
{
    if (holds_placeholder(field->value))
        return false;
    switch (carry_of(field->name)) {
    case CARRY_NEVER:
        return false;
    case CARRY_OWN_KEY:
        return !attempt->target;
    case CARRY_DIALECT:
        return !attempt->rendition->is_translated;
    case CARRY_ANYWHERE:
        return true;
    case CARRY_PROVIDER:
        return is_same_provider(exchange, attempt);
    }
    return false;
}

/* What a target's api wants to be told with each request (docs.anthropic.com, "Versions"). */
static size_t add_own(const struct attempt *attempt, struct http_field *fields, size_t count)
{
    if (!attempt->rendition->is_translated)
        return count;
    fields[count++] = (struct http_field){SLICE_LITERAL("content-type"), SLICE_LITERAL("application/json")};
    fields[count++] = (struct http_field){SLICE_LITERAL("user-agent"), SLICE_LITERAL("tollgate/" TOLLGATE_VERSION)};
    if (attempt->rendition->endpoint->api == API_MESSAGES)
        fields[count++] = (struct http_field){SLICE_LITERAL("anthropic-version"), SLICE_LITERAL("2023-06-01")};
    return count;
}

size_t outgoing_fields(struct exchange *exchange, const struct attempt *attempt, struct http_field **ret_fields)
{
    enum { OWN_MAX = 3 };
    const struct http_request *request = exchange->request;
    struct http_field *fields = arena_new_array(exchange->arena, struct http_field, request->field_count + OWN_MAX + 1);
    struct slice connection = http_find_field(request->fields, request->field_count, "connection");
    size_t count = 0;
    for (size_t i = 0; i < request->field_count; i++)
        if (!http_field_is_hop_by_hop(request->fields[i].name, connection) &&
            is_carried(exchange, attempt, &request->fields[i]))
            fields[count++] = request->fields[i];
    *ret_fields = fields;
    return add_own(attempt, fields, count);
}
