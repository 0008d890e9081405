/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of requests; see prompt.h. Texts are found by the members that carry them in any dialect (text, content,
 * parts, output), which is looser than the providers are: a stand-in need not refuse an unknown part type.
 */
#include "tests/provider/prompt.h"

#include "tests/provider/buffer.h"
#include "tests/provider/tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_DEPTH_MAX 6

struct text_walk {
    size_t bytes, characters;
    uint32_t images;
    struct prompt *prompt;       /* NULL: count only */
    struct behaviour *behaviour; /* where directives go */
    bool asks_tool;
};

static void text_visit(struct text_walk *walk, const char *text, size_t length)
{
    walk->bytes += length;
    for (size_t i = 0; i < length; i++)
        walk->characters += ((unsigned char)text[i] & 0xc0) != 0x80;
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

/* An image by URL, by data URL, as base64 or as a file, in whichever dialect. */
static bool part_is_image(const json_t *part)
{
    static const char *const types[] = {"image_url", "input_image", "image"};
    static const char *const members[] = {"inlineData", "inline_data", "fileData", "file_data"};
    const char *type = json_string_value(json_object_get(part, "type"));
    for (size_t i = 0; type && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i], type) == 0)
            return true;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (json_is_object(json_object_get(part, members[i])))
            return true;
    return false;
}

/* Calls itself, as deep as TEXT_DEPTH_MAX. */
static void text_find(struct text_walk *walk, const json_t *value, int depth)
{
    static const char *const members[] = {"text", "content", "parts", "output", "arguments"};
    if (depth > TEXT_DEPTH_MAX)
        return;
    if (json_is_string(value))
        text_visit(walk, json_string_value(value), json_string_length(value));
    for (size_t i = 0; i < json_array_size(value); i++)
        text_find(walk, json_array_get(value, i), depth + 1);
    if (part_is_image(value))
        walk->images++;
    else if (json_is_object(value))
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
    return tokens_get(walk.bytes) + 3 + PROMPT_IMAGE_TOKENS * walk.images;
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
    prompt->characters = (uint32_t)walk.characters;
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

/* The schema that the answer is to fit; NULL: none. */
static const json_t *schema_find(const json_t *root, const json_t *config)
{
    const json_t *schemas[] = {
        json_object_get(json_object_get(json_object_get(root, "response_format"), "json_schema"), "schema"),
        json_object_get(json_object_get(json_object_get(root, "text"), "format"), "schema"),
        json_object_get(json_object_get(root, "output_format"), "schema"),
        json_object_get(json_object_get(json_object_get(root, "output_config"), "format"), "schema"),
        json_object_get(config, "responseSchema"),
        json_object_get(config, "responseJsonSchema"),
    };
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++)
        if (json_is_object(schemas[i]))
            return schemas[i];
    return NULL;
}

static void word_read(const json_t *root, const char *name, char *field, size_t field_bytes)
{
    const json_t *value = json_object_get(root, name);
    if (json_is_string(value))
        text_copy_plain(field, field_bytes, json_string_value(value), json_string_length(value));
}

static void words_read(const json_t *root, struct prompt *prompt)
{
    word_read(root, "previous_response_id", prompt->previous, sizeof prompt->previous);
    word_read(root, "size", prompt->size, sizeof prompt->size);
    word_read(root, "quality", prompt->quality, sizeof prompt->quality);
    word_read(root, "response_format", prompt->format, sizeof prompt->format);
    word_read(root, "stream_format", prompt->format, sizeof prompt->format);
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
    prompt->background = json_is_true(json_object_get(root, "background"));
    prompt->unstored = json_is_false(json_object_get(root, "store"));
    words_read(root, prompt);
    prompt->stream |= strcmp(prompt->format, "sse") == 0;
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

static bool messages_are_there(const json_t *messages)
{
    return (json_is_array(messages) && json_array_size(messages)) || json_is_string(messages) ||
           json_is_object(messages);
}

static bool members_check(const struct prompt_shape *shape, const json_t *root, struct prompt *prompt, char *message,
                          struct refusal *ret_refusal)
{
    if (shape->model && !prompt->model[0])
        return refuse_missing(shape, shape->model, message, ret_refusal);
    if (!shape->optional && !messages_are_there(json_object_get(root, shape->messages)))
        return refuse_missing(shape, shape->messages, message, ret_refusal);
    if (shape->file && !json_is_object(json_object_get(root, shape->file)))
        return refuse_missing(shape, shape->file, message, ret_refusal);
    if (shape->limit_required && prompt->tokens_max == BEHAVIOUR_UNSET)
        return refuse_missing(shape, shape->limits[0], message, ret_refusal);
    if (prompt->choices < 1 || prompt->choices > 16 || prompt->tokens_max == 0 || prompt->dimensions < 1 ||
        prompt->dimensions > 4096) {
        *ret_refusal = (struct refusal){.problem = problem_bad_request, .message = "A number is out of its range."};
        return false;
    }
    return true;
}

/* A model that has no JSON mode and is told to answer JSON answers JSON. */
static bool system_asks_json(const json_t *system)
{
    char *text = system ? json_dumps(system, JSON_ENCODE_ANY) : NULL;
    bool asks = text && strstr(text, "one valid JSON object and nothing else");
    free(text);
    return asks;
}

/* What the answer will be: a call of a tool, a value of a schema, or text. */
static void tools_plan(const json_t *root, const json_t *config, const json_t *messages, bool asks_tool,
                       struct prompt *prompt)
{
    const json_t *tools = json_object_get(root, "tools"), *schema = schema_find(root, config);
    const char *name = NULL;
    prompt->tokens += tokens_get(tools_count_bytes(tools));
    bool is_forced = tools_is_forced(root, &name);
    if ((asks_tool && !tools_is_result(messages)) || is_forced)
        prompt->use_tool =
            tools_read(tools, name, prompt->tool_name, sizeof prompt->tool_name, prompt->fixed, sizeof prompt->fixed);
    if (prompt->use_tool || !schema)
        return;
    prompt->has_schema = true;
    schema_write_example(schema, prompt->fixed, sizeof prompt->fixed);
}

bool prompt_read(const struct prompt_shape *shape, const json_t *root, struct prompt *prompt,
                 struct behaviour *behaviour, char *message, struct refusal *ret_refusal)
{
    prompt->tokens_max = BEHAVIOUR_UNSET;
    const json_t *messages = json_object_get(root, shape->messages);
    const json_t *model = shape->model ? json_object_get(root, shape->model) : NULL;
    const json_t *file = shape->file ? json_object_get(root, shape->file) : NULL;
    if (json_is_string(model))
        text_copy_plain(prompt->model, sizeof prompt->model, json_string_value(model), json_string_length(model));
    options_read(shape, root, prompt);
    prompt->files = number_get(json_object_get(file, "count"), 0);
    prompt->file_bytes = number_get(json_object_get(file, "bytes"), 0);
    bool asks_tool = last_user_read(messages, prompt, behaviour);
    if (!members_check(shape, root, prompt, message, ret_refusal))
        return false;
    if (messages_are_there(messages))
        messages_read(messages, prompt);
    const json_t *system = shape->system ? json_object_get(root, shape->system) : NULL;
    if (system && !json_is_null(system))
        prompt->tokens += message_count_tokens(system);
    prompt->json_mode |= system_asks_json(system);
    tools_plan(root, shape->config ? json_object_get(root, shape->config) : root, messages, asks_tool, prompt);
    return true;
}
