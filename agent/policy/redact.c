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
#include "base/json.h"

#include <string.h>

enum { ROUNDS_MAX = 16, INNER_DEPTH_MAX = 1024 };

struct redaction {
    const struct policy_verdict *verdict;
    struct arena *scratch; /* of this body */
    bool is_json;
    struct slice *keywords; /* of all its rules, in lower case */
    size_t keyword_count;
    struct pattern_budget budget;
    size_t counts[LABEL_COUNT];
    struct findings findings; /* of one view of one string */
};

static void find_detected(struct redaction *redaction, struct slice text)
{
    for (unsigned label = 0; label < DETECT_COUNT; label++) {
        struct span span = {0, 0};
        if (!(redaction->verdict->redact & policy_detectors[label].bit))
            continue;
        while (detect_next(&policy_detectors[label], text, span.to, &span))
            findings_add(&redaction->findings, text, span, label);
    }
}

static void find_keywords(struct redaction *redaction, struct policy_text *text)
{
    for (size_t k = 0; k < redaction->keyword_count; k++) {
        struct slice keyword = redaction->keywords[k], folded = policy_text_fold(text, redaction->scratch);
        const char *at = folded.data, *end = folded.data + folded.length;
        while (keyword.length && (at = memmem(at, (size_t)(end - at), keyword.data, keyword.length))) {
            size_t from = (size_t)(at - folded.data);
            findings_add(&redaction->findings, text->decoded, (struct span){from, from + keyword.length},
                         LABEL_KEYWORD);
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
        findings_add(&redaction->findings, text, span, LABEL_PATTERN);
        at = span.to > span.from ? span.to : span.to + 1; /* an empty match replaces nothing */
        while (((unsigned char)detect_byte(text, at) & 0xc0) == 0x80)
            at++;
    }
    return true;
}

/* False: a pattern costs too much. */
static bool find_all(struct redaction *redaction, struct policy_text *text)
{
    const struct policy_verdict *verdict = redaction->verdict;
    redaction->findings.count = 0;
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

/* The first view in which something is to be replaced, the decoded one before the plain: in "\\njane@…" the n is no
 * part of the address. FAILED: a pattern costs too much. */
static enum pattern_match find_in_views(struct redaction *redaction, struct slice decoded, bool is_word, bool is_json)
{
    static const enum policy_view order[VIEW_COUNT] = {VIEW_DECODED, VIEW_JOINED, VIEW_PLAIN};
    for (size_t i = 0; i < VIEW_COUNT; i++) {
        struct policy_text text = {.decoded = policy_view_text(decoded, order[i], redaction->scratch),
                                   .is_word = is_word};
        if (order[i] != VIEW_PLAIN && text.decoded.data == decoded.data)
            continue;
        if (!find_all(redaction, &text))
            return MATCH_FAILED;
        findings_merge(&redaction->findings);
        findings_place(&redaction->findings, decoded, order[i]);
        if (is_json)
            findings_clip(&redaction->findings, decoded);
        if (redaction->findings.count)
            return MATCH_FOUND;
    }
    return MATCH_NONE;
}

/* Is a string itself JSON, an object or an array, as tool calls have it: '{' or '[', else NUL. */
static char kind_of_inner(struct slice decoded)
{
    size_t at = 0;
    while (at < decoded.length && strchr(" \t\r\n", decoded.data[at]) && decoded.data[at])
        at++;
    char c = detect_byte(decoded, at);
    return (c == '{' || c == '[') && json_scan(decoded, INNER_DEPTH_MAX, NULL, 0, NULL) == ERROR_OK ? c : '\0';
}

/* The raw string as it may be sent; the same slice when nothing is found. One that is JSON stays JSON. A body that is
 * no JSON (policy_decide lets none through) is no string to splice: all of it goes. */
static struct slice redact_string(struct redaction *redaction, const struct policy_text *string)
{
    struct slice raw = string->raw, decoded = string->decoded;
    const char inner = kind_of_inner(decoded);
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        enum pattern_match match = find_in_views(redaction, decoded, string->is_word, inner);
        if (match == MATCH_NONE)
            return raw;
        if (match == MATCH_FAILED || !redaction->is_json)
            break;
        raw = findings_splice(&redaction->findings, raw, redaction->counts);
        decoded = policy_decode(raw, redaction->scratch);
        if (inner && !kind_of_inner(decoded))
            break; /* two members have the same name now */
    }
    redaction->counts[LABEL_PATTERN]++;
    return inner == '{' ? SLICE_LITERAL("{}") : inner ? SLICE_LITERAL("[]") : SLICE_LITERAL(PLACEHOLDER_OTHER);
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
        struct slice raw = texts->rows[i].raw;
        if (texts->rows[i].view != VIEW_PLAIN)
            continue; /* the same string */
        struct slice sent = redact_string(redaction, &texts->rows[i]);
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
    redaction.findings.arena = redaction.scratch;
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
