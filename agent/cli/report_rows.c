/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a report as a table with a total, and what stands beneath it. */
#include "cli/report.h"

#include <fnmatch.h>
#include <string.h>
#include <sysexits.h>

/* ---- how rows are called ---- */

static const struct {
    const char *dimension, *title;
} titles[] = {
    {"group", "GROUP"},         {"wallet", "WALLET"}, {"provider", "PROVIDER"}, {"model", "MODEL"},
    {"requested", "REQUESTED"}, {"target", "TARGET"}, {"project", "PROJECT"},   {"executable", "PROGRAM"},
    {"directory", "DIRECTORY"}, {"uid", "UID"},       {"reason", "REASON"},
};

static const char *title_of(const char *dimension)
{
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (strcmp(titles[i].dimension, dimension) == 0)
            return titles[i].title;
    return terminal_clean(dimension);
}

static const struct {
    const char *step, *title;
    size_t date_bytes; /* of "2026-11-29T14:00:00+01:00": as far as the step says something */
    bool with_time;
} steps[] = {{"quarter", "FROM", 10, true},
             {"hour", "HOUR", 10, true},
             {"day", "DAY", 10, false},
             {"week", "WEEK OF", 10, false},
             {"month", "MONTH", 7, false}};
enum { STEP_COUNT = sizeof steps / sizeof *steps };

static size_t find_step(const char *step)
{
    for (size_t i = 0; i < STEP_COUNT; i++)
        if (strcmp(steps[i].step, step) == 0)
            return i;
    return 0;
}

static const char *start_of(const char *step, const json_t *row)
{
    const char *start = api_text(row, "start", "-");
    const size_t i = find_step(step);
    if (strlen(start) < 16)
        return terminal_clean(start);
    return text_format("%.*s%s%.5s", (int)steps[i].date_bytes, start, steps[i].with_time ? " " : "",
                       steps[i].with_time ? start + 11 : "");
}

static const char *name_of(const char *dimension, const char *value)
{
    if (value[0] == '\0')
        return "-";
    return strcmp(dimension, "executable") == 0 ? terminal_base(value) : value;
}

/* The names of a list with commas. */
static struct text_list split(const char *by)
{
    struct text_list names = {0};
    for (const char *at = by ? by : ""; *at;) {
        const size_t length = strcspn(at, ",");
        text_append(&names, text_format("%.*s", (int)length, at));
        at += length + (at[length] == ',');
    }
    return names;
}

size_t report_key_columns(const struct report_shape *shape, struct table_column *ret_columns)
{
    enum { NAMES_SHOWN_MAX = 11 };
    const struct text_list names = split(shape->by);
    size_t count = 0;
    if (shape->step)
        ret_columns[count++] = (struct table_column){steps[find_step(shape->step)].title, 0};
    for (size_t i = 0; i < names.count && i < NAMES_SHOWN_MAX; i++)
        ret_columns[count++] = (struct table_column){title_of(names.items[i]), TABLE_FLEX};
    return count;
}

void report_key_cells(const struct report_shape *shape, const json_t *row, struct text_list *ret_cells)
{
    struct table_column columns[TABLE_COLUMNS_MAX];
    const size_t count = report_key_columns(shape, columns), before = shape->step != NULL;
    const struct text_list names = split(shape->by);
    const bool is_rest = json_is_true(json_object_get(row, "rest"));
    if (shape->step)
        text_append(ret_cells, start_of(shape->step, row));
    for (size_t i = before; i < count; i++) {
        const char *dimension = names.items[i - before];
        text_append(ret_cells, is_rest ? "others" : name_of(dimension, api_text(row, dimension, "")));
    }
}

/* ---- the table ---- */

const struct table_column report_figure_columns[REPORT_FIGURE_COLUMNS] = {
    {"CALLS", TABLE_RIGHT},
    {"DENIED", TABLE_RIGHT},
    {"FAILED", TABLE_RIGHT | TABLE_WIDE},
    {"IN", TABLE_RIGHT},
    {"CACHED", TABLE_RIGHT | TABLE_WIDE},
    {"OUT", TABLE_RIGHT},
    {"COST", TABLE_RIGHT | TABLE_POINT},
    {"SAVED", TABLE_RIGHT | TABLE_POINT},
};

void report_add_figures(struct table *table, const json_t *measures)
{
    struct figures figures;
    figures_read(measures, &figures);
    const char *const cells[REPORT_FIGURE_COLUMNS] = {figures_count(figures.calls),  figures_count(figures.refused),
                                                      figures_count(figures.failed), figures_count(figures.input),
                                                      figures_count(figures.cached), figures_count(figures.output),
                                                      nano_format(figures.cost),     nano_format(figures.avoided)};
    for (size_t i = 0; i < REPORT_FIGURE_COLUMNS; i++)
        table_add(table, cells[i]);
}

void report_print(const struct report_shape *shape, const json_t *document)
{
    struct table_column columns[TABLE_COLUMNS_MAX];
    const json_t *rows = json_object_get(document, "rows");
    size_t keys = report_key_columns(shape, columns);
    if (keys == 0) /* the total needs a place for its word */
        columns[keys++] = (struct table_column){"", 0};
    memcpy(columns + keys, report_figure_columns, sizeof report_figure_columns);
    struct table table = {.columns = columns, .column_count = keys + REPORT_FIGURE_COLUMNS};
    for (size_t i = 0; i < json_array_size(rows); i++) {
        struct text_list cells = {0};
        report_key_cells(shape, json_array_get(rows, i), &cells);
        for (size_t cell = 0; cell < keys; cell++)
            table_add(&table, cell < cells.count ? cells.items[cell] : "");
        report_add_figures(&table, json_array_get(rows, i));
    }
    for (size_t cell = 0; cell < keys; cell++)
        table_add(&table, cell == 0 ? "total" : "");
    report_add_figures(&table, json_object_get(document, "total"));
    table_print(&table, stdout);
}

const char *report_moment(const char *time)
{
    return strlen(time) < 16 ? "-" : text_format("%.10s %.5s", time, time + 11);
}

void report_print_foot(const struct cli *cli, const json_t *document)
{
    const char *since = report_moment(api_text(document, "since", "")),
               *until = report_moment(api_text(document, "until", ""));
    const bool is_all = text_starts(since, "1970"); /* from the first event on */
    puts(terminal_paint(stdout, COLOR_DIM,
                        text_format("USD, %s, %s%s%s, %s", cli->is_both ? "dev and prod" : cli->place.environment,
                                    is_all ? "" : since, is_all ? "until " : " to ", until,
                                    terminal_clean(api_text(document, "timezone", "UTC")))));
}

/* ---- wallets ---- */

static const struct table_column wallet_columns[] = {
    {"WALLET", TABLE_FLEX},
    {"LEFT", TABLE_RIGHT | TABLE_POINT},
    {"HELD", TABLE_RIGHT | TABLE_POINT | TABLE_WIDE},
    {"BURN/DAY", TABLE_RIGHT | TABLE_POINT},
    {"DAYS LEFT", TABLE_RIGHT},
    {"THIS MONTH", TABLE_RIGHT | TABLE_POINT},
};

void report_add_wallet(struct table *table, const json_t *wallet)
{
    static const char *const amounts[] = {"available", "held", "burn_24h"};
    table_add(table, api_text(wallet, "wallet", "-"));
    for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++)
        table_add(table, terminal_money(api_text(wallet, amounts[i], "-")));
    table_add(table, wallet_days_left(wallet));
    table_add(table, terminal_money(api_text(wallet, "projection_month", "-")));
}

void report_print_wallets(const struct cli *cli)
{
    struct answer answer = {0};
    const struct http_request request = {.method = "GET", .path = "/v1/wallets"};
    if (api_call(cli, &request, 0, &answer) != EX_OK)
        return;
    struct table table = {.columns = wallet_columns, .column_count = sizeof wallet_columns / sizeof wallet_columns[0]};
    const json_t *wallets = json_object_get(answer.json, "wallets");
    for (size_t i = 0; i < json_array_size(wallets); i++) {
        const json_t *wallet = json_array_get(wallets, i);
        const char *wanted = cli->options.wallet;
        if (!wanted || fnmatch(wanted, api_text(wallet, "wallet", "-"), 0) == 0)
            report_add_wallet(&table, wallet);
    }
    if (table.cells.count) {
        putchar('\n');
        table_print(&table, stdout);
    }
    json_decref(answer.json);
}
