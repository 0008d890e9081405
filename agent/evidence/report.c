/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums of a period, grouped by names and steps of time. Each series is matched and grouped once, whatever its sums are
 * many; slots come in order, so that the row which a sum belongs to is the last one of its group, or a new one.
 */
#include "evidence/evidence.h"

#include "base/check.h"
#include "base/grow.h"
#include "base/hash.h"
#include "base/json.h"

#include <fnmatch.h>
#include <stdlib.h>

enum { GROUP_NONE = -1, GROUP_UNKNOWN = -2, KEY_BYTES_MAX = DIMENSION_COUNT * (JOURNAL_NAME_BYTES_MAX + 1) };

struct group {
    UT_hash_handle hh;
    int32_t number;
    uint32_t row; /* its newest; UINT32_MAX: none yet */
    const char *names[DIMENSION_COUNT];
    size_t key_bytes;
    char key[];
};

struct making {
    struct journal *journal;
    const struct report_order *order;
    struct arena *arena;
    int32_t *group_of; /* by series */
    uint32_t series_count;
    struct group *by_key, **groups;
    uint32_t group_count, group_capacity;
    struct report_row *rows;
    uint32_t row_count, row_capacity;
    struct report_row *total;
    int64_t step_start_s, step_next_s;
    bool is_full;
};

static bool is_match(const struct report_filter *filter, const char *const names[DIMENSION_COUNT])
{
    for (size_t i = 0; i < DIMENSION_COUNT; i++) {
        const char *pattern = filter->names[i], *slash = strrchr(names[i], '/');
        if (!pattern || fnmatch(pattern, names[i], 0) == 0)
            continue;
        if (i != DIMENSION_executable || !slash || fnmatch(pattern, slash + 1, 0) != 0)
            return false;
    }
    return true;
}

static size_t make_key(const struct making *making, const char *const names[DIMENSION_COUNT], char *key)
{
    char *out = key;
    for (size_t i = 0; i < DIMENSION_COUNT; i++) {
        if (!(making->order->by & 1u << i))
            continue;
        size_t bytes = strlen(names[i]) + 1;
        memcpy(out, names[i], bytes);
        out += bytes;
    }
    return (size_t)(out - key);
}

static int32_t find_group(struct making *making, const char *const names[DIMENSION_COUNT])
{
    char key[KEY_BYTES_MAX];
    size_t key_bytes = make_key(making, names, key);
    struct group *group;
    HASH_FIND(hh, making->by_key, key, key_bytes, group);
    if (group)
        return group->number;
    group = arena_alloc(making->arena, sizeof *group + key_bytes);
    *group = (struct group){.number = (int32_t)making->group_count, .row = UINT32_MAX, .key_bytes = key_bytes};
    memcpy(group->key, key, key_bytes);
    for (size_t i = 0; i < DIMENSION_COUNT; i++)
        if (making->order->by & 1u << i)
            group->names[i] = names[i]; /* the journal's, as long as it is open */
    HASH_ADD_KEYPTR(hh, making->by_key, group->key, group->key_bytes, group);
    making->groups = grow_array(making->groups, &making->group_capacity, making->group_count, sizeof(struct group *));
    making->groups[making->group_count++] = group;
    return group->number;
}

static int32_t group_of(struct making *making, uint32_t series)
{
    const char *names[DIMENSION_COUNT];
    if (series >= making->series_count) /* newer than this report */
        return GROUP_NONE;
    if (making->group_of[series] == GROUP_UNKNOWN) {
        journal_find_series(making->journal, series, names);
        making->group_of[series] = is_match(&making->order->filter, names) ? find_group(making, names) : GROUP_NONE;
    }
    return making->group_of[series];
}

static void add(struct report_row *row, int64_t slot_s, const uint64_t of[MEASURE_COUNT])
{
    for (size_t i = 0; i < MEASURE_COUNT; i++)
        if (__builtin_add_overflow(row->of[i], of[i], &row->of[i]))
            row->of[i] = UINT64_MAX;
    row->last_s = slot_s;
}

static bool is_in_row(const struct making *making, const struct report_row *row, int64_t slot_s)
{
    return making->order->pause_s ? slot_s - row->last_s <= making->order->pause_s
                                  : row->start_s == making->step_start_s;
}

static struct report_row *row_of(struct making *making, struct group *group, int64_t slot_s)
{
    if (group->row != UINT32_MAX && is_in_row(making, &making->rows[group->row], slot_s))
        return &making->rows[group->row];
    if (making->row_count == REPORT_ROWS_MAX)
        return NULL;
    making->rows = grow_array(making->rows, &making->row_capacity, making->row_count, sizeof *making->rows);
    group->row = making->row_count++;
    struct report_row *row = &making->rows[group->row];
    *row = (struct report_row){.start_s = making->order->pause_s ? slot_s : making->step_start_s, .first_s = slot_s};
    memcpy(row->names, group->names, sizeof row->names);
    return row;
}

static void find_step(struct making *making, int64_t slot_s)
{
    const struct period *period = &making->order->period;
    if (slot_s < making->step_next_s)
        return;
    making->step_start_s = period_step_start(period->zone, making->order->step, slot_s);
    making->step_next_s = period_step_next(period->zone, making->order->step, making->step_start_s);
    if (making->step_start_s < period->since_s)
        making->step_start_s = period->since_s;
}

static bool add_sum(void *context, int64_t slot_s, uint32_t series, const uint64_t of[MEASURE_COUNT])
{
    struct making *making = context;
    int32_t number = group_of(making, series);
    if (number == GROUP_NONE)
        return true;
    find_step(making, slot_s);
    struct report_row *row = row_of(making, making->groups[number], slot_s);
    making->is_full = !row;
    if (!row)
        return false;
    add(row, slot_s, of);
    if (!making->total->last_s)
        making->total->first_s = slot_s;
    add(making->total, slot_s, of);
    return true;
}

static int compare_rows(const void *a, const void *b)
{
    const struct report_row *left = a, *right = b;
    static const enum measure order[] = {MEASURE_cost, MEASURE_avoided, MEASURE_calls};
    if (left->start_s != right->start_s)
        return left->start_s < right->start_s ? -1 : 1;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (left->of[order[i]] != right->of[order[i]])
            return left->of[order[i]] > right->of[order[i]] ? -1 : 1;
    for (size_t i = 0; i < DIMENSION_COUNT; i++) {
        int result = left->names[i] ? strcmp(left->names[i], right->names[i]) : 0;
        if (result)
            return result;
    }
    return 0;
}

enum error report_make(struct journal *journal, const struct report_order *order, struct arena *arena,
                       struct report *ret_report)
{
    struct making making = {.journal = journal, .order = order, .arena = arena, .step_next_s = INT64_MIN};
    *ret_report = (struct report){.total.start_s = order->period.since_s};
    making.total = &ret_report->total;
    making.series_count = journal_count_series(journal);
    making.group_of = malloc((making.series_count + 1) * sizeof *making.group_of);
    check(making.group_of != NULL);
    for (uint32_t i = 0; i < making.series_count; i++)
        making.group_of[i] = GROUP_UNKNOWN;
    enum error error = journal_scan_sums(journal, order->period.since_s, order->period.until_s, add_sum, &making);
    if (!error && making.is_full)
        error = ERROR_REQUEST_INVALID;
    if (!error && making.row_count) {
        ret_report->count = making.row_count;
        ret_report->rows = arena_new_array(arena, struct report_row, making.row_count);
        memcpy(ret_report->rows, making.rows, making.row_count * sizeof *making.rows);
        qsort(ret_report->rows, ret_report->count, sizeof *ret_report->rows, compare_rows);
    }
    HASH_CLEAR(hh, making.by_key);
    free(making.groups);
    free(making.group_of);
    free(making.rows);
    return error;
}

void report_write_measure(struct buffer *out, enum measure measure, uint64_t value)
{
    const char *name = journal_measure_name(measure);
    int64_t number = value > INT64_MAX ? INT64_MAX : (int64_t)value;
    if (journal_measure_unit(measure) == UNIT_MONEY)
        json_write_member_money(out, name, (struct money){number});
    else
        json_write_member_integer(out, name, number);
}

void report_write_measures(struct buffer *out, const uint64_t of[MEASURE_COUNT])
{
    for (size_t i = 0; i < MEASURE_COUNT; i++)
        report_write_measure(out, (enum measure)i, of[i]);
}
