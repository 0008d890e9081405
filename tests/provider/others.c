/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints of OpenAI that a gateway has no numbers for: lists and objects that say nothing of what they cost, and runs
 * of assistants, which stream (platform.openai.com/docs/api-reference/runs).
 */
#include "tests/provider/exchange.h"

#include <inttypes.h>

void plain_write(const struct exchange *exchange, struct buffer *out)
{
    buffer_format(out, "{\"id\":\"%s-%06" PRIx64 "\",\"object\":\"%s\",\"created_at\":%lld,\"status\":\"queued\"}",
                  exchange->endpoint->name, exchange->sequence, exchange->endpoint->name,
                  (long long)exchange->arrived.tv_sec);
}

void runs_write(const struct exchange *exchange, struct buffer *out)
{
    buffer_format(out, "{\"id\":\"run_%06" PRIx64 "\",\"object\":\"thread.run\",\"status\":\"completed\",\"text\":\"",
                  exchange->sequence);
    answer_add_text(&exchange->answer, out);
    buffer_add(out, "\"}");
}

static void stream_piece(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    buffer_format(out,
                  "event: thread.message.delta\ndata: {\"id\":\"msg_%06" PRIx64
                  "\",\"object\":\"thread.message.delta\","
                  "\"delta\":{\"content\":[{\"index\":0,\"type\":\"text\",\"text\":{\"value\":\"",
                  exchange->sequence);
    answer_add_piece(&exchange->answer, index, out);
    buffer_add(out, "\"}}]}}\n\n");
}

static void stream_done(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)exchange;
    (void)index;
    buffer_add(out, "event: done\ndata: [DONE]\n\n");
}

const struct stream_format runs_stream = {.piece = stream_piece, .tails = {stream_done}};
