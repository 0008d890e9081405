/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What would become of a request, without sending it: the same steps authorize and route, and the bound at each target,
 * over a policy file. Called by `tollgated --tool explain`; no wallet, no network, no agent.
 */
#include "flow/exchange.h"

#include "base/check.h"

static struct settings *retain(void *context)
{
    return config_retain(context);
}

static void make_request(struct exchange *exchange, const struct flow_question *question)
{
    struct http_request *request = arena_new_struct(exchange->arena, struct http_request);
    request->method = SLICE_LITERAL("POST");
    request->path = slice_of(question->path);
    request->host = slice_of(question->host);
    request->body = question->body;
    request->fields = arena_new_struct(exchange->arena, struct http_field);
    request->fields[0] = (struct http_field){SLICE_LITERAL("content-type"), SLICE_LITERAL("application/json")};
    request->field_count = 1;
    exchange->request = request;
    receive_find_provider(exchange, question->host);
}

static enum outcome make_principal(struct exchange *exchange, const struct flow_question *question)
{
    struct principal *principal = &exchange->principal;
    const struct group_question asked = {
        .asked_group = question->group ? question->group : "", .is_identified = true, .uid = question->uid};
    enum error error = policy_find_group(exchange->settings, &asked, &principal->group);
    if (error)
        return exchange_fail(exchange, error, "%s", error_row(error)->text);
    principal->wallet = principal->group.group->wallet;
    snprintf(principal->claim.project, sizeof principal->claim.project, "%s",
             question->project ? question->project : "");
    return OUTCOME_NEXT;
}

static void write_target(struct exchange *exchange, const struct target *target, struct buffer *out)
{
    const struct rendition *rendition =
        exchange->route.keeps_model ? &exchange->rendition : rendition_find(exchange, target);
    struct bound bound;
    const struct bound_question question = bound_ask(exchange, rendition, target);
    json_write_raw(out, out->data[out->end - 1] == '[' ? "{" : ",{");
    json_write_member_string(out, "target", target->id);
    json_write_member_string(out, "provider", target->provider->id);
    json_write_member_string(out, "model", exchange->route.keeps_model ? rendition->facts.model : target->model);
    if (rendition->is_translated) {
        json_write_member_string(out, "translated_to", rendition->endpoint->name);
        json_write_member_string(out, "dropped", rendition->translation.dropped ? rendition->translation.dropped : "");
    }
    if (exchange->endpoint->kind == ENDPOINT_METERED) {
        enum error error = bound_find(exchange, &question, &bound);
        if (error) {
            json_write_member_string(out, "error", error_row(error)->text);
        } else {
            json_write_member_money(out, "hold", bound.cost);
            json_write_member_integer(out, "input_tokens", (int64_t)bound.most.input_tokens);
            json_write_member_integer(out, "output_tokens", (int64_t)bound.most.output_tokens);
            json_write_member_string(out, "price_basis", prices_basis_name(bound.quote.basis));
            json_write_member_string(out, "price_model", bound.quote.list_model);
        }
    }
    json_write_raw(out, "}");
}

static void write_verdict(struct exchange *exchange, struct buffer *out)
{
    json_write_member_string(out, "endpoint", exchange->endpoint ? exchange->endpoint->name : NULL);
    json_write_member_string(out, "model", exchange->rendition.facts.model);
    json_write_member_string(out, "rule", exchange->verdict.rule);
    if (exchange->redacted)
        json_write_member_string(out, "redacted", exchange->redacted);
    json_write_member(out, "rules");
    json_write_raw(out, "[");
    for (size_t i = 0; i < exchange->verdict.flag_count; i++) {
        json_write_raw(out, i ? "," : "");
        json_write_string(out, slice_of(exchange->verdict.flags[i]));
    }
    json_write_raw(out, "]");
}

static void write_route(struct exchange *exchange, struct buffer *out)
{
    const struct route *route = &exchange->route;
    json_write_member_string(out, "route", route->reason);
    json_write_member_string(out, "strategy", route->strategy);
    json_write_member_boolean(out, "passed", route->is_pass);
    json_write_member(out, "targets");
    json_write_raw(out, "[");
    for (size_t i = 0; i < route->count; i++)
        write_target(exchange, route->targets[i], out);
    json_write_raw(out, "]");
    json_write_member(out, "left_out");
    json_write_raw(out, "[");
    for (size_t i = 0; i < route->left_out_count; i++) {
        json_write_raw(out, i ? ",{" : "{");
        json_write_member_string(out, "target", route->left_out[i].target->id);
        char why[ROUTE_LEFT_OUT_TEXT_MAX];
        json_write_member_string(out, "why", routing_format_left_out(&route->left_out[i], why));
        json_write_raw(out, "}");
    }
    json_write_raw(out, "]");
}

static void write_refusal(struct exchange *exchange, struct buffer *out)
{
    struct buffer shape;
    buffer_init(&shape, ERROR_BYTES_MAX);
    int status = exchange->dialect->write_error(exchange->error, exchange->error_detail, NULL, &shape);
    buffer_done(&shape);
    json_write_member(out, "refused");
    json_write_raw(out, "{");
    json_write_member_string(out, "code", error_row(exchange->error)->code);
    json_write_member_integer(out, "status", status);
    json_write_member_string(out, "why", exchange->error_detail);
    json_write_member_string(out, "hint", error_row(exchange->error)->hint);
    json_write_raw(out, "}");
}

static void write_all(struct exchange *exchange, enum outcome outcome, struct buffer *out)
{
    json_write_raw(out, "{");
    json_write_member_string(out, "environment", config_environment_name(exchange->settings->environment));
    json_write_member_string(out, "group",
                             exchange->principal.group.group ? exchange->principal.group.group->name : NULL);
    json_write_member_string(out, "wallet", exchange->principal.wallet);
    json_write_member_string(out, "provider", exchange->provider->id);
    write_verdict(exchange, out);
    if (outcome == OUTCOME_FAIL)
        write_refusal(exchange, out);
    write_route(exchange, out);
    json_write_raw(out, "}");
}

bool flow_explain(struct settings *settings, const struct flow_question *question, struct buffer *out)
{
    const struct flow_services services = {
        .routing = routing_new(), .ratelimit = ratelimit_new(), .retain_settings = retain, .context = settings};
    struct flow_worker worker = {.services = &services};
    list_init(&worker.exchanges);
    struct exchange *exchange = exchange_new(&worker, NULL);
    make_request(exchange, question);
    enum outcome outcome = make_principal(exchange, question);
    exchange->step = STEP_authorize;
    if (outcome == OUTCOME_NEXT)
        outcome = step_authorize(exchange);
    exchange->step = STEP_route;
    if (outcome == OUTCOME_NEXT)
        outcome = step_route(exchange);
    write_all(exchange, outcome, out);
    config_release(exchange->settings);
    arena_free(exchange->arena);
    ratelimit_free(services.ratelimit);
    routing_free(services.routing);
    return outcome == OUTCOME_NEXT;
}
