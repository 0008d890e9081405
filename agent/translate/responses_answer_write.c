/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of OpenAI Responses as a client reads them, whole or as typed events. Called through answer_responses_writer.
 * Each part is an output item of its own, so that output_index is its number and content_index 0. Facts are of OpenAI's
 * API reference ("The response object", "Streaming events"). Nothing is stored here: `store` is false whatever was
 * asked, and what an answer repeats of its request can never replace what is the answer's own.
 */
#include "answer.h"

#include "base/check.h"

#include <stdio.h>

/* ---- what an answer repeats of its request ---- */

static const struct {
    const char *name, *absent; /* its value when the request has none; NULL: left out */
} echo_rows[] = {
    {"instructions", "null"},
    {"max_output_tokens", "null"},
    {"max_tool_calls", NULL},
    {"metadata", "{}"},
    {"parallel_tool_calls", "true"},
    {"previous_response_id", "null"},
    {"prompt", NULL},
    {"prompt_cache_key", NULL},
    {"reasoning", "{\"effort\":null,\"summary\":null}"},
    {"safety_identifier", NULL},
    {"service_tier", NULL},
    {"temperature", "1.0"},
    {"text", "{\"format\":{\"type\":\"text\"}}"},
    {"tool_choice", "\"auto\""},
    {"tools", "[]"},
    {"top_logprobs", NULL},
    {"top_p", "1.0"},
    {"truncation", "\"disabled\""},
    {"user", "null"},
};
enum { ECHO_COUNT = sizeof echo_rows / sizeof *echo_rows, ECHO_ABSENT_BYTES_MAX = 2048 };

struct slice answer_make_echo(struct slice echo, struct arena *arena)
{
    struct json_value values[ECHO_COUNT];
    struct json_query queries[ECHO_COUNT];
    for (size_t i = 0; i < ECHO_COUNT; i++)
        queries[i] = (struct json_query){echo_rows[i].name, &values[i]};
    if (echo.length == 0 || json_scan(echo, ANSWER_DEPTH_MAX, queries, ECHO_COUNT, NULL))
        for (size_t i = 0; i < ECHO_COUNT; i++)
            values[i] = (struct json_value){.kind = JSON_KIND_ABSENT};
    size_t length = 0;
    char *text = arena_alloc(arena, echo.length + ECHO_ABSENT_BYTES_MAX);
    for (size_t i = 0; i < ECHO_COUNT; i++) {
        bool is_absent = values[i].kind == JSON_KIND_ABSENT;
        struct slice value = is_absent ? slice_of(echo_rows[i].absent) : values[i].raw;
        if (value.length)
            length +=
                (size_t)sprintf(text + length, ",\"%s\":" SLICE_FORMAT, echo_rows[i].name, SLICE_ARGUMENTS(value));
    }
    check(length < echo.length + ECHO_ABSENT_BYTES_MAX);
    /* A line end, legal between tokens, would end an event's data. */
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\n' || text[i] == '\r')
            text[i] = ' ';
    return (struct slice){text, length};
}

/* ---- objects ---- */

static const char *item_prefix(const struct answer_part *part)
{
    return part->kind == ANSWER_TOOL ? "fc" : "msg";
}

/* Members of most events of a part, and its item. */
static void put_place(struct answer_output *output, const struct answer *answer, const struct answer_part *part)
{
    answer_output_put(output, ",'item_id':'%s_%.*s_%zu','output_index':%zu", item_prefix(part),
                      SLICE_ARGUMENTS(answer->id), part->number, part->number);
    if (part->kind != ANSWER_TOOL)
        answer_output_put(output, ",'content_index':0");
}

static void put_content(struct answer_output *output, const struct answer_part *part, struct slice text)
{
    answer_output_put(output,
                      part->kind == ANSWER_REFUSAL
                          ? "{'type':'refusal','refusal':'%.*s'}"
                          : "{'type':'output_text','text':'%.*s','annotations':[],'logprobs':[]}",
                      SLICE_ARGUMENTS(text));
}

static void put_item(struct answer_output *output, const struct answer *answer, const struct answer_part *part,
                     bool is_done)
{
    struct slice text = is_done ? buffer_contents(&part->text) : (struct slice){"", 0};
    const char *status = !is_done ? "in_progress" : part->is_incomplete ? "incomplete" : "completed";
    answer_output_put(output, "{'id':'%s_%.*s_%zu','type':'%s','status':'%s',", item_prefix(part),
                      SLICE_ARGUMENTS(answer->id), part->number,
                      part->kind == ANSWER_TOOL ? "function_call" : "message", status);
    if (part->kind == ANSWER_TOOL) {
        answer_output_put(output, "'call_id':'%.*s','name':'%.*s','arguments':'%.*s'}", SLICE_ARGUMENTS(part->id),
                          SLICE_ARGUMENTS(part->name), SLICE_ARGUMENTS(text));
        return;
    }
    answer_output_put(output, "'role':'assistant','content':[");
    if (is_done)
        put_content(output, part, text);
    answer_output_put(output, "]}");
}

static void put_usage(struct answer_output *output, const struct answer_usage *usage)
{
    int64_t input = usage->input + usage->cache_read + usage->cache_write, total = input + usage->output;
    if (!usage->is_known) {
        answer_output_put(output, ",'usage':null");
        return;
    }
    answer_output_put(output, ",'usage':{'input_tokens':%lld,", (long long)input);
    answer_output_put(output, "'input_tokens_details':{'cached_tokens':%lld,'cache_write_tokens':%lld},",
                      (long long)usage->cache_read, (long long)usage->cache_write);
    answer_output_put(output, "'output_tokens':%lld,'output_tokens_details':{'reasoning_tokens':%lld},",
                      (long long)usage->output, (long long)usage->reasoning);
    answer_output_put(output, "'total_tokens':%lld}", (long long)total);
}

static const char *incomplete_reason(const struct answer *answer)
{
    static const char *const reasons[ANSWER_STOP_COUNT] = {
        [ANSWER_STOP_LENGTH] = "max_output_tokens", [ANSWER_STOP_FILTER] = "content_filter"};
    return reasons[answer->stop];
}

static const char *final_status(const struct answer *answer)
{
    return incomplete_reason(answer) ? "incomplete" : "completed";
}

static void put_output(struct answer_output *output, const struct answer *answer)
{
    for (size_t i = 0; i < answer->part_count; i++) {
        if (i)
            answer_output_put(output, ",");
        put_item(output, answer, &answer->parts[i], true);
    }
}

static void put_response(struct answer_output *output, const struct answer *answer, bool is_done)
{
    answer_output_put(output, "{'id':'resp_%.*s','object':'response','created_at':%lld,'status':'%s',",
                      SLICE_ARGUMENTS(answer->id), (long long)answer->created_s,
                      is_done ? final_status(answer) : "in_progress");
    answer_output_put(output, "'background':false,'error':null,'incomplete_details':");
    if (is_done && incomplete_reason(answer))
        answer_output_put(output, "{'reason':'%s'}", incomplete_reason(answer));
    else
        answer_output_put(output, "null");
    answer_output_put(output, ",'model':'%.*s','store':false,'output':[", SLICE_ARGUMENTS(answer->model));
    if (is_done)
        put_output(output, answer);
    answer_output_put(output, "]");
    if (is_done)
        put_usage(output, &answer->usage);
    else
        answer_output_put(output, ",'usage':null");
    answer_output_put(output, "%.*s}", SLICE_ARGUMENTS(answer->echo));
}

static bool write_document(const struct answer *answer, struct buffer *out)
{
    struct answer_output output = answer_output_begin(out);
    put_response(&output, answer, true);
    return answer_output_end(&output);
}

/* ---- events ---- */

static struct answer_output begin_event(struct answer *answer, const char *type, struct buffer *out)
{
    struct answer_output output = answer_output_begin(out);
    answer_output_put(&output, "event: %s\ndata: {'type':'%s','sequence_number':%llu", type, type,
                      (unsigned long long)answer->sequence_number++);
    return output;
}

static bool end_event(struct answer_output *output)
{
    answer_output_put(output, "}\n\n");
    return answer_output_end(output);
}

static bool write_response_event(struct answer *answer, const char *type, bool is_done, struct buffer *out)
{
    struct answer_output output = begin_event(answer, type, out);
    answer_output_put(&output, ",'response':");
    put_response(&output, answer, is_done);
    return end_event(&output);
}

static bool write_start(struct answer *answer, struct buffer *out)
{
    return write_response_event(answer, "response.created", false, out) &&
           write_response_event(answer, "response.in_progress", false, out);
}

static bool write_item_event(struct answer *answer, const struct answer_part *part, bool is_done, struct buffer *out)
{
    const char *type = is_done ? "response.output_item.done" : "response.output_item.added";
    struct answer_output output = begin_event(answer, type, out);
    answer_output_put(&output, ",'output_index':%zu,'item':", part->number);
    put_item(&output, answer, part, is_done);
    return end_event(&output);
}

static bool write_content_event(struct answer *answer, const struct answer_part *part, bool is_done, struct buffer *out)
{
    const char *type = is_done ? "response.content_part.done" : "response.content_part.added";
    struct answer_output output = begin_event(answer, type, out);
    put_place(&output, answer, part);
    answer_output_put(&output, ",'part':");
    put_content(&output, part, is_done ? buffer_contents(&part->text) : (struct slice){"", 0});
    return end_event(&output);
}

static bool write_part_begin(struct answer *answer, const struct answer_part *part, struct buffer *out)
{
    return write_item_event(answer, part, false, out) &&
           (part->kind == ANSWER_TOOL || write_content_event(answer, part, false, out));
}

/* By kind of part: its two events, and the member in which the second says all of it. */
static const struct {
    const char *delta, *done, *whole;
} text_events[] = {
    [ANSWER_TEXT] = {"response.output_text.delta", "response.output_text.done", "text"},
    [ANSWER_REFUSAL] = {"response.refusal.delta", "response.refusal.done", "refusal"},
    [ANSWER_TOOL] = {"response.function_call_arguments.delta", "response.function_call_arguments.done", "arguments"},
};

static bool write_text_event(struct answer *answer, const struct answer_part *part, struct slice text, bool is_done,
                             struct buffer *out)
{
    const char *type = is_done ? text_events[part->kind].done : text_events[part->kind].delta;
    struct answer_output output = begin_event(answer, type, out);
    put_place(&output, answer, part);
    if (is_done && part->kind == ANSWER_TOOL)
        answer_output_put(&output, ",'name':'%.*s'", SLICE_ARGUMENTS(part->name));
    answer_output_put(&output, ",'%s':'%.*s'", is_done ? text_events[part->kind].whole : "delta",
                      SLICE_ARGUMENTS(text));
    if (part->kind == ANSWER_TEXT)
        answer_output_put(&output, ",'logprobs':[]");
    return end_event(&output);
}

static bool write_part_delta(struct answer *answer, const struct answer_part *part, struct slice text,
                             struct buffer *out)
{
    return write_text_event(answer, part, text, false, out);
}

static bool write_part_end(struct answer *answer, const struct answer_part *part, struct buffer *out)
{
    return write_text_event(answer, part, buffer_contents(&part->text), true, out) &&
           (part->kind == ANSWER_TOOL || write_content_event(answer, part, true, out)) &&
           write_item_event(answer, part, true, out);
}

static bool write_end(struct answer *answer, struct buffer *out)
{
    const char *type = incomplete_reason(answer) ? "response.incomplete" : "response.completed";
    return write_response_event(answer, type, true, out);
}

const struct answer_writer answer_responses_writer = {.keeps_text = true,
                                                      .is_never_empty = true, /* clients read output[0].content[0] */
                                                      .write_document = write_document,
                                                      .write_start = write_start,
                                                      .write_part_begin = write_part_begin,
                                                      .write_part_delta = write_part_delta,
                                                      .write_part_end = write_part_end,
                                                      .write_end = write_end};
