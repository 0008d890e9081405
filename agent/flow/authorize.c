/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authorize: which endpoint, what the body asks for (read in one scan), and whether the policy allows it. Refusals
 * happen here, before any money is held or any byte leaves.
 */
#include "flow/exchange.h"

static const struct endpoint uncatalogued_endpoint = {.name = "uncatalogued", .kind = ENDPOINT_UNMETERED};

static enum outcome read_body(struct exchange *exchange)
{
    const char *problem = "";
    const struct http_request *received = exchange->request;
    const struct dialect_request request = {
        .method = received->method,
        .path = received->path,
        .query = received->query,
        .content_type = http_find_field(received->fields, received->field_count, "content-type"),
        .body = received->body,
        .depth_max = exchange->settings->limits.json_depth_max,
    };
    enum error error =
        exchange->dialect->read_request(exchange->endpoint, &request, exchange->arena, &exchange->facts, &problem);
    if (error)
        return exchange_fail(exchange, error, "%s", problem);
    return OUTCOME_NEXT;
}

/* A call that cannot be metered is still held to the model rules, when its body names a model. */
static void read_model(struct exchange *exchange)
{
    struct json_value model;
    struct json_problem problem;
    const struct json_query query = {"model", &model};
    struct slice body = exchange->request->body;
    if (!body.length || json_scan(body, exchange->settings->limits.json_depth_max, &query, 1, &problem) ||
        !json_get_string(&model, exchange->facts.model, sizeof exchange->facts.model))
        exchange->facts.model[0] = '\0';
}

enum outcome step_authorize(struct exchange *exchange)
{
    exchange->endpoint = exchange->is_catalogued
                             ? exchange->dialect->find_endpoint(exchange->request->method, exchange->request->path)
                             : &uncatalogued_endpoint;
    if (exchange->endpoint->kind == ENDPOINT_METERED && read_body(exchange) == OUTCOME_FAIL)
        return OUTCOME_FAIL;
    if (exchange->endpoint->kind == ENDPOINT_UNMETERED)
        read_model(exchange);
    const struct policy_question question = {
        .group = exchange->principal.group.group,
        .model = exchange->facts.model,
        .is_metered = exchange->endpoint->kind == ENDPOINT_METERED,
        .is_free = exchange->endpoint->kind == ENDPOINT_FREE,
        .output_tokens_max = exchange->facts.output_tokens_max,
    };
    enum error error = policy_decide(exchange->settings, &question, exchange->arena, &exchange->verdict);
    if (error)
        return exchange_fail(exchange, error, "%s: %s", exchange->verdict.rule, error_row(error)->text);
    exchange_note(exchange, "%s: allowed by %s", exchange->endpoint->name, exchange->verdict.rule);
    return OUTCOME_NEXT;
}
