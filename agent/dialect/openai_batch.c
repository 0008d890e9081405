/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches (platform.openai.com/docs/api-reference/batch): a file of requests is uploaded, then a batch is made of it,
 * and its object says, hours later, what all of them used. The upload is where the requests can be seen: their bound is
 * read there, line by line, and belongs to the file's id.
 */
#include "dialect/form.h"
#include "dialect/openai.h"

/* ---- the upload ---- */

static const struct request_member upload_members[] = {OPENAI_STRING("purpose")};
static const struct request_format upload_request = {upload_members, 1, NULL, NULL};

static void add(uint64_t *sum, uint64_t more)
{
    if (__builtin_add_overflow(*sum, more, sum))
        *sum = UINT64_MAX;
}

static void add_model(struct batch_facts *batch, const struct json_value *value)
{
    char model[sizeof batch->model];
    if (!json_get_string(value, model, sizeof model) || !model[0])
        batch->has_models = true; /* one that nobody can name: the dearest counts */
    else if (batch->requests == 1)
        memcpy(batch->model, model, sizeof model);
    else
        batch->has_models |= strcmp(batch->model, model) != 0;
}

static bool makes_no_output(const struct json_value *url)
{
    static const char *const rows[] = {"/embeddings", "/moderations"};
    char path[128];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (json_get_string(url, path, sizeof path) && slice_has_suffix(slice_of(path), rows[i]))
            return true;
    return false;
}

struct line {
    struct json_value url, body, model, limits[3], choices, best_of, prompt, previous, conversation, template, tools,
        calls_max, search, input;
    int64_t limit, choice_count; /* the greatest that it can mean; limit -1: none is named */
};

static void find_limit(struct line *line)
{
    int64_t limit = -1, value, choices = 1;
    for (size_t i = 0; i < sizeof line->limits / sizeof *line->limits; i++)
        if (json_get_integer(&line->limits[i], &value) && value > limit)
            limit = value;
    if (json_get_integer(&line->choices, &value) && value > choices)
        choices = value;
    if (json_get_integer(&line->best_of, &value) && value > choices)
        choices = value;
    if (__builtin_mul_overflow(choices, openai_count_prompts(&line->prompt), &choices))
        choices = INT64_MAX;
    line->limit = limit;
    line->choice_count = choices;
}

static void add_output(struct batch_facts *batch, const struct line *line)
{
    const int64_t limit = line->limit, choices = line->choice_count;
    uint64_t tokens;
    if (makes_no_output(&line->url))
        return;
    if (limit > 0 && (uint64_t)limit > batch->limit_max)
        batch->limit_max = (uint64_t)limit;
    if (limit < 0)
        add(&batch->unlimited, (uint64_t)choices);
    else if (__builtin_mul_overflow((uint64_t)limit, (uint64_t)choices, &tokens))
        batch->output_tokens = UINT64_MAX;
    else
        add(&batch->output_tokens, tokens);
}

/* Whether what they find is input, too. No answer tells how many calls there were: they are held, and what is charged
 * in the end is tokens. */
static bool add_tools(struct batch_facts *batch, const struct line *line, const struct openai_tools *tools)
{
    add(&batch->tool_calls, tools->calls);
    if (line->search.kind > JSON_KIND_NULL)
        add(&batch->tool_calls, (uint64_t)line->choice_count);
    return tools->run_there || line->search.kind > JSON_KIND_NULL;
}

static bool refers_outside(const struct line *line)
{
    return (dialect_find_marks(line->body.raw, (struct json_place){0, 0}) & MARK_OUTSIDE) ||
           line->previous.kind > JSON_KIND_NULL || line->conversation.kind > JSON_KIND_NULL ||
           line->template.kind > JSON_KIND_NULL || openai_refers_to_items(&line->input);
}

static enum error add_line(struct batch_facts *batch, struct slice text, unsigned depth_max, const char **ret_problem)
{
    struct line line;
    const struct json_query queries[] = {
        {"url", &line.url},
        {"body", &line.body},
        {"body.model", &line.model},
        {"body.max_tokens", &line.limits[0]},
        {"body.max_completion_tokens", &line.limits[1]},
        {"body.max_output_tokens", &line.limits[2]},
        {"body.n", &line.choices},
        {"body.best_of", &line.best_of},
        {"body.prompt", &line.prompt},
        {"body.previous_response_id", &line.previous},
        {"body.conversation", &line.conversation},
        {"body.prompt.id", &line.template},
        {"body.tools", &line.tools},
        {"body.max_tool_calls", &line.calls_max},
        {"body.web_search_options", &line.search},
        {"body.input", &line.input},
    };
    *ret_problem = "is no valid JSON";
    if (json_scan(text, depth_max, queries, sizeof queries / sizeof *queries, NULL))
        return ERROR_BODY_MALFORMED;
    const struct openai_tools tools = openai_read_tools(&line.tools, &line.calls_max);
    *ret_problem = "draws (image_generation), and no batch says how much was drawn: send it as a call of its own";
    if (tools.drawing.model[0] || tools.problem)
        return ERROR_BODY_INCOMPLETE;
    find_limit(&line);
    batch->requests++;
    add_model(batch, &line.model);
    add_output(batch, &line);
    const bool draws_in = add_tools(batch, &line, &tools);
    if (draws_in || refers_outside(&line)) {
        batch->has_outside = true;
        batch->outside++;
    } else {
        add(&batch->input_tokens, text.length);
    }
    return ERROR_OK;
}

static enum error read_lines(struct reading *reading, struct slice file, struct batch_facts *batch)
{
    for (size_t number = 1; file.length; number++) {
        const char *line_feed = memchr(file.data, '\n', file.length);
        struct slice line = {file.data, line_feed ? (size_t)(line_feed - file.data) : file.length};
        file = slice_from(file, line.length + (line_feed != NULL));
        if (line.length && line.data[line.length - 1] == '\r')
            line.length--;
        const char *problem;
        enum error error = line.length ? add_line(batch, line, reading->request->depth_max, &problem) : ERROR_OK;
        if (error) {
            reading->problem = arena_printf(reading->arena, "line %zu of the batch's file %s", number, problem);
            return error;
        }
    }
    return ERROR_OK;
}

static enum error read_upload(struct reading *reading, struct request_facts *facts)
{
    char purpose[32];
    if (!reading->form || !dialect_find_text(reading, "purpose", purpose, sizeof purpose) ||
        strcmp(purpose, "batch") != 0)
        return ERROR_OK;
    const struct form_field *file = form_find(reading->form, "file");
    if (!file || reading->form->file_count != 1 || !file->is_file) {
        reading->problem = "an upload for a batch needs one 'file'";
        return ERROR_BODY_INCOMPLETE;
    }
    return read_lines(reading, file->value, &facts->batch);
}

static void read_file(struct meter *meter, struct slice document)
{
    struct json_value id;
    const struct json_query query = {"id", &id};
    if (json_scan(document, 128, &query, 1, NULL))
        return;
    meter->saw_terminal = true;
    dialect_take_text(&id, meter->answer_id, sizeof meter->answer_id);
}

const struct format openai_upload_format = {
    .request = &upload_request,
    .body = BODY_FORM,
    .read = read_upload,
    .read_document = read_file,
};

/* ---- the batch ---- */

static const struct request_member batch_members[] = {
    {"input_file_id", ROLE_NONE, MEMBER_STRING, true, "Missing required parameter: 'input_file_id'.",
     "Invalid type for 'input_file_id': expected a string."},
};
static const struct request_format batch_request = {batch_members, 1, NULL, NULL};

static enum error read_batch(struct reading *reading, struct request_facts *facts)
{
    if (!dialect_find_text(reading, "input_file_id", facts->batch.input_file, sizeof facts->batch.input_file)) {
        reading->problem = "Invalid value for 'input_file_id'.";
        return ERROR_BODY_INCOMPLETE;
    }
    memcpy(facts->service_tier, "batch", sizeof "batch");
    facts->text_bytes = 0; /* what is billed is the file */
    facts->output_tokens_max = 0;
    facts->refers_outside = false;
    return ERROR_OK;
}

/* Batches that ended without having done anything cost nothing. */
static enum job_state take_status(struct meter *meter, const struct json_value *status,
                                  const struct json_value *completed)
{
    static const char *const ended[] = {"completed", "failed", "expired", "cancelled"};
    uint64_t count = 0;
    for (size_t i = 0; i < sizeof ended / sizeof *ended; i++) {
        if (!json_string_is(status, ended[i]))
            continue;
        bool is_idle = dialect_take_tokens(completed, &count) ? count == 0 : i > 0;
        meter->saw_error |= is_idle && !meter->saw_usage;
        return JOB_DONE;
    }
    return status->kind == JSON_KIND_STRING ? JOB_PENDING : JOB_NONE;
}

static void read_batch_object(struct meter *meter, struct slice document)
{
    struct json_value id, status, usage, model, error, completed;
    const struct json_query queries[] = {
        {"id", &id},       {"status", &status}, {"usage", &usage},
        {"model", &model}, {"error", &error},   {"request_counts.completed", &completed},
    };
    if (json_scan(document, 128, queries, sizeof queries / sizeof *queries, NULL))
        return;
    meter->saw_terminal = true;
    meter->saw_error |= error.kind == JSON_KIND_OBJECT;
    dialect_take_text(&id, meter->answer_id, sizeof meter->answer_id);
    dialect_take_text(&model, meter->served_model, sizeof meter->served_model);
    if (usage.kind == JSON_KIND_OBJECT && openai_read_usage(meter, usage.raw))
        memcpy(meter->service_tier, "batch", sizeof "batch");
    meter->job = take_status(meter, &status, &completed);
}

/* Batches from before September 2025, and those of others, do not say what they used. */
const struct format openai_batch_format = {
    .request = &batch_request,
    .read = read_batch,
    .read_document = read_batch_object,
    .estimate = dialect_estimate_nothing,
};
const struct format openai_batch_job_format = {
    .read_document = read_batch_object,
    .estimate = dialect_estimate_nothing,
};
