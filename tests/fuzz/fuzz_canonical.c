/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/canonical.c, with an oracle of equality: the same document written otherwise (white space, escapes, members in
 * another order) has the same form, and one that differs in one leaf has another.
 */
#include "fuzz.h"

#include <jansson.h>

#include "base/json.h"
#include "cache/internal.h"

static const enum api apis[] = {API_CHAT, API_RESPONSES, API_MESSAGES, API_GENERATE, API_EMBEDDINGS, API_OTHER};

static char *form_of(enum api api, struct slice document, size_t *ret_length)
{
    char *copy = fuzz_copy(document);
    char *form = canonical_make(api, (struct slice){copy, document.length}, ret_length);
    free(copy);
    return form;
}

/* White space where JSON has it, and letters of strings as escapes. */
static void write_otherwise(struct slice document, struct buffer *out)
{
    bool is_string = false, ok = true;
    for (size_t i = 0; i < document.length && ok; i++) {
        char byte = document.data[i];
        if (is_string && byte == '\\') {
            ok = buffer_append(out, (struct slice){document.data + i, 2});
            i++;
            continue;
        }
        if (byte == '"')
            is_string = !is_string;
        bool is_letter = is_string && byte >= 'a' && byte <= 'z' && i % 3 == 0;
        /* not the digits of \uXXXX: they stand behind a backslash that was copied with its u */
        bool is_hex = is_string && i >= 2 && memchr(document.data + (i < 5 ? 0 : i - 5), '\\', i < 5 ? i : 5);
        ok = is_letter && !is_hex ? buffer_append_format(out, "\\u%04x", (unsigned)byte)
                                  : buffer_append(out, (struct slice){&document.data[i], 1});
        if (!is_string && byte != '"' && strchr(",:[]{}", byte) && byte)
            ok = ok && buffer_append(out, SLICE_LITERAL(" \t\r\n"));
    }
    FUZZ_REQUIRE(ok, "the buffer is full");
}

static json_t *parse(struct slice document)
{
    return json_loadb(document.data, document.length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

/* Numbers that jansson cannot write as they were: it has doubles, and one integer 0. */
static bool has_real(const json_t *value)
{
    const char *name;
    json_t *member;
    size_t i;
    if (json_is_real(value))
        return true;
    if (json_is_array(value))
        json_array_foreach(value, i, member) if (has_real(member)) return true;
    if (json_is_object(value))
        json_object_foreach((json_t *)(uintptr_t)value, name, member) if (has_real(member)) return true;
    return false;
}

static void require_same(enum api api, struct slice document, const char *form, size_t length, const char *what)
{
    size_t other_length = 0;
    char *other = form_of(api, document, &other_length);
    FUZZ_REQUIRE(other && other_length == length && memcmp(other, form, length) == 0, "%s: " SLICE_FORMAT, what,
                 SLICE_ARGUMENTS(document));
    free(other);
}

/* Changes one leaf, or an empty container; false: this one cannot be changed in place. */
static bool change_leaf(json_t *value)
{
    const char *name;
    json_t *member;
    size_t i;
    if (json_is_integer(value))
        return json_integer_set(value, json_integer_value(value) ^ 1) == 0;
    if (json_is_string(value))
        return json_string_set(value, strcmp(json_string_value(value), "x") == 0 ? "y" : "x") == 0;
    if (json_is_array(value)) {
        json_array_foreach(value, i, member) if (change_leaf(member)) return true;
        return json_array_append_new(value, json_null()) == 0;
    }
    if (json_is_object(value)) {
        json_object_foreach(value, name, member) if (change_leaf(member)) return true;
        return json_object_set_new(value, json_object_get(value, "new") ? "newer" : "new", json_null()) == 0;
    }
    return false;
}

static void require_other(const json_t *tree, const char *form, size_t length)
{
    json_t *changed = json_deep_copy(tree);
    size_t other_length = 0;
    bool is_changed = change_leaf(changed) && !json_equal(tree, changed);
    char *text = is_changed ? json_dumps(changed, JSON_ENCODE_ANY) : NULL;
    char *other = text ? form_of(API_OTHER, slice_of(text), &other_length) : NULL;
    FUZZ_REQUIRE(!other || other_length != length || memcmp(other, form, length) != 0, "the same form: %s", text);
    free(other);
    free(text);
    json_decref(changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice document = fuzz_slice(data, size);
    enum api api = apis[fuzz_choose(&document, sizeof apis / sizeof *apis)];
    size_t length = 0;
    if (json_scan(document, 128, NULL, 0, NULL) != ERROR_OK) /* what comes here was scanned */
        return 0;
    char *form = form_of(api, document, &length);
    FUZZ_REQUIRE(form != NULL, "valid JSON without a form");
    struct buffer otherwise;
    buffer_init(&otherwise, document.length * 6 + 64);
    write_otherwise(document, &otherwise);
    require_same(api, buffer_contents(&otherwise), form, length, "written otherwise");
    buffer_done(&otherwise);
    json_t *tree = parse(document);
    bool has_minus_zero = memmem(document.data, document.length, "-0", 2) != NULL;
    char *sorted = tree && !has_real(tree) && !has_minus_zero
                       ? json_dumps(tree, JSON_SORT_KEYS | JSON_ENSURE_ASCII | JSON_ENCODE_ANY)
                       : NULL;
    if (sorted)
        require_same(api, slice_of(sorted), form, length, "sorted by jansson");
    if (sorted && api == API_OTHER) /* for others, members at the top may be left out */
        require_other(tree, form, length);
    free(sorted);
    json_decref(tree);
    free(form);
    return 0;
}
