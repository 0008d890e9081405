/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Budgets after parsing: what several keys of one row must agree on, whether its scope names anything, and how the
 * rows of the policy, of the operator and dev's defaults become settings->budgets. Called by load.c and, for one row,
 * by budgets_file.c.
 */
#include "config/budgets.h"

#include "base/digest.h"
#include "base/zone.h"

static void find_zone(struct loader *loader, struct budget *budget, const struct node *node)
{
    budget->zone = budget->time_zone ? zone_load(loader->arena, budget->time_zone) : NULL;
    if (budget->time_zone && !budget->zone)
        report(loader, SEVERITY_ERROR, node_value(node, "time_zone"),
               "a name of this machine's time zone database (tzdata), e.g. Europe/Berlin, or UTC",
               "unknown time zone \"%s\"", budget->time_zone);
}

static void check_amounts(struct loader *loader, const struct budget *budget, const struct node *node)
{
    size_t months = 0;
    for (size_t i = 0; i < MONTHS; i++)
        months += budget->has_month[i];
    const struct node *by_month = node_member(node, "by_month");
    if (by_month && budget->period != BUDGET_MONTHLY)
        report(loader, SEVERITY_ERROR, by_month->key, "window: monthly", "\"by_month\" is for monthly budgets");
    if (!budget->has_amount && months < MONTHS && !node_member(node, "amount"))
        report(loader, SEVERITY_ERROR, node, "amount: 50", "budget lacks \"amount\"");
}

static void check_length(struct loader *loader, const struct budget *budget, const struct node *node)
{
    const struct node *length = node_member(node, "length");
    if (length && budget->period != BUDGET_ROLLING)
        report(loader, SEVERITY_ERROR, length->key, "window: rolling", "\"length\" is for rolling budgets");
    if (!length && budget->period == BUDGET_ROLLING)
        report(loader, SEVERITY_ERROR, node_value(node, "window"), "length: 24h",
               "a rolling budget needs a \"length\"");
}

static void check_alerts(struct loader *loader, const struct budget *budget, const struct node *node)
{
    for (size_t i = 1; i < budget->alert_count; i++) {
        if (budget->alerts[i] > budget->alerts[i - 1])
            continue;
        report(loader, SEVERITY_ERROR, node_value(node, "alerts"), NULL, "\"alerts\" must ascend");
        return;
    }
}

/* What a scope may name. */
static const char *wallet_at(const struct settings *settings, size_t i)
{
    return i < settings->group_count ? known_name(settings->groups[i].wallet) : NULL;
}

static const char *provider_at(const struct settings *settings, size_t i)
{
    return i < settings->provider_count ? known_name(settings->providers[i].id) : NULL;
}

/* Calls carry nothing but names of the policy and its catalogue here; models and projects are free. */
static void check_scope(struct loader *loader, const struct budget *budget, const struct node *node,
                        enum severity severity)
{
    const struct node *scope = node_member(node, "scope");
    const struct {
        const char *key, *pattern, *(*name_at)(const struct settings *settings, size_t i);
    } parts[] = {{"wallet", budget->scope.wallet, wallet_at},
                 {"group", budget->scope.group, group_name_at},
                 {"provider", budget->scope.provider, provider_at}};
    for (size_t i = 0; scope && i < sizeof parts / sizeof *parts; i++)
        if (parts[i].pattern)
            refuse_unknown_name(loader, node_member(scope, parts[i].key), parts[i].key, parts[i].pattern,
                                parts[i].name_at, severity);
}

void budgets_complete_one(struct loader *loader, struct budget *budget, const struct node *node,
                          enum budget_origin origin, enum severity unknown_name)
{
    if (node->kind != NODE_MAPPING)
        return;
    budget->origin = origin;
    budget->place = place_of(loader, node_value(node, "id"));
    find_zone(loader, budget, node);
    check_amounts(loader, budget, node);
    check_length(loader, budget, node);
    check_alerts(loader, budget, node);
    check_scope(loader, budget, node, unknown_name);
}

/* The rows were just parsed from the root's list, one element per node. A group that the policy no longer has must not
 * keep the agent from starting when only the operator's file still names it. */
void budgets_complete(struct loader *loader, const struct node *root, enum budget_origin origin)
{
    struct settings *settings = loader->settings;
    const struct node *node = node_first(node_list(root, NULL, "budgets"), settings->budget_count);
    for (size_t i = 0; node && i < settings->budget_count; i++, node = node->next)
        budgets_complete_one(loader, &settings->budgets[i], node, origin,
                             origin == BUDGET_OF_POLICY ? SEVERITY_ERROR : SEVERITY_WARNING);
}

static bool is_same(const struct budget *a, const struct budget *b)
{
    return a->id && b->id && strcmp(a->id, b->id) == 0;
}

/* An operator's row takes the place of the policy's with its id; new ones come after. */
size_t budgets_merge(const struct budget *rows, size_t count, const struct budget *newer, size_t newer_count,
                     struct budget *ret_rows)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        ret_rows[total++] = rows[i];
    for (size_t i = 0; i < newer_count; i++) {
        size_t at = 0;
        while (at < total && !is_same(&ret_rows[at], &newer[i]))
            at++;
        ret_rows[at] = newer[i];
        total += at == total;
    }
    return total;
}

/* Wallet names are longer than a budget's may be: what is cut off is told apart by its digest. */
static const char *default_id(struct loader *loader, const char *wallet)
{
    enum { DIGEST_SHOWN = 12, KEPT = BUDGET_ID_MAX - 8 - 1 - DIGEST_SHOWN };
    if (strlen(wallet) + 8 <= BUDGET_ID_MAX)
        return arena_printf(loader->arena, "default.%s", wallet);
    unsigned char digest[DIGEST_BYTES];
    char text[DIGEST_TEXT_MAX];
    digest_sha256(slice_of(wallet), digest);
    return arena_printf(loader->arena, "default.%.*s.%.*s", KEPT, wallet, DIGEST_SHOWN, digest_format(digest, text));
}

static struct money credit_of(const struct settings *settings, const char *wallet)
{
    for (size_t i = 0; i < settings->wallet_count; i++)
        if (settings->wallets[i].id && strcmp(settings->wallets[i].id, wallet) == 0)
            return settings->wallets[i].credit;
    return settings->cost_tracking.default_credit;
}

static bool is_first_group_of_wallet(const struct settings *settings, size_t group)
{
    for (size_t i = 0; i < group; i++)
        if (settings->groups[i].wallet && strcmp(settings->groups[i].wallet, settings->groups[group].wallet) == 0)
            return false;
    return true;
}

/* Alerts come before the stop: each wallet's starting credit is a soft budget. */
static void add_defaults(struct loader *loader)
{
    struct settings *settings = loader->settings;
    settings->budgets = arena_new_array(loader->arena, struct budget, BUDGETS_MAX);
    for (size_t i = 0; i < settings->group_count && settings->budget_count < BUDGETS_MAX; i++) {
        const char *wallet = settings->groups[i].wallet;
        struct money credit = wallet ? credit_of(settings, wallet) : MONEY_ZERO;
        if (credit.nano <= 0 || !is_first_group_of_wallet(settings, i))
            continue;
        struct budget *budget = &settings->budgets[settings->budget_count++];
        apply_defaults(loader, &table_budget, budget);
        budget->id = default_id(loader, wallet);
        budget->scope.wallet = wallet;
        budget->amount = credit;
        budget->has_amount = true;
        budget->zone = zone_load(loader->arena, budget->time_zone);
        budget->origin = BUDGET_OF_DEFAULT;
    }
}

static void put_hard_first(struct loader *loader)
{
    struct settings *settings = loader->settings;
    struct budget *sorted = arena_new_array(loader->arena, struct budget, settings->budget_count + 1);
    size_t count = 0;
    for (int wanted = 1; wanted >= 0; wanted--)
        for (size_t i = 0; i < settings->budget_count; i++)
            if (settings->budgets[i].is_hard == wanted)
                sorted[count++] = settings->budgets[i];
    settings->budgets = sorted;
}

void budgets_finish(struct loader *loader)
{
    struct settings *settings = loader->settings;
    if (settings->environment == ENVIRONMENT_DEV && settings->budget_count == 0 && !loader->has_budgets)
        add_defaults(loader);
    put_hard_first(loader);
    budgets_check_count(settings, settings->budgets, settings->budget_count, loader->problems);
}
