/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate events: the latest calls, oldest first, and with --follow those that happen from now on. The stream is
 * opened before the list is asked for, so that none falls between the two; those that are in both are shown once.
 */
#include "cli/cli.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define EVENTS_LIMIT_MAX      1000
#define EVENTS_LINE_BYTES_MAX (1u << 20)

static const char *events_tokens(const json_t *tokens)
{
    static const char *const inputs[] = {"input", "cache_read", "cache_write", "cache_write_1h", "input_audio", NULL};
    if (!tokens)
        return "-";
    long long input = 0;
    for (const char *const *name = inputs; *name; name++)
        input += api_integer(tokens, *name, 0);
    return text_format("%lld/%lld", input, api_integer(tokens, "output", 0) + api_integer(tokens, "output_audio", 0));
}

void events_print(const json_t *event, FILE *to)
{
    bool is_compact = terminal_is_compact();
    int width = terminal_width(), program = is_compact ? 10 : 14, route = is_compact ? 30 : 42;
    const char *error = terminal_clean(api_text(event, "error", ""));
    const char *target = api_text(event, "target", "");
    const char *model = api_text(event, "model", "");
    const char *asked = model[0] ? model : api_text(event, "path", api_text(event, "host", "-"));
    const char *arrow = target[0] ? text_format("%s → %s", asked, target) : asked;
    const char *start =
        text_format("%s %s %s %s ", terminal_time(api_text(event, "time", "-"), false),
                    terminal_pad(terminal_clean(api_text(event, "status", "-")), -3),
                    terminal_pad(terminal_clean(terminal_base(api_text(event, "executable", "-"))), program),
                    terminal_pad(terminal_clean(arrow), route));
    const char *rest;
    if (error[0]) {
        const char *detail = terminal_clean(api_text(event, "error_detail", ""));
        rest = text_format("%s%s%s", error, detail[0] ? ": " : "", detail);
    } else {
        rest = text_format("%s %s%s%s", terminal_pad(events_tokens(json_object_get(event, "tokens")), -11),
                           terminal_pad(terminal_money(api_text(event, "charge", "-")), -12), is_compact ? "" : " ",
                           is_compact ? "" : terminal_clean(api_text(event, "wallet", "")));
    }
    rest = terminal_fit(rest, width - terminal_columns(start));
    fprintf(to, "%s%s\n", start, terminal_paint(to, error[0] ? COLOR_RED : COLOR_NONE, rest));
}

/* ---- which of them ---- */

/* The members of events that are one value, and how patterns see them. */
enum member_kind { MEMBER_TEXT, MEMBER_NUMBER, MEMBER_FLAG, MEMBER_KINDS };
static const char *const members[MEMBER_KINDS][40] = {
    [MEMBER_TEXT] = {"id",
                     "time",
                     "kind",
                     "environment",
                     "executable",
                     "program",
                     "directory",
                     "project",
                     "group",
                     "group_source",
                     "wallet",
                     "host",
                     "method",
                     "path",
                     "dialect",
                     "endpoint",
                     "model",
                     "outcome",
                     "error",
                     "error_detail",
                     "provider",
                     "target",
                     "served_model",
                     "rule",
                     "found",
                     "redacted",
                     "job",
                     "basis",
                     "usage_source",
                     "source",
                     "cache_status",
                     "hold",
                     "hold_basis",
                     "avoided_cost",
                     "not_stored",
                     "charge",
                     "wallet_available",
                     "policy_digest",
                     "version"},
    [MEMBER_NUMBER] = {"status", "uid", "pid", "iteration", "request_bytes", "answer_bytes", "duration_us",
                       "overhead_us", "clamped_output_tokens"},
    [MEMBER_FLAG] = {"stream", "flagged", "unmetered", "hold_exceeded"},
};

static enum member_kind find_member(const char *name)
{
    for (enum member_kind kind = 0; kind < MEMBER_KINDS; kind++)
        for (const char *const *member = members[kind]; *member; member++)
            if (strcmp(*member, name) == 0)
                return kind;
    return MEMBER_KINDS;
}

static int complain_member(const char *name)
{
    struct text_list all = {0};
    for (enum member_kind kind = 0; kind < MEMBER_KINDS; kind++)
        for (const char *const *member = members[kind]; *member; member++)
            text_append(&all, *member);
    text_complain("no event has a member \"%s\"; --filter knows %s", terminal_clean(name), text_join(&all, ", "));
    return EX_USAGE;
}

/* A pattern that nothing can be like is a mistake, not an empty list. */
static int check_filter(const char *name, const char *pattern)
{
    const enum member_kind kind = find_member(name);
    if (kind == MEMBER_KINDS)
        return complain_member(name);
    const bool is_number = pattern[strspn(pattern, "0123456789*?[!^-]")] == '\0';
    const bool is_flag = pattern[0] == '\0' || fnmatch(pattern, "yes", 0) == 0 || fnmatch(pattern, "no", 0) == 0;
    if ((kind == MEMBER_NUMBER && !is_number) || (kind == MEMBER_FLAG && !is_flag)) {
        text_complain("--filter %s=%s: %s is %s", name, terminal_clean(pattern), name,
                      kind == MEMBER_NUMBER ? "a whole number, or a pattern of digits: 4*" : "yes or no");
        return EX_USAGE;
    }
    return EX_OK;
}

/* "group=a,model=gpt-*": each an own NAME=PATTERN. EX_USAGE after a message. */
static int events_read_filters(const struct text_list *written, struct text_list *ret_filters)
{
    for (size_t i = 0; i < written->count; i++)
        for (const char *at = written->items[i]; *at;) {
            const size_t length = strcspn(at, ",");
            const char *filter = text_format("%.*s", (int)length, at);
            if (!strchr(filter, '=') || filter[0] == '=') {
                text_complain("--filter is NAME=PATTERN, e.g. status=429,model='gpt-*'");
                return EX_USAGE;
            }
            const size_t name_length = strcspn(filter, "=");
            int code = check_filter(text_format("%.*s", (int)name_length, filter), filter + name_length + 1);
            if (code != EX_OK)
                return code;
            text_append(ret_filters, filter);
            at += length + (at[length] == ',');
        }
    return EX_OK;
}

static bool events_fits(const json_t *event, const struct text_list *filters)
{
    for (size_t i = 0; i < filters->count; i++) {
        const char *equals = strchr(filters->items[i], '=');
        const char *name = text_format("%.*s", (int)(equals - filters->items[i]), filters->items[i]);
        const char *value = api_text(event, strcmp(name, "program") == 0 ? "executable" : name, "");
        if (fnmatch(equals + 1, value, 0) != 0 && fnmatch(equals + 1, terminal_base(value), 0) != 0)
            return false;
    }
    return true;
}

/* ---- the lists ---- */

static void events_show(const struct cli *cli, const json_t *event)
{
    struct text_block *mark = text_mark();
    if (cli->options.json) {
        json_dumpf(event, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        events_print(event, stdout);
    }
    text_release(mark);
}

/* Leaves of the document only those that fit. */
static void events_filter(struct answer *answer, const struct text_list *filters, size_t most)
{
    json_t *events = json_object_get(answer->json, "events"), *fitting = json_array();
    for (size_t i = 0; i < json_array_size(events) && json_array_size(fitting) < most; i++)
        if (events_fits(json_array_get(events, i), filters))
            json_array_append(fitting, json_array_get(events, i));
    json_object_set_new(answer->json, "events", fitting);
    char *body = json_dumps(answer->json, JSON_COMPACT);
    if (body)
        answer->body = text_format("%s", body);
    free(body);
}

static int events_list(const struct cli *cli, long limit, const struct text_list *filters, json_t **ret_seen)
{
    struct answer answer;
    int code = api_get(cli, text_format("/v1/events?limit=%ld", filters->count ? EVENTS_LIMIT_MAX : limit), &answer);
    if (code != EX_OK)
        return code;
    if (filters->count)
        events_filter(&answer, filters, (size_t)limit);
    const json_t *events = json_object_get(answer.json, "events");
    if (cli->options.json && !cli->options.follow) {
        terminal_print_json(&answer);
    } else {
        for (size_t i = json_array_size(events); i-- > 0;)
            events_show(cli, json_array_get(events, i));
    }
    if (json_is_true(json_object_get(answer.json, "rest")))
        text_complain("older events were left off: they are too large for one answer");
    json_t *seen = json_object();
    for (size_t i = 0; i < json_array_size(events); i++)
        json_object_set_new(seen, api_text(json_array_get(events, i), "id", "-"), json_true());
    *ret_seen = seen;
    json_decref(answer.json);
    return EX_OK;
}

static void events_take_line(const struct cli *cli, const char *line, size_t length, const struct text_list *filters,
                             json_t *seen)
{
    json_error_t ignored;
    json_t *event = json_loadb(line, length, 0, &ignored);
    if (json_is_object(event) && json_object_del(seen, api_text(event, "id", "-")) != 0 && events_fits(event, filters))
        events_show(cli, event);
    json_decref(event);
    fflush(stdout);
}

/* Until the agent ends the stream; Ctrl-C is the usual end. */
static int events_follow(const struct cli *cli, struct http_stream *stream, const struct text_list *filters,
                         json_t *seen)
{
    char *line = text_allocate(EVENTS_LINE_BYTES_MAX);
    size_t used = 0;
    long got;
    fflush(stdout);
    while ((got = http_read(stream, line + used, EVENTS_LINE_BYTES_MAX - used)) > 0) {
        used += (size_t)got;
        const char *at = line, *newline;
        while ((newline = memchr(at, '\n', used))) {
            size_t length = (size_t)(newline - at);
            events_take_line(cli, at, length, filters, seen);
            used -= length + 1;
            at = newline + 1;
        }
        memmove(line, at, used);
        if (used == EVENTS_LINE_BYTES_MAX) {
            text_complain("an event has more than %u bytes", EVENTS_LINE_BYTES_MAX);
            return EX_PROTOCOL;
        }
    }
    text_complain("the agent ended the stream");
    return EX_UNAVAILABLE;
}

int events_command(struct cli *cli)
{
    const char *limit = cli->options.limit ? cli->options.limit : "20";
    char *end;
    long count = strtol(limit, &end, 10);
    if (*end || count < 1 || count > EVENTS_LIMIT_MAX) {
        text_complain("--limit is 1 to %d", EVENTS_LIMIT_MAX);
        return EX_USAGE;
    }
    json_t *seen = NULL;
    struct text_list filters = {0};
    struct http_stream *stream = text_allocate(sizeof *stream);
    stream->fd = -1;
    int code = events_read_filters(&cli->options.filters, &filters);
    if (code == EX_OK && cli->options.follow) {
        const struct http_request request = {.method = "GET", .path = "/v1/events?follow=1"};
        int error = http_open(&cli->place, &request, stream);
        code = error ? api_complain_absent(cli, error) : EX_OK;
    }
    if (code == EX_OK)
        code = events_list(cli, count, &filters, &seen);
    if (code == EX_OK && cli->options.follow)
        code = events_follow(cli, stream, &filters, seen);
    http_close(stream);
    json_decref(seen);
    return code;
}
