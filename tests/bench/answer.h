/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads one HTTP/1.1 answer as it arrives, cut anywhere: status, body length, events of a stream, and its last bytes.
 * Included by load.c only. It shares no code with the agent, so that it cannot share a mistake with it; it must not
 * accept an answer that is cut short.
 */
#ifndef TESTS_BENCH_ANSWER_H
#define TESTS_BENCH_ANSWER_H

#include "tests/bench/numbers.h"
#include "tests/bench/stamps.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ANSWER_HEAD_MAX = 8192, ANSWER_TAIL_MAX = 16, ANSWER_LINE_MAX = 64 };

enum answer_state {
    ANSWER_HEAD,
    ANSWER_LENGTH, /* a body with Content-Length; left counts down */
    ANSWER_CHUNK_LINE,
    ANSWER_CHUNK,
    ANSWER_CHUNK_END,
    ANSWER_TRAILER,
    ANSWER_DONE,
    ANSWER_BROKEN
};

struct answer {
    enum answer_state state;
    int status;
    uint64_t left;
    uint64_t body_bytes;
    uint32_t events; /* empty lines of the body: one after each event of a stream */
    char last;       /* last byte of the body so far */
    char tail[ANSWER_TAIL_MAX];
    size_t tail_length;
    char line[ANSWER_LINE_MAX]; /* a chunk's size, or a line of the trailer */
    size_t line_length;
    size_t head_length;
    FILE *save;            /* NULL: not kept; else gets the body */
    struct stamps *stamps; /* NULL: not looked for; else shown all bytes of the body; numbers likewise */
    struct numbers *numbers;
    char head[ANSWER_HEAD_MAX + 1];
};

static inline void answer_init(struct answer *answer)
{
    answer->state = ANSWER_HEAD;
    answer->status = 0;
    answer->left = answer->body_bytes = 0;
    answer->events = 0;
    answer->last = '\0';
    answer->tail_length = answer->line_length = answer->head_length = 0;
}

/* The value of a field of the head, NULL when absent. */
static inline const char *answer_find_field(const struct answer *answer, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = strstr(answer->head, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':')
            return line + 3 + length + strspn(line + 3 + length, " ");
    return NULL;
}

static inline enum answer_state answer_read_head(struct answer *answer)
{
    if (strncmp(answer->head, "HTTP/1.1 ", 9) != 0)
        return ANSWER_BROKEN;
    answer->status = atoi(answer->head + 9);
    const char *length = answer_find_field(answer, "content-length");
    const char *encoding = answer_find_field(answer, "transfer-encoding");
    if (encoding)
        return !length && strncasecmp(encoding, "chunked\r", 8) == 0 ? ANSWER_CHUNK_LINE : ANSWER_BROKEN;
    if (!length)
        return ANSWER_BROKEN;
    answer->left = strtoull(length, NULL, 10);
    return answer->left ? ANSWER_LENGTH : ANSWER_DONE;
}

/* Takes bytes until the empty line that ends the head; what it took. */
static inline size_t answer_take_head(struct answer *answer, const char *data, size_t length)
{
    size_t room = ANSWER_HEAD_MAX - answer->head_length;
    size_t take = length < room ? length : room;
    size_t from = answer->head_length > 3 ? answer->head_length - 3 : 0;
    memcpy(answer->head + answer->head_length, data, take);
    answer->head[answer->head_length + take] = '\0';
    const char *end = strstr(answer->head + from, "\r\n\r\n");
    if (!end) {
        answer->head_length += take;
        answer->state = answer->head_length == ANSWER_HEAD_MAX ? ANSWER_BROKEN : ANSWER_HEAD;
        return take;
    }
    size_t head_length = (size_t)(end + 4 - answer->head);
    take = head_length - answer->head_length;
    answer->head_length = head_length;
    answer->head[head_length] = '\0';
    answer->state = answer_read_head(answer);
    return take;
}

static inline void answer_keep_tail(struct answer *answer, const char *data, size_t length)
{
    if (length >= ANSWER_TAIL_MAX) {
        memcpy(answer->tail, data + length - ANSWER_TAIL_MAX, ANSWER_TAIL_MAX);
        answer->tail_length = ANSWER_TAIL_MAX;
        return;
    }
    size_t keep = ANSWER_TAIL_MAX - length;
    if (answer->tail_length > keep) {
        memmove(answer->tail, answer->tail + answer->tail_length - keep, keep);
        answer->tail_length = keep;
    }
    memcpy(answer->tail + answer->tail_length, data, length);
    answer->tail_length += length;
}

static inline size_t answer_take_body(struct answer *answer, const char *data, size_t length)
{
    size_t take = length < answer->left ? length : (size_t)answer->left;
    const char *end = data + take;
    for (const char *at = data; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        answer->events += (at == data ? answer->last : at[-1]) == '\n';
    answer->last = end[-1];
    answer_keep_tail(answer, data, take);
    if (answer->save)
        fwrite(data, 1, take, answer->save);
    if (answer->stamps)
        stamps_take(answer->stamps, data, take);
    if (answer->numbers)
        numbers_take(answer->numbers, data, take);
    answer->body_bytes += take;
    answer->left -= take;
    if (!answer->left)
        answer->state = answer->state == ANSWER_LENGTH ? ANSWER_DONE : ANSWER_CHUNK_END;
    return take;
}

/* One line of the framing: a size, the end of a chunk, or the trailer. */
static inline enum answer_state answer_read_line(struct answer *answer)
{
    char *end = NULL;
    if (answer->line_length < 2 || answer->line[answer->line_length - 2] != '\r')
        return ANSWER_BROKEN;
    answer->line[answer->line_length - 2] = '\0';
    switch (answer->state) {
    case ANSWER_CHUNK_END:
        return answer->line[0] ? ANSWER_BROKEN : ANSWER_CHUNK_LINE;
    case ANSWER_CHUNK_LINE:
        answer->left = strtoull(answer->line, &end, 16);
        if (end == answer->line || (*end && *end != ';'))
            return ANSWER_BROKEN;
        return answer->left ? ANSWER_CHUNK : ANSWER_TRAILER;
    default:
        return answer->line[0] ? ANSWER_TRAILER : ANSWER_DONE;
    }
}

static inline size_t answer_take_line(struct answer *answer, const char *data, size_t length)
{
    size_t take = 0;
    while (take < length && answer->line_length < ANSWER_LINE_MAX) {
        char byte = data[take++];
        answer->line[answer->line_length++] = byte;
        if (byte != '\n')
            continue;
        answer->state = answer_read_line(answer);
        answer->line_length = 0;
        return take;
    }
    if (answer->line_length == ANSWER_LINE_MAX)
        answer->state = ANSWER_BROKEN;
    return take;
}

/* Ends in ANSWER_DONE exactly when the last byte of the answer was the last byte given; more is ANSWER_BROKEN. */
static inline void answer_take(struct answer *answer, const char *data, size_t length)
{
    while (length && answer->state < ANSWER_DONE) {
        size_t took;
        if (answer->state == ANSWER_HEAD)
            took = answer_take_head(answer, data, length);
        else if (answer->state == ANSWER_LENGTH || answer->state == ANSWER_CHUNK)
            took = answer_take_body(answer, data, length);
        else
            took = answer_take_line(answer, data, length);
        data += took;
        length -= took;
    }
    if (length)
        answer->state = ANSWER_BROKEN;
}

static inline bool answer_ends_with(const struct answer *answer, const char *text)
{
    size_t length = strlen(text);
    return answer->tail_length >= length && memcmp(answer->tail + answer->tail_length - length, text, length) == 0;
}

#endif
