/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/budgets and /v1/alerts: what each budget has used of its present window, and who was told. POST /v1/budgets
 * and /v1/budgets/unset: the operator's own rows, validated like those of a policy.
 */
#include "control/internal.h"

#include "base/clock.h"
#include "base/json.h"
#include "budget/budget.h"

enum { PERCENT = 100 };

static void write_scope(struct buffer *out, const struct budget_scope *scope)
{
    const struct {
        const char *name, *value;
    } rows[] = {{"wallet", scope->wallet},
                {"group", scope->group},
                {"provider", scope->provider},
                {"model", scope->model},
                {"project", scope->project}};
    json_write_member(out, "scope");
    json_write_raw(out, "{");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].value)
            json_write_member_string(out, rows[i].name, rows[i].value);
    json_write_raw(out, "}");
}

static void write_use(struct buffer *out, const struct budget_window *window, const struct wallet_budget_facts *used,
                      int64_t now_s)
{
    json_write_member_money(out, "used", used->spent);
    json_write_member_money(out, "held", used->held);
    json_write_member_money(out, "limit", window->limit);
    if (window->limit.nano > 0)
        json_write_member_integer(out, "percent", (int64_t)((__int128)used->spent.nano * PERCENT / window->limit.nano));
    else
        json_write_member_string(out, "percent", NULL);
    json_write_member_money(out, "forecast", budget_forecast(window, used->spent, now_s));
}

static void write_budget(struct call *call, const struct budget *budget, int64_t now_s)
{
    static const char *const origins[] = {
        [BUDGET_OF_POLICY] = "policy", [BUDGET_OF_OPERATOR] = "operator", [BUDGET_OF_DEFAULT] = "default"};
    struct buffer *out = &call->body;
    struct budget_window window;
    struct wallet_budget_facts used;
    char time_text[CLOCK_TEXT_MAX];
    budget_find_window(budget, now_s, &window);
    wallet_find_budget(call->services->ledger, budget->id, window.first, window.last, &used);
    json_write_raw(out, out->data[out->end - 1] == '[' ? "{" : ",{");
    json_write_member_string(out, "id", budget->id);
    write_scope(out, &budget->scope);
    json_write_member_string(out, "window", budget_window_name(budget->period));
    json_write_member_string(out, "time_zone", budget->time_zone);
    write_use(out, &window, &used, now_s);
    json_write_member_boolean(out, "hard", budget->is_hard);
    json_write_member_string(out, "starts", clock_format(window.starts_s * 1000000000, time_text));
    json_write_member_string(out, "renews", clock_format(window.ends_s * 1000000000, time_text));
    json_write_member_string(out, "origin", origins[budget->origin]);
    json_write_raw(out, "}");
}

int control_list_budgets(struct call *call)
{
    struct settings *settings = call->services->retain_settings(call->services->context);
    const int64_t now_s = clock_wall_ns() / 1000000000;
    json_write_raw(&call->body, "{\"budgets\":[");
    for (size_t i = 0; i < settings->budget_count; i++)
        write_budget(call, &settings->budgets[i], now_s);
    json_write_raw(&call->body, "]}");
    config_release(settings);
    return 200;
}

int control_list_alerts(struct call *call)
{
    json_write_raw(&call->body, "{\"alerts\":");
    call->services->write_alerts(call->services->context, &call->body);
    json_write_raw(&call->body, "}");
    return 200;
}

static int change(struct call *call, struct slice row, const char *unset_id)
{
    struct buffer text;
    buffer_init(&text, 1 << 20);
    enum error error = call->services->change_budgets(call->services->context, row, unset_id, &text);
    int status = 200;
    if (error == ERROR_NOT_FOUND && unset_id)
        status = control_fail_with(call, error, arena_printf(call->arena, "no budget %s was set here", unset_id),
                                   "those of the policy file are changed there; tollgate budget list");
    else if (error)
        status = control_fail_problems(call, error, buffer_contents(&text));
    else
        json_write_raw(&call->body, "{}");
    buffer_done(&text);
    return status;
}

int control_set_budget(struct call *call)
{
    struct json_problem problem;
    if (json_scan(call->request->body, 8, NULL, 0, &problem))
        return control_fail(call, ERROR_REQUEST_INVALID, "the order is one row of budgets[], as JSON");
    return change(call, call->request->body, NULL);
}

int control_unset_budget(struct call *call)
{
    char id[BUDGET_NAME_MAX + 1];
    struct json_value value;
    struct json_problem problem;
    const struct json_query query = {"id", &value};
    if (json_scan(call->request->body, 8, &query, 1, &problem) || !json_get_string(&value, id, sizeof id))
        return control_fail(call, ERROR_REQUEST_INVALID, "the order is {\"id\": \"NAME\"}");
    return change(call, (struct slice){NULL, 0}, id);
}
