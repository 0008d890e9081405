/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Responses API (platform.openai.com/docs/api-reference/responses): created, streamed, retrieved or cancelled.
 * Usage is in the response object, which a document is and the first and last events of a stream hold; the deltas
 * between are only glanced at. A background response is a job: pending until its status says that it has ended.
 */
#include "dialect/openai.h"

/* ---- requests ---- */

static const struct request_member members[] = {
    OPENAI_MODEL(false),
    {"input", ROLE_MESSAGES, MEMBER_TEXT, false, NULL, "Invalid type for 'input': expected a string or an array."},
    {"instructions", ROLE_NONE, MEMBER_TEXT, false, NULL, "Invalid type for 'instructions': expected a string."},
    OPENAI_STREAM,
    OPENAI_COUNT("max_output_tokens", ROLE_OUTPUT_MAX),
    {"background", ROLE_BACKGROUND, MEMBER_BOOLEAN, false, NULL, "Invalid type for 'background': expected a boolean."},
    {"previous_response_id", ROLE_PREVIOUS_ID, MEMBER_STRING, false, NULL,
     "Invalid type for 'previous_response_id': expected a string."},
    {"conversation", ROLE_OUTSIDE, MEMBER_ANY, false, NULL, NULL},
    {"prompt", ROLE_OUTSIDE, MEMBER_ANY, false, NULL, NULL}, /* a template at the provider */
    {"tools", ROLE_TOOLS, MEMBER_ARRAY, false, NULL, "Invalid type for 'tools': expected an array of objects."},
    OPENAI_COUNT("max_tool_calls", ROLE_NONE),
};
static const struct request_format request = {members, sizeof members / sizeof *members, "max_output_tokens",
                                              "'max_output_tokens' is given twice."};

/* Tools that run at the provider ("Built-in tools"): what they find becomes input, some are billed by the call. */
static const struct {
    const char *type; /* its beginning: web_search_preview_2025_03_11 … */
    bool is_billed, draws;
} tool_rows[] = {
    {"\"web_search", true, false},       {"\"file_search", true, false}, {"\"code_interpreter", true, false},
    {"\"image_generation", false, true}, {"\"mcp", false, false},        {"\"shell", true, false},
    {"\"computer_use", false, false},
};

static void read_tool(struct slice tool, struct request_facts *facts, bool *is_billed, bool *draws)
{
    struct json_value type;
    const struct json_query query = {"type", &type};
    if (json_scan(tool, 1024, &query, 1, NULL))
        return;
    for (size_t i = 0; i < sizeof tool_rows / sizeof *tool_rows; i++) {
        if (!slice_has_prefix(type.raw, tool_rows[i].type))
            continue;
        facts->refers_outside = facts->runs_tools = true;
        *is_billed |= tool_rows[i].is_billed;
        *draws |= tool_rows[i].draws;
    }
}

/* Images that a tool draws are output beyond the limit; the dearest has 6,240 tokens ("Image generation", cost). */
enum { IMAGE_CALLS_MAX = 4, IMAGE_TOKENS = 6240 };

static void read_tools(const struct reading *reading, struct request_facts *facts)
{
    const struct json_value *tools = dialect_find_value(reading, "tools");
    const struct json_value *most = dialect_find_value(reading, "max_tool_calls");
    int64_t calls = OPENAI_TOOL_CALLS_MAX, images = IMAGE_CALLS_MAX;
    bool is_billed = false, draws = false;
    struct slice tool;
    for (size_t at = 0; tools && dialect_next_object(tools->raw, &at, &tool);)
        read_tool(tool, facts, &is_billed, &draws);
    if (most && json_get_integer(most, &calls) && calls < images)
        images = calls;
    if (is_billed)
        facts->units.tool_calls = (uint64_t)calls;
    if (draws)
        facts->prediction_bytes = (size_t)images * IMAGE_TOKENS;
}

static void read_conversation(const struct reading *reading, struct request_facts *facts)
{
    const struct json_value *named = dialect_find_value(reading, "conversation"),
                            *input = dialect_find_value(reading, "input"),
                            *instructions = dialect_find_value(reading, "instructions");
    struct slice nothing = {NULL, 0};
    if (named)
        dialect_hash(&facts->conversation, named->raw);
    else if (input)
        facts->conversation = dialect_hash_conversation(instructions ? instructions->raw : nothing, input->raw);
    facts->is_continued |= facts->previous_id[0] || named;
}

static enum error read_request(struct reading *reading, struct request_facts *facts)
{
    if (!facts->model[0] && !dialect_find_value(reading, "prompt")) {
        reading->problem = "you must provide a model parameter";
        return ERROR_BODY_INCOMPLETE;
    }
    read_tools(reading, facts);
    read_conversation(reading, facts);
    return ERROR_OK;
}

/* ---- answers ---- */

struct response {
    struct json_value id, status, reason, background, usage, model, service_tier, error, output, searches, type,
        drawn_in, drawn_out;
};

/* The members of a response object, alone or inside an event. */
#define QUERIES(prefix, to)                                                                                            \
    {prefix "id", &(to)->id}, {prefix "status", &(to)->status}, {prefix "incomplete_details.reason", &(to)->reason},   \
        {prefix "background", &(to)->background}, {prefix "usage", &(to)->usage}, {prefix "model", &(to)->model},      \
        {prefix "service_tier", &(to)->service_tier}, {prefix "error", &(to)->error},                                  \
        {prefix "output", &(to)->output}, {prefix "tool_usage.web_search.num_requests", &(to)->searches},              \
        {prefix "tool_usage.image_gen.input_tokens", &(to)->drawn_in},                                                 \
        {prefix "tool_usage.image_gen.output_tokens", &(to)->drawn_out},                                               \
    {                                                                                                                  \
        "type", &(to)->type                                                                                            \
    }

/* Opening and reading a page that was found are calls, too, but not billed ("Web search", output and citations). */
static bool is_billed_call(struct slice item)
{
    struct json_value type, action;
    const struct json_query queries[] = {{"type", &type}, {"action.type", &action}};
    if (json_scan(item, 128, queries, 2, NULL))
        return false;
    if (json_string_is(&type, "web_search_call"))
        return action.kind == JSON_KIND_ABSENT || json_string_is(&action, "search");
    return json_string_is(&type, "file_search_call") || json_string_is(&type, "code_interpreter_call") ||
           json_string_is(&type, "shell_call");
}

static uint64_t count_calls(const struct response *response)
{
    uint64_t count = 0;
    struct slice items = response->output.raw, item;
    if (response->output.kind != JSON_KIND_ARRAY || !memmem(items.data, items.length, "_call\"", 6))
        return 0;
    for (size_t at = 0; dialect_next_object(items, &at, &item);)
        count += is_billed_call(item);
    return count;
}

static void take_usage(struct meter *meter, const struct response *response)
{
    uint64_t searches = 0, drawn = 0;
    if (response->usage.kind != JSON_KIND_OBJECT || !openai_read_usage(meter, response->usage.raw))
        return;
    meter->usage.tool_calls = count_calls(response);
    if (dialect_take_tokens(&response->searches, &searches) && searches > meter->usage.tool_calls)
        meter->usage.tool_calls = searches;
    if (dialect_take_tokens(&response->drawn_in, &drawn))
        meter->usage.input_image += drawn;
    if (dialect_take_tokens(&response->drawn_out, &drawn))
        meter->usage.output_image += drawn;
}

static bool is_one_of(const struct json_value *value, const char *const *words)
{
    for (; *words; words++)
        if (json_string_is(value, *words))
            return true;
    return false;
}

/* A response that was not asked for in the background is no job, unless it is looked up later. */
static bool take_status(struct meter *meter, const struct response *response)
{
    static const char *const pending[] = {"queued", "in_progress", NULL};
    static const char *const ended[] = {"completed", "incomplete", "failed", "cancelled", NULL};
    bool has_ended = is_one_of(&response->status, ended);
    bool is_job = meter->endpoint->kind == ENDPOINT_JOB || response->background.kind == JSON_KIND_TRUE ||
                  meter->job == JOB_PENDING;
    if (is_one_of(&response->status, pending) && (is_job || !meter->is_event_stream))
        meter->job = JOB_PENDING;
    if (has_ended && is_job)
        meter->job = JOB_DONE;
    meter->saw_error |= json_string_is(&response->status, "cancelled");
    return has_ended;
}

/* `type`: of the event that says so. A stream is believed where both say the same. */
static const struct {
    const char *status, *reason, *type;
} ends[] = {
    {"completed", NULL, "response.completed"},
    {"incomplete", "max_output_tokens", "response.incomplete"},
};

static bool is_good_end(const struct meter *meter, const struct response *response)
{
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (json_string_is(&response->status, ends[i].status) &&
            (!ends[i].reason || json_string_is(&response->reason, ends[i].reason)))
            return !meter->is_event_stream || json_string_is(&response->type, ends[i].type);
    return false;
}

static void take_end(struct meter *meter, const struct response *response, bool has_ended)
{
    meter->is_refused |= dialect_is_said(&response->error);
    if (!has_ended)
        return;
    meter->is_closed = true;
    if (is_good_end(meter, response))
        dialect_take_whole(meter);
    else
        meter->is_refused = true;
}

/* Returns whether the response has ended. */
static bool take_response(struct meter *meter, const struct response *response)
{
    dialect_take_text(&response->id, meter->answer_id, sizeof meter->answer_id);
    dialect_take_text(&response->model, meter->served_model, sizeof meter->served_model);
    dialect_take_text(&response->service_tier, meter->service_tier, sizeof meter->service_tier);
    meter->saw_error |= response->error.kind == JSON_KIND_OBJECT;
    take_usage(meter, response);
    bool has_ended = take_status(meter, response);
    take_end(meter, response, has_ended);
    return has_ended;
}

static const char *const delta_members[] = {"delta", NULL};
static const char *const text_members[] = {"text", "arguments", "refusal", "input", NULL};

/* {"type":"error","code":…,"message":…}: no member "error"; short, and no text holds an unescaped quote. */
static bool may_be_error(struct slice data)
{
    return data.length < 4096 && data.length && memmem(data.data, data.length, "\"error\"", 7);
}

static void read_event(struct meter *meter, struct slice raw, struct event_cut *ret_cut)
{
    struct glance glance;
    struct slice name, data;
    struct response response;
    struct json_value error;
    const struct json_query queries[] = {QUERIES("response.", &response), {"error", &error}};
    (void)ret_cut; /* nothing is ever hidden */
    dialect_glance_event(meter, raw, delta_members, &name, &data, &glance);
    meter->is_refused |= glance.has_refusal;
    if (!glance.has_usage && !glance.has_error && !may_be_error(data))
        return;
    if (json_scan(data, 128, queries, sizeof queries / sizeof *queries, NULL)) {
        openai_search_usage(meter, data);
        return;
    }
    meter->saw_error |= json_string_is(&response.type, "error") || error.kind == JSON_KIND_OBJECT;
    meter->is_refused |= json_string_is(&response.type, "error") || dialect_is_said(&error);
    meter->saw_terminal |= take_response(meter, &response);
}

static void read_document(struct meter *meter, struct slice document)
{
    struct glance glance;
    struct response response;
    const struct json_query queries[] = {QUERIES("", &response)};
    dialect_glance(document, text_members, "usage", &glance);
    meter->output_text_bytes += glance.text_bytes;
    meter->is_refused |= glance.has_refusal;
    if (json_scan(document, 128, queries, sizeof queries / sizeof *queries, NULL)) {
        openai_search_usage(meter, document);
        return;
    }
    meter->saw_terminal = true;
    take_response(meter, &response);
}

const struct format openai_responses_format = {
    .request = &request,
    .read = read_request,
    .read_event = read_event,
    .read_document = read_document,
};
/* Retrieved, or cancelled: the answer is the same object; the request says nothing. */
const struct format openai_job_format = {
    .read_event = read_event,
    .read_document = read_document,
};
