/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads `input` of OpenAI Responses into turns of the neutral form: a string, or items (messages, function calls, their
 * outputs). Called by responses_request.c. Each item becomes a turn; neighbours are merged when turns are settled.
 */
#include "translate/apis.h"
#include "translate/media.h"
#include "translate/request_members.h"

/* ---- content parts: into struct parts ---- */

static const struct member text_rows[] = {
    KNOW("type"),
    NEED("text", read_part_text),
    KNOW("parsed"),                      /* by OpenAI's SDKs, which send it back: the text says it */
    DROP("annotations", value_is_empty), /* where an earlier answer's text came from */
    DROP("logprobs", value_is_empty),
    DROP("prompt_cache_breakpoint", NULL),
};
static const struct member refusal_rows[] = {KNOW("type"), NEED("refusal", read_part_text)};
static const struct member image_rows[] = {
    KNOW("type"),
    REFUSE("file_id", NULL, "the file is at the provider it was uploaded to"),
    NEED("image_url", media_read_url),
    DROP("detail", value_is_ordinary),
    DROP("prompt_cache_breakpoint", NULL),
};

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

static const struct member file_rows[] = {
    KNOW("type"),
    REFUSE("file_id", NULL, "the file is at the provider it was uploaded to"),
    TAKE("file_url", media_read_url),
    TAKE("file_data", media_read_data_url),
    TAKE("filename", read_media_name),
    DROP("detail", value_is_ordinary),
    DROP("prompt_cache_breakpoint", NULL),
};

static bool read_file_part(struct work *work, json_t *object, void *into)
{
    struct part *part = conversation_add_part(work, into, PART_FILE);
    if (!work_read_members(work, object, MEMBERS(file_rows), &part->media))
        return false;
    return part->media.url.length || part->media.data.length || work_reject_member(work, "file_data", "is required");
}

static const struct shape content_shapes[] = {
    {"input_text", read_text_part, NULL}, {"output_text", read_text_part, NULL},
    {"text", read_text_part, NULL}, /* of compatible clients */
    {"refusal", read_refusal_part, NULL}, {"input_image", read_image_part, NULL},
    {"input_file", read_file_part, NULL}, {"input_audio", NULL, "audio has no equivalent"},
};
static const struct shape text_shapes[] = {
    {"input_text", read_text_part, NULL},
    {"output_text", read_text_part, NULL},
    {"text", read_text_part, NULL},
    {"refusal", read_refusal_part, NULL},
};

static bool read_content_part(struct work *work, json_t *object, void *into)
{
    return work_read_shape(work, object, SHAPES(content_shapes, "type", NULL, "this kind of content is unknown"), into);
}

static bool read_text_only_part(struct work *work, json_t *object, void *into)
{
    return work_read_shape(work, object, SHAPES(text_shapes, "type", NULL, "only text may stand here"), into);
}

static bool read_any_content(struct work *work, json_t *value, void *into)
{
    return read_content(work, value, read_content_part, into);
}

static bool read_text_content(struct work *work, json_t *value, void *into)
{
    return read_content(work, value, read_text_only_part, into);
}

/* ---- messages ---- */

static const struct member user_rows[] = {
    KNOW("type"), KNOW("id"), KNOW("status"), KNOW("role"), NEED("content", read_any_content), DROP("phase", NULL)};
static const struct member text_message_rows[] = {
    KNOW("type"), KNOW("id"), KNOW("status"), KNOW("role"), NEED("content", read_text_content), DROP("phase", NULL)};

static bool read_turn(struct work *work, json_t *item, struct members rows, enum role role)
{
    return work_read_members(work, item, rows, &conversation_add_turn(work, role)->parts);
}

static bool read_user_message(struct work *work, json_t *item, void *into)
{
    (void)into;
    return read_turn(work, item, MEMBERS(user_rows), ROLE_USER);
}

static bool read_assistant_message(struct work *work, json_t *item, void *into)
{
    (void)into;
    return read_turn(work, item, MEMBERS(text_message_rows), ROLE_ASSISTANT);
}

static bool read_system_message(struct work *work, json_t *item, void *into)
{
    (void)into;
    return read_turn(work, item, MEMBERS(text_message_rows), ROLE_SYSTEM);
}

static const struct shape role_shapes[] = {
    {"user", read_user_message, NULL},
    {"assistant", read_assistant_message, NULL},
    {"system", read_system_message, NULL},
    {"developer", read_system_message, NULL},
};

static bool read_message(struct work *work, json_t *item, void *into)
{
    return work_read_shape(work, item, SHAPES(role_shapes, "role", NULL, "only user, assistant, system and developer"),
                           into);
}

/* ---- calls and outputs ---- */

static bool read_output(struct work *work, json_t *value, void *into)
{
    return read_content(work, value, read_content_part, &((struct part *)into)->content);
}

static const struct member call_rows[] = {
    KNOW("type"),
    KNOW("id"),
    KNOW("status"),
    NEED("call_id", read_call_id),
    NEED("name", read_call_name),
    NEED("arguments", read_call_arguments),
    KNOW("parsed_arguments"), /* by OpenAI's SDKs */
    REFUSE("namespace", value_is_empty, "names of tools in a namespace have no equivalent"),
    REFUSE("caller", value_is_direct, "calls by the provider's own code have no equivalent"),
};
static const struct member output_rows[] = {
    KNOW("type"),
    KNOW("id"),
    KNOW("status"),
    NEED("call_id", read_call_id),
    NEED("output", read_output),
    KNOW("name"), /* the call says it */
    REFUSE("namespace", value_is_empty, "names of tools in a namespace have no equivalent"),
    REFUSE("caller", value_is_direct, "calls by the provider's own code have no equivalent"),
};

static bool read_call(struct work *work, json_t *item, void *into)
{
    struct turn *turn = conversation_add_turn(work, ROLE_ASSISTANT);
    (void)into;
    return work_read_members(work, item, MEMBERS(call_rows), conversation_add_part(work, &turn->parts, PART_CALL));
}

static bool read_call_output(struct work *work, json_t *item, void *into)
{
    struct turn *turn = conversation_add_turn(work, ROLE_USER);
    (void)into;
    return work_read_members(work, item, MEMBERS(output_rows), conversation_add_part(work, &turn->parts, PART_RESULT));
}

static const struct shape item_shapes[] = {
    {"message", read_message, NULL},
    {"function_call", read_call, NULL},
    {"function_call_output", read_call_output, NULL},
    {"reasoning", NULL, NULL}, /* of earlier turns: encrypted for the provider that made it */
    {"item_reference", NULL, "the item is at the provider that keeps it"},
    {"compaction", NULL, "a summary that only its provider can read"},
    {"custom_tool_call", NULL, "calls with free text as input have no equivalent"},
    {"custom_tool_call_output", NULL, "calls with free text as input have no equivalent"},
};

static bool read_item(struct work *work, json_t *item, void *into)
{
    /* "message" may be left out, and so may "item_reference": what has no role is one */
    bool is_reference =
        json_is_object(item) && !tree_get(item, "type") && !tree_get(item, "role") && tree_get(item, "id");
    return work_read_shape(work, item,
                           SHAPES(item_shapes, "type", is_reference ? "item_reference" : "message",
                                  "an item of a tool that the provider defines or runs, or of an unknown kind"),
                           into);
}

bool responses_read_input(struct work *work, json_t *input, void *into)
{
    if (json_is_string(input))
        return read_part_text(work, input, &conversation_add_turn(work, ROLE_USER)->parts);
    return json_is_array(input) ? work_read_elements(work, input, read_item, into)
                                : work_reject(work, "must be a string or an array");
}
