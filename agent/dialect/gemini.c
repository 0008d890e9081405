/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Gemini dialect: which endpoints there are (ai.google.dev/api), and errors in Google's shape (google.rpc.Status).
 * The model is part of the path. How requests and answers are read is in gemini_*.c.
 */
#include "dialect/gemini.h"
#include "dialect/openai.h"

const struct format gemini_generate = {.request = &gemini_generate_request,
                                       .read = gemini_read_generate,
                                       .read_event = gemini_read_event,
                                       .read_document = gemini_read_document,
                                       .estimate = gemini_estimate};
const struct format gemini_stream = {.request = &gemini_generate_request,
                                     .read = gemini_read_stream,
                                     .read_event = gemini_read_event,
                                     .read_document = gemini_read_document,
                                     .estimate = gemini_estimate};
const struct format gemini_embed = {.request = &gemini_embed_request,
                                    .read = gemini_read_embed,
                                    .read_document = gemini_read_embedding,
                                    .estimate = gemini_estimate_input};
const struct format gemini_batch_embed = {.request = &gemini_batch_embed_request,
                                          .read = gemini_read_batch_embed,
                                          .read_document = gemini_read_embedding,
                                          .estimate = gemini_estimate_input};
const struct format gemini_predict = {.request = &gemini_predict_request,
                                      .read = gemini_read_predict,
                                      .read_document = gemini_read_predictions,
                                      .estimate = dialect_estimate_units};

/* Methods of a model by any HTTP method: Google honours X-HTTP-Method-Override. Not metered: batches, whose results may
 * be a file; video (predictLongRunning), whose length only its operation knows; cachedContents, which are billed by
 * tokens and by the time they are kept; tuning. Files are free ("Files API"), and so is looking at what there is. */
static const struct endpoint_row endpoints[] = {
    {NULL, ":generateContent", false, {"generateContent", ENDPOINT_METERED, API_GENERATE, NULL, &gemini_generate}},
    {NULL,
     ":streamGenerateContent",
     false,
     {"streamGenerateContent", ENDPOINT_METERED, API_GENERATE, NULL, &gemini_stream}},
    {NULL, ":embedContent", false, {"embedContent", ENDPOINT_METERED, API_OTHER, NULL, &gemini_embed}},
    {NULL,
     ":batchEmbedContents",
     false,
     {"batchEmbedContents", ENDPOINT_METERED, API_OTHER, NULL, &gemini_batch_embed}},
    {NULL, ":predict", false, {"predict", ENDPOINT_METERED, API_OTHER, NULL, &gemini_predict}},
    {NULL, ":countTokens", false, {"countTokens", ENDPOINT_COUNTING, API_NONE, NULL, NULL}},
    /* Google's own OpenAI-compatible paths ("OpenAI compatibility"); its errors stay Google's. */
    {"POST",
     "/openai/chat/completions",
     false,
     {"chat.completions", ENDPOINT_METERED, API_OTHER, NULL, &openai_chat_format}},
    {"POST", "/openai/embeddings", false, {"embeddings", ENDPOINT_METERED, API_OTHER, NULL, &openai_embeddings_format}},
    {NULL, ":batchGenerateContent", false, {"batches", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {NULL, ":predictLongRunning", false, {"predictLongRunning", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {"GET", "/models", true, {"models", ENDPOINT_FREE, API_NONE, NULL, NULL}},
    {"GET", "/tunedModels", true, {"models", ENDPOINT_FREE, API_NONE, NULL, NULL}},
    {NULL, "/batches", true, {"batches", ENDPOINT_FREE, API_NONE, NULL, NULL}},
    {"GET", "/cachedContents", true, {"cachedContents", ENDPOINT_FREE, API_NONE, NULL, NULL}},
    {"DELETE", "/cachedContents", true, {"cachedContents", ENDPOINT_FREE, API_NONE, NULL, NULL}},
    {NULL, "/cachedContents", true, {"cachedContents", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {NULL, "/files", true, {"files", ENDPOINT_FREE, API_NONE, NULL, NULL}},
    {NULL, "", false, {"other", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
};
static const struct endpoint other = {"other", ENDPOINT_UNMETERED, API_NONE, NULL, NULL};

/* A method that no row knows, or one that is written with escapes, is not a model that somebody looks at. */
static bool may_be_method(struct slice path)
{
    const char *slash = memrchr(path.data, '/', path.length);
    struct slice last = slash ? slice_from(path, (size_t)(slash - path.data)) : path;
    return memchr(last.data, ':', last.length) || memchr(last.data, '%', last.length);
}

static const struct endpoint *find_endpoint(struct slice method, struct slice path)
{
    while (slice_has_suffix(path, "/"))
        path.length--;
    const struct endpoint *found = dialect_match_endpoint(endpoints, method, path);
    return strcmp(found->name, "models") == 0 && may_be_method(path) ? &other : found;
}

/* ---- errors: google.rpc.Code ---- */

static const struct error_override error_overrides[] = {
    {ERROR_WALLET_EXHAUSTED, {429, "RESOURCE_EXHAUSTED", NULL}},
    {ERROR_WALLET_UNKNOWN, {429, "RESOURCE_EXHAUSTED", NULL}},
    {ERROR_BUDGET_EXHAUSTED, {429, "RESOURCE_EXHAUSTED", NULL}},
    {ERROR_OK, {0, NULL, NULL}},
};
static const struct error_default error_defaults[] = {
    {400, "INVALID_ARGUMENT"},   {401, "UNAUTHENTICATED"},   {402, "RESOURCE_EXHAUSTED"},
    {403, "PERMISSION_DENIED"},  {404, "NOT_FOUND"},         {408, "CANCELLED"},
    {413, "INVALID_ARGUMENT"},   {422, "INVALID_ARGUMENT"},  {426, "FAILED_PRECONDITION"},
    {429, "RESOURCE_EXHAUSTED"}, {431, "INVALID_ARGUMENT"},  {502, "UNAVAILABLE"},
    {503, "UNAVAILABLE"},        {504, "DEADLINE_EXCEEDED"}, {0, "INTERNAL"},
};

static int write_error(enum error error, const char *message, const char *request_id, struct buffer *body)
{
    (void)request_id; /* a header in this dialect */
    struct error_shape shape = dialect_find_error_shape(error, error_overrides, error_defaults);
    json_write_raw(body, "{\"error\":{");
    json_write_member_integer(body, "code", shape.status);
    json_write_member(body, "message");
    json_write_string(body, dialect_bound_message(message));
    json_write_member_string(body, "status", shape.type);
    json_write_raw(body, "}}");
    return shape.status;
}

/* The frame of a stream of events. A stream that is a JSON array has no such frame: it is cut, and its clients see
 * that, for the array's closing bracket never comes. */
static void write_stream_error(enum error error, const char *message, struct buffer *out)
{
    struct buffer frame;
    buffer_init(&frame, ERROR_BYTES_MAX);
    json_write_raw(&frame, "\r\n\r\ndata: ");
    write_error(error, message, NULL, &frame);
    dialect_end_frame(&frame, "\r\n\r\n", out);
}

const struct dialect dialect_gemini = {
    .kind = DIALECT_GEMINI,
    .name = "gemini",
    .api_prefix = "/v1beta",
    .endpoints = endpoints,
    .find_endpoint = find_endpoint,
    .read_request = dialect_read_request,
    .edit_request = gemini_edit_request,
    .edit_path = gemini_edit_path,
    .write_error = write_error,
    .write_stream_error = write_stream_error,
};
