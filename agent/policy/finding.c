/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The places that are to be replaced in one string: found in a view of it, brought to the decoded text and, when that
 * is itself JSON, to its strings and numbers, so that it stays JSON; then spliced into the raw string, whose escapes
 * are replaced whole. Called by redact.c.
 */
#include "policy/internal.h"

#include <stdlib.h>
#include <string.h>

static const char *placeholder_of(unsigned label)
{
    return label < DETECT_COUNT ? policy_detectors[label].placeholder : PLACEHOLDER_OTHER;
}

/* The end of the placeholder that begins at `at`, else 0. */
static size_t find_placeholder_end(struct slice text, size_t at)
{
    if (detect_byte(text, at) != '[')
        return 0;
    for (unsigned label = 0; label <= LABEL_KEYWORD; label++)
        if (detect_byte(text, at + 1) == placeholder_of(label)[1] &&
            slice_has_prefix(slice_from(text, at), placeholder_of(label)))
            return at + strlen(placeholder_of(label));
    return 0;
}

/* The placeholder that holds the byte at `at`. */
static bool find_placeholder(struct slice text, size_t at, struct span *ret_span)
{
    enum { PLACEHOLDER_BYTES_MAX = 16 };
    for (size_t back = 0; back <= at && back < PLACEHOLDER_BYTES_MAX; back++) {
        size_t end = find_placeholder_end(text, at - back);
        if (end > at) {
            *ret_span = (struct span){at - back, end};
            return true;
        }
    }
    return false;
}

static bool is_continuation(struct slice text, size_t at)
{
    return ((unsigned char)detect_byte(text, at) & 0xc0) == 0x80;
}

/* Widened to whole characters and whole placeholders. False: nothing of it is outside one. */
static bool widen(struct slice text, struct span *span)
{
    struct span first, last;
    while (span->from && is_continuation(text, span->from))
        span->from--;
    while (is_continuation(text, span->to))
        span->to++;
    if (find_placeholder(text, span->from, &first)) {
        if (first.to >= span->to)
            return false;
        span->from = first.from;
    }
    if (find_placeholder(text, span->to - 1, &last))
        span->to = last.to;
    return true;
}

static void append(struct findings *findings, const struct finding *row)
{
    enum { CAPACITY_AT_FIRST = 16 };
    if (findings->count == findings->capacity) {
        size_t capacity = findings->capacity ? findings->capacity * 2 : CAPACITY_AT_FIRST;
        struct finding *grown = arena_new_array(findings->arena, struct finding, capacity);
        if (findings->count)
            memcpy(grown, findings->rows, findings->count * sizeof *grown);
        findings->rows = grown;
        findings->capacity = capacity;
    }
    findings->rows[findings->count++] = *row;
}

void findings_add(struct findings *findings, struct slice text, struct span span, unsigned label)
{
    if (span.from < span.to && widen(text, &span))
        append(findings, &(struct finding){span, label, false});
}

/* By place; of two at the same place the longer first, whose name is taken. */
static int compare_findings(const void *left, const void *right)
{
    const struct finding *a = left, *b = right;
    if (a->span.from != b->span.from)
        return a->span.from < b->span.from ? -1 : 1;
    if (a->span.to != b->span.to)
        return a->span.to > b->span.to ? -1 : 1;
    return (a->label > b->label) - (a->label < b->label);
}

void findings_merge(struct findings *findings)
{
    struct finding *rows = findings->rows;
    size_t kept = 0;
    if (!findings->count)
        return;
    qsort(rows, findings->count, sizeof *rows, compare_findings);
    for (size_t i = 1; i < findings->count; i++) {
        if (rows[i].span.from >= rows[kept].span.to)
            rows[++kept] = rows[i];
        else if (rows[i].span.to > rows[kept].span.to)
            rows[kept].span.to = rows[i].span.to;
    }
    findings->count = kept + 1;
}

/* Where a place begins within an escape, all of the escape is replaced: half of one is no JSON. */
static void widen_to_units(struct findings *findings, struct slice decoded)
{
    struct span unit = {0, 0};
    char utf8[4];
    size_t bytes;
    for (size_t i = 0; i < findings->count; i++) {
        struct span *span = &findings->rows[i].span;
        for (; unit.to <= span->from; unit.to += policy_view_one(decoded, unit.from, VIEW_DECODED, utf8, &bytes))
            unit.from = unit.to;
        span->from = unit.from;
        for (; unit.to < span->to; unit.to += policy_view_one(decoded, unit.from, VIEW_DECODED, utf8, &bytes))
            unit.from = unit.to;
        span->to = unit.to;
    }
    findings_merge(findings);
}

void findings_place(struct findings *findings, struct slice decoded, enum policy_view view)
{
    size_t at = 0, seen = 0, bytes = 0;
    char utf8[4];
    if (view == VIEW_PLAIN) {
        widen_to_units(findings, decoded);
        return;
    }
    for (size_t i = 0; i < findings->count; i++) {
        struct span *span = &findings->rows[i].span;
        for (; seen < span->from; seen += bytes)
            at += policy_view_one(decoded, at, view, utf8, &bytes);
        size_t from = at;
        for (; seen < span->to; seen += bytes)
            at += policy_view_one(decoded, at, view, utf8, &bytes);
        *span = (struct span){from, at};
    }
}

/* The next string (what is between its quotes), number or word of JSON that json_scan has found valid. */
static bool find_token(struct slice json, size_t *at, struct span *ret_span, bool *ret_is_scalar)
{
    size_t from = *at;
    while (from < json.length && strchr("{}[]:, \t\r\n", json.data[from]))
        from++;
    if (from >= json.length)
        return false;
    size_t to = from;
    *ret_is_scalar = json.data[from] != '"';
    if (*ret_is_scalar) {
        while (to < json.length && !strchr("]}, \t\r\n", json.data[to]))
            to++;
        *at = to;
    } else {
        for (to = ++from; detect_byte(json, to) != '"' && to < json.length; to++)
            to += json.data[to] == '\\';
        *at = to + 1;
    }
    *ret_span = (struct span){from, to};
    return true;
}

static bool is_in_placeholder(struct slice text, struct span span)
{
    struct span found;
    return find_placeholder(text, span.from, &found) && found.to >= span.to;
}

void findings_clip(struct findings *findings, struct slice json)
{
    struct findings clipped = {.arena = findings->arena};
    struct span token;
    bool is_scalar;
    size_t at = 0, first = 0;
    while (first < findings->count && find_token(json, &at, &token, &is_scalar)) {
        while (first < findings->count && findings->rows[first].span.to <= token.from)
            first++;
        for (size_t i = first; i < findings->count && findings->rows[i].span.from < token.to; i++) {
            struct finding row = findings->rows[i];
            row.span.from = is_scalar || row.span.from < token.from ? token.from : row.span.from;
            row.span.to = is_scalar || row.span.to > token.to ? token.to : row.span.to;
            row.is_scalar = is_scalar;
            if (row.span.from < row.span.to && !is_in_placeholder(json, row.span))
                append(&clipped, &row);
            if (is_scalar)
                break;
        }
    }
    *findings = clipped;
}

static void copy(char *text, size_t *length, const char *from, size_t bytes)
{
    memcpy(text + *length, from, bytes);
    *length += bytes;
}

/* An escape is replaced whole. */
struct slice findings_splice(const struct findings *findings, struct slice raw, size_t counts[LABEL_COUNT])
{
    static const char quote[] = "\\\""; /* of JSON in a string */
    size_t size = raw.length, length = 0, at = 0, decoded = 0, bytes;
    char utf8[4];
    for (size_t i = 0; i < findings->count; i++)
        size += strlen(placeholder_of(findings->rows[i].label)) + 2 * strlen(quote);
    char *text = arena_alloc(findings->arena, size + 1);
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *row = &findings->rows[i];
        size_t kept = at, quote_bytes = row->is_scalar ? strlen(quote) : 0;
        for (; decoded < row->span.from; decoded += bytes)
            at += policy_decode_one(raw, at, utf8, &bytes);
        copy(text, &length, raw.data + kept, at - kept);
        copy(text, &length, quote, quote_bytes);
        copy(text, &length, placeholder_of(row->label), strlen(placeholder_of(row->label)));
        copy(text, &length, quote, quote_bytes);
        for (; decoded < row->span.to; decoded += bytes)
            at += policy_decode_one(raw, at, utf8, &bytes);
        counts[row->label]++;
    }
    copy(text, &length, raw.data + at, raw.length - at);
    return (struct slice){text, length};
}
