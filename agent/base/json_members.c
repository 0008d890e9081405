/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One walk over a text that should be JSON and may not be: every member is shown, and at the end it is known whether
 * all of it was valid. For events of a stream, which are looked over and seldom scanned: a second pass to validate
 * them would cost as much as the first.
 */
#include "base/json_internal.h"

enum { DEPTH_MAX = 128, DEPTH_BITS = 64 };

struct walk {
    struct json_cursor cursor;
    const char *safe; /* all members before it were shown, none behind it */
    json_visit_member *visit;
    void *context;
    unsigned depth;
    uint64_t objects[DEPTH_MAX / DEPTH_BITS]; /* which of those that are open are objects, a bit each */
};

static void skip_space(struct walk *walk)
{
    const char *at = walk->cursor.at;
    while (at < walk->cursor.end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    walk->cursor.at = at;
}

static char peek(const struct walk *walk)
{
    return walk->cursor.at < walk->cursor.end ? *walk->cursor.at : '\0';
}

static bool is_in_object(const struct walk *walk)
{
    unsigned level = walk->depth - 1;
    return walk->objects[level / DEPTH_BITS] >> level % DEPTH_BITS & 1;
}

static bool open_level(struct walk *walk, bool is_object)
{
    if (walk->depth == DEPTH_MAX)
        return false;
    uint64_t bit = (uint64_t)1 << walk->depth % DEPTH_BITS, *word = &walk->objects[walk->depth / DEPTH_BITS];
    *word = is_object ? *word | bit : *word & ~bit;
    walk->depth++;
    walk->cursor.at++;
    return true;
}

/* Of an array or an object only its beginning. */
static bool walk_value(struct walk *walk)
{
    bool ignored;
    switch (peek(walk)) {
    case '{':
        return open_level(walk, true);
    case '[':
        return open_level(walk, false);
    case '"':
        return json_scan_string(&walk->cursor, &ignored);
    case 't':
        return json_scan_word(&walk->cursor, "true");
    case 'f':
        return json_scan_word(&walk->cursor, "false");
    case 'n':
        return json_scan_word(&walk->cursor, "null");
    case '-':
    case '0' ... '9':
        return json_scan_number(&walk->cursor);
    default:
        return false;
    }
}

/* A string is shown once it is known where it ends, anything else as it begins. */
static bool walk_member(struct walk *walk)
{
    const char *name = walk->cursor.at;
    bool ignored;
    if (peek(walk) != '"' || !json_scan_string(&walk->cursor, &ignored))
        return false;
    struct json_member member = {.name = {name + 1, (size_t)(walk->cursor.at - name) - 2}};
    skip_space(walk);
    if (peek(walk) != ':')
        return false;
    walk->cursor.at++;
    skip_space(walk);
    const char *value = walk->cursor.at;
    bool is_string = peek(walk) == '"';
    if (is_string && !walk_value(walk))
        return false;
    if (is_string)
        member.text = (struct slice){value + 1, (size_t)(walk->cursor.at - value) - 2};
    walk->visit(walk->context, &member);
    walk->safe = walk->cursor.at;
    return is_string || walk_value(walk);
}

/* What comes next in the innermost open array or object. */
static bool walk_next(struct walk *walk, bool *is_empty)
{
    bool is_object = is_in_object(walk), was_empty = *is_empty;
    unsigned depth = walk->depth;
    skip_space(walk);
    if (peek(walk) == (is_object ? '}' : ']')) {
        walk->cursor.at++;
        walk->depth--;
        *is_empty = false;
        return true;
    }
    if (!was_empty && peek(walk) != ',')
        return false;
    walk->cursor.at += !was_empty;
    skip_space(walk);
    walk->safe = walk->cursor.at;
    bool is_valid = is_object ? walk_member(walk) : walk_value(walk);
    *is_empty = walk->depth > depth; /* what was just opened */
    return is_valid;
}

static bool walk_text(struct walk *walk)
{
    skip_space(walk);
    walk->safe = walk->cursor.at;
    bool is_valid = walk_value(walk), is_empty = true;
    while (is_valid && walk->depth)
        is_valid = walk_next(walk, &is_empty);
    if (!is_valid)
        return false;
    skip_space(walk);
    return walk->cursor.at == walk->cursor.end;
}

bool json_walk_members(struct slice text, json_visit_member *visit, void *context, size_t *ret_rest)
{
    struct walk walk = {.cursor = {.start = text.data, .at = text.data, .end = text.data + text.length},
                        .safe = text.data,
                        .visit = visit,
                        .context = context};
    bool is_valid = text.length > 0 && walk_text(&walk);
    *ret_rest = is_valid ? text.length : (size_t)(walk.safe - text.data);
    return is_valid;
}
