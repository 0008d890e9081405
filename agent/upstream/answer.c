/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl's callbacks for one transfer: opening a socket, the moment before the request is sent, its body, and the
 * answer's lines and bytes. They run inside libcurl: a handler's wishes from here are put off (internal.h). A cancelled
 * transfer refuses in every one of them.
 */
#include "upstream/internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/descriptors.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

curl_socket_t request_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct upstream_transfer *transfer = context;
    if (purpose != CURLSOCKTYPE_IPCXN || transfer->state == TRANSFER_CANCELLED)
        return CURL_SOCKET_BAD;
    transfer->has_opened = true;
    if (!transfer->is_local && !transfer->uses_proxy && upstream_is_forbidden_address(&address->addr)) {
        transfer->refusal = ERROR_UPSTREAM_FORBIDDEN_ADDRESS; /* unless another of the name's addresses serves */
        return CURL_SOCKET_BAD;
    }
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    if (descriptor_is_kept(fd, DESCRIPTOR_PROVIDER)) {
        close(fd);
        return CURL_SOCKET_BAD;
    }
    sockets_add(transfer->upstream, fd);
    return fd;
}

/* Connected and verified; nothing of the request has left yet. A second call means that libcurl found the reused
 * connection dead and wants to send the request again, which may have arrived: never. */
int request_before_send(void *context, char *remote, char *local, int remote_port, int local_port)
{
    (void)local, (void)remote_port;
    struct upstream_transfer *transfer = context;
    struct upstream *upstream = transfer->upstream;
    if (transfer->state == TRANSFER_CANCELLED)
        return CURL_PREREQFUNC_ABORT;
    if (transfer->was_sent) {
        transfer->was_resent = true;
        return CURL_PREREQFUNC_ABORT;
    }
    if (!transfer->is_local && !transfer->uses_proxy && address_text_is_forbidden(remote)) {
        transfer->refusal = ERROR_UPSTREAM_FORBIDDEN_ADDRESS;
        return CURL_PREREQFUNC_ABORT;
    }
    if (transfer->has_opened) {
        sockets_name(upstream);
    } else if (sockets_has_ended(upstream, local_port)) {
        transfer->is_stale = true;
        return CURL_PREREQFUNC_ABORT;
    }
    transfer->refusal = ERROR_OK;
    transfer->was_sent = true;
    transfer->active_ns = transfer->connected_ns = clock_monotonic_ns();
    if (transfer->timeout_ms > 0)
        timer_arm(upstream->loop, &transfer->idle, transfer->timeout_ms);
    return CURL_PREREQFUNC_OK;
}

size_t request_read_body(char *bytes, size_t size, size_t count, void *context)
{
    struct upstream_transfer *transfer = context;
    if (transfer->state == TRANSFER_CANCELLED)
        return CURL_READFUNC_ABORT;
    struct slice rest = slice_from(transfer->body, transfer->body_offset);
    size_t length = rest.length < size * count ? rest.length : size * count;
    if (length)
        memcpy(bytes, rest.data, length);
    transfer->body_offset += length;
    transfer->active_ns = loop_now_ns(transfer->upstream->loop);
    return length;
}

/* A whole head has come. False: malformed. */
static bool end_head(struct upstream_transfer *transfer)
{
    struct http_field fields[HEAD_FIELDS_MAX];
    size_t count = 0;
    int status = upstream_parse_head(buffer_contents(&transfer->head), fields, &count);
    if (status == 0 || status == 101)
        return false; /* 101: nobody asked for an upgrade */
    if (status < 200) {
        buffer_reset(&transfer->head, HEAD_BYTES_MAX);
        return true;
    }
    transfer->head_received = true;
    transfer->handler.head(transfer->context, status, fields, count);
    return true;
}

size_t answer_take_line(char *bytes, size_t size, size_t count, void *context)
{
    struct upstream_transfer *transfer = context;
    struct slice line = {bytes, size * count};
    if (transfer->state == TRANSFER_CANCELLED)
        return 0;
    transfer->active_ns = loop_now_ns(transfer->upstream->loop);
    if (transfer->head_received)
        return line.length; /* a trailer */
    if (transfer->first_byte_ns == 0)
        transfer->first_byte_ns = clock_monotonic_ns();
    bool is_last = line.length > 0 && (line.data[0] == '\r' || line.data[0] == '\n');
    if (!buffer_append(&transfer->head, line) || (is_last && !end_head(transfer))) {
        transfer->refusal = ERROR_UPSTREAM_MALFORMED;
        return 0;
    }
    return transfer->state == TRANSFER_CANCELLED ? 0 : line.length;
}

/* An answer of a second piece is a stream that may last: what TLS keeps for writing is not needed again before it ends.
 * (It has come back since the request, with the session tickets that were read before the answer: 16 KiB of 90.) */
static void spare_memory(struct upstream_transfer *transfer)
{
    struct curl_tlssessioninfo *session = NULL;
    if (!transfer->has_body) {
        transfer->has_body = true;
    } else if (!transfer->is_spared && curl_easy_getinfo(transfer->easy, CURLINFO_TLS_SSL_PTR, &session) == CURLE_OK) {
        transfer->is_spared =
            !session || session->backend != CURLSSLBACKEND_OPENSSL || tls_spare_buffers(session->internals);
    }
}

size_t answer_take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct upstream_transfer *transfer = context;
    struct slice piece = {bytes, size * count};
    if (transfer->state == TRANSFER_CANCELLED)
        return 0;
    if (!transfer->head_received) { /* a body without a head */
        transfer->refusal = ERROR_UPSTREAM_MALFORMED;
        return 0;
    }
    transfer->active_ns = loop_now_ns(transfer->upstream->loop);
    spare_memory(transfer);
    bool is_taken = piece.length == 0 || transfer->handler.body(transfer->context, piece);
    if (transfer->state == TRANSFER_CANCELLED)
        return 0;
    if (is_taken)
        return piece.length;
    transfer->is_paused = true;
    timer_disarm(transfer->upstream->loop, &transfer->idle); /* the provider is not to blame for this silence */
    return CURL_WRITEFUNC_PAUSE;
}
