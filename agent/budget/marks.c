/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which alerts were given. Of each subject only the newest window is kept, and what of older ones is not delivered yet:
 * so memory and file stay small for ever, and a clock that steps back gives nothing twice.
 */
#include "budget/marks.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct subject *find_subject(struct budget_marks *marks, const char *name)
{
    if (marks->last_found < marks->count && strcmp(marks->subjects[marks->last_found].name, name) == 0)
        return &marks->subjects[marks->last_found];
    for (size_t i = 0; i < marks->count; i++) {
        if (strcmp(marks->subjects[i].name, name) != 0)
            continue;
        marks->last_found = i;
        return &marks->subjects[i];
    }
    return NULL;
}

static struct subject *add_subject(struct budget_marks *marks, const char *name)
{
    if (marks->count == SUBJECTS_MAX) {
        free(marks->subjects[0].marks);
        marks->count--;
        memmove(marks->subjects, marks->subjects + 1, marks->count * sizeof *marks->subjects);
    }
    struct subject *subject = &marks->subjects[marks->count];
    *subject = (struct subject){0};
    snprintf(subject->name, sizeof subject->name, "%s", name);
    marks->last_found = marks->count++;
    return subject;
}

static struct mark *find_mark(struct subject *subject, uint64_t window, const char *threshold)
{
    for (size_t i = 0; i < subject->count; i++)
        if (subject->marks[i].window == window && strcmp(subject->marks[i].threshold, threshold) == 0)
            return &subject->marks[i];
    return NULL;
}

static bool is_needed(const struct subject *subject, const struct mark *mark)
{
    return mark->window == subject->newest || !mark->is_delivered;
}

static void drop_old_marks(struct subject *subject)
{
    size_t kept = 0;
    for (size_t i = 0; i < subject->count; i++)
        if (is_needed(subject, &subject->marks[i]))
            subject->marks[kept++] = subject->marks[i];
    subject->count = kept;
}

static bool grow(struct subject *subject)
{
    size_t capacity = subject->capacity ? 2 * subject->capacity : 8;
    struct mark *grown = realloc(subject->marks, capacity * sizeof *grown);
    if (!grown)
        return false;
    subject->marks = grown;
    subject->capacity = capacity;
    return true;
}

/* Where delivery fails for ever, the oldest that waits gives way. */
static bool make_room(struct subject *subject)
{
    if (subject->count < MARKS_OF_SUBJECT_MAX)
        return subject->count < subject->capacity || grow(subject);
    if (subject->marks[0].window == subject->newest)
        return false;
    subject->count--;
    memmove(subject->marks, subject->marks + 1, subject->count * sizeof *subject->marks);
    return true;
}

bool marks_take(struct budget_marks *marks, const char *subject_name, uint64_t window, const char *threshold)
{
    struct subject *subject = find_subject(marks, subject_name);
    if (!subject)
        subject = add_subject(marks, subject_name);
    if (window < subject->newest || find_mark(subject, window, threshold))
        return false;
    if (window > subject->newest) {
        subject->newest = window;
        drop_old_marks(subject);
    }
    if (!make_room(subject))
        return false;
    struct mark *mark = &subject->marks[subject->count++];
    *mark = (struct mark){.window = window};
    snprintf(mark->threshold, sizeof mark->threshold, "%s", threshold);
    return true;
}

bool marks_deliver(struct budget_marks *marks, const char *subject_name, uint64_t window, const char *threshold)
{
    struct subject *subject = find_subject(marks, subject_name);
    struct mark *mark = subject ? find_mark(subject, window, threshold) : NULL;
    if (!mark || mark->is_delivered)
        return false;
    mark->is_delivered = true;
    drop_old_marks(subject);
    return true;
}

static bool is_word(const char *text, size_t bytes_max)
{
    size_t length = strlen(text);
    bool ok = length >= 1 && length <= bytes_max;
    for (size_t i = 0; i < length; i++)
        ok &= text[i] > ' ' && text[i] < 0x7f;
    return ok;
}

bool budget_marks_take(struct budget_marks *marks, const char *subject, uint64_t window, const char *threshold)
{
    check(is_word(subject, SUBJECT_BYTES_MAX) && is_word(threshold, THRESHOLD_BYTES_MAX));
    bool is_news = marks_take(marks, subject, window, threshold);
    if (is_news)
        marks_file_append(marks, MARK_TAKE, subject, window, threshold);
    return is_news;
}

void budget_marks_deliver(struct budget_marks *marks, const char *subject, uint64_t window, const char *threshold)
{
    if (marks_deliver(marks, subject, window, threshold))
        marks_file_append(marks, MARK_DELIVER, subject, window, threshold);
}

void budget_marks_undelivered(struct budget_marks *marks, budget_marks_visit *visit, void *context)
{
    for (size_t i = 0; i < marks->count; i++)
        for (size_t j = 0; j < marks->subjects[i].count; j++)
            if (!marks->subjects[i].marks[j].is_delivered)
                visit(context, marks->subjects[i].name, marks->subjects[i].marks[j].window,
                      marks->subjects[i].marks[j].threshold);
}

static char *join(const char *text, size_t length, const char *end)
{
    char *joined = malloc(length + strlen(end) + 1);
    if (!joined)
        return NULL;
    memcpy(joined, text, length);
    memcpy(joined + length, end, strlen(end) + 1);
    return joined;
}

static bool keep_names(struct budget_marks *marks, const char *file)
{
    const char *slash = strrchr(file, '/');
    marks->file = join(file, strlen(file), "");
    marks->temporary = join(file, strlen(file), ".new");
    marks->folder = slash ? join(file, (size_t)(slash - file) + 1, "") : join(".", 1, "");
    marks->subjects = calloc(SUBJECTS_MAX, sizeof *marks->subjects);
    return marks->file && marks->temporary && marks->folder && marks->subjects;
}

enum error budget_marks_open(const char *file, struct budget_marks **ret_marks)
{
    struct budget_marks *marks = calloc(1, sizeof *marks);
    if (!marks)
        return ERROR_NO_MEMORY;
    marks->fd = -1;
    enum error error = keep_names(marks, file) ? marks_file_open(marks) : ERROR_NO_MEMORY;
    if (error)
        budget_marks_close(marks);
    else
        *ret_marks = marks;
    return error;
}

void budget_marks_close(struct budget_marks *marks)
{
    if (!marks)
        return;
    for (size_t i = 0; i < marks->count; i++)
        free(marks->subjects[i].marks);
    if (marks->fd >= 0)
        close(marks->fd);
    free(marks->subjects);
    free(marks->file);
    free(marks->temporary);
    free(marks->folder);
    free(marks);
}
