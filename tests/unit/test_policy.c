/* SPDX-License-Identifier: Apache-2.0 */
/* policy/: which rule decides, in which order, and what the verdict says of it. Rules are built by hand. */
#include "policy/policy.h"

#include "base/pattern.h"
#include "base/zone.h"
#include "suite.h"

enum { RULES_MAX = 16 };

/* One of everything; tests change what they are about. */
struct fixture {
    struct arena *arena;
    struct consumer_group group;
    struct policy_rule rules[RULES_MAX];
    struct settings settings;
    struct policy_question question;
    struct policy_verdict verdict;
};

static void open_fixture(struct fixture *fixture)
{
    *fixture = (struct fixture){.arena = arena_new(4096), .group = {.name = "product-dev"}};
    fixture->settings.rules = fixture->rules;
    fixture->settings.capture.unmetered_endpoint = UNLISTED_PASS;
    fixture->question = (struct policy_question){.group = &fixture->group,
                                                 .project = "shop",
                                                 .model = "gpt-5.4-mini",
                                                 .endpoint = "chat.completions",
                                                 .is_metered = true,
                                                 .is_json = true,
                                                 .output_tokens_max = 1000,
                                                 .body = SLICE_LITERAL("{\"content\":\"hello\"}")};
}

static struct policy_rule *add_rule(struct fixture *fixture, const char *id, enum rule_action action)
{
    struct policy_rule *rule = &fixture->rules[fixture->settings.rule_count++];
    CU_ASSERT_FATAL(fixture->settings.rule_count <= RULES_MAX);
    *rule = (struct policy_rule){.id = id, .action = action};
    return rule;
}

static enum error decide(struct fixture *fixture)
{
    memset(&fixture->verdict, 0xa5, sizeof fixture->verdict);
    return policy_decide(&fixture->settings, &fixture->question, fixture->arena, &fixture->verdict);
}

static struct pattern *pattern_of(const char *text)
{
    char problem[160];
    size_t offset;
    struct pattern *pattern = pattern_new(text, problem, sizeof problem, &offset);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pattern);
    return pattern;
}

TEST(without_rules_all_is_allowed)
{
    struct fixture f;
    open_fixture(&f);
    EXPECT_INTEGER(decide(&f), ERROR_OK);
    EXPECT_STRING(f.verdict.rule, "default");
    CU_ASSERT(!f.verdict.message && !f.verdict.found && !f.verdict.redact && !f.verdict.flag_count);
    EXPECT_INTEGER(f.verdict.output_tokens_max, -1);
    arena_free(f.arena);
}

TEST(the_models_of_the_group_come_first)
{
    static const struct {
        const char *model;
        enum error error;
        const char *rule;
    } rows[] = {
        {"gpt-5.4-mini", ERROR_OK, "policies.rules[all]"},
        {"gpt-5.4-pro", ERROR_MODEL_DENIED, "consumer_groups[product-dev].denied_models"},
        {"o1", ERROR_MODEL_DENIED, "consumer_groups[product-dev].denied_models"},
        {"o1-mini", ERROR_MODEL_DENIED, "consumer_groups[product-dev].allowed_models"},
        {"gpt", ERROR_MODEL_DENIED, "consumer_groups[product-dev].allowed_models"},
        /* who may have some models only must name one, where the call is one for a model */
        {"", ERROR_MODEL_DENIED, "consumer_groups[product-dev].allowed_models"},
        {NULL, ERROR_MODEL_DENIED, "consumer_groups[product-dev].allowed_models"},
    };
    const char *allowed[] = {"gpt-*"}, *denied[] = {"gpt-5.4-p*", "o1"};
    struct fixture f;
    open_fixture(&f);
    f.group.allowed_models = allowed;
    f.group.allowed_model_count = 1;
    f.group.denied_models = denied;
    f.group.denied_model_count = 2;
    f.group.output_tokens_max = 77;
    add_rule(&f, "all", RULE_ALLOW); /* overrides none of it */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        f.question.model = rows[i].model;
        EXPECT(decide(&f) == rows[i].error, "%s", rows[i].model);
        EXPECT_STRING(f.verdict.rule, rows[i].rule);
        EXPECT_INTEGER(f.verdict.output_tokens_max, 77); /* filled on refusal, too */
    }
    f.question.is_metered = false;
    f.question.is_free = true;
    EXPECT_INTEGER(decide(&f), ERROR_OK);
    EXPECT(policy_is_served(&f.settings, &f.question, "gpt-5.4-mini", false), "allowed");
    EXPECT(!policy_is_served(&f.settings, &f.question, "claude", false), "not among the allowed");
    EXPECT(policy_is_served(&f.settings, &f.question, "claude", true), "by a name of the policy's own");
    EXPECT(!policy_is_served(&f.settings, &f.question, "o1", true), "denied under any name");
    arena_free(f.arena);
}

/* A list matches when one of it does; all that are given must. */
TEST(every_condition_must_hold)
{
    static const char *groups[] = {"x", "product-*"}, *projects[] = {"shop"}, *models[] = {"gpt-5.4*"},
                      *endpoints[] = {"chat.*", "messages"}, *all[] = {"*"};
    struct fixture f;
    open_fixture(&f);
    struct policy_rule *rule = add_rule(&f, "no", RULE_BLOCK);
    *rule = (struct policy_rule){.id = "no",
                                 .message = "ask platform@",
                                 .groups = groups,
                                 .group_count = 2,
                                 .projects = projects,
                                 .project_count = 1,
                                 .models = models,
                                 .model_count = 1,
                                 .endpoints = endpoints,
                                 .endpoint_count = 2,
                                 .output_tokens_above = 999,
                                 .input_bytes_above = f.question.body.length - 1};
    const struct policy_question question = f.question;
    EXPECT_INTEGER(decide(&f), ERROR_RULE_BLOCKED);
    EXPECT_STRING(f.verdict.rule, "policies.rules[no]");
    EXPECT_STRING(f.verdict.message, "ask platform@");
    static const struct {
        const char *group, *project, *model, *endpoint;
        int64_t output;
        const char *body;
        enum error error;
    } rows[] = {
        {"product-", "shop", "gpt-5.4", "messages", -1, "{\"content\":\"hello\"}", ERROR_RULE_BLOCKED},
        {"other", "shop", "gpt-5.4", "messages", 1000, "{\"content\":\"hello\"}", ERROR_OK},
        {"x", "shop2", "gpt-5.4", "messages", 1000, "{\"content\":\"hello\"}", ERROR_OK},
        {"x", "", "gpt-5.4", "messages", 1000, "{\"content\":\"hello\"}", ERROR_OK},
        {"x", NULL, "gpt-5.4", "messages", 1000, "{\"content\":\"hello\"}", ERROR_OK},
        {"x", "shop", "gpt-5", "messages", 1000, "{\"content\":\"hello\"}", ERROR_OK},
        {"x", "shop", "", "messages", 1000, "{\"content\":\"hello\"}", ERROR_OK},
        {"x", "shop", "gpt-5.4", "messages.batches", 1000, "{\"content\":\"hello\"}", ERROR_OK},
        {"x", "shop", "gpt-5.4", NULL, 1000, "{\"content\":\"hello\"}", ERROR_OK},
        {"x", "shop", "gpt-5.4", "messages", 999, "{\"content\":\"hello\"}", ERROR_OK},
        {"x", "shop", "gpt-5.4", "messages", 1000, "{\"content\":\"hell\"}", ERROR_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        f.question = question;
        f.group.name = rows[i].group;
        f.question.project = rows[i].project;
        f.question.model = rows[i].model;
        f.question.endpoint = rows[i].endpoint;
        f.question.output_tokens_max = rows[i].output;
        f.question.body = slice_of(rows[i].body);
        EXPECT(decide(&f) == rows[i].error, "row %zu", i);
    }
    f.question = question;
    rule->models = all; /* even then: a request that names no model is none of a list's */
    f.group.name = "x";
    f.question.model = "";
    EXPECT_INTEGER(decide(&f), ERROR_OK);
    rule->model_count = 0;
    EXPECT_INTEGER(decide(&f), ERROR_RULE_BLOCKED);
    arena_free(f.arena);
}

TEST(the_first_block_or_allow_ends_the_walk)
{
    struct fixture f;
    static const char *mini[] = {"gpt-5.4-mini"};
    open_fixture(&f);
    add_rule(&f, "seen", RULE_FLAG);
    struct policy_rule *allow = add_rule(&f, "mini", RULE_ALLOW);
    allow->models = mini;
    allow->model_count = 1;
    add_rule(&f, "seen too", RULE_FLAG);
    add_rule(&f, "rest", RULE_BLOCK);
    EXPECT_INTEGER(decide(&f), ERROR_OK);
    EXPECT_STRING(f.verdict.rule, "policies.rules[mini]");
    CU_ASSERT(f.verdict.flag_count == 1 && !strcmp(f.verdict.flags[0], "seen"));
    f.question.model = "gpt-5.4";
    EXPECT_INTEGER(decide(&f), ERROR_RULE_BLOCKED);
    EXPECT_STRING(f.verdict.rule, "policies.rules[rest]");
    CU_ASSERT(f.verdict.flag_count == 2 && !strcmp(f.verdict.flags[1], "seen too") && !f.verdict.message);
    arena_free(f.arena);
}

TEST(allow_does_not_open_an_endpoint)
{
    struct fixture f;
    open_fixture(&f);
    f.question.is_metered = false;
    EXPECT_INTEGER(decide(&f), ERROR_OK);
    EXPECT_STRING(f.verdict.rule, "capture.unmetered_endpoint");
    CU_ASSERT_TRUE(f.verdict.counts_as_unmetered);
    add_rule(&f, "all", RULE_ALLOW);
    EXPECT_INTEGER(decide(&f), ERROR_OK);
    EXPECT_STRING(f.verdict.rule, "policies.rules[all]");
    f.settings.capture.unmetered_endpoint = UNLISTED_BLOCK;
    EXPECT_INTEGER(decide(&f), ERROR_ENDPOINT_BLOCKED);
    EXPECT_STRING(f.verdict.rule, "capture.unmetered_endpoint");
    f.question.is_free = true;
    EXPECT_INTEGER(decide(&f), ERROR_OK);
    CU_ASSERT_FALSE(f.verdict.counts_as_unmetered);
    arena_free(f.arena);
}

TEST(the_lowest_limit_wins)
{
    struct fixture f;
    open_fixture(&f);
    f.group.output_tokens_max = 500;
    add_rule(&f, "loose", RULE_LIMIT)->output_tokens_max = 800;
    EXPECT_INTEGER(decide(&f), ERROR_OK);
    EXPECT_INTEGER(f.verdict.output_tokens_max, 500);
    EXPECT_STRING(f.verdict.rule, "default");
    add_rule(&f, "tight", RULE_LIMIT)->output_tokens_max = 100;
    add_rule(&f, "middle", RULE_LIMIT)->output_tokens_max = 200;
    EXPECT_INTEGER(decide(&f), ERROR_OK);
    EXPECT_INTEGER(f.verdict.output_tokens_max, 100);
    EXPECT_STRING(f.verdict.rule, "policies.rules[tight]");
    EXPECT_INTEGER(f.verdict.flag_count, 3);
    f.rules[1].output_tokens_max = UINT64_MAX;
    f.group.output_tokens_max = 0;
    EXPECT_INTEGER(decide(&f), ERROR_OK);
    EXPECT_INTEGER(f.verdict.output_tokens_max, 200);
    arena_free(f.arena);
}

TEST(hours_and_days_are_those_of_the_zone)
{
    enum { MON = 1, TUE = 2, FRI = 16, SAT = 32, SUN = 64, HOUR = 60 };
    static const struct {
        const char *zone;
        const char *when; /* UTC */
        int64_t now_s;
        uint32_t from, to;
        unsigned days;
        bool matches;
    } rows[] = {
        {"UTC", "Thu 1970-01-01 00:00", 0, 0, 24 * HOUR, 8, true},
        {"UTC", "Thu 1970-01-01 00:00", 0, 0, 24 * HOUR, 0x7f & ~8u, false},
        {"UTC", "Wed 1969-12-31 23:59", -1, 23 * HOUR, 24 * HOUR, 4, true},
        {"UTC", "Mon 2024-07-01 08:00", 1719820800, 8 * HOUR, 18 * HOUR, 0, true},
        {"UTC", "Mon 2024-07-01 07:59:59", 1719820799, 8 * HOUR, 18 * HOUR, 0, false},
        {"UTC", "Mon 2024-07-01 18:00", 1719856800, 8 * HOUR, 18 * HOUR, 0, false},
        {"UTC", "Mon 2024-07-01 17:59:59", 1719856799, 8 * HOUR, 18 * HOUR, MON, true},
        {"UTC", "Mon 2024-07-01 17:59:59", 1719856799, 8 * HOUR, 18 * HOUR, TUE | SUN, false},
        /* over midnight */
        {"UTC", "Sun 2024-06-30 23:00", 1719788400, 22 * HOUR, 6 * HOUR, 0, true},
        {"UTC", "Mon 2024-07-01 05:59", 1719813540, 22 * HOUR, 6 * HOUR, 0, true},
        {"UTC", "Mon 2024-07-01 06:00", 1719813600, 22 * HOUR, 6 * HOUR, 0, false},
        {"UTC", "Mon 2024-07-01 05:59", 1719813540, 22 * HOUR, 6 * HOUR, SUN, false}, /* the day of the moment */
        {"UTC", "Mon 2024-07-01 05:59", 1719813540, 22 * HOUR, 6 * HOUR, MON, true},
        /* the same second elsewhere: 19:00 in New York on Sunday, 08:00 in Tokyo on Monday */
        {"America/New_York", "Sun 2024-06-30 23:00", 1719788400, 19 * HOUR, 20 * HOUR, SUN, true},
        {"Asia/Tokyo", "Sun 2024-06-30 23:00", 1719788400, 8 * HOUR, 9 * HOUR, MON, true},
        {"Asia/Tokyo", "Sun 2024-06-30 23:00", 1719788400, 8 * HOUR, 9 * HOUR, SUN, false},
        {"Europe/Berlin", "Sun 2024-06-30 23:00", 1719788400, 1 * HOUR, 2 * HOUR, 0, true},
        {"Europe/Berlin", "Wed 2024-01-31 23:00", 1706742000, 0, 1 * HOUR, 8, true}, /* winter */
        /* from 8 to 8 is all day */
        {"UTC", "Mon 2024-07-01 05:59", 1719813540, 8 * HOUR, 8 * HOUR, 0, true},
    };
    struct fixture f;
    open_fixture(&f);
    struct policy_rule *rule = add_rule(&f, "night", RULE_BLOCK);
    rule->has_hours = true;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rule->zone = zone_load(f.arena, rows[i].zone);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rule->zone);
        rule->from_minute = rows[i].from;
        rule->to_minute = rows[i].to;
        rule->days = rows[i].days;
        f.question.now_s = rows[i].now_s;
        EXPECT((decide(&f) == ERROR_RULE_BLOCKED) == rows[i].matches, "row %zu: %s, %s", i, rows[i].when, rows[i].zone);
    }
    rule->has_hours = false; /* days alone */
    rule->zone = NULL;       /* UTC */
    rule->days = SUN;
    f.question.now_s = 1719788400;
    EXPECT_INTEGER(decide(&f), ERROR_RULE_BLOCKED);
    rule->days = MON | FRI | SAT;
    EXPECT_INTEGER(decide(&f), ERROR_OK);
    arena_free(f.arena);
}

TEST(the_body_is_looked_into_when_a_rule_asks)
{
    struct fixture f;
    static const char *other[] = {"other"}, *words[] = {"Bluebird", "\xc3\x9cNTER"};
    open_fixture(&f);
    f.question.body =
        SLICE_LITERAL("{\"a\":\"jane\\u0040example.com\",\"b\":[\"under BLUE\\u0042IRD\"],\"c\":4111111111111111}");
    struct policy_rule *rule = add_rule(&f, "secret", RULE_BLOCK);
    rule->detect = DETECT_EMAIL | DETECT_CARD;
    rule->groups = other;
    rule->group_count = 1;
    EXPECT_INTEGER(decide(&f), ERROR_OK);
    CU_ASSERT_PTR_NULL(f.verdict.found); /* the cheap conditions come first */
    rule->group_count = 0;
    EXPECT_INTEGER(decide(&f), ERROR_RULE_BLOCKED);
    EXPECT_STRING(f.verdict.found, "email");
    rule->detect = DETECT_CARD | DETECT_IBAN;
    EXPECT_INTEGER(decide(&f), ERROR_OK);
    EXPECT_STRING(f.verdict.found, "");
    rule->keywords = words + 1; /* of several kinds, one finding is enough */
    rule->keyword_count = 1;
    EXPECT_INTEGER(decide(&f), ERROR_OK);
    rule->detect = DETECT_EMAIL;
    EXPECT_INTEGER(decide(&f), ERROR_RULE_BLOCKED);
    EXPECT_STRING(f.verdict.found, "email");
    rule->detect = DETECT_CARD;
    rule->keywords = words;
    rule->keyword_count = 2;
    EXPECT_INTEGER(decide(&f), ERROR_RULE_BLOCKED);
    EXPECT_STRING(f.verdict.found, "keyword");
    rule->keyword_count = 0;
    struct pattern *pattern = pattern_of("blue ?bird");
    rule->patterns = &pattern;
    rule->pattern_count = 1;
    EXPECT_INTEGER(decide(&f), ERROR_OK);
    pattern_free(pattern);
    pattern = pattern_of("(?i)blue ?bird");
    EXPECT_INTEGER(decide(&f), ERROR_RULE_BLOCKED);
    EXPECT_STRING(f.verdict.found, "pattern");
    rule->detect = DETECT_EMAIL;
    rule->action = RULE_REDACT; /* all kinds are looked for */
    EXPECT_INTEGER(decide(&f), ERROR_OK);
    EXPECT_STRING(f.verdict.found, "email, pattern");
    rule->action = RULE_BLOCK;
    rule->detect = 0;
    f.question.body = SLICE_LITERAL("{\"c\":\"\\u00dcnter jane@example.com blue \",\"d\":\"bird\"}");
    EXPECT_INTEGER(decide(&f), ERROR_OK); /* string by string */
    pattern_free(pattern);
    arena_free(f.arena);
}

TEST(what_is_to_be_redacted_is_in_the_verdict)
{
    struct fixture f;
    static const char *words[] = {"bluebird"};
    open_fixture(&f);
    f.question.body = SLICE_LITERAL("{\"a\":\"jane@example.com, bluebird\"}");
    add_rule(&f, "pii", RULE_REDACT)->detect = DETECT_EMAIL | DETECT_CARD;
    add_rule(&f, "keys", RULE_REDACT)->detect = DETECT_API_KEY;
    struct policy_rule *rule = add_rule(&f, "names", RULE_REDACT);
    rule->keywords = words;
    rule->keyword_count = 1;
    add_rule(&f, "seen", RULE_FLAG);
    EXPECT_INTEGER(decide(&f), ERROR_OK);
    EXPECT_STRING(f.verdict.rule, "default");
    EXPECT_STRING(f.verdict.found, "email, keyword");
    EXPECT_INTEGER(f.verdict.redact, DETECT_EMAIL | DETECT_CARD);
    CU_ASSERT(f.verdict.redact_pattern_count == 1 && f.verdict.redact_patterns[0] == rule);
    CU_ASSERT(f.verdict.flag_count == 3 && !strcmp(f.verdict.flags[0], "pii") && !strcmp(f.verdict.flags[1], "names"));
    const char *found;
    struct slice sent = policy_redact(&f.verdict, f.question.body, f.arena, &found);
    CU_ASSERT(slice_is(sent, "{\"a\":\"[email], [redacted]\"}"));
    EXPECT_STRING(found, "1 email, 1 keyword");
    arena_free(f.arena);
}

TEST(what_cannot_be_redacted_is_blocked)
{
    struct fixture f;
    static const struct {
        const char *body;
        bool is_json;
        enum error error;
    } rows[] = {
        {"--b\r\n\r\njane@example.com\r\n--b--", false, ERROR_RULE_BLOCKED},
        {"--b\r\n\r\nnothing\r\n--b--", false, ERROR_OK},
        {"{\"a\":\"jane@example.com\"}", false, ERROR_RULE_BLOCKED},
        {"{\"a\":\"jane@example.com\"", true, ERROR_RULE_BLOCKED}, /* says it is, and is not */
        {"{\"a\":\"jane@example.com\"}", true, ERROR_OK},
        {"", true, ERROR_OK},
        {"", false, ERROR_OK},
    };
    open_fixture(&f);
    struct policy_rule *rule = add_rule(&f, "pii", RULE_REDACT);
    rule->detect = DETECT_EMAIL;
    for (int with_message = 0; with_message < 2; with_message++) {
        rule->message = with_message ? "no personal data" : NULL;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            f.question.body = slice_of(rows[i].body);
            f.question.is_json = rows[i].is_json;
            EXPECT(decide(&f) == rows[i].error, "%s", rows[i].body);
            EXPECT_STRING(f.verdict.rule, rows[i].error ? "policies.rules[pii]" : "default");
            if (rows[i].error)
                CU_ASSERT(strstr(f.verdict.message, "no JSON") && !strstr(f.verdict.message, "jane") &&
                          (strncmp(f.verdict.message, "no personal", 11) == 0) == (with_message == 1));
        }
    }
    rule->action = RULE_FLAG; /* others look at any body */
    f.question.body = slice_of(rows[0].body);
    f.question.is_json = false;
    EXPECT_INTEGER(decide(&f), ERROR_OK);
    EXPECT_INTEGER(f.verdict.flag_count, 1);
    arena_free(f.arena);
}

TEST(what_costs_too_much_counts_against_the_request)
{
    enum { BYTES = 20000 };
    static const struct {
        enum rule_action action;
        enum error error;
        size_t flags;
    } rows[] = {{RULE_BLOCK, ERROR_RULE_BLOCKED, 0},
                {RULE_REDACT, ERROR_RULE_BLOCKED, 0},
                {RULE_FLAG, ERROR_OK, 1},
                {RULE_LIMIT, ERROR_OK, 1},
                {RULE_ALLOW, ERROR_OK, 0}};
    struct fixture f;
    open_fixture(&f);
    char *body = malloc(BYTES);
    memset(body, 'a', BYTES);
    memcpy(body, "[\"aa\",\"", 7);
    memcpy(body + BYTES - 3, "!\"]", 3);
    f.question.body = (struct slice){body, BYTES};
    struct pattern *patterns[] = {pattern_of("^aa$"), pattern_of("(a+)+$")};
    struct policy_rule *rule = add_rule(&f, "dear", RULE_BLOCK);
    rule->patterns = patterns + 1;
    rule->pattern_count = 1;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rule->action = rows[i].action;
        rule->output_tokens_max = 5;
        f.settings.rule_count = 1;
        /* redaction looks at all strings: one that matches hides none that cannot be decided */
        rule->patterns = rows[i].action == RULE_REDACT ? patterns : patterns + 1;
        rule->pattern_count = rows[i].action == RULE_REDACT ? 2 : 1;
        if (rows[i].action == RULE_ALLOW) {
            memcpy(body, "[\"bb\",\"", 7);
            add_rule(&f, "rest", RULE_BLOCK);
            EXPECT_INTEGER(decide(&f), ERROR_RULE_BLOCKED);
            EXPECT_STRING(f.verdict.rule, "policies.rules[rest]");
            continue;
        }
        memcpy(body, rows[i].action == RULE_REDACT ? "[\"aa\",\"" : "[\"bb\",\"", 7);
        EXPECT(decide(&f) == rows[i].error, "row %zu", i);
        EXPECT_INTEGER(f.verdict.flag_count, rows[i].flags);
    }
    pattern_free(patterns[0]);
    pattern_free(patterns[1]);
    free(body);
    arena_free(f.arena);
}

/* 3,000 strings, each of which costs a pattern little: all rules have one budget, and it is small. */
TEST(many_dear_strings_cost_no_more_than_one)
{
    enum { STRINGS = 3000, STRING_BYTES = 17 };
    struct fixture f;
    open_fixture(&f);
    char *body = malloc(STRINGS * STRING_BYTES + 8);
    size_t length = (size_t)sprintf(body, "[\"\"");
    for (unsigned i = 0; i < STRINGS; i++)
        length += (size_t)sprintf(body + length, ",\"aaaaaaaaaaaaab\"");
    length += (size_t)sprintf(body + length, "]");
    f.question.body = (struct slice){body, length};
    struct pattern *patterns[] = {pattern_of("(a+)+$"), pattern_of("(a|a)+$"), pattern_of("^(a*)*c")};
    for (size_t i = 0; i < 3; i++) { /* what cannot be known allows nothing, so all of them are tried */
        struct policy_rule *rule = add_rule(&f, "dear", RULE_ALLOW);
        rule->patterns = patterns + i;
        rule->pattern_count = 1;
    }
    struct policy_rule *last = add_rule(&f, "last", RULE_BLOCK); /* innocent, but the budget is spent */
    last->patterns = patterns + 2;
    last->pattern_count = 1;
    EXPECT_INTEGER(decide(&f), ERROR_RULE_BLOCKED);
    EXPECT_STRING(f.verdict.rule, "policies.rules[last]");
    f.question.body.length = 3 + STRING_BYTES + 1; /* one of them is no reason */
    body[f.question.body.length - 1] = ']';
    EXPECT_INTEGER(decide(&f), ERROR_OK);
    for (size_t i = 0; i < 3; i++)
        pattern_free(patterns[i]);
    free(body);
    arena_free(f.arena);
}

TEST(lists_of_the_verdict_are_bounded)
{
    struct fixture f;
    static const char *words[] = {"hello"};
    static const char *ids[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    open_fixture(&f);
    for (size_t i = 0; i < 10; i++)
        add_rule(&f, ids[i], RULE_FLAG);
    EXPECT_INTEGER(decide(&f), ERROR_OK);
    EXPECT_INTEGER(f.verdict.flag_count, POLICY_FLAGS_MAX);
    for (size_t i = 0; i < 10; i++) {
        f.rules[i].action = RULE_REDACT;
        f.rules[i].keywords = words;
        f.rules[i].keyword_count = 1;
    }
    EXPECT_INTEGER(decide(&f), ERROR_RULE_BLOCKED);
    EXPECT_STRING(f.verdict.rule, "policies.rules[8]");
    arena_free(f.arena);
}
