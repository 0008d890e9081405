/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The price list: as_of, and families: {family: {model: row}}. Rows end up sorted by family and model, which is what
 * prices/ searches, and complete: rows whose name ends in '*' (what units cost at a family's models) go into the
 * others and are no rows themselves.
 */
#include "config/loader.h"

#include <stdlib.h>

enum { DEFAULT_ROWS_MAX = 16 /* of a family: each is tried for each of its rows */ };

static int compare_rows(const void *left, const void *right)
{
    const struct price_row *a = left, *b = right;
    int order = strcmp(a->family, b->family);
    return order ? order : strcmp(a->model, b->model);
}

static bool has_unit_price(const struct node *node)
{
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        if (bucket_rows[i].side == SIDE_UNIT && node_member(node, bucket_rows[i].name))
            return true;
    return false;
}

static void check_row(struct loader *loader, const struct price_row *row, const struct node *node)
{
    const struct node *input = node_member(node, "input"), *output = node_member(node, "output");
    for (size_t i = 1; i < row->tier_count; i++)
        if (row->tiers[i].above_tokens <= row->tiers[i - 1].above_tokens)
            report(loader, SEVERITY_ERROR, node_member(node, "tiers"), NULL, "tiers must ascend");
    if (input && output)
        return;
    if (input || output || !has_unit_price(node))
        report(loader, SEVERITY_ERROR, node->key, "or prices of units alone: {seconds: 100}",
               "a price row needs \"input\" and \"output\"");
}

static bool is_default(const struct price_row *row)
{
    return slice_has_suffix(slice_of(row->model), "*");
}

/* How much of its name a default row asks for; 0: it is none for that model. */
static size_t match_default(const struct price_row *row, const char *model)
{
    size_t length = strlen(row->model);
    return is_default(row) && strncmp(row->model, model, length - 1) == 0 ? length : 0;
}

/* The longest beginning that has a price of the unit. */
static void take_default(const struct price_row *rows, size_t count, struct price_row *row, size_t unit)
{
    size_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        size_t matched = rows[i].prices.has[unit] ? match_default(&rows[i], row->model) : 0;
        if (matched <= longest)
            continue;
        longest = matched;
        row->prices.of[unit] = rows[i].prices.of[unit];
        row->prices.has[unit] = true;
    }
}

/* Fills the family's rows from its default rows, and drops those. Returns how many are left. */
static size_t apply_default_rows(struct loader *loader, struct price_row *rows, size_t count)
{
    struct price_row *defaults = arena_new_array(loader->scratch, struct price_row, DEFAULT_ROWS_MAX);
    size_t default_count = 0, kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_default(&rows[i]))
            rows[kept++] = rows[i];
        else if (default_count < DEFAULT_ROWS_MAX)
            defaults[default_count++] = rows[i];
    }
    for (size_t i = 0; i < kept; i++)
        for (size_t unit = 0; unit < BUCKET_COUNT; unit++)
            if (bucket_rows[unit].side == SIDE_UNIT && !rows[i].prices.has[unit])
                take_default(defaults, default_count, &rows[i], unit);
    return kept;
}

static size_t load_family(struct loader *loader, const struct node *family, struct price_row *rows)
{
    size_t count = 0, default_count = 0;
    for (const struct node *node = family->first; node; node = node->next) {
        if (node->kind != NODE_MAPPING || node->key->kind != NODE_SCALAR || node->key->text.length == 0) {
            report(loader, SEVERITY_ERROR, node, "model: {input: 1, output: 2}", "a price row must be a mapping");
            continue;
        }
        struct price_row *row = &rows[count++];
        *row = (struct price_row){.family = arena_copy(loader->arena, family->key->text).data,
                                  .model = arena_copy(loader->arena, node->key->text).data}; /* a dropped row's place */
        apply_object(loader, is_default(row) ? &table_price_default : &table_price, node, row);
        if (!is_default(row))
            check_row(loader, row, node);
        else if (++default_count == DEFAULT_ROWS_MAX + 1)
            report(loader, SEVERITY_ERROR, node->key, NULL, "a family can have %d default rows", (int)DEFAULT_ROWS_MAX);
    }
    return apply_default_rows(loader, rows, count);
}

/* "2026-07-02" */
static void load_date(struct loader *loader, const struct node *root)
{
    const struct node *date = node_member(root, "as_of");
    bool ok = date && date->kind == NODE_SCALAR && date->text.length == 10;
    for (size_t i = 0; ok && i < 10; i++)
        ok = i == 4 || i == 7 ? date->text.data[i] == '-' : date->text.data[i] >= '0' && date->text.data[i] <= '9';
    if (ok)
        loader->settings->prices_as_of = arena_copy(loader->arena, date->text).data;
    else
        report(loader, SEVERITY_ERROR, date ? date : root, "as_of: 2026-07-02", "the price list must say its date");
}

void load_prices(struct loader *loader, const struct node *root)
{
    const struct node *families = node_member(root, "families");
    size_t count = 0;
    load_date(loader, root);
    for (const struct node *node = root->first; node; node = node->next)
        if (!node_is(node->key, "as_of") && !node_is(node->key, "families"))
            report(loader, SEVERITY_ERROR, node, NULL, "unknown key in the price list: only as_of and families");
    if (!families || families->kind != NODE_MAPPING) {
        report(loader, SEVERITY_ERROR, families ? families : root, NULL, "\"families\" must be a mapping");
        return;
    }
    for (const struct node *family = families->first; family; family = family->next)
        count += family->count;
    struct price_row *rows = arena_new_array(loader->arena, struct price_row, count + 1);
    size_t filled = 0;
    for (const struct node *family = families->first; family; family = family->next) {
        if (family->kind == NODE_MAPPING && family->key->kind == NODE_SCALAR)
            filled += load_family(loader, family, rows + filled);
        else
            report(loader, SEVERITY_ERROR, family, NULL, "a family must be a mapping of models");
    }
    qsort(rows, filled, sizeof *rows, compare_rows);
    loader->settings->prices = rows;
    loader->settings->price_count = filled;
}
