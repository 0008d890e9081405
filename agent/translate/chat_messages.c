/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the messages of OpenAI Chat Completions into turns of the neutral form. Called by chat_request.c for each
 * element; one table per role and per kind of content part.
 */
#include "translate/apis.h"
#include "translate/media.h"
#include "translate/request_members.h"

/* ---- content parts: into struct parts ---- */

static bool read_image_url(struct work *work, json_t *value, void *into);
static bool read_file(struct work *work, json_t *value, void *into);

static const struct member text_rows[] = {KNOW("type"), NEED("text", read_part_text),
                                          DROP("prompt_cache_breakpoint", NULL)};
static const struct member refusal_rows[] = {KNOW("type"), NEED("refusal", read_part_text)};
static const struct member image_rows[] = {KNOW("type"), NEED("image_url", read_image_url),
                                           DROP("prompt_cache_breakpoint", NULL)};
static const struct member file_rows[] = {KNOW("type"), NEED("file", read_file), DROP("prompt_cache_breakpoint", NULL)};

static const struct member image_url_rows[] = {
    NEED("url", media_read_url), DROP("detail", value_is_ordinary), /* Anthropic scales by itself */
};

static bool read_image_url(struct work *work, json_t *value, void *into)
{
    return work_read_members(work, value, MEMBERS(image_url_rows), into);
}

static const struct member file_object_rows[] = {
    REFUSE("file_id", NULL, "the file is at the provider it was uploaded to"),
    NEED("file_data", media_read_data_url),
    TAKE("filename", read_media_name),
};

static bool read_file(struct work *work, json_t *value, void *into)
{
    return work_read_members(work, value, MEMBERS(file_object_rows), into);
}

static bool read_text_part(struct work *work, json_t *object, void *into)
{
    return work_read_members(work, object, MEMBERS(text_rows), into);
}

static bool read_refusal_part(struct work *work, json_t *object, void *into)
{
    return work_read_members(work, object, MEMBERS(refusal_rows), into);
}

static bool read_image_part(struct work *work, json_t *object, void *into)
{
    struct part *part = conversation_add_part(work, into, PART_IMAGE);
    return work_read_members(work, object, MEMBERS(image_rows), &part->media);
}

static bool read_file_part(struct work *work, json_t *object, void *into)
{
    struct part *part = conversation_add_part(work, into, PART_FILE);
    return work_read_members(work, object, MEMBERS(file_rows), &part->media);
}

static const struct shape user_shapes[] = {
    {"text", read_text_part, NULL},
    {"image_url", read_image_part, NULL},
    {"file", read_file_part, NULL},
    {"input_audio", NULL, "audio has no equivalent"},
};
static const struct shape assistant_shapes[] = {
    {"text", read_text_part, NULL}, {"refusal", read_refusal_part, NULL}, /* what the model said, all the same */
};
static const struct shape text_shapes[] = {{"text", read_text_part, NULL}};

static bool read_user_part(struct work *work, json_t *object, void *into)
{
    return work_read_shape(work, object, SHAPES(user_shapes, "type", NULL, "this kind of content is unknown"), into);
}

static bool read_assistant_part(struct work *work, json_t *object, void *into)
{
    return work_read_shape(work, object, SHAPES(assistant_shapes, "type", NULL, "this kind of content is unknown"),
                           into);
}

static bool read_text_only_part(struct work *work, json_t *object, void *into)
{
    return work_read_shape(work, object, SHAPES(text_shapes, "type", NULL, "only text may stand here"), into);
}

/* ---- messages: into struct turn ---- */

static bool read_user_content(struct work *work, json_t *value, void *into)
{
    return read_content(work, value, read_user_part, &((struct turn *)into)->parts);
}

static bool read_assistant_content(struct work *work, json_t *value, void *into)
{
    return read_content(work, value, read_assistant_part, &((struct turn *)into)->parts);
}

static bool read_system_content(struct work *work, json_t *value, void *into)
{
    return read_content(work, value, read_text_only_part, &((struct turn *)into)->parts);
}

static bool read_refusal(struct work *work, json_t *value, void *into)
{
    return read_part_text(work, value, &((struct turn *)into)->parts);
}

/* `parsed_arguments` and `parsed`: what OpenAI's SDKs add to an answer that they parsed, and send back with it. */
static const struct member call_function_rows[] = {NEED("name", read_call_name), NEED("arguments", read_call_arguments),
                                                   KNOW("parsed_arguments")};

static bool read_call_function(struct work *work, json_t *value, void *into)
{
    return work_read_members(work, value, MEMBERS(call_function_rows), into);
}

static const struct member call_rows[] = {
    KNOW("type"), NEED("id", read_call_id), NEED("function", read_call_function),
    KNOW("index"), /* left over by clients that put streamed calls together */
};

static bool read_function_call(struct work *work, json_t *object, void *into)
{
    struct turn *turn = into;
    struct part *part = conversation_add_part(work, &turn->parts, PART_CALL);
    return work_read_members(work, object, MEMBERS(call_rows), part);
}

static const struct shape call_shapes[] = {
    {"function", read_function_call, NULL},
    {"custom", NULL, "calls with free text as input have no equivalent"},
};

static bool read_call(struct work *work, json_t *object, void *into)
{
    return work_read_shape(work, object, SHAPES(call_shapes, "type", "function", "this kind of call is unknown"), into);
}

static bool read_calls(struct work *work, json_t *value, void *into)
{
    return work_read_elements(work, value, read_call, into);
}

static const struct member system_rows[] = {KNOW("role"), NEED("content", read_system_content),
                                            DROP("name", value_is_empty)};
static const struct member user_rows[] = {KNOW("role"), NEED("content", read_user_content),
                                          DROP("name", value_is_empty)};
static const struct member assistant_rows[] = {
    KNOW("role"),
    TAKE("content", read_assistant_content),
    TAKE("refusal", read_refusal),
    TAKE("tool_calls", read_calls),
    KNOW("parsed"),
    DROP("name", value_is_empty),
    DROP("annotations", value_is_empty),
    DROP("reasoning_content", value_is_empty), /* of compatible providers: reasoning of earlier turns */
    DROP("reasoning", value_is_empty),
    REFUSE("audio", NULL, "an earlier answer in audio is at the provider that gave it"),
    REFUSE("function_call", NULL, "this old form of tool calls is not translated: use `tool_calls`"),
};

static bool read_system(struct work *work, json_t *message, void *into)
{
    (void)into;
    return work_read_members(work, message, MEMBERS(system_rows), conversation_add_turn(work, ROLE_SYSTEM));
}

static bool read_user_message(struct work *work, json_t *message, void *into)
{
    (void)into;
    return work_read_members(work, message, MEMBERS(user_rows), conversation_add_turn(work, ROLE_USER));
}

static bool read_assistant(struct work *work, json_t *message, void *into)
{
    (void)into;
    return work_read_members(work, message, MEMBERS(assistant_rows), conversation_add_turn(work, ROLE_ASSISTANT));
}

static bool read_result_content(struct work *work, json_t *value, void *into)
{
    return read_content(work, value, read_text_only_part, &((struct part *)into)->content);
}

static const struct member tool_rows[] = {
    KNOW("role"), NEED("tool_call_id", read_call_id), NEED("content", read_result_content),
    KNOW("name"), /* of the tool: the call says it */
};

static bool read_tool_message(struct work *work, json_t *message, void *into)
{
    struct turn *turn = conversation_add_turn(work, ROLE_USER);
    (void)into;
    return work_read_members(work, message, MEMBERS(tool_rows), conversation_add_part(work, &turn->parts, PART_RESULT));
}

static const struct shape message_shapes[] = {
    {"system", read_system, NULL},       {"developer", read_system, NULL},  {"user", read_user_message, NULL},
    {"assistant", read_assistant, NULL}, {"tool", read_tool_message, NULL},
};

bool chat_read_message(struct work *work, json_t *message, void *into)
{
    return work_read_shape(
        work, message, SHAPES(message_shapes, "role", NULL, "only system, developer, user, assistant and tool"), into);
}
