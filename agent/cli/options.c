/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of all commands in one table; a command names the sets it takes. --name VALUE and --name=VALUE, in any order
 * with the arguments, "--" ends them. Called by main only.
 */
#include "cli/cli.h"

#include <string.h>
#include <sysexits.h>

static const struct option_row option_rows[] = {
    {"env", OPTIONS_REPORT, "dev|prod|both", offsetof(struct options, environment), "whose; both: side by side (dev)",
     false},
    {"env", OPTIONS_DASHBOARD, "dev|prod|both", offsetof(struct options, environments), "whose evidence (both)", false},
    {"runtime", OPTIONS_DASHBOARD, "[ENV=]DIR", offsetof(struct options, runtimes),
     "the runtime directory of an agent; of both, repeatable", true},
    {"port", OPTIONS_DASHBOARD, "N", offsetof(struct options, port), "of 127.0.0.1 (a free one)", false},
    {"no-open", OPTIONS_DASHBOARD, NULL, offsetof(struct options, no_open), "print the address, start no browser",
     false},
    {"env", OPTIONS_PLACE, "dev|prod", offsetof(struct options, environment), "the environment (dev)", false},
    {"state", OPTIONS_PLACE, "DIR", offsetof(struct options, state), "the agent's state directory", false},
    {"runtime", OPTIONS_PLACE, "DIR", offsetof(struct options, runtime), "the agent's runtime directory", false},
    {"group", OPTIONS_IDENTITY, "NAME", offsetof(struct options, group), "the consumer group that pays", false},
    {"group", OPTIONS_CACHE, "NAME", offsetof(struct options, group), "only what this consumer group asked", false},
    {"model", OPTIONS_CACHE, "NAME", offsetof(struct options, model), "only answers to requests for this model", false},
    {"engine", OPTIONS_ENGINE, "auto|preload|supervise", offsetof(struct options, engine),
     "by the look of the program (auto), or supervise: for static and Go programs", false},
    {"project", OPTIONS_IDENTITY, "NAME", offsetof(struct options, project), "the project in reports", false},
    {"policy", OPTIONS_FILES, "FILE", offsetof(struct options, policy), "the policy file, if an agent is started",
     false},
    {"providers", OPTIONS_FILES, "FILE", offsetof(struct options, providers), "the provider catalogue, likewise",
     false},
    {"prices", OPTIONS_FILES, "FILE", offsetof(struct options, prices), "the price list, likewise", false},
    {"log-level", OPTIONS_START | OPTIONS_RESTART, "error|warning|info|debug", offsetof(struct options, log_level),
     "how much the agent logs (info)", false},
    {"foreground", OPTIONS_START, NULL, offsetof(struct options, foreground),
     "become the agent, log to standard error: for service managers", false},
    {"shell", OPTIONS_SHELL, "bash|zsh|fish|json", offsetof(struct options, shell), "whose statements ($SHELL)", false},
    {"base-url", OPTIONS_BASE_URL, NULL, offsetof(struct options, base_url),
     "set *_BASE_URL, too: for programs with certificates of their own", false},
    {"off", OPTIONS_SHELL, NULL, offsetof(struct options, off), "print what undoes it", false},
    {"note", OPTIONS_WALLET, "TEXT", offsetof(struct options, note), "kept with the transfer: who and why", false},
    {"create", OPTIONS_WALLET, NULL, offsetof(struct options, create), "the wallet may be new", false},
    {"id", OPTIONS_WALLET, "ID", offsetof(struct options, id), "of an order that is repeated: it is done once", false},
    {"count", OPTIONS_WALLET, "N", offsetof(struct options, count), "how much history (20)", false},
    {"all", OPTIONS_WALLET, NULL, offsetof(struct options, all), "what counted against budgets, too", false},
    {"amount", OPTIONS_BUDGET, "USD", offsetof(struct options, amount), "the limit of one window", false},
    {"window", OPTIONS_BUDGET, "hourly|daily|weekly|monthly|rolling", offsetof(struct options, window),
     "how long it counts (monthly)", false},
    {"length", OPTIONS_BUDGET, "TIME", offsetof(struct options, length), "of a rolling window: 24h, 30d", false},
    {"hard", OPTIONS_BUDGET, NULL, offsetof(struct options, hard), "calls that would pass it are refused", false},
    {"soft", OPTIONS_BUDGET, NULL, offsetof(struct options, soft), "it only warns (default)", false},
    {"scope", OPTIONS_BUDGET, "KEY=VALUE", offsetof(struct options, scopes),
     "wallet, group, provider, model or project that it counts; repeatable", true},
    {"window", OPTIONS_REPORT, "PERIOD", offsetof(struct options, window),
     "today, last-week, 2026-11, 24h, 7d, FROM..TO …", false},
    {"since", OPTIONS_REPORT, "DAY", offsetof(struct options, since), "the first day that counts: 2026-11-01", false},
    {"until", OPTIONS_REPORT, "DAY", offsetof(struct options, until), "the first day that no longer does", false},
    {"timezone", OPTIONS_REPORT | OPTIONS_TOP | OPTIONS_STATUSLINE, "ZONE", offsetof(struct options, time_zone),
     "whose days: Europe/Berlin (yours)", false},
    {"by", OPTIONS_REPORT, "NAMES", offsetof(struct options, by),
     "rows by group, wallet, provider, model, requested, target, project, executable, directory, uid, reason", false},
    {"breakdown", OPTIONS_REPORT, NULL, offsetof(struct options, breakdown), "by model, too", false},
    {"group", OPTIONS_REPORT, "PATTERN", offsetof(struct options, group), "only what this consumer group asked", false},
    {"wallet", OPTIONS_REPORT | OPTIONS_STATUSLINE, "PATTERN", offsetof(struct options, wallet),
     "only what this wallet paid", false},
    {"provider", OPTIONS_REPORT, "PATTERN", offsetof(struct options, provider), "only of this provider", false},
    {"model", OPTIONS_REPORT, "PATTERN", offsetof(struct options, model), "only of these models: 'claude-*'", false},
    {"target", OPTIONS_REPORT, "PATTERN", offsetof(struct options, target), "only of this target", false},
    {"project", OPTIONS_REPORT, "PATTERN", offsetof(struct options, project), "only of this project", false},
    {"program", OPTIONS_REPORT, "PATTERN", offsetof(struct options, program),
     "only of this program: its path, or the last part of it", false},
    {"reason", OPTIONS_REPORT, "PATTERN", offsetof(struct options, reason), "only what ended with this error", false},
    {"limit", OPTIONS_REPORT, "N", offsetof(struct options, limit), "rows per step; what is left is one more", false},
    {"compact", OPTIONS_REPORT | OPTIONS_TOP, NULL, offsetof(struct options, compact),
     "as on a terminal of less than 100 columns", false},
    {"every", OPTIONS_TOP, "SECONDS", offsetof(struct options, every), "how often it looks (2)", false},
    {"format", OPTIONS_STATUSLINE, "TEXT", offsetof(struct options, format),
     "with {env} {wallet} {left} {held} {burn} {days} {today} {calls} {saved} {denied}", false},
    {"time-zone", OPTIONS_BUDGET, "ZONE", offsetof(struct options, time_zone), "where its days begin: Europe/Berlin",
     false},
    {"alerts", OPTIONS_BUDGET, "PERCENTS", offsetof(struct options, alerts), "warn at 50,80,100 percent", false},
    {"format", OPTIONS_EXPORT, "FORMAT", offsetof(struct options, format), "csv (default), jsonl or focus", false},
    {"window", OPTIONS_EXPORT, "WINDOW", offsetof(struct options, window),
     "last-week (default), last-month, yesterday, 2026-11, FROM..TO …", false},
    {"timezone", OPTIONS_EXPORT, "ZONE", offsetof(struct options, time_zone), "where its days begin (UTC)", false},
    {"output", OPTIONS_EXPORT, "FILE", offsetof(struct options, output), "and FILE.manifest.json beside it", false},
    {"output", OPTIONS_BUNDLE, "FILE", offsetof(struct options, output), "that is not there yet (./tollgate-support-…)",
     false},
    {"redact-names", OPTIONS_BUNDLE, NULL, offsetof(struct options, redact_names),
     "name-1, name-2 … for groups, wallets, projects, programs, directories", false},
    {"prod", OPTIONS_DOCTOR, NULL, offsetof(struct options, prod),
     "and is this machine set up as production wants it (--env prod)", false},
    {"list", OPTIONS_EXPORT, NULL, offsetof(struct options, list), "what was written on a schedule", false},
    {"list", OPTIONS_TRUST, NULL, offsetof(struct options, list), "what is trusted", false},
    {"remove", OPTIONS_TRUST, NULL, offsetof(struct options, remove), "trust it no longer", false},
    {"kernel", OPTIONS_JUPYTER, "NAME", offsetof(struct options, kernel), "the kernel to govern (python3)", false},
    {"name", OPTIONS_JUPYTER, "NAME", offsetof(struct options, name), "of the new kernel (tollgate-ENV-KERNEL)", false},
    {"group", OPTIONS_JUPYTER, "NAME", offsetof(struct options, group), "the consumer group that pays", false},
    {"display-name", OPTIONS_JUPYTER, "TEXT", offsetof(struct options, display_name), "what notebooks show", false},
    {"user", OPTIONS_JUPYTER, NULL, offsetof(struct options, user), "for this user (default)", false},
    {"prefix", OPTIONS_JUPYTER, "DIR", offsetof(struct options, prefix), "for who uses DIR, e.g. a virtual environment",
     false},
    {"root", OPTIONS_ROOT, "DIR", offsetof(struct options, root), "of the system whose units are meant (/)", false},
    {"limit", OPTIONS_EVENTS, "N", offsetof(struct options, limit), "how many (20)", false},
    {"filter", OPTIONS_EVENTS, "NAME=PATTERN,…", offsetof(struct options, filters),
     "only those with group, model, status, error … like that", true},
    {"follow", OPTIONS_EVENTS, NULL, offsetof(struct options, follow), "go on with new ones as they happen", false},
    {"json", OPTIONS_JSON, NULL, offsetof(struct options, json), "the agent's JSON", false},
    {"help", ~0u, NULL, offsetof(struct options, help), "this", false},
};
enum { OPTION_COUNT = sizeof option_rows / sizeof option_rows[0] };

static const struct option_row *option_find(unsigned sets, const char *name, size_t length)
{
    for (const struct option_row *row = option_rows; row < option_rows + OPTION_COUNT; row++)
        if ((row->set & sets) && strlen(row->name) == length && memcmp(row->name, name, length) == 0)
            return row;
    return NULL;
}

const struct option_row *options_next(unsigned sets, size_t *at)
{
    while (*at < OPTION_COUNT) {
        const struct option_row *row = &option_rows[(*at)++];
        if ((row->set & sets) && option_find(sets, row->name, strlen(row->name)) == row)
            return row;
    }
    return NULL;
}

static int option_complain(unsigned sets, const char *argument)
{
    const char *names[OPTION_COUNT + 1];
    size_t count = 0;
    for (const struct option_row *row = option_rows; row < option_rows + OPTION_COUNT; row++)
        if (row->set & sets)
            names[count++] = row->name;
    names[count] = NULL;
    const char *near = cli_suggest(argument + 2, names);
    if (near)
        text_complain("unknown option %s; did you mean --%s?", argument, near);
    else
        text_complain("unknown option %s", argument);
    return EX_USAGE;
}

/* *at: the argument; moved on when the value is the next one. */
static int option_take(unsigned sets, char ***at, struct options *options)
{
    const char *argument = strcmp(**at, "-h") == 0 ? "--help" : **at;
    const char *name = argument + 2;
    size_t length = strcspn(name, "=");
    const struct option_row *row = option_find(sets, name, length);
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    if (!row)
        return option_complain(sets, argument);
    char *field = (char *)options + row->offset;
    if (!row->value) {
        if (value) {
            text_complain("--%s takes no value", row->name);
            return EX_USAGE;
        }
        *(bool *)(void *)field = true;
        return EX_OK;
    }
    if (!value)
        value = *++*at;
    if (!value) {
        text_complain("--%s wants a value: %s", row->name, row->value);
        return EX_USAGE;
    }
    if (row->is_list)
        text_append((struct text_list *)(void *)field, value);
    else
        *(const char **)(void *)field = value;
    return EX_OK;
}

static bool option_is_one(unsigned sets, const char *argument)
{
    bool has_form = text_starts(argument, "--") || strcmp(argument, "-h") == 0;
    if (!has_form || !(sets & OPTIONS_PASS))
        return has_form;
    return option_find(sets, argument + 2, strcspn(argument + 2, "=")) != NULL;
}

int options_parse(unsigned sets, int argc, char **argv, struct options *ret_options, struct text_list *ret_arguments)
{
    struct options options = {0};
    struct text_list arguments = {0};
    bool is_over = false;
    for (char **at = argv; at < argv + argc && *at; at++) {
        if (!is_over && strcmp(*at, "--") == 0) {
            is_over = true;
        } else if (!is_over && option_is_one(sets, *at)) {
            int code = option_take(sets, &at, &options);
            if (code != EX_OK)
                return code;
        } else {
            text_append(&arguments, *at);
            is_over = is_over || (sets & OPTIONS_STOP_AT_ARGUMENT);
        }
    }
    *ret_options = options;
    *ret_arguments = arguments;
    return EX_OK;
}

void options_print_help(unsigned sets, FILE *to)
{
    const struct option_row *row;
    for (size_t at = 0; (row = options_next(sets, &at));) {
        const char *name = row->value ? text_format("--%s %s", row->name, row->value) : text_format("--%s", row->name);
        fprintf(to, "  %-22s %s\n", name, row->help);
    }
}
