/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a transfer: from the pool, to libcurl, to its handler's `done`, back to the pool. Here is the public
 * interface of transfers; what may not be done inside libcurl is put on a list for upstream_settle.
 */
#include "upstream/internal.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>

enum { POOL_MAX = 64 /* easy handles kept per loop, 20 KB each */ };

static void idle_expired(struct timer *timer)
{
    struct upstream_transfer *transfer = list_entry(timer, struct upstream_transfer, idle);
    struct upstream *upstream = transfer->upstream;
    /* Bytes only note their time; the timer is moved here, not per byte. */
    int64_t left_ns = transfer->active_ns + (int64_t)transfer->timeout_ms * 1000000 - clock_monotonic_ns();
    if (left_ns > 0) {
        timer_arm(upstream->loop, timer, (left_ns + 999999) / 1000000);
        return;
    }
    transfer_finish(transfer, CURLE_OPERATION_TIMEDOUT);
    upstream_settle(upstream);
}

static struct upstream_transfer *transfer_new(struct upstream *upstream)
{
    struct upstream_transfer *transfer = calloc(1, sizeof *transfer);
    check(transfer != NULL);
    transfer->upstream = upstream;
    transfer->easy = curl_easy_init();
    check(transfer->easy != NULL);
    transfer->idle.expired = idle_expired;
    list_init(&transfer->node);
    list_init(&transfer->action);
    buffer_init(&transfer->head, HEAD_BYTES_MAX);
    options_set_common(transfer);
    return transfer;
}

void transfer_free(struct upstream_transfer *transfer)
{
    list_remove(&transfer->node);
    list_remove(&transfer->action);
    timer_disarm(transfer->upstream->loop, &transfer->idle);
    curl_easy_cleanup(transfer->easy);
    fields_wipe(transfer);
    free(transfer->lines);
    buffer_done(&transfer->head);
    free(transfer->options_ca_file);
    free(transfer->options_method);
    free(transfer->options_proxy);
    free(transfer);
}

struct upstream_transfer *transfer_take(struct upstream *upstream)
{
    struct upstream_transfer *transfer;
    if (list_is_empty(&upstream->pool)) {
        transfer = transfer_new(upstream);
    } else {
        transfer = list_entry(upstream->pool.previous, struct upstream_transfer, node); /* the warmest */
        list_remove(&transfer->node);
        upstream->pool_count--;
    }
    transfer->has_opened = transfer->was_sent = transfer->was_resent = transfer->is_stale = false;
    curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, 0L);
    transfer->head_received = transfer->is_paused = transfer->has_body = transfer->is_spared = false;
    transfer->refusal = ERROR_OK;
    transfer->connected_ns = transfer->first_byte_ns = 0;
    transfer->started_ns = clock_monotonic_ns();
    transfer->error_text[0] = 0;
    transfer->state = TRANSFER_WAITING;
    list_append(&upstream->transfers, &transfer->node);
    return transfer;
}

void transfer_give_back(struct upstream_transfer *transfer)
{
    struct upstream *upstream = transfer->upstream;
    fields_wipe(transfer);
    buffer_reset(&transfer->head, 4096);
    list_remove(&transfer->node);
    list_remove(&transfer->action);
    transfer->body = (struct slice){NULL, 0};
    transfer->state = TRANSFER_IDLE;
    if (upstream->pool_count == POOL_MAX) {
        transfer_free(transfer);
        return;
    }
    list_append(&upstream->pool, &transfer->node);
    upstream->pool_count++;
}

/* Fails later, from the loop: nothing is told inside upstream_start. */
static void fail_soon(struct upstream_transfer *transfer, enum error error)
{
    transfer->refusal = error;
    list_append(&transfer->upstream->failed, &transfer->action);
    upstream_wake(transfer->upstream);
}

void transfer_add(struct upstream_transfer *transfer)
{
    CURLMcode code = curl_multi_add_handle(transfer->upstream->multi, transfer->easy);
    if (code != CURLM_OK) {
        fail_soon(transfer, code == CURLM_OUT_OF_MEMORY ? ERROR_NO_MEMORY : ERROR_INTERNAL);
        return;
    }
    transfer->state = TRANSFER_RUNNING;
}

struct upstream_transfer *upstream_start(struct upstream *upstream, const struct upstream_request *request,
                                         const struct upstream_handler *handler, void *context)
{
    struct upstream_transfer *transfer = transfer_take(upstream);
    transfer->handler = *handler;
    transfer->context = context;
    enum error error = options_set_request(transfer, request);
    if (error)
        fail_soon(transfer, error);
    else if (upstream->depth > 0)
        list_append(&upstream->starting, &transfer->action);
    else
        transfer_add(transfer);
    return transfer;
}

/* Takes it from libcurl, which closes its connection unless the answer was complete. */
static void take_back(struct upstream_transfer *transfer)
{
    if (transfer->state == TRANSFER_RUNNING || transfer->state == TRANSFER_CANCELLED)
        check(curl_multi_remove_handle(transfer->upstream->multi, transfer->easy) == CURLM_OK);
    timer_disarm(transfer->upstream->loop, &transfer->idle);
    list_remove(&transfer->action);
}

void transfer_finish(struct upstream_transfer *transfer, CURLcode code)
{
    if (transfer->state == TRANSFER_CANCELLED) {
        take_back(transfer);
        transfer_give_back(transfer);
        return;
    }
    if (transfer->is_stale) { /* nothing was sent: the same on a connection of its own, once */
        transfer->is_stale = false;
        take_back(transfer);
        curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, 1L);
        transfer_add(transfer);
        return;
    }
    struct upstream_result result;
    transfer_fill_result(transfer, code, &result);
    take_back(transfer);
    transfer->state = TRANSFER_ENDED;
    transfer->handler.done(transfer->context, &result);
    transfer_give_back(transfer);
}

void upstream_resume(struct upstream_transfer *transfer)
{
    if (!transfer->is_paused || transfer->state != TRANSFER_RUNNING || !list_is_empty(&transfer->action))
        return;
    list_append(&transfer->upstream->resuming, &transfer->action);
    upstream_wake(transfer->upstream);
}

void transfer_unpause(struct upstream_transfer *transfer)
{
    struct upstream *upstream = transfer->upstream;
    transfer->is_paused = false;
    transfer->active_ns = clock_monotonic_ns();
    if (transfer->timeout_ms > 0)
        timer_arm(upstream->loop, &transfer->idle, transfer->timeout_ms);
    upstream->depth++;
    CURLcode code = curl_easy_pause(transfer->easy, CURLPAUSE_CONT); /* hands over what was kept, at once */
    upstream->depth--;
    if (code != CURLE_OK && transfer->state == TRANSFER_RUNNING)
        transfer_finish(transfer, code);
}

void upstream_cancel(struct upstream_transfer *transfer, struct upstream_result *ret_result)
{
    struct upstream *upstream = transfer->upstream;
    check(transfer->state != TRANSFER_IDLE && transfer->state != TRANSFER_CANCELLED);
    if (ret_result) {
        transfer->refusal = ERROR_CLIENT_GONE;
        transfer_fill_result(transfer, CURLE_OK, ret_result);
    }
    if (transfer->state == TRANSFER_ENDED)
        return; /* from inside its own `done`: it is over already */
    timer_disarm(upstream->loop, &transfer->idle);
    list_remove(&transfer->action);
    if (transfer->state == TRANSFER_RUNNING && upstream->depth > 0) {
        transfer->state = TRANSFER_CANCELLED;
        list_append(&upstream->cancelled, &transfer->action);
        return;
    }
    take_back(transfer);
    transfer_give_back(transfer);
}
