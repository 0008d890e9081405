/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking a table. Rows are copied out in chunks and visited with no cursor open: a slow or curious visitor holds no
 * page lock, may call the store itself, and a scan that loses a deadlock against the writer goes on after the last row
 * it has.
 */
#include "store/internal.h"

#include <stdlib.h>

enum { CHUNK_BYTES = 64 << 10, ROW_BYTES_MAX = 1 << 20 };

struct row_head {
    uint32_t key_bytes, value_bytes;
};

struct scan {
    struct store_table *table;
    DB_TXN *handle;
    struct slice first, last; /* the bounds still to be walked; last.length 0: none */
    bool backwards, is_at_end;
    bool has_position; /* `position` was visited already */
    char position[256];
    size_t position_bytes;
    char *chunk;
    size_t chunk_bytes, chunk_bytes_max;
};

static int compare(struct slice a, struct slice b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter ? memcmp(a.data, b.data, shorter) : 0;
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

static bool is_inside(const struct scan *scan, struct slice key)
{
    if (scan->backwards)
        return compare(key, scan->first) >= 0;
    return scan->last.length == 0 || compare(key, scan->last) <= 0;
}

/* Room for both at the end of the chunk: the key first, then the value. */
static int fetch(const struct scan *scan, DBC *cursor, DBT *key, DBT *value, uint32_t how)
{
    size_t start = scan->chunk_bytes + sizeof(struct row_head);
    if (scan->chunk_bytes_max < start + sizeof scan->position)
        return DB_BUFFER_SMALL;
    *key =
        (DBT){.data = scan->chunk + start, .ulen = sizeof scan->position, .flags = DB_DBT_USERMEM, .size = key->size};
    start += sizeof scan->position;
    *value =
        (DBT){.data = scan->chunk + start, .ulen = (uint32_t)(scan->chunk_bytes_max - start), .flags = DB_DBT_USERMEM};
    return cursor->get(cursor, key, value, how);
}

static void keep(struct scan *scan, const DBT *key, const DBT *value)
{
    const struct row_head head = {key->size, value->size};
    char *place = scan->chunk + scan->chunk_bytes;
    memcpy(scan->position, key->data, key->size);
    scan->position_bytes = key->size;
    scan->has_position = true;
    memcpy(place, &head, sizeof head);
    memmove(place + sizeof head + key->size, value->data, value->size);
    scan->chunk_bytes += sizeof head + key->size + value->size;
    scan->chunk_bytes += -scan->chunk_bytes % sizeof(uint64_t);
}

/* Puts the cursor on the first row that was not visited yet. */
static int seek(struct scan *scan, DBC *cursor, DBT *key, DBT *value)
{
    struct slice from = scan->has_position ? (struct slice){scan->position, scan->position_bytes}
                        : scan->backwards  ? scan->last
                                           : scan->first;
    if (from.length == 0)
        return fetch(scan, cursor, key, value, scan->backwards ? DB_LAST : DB_FIRST);
    if (from.length > sizeof scan->position)
        return DB_BUFFER_SMALL;
    memcpy(scan->chunk + scan->chunk_bytes + sizeof(struct row_head), from.data, from.length);
    key->size = (uint32_t)from.length;
    int result = fetch(scan, cursor, key, value, DB_SET_RANGE);
    bool is_exact = result == 0 && compare((struct slice){key->data, key->size}, from) == 0;
    if (scan->backwards) {
        if (result == DB_NOTFOUND)
            return fetch(scan, cursor, key, value, DB_LAST);
        return result || (is_exact && !scan->has_position) ? result : fetch(scan, cursor, key, value, DB_PREV);
    }
    return is_exact && scan->has_position ? fetch(scan, cursor, key, value, DB_NEXT) : result;
}

/* Fills the chunk. 0: rows may be left; DB_NOTFOUND: that was the end. */
static int fill(struct scan *scan, DBC *cursor)
{
    DBT key = {0}, value = {0};
    int result = seek(scan, cursor, &key, &value);
    while (result == 0) {
        if (!is_inside(scan, (struct slice){key.data, key.size}))
            return DB_NOTFOUND;
        keep(scan, &key, &value);
        result = fetch(scan, cursor, &key, &value, scan->backwards ? DB_PREV : DB_NEXT);
    }
    return result == DB_BUFFER_SMALL && scan->chunk_bytes ? 0 : result;
}

static bool grow(struct scan *scan)
{
    size_t bytes = scan->chunk_bytes_max ? scan->chunk_bytes_max * 4 : CHUNK_BYTES;
    char *chunk = bytes <= 4 * (size_t)ROW_BYTES_MAX ? realloc(scan->chunk, bytes) : NULL;
    if (!chunk)
        return false;
    scan->chunk = chunk;
    scan->chunk_bytes_max = bytes;
    return true;
}

static enum error read_chunk(struct scan *scan)
{
    struct store *store = scan->table->store;
    int result = DB_LOCK_DEADLOCK;
    scan->chunk_bytes = 0;
    for (unsigned i = 0; i < STORE_RETRIES_MAX && result == DB_LOCK_DEADLOCK && !scan->chunk_bytes; i++) {
        DBC *cursor;
        result = scan->table->db->cursor(scan->table->db, scan->handle, &cursor, 0);
        if (result)
            break;
        result = fill(scan, cursor);
        int closed = cursor->close(cursor);
        result = result ? result : closed;
        if (result == DB_BUFFER_SMALL && grow(scan))
            result = DB_LOCK_DEADLOCK; /* once more, with room for the long row */
        else if (scan->handle)
            break; /* a transaction that lost must be given up as a whole */
    }
    if (result == DB_NOTFOUND || (result == DB_LOCK_DEADLOCK && scan->chunk_bytes)) {
        scan->is_at_end = result == DB_NOTFOUND;
        result = 0;
    }
    return store_result(store, "scan", result);
}

/* False when the visitor has had enough. */
static bool visit_chunk(const struct scan *scan, store_visit *visit, void *context)
{
    for (size_t at = 0; at < scan->chunk_bytes;) {
        struct row_head head;
        memcpy(&head, scan->chunk + at, sizeof head);
        const char *key = scan->chunk + at + sizeof head;
        if (!visit(context, (struct slice){key, head.key_bytes},
                   (struct slice){key + head.key_bytes, head.value_bytes}))
            return false;
        at += sizeof head + head.key_bytes + head.value_bytes;
        at += -at % sizeof(uint64_t);
    }
    return true;
}

enum error store_scan(struct store_table *table, struct store_transaction *transaction, struct slice first,
                      struct slice last, bool backwards, store_visit *visit, void *context)
{
    if (store_is_unreadable(table->store))
        return ERROR_STORE_IO;
    struct scan scan = {.table = table,
                        .handle = transaction ? transaction->handle : NULL,
                        .first = first,
                        .last = last,
                        .backwards = backwards};
    enum error error = grow(&scan) ? ERROR_OK : ERROR_NO_MEMORY;
    bool goes_on = true;
    while (!error && goes_on && !scan.is_at_end) {
        error = read_chunk(&scan);
        if (!error)
            goes_on = visit_chunk(&scan, visit, context);
    }
    free(scan.chunk);
    return error;
}
