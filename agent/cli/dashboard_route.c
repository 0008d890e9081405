/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which answer a request gets: the way in, the page's files, and what may be read of an agent. Paths are compared with
 * tables, never with a file system. Called by dashboard_link.c.
 */
#include "cli/dashboard.h"

#include <errno.h>
#include <string.h>

#define TYPE_TEXT "text/plain; charset=utf-8"
#define TYPE_HTML "text/html; charset=utf-8"
#define TYPE_JSON "application/json"

/* Nothing but our own files, no frames, no markup from strings; and nothing is kept. */
#define HEADERS_ALWAYS                                                                                                 \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src "   \
    "'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; "  \
    "trusted-types 'none'\r\n"                                                                                         \
    "X-Content-Type-Options: nosniff\r\n"                                                                              \
    "X-Frame-Options: DENY\r\n"                                                                                        \
    "Referrer-Policy: no-referrer\r\n"                                                                                 \
    "Cross-Origin-Opener-Policy: same-origin\r\n"                                                                      \
    "Cross-Origin-Resource-Policy: same-origin\r\n"                                                                    \
    "Cache-Control: no-store\r\n"                                                                                      \
    "Connection: close\r\n"

static const struct status_row {
    int status;
    const char *reason, *text;
} statuses[] = {
    {200, "OK", ""},
    {400, "Bad Request", "the request is not one that a browser sends\n"},
    {403, "Forbidden",
     "Open the address that tollgate dashboard printed, in the browser's own address bar. It works once: for another\n"
     "browser, end tollgate dashboard with Ctrl-C and start it again.\n"},
    {404, "Not Found", "there is no such page\n"},
    {405, "Method Not Allowed", "this page only reads\n"},
    {408, "Request Timeout", "the request took too long\n"},
    {431, "Request Header Fields Too Large", "the request's head is too long\n"},
    {505, "HTTP Version Not Supported", "HTTP/1.1 is spoken here\n"},
};

static const struct status_row *route_status(int status)
{
    const struct status_row *row = statuses + sizeof statuses / sizeof *statuses - 1;
    while (row > statuses && row->status != status)
        row--;
    return row;
}

const char *dashboard_head(int status, const char *type, const char *headers)
{
    return text_format("HTTP/1.1 %d %s\r\n" HEADERS_ALWAYS "Content-Type: %s\r\n%s", status,
                       route_status(status)->reason, type, headers);
}

struct dashboard_answer dashboard_refuse(int status)
{
    return (struct dashboard_answer){.status = status,
                                     .type = TYPE_TEXT,
                                     .text = route_status(status)->text,
                                     .headers = status == 405 ? "Allow: GET, HEAD\r\n" : ""};
}

struct dashboard_answer dashboard_explain(const struct dashboard_agent *agent, int error)
{
    static const struct {
        int error, status;
        const char *code, *message, *command;
    } rows[] = {{ENOENT, 503, "agent_absent", "no agent is running", "start"},
                {ECONNREFUSED, 503, "agent_absent", "no agent is running", "start"},
                {EACCES, 403, "agent_closed", "this user may not use the agent", "doctor"},
                {EPERM, 403, "agent_closed", "this user may not use the agent", "doctor"},
                {EAGAIN, 503, "agent_busy", "the agent is busy", "doctor"},
                {ETIMEDOUT, 504, "agent_busy", "the agent did not answer in time", "doctor"},
                {0, 502, "agent_broken", "the agent cannot be asked", "doctor"}};
    size_t i = 0;
    while (rows[i].error && rows[i].error != -error)
        i++;
    return (struct dashboard_answer){
        .status = 200,
        .type = TYPE_JSON,
        .headers = dashboard_agent_status(rows[i].status),
        .text = text_format("{\"error\":{\"code\":\"%s\",\"message\":\"%s\",\"hint\":\"tollgate %s --env %s\"}}",
                            rows[i].code, rows[i].message, rows[i].command, agent->environment)};
}

const char *dashboard_agent_status(int status)
{
    return text_format("Tollgate-Agent-Status: %d\r\n", status);
}

/* ---- the way in ---- */

static bool route_is_entry(const struct dashboard_request *request)
{
    return text_starts(request->target, "/?token=");
}

static struct dashboard_answer route_enter(struct dashboard *dashboard, const struct dashboard_request *request)
{
    const char *given = request->target + strlen("/?token=");
    bool is_right = dashboard_is_secret(dashboard->token, given, strlen(given));
    if (!is_right || dashboard->is_token_used || strcmp(request->method, "GET") != 0)
        return dashboard_refuse(403);
    dashboard->is_token_used = true;
    /* A page of ours leads on: after a redirect from elsewhere, SameSite=Strict would keep the cookie back. */
    return (struct dashboard_answer){
        .status = 200,
        .type = TYPE_HTML,
        .text = text_format(
            "<!doctype html><html lang=en><meta charset=utf-8><link rel=icon href=\"data:,\"><title>Tollgate</title>"
            "<a href=\"/%s/\">Tollgate: the dashboard</a>\n",
            dashboard->room),
        .headers = text_format("Set-Cookie: tollgate_%u=%s; Path=/%s/; HttpOnly; SameSite=Strict\r\n"
                               "Refresh: 0; url=/%s/\r\n",
                               dashboard->port, dashboard->cookie, dashboard->room, dashboard->room)};
}

/* ---- what may be read of an agent ---- */

static const struct {
    const char *path;
    bool takes_name; /* one more segment follows */
} readable[] = {
    {"v1/hello", false},     {"v1/report", false}, {"v1/report/sessions", false}, {"v1/questions", false},
    {"v1/questions/", true}, {"v1/live", false},   {"v1/wallets", false},         {"v1/budgets", false},
    {"v1/alerts", false},    {"v1/cache", false},  {"v1/targets", false},         {"v1/jobs", false},
    {"v1/leaks", false},     {"v1/events", false}, {"v1/events/", true},
};

static bool route_is_readable(const char *path, size_t length)
{
    static const char name_bytes[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
    for (size_t i = 0; i < sizeof readable / sizeof *readable; i++) {
        size_t wanted = strlen(readable[i].path);
        if (length < wanted || memcmp(path, readable[i].path, wanted) != 0)
            continue;
        size_t rest = length - wanted;
        if (readable[i].takes_name ? rest > 0 && rest <= 64 && strspn(path + wanted, name_bytes) >= rest : rest == 0)
            return true;
    }
    return false;
}

static bool route_has_parameter(const char *query, const char *pair)
{
    for (const char *at = query; at; at = strchr(at + 1, '&'))
        if (text_starts(at + 1, pair) && (at[1 + strlen(pair)] == '\0' || at[1 + strlen(pair)] == '&'))
            return true;
    return false;
}

static struct dashboard_answer route_ask(const struct dashboard *dashboard, const char *rest)
{
    for (size_t i = 0; i < dashboard->agent_count; i++) {
        const struct dashboard_agent *agent = &dashboard->agents[i];
        const char *prefix = text_format("%s/", agent->environment);
        const char *path = rest + strlen(prefix);
        if (!text_starts(rest, prefix) || !route_is_readable(path, strcspn(path, "?")))
            continue;
        return (struct dashboard_answer){.status = 200,
                                         .type = TYPE_JSON,
                                         .headers = "",
                                         .agent = agent,
                                         .agent_path = text_format("/%s", path),
                                         .is_stream = route_has_parameter(strchr(path, '?'), "follow=1")};
    }
    return dashboard_refuse(404);
}

static struct dashboard_answer route_list_environments(const struct dashboard *dashboard)
{
    struct text_list names = {0};
    for (size_t i = 0; i < dashboard->agent_count; i++)
        text_append(&names, text_format("\"%s\"", dashboard->agents[i].environment));
    return (struct dashboard_answer){
        .status = 200,
        .type = TYPE_JSON,
        .headers = "",
        .text = text_format("{\"environments\":[%s],\"version\":\"%s\"}", text_join(&names, ","), TOLLGATE_VERSION)};
}

struct dashboard_answer dashboard_route(struct dashboard *dashboard, const struct dashboard_request *request)
{
    int status = dashboard_check(dashboard, request, route_is_entry(request));
    if (status)
        return dashboard_refuse(status);
    if (route_is_entry(request))
        return route_enter(dashboard, request);
    const char *room = text_format("/%s/", dashboard->room);
    if (!dashboard_has_session(dashboard, request))
        return dashboard_refuse(403);
    if (!text_starts(request->target, room))
        return dashboard_refuse(404);
    const char *rest = request->target + strlen(room);
    if (strcmp(rest, "api/environments") == 0)
        return route_list_environments(dashboard);
    if (text_starts(rest, "api/"))
        return route_ask(dashboard, rest + strlen("api/"));
    const struct dashboard_asset *asset = dashboard_find_asset(rest);
    if (!asset)
        return dashboard_refuse(404);
    return (struct dashboard_answer){
        .status = 200, .type = asset->type, .headers = "Content-Encoding: gzip\r\n", .asset = asset};
}
