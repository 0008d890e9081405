/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of Anthropic Messages as a client reads them, whole or as events. Called through answer_messages_writer. One
 * block is open at a time, blocks are numbered in order; a target that counts tokens only at its end leaves 0 in
 * message_start, and message_delta says all of them: it is cumulative, and Anthropic's SDKs take each member of it that
 * is there.
 */
#include "answer.h"

static const char *stop_reason(const struct answer *answer)
{
    static const char *const reasons[ANSWER_STOP_COUNT] = {[ANSWER_STOP_NONE] = "end_turn",
                                                           [ANSWER_STOP_END] = "end_turn",
                                                           [ANSWER_STOP_LENGTH] = "max_tokens",
                                                           [ANSWER_STOP_TOOL] = "tool_use",
                                                           [ANSWER_STOP_FILTER] = "refusal"};
    /* Chat's `refusal` beside a plain "stop": the text becomes a block, what it is is said here. */
    bool is_refusal = answer->stop == ANSWER_STOP_END && answer->has_refusal;
    return is_refusal ? "refusal" : reasons[answer->stop];
}

static void put_usage(struct answer_output *output, const struct answer_usage *usage)
{
    answer_output_put(output, "'usage':{'input_tokens':%lld,'cache_creation_input_tokens':%lld,",
                      (long long)usage->input, (long long)usage->cache_write);
    answer_output_put(output, "'cache_read_input_tokens':%lld,'output_tokens':%lld,", (long long)usage->cache_read,
                      (long long)usage->output);
    answer_output_put(output, "'output_tokens_details':{'thinking_tokens':%lld}}", (long long)usage->reasoning);
}

static void put_head(struct answer_output *output, const struct answer *answer)
{
    answer_output_put(output, "{'id':'msg_%.*s','type':'message','role':'assistant','model':'%.*s','content':[",
                      SLICE_ARGUMENTS(answer->id), SLICE_ARGUMENTS(answer->model));
}

/* `input` is an object. What is none goes in one, the way that Anthropic's guide to fine-grained tool streaming names
 * for handing invalid JSON on: nothing of it is lost, and the client's next request is valid. */
static void put_input(struct answer_output *output, struct slice escaped)
{
    struct arena *arena = arena_new(escaped.length * 2 + 256);
    struct slice text;
    bool is_object = answer_decode(escaped, arena, &text) && json_scan(text, ANSWER_DEPTH_MAX, NULL, 0, NULL) == 0 &&
                     text.data[strspn(text.data, " \t\r\n")] == '{';
    if (is_object)
        answer_output_put(output, "%.*s", SLICE_ARGUMENTS(text));
    else
        answer_output_put(output, "{'INVALID_JSON':'%.*s'}", SLICE_ARGUMENTS(escaped));
    arena_free(arena);
}

static void put_block(struct answer_output *output, const struct answer_part *part)
{
    struct slice text = buffer_contents(&part->text);
    if (part->number)
        answer_output_put(output, ",");
    if (part->kind != ANSWER_TOOL) {
        answer_output_put(output, "{'type':'text','text':'%.*s'}", SLICE_ARGUMENTS(text));
        return;
    }
    answer_output_put(output, "{'type':'tool_use','id':'%.*s','name':'%.*s','input':", SLICE_ARGUMENTS(part->id),
                      SLICE_ARGUMENTS(part->name));
    put_input(output, text);
    answer_output_put(output, "}");
}

static bool write_document(const struct answer *answer, struct buffer *out)
{
    struct answer_output output = answer_output_begin(out);
    put_head(&output, answer);
    for (size_t i = 0; i < answer->part_count; i++)
        put_block(&output, &answer->parts[i]);
    answer_output_put(&output, "],'stop_reason':'%s','stop_sequence':null,", stop_reason(answer));
    put_usage(&output, &answer->usage);
    answer_output_put(&output, "}");
    return answer_output_end(&output);
}

/* ---- events ---- */

static struct answer_output begin_event(const char *type, struct buffer *out)
{
    struct answer_output output = answer_output_begin(out);
    answer_output_put(&output, "event: %s\ndata: {'type':'%s'", type, type);
    return output;
}

static bool end_event(struct answer_output *output)
{
    answer_output_put(output, "}\n\n");
    return answer_output_end(output);
}

static bool write_start(struct answer *answer, struct buffer *out)
{
    struct answer_output output = begin_event("message_start", out);
    answer_output_put(&output, ",'message':");
    put_head(&output, answer);
    answer_output_put(&output, "],'stop_reason':null,'stop_sequence':null,");
    put_usage(&output, &answer->usage);
    answer_output_put(&output, "}");
    return end_event(&output);
}

static bool write_part_begin(struct answer *answer, const struct answer_part *part, struct buffer *out)
{
    (void)answer;
    struct answer_output output = begin_event("content_block_start", out);
    answer_output_put(&output, ",'index':%zu,'content_block':", part->number);
    if (part->kind == ANSWER_TOOL)
        answer_output_put(&output, "{'type':'tool_use','id':'%.*s','name':'%.*s','input':{}}",
                          SLICE_ARGUMENTS(part->id), SLICE_ARGUMENTS(part->name));
    else
        answer_output_put(&output, "{'type':'text','text':''}");
    return end_event(&output);
}

static bool write_part_delta(struct answer *answer, const struct answer_part *part, struct slice text,
                             struct buffer *out)
{
    (void)answer;
    struct answer_output output = begin_event("content_block_delta", out);
    answer_output_put(&output, ",'index':%zu,'delta':", part->number);
    answer_output_put(&output,
                      part->kind == ANSWER_TOOL ? "{'type':'input_json_delta','partial_json':'%.*s'}"
                                                : "{'type':'text_delta','text':'%.*s'}",
                      SLICE_ARGUMENTS(text));
    return end_event(&output);
}

static bool write_part_end(struct answer *answer, const struct answer_part *part, struct buffer *out)
{
    (void)answer;
    struct answer_output output = begin_event("content_block_stop", out);
    answer_output_put(&output, ",'index':%zu", part->number);
    return end_event(&output);
}

static bool write_end(struct answer *answer, struct buffer *out)
{
    struct answer_output output = begin_event("message_delta", out);
    answer_output_put(&output, ",'delta':{'stop_reason':'%s','stop_sequence':null},", stop_reason(answer));
    put_usage(&output, &answer->usage);
    if (!end_event(&output))
        return false;
    output = begin_event("message_stop", out);
    return end_event(&output);
}

const struct answer_writer answer_messages_writer = {.write_document = write_document,
                                                     .write_start = write_start,
                                                     .write_part_begin = write_part_begin,
                                                     .write_part_delta = write_part_delta,
                                                     .write_part_end = write_part_end,
                                                     .write_end = write_end};
