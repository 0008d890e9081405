/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/doctor?prod=1: is the policy in force as strict as production wants it. Each finding says why it matters; the
 * fix is a line of the policy. The machine's part is the client's (cli/doctor_prod.c).
 */
#include "control/internal.h"

#include <sys/stat.h>

static bool is_prod(const struct settings *settings)
{
    return settings->environment == ENVIRONMENT_PROD;
}

static bool is_wallet_enforced(const struct settings *settings)
{
    return settings->cost_tracking.enabled && settings->cost_tracking.wallet_enforcement;
}

static bool is_price_known(const struct settings *settings)
{
    return settings->cost_tracking.unknown_price == UNKNOWN_PRICE_BLOCK;
}

static bool has_hard_budget(const struct settings *settings)
{
    for (size_t i = 0; i < settings->budget_count; i++)
        if (settings->budgets[i].is_hard)
            return true;
    return false;
}

static bool has_access(const struct settings *settings)
{
    return settings->access.uid_count + settings->access.gid_count > 0;
}

static bool has_placeholders_only(const struct settings *settings)
{
    for (size_t i = 0; i < settings->group_count; i++)
        if (settings->groups[i].keys != KEYS_PLACEHOLDER_ONLY)
            return false;
    return settings->group_count > 0;
}

static bool is_provider_listed(const struct settings *settings)
{
    return settings->capture.unlisted_provider == UNLISTED_BLOCK;
}

static bool is_endpoint_metered(const struct settings *settings)
{
    return settings->capture.unmetered_endpoint == UNLISTED_BLOCK;
}

static bool is_model_listed(const struct settings *settings)
{
    return settings->routing.on_unlisted_model == UNLISTED_BLOCK;
}

static bool has_alert(const struct settings *settings)
{
    return settings->alerts.webhook_url || settings->alerts.command;
}

/* Who knows the address sends what looks like an alert. */
static bool is_webhook_private(const struct settings *settings)
{
    struct stat facts;
    return !settings->alerts.webhook_url || stat(settings->file, &facts) != 0 || !(facts.st_mode & S_IROTH);
}

static bool has_backups(const struct settings *settings)
{
    return settings->backups.every_hours > 0 && settings->backups.every_hours <= 48;
}

static const struct rule {
    const char *name, *otherwise; /* the status when it does not hold */
    bool (*holds)(const struct settings *settings);
    const char *yes, *no, *why, *fix;
} rules[] = {
    {"policy environment", "failure", is_prod, "the policy is prod's", "the policy in force is dev's",
     "dev's defaults let pass what prod refuses", "environment: prod"},
    {"policy wallets", "failure", is_wallet_enforced, "wallets are enforced", "wallets are not enforced",
     "without it a call is made whether or not there is money for it",
     "cost_tracking: {enabled: true, wallet_enforcement: true}"},
    {"policy prices", "warning", is_price_known, "models without a price are refused",
     "models without a price are charged at a ceiling", "a new model may cost more than the ceiling",
     "cost_tracking: {unknown_price: block}"},
    {"policy budgets", "warning", has_hard_budget, "there is a hard budget", "no budget is hard",
     "a soft one only warns: a program that runs wild spends all that the wallets hold",
     "budgets: [{id: …, amount: …, window: monthly, hard: true}], or tollgate budget set ID --amount USD --hard"},
    {"policy access", "warning", has_access, "access is by lists of users and groups", "access names nobody",
     "without it only the agent's own user may use the agent", "access: {uids: […], gids: […]}"},
    {"policy keys", "failure", has_placeholders_only, "groups take placeholder keys alone",
     "a group takes programs' own keys", "a program with a key of its own needs no gate: the key leaks past the policy",
     "consumer_groups: [{…, keys: placeholder_only}]"},
    {"policy models", "warning", is_model_listed, "unlisted models are refused", "unlisted models are not refused",
     "any model that a program names is paid for", "providers: {routing: {on_unlisted_model: block}}"},
    {"policy providers", "warning", is_provider_listed, "unlisted providers are refused",
     "unlisted providers are not refused", "calls to a provider without a target go out with the program's own key",
     "capture: {unlisted_provider: block}"},
    {"policy endpoints", "warning", is_endpoint_metered, "endpoints that cannot be metered are refused",
     "endpoints that cannot be metered are not refused", "what they cost is not known and not held",
     "capture: {unmetered_endpoint: block}"},
    {"policy alerts", "warning", has_alert, "alerts go to somebody", "alerts go to the log alone",
     "nobody reads a log before the money is gone", "alerts: {webhook: {url: …}} or alerts: {command: […]}"},
    {"policy webhook", "warning", is_webhook_private, "no webhook's address stands where all may read it",
     "all may read the policy, and the webhook's address in it", "who knows a webhook's address writes to its channel",
     "chgrp tollgate POLICY && chmod 640 POLICY"},
    {"policy backups", "warning", has_backups, "the ledger is backed up by itself", "backups are off, or rare",
     "a lost disk is a lost ledger", "backups: {every_hours: 24}"},
};

void control_check_prod(struct call *call, const struct settings *settings)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        bool holds = rules[i].holds(settings);
        control_write_check(&call->body, rules[i].name, holds ? "ok" : rules[i].otherwise,
                            holds ? rules[i].yes : rules[i].no, holds ? "" : rules[i].fix, rules[i].why);
    }
}
