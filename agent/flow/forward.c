/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forward: sends the request to the attempt's target and waits for the head of the answer. A failure before the
 * answer's first byte that another target may mend asks for AGAIN (fallback.c says which); everything else is this
 * exchange's answer or error.
 */
#include "flow/exchange.h"

#include "base/check.h"

static const struct {
    const char *field;
} key_headers[] = {[KEY_HEADER_AUTHORIZATION] = {"authorization"},
                   [KEY_HEADER_X_API_KEY] = {"x-api-key"},
                   [KEY_HEADER_X_GOOG_API_KEY] = {"x-goog-api-key"},
                   [KEY_HEADER_API_KEY] = {"api-key"}};

static void read_answer_head(struct exchange *exchange)
{
    struct slice type = http_find_field(exchange->answer.fields, exchange->answer.field_count, "content-type");
    exchange->answer.is_event_stream =
        type.data && type.length >= 17 && !strncasecmp(type.data, "text/event-stream", 17);
    struct slice length = http_find_field(exchange->answer.fields, exchange->answer.field_count, "content-length");
    int64_t bytes = 0;
    if (!length.length || length.length > 15)
        return;
    for (size_t i = 0; i < length.length; i++) {
        if (length.data[i] < '0' || length.data[i] > '9')
            return;
        bytes = bytes * 10 + (length.data[i] - '0');
    }
    exchange->answer.content_length = bytes;
}

static void upstream_head(void *context, int status, const struct http_field *fields, size_t count)
{
    struct attempt *attempt = context;
    struct exchange *exchange = attempt->exchange;
    attempt->status = status;
    exchange->answer.status = status;
    exchange->answer.fields = arena_new_array(exchange->arena, struct http_field, count + 1);
    for (size_t i = 0; i < count; i++)
        exchange->answer.fields[i] = (struct http_field){arena_copy(exchange->arena, fields[i].name),
                                                         arena_copy(exchange->arena, fields[i].value)};
    exchange->answer.field_count = count;
    read_answer_head(exchange);
    flow_run(exchange);
}

static bool upstream_body(void *context, struct slice bytes)
{
    struct attempt *attempt = context;
    if (!attempt->is_looking)
        return relay_body(attempt->exchange, bytes);
    /* The body decides: it is held back; past the bound it is relayed after all. */
    if (!buffer_append(&attempt->look, bytes))
        return false;
    flow_run(attempt->exchange);
    return true;
}

static void upstream_done(void *context, const struct upstream_result *result)
{
    struct attempt *attempt = context;
    attempt->transfer = NULL;
    attempt->result = *result;
    attempt->is_done = true;
    flow_run(attempt->exchange);
}

static enum outcome start_transfer(struct exchange *exchange, struct attempt *attempt)
{
    static const struct upstream_handler handler = {upstream_head, upstream_body, upstream_done};
    struct upstream_request request = {
        .method = arena_printf(exchange->arena, SLICE_FORMAT, SLICE_ARGUMENTS(exchange->request->method)),
        .url = outgoing_url(exchange, attempt),
        .body = attempt->body,
        .is_stream = exchange->rendition.facts.is_streaming,
        .ca_file = attempt->target ? attempt->target->ca_file : attempt->provider->ca_file,
        .local = attempt->target ? attempt->target->local : attempt->provider->local,
        .connect_timeout_ms = exchange->settings->limits.upstream_connect_timeout_ms,
        .timeout_ms = attempt->target ? attempt->target->timeout_ms : exchange->settings->limits.upstream_timeout_ms,
    };
    struct http_field *fields;
    request.field_count = outgoing_fields(exchange, attempt, &fields);
    request.fields = fields;
    if (attempt->target) {
        request.key_field = key_headers[attempt->provider->key_header].field;
        request.key = attempt->target->secret;
    }
    attempt->transfer = upstream_start(exchange->worker->upstream, &request, &handler, attempt);
    return OUTCOME_WAIT;
}

static const char *name_of(const struct attempt *attempt)
{
    return attempt->target ? attempt->target->id : attempt->provider->id;
}

static const char *const failure_texts[] = {
    [FAILURE_TARGET] = "another target is asked",
    [FAILURE_MODEL_MISSING] = "it does not know the model, another target is asked",
    [FAILURE_WINDOW] = "the request is too long for it, another target is asked",
    [FAILURE_STREAM_OPTIONS] = "it takes no stream_options, asked again without",
};

/* The transfer ended before an answer's head. What was sent by then is settled as far as it is known. */
static enum outcome fail_transfer(struct exchange *exchange, struct attempt *attempt)
{
    enum error error = attempt->result.error ? attempt->result.error : ERROR_UPSTREAM_CUT;
    attempt->phase = ATTEMPT_FAILED;
    if (exchange->is_client_gone)
        return exchange_fail(exchange, ERROR_CLIENT_GONE, "the client left before the provider answered");
    attempt->failure = FAILURE_TARGET;
    if (!fallback_is_left(exchange))
        return exchange_fail(exchange, error, "%s: %s", name_of(attempt), error_row(error)->text);
    exchange_note(exchange, "%s: %s, another target is asked", name_of(attempt), error_row(error)->text);
    fallback_give_up(exchange, attempt, FAILURE_TARGET);
    return OUTCOME_AGAIN;
}

static enum outcome judge(struct exchange *exchange, struct attempt *attempt)
{
    enum attempt_failure failure = fallback_judge(exchange, attempt);
    if (attempt->is_looking)
        return OUTCOME_WAIT;
    if (failure == FAILURE_NONE) {
        exchange_note(exchange, "%s answered %d", name_of(attempt), attempt->status);
        return OUTCOME_NEXT;
    }
    exchange_note(exchange, "%s answered %d: %s", name_of(attempt), attempt->status, failure_texts[failure]);
    fallback_give_up(exchange, attempt, failure);
    return OUTCOME_AGAIN;
}

enum outcome step_forward(struct exchange *exchange)
{
    struct attempt *attempt = exchange_attempt(exchange);
    if (attempt->status)
        return judge(exchange, attempt);
    if (attempt->is_done)
        return fail_transfer(exchange, attempt);
    if (exchange->is_client_gone)
        return exchange_fail(exchange, ERROR_CLIENT_GONE, "the client left before its request was sent");
    check(!attempt->transfer);
    return start_transfer(exchange, attempt);
}
