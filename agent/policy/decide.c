/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_decide: the group's models, then policies.rules in order, then the endpoint. Called by the step authorize.
 * Costs one look at each rule; the body is read when a rule whose other conditions hold asks for it. What cannot be
 * known (a pattern that costs too much, a text that cannot be redacted) counts against the request.
 */
#include "policy/internal.h"

#include "base/zone.h"

#include <string.h>

enum { DAY_S = 86400, MINUTE_S = 60, WEEKDAYS = 7 };

/* What has no name (no model, no project) is none of a list's, not even "*". */
static bool is_one_of(const char *name, const char **patterns, size_t count)
{
    return count == 0 || (name && name[0] && text_fits_any(name, (const char *const *)patterns, count));
}

static enum error decide_model(const struct policy_question *question, struct arena *arena,
                               struct policy_verdict *verdict)
{
    const struct consumer_group *group = question->group;
    const char *list = NULL;
    bool is_unnamed = !question->model || !question->model[0];
    if (is_unnamed && (!question->is_metered || group->allowed_model_count == 0))
        return ERROR_OK; /* who may have some models only must name one */
    if (!is_unnamed &&
        text_fits_any(question->model, (const char *const *)group->denied_models, group->denied_model_count))
        list = "denied_models";
    else if (!is_one_of(question->model, group->allowed_models, group->allowed_model_count))
        list = "allowed_models";
    if (!list)
        return ERROR_OK;
    verdict->rule = arena_printf(arena, "consumer_groups[%s].%s", group->name, list);
    return ERROR_MODEL_DENIED;
}

/* Days and hours of the rule's zone; a day is that of the moment, also after midnight in hours that began before it. */
static bool is_time(const struct policy_rule *rule, int64_t now_s)
{
    int64_t local_s = now_s + (rule->zone ? zone_offset_at(rule->zone, now_s) : 0);
    int64_t second = ((local_s % DAY_S) + DAY_S) % DAY_S, day = (local_s - second) / DAY_S;
    uint32_t minute = (uint32_t)(second / MINUTE_S);
    unsigned weekday = (unsigned)((((day + 3) % WEEKDAYS) + WEEKDAYS) % WEEKDAYS); /* 1970 began on a Thursday */
    if (rule->days && !(rule->days >> weekday & 1))
        return false;
    if (!rule->has_hours || rule->from_minute == rule->to_minute) /* from 8 to 8: all day */
        return true;
    bool is_after = minute >= rule->from_minute, is_before = minute < rule->to_minute;
    return rule->from_minute < rule->to_minute ? is_after && is_before : is_after || is_before;
}

static bool is_asked(const struct policy_rule *rule, const struct policy_question *question)
{
    bool asks_more =
        question->output_tokens_max < 0 || (uint64_t)question->output_tokens_max > rule->output_tokens_above;
    return is_one_of(question->group->name, rule->groups, rule->group_count) &&
           is_one_of(question->project, rule->projects, rule->project_count) &&
           is_one_of(question->model, rule->models, rule->model_count) &&
           is_one_of(question->endpoint, rule->endpoints, rule->endpoint_count) &&
           (!rule->output_tokens_above || asks_more) &&
           (!rule->input_bytes_above || question->body.length > rule->input_bytes_above) &&
           is_time(rule, question->now_s);
}

bool policy_is_served(const struct settings *settings, const struct policy_question *question, const char *model,
                      bool is_group_name)
{
    const struct consumer_group *group = question->group;
    struct policy_question served = *question;
    served.model = model;
    if (text_fits_any(model, (const char *const *)group->denied_models, group->denied_model_count) ||
        (!is_group_name && !is_one_of(model, group->allowed_models, group->allowed_model_count)))
        return false;
    for (size_t i = 0; i < settings->rule_count; i++) {
        const struct policy_rule *rule = &settings->rules[i];
        bool is_by_name = rule->model_count && !rule->detect && !rule->keyword_count && !rule->pattern_count &&
                          !rule->output_tokens_above && !rule->input_bytes_above;
        if (is_by_name && (rule->action == RULE_BLOCK || rule->action == RULE_ALLOW) && is_asked(rule, &served))
            return rule->action == RULE_ALLOW;
    }
    return true;
}

/* One finding is enough. FAILED: a pattern could not be decided. The cheap looks go first; what is to be redacted must
 * be decided by all. */
static enum pattern_match match_texts(const struct policy_rule *rule, struct inspection *inspection)
{
    if (!rule->detect && !rule->keyword_count && !rule->pattern_count)
        return MATCH_FOUND;
    bool is_found = (rule->detect && inspect_detect(inspection, rule->detect)) ||
                    (rule->keyword_count && inspect_find_keyword(inspection, rule));
    if (!rule->pattern_count || (is_found && rule->action != RULE_REDACT))
        return is_found ? MATCH_FOUND : MATCH_NONE;
    enum pattern_match match = inspect_match_patterns(inspection, rule, rule->action == RULE_REDACT);
    return match == MATCH_NONE && is_found ? MATCH_FOUND : match;
}

static const char *name_rule(const struct policy_rule *rule, struct arena *arena)
{
    return arena_printf(arena, "policies.rules[%s]", rule->id);
}

static void add_flag(struct policy_verdict *verdict, const struct policy_rule *rule)
{
    if (verdict->flag_count < POLICY_FLAGS_MAX) /* evidence only: what does not fit is not refused */
        verdict->flags[verdict->flag_count++] = rule->id;
}

static void lower_output(struct policy_verdict *verdict, uint64_t limit, const char *rule)
{
    int64_t tokens = limit > INT64_MAX ? INT64_MAX : (int64_t)limit;
    if (verdict->output_tokens_max >= 0 && verdict->output_tokens_max <= tokens)
        return;
    verdict->output_tokens_max = tokens;
    verdict->rule = rule;
}

static enum error block(struct policy_verdict *verdict, const struct policy_rule *rule, const char *reason,
                        struct arena *arena)
{
    verdict->rule = name_rule(rule, arena);
    verdict->message = !reason         ? rule->message
                       : rule->message ? arena_printf(arena, "%s (%s)", rule->message, reason)
                                       : reason;
    return ERROR_RULE_BLOCKED;
}

/* NULL: what the rule finds will be replaced. */
static const char *add_redaction(struct policy_verdict *verdict, const struct policy_rule *rule,
                                 enum pattern_match match, struct inspection *inspection)
{
    bool has_patterns = rule->keyword_count || rule->pattern_count;
    if (match == MATCH_FAILED)
        return "its pattern costs too much on this input to be redacted";
    if ((rule->detect || has_patterns) && !inspect_is_redactable(inspection))
        return "what it redacts is in a body that is no JSON, and only JSON can be redacted";
    if (has_patterns && verdict->redact_pattern_count == POLICY_FLAGS_MAX)
        return "more rules redact this input than can be redacted at once";
    verdict->redact |= rule->detect;
    if (has_patterns)
        verdict->redact_patterns[verdict->redact_pattern_count++] = rule;
    return NULL;
}

/* True: it ends the walk. */
static bool act(const struct policy_rule *rule, enum pattern_match match, struct inspection *inspection,
                struct policy_verdict *verdict, enum error *error)
{
    const char *reason;
    switch (rule->action) {
    case RULE_BLOCK:
        *error = block(verdict, rule, NULL, inspection->arena);
        return true;
    case RULE_ALLOW:
        if (match == MATCH_FAILED)
            return false;
        verdict->rule = name_rule(rule, inspection->arena);
        return true;
    case RULE_LIMIT:
        add_flag(verdict, rule);
        lower_output(verdict, rule->output_tokens_max, name_rule(rule, inspection->arena));
        return false;
    case RULE_REDACT:
        reason = add_redaction(verdict, rule, match, inspection);
        if (reason)
            *error = block(verdict, rule, reason, inspection->arena);
        else
            add_flag(verdict, rule);
        return reason != NULL;
    case RULE_FLAG:
        add_flag(verdict, rule);
        return false;
    }
    return false;
}

static enum error walk_rules(const struct settings *settings, const struct policy_question *question,
                             struct inspection *inspection, struct policy_verdict *verdict)
{
    enum error error = ERROR_OK;
    for (size_t i = 0; i < settings->rule_count; i++) {
        const struct policy_rule *rule = &settings->rules[i];
        enum pattern_match match = is_asked(rule, question) ? match_texts(rule, inspection) : MATCH_NONE;
        if (match != MATCH_NONE && act(rule, match, inspection, verdict, &error))
            break;
    }
    return error;
}

static enum error decide_endpoint(const struct settings *settings, const struct policy_question *question,
                                  struct policy_verdict *verdict)
{
    if (question->is_metered || question->is_free)
        return ERROR_OK;
    bool is_blocked = settings->capture.unmetered_endpoint == UNLISTED_BLOCK;
    verdict->counts_as_unmetered = true;
    if (is_blocked || strcmp(verdict->rule, "default") == 0)
        verdict->rule = "capture.unmetered_endpoint";
    return is_blocked ? ERROR_ENDPOINT_BLOCKED : ERROR_OK;
}

enum error policy_decide(const struct settings *settings, const struct policy_question *question, struct arena *arena,
                         struct policy_verdict *ret_verdict)
{
    struct policy_verdict verdict = {.rule = "default", .output_tokens_max = -1};
    struct inspection inspection = {.body = question->body,
                                    .is_json = question->is_json,
                                    .arena = arena,
                                    .budget = pattern_allow(question->body.length)};
    if (question->group->output_tokens_max)
        lower_output(&verdict, question->group->output_tokens_max, verdict.rule);
    enum error error = decide_model(question, arena, &verdict);
    if (!error)
        error = walk_rules(settings, question, &inspection, &verdict);
    if (!error)
        error = decide_endpoint(settings, question, &verdict);
    verdict.found = inspect_describe(&inspection);
    *ret_verdict = verdict; /* also on refusal: it names the rule */
    return error;
}
