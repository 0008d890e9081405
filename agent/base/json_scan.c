/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scanner: one pass, no recursion, no tree. Strings go sixteen bytes at a time (jansson takes 11 µs per KB, this
 * has to stay below 0.3: performance.md). Called for every request body and every answer that carries usage.
 */
#include "base/check.h"
#include "base/json_internal.h"

#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

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
    const char *start, *at, *end;
    const char *problem;
    const struct json_query *queries;
    struct json_key *keys;
    size_t key_count, key_capacity;
    unsigned depth, depth_max;
    uint32_t by_length[LEVELS_MAX][32]; /* queries whose segment has this length (mod 32) */
    struct path paths[QUERIES_MAX];
    struct json_key keys_on_stack[KEYS_ON_STACK];
    struct frame frames[DEPTH_LIMIT];
};

static bool scan_fail(struct scan *scan, const char *problem)
{
    scan->problem = problem;
    return false;
}

/* ---- strings ---- */

/* To the first byte that is a quote, a backslash, a control character or not ASCII. */
static inline const char *skip_plain(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i space = _mm_set1_epi8(' '), quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        /* The comparison is signed: bytes from 0x80 on are below a space, too. */
        __m128i special = _mm_or_si128(_mm_cmplt_epi8(bytes, space),
                                       _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
        unsigned mask = (unsigned)_mm_movemask_epi8(special);
        if (mask)
            return at + __builtin_ctz(mask);
    }
#else
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    for (; end - at >= 8; at += 8) {
        uint64_t bytes;
        memcpy(&bytes, at, 8);
        uint64_t quotes = bytes ^ (ones * '"'), backslashes = bytes ^ (ones * '\\');
        if ((bytes | (bytes - ones * ' ') | (quotes - ones) | (backslashes - ones)) & high)
            break; /* special, or a borrow that the loop below sorts out */
    }
#endif
    while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' && *at != '\\')
        at++;
    return at;
}

static bool is_hex4(const char *at, const char *end)
{
    if (end - at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)at[i], lower = c | 0x20;
        if (!(c >= '0' && c <= '9') && !(lower >= 'a' && lower <= 'f'))
            return false;
    }
    return true;
}

/* 0: none, 1: a high one (D8xx–DBxx), 2: a low one. */
static int surrogate_half(const char *hex)
{
    unsigned char first = (unsigned char)hex[0] | 0x20, second = (unsigned char)hex[1] | 0x20;
    if (first != 'd' || second == ('0' | 0x20) || (second >= '1' && second <= '7'))
        return 0;
    return second == '8' || second == '9' || second == 'a' || second == 'b' ? 1 : second >= 'c' ? 2 : 0;
}

/* At a backslash. A surrogate must be one half of a pair: alone it has no UTF-8 form. */
static bool scan_escape(struct scan *scan)
{
    const char *at = scan->at + 1;
    if (at == scan->end || !strchr("\"\\/bfnrtu", *at) || *at == '\0')
        return scan_fail(scan, "an invalid escape in a string");
    scan->at = at + 1;
    if (*at != 'u')
        return true;
    if (!is_hex4(scan->at, scan->end))
        return scan_fail(scan, "an invalid \\u escape in a string");
    int half = surrogate_half(scan->at);
    scan->at += 4;
    if (half == 0)
        return true;
    at = scan->at;
    if (half == 2 || scan->end - at < 6 || at[0] != '\\' || at[1] != 'u' || !is_hex4(at + 2, scan->end) ||
        surrogate_half(at + 2) != 2)
        return scan_fail(scan, "half a surrogate pair in a string");
    scan->at += 6;
    return true;
}

/* At the opening quote; ends after the closing one. */
static bool scan_string(struct scan *scan, bool *ret_has_escapes)
{
    bool has_escapes = false;
    scan->at++;
    for (;;) {
        scan->at = skip_plain(scan->at, scan->end);
        if (scan->at == scan->end)
            return scan_fail(scan, "a string does not end");
        unsigned char c = (unsigned char)*scan->at;
        if (c == '"') {
            scan->at++;
            *ret_has_escapes = has_escapes;
            return true;
        }
        if (c < 0x20)
            return scan_fail(scan, "a control character in a string");
        if (c == '\\') {
            has_escapes = true;
            if (!scan_escape(scan))
                return false;
            continue;
        }
        do { /* text that is not ASCII seldom comes alone */
            size_t length = json_utf8_length(scan->at, scan->end);
            if (length == 0)
                return scan_fail(scan, "invalid UTF-8");
            scan->at += length;
        } while (scan->at < scan->end && (unsigned char)*scan->at >= 0x80);
    }
}

/* ---- numbers and words ---- */

static bool skip_digits(struct scan *scan)
{
    const char *first = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    return scan->at > first;
}

static bool scan_number(struct scan *scan)
{
    const char *first = scan->at;
    if (*scan->at == '-')
        scan->at++;
    const char *integer = scan->at;
    if (!skip_digits(scan) || (*integer == '0' && scan->at - integer > 1))
        return scan_fail(scan, "an invalid number");
    bool is_large = scan->at - integer > 308;
    if (scan->at < scan->end && *scan->at == '.') {
        scan->at++;
        if (!skip_digits(scan))
            return scan_fail(scan, "an invalid number");
    }
    if (scan->at < scan->end && (*scan->at == 'e' || *scan->at == 'E')) {
        scan->at++;
        if (scan->at < scan->end && (*scan->at == '+' || *scan->at == '-'))
            scan->at++;
        if (!skip_digits(scan))
            return scan_fail(scan, "an invalid number");
        is_large = true;
    }
    if (is_large && json_number_overflows((struct slice){first, (size_t)(scan->at - first)}))
        return scan_fail(scan, "a number is too large");
    return true;
}

static bool scan_word(struct scan *scan, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
        return scan_fail(scan, "an invalid value");
    scan->at += length;
    return true;
}

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
            size_t length = strcspn(segment, ".");
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
        *scan->queries[__builtin_ctz(wanted)].ret_value = (struct json_value){
            kind, {scan->start + offset, (size_t)(scan->at - scan->start) - offset}, offset, member_offset};
}

/* ---- structure ---- */

static inline void skip_space(struct scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

static bool open_frame(struct scan *scan, bool is_object, uint32_t wanted, uint32_t active, size_t member_offset)
{
    if (scan->depth == scan->depth_max)
        return scan_fail(scan, "nested too deeply");
    scan->frames[scan->depth++] = (struct frame){
        .is_object = is_object,
        .is_empty = true,
        .key_base = (uint32_t)scan->key_count,
        .active = is_object ? active : 0,
        .wanted = wanted,
        .offset = (uint32_t)(scan->at - scan->start),
        .member_offset = (uint32_t)member_offset,
    };
    scan->at++;
    return true;
}

static bool close_frame(struct scan *scan)
{
    struct frame *frame = &scan->frames[--scan->depth];
    scan->at++;
    if (frame->may_repeat &&
        json_keys_repeat(scan->start, scan->keys + frame->key_base, scan->key_count - frame->key_base))
        return scan_fail(scan, "an object has two members of the same name");
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
    size_t offset = (size_t)(scan->at - scan->start);
    switch (scan->at < scan->end ? *scan->at : '\0') {
    case '{':
        return open_frame(scan, true, wanted, active, member_offset);
    case '[':
        return open_frame(scan, false, wanted, active, member_offset);
    case '"':
        kind = JSON_KIND_STRING;
        is_valid = scan_string(scan, &ignored);
        break;
    case 't':
        kind = JSON_KIND_TRUE;
        is_valid = scan_word(scan, "true");
        break;
    case 'f':
        kind = JSON_KIND_FALSE;
        is_valid = scan_word(scan, "false");
        break;
    case 'n':
        kind = JSON_KIND_NULL;
        is_valid = scan_word(scan, "null");
        break;
    case '-':
    case '0' ... '9':
        kind = JSON_KIND_NUMBER;
        is_valid = scan_number(scan);
        break;
    default:
        return scan_fail(scan, "a value is missing");
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
    const char *quote = scan->at;
    bool has_escapes;
    size_t decoded_bytes;
    uint32_t wanted = 0, active = 0;
    if (quote == scan->end || *quote != '"')
        return scan_fail(scan, "a member name is missing");
    if (!scan_string(scan, &has_escapes))
        return false;
    size_t raw_bytes = (size_t)(scan->at - quote) - 2;
    uint32_t hash = json_key_hash(scan->end, quote, raw_bytes, has_escapes, &decoded_bytes);
    if (has_escapes && memmem(quote + 1, raw_bytes, "\\u0000", 6)) {
        struct json_text text = {.at = quote + 1};
        for (int c; (c = json_text_next(&text)) >= 0;)
            if (c == 0)
                return scan_fail(scan, "U+0000 in a member name");
    }
    push_key(scan, frame, hash, (size_t)(quote - scan->start));
    if (frame->active)
        match_name(scan, frame, quote, has_escapes, decoded_bytes, &wanted, &active);
    skip_space(scan);
    if (scan->at == scan->end || *scan->at != ':')
        return scan_fail(scan, "a colon is missing");
    scan->at++;
    skip_space(scan);
    return scan_value(scan, wanted, active, (size_t)(quote - scan->start));
}

/* What comes next in the innermost open array or object. */
static bool scan_next(struct scan *scan)
{
    struct frame *frame = &scan->frames[scan->depth - 1];
    skip_space(scan);
    if (scan->at == scan->end)
        return scan_fail(scan, frame->is_object ? "an object does not end" : "an array does not end");
    if (*scan->at == (frame->is_object ? '}' : ']'))
        return close_frame(scan);
    if (!frame->is_empty) {
        if (*scan->at != ',')
            return scan_fail(scan, "a comma is missing");
        scan->at++;
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
    return scan->at == scan->end || scan_fail(scan, "something follows the document");
}

enum error json_scan(struct slice document, unsigned depth_max, const struct json_query *queries, size_t query_count,
                     struct json_problem *ret_problem)
{
    struct scan scan; /* 60 KB, most of it never touched: not initialised as a whole */
    scan.start = scan.at = document.data;
    scan.end = document.data + document.length;
    scan.problem = NULL;
    scan.keys = scan.keys_on_stack;
    scan.key_count = 0;
    scan.key_capacity = KEYS_ON_STACK;
    scan.depth = 0;
    scan.depth_max = depth_max < DEPTH_LIMIT ? depth_max : DEPTH_LIMIT;
    memset(scan.by_length, 0, sizeof scan.by_length);
    compile_queries(&scan, queries, query_count);
    bool is_valid = document.length < UINT32_MAX ? scan_document(&scan, query_count)
                                                 : scan_fail(&scan, "the document exceeds 4 GiB");
    if (scan.keys != scan.keys_on_stack)
        free(scan.keys);
    if (is_valid)
        return ERROR_OK;
    if (ret_problem)
        *ret_problem = (struct json_problem){(size_t)(scan.at - scan.start), scan.problem};
    return ERROR_BODY_MALFORMED;
}
