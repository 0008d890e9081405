/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a generateContent request asks for (ai.google.dev/api/generate-content). Its model is in the path; members come
 * in camelCase and in snake_case, both of which protobuf's JSON mapping accepts. Called through the Gemini formats.
 */
#include "dialect/gemini.h"

#include <stdio.h>

/* ---- members ---- */

static const struct request_member generate_members[] = {
    {"contents", ROLE_MESSAGES, MEMBER_ANY, true, "* GenerateContentRequest.contents: contents is not specified", NULL},
    {"model", ROLE_MODEL, MEMBER_STRING, false, NULL, "Invalid value at 'model' (TYPE_STRING)"},
    {"generationConfig", ROLE_PARENT, MEMBER_OBJECT, false, NULL,
     "Invalid value at 'generation_config' (type.googleapis.com/google.ai.generativelanguage.v1beta.GenerationConfig)"},
    {"generation_config", ROLE_PARENT, MEMBER_OBJECT, false, NULL,
     "Invalid value at 'generation_config' (type.googleapis.com/google.ai.generativelanguage.v1beta.GenerationConfig)"},
    {"tools", ROLE_TOOLS, MEMBER_ANY, false, NULL, "Invalid value at 'tools'"},
    {"systemInstruction", ROLE_NONE, MEMBER_ANY, false, NULL, NULL},
    {"system_instruction", ROLE_NONE, MEMBER_ANY, false, NULL, NULL},
    {"cachedContent", ROLE_OUTSIDE, MEMBER_ANY, false, NULL, NULL},
    {"cached_content", ROLE_OUTSIDE, MEMBER_ANY, false, NULL, NULL},
    {"serviceTier", ROLE_NONE, MEMBER_ANY, false, NULL, NULL},
    {"service_tier", ROLE_NONE, MEMBER_ANY, false, NULL, NULL},
};
const struct request_format gemini_generate_request = {
    generate_members, sizeof generate_members / sizeof *generate_members, "generationConfig.maxOutputTokens", NULL};

static enum error refuse(struct reading *reading, const char *problem)
{
    reading->problem = problem;
    return ERROR_BODY_INCOMPLETE;
}

void gemini_take_tier(const struct json_value *value, char *tier, size_t bytes_max)
{
    static const char prefix[] = "service_tier_";
    char text[64];
    if (!json_get_string(value, text, sizeof text) || strlen(text) >= bytes_max)
        return;
    for (char *at = text; *at; at++)
        *at |= *at >= 'A' && *at <= 'Z' ? 0x20 : 0;
    const char *word = strncmp(text, prefix, sizeof prefix - 1) == 0 ? text + sizeof prefix - 1 : text;
    if (strcmp(word, "unspecified") != 0)
        memcpy(tier, word, strlen(word) + 1);
}

/* Of a member's two spellings the one that was given; NULL: none. False: both. */
static bool find_either(const struct reading *reading, const char *camel, const char *snake,
                        const struct json_value **ret_value)
{
    const struct json_value *first = dialect_find_value(reading, camel), *second = dialect_find_value(reading, snake);
    *ret_value = first ? first : second;
    return !first || !second;
}

/* ---- generationConfig ---- */

/* A member of it in all its spellings; integers may be strings in protobuf's JSON mapping. */
struct number {
    const char *spellings[4]; /* ended by NULL, unless there are four */
    int64_t least;
    const char *problem;
};
enum { NUMBER_OUTPUT_MAX, NUMBER_CHOICES, NUMBER_THINKING, NUMBER_COUNT };
static const struct number numbers[NUMBER_COUNT] = {
    [NUMBER_OUTPUT_MAX] = {{"maxOutputTokens", "max_output_tokens"},
                           1,
                           "Invalid value at 'generation_config.max_output_tokens' (TYPE_INT32): expected one integer "
                           "greater than 0"},
    [NUMBER_CHOICES] = {{"candidateCount", "candidate_count"},
                        1,
                        "Invalid value at 'generation_config.candidate_count' (TYPE_INT32): expected one integer "
                        "greater than 0"},
    /* -1: as much as the model likes */
    [NUMBER_THINKING] = {{"thinkingConfig.thinkingBudget", "thinkingConfig.thinking_budget",
                          "thinking_config.thinkingBudget", "thinking_config.thinking_budget"},
                         -1,
                         "Invalid value at 'generation_config.thinking_config.thinking_budget' (TYPE_INT32): expected "
                         "one integer"},
};
enum { SPELLINGS_MAX = 4 };

static bool read_integer(const struct json_value *value, int64_t *ret_integer)
{
    char text[24];
    struct json_value number = *value;
    if (value->kind == JSON_KIND_STRING && json_get_string(value, text, sizeof text)) {
        number.kind = JSON_KIND_NUMBER;
        number.raw = slice_of(text);
    }
    if (slice_is(number.raw, "-1")) { /* the one negative that means something */
        *ret_integer = -1;
        return true;
    }
    for (size_t i = 0; i < number.raw.length; i++)
        if (number.raw.data[i] < '0' || number.raw.data[i] > '9')
            return false;
    return number.raw.length > 0 && json_get_integer(&number, ret_integer);
}

/* False: given twice, or no such number. Null has a place, and counts as not given. */
static bool take_number(const struct number *number, const struct json_value *values, int64_t *value,
                        struct json_place *ret_place)
{
    const struct json_value *given = NULL;
    for (size_t i = 0; i < SPELLINGS_MAX; i++) {
        if (values[i].kind == JSON_KIND_ABSENT)
            continue;
        if (!given || given->kind == JSON_KIND_NULL)
            given = &values[i];
        else if (values[i].kind != JSON_KIND_NULL)
            return false;
    }
    if (!given)
        return true;
    *ret_place = (struct json_place){given->offset, given->raw.length};
    return given->kind == JSON_KIND_NULL || (read_integer(given, value) && *value >= number->least);
}

static enum error read_config(struct reading *reading, const struct json_value *config, struct request_facts *facts)
{
    struct json_value values[NUMBER_COUNT][SPELLINGS_MAX] = {{{0}}};
    struct json_query queries[NUMBER_COUNT * SPELLINGS_MAX];
    struct json_place places[NUMBER_COUNT] = {{0}};
    int64_t taken[NUMBER_COUNT] = {[NUMBER_OUTPUT_MAX] = -1, [NUMBER_CHOICES] = 1};
    size_t count = 0;
    for (size_t i = 0; i < NUMBER_COUNT; i++)
        for (size_t j = 0; j < SPELLINGS_MAX && numbers[i].spellings[j]; j++)
            queries[count++] = (struct json_query){numbers[i].spellings[j], &values[i][j]};
    if (json_scan(config->raw, reading->request->depth_max, queries, count, NULL))
        return refuse(reading, "Invalid value at 'generation_config'");
    for (size_t i = 0; i < NUMBER_COUNT; i++)
        if (!take_number(&numbers[i], values[i], &taken[i], &places[i]))
            return refuse(reading, numbers[i].problem);
    facts->output_tokens_max = taken[NUMBER_OUTPUT_MAX];
    facts->choices = taken[NUMBER_CHOICES];
    facts->thinking_tokens = taken[NUMBER_THINKING] > 0 ? taken[NUMBER_THINKING] : 0;
    facts->parent_value = (struct json_place){config->offset, config->raw.length};
    facts->output_max_value = places[NUMBER_OUTPUT_MAX];
    if (facts->output_max_value.length)
        facts->output_max_value.offset += config->offset;
    return ERROR_OK;
}

/* ---- tools ---- */

/* Tools that Google runs bring input that is not in the body. Searches are billed by the piece, and no member limits
 * them ("Grounding with Google Search"): the number here is our choice; what exceeds it is posted and alarmed as every
 * beaten bound. Pages read by urlContext and runs of code are billed as tokens alone. */
enum { SEARCHES_MAX = 20 };
static const struct tool_row {
    const char *camel, *snake;
    uint64_t calls;
} tool_rows[] = {
    {"googleSearch", "google_search", SEARCHES_MAX},
    {"googleSearchRetrieval", "google_search_retrieval", SEARCHES_MAX},
    {"googleMaps", "google_maps", 1},
    {"urlContext", "url_context", 0},
    {"codeExecution", "code_execution", 0},
    {"fileSearch", "file_search", 0},
    {"computerUse", "computer_use", 0},
    {"mcpServers", "mcp_servers", 0},
};
enum { TOOL_ROWS = sizeof tool_rows / sizeof *tool_rows };

static void read_tool(struct reading *reading, struct slice tool, struct request_facts *facts)
{
    struct json_value values[TOOL_ROWS][2];
    struct json_query queries[2 * TOOL_ROWS];
    for (size_t i = 0; i < TOOL_ROWS; i++) {
        queries[2 * i] = (struct json_query){tool_rows[i].camel, &values[i][0]};
        queries[2 * i + 1] = (struct json_query){tool_rows[i].snake, &values[i][1]};
    }
    if (json_scan(tool, reading->request->depth_max, queries, 2 * TOOL_ROWS, NULL))
        return;
    for (size_t i = 0; i < TOOL_ROWS; i++) {
        if (values[i][0].kind <= JSON_KIND_NULL && values[i][1].kind <= JSON_KIND_NULL)
            continue;
        facts->refers_outside = facts->runs_tools = true;
        if (facts->units.tool_calls < tool_rows[i].calls)
            facts->units.tool_calls = tool_rows[i].calls;
    }
}

static void read_tools(struct reading *reading, struct request_facts *facts)
{
    const struct json_value *tools = dialect_find_value(reading, "tools");
    struct json_value tool;
    size_t at = 0;
    if (tools && tools->kind == JSON_KIND_OBJECT) /* one that is not in an array is accepted, too */
        read_tool(reading, tools->raw, facts);
    while (tools && json_next_element(tools->raw, &at, &tool))
        if (tool.kind == JSON_KIND_OBJECT)
            read_tool(reading, tool.raw, facts);
}

/* ---- contents ---- */

/* MARK_OUTSIDE is wider than needed here: an agent's functions have parameters like "file_path" and "url" in
 * every request. */
static bool refers_outside(const struct reading *reading)
{
    return dialect_find_value(reading, "cachedContent") || dialect_find_value(reading, "cached_content") ||
           (reading->marks & (MARK_GEMINI_DATA | MARK_ESCAPED));
}

/* Strings, whatever members they stand in: clients write one turn in several shapes. */
static bool add_string(void *context, const struct json_value *value, struct slice name)
{
    if (!slice_is(name, "role"))
        dialect_hash(context, value->raw);
    return true;
}

/* Instructions and first content are the same in every turn. */
static uint64_t hash_conversation(const struct json_value *system, const struct json_value *contents)
{
    uint64_t hash = 0;
    struct json_value first = *contents;
    size_t at = 0;
    if (contents->kind == JSON_KIND_ARRAY && !json_next_element(contents->raw, &at, &first))
        return 0;
    if (system)
        json_walk_strings(system->raw, add_string, &hash);
    json_walk_strings(first.raw, add_string, &hash);
    return hash ? hash : 1;
}

enum error gemini_read_generate(struct reading *reading, struct request_facts *facts)
{
    const struct json_value *contents = dialect_find_value(reading, "contents"), *config, *system, *tier;
    char model[sizeof facts->model];
    if (!gemini_read_model(reading->request->path, model, sizeof model))
        return refuse(reading, "* GenerateContentRequest.model: unexpected model name format");
    if (facts->model[0] && !gemini_model_is(model, facts->model))
        return refuse(reading, "* GenerateContentRequest.model: another one than in the path");
    memcpy(facts->model, model, sizeof model);
    if (contents->kind != JSON_KIND_ARRAY && contents->kind != JSON_KIND_OBJECT)
        return refuse(reading, "Invalid value at 'contents'");
    if (!find_either(reading, "generationConfig", "generation_config", &config) ||
        !find_either(reading, "systemInstruction", "system_instruction", &system) ||
        !find_either(reading, "serviceTier", "service_tier", &tier))
        return refuse(reading,
                      "Invalid JSON payload received. A field was given twice, in camelCase and in snake_case.");
    enum error error = config ? read_config(reading, config, facts) : ERROR_OK;
    snprintf(facts->service_tier, sizeof facts->service_tier,
             "standard"); /* what no word means ("Priority inference") */
    if (tier)
        gemini_take_tier(tier, facts->service_tier, sizeof facts->service_tier);
    facts->refers_outside = refers_outside(reading);
    read_tools(reading, facts);
    facts->is_continued |= (reading->marks & MARK_GEMINI_TURN) != 0;
    facts->conversation = hash_conversation(system, contents);
    return error;
}

enum error gemini_read_stream(struct reading *reading, struct request_facts *facts)
{
    facts->is_streaming = true;
    return gemini_read_generate(reading, facts);
}
