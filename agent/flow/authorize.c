/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authorize: which endpoint, what the body asks for (read in one scan), whether the policy's rules and the group's rate
 * limits allow it, and what of it must not leave. Refusals happen here, before any money is held or any byte leaves.
 */
#include "flow/exchange.h"

#include "base/clock.h"

static const struct endpoint uncatalogued_endpoint = {.name = "uncatalogued", .kind = ENDPOINT_UNMETERED};

static bool says_json(const struct exchange *exchange)
{
    const struct http_request *request = exchange->request;
    struct slice type = http_find_field(request->fields, request->field_count, "content-type");
    return type.length && memmem(type.data, type.length, "json", 4) != NULL;
}

/* A call that cannot be metered is still held to the rules: its model, when its body names one; its texts. What says
 * that it is JSON and is none could be read in two ways. */
static enum outcome read_unmetered(struct exchange *exchange, bool *ret_is_json)
{
    struct json_value model;
    struct json_problem problem = {0};
    const struct json_query query = {"model", &model};
    struct request_facts *facts = &exchange->rendition.facts;
    struct slice body = exchange->request->body;
    *ret_is_json =
        body.length && json_scan(body, exchange->settings->limits.json_depth_max, &query, 1, &problem) == ERROR_OK;
    if (body.length && !*ret_is_json && says_json(exchange))
        return exchange_fail(exchange, ERROR_BODY_MALFORMED, "%s (at byte %zu of the body)", problem.message,
                             problem.offset);
    if (facts->model[0] == '\0' && (!*ret_is_json || !json_get_string(&model, facts->model, sizeof facts->model)))
        facts->model[0] = '\0';
    return OUTCOME_NEXT;
}

static enum outcome read_request(struct exchange *exchange, bool *ret_is_json)
{
    enum error error = rendition_read(exchange, exchange->request->body, &exchange->rendition);
    if (error)
        return exchange_fail(exchange, error, "%s", exchange->rendition.problem);
    if (exchange->endpoint->kind != ENDPOINT_METERED)
        return read_unmetered(exchange, ret_is_json);
    *ret_is_json = !exchange->rendition.facts.is_form; /* as it was read, whatever the content-type says */
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

/* The requests of a batch cannot be shortened: what asks for more than the policy lets them is refused. */
static enum outcome bound_batch(struct exchange *exchange)
{
    const struct batch_facts *batch = &exchange->rendition.facts.batch;
    int64_t limit = exchange->verdict.output_tokens_max;
    bool is_free = exchange->endpoint->kind != ENDPOINT_METERED;
    if (is_free || limit < 0 || !batch->requests || (!batch->unlimited && batch->limit_max <= (uint64_t)limit))
        return OUTCOME_NEXT;
    return exchange_fail(exchange, ERROR_RULE_BLOCKED,
                         "%s: the requests of this batch may have %lld output tokens each, and cannot be shortened",
                         exchange->verdict.rule, (long long)limit);
}

/* The most that is asked for at once; -1: no limit is named. */
static int64_t find_output_asked(const struct request_facts *facts)
{
    const struct batch_facts *batch = &facts->batch;
    if (!batch->requests)
        return facts->output_tokens_max;
    return batch->unlimited ? -1 : batch->limit_max > INT64_MAX ? INT64_MAX : (int64_t)batch->limit_max;
}

static enum outcome decide(struct exchange *exchange, bool is_json)
{
    const struct policy_question question = {
        .group = exchange->principal.group.group,
        .project = exchange->principal.claim.project,
        .model = exchange->rendition.facts.model,
        .endpoint = exchange->endpoint->name,
        .is_metered = exchange->endpoint->kind == ENDPOINT_METERED,
        .is_free = endpoint_is_free(exchange->endpoint->kind) || exchange->endpoint->kind == ENDPOINT_JOB,
        .output_tokens_max = find_output_asked(&exchange->rendition.facts),
        .body = exchange->request->body,
        .is_json = is_json,
        .now_s = clock_wall_ns() / 1000000000,
    };
    enum error error = policy_decide(exchange->settings, &question, exchange->arena, &exchange->verdict);
    if (error)
        return refuse_rule(exchange, error);
    return bound_batch(exchange) == OUTCOME_FAIL ? OUTCOME_FAIL : redact(exchange);
}

/* A tool's own model is held to the same rules as one that is asked for. */
static enum outcome check_drawing(struct exchange *exchange)
{
    const char *model = exchange->rendition.facts.drawing.model;
    if (!model[0] || route_may_serve(exchange, model, false))
        return OUTCOME_NEXT;
    return exchange_fail(exchange, ERROR_MODEL_DENIED, "the tool image_generation draws with %s: %s", model,
                         error_row(ERROR_MODEL_DENIED)->text);
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
    uint64_t asked = facts->output_tokens_max > 0 ? (uint64_t)facts->output_tokens_max : 0;
    const uint64_t input = facts->batch.requests ? facts->batch.input_tokens / 4 : facts->text_bytes / 4 + 1;
    if (__builtin_add_overflow(input, facts->batch.requests ? facts->batch.output_tokens : asked,
                               &exchange->limits.tokens))
        exchange->limits.tokens = UINT64_MAX;
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

/* Names are written into fields of answers, notes of jobs and logs. */
static enum outcome check_model(struct exchange *exchange)
{
    for (const char *at = exchange->rendition.facts.model; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return exchange_fail(exchange, ERROR_BODY_INCOMPLETE, "the model's name has a control character");
    return OUTCOME_NEXT;
}

enum outcome step_authorize(struct exchange *exchange)
{
    bool is_json = false;
    exchange->endpoint = exchange->is_catalogued
                             ? exchange->dialect->find_endpoint(exchange->request->method, exchange->request->path)
                             : &uncatalogued_endpoint;
    if (read_request(exchange, &is_json) == OUTCOME_FAIL || job_find_batch(exchange) == OUTCOME_FAIL ||
        check_model(exchange) == OUTCOME_FAIL || decide(exchange, is_json) == OUTCOME_FAIL ||
        check_drawing(exchange) == OUTCOME_FAIL || take_rate(exchange) == OUTCOME_FAIL)
        return OUTCOME_FAIL;
    exchange_note(exchange, "%s: allowed by %s%s%s%s", exchange->endpoint->name, exchange->verdict.rule,
                  join_flags(exchange), exchange->redacted ? "; redacted: " : "",
                  exchange->redacted ? exchange->redacted : "");
    return OUTCOME_NEXT;
}
