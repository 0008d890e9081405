/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which targets serve a request, in which order: candidates, filters, one function per strategy. O(targets), no I/O.
 * The use of a target (sliding window of 12 × 5 s, in-flight load included) lives here, shared by all loops.
 */
#ifndef ROUTING_ROUTING_H
#define ROUTING_ROUTING_H

#include "base/error.h"
#include "config/config.h"

struct routing; /* use of the targets, by target id: survives reloads */

struct routing *routing_new(void);
void routing_free(struct routing *routing);

enum { ROUTE_TARGETS_MAX = 8 };

struct route_request {
    const struct settings *settings;
    const struct provider *provider; /* whose host was called */
    const char *model;               /* as requested, "" when the call names none */
    uint64_t tokens_estimate;        /* of this request, counted as load */
};
struct route {
    const struct target *targets[ROUTE_TARGETS_MAX]; /* best first */
    size_t count;
    bool is_pass;       /* no listed target: to the called provider itself with the program's own key */
    bool is_rerouted;   /* the model was not listed and the lane decided */
    const char *reason; /* "listed model", "unlisted model routed", "unlisted provider passed" … for why */
};
/* MODEL_UNLISTED, PROVIDER_UNLISTED, NO_TARGET, NO_SECRET (all that match lack their key). */
enum error routing_choose(struct routing *routing, const struct route_request *request,
                          struct route *ret_route) MUST_USE;
/* Load accounting around an attempt. */
void routing_begin(struct routing *routing, const struct target *target, uint64_t tokens_estimate);
void routing_end(struct routing *routing, const struct target *target, uint64_t tokens_estimate, uint64_t tokens_used);

#endif
