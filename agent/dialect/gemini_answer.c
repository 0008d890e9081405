/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Gemini answer used (ai.google.dev/api/generate-content, "UsageMetadata"). Every chunk of a stream carries the
 * usage so far: each count that comes replaces the one before. promptTokenCount is the whole prompt, what came from the
 * cache included; tokens of tools and thoughts stand beside prompt and candidates. A stream has no last word but
 * finishReason: as server-sent events it just ends, as a JSON array it is closed. Called by the meter.
 */
#include "dialect/gemini.h"

enum { CANDIDATES_MAX = 64 }; /* the API's most is 8 */

static const char *const text_members[] = {"text", "code", "output", NULL};

/* ---- usage ---- */

/* meter->counts: what usageMetadata said last. */
enum count {
    COUNT_PROMPT,
    COUNT_CACHED,
    COUNT_TOOLS,
    COUNT_CANDIDATES,
    COUNT_THOUGHTS,
    COUNT_TOTAL,
    COUNT_PLAIN, /* from here on: read otherwise */
    COUNT_AUDIO_IN = COUNT_PLAIN,
    COUNT_AUDIO_CACHED,
    COUNT_AUDIO_OUT,
    COUNT_IMAGE_OUT,
    COUNT_SAID,     /* which of the plain ones were said, a bit each */
    COUNT_SEEN,     /* candidates seen, a bit each */
    COUNT_FINISHED, /* … and those that have their finishReason */
    COUNT_COUNT
};
_Static_assert((int)COUNT_COUNT <= (int)METER_COUNTS, "the meter keeps them");

/* The tokens of one modality in a ModalityTokenCount[]; untouched when it is not listed. */
static void take_modality(const struct json_value *details, const char *modality, uint64_t *tokens)
{
    struct json_value element, name, count;
    const struct json_query queries[] = {{"modality", &name}, {"tokenCount", &count}};
    size_t at = 0;
    while (details->kind == JSON_KIND_ARRAY && json_next_element(details->raw, &at, &element))
        if (element.kind == JSON_KIND_OBJECT && !json_scan(element.raw, 8, queries, 2, NULL) &&
            json_string_is(&name, modality))
            dialect_take_tokens(&count, tokens);
}

static bool was_said(const uint64_t counts[], enum count count)
{
    return counts[COUNT_SAID] >> count & 1;
}

/* What the total has beyond prompt and tools. */
static uint64_t count_by_total(const uint64_t counts[])
{
    uint64_t rest = counts[COUNT_PROMPT] + counts[COUNT_TOOLS]; /* both fit in int64: no wrap, here and below */
    return counts[COUNT_TOTAL] > rest ? counts[COUNT_TOTAL] - rest : 0;
}

/* Some backends count thoughts into the candidates: then the total says so. Where candidates are not counted at all,
 * they are what the total has beyond the rest. */
static uint64_t count_output(const uint64_t counts[])
{
    uint64_t by_total = count_by_total(counts), candidates = counts[COUNT_CANDIDATES],
             thoughts = counts[COUNT_THOUGHTS];
    if (!was_said(counts, COUNT_CANDIDATES))
        return by_total > thoughts ? by_total : thoughts;
    return by_total == candidates && candidates >= thoughts ? candidates : candidates + thoughts;
}

/* Images and video that are read cost what text costs; audio has its own price, and so has what is made. */
static void set_usage(struct meter *meter)
{
    const uint64_t *counts = meter->counts;
    struct usage *usage = &meter->usage;
    uint64_t heard = counts[COUNT_AUDIO_IN];
    (void)dialect_take_part(&heard, counts[COUNT_AUDIO_CACHED]);
    usage->input = counts[COUNT_PROMPT];
    usage->cache_read = dialect_take_part(&usage->input, counts[COUNT_CACHED]);
    usage->input_audio = dialect_take_part(&usage->input, heard);
    usage->input += counts[COUNT_TOOLS];
    usage->output = count_output(counts);
    usage->output_audio = dialect_take_part(&usage->output, counts[COUNT_AUDIO_OUT]);
    usage->output_image = dialect_take_part(&usage->output, counts[COUNT_IMAGE_OUT]);
}

/* `object`: usageMetadata. A count that it lacks stays: they only grow. */
static void read_usage(struct meter *meter, struct slice object)
{
    struct json_value plain[COUNT_PLAIN], prompt_details, cache_details, output_details, tier;
    const struct json_query queries[] = {
        {"promptTokenCount", &plain[COUNT_PROMPT]},       {"cachedContentTokenCount", &plain[COUNT_CACHED]},
        {"toolUsePromptTokenCount", &plain[COUNT_TOOLS]}, {"candidatesTokenCount", &plain[COUNT_CANDIDATES]},
        {"thoughtsTokenCount", &plain[COUNT_THOUGHTS]},   {"totalTokenCount", &plain[COUNT_TOTAL]},
        {"promptTokensDetails", &prompt_details},         {"cacheTokensDetails", &cache_details},
        {"candidatesTokensDetails", &output_details},     {"serviceTier", &tier},
    };
    uint64_t *counts = meter->counts;
    if (json_scan(object, 16, queries, sizeof queries / sizeof *queries, NULL))
        return;
    for (int i = 0; i < COUNT_PLAIN; i++)
        if (dialect_take_tokens(&plain[i], &counts[i]))
            counts[COUNT_SAID] |= (uint64_t)1 << i;
    take_modality(&prompt_details, "AUDIO", &counts[COUNT_AUDIO_IN]);
    take_modality(&cache_details, "AUDIO", &counts[COUNT_AUDIO_CACHED]);
    take_modality(&output_details, "AUDIO", &counts[COUNT_AUDIO_OUT]);
    take_modality(&output_details, "IMAGE", &counts[COUNT_IMAGE_OUT]);
    gemini_take_tier(&tier, meter->service_tier, sizeof meter->service_tier);
    if (!counts[COUNT_SAID])
        return;
    set_usage(meter);
    meter->saw_usage = true;
}

/* ---- what else a chunk says ---- */

/* Grounding: Gemini 3 bills each search it made (empty queries excepted), its predecessors bill a grounded answer once;
 * Google Maps is billed by the answer (ai.google.dev/gemini-api/docs/pricing). */
static bool is_billed_by_answer(const char *model)
{
    return strncmp(model, "gemini-1", 8) == 0 || strncmp(model, "gemini-2", 8) == 0;
}

static uint64_t count_searches(const struct json_value *searches)
{
    struct json_value query;
    uint64_t count = 0;
    size_t at = 0;
    while (json_next_element(searches->raw, &at, &query))
        count += query.kind == JSON_KIND_STRING && !json_string_is(&query, "");
    return count;
}

static bool has_maps(const struct json_value *chunks)
{
    struct json_value chunk, maps;
    const struct json_query query = {"maps", &maps};
    size_t at = 0;
    while (json_next_element(chunks->raw, &at, &chunk))
        if (!json_scan(chunk.raw, 128, &query, 1, NULL) && maps.kind == JSON_KIND_OBJECT)
            return true;
    return false;
}

static const char *const ends[] = {"STOP", "MAX_TOKENS", NULL};

struct grounding {
    uint64_t searches;
    bool has_maps;
};

static void read_candidate(struct meter *meter, struct slice candidate, struct grounding *grounding)
{
    struct json_value reason, index, searches, chunks;
    const struct json_query queries[] = {{"finishReason", &reason},
                                         {"index", &index},
                                         {"groundingMetadata.webSearchQueries", &searches},
                                         {"groundingMetadata.groundingChunks", &chunks}};
    uint64_t number = 0;
    if (json_scan(candidate, 128, queries, sizeof queries / sizeof *queries, NULL))
        return;
    dialect_take_tokens(&index, &number);
    uint64_t bit = (uint64_t)1 << (number < CANDIDATES_MAX ? number : CANDIDATES_MAX - 1);
    meter->counts[COUNT_SEEN] |= bit;
    dialect_take_reason(meter, number, &reason, ends, false);
    if (reason.kind == JSON_KIND_STRING && !json_string_is(&reason, "FINISH_REASON_UNSPECIFIED"))
        meter->counts[COUNT_FINISHED] |= bit;
    if (searches.kind == JSON_KIND_ARRAY)
        grounding->searches += count_searches(&searches);
    if (chunks.kind == JSON_KIND_ARRAY)
        grounding->has_maps |= has_maps(&chunks);
}

/* Grounding is repeated, not added to: the chunk that names most counts. */
static void take_grounding(struct meter *meter, const struct grounding *grounding)
{
    uint64_t calls = grounding->searches;
    if (calls && is_billed_by_answer(meter->served_model))
        calls = 1;
    calls += grounding->has_maps;
    if (meter->usage.tool_calls < calls)
        meter->usage.tool_calls = calls;
}

static void read_candidates(struct meter *meter, struct slice candidates)
{
    struct grounding grounding = {0};
    struct json_value candidate;
    size_t at = 0;
    while (json_next_element(candidates, &at, &candidate))
        if (candidate.kind == JSON_KIND_OBJECT)
            read_candidate(meter, candidate.raw, &grounding);
    take_grounding(meter, &grounding);
    meter->saw_terminal = meter->counts[COUNT_SEEN] && meter->counts[COUNT_SEEN] == meter->counts[COUNT_FINISHED];
}

/* The count of the output is final when the answer is whole, and when it does not leave out the text that was seen. */
static void settle_chunk(struct meter *meter)
{
    const uint64_t *counts = meter->counts;
    bool is_counted = was_said(counts, COUNT_CANDIDATES) || count_by_total(counts) > 0 || !dialect_has_output(meter);
    meter->saw_output_usage = meter->saw_usage && meter->saw_terminal && is_counted;
}

static void take_model(struct meter *meter, const struct json_value *model)
{
    static const char prefix[] = "models/";
    char *name = meter->served_model;
    dialect_take_text(model, name, sizeof meter->served_model);
    if (strncmp(name, prefix, sizeof prefix - 1) == 0)
        memmove(name, name + sizeof prefix - 1, strlen(name + sizeof prefix - 1) + 1);
}

/* A GenerateContentResponse: an answer, or a chunk of a stream. False: no valid JSON. */
static bool read_chunk(struct meter *meter, struct slice chunk)
{
    struct json_value usage, candidates, model, id, block, error;
    const struct json_query queries[] = {{"usageMetadata", &usage},
                                         {"candidates", &candidates},
                                         {"modelVersion", &model},
                                         {"responseId", &id},
                                         {"promptFeedback.blockReason", &block},
                                         {"error", &error}};
    if (json_scan(chunk, 128, queries, sizeof queries / sizeof *queries, NULL))
        return false;
    take_model(meter, &model);
    dialect_take_text(&id, meter->answer_id, sizeof meter->answer_id);
    meter->saw_error |= error.kind == JSON_KIND_OBJECT;
    meter->is_refused |= dialect_is_said(&error) || dialect_is_said(&block);
    meter->is_damaged |= meter->ended && usage.kind != JSON_KIND_OBJECT && candidates.kind != JSON_KIND_ARRAY;
    if (usage.kind == JSON_KIND_OBJECT)
        read_usage(meter, usage.raw);
    if (candidates.kind == JSON_KIND_ARRAY)
        read_candidates(meter, candidates.raw);
    meter->saw_terminal |= block.kind == JSON_KIND_STRING;
    settle_chunk(meter);
    return true;
}

/* ---- streams ---- */

/* A call's arguments are an object, whose members have any names. Inside a text the mark would have backslashes. */
static uint64_t count_call_bytes(struct slice text)
{
    static const char mark[] = "\"functionCall\"";
    uint64_t bytes = 0;
    const char *found;
    while (text.length && (found = memmem(text.data, text.length, mark, sizeof mark - 1))) {
        struct slice call;
        size_t at = 0;
        text = slice_from(text, (size_t)(found - text.data) + sizeof mark - 1);
        bytes += dialect_next_object(text, &at, &call) ? call.length : text.length; /* one that was cut is the last */
        text = slice_from(text, at ? at : text.length);
    }
    return bytes;
}

static void take_output(struct meter *meter, struct slice text)
{
    struct glance glance;
    dialect_glance(text, text_members, "usageMetadata", &glance);
    glance.text_bytes += count_call_bytes(text);
    dialect_count_output(meter, &glance);
    meter->output_events += glance.text_bytes > 0;
}

/* No valid JSON, but billed: half a surrogate pair, a cut. A text would write these names with backslashes. */
static void read_damaged(struct meter *meter, struct slice chunk)
{
    static const char finish[] = "\"finishReason\"";
    struct slice usage = dialect_search_usage(chunk, "usageMetadata");
    meter->is_damaged = true;
    if (usage.length)
        read_usage(meter, usage);
    meter->saw_terminal |= usage.length && memmem(chunk.data, chunk.length, finish, sizeof finish - 1);
    settle_chunk(meter);
}

void gemini_read_event(struct meter *meter, struct slice raw, struct event_cut *ret_cut)
{
    struct slice name, data;
    (void)ret_cut; /* nothing is ever hidden */
    dialect_parse_event(meter, raw, &name, &data);
    take_output(meter, data);
    if (data.length && !read_chunk(meter, data))
        read_damaged(meter, data);
    meter->is_damaged |= data.length && !dialect_is_object(data);
}

/* ---- documents: an answer, or a stream as a JSON array of chunks ---- */

static bool is_array(struct slice document)
{
    size_t at = 0;
    while (at < document.length && strchr(" \t\r\n", document.data[at]))
        at++;
    return at < document.length && document.data[at] == '[';
}

/* White space and that character. */
static bool is_only(struct slice text, char wanted)
{
    unsigned count = 0;
    for (size_t i = 0; i < text.length; i++)
        count += text.data[i] == wanted ? 1 : strchr(" \t\r\n", text.data[i]) ? 0 : 2;
    return count == 1;
}

/* Chunk by chunk: an array that was cut is as good as a stream that was cut. */
static void read_array(struct meter *meter, struct slice document)
{
    struct slice chunk;
    size_t at = 0, end = 0;
    for (char before = '['; dialect_next_object(document, &at, &chunk); before = ',', end = at) {
        struct slice gap = {document.data + end, (size_t)(chunk.data - document.data) - end};
        meter->is_damaged |= !is_only(gap, before);
        if (!read_chunk(meter, chunk))
            read_damaged(meter, chunk);
    }
    meter->is_damaged |= !is_only(slice_from(document, end), ']');
}

void gemini_read_document(struct meter *meter, struct slice document)
{
    take_output(meter, document);
    if (is_array(document)) {
        read_array(meter, document);
        return;
    }
    if (!read_chunk(meter, document)) {
        read_damaged(meter, document);
        return;
    }
    meter->saw_terminal = true;
    meter->is_damaged |= meter->counts[COUNT_SEEN] != meter->ended; /* a candidate that says nothing of its end */
    settle_chunk(meter);
}

/* Of an array that nobody let end, the chunks that came are known. */
void gemini_estimate(const struct meter *meter, const struct request_facts *facts, struct usage *usage)
{
    struct meter read = *meter;
    struct slice document = buffer_contents(&meter->document);
    if (!meter->is_event_stream && !meter->saw_usage && !meter->saw_terminal && document.length) {
        read.output_text_bytes = read.output_events = 0; /* it may have been read already, at its end */
        read.media = (struct media){0};
        gemini_read_document(&read, document);
        *usage = read.usage;
    }
    dialect_estimate_tokens(&read, facts, usage);
}
