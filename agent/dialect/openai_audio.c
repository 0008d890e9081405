/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Speech from text and text from speech (platform.openai.com/docs/api-reference/audio). Speech is billed by the
 * characters of the text (tts-1 and most others) or by tokens, which a stream of events says and plain audio does not;
 * transcription by the length of the recording (whisper) or by tokens.
 */
#include "dialect/form.h"
#include "dialect/openai.h"

/* OpenAI names its token-billed audio models gpt-…; tts-1, whisper-1 and what others offer is billed by the piece. */
static bool is_billed_by_tokens(const char *model)
{
    return strstr(model, "gpt-") != NULL;
}

/* ---- speech ---- */

static const struct request_member speech_members[] = {
    OPENAI_MODEL(true),
    {"input", ROLE_NONE, MEMBER_STRING, true, "Missing required parameter: 'input'.",
     "Invalid type for 'input': expected a string."},
    OPENAI_STRING("stream_format"),
};
static const struct request_format speech_request = {speech_members, sizeof speech_members / sizeof *speech_members,
                                                     NULL, NULL};

/* About 21 tokens a second ("gpt-4o-mini-tts", 0.015 USD a minute at 12 USD per million) and 15 bytes of text a second:
 * a token and a half per byte; whoever is asked to speak very slowly takes five times as long. */
enum { SPEECH_TOKENS_PER_BYTE_MAX = 8, SPEECH_TOKENS_LEAST = 1000 };

/* Of a valid JSON string: an escape is one (half a pair: none), a byte that continues another is none. */
static uint64_t count_characters(struct slice raw)
{
    uint64_t count = 0;
    for (size_t i = 1; i + 1 < raw.length; i++) {
        unsigned char c = (unsigned char)raw.data[i];
        bool is_low_half =
            c == '\\' && raw.data[i + 1] == 'u' && strchr("dD", raw.data[i + 2]) && strchr("cdefCDEF", raw.data[i + 3]);
        count += (c & 0xc0) != 0x80 && !is_low_half;
        if (c == '\\')
            i += raw.data[i + 1] == 'u' ? 5 : 1;
    }
    return count;
}

static enum error read_speech(struct reading *reading, struct request_facts *facts)
{
    const struct json_value *input = dialect_find_value(reading, "input");
    facts->refers_outside = false;
    if (is_billed_by_tokens(facts->model)) {
        facts->output_tokens_max = (int64_t)input->raw.length * SPEECH_TOKENS_PER_BYTE_MAX + SPEECH_TOKENS_LEAST;
        return ERROR_OK;
    }
    facts->units.characters = count_characters(input->raw);
    facts->text_bytes = 0;
    facts->output_tokens_max = 0;
    return ERROR_OK;
}

/* speech.audio.delta … speech.audio.done, which has the usage. */
static void read_speech_event(struct meter *meter, struct slice raw, struct event_cut *ret_cut)
{
    static const char *const text_members[] = {NULL};
    struct glance glance;
    struct slice name, data;
    struct json_value usage, error;
    const struct json_query queries[] = {{"usage", &usage}, {"error", &error}};
    (void)ret_cut; /* nothing is ever hidden */
    dialect_glance_event(meter, raw, text_members, &name, &data, &glance);
    if (!glance.has_usage && !glance.has_error)
        return;
    if (json_scan(data, 128, queries, 2, NULL)) {
        meter->is_damaged = true;
        usage.raw = dialect_search_usage(data, "usage");
    } else {
        meter->saw_error |= error.kind == JSON_KIND_OBJECT;
        meter->is_refused |= dialect_is_said(&error);
    }
    if (!usage.raw.length || !openai_read_usage(meter, usage.raw))
        return;
    meter->usage.output_audio += meter->usage.output;
    meter->usage.output = 0;
    meter->saw_terminal = meter->is_closed = true;
    dialect_take_whole(meter);
}

static void estimate_speech(const struct meter *meter, const struct request_facts *facts, struct usage *usage)
{
    dialect_estimate_units(meter, facts, usage);
    if (facts->units.characters)
        return;
    usage->input = facts->text_bytes / 4 + 1;
    usage->output_audio = facts->text_bytes + facts->text_bytes / 2 + 1;
}

/* The audio itself is not looked at, nor kept. */
const struct format openai_speech_format = {
    .request = &speech_request,
    .read = read_speech,
    .read_event = read_speech_event,
    .estimate = estimate_speech,
};

/* ---- transcriptions and translations ---- */

static const struct request_member transcription_members[] = {
    OPENAI_MODEL(true),
    OPENAI_STREAM,
    OPENAI_STRING("response_format"),
    {"url", ROLE_NONE, MEMBER_ANY, false, NULL, NULL},
    {"file_url", ROLE_NONE, MEMBER_ANY, false, NULL, NULL},
    {"file_id", ROLE_NONE, MEMBER_ANY, false, NULL, NULL},
    {"file", ROLE_NONE, MEMBER_ANY, false, NULL, NULL},
};
static const struct request_format transcription_request = {
    transcription_members, sizeof transcription_members / sizeof *transcription_members, NULL, NULL};

/* Some bill ten seconds at least (Groq, "Pricing"). Speech has ten tokens a second, 50 is every model's most. A
 * recording whose length nobody says is charged at the length that was held: another rate would be a way to pay less.
 * Of one that is elsewhere four hours are held. */
enum { SECONDS_LEAST = 10, SECONDS_ELSEWHERE = 4 * 3600, TOKENS_PER_SECOND_MAX = 50, TOKENS_PER_SECOND = 10 };

/* Groq's url, Mistral's file_url and file_id; Together's file may be an address, too. */
static bool names_elsewhere(struct slice name, struct slice value)
{
    return slice_is(name, "url") || slice_is(name, "file_url") || slice_is(name, "file_id") ||
           (slice_is(name, "file") && slice_has_prefix(value, "http"));
}

static bool is_elsewhere(const struct reading *reading)
{
    for (size_t i = 0; reading->form && i < reading->form->field_count; i++)
        if (names_elsewhere(reading->form->fields[i].name, reading->form->fields[i].value))
            return true;
    for (size_t i = 0; !reading->form && i < reading->format->member_count; i++) {
        const char *name = reading->format->members[i].path;
        const struct json_value *value = dialect_find_value(reading, name);
        if (value && names_elsewhere(slice_of(name), slice_from(value->raw, 1))) /* of a string: behind its quote */
            return true;
    }
    return false;
}

static uint64_t bound_seconds(const struct reading *reading)
{
    const struct form *form = reading->form;
    uint64_t seconds = is_elsewhere(reading) ? SECONDS_ELSEWHERE : 0;
    if (!form)
        seconds += recording_bound_seconds(reading->request->body);
    for (size_t i = 0; form && i < form->field_count; i++)
        if (form->fields[i].is_file || slice_is(form->fields[i].name, "file"))
            seconds += recording_bound_seconds(form->fields[i].value);
    return seconds;
}

static enum error read_transcription(struct reading *reading, struct request_facts *facts)
{
    size_t text_bytes = reading->form ? reading->form->text_bytes : reading->request->body.length;
    uint64_t seconds = bound_seconds(reading);
    facts->refers_outside = false;
    if (is_billed_by_tokens(facts->model)) {
        facts->text_bytes = text_bytes + (size_t)seconds * TOKENS_PER_SECOND_MAX;
        return ERROR_OK;
    }
    facts->units.seconds = seconds > SECONDS_LEAST ? seconds : SECONDS_LEAST;
    facts->text_bytes = 0;
    facts->output_tokens_max = 0;
    return ERROR_OK;
}

static const char *const transcript_members[] = {"text", NULL};
static const char *const delta_members[] = {"delta", NULL};

static bool take_answer(struct meter *meter, struct slice data, bool is_last)
{
    struct json_value usage, error, duration, text;
    const struct json_query queries[] = {
        {"usage", &usage}, {"error", &error}, {"duration", &duration}, {"text", &text}};
    if (json_scan(data, 128, queries, 4, NULL))
        return false;
    meter->saw_error |= error.kind == JSON_KIND_OBJECT;
    meter->is_refused |= dialect_is_said(&error);
    if (is_last && text.kind == JSON_KIND_STRING)
        dialect_take_whole(meter);
    if (usage.kind == JSON_KIND_OBJECT && openai_read_usage(meter, usage.raw))
        return true;
    /* verbose_json says the length beside the text */
    if (openai_take_seconds(&duration, &meter->usage.seconds))
        meter->saw_usage = meter->saw_output_usage = true;
    return true;
}

static void read_transcript_event(struct meter *meter, struct slice raw, struct event_cut *ret_cut)
{
    struct glance glance;
    struct slice name, data;
    (void)ret_cut; /* nothing is ever hidden */
    dialect_glance_event(meter, raw, delta_members, &name, &data, &glance);
    bool is_last = data.length && memmem(data.data, data.length, "\"transcript.text.done\"", 22);
    if (!glance.has_usage && !glance.has_error && !is_last)
        return;
    meter->saw_terminal |= is_last;
    meter->is_closed |= is_last;
    if (!take_answer(meter, data, is_last))
        openai_search_usage(meter, data);
}

/* "00:01:02,500" (SRT) or "01:02.500" (VTT, hours left out), rounded up. */
static bool read_timestamp(struct slice text, uint64_t *ret_seconds)
{
    uint64_t seconds = 0, part = 0;
    unsigned parts = 0, digits = 0;
    for (size_t i = 0; i < text.length && digits <= 6; i++) {
        char c = text.data[i];
        if (c >= '0' && c <= '9') {
            part = part * 10 + (uint64_t)(c - '0');
            digits++;
        } else if (c == ':' && digits && parts < 2) {
            seconds = (seconds + part) * 60;
            part = digits = 0;
            parts++;
        } else {
            bool is_end = (c == ',' || c == '.') && digits && parts;
            *ret_seconds = seconds + part + 1;
            return is_end;
        }
    }
    return false;
}

/* Subtitles: the end of the last one is (nearly) the length of the recording. */
static void read_subtitles(struct meter *meter, struct slice text)
{
    const char *last = NULL;
    for (struct slice rest = text; rest.length;) {
        const char *arrow = memmem(rest.data, rest.length, "--> ", 4);
        if (!arrow)
            break;
        last = arrow + 4;
        rest = slice_from(rest, (size_t)(last - rest.data));
    }
    if (last && read_timestamp(slice_from(text, (size_t)(last - text.data)), &meter->usage.seconds))
        meter->saw_usage = true; /* of the input alone: an estimate */
}

static void read_transcript(struct meter *meter, struct slice document)
{
    struct glance glance;
    dialect_glance(document, transcript_members, "usage", &glance);
    dialect_count_output(meter, &glance);
    if (take_answer(meter, document, true)) {
        meter->saw_terminal = true;
        return;
    }
    if (document.length && document.data[0] == '{') {
        openai_search_usage(meter, document);
        return;
    }
    meter->output_text_bytes = document.length;
    read_subtitles(meter, document);
}

static void estimate_transcript(const struct meter *meter, const struct request_facts *facts, struct usage *usage)
{
    dialect_estimate_units(meter, facts, usage);
    if (facts->units.seconds)
        return;
    usage->output = usage->output ? usage->output : meter->output_text_bytes / 4 + 1;
    if (!usage->input && !usage->input_audio)
        usage->input_audio = facts->text_bytes / TOKENS_PER_SECOND_MAX * TOKENS_PER_SECOND + 1;
}

const struct format openai_transcriptions_format = {
    .request = &transcription_request,
    .body = BODY_JSON_OR_FORM,
    .read = read_transcription,
    .read_event = read_transcript_event,
    .read_document = read_transcript,
    .estimate = estimate_transcript,
};
