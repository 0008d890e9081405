/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Anthropic dialect: Messages, metered from `usage` (docs.anthropic.com/en/api/messages). input_tokens is the fresh
 * part only; cache reads and writes stand beside it. In a stream message_start has the input and message_delta is
 * cumulative: each field that comes replaces the one before, never adds.
 */
#include "dialect/internal.h"

/* ---- requests ---- */

static const struct request_member members[] = {
    {"model", ROLE_MODEL, MEMBER_STRING, true, "model: Field required", "model: Input should be a valid string"},
    {"messages", ROLE_MESSAGES, MEMBER_ARRAY, true, "messages: Field required",
     "messages: Input should be a valid list"},
    {"max_tokens", ROLE_OUTPUT_MAX, MEMBER_COUNT, true, "max_tokens: Field required",
     "max_tokens: Input should be a valid integer greater than or equal to 1"},
    {"stream", ROLE_STREAM, MEMBER_BOOLEAN, false, NULL, "stream: Input should be a valid boolean"},
    {"tools", ROLE_TOOLS, MEMBER_ARRAY, false, NULL, "tools: Input should be a valid list"},
    {"thinking.budget_tokens", ROLE_THINKING, MEMBER_COUNT, false, NULL,
     "thinking.budget_tokens: Input should be a valid integer greater than or equal to 1024"},
};
static const struct request_format request_format = {members, sizeof members / sizeof *members, "max_tokens",
                                                     "max_tokens: given twice"};

/* What tools bring along: a system prompt, and the definitions of those that Anthropic defines (docs.anthropic.com,
 * "Tool use", the dearest model of each). A name that looks like one of them only makes the bound wider. */
static const struct {
    const char *mark;
    uint64_t tokens;
} tool_rows[] = {{"\"tools\"", 530}, {"\"bash_", 245}, {"\"text_editor_", 700}, {"\"computer_", 735 + 499}};

static uint64_t count_added_tokens(struct slice body, bool has_tools)
{
    uint64_t tokens = 0;
    for (size_t i = 0; has_tools && i < sizeof tool_rows / sizeof *tool_rows; i++)
        if (memmem(body.data, body.length, tool_rows[i].mark, strlen(tool_rows[i].mark)))
            tokens += tool_rows[i].tokens;
    return tokens;
}

static enum error read_request(struct reading *reading, struct request_facts *facts)
{
    facts->added_tokens = count_added_tokens(reading->request->body, facts->has_tools);
    return ERROR_OK;
}

/* ---- usage ---- */

static const char *const text_members[] = {"text", "thinking", "partial_json", NULL};

/* Writes are cache_creation_input_tokens in all, and perhaps split by how long they live. What a total has
 * beyond the long-lived part known so far is of the ordinary kind (5 minutes). */
static void take_cache_writes(struct usage *usage, const struct json_value *total, const struct json_value *short_lived,
                              const struct json_value *long_lived)
{
    uint64_t all = 0;
    dialect_take_tokens(short_lived, &usage->cache_write);
    dialect_take_tokens(long_lived, &usage->cache_write_1h);
    if (!dialect_take_tokens(total, &all))
        return;
    if (all < usage->cache_write_1h)
        usage->cache_write_1h = all;
    usage->cache_write = all - usage->cache_write_1h;
}

/* The list's fast prices are those of `speed`; Anthropic's priority tier is paid in advance and changes no price. */
static void take_speed(struct meter *meter, const struct json_value *tier, const struct json_value *speed)
{
    if (json_string_is(speed, "fast"))
        dialect_take_text(speed, meter->service_tier, sizeof meter->service_tier);
    else if (strcmp(meter->service_tier, "fast") != 0 && !json_string_is(tier, "priority"))
        dialect_take_text(tier, meter->service_tier, sizeof meter->service_tier);
}

/* `object`: the usage object itself. */
static bool read_usage(struct meter *meter, struct slice object)
{
    struct json_value input, output, read, written, short_lived, long_lived, tier, speed;
    const struct json_query queries[] = {
        {"input_tokens", &input},
        {"output_tokens", &output},
        {"cache_read_input_tokens", &read},
        {"cache_creation_input_tokens", &written},
        {"cache_creation.ephemeral_5m_input_tokens", &short_lived},
        {"cache_creation.ephemeral_1h_input_tokens", &long_lived},
        {"service_tier", &tier},
        {"speed", &speed},
    };
    if (json_scan(object, 16, queries, sizeof queries / sizeof *queries, NULL))
        return false;
    struct usage *usage = &meter->usage;
    bool has_input = dialect_take_tokens(&input, &usage->input),
         has_output = dialect_take_tokens(&output, &usage->output);
    dialect_take_tokens(&read, &usage->cache_read);
    take_cache_writes(usage, &written, &short_lived, &long_lived);
    take_speed(meter, &tier, &speed);
    meter->saw_usage |= has_input || has_output;
    return has_output;
}

static void read_event(struct meter *meter, struct slice raw, struct event_cut *ret_cut)
{
    struct glance glance;
    struct slice name, data;
    struct json_value type, start_usage, delta_usage, model;
    const struct json_query queries[] = {
        {"type", &type}, {"message.usage", &start_usage}, {"usage", &delta_usage}, {"message.model", &model}};
    (void)ret_cut; /* nothing is ever hidden */
    dialect_glance(raw, text_members, "usage", &glance);
    meter->output_text_bytes += glance.text_bytes;
    meter->output_events += glance.text_bytes > 0;
    /* message_stop is short; a text that quotes it is settled by the scan. */
    bool may_be_last = raw.length < 256 && memmem(raw.data, raw.length, "message_stop", 12);
    if (!glance.has_usage && !glance.has_error && !may_be_last)
        return;
    dialect_parse_event(meter, raw, &name, &data);
    if (json_scan(data, 128, queries, sizeof queries / sizeof *queries, NULL)) {
        struct slice usage = dialect_search_usage(data, "usage");
        if (usage.length && read_usage(meter, usage) && slice_is(name, "message_delta"))
            meter->saw_output_usage = true;
        return;
    }
    meter->saw_terminal |= json_string_is(&type, "message_stop");
    meter->saw_error |= json_string_is(&type, "error");
    if (json_string_is(&type, "message_start")) {
        dialect_take_text(&model, meter->served_model, sizeof meter->served_model);
        if (start_usage.kind == JSON_KIND_OBJECT)
            read_usage(meter, start_usage.raw);
    }
    if (json_string_is(&type, "message_delta") && delta_usage.kind == JSON_KIND_OBJECT &&
        read_usage(meter, delta_usage.raw))
        meter->saw_output_usage = true;
}

static void read_document(struct meter *meter, struct slice document)
{
    struct glance glance;
    struct json_value usage, type, model;
    const struct json_query queries[] = {{"usage", &usage}, {"type", &type}, {"model", &model}};
    dialect_glance(document, text_members, "usage", &glance);
    meter->output_text_bytes += glance.text_bytes;
    if (json_scan(document, 128, queries, sizeof queries / sizeof *queries, NULL)) {
        struct slice found = dialect_search_usage(document, "usage");
        meter->saw_output_usage = found.length && read_usage(meter, found);
        return;
    }
    meter->saw_terminal = true;
    meter->saw_error |= json_string_is(&type, "error");
    dialect_take_text(&model, meter->served_model, sizeof meter->served_model);
    if (usage.kind == JSON_KIND_OBJECT)
        meter->saw_output_usage = read_usage(meter, usage.raw);
}

/* ---- endpoints ---- */

static const struct format messages_format = {
    .request = &request_format,
    .read = read_request,
    .read_event = read_event,
    .read_document = read_document,
};
static const struct endpoint_row endpoints[] = {
    {"POST", "/messages", false, {"messages", ENDPOINT_METERED, API_MESSAGES, "/messages", &messages_format}},
    {"POST", "/messages/count_tokens", false, {"count_tokens", ENDPOINT_FREE, API_NONE, NULL, NULL}},
    {"GET", "/models", true, {"models", ENDPOINT_FREE, API_NONE, NULL, NULL}},
    {NULL, "/messages/batches", true, {"batches", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {"POST", "/complete", false, {"complete", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {NULL, "/files", true, {"files", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {NULL, "", false, {"other", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
};

static const struct endpoint *find_endpoint(struct slice method, struct slice path)
{
    return dialect_match_endpoint(endpoints, method, path);
}

/* ---- errors ---- */

static const struct error_override error_overrides[] = {
    {ERROR_WALLET_EXHAUSTED, {402, "billing_error", NULL}}, {ERROR_WALLET_UNKNOWN, {402, "billing_error", NULL}},
    {ERROR_BUDGET_EXHAUSTED, {402, "billing_error", NULL}}, {ERROR_NO_TARGET, {0, "overloaded_error", NULL}},
    {ERROR_OVERLOADED, {0, "overloaded_error", NULL}},      {ERROR_OK, {0, NULL, NULL}},
};
static const struct error_default error_defaults[] = {
    {400, "invalid_request_error"}, {401, "authentication_error"},  {402, "billing_error"},
    {403, "permission_error"},      {404, "not_found_error"},       {408, "timeout_error"},
    {413, "request_too_large"},     {426, "invalid_request_error"}, {429, "rate_limit_error"},
    {431, "request_too_large"},     {504, "timeout_error"},         {0, "api_error"},
};

static void write_object(const struct error_shape *shape, const char *message, const char *request_id,
                         struct buffer *buffer)
{
    json_write_raw(buffer, "{\"type\":\"error\",\"error\":{");
    json_write_member_string(buffer, "type", shape->type);
    json_write_member(buffer, "message");
    json_write_string(buffer, dialect_bound_message(message));
    json_write_raw(buffer, "}");
    if (request_id)
        json_write_member_string(buffer, "request_id", request_id);
    json_write_raw(buffer, "}");
}

static int write_error(enum error error, const char *message, const char *request_id, struct buffer *body)
{
    struct error_shape shape = dialect_find_error_shape(error, error_overrides, error_defaults);
    write_object(&shape, message, request_id, body);
    return shape.status;
}

static void write_stream_error(enum error error, const char *message, struct buffer *out)
{
    struct error_shape shape = dialect_find_error_shape(error, error_overrides, error_defaults);
    struct buffer frame;
    buffer_init(&frame, ERROR_BYTES_MAX);
    json_write_raw(&frame, "\n\nevent: error\ndata: ");
    write_object(&shape, message, NULL, &frame);
    dialect_end_frame(&frame, "\n\n", out);
}

const struct dialect dialect_anthropic = {
    .kind = DIALECT_ANTHROPIC,
    .name = "anthropic",
    .api_prefix = "/v1",
    .find_endpoint = find_endpoint,
    .read_request = dialect_read_request,
    .edit_request = dialect_edit_request,
    .write_error = write_error,
    .write_stream_error = write_stream_error,
};
