/* SPDX-License-Identifier: Apache-2.0 */
/* The gate that withholds answers: until K requests wait (`barrier`) or until POST /_release (`hold`). For races: all
 * answers leave at once. Shared by all loops.
 */
#ifndef TESTS_PROVIDER_GATE_H
#define TESTS_PROVIDER_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct gate {
    pthread_mutex_t lock;
    uint64_t openings; /* how often the gate was opened */
    uint32_t barrier_waiting;
    uint32_t held;
};

void gate_init(struct gate *gate);
void gate_done(struct gate *gate);
/* Enters; barrier 0: only gate_open lets it out. Returns the ticket for gate_is_open. *ret_opened: this was the last
 * one that the barrier waited for, so the caller must wake all loops. */
uint64_t gate_enter(struct gate *gate, uint32_t barrier, bool *ret_opened);
/* For one that does not wait: a ticket for gate_is_open. */
uint64_t gate_look(struct gate *gate);
bool gate_is_open(struct gate *gate, uint64_t ticket);
/* A held request went away before the gate opened. */
void gate_leave(struct gate *gate, uint64_t ticket, bool barrier);
/* Opens for all that wait; returns how many. The caller wakes the loops. */
uint32_t gate_open(struct gate *gate);
uint32_t gate_count_held(struct gate *gate);

#endif
