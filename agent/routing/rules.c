/* SPDX-License-Identifier: Apache-2.0 */
/* The rules in force for one call: a project's override goes before its group's, that before providers.routing. */
#include "routing/candidates.h"

#include <string.h>

/* The project whose name says most of the call's: its own, or the longest prefix. NULL: none. */
static const struct project *find_project(const struct settings *settings, const char *name)
{
    const struct project *best = NULL;
    size_t best_length = 0;
    for (size_t i = 0; name && name[0] && i < settings->project_count; i++) {
        const char *pattern = settings->projects[i].name;
        size_t length = strlen(pattern);
        if (!strcmp(pattern, name))
            return &settings->projects[i];
        if (length && pattern[length - 1] == '*' && !strncmp(pattern, name, length - 1) && length > best_length) {
            best = &settings->projects[i];
            best_length = length;
        }
    }
    return best;
}

void rules_find(struct choice *choice)
{
    const struct settings *settings = choice->request->settings;
    const struct consumer_group *group = choice->request->group;
    const struct project *project = find_project(settings, choice->request->project);
    choice->levels[0] = project ? &project->routing : NULL;
    choice->levels[1] = group ? &group->routing : NULL;
    for (size_t i = 0; i < 2; i++) {
        const struct routing_override *level = choice->levels[i];
        if (!level)
            continue;
        if (choice->strategy == STRATEGY_INHERIT)
            choice->strategy = level->strategy;
        if (choice->on_unlisted_model == UNLISTED_INHERIT)
            choice->on_unlisted_model = level->on_unlisted_model;
        if (choice->cross_dialect == CROSS_DIALECT_INHERIT)
            choice->cross_dialect = level->cross_dialect;
    }
    if (choice->strategy == STRATEGY_INHERIT)
        choice->strategy = settings->routing.strategy;
    if (choice->on_unlisted_model == UNLISTED_INHERIT)
        choice->on_unlisted_model = settings->routing.on_unlisted_model;
    if (choice->cross_dialect == CROSS_DIALECT_INHERIT)
        choice->cross_dialect = settings->routing.cross_dialect;
    if (choice->cross_dialect == CROSS_DIALECT_INHERIT)
        choice->cross_dialect = CROSS_DIALECT_LAST_RESORT;
}

static const struct model_group *find_in(const struct model_group *groups, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(groups[i].name, name))
            return &groups[i];
    return NULL;
}

const struct model_group *rules_find_model_group(const struct choice *choice, const char *name)
{
    const struct settings *settings = choice->request->settings;
    for (size_t i = 0; i < 2; i++) {
        const struct routing_override *level = choice->levels[i];
        const struct model_group *found = level ? find_in(level->model_groups, level->model_group_count, name) : NULL;
        if (found)
            return found;
    }
    return find_in(settings->routing.model_groups, settings->routing.model_group_count, name);
}
