/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one line per event, to standard error or a file, `2026-11-23T20:30:00.123Z LEVEL event key=value … text`.
 * Events are rows of events.def. Only flow/, main, control and cli log; services return errors. Values are printed
 * escaped (no control characters), and secrets cannot be passed except through secret_format. A reader that has stopped
 * reading costs lines, which are counted, and nobody's time.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/error.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum event_kind {
#define EVENT_ROW(name, level, text) EVENT_##name,
#include "base/events.def"
#undef EVENT_ROW
    EVENT_COUNT
};

enum { LOG_BYTES_MAX = 32 << 20 }; /* of one file: a log fills no disk */

/* Opens the log: a path (appended to, 0600), or NULL for standard error, where the journal of systemd gets each line's
 * priority. A file is looked at by whoever writes to it, once a second at most: one that was moved away or removed is
 * made anew, and one beyond LOG_BYTES_MAX becomes PATH.1, in the place of an older one. What cannot be done (no right,
 * no directory) leaves the log where it is. */
enum error log_open(const char *path, enum log_level level) MUST_USE;
/* Says how many lines were lost, if there is room now; each later line does that first. Any thread. */
void log_catch_up(void);
/* Looks now: after a reload, which is what rotating programs ask for. Any thread. */
void log_look(void);
void log_set_level(enum log_level level); /* at run time, from any thread */
enum log_level log_get_level(void);
const char *log_level_name(enum log_level level); /* "error", "warning", "info", "debug" */
/* False for a name that is none of error, warning, info, debug. */
bool log_level_parse(const char *name, enum log_level *ret_level);

/* `subject` says which object it is about ("exchange 01J…", "target openai-x"), NULL for the agent itself. */
void log_event(enum event_kind kind, const char *subject, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
