/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of a request: where it ends, and what it says. Two readers must agree: llhttp (strict mode) reads the whole
 * head at once, and our own look at its lines refuses what llhttp lets pass (obs-fold, bare CR, [M] wire.md). Called by
 * parser.c; the only file that includes llhttp.
 */
#include "base/check.h"
#include "http/internal.h"

#include <llhttp/llhttp.h>

/* ---- where it ends ---- */

/* One complete line, CRLF not included in [start, end). */
static bool line_is_valid(const struct head_search *search, struct slice head, size_t line_feed,
                          struct http_fault *fault)
{
    const char *line = head.data + search->line_start;
    size_t length = line_feed - search->line_start;
    if (length == 0 || line[length - 1] != '\r')
        return http_fail(fault, ERROR_HTTP_MALFORMED, "a line ends in a bare LF");
    if (memchr(line, '\r', length - 1))
        return http_fail(fault, ERROR_HTTP_MALFORMED, "a bare CR in the head");
    if (search->line_count && (line[0] == ' ' || line[0] == '\t'))
        return http_fail(fault, ERROR_HTTP_MALFORMED, "a field is continued on the next line (obs-fold)");
    return true;
}

/* The limits, applied to `length` bytes of the line in hand (its CR included) that end at `end` in the head: before
 * anything else, so that a line is too long at the same byte whether it is complete or not. */
static bool line_is_bounded(const struct head_search *search, const struct http_limits *limits, size_t length,
                            size_t end, struct http_fault *fault)
{
    if (search->line_count == 0 && length > (size_t)limits->request_line_bytes_max + 1)
        return http_fail(fault, ERROR_HTTP_HEAD_TOO_LARGE, "the request line exceeds its limit");
    if (end > limits->head_bytes_max)
        return http_fail(fault, ERROR_HTTP_HEAD_TOO_LARGE, "the head exceeds its limit");
    if (search->line_count > (size_t)limits->fields_max + 1)
        return http_fail(fault, ERROR_HTTP_HEAD_TOO_LARGE, "the head has too many fields");
    return true;
}

enum http_parse http_head_search(struct head_search *search, const struct http_limits *limits, struct slice head,
                                 size_t *ret_length, struct http_fault *ret_fault)
{
    for (;;) {
        const char *rest = head.data + search->line_start;
        size_t rest_length = head.length - search->line_start;
        const char *line_feed = rest_length ? memchr(rest, '\n', rest_length) : NULL;
        size_t length = line_feed ? (size_t)(line_feed - rest) : rest_length;
        size_t end = search->line_start + length + (line_feed ? 1 : 0);
        if (!line_is_bounded(search, limits, length, end, ret_fault))
            return HTTP_PARSE_ERROR;
        if (!line_feed)
            return HTTP_PARSE_MORE;
        if (!line_is_valid(search, head, search->line_start + length, ret_fault))
            return HTTP_PARSE_ERROR;
        search->line_start = end;
        if (length > 1) {
            search->line_count++;
        } else if (search->line_count) {
            *ret_length = end;
            return HTTP_PARSE_DONE;
        } else if (search->start) {
            http_fail(ret_fault, ERROR_HTTP_MALFORMED, "empty lines before the request line");
            return HTTP_PARSE_ERROR;
        } else {
            search->start = end;
        }
    }
}

/* ---- what llhttp reads ---- */

struct head_reader {
    struct http_request *request;
    size_t field_max;
    bool value_was_seen; /* of the last field */
};

static int on_header_field(llhttp_t *llhttp, const char *at, size_t length)
{
    struct head_reader *reader = llhttp->data;
    struct http_request *request = reader->request;
    if (request->field_count && !reader->value_was_seen) {
        request->fields[request->field_count - 1].name.length += length;
        return 0;
    }
    if (request->field_count == reader->field_max)
        return -1;
    request->fields[request->field_count++] = (struct http_field){{at, length}, {at + length, 0}};
    reader->value_was_seen = false;
    return 0;
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t length)
{
    struct head_reader *reader = llhttp->data;
    struct slice *value = &reader->request->fields[reader->request->field_count - 1].value;
    if (!reader->value_was_seen)
        *value = (struct slice){at, 0};
    value->length = (size_t)(at + length - value->data);
    reader->value_was_seen = true;
    return 0;
}

static int on_header_value_complete(llhttp_t *llhttp)
{
    struct head_reader *reader = llhttp->data;
    reader->value_was_seen = true;
    return 0;
}

static int on_headers_complete(llhttp_t *llhttp)
{
    (void)llhttp;
    return HPE_PAUSED; /* the body is ours */
}

static const llhttp_settings_t llhttp_settings = {
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
};

/* A fresh llhttp per head: no pause of an earlier message can be left pending in it. */
static bool read_fields(struct slice head, size_t field_count, struct arena *arena, struct http_request *request,
                        int *ret_minor_version, struct http_fault *fault)
{
    struct head_reader reader = {.request = request, .field_max = field_count};
    request->fields = arena_new_array(arena, struct http_field, field_count + 1);
    llhttp_t llhttp;
    llhttp_init(&llhttp, HTTP_REQUEST, &llhttp_settings);
    llhttp.data = &reader;
    llhttp_errno_t result = llhttp_execute(&llhttp, head.data, head.length);
    if (result != HPE_PAUSED) {
        const char *reason = llhttp_get_error_reason(&llhttp); /* always a literal of llhttp's */
        return http_fail(fault, ERROR_HTTP_MALFORMED, reason && *reason ? reason : "the head is incomplete");
    }
    if (request->field_count != field_count)
        return http_fail(fault, ERROR_HTTP_MALFORMED, "the head's lines are ambiguous");
    if (llhttp_get_http_major(&llhttp) != 1)
        return http_fail(fault, ERROR_HTTP_MALFORMED, "the version is neither HTTP/1.0 nor HTTP/1.1");
    *ret_minor_version = llhttp_get_http_minor(&llhttp);
    return true;
}

/* ---- the request line ---- */

/* "." or "..", its dots percent-encoded or not. */
static bool segment_is_dots(struct slice segment)
{
    unsigned dots = 0;
    while (segment.length) {
        size_t length = segment.data[0] == '.'                                            ? 1
                        : segment.length >= 3 && strncasecmp(segment.data, "%2e", 3) == 0 ? 3
                                                                                          : 0;
        if (length == 0)
            return false;
        dots++;
        segment = slice_from(segment, length);
    }
    return dots == 1 || dots == 2;
}

/* Whoever resolves dot segments sees another endpoint than who does not: libcurl would, a provider may. */
static bool path_has_dot_segments(struct slice path)
{
    while (path.length) {
        path = slice_from(path, 1);
        const char *slash = path.length ? memchr(path.data, '/', path.length) : NULL;
        size_t length = slash ? (size_t)(slash - path.data) : path.length;
        if (segment_is_dots((struct slice){path.data, length}))
            return true;
        path = slice_from(path, length);
    }
    return false;
}

static bool read_target(struct slice target, struct http_request *request, struct http_fault *fault)
{
    if (target.length == 0 || target.data[0] != '/')
        return http_fail(fault, ERROR_HTTP_MALFORMED, "the request target does not start with a slash");
    for (size_t i = 0; i < target.length; i++) {
        unsigned char c = (unsigned char)target.data[i];
        if (c <= 0x20 || c >= 0x7f || c == '#')
            return http_fail(fault, ERROR_HTTP_MALFORMED, "the request target has an illegal character");
    }
    const char *mark = memchr(target.data, '?', target.length);
    size_t path_length = mark ? (size_t)(mark - target.data) : target.length;
    request->path = (struct slice){target.data, path_length};
    request->query = slice_from(target, mark ? path_length + 1 : path_length);
    if (path_has_dot_segments(request->path))
        return http_fail(fault, ERROR_HTTP_MALFORMED, "the path has dot segments");
    return true;
}

/* "METHOD SP target SP HTTP/1.x", single spaces: llhttp takes more than one. */
static bool read_request_line(struct slice line, struct http_request *request, struct http_fault *fault)
{
    const char *first = memchr(line.data, ' ', line.length);
    size_t method_length = first ? (size_t)(first - line.data) : line.length;
    struct slice rest = slice_from(line, method_length + 1);
    const char *second = rest.length ? memchr(rest.data, ' ', rest.length) : NULL;
    if (!second)
        return http_fail(fault, ERROR_HTTP_MALFORMED, "the request line has no version");
    struct slice target = {rest.data, (size_t)(second - rest.data)};
    struct slice version = slice_from(rest, target.length + 1);
    request->method = (struct slice){line.data, method_length};
    if (!http_is_token(request->method))
        return http_fail(fault, ERROR_HTTP_MALFORMED, "the method is no token");
    if (slice_is(request->method, "CONNECT"))
        return http_fail(fault, ERROR_HTTP_MALFORMED, "CONNECT is not supported");
    if (slice_is(request->method, "PRI"))
        return http_fail(fault, ERROR_HTTP_MALFORMED, "HTTP/2 without negotiation");
    if (!slice_is(version, "HTTP/1.1") && !slice_is(version, "HTTP/1.0"))
        return http_fail(fault, ERROR_HTTP_MALFORMED, "the version is neither HTTP/1.0 nor HTTP/1.1");
    return read_target(target, request, fault);
}

/* ---- the fields that say something about the message ---- */

struct head_facts {
    struct slice host, content_length, transfer_encoding, expect;
    unsigned host_count, content_length_count, transfer_encoding_count;
};

static bool collect_facts(const struct http_request *request, struct head_facts *facts, struct http_fault *fault)
{
    const struct {
        const char *name;
        struct slice *value;
        unsigned *count; /* NULL: may be repeated, the last counts */
        const char *problem;
    } rows[] = {
        {"host", &facts->host, &facts->host_count, "more than one Host"},
        {"content-length", &facts->content_length, &facts->content_length_count, "more than one Content-Length"},
        {"transfer-encoding", &facts->transfer_encoding, &facts->transfer_encoding_count,
         "more than one Transfer-Encoding"},
        {"expect", &facts->expect, NULL, NULL},
    };
    for (size_t i = 0; i < request->field_count; i++) {
        struct http_field *field = &request->fields[i];
        field->value = slice_trim(field->value);
        if (!http_field_is_valid(field->name, field->value))
            return http_fail(fault, ERROR_HTTP_MALFORMED, "a field has an illegal character");
        for (size_t j = 0; j < sizeof rows / sizeof *rows; j++) {
            if (!slice_is_like(field->name, rows[j].name))
                continue;
            if (rows[j].count && ++*rows[j].count > 1)
                return http_fail(fault, ERROR_HTTP_MALFORMED, rows[j].problem);
            *rows[j].value = field->value;
        }
    }
    return true;
}

static bool any_field_has(const struct http_request *request, const char *name, const char *token)
{
    for (size_t i = 0; i < request->field_count; i++)
        if (slice_is_like(request->fields[i].name, name) && http_list_has(request->fields[i].value, token))
            return true;
    return false;
}

static struct slice drop_port(struct slice host)
{
    size_t digits = 0;
    while (digits < host.length && host.data[host.length - 1 - digits] >= '0' &&
           host.data[host.length - 1 - digits] <= '9')
        digits++;
    if (digits && digits < host.length && host.data[host.length - 1 - digits] == ':')
        host.length -= digits + 1;
    return host;
}

/* Lower case, without ":443": any other port is another origin. */
static bool read_host(struct slice value, bool takes_any_port, struct arena *arena, struct slice *ret_host,
                      struct http_fault *fault)
{
    if (takes_any_port)
        value = drop_port(value);
    else if (slice_has_suffix(value, ":443"))
        value.length -= strlen(":443");
    if (value.length == 0 || value.length > 253)
        return http_fail(fault, ERROR_HTTP_MALFORMED, "the Host is empty or too long");
    char *host = arena_alloc(arena, value.length + 1);
    for (size_t i = 0; i < value.length; i++) {
        unsigned char c = (unsigned char)value.data[i];
        bool is_upper = c >= 'A' && c <= 'Z';
        if (!is_upper && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '_')
            return http_fail(fault, ERROR_HTTP_MALFORMED, "the Host is no name, or has another port than 443");
        host[i] = (char)(is_upper ? c | 0x20 : c);
    }
    *ret_host = (struct slice){host, value.length};
    return true;
}

/* RFC 9112 6.1 and 6.3: one way to say where the body ends, or none. */
static bool read_framing(const struct head_facts *facts, int minor_version, struct http_framing *ret_framing,
                         struct http_fault *fault)
{
    struct http_framing framing = {.is_chunked = facts->transfer_encoding_count > 0};
    if (framing.is_chunked && facts->content_length_count)
        return http_fail(fault, ERROR_HTTP_MALFORMED, "Content-Length together with Transfer-Encoding");
    if (framing.is_chunked && (minor_version == 0 || !slice_is_like(facts->transfer_encoding, "chunked")))
        return http_fail(fault, ERROR_HTTP_MALFORMED, "Transfer-Encoding is not one \"chunked\"");
    struct slice digits = facts->content_length;
    if (facts->content_length_count && (digits.length == 0 || digits.length > 18))
        return http_fail(fault, ERROR_HTTP_MALFORMED, "Content-Length is no number");
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return http_fail(fault, ERROR_HTTP_MALFORMED, "Content-Length is no number");
        framing.content_length = framing.content_length * 10 + (unsigned)(digits.data[i] - '0');
    }
    *ret_framing = framing;
    return true;
}

bool http_parse_head(struct slice head, size_t field_count, bool takes_any_port, struct arena *arena,
                     struct http_request *ret_request, struct http_framing *ret_framing, struct http_fault *ret_fault)
{
    struct http_request request = {0};
    struct head_facts facts = {0};
    int minor_version = 0;
    const char *line_end = memchr(head.data, '\r', head.length);
    check(line_end != NULL);
    if (!read_request_line((struct slice){head.data, (size_t)(line_end - head.data)}, &request, ret_fault) ||
        !read_fields(head, field_count, arena, &request, &minor_version, ret_fault) ||
        !collect_facts(&request, &facts, ret_fault))
        return false;
    if (facts.host_count == 0)
        return http_fail(ret_fault, ERROR_HTTP_MALFORMED, "no Host");
    if (!read_host(facts.host, takes_any_port, arena, &request.host, ret_fault) ||
        !read_framing(&facts, minor_version, ret_framing, ret_fault))
        return false;
    bool has_body = ret_framing->is_chunked || ret_framing->content_length;
    request.takes_chunks = minor_version == 1;
    request.is_keepalive = minor_version == 1 && !any_field_has(&request, "connection", "close");
    request.wants_continue = has_body && minor_version == 1 && slice_is_like(facts.expect, "100-continue");
    /* Other upgrades (h2c) may be ignored: RFC 9110 7.8. */
    request.is_upgrade =
        any_field_has(&request, "upgrade", "websocket") && any_field_has(&request, "connection", "upgrade");
    *ret_request = request;
    return true;
}
