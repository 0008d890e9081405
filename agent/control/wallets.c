/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/wallets, /v1/wallets/NAME, /v1/wallets/NAME/history; POST …/fund and …/adjust. A client that repeats an order
 * sends the id it made for the first try: the ledger answers as the first time, and no money moves twice.
 */
#include "control/internal.h"

#include "base/clock.h"
#include "base/json.h"
#include "evidence/evidence.h"

#include <stdlib.h>

enum {
    HISTORY_SHOWN = 20,
    HISTORY_MAX = 10000,
    HISTORY_WALK_MAX = 200000,
    HISTORY_BYTES_MAX = 4 << 20, /* far below what an answer may have: a row is never cut */
    WALLETS_MAX = 256
};

/* ---- balances ---- */

static void write_wallet_members(struct buffer *out, const struct wallet_facts *facts)
{
    json_write_member_string(out, "wallet", facts->wallet);
    json_write_member_money(out, "available", facts->available);
    json_write_member_money(out, "held", facts->held);
    json_write_member_money(out, "spent", facts->spent);
    json_write_member_money(out, "funded", facts->funded);
    json_write_member_integer(out, "transfers", (int64_t)facts->transfers);
}

static void write_burn(struct buffer *out, const struct burn *burn)
{
    enum { DAY_S = 86400 };
    json_write_member_money(out, "burn_24h", burn->day);
    json_write_member_money(out, "burn_7d", burn->week);
    json_write_member_money(out, "month", burn->month);
    json_write_member_money(out, "projection_month", burn->projection);
    json_write_member(out, "days_left");
    if (burn->left_s < 0)
        json_write_raw(out, "null");
    else
        json_write_integer(out, burn->left_s / DAY_S);
}

/* NULL: the journal cannot be read; balances are shown all the same. */
static const struct burn *find_burns(struct call *call, const struct wallet_facts *facts, size_t count)
{
    struct burn *burns = arena_new_array(call->arena, struct burn, count + 1);
    const char **names = arena_new_array(call->arena, const char *, count + 1);
    struct money *available = arena_new_array(call->arena, struct money, count + 1);
    for (size_t i = 0; i < count; i++) {
        names[i] = facts[i].wallet;
        available[i] = facts[i].available;
    }
    journal_flush(call->services->journal);
    enum error error =
        burn_find(call->services->journal, clock_wall_ns() / 1000000000, count, names, available, call->arena, burns);
    return error ? NULL : burns;
}

int control_list_wallets(struct call *call)
{
    struct wallet_facts *facts = arena_new_array(call->arena, struct wallet_facts, WALLETS_MAX);
    size_t count = wallet_list(call->services->ledger, facts, WALLETS_MAX);
    count = count < WALLETS_MAX ? count : WALLETS_MAX;
    const struct burn *burns = find_burns(call, facts, count);
    json_write_raw(&call->body, "{\"wallets\":[");
    for (size_t i = 0; i < count; i++) {
        json_write_raw(&call->body, i ? ",{" : "{");
        write_wallet_members(&call->body, &facts[i]);
        if (burns)
            write_burn(&call->body, &burns[i]);
        json_write_raw(&call->body, "}");
    }
    json_write_raw(&call->body, "]}");
    return 200;
}

/* Names what there is: most unknown wallets are a slip of the finger. */
static int fail_unknown(struct call *call, const char *name)
{
    enum { NAMED_MAX = 12 };
    struct wallet_facts *facts = arena_new_array(call->arena, struct wallet_facts, WALLETS_MAX);
    size_t count = wallet_list(call->services->ledger, facts, WALLETS_MAX);
    const char *known = count ? "" : "none";
    for (size_t i = 0; i < count && i < NAMED_MAX; i++)
        known = arena_printf(call->arena, "%s%s%s", known, i ? ", " : "", facts[i].wallet);
    if (count > NAMED_MAX)
        known = arena_printf(call->arena, "%s and %zu more", known, count - NAMED_MAX);
    control_fail_with(call, ERROR_WALLET_UNKNOWN, arena_printf(call->arena, "no wallet is named %s", name),
                      arena_printf(call->arena, "there is: %s; tollgate wallet fund %s AMOUNT --create makes a new one",
                                   known, name));
    return 404;
}

/* ---- history ---- */

/* Rows of budgets come before the hold that they belong to (newest first): they wait until it is seen whose it is. */
struct history {
    struct buffer *out;
    const char *wallet; /* NULL: all */
    bool wants_budgets;
    size_t left;
    struct wallet_transfer waiting[WALLET_BUDGETS_MAX];
    size_t waiting_count;
};

static void write_transfer(struct buffer *out, const struct wallet_transfer *transfer)
{
    char id[ID_TEXT_MAX], time_text[CLOCK_TEXT_MAX];
    json_write_raw(out, out->data[out->end - 1] == '[' ? "{" : ",{");
    json_write_member_integer(out, "sequence", (int64_t)transfer->sequence);
    json_write_member_string(out, "kind", transfer->kind);
    json_write_member_boolean(out, "is_budget", transfer->is_budget);
    json_write_member_string(out, "id", id_format(transfer->id, id));
    json_write_member_string(out, "time", clock_format(transfer->time_ns, time_text));
    json_write_member_string(out, "wallet", transfer->wallet);
    json_write_member_string(out, "counterparty", transfer->counterparty);
    json_write_member_money(out, "amount", transfer->amount);
    json_write_member_string(out, "basis", wallet_basis_name(transfer->basis));
    json_write_member_string(out, "note", transfer->note);
    json_write_raw(out, "}");
}

static bool visit_transfer(void *context, const struct wallet_transfer *transfer)
{
    struct history *history = context;
    if (transfer->is_budget) {
        if (history->wants_budgets && history->waiting_count < WALLET_BUDGETS_MAX)
            history->waiting[history->waiting_count++] = *transfer;
        return true;
    }
    bool is_wanted = !history->wallet || !strcmp(transfer->wallet, history->wallet);
    for (size_t i = 0; is_wanted && i < history->waiting_count; i++)
        write_transfer(history->out, &history->waiting[i]);
    history->waiting_count = 0;
    if (is_wanted) {
        write_transfer(history->out, transfer);
        history->left--;
    }
    return history->left > 0 && buffer_length(history->out) < HISTORY_BYTES_MAX;
}

/* Budgets' rows are in no wallet's chain: with them the whole journal is walked. */
static enum error write_history(struct call *call, const char *wallet, size_t count, bool wants_budgets)
{
    struct history history = {.out = &call->body, .wallet = wallet, .wants_budgets = wants_budgets, .left = count};
    json_write_member(&call->body, "history");
    json_write_raw(&call->body, "[");
    enum error error = wallet_history(call->services->ledger, wants_budgets ? NULL : wallet,
                                      wants_budgets ? HISTORY_WALK_MAX : count, visit_transfer, &history);
    json_write_raw(&call->body, "]");
    return error;
}

static int show_wallet(struct call *call, const char *name, size_t count, bool wants_budgets)
{
    struct wallet_facts facts;
    if (wallet_find(call->services->ledger, name, &facts))
        return fail_unknown(call, name);
    json_write_raw(&call->body, "{");
    write_wallet_members(&call->body, &facts);
    enum error error = write_history(call, name, count, wants_budgets);
    if (error)
        return control_fail(call, error, NULL);
    json_write_raw(&call->body, "}");
    return 200;
}

/* GET /v1/wallets/NAME[/history][?count=N][&all=1] */
int control_get_wallet(struct call *call)
{
    static const char suffix[] = "/history";
    const char *count = control_find_parameter(call, "count"), *all = control_find_parameter(call, "all");
    struct slice name = call->rest;
    char *end = NULL;
    long wanted = count ? strtol(count, &end, 10) : HISTORY_SHOWN;
    if (wanted < 1 || wanted > HISTORY_MAX || (end && *end))
        return control_fail(call, ERROR_REQUEST_INVALID, "count is 1 to 10000");
    if (slice_has_suffix(name, suffix))
        name.length -= sizeof suffix - 1;
    return show_wallet(call, arena_copy(call->arena, name).data, (size_t)wanted, all && !strcmp(all, "1"));
}

/* ---- orders ---- */

struct order {
    char amount[64], note[WALLET_NOTE_MAX], id[64];
    bool create;
};

static enum error read_order(struct call *call, struct order *order)
{
    struct json_value amount, note, id, create;
    struct json_problem problem;
    const struct json_query queries[] = {{"amount", &amount}, {"note", &note}, {"id", &id}, {"create", &create}};
    if (json_scan(call->request->body, 16, queries, sizeof queries / sizeof *queries, &problem) ||
        !json_get_string(&amount, order->amount, sizeof order->amount) ||
        (note.kind != JSON_KIND_ABSENT && !json_get_string(&note, order->note, sizeof order->note)) ||
        (id.kind != JSON_KIND_ABSENT && !json_get_string(&id, order->id, sizeof order->id)))
        return ERROR_REQUEST_INVALID;
    order->create = create.kind == JSON_KIND_TRUE;
    return ERROR_OK;
}

static int fail_order(struct call *call, const struct wallet_operation *operation)
{
    char text[MONEY_TEXT_MAX];
    switch (operation->error) {
    case ERROR_WALLET_UNKNOWN:
        return fail_unknown(call, operation->wallet);
    case ERROR_WALLET_EXHAUSTED:
        return control_fail_with(call, ERROR_WALLET_EXHAUSTED,
                                 arena_printf(call->arena, "%s has only %s USD available: it cannot go below 0",
                                              operation->wallet, money_format(operation->available, text)),
                                 "what is held becomes available when its calls have ended");
    case ERROR_AMOUNT_OVERFLOW:
        return control_fail(call, ERROR_AMOUNT_INVALID, "with this amount the wallet would hold more than it can");
    case ERROR_TRANSFER_CONFLICT:
        control_fail(call, ERROR_TRANSFER_CONFLICT, "this id was used before, with another wallet or amount");
        return 409;
    default:
        return control_fail(call, operation->error, NULL);
    }
}

static int run_order(struct call *call, struct wallet_operation *operation)
{
    wallet_run(call->services->ledger, operation);
    if (operation->error)
        return fail_order(call, operation);
    struct wallet_facts facts;
    char id[ID_TEXT_MAX];
    if (wallet_find(call->services->ledger, operation->wallet, &facts))
        return control_fail(call, ERROR_INTERNAL, NULL);
    json_write_raw(&call->body, "{");
    write_wallet_members(&call->body, &facts);
    json_write_member_string(&call->body, "id", id_format(operation->id, id));
    json_write_raw(&call->body, "}");
    return 200;
}

static int take_order(struct call *call, struct slice name, enum wallet_operation_kind kind)
{
    struct order order = {.create = false};
    struct wallet_operation operation = {.kind = kind, .id = id_new()};
    const char *why = NULL;
    if (name.length == 0 || name.length >= sizeof operation.wallet)
        return control_fail(call, ERROR_NOT_FOUND, NULL);
    memcpy(operation.wallet, name.data, name.length);
    if (read_order(call, &order))
        return control_fail(call, ERROR_REQUEST_INVALID,
                            "the order is an object of amount, and perhaps note (at most 119 bytes), id, create");
    enum error error = control_parse_amount(slice_of(order.amount), &operation.amount, &why);
    if (error)
        return control_fail(call, error, why);
    if (kind == WALLET_FUND && operation.amount.nano <= 0)
        return control_fail_with(call, ERROR_AMOUNT_INVALID, "what is put in must be more than 0",
                                 "tollgate wallet adjust takes money out");
    if (operation.amount.nano == 0)
        return control_fail(call, ERROR_AMOUNT_INVALID, "an adjustment of 0 changes nothing");
    if (kind == WALLET_ADJUST && !order.note[0])
        return control_fail_with(call, ERROR_REQUEST_INVALID, "an adjustment needs a note",
                                 "--note says who corrected what, and why");
    if (order.id[0] && !id_parse(slice_of(order.id), &operation.id))
        return control_fail(call, ERROR_REQUEST_INVALID, "the id is not of 26 base-32 characters");
    operation.create = order.create;
    memcpy(operation.note, order.note, sizeof operation.note);
    if (!operation.note[0])
        memcpy(operation.note, "funded by the operator", sizeof "funded by the operator");
    return run_order(call, &operation);
}

/* POST /v1/wallets/NAME/fund, /v1/wallets/NAME/adjust */
int control_change_wallet(struct call *call)
{
    static const struct {
        const char *suffix;
        enum wallet_operation_kind kind;
    } rows[] = {{"/fund", WALLET_FUND}, {"/adjust", WALLET_ADJUST}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (slice_has_suffix(call->rest, rows[i].suffix))
            return take_order(call, (struct slice){call->rest.data, call->rest.length - strlen(rows[i].suffix)},
                              rows[i].kind);
    return control_fail(call, ERROR_NOT_FOUND, NULL);
}
