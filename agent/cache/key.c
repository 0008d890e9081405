/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key: SHA-256 over everything that may make two answers differ, each part with its length. Called by flow/ once
 * per request. A part that is forgotten here is an answer given to the wrong one: when in doubt, it is in.
 */
#include "cache/internal.h"

enum { PARTS_BYTES_MAX = 1 << 20 }; /* a request's head is bounded far below */

/* Of the key's own form: raise it when the meaning of a part changes, so that old entries are never found. */
static const char schema[] = "tollgate cache key 2";

/* Request fields that choose a version, a beta, an account, an organisation or a data region of the answer. */
static const char *const deciding_fields[] = {
    "anthropic-version",
    "anthropic-beta",
    "openai-beta",
    "openai-organization",
    "openai-project",
    "x-goog-user-project",
    "x-goog-request-params",
    "azureml-model-deployment",
    "x-ms-model-mesh-model-name",
    "chatgpt-account-id",
    "cookie",
};

/* Query parameters that say who asks, not what: Gemini's `key`, Azure's and Google's other names of it. */
static const char *const key_parameters[] = {"key", "api-key", "api_key", "subscription-key", "access_token"};

static bool is_key_parameter(struct slice parameter)
{
    const char *equals = parameter.length ? memchr(parameter.data, '=', parameter.length) : NULL;
    struct slice name = {parameter.data, equals ? (size_t)(equals - parameter.data) : parameter.length};
    for (size_t i = 0; i < sizeof key_parameters / sizeof *key_parameters; i++)
        if (slice_is_like(name, key_parameters[i]))
            return true;
    return false;
}

/* The next parameter of a query that is no key; false at its end. */
static bool next_parameter(struct slice *query, struct slice *ret_parameter)
{
    while (query->length) {
        const char *end = memchr(query->data, '&', query->length);
        size_t length = end ? (size_t)(end - query->data) : query->length;
        *ret_parameter = (struct slice){query->data, length};
        *query = slice_from(*query, length + 1);
        if (!is_key_parameter(*ret_parameter))
            return true;
    }
    return false;
}

static void add_query(struct parts *parts, struct slice query)
{
    struct slice rest = query, parameter;
    int64_t count = 0;
    while (next_parameter(&rest, &parameter))
        count++;
    parts_add_number(parts, count);
    while (next_parameter(&query, &parameter))
        parts_add(parts, parameter);
}

static void add_fields(struct parts *parts, const struct cache_request *request, const char *name)
{
    int64_t count = 0;
    for (size_t i = 0; i < request->field_count; i++)
        count += slice_is_like(request->fields[i].name, name);
    parts_add_number(parts, count);
    for (size_t i = 0; count && i < request->field_count; i++)
        if (slice_is_like(request->fields[i].name, name))
            parts_add(parts, request->fields[i].value);
}

static void add_body(struct parts *parts, struct memo *memo, const struct cache_request *request)
{
    unsigned char digest[DIGEST_BYTES];
    bool is_canonical = false;
    if (request->is_json) {
        memo_find_digest(memo, request->api, request->body, digest, &is_canonical);
    } else {
        digest_sha256(request->body, digest);
        add_fields(parts, request, "content-type");
    }
    parts_add_text(parts, !request->is_json ? "bytes" : is_canonical ? "json" : "json bytes");
    parts_add(parts, (struct slice){(const char *)digest, sizeof digest});
}

static bool is_complete(const struct cache_tenant *tenant)
{
    return tenant && (unsigned)tenant->environment < ENVIRONMENT_COUNT && tenant->group && tenant->group[0] &&
           tenant->wallet && tenant->wallet[0] && tenant->policy && tenant->policy->is_made;
}

bool cache_make_key(struct cache *cache, const struct cache_tenant *tenant, const struct cache_request *request,
                    struct cache_key *ret_key)
{
    struct parts parts;
    unsigned char digest[DIGEST_BYTES];
    if (!is_complete(tenant))
        return false;
    parts_init(&parts, PARTS_BYTES_MAX);
    parts_add_text(&parts, schema);
    parts_add_number(&parts, tenant->environment);
    parts_add_text(&parts, tenant->group);
    parts_add_text(&parts, tenant->wallet);
    parts_add(&parts, (struct slice){(const char *)tenant->policy->digest, sizeof tenant->policy->digest});
    parts_add_text(&parts, tenant->policy->uses_projects ? request->project : NULL);
    parts_add_number(&parts, request->api);
    parts_add_number(&parts, request->dialect);
    parts_add_text(&parts, request->host);
    parts_add(&parts, request->method);
    parts_add(&parts, request->path);
    add_query(&parts, request->query);
    parts_add(&parts, request->own_key);
    parts_add_number(&parts, request->output_tokens_max);
    for (size_t i = 0; i < sizeof deciding_fields / sizeof *deciding_fields; i++)
        add_fields(&parts, request, deciding_fields[i]);
    add_body(&parts, cache_memo(cache), request);
    if (!parts_finish(&parts, digest))
        return false;
    memcpy(ret_key->bytes, digest, sizeof ret_key->bytes);
    return true;
}
