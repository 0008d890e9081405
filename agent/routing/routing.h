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

enum { ROUTE_TARGETS_MAX = 8, ROUTE_LEFT_OUT_MAX = 16, ROUTE_LEFT_OUT_TEXT_MAX = 256 };

/* What flow knows of a target for this request and routing must ask for: translation and prices are other services'. */
struct route_cost {
    struct money bound;      /* what the request can cost there at most */
    uint64_t input_tokens;   /* an estimate of its input … */
    uint64_t context_tokens; /* … that must fit into the model's window; 0: not known */
};
struct route_request {
    const struct settings *settings;
    const struct consumer_group *group;
    const char *project;             /* "" when none */
    const struct provider *provider; /* whose host was called */
    enum api api;                    /* of the call; API_NONE: not read */
    const char *model;               /* as requested, "" when the call names none */
    uint64_t tokens_estimate;        /* of this request, counted as load */
    uint64_t conversation;           /* sticky; 0: none */
    bool is_continued;               /* stays with the target where its conversation began, while that can serve it */
    bool must_stay;                  /* its state is there (previous_response_id): that target or none */
    bool wants_any_model;            /* money is short: any target of the environment that is cheaper than … */
    struct money cheaper_than;       /* … this */
    void *context;
    /* Can the request be sent to this target: own dialect, or translated? *ret_why (a fixed or arena text) says why
     * not. Called without a lock, at most once per target, and not at all for targets that nothing else leaves over, or
     * when the route keeps_model. NULL: own dialect only. */
    bool (*can_speak)(void *context, const struct target *target, const char **ret_why);
    /* May the caller have this target's model? Called with or without the lock: no waiting. NULL: all. */
    bool (*is_allowed)(void *context, const struct target *target);
    /* False: the price is not known and the policy blocks that. As can_speak; NULL: all cost nothing. */
    bool (*find_cost)(void *context, const struct target *target, struct route_cost *ret_cost);
};
/* "breaker open for 12 s", "cannot be translated: messages[2] …": `why`, with its seconds and what can_speak said. */
struct route_left_out {
    const struct target *target;
    const char *why;    /* a fixed text */
    const char *detail; /* of can_speak; NULL: none */
    uint32_t for_s;     /* 0: not a matter of time */
};
struct route {
    const struct target *targets[ROUTE_TARGETS_MAX]; /* best first */
    size_t count;
    bool is_pass;       /* no listed target: to the called provider itself with the program's own key */
    bool is_rerouted;   /* the model was not listed and the lane decided */
    bool keeps_model;   /* not chat and not listed: to targets of the called provider, for their key alone. The model
                           stays as requested: it has its own price, and no target is to blame when it is missing */
    const char *reason; /* "listed model", "model group", "unlisted model, …" for why: a fixed text */
    const char *model_group; /* its name, settings memory; NULL: none */
    const char *strategy;    /* its name; NULL for pass */
    struct route_left_out left_out[ROUTE_LEFT_OUT_MAX];
    size_t left_out_count;
    uint32_t retry_after_s; /* TARGETS_BUSY: when the first may serve again, at least 1 */
};
/* Candidates, filters, order. Errors: MODEL_UNLISTED, PROVIDER_UNLISTED, NO_SECRET (all that match lack their key),
 * NO_TRANSLATION (nothing but translation stood in the way), PRICE_UNKNOWN (nothing but prices that are not known),
 * TARGETS_BUSY (breakers, limits: waiting helps), TARGET_DENIED (nothing but what the policy says: models, data policy,
 * price ceiling), NO_TARGET (all else).
 * *ret_route says what was left out on failure, too. Any thread.
 * The caller's own dialect goes first; under cross_dialect last_resort the others follow it in the order, so that they
 * serve when none of its own is left, be it by the filters or because each of them was tried and failed. */
enum error routing_choose(struct routing *routing, const struct route_request *request,
                          struct route *ret_route) MUST_USE;
/* Returns `text`. */
const char *routing_format_left_out(const struct route_left_out *left_out, char text[ROUTE_LEFT_OUT_TEXT_MAX]);

/* Load accounting and the breaker, around an attempt. 0: the target took its last probe meanwhile, its breaker opened,
 * it rests or has reached its limit: not to be asked, and routing_end must not be called. Else a ticket for
 * routing_end, by which it knows the answers to probes from those that were asked for before the breaker opened. */
uint64_t routing_begin(struct routing *routing, const struct target *target, const struct settings *settings,
                       uint64_t tokens_estimate) MUST_USE;
struct routing_outcome {
    uint64_t
        ticket; /* of routing_begin; 0: not kept, then an answer from before the breaker opened passes for a probe's */
    uint64_t tokens_estimate, tokens_used;
    int64_t first_byte_ns;                                         /* 0: there was none */
    enum { OUTCOME_SERVED, OUTCOME_FAILED, OUTCOME_NEITHER } kind; /* NEITHER: the client left, an error of its own */
    int status;                                                    /* of the provider; 0: none */
    uint32_t retry_after_s; /* it asked for: the target rests that long, at most an hour; 0: it did not */
    bool is_model_missing;  /* model-not-found: skipped for ten minutes, named by doctor */
};
void routing_end(struct routing *routing, const struct target *target, const struct settings *settings,
                 const struct routing_outcome *outcome);

/* Where a conversation (or an answer that a later request will name) is: the last 4096 of them, in memory. */
void routing_remember(struct routing *routing, uint64_t conversation, const struct target *target);

/* For `tollgate targets`, doctor and metrics. */
struct routing_state {
    char target[64];
    enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN } breaker;
    uint32_t failures;         /* in a row */
    uint32_t rests_for_s;      /* breaker or Retry-After; 0: none */
    uint64_t requests, tokens; /* of the last 60 s, in flight included */
    uint64_t in_flight;
    uint64_t served, failed; /* since start */
    int64_t first_byte_ns;   /* peak-EWMA; 0: too few samples */
    bool is_model_missing;
};
/* False: nothing is known of this target yet (all zero). */
bool routing_find_state(struct routing *routing, const struct target *target, const struct settings *settings,
                        struct routing_state *ret_state);
const char *routing_strategy_name(enum strategy strategy);
const char *routing_breaker_name(enum breaker_state state); /* closed open half-open */

#endif
