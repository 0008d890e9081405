/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of the marks: lines are appended and made durable one by one; now and then the whole is written anew and
 * renamed into place. A crash leaves whole lines and perhaps a torn last one, which is cut off at the next start; lines
 * that make no sense (a sector of zeros) are passed over, since a lost mark only repeats an alert.
 */
#include "budget/marks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const verbs[] = {[MARK_TAKE] = "take", [MARK_DELIVER] = "deliver"};

enum { LINE_BYTES_MAX = 16 + SUBJECT_BYTES_MAX + 24 + THRESHOLD_BYTES_MAX };

static int format_line(char line[LINE_BYTES_MAX], enum mark_verb verb, const char *subject, uint64_t window,
                       const char *threshold)
{
    return snprintf(line, LINE_BYTES_MAX, "%s %s %" PRIu64 " %s\n", verbs[verb], subject, window, threshold);
}

/* The words of a line without its end; exactly four, none longer than it may be. */
static bool split_line(char *line, size_t length, char *ret_words[4])
{
    size_t count = 0;
    if (memchr(line, '\0', length))
        return false;
    for (char *word = line, *end = line + length; word <= end; count++) {
        char *space = memchr(word, ' ', (size_t)(end - word));
        char *word_end = space ? space : end;
        if (count == 4 || word == word_end)
            return false;
        *word_end = '\0';
        ret_words[count] = word;
        word = word_end + 1;
    }
    return count == 4 && strlen(ret_words[1]) <= SUBJECT_BYTES_MAX && strlen(ret_words[3]) <= THRESHOLD_BYTES_MAX;
}

/* `line` is followed by its newline, which may be overwritten. */
static void apply_line(struct budget_marks *marks, char *line, size_t length)
{
    char *words[4], *end;
    if (!split_line(line, length, words))
        return;
    errno = 0;
    uint64_t window = strtoull(words[2], &end, 10);
    if (errno || *end || *words[2] < '0' || *words[2] > '9')
        return;
    if (strcmp(words[0], verbs[MARK_TAKE]) == 0)
        (void)marks_take(marks, words[1], window, words[3]);
    else if (strcmp(words[0], verbs[MARK_DELIVER]) == 0)
        (void)marks_deliver(marks, words[1], window, words[3]);
}

/* Returns how many bytes are whole lines. */
static size_t apply_lines(struct budget_marks *marks, char *bytes, size_t length)
{
    size_t used = 0;
    char *newline;
    while (used < length && (newline = memchr(bytes + used, '\n', length - used))) {
        size_t line_length = (size_t)(newline - (bytes + used));
        apply_line(marks, bytes + used, line_length);
        used += line_length + 1;
    }
    return used;
}

static enum error read_lines(struct budget_marks *marks)
{
    struct stat status;
    if (fstat(marks->fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size > MARKS_FILE_BYTES_MAX)
        return ERROR_FILE_UNREADABLE;
    size_t size = (size_t)status.st_size, length = 0;
    char *bytes = malloc(size + 1);
    if (!bytes)
        return ERROR_NO_MEMORY;
    while (length < size) {
        ssize_t got = pread(marks->fd, bytes + length, size - length, (off_t)length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    size_t used = apply_lines(marks, bytes, length);
    free(bytes);
    if (length < size)
        return ERROR_FILE_UNREADABLE;
    marks->bytes = marks->bytes_after_compaction = (int64_t)used;
    return used < size && ftruncate(marks->fd, (off_t)used) < 0 ? ERROR_FILE_UNWRITABLE : ERROR_OK;
}

static bool sync_folder(const struct budget_marks *marks)
{
    int fd = open(marks->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

enum error marks_file_open(struct budget_marks *marks)
{
    unlink(marks->temporary); /* what a crash may have left */
    marks->fd = open(marks->file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (marks->fd < 0)
        return errno == EACCES || errno == ELOOP ? ERROR_FILE_UNREADABLE : ERROR_FILE_UNWRITABLE;
    enum error error = read_lines(marks);
    return error ? error : sync_folder(marks) ? ERROR_OK : ERROR_FILE_UNWRITABLE;
}

static bool write_at(int fd, const char *bytes, size_t length, int64_t offset)
{
    while (length) {
        ssize_t written = pwrite(fd, bytes, length, offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes += written;
        offset += written;
        length -= (size_t)written;
    }
    return true;
}

static bool write_line(int fd, int64_t *offset, enum mark_verb verb, const struct subject *subject,
                       const struct mark *mark)
{
    char line[LINE_BYTES_MAX];
    int length = format_line(line, verb, subject->name, mark->window, mark->threshold);
    bool ok = write_at(fd, line, (size_t)length, *offset);
    *offset += length;
    return ok;
}

static bool write_all_marks(const struct budget_marks *marks, int fd, int64_t *ret_bytes)
{
    int64_t bytes = 0;
    bool ok = true;
    for (size_t i = 0; i < marks->count; i++) {
        const struct subject *subject = &marks->subjects[i];
        for (size_t j = 0; ok && j < subject->count; j++) {
            ok = write_line(fd, &bytes, MARK_TAKE, subject, &subject->marks[j]);
            if (subject->marks[j].is_delivered)
                ok = ok && write_line(fd, &bytes, MARK_DELIVER, subject, &subject->marks[j]);
        }
    }
    *ret_bytes = bytes;
    return ok && fsync(fd) == 0;
}

/* On failure the old file stays in use. The folder is synced last: until then a crash finds the old file, in which
 * everything is, or the new one. */
static bool compact(struct budget_marks *marks)
{
    int64_t bytes = 0;
    unlink(marks->temporary);
    int fd = open(marks->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    if (!write_all_marks(marks, fd, &bytes) || rename(marks->temporary, marks->file) < 0) {
        close(fd);
        unlink(marks->temporary);
        return false;
    }
    close(marks->fd);
    marks->fd = fd;
    marks->bytes = marks->bytes_after_compaction = bytes;
    return sync_folder(marks);
}

/* Always after the last whole line, so that what a failed write left is overwritten. */
static bool append(struct budget_marks *marks, const char *line, size_t length)
{
    if (!write_at(marks->fd, line, length, marks->bytes) || fdatasync(marks->fd) < 0)
        return false;
    marks->bytes += (int64_t)length;
    return true;
}

void marks_file_append(struct budget_marks *marks, enum mark_verb verb, const char *subject, uint64_t window,
                       const char *threshold)
{
    char line[LINE_BYTES_MAX];
    int length = format_line(line, verb, subject, window, threshold);
    if (!append(marks, line, (size_t)length))
        marks->is_behind = true;
    bool is_long = marks->bytes > COMPACT_BYTES_MIN && marks->bytes > 2 * marks->bytes_after_compaction;
    if ((is_long || marks->is_behind) && compact(marks))
        marks->is_behind = false;
    else if (is_long)
        marks->bytes_after_compaction = marks->bytes;
}
