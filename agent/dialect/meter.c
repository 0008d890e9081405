/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metering an answer while it passes. What the client gets is the provider's bytes as they come; only when usage was
 * asked for behind the client's back does a stream go on event by event, without it. Called by flow/'s relay.
 */
#include "base/check.h"
#include "dialect/internal.h"

enum { BYTES_PER_TOKEN = 4 }; /* English and JSON: three to five */

void meter_init(struct meter *meter, const struct dialect *dialect, const struct endpoint *endpoint,
                bool is_event_stream, bool hides_usage, size_t document_bytes_max, size_t event_bytes_max)
{
    bool was_injected = hides_usage && endpoint->format && endpoint->format->injects_usage;
    *meter = (struct meter){
        .dialect = dialect, .endpoint = endpoint, .is_event_stream = is_event_stream, .hides_usage = was_injected};
    sse_splitter_init(&meter->splitter, event_bytes_max);
    buffer_init(&meter->document, document_bytes_max);
}

void meter_done(struct meter *meter)
{
    sse_splitter_done(&meter->splitter);
    buffer_done(&meter->document);
    arena_free(meter->scratch);
    meter->scratch = NULL;
}

bool dialect_take_tokens(const struct json_value *value, uint64_t *ret_tokens)
{
    int64_t tokens;
    if (!json_get_integer(value, &tokens))
        return false;
    *ret_tokens = (uint64_t)tokens;
    return true;
}

/* What is no string, too long, or has control characters says nothing: it goes into notes of lines, and before people.
 */
void dialect_take_text(const struct json_value *value, char *text, size_t bytes_max)
{
    enum { TEXT_BYTES_MAX = 256 };
    char said[TEXT_BYTES_MAX];
    check(bytes_max <= sizeof said);
    if (!json_get_string(value, said, bytes_max))
        return;
    for (const char *c = said; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return;
    memcpy(text, said, strlen(said) + 1);
}

void dialect_parse_event(struct meter *meter, struct slice raw_event, struct slice *ret_name, struct slice *ret_data)
{
    if (!meter->scratch)
        meter->scratch = arena_new(256);
    meter->is_damaged |= !sse_parse_event(raw_event, meter->scratch, ret_name, ret_data);
    meter->is_refused |= slice_is(*ret_name, "error"); /* whatever its data say */
}

void dialect_count_output(struct meter *meter, const struct glance *glance)
{
    const struct media *seen = &glance->media;
    meter->output_text_bytes += glance->text_bytes;
    meter->media.spoken_bytes += seen->spoken_bytes;
    meter->media.sound_bytes += seen->sound_bytes;
    meter->media.raw_sound_bytes += seen->raw_sound_bytes;
    meter->media.pictures += seen->pictures;
    meter->media.has_sketch |= seen->has_sketch;
}

bool dialect_has_output(const struct meter *meter)
{
    const struct media *media = &meter->media;
    return meter->output_text_bytes || media->spoken_bytes || media->sound_bytes || media->raw_sound_bytes ||
           media->pictures || media->has_sketch;
}

/* Comments and keep-alives have no data. */
void dialect_glance_event(struct meter *meter, struct slice raw_event, const char *const *text_members,
                          struct slice *ret_name, struct slice *ret_data, struct glance *ret_glance)
{
    dialect_parse_event(meter, raw_event, ret_name, ret_data);
    bool is_object = dialect_glance_object(*ret_data, text_members, "usage", ret_glance);
    bool is_done = slice_is(slice_trim(*ret_data), "[DONE]");
    meter->is_damaged |= ret_data->length && !is_done && (!is_object || meter->is_closed);
    dialect_count_output(meter, ret_glance);
    meter->output_events += ret_glance->text_bytes > 0;
}

/* ---- streams ---- */

struct visit {
    struct meter *meter;
    struct buffer *out; /* NULL: the bytes have gone on already */
};

static bool append_member_cut(struct buffer *out, const struct event_cut *cut)
{
    struct slice parts[] = {{cut->data.data, cut->from}, slice_from(cut->data, cut->to)};
    if (cut->name.length && (!buffer_append(out, SLICE_LITERAL("event: ")) || !buffer_append(out, cut->name) ||
                             !buffer_append(out, SLICE_LITERAL("\n"))))
        return false;
    if (!buffer_append(out, SLICE_LITERAL("data: ")))
        return false;
    for (size_t i = 0; i < 2; i++) {
        const char *line_feed;
        while (parts[i].length && (line_feed = memchr(parts[i].data, '\n', parts[i].length))) {
            size_t length = (size_t)(line_feed - parts[i].data);
            if (!buffer_append(out, (struct slice){parts[i].data, length}) ||
                !buffer_append(out, SLICE_LITERAL("\ndata: ")))
                return false;
            parts[i] = slice_from(parts[i], length + 1);
        }
        if (!buffer_append(out, parts[i]))
            return false;
    }
    return buffer_append(out, SLICE_LITERAL("\n\n"));
}

/* An event may begin with the LF of a CRLF that was cut in two: that byte goes the way of the event before. */
static bool append_cut(struct meter *meter, struct slice raw, const struct event_cut *cut, struct buffer *out)
{
    bool has_late_lf = meter->splitter.has_late_lf;
    if (has_late_lf && !meter->hid_last_event && !buffer_append(out, SLICE_LITERAL("\n")))
        return false;
    raw = slice_from(raw, has_late_lf ? 1 : 0);
    if (raw.length)
        meter->hid_last_event = cut->kind == CUT_EVENT;
    if (cut->kind == CUT_EVENT)
        return true;
    if (cut->kind == CUT_NOTHING)
        return buffer_append(out, raw);
    bool is_in_raw = cut->data.data >= raw.data && cut->data.data + cut->data.length <= raw.data + raw.length;
    if (!is_in_raw) /* joined from several lines */
        return append_member_cut(out, cut);
    size_t start = (size_t)(cut->data.data - raw.data);
    return buffer_append(out, (struct slice){raw.data, start + cut->from}) &&
           buffer_append(out, slice_from(raw, start + cut->to));
}

static void visit_event(void *context, struct slice raw)
{
    struct visit *visit = context;
    struct meter *meter = visit->meter;
    struct event_cut cut = {.kind = CUT_NOTHING};
    meter->endpoint->format->read_event(meter, raw, &cut);
    if (visit->out && !append_cut(meter, raw, &cut, visit->out))
        meter->has_failed = true;
    if (meter->scratch && arena_bytes(meter->scratch)) { /* several data lines: rare, and not to be kept */
        arena_free(meter->scratch);
        meter->scratch = NULL;
    }
}

static bool feed_stream(struct meter *meter, struct slice bytes, struct buffer *out)
{
    struct visit visit = {meter, meter->hides_usage ? out : NULL};
    bool is_bounded = sse_splitter_feed(&meter->splitter, bytes, visit_event, &visit);
    meter->is_damaged |= !is_bounded;
    if (!meter->hides_usage)
        return buffer_append(out, bytes); /* an event past the bound was not read: its output is estimated */
    return is_bounded && !meter->has_failed;
}

/* ---- documents ---- */

static bool feed_document(struct meter *meter, struct slice bytes, struct buffer *out)
{
    if (meter->endpoint->format->read_line)
        dialect_feed_lines(meter, bytes);
    else if (!meter->document_overflowed && !buffer_append(&meter->document, bytes)) {
        meter->document_overflowed = true;
        buffer_reset(&meter->document, 0);
    }
    return buffer_append(out, bytes);
}

static bool is_read(const struct meter *meter)
{
    const struct format *format = meter->endpoint->format;
    return format && (meter->is_event_stream ? format->read_event != NULL : format->read_document != NULL);
}

bool meter_feed(struct meter *meter, struct slice bytes, struct buffer *out)
{
    meter->body_bytes += bytes.length;
    if (!is_read(meter))
        return buffer_append(out, bytes);
    return meter->is_event_stream ? feed_stream(meter, bytes, out) : feed_document(meter, bytes, out);
}

bool meter_finish(struct meter *meter, struct buffer *out)
{
    struct slice rest = sse_splitter_rest(&meter->splitter);
    if (!is_read(meter))
        return true;
    if (!meter->is_event_stream) {
        const struct format *format = meter->endpoint->format;
        if (format->read_line || (!meter->document_overflowed && buffer_length(&meter->document)))
            format->read_document(meter, buffer_contents(&meter->document));
        return true;
    }
    struct visit visit = {meter, meter->hides_usage ? out : NULL};
    if (rest.length) /* the last event lacks its blank line; clients read it all the same */
        visit_event(&visit, rest);
    buffer_reset(&meter->splitter.pending, 0);
    return !meter->has_failed;
}

/* ---- the result ---- */

static uint64_t divide_up(uint64_t bytes, uint64_t by)
{
    return bytes / by + (bytes % by != 0);
}

/* A stream sends at least a token per event; a document that could not be looked into is all text. */
static uint64_t estimate_output(const struct meter *meter)
{
    uint64_t text_bytes = meter->output_text_bytes;
    if (!meter->is_event_stream && !dialect_has_output(meter))
        text_bytes = meter->body_bytes;
    uint64_t tokens = divide_up(text_bytes, BYTES_PER_TOKEN);
    if (tokens < meter->output_events)
        tokens = meter->output_events;
    return tokens || meter->body_bytes == 0 ? tokens : 1;
}

/* Samples have 48,000 bytes a second, a third more as base64, and at most 25 tokens (Gemini; 20 at OpenAI). The chat of
 * OpenAI streams nothing else, with a transcript beside it: 15 bytes of text a second. Sound that nothing is known of
 * may be compressed, to 16 kbit/s. */
static uint64_t estimate_sound(const struct media *media)
{
    enum { RAW_BYTES_PER_TOKEN = 2560, BYTES_PER_SOUND_TOKEN = 106 };
    uint64_t spoken = media->spoken_bytes + divide_up(media->spoken_bytes, 2);
    uint64_t heard =
        divide_up(media->sound_bytes, media->spoken_bytes ? (uint64_t)RAW_BYTES_PER_TOKEN : BYTES_PER_SOUND_TOKEN);
    return (spoken > heard ? spoken : heard) + divide_up(media->raw_sound_bytes, RAW_BYTES_PER_TOKEN);
}

/* Of the largest picture: what was held for it, else 2,520 ("Gemini 3.1 Flash Image", 4K). */
static uint64_t estimate_pictures(const struct media *media, const struct request_facts *facts)
{
    enum { PICTURE_TOKENS = 2520 };
    uint64_t count = media->pictures ? media->pictures : media->has_sketch;
    bool is_held = facts->drawing.model[0] && facts->drawing.tokens_each > 0;
    return count * (is_held ? (uint64_t)facts->drawing.tokens_each : PICTURE_TOKENS);
}

static bool has_input(const struct usage *usage)
{
    return usage->input || usage->cache_read || usage->cache_write || usage->cache_write_1h || usage->input_audio ||
           usage->input_image;
}

uint64_t dialect_take_part(uint64_t *whole, uint64_t part)
{
    uint64_t taken = part < *whole ? part : *whole;
    *whole -= taken;
    return taken;
}

void dialect_estimate_tokens(const struct meter *meter, const struct request_facts *facts, struct usage *usage)
{
    uint64_t text = estimate_output(meter), sound = estimate_sound(&meter->media),
             drawn = estimate_pictures(&meter->media, facts), said = usage->output;
    /* What was said of output in general may be of sound and pictures. */
    if (usage->output_audio < sound) {
        dialect_take_part(&said, sound - usage->output_audio);
        usage->output_audio = sound;
    }
    if (usage->output_image < drawn) {
        dialect_take_part(&said, drawn - usage->output_image);
        usage->output_image = drawn;
    }
    usage->output = said > text ? said : text;
    if (!has_input(usage))
        usage->input = divide_up(facts->text_bytes, BYTES_PER_TOKEN);
}

void dialect_estimate_nothing(const struct meter *meter, const struct request_facts *facts, struct usage *usage)
{
    (void)meter, (void)facts;
    *usage = (struct usage){0};
}

void dialect_estimate_units(const struct meter *meter, const struct request_facts *facts, struct usage *usage)
{
    (void)meter;
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        if (bucket_rows[i].side == SIDE_UNIT && usage->of[i] == 0)
            usage->of[i] = facts->units.of[i];
}

/* Nothing was answered, or it costs nothing, or is not known yet. */
static bool has_no_usage(const struct meter *meter)
{
    const struct endpoint *endpoint = meter->endpoint;
    if (!endpoint->format || meter->job == JOB_PENDING ||
        (endpoint->kind != ENDPOINT_METERED && !(endpoint->kind == ENDPOINT_JOB && meter->job == JOB_DONE)))
        return true;
    return !meter->saw_usage && (meter->body_bytes == 0 || (meter->saw_error && !dialect_has_output(meter)));
}

static bool has_tokens(const struct usage *usage)
{
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        if (bucket_rows[i].side != SIDE_UNIT && usage->of[i])
            return true;
    return false;
}

/* The answer counts by another measure than the request is billed by, pieces instead of tokens (images of a model that
 * is billed by tokens) or tokens instead of pieces: what it should have said is missing. */
static bool is_beside_the_point(const struct usage *usage, const struct request_facts *facts)
{
    const struct usage *billed = &facts->units;
    if (has_tokens(usage))
        return (billed->images && !usage->images) || (billed->seconds && !usage->seconds) ||
               (billed->characters && !usage->characters);
    return (usage->images && !billed->images) || (usage->seconds && !billed->seconds);
}

enum usage_source meter_result(const struct meter *meter, const struct request_facts *facts, struct usage *ret_usage)
{
    *ret_usage = (struct usage){0};
    if (has_no_usage(meter))
        return USAGE_NONE;
    const struct format *format = meter->endpoint->format;
    bool is_known = meter->saw_output_usage && !is_beside_the_point(&meter->usage, facts);
    *ret_usage = meter->usage;
    if (!facts->units.images)
        ret_usage->images = 0;
    if (!facts->units.seconds)
        ret_usage->seconds = 0;
    /* No usage, or the answer was cut before its last word: what is known stays, the rest is estimated. */
    if (!is_known)
        (format->estimate ? format->estimate : dialect_estimate_tokens)(meter, facts, ret_usage);
    if (facts->bills_calls && ret_usage->tool_calls == 0)
        ret_usage->tool_calls = facts->units.tool_calls;
    return is_known ? USAGE_PROVIDER : USAGE_ESTIMATED;
}
