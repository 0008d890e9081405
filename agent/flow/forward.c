/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forward: sends the request to the attempt's target and waits for the head of the answer. A failure that provably
 * sent nothing, with another target left, asks for AGAIN; everything else is this exchange's answer or error.
 */
#include "flow/exchange.h"

#include "base/check.h"

/* Never forwarded: they are between the program and us, or libcurl writes its own. accept-encoding: metering reads the
 * answer, so the provider must not compress it. */
static const char *const own_fields[] = {"host", "content-length", "expect", "accept-encoding"};
/* Replaced by the target's own key. */
static const char *const key_fields[] = {"authorization", "x-api-key", "x-goog-api-key", "api-key"};

static const struct {
    const char *field;
} key_headers[] = {[KEY_HEADER_AUTHORIZATION] = {"authorization"},
                   [KEY_HEADER_X_API_KEY] = {"x-api-key"},
                   [KEY_HEADER_X_GOOG_API_KEY] = {"x-goog-api-key"}};

static bool is_one_of(struct slice name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_is_like(name, names[i]))
            return true;
    return false;
}

static size_t copy_fields(struct exchange *exchange, bool swaps_key, struct http_field **ret_fields)
{
    const struct http_request *request = exchange->request;
    struct http_field *fields = arena_new_array(exchange->arena, struct http_field, request->field_count + 1);
    struct slice connection = http_find_field(request->fields, request->field_count, "connection");
    size_t count = 0;
    for (size_t i = 0; i < request->field_count; i++) {
        struct slice name = request->fields[i].name;
        if (http_field_is_hop_by_hop(name, connection) ||
            is_one_of(name, own_fields, sizeof own_fields / sizeof *own_fields) ||
            (swaps_key && is_one_of(name, key_fields, sizeof key_fields / sizeof *key_fields)))
            continue;
        fields[count++] = request->fields[i];
    }
    *ret_fields = fields;
    return count;
}

/* The query without `key=…`, which is the program's key. */
static struct slice copy_query(struct exchange *exchange, struct slice query)
{
    char *copy = arena_alloc(exchange->arena, query.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < query.length;) {
        struct slice rest = slice_from(query, i);
        const char *end = memchr(rest.data, '&', rest.length);
        size_t part = end ? (size_t)(end - rest.data) : rest.length;
        if (part < 4 || memcmp(rest.data, "key=", 4)) {
            if (length)
                copy[length++] = '&';
            memcpy(copy + length, rest.data, part);
            length += part;
        }
        i += part + 1;
    }
    return (struct slice){copy, length};
}

static const char *make_url(struct exchange *exchange, const struct attempt *attempt)
{
    const char *base = attempt->target ? attempt->target->base_url : attempt->provider->base_url;
    struct slice path = exchange->request->path, query = exchange->request->query;
    if (attempt->target)
        query = copy_query(exchange, query);
    return arena_printf(exchange->arena, "%s" SLICE_FORMAT "%s" SLICE_FORMAT, base, SLICE_ARGUMENTS(path),
                        query.length ? "?" : "", SLICE_ARGUMENTS(query));
}

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
    return relay_body(((struct attempt *)context)->exchange, bytes);
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
        .url = make_url(exchange, attempt),
        .body = exchange->outgoing.body,
        .ca_file = attempt->target ? attempt->target->ca_file : attempt->provider->ca_file,
        .local = attempt->target ? attempt->target->local : attempt->provider->local,
        .connect_timeout_ms = exchange->settings->limits.upstream_connect_timeout_ms,
        .timeout_ms = attempt->target ? attempt->target->timeout_ms : exchange->settings->limits.upstream_timeout_ms,
    };
    struct http_field *fields;
    request.field_count = copy_fields(exchange, attempt->target != NULL, &fields);
    request.fields = fields;
    if (attempt->target) {
        request.key_field = key_headers[attempt->provider->key_header].field;
        request.key = attempt->target->secret;
    }
    attempt->transfer = upstream_start(exchange->worker->upstream, &request, &handler, attempt);
    return OUTCOME_WAIT;
}

/* The transfer ended before an answer's head. */
static enum outcome fail_transfer(struct exchange *exchange, struct attempt *attempt)
{
    attempt->phase = ATTEMPT_FAILED;
    if (exchange->is_client_gone)
        return exchange_fail(exchange, ERROR_CLIENT_GONE, "the client left before the provider answered");
    bool is_another_left = !exchange->route.is_pass && exchange->attempt_count < exchange->route.count &&
                           exchange->attempt_count < ATTEMPTS_MAX;
    if (!attempt->result.bytes_were_sent && is_another_left)
        return OUTCOME_AGAIN;
    enum error error = attempt->result.error ? attempt->result.error : ERROR_UPSTREAM_CUT;
    return exchange_fail(exchange, error, "%s: %s", attempt->target ? attempt->target->id : attempt->provider->id,
                         error_row(error)->text);
}

enum outcome step_forward(struct exchange *exchange)
{
    struct attempt *attempt = exchange_attempt(exchange);
    if (attempt->status) {
        exchange_note(exchange, "%s answered %d", attempt->target ? attempt->target->id : attempt->provider->id,
                      attempt->status);
        return OUTCOME_NEXT;
    }
    if (attempt->is_done)
        return fail_transfer(exchange, attempt);
    if (exchange->is_client_gone)
        return exchange_fail(exchange, ERROR_CLIENT_GONE, "the client left before its request was sent");
    check(!attempt->transfer);
    return start_transfer(exchange, attempt);
}
