/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the apis share member by member: kinds and ranges are checked here, against the api that the client speaks.
 * Called through the tables of the readers; writes into the conversation.
 */
#include "translate/request_members.h"

/* ---- defaults ---- */

bool value_is_false(const json_t *value)
{
    return json_is_false(value);
}

bool value_is_true(const json_t *value)
{
    return json_is_true(value);
}

bool value_is_zero(const json_t *value)
{
    return json_is_number(value) && !(json_number_value(value) < 0) && !(json_number_value(value) > 0);
}

bool value_is_one(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) == 1;
}

bool value_is_empty(const json_t *value)
{
    return (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0) ||
           (json_is_string(value) && json_string_length(value) == 0);
}

bool value_is_ordinary(const json_t *value)
{
    return tree_is(value, "auto") || tree_is(value, "default") || tree_is(value, "standard");
}

bool value_is_medium(const json_t *value)
{
    return tree_is(value, "medium");
}

bool value_is_off(const json_t *value)
{
    const json_t *word = json_is_object(value) ? tree_get(value, "type") : value;
    return tree_is(word, "none") || tree_is(word, "disabled");
}

bool value_is_direct(const json_t *value)
{
    return tree_is(tree_get(value, "type"), "direct") ||
           (json_array_size(value) == 1 && tree_is(json_array_get(value, 0), "direct"));
}

/* ---- kinds ---- */

bool read_text(struct work *work, json_t *value, void *into)
{
    struct slice *text = into;
    if (!json_is_string(value))
        return work_reject(work, "must be a string");
    *text = tree_text(value);
    return true;
}

bool read_boolean(struct work *work, json_t *value, void *into)
{
    bool *is_set = into;
    if (!json_is_boolean(value))
        return work_reject(work, "must be a boolean");
    *is_set = json_is_true(value);
    return true;
}

bool read_object(struct work *work, json_t *value, void *into)
{
    json_t **object = into;
    if (!json_is_object(value))
        return work_reject(work, "must be an object");
    *object = value;
    return true;
}

bool read_part_text(struct work *work, json_t *value, void *into)
{
    struct slice text = {NULL, 0};
    if (!read_text(work, value, &text))
        return false;
    conversation_add_text(work, into, text);
    return true;
}

bool read_content(struct work *work, json_t *value, read_value *read_part, struct parts *parts)
{
    if (json_is_string(value)) {
        conversation_add_text(work, parts, tree_text(value));
        return true;
    }
    return json_is_array(value) ? work_read_elements(work, value, read_part, parts)
                                : work_reject(work, "must be a string or an array");
}

bool read_call_id(struct work *work, json_t *value, void *into)
{
    return read_text(work, value, &((struct part *)into)->id);
}

bool read_call_name(struct work *work, json_t *value, void *into)
{
    return read_text(work, value, &((struct part *)into)->name);
}

bool read_call_arguments(struct work *work, json_t *value, void *into)
{
    return read_text(work, value, &((struct part *)into)->arguments);
}

bool read_media_name(struct work *work, json_t *value, void *into)
{
    return read_text(work, value, &((struct media *)into)->name);
}

/* ---- members ---- */

bool read_stream(struct work *work, json_t *value, void *into)
{
    (void)into;
    return read_boolean(work, value, &work->conversation.is_streaming);
}

static bool read_number(struct work *work, json_t *value, double max, const char *range, json_t **ret_number)
{
    if (!json_is_number(value) || json_number_value(value) < 0 || json_number_value(value) > max)
        return work_reject(work, range);
    *ret_number = value;
    return true;
}

bool read_temperature_openai(struct work *work, json_t *value, void *into)
{
    (void)into;
    return read_number(work, value, 2, "must be a number from 0 to 2", &work->conversation.temperature);
}

bool read_temperature_anthropic(struct work *work, json_t *value, void *into)
{
    (void)into;
    return read_number(work, value, 1, "must be a number from 0 to 1", &work->conversation.temperature);
}

bool read_top_p(struct work *work, json_t *value, void *into)
{
    (void)into;
    return read_number(work, value, 1, "must be a number from 0 to 1", &work->conversation.top_p);
}

bool read_output_max(struct work *work, json_t *value, void *into)
{
    (void)into;
    if (!json_is_integer(value) || json_integer_value(value) < 1)
        return work_reject(work, "must be a positive integer");
    if (work->conversation.output_tokens_max)
        return work_reject(work, "the limit of output tokens is given twice");
    work->conversation.output_tokens_max = json_integer_value(value);
    return true;
}

static bool read_stop_text(struct work *work, json_t *value, void *into)
{
    struct conversation *conversation = &work->conversation;
    (void)into;
    if (!json_is_string(value))
        return work_reject(work, "must be a string");
    if (conversation->stop_count == STOP_COUNT_MAX)
        return work_refuse(work, "too many stop sequences");
    conversation->stop[conversation->stop_count++] = value;
    return true;
}

bool read_stop(struct work *work, json_t *value, void *into)
{
    work->conversation.stop_place = work_place(work);
    return json_is_string(value) ? read_stop_text(work, value, into)
                                 : work_read_elements(work, value, read_stop_text, into);
}

bool read_user(struct work *work, json_t *value, void *into)
{
    (void)into;
    return read_text(work, value, &work->conversation.user);
}

bool read_parallel_calls(struct work *work, json_t *value, void *into)
{
    bool is_parallel = true;
    (void)into;
    if (!read_boolean(work, value, &is_parallel))
        return false;
    work->conversation.is_serial = !is_parallel;
    return true;
}

bool read_choice_word(struct work *work, json_t *value)
{
    static const struct {
        const char *word;
        enum tool_choice choice;
    } words[] = {{"none", CHOICE_NONE}, {"auto", CHOICE_AUTO}, {"required", CHOICE_REQUIRED}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (tree_is(value, words[i].word)) {
            work->conversation.choice = words[i].choice;
            return true;
        }
    }
    return work_reject(work, "must be \"none\", \"auto\", \"required\" or an object that names a tool");
}

/* ---- tools and formats ---- */

bool read_tool_name(struct work *work, json_t *value, void *into)
{
    return read_text(work, value, &((struct tool *)into)->name);
}

bool read_tool_description(struct work *work, json_t *value, void *into)
{
    return read_text(work, value, &((struct tool *)into)->description);
}

bool read_tool_schema(struct work *work, json_t *value, void *into)
{
    return read_object(work, value, &((struct tool *)into)->schema);
}

bool read_tool_strict(struct work *work, json_t *value, void *into)
{
    return read_boolean(work, value, &((struct tool *)into)->is_strict);
}

bool read_choice_name(struct work *work, json_t *value, void *into)
{
    (void)into;
    work->conversation.choice = CHOICE_NAMED;
    return read_text(work, value, &work->conversation.choice_name);
}

bool read_schema_name(struct work *work, json_t *value, void *into)
{
    (void)into;
    return read_text(work, value, &work->conversation.schema_name);
}

bool read_schema_description(struct work *work, json_t *value, void *into)
{
    (void)into;
    return read_text(work, value, &work->conversation.schema_description);
}

bool read_schema_strict(struct work *work, json_t *value, void *into)
{
    (void)into;
    return read_boolean(work, value, &work->conversation.is_schema_strict);
}

bool read_schema(struct work *work, json_t *value, void *into)
{
    (void)into;
    return read_object(work, value, &work->conversation.schema);
}

static const struct member plain_format_rows[] = {KNOW("type")};

bool read_text_format(struct work *work, json_t *object, void *into)
{
    return work_read_members(work, object, MEMBERS(plain_format_rows), into);
}

bool read_object_format(struct work *work, json_t *object, void *into)
{
    work->conversation.format = FORMAT_JSON_OBJECT;
    return work_read_members(work, object, MEMBERS(plain_format_rows), into);
}
