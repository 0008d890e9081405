/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request's head, strictly (RFC 9112): what is not plainly right is refused. And whether it comes from a page of
 * ours: Host keeps out names that were made to resolve to 127.0.0.1, Origin and Sec-Fetch-Site keep out pages of other
 * origins, the cookie keeps out everybody else. Called by dashboard_route.c and dashboard_link.c.
 */
#include "cli/dashboard.h"

#include <string.h>
#include <strings.h>

enum { STATUS_BAD = 400, STATUS_FORBIDDEN = 403, STATUS_METHOD = 405, STATUS_LONG = 431, STATUS_VERSION = 505 };

/* Visible ASCII, without what ends a URL's path and query. */
static bool request_is_target(const char *target)
{
    if (target[0] != '/')
        return false;
    for (const char *at = target; *at; at++)
        if (*at <= ' ' || *at > '~' || *at == '#' || *at == '\\')
            return false;
    return true;
}

static int request_parse_line(char *line, struct dashboard_request *request)
{
    char *space = strchr(line, ' ');
    char *second = space ? strchr(space + 1, ' ') : NULL;
    if (!second)
        return STATUS_BAD;
    *space = *second = '\0';
    request->method = line;
    request->target = space + 1;
    if (strcmp(second + 1, "HTTP/1.1") != 0)
        return text_starts(second + 1, "HTTP/") ? STATUS_VERSION : STATUS_BAD;
    return request_is_target(request->target) ? 0 : STATUS_BAD;
}

static int request_parse_field(char *line, struct dashboard_request *request)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const struct {
        const char *name, **value;
    } rows[] = {{"host", &request->host},
                {"origin", &request->origin},
                {"sec-fetch-site", &request->site},
                {"sec-fetch-mode", &request->mode},
                {"sec-fetch-dest", &request->destination},
                {"cookie", &request->cookie}};
    size_t length = strspn(line, token);
    if (length == 0 || line[length] != ':')
        return STATUS_BAD;
    line[length] = '\0';
    char *value = line + length + 1;
    value += strspn(value, " \t");
    for (size_t end = strlen(value); end > 0 && (value[end - 1] == ' ' || value[end - 1] == '\t'); end--)
        value[end - 1] = '\0';
    if (strcasecmp(line, "transfer-encoding") == 0 ||
        (strcasecmp(line, "content-length") == 0 && strcmp(value, "0") != 0))
        request->has_body = true;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcasecmp(line, rows[i].name) != 0)
            continue;
        if (*rows[i].value)
            return STATUS_BAD; /* said twice: which one would count? */
        *rows[i].value = value;
    }
    return 0;
}

int dashboard_parse(char *head, size_t length, struct dashboard_request *ret_request)
{
    struct dashboard_request request = {NULL};
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)head[i];
        bool is_end = byte == '\n' && i > 0 && head[i - 1] == '\r';
        bool is_return = byte == '\r' && head[i + 1] == '\n';
        if (!is_end && !is_return && ((byte < ' ' && byte != '\t') || byte == 0x7f))
            return STATUS_BAD;
    }
    bool is_first = true;
    for (char *line = head, *end; (end = strstr(line, "\r\n")) && end > line; line = end + 2) {
        *end = '\0';
        int status = is_first ? request_parse_line(line, &request) : request_parse_field(line, &request);
        if (status)
            return status;
        is_first = false;
    }
    if (is_first || !request.host)
        return STATUS_BAD;
    *ret_request = request;
    return 0;
}

static bool request_is_our_host(const struct dashboard *dashboard, const char *host)
{
    return strcasecmp(host, text_format("127.0.0.1:%u", dashboard->port)) == 0 ||
           strcasecmp(host, text_format("localhost:%u", dashboard->port)) == 0;
}

int dashboard_check(const struct dashboard *dashboard, const struct dashboard_request *request, bool is_entry)
{
    if (!request_is_our_host(dashboard, request->host))
        return STATUS_FORBIDDEN;
    if (request->origin && strcasecmp(request->origin, text_format("http://%s", request->host)) != 0)
        return STATUS_FORBIDDEN;
    const char *site = request->site ? request->site : "none";
    bool is_ours = strcmp(site, "none") == 0 || strcmp(site, "same-origin") == 0;
    /* The token proves more than where the link stood: our own file, a terminal in a browser. */
    bool is_visit = is_entry && (!request->mode || strcmp(request->mode, "navigate") == 0) &&
                    (!request->destination || strcmp(request->destination, "document") == 0);
    if (!is_ours && !is_visit)
        return STATUS_FORBIDDEN;
    if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0)
        return STATUS_METHOD;
    return request->has_body ? STATUS_BAD : 0;
}

bool dashboard_is_secret(const char *secret, const char *text, size_t length)
{
    unsigned difference = strlen(secret) != length;
    for (size_t i = 0; i < length && secret[i]; i++)
        difference |= (unsigned)(unsigned char)secret[i] ^ (unsigned char)text[i];
    return difference == 0;
}

/* Another server of this host may have set a cookie of the same name: any of them may be ours. */
bool dashboard_has_session(const struct dashboard *dashboard, const struct dashboard_request *request)
{
    const char *name = text_format("tollgate_%u=", dashboard->port);
    bool is_known = false;
    for (const char *at = request->cookie; at && *at;) {
        at += strspn(at, "; ");
        size_t length = strcspn(at, ";"), prefix = strlen(name);
        if (length > prefix && memcmp(at, name, prefix) == 0)
            is_known |= dashboard_is_secret(dashboard->cookie, at + prefix, length - prefix);
        at += length;
    }
    return is_known;
}
