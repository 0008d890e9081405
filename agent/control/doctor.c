/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/doctor: what only the agent knows about its own health, each with its fix. The client adds its own checks.
 * GET /v1/leaks. */
#include "control/internal.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/secret.h"

#include <dirent.h>
#include <sys/statvfs.h>

void control_write_check(struct buffer *out, const char *name, const char *status, const char *text, const char *fix,
                         const char *why)
{
    json_write_raw(out, out->data[out->end - 1] == '[' ? "{" : ",{");
    json_write_member_string(out, "name", name);
    json_write_member_string(out, "status", status);
    json_write_member_string(out, "text", text);
    json_write_member_string(out, "fix", fix);
    if (why)
        json_write_member_string(out, "why", why);
    json_write_raw(out, "}");
}

/* What is plain from its text. */
static void write_check(struct buffer *out, const char *name, const char *status, const char *text, const char *fix)
{
    control_write_check(out, name, status, text, fix, NULL);
}

static void check_targets(struct call *call, const struct settings *settings)
{
    for (size_t i = 0; i < settings->target_count; i++) {
        const struct target *target = &settings->targets[i];
        const char *name = arena_printf(call->arena, "target %s", target->id);
        struct routing_state state;
        bool is_known = routing_find_state(call->services->routing, target, settings, &state);
        if (target->secret && is_known && state.is_model_missing)
            write_check(&call->body, name, "warning",
                        arena_printf(call->arena, "%s does not know the model %s", target->provider->id, target->model),
                        "correct the target's model, or ask the provider for access; until then others are asked");
        else if (target->secret)
            write_check(&call->body, name, "ok", arena_printf(call->arena, "%s at %s", target->model, target->base_url),
                        "");
        else
            write_check(&call->body, name, "warning", target->secret_problem ? target->secret_problem : "no API key",
                        "set the variable where the agent starts, or: tollgate secret set NAME, with secret_key_ref: "
                        "{store: NAME}; then tollgate reload");
    }
}

static void check_wallets(struct call *call, const struct settings *settings)
{
    for (size_t i = 0; i < settings->group_count; i++) {
        const char *wallet = settings->groups[i].wallet;
        const char *name = arena_printf(call->arena, "wallet %s", wallet);
        struct wallet_facts facts;
        char text[MONEY_TEXT_MAX];
        bool is_found = wallet_find(call->services->ledger, wallet, &facts) == ERROR_OK;
        bool has_money = is_found && facts.available.nano > 0;
        write_check(&call->body, name, has_money ? "ok" : "warning",
                    is_found ? arena_printf(call->arena, "%s USD left", money_format(facts.available, text))
                             : "it has no money yet",
                    has_money ? "" : arena_printf(call->arena, "tollgate wallet fund %s AMOUNT --create", wallet));
    }
}

static void check_ledger(struct call *call)
{
    struct wallet_statistics statistics;
    wallet_get_statistics(call->services->ledger, &statistics);
    write_check(&call->body, "ledger", statistics.is_stopped ? "failure" : "ok",
                arena_printf(call->arena, "operations: %llu, in batches: %llu",
                             (unsigned long long)statistics.operations, (unsigned long long)statistics.batches),
                statistics.is_stopped ? "the agent's log says why; free disk space, then restart the agent" : "");
}

static void check_events(struct call *call)
{
    const struct control_services *services = call->services;
    const uint64_t missing = services->count_missing_events(services->context);
    if (journal_is_failed(services->journal))
        write_check(&call->body, "events", "warning", "events are not kept",
                    "the agent's log says why; restart the agent");
    else if (missing)
        write_check(
            &call->body, "events", "warning",
            arena_printf(call->arena, "kept, but %llu are missing in the events file", (unsigned long long)missing),
            "the agent's log says why; tollgate export has all of them");
    else
        write_check(&call->body, "events", "ok", "kept", "");
}

static void check_start(struct call *call)
{
    const struct control_services *services = call->services;
    write_check(
        &call->body, "start", services->recovered ? "warning" : "ok",
        arena_printf(call->arena, "ready after %u ms, %u open holds settled", services->ready_ms, services->recovered),
        services->recovered ? "the agent before did not end in order: tollgate wallet history WALLET shows "
                              "them as recovered, tollgate wallet adjust corrects them"
                            : "");
}

static void check_disk(struct call *call, const struct settings *settings)
{
    struct wallet_statistics statistics;
    struct statvfs disk;
    wallet_get_statistics(call->services->ledger, &statistics);
    if (statvfs(call->services->state, &disk) != 0)
        return;
    unsigned long long free_bytes = (unsigned long long)disk.f_bavail * disk.f_frsize;
    bool is_near = free_bytes < 2 * settings->limits.disk_low_water_bytes;
    write_check(&call->body, "disk",
                statistics.is_disk_low ? "failure"
                : is_near              ? "warning"
                                       : "ok",
                arena_printf(call->arena, "%llu MiB free for the ledger%s", free_bytes >> 20,
                             statistics.is_disk_low ? ": no new paid request is taken" : ""),
                statistics.is_disk_low || is_near
                    ? arena_printf(call->arena, "free some space: below %llu MiB paid requests are refused",
                                   (unsigned long long)settings->limits.disk_low_water_bytes >> 20)
                    : "");
}

/* By its name: the agent's own are 20261123-203000, those that somebody has ordered 20261123T203000Z. 0: none. */
static uint64_t parse_backup_time(const char *name)
{
    unsigned day, second;
    int length = 0;
    return sscanf(name, "%8u%*1[-T]%6u%n", &day, &second, &length) == 2 && length == 15 &&
                   strspn(name, "0123456789") == 8 && (!name[15] || strcmp(name + 15, "Z") == 0)
               ? (uint64_t)day * 1000000 + second
               : 0;
}

static const char *find_newer(struct call *call, const char *directory, const char *newest)
{
    DIR *stream = opendir(directory);
    if (!stream)
        return newest;
    for (struct dirent *entry; (entry = readdir(stream));) {
        const char *name = newest ? strrchr(newest, '/') + 1 : "";
        if (parse_backup_time(entry->d_name) > parse_backup_time(name))
            newest = arena_printf(call->arena, "%s/%s", directory, entry->d_name);
    }
    closedir(stream);
    return newest;
}

/* "" or why not. */
static const char *find_obstacle(struct call *call, const char *directory)
{
    const int obstacle = file_find_obstacle(directory);
    if (obstacle)
        return strerrordesc_np(obstacle);
    return call->services->may_write(call->services->context, directory) ? "" : "agent.hardening: until a restart";
}

static const char *describe_next(struct call *call, int64_t due_s)
{
    char time_text[CLOCK_TEXT_MAX];
    return due_s < 0 ? "none is due"
                     : arena_printf(call->arena, "the next at %.16s",
                                    clock_format(clock_wall_ns() + due_s * 1000000000, time_text));
}

static void check_backups(struct call *call, const struct settings *settings)
{
    const char *own = arena_printf(call->arena, "%s/backups", call->services->state);
    const char *directory = control_backup_directory(call, settings);
    const char *obstacle = find_obstacle(call, directory);
    const char *last = find_newer(call, own, NULL);
    if (settings->backups.directory)
        last = find_newer(call, directory, last);
    struct wallet_backups backups;
    wallet_find_backups(call->services->ledger, &backups);
    const int64_t every_ns = (int64_t)settings->backups.every_hours * 3600 * 1000000000;
    const bool is_missed = every_ns && !last && clock_wall_ns() - call->services->started_wall_ns > every_ns;
    const char *text = arena_printf(
        call->arena, "they go to %s (%s%s); %s%s; %s%s%s", directory, *obstacle ? "not writable: " : "writable",
        obstacle, last ? "the last is " : "none yet", last ? last : "", describe_next(call, backups.due_s),
        backups.failure[0] ? "; the last try failed: " : "", backups.failure);
    const char *fix = *obstacle
                          ? "make that directory for the agent's user, and restart it; until then they go to its state"
                      : is_missed || backups.failure[0] ? "the agent's log says why; tollgate backup makes one now"
                                                        : "";
    write_check(&call->body, "backups", *fix ? "warning" : "ok", text, fix);
}

static unsigned count_occurrences(struct slice text, const char *part)
{
    unsigned count = 0;
    const size_t length = strlen(part);
    for (const char *at = text.data; at && (at = memmem(at, (size_t)(text.data + text.length - at), part, length));
         at += length)
        count++;
    return count;
}

static void check_alerts(struct call *call)
{
    struct buffer text;
    buffer_init_forgiving(&text, CONTROL_BODY_BYTES_MAX);
    call->services->write_alerts(call->services->context, &text);
    unsigned failed = count_occurrences(buffer_contents(&text), "\"delivery\":\"failed\"");
    unsigned pending = count_occurrences(buffer_contents(&text), "\"delivery\":\"pending\"");
    write_check(&call->body, "alerts", failed ? "warning" : "ok",
                arena_printf(call->arena, "%u could not be delivered, %u are under way", failed, pending),
                failed ? "the agent's log says why; they are given again at the next start" : "");
    buffer_done(&text);
}

static void check_exports(struct call *call, const struct settings *settings)
{
    char text[EXPORT_FAILURE_MAX];
    if (!settings->evidence.exports.is_enabled)
        write_check(&call->body, "exports", "ok", "off", "");
    else if (call->services->is_export_failing(call->services->context, text))
        write_check(
            &call->body, "exports", "warning", text,
            "free some space, or let the agent write where evidence.exports.directory says; it tries again each "
            "minute");
    else
        write_check(&call->body, "exports", "ok", "what is due is written", "");
}

static void check_hardening(struct call *call)
{
    const char *missing = call->services->missing_hardening(call->services->context);
    const unsigned swappable = secret_count_swappable();
    if (*missing)
        write_check(&call->body, "hardening", "warning", arena_printf(call->arena, "not in force: %s", missing),
                    "a newer kernel has it; agent.hardening in the policy says whether it is wanted");
    else if (swappable)
        write_check(&call->body, "hardening", "warning",
                    arena_printf(call->arena, "%u keys may be swapped out to disk", swappable),
                    "raise the limit of locked memory (ulimit -l, LimitMEMLOCK=) and start the agent again");
    else
        write_check(&call->body, "hardening", "ok", "the agent executes nothing, and writes in its directories alone",
                    "");
}

/* The signer's death, and that of who looks into other processes, ends the agent. */
static void check_helpers(struct call *call)
{
    const char *losses[CONTROL_LOSSES_MAX];
    const size_t count = call->services->list_losses(call->services->context, losses);
    for (size_t i = 0; i < count; i++)
        write_check(&call->body, "helpers", "warning", losses[i], "the kernel's log may say why; tollgate restart");
    if (!count)
        write_check(&call->body, "helpers", "ok", "all are there", "");
}

static void check_settings(struct call *call)
{
    struct buffer text;
    buffer_init_forgiving(&text, CONTROL_BODY_BYTES_MAX);
    call->services->write_pending(call->services->context, &text);
    const unsigned count = count_occurrences(buffer_contents(&text), "\"key\":");
    write_check(&call->body, "settings", count ? "warning" : "ok",
                count ? arena_printf(call->arena, "%u that the policy has changed wait for a restart", count)
                      : "what the policy says is in force",
                count ? "tollgate status lists them; tollgate restart puts them in force" : "");
    buffer_done(&text);
}

static void check_base_url(struct call *call, const struct settings *settings)
{
    const unsigned port = call->services->base_url_port;
    const bool is_in_force = settings->capture.base_urls == (port != 0) &&
                             (!port || !settings->capture.base_url_port || settings->capture.base_url_port == port);
    const char *fix =
        is_in_force ? "" : "the policy says something else since the start: tollgate stop; tollgate start";
    write_check(&call->body, "base URLs", is_in_force ? "ok" : "warning",
                port ? arena_printf(call->arena, "http://127.0.0.1:%u/PROVIDER", port) : "off", fix);
}

int control_list_leaks(struct call *call)
{
    json_write_raw(&call->body, "{\"leaks\":");
    call->services->write_leaks(call->services->context, &call->body);
    json_write_raw(&call->body, "}");
    return 200;
}

/* Without them, who finds an address without asking us, and who goes past us, looks like anybody. */
static void check_addresses(struct call *call)
{
    size_t count = call->services->count_addresses(call->services->context);
    write_check(&call->body, "addresses", count ? "ok" : "warning",
                count ? arena_printf(call->arena, "%zu addresses of providers are known", count)
                      : "no address of a provider is known",
                count ? ""
                      : "let this machine's DNS answer for the governed names (capture.refresh_seconds), or write them "
                        "under capture.addresses");
}

static void check_leaks(struct call *call)
{
    struct buffer text;
    buffer_init_forgiving(&text, CONTROL_BODY_BYTES_MAX);
    call->services->write_leaks(call->services->context, &text);
    unsigned count = count_occurrences(buffer_contents(&text), "\"since\":");
    write_check(&call->body, "leaks", count ? "failure" : "ok",
                count ? arena_printf(call->arena, "%u connections to providers past the agent are open now", count)
                      : "no connection to a provider past the agent is open now",
                count ? "tollgate ps names the programs: start them with tollgate run" : "");
    buffer_done(&text);
}

int control_doctor(struct call *call)
{
    struct settings *settings = call->services->retain_settings(call->services->context);
    json_write_raw(&call->body, "{\"checks\":[");
    bool can_sign = certificates_can_sign(call->services->certificates);
    write_check(&call->body, "certificates", can_sign ? "ok" : "failure",
                certificates_describe(call->services->certificates, call->arena),
                can_sign ? "" : "the process that signs certificates is gone: start the agent again");
    check_hardening(call);
    check_helpers(call);
    check_settings(call);
    check_base_url(call, settings);
    check_targets(call, settings);
    check_wallets(call, settings);
    check_ledger(call);
    check_events(call);
    check_start(call);
    check_disk(call, settings);
    check_backups(call, settings);
    check_exports(call, settings);
    check_alerts(call);
    check_addresses(call);
    check_leaks(call);
    if (control_find_parameter(call, "prod"))
        control_check_prod(call, settings);
    json_write_raw(&call->body, "]}");
    config_release(settings);
    return 200;
}
