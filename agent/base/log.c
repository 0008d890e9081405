/* SPDX-License-Identifier: Apache-2.0 */
/* See log.h. One write(2) per line, so that lines of several threads never mix. */
#include "base/log.h"

#include "base/clock.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
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

static int log_fd = STDERR_FILENO;
static _Atomic enum log_level log_level = LOG_LEVEL_INFO;

enum error log_open(const char *path, enum log_level level)
{
    if (path) {
        int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return ERROR_FILE_UNWRITABLE;
        log_fd = fd;
    }
    log_set_level(level);
    return ERROR_OK;
}

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

/* Control characters would let a peer forge lines or drive a terminal. */
static void blank_control_characters(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = ' ';
}

void log_event(enum event_kind kind, const char *subject, const char *format, ...)
{
    const struct event_row *row = &event_rows[kind];
    if (row->level > atomic_load_explicit(&log_level, memory_order_relaxed))
        return;
    char time_text[CLOCK_TEXT_MAX], line[2048];
    size_t room = sizeof line - 2; /* keeps a place for the line end */
    int length =
        snprintf(line, room, "%s %s %s%s%s%s: ", clock_format(clock_wall_ns(), time_text), level_names[row->level],
                 row->text, subject ? " [" : "", subject ? subject : "", subject ? "]" : "");
    size_t used = length < 0 ? 0 : (size_t)length < room ? (size_t)length : room - 1;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + used, room - used, format, arguments);
    va_end(arguments);
    blank_control_characters(line);
    used = strlen(line);
    line[used++] = '\n';
    ssize_t ignored = write(log_fd, line, used);
    (void)ignored;
}
