/* SPDX-License-Identifier: Apache-2.0 */
/* Embeddings of the OpenAI and Gemini dialects, and OpenAI's list of models. A vector is a fixed pattern: what is
 * tested is the way and the count, not the meaning.
 */
#include "tests/provider/exchange.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>

#define GEMINI_DIMENSIONS 768

static float component_get(uint32_t input, uint32_t i)
{
    return (float)(int)((i * 7 + input * 13) % 41 - 20) / 512.0f;
}

static void vector_add(uint32_t input, uint32_t dimensions, struct buffer *out)
{
    buffer_add(out, "[");
    for (uint32_t i = 0; i < dimensions; i++)
        buffer_format(out, i ? ",%.8f" : "%.8f", (double)component_get(input, i));
    buffer_add(out, "]");
}

static void vector_add_base64(uint32_t input, uint32_t dimensions, struct buffer *out)
{
    struct buffer raw = {0};
    for (uint32_t i = 0; i < dimensions; i++) {
        float component = component_get(input, i);
        buffer_append(&raw, &component, sizeof component);
    }
    buffer_add(out, "\"");
    unsigned char *at = (unsigned char *)buffer_reserve(out, raw.length * 4 / 3 + 8);
    out->length += (size_t)EVP_EncodeBlock(at, (const unsigned char *)raw.data, (int)raw.length);
    buffer_add(out, "\"");
    buffer_free(&raw);
}

void openai_write_embeddings(const struct exchange *exchange, struct buffer *out)
{
    const struct prompt *prompt = &exchange->prompt;
    buffer_add(out, "{\"object\":\"list\",\"data\":[");
    for (uint32_t input = 0; input < prompt->inputs; input++) {
        buffer_format(out, "%s{\"object\":\"embedding\",\"index\":%" PRIu32 ",\"embedding\":", input ? "," : "", input);
        if (prompt->base64)
            vector_add_base64(input, prompt->dimensions, out);
        else
            vector_add(input, prompt->dimensions, out);
        buffer_add(out, "}");
    }
    buffer_format(out, "],\"model\":\"%s\"", prompt->model);
    uint64_t tokens = usage_get_prompt(&exchange->usage);
    if (exchange->behaviour.fault.usage != FAULT_USAGE_NONE)
        buffer_format(out, ",\"usage\":{\"prompt_tokens\":%" PRIu64 ",\"total_tokens\":%" PRIu64 "}", tokens, tokens);
    buffer_add(out, "}");
}

void openai_write_models(const struct exchange *exchange, struct buffer *out)
{
    static const char *const models[] = {"gpt-4o", "gpt-4o-mini", "text-embedding-3-small"};
    (void)exchange;
    buffer_add(out, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        buffer_format(out, "%s{\"id\":\"%s\",\"object\":\"model\",\"created\":1715367049,\"owned_by\":\"stand-in\"}",
                      i ? "," : "", models[i]);
    buffer_add(out, "]}");
}

void gemini_write_embedding(const struct exchange *exchange, struct buffer *out)
{
    (void)exchange;
    buffer_add(out, "{\"embedding\":{\"values\":");
    vector_add(0, GEMINI_DIMENSIONS, out);
    buffer_add(out, "}}");
}

void gemini_write_embeddings(const struct exchange *exchange, struct buffer *out)
{
    buffer_add(out, "{\"embeddings\":[");
    for (uint32_t input = 0; input < exchange->prompt.inputs; input++) {
        buffer_add(out, input ? ",{\"values\":" : "{\"values\":");
        vector_add(input, GEMINI_DIMENSIONS, out);
        buffer_add(out, "}");
    }
    buffer_add(out, "]}");
}
