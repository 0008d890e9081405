/* SPDX-License-Identifier: Apache-2.0 */
/* OpenAI Responses: JSON and its typed SSE events. Usage is in the terminal event only (response.completed, or
 * response.incomplete when max_output_tokens cut the answer). Output: searches of the web, then a message or the calls
 * of a tool. What becomes of a response later is in jobs.c.
 */
#include "tests/provider/responses.h"

#include <inttypes.h>

#define SEARCH_EVENTS 5

static bool is_tool(const struct exchange *exchange)
{
    return exchange->answer.kind == ANSWER_TOOL;
}

static const char *part_get_type(const struct exchange *exchange)
{
    return exchange->answer.refused ? "refusal" : "output_text";
}

static const char *part_get_member(const struct exchange *exchange)
{
    return exchange->answer.refused ? "refusal" : "text";
}

void responses_add_usage(const struct usage *usage, struct buffer *out)
{
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
    buffer_format(out, "{\"type\":\"%s\",%s\"%s\":\"", part_get_type(exchange),
                  exchange->answer.refused ? "" : "\"annotations\":[],\"logprobs\":[],", part_get_member(exchange));
    if (full)
        answer_add_text(&exchange->answer, out);
    buffer_add(out, "\"}");
}

static void search_add(const struct exchange *exchange, uint32_t search, bool full, struct buffer *out)
{
    buffer_format(out,
                  "{\"id\":\"ws_%06" PRIx64 "_%" PRIu32 "\",\"type\":\"web_search_call\",\"status\":\"%s\","
                  "\"action\":{\"type\":\"search\",\"query\":\"stand-in\"}}",
                  exchange->sequence, search, full ? "completed" : "in_progress");
}

static void call_add(const struct exchange *exchange, uint32_t call, bool full, struct buffer *out)
{
    bool cut = (call + 1) * exchange->answer.call_pieces > exchange->answer.pieces;
    buffer_format(out,
                  "{\"id\":\"fc_%06" PRIx64 "_%" PRIu32 "\",\"type\":\"function_call\",\"status\":\"%s\","
                  "\"call_id\":\"call_%06" PRIx64 "_%" PRIu32 "\",\"name\":\"%s\",\"arguments\":\"",
                  exchange->sequence, call,
                  !full ? "in_progress"
                  : cut ? "incomplete"
                        : "completed",
                  exchange->sequence, call, exchange->prompt.tool_name);
    if (full)
        answer_add_call(&exchange->answer, call, out);
    buffer_add(out, "\"}");
}

/* A call, or the one message; full: with its content, otherwise as it is announced. */
static void item_add(const struct exchange *exchange, uint32_t call, bool full, struct buffer *out)
{
    if (is_tool(exchange)) {
        call_add(exchange, call, full, out);
        return;
    }
    buffer_format(out,
                  "{\"id\":\"msg_%06" PRIx64 "\",\"type\":\"message\",\"status\":\"%s\",\"role\":\"assistant\","
                  "\"content\":[",
                  exchange->sequence,
                  !full                        ? "in_progress"
                  : exchange->answer.truncated ? "incomplete"
                                               : "completed");
    if (full)
        part_add(exchange, true, out);
    buffer_add(out, "]}");
}

static uint32_t items_count(const struct exchange *exchange)
{
    return is_tool(exchange) ? answer_count_calls(&exchange->answer) : 1;
}

static void output_add(const struct exchange *exchange, struct buffer *out)
{
    uint32_t searches = exchange->prompt.searches;
    for (uint32_t search = 0; search < searches; search++) {
        buffer_add(out, search ? "," : "");
        search_add(exchange, search, true, out);
    }
    for (uint32_t item = 0; item < items_count(exchange); item++) {
        buffer_add(out, searches || item ? "," : "");
        item_add(exchange, item, true, out);
    }
}

static const char *status_get(const struct exchange *exchange, enum response_state state)
{
    static const char *const names[] = {[RESPONSE_QUEUED] = "queued",
                                        [RESPONSE_RUNNING] = "in_progress",
                                        [RESPONSE_ENDED] = "completed",
                                        [RESPONSE_FAILED] = "failed",
                                        [RESPONSE_CANCELLED] = "cancelled"};
    return state == RESPONSE_ENDED && exchange->answer.truncated ? "incomplete" : names[state];
}

void responses_add(const struct exchange *exchange, enum response_state state, struct buffer *out)
{
    bool ended = state == RESPONSE_ENDED;
    buffer_format(out,
                  "{\"id\":\"resp_%06" PRIx64 "\",\"object\":\"response\",\"created_at\":%lld,\"status\":\"%s\","
                  "\"background\":%s,\"error\":%s,\"incomplete_details\":%s,\"instructions\":null,\"model\":\"%s\","
                  "\"parallel_tool_calls\":true,\"temperature\":1.0,\"top_p\":1.0,\"tool_choice\":\"auto\","
                  "\"tools\":[],\"metadata\":{},\"service_tier\":\"%s\",",
                  exchange->sequence, (long long)exchange->arrived.tv_sec, status_get(exchange, state),
                  exchange->prompt.background ? "true" : "false",
                  state == RESPONSE_FAILED ? "{\"code\":\"server_error\",\"message\":\"The model failed.\"}" : "null",
                  ended && exchange->answer.truncated ? "{\"reason\":\"max_output_tokens\"}" : "null",
                  exchange->prompt.model, exchange->behaviour.tier[0] ? exchange->behaviour.tier : "default");
    if (exchange->prompt.previous[0])
        buffer_format(out, "\"previous_response_id\":\"%s\",", exchange->prompt.previous);
    else
        buffer_add(out, "\"previous_response_id\":null,");
    buffer_add(out, "\"output\":[");
    if (ended)
        output_add(exchange, out);
    buffer_add(out, "],\"usage\":");
    if (ended && exchange->behaviour.fault.usage != FAULT_USAGE_NONE)
        responses_add_usage(&exchange->usage, out);
    else
        buffer_add(out, "null");
    buffer_add(out, "}");
}

void responses_write(const struct exchange *exchange, struct buffer *out)
{
    responses_add(exchange, RESPONSE_ENDED, out);
}

/* Sequence numbers are the places of the events in the stream: those before the first item, of the first piece, and of
 * the first event after the last piece. Between two calls there are three events. */
static uint32_t sequence_get_first_item(const struct exchange *exchange)
{
    return 2 + SEARCH_EVENTS * exchange->prompt.searches;
}

static uint32_t sequence_get_piece(const struct exchange *exchange, uint32_t index)
{
    return sequence_get_first_item(exchange) + (is_tool(exchange) ? 1 : 2) + index +
           3 * answer_get_call(&exchange->answer, index);
}

static uint32_t sequence_get_end(const struct exchange *exchange)
{
    return sequence_get_piece(exchange, exchange->answer.pieces - 1) + 1;
}

static void event_open(const char *type, uint32_t sequence, struct buffer *out)
{
    buffer_format(out, "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%" PRIu32, type, type, sequence);
}

static void event_open_item(const struct exchange *exchange, const char *type, uint32_t call, uint32_t sequence,
                            struct buffer *out)
{
    event_open(type, sequence, out);
    if (is_tool(exchange))
        buffer_format(out, ",\"item_id\":\"fc_%06" PRIx64 "_%" PRIu32 "\"", exchange->sequence, call);
    else
        buffer_format(out, ",\"item_id\":\"msg_%06" PRIx64 "\"", exchange->sequence);
    buffer_format(out, ",\"output_index\":%" PRIu32, exchange->prompt.searches + call);
}

static void event_item(const struct exchange *exchange, uint32_t call, bool full, uint32_t sequence, struct buffer *out)
{
    event_open(full ? "response.output_item.done" : "response.output_item.added", sequence, out);
    buffer_format(out, ",\"output_index\":%" PRIu32 ",\"item\":", exchange->prompt.searches + call);
    item_add(exchange, call, full, out);
    buffer_add(out, "}\n\n");
}

static void event_call_done(const struct exchange *exchange, uint32_t call, uint32_t sequence, struct buffer *out)
{
    event_open_item(exchange, "response.function_call_arguments.done", call, sequence, out);
    buffer_add(out, ",\"arguments\":\"");
    answer_add_call(&exchange->answer, call, out);
    buffer_add(out, "\"}\n\n");
}

static void stream_created(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    event_open("response.created", index, out);
    buffer_add(out, ",\"response\":");
    responses_add(exchange, RESPONSE_RUNNING, out);
    buffer_add(out, "}\n\n");
}

static void stream_in_progress(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    event_open("response.in_progress", index, out);
    buffer_add(out, ",\"response\":");
    responses_add(exchange, RESPONSE_RUNNING, out);
    buffer_add(out, "}\n\n");
}

static void search_event(const struct exchange *exchange, uint32_t search, const char *type, uint32_t sequence,
                         struct buffer *out)
{
    event_open(type, sequence, out);
    buffer_format(out, ",\"output_index\":%" PRIu32 ",\"item_id\":\"ws_%06" PRIx64 "_%" PRIu32 "\"}\n\n", search,
                  exchange->sequence, search);
}

static void search_item(const struct exchange *exchange, uint32_t search, bool full, uint32_t sequence,
                        struct buffer *out)
{
    event_open(full ? "response.output_item.done" : "response.output_item.added", sequence, out);
    buffer_format(out, ",\"output_index\":%" PRIu32 ",\"item\":", search);
    search_add(exchange, search, full, out);
    buffer_add(out, "}\n\n");
}

static void stream_searches(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    for (uint32_t search = 0; search < exchange->prompt.searches; search++, index += SEARCH_EVENTS) {
        search_item(exchange, search, false, index, out);
        search_event(exchange, search, "response.web_search_call.in_progress", index + 1, out);
        search_event(exchange, search, "response.web_search_call.searching", index + 2, out);
        search_event(exchange, search, "response.web_search_call.completed", index + 3, out);
        search_item(exchange, search, true, index + 4, out);
    }
}

static void stream_item_added(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    event_item(exchange, 0, false, sequence_get_first_item(exchange), out);
}

static void stream_part_added(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    if (is_tool(exchange))
        return;
    event_open_item(exchange, "response.content_part.added", 0, sequence_get_first_item(exchange) + 1, out);
    buffer_add(out, ",\"content_index\":0,\"part\":");
    part_add(exchange, false, out);
    buffer_add(out, "}\n\n");
}

/* The first piece of a call that is not the first ends the one before and opens its own. */
static void stream_piece(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    const struct answer *answer = &exchange->answer;
    uint32_t sequence = sequence_get_piece(exchange, index), call = answer_get_call(answer, index);
    if (call && answer_begins_call(answer, index)) {
        event_call_done(exchange, call - 1, sequence - 3, out);
        event_item(exchange, call - 1, true, sequence - 2, out);
        event_item(exchange, call, false, sequence - 1, out);
    }
    event_open_item(exchange,
                    is_tool(exchange) ? "response.function_call_arguments.delta"
                    : answer->refused ? "response.refusal.delta"
                                      : "response.output_text.delta",
                    call, sequence, out);
    buffer_add(out, is_tool(exchange) ? ",\"delta\":\"" : ",\"content_index\":0,\"delta\":\"");
    answer_add_piece(answer, index, out);
    buffer_add(out, "\"}\n\n");
}

static void stream_text_done(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    uint32_t sequence = sequence_get_end(exchange);
    if (is_tool(exchange)) {
        event_call_done(exchange, items_count(exchange) - 1, sequence, out);
        return;
    }
    event_open_item(exchange, exchange->answer.refused ? "response.refusal.done" : "response.output_text.done", 0,
                    sequence, out);
    buffer_format(out, ",\"content_index\":0,\"%s\":\"", part_get_member(exchange));
    answer_add_text(&exchange->answer, out);
    buffer_add(out, "\"}\n\n");
}

static void stream_part_done(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    if (is_tool(exchange))
        return;
    event_open_item(exchange, "response.content_part.done", 0, sequence_get_end(exchange) + 1, out);
    buffer_add(out, ",\"content_index\":0,\"part\":");
    part_add(exchange, true, out);
    buffer_add(out, "}\n\n");
}

static void stream_item_done(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    event_item(exchange, items_count(exchange) - 1, true, sequence_get_end(exchange) + (is_tool(exchange) ? 1 : 2),
               out);
}

static void stream_terminal(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    event_open(exchange->answer.truncated ? "response.incomplete" : "response.completed",
               sequence_get_end(exchange) + (is_tool(exchange) ? 2 : 3), out);
    buffer_add(out, ",\"response\":");
    responses_add(exchange, RESPONSE_ENDED, out);
    buffer_add(out, "}\n\n");
}

const struct stream_format responses_stream = {
    .heads = {stream_created, stream_in_progress, stream_searches, stream_item_added, stream_part_added},
    .piece = stream_piece,
    .tails = {stream_text_done, stream_part_done, stream_item_done, stream_terminal},
};
