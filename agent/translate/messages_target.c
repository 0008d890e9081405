/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a settled conversation as a request of Anthropic Messages. Called through the table of translate.c.
 *
 * What Anthropic wants beyond the neutral order ("Create a Message", "Tool use", "Vision", "PDF support"): the first
 * turn is a user's; no blank texts; max_tokens always; temperature up to 1; schemas of tools that are objects; every
 * tool that earlier turns call is defined.
 */
#include "base/json.h"
#include "translate/apis.h"
#include "translate/media.h"

enum { NAME_LENGTH_MAX = 128, USER_LENGTH_MAX = 256, ARGUMENTS_DEPTH_MAX = 128 };

/* ---- blocks ---- */

static json_t *add_block(json_t *content, const char *type)
{
    json_t *block = tree_add(content, json_object());
    tree_put_text(block, "type", slice_of(type));
    return block;
}

static void write_text(json_t *content, struct slice text)
{
    tree_put_text(add_block(content, "text"), "text", text);
}

static bool is_https(struct slice url)
{
    return url.length > 8 && slice_is_like((struct slice){url.data, 8}, "https://");
}

static bool write_source(struct work *work, json_t *block, const struct part *part)
{
    const struct media *media = &part->media;
    if (media->url.length && !is_https(media->url))
        return work_refuse_at(work, part->place, "only https URLs can be given");
    json_t *source = tree_put(block, "source", json_object());
    tree_put_text(source, "type", slice_of(media->url.length ? "url" : "base64"));
    if (media->url.length) {
        tree_put_text(source, "url", media->url);
    } else {
        tree_put_text(source, "media_type", media->type);
        tree_put_text(source, "data", media->data);
    }
    return true;
}

static bool write_image(struct work *work, json_t *content, const struct part *part)
{
    static const char *const types[] = {"image/jpeg", "image/png", "image/gif", "image/webp"};
    bool is_known = part->media.url.length > 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        is_known |= slice_is(part->media.type, types[i]);
    if (!is_known)
        return work_refuse_at(work, part->place, "only JPEG, PNG, GIF and WebP images can be given");
    return write_source(work, add_block(content, "image"), part);
}

static bool write_file(struct work *work, json_t *content, const struct part *part)
{
    if (!part->media.url.length && !slice_is(part->media.type, "application/pdf"))
        return work_refuse_at(work, part->place, "only PDF files can be given");
    json_t *block = add_block(content, "document");
    if (part->media.name.length)
        tree_put_text(block, "title", part->media.name);
    return write_source(work, block, part);
}

static bool is_shallow(struct slice text)
{
    return json_scan(text, ARGUMENTS_DEPTH_MAX, NULL, 0, NULL) == ERROR_OK;
}

/* Arguments that came as text must be an object here. An empty text is what some providers say for none. */
static json_t *parse_arguments(struct work *work, const struct part *part)
{
    if (part->input)
        return part->input;
    if (part->arguments.length == 0)
        return tree_add(work->owned, json_object());
    json_t *input = is_shallow(part->arguments) ? tree_parse(part->arguments, NULL) : NULL;
    if (input)
        tree_add(work->owned, input);
    if (!json_is_object(input))
        work_refuse_at(work, part->place, "its arguments are not a JSON object");
    return json_is_object(input) ? input : NULL;
}

static bool write_call(struct work *work, json_t *content, const struct part *part)
{
    json_t *input = parse_arguments(work, part);
    if (!input)
        return false;
    json_t *block = add_block(content, "tool_use");
    tree_put_text(block, "id", part->id);
    tree_put_text(block, "name", part->name);
    tree_put_copy(block, "input", input);
    return true;
}

static bool write_media_or_text(struct work *work, json_t *content, const struct part *part)
{
    if (part->kind == PART_IMAGE)
        return write_image(work, content, part);
    if (part->kind == PART_FILE)
        return write_file(work, content, part);
    write_text(content, part->text);
    return true;
}

static bool write_result(struct work *work, json_t *content, const struct part *result)
{
    json_t *block = add_block(content, "tool_result");
    tree_put_text(block, "tool_use_id", result->id);
    if (result->is_error)
        tree_put(block, "is_error", json_true());
    const struct part *first = result->content.first;
    if (!first)
        return true; /* `content` is optional, and may not be blank */
    if (!first->next && first->kind == PART_TEXT) {
        tree_put_text(block, "content", first->text);
        return true;
    }
    json_t *blocks = tree_put(block, "content", json_array());
    for (const struct part *part = first; part; part = part->next)
        if (!write_media_or_text(work, blocks, part))
            return false;
    return true;
}

/* ---- turns ---- */

static bool write_turn(struct work *work, json_t *messages, const struct turn *turn)
{
    json_t *message = tree_add(messages, json_object());
    tree_put_text(message, "role", slice_of(turn->role == ROLE_USER ? "user" : "assistant"));
    const struct part *first = turn->parts.first;
    if (!first->next && first->kind == PART_TEXT) {
        tree_put_text(message, "content", first->text);
        return true;
    }
    json_t *content = tree_put(message, "content", json_array());
    for (const struct part *part = first; part; part = part->next) {
        bool is_written = part->kind == PART_CALL     ? write_call(work, content, part)
                          : part->kind == PART_RESULT ? write_result(work, content, part)
                                                      : write_media_or_text(work, content, part);
        if (!is_written)
            return false;
    }
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* An assistant turn at the end is what the answer begins with, and may not end in white space. */
static void trim_last(struct conversation *conversation)
{
    struct part *part = conversation->last->role == ROLE_ASSISTANT ? conversation->last->parts.last : NULL;
    if (!part || part->kind != PART_TEXT)
        return;
    while (part->text.length && is_space(part->text.data[part->text.length - 1]))
        part->text.length--;
}

static bool write_turns(struct work *work, json_t *body)
{
    struct conversation *conversation = &work->conversation;
    const struct turn *turn = conversation->first;
    struct parts system = {0};
    if (turn->role == ROLE_SYSTEM) {
        system = turn->parts;
        turn = turn->next;
    }
    /* JSON mode, which Anthropic has not: OpenAI wants the word JSON in the conversation with it, so that the model
     * knows already what it shall write; this adds that it is all it shall write. */
    if (conversation->format == FORMAT_JSON_OBJECT)
        conversation_add_text(work, &system,
                              slice_of("Answer with one valid JSON object and nothing else: no text "
                                       "before or after it, no code fence."));
    if (system.first)
        tree_put_text(body, "system", target_join_text(work, &system));
    if (!turn)
        return work_refuse_at(work, "", "there is no turn of a user");
    if (turn->role != ROLE_USER)
        return work_refuse_at(work, turn->place, "a conversation begins with a user's turn there");
    trim_last(conversation);
    json_t *messages = tree_put(body, "messages", json_array());
    for (; turn; turn = turn->next)
        if (!write_turn(work, messages, turn))
            return false;
    return true;
}

/* ---- tools ---- */

/* input_schema has "type": "object", and no choice among schemas at its top. */
static bool write_schema(struct work *work, json_t *tool, json_t *schema, const char *place)
{
    static const char *const choices[] = {"anyOf", "oneOf", "allOf"};
    const json_t *type = tree_get(schema, "type");
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++)
        if (tree_get(schema, choices[i]))
            return work_refuse_at(work, place, "a schema with anyOf, oneOf or allOf at its top cannot be given");
    if (type && !tree_is(type, "object"))
        return work_refuse_at(work, place, "only a schema of type object can be given");
    json_t *input = tree_put(tool, "input_schema", schema ? json_copy(schema) : json_object());
    if (!type)
        tree_put_text(input, "type", slice_of("object"));
    if (!schema)
        tree_put(input, "properties", json_object());
    return true;
}

static json_t *add_tool(json_t *tools, struct slice name, struct slice description)
{
    json_t *tool = tree_add(tools, json_object());
    tree_put_text(tool, "name", name);
    if (description.length)
        tree_put_text(tool, "description", description);
    return tool;
}

/* `strict` is dropped: models of before 2025-11 refuse it as an unknown member, and all keep to their schemas well. */
static bool write_defined_tools(struct work *work, json_t *tools)
{
    for (const struct tool *tool = work->conversation.tools; tool; tool = tool->next) {
        if (!write_schema(work, add_tool(tools, tool->name, tool->description), tool->schema, tool->place))
            return false;
        if (tool->is_strict)
            work_drop(work, "tools.strict");
    }
    return true;
}

/* A structured answer is a call of one tool that must be called: its arguments are the answer. */
static bool write_schema_tool(struct work *work, json_t *tools, json_t *body)
{
    const struct conversation *conversation = &work->conversation;
    if (conversation->tools)
        return work_refuse_at(work, conversation->format_place, "a schema for the answer cannot be given beside tools");
    struct slice name = conversation->schema_name;
    if (!target_check_name(work, conversation->format_place, name, NAME_LENGTH_MAX))
        return false;
    json_t *tool = add_tool(tools, name, conversation->schema_description);
    if (!write_schema(work, tool, conversation->schema, conversation->format_place))
        return false;
    json_t *choice = tree_put(body, "tool_choice", json_object());
    tree_put_text(choice, "type", slice_of("tool"));
    tree_put_text(choice, "name", name);
    tree_put(choice, "disable_parallel_tool_use", json_true());
    work->wants_json_schema = true;
    return true;
}

/* Tools that earlier turns call and the request no longer defines: they must be defined, and may not be called. */
static void write_former_tools(struct work *work, json_t *tools, json_t *body)
{
    json_t *names = tree_add(work->owned, json_object());
    for (size_t i = 0; i < json_array_size(tools); i++)
        tree_put_copy(names, json_string_value(tree_get(json_array_get(tools, i), "name")), json_array_get(tools, i));
    bool has_tools = json_array_size(tools) > 0;
    for (const struct turn *turn = work->conversation.first; turn; turn = turn->next) {
        for (const struct part *part = turn->parts.first; part; part = part->next) {
            if (part->kind != PART_CALL || json_object_getn(names, part->name.data, part->name.length))
                continue;
            json_t *tool = add_tool(tools, part->name, (struct slice){NULL, 0});
            tree_put_text(tree_put(tool, "input_schema", json_object()), "type", slice_of("object"));
            tree_put_copy(names, json_string_value(tree_get(tool, "name")), tool);
        }
    }
    if (!has_tools && json_array_size(tools) > 0)
        tree_put_text(tree_put(body, "tool_choice", json_object()), "type", slice_of("none"));
}

static void write_choice(const struct conversation *conversation, json_t *body)
{
    static const char *const types[] = {[CHOICE_UNSAID] = "auto",
                                        [CHOICE_NONE] = "none",
                                        [CHOICE_AUTO] = "auto",
                                        [CHOICE_REQUIRED] = "any",
                                        [CHOICE_NAMED] = "tool"};
    if (conversation->choice == CHOICE_UNSAID && !conversation->is_serial)
        return;
    json_t *choice = tree_put(body, "tool_choice", json_object());
    tree_put_text(choice, "type", slice_of(types[conversation->choice]));
    if (conversation->choice == CHOICE_NAMED)
        tree_put_text(choice, "name", conversation->choice_name);
    if (conversation->is_serial && conversation->choice != CHOICE_NONE)
        tree_put(choice, "disable_parallel_tool_use", json_true());
}

static bool write_tools(struct work *work, json_t *body)
{
    const struct conversation *conversation = &work->conversation;
    if (!target_check_tools(work, NAME_LENGTH_MAX))
        return false;
    json_t *tools = tree_add(work->owned, json_array());
    if (!write_defined_tools(work, tools))
        return false;
    if (conversation->tools)
        write_choice(conversation, body);
    if (conversation->format == FORMAT_JSON_SCHEMA && !write_schema_tool(work, tools, body))
        return false;
    write_former_tools(work, tools, body);
    if (json_array_size(tools) > 0)
        tree_put_copy(body, "tools", tools);
    return true;
}

/* ---- the request ---- */

static bool write_stop(struct work *work, json_t *body)
{
    const struct conversation *conversation = &work->conversation;
    if (conversation->stop_count == 0)
        return true;
    json_t *stop = tree_put(body, "stop_sequences", json_array());
    for (size_t i = 0; i < conversation->stop_count; i++) {
        struct slice text = tree_text(conversation->stop[i]);
        if (strspn(text.data, " \t\r\n") == text.length)
            return work_refuse_at(work, conversation->stop_place, "a stop sequence of white space cannot be given");
        tree_add(stop, json_incref(conversation->stop[i]));
    }
    return true;
}

/* OpenAI's temperatures reach 2. Of temperature and top_p, newer models take one alone ("cannot both be specified");
 * OpenAI, too, recommends to change one of them. */
static void write_sampling(struct work *work, json_t *body)
{
    const struct conversation *conversation = &work->conversation;
    json_t *temperature = conversation->temperature, *top_p = conversation->top_p;
    if (top_p && json_number_value(top_p) >= 1)
        top_p = NULL;
    if (temperature && json_number_value(temperature) > 1) {
        tree_put(body, "temperature", json_integer(1));
        work_drop(work, "temperature above 1");
    } else if (temperature) {
        tree_put_copy(body, "temperature", temperature);
    }
    if (top_p && temperature)
        work_drop(work, "top_p");
    else if (top_p)
        tree_put_copy(body, "top_p", top_p);
    if (conversation->top_k)
        tree_put_copy(body, "top_k", conversation->top_k);
    if (conversation->user.length > USER_LENGTH_MAX)
        work_drop(work, "user");
    else if (conversation->user.length)
        tree_put_text(tree_put(body, "metadata", json_object()), "user_id", conversation->user);
}

static bool write_output_max(struct work *work, json_t *body)
{
    int64_t tokens_max = work->conversation.output_tokens_max;
    if (!tokens_max && work->request->output_tokens_max <= INT64_MAX)
        tokens_max = (int64_t)work->request->output_tokens_max;
    if (!tokens_max)
        return work_refuse_at(work, "", "it names no limit of output tokens");
    tree_put(body, "max_tokens", json_integer(tokens_max));
    return true;
}

bool messages_write_request(struct work *work, json_t *body)
{
    tree_put_text(body, "model", slice_of(work->request->model));
    if (!write_output_max(work, body) || !write_turns(work, body) || !write_tools(work, body) ||
        !write_stop(work, body))
        return false;
    write_sampling(work, body);
    if (work->conversation.is_streaming)
        tree_put(body, "stream", json_true());
    return true;
}
