/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides whether a call may be made: consumer group, models, endpoints, keys. Pure functions over a settings snapshot;
 * each verdict names the rule that made it.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/error.h"
#include "base/slice.h"
#include "config/config.h"

/* How the group was decided, for events and why. */
enum group_source { GROUP_BY_KEY, GROUP_BY_RUN, GROUP_BY_PROJECT, GROUP_BY_DEFAULT };

struct group_question {
    struct slice key;        /* the key the call brought, empty when none */
    const char *asked_group; /* from the datagram; "" when none */
    bool is_identified;      /* a datagram arrived or the process was found */
    uid_t uid;
};
struct group_answer {
    const struct consumer_group *group;
    enum group_source source;
    bool key_is_placeholder;
    bool is_flagged; /* dev: neither key nor datagram */
};
/* GROUP_UNKNOWN, GROUP_REFUSED (uids), KEY_INVALID (an unknown kt_cg_ key), KEY_REFUSED, PEER_UNKNOWN (prod, neither).
 */
enum error policy_find_group(const struct settings *settings, const struct group_question *question,
                             struct group_answer *ret_answer) MUST_USE;

/* May a process of this uid use the agent at all: the agent's own user, or one of access.uids. (Groups: access.gids,
 * asked of identity_is_member.) */
bool policy_is_uid_admitted(const struct settings *settings, uid_t uid);

struct policy_question {
    const struct consumer_group *group;
    const char *model; /* "" when none */
    bool is_metered, is_free;
    int64_t output_tokens_max; /* as requested, -1 none */
};
struct policy_verdict {
    const char *rule; /* "consumer_groups[product-dev].denied_models", "default" … static or settings memory */
    int64_t output_tokens_max; /* lowered bound for the request, -1: leave */
    bool counts_as_unmetered;  /* an endpoint we cannot meter, allowed: flagged in the event */
};
/* MODEL_DENIED, ENDPOINT_BLOCKED. */
enum error policy_decide(const struct settings *settings, const struct policy_question *question,
                         struct policy_verdict *ret_verdict) MUST_USE;
const char *policy_group_source_name(enum group_source source);

#endif
