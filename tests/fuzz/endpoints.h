/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests and answers of one dialect at each of its endpoints: the targets *_request and *_answer differ only in their
 * table. The first byte of an input chooses the row.
 */
#ifndef TESTS_FUZZ_ENDPOINTS_H
#define TESTS_FUZZ_ENDPOINTS_H

#include "fuzz.h"

#include "dialect/dialect.h"

struct endpoint_case {
    const char *method, *path, *content_type;
};
#define FORM_TYPE "multipart/form-data; boundary=xYz"
#define JSON_TYPE "application/json"

__attribute__((unused)) static const struct endpoint_case openai_cases[] = {
    {"POST", "/v1/chat/completions", JSON_TYPE},
    {"POST", "/v1/responses", JSON_TYPE},
    {"POST", "/v1/embeddings", JSON_TYPE},
    {"POST", "/v1/completions", JSON_TYPE},
    {"POST", "/v1/images/generations", JSON_TYPE},
    {"POST", "/v1/images/edits", FORM_TYPE},
    {"POST", "/v1/images/edits", JSON_TYPE},
    {"POST", "/v1/images/variations", FORM_TYPE},
    {"POST", "/v1/audio/speech", JSON_TYPE},
    {"POST", "/v1/audio/transcriptions", FORM_TYPE},
    {"POST", "/v1/audio/translations", FORM_TYPE},
    {"POST", "/v1/batches", JSON_TYPE},
    {"POST", "/v1/files", FORM_TYPE},
    {"GET", "/v1/responses/resp_1", JSON_TYPE},
    {"GET", "/v1/batches/batch_1", JSON_TYPE},
    {"POST", "/v1/responses/compact", JSON_TYPE},
};
__attribute__((unused)) static const struct endpoint_case anthropic_cases[] = {
    {"POST", "/v1/messages", JSON_TYPE},          {"POST", "/v1/messages/batches", JSON_TYPE},
    {"GET", "/v1/messages/batches/b", JSON_TYPE}, {"GET", "/v1/messages/batches/b/results", JSON_TYPE},
    {"POST", "/v1/chat/completions", JSON_TYPE},
};
__attribute__((unused)) static const struct endpoint_case gemini_cases[] = {
    {"POST", "/v1beta/models/gemini-2.5-flash:generateContent", JSON_TYPE},
    {"POST", "/v1beta/models/gemini-2.5-flash:streamGenerateContent", JSON_TYPE},
    {"POST", "/v1beta/models/e:embedContent", JSON_TYPE},
    {"POST", "/v1beta/models/e:batchEmbedContents", JSON_TYPE},
    {"POST", "/v1beta/models/imagen-4:predict", JSON_TYPE},
    {"POST", "/v1beta/openai/chat/completions", JSON_TYPE},
};

/* ---- requests: what is edited reads as edited ---- */

struct reading_result {
    enum error error;
    struct request_facts facts;
    const char *problem;
};

static inline struct reading_result read_once(const struct dialect *dialect, const struct endpoint *endpoint,
                                              const struct endpoint_case *row, struct slice path, struct slice body,
                                              struct arena *arena)
{
    const struct dialect_request request = {.method = slice_of(row->method),
                                            .path = path,
                                            .query = SLICE_LITERAL("alt=sse"),
                                            .content_type = slice_of(row->content_type),
                                            .body = body,
                                            .depth_max = 128};
    struct reading_result result = {.problem = ""};
    result.error = dialect->read_request(endpoint, &request, arena, &result.facts, &result.problem);
    FUZZ_REQUIRE(!result.error || (result.problem && *result.problem), "no reason");
    return result;
}

static inline void play_request(const struct dialect *dialect, const struct endpoint_case *rows, unsigned count,
                                const uint8_t *data, size_t size)
{
    struct slice body = fuzz_slice(data, size);
    const struct endpoint_case *row = &rows[fuzz_choose(&body, count)];
    const struct endpoint *endpoint = dialect->find_endpoint(slice_of(row->method), slice_of(row->path));
    struct arena *arena = arena_new(1024);
    struct reading_result first = read_once(dialect, endpoint, row, slice_of(row->path), body, arena);
    if (!first.error) {
        struct request_edits edits = {.model = "another-model", .inject_usage = true, .output_tokens_max = 77};
        const struct request_edits none = {.output_tokens_max = -1};
        struct slice same = dialect->edit_request(endpoint, body, &first.facts, &none, arena);
        FUZZ_REQUIRE(same.data == body.data && same.length == body.length, "edited without edits");
        struct slice edited = dialect->edit_request(endpoint, body, &first.facts, &edits, arena);
        char *copy = fuzz_copy(edited);
        struct slice path = slice_of(row->path);
        if (dialect->edit_path)
            path = dialect->edit_path(path, edits.model, arena);
        struct reading_result second =
            read_once(dialect, endpoint, row, path, (struct slice){copy, edited.length}, arena);
        FUZZ_REQUIRE(!second.error, "the edited body is refused: %s", second.problem);
        FUZZ_REQUIRE(second.facts.is_streaming == first.facts.is_streaming, "streaming changed");
        if (first.facts.model_value.length)
            FUZZ_REQUIRE(strcmp(second.facts.model, edits.model) == 0, "the model is %s", second.facts.model);
        if (first.facts.output_max_value.length && !first.facts.has_no_limit)
            FUZZ_REQUIRE(second.facts.output_tokens_max <= 77, "%lld tokens",
                         (long long)second.facts.output_tokens_max);
        free(copy);
    }
    arena_free(arena);
}

/* ---- answers: the same result however they are cut; the same bytes ---- */

struct metered {
    struct buffer out;
    enum usage_source source;
    struct usage usage;
    bool is_fed, is_finished, saw_terminal, is_damaged, ended_well;
};

static inline struct metered meter_all(const struct dialect *dialect, const struct endpoint *endpoint, bool is_stream,
                                       bool hides, struct slice bytes, size_t step)
{
    const struct request_facts facts = {.text_bytes = 401, .choices = 1, .output_tokens_max = 100};
    struct metered result = {.is_fed = true};
    struct meter meter;
    buffer_init(&result.out, 1 << 20);
    meter_init(&meter, dialect, endpoint, is_stream, hides, 1 << 18, 1 << 16);
    for (size_t at = 0, length; at < bytes.length && result.is_fed; at += length) {
        length = bytes.length - at < step ? bytes.length - at : step;
        char *piece = fuzz_copy((struct slice){bytes.data + at, length});
        result.is_fed = meter_feed(&meter, (struct slice){piece, length}, &result.out);
        free(piece);
    }
    result.is_finished = meter_finish(&meter, &result.out);
    result.source = meter_result(&meter, &facts, &result.usage);
    result.saw_terminal = meter.saw_terminal;
    result.is_damaged = meter.is_damaged;
    result.ended_well = meter_ended_well(&meter, &facts);
    meter_done(&meter);
    return result;
}

static inline void play_answer(const struct dialect *dialect, const struct endpoint_case *rows, unsigned count,
                               const uint8_t *data, size_t size)
{
    struct slice bytes = fuzz_slice(data, size);
    const struct endpoint_case *row = &rows[fuzz_choose(&bytes, count)];
    unsigned kind = fuzz_choose(&bytes, 3);
    bool is_stream = kind > 0, hides = kind > 1;
    const struct endpoint *endpoint = dialect->find_endpoint(slice_of(row->method), slice_of(row->path));
    struct metered whole = meter_all(dialect, endpoint, is_stream, hides, bytes, SIZE_MAX);
    struct metered cut = meter_all(dialect, endpoint, is_stream, hides, bytes, 1 + size % 7);
    FUZZ_REQUIRE(whole.is_fed == cut.is_fed && whole.is_finished == cut.is_finished, "ends otherwise when cut");
    FUZZ_REQUIRE(whole.source == cut.source, "source %d, cut: %d", whole.source, cut.source);
    FUZZ_REQUIRE(memcmp(&whole.usage, &cut.usage, sizeof whole.usage) == 0, "another usage when cut");
    FUZZ_REQUIRE(whole.saw_terminal == cut.saw_terminal && whole.is_damaged == cut.is_damaged &&
                     whole.ended_well == cut.ended_well,
                 "another end when cut");
    FUZZ_REQUIRE(slice_is_equal(buffer_contents(&whole.out), buffer_contents(&cut.out)), "other bytes when cut");
    if (!hides)
        FUZZ_REQUIRE(slice_is_equal(buffer_contents(&whole.out), bytes), "bytes changed");
    buffer_done(&whole.out);
    buffer_done(&cut.out);
}

#define ENDPOINT_TARGET(play, kind, rows)                                                                              \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)                                                       \
    {                                                                                                                  \
        play(dialect_of(kind), rows, sizeof(rows) / sizeof *(rows), data, size);                                       \
        return 0;                                                                                                      \
    }

#endif
