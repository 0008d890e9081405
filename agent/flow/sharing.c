/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that read slowly. While the cache keeps all of an answer nobody waits for anybody: the program of a leader
 * that is full reads on from what is shared, as followers do. Past that it goes at the pace of the slowest that reads.
 * Who takes next to nothing while others wait, or nothing at all for long, is cut off: what waits for it is memory,
 * and money that is held. A leader's exchange goes on for the others and is charged as ever. Called by relay.c and
 * replay.c and, when followers come, read on or leave, by recall.c.
 */
#include "flow/exchange.h"

#include "base/check.h"

enum {
    LOOK_MS = 10000,              /* so long others wait for one that sleeps */
    TAKEN_BYTES_LEAST = 64 << 10, /* what a program takes meanwhile that does not */
};

static struct cache *cache_of(const struct exchange *exchange)
{
    return exchange->worker->services->cache;
}

/* Its program does not read what it has. */
static bool is_own_full(const struct exchange *exchange)
{
    return exchange->relay.is_blocked && !exchange->is_client_gone && exchange->session;
}

/* ---- who sleeps ---- */

/* The program learns of it as of any broken connection, when it reads again. The exchange may be gone after this. */
static void cut_off(struct exchange *exchange, bool is_awaited, uint32_t ms)
{
    exchange_note(exchange, "its program read %s for %u s%s: it is cut off", is_awaited ? "next to nothing" : "nothing",
                  (unsigned)(ms / 1000), is_awaited ? " while others waited" : "");
    exchange->error_detail = is_awaited ? "the program did not read while others waited for an answer that it shares"
                                        : "the program did not read its answer";
    connection_close(session_connection(exchange->session), true);
}

static bool is_awaited_by_others(const struct exchange *exchange)
{
    const struct cache_ask *ask = &exchange->recall.ask;
    if (!exchange->recall.was_asked)
        return false;
    bool holds_all =
        exchange->recall.is_leading && !recall_is_followed(exchange); /* else its program is no hindrance */
    return (holds_all && cache_lead_is_awaited(cache_of(exchange), ask)) ||
           cache_follow_is_awaited(cache_of(exchange), ask);
}

static void look(struct exchange *exchange)
{
    uint32_t idle_max_ms = exchange->settings->limits.body_idle_timeout_ms;
    exchange->patience.taken = session_taken_bytes(exchange->session);
    timer_arm(exchange->worker->loop, &exchange->patience.timer, idle_max_ms < LOOK_MS ? idle_max_ms : LOOK_MS);
}

/* A look at what the program has taken since the last one: by the kernel's count, as megabytes may lie between us. */
static void looked(struct timer *timer)
{
    struct exchange *exchange = list_entry(timer, struct exchange, patience.timer);
    uint64_t before = exchange->patience.taken;
    uint32_t idle_max_ms = exchange->settings->limits.body_idle_timeout_ms;
    uint32_t period_ms = idle_max_ms < LOOK_MS ? idle_max_ms : LOOK_MS;
    if (!is_own_full(exchange)) {
        exchange->patience.idle_ms = 0;
        return;
    }
    look(exchange);
    uint64_t taken = exchange->patience.taken > before ? exchange->patience.taken - before : 0;
    exchange->patience.idle_ms = taken ? 0 : exchange->patience.idle_ms + period_ms;
    if (taken < TAKEN_BYTES_LEAST && is_awaited_by_others(exchange))
        cut_off(exchange, true, period_ms);
    else if (exchange->patience.idle_ms >= idle_max_ms)
        cut_off(exchange, false, exchange->patience.idle_ms);
}

void sharing_blocked(struct exchange *exchange)
{
    exchange->relay.is_blocked = true;
    if (exchange->patience.timer.heap_index)
        return; /* the next look counts from the last */
    exchange->patience.timer.expired = looked;
    exchange->patience.idle_ms = 0;
    look(exchange);
}

/* ---- leading ---- */

bool sharing_holds_back(struct exchange *exchange)
{
    if (exchange->recall.has_told && is_own_full(exchange) && !exchange->recall.is_behind)
        exchange->recall.is_behind = cache_lead_fall_behind(cache_of(exchange), &exchange->recall.ask);
    return exchange->recall.is_behind;
}

size_t sharing_read_on(struct exchange *exchange, char *bytes, size_t bytes_max)
{
    size_t length = cache_lead_read(cache_of(exchange), &exchange->recall.ask, bytes, bytes_max);
    exchange->recall.is_behind = length > 0;
    return length;
}

void sharing_forget_own(struct exchange *exchange)
{
    if (exchange->recall.is_behind)
        cache_lead_forget(cache_of(exchange), &exchange->recall.ask);
    exchange->recall.is_behind = false;
}

bool sharing_must_wait(struct exchange *exchange)
{
    bool must_wait = is_own_full(exchange) && !recall_is_followed(exchange);
    if (exchange->recall.is_leading)
        must_wait |= cache_lead_must_wait(cache_of(exchange), &exchange->recall.ask);
    return must_wait;
}

void sharing_go_on(struct exchange *exchange)
{
    struct attempt *attempt = exchange->attempt_count ? exchange_attempt(exchange) : NULL;
    if (attempt && attempt->transfer && exchange->relay.is_started && !sharing_must_wait(exchange))
        upstream_resume(attempt->transfer);
}
