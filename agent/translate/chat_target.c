/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a settled conversation as a request of OpenAI Chat Completions, in the form that compatible providers take
 * too: system messages (not developer), content as a string where it is text alone, no member that is not needed.
 * Called through the table of translate.c.
 */
#include "translate/apis.h"
#include "translate/media.h"

/* OpenAI, "Create chat completion": 128 tools, names of 64, 4 stop sequences; users of 64 (its error
 * string_above_max_length says so). */
enum { NAME_LENGTH_MAX = 64, TOOL_COUNT_MAX = 128, CHAT_STOP_COUNT_MAX = 4, USER_LENGTH_MAX = 64 };

/* ---- content ---- */

static json_t *add_message(json_t *messages, const char *role)
{
    json_t *message = tree_add(messages, json_object());
    tree_put_text(message, "role", slice_of(role));
    return message;
}

static json_t *add_content_part(json_t *content, const char *type)
{
    json_t *part = tree_add(content, json_object());
    tree_put_text(part, "type", slice_of(type));
    return part;
}

static void write_text(json_t *content, struct slice text)
{
    tree_put_text(add_content_part(content, "text"), "text", text);
}

static void write_image(struct work *work, json_t *content, const struct part *part)
{
    json_t *image = tree_put(add_content_part(content, "image_url"), "image_url", json_object());
    tree_put_text(image, "url", media_format_url(work, &part->media));
}

static bool write_file(struct work *work, json_t *content, const struct part *part)
{
    if (part->media.url.length)
        return work_refuse_at(work, part->place, "a file can only be given as data");
    json_t *file = tree_put(add_content_part(content, "file"), "file", json_object());
    tree_put_text(file, "filename", part->media.name.length ? part->media.name : slice_of("document.pdf"));
    tree_put_text(file, "file_data", media_format_url(work, &part->media));
    return true;
}

static bool write_part(struct work *work, json_t *content, const struct part *part)
{
    switch (part->kind) {
    case PART_TEXT:
        write_text(content, part->text);
        return true;
    case PART_IMAGE:
        write_image(work, content, part);
        return true;
    case PART_FILE:
        return write_file(work, content, part);
    case PART_CALL:
    case PART_RESULT:
        return true; /* are messages, or members of one */
    }
    return true;
}

/* ---- turns ---- */

/* A tool message is text alone: images and files of a result follow in the user's message, under its id. */
static void write_result(struct work *work, json_t *messages, const struct part *result)
{
    json_t *message = add_message(messages, "tool");
    struct slice text = target_join_text(work, &result->content);
    if (text.length == 0 && result->content.first)
        text = slice_of("The result follows in the next message.");
    tree_put_text(message, "tool_call_id", result->id);
    tree_put_text(message, "content", text);
    if (result->is_error)
        work_drop(work, "is_error"); /* the text says it, or nothing does */
}

static bool write_result_media(struct work *work, json_t *content, const struct part *result)
{
    if (target_has_only_text(&result->content))
        return true;
    write_text(content, slice_of(arena_printf(work->arena, "From the result of tool call " SLICE_FORMAT ":",
                                              SLICE_ARGUMENTS(result->id))));
    for (const struct part *part = result->content.first; part; part = part->next)
        if (part->kind != PART_TEXT && !write_part(work, content, part))
            return false;
    return true;
}

static bool write_user(struct work *work, json_t *messages, const struct turn *turn)
{
    json_t *content = tree_add(work->owned, json_array());
    for (const struct part *part = turn->parts.first; part; part = part->next) {
        if (part->kind == PART_RESULT)
            write_result(work, messages, part);
        if (part->kind == PART_RESULT ? !write_result_media(work, content, part) : !write_part(work, content, part))
            return false;
    }
    if (json_array_size(content) == 0)
        return true;
    json_t *message = add_message(messages, "user"), *first = json_array_get(content, 0);
    bool is_one_text = json_array_size(content) == 1 && tree_is(tree_get(first, "type"), "text");
    tree_put_copy(message, "content", is_one_text ? tree_get(first, "text") : content);
    return true;
}

static void write_call(struct work *work, json_t *calls, const struct part *part)
{
    json_t *call = tree_add(calls, json_object());
    tree_put_text(call, "id", part->id);
    tree_put_text(call, "type", slice_of("function"));
    json_t *function = tree_put(call, "function", json_object());
    tree_put_text(function, "name", part->name);
    struct slice arguments = part->input ? tree_write_arena(part->input, work->arena) : part->arguments;
    tree_put_text(function, "arguments", arguments.length ? arguments : slice_of("{}"));
}

static void write_assistant(struct work *work, json_t *messages, const struct turn *turn)
{
    json_t *message = add_message(messages, "assistant"), *calls = NULL;
    struct slice text = target_join_text(work, &turn->parts);
    tree_put(message, "content", text.length ? tree_new_text(text) : json_null());
    for (const struct part *part = turn->parts.first; part; part = part->next) {
        if (part->kind != PART_CALL)
            continue;
        if (!calls)
            calls = tree_put(message, "tool_calls", json_array());
        write_call(work, calls, part);
    }
}

static bool write_turns(struct work *work, json_t *messages)
{
    const struct conversation *conversation = &work->conversation;
    const struct turn *last = conversation->last;
    if (conversation->continues_last && last->role == ROLE_ASSISTANT)
        return work_refuse_at(work, last->place, "the beginning of an answer cannot be given");
    for (const struct turn *turn = conversation->first; turn; turn = turn->next) {
        if (turn->role == ROLE_SYSTEM)
            tree_put_text(add_message(messages, "system"), "content", target_join_text(work, &turn->parts));
        else if (turn->role == ROLE_ASSISTANT)
            write_assistant(work, messages, turn);
        else if (!write_user(work, messages, turn))
            return false;
    }
    return true;
}

/* ---- tools and formats ---- */

static void write_tool(json_t *tools, const struct tool *tool)
{
    json_t *object = tree_add(tools, json_object());
    tree_put_text(object, "type", slice_of("function"));
    json_t *function = tree_put(object, "function", json_object());
    tree_put_text(function, "name", tool->name);
    if (tool->description.length)
        tree_put_text(function, "description", tool->description);
    if (tool->schema)
        tree_put_copy(function, "parameters", tool->schema);
    if (tool->is_strict)
        tree_put(function, "strict", json_true());
}

static void write_choice(const struct conversation *conversation, json_t *body)
{
    static const char *const words[] = {[CHOICE_NONE] = "none", [CHOICE_AUTO] = "auto", [CHOICE_REQUIRED] = "required"};
    if (conversation->choice == CHOICE_NAMED) {
        json_t *choice = tree_put(body, "tool_choice", json_object());
        tree_put_text(choice, "type", slice_of("function"));
        tree_put_text(tree_put(choice, "function", json_object()), "name", conversation->choice_name);
    } else if (conversation->choice != CHOICE_UNSAID) {
        tree_put_text(body, "tool_choice", slice_of(words[conversation->choice]));
    }
    if (conversation->is_serial)
        tree_put(body, "parallel_tool_calls", json_false());
}

static bool write_tools(struct work *work, json_t *body)
{
    const struct conversation *conversation = &work->conversation;
    if (!target_check_tools(work, NAME_LENGTH_MAX))
        return false;
    if (conversation->tool_count > TOOL_COUNT_MAX)
        return work_refuse_at(work, "tools", "at most 128 tools can be given");
    if (!conversation->tools)
        return true; /* OpenAI refuses tool_choice and parallel_tool_calls without tools */
    json_t *tools = tree_put(body, "tools", json_array());
    for (const struct tool *tool = conversation->tools; tool; tool = tool->next)
        write_tool(tools, tool);
    write_choice(conversation, body);
    return true;
}

static bool write_format(struct work *work, json_t *body)
{
    const struct conversation *conversation = &work->conversation;
    if (conversation->format == FORMAT_TEXT)
        return true;
    json_t *format = tree_put(body, "response_format", json_object());
    if (conversation->format == FORMAT_JSON_OBJECT) {
        tree_put_text(format, "type", slice_of("json_object"));
        return true;
    }
    if (!target_check_name(work, conversation->format_place, conversation->schema_name, NAME_LENGTH_MAX))
        return false;
    tree_put_text(format, "type", slice_of("json_schema"));
    json_t *schema = tree_put(format, "json_schema", json_object());
    tree_put_text(schema, "name", conversation->schema_name);
    if (conversation->schema_description.length)
        tree_put_text(schema, "description", conversation->schema_description);
    tree_put_copy(schema, "schema", conversation->schema);
    if (conversation->is_schema_strict)
        tree_put(schema, "strict", json_true());
    return true;
}

/* ---- the request ---- */

static bool write_stop(struct work *work, json_t *body)
{
    const struct conversation *conversation = &work->conversation;
    if (conversation->stop_count == 0)
        return true;
    if (conversation->stop_count > CHAT_STOP_COUNT_MAX)
        return work_refuse_at(work, conversation->stop_place, "at most 4 stop sequences can be given");
    json_t *stop = tree_put(body, "stop", json_array());
    for (size_t i = 0; i < conversation->stop_count; i++)
        tree_add(stop, json_incref(conversation->stop[i]));
    return true;
}

static void write_sampling(struct work *work, json_t *body)
{
    const struct conversation *conversation = &work->conversation;
    if (conversation->temperature)
        tree_put_copy(body, "temperature", conversation->temperature);
    if (conversation->top_p)
        tree_put_copy(body, "top_p", conversation->top_p);
    if (conversation->top_k)
        work_drop(work, "top_k");
    if (conversation->user.length > USER_LENGTH_MAX)
        work_drop(work, "user");
    else if (conversation->user.length)
        tree_put_text(body, "user", conversation->user);
    if (conversation->output_tokens_max)
        tree_put(body, work->request->output_max_member ? work->request->output_max_member : "max_tokens",
                 json_integer(conversation->output_tokens_max));
}

bool chat_write_request(struct work *work, json_t *body)
{
    tree_put_text(body, "model", slice_of(work->request->model));
    if (!write_turns(work, tree_put(body, "messages", json_array())) || !write_tools(work, body) ||
        !write_format(work, body) || !write_stop(work, body))
        return false;
    write_sampling(work, body);
    if (work->conversation.is_streaming) {
        tree_put(body, "stream", json_true());
        tree_put(tree_put(body, "stream_options", json_object()), "include_usage", json_true());
    }
    return true;
}
