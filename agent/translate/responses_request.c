/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a request of OpenAI Responses ("Create a model response" in its API reference) into the neutral form: the table
 * of its members, its tools and formats, and what its answers repeat. Called through the table of translate.c; what
 * `input` holds is read by responses_items.c.
 */
#include "translate/apis.h"
#include "translate/request_members.h"

static bool read_instructions(struct work *work, json_t *value, void *into)
{
    (void)into;
    return read_part_text(work, value, &conversation_add_turn(work, ROLE_SYSTEM)->parts);
}

/* ---- tools ---- */

static const struct member function_rows[] = {
    KNOW("type"),
    NEED("name", read_tool_name),
    TAKE("description", read_tool_description),
    TAKE("parameters", read_tool_schema),
    TAKE("strict", read_tool_strict),
    DROP("output_schema", NULL),
    REFUSE("defer_loading", value_is_false, "a search among tools by the provider has no equivalent"),
    REFUSE("allowed_callers", value_is_direct, "calls by the provider's own code have no equivalent"),
};

static bool read_function(struct work *work, json_t *object, void *into)
{
    (void)into;
    return work_read_members(work, object, MEMBERS(function_rows), conversation_add_tool(work));
}

static const struct shape tool_shapes[] = {
    {"function", read_function, NULL},
    {"custom", NULL, "tools with free text as input have no equivalent"},
};

static bool read_tool(struct work *work, json_t *object, void *into)
{
    return work_read_shape(
        work, object, SHAPES(tool_shapes, "type", NULL, "tools that the provider defines or runs have no equivalent"),
        into);
}

static bool read_tools(struct work *work, json_t *value, void *into)
{
    return work_read_elements(work, value, read_tool, into);
}

static const struct member choice_rows[] = {KNOW("type"), NEED("name", read_choice_name)};

static bool read_named_choice(struct work *work, json_t *object, void *into)
{
    return work_read_members(work, object, MEMBERS(choice_rows), into);
}

static const struct shape choice_shapes[] = {
    {"function", read_named_choice, NULL},
    {"allowed_tools", NULL, "a choice among some of the tools has no equivalent"},
};

static bool read_tool_choice(struct work *work, json_t *value, void *into)
{
    if (!json_is_object(value))
        return read_choice_word(work, value);
    return work_read_shape(
        work, value, SHAPES(choice_shapes, "type", NULL, "tools that the provider defines or runs have no equivalent"),
        into);
}

/* ---- formats ---- */

static const struct member schema_format_rows[] = {
    KNOW("type"),
    NEED("name", read_schema_name),
    TAKE("description", read_schema_description),
    NEED("schema", read_schema),
    TAKE("strict", read_schema_strict),
};

static bool read_schema_format(struct work *work, json_t *object, void *into)
{
    work->conversation.format = FORMAT_JSON_SCHEMA;
    return work_read_members(work, object, MEMBERS(schema_format_rows), into);
}

static const struct shape format_shapes[] = {
    {"text", read_text_format, NULL},
    {"json_object", read_object_format, NULL},
    {"json_schema", read_schema_format, NULL},
};

static bool read_format(struct work *work, json_t *value, void *into)
{
    work->conversation.format_place = work_place(work);
    return work_read_shape(work, value, SHAPES(format_shapes, "type", NULL, "this format has no equivalent"), into);
}

static const struct member text_rows[] = {TAKE("format", read_format), DROP("verbosity", value_is_medium)};

static bool read_text_config(struct work *work, json_t *value, void *into)
{
    return work_read_members(work, value, MEMBERS(text_rows), into);
}

/* ---- the request ---- */

/* What it lists are parts of answers that only the provider's own tools and reasoning have, but for this one. */
static bool read_included(struct work *work, json_t *value, void *into)
{
    (void)into;
    if (tree_is(value, "message.output_text.logprobs"))
        return work_refuse(work, "the probabilities of tokens are not told");
    work_drop(work, NULL);
    return true;
}

static bool read_include(struct work *work, json_t *value, void *into)
{
    return work_read_elements(work, value, read_included, into);
}

static const struct member stream_options_rows[] = {DROP("include_obfuscation", value_is_false)};

static bool read_stream_options(struct work *work, json_t *value, void *into)
{
    return work_read_members(work, value, MEMBERS(stream_options_rows), into);
}

static const struct member request_rows[] = {
    KNOW("model"), /* the target's is written */
    TAKE("instructions", read_instructions),
    NEED("input", responses_read_input),
    TAKE("max_output_tokens", read_output_max),
    TAKE("temperature", read_temperature_openai),
    TAKE("top_p", read_top_p),
    TAKE("stream", read_stream),
    TAKE("stream_options", read_stream_options),
    TAKE("tools", read_tools),
    TAKE("tool_choice", read_tool_choice),
    TAKE("parallel_tool_calls", read_parallel_calls),
    TAKE("text", read_text_config),
    TAKE("include", read_include),
    TAKE("user", read_user),
    /* Change how an answer is made or kept, not what is asked for. */
    DROP("reasoning", value_is_empty),
    DROP("store", value_is_false),
    DROP("metadata", value_is_empty),
    DROP("truncation", value_is_off), /* auto: what does not fit is refused instead of cut */
    DROP("service_tier", value_is_ordinary),
    DROP("max_tool_calls", NULL), /* of tools that the provider runs: there are none */
    DROP("context_management", value_is_empty),
    DROP("prompt_cache_key", NULL),
    DROP("prompt_cache_options", NULL),
    DROP("prompt_cache_retention", NULL),
    DROP("safety_identifier", NULL),
    /* Ask for something that the answer would lack, or refer to what is elsewhere. */
    REFUSE("previous_response_id", NULL, "the earlier turns are at the provider that gave them"),
    REFUSE("conversation", NULL, "the earlier turns are at the provider that keeps them"),
    REFUSE("prompt", NULL, "the template is at the provider that keeps it"),
    REFUSE("background", value_is_false, "an answer that is fetched later has no equivalent"),
    REFUSE("top_logprobs", value_is_zero, "the probabilities of tokens are not told"),
    REFUSE("moderation", NULL, "moderation by the provider has no equivalent"),
};

/* Members that a Response object repeats from its request. */
static const char *const echoed[] = {
    "instructions",        "tools",    "tool_choice", "temperature", "top_p",     "text",           "max_output_tokens",
    "parallel_tool_calls", "metadata", "truncation",  "user",        "reasoning", "max_tool_calls", "prompt_cache_key",
    "safety_identifier"};

static struct slice echo_members(struct work *work, const json_t *body)
{
    json_t *echo = tree_add(work->owned, json_object());
    for (size_t i = 0; i < sizeof echoed / sizeof *echoed; i++) {
        json_t *value = tree_get(body, echoed[i]);
        if (value && !json_is_null(value))
            tree_put_copy(echo, echoed[i], value);
    }
    return tree_write_arena(echo, work->arena);
}

bool responses_read_request(struct work *work, json_t *body)
{
    if (!work_read_members(work, body, MEMBERS(request_rows), NULL))
        return false;
    work->echo = echo_members(work, body);
    return true;
}
