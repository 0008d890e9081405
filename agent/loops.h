/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loops of the running agent: each a thread with a loop and a flow worker; how they start, drain and end.
 * Called by agent.c only.
 */
#ifndef LOOPS_H
#define LOOPS_H

#include "flow/flow.h"

struct loops;

/* As many as the settings say (0: one per core, at most 4). `services` must outlive them. */
struct loops *loops_new(const struct settings *settings, const struct flow_services *services);
/* For flow_listener_handler. */
struct flow_workers *loops_workers(struct loops *loops);
/* They join the listeners (the second may be NULL) and run. */
void loops_start(struct loops *loops, struct listener *listener, struct listener *base_url_listener);
/* Asks each running loop to answer, without waiting. False: one has not answered since it was asked the last time. One
 * thread at a time. */
bool loops_answer(struct loops *loops);
/* After listener_stop, of a listener that others keep: a moment for what it has accepted before. */
void loops_settle(const struct listener *listener);
/* Takes no more requests and waits at most timeout_ms until the open exchanges have ended, and what is passed
 * on as well; what is left then, or once
 * is_cut_short (asked ten times a second) says so, is ended now. False: not even that worked. */
bool loops_drain(struct loops *loops, const struct listener *listener, uint32_t timeout_ms, bool (*is_cut_short)(void));
/* Ends the threads. */
void loops_join(struct loops *loops);
void loops_free(struct loops *loops); /* joined, or never started; NULL is fine */

#endif
