/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port for programs that take a base URL (capture.base_url), since they trust no certificate but those compiled
 * into them: http://127.0.0.1:PORT/PROVIDER/… is what PROVIDER's host would have got. Called by receive, with the head
 * alone where a body follows; after that the exchange is as any other. A browser reaches every port of 127.0.0.1 on
 * behalf of any page: whatever only a browser sends is refused, and no answer has fields of CORS.
 */
#include "flow/exchange.h"

/* A last '-' stands for any ending. Fetch Metadata (w3.org/TR/fetch-metadata), CORS and Referer
 * (fetch.spec.whatwg.org), client hints (RFC 8942). */
static const char *const browser_fields[] = {"origin", "referer", "sec-fetch-", "access-control-request-", "sec-ch-"};

/* Node's fetch says this of itself (undici, lib/web/fetch/index.js), and no other Sec-Fetch field; a browser sends
 * Sec-Fetch-Site with each. */
static bool is_node(const struct http_field *field)
{
    return slice_is_like(field->name, "sec-fetch-mode") && slice_is(field->value, "cors");
}

/* What only a browser sends, NULL: nothing of it. */
static const char *find_browser(const struct http_request *request)
{
    if (slice_is(request->method, "OPTIONS"))
        return "OPTIONS";
    for (size_t i = 0; i < request->field_count; i++)
        for (size_t j = 0; j < sizeof browser_fields / sizeof *browser_fields; j++)
            if (http_field_is_named(request->fields[i].name, browser_fields[j]) && !is_node(&request->fields[i]))
                return browser_fields[j];
    return NULL;
}

/* A page whose name was made to resolve to 127.0.0.1 (DNS rebinding) says that name here. */
static bool is_host_ours(const struct http_request *request, unsigned port)
{
    char numeric[32], name[32];
    struct slice host = http_find_field(request->fields, request->field_count, "host");
    snprintf(numeric, sizeof numeric, "127.0.0.1:%u", port);
    snprintf(name, sizeof name, "localhost:%u", port);
    return slice_is_like(host, numeric) || slice_is_like(host, name);
}

/* "/openai/v1/models": "openai". */
static struct slice first_segment(struct slice path)
{
    struct slice rest = slice_from(path, 1);
    const char *end = memchr(rest.data, '/', rest.length);
    return (struct slice){rest.data, end ? (size_t)(end - rest.data) : rest.length};
}

/* The host that the segment stands for: of the provider with that id (Azure has several rows: the first with a host),
 * or itself, where one provider has several. */
static const char *find_host(const struct settings *settings, struct slice segment)
{
    for (size_t i = 0; i < settings->provider_count; i++)
        if (settings->providers[i].host_count && slice_is(segment, settings->providers[i].id))
            return settings->providers[i].hosts[0];
    for (size_t i = 0; i < settings->provider_count; i++)
        for (size_t j = 0; j < settings->providers[i].host_count; j++)
            if (slice_is(segment, settings->providers[i].hosts[j]))
                return settings->providers[i].hosts[j];
    return NULL;
}

static const char *list_providers(struct exchange *exchange)
{
    const struct settings *settings = exchange->settings;
    const char *list = "";
    for (size_t i = 0; i < settings->provider_count; i++)
        if (settings->providers[i].host_count)
            list = arena_printf(exchange->arena, "%s%s%s", list, list[0] ? ", " : "", settings->providers[i].id);
    return list;
}

static enum outcome refuse_browser(struct exchange *exchange, const char *why)
{
    session_must_close(exchange->session);
    return exchange_fail(exchange, ERROR_BROWSER_REFUSED, "requests from a browser are refused (%s)", why);
}

enum outcome base_url_accept(struct exchange *exchange, const struct http_request *request)
{
    const unsigned port = connection_peer(session_connection(exchange->session))->port;
    const char *browser = find_browser(request);
    if (browser)
        return refuse_browser(exchange, browser);
    if (!is_host_ours(request, port))
        return refuse_browser(
            exchange, arena_printf(exchange->arena, "Host is neither 127.0.0.1:%u nor localhost:%u", port, port));
    const char *host = find_host(exchange->settings, first_segment(request->path));
    if (host) {
        receive_find_provider(exchange, host);
        return OUTCOME_NEXT;
    }
    session_must_close(exchange->session);
    return exchange_fail(exchange, ERROR_PROVIDER_UNKNOWN,
                         "the path begins with no provider's name: http://127.0.0.1:%u/PROVIDER/..., where PROVIDER is "
                         "one of %s",
                         port, list_providers(exchange));
}

struct http_request *base_url_strip(struct exchange *exchange, const struct http_request *request)
{
    struct http_request *stripped = arena_new_struct(exchange->arena, struct http_request);
    *stripped = *request;
    stripped->host = slice_of(exchange->host);
    stripped->path = slice_from(request->path, 1 + first_segment(request->path).length);
    if (stripped->path.length == 0)
        stripped->path = SLICE_LITERAL("/");
    return stripped;
}
