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

/* The query without `key=…`, which is the program's key. */
static struct slice copy_query(struct exchange *exchange, struct slice query)
{
    char *copy = arena_alloc(exchange->arena, query.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < query.length;) {
        struct slice rest = slice_from(query, i);
        const char *end = memchr(rest.data, '&', rest.length);
        size_t part = end ? (size_t)(end - rest.data) : rest.length;
        if (part < 4 || memcmp(rest.data, "key=", 4)) {
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
    struct slice query = exchange->request->query;
    if (attempt->rendition->is_translated)
        query = (struct slice){NULL, 0};
    else if (attempt->target)
        query = copy_query(exchange, query);
    return arena_printf(exchange->arena, "%s" SLICE_FORMAT "%s" SLICE_FORMAT, base, SLICE_ARGUMENTS(attempt->path),
                        query.length ? "?" : "", SLICE_ARGUMENTS(query));
}

/* ---- fields ---- */

/* When one of the program's fields stays behind. */
enum drop {
    DROP_ALWAYS,  /* between the program and us; or libcurl writes its own; accept-encoding: metering reads the answer,
                     so the provider must not compress it */
    DROP_SWAPPED, /* it says whose key the program brought: the target has its own */
    DROP_TRANSLATED, /* it belongs to the api that the program speaks */
};
static const struct drop_row {
    const char *name; /* a last '-' stands for any ending */
    enum drop drop;
} drop_rows[] = {
    {"host", DROP_ALWAYS},
    {"content-length", DROP_ALWAYS},
    {"expect", DROP_ALWAYS},
    {"accept-encoding", DROP_ALWAYS},
    {"authorization", DROP_SWAPPED},
    {"x-api-key", DROP_SWAPPED},
    {"x-goog-api-key", DROP_SWAPPED},
    {"api-key", DROP_SWAPPED},
    {"openai-organization", DROP_SWAPPED},
    {"openai-project", DROP_SWAPPED},
    {"x-goog-user-project", DROP_SWAPPED},
    {"openai-", DROP_TRANSLATED},
    {"anthropic-", DROP_TRANSLATED},
    {"x-goog-", DROP_TRANSLATED},
    {"x-stainless-", DROP_TRANSLATED},
    {"content-type", DROP_TRANSLATED},
    {"user-agent", DROP_TRANSLATED},
    {"accept", DROP_TRANSLATED},
};

static bool is_named(struct slice name, const char *row)
{
    size_t length = strlen(row);
    if (row[length - 1] != '-')
        return slice_is_like(name, row);
    return name.length > length && strncasecmp(name.data, row, length) == 0;
}

static bool is_dropped(struct slice name, bool is_swapped, bool is_translated)
{
    for (size_t i = 0; i < sizeof drop_rows / sizeof *drop_rows; i++) {
        const struct drop_row *row = &drop_rows[i];
        bool counts = row->drop == DROP_ALWAYS || (row->drop == DROP_SWAPPED && is_swapped) ||
                      (row->drop == DROP_TRANSLATED && is_translated);
        if (counts && is_named(name, row->name))
            return true;
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
            !is_dropped(request->fields[i].name, attempt->target != NULL, attempt->rendition->is_translated))
            fields[count++] = request->fields[i];
    *ret_fields = fields;
    return add_own(attempt, fields, count);
}
