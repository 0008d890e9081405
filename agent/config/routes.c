/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routing after parsing: model groups find their targets, and what can never be used is said. Called by rules.c.
 */
#include "config/loader.h"

#include <stddef.h>

static const char *target_at(const struct settings *settings, size_t i)
{
    return i < settings->target_count ? known_name(settings->targets[i].id) : NULL;
}

static bool is_repeated(const struct model_group *group, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (strcmp(group->target_ids[j], group->target_ids[i]) == 0)
            return true;
    return false;
}

static void find_targets(struct loader *loader, struct model_group *group, const struct node *node)
{
    const struct node *list = node_member(node, "targets");
    const struct node *child = node_first(list, group->target_count);
    group->targets = arena_new_array(loader->arena, const struct target *, group->target_count + 1);
    if (list && list->kind == NODE_SEQUENCE && list->count == 0)
        report(loader, SEVERITY_ERROR, list, "targets: [ID, ...]", "a model group needs at least one target");
    for (size_t i = 0; child && i < group->target_count; i++, child = child->next) {
        group->targets[i] = config_find_target(loader->settings, group->target_ids[i]);
        if (!group->targets[i])
            refuse_unknown_name(loader, child, "target", group->target_ids[i], target_at, SEVERITY_ERROR);
        else if (is_repeated(group, i))
            report(loader, SEVERITY_ERROR, child, "a target's share is its weight", "target %s is listed twice",
                   quote(loader, child));
    }
}

/* A target's own model goes before a group of that name: the group would never be asked. */
static void warn_hidden(struct loader *loader, const struct model_group *group, const struct node *node)
{
    const struct settings *settings = loader->settings;
    for (size_t i = 0; group->name && i < settings->target_count; i++) {
        const struct target *target = &settings->targets[i];
        if (!target->model || strcmp(target->model, group->name) != 0)
            continue;
        report(
            loader, SEVERITY_WARNING, node_value(node, "name"), "give the group a name that is no model's",
            "model group \"%s\" has the name of the model of target \"%s\": such requests go to that model's targets",
            group->name, known_name(target->id));
        return;
    }
}

static void complete_model_groups(struct loader *loader, const struct node *list, struct model_group *groups,
                                  size_t count)
{
    const struct node *node = node_first(list, count);
    refuse_repeated(loader, list, groups, sizeof *groups, count, offsetof(struct model_group, name), "name");
    for (size_t i = 0; node && i < count; i++, node = node->next) {
        find_targets(loader, &groups[i], node);
        warn_hidden(loader, &groups[i], node);
    }
}

static bool is_kept_by_a_target(const struct settings *settings, const char *word)
{
    for (size_t i = 0; i < settings->target_count; i++)
        for (size_t j = 0; j < settings->targets[i].data_policy_count; j++)
            if (strcmp(settings->targets[i].data_policy[j], word) == 0)
                return true;
    return settings->target_count == 0;
}

static void warn_unkept(struct loader *loader, const struct consumer_group *group, const struct node *node)
{
    const struct node *child = node_first(node_member(node, "data_policy"), group->data_policy_count);
    for (size_t i = 0; child && i < group->data_policy_count; i++, child = child->next)
        if (!is_kept_by_a_target(loader->settings, group->data_policy[i]))
            report(loader, SEVERITY_WARNING, child, "add it to the data_policy of the targets that keep to it",
                   "no target has the data policy %s: calls of this group are refused", quote(loader, child));
}

void complete_routing(struct loader *loader, const struct node *root)
{
    struct settings *settings = loader->settings;
    const struct node *routing = node_member(node_member(root, "providers"), "routing");
    complete_model_groups(loader, node_member(routing, "model_groups"), settings->routing.model_groups,
                          settings->routing.model_group_count);
    const struct node *node = node_first(node_list(root, NULL, "consumer_groups"), settings->group_count);
    for (size_t i = 0; node && i < settings->group_count; i++, node = node->next) {
        struct consumer_group *group = &settings->groups[i];
        complete_model_groups(loader, node_member(node, "model_groups"), group->routing.model_groups,
                              group->routing.model_group_count);
        warn_unkept(loader, group, node);
    }
    node = node_first(node_list(root, NULL, "projects"), settings->project_count);
    for (size_t i = 0; node && i < settings->project_count; i++, node = node->next)
        complete_model_groups(loader, node_member(node, "model_groups"), settings->projects[i].routing.model_groups,
                              settings->projects[i].routing.model_group_count);
}
