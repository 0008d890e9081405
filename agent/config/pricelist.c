/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The price list: as_of, and families: {family: {model: row}}. Rows end up sorted by family and model, which is what
 * prices/ searches.
 */
#include "config/loader.h"

#include <stdlib.h>

static int compare_rows(const void *left, const void *right)
{
    const struct price_row *a = left, *b = right;
    int order = strcmp(a->family, b->family);
    return order ? order : strcmp(a->model, b->model);
}

static void check_tiers(struct loader *loader, const struct price_row *row, const struct node *node)
{
    for (size_t i = 1; i < row->tier_count; i++)
        if (row->tiers[i].above_tokens <= row->tiers[i - 1].above_tokens)
            report(loader, SEVERITY_ERROR, node_member(node, "tiers"), NULL, "tiers must ascend");
    if (!node_member(node, "input") || !node_member(node, "output"))
        report(loader, SEVERITY_ERROR, node->key, NULL, "a price row needs \"input\" and \"output\"");
}

static size_t load_family(struct loader *loader, const struct node *family, struct price_row *rows)
{
    size_t count = 0;
    for (const struct node *node = family->first; node; node = node->next) {
        if (node->kind != NODE_MAPPING || node->key->kind != NODE_SCALAR || node->key->text.length == 0) {
            report(loader, SEVERITY_ERROR, node, "model: {input: 1, output: 2}", "a price row must be a mapping");
            continue;
        }
        struct price_row *row = &rows[count++];
        row->family = arena_copy(loader->arena, family->key->text).data;
        row->model = arena_copy(loader->arena, node->key->text).data;
        apply_object(loader, &table_price, node, row);
        check_tiers(loader, row, node);
    }
    return count;
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
