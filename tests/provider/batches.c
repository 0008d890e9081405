/* SPDX-License-Identifier: Apache-2.0 */
/* Batches (platform.openai.com/docs/api-reference/batch): the requests of an uploaded file, answered by the same code
 * as when each comes alone. All are run when the batch is made; what is seen of it follows the polls. Called through
 * the endpoints' table.
 */
#include "tests/provider/dispatch.h"
#include "tests/provider/files.h"
#include "tests/provider/responses.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LINES_MAX 10000u

struct batch {
    struct exchange *exchange; /* of the call that makes it */
    char id[64], input[64], output[64], errors[64], path[128];
    uint32_t total, completed, failed;
    uint32_t polls; /* as the first request that says so orders; BEHAVIOUR_UNSET: none does */
    bool fails;
    const char *problem; /* the whole batch's: NULL or its code */
    struct finished_job work;
    struct buffer answers, refusals; /* JSON lines */
};

static void line_keep(struct batch *batch, const struct exchange *line, const char *custom_id)
{
    bool good = line->status == 200 && !batch->fails;
    struct buffer *out = good ? &batch->answers : &batch->refusals;
    buffer_format(out, "{\"id\":\"batch_req_%" PRIx64 "\",\"custom_id\":\"", line->sequence);
    buffer_add_escaped(out, custom_id, strlen(custom_id));
    buffer_format(out, "\",\"response\":{\"status_code\":%d,\"request_id\":\"req_%" PRIx64 "\",\"body\":",
                  good           ? 200
                  : batch->fails ? 500
                                 : line->status,
                  line->sequence);
    buffer_append(out, line->body.data, line->body.length);
    buffer_add(out, "},\"error\":null}\n");
    batch->completed += good;
    batch->failed += !good;
    if (!good)
        return;
    if (!batch->work.model[0])
        memcpy(batch->work.model, line->prompt.model, sizeof batch->work.model);
    usage_add(&line->usage, &batch->work.usage);
}

/* A file's requests are all for one model and one endpoint (Batch guide, "Preparing your batch file"). */
static void line_run(struct batch *batch, json_t *json)
{
    const char *path = json_string_value(json_object_get(json, "url"));
    const char *custom_id = json_string_value(json_object_get(json, "custom_id"));
    json_t *body = json_object_get(json, "body");
    struct exchange line;
    struct request scratch = {0};
    batch->total++;
    if (!path || !custom_id || !json_is_object(body) || strcmp(path, batch->path) != 0) {
        batch->problem = path && strcmp(path, batch->path) != 0 ? "mismatched_endpoint" : "invalid_json_line";
        return;
    }
    dispatch_answer_line(batch->exchange, batch->total, NULL, path, body, &scratch, &line);
    if (batch->work.model[0] && line.prompt.model[0] && strcmp(batch->work.model, line.prompt.model) != 0)
        batch->problem = "mismatched_model";
    if (batch->polls == BEHAVIOUR_UNSET)
        batch->polls = line.behaviour.polls;
    batch->fails |= behaviour_get(line.behaviour.job_fails, 0) != 0;
    line_keep(batch, &line, custom_id);
    buffer_free(&line.body);
}

static void lines_run(struct batch *batch, const struct buffer *file)
{
    for (size_t at = 0; at < file->length && batch->total < LINES_MAX && !batch->problem;) {
        const char *from = file->data + at, *end = memchr(from, '\n', file->length - at);
        size_t length = end ? (size_t)(end - from) : file->length - at;
        json_t *json = length > 1 ? json_loadb(from, length, 0, NULL) : NULL;
        if (json)
            line_run(batch, json);
        else if (length > 1)
            batch->problem = "invalid_json_line";
        json_decref(json);
        at += length + 1;
    }
    if (!batch->total)
        batch->problem = "empty_file";
}

static void stamps_add(const struct batch *batch, const char *status, struct buffer *out)
{
    static const char *const ends[] = {"completed", "failed", "cancelled"};
    long long now = (long long)batch->exchange->arrived.tv_sec;
    bool began = strcmp(status, "validating") != 0;
    buffer_format(out, ",\"created_at\":%lld,\"expires_at\":%lld", now, now + 86400);
    if (began)
        buffer_format(out, ",\"in_progress_at\":%lld", now);
    else
        buffer_add(out, ",\"in_progress_at\":null");
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (strcmp(ends[i], status) == 0)
            buffer_format(out, ",\"%s_at\":%lld", ends[i], now);
        else
            buffer_format(out, ",\"%s_at\":null", ends[i]);
    }
}

static void id_add(const char *name, const char *id, bool shown, struct buffer *out)
{
    if (shown && id[0])
        buffer_format(out, ",\"%s\":\"%s\"", name, id);
    else
        buffer_format(out, ",\"%s\":null", name);
}

/* Only a batch that has ended says what it used and where its answers are. */
static void batch_add(const struct batch *batch, const char *status, struct buffer *out)
{
    static const struct usage nothing;
    bool done = strcmp(status, "completed") == 0, cancelled = strcmp(status, "cancelled") == 0;
    buffer_format(out,
                  "{\"id\":\"%s\",\"object\":\"batch\",\"endpoint\":\"%s\",\"model\":\"%s\",\"errors\":", batch->id,
                  batch->path, batch->work.model);
    if (strcmp(status, "failed") == 0)
        buffer_format(out,
                      "{\"object\":\"list\",\"data\":[{\"code\":\"%s\",\"message\":\"The batch is not valid.\","
                      "\"param\":null,\"line\":%" PRIu32 "}]}",
                      batch->problem, batch->total);
    else
        buffer_add(out, "null");
    buffer_format(out, ",\"input_file_id\":\"%s\",\"completion_window\":\"24h\",\"status\":\"%s\"", batch->input,
                  status);
    id_add("output_file_id", batch->output, done && batch->completed, out);
    id_add("error_file_id", batch->errors, done && batch->failed, out);
    stamps_add(batch, status, out);
    buffer_format(out, ",\"request_counts\":{\"total\":%" PRIu32 ",\"completed\":%" PRIu32 ",\"failed\":%" PRIu32 "}",
                  batch->total, done ? batch->completed : 0, done ? batch->failed : 0);
    if ((done || cancelled) && batch->exchange->behaviour.fault.usage != FAULT_USAGE_NONE) {
        buffer_add(out, ",\"usage\":");
        responses_add_usage(done ? &batch->work.usage : &nothing, out);
    }
    buffer_add(out, ",\"metadata\":null}");
}

static void batch_keep(struct store *store, struct batch *batch)
{
    const struct exchange *exchange = batch->exchange;
    uint32_t ordered = batch->polls == BEHAVIOUR_UNSET ? exchange->behaviour.polls : batch->polls;
    struct stored stored = {.kind = STORED_BATCH, .polls = behaviour_get(ordered, 1), .is_job = !batch->problem};
    memcpy(stored.id, batch->id, sizeof stored.id);
    memcpy(batch->work.id, batch->id, sizeof batch->work.id);
    batch->work.requests = batch->completed;
    stored.work = batch->work;
    batch_add(batch, "in_progress", &stored.looks[LOOK_RUNNING]);
    batch_add(batch, batch->problem ? "failed" : "completed", &stored.looks[LOOK_DONE]);
    batch_add(batch, "cancelling", &stored.looks[LOOK_CANCELLING]);
    batch_add(batch, "cancelled", &stored.looks[LOOK_CANCELLED]);
    file_keep(store, exchange, batch->output, "batch_output", "output.jsonl", &batch->answers);
    file_keep(store, exchange, batch->errors, "batch_output", "errors.jsonl", &batch->refusals);
    store_add(store, &stored);
}

static bool members_read(struct batch *batch, json_t *root, struct refusal *ret_refusal)
{
    static const char *const members[] = {"input_file_id", "endpoint", "completion_window"};
    for (size_t i = 0; i < 3; i++) {
        if (json_is_string(json_object_get(root, members[i])))
            continue;
        snprintf(batch->exchange->refusal_message, sizeof batch->exchange->refusal_message,
                 "Missing required parameter: '%s'.", members[i]);
        *ret_refusal = (struct refusal){
            .problem = problem_bad_request, .message = batch->exchange->refusal_message, .param = members[i]};
        return false;
    }
    const json_t *input = json_object_get(root, members[0]), *path = json_object_get(root, members[1]);
    text_copy_plain(batch->input, sizeof batch->input, json_string_value(input), json_string_length(input));
    text_copy_plain(batch->path, sizeof batch->path, json_string_value(path), json_string_length(path));
    return true;
}

bool batches_create(struct exchange *exchange, struct store *store, struct refusal *ret_refusal)
{
    const struct buffer *body = &exchange->request->body;
    struct batch batch = {.exchange = exchange, .polls = BEHAVIOUR_UNSET};
    struct buffer file = {0};
    json_t *root = json_loadb(body->data ? body->data : "", body->length, 0, NULL);
    bool good = members_read(&batch, root, ret_refusal);
    json_decref(root);
    if (!good)
        return false;
    if (!store_read(store, STORED_FILE, batch.input, LOOK_RESULTS, &file)) {
        *ret_refusal = (struct refusal){
            .problem = problem_bad_request, .message = "The input file does not exist.", .param = "input_file_id"};
        return false;
    }
    dispatch_answer(exchange);
    exchange->is_job = true;
    snprintf(batch.id, sizeof batch.id, "batch_%06" PRIx64, exchange->sequence);
    snprintf(batch.output, sizeof batch.output, "file-out%06" PRIx64, exchange->sequence);
    snprintf(batch.errors, sizeof batch.errors, "file-err%06" PRIx64, exchange->sequence);
    lines_run(&batch, &file);
    buffer_free(&file);
    batch_add(&batch, "validating", &exchange->body);
    batch_keep(store, &batch);
    return true;
}

static bool unknown(struct exchange *exchange, struct refusal *ret_refusal)
{
    snprintf(exchange->refusal_message, sizeof exchange->refusal_message, "No batch found with id '%s'.", exchange->id);
    *ret_refusal = (struct refusal){.problem = problem_not_found, .message = exchange->refusal_message};
    return false;
}

bool batches_retrieve(struct exchange *exchange, struct store *store, struct refusal *ret_refusal)
{
    dispatch_answer(exchange);
    return store_poll(store, STORED_BATCH, exchange->id, &exchange->body, &exchange->finished) ||
           unknown(exchange, ret_refusal);
}

bool batches_cancel(struct exchange *exchange, struct store *store, struct refusal *ret_refusal)
{
    dispatch_answer(exchange);
    return store_cancel(store, STORED_BATCH, exchange->id, &exchange->body) || unknown(exchange, ret_refusal);
}
