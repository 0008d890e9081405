/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of control.h as a table: who may call, and which file's function answers. */
#include "control/internal.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { REFUSALS_PER_SECOND = 20 };

int control_fail_with(struct call *call, enum error error, const char *detail, const char *hint)
{
    const struct error_row *row = error_row(error);
    buffer_reset(&call->body, 4096);
    call->content_type = NULL;
    json_write_raw(&call->body, "{\"error\":{");
    json_write_member_string(&call->body, "code", row->code);
    json_write_member_string(&call->body, "message", detail ? detail : row->text);
    json_write_member_string(&call->body, "hint", hint ? hint : row->hint);
    json_write_raw(&call->body, "}}");
    return row->status ? row->status : 500;
}

int control_fail(struct call *call, enum error error, const char *detail)
{
    return control_fail_with(call, error, detail, NULL);
}

int control_fail_large(struct call *call)
{
    const char *detail =
        arena_printf(call->arena, "the answer would have more than %d MiB", CONTROL_BODY_BYTES_MAX >> 20);
    return control_fail_with(call, ERROR_REQUEST_INVALID, detail,
                             "a smaller limit, a shorter period, a longer step, fewer names");
}

/* RFC 3986 section 2.1. What is no escape stays; "%00" ends the text. */
static const char *decode_escapes(char *text)
{
    char *to = text;
    for (const char *from = text; *from; to++) {
        unsigned byte;
        if (from[0] == '%' && strspn(from + 1, "0123456789abcdefABCDEF") >= 2 && sscanf(from + 1, "%2x", &byte) == 1) {
            *to = (char)byte;
            from += 3;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
    return text;
}

const char *control_find_parameter(struct call *call, const char *name)
{
    struct slice query = call->request->query;
    size_t length = strlen(name);
    while (query.length) {
        const char *end = memchr(query.data, '&', query.length);
        size_t part = end ? (size_t)(end - query.data) : query.length;
        if (part > length && !memcmp(query.data, name, length) && query.data[length] == '=')
            return decode_escapes(arena_printf(call->arena, "%.*s", (int)(part - length - 1), query.data + length + 1));
        query = slice_from(query, part + 1);
    }
    return NULL;
}

const char *control_rest_text(struct call *call)
{
    return arena_printf(call->arena, SLICE_FORMAT, SLICE_ARGUMENTS(call->rest));
}

/* A route whose path ends in '/' takes the rest of the path as its argument. */
static const struct route_row {
    const char *method, *path;
    enum audience audience;
    int (*handle)(struct call *call);
} routes[] = {
    {"GET", "/v1/hello", AUDIENCE_MEMBER, control_get_hello},
    {"GET", "/v1/launch", AUDIENCE_MEMBER, control_get_launch},
    {"GET", "/v1/doctor", AUDIENCE_READER, control_doctor},
    {"GET", "/v1/wallets", AUDIENCE_READER, control_list_wallets},
    {"GET", "/v1/wallets/", AUDIENCE_READER, control_get_wallet},
    {"GET", "/v1/budgets", AUDIENCE_READER, control_list_budgets},
    {"GET", "/v1/export", AUDIENCE_READER, control_export},
    {"GET", "/v1/exports", AUDIENCE_READER, control_list_exports},
    {"GET", "/v1/targets", AUDIENCE_READER, control_list_targets},
    {"GET", "/v1/cache", AUDIENCE_READER, control_get_cache},
    {"GET", "/v1/jobs", AUDIENCE_READER, control_list_jobs},
    {"GET", "/v1/alerts", AUDIENCE_READER, control_list_alerts},
    {"GET", "/v1/leaks", AUDIENCE_READER, control_list_leaks},
    {"GET", "/v1/report", AUDIENCE_READER, control_get_report},
    {"GET", "/v1/report/sessions", AUDIENCE_READER, control_list_sessions},
    {"GET", "/v1/questions", AUDIENCE_READER, control_list_questions},
    {"GET", "/v1/questions/", AUDIENCE_READER, control_get_question},
    {"GET", "/metrics", AUDIENCE_READER, control_get_metrics},
    {"GET", "/v1/live", AUDIENCE_READER, control_list_live},
    {"GET", "/v1/events", AUDIENCE_READER, control_list_events},
    {"GET", "/v1/events/", AUDIENCE_READER, control_get_event},
    {"POST", "/v1/wallets/", AUDIENCE_OWNER, control_change_wallet},
    {"POST", "/v1/budgets", AUDIENCE_OWNER, control_set_budget},
    {"POST", "/v1/budgets/unset", AUDIENCE_OWNER, control_unset_budget},
    {"POST", "/v1/report/rebuild", AUDIENCE_OWNER, control_rebuild_sums},
    {"POST", "/v1/reload", AUDIENCE_OWNER, control_reload},
    {"POST", "/v1/cache/clear", AUDIENCE_OWNER, control_clear_cache},
    {"POST", "/v1/backup", AUDIENCE_OWNER, control_backup},
    {"POST", "/v1/secrets/", AUDIENCE_OWNER, control_store_secret},
    {"POST", "/v1/log/", AUDIENCE_OWNER, control_set_log_level},
    {"POST", "/v1/stop", AUDIENCE_OWNER, control_stop},
    {"POST", "/v1/handover", AUDIENCE_OWNER, control_hand_over},
};

bool control_is_owner(uid_t uid)
{
    return uid == geteuid() || uid == 0;
}

bool control_is_reader(const struct settings *settings, uid_t uid)
{
    for (size_t i = 0; i < settings->access.reader_count; i++)
        if (settings->access.readers[i] == uid)
            return true;
    return false;
}

bool control_is_in_audience(const struct call *call, enum audience audience)
{
    if (control_is_owner(call->uid))
        return audience != AUDIENCE_OWNER || call->is_admin_socket;
    if (audience == AUDIENCE_OWNER)
        return false;
    struct settings *settings = call->services->retain_settings(call->services->context);
    const bool is_in = control_is_reader(settings, call->uid) ||
                       (audience == AUDIENCE_MEMBER && call->services->admits(call->services->context, call->uid));
    config_release(settings);
    return is_in;
}

/* Which list was asked: the policy's words for it. */
static int refuse_peer(struct call *call, enum audience audience)
{
    static const struct {
        const char *detail, *hint;
    } words[] = {
        [AUDIENCE_MEMBER] = {NULL, NULL},
        [AUDIENCE_READER] = {"reports are for the agent's owner and the policy's readers", "access.readers"},
        [AUDIENCE_OWNER] = {"orders are taken on admin.sock, from the agent's owner and root", "run it as that user"},
    };
    control_fail_with(call, ERROR_PEER_REFUSED, words[audience].detail, words[audience].hint);
    return 403;
}

static bool is_match(const struct route_row *row, const struct http_request *request, struct slice *ret_rest)
{
    size_t length = strlen(row->path);
    if (!slice_is(request->method, row->method) || !slice_has_prefix(request->path, row->path))
        return false;
    *ret_rest = slice_from(request->path, length);
    return row->path[length - 1] == '/' ? ret_rest->length > 0 : ret_rest->length == 0;
}

void control_log_refused(const char *path, const char *whom)
{
    static _Atomic int64_t second = -1;
    static atomic_uint said, unsaid;
    const int64_t now_s = clock_monotonic_ns() / 1000000000;
    if (atomic_exchange(&second, now_s) != now_s)
        atomic_store(&said, 0);
    if (atomic_fetch_add(&said, 1) >= REFUSALS_PER_SECOND) {
        atomic_fetch_add(&unsaid, 1);
        return;
    }
    const unsigned more = atomic_exchange(&unsaid, 0);
    if (more)
        log_event(EVENT_CONTROL_REFUSED, path, "%s (and %u refusals that were not said)", whom, more);
    else
        log_event(EVENT_CONTROL_REFUSED, path, "%s", whom);
}

int control_dispatch(struct call *call)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!is_match(&routes[i], call->request, &call->rest))
            continue;
        if (control_is_in_audience(call, routes[i].audience))
            return routes[i].handle(call);
        control_log_refused(routes[i].path, arena_printf(call->arena, "uid %u", (unsigned)call->uid));
        return refuse_peer(call, routes[i].audience);
    }
    return control_fail(call, ERROR_NOT_FOUND, "the agent has no such path");
}
