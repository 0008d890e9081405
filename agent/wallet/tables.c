/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The four tables of a ledger and their store. Used by wallet_open and wallet_audit.
 */
#include "wallet/internal.h"

enum error tables_open(const char *directory, struct tables *ret_tables)
{
    struct tables tables = {0};
    enum error error = store_open(directory, STORE_LEDGER, &tables.store);
    error = error ? error : store_table_open(tables.store, "transfers", &tables.transfers);
    error = error ? error : store_table_open(tables.store, "details", &tables.details);
    error = error ? error : store_table_open(tables.store, "ids", &tables.ids);
    error = error ? error : store_table_open(tables.store, "book", &tables.book);
    if (error)
        tables_close(&tables);
    else
        *ret_tables = tables;
    return error;
}

void tables_close(struct tables *tables)
{
    store_table_close(tables->transfers);
    store_table_close(tables->details);
    store_table_close(tables->ids);
    store_table_close(tables->book);
    store_close(tables->store);
    *tables = (struct tables){0};
}
