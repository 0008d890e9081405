/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Gemini dialect: endpoints are named and errors have Google's shape (ai.google.dev/api, google.rpc.Status). No
 * endpoint is metered, so that what this dialect reads of an answer is its length alone.
 */
#include "dialect/internal.h"

static const struct endpoint_row endpoints[] = {
    {"GET", "/models", true, {"models", ENDPOINT_FREE, API_NONE, NULL, NULL}},
    {"POST", ":generateContent", false, {"generateContent", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {"POST", ":streamGenerateContent", false, {"streamGenerateContent", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {"POST", ":embedContent", false, {"embedContent", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {"POST", ":batchEmbedContents", false, {"batchEmbedContents", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {"POST", ":countTokens", false, {"countTokens", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {NULL, "/files", true, {"files", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {NULL, "", false, {"other", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
};

static const struct endpoint *find_endpoint(struct slice method, struct slice path)
{
    return dialect_match_endpoint(endpoints, method, path);
}

/* ---- errors: google.rpc.Code ---- */

static const struct error_override error_overrides[] = {
    {ERROR_WALLET_EXHAUSTED, {429, "RESOURCE_EXHAUSTED", NULL}},
    {ERROR_WALLET_UNKNOWN, {429, "RESOURCE_EXHAUSTED", NULL}},
    {ERROR_BUDGET_EXHAUSTED, {429, "RESOURCE_EXHAUSTED", NULL}},
    {ERROR_OK, {0, NULL, NULL}},
};
static const struct error_default error_defaults[] = {
    {400, "INVALID_ARGUMENT"},   {401, "UNAUTHENTICATED"},  {402, "RESOURCE_EXHAUSTED"}, {403, "PERMISSION_DENIED"},
    {404, "NOT_FOUND"},          {408, "CANCELLED"},        {413, "INVALID_ARGUMENT"},   {426, "FAILED_PRECONDITION"},
    {429, "RESOURCE_EXHAUSTED"}, {431, "INVALID_ARGUMENT"}, {502, "UNAVAILABLE"},        {503, "UNAVAILABLE"},
    {504, "DEADLINE_EXCEEDED"},  {0, "INTERNAL"},
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
    .find_endpoint = find_endpoint,
    .read_request = dialect_read_request,
    .edit_request = dialect_edit_request,
    .write_error = write_error,
    .write_stream_error = write_stream_error,
};
