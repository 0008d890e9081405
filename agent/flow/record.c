/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Record: one event per exchange, from which `tollgate why` explains every step's decision, and beside it the lines
 * that sums are made of (journal/event.c reads the same ones from the event). Keys, prompts and answers are never part
 * of it, only sizes.
 */
#include "flow/exchange.h"

#include "flow/iterations.h"

#include "base/check.h"
#include "base/clock.h"

#include <assert.h>
#include <stdio.h>

enum { EVENT_BYTES_MAX = 64 << 10, UID_TEXT_MAX = 16 };

static void write_slice(struct buffer *out, const char *name, struct slice text)
{
    json_write_member(out, name);
    json_write_string(out, text);
}

static void write_tokens(struct buffer *out, const char *name, const struct usage *usage)
{
    json_write_member(out, name);
    json_write_raw(out, "{");
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        if (usage->of[i] || bucket_rows[i].side != SIDE_UNIT)
            json_write_member_integer(out, bucket_rows[i].name, (int64_t)usage->of[i]);
    json_write_raw(out, "}");
}

static const char *usage_source_name(enum usage_source source)
{
    static const char *const names[] = {"none", "provider", "estimated", "recovered"};
    return names[source];
}

static void write_hold(struct buffer *out, const struct attempt *attempt)
{
    const struct wallet_operation *reserve = &attempt->reserve;
    if (!attempt->is_held)
        return;
    json_write_member_money(out, "hold", attempt->hold);
    json_write_member_string(out, "hold_basis", attempt->bound.is_learned ? "learned" : "bound");
    if (attempt->hold_exceeded)
        json_write_member_boolean(out, "hold_exceeded", true);
    if (!reserve->budget_count)
        return;
    json_write_member(out, "budgets");
    json_write_raw(out, "[");
    for (unsigned i = 0; i < reserve->budget_count; i++) {
        json_write_raw(out, i ? "," : "");
        json_write_string(out, slice_of(reserve->budgets[i].name));
    }
    json_write_raw(out, "]");
}

static const char *failure_name(enum attempt_failure failure)
{
    static const char *const names[] = {[FAILURE_NONE] = "none",
                                        [FAILURE_TARGET] = "target",
                                        [FAILURE_MODEL_MISSING] = "model_missing",
                                        [FAILURE_WINDOW] = "context_window",
                                        [FAILURE_STREAM_OPTIONS] = "stream_options"};
    return names[failure];
}

static bool is_paid(const struct attempt *attempt)
{
    return attempt->charge.nano > 0 && attempt->resolve.time_ns;
}

/* What it cost, and the transfer that paid: when, and for which hold where that is an earlier call's. */
static void write_payment(struct buffer *out, const struct attempt *attempt)
{
    char time_text[CLOCK_TEXT_MAX], id_text[ID_TEXT_MAX];
    json_write_member_money(out, "charge", attempt->charge);
    json_write_member_string(out, "basis", wallet_basis_name(attempt->basis));
    if (!is_paid(attempt))
        return;
    json_write_member_string(out, "settled", clock_format(attempt->resolve.time_ns, time_text));
    if (attempt->resolve.written_off.nano)
        json_write_member_money(out, "written_off", attempt->resolve.written_off);
    if (attempt->is_job_end)
        json_write_member_string(out, "settled_hold", id_format(attempt->resolve.id, id_text));
}

static void write_attempt(struct buffer *out, const struct attempt *attempt, bool is_last)
{
    json_write_raw(out, "{");
    json_write_member_string(out, "target", attempt->target ? attempt->target->id : NULL);
    json_write_member_string(out, "provider", attempt->provider->id);
    json_write_member_string(out, "model", attempt->model);
    if (attempt->is_priced) {
        json_write_member_string(out, "price_basis", prices_basis_name(attempt->bound.quote.basis));
        json_write_member_string(out, "price_model", attempt->bound.quote.list_model);
    }
    write_hold(out, attempt);
    write_payment(out, attempt);
    json_write_member_string(out, "usage_source", usage_source_name(attempt->usage_source));
    if (!is_last) /* the last one's are the event's */
        write_tokens(out, "tokens", &attempt->usage);
    json_write_member_integer(out, "status", attempt->status);
    json_write_member_boolean(out, "bytes_sent", attempt->result.bytes_were_sent);
    json_write_member_integer(out, "connect_us", attempt->result.connect_ns / 1000);
    json_write_member_integer(out, "first_byte_us", attempt->result.first_byte_ns / 1000);
    json_write_member_integer(out, "total_us", attempt->result.total_ns / 1000);
    if (attempt->rendition->is_translated) {
        json_write_member_string(out, "translated_to", attempt->rendition->endpoint->name);
        if (attempt->rendition->translation.dropped && attempt->rendition->translation.dropped[0])
            json_write_member_string(out, "dropped", attempt->rendition->translation.dropped);
    }
    if (attempt->failure)
        json_write_member_string(out, "failure", failure_name(attempt->failure));
    if (attempt->is_deferred)
        json_write_member_string(out, "job", attempt->resolve.job.key);
    if (attempt->result.error)
        json_write_member_string(out, "error", attempt->result.detail);
    json_write_raw(out, "}");
}

static void write_principal(struct buffer *out, const struct exchange *exchange)
{
    const struct principal *principal = &exchange->principal;
    json_write_member_integer(out, "uid", principal->peer.uid);
    json_write_member_integer(out, "pid", principal->claim.pid);
    json_write_member_string(out, "executable", principal->claim.executable);
    json_write_member_string(out, "directory", principal->claim.directory);
    json_write_member_string(out, "project", principal->claim.project);
    if (!principal->group.group)
        return;
    json_write_member_string(out, "group", principal->group.group->name);
    json_write_member_string(out, "group_source", policy_group_source_name(principal->group.source));
    json_write_member_boolean(out, "flagged", principal->group.is_flagged);
    json_write_member_string(out, "wallet", principal->wallet);
}

static void write_request(struct buffer *out, const struct exchange *exchange)
{
    json_write_member_string(out, "host", exchange->host);
    json_write_member_string(out, "dialect", exchange->dialect->name);
    json_write_member_string(out, "endpoint", exchange->endpoint ? exchange->endpoint->name : NULL);
    write_slice(out, "method", exchange->request->method);
    write_slice(out, "path", exchange->request->path); /* the query may hold a key: never recorded */
    json_write_member_boolean(out, "stream", exchange->rendition.facts.is_streaming);
    json_write_member_string(out, "model", exchange->rendition.facts.model);
    json_write_member_integer(out, "request_bytes", (int64_t)exchange->request->body.length);
    json_write_member_boolean(out, "unmetered", exchange->endpoint && exchange->endpoint->kind == ENDPOINT_UNMETERED);
}

static void write_route(struct buffer *out, const struct exchange *exchange)
{
    const struct route *route = &exchange->route;
    if (!route->reason)
        return;
    json_write_member(out, "route");
    json_write_raw(out, "{");
    json_write_member_string(out, "reason", route->reason);
    json_write_member_string(out, "strategy", route->strategy);
    if (route->model_group)
        json_write_member_string(out, "model_group", route->model_group);
    json_write_member_boolean(out, "rerouted", route->is_rerouted);
    json_write_member_boolean(out, "cheaper", exchange->is_cheaper);
    json_write_member(out, "left_out");
    json_write_raw(out, "{");
    for (size_t i = 0; i < route->left_out_count; i++) {
        char why[ROUTE_LEFT_OUT_TEXT_MAX];
        json_write_member_string(out, route->left_out[i].target->id, routing_format_left_out(&route->left_out[i], why));
    }
    json_write_raw(out, "}}");
}

static void write_verdict(struct buffer *out, const struct exchange *exchange)
{
    const struct policy_verdict *verdict = &exchange->verdict;
    json_write_member_string(out, "rule", verdict->rule);
    if (verdict->flag_count) {
        json_write_member(out, "rules");
        json_write_raw(out, "[");
        for (size_t i = 0; i < verdict->flag_count; i++) {
            json_write_raw(out, i ? "," : "");
            json_write_string(out, slice_of(verdict->flags[i]));
        }
        json_write_raw(out, "]");
    }
    if (verdict->found && verdict->found[0])
        json_write_member_string(out, "found", verdict->found);
    if (exchange->redacted)
        json_write_member_string(out, "redacted", exchange->redacted);
}

static void write_cache(struct buffer *out, const struct exchange *exchange)
{
    if (!exchange->recall.status)
        return;
    json_write_member_string(out, "cache_status", exchange->recall.status);
    if (exchange->recall.is_answer)
        json_write_member_money(out, "avoided_cost", exchange->recall.avoided);
    if (exchange->recall.why_not_stored)
        json_write_member_string(out, "not_stored", exchange->recall.why_not_stored);
}

static const struct attempt *last_attempt(const struct exchange *exchange)
{
    return exchange->attempt_count ? exchange->attempts[exchange->attempt_count - 1] : NULL;
}

static bool is_clamped(const struct exchange *exchange)
{
    const struct attempt *attempt = last_attempt(exchange);
    return attempt && attempt->is_held && exchange->outgoing.clamped_to >= 0;
}

/* Refused: by us, for policy or money. Failed: any other error, or an error of the provider's. */
enum call_outcome { CALL_ANSWERED, CALL_REFUSED, CALL_FAILED };

static enum call_outcome outcome_of(const struct exchange *exchange)
{
    enum fault fault = error_row(exchange->error)->fault;
    if (fault == FAULT_POLICY || fault == FAULT_WALLET)
        return CALL_REFUSED;
    return exchange->error || exchange->status_sent >= 400 ? CALL_FAILED : CALL_ANSWERED;
}

static const char *const outcome_names[] = {
    [CALL_ANSWERED] = "answered", [CALL_REFUSED] = "refused", [CALL_FAILED] = "failed"};

static void write_result(struct buffer *out, const struct exchange *exchange, uint32_t iteration, int64_t duration_us)
{
    write_verdict(out, exchange);
    write_route(out, exchange);
    write_cache(out, exchange);
    if (exchange->job.id)
        json_write_member_string(out, "job", exchange->job.id);
    json_write_member_integer(out, "status", exchange->status_sent);
    json_write_member_string(out, "outcome", outcome_names[outcome_of(exchange)]);
    json_write_member_string(out, "error", exchange->error ? error_row(exchange->error)->code : NULL);
    json_write_member_string(out, "error_detail", exchange->error_detail);
    if (iteration)
        json_write_member_integer(out, "iteration", iteration);
    const struct attempt *attempt = last_attempt(exchange);
    if (!attempt)
        json_write_member_string(out, "provider", exchange->provider->id);
    if (attempt) {
        json_write_member_string(out, "target", attempt->target ? attempt->target->id : NULL);
        json_write_member_string(out, "provider", attempt->provider->id);
        json_write_member_string(out, "served_model",
                                 exchange->relay.is_started ? exchange->relay.meter.served_model : NULL);
        write_hold(out, attempt);
        if (is_clamped(exchange))
            json_write_member_integer(out, "clamped_output_tokens", exchange->outgoing.clamped_to);
        json_write_member_string(out, "basis", wallet_basis_name(attempt->basis));
        json_write_member_string(out, "usage_source", usage_source_name(attempt->usage_source));
        write_tokens(out, "tokens", &attempt->usage);
        json_write_member_money(out, "wallet_available",
                                attempt->is_resolved ? attempt->resolve.available : exchange->wallet_available);
    }
    json_write_member_money(out, "charge", exchange->charge.charge);
    json_write_member_integer(out, "answer_bytes", (int64_t)exchange->answer_bytes);
    json_write_member_integer(out, "duration_us", duration_us);
    json_write_member_integer(out, "overhead_us", timing_find_overhead(exchange) / 1000);
}

static void write_steps(struct buffer *out, const struct exchange *exchange)
{
    json_write_member(out, "steps");
    json_write_raw(out, "[");
    for (unsigned i = 0, written = 0; i < STEP_COUNT; i++) {
        const struct step_note *note = &exchange->notes[i];
        if (!note->was_run)
            continue;
        json_write_raw(out, written++ ? ",{" : "{");
        json_write_member_string(out, "step", flow_step_name(i));
        json_write_member_string(out, "outcome", flow_outcome_name(note->outcome));
        json_write_member_integer(out, "us", note->since_start_ns / 1000);
        if (note->text)
            json_write_member_string(out, "text", note->text);
        json_write_raw(out, "}");
    }
    json_write_raw(out, "]");
}

static void write_event(struct buffer *out, const struct exchange *exchange, uint32_t iteration, int64_t duration_us)
{
    char time_text[CLOCK_TEXT_MAX];
    json_write_raw(out, "{");
    json_write_member_string(out, "id", exchange->id_text);
    json_write_member_string(out, "time", clock_format(exchange->started_wall_ns, time_text));
    json_write_member_string(out, "environment", config_environment_name(exchange->settings->environment));
    write_principal(out, exchange);
    write_request(out, exchange);
    write_result(out, exchange, iteration, duration_us);
    json_write_member(out, "attempts");
    json_write_raw(out, "[");
    for (unsigned i = 0; i < exchange->attempt_count; i++) {
        if (i)
            json_write_raw(out, ",");
        write_attempt(out, exchange->attempts[i], i + 1 == exchange->attempt_count);
    }
    json_write_raw(out, "]");
    write_steps(out, exchange);
    json_write_member_string(out, "policy_digest", exchange->settings->digest);
    json_write_member_string(out, "version", TOLLGATE_VERSION);
    json_write_raw(out, "}");
}

/* For who follows the log at its most talkative; no byte of what was asked or answered. */
static void log_done(const struct exchange *exchange, int64_t duration_us)
{
    char charge[MONEY_TEXT_MAX];
    const struct consumer_group *group = exchange->principal.group.group;
    if (log_get_level() < LOG_LEVEL_DEBUG)
        return;
    log_event(EVENT_EXCHANGE_DONE, exchange->id_text, "%s %u %s, group %s, uid %u, %s USD, %u us", exchange->host,
              (unsigned)exchange->status_sent, exchange->error ? error_row(exchange->error)->code : "ok",
              group ? group->name : "-", (unsigned)exchange->principal.peer.uid,
              money_format(exchange->charge.charge, charge), (unsigned)duration_us);
}

/* One log line for what an administrator should see; the event has everything. */
static void log_result(const struct exchange *exchange, int64_t duration_us)
{
    const struct error_row *row = error_row(exchange->error);
    log_done(exchange, duration_us);
    if (!exchange->error || row->fault == FAULT_CLIENT)
        return;
    log_event(row->fault == FAULT_POLICY || row->fault == FAULT_WALLET ? EVENT_EXCHANGE_REFUSED : EVENT_EXCHANGE_FAILED,
              exchange->id_text, "%s %s: %s", exchange->host, row->code,
              exchange->error_detail ? exchange->error_detail : row->text);
}

/* ---- lines ---- */

static void fill_names(const struct exchange *exchange, char uid_text[UID_TEXT_MAX], struct journal_line *line)
{
    const struct principal *principal = &exchange->principal;
    const char *model = exchange->rendition.facts.model;
    snprintf(uid_text, UID_TEXT_MAX, "%u", (unsigned)principal->peer.uid);
    line->names[DIMENSION_group] = principal->group.group ? principal->group.group->name : NULL;
    line->names[DIMENSION_wallet] = principal->group.group ? principal->wallet : NULL;
    line->names[DIMENSION_provider] = exchange->provider->id;
    line->names[DIMENSION_model] = line->names[DIMENSION_requested] = model;
    line->names[DIMENSION_project] = principal->claim.project;
    line->names[DIMENSION_executable] = principal->claim.executable;
    line->names[DIMENSION_directory] = principal->claim.directory;
    line->names[DIMENSION_uid] = uid_text;
    line->names[DIMENSION_reason] = exchange->error ? error_row(exchange->error)->code : NULL;
}

static void fill_attempt(const struct attempt *attempt, struct journal_line *line)
{
    line->names[DIMENSION_provider] = attempt->provider->id;
    line->names[DIMENSION_model] = attempt->model;
    line->names[DIMENSION_target] = attempt->target ? attempt->target->id : NULL;
    line->of[MEASURE_attempts] = attempt->is_held || attempt->result.bytes_were_sent; /* else nobody was asked */
    line->of[MEASURE_hold] = attempt->is_held ? (uint64_t)attempt->hold.nano : 0;
    line->of[MEASURE_cost] = (uint64_t)attempt->charge.nano;
    memcpy(&line->of[MEASURE_buckets], attempt->usage.of, sizeof attempt->usage.of);
    if (!is_paid(attempt))
        return;
    line->of[MEASURE_written_off] = (uint64_t)attempt->resolve.written_off.nano;
    line->time_ms = attempt->resolve.time_ns / 1000000;
}

static void fill_call(const struct exchange *exchange, uint32_t iteration, int64_t duration_us, uint64_t of[])
{
    const enum call_outcome outcome = outcome_of(exchange);
    of[MEASURE_calls] = 1;
    of[MEASURE_refused] = outcome == CALL_REFUSED;
    of[MEASURE_failed] = outcome == CALL_FAILED;
    of[MEASURE_hits] = exchange->recall.status && exchange->recall.is_answer && outcome == CALL_ANSWERED;
    of[MEASURE_misses] =
        exchange->recall.status && !exchange->recall.is_answer && strstr(exchange->recall.status, "fwd=miss");
    of[MEASURE_streams] = exchange->rendition.facts.is_streaming;
    of[MEASURE_rerouted] = exchange->route.reason && exchange->route.is_rerouted && of[MEASURE_attempts];
    of[MEASURE_cheaper] = exchange->route.reason && exchange->is_cheaper;
    of[MEASURE_clamped] = is_clamped(exchange);
    of[MEASURE_iterations] = iteration > 1;
    of[MEASURE_request_bytes] = exchange->request->body.length;
    of[MEASURE_answer_bytes] = exchange->answer_bytes;
    of[MEASURE_duration] = (uint64_t)duration_us;
    of[MEASURE_avoided] = of[MEASURE_hits] ? (uint64_t)exchange->recall.avoided.nano : 0;
}

/* Returns how many. */
static unsigned fill_lines(const struct exchange *exchange, uint32_t iteration, int64_t duration_us,
                           char uid_text[UID_TEXT_MAX], struct journal_line lines[JOURNAL_LINES_MAX])
{
    unsigned count = exchange->attempt_count ? exchange->attempt_count : 1;
    for (unsigned i = 0; i < count; i++) {
        lines[i] = (struct journal_line){.attempt = i};
        lines[i].time_ms = exchange->started_wall_ns / 1000000 + duration_us / 1000;
        fill_names(exchange, uid_text, &lines[i]);
        if (i < exchange->attempt_count)
            fill_attempt(exchange->attempts[i], &lines[i]);
        lines[i].of[MEASURE_retried] = i + 1 < count ? lines[i].of[MEASURE_attempts] : 0;
    }
    fill_call(exchange, iteration, duration_us, lines[count - 1].of);
    return count;
}

enum outcome step_record(struct exchange *exchange)
{
    static_assert((int)ATTEMPTS_MAX <= (int)JOURNAL_LINES_MAX, "each attempt has a line");
    struct buffer *out = &exchange->worker->scratch;
    struct journal_line lines[JOURNAL_LINES_MAX];
    char uid_text[UID_TEXT_MAX];
    int64_t duration_us = (clock_monotonic_ns() - exchange->started_ns) / 1000;
    uint32_t iteration = iterations_count(exchange);
    if (exchange->is_cut && exchange->error == ERROR_CLIENT_GONE) { /* the program saw its connection closed, too */
        exchange->error = ERROR_AGENT_STOPPED;
        exchange->error_detail = error_row(ERROR_AGENT_STOPPED)->text;
    }
    buffer_reset(out, EVENT_BYTES_MAX);
    write_event(out, exchange, iteration, duration_us);
    unsigned count = fill_lines(exchange, iteration, duration_us, uid_text, lines);
    journal_append(exchange->worker->services->journal, exchange->id, buffer_contents(out), lines, count);
    log_result(exchange, duration_us);
    return OUTCOME_NEXT;
}
