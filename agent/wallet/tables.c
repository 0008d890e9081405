/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The five tables of a ledger and their store. Used by wallet_open, wallet_audit, and for copies.
 */
#include "wallet/backup.h"

static enum error open_tables(const char *directory, enum store_kind kind, struct tables *ret_tables)
{
    struct tables tables = {0};
    enum error error = store_open(directory, kind, &tables.store);
    error = error ? error : store_table_open(tables.store, "transfers", &tables.transfers);
    error = error ? error : store_table_open(tables.store, "details", &tables.details);
    error = error ? error : store_table_open(tables.store, "ids", &tables.ids);
    error = error ? error : store_table_open(tables.store, "jobs", &tables.jobs);
    error = error ? error : store_table_open(tables.store, "book", &tables.book);
    if (error)
        tables_close(&tables);
    else
        *ret_tables = tables;
    return error;
}

enum error tables_open(const char *directory, struct tables *ret_tables)
{
    return open_tables(directory, STORE_LEDGER, ret_tables);
}

enum error tables_open_copy(const char *directory, struct tables *ret_tables)
{
    return open_tables(directory, STORE_COPY, ret_tables);
}

void tables_close(struct tables *tables)
{
    store_table_close(tables->transfers);
    store_table_close(tables->details);
    store_table_close(tables->ids);
    store_table_close(tables->jobs);
    store_table_close(tables->book);
    store_close(tables->store);
    *tables = (struct tables){0};
}
