/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port for programs that take a base URL (capture.base_url), since they trust no certificate but those compiled
 * into them: http://127.0.0.1:PORT/PROVIDER/… is what PROVIDER's host would have got. Called by receive, with the head
 * alone where a body follows; after that the exchange is as any other. A browser reaches every port of 127.0.0.1 on
 * behalf of any page: whatever only a browser sends is refused, and no answer has fields of CORS.
 */
#include "flow/exchange.h"

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
    const char *browser = http_find_browser(request);
    if (browser)
        return refuse_browser(exchange, browser);
    if (!http_is_loopback_host(request, port))
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
