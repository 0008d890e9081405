/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of forms; see multipart.h. Parts are found by the delimiter alone; nothing is copied but names.
 */
#include "tests/provider/multipart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DELIMITER_BYTES 80 /* RFC 2046 section 5.1.1: a boundary has at most 70 */

bool multipart_is(const struct request *request)
{
    return strncasecmp(request->content_type, "multipart/form-data", 19) == 0;
}

static size_t delimiter_get(const struct request *request, char delimiter[DELIMITER_BYTES])
{
    const char *value = strcasestr(request->content_type, "boundary=");
    if (!multipart_is(request) || !value)
        return 0;
    value += 9;
    bool quoted = *value == '"';
    value += quoted;
    int length = snprintf(delimiter, DELIMITER_BYTES, "--%.*s", (int)strcspn(value, quoted ? "\"" : "; \t"), value);
    return length > 2 && length < DELIMITER_BYTES ? (size_t)length : 0;
}

/* The value of `name="…"` in a head of that length. */
static void parameter_get(const char *head, size_t length, const char *name, char *field, size_t field_bytes)
{
    char wanted[32];
    int wanted_length = snprintf(wanted, sizeof wanted, " %s=\"", name);
    const char *value = memmem(head, length, wanted, (size_t)wanted_length);
    field[0] = '\0';
    if (!value)
        return;
    value += wanted_length;
    const char *end = memchr(value, '"', (size_t)(head + length - value));
    if (end)
        text_copy_plain(field, field_bytes, value, (size_t)(end - value));
}

bool multipart_next(const struct request *request, size_t *at, struct form_part *ret_part)
{
    char delimiter[DELIMITER_BYTES];
    const struct buffer *body = &request->body;
    size_t length = delimiter_get(request, delimiter);
    const char *end = body->data ? body->data + body->length : NULL;
    if (!length || !body->data)
        return false;
    const char *open = memmem(body->data + *at, body->length - *at, delimiter, length);
    const char *head = open ? open + length : NULL;
    const char *blank = head ? memmem(head, (size_t)(end - head), "\r\n\r\n", 4) : NULL;
    if (!blank || strncmp(head, "--", 2) == 0)
        return false;
    const char *data = blank + 4;
    const char *close = memmem(data, (size_t)(end - data), delimiter, length);
    if (!close || close - data < 2)
        return false;
    struct form_part part = {.data = data, .length = (size_t)(close - data) - 2};
    parameter_get(head, (size_t)(blank - head), "name", part.name, sizeof part.name);
    parameter_get(head, (size_t)(blank - head), "filename", part.file_name, sizeof part.file_name);
    *at = (size_t)(close - body->data);
    *ret_part = part;
    return true;
}

static json_t *text_to_json(const struct form_part *part)
{
    json_t *value = part->length < 20 ? json_loadb(part->data, part->length, JSON_DECODE_ANY, NULL) : NULL;
    if (json_is_integer(value) || json_is_boolean(value))
        return value;
    json_decref(value);
    return json_stringn(part->data, part->length);
}

static void file_add(json_t *form, const struct form_part *part)
{
    json_t *file = json_object_get(form, part->name);
    json_int_t bytes = json_integer_value(json_object_get(file, "bytes")), count;
    count = json_integer_value(json_object_get(file, "count"));
    file = json_object();
    json_object_set_new(file, "file_name", json_string(part->file_name));
    json_object_set_new(file, "bytes", json_integer(bytes + (json_int_t)part->length));
    json_object_set_new(file, "count", json_integer(count + 1));
    json_object_set_new(form, part->name, file);
}

json_t *multipart_to_json(const struct request *request)
{
    json_t *form = json_object();
    struct form_part part;
    for (size_t at = 0; multipart_next(request, &at, &part);) {
        char *array = strstr(part.name, "[]"); /* image[]: one of several */
        if (array)
            *array = '\0';
        if (part.file_name[0])
            file_add(form, &part);
        else
            json_object_set_new(form, part.name, text_to_json(&part));
    }
    return form;
}
