/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/report, /v1/report/sessions, /v1/questions, /v1/questions/NAME: sums of a period in the asked time zone, as
 * evidence/ makes them. What the journal has not yet written is waited for, so that who has just got an answer finds
 * it.
 */
#include "control/internal.h"

#include "base/clock.h"
#include "base/json.h"
#include "evidence/evidence.h"

#include <stdlib.h>

enum { PERIOD_DEFAULT_DAYS = 30, SESSION_PAUSE_S = 3600, SESSIONS_DEFAULT = 50, LIMIT_MAX = REPORT_ROWS_MAX };
#define PERIOD_DEFAULT "30d"

/* ---- parameters ---- */

static int fail(struct call *call, const char *detail, const char *hint)
{
    return control_fail_with(call, ERROR_REQUEST_INVALID, detail, hint);
}

int control_read_period(struct call *call, struct period *ret_period)
{
    const char *text = control_find_parameter(call, "period"), *name = control_find_parameter(call, "timezone"), *why;
    *ret_period = (struct period){0};
    name = name ? name : "UTC";
    const struct zone *zone = zone_load(call->arena, name);
    if (!zone)
        return fail(call, arena_printf(call->arena, "no time zone is named %s", name), "such as Europe/Berlin, or UTC");
    if (!period_parse(text ? text : PERIOD_DEFAULT, zone, name, clock_wall_ns() / 1000000000, ret_period, &why))
        return fail(call, arena_printf(call->arena, "%s is no period", text), why);
    return 0;
}

static void read_filter(struct call *call, struct report_filter *filter)
{
    for (size_t i = 0; i < DIMENSION_COUNT; i++)
        filter->names[i] = control_find_parameter(call, journal_dimension_name((enum dimension)i));
}

static int read_limit(struct call *call, size_t otherwise, size_t *ret_limit)
{
    const char *text = control_find_parameter(call, "limit");
    char *end;
    *ret_limit = otherwise;
    if (!text)
        return 0;
    unsigned long limit = strtoul(text, &end, 10);
    if (*end || text[0] < '0' || text[0] > '9' || limit < 1 || limit > LIMIT_MAX)
        return fail(call, "limit is 1 to 20000", NULL);
    *ret_limit = limit;
    return 0;
}

static bool find_dimension(struct slice name, unsigned *ret_by)
{
    for (size_t i = 0; i < DIMENSION_COUNT; i++)
        if (slice_is(name, journal_dimension_name((enum dimension)i))) {
            *ret_by |= 1u << i;
            return true;
        }
    return false;
}

static int read_by(struct call *call, unsigned *ret_by)
{
    const char *at = control_find_parameter(call, "by");
    *ret_by = 0;
    while (at && *at) {
        size_t length = strcspn(at, ",");
        if (!find_dimension((struct slice){at, length}, ret_by))
            return fail(
                call, arena_printf(call->arena, "sums are not kept by %.*s", (int)length, at),
                "group, wallet, provider, model, requested, target, project, executable, directory, uid, reason");
        at += length + (at[length] == ',');
    }
    return 0;
}

/* ---- what the ledger says ---- */

/* Only when asked for: it reads a part of the ledger. */
static enum error write_ledger(struct call *call, const struct period *period)
{
    const int64_t s = 1000000000;
    const char *wants = control_find_parameter(call, "ledger");
    struct wallet_sums sums;
    if (!wants || strcmp(wants, "1") != 0)
        return ERROR_OK;
    enum error error = wallet_sum_period(call->services->ledger, period->since_s * s, period->until_s * s, &sums);
    if (error)
        return error;
    json_write_member(&call->body, "ledger");
    json_write_raw(&call->body, "{");
    json_write_member_money(&call->body, "spent", sums.posted);
    json_write_raw(&call->body, "}");
    return ERROR_OK;
}

/* ---- rows ---- */

static void write_time(struct call *call, const struct period *period, const char *name, int64_t at_s)
{
    char text[PERIOD_TEXT_MAX];
    json_write_member_string(&call->body, name, period_format(period->zone, at_s, text));
}

static void write_names(struct call *call, const struct report_row *row)
{
    for (size_t i = 0; i < DIMENSION_COUNT; i++)
        if (row->names[i])
            json_write_member_string(&call->body, journal_dimension_name((enum dimension)i), row->names[i]);
}

static void write_row(struct call *call, const struct report_order *order, const struct report_row *row, bool is_rest)
{
    const struct period *period = &order->period;
    int64_t end_s = period_step_next(period->zone, order->step, row->start_s);
    json_write_raw(&call->body, call->body.data[call->body.end - 1] == '[' ? "{" : ",{");
    write_time(call, period, "start", row->start_s);
    write_time(call, period, "end", end_s > period->until_s ? period->until_s : end_s);
    write_time(call, period, "first", row->first_s);
    write_time(call, period, "last", row->last_s + JOURNAL_SLOT_S);
    if (is_rest)
        json_write_member_boolean(&call->body, "rest", true);
    else
        write_names(call, row);
    report_write_measures(&call->body, row->of);
    json_write_raw(&call->body, "}");
}

static void add_to_rest(struct report_row *rest, const struct report_row *row)
{
    if (!rest->last_s || row->first_s < rest->first_s)
        rest->first_s = row->first_s;
    rest->last_s = row->last_s > rest->last_s ? row->last_s : rest->last_s;
    rest->start_s = row->start_s;
    for (size_t i = 0; i < MEASURE_COUNT; i++)
        rest->of[i] += row->of[i];
}

/* Of each step the first `limit` rows, and the others as one. */
static void write_rows(struct call *call, const struct report_order *order, const struct report *report, size_t limit)
{
    struct report_row rest = {0};
    size_t shown = 0;
    json_write_member(&call->body, "rows");
    json_write_raw(&call->body, "[");
    for (size_t i = 0; i < report->count; i++) {
        const struct report_row *row = &report->rows[i];
        bool is_last = i + 1 == report->count || report->rows[i + 1].start_s != row->start_s;
        if (shown++ < limit)
            write_row(call, order, row, false);
        else
            add_to_rest(&rest, row);
        if (!is_last)
            continue;
        if (rest.last_s)
            write_row(call, order, &rest, true);
        rest = (struct report_row){0};
        shown = 0;
    }
    json_write_raw(&call->body, "]");
}

static void begin(struct call *call, const struct period *period)
{
    struct settings *settings = call->services->retain_settings(call->services->context);
    json_write_raw(&call->body, "{");
    json_write_member_string(&call->body, "environment", config_environment_name(settings->environment));
    write_time(call, period, "since", period->since_s);
    write_time(call, period, "until", period->until_s);
    json_write_member_string(&call->body, "timezone", period->zone_name);
    config_release(settings);
}

static void write_total(struct call *call, const struct report *report)
{
    json_write_member(&call->body, "total");
    json_write_raw(&call->body, "{");
    report_write_measures(&call->body, report->total.of);
    json_write_raw(&call->body, "}");
}

static int fail_report(struct call *call, enum error error)
{
    if (error == ERROR_REQUEST_INVALID)
        return fail(call, "the report would have more than 20000 rows", "a shorter period, a longer step, fewer names");
    return control_fail(call, error, NULL);
}

/* ---- the routes ---- */

static int read_order(struct call *call, struct report_order *ret_order)
{
    const char *step = control_find_parameter(call, "step");
    *ret_order = (struct report_order){.step = STEP_ALL};
    int status = control_read_period(call, &ret_order->period);
    if (!status && step && !period_parse_step(step, &ret_order->step))
        status = fail(call, arena_printf(call->arena, "%s is no step", step), "all, quarter, hour, day, week, month");
    if (!status)
        status = read_by(call, &ret_order->by);
    read_filter(call, &ret_order->filter);
    return status;
}

int control_get_report(struct call *call)
{
    struct report_order order;
    struct report report;
    size_t limit;
    int status = read_order(call, &order);
    status = status ? status : read_limit(call, LIMIT_MAX, &limit);
    if (status)
        return status;
    journal_flush(call->services->journal);
    enum error error = report_make(call->services->journal, &order, call->arena, &report);
    if (error)
        return fail_report(call, error);
    begin(call, &order.period);
    write_rows(call, &order, &report, limit);
    write_total(call, &report);
    error = write_ledger(call, &order.period);
    if (error)
        return control_fail(call, error, NULL);
    json_write_raw(&call->body, "}");
    return 200;
}

int control_list_sessions(struct call *call)
{
    struct report_order order = {.step = STEP_ALL,
                                 .pause_s = SESSION_PAUSE_S,
                                 .by = 1u << DIMENSION_executable | 1u << DIMENSION_directory | 1u << DIMENSION_uid |
                                       1u << DIMENSION_project | 1u << DIMENSION_group};
    struct report report;
    size_t limit;
    int status = control_read_period(call, &order.period);
    status = status ? status : read_limit(call, SESSIONS_DEFAULT, &limit);
    if (status)
        return status;
    read_filter(call, &order.filter);
    journal_flush(call->services->journal);
    enum error error = report_make(call->services->journal, &order, call->arena, &report);
    if (error)
        return fail_report(call, error);
    begin(call, &order.period);
    json_write_member(&call->body, "sessions");
    json_write_raw(&call->body, "[");
    for (size_t i = report.count; i-- > 0 && limit; limit--)
        write_row(call, &order, &report.rows[i], false);
    json_write_raw(&call->body, "]");
    write_total(call, &report);
    json_write_raw(&call->body, "}");
    return 200;
}

int control_list_questions(struct call *call)
{
    json_write_raw(&call->body, "{\"questions\":[");
    for (size_t i = 0; i < question_count(); i++) {
        const struct question *question = question_at(i);
        json_write_raw(&call->body, i ? ",{" : "{");
        json_write_member_string(&call->body, "name", question->name);
        json_write_member_string(&call->body, "environment", question->environment);
        json_write_member_string(&call->body, "question", question->text);
        json_write_raw(&call->body, "}");
    }
    json_write_raw(&call->body, "]}");
    return 200;
}

int control_get_question(struct call *call)
{
    const struct question *question = question_find(control_rest_text(call));
    struct period period;
    if (!question) {
        const char *names = "";
        for (size_t i = 0; i < question_count(); i++)
            names = arena_printf(call->arena, "%s%s%s", names, i ? ", " : "", question_at(i)->name);
        control_fail_with(call, ERROR_NOT_FOUND, "there is no such question", names);
        return 404;
    }
    int status = control_read_period(call, &period);
    if (status)
        return status;
    journal_flush(call->services->journal);
    begin(call, &period);
    enum error error = question_write(call->services->journal, question, &period, call->arena, &call->body);
    if (error)
        return fail_report(call, error);
    json_write_raw(&call->body, "}");
    return 200;
}

int control_rebuild_sums(struct call *call)
{
    uint64_t events;
    enum error error = journal_rebuild_sums(call->services->journal, &events);
    if (error)
        return control_fail(call, error, NULL);
    json_write_raw(&call->body, "{");
    json_write_member_integer(&call->body, "events", (int64_t)events);
    json_write_raw(&call->body, "}");
    return 200;
}
