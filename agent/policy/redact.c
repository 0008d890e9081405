/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_redact: replaces what the verdict's rules find in the strings of a JSON body. Called before a request is sent.
 * A replaced place can let something else begin or end beside it, so a string is gone over until nothing is left; what
 * does not come to rest, or a pattern that costs too much, takes the whole string with it. What lies within a
 * placeholder is never a finding ("email" of [email]), so the result is a fixed point.
 */
#include "policy/internal.h"

#include "base/buffer.h"
#include "base/check.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS_MAX = 8, LABEL_KEYWORD = DETECT_COUNT, LABEL_PATTERN, LABEL_COUNT };

#define PLACEHOLDER_OTHER "[redacted]"

struct finding {
    struct span span;
    unsigned label;
};

struct redaction {
    const struct policy_verdict *verdict;
    struct arena *scratch; /* of this body */
    bool is_json;
    struct slice *keywords; /* of all its rules, in lower case */
    size_t keyword_count;
    struct pattern_budget budget;
    size_t counts[LABEL_COUNT];
    struct finding *findings; /* of one round of one string */
    size_t count, capacity;
};

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
        if (slice_has_prefix(slice_from(text, at), placeholder_of(label)))
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

static void add_finding(struct redaction *redaction, struct slice text, struct span span, unsigned label)
{
    enum { CAPACITY_AT_FIRST = 16 };
    if (span.from >= span.to || !widen(text, &span))
        return;
    if (redaction->count == redaction->capacity) {
        size_t capacity = redaction->capacity ? redaction->capacity * 2 : CAPACITY_AT_FIRST;
        struct finding *grown = arena_new_array(redaction->scratch, struct finding, capacity);
        if (redaction->count)
            memcpy(grown, redaction->findings, redaction->count * sizeof *grown);
        redaction->findings = grown;
        redaction->capacity = capacity;
    }
    redaction->findings[redaction->count++] = (struct finding){span, label};
}

static void find_detected(struct redaction *redaction, struct slice text)
{
    for (unsigned label = 0; label < DETECT_COUNT; label++) {
        struct span span = {0, 0};
        if (!(redaction->verdict->redact & policy_detectors[label].bit))
            continue;
        while (detect_next(&policy_detectors[label], text, span.to, &span))
            add_finding(redaction, text, span, label);
    }
}

static void find_keywords(struct redaction *redaction, struct policy_text *text)
{
    for (size_t k = 0; k < redaction->keyword_count; k++) {
        struct slice keyword = redaction->keywords[k], folded = policy_text_fold(text, redaction->scratch);
        const char *at = folded.data, *end = folded.data + folded.length;
        while (keyword.length && (at = memmem(at, (size_t)(end - at), keyword.data, keyword.length))) {
            size_t from = (size_t)(at - folded.data);
            add_finding(redaction, text->decoded, (struct span){from, from + keyword.length}, LABEL_KEYWORD);
            at += keyword.length;
        }
    }
}

/* The next match from `at` on, looked for in windows that grow, so that the cost of all of them is linear in the text
 * and not in its length times their number. Where a window ends, $ and what looks ahead may find too much, never too
 * little: the last window is all that is left. */
static enum pattern_match find_match(struct redaction *redaction, struct slice text, size_t at,
                                     const struct pattern *pattern, struct span *ret_span)
{
    enum { WINDOW_BYTES_AT_FIRST = 256, WINDOW_GROWTH = 4 };
    struct slice rest = slice_from(text, at);
    for (size_t window = WINDOW_BYTES_AT_FIRST;; window *= WINDOW_GROWTH) {
        size_t from = 0, to = 0;
        struct slice tried = {rest.data, window < rest.length ? window : rest.length};
        enum pattern_match match = pattern_find(pattern, tried, &redaction->budget, &from, &to);
        bool is_last = tried.length == rest.length;
        if (match == MATCH_FAILED || is_last || (match == MATCH_FOUND && to < tried.length)) {
            *ret_span = (struct span){at + from, at + to};
            return match;
        }
    }
}

/* False: it costs too much. After a match the search goes on behind it as in a text of its own, so that ^ holds there,
 * too: rather too much than too little. */
static bool find_pattern(struct redaction *redaction, struct slice text, const struct pattern *pattern)
{
    for (size_t at = 0; at < text.length;) {
        struct span span;
        enum pattern_match match = find_match(redaction, text, at, pattern, &span);
        if (match != MATCH_FOUND)
            return match == MATCH_NONE;
        add_finding(redaction, text, span, LABEL_PATTERN);
        at = span.to > span.from ? span.to : span.to + 1; /* an empty match replaces nothing */
        while (is_continuation(text, at))
            at++;
    }
    return true;
}

/* False: a pattern costs too much. */
static bool find_all(struct redaction *redaction, struct policy_text *text)
{
    const struct policy_verdict *verdict = redaction->verdict;
    redaction->count = 0;
    find_detected(redaction, text->decoded);
    if (text->is_word)
        return true;
    find_keywords(redaction, text);
    for (size_t i = 0; i < verdict->redact_pattern_count; i++) {
        const struct policy_rule *rule = verdict->redact_patterns[i];
        for (size_t p = 0; p < rule->pattern_count; p++)
            if (!find_pattern(redaction, text->decoded, rule->patterns[p]))
                return false;
    }
    return true;
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

/* Sorted, and those that overlap are one. */
static void merge_findings(struct redaction *redaction)
{
    struct finding *rows = redaction->findings;
    size_t kept = 0;
    qsort(rows, redaction->count, sizeof *rows, compare_findings);
    for (size_t i = 1; i < redaction->count; i++) {
        if (rows[i].span.from >= rows[kept].span.to)
            rows[++kept] = rows[i];
        else if (rows[i].span.to > rows[kept].span.to)
            rows[kept].span.to = rows[i].span.to;
    }
    redaction->count = kept + 1;
}

/* The raw string with its findings, which are places of the decoded text, replaced. An escape is replaced whole. */
static struct slice splice(struct redaction *redaction, struct slice raw)
{
    size_t size = raw.length, length = 0, at = 0, decoded = 0, bytes;
    char utf8[4];
    for (size_t i = 0; i < redaction->count; i++)
        size += strlen(placeholder_of(redaction->findings[i].label));
    char *text = arena_alloc(redaction->scratch, size + 1);
    for (size_t i = 0; i < redaction->count; i++) {
        const struct finding *finding = &redaction->findings[i];
        size_t kept = at, placeholder = strlen(placeholder_of(finding->label));
        for (; decoded < finding->span.from; decoded += bytes)
            at += policy_decode_one(raw.data + at, utf8, &bytes);
        memcpy(text + length, raw.data + kept, at - kept);
        length += at - kept;
        memcpy(text + length, placeholder_of(finding->label), placeholder);
        length += placeholder;
        for (; decoded < finding->span.to; decoded += bytes)
            at += policy_decode_one(raw.data + at, utf8, &bytes);
        redaction->counts[finding->label]++;
    }
    memcpy(text + length, raw.data + at, raw.length - at);
    return (struct slice){text, length + raw.length - at};
}

/* The raw string as it may be sent; the same slice when nothing is found. A body that is no JSON (policy_decide lets
 * none through) is no string to splice: all of it goes. */
static struct slice redact_string(struct redaction *redaction, const struct policy_text *string)
{
    struct policy_text text = *string;
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        if (!find_all(redaction, &text))
            break;
        if (!redaction->count)
            return text.raw;
        if (!redaction->is_json)
            break;
        merge_findings(redaction);
        text.raw = splice(redaction, text.raw);
        text.decoded = policy_decode(text.raw, redaction->scratch);
        text.folded = (struct slice){NULL, 0};
    }
    redaction->counts[LABEL_PATTERN]++;
    return SLICE_LITERAL(PLACEHOLDER_OTHER);
}

static const char *describe(const struct redaction *redaction, struct arena *arena)
{
    const char *list = NULL;
    for (unsigned label = 0; label < LABEL_COUNT; label++) {
        const char *name = label < DETECT_COUNT     ? policy_detectors[label].name
                           : label == LABEL_KEYWORD ? "keyword"
                                                    : "pattern";
        if (redaction->counts[label])
            list =
                arena_printf(arena, "%s%s%zu %s", list ? list : "", list ? ", " : "", redaction->counts[label], name);
    }
    return list;
}

static void append(struct buffer *out, const char *from, const char *to)
{
    bool is_appended = from == to || buffer_append(out, (struct slice){from, (size_t)(to - from)});
    check(is_appended); /* the bound is above what can be replaced */
}

/* False: nothing was replaced. */
static bool redact_texts(struct redaction *redaction, const struct policy_texts *texts, struct slice body,
                         struct buffer *out)
{
    const char *copied = body.data;
    bool is_changed = false;
    for (size_t i = 0; i < texts->count; i++) {
        struct slice raw = texts->rows[i].raw, sent = redact_string(redaction, &texts->rows[i]);
        if (sent.data == raw.data)
            continue;
        append(out, copied, raw.data);
        append(out, sent.data, sent.data + sent.length);
        copied = raw.data + raw.length;
        is_changed = true;
    }
    append(out, copied, body.data + body.length);
    return is_changed;
}

static void prepare(struct redaction *redaction)
{
    const struct policy_verdict *verdict = redaction->verdict;
    size_t count = 0;
    for (size_t i = 0; i < verdict->redact_pattern_count; i++)
        count += verdict->redact_patterns[i]->keyword_count;
    redaction->keywords = arena_new_array(redaction->scratch, struct slice, count + 1);
    for (size_t i = 0; i < verdict->redact_pattern_count; i++)
        for (size_t k = 0; k < verdict->redact_patterns[i]->keyword_count; k++)
            redaction->keywords[redaction->keyword_count++] =
                policy_fold(slice_of(verdict->redact_patterns[i]->keywords[k]), redaction->scratch);
}

struct slice policy_redact(const struct policy_verdict *verdict, struct slice body, struct arena *arena,
                           const char **ret_found)
{
    *ret_found = NULL;
    if (!verdict->redact && !verdict->redact_pattern_count)
        return body;
    enum { SCRATCH_BYTES = 65536 };
    struct redaction redaction = {
        .verdict = verdict, .scratch = arena_new(SCRATCH_BYTES), .budget = pattern_allow(body.length)};
    struct policy_texts texts;
    struct buffer out;
    buffer_init(&out, SIZE_MAX / 2); /* by construction: a placeholder for each byte at most */
    policy_read_texts(body, true, redaction.scratch, &texts);
    redaction.is_json = texts.is_json;
    prepare(&redaction);
    struct slice sent = body;
    if (redact_texts(&redaction, &texts, body, &out)) {
        sent = arena_copy(arena, buffer_contents(&out));
        *ret_found = describe(&redaction, arena);
    }
    buffer_done(&out);
    arena_free(redaction.scratch);
    return sent;
}
