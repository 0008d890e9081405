/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OpenAI dialect and its many compatible providers (platform.openai.com/docs/api-reference): its endpoints and its
 * errors. What an endpoint's format reads is in openai_*.c.
 */
#include "dialect/openai.h"

/* ---- endpoints ---- */

#define METERED(name, api, path, format)                                                                               \
    {                                                                                                                  \
        name, ENDPOINT_METERED, api, path, format                                                                      \
    }
#define FREE(name)                                                                                                     \
    {                                                                                                                  \
        name, ENDPOINT_FREE, API_NONE, NULL, NULL                                                                      \
    }
#define JOB(name, format)                                                                                              \
    {                                                                                                                  \
        name, ENDPOINT_JOB, API_NONE, NULL, format                                                                     \
    }
#define UNMETERED(name)                                                                                                \
    {                                                                                                                  \
        name, ENDPOINT_UNMETERED, API_NONE, NULL, NULL                                                                 \
    }

/* The first that matches. What lies below another resource (vector_stores/ID/files) stands before it. */
static const struct endpoint_row endpoints[] = {
    {"POST", "/chat/completions", false,
     METERED("chat.completions", API_CHAT, "/chat/completions", &openai_chat_format)},
    {"POST", "/responses", false, METERED("responses", API_RESPONSES, "/responses", &openai_responses_format)},
    {"POST", "/responses/compact", false,
     METERED("responses.compact", API_OTHER, "/responses/compact", &openai_responses_format)},
    {"POST", "/responses/input_tokens", false, FREE("responses.input_tokens")},
    {"POST", "/responses/*/cancel", false, JOB("responses.cancel", &openai_job_format)},
    {"GET", "/responses/*/input_items", false, FREE("responses.input_items")},
    {"GET", "/responses/*", false, JOB("responses.retrieve", &openai_job_format)},
    {"DELETE", "/responses/*", false, FREE("responses.delete")},
    {"POST", "/completions", false,
     METERED("completions", API_COMPLETIONS, "/completions", &openai_completions_format)},
    {"POST", "/embeddings", false, METERED("embeddings", API_EMBEDDINGS, "/embeddings", &openai_embeddings_format)},
    {"POST", "/moderations", false, FREE("moderations")},
    {"POST", "/images/generations", false,
     METERED("images.generations", API_OTHER, "/images/generations", &openai_images_format)},
    {"POST", "/images/edits", false, METERED("images.edits", API_OTHER, "/images/edits", &openai_image_edits_format)},
    {"POST", "/images/variations", false,
     METERED("images.variations", API_OTHER, "/images/variations", &openai_image_edits_format)},
    {"POST", "/audio/speech", false, METERED("audio.speech", API_OTHER, "/audio/speech", &openai_speech_format)},
    {"POST", "/audio/transcriptions", false,
     METERED("audio.transcriptions", API_OTHER, "/audio/transcriptions", &openai_transcriptions_format)},
    {"POST", "/audio/translations", false,
     METERED("audio.translations", API_OTHER, "/audio/translations", &openai_transcriptions_format)},
    {"POST", "/batches", false, METERED("batches", API_OTHER, "/batches", &openai_batch_format)},
    {"POST", "/batches/*/cancel", false, JOB("batches.cancel", &openai_batch_job_format)},
    {"GET", "/batches/*", false, JOB("batches.retrieve", &openai_batch_job_format)},
    {"GET", "/batches", false, FREE("batches.list")},
    {NULL, "/vector_stores", true, UNMETERED("vector_stores")},
    {NULL, "/assistants", true, UNMETERED("assistants")},
    {NULL, "/threads", true, UNMETERED("threads")},
    {NULL, "/fine_tuning", true, UNMETERED("fine_tuning")},
    {NULL, "/realtime", true, UNMETERED("realtime")},
    {NULL, "/containers", true, UNMETERED("containers")},
    {NULL, "/evals", true, UNMETERED("evals")},
    {NULL, "/videos", true, UNMETERED("videos")},
    {NULL, "/uploads", true, UNMETERED("uploads")},
    {"POST", "/files", false, {"files", ENDPOINT_FREE, API_NONE, NULL, &openai_upload_format}},
    {"GET", "/files", true, FREE("files")},
    {"DELETE", "/files/*", false, FREE("files")},
    {"GET", "/models", true, FREE("models")},
    {NULL, "/audio", true, UNMETERED("audio")},
    {NULL, "/images", true, UNMETERED("images")},
    {NULL, "/batches", true, UNMETERED("batches")},
    {NULL, "", false, UNMETERED("other")},
};

static const struct endpoint *find_endpoint(struct slice method, struct slice path)
{
    return dialect_match_endpoint(endpoints, method, path);
}

/* ---- errors ---- */

static const struct error_override error_overrides[] = {
    {ERROR_WALLET_EXHAUSTED, {429, "insufficient_quota", "project_spend_limit_exceeded"}},
    {ERROR_WALLET_UNKNOWN, {429, "insufficient_quota", NULL}},
    {ERROR_BUDGET_EXHAUSTED, {429, "insufficient_quota", "project_spend_limit_exceeded"}},
    {ERROR_KEY_INVALID, {0, "authentication_error", "invalid_api_key"}},
    {ERROR_KEY_REQUIRED, {0, "authentication_error", "invalid_api_key"}},
    {ERROR_BODY_MALFORMED, {400, "invalid_request_error", NULL}},
    {ERROR_BODY_INCOMPLETE, {400, "invalid_request_error", NULL}},
    {ERROR_OK, {0, NULL, NULL}},
};
static const struct error_default error_defaults[] = {
    {400, "invalid_request_error"},     {401, "authentication_error"},  {402, "insufficient_quota"},
    {403, "permission_error"},          {404, "invalid_request_error"}, {408, "invalid_request_error"},
    {413, "invalid_request_error"},     {422, "invalid_request_error"}, {426, "invalid_request_error"},
    {429, "rate_limit_error"},          {431, "invalid_request_error"}, {502, "upstream_error"},
    {503, "service_unavailable_error"}, {504, "upstream_error"},        {0, "server_error"},
};

static void write_object(const struct error_shape *shape, const char *message, struct buffer *buffer)
{
    json_write_raw(buffer, "{\"error\":{\"message\":");
    json_write_string(buffer, dialect_bound_message(message));
    json_write_member_string(buffer, "type", shape->type);
    json_write_member_string(buffer, "param", NULL);
    json_write_member_string(buffer, "code", shape->code);
    json_write_raw(buffer, "}}");
}

static int write_error(enum error error, const char *message, const char *request_id, struct buffer *body)
{
    (void)request_id; /* a header in this dialect */
    struct error_shape shape = dialect_find_error_shape(error, error_overrides, error_defaults);
    write_object(&shape, message, body);
    return shape.status;
}

static void write_stream_error(enum error error, const char *message, struct buffer *out)
{
    struct error_shape shape = dialect_find_error_shape(error, error_overrides, error_defaults);
    struct buffer frame;
    buffer_init(&frame, ERROR_BYTES_MAX);
    json_write_raw(&frame, "\n\ndata: ");
    write_object(&shape, message, &frame);
    dialect_end_frame(&frame, "\n\n", out);
}

const struct dialect dialect_openai = {
    .kind = DIALECT_OPENAI,
    .name = "openai",
    .api_prefix = "/v1",
    .endpoints = endpoints,
    .find_endpoint = find_endpoint,
    .read_request = dialect_read_request,
    .edit_request = dialect_edit_request,
    .write_error = write_error,
    .write_stream_error = write_stream_error,
};
