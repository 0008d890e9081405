/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the table of an endpoint finds in a form, and the one edit that a form knows: another model. Called by request.c
 * and edit.c.
 */
#include "dialect/form.h"

static bool take_decimal(struct slice text, int64_t *ret_value)
{
    int64_t value = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text.data[i] - '0', &value))
            return false;
    }
    *ret_value = value;
    return text.length > 0 && value >= 1;
}

static bool take_plain_text(struct slice value, char *text, size_t bytes_max)
{
    if (value.length >= bytes_max || (value.length && memchr(value.data, '\0', value.length)))
        return false;
    if (value.length)
        memcpy(text, value.data, value.length);
    text[value.length] = '\0';
    return true;
}

/* "true" is what all clients write; a reader might take "1", "True" and "on" for true, too. */
static bool take_boolean(struct slice value, bool *ret_value)
{
    static const char *const yes[] = {"true", "1", "on", "yes"}, *const no[] = {"false", "0", "off", "no", ""};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (slice_is_like(value, yes[i]))
            return *ret_value = true;
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (slice_is_like(value, no[i])) {
            *ret_value = false;
            return true;
        }
    return false;
}

static bool take_field(const struct reading *reading, const struct request_member *member,
                       const struct form_field *field, struct request_facts *facts)
{
    switch (member->role) {
    case ROLE_MODEL:
        facts->model_value =
            (struct json_place){(size_t)(field->value.data - reading->request->body.data), field->value.length};
        return take_plain_text(field->value, facts->model, sizeof facts->model) && facts->model[0];
    case ROLE_STREAM:
        return take_boolean(field->value, &facts->is_streaming);
    case ROLE_CHOICES:
        return take_decimal(field->value, &facts->choices);
    default: /* the others are for `read`, or for JSON alone */
        return true;
    }
}

static const struct form_field *find_second(const struct form *form, const struct form_field *first)
{
    for (const struct form_field *field = first + 1; field < form->fields + form->field_count; field++)
        if (slice_is_equal(field->name, first->name))
            return field;
    return NULL;
}

enum error form_take_members(struct reading *reading, struct request_facts *facts)
{
    for (size_t i = 0; i < reading->format->member_count; i++) {
        const struct request_member *member = &reading->format->members[i];
        const struct form_field *field = form_find(reading->form, member->path);
        if (!field && !member->is_required)
            continue;
        if (!field)
            reading->problem = member->missing;
        else if (member->type != MEMBER_ANY &&
                 (field->is_file || find_second(reading->form, field) || !take_field(reading, member, field, facts)))
            reading->problem = member->mistyped;
        else
            continue;
        return ERROR_BODY_INCOMPLETE;
    }
    return ERROR_OK;
}

/* A value is written as it is: nothing in it may end a line, and so no delimiter can arise. */
struct slice form_edit_model(struct slice body, const struct request_facts *facts, const char *model,
                             struct arena *arena)
{
    static const char head[] = "\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n";
    struct slice rest, text = slice_of(model);
    struct buffer buffer;
    if (strpbrk(model, "\r\n") || !model[0])
        return body;
    buffer_init(&buffer, body.length * 2 + sizeof head + text.length + 2);
    bool is_written = true;
    if (facts->model_value.length) {
        rest = slice_from(body, facts->model_value.offset + facts->model_value.length);
        is_written = buffer_append(&buffer, (struct slice){body.data, facts->model_value.offset}) &&
                     buffer_append(&buffer, text);
    } else { /* a part of its own before the first: the delimiter is the body's first line */
        struct slice delimiter = {body.data, facts->object_open};
        rest = body;
        is_written = buffer_append(&buffer, delimiter) && buffer_append(&buffer, SLICE_LITERAL(head)) &&
                     buffer_append(&buffer, text) && buffer_append(&buffer, SLICE_LITERAL("\r\n"));
    }
    is_written = is_written && buffer_append(&buffer, rest);
    struct slice edited = is_written ? arena_copy(arena, buffer_contents(&buffer)) : body;
    buffer_done(&buffer);
    return edited;
}
