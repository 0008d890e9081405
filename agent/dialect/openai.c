/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OpenAI dialect and its many compatible providers: chat completions, metered from `usage` of the document or of
 * the stream's last chunk (platform.openai.com/docs/api-reference/chat). prompt_tokens is the whole prompt; cached,
 * written and audio tokens are disjoint parts of it. completion_tokens contains reasoning.
 */
#include "dialect/internal.h"

/* ---- requests ---- */

static const struct request_member members[] = {
    {"model", ROLE_MODEL, MEMBER_STRING, true, "you must provide a model parameter",
     "Invalid type or value for 'model': expected a model name."},
    {"messages", ROLE_MESSAGES, MEMBER_ARRAY, true, "Missing required parameter: 'messages'.",
     "Invalid type for 'messages': expected an array of objects."},
    {"stream", ROLE_STREAM, MEMBER_BOOLEAN, false, NULL, "Invalid type for 'stream': expected a boolean."},
    {"stream_options", ROLE_STREAM_OPTIONS, MEMBER_OBJECT, false, NULL,
     "Invalid type for 'stream_options': expected an object."},
    {"stream_options.include_usage", ROLE_INCLUDE_USAGE, MEMBER_BOOLEAN, false, NULL,
     "Invalid type for 'stream_options.include_usage': expected a boolean."},
    {"n", ROLE_CHOICES, MEMBER_COUNT, false, NULL, "Invalid type or value for 'n': expected an integer >= 1."},
    {"max_completion_tokens", ROLE_OUTPUT_MAX, MEMBER_COUNT, false, NULL,
     "Invalid type or value for 'max_completion_tokens': expected an integer >= 1."},
    {"max_tokens", ROLE_OUTPUT_MAX, MEMBER_COUNT, false, NULL,
     "Invalid type or value for 'max_tokens': expected an integer >= 1."},
    {"tools", ROLE_TOOLS, MEMBER_ARRAY, false, NULL, "Invalid type for 'tools': expected an array of objects."},
    {"functions", ROLE_TOOLS, MEMBER_ARRAY, false, NULL, "Invalid type for 'functions': expected an array of objects."},
    {"prediction", ROLE_PREDICTION, MEMBER_OBJECT, false, NULL, "Invalid type for 'prediction': expected an object."},
};
static const struct request_format chat_request = {
    members, sizeof members / sizeof *members, "max_completion_tokens",
    "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."};

/* ---- usage ---- */

static const char *const text_members[] = {"content", "reasoning_content", "reasoning", "refusal", "arguments", NULL};

/* `object`: the usage object itself. Each one seen replaces the one before: what repeats is cumulative. */
static bool read_usage(struct meter *meter, struct slice object)
{
    struct json_value prompt, completion, total, cached, hit, written, audio_in, audio_out, reasoning;
    const struct json_query queries[] = {
        {"prompt_tokens", &prompt},
        {"completion_tokens", &completion},
        {"total_tokens", &total},
        {"prompt_tokens_details.cached_tokens", &cached},
        {"prompt_cache_hit_tokens", &hit}, /* DeepSeek */
        {"prompt_tokens_details.cache_write_tokens", &written},
        {"prompt_tokens_details.audio_tokens", &audio_in},
        {"completion_tokens_details.audio_tokens", &audio_out},
        {"completion_tokens_details.reasoning_tokens", &reasoning},
    };
    if (json_scan(object, 16, queries, sizeof queries / sizeof *queries, NULL))
        return false;
    uint64_t in = 0, out = 0, all = 0, read = 0, write = 0, heard = 0, spoken = 0, thought = 0;
    bool is_known = dialect_take_tokens(&prompt, &in);
    is_known |= dialect_take_tokens(&completion, &out);
    if (!is_known)
        return false;
    dialect_take_tokens(&written, &write);
    dialect_take_tokens(&audio_in, &heard);
    dialect_take_tokens(&audio_out, &spoken);
    if (!dialect_take_tokens(&cached, &read))
        dialect_take_tokens(&hit, &read);
    /* xAI counts reasoning beside completion_tokens; its total says so. Everyone else's is prompt + completion. */
    if (dialect_take_tokens(&reasoning, &thought) && dialect_take_tokens(&total, &all) && all > out && all - out > in &&
        all - out - in == thought)
        out += thought;
    struct usage usage = {.input = in, .output = out};
    usage.cache_read = dialect_take_part(&usage.input, read);
    usage.cache_write = dialect_take_part(&usage.input, write);
    usage.input_audio = dialect_take_part(&usage.input, heard);
    usage.output_audio = dialect_take_part(&usage.output, spoken);
    meter->usage = usage;
    meter->saw_usage = meter->saw_output_usage = true;
    return true;
}

/* The members of an event or a document that the meter wants. */
struct answer_members {
    struct json_value usage, choices, model, service_tier, error;
};

static bool scan_answer(struct meter *meter, struct slice data, struct answer_members *ret_answer)
{
    const struct json_query queries[] = {
        {"usage", &ret_answer->usage}, {"choices", &ret_answer->choices},
        {"model", &ret_answer->model}, {"service_tier", &ret_answer->service_tier},
        {"error", &ret_answer->error},
    };
    if (json_scan(data, 128, queries, sizeof queries / sizeof *queries, NULL))
        return false;
    dialect_take_text(&ret_answer->model, meter->served_model, sizeof meter->served_model);
    dialect_take_text(&ret_answer->service_tier, meter->service_tier, sizeof meter->service_tier);
    meter->saw_error |= ret_answer->error.kind == JSON_KIND_OBJECT;
    if (ret_answer->usage.kind == JSON_KIND_OBJECT)
        read_usage(meter, ret_answer->usage.raw);
    return true;
}

/* The member with one of its commas: the one after it, else the one before. */
static void cut_member(struct slice data, const struct json_value *value, struct event_cut *ret_cut)
{
    size_t from = value->member_offset, to = value->offset + value->raw.length, after = to, before = from;
    while (after < data.length && strchr(" \t\r\n", data.data[after]))
        after++;
    while (before > 0 && strchr(" \t\r\n", data.data[before - 1]))
        before--;
    if (after < data.length && data.data[after] == ',')
        to = after + 1;
    else if (before > 0 && data.data[before - 1] == ',')
        from = before - 1;
    ret_cut->kind = CUT_MEMBER;
    ret_cut->data = data;
    ret_cut->from = from;
    ret_cut->to = to;
}

static bool array_is_empty(const struct json_value *value)
{
    for (size_t i = 1; i + 1 < value->raw.length; i++)
        if (!strchr(" \t\r\n", value->raw.data[i]))
            return false;
    return value->kind == JSON_KIND_ARRAY;
}

/* The injected chunk goes as a whole; in the others (choices of their own, or usage null) only the member. */
static void hide_usage(const struct answer_members *answer, struct slice name, struct slice data,
                       struct event_cut *ret_cut)
{
    bool has_choices = answer->choices.kind != JSON_KIND_ABSENT && !array_is_empty(&answer->choices);
    ret_cut->name = name;
    if (answer->usage.kind == JSON_KIND_OBJECT && !has_choices)
        ret_cut->kind = CUT_EVENT;
    else if (answer->usage.kind != JSON_KIND_ABSENT)
        cut_member(data, &answer->usage, ret_cut);
}

/* Every chunk but the last of an injected stream ends so: no need to scan it. */
static bool has_usage_null_at_end(struct slice raw, struct event_cut *ret_cut)
{
    static const char tail[] = ",\"usage\":null}";
    while (raw.length && (raw.data[raw.length - 1] == '\n' || raw.data[raw.length - 1] == '\r'))
        raw.length--;
    if (!slice_has_suffix(raw, tail) || !slice_has_prefix(raw, "data: {") || memchr(raw.data, '\n', raw.length) ||
        memchr(raw.data, '\r', raw.length))
        return false;
    ret_cut->kind = CUT_MEMBER;
    ret_cut->data = slice_from(raw, strlen("data: "));
    ret_cut->from = ret_cut->data.length - strlen(tail);
    ret_cut->to = ret_cut->data.length - strlen("}");
    return true;
}

static void read_event(struct meter *meter, struct slice raw, struct event_cut *ret_cut)
{
    struct glance glance;
    struct slice name, data;
    struct answer_members answer;
    while (raw.length && (raw.data[0] == '\n' || raw.data[0] == '\r'))
        raw = slice_from(raw, 1);
    if (slice_has_prefix(raw, "data: [DONE]") || slice_has_prefix(raw, "data:[DONE]")) {
        meter->saw_terminal = true;
        return;
    }
    dialect_glance(raw, text_members, "usage", &glance);
    meter->output_text_bytes += glance.text_bytes;
    meter->output_events += glance.text_bytes > 0;
    if (!glance.has_usage && !glance.has_error)
        return;
    if (!glance.has_error && has_usage_null_at_end(raw, ret_cut))
        return;
    dialect_parse_event(meter, raw, &name, &data);
    if (scan_answer(meter, data, &answer)) {
        hide_usage(&answer, name, data, ret_cut);
        return;
    }
    struct slice usage = dialect_search_usage(data, "usage");
    if (usage.length)
        read_usage(meter, usage);
}

static void read_document(struct meter *meter, struct slice document)
{
    struct glance glance;
    struct answer_members answer;
    dialect_glance(document, text_members, "usage", &glance);
    meter->output_text_bytes += glance.text_bytes;
    if (scan_answer(meter, document, &answer)) {
        meter->saw_terminal = true;
        return;
    }
    struct slice usage = dialect_search_usage(document, "usage");
    if (usage.length)
        read_usage(meter, usage);
}

/* ---- endpoints ---- */

static const struct format chat_format = {
    .request = &chat_request,
    .injects_usage = true,
    .read_event = read_event,
    .read_document = read_document,
};
static const struct endpoint_row endpoints[] = {
    {"POST",
     "/chat/completions",
     false,
     {"chat.completions", ENDPOINT_METERED, API_CHAT, "/chat/completions", &chat_format}},
    {"GET", "/models", true, {"models", ENDPOINT_FREE, API_NONE, NULL, NULL}},
    {"POST", "/completions", false, {"completions", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {"POST", "/responses", false, {"responses", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {"POST", "/embeddings", false, {"embeddings", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {"POST", "/moderations", false, {"moderations", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {NULL, "/audio", true, {"audio", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {NULL, "/images", true, {"images", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {NULL, "/files", true, {"files", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {NULL, "/batches", true, {"batches", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
    {NULL, "", false, {"other", ENDPOINT_UNMETERED, API_NONE, NULL, NULL}},
};

static const struct endpoint *find_endpoint(struct slice method, struct slice path)
{
    return dialect_match_endpoint(endpoints, method, path);
}

/* ---- errors ---- */

static const struct error_override error_overrides[] = {
    {ERROR_WALLET_EXHAUSTED, {429, "insufficient_quota", "project_spend_limit_exceeded"}},
    {ERROR_WALLET_UNKNOWN, {429, "insufficient_quota", NULL}},
    {ERROR_BUDGET_EXHAUSTED, {429, "insufficient_quota", "project_spend_limit_exceeded"}},
    {ERROR_KEY_INVALID, {0, "authentication_error", "invalid_api_key"}},
    {ERROR_BODY_MALFORMED, {400, "invalid_request_error", NULL}},
    {ERROR_BODY_INCOMPLETE, {400, "invalid_request_error", NULL}},
    {ERROR_OK, {0, NULL, NULL}},
};
static const struct error_default error_defaults[] = {
    {400, "invalid_request_error"}, {401, "authentication_error"},
    {402, "insufficient_quota"},    {403, "permission_error"},
    {404, "invalid_request_error"}, {408, "invalid_request_error"},
    {413, "invalid_request_error"}, {426, "invalid_request_error"},
    {429, "rate_limit_error"},      {431, "invalid_request_error"},
    {502, "upstream_error"},        {503, "service_unavailable_error"},
    {504, "upstream_error"},        {0, "server_error"},
};

static void write_object(const struct error_shape *shape, const char *message, struct buffer *buffer)
{
    json_write_raw(buffer, "{\"error\":{\"message\":");
    json_write_string(buffer, dialect_bound_message(message));
    json_write_member_string(buffer, "type", shape->type);
    json_write_member_string(buffer, "param", NULL);
    json_write_member_string(buffer, "code", shape->code);
    json_write_raw(buffer, "}}");
}

static int write_error(enum error error, const char *message, const char *request_id, struct buffer *body)
{
    (void)request_id; /* a header in this dialect */
    struct error_shape shape = dialect_find_error_shape(error, error_overrides, error_defaults);
    write_object(&shape, message, body);
    return shape.status;
}

static void write_stream_error(enum error error, const char *message, struct buffer *out)
{
    struct error_shape shape = dialect_find_error_shape(error, error_overrides, error_defaults);
    struct buffer frame;
    buffer_init(&frame, ERROR_BYTES_MAX);
    json_write_raw(&frame, "\n\ndata: ");
    write_object(&shape, message, &frame);
    dialect_end_frame(&frame, "\n\n", out);
}

const struct dialect dialect_openai = {
    .kind = DIALECT_OPENAI,
    .name = "openai",
    .api_prefix = "/v1",
    .find_endpoint = find_endpoint,
    .read_request = dialect_read_request,
    .edit_request = dialect_edit_request,
    .write_error = write_error,
    .write_stream_error = write_stream_error,
};
