/* SPDX-License-Identifier: Apache-2.0 */
/* See log.h. One write(2) per line, so that lines of several threads never mix; another file takes the descriptor's
 * number, so that writers need no lock. Nobody waits for a reader: a line that nobody takes is counted. */
#include "base/log.h"

#include "base/clock.h"
#include "base/stderr.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct event_row {
    const char *name;
    enum log_level level;
    const char *text;
} event_rows[EVENT_COUNT] = {
#define EVENT_ROW(name, level, text) [EVENT_##name] = {#name, LOG_LEVEL_##level, text},
#include "base/events.def"
#undef EVENT_ROW
};

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static const char *const priorities[] = {"<3>", "<4>", "<6>", "<7>"}; /* sd-daemon(3) */

enum { LOOK_EVERY_S = 1 };

static int log_fd = -1;         /* standard error */
static char log_path[PATH_MAX]; /* "": standard error */
static bool is_journal; /* standard error is systemd's journal. All three are set once, while there is one thread */
static _Atomic enum log_level log_level = LOG_LEVEL_INFO;
static pthread_mutex_t look_lock = PTHREAD_MUTEX_INITIALIZER; /* a leaf */
static atomic_llong looked_s;                                 /* monotonic */
static atomic_ulong unsaid;                                   /* lines that nobody took since the last that went */
static atomic_bool is_cut;                                    /* that last one went in part */

/* Without waiting: it may be a named pipe. */
static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
}

/* systemd.exec(5), JOURNAL_STREAM: the device and inode of the stream, as programs may redirect theirs. */
static bool is_stderr_journal(void)
{
    unsigned long long device, inode;
    struct stat status;
    const char *stream = getenv("JOURNAL_STREAM");
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &status) == 0 &&
           status.st_dev == device && status.st_ino == inode;
}

enum error log_open(const char *path, enum log_level level)
{
    is_journal = !path && is_stderr_journal();
    if (!path) {
        stderr_take();
        log_fd = -1;
        log_path[0] = '\0';
    } else {
        int fd = open_file(path);
        if (fd < 0)
            return ERROR_FILE_UNWRITABLE;
        log_fd = fd;
        if (snprintf(log_path, sizeof log_path, "%s", path) >= (int)sizeof log_path)
            log_path[0] = '\0';
    }
    log_set_level(level);
    return ERROR_OK;
}

/* ---- the file may be another ---- */

static bool is_elsewhere(const struct stat *opened)
{
    struct stat named;
    return lstat(log_path, &named) != 0 || named.st_dev != opened->st_dev || named.st_ino != opened->st_ino;
}

/* A descriptor that cannot be had leaves the old file, renamed or not: its lines are not lost. */
static void open_again(void)
{
    int fd = open_file(log_path);
    if (fd < 0)
        return;
    (void)!dup3(fd, log_fd, O_CLOEXEC);
    close(fd);
}

static void look(void)
{
    char older[PATH_MAX + 2];
    struct stat opened;
    if (!log_path[0] || fstat(log_fd, &opened) != 0)
        return;
    if (is_elsewhere(&opened)) {
        open_again();
    } else if (S_ISREG(opened.st_mode) && opened.st_size > LOG_BYTES_MAX) {
        snprintf(older, sizeof older, "%s.1", log_path);
        if (rename(log_path, older) == 0)
            open_again();
    }
}

void log_look(void)
{
    pthread_mutex_lock(&look_lock);
    look();
    pthread_mutex_unlock(&look_lock);
}

/* One of those who write: the others do not wait for it. */
static void look_sometimes(void)
{
    const long long now_s = clock_monotonic_ns() / 1000000000;
    if (now_s - atomic_load_explicit(&looked_s, memory_order_relaxed) < LOOK_EVERY_S ||
        pthread_mutex_trylock(&look_lock) != 0)
        return;
    atomic_store_explicit(&looked_s, now_s, memory_order_relaxed);
    look();
    pthread_mutex_unlock(&look_lock);
}

/* ---- levels ---- */

void log_set_level(enum log_level level)
{
    atomic_store(&log_level, level);
}

enum log_level log_get_level(void)
{
    return atomic_load_explicit(&log_level, memory_order_relaxed);
}

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

bool log_level_parse(const char *name, enum log_level *ret_level)
{
    for (unsigned i = 0; i < sizeof level_names / sizeof *level_names; i++)
        if (!strcmp(name, level_names[i])) {
            *ret_level = (enum log_level)i;
            return true;
        }
    return false;
}

/* ---- lines ---- */

/* Control characters would let a peer forge lines or drive a terminal. */
static void blank_control_characters(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = ' ';
}

enum { LINE_BYTES = 2048 };

static size_t write_head(const struct event_row *row, const char *subject, char *line, size_t room)
{
    char time_text[CLOCK_TEXT_MAX];
    int length = snprintf(line, room, "%s%s %s %s%s%s%s: ", is_journal ? priorities[row->level] : "",
                          clock_format(clock_wall_ns(), time_text), level_names[row->level], row->text,
                          subject ? " [" : "", subject ? subject : "", subject ? "]" : "");
    return length < 0 ? 0 : (size_t)length < room ? (size_t)length : room - 1;
}

static bool put(const char *bytes, size_t length)
{
    const ssize_t written =
        log_fd < 0 ? (ssize_t)stderr_write((struct slice){bytes, length}) : write(log_fd, bytes, length);
    if (written > 0)
        atomic_store_explicit(&is_cut, written < (ssize_t)length, memory_order_relaxed);
    return written == (ssize_t)length;
}

static bool say_unsaid(unsigned long count)
{
    char line[LINE_BYTES] = "\n";
    size_t used = atomic_load_explicit(&is_cut, memory_order_relaxed) ? 1 : 0;
    used += write_head(&event_rows[EVENT_LOG_LOST], NULL, line + used, sizeof line - used);
    int length = snprintf(line + used, sizeof line - used, "%lu\n", count);
    return put(line, used + (size_t)length);
}

void log_catch_up(void)
{
    const unsigned long count = atomic_load_explicit(&unsaid, memory_order_relaxed) ? atomic_exchange(&unsaid, 0) : 0;
    if (count && !say_unsaid(count))
        atomic_fetch_add(&unsaid, count);
}

void log_event(enum event_kind kind, const char *subject, const char *format, ...)
{
    const struct event_row *row = &event_rows[kind];
    if (row->level > atomic_load_explicit(&log_level, memory_order_relaxed))
        return;
    char line[LINE_BYTES];
    size_t room = sizeof line - 2; /* keeps a place for the line end */
    size_t used = write_head(row, subject, line, room);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + used, room - used, format, arguments);
    va_end(arguments);
    blank_control_characters(line);
    used = strlen(line);
    line[used++] = '\n';
    look_sometimes();
    log_catch_up();
    if (atomic_load_explicit(&unsaid, memory_order_relaxed) || !put(line, used))
        atomic_fetch_add(&unsaid, 1);
}
