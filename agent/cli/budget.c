/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate budget list, set, unset. The agent validates what is set as it validates the policy file, and puts it in
 * force or leaves everything as it was; nothing is decided here.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const struct table_column budget_columns[] = {
    {"BUDGET", TABLE_FLEX},
    {"SCOPE", TABLE_FLEX | TABLE_WIDE},
    {"WINDOW", 0},
    {"USED", TABLE_RIGHT},
    {"HELD", TABLE_RIGHT | TABLE_WIDE},
    {"LIMIT", TABLE_RIGHT},
    {"%", TABLE_RIGHT},
    {"FORECAST", TABLE_RIGHT | TABLE_WIDE},
    {"KIND", 0},
    {"RENEWS", 0},
    {"FROM", TABLE_WIDE},
};

static const char *budget_scope(const json_t *scope)
{
    static const char *const keys[] = {"wallet", "group", "provider", "model", "project", NULL};
    const char *text = "";
    for (const char *const *key = keys; *key; key++) {
        const char *value = api_text(scope, *key, NULL);
        if (value)
            text = text_format("%s%s%s=%s", text, text[0] ? " " : "", *key, value);
    }
    return text[0] ? text : "everything";
}

static void budget_add_row(struct table *table, const json_t *budget)
{
    table_add(table, api_text(budget, "id", "-"));
    table_add(table, budget_scope(json_object_get(budget, "scope")));
    table_add(table, api_text(budget, "window", "-"));
    table_add(table, terminal_money(api_text(budget, "used", "-")));
    table_add(table, terminal_money(api_text(budget, "held", "-")));
    table_add(table, terminal_money(api_text(budget, "limit", "-")));
    table_add(table, api_text(budget, "percent", "-"));
    table_add(table, terminal_money(api_text(budget, "forecast", "-")));
    table_add(table, json_is_true(json_object_get(budget, "hard")) ? "hard" : "soft");
    table_add(table, terminal_time(api_text(budget, "renews", "-"), true));
    table_add(table, api_text(budget, "origin", "-"));
}

static int budget_list(struct cli *cli)
{
    struct answer answer;
    int code = api_get(cli, "/v1/budgets", &answer);
    if (code != EX_OK)
        return code;
    if (cli->options.json) {
        terminal_print_json(&answer);
    } else {
        struct table table = {.columns = budget_columns,
                              .column_count = sizeof budget_columns / sizeof budget_columns[0]};
        const json_t *budgets = json_object_get(answer.json, "budgets");
        for (size_t i = 0; i < json_array_size(budgets); i++)
            budget_add_row(&table, json_array_get(budgets, i));
        table_print(&table, stdout);
        puts(terminal_paint(stdout, COLOR_DIM, text_format("USD, %s", cli->place.environment)));
    }
    json_decref(answer.json);
    return EX_OK;
}

/* The problems are those of a policy file, with the place in the file of budgets. */
static int budget_send(struct cli *cli, const char *path, json_t *order)
{
    struct answer answer = {0};
    int code = api_post(cli, path, order, &answer);
    const char *problems = api_text(answer.json, "problems", "");
    if (code != EX_OK && problems[0])
        fprintf(stderr, "%s", problems);
    if (code != EX_OK && answer.json)
        text_complain("the budgets in force stay as they were");
    if (code == EX_OK && cli->options.json)
        terminal_print_json(&answer);
    json_decref(answer.json);
    return code;
}

static json_t *budget_read_scopes(const struct text_list *scopes)
{
    json_t *object = json_object();
    for (size_t i = 0; i < scopes->count; i++) {
        const char *equals = strchr(scopes->items[i], '=');
        if (!equals ||
            json_object_set_new(object, text_format("%.*s", (int)(equals - scopes->items[i]), scopes->items[i]),
                                json_string(equals + 1))) {
            text_complain("--scope is KEY=VALUE, with wallet, group, provider, model or project as KEY");
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

/* "50,80,100" as numbers; "" is none. NULL: no numbers, which is reported. */
static json_t *budget_read_alerts(const char *text)
{
    json_t *array = json_array();
    for (const char *at = text; *at;) {
        char *end;
        long percent = strtol(at, &end, 10);
        if (end == at || (*end && *end != ',') || percent < 1) {
            text_complain("--alerts is a list of percents such as 50,80,100");
            json_decref(array);
            return NULL;
        }
        json_array_append_new(array, json_integer(percent));
        at = *end ? end + 1 : end;
    }
    return array;
}

static int budget_set(struct cli *cli)
{
    const struct options *options = &cli->options;
    if (!api_is_name("budget", cli->arguments.items[1]))
        return EX_USAGE;
    if (!options->amount || (options->hard && options->soft)) {
        text_complain(options->amount ? "--hard and --soft exclude each other" : "--amount USD is missing");
        return EX_USAGE;
    }
    json_t *alerts = options->alerts ? budget_read_alerts(options->alerts) : NULL;
    json_t *scopes = budget_read_scopes(&options->scopes);
    if (!scopes || (options->alerts && !alerts)) {
        json_decref(scopes);
        json_decref(alerts);
        return EX_USAGE;
    }
    json_t *order = json_pack("{s:s, s:s, s:s*, s:s*, s:s*, s:o*, s:b, s:o}", "id", cli->arguments.items[1], "amount",
                              options->amount, "window", options->window, "length", options->length, "time_zone",
                              options->time_zone, "alerts", alerts, "hard", options->hard, "scope", scopes);
    return budget_send(cli, "/v1/budgets", order);
}

static int budget_unset(struct cli *cli)
{
    if (!api_is_name("budget", cli->arguments.items[1]))
        return EX_USAGE;
    return budget_send(cli, "/v1/budgets/unset", json_pack("{s:s}", "id", cli->arguments.items[1]));
}

int budget_command(struct cli *cli)
{
    static const struct {
        const char *name;
        size_t arguments;
        int (*handle)(struct cli *cli);
    } rows[] = {{"list", 1, budget_list}, {"set", 2, budget_set}, {"unset", 2, budget_unset}};
    if (cli->arguments.count == 0)
        return budget_list(cli);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(cli->arguments.items[0], rows[i].name) == 0 && cli->arguments.count == rows[i].arguments)
            return rows[i].handle(cli);
    fputs(
        "usage: tollgate budget [list] | set ID --amount USD [--window WINDOW] [--hard] [--scope KEY=VALUE …] | unset "
        "ID\n",
        stderr);
    return EX_USAGE;
}
