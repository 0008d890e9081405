/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Anthropic dialect: which endpoints there are (docs.anthropic.com/en/api), and errors in Anthropic's shape. How
 * requests and answers are read is in anthropic_*.c.
 */
#include "dialect/anthropic.h"
#include "dialect/openai.h"

const struct format anthropic_messages = {
    .request = &anthropic_messages_request,
    .read = anthropic_read_messages,
    .read_event = anthropic_read_event,
    .read_document = anthropic_read_document,
    .estimate = anthropic_estimate,
};
const struct format anthropic_batches = {
    .request = &anthropic_batches_request,
    .read = anthropic_read_batches,
    .read_document = anthropic_read_batch,
};
const struct format anthropic_batch = {.read_document = anthropic_read_batch};
const struct format anthropic_results = {.read_line = anthropic_read_result, .read_document = anthropic_end_results};

/* Files are free ("Files API"), and so is looking at what there is. */
static const struct endpoint_row endpoints[] = {
    {"POST", "/messages", false, {"messages", ENDPOINT_METERED, API_MESSAGES, "/messages", &anthropic_messages}},
    {"POST", "/messages/count_tokens", false, {"count_tokens", ENDPOINT_COUNTING, API_NONE, NULL, NULL}},
    {"POST", "/messages/batches", false, {"batches", ENDPOINT_METERED, API_OTHER, NULL, &anthropic_batches}},
    {"GET", "/messages/batches", false, {"batches", ENDPOINT_FREE, API_NONE, NULL, NULL}},
    {"GET", "/messages/batches/*", false, {"batch", ENDPOINT_JOB, API_OTHER, NULL, &anthropic_batch}},
    {"GET", "/messages/batches/*/results", false, {"batch.results", ENDPOINT_JOB, API_OTHER, NULL, &anthropic_results}},
    {"POST", "/messages/batches/*/cancel", false, {"batch", ENDPOINT_JOB, API_OTHER, NULL, &anthropic_batch}},
    {"DELETE", "/messages/batches/*", false, {"batch", ENDPOINT_FREE, API_NONE, NULL, NULL}},
    {NULL, "/messages/batches", true, {"batches", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {"GET", "/models", true, {"models", ENDPOINT_FREE, API_NONE, NULL, NULL}},
    /* The OpenAI-compatible path ("OpenAI SDK compatibility"); its errors stay Anthropic's. */
    {"POST", "/chat/completions", false, {"chat.completions", ENDPOINT_METERED, API_OTHER, NULL, &openai_chat_format}},
    {"POST", "/complete", false, {"complete", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {NULL, "/files", true, {"files", ENDPOINT_FREE, API_NONE, NULL, NULL}},
    {NULL, "", false, {"other", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
};

static const struct endpoint *find_endpoint(struct slice method, struct slice path)
{
    return dialect_match_endpoint(endpoints, method, path);
}

/* A batch names its model in each request; one that names several is not turned to another. */
static struct slice edit_request(const struct endpoint *endpoint, struct slice body, const struct request_facts *facts,
                                 const struct request_edits *edits, struct arena *arena)
{
    if (endpoint->format != &anthropic_batches)
        return dialect_edit_request(endpoint, body, facts, edits, arena);
    if (!edits->model || facts->batch.has_models || strcmp(edits->model, facts->model) == 0)
        return body;
    return dialect_replace_in_each(body, "requests", "params.model", edits->model, arena);
}

/* ---- errors ---- */

static const struct error_override error_overrides[] = {
    {ERROR_WALLET_EXHAUSTED, {402, "billing_error", NULL}}, {ERROR_WALLET_UNKNOWN, {402, "billing_error", NULL}},
    {ERROR_BUDGET_EXHAUSTED, {402, "billing_error", NULL}}, {ERROR_NO_TARGET, {0, "overloaded_error", NULL}},
    {ERROR_OVERLOADED, {0, "overloaded_error", NULL}},      {ERROR_OK, {0, NULL, NULL}},
};
static const struct error_default error_defaults[] = {
    {400, "invalid_request_error"},
    {401, "authentication_error"},
    {402, "billing_error"},
    {403, "permission_error"},
    {404, "not_found_error"},
    {408, "timeout_error"},
    {413, "request_too_large"},
    {422, "invalid_request_error"},
    {426, "invalid_request_error"},
    {429, "rate_limit_error"},
    {431, "request_too_large"},
    {504, "timeout_error"},
    {0, "api_error"},
};

/* Anthropic's SDKs begin conversations that the provider holds (`thread`, beta: their tool runners do by themselves)
 * and go on without when an error's details say this: another provider cannot hold them. Nobody else reads it. */
static const char no_thread[] = ",\"details\":{\"error_code\":\"thread_unsupported_request\"}";

static void write_object(const struct error_shape *shape, const char *message, const char *request_id,
                         struct buffer *buffer)
{
    json_write_raw(buffer, "{\"type\":\"error\",\"error\":{");
    json_write_member_string(buffer, "type", shape->type);
    json_write_member(buffer, "message");
    json_write_string(buffer, dialect_bound_message(message));
    json_write_raw(buffer, shape->status == 422 ? no_thread : "");
    json_write_raw(buffer, "}");
    if (request_id)
        json_write_member_string(buffer, "request_id", request_id);
    json_write_raw(buffer, "}");
}

static int write_error(enum error error, const char *message, const char *request_id, struct buffer *body)
{
    struct error_shape shape = dialect_find_error_shape(error, error_overrides, error_defaults);
    write_object(&shape, message, request_id, body);
    return shape.status;
}

static void write_stream_error(enum error error, const char *message, struct buffer *out)
{
    struct error_shape shape = dialect_find_error_shape(error, error_overrides, error_defaults);
    struct buffer frame;
    buffer_init(&frame, ERROR_BYTES_MAX);
    json_write_raw(&frame, "\n\nevent: error\ndata: ");
    write_object(&shape, message, NULL, &frame);
    dialect_end_frame(&frame, "\n\n", out);
}

const struct dialect dialect_anthropic = {
    .kind = DIALECT_ANTHROPIC,
    .name = "anthropic",
    .api_prefix = "/v1",
    .endpoints = endpoints,
    .find_endpoint = find_endpoint,
    .read_request = dialect_read_request,
    .edit_request = edit_request,
    .write_error = write_error,
    .write_stream_error = write_stream_error,
};
