/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast an answer goes that others read, too. While the cache keeps all of it nobody waits for anybody. Past that it
 * goes at the pace of the slowest that reads; a program that sleeps while others wait is given up: a follower's answer
 * ends with an error, the leader's program is cut off as if it had left, and its exchange goes on for the others and is
 * charged as ever. Called by relay.c and, when followers come, read on or leave, by recall.c.
 */
#include "flow/exchange.h"

#include "base/check.h"

enum {
    SLEEP_MAX_MS = 10000,         /* so long others wait for one that takes nothing; those held may wait twice that */
    TAKEN_BYTES_LEAST = 64 << 10, /* what a program takes meanwhile that does not sleep */
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

static size_t pending_bytes(const struct exchange *exchange)
{
    return exchange->session ? connection_pending_bytes(session_connection(exchange->session)) : 0;
}

/* The program learns of it as of any broken connection, when it reads again. The exchange may be gone after this. */
static void cut_off(struct exchange *exchange)
{
    exchange_note(exchange, "its program read nothing for %d s while others waited: it is cut off",
                  SLEEP_MAX_MS / 1000);
    exchange->error_detail = "the program did not read while others waited for an answer that it shares";
    connection_close(session_connection(exchange->session), true);
}

static void stalled(struct timer *timer)
{
    struct exchange *exchange = list_entry(timer, struct exchange, recall.timer);
    struct cache_ask *ask = &exchange->recall.ask;
    bool is_awaited = cache_lead_is_awaited(cache_of(exchange), ask), is_full = is_own_full(exchange);
    bool is_asleep = is_full && pending_bytes(exchange) + TAKEN_BYTES_LEAST > exchange->recall.pending_before;
    if (is_awaited || (exchange->session && !is_full))
        cache_lead_drop_slow(cache_of(exchange), ask);
    if (is_awaited && is_asleep)
        cut_off(exchange); /* which lets it go on */
    else
        sharing_go_on(exchange);
}

bool sharing_must_wait(struct exchange *exchange)
{
    struct timer *timer = &exchange->recall.timer;
    bool must_wait = is_own_full(exchange) && !recall_is_followed(exchange);
    if (!exchange->recall.is_leading)
        return must_wait;
    must_wait |= cache_lead_must_wait(cache_of(exchange), &exchange->recall.ask);
    if (!must_wait) {
        timer_disarm(exchange->worker->loop, timer);
    } else if (!timer->heap_index) {
        exchange->recall.pending_before = pending_bytes(exchange);
        timer->expired = stalled;
        timer_arm(exchange->worker->loop, timer, SLEEP_MAX_MS);
    }
    return must_wait;
}

void sharing_go_on(struct exchange *exchange)
{
    struct attempt *attempt = exchange->attempt_count ? exchange_attempt(exchange) : NULL;
    if (attempt && attempt->transfer && exchange->relay.is_started && !sharing_must_wait(exchange))
        upstream_resume(attempt->transfer);
}
