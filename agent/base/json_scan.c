/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scanner: one pass, no recursion, no tree (jansson takes 11 µs per KB, this has to stay well below one:
 * performance.md). Called for every request body and every answer that carries usage.
 */
#include "base/check.h"
#include "base/json_internal.h"

#include <stdlib.h>

enum { DEPTH_LIMIT = 1024, QUERIES_MAX = 32, LEVELS_MAX = 6, KEYS_ON_STACK = 256 };

/* An open array or object. */
struct frame {
    uint64_t seen;     /* a bit per fingerprint: while none repeats, no name does */
    uint32_t key_base; /* its first key in scan.keys */
    uint32_t active;   /* queries that may match below it */
    uint32_t wanted;   /* queries whose value it is */
    uint32_t offset, member_offset;
    bool is_object, is_empty, may_repeat;
};

struct path {
    const char *segments[LEVELS_MAX];
    uint8_t lengths[LEVELS_MAX];
    uint8_t count;
};

struct scan {
    struct json_cursor cursor;
    const struct json_query *queries;
    struct json_key *keys;
    size_t key_count, key_capacity;
    unsigned depth, depth_max;
    uint32_t by_length[LEVELS_MAX][32]; /* queries whose segment has this length (mod 32) */
    struct path paths[QUERIES_MAX];
    struct json_key keys_on_stack[KEYS_ON_STACK];
    struct frame frames[DEPTH_LIMIT];
};

/* ---- what the caller looks for ---- */

static void compile_queries(struct scan *scan, const struct json_query *queries, size_t count)
{
    check(count <= QUERIES_MAX);
    scan->queries = queries;
    for (size_t i = 0; i < count; i++) {
        struct path *path = &scan->paths[i];
        const char *segment = queries[i].path;
        *queries[i].ret_value = (struct json_value){.kind = JSON_KIND_ABSENT};
        for (path->count = 0;; path->count++) {
            size_t length = (size_t)(strchrnul(segment, '.') - segment); /* strcspn builds a table */
            check(path->count < LEVELS_MAX && length < 256);
            path->segments[path->count] = segment;
            path->lengths[path->count] = (uint8_t)length;
            scan->by_length[path->count][length & 31] |= (uint32_t)1 << i;
            segment += length;
            if (*segment++ == '\0')
                break;
        }
        path->count++;
    }
}

static bool name_is(const char *quote, bool has_escapes, const char *segment, size_t length)
{
    if (!has_escapes)
        return memcmp(quote + 1, segment, length) == 0; /* lengths were compared by the caller */
    struct json_text text = {.at = quote + 1};
    for (size_t i = 0; i < length; i++)
        if (json_text_next(&text) != (unsigned char)segment[i])
            return false;
    return true;
}

/* Which queries want the member's value, and which go on below it. */
static void match_name(const struct scan *scan, const struct frame *frame, const char *quote, bool has_escapes,
                       size_t decoded_bytes, uint32_t *ret_wanted, uint32_t *ret_active)
{
    size_t level = scan->depth - 1; /* queries are active only while all that is open are objects */
    uint32_t wanted = 0, active = 0;
    for (uint32_t left = frame->active & scan->by_length[level][decoded_bytes & 31]; left; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);
        const struct path *path = &scan->paths[i];
        if (path->lengths[level] != decoded_bytes || !name_is(quote, has_escapes, path->segments[level], decoded_bytes))
            continue;
        if (path->count == level + 1)
            wanted |= (uint32_t)1 << i;
        else
            active |= (uint32_t)1 << i;
    }
    *ret_wanted = wanted;
    *ret_active = level + 1 < LEVELS_MAX ? active : 0;
}

static void report(const struct scan *scan, uint32_t wanted, enum json_kind kind, size_t offset, size_t member_offset)
{
    for (; wanted; wanted &= wanted - 1)
        *scan->queries[__builtin_ctz(wanted)].ret_value =
            (struct json_value){kind,
                                {scan->cursor.start + offset, (size_t)(scan->cursor.at - scan->cursor.start) - offset},
                                offset,
                                member_offset};
}

/* ---- structure ---- */

static inline void skip_space(struct scan *scan)
{
    while (scan->cursor.at < scan->cursor.end && (*scan->cursor.at == ' ' || *scan->cursor.at == '\n' ||
                                                  *scan->cursor.at == '\r' || *scan->cursor.at == '\t'))
        scan->cursor.at++;
}

static bool open_frame(struct scan *scan, bool is_object, uint32_t wanted, uint32_t active, size_t member_offset)
{
    if (scan->depth == scan->depth_max)
        return json_fail(&scan->cursor, "nested too deeply");
    scan->frames[scan->depth++] = (struct frame){
        .is_object = is_object,
        .is_empty = true,
        .key_base = (uint32_t)scan->key_count,
        .active = is_object ? active : 0,
        .wanted = wanted,
        .offset = (uint32_t)(scan->cursor.at - scan->cursor.start),
        .member_offset = (uint32_t)member_offset,
    };
    scan->cursor.at++;
    return true;
}

static bool close_frame(struct scan *scan)
{
    struct frame *frame = &scan->frames[--scan->depth];
    scan->cursor.at++;
    if (frame->may_repeat &&
        json_keys_repeat(scan->cursor.start, scan->keys + frame->key_base, scan->key_count - frame->key_base))
        return json_fail(&scan->cursor, "an object has two members of the same name");
    scan->key_count = frame->key_base;
    if (frame->wanted)
        report(scan, frame->wanted, frame->is_object ? JSON_KIND_OBJECT : JSON_KIND_ARRAY, frame->offset,
               frame->member_offset);
    return true;
}

static bool scan_value(struct scan *scan, uint32_t wanted, uint32_t active, size_t member_offset)
{
    bool is_valid, ignored;
    enum json_kind kind;
    size_t offset = (size_t)(scan->cursor.at - scan->cursor.start);
    switch (scan->cursor.at < scan->cursor.end ? *scan->cursor.at : '\0') {
    case '{':
        return open_frame(scan, true, wanted, active, member_offset);
    case '[':
        return open_frame(scan, false, wanted, active, member_offset);
    case '"':
        kind = JSON_KIND_STRING;
        is_valid = json_scan_string(&scan->cursor, &ignored);
        break;
    case 't':
        kind = JSON_KIND_TRUE;
        is_valid = json_scan_word(&scan->cursor, "true");
        break;
    case 'f':
        kind = JSON_KIND_FALSE;
        is_valid = json_scan_word(&scan->cursor, "false");
        break;
    case 'n':
        kind = JSON_KIND_NULL;
        is_valid = json_scan_word(&scan->cursor, "null");
        break;
    case '-':
    case '0' ... '9':
        kind = JSON_KIND_NUMBER;
        is_valid = json_scan_number(&scan->cursor);
        break;
    default:
        return json_fail(&scan->cursor, "a value is missing");
    }
    if (is_valid && wanted)
        report(scan, wanted, kind, offset, member_offset);
    return is_valid;
}

static void push_key(struct scan *scan, struct frame *frame, uint32_t hash, size_t offset)
{
    if (scan->key_count == scan->key_capacity) {
        bool is_first = scan->keys == scan->keys_on_stack;
        scan->key_capacity *= 2;
        scan->keys = realloc(is_first ? NULL : scan->keys, scan->key_capacity * sizeof *scan->keys);
        check(scan->keys != NULL);
        if (is_first)
            memcpy(scan->keys, scan->keys_on_stack, sizeof scan->keys_on_stack);
    }
    scan->keys[scan->key_count++] = (struct json_key){hash, (uint32_t)offset};
    uint64_t bit = (uint64_t)1 << (hash & 63);
    frame->may_repeat |= (frame->seen & bit) != 0;
    frame->seen |= bit;
}

static bool scan_member(struct scan *scan, struct frame *frame)
{
    const char *quote = scan->cursor.at;
    bool has_escapes;
    size_t decoded_bytes;
    uint32_t wanted = 0, active = 0;
    if (quote == scan->cursor.end || *quote != '"')
        return json_fail(&scan->cursor, "a member name is missing");
    if (!json_scan_string(&scan->cursor, &has_escapes))
        return false;
    size_t raw_bytes = (size_t)(scan->cursor.at - quote) - 2;
    uint32_t hash = json_key_hash(scan->cursor.end, quote, raw_bytes, has_escapes, &decoded_bytes);
    if (has_escapes && memmem(quote + 1, raw_bytes, "\\u0000", 6)) {
        struct json_text text = {.at = quote + 1};
        for (int c; (c = json_text_next(&text)) >= 0;)
            if (c == 0)
                return json_fail(&scan->cursor, "U+0000 in a member name");
    }
    push_key(scan, frame, hash, (size_t)(quote - scan->cursor.start));
    if (frame->active)
        match_name(scan, frame, quote, has_escapes, decoded_bytes, &wanted, &active);
    skip_space(scan);
    if (scan->cursor.at == scan->cursor.end || *scan->cursor.at != ':')
        return json_fail(&scan->cursor, "a colon is missing");
    scan->cursor.at++;
    skip_space(scan);
    return scan_value(scan, wanted, active, (size_t)(quote - scan->cursor.start));
}

/* What comes next in the innermost open array or object. */
static bool scan_next(struct scan *scan)
{
    struct frame *frame = &scan->frames[scan->depth - 1];
    skip_space(scan);
    if (scan->cursor.at == scan->cursor.end)
        return json_fail(&scan->cursor, frame->is_object ? "an object does not end" : "an array does not end");
    if (*scan->cursor.at == (frame->is_object ? '}' : ']'))
        return close_frame(scan);
    if (!frame->is_empty) {
        if (*scan->cursor.at != ',')
            return json_fail(&scan->cursor, "a comma is missing");
        scan->cursor.at++;
        skip_space(scan);
    }
    frame->is_empty = false;
    return frame->is_object ? scan_member(scan, frame) : scan_value(scan, 0, 0, 0);
}

static bool scan_document(struct scan *scan, size_t query_count)
{
    uint32_t all = query_count ? UINT32_MAX >> (QUERIES_MAX - query_count) : 0;
    skip_space(scan);
    if (!scan_value(scan, 0, all, 0))
        return false;
    while (scan->depth)
        if (!scan_next(scan))
            return false;
    skip_space(scan);
    return scan->cursor.at == scan->cursor.end || json_fail(&scan->cursor, "something follows the document");
}

enum error json_scan(struct slice document, unsigned depth_max, const struct json_query *queries, size_t query_count,
                     struct json_problem *ret_problem)
{
    struct scan scan; /* 60 KB, most of it never touched: not initialised as a whole */
    scan.cursor.start = scan.cursor.at = document.data;
    scan.cursor.end = document.data + document.length;
    scan.cursor.problem = NULL;
    scan.keys = scan.keys_on_stack;
    scan.key_count = 0;
    scan.key_capacity = KEYS_ON_STACK;
    scan.depth = 0;
    scan.depth_max = depth_max < DEPTH_LIMIT ? depth_max : DEPTH_LIMIT;
    memset(scan.by_length, 0, sizeof scan.by_length);
    compile_queries(&scan, queries, query_count);
    bool is_valid = document.length < UINT32_MAX ? scan_document(&scan, query_count)
                                                 : json_fail(&scan.cursor, "the document exceeds 4 GiB");
    if (scan.keys != scan.keys_on_stack)
        free(scan.keys);
    if (is_valid)
        return ERROR_OK;
    if (ret_problem)
        *ret_problem = (struct json_problem){(size_t)(scan.cursor.at - scan.cursor.start), scan.cursor.problem};
    return ERROR_BODY_MALFORMED;
}
