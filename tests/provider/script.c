/* SPDX-License-Identifier: Apache-2.0 */
/* Rules; see script.h. Parsed completely before the old ones go. Shared by all loops, hence the lock.
 */
#include "tests/provider/script.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct match_field {
    const char *name;
    size_t offset;
    size_t text_bytes; /* 0: a number */
} match_fields[] = {
    {"path", offsetof(struct rule, path), sizeof(((struct rule *)0)->path)},
    {"model", offsetof(struct rule, model), sizeof(((struct rule *)0)->model)},
    {"connection_request", offsetof(struct rule, connection_request), 0},
    {"nth", offsetof(struct rule, nth), 0},
    {"every", offsetof(struct rule, every), 0},
};

void script_init(struct script *script)
{
    pthread_mutex_init(&script->lock, NULL);
    script->rules = calloc(SCRIPT_RULES_MAX, sizeof *script->rules);
    if (!script->rules)
        abort();
}

void script_done(struct script *script)
{
    free(script->rules);
    pthread_mutex_destroy(&script->lock);
}

static bool match_set(struct rule *rule, const char *name, const json_t *value)
{
    for (size_t i = 0; i < sizeof match_fields / sizeof match_fields[0]; i++) {
        const struct match_field *field = &match_fields[i];
        char *at = (char *)rule + field->offset;
        if (strcmp(field->name, name) != 0)
            continue;
        if (field->text_bytes)
            return json_is_string(value) &&
                   snprintf(at, field->text_bytes, "%s", json_string_value(value)) < (int)field->text_bytes;
        uint32_t number = (uint32_t)json_integer_value(value);
        memcpy(at, &number, sizeof number);
        return json_is_integer(value) && json_integer_value(value) > 0;
    }
    return false;
}

static bool setting_set(struct rule *rule, const char *name, const json_t *value)
{
    struct behaviour trial = behaviour_unset;
    if (rule->setting_count == SCRIPT_SETTINGS_MAX)
        return false;
    struct rule_setting *setting = &rule->settings[rule->setting_count++];
    setting->directive = directive_find(name, strlen(name));
    if (json_is_string(value))
        snprintf(setting->value, sizeof setting->value, "%s", json_string_value(value));
    else if (json_is_boolean(value))
        snprintf(setting->value, sizeof setting->value, "%d", json_is_true(value));
    else
        snprintf(setting->value, sizeof setting->value, "%lld", (long long)json_integer_value(value));
    return setting->directive && directive_set(setting->directive, setting->value, &trial);
}

static bool member_set(struct rule *rule, const char *name, const json_t *value)
{
    return strcmp(name, "match") == 0 ? json_is_object(value) : setting_set(rule, name, value);
}

/* Gives every member to `set`; returns the name of the one that it refuses, NULL when there is none. */
static const char *members_set(json_t *object, bool (*set)(struct rule *, const char *, const json_t *),
                               struct rule *rule)
{
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at))
        if (!set(rule, json_object_iter_key(at), json_object_iter_value(at)))
            return json_object_iter_key(at);
    return NULL;
}

/* Returns the name that is wrong, NULL when the rule is good. */
static const char *rule_parse(json_t *json, struct rule *rule)
{
    if (!json_is_object(json))
        return "rule";
    const char *wrong = members_set(json_object_get(json, "match"), match_set, rule);
    return wrong ? wrong : members_set(json, member_set, rule);
}

bool script_load(struct script *script, const char *json, size_t length, char *ret_message, size_t message_bytes)
{
    json_error_t error;
    json_t *root = json_loadb(json, length, JSON_REJECT_DUPLICATES, &error);
    struct rule *rules = calloc(SCRIPT_RULES_MAX, sizeof *rules);
    size_t count = json_array_size(root);
    bool loaded = false;
    if (!rules)
        abort();
    if (!json_is_array(root) || count > SCRIPT_RULES_MAX) {
        snprintf(ret_message, message_bytes, "a list of at most %d rules is expected: %s", SCRIPT_RULES_MAX,
                 root ? "it is not" : error.text);
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        const char *wrong = rule_parse(json_array_get(root, i), &rules[i]);
        if (wrong) {
            snprintf(ret_message, message_bytes, "rule %zu: '%s' is unknown or has a bad value", i, wrong);
            goto done;
        }
    }
    pthread_mutex_lock(&script->lock);
    struct rule *old = script->rules;
    script->rules = rules;
    rules = old;
    atomic_store(&script->rule_count, count);
    pthread_mutex_unlock(&script->lock);
    loaded = true;
done:
    free(rules);
    json_decref(root);
    return loaded;
}

static bool text_is_match(const char *pattern, const char *text)
{
    size_t length = strlen(pattern);
    if (length && pattern[length - 1] == '*')
        return strncmp(pattern, text, length - 1) == 0;
    return !length || strcmp(pattern, text) == 0;
}

static bool rule_is_match(struct rule *rule, const char *path, const char *model, uint32_t connection_request)
{
    if (!text_is_match(rule->path, path) || !text_is_match(rule->model, model) ||
        connection_request < rule->connection_request)
        return false;
    rule->matches++;
    return (!rule->nth || rule->matches == rule->nth) && (!rule->every || rule->matches % rule->every == 0);
}

void script_apply(struct script *script, const char *path, const char *model, uint32_t connection_request,
                  struct behaviour *behaviour)
{
    if (!atomic_load_explicit(&script->rule_count, memory_order_relaxed))
        return;
    struct behaviour ruled = behaviour_unset;
    pthread_mutex_lock(&script->lock);
    for (size_t i = 0; i < atomic_load(&script->rule_count); i++) {
        struct rule *rule = &script->rules[i];
        if (rule_is_match(rule, path, model, connection_request))
            for (size_t s = 0; s < rule->setting_count; s++)
                directive_set(rule->settings[s].directive, rule->settings[s].value, &ruled);
    }
    pthread_mutex_unlock(&script->lock);
    behaviour_overlay(behaviour, &ruled);
    *behaviour = ruled;
}

void script_reset(struct script *script)
{
    pthread_mutex_lock(&script->lock);
    for (size_t i = 0; i < SCRIPT_RULES_MAX; i++)
        script->rules[i].matches = 0;
    pthread_mutex_unlock(&script->lock);
}
