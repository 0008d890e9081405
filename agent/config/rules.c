/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What concerns several settings at once: ids that must be unique, defaults that depend on others, choices that exclude
 * each other. One function per rule, in a table; each reports at the node that would have to change.
 */
#include "config/budgets.h"

#include <stddef.h>

void refuse_repeated_budgets(struct loader *loader, const struct node *root)
{
    const struct settings *settings = loader->settings;
    refuse_repeated(loader, node_list(root, NULL, "budgets"), settings->budgets, sizeof *settings->budgets,
                    settings->budget_count, offsetof(struct budget, id), "id");
}

static void unique_names(struct loader *loader, const struct node *root)
{
    const struct settings *settings = loader->settings;
    const struct node *groups = node_list(root, NULL, "consumer_groups");
    refuse_repeated(loader, node_list(root, "providers", "targets"), settings->targets, sizeof *settings->targets,
                    settings->target_count, offsetof(struct target, id), "id");
    refuse_repeated(loader, node_list(root, NULL, "projects"), settings->projects, sizeof *settings->projects,
                    settings->project_count, offsetof(struct project, name), "name");
    refuse_repeated(loader, node_list(root, "policies", "rules"), settings->rules, sizeof *settings->rules,
                    settings->rule_count, offsetof(struct policy_rule, id), "id");
    refuse_repeated(loader, groups, settings->groups, sizeof *settings->groups, settings->group_count,
                    offsetof(struct consumer_group, name), "name");
    refuse_repeated(loader, groups, settings->groups, sizeof *settings->groups, settings->group_count,
                    offsetof(struct consumer_group, api_key), "api_key");
    refuse_repeated(loader, node_list(root, NULL, "wallets"), settings->wallets, sizeof *settings->wallets,
                    settings->wallet_count, offsetof(struct wallet_seed, id), "id");
    refuse_repeated_budgets(loader, root);
}

static void one_default_group(struct loader *loader, const struct node *root)
{
    struct settings *settings = loader->settings;
    const struct node *list = node_list(root, NULL, "consumer_groups");
    const struct node *node = node_first(list, settings->group_count);
    size_t defaults = 0;
    for (size_t i = 0; node && i < settings->group_count; i++, node = node->next)
        if (settings->groups[i].is_default && ++defaults > 1)
            report(loader, SEVERITY_ERROR, node_value(node, "default"), "the default group serves calls that name none",
                   "more than one group is the default");
    if (list && list->count == 0)
        report(loader, SEVERITY_ERROR, list, NULL, "\"consumer_groups\" must have at least one group");
    if (defaults == 0 && settings->group_count)
        settings->groups[0].is_default = true;
}

static void check_base_url(struct loader *loader, const struct target *target, const struct node *node)
{
    const struct node *url = node_member(node, "base_url");
    const struct provider *provider = target->provider;
    if (url && slice_has_prefix(url->text, "http:") && !target->local)
        report(loader, SEVERITY_ERROR, url, "https, or local: true for a server on this machine or network",
               "\"base_url\" must be https");
    if (url && target->base_url && provider && *provider->api_prefix &&
        slice_has_suffix(slice_of(target->base_url), provider->api_prefix))
        report(loader, SEVERITY_WARNING, url, "most likely it is to end before that",
               "\"base_url\" ends with \"%s\", which is added to it", provider->api_prefix);
    if (!url && provider && !provider->base_url && provider->host_pattern_count)
        report(loader, SEVERITY_ERROR, node,
               arena_printf(loader->scratch, "base_url: https://NAME%s", provider->host_patterns[0] + 1),
               "target lacks \"base_url\": provider \"%s\" has none of its own", provider->id);
}

static void complete_targets(struct loader *loader, const struct node *root)
{
    struct settings *settings = loader->settings;
    const struct node *node = node_first(node_list(root, "providers", "targets"), settings->target_count);
    for (size_t i = 0; node && i < settings->target_count; i++, node = node->next) {
        struct target *target = &settings->targets[i];
        const struct provider *provider = target->provider;
        check_base_url(loader, target, node);
        target->index = (unsigned)i;
        target->line = node->line;
        target->model_place = place_of(loader, node_value(node, "model"));
        if (!provider || target->base_url)
            continue;
        target->base_url = provider->base_url; /* where it goes there, it is trusted as there */
        target->local |= provider->local;
        if (!target->ca_file)
            target->ca_file = provider->ca_file;
    }
    if (settings->target_count == 0 && !node_list(root, "providers", "targets"))
        report(loader, SEVERITY_WARNING, root, "providers: {targets: [...]}",
               "the file lists no targets: no model can be routed");
}

static void line_within_head(struct loader *loader, const struct node *root)
{
    const struct settings *settings = loader->settings;
    if (settings->limits.request_line_bytes_max > settings->limits.head_bytes_max)
        report(loader, SEVERITY_ERROR, node_value(node_member(root, "limits"), "request_line_bytes_max"), NULL,
               "\"request_line_bytes_max\" exceeds \"head_bytes_max\"");
}

static void per_uid_within_all(struct loader *loader, const struct node *root)
{
    const struct settings *settings = loader->settings;
    const struct node *node = node_member(node_member(root, "limits"), "connections_per_uid_max");
    if (node && settings->limits.connections_per_uid_max > settings->limits.connections_max)
        report(loader, SEVERITY_ERROR, node, NULL, "\"connections_per_uid_max\" exceeds \"connections_max\"");
}

static void base_url_port_is_used(struct loader *loader, const struct node *root)
{
    const struct settings *settings = loader->settings;
    if (settings->capture.base_url_port && !settings->capture.base_urls)
        report(loader, SEVERITY_WARNING, node_member(node_member(root, "capture"), "base_url_port"),
               "add base_urls: true", "\"base_url_port\" without \"base_urls\" opens no port");
}

/* Each member of one cost_tracking against the same member of another. */
static void compare_tracking(struct loader *loader, const struct node *first, const struct node *other)
{
    if (!first || first->kind != NODE_MAPPING || !other || other->kind != NODE_MAPPING)
        return;
    for (const struct node *member = other->first; member; member = member->next) {
        if (member->key->kind != NODE_SCALAR || member->key->text.length > 64)
            continue;
        const struct node *same = node_member(first, member->key->text.data);
        if (same && !slice_is_equal(same->text, member->text))
            report(loader, SEVERITY_ERROR, member, "cost_tracking is one for the whole file",
                   "\"%s\" differs from line %u", member->key->text.data, same->line);
    }
}

/* It may be written at the top level, inside groups, or both, as long as all say the same. */
static void one_cost_tracking(struct loader *loader, const struct node *root)
{
    const struct node *list = node_list(root, NULL, "consumer_groups");
    const struct node *top = node_member(root, "cost_tracking");
    for (const struct node *group = list && list->count <= 256 ? list->first : NULL; group; group = group->next) {
        const struct node *tracking = node_member(group, "cost_tracking");
        compare_tracking(loader, top, tracking);
        for (const struct node *earlier = list->first; tracking && earlier != group; earlier = earlier->next)
            compare_tracking(loader, node_member(earlier, "cost_tracking"), tracking);
    }
}

static void pack_is_enabled(struct loader *loader, const struct node *root)
{
    const struct node *node = node_member(node_member(root, "pack"), "enabled");
    if (node_is(node, "false"))
        report(loader, SEVERITY_ERROR, node, "set it to true to use the file", "the pack is disabled");
}

static bool is_paid_from(const struct settings *settings, const char *wallet)
{
    for (size_t i = 0; i < settings->group_count; i++)
        if (settings->groups[i].wallet && strcmp(settings->groups[i].wallet, wallet) == 0)
            return true;
    return false;
}

static void wallets_are_used(struct loader *loader, const struct node *root)
{
    const struct settings *settings = loader->settings;
    const struct node *node = node_first(node_list(root, NULL, "wallets"), settings->wallet_count);
    for (size_t i = 0; node && i < settings->wallet_count; i++, node = node->next)
        if (settings->wallets[i].id && !is_paid_from(settings, settings->wallets[i].id))
            report(loader, SEVERITY_WARNING, node_value(node, "id"), NULL, "no consumer group pays from wallet \"%s\"",
                   settings->wallets[i].id);
}

static void complete_budgets(struct loader *loader, const struct node *root)
{
    budgets_complete(loader, root, BUDGET_OF_POLICY);
}

static void complete_alerts(struct loader *loader, const struct node *root)
{
    struct settings *settings = loader->settings;
    const struct node *alerts = node_member(root, "alerts"), *webhook = node_member(alerts, "webhook");
    if (settings->alerts.command_count == 0)
        settings->alerts.command = NULL;
    else if (settings->alerts.command[0][0] != '/')
        report(loader, SEVERITY_ERROR, node_member(alerts, "command")->first, "e.g. [/usr/local/bin/notify, budget]",
               "\"command\" must begin with a program's full path");
    const struct node *url = node_member(webhook, "url");
    if (url && slice_has_prefix(url->text, "http:") && !settings->alerts.webhook_local)
        report(loader, SEVERITY_ERROR, webhook, "https, or local: true for a server on this machine or network",
               "\"url\" must be https");
}

/* An address inside our own networks would lead the agent to itself. */
static bool is_our_own(const struct settings *settings, const struct config_address *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    const uint8_t *bytes = address->bytes + sizeof mapped;
    uint32_t network = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16;
    return memcmp(address->bytes, mapped, sizeof mapped) == 0 &&
           (network == settings->capture.network || network == settings->capture.redirect_network);
}

static void complete_capture(struct loader *loader, const struct node *root)
{
    const struct settings *settings = loader->settings;
    const struct node *capture = node_member(root, "capture");
    const struct node *network = node_member(capture, "redirect_network");
    if (settings->capture.network == settings->capture.redirect_network)
        report(loader, SEVERITY_ERROR, network ? network : node_member(capture, "network"),
               "127.78.0.0/16 is the default", "\"network\" and \"redirect_network\" must be two networks");
    const struct node *node = node_first(node_list(root, "capture", "addresses"), settings->capture.address_count);
    for (size_t i = 0; node && i < settings->capture.address_count; i++, node = node->next)
        if (is_our_own(settings, &settings->capture.addresses[i]))
            report(loader, SEVERITY_ERROR, node, NULL, "\"addresses\" has one of our own networks: %s",
                   quote(loader, node));
}

/* Rows of csv and jsonl are made of events: those of a window, what was missed while the agent was down, and one that
 * waits for its last calls. */
static void events_outlive_exports(struct loader *loader, const struct node *root)
{
    static const struct {
        const char *name;
        uint32_t days;
    } least[] = {
        [EXPORTS_DAILY] = {"daily", 8}, [EXPORTS_WEEKLY] = {"weekly", 21}, [EXPORTS_MONTHLY] = {"monthly", 62}};
    const struct settings *settings = loader->settings;
    const uint32_t kept = settings->evidence.events_days, days = least[settings->evidence.exports.schedule].days;
    if (settings->evidence.exports.is_enabled && kept && kept < days)
        report(loader, SEVERITY_ERROR, node_value(node_member(root, "evidence"), "keep_events_days"),
               arena_printf(loader->arena, "at least %u, 0 for ever, or exports: {enabled: false}", days),
               "\"keep_events_days\" is too few for %s exports: their rows are made of events",
               least[settings->evidence.exports.schedule].name);
}

/* For directories_check, which knows whether an agent could write there. */
static void places_are_kept(struct loader *loader, const struct node *root)
{
    struct settings *settings = loader->settings;
    const struct node *backups = node_member(node_member(root, "backups"), "directory");
    const struct node *exports = node_member(node_member(node_member(root, "evidence"), "exports"), "directory");
    if (backups)
        settings->backups.place = place_of(loader, backups);
    if (exports)
        settings->evidence.exports.place = place_of(loader, exports);
}

static void (*const rules[])(struct loader *loader, const struct node *root) = {
    unique_names,           one_default_group,  complete_targets, line_within_head,  per_uid_within_all,
    one_cost_tracking,      pack_is_enabled,    wallets_are_used, complete_budgets,  complete_alerts,
    complete_capture,       complete_catalogue, complete_routing, complete_policies, base_url_port_is_used,
    events_outlive_exports, places_are_kept,
};

void check_rules(struct loader *loader, const struct node *root)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        rules[i](loader, root);
}
