/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policies.rules after parsing: what an action needs, names of groups, and regular expressions, which are compiled here
 * and freed by config_release. Called by rules.c.
 */
#include "config/loader.h"

#include "base/pattern.h"

enum { EXPRESSIONS_MAX = 256 /* compiled, each can take 64 KiB */, PROBLEM_BYTES_MAX = 160 };

/* An empty list would be "any" to whoever reads the rule as code, and "none" to whoever reads the file. */
static void refuse_empty_lists(struct loader *loader, const struct node *when)
{
    for (const struct node *child = when ? when->first : NULL; child; child = child->next)
        if (child->kind == NODE_SEQUENCE && child->count == 0 && child->key->kind == NODE_SCALAR)
            report(loader, SEVERITY_ERROR, child, "remove the key for any", "%s is an empty list",
                   quote(loader, child->key));
}

static void check_groups(struct loader *loader, const struct policy_rule *rule, const struct node *when)
{
    const struct node *child = node_first(node_member(when, "groups"), rule->group_count);
    for (size_t i = 0; child && i < rule->group_count; i++, child = child->next)
        refuse_unknown_name(loader, child, "group", rule->groups[i], group_name_at, SEVERITY_ERROR);
}

/* By the words of the file: an action that is none has been reported, and asks for nothing more. */
static void check_action(struct loader *loader, const struct policy_rule *rule, const struct node *node)
{
    const struct node *action = node_member(node, "action"), *most = node_member(node, "output_tokens_max");
    const struct node *message = node_member(node, "message"), *when = node_member(node, "when");
    bool is_limit = node_is(action, "limit"), is_block = node_is(action, "block");
    bool is_other = rule->action != RULE_BLOCK && !is_limit;
    if (is_limit && !most)
        report(loader, SEVERITY_ERROR, action, "output_tokens_max: 1024", "a limit needs \"output_tokens_max\"");
    if ((is_block || is_other) && most)
        report(loader, SEVERITY_ERROR, most->key, "action: limit", "\"output_tokens_max\" is for limits");
    if (node_is(action, "redact") && !node_member(when, "detect") && !node_member(when, "keywords") &&
        !node_member(when, "regex"))
        report(loader, SEVERITY_ERROR, action, "when: {detect: [email, card]}",
               "\"redact\" needs something to look for: detect, keywords or regex");
    if ((is_limit || is_other) && message)
        report(loader, SEVERITY_WARNING, message->key, NULL, "\"message\" is only told by rules that block");
}

static void compile_expressions(struct loader *loader, struct policy_rule *rule, const struct node *when)
{
    const struct node *child = node_first(node_member(when, "regex"), rule->pattern_count);
    if (!child)
        return;
    rule->patterns = arena_new_array(loader->arena, struct pattern *, rule->pattern_count);
    for (size_t i = 0; i < rule->pattern_count; i++, child = child->next) {
        char problem[PROBLEM_BYTES_MAX];
        size_t offset, end;
        struct pattern_budget budget = pattern_allow(0);
        rule->patterns[i] = pattern_new(rule->pattern_texts[i], problem, sizeof problem, &offset);
        if (!rule->patterns[i])
            report(loader, SEVERITY_ERROR, child, NULL, "no regular expression: %s at offset %zu", problem, offset);
        else if (pattern_find(rule->patterns[i], SLICE_LITERAL(""), &budget, &offset, &end) != MATCH_NONE)
            report(loader, SEVERITY_WARNING, child, NULL, "the expression matches even an empty text");
    }
}

static bool has_few_expressions(struct loader *loader, const struct node *list)
{
    const struct settings *settings = loader->settings;
    size_t count = 0;
    for (size_t i = 0; i < settings->rule_count; i++)
        count += settings->rules[i].pattern_count;
    if (count <= EXPRESSIONS_MAX)
        return true;
    report(loader, SEVERITY_ERROR, list, "join them: (first|second)",
           "the rules have %zu regular expressions, at most %d are possible", count, (int)EXPRESSIONS_MAX);
    return false;
}

/* What follows a rule that ends the walk for every call. */
static void warn_unreachable(struct loader *loader, const struct node *list)
{
    const struct node *last = NULL;
    for (const struct node *node = list->first; node; node = node->next) {
        const struct node *action = node_member(node, "action"), *when = node_member(node, "when");
        if (last)
            report(loader, SEVERITY_WARNING, node, NULL,
                   "this rule is never reached: the one on line %u is about all calls", last->line);
        if (last)
            return;
        if ((node_is(action, "block") || node_is(action, "allow")) && (!when || when->count == 0))
            last = node;
    }
}

void complete_policies(struct loader *loader, const struct node *root)
{
    struct settings *settings = loader->settings;
    const struct node *list = node_list(root, "policies", "rules");
    const struct node *node = node_first(list, settings->rule_count);
    if (!node)
        return;
    bool compiles = has_few_expressions(loader, list);
    for (size_t i = 0; i < settings->rule_count; i++, node = node->next) {
        const struct node *when = node_member(node, "when");
        refuse_empty_lists(loader, when);
        check_groups(loader, &settings->rules[i], when);
        check_action(loader, &settings->rules[i], node);
        if (compiles)
            compile_expressions(loader, &settings->rules[i], when);
    }
    warn_unreachable(loader, list);
}
