/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSV and JSON lines: one row per line of the journal, that is, per call and per earlier try of it that cost something.
 * The same columns in both: a table, from which header and rows are made. Called by export.c.
 */
#include "evidence/export.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/format.h"
#include "base/json.h"

#include <stdlib.h>

/* What the event says besides its line. */
static const struct detail {
    const char *name, *path;
    bool is_number;
    bool is_of_attempt; /* of an earlier try: as its own row of attempts[] says */
} details[] = {
    {"host", "host", false, false},  {"endpoint", "endpoint", false, false},
    {"pid", "pid", true, false},     {"status", "status", true, true},
    {"rule", "rule", false, false},  {"cache_status", "cache_status", false, false},
    {"basis", "basis", false, true}, {"usage_source", "usage_source", false, true},
};
enum { DETAIL_COUNT = sizeof details / sizeof *details, DETAIL_BYTES_MAX = 512 };

enum column_kind {
    COLUMN_ID,
    COLUMN_ATTEMPT,
    COLUMN_TIME,
    COLUMN_ENVIRONMENT,
    COLUMN_DIMENSION,
    COLUMN_DETAIL,
    COLUMN_MEASURE
};
struct column {
    const char *name;
    enum column_kind kind;
    unsigned index; /* which dimension, detail or measure */
};
enum { COLUMN_COUNT = 4 + DIMENSION_COUNT + DETAIL_COUNT + MEASURE_COUNT };

struct cell {
    enum { CELL_NONE, CELL_TEXT, CELL_NUMBER, CELL_MONEY } kind;
    struct slice text;
};

struct rows {
    struct export_file *file;
    bool is_json;
    struct column columns[COLUMN_COUNT];
    /* the row at hand */
    char id[ID_TEXT_MAX], time[CLOCK_TEXT_MAX], number[MONEY_TEXT_MAX];
    char detail_texts[DETAIL_COUNT][DETAIL_BYTES_MAX];
    struct slice details[DETAIL_COUNT]; /* data NULL: the event does not say */
    const struct journal_line *line;
};

static void list_columns(struct column columns[COLUMN_COUNT])
{
    struct column *next = columns;
    *next++ = (struct column){"id", COLUMN_ID, 0};
    *next++ = (struct column){"attempt", COLUMN_ATTEMPT, 0};
    *next++ = (struct column){"time", COLUMN_TIME, 0};
    *next++ = (struct column){"environment", COLUMN_ENVIRONMENT, 0};
    for (unsigned i = 0; i < DIMENSION_COUNT; i++)
        *next++ = (struct column){journal_dimension_name(i), COLUMN_DIMENSION, i};
    for (unsigned i = 0; i < DETAIL_COUNT; i++)
        *next++ = (struct column){details[i].name, COLUMN_DETAIL, i};
    for (unsigned i = 0; i < MEASURE_COUNT; i++)
        *next++ = (struct column){journal_measure_name(i), COLUMN_MEASURE, i};
}

/* ---- what the event says ---- */

static void take_detail(struct rows *rows, size_t index, const struct json_value *value)
{
    char *text = rows->detail_texts[index];
    rows->details[index] = (struct slice){NULL, 0};
    if (details[index].is_number && value->kind == JSON_KIND_NUMBER)
        rows->details[index] = value->raw;
    else if (!details[index].is_number && json_get_string(value, text, DETAIL_BYTES_MAX))
        rows->details[index] = slice_of(text);
}

static bool read_details(struct rows *rows, struct slice json, bool is_attempt, struct json_value *ret_attempts)
{
    struct json_value values[DETAIL_COUNT];
    struct json_query queries[DETAIL_COUNT + 1];
    size_t count = 0, indexes[DETAIL_COUNT];
    for (size_t i = 0; i < DETAIL_COUNT; i++) {
        if (is_attempt && !details[i].is_of_attempt)
            continue;
        queries[count] = (struct json_query){details[i].path, &values[i]};
        indexes[count++] = i;
    }
    queries[count] = (struct json_query){"attempts", ret_attempts};
    if (json_scan(json, 128, queries, count + 1, NULL))
        return false;
    for (size_t i = 0; i < count; i++)
        take_detail(rows, indexes[i], &values[indexes[i]]);
    return true;
}

static void find_details(struct rows *rows, const struct journal_line *line, struct slice json)
{
    struct json_value attempts, attempt, ignored;
    size_t at = 0;
    memset(rows->details, 0, sizeof rows->details);
    if (!read_details(rows, json, false, &attempts) || line->of[MEASURE_calls])
        return;
    for (unsigned i = 0; json_next_element(attempts.raw, &at, &attempt); i++)
        if (i == line->attempt) {
            (void)read_details(rows, attempt.raw, true, &ignored); /* else: what the call says */
            return;
        }
}

/* ---- cells ---- */

static struct cell text_cell(const char *text)
{
    return (struct cell){CELL_TEXT, slice_of(text ? text : "")};
}

static struct cell number_cell(struct rows *rows, uint64_t value)
{
    return (struct cell){CELL_NUMBER, format_unsigned(value, rows->number)};
}

static struct cell measure_cell(struct rows *rows, unsigned measure)
{
    uint64_t value = rows->line->of[measure];
    const bool is_money = journal_measure_unit(measure) == UNIT_MONEY;
    if (value == 0) /* most of them are */
        return (struct cell){is_money ? CELL_MONEY : CELL_NUMBER, SLICE_LITERAL("0")};
    if (!is_money)
        return number_cell(rows, value);
    return (struct cell){CELL_MONEY, slice_of(money_format(money_clamp(value), rows->number))};
}

static struct cell make_cell(struct rows *rows, const struct column *column)
{
    const unsigned index = column->index;
    switch (column->kind) {
    case COLUMN_ID:
        return text_cell(rows->id);
    case COLUMN_ATTEMPT:
        return number_cell(rows, rows->line->attempt);
    case COLUMN_TIME:
        return text_cell(rows->time);
    case COLUMN_ENVIRONMENT:
        return text_cell(config_environment_name(rows->file->order->settings->environment));
    case COLUMN_DIMENSION:
        return text_cell(rows->line->names[index]);
    case COLUMN_DETAIL:
        if (!rows->details[index].data)
            return (struct cell){CELL_NONE, {NULL, 0}};
        return (struct cell){details[index].is_number ? CELL_NUMBER : CELL_TEXT, rows->details[index]};
    case COLUMN_MEASURE:
        return measure_cell(rows, index);
    }
    return (struct cell){CELL_NONE, {NULL, 0}};
}

static void put_csv(struct buffer *out, const struct cell *cell)
{
    if (cell->kind == CELL_TEXT)
        csv_put_text(out, cell->text);
    else if (cell->kind != CELL_NONE)
        csv_put_raw(out, cell->text);
}

/* Money is a string there, as everywhere in our JSON: numbers lose digits in most readers. */
static void put_json(struct buffer *out, const struct column *column, const struct cell *cell)
{
    json_write_member(out, column->name);
    if (cell->kind == CELL_NONE)
        json_write_raw(out, "null");
    else if (cell->kind == CELL_NUMBER)
        json_write_bytes(out, cell->text);
    else
        json_write_string(out, cell->text);
}

static void put_row(struct rows *rows)
{
    struct buffer *out = &rows->file->out;
    csv_put_raw(out, rows->is_json ? SLICE_LITERAL("{") : SLICE_LITERAL(""));
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        const struct cell cell = make_cell(rows, &rows->columns[i]);
        if (rows->is_json) {
            put_json(out, &rows->columns[i], &cell);
            continue;
        }
        csv_put_raw(out, i ? SLICE_LITERAL(",") : SLICE_LITERAL(""));
        put_csv(out, &cell);
    }
    csv_put_raw(out, rows->is_json ? SLICE_LITERAL("}\n") : SLICE_LITERAL("\r\n"));
}

static void put_header(struct rows *rows)
{
    struct buffer *out = &rows->file->out;
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        csv_put_raw(out, i ? SLICE_LITERAL(",") : SLICE_LITERAL(""));
        csv_put_raw(out, slice_of(rows->columns[i].name));
    }
    csv_put_raw(out, SLICE_LITERAL("\r\n"));
}

static bool visit_line(void *context, struct id id, const struct journal_line *line, struct slice json)
{
    struct rows *rows = context;
    rows->line = line;
    id_format(id, rows->id);
    clock_format(line->time_ms * 1000000, rows->time);
    find_details(rows, line, json);
    put_row(rows);
    for (unsigned i = 0; i < MEASURE_COUNT; i++)
        rows->file->result->sums[i] += line->of[i];
    return export_end_row(rows->file);
}

enum error export_rows(struct export_file *file)
{
    const struct export_order *order = file->order;
    struct rows *rows = calloc(1, sizeof *rows);
    check(rows != NULL);
    rows->file = file;
    rows->is_json = order->format == EXPORT_JSONL;
    list_columns(rows->columns);
    if (!rows->is_json)
        put_header(rows);
    enum error error = journal_scan_lines(order->journal, order->period.since_s * 1000, order->period.until_s * 1000,
                                          visit_line, rows);
    free(rows);
    return error;
}
