/* SPDX-License-Identifier: Apache-2.0 */
/* See written.h. */
#include "evidence/written.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/grow.h"
#include "base/json.h"

#include <stdio.h>

enum { LINE_BYTES_MAX = 8192, FILE_MODE = 0600 };

void written_format(const struct written *row, struct buffer *out)
{
    char time_text[CLOCK_TEXT_MAX];
    json_write_raw(out, "{");
    json_write_member_string(out, "schedule", row->schedule);
    json_write_member_string(out, "format", row->format);
    json_write_member_integer(out, "since_s", row->window.since_s);
    json_write_member_integer(out, "until_s", row->window.until_s);
    json_write_member_string(out, "since", clock_format(row->window.since_s * 1000000000, time_text));
    json_write_member_string(out, "until", clock_format(row->window.until_s * 1000000000, time_text));
    json_write_member_integer(out, "written_s", row->written_s);
    json_write_member_string(out, "written", clock_format(row->written_s * 1000000000, time_text));
    json_write_member_integer(out, "rows", (int64_t)row->rows);
    json_write_member_money(out, "cost", row->cost);
    json_write_member_boolean(out, "reconciled", row->is_reconciled);
    json_write_member_boolean(out, "removed", row->is_removed);
    json_write_member_boolean(out, "early", row->is_early);
    json_write_member_string(out, "file", row->file);
    json_write_raw(out, "}");
}

static bool read_row(struct slice line, struct written *ret_row, char file[LINE_BYTES_MAX])
{
    struct json_value schedule, format, since, until, written, rows, cost, reconciled, removed, early, path;
    const struct json_query queries[] = {
        {"schedule", &schedule}, {"format", &format}, {"since_s", &since}, {"until_s", &until},
        {"written_s", &written}, {"rows", &rows},     {"cost", &cost},     {"reconciled", &reconciled},
        {"removed", &removed},   {"early", &early},   {"file", &path}};
    struct written row = {.file = file};
    char amount[MONEY_TEXT_MAX];
    int64_t count;
    if (json_scan(line, 4, queries, sizeof queries / sizeof *queries, NULL) ||
        !json_get_string(&schedule, row.schedule, sizeof row.schedule) ||
        !json_get_string(&format, row.format, sizeof row.format) || !json_get_integer(&since, &row.window.since_s) ||
        !json_get_integer(&until, &row.window.until_s) || !json_get_integer(&written, &row.written_s) ||
        !json_get_integer(&rows, &count) || !json_get_string(&cost, amount, sizeof amount) ||
        money_parse(slice_of(amount), &row.cost) || !json_get_string(&path, file, LINE_BYTES_MAX))
        return false;
    row.rows = (uint64_t)count;
    row.is_reconciled = reconciled.kind == JSON_KIND_TRUE;
    row.is_removed = removed.kind == JSON_KIND_TRUE;
    row.is_early = early.kind == JSON_KIND_TRUE;
    *ret_row = row;
    return true;
}

void written_read(const char *path, struct written_list *ret_list)
{
    struct buffer text;
    *ret_list = (struct written_list){0};
    buffer_init(&text, (size_t)WRITTEN_MAX * LINE_BYTES_MAX);
    enum error error = file_read_into(path, &text); /* else: nothing was written yet */
    struct slice rest = error ? (struct slice){NULL, 0} : buffer_contents(&text);
    while (rest.length) {
        char file[LINE_BYTES_MAX];
        struct written row;
        const char *end = memchr(rest.data, '\n', rest.length);
        size_t length = end ? (size_t)(end - rest.data) : rest.length;
        if (read_row((struct slice){rest.data, length}, &row, file))
            written_add(ret_list, &row);
        rest = slice_from(rest, length + 1);
    }
    buffer_done(&text);
}

enum error written_save(const char *path, const struct written_list *list)
{
    struct buffer text;
    bool ok = true;
    buffer_init(&text, (size_t)WRITTEN_MAX * LINE_BYTES_MAX);
    for (uint32_t i = 0; i < list->count && ok; i++) {
        written_format(&list->rows[i], &text);
        ok = buffer_append(&text, SLICE_LITERAL("\n"));
    }
    enum error error = ok ? file_swap(path, buffer_contents(&text), FILE_MODE) : ERROR_FILE_UNWRITABLE;
    buffer_done(&text);
    return error;
}

void written_free(struct written_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        free(list->rows[i].file);
    free(list->rows);
    *list = (struct written_list){0};
}

struct written *written_find(const struct written_list *list, const char *format, struct export_window window)
{
    for (uint32_t i = 0; i < list->count; i++) {
        struct written *row = &list->rows[i];
        if (row->window.since_s == window.since_s && row->window.until_s == window.until_s && !row->is_early &&
            !strcmp(row->format, format))
            return row;
    }
    return NULL;
}

bool written_has_file(const struct written_list *list, const char *file, const struct written *except)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (&list->rows[i] != except && !list->rows[i].is_removed && !strcmp(list->rows[i].file, file))
            return true;
    return false;
}

static void remove_at(struct written_list *list, uint32_t index)
{
    free(list->rows[index].file);
    memmove(&list->rows[index], &list->rows[index + 1], (--list->count - index) * sizeof *list->rows);
}

void written_add(struct written_list *list, const struct written *row)
{
    if (list->count == WRITTEN_MAX)
        remove_at(list, 0);
    list->rows = grow_array(list->rows, &list->capacity, list->count, sizeof *list->rows);
    uint32_t at = list->count++;
    for (; at > 0 && list->rows[at - 1].window.since_s > row->window.since_s; at--)
        list->rows[at] = list->rows[at - 1];
    list->rows[at] = *row;
    list->rows[at].file = strdup(row->file);
    check(list->rows[at].file != NULL);
}

bool written_mark_early(struct written_list *list, int64_t now_s)
{
    bool has_changed = false;
    for (uint32_t i = 0; i < list->count; i++) {
        struct written *row = &list->rows[i];
        if (row->is_early || row->window.until_s <= now_s)
            continue;
        row->is_early = true;
        has_changed = true;
    }
    return has_changed;
}
