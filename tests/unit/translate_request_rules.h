/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The structural rules of the two targets, written down a second time and from their references, not from the writers:
 * what a provider would answer 400 to. Each returns NULL, or which rule is broken.
 */
#ifndef TESTS_UNIT_TRANSLATE_REQUEST_RULES_H
#define TESTS_UNIT_TRANSLATE_REQUEST_RULES_H

#include <ctype.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#define RULE(condition, text)                                                                                          \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            return (text);                                                                                             \
    } while (0)
#define RULE_OF(call)                                                                                                  \
    do {                                                                                                               \
        const char *rule_broken = (call);                                                                              \
        if (rule_broken)                                                                                               \
            return rule_broken;                                                                                        \
    } while (0)

static bool is_named(const json_t *value, size_t length_max)
{
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);
    if (!text || length == 0 || length > length_max)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_' && text[i] != '-')
            return false;
    return true;
}

static bool has_visible(const json_t *value)
{
    const char *text = json_string_value(value);
    for (size_t i = 0; text && i < json_string_length(value); i++)
        if (!strchr(" \t\r\n", text[i]) || !text[i])
            return true;
    return false;
}

static bool is_word(const json_t *value, const char *const *words)
{
    for (; json_is_string(value) && *words; words++)
        if (strcmp(json_string_value(value), *words) == 0)
            return true;
    return false;
}
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static bool has_only(const json_t *object, const char *const *names)
{
    const char *name;
    json_t *value, *copy = json_copy((json_t *)(uintptr_t)object);
    bool all = json_is_object(object);
    json_object_foreach(copy, name, value)
    {
        bool found = false;
        for (const char *const *at = names; *at; at++)
            found |= strcmp(*at, name) == 0;
        all &= found;
    }
    json_decref(copy);
    return all;
}

static bool is_within(const json_t *value, double max)
{
    return !value || (json_is_number(value) && json_number_value(value) >= 0 && json_number_value(value) <= max);
}

#define GET(object, name) json_object_get((object), (name))
#define EACH(array, element)                                                                                           \
    for (size_t each_##element = 0; each_##element < json_array_size(array); each_##element++)                         \
        for (json_t *element = json_array_get(array, each_##element); element; element = NULL)

/* ---- Anthropic Messages ---- */

static const char *rules_of_media(const json_t *block, bool is_image)
{
    const json_t *source = GET(block, "source");
    if (is_word(GET(source, "type"), WORDS("url"))) {
        RULE(has_only(source, WORDS("type", "url")), "members of a URL source");
        RULE(json_is_string(GET(source, "url")) &&
                 strncasecmp(json_string_value(GET(source, "url")), "https://", 8) == 0,
             "https");
        return NULL;
    }
    RULE(is_word(GET(source, "type"), WORDS("base64")), "type of source");
    RULE(has_only(source, WORDS("type", "media_type", "data")), "members of a base64 source");
    RULE(json_string_length(GET(source, "data")) > 0, "data");
    if (is_image)
        RULE(is_word(GET(source, "media_type"), WORDS("image/jpeg", "image/png", "image/gif", "image/webp")),
             "image type");
    else
        RULE(is_word(GET(source, "media_type"), WORDS("application/pdf")), "document type");
    return NULL;
}

static const char *rules_of_simple_block(const json_t *block)
{
    if (is_word(GET(block, "type"), WORDS("text"))) {
        RULE(has_only(block, WORDS("type", "text")), "members of a text");
        RULE(has_visible(GET(block, "text")), "blank text");
        return NULL;
    }
    if (is_word(GET(block, "type"), WORDS("image")))
        return rules_of_media(block, true);
    RULE(is_word(GET(block, "type"), WORDS("document")), "type of block");
    RULE(has_only(block, WORDS("type", "source", "title")), "members of a document");
    return rules_of_media(block, false);
}

static const char *rules_of_result(const json_t *block, json_t *open)
{
    const json_t *content = GET(block, "content");
    RULE(has_only(block, WORDS("type", "tool_use_id", "content", "is_error")), "members of a result");
    RULE(is_named(GET(block, "tool_use_id"), 64), "id of a result");
    RULE(json_object_del(open, json_string_value(GET(block, "tool_use_id"))) == 0, "result without a call");
    if (!content || json_is_string(content)) {
        RULE(!content || has_visible(content), "blank result");
        return NULL;
    }
    RULE(json_array_size(content) > 0, "empty result");
    EACH(content, part)
    RULE_OF(rules_of_simple_block(part));
    return NULL;
}

static const char *rules_of_call(const json_t *block, json_t *open, json_t *used, const json_t *tools)
{
    RULE(has_only(block, WORDS("type", "id", "name", "input")), "members of a call");
    RULE(is_named(GET(block, "id"), 64), "id of a call");
    RULE(is_named(GET(block, "name"), 128), "name of a call");
    RULE(json_is_object(GET(block, "input")), "input");
    RULE(!json_object_get(used, json_string_value(GET(block, "id"))), "ids are unique");
    json_object_set_new(used, json_string_value(GET(block, "id")), json_true());
    json_object_set_new(open, json_string_value(GET(block, "id")), json_true());
    bool is_defined = false;
    EACH(tools, tool)
    is_defined |= json_equal(GET(tool, "name"), GET(block, "name"));
    RULE(is_defined, "a called tool is defined");
    return NULL;
}

static const char *rules_of_turn(const json_t *message, json_t *open, json_t *used, const json_t *tools)
{
    const json_t *content = GET(message, "content");
    bool is_user = is_word(GET(message, "role"), WORDS("user")), saw_other = false;
    RULE(has_only(message, WORDS("role", "content")), "members of a message");
    if (json_is_string(content)) {
        RULE(has_visible(content), "blank message");
        RULE(!is_user || json_object_size(open) == 0, "a call without a result");
        return NULL;
    }
    RULE(json_array_size(content) > 0, "content is a string or a filled array");
    EACH(content, block)
    {
        if (is_word(GET(block, "type"), WORDS("tool_use"))) {
            RULE(!is_user, "calls are the assistant's");
            RULE_OF(rules_of_call(block, open, used, tools));
        } else if (is_word(GET(block, "type"), WORDS("tool_result"))) {
            RULE(is_user && !saw_other, "results come first, of the user");
            RULE_OF(rules_of_result(block, open));
        } else {
            RULE_OF(rules_of_simple_block(block));
            saw_other = true;
        }
    }
    RULE(!is_user || json_object_size(open) == 0, "a call without a result");
    return NULL;
}

static const char *rules_of_turns(const json_t *body, json_t *open, json_t *used)
{
    const json_t *messages = GET(body, "messages");
    bool is_user = true;
    RULE(json_array_size(messages) > 0, "messages");
    EACH(messages, message)
    {
        RULE(is_word(GET(message, "role"), WORDS(is_user ? "user" : "assistant")), "turns alternate, the user's first");
        RULE_OF(rules_of_turn(message, open, used, GET(body, "tools")));
        is_user = !is_user;
    }
    RULE(json_object_size(open) == 0, "a call at the end");
    return NULL;
}

static const char *rules_of_messages_tools(const json_t *body)
{
    const json_t *tools = GET(body, "tools"), *choice = GET(body, "tool_choice");
    bool is_named_tool = false;
    RULE(!tools || json_array_size(tools) > 0, "tools is filled");
    EACH(tools, tool)
    {
        RULE(has_only(tool, WORDS("name", "description", "input_schema")), "members of a tool");
        RULE(is_named(GET(tool, "name"), 128), "name of a tool");
        RULE(is_word(GET(GET(tool, "input_schema"), "type"), WORDS("object")), "schema of a tool");
        is_named_tool |= json_equal(GET(tool, "name"), GET(choice, "name"));
        EACH(tools, other)
        RULE(tool == other || !json_equal(GET(tool, "name"), GET(other, "name")), "two tools of one name");
    }
    RULE(!choice || tools, "tool_choice without tools");
    RULE(!choice || is_word(GET(choice, "type"), WORDS("auto", "any", "none", "tool")), "tool_choice");
    RULE(!is_word(GET(choice, "type"), WORDS("tool")) || is_named_tool, "chosen tool");
    return NULL;
}

static const char *rules_of_messages(const json_t *body)
{
    json_t *open = json_object(), *used = json_object();
    const char *broken = rules_of_turns(body, open, used);
    json_decref(open);
    json_decref(used);
    RULE_OF(broken);
    RULE(has_only(body, WORDS("model", "max_tokens", "system", "messages", "tools", "tool_choice", "temperature",
                              "top_p", "top_k", "stop_sequences", "stream", "metadata")),
         "members of the request");
    RULE(json_is_string(GET(body, "model")), "model");
    RULE(json_integer_value(GET(body, "max_tokens")) > 0, "max_tokens");
    RULE(!GET(body, "system") || has_visible(GET(body, "system")), "system");
    RULE(is_within(GET(body, "temperature"), 1), "temperature");
    RULE(is_within(GET(body, "top_p"), 1), "top_p");
    RULE(!GET(body, "top_p") || !GET(body, "temperature"), "temperature and top_p");
    RULE(!GET(body, "stream") || json_is_true(GET(body, "stream")), "stream");
    EACH(GET(body, "stop_sequences"), stop)
    RULE(has_visible(stop), "blank stop");
    return rules_of_messages_tools(body);
}

/* ---- Chat Completions ---- */

static const char *rules_of_chat_calls(const json_t *message, json_t *open)
{
    const json_t *calls = GET(message, "tool_calls");
    RULE(!calls || json_array_size(calls) > 0, "tool_calls is filled");
    EACH(calls, call)
    {
        const char *id = json_string_value(GET(call, "id"));
        RULE(id && *id && strlen(id) <= 40, "id of a call");
        RULE(!json_object_get(open, id), "two calls of one id");
        RULE(is_word(GET(call, "type"), WORDS("function")), "type of a call");
        RULE(is_named(GET(GET(call, "function"), "name"), 64), "name of a call");
        RULE(json_string_length(GET(GET(call, "function"), "arguments")) > 0, "arguments");
        json_object_set_new(open, id, json_true());
    }
    RULE(calls || json_is_string(GET(message, "content")), "an assistant says something");
    return NULL;
}

static const char *rules_of_chat_part(const json_t *part)
{
    if (is_word(GET(part, "type"), WORDS("text"))) {
        RULE(json_is_string(GET(part, "text")), "text");
    } else if (is_word(GET(part, "type"), WORDS("image_url"))) {
        RULE(json_string_length(GET(GET(part, "image_url"), "url")) > 5, "url");
    } else {
        RULE(is_word(GET(part, "type"), WORDS("file")), "type of part");
        RULE(json_string_length(GET(GET(part, "file"), "file_data")) > 5, "file_data");
        RULE(json_string_length(GET(GET(part, "file"), "filename")) > 0, "filename");
    }
    return NULL;
}

static const char *rules_of_chat_message(const json_t *message, json_t *open)
{
    const json_t *content = GET(message, "content");
    if (is_word(GET(message, "role"), WORDS("tool"))) {
        RULE(json_is_string(GET(message, "tool_call_id")) && json_is_string(content), "tool message");
        RULE(json_object_del(open, json_string_value(GET(message, "tool_call_id"))) == 0, "result without a call");
        return NULL;
    }
    RULE(json_object_size(open) == 0, "a call without a result");
    if (is_word(GET(message, "role"), WORDS("assistant")))
        return rules_of_chat_calls(message, open);
    RULE(is_word(GET(message, "role"), WORDS("system", "user")), "role");
    RULE(json_is_string(content) || (json_array_size(content) > 0 && is_word(GET(message, "role"), WORDS("user"))),
         "content");
    EACH(content, part)
    RULE_OF(rules_of_chat_part(part));
    return NULL;
}

static const char *rules_of_chat_messages(const json_t *messages, json_t *open)
{
    RULE(json_array_size(messages) > 0, "messages");
    EACH(messages, message)
    RULE_OF(rules_of_chat_message(message, open));
    RULE(json_object_size(open) == 0, "a call at the end");
    return NULL;
}

static const char *rules_of_chat_tools(const json_t *body)
{
    const json_t *tools = GET(body, "tools");
    RULE(!tools || (json_array_size(tools) > 0 && json_array_size(tools) <= 128), "count of tools");
    EACH(tools, tool)
    {
        const json_t *function = GET(tool, "function");
        RULE(is_named(GET(function, "name"), 64), "name of a tool");
        RULE(!GET(function, "parameters") || json_is_object(GET(function, "parameters")), "parameters");
    }
    RULE(!GET(body, "tool_choice") || tools, "tool_choice without tools");
    RULE(!GET(body, "parallel_tool_calls") || tools, "parallel_tool_calls without tools");
    return NULL;
}

static const char *rules_of_chat(const json_t *body)
{
    json_t *open = json_object();
    const char *broken = rules_of_chat_messages(GET(body, "messages"), open);
    json_decref(open);
    RULE_OF(broken);
    RULE(has_only(body, WORDS("model", "messages", "tools", "tool_choice", "parallel_tool_calls", "response_format",
                              "stop", "temperature", "top_p", "user", "max_tokens", "max_completion_tokens", "stream",
                              "stream_options")),
         "members of the request");
    RULE(json_array_size(GET(body, "stop")) <= 4, "count of stops");
    RULE(is_within(GET(body, "temperature"), 2), "temperature");
    RULE(is_within(GET(body, "top_p"), 1), "top_p");
    RULE(!GET(body, "stream") || json_is_true(GET(GET(body, "stream_options"), "include_usage")), "include_usage");
    return rules_of_chat_tools(body);
}

#endif
