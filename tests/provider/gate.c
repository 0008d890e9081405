/* SPDX-License-Identifier: Apache-2.0 */
/* The gate; see gate.h. A ticket is the number of openings at entry: it is let out when there was one more.
 * Invariant: barrier_waiting <= held; both are 0 right after an opening.
 */
#include "tests/provider/gate.h"

void gate_init(struct gate *gate)
{
    pthread_mutex_init(&gate->lock, NULL);
}

void gate_done(struct gate *gate)
{
    pthread_mutex_destroy(&gate->lock);
}

static uint32_t gate_open_locked(struct gate *gate)
{
    uint32_t held = gate->held;
    gate->openings++;
    gate->held = 0;
    gate->barrier_waiting = 0;
    return held;
}

uint64_t gate_enter(struct gate *gate, uint32_t barrier, bool *ret_opened)
{
    pthread_mutex_lock(&gate->lock);
    uint64_t ticket = gate->openings;
    gate->held++;
    if (barrier)
        gate->barrier_waiting++;
    *ret_opened = barrier && gate->barrier_waiting >= barrier;
    if (*ret_opened)
        gate_open_locked(gate);
    pthread_mutex_unlock(&gate->lock);
    return ticket;
}

uint64_t gate_look(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    uint64_t ticket = gate->openings;
    pthread_mutex_unlock(&gate->lock);
    return ticket;
}

bool gate_is_open(struct gate *gate, uint64_t ticket)
{
    pthread_mutex_lock(&gate->lock);
    bool open = gate->openings > ticket;
    pthread_mutex_unlock(&gate->lock);
    return open;
}

void gate_leave(struct gate *gate, uint64_t ticket, bool barrier)
{
    pthread_mutex_lock(&gate->lock);
    if (gate->openings == ticket) {
        gate->held--;
        if (barrier)
            gate->barrier_waiting--;
    }
    pthread_mutex_unlock(&gate->lock);
}

uint32_t gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    uint32_t held = gate_open_locked(gate);
    pthread_mutex_unlock(&gate->lock);
    return held;
}

uint32_t gate_count_held(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    uint32_t held = gate->held;
    pthread_mutex_unlock(&gate->lock);
    return held;
}
