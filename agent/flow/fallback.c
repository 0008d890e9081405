/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fallback before the first byte: which failures of a target another target may mend (routing-and-cache.md), what tells
 * them apart, and what of an attempt goes to the target's breaker. Called by forward, reserve and settle; nothing of an
 * answer has reached the program yet.
 */
#include "flow/exchange.h"

#include "base/check.h"

#include <stdlib.h>

enum { LOOK_BYTES_MAX = 64 << 10 };

/* Statuses that say by themselves that the target cannot serve now. 529: Anthropic, overloaded. */
static bool is_overload(int status)
{
    static const int statuses[] = {408, 425, 429, 500, 502, 503, 504, 529};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (statuses[i] == status)
            return true;
    return false;
}

/* What errors of these statuses say, by members that the provider fills, in the words of OpenAI and those like it,
 * Anthropic, and Google. A message may repeat what the program sent: what it decides must not outlast this request, but
 * where it begins with the provider's own words. */
enum look_member { LOOK_CODE, LOOK_PARAM, LOOK_MESSAGE, LOOK_MESSAGE_START };
static const struct look_row {
    int status; /* 0: any of 400, 404, 413, 422 */
    enum look_member member;
    const char *mark;
    enum attempt_failure failure;
} look_rows[] = {
    {0, LOOK_CODE, "context_length_exceeded", FAILURE_WINDOW},
    {0, LOOK_MESSAGE, "maximum context length", FAILURE_WINDOW},
    {0, LOOK_MESSAGE, "prompt is too long", FAILURE_WINDOW},
    {0, LOOK_MESSAGE, "exceed context limit", FAILURE_WINDOW},
    {0, LOOK_MESSAGE, "exceeds the maximum number of tokens", FAILURE_WINDOW},
    {0, LOOK_CODE, "model_not_found", FAILURE_MODEL_MISSING},
    {404, LOOK_MESSAGE_START, "model:", FAILURE_MODEL_MISSING},
    {404, LOOK_MESSAGE_START, "models/", FAILURE_MODEL_MISSING},
    {404, LOOK_MESSAGE_START, "The model ", FAILURE_MODEL_MISSING},
    {0, LOOK_PARAM, "stream_options", FAILURE_STREAM_OPTIONS},
    {0, LOOK_MESSAGE, "stream_options", FAILURE_STREAM_OPTIONS},
    {0, LOOK_MESSAGE, "include_usage", FAILURE_STREAM_OPTIONS},
};

struct look {
    char code[64], param[64], message[1024];
};

static void read_error(struct slice body, struct look *look)
{
    struct json_value code, param, message, text;
    const struct json_query queries[] = {
        {"error.code", &code}, {"error.param", &param}, {"error.message", &message}, {"message", &text}};
    *look = (struct look){0};
    if (json_scan(body, 64, queries, sizeof queries / sizeof *queries, NULL))
        return;
    const struct {
        const struct json_value *value;
        char *text;
        size_t bytes;
    } rows[] = {{&code, look->code, sizeof look->code},
                {&param, look->param, sizeof look->param},
                {message.kind == JSON_KIND_STRING ? &message : &text, look->message, sizeof look->message}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!json_get_string(rows[i].value, rows[i].text, rows[i].bytes))
            rows[i].text[0] = '\0';
}

static bool says(const struct look *look, const struct look_row *row)
{
    switch (row->member) {
    case LOOK_CODE:
        return strcmp(look->code, row->mark) == 0;
    case LOOK_PARAM:
        return strcmp(look->param, row->mark) == 0;
    case LOOK_MESSAGE:
        return strstr(look->message, row->mark) != NULL;
    case LOOK_MESSAGE_START:
        return strncmp(look->message, row->mark, strlen(row->mark)) == 0;
    }
    return false;
}

static bool wants_look(int status)
{
    return status == 400 || status == 404 || status == 413 || status == 422;
}

/* A call that kept its model says nothing of the target's own. */
static enum attempt_failure read_look(const struct exchange *exchange, const struct attempt *attempt)
{
    struct look look;
    read_error(buffer_contents(&attempt->look), &look);
    for (size_t i = 0; i < sizeof look_rows / sizeof *look_rows; i++) {
        const struct look_row *row = &look_rows[i];
        bool is_ours = (row->failure != FAILURE_STREAM_OPTIONS || attempt->asks_usage) &&
                       (row->failure != FAILURE_MODEL_MISSING || !exchange->route.keeps_model);
        if (is_ours && (row->status == 0 || row->status == attempt->status) && says(&look, row))
            return row->failure;
    }
    return FAILURE_NONE;
}

bool fallback_is_left(const struct exchange *exchange)
{
    const uint32_t most = exchange->settings->routing.attempts_max;
    return exchange->settings->routing.fallback && !exchange->route.is_pass && !exchange->is_client_gone &&
           exchange->attempt_count < (most ? most : ATTEMPTS_MAX) && exchange->attempt_count < ATTEMPTS_MAX &&
           exchange->next_target < exchange->route.count;
}

/* The same target again, without what it refused: even where no other is left, and once. */
static bool may_ask_again(const struct exchange *exchange, const struct attempt *attempt)
{
    return attempt->asks_usage && exchange->attempt_count < ATTEMPTS_MAX && !exchange->is_client_gone;
}

enum attempt_failure fallback_judge(struct exchange *exchange, struct attempt *attempt)
{
    bool is_left = fallback_is_left(exchange);
    if (is_overload(attempt->status))
        return is_left ? FAILURE_TARGET : FAILURE_NONE;
    if (exchange->endpoint->kind != ENDPOINT_METERED || !wants_look(attempt->status) ||
        !(is_left || may_ask_again(exchange, attempt)) || exchange->is_client_gone) {
        attempt->is_looking = false;
        return FAILURE_NONE;
    }
    if (!attempt->is_done && buffer_length(&attempt->look) < LOOK_BYTES_MAX) {
        if (!attempt->is_looking)
            buffer_init(&attempt->look, 2 * LOOK_BYTES_MAX + (1 << 20));
        attempt->is_looking = true;
        return FAILURE_NONE;
    }
    attempt->is_looking = false;
    enum attempt_failure failure = read_look(exchange, attempt);
    return failure == FAILURE_STREAM_OPTIONS || is_left ? failure : FAILURE_NONE;
}

/* "7", in seconds; dates are not worth a parser here: without a number the breaker alone decides. */
static uint32_t read_retry_after(const struct exchange *exchange, const struct attempt *attempt)
{
    struct slice text = http_find_field(exchange->answer.fields, exchange->answer.field_count, "retry-after");
    uint32_t seconds = 0;
    if (attempt->status < 400 || !text.length || text.length > 6)
        return 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return 0;
        seconds = seconds * 10 + (uint32_t)(text.data[i] - '0');
    }
    return seconds;
}

static uint64_t tokens_of(const struct usage *usage)
{
    uint64_t tokens = 0;
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        if (bucket_rows[i].side != SIDE_UNIT && __builtin_add_overflow(tokens, usage->of[i], &tokens))
            return UINT64_MAX;
    return tokens;
}

/* An error of the request's own (4xx) says nothing of the target; neither does a client that left. */
static int outcome_kind(const struct attempt *attempt)
{
    if (attempt->failure == FAILURE_TARGET || is_overload(attempt->status))
        return OUTCOME_FAILED;
    if (attempt->result.error && attempt->result.error != ERROR_CLIENT_GONE)
        return OUTCOME_FAILED;
    return attempt->status >= 200 && attempt->status < 400 && attempt->is_done && !attempt->result.error
               ? OUTCOME_SERVED
               : OUTCOME_NEITHER;
}

void fallback_end_load(struct exchange *exchange, struct attempt *attempt)
{
    if (!attempt->ticket)
        return;
    struct routing_outcome outcome = {
        .ticket = attempt->ticket,
        .tokens_estimate = attempt->load_estimate,
        .tokens_used = tokens_of(&attempt->usage),
        .first_byte_ns = attempt->status ? attempt->result.first_byte_ns : 0,
        .status = attempt->status,
        .retry_after_s = read_retry_after(exchange, attempt),
        .is_model_missing = attempt->failure == FAILURE_MODEL_MISSING,
    };
    switch (outcome_kind(attempt)) {
    case OUTCOME_SERVED:
        outcome.kind = OUTCOME_SERVED;
        break;
    case OUTCOME_FAILED:
        outcome.kind = OUTCOME_FAILED;
        break;
    default:
        outcome.kind = OUTCOME_NEITHER;
    }
    attempt->ticket = 0;
    routing_end(exchange->worker->services->routing, attempt->target, exchange->settings, &outcome);
}

void fallback_give_up(struct exchange *exchange, struct attempt *attempt, enum attempt_failure failure)
{
    attempt->failure = failure;
    attempt->phase = ATTEMPT_FAILED;
    attempt->is_looking = false;
    if (attempt->transfer) {
        upstream_cancel(attempt->transfer, &attempt->result);
        attempt->transfer = NULL;
        attempt->is_done = true;
        attempt->result.error = ERROR_OK; /* it was answered; we did not want the rest */
    }
    buffer_done(&attempt->look);
    fallback_end_load(exchange, attempt);
    settle_attempt(exchange, attempt);
    exchange->answer.status = 0;
    exchange->answer.field_count = 0;
    exchange->answer.is_event_stream = false;
    exchange->answer.content_length = -1;
}
