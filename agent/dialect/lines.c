/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many JSON objects in one body: an answer of JSON lines, metered line by line, for it may be far larger than any
 * document; and an edit in each object of an array. Called by the meter and by formats that have batches.
 */
#include "dialect/internal.h"

static void end_line(struct meter *meter, struct slice line)
{
    while (line.length && strchr(" \t\r", line.data[line.length - 1]))
        line.length--;
    if (line.length)
        meter->endpoint->format->read_line(meter, line);
}

/* meter->document holds the beginning of a line. What comes of one that exceeds it is rubbish to read_line, which
 * document_overflowed explains. */
void dialect_feed_lines(struct meter *meter, struct slice bytes)
{
    while (bytes.length) {
        const char *line_feed = memchr(bytes.data, '\n', bytes.length);
        struct slice piece = {bytes.data, line_feed ? (size_t)(line_feed - bytes.data) : bytes.length};
        bytes = slice_from(bytes, piece.length + (line_feed ? 1 : 0));
        if (line_feed && buffer_length(&meter->document) == 0) { /* whole: no need to keep it */
            end_line(meter, piece);
            continue;
        }
        if (!buffer_append(&meter->document, piece)) {
            meter->document_overflowed = true;
            buffer_reset(&meter->document, 0);
        }
        if (line_feed) {
            end_line(meter, buffer_contents(&meter->document));
            buffer_reset(&meter->document, meter->document.bytes_max);
        }
    }
}

static size_t count_objects(struct slice array)
{
    struct slice object;
    size_t count = 0;
    for (size_t at = 0; dialect_next_object(array, &at, &object);)
        count++;
    return count;
}

struct slice dialect_replace_in_each(struct slice body, const char *array, const char *member, const char *text,
                                     struct arena *arena)
{
    struct json_value objects, value;
    const struct json_query all = {array, &objects}, one = {member, &value};
    struct slice object, quoted = dialect_quote(text, arena);
    size_t at = 0, from = 0, to = 0;
    if (json_scan(body, 1024, &all, 1, NULL) || objects.kind != JSON_KIND_ARRAY)
        return body;
    char *edited = arena_alloc(arena, body.length + count_objects(objects.raw) * quoted.length);
    while (dialect_next_object(objects.raw, &at, &object)) {
        if (json_scan(object, 1024, &one, 1, NULL) || value.kind == JSON_KIND_ABSENT)
            continue;
        size_t start = (size_t)(value.raw.data - body.data);
        memcpy(edited + to, body.data + from, start - from);
        memcpy(edited + to + start - from, quoted.data, quoted.length);
        to += start - from + quoted.length;
        from = start + value.raw.length;
    }
    memcpy(edited + to, body.data + from, body.length - from);
    return (struct slice){edited, to + body.length - from};
}
