/* SPDX-License-Identifier: Apache-2.0 */
/* Private to evidence/: counters of events, kept apart by a bounded number of names. */
#ifndef EVIDENCE_METRICS_COUNT_H
#define EVIDENCE_METRICS_COUNT_H

#include "evidence/exposition.h"
#include "journal/journal.h"

struct metrics_counts;

/* Follows the journal. */
struct metrics_counts *metrics_counts_open(struct journal *journal);
void metrics_counts_close(struct metrics_counts *counts);
void metrics_counts_write(struct metrics_counts *counts, struct exposition *exposition);

#endif
