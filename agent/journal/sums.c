/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sums: one row per slot and series, its measures that are not 0 as pairs of varints. The writer adds in memory and
 * puts what has changed with the events of the batch, in one transaction, so that sums and events never differ.
 */
#include "journal/internal.h"

#include "base/check.h"
#include "base/grow.h"

enum {
    CACHED_MAX = 8192, /* sums in memory between two batches */
    VARINT_BYTES_MAX = 10,
    BUCKET_BIT = 0x80, /* buckets are numbered by themselves: both lists can grow */
    ROW_BYTES_MAX = MEASURE_COUNT * (1 + VARINT_BYTES_MAX),
};

/* ---- rows ---- */

void sum_make_key(struct sum_key key, char bytes[SUM_KEY_BYTES])
{
    number_write((uint64_t)key.slot << 32 | key.series, bytes, SUM_KEY_BYTES);
}

bool sum_read_key(struct slice key, struct sum_key *ret_key)
{
    if (key.length != SUM_KEY_BYTES)
        return false;
    uint64_t both = number_read(key.data, SUM_KEY_BYTES);
    *ret_key = (struct sum_key){(uint32_t)(both >> 32), (uint32_t)both};
    return true;
}

static size_t write_row(const uint64_t of[MEASURE_COUNT], char row[ROW_BYTES_MAX])
{
    char *out = row;
    for (size_t i = 0; i < MEASURE_COUNT; i++) {
        if (!of[i])
            continue;
        *out++ = (char)(i < MEASURE_buckets ? i : BUCKET_BIT | (i - MEASURE_buckets));
        uint64_t rest = of[i];
        for (; rest >= 0x80; rest >>= 7)
            *out++ = (char)(rest | 0x80);
        *out++ = (char)rest;
    }
    return (size_t)(out - row);
}

/* False: these bytes are no row. */
static bool read_row(struct slice row, uint64_t ret_of[MEASURE_COUNT])
{
    const unsigned char *at = (const unsigned char *)row.data, *end = at + row.length;
    memset(ret_of, 0, MEASURE_COUNT * sizeof *ret_of);
    while (at < end) {
        unsigned number = *at++, shift = 0;
        unsigned measure = number & BUCKET_BIT ? MEASURE_buckets + (number & ~(unsigned)BUCKET_BIT) : number;
        bool is_one = number & BUCKET_BIT ? measure < MEASURE_COUNT : measure < MEASURE_buckets;
        uint64_t value = 0;
        for (; at < end && *at & 0x80 && shift < 63; shift += 7)
            value |= (uint64_t)(*at++ & 0x7f) << shift;
        if (at == end || !is_one || *at & 0x80)
            return false;
        ret_of[measure] = value | (uint64_t)*at++ << shift;
    }
    return true;
}

/* ---- the writer's ---- */

static enum error load(struct journal *journal, struct sum *sum)
{
    char key[SUM_KEY_BYTES], row[ROW_BYTES_MAX];
    size_t length;
    sum_make_key(sum->key, key);
    enum error error = store_get(journal->sums, NULL, (struct slice){key, sizeof key}, row, sizeof row, &length);
    if (error == ERROR_NOT_FOUND)
        return ERROR_OK;
    if (!error && !read_row((struct slice){row, length}, sum->of))
        error = ERROR_STORE_CORRUPT;
    return error;
}

static enum error find_sum(struct journal *journal, struct sum_key key, struct sum **ret_sum)
{
    struct sum *sum;
    HASH_FIND(hh, journal->cached, &key, sizeof key, sum);
    if (!sum) {
        sum = calloc(1, sizeof *sum);
        check(sum != NULL);
        sum->key = key;
        enum error error = load(journal, sum);
        if (error) {
            free(sum);
            return error;
        }
        HASH_ADD(hh, journal->cached, key, sizeof sum->key, sum);
    }
    *ret_sum = sum;
    return ERROR_OK;
}

static void add_late(struct journal *journal, struct id id, int64_t time_ms)
{
    journal->lates = grow_array(journal->lates, &journal->late_capacity, journal->late_count, sizeof *journal->lates);
    journal->lates[journal->late_count++] = (struct late){time_ms, id};
}

static uint32_t slot_of(int64_t time_ms)
{
    int64_t slot = time_ms / 1000 / JOURNAL_SLOT_S;
    return slot < 0 ? 0 : slot > UINT32_MAX ? UINT32_MAX : (uint32_t)slot;
}

static enum error find_recent(struct journal *journal, uint32_t slot, struct slice names, bool is_free,
                              struct sum **ret_sum)
{
    if (!journal->recent || journal->recent_slot != slot || journal->recent_bytes != names.length ||
        memcmp(journal->recent_names, names.data, names.length) != 0) {
        struct sum_key key = {slot, series_find(journal, names, slot, is_free)};
        enum error error = find_sum(journal, key, &journal->recent);
        if (error)
            return error;
        journal->recent_slot = slot;
        journal->recent_bytes = names.length;
        memcpy(journal->recent_names, names.data, names.length);
    }
    *ret_sum = journal->recent;
    return ERROR_OK;
}

/* The sum that a line goes to; it will be put. */
static enum error touch(struct journal *journal, struct id id, int64_t time_ms, struct slice names, bool is_free,
                        struct sum **ret_sum)
{
    uint32_t slot = slot_of(time_ms);
    if (line_is_late(&id, time_ms))
        add_late(journal, id, time_ms);
    enum error error = find_recent(journal, slot, names, is_free, ret_sum);
    if (!error && !(*ret_sum)->is_dirty) {
        (*ret_sum)->is_dirty = true;
        (*ret_sum)->next_dirty = journal->dirty;
        journal->dirty = *ret_sum;
    }
    return error;
}

static void add(struct sum *sum, size_t measure, uint64_t value)
{
    if (__builtin_add_overflow(sum->of[measure], value, &sum->of[measure]))
        sum->of[measure] = UINT64_MAX;
}

enum error sums_add_line(struct journal *journal, struct id id, const struct journal_line *line)
{
    char names[NAMES_BYTES_MAX];
    struct sum *sum;
    const struct slice joined = {names, names_join(line->names, names)};
    enum error error = touch(journal, id, line->time_ms, joined, line_is_free(line), &sum);
    for (size_t i = 0; i < MEASURE_COUNT && !error; i++)
        add(sum, i, line->of[i]);
    return error;
}

enum error sums_add_chunk(struct journal *journal, const struct chunk *chunk)
{
    struct slice lines = {chunk->bytes + chunk->size - chunk->lines_bytes, chunk->lines_bytes}, names, measures;
    struct line_head head;
    struct sum *sum;
    enum error error = ERROR_OK;
    while (!error && lines_next(&lines, &head, &names, &measures)) {
        error = touch(journal, head.id, head.time_ms, names, head.is_free, &sum);
        for (; measures.length && !error; measures = slice_from(measures, sizeof(struct line_measure))) {
            struct line_measure measure;
            uint64_t value;
            memcpy(&measure, measures.data, sizeof measure);
            memcpy(&value, measure.value, sizeof value);
            add(sum, measure.measure, value);
        }
    }
    return error;
}

static enum error put_late(struct journal *journal, struct store_transaction *transaction)
{
    enum error error = ERROR_OK;
    for (uint32_t i = 0; i < journal->late_count && !error; i++) {
        char key[LATE_KEY_BYTES];
        late_make_key(&journal->lates[i], key);
        error = store_put(journal->late, transaction, (struct slice){key, sizeof key}, SLICE_LITERAL(""));
    }
    return error;
}

enum error sums_put(struct journal *journal, struct store_transaction *transaction)
{
    enum error error = series_put(journal, transaction);
    for (const struct sum *sum = journal->dirty; sum && !error; sum = sum->next_dirty) {
        char key[SUM_KEY_BYTES], row[ROW_BYTES_MAX];
        sum_make_key(sum->key, key);
        size_t length = write_row(sum->of, row);
        error = store_put(journal->sums, transaction, (struct slice){key, sizeof key}, (struct slice){row, length});
    }
    return error ? error : put_late(journal, transaction);
}

void sums_settle(struct journal *journal)
{
    for (struct sum *sum = journal->dirty; sum; sum = sum->next_dirty)
        sum->is_dirty = false;
    journal->dirty = NULL;
    journal->late_count = 0;
    journal->series_put = journal->series_count;
    if (HASH_COUNT(journal->cached) > CACHED_MAX)
        sums_forget(journal);
}

void sums_forget(struct journal *journal)
{
    struct sum *sum, *next;
    HASH_ITER(hh, journal->cached, sum, next)
    {
        HASH_DEL(journal->cached, sum); /* NOLINT(clang-analyzer-unix.Malloc): uthash keeps no freed element */
        free(sum);
    }
    journal->dirty = journal->recent = NULL;
}

/* ---- reading, on any thread ---- */

struct scan {
    journal_visit_sum *visit;
    void *context;
    bool is_corrupt;
};

static bool scan_row(void *context, struct slice key, struct slice row)
{
    struct scan *scan = context;
    struct sum_key at;
    uint64_t of[MEASURE_COUNT];
    scan->is_corrupt = !sum_read_key(key, &at) || !read_row(row, of);
    return !scan->is_corrupt && scan->visit(scan->context, (int64_t)at.slot * JOURNAL_SLOT_S, at.series, of);
}

enum error journal_scan_sums(struct journal *journal, int64_t from_s, int64_t until_s, journal_visit_sum *visit,
                             void *context)
{
    struct scan scan = {visit, context, false};
    char first[SUM_KEY_BYTES], last[SUM_KEY_BYTES];
    if (!journal->store)
        return ERROR_STORE_IO;
    if (until_s <= from_s || until_s <= 0)
        return ERROR_OK;
    /* The first slot that begins at or after `from_s`; the last one that begins before `until_s`. */
    int64_t from = from_s <= 0 ? 0 : (from_s + JOURNAL_SLOT_S - 1) / JOURNAL_SLOT_S,
            until = (until_s - 1) / JOURNAL_SLOT_S;
    sum_make_key((struct sum_key){from > UINT32_MAX ? UINT32_MAX : (uint32_t)from, 0}, first);
    sum_make_key((struct sum_key){until > UINT32_MAX ? UINT32_MAX : (uint32_t)until, UINT32_MAX}, last);
    enum error error = store_scan(journal->sums, NULL, (struct slice){first, sizeof first},
                                  (struct slice){last, sizeof last}, false, scan_row, &scan);
    return error ? error : scan.is_corrupt ? ERROR_STORE_CORRUPT : ERROR_OK;
}
