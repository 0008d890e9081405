/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides whether a call may be made: consumer group, models, endpoints, keys. Pure functions over a settings snapshot;
 * each verdict names the rule that made it.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "config/config.h"

/* How the group was decided, for events and why. */
enum group_source { GROUP_BY_KEY, GROUP_BY_RUN, GROUP_BY_PROJECT, GROUP_BY_DEFAULT };

struct group_question {
    struct slice key;        /* the key the call brought, empty when none */
    bool wants_placeholder;  /* nothing but a group's own key will do */
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
/* GROUP_UNKNOWN, GROUP_REFUSED (uids), KEY_INVALID (an unknown kt_cg_ key), KEY_REFUSED, PEER_UNKNOWN (prod, neither),
 * KEY_REQUIRED (wants_placeholder, and there is none). */
enum error policy_find_group(const struct settings *settings, const struct group_question *question,
                             struct group_answer *ret_answer) MUST_USE;

/* May a process of this uid use the agent at all: the agent's own user, or one of access.uids. (Groups: access.gids,
 * asked of identity_is_member.) */
bool policy_is_uid_admitted(const struct settings *settings, uid_t uid);

struct policy_question {
    const struct consumer_group *group;
    const char *project;  /* "" when none */
    const char *model;    /* "" when none */
    const char *endpoint; /* its name */
    bool is_metered, is_free;
    int64_t output_tokens_max; /* as requested, -1 none */
    struct slice body;         /* inspected when a rule asks for it */
    bool is_json;              /* else the body is looked at as one text (form data, files) and never redacted */
    int64_t now_s;             /* wall clock, for rules with hours */
};
enum { POLICY_FLAGS_MAX = 8 };
struct policy_verdict {
    const char *rule;    /* "policies.rules[no-opus]", "consumer_groups[product-dev].denied_models", "default" …: what
                            refused, or allowed, or lowered. Static, settings or arena memory */
    const char *message; /* what a blocking rule says besides, NULL: nothing */
    const char *found;   /* what was found, never the text itself: "email, card"; "": nothing; NULL: not looked for */
    int64_t output_tokens_max;           /* lowered bound for the request, -1: leave */
    bool counts_as_unmetered;            /* an endpoint we cannot meter, allowed: flagged in the event */
    const char *flags[POLICY_FLAGS_MAX]; /* ids of RULE_FLAG, RULE_LIMIT and RULE_REDACT rules that matched */
    size_t flag_count;
    unsigned redact; /* DETECT_… of the RULE_REDACT rules that matched; 0: nothing to redact */
    const struct policy_rule *redact_patterns[POLICY_FLAGS_MAX]; /* … and those that redact keywords and patterns */
    size_t redact_pattern_count;
};
/* The group's models, then policies.rules in order, then the endpoint. MODEL_DENIED, RULE_BLOCKED, ENDPOINT_BLOCKED.
 * The verdict is filled on refusal, too. `arena`: of the exchange. What cannot be known counts against the request: a
 * pattern that costs too much matches (but for RULE_ALLOW), and a RULE_REDACT blocks (RULE_BLOCKED, with its id and a
 * message that says why) when its pattern costs too much, when what it matches is in a body that is no JSON, and when
 * more than POLICY_FLAGS_MAX such rules have keywords or patterns. */
enum error policy_decide(const struct settings *settings, const struct policy_question *question, struct arena *arena,
                         struct policy_verdict *ret_verdict) MUST_USE;

/* May this call be served by a target of this model? Never by what the group is denied, or what a rule blocks by its
 * name (rules that look into texts or sizes are not asked again); by what is not among its allowed models only under a
 * name that it may ask for (`is_group_name`: the policy's own name for several models). */
bool policy_is_served(const struct settings *settings, const struct policy_question *question, const char *model,
                      bool is_group_name);

/* The body with everything that the verdict redacts replaced by "[email]", "[card]" …, in the strings of a JSON body
 * (decoded: \u0040 is an @), all other bytes as they were; the same slice when nothing was found. Identifiers that the
 * provider gave (tool call ids, file ids), names of members, model and role are left alone (policy/text.c says how they
 * and base64 are known). Keywords and patterns become "[redacted]"; a string that a pattern costs too much on becomes
 * that as a whole. A string that is a JSON object or array itself (arguments of a tool call) stays one: its numbers
 * become strings, and when it goes as a whole it becomes {} or []. The result holds nothing more to redact. *ret_found:
 * "2 email, 1 card", arena; NULL: nothing. A body that is no JSON is replaced as a whole. */
struct slice policy_redact(const struct policy_verdict *verdict, struct slice body, struct arena *arena,
                           const char **ret_found);
/* Which DETECT_… are in a text. */
unsigned policy_detect(struct slice text, unsigned wanted);
const char *policy_detect_name(unsigned one); /* email phone card iban api_key private_key */
const char *policy_group_source_name(enum group_source source);

#endif
