/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model in a Gemini path: /v1beta/models/NAME:generateContent, also tunedModels/NAME, dynamic/NAME and whatever
 * stands before the collection (ai.google.dev/api, "models.generateContent"). Called by the Gemini dialect; a name that
 * Google would read otherwise than we do is no name.
 */
#include "dialect/gemini.h"

#include <stdio.h>

/* Where they are in the path. */
struct model_place {
    struct slice collection, name; /* as written */
    size_t from, to;               /* of both and the '/' between */
};

static size_t find_last(struct slice text, size_t end, char wanted)
{
    while (end && text.data[end - 1] != wanted)
        end--;
    return end; /* just behind it; 0: nowhere */
}

static bool find_model(struct slice path, struct model_place *ret_place)
{
    while (slice_has_suffix(path, "/"))
        path.length--;
    size_t name = find_last(path, path.length, '/');
    size_t colon = find_last(path, path.length, ':');
    if (name < 2 || colon <= name + 1)
        return false;
    size_t collection = find_last(path, name - 1, '/');
    ret_place->collection = (struct slice){path.data + collection, name - 1 - collection};
    ret_place->name = (struct slice){path.data + name, colon - 1 - name};
    ret_place->from = collection;
    ret_place->to = colon - 1;
    return ret_place->collection.length > 0;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    int value = at ? (int)(at - digits) : -1;
    return value > 15 ? value - 6 : value;
}

/* One name of the path, decoded (RFC 3986 2.1). False for what is no name once decoded: it holds a '/', ':', control
 * character or half an escape, or does not fit. */
static bool decode_name(struct slice name, char *text, size_t bytes_max)
{
    size_t length = 0;
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        if (c == '%') {
            int high = i + 2 < name.length ? hex_digit(name.data[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(name.data[i + 2]) : -1;
            if (low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (length + 1 >= bytes_max || (unsigned char)c < 0x21 || c == 0x7f || c == '/' || c == ':')
            return false;
        text[length++] = c;
    }
    text[length] = '\0';
    return length > 0;
}

bool gemini_read_model(struct slice path, char *model, size_t bytes_max)
{
    struct model_place place;
    char collection[64], name[128];
    if (!find_model(path, &place) || !decode_name(place.collection, collection, sizeof collection) ||
        !decode_name(place.name, name, sizeof name))
        return false;
    bool is_plain = strcmp(collection, "models") == 0;
    int length =
        is_plain ? snprintf(model, bytes_max, "%s", name) : snprintf(model, bytes_max, "%s/%s", collection, name);
    return length > 0 && (size_t)length < bytes_max;
}

bool gemini_model_is(const char *model, const char *written)
{
    static const char prefix[] = "models/";
    if (strncmp(written, prefix, sizeof prefix - 1) == 0)
        written += sizeof prefix - 1;
    if (strncmp(model, prefix, sizeof prefix - 1) == 0)
        model += sizeof prefix - 1;
    return strcmp(model, written) == 0;
}

const char *gemini_resource_of(const char *model, struct arena *arena)
{
    return strchr(model, '/') ? model : arena_printf(arena, "models/%s", model);
}

/* As part of a path: everything but RFC 3986's unreserved characters and '/' is escaped. */
static struct slice escape(const char *text, struct arena *arena)
{
    static const char hex[] = "0123456789ABCDEF";
    char *escaped = arena_alloc(arena, 3 * strlen(text) + 1);
    size_t length = 0;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool is_plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || strchr("-._~/", (char)c);
        if (is_plain) {
            escaped[length++] = (char)c;
        } else {
            escaped[length++] = '%';
            escaped[length++] = hex[c >> 4];
            escaped[length++] = hex[c & 15];
        }
    }
    return (struct slice){escaped, length};
}

struct slice gemini_edit_path(struct slice path, const char *model, struct arena *arena)
{
    struct model_place place;
    char current[128];
    if (!find_model(path, &place) || !gemini_read_model(path, current, sizeof current) ||
        gemini_model_is(current, model))
        return path;
    struct slice head = {path.data, place.from}, tail = slice_from(path, place.to);
    struct slice resource = escape(gemini_resource_of(model, arena), arena);
    return slice_of(arena_printf(arena, SLICE_FORMAT SLICE_FORMAT SLICE_FORMAT, SLICE_ARGUMENTS(head),
                                 SLICE_ARGUMENTS(resource), SLICE_ARGUMENTS(tail)));
}
