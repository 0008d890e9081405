/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence: what was spent, by whom, on what, from the journal's sums and lines. Above the services, below control;
 * no thread, no socket of its own but for schedule.c. Nothing here is called from a loop.
 */
#ifndef EVIDENCE_EVIDENCE_H
#define EVIDENCE_EVIDENCE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/digest.h"
#include "base/histogram.h"
#include "base/zone.h"
#include "cache/cache.h"
#include "journal/journal.h"
#include "routing/routing.h"
#include "wallet/wallet.h"

#include <stdatomic.h>

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

struct report_filter { /* shell patterns ("claude-*"), of an executable for its path or the last part of it; NULL: any
                        */
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
enum { REPORT_ROWS_MAX = 20000 };
struct report_order {
    struct period period;
    enum period_step step;
    unsigned by; /* bits: 1 << DIMENSION_x */
    struct report_filter filter;
    int64_t pause_s; /* not 0: a row ends where so long nothing came, instead of with its step */
};
/* Into `arena`. REQUEST_INVALID: more than REPORT_ROWS_MAX rows. */
enum error report_make(struct journal *journal, const struct report_order *order, struct arena *arena,
                       struct report *ret_report) MUST_USE;
void report_write_measures(struct buffer *out, const uint64_t of[MEASURE_COUNT]); /* members of a JSON object */
void report_write_measure(struct buffer *out, enum measure measure, uint64_t value);

/* ---- burn.c: how fast wallets are emptied ---- */

struct burn {
    struct money day;        /* what calls cost in the last 24 hours */
    struct money week;       /* per day, in the last seven; of fewer, where the oldest sum is younger */
    struct money month;      /* since the first of the month, UTC */
    struct money projection; /* of the whole month, at the pace of the week */
    int64_t left_s; /* how long `available` lasts at the pace of the last day, else of the week; -1: for ever */
};
/* Of each of `count` wallets; `available`: what each has. */
enum error burn_find(struct journal *journal, int64_t now_s, size_t count, const char *const *wallets,
                     const struct money *available, struct arena *arena, struct burn *ret_burns) MUST_USE;

/* ---- question.c: what people ask of it, each with the period before beside it ---- */

struct question {
    const char *name;        /* "provider-mix" */
    const char *environment; /* whose question it is first of all: dev, prod */
    const char *text;
};
size_t question_count(void);
const struct question *question_at(size_t index);
const struct question *question_find(const char *name); /* NULL: there is none */
/* Members of a JSON object: name, question, period, before, answer (one sentence), columns, rows; what
 * is too much for rows is one more, {"rest": true}, so that they come to the total. As report_make. */
enum error question_write(struct journal *journal, const struct question *question, const struct period *period,
                          struct arena *arena, struct buffer *out) MUST_USE;
/* "period": {…}, under `name`. */
void period_write(struct buffer *out, const char *name, const struct period *period);

/* ---- metrics.c: what Prometheus reads ---- */

struct metrics;
/* Owned by the agent, alive until metrics_close. */
struct metrics_sources {
    struct wallet_ledger *ledger;
    struct journal *journal;
    struct routing *routing;
    struct cache *cache;
    struct settings *(*retain_settings)(void *context);
    /* How long calls spent in our own steps, row by row: the step's name, "overhead" in row 0; NULL: no such row. */
    const char *(*find_timing)(void *context, unsigned row, struct histogram_sum *ret_sum);
    void *context;
};
/* Counts the events that are appended from now on: counters begin at 0 with the agent. */
struct metrics *metrics_open(const struct metrics_sources *sources);
void metrics_close(struct metrics *metrics); /* before the journal's end; NULL is fine */
/* The text exposition format 0.0.4. Waits until what was appended is counted: not from a loop. OVERLOADED: it does not
 * fit into `out`. */
enum error metrics_write(struct metrics *metrics, struct buffer *out) MUST_USE;
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
/* ---- export*.c: a period as a file ---- */

enum export_format { EXPORT_CSV, EXPORT_JSONL, EXPORT_FOCUS, EXPORT_FORMAT_COUNT };
const char *export_format_name(enum export_format format); /* csv jsonl focus */
bool export_parse_format(const char *text, enum export_format *ret_format);
const char *export_suffix(enum export_format format); /* of files: csv jsonl focus.csv */
const char *export_media_type(enum export_format format);

struct export_order {
    struct journal *journal;
    struct wallet_ledger *ledger;
    const struct settings *settings; /* the environment, and the prices that FOCUS rows are divided by */
    enum export_format format;
    struct period period;
    const atomic_bool *is_cancelled; /* looked at after each row; NULL: never */
};
struct export_result {
    uint64_t rows, bytes;
    unsigned char digest[DIGEST_BYTES];
    uint64_t sums[MEASURE_COUNT]; /* of all rows */
    struct wallet_sums ledger;
    /* Rows less ledger. paid: cost − written_off against the POST transfers; written_off against the WRITE_OFFs. */
    struct money paid_difference, written_off_difference;
    bool is_reconciled; /* both are 0 */
    bool has_ended;     /* the period had when it was read */
    int64_t oldest_ms;  /* of the events that are kept, what rows of csv and jsonl are made of */
    int64_t written_ns; /* wall clock */
};
/* Where the bytes go, some 64 KiB at a time; false ends the export. */
typedef bool export_write(void *context, struct slice bytes);
/* One pass over the period, in bounded memory, then one over the ledger. Not from a loop. FILE_UNWRITABLE: `write` said
 * no, or it was cancelled. Nothing was written when it fails before the first call of `write`. */
enum error export_run(const struct export_order *order, export_write *write, void *context,
                      struct export_result *ret_result) MUST_USE;
/* The manifest: a JSON object in one line. `file`: the name of the file that it is about. */
void export_write_manifest(const struct export_order *order, const struct export_result *result, const char *file,
                           struct buffer *out);

/* DIRECTORY/NAME and DIRECTORY/NAME.manifest.json, both or none, synced; the directory is made (0700). FILE_UNWRITABLE
 * also where one of them is there already, or less than limits.disk_low_water_bytes would be left. Without
 * reconciliation, nothing is written when `must_reconcile`. *ret_is_written says so. */
enum error export_save(const struct export_order *order, const char *directory, const char *name, bool must_reconcile,
                       struct export_result *ret_result, bool *ret_is_written) MUST_USE;

/* ---- schedule.c: files that are written by themselves (evidence.exports) ---- */

struct export_window {
    int64_t since_s, until_s;
};
/* The days, weeks or months of `zone` that hold something (from the one of first_s on) and had ended at now_s: at most
 * `max`, the newest, oldest first. Returns how many. */
size_t export_find_windows(const struct zone *zone, enum period_step step, int64_t first_s, int64_t now_s,
                           struct export_window *ret_windows, size_t max);

enum { EXPORT_FAILURE_MAX = 512 };
struct export_schedule;
struct export_schedule_options {
    const char *state; /* directory: STATE/exports.jsonl is the list of what was written */
    struct journal *journal;
    struct wallet_ledger *ledger;
    const atomic_bool *has_events; /* nothing is written before: events of before the start may be missing */
    struct settings *(*retain_settings)(void *context);
    void *context;
};
/* Starts its thread: each window once, as soon as it has ended and agrees with the ledger (or has not for hours). */
struct export_schedule *export_schedule_open(const struct export_schedule_options *options);
void export_schedule_close(struct export_schedule *schedule); /* before the journal's; NULL is fine */
/* What the last look could not write, in words; false: all was written. Any thread. */
bool export_schedule_is_failing(struct export_schedule *schedule, char text[EXPORT_FAILURE_MAX]);
/* Appends a JSON array of what was written, the newest first. Any thread. */
void export_schedule_write(struct export_schedule *schedule, struct buffer *out);

#endif
