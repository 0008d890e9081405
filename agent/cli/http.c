/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP/1.1 client: one request per connection on a Unix socket, answers delimited by length, by chunks or by
 * the end of the connection (RFC 9112, 6.3). Every wait has the request's deadline. Used by api.c and by events
 * --follow.
 */
#include "cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static int http_send(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return -errno;
        bytes += sent;
        count -= (size_t)sent;
    }
    return 0;
}

/* More bytes into the buffer: their number, 0 at the end, -errno. */
static long http_fill(struct http_stream *stream)
{
    if (stream->start > 0 && (stream->start == stream->end || stream->end == sizeof stream->buffer)) {
        memmove(stream->buffer, stream->buffer + stream->start, stream->end - stream->start);
        stream->end -= stream->start;
        stream->start = 0;
    }
    if (stream->end == sizeof stream->buffer)
        return -EPROTO;
    for (;;) {
        long long left = stream->deadline_ms ? stream->deadline_ms - launch_now_ms() : -1;
        if (stream->deadline_ms && left <= 0)
            return -ETIMEDOUT;
        struct pollfd wait = {.fd = stream->fd, .events = POLLIN};
        if (poll(&wait, 1, (int)left) <= 0)
            continue;
        ssize_t got = read(stream->fd, stream->buffer + stream->end, sizeof stream->buffer - stream->end);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        stream->end += (size_t)got;
        return got;
    }
}

/* The next line without its end, NUL-terminated inside the buffer; NULL: -errno in *ret_error. */
static char *http_read_line(struct http_stream *stream, int *ret_error)
{
    for (;;) {
        char *from = stream->buffer + stream->start;
        char *newline = memchr(from, '\n', stream->end - stream->start);
        if (newline) {
            stream->start = (size_t)(newline + 1 - stream->buffer);
            *newline = '\0';
            if (newline > from && newline[-1] == '\r')
                newline[-1] = '\0';
            return from;
        }
        long got = http_fill(stream);
        if (got <= 0) {
            *ret_error = got < 0 ? (int)got : -EPROTO;
            return NULL;
        }
    }
}

static int http_read_head(struct http_stream *stream)
{
    int error = 0;
    char *line = http_read_line(stream, &error);
    if (!line)
        return error;
    if (!text_starts(line, "HTTP/1.") || strlen(line) < 12)
        return -EPROTO;
    stream->status = atoi(line + 9);
    stream->content_left = -1;
    while ((line = http_read_line(stream, &error)) && *line) {
        char *value = strchr(line, ':');
        if (!value)
            return -EPROTO;
        *value++ = '\0';
        value += strspn(value, " \t");
        if (strcasecmp(line, "content-length") == 0)
            stream->content_left = strtoll(value, NULL, 10);
        if (strcasecmp(line, "transfer-encoding") == 0)
            stream->is_chunked = strcasecmp(value, "chunked") == 0;
    }
    return line ? 0 : error;
}

int http_open(const struct launch_place *place, const struct http_request *request, struct http_stream *ret_stream)
{
    int fd = agent_connect(place, request->is_admin ? TOLLGATE_FILE_ADMIN : TOLLGATE_FILE_REPORT);
    if (fd < 0)
        return fd;
    const char *head =
        text_format("%s %s HTTP/1.1\r\nHost: tollgate\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
                    request->method, request->path, request->body_bytes);
    struct http_stream *stream = ret_stream;
    memset(stream, 0, offsetof(struct http_stream, buffer));
    stream->fd = fd;
    stream->start = stream->end = 0;
    stream->deadline_ms = request->timeout_ms > 0 ? launch_now_ms() + request->timeout_ms : 0;
    int error = http_send(fd, head, strlen(head));
    if (error == 0 && request->body_bytes > 0)
        error = http_send(fd, request->body, request->body_bytes);
    /* An agent that refuses before it has read everything closes its side: its answer is there all the same. */
    if (error == 0 || error == -EPIPE)
        error = http_read_head(stream);
    if (error)
        close(fd);
    return error;
}

static int http_read_trailer(struct http_stream *stream)
{
    int error = 0;
    size_t used = 0;
    char *line;
    while ((line = http_read_line(stream, &error)) && *line) {
        int length = snprintf(stream->trailer + used, sizeof stream->trailer - used, "%s\n", line);
        if (length < 0 || (size_t)length >= sizeof stream->trailer - used)
            return -EPROTO;
        used += (size_t)length;
    }
    return line ? 0 : error;
}

/* At the start of a chunk: its size; the last one is 0. */
static int http_begin_chunk(struct http_stream *stream)
{
    int error = 0;
    char *line = http_read_line(stream, &error);
    if (line && *line == '\0')
        line = http_read_line(stream, &error);
    if (!line)
        return error;
    char *end;
    stream->chunk_left = strtoll(line, &end, 16);
    if (end == line || stream->chunk_left < 0)
        return -EPROTO;
    if (stream->chunk_left > 0)
        return 0;
    stream->content_left = 0;
    return http_read_trailer(stream);
}

long http_read(struct http_stream *stream, char *bytes, size_t bytes_max)
{
    if (stream->is_chunked && stream->content_left != 0 && stream->chunk_left == 0) {
        int error = http_begin_chunk(stream);
        if (error)
            return error;
    }
    if (stream->content_left == 0)
        return 0;
    if (stream->start == stream->end) {
        long got = http_fill(stream);
        if (got <= 0)
            return got == 0 && (stream->is_chunked || stream->content_left > 0) ? -EPROTO : got;
    }
    long long count = (long long)(stream->end - stream->start);
    long long limit = stream->is_chunked ? stream->chunk_left : stream->content_left;
    count = limit >= 0 && limit < count ? limit : count;
    count = (long long)bytes_max < count ? (long long)bytes_max : count;
    memcpy(bytes, stream->buffer + stream->start, (size_t)count);
    stream->start += (size_t)count;
    if (stream->is_chunked)
        stream->chunk_left -= count;
    else if (stream->content_left > 0)
        stream->content_left -= count;
    return (long)count;
}

void http_close(struct http_stream *stream)
{
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
}
