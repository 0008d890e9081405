/* SPDX-License-Identifier: Apache-2.0 */
/* Gemini dialect: keys (header, query or Bearer), errors, generateContent, streamGenerateContent as SSE and as a JSON
 * array, countTokens, models. Every chunk has cumulative usage; promptTokenCount includes what came from the cache.
 */
#include "tests/provider/exchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *gemini_find_key(const struct request *request, char *scratch)
{
    if (request->x_goog_api_key[0])
        return request->x_goog_api_key;
    const char *query = request->query;
    while (query && *query) {
        if (strncmp(query, "key=", 4) == 0) {
            snprintf(scratch, 512, "%.*s", (int)strcspn(query + 4, "&"), query + 4);
            return scratch;
        }
        query = strchr(query, '&');
        query = query ? query + 1 : NULL;
    }
    return key_find_bearer(request);
}

static void gemini_write_error(const struct exchange *exchange, const struct refusal *refusal, struct buffer *out)
{
    (void)exchange;
    const struct problem *problem = refusal->problem;
    buffer_format(out, "{\"error\":{\"code\":%d,\"message\":\"", problem->status);
    buffer_add(out, refusal->message ? refusal->message : problem->message);
    buffer_format(out, "\",\"status\":\"%s\"}}", problem->gemini_status);
}

static void chunk_open(const struct exchange *exchange, bool first, struct buffer *out)
{
    if (!exchange->array)
        buffer_add(out, "data: ");
    else
        buffer_add(out, first ? "[" : ",\r\n");
}

static void chunk_close(const struct exchange *exchange, struct buffer *out)
{
    if (!exchange->array)
        buffer_add(out, "\r\n\r\n");
}

static void gemini_write_error_event(const struct exchange *exchange, const struct refusal *refusal, struct buffer *out)
{
    chunk_open(exchange, exchange->frame_next == 0, out);
    gemini_write_error(exchange, refusal, out);
    buffer_add(out, exchange->array ? "]" : "\r\n\r\n");
}

const struct dialect dialect_gemini = {
    .name = "gemini",
    .id_header = "x-request-id",
    .find_key = gemini_find_key,
    .write_error = gemini_write_error,
    .write_error_event = gemini_write_error_event,
};

static void count_add(const char *name, uint64_t count, struct buffer *out)
{
    if (count)
        buffer_format(out, ",\"%s\":%" PRIu64, name, count);
}

/* candidates: tokens of the text so far; thoughts are complete from the first chunk on. */
static void usage_write(const struct exchange *exchange, uint64_t candidates, struct buffer *out)
{
    const struct usage *usage = &exchange->usage;
    uint64_t prompt = usage_get_prompt(usage);
    if (exchange->behaviour.fault.usage == FAULT_USAGE_NONE)
        return;
    buffer_format(out,
                  ",\"usageMetadata\":{\"promptTokenCount\":%" PRIu64 ",\"candidatesTokenCount\":%" PRIu64
                  ",\"totalTokenCount\":%" PRIu64
                  ",\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":%" PRIu64 "}]",
                  prompt, candidates, prompt + candidates + usage->reasoning + usage->tool_prompt, prompt);
    count_add("cachedContentTokenCount", usage->cache_read, out);
    count_add("thoughtsTokenCount", usage->reasoning, out);
    count_add("toolUsePromptTokenCount", usage->tool_prompt, out);
    buffer_add(out, "}");
}

static void call_add(const struct exchange *exchange, struct buffer *out)
{
    buffer_format(out, "{\"functionCall\":{\"name\":\"%s\",\"args\":%s}}", exchange->prompt.tool_name,
                  exchange->prompt.fixed);
}

static void thought_add(const struct exchange *exchange, struct buffer *out)
{
    buffer_add(out, "{\"thought\":true,\"text\":\"");
    answer_add_thinking(&exchange->answer, out);
    buffer_add(out, "\"}");
}

static void parts_add(const struct exchange *exchange, const struct answer *answer, struct buffer *out)
{
    if (answer->thinking_pieces) {
        thought_add(exchange, out);
        buffer_add(out, ",");
    }
    if (answer->kind != ANSWER_TOOL) {
        buffer_add(out, "{\"text\":\"");
        answer_add_text(answer, out);
        buffer_add(out, "\"}");
        return;
    }
    for (uint32_t call = 0; call < answer_count_calls(answer); call++) {
        buffer_add(out, call ? "," : "");
        call_add(exchange, out);
    }
}

static const char *finish_get(const struct exchange *exchange)
{
    if (exchange->answer.truncated)
        return "MAX_TOKENS";
    return exchange->answer.refused ? "SAFETY" : "STOP";
}

static void candidate_close(const struct exchange *exchange, uint32_t choice, bool finished, struct buffer *out)
{
    buffer_add(out, "],\"role\":\"model\"}");
    if (finished)
        buffer_format(out, ",\"finishReason\":\"%s\"", finish_get(exchange));
    buffer_format(out, ",\"index\":%" PRIu32 "}", choice);
}

static void envelope_close(const struct exchange *exchange, uint64_t candidates, struct buffer *out)
{
    buffer_add(out, "]");
    usage_write(exchange, candidates, out);
    buffer_format(out, ",\"modelVersion\":\"%s\",\"responseId\":\"resp%06" PRIx64 "\"}", exchange->prompt.model,
                  exchange->sequence);
}

void gemini_write(const struct exchange *exchange, struct buffer *out)
{
    buffer_add(out, "{\"candidates\":[");
    for (uint32_t choice = 0; choice < exchange->prompt.choices; choice++) {
        struct answer answer = exchange->answer;
        if (choice)
            answer.pad_bytes = 0;
        buffer_add(out, choice ? ",{\"content\":{\"parts\":[" : "{\"content\":{\"parts\":[");
        parts_add(exchange, &answer, out);
        candidate_close(exchange, choice, true, out);
    }
    envelope_close(exchange, exchange->usage.out - exchange->usage.reasoning, out);
}

/* Thoughts come first, in a chunk of their own. */
static void stream_thought(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    if (!exchange->answer.thinking_pieces)
        return;
    chunk_open(exchange, true, out);
    buffer_add(out, "{\"candidates\":[{\"content\":{\"parts\":[");
    thought_add(exchange, out);
    candidate_close(exchange, 0, false, out);
    envelope_close(exchange, 0, out);
    chunk_close(exchange, out);
}

static bool is_end_of_call(const struct answer *answer, uint32_t index)
{
    return index + 1 == answer->pieces || answer_begins_call(answer, index + 1);
}

/* A function call is one part, never split: it comes with its last piece. */
static void stream_piece(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    const struct answer *answer = &exchange->answer;
    bool tool = answer->kind == ANSWER_TOOL, last = index + 1 == answer->pieces;
    if (tool && !is_end_of_call(answer, index))
        return;
    chunk_open(exchange, !answer->thinking_pieces && (tool ? answer_get_call(answer, index) == 0 : index == 0), out);
    buffer_add(out, "{\"candidates\":[");
    for (uint32_t choice = 0; choice < exchange->prompt.choices; choice++) {
        buffer_add(out, choice ? ",{\"content\":{\"parts\":[" : "{\"content\":{\"parts\":[");
        if (tool) {
            call_add(exchange, out);
        } else {
            buffer_add(out, "{\"text\":\"");
            answer_add_piece(answer, index, out);
            buffer_add(out, "\"}");
        }
        candidate_close(exchange, choice, last, out);
    }
    uint64_t candidates = (uint64_t)(index + 1) * exchange->prompt.choices;
    envelope_close(exchange, exchange->usage.out ? candidates : 0, out);
    chunk_close(exchange, out);
}

static void stream_end(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    if (exchange->array)
        buffer_add(out, "]");
}

const struct stream_format gemini_stream = {.heads = {stream_thought}, .piece = stream_piece, .tails = {stream_end}};

void gemini_write_count(const struct exchange *exchange, struct buffer *out)
{
    buffer_format(out, "{\"totalTokens\":%" PRIu32 "}", exchange->prompt.tokens);
}

void gemini_write_models(const struct exchange *exchange, struct buffer *out)
{
    (void)exchange;
    buffer_add(out, "{\"models\":[{\"name\":\"models/gemini-2.5-flash\",\"displayName\":\"Stand-in\","
                    "\"supportedGenerationMethods\":[\"generateContent\",\"embedContent\"]}]}");
}
