/* SPDX-License-Identifier: Apache-2.0 */
/* See policy.h: whose call it is. Pure functions over a settings snapshot, called by the step identify. */
#include "policy/policy.h"

#include "base/check.h"
#include "shim/contract.h"

#include <string.h>
#include <unistd.h>

const char *policy_group_source_name(enum group_source source)
{
    static const char *const names[] = {"key", "run", "project", "default"};
    check((unsigned)source < sizeof names / sizeof *names);
    return names[source];
}

bool policy_is_uid_admitted(const struct settings *settings, uid_t uid)
{
    for (size_t i = 0; i < settings->access.uid_count; i++)
        if (settings->access.uids[i] == uid)
            return true;
    return uid == geteuid();
}

static const struct consumer_group *find_by_key(const struct settings *settings, struct slice key)
{
    for (size_t i = 0; i < settings->group_count; i++)
        if (slice_is(key, settings->groups[i].api_key))
            return &settings->groups[i];
    return NULL;
}

static const struct consumer_group *find_by_name(const struct settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->group_count; i++)
        if (!strcmp(settings->groups[i].name, name))
            return &settings->groups[i];
    return NULL;
}

static const struct consumer_group *find_default(const struct settings *settings)
{
    for (size_t i = 0; i < settings->group_count; i++)
        if (settings->groups[i].is_default)
            return &settings->groups[i];
    return NULL;
}

/* In this order (capture.md): kt_cg_ key, datagram, default. */
static enum error choose_group(const struct settings *settings, const struct group_question *question,
                               struct group_answer *answer)
{
    if (slice_has_prefix(question->key, TOLLGATE_KEY_PREFIX)) {
        answer->key_is_placeholder = true;
        answer->source = GROUP_BY_KEY;
        answer->group = find_by_key(settings, question->key);
        return answer->group ? ERROR_OK : ERROR_KEY_INVALID;
    }
    if (question->wants_placeholder)
        return ERROR_KEY_REQUIRED;
    if (question->asked_group[0]) {
        answer->source = GROUP_BY_RUN;
        answer->group = find_by_name(settings, question->asked_group);
        return answer->group ? ERROR_OK : ERROR_GROUP_UNKNOWN;
    }
    answer->source = GROUP_BY_DEFAULT;
    answer->group = find_default(settings);
    if (!question->is_identified) {
        if (settings->environment == ENVIRONMENT_PROD)
            return ERROR_PEER_UNKNOWN;
        answer->is_flagged = true;
    }
    return answer->group ? ERROR_OK : ERROR_GROUP_UNKNOWN;
}

static bool is_uid_allowed(const struct consumer_group *group, uid_t uid)
{
    for (size_t i = 0; i < group->uid_count; i++)
        if (group->uids[i] == uid)
            return true;
    return group->uid_count == 0;
}

enum error policy_find_group(const struct settings *settings, const struct group_question *question,
                             struct group_answer *ret_answer)
{
    struct group_answer answer = {0};
    enum error error = choose_group(settings, question, &answer);
    if (error)
        return error;
    if (!is_uid_allowed(answer.group, question->uid))
        return ERROR_GROUP_REFUSED;
    if (answer.group->keys == KEYS_PLACEHOLDER_ONLY && question->key.length && !answer.key_is_placeholder)
        return ERROR_KEY_REFUSED;
    *ret_answer = answer;
    return ERROR_OK;
}
