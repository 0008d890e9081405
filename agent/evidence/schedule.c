/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exports by themselves: a thread that looks every few seconds whether a window has ended that has no file yet. What
 * was missed while the agent was down is found in the same way, so a week off and three weeks off are one case. Time is
 * the wall clock's: a file of a window that has not ended (the clock was ahead, and has been set back since) does not
 * count, and gets another one beside it when its window has truly ended. No file is ever replaced.
 */
#include "evidence/evidence.h"
#include "evidence/written.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/pulse.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PAUSE_MS = 2000,
    RETRY_S = 60,
    SETTLING_S = 30,       /* after its end: the last events of a window are being written */
    PATIENCE_S = 6 * 3600, /* a call of several tries has its event at its end: rows may lack what is paid so long */
    WINDOWS_MAX = 400,     /* evidence.exports.keep */
    NAMES_MAX = 1000,      /* of one window */
    NS_PER_S = 1000000000,
};

struct export_schedule {
    struct export_schedule_options options;
    char list_path[4096];
    struct pulse *pulse;
    atomic_bool is_closing;
    int64_t first_s;          /* when the first sum is of; INT64_MAX: there is none */
    int64_t resting_until_ns; /* monotonic: after a failure */
    pthread_mutex_t lock;     /* guards the list; leaf */
    struct written_list list;
    bool is_unsaved;                  /* guarded, too */
    char failure[EXPORT_FAILURE_MAX]; /* "": none; guarded, too */
};

static const struct {
    const char *name;
    enum period_step step;
} schedules[] = {
    [EXPORTS_DAILY] = {"daily", STEP_DAY},
    [EXPORTS_WEEKLY] = {"weekly", STEP_WEEK},
    [EXPORTS_MONTHLY] = {"monthly", STEP_MONTH},
};

/* ---- windows ---- */

size_t export_find_windows(const struct zone *zone, enum period_step step, int64_t first_s, int64_t now_s,
                           struct export_window *ret_windows, size_t max)
{
    int64_t until_s = period_step_start(zone, step, now_s);
    size_t count = 0;
    for (; count < max && until_s > first_s; count++) {
        int64_t since_s = period_step_start(zone, step, until_s - 1);
        ret_windows[count] = (struct export_window){since_s, until_s};
        until_s = since_s;
    }
    for (size_t i = 0; i < count / 2; i++) {
        struct export_window window = ret_windows[i];
        ret_windows[i] = ret_windows[count - 1 - i];
        ret_windows[count - 1 - i] = window;
    }
    return count;
}

static bool take_first(void *context, int64_t slot_s, uint32_t series, const uint64_t of[MEASURE_COUNT])
{
    int64_t *first_s = context;
    (void)series;
    (void)of;
    *first_s = slot_s;
    return false;
}

static bool has_first(struct export_schedule *schedule)
{
    if (schedule->first_s == INT64_MAX &&
        journal_scan_sums(schedule->options.journal, 0, INT64_MAX, take_first, &schedule->first_s))
        return false;
    return schedule->first_s != INT64_MAX;
}

/* ---- one file ---- */

/* Assumes the lock. */
static enum error save_list(struct export_schedule *schedule)
{
    enum error error = written_save(schedule->list_path, &schedule->list);
    schedule->is_unsaved = error != ERROR_OK;
    return error;
}

static void keep_failure(struct export_schedule *schedule, const char *text)
{
    pthread_mutex_lock(&schedule->lock);
    snprintf(schedule->failure, sizeof schedule->failure, "%s", text);
    pthread_mutex_unlock(&schedule->lock);
}

/* All files are written; the list may not be yet. */
static void forget_failure(struct export_schedule *schedule)
{
    pthread_mutex_lock(&schedule->lock);
    if (!schedule->is_unsaved)
        schedule->failure[0] = '\0';
    pthread_mutex_unlock(&schedule->lock);
}

static void complain(struct export_schedule *schedule, const char *path, enum error error)
{
    char text[EXPORT_FAILURE_MAX];
    if (!error || atomic_load(&schedule->is_closing))
        return;
    snprintf(text, sizeof text, "%.400s: %s", path, error_row(error)->text);
    keep_failure(schedule, text);
    log_event(EVENT_EXPORT_FAILED, NULL, "%s", text);
}

struct task_of_window {
    struct export_schedule *schedule;
    const struct settings *settings;
    struct export_window window;
    enum export_format format;
    int64_t now_s;
};

static bool is_written(const struct task_of_window *task)
{
    pthread_mutex_lock(&task->schedule->lock);
    bool is_done = written_find(&task->schedule->list, export_format_name(task->format), task->window) != NULL;
    pthread_mutex_unlock(&task->schedule->lock);
    return is_done;
}

static bool is_taken(struct export_schedule *schedule, const char *path)
{
    char manifest[4096 + 256];
    struct stat status;
    snprintf(manifest, sizeof manifest, "%s.manifest.json", path);
    pthread_mutex_lock(&schedule->lock);
    bool is_listed = written_has_file(&schedule->list, path, NULL);
    pthread_mutex_unlock(&schedule->lock);
    return is_listed || lstat(path, &status) == 0 || lstat(manifest, &status) == 0;
}

/* "tollgate-dev-2026-11-23-weekly.csv": the first day, in the schedule's zone. Windows of two zones may begin on the
 * same day: "…-weekly-2.csv". When all numbers are taken, the last one is, and cannot be written. */
static void format_name(const struct task_of_window *task, const char *directory, char name[128])
{
    char since[PERIOD_TEXT_MAX], path[4096 + 128], number[16] = "";
    period_format(task->settings->evidence.exports.zone, task->window.since_s, since);
    for (unsigned i = 2; i <= NAMES_MAX; i++) {
        snprintf(name, 128, "tollgate-%s-%.10s-%s%s.%s", config_environment_name(task->settings->environment), since,
                 schedules[task->settings->evidence.exports.schedule].name, number, export_suffix(task->format));
        snprintf(path, sizeof path, "%s/%s", directory, name);
        if (!is_taken(task->schedule, path))
            return;
        snprintf(number, sizeof number, "-%u", i);
    }
}

static void note(const struct task_of_window *task, const struct export_result *result, const char *directory,
                 const char *name)
{
    char path[4096 + 128], cost[MONEY_TEXT_MAX];
    struct export_schedule *schedule = task->schedule;
    struct written row = {.window = task->window,
                          .written_s = task->now_s,
                          .rows = result->rows,
                          .cost = {(int64_t)result->sums[MEASURE_cost]},
                          .is_reconciled = result->is_reconciled,
                          .file = path};
    snprintf(path, sizeof path, "%s/%s", directory, name);
    snprintf(row.schedule, sizeof row.schedule, "%s", schedules[task->settings->evidence.exports.schedule].name);
    snprintf(row.format, sizeof row.format, "%s", export_format_name(task->format));
    pthread_mutex_lock(&schedule->lock);
    written_add(&schedule->list, &row);
    enum error error = save_list(schedule);
    pthread_mutex_unlock(&schedule->lock);
    complain(schedule, schedule->list_path, error);
    log_event(EVENT_EXPORT_WRITTEN, NULL, "%s: %llu rows, %s USD", path, (unsigned long long)result->rows,
              money_format(row.cost, cost));
    if (!result->is_reconciled)
        log_event(EVENT_EXPORT_UNRECONCILED, NULL, "%s: its manifest says by how much", path);
}

static const char *directory_of(const struct export_schedule *schedule, const struct settings *settings,
                                char text[4096])
{
    if (settings->evidence.exports.directory)
        snprintf(text, 4096, "%s", settings->evidence.exports.directory);
    else
        snprintf(text, 4096, "%s/exports", schedule->options.state);
    return text;
}

/* False: not now. */
static bool write_file(const struct task_of_window *task)
{
    char directory[4096], name[128], path[4096 + 128];
    struct export_schedule *schedule = task->schedule;
    const struct zone *zone = task->settings->evidence.exports.zone;
    const struct export_order order = {
        .journal = schedule->options.journal,
        .ledger = schedule->options.ledger,
        .settings = task->settings,
        .format = task->format,
        .period = {task->window.since_s, task->window.until_s, zone, zone_name(zone)},
        .is_cancelled = &schedule->is_closing,
    };
    struct export_result result;
    bool is_saved = false, must_reconcile = task->now_s < task->window.until_s + PATIENCE_S;
    directory_of(schedule, task->settings, directory);
    format_name(task, directory, name);
    enum error error = export_save(&order, directory, name, must_reconcile, &result, &is_saved);
    snprintf(path, sizeof path, "%s/%s", directory, name);
    complain(schedule, path, error);
    if (!error && is_saved)
        note(task, &result, directory, name);
    return !error && is_saved;
}

/* ---- what is too early, or too old ---- */

static void mark_early(struct export_schedule *schedule, int64_t now_s)
{
    pthread_mutex_lock(&schedule->lock);
    /* before the first sum the clock is behind (a machine without a battery begins in 1970) */
    bool is_due = (now_s >= schedule->first_s && written_mark_early(&schedule->list, now_s)) || schedule->is_unsaved;
    enum error error = is_due ? save_list(schedule) : ERROR_OK;
    pthread_mutex_unlock(&schedule->lock);
    complain(schedule, schedule->list_path, error);
}

/* Lists of older agents have rows that share a file: it stays as long as one of them does. */
static void remove_files(struct export_schedule *schedule, struct written *row)
{
    char manifest[4096 + 256];
    row->is_removed = true;
    if (written_has_file(&schedule->list, row->file, row))
        return;
    snprintf(manifest, sizeof manifest, "%s.manifest.json", row->file);
    unlink(manifest); /* one that is there says that its file is, too */
    unlink(row->file);
}

/* Of each format of a schedule the newest `kept` windows stay. */
static void remove_old(struct export_schedule *schedule, const struct settings *settings)
{
    const char *name = schedules[settings->evidence.exports.schedule].name;
    uint32_t counts[EXPORT_FORMAT_COUNT] = {0};
    bool has_changed = false;
    enum export_format format;
    pthread_mutex_lock(&schedule->lock);
    for (uint32_t i = schedule->list.count; i-- > 0;) {
        struct written *row = &schedule->list.rows[i];
        if (strcmp(row->schedule, name) != 0 || !export_parse_format(row->format, &format))
            continue;
        bool is_kept = counts[format] < settings->evidence.exports.kept;
        counts[format] += is_kept && !row->is_early;
        if (is_kept || row->is_removed)
            continue;
        remove_files(schedule, row);
        has_changed = true;
    }
    enum error error = has_changed ? save_list(schedule) : ERROR_OK;
    pthread_mutex_unlock(&schedule->lock);
    complain(schedule, schedule->list_path, error);
}

/* ---- the thread ---- */

/* A failure of one is most likely that of all (the disk is full): the rest waits with it. */
static bool write_missing(struct export_schedule *schedule, const struct settings *settings)
{
    struct export_window windows[WINDOWS_MAX];
    const int64_t now_s = clock_wall_ns() / NS_PER_S;
    const enum period_step step = schedules[settings->evidence.exports.schedule].step;
    mark_early(schedule, now_s);
    size_t kept = settings->evidence.exports.kept < WINDOWS_MAX ? settings->evidence.exports.kept : WINDOWS_MAX;
    size_t count = export_find_windows(settings->evidence.exports.zone, step, schedule->first_s, now_s - SETTLING_S,
                                       windows, kept);
    for (size_t i = 0; i < count; i++)
        for (unsigned format = 0; format < EXPORT_FORMAT_COUNT; format++) {
            const struct task_of_window task = {schedule, settings, windows[i], format, now_s};
            if (!(settings->evidence.exports.formats >> format & 1) || is_written(&task))
                continue;
            if (atomic_load(&schedule->is_closing) || !write_file(&task))
                return false;
        }
    remove_old(schedule, settings);
    forget_failure(schedule);
    return true;
}

static void beat(void *context)
{
    struct export_schedule *schedule = context;
    const int64_t now_ns = clock_monotonic_ns();
    if (now_ns < schedule->resting_until_ns || !atomic_load(schedule->options.has_events))
        return;
    struct settings *settings = schedule->options.retain_settings(schedule->options.context);
    if (settings->evidence.exports.is_enabled && has_first(schedule) && !write_missing(schedule, settings))
        schedule->resting_until_ns = now_ns + (int64_t)RETRY_S * NS_PER_S;
    config_release(settings);
}

struct export_schedule *export_schedule_open(const struct export_schedule_options *options)
{
    struct export_schedule *schedule = calloc(1, sizeof *schedule);
    check(schedule != NULL);
    schedule->options = *options;
    schedule->first_s = INT64_MAX;
    pthread_mutex_init(&schedule->lock, NULL);
    snprintf(schedule->list_path, sizeof schedule->list_path, "%s/exports.jsonl", options->state);
    written_read(schedule->list_path, &schedule->list);
    schedule->pulse = pulse_start(beat, schedule, PAUSE_MS);
    return schedule;
}

void export_schedule_close(struct export_schedule *schedule)
{
    if (!schedule)
        return;
    atomic_store(&schedule->is_closing, true);
    pulse_stop(schedule->pulse);
    pthread_mutex_destroy(&schedule->lock);
    written_free(&schedule->list);
    free(schedule);
}

bool export_schedule_is_failing(struct export_schedule *schedule, char text[EXPORT_FAILURE_MAX])
{
    pthread_mutex_lock(&schedule->lock);
    snprintf(text, EXPORT_FAILURE_MAX, "%s", schedule->failure);
    pthread_mutex_unlock(&schedule->lock);
    return *text != '\0';
}

void export_schedule_write(struct export_schedule *schedule, struct buffer *out)
{
    json_write_raw(out, "[");
    pthread_mutex_lock(&schedule->lock);
    for (uint32_t i = schedule->list.count; i-- > 0;) {
        if (schedule->list.rows[i].is_removed)
            continue;
        json_write_raw(out, out->data[out->end - 1] == '[' ? "" : ",");
        written_format(&schedule->list.rows[i], out);
    }
    pthread_mutex_unlock(&schedule->lock);
    json_write_raw(out, "]");
}
