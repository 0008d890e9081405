/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of Anthropic Messages as a target gives them. Called through answer_messages_reader. Facts are of Anthropic's
 * API reference ("Messages", "Streaming Messages": events of an unknown type are to be passed over). Thinking is read
 * by nobody: it is signed for Anthropic alone, and neither of OpenAI's apis has a place where a client would keep it.
 */
#include "answer.h"

static const struct {
    const char *reason;
    enum answer_stop stop;
} stops[] = {
    {"end_turn", ANSWER_STOP_END},
    {"stop_sequence", ANSWER_STOP_END},
    {"tool_use", ANSWER_STOP_TOOL},
    {"max_tokens", ANSWER_STOP_LENGTH},
    {"model_context_window_exceeded", ANSWER_STOP_LENGTH},
    {"pause_turn", ANSWER_STOP_LENGTH}, /* a turn to be continued must not look complete */
    {"refusal", ANSWER_STOP_FILTER},
};

static void read_stop(struct answer *answer, const struct json_value *reason)
{
    if (reason->kind != JSON_KIND_STRING)
        return;
    answer->stop = ANSWER_STOP_END;
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
        if (json_string_is(reason, stops[i].reason))
            answer->stop = stops[i].stop;
}

/* Cumulative, and not every member is in every object: overwritten one by one, never added (wire.md). */
static void read_usage(struct answer *answer, const struct json_value *object)
{
    struct json_value input, cache_read, cache_write, output, thinking;
    const struct json_query queries[] = {{"input_tokens", &input},
                                         {"cache_read_input_tokens", &cache_read},
                                         {"cache_creation_input_tokens", &cache_write},
                                         {"output_tokens", &output},
                                         {"output_tokens_details.thinking_tokens", &thinking}};
    struct answer_usage *usage = &answer->usage;
    const struct {
        const struct json_value *value;
        int64_t *count;
    } members[] = {{&input, &usage->input},
                   {&cache_read, &usage->cache_read},
                   {&cache_write, &usage->cache_write},
                   {&output, &usage->output},
                   {&thinking, &usage->reasoning}};
    if (object->kind != JSON_KIND_OBJECT || json_scan(object->raw, ANSWER_DEPTH_MAX, queries, 5, NULL))
        return;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (members[i].value->kind != JSON_KIND_NUMBER)
            continue;
        *members[i].count = answer_count_of(members[i].value);
        usage->is_known = true;
    }
}

/* ---- blocks ---- */

struct block {
    struct json_value type, text, id, name, input;
};

static bool is_thought(const struct block *block)
{
    return json_string_is(&block->type, "thinking") || json_string_is(&block->type, "redacted_thinking");
}

/* The input of a stream's block is {}, and comes in pieces. */
static bool is_empty_object(struct slice object)
{
    size_t at = 1;
    while (at < object.length && (unsigned char)object.data[at] <= ' ')
        at++;
    return at < object.length && object.data[at] == '}';
}

static bool read_tool(struct answer *answer, uint64_t key, const struct block *block)
{
    if (!answer_begin_tool(answer, key, answer_text_of(&block->id), answer_text_of(&block->name)))
        return false;
    if (block->input.kind != JSON_KIND_OBJECT || is_empty_object(block->input.raw))
        return true;
    return answer_add_input(answer, answer_find_tool(answer, key), block->input.raw);
}

static bool read_block(struct answer *answer, uint64_t key, const struct json_value *object)
{
    struct block block;
    const struct json_query queries[] = {{"type", &block.type},
                                         {"text", &block.text},
                                         {"id", &block.id},
                                         {"name", &block.name},
                                         {"input", &block.input}};
    if (object->kind != JSON_KIND_OBJECT || json_scan(object->raw, ANSWER_DEPTH_MAX, queries, 5, NULL))
        return answer_fail(answer, "the target's answer is malformed");
    if (json_string_is(&block.type, "text"))
        return answer_add_text(answer, ANSWER_TEXT, answer_text_of(&block.text));
    if (json_string_is(&block.type, "tool_use"))
        return read_tool(answer, key, &block);
    /* Tools that Anthropic runs itself are not asked for in a translated request. */
    return is_thought(&block) ||
           answer_fail(answer, "the target's answer has a content block of a type that cannot be translated");
}

static bool read_document(struct answer *answer, struct slice document)
{
    struct json_value type, model, content, reason, usage, error_type, element;
    const struct json_query queries[] = {{"type", &type},          {"model", &model}, {"content", &content},
                                         {"stop_reason", &reason}, {"usage", &usage}, {"error.type", &error_type}};
    if (json_scan(document, ANSWER_DEPTH_MAX, queries, sizeof queries / sizeof *queries, NULL))
        return answer_fail(answer, "the target's answer is malformed");
    if (json_string_is(&type, "error"))
        return answer_fail(answer, answer_error_problem(&error_type));
    if (content.kind != JSON_KIND_ARRAY)
        return answer_fail(answer, "the target's answer is no message");
    answer_start(answer, answer_text_of(&model));
    uint64_t number = 0;
    for (size_t at = 0; json_next_element(content.raw, &at, &element); number++)
        if (!read_block(answer, number, &element))
            return false;
    read_stop(answer, &reason);
    read_usage(answer, &usage);
    return answer_end(answer);
}

/* ---- events ---- */

struct event {
    struct json_value type, index, message, block, delta_type, text, json, reason, usage, error_type;
};

static bool on_message_start(struct answer *answer, const struct event *event)
{
    struct json_value model, usage;
    const struct json_query queries[] = {{"model", &model}, {"usage", &usage}};
    if (answer->has_started || event->message.kind != JSON_KIND_OBJECT ||
        json_scan(event->message.raw, ANSWER_DEPTH_MAX, queries, 2, NULL))
        return answer_fail(answer, "the target's answer is malformed");
    answer_start(answer, answer_text_of(&model));
    read_usage(answer, &usage);
    return true;
}

static bool get_index(struct answer *answer, const struct event *event, uint64_t *ret_index)
{
    int64_t index;
    if (!json_get_integer(&event->index, &index))
        return answer_fail(answer, "the target's answer is malformed");
    *ret_index = (uint64_t)index;
    return true;
}

static bool on_block_start(struct answer *answer, const struct event *event)
{
    uint64_t index = 0;
    return get_index(answer, event, &index) && read_block(answer, index, &event->block);
}

/* Deltas of thinking, signatures and citations are passed over. */
static bool on_block_delta(struct answer *answer, const struct event *event)
{
    uint64_t index = 0;
    if (json_string_is(&event->delta_type, "text_delta"))
        return answer_add_text(answer, ANSWER_TEXT, answer_text_of(&event->text));
    if (!json_string_is(&event->delta_type, "input_json_delta"))
        return true;
    return get_index(answer, event, &index) &&
           answer_add_arguments(answer, answer_find_tool(answer, index), answer_text_of(&event->json));
}

static bool on_block_stop(struct answer *answer, const struct event *event)
{
    uint64_t index = 0;
    return get_index(answer, event, &index) && answer_end_tool(answer, answer_find_tool(answer, index));
}

static bool on_message_delta(struct answer *answer, const struct event *event)
{
    read_stop(answer, &event->reason);
    read_usage(answer, &event->usage);
    return true;
}

static bool on_message_stop(struct answer *answer, const struct event *event)
{
    (void)event;
    return answer_end(answer);
}

static bool on_error(struct answer *answer, const struct event *event)
{
    return answer_fail(answer, answer_error_problem(&event->error_type));
}

static const struct {
    const char *type;
    bool (*on_event)(struct answer *answer, const struct event *event);
    bool before_start; /* may come before message_start */
} event_rows[] = {
    {"content_block_delta", on_block_delta, false},
    {"content_block_start", on_block_start, false},
    {"content_block_stop", on_block_stop, false},
    {"message_start", on_message_start, true},
    {"message_delta", on_message_delta, false},
    {"message_stop", on_message_stop, false},
    {"error", on_error, true},
};

static bool read_event(struct answer *answer, struct slice name, struct slice data)
{
    struct event event;
    const struct json_query queries[] = {
        {"type", &event.type},
        {"index", &event.index},
        {"message", &event.message},
        {"content_block", &event.block},
        {"delta.type", &event.delta_type},
        {"delta.text", &event.text},
        {"delta.partial_json", &event.json},
        {"delta.stop_reason", &event.reason},
        {"usage", &event.usage},
        {"error.type", &event.error_type},
    };
    (void)name; /* the same as `type` */
    if (json_scan(data, ANSWER_DEPTH_MAX, queries, sizeof queries / sizeof *queries, NULL) ||
        event.type.kind != JSON_KIND_STRING)
        return answer_fail(answer, "the target's answer is malformed");
    for (size_t i = 0; i < sizeof event_rows / sizeof *event_rows; i++) {
        if (!json_string_is(&event.type, event_rows[i].type))
            continue;
        if (!event_rows[i].before_start && !answer->has_started)
            return answer_fail(answer, "the target's answer does not begin with message_start");
        return event_rows[i].on_event(answer, &event);
    }
    return true; /* ping, and types to come */
}

const struct answer_reader answer_messages_reader = {.read_document = read_document, .read_event = read_event};
