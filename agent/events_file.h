/* SPDX-License-Identifier: Apache-2.0 */
/* Events as lines of JSON in a file (evidence.events_file), for programs that collect logs. Called by agent.c only. */
#ifndef EVENTS_FILE_H
#define EVENTS_FILE_H

#include "journal/journal.h"

struct events_file;

/* Never fails: a file that cannot be written is logged once, and tried again with later events. */
struct events_file *events_file_open(struct journal *journal, const char *path);
/* Events that are not in it since it was opened. Any thread; NULL: 0. */
uint64_t events_file_count_missing(struct events_file *file);
void events_file_close(struct events_file *file); /* while the journal is open; NULL is fine */

#endif
