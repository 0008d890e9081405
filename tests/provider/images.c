/* SPDX-License-Identifier: Apache-2.0 */
/* Images made and edited (platform.openai.com/docs/api-reference/images): gpt-image models are billed by tokens and say
 * so, all others by the piece and say nothing. The image is always the same pixel.
 */
#include "tests/provider/exchange.h"

#include <inttypes.h>
#include <string.h>

static const char pixel[] =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

static bool is_billed_by_tokens(const struct exchange *exchange)
{
    return strstr(exchange->prompt.model, "gpt-image") != NULL;
}

/* Square images of each quality ("Image generation", cost and latency). */
static uint64_t tokens_get(const struct exchange *exchange)
{
    static const struct {
        const char *quality;
        uint32_t tokens;
    } rows[] = {{"low", 272}, {"medium", 1056}, {"high", 4160}};
    uint32_t tokens = 1056;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].quality, exchange->prompt.quality) == 0)
            tokens = rows[i].tokens;
    return behaviour_get(exchange->behaviour.tokens, tokens);
}

void images_count(const struct exchange *exchange, struct usage *usage)
{
    const struct prompt *prompt = &exchange->prompt;
    if (!is_billed_by_tokens(exchange)) {
        *usage = (struct usage){.images = prompt->choices};
        return;
    }
    usage->input_image = (uint64_t)PROMPT_IMAGE_TOKENS * prompt->files;
    usage->output_image = tokens_get(exchange) * prompt->choices;
}

static void usage_write(const struct usage *usage, struct buffer *out)
{
    uint64_t text = usage_get_prompt(usage), input = text + usage->input_image;
    buffer_format(out,
                  ",\"usage\":{\"total_tokens\":%" PRIu64 ",\"input_tokens\":%" PRIu64 ",\"output_tokens\":%" PRIu64
                  ",\"input_tokens_details\":{\"text_tokens\":%" PRIu64 ",\"image_tokens\":%" PRIu64 "}}",
                  input + usage->output_image, input, usage->output_image, text, usage->input_image);
}

static bool usage_is_shown(const struct exchange *exchange)
{
    return is_billed_by_tokens(exchange) && exchange->behaviour.fault.usage != FAULT_USAGE_NONE;
}

void images_write(const struct exchange *exchange, struct buffer *out)
{
    bool inlined = is_billed_by_tokens(exchange) || strcmp(exchange->prompt.format, "b64_json") == 0;
    buffer_format(out, "{\"created\":%lld,\"data\":[", (long long)exchange->arrived.tv_sec);
    for (uint32_t i = 0; i < exchange->prompt.choices; i++) {
        buffer_add(out, i ? "," : "");
        if (inlined)
            buffer_format(out, "{\"b64_json\":\"%s\"}", pixel);
        else
            buffer_format(out, "{\"url\":\"https://images.example/%06" PRIx64 "-%" PRIu32 ".png\"}", exchange->sequence,
                          i);
    }
    buffer_add(out, "]");
    if (usage_is_shown(exchange))
        usage_write(&exchange->usage, out);
    buffer_add(out, "}");
}

static void stream_partial(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)exchange;
    (void)index;
    buffer_format(out,
                  "event: image_generation.partial_image\ndata: {\"type\":\"image_generation.partial_image\","
                  "\"partial_image_index\":0,\"b64_json\":\"%s\"}\n\n",
                  pixel);
}

static void stream_completed(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    buffer_format(
        out, "event: image_generation.completed\ndata: {\"type\":\"image_generation.completed\",\"b64_json\":\"%s\"",
        pixel);
    if (usage_is_shown(exchange))
        usage_write(&exchange->usage, out);
    buffer_add(out, "}\n\n");
}

const struct stream_format images_stream = {.heads = {stream_partial}, .tails = {stream_completed}};
