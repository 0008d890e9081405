/* SPDX-License-Identifier: Apache-2.0 */
/* Dev and prod side by side: rows that are called the same are one row. The agents know nothing of each other; what is
 * added up is added up here, in whole nano-dollars. */
#include "cli/report.h"

#include <stdlib.h>
#include <string.h>

struct pair {
    struct text_list key;
    const char *sort; /* the step's beginning */
    struct figures sides[REPORT_SIDES_MAX];
    size_t order;
};
struct pairs {
    struct pair *rows;
    size_t count, capacity;
    json_t *index; /* place of a row by its key */
};

static struct pair *find_pair(struct pairs *pairs, const struct text_list *key, const char *sort)
{
    const char *name = text_format("%s\n%s", sort, text_join(key, "\n"));
    const json_t *place = json_object_get(pairs->index, name);
    if (place)
        return &pairs->rows[json_integer_value(place)];
    json_object_set_new(pairs->index, name, json_integer((json_int_t)pairs->count));
    if (pairs->count == pairs->capacity) {
        size_t capacity = pairs->capacity ? 2 * pairs->capacity : 64;
        struct pair *rows = text_allocate(capacity * sizeof *rows);
        if (pairs->count)
            memcpy(rows, pairs->rows, pairs->count * sizeof *rows);
        pairs->rows = rows;
        pairs->capacity = capacity;
    }
    struct pair *pair = &pairs->rows[pairs->count];
    *pair = (struct pair){.key = *key, .sort = sort, .order = pairs->count};
    pairs->count++;
    return pair;
}

/* By time; within a step in the order of the first agent that has the row. */
static int compare_pairs(const void *one, const void *other)
{
    const struct pair *a = one, *b = other;
    int by_time = strcmp(a->sort, b->sort);
    return by_time ? by_time : (a->order > b->order) - (a->order < b->order);
}

static void collect(const struct report_shape *shape, const struct report_sides *sides, struct pairs *pairs)
{
    for (size_t side = 0; side < sides->count; side++) {
        const json_t *rows = json_object_get(sides->rows[side].answer.json, "rows");
        for (size_t i = 0; i < json_array_size(rows); i++) {
            const json_t *row = json_array_get(rows, i);
            struct text_list key = {0};
            struct figures figures;
            report_key_cells(shape, row, &key);
            figures_read(row, &figures);
            figures_add(&find_pair(pairs, &key, shape->step ? api_text(row, "start", "") : "")->sides[side], &figures);
        }
    }
    if (pairs->count)
        qsort(pairs->rows, pairs->count, sizeof *pairs->rows, compare_pairs);
}

static void add_side(struct table *table, const struct figures *figures, bool is_known)
{
    table_add(table, is_known ? figures_count(figures->calls) : "-");
    table_add(table, is_known ? figures_count(figures->refused) : "-");
    table_add(table, is_known ? nano_format(figures->cost) : "-");
    table_add(table, is_known ? nano_format(figures->avoided) : "-");
}

static void add_pair(struct table *table, const struct report_sides *sides, const struct figures *figures)
{
    struct figures both = {0};
    for (size_t side = 0; side < REPORT_SIDES_MAX; side++) {
        add_side(table, &figures[side], sides->rows[side].answer.json != NULL);
        figures_add(&both, &figures[side]);
    }
    table_add(table, nano_format(both.cost));
}

void report_print_both(const struct report_shape *shape, const struct report_sides *sides)
{
    static const struct table_column figure_columns[] = {
        {"DEV CALLS", TABLE_RIGHT},          {"DENIED", TABLE_RIGHT | TABLE_WIDE},
        {"COST", TABLE_RIGHT | TABLE_POINT}, {"SAVED", TABLE_RIGHT | TABLE_POINT | TABLE_WIDE},
        {"PROD CALLS", TABLE_RIGHT},         {"DENIED", TABLE_RIGHT | TABLE_WIDE},
        {"COST", TABLE_RIGHT | TABLE_POINT}, {"SAVED", TABLE_RIGHT | TABLE_POINT | TABLE_WIDE},
        {"BOTH", TABLE_RIGHT | TABLE_POINT}};
    enum { FIGURE_COLUMNS = sizeof figure_columns / sizeof figure_columns[0] };
    struct table_column columns[TABLE_COLUMNS_MAX];
    size_t keys = report_key_columns(shape, columns);
    struct pairs pairs = {.index = json_object()};
    struct figures totals[REPORT_SIDES_MAX];
    if (keys == 0)
        columns[keys++] = (struct table_column){"", 0};
    memcpy(columns + keys, figure_columns, sizeof figure_columns);
    struct table table = {.columns = columns, .column_count = keys + FIGURE_COLUMNS};
    collect(shape, sides, &pairs);
    for (size_t i = 0; i < pairs.count; i++) {
        for (size_t cell = 0; cell < keys; cell++)
            table_add(&table, cell < pairs.rows[i].key.count ? pairs.rows[i].key.items[cell] : "");
        add_pair(&table, sides, pairs.rows[i].sides);
    }
    for (size_t side = 0; side < REPORT_SIDES_MAX; side++)
        figures_read(json_object_get(sides->rows[side].answer.json, "total"), &totals[side]);
    for (size_t cell = 0; cell < keys; cell++)
        table_add(&table, cell == 0 ? "total" : "");
    add_pair(&table, sides, totals);
    table_print(&table, stdout);
    json_decref(pairs.index);
}
