/* SPDX-License-Identifier: Apache-2.0 */
/* OpenAI dialect: keys, errors, Chat Completions and legacy completions, JSON and SSE. Usage in a stream comes only
 * when stream_options.include_usage asks for it, as one last chunk without choices; all others then say usage null.
 */
#include "tests/provider/exchange.h"

#include <inttypes.h>

static const char *openai_find_key(const struct request *request, char *scratch)
{
    (void)scratch;
    return key_find_bearer(request);
}

static void error_object_add(const struct refusal *refusal, struct buffer *out)
{
    const struct problem *problem = refusal->problem;
    buffer_add(out, "{\"error\":{\"message\":\"");
    const char *message = refusal->message ? refusal->message : problem->message;
    buffer_add(out, message);
    buffer_format(out, "\",\"type\":\"%s\",", problem->openai_type);
    if (refusal->param)
        buffer_format(out, "\"param\":\"%s\",", refusal->param);
    else
        buffer_add(out, "\"param\":null,");
    if (problem->openai_code)
        buffer_format(out, "\"code\":\"%s\"}}", problem->openai_code);
    else
        buffer_add(out, "\"code\":null}}");
}

static void openai_write_error(const struct exchange *exchange, const struct refusal *refusal, struct buffer *out)
{
    (void)exchange;
    error_object_add(refusal, out);
}

static void openai_write_error_event(const struct exchange *exchange, const struct refusal *refusal, struct buffer *out)
{
    (void)exchange;
    buffer_add(out, "data: ");
    error_object_add(refusal, out);
    buffer_add(out, "\n\n");
}

const struct dialect dialect_openai = {
    .name = "openai",
    .id_header = "x-request-id",
    .find_key = openai_find_key,
    .write_error = openai_write_error,
    .write_error_event = openai_write_error_event,
};

static void usage_write(const struct exchange *exchange, struct buffer *out)
{
    const struct usage *usage = &exchange->usage;
    uint64_t prompt = usage_get_prompt(usage), written = usage->cache_write + usage->cache_write_1h;
    buffer_format(out, "\"usage\":{\"prompt_tokens\":%" PRIu64 ",\"completion_tokens\":%" PRIu64, prompt, usage->out);
    buffer_format(out,
                  ",\"total_tokens\":%" PRIu64 ",\"prompt_tokens_details\":{\"cached_tokens\":%" PRIu64
                  ",\"audio_tokens\":0",
                  prompt + usage->out, usage->cache_read);
    if (written)
        buffer_format(out, ",\"cache_write_tokens\":%" PRIu64, written);
    buffer_format(out,
                  "},\"completion_tokens_details\":{\"reasoning_tokens\":%" PRIu64
                  ",\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}",
                  usage->reasoning);
}

static const char *tier_get(const struct exchange *exchange)
{
    return exchange->behaviour.tier[0] ? exchange->behaviour.tier : "default";
}

static const char *finish_get(const struct exchange *exchange)
{
    if (exchange->answer.truncated)
        return "length";
    return exchange->answer.kind == ANSWER_TOOL ? "tool_calls" : "stop";
}

static void envelope_add(const struct exchange *exchange, const char *prefix, const char *object, struct buffer *out)
{
    buffer_format(out,
                  "{\"id\":\"%s-%06" PRIx64 "\",\"object\":\"%s\",\"created\":%lld,\"model\":\"%s\","
                  "\"service_tier\":\"%s\",\"system_fingerprint\":\"fp_standin\",\"choices\":[",
                  prefix, exchange->sequence, object, (long long)exchange->arrived.tv_sec, exchange->prompt.model,
                  tier_get(exchange));
}

/* Opens call `call` of a choice, up to its arguments. */
static void tool_call_open(const struct exchange *exchange, uint32_t choice, uint32_t call, bool indexed,
                           struct buffer *out)
{
    buffer_add(out, "{");
    if (indexed)
        buffer_format(out, "\"index\":%" PRIu32 ",", call);
    buffer_format(out,
                  "\"id\":\"call_%06" PRIx64 "_%" PRIu32 "_%" PRIu32
                  "\",\"type\":\"function\",\"function\":{\"name\":\"%s\",\"arguments\":\"",
                  exchange->sequence, choice, call, exchange->prompt.tool_name);
}

static void tool_calls_add(const struct exchange *exchange, uint32_t choice, struct buffer *out)
{
    buffer_add(out, "\"content\":null,\"refusal\":null,\"tool_calls\":[");
    for (uint32_t call = 0; call < answer_count_calls(&exchange->answer); call++) {
        buffer_add(out, call ? "," : "");
        tool_call_open(exchange, choice, call, false, out);
        answer_add_call(&exchange->answer, call, out);
        buffer_add(out, "\"}}");
    }
    buffer_add(out, "]");
}

/* A refusal stands in a member of its own, with content null. */
static void text_add(const struct answer *answer, struct buffer *out)
{
    if (answer->thinking_pieces) {
        buffer_add(out, "\"reasoning_content\":\"");
        answer_add_thinking(answer, out);
        buffer_add(out, "\",");
    }
    buffer_add(out, answer->refused ? "\"content\":null,\"refusal\":\"" : "\"refusal\":null,\"content\":\"");
    answer_add_text(answer, out);
    buffer_add(out, "\"");
}

static void choice_add(const struct exchange *exchange, uint32_t choice, struct buffer *out)
{
    struct answer answer = exchange->answer;
    if (choice)
        answer.pad_bytes = 0;
    buffer_format(out, "%s{\"index\":%" PRIu32 ",\"message\":{\"role\":\"assistant\",", choice ? "," : "", choice);
    if (answer.kind == ANSWER_TOOL)
        tool_calls_add(exchange, choice, out);
    else
        text_add(&answer, out);
    buffer_format(out, ",\"annotations\":[]},\"logprobs\":null,\"finish_reason\":\"%s\"}", finish_get(exchange));
}

void openai_write_chat(const struct exchange *exchange, struct buffer *out)
{
    envelope_add(exchange, "chatcmpl", "chat.completion", out);
    for (uint32_t choice = 0; choice < exchange->prompt.choices; choice++)
        choice_add(exchange, choice, out);
    buffer_add(out, "]");
    if (exchange->behaviour.fault.usage != FAULT_USAGE_NONE) {
        buffer_add(out, ",");
        usage_write(exchange, out);
    }
    buffer_add(out, "}");
}

void openai_write_completion(const struct exchange *exchange, struct buffer *out)
{
    envelope_add(exchange, "cmpl", "text_completion", out);
    for (uint32_t choice = 0; choice < exchange->prompt.choices; choice++) {
        struct answer answer = exchange->answer;
        if (choice)
            answer.pad_bytes = 0;
        buffer_format(out, "%s{\"index\":%" PRIu32 ",\"text\":\"", choice ? "," : "", choice);
        answer_add_text(&answer, out);
        buffer_format(out, "\",\"logprobs\":null,\"finish_reason\":\"%s\"}", finish_get(exchange));
    }
    buffer_add(out, "]");
    if (exchange->behaviour.fault.usage != FAULT_USAGE_NONE) {
        buffer_add(out, ",");
        usage_write(exchange, out);
    }
    buffer_add(out, "}");
}

static void chunk_open(const struct exchange *exchange, bool chat, struct buffer *out)
{
    buffer_add(out, "data: ");
    envelope_add(exchange, chat ? "chatcmpl" : "cmpl", chat ? "chat.completion.chunk" : "text_completion", out);
}

static void chunk_close(const struct exchange *exchange, struct buffer *out)
{
    buffer_add(out, exchange->prompt.include_usage ? "],\"usage\":null}\n\n" : "]}\n\n");
}

static void chat_role(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    for (uint32_t choice = 0; choice < exchange->prompt.choices; choice++) {
        chunk_open(exchange, true, out);
        buffer_format(out, "{\"index\":%" PRIu32 ",\"delta\":{\"role\":\"assistant\",", choice);
        if (exchange->answer.kind == ANSWER_TOOL) {
            buffer_add(out, "\"content\":null,\"tool_calls\":[");
            tool_call_open(exchange, choice, 0, true, out);
            buffer_add(out, "\"}}]");
        } else if (exchange->answer.refused) {
            buffer_add(out, "\"content\":null,\"refusal\":\"\"");
        } else {
            buffer_add(out, "\"content\":\"\",\"refusal\":null");
        }
        buffer_add(out, "},\"logprobs\":null,\"finish_reason\":null}");
        chunk_close(exchange, out);
    }
}

static void delta_open(const struct exchange *exchange, uint32_t choice, struct buffer *out)
{
    chunk_open(exchange, true, out);
    buffer_format(out, "{\"index\":%" PRIu32 ",\"delta\":{", choice);
}

static void delta_close(const struct exchange *exchange, struct buffer *out)
{
    buffer_add(out, "},\"logprobs\":null,\"finish_reason\":null}");
    chunk_close(exchange, out);
}

static void chat_thinking(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    for (uint32_t i = 0; i < exchange->answer.thinking_pieces; i++) {
        delta_open(exchange, 0, out);
        buffer_add(out, "\"reasoning_content\":\"");
        answer_add_thinking_piece(i, out);
        buffer_add(out, "\"");
        delta_close(exchange, out);
    }
}

/* The first piece of a call that is not the first opens it, too. */
static void tool_piece_add(const struct exchange *exchange, uint32_t choice, uint32_t index, struct buffer *out)
{
    uint32_t call = answer_get_call(&exchange->answer, index);
    buffer_add(out, "\"tool_calls\":[");
    if (call && answer_begins_call(&exchange->answer, index))
        tool_call_open(exchange, choice, call, true, out);
    else
        buffer_format(out, "{\"index\":%" PRIu32 ",\"function\":{\"arguments\":\"", call);
    answer_add_piece(&exchange->answer, index, out);
    buffer_add(out, "\"}}]");
}

static void chat_piece(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    for (uint32_t choice = 0; choice < exchange->prompt.choices; choice++) {
        delta_open(exchange, choice, out);
        if (exchange->answer.kind == ANSWER_TOOL) {
            tool_piece_add(exchange, choice, index, out);
        } else {
            buffer_add(out, exchange->answer.refused ? "\"refusal\":\"" : "\"content\":\"");
            answer_add_piece(&exchange->answer, index, out);
            buffer_add(out, "\"");
        }
        delta_close(exchange, out);
    }
}

static void chat_finish(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    for (uint32_t choice = 0; choice < exchange->prompt.choices; choice++) {
        chunk_open(exchange, true, out);
        buffer_format(out, "{\"index\":%" PRIu32 ",\"delta\":{},\"logprobs\":null,\"finish_reason\":\"%s\"}", choice,
                      finish_get(exchange));
        chunk_close(exchange, out);
    }
}

static void completion_piece(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    for (uint32_t choice = 0; choice < exchange->prompt.choices; choice++) {
        chunk_open(exchange, false, out);
        buffer_format(out, "{\"index\":%" PRIu32 ",\"text\":\"", choice);
        answer_add_piece(&exchange->answer, index, out);
        buffer_add(out, "\",\"logprobs\":null,\"finish_reason\":null}");
        chunk_close(exchange, out);
    }
}

static void completion_finish(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    for (uint32_t choice = 0; choice < exchange->prompt.choices; choice++) {
        chunk_open(exchange, false, out);
        buffer_format(out, "{\"index\":%" PRIu32 ",\"text\":\"\",\"logprobs\":null,\"finish_reason\":\"%s\"}", choice,
                      finish_get(exchange));
        chunk_close(exchange, out);
    }
}

static void usage_chunk(const struct exchange *exchange, bool chat, struct buffer *out)
{
    if (!exchange->prompt.include_usage || exchange->behaviour.fault.usage == FAULT_USAGE_NONE)
        return;
    chunk_open(exchange, chat, out);
    buffer_add(out, "],");
    usage_write(exchange, out);
    buffer_add(out, "}\n\n");
}

static void chat_usage(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    usage_chunk(exchange, true, out);
}

static void completion_usage(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    usage_chunk(exchange, false, out);
}

static void done_event(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)exchange;
    (void)index;
    buffer_add(out, "data: [DONE]\n\n");
}

const struct stream_format openai_chat_stream = {
    .heads = {chat_role, chat_thinking}, .piece = chat_piece, .tails = {chat_finish, chat_usage, done_event}};
const struct stream_format openai_completion_stream = {.piece = completion_piece,
                                                       .tails = {completion_finish, completion_usage, done_event}};
