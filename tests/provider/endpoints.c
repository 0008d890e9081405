/* SPDX-License-Identifier: Apache-2.0 */
/* The table of endpoints and the shapes of their requests; see dialect.h. A new endpoint is a row here and a writer
 * in its dialect's file. Called by dispatch.c once per request.
 */
#include "tests/provider/dialect.h"
#include "tests/provider/http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define OPENAI_MISSING                                                                                                 \
    {                                                                                                                  \
        "Missing required parameter: '", "'."                                                                          \
    }
#define ANTHROPIC_MISSING                                                                                              \
    {                                                                                                                  \
        "", ": Field required"                                                                                         \
    }
#define GEMINI_MISSING                                                                                                 \
    {                                                                                                                  \
        "* GenerateContentRequest.", ": is not specified"                                                              \
    }

static const struct prompt_shape chat = {
    .model = "model",
    .messages = "messages",
    .limits = {"max_completion_tokens", "max_tokens"},
    .choices = "n",
    .missing = OPENAI_MISSING,
};
static const struct prompt_shape completion = {
    .model = "model",
    .messages = "prompt",
    .limits = {"max_tokens", NULL},
    .choices = "n",
    .missing = OPENAI_MISSING,
};
static const struct prompt_shape responses = {
    .model = "model",
    .messages = "input",
    .system = "instructions",
    .limits = {"max_output_tokens", NULL},
    .missing = OPENAI_MISSING,
};
static const struct prompt_shape embeddings = {.model = "model", .messages = "input", .missing = OPENAI_MISSING};
/* Parts of their requests are a form; quality and size are read with the rest. */
static const struct prompt_shape image = {
    .model = "model", .messages = "prompt", .choices = "n", .missing = OPENAI_MISSING};
static const struct prompt_shape image_edit = {
    .model = "model", .messages = "prompt", .choices = "n", .file = "image", .missing = OPENAI_MISSING};
static const struct prompt_shape speech = {.model = "model", .messages = "input", .missing = OPENAI_MISSING};
static const struct prompt_shape transcription = {
    .model = "model", .messages = "prompt", .optional = true, .file = "file", .missing = OPENAI_MISSING};
static const struct prompt_shape run = {.messages = "additional_messages", .optional = true, .missing = OPENAI_MISSING};
static const struct prompt_shape message = {
    .model = "model",
    .messages = "messages",
    .system = "system",
    .limits = {"max_tokens", NULL},
    .limit_required = true,
    .missing = ANTHROPIC_MISSING,
};
static const struct prompt_shape message_count = {
    .model = "model",
    .messages = "messages",
    .system = "system",
    .missing = ANTHROPIC_MISSING,
};
static const struct prompt_shape generate = {
    .messages = "contents",
    .system = "systemInstruction",
    .config = "generationConfig",
    .limits = {"maxOutputTokens", NULL},
    .choices = "candidateCount",
    .missing = GEMINI_MISSING,
};
static const struct prompt_shape embed = {.messages = "content", .missing = GEMINI_MISSING};
static const struct prompt_shape embed_batch = {.messages = "requests", .missing = GEMINI_MISSING};

#define OPENAI     &dialect_openai
#define ANTHROPIC  &dialect_anthropic
#define GEMINI     &dialect_gemini
#define VERB(verb) "/v1beta/models/*:" verb

/* Kinds of rows: a text (or a tool's call) that is billed; something else that is billed; what is free; and what is
 * kept or found by an actor, which bills by itself. */
#define TEXT(path, name, dialect, shape, write, stream)                                                                \
    {                                                                                                                  \
        "POST", path, name, dialect, shape, write, stream, true, true, NULL, NULL                                      \
    }
#define COUNTED(path, name, shape, write, stream, text, count)                                                         \
    {                                                                                                                  \
        "POST", path, name, OPENAI, shape, write, stream, true, text, count, NULL                                      \
    }
#define VECTOR(path, name, dialect, shape, write)                                                                      \
    {                                                                                                                  \
        "POST", path, name, dialect, shape, write, NULL, true, false, NULL, NULL                                       \
    }
#define FREE(method, path, name, dialect, shape, write)                                                                \
    {                                                                                                                  \
        method, path, name, dialect, shape, write, NULL, false, false, NULL, NULL                                      \
    }
#define ACT(method, path, name, dialect, act)                                                                          \
    {                                                                                                                  \
        method, path, name, dialect, NULL, NULL, NULL, false, false, NULL, act                                         \
    }

/* The first that matches. */
static const struct endpoint endpoints[] = {
    TEXT("/v1/chat/completions", "chat", OPENAI, &chat, openai_write_chat, &openai_chat_stream),
    TEXT("/v1/messages", "messages", ANTHROPIC, &message, anthropic_write_message, &anthropic_stream),
    {"POST", "/v1/responses", "responses", OPENAI, &responses, responses_write, &responses_stream, true, true, NULL,
     responses_act},
    ACT("POST", "/v1/responses/*/cancel", "responses.cancel", OPENAI, responses_cancel),
    ACT("GET", "/v1/responses/*", "responses.retrieve", OPENAI, responses_retrieve),
    TEXT("/v1/completions", "completions", OPENAI, &completion, openai_write_completion, &openai_completion_stream),
    VECTOR("/v1/embeddings", "embeddings", OPENAI, &embeddings, openai_write_embeddings),
    COUNTED("/v1/images/generations", "images", &image, images_write, &images_stream, false, images_count),
    COUNTED("/v1/images/edits", "images", &image_edit, images_write, &images_stream, false, images_count),
    COUNTED("/v1/audio/speech", "speech", &speech, speech_write, &speech_stream, false, speech_count),
    COUNTED("/v1/audio/transcriptions", "transcriptions", &transcription, transcription_write, &transcription_stream,
            true, transcription_count),
    ACT("POST", "/v1/files", "files", OPENAI, files_create),
    ACT("GET", "/v1/files/*/content", "files.content", OPENAI, files_read),
    ACT("GET", "/v1/files/*", "files.retrieve", OPENAI, files_retrieve),
    ACT("POST", "/v1/batches", "batches", OPENAI, batches_create),
    ACT("POST", "/v1/batches/*/cancel", "batches.cancel", OPENAI, batches_cancel),
    ACT("GET", "/v1/batches/*", "batches.retrieve", OPENAI, batches_retrieve),
    FREE("GET", "/v1/fine_tuning/jobs", "fine_tuning", OPENAI, NULL, plain_write),
    FREE("POST", "/v1/fine_tuning/jobs", "fine_tuning", OPENAI, NULL, plain_write),
    FREE("GET", "/v1/vector_stores", "vector_stores", OPENAI, NULL, plain_write),
    FREE("POST", "/v1/vector_stores", "vector_stores", OPENAI, NULL, plain_write),
    TEXT("/v1/threads/*/runs", "runs", OPENAI, &run, runs_write, &runs_stream),
    FREE("POST", "/v1/messages/count_tokens", "count_tokens", ANTHROPIC, &message_count, anthropic_write_count),
    ACT("POST", "/v1/messages/batches", "message_batches", ANTHROPIC, message_batches_create),
    ACT("GET", "/v1/messages/batches/*/results", "message_batches.results", ANTHROPIC, message_batches_read),
    ACT("POST", "/v1/messages/batches/*/cancel", "message_batches.cancel", ANTHROPIC, message_batches_cancel),
    ACT("GET", "/v1/messages/batches/*", "message_batches.retrieve", ANTHROPIC, message_batches_retrieve),
    FREE("GET", "/v1/models", "models", ANTHROPIC, NULL, anthropic_write_models),
    FREE("GET", "/v1/models", "models", OPENAI, NULL, openai_write_models),
    TEXT(VERB("generateContent"), "generate", GEMINI, &generate, gemini_write, NULL),
    TEXT(VERB("streamGenerateContent"), "generate", GEMINI, &generate, NULL, &gemini_stream),
    FREE("POST", VERB("countTokens"), "count_tokens", GEMINI, &generate, gemini_write_count),
    VECTOR(VERB("embedContent"), "embed", GEMINI, &embed, gemini_write_embedding),
    VECTOR(VERB("batchEmbedContents"), "embed", GEMINI, &embed_batch, gemini_write_embeddings),
    FREE("GET", "/v1beta/models", "models", GEMINI, NULL, gemini_write_models),
};

/* Where OpenAI-compatible providers have what OpenAI has below /v1. */
static const char *const prefixes[] = {"/openai/v1/", "/inference/v1/", "/api/v1/", "/compatibility/v1/"};

/* The path as OpenAI writes it, or Gemini in its older version (its Python SDK uses /v1 by now), in scratch (1024
 * bytes) when it is another. */
static const char *path_place(const char *path, char *scratch)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        size_t length = strlen(prefixes[i]);
        if (strncmp(path, prefixes[i], length) == 0) {
            snprintf(scratch, 1024, "/v1/%.1000s", path + length);
            return scratch;
        }
    }
    if (strncmp(path, "/v1/models/", 11) == 0 && strchr(path, ':')) {
        snprintf(scratch, 1024, "/v1beta/models/%.1000s", path + 11);
        return scratch;
    }
    return path;
}

/* Whether path fits the pattern; the model that stood for '*' goes to model (96 bytes). */
static bool path_is_match(const char *pattern, const char *path, char *model)
{
    const char *star = strchr(pattern, '*');
    if (!star)
        return strcmp(pattern, path) == 0;
    size_t before = (size_t)(star - pattern), after = strlen(star + 1), length = strlen(path);
    if (length <= before + after || memcmp(path, pattern, before) != 0 || strcmp(path + length - after, star + 1) != 0)
        return false;
    if (memchr(path + before, '/', length - before - after))
        return false;
    text_copy_plain(model, 96, path + before, length - before - after);
    return true;
}

const struct endpoint *endpoint_find(const struct request *request, char *model, bool *ret_wrong_method)
{
    char scratch[1024];
    const char *method = llhttp_method_name((llhttp_method_t)request->method);
    const char *path = path_place(request->target, scratch);
    bool wrong_method = false;
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++) {
        const struct endpoint *endpoint = &endpoints[i];
        if (!path_is_match(endpoint->path, path, model))
            continue;
        /* OpenAI and Anthropic share a path: only Anthropic's clients send the version. */
        if (endpoint->write == anthropic_write_models && !request->anthropic_version[0])
            continue;
        if (strcmp(endpoint->method, method) == 0)
            return endpoint;
        wrong_method = true;
        model[0] = '\0';
    }
    *ret_wrong_method = wrong_method;
    return NULL;
}

const struct dialect *dialect_find(const struct request *request)
{
    if (request->anthropic_version[0] || strncmp(request->target, "/v1/messages", 12) == 0)
        return &dialect_anthropic;
    if (request->x_goog_api_key[0] || strncmp(request->target, "/v1beta/", 8) == 0)
        return &dialect_gemini;
    return &dialect_openai;
}

const char *key_find_bearer(const struct request *request)
{
    return strncasecmp(request->authorization, "bearer ", 7) == 0 ? request->authorization + 7 : "";
}
