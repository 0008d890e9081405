/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The usage objects of the OpenAI dialect (platform.openai.com/docs/api-reference: chat, responses, embeddings, images,
 * audio, batch). Two families of names for the same: prompt/completion and input/output. The whole prompt contains what
 * was cached, written, heard and seen; the whole output contains reasoning.
 */
#include "dialect/openai.h"

/* Every name of a number; of several, the first that is there counts. */
enum number {
    PROMPT,
    OUTPUT,
    TOTAL,
    CACHED,
    WRITTEN,
    HEARD,
    SEEN,
    SPOKEN,
    DRAWN,
    WRITTEN_TEXT,
    REASONING,
    SECONDS,
    SOURCES,
    NUMBER_COUNT
};
static const struct {
    const char *path;
    enum number number;
} rows[] = {
    {"prompt_tokens", PROMPT},
    {"input_tokens", PROMPT},
    {"completion_tokens", OUTPUT},
    {"output_tokens", OUTPUT},
    {"total_tokens", TOTAL},
    {"prompt_tokens_details.cached_tokens", CACHED},
    {"input_tokens_details.cached_tokens", CACHED},
    {"prompt_cache_hit_tokens", CACHED}, /* DeepSeek */
    {"prompt_tokens_details.cache_write_tokens", WRITTEN},
    {"input_tokens_details.cache_write_tokens", WRITTEN},
    {"prompt_tokens_details.audio_tokens", HEARD},
    {"input_tokens_details.audio_tokens", HEARD},
    {"input_token_details.audio_tokens", HEARD}, /* transcriptions */
    {"input_tokens_details.image_tokens", SEEN}, /* images; chat bills those of its prompts as text */
    {"completion_tokens_details.audio_tokens", SPOKEN},
    {"output_tokens_details.audio_tokens", SPOKEN},
    {"output_tokens_details.image_tokens", DRAWN},
    {"output_tokens_details.text_tokens", WRITTEN_TEXT},
    {"completion_tokens_details.reasoning_tokens", REASONING},
    {"seconds", SECONDS},              /* transcriptions billed by duration */
    {"prompt_audio_seconds", SECONDS}, /* Mistral's */
    {"num_sources_used", SOURCES},     /* xAI's live search */
};
enum { ROWS = sizeof rows / sizeof *rows };

bool openai_take_seconds(const struct json_value *value, uint64_t *ret_seconds)
{
    uint64_t seconds = 0;
    bool has_more = false, is_whole = true;
    if (value->kind != JSON_KIND_NUMBER || value->raw.length > 18)
        return false;
    for (size_t i = 0; i < value->raw.length; i++) {
        char c = value->raw.data[i];
        if (c == '.' && is_whole)
            is_whole = false;
        else if (c < '0' || c > '9')
            return false;
        else if (is_whole)
            seconds = seconds * 10 + (uint64_t)(c - '0');
        else
            has_more |= c != '0';
    }
    *ret_seconds = seconds + has_more;
    return true;
}

/* xAI counts reasoning beside completion_tokens; its total says so. Everyone else's is prompt + completion. */
static void add_reasoning(uint64_t numbers[NUMBER_COUNT], const bool has[NUMBER_COUNT])
{
    uint64_t all = numbers[TOTAL], in = numbers[PROMPT], out = numbers[OUTPUT];
    if (has[REASONING] && has[TOTAL] && all > out && all - out > in && all - out - in == numbers[REASONING])
        numbers[OUTPUT] += numbers[REASONING];
}

static struct usage make_usage(const uint64_t numbers[NUMBER_COUNT])
{
    struct usage usage = {.input = numbers[PROMPT], .output = numbers[OUTPUT], .seconds = numbers[SECONDS]};
    usage.cache_read = dialect_take_part(&usage.input, numbers[CACHED]);
    usage.cache_write = dialect_take_part(&usage.input, numbers[WRITTEN]);
    usage.input_audio = dialect_take_part(&usage.input, numbers[HEARD]);
    usage.input_image = dialect_take_part(&usage.input, numbers[SEEN]);
    usage.output_audio = dialect_take_part(&usage.output, numbers[SPOKEN]);
    usage.output_image = dialect_take_part(&usage.output, numbers[DRAWN]);
    usage.tool_calls = numbers[SOURCES];
    return usage;
}

/* Whether what it says is all there is to say. A number that cannot be read, or is not there, is not 0: what it stood
 * for is estimated. Vectors have no output to count. */
static bool is_whole(const struct meter *meter, const uint64_t numbers[NUMBER_COUNT], const bool has[NUMBER_COUNT])
{
    if (has[SECONDS])
        return true;
    return has[PROMPT] &&
           (has[OUTPUT] || meter->endpoint->api == API_EMBEDDINGS || (has[TOTAL] && numbers[TOTAL] == numbers[PROMPT]));
}

bool openai_read_usage(struct meter *meter, struct slice object)
{
    struct json_value values[ROWS];
    struct json_query queries[ROWS];
    uint64_t numbers[NUMBER_COUNT] = {0};
    bool has[NUMBER_COUNT] = {false};
    for (size_t i = 0; i < ROWS; i++)
        queries[i] = (struct json_query){rows[i].path, &values[i]};
    if (json_scan(object, 16, queries, ROWS, NULL))
        return false;
    for (size_t i = 0; i < ROWS; i++) {
        enum number number = rows[i].number;
        if (!has[number])
            has[number] = number == SECONDS ? openai_take_seconds(&values[i], &numbers[number])
                                            : dialect_take_tokens(&values[i], &numbers[number]);
    }
    if (!has[PROMPT] && !has[OUTPUT] && !has[SECONDS])
        return false;
    add_reasoning(numbers, has);
    meter->usage = make_usage(numbers);
    meter->saw_usage = true;
    meter->saw_output_usage = is_whole(meter, numbers, has);
    return true;
}

bool openai_search_usage(struct meter *meter, struct slice text)
{
    struct slice usage = dialect_search_usage(text, "usage");
    meter->is_damaged = true;
    return usage.length && openai_read_usage(meter, usage);
}
