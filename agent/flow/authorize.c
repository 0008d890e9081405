/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authorize: which endpoint, what the body asks for (read in one scan), whether the policy's rules and the group's rate
 * limits allow it, and what of it must not leave. Refusals happen here, before any money is held or any byte leaves.
 */
#include "flow/exchange.h"

#include "base/clock.h"

static const struct endpoint uncatalogued_endpoint = {.name = "uncatalogued", .kind = ENDPOINT_UNMETERED};

static bool is_form_data(const struct exchange *exchange)
{
    const struct http_request *request = exchange->request;
    struct slice type = http_find_field(request->fields, request->field_count, "content-type");
    return type.length >= 10 && strncasecmp(type.data, "multipart/", 10) == 0;
}

/* A call that cannot be metered is still held to the rules: its model, when its body names one. */
static void read_model(struct exchange *exchange, bool *ret_is_json)
{
    struct json_value model;
    struct json_problem problem;
    const struct json_query query = {"model", &model};
    struct request_facts *facts = &exchange->rendition.facts;
    struct slice body = exchange->request->body;
    *ret_is_json = body.length && !is_form_data(exchange) &&
                   json_scan(body, exchange->settings->limits.json_depth_max, &query, 1, &problem) == ERROR_OK;
    if (facts->model[0] == '\0' && (!*ret_is_json || !json_get_string(&model, facts->model, sizeof facts->model)))
        facts->model[0] = '\0';
}

static enum outcome read_request(struct exchange *exchange, bool *ret_is_json)
{
    enum error error = rendition_read(exchange, exchange->request->body, &exchange->rendition);
    if (error)
        return exchange_fail(exchange, error, "%s", exchange->rendition.problem);
    if (exchange->endpoint->kind == ENDPOINT_METERED)
        *ret_is_json = !is_form_data(exchange);
    else
        read_model(exchange, ret_is_json);
    return OUTCOME_NEXT;
}

/* ---- rules ---- */

static enum outcome refuse_rule(struct exchange *exchange, enum error error)
{
    const struct policy_verdict *verdict = &exchange->verdict;
    bool is_found = verdict->found && verdict->found[0];
    return exchange_fail(exchange, error, "%s: %s%s%s%s%s", verdict->rule, error_row(error)->text,
                         is_found ? ", found: " : "", is_found ? verdict->found : "", verdict->message ? ". " : "",
                         verdict->message ? verdict->message : "");
}

/* What must not leave is replaced in what is sent; what came in stays as it was. */
static enum outcome redact(struct exchange *exchange)
{
    const struct policy_verdict *verdict = &exchange->verdict;
    if (!verdict->redact && !verdict->redact_pattern_count)
        return OUTCOME_NEXT;
    struct slice body = policy_redact(verdict, exchange->rendition.body, exchange->arena, &exchange->redacted);
    if (body.data == exchange->rendition.body.data)
        return OUTCOME_NEXT;
    enum error error = rendition_read(exchange, body, &exchange->rendition);
    return error ? exchange_fail(exchange, error, "after redaction: %s", exchange->rendition.problem) : OUTCOME_NEXT;
}

static enum outcome decide(struct exchange *exchange, bool is_json)
{
    const struct policy_question question = {
        .group = exchange->principal.group.group,
        .project = exchange->principal.claim.project,
        .model = exchange->rendition.facts.model,
        .endpoint = exchange->endpoint->name,
        .is_metered = exchange->endpoint->kind == ENDPOINT_METERED,
        .is_free = exchange->endpoint->kind == ENDPOINT_FREE || exchange->endpoint->kind == ENDPOINT_JOB,
        .output_tokens_max = exchange->rendition.facts.output_tokens_max,
        .body = exchange->request->body,
        .is_json = is_json,
        .now_s = clock_wall_ns() / 1000000000,
    };
    enum error error = policy_decide(exchange->settings, &question, exchange->arena, &exchange->verdict);
    return error ? refuse_rule(exchange, error) : redact(exchange);
}

/* ---- rate limits ---- */

static enum outcome refuse_rate(struct exchange *exchange)
{
    const struct ratelimit_answer *answer = &exchange->limits.answer;
    const struct ratelimit_row *row = &answer->rows[answer->refused_by < 0 ? 0 : answer->refused_by];
    const char *group = exchange->principal.group.group->name;
    if (answer->retry_after_s <= RETRY_AFTER_SECONDS_MAX)
        exchange->retry_after_s = answer->retry_after_s;
    if (answer->retry_after_s == 0)
        return exchange_fail(exchange, ERROR_RATE_LIMITED,
                             "consumer_groups[%s].rate_limits.%s is %llu, and this request alone may use %llu tokens",
                             group, row->name, (unsigned long long)row->limit,
                             (unsigned long long)exchange->limits.tokens);
    return exchange_fail(exchange, ERROR_RATE_LIMITED,
                         "consumer_groups[%s].rate_limits.%s (%llu) is reached, %llu left, this request needs %llu; "
                         "there is room again in %u s",
                         group, row->name, (unsigned long long)row->limit, (unsigned long long)row->left,
                         (unsigned long long)(strncmp(row->name, "tokens", 6) == 0 ? exchange->limits.tokens : 1),
                         answer->retry_after_s);
}

static enum outcome take_rate(struct exchange *exchange)
{
    const struct request_facts *facts = &exchange->rendition.facts;
    if (exchange->endpoint->kind != ENDPOINT_METERED && exchange->endpoint->kind != ENDPOINT_UNMETERED)
        return OUTCOME_NEXT;
    exchange->limits.tokens =
        facts->text_bytes / 4 + 1 + (facts->output_tokens_max > 0 ? (uint64_t)facts->output_tokens_max : 0);
    exchange->limits.taken_ns = clock_monotonic_ns();
    if (ratelimit_take(exchange->worker->services->ratelimit, exchange->principal.group.group, exchange->limits.tokens,
                       &exchange->limits.answer))
        return refuse_rate(exchange);
    exchange->limits.is_taken = true;
    return OUTCOME_NEXT;
}

static const char *join_flags(struct exchange *exchange)
{
    const char *text = "";
    for (size_t i = 0; i < exchange->verdict.flag_count; i++)
        text = arena_printf(exchange->arena, "%s%s %s", text, i ? "," : "; rules", exchange->verdict.flags[i]);
    return text;
}

enum outcome step_authorize(struct exchange *exchange)
{
    bool is_json = false;
    exchange->endpoint = exchange->is_catalogued
                             ? exchange->dialect->find_endpoint(exchange->request->method, exchange->request->path)
                             : &uncatalogued_endpoint;
    if (read_request(exchange, &is_json) == OUTCOME_FAIL || job_find_batch(exchange) == OUTCOME_FAIL ||
        decide(exchange, is_json) == OUTCOME_FAIL || take_rate(exchange) == OUTCOME_FAIL)
        return OUTCOME_FAIL;
    exchange_note(exchange, "%s: allowed by %s%s%s%s", exchange->endpoint->name, exchange->verdict.rule,
                  join_flags(exchange), exchange->redacted ? "; redacted: " : "",
                  exchange->redacted ? exchange->redacted : "");
    return OUTCOME_NEXT;
}
