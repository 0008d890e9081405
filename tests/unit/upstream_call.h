/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop, an upstream and calls whose callbacks write down what they were told; shared by the programs that test
 * upstream/. A call can be told to pause, to cancel or to start another one from inside its callbacks.
 */
#ifndef TESTS_UNIT_UPSTREAM_CALL_H
#define TESTS_UNIT_UPSTREAM_CALL_H

#include "base/check.h"
#include "upstream/upstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct bench {
    struct loop *loop;
    struct upstream *upstream;
    unsigned open; /* calls that have not ended; the loop stops at 0 */
};

struct call {
    struct bench *bench;
    struct upstream_transfer *transfer;
    unsigned heads, dones;
    int status;
    char fields[8192]; /* "name: value\n" … */
    char *body;
    size_t body_bytes, body_capacity;
    struct upstream_result result;
    /* orders */
    unsigned pauses; /* so many pieces are refused once, and resumed by a timer */
    int64_t pause_ms;
    struct timer resume;
    void (*on_head)(struct call *call);
    void (*on_body)(struct call *call);
    void (*on_done)(struct call *call);
    struct call *other; /* for the orders above */
};

static inline void call_end(struct call *call)
{
    check(call->bench->open > 0);
    if (--call->bench->open == 0)
        loop_stop(call->bench->loop);
}

static inline void call_head(void *context, int status, const struct http_field *fields, size_t count)
{
    struct call *call = context;
    size_t length = 0;
    call->heads++;
    call->status = status;
    for (size_t i = 0; i < count && length < sizeof call->fields; i++)
        length +=
            (size_t)snprintf(call->fields + length, sizeof call->fields - length, SLICE_FORMAT ": " SLICE_FORMAT "\n",
                             SLICE_ARGUMENTS(fields[i].name), SLICE_ARGUMENTS(fields[i].value));
    if (call->on_head)
        call->on_head(call);
}

static inline bool call_body(void *context, struct slice bytes)
{
    struct call *call = context;
    if (call->pauses > 0) {
        call->pauses--;
        timer_arm(call->bench->loop, &call->resume, call->pause_ms);
        return false;
    }
    if (call->body_bytes + bytes.length > call->body_capacity) {
        call->body_capacity = 2 * call->body_capacity + bytes.length;
        call->body = realloc(call->body, call->body_capacity);
        check(call->body != NULL);
    }
    memcpy(call->body + call->body_bytes, bytes.data, bytes.length);
    call->body_bytes += bytes.length;
    if (call->on_body)
        call->on_body(call);
    return true;
}

static inline void call_done(void *context, const struct upstream_result *result)
{
    struct call *call = context;
    call->dones++;
    call->result = *result;
    if (call->on_done)
        call->on_done(call);
    call->transfer = NULL;
    call_end(call);
}

static inline void call_resume(struct timer *timer)
{
    struct call *call = (struct call *)(void *)((char *)timer - offsetof(struct call, resume));
    if (call->transfer)
        upstream_resume(call->transfer);
}

static inline void bench_open(struct bench *bench)
{
    *bench = (struct bench){.loop = loop_new()};
    bench->upstream = upstream_new(bench->loop);
    alarm(120); /* a test that hangs ends the program */
}

static inline void bench_close(struct bench *bench)
{
    upstream_free(bench->upstream);
    loop_free(bench->loop);
}

static inline void call_start(struct bench *bench, struct call *call, const struct upstream_request *request)
{
    static const struct upstream_handler handler = {call_head, call_body, call_done};
    unsigned dones = call->dones;
    call->bench = bench;
    call->resume.expired = call_resume;
    bench->open++;
    call->transfer = upstream_start(bench->upstream, request, &handler, call);
    check(call->dones == dones && call->heads == 0); /* never from inside upstream_start */
}

static inline void call_cancel(struct call *call)
{
    upstream_cancel(call->transfer, &call->result);
    timer_disarm(call->bench->loop, &call->resume);
    call->transfer = NULL;
    call_end(call);
}

static inline void call_free(struct call *call)
{
    free(call->body);
    call->body = NULL;
}

/* Starts it and runs the loop until every open call has ended. */
static inline void call_run(struct bench *bench, struct call *call, const struct upstream_request *request)
{
    call_start(bench, call, request);
    while (bench->open > 0) /* a stop may be left from a test that ran the loop step by step */
        loop_run(bench->loop);
}

#endif
