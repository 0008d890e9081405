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
    {"web_search", true, false},        {"file_search", true, false},    {"code_interpreter", true, false},
    {"image_generation", false, true},  {"mcp", false, false},           {"shell", true, false},
    {"computer_use", false, false},     {"x_search", true, false},       {"collections_search", true, false},
    {"attachment_search", true, false}, {"code_execution", true, false}, /* the last four: xAI, "Pricing" of tools */
};

/* "Image generation" (tool): what draws when the tool does not say it. */
static const char drawing_model_default[] = "gpt-image-1";

/* What it is given for a picture: a prompt of at most 32,000 characters, the images of the conversation, and those that
 * were drawn before it (openai_images.c). Only gpt-image-1 and -mini look at images cursorily. */
enum {
    DRAWN_PROMPT_TOKENS = 8192,
    SEEN_TOKENS = 640,
    SEEN_CLOSELY_TOKENS = 8192,
    IMAGES_MAX = 17,
    IMAGE_CALLS_MAX = 4
};

static bool is_given(const struct json_value *value)
{
    return value->kind > JSON_KIND_NULL;
}

/* Two of these tools would be two models. */
static void read_drawing(struct slice tool, struct openai_tools *tools)
{
    struct json_value model, size, quality, fidelity;
    const struct json_query queries[] = {
        {"model", &model}, {"size", &size}, {"quality", &quality}, {"input_fidelity", &fidelity}};
    struct drawing_facts *drawing = &tools->drawing;
    char size_text[32] = "auto", quality_text[32] = "auto";
    bool is_second = drawing->model[0] != '\0';
    snprintf(drawing->model, sizeof drawing->model, "%s", drawing_model_default);
    bool is_read = json_scan(tool, 1024, queries, sizeof queries / sizeof *queries, NULL) == ERROR_OK;
    if (is_second || !is_read ||
        (is_given(&model) && (!json_get_string(&model, drawing->model, sizeof drawing->model) || !drawing->model[0])))
        tools->problem =
            "tools: one image_generation with one model, which the policy looks at and a price is held for";
    if (is_given(&size) && !json_get_string(&size, size_text, sizeof size_text))
        size_text[0] = '\0';
    if (is_given(&quality) && !json_get_string(&quality, quality_text, sizeof quality_text))
        quality_text[0] = '\0';
    drawing->tokens_each = openai_bound_image_tokens(size_text, quality_text);
    bool is_cursory = !json_string_is(&fidelity, "high") &&
                      (strcmp(drawing->model, "gpt-image-1") == 0 || strcmp(drawing->model, "gpt-image-1-mini") == 0);
    drawing->input_tokens = is_cursory ? SEEN_TOKENS : SEEN_CLOSELY_TOKENS; /* of each image that it sees */
}

static void bound_drawing(struct drawing_facts *drawing, uint64_t pictures)
{
    const uint64_t seen = drawing->input_tokens, earlier = pictures * (pictures - 1) / 2;
    if (!drawing->model[0])
        return;
    drawing->pictures = pictures;
    drawing->input_tokens = pictures * (DRAWN_PROMPT_TOKENS + IMAGES_MAX * seen) + earlier * seen;
}

static void read_tool(struct slice tool, struct openai_tools *tools)
{
    struct json_value type;
    const struct json_query query = {"type", &type};
    char name[64];
    if (json_scan(tool, 1024, &query, 1, NULL) || !json_get_string(&type, name, sizeof name))
        return;
    for (size_t i = 0; i < sizeof tool_rows / sizeof *tool_rows; i++) {
        if (strncmp(name, tool_rows[i].type, strlen(tool_rows[i].type)) != 0)
            continue;
        tools->run_there = true;
        tools->calls |= tool_rows[i].is_billed;
        if (tool_rows[i].draws)
            read_drawing(tool, tools);
    }
}

struct openai_tools openai_read_tools(const struct json_value *list, const struct json_value *calls_max)
{
    struct openai_tools tools = {0};
    int64_t calls = OPENAI_TOOL_CALLS_MAX, images = IMAGE_CALLS_MAX;
    struct slice tool;
    for (size_t at = 0; list && dialect_next_object(list->raw, &at, &tool);)
        read_tool(tool, &tools);
    if (calls_max && json_get_integer(calls_max, &calls) && calls < images)
        images = calls;
    tools.calls *= (uint64_t)calls;
    bound_drawing(&tools.drawing, (uint64_t)images);
    return tools;
}

static enum error read_tools(struct reading *reading, struct request_facts *facts)
{
    const struct openai_tools tools =
        openai_read_tools(dialect_find_value(reading, "tools"), dialect_find_value(reading, "max_tool_calls"));
    facts->refers_outside |= tools.run_there;
    facts->runs_tools |= tools.run_there;
    facts->units.tool_calls = tools.calls;
    facts->drawing = tools.drawing;
    reading->problem = tools.problem ? tools.problem : reading->problem;
    return tools.problem ? ERROR_BODY_INCOMPLETE : ERROR_OK;
}

/* An item without type and role is a reference to one that the provider keeps ("Create a model response", item
 * reference: its type is optional). What says at once that it is something else is not read once more. */
bool openai_refers_to_items(const struct json_value *input)
{
    enum { BEGINNING = 128 };
    struct slice item;
    for (size_t at = 0; input && input->kind == JSON_KIND_ARRAY && dialect_next_object(input->raw, &at, &item);) {
        struct json_value type, role;
        const struct json_query queries[] = {{"type", &type}, {"role", &role}};
        const size_t length = item.length < BEGINNING ? item.length : BEGINNING;
        if (memmem(item.data, length, "\"role\"", 6) || memmem(item.data, length, "\"type\":\"", 8))
            continue;
        if (json_scan(item, 1024, queries, 2, NULL) == ERROR_OK && type.kind <= JSON_KIND_NULL &&
            role.kind <= JSON_KIND_NULL)
            return true;
    }
    return false;
}

static void read_conversation(const struct reading *reading, struct request_facts *facts)
{
    const struct json_value *named = dialect_find_value(reading, "conversation"),
                            *input = dialect_find_value(reading, "input"),
                            *instructions = dialect_find_value(reading, "instructions");
    struct slice nothing = {NULL, 0};
    facts->refers_outside |= openai_refers_to_items(input);
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
    enum error error = read_tools(reading, facts);
    if (!error)
        read_conversation(reading, facts);
    return error;
}

/* ---- answers ---- */

struct response {
    struct json_value id, status, reason, background, usage, model, service_tier, error, output, searches, type, tools,
        drawn_in, drawn_out;
};

/* The members of a response object, alone or inside an event. */
#define QUERIES(prefix, to)                                                                                            \
    {prefix "id", &(to)->id}, {prefix "status", &(to)->status}, {prefix "incomplete_details.reason", &(to)->reason},   \
        {prefix "background", &(to)->background}, {prefix "usage", &(to)->usage}, {prefix "model", &(to)->model},      \
        {prefix "service_tier", &(to)->service_tier}, {prefix "error", &(to)->error},                                  \
        {prefix "output", &(to)->output}, {prefix "tool_usage.web_search.num_requests", &(to)->searches},              \
        {prefix "tool_usage.image_gen.input_tokens", &(to)->drawn_in},                                                 \
        {prefix "tool_usage.image_gen.output_tokens", &(to)->drawn_out}, {prefix "tools", &(to)->tools},               \
    {                                                                                                                  \
        "type", &(to)->type                                                                                            \
    }

/* "file_search_call": what a billed tool of the table did. Opening and reading a page that was found are calls, too,
 * but not billed ("Web search", output and citations). */
static bool is_billed_call(struct slice item)
{
    struct json_value type, action;
    const struct json_query queries[] = {{"type", &type}, {"action.type", &action}};
    if (json_scan(item, 128, queries, 2, NULL))
        return false;
    if (json_string_is(&type, "web_search_call"))
        return action.kind == JSON_KIND_ABSENT || json_string_is(&action, "search");
    char name[64];
    if (!json_get_string(&type, name, sizeof name))
        return false;
    for (size_t i = 0; i < sizeof tool_rows / sizeof *tool_rows; i++) {
        size_t length = strlen(tool_rows[i].type);
        if (tool_rows[i].is_billed && !strncmp(name, tool_rows[i].type, length) && !strcmp(name + length, "_call"))
            return true;
    }
    return false;
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

/* The answer repeats the request's tools. */
static void take_drawing(struct meter *meter, const struct response *response)
{
    const struct json_value *list = response->tools.kind == JSON_KIND_ARRAY ? &response->tools : NULL;
    const struct openai_tools tools = openai_read_tools(list, NULL);
    uint64_t input = 0, output = 0;
    dialect_take_tokens(&response->drawn_in, &input);
    dialect_take_tokens(&response->drawn_out, &output);
    if (!input && !output)
        return;
    meter->usage.input_image += input;
    meter->usage.output_image += output;
    snprintf(meter->drawing_model, sizeof meter->drawing_model, "%s",
             tools.drawing.model[0] ? tools.drawing.model : drawing_model_default);
}

/* xAI ("Tool Usage Details"): its output has attempts, under names of its own; billed is what went well. MCP is not.
 * False: another provider's, whose output says it. */
static bool count_used(struct slice usage, uint64_t *ret_count)
{
    static const char *const names[] = {
        "server_side_tool_usage_details.web_search_calls", "server_side_tool_usage_details.x_search_calls",
        "server_side_tool_usage_details.code_interpreter_calls", "server_side_tool_usage_details.file_search_calls",
        "server_side_tool_usage_details.document_search_calls"};
    enum { COUNT = sizeof names / sizeof *names };
    struct json_value values[COUNT];
    struct json_query queries[COUNT];
    uint64_t sum = 0, calls;
    bool is_said = false;
    for (size_t i = 0; i < COUNT; i++)
        queries[i] = (struct json_query){names[i], &values[i]};
    if (json_scan(usage, 128, queries, COUNT, NULL))
        return false;
    for (size_t i = 0; i < COUNT; i++)
        if (dialect_take_tokens(&values[i], &calls)) {
            sum = calls > INT64_MAX - sum ? INT64_MAX : sum + calls;
            is_said = true;
        }
    *ret_count = sum;
    return is_said;
}

static void take_usage(struct meter *meter, const struct response *response)
{
    uint64_t searches = 0;
    if (response->usage.kind != JSON_KIND_OBJECT || !openai_read_usage(meter, response->usage.raw))
        return;
    if (!count_used(response->usage.raw, &meter->usage.tool_calls))
        meter->usage.tool_calls = count_calls(response);
    if (dialect_take_tokens(&response->searches, &searches) && searches > meter->usage.tool_calls)
        meter->usage.tool_calls = searches;
    take_drawing(meter, response);
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
    /* A job that was cancelled did something until then, and its answer mostly does not say what. */
    meter->saw_error |= json_string_is(&response->status, "cancelled") && meter->endpoint->kind != ENDPOINT_JOB;
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

/* Reasoning may be shown in no other way than encrypted, whose bytes are a third more than its text's. */
static const char *const delta_members[] = {"delta", "encrypted_content", NULL};
static const char *const text_members[] = {"text", "arguments", "refusal", "input", "encrypted_content", NULL};

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
    dialect_count_output(meter, &glance);
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
/* Retrieved, or cancelled: the answer is the same object. The request says nothing: what the answer does not say cannot
 * be estimated. */
const struct format openai_job_format = {
    .read_event = read_event,
    .read_document = read_document,
    .estimate = dialect_estimate_nothing,
};
