/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a request of OpenAI Chat Completions ("Create chat completion" in its API reference) into the neutral form:
 * the table of its members, its tools and its formats. Called through the table of translate.c; what messages hold is
 * read by chat_messages.c.
 */
#include "translate/apis.h"
#include "translate/request_members.h"

static bool read_messages(struct work *work, json_t *value, void *into)
{
    return work_read_elements(work, value, chat_read_message, into);
}

static bool read_include_usage(struct work *work, json_t *value, void *into)
{
    (void)into;
    return read_boolean(work, value, &work->conversation.asks_usage);
}

static const struct member stream_options_rows[] = {
    TAKE("include_usage", read_include_usage),
    DROP("include_obfuscation", value_is_false), /* padding against traffic analysis: ours is on this machine */
};

static bool read_stream_options(struct work *work, json_t *value, void *into)
{
    return work_read_members(work, value, MEMBERS(stream_options_rows), into);
}

/* ---- tools ---- */

static const struct member function_rows[] = {
    NEED("name", read_tool_name),
    TAKE("description", read_tool_description),
    TAKE("parameters", read_tool_schema),
    TAKE("strict", read_tool_strict),
};

static bool read_function(struct work *work, json_t *value, void *into)
{
    return work_read_members(work, value, MEMBERS(function_rows), into);
}

static const struct member function_tool_rows[] = {KNOW("type"), NEED("function", read_function)};

static bool read_function_tool(struct work *work, json_t *object, void *into)
{
    (void)into;
    return work_read_members(work, object, MEMBERS(function_tool_rows), conversation_add_tool(work));
}

static const struct shape tool_shapes[] = {
    {"function", read_function_tool, NULL},
    {"custom", NULL, "tools with free text as input have no equivalent"},
};

static bool read_tool(struct work *work, json_t *object, void *into)
{
    return work_read_shape(work, object, SHAPES(tool_shapes, "type", NULL, "only function tools have an equivalent"),
                           into);
}

static bool read_tools(struct work *work, json_t *value, void *into)
{
    return work_read_elements(work, value, read_tool, into);
}

static const struct member choice_function_rows[] = {NEED("name", read_choice_name)};

static bool read_choice_function(struct work *work, json_t *value, void *into)
{
    return work_read_members(work, value, MEMBERS(choice_function_rows), into);
}

static const struct member choice_rows[] = {KNOW("type"), NEED("function", read_choice_function)};

static bool read_named_choice(struct work *work, json_t *object, void *into)
{
    return work_read_members(work, object, MEMBERS(choice_rows), into);
}

static const struct shape choice_shapes[] = {
    {"function", read_named_choice, NULL},
    {"custom", NULL, "tools with free text as input have no equivalent"},
    {"allowed_tools", NULL, "a choice among some of the tools has no equivalent"},
};

static bool read_tool_choice(struct work *work, json_t *value, void *into)
{
    if (!json_is_object(value))
        return read_choice_word(work, value);
    return work_read_shape(work, value, SHAPES(choice_shapes, "type", NULL, "this choice is unknown"), into);
}

/* ---- formats ---- */

static const struct member schema_rows[] = {
    NEED("name", read_schema_name),
    TAKE("description", read_schema_description),
    NEED("schema", read_schema),
    TAKE("strict", read_schema_strict),
};

static bool read_json_schema(struct work *work, json_t *value, void *into)
{
    work->conversation.format = FORMAT_JSON_SCHEMA;
    return work_read_members(work, value, MEMBERS(schema_rows), into);
}

static const struct member schema_format_rows[] = {KNOW("type"), NEED("json_schema", read_json_schema)};

static bool read_schema_format(struct work *work, json_t *object, void *into)
{
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

/* ---- the request ---- */

static bool is_text_alone(const json_t *value)
{
    return json_array_size(value) == 1 && tree_is(json_array_get(value, 0), "text");
}

static bool is_no_function(const json_t *value)
{
    return tree_is(value, "none") || tree_is(value, "auto");
}

static const struct member request_rows[] = {
    KNOW("model"), /* the target's is written */
    NEED("messages", read_messages),
    TAKE("max_tokens", read_output_max),
    TAKE("max_completion_tokens", read_output_max),
    TAKE("temperature", read_temperature_openai),
    TAKE("top_p", read_top_p),
    TAKE("stop", read_stop),
    TAKE("stream", read_stream),
    TAKE("stream_options", read_stream_options),
    TAKE("tools", read_tools),
    TAKE("tool_choice", read_tool_choice),
    TAKE("parallel_tool_calls", read_parallel_calls),
    TAKE("response_format", read_format),
    TAKE("user", read_user),
    /* Change how an answer is made, not what is asked for. */
    DROP("seed", NULL), /* documented as best effort */
    DROP("frequency_penalty", value_is_zero),
    DROP("presence_penalty", value_is_zero),
    DROP("reasoning_effort", value_is_off),
    DROP("verbosity", value_is_medium),
    DROP("prediction", NULL),
    DROP("service_tier", value_is_ordinary),
    DROP("store", value_is_false),
    DROP("metadata", value_is_empty),
    DROP("prompt_cache_key", NULL),
    DROP("prompt_cache_options", NULL),
    DROP("prompt_cache_retention", NULL),
    DROP("safety_identifier", NULL),
    /* Ask for something that the answer would lack. */
    REFUSE("n", value_is_one, "only one answer can be asked for"),
    REFUSE("logprobs", value_is_false, "the probabilities of tokens are not told"),
    REFUSE("top_logprobs", value_is_zero, "the probabilities of tokens are not told"),
    REFUSE("logit_bias", value_is_empty, "tokens differ between models"),
    REFUSE("modalities", is_text_alone, "only text can be answered"),
    REFUSE("audio", NULL, "only text can be answered"),
    REFUSE("web_search_options", NULL, "a search by the provider has no equivalent"),
    REFUSE("moderation", NULL, "moderation by the provider has no equivalent"),
    REFUSE("functions", value_is_empty, "this old form of tools is not translated: use `tools`"),
    REFUSE("function_call", is_no_function, "this old form of tools is not translated: use `tool_choice`"),
};

bool chat_read_request(struct work *work, json_t *body)
{
    return work_read_members(work, body, MEMBERS(request_rows), NULL);
}
