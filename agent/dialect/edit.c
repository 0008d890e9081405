/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Editing a request by splices at the offsets that reading it found: all other bytes stay as they came. Called by flow/
 * through the dialects; what a member is called is in the endpoint's table.
 */
#include "base/check.h"
#include "dialect/form.h"

enum { SPLICES_MAX = 4 };

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

struct slice dialect_quote(const char *text, struct arena *arena)
{
    struct buffer buffer;
    buffer_init(&buffer, 6 * strlen(text) + 2);
    json_write_string(&buffer, slice_of(text));
    struct slice quoted = arena_copy(arena, buffer_contents(&buffer));
    buffer_done(&buffer);
    return quoted;
}

/* `open`: just after the '{' of an object of the valid body. */
static void splice_add_member(struct splices *splices, struct slice body, size_t open, const char *member)
{
    size_t at = open;
    while (strchr(" \t\r\n", body.data[at]))
        at++;
    bool is_empty = body.data[at] == '}', is_first = true;
    for (size_t i = 0; i < splices->count; i++)
        is_first &= splices->rows[i].place.offset != open || splices->rows[i].place.length > 0;
    splice_add(splices, (struct json_place){open, 0},
               !is_empty  ? arena_printf(splices->arena, "%s,", member)
               : is_first ? member
                          : arena_printf(splices->arena, ",%s", member));
}

/* stream_options.include_usage = true, whatever is there. */
static void inject_usage(struct splices *splices, struct slice body, const struct request_facts *facts)
{
    struct json_place options = facts->stream_options_value;
    struct slice object = {body.data + options.offset, options.length};
    if (facts->include_usage_value.length)
        splice_add(splices, facts->include_usage_value, "true");
    else if (options.length == 0)
        splice_add_member(splices, body, facts->object_open, "\"stream_options\":{\"include_usage\":true}");
    else if (object.data[0] != '{') /* null */
        splice_add(splices, options, "{\"include_usage\":true}");
    else
        splice_add_member(splices, body, options.offset + 1, "\"include_usage\":true");
}

/* "generationConfig.maxOutputTokens": in its parent when that is there, else with it. */
static void insert_output_max(struct splices *splices, struct slice body, const struct request_facts *facts,
                              const char *member, long long tokens_max)
{
    const char *dot = strrchr(member, '.'), *name = dot ? dot + 1 : member;
    struct json_place parent = facts->parent_value;
    struct slice object = {body.data + parent.offset, parent.length};
    const char *text = arena_printf(splices->arena, "\"%s\":%lld", name, tokens_max);
    if (!dot)
        splice_add_member(splices, body, facts->object_open, text);
    else if (parent.length && object.data[0] == '{')
        splice_add_member(splices, body, parent.offset + 1, text);
    else if (parent.length) /* null */
        splice_add(splices, parent, arena_printf(splices->arena, "{%s}", text));
    else
        splice_add_member(splices, body, facts->object_open,
                          arena_printf(splices->arena, "\"%.*s\":{%s}", (int)(dot - member), member, text));
}

/* The name that the caller wants, when this endpoint knows it: max_tokens is no member of a Responses request. */
static const char *name_output_max(const struct request_format *format, const struct request_facts *facts)
{
    for (size_t i = 0; facts->output_max_member && i < format->member_count; i++)
        if (format->members[i].role == ROLE_OUTPUT_MAX &&
            strcmp(format->members[i].path, facts->output_max_member) == 0)
            return facts->output_max_member;
    return format->output_max_member;
}

static void bound_output(const struct request_format *format, struct splices *splices, struct slice body,
                         const struct request_facts *facts, int64_t tokens_max)
{
    const char *member = name_output_max(format, facts);
    if (facts->has_no_limit || !member || (facts->output_tokens_max >= 0 && facts->output_tokens_max <= tokens_max))
        return;
    if (facts->output_max_value.length)
        splice_add(splices, facts->output_max_value, arena_printf(splices->arena, "%lld", (long long)tokens_max));
    else
        insert_output_max(splices, body, facts, member, (long long)tokens_max);
}

static void set_model(struct splices *splices, struct slice body, const struct request_facts *facts, const char *model)
{
    const char *quoted = dialect_quote(model, splices->arena).data;
    if (facts->model_value.length)
        splice_add(splices, facts->model_value, quoted);
    else
        splice_add_member(splices, body, facts->object_open, arena_printf(splices->arena, "\"model\":%s", quoted));
    if (facts->adviser_value.length)
        splice_add(splices, facts->adviser_value, quoted);
}

/* Gemini's model is in the path. */
static bool has_model_member(const struct request_format *format)
{
    for (size_t i = 0; i < format->member_count; i++)
        if (format->members[i].role == ROLE_MODEL)
            return true;
    return false;
}

struct slice dialect_edit_request(const struct endpoint *endpoint, struct slice body, const struct request_facts *facts,
                                  const struct request_edits *edits, struct arena *arena)
{
    struct splices splices = {.arena = arena};
    const struct format *format = endpoint->format;
    if (!format || !format->request || (!facts->is_form && facts->object_open == 0))
        return body;
    bool is_named = edits->model && strcmp(edits->model, facts->model) != 0 && has_model_member(format->request);
    if (facts->is_form)
        return is_named ? form_edit_model(body, facts, edits->model, arena) : body;
    /* stream_options are an error without stream */
    if (edits->inject_usage && format->injects_usage && facts->is_streaming && !facts->asks_usage)
        inject_usage(&splices, body, facts);
    if (edits->output_tokens_max >= 0)
        bound_output(format->request, &splices, body, facts, edits->output_tokens_max);
    if (is_named)
        set_model(&splices, body, facts, edits->model);
    return splices_apply(&splices, body);
}
