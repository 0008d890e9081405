/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variables that send a provider's libraries to the agent's port of base URLs (`run --base-url`, `env --base-url`).
 * What the user has in one of them stays: it names a server of his choice, and his requests are not ours to send
 * elsewhere. Which of them are ours, TOLLGATE_BASE_URLS remembers, for going on, for another agent, and for undoing.
 */
#include "shim/launch/launch.h"

#include <stdlib.h>
#include <string.h>

/* Is the name in the list of an earlier activation? */
static bool base_urls_lists(const char *list, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = list; at && *at; at += strcspn(at, ","), at += *at == ',')
        if (strcspn(at, ",") == length && strncmp(at, name, length) == 0)
            return true;
    return false;
}

bool base_urls_is_ours(const char *name, const char *value)
{
    return value && text_starts(value, TOLLGATE_BASE_URLS_START) &&
           base_urls_lists(getenv(TOLLGATE_ENV_BASE_URLS), name);
}

bool base_urls_stay(const struct launch_facts *facts)
{
    const char *runtime = getenv(TOLLGATE_ENV_RUNTIME);
    return facts->base_urls.count == 0 && getenv(TOLLGATE_ENV_BASE_URLS) && runtime &&
           strcmp(runtime, facts->place->runtime) == 0;
}

void base_urls_undo(struct launch_changes *changes)
{
    const char *list = getenv(TOLLGATE_ENV_BASE_URLS);
    if (!list)
        return;
    for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',') {
        const char *name = text_format("%.*s", (int)strcspn(at, ","), at);
        if (base_urls_is_ours(name, getenv(name)))
            changes_set(changes, name, NULL);
    }
    changes_set(changes, TOLLGATE_ENV_BASE_URLS, NULL);
}

void base_urls_set(const struct launch_facts *facts, struct launch_changes *changes)
{
    struct text_list ours = {0};
    if (base_urls_stay(facts))
        return;
    base_urls_undo(changes);
    for (size_t i = 0; i < facts->base_urls.count; i++) {
        const char *pair = facts->base_urls.items[i];
        const size_t length = strcspn(pair, "=");
        const char *name = text_format("%.*s", (int)length, pair), *present = getenv(name);
        if (!governed_is_name(name) || pair[length] != '=')
            continue;
        if (present && present[0] && !base_urls_is_ours(name, present)) {
            text_complain("%s is set already and stays as it is: it says where those calls go", name);
            continue;
        }
        changes_set(changes, name, pair + length + 1);
        text_append(&ours, name);
    }
    if (ours.count > 0)
        changes_set(changes, TOLLGATE_ENV_BASE_URLS, text_join(&ours, ","));
}
