/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Messages answer used (docs.anthropic.com/en/api/messages, `usage`). input_tokens is the fresh part only; cache
 * reads and writes stand beside it. In a stream message_start has the input and message_delta is cumulative: each field
 * that comes replaces the one before, never adds. Called by the meter.
 */
#include "dialect/anthropic.h"

/* Thinking that is not shown, or only as a summary, is in its signature; data: of redacted thinking. */
static const char *const text_members[] = {"text", "thinking", "partial_json", "signature", "data", NULL};

enum { COUNT_FOUND = METER_COUNTS - 1 }; /* meter->counts: bytes of what tools of the provider found */
_Static_assert((int)BUCKET_COUNT <= (int)COUNT_FOUND, "the other counts are those of rounds");

/* Writes are cache_creation_input_tokens in all, and perhaps split by how long they live. What a total has
 * beyond the long-lived part known so far is of the ordinary kind (5 minutes). */
static void take_cache_writes(struct usage *usage, const struct json_value *total, const struct json_value *short_lived,
                              const struct json_value *long_lived)
{
    uint64_t all = 0;
    dialect_take_tokens(short_lived, &usage->cache_write);
    dialect_take_tokens(long_lived, &usage->cache_write_1h);
    if (!dialect_take_tokens(total, &all))
        return;
    if (all < usage->cache_write_1h)
        usage->cache_write_1h = all;
    usage->cache_write = all - usage->cache_write_1h;
}

/* The list's fast prices are those of `speed`; Anthropic's priority tier is paid in advance and changes no price. */
static void take_speed(struct meter *meter, const struct json_value *tier, const struct json_value *speed)
{
    if (json_string_is(speed, "fast"))
        dialect_take_text(speed, meter->service_tier, sizeof meter->service_tier);
    else if (strcmp(meter->service_tier, "fast") != 0 && !json_string_is(tier, "priority"))
        dialect_take_text(tier, meter->service_tier, sizeof meter->service_tier);
}

/* What a usage object counts, and which of it. */
static bool take_counts(struct slice object, struct usage *usage, bool *ret_has_output)
{
    struct json_value input, output, read, written, short_lived, long_lived, searches;
    const struct json_query queries[] = {
        {"input_tokens", &input},
        {"output_tokens", &output},
        {"cache_read_input_tokens", &read},
        {"cache_creation_input_tokens", &written},
        {"cache_creation.ephemeral_5m_input_tokens", &short_lived},
        {"cache_creation.ephemeral_1h_input_tokens", &long_lived},
        {"server_tool_use.web_search_requests", &searches},
    };
    if (json_scan(object, 16, queries, sizeof queries / sizeof *queries, NULL))
        return false;
    bool has_input = dialect_take_tokens(&input, &usage->input);
    *ret_has_output = dialect_take_tokens(&output, &usage->output);
    dialect_take_tokens(&read, &usage->cache_read);
    dialect_take_tokens(&searches, &usage->tool_calls);
    take_cache_writes(usage, &written, &short_lived, &long_lived);
    return has_input || *ret_has_output;
}

/* Rounds that the totals leave out: those that wrote a summary ("Compaction"), and those of an adviser ("Advisor tool";
 * its model is another, but its tokens are billed). */
static bool is_beside_totals(const struct json_value *type)
{
    return json_string_is(type, "compaction") || json_string_is(type, "advisor_message");
}

static void add_rounds(const struct json_value *rounds, uint64_t counts[])
{
    struct slice round;
    size_t at = 0;
    while (dialect_next_object(rounds->raw, &at, &round)) {
        struct json_value type;
        const struct json_query query = {"type", &type};
        struct usage usage = {0};
        bool has_output;
        if (json_scan(round, 16, &query, 1, NULL) || !is_beside_totals(&type) ||
            !take_counts(round, &usage, &has_output))
            continue;
        for (size_t i = 0; i < BUCKET_COUNT; i++)
            if (__builtin_add_overflow(counts[i], usage.of[i], &counts[i]))
                counts[i] = INT64_MAX;
    }
}
_Static_assert((int)BUCKET_COUNT <= (int)METER_COUNTS, "meter->counts: what those rounds add to meter->usage");

bool anthropic_read_usage(struct meter *meter, struct slice object)
{
    struct json_value tier, speed, rounds, place;
    const struct json_query queries[] = {
        {"service_tier", &tier}, {"speed", &speed}, {"iterations", &rounds}, {"inference_geo", &place}};
    struct usage *usage = &meter->usage;
    bool has_output = false;
    if (json_scan(object, 16, queries, sizeof queries / sizeof *queries, NULL))
        return false;
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        usage->of[i] -= meter->counts[i];
    meter->saw_usage |= take_counts(object, usage, &has_output);
    take_speed(meter, &tier, &speed);
    meter->is_regional |= json_string_is(&place, "us");
    if (rounds.kind == JSON_KIND_ARRAY) {
        memset(meter->counts, 0, BUCKET_COUNT * sizeof *meter->counts);
        add_rounds(&rounds, meter->counts);
    }
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        if (__builtin_add_overflow(usage->of[i], meter->counts[i], &usage->of[i]))
            usage->of[i] = UINT64_MAX;
    return has_output;
}

/* A search that begins; the last usage has the count, unless the stream is cut before it. */
static void count_search(struct meter *meter, struct slice data)
{
    static const char mark[] = "\"server_tool_use\"";
    struct json_value type, tool;
    const struct json_query queries[] = {{"content_block.type", &type}, {"content_block.name", &tool}};
    if (!memmem(data.data, data.length, mark, sizeof mark - 1))
        return;
    if (!json_scan(data, 128, queries, 2, NULL) && json_string_is(&type, "server_tool_use") &&
        json_string_is(&tool, "web_search"))
        meter->usage.tool_calls++;
}

/* What tools of the provider found is input of the next round, in one event. */
static void take_found(struct meter *meter, struct slice data, const struct glance *glance)
{
    static const char mark[] = "_tool_result\"";
    struct json_value type;
    const struct json_query query = {"content_block.type", &type};
    char name[64];
    if (!memmem(data.data, data.length, mark, sizeof mark - 1) || json_scan(data, 128, &query, 1, NULL) ||
        !json_get_string(&type, name, sizeof name) || !slice_has_suffix(slice_of(name), "_tool_result"))
        return;
    meter->counts[COUNT_FOUND] += data.length;
    meter->output_text_bytes -= glance->text_bytes;
    meter->output_events -= glance->text_bytes > 0;
}

void anthropic_estimate(const struct meter *meter, const struct request_facts *facts, struct usage *usage)
{
    dialect_estimate_tokens(meter, facts, usage);
    usage->input += meter->counts[COUNT_FOUND] / 4;
}

static const char *const ends[] = {"end_turn", "max_tokens", "stop_sequence", "tool_use", NULL};

/* What says how an event, or a document, stands to the end of the answer. */
struct last_words {
    struct json_value type, reason, error;
};

static void take_words(struct meter *meter, const struct last_words *words)
{
    meter->is_refused |= json_string_is(&words->type, "error") || dialect_is_said(&words->error);
    if (!meter->is_event_stream || json_string_is(&words->type, "message_delta"))
        dialect_take_reason(meter, 0, &words->reason, ends, false);
    else if (json_string_is(&words->type, "message_stop"))
        meter->is_closed = true;
    else
        meter->is_damaged |= meter->ended && !json_string_is(&words->type, "ping");
}

void anthropic_read_event(struct meter *meter, struct slice raw, struct event_cut *ret_cut)
{
    struct glance glance;
    struct slice name, data;
    struct last_words words;
    struct json_value start_usage, delta_usage, model, id;
    const struct json_query queries[] = {{"type", &words.type},   {"delta.stop_reason", &words.reason},
                                         {"error", &words.error}, {"message.usage", &start_usage},
                                         {"usage", &delta_usage}, {"message.model", &model},
                                         {"message.id", &id}};
    (void)ret_cut; /* nothing is ever hidden */
    dialect_glance_event(meter, raw, text_members, &name, &data, &glance);
    count_search(meter, data);
    take_found(meter, data, &glance);
    /* message_stop is short; a text that quotes it is settled by the scan. */
    bool may_be_last = data.length < 256 && memmem(data.data, data.length, "message_stop", 12);
    bool is_metered = glance.has_usage || glance.has_error || may_be_last;
    bool is_end = data.length && (glance.has_reason || meter->ended);
    if (!is_metered && !is_end)
        return;
    if (json_scan(data, 128, queries, sizeof queries / sizeof *queries, NULL)) {
        struct slice usage = dialect_search_usage(data, "usage");
        meter->is_damaged = true;
        if (is_metered && usage.length && anthropic_read_usage(meter, usage) && slice_is(name, "message_delta"))
            meter->saw_output_usage = true;
        return;
    }
    take_words(meter, &words);
    if (!is_metered)
        return;
    meter->saw_terminal |= json_string_is(&words.type, "message_stop");
    meter->saw_error |= json_string_is(&words.type, "error");
    if (json_string_is(&words.type, "message_start")) {
        dialect_take_text(&model, meter->served_model, sizeof meter->served_model);
        dialect_take_text(&id, meter->answer_id, sizeof meter->answer_id);
        if (start_usage.kind == JSON_KIND_OBJECT)
            anthropic_read_usage(meter, start_usage.raw);
    }
    if (json_string_is(&words.type, "message_delta") && delta_usage.kind == JSON_KIND_OBJECT &&
        anthropic_read_usage(meter, delta_usage.raw))
        meter->saw_output_usage = true;
}

void anthropic_read_document(struct meter *meter, struct slice document)
{
    struct glance glance;
    struct last_words words;
    struct json_value usage, model, id;
    const struct json_query queries[] = {{"usage", &usage},       {"type", &words.type}, {"stop_reason", &words.reason},
                                         {"error", &words.error}, {"model", &model},     {"id", &id}};
    dialect_glance(document, text_members, "usage", &glance);
    dialect_count_output(meter, &glance);
    if (json_scan(document, 128, queries, sizeof queries / sizeof *queries, NULL)) {
        struct slice found = dialect_search_usage(document, "usage");
        meter->saw_output_usage = found.length && anthropic_read_usage(meter, found);
        return;
    }
    meter->saw_terminal = true;
    meter->saw_error |= json_string_is(&words.type, "error");
    take_words(meter, &words);
    dialect_take_text(&model, meter->served_model, sizeof meter->served_model);
    dialect_take_text(&id, meter->answer_id, sizeof meter->answer_id);
    if (usage.kind == JSON_KIND_OBJECT)
        meter->saw_output_usage = anthropic_read_usage(meter, usage.raw);
}
