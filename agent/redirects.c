/* SPDX-License-Identifier: Apache-2.0 */
/* See redirects.h. A row is never taken back but to make room for another, the longest unused one first. */
#include "redirects.h"

#include "base/file.h"
#include "base/hash.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS = 1 << 16, FILE_BYTES_MAX = 8 << 20, DNS_LIFETIME_S = 86400 };

struct redirect {
    struct config_address original; /* key */
    uint32_t part;                  /* of the stand-in: network | part */
    int64_t used_s;                 /* when it was in the set last, or DNS said so last */
    bool is_of_dns;                 /* else of the policy */
    bool is_current, was_current;
    UT_hash_handle hh;
};

struct redirects {
    pthread_mutex_t lock; /* leaf */
    char *path;
    uint32_t network;
    struct redirect *by_original;
    struct redirect *by_part[PARTS];
    uint32_t next_part; /* parts below were taken once */
    size_t current_count;
};

/* .0 and .255 look like networks and broadcasts; 1 stands for any address, see contract.h. */
static bool is_usable(uint32_t part)
{
    return part > 1 && part < PARTS && (part & 0xff) != 0 && (part & 0xff) != 0xff;
}

static struct redirect *find(const struct redirects *redirects, const struct config_address *original)
{
    struct redirect *row;
    HASH_FIND(hh, redirects->by_original, original, sizeof *original, row);
    return row;
}

static struct redirect *add(struct redirects *redirects, const struct config_address *original, uint32_t part)
{
    struct redirect *row = calloc(1, sizeof *row);
    check(row != NULL);
    row->original = *original;
    row->part = part;
    HASH_ADD(hh, redirects->by_original, original, sizeof row->original, row);
    redirects->by_part[part] = row;
    return row;
}

static void discard(struct redirects *redirects, struct redirect *row)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a row that is deleted stands in the table */
    HASH_DELETE(hh, redirects->by_original, row);
    redirects->by_part[row->part] = NULL;
    free(row);
}

/* ---- the file: "ADDRESS PART USED dns|policy" ---- */

static bool parse_address(const char *text, struct config_address *ret_address)
{
    struct config_address mapped = {.bytes = {[10] = 0xff, [11] = 0xff}};
    if (inet_pton(AF_INET, text, mapped.bytes + 12) != 1 && inet_pton(AF_INET6, text, mapped.bytes) != 1)
        return false;
    *ret_address = mapped;
    return true;
}

char *redirects_format(const struct config_address *address, char *text)
{
    struct in6_addr v6;
    memcpy(&v6, address->bytes, sizeof v6);
    if (IN6_IS_ADDR_V4MAPPED(&v6))
        inet_ntop(AF_INET, address->bytes + 12, text, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, &v6, text, INET6_ADDRSTRLEN);
    return text;
}

static void read_line(struct redirects *redirects, const char *line)
{
    char text[INET6_ADDRSTRLEN], source[8];
    unsigned part;
    int64_t used_s;
    struct config_address original;
    if (sscanf(line, "%45s %u %" SCNd64 " %7s", text, &part, &used_s, source) != 4 || !is_usable(part) ||
        !parse_address(text, &original) || redirects->by_part[part] || find(redirects, &original))
        return;
    struct redirect *row = add(redirects, &original, part);
    row->used_s = used_s;
    row->is_of_dns = !strcmp(source, "dns");
}

struct redirects *redirects_open(const char *path, uint32_t network)
{
    struct redirects *redirects = calloc(1, sizeof *redirects);
    check(redirects != NULL);
    redirects->path = strdup(path);
    check(redirects->path != NULL);
    redirects->network = network;
    check(pthread_mutex_init(&redirects->lock, NULL) == 0);
    char line[128];
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        read_line(redirects, line);
    if (file)
        fclose(file);
    return redirects;
}

void redirects_free(struct redirects *redirects)
{
    if (!redirects)
        return;
    for (uint32_t part = 0; part < PARTS; part++)
        if (redirects->by_part[part])
            discard(redirects, redirects->by_part[part]);
    pthread_mutex_destroy(&redirects->lock);
    free(redirects->path);
    free(redirects);
}

enum error redirects_save(struct redirects *redirects)
{
    struct buffer text;
    char original[INET6_ADDRSTRLEN];
    bool ok = true;
    buffer_init(&text, FILE_BYTES_MAX);
    pthread_mutex_lock(&redirects->lock);
    for (uint32_t part = 0; ok && part < PARTS; part++) {
        const struct redirect *row = redirects->by_part[part];
        if (!row)
            continue;
        redirects_format(&row->original, original);
        ok = buffer_append_format(&text, "%s %u %" PRId64 " %s\n", original, (unsigned)part, row->used_s,
                                  row->is_of_dns ? "dns" : "policy");
    }
    pthread_mutex_unlock(&redirects->lock);
    enum error error = ok ? file_swap(redirects->path, buffer_contents(&text), 0600) : ERROR_FILE_UNWRITABLE;
    buffer_done(&text);
    return error;
}

/* ---- the set ---- */

/* Frees the part of the row that was used last the longest ago, none of the set's. Assumes that every part is taken:
 * the set is far smaller. */
static uint32_t make_room(struct redirects *redirects)
{
    struct redirect *oldest = NULL;
    for (uint32_t part = 0; part < PARTS; part++) {
        struct redirect *row = redirects->by_part[part];
        if (row && !row->is_current && !row->was_current && (!oldest || row->used_s < oldest->used_s))
            oldest = row;
    }
    check(oldest != NULL);
    uint32_t part = oldest->part;
    discard(redirects, oldest);
    return part;
}

static uint32_t choose_part(struct redirects *redirects)
{
    for (; redirects->next_part < PARTS; redirects->next_part++)
        if (is_usable(redirects->next_part) && !redirects->by_part[redirects->next_part])
            return redirects->next_part;
    return make_room(redirects);
}

static void use(struct redirects *redirects, const struct config_address *addresses, size_t count, bool is_of_dns,
                int64_t now_s)
{
    for (size_t i = 0; i < count && redirects->current_count < REDIRECTS_MAX; i++) {
        struct redirect *row = find(redirects, &addresses[i]);
        if (!row)
            row = add(redirects, &addresses[i], choose_part(redirects));
        row->used_s = now_s;
        if (!row->is_current) { /* the policy comes first, and its word stays */
            row->is_current = true;
            row->is_of_dns = is_of_dns;
            redirects->current_count++;
        }
    }
}

static void keep_young(struct redirects *redirects, int64_t now_s)
{
    for (struct redirect *row = redirects->by_original; row; row = row->hh.next)
        if (redirects->current_count < REDIRECTS_MAX && !row->is_current && row->is_of_dns &&
            now_s - row->used_s < DNS_LIFETIME_S) {
            row->is_current = true;
            redirects->current_count++;
        }
}

bool redirects_update(struct redirects *redirects, const struct settings *settings, const struct config_address *dns,
                      size_t dns_count, int64_t now_s)
{
    bool has_changed = false;
    pthread_mutex_lock(&redirects->lock);
    for (struct redirect *row = redirects->by_original; row; row = row->hh.next) {
        row->was_current = row->is_current;
        row->is_current = false;
    }
    redirects->current_count = 0;
    use(redirects, settings->capture.addresses, settings->capture.address_count, false, now_s);
    use(redirects, dns, dns_count, true, now_s);
    if (settings->capture.refresh_s != 0)
        keep_young(redirects, now_s);
    for (struct redirect *row = redirects->by_original; row; row = row->hh.next)
        has_changed |= row->is_current != row->was_current;
    pthread_mutex_unlock(&redirects->lock);
    return has_changed;
}

bool redirects_find(struct redirects *redirects, uint32_t address, struct config_address *ret_original)
{
    if ((address & ~(uint32_t)(PARTS - 1)) != redirects->network)
        return false;
    pthread_mutex_lock(&redirects->lock);
    const struct redirect *row = redirects->by_part[address & (PARTS - 1)];
    if (row)
        *ret_original = row->original;
    pthread_mutex_unlock(&redirects->lock);
    return row != NULL;
}

static int compare_originals(const void *a, const void *b)
{
    const struct tollgate_map_redirect *left = a, *right = b;
    return memcmp(left->original, right->original, sizeof left->original);
}

bool redirects_has(struct redirects *redirects, const struct config_address *original)
{
    pthread_mutex_lock(&redirects->lock);
    const struct redirect *row = find(redirects, original);
    bool has = row && row->is_current;
    pthread_mutex_unlock(&redirects->lock);
    return has;
}

size_t redirects_count(struct redirects *redirects)
{
    pthread_mutex_lock(&redirects->lock);
    size_t count = redirects->current_count;
    pthread_mutex_unlock(&redirects->lock);
    return count;
}

size_t redirects_list(struct redirects *redirects, struct tollgate_map_redirect **ret_rows)
{
    size_t count = 0;
    pthread_mutex_lock(&redirects->lock);
    struct tollgate_map_redirect *rows = calloc(redirects->current_count + 1, sizeof *rows);
    check(rows != NULL);
    for (const struct redirect *row = redirects->by_original; row; row = row->hh.next) {
        if (!row->is_current)
            continue;
        memcpy(rows[count].original, row->original.bytes, sizeof rows[count].original);
        rows[count++].address = redirects->network | row->part;
    }
    pthread_mutex_unlock(&redirects->lock);
    qsort(rows, count, sizeof *rows, compare_originals);
    *ret_rows = rows;
    return count;
}
