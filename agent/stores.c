/* SPDX-License-Identifier: Apache-2.0 */
#include "stores.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "journal/journal.h"
#include "wallet/wallet.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 16384, ROWS_MAX = 64, PATH_BYTES = 600, NAME_BYTES = 32, VERSION_BYTES = 64 };

/* How much is lost with it. */
enum keeping {
    KEPT, /* money, keys, addresses that programs hold: a newer one is refused, an older one is migrated by its owner */
    ASIDE, /* made anew of others: one of another schema is moved out of the way */
    DROPPED,
};

/* A new format of a store: a new number here, and what reads the old one beside what reads the new one. */
static const struct store_row {
    const char *name, *path; /* the latter below the state directory */
    unsigned schema;
    enum keeping keeping;
} stores[] = {
    {"ledger", "ledger", WALLET_SCHEMA, KEPT},
    {"events", "aux", 1, ASIDE},
    {"cache", "cache", 1, DROPPED},
    {"addresses", "addresses", 1, KEPT},
    {"redirects", "redirects", 1, KEPT},
    {"ca", "ca", 1, KEPT},
    {"secrets", "secrets", 1, KEPT},
    {"budgets", "budgets.yaml", 1, KEPT},
    {"exports", "exports", 1, KEPT},
    {"alerts", "alerts", 1, KEPT},
    {"port", "port", 1, DROPPED},
    {"base-url-port", "base-url-port", 1, DROPPED},
    {"rate-limits", "rate-limits", 1, DROPPED},
};
enum { STORES = sizeof stores / sizeof *stores };

/* ---- the file ---- */

struct written_row {
    char name[NAME_BYTES], version[VERSION_BYTES];
    unsigned schema;
};
struct written {
    struct written_row rows[ROWS_MAX];
    size_t count;
};

static void find_file(const char *state, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/stores", state);
}

/* Lines that make no sense are passed over: what they were about has its own marks, or is believed. */
static void read_file(const char *state, struct written *ret_written)
{
    char path[PATH_BYTES], line[256];
    find_file(state, path);
    ret_written->count = 0;
    FILE *file = fopen(path, "re");
    while (file && ret_written->count < ROWS_MAX && fgets(line, sizeof line, file)) {
        struct written_row *row = &ret_written->rows[ret_written->count];
        if (sscanf(line, "%31s %u %63s", row->name, &row->schema, row->version) == 3 && row->name[0] != '#')
            ret_written->count++;
    }
    if (file)
        fclose(file);
}

static const struct written_row *find_written(const struct written *written, const char *name)
{
    for (size_t i = 0; i < written->count; i++)
        if (!strcmp(written->rows[i].name, name))
            return &written->rows[i];
    return NULL;
}

bool stores_has(const char *state, const char *name)
{
    struct written written;
    read_file(state, &written);
    return find_written(&written, name) != NULL;
}

static bool is_known(const char *name)
{
    for (size_t i = 0; i < STORES; i++)
        if (!strcmp(stores[i].name, name))
            return true;
    return false;
}

static enum error put_file(const char *state, struct buffer *text, bool is_written)
{
    char path[PATH_BYTES];
    find_file(state, path);
    return is_written ? file_swap(path, buffer_contents(text), 0600) : ERROR_NO_MEMORY;
}

/* What a version that has more stores has written of them stays. */
enum error stores_write(const char *state)
{
    struct written written;
    struct buffer text;
    bool is_written = true;
    read_file(state, &written);
    buffer_init(&text, FILE_BYTES_MAX);
    for (size_t i = 0; i < STORES; i++)
        is_written &= buffer_append_format(&text, "%s %u %s\n", stores[i].name, stores[i].schema, TOLLGATE_VERSION);
    for (size_t i = 0; i < written.count; i++)
        if (!is_known(written.rows[i].name))
            is_written &= buffer_append_format(&text, "%s %u %s\n", written.rows[i].name, written.rows[i].schema,
                                               written.rows[i].version);
    enum error error = put_file(state, &text, is_written);
    buffer_done(&text);
    return error;
}

enum error stores_forget(const char *state, const char *name)
{
    struct written written;
    struct buffer text;
    bool is_written = true;
    read_file(state, &written);
    if (!find_written(&written, name))
        return ERROR_OK;
    buffer_init(&text, FILE_BYTES_MAX);
    for (size_t i = 0; i < written.count; i++)
        if (strcmp(written.rows[i].name, name) != 0)
            is_written &= buffer_append_format(&text, "%s %u %s\n", written.rows[i].name, written.rows[i].schema,
                                               written.rows[i].version);
    enum error error = put_file(state, &text, is_written);
    buffer_done(&text);
    return error;
}

/* ---- other schemas ---- */

enum error stores_check(const char *state, struct buffer *text)
{
    struct written written;
    enum error error = ERROR_OK;
    read_file(state, &written);
    for (size_t i = 0; i < STORES; i++) {
        const struct store_row *store = &stores[i];
        const struct written_row *row = find_written(&written, store->name);
        if (!row || row->schema <= store->schema || store->keeping != KEPT)
            continue;
        error = ERROR_STORE_SCHEMA;
        if (!buffer_append_format(
                text,
                "%s/%s has schema %u, written by tollgate %s; this one (%s) knows schema %u: install "
                "%s again, or %s\n",
                state, store->path, row->schema, row->version, TOLLGATE_VERSION, store->schema, row->version,
                strcmp(store->name, "ledger") == 0 ? "put an older ledger in its place: tollgate restore FROM"
                                                   : "start with a state directory of an older backup"))
            return ERROR_NO_MEMORY;
    }
    return error;
}

/* A flat directory, or a file. False: errno says why. */
static bool remove_store(const char *path)
{
    DIR *entries = opendir(path);
    if (!entries)
        return errno == ENOTDIR ? unlink(path) == 0 : false;
    bool is_removed = true;
    for (const struct dirent *entry; is_removed && (entry = readdir(entries));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            is_removed = unlinkat(dirfd(entries), entry->d_name, 0) == 0;
    int why = errno;
    closedir(entries);
    errno = why;
    return is_removed && rmdir(path) == 0;
}

static void drop(const struct store_row *store, const struct written_row *row, const char *path)
{
    char time_text[CLOCK_TEXT_MAX], target[PATH_BYTES + 64];
    snprintf(target, sizeof target, "%s.schema-%u-%s", path, row->schema, clock_format(clock_wall_ns(), time_text));
    bool is_gone = store->keeping == ASIDE ? rename(path, target) == 0 : remove_store(path);
    if (is_gone)
        log_event(EVENT_STORE_DROPPED, store->name, "schema %u of tollgate %s, not %u: %s %s", row->schema,
                  row->version, store->schema, store->keeping == ASIDE ? "it lies in" : "made anew,",
                  store->keeping == ASIDE ? target : "nothing else depended on it");
    else if (errno != ENOENT)
        log_event(EVENT_AGENT_FAILED, store->name, "%s of schema %u cannot be put away: %s", path, row->schema,
                  strerror(errno));
}

void stores_drop_foreign(const char *state)
{
    struct written written;
    char path[PATH_BYTES];
    read_file(state, &written);
    for (size_t i = 0; i < STORES; i++) {
        const struct written_row *row = find_written(&written, stores[i].name);
        snprintf(path, sizeof path, "%s/%s", state, stores[i].path);
        if (row && row->schema != stores[i].schema && stores[i].keeping != KEPT)
            drop(&stores[i], row, path);
    }
}
