/* SPDX-License-Identifier: Apache-2.0 */
/* The table of endpoints and the shapes of their requests; see dialect.h. A new endpoint is a row here and a writer
 * in its dialect's file. Called by dispatch.c once per request.
 */
#include "tests/provider/dialect.h"
#include "tests/provider/http.h"

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

/* The last two columns: is it billed, and is its answer a text (or a tool call). */
static const struct endpoint endpoints[] = {
    {"POST", "/v1/chat/completions", "chat", OPENAI, &chat, openai_write_chat, &openai_chat_stream, true, true},
    {"POST", "/v1/messages", "messages", ANTHROPIC, &message, anthropic_write_message, &anthropic_stream, true, true},
    {"POST", "/v1/responses", "responses", OPENAI, &responses, responses_write, &responses_stream, true, true},
    {"POST", "/v1/completions", "completions", OPENAI, &completion, openai_write_completion, &openai_completion_stream,
     true, true},
    {"POST", "/v1/embeddings", "embeddings", OPENAI, &embeddings, openai_write_embeddings, NULL, true, false},
    {"POST", "/v1/messages/count_tokens", "count_tokens", ANTHROPIC, &message_count, anthropic_write_count, NULL, false,
     false},
    {"GET", "/v1/models", "models", ANTHROPIC, NULL, anthropic_write_models, NULL, false, false},
    {"GET", "/v1/models", "models", OPENAI, NULL, openai_write_models, NULL, false, false},
    {"POST", VERB("generateContent"), "generate", GEMINI, &generate, gemini_write, NULL, true, true},
    {"POST", VERB("streamGenerateContent"), "generate", GEMINI, &generate, NULL, &gemini_stream, true, true},
    {"POST", VERB("countTokens"), "count_tokens", GEMINI, &generate, gemini_write_count, NULL, false, false},
    {"POST", VERB("embedContent"), "embed", GEMINI, &embed, gemini_write_embedding, NULL, true, false},
    {"POST", VERB("batchEmbedContents"), "embed", GEMINI, &embed_batch, gemini_write_embeddings, NULL, true, false},
    {"GET", "/v1beta/models", "models", GEMINI, NULL, gemini_write_models, NULL, false, false},
};

/* Whether path fits the pattern; the model that stood for '*' goes to model (96 bytes). */
static bool path_is_match(const char *pattern, const char *path, char *model)
{
    const char *star = strchr(pattern, '*');
    if (!star)
        return strcmp(pattern, path) == 0;
    size_t before = (size_t)(star - pattern), after = strlen(star + 1), length = strlen(path);
    if (length <= before + after || memcmp(path, pattern, before) != 0 || strcmp(path + length - after, star + 1) != 0)
        return false;
    text_copy_plain(model, 96, path + before, length - before - after);
    return true;
}

const struct endpoint *endpoint_find(const struct request *request, char *model, bool *ret_wrong_method)
{
    const char *method = llhttp_method_name((llhttp_method_t)request->method);
    bool wrong_method = false;
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++) {
        const struct endpoint *endpoint = &endpoints[i];
        if (!path_is_match(endpoint->path, request->target, model))
            continue;
        /* OpenAI and Anthropic share a path: only Anthropic's clients send the version. */
        if (endpoint->write == anthropic_write_models && !request->anthropic_version[0])
            continue;
        if (strcmp(endpoint->method, method) == 0)
            return endpoint;
        wrong_method = true;
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
