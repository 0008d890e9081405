/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables and transactions. Every result passes through store_result, so that nothing unexpected goes unnoticed. Reads
 * outside a transaction repeat themselves when they lose a deadlock against the writer.
 */
#include "store/internal.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TABLE_FILE_MAX = 64, SCAN_CHUNK_BYTES = 64 << 10, SCAN_ROW_BYTES_MAX = 1 << 20 };

/* Berkeley DB's DBT has no const; it only reads what we pass in. */
static DBT dbt_of(struct slice bytes)
{
    return (DBT){.data = (void *)(uintptr_t)bytes.data, .size = (uint32_t)bytes.length};
}

static DBT dbt_into(void *bytes, size_t bytes_max)
{
    return (DBT){.data = bytes, .ulen = (uint32_t)bytes_max, .flags = DB_DBT_USERMEM};
}

static int open_db(const struct store *store, DB *db, const char *file)
{
    int result = db->set_pagesize(db, store_page_bytes(store));
    result = result ? result : db->set_flags(db, DB_CHKSUM);
    return result ? result : db->open(db, NULL, file, NULL, DB_BTREE, DB_CREATE | DB_AUTO_COMMIT | DB_THREAD, 0600);
}

enum error store_table_open(struct store *store, const char *name, struct store_table **ret_table)
{
    char file[TABLE_FILE_MAX];
    if (store_is_failed(store))
        return ERROR_STORE_IO;
    struct store_table *table = calloc(1, sizeof *table);
    if (!table)
        return ERROR_NO_MEMORY;
    snprintf(file, sizeof file, "%s.db", name);
    DB *db = NULL;
    enum error error = store_result(store, file, db_create(&db, store->env, 0));
    if (!error) {
        error = store_result(store, file, open_db(store, db, file));
        if (error)
            (void)!db->close(db, DB_NOSYNC);
    }
    if (error) {
        free(table);
        return store_refuse(store->directory, store_failure(store), store->result, error);
    }
    *table = (struct store_table){store, db};
    *ret_table = table;
    return ERROR_OK;
}

bool store_has_table(const struct store *store, const char *name)
{
    char path[PATH_MAX + TABLE_FILE_MAX];
    snprintf(path, sizeof path, "%s/%s.db", store->directory, name);
    return access(path, F_OK) == 0;
}

enum error store_table_open_existing(struct store *store, const char *name, struct store_table **ret_table)
{
    char file[TABLE_FILE_MAX];
    snprintf(file, sizeof file, "%s.db is missing", name);
    return store_has_table(store, name) ? store_table_open(store, name, ret_table)
                                        : store_refuse(store->directory, file, 0, ERROR_STORE_CORRUPT);
}

void store_table_close(struct store_table *table)
{
    if (!table)
        return;
    if (!store_is_failed(table->store) || table->store->kind == STORE_COPY)
        (void)!table->db->close(table->db, DB_NOSYNC); /* the checkpoint at the environment's end writes the pages */
    free(table);
}

enum error store_begin(struct store *store, struct store_transaction **ret_transaction)
{
    if (store_is_failed(store))
        return ERROR_STORE_IO;
    struct store_transaction *transaction = calloc(1, sizeof *transaction);
    if (!transaction)
        return ERROR_NO_MEMORY;
    transaction->store = store;
    enum error error = store_result(store, "begin", store->env->txn_begin(store->env, NULL, &transaction->handle, 0));
    if (error)
        free(transaction);
    else
        *ret_transaction = transaction;
    return error;
}

enum error store_commit(struct store_transaction *transaction)
{
    struct store *store = transaction->store;
    int result = transaction->handle->commit(transaction->handle, 0);
    free(transaction);
    enum error error = store_result(store, "commit", result);
    return store_is_failed(store) ? ERROR_STORE_IO : error; /* reads may be allowed again, commits never */
}

void store_abort(struct store_transaction *transaction)
{
    if (!transaction)
        return;
    int result = transaction->handle->abort(transaction->handle);
    if (result)
        store_fail(transaction->store, "abort", db_strerror(result), result);
    free(transaction);
}

static DB_TXN *handle_of(const struct store_transaction *transaction)
{
    return transaction ? transaction->handle : NULL;
}

enum error store_get(struct store_table *table, struct store_transaction *transaction, struct slice key, void *value,
                     size_t value_bytes_max, size_t *ret_length)
{
    if (store_is_unreadable(table->store))
        return ERROR_STORE_IO;
    DBT key_dbt = dbt_of(key), value_dbt = dbt_into(value, value_bytes_max);
    int result = DB_LOCK_DEADLOCK;
    for (unsigned i = 0; result == DB_LOCK_DEADLOCK && i < STORE_RETRIES_MAX; i++) {
        result = table->db->get(table->db, handle_of(transaction), &key_dbt, &value_dbt, 0);
        if (transaction)
            break; /* a transaction that lost must be given up as a whole */
    }
    enum error error = store_result(table->store, "get", result);
    if (!error)
        *ret_length = value_dbt.size;
    return error;
}

enum error store_put(struct store_table *table, struct store_transaction *transaction, struct slice key,
                     struct slice value)
{
    if (store_is_failed(table->store))
        return ERROR_STORE_IO;
    DBT key_dbt = dbt_of(key), value_dbt = dbt_of(value);
    return store_result(table->store, "put",
                        table->db->put(table->db, handle_of(transaction), &key_dbt, &value_dbt, 0));
}

enum error store_delete(struct store_table *table, struct store_transaction *transaction, struct slice key)
{
    if (store_is_failed(table->store))
        return ERROR_STORE_IO;
    DBT key_dbt = dbt_of(key);
    return store_result(table->store, "delete", table->db->del(table->db, handle_of(transaction), &key_dbt, 0));
}
