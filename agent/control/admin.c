/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only the agent's owner may do, on the admin socket: put a changed policy in force, store a secret, make a
 * backup, stop.
 */
#include "control/internal.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#include <stdio.h>
#include <sys/stat.h>

int control_fail_problems(struct call *call, enum error error, struct slice problems)
{
    control_fail(call, error, NULL);
    call->body.end--; /* the closing brace: one more member */
    json_write_member(&call->body, "problems");
    json_write_string(&call->body, problems);
    json_write_raw(&call->body, "}");
    return 422;
}

int control_reload(struct call *call)
{
    struct buffer text;
    buffer_init(&text, 1 << 20);
    enum error error = call->services->reload(call->services->context, &text);
    struct settings *settings = call->services->retain_settings(call->services->context);
    int status = 200;
    if (error) {
        status = control_fail_problems(call, error, buffer_contents(&text));
    } else {
        json_write_raw(&call->body, "{");
        json_write_member_string(&call->body, "policy_digest", settings->digest);
        json_write_member(&call->body, "warnings");
        json_write_string(&call->body, buffer_contents(&text));
        json_write_raw(&call->body, "}");
    }
    config_release(settings);
    buffer_done(&text);
    return status;
}

int control_store_secret(struct call *call)
{
    enum { SECRET_BYTES_MAX = 8192 };
    char directory[512];
    struct slice value = call->request->body;
    if (value.length && value.data[value.length - 1] == '\n')
        value.length--;
    if (value.length == 0 || value.length > SECRET_BYTES_MAX)
        return control_fail(call, ERROR_REQUEST_INVALID, "a secret has 1 to 8192 bytes");
    snprintf(directory, sizeof directory, "%s/secrets", call->services->state);
    enum error error = config_store_secret(directory, control_rest_text(call), value);
    explicit_bzero((char *)(uintptr_t)call->request->body.data, call->request->body.length);
    if (error)
        return control_fail(call, error, NULL);
    json_write_raw(&call->body, "{}");
    return 200;
}

/* STATE/backups/20261123T203000Z, or what the order names. */
static const char *choose_directory(struct call *call, const char *ordered)
{
    char time_text[CLOCK_TEXT_MAX], *directory;
    struct settings *settings = call->services->retain_settings(call->services->context);
    directory = settings->backups.directory ? arena_strdup(call->arena, settings->backups.directory)
                                            : arena_printf(call->arena, "%s/backups", call->services->state);
    config_release(settings);
    if (ordered[0])
        return ordered;
    mkdir(directory, 0700); /* a failure shows below */
    clock_format(clock_wall_ns(), time_text);
    return arena_printf(call->arena, "%s/%.4s%.2s%.5s%.2s%.2sZ", directory, time_text, time_text + 5, time_text + 8,
                        time_text + 14, time_text + 17);
}

/* POST /v1/backup {"directory"?} → {"directory"}; absolute, must not exist. Another one than ordered: the agent may not
 * write there (harden.h), and the client moves it. */
int control_backup(struct call *call)
{
    char ordered[512] = "", why[512] = "";
    struct json_value directory;
    struct json_problem problem;
    const struct json_query query = {"directory", &directory};
    if (json_scan(call->request->body, 8, &query, 1, &problem) ||
        (directory.kind != JSON_KIND_ABSENT && !json_get_string(&directory, ordered, sizeof ordered)) ||
        (ordered[0] && ordered[0] != '/'))
        return control_fail(call, ERROR_REQUEST_INVALID, "the order is an object; its directory an absolute path");
    struct stat status;
    if (ordered[0] && lstat(ordered, &status) == 0)
        return control_fail_with(call, ERROR_REQUEST_INVALID,
                                 arena_printf(call->arena, "%s: it exists already", ordered),
                                 "nothing is left of it; the ledger goes on");
    if (ordered[0] && !call->services->may_write(call->services->context, ordered))
        ordered[0] = 0; /* the client moves it */
    const char *chosen = choose_directory(call, ordered);
    enum error error = wallet_backup(call->services->ledger, chosen, why, sizeof why);
    if (error)
        return control_fail_with(call, error, why[0] ? why : NULL, "nothing is left of it; the ledger goes on");
    json_write_raw(&call->body, "{");
    json_write_member_string(&call->body, "directory", chosen);
    json_write_raw(&call->body, "}");
    return 200;
}

/* Said in the log while the more talkative of the two levels holds: both directions are seen. */
int control_set_log_level(struct call *call)
{
    enum log_level before = log_get_level(), level;
    if (!log_level_parse(control_rest_text(call), &level))
        return control_fail(call, ERROR_REQUEST_INVALID, "a log level is error, warning, info or debug");
    log_set_level(level > before ? level : before);
    log_event(EVENT_LOG_LEVEL, NULL, "%s, %s before; the next start has its own again", log_level_name(level),
              log_level_name(before));
    log_set_level(level);
    json_write_raw(&call->body, "{");
    json_write_member_string(&call->body, "level", log_level_name(level));
    json_write_member_string(&call->body, "before", log_level_name(before));
    json_write_raw(&call->body, "}");
    return 200;
}

int control_stop(struct call *call)
{
    json_write_raw(&call->body, "{}");
    call->services->stop(call->services->context);
    return 200;
}
