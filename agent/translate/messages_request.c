/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a request of Anthropic Messages ("Create a Message" in its API reference, with its beta members) into the
 * neutral form: the table of its members, its tools and formats. Called through the table of translate.c; what
 * messages hold is read by messages_turns.c.
 */
#include "translate/apis.h"
#include "translate/request_members.h"

static bool read_messages(struct work *work, json_t *value, void *into)
{
    return work_read_elements(work, value, messages_read_message, into);
}

static bool read_top_k(struct work *work, json_t *value, void *into)
{
    (void)into;
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return work_reject(work, "must be a non-negative integer");
    work->conversation.top_k = value;
    return true;
}

static const struct member metadata_rows[] = {TAKE("user_id", read_user)};

static bool read_metadata(struct work *work, json_t *value, void *into)
{
    return work_read_members(work, value, MEMBERS(metadata_rows), into);
}

/* ---- tools ---- */

static const struct member tool_rows[] = {
    KNOW("type"),
    NEED("name", read_tool_name),
    TAKE("description", read_tool_description),
    NEED("input_schema", read_tool_schema),
    TAKE("strict", read_tool_strict),
    DROP("cache_control", NULL),
    DROP("input_examples", value_is_empty),
    DROP("eager_input_streaming", NULL),
    REFUSE("defer_loading", value_is_false, "a search among tools by the provider has no equivalent"),
    REFUSE("allowed_callers", value_is_direct, "calls by the provider's own code have no equivalent"),
};

static bool read_custom_tool(struct work *work, json_t *object, void *into)
{
    (void)into;
    return work_read_members(work, object, MEMBERS(tool_rows), conversation_add_tool(work));
}

static const struct shape tool_shapes[] = {{"custom", read_custom_tool, NULL}};

static bool read_tool(struct work *work, json_t *object, void *into)
{
    return work_read_shape(
        work, object,
        SHAPES(tool_shapes, "type", "custom", "tools that the provider defines or runs have no equivalent"), into);
}

static bool read_tools(struct work *work, json_t *value, void *into)
{
    return work_read_elements(work, value, read_tool, into);
}

static bool read_serial(struct work *work, json_t *value, void *into)
{
    (void)into;
    return read_boolean(work, value, &work->conversation.is_serial);
}

static const struct member choice_rows[] = {KNOW("type"), TAKE("disable_parallel_tool_use", read_serial)};
static const struct member named_choice_rows[] = {KNOW("type"), NEED("name", read_choice_name),
                                                  TAKE("disable_parallel_tool_use", read_serial)};

static bool read_choice(struct work *work, json_t *object, enum tool_choice choice)
{
    work->conversation.choice = choice;
    return work_read_members(work, object, MEMBERS(choice_rows), NULL);
}

static bool read_none(struct work *work, json_t *object, void *into)
{
    (void)into;
    return read_choice(work, object, CHOICE_NONE);
}

static bool read_auto(struct work *work, json_t *object, void *into)
{
    (void)into;
    return read_choice(work, object, CHOICE_AUTO);
}

static bool read_any(struct work *work, json_t *object, void *into)
{
    (void)into;
    return read_choice(work, object, CHOICE_REQUIRED);
}

static bool read_named(struct work *work, json_t *object, void *into)
{
    return work_read_members(work, object, MEMBERS(named_choice_rows), into);
}

static const struct shape choice_shapes[] = {
    {"auto", read_auto, NULL}, {"any", read_any, NULL}, {"none", read_none, NULL}, {"tool", read_named, NULL}};

static bool read_tool_choice(struct work *work, json_t *value, void *into)
{
    return work_read_shape(work, value, SHAPES(choice_shapes, "type", NULL, "this choice is unknown"), into);
}

/* ---- formats ---- */

static const struct member format_rows[] = {KNOW("type"), NEED("schema", read_schema)};

static bool read_schema_format(struct work *work, json_t *object, void *into)
{
    work->conversation.format = FORMAT_JSON_SCHEMA;
    return work_read_members(work, object, MEMBERS(format_rows), into);
}

static const struct shape format_shapes[] = {{"json_schema", read_schema_format, NULL}};

static bool read_format(struct work *work, json_t *value, void *into)
{
    work->conversation.format_place = work_place(work);
    return work_read_shape(work, value, SHAPES(format_shapes, "type", NULL, "this format has no equivalent"), into);
}

static const struct member output_rows[] = {
    TAKE("format", read_format),
    DROP("effort", NULL),
    DROP("task_budget", NULL),
};

static bool read_output_config(struct work *work, json_t *value, void *into)
{
    return work_read_members(work, value, MEMBERS(output_rows), into);
}

/* ---- the request ---- */

static const struct member request_rows[] = {
    KNOW("model"), /* the target's is written */
    TAKE("system", messages_read_system),
    NEED("messages", read_messages),
    NEED("max_tokens", read_output_max),
    TAKE("temperature", read_temperature_anthropic),
    TAKE("top_p", read_top_p),
    TAKE("top_k", read_top_k),
    TAKE("stop_sequences", read_stop),
    TAKE("stream", read_stream),
    TAKE("tools", read_tools),
    TAKE("tool_choice", read_tool_choice),
    TAKE("metadata", read_metadata),
    TAKE("output_config", read_output_config),
    TAKE("output_format", read_format), /* the older place of output_config.format */
    /* Change how an answer is made, billed or kept, not what is asked for. */
    DROP("thinking", value_is_off),
    DROP("cache_control", NULL),
    DROP("service_tier", value_is_ordinary),
    DROP("speed", value_is_ordinary),
    DROP("context_management", value_is_empty), /* what it would clear from the context stays */
    DROP("diagnostics", NULL),
    DROP("fallbacks", value_is_empty), /* which target serves is ours to say */
    DROP("fallback_credit_token", NULL),
    DROP("betas", NULL), /* a header, in truth: SDKs of other clouds leave it in the body */
    /* Ask for something that the answer would lack, or forbid what the target does. */
    REFUSE("mcp_servers", value_is_empty, "servers that the provider calls have no equivalent"),
    REFUSE("container", NULL, "the container is at the provider that made it"),
    REFUSE("inference_geo", NULL, "the region of another provider cannot be chosen with it"),
    REFUSE("user_profile_id", NULL, "the profile is at the provider that keeps it"),
};

bool messages_read_request(struct work *work, json_t *body)
{
    struct conversation *conversation = &work->conversation;
    if (!work_read_members(work, body, MEMBERS(request_rows), NULL))
        return false;
    conversation->schema_name = slice_of("answer"); /* this api names no schema, and always keeps to it */
    conversation->is_schema_strict = true;
    conversation->continues_last = true;
    return true;
}
