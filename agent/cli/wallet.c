/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate wallet list, show, fund. Amounts are the agent's decimal strings; nothing is computed here. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const struct table_column wallet_columns[] = {
    {"WALLET", TABLE_FLEX}, {"AVAILABLE", TABLE_RIGHT},           {"HELD", TABLE_RIGHT},
    {"SPENT", TABLE_RIGHT}, {"FUNDED", TABLE_RIGHT | TABLE_WIDE}, {"TRANSFERS", TABLE_RIGHT | TABLE_WIDE},
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

static void wallet_add_row(struct table *table, const json_t *wallet)
{
    table_add(table, api_text(wallet, "wallet", "-"));
    for (const char *const *name = (const char *const[]){"available", "held", "spent", "funded", NULL}; *name; name++)
        table_add(table, terminal_money(api_text(wallet, *name, "-")));
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

static void wallet_print_history(const json_t *history)
{
    struct table table = {.columns = history_columns,
                          .column_count = sizeof history_columns / sizeof history_columns[0]};
    for (size_t index = 0; index < json_array_size(history); index++) {
        const json_t *transfer = json_array_get(history, index);
        table_add(&table, terminal_time(api_text(transfer, "time", "-"), true));
        table_add(&table, api_text(transfer, "kind", "-"));
        table_add(&table, terminal_money(api_text(transfer, "amount", "-")));
        table_add(&table, api_text(transfer, "basis", "-"));
        table_add(&table, api_text(transfer, "counterparty", "-"));
        table_add(&table, api_text(transfer, "id", "-"));
        table_add(&table, api_text(transfer, "note", ""));
    }
    putchar('\n');
    table_print(&table, stdout);
}

static void wallet_print(const struct cli *cli, const struct answer *answer)
{
    const json_t *history = json_object_get(answer->json, "history");
    if (cli->options.json) {
        terminal_print_json(answer);
        return;
    }
    struct table table = wallet_new_table();
    wallet_add_row(&table, answer->json);
    table_print(&table, stdout);
    if (json_array_size(history) > 0)
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

static int wallet_fund(struct cli *cli)
{
    struct answer answer = {0};
    const char *name = cli->arguments.items[1];
    if (!api_is_name("wallet", name))
        return EX_USAGE;
    json_t *order = json_pack("{s:s, s:s*, s:b}", "amount", cli->arguments.items[2], "note", cli->options.note,
                              "create", cli->options.create);
    char *body = order ? json_dumps(order, JSON_COMPACT) : NULL;
    json_decref(order);
    if (!body) {
        text_complain("the amount or the note is not UTF-8");
        return EX_DATAERR;
    }
    const struct http_request request = {.method = "POST",
                                         .path = text_format("/v1/wallets/%s/fund", name),
                                         .body = body,
                                         .body_bytes = strlen(body),
                                         .is_admin = true};
    int code = api_call(cli, &request, 0, &answer);
    free(body);
    if (code == EX_OK)
        wallet_print(cli, &answer);
    json_decref(answer.json);
    return code;
}

int wallet_command(struct cli *cli)
{
    static const struct {
        const char *name;
        size_t arguments;
        int (*handle)(struct cli *cli);
    } rows[] = {{"list", 1, wallet_list}, {"show", 2, wallet_show}, {"fund", 3, wallet_fund}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(cli->arguments.items[0], rows[i].name) == 0 && cli->arguments.count == rows[i].arguments)
            return rows[i].handle(cli);
    fputs("usage: tollgate wallet list | show NAME | fund NAME AMOUNT [--create] [--note TEXT]\n", stderr);
    return EX_USAGE;
}
