/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message Batches (docs.anthropic.com/en/api/creating-message-batches): each request of one is a Messages request; the
 * batch object says how far it is, and the results, a line for each request, what it used. Only the results say that:
 * a batch that has ended stays pending until they were read to their end, unless none of its requests succeeded
 * (only those are billed). Read twice, they say the same again. Called through the Anthropic formats.
 */
#include "dialect/anthropic.h"

/* ---- the request ---- */

static const struct request_member members[] = {
    {"requests", ROLE_MESSAGES, MEMBER_ARRAY, true, "requests: Field required",
     "requests: Input should be a valid list"},
};
const struct request_format anthropic_batches_request = {members, sizeof members / sizeof *members, NULL, NULL};

static enum error refuse(struct reading *reading, const char *problem)
{
    reading->problem = problem;
    return ERROR_BODY_INCOMPLETE;
}

/* False: the bound is beyond all numbers. */
static bool add_request(struct batch_facts *batch, const struct request_facts *request, struct usage *units)
{
    uint64_t output = request->output_tokens_max > 0 ? (uint64_t)request->output_tokens_max : 0;
    if (batch->requests++ == 0)
        memcpy(batch->model, request->model, sizeof batch->model);
    else if (strcmp(batch->model, request->model) != 0)
        batch->has_models = true;
    batch->limit_max = output > batch->limit_max ? output : batch->limit_max;
    batch->has_outside |= request->refers_outside;
    batch->outside += request->refers_outside;
    return !__builtin_add_overflow(batch->input_tokens, request->text_bytes + request->added_tokens,
                                   &batch->input_tokens) &&
           !__builtin_add_overflow(batch->output_tokens, output, &batch->output_tokens) &&
           !__builtin_add_overflow(units->tool_calls, request->units.tool_calls, &units->tool_calls);
}

static enum error read_params(struct reading *reading, struct slice params, uint64_t number,
                              struct request_facts *ret_request)
{
    static const struct endpoint messages = {"messages", ENDPOINT_METERED, API_MESSAGES, NULL, &anthropic_messages};
    const struct dialect_request request = {.body = params, .depth_max = reading->request->depth_max};
    const char *problem = "";
    enum error error = dialect_read_request(&messages, &request, reading->arena, ret_request, &problem);
    if (error)
        reading->problem = arena_printf(reading->arena, "requests.%llu.params.%s", (unsigned long long)number, problem);
    return error;
}

/* Batches are bounded by the body (32 MiB, a setting), and so is the work: each is scanned once more. */
enum error anthropic_read_batches(struct reading *reading, struct request_facts *facts)
{
    const struct json_value *requests = dialect_find_value(reading, "requests");
    struct batch_facts *batch = &facts->batch;
    struct json_value element, params;
    const struct json_query query = {"params", &params};
    struct request_facts request;
    size_t at = 0;
    while (json_next_element(requests->raw, &at, &element)) {
        if (element.kind != JSON_KIND_OBJECT || json_scan(element.raw, reading->request->depth_max, &query, 1, NULL) ||
            params.kind != JSON_KIND_OBJECT)
            return refuse(reading, arena_printf(reading->arena, "requests.%llu.params: Field required",
                                                (unsigned long long)batch->requests));
        enum error error = read_params(reading, params.raw, batch->requests, &request);
        if (error)
            return error;
        if (request.adviser_value.length)
            return refuse(reading, "requests: an advisor that names a model: send it as a call of its own");
        facts->is_regional |= request.is_regional;
        if (!add_request(batch, &request, &facts->units))
            return refuse(reading, "requests: the sum of max_tokens is no number");
    }
    if (batch->requests == 0)
        return refuse(reading, "requests: List should have at least 1 item");
    memcpy(facts->model, batch->model, sizeof facts->model);
    memcpy(facts->service_tier, "batch", sizeof "batch");
    facts->refers_outside = batch->has_outside;
    facts->is_continued = false;
    return ERROR_OK;
}

/* ---- the batch object ---- */

void anthropic_read_batch(struct meter *meter, struct slice document)
{
    struct json_value id, status, succeeded, type;
    const struct json_query queries[] = {
        {"id", &id}, {"processing_status", &status}, {"request_counts.succeeded", &succeeded}, {"type", &type}};
    uint64_t count = 1; /* not said: one may have */
    meter->job = JOB_PENDING;
    if (json_scan(document, 128, queries, sizeof queries / sizeof *queries, NULL))
        return;
    meter->saw_terminal = true;
    if (json_string_is(&type, "error")) {
        meter->saw_error = true;
        meter->job = JOB_NONE;
        return;
    }
    dialect_take_text(&id, meter->answer_id, sizeof meter->answer_id);
    (void)dialect_take_tokens(&succeeded, &count);
    if (!json_string_is(&status, "ended") || count > 0)
        return;
    meter->job = JOB_DONE;
    meter->saw_usage = meter->saw_output_usage = true; /* nothing */
}

/* ---- results ---- */

enum { COUNT_LINES, COUNT_DAMAGED }; /* of meter->counts */

static bool add_usage(struct usage *sum, const struct usage *usage)
{
    bool is_right = true;
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        is_right &= !__builtin_add_overflow(sum->of[i], usage->of[i], &sum->of[i]);
    return is_right;
}

/* {"custom_id":…,"result":{"type":"succeeded","message":{…}}}: others are not billed. */
static bool read_line(struct meter *meter, struct slice line)
{
    struct json_value type, usage, model;
    const struct json_query queries[] = {
        {"result.type", &type}, {"result.message.usage", &usage}, {"result.message.model", &model}};
    static const char *const unbilled[] = {"errored", "canceled", "expired"};
    if (json_scan(line, 128, queries, sizeof queries / sizeof *queries, NULL)) {
        usage = (struct json_value){.kind = JSON_KIND_OBJECT, .raw = dialect_search_usage(line, "usage")};
        if (!usage.raw.length || !memmem(line.data, line.length, "\"succeeded\"", 11))
            return false;
    } else if (!json_string_is(&type, "succeeded")) {
        for (size_t i = 0; i < sizeof unbilled / sizeof *unbilled; i++)
            if (json_string_is(&type, unbilled[i]))
                return true;
        return false;
    } else if (!meter->served_model[0]) {
        dialect_take_text(&model, meter->served_model, sizeof meter->served_model);
    }
    struct meter one = {.endpoint = meter->endpoint};
    if (usage.kind != JSON_KIND_OBJECT || !anthropic_read_usage(&one, usage.raw))
        return false;
    meter->is_regional |= one.is_regional;
    if (one.service_tier[0])
        memcpy(meter->service_tier, one.service_tier, sizeof meter->service_tier);
    return add_usage(&meter->usage, &one.usage);
}

void anthropic_read_result(struct meter *meter, struct slice line)
{
    meter->counts[COUNT_LINES]++;
    meter->counts[COUNT_DAMAGED] += !read_line(meter, line);
}

/* A sum that lacks a line is none: the job goes on, and the results can be read again. That the transfer itself was
 * whole is the caller's to know: a cut between two lines cannot be seen here. */
void anthropic_end_results(struct meter *meter, struct slice rest)
{
    if (rest.length)
        anthropic_read_result(meter, rest);
    bool is_whole = meter->counts[COUNT_LINES] && !meter->counts[COUNT_DAMAGED] && !meter->document_overflowed;
    meter->job = is_whole ? JOB_DONE : JOB_PENDING;
    meter->saw_usage = meter->saw_output_usage = meter->saw_terminal = is_whole;
}
