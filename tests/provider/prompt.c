/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of requests; see prompt.h. Texts are found by the members that carry them in any dialect (text, content,
 * parts, output), which is looser than the providers are: a stand-in need not refuse an unknown part type.
 */
#include "tests/provider/prompt.h"

#include "tests/provider/buffer.h"
#include "tests/provider/tools.h"

#include <stdio.h>
#include <string.h>

#define TEXT_DEPTH_MAX 6

struct text_walk {
    size_t bytes;
    struct prompt *prompt;       /* NULL: count only */
    struct behaviour *behaviour; /* where directives go */
    bool asks_tool;
};

static void text_visit(struct text_walk *walk, const char *text, size_t length)
{
    walk->bytes += length;
    if (!walk->prompt)
        return;
    directives_scan(text, length, walk->behaviour);
    if (memmem(text, length, "use the tool", 12))
        walk->asks_tool = true;
    for (const char *close; length > 1 && memcmp(text, "[[", 2) == 0 && (close = memmem(text, length, "]]", 2));) {
        length -= (size_t)(close + 2 - text);
        text = close + 2;
        while (length && *text == ' ')
            text++, length--;
    }
    const char *open = memmem(text, length, "[[", 2);
    size_t plain = open ? (size_t)(open - text) : length;
    while (plain && (text[plain - 1] == ' ' || text[plain - 1] == '\n'))
        plain--;
    if (plain && !walk->prompt->said[0])
        text_copy_plain(walk->prompt->said, sizeof walk->prompt->said, text, plain);
}

static void text_find(struct text_walk *walk, const json_t *value, int depth)
{
    static const char *const members[] = {"text", "content", "parts", "output", "arguments"};
    if (depth > TEXT_DEPTH_MAX)
        return;
    if (json_is_string(value))
        text_visit(walk, json_string_value(value), json_string_length(value));
    for (size_t i = 0; i < json_array_size(value); i++)
        text_find(walk, json_array_get(value, i), depth + 1);
    if (json_is_object(value))
        for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
            text_find(walk, json_object_get(value, members[i]), depth + 1);
}

static uint32_t tokens_get(size_t bytes)
{
    return (uint32_t)((bytes + 3) / 4);
}

static uint32_t message_count_tokens(const json_t *message)
{
    struct text_walk walk = {0};
    text_find(&walk, message, 0);
    return tokens_get(walk.bytes) + 3;
}

static bool message_is_user(const json_t *message)
{
    const char *role = json_string_value(json_object_get(message, "role"));
    return !json_is_object(message) || (role ? strcmp(role, "user") == 0 : !json_object_get(message, "type"));
}

/* The last user message: what is echoed, what the directives are taken from, whether it asks for a tool. */
static bool last_user_read(const json_t *messages, struct prompt *prompt, struct behaviour *behaviour)
{
    struct text_walk walk = {.prompt = prompt, .behaviour = behaviour};
    const json_t *last = messages;
    if (json_is_array(messages)) {
        last = NULL;
        for (size_t i = json_array_size(messages); i > 0 && !last; i--)
            if (message_is_user(json_array_get(messages, i - 1)))
                last = json_array_get(messages, i - 1);
    }
    text_find(&walk, last, 0);
    return walk.asks_tool;
}

static void messages_read(const json_t *messages, struct prompt *prompt)
{
    prompt->inputs = 1;
    if (!json_is_array(messages)) {
        prompt->tokens += message_count_tokens(messages);
        return;
    }
    if (json_is_integer(json_array_get(messages, 0))) {
        prompt->tokens += (uint32_t)json_array_size(messages);
        return;
    }
    prompt->inputs = (uint32_t)json_array_size(messages);
    for (size_t i = 0; i < json_array_size(messages); i++)
        prompt->tokens += message_count_tokens(json_array_get(messages, i));
}

static uint32_t number_get(const json_t *value, uint32_t fallback)
{
    json_int_t number = json_integer_value(value);
    return json_is_integer(value) && number >= 0 && number < BEHAVIOUR_UNSET ? (uint32_t)number : fallback;
}

static bool format_is_json(const json_t *root, const json_t *config)
{
    const json_t *formats[] = {
        json_object_get(json_object_get(root, "response_format"), "type"),
        json_object_get(json_object_get(json_object_get(root, "text"), "format"), "type"),
        json_object_get(config, "responseMimeType"),
    };
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        const char *format = json_string_value(formats[i]);
        if (format && (strncmp(format, "json", 4) == 0 || strcmp(format, "application/json") == 0))
            return true;
    }
    return false;
}

static void options_read(const struct prompt_shape *shape, const json_t *root, struct prompt *prompt)
{
    const json_t *config = shape->config ? json_object_get(root, shape->config) : root;
    const json_t *options = json_object_get(root, "stream_options");
    const char *encoding = json_string_value(json_object_get(root, "encoding_format"));
    prompt->stream = json_is_true(json_object_get(root, "stream"));
    prompt->stream_options = options && !json_is_null(options);
    prompt->include_usage = json_is_true(json_object_get(options, "include_usage"));
    prompt->base64 = encoding && strcmp(encoding, "base64") == 0;
    prompt->dimensions = number_get(json_object_get(root, "dimensions"), 1536);
    prompt->json_mode = format_is_json(root, config);
    prompt->choices = shape->choices ? number_get(json_object_get(config, shape->choices), 1) : 1;
    for (size_t i = 0; i < 2 && prompt->tokens_max == BEHAVIOUR_UNSET; i++)
        if (shape->limits[i])
            prompt->tokens_max = number_get(json_object_get(config, shape->limits[i]), BEHAVIOUR_UNSET);
}

static bool refuse_missing(const struct prompt_shape *shape, const char *name, char *message,
                           struct refusal *ret_refusal)
{
    snprintf(message, 160, "%s%s%s", shape->missing[0], name, shape->missing[1]);
    *ret_refusal = (struct refusal){.problem = problem_bad_request, .message = message, .param = name};
    return false;
}

bool prompt_read(const struct prompt_shape *shape, const json_t *root, struct prompt *prompt,
                 struct behaviour *behaviour, char *message, struct refusal *ret_refusal)
{
    prompt->tokens_max = BEHAVIOUR_UNSET;
    const json_t *messages = json_object_get(root, shape->messages);
    const json_t *model = shape->model ? json_object_get(root, shape->model) : NULL;
    if (json_is_string(model))
        text_copy_plain(prompt->model, sizeof prompt->model, json_string_value(model), json_string_length(model));
    options_read(shape, root, prompt);
    bool asks_tool = last_user_read(messages, prompt, behaviour);
    if (shape->model && !prompt->model[0])
        return refuse_missing(shape, shape->model, message, ret_refusal);
    if (!(json_is_array(messages) && json_array_size(messages)) && !json_is_string(messages) &&
        !json_is_object(messages))
        return refuse_missing(shape, shape->messages, message, ret_refusal);
    if (shape->limit_required && prompt->tokens_max == BEHAVIOUR_UNSET)
        return refuse_missing(shape, shape->limits[0], message, ret_refusal);
    if (prompt->choices < 1 || prompt->choices > 16 || prompt->tokens_max == 0 || prompt->dimensions < 1 ||
        prompt->dimensions > 4096) {
        *ret_refusal = (struct refusal){.problem = problem_bad_request, .message = "A number is out of its range."};
        return false;
    }
    messages_read(messages, prompt);
    const json_t *system = shape->system ? json_object_get(root, shape->system) : NULL;
    if (system && !json_is_null(system))
        prompt->tokens += message_count_tokens(system);
    const json_t *tools = json_object_get(root, "tools");
    prompt->tokens += tokens_get(tools_count_bytes(tools));
    if (asks_tool && !tools_is_result(messages))
        prompt->use_tool = tools_read_first(tools, prompt->tool_name, sizeof prompt->tool_name, prompt->tool_arguments,
                                            sizeof prompt->tool_arguments);
    return true;
}
