/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events: one JSON document per exchange, kept in aux/ keyed by id (time order), and handed to followers as they
 * arrive. One writer thread, batches, never on a loop. Losing aux never stops the agent: journal_append still works,
 * followers still see events, and journal_is_failed says that nothing is kept.
 */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include "base/error.h"
#include "base/id.h"
#include "base/mailbox.h"
#include "base/slice.h"

struct journal;
struct journal_follower;

/* Opens STATE/aux; a damaged one is moved aside (aux.damaged-TIME) and a new one made. */
enum error journal_open(const char *directory, struct journal **ret_journal) MUST_USE;
void journal_close(struct journal *journal); /* writes what is queued */

/* Copies `json` (one line, no newline). Any thread. Bounded: past 10,000 waiting events it drops and counts. */
void journal_append(struct journal *journal, struct id id, struct slice json);
/* Waits until everything appended before the call can be found. Not from a loop. */
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

bool journal_is_failed(const struct journal *journal);
unsigned long journal_dropped(const struct journal *journal);

#endif
