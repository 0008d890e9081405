/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema of the ledger: an older program must see at once that the rest is not for it, and an older ledger is
 * brought up to date when it is opened: a backup of it as it was, then one transaction. Killed on the way, all of it
 * happens again at the next start.
 *
 *   1 → 2  budgets: accounts of two new kinds, linked transfers, memos with program and project. All that schema 1
 *          wrote is valid in schema 2 (rows.c parses memos by length), so only the number changes.
 *   2 → 3  jobs: transfers of a new kind and a table that is empty until the first. Opening made the table; schema 2
 * knows nothing of it, so that a migration killed before its transaction has changed nothing.
 */
#include "wallet/internal.h"

#include <stdio.h>

static enum error get_row(const struct tables *tables, char what, unsigned char *row, size_t bytes_max,
                          size_t *ret_length)
{
    unsigned char key[5];
    return store_get(tables->book, NULL, book_key(key, what, 0), row, bytes_max, ret_length);
}

enum error ledger_read_schema(const struct tables *tables, unsigned *ret_schema)
{
    unsigned char row[4] = {0};
    size_t length = 0;
    enum error error = get_row(tables, 's', row, sizeof row, &length);
    if (error == ERROR_NOT_FOUND) {
        *ret_schema = 0;
        return ERROR_OK;
    }
    if (error)
        return error == ERROR_REQUEST_INVALID ? ERROR_STORE_CORRUPT : error;
    if (length != sizeof row)
        return ERROR_STORE_CORRUPT;
    if (row[0] || row[1] || row[2] || row[3] > LEDGER_SCHEMA)
        return ERROR_STORE_SCHEMA;
    *ret_schema = row[3];
    return row[3] ? ERROR_OK : ERROR_STORE_CORRUPT;
}

enum error ledger_put_schema(struct wallet_ledger *ledger)
{
    const unsigned char schema[4] = {0, 0, 0, LEDGER_SCHEMA};
    unsigned char key[5];
    struct store_transaction *transaction;
    struct store_table *book = ledger->tables.book;
    enum error error = store_begin(ledger->tables.store, &transaction);
    if (error)
        return error;
    error = store_put(book, transaction, book_key(key, 's', 0), row_slice(schema, sizeof schema));
    error = error ? error : store_put(book, transaction, book_key(key, 'e', 0), slice_of(ledger->environment));
    if (!error)
        return store_commit(transaction);
    store_abort(transaction);
    return error;
}

enum error ledger_read_environment(const struct tables *tables, char ret_environment[ENVIRONMENT_MAX])
{
    unsigned char row[ENVIRONMENT_MAX - 1];
    size_t length = 0;
    enum error error = get_row(tables, 'e', row, sizeof row, &length);
    if (error)
        return error == ERROR_NOT_FOUND || error == ERROR_REQUEST_INVALID ? ERROR_STORE_CORRUPT : error;
    snprintf(ret_environment, ENVIRONMENT_MAX, "%.*s", SLICE_ARGUMENTS(row_slice(row, length)));
    return ERROR_OK;
}

/* Before a ledger of another environment is touched. */
static enum error check_environment(struct wallet_ledger *ledger)
{
    char environment[ENVIRONMENT_MAX];
    enum error error = ledger_read_environment(&ledger->tables, environment);
    return error || strcmp(environment, ledger->environment) == 0 ? error : ERROR_STORE_CORRUPT;
}

enum error ledger_migrate(struct wallet_ledger *ledger, unsigned *ret_from)
{
    unsigned schema;
    unsigned char head[HEAD_ROW_BYTES];
    size_t length;
    enum error error = ledger_read_schema(&ledger->tables, &schema);
    if (error)
        return error;
    *ret_from = schema;
    if (schema == 0 || schema == LEDGER_SCHEMA)
        return ERROR_OK;
    error = check_environment(ledger);
    error = error ? error : get_row(&ledger->tables, 'h', head, sizeof head, &length);
    if (!error)
        error = ledger_backup_before_migration(ledger, schema);
    else if (error == ERROR_NOT_FOUND)
        error = ERROR_OK; /* its making was interrupted: there is nothing to keep */
    return error ? error : ledger_put_schema(ledger);
}
