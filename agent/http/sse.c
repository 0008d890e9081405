/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server-sent events (WHATWG HTML 9.2): where one ends, and what it says. Line ends are LF, CRLF or CR. Used by the
 * meter; looks at each byte once, and copies only events that came in pieces.
 */
#include "http/http.h"

void sse_splitter_init(struct sse_splitter *splitter, size_t event_bytes_max)
{
    *splitter = (struct sse_splitter){.is_line_start = true};
    buffer_init(&splitter->pending, event_bytes_max);
}

void sse_splitter_done(struct sse_splitter *splitter)
{
    buffer_done(&splitter->pending);
}

struct slice sse_splitter_rest(const struct sse_splitter *splitter)
{
    return buffer_contents(&splitter->pending);
}

static size_t find_cr(struct slice bytes, size_t from)
{
    const char *cr = from < bytes.length ? memchr(bytes.data + from, '\r', bytes.length - from) : NULL;
    return cr ? (size_t)(cr - bytes.data) : bytes.length;
}

/* The next LF or CR at or after `from`. *next_cr remembers where the next CR is, so that a stream without any is
 * searched for one only once per feed. */
static size_t find_line_end(struct slice bytes, size_t from, size_t *next_cr)
{
    if (*next_cr < from)
        *next_cr = find_cr(bytes, from);
    const char *lf = from < *next_cr ? memchr(bytes.data + from, '\n', *next_cr - from) : NULL;
    return lf ? (size_t)(lf - bytes.data) : *next_cr;
}

/* `bytes` complete the event that is pending, or are one. */
static bool deliver(struct sse_splitter *splitter, struct slice bytes, sse_visit *visit, void *context)
{
    bool is_whole = !splitter->is_skipping;
    if (is_whole && buffer_length(&splitter->pending)) {
        is_whole = buffer_append(&splitter->pending, bytes);
        bytes = buffer_contents(&splitter->pending);
    } else if (is_whole) {
        is_whole = bytes.length <= splitter->pending.bytes_max;
    }
    if (is_whole)
        visit(context, bytes);
    splitter->is_skipping = splitter->has_late_lf = false;
    buffer_reset(&splitter->pending, 16 * 1024);
    return is_whole;
}

/* The beginning of an event: kept, or skipped to its end when it is too long. */
static bool keep(struct sse_splitter *splitter, struct slice bytes)
{
    if (splitter->is_skipping || buffer_append(&splitter->pending, bytes))
        return true;
    splitter->is_skipping = true;
    buffer_reset(&splitter->pending, 0);
    return false;
}

bool sse_splitter_feed(struct sse_splitter *splitter, struct slice bytes, sse_visit *visit, void *context)
{
    bool is_bounded = true;
    size_t start = 0, next_cr = find_cr(bytes, 0);
    /* The LF of a CRLF that was cut in two is no line end of its own; it becomes part of what comes next. */
    size_t at = splitter->skip_lf && bytes.length && bytes.data[0] == '\n' ? 1 : 0;
    splitter->has_late_lf |= at > 0 && buffer_length(&splitter->pending) == 0 && !splitter->is_skipping;
    if (bytes.length)
        splitter->skip_lf = false;
    while (at < bytes.length) {
        size_t end = find_line_end(bytes, at, &next_cr);
        bool is_blank = splitter->is_line_start && end == at;
        splitter->is_line_start = end < bytes.length;
        if (end == bytes.length)
            break;
        at = end + 1;
        if (bytes.data[end] == '\r' && at < bytes.length && bytes.data[at] == '\n')
            at++;
        else if (bytes.data[end] == '\r')
            splitter->skip_lf = at == bytes.length;
        if (is_blank) {
            is_bounded &= deliver(splitter, (struct slice){bytes.data + start, at - start}, visit, context);
            start = at;
        }
    }
    if (start < bytes.length)
        is_bounded &= keep(splitter, slice_from(bytes, start));
    return is_bounded;
}

/* A text's lines, one after the other. */
struct lines {
    struct slice text;
    size_t at, next_cr;
};

/* Its end is not part of it. */
static struct slice take_line(struct lines *lines)
{
    const struct slice text = lines->text;
    size_t start = lines->at, end = find_line_end(text, start, &lines->next_cr), after = end + 1;
    if (after < text.length && text.data[end] == '\r' && text.data[after] == '\n')
        after++;
    lines->at = after;
    return (struct slice){text.data + start, end - start};
}

/* "data: x", "data:x" and "data" are the field `data`. */
static bool line_has_field(struct slice line, const char *name, struct slice *ret_value)
{
    size_t length = strlen(name);
    if (!slice_has_prefix(line, name) || (line.length > length && line.data[length] != ':'))
        return false;
    struct slice value = slice_from(line, length + 1);
    *ret_value = value.length && value.data[0] == ' ' ? slice_from(value, 1) : value;
    return true;
}

/* That has no data and is right all the same. */
static bool is_other_line(struct slice line)
{
    struct slice value;
    return line.length == 0 || line.data[0] == ':' || line_has_field(line, "event", &value) ||
           line_has_field(line, "id", &value) || line_has_field(line, "retry", &value);
}

bool sse_parse_event(struct slice raw_event, struct arena *arena, struct slice *ret_name, struct slice *ret_data)
{
    struct slice name = {"", 0}, data = {"", 0}, value;
    size_t data_lines = 0, joined = 0;
    bool has_known_lines = true;
    if (slice_has_prefix(raw_event, "\xef\xbb\xbf")) /* a stream may begin with one BOM */
        raw_event = slice_from(raw_event, 3);
    char *copy = NULL;
    for (struct lines lines = {raw_event, 0, find_cr(raw_event, 0)}; lines.at < raw_event.length;) {
        struct slice line = take_line(&lines);
        if (line_has_field(line, "event", &value))
            name = value;
        if (!line_has_field(line, "data", &value)) {
            has_known_lines &= is_other_line(line);
            continue;
        }
        if (data_lines++ == 0) {
            data = value;
            continue;
        }
        if (!copy) {
            copy = arena_alloc(arena, raw_event.length);
            memcpy(copy, data.data, joined = data.length);
        }
        copy[joined++] = '\n';
        if (value.length)
            memcpy(copy + joined, value.data, value.length);
        joined += value.length;
        data = (struct slice){copy, joined};
    }
    *ret_name = name;
    *ret_data = data;
    return has_known_lines;
}
