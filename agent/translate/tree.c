/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of jansson: parsed, built, written; see tree.h. Called by the readers and writers of requests. jansson's own
 * dump is not used for reals: it always writes 17 digits, 0.7 as 0.69999999999999996, and OpenAI refuses numbers of
 * more than 16 decimals ("decimal_max_places_exceeded").
 */
#include "translate/tree.h"

#include "base/check.h"
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_MAX = 4096 }; /* a body's own (at most 1024, base/json.h) and that of tool arguments inside it */

json_t *tree_parse(struct slice text, bool *ret_is_overflow)
{
    json_error_t error;
    json_t *value = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (ret_is_overflow)
        *ret_is_overflow = !value && json_error_code(&error) == json_error_numeric_overflow;
    return value;
}

struct slice tree_text(const json_t *string)
{
    return (struct slice){json_string_value(string), json_string_length(string)};
}

json_t *tree_get(const json_t *object, const char *name)
{
    return json_object_get(object, name);
}

bool tree_is(const json_t *value, const char *text)
{
    return json_is_string(value) && slice_is(tree_text(value), text);
}

json_t *tree_new_text(struct slice text)
{
    json_t *value = json_stringn(text.data ? text.data : "", text.length);
    check(value != NULL);
    return value;
}

json_t *tree_put(json_t *object, const char *name, json_t *value)
{
    check(json_object_set_new(object, name, value) == 0);
    return value;
}

json_t *tree_add(json_t *array, json_t *value)
{
    check(json_array_append_new(array, value) == 0);
    return value;
}

void tree_put_text(json_t *object, const char *name, struct slice text)
{
    tree_put(object, name, tree_new_text(text));
}

void tree_put_copy(json_t *object, const char *name, json_t *value)
{
    tree_put(object, name, json_incref(value));
}

/* ---- writing ---- */

static void write_real(double real, struct buffer *out)
{
    char digits[32];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, real);
        if (fabs(strtod(digits, NULL) - real) <= 0)
            break;
    }
    json_write_raw(out, digits);
    if (!strpbrk(digits, ".e"))
        json_write_raw(out, ".0"); /* 2.0 stays no integer */
}

static void write_value(const json_t *value, unsigned depth, struct buffer *out);

static void write_array(const json_t *array, unsigned depth, struct buffer *out)
{
    json_write_raw(out, "[");
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i)
            json_write_raw(out, ",");
        write_value(json_array_get(array, i), depth + 1, out);
    }
    json_write_raw(out, "]");
}

static void write_object(const json_t *object, unsigned depth, struct buffer *out)
{
    const char *separator = "{";
    /* jansson has no const iterator; nothing is changed through this one */
    union {
        const json_t *read;
        json_t *iterated;
    } both = {.read = object};
    for (void *at = json_object_iter(both.iterated); at; at = json_object_iter_next(both.iterated, at)) {
        json_write_raw(out, separator);
        json_write_string(out, slice_of(json_object_iter_key(at)));
        json_write_raw(out, ":");
        write_value(json_object_iter_value(at), depth + 1, out);
        separator = ",";
    }
    json_write_raw(out, json_object_size(object) ? "}" : "{}");
}

static void write_value(const json_t *value, unsigned depth, struct buffer *out)
{
    check(depth < DEPTH_MAX);
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        write_object(value, depth, out);
        return;
    case JSON_ARRAY:
        write_array(value, depth, out);
        return;
    case JSON_STRING:
        json_write_string(out, tree_text(value));
        return;
    case JSON_INTEGER:
        check(buffer_append_format(out, "%lld", (long long)json_integer_value(value)));
        return;
    case JSON_REAL:
        write_real(json_real_value(value), out);
        return;
    case JSON_TRUE:
        json_write_raw(out, "true");
        return;
    case JSON_FALSE:
        json_write_raw(out, "false");
        return;
    case JSON_NULL:
        json_write_raw(out, "null");
    }
}

void tree_write(const json_t *value, struct buffer *out)
{
    write_value(value, 0, out);
}

struct slice tree_write_arena(const json_t *value, struct arena *arena)
{
    struct buffer buffer;
    buffer_init(&buffer, SIZE_MAX / 2); /* bounded by the body that the tree was made from */
    tree_write(value, &buffer);
    struct slice copy = arena_copy(arena, buffer_contents(&buffer));
    buffer_done(&buffer);
    return copy;
}
