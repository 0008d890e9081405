/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds every object of a JSON document and sorts its members by their decoded names. The document was validated by
 * json_scan; whatever it is, nothing beyond it is read. Memory: at most some 30 bytes per member and 16 per object.
 * Called by canonical.c.
 */
#include "cache/outline.h"

#include "base/check.h"
#include "base/grow.h"
#include "base/json.h"

enum { NAMES_UNSORTED_MAX = 12 }; /* so few are inserted one by one */

/* An array or object that is not closed yet. */
struct level {
    uint32_t object;     /* OUTLINE_NONE: an array */
    uint32_t first_open; /* its first member in `open` */
};

struct scan {
    struct outline *outline;
    const char *at, *end;
    struct outline_member *open; /* members of open objects, innermost last */
    uint32_t open_count, open_capacity;
    bool is_name_next;
    unsigned depth;
    struct level levels[OUTLINE_DEPTH_MAX];
};

/* ---- text ---- */

const char *outline_skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

const char *outline_skip_scalar(const char *at, const char *end)
{
    while (at < end && ((*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'z') || *at == '-' || *at == '+' ||
                        *at == '.' || *at == 'E'))
        at++;
    return at;
}

struct slice outline_text_run(struct outline_text *text)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    const char *first = text->at, *at = first;
    for (; text->end - at >= 8; at += 8) {
        uint64_t bytes;
        memcpy(&bytes, at, 8);
        uint64_t quotes = bytes ^ (ones * '"'), backslashes = bytes ^ (ones * '\\');
        if ((((quotes - ones) & ~quotes) | ((backslashes - ones) & ~backslashes)) & high)
            break;
    }
    while (at < text->end && *at != '"' && *at != '\\')
        at++;
    text->at = at;
    return (struct slice){first, (size_t)(at - first)};
}

static unsigned hex4(const char *at)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned c = (unsigned char)at[i];
        value = value << 4 | ((c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10) & 15);
    }
    return value;
}

size_t outline_text_escape(struct outline_text *text, char decoded[4])
{
    static const char escapes[] = "b\bf\fn\nr\rt\t";
    const char *at = text->at + 1; /* behind the backslash */
    if (at >= text->end) {
        text->at = text->end;
        decoded[0] = '\\';
        return 1;
    }
    char c = *at++;
    text->at = at;
    if (c == 'u' && text->end - at >= 4) {
        unsigned code = hex4(at);
        text->at = at + 4;
        if (code >= 0xd800 && code < 0xdc00 && text->end - at >= 10) {
            code = 0x10000 + ((code - 0xd800) << 10) + ((hex4(at + 6) - 0xdc00) & 0x3ff);
            text->at = at + 10;
        }
        return json_encode_utf8(code, decoded);
    }
    decoded[0] = c; /* quote, backslash, slash */
    for (size_t i = 0; escapes[i]; i += 2)
        if (escapes[i] == c)
            decoded[0] = escapes[i + 1];
    return 1;
}

/* ---- names ---- */

struct slice outline_name(const struct outline *outline, const struct outline_member *member)
{
    return (struct slice){(member->is_decoded ? outline->names : outline->document.data) + member->name,
                          member->name_length};
}

static int compare_names(const struct outline *outline, const struct outline_member *a, const struct outline_member *b)
{
    struct slice left = outline_name(outline, a), right = outline_name(outline, b);
    size_t shorter = left.length < right.length ? left.length : right.length;
    int order = shorter ? memcmp(left.data, right.data, shorter) : 0;
    return order ? order : (left.length > right.length) - (left.length < right.length);
}

static int compare_members(const void *a, const void *b, void *outline)
{
    return compare_names(outline, a, b);
}

static void sort_members(struct outline *outline, struct outline_member *members, uint32_t count)
{
    if (count > NAMES_UNSORTED_MAX) {
        qsort_r(members, count, sizeof *members, compare_members, outline);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        struct outline_member member = members[i];
        uint32_t place = i;
        for (; place && compare_names(outline, &members[place - 1], &member) > 0; place--)
            members[place] = members[place - 1];
        members[place] = member;
    }
}

/* Decoded names are never longer than they are in the document, all of them together neither. */
static void decode_name(struct outline *outline, struct outline_text text, struct outline_member *member)
{
    if (!outline->names) {
        outline->names = malloc(outline->document.length + 1);
        check(outline->names != NULL);
    }
    char *first = outline->names + outline->names_length, *at = first;
    for (;;) {
        struct slice run = outline_text_run(&text);
        memcpy(at, run.data, run.length);
        at += run.length;
        if (text.at >= text.end || *text.at == '"')
            break;
        char decoded[4];
        size_t length = outline_text_escape(&text, decoded);
        memcpy(at, decoded, length);
        at += length;
    }
    member->is_decoded = true;
    member->name = outline->names_length;
    member->name_length = (uint32_t)(at - first);
    outline->names_length += member->name_length;
}

/* ---- structure ---- */

static bool skip_string(struct scan *scan)
{
    struct outline_text text = {scan->at + 1, scan->end};
    for (;;) {
        (void)outline_text_run(&text);
        if (text.at >= text.end)
            return false;
        if (*text.at == '"')
            break;
        text.at = text.end - text.at > 2 ? text.at + 2 : text.end;
    }
    scan->at = text.at + 1;
    return true;
}

static uint32_t offset_of(const struct scan *scan, const char *at)
{
    return (uint32_t)(at - scan->outline->document.data);
}

static bool read_name(struct scan *scan)
{
    const char *quote = scan->at;
    if (!skip_string(scan))
        return false;
    scan->open = grow_array(scan->open, &scan->open_capacity, scan->open_count, sizeof *scan->open);
    struct outline_member *member = &scan->open[scan->open_count++];
    *member = (struct outline_member){
        .quote = offset_of(scan, quote),
        .name = offset_of(scan, quote + 1),
        .name_length = (uint32_t)(scan->at - quote) - 2,
    };
    if (memchr(quote + 1, '\\', member->name_length))
        decode_name(scan->outline, (struct outline_text){quote + 1, scan->end}, member);
    scan->at = outline_skip_space(scan->at, scan->end);
    if (scan->at == scan->end || *scan->at != ':')
        return false;
    scan->at = outline_skip_space(scan->at + 1, scan->end);
    member->value = offset_of(scan, scan->at);
    member->first_object = scan->outline->object_count;
    scan->is_name_next = false;
    return true;
}

static bool open_level(struct scan *scan, bool is_object)
{
    struct outline *outline = scan->outline;
    if (scan->depth == OUTLINE_DEPTH_MAX)
        return false;
    struct level level = {OUTLINE_NONE, scan->open_count};
    if (is_object) {
        outline->objects =
            grow_array(outline->objects, &outline->object_capacity, outline->object_count, sizeof *outline->objects);
        level.object = outline->object_count++;
        outline->objects[level.object] = (struct outline_object){0};
    }
    scan->levels[scan->depth++] = level;
    scan->is_name_next = is_object;
    scan->at++;
    return true;
}

/* The members of the object become its own, sorted. */
static void close_object(struct scan *scan, const struct level *level)
{
    struct outline *outline = scan->outline;
    uint32_t count = scan->open_count - level->first_open;
    struct outline_object *object = &outline->objects[level->object];
    *object = (struct outline_object){outline->member_count, count, offset_of(scan, scan->at), outline->object_count};
    if (count == 0)
        return;
    outline->members = grow_array(outline->members, &outline->member_capacity, outline->member_count + count - 1,
                                  sizeof *outline->members);
    struct outline_member *members = outline->members + outline->member_count;
    memcpy(members, scan->open + level->first_open, count * sizeof *members);
    sort_members(outline, members, count);
    outline->member_count += count;
    scan->open_count = level->first_open;
}

static bool close_level(struct scan *scan, bool is_object)
{
    if (scan->depth == 0)
        return false;
    const struct level *level = &scan->levels[--scan->depth];
    scan->at++;
    if ((level->object != OUTLINE_NONE) != is_object)
        return false;
    if (is_object)
        close_object(scan, level);
    return true;
}

static bool take_token(struct scan *scan)
{
    const char *first = scan->at;
    char c = *first;
    bool is_in_object = scan->depth && scan->levels[scan->depth - 1].object != OUTLINE_NONE;
    switch (c) {
    case '"':
        return is_in_object && scan->is_name_next ? read_name(scan) : skip_string(scan);
    case '{':
    case '[':
        return open_level(scan, c == '{');
    case '}':
    case ']':
        return close_level(scan, c == '}');
    case ',':
        scan->is_name_next = is_in_object;
        scan->at++;
        return scan->depth > 0;
    default:
        scan->at = outline_skip_scalar(first, scan->end);
        return scan->at > first;
    }
}

static bool scan_document(struct scan *scan)
{
    for (;;) {
        scan->at = outline_skip_space(scan->at, scan->end);
        if (scan->at == scan->end)
            return scan->depth == 0;
        if (!take_token(scan))
            return false;
    }
}

struct outline *outline_new(struct slice document)
{
    if (document.length >= UINT32_MAX / 2)
        return NULL;
    struct outline *outline = calloc(1, sizeof *outline);
    struct scan *scan = malloc(sizeof *scan);
    check(outline != NULL && scan != NULL);
    outline->document = document;
    scan->outline = outline;
    scan->at = document.data;
    scan->end = document.data + document.length;
    scan->open = NULL;
    scan->open_count = scan->open_capacity = 0;
    scan->is_name_next = false;
    scan->depth = 0;
    bool is_whole = scan_document(scan);
    free(scan->open);
    free(scan);
    if (is_whole)
        return outline;
    outline_free(outline);
    return NULL;
}

void outline_free(struct outline *outline)
{
    if (!outline)
        return;
    free(outline->objects);
    free(outline->members);
    free(outline->names);
    free(outline);
}
