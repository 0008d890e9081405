/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The day's counts across restarts: a small text file, a line per group and hour, and a last line with the SHA-256 of
 * those before. Slots are of the monotonic clock, which begins anew at boot, so the file has their beginnings by the
 * wall clock. Called at start, now and then, and at the end; writes and reads without the lock.
 */
#include "base/buffer.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "ratelimit/counts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* 1024 groups × 24 hours × 127 bytes at most. */
enum { FILE_BYTES_MAX = 4 << 20, PATH_BYTES_MAX = 4096, NUMBER_BYTES_MAX = 24 };
static const int64_t SECOND_NS = 1000000000;
static const struct slice first_line = SLICE_LITERAL("tollgate rate limits 1\n");

/* ---- writing ---- */

static bool append_counts(struct buffer *out, const struct counts *counts, int64_t now_ns, int64_t wall_ns)
{
    int64_t current = span_number(&span_day, now_ns);
    bool ok = true;
    for (int64_t number = current - span_day.slot_count + 1; ok && number <= current; number++) {
        const struct span_slot *slot = span_find(&counts->day, &span_day, number, now_ns);
        if (!slot || !(slot->of[SPAN_REQUESTS] || slot->of[SPAN_TOKENS]))
            continue;
        int64_t began_s = (wall_ns - (now_ns - number * span_day.slot_ns)) / SECOND_NS;
        if (began_s < 0)
            continue; /* a wall clock that was never set */
        ok = buffer_append_format(out, "%" PRId64 " %" PRIu64 " %" PRIu64 " %s\n", began_s, slot->of[SPAN_REQUESTS],
                                  slot->of[SPAN_TOKENS], counts->group);
    }
    return ok;
}

static bool append_all(struct buffer *out, struct ratelimit *ratelimit)
{
    bool ok = buffer_append(out, first_line);
    pthread_mutex_lock(&ratelimit->lock);
    int64_t now_ns = clock_monotonic_ns(), wall_ns = clock_wall_ns();
    for (const struct counts *counts = ratelimit->groups; ok && counts; counts = counts->hh.next)
        if (!strchr(counts->group, '\n'))
            ok = append_counts(out, counts, now_ns, wall_ns);
    pthread_mutex_unlock(&ratelimit->lock);
    unsigned char digest[DIGEST_BYTES];
    char text[DIGEST_TEXT_MAX];
    digest_sha256(buffer_contents(out), digest);
    return ok && buffer_append_format(out, "end %s\n", digest_format(digest, text));
}

enum error ratelimit_save(struct ratelimit *ratelimit, const char *file)
{
    struct buffer out;
    buffer_init(&out, FILE_BYTES_MAX);
    enum error error =
        append_all(&out, ratelimit) ? file_swap(file, buffer_contents(&out), 0600) : ERROR_FILE_UNWRITABLE;
    buffer_done(&out);
    return error;
}

/* ---- reading ---- */

/* A decimal number up to the next space. */
static bool take_number(struct slice *rest, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t i = 0;
    for (; i < rest->length && i < NUMBER_BYTES_MAX && rest->data[i] >= '0' && rest->data[i] <= '9'; i++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(rest->data[i] - '0'), &number))
            return false;
    if (i == 0 || i == rest->length || rest->data[i] != ' ')
        return false;
    *ret_number = number;
    *rest = slice_from(*rest, i + 1);
    return true;
}

struct line {
    uint64_t began_s, requests, tokens;
    struct slice group;
};

static bool parse_line(struct slice text, struct line *ret_line)
{
    if (!take_number(&text, &ret_line->began_s) || !take_number(&text, &ret_line->requests) ||
        !take_number(&text, &ret_line->tokens))
        return false;
    ret_line->group = text;
    return text.length > 0 && text.length < COUNTS_NAME_BYTES && !memchr(text.data, '\0', text.length) &&
           ret_line->began_s <= INT64_MAX / (uint64_t)SECOND_NS;
}

/* To the nearest slot, so that a clock that was corrected by a moment, restart by restart, carries nothing from hour to
 * hour. */
static void count_line(struct ratelimit *ratelimit, const struct line *line, int64_t now_ns, int64_t wall_ns)
{
    int64_t age_ns = wall_ns - (int64_t)line->began_s * SECOND_NS;
    if (age_ns < 0 || age_ns >= span_day.slot_count * span_day.slot_ns)
        return;
    int64_t current = span_number(&span_day, now_ns);
    int64_t number = span_number(&span_day, now_ns - age_ns + span_day.slot_ns / 2);
    if (number > current)
        number = current;
    if (number <= current - span_day.slot_count)
        return;
    struct counts *counts = counts_find(ratelimit, line->group.data, line->group.length, now_ns);
    span_add(&counts->day, &span_day, number, line->requests, line->tokens);
}

/* The lines between the first and the last; false: the file is not as it was written. */
static bool find_lines(struct slice bytes, struct slice *ret_lines)
{
    const size_t end_bytes = strlen("end ") + DIGEST_TEXT_MAX; /* the newline in place of the NUL */
    unsigned char digest[DIGEST_BYTES];
    char text[DIGEST_TEXT_MAX];
    if (bytes.length < first_line.length + end_bytes ||
        !slice_is_equal((struct slice){bytes.data, first_line.length}, first_line))
        return false;
    struct slice body = {bytes.data, bytes.length - end_bytes}, end = slice_from(bytes, body.length);
    digest_sha256(body, digest);
    digest_format(digest, text);
    if (!slice_has_prefix(end, "end ") || memcmp(end.data + 4, text, DIGEST_TEXT_MAX - 1) != 0 ||
        end.data[end.length - 1] != '\n')
        return false;
    *ret_lines = slice_from(body, first_line.length);
    return true;
}

/* Every line, with NULL for `ratelimit` only to see whether all are well-formed. */
static bool walk_lines(struct slice lines, struct ratelimit *ratelimit, int64_t now_ns, int64_t wall_ns)
{
    while (lines.length) {
        struct line line;
        const char *end = memchr(lines.data, '\n', lines.length);
        if (!end || !parse_line((struct slice){lines.data, (size_t)(end - lines.data)}, &line))
            return false;
        if (ratelimit)
            count_line(ratelimit, &line, now_ns, wall_ns);
        lines = slice_from(lines, (size_t)(end - lines.data) + 1);
    }
    return true;
}

/* As much as there is, at most FILE_BYTES_MAX; NULL: no such file, or none that can be read. */
static char *read_file(const char *file, size_t *ret_length)
{
    struct stat status;
    char *bytes = NULL;
    size_t length = 0;
    bool ok = false;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size <= 0 || status.st_size > FILE_BYTES_MAX)
        goto done;
    bytes = malloc((size_t)status.st_size);
    check(bytes != NULL);
    while (length < (size_t)status.st_size) {
        ssize_t got = read(fd, bytes + length, (size_t)status.st_size - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            goto done;
        length += (size_t)got;
    }
    ok = true;
done:
    close(fd);
    if (!ok) {
        free(bytes);
        return NULL;
    }
    *ret_length = length;
    return bytes;
}

void ratelimit_load(struct ratelimit *ratelimit, const char *file)
{
    struct slice lines;
    size_t length = 0;
    char *bytes = read_file(file, &length);
    if (bytes && find_lines((struct slice){bytes, length}, &lines) && walk_lines(lines, NULL, 0, 0)) {
        pthread_mutex_lock(&ratelimit->lock);
        (void)walk_lines(lines, ratelimit, clock_monotonic_ns(), clock_wall_ns());
        pthread_mutex_unlock(&ratelimit->lock);
    }
    free(bytes);
}
