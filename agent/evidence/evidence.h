/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence: what was spent, by whom, on what, from the journal's sums and lines. Above the services, below control;
 * no thread, no socket of its own but for schedule.c. Nothing here is called from a loop.
 */
#ifndef EVIDENCE_EVIDENCE_H
#define EVIDENCE_EVIDENCE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/zone.h"
#include "journal/journal.h"

/* ---- period.c: spans of time as people write them ---- */

enum period_step { STEP_ALL, STEP_QUARTER, STEP_HOUR, STEP_DAY, STEP_WEEK, STEP_MONTH };
/* [since_s, until_s), seconds since 1970, multiples of JOURNAL_SLOT_S. */
struct period {
    int64_t since_s, until_s;
    const struct zone *zone;
    const char *zone_name;
};
/* "today" "yesterday" "this-week" "last-week" "this-month" "last-month" "24h" "7d" "30d" "all", "2026-11-01",
 * "2026-11", "2026-11-01..2026-11-15" (the last day excluded), "2026-11-01T10:00..2026-11-01T12:00"; local in `zone`;
 * weeks begin on Monday. False with *ret_why in words (a fixed text). */
bool period_parse(const char *text, const struct zone *zone, const char *zone_name, int64_t now_s,
                  struct period *ret_period, const char **ret_why);
/* The one before it, as long: of a whole calendar month the month before, and so for weeks and days. */
struct period period_before(const struct period *period);
/* When the step that holds `at_s` begins, and the next one. */
int64_t period_step_start(const struct zone *zone, enum period_step step, int64_t at_s);
int64_t period_step_next(const struct zone *zone, enum period_step step, int64_t start_s);
bool period_parse_step(const char *text, enum period_step *ret_step);
/* "2026-11-29T00:00:00+01:00" */
enum { PERIOD_TEXT_MAX = 32 };
char *period_format(const struct zone *zone, int64_t at_s, char text[PERIOD_TEXT_MAX]);

/* ---- report.c: sums, grouped ---- */

struct report_filter { /* shell patterns over names ("claude-*"); NULL: any */
    const char *names[DIMENSION_COUNT];
};
struct report_row {
    int64_t start_s;                    /* of its step */
    const char *names[DIMENSION_COUNT]; /* of the dimensions that it is grouped by; NULL: the others */
    uint64_t of[MEASURE_COUNT];
    int64_t first_s, last_s; /* the slots of its first and last sum */
};
struct report {
    struct report_row *rows; /* by start_s, then by cost, the dearest first */
    size_t count;
    struct report_row total;
};
/* `by`: bits 1 << DIMENSION_x. Into `arena`. `program`-like names: the last part of the executable's path when
 * `short_programs`. REQUEST_INVALID: more than REPORT_ROWS_MAX rows. */
enum { REPORT_ROWS_MAX = 100000 };
struct report_order {
    struct period period;
    enum period_step step;
    unsigned by;
    struct report_filter filter;
};
enum error report_make(struct journal *journal, const struct report_order *order, struct arena *arena,
                       struct report *ret_report) MUST_USE;
void report_write_measures(struct buffer *out, const uint64_t of[MEASURE_COUNT]); /* members of a JSON object */

#endif
