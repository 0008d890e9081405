/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Iterations: calls of one session that share instructions and messages but for the last one: somebody changes a prompt
 * and tries again, or one prompt goes over many inputs. A session is what one user runs of one program in one directory
 * and project, without a pause of half an hour. Known by hashes only; the table forgets what collides.
 */
#ifndef FLOW_ITERATIONS_H
#define FLOW_ITERATIONS_H

#include "flow/exchange.h"

/* The how-manieth this call is, from 1; 0: it shares nothing that could be told (no instructions, one message). Any
 * loop; counts the call. */
uint32_t iterations_count(const struct exchange *exchange);

#endif
