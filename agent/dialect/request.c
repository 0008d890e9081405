/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a request by table: one scan finds every member the agent needs, what a member is called is in the endpoint's
 * format. Called by flow/ through the dialects. A form's fields are read by the same table (form.c).
 */
#include "base/check.h"
#include "dialect/form.h"

enum { MEMBERS_MAX = 24 };

/* ---- reading ---- */

static bool has_type(const struct json_value *value, enum member_type type)
{
    int64_t count;
    switch (type) {
    case MEMBER_STRING:
        return value->kind == JSON_KIND_STRING;
    case MEMBER_ARRAY:
        return value->kind == JSON_KIND_ARRAY;
    case MEMBER_BOOLEAN:
        return value->kind == JSON_KIND_TRUE || value->kind == JSON_KIND_FALSE;
    case MEMBER_OBJECT:
        return value->kind == JSON_KIND_OBJECT;
    case MEMBER_TEXT:
        return value->kind == JSON_KIND_STRING || value->kind == JSON_KIND_ARRAY;
    case MEMBER_ANY:
        return true;
    default: /* MEMBER_COUNT */
        return json_get_integer(value, &count) && count >= 1;
    }
}

static struct json_place place_of(const struct json_value *value)
{
    return (struct json_place){value->offset, value->raw.length};
}

/* False: the member cannot be used, although its type is right. */
static bool take_member(const struct request_member *member, const struct json_value *value,
                        struct request_facts *facts)
{
    bool is_given = value->kind != JSON_KIND_NULL;
    switch (member->role) {
    case ROLE_NONE:
    case ROLE_MESSAGES:
        return true;
    case ROLE_MODEL:
        facts->model_value = place_of(value);
        return !is_given || (json_get_string(value, facts->model, sizeof facts->model) && facts->model[0]);
    case ROLE_STREAM:
        facts->is_streaming = value->kind == JSON_KIND_TRUE;
        return true;
    case ROLE_STREAM_OPTIONS:
        facts->stream_options_value = place_of(value);
        return true;
    case ROLE_INCLUDE_USAGE:
        facts->include_usage_value = place_of(value);
        facts->asks_usage = value->kind == JSON_KIND_TRUE;
        return true;
    case ROLE_CHOICES:
        return !is_given || json_get_integer(value, &facts->choices);
    case ROLE_OUTPUT_MAX:
        /* Of two members, the one that says something. */
        if (facts->output_max_member && !is_given)
            return true;
        facts->output_max_value = place_of(value);
        facts->output_max_member = member->path;
        return !is_given || json_get_integer(value, &facts->output_tokens_max);
    case ROLE_TOOLS:
        facts->has_tools |= is_given && value->raw.length > strlen("[]");
        return true;
    case ROLE_THINKING:
        return !is_given || json_get_integer(value, &facts->thinking_tokens);
    case ROLE_REFUSED:
        return !is_given;
    case ROLE_PREDICTION:
        facts->prediction_bytes = is_given ? value->raw.length : 0;
        return true;
    case ROLE_PARENT:
        facts->parent_value = place_of(value);
        return true;
    case ROLE_BACKGROUND:
        facts->is_background = value->kind == JSON_KIND_TRUE;
        return true;
    case ROLE_PREVIOUS_ID:
        facts->refers_outside |= is_given;
        return !is_given || json_get_string(value, facts->previous_id, sizeof facts->previous_id);
    case ROLE_OUTSIDE:
        facts->refers_outside |= is_given;
        return true;
    }
    return false;
}

static bool is_two_bounds(const struct request_member *member, const struct json_value *value,
                          const struct request_facts *facts)
{
    return member->role == ROLE_OUTPUT_MAX && value->kind == JSON_KIND_NUMBER && facts->output_tokens_max >= 0;
}

static const char *take_members(const struct request_format *format, const struct json_value *values,
                                struct request_facts *facts)
{
    for (size_t i = 0; i < format->member_count; i++) {
        const struct request_member *member = &format->members[i];
        const struct json_value *value = &values[i];
        bool is_given = value->kind != JSON_KIND_ABSENT && value->kind != JSON_KIND_NULL;
        if (!is_given && member->is_required)
            return member->missing;
        if (is_given && !has_type(value, member->type))
            return member->mistyped;
        if (is_two_bounds(member, value, facts))
            return format->conflict;
        if (value->kind != JSON_KIND_ABSENT && !take_member(member, value, facts))
            return member->mistyped;
    }
    return NULL;
}

static size_t find_object_open(struct slice body)
{
    size_t at = 0;
    while (at < body.length && strchr(" \t\r\n", body.data[at]))
        at++;
    return at < body.length && body.data[at] == '{' ? at + 1 : 0;
}

/* The whole of the member that holds the turns. */
static struct json_place find_messages(const struct request_format *format, const struct json_value *values)
{
    for (size_t i = 0; i < format->member_count; i++)
        if (format->members[i].role == ROLE_MESSAGES && values[i].kind > JSON_KIND_NULL)
            return place_of(&values[i]);
    return (struct json_place){0, 0};
}

static enum error read_table(struct reading *reading, struct json_value *values, struct request_facts *facts)
{
    const struct request_format *format = reading->format;
    const struct slice body = reading->request->body;
    struct json_value tier, speed;
    struct json_query queries[MEMBERS_MAX + 2];
    struct json_problem problem = {0};
    for (size_t i = 0; i < format->member_count; i++)
        queries[i] = (struct json_query){format->members[i].path, &values[i]};
    queries[format->member_count] =
        (struct json_query){"service_tier", &tier}; /* the same in all dialects that know it */
    queries[format->member_count + 1] = (struct json_query){"speed", &speed};
    enum error error = json_scan(body, reading->request->depth_max, queries, format->member_count + 2, &problem);
    if (error) {
        reading->problem =
            arena_printf(reading->arena, "%s (at byte %zu of the body)", problem.message, problem.offset);
        return error;
    }
    facts->object_open = find_object_open(body);
    reading->marks = dialect_find_marks(body, find_messages(format, values));
    facts->refers_outside = reading->marks & MARK_OUTSIDE;
    facts->is_continued = reading->marks & MARK_CONTINUED;
    facts->is_fast = json_string_is(&speed, "fast");
    if (!json_get_string(&tier, facts->service_tier, sizeof facts->service_tier))
        facts->service_tier[0] = '\0';
    reading->problem = facts->object_open ? take_members(format, values, facts) : "the body is no JSON object";
    return reading->problem ? ERROR_BODY_INCOMPLETE : ERROR_OK;
}

static enum error read_form(struct reading *reading, struct form *form, struct request_facts *facts)
{
    const struct slice body = reading->request->body;
    enum error error = form_parse(reading->request->content_type, body, form, &reading->problem);
    if (error)
        return error;
    const char *line_end = memmem(body.data, body.length, "\r\n", 2);
    reading->form = form;
    facts->is_form = facts->has_no_limit = true;
    facts->object_open = line_end ? (size_t)(line_end - body.data) : body.length;
    facts->text_bytes = form->text_bytes;
    return reading->format ? form_take_members(reading, facts) : ERROR_OK;
}

const struct json_value *dialect_find_value(const struct reading *reading, const char *path)
{
    for (size_t i = 0; reading->values && i < reading->format->member_count; i++)
        if (strcmp(reading->format->members[i].path, path) == 0)
            return reading->values[i].kind > JSON_KIND_NULL ? &reading->values[i] : NULL;
    return NULL;
}

bool dialect_find_text(const struct reading *reading, const char *name, char *text, size_t bytes_max)
{
    const struct json_value *value = dialect_find_value(reading, name);
    const struct form_field *field = reading->form ? form_find(reading->form, name) : NULL;
    if (field && field->value.length && field->value.length < bytes_max) {
        memcpy(text, field->value.data, field->value.length);
        text[field->value.length] = '\0';
        return true;
    }
    return value && json_get_string(value, text, bytes_max);
}

static enum error read_body(struct reading *reading, const struct format *format, struct json_value *values,
                            struct form *form, struct request_facts *facts)
{
    enum error error = ERROR_OK;
    if (format->body != BODY_JSON && form_is_announced(reading->request->content_type)) {
        error = read_form(reading, form, facts);
    } else if (reading->format && format->body != BODY_FORM) {
        check(reading->format->member_count <= MEMBERS_MAX);
        reading->values = values;
        error = read_table(reading, values, facts);
    }
    return error || !format->read ? error : format->read(reading, facts);
}

enum error dialect_read_request(const struct endpoint *endpoint, const struct dialect_request *request,
                                struct arena *arena, struct request_facts *ret_facts, const char **ret_problem)
{
    const struct format *format = endpoint->format;
    struct json_value values[MEMBERS_MAX];
    struct form form;
    struct reading reading = {.endpoint = endpoint, .request = request, .arena = arena, .problem = ""};
    struct request_facts facts = {.choices = 1, .output_tokens_max = -1, .text_bytes = request->body.length};
    reading.format = format ? format->request : NULL;
    facts.has_no_limit = !reading.format || !reading.format->output_max_member;
    enum error error = format ? read_body(&reading, format, values, &form, &facts) : ERROR_OK;
    if (error)
        *ret_problem = reading.problem;
    else
        *ret_facts = facts;
    return error;
}
