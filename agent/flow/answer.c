/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the program reads when we answer ourselves: the error in its provider's own shape, typed and final (wire.md),
 * and the Tollgate fields that every answer carries. Never a key, never a body.
 */
#include "flow/exchange.h"

#include "base/check.h"

static void add(struct http_field *fields, size_t *count, const char *name, const char *value)
{
    if (value && *value && http_field_is_valid(slice_of(name), slice_of(value)))
        fields[(*count)++] = (struct http_field){slice_of(name), slice_of(value)};
}

static const char *money_text(struct exchange *exchange, struct money money)
{
    char text[MONEY_TEXT_MAX];
    return arena_strdup(exchange->arena, money_format(money, text));
}

/* What the wallet has left once this exchange is settled. */
static struct money remaining(const struct exchange *exchange)
{
    struct money left = exchange->wallet_available;
    for (unsigned i = 0; i < exchange->attempt_count; i++) {
        const struct attempt *attempt = exchange->attempts[i];
        if (attempt->is_held && (money_add(left, attempt->hold, &left) || money_subtract(left, attempt->charge, &left)))
            return exchange->wallet_available;
    }
    return left;
}

static size_t add_limits(struct exchange *exchange, struct http_field *fields, size_t count)
{
    char policy[320], state[320];
    ratelimit_format(&exchange->limits.answer, policy, sizeof policy, state, sizeof state);
    add(fields, &count, "ratelimit-policy", arena_strdup(exchange->arena, policy));
    add(fields, &count, "ratelimit", arena_strdup(exchange->arena, state));
    return count;
}

size_t answer_add_fields(struct exchange *exchange, struct http_field *fields, size_t count, bool with_cost)
{
    const struct attempt *attempt = exchange->attempt_count ? exchange_attempt(exchange) : NULL;
    add(fields, &count, "tollgate-request-id", exchange->id_text);
    add(fields, &count, "tollgate-environment", config_environment_name(exchange->settings->environment));
    if (attempt)
        add(fields, &count, "tollgate-target", attempt->target ? attempt->target->id : attempt->provider->id);
    if (attempt && attempt->is_held)
        add(fields, &count, "tollgate-hold", money_text(exchange, attempt->hold));
    if (attempt && attempt->is_held && exchange->outgoing.clamped_to >= 0)
        add(fields, &count, "tollgate-clamped",
            arena_printf(exchange->arena, "max_tokens=%lld", (long long)exchange->outgoing.clamped_to));
    bool is_pending = exchange->relay.is_started && exchange->relay.meter.job == JOB_PENDING;
    add(fields, &count, "cache-status", exchange->recall.status);
    if (exchange->recall.is_answer)
        add(fields, &count, "tollgate-cost", "0");
    if (with_cost && attempt && attempt->is_priced && !is_pending) {
        add(fields, &count, "tollgate-cost", money_text(exchange, attempt->charge));
        add(fields, &count, "tollgate-wallet-remaining", money_text(exchange, remaining(exchange)));
    }
    if (exchange->is_cheaper)
        add(fields, &count, "tollgate-cheaper", exchange->rendition.facts.model);
    if (attempt && attempt->rendition->is_translated)
        add(fields, &count, "tollgate-translated", attempt->rendition->endpoint->name);
    if (exchange->limits.answer.count)
        count = add_limits(exchange, fields, count);
    const bool will_close = exchange->session && session_will_close(exchange->session);
    if (will_close)
        add(fields, &count, "connection", "close");
    if (exchange->session)
        session_note_head(exchange->session, will_close);
    return count;
}

static const char *error_message(struct exchange *exchange)
{
    const struct error_row *row = error_row(exchange->error);
    const char *detail = exchange->error_detail ? exchange->error_detail : row->text;
    bool is_recorded = exchange->step != STEP_receive;
    return arena_printf(exchange->arena, "Tollgate (%s): %s%s%s%s%s%s",
                        config_environment_name(exchange->settings->environment), detail, row->hint[0] ? " [" : "",
                        row->hint, row->hint[0] ? "]" : "", is_recorded ? "; details: tollgate why " : "",
                        is_recorded ? exchange->id_text : "");
}

/* Limits and resting targets: only where it is soon. */
static bool may_pass(const struct exchange *exchange, const struct error_row *row)
{
    bool is_timed = exchange->error == ERROR_RATE_LIMITED || exchange->error == ERROR_TARGETS_BUSY;
    return row->retryable && (!is_timed || exchange->retry_after_s);
}

/* Vercel's SDK (ai 6.0: APICallError.isRetryable) knows no x-should-retry and tries every 429 again; 402, which the
 * other SDKs do not take for what OpenAI says of an exhausted account, it does not. */
static int status_for_client(const struct exchange *exchange, const struct error_row *row, int status)
{
    if (status != 429 || row->fault != FAULT_WALLET)
        return status; /* and there is no request yet where one was not understood */
    struct slice agent = http_find_field(exchange->request->fields, exchange->request->field_count, "user-agent");
    bool asks_again = slice_has_prefix(agent, "ai-sdk/") ||
                      (agent.length && memmem(agent.data, agent.length, " ai-sdk/", strlen(" ai-sdk/")));
    return asks_again ? row->status : status;
}

void answer_error(struct exchange *exchange)
{
    const struct error_row *row = error_row(exchange->error);
    if (!exchange->session || exchange->relay.head_written || row->status == 0)
        return;
    struct buffer body, head;
    bool full;
    buffer_init(&body, 64 << 10);
    buffer_init(&head, 64 << 10);
    int status = exchange->dialect->write_error(exchange->error, error_message(exchange), exchange->id_text, &body);
    status = status_for_client(exchange, row, status);
    struct http_field fields[ANSWER_FIELDS_MAX + 6];
    size_t count = 0;
    add(fields, &count, "content-type", "application/json");
    add(fields, &count, "content-length", arena_printf(exchange->arena, "%zu", buffer_length(&body)));
    add(fields, &count, "x-should-retry", may_pass(exchange, row) ? NULL : "false");
    if (exchange->retry_after_s)
        add(fields, &count, "retry-after", arena_printf(exchange->arena, "%u", exchange->retry_after_s));
    count = answer_add_fields(exchange, fields, count, false);
    if (row->fault == FAULT_WALLET)
        add(fields, &count, "tollgate-wallet-remaining", money_text(exchange, exchange->wallet_available));
    check(http_write_head(&head, status, fields, count));
    exchange->answer_bytes = buffer_length(&body);
    exchange->status_sent = status;
    connection_write_two(session_connection(exchange->session), buffer_contents(&head), buffer_contents(&body), &full);
    buffer_done(&head);
    buffer_done(&body);
    if (exchange->step == STEP_receive)
        log_event(EVENT_HTTP_REFUSED, exchange->id_text, "%s: %s", row->code,
                  exchange->error_detail ? exchange->error_detail : row->text);
}
