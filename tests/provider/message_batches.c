/* SPDX-License-Identifier: Apache-2.0 */
/* Message Batches (docs.anthropic.com/en/api/creating-message-batches): the requests are in the body, the answers a
 * file of JSON lines once processing has ended; the batch itself says no usage. Called through the endpoints' table.
 */
#include "tests/provider/dispatch.h"
#include "tests/provider/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct batch {
    struct exchange *exchange;
    char id[64];
    uint32_t total, succeeded, errored;
    uint32_t polls;
    struct finished_job work;
    struct buffer results; /* JSON lines */
};

static void time_add(const char *name, time_t when, struct buffer *out)
{
    char text[32] = "";
    struct tm parts;
    if (gmtime_r(&when, &parts))
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    buffer_format(out, ",\"%s\":\"%s\"", name, text);
}

enum look { RUNNING, CANCELING, ENDED, CANCELED };

static void counts_add(const struct batch *batch, enum look look, struct buffer *out)
{
    bool running = look == RUNNING || look == CANCELING;
    buffer_format(out,
                  ",\"request_counts\":{\"processing\":%" PRIu32 ",\"succeeded\":%" PRIu32 ",\"errored\":%" PRIu32
                  ",\"canceled\":%" PRIu32 ",\"expired\":0}",
                  running ? batch->total : 0, look == ENDED ? batch->succeeded : 0, look == ENDED ? batch->errored : 0,
                  look == CANCELED ? batch->total : 0);
}

static void batch_add(const struct batch *batch, enum look look, struct buffer *out)
{
    static const char *const names[] = {"in_progress", "canceling", "ended", "ended"};
    time_t now = batch->exchange->arrived.tv_sec;
    buffer_format(out, "{\"id\":\"%s\",\"type\":\"message_batch\",\"processing_status\":\"%s\"", batch->id,
                  names[look]);
    counts_add(batch, look, out);
    time_add("created_at", now, out);
    time_add("expires_at", now + 86400, out);
    buffer_add(out, ",\"archived_at\":null");
    if (look == CANCELING || look == CANCELED)
        time_add("cancel_initiated_at", now, out);
    else
        buffer_add(out, ",\"cancel_initiated_at\":null");
    if (look >= ENDED) {
        time_add("ended_at", now, out);
        buffer_format(out, ",\"results_url\":\"https://api.anthropic.com/v1/messages/batches/%s/results\"}", batch->id);
    } else {
        buffer_add(out, ",\"ended_at\":null,\"results_url\":null}");
    }
}

static void result_keep(struct batch *batch, const struct exchange *line, const char *custom_id)
{
    bool good = line->status == 200 && !behaviour_get(line->behaviour.job_fails, 0);
    struct buffer *out = &batch->results;
    buffer_add(out, "{\"custom_id\":\"");
    buffer_add_escaped(out, custom_id, strlen(custom_id));
    buffer_add(out, good ? "\",\"result\":{\"type\":\"succeeded\",\"message\":"
                         : "\",\"result\":{\"type\":\"errored\",\"error\":");
    if (good || line->status != 200)
        buffer_append(out, line->body.data, line->body.length);
    else
        line->dialect->write_error(line, &(struct refusal){.problem = problem_find("500")}, out);
    buffer_add(out, "}}\n");
    batch->succeeded += good;
    batch->errored += !good;
    if (!good)
        return;
    if (!batch->work.model[0])
        memcpy(batch->work.model, line->prompt.model, sizeof batch->work.model);
    usage_add(&line->usage, &batch->work.usage);
}

static void requests_run(struct batch *batch, const json_t *requests, const struct endpoint *messages)
{
    for (size_t i = 0; i < json_array_size(requests); i++) {
        json_t *request = json_array_get(requests, i);
        const char *custom_id = json_string_value(json_object_get(request, "custom_id"));
        struct exchange line;
        struct request scratch = {0};
        batch->total++;
        dispatch_answer_line(batch->exchange, batch->total, messages, "/v1/messages",
                             json_object_get(request, "params"), &scratch, &line);
        if (batch->polls == BEHAVIOUR_UNSET)
            batch->polls = line.behaviour.polls;
        result_keep(batch, &line, custom_id ? custom_id : "");
        buffer_free(&line.body);
    }
}

static void canceled_write(const json_t *requests, struct buffer *out)
{
    for (size_t i = 0; i < json_array_size(requests); i++) {
        const char *custom_id = json_string_value(json_object_get(json_array_get(requests, i), "custom_id"));
        buffer_add(out, "{\"custom_id\":\"");
        buffer_add_escaped(out, custom_id ? custom_id : "", custom_id ? strlen(custom_id) : 0);
        buffer_add(out, "\",\"result\":{\"type\":\"canceled\"}}\n");
    }
}

static void batch_keep(struct store *store, struct batch *batch, const json_t *requests)
{
    uint32_t ordered = batch->polls == BEHAVIOUR_UNSET ? batch->exchange->behaviour.polls : batch->polls;
    struct stored stored = {.kind = STORED_MESSAGE_BATCH, .polls = behaviour_get(ordered, 1), .is_job = true};
    memcpy(stored.id, batch->id, sizeof stored.id);
    memcpy(batch->work.id, batch->id, sizeof batch->work.id);
    batch->work.requests = batch->succeeded;
    stored.work = batch->work;
    batch_add(batch, RUNNING, &stored.looks[LOOK_RUNNING]);
    batch_add(batch, ENDED, &stored.looks[LOOK_DONE]);
    batch_add(batch, CANCELING, &stored.looks[LOOK_CANCELLING]);
    batch_add(batch, CANCELED, &stored.looks[LOOK_CANCELLED]);
    stored.looks[LOOK_RESULTS] = batch->results;
    canceled_write(requests, &stored.looks[LOOK_CANCELLED_RESULTS]);
    store_add(store, &stored);
}

bool message_batches_create(struct exchange *exchange, struct store *store, struct refusal *ret_refusal)
{
    const struct buffer *body = &exchange->request->body;
    const struct endpoint *messages =
        endpoint_find(&(struct request){.method = HTTP_POST, .target = "/v1/messages"}, (char[96]){0}, &(bool){false});
    struct batch batch = {.exchange = exchange, .polls = BEHAVIOUR_UNSET};
    json_t *root = json_loadb(body->data ? body->data : "", body->length, 0, NULL);
    const json_t *requests = json_object_get(root, "requests");
    if (!json_array_size(requests)) {
        json_decref(root);
        *ret_refusal = (struct refusal){.problem = problem_bad_request, .message = "requests: Field required"};
        return false;
    }
    dispatch_answer(exchange);
    exchange->is_job = true;
    snprintf(batch.id, sizeof batch.id, "msgbatch_%06" PRIx64, exchange->sequence);
    requests_run(&batch, requests, messages);
    batch_add(&batch, RUNNING, &exchange->body);
    batch_keep(store, &batch, requests);
    json_decref(root);
    return true;
}

static bool unknown(struct exchange *exchange, struct refusal *ret_refusal)
{
    snprintf(exchange->refusal_message, sizeof exchange->refusal_message, "Message batch %s not found, or not ended.",
             exchange->id);
    *ret_refusal = (struct refusal){.problem = problem_not_found, .message = exchange->refusal_message};
    return false;
}

bool message_batches_retrieve(struct exchange *exchange, struct store *store, struct refusal *ret_refusal)
{
    dispatch_answer(exchange);
    return store_poll(store, STORED_MESSAGE_BATCH, exchange->id, &exchange->body, &exchange->finished) ||
           unknown(exchange, ret_refusal);
}

bool message_batches_cancel(struct exchange *exchange, struct store *store, struct refusal *ret_refusal)
{
    dispatch_answer(exchange);
    return store_cancel(store, STORED_MESSAGE_BATCH, exchange->id, &exchange->body) || unknown(exchange, ret_refusal);
}

bool message_batches_read(struct exchange *exchange, struct store *store, struct refusal *ret_refusal)
{
    dispatch_answer(exchange);
    exchange->content_type = "application/x-jsonl";
    return store_read_results(store, STORED_MESSAGE_BATCH, exchange->id, &exchange->body) ||
           unknown(exchange, ret_refusal);
}
