/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks through documents that json_scan found valid: the elements of an array, the strings of a whole document. No
 * allocation. Called where the members of a query do not reach: inside arrays.
 */
#include "base/json_internal.h"

#include "base/check.h"

enum { DEPTH_MAX = 1024 }; /* json_scan's own most */

static size_t skip_space(struct slice text, size_t at)
{
    while (at < text.length &&
           (text.data[at] == ' ' || text.data[at] == '\t' || text.data[at] == '\n' || text.data[at] == '\r'))
        at++;
    return at;
}

/* From the opening quote to behind the closing one: the first that has an even number of backslashes before it. Texts
 * are long, so they are searched, not stepped through. */
static size_t skip_string(struct slice text, size_t at)
{
    const size_t first = at + 1;
    for (at = first; at < text.length; at++) {
        const char *quote = memchr(text.data + at, '"', text.length - at);
        if (!quote)
            break;
        size_t before = at = (size_t)(quote - text.data);
        while (before > first && text.data[before - 1] == '\\')
            before--;
        if ((at - before) % 2 == 0)
            return at + 1;
    }
    return text.length;
}

static size_t skip_value(struct slice text, size_t at)
{
    size_t depth = 0;
    do {
        char c = at < text.length ? text.data[at] : '\0';
        if (c == '"') {
            at = skip_string(text, at);
        } else if (c == '{' || c == '[') {
            depth++;
            at++;
        } else if (c == '}' || c == ']') {
            depth--;
            at++;
        } else if (depth) {
            at++;
        } else {
            while (at < text.length && !strchr(",]} \t\r\n", text.data[at]))
                at++;
        }
    } while (depth && at < text.length);
    return at;
}

static enum json_kind kind_of(char first)
{
    switch (first) {
    case '"':
        return JSON_KIND_STRING;
    case '{':
        return JSON_KIND_OBJECT;
    case '[':
        return JSON_KIND_ARRAY;
    case 't':
        return JSON_KIND_TRUE;
    case 'f':
        return JSON_KIND_FALSE;
    case 'n':
        return JSON_KIND_NULL;
    default:
        return JSON_KIND_NUMBER;
    }
}

bool json_next_element(struct slice array, size_t *at, struct json_value *ret_element)
{
    size_t from = *at;
    if (from == 0) {
        from = skip_space(array, 0);
        if (from == array.length || array.data[from] != '[')
            return false;
        from++;
    }
    from = skip_space(array, from);
    if (from < array.length && array.data[from] == ',')
        from = skip_space(array, from + 1);
    if (from >= array.length || array.data[from] == ']')
        return false;
    size_t to = skip_value(array, from);
    *ret_element =
        (struct json_value){.kind = kind_of(array.data[from]), .raw = {array.data + from, to - from}, .offset = from};
    *at = to;
    return true;
}

/* One per array or object that is open. */
struct level {
    struct slice name; /* of the member that it is (or stands in) */
    bool is_object;
};

bool json_walk_strings(struct slice document, json_visit_string *visit, void *context)
{
    struct level levels[DEPTH_MAX];
    size_t depth = 0, at = 0;
    struct slice name = {NULL, 0};
    while ((at = skip_space(document, at)) < document.length) {
        char c = document.data[at];
        bool is_object = depth && levels[depth - 1].is_object;
        if (c == '"') {
            size_t end = skip_string(document, at), after = skip_space(document, end);
            if (is_object && after < document.length && document.data[after] == ':') {
                name = (struct slice){document.data + at + 1, end - at - 2};
                at = after + 1;
                continue;
            }
            const struct json_value value = {
                .kind = JSON_KIND_STRING, .raw = {document.data + at, end - at}, .offset = at};
            if (!visit(context, &value, name))
                return false;
            at = end;
        } else if (c == '{' || c == '[') {
            check(depth < DEPTH_MAX);
            levels[depth++] = (struct level){name, c == '{'};
            at++;
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
            name = depth && !levels[depth - 1].is_object ? levels[depth - 1].name : (struct slice){NULL, 0};
            at++;
        } else if (c == ',') {
            if (depth && !levels[depth - 1].is_object)
                name = levels[depth - 1].name;
            at++;
        } else {
            at = skip_value(document, at);
            at += at < document.length && document.data[at] == ':';
        }
    }
    return true;
}
