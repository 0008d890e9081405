/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libcurl is told: once per easy handle what never changes, and per request only what differs from the handle's
 * last one. Called by transfer.c.
 */
#include "upstream/internal.h"

#include "base/check.h"

#include <stdlib.h>

enum {
    RECEIVE_BUFFER_BYTES = 16 << 10, /* one TLS record */
    STREAM_BUFFER_BYTES = 8 << 10,   /* an event or two, and there may be thousands of streams */
    CONNECTION_IDLE_SECONDS = 60,    /* shorter than the providers' own, so that they rarely close first */
    /* Of head and body together: libcurl copies what it sends into a buffer that it keeps as long as the transfer. */
    SEND_BUFFER_BYTES = 64 << 10,
    SMALL_SEND_BUFFER_BYTES = 16 << 10, /* its least */
    HEAD_ROOM_BYTES = 4 << 10,
};

/* Options are ours, not the network's: a refusal is a programmer error. */
#define set(transfer, option, value) check(curl_easy_setopt((transfer)->easy, (option), (value)) == CURLE_OK)

static void set_callbacks(struct upstream_transfer *transfer)
{
    set(transfer, CURLOPT_PRIVATE, (void *)transfer);
    set(transfer, CURLOPT_ERRORBUFFER, transfer->error_text);
    set(transfer, CURLOPT_HEADERFUNCTION, answer_take_line);
    set(transfer, CURLOPT_HEADERDATA, (void *)transfer);
    set(transfer, CURLOPT_WRITEFUNCTION, answer_take_body);
    set(transfer, CURLOPT_WRITEDATA, (void *)transfer);
    set(transfer, CURLOPT_READFUNCTION, request_read_body); /* and no SEEKFUNCTION: nothing can be sent again */
    set(transfer, CURLOPT_READDATA, (void *)transfer);
    set(transfer, CURLOPT_PREREQFUNCTION, request_before_send);
    set(transfer, CURLOPT_PREREQDATA, (void *)transfer);
    set(transfer, CURLOPT_OPENSOCKETFUNCTION, request_open_socket);
    set(transfer, CURLOPT_OPENSOCKETDATA, (void *)transfer);
    set(transfer, CURLOPT_CLOSESOCKETFUNCTION, sockets_close);
    set(transfer, CURLOPT_CLOSESOCKETDATA, (void *)transfer->upstream);
}

static void set_transport(struct upstream_transfer *transfer)
{
    set(transfer, CURLOPT_NOSIGNAL, 1L);
    set(transfer, CURLOPT_QUICK_EXIT, 1L); /* cancelling never waits for a resolver thread */
    set(transfer, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    set(transfer, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    set(transfer, CURLOPT_SSL_VERIFYPEER, 1L);
    set(transfer, CURLOPT_SSL_VERIFYHOST, 2L);
    /* Roots come from one file: a directory beside it would add the system's, and forbid libcurl to cache the store. */
    set(transfer, CURLOPT_CAPATH, (char *)NULL);
    set(transfer, CURLOPT_SHARE, transfer->upstream->sessions);
    set(transfer, CURLOPT_MAXAGE_CONN, (long)CONNECTION_IDLE_SECONDS);
    set(transfer, CURLOPT_TCP_KEEPALIVE, 1L);
    set(transfer, CURLOPT_PROTOCOLS_STR, "https");
    set(transfer, CURLOPT_NOPROXY, ""); /* proxy.c has decided */
    set(transfer, CURLOPT_PROXY, "");
    set(transfer, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(transfer, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE); /* a proxy sees none of our fields */
}

void options_set_common(struct upstream_transfer *transfer)
{
    set_callbacks(transfer);
    set_transport(transfer);
    set(transfer, CURLOPT_FOLLOWLOCATION, 0L);
    set(transfer, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    set(transfer, CURLOPT_HTTP09_ALLOWED, 0L);
    set(transfer, CURLOPT_PATH_AS_IS, 1L); /* the provider shall see the path that the policy saw */
    set(transfer, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    set(transfer, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
}

/* True when `text` differs from what was remembered, which then is `text`. */
static bool changes(char **remembered, const char *text)
{
    if (*remembered && strcmp(*remembered, text) == 0)
        return false;
    free(*remembered);
    *remembered = strdup(text);
    check(*remembered != NULL);
    return true;
}

static void set_destination(struct upstream_transfer *transfer, const struct upstream_request *request)
{
    const char *ca_file = request->ca_file ? request->ca_file : transfer->upstream->system_ca_file;
    const char *proxy = request->local ? "" : proxy_choose(&transfer->upstream->proxy, transfer->host);
    long connect_timeout_ms = (long)request->connect_timeout_ms;
    transfer->is_local = request->local;
    transfer->uses_proxy = *proxy != 0;
    if (changes(&transfer->options_ca_file, ca_file))
        set(transfer, CURLOPT_CAINFO, ca_file);
    if (changes(&transfer->options_proxy, proxy))
        set(transfer, CURLOPT_PROXY, proxy);
    if (transfer->options_local != request->local)
        set(transfer, CURLOPT_PROTOCOLS_STR, request->local ? "https,http" : "https");
    if (transfer->options_connect_timeout_ms != connect_timeout_ms)
        set(transfer, CURLOPT_CONNECTTIMEOUT_MS, connect_timeout_ms);
    transfer->options_local = request->local;
    transfer->options_connect_timeout_ms = connect_timeout_ms;
}

/* RFC 9110 5.6.2: a token, of letters only, since no other method is registered; CONNECT and TRACE are not requests. */
static bool method_is_valid(const char *method)
{
    size_t length = strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return length > 0 && length < 20 && method[length] == 0 && strcmp(method, "CONNECT") && strcmp(method, "TRACE");
}

/* POST, PUT and PATCH have a body even when it is empty (Content-Length: 0). */
static bool method_has_body(const char *method, struct slice body)
{
    return body.length > 0 || !strcmp(method, "POST") || !strcmp(method, "PUT") || !strcmp(method, "PATCH");
}

static void set_method(struct upstream_transfer *transfer, const char *method, bool has_body)
{
    char key[32];
    snprintf(key, sizeof key, "%s%s", method, has_body ? "+" : "");
    if (!changes(&transfer->options_method, key))
        return;
    set(transfer, CURLOPT_HTTPGET, 1L); /* forgets POST and NOBODY */
    if (has_body)
        set(transfer, CURLOPT_POST, 1L);
    else if (strcmp(method, "HEAD") == 0)
        set(transfer, CURLOPT_NOBODY, 1L);
    set(transfer, CURLOPT_CUSTOMREQUEST, method);
}

/* A small body goes out in one write with the head; libcurl has copied it before upstream_cancel could return. A large
 * one is read through our callback, which stops when the transfer was cancelled. */
static void set_body(struct upstream_transfer *transfer, struct slice body)
{
    bool is_small = body.length <= SMALL_BODY_BYTES_MAX;
    long buffer_bytes =
        body.length <= SMALL_SEND_BUFFER_BYTES - HEAD_ROOM_BYTES ? SMALL_SEND_BUFFER_BYTES : SEND_BUFFER_BYTES;
    if (transfer->options_send_buffer_bytes != buffer_bytes)
        set(transfer, CURLOPT_UPLOAD_BUFFERSIZE, buffer_bytes);
    transfer->options_send_buffer_bytes = buffer_bytes;
    transfer->body = body;
    transfer->body_offset = 0;
    set(transfer, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.length);
    set(transfer, CURLOPT_POSTFIELDS, is_small ? (body.length ? body.data : "") : (const char *)NULL);
}

static void set_receive_buffer(struct upstream_transfer *transfer, long bytes)
{
    if (transfer->options_receive_buffer_bytes != bytes)
        set(transfer, CURLOPT_BUFFERSIZE, bytes);
    transfer->options_receive_buffer_bytes = bytes;
}

/* The host (with port) of the URL, for texts and the proxy's rules. */
static bool read_host(struct upstream_transfer *transfer, const char *url)
{
    const char *host = strstr(url, "://");
    if (!host)
        return false;
    host += 3;
    size_t length = strcspn(host, "/?#");
    if (length == 0 || length >= sizeof transfer->host)
        return false;
    memcpy(transfer->host, host, length);
    transfer->host[length] = 0;
    return strchr(host, '#') == NULL; /* libcurl would cut it off, the policy saw it */
}

enum error options_set_request(struct upstream_transfer *transfer, const struct upstream_request *request)
{
    struct curl_slist *first;
    bool has_body = method_has_body(request->method, request->body);
    transfer->host[0] = 0;
    if (!read_host(transfer, request->url) || !method_is_valid(request->method) ||
        (has_body && strcmp(request->method, "HEAD") == 0))
        return ERROR_HTTP_MALFORMED;
    enum error error = fields_build(transfer, request, &first);
    if (error)
        return error;
    transfer->timeout_ms = request->timeout_ms;
    set_destination(transfer, request);
    set_method(transfer, request->method, has_body);
    if (has_body)
        set_body(transfer, request->body);
    set_receive_buffer(transfer, request->is_stream ? STREAM_BUFFER_BYTES : RECEIVE_BUFFER_BYTES);
    set(transfer, CURLOPT_HTTPHEADER, first);
    set(transfer, CURLOPT_URL, request->url);
    return ERROR_OK;
}
