/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settle: every attempt's hold becomes its true charge, the rest goes back (ledger.md). A hold is voided only when
 * provably nothing was sent; an error answer is unbilled; once bytes were sent it settles, by the best knowledge there
 * is. The program's connection is free for its next request as soon as the operations are queued.
 */
#include "flow/exchange.h"

#include "base/check.h"
#include "base/clock.h"

#include <ctype.h>

/* Nothing of the answer was understood: the provider may have worked. Prod takes the whole hold, dev an estimate. */
static void assume_usage(struct exchange *exchange, struct attempt *attempt)
{
    if (exchange->settings->environment == ENVIRONMENT_PROD) {
        attempt->basis = BASIS_WORST;
        attempt->charge = attempt->hold;
        return;
    }
    attempt->basis = BASIS_ESTIMATE;
    attempt->usage_source = USAGE_ESTIMATED;
    attempt->usage = attempt->rendition->facts.units; /* and the input */
    attempt->usage.input = attempt->rendition->facts.text_bytes / 4 + 1;
}

/* The tier that the answer says it was served at; of a batch and its answer, the batch's. */
static const char *service_tier_of(struct exchange *exchange, const struct attempt *attempt)
{
    if (exchange->job.is_known)
        return exchange->job.service_tier;
    if (attempt->rendition->facts.batch.requests)
        return "batch";
    bool is_current = attempt == exchange->attempts[exchange->attempt_count - 1];
    if (!is_current || !exchange->relay.is_started)
        return "";
    /* Gemini says it in a field (ai.google.dev, "Priority inference"), others in the body. */
    struct slice field =
        http_find_field(exchange->answer.fields, exchange->answer.field_count, "x-gemini-service-tier");
    if (!field.length || exchange->relay.meter.service_tier[0])
        return exchange->relay.meter.service_tier;
    char *tier = arena_strdup(exchange->arena, arena_copy(exchange->arena, field).data);
    for (char *at = tier; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    return tier;
}

/* The call named no model: the one that answered has a price of its own, if the list knows it. */
static void quote_served(const struct exchange *exchange, struct attempt *attempt)
{
    struct price_quote served;
    const char *model = exchange->relay.is_started ? exchange->relay.meter.served_model : "";
    if (attempt->model[0] || !model[0] ||
        prices_find(exchange->settings, attempt->provider, model, NULL, NULL, &served) || served.basis != PRICE_LISTED)
        return;
    served.drawing = attempt->bound.quote.drawing;
    attempt->bound.quote = served;
}

/* Pictures of a model that the request did not name: of a job, whose poll says nothing of it. */
static enum error quote_drawing(struct exchange *exchange, struct attempt *attempt)
{
    const char *model = exchange->relay.is_started ? exchange->relay.meter.drawing_model : "";
    if (attempt->bound.quote.drawing.is_known || !model[0] || attempt != exchange_attempt(exchange))
        return ERROR_OK;
    return prices_find_drawing(exchange->settings, attempt->provider, model, &attempt->bound.quote);
}

/* What a provider counts is believed above the hold, with an alarm; what no call can come to is no count. */
static void disbelieve(struct exchange *exchange, struct attempt *attempt)
{
    char counted[MONEY_TEXT_MAX], held[MONEY_TEXT_MAX];
    money_format(attempt->charge, counted);
    money_format(attempt->hold, held);
    log_event(
        EVENT_HOLD_EXCEEDED, exchange->id_text,
        "%s counts what would cost %s USD, more than any call to %s can: not believed, the hold of %s USD is taken",
        attempt->provider->id, counted, attempt->model, held);
    exchange_note(exchange, "the provider's count would cost %s USD: not believed", counted);
    attempt->usage = (struct usage){0};
    attempt->usage_source = USAGE_NONE;
    attempt->basis = BASIS_WORST;
    attempt->charge = attempt->hold;
}

void settle_compute_charge(struct exchange *exchange, struct attempt *attempt)
{
    if (!attempt->is_priced || attempt->basis == BASIS_WORST)
        return;
    if (attempt->status >= 400) { /* failed requests are not billed: OpenAI and Anthropic, "Errors" */
        attempt->basis = BASIS_EXACT;
        attempt->charge = MONEY_ZERO;
        return;
    }
    if (attempt->usage_source == USAGE_NONE && attempt->result.bytes_were_sent)
        assume_usage(exchange, attempt);
    if (attempt->basis == BASIS_WORST || attempt->usage_source == USAGE_NONE)
        return;
    quote_served(exchange, attempt);
    if (exchange->relay.is_started && exchange->relay.meter.saw_usage && attempt == exchange_attempt(exchange))
        attempt->bound.quote.is_regional = exchange->relay.meter.is_regional;
    if (quote_drawing(exchange, attempt) ||
        prices_cost(&attempt->bound.quote, &attempt->usage, service_tier_of(exchange, attempt), &attempt->charge)) {
        attempt->basis = BASIS_WORST;
        attempt->charge = attempt->hold;
    } else if (attempt->usage_source == USAGE_ESTIMATED && attempt->hold.nano > 0 &&
               money_compare(attempt->charge, attempt->hold) > 0) {
        attempt->charge = attempt->hold; /* the bytes of an answer that nobody counted do not say more than its bound */
    } else if (attempt->usage_source == USAGE_PROVIDER && !bound_is_believable(attempt, attempt->charge)) {
        disbelieve(exchange, attempt);
    }
}

/* Another hand resolved the hold: the ledger, at its deadline, whole. That is what was paid. */
static void take_expired(struct exchange *exchange, struct attempt *attempt)
{
    char text[MONEY_TEXT_MAX];
    log_event(EVENT_HOLD_EXPIRED, exchange->id_text,
              "hold not resolved: the ledger took it whole at limits.hold_deadline_s; the call came to %s USD",
              money_format(attempt->charge, text));
    attempt->basis = BASIS_WORST;
    attempt->charge = attempt->hold;
}

static void take_undeferred(struct exchange *exchange, struct attempt *attempt);

/* What a job used is in the event of the call that ended it, and in no other. */
static void forget_usage(struct attempt *attempt)
{
    attempt->usage = (struct usage){0};
    attempt->usage_source = USAGE_NONE;
}

static void resolved(struct wallet_operation *operation)
{
    struct attempt *attempt = list_entry(operation, struct attempt, resolve);
    struct exchange *exchange = attempt->exchange;
    if (operation->error && operation->kind == WALLET_DEFER) {
        exchange->charge.waiting--;
        take_undeferred(exchange, attempt);
        return;
    }
    bool was_resolved = operation->error == ERROR_TRANSFER_RESOLVED || operation->is_repeat;
    if (was_resolved && attempt->is_job_end) { /* by another poll, whose event has the charge */
        attempt->charge = MONEY_ZERO;
        forget_usage(attempt);
    } else if (operation->error == ERROR_TRANSFER_RESOLVED)
        take_expired(exchange, attempt);
    else if (operation->error)
        log_event(EVENT_LEDGER_FAILED, exchange->id_text, "hold not resolved: %s", error_row(operation->error)->text);
    attempt->hold_exceeded = operation->alarm;
    exchange->charge.alarm |= operation->alarm;
    check(exchange->charge.waiting > 0);
    if (--exchange->charge.waiting == 0 && (exchange->charge.is_started || exchange->relay.is_deferring))
        flow_run(exchange);
}

static void fill_memo(const struct exchange *exchange, const struct attempt *attempt, struct wallet_memo *memo)
{
    snprintf(memo->model, sizeof memo->model, "%.*s", (int)sizeof memo->model - 1, attempt->model);
    snprintf(memo->provider, sizeof memo->provider, "%.*s", (int)sizeof memo->provider - 1, attempt->provider->id);
    snprintf(memo->group, sizeof memo->group, "%.*s", (int)sizeof memo->group - 1,
             exchange->principal.group.group->name);
    const char *executable = exchange->principal.claim.executable, *slash = strrchr(executable, '/');
    snprintf(memo->program, sizeof memo->program, "%.*s", (int)sizeof memo->program - 1,
             slash ? slash + 1 : executable);
    snprintf(memo->project, sizeof memo->project, "%.*s", (int)sizeof memo->project - 1,
             exchange->principal.claim.project);
    memo->tokens_input = attempt->usage.input + attempt->usage.input_audio + attempt->usage.input_image;
    memo->tokens_cache_read = attempt->usage.cache_read;
    memo->tokens_cache_write = attempt->usage.cache_write + attempt->usage.cache_write_1h;
    memo->tokens_output = attempt->usage.output + attempt->usage.output_audio + attempt->usage.output_image;
    memo->pid = (uint32_t)exchange->principal.claim.pid;
}

static void submit(struct exchange *exchange, struct attempt *attempt)
{
    attempt->resolve.reply_to = loop_mailbox(exchange->worker->loop);
    attempt->resolve.done = resolved;
    exchange->charge.waiting++;
    wallet_submit(exchange->worker->services->ledger, &attempt->resolve);
}

static void resolve_attempt(struct exchange *exchange, struct attempt *attempt)
{
    struct wallet_operation *operation = &attempt->resolve;
    bool is_void = !attempt->result.bytes_were_sent;
    operation->id = attempt->reserve.id;
    memcpy(operation->wallet, attempt->reserve.wallet, sizeof operation->wallet);
    snprintf(operation->provider, sizeof operation->provider, "%.*s", (int)sizeof operation->provider - 1,
             attempt->provider->id);
    attempt->is_resolved = true;
    if (!is_void && !attempt->is_undeferrable && job_defer(exchange, attempt)) {
        submit(exchange, attempt);
        return;
    }
    settle_compute_charge(exchange, attempt);
    operation->kind = is_void ? WALLET_VOID : WALLET_SETTLE;
    operation->amount = is_void ? MONEY_ZERO : attempt->charge;
    operation->basis = is_void ? BASIS_NONE : attempt->basis;
    if (!is_void)
        fill_memo(exchange, attempt, &operation->memo);
    submit(exchange, attempt);
}

/* The hold could not become a job's: it is taken whole, as of anything whose use is not known. */
static void take_undeferred(struct exchange *exchange, struct attempt *attempt)
{
    log_event(EVENT_LEDGER_FAILED, exchange->id_text, "the hold of job %s is taken whole: %s", attempt->resolve.job.key,
              error_row(attempt->resolve.error)->text);
    attempt->is_undeferrable = true;
    attempt->is_deferred = false;
    attempt->basis = BASIS_WORST;
    attempt->charge = attempt->hold;
    memset(&attempt->resolve, 0, sizeof attempt->resolve);
    resolve_attempt(exchange, attempt);
}

void settle_attempt(struct exchange *exchange, struct attempt *attempt)
{
    if (attempt->is_held && !attempt->is_resolved)
        resolve_attempt(exchange, attempt);
}

/* An attempt that held nothing, but whose answer ends a job. */
static void settle_job(struct exchange *exchange, struct attempt *attempt)
{
    if (!job_settle(exchange, attempt)) {
        if (exchange->endpoint->kind == ENDPOINT_JOB)
            forget_usage(attempt);
        return;
    }
    fill_memo(exchange, attempt, &attempt->resolve.memo);
    submit(exchange, attempt);
}

/* Rate limits count what was used instead of what was thought; a call that reached nobody used nothing. */
static void settle_limits(struct exchange *exchange)
{
    uint64_t used = 0;
    bool is_job = exchange->attempt_count && exchange_attempt(exchange)->is_job_end;
    if ((!exchange->limits.is_taken && !is_job) || (exchange->attempt_count && exchange_attempt(exchange)->is_deferred))
        return; /* a job's tokens stay estimated until it ends; who is nobody's took none and has no group */
    for (unsigned i = 0; i < exchange->attempt_count; i++)
        for (size_t j = 0; j < BUCKET_COUNT; j++)
            if (bucket_rows[j].side != SIDE_UNIT &&
                __builtin_add_overflow(used, exchange->attempts[i]->usage.of[j], &used))
                used = UINT64_MAX;
    if (is_job)
        job_settle_limits(exchange, used);
    else
        ratelimit_settle(exchange->worker->services->ratelimit, exchange->principal.group.group->name,
                         exchange->limits.taken_ns, exchange->limits.tokens, used);
}

/* Where this conversation goes on, and where the answer (a response, a file, a batch) will be asked for by its id. */
static void remember_places(struct exchange *exchange)
{
    struct routing *routing = exchange->worker->services->routing;
    const struct attempt *attempt = exchange->attempt_count ? exchange_attempt(exchange) : NULL;
    if (!attempt || !attempt->target || attempt->status != 200)
        return;
    routing_remember(routing, exchange->conversation, attempt->target);
    if (!exchange->relay.is_started || !exchange->relay.meter.answer_id[0])
        return;
    const char *id = exchange->relay.meter.answer_id;
    routing_remember(routing, route_hash(id), attempt->target);
    if (exchange->rendition.facts.batch.requests && exchange->endpoint->kind == ENDPOINT_FREE)
        job_remember_file(id, exchange->principal.wallet, &exchange->rendition.facts.batch);
}

static void start_settle(struct exchange *exchange)
{
    exchange->charge.is_started = true;
    if (exchange->relay.is_draining)
        exchange->worker->drains--;
    for (unsigned i = 0; i < exchange->attempt_count; i++) {
        struct attempt *attempt = exchange->attempts[i];
        check(!attempt->transfer);
        fallback_end_load(exchange, attempt);
        bound_learn(exchange, attempt);
        if (!attempt->is_held)
            settle_job(exchange, attempt);
        else if (!attempt->is_resolved)
            resolve_attempt(exchange, attempt);
    }
    recall_end(exchange);
    settle_limits(exchange);
    remember_places(exchange);
    struct session *session = exchange->session;
    exchange->session = NULL;
    if (!session)
        return;
    bool is_broken = exchange->relay.head_written && !exchange->relay.is_complete;
    if (is_broken)
        session_must_close(session);
    /* A reset would overtake the error event that a broken stream ends with: seen under load. */
    session_release(session, is_broken && !exchange->answer.is_event_stream);
}

enum outcome step_settle(struct exchange *exchange)
{
    if (!exchange->charge.is_started)
        start_settle(exchange);
    if (exchange->charge.waiting)
        return OUTCOME_WAIT;
    for (unsigned i = 0; i < exchange->attempt_count; i++)
        if (money_add(exchange->charge.charge, exchange->attempts[i]->charge, &exchange->charge.charge))
            exchange->charge.charge = MONEY_MAX;
    if (exchange->charge.alarm)
        log_event(EVENT_HOLD_EXCEEDED, exchange->id_text, "wallet %s: the provider's usage exceeds %s",
                  exchange->principal.wallet,
                  exchange_attempt(exchange)->bound.is_learned ? "what was learned of such calls (hold: learned)"
                                                               : "the bound");
    return OUTCOME_NEXT;
}
