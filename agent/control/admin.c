/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only the agent's owner may do, on the admin socket: put a changed policy in force, store a secret, make a
 * backup, stop.
 */
#include "control/internal.h"

#include "base/clock.h"
#include "base/file.h"
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

const char *control_backup_directory(struct call *call, const struct settings *settings)
{
    return settings->backups.directory ? arena_strdup(call->arena, settings->backups.directory)
                                       : arena_printf(call->arena, "%s/backups", call->services->state);
}

/* DIRECTORY/20261123T203000Z */
static const char *name_backup(struct call *call, const char *directory, int64_t time_ns)
{
    char time_text[CLOCK_TEXT_MAX];
    clock_format(time_ns, time_text);
    return arena_printf(call->arena, "%s/%.4s%.2s%.5s%.2s%.2sZ", directory, time_text, time_text + 5, time_text + 8,
                        time_text + 14, time_text + 17);
}

enum { BACKUP_WHY_BYTES = 1024 };

struct backup_order {
    const char *directory; /* absolute; NULL: the agent's choice */
    const char *made;      /* where it is */
    char why[BACKUP_WHY_BYTES];
};

static enum error back_up_to(struct call *call, const char *path, struct backup_order *order)
{
    char why[BACKUP_WHY_BYTES / 2] = "";
    const enum error error = wallet_backup(call->services->ledger, path, why, sizeof why);
    const size_t used = strlen(order->why);
    if (error)
        snprintf(order->why + used, sizeof order->why - used, "%s%s", used ? "; " : "", why);
    order->made = path;
    return error;
}

/* A name that is taken is one of this second, or of a clock that was set back: the next second has another. */
static enum error back_up_in(struct call *call, const char *directory, struct backup_order *order)
{
    enum { NAMES_MAX = 60 };
    const int64_t now_ns = clock_wall_ns();
    const size_t used = strlen(order->why);
    enum error error = ERROR_REQUEST_INVALID;
    for (int64_t second = 0; second < NAMES_MAX && error == ERROR_REQUEST_INVALID; second++) {
        order->why[used] = '\0';
        error = back_up_to(call, name_backup(call, directory, now_ns + second * 1000000000), order);
    }
    return error;
}

/* Where the policy wants backups, else in the agent's state. One that the client moves may wait in the runtime
 * directory, too, which is another disk's, or memory: a full disk is when one wants a backup elsewhere. */
static enum error back_up_by_choice(struct call *call, struct backup_order *order)
{
    struct settings *settings = call->services->retain_settings(call->services->context);
    const char *const directories[] = {
        settings->backups.directory ? arena_strdup(call->arena, settings->backups.directory) : NULL,
        arena_printf(call->arena, "%s/backups", call->services->state),
        order->directory ? arena_printf(call->arena, "%s/backups", call->services->runtime) : NULL,
    };
    config_release(settings);
    enum error error = ERROR_FILE_UNWRITABLE;
    for (size_t i = 0; i < sizeof directories / sizeof *directories && error; i++) {
        if (!directories[i])
            continue;
        (void)!file_make_directory(directories[i], 0700); /* a failure shows below */
        error = back_up_in(call, directories[i], order);
    }
    return error;
}

/* POST /v1/backup {"directory"?} → {"directory"}; absolute, must not exist. Another one than ordered: the agent may not
 * write there (harden.h), and the client moves it. */
int control_backup(struct call *call)
{
    char ordered[512] = "";
    struct backup_order order = {.why = ""};
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
                                 "it stays as it is, and no backup was made: name a directory that is not there");
    order.directory = ordered[0] ? ordered : NULL;
    const bool is_direct = ordered[0] && call->services->may_write(call->services->context, ordered);
    const enum error error = is_direct ? back_up_to(call, ordered, &order) : back_up_by_choice(call, &order);
    if (error)
        return control_fail_with(call, error, order.why[0] ? order.why : NULL,
                                 error == ERROR_DISK_LOW
                                     ? "name another disk by backups.directory in the policy; the ledger goes on"
                                     : "nothing is left of it; the ledger goes on");
    json_write_raw(&call->body, "{");
    json_write_member_string(&call->body, "directory", order.made);
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

int control_fail_draining(struct call *call)
{
    return control_fail_with(call, ERROR_SHUTTING_DOWN, "the agent is ending its last calls already",
                             "tollgate status says how many; the next agent takes orders again");
}

int control_stop(struct call *call)
{
    if (call->services->write_draining(call->services->context, NULL))
        return control_fail_draining(call);
    json_write_raw(&call->body, "{}");
    call->services->stop(call->services->context);
    return 200;
}
