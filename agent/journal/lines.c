/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of a period, read from the events. Events lie by when their calls began, lines are asked for by when they were
 * paid: the two differ by the length of a call, and for the few that took longer than LATE_MS the table `late` says
 * where to look.
 */
#include "journal/internal.h"

#include "base/arena.h"
#include "base/check.h"

#include <stdlib.h>

bool line_is_late(const struct id *id, int64_t time_ms)
{
    int64_t begun_ms = (int64_t)id_milliseconds(id);
    return time_ms > begun_ms + LATE_MS || time_ms < begun_ms - LATE_MS;
}

void late_make_key(const struct late *late, char key[LATE_KEY_BYTES])
{
    number_write(late->time_ms < 0 ? 0 : (uint64_t)late->time_ms, key, 8);
    memcpy(key + 8, late->id.bytes, sizeof late->id.bytes);
}

/* ---- rows as runs of events, whether they have one or many ---- */

struct rows {
    journal_visit_row *visit;
    void *context;
    struct packer packer;
    struct buffer events;
};

static bool visit_row(void *context, struct slice key, struct slice row)
{
    struct rows *rows = context;
    struct id newest;
    buffer_reset(&rows->events, SIZE_MAX);
    if (pack_read_key(key, &newest)) {
        if (!pack_read(row, &rows->packer, &rows->events))
            return true; /* what cannot be read is as lost as what was not written */
    } else if (key.length == sizeof newest.bytes) {
        struct event_head head = {.bytes = (uint32_t)row.length};
        memcpy(head.id.bytes, key.data, key.length);
        check(buffer_append(&rows->events, (struct slice){(const char *)&head, sizeof head}) &&
              buffer_append(&rows->events, row));
    } else {
        return true;
    }
    return rows->visit(rows->context, key, buffer_contents(&rows->events));
}

enum error journal_scan_rows(struct journal *journal, const struct id *from, journal_visit_row *visit, void *context)
{
    struct rows rows = {.visit = visit, .context = context};
    const struct slice none = {NULL, 0};
    if (!journal->store)
        return ERROR_STORE_IO;
    buffer_init(&rows.events, SIZE_MAX / 2);
    enum error error =
        store_scan(journal->events, NULL, from ? (struct slice){(const char *)from->bytes, sizeof from->bytes} : none,
                   none, false, visit_row, &rows);
    buffer_done(&rows.events);
    packer_done(&rows.packer);
    return error;
}

/* ---- those of a period ---- */

struct period_scan {
    struct journal *journal;
    int64_t from_ms, until_ms;
    bool wants_late, is_over;
    int64_t late_ms; /* of the row that names the event: an event may have several */
    journal_visit_line *visit;
    void *context;
    enum error error;
};

/* Those of its lines that are of the period, and late or not as is wanted now. */
static void visit_event(struct period_scan *scan, struct id id, struct slice json)
{
    struct arena *arena = arena_new(2048);
    struct journal_line lines[JOURNAL_LINES_MAX];
    unsigned count = journal_read_lines(json, arena, lines);
    for (unsigned i = 0; i < count && !scan->is_over; i++) {
        bool is_in = lines[i].time_ms >= scan->from_ms && lines[i].time_ms < scan->until_ms;
        if (scan->wants_late && lines[i].time_ms != scan->late_ms)
            continue;
        if (is_in && line_is_late(&id, lines[i].time_ms) == scan->wants_late)
            scan->is_over = !scan->visit(scan->context, id, &lines[i], json);
    }
    arena_free(arena);
}

static bool visit_events(void *context, struct slice key, struct slice events)
{
    struct period_scan *scan = context;
    struct id id = {{0}};
    struct slice json;
    memcpy(id.bytes, key.data, sizeof id.bytes); /* the row's newest */
    if ((int64_t)id_milliseconds(&id) > scan->until_ms + LATE_MS + PACK_SPAN_MS)
        return false;
    while (!scan->is_over && events_next(&events, &id, &json))
        visit_event(scan, id, json);
    return !scan->is_over;
}

static bool visit_late(void *context, struct slice key, struct slice value)
{
    enum { EVENT_BYTES_MAX = 64 << 10 };
    struct period_scan *scan = context;
    struct id id;
    size_t length;
    (void)value;
    if (key.length != LATE_KEY_BYTES)
        return true;
    scan->late_ms = (int64_t)number_read(key.data, 8);
    memcpy(id.bytes, key.data + 8, sizeof id.bytes);
    char *json = malloc(EVENT_BYTES_MAX);
    check(json != NULL);
    scan->error = journal_find(scan->journal, id, json, EVENT_BYTES_MAX, &length);
    if (scan->error == ERROR_NOT_FOUND) /* too old, and no longer kept */
        scan->error = ERROR_OK;
    else if (!scan->error)
        visit_event(scan, id, (struct slice){json, length});
    free(json);
    return !scan->error && !scan->is_over;
}

static struct id first_id(int64_t ms)
{
    struct id id = {{0}};
    number_write(ms < 0 ? 0 : (uint64_t)ms, (char *)id.bytes, 6);
    return id;
}

enum error journal_scan_lines(struct journal *journal, int64_t from_ms, int64_t until_ms, journal_visit_line *visit,
                              void *context)
{
    struct period_scan scan = {
        .journal = journal, .from_ms = from_ms, .until_ms = until_ms, .visit = visit, .context = context};
    const struct id from = first_id(from_ms - LATE_MS);
    char first[8], last[8];
    if (until_ms <= from_ms || until_ms <= 0)
        return ERROR_OK;
    enum error error = journal_scan_rows(journal, &from, visit_events, &scan);
    if (error || scan.is_over)
        return error;
    scan.wants_late = true;
    number_write(from_ms < 0 ? 0 : (uint64_t)from_ms, first, sizeof first);
    number_write((uint64_t)until_ms, last, sizeof last); /* shorter than any key of that time */
    error = store_scan(journal->late, NULL, (struct slice){first, sizeof first}, (struct slice){last, sizeof last},
                       false, visit_late, &scan);
    return error ? error : scan.error;
}
