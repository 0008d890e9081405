/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receive: one strict HTTP request from the program, complete with its body. Fills exchange->request, host, provider
 * and dialect. What cannot be understood in one way only is answered 400 and closed (wire.md, HTTP rules).
 */
#include "flow/exchange.h"

#include <ctype.h>

static const struct {
    const char *name;
} browser_fields[] = {{"sec-fetch-site"}, {"access-control-request-method"}, {"access-control-request-headers"}};

/* The governed name tells the provider; a name that only capture.hosts lists passes as an uncatalogued provider. */
void receive_find_provider(struct exchange *exchange, const char *name)
{
    exchange->host = arena_strdup(exchange->arena, name);
    exchange->provider = config_find_provider(exchange->settings, name);
    exchange->is_catalogued = exchange->provider != NULL;
    if (!exchange->provider) {
        struct provider *provider = arena_new_struct(exchange->arena, struct provider);
        provider->id = exchange->host;
        provider->dialect = DIALECT_OPENAI;
        provider->base_url = arena_printf(exchange->arena, "https://%s", exchange->host);
        provider->price_family = "";
        exchange->provider = provider;
    }
    exchange->dialect = dialect_of(exchange->provider->dialect);
}

static enum outcome refuse(struct exchange *exchange, enum error error, const char *text)
{
    session_must_close(exchange->session);
    return exchange_fail(exchange, error, "%s", text);
}

static int hex_value(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* "/v1/%63hat" is another path to those who do not decode it (RFC 3986 6.2.2.2: such escapes ought to be decoded). An
 * escaped '/' is left to the names of models that are asked for. */
static bool is_disguised(const struct http_request *request)
{
    struct slice path = request->path;
    for (size_t i = 0; i + 2 < path.length; i++) {
        if (path.data[i] != '%')
            continue;
        int high = hex_value(path.data[i + 1]), low = hex_value(path.data[i + 2]);
        int c = high < 0 || low < 0 ? -1 : high * 16 + low;
        bool is_unreserved = c > 0 && c < 0x80 && (isalnum(c) || strchr("-._~", c));
        if (c < 0 || is_unreserved || (c == '/' && !slice_is(request->method, "GET")))
            return true;
    }
    return false;
}

/* Whole and well-formed; is it addressed to us? */
static enum outcome accept_request(struct exchange *exchange)
{
    const struct http_request *request = exchange->request;
    if (!request->is_keepalive)
        session_must_close(exchange->session);
    if (!slice_is(request->host, exchange->host))
        return refuse(exchange, ERROR_HTTP_HOST_MISMATCH, "the Host header differs from the name that was dialled");
    for (size_t i = 0; i < sizeof browser_fields / sizeof *browser_fields; i++)
        if (http_find_field(request->fields, request->field_count, browser_fields[i].name).data)
            return refuse(exchange, ERROR_BROWSER_REFUSED, "requests from a browser are refused");
    if (is_disguised(request))
        return refuse(exchange, ERROR_HTTP_MALFORMED, "the path has escapes for characters that need none");
    if (request->is_upgrade)
        return refuse(exchange, ERROR_HTTP_UPGRADE, "WebSocket and other upgrades are not supported");
    session_listen(exchange->session);
    return OUTCOME_NEXT;
}

/* The name that was dialled says the provider; on the base URL's port the path will, and until then errors have the
 * commonest shape. */
static void find_dialect(struct exchange *exchange)
{
    exchange->is_base_url = session_is_base_url(exchange->session);
    if (exchange->is_base_url)
        exchange->dialect = dialect_of(DIALECT_OPENAI);
    else
        receive_find_provider(exchange, session_name(exchange->session));
}

/* The head is here and the program waits for leave to send its body. */
static enum outcome head_arrived(struct exchange *exchange)
{
    static const struct slice go_on = SLICE_LITERAL("HTTP/1.1 100 Continue\r\n\r\n");
    const struct http_request *request = http_parser_request(session_parser(exchange->session));
    if (exchange->is_base_url && base_url_accept(exchange, request) == OUTCOME_FAIL)
        return OUTCOME_FAIL;
    session_wait_for_body(exchange->session);
    if (request->wants_continue) {
        bool full;
        connection_write(session_connection(exchange->session), go_on, &full);
    }
    return OUTCOME_NEXT;
}

static enum outcome request_arrived(struct exchange *exchange)
{
    exchange->request = http_parser_request(session_parser(exchange->session));
    if (!exchange->is_base_url)
        return accept_request(exchange);
    if (!exchange->provider &&
        base_url_accept(exchange, exchange->request) == OUTCOME_FAIL) /* no body, no head before */
        return OUTCOME_FAIL;
    exchange_note(exchange, "by base URL");
    exchange->request = base_url_strip(exchange, exchange->request);
    return accept_request(exchange);
}

enum outcome step_receive(struct exchange *exchange)
{
    struct session *session = exchange->session;
    if (exchange->is_client_gone)
        return exchange_fail(exchange, ERROR_CLIENT_GONE, "the client left before its request was complete");
    if (!exchange->dialect)
        find_dialect(exchange);
    if (exchange->error == ERROR_HTTP_TIMEOUT) /* the session's timer says so */
        return refuse(exchange, ERROR_HTTP_TIMEOUT, "the request did not arrive in time");
    struct session_input *input = session_input(session);
    struct http_parser *parser = session_parser(session);
    for (;;) {
        size_t used = 0;
        enum error error = ERROR_OK;
        enum http_parse parse =
            http_parser_feed(parser, exchange->arena, slice_from(input->bytes, input->taken), &used, &error);
        input->taken += used;
        switch (parse) {
        case HTTP_PARSE_MORE:
            return OUTCOME_WAIT;
        case HTTP_PARSE_HEAD:
            if (head_arrived(exchange) == OUTCOME_FAIL)
                return OUTCOME_FAIL;
            break;
        case HTTP_PARSE_DONE:
            return request_arrived(exchange);
        case HTTP_PARSE_ERROR:
            return refuse(exchange, error, http_parser_problem(parser));
        }
    }
}
