/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recall: is the answer there already, or is another exchange getting it right now? After authorize, so that no rule is
 * skipped, and before route and reserve: what comes from the cache asks no provider and moves no money. Also the end of
 * that: what a leader tells those who follow it. replay.c gives the answer to the program.
 */
#include "flow/exchange.h"

#include "base/check.h"

#include <math.h>
#include <stdlib.h>

/* ---- which requests ---- */

/* What is the same for the same question: no job, no state at the provider, nothing that is free but for counting. */
static bool is_cacheable(const struct exchange *exchange)
{
    const struct endpoint *endpoint = exchange->endpoint;
    const struct request_facts *facts = &exchange->rendition.facts;
    return exchange->settings->cache.enabled && exchange->worker->services->cache &&
           (endpoint->kind == ENDPOINT_METERED || endpoint->kind == ENDPOINT_COUNTING) &&
           slice_is(exchange->request->method, "POST") && !facts->is_background && !facts->previous_id[0] &&
           !facts->batch.requests && !facts->batch.input_file[0] && !facts->is_form;
}

static bool is_never_model(const struct settings *settings, const char *model)
{
    return text_fits_any(model, settings->cache.never_models, settings->cache.never_model_count);
}

static bool is_given(const struct json_value *value)
{
    return value->kind != JSON_KIND_ABSENT && value->kind != JSON_KIND_NULL;
}

/* The highest of those that are given: which of them a provider reads is its own affair, and one that cannot be read
 * may be anything. */
static double temperature_of(const struct json_value *given, size_t count)
{
    double highest = 0;
    for (size_t i = 0; i < count; i++) {
        char text[64] = "", *end = text;
        struct slice raw = given[i].raw;
        if (!is_given(&given[i]))
            continue;
        if (given[i].kind == JSON_KIND_NUMBER && raw.length < sizeof text)
            snprintf(text, sizeof text, SLICE_FORMAT, SLICE_ARGUMENTS(raw));
        else if (!json_get_string(&given[i], text, sizeof text))
            return HUGE_VAL;
        double value = strtod(text, &end);
        if (end == text || *end || !isfinite(value))
            return HUGE_VAL;
        highest = value > highest ? value : highest;
    }
    return highest;
}

/* What the policy keeps out, or the request itself: with state or tools at the provider the next answer is another, and
 * asking has effects there. */
static bool is_forbidden(struct exchange *exchange, bool *ret_wants_no_store)
{
    enum { TEMPERATURES = 3 };
    struct json_value temperatures[TEMPERATURES], store, conversation, container, servers;
    const struct json_query queries[] = {{"temperature", &temperatures[0]},
                                         {"generationConfig.temperature", &temperatures[1]},
                                         {"generation_config.temperature", &temperatures[2]},
                                         {"store", &store},
                                         {"conversation", &conversation},
                                         {"container", &container},
                                         {"mcp_servers", &servers}};
    const struct settings *settings = exchange->settings;
    *ret_wants_no_store = false;
    if (is_never_model(settings, exchange->rendition.facts.model) ||
        text_fits_any(exchange->endpoint->name, settings->cache.never_endpoints, settings->cache.never_endpoint_count))
        return true;
    exchange->recall.is_json = json_scan(exchange->rendition.body, settings->limits.json_depth_max, queries,
                                         sizeof queries / sizeof *queries, NULL) == ERROR_OK;
    if (!exchange->recall.is_json)
        return false;
    *ret_wants_no_store = store.kind == JSON_KIND_FALSE;
    if (is_given(&conversation) || is_given(&container) || is_given(&servers) || exchange->rendition.facts.runs_tools)
        return true;
    return temperature_of(temperatures, TEMPERATURES) * 1000 > (double)settings->cache.temperature_max_milli;
}

/* The digest of what decides, made once per snapshot and worker, which keeps the snapshot that it was made of. */
static const struct cache_policy *policy_of(struct exchange *exchange)
{
    struct flow_worker *worker = exchange->worker;
    if (worker->cache_settings != exchange->settings) {
        config_release(worker->cache_settings);
        worker->cache_settings = config_retain(exchange->settings);
        cache_read_policy(exchange->settings, &worker->cache_policy);
    }
    return &worker->cache_policy;
}

static bool make_key(struct exchange *exchange, struct cache_key *ret_key)
{
    const struct http_request *received = exchange->request;
    const struct cache_tenant tenant = {.environment = exchange->settings->environment,
                                        .group = exchange->principal.group.group->name,
                                        .wallet = exchange->principal.wallet,
                                        .policy = policy_of(exchange)};
    const struct cache_request request = {
        .api = exchange->endpoint->api,
        .dialect = exchange->dialect->kind,
        .host = exchange->host,
        .method = received->method,
        .path = received->path,
        .query = received->query,
        .fields = received->fields,
        .field_count = received->field_count,
        .body = exchange->rendition.body,
        .is_json = exchange->recall.is_json,
        .project = exchange->principal.claim.project,
        .own_key = exchange->principal.group.key_is_placeholder ? (struct slice){NULL, 0} : exchange->principal.key,
        .output_tokens_max = exchange->verdict.output_tokens_max};
    return cache_make_key(exchange->worker->services->cache, &tenant, &request, ret_key);
}

/* ---- asking ---- */

static void resumed(struct cache_ask *ask)
{
    struct exchange *exchange = list_entry(ask, struct exchange, recall.ask);
    if (exchange->is_running)
        return;
    if (exchange->step == STEP_recall || (exchange->step == STEP_relay && exchange->recall.is_answer)) {
        flow_run(exchange);
        return;
    }
    sharing_go_on(exchange); /* a leader: its first came, who need not wait for its program, or they have read on */
    if (exchange->is_client_gone && exchange->attempt_count) /* its last may have left */
        exchange_client_gone(exchange);
}

static enum outcome answer(struct exchange *exchange)
{
    struct cache_ask *ask = &exchange->recall.ask;
    exchange->recall.is_answer = true;
    if (ask->reply == CACHE_HIT) {
        exchange->recall.status = arena_printf(exchange->arena, "tollgate; hit; ttl=%u", (unsigned)ask->ttl_left_s);
        exchange_note(exchange, "hit, %u s old, made by %s", (unsigned)ask->age_s, ask->answer->made.id);
    } else {
        exchange->recall.status = "tollgate; fwd=miss; collapsed";
        exchange_note(exchange, "the same is being asked right now: its answer is shared");
    }
    return OUTCOME_ANSWER;
}

/* A follower waits for the head: until then it may have to take the leader's place. */
static enum outcome follow(struct exchange *exchange)
{
    struct cache *cache = exchange->worker->services->cache;
    struct cache_ask *ask = &exchange->recall.ask;
    char byte;
    size_t length;
    if (cache_follow_head(cache, ask))
        return answer(exchange);
    enum cache_progress progress = cache_follow_read(cache, ask, &byte, 0, &length);
    if (progress == CACHE_NOTHING)
        return OUTCOME_WAIT;
    if (progress == CACHE_TOOK || progress == CACHE_LEFT) {
        exchange->recall.is_leading = progress == CACHE_TOOK;
        exchange->recall.status = progress == CACHE_TOOK ? "tollgate; fwd=miss" : "tollgate; fwd=bypass";
        exchange_note(exchange, progress == CACHE_TOOK ? "the one that was asking left: this one asks"
                                                       : "the one that was asking failed, or its answer is not to be "
                                                         "shared, or too long: this one asks for itself");
        return OUTCOME_NEXT;
    }
    if (progress == CACHE_FAILED) {
        const char *detail = NULL;
        enum error error = cache_follow_error(ask, &detail);
        return exchange_fail(exchange, error, "%s", detail ? detail : error_row(error)->text);
    }
    return cache_follow_head(cache, ask) ? answer(exchange) : OUTCOME_WAIT;
}

static enum outcome act(struct exchange *exchange)
{
    struct cache_ask *ask = &exchange->recall.ask;
    switch (ask->reply) {
    case CACHE_WAIT:
        return OUTCOME_WAIT;
    case CACHE_HIT:
        return answer(exchange);
    case CACHE_FOLLOW:
        return follow(exchange);
    case CACHE_ABSENT: /* RFC 9211: no `hit`, and no `fwd` either, for it went nowhere; section 2.8 names the state */
        exchange->recall.status = "tollgate; detail=only-if-cached";
        return exchange_fail(exchange, ERROR_NOT_CACHED, "%s", error_row(ERROR_NOT_CACHED)->text);
    case CACHE_LEAD:
        exchange->recall.is_leading = true;
        exchange->recall.status = ask->wishes.no_cache ? "tollgate; fwd=request" : "tollgate; fwd=miss";
        exchange_note(exchange, "miss");
        return OUTCOME_NEXT;
    case CACHE_ALONE:
        exchange->recall.status = "tollgate; fwd=bypass";
        exchange_note(exchange, "miss, not to be stored");
        return OUTCOME_NEXT;
    }
    return OUTCOME_NEXT;
}

enum outcome step_recall(struct exchange *exchange)
{
    struct cache_ask *ask = &exchange->recall.ask;
    if (exchange->is_client_gone)
        return exchange_fail(exchange, ERROR_CLIENT_GONE, "the client left before its request was sent");
    if (exchange->recall.was_asked)
        return act(exchange);
    if (!is_cacheable(exchange))
        return OUTCOME_NEXT;
    exchange->recall.is_forbidden = is_forbidden(exchange, &exchange->recall.wants_no_store);
    cache_read_wishes(exchange->request->fields, exchange->request->field_count, &ask->wishes);
    if (exchange->recall.is_forbidden || !make_key(exchange, &ask->key)) {
        exchange->recall.status = "tollgate; fwd=bypass";
        exchange_note(exchange, "not cached: the policy, or what it does at the provider, forbids it");
        return OUTCOME_NEXT;
    }
    ask->wishes.no_store |= exchange->recall.wants_no_store;
    ask->ttl_s = exchange->settings->cache.ttl_seconds;
    ask->group = exchange->principal.group.group->name;
    ask->model = exchange->rendition.facts.model;
    ask->mailbox = loop_mailbox(exchange->worker->loop);
    ask->resume = resumed;
    exchange->recall.was_asked = true;
    cache_ask(exchange->worker->services->cache, ask);
    return act(exchange);
}

/* ---- leading ---- */

static bool is_encoded(const struct exchange *exchange)
{
    for (size_t i = 0; i < exchange->answer.field_count; i++) {
        const struct http_field *field = &exchange->answer.fields[i];
        if (slice_is_like(field->name, "content-encoding") && !slice_is_like(slice_trim(field->value), "identity"))
            return true;
    }
    return false;
}

/* The rule: what is never stored for what it is (cache_why_not_stored) is not shared either, as those who wait would
 * not have got it. Lack of money is the leader's own (reserve.c parts then); bytes in an encoding need the field that
 * says so, which is not kept, and not all can read it. Overload passes, and each of those who wait may do better with
 * its own try, as with its own key.
 * Shared all the same: what the request itself is to blame for, or the provider's refusal, is the same for all who ask
 * now; an answer that turns out to be damaged, or to have no end, is known as such when
 * they have read it, and ends for them as for the leader. */
static bool is_shared(const struct exchange *exchange)
{
    int status = exchange->answer.status;
    return status < 500 && status != 429 && status != 408 && status != 401 && status != 403 && !is_encoded(exchange);
}

void recall_part(struct exchange *exchange)
{
    if (exchange->recall.is_leading)
        cache_lead_part(exchange->worker->services->cache, &exchange->recall.ask);
}

void recall_shut(struct exchange *exchange)
{
    if (exchange->recall.is_leading)
        cache_lead_shut(exchange->worker->services->cache, &exchange->recall.ask);
}

void recall_tell_head(struct exchange *exchange, const struct http_field *fields, size_t count)
{
    if (!is_shared(exchange))
        recall_part(exchange);
    if (!exchange->recall.is_leading || !is_shared(exchange))
        return;
    const struct cache_head head = {.status = exchange->answer.status,
                                    .is_stream = exchange->answer.is_event_stream,
                                    .fields = fields,
                                    .field_count = count};
    cache_lead_head(exchange->worker->services->cache, &exchange->recall.ask, &head);
    exchange->recall.has_told = true;
}

void recall_tell_bytes(struct exchange *exchange, struct slice bytes)
{
    if (exchange->recall.has_told && bytes.length)
        cache_lead_bytes(exchange->worker->services->cache, &exchange->recall.ask, bytes);
}

bool recall_is_followed(const struct exchange *exchange)
{
    return exchange->recall.is_leading && cache_is_followed(exchange->worker->services->cache, &exchange->recall.ask);
}

bool recall_give_up(struct exchange *exchange)
{
    if (exchange->recall.is_leading)
        exchange->recall.is_leading = !cache_lead_close(exchange->worker->services->cache, &exchange->recall.ask);
    return !exchange->recall.is_leading;
}

static void finish(struct exchange *exchange)
{
    const struct attempt *attempt = exchange_attempt(exchange);
    struct cache *cache = exchange->worker->services->cache;
    const struct cache_outcome outcome = {
        .status = exchange->answer.status,
        .is_complete = attempt->is_done && attempt->result.error == ERROR_OK,
        .lacks_end =
            (exchange->relay.is_metered && !exchange->relay.meter.saw_terminal) || exchange->relay.meter.saw_error,
        .is_clamped = exchange->outgoing.clamped_to >= 0,
        .is_cheaper = exchange->is_cheaper,
        .is_refusal = exchange->recall.saw_refusal,
        .is_deferred = exchange->relay.meter.job != JOB_NONE,
        .is_encoded = is_encoded(exchange),
        .wants_no_store = exchange->recall.wants_no_store,
        .is_forbidden = exchange->recall.is_forbidden || is_never_model(exchange->settings, attempt->model) ||
                        is_never_model(exchange->settings, exchange->relay.meter.served_model),
        .is_damaged = exchange->recall.is_damaged || exchange->relay.meter.is_damaged,
    };
    const struct cache_made made = {.usage = attempt->usage,
                                    .charge = attempt->charge,
                                    .model = exchange->relay.meter.served_model,
                                    .target = attempt->target ? attempt->target->id : "",
                                    .id = exchange->id_text};
    const char *why = cache_lead_finish(cache, &exchange->recall.ask, &outcome, &made);
    exchange->recall.why_not_stored = why;
}

void recall_land(struct exchange *exchange)
{
    bool is_good = !exchange->error || exchange->error == ERROR_CLIENT_GONE;
    if (!exchange->recall.is_leading)
        return;
    if (exchange->recall.has_told && is_good && exchange->relay.is_complete)
        finish(exchange);
    else
        cache_lead_fail(exchange->worker->services->cache, &exchange->recall.ask,
                        exchange->error ? exchange->error : ERROR_UPSTREAM_MALFORMED, exchange->error_detail);
    exchange->recall.is_leading = false;
}

void recall_end(struct exchange *exchange)
{
    struct cache *cache = exchange->worker->services->cache;
    if (!exchange->recall.was_asked)
        return;
    recall_land(exchange);
    if (exchange->recall.ask.reply == CACHE_HIT)
        exchange->recall.avoided = exchange->recall.ask.answer->made.charge;
    else if (exchange->recall.is_answer && exchange->recall.is_whole)
        exchange->recall.avoided = cache_follow_made(&exchange->recall.ask)->charge;
    cache_leave(cache, &exchange->recall.ask);
    exchange->recall.was_asked = false;
}
