/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long exchanges spend in the steps that are ours. Not counted: receive waits for the program, forward and relay
 * for the provider and the program; and recall where the answer was another exchange's, which waits for its provider.
 * Each worker counts for itself; metrics sum up.
 */
#include "flow/exchange.h"

/* What a call waits for before it is sent, or answered without. */
static bool is_before_answer(enum step step)
{
    return step == STEP_identify || step == STEP_authorize || step == STEP_recall || step == STEP_route ||
           step == STEP_reserve;
}

static bool is_ours(const struct exchange *exchange, enum step step)
{
    if (step == STEP_recall)
        return exchange->recall.ask.reply != CACHE_FOLLOW;
    return is_before_answer(step) || step == STEP_settle || step == STEP_record;
}

int64_t timing_find_overhead(const struct exchange *exchange)
{
    int64_t overhead_ns = 0;
    for (enum step step = 0; step < STEP_COUNT; step++)
        if (exchange->notes[step].was_run && is_before_answer(step) && is_ours(exchange, step))
            overhead_ns += exchange->notes[step].took_ns;
    return overhead_ns;
}

void timing_count(const struct exchange *exchange)
{
    struct flow_worker *worker = exchange->worker;
    if (!exchange->notes[STEP_identify].was_run)
        return; /* it was never understood */
    for (enum step step = 0; step < STEP_COUNT; step++) {
        const struct step_note *note = &exchange->notes[step];
        if (note->was_run && is_ours(exchange, step))
            histogram_observe(&worker->steps[step], note->took_ns);
    }
    histogram_observe(&worker->overhead, timing_find_overhead(exchange));
}

static bool is_shown(unsigned row)
{
    const enum step step = row - 1;
    return row == 0 || is_before_answer(step) || step == STEP_settle || step == STEP_record;
}

const char *flow_find_timing(const struct flow_workers *workers, unsigned row, struct histogram_sum *ret_sum)
{
    unsigned at = 0;
    for (unsigned left = row; at <= STEP_COUNT && (left || !is_shown(at)); at++)
        left -= is_shown(at);
    if (at > STEP_COUNT)
        return NULL;
    *ret_sum = (struct histogram_sum){.sum_ns = 0};
    for (unsigned i = 0; i < workers->count; i++)
        histogram_add(at ? &workers->rows[i]->steps[at - 1] : &workers->rows[i]->overhead, ret_sum);
    return at ? flow_step_name(at - 1) : "overhead";
}
