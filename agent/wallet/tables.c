/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The five tables of a ledger and their store. Used by wallet_open, wallet_audit, wallet_dump, and for copies.
 *
 * The book is made last, each table in a transaction of its own that is on disk when it ends. So a making that was cut
 * short has no book, and no row; where there is a book, a table of its schema that is missing was taken away.
 */
#include "wallet/backup.h"

#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

enum how { MAKING, READING };

/* All but the book. */
static const struct {
    const char *name;
    size_t offset;  /* in struct tables */
    unsigned since; /* schema */
} others[] = {
    {"transfers", offsetof(struct tables, transfers), 1},
    {"details", offsetof(struct tables, details), 1},
    {"ids", offsetof(struct tables, ids), 1},
    {"jobs", offsetof(struct tables, jobs), 3},
};
enum { OTHERS = sizeof others / sizeof *others };

static struct store_table **table_at(struct tables *tables, size_t i)
{
    return (struct store_table **)(void *)((char *)tables + others[i].offset);
}

/* Those of `schema`, and what else is there. */
static enum error open_others(struct tables *tables, unsigned schema)
{
    enum error error = ERROR_OK;
    for (size_t i = 0; i < OTHERS && !error; i++)
        if (schema >= others[i].since || store_has_table(tables->store, others[i].name))
            error = store_table_open_existing(tables->store, others[i].name, table_at(tables, i));
    return error;
}

static enum error make_others(struct tables *tables)
{
    enum error error = ERROR_OK;
    for (size_t i = 0; i < OTHERS && !error; i++)
        if (!*table_at(tables, i))
            error = store_table_open(tables->store, others[i].name, table_at(tables, i));
    return error;
}

static bool note_row(void *context, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    *(bool *)context = true;
    return false;
}

static enum error look_for_rows(struct tables *tables, bool *ret_has_rows)
{
    const struct slice none = {NULL, 0};
    enum error error = ERROR_OK;
    for (size_t i = 0; i < OTHERS && !error; i++)
        if (*table_at(tables, i))
            error = store_scan(*table_at(tables, i), NULL, none, none, false, note_row, ret_has_rows);
    return error;
}

/* Without a book there never was a transfer, or somebody took the book away. */
static enum error open_without_book(struct tables *tables, enum how how, bool must_exist)
{
    bool is_missing = must_exist;
    enum error error = open_others(tables, 0);
    error = error ? error : look_for_rows(tables, &is_missing);
    if (!error && is_missing)
        return store_table_open_existing(tables->store, "book", &tables->book);
    if (!error && how == READING)
        return ERROR_NOT_FOUND;
    error = error ? error : make_others(tables);
    return error ? error : store_table_open(tables->store, "book", &tables->book);
}

static enum error open_with_book(struct tables *tables, enum how how)
{
    unsigned schema = 0;
    enum error error = store_table_open_existing(tables->store, "book", &tables->book);
    error = error ? error : ledger_read_schema(tables, &schema);
    error = error ? error : open_others(tables, schema);
    return error || how == READING ? error : make_others(tables);
}

static enum error open_tables(const char *directory, enum store_kind kind, enum how how, bool must_exist,
                              struct tables *ret_tables)
{
    struct tables tables = {0};
    enum error error = store_open(directory, kind, &tables.store);
    if (!error)
        error = store_has_table(tables.store, "book") ? open_with_book(&tables, how)
                                                      : open_without_book(&tables, how, must_exist);
    if (error)
        tables_close(&tables);
    else
        *ret_tables = tables;
    return error;
}

enum error tables_open(const char *directory, bool must_exist, struct tables *ret_tables)
{
    return open_tables(directory, STORE_LEDGER, MAKING, must_exist, ret_tables);
}

/* Opening the store would make log files where there is none. */
enum error tables_open_closed(const char *directory, struct tables *ret_tables)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/book.db", directory);
    bool is_there = access(path, F_OK) == 0;
    for (size_t i = 0; i < OTHERS && !is_there; i++) {
        snprintf(path, sizeof path, "%s/%s.db", directory, others[i].name);
        is_there = access(path, F_OK) == 0;
    }
    return is_there ? open_tables(directory, STORE_LEDGER, READING, false, ret_tables) : ERROR_NOT_FOUND;
}

enum error tables_open_copy(const char *directory, struct tables *ret_tables)
{
    return open_tables(directory, STORE_COPY, MAKING, false, ret_tables);
}

enum error tables_scan_jobs(const struct tables *tables, store_visit *visit, void *context)
{
    const struct slice none = {NULL, 0};
    return tables->jobs ? store_scan(tables->jobs, NULL, none, none, false, visit, context) : ERROR_OK;
}

void tables_close(struct tables *tables)
{
    for (size_t i = 0; i < OTHERS; i++)
        store_table_close(*table_at(tables, i));
    store_table_close(tables->book);
    store_close(tables->store);
    *tables = (struct tables){0};
}
