/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The marks in memory (marks.c decides) and as a file of lines (marks_file.c stores): "take SUBJECT WINDOW THRESHOLD"
 * and "deliver SUBJECT WINDOW THRESHOLD". For these two files only.
 */
#ifndef BUDGET_MARKS_H
#define BUDGET_MARKS_H

#include "budget/budget.h"

enum {
    SUBJECT_BYTES_MAX = 127,
    THRESHOLD_BYTES_MAX = 31,
    SUBJECTS_MAX = 4096,        /* the oldest is forgotten: its alerts may come again */
    MARKS_OF_SUBJECT_MAX = 256, /* further alerts of a window are not given */
    MARKS_FILE_BYTES_MAX = 1 << 28,
    COMPACT_BYTES_MIN = 65536, /* shorter files are left alone */
};

enum mark_verb { MARK_TAKE, MARK_DELIVER };

struct mark {
    uint64_t window;
    bool is_delivered;
    char threshold[THRESHOLD_BYTES_MAX + 1];
};

struct subject {
    char name[SUBJECT_BYTES_MAX + 1];
    uint64_t newest; /* window */
    struct mark *marks;
    size_t count, capacity;
};

struct budget_marks {
    char *file, *temporary, *folder;
    int fd;
    bool is_behind;                        /* a write failed: the file lacks something that memory has */
    int64_t bytes, bytes_after_compaction; /* of whole lines */
    struct subject *subjects;
    size_t count, last_found; /* lines of one subject mostly follow each other */
};

/* In memory: true when it was news. */
bool marks_take(struct budget_marks *marks, const char *subject, uint64_t window, const char *threshold);
bool marks_deliver(struct budget_marks *marks, const char *subject, uint64_t window, const char *threshold);

/* Reads the file, drops a torn end, and keeps it open. */
enum error marks_file_open(struct budget_marks *marks) MUST_USE;
/* Durable when it returns; rewrites the file when it has grown to twice its size. While the disk refuses,
 * memory knows, and each further call tries to write everything. */
void marks_file_append(struct budget_marks *marks, enum mark_verb verb, const char *subject, uint64_t window,
                       const char *threshold);

#endif
