/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables for people: columns as wide as their widest cell; below 100 columns the less important ones are left out, and
 * if that is not enough the flexible ones are cut with an ellipsis. Cells come clean (terminal_clean is applied here).
 */
#include "cli/cli.h"

#include <string.h>

#define TABLE_GAP      2
#define TABLE_FLEX_MIN 8

void table_add(struct table *table, const char *cell)
{
    text_append(&table->cells, terminal_clean(cell));
}

static bool table_is_shown(const struct table *table, size_t column)
{
    return !(table->columns[column].flags & TABLE_WIDE) || !terminal_is_compact();
}

static int table_measure(const struct table *table, int widths[TABLE_COLUMNS_MAX])
{
    int total = -TABLE_GAP;
    for (size_t column = 0; column < table->column_count; column++) {
        widths[column] = 0;
        if (!table_is_shown(table, column))
            continue;
        widths[column] = terminal_columns(table->columns[column].title);
        for (size_t cell = column; cell < table->cells.count; cell += table->column_count) {
            int width = terminal_columns(table->cells.items[cell]);
            widths[column] = width > widths[column] ? width : widths[column];
        }
        total += widths[column] + TABLE_GAP;
    }
    return total;
}

static void table_shrink(const struct table *table, int widths[TABLE_COLUMNS_MAX], int excess)
{
    while (excess > 0) {
        size_t widest = table->column_count;
        for (size_t column = 0; column < table->column_count; column++)
            if ((table->columns[column].flags & TABLE_FLEX) && widths[column] > TABLE_FLEX_MIN &&
                (widest == table->column_count || widths[column] > widths[widest]))
                widest = column;
        if (widest == table->column_count)
            return;
        widths[widest]--;
        excess--;
    }
}

/* Blanks behind the decimals of a column, so that its points are below one another. */
static void table_align(const struct table *table, size_t column)
{
    int most = 0;
    for (size_t cell = column; cell < table->cells.count; cell += table->column_count) {
        const char *point = strchr(table->cells.items[cell], '.');
        int decimals = point ? terminal_columns(point) : 0;
        most = decimals > most ? decimals : most;
    }
    for (size_t cell = column; cell < table->cells.count; cell += table->column_count) {
        const char *text = table->cells.items[cell], *point = strchr(text, '.');
        table->cells.items[cell] = text_format("%s%*s", text, most - (point ? terminal_columns(point) : 0), "");
    }
}

/* Of a line's last cell no blanks are left behind it. */
static const char *table_trim(const char *text)
{
    size_t length = strlen(text);
    while (length && text[length - 1] == ' ')
        length--;
    return text_format("%.*s", (int)length, text);
}

static void table_print_row(const struct table *table, const int *widths, const char *const *cells, bool is_title,
                            FILE *to)
{
    size_t last = 0;
    for (size_t column = 0; column < table->column_count; column++)
        last = widths[column] ? column : last;
    int pending = 0; /* blanks before the next cell: none are left at the line's end */
    for (size_t column = 0; column < table->column_count; column++) {
        if (widths[column] == 0)
            continue;
        const char *text = terminal_fit(is_title ? table->columns[column].title : cells[column], widths[column]);
        const char *shown = column == last ? table_trim(text) : text;
        int blanks = widths[column] - terminal_columns(text);
        bool is_right = table->columns[column].flags & TABLE_RIGHT;
        fprintf(to, "%*s%s", pending + (is_right ? blanks : 0), "",
                is_title ? terminal_paint(to, COLOR_BOLD, shown) : shown);
        pending = TABLE_GAP + (is_right ? 0 : blanks);
    }
    fputc('\n', to);
}

void table_print(const struct table *table, FILE *to)
{
    int widths[TABLE_COLUMNS_MAX];
    for (size_t column = 0; column < table->column_count; column++)
        if (table->columns[column].flags & TABLE_POINT)
            table_align(table, column);
    int total = table_measure(table, widths);
    table_shrink(table, widths, total - terminal_width());
    table_print_row(table, widths, NULL, true, to);
    for (size_t cell = 0; cell + table->column_count <= table->cells.count; cell += table->column_count)
        table_print_row(table, widths, table->cells.items + cell, false, to);
}
