/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams that mean the same written otherwise, and streams that are damaged; both from a seed, so that a failure can
 * be played again. And a plain reader of server-sent events (WHATWG HTML 9.2), which shares nothing with the agent's:
 * it takes the seeds apart, and says what a client sees. Included by test_streams_mutated.c.
 */
#ifndef TESTS_UNIT_STREAM_MUTATIONS_H
#define TESTS_UNIT_STREAM_MUTATIONS_H

#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- chance (splitmix64) ---- */

struct chance {
    uint64_t state;
};

static uint64_t chance_next(struct chance *chance)
{
    uint64_t z = chance->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t chance_below(struct chance *chance, size_t bound)
{
    return bound ? (size_t)(chance_next(chance) % bound) : 0;
}

static bool chance_one_in(struct chance *chance, size_t count)
{
    return chance_below(chance, count) == 0;
}

static void put(struct buffer *buffer, const char *data, size_t length)
{
    if (length && !buffer_append(buffer, (struct slice){data, length}))
        abort(); /* the bounds of the test are wrong */
}

static void put_text(struct buffer *buffer, const char *text)
{
    put(buffer, text, strlen(text));
}

/* ---- what a stream says ---- */

enum { SSE_EVENTS_MAX = 512 };
struct sse_event {
    struct slice name, data;
};
struct sse_events {
    struct sse_event rows[SSE_EVENTS_MAX];
    size_t count;
    char *text; /* holds the data */
};

/* Takes one line off; false at the end. A last line without its end counts. */
static bool next_line(struct slice *rest, struct slice *ret_line)
{
    size_t end = 0;
    if (rest->length == 0)
        return false;
    while (end < rest->length && rest->data[end] != '\n' && rest->data[end] != '\r')
        end++;
    *ret_line = (struct slice){rest->data, end};
    if (end + 1 < rest->length && rest->data[end] == '\r' && rest->data[end + 1] == '\n')
        end++;
    *rest = slice_from(*rest, end < rest->length ? end + 1 : end);
    return true;
}

static bool take_field(struct slice line, const char *name, struct slice *ret_value)
{
    size_t length = strlen(name);
    if (line.length < length || memcmp(line.data, name, length) != 0)
        return false;
    if (line.length > length && line.data[length] != ':')
        return false;
    struct slice value = slice_from(line, line.length > length ? length + 1 : length);
    *ret_value = value.length && value.data[0] == ' ' ? slice_from(value, 1) : value;
    return true;
}

/* The events that have data. An end that lacks its blank line counts, as it does for the agent. */
static void sse_read(struct slice stream, struct sse_events *events)
{
    struct sse_event event = {0};
    size_t used = 0;
    bool has_data = false;
    events->count = 0;
    events->text = malloc(stream.length + 1);
    event.data.data = events->text;
    if (slice_has_prefix(stream, "\xef\xbb\xbf"))
        stream = slice_from(stream, 3);
    for (struct slice line, value, rest = stream;;) {
        bool is_end = !next_line(&rest, &line);
        if (is_end || line.length == 0) {
            if (has_data && event.data.length && events->count < SSE_EVENTS_MAX)
                events->rows[events->count++] = event;
            event = (struct sse_event){.data = {events->text + used, 0}};
            has_data = false;
            if (is_end)
                return;
        } else if (take_field(line, "event", &value)) {
            event.name = value;
        } else if (take_field(line, "data", &value)) {
            if (has_data) {
                events->text[used++] = '\n';
                event.data.length++;
            }
            memcpy(events->text + used, value.data, value.length);
            used += value.length;
            event.data.length += value.length;
            has_data = true;
        }
    }
}

static void sse_free(struct sse_events *events)
{
    free(events->text);
}

/* JSON without the space between its tokens: what a client's parser makes no difference of. */
static void put_dense(struct buffer *out, struct slice json)
{
    bool in_string = false;
    for (size_t i = 0; i < json.length; i++) {
        char c = json.data[i];
        if (!in_string && strchr(" \t\r\n", c) && c)
            continue;
        if (c == '"')
            in_string = !in_string;
        put(out, &c, 1);
        if (in_string && c == '\\' && i + 1 < json.length)
            put(out, &json.data[++i], 1);
    }
}

/* What a client sees: an event per line. */
static void put_seen(struct buffer *out, struct slice stream)
{
    struct sse_events events;
    sse_read(stream, &events);
    for (size_t i = 0; i < events.count; i++) {
        put(out, events.rows[i].name.data, events.rows[i].name.length);
        put_text(out, "|");
        put_dense(out, events.rows[i].data);
        put_text(out, "\n");
    }
    sse_free(&events);
}

/* ---- the same, written otherwise ---- */

static void put_lines(struct buffer *out, struct chance *chance, const char *line_end, bool is_inside)
{
    static const char *const lines[] = {
        ": ping",     ":",        ":keep-alive: x",        ": {\"usage\":{\"input_tokens\":9}}",
        ": say \"hi", "id: 7",    "retry: 3000",           "unknown: field",
        "id",         ": [DONE]", ": data: {\"error\":{}}"};
    for (size_t count = chance_below(chance, 3); count; count--) {
        put_text(out, lines[chance_below(chance, sizeof lines / sizeof *lines)]);
        put_text(out, line_end);
        if (!is_inside && chance_one_in(chance, 2))
            put_text(out, line_end);
    }
}

/* Space between tokens; a line feed there ends the data line, and begins another. */
static void put_space(struct buffer *out, struct chance *chance, const char *line_end, bool has_lines)
{
    static const char *const spaces[] = {" ", "  ", "\t", " \t "};
    if (has_lines && chance_one_in(chance, 3)) {
        put_text(out, line_end);
        put_text(out, chance_one_in(chance, 2) ? "data: " : "data:");
        if (chance_one_in(chance, 4))
            put_text(out, " "); /* behind the one that is part of the field */
        return;
    }
    put_text(out, spaces[chance_below(chance, sizeof spaces / sizeof *spaces)]);
}

static void put_json(struct buffer *out, struct chance *chance, struct slice json, const char *line_end, bool has_lines)
{
    bool in_string = false, is_spaced = chance_one_in(chance, 3);
    size_t rarity = 1 + chance_below(chance, 12);
    for (size_t i = 0; i < json.length; i++) {
        char c = json.data[i];
        if (is_spaced && !in_string && strchr("}]:,", c) && c && chance_one_in(chance, rarity))
            put_space(out, chance, line_end, has_lines);
        put(out, &c, 1);
        if (c == '"')
            in_string = !in_string;
        if (in_string && c == '\\' && i + 1 < json.length)
            put(out, &json.data[++i], 1);
        else if (is_spaced && !in_string && strchr("{[:,", c) && c && chance_one_in(chance, rarity))
            put_space(out, chance, line_end, has_lines);
    }
}

/* One event; lines that say nothing stand before, between and behind its fields. */
static void put_event(struct buffer *out, struct chance *chance, const struct sse_event *event, const char *line_end,
                      bool is_plain)
{
    bool has_name = event->name.length > 0, is_name_last = !is_plain && has_name && chance_one_in(chance, 4);
    bool has_lines = !is_plain && chance_one_in(chance, 2), is_json = event->data.data[0] == '{';
    for (int field = 0; field < 2; field++) {
        if (!is_plain && chance_one_in(chance, 6))
            put_lines(out, chance, line_end, true);
        if ((field == 0) == is_name_last) {
            put_text(out, is_plain || chance_one_in(chance, 2) || event->data.data[0] == ' ' ? "data: " : "data:");
            if (is_json && !is_plain)
                put_json(out, chance, event->data, line_end, has_lines);
            else
                put(out, event->data.data, event->data.length);
            put_text(out, line_end);
        } else if (has_name) {
            put_text(out, is_plain || chance_one_in(chance, 2) ? "event: " : "event:");
            put(out, event->name.data, event->name.length);
            put_text(out, line_end);
        }
    }
    if (!is_plain && chance_one_in(chance, 8))
        put_lines(out, chance, line_end, true);
    put_text(out, line_end);
}

/* A CR that ends a line must not meet an LF that would be taken for its second half: all lines end the same, or only
 * CRLF and LF are mixed. */
static void mutate_gently(struct buffer *out, struct chance *chance, const struct sse_events *events)
{
    static const char *const ends[] = {"\n", "\r\n", "\r"};
    size_t end = chance_below(chance, 4); /* 3: mixed */
    bool is_plain = chance_one_in(chance, 6);
    if (chance_one_in(chance, 16))
        put_text(out, "\xef\xbb\xbf");
    for (size_t i = 0; i < events->count; i++) {
        const char *line_end = ends[end < 3 ? end : chance_below(chance, 2)];
        if (!is_plain && chance_one_in(chance, 6))
            put_lines(out, chance, line_end, false);
        for (size_t blank = is_plain ? 0 : chance_below(chance, 8); blank == 1; blank--)
            put_text(out, line_end);
        if (!is_plain && chance_one_in(chance, 40)) { /* a long frame, below the bound */
            put_text(out, ":");
            for (size_t count = chance_below(chance, 800); count; count--)
                put_text(out, " 0123456789");
            put_text(out, line_end);
        }
        put_event(out, chance, &events->rows[i], line_end, is_plain);
    }
    if (chance_one_in(chance, 8)) /* the last event lacks its blank line */
        out->end -= end == 1 || (end == 3 && out->end > 1 && out->data[out->end - 2] == '\r') ? 2 : 1;
}

/* A stream as one JSON array: space between the tokens, line feeds too. */
static void mutate_array(struct buffer *out, struct chance *chance, struct slice array)
{
    bool in_string = false;
    size_t rarity = 1 + chance_below(chance, 12);
    for (size_t i = 0; i < array.length; i++) {
        char c = array.data[i];
        put(out, &c, 1);
        if (c == '"')
            in_string = !in_string;
        if (in_string && c == '\\' && i + 1 < array.length)
            put(out, &array.data[++i], 1);
        else if (!in_string && strchr("{[:,}]", c) && c && chance_one_in(chance, rarity))
            put_text(out, chance_one_in(chance, 2) ? "\r\n" : " ");
    }
}

/* ---- damage ---- */

static void splice(struct buffer *stream, size_t at, size_t removed, struct slice put_in)
{
    struct slice whole = buffer_contents(stream);
    struct buffer made;
    removed = removed < whole.length - at ? removed : whole.length - at;
    buffer_init(&made, stream->bytes_max);
    put(&made, whole.data, at);
    put(&made, put_in.data, put_in.length);
    put(&made, whole.data + at + removed, whole.length - at - removed);
    buffer_done(stream);
    *stream = made;
}

/* The start of some event. */
static size_t event_start(const struct buffer *stream, struct chance *chance)
{
    struct slice bytes = buffer_contents(stream);
    for (size_t at = chance_below(chance, bytes.length + 1); at + 1 < bytes.length; at++)
        if (bytes.data[at] == '\n' && bytes.data[at + 1] == '\n')
            return at + 2;
    return 0;
}

static void damage_huge(struct buffer *stream, struct chance *chance)
{
    static const char *const starts[] = {"data: {\"choices\":[{\"delta\":{\"content\":\"", ": ",
                                         "data: ", "event: message_delta\ndata: {\"type\":\"message_delta\",\"x\":\""};
    struct buffer huge;
    buffer_init(&huge, 1 << 18);
    put_text(&huge, starts[chance_below(chance, sizeof starts / sizeof *starts)]);
    for (size_t i = 0; i < 5000; i++)
        put_text(&huge, "0123456789abcdef");
    put_text(&huge, chance_one_in(chance, 2) ? "\"}}]}\n\n" : "\n\n");
    splice(stream, event_start(stream, chance), 0, buffer_contents(&huge));
    buffer_done(&huge);
}

static void damage_events(struct buffer *stream, struct chance *chance)
{
    size_t from = event_start(stream, chance), to = event_start(stream, chance);
    struct slice bytes = buffer_contents(stream);
    if (from > to) { /* said twice */
        char *copy = malloc(from - to);
        memcpy(copy, bytes.data + to, from - to);
        splice(stream, event_start(stream, chance), 0, (struct slice){copy, from - to});
        free(copy);
    } else {
        splice(stream, from, to - from, (struct slice){NULL, 0});
    }
}

static void damage_bytes(struct buffer *stream, struct chance *chance)
{
    static const char *const pieces[] = {"\xff",
                                         "\xc3",
                                         "\xc0\xaf",
                                         "\xed\xa0\x80",
                                         "\xf5\x80\x80\x80",
                                         "\\ud800",
                                         "\\u0000",
                                         "\"",
                                         "\\",
                                         "{",
                                         "}",
                                         "[",
                                         "]",
                                         ",",
                                         ":",
                                         "\n",
                                         "\r",
                                         "\r\n",
                                         "\n\n",
                                         "data: ",
                                         "data: [DONE]\n\n",
                                         "event: error\n",
                                         "\"usage\":null,",
                                         "\"usage\":{\"input_tokens\":1}",
                                         "{\"error\":{}}",
                                         "\"type\":\"message_stop\"",
                                         "1e999",
                                         "-1",
                                         "99999999999999999999",
                                         "\"finishReason\":\"STOP\""};
    const char *piece = pieces[chance_below(chance, sizeof pieces / sizeof *pieces)];
    size_t at = chance_below(chance, buffer_length(stream) + 1);
    splice(stream, at, chance_one_in(chance, 2) ? chance_below(chance, 20) : 0, slice_of(piece));
}

static void mutate_roughly(struct buffer *stream, struct chance *chance)
{
    for (size_t count = 1 + chance_below(chance, 3); count; count--) {
        size_t kind = chance_below(chance, 64);
        if (kind == 0)
            damage_huge(stream, chance);
        else if (kind < 16)
            damage_events(stream, chance);
        else if (kind < 28)
            splice(stream, chance_below(chance, buffer_length(stream) + 1), SIZE_MAX, (struct slice){NULL, 0});
        else if (kind < 40 && buffer_length(stream))
            stream->data[stream->start + chance_below(chance, buffer_length(stream))] = (char)chance_next(chance);
        else
            damage_bytes(stream, chance);
    }
}

/* ---- how it is read ---- */

/* The next piece of a stream that is read in some way: all at once, byte by byte, in pieces of a network's or a
 * chance's size. */
struct pieces {
    enum { PIECES_ONE, PIECES_BYTES, PIECES_FEW, PIECES_RECORDS, PIECES_KIND_COUNT } kind;
    struct chance chance;
    size_t at;
};

static struct pieces pieces_begin(struct chance *chance, size_t length)
{
    struct pieces pieces = {.chance = {chance_next(chance)}};
    pieces.kind = chance_below(chance, PIECES_KIND_COUNT);
    if (pieces.kind == PIECES_BYTES && length > 20000)
        pieces.kind = PIECES_FEW;
    return pieces;
}

static bool pieces_next(struct pieces *pieces, struct slice bytes, struct slice *ret_piece)
{
    size_t left = bytes.length - pieces->at, size = left;
    if (left == 0)
        return false;
    if (pieces->kind == PIECES_BYTES)
        size = 1;
    else if (pieces->kind == PIECES_FEW)
        size = 1 + chance_below(&pieces->chance, 40);
    else if (pieces->kind == PIECES_RECORDS)
        size = 1 + chance_below(&pieces->chance, 1400);
    size = size < left ? size : left;
    *ret_piece = (struct slice){bytes.data + pieces->at, size};
    pieces->at += size;
    return true;
}

#endif
