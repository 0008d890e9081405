/* SPDX-License-Identifier: Apache-2.0 */
/* What shows that a request to a port of 127.0.0.1 comes from a web page: a browser reaches every such port on behalf
 * of any page. Called by the ports that speak plain HTTP. */
#include "http/http.h"

#include <stdio.h>

/* A last '-' stands for any ending. Fetch Metadata (w3.org/TR/fetch-metadata), CORS and Referer
 * (fetch.spec.whatwg.org), client hints (RFC 8942). */
static const char *const browser_fields[] = {"origin", "referer", "sec-fetch-", "access-control-request-", "sec-ch-"};

/* Node's fetch says this of itself (undici, lib/web/fetch/index.js), and no other Sec-Fetch field; a browser sends
 * Sec-Fetch-Site with each. */
static bool is_node(const struct http_field *field)
{
    return slice_is_like(field->name, "sec-fetch-mode") && slice_is(field->value, "cors");
}

const char *http_find_browser(const struct http_request *request)
{
    if (slice_is(request->method, "OPTIONS"))
        return "OPTIONS";
    for (size_t i = 0; i < request->field_count; i++)
        for (size_t j = 0; j < sizeof browser_fields / sizeof *browser_fields; j++)
            if (http_field_is_named(request->fields[i].name, browser_fields[j]) && !is_node(&request->fields[i]))
                return browser_fields[j];
    return NULL;
}

bool http_is_loopback_host(const struct http_request *request, unsigned port)
{
    char numeric[32], name[32];
    struct slice host = http_find_field(request->fields, request->field_count, "host");
    snprintf(numeric, sizeof numeric, "127.0.0.1:%u", port);
    snprintf(name, sizeof name, "localhost:%u", port);
    return slice_is_like(host, numeric) || slice_is_like(host, name);
}
