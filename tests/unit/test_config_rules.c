/* SPDX-License-Identifier: Apache-2.0 */
/* config/: policies.rules: what arrives, what is said about mistakes, and that expressions are compiled and freed. */
#include "base/pattern.h"
#include "base/zone.h"
#include "tests/unit/config_files.h"

TEST(every_member_of_a_rule_arrives)
{
    struct load load;
    const struct settings *settings = load_good(
        write_text("rules.prod.yaml",
                   BOTH "policies:\n  rules:\n"
                        "    - id: a\n      action: block\n      message: \"Not at night: ask again\"\n"
                        "      when:\n"
                        "        groups: [g, 'x*']\n        projects: [p*, q]\n        models: [gpt-5*]\n"
                        "        endpoints: [chat.completions, images*]\n"
                        "        hours: 22:00-06:30\n        days: [mon, wed, sun]\n        time_zone: Europe/Berlin\n"
                        "        output_tokens_above: 100\n        input_bytes_above: 200\n"
                        "        detect: [email, private_key]\n        keywords: [Project X, 42]\n"
                        "        regex: ['\\bCUST-[0-9]+', a.c]\n"
                        "    - {id: b, action: limit, output_tokens_max: 7}\n"
                        "    - {id: c, action: redact, when: {detect: [phone, card, iban, api_key]}}\n"
                        "    - {id: d, action: flag, when: {hours: 09:00-24:00}}\n"
                        "    - {id: e, action: allow}\n"),
        &load);
    CU_ASSERT_EQUAL_FATAL(settings->rule_count, 5);
    const struct policy_rule *a = &settings->rules[0], *b = &settings->rules[1];
    EXPECT_STRING(a->id, "a");
    EXPECT_STRING(a->message, "Not at night: ask again");
    EXPECT_INTEGER(a->action, RULE_BLOCK);
    EXPECT(a->group_count == 2 && strcmp(a->groups[1], "x*") == 0, "groups");
    EXPECT(a->project_count == 2 && strcmp(a->projects[0], "p*") == 0, "projects");
    EXPECT(a->model_count == 1 && strcmp(a->models[0], "gpt-5*") == 0, "models");
    EXPECT(a->endpoint_count == 2 && strcmp(a->endpoints[1], "images*") == 0, "endpoints");
    EXPECT(a->has_hours && a->from_minute == 22 * 60 && a->to_minute == 6 * 60 + 30, "hours");
    EXPECT_INTEGER(a->days, 1 << 0 | 1 << 2 | 1 << 6);
    EXPECT(zone_offset_at(a->zone, 1751500800) == 7200, "summer in Berlin");
    EXPECT(a->output_tokens_above == 100 && a->input_bytes_above == 200 && a->output_tokens_max == 0, "numbers");
    EXPECT_INTEGER(a->detect, DETECT_EMAIL | DETECT_PRIVATE_KEY);
    EXPECT(a->keyword_count == 2 && strcmp(a->keywords[0], "Project X") == 0 && strcmp(a->keywords[1], "42") == 0,
           "keywords");
    CU_ASSERT_EQUAL_FATAL(a->pattern_count, 2);
    size_t from, to;
    struct pattern_budget budget = pattern_allow(0);
    EXPECT_STRING(a->pattern_texts[0], "\\bCUST-[0-9]+");
    EXPECT_INTEGER(pattern_find(a->patterns[0], SLICE_LITERAL("of CUST-77."), &budget, &from, &to), MATCH_FOUND);
    EXPECT(from == 3 && to == 10, "%zu %zu", from, to);
    EXPECT_INTEGER(pattern_find(a->patterns[1], SLICE_LITERAL("abd"), &budget, &from, &to), MATCH_NONE);
    EXPECT(b->action == RULE_LIMIT && b->output_tokens_max == 7, "limit");
    EXPECT(!b->has_hours && b->days == 0 && b->detect == 0 && b->group_count == 0 && !b->message && b->zone &&
               zone_offset_at(b->zone, 0) == 0,
           "nothing that was not written");
    EXPECT(settings->rules[2].action == RULE_REDACT &&
               settings->rules[2].detect == (DETECT_PHONE | DETECT_CARD | DETECT_IBAN | DETECT_API_KEY),
           "redact");
    EXPECT(settings->rules[3].action == RULE_FLAG && settings->rules[3].to_minute == 24 * 60, "flag");
    EXPECT_INTEGER(settings->rules[4].action, RULE_ALLOW);
    struct settings *again = config_retain(load.settings);
    done(&load);
    EXPECT_INTEGER(pattern_find(again->rules[0].patterns[1], SLICE_LITERAL("abc"), &budget, &from, &to), MATCH_FOUND);
    config_release(again);
}

/* One rule on line 11; its members after `- {id: r, ` begin at column 14. */
#define RULE(members) BOTH "policies:\n  rules:\n    - {id: r, " members "}\n"
/* Members of `when` begin at column 36. */
#define WHEN(members) RULE("action: flag, when: {" members "}")

static const struct bad bad_rules[] = {
    {BOTH "policies: {rules: {}}\n", 10, 19, "\"rules\" must be a list", 0},
    {BOTH "policies: {rule: []}\n", 10, 12, "unknown key \"rule\" in policies, did you mean \"rules\"?", 0},
    {BOTH "policies: {rules: [{action: flag}]}\n", 10, 20, "rule lacks \"id\"", 0},
    {BOTH "policies: {rules: [{id: a}]}\n", 10, 20, "rule lacks \"action\"", 0},
    {RULE("action: deny"), 12, 23, "\"action\" cannot be \"deny\"", 0},
    {RULE("action: blok, output_tokens_max: 5"), 12, 23, "\"action\" cannot be \"blok\", did you mean \"block\"?", 0},
    {RULE("action: flag}\n    - {id: r, action: flag"), 13, 12, "\"id\" is used twice: r, first on line 12", 0},
    {RULE("action: limit"), 12, 23, "a limit needs \"output_tokens_max\"", 0},
    {RULE("action: limit, output_tokens_max: 0"), 12, 49, "\"output_tokens_max\" is out of range: 0", 0},
    {RULE("action: block, output_tokens_max: 5"), 12, 30, "\"output_tokens_max\" is for limits", 0},
    {RULE("action: flag, output_tokens_max: 5"), 12, 29, "\"output_tokens_max\" is for limits", 0},
    {RULE("action: redact"), 12, 23, "\"redact\" needs something to look for: detect, keywords or regex", 0},
    {RULE("action: redact, when: {groups: [g]}"), 12, 23,
     "\"redact\" needs something to look for: detect, keywords or regex", 0},
    {RULE("action: flag, message: \"\""), 12, 38, "\"message\" must have 1 to 500 characters", 0},
    {RULE("action: flag, message: \"a\\nb\""), 12, 38, "\"message\" has a control character, or a space at its end", 0},
    {RULE("action: flag, when: [g]"), 12, 35, "\"when\" must be a mapping (key: value)", 0},
    {WHEN("group: [g]"), 12, 36, "unknown key \"group\" in when, did you mean \"groups\"?", 0},
    {WHEN("groups: []"), 12, 44, "\"groups\" is an empty list", 0},
    {WHEN("days: []"), 12, 42, "\"days\" is an empty list", 0},
    {WHEN("regex: []"), 12, 43, "\"regex\" is an empty list", 0},
    {WHEN("groups: [gg]"), 12, 45, "there is no group \"gg\", did you mean \"g\"?", 0},
    {WHEN("models: ['*-mini']"), 12, 45, "\"models\": '*' is only allowed at the end", 0},
    {WHEN("models: gpt-5"), 12, 44, "\"models\" must be a list", 0},
    {WHEN("hours: 22-06"), 12, 43, "\"hours\" must be two different times of the day, HH:MM-HH:MM, not \"22-06\"", 0},
    {WHEN("hours: 22:00-22:00"), 12, 43,
     "\"hours\" must be two different times of the day, HH:MM-HH:MM, not \"22:00-22:00\"", 0},
    {WHEN("hours: 22:60-23:00"), 12, 43,
     "\"hours\" must be two different times of the day, HH:MM-HH:MM, not \"22:60-23:00\"", 0},
    {WHEN("hours: 24:00-06:00"), 12, 43,
     "\"hours\" must be two different times of the day, HH:MM-HH:MM, not \"24:00-06:00\"", 0},
    {WHEN("hours: 06:00-24:01"), 12, 43,
     "\"hours\" must be two different times of the day, HH:MM-HH:MM, not \"06:00-24:01\"", 0},
    {WHEN("hours: 6:00-22:00"), 12, 43,
     "\"hours\" must be two different times of the day, HH:MM-HH:MM, not \"6:00-22:00\"", 0},
    {WHEN("hours: [1]"), 12, 43, "\"hours\" must be a single value", 0},
    {WHEN("days: [mon, tues]"), 12, 48, "\"days\" cannot be \"tues\", did you mean \"tue\"?", 0},
    {WHEN("days: mon"), 12, 42, "\"days\" must be a list", 0},
    {WHEN("days: [mon, mon, mon, mon, mon, mon, mon, mon]"), 12, 42, "\"days\" has 8 entries, at most 7 are possible",
     0},
    {WHEN("time_zone: Europe/Utopia"), 12, 47, "unknown time zone \"Europe/Utopia\"", 0},
    {WHEN("output_tokens_above: 0"), 12, 57, "\"output_tokens_above\" is out of range: 0", 0},
    {WHEN("input_bytes_above: -1"), 12, 55, "\"input_bytes_above\" must be a whole number, not \"-1\"", 0},
    {WHEN("detect: [emial]"), 12, 45, "\"detect\" cannot be \"emial\", did you mean \"email\"?", 0},
    {WHEN("detect: [[email]]"), 12, 45, "\"detect\" must be a single value", 0},
    {WHEN("keywords: [\"\"]"), 12, 47, "\"keywords\" must have 1 to 253 characters", 0},
    {WHEN("regex: ['a(b']"), 12, 44, "no regular expression: missing closing parenthesis at offset 3", 0},
    {WHEN("regex: [ok, 'a{2,1}', '[z-a]']"), 12, 48,
     "no regular expression: numbers out of order in {} quantifier at offset 5", 2},
    {WHEN("regex: [ok, 'a{2,1}', '[z-a]']"), 12, 58,
     "no regular expression: range out of order in character class at offset 3", 2},
    {WHEN("regex: [\"a\\0b\"]"), 12, 44, "\"regex\" has a control character", 0},
    {WHEN("regex: ['\\C']"), 12, 44, "no regular expression: using \\C is disabled by the application at offset 2", 0},
};

TEST(bad_rules_are_refused_with_their_place)
{
    expect_bad(bad_rules, sizeof bad_rules / sizeof *bad_rules);
}

static void expect_hint(const char *text, unsigned column, const char *message, const char *hint)
{
    struct load load_result = load(write_text("hint.dev.yaml", text));
    const struct config_problem *row = find_problem(&load_result, 12, column, message);
    EXPECT(row && row->hint && strcmp(row->hint, hint) == 0, "%s", row && row->hint ? row->hint : "no hint");
    done(&load_result);
}

TEST(mistakes_are_explained)
{
    expect_hint(RULE("action: deny"), 23, "\"action\" cannot be \"deny\"", "one of: block allow limit redact flag");
    expect_hint(RULE("action: limit"), 23, "a limit needs \"output_tokens_max\"", "output_tokens_max: 1024");
    expect_hint(RULE("action: redact"), 23, "\"redact\" needs something to look for: detect, keywords or regex",
                "when: {detect: [email, card]}");
    expect_hint(WHEN("groups: []"), 44, "\"groups\" is an empty list", "remove the key for any");
    expect_hint(WHEN("hours: 9-5"), 43, "\"hours\" must be two different times of the day, HH:MM-HH:MM, not \"9-5\"",
                "e.g. 09:00-17:30, or 22:00-06:00 over midnight; 24:00 is its end");
}

TEST(what_a_rule_can_never_do_is_a_warning)
{
    static const struct {
        const char *text;
        unsigned line, column;
        const char *message;
    } rows[] = {
        {RULE("action: block}\n    - {id: s, action: flag"), 13, 7,
         "this rule is never reached: the one on line 12 is about all calls"},
        {RULE("action: allow, when: {}}\n    - {id: s, action: flag}\n    - {id: t, action: flag"), 13, 7,
         "this rule is never reached: the one on line 12 is about all calls"},
        {RULE("action: allow, message: x"), 12, 30, "\"message\" is only told by rules that block"},
        {WHEN("regex: [x*]"), 12, 44, "the expression matches even an empty text"},
        {WHEN("groups: ['team-*']"), 12, 45, "there is no group \"team-*\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct load load_result = load(write_text("warn.dev.yaml", rows[i].text));
        const struct config_problem *row = find_problem(&load_result, rows[i].line, rows[i].column, rows[i].message);
        EXPECT(row && row->is_warning && load_result.error == ERROR_OK, "%s", rows[i].text);
        done(&load_result);
    }
    struct load load_result =
        load(write_text("warn.dev.yaml", RULE("action: block, when: {groups: [g]}}\n    - {id: s, action: flag")));
    EXPECT(load_result.problems.count == 1, "%s", print(&load_result)); /* of the missing key alone */
    done(&load_result);
}

/* ---- bounds ---- */

static char text[400000];

static void put(const char *more)
{
    size_t length = strlen(text);
    snprintf(text + length, sizeof text - length, "%s", more);
}

/* `rules` rules with so many expressions each. */
static const char *many_rules(unsigned rules, unsigned expressions, const char *expression)
{
    snprintf(text, sizeof text, "%spolicies:\n  rules:\n", BOTH);
    for (unsigned i = 0; i < rules; i++) {
        char id[64];
        snprintf(id, sizeof id, "    - {id: r%u, action: flag, when: {regex: [", i);
        put(id);
        for (unsigned j = 0; j < expressions; j++) {
            put(j ? ", '" : "'");
            put(expression);
            put("'");
        }
        put("]}}\n");
    }
    return write_text("many.dev.yaml", text);
}

TEST(rules_and_their_lists_are_bounded)
{
    static const struct {
        unsigned rules, expressions;
        const char *message; /* NULL: fine */
        unsigned line, column;
    } rows[] = {
        {64, 1, NULL, 0, 0}, {65, 1, "\"rules\" has 65 entries, at most 64 are possible", 12, 5},
        {1, 64, NULL, 0, 0}, {1, 65, "\"regex\" has 65 entries, at most 64 are possible", 12, 44},
        {64, 4, NULL, 0, 0}, {52, 5, "the rules have 260 regular expressions, at most 256 are possible", 12, 5},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct load load_result = load(many_rules(rows[i].rules, rows[i].expressions, "x"));
        EXPECT((load_result.error == ERROR_OK) == !rows[i].message, "row %zu", i);
        if (rows[i].message)
            EXPECT(find_problem(&load_result, rows[i].line, rows[i].column, rows[i].message) != NULL, "row %zu", i);
        done(&load_result);
    }
}

TEST(an_expression_has_at_most_4096_bytes)
{
    static char expression[4098];
    memset(expression, 'x', 4096);
    struct load load_result = load(many_rules(1, 1, expression));
    EXPECT_INTEGER(load_result.error, ERROR_OK);
    done(&load_result);
    expression[4096] = 'x';
    load_result = load(many_rules(1, 1, expression));
    CU_ASSERT_PTR_NOT_NULL(find_problem(&load_result, 12, 45, "\"regex\" must have 1 to 4096 characters"));
    done(&load_result);
}

/* Compiled ones of a file that is refused, or that has a list twice, must not be lost (AddressSanitizer looks). */
TEST(expressions_of_refused_files_are_freed)
{
    static const char *const texts[] = {
        WHEN("regex: [a, b]") "nonsense: 1\n",
        WHEN("regex: [a, '(']"),
        WHEN("regex: [a, b], regex: [c, d]"),
        BOTH "policies:\n  rules: [{id: a, action: flag, when: {regex: [a]}}]\n"
             "  rules: [{id: b, action: flag, when: {regex: [b]}}]\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct load load_result = load(write_text("refused.dev.yaml", texts[i]));
        EXPECT(load_result.error == ERROR_SETTINGS_INVALID, "%s", texts[i]);
        done(&load_result);
    }
}

TEST(a_key_in_a_rule_is_not_shown)
{
    struct load load_result = load(
        write_text("shown.dev.yaml",
                   WHEN("keywords: [sk-proj-abcdefgh1234], regex: [sk-proj-abcdefgh1234, '(sk-proj-abcdefgh1234']")));
    EXPECT_INTEGER(load_result.error, ERROR_SETTINGS_INVALID);
    EXPECT(!strstr(print(&load_result), "abcdefgh1234"), "%s", print(&load_result));
    done(&load_result);
}
