/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of control.h as a table: who may call, and what it answers. */
#include "control/internal.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "identity/identity.h"
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HISTORY_MAX = 100, EVENTS_DEFAULT = 50, EVENTS_MAX = 1000, WALLETS_MAX = 256, EVENT_BYTES_MAX = 64 << 10 };

int control_fail(struct call *call, enum error error, const char *detail)
{
    const struct error_row *row = error_row(error);
    buffer_reset(&call->body, 4096);
    json_write_raw(&call->body, "{\"error\":{");
    json_write_member_string(&call->body, "code", row->code);
    json_write_member_string(&call->body, "message", detail ? detail : row->text);
    json_write_member_string(&call->body, "hint", row->hint);
    json_write_raw(&call->body, "}}");
    return row->status ? row->status : 500;
}

/* The value of a query parameter, NULL when absent; %-escapes are not decoded (names have none). */
static const char *find_parameter(struct call *call, const char *name)
{
    struct slice query = call->request->query;
    size_t length = strlen(name);
    while (query.length) {
        const char *end = memchr(query.data, '&', query.length);
        size_t part = end ? (size_t)(end - query.data) : query.length;
        if (part > length && !memcmp(query.data, name, length) && query.data[length] == '=')
            return arena_printf(call->arena, "%.*s", (int)(part - length - 1), query.data + length + 1);
        query = slice_from(query, part + 1);
    }
    return NULL;
}

static const char *rest_text(struct call *call)
{
    return arena_printf(call->arena, SLICE_FORMAT, SLICE_ARGUMENTS(call->rest));
}

/* ---- hello and launch ---- */

static int get_hello(struct call *call)
{
    char time_text[CLOCK_TEXT_MAX];
    const struct control_services *services = call->services;
    struct settings *settings = services->retain_settings(services->context);
    json_write_raw(&call->body, "{");
    json_write_member_string(&call->body, "environment", config_environment_name(settings->environment));
    json_write_member_string(&call->body, "version", TOLLGATE_VERSION);
    json_write_member_integer(&call->body, "pid", getpid());
    json_write_member_integer(&call->body, "port", services->port);
    json_write_member_string(&call->body, "policy", settings->file);
    json_write_member_string(&call->body, "policy_digest", settings->digest);
    json_write_member_string(&call->body, "started", clock_format(services->started_wall_ns, time_text));
    json_write_member_string(&call->body, "state", services->state);
    json_write_raw(&call->body, "}");
    config_release(settings);
    return 200;
}

static const struct consumer_group *find_group(const struct settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->group_count; i++)
        if (name ? !strcmp(settings->groups[i].name, name) : settings->groups[i].is_default)
            return &settings->groups[i];
    return NULL;
}

static void write_strings(struct buffer *out, const char *const *texts, size_t count, bool *is_first)
{
    for (size_t i = 0; i < count; i++) {
        if (!*is_first)
            json_write_raw(out, ",");
        *is_first = false;
        json_write_string(out, slice_of(texts[i]));
    }
}

static void write_launch(struct buffer *out, const struct settings *settings, const struct consumer_group *group)
{
    json_write_raw(out, "{");
    json_write_member_string(out, "environment", config_environment_name(settings->environment));
    json_write_member_string(out, "group", group->name);
    json_write_member_string(out, "placeholder", group->api_key);
    json_write_member_boolean(out, "prod_refuses_unhooked", settings->environment == ENVIRONMENT_PROD);
    json_write_member(out, "key_environment");
    json_write_raw(out, "[");
    bool is_first = true;
    for (size_t i = 0; i < settings->provider_count; i++)
        write_strings(out, settings->providers[i].key_environment, settings->providers[i].key_environment_count,
                      &is_first);
    json_write_raw(out, "]");
    json_write_member(out, "governed");
    json_write_raw(out, "[");
    is_first = true;
    for (size_t i = 0; i < settings->provider_count; i++)
        write_strings(out, settings->providers[i].hosts, settings->providers[i].host_count, &is_first);
    write_strings(out, settings->capture.hosts, settings->capture.host_count, &is_first);
    json_write_raw(out, "]}");
}

static int get_launch(struct call *call)
{
    struct settings *settings = call->services->retain_settings(call->services->context);
    const char *name = find_parameter(call, "group");
    const struct consumer_group *group = find_group(settings, name);
    int status = 200;
    if (group)
        write_launch(&call->body, settings, group);
    else
        status = control_fail(call, ERROR_GROUP_UNKNOWN,
                              name ? arena_printf(call->arena, "no consumer group is named %s", name)
                                   : "the policy has no consumer group");
    config_release(settings);
    return status;
}

/* ---- wallets ---- */

static void write_money(struct buffer *out, const char *name, struct money money)
{
    char text[MONEY_TEXT_MAX];
    json_write_member_string(out, name, money_format(money, text));
}

static void write_wallet_members(struct buffer *out, const struct wallet_facts *facts)
{
    json_write_member_string(out, "wallet", facts->wallet);
    write_money(out, "available", facts->available);
    write_money(out, "held", facts->held);
    write_money(out, "spent", facts->spent);
    write_money(out, "funded", facts->funded);
    json_write_member_integer(out, "transfers", (int64_t)facts->transfers);
}

static int list_wallets(struct call *call)
{
    struct wallet_facts *facts = arena_new_array(call->arena, struct wallet_facts, WALLETS_MAX);
    size_t count = wallet_list(call->services->ledger, facts, WALLETS_MAX);
    json_write_raw(&call->body, "{\"wallets\":[");
    for (size_t i = 0; i < count && i < WALLETS_MAX; i++) {
        json_write_raw(&call->body, i ? ",{" : "{");
        write_wallet_members(&call->body, &facts[i]);
        json_write_raw(&call->body, "}");
    }
    json_write_raw(&call->body, "]}");
    return 200;
}

static bool write_transfer(void *context, const struct wallet_transfer *transfer)
{
    struct buffer *out = context;
    char id[ID_TEXT_MAX], time_text[CLOCK_TEXT_MAX];
    bool is_first = out->data[out->end - 1] == '[';
    json_write_raw(out, is_first ? "{" : ",{");
    json_write_member_integer(out, "sequence", (int64_t)transfer->sequence);
    json_write_member_string(out, "kind", transfer->kind);
    json_write_member_string(out, "id", id_format(transfer->id, id));
    json_write_member_string(out, "time", clock_format(transfer->time_ns, time_text));
    json_write_member_string(out, "wallet", transfer->wallet);
    json_write_member_string(out, "counterparty", transfer->counterparty);
    write_money(out, "amount", transfer->amount);
    json_write_member_string(out, "basis", wallet_basis_name(transfer->basis));
    json_write_member_string(out, "note", transfer->note);
    json_write_raw(out, "}");
    return true;
}

static int get_wallet(struct call *call)
{
    struct wallet_facts facts;
    const char *name = rest_text(call);
    enum error error = wallet_find(call->services->ledger, name, &facts);
    if (error)
        return control_fail(call, ERROR_NOT_FOUND, arena_printf(call->arena, "no wallet is named %s", name));
    json_write_raw(&call->body, "{");
    write_wallet_members(&call->body, &facts);
    json_write_member(&call->body, "history");
    json_write_raw(&call->body, "[");
    error = wallet_history(call->services->ledger, name, HISTORY_MAX, write_transfer, &call->body);
    if (error)
        return control_fail(call, error, NULL);
    json_write_raw(&call->body, "]}");
    return 200;
}

struct fund_order {
    char amount[64], note[WALLET_NOTE_MAX], id[64];
    bool create;
};

static enum error read_fund(struct call *call, struct fund_order *order)
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

/* POST /v1/wallets/NAME/fund */
static int fund_wallet(struct call *call)
{
    static const char suffix[] = "/fund";
    struct fund_order order = {.create = false};
    struct wallet_operation operation = {.kind = WALLET_FUND};
    struct slice name = call->rest;
    if (!slice_has_suffix(name, suffix) || name.length - (sizeof suffix - 1) >= sizeof operation.wallet)
        return control_fail(call, ERROR_NOT_FOUND, NULL);
    memcpy(operation.wallet, name.data, name.length - (sizeof suffix - 1));
    enum error error = read_fund(call, &order);
    if (!error)
        error = money_parse(slice_of(order.amount), &operation.amount);
    if (error)
        return control_fail(call, error, NULL);
    operation.id = id_new();
    if (order.id[0] && !id_parse(slice_of(order.id), &operation.id))
        return control_fail(call, ERROR_REQUEST_INVALID, "the id is not of 26 base-32 characters");
    operation.create = order.create;
    snprintf(operation.note, sizeof operation.note, "%s", order.note[0] ? order.note : "funded by the operator");
    wallet_run(call->services->ledger, &operation);
    if (operation.error)
        return control_fail(call, operation.error, NULL);
    struct wallet_facts facts;
    if (wallet_find(call->services->ledger, operation.wallet, &facts))
        return control_fail(call, ERROR_INTERNAL, NULL);
    json_write_raw(&call->body, "{");
    write_wallet_members(&call->body, &facts);
    json_write_raw(&call->body, "}");
    return 200;
}

/* ---- events ---- */

static bool write_event(void *context, struct id id, struct slice json)
{
    struct buffer *out = context;
    (void)id;
    bool is_first = out->data[out->end - 1] == '[';
    return (is_first || buffer_append(out, SLICE_LITERAL(","))) && buffer_append(out, json);
}

static int list_events(struct call *call)
{
    const char *follow = find_parameter(call, "follow"), *limit = find_parameter(call, "limit");
    if (follow && !strcmp(follow, "1"))
        return control_follow(call);
    long count = limit ? strtol(limit, NULL, 10) : EVENTS_DEFAULT;
    if (count < 1 || count > EVENTS_MAX)
        return control_fail(call, ERROR_REQUEST_INVALID, "limit is 1 to 1000");
    json_write_raw(&call->body, "{\"events\":[");
    journal_flush(call->services->journal);
    enum error error = journal_recent(call->services->journal, (size_t)count, write_event, &call->body);
    if (error)
        return control_fail(call, error, NULL);
    json_write_raw(&call->body, "]}");
    return 200;
}

static int get_event(struct call *call)
{
    struct id id;
    size_t length = 0;
    char *text = arena_alloc(call->arena, EVENT_BYTES_MAX);
    if (!id_parse(call->rest, &id))
        return control_fail(call, ERROR_NOT_FOUND, "an id has 26 characters, e.g. 01J8Z3K4W5X6Y7Z8A9B0C1D2E3");
    journal_flush(call->services->journal);
    enum error error = journal_find(call->services->journal, id, text, EVENT_BYTES_MAX, &length);
    if (error)
        return control_fail(call, error, error == ERROR_NOT_FOUND ? "no event has this id" : NULL);
    return buffer_append(&call->body, (struct slice){text, length}) ? 200 : control_fail(call, ERROR_INTERNAL, NULL);
}

/* ---- administration ---- */

static int reload(struct call *call)
{
    struct buffer text;
    buffer_init(&text, 1 << 20);
    enum error error = call->services->reload(call->services->context, &text);
    struct settings *settings = call->services->retain_settings(call->services->context);
    json_write_raw(&call->body, "{");
    json_write_member_string(&call->body, "policy_digest", settings->digest);
    json_write_member(&call->body, error ? "problems" : "warnings");
    json_write_string(&call->body, buffer_contents(&text));
    if (error) {
        json_write_member(&call->body, "error");
        json_write_raw(&call->body, "{");
        json_write_member_string(&call->body, "code", error_row(error)->code);
        json_write_member_string(&call->body, "message", error_row(error)->text);
        json_write_member_string(&call->body, "hint", error_row(error)->hint);
        json_write_raw(&call->body, "}");
    }
    json_write_raw(&call->body, "}");
    config_release(settings);
    buffer_done(&text);
    return error ? 422 : 200;
}

static int store_secret(struct call *call)
{
    enum { SECRET_BYTES_MAX = 8192 };
    char directory[512];
    struct slice value = call->request->body;
    if (value.length && value.data[value.length - 1] == '\n')
        value.length--;
    if (value.length == 0 || value.length > SECRET_BYTES_MAX)
        return control_fail(call, ERROR_REQUEST_INVALID, "a secret has 1 to 8192 bytes");
    snprintf(directory, sizeof directory, "%s/secrets", call->services->state);
    enum error error = config_store_secret(directory, rest_text(call), value);
    explicit_bzero((char *)(uintptr_t)call->request->body.data, call->request->body.length);
    if (error)
        return control_fail(call, error, NULL);
    json_write_raw(&call->body, "{}");
    return 200;
}

static int stop(struct call *call)
{
    json_write_raw(&call->body, "{}");
    call->services->stop(call->services->context);
    return 200;
}

/* A route whose path ends in '/' takes the rest of the path as its argument. */
static const struct route_row {
    const char *method, *path;
    enum audience audience;
    int (*handle)(struct call *call);
} routes[] = {
    {"GET", "/v1/hello", AUDIENCE_MEMBER, get_hello},
    {"GET", "/v1/launch", AUDIENCE_MEMBER, get_launch},
    {"GET", "/v1/doctor", AUDIENCE_READER, control_doctor},
    {"GET", "/v1/wallets", AUDIENCE_READER, list_wallets},
    {"GET", "/v1/wallets/", AUDIENCE_READER, get_wallet},
    {"GET", "/v1/events", AUDIENCE_READER, list_events},
    {"GET", "/v1/events/", AUDIENCE_READER, get_event},
    {"POST", "/v1/wallets/", AUDIENCE_OWNER, fund_wallet},
    {"POST", "/v1/reload", AUDIENCE_OWNER, reload},
    {"POST", "/v1/secrets/", AUDIENCE_OWNER, store_secret},
    {"POST", "/v1/stop", AUDIENCE_OWNER, stop},
};

static bool is_in_audience(const struct call *call, enum audience audience)
{
    if (call->uid == geteuid() || call->uid == 0)
        return audience != AUDIENCE_OWNER || call->is_admin_socket;
    if (audience == AUDIENCE_OWNER)
        return false;
    struct settings *settings = call->services->retain_settings(call->services->context);
    bool is_in = false;
    for (size_t i = 0; i < settings->access.reader_count; i++)
        is_in |= settings->access.readers[i] == call->uid;
    if (!is_in && audience == AUDIENCE_MEMBER)
        is_in = policy_is_uid_admitted(settings, call->uid) ||
                (settings->access.gid_count &&
                 identity_is_member(call->uid, settings->access.gids, settings->access.gid_count));
    config_release(settings);
    return is_in;
}

static bool is_match(const struct route_row *row, const struct http_request *request, struct slice *ret_rest)
{
    size_t length = strlen(row->path);
    if (!slice_is(request->method, row->method) || !slice_has_prefix(request->path, row->path))
        return false;
    *ret_rest = slice_from(request->path, length);
    return row->path[length - 1] == '/' ? ret_rest->length > 0 : ret_rest->length == 0;
}

int control_dispatch(struct call *call)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!is_match(&routes[i], call->request, &call->rest))
            continue;
        if (is_in_audience(call, routes[i].audience))
            return routes[i].handle(call);
        log_event(EVENT_CONTROL_REFUSED, routes[i].path, "uid %u", (unsigned)call->uid);
        control_fail(call, ERROR_PEER_REFUSED, NULL);
        return 403;
    }
    return control_fail(call, ERROR_NOT_FOUND, "the agent has no such path");
}
