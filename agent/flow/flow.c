/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine: runs an exchange down the list of steps.def. Ensures that `settle` and `record` run exactly once for
 * every exchange that passed `receive`: there is no other way to the end than through the tail.
 */
#include "flow/exchange.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdarg.h>
#include <stdlib.h>

static const struct step_row {
    const char *name;
    bool is_tail;
    enum outcome (*run)(struct exchange *exchange);
} step_rows[STEP_COUNT] = {
#define STEP(name, is_tail) [STEP_##name] = {#name, is_tail, step_##name},
#include "flow/steps.def"
#undef STEP
};

/* The exchange itself, a small request, one attempt at it and what is said of both. */
enum { EXCHANGE_ARENA_BYTES = 16384 };

struct exchange *exchange_new(struct flow_worker *worker, struct session *session)
{
    struct arena *arena = arena_new(EXCHANGE_ARENA_BYTES);
    struct exchange *exchange = arena_new_struct(arena, struct exchange);
    exchange->arena = arena;
    exchange->worker = worker;
    exchange->session = session;
    exchange->settings = worker->services->retain_settings(worker->services->context);
    exchange->id = id_new();
    id_format(exchange->id, exchange->id_text);
    exchange->started_wall_ns = clock_wall_ns();
    exchange->started_ns = clock_monotonic_ns();
    exchange->rendition.facts.output_tokens_max = -1;
    exchange->answer.content_length = -1;
    list_append(&worker->exchanges, &exchange->link);
    return exchange;
}

static void exchange_free(struct exchange *exchange)
{
    struct flow_worker *worker = exchange->worker;
    for (unsigned i = 0; i < exchange->attempt_count; i++)
        check(!exchange->attempts[i]->transfer &&
              (!exchange->attempts[i]->is_held || exchange->attempts[i]->is_resolved));
    check(!exchange->recall.was_asked);
    timer_disarm(worker->loop, &exchange->relay.drain_timer);
    timer_disarm(worker->loop, &exchange->recall.timer);
    timer_disarm(worker->loop, &exchange->patience.timer);
    for (unsigned i = 0; i < exchange->attempt_count; i++)
        buffer_done(&exchange->attempts[i]->look);
    if (exchange->relay.is_started) {
        meter_done(&exchange->relay.meter);
        translation_free(exchange->relay.translation);
        buffer_done(&exchange->relay.raw);
        buffer_done(&exchange->relay.out);
    }
    list_remove(&exchange->link);
    config_release(exchange->settings);
    arena_free(exchange->arena);
    flow_look_drained(worker);
}

void flow_look_drained(struct flow_worker *worker)
{
    if (!worker->drained || !list_is_empty(&worker->exchanges) || worker->lingering)
        return;
    void (*drained)(void *context) = worker->drained;
    worker->drained = NULL;
    drained(worker->drained_context);
}

enum outcome exchange_fail(struct exchange *exchange, enum error error, const char *format, ...)
{
    check(error != ERROR_OK);
    va_list arguments;
    va_start(arguments, format);
    exchange->error = error;
    exchange->error_detail = arena_vprintf(exchange->arena, format, arguments);
    va_end(arguments);
    return OUTCOME_FAIL;
}

void exchange_note(struct exchange *exchange, const char *format, ...)
{
    struct step_note *note = &exchange->notes[exchange->step];
    va_list arguments;
    va_start(arguments, format);
    const char *text = arena_vprintf(exchange->arena, format, arguments);
    va_end(arguments);
    note->text = note->text ? arena_printf(exchange->arena, "%s; %s", note->text, text) : text;
}

struct attempt *exchange_attempt(struct exchange *exchange)
{
    check(exchange->attempt_count > 0);
    return exchange->attempts[exchange->attempt_count - 1];
}

/* Where an outcome leads; STEP_COUNT is the end. */
static enum step step_after(struct exchange *exchange, enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_NEXT:
        return exchange->step + 1;
    case OUTCOME_AGAIN:
        check(exchange->step == STEP_forward && exchange->attempt_count < ATTEMPTS_MAX);
        return STEP_reserve;
    case OUTCOME_ANSWER:
        check(exchange->step < STEP_relay);
        return STEP_relay;
    case OUTCOME_FAIL:
        check(!step_rows[exchange->step].is_tail);
        answer_error(exchange);
        return exchange->step == STEP_receive ? STEP_COUNT : STEP_settle;
    case OUTCOME_WAIT:
        break;
    }
    check_panic("step outcome", __FILE__, __LINE__);
}

/* A message that was never understood is no exchange: the connection goes with it. */
static void release_unreceived(struct exchange *exchange)
{
    if (exchange->session)
        session_release(exchange->session, exchange->error == ERROR_CLIENT_GONE);
}

void flow_run(struct exchange *exchange)
{
    check(!exchange->is_running);
    exchange->is_running = true;
    while (exchange->step < STEP_COUNT) {
        const struct step_row *row = &step_rows[exchange->step];
        check_set_trail(row->name);
        enum outcome outcome = row->run(exchange);
        if (outcome == OUTCOME_WAIT) {
            exchange->is_running = false;
            check_set_trail(NULL);
            return;
        }
        struct step_note *note = &exchange->notes[exchange->step];
        note->outcome = outcome;
        note->since_start_ns = clock_monotonic_ns() - exchange->started_ns;
        note->took_ns += note->since_start_ns - exchange->step_left_ns;
        exchange->step_left_ns = note->since_start_ns;
        note->was_run = true;
        bool is_unreceived = exchange->step == STEP_receive && outcome == OUTCOME_FAIL;
        exchange->step = step_after(exchange, outcome);
        if (is_unreceived)
            release_unreceived(exchange);
    }
    check_set_trail(NULL);
    timing_count(exchange);
    exchange_free(exchange);
}

enum { DRAIN_MAX_MS = 120000 };

static void drain_expired(struct timer *timer)
{
    struct exchange *exchange = list_entry(timer, struct exchange, relay.drain_timer);
    exchange->is_aborted = recall_give_up(exchange);
    if (exchange->is_aborted)
        exchange_client_gone(exchange);
    else /* others read it */
        timer_arm(exchange->worker->loop, timer, DRAIN_MAX_MS);
}

/* wire.md: prod reads the answer to its end for the true usage, within bounds; dev aborts and settles what was seen. */
static bool may_drain(const struct exchange *exchange)
{
    const struct settings *settings = exchange->settings;
    bool wanted = settings->client_gone == CLIENT_GONE_DRAIN ||
                  exchange->attempts[exchange->attempt_count - 1]->provider->bills_aborted_in_full;
    return wanted && !exchange->is_aborted && exchange->endpoint->kind == ENDPOINT_METERED &&
           exchange->worker->drains < settings->limits.drains_max;
}

static void start_drain(struct exchange *exchange)
{
    exchange->relay.is_draining = true;
    exchange->worker->drains++;
    exchange->relay.drain_timer.expired = drain_expired;
    timer_arm(exchange->worker->loop, &exchange->relay.drain_timer, DRAIN_MAX_MS);
    exchange->relay.is_blocked = false;
    upstream_resume(exchange_attempt(exchange)->transfer);
}

void exchange_leave(struct exchange *exchange)
{
    struct attempt *attempt = exchange_attempt(exchange);
    if (!attempt->transfer || (exchange->relay.is_draining && !exchange->is_aborted))
        return;
    if (may_drain(exchange)) {
        start_drain(exchange);
        return;
    }
    if (!exchange->is_aborted && !recall_give_up(exchange)) {
        exchange->relay.is_blocked = false; /* others read it: it goes on for them */
        upstream_resume(attempt->transfer);
        return;
    }
    upstream_cancel(attempt->transfer, &attempt->result);
    attempt->transfer = NULL;
    attempt->is_done = true;
}

void exchange_client_gone(struct exchange *exchange)
{
    exchange->session = NULL;
    exchange->is_client_gone = true;
    sharing_forget_own(exchange);
    if (exchange->is_running)
        return; /* the running step sees it */
    if (exchange->step == STEP_receive) {
        flow_run(exchange);
        return;
    }
    if (exchange->step == STEP_recall || exchange->recall.is_answer) {
        flow_run(exchange);
        return;
    }
    if (exchange->step != STEP_forward && exchange->step != STEP_relay)
        return; /* waiting for an answer of our own: it goes on then */
    exchange_leave(exchange);
    if (exchange_attempt(exchange)->is_done)
        flow_run(exchange);
}

const char *flow_outcome_name(enum outcome outcome)
{
    static const char *const names[] = {"next", "wait", "again", "answer", "fail"};
    return names[outcome];
}

const char *flow_step_name(unsigned step)
{
    check(step < STEP_COUNT);
    return step_rows[step].name;
}
