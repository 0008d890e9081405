/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client makes of an answer: assemblers of streams that follow the rules by which OpenAI's and Anthropic's own
 * SDKs put events together, stricter than those where an event would be out of place. They take any beginning of a
 * stream; `error` is set as soon as something is not well-formed. And one line that says what an answer means.
 */
#ifndef TESTS_UNIT_TRANSLATE_ANSWER_SDK_H
#define TESTS_UNIT_TRANSLATE_ANSWER_SDK_H

#include "base/json.h"
#include "translate/translate.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SDK_FLAGS = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL };

struct assembly {
    json_t *document;                  /* as the whole answer would have been */
    bool has_begun, is_final, is_over; /* is_final: the stop reason came; is_over: the last event came */
    const char *error;
    json_t *open; /* borrowed: the block or item in hand */
    json_int_t sequence;
};

static void fault(struct assembly *assembly, const char *error)
{
    if (!assembly->error)
        assembly->error = error;
}
#define MUST(condition) (void)((condition) ? 0 : (fault(assembly, #condition), 0))

static const char *text_of(json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static bool is_text(json_t *object, const char *name, const char *wanted)
{
    return strcmp(text_of(object, name), wanted) == 0;
}

/* object[name] += piece */
static void append(json_t *object, const char *name, json_t *piece)
{
    json_t *before = json_object_get(object, name);
    size_t length = json_string_length(before), more = json_string_length(piece);
    char *joined = malloc(length + more + 1);
    if (length)
        memcpy(joined, json_string_value(before), length);
    if (more)
        memcpy(joined + length, json_string_value(piece), more);
    json_object_set_new(object, name, json_stringn(joined, length + more));
    free(joined);
}

/* ---- OpenAI Chat ---- */

static void take_call(struct assembly *assembly, json_t *calls, json_t *delta)
{
    size_t index = (size_t)json_integer_value(json_object_get(delta, "index"));
    json_t *function = json_object_get(delta, "function");
    MUST(json_is_integer(json_object_get(delta, "index")) && index <= json_array_size(calls));
    if (index == json_array_size(calls)) {
        MUST(text_of(delta, "id")[0] && is_text(delta, "type", "function") && text_of(function, "name")[0]);
        json_array_append_new(calls, json_pack("{s:s,s:s,s:{s:s,s:s}}", "id", text_of(delta, "id"), "type", "function",
                                               "function", "name", text_of(function, "name"), "arguments", ""));
    } else {
        MUST(index + 1 == json_array_size(calls) && !json_object_get(delta, "id"));
    }
    append(json_object_get(json_array_get(calls, index), "function"), "arguments",
           json_object_get(function, "arguments"));
}

static void take_choice(struct assembly *assembly, json_t *choice)
{
    json_t *mine = json_array_get(json_object_get(assembly->document, "choices"), 0), *call;
    json_t *message = json_object_get(mine, "message"), *delta = json_object_get(choice, "delta");
    size_t i;
    MUST(!assembly->is_final && json_is_object(delta) && json_integer_value(json_object_get(choice, "index")) == 0);
    MUST(assembly->has_begun || is_text(delta, "role", "assistant"));
    assembly->has_begun = true;
    if (json_is_string(json_object_get(delta, "content")))
        append(message, "content", json_object_get(delta, "content"));
    if (json_is_string(json_object_get(delta, "refusal")))
        append(message, "refusal", json_object_get(delta, "refusal"));
    json_array_foreach(json_object_get(delta, "tool_calls"), i, call)
        take_call(assembly, json_object_get(message, "tool_calls"), call);
    if (json_is_string(json_object_get(choice, "finish_reason"))) {
        json_object_set(mine, "finish_reason", json_object_get(choice, "finish_reason"));
        assembly->is_final = true;
    }
}

static void take_chunk(struct assembly *assembly, const char *name, json_t *chunk)
{
    if (!assembly->document)
        assembly->document = json_pack("{s:s,s:s,s:[{s:{s:n,s:n,s:[]},s:n}]}", "id", text_of(chunk, "id"), "model",
                                       text_of(chunk, "model"), "choices", "message", "content", "refusal",
                                       "tool_calls", "finish_reason");
    MUST(name[0] == '\0' && is_text(chunk, "object", "chat.completion.chunk"));
    MUST(is_text(chunk, "id", text_of(assembly->document, "id")));
    MUST(is_text(chunk, "model", text_of(assembly->document, "model")));
    json_t *choices = json_object_get(chunk, "choices");
    MUST(json_is_array(choices) && json_array_size(choices) <= 1);
    if (json_array_size(choices) == 1)
        take_choice(assembly, json_array_get(choices, 0));
    else
        MUST(assembly->is_final && json_is_object(json_object_get(chunk, "usage")));
    if (json_is_object(json_object_get(chunk, "usage")))
        json_object_set(assembly->document, "usage", json_object_get(chunk, "usage"));
}

/* ---- Anthropic Messages ---- */

static void take_delta(struct assembly *assembly, json_t *delta)
{
    bool is_tool = is_text(assembly->open, "type", "tool_use");
    MUST(is_text(delta, "type", is_tool ? "input_json_delta" : "text_delta"));
    append(assembly->open, is_tool ? "partial_json" : "text",
           json_object_get(delta, is_tool ? "partial_json" : "text"));
}

static void close_block(struct assembly *assembly)
{
    json_t *partial = json_object_get(assembly->open, "partial_json");
    if (json_string_length(partial)) {
        json_t *input = json_loadb(json_string_value(partial), json_string_length(partial), SDK_FLAGS, NULL);
        if (!json_is_object(input)) {
            json_decref(input);
            input = json_pack("{s:O}", "INVALID_JSON", partial);
        }
        json_object_set_new(assembly->open, "input", input);
    }
    json_object_del(assembly->open, "partial_json");
    assembly->open = NULL;
}

static void take_message_event(struct assembly *assembly, const char *name, json_t *event)
{
    json_t *content = json_object_get(assembly->document, "content");
    size_t index = (size_t)json_integer_value(json_object_get(event, "index"));
    MUST(is_text(event, "type", name));
    if (strcmp(name, "message_start") == 0) {
        MUST(!assembly->has_begun);
        assembly->has_begun = true;
        json_decref(assembly->document);
        assembly->document = json_deep_copy(json_object_get(event, "message"));
        MUST(json_array_size(json_object_get(assembly->document, "content")) == 0);
        return;
    }
    MUST(assembly->has_begun && !assembly->is_over);
    if (strcmp(name, "content_block_start") == 0) {
        MUST(!assembly->open && !assembly->is_final && index == json_array_size(content));
        json_array_append_new(content, json_deep_copy(json_object_get(event, "content_block")));
        assembly->open = json_array_get(content, index);
        MUST(is_text(assembly->open, "type", "text") ||
             (is_text(assembly->open, "type", "tool_use") && text_of(assembly->open, "id")[0] &&
              text_of(assembly->open, "name")[0]));
    } else if (strcmp(name, "content_block_delta") == 0) {
        MUST(assembly->open && index + 1 == json_array_size(content));
        take_delta(assembly, json_object_get(event, "delta"));
    } else if (strcmp(name, "content_block_stop") == 0) {
        MUST(assembly->open && index + 1 == json_array_size(content));
        close_block(assembly);
    } else if (strcmp(name, "message_delta") == 0) {
        MUST(!assembly->open && !assembly->is_final);
        assembly->is_final = true;
        json_object_update(assembly->document, json_object_get(event, "delta"));
        json_object_update(json_object_get(assembly->document, "usage"), json_object_get(event, "usage"));
    } else if (strcmp(name, "message_stop") == 0) {
        MUST(assembly->is_final);
        assembly->is_over = true;
    } else {
        fault(assembly, "an unknown event");
    }
}

/* ---- OpenAI Responses ---- */

static bool is_event(const char *name, const char *end)
{
    return strcmp(name + strlen("response."), end) == 0;
}

static void take_item_event(struct assembly *assembly, const char *name, json_t *event)
{
    json_t *output = json_object_get(assembly->document, "output"), *item = json_object_get(event, "item");
    size_t index = (size_t)json_integer_value(json_object_get(event, "output_index"));
    if (is_event(name, "output_item.added")) {
        MUST(!assembly->open && index == json_array_size(output) && is_text(item, "status", "in_progress"));
        json_array_append_new(output, json_deep_copy(item));
        assembly->open = json_array_get(output, index);
        return;
    }
    MUST(assembly->open && index + 1 == json_array_size(output));
    json_object_set(assembly->open, "status", json_object_get(item, "status"));
    MUST(json_equal(assembly->open, item));
    assembly->open = NULL;
}

static void take_text_event(struct assembly *assembly, const char *name, json_t *event)
{
    json_t *parts = json_object_get(assembly->open, "content"), *part = json_array_get(parts, 0);
    MUST(assembly->open && is_text(event, "item_id", text_of(assembly->open, "id")));
    if (is_event(name, "content_part.added"))
        MUST(json_array_append_new(parts, json_deep_copy(json_object_get(event, "part"))) == 0);
    else if (is_event(name, "content_part.done"))
        MUST(json_equal(part, json_object_get(event, "part")));
    else if (is_event(name, "output_text.delta"))
        append(part, "text", json_object_get(event, "delta"));
    else if (is_event(name, "output_text.done"))
        MUST(json_equal(json_object_get(part, "text"), json_object_get(event, "text")));
    else if (is_event(name, "refusal.delta"))
        append(part, "refusal", json_object_get(event, "delta"));
    else if (is_event(name, "refusal.done"))
        MUST(json_equal(json_object_get(part, "refusal"), json_object_get(event, "refusal")));
    else if (is_event(name, "function_call_arguments.delta"))
        append(assembly->open, "arguments", json_object_get(event, "delta"));
    else if (is_event(name, "function_call_arguments.done"))
        MUST(json_equal(json_object_get(assembly->open, "arguments"), json_object_get(event, "arguments")));
    else
        fault(assembly, "an unknown event");
}

static void take_response_event(struct assembly *assembly, const char *name, json_t *event)
{
    json_t *response = json_object_get(event, "response");
    MUST(is_text(event, "type", name) && strncmp(name, "response.", 9) == 0 && !assembly->is_over);
    MUST(json_integer_value(json_object_get(event, "sequence_number")) == assembly->sequence);
    assembly->sequence++;
    if (assembly->error)
        return;
    if (assembly->sequence <= 2) {
        MUST(is_event(name, assembly->sequence == 1 ? "created" : "in_progress"));
        MUST(is_text(response, "status", "in_progress") && json_array_size(json_object_get(response, "output")) == 0);
        if (assembly->sequence == 1)
            assembly->document = json_deep_copy(response);
        assembly->has_begun = true;
    } else if (is_event(name, "completed") || is_event(name, "incomplete")) {
        MUST(!assembly->open && is_text(response, "status", name + strlen("response.")));
        MUST(json_equal(json_object_get(response, "output"), json_object_get(assembly->document, "output")));
        MUST(is_text(response, "id", text_of(assembly->document, "id")));
        json_decref(assembly->document);
        assembly->document = json_incref(response);
        assembly->is_final = assembly->is_over = true;
    } else if (strncmp(name, "response.output_item.", 21) == 0) {
        take_item_event(assembly, name, event);
    } else {
        take_text_event(assembly, name, event);
    }
}

/* ---- all of them ---- */

/* Takes "WORD: value\n" off. */
static bool take_field(struct slice *rest, const char *word, struct slice *ret_value)
{
    if (!slice_has_prefix(*rest, word))
        return false;
    const char *end = memchr(rest->data, '\n', rest->length);
    if (!end)
        return false;
    size_t length = strlen(word);
    *ret_value = (struct slice){rest->data + length, (size_t)(end - rest->data) - length};
    *rest = slice_from(*rest, (size_t)(end - rest->data) + 1);
    return true;
}

static void take_frame(struct assembly *assembly, enum api api, struct slice *rest)
{
    struct slice name = {"", 0}, data = {"", 0}, blank;
    char text[128];
    (void)take_field(rest, "event: ", &name);
    bool is_framed = take_field(rest, "data: ", &data) && take_field(rest, "", &blank) && blank.length == 0;
    MUST(is_framed && name.length < sizeof text && !assembly->is_over && !memchr(data.data, '\r', data.length));
    if (assembly->error)
        return;
    snprintf(text, sizeof text, SLICE_FORMAT, SLICE_ARGUMENTS(name));
    if (api == API_CHAT && slice_is(data, "[DONE]")) {
        MUST(assembly->is_final);
        assembly->is_over = true;
        return;
    }
    json_t *event = json_loadb(data.data, data.length, SDK_FLAGS, NULL);
    MUST(json_is_object(event));
    if (!assembly->error)
        (api == API_CHAT       ? take_chunk
         : api == API_MESSAGES ? take_message_event
                               : take_response_event)(assembly, text, event);
    json_decref(event);
}

static struct assembly assemble(enum api api, struct slice stream)
{
    struct assembly assembly = {0};
    while (stream.length && !assembly.error)
        take_frame(&assembly, api, &stream);
    return assembly;
}

/* ---- what it means ---- */

struct meaning {
    char text[8192];
};

static void say(struct meaning *meaning, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct meaning *meaning, const char *format, ...)
{
    size_t length = strlen(meaning->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(meaning->text + length, sizeof meaning->text - length, format, arguments);
    va_end(arguments);
}

static void say_text(struct meaning *meaning, const char *kind, json_t *string)
{
    say(meaning, "; %s ", kind);
    for (size_t i = 0; i < json_string_length(string); i++)
        if (json_string_value(string)[i])
            say(meaning, "%c", json_string_value(string)[i]);
        else
            say(meaning, "^@");
}

static void say_call(struct meaning *meaning, const char *id, const char *name, const char *arguments)
{
    bool is_valid = json_scan(slice_of(arguments), 64, NULL, 0, NULL) == 0;
    say(meaning, "; call %s %s %s%s", id, name, is_valid ? "" : "!", arguments);
}

static void say_counts(struct meaning *meaning, json_t *usage, const char *const *paths)
{
    if (!json_is_object(usage)) {
        say(meaning, "; -");
        return;
    }
    for (const char *const *path = paths; *path; path++) {
        char parent[64];
        const char *dot = strchr(*path, '.');
        snprintf(parent, sizeof parent, "%.*s", dot ? (int)(dot - *path) : 0, *path);
        json_t *object = dot ? json_object_get(usage, parent) : usage;
        json_t *count = json_object_get(object, dot ? dot + 1 : *path);
        say(meaning, "%s%lld", path == paths ? "; " : "/", json_is_integer(count) ? json_integer_value(count) : -1);
    }
}

static void say_completion(struct meaning *meaning, json_t *completion)
{
    static const char *const counts[] = {"prompt_tokens",
                                         "prompt_tokens_details.cached_tokens",
                                         "prompt_tokens_details.cache_write_tokens",
                                         "completion_tokens",
                                         "completion_tokens_details.reasoning_tokens",
                                         "total_tokens",
                                         NULL};
    json_t *choice = json_array_get(json_object_get(completion, "choices"), 0), *call;
    json_t *message = json_object_get(choice, "message"), *content = json_object_get(message, "content");
    json_t *calls = json_object_get(message, "tool_calls"), *refusal = json_object_get(message, "refusal");
    bool has_other = json_array_size(calls) || json_is_string(refusal);
    size_t i;
    if (json_is_string(content) && (json_string_length(content) || !has_other))
        say_text(meaning, "text", content);
    if (json_is_string(refusal))
        say_text(meaning, "refusal", refusal);
    json_array_foreach(calls, i, call)
        say_call(meaning, text_of(call, "id"), text_of(json_object_get(call, "function"), "name"),
                 text_of(json_object_get(call, "function"), "arguments"));
    say(meaning, "; %s", text_of(choice, "finish_reason"));
    say_counts(meaning, json_object_get(completion, "usage"), counts);
}

static void say_message(struct meaning *meaning, json_t *message)
{
    static const char *const counts[] = {"input_tokens",
                                         "cache_read_input_tokens",
                                         "cache_creation_input_tokens",
                                         "output_tokens",
                                         "output_tokens_details.thinking_tokens",
                                         NULL};
    json_t *block;
    size_t i;
    json_array_foreach(json_object_get(message, "content"), i, block)
    {
        if (is_text(block, "type", "text")) {
            say_text(meaning, "text", json_object_get(block, "text"));
            continue;
        }
        char *input = json_dumps(json_object_get(block, "input"), JSON_COMPACT | JSON_REAL_PRECISION(15));
        say_call(meaning, text_of(block, "id"), text_of(block, "name"), input ? input : "(none)");
        free(input);
    }
    say(meaning, "; %s", text_of(message, "stop_reason"));
    say_counts(meaning, json_object_get(message, "usage"), counts);
}

static void say_response(struct meaning *meaning, json_t *response)
{
    static const char *const counts[] = {"input_tokens",
                                         "input_tokens_details.cached_tokens",
                                         "input_tokens_details.cache_write_tokens",
                                         "output_tokens",
                                         "output_tokens_details.reasoning_tokens",
                                         "total_tokens",
                                         NULL};
    json_t *item, *details = json_object_get(response, "incomplete_details");
    size_t i;
    json_array_foreach(json_object_get(response, "output"), i, item)
    {
        json_t *content = json_array_get(json_object_get(item, "content"), 0);
        if (is_text(item, "type", "function_call"))
            say_call(meaning, text_of(item, "call_id"), text_of(item, "name"), text_of(item, "arguments"));
        else if (is_text(content, "type", "refusal"))
            say_text(meaning, "refusal", json_object_get(content, "refusal"));
        else
            say_text(meaning, "text", json_object_get(content, "text"));
        if (!is_text(item, "status", "completed"))
            say(meaning, " (%s)", text_of(item, "status"));
    }
    say(meaning, "; %s", text_of(response, "status"));
    if (json_is_object(details))
        say(meaning, " %s", text_of(details, "reason"));
    say_counts(meaning, json_object_get(response, "usage"), counts);
}

static struct meaning understand(enum api api, json_t *document)
{
    struct meaning meaning = {""};
    say(&meaning, "%s", text_of(document, "model"));
    (api == API_CHAT ? say_completion : api == API_MESSAGES ? say_message : say_response)(&meaning, document);
    return meaning;
}

#endif
