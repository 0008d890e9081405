/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers on disk: an environment of Berkeley DB of the cache's own, beside the ledger and the journal and none of
 * their business. Two tables: rows (small, read at start), bodies (zstd level 3). What is read is believed only when
 * its SHA-256 fits. A store that fails is deleted and made anew; that also gives room where the disk is full. Called by
 * the cache's thread.
 */
#include "cache/keep.h"

#include "base/check.h"
#include "base/id.h"
#include "base/packer.h"
#include "store/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LEVEL = 3,
    RENEWALS_MAX = 3, /* each leaves a dead environment's memory behind */
    CHECKPOINT_LOG_BYTES = 16 << 20,
    FILES_MAX = 100000,
    KEPT_SCRATCH_BYTES = 256 << 10,
    FRAMES_BYTES_MAX = CACHE_FRAMES_MAX * (int)sizeof(struct cache_frame),
};
#define RAW_BYTES_MAX ((size_t)CACHE_ENTRY_BYTES_MAX + FRAMES_BYTES_MAX)

struct keep {
    char *directory;
    void (*noted)(void *context, const char *text);
    void *context;
    struct store *store;
    struct store_table *rows, *bodies;
    struct store_transaction *transaction;
    unsigned generation, renewals;
    bool has_failed; /* this store; noticed by us, not by Berkeley DB */
    unsigned char boot[ROW_BOOT_BYTES];
    struct packer packer;
    struct buffer raw, packed, row;
};

static void note(const struct keep *keep, const char *what, const char *why)
{
    char text[CACHE_NOTE_TEXT_MAX];
    snprintf(text, sizeof text, "%s%s%.200s", what, why[0] ? ": " : "", why);
    if (keep->noted)
        keep->noted(keep->context, text);
}

static struct slice slice_of_key(const struct cache_key *key)
{
    return (struct slice){(const char *)key->bytes, sizeof key->bytes};
}

/* ---- which boot the clock counts from ---- */

static void find_boot(struct keep *keep, const char *given)
{
    char text[64] = "", id_text[ID_TEXT_MAX];
    unsigned char digest[DIGEST_BYTES];
    int fd = given ? -1 : open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        close(fd);
    if (!given && length <= 0) /* not known: nothing that is kept now will be found by the next agent */
        given = id_format(id_new(), id_text);
    digest_sha256(slice_of(given ? given : text), digest);
    memcpy(keep->boot, digest, sizeof keep->boot);
}

/* ---- opening, closing, deleting ---- */

static void close_store(struct keep *keep)
{
    store_abort(keep->transaction);
    keep->transaction = NULL;
    store_table_close(keep->rows);
    store_table_close(keep->bodies);
    store_close(keep->store);
    keep->rows = keep->bodies = NULL;
    keep->store = NULL;
}

static enum error open_store(struct keep *keep)
{
    enum error error = store_open(keep->directory, STORE_AUX, &keep->store);
    error = error ? error : store_table_open(keep->store, "rows", &keep->rows);
    error = error ? error : store_table_open(keep->store, "bodies", &keep->bodies);
    if (error)
        close_store(keep);
    return error;
}

static bool is_of_the_store(const char *name)
{
    size_t length = strlen(name);
    return strncmp(name, "log.", 4) == 0 || strncmp(name, "__db", 4) == 0 || strcmp(name, "DB_CONFIG") == 0 ||
           (length > 3 && strcmp(name + length - 3, ".db") == 0);
}

/* Emptied first: a dead environment may hold them open, and their room with them. The lock stays where it is. */
static void delete_files(const struct keep *keep)
{
    DIR *entries = opendir(keep->directory);
    unsigned count = 0;
    if (!entries)
        return;
    for (const struct dirent *entry; (entry = readdir(entries)) && count < FILES_MAX; count++) {
        if (!is_of_the_store(entry->d_name))
            continue;
        int fd = openat(dirfd(entries), entry->d_name, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd >= 0)
            close(fd);
        (void)!unlinkat(dirfd(entries), entry->d_name, 0);
    }
    closedir(entries);
}

static void make_anew(struct keep *keep)
{
    delete_files(keep);
    enum error error = open_store(keep);
    if (error)
        note(keep, "the cache keeps its answers in memory only", store_failure(NULL));
}

struct keep *keep_open(const struct cache_options *options)
{
    struct keep *keep = calloc(1, sizeof *keep);
    check(keep != NULL);
    keep->noted = options->noted;
    keep->context = options->context;
    find_boot(keep, options->boot_id);
    buffer_init(&keep->raw, RAW_BYTES_MAX + 1);
    buffer_init(&keep->packed, packer_bytes_max(RAW_BYTES_MAX));
    buffer_init(&keep->row, ROW_BYTES_MAX);
    if (!options->directory)
        return keep;
    keep->directory = strdup(options->directory);
    check(keep->directory != NULL);
    enum error error = open_store(keep);
    if (error == ERROR_ENVIRONMENT_BUSY || (error && store_find_lack(NULL) == STORE_LACKS_MEANS)) {
        note(keep, "the cache keeps its answers in memory only", store_failure(NULL));
    } else if (error) {
        note(keep, "the cache's store could not be read and is made anew", store_failure(NULL));
        make_anew(keep);
    }
    keep->generation = keep->store ? 1 : 0;
    return keep;
}

void keep_close(struct keep *keep)
{
    close_store(keep);
    buffer_done(&keep->raw);
    buffer_done(&keep->packed);
    buffer_done(&keep->row);
    packer_done(&keep->packer);
    free(keep->directory);
    free(keep);
}

unsigned keep_generation(const struct keep *keep)
{
    return keep->store ? keep->generation : 0;
}

const unsigned char *keep_boot(const struct keep *keep)
{
    return keep->boot;
}

bool keep_is_failed(const struct keep *keep)
{
    return keep->store && (keep->has_failed || store_is_failed(keep->store));
}

void keep_renew(struct keep *keep)
{
    note(keep, "the cache's store failed and is made anew", store_failure(keep->store));
    close_store(keep);
    keep->has_failed = false;
    keep->generation++;
    if (keep->renewals++ < RENEWALS_MAX)
        make_anew(keep);
    else
        note(keep, "the cache keeps its answers in memory only", "its store failed too often");
}

/* ---- compression ---- */

static bool put_raw(struct keep *keep, const struct cache_answer *answer)
{
    struct slice frames = {(const char *)answer->frames, answer->frame_count * sizeof *answer->frames};
    buffer_reset(&keep->raw, KEPT_SCRATCH_BYTES);
    return buffer_append(&keep->raw, frames) && buffer_append(&keep->raw, answer->body);
}

static bool compress(struct keep *keep)
{
    buffer_reset(&keep->packed, KEPT_SCRATCH_BYTES);
    return packer_pack(&keep->packer, LEVEL, buffer_contents(&keep->raw), &keep->packed);
}

static bool decompress(struct keep *keep, struct slice packed, size_t raw_bytes)
{
    buffer_reset(&keep->raw, KEPT_SCRATCH_BYTES);
    return packer_unpack(&keep->packer, packed, raw_bytes, &keep->raw);
}

/* ---- writing ---- */

bool keep_begin(struct keep *keep)
{
    check(!keep->transaction);
    if (!keep->store)
        return false;
    if (store_begin(keep->store, &keep->transaction))
        keep->has_failed = true;
    return !keep->has_failed;
}

bool keep_end(struct keep *keep)
{
    struct store_transaction *transaction = keep->transaction;
    keep->transaction = NULL;
    if (keep->has_failed || store_is_failed(keep->store)) {
        store_abort(transaction);
        return false;
    }
    if (store_commit(transaction) || store_checkpoint(keep->store, CHECKPOINT_LOG_BYTES))
        keep->has_failed = true;
    return !keep->has_failed;
}

bool keep_write(struct keep *keep, const struct cache_key *key, struct row *row, uint64_t *ret_bytes)
{
    if (!put_raw(keep, &row->answer) || !compress(keep))
        return false;
    struct slice packed = buffer_contents(&keep->packed);
    memcpy(row->boot, keep->boot, sizeof row->boot);
    row->stored_bytes = packed.length;
    digest_sha256(packed, row->body_digest);
    if (!row_write(key, row, &keep->row))
        return false;
    if (store_put(keep->bodies, keep->transaction, slice_of_key(key), packed) ||
        store_put(keep->rows, keep->transaction, slice_of_key(key), buffer_contents(&keep->row))) {
        keep->has_failed = true; /* nobody else writes: there is no deadlock to lose */
        return false;
    }
    *ret_bytes = packed.length;
    return true;
}

void keep_delete(struct keep *keep, const struct cache_key *key)
{
    struct store_table *tables[] = {keep->rows, keep->bodies};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        enum error error = store_delete(tables[i], keep->transaction, slice_of_key(key));
        if (error && error != ERROR_NOT_FOUND)
            keep->has_failed = true;
    }
}

/* ---- reading ---- */

struct loading {
    struct keep *keep;
    keep_visit *visit;
    void *context;
};

static bool visit_row(void *context, struct slice key_bytes, struct slice bytes)
{
    struct loading *loading = context;
    struct http_field fields[ROW_FIELDS_MAX];
    struct cache_key key;
    struct row row;
    if (key_bytes.length != sizeof key.bytes) {
        loading->keep->has_failed = true;
        return false;
    }
    memcpy(key.bytes, key_bytes.data, sizeof key.bytes);
    enum row_state state = row_read(&key, bytes, fields, &row);
    if (state == ROW_FINE && memcmp(row.boot, loading->keep->boot, sizeof row.boot) != 0)
        state = ROW_FOREIGN;
    return loading->visit(loading->context, &key, state, &row);
}

bool keep_load(struct keep *keep, keep_visit *visit, void *context)
{
    struct loading loading = {keep, visit, context};
    const struct slice none = {NULL, 0};
    if (!keep->store)
        return true;
    if (store_scan(keep->rows, NULL, none, none, false, visit_row, &loading))
        keep->has_failed = true;
    return !keep_is_failed(keep);
}

static enum error get(struct keep *keep, struct store_table *table, const struct cache_key *key, struct buffer *buffer,
                      size_t bytes_max)
{
    size_t length = 0;
    buffer_reset(buffer, KEPT_SCRATCH_BYTES);
    char *bytes = buffer_reserve(buffer, bytes_max);
    if (!bytes)
        return ERROR_STORE_CORRUPT;
    enum error error = store_get(table, NULL, slice_of_key(key), bytes, bytes_max, &length);
    if (error == ERROR_STORE_IO)
        keep->has_failed = true;
    if (error)
        return error == ERROR_NOT_FOUND ? error : ERROR_STORE_CORRUPT;
    buffer_commit(buffer, length);
    return ERROR_OK;
}

/* The bodies' bytes, believed by their digest. */
static bool has_body(struct keep *keep, const struct cache_key *key, const struct row *row)
{
    unsigned char digest[DIGEST_BYTES];
    if (get(keep, keep->bodies, key, &keep->packed, row->stored_bytes + 1))
        return false;
    digest_sha256(buffer_contents(&keep->packed), digest);
    return memcmp(digest, row->body_digest, sizeof digest) == 0;
}

enum error keep_read(struct keep *keep, const struct cache_key *key, int64_t made_ns, struct cache_answer **ret_answer)
{
    struct http_field fields[ROW_FIELDS_MAX];
    struct row row;
    if (!keep->store)
        return ERROR_NOT_FOUND;
    enum error error = get(keep, keep->rows, key, &keep->row, ROW_BYTES_MAX);
    if (error)
        return error;
    if (row_read(key, buffer_contents(&keep->row), fields, &row) != ROW_FINE || row.made_ns != made_ns)
        return ERROR_STORE_CORRUPT;
    size_t frames_bytes = row.answer.frame_count * sizeof(struct cache_frame);
    if (!has_body(keep, key, &row) ||
        !decompress(keep, buffer_contents(&keep->packed), frames_bytes + row.answer.body.length))
        return ERROR_STORE_CORRUPT;
    struct cache_answer *answer = answer_new(&row.answer);
    struct slice raw = buffer_contents(&keep->raw);
    if (frames_bytes)
        memcpy(answer_frames(answer), raw.data, frames_bytes);
    if (raw.length > frames_bytes)
        memcpy(answer_body(answer), raw.data + frames_bytes, raw.length - frames_bytes);
    *ret_answer = answer;
    return ERROR_OK;
}
