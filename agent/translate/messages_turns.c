/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads `system` and the messages of Anthropic Messages into turns of the neutral form. Called by messages_request.c;
 * one table per role and per kind of content block.
 */
#include "translate/apis.h"
#include "translate/media.h"
#include "translate/request_members.h"

/* ---- sources of images and documents: into struct media ---- */

static bool read_media_type(struct work *work, json_t *value, void *into)
{
    return read_text(work, value, &((struct media *)into)->type);
}

static bool read_data(struct work *work, json_t *value, void *into)
{
    struct media *media = into;
    return read_text(work, value, &media->data) && (media->data.length > 0 || work_reject(work, "is empty"));
}

static const struct member base64_rows[] = {KNOW("type"), NEED("media_type", read_media_type), NEED("data", read_data)};
static const struct member url_rows[] = {KNOW("type"), NEED("url", media_read_url)};

static bool read_base64(struct work *work, json_t *object, void *into)
{
    return work_read_members(work, object, MEMBERS(base64_rows), into);
}

static bool read_url(struct work *work, json_t *object, void *into)
{
    return work_read_members(work, object, MEMBERS(url_rows), into);
}

static const struct shape image_source_shapes[] = {
    {"base64", read_base64, NULL},
    {"url", read_url, NULL},
    {"file", NULL, "the file is at the provider it was uploaded to"},
};

static bool read_image_source(struct work *work, json_t *value, void *into)
{
    return work_read_shape(work, value, SHAPES(image_source_shapes, "type", NULL, "this source is unknown"), into);
}

/* ---- blocks: into struct parts ---- */

static const struct member text_rows[] = {
    KNOW("type"), NEED("text", read_part_text), DROP("cache_control", NULL),
    DROP("citations", value_is_empty), /* where an earlier answer's text came from */
};
static const struct member image_rows[] = {KNOW("type"), NEED("source", read_image_source),
                                           DROP("cache_control", NULL)};

static bool read_text_block(struct work *work, json_t *object, void *into)
{
    return work_read_members(work, object, MEMBERS(text_rows), into);
}

static bool read_image_block(struct work *work, json_t *object, void *into)
{
    struct part *part = conversation_add_part(work, into, PART_IMAGE);
    return work_read_members(work, object, MEMBERS(image_rows), &part->media);
}

/* A document is a file, or, when it is text or made of blocks, what it says; its title and context stand before it. */
struct document {
    struct parts *parts;
    struct slice title;
};

static bool is_disabled(const json_t *value)
{
    return json_is_false(tree_get(value, "enabled"));
}

static bool read_title(struct work *work, json_t *value, void *into)
{
    return read_text(work, value, &((struct document *)into)->title);
}

static bool read_context(struct work *work, json_t *value, void *into)
{
    return read_part_text(work, value, ((struct document *)into)->parts);
}

static bool read_file_source(struct work *work, json_t *object, struct members rows, struct document *document)
{
    struct part *part = conversation_add_part(work, document->parts, PART_FILE);
    part->media.name = document->title;
    return work_read_members(work, object, rows, &part->media);
}

static bool read_base64_source(struct work *work, json_t *object, void *into)
{
    return read_file_source(work, object, MEMBERS(base64_rows), into);
}

static bool read_url_source(struct work *work, json_t *object, void *into)
{
    return read_file_source(work, object, MEMBERS(url_rows), into);
}

static const struct member text_source_rows[] = {KNOW("type"), KNOW("media_type"), NEED("data", read_part_text)};

static bool read_text_source(struct work *work, json_t *object, void *into)
{
    struct document *document = into;
    conversation_add_text(work, document->parts, document->title);
    return work_read_members(work, object, MEMBERS(text_source_rows), document->parts);
}

static const struct shape content_source_shapes[] = {{"text", read_text_block, NULL},
                                                     {"image", read_image_block, NULL}};

static bool read_source_block(struct work *work, json_t *object, void *into)
{
    return work_read_shape(work, object, SHAPES(content_source_shapes, "type", NULL, "this kind of content is unknown"),
                           into);
}

static bool read_source_content(struct work *work, json_t *value, void *into)
{
    return json_is_string(value) ? read_part_text(work, value, into)
                                 : work_read_elements(work, value, read_source_block, into);
}

static const struct member content_source_rows[] = {KNOW("type"), NEED("content", read_source_content)};

static bool read_content_source(struct work *work, json_t *object, void *into)
{
    struct document *document = into;
    conversation_add_text(work, document->parts, document->title);
    return work_read_members(work, object, MEMBERS(content_source_rows), document->parts);
}

static const struct shape document_source_shapes[] = {
    {"base64", read_base64_source, NULL},
    {"url", read_url_source, NULL},
    {"text", read_text_source, NULL},
    {"content", read_content_source, NULL},
    {"file", NULL, "the file is at the provider it was uploaded to"},
};

static bool read_document_source(struct work *work, json_t *value, void *into)
{
    return work_read_shape(work, value, SHAPES(document_source_shapes, "type", NULL, "this source is unknown"), into);
}

static const struct member document_rows[] = {
    KNOW("type"),
    TAKE("title", read_title),
    TAKE("context", read_context),
    NEED("source", read_document_source),
    DROP("cache_control", NULL),
    REFUSE("citations", is_disabled, "an answer with citations has no equivalent"),
};

static bool read_document_block(struct work *work, json_t *object, void *into)
{
    struct document document = {.parts = into};
    return work_read_members(work, object, MEMBERS(document_rows), &document);
}

/* ---- calls and results ---- */

static bool read_input(struct work *work, json_t *value, void *into)
{
    return read_object(work, value, &((struct part *)into)->input);
}

static const struct member call_rows[] = {
    KNOW("type"),
    NEED("id", read_call_id),
    NEED("name", read_call_name),
    NEED("input", read_input),
    DROP("cache_control", NULL),
    REFUSE("caller", value_is_direct, "calls by the provider's own code have no equivalent"),
};

static bool read_call_block(struct work *work, json_t *object, void *into)
{
    return work_read_members(work, object, MEMBERS(call_rows), conversation_add_part(work, into, PART_CALL));
}

static const struct shape result_shapes[] = {
    {"text", read_text_block, NULL},
    {"image", read_image_block, NULL},
    {"document", read_document_block, NULL},
    {"search_result", NULL, "search results with citations have no equivalent"},
    {"tool_reference", NULL, "a search among tools by the provider has no equivalent"},
};

static bool read_result_part(struct work *work, json_t *object, void *into)
{
    return work_read_shape(work, object, SHAPES(result_shapes, "type", NULL, "this kind of content is unknown"), into);
}

static bool read_result_content(struct work *work, json_t *value, void *into)
{
    return read_content(work, value, read_result_part, &((struct part *)into)->content);
}

static bool read_is_error(struct work *work, json_t *value, void *into)
{
    return read_boolean(work, value, &((struct part *)into)->is_error);
}

static const struct member result_rows[] = {
    KNOW("type"),
    NEED("tool_use_id", read_call_id),
    TAKE("content", read_result_content),
    TAKE("is_error", read_is_error),
    DROP("cache_control", NULL),
};

static bool read_result_block(struct work *work, json_t *object, void *into)
{
    return work_read_members(work, object, MEMBERS(result_rows), conversation_add_part(work, into, PART_RESULT));
}

/* ---- messages ---- */

static const struct shape user_shapes[] = {
    {"text", read_text_block, NULL},
    {"image", read_image_block, NULL},
    {"document", read_document_block, NULL},
    {"tool_result", read_result_block, NULL},
    {"search_result", NULL, "search results with citations have no equivalent"},
    {"container_upload", NULL, "the container is at the provider that made it"},
    {"mid_conv_system", NULL, "system blocks inside a user's turn are not translated"},
};
/* Reasoning of earlier turns is signed by the provider that made it, and worth nothing to another. */
static const struct shape assistant_shapes[] = {
    {"text", read_text_block, NULL}, {"tool_use", read_call_block, NULL},
    {"thinking", NULL, NULL},        {"redacted_thinking", NULL, NULL},
    {"fallback", NULL, NULL},        {"compaction", NULL, "a summary that only its provider can read"},
};
static const struct shape system_shapes[] = {{"text", read_text_block, NULL}};
static const char runs_there[] = "content of tools that the provider runs, or of an unknown kind";

static bool read_user_block(struct work *work, json_t *object, void *into)
{
    return work_read_shape(work, object, SHAPES(user_shapes, "type", NULL, runs_there), into);
}

static bool read_assistant_block(struct work *work, json_t *object, void *into)
{
    return work_read_shape(work, object, SHAPES(assistant_shapes, "type", NULL, runs_there), into);
}

static bool read_system_block(struct work *work, json_t *object, void *into)
{
    return work_read_shape(work, object, SHAPES(system_shapes, "type", NULL, "only text may stand here"), into);
}

bool messages_read_system(struct work *work, json_t *system, void *into)
{
    (void)into;
    return read_content(work, system, read_system_block, &conversation_add_turn(work, ROLE_SYSTEM)->parts);
}

static bool read_user_content(struct work *work, json_t *value, void *into)
{
    return read_content(work, value, read_user_block, into);
}

static bool read_assistant_content(struct work *work, json_t *value, void *into)
{
    return read_content(work, value, read_assistant_block, into);
}

static bool read_system_content(struct work *work, json_t *value, void *into)
{
    return read_content(work, value, read_system_block, into);
}

static const struct member user_rows[] = {KNOW("role"), NEED("content", read_user_content)};
static const struct member assistant_rows[] = {KNOW("role"), NEED("content", read_assistant_content)};
static const struct member system_rows[] = {KNOW("role"), NEED("content", read_system_content)};

static bool read_message(struct work *work, json_t *message, enum role role, struct members rows)
{
    return work_read_members(work, message, rows, &conversation_add_turn(work, role)->parts);
}

static bool read_user_message(struct work *work, json_t *message, void *into)
{
    (void)into;
    return read_message(work, message, ROLE_USER, MEMBERS(user_rows));
}

static bool read_assistant_message(struct work *work, json_t *message, void *into)
{
    (void)into;
    return read_message(work, message, ROLE_ASSISTANT, MEMBERS(assistant_rows));
}

static bool read_system_message(struct work *work, json_t *message, void *into)
{
    (void)into;
    return read_message(work, message, ROLE_SYSTEM, MEMBERS(system_rows));
}

static const struct shape message_shapes[] = {
    {"user", read_user_message, NULL},
    {"assistant", read_assistant_message, NULL},
    {"system", read_system_message, NULL}, /* in the middle: newer models take it */
};

bool messages_read_message(struct work *work, json_t *message, void *into)
{
    return work_read_shape(work, message, SHAPES(message_shapes, "role", NULL, "only user, assistant and system"),
                           into);
}
