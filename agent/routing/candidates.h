/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One choice on its way: rules in force, candidates, what is known of each. Lives on the stack of routing_choose.
 *
 *   collect (candidates.c) ─▶ filter (filters.c: as written, by state, by asking flow) ─▶ order (strategies.c)
 */
#ifndef ROUTING_CANDIDATES_H
#define ROUTING_CANDIDATES_H

#include "routing/use.h"

enum { CANDIDATES_MAX = 256 }; /* as many as a policy can list */

/* Why a candidate is left out; when none is left, the kinds decide the error. */
enum left_out_kind {
    LEFT_OUT_SECRET,
    LEFT_OUT_TRANSLATION,
    LEFT_OUT_PRICE,
    LEFT_OUT_BUSY,
    LEFT_OUT_POLICY,
    LEFT_OUT_OTHER
};
enum { LEFT_OUT_KINDS = LEFT_OUT_OTHER + 1 };

/* Lower ones go first, whatever the strategy says. */
enum tier {
    TIER_REMEMBERED,
    TIER_OWN,        /* speaks what the call speaks */
    TIER_TRANSLATED, /* the called dialect, but not this api of it */
    TIER_OTHER,
    TIER_COUNT
};

struct candidate {
    const struct target *target;
    unsigned position; /* as written */
    enum tier tier;
    const char *why; /* left out; NULL: still in */
    const char *detail;
    uint32_t for_s;
    bool is_spare; /* enough are left of the tiers before its own: it was not asked */
    struct route_cost cost;
    struct use *use; /* only while the lock is held */
    double score;    /* of the strategy: the lowest is the best */
};

struct choice {
    struct routing *routing;
    const struct route_request *request;
    const struct route_request *asks; /* NULL: can_speak and find_cost are not asked */
    struct route *route;
    int64_t now_ns;
    /* the rules in force */
    const struct routing_override *levels[2]; /* the project's, the group's; NULL: none */
    enum strategy strategy;
    enum unlisted on_unlisted_model;
    enum cross_dialect cross_dialect;
    /* where the conversation is */
    const struct target *remembered; /* of these settings; NULL: not known */
    bool stays_with_target;          /* … and it is a candidate; else with its provider */
    struct candidate rows[CANDIDATES_MAX];
    size_t count;
    size_t left_out_of[LEFT_OUT_KINDS];
};

/* rules.c: strategy, on_unlisted_model and cross_dialect of the project, else the group, else the settings. */
void rules_find(struct choice *choice);
/* By name, the project's first; NULL: none. */
const struct model_group *rules_find_model_group(const struct choice *choice, const char *name);

/* candidates.c: fills rows, tiers and what the route says of them. Errors: MODEL_UNLISTED, PROVIDER_UNLISTED; a pass is
 * no error and has no rows. */
enum error candidates_collect(struct choice *choice) MUST_USE;
/* No target speaks the called dialect, and what was collected in its place cannot be spoken to either. */
bool candidates_is_unlisted_provider(const struct choice *choice);
/* capture.unlisted_provider: a pass, or PROVIDER_UNLISTED. */
enum error candidates_pass_provider(struct choice *choice) MUST_USE;
bool candidates_is_chat(enum api api);         /* one model can answer in place of another */
bool candidates_is_translatable(enum api api); /* … of another dialect */

/* filters.c: marks what is left out. Takes the lock for a moment. */
void filters_apply(struct choice *choice);
/* Those that are left, best first, into the route; at least one must be left. Takes the lock. */
void strategies_order(struct choice *choice);
size_t candidates_count_left(const struct choice *choice);

#endif
