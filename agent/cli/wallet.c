/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate wallet list, show, history. Amounts are the agent's decimal strings; nothing is computed here. */
#include "cli/cli.h"

#include <string.h>
#include <sysexits.h>

static const struct table_column wallet_columns[] = {
    {"WALLET", TABLE_FLEX},
    {"AVAILABLE", TABLE_RIGHT | TABLE_POINT},
    {"HELD", TABLE_RIGHT | TABLE_POINT},
    {"SPENT", TABLE_RIGHT | TABLE_POINT},
    {"FUNDED", TABLE_RIGHT | TABLE_POINT | TABLE_WIDE},
    {"BURN/DAY", TABLE_RIGHT | TABLE_POINT},
    {"DAYS LEFT", TABLE_RIGHT},
    {"THIS MONTH", TABLE_RIGHT | TABLE_POINT | TABLE_WIDE},
    {"TRANSFERS", TABLE_RIGHT | TABLE_WIDE},
};
static const struct table_column history_columns[] = {
    {"TIME", 0},
    {"KIND", 0},
    {"AMOUNT", TABLE_RIGHT},
    {"BASIS", 0},
    {"COUNTERPARTY", TABLE_FLEX},
    {"ID", TABLE_WIDE},
    {"NOTE", TABLE_WIDE | TABLE_FLEX},
};

const char *wallet_days_left(const json_t *wallet)
{
    const json_t *days = json_object_get(wallet, "days_left");
    if (!json_is_number(days))
        return "-";
    double left = json_number_value(days);
    return left < 10 && json_is_real(days) ? text_format("%.1f", left) : text_format("%.0f", left);
}

static void wallet_add_row(struct table *table, const json_t *wallet)
{
    table_add(table, api_text(wallet, "wallet", "-"));
    for (const char *const *name = (const char *const[]){"available", "held", "spent", "funded", NULL}; *name; name++)
        table_add(table, terminal_money(api_text(wallet, *name, "-")));
    table_add(table, terminal_money(api_text(wallet, "burn_24h", "-")));
    table_add(table, wallet_days_left(wallet));
    table_add(table, terminal_money(api_text(wallet, "projection_month", "-")));
    table_add(table, api_text(wallet, "transfers", "-"));
}

static struct table wallet_new_table(void)
{
    return (struct table){.columns = wallet_columns, .column_count = sizeof wallet_columns / sizeof wallet_columns[0]};
}

static int wallet_list(struct cli *cli)
{
    struct answer answer;
    int code = api_get(cli, "/v1/wallets", &answer);
    if (code != EX_OK)
        return code;
    if (cli->options.json) {
        terminal_print_json(&answer);
    } else {
        struct table table = wallet_new_table();
        const json_t *wallets = json_object_get(answer.json, "wallets");
        for (size_t i = 0; i < json_array_size(wallets); i++)
            wallet_add_row(&table, json_array_get(wallets, i));
        table_print(&table, stdout);
        puts(terminal_paint(stdout, COLOR_DIM, text_format("USD, %s", cli->place.environment)));
    }
    json_decref(answer.json);
    return EX_OK;
}

/* Of a budget's row `wallet` is the bucket that was counted. */
static const char *wallet_kind(const json_t *transfer)
{
    const char *kind = api_text(transfer, "kind", "-");
    bool is_budget = json_is_true(json_object_get(transfer, "is_budget"));
    return is_budget ? text_format("%s of budget %s", kind, api_text(transfer, "wallet", "-")) : kind;
}

static void wallet_print_history(const json_t *history)
{
    struct table table = {.columns = history_columns,
                          .column_count = sizeof history_columns / sizeof history_columns[0]};
    for (size_t index = 0; index < json_array_size(history); index++) {
        const json_t *transfer = json_array_get(history, index);
        table_add(&table, terminal_time(api_text(transfer, "time", "-"), true));
        table_add(&table, wallet_kind(transfer));
        table_add(&table, terminal_money(api_text(transfer, "amount", "-")));
        table_add(&table, api_text(transfer, "basis", "-"));
        table_add(&table, api_text(transfer, "counterparty", "-"));
        table_add(&table, api_text(transfer, "id", "-"));
        table_add(&table, api_text(transfer, "note", ""));
    }
    table_print(&table, stdout);
}

void wallet_print(const struct cli *cli, const struct answer *answer)
{
    const json_t *history = json_object_get(answer->json, "history");
    if (cli->options.json) {
        terminal_print_json(answer);
        return;
    }
    struct table table = wallet_new_table();
    wallet_add_row(&table, answer->json);
    table_print(&table, stdout);
    if (json_array_size(history) == 0)
        return;
    putchar('\n');
    wallet_print_history(history);
}

static int wallet_show(struct cli *cli)
{
    struct answer answer;
    const char *name = cli->arguments.items[1];
    if (!api_is_name("wallet", name))
        return EX_USAGE;
    int code = api_get(cli, text_format("/v1/wallets/%s", name), &answer);
    if (code != EX_OK)
        return code;
    wallet_print(cli, &answer);
    json_decref(answer.json);
    return EX_OK;
}

static int wallet_history(struct cli *cli)
{
    struct answer answer;
    const struct options *options = &cli->options;
    const char *name = cli->arguments.items[1], *count = options->count ? options->count : "20";
    if (!api_is_name("wallet", name))
        return EX_USAGE;
    if (count[strspn(count, "0123456789")] || strlen(count) > 5) {
        text_complain("--count is a number from 1 to 10000");
        return EX_USAGE;
    }
    int code = api_get(cli, text_format("/v1/wallets/%s/history?count=%s%s", name, count, options->all ? "&all=1" : ""),
                       &answer);
    if (code != EX_OK)
        return code;
    if (options->json)
        terminal_print_json(&answer);
    else
        wallet_print_history(json_object_get(answer.json, "history"));
    json_decref(answer.json);
    return EX_OK;
}

int wallet_command(struct cli *cli)
{
    static const struct {
        const char *name;
        size_t arguments;
        int (*handle)(struct cli *cli);
    } rows[] = {{"list", 1, wallet_list},
                {"show", 2, wallet_show},
                {"history", 2, wallet_history},
                {"fund", 3, wallet_fund},
                {"adjust", 3, wallet_adjust}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(cli->arguments.items[0], rows[i].name) == 0 && cli->arguments.count == rows[i].arguments)
            return rows[i].handle(cli);
    fputs("usage: tollgate wallet list | show NAME | history NAME [--count N] [--all]\n"
          "                     | fund NAME AMOUNT [--create] [--note TEXT] | adjust NAME AMOUNT --note TEXT\n",
          stderr);
    return EX_USAGE;
}
