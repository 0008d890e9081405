/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to schedule.c: the list of exports that were written, kept in one file of JSON lines, replaced whole. It is
 * what makes each window be written once, also when its file was moved away since. One thread at a time.
 */
#ifndef EVIDENCE_WRITTEN_H
#define EVIDENCE_WRITTEN_H

#include "evidence/evidence.h"

enum { WRITTEN_MAX = 4000, WRITTEN_WORD_MAX = 16 }; /* then the oldest windows are forgotten */

struct written {
    char schedule[WRITTEN_WORD_MAX], format[WRITTEN_WORD_MAX];
    struct export_window window;
    int64_t written_s; /* wall clock */
    uint64_t rows;
    struct money cost;
    bool is_reconciled;
    bool is_removed; /* too old to be kept */
    bool is_early;   /* its window has not ended: the clock was ahead. Another file comes, this one stays. */
    char *file;      /* its path */
};
struct written_list {
    struct written *rows; /* by window, the oldest first */
    uint32_t count, capacity;
};

/* A file that is not there is an empty list; lines that make no sense are left out. */
void written_read(const char *path, struct written_list *ret_list);
enum error written_save(const char *path, const struct written_list *list) MUST_USE; /* FILE_UNWRITABLE */
void written_free(struct written_list *list);
/* Of this window and format, and not early; NULL: none. */
struct written *written_find(const struct written_list *list, const char *format, struct export_window window);
/* A row whose file is to be there; `except`: no matter what that one says. */
bool written_has_file(const struct written_list *list, const char *file, const struct written *except);
void written_add(struct written_list *list, const struct written *row); /* `file` is copied */
bool written_mark_early(struct written_list *list, int64_t now_s);      /* true: some are since now */
void written_format(const struct written *row, struct buffer *out);     /* as a JSON object */

#endif
