/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of OpenAI Chat Completions as a target gives them. Called through answer_chat_reader. Facts are of OpenAI's
 * API reference ("The chat completion object", "The chat completion chunk object"); what compatible providers do
 * otherwise is said where it is read. Reasoning that some of them put beside the content (`reasoning_content`,
 * `reasoning`) is read by nobody: this api has no place for it, and where one has (a thinking block, a reasoning item)
 * it is signed or known by its provider, which a client would send back to another.
 */
#include "answer.h"

static const struct {
    const char *reason;
    enum answer_stop stop;
} stops[] = {{"stop", ANSWER_STOP_END},
             {"length", ANSWER_STOP_LENGTH},
             {"tool_calls", ANSWER_STOP_TOOL},
             {"function_call", ANSWER_STOP_TOOL},
             {"content_filter", ANSWER_STOP_FILTER}};

static bool read_stop(struct answer *answer, const struct json_value *reason)
{
    if (reason->kind != JSON_KIND_STRING)
        return true;
    if (json_string_is(reason, "error")) /* OpenRouter: the provider behind it broke off */
        return answer_fail(answer, answer_error_problem(reason));
    answer->stop = ANSWER_STOP_END; /* "eos", "STOP" … of compatible providers */
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
        if (json_string_is(reason, stops[i].reason))
            answer->stop = stops[i].stop;
    return true;
}

/* prompt_tokens is the whole prompt; cached and written tokens are disjoint parts of it (wire.md). */
static void read_usage(struct answer *answer, struct slice object)
{
    struct json_value prompt, completion, cached, written, reasoning;
    const struct json_query queries[] = {
        {"prompt_tokens", &prompt},
        {"completion_tokens", &completion},
        {"prompt_tokens_details.cached_tokens", &cached},
        {"prompt_tokens_details.cache_write_tokens", &written},
        {"completion_tokens_details.reasoning_tokens", &reasoning},
    };
    if (json_scan(object, ANSWER_DEPTH_MAX, queries, sizeof queries / sizeof *queries, NULL))
        return;
    struct answer_usage usage = {.is_known = true, .input = answer_count_of(&prompt)};
    usage.cache_read = answer_count_of(&cached);
    if (usage.cache_read > usage.input)
        usage.cache_read = usage.input;
    usage.input -= usage.cache_read;
    usage.cache_write = answer_count_of(&written);
    if (usage.cache_write > usage.input)
        usage.cache_write = usage.input;
    usage.input -= usage.cache_write;
    usage.output = answer_count_of(&completion);
    usage.reasoning = answer_count_of(&reasoning);
    answer->usage = usage;
}

/* Which call an element of tool_calls belongs to. In streams `index` says so; compatible providers leave it out, or
 * give 0 to each of several calls that come whole, each with its own id. NULL: a new one. */
static struct answer_part *find_call(struct answer *answer, const struct json_value *index, struct slice id,
                                     struct slice name, uint64_t *ret_key)
{
    int64_t number;
    bool has_index = json_get_integer(index, &number);
    *ret_key = has_index ? (uint64_t)number : answer->tool_count;
    if (!has_index && id.length == 0 && answer->tool_count)
        *ret_key = answer->tool_count - 1;
    struct answer_part *part = answer_find_tool(answer, *ret_key);
    bool is_another = part && id.length && name.length && part->name.length && !slice_is_equal(id, part->id);
    return is_another ? NULL : part;
}

static bool add_call_arguments(struct answer *answer, struct answer_part *part, const struct json_value *arguments)
{
    if (arguments->kind == JSON_KIND_OBJECT) /* some compatible providers do not wrap it in a string */
        return answer_add_input(answer, part, arguments->raw);
    struct slice text = answer_text_of(arguments);
    return text.length == 0 || answer_add_arguments(answer, part, text);
}

static bool read_call(struct answer *answer, struct slice element)
{
    struct json_value index, id, name, arguments, custom;
    const struct json_query queries[] = {{"index", &index},
                                         {"id", &id},
                                         {"custom", &custom},
                                         {"function.name", &name},
                                         {"function.arguments", &arguments}};
    if (json_scan(element, ANSWER_DEPTH_MAX, queries, sizeof queries / sizeof *queries, NULL))
        return answer_fail(answer, "the target's answer is malformed");
    if (custom.kind == JSON_KIND_OBJECT)
        return answer_fail(answer, "the target's answer has a custom tool call, which cannot be translated");
    struct slice id_text = answer_text_of(&id), name_text = answer_text_of(&name);
    uint64_t key;
    struct answer_part *part = find_call(answer, &index, id_text, name_text, &key);
    if (!part) {
        if (!answer_begin_tool(answer, key, id_text, name_text))
            return false;
        part = answer_find_tool(answer, key);
    } else if (part->name.length == 0 && name_text.length <= ANSWER_NAME_BYTES_MAX) {
        part->name = arena_copy(answer->arena, name_text);
    }
    return add_call_arguments(answer, part, &arguments);
}

/* A string; of some compatible providers a list of {"type":"text","text":…}. */
static bool read_content(struct answer *answer, const struct json_value *content)
{
    struct json_value element;
    if (content->kind != JSON_KIND_ARRAY)
        return answer_add_text(answer, ANSWER_TEXT, answer_text_of(content));
    for (size_t at = 0; json_next_element(content->raw, &at, &element);) {
        struct json_value type, text;
        const struct json_query queries[] = {{"type", &type}, {"text", &text}};
        if (json_scan(element.raw, ANSWER_DEPTH_MAX, queries, 2, NULL))
            return answer_fail(answer, "the target's answer is malformed");
        if (json_string_is(&type, "text") && !answer_add_text(answer, ANSWER_TEXT, answer_text_of(&text)))
            return false;
    }
    return true;
}

/* `member`: "message" of a document's choice, "delta" of a chunk's. Requests ask for one choice. */
static bool read_choice(struct answer *answer, struct slice choice, const char *member)
{
    struct json_value index, reason, message, content, refusal, calls, element;
    const struct json_query outer[] = {{"index", &index}, {"finish_reason", &reason}, {member, &message}};
    const struct json_query inner[] = {{"content", &content}, {"refusal", &refusal}, {"tool_calls", &calls}};
    int64_t number = 0;
    if (json_scan(choice, ANSWER_DEPTH_MAX, outer, 3, NULL))
        return answer_fail(answer, "the target's answer is malformed");
    if (json_get_integer(&index, &number) && number != 0)
        return true;
    if (message.kind == JSON_KIND_OBJECT) {
        if (json_scan(message.raw, ANSWER_DEPTH_MAX, inner, 3, NULL) || !read_content(answer, &content) ||
            !answer_add_text(answer, ANSWER_REFUSAL, answer_text_of(&refusal)))
            return answer_fail(answer, "the target's answer is malformed");
        for (size_t at = 0; calls.kind == JSON_KIND_ARRAY && json_next_element(calls.raw, &at, &element);)
            if (!read_call(answer, element.raw))
                return false;
    }
    return read_stop(answer, &reason);
}

/* A document or a chunk. */
static bool read_object(struct answer *answer, struct slice object, const char *member, size_t *ret_choices)
{
    struct json_value model, choices, usage, error, error_type, element;
    const struct json_query queries[] = {
        {"model", &model}, {"choices", &choices}, {"usage", &usage}, {"error", &error}, {"error.type", &error_type}};
    if (json_scan(object, ANSWER_DEPTH_MAX, queries, sizeof queries / sizeof *queries, NULL))
        return answer_fail(answer, "the target's answer is malformed");
    if (error.kind != JSON_KIND_ABSENT && error.kind != JSON_KIND_NULL)
        return answer_fail(answer, answer_error_problem(&error_type));
    if (choices.kind != JSON_KIND_ARRAY && usage.kind != JSON_KIND_OBJECT)
        return answer_fail(answer, "the target's answer is no chat completion");
    if (usage.kind == JSON_KIND_OBJECT)
        read_usage(answer, usage.raw);
    *ret_choices = 0;
    for (size_t at = 0; choices.kind == JSON_KIND_ARRAY && json_next_element(choices.raw, &at, &element);) {
        ++*ret_choices;
        if (!read_choice(answer, element.raw, member))
            return false;
    }
    /* Azure's first chunk has verdicts on the prompt, but no choice and no model. */
    if (*ret_choices || answer_text_of(&model).length)
        answer_start(answer, answer_text_of(&model));
    return true;
}

static bool read_document(struct answer *answer, struct slice document)
{
    size_t choices;
    if (!read_object(answer, document, "message", &choices))
        return false;
    if (choices == 0)
        return answer_fail(answer, "the target's answer has no choice");
    return answer_end(answer);
}

static bool read_event(struct answer *answer, struct slice name, struct slice data)
{
    size_t choices;
    if (slice_is(data, "[DONE]"))
        return answer_end(answer);
    if (slice_is(name, "error"))
        return answer_fail(answer, "the target broke off with an error");
    return read_object(answer, data, "delta", &choices);
}

const struct answer_reader answer_chat_reader = {.read_document = read_document, .read_event = read_event};
