/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of OpenAI Chat Completions as a client reads them, whole or in chunks. Called through answer_chat_writer.
 * What OpenAI's own SDKs need to put the chunks together: the role in the first, a tool call's id and name in its first
 * piece, its index in every piece, finish_reason in the last, and [DONE].
 */
#include "answer.h"

static const char *finish_reason(const struct answer *answer)
{
    static const char *const reasons[ANSWER_STOP_COUNT] = {[ANSWER_STOP_NONE] = "stop",
                                                           [ANSWER_STOP_END] = "stop",
                                                           [ANSWER_STOP_LENGTH] = "length",
                                                           [ANSWER_STOP_TOOL] = "tool_calls",
                                                           [ANSWER_STOP_FILTER] = "content_filter"};
    return reasons[answer->stop];
}

static void put_head(struct answer_output *output, const struct answer *answer, const char *object)
{
    answer_output_put(output, "{'id':'chatcmpl-%.*s','object':'%s','created':%lld,'model':'%.*s'",
                      SLICE_ARGUMENTS(answer->id), object, (long long)answer->created_s,
                      SLICE_ARGUMENTS(answer->model));
}

static void put_usage(struct answer_output *output, const struct answer *answer)
{
    const struct answer_usage *usage = &answer->usage;
    int64_t prompt = usage->input + usage->cache_read + usage->cache_write, total = prompt + usage->output;
    answer_output_put(output, ",'usage':{'prompt_tokens':%lld,'completion_tokens':%lld,'total_tokens':%lld,",
                      (long long)prompt, (long long)usage->output, (long long)total);
    answer_output_put(output, "'prompt_tokens_details':{'cached_tokens':%lld,'cache_write_tokens':%lld},",
                      (long long)usage->cache_read, (long long)usage->cache_write);
    answer_output_put(output, "'completion_tokens_details':{'reasoning_tokens':%lld}}", (long long)usage->reasoning);
}

/* The texts of one kind in a row, as a string; null when there is none. */
static void put_texts(struct answer_output *output, const struct answer *answer, enum answer_kind kind,
                      bool is_empty_null)
{
    bool has_text = false;
    for (size_t i = 0; i < answer->part_count; i++)
        has_text |= answer->parts[i].kind == kind;
    if (!has_text && is_empty_null) {
        answer_output_put(output, "null");
        return;
    }
    answer_output_put(output, "'");
    for (size_t i = 0; i < answer->part_count; i++)
        if (answer->parts[i].kind == kind)
            answer_output_put(output, "%.*s", SLICE_ARGUMENTS(buffer_contents(&answer->parts[i].text)));
    answer_output_put(output, "'");
}

static void put_calls(struct answer_output *output, const struct answer *answer)
{
    for (size_t i = 0; i < answer->part_count; i++) {
        const struct answer_part *part = &answer->parts[i];
        if (part->kind != ANSWER_TOOL)
            continue;
        if (part->tool_number == 0)
            answer_output_put(output, ",'tool_calls':[");
        else
            answer_output_put(output, ",");
        answer_output_put(output, "{'id':'%.*s','type':'function','function':{'name':'%.*s','arguments':'%.*s'}}",
                          SLICE_ARGUMENTS(part->id), SLICE_ARGUMENTS(part->name),
                          SLICE_ARGUMENTS(buffer_contents(&part->text)));
        if (part->tool_number + 1 == answer->tool_count)
            answer_output_put(output, "]");
    }
}

static bool write_document(const struct answer *answer, struct buffer *out)
{
    struct answer_output output = answer_output_begin(out);
    bool has_calls = answer->tool_count > 0 && !answer->has_schema_part;
    put_head(&output, answer, "chat.completion");
    answer_output_put(&output, ",'choices':[{'index':0,'message':{'role':'assistant','content':");
    put_texts(&output, answer, ANSWER_TEXT, has_calls || answer->has_refusal);
    answer_output_put(&output, ",'refusal':");
    put_texts(&output, answer, ANSWER_REFUSAL, true);
    put_calls(&output, answer);
    answer_output_put(&output, "},'logprobs':null,'finish_reason':'%s'}]", finish_reason(answer));
    if (answer->usage.is_known)
        put_usage(&output, answer);
    answer_output_put(&output, "}");
    return answer_output_end(&output);
}

/* ---- chunks ---- */

static struct answer_output begin_chunk(const struct answer *answer, struct buffer *out)
{
    struct answer_output output = answer_output_begin(out);
    answer_output_put(&output, "data: ");
    put_head(&output, answer, "chat.completion.chunk");
    answer_output_put(&output, ",'choices':[{'index':0,'delta':{");
    return output;
}

/* With include_usage "all other chunks will also include a usage field, but with a null value". */
static bool end_chunk(struct answer_output *output, const struct answer *answer, const char *reason)
{
    answer_output_put(output, "},'logprobs':null,'finish_reason':");
    if (reason)
        answer_output_put(output, "'%s'}]", reason);
    else
        answer_output_put(output, "null}]");
    answer_output_put(output, answer->asks_usage ? ",'usage':null}\n\n" : "}\n\n");
    return answer_output_end(output);
}

static bool write_start(struct answer *answer, struct buffer *out)
{
    struct answer_output output = begin_chunk(answer, out);
    answer_output_put(&output, "'role':'assistant','content':'','refusal':null");
    return end_chunk(&output, answer, NULL);
}

static bool write_part_begin(struct answer *answer, const struct answer_part *part, struct buffer *out)
{
    if (part->kind != ANSWER_TOOL)
        return true;
    struct answer_output output = begin_chunk(answer, out);
    answer_output_put(&output, "'tool_calls':[{'index':%zu,'id':'%.*s','type':'function',", part->tool_number,
                      SLICE_ARGUMENTS(part->id));
    answer_output_put(&output, "'function':{'name':'%.*s','arguments':''}}]", SLICE_ARGUMENTS(part->name));
    return end_chunk(&output, answer, NULL);
}

static bool write_part_delta(struct answer *answer, const struct answer_part *part, struct slice text,
                             struct buffer *out)
{
    struct answer_output output = begin_chunk(answer, out);
    if (part->kind == ANSWER_TOOL)
        answer_output_put(&output, "'tool_calls':[{'index':%zu,'function':{'arguments':'%.*s'}}]", part->tool_number,
                          SLICE_ARGUMENTS(text));
    else
        answer_output_put(&output, part->kind == ANSWER_TEXT ? "'content':'%.*s'" : "'refusal':'%.*s'",
                          SLICE_ARGUMENTS(text));
    return end_chunk(&output, answer, NULL);
}

static bool write_part_end(struct answer *answer, const struct answer_part *part, struct buffer *out)
{
    (void)answer, (void)part, (void)out; /* nothing says so in this api */
    return true;
}

static bool write_end(struct answer *answer, struct buffer *out)
{
    struct answer_output output = begin_chunk(answer, out);
    if (!end_chunk(&output, answer, finish_reason(answer)))
        return false;
    output = answer_output_begin(out);
    if (answer->asks_usage && answer->usage.is_known) {
        answer_output_put(&output, "data: ");
        put_head(&output, answer, "chat.completion.chunk");
        answer_output_put(&output, ",'choices':[]");
        put_usage(&output, answer);
        answer_output_put(&output, "}\n\n");
    }
    answer_output_put(&output, "data: [DONE]\n\n");
    return answer_output_end(&output);
}

const struct answer_writer answer_chat_writer = {.write_document = write_document,
                                                 .write_start = write_start,
                                                 .write_part_begin = write_part_begin,
                                                 .write_part_delta = write_part_delta,
                                                 .write_part_end = write_part_end,
                                                 .write_end = write_end};
