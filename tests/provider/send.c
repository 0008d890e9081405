/* SPDX-License-Identifier: Apache-2.0 */
/* Sending of answers: head, framing, pacing, cuts. Steps of connection.c's state machine. Renders a little, hands it to
 * TLS, renders on when it is gone, so that a slow reader costs one small buffer.
 */
#include "tests/provider/connection.h"
#include "tests/provider/dispatch.h"

#include <inttypes.h>
#include <string.h>

#define OUT_BYTES_AIM     16384u
#define HEADER_LINE_BYTES 4000u

static const struct reason {
    int status;
    const char *text;
} reasons[] = {{200, "OK"},
               {400, "Bad Request"},
               {401, "Unauthorized"},
               {403, "Forbidden"},
               {404, "Not Found"},
               {405, "Method Not Allowed"},
               {429, "Too Many Requests"},
               {500, "Internal Server Error"},
               {503, "Service Unavailable"},
               {0, "Other"}};

static const char *reason_get(int status)
{
    size_t i = 0;
    while (reasons[i].status && reasons[i].status != status)
        i++;
    return reasons[i].text;
}

static void filler_headers_add(uint32_t bytes, struct buffer *out)
{
    for (uint32_t line = 0; bytes; line++) {
        uint32_t length = bytes < HEADER_LINE_BYTES ? bytes : HEADER_LINE_BYTES;
        buffer_format(out, "x-filler-%" PRIu32 ": ", line);
        memset(buffer_reserve(out, length), 'f', length);
        out->length += length;
        buffer_add(out, "\r\n");
        bytes -= length;
    }
}

/* A stream that is to have a Content-Length has to be known whole before its head. */
static void stream_flatten(struct exchange *exchange)
{
    bool piece;
    for (uint32_t i = 0; i < exchange->frame_count; i++)
        dispatch_add_frame(exchange, i, &exchange->body, &piece);
    exchange->pieces = exchange->answer.pieces;
    exchange->stream = NULL;
}

static void head_add(struct connection *connection, enum framing framing, struct buffer *out)
{
    struct exchange *exchange = &connection->exchange;
    buffer_format(out, "HTTP/1.1 %d %s\r\ncontent-type: %s\r\n%s: req_%06" PRIx64 "\r\n", exchange->status,
                  reason_get(exchange->status), exchange->content_type, exchange->dialect->id_header,
                  exchange->sequence);
    if (exchange->status != 200 && exchange->behaviour.retry_after != BEHAVIOUR_UNSET)
        buffer_format(out, "retry-after: %" PRIu32 "\r\n", exchange->behaviour.retry_after);
    if (exchange->behaviour.fault.encoded)
        buffer_add(out, "content-encoding: gzip\r\n");
    filler_headers_add(behaviour_get(exchange->behaviour.header_bytes, 0), out);
    if (framing == FRAMING_CHUNKED)
        buffer_add(out, "transfer-encoding: chunked\r\n");
    else if (framing == FRAMING_LENGTH)
        buffer_format(out, "content-length: %zu\r\n", exchange->body.length);
    buffer_add(out, connection->close_after ? "connection: close\r\n\r\n" : "\r\n");
}

bool send_start(struct connection *connection)
{
    struct exchange *exchange = &connection->exchange;
    enum framing framing = exchange->behaviour.framing;
    const bool is_empty = exchange->behaviour.fault.no_content;
    if ((framing == FRAMING_LENGTH || is_empty) && exchange->stream)
        stream_flatten(exchange);
    if (is_empty) {
        exchange->status = 204;
        exchange->body.length = 0;
        framing = FRAMING_DEFAULT;
    } else if (framing == FRAMING_DEFAULT)
        framing = exchange->stream ? FRAMING_CHUNKED : FRAMING_LENGTH;
    exchange->behaviour.framing = framing;
    if (framing == FRAMING_CLOSE)
        connection->close_after = true;
    head_add(connection, framing, &connection->out);
    connection->body_sent = 0;
    digest_begin(&connection->digest);
    connection->state = CONNECTION_SENDING;
    uint32_t delay_ms = behaviour_get(exchange->behaviour.body_delay_ms, 0);
    if (delay_ms)
        connection_wait(connection, delay_ms * 1000ull, CONNECTION_SENDING);
    return true;
}

static void body_add(struct connection *connection, const char *bytes, size_t length)
{
    bool chunked = connection->exchange.behaviour.framing == FRAMING_CHUNKED;
    if (!length)
        return;
    connection->exchange.answer_bytes += length;
    EVP_DigestUpdate(connection->digest, bytes, length);
    if (chunked)
        buffer_format(&connection->out, "%zx\r\n", length);
    buffer_append(&connection->out, bytes, length);
    if (chunked)
        buffer_add(&connection->out, "\r\n");
}

static bool is_cut(const struct exchange *exchange)
{
    enum fault_ending ending = exchange->behaviour.fault.ending;
    return (ending != FAULT_END_NONE && ending != FAULT_END_AFTER) ||
           (exchange->behaviour.fault.error_event && exchange->stream);
}

static bool send_end(struct connection *connection)
{
    const struct exchange *exchange = &connection->exchange;
    if (exchange->behaviour.fault.ending != FAULT_END_NONE && exchange->behaviour.fault.ending != FAULT_END_AFTER) {
        connection->state = CONNECTION_ENDING;
        return true;
    }
    if (exchange->behaviour.framing == FRAMING_CHUNKED)
        buffer_add(&connection->out, "0\r\n\r\n");
    connection->state = CONNECTION_FINISHING;
    return true;
}

static bool send_body(struct connection *connection)
{
    struct exchange *exchange = &connection->exchange;
    size_t end = exchange->body.length;
    if (is_cut(exchange)) {
        size_t cut = behaviour_get(exchange->behaviour.cut, (uint32_t)(end / 2));
        end = cut < end ? cut : end;
    }
    size_t length = end - connection->body_sent;
    if (exchange->behaviour.framing == FRAMING_CHUNKED && length > OUT_BYTES_AIM / 2)
        length = OUT_BYTES_AIM / 2;
    else if (length > 4 * OUT_BYTES_AIM)
        length = 4 * OUT_BYTES_AIM;
    if (length)
        body_add(connection, exchange->body.data + connection->body_sent, length);
    connection->body_sent += length;
    return connection->body_sent == end ? send_end(connection) : true;
}

static bool frame_cut(struct connection *connection)
{
    struct exchange *exchange = &connection->exchange;
    if (exchange->behaviour.fault.error_event) {
        struct refusal refusal = {.problem = problem_find("529")};
        exchange->body.length = 0;
        exchange->dialect->write_error_event(exchange, &refusal, &exchange->body);
        body_add(connection, exchange->body.data, exchange->body.length);
    }
    return send_end(connection);
}

/* One frame; *ret_paced: it was a piece, after which the pace applies. */
static void frame_send(struct connection *connection, bool *ret_paced)
{
    struct exchange *exchange = &connection->exchange;
    bool piece = false;
    exchange->body.length = 0;
    dispatch_add_frame(exchange, exchange->frame_next++, &exchange->body, &piece);
    body_add(connection, exchange->body.data, exchange->body.length);
    exchange->events += exchange->body.length > 0;
    exchange->pieces += piece;
    *ret_paced = piece && exchange->pieces < exchange->answer.pieces;
}

/* Events before the cut; half of the pieces when nobody said where. Some heads send nothing. */
static uint32_t cut_get(const struct exchange *exchange)
{
    struct buffer scratch = {0};
    uint32_t events = exchange->answer.pieces / 2;
    bool piece;
    if (!is_cut(exchange))
        return UINT32_MAX;
    if (exchange->behaviour.cut != BEHAVIOUR_UNSET)
        return exchange->behaviour.cut;
    for (uint32_t i = 0; i < dispatch_count_heads(exchange); i++) {
        scratch.length = 0;
        dispatch_add_frame(exchange, i, &scratch, &piece);
        events += scratch.length > 0;
    }
    buffer_free(&scratch);
    return events;
}

static uint32_t pace_get(struct connection *connection)
{
    const struct behaviour *behaviour = &connection->exchange.behaviour;
    if (behaviour_get(behaviour->until_release, 0) && gate_is_open(&connection->loop->server->gate, connection->ticket))
        return 0;
    return behaviour_get(behaviour->pace_ms, 0);
}

static bool send_frames(struct connection *connection)
{
    struct exchange *exchange = &connection->exchange;
    uint32_t cut = cut_get(exchange);
    uint32_t pace_ms = pace_get(connection);
    while (connection->out.length < OUT_BYTES_AIM) {
        if (exchange->events >= cut)
            return frame_cut(connection);
        if (exchange->frame_next == exchange->frame_count)
            return cut == UINT32_MAX ? send_end(connection) : frame_cut(connection);
        bool paced;
        frame_send(connection, &paced);
        if (paced && pace_ms) {
            connection_wait(connection, pace_ms * 1000ull, CONNECTION_SENDING);
            return true;
        }
    }
    return true;
}

bool send_more(struct connection *connection)
{
    return connection->exchange.stream ? send_frames(connection) : send_body(connection);
}

bool send_flush(struct connection *connection)
{
    uint32_t write_bytes = behaviour_get(connection->exchange.behaviour.write_bytes, 0);
    while (connection->out_sent < connection->out.length) {
        size_t length = connection->out.length - connection->out_sent, sent;
        if (write_bytes && length > write_bytes)
            length = write_bytes;
        int result = SSL_write_ex(connection->ssl, connection->out.data + connection->out_sent, length, &sent);
        if (result != 1) {
            int error = SSL_get_error(connection->ssl, result);
            if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ)
                return false;
            connection_close(connection, BILL_CLIENT);
            return false;
        }
        connection->out_sent += sent;
        connection->exchange.wire_bytes += sent;
    }
    connection->out_sent = 0;
    buffer_reset(&connection->out, 2 * OUT_BYTES_AIM);
    return true;
}
