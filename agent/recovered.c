/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of calls that were open when the agent before ended: the ledger has charged them at its opening, and what they
 * used nobody knows. One event per hold, so that events still sum to what wallets paid. Called by agent.c once.
 */
#include "startup.h"

#include "base/clock.h"
#include "base/json.h"

struct recovery {
    struct journal *journal;
    enum environment environment;
    unsigned left;
};

static void write_event(const struct recovery *recovery, const struct wallet_transfer *transfer, const char *id,
                        struct buffer *out)
{
    static const char provider_prefix[] = "provider/";
    char time_text[CLOCK_TEXT_MAX];
    const char *provider = strncmp(transfer->counterparty, provider_prefix, sizeof provider_prefix - 1) == 0
                               ? transfer->counterparty + sizeof provider_prefix - 1
                               : transfer->counterparty;
    json_write_raw(out, "{");
    json_write_member_string(out, "id", id);
    json_write_member_string(out, "time", clock_format(transfer->time_ns, time_text));
    json_write_member_string(out, "environment", config_environment_name(recovery->environment));
    json_write_member_string(out, "wallet", transfer->wallet);
    json_write_member_string(out, "provider", provider);
    json_write_member_integer(out, "status", 0);
    json_write_member_string(out, "error", "recovered");
    json_write_member_string(out, "error_detail",
                             "the agent ended while this call was open; tollgate wallet adjust corrects its charge");
    json_write_member_string(out, "basis", wallet_basis_name(transfer->basis));
    json_write_member_string(out, "usage_source", "recovered");
    json_write_member_money(out, "charge", transfer->amount);
    json_write_raw(out, ",\"attempts\":[],\"steps\":[]");
    json_write_member_string(out, "version", TOLLGATE_VERSION);
    json_write_raw(out, "}");
}

static bool visit(void *context, const struct wallet_transfer *transfer)
{
    enum { EVENT_BYTES_MAX = 4096 };
    struct recovery *recovery = context;
    char id[ID_TEXT_MAX];
    struct buffer out;
    if (transfer->is_budget || transfer->basis != BASIS_RECOVERED || strcmp(transfer->kind, "post") != 0)
        return recovery->left > 0;
    id_format(transfer->id, id);
    buffer_init(&out, EVENT_BYTES_MAX);
    write_event(recovery, transfer, id, &out);
    journal_append(recovery->journal, transfer->id, buffer_contents(&out));
    buffer_done(&out);
    return --recovery->left > 0;
}

void startup_record_recovered(struct wallet_ledger *ledger, struct journal *journal, enum environment environment,
                              unsigned recovered)
{
    enum { TRANSFERS_MAX = 1 << 20 };
    struct recovery recovery = {journal, environment, recovered};
    if (recovered && wallet_history(ledger, NULL, TRANSFERS_MAX, visit, &recovery))
        log_event(EVENT_AGENT_FAILED, NULL, "the recovered holds have no events: the ledger's history cannot be read");
}
