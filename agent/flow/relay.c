/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Relay: the answer goes to the program while its usage is metered. A JSON answer up to a bound is buffered, so that
 * its head can say what it cost; everything else streams with back-pressure: a full client stops the provider's side.
 */
#include "flow/exchange.h"

#include "base/check.h"

enum { ERROR_BODY_BYTES_MAX = 256 << 10, TRANSLATED_BYTES_MAX = 8 << 20 };
/* An event can be as long as a document: the last one of the Responses API repeats the answer, pictures and all. */
enum { METER_DOCUMENT_BYTES_MAX = 32 << 20, METER_EVENT_BYTES_MAX = 32 << 20, HIDDEN_BYTES_KEPT = 64 << 10 };

/* Of a translated answer only what has a meaning in every api; the rest speaks of the target's. */
static bool is_common(struct slice name)
{
    static const char *const names[] = {"retry-after", "retry-after-ms", "x-should-retry", "cache-control"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_is_like(name, names[i]))
            return true;
    return false;
}

/* What we say of an answer is ours to say. */
static bool is_ours(struct slice name)
{
    static const char prefix[] = "tollgate-";
    return name.length >= strlen(prefix) && strncasecmp(name.data, prefix, strlen(prefix)) == 0;
}

static bool is_translated(const struct exchange *exchange)
{
    return exchange->attempts[exchange->attempt_count - 1]->rendition->is_translated;
}

/* The provider's fields that the program gets: not hop-by-hop, not the framing (we write our own). */
static size_t copy_answer_fields(struct exchange *exchange, struct http_field *fields)
{
    struct slice connection = http_find_field(exchange->answer.fields, exchange->answer.field_count, "connection");
    size_t count = 0;
    for (size_t i = 0; i < exchange->answer.field_count; i++) {
        struct slice name = exchange->answer.fields[i].name, value = exchange->answer.fields[i].value;
        if (http_field_is_hop_by_hop(name, connection) || slice_is_like(name, "content-length") ||
            slice_is_like(name, "alt-svc") || is_ours(name) || (is_translated(exchange) && !is_common(name)) ||
            (is_translated(exchange) && slice_is_like(name, "retry-after") && value.length > 2))
            continue;
        fields[count++] = exchange->answer.fields[i];
    }
    return count;
}

static bool has_no_body(const struct http_request *request, int status)
{
    return status == 204 || status == 304 || slice_is(request->method, "HEAD");
}

enum relay_mode relay_choose_mode(const struct http_request *request, int status, int64_t length)
{
    if (length >= 0)
        return RELAY_LENGTH;
    if (has_no_body(request, status))
        return RELAY_BODILESS;
    return request->takes_chunks ? RELAY_CHUNKED : RELAY_UNFRAMED;
}

size_t relay_add_framing(const struct exchange *exchange, struct http_field *fields, size_t count, int64_t length)
{
    if (length >= 0)
        fields[count++] = (struct http_field){SLICE_LITERAL("content-length"),
                                              slice_of(arena_printf(exchange->arena, "%lld", (long long)length))};
    else if (exchange->relay.mode == RELAY_CHUNKED)
        fields[count++] = (struct http_field){SLICE_LITERAL("transfer-encoding"), SLICE_LITERAL("chunked")};
    return count;
}

/* The head into `out`. length -1: not known yet. */
static void write_head(struct exchange *exchange, struct buffer *out, int64_t length, bool with_cost)
{
    struct http_field *fields =
        arena_new_array(exchange->arena, struct http_field, exchange->answer.field_count + ANSWER_FIELDS_MAX + 3);
    size_t count = copy_answer_fields(exchange, fields);
    if (is_translated(exchange))
        fields[count++] = (struct http_field){SLICE_LITERAL("content-type"),
                                              slice_of(exchange->relay.translation
                                                           ? translation_content_type(exchange->relay.translation)
                                                           : "application/json")};
    if (exchange->relay.is_final) /* money is short there: SDKs would try a 429 again */
        fields[count++] = (struct http_field){SLICE_LITERAL("x-should-retry"), SLICE_LITERAL("false")};
    count = relay_add_framing(exchange, fields, count, length);
    count = answer_add_fields(exchange, fields, count, with_cost);
    check(http_write_head(out, exchange->answer.status, fields, count));
    recall_tell_head(exchange, fields, count);
    exchange->relay.head_written = true;
    exchange->status_sent = exchange->answer.status;
}

static void send_two(struct exchange *exchange, struct slice first, struct slice second)
{
    bool full = false;
    if (!exchange->session)
        return;
    if (connection_write_two(session_connection(exchange->session), first, second, &full) && full)
        sharing_blocked(exchange);
}

/* From buffered to streaming: the answer outgrew the bound, or streams by nature. */
static void start_streaming(struct exchange *exchange)
{
    struct buffer *scratch = &exchange->worker->scratch;
    /* Not of an event stream: one that breaks is longer by an error event. */
    bool keeps_length = exchange->answer.content_length >= 0 && !exchange->answer.is_event_stream &&
                        !exchange->relay.meter.hides_usage && !exchange->relay.translation;
    int64_t length = keeps_length ? exchange->answer.content_length : -1;
    exchange->relay.mode = relay_choose_mode(exchange->request, exchange->answer.status, length);
    buffer_reset(scratch, HIDDEN_BYTES_KEPT);
    write_head(exchange, scratch, length, false);
    send_two(exchange, buffer_contents(scratch), (struct slice){NULL, 0});
}

/* Neither the program reads what comes, nor those who share it or ask the same later: all of it is theirs, or none. */
static bool is_unheard(const struct exchange *exchange)
{
    return exchange->is_client_gone && !exchange->recall.is_leading;
}

/* A piece of the body, framed. */
static void send_piece(struct exchange *exchange, struct slice out)
{
    if (exchange->relay.mode == RELAY_CHUNKED) {
        struct buffer *scratch = &exchange->worker->scratch;
        buffer_reset(scratch, HIDDEN_BYTES_KEPT);
        if (!http_write_chunk(scratch, out)) { /* larger than the scratch: size line, then the bytes */
            check(buffer_append_format(scratch, "%zx\r\n", out.length));
            send_two(exchange, buffer_contents(scratch), out);
            send_two(exchange, SLICE_LITERAL("\r\n"), (struct slice){NULL, 0});
        } else {
            send_two(exchange, buffer_contents(scratch), (struct slice){NULL, 0});
        }
    } else {
        send_two(exchange, out, (struct slice){NULL, 0});
    }
}

/* Tells and sends what the meter let through. */
static void send_out(struct exchange *exchange)
{
    struct slice out = buffer_contents(&exchange->relay.out);
    if (!out.length)
        return;
    exchange->answer_bytes += out.length;
    bool is_held_back = sharing_holds_back(exchange); /* from these bytes on */
    recall_tell_bytes(exchange, out);
    if (exchange->relay.is_metered && exchange->relay.meter.is_refused)
        recall_shut(exchange); /* who asks from now on shall ask the provider */
    if (!is_held_back)
        send_piece(exchange, out);
    buffer_reset(&exchange->relay.out, HIDDEN_BYTES_KEPT);
}

static void begin_translation(struct exchange *exchange, const struct attempt *attempt)
{
    const struct translate_answer answer = {
        .facts = &attempt->rendition->translation,
        .model = attempt->model,
        .id = exchange->id_text,
        .created_s = exchange->started_wall_ns / 1000000000,
        .is_event_stream = exchange->answer.is_event_stream,
        .document_bytes_max = TRANSLATED_BYTES_MAX,
        .event_bytes_max = METER_EVENT_BYTES_MAX,
    };
    exchange->relay.translation = translation_new(&answer);
}

/* Neither an answer nor an error of the target's api: a redirect, no content. */
static void refuse_answer(struct exchange *exchange)
{
    exchange->error = ERROR_UPSTREAM_MALFORMED;
    exchange->error_detail =
        arena_printf(exchange->arena, "status %d of the target cannot be translated", exchange->answer.status);
}

static bool is_read(const struct exchange *exchange)
{
    return exchange->endpoint->format != NULL;
}

static void take(struct exchange *exchange, struct slice bytes);

static void begin_relay(struct exchange *exchange)
{
    struct attempt *attempt = exchange_attempt(exchange);
    const struct settings *settings = exchange->settings;
    bool is_metered = is_read(exchange) && attempt->status == 200;
    exchange->relay.is_started = true;
    exchange->relay.is_metered = is_metered;
    meter_init(&exchange->relay.meter, attempt->rendition->dialect, attempt->rendition->endpoint,
               exchange->answer.is_event_stream, is_metered && exchange->answer.is_event_stream && attempt->asks_usage,
               METER_DOCUMENT_BYTES_MAX, METER_EVENT_BYTES_MAX);
    size_t out_bytes_max = (size_t)METER_EVENT_BYTES_MAX * 2 + settings->limits.stream_buffer_bytes_max;
    if (attempt->rendition->is_translated) {
        buffer_init(&exchange->relay.raw, out_bytes_max);
        out_bytes_max = attempt->status < 400 ? out_bytes_max + (size_t)TRANSLATED_BYTES_MAX * 3 : ERROR_BODY_BYTES_MAX;
        if (attempt->status == 200)
            begin_translation(exchange, attempt);
        else if (attempt->status < 400)
            refuse_answer(exchange);
    }
    buffer_init(&exchange->relay.out, out_bytes_max);
    exchange->relay.mode = RELAY_BUFFERED;
    if (is_unheard(exchange)) /* before the head: it is drained, nobody reads it */
        return;
    bool is_document = attempt->rendition->is_translated && !exchange->answer.is_event_stream;
    bool is_large = exchange->answer.content_length > (int64_t)settings->limits.buffered_answer_bytes_max;
    bool has_body = !has_no_body(exchange->request, exchange->answer.status);
    if (!exchange->error && (exchange->answer.is_event_stream || !has_body || (!is_document && is_large)))
        start_streaming(exchange);
    if (buffer_length(&attempt->look)) /* an error that was looked at first */
        take(exchange, buffer_contents(&attempt->look));
}

/* The stream is broken for the program; what the provider goes on to send is billed all the same, so it is read. */
static void count_rest(struct exchange *exchange, struct slice bytes)
{
    struct buffer unseen;
    if (!exchange->relay.is_metered)
        return;
    buffer_init(&unseen, (size_t)METER_EVENT_BYTES_MAX * 2);
    (void)!meter_feed(&exchange->relay.meter, bytes, &unseen);
    buffer_done(&unseen);
}

/* Meters the target's bytes; what the program shall see of them goes to `out`. */
static bool pass(struct exchange *exchange, struct slice bytes)
{
    struct buffer *out = &exchange->relay.out, *raw = &exchange->relay.raw;
    if (is_translated(exchange) && !exchange->relay.translation) { /* an error: its beginning says enough */
        size_t room = ERROR_BODY_BYTES_MAX - buffer_length(out);
        return buffer_append(out, (struct slice){bytes.data, bytes.length < room ? bytes.length : room});
    }
    if (!exchange->relay.translation)
        return exchange->relay.is_metered ? meter_feed(&exchange->relay.meter, bytes, out) : buffer_append(out, bytes);
    buffer_reset(raw, HIDDEN_BYTES_KEPT);
    return meter_feed(&exchange->relay.meter, bytes, raw) &&
           translation_feed(exchange->relay.translation, buffer_contents(raw), out);
}

static const char *problem_of(const struct exchange *exchange)
{
    const char *problem = exchange->relay.translation ? translation_problem(exchange->relay.translation) : "";
    return problem[0] ? problem : "an event of the provider's stream exceeds its bound";
}

static void take(struct exchange *exchange, struct slice bytes)
{
    struct buffer *out = &exchange->relay.out;
    if (exchange->error) {
        count_rest(exchange, bytes);
        return;
    }
    if (!pass(exchange, bytes)) {
        exchange->error = ERROR_UPSTREAM_MALFORMED;
        exchange->error_detail = problem_of(exchange);
        return;
    }
    if (is_unheard(exchange)) {
        buffer_reset(out, HIDDEN_BYTES_KEPT);
        return;
    }
    if (exchange->relay.mode == RELAY_BUFFERED && !is_translated(exchange) &&
        buffer_length(out) > exchange->settings->limits.buffered_answer_bytes_max)
        start_streaming(exchange);
    if (exchange->relay.mode != RELAY_BUFFERED)
        send_out(exchange);
}

bool relay_body(struct exchange *exchange, struct slice bytes)
{
    check(!exchange->is_running && exchange->relay.is_started);
    if (sharing_must_wait(exchange))
        return false;
    bool was_gone = exchange->is_client_gone;
    exchange->is_running = true; /* a write may find the client gone: that is acted on after it */
    take(exchange, bytes);
    exchange->is_running = false;
    if (exchange->is_client_gone && !was_gone)
        exchange_client_gone(exchange);
    return true;
}

/* The program reads again: what was held back, as far as it goes. */
static void catch_up(struct exchange *exchange)
{
    char *bytes = exchange->worker->piece;
    size_t length;
    while (exchange->recall.is_behind && !exchange->relay.is_blocked &&
           (length = sharing_read_on(exchange, bytes, FLOW_PIECE_BYTES)) > 0)
        send_piece(exchange, (struct slice){bytes, length});
}

void relay_writable(struct exchange *exchange)
{
    if (exchange->recall.is_answer && exchange->relay.is_blocked) {
        exchange->relay.is_blocked = false;
        if (!exchange->is_running && exchange->step == STEP_relay)
            flow_run(exchange);
        return;
    }
    if (!exchange->relay.is_started || !exchange->relay.is_blocked)
        return;
    exchange->relay.is_blocked = false;
    catch_up(exchange);
    if (!exchange->relay.is_ending)
        sharing_go_on(exchange);
    else if (!exchange->recall.is_behind)
        flow_run(exchange);
}

/* What the attempt used, and how we know. */
static void read_usage(struct exchange *exchange, struct attempt *attempt)
{
    attempt->usage_source = USAGE_NONE;
    if (!exchange->relay.is_metered)
        return;
    attempt->usage_source = meter_result(&exchange->relay.meter, &attempt->rendition->facts, &attempt->usage);
    bool is_whole = attempt->result.error == ERROR_OK && !exchange->error;
    attempt->basis = attempt->usage_source != USAGE_PROVIDER          ? (is_whole ? BASIS_ESTIMATE : BASIS_PARTIAL)
                     : is_whole || exchange->relay.meter.saw_terminal ? BASIS_EXACT
                                                                      : BASIS_PARTIAL;
}

/* Who asks the same next asks the provider again, unless this answer ended well. */
static void judge(struct exchange *exchange, const struct attempt *attempt)
{
    if (!exchange->relay.is_metered)
        return;
    exchange->recall.saw_refusal = exchange->relay.meter.is_refused;
    exchange->recall.is_damaged = !meter_ended_well(&exchange->relay.meter, &attempt->rendition->facts);
}

/* An error of the target in the shape of the program's api. */
static void translate_failure(struct exchange *exchange, const struct attempt *attempt)
{
    struct buffer document;
    struct buffer *out = &exchange->relay.out;
    buffer_init(&document, (size_t)METER_DOCUMENT_BYTES_MAX);
    exchange->answer.status = translate_error(attempt->rendition->translation.from, attempt->rendition->translation.to,
                                              attempt->status, buffer_contents(out), exchange->id_text, &document);
    struct slice text = buffer_contents(&document);
    exchange->relay.is_final = exchange->answer.status == 429 &&
                               memmem(text.data, text.length, "insufficient_quota", strlen("insufficient_quota"));
    buffer_done(out);
    *out = document;
}

static bool finish_bytes(struct exchange *exchange)
{
    const struct attempt *attempt = exchange_attempt(exchange);
    struct buffer *out = &exchange->relay.out, *raw = &exchange->relay.raw;
    if (exchange->relay.translation) {
        buffer_reset(raw, HIDDEN_BYTES_KEPT);
        bool is_whole = attempt->result.error == ERROR_OK && !exchange->error;
        return meter_finish(&exchange->relay.meter, raw) &&
               (!is_whole || translation_finish(exchange->relay.translation, out));
    }
    if (exchange->relay.is_metered && !meter_finish(&exchange->relay.meter, out))
        return false;
    if (attempt->rendition->is_translated && !attempt->result.error)
        translate_failure(exchange, attempt);
    return true;
}

/* What counts tokens before they are asked for has no format, and says nothing but a number. */
static bool is_count(struct slice body)
{
    struct json_value input, total, error;
    const struct json_query queries[] = {{"input_tokens", &input}, {"totalTokens", &total}, {"error", &error}};
    return !json_scan(body, 128, queries, sizeof queries / sizeof *queries, NULL) && error.kind <= JSON_KIND_NULL &&
           (input.kind == JSON_KIND_NUMBER || total.kind == JSON_KIND_NUMBER);
}

static void send_buffered(struct exchange *exchange)
{
    struct slice body = buffer_contents(&exchange->relay.out);
    struct buffer *scratch = &exchange->worker->scratch;
    buffer_reset(scratch, HIDDEN_BYTES_KEPT);
    write_head(exchange, scratch, (int64_t)body.length, true);
    exchange->answer_bytes += body.length;
    exchange->recall.is_damaged |= exchange->recall.has_told && !exchange->relay.is_metered && !is_count(body);
    recall_tell_bytes(exchange, body);
    exchange->relay.is_complete = true;
    recall_land(exchange);
    send_two(exchange, buffer_contents(scratch), body);
}

static void end_stream(struct exchange *exchange)
{
    send_out(exchange);
    exchange->recall.is_damaged |= !exchange->relay.is_metered; /* nobody looked at it */
    exchange->relay.is_complete = true;
    recall_land(exchange);
}

/* Once the program has taken what was held back. */
static enum outcome end_relay(struct exchange *exchange)
{
    exchange->relay.is_ending = exchange->recall.is_behind;
    if (exchange->relay.is_ending)
        return OUTCOME_WAIT;
    if (!exchange->error && exchange->relay.mode == RELAY_CHUNKED)
        send_two(exchange, SLICE_LITERAL("0\r\n\r\n"), (struct slice){NULL, 0});
    exchange_note(exchange, "%s, %llu bytes%s", exchange->relay.mode == RELAY_BUFFERED ? "buffered" : "streamed",
                  (unsigned long long)exchange->answer_bytes, exchange->is_client_gone ? "; the client left" : "");
    if (exchange->is_client_gone && !exchange->error)
        exchange->error = ERROR_CLIENT_GONE;
    return OUTCOME_NEXT;
}

/* Never a silent end that looks like success: an error event where the format has one, then the connection is cut. */
static void break_stream(struct exchange *exchange)
{
    if (exchange->answer.is_event_stream)
        exchange->dialect->write_stream_error(exchange->error, exchange->error_detail, &exchange->relay.out);
    send_out(exchange);
    recall_land(exchange);
}

/* Who has the id of a job can ask after it at once, and others can who were told: it must be there by then. */
static bool defer_first(struct exchange *exchange, struct attempt *attempt)
{
    if (exchange->relay.meter.job != JOB_PENDING || !exchange->relay.is_metered)
        return false;
    settle_attempt(exchange, attempt);
    exchange->relay.is_deferring = attempt->is_deferred;
    return exchange->relay.is_deferring;
}

static enum outcome finish_relay(struct exchange *exchange, struct attempt *attempt)
{
    struct upstream_result *result = &attempt->result;
    bool passed = finish_bytes(exchange);
    if (!exchange->error && (result->error || !passed)) {
        exchange->error = result->error ? result->error : ERROR_UPSTREAM_MALFORMED;
        exchange->error_detail = result->error ? error_row(exchange->error)->text : problem_of(exchange);
    }
    read_usage(exchange, attempt);
    judge(exchange, attempt);
    if (is_unheard(exchange)) {
        exchange->error = exchange->error ? exchange->error : ERROR_CLIENT_GONE;
        exchange_note(exchange, "the client left; %s", exchange->relay.is_draining ? "drained" : "aborted");
        return OUTCOME_NEXT;
    }
    if (exchange->error && !exchange->relay.head_written)
        return exchange_fail(exchange, exchange->error, "%s", exchange->error_detail);
    settle_compute_charge(exchange, attempt);
    if (exchange->error)
        break_stream(exchange);
    else if (exchange->relay.mode == RELAY_BUFFERED && defer_first(exchange, attempt))
        return OUTCOME_WAIT;
    else if (exchange->relay.mode == RELAY_BUFFERED)
        send_buffered(exchange);
    else
        end_stream(exchange);
    return end_relay(exchange);
}

enum outcome step_relay(struct exchange *exchange)
{
    if (exchange->recall.is_answer)
        return replay(exchange);
    if (exchange->relay.is_ending)
        return end_relay(exchange);
    if (exchange->relay.is_deferring) {
        if (exchange->charge.waiting)
            return OUTCOME_WAIT;
        exchange->relay.is_deferring = false;
        send_buffered(exchange);
        return end_relay(exchange);
    }
    struct attempt *attempt = exchange_attempt(exchange);
    if (!exchange->relay.is_started) {
        begin_relay(exchange);
        if (exchange->is_client_gone) /* while we wrote the head */
            exchange_leave(exchange);
    }
    return attempt->is_done ? finish_relay(exchange, attempt) : OUTCOME_WAIT;
}
