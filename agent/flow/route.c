/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Route: which targets, in which order. The step only asks; routing/ decides, and asks back what other services know:
 * whether a target can be spoken to, and what the request can cost there.
 */
#include "flow/exchange.h"

static bool can_speak(void *context, const struct target *target, const char **ret_why)
{
    const struct rendition *rendition = rendition_find(context, target);
    *ret_why = rendition->problem;
    return rendition->error == ERROR_OK;
}

static bool find_cost(void *context, const struct target *target, struct route_cost *ret_cost)
{
    struct exchange *exchange = context;
    const struct rendition *rendition = rendition_find(exchange, target);
    struct bound bound;
    enum { BYTES_PER_TOKEN_MOST = 6 }; /* English has 5.4: what may fit is tried, the provider knows */
    *ret_cost = (struct route_cost){.input_tokens = rendition->facts.text_bytes / BYTES_PER_TOKEN_MOST + 1};
    if (exchange->endpoint->kind != ENDPOINT_METERED)
        return true;
    const struct bound_question question = bound_ask(exchange, rendition, target);
    enum error error = bound_find(exchange, &question, &bound);
    if (error == ERROR_PRICE_UNKNOWN)
        return exchange->settings->cost_tracking.enabled == false;
    ret_cost->bound = error ? MONEY_MAX : bound.cost;
    ret_cost->context_tokens = bound.quote.row ? bound.quote.context_tokens : 0;
    return true;
}

static bool is_named(const struct model_group *groups, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(groups[i].name, name) == 0)
            return true;
    return false;
}

/* A name of the policy's own for several models: whoever may ask for it may have them. */
static bool is_group_name(const struct exchange *exchange)
{
    const struct settings *settings = exchange->settings;
    const struct routing_override *group = &exchange->principal.group.group->routing;
    const char *model = exchange->rendition.facts.model;
    if (is_named(settings->routing.model_groups, settings->routing.model_group_count, model) ||
        is_named(group->model_groups, group->model_group_count, model))
        return true;
    for (size_t i = 0; i < settings->project_count; i++)
        if (is_named(settings->projects[i].routing.model_groups, settings->projects[i].routing.model_group_count,
                     model))
            return true;
    return false;
}

bool route_may_serve(const struct exchange *exchange, const char *model, bool by_group_name)
{
    const struct policy_question question = {.group = exchange->principal.group.group,
                                             .project = exchange->principal.claim.project,
                                             .endpoint = exchange->endpoint->name,
                                             .output_tokens_max = -1,
                                             .now_s = exchange->started_wall_ns / 1000000000};
    return policy_is_served(exchange->settings, &question, model, by_group_name);
}

static bool is_allowed(void *context, const struct target *target)
{
    const struct exchange *exchange = context;
    bool is_named_one = exchange->endpoint->kind == ENDPOINT_METERED;
    return !is_named_one || route_may_serve(exchange, target->model, is_group_name(exchange));
}

/* FNV-1a (draft-eastlake-fnv): identifiers of a provider, never secrets. */
uint64_t route_hash(const char *id)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * 0x100000001b3u;
    return hash ? hash : 1;
}

/* What is at one provider: a conversation's state, a file, a job. */
static const char *find_anchor(const struct exchange *exchange)
{
    const struct request_facts *facts = &exchange->rendition.facts;
    if (exchange->job.id)
        return exchange->job.id;
    if (facts->previous_id[0])
        return facts->previous_id;
    return facts->batch.input_file[0] ? facts->batch.input_file : NULL;
}

static struct route_request question_of(struct exchange *exchange)
{
    const struct request_facts *facts = &exchange->rendition.facts;
    const char *anchor = find_anchor(exchange);
    /* Two programs may begin in the same words. */
    exchange->conversation = anchor                ? route_hash(anchor)
                             : facts->conversation ? facts->conversation ^ (uint64_t)exchange->principal.claim.pid
                                                   : 0;
    return (struct route_request){
        .settings = exchange->settings,
        .group = exchange->principal.group.group,
        .project = exchange->principal.claim.project,
        .provider = exchange->provider,
        .api = exchange->endpoint->api,
        .model = facts->model,
        .tokens_estimate = facts->text_bytes / 4 + 1,
        .conversation = exchange->conversation,
        .is_continued = facts->is_continued,
        .must_stay = anchor != NULL,
        .context = exchange,
        .is_allowed = is_allowed,
        .can_speak = can_speak,
        .find_cost = find_cost,
    };
}

/* "openai-b: breaker open for 12 s; haiku: no secret" */
static const char *describe_left_out(struct exchange *exchange, const struct route *route)
{
    const char *text = "";
    for (size_t i = 0; i < route->left_out_count; i++) {
        char why[ROUTE_LEFT_OUT_TEXT_MAX];
        text = arena_printf(exchange->arena, "%s%s%s: %s", text, i ? "; " : "", route->left_out[i].target->id,
                            routing_format_left_out(&route->left_out[i], why));
    }
    return text;
}

static enum outcome refuse(struct exchange *exchange, enum error error)
{
    const char *left_out = describe_left_out(exchange, &exchange->route);
    const char *model = exchange->rendition.facts.model;
    if (error == ERROR_TARGETS_BUSY && exchange->route.retry_after_s <= RETRY_AFTER_SECONDS_MAX)
        exchange->retry_after_s = exchange->route.retry_after_s;
    return exchange_fail(exchange, error, "%s (model %s at %s)%s%s", error_row(error)->text, model[0] ? model : "-",
                         exchange->provider->id, left_out[0] ? ": " : "", left_out);
}

static void note_route(struct exchange *exchange)
{
    const struct route *route = &exchange->route;
    const char *targets = "", *left_out = describe_left_out(exchange, route);
    for (size_t i = 0; i < route->count; i++)
        targets = arena_printf(exchange->arena, "%s%s%s", targets, i ? ", then " : "", route->targets[i]->id);
    bool is_choice = route->strategy && route->count > 1;
    exchange_note(exchange, "%s%s%s: %s%s%s%s%s", route->reason, route->model_group ? " " : "",
                  route->model_group ? route->model_group : "", route->is_pass ? exchange->provider->id : targets,
                  is_choice ? " by " : "", is_choice ? route->strategy : "", left_out[0] ? "; left out: " : "",
                  left_out);
}

/* An answer that was translated has an id of ours: no provider keeps its state. */
static bool is_own_id(const char *id)
{
    static const char prefix[] = "resp_";
    struct id ignored;
    return id && strncmp(id, prefix, sizeof prefix - 1) == 0 && id_parse(slice_of(id + sizeof prefix - 1), &ignored);
}

/* With the placeholder key alone, what the policy passes goes with a listed target's key of that provider. */
static bool lend_key(struct exchange *exchange)
{
    const struct settings *settings = exchange->settings;
    for (size_t i = 0; i < settings->target_count; i++) {
        const struct target *target = &settings->targets[i];
        if (!target->secret || strcmp(target->provider->id, exchange->provider->id) != 0)
            continue;
        exchange->route.is_pass = false;
        exchange->route.keeps_model = true;
        exchange->route.targets[0] = target;
        exchange->route.count = 1;
        return true;
    }
    return false;
}

/* Or none that counts: `placeholder_only` refused the forms that we read (identify), and there may be others. */
static bool has_no_own_key(const struct exchange *exchange)
{
    const struct group_answer *answer = &exchange->principal.group;
    return answer->key_is_placeholder || answer->group->keys == KEYS_PLACEHOLDER_ONLY;
}

enum outcome step_route(struct exchange *exchange)
{
    if (job_find(exchange) == OUTCOME_FAIL)
        return OUTCOME_FAIL;
    if (is_own_id(find_anchor(exchange)))
        return exchange_fail(exchange, ERROR_NO_TRANSLATION,
                             "%s: that answer was translated from another provider's, which keeps no state: send the "
                             "conversation itself",
                             exchange->job.id ? exchange->job.id : "previous_response_id");
    const struct route_request request = question_of(exchange);
    enum error error = routing_choose(exchange->worker->services->routing, &request, &exchange->route);
    if (error)
        return refuse(exchange, error);
    if (exchange->route.is_pass && has_no_own_key(exchange) && !lend_key(exchange))
        return exchange_fail(exchange, ERROR_KEY_MISSING,
                             "%s would be asked with the program's own key, but the program has only the placeholder "
                             "key, and no target of %s lends one",
                             exchange->provider->id, exchange->provider->id);
    note_route(exchange);
    return OUTCOME_NEXT;
}

bool route_find_cheaper(struct exchange *exchange, struct money than)
{
    struct route_request request = question_of(exchange);
    struct route route;
    request.wants_any_model = true;
    request.cheaper_than = than;
    if (request.must_stay || exchange->route.is_pass ||
        routing_choose(exchange->worker->services->routing, &request, &route) || route.count == 0)
        return false;
    exchange->route = route;
    exchange->next_target = 0;
    return true;
}
