/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One write per event on the journal's thread, with O_APPEND: a line is whole, or taken back where the disk was full in
 * its middle. What cannot be taken back (a pipe) is ended by the next one's newline. Once a second it is looked whether
 * the file is still where its name says (log rotation).
 */
#include "events_file.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define LOOK_EVERY_NS INT64_C(1000000000)

struct events_file {
    struct journal *journal;
    struct journal_follower *follower;
    const char *path;
    int fd; /* -1: not open */
    int64_t looked_ns;
    bool is_cut, has_failed;
    atomic_ullong missing; /* events */
};

/* One event less, as errno says. */
static void fail(struct events_file *file, const char *what)
{
    atomic_fetch_add(&file->missing, 1);
    if (!file->has_failed)
        log_event(EVENT_JOURNAL_FAILED, NULL, "%s: %s: %s", file->path, what, strerror(errno));
    file->has_failed = true;
}

static bool is_in_place(const struct events_file *file)
{
    struct stat open_one, named;
    return fstat(file->fd, &open_one) == 0 && stat(file->path, &named) == 0 && open_one.st_ino == named.st_ino &&
           open_one.st_dev == named.st_dev;
}

static bool ensure_open(struct events_file *file)
{
    int64_t now_ns = clock_monotonic_ns();
    if (file->fd >= 0 && now_ns - file->looked_ns < LOOK_EVERY_NS)
        return true;
    file->looked_ns = now_ns;
    if (file->fd >= 0 && is_in_place(file))
        return true;
    if (file->fd >= 0)
        close(file->fd);
    file->is_cut = false;
    file->fd = open(file->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0600);
    if (file->fd < 0)
        fail(file, "cannot be opened");
    return file->fd >= 0;
}

/* The length is asked for, not remembered: others may have cut the file. */
static bool take_back(int fd, ssize_t written)
{
    off_t end = lseek(fd, 0, SEEK_END);
    return end >= written && ftruncate(fd, end - written) == 0;
}

static void deliver(void *context, struct slice json)
{
    struct events_file *file = context;
    if (!ensure_open(file))
        return;
    const struct iovec parts[] = {{(void *)(uintptr_t) "\n", file->is_cut},
                                  {(void *)(uintptr_t)json.data, json.length},
                                  {(void *)(uintptr_t) "\n", 1}};
    ssize_t wanted = (ssize_t)(file->is_cut + json.length + 1);
    ssize_t written = writev(file->fd, parts, sizeof parts / sizeof *parts);
    if (written == wanted) {
        file->has_failed = file->is_cut = false;
        return;
    }
    if (written > 0) {
        bool is_back = take_back(file->fd, written);
        file->is_cut |= !is_back;
        errno = is_back ? ENOSPC : EAGAIN; /* a short write says nothing; the next one would */
    }
    fail(file, "an event is missing");
}

struct events_file *events_file_open(struct journal *journal, const char *path)
{
    struct events_file *file = calloc(1, sizeof *file);
    check(file != NULL);
    *file = (struct events_file){.journal = journal, .path = strdup(path), .fd = -1};
    check(file->path != NULL);
    file->follower = journal_follow(journal, deliver, file);
    return file;
}

uint64_t events_file_count_missing(struct events_file *file)
{
    return file ? atomic_load(&file->missing) : 0;
}

void events_file_close(struct events_file *file)
{
    if (!file)
        return;
    journal_flush(file->journal);
    journal_unfollow(file->journal, file->follower);
    if (file->fd >= 0)
        close(file->fd);
    free((void *)(uintptr_t)file->path);
    free(file);
}
