/* SPDX-License-Identifier: Apache-2.0 */
/* OpenAI Responses: JSON and its typed SSE events. Usage is in the terminal event only (response.completed, or
 * response.incomplete when max_output_tokens cut the answer). Sequence numbers are the place in the stream.
 */
#include "tests/provider/exchange.h"

#include <inttypes.h>

static bool is_tool(const struct exchange *exchange)
{
    return exchange->answer.kind == ANSWER_TOOL;
}

static void usage_add(const struct exchange *exchange, struct buffer *out)
{
    const struct usage *usage = &exchange->usage;
    uint64_t prompt = usage_get_prompt(usage), written = usage->cache_write + usage->cache_write_1h;
    buffer_format(out, "{\"input_tokens\":%" PRIu64 ",\"input_tokens_details\":{\"cached_tokens\":%" PRIu64, prompt,
                  usage->cache_read);
    if (written)
        buffer_format(out, ",\"cache_write_tokens\":%" PRIu64, written);
    buffer_format(out,
                  "},\"output_tokens\":%" PRIu64 ",\"output_tokens_details\":{\"reasoning_tokens\":%" PRIu64
                  "},\"total_tokens\":%" PRIu64 "}",
                  usage->out, usage->reasoning, prompt + usage->out);
}

static void part_add(const struct exchange *exchange, bool full, struct buffer *out)
{
    buffer_add(out, "{\"type\":\"output_text\",\"annotations\":[],\"text\":\"");
    if (full)
        answer_add_text(&exchange->answer, out);
    buffer_add(out, "\"}");
}

/* The one output item; full: with its content, otherwise as it is announced. */
static void item_add(const struct exchange *exchange, bool full, struct buffer *out)
{
    const char *status = !full ? "in_progress" : exchange->answer.truncated ? "incomplete" : "completed";
    if (is_tool(exchange)) {
        buffer_format(out,
                      "{\"id\":\"fc_%06" PRIx64 "\",\"type\":\"function_call\",\"status\":\"%s\","
                      "\"call_id\":\"call_%06" PRIx64 "\",\"name\":\"%s\",\"arguments\":\"",
                      exchange->sequence, status, exchange->sequence, exchange->prompt.tool_name);
        if (full)
            answer_add_text(&exchange->answer, out);
        buffer_add(out, "\"}");
        return;
    }
    buffer_format(out,
                  "{\"id\":\"msg_%06" PRIx64 "\",\"type\":\"message\",\"status\":\"%s\",\"role\":\"assistant\","
                  "\"content\":[",
                  exchange->sequence, status);
    if (full)
        part_add(exchange, true, out);
    buffer_add(out, "]}");
}

static void response_add(const struct exchange *exchange, bool full, struct buffer *out)
{
    bool cut = exchange->answer.truncated;
    buffer_format(out,
                  "{\"id\":\"resp_%06" PRIx64 "\",\"object\":\"response\",\"created_at\":%lld,\"status\":\"%s\","
                  "\"error\":null,\"incomplete_details\":%s,\"instructions\":null,\"model\":\"%s\","
                  "\"parallel_tool_calls\":true,\"temperature\":1.0,\"top_p\":1.0,\"tool_choice\":\"auto\","
                  "\"tools\":[],\"metadata\":{},\"service_tier\":\"%s\",\"output\":[",
                  exchange->sequence, (long long)exchange->arrived.tv_sec,
                  !full ? "in_progress"
                  : cut ? "incomplete"
                        : "completed",
                  full && cut ? "{\"reason\":\"max_output_tokens\"}" : "null", exchange->prompt.model,
                  exchange->behaviour.tier[0] ? exchange->behaviour.tier : "default");
    if (full)
        item_add(exchange, true, out);
    buffer_add(out, "],\"usage\":");
    if (full && exchange->behaviour.fault.usage != FAULT_USAGE_NONE)
        usage_add(exchange, out);
    else
        buffer_add(out, "null");
    buffer_add(out, "}");
}

void responses_write(const struct exchange *exchange, struct buffer *out)
{
    response_add(exchange, true, out);
}

static void event_open(const char *type, uint32_t sequence, struct buffer *out)
{
    buffer_format(out, "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%" PRIu32, type, type, sequence);
}

static void event_open_item(const struct exchange *exchange, const char *type, uint32_t sequence, struct buffer *out)
{
    event_open(type, sequence, out);
    buffer_format(out, ",\"item_id\":\"%s_%06" PRIx64 "\",\"output_index\":0", is_tool(exchange) ? "fc" : "msg",
                  exchange->sequence);
}

static void stream_created(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    event_open("response.created", index, out);
    buffer_add(out, ",\"response\":");
    response_add(exchange, false, out);
    buffer_add(out, "}\n\n");
}

static void stream_in_progress(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    event_open("response.in_progress", index, out);
    buffer_add(out, ",\"response\":");
    response_add(exchange, false, out);
    buffer_add(out, "}\n\n");
}

static void stream_item_added(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    event_open("response.output_item.added", index, out);
    buffer_add(out, ",\"output_index\":0,\"item\":");
    item_add(exchange, false, out);
    buffer_add(out, "}\n\n");
}

static void stream_part_added(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    if (is_tool(exchange))
        return;
    event_open_item(exchange, "response.content_part.added", index, out);
    buffer_add(out, ",\"content_index\":0,\"part\":");
    part_add(exchange, false, out);
    buffer_add(out, "}\n\n");
}

static void stream_piece(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    uint32_t sequence = index + (is_tool(exchange) ? 3 : 4);
    event_open_item(exchange,
                    is_tool(exchange) ? "response.function_call_arguments.delta" : "response.output_text.delta",
                    sequence, out);
    buffer_add(out, is_tool(exchange) ? ",\"delta\":\"" : ",\"content_index\":0,\"delta\":\"");
    answer_add_piece(&exchange->answer, index, out);
    buffer_add(out, "\"}\n\n");
}

static void stream_text_done(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    event_open_item(exchange, is_tool(exchange) ? "response.function_call_arguments.done" : "response.output_text.done",
                    index, out);
    buffer_add(out, is_tool(exchange) ? ",\"arguments\":\"" : ",\"content_index\":0,\"text\":\"");
    answer_add_text(&exchange->answer, out);
    buffer_add(out, "\"}\n\n");
}

static void stream_part_done(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    if (is_tool(exchange))
        return;
    event_open_item(exchange, "response.content_part.done", index, out);
    buffer_add(out, ",\"content_index\":0,\"part\":");
    part_add(exchange, true, out);
    buffer_add(out, "}\n\n");
}

static void stream_item_done(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    event_open("response.output_item.done", index, out);
    buffer_add(out, ",\"output_index\":0,\"item\":");
    item_add(exchange, true, out);
    buffer_add(out, "}\n\n");
}

static void stream_terminal(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    event_open(exchange->answer.truncated ? "response.incomplete" : "response.completed", index, out);
    buffer_add(out, ",\"response\":");
    response_add(exchange, true, out);
    buffer_add(out, "}\n\n");
}

const struct stream_format responses_stream = {
    .heads = {stream_created, stream_in_progress, stream_item_added, stream_part_added},
    .piece = stream_piece,
    .tails = {stream_text_done, stream_part_done, stream_item_done, stream_terminal},
};
