/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/doctor: what only the agent knows about its own health, each with its fix. The client adds its own checks. */
#include "control/internal.h"

#include "base/json.h"

#include <sys/statvfs.h>

static void write_check(struct buffer *out, const char *name, const char *status, const char *text, const char *fix)
{
    if (out->data[out->end - 1] != '[')
        json_write_raw(out, ",");
    json_write_raw(out, "{");
    json_write_member_string(out, "name", name);
    json_write_member_string(out, "status", status);
    json_write_member_string(out, "text", text);
    json_write_member_string(out, "fix", fix);
    json_write_raw(out, "}");
}

static void check_targets(struct call *call, const struct settings *settings)
{
    for (size_t i = 0; i < settings->target_count; i++) {
        const struct target *target = &settings->targets[i];
        const char *name = arena_printf(call->arena, "target %s", target->id);
        if (target->secret)
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
                arena_printf(call->arena, "%llu operations in %llu batches", (unsigned long long)statistics.operations,
                             (unsigned long long)statistics.batches),
                statistics.is_stopped ? "the agent's log says why; free disk space, then restart the agent" : "");
    bool is_lost = journal_is_failed(call->services->journal);
    write_check(&call->body, "events", is_lost ? "warning" : "ok", is_lost ? "events are not kept" : "kept",
                is_lost ? "the agent's log says why; restart the agent" : "");
}

static void check_disk(struct call *call)
{
    enum { LOW_MIB = 256 };
    struct statvfs disk;
    if (statvfs(call->services->state, &disk) != 0)
        return;
    unsigned long long free_mib = (unsigned long long)disk.f_bavail * disk.f_frsize >> 20;
    write_check(&call->body, "disk", free_mib < LOW_MIB ? "warning" : "ok",
                arena_printf(call->arena, "%llu MiB free for the ledger", free_mib),
                free_mib < LOW_MIB ? "free some space: a full disk stops paid requests" : "");
}

int control_doctor(struct call *call)
{
    struct settings *settings = call->services->retain_settings(call->services->context);
    json_write_raw(&call->body, "{\"checks\":[");
    write_check(&call->body, "certificates", "ok", certificates_describe(call->services->certificates, call->arena),
                "");
    check_targets(call, settings);
    check_wallets(call, settings);
    check_ledger(call);
    check_disk(call);
    json_write_raw(&call->body, "]}");
    config_release(settings);
    return 200;
}
