/* SPDX-License-Identifier: Apache-2.0 */
/* Anthropic dialect: keys, errors, Messages (JSON and SSE), count_tokens, models. Usage: input_tokens is the fresh
 * part only; message_start has the input, message_delta the cumulative output.
 */
#include "tests/provider/exchange.h"

#include <inttypes.h>

static const char *anthropic_find_key(const struct request *request, char *scratch)
{
    (void)scratch;
    return request->x_api_key[0] ? request->x_api_key : key_find_bearer(request);
}

static void error_object_add(const struct exchange *exchange, const struct refusal *refusal, struct buffer *out)
{
    buffer_format(out, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"",
                  refusal->problem->anthropic_type);
    const char *message = refusal->message ? refusal->message : refusal->problem->message;
    buffer_add(out, message);
    buffer_format(out, "\"},\"request_id\":\"req_%06" PRIx64 "\"}", exchange->sequence);
}

static void anthropic_write_error_event(const struct exchange *exchange, const struct refusal *refusal,
                                        struct buffer *out)
{
    buffer_add(out, "event: error\ndata: ");
    error_object_add(exchange, refusal, out);
    buffer_add(out, "\n\n");
}

const struct dialect dialect_anthropic = {
    .name = "anthropic",
    .id_header = "request-id",
    .version_needed = "anthropic-version: header is required",
    .find_key = anthropic_find_key,
    .write_error = error_object_add,
    .write_error_event = anthropic_write_error_event,
};

static const char *stop_get(const struct exchange *exchange)
{
    if (exchange->answer.truncated)
        return "max_tokens";
    if (exchange->answer.refused)
        return "refusal";
    return exchange->answer.kind == ANSWER_TOOL ? "tool_use" : "end_turn";
}

static void usage_write(const struct exchange *exchange, const struct usage *usage, uint64_t out_tokens,
                        struct buffer *out)
{
    buffer_format(out,
                  ",\"usage\":{\"input_tokens\":%" PRIu64 ",\"cache_creation_input_tokens\":%" PRIu64
                  ",\"cache_read_input_tokens\":%" PRIu64 ",\"cache_creation\":{\"ephemeral_5m_input_tokens\":%" PRIu64
                  ",\"ephemeral_1h_input_tokens\":%" PRIu64 "},\"output_tokens\":%" PRIu64 ",\"service_tier\":\"%s\"}",
                  usage->fresh, usage->cache_write + usage->cache_write_1h, usage->cache_read, usage->cache_write,
                  usage->cache_write_1h, out_tokens,
                  exchange->behaviour.tier[0] ? exchange->behaviour.tier : "standard");
}

static bool usage_is_shown(const struct exchange *exchange)
{
    return exchange->behaviour.fault.usage != FAULT_USAGE_NONE;
}

static bool input_is_late(const struct exchange *exchange)
{
    return behaviour_get(exchange->behaviour.late_input, 0) != 0;
}

static void message_open(const struct exchange *exchange, struct buffer *out)
{
    buffer_format(
        out, "{\"id\":\"msg_%06" PRIx64 "\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"%s\",\"content\":[",
        exchange->sequence, exchange->prompt.model);
}

static void tool_open(const struct exchange *exchange, uint32_t call, struct buffer *out)
{
    buffer_format(out, "{\"type\":\"tool_use\",\"id\":\"toolu_%06" PRIx64 "_%" PRIu32 "\",\"name\":\"%s\",\"input\":",
                  exchange->sequence, call, exchange->prompt.tool_name);
}

/* A call that max_tokens cut has no input that could be read. */
static void tools_add(const struct exchange *exchange, struct buffer *out)
{
    const struct answer *answer = &exchange->answer;
    for (uint32_t call = 0; call < answer_count_calls(answer); call++) {
        bool whole = (call + 1) * answer->call_pieces <= answer->pieces;
        buffer_add(out, call ? "," : "");
        tool_open(exchange, call, out);
        buffer_add(out, whole ? exchange->prompt.fixed : "{}");
        buffer_add(out, "}");
    }
}

static void thinking_add(const struct exchange *exchange, struct buffer *out)
{
    buffer_add(out, "{\"type\":\"thinking\",\"thinking\":\"");
    answer_add_thinking(&exchange->answer, out);
    buffer_format(out, "\",\"signature\":\"c2lnbmF0dXJl%06" PRIx64 "\"}", exchange->sequence);
}

void anthropic_write_message(const struct exchange *exchange, struct buffer *out)
{
    message_open(exchange, out);
    if (exchange->answer.thinking_pieces) {
        thinking_add(exchange, out);
        buffer_add(out, ",");
    }
    if (exchange->answer.kind == ANSWER_TOOL) {
        tools_add(exchange, out);
    } else {
        buffer_add(out, "{\"type\":\"text\",\"text\":\"");
        answer_add_text(&exchange->answer, out);
        buffer_add(out, "\"}");
    }
    buffer_format(out, "],\"stop_reason\":\"%s\",\"stop_sequence\":null", stop_get(exchange));
    if (usage_is_shown(exchange))
        usage_write(exchange, &exchange->usage, exchange->usage.out, out);
    buffer_add(out, "}");
}

void anthropic_write_count(const struct exchange *exchange, struct buffer *out)
{
    buffer_format(out, "{\"input_tokens\":%" PRIu32 "}", exchange->prompt.tokens);
}

void anthropic_write_models(const struct exchange *exchange, struct buffer *out)
{
    (void)exchange;
    buffer_add(out, "{\"data\":[{\"type\":\"model\",\"id\":\"claude-sonnet-4-5\",\"display_name\":\"Stand-in\","
                    "\"created_at\":\"2025-09-29T00:00:00Z\"}],\"has_more\":false,"
                    "\"first_id\":\"claude-sonnet-4-5\",\"last_id\":\"claude-sonnet-4-5\"}");
}

static void stream_start(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    buffer_add(out, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":");
    message_open(exchange, out);
    buffer_add(out, "],\"stop_reason\":null,\"stop_sequence\":null");
    static const struct usage nothing;
    if (usage_is_shown(exchange))
        usage_write(exchange, input_is_late(exchange) ? &nothing : &exchange->usage, exchange->usage.out ? 1 : 0, out);
    buffer_add(out, "}}\n\n");
}

/* Blocks before the answer's first. */
static uint32_t block_get_first(const struct exchange *exchange)
{
    return exchange->answer.thinking_pieces ? 1 : 0;
}

static void block_start_add(const struct exchange *exchange, uint32_t call, struct buffer *out)
{
    buffer_format(out,
                  "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":%" PRIu32
                  ",\"content_block\":",
                  block_get_first(exchange) + call);
    if (exchange->answer.kind == ANSWER_TOOL) {
        tool_open(exchange, call, out);
        buffer_add(out, "{}}");
    } else {
        buffer_add(out, "{\"type\":\"text\",\"text\":\"\"}");
    }
    buffer_add(out, "}\n\n");
}

static void block_stop_add(uint32_t block, struct buffer *out)
{
    buffer_format(out, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":%" PRIu32 "}\n\n",
                  block);
}

static void delta_open(uint32_t block, struct buffer *out)
{
    buffer_format(
        out,
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":%" PRIu32 ",\"delta\":", block);
}

static void stream_thinking(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    if (!exchange->answer.thinking_pieces)
        return;
    buffer_add(out, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
                    "\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n");
    for (uint32_t i = 0; i < exchange->answer.thinking_pieces; i++) {
        delta_open(0, out);
        buffer_add(out, "{\"type\":\"thinking_delta\",\"thinking\":\"");
        answer_add_thinking_piece(i, out);
        buffer_add(out, "\"}}\n\n");
    }
    delta_open(0, out);
    buffer_format(out, "{\"type\":\"signature_delta\",\"signature\":\"c2lnbmF0dXJl%06" PRIx64 "\"}}\n\n",
                  exchange->sequence);
    block_stop_add(0, out);
}

static void stream_block_start(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    block_start_add(exchange, 0, out);
}

static void stream_ping(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)exchange;
    (void)index;
    buffer_add(out, "event: ping\ndata: {\"type\":\"ping\"}\n\n");
}

/* The first piece of a call that is not the first ends the block before and opens its own. */
static void stream_piece(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    uint32_t call = answer_get_call(&exchange->answer, index);
    if (call && answer_begins_call(&exchange->answer, index)) {
        block_stop_add(block_get_first(exchange) + call - 1, out);
        block_start_add(exchange, call, out);
    }
    delta_open(block_get_first(exchange) + call, out);
    buffer_add(out, exchange->answer.kind == ANSWER_TOOL ? "{\"type\":\"input_json_delta\",\"partial_json\":\""
                                                         : "{\"type\":\"text_delta\",\"text\":\"");
    answer_add_piece(&exchange->answer, index, out);
    buffer_add(out, "\"}}\n\n");
}

static void stream_block_stop(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    uint32_t calls = exchange->answer.kind == ANSWER_TOOL ? answer_count_calls(&exchange->answer) : 1;
    block_stop_add(block_get_first(exchange) + calls - 1, out);
}

static void stream_delta(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    buffer_format(out,
                  "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"%s\","
                  "\"stop_sequence\":null}",
                  stop_get(exchange));
    if (usage_is_shown(exchange) && input_is_late(exchange))
        usage_write(exchange, &exchange->usage, exchange->usage.out, out);
    else if (usage_is_shown(exchange))
        buffer_format(out, ",\"usage\":{\"output_tokens\":%" PRIu64 "}", exchange->usage.out);
    buffer_add(out, "}\n\n");
}

static void stream_stop(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)exchange;
    (void)index;
    buffer_add(out, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
}

const struct stream_format anthropic_stream = {
    .heads = {stream_start, stream_thinking, stream_block_start, stream_ping},
    .piece = stream_piece,
    .tails = {stream_block_stop, stream_delta, stream_stop},
};
