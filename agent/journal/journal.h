/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events: one JSON document per exchange, kept in aux/ keyed by id (time order), and handed to followers as they
 * arrive. One writer thread, batches, never on a loop. Losing aux never stops the agent: journal_append still works,
 * followers still see events, and journal_is_failed says that nothing is kept.
 */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include "base/arena.h"
#include "base/error.h"
#include "base/id.h"
#include "base/mailbox.h"
#include "base/slice.h"
#include "config/config.h"

struct journal;
struct journal_follower;

enum dimension {
#define DIMENSION(name) DIMENSION_##name,
#include "journal/dimensions.def"
#undef DIMENSION
    DIMENSION_COUNT
};
enum measure {
#define MEASURE(name, unit) MEASURE_##name,
#include "journal/measures.def"
#undef MEASURE
    MEASURE_buckets, /* the first of BUCKET_COUNT */
    MEASURE_COUNT = MEASURE_buckets + BUCKET_COUNT
};
enum measure_unit { UNIT_COUNT, UNIT_BYTES, UNIT_MICROSECONDS, UNIT_MONEY };
const char *journal_dimension_name(enum dimension dimension);
const char *journal_measure_name(enum measure measure);
enum measure_unit journal_measure_unit(enum measure measure);

/* What sums are made of. An event has one line that counts the call, and one more for each earlier try that cost
 * something. */
struct journal_line {
    int64_t time_ms;  /* wall clock: of the transfer that paid; where nothing was paid, of the end of the call */
    unsigned attempt; /* 0: the first */
    const char *names[DIMENSION_COUNT]; /* NULL as ""; cut to JOURNAL_NAME_BYTES_MAX */
    const char *paid_for;               /* id of the hold that was settled, where that is another call's; else NULL */
    uint64_t of[MEASURE_COUNT];
};
enum { JOURNAL_NAME_BYTES_MAX = 255, JOURNAL_LINES_MAX = 4 };

/* Opens STATE/aux; a damaged one is moved aside (aux.damaged-TIME) and a new one made. */
enum error journal_open(const char *directory, struct journal **ret_journal) MUST_USE;
void journal_close(struct journal *journal); /* writes what is queued */

/* Copies `json` (one line, no newline) and its lines, which journal_read_lines finds in it again. Any thread. Bounded:
 * past 10,000 waiting events it drops and counts. */
void journal_append(struct journal *journal, struct id id, struct slice json, const struct journal_line *lines,
                    unsigned line_count);
/* The same for events that are rare: the lines are read from the document. */
void journal_append_event(struct journal *journal, struct id id, struct slice json);
/* Waits until everything appended before the call can be found, or waits for room on the disk. Not from a loop. */
void journal_flush(struct journal *journal);

/* The document into `arena`-owned memory is the caller's business: copies into text (bytes_max), NOT_FOUND. */
enum error journal_find(struct journal *journal, struct id id, char *text, size_t bytes_max,
                        size_t *ret_length) MUST_USE;
typedef bool journal_visit(void *context, struct id id, struct slice json);
/* Newest first, at most `max`. */
enum error journal_recent(struct journal *journal, size_t max, journal_visit *visit, void *context) MUST_USE;

/* Calls `deliver` for each event appended from now on, on the journal's thread, until unfollowed. */
struct journal_follower *journal_follow(struct journal *journal, void (*deliver)(void *context, struct slice json),
                                        void *context);
void journal_unfollow(struct journal *journal, struct journal_follower *follower); /* returns when no delivery runs */

/* ---- lines and sums ---- */

/* The lines of an event, read from its document; texts are put into `arena`. Returns how many. */
unsigned journal_read_lines(struct slice json, struct arena *arena, struct journal_line lines[JOURNAL_LINES_MAX]);

/* Every line whose time is in [from_ms, until_ms), in the order of the events' ids; with the event that it is from.
 * Stops when `visit` returns false. What it is given is valid during the call. Not from a loop. */
typedef bool journal_visit_line(void *context, struct id id, const struct journal_line *line, struct slice json);
enum error journal_scan_lines(struct journal *journal, int64_t from_ms, int64_t until_ms, journal_visit_line *visit,
                              void *context) MUST_USE;

/* The sums of lines, by quarters of an hour (so that days of every time zone are whole) and series: a series is one
 * combination of names. In the same transaction as the events. They outlive the events (evidence.keep_events_days). */
enum { JOURNAL_SLOT_S = 900 };
/* Every sum of the slots that begin in [from_s, until_s), seconds since 1970; in the order of slots. */
typedef bool journal_visit_sum(void *context, int64_t slot_s, uint32_t series, const uint64_t of[MEASURE_COUNT]);
enum error journal_scan_sums(struct journal *journal, int64_t from_s, int64_t until_s, journal_visit_sum *visit,
                             void *context) MUST_USE;
/* Series are numbered from 0. The names stay valid as long as the journal is open. */
uint32_t journal_count_series(struct journal *journal);
void journal_find_series(struct journal *journal, uint32_t series, const char *ret_names[DIMENSION_COUNT]);
/* Makes the sums of all events that are kept anew; older sums stay. Waits until it is done; meanwhile events wait. Not
 * from a loop. *ret_events: how many were read. */
enum error journal_rebuild_sums(struct journal *journal, uint64_t *ret_events) MUST_USE;
/* Removes events that began before, and sums of slots before; 0: none. Bounded: true when more is left to remove. */
bool journal_trim(struct journal *journal, int64_t events_before_ms, int64_t sums_before_s);
/* When the oldest kept event began; INT64_MAX: there is none. */
int64_t journal_oldest_ms(struct journal *journal);

/* What the ledger says to be recorded, see reconcile.c: the last transfer up to which every payment has its event. The
 * mark moves when the journal is closed and nothing was lost. */
uint64_t journal_get_mark(struct journal *journal);
void journal_set_mark(struct journal *journal, uint64_t sequence);
/* Something was paid that no event says: the mark stays where it is. */
void journal_note_gap(struct journal *journal);

bool journal_is_failed(const struct journal *journal);
unsigned long journal_dropped(const struct journal *journal);

#endif
