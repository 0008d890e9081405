/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Messages request asks for (docs.anthropic.com/en/api/messages), by table; and what the table cannot say: input
 * that Anthropic adds by itself, its tools, and which conversation it is. Called through the Anthropic formats.
 */
#include "dialect/anthropic.h"

/* max_tokens 0 is legal: it only writes the prompt cache ("Prompt caching", pre-warming). */
static const struct request_member members[] = {
    {"model", ROLE_MODEL, MEMBER_STRING, true, "model: Field required", "model: Input should be a valid string"},
    {"messages", ROLE_MESSAGES, MEMBER_ARRAY, true, "messages: Field required",
     "messages: Input should be a valid list"},
    {"max_tokens", ROLE_OUTPUT_MAX, MEMBER_ANY, true, "max_tokens: Field required",
     "max_tokens: Input should be a valid integer greater than or equal to 0"},
    {"stream", ROLE_STREAM, MEMBER_BOOLEAN, false, NULL, "stream: Input should be a valid boolean"},
    {"tools", ROLE_TOOLS, MEMBER_ARRAY, false, NULL, "tools: Input should be a valid list"},
    {"thinking.budget_tokens", ROLE_THINKING, MEMBER_COUNT, false, NULL,
     "thinking.budget_tokens: Input should be a valid integer greater than or equal to 1024"},
    {"inference_geo", ROLE_NONE, MEMBER_ANY, false, NULL, NULL},
    {"system", ROLE_NONE, MEMBER_TEXT, false, NULL, "system: Input should be a valid string or list"},
};
const struct request_format anthropic_messages_request = {members, sizeof members / sizeof *members, "max_tokens",
                                                          "max_tokens: given twice"};

/* ---- input that is added ---- */

/* What tools bring along: a system prompt, and the definitions of those that Anthropic defines (docs.anthropic.com,
 * "Tool use", the dearest model of each). A name that looks like one of them only makes the bound wider. */
enum { TOOLS_TOKENS = 530 };
static const struct {
    unsigned mark;
    uint64_t tokens;
} tool_rows[] = {{MARK_BASH, 245}, {MARK_EDITOR, 700}, {MARK_COMPUTER, 735 + 499}};

/* A compaction reads the conversation once more ("Compaction", usage.iterations). */
static uint64_t count_added_tokens(const struct reading *reading, bool has_tools)
{
    uint64_t tokens = reading->marks & MARK_COMPACT ? reading->request->body.length : 0;
    if (!has_tools)
        return tokens;
    for (size_t i = 0; i < sizeof tool_rows / sizeof *tool_rows; i++)
        if (reading->marks & tool_rows[i].mark)
            tokens += tool_rows[i].tokens;
    return tokens + TOOLS_TOKENS;
}

/* ---- tools that Anthropic runs ---- */

/* Only searches are billed by the piece ("Web search tool"); fetches are tokens, and code runs by the hour, of which
 * answers do not speak. Without max_uses nothing limits searches but the server's loop ("Handling stop reasons",
 * pause_turn), whose rounds may search more than once: the number here is our choice, not Anthropic's; what exceeds it
 * is posted and alarmed as every beaten bound. */
enum { SEARCHES_MAX = 20 };

static void add_calls(struct request_facts *facts, uint64_t calls)
{
    if (__builtin_add_overflow(facts->units.tool_calls, calls, &facts->units.tool_calls))
        facts->units.tool_calls = UINT64_MAX; /* no price pays for that: it is refused */
}

/* An advisor may be another model, which no policy looks at and whose price no hold knows: it is the one that the
 * request is for, and goes where that goes (edit.c). */
static enum error read_advisor(struct reading *reading, struct slice tool, const struct json_value *model,
                               struct request_facts *facts)
{
    if (model->kind <= JSON_KIND_NULL)
        return ERROR_OK;
    reading->problem = "tools: an advisor of another model than the request's, which no policy looks at and no price "
                       "is held for: name the same one, once";
    if (!json_string_is(model, facts->model) || facts->adviser_value.length)
        return ERROR_BODY_INCOMPLETE;
    facts->adviser_value.offset = (size_t)(tool.data - reading->request->body.data) + model->offset;
    facts->adviser_value.length = model->raw.length;
    return ERROR_OK;
}

static enum error read_tool(struct reading *reading, struct slice tool, struct request_facts *facts)
{
    struct json_value type, uses, model;
    const struct json_query queries[] = {{"type", &type}, {"max_uses", &uses}, {"model", &model}};
    char name[64];
    uint64_t calls = SEARCHES_MAX;
    if (json_scan(tool, reading->request->depth_max, queries, 3, NULL) || !json_get_string(&type, name, sizeof name))
        return ERROR_OK;
    static const char *const at_provider[] = {"web_search", "web_fetch", "code_execution", "mcp_toolset", "advisor"};
    for (size_t i = 0; i < sizeof at_provider / sizeof *at_provider; i++)
        facts->runs_tools |= strncmp(name, at_provider[i], strlen(at_provider[i])) == 0;
    if (strncmp(name, "advisor", strlen("advisor")) == 0)
        return read_advisor(reading, tool, &model, facts);
    if (strncmp(name, "web_search", strlen("web_search")) != 0)
        return ERROR_OK;
    (void)dialect_take_tokens(&uses, &calls);
    add_calls(facts, calls);
    return ERROR_OK;
}

/* ---- the conversation ---- */

/* Cache marks move from turn to turn and texts come with and without blocks: what counts are the strings. Claude Code
 * begins its instructions with a line of its own that is another in every request. */
static bool add_string(void *context, const struct json_value *value, struct slice name)
{
    static const char *const passing[] = {"type", "ttl", "role"};
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        if (slice_is(name, passing[i]))
            return true;
    if (!slice_has_prefix(value->raw, "\"x-anthropic-billing-header"))
        dialect_hash(context, value->raw);
    return true;
}

/* Instructions and the messages up to the first of the user. */
static uint64_t hash_conversation(const struct json_value *system, struct slice messages)
{
    struct slice message;
    uint64_t hash = 0;
    size_t at = 0;
    if (system)
        json_walk_strings(system->raw, add_string, &hash);
    while (dialect_next_object(messages, &at, &message)) {
        json_walk_strings(message, add_string, &hash);
        if (dialect_message_is_of(message, "user"))
            return hash ? hash : 1;
    }
    return 0;
}

enum error anthropic_read_messages(struct reading *reading, struct request_facts *facts)
{
    const struct json_value *tools = dialect_find_value(reading, "tools");
    struct slice tool;
    size_t at = 0;
    facts->added_tokens = count_added_tokens(reading, facts->has_tools);
    enum error error = ERROR_OK;
    while (!error && tools && dialect_next_object(tools->raw, &at, &tool))
        error = read_tool(reading, tool, facts);
    if (error)
        return error;
    const struct json_value *place = dialect_find_value(reading, "inference_geo");
    facts->is_regional = place && place->kind > JSON_KIND_NULL && !json_string_is(place, "global");
    facts->conversation =
        hash_conversation(dialect_find_value(reading, "system"), dialect_find_value(reading, "messages")->raw);
    return ERROR_OK;
}
