/* SPDX-License-Identifier: Apache-2.0 */
/* Speech from text and text from speech (platform.openai.com/docs/api-reference/audio). Models named gpt-… are billed
 * by tokens, which plain audio and plain text do not say; tts-1 by characters, whisper-1 by seconds.
 */
#include "tests/provider/exchange.h"

#include <inttypes.h>
#include <string.h>

#define SPEECH_BYTES            4096u
#define BYTES_PER_SECOND        16000u /* 128 kbit/s */
#define AUDIO_TOKENS_PER_SECOND 10u
#define SPEECH_TOKENS           20u

static bool is_billed_by_tokens(const struct exchange *exchange)
{
    return strstr(exchange->prompt.model, "gpt-") != NULL;
}

static bool usage_is_shown(const struct exchange *exchange)
{
    return exchange->behaviour.fault.usage != FAULT_USAGE_NONE;
}

void speech_count(const struct exchange *exchange, struct usage *usage)
{
    if (is_billed_by_tokens(exchange))
        usage->output_audio = behaviour_get(exchange->behaviour.tokens, SPEECH_TOKENS);
    else
        *usage = (struct usage){.characters = exchange->prompt.characters};
}

/* Sound is bytes that look like nothing else: all values, no JSON, no event. */
void speech_write(const struct exchange *exchange, struct buffer *out)
{
    uint32_t bytes = behaviour_get(exchange->behaviour.bytes, SPEECH_BYTES);
    unsigned char *at = (unsigned char *)buffer_reserve(out, bytes);
    for (uint32_t i = 0; i < bytes; i++)
        at[i] = (unsigned char)(i * 151 + 255);
    out->length += bytes;
}

static void stream_delta(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)exchange;
    (void)index;
    buffer_add(out, "data: {\"type\":\"speech.audio.delta\",\"audio\":\"SUQzBAAAAAAAI1RTU0U=\"}\n\n");
}

static void stream_done(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    uint64_t input = usage_get_prompt(&exchange->usage), output = exchange->usage.output_audio;
    buffer_add(out, "data: {\"type\":\"speech.audio.done\"");
    if (usage_is_shown(exchange))
        buffer_format(
            out, ",\"usage\":{\"input_tokens\":%" PRIu64 ",\"output_tokens\":%" PRIu64 ",\"total_tokens\":%" PRIu64 "}",
            input, output, input + output);
    buffer_add(out, "}\n\n");
}

const struct stream_format speech_stream = {.heads = {stream_delta, stream_delta}, .tails = {stream_done}};

static uint64_t seconds_get(const struct exchange *exchange)
{
    return behaviour_get(exchange->behaviour.seconds,
                         (exchange->prompt.file_bytes + BYTES_PER_SECOND - 1) / BYTES_PER_SECOND);
}

void transcription_count(const struct exchange *exchange, struct usage *usage)
{
    uint64_t seconds = seconds_get(exchange);
    if (is_billed_by_tokens(exchange))
        usage->input_audio = seconds * AUDIO_TOKENS_PER_SECOND;
    else
        *usage = (struct usage){.seconds = seconds};
}

static void usage_write(const struct exchange *exchange, struct buffer *out)
{
    const struct usage *usage = &exchange->usage;
    uint64_t text = usage_get_prompt(usage), input = text + usage->input_audio;
    if (!usage_is_shown(exchange))
        return;
    if (!is_billed_by_tokens(exchange)) {
        buffer_format(out, ",\"usage\":{\"type\":\"duration\",\"seconds\":%" PRIu64 "}", usage->seconds);
        return;
    }
    buffer_format(out,
                  ",\"usage\":{\"type\":\"tokens\",\"total_tokens\":%" PRIu64 ",\"input_tokens\":%" PRIu64
                  ",\"input_token_details\":{\"text_tokens\":%" PRIu64 ",\"audio_tokens\":%" PRIu64
                  "},\"output_tokens\":%" PRIu64 "}",
                  input + usage->out, input, text, usage->input_audio, usage->out);
}

static void plain_text_write(const struct exchange *exchange, struct buffer *out)
{
    answer_add_text(&exchange->answer, out);
    buffer_add(out, "\n");
}

static void subtitles_write(const struct exchange *exchange, bool web, struct buffer *out)
{
    uint64_t seconds = seconds_get(exchange);
    char point = web ? '.' : ',';
    buffer_add(out, web ? "WEBVTT\n\n" : "1\n");
    buffer_format(out, "00:00:00%c000 --> %02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 "%c000\n", point, seconds / 3600,
                  seconds / 60 % 60, seconds % 60, point);
    plain_text_write(exchange, out);
}

void transcription_write(const struct exchange *exchange, struct buffer *out)
{
    const char *format = exchange->prompt.format;
    bool verbose = strcmp(format, "verbose_json") == 0;
    if (strcmp(format, "text") == 0) {
        plain_text_write(exchange, out);
        return;
    }
    if (strcmp(format, "srt") == 0 || strcmp(format, "vtt") == 0) {
        subtitles_write(exchange, format[0] == 'v', out);
        return;
    }
    buffer_add(out, "{");
    if (verbose)
        buffer_format(out,
                      "\"task\":\"transcribe\",\"language\":\"english\",\"duration\":%" PRIu64 ".0,\"segments\":[],",
                      seconds_get(exchange));
    buffer_add(out, "\"text\":\"");
    answer_add_text(&exchange->answer, out);
    buffer_add(out, "\"");
    usage_write(exchange, out);
    buffer_add(out, "}");
}

static void stream_piece(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    buffer_add(out, "data: {\"type\":\"transcript.text.delta\",\"delta\":\"");
    answer_add_piece(&exchange->answer, index, out);
    buffer_add(out, "\"}\n\n");
}

static void stream_transcript(const struct exchange *exchange, uint32_t index, struct buffer *out)
{
    (void)index;
    buffer_add(out, "data: {\"type\":\"transcript.text.done\",\"text\":\"");
    answer_add_text(&exchange->answer, out);
    buffer_add(out, "\"");
    usage_write(exchange, out);
    buffer_add(out, "}\n\n");
}

const struct stream_format transcription_stream = {.piece = stream_piece, .tails = {stream_transcript}};
