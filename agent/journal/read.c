/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding events again, whether a row has one or many. Rows of many overlap, by PACK_SPAN_MS at most. Called by
 * control/, on its threads.
 */
#include "journal/internal.h"

#include "base/grow.h"

static int compare(const struct id *a, const struct id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

/* ---- one ---- */

struct search {
    struct id id;
    struct packer packer;
    struct buffer events;
    struct slice json;
    bool is_found;
};

static bool find_in(struct search *search, struct slice events)
{
    struct id id;
    while (!search->is_found && events_next(&events, &id, &search->json))
        search->is_found = id_is_equal(id, search->id);
    return search->is_found;
}

/* From the id on, in the order of what is newest in each row. */
static bool search_row(void *context, struct slice key, struct slice row)
{
    struct search *search = context;
    struct id newest, oldest;
    if (!pack_read_key(key, &newest))
        return true;
    if (id_milliseconds(&newest) > id_milliseconds(&search->id) + PACK_SPAN_MS)
        return false;
    buffer_reset(&search->events, SIZE_MAX);
    return !pack_read_oldest(row, &oldest) || compare(&oldest, &search->id) > 0 ||
           !pack_read(row, &search->packer, &search->events) || !find_in(search, buffer_contents(&search->events));
}

static enum error find_packed(struct journal *journal, struct id id, char *text, size_t bytes_max, size_t *ret_length)
{
    struct search search = {.id = id};
    const struct slice first = {(const char *)id.bytes, sizeof id.bytes}, none = {NULL, 0};
    buffer_init(&search.events, 2 * CHUNK_BYTES);
    enum error error = store_scan(journal->events, NULL, first, none, false, search_row, &search);
    if (!error && !search.is_found)
        error = ERROR_NOT_FOUND;
    if (!error && search.json.length > bytes_max)
        error = ERROR_REQUEST_INVALID;
    if (!error) {
        memcpy(text, search.json.data, search.json.length);
        *ret_length = search.json.length;
    }
    buffer_done(&search.events);
    packer_done(&search.packer);
    return error;
}

enum error journal_find(struct journal *journal, struct id id, char *text, size_t bytes_max, size_t *ret_length)
{
    if (!journal->store)
        return ERROR_STORE_IO;
    enum error error = store_get(journal->events, NULL, (struct slice){(const char *)id.bytes, sizeof id.bytes}, text,
                                 bytes_max, ret_length);
    return error == ERROR_NOT_FOUND ? find_packed(journal, id, text, bytes_max, ret_length) : error;
}

/* ---- the newest ---- */

/* The events of one row of many, until the last of them was visited. */
struct unpacked {
    unsigned left;
    struct buffer events;
};
struct pending {
    struct id id;
    struct slice json;
    struct unpacked *unpacked;
};
struct recent {
    size_t left;
    bool has_enough;
    journal_visit *visit;
    void *context;
    struct packer packer;
    struct pending *rows; /* ascending: the last is the newest */
    uint32_t count, capacity;
};

static int compare_pending(const void *a, const void *b)
{
    return compare(&((const struct pending *)a)->id, &((const struct pending *)b)->id);
}

static void visit_one(struct recent *recent, struct id id, struct slice json)
{
    if (recent->has_enough)
        return;
    recent->left--;
    recent->has_enough = !recent->visit(recent->context, id, json) || recent->left == 0;
}

static void drop_last(struct recent *recent)
{
    struct unpacked *unpacked = recent->rows[--recent->count].unpacked;
    if (--unpacked->left > 0)
        return;
    buffer_done(&unpacked->events);
    free(unpacked);
}

/* Those that are newer than anything a row from `newest` on can have; NULL: all. */
static void visit_pending(struct recent *recent, const struct id *newest)
{
    while (recent->count && !recent->has_enough) {
        const struct pending *last = &recent->rows[recent->count - 1];
        if (newest && compare(&last->id, newest) <= 0)
            return;
        visit_one(recent, last->id, last->json);
        drop_last(recent);
    }
}

static void add_packed(struct recent *recent, struct slice row)
{
    struct unpacked *unpacked = calloc(1, sizeof *unpacked);
    check(unpacked != NULL);
    buffer_init(&unpacked->events, 2 * CHUNK_BYTES);
    struct pending pending = {.unpacked = unpacked};
    if (pack_read(row, &recent->packer, &unpacked->events)) {
        struct slice events = buffer_contents(&unpacked->events);
        for (; events_next(&events, &pending.id, &pending.json); unpacked->left++) {
            recent->rows = grow_array(recent->rows, &recent->capacity, recent->count, sizeof *recent->rows);
            recent->rows[recent->count++] = pending;
        }
    }
    if (unpacked->left == 0) {
        buffer_done(&unpacked->events);
        free(unpacked);
    }
    if (recent->count)
        qsort(recent->rows, recent->count, sizeof *recent->rows, compare_pending);
}

static bool recent_row(void *context, struct slice key, struct slice row)
{
    struct recent *recent = context;
    struct id id;
    if (pack_read_key(key, &id)) {
        visit_pending(recent, &id);
        if (!recent->has_enough)
            add_packed(recent, row);
    } else if (key.length == sizeof id.bytes) {
        memcpy(id.bytes, key.data, sizeof id.bytes);
        visit_pending(recent, &id);
        visit_one(recent, id, row);
    }
    return !recent->has_enough;
}

enum error journal_recent(struct journal *journal, size_t max, journal_visit *visit, void *context)
{
    struct recent recent = {.left = max, .visit = visit, .context = context};
    const struct slice none = {NULL, 0};
    if (max == 0)
        return ERROR_OK;
    if (!journal->store)
        return ERROR_STORE_IO;
    enum error error = store_scan(journal->events, NULL, none, none, true, recent_row, &recent);
    if (!error)
        visit_pending(&recent, NULL);
    while (recent.count)
        drop_last(&recent);
    free(recent.rows);
    packer_done(&recent.packer);
    return error;
}
