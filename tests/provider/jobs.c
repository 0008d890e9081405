/* SPDX-License-Identifier: Apache-2.0 */
/* Responses beyond their first answer: kept for a next one to refer to, looked up, worked on in the background,
 * cancelled (platform.openai.com/docs/guides/background). Called through the endpoints' table.
 */
#include "tests/provider/dispatch.h"
#include "tests/provider/responses.h"
#include "tests/provider/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What the response before said and was told is read again, and billed. */
static bool previous_find(struct exchange *exchange, struct store *store, struct refusal *ret_refusal)
{
    uint64_t tokens = 0;
    struct prompt *prompt = &exchange->prompt;
    if (!prompt->previous[0])
        return true;
    if (!store_find_tokens(store, prompt->previous, &tokens)) {
        snprintf(exchange->refusal_message, sizeof exchange->refusal_message,
                 "Previous response with id '%s' not found.", prompt->previous);
        *ret_refusal = (struct refusal){.problem = problem_find("previous_response_not_found"),
                                        .message = exchange->refusal_message,
                                        .param = "previous_response_id"};
        return false;
    }
    prompt->tokens += (uint32_t)tokens;
    return true;
}

static void work_set(const struct exchange *exchange, const char *id, struct finished_job *work)
{
    memcpy(work->id, id, strlen(id) + 1);
    memcpy(work->model, exchange->prompt.model, sizeof work->model);
    work->requests = 1;
    work->usage = exchange->usage;
}

/* A stream's work is done at once, whoever reads it to its end; it may still look unfinished to those who ask. */
static void background_begin(struct exchange *exchange, struct stored *stored)
{
    bool streams = exchange->stream;
    exchange->is_job = true;
    stored->polls = behaviour_get(exchange->behaviour.polls, streams ? 0 : 1);
    if (behaviour_get(exchange->behaviour.job_fails, 0)) {
        stored->looks[LOOK_DONE].length = 0;
        responses_add(exchange, RESPONSE_FAILED, &stored->looks[LOOK_DONE]);
    } else if (streams) {
        work_set(exchange, stored->id, &exchange->finished);
    } else {
        stored->is_job = true;
        work_set(exchange, stored->id, &stored->work);
    }
    responses_add(exchange, RESPONSE_RUNNING, &stored->looks[LOOK_RUNNING]);
    responses_add(exchange, RESPONSE_CANCELLED, &stored->looks[LOOK_CANCELLED]);
    if (streams)
        return;
    exchange->body.length = 0;
    responses_add(exchange, RESPONSE_QUEUED, &exchange->body);
}

bool responses_act(struct exchange *exchange, struct store *store, struct refusal *ret_refusal)
{
    struct stored stored = {.kind = STORED_RESPONSE, .state = STORED_DONE};
    if (!previous_find(exchange, store, ret_refusal))
        return false;
    dispatch_answer(exchange);
    if (exchange->prompt.unstored && !exchange->prompt.background)
        return true;
    snprintf(stored.id, sizeof stored.id, "resp_%06" PRIx64, exchange->sequence);
    stored.tokens = usage_get_prompt(&exchange->usage) + exchange->usage.out;
    responses_add(exchange, RESPONSE_ENDED, &stored.looks[LOOK_DONE]);
    if (exchange->prompt.background) {
        stored.state = STORED_RUNNING;
        background_begin(exchange, &stored);
    }
    store_add(store, &stored);
    return true;
}

static bool unknown(struct exchange *exchange, struct refusal *ret_refusal)
{
    snprintf(exchange->refusal_message, sizeof exchange->refusal_message, "Response with id '%s' not found.",
             exchange->id);
    *ret_refusal = (struct refusal){.problem = problem_not_found, .message = exchange->refusal_message};
    return false;
}

bool responses_retrieve(struct exchange *exchange, struct store *store, struct refusal *ret_refusal)
{
    dispatch_answer(exchange);
    return store_poll(store, STORED_RESPONSE, exchange->id, &exchange->body, &exchange->finished) ||
           unknown(exchange, ret_refusal);
}

bool responses_cancel(struct exchange *exchange, struct store *store, struct refusal *ret_refusal)
{
    dispatch_answer(exchange);
    return store_cancel(store, STORED_RESPONSE, exchange->id, &exchange->body) || unknown(exchange, ret_refusal);
}
