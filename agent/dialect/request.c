/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and editing a request by table: one scan finds every member the agent needs, edits are splices at the offsets
 * it found, all other bytes stay as they came. Called by the dialects; what a member is called is in their tables.
 */
#include "base/check.h"
#include "dialect/internal.h"

enum { MEMBERS_MAX = 12, SPLICES_MAX = 4 };

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
    case ROLE_MODEL:
        facts->model_value = place_of(value);
        return json_get_string(value, facts->model, sizeof facts->model) && facts->model[0];
    case ROLE_MESSAGES:
        return true;
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
    case ROLE_PREDICTION:
        facts->prediction_bytes = is_given ? value->raw.length : 0;
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

/* Members and types of parts whose tokens are not in the body: OpenAI "Images and vision", "File inputs", "Tools";
 * Anthropic "Vision", "Files API", "Web search tool". A quote inside a JSON string is escaped, so prose does not match.
 */
static const char *const outside_marks[] = {"_url\"",       "\"file",          "\"url\"",      "\"image\"",
                                            "\"document\"", "\"input_audio\"", "\"web_search", "\"code_execution",
                                            "\"mcp",        "\"container\""};

static bool refers_outside(struct slice body)
{
    for (size_t i = 0; i < sizeof outside_marks / sizeof *outside_marks; i++)
        if (memmem(body.data, body.length, outside_marks[i], strlen(outside_marks[i])))
            return true;
    return false;
}

enum error dialect_read_by_table(const struct request_format *format, struct slice body, unsigned depth_max,
                                 struct arena *arena, struct request_facts *ret_facts, const char **ret_problem)
{
    struct json_value values[MEMBERS_MAX], tier, speed;
    struct json_query queries[MEMBERS_MAX + 2];
    struct json_problem problem = {0};
    check(format->member_count <= MEMBERS_MAX);
    for (size_t i = 0; i < format->member_count; i++)
        queries[i] = (struct json_query){format->members[i].path, &values[i]};
    queries[format->member_count] = (struct json_query){"service_tier", &tier}; /* the same member in both dialects */
    queries[format->member_count + 1] = (struct json_query){"speed", &speed};
    enum error error = json_scan(body, depth_max, queries, format->member_count + 2, &problem);
    if (error) {
        *ret_problem = arena_printf(arena, "%s (at byte %zu of the body)", problem.message, problem.offset);
        return error;
    }
    struct request_facts facts = {.choices = 1, .output_tokens_max = -1, .text_bytes = body.length};
    facts.object_open = find_object_open(body);
    facts.refers_outside = refers_outside(body);
    facts.is_fast = json_string_is(&speed, "fast");
    if (!json_get_string(&tier, facts.service_tier, sizeof facts.service_tier))
        facts.service_tier[0] = '\0';
    const char *refusal = facts.object_open ? take_members(format, values, &facts) : "the body is no JSON object";
    if (refusal) {
        *ret_problem = refusal;
        return ERROR_BODY_INCOMPLETE;
    }
    *ret_facts = facts;
    return ERROR_OK;
}

/* ---- editing ---- */

struct splice {
    struct json_place place; /* what goes; length 0: an insertion */
    struct slice text;
};
struct splices {
    struct splice rows[SPLICES_MAX];
    size_t count;
    struct arena *arena;
};

/* Kept in the order of their places; of two at one place, the first stays first. */
static void splice_add(struct splices *splices, struct json_place place, const char *text)
{
    size_t at = splices->count++;
    check(splices->count <= SPLICES_MAX);
    for (; at && splices->rows[at - 1].place.offset > place.offset; at--)
        splices->rows[at] = splices->rows[at - 1];
    splices->rows[at] = (struct splice){place, slice_of(text)};
}

static struct slice splices_apply(const struct splices *splices, struct slice body)
{
    size_t length = body.length, from = 0, to = 0;
    if (splices->count == 0)
        return body;
    for (size_t i = 0; i < splices->count; i++)
        length += splices->rows[i].text.length - splices->rows[i].place.length;
    char *edited = arena_alloc(splices->arena, length);
    for (size_t i = 0; i < splices->count; i++) {
        const struct splice *splice = &splices->rows[i];
        memcpy(edited + to, body.data + from, splice->place.offset - from);
        to += splice->place.offset - from;
        memcpy(edited + to, splice->text.data, splice->text.length);
        to += splice->text.length;
        from = splice->place.offset + splice->place.length;
    }
    memcpy(edited + to, body.data + from, body.length - from);
    return (struct slice){edited, length};
}

static const char *quote(struct arena *arena, const char *text)
{
    struct buffer buffer;
    buffer_init(&buffer, 6 * strlen(text) + 2);
    json_write_string(&buffer, slice_of(text));
    const char *quoted = arena_copy(arena, buffer_contents(&buffer)).data;
    buffer_done(&buffer);
    return quoted;
}

static bool object_is_empty(struct slice object)
{
    size_t at = 1;
    while (strchr(" \t\r\n", object.data[at]))
        at++;
    return object.data[at] == '}';
}

/* stream_options.include_usage = true, whatever is there. */
static void inject_usage(struct splices *splices, struct slice body, const struct request_facts *facts)
{
    struct json_place options = facts->stream_options_value;
    struct slice object = {body.data + options.offset, options.length};
    if (facts->include_usage_value.length)
        splice_add(splices, facts->include_usage_value, "true");
    else if (options.length == 0)
        splice_add(splices, (struct json_place){facts->object_open, 0}, "\"stream_options\":{\"include_usage\":true},");
    else if (object.data[0] != '{') /* null */
        splice_add(splices, options, "{\"include_usage\":true}");
    else
        splice_add(splices, (struct json_place){options.offset + 1, 0},
                   object_is_empty(object) ? "\"include_usage\":true" : "\"include_usage\":true,");
}

static void bound_output(const struct request_format *format, struct splices *splices,
                         const struct request_facts *facts, int64_t tokens_max)
{
    const char *member = facts->output_max_member ? facts->output_max_member : format->output_max_member;
    if (facts->output_tokens_max >= 0 && facts->output_tokens_max <= tokens_max)
        return;
    if (facts->output_max_value.length)
        splice_add(splices, facts->output_max_value, arena_printf(splices->arena, "%lld", (long long)tokens_max));
    else
        splice_add(splices, (struct json_place){facts->object_open, 0},
                   arena_printf(splices->arena, "\"%s\":%lld,", member, (long long)tokens_max));
}

/* Insertions just after the '{' end in a comma: a model is required, so something follows. */
struct slice dialect_edit_by_table(const struct request_format *format, struct slice body,
                                   const struct request_facts *facts, const struct request_edits *edits,
                                   struct arena *arena)
{
    struct splices splices = {.arena = arena};
    if (edits->model && strcmp(edits->model, facts->model) != 0)
        splice_add(&splices, facts->model_value, quote(arena, edits->model));
    if (edits->inject_usage && !facts->asks_usage)
        inject_usage(&splices, body, facts);
    if (edits->output_tokens_max >= 0)
        bound_output(format, &splices, facts, edits->output_tokens_max);
    return splices_apply(&splices, body);
}
