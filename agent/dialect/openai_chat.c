/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chat completions, and the legacy completions whose streams have the same frame (platform.openai.com/docs/
 * api-reference/chat, /completions): metered from `usage` of the document or of the stream's last chunk.
 */
#include "dialect/openai.h"

/* ---- requests ---- */

static const struct request_member chat_members[] = {
    OPENAI_MODEL(true),
    {"messages", ROLE_MESSAGES, MEMBER_ARRAY, true, "Missing required parameter: 'messages'.",
     "Invalid type for 'messages': expected an array of objects."},
    OPENAI_STREAM,
    {"stream_options", ROLE_STREAM_OPTIONS, MEMBER_OBJECT, false, NULL,
     "Invalid type for 'stream_options': expected an object."},
    {"stream_options.include_usage", ROLE_INCLUDE_USAGE, MEMBER_BOOLEAN, false, NULL,
     "Invalid type for 'stream_options.include_usage': expected a boolean."},
    OPENAI_COUNT("n", ROLE_CHOICES),
    OPENAI_COUNT("max_completion_tokens", ROLE_OUTPUT_MAX),
    OPENAI_COUNT("max_tokens", ROLE_OUTPUT_MAX),
    {"tools", ROLE_TOOLS, MEMBER_ARRAY, false, NULL, "Invalid type for 'tools': expected an array of objects."},
    {"functions", ROLE_TOOLS, MEMBER_ARRAY, false, NULL, "Invalid type for 'functions': expected an array of objects."},
    {"models", ROLE_REFUSED, MEMBER_ARRAY, false, NULL,
     "'models' names further models, which no policy looks at and no price is held for: name one 'model'."},
    {"prediction", ROLE_PREDICTION, MEMBER_OBJECT, false, NULL, "Invalid type for 'prediction': expected an object."},
    {"web_search_options", ROLE_OUTSIDE, MEMBER_OBJECT, false, NULL,
     "Invalid type for 'web_search_options': expected an object."},
    {"search_parameters", ROLE_OUTSIDE, MEMBER_OBJECT, false, NULL,
     "Invalid type for 'search_parameters': expected an object."},
    OPENAI_COUNT("search_parameters.max_search_results", ROLE_NONE),
};
static const struct request_format chat_request = {
    chat_members, sizeof chat_members / sizeof *chat_members, "max_completion_tokens",
    "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."};

/* OpenAI's search models search once for each choice and say nothing of it in the usage; xAI's live search is billed by
 * the source, 20 of them unless the request says otherwise. */
static void read_search(const struct reading *reading, struct request_facts *facts)
{
    enum { SOURCES_DEFAULT = 20 };
    int64_t sources = SOURCES_DEFAULT;
    if (dialect_find_value(reading, "web_search_options")) {
        facts->runs_tools = true;
        facts->units.tool_calls = (uint64_t)facts->choices;
        facts->bills_calls = true;
    }
    if (dialect_find_value(reading, "search_parameters")) {
        const struct json_value *most = dialect_find_value(reading, "search_parameters.max_search_results");
        if (most)
            (void)json_get_integer(most, &sources);
        facts->units.tool_calls += (uint64_t)sources;
    }
}

static enum error read_chat(struct reading *reading, struct request_facts *facts)
{
    const struct json_value *messages = dialect_find_value(reading, "messages");
    facts->conversation = dialect_hash_conversation((struct slice){NULL, 0}, messages->raw);
    read_search(reading, facts);
    return ERROR_OK;
}

/* ---- answers ---- */

/* What differs between the formats of this frame. */
struct frame {
    const char *const *texts; /* members that are output */
    const char *const *ends;  /* good ones of a choice; NULL: there are no choices, `data` is the answer */
};
/* input: of custom tools; text: of parts, where content is an array. */
static const char *const text_members[] = {
    "content", "reasoning_content", "reasoning", "refusal", "arguments", "input", "text", NULL};
static const char *const chat_ends[] = {"stop", "length", "tool_calls", "function_call", NULL};
static const struct frame chat_frame = {text_members, chat_ends};

/* The members of an event or a document that the meter wants. */
struct answer_members {
    struct json_value usage, choices, model, service_tier, error, data;
};

static bool scan_answer(struct slice data, struct answer_members *ret_answer)
{
    const struct json_query queries[] = {
        {"usage", &ret_answer->usage}, {"choices", &ret_answer->choices},
        {"model", &ret_answer->model}, {"service_tier", &ret_answer->service_tier},
        {"error", &ret_answer->error}, {"data", &ret_answer->data},
    };
    return json_scan(data, 128, queries, sizeof queries / sizeof *queries, NULL) == ERROR_OK;
}

static void take_answer(struct meter *meter, const struct answer_members *answer)
{
    dialect_take_text(&answer->model, meter->served_model, sizeof meter->served_model);
    dialect_take_text(&answer->service_tier, meter->service_tier, sizeof meter->service_tier);
    meter->saw_error |= answer->error.kind == JSON_KIND_OBJECT;
    if (answer->usage.kind == JSON_KIND_OBJECT)
        openai_read_usage(meter, answer->usage.raw);
}

/* Behind the end comes the usage alone: mostly without choices, with some providers (OpenRouter) in one that says
 * nothing more. */
static void take_ends(struct meter *meter, const struct answer_members *answer, const struct frame *frame,
                      uint64_t text_bytes)
{
    struct slice choice;
    struct json_value index, reason;
    const struct json_query queries[] = {{"index", &index}, {"finish_reason", &reason}};
    bool has_usage = answer->usage.kind == JSON_KIND_OBJECT, has_choices = answer->choices.kind == JSON_KIND_ARRAY;
    meter->is_refused |= dialect_is_said(&answer->error);
    meter->is_damaged |= meter->ended && !has_usage && !has_choices;
    for (size_t at = 0; has_choices && dialect_next_object(answer->choices.raw, &at, &choice);) {
        uint64_t number = 0;
        if (json_scan(choice, 128, queries, 2, NULL))
            continue;
        dialect_take_tokens(&index, &number);
        dialect_take_reason(meter, number, &reason, frame->ends, has_usage && !text_bytes);
        meter->is_damaged |= !meter->is_event_stream && !dialect_is_said(&reason);
    }
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
    while (raw.length && (raw.data[0] == '\n' || raw.data[0] == '\r'))
        raw = slice_from(raw, 1);
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

static void read_chunk(struct meter *meter, struct slice raw, const struct frame *frame, struct event_cut *ret_cut)
{
    struct glance glance;
    struct slice name, data;
    struct answer_members answer;
    dialect_glance_event(meter, raw, frame->texts, &name, &data, &glance);
    if (slice_has_prefix(data, "[DONE]")) {
        meter->saw_terminal = meter->is_closed = true;
        return;
    }
    meter->is_refused |= glance.has_refusal;
    bool is_end = data.length && (glance.has_reason || meter->ended);
    bool is_metered = glance.has_error || (glance.has_usage && !has_usage_null_at_end(raw, ret_cut));
    if (!is_metered && !is_end)
        return;
    if (!scan_answer(data, &answer)) {
        meter->is_damaged = true;
        if (is_metered)
            openai_search_usage(meter, data);
        return;
    }
    take_ends(meter, &answer, frame, glance.text_bytes);
    if (!is_metered)
        return;
    take_answer(meter, &answer);
    hide_usage(&answer, name, data, ret_cut);
}

static void read_whole(struct meter *meter, struct slice document, const struct frame *frame)
{
    struct glance glance;
    struct answer_members answer;
    dialect_glance(document, frame->texts, "usage", &glance);
    dialect_count_output(meter, &glance);
    if (!scan_answer(document, &answer)) {
        openai_search_usage(meter, document);
        return;
    }
    meter->saw_terminal = true;
    take_answer(meter, &answer);
    if (frame->ends) {
        meter->is_refused |= glance.has_refusal;
        take_ends(meter, &answer, frame, glance.text_bytes);
    } else if (answer.data.kind == JSON_KIND_ARRAY && !dialect_is_said(&answer.error)) {
        dialect_take_whole(meter);
    }
}

static void read_event(struct meter *meter, struct slice raw, struct event_cut *ret_cut)
{
    read_chunk(meter, raw, &chat_frame, ret_cut);
}

static void read_document(struct meter *meter, struct slice document)
{
    read_whole(meter, document, &chat_frame);
}

const struct format openai_chat_format = {
    .request = &chat_request,
    .injects_usage = true,
    .read = read_chat,
    .read_event = read_event,
    .read_document = read_document,
};

/* ---- legacy completions ---- */

static const struct request_member completions_members[] = {
    OPENAI_MODEL(true),
    {"prompt", ROLE_NONE, MEMBER_TEXT, false, NULL, "Invalid type for 'prompt': expected a string or an array."},
    OPENAI_STREAM,
    {"stream_options", ROLE_STREAM_OPTIONS, MEMBER_OBJECT, false, NULL,
     "Invalid type for 'stream_options': expected an object."},
    {"stream_options.include_usage", ROLE_INCLUDE_USAGE, MEMBER_BOOLEAN, false, NULL,
     "Invalid type for 'stream_options.include_usage': expected a boolean."},
    OPENAI_COUNT("n", ROLE_CHOICES),
    OPENAI_COUNT("best_of", ROLE_NONE),
    OPENAI_COUNT("max_tokens", ROLE_OUTPUT_MAX),
};
static const struct request_format completions_request = {completions_members,
                                                          sizeof completions_members / sizeof *completions_members,
                                                          "max_tokens", "'max_tokens' is given twice."};

int64_t openai_count_prompts(const struct json_value *prompt)
{
    struct json_value element;
    size_t at = 0;
    int64_t count = 0;
    if (prompt->kind != JSON_KIND_ARRAY)
        return 1;
    while (json_next_element(prompt->raw, &at, &element)) {
        if (element.kind == JSON_KIND_NUMBER)
            return 1;
        count++;
    }
    return count ? count : 1;
}

/* `best_of` are made for each prompt, and the n best returned: all of them are billed. */
static enum error read_completions(struct reading *reading, struct request_facts *facts)
{
    const struct json_value *best_of = dialect_find_value(reading, "best_of"),
                            *prompt = dialect_find_value(reading, "prompt");
    int64_t made = 0;
    if (best_of && json_get_integer(best_of, &made) && made > facts->choices)
        facts->choices = made;
    if (prompt && __builtin_mul_overflow(facts->choices, openai_count_prompts(prompt), &facts->choices))
        facts->choices = INT64_MAX;
    return ERROR_OK;
}

static const char *const completion_text_members[] = {"text", "reasoning", NULL};
static const char *const completion_ends[] = {"stop", "length", NULL};
static const struct frame completion_frame = {completion_text_members, completion_ends};

static void read_completion_event(struct meter *meter, struct slice raw, struct event_cut *ret_cut)
{
    read_chunk(meter, raw, &completion_frame, ret_cut);
}

static void read_completion_document(struct meter *meter, struct slice document)
{
    read_whole(meter, document, &completion_frame);
}

const struct format openai_completions_format = {
    .request = &completions_request,
    .injects_usage = true,
    .read = read_completions,
    .read_event = read_completion_event,
    .read_document = read_completion_document,
};

/* ---- embeddings ---- */

static const struct request_member embeddings_members[] = {
    OPENAI_MODEL(true),
    {"input", ROLE_NONE, MEMBER_ANY, true, "Missing required parameter: 'input'.", NULL},
};
static const struct request_format embeddings_request = {
    embeddings_members, sizeof embeddings_members / sizeof *embeddings_members, NULL, NULL};

/* Vectors are no tokens. */
static enum error read_embeddings(struct reading *reading, struct request_facts *facts)
{
    (void)reading;
    facts->output_tokens_max = 0;
    return ERROR_OK;
}

static void read_vectors(struct meter *meter, struct slice document)
{
    static const struct frame frame = {text_members, NULL};
    read_whole(meter, document, &frame);
}

static void estimate_embeddings(const struct meter *meter, const struct request_facts *facts, struct usage *usage)
{
    uint64_t output = usage->output;
    dialect_estimate_tokens(meter, facts, usage);
    usage->output = output;
}

const struct format openai_embeddings_format = {
    .request = &embeddings_request,
    .read = read_embeddings,
    .read_document = read_vectors,
    .estimate = estimate_embeddings,
};
