/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays for the suites of single dialects: a request read, edited and checked; an answer metered, cut at every byte.
 * Include it after suite.h, in one .c file per program.
 */
#ifndef TESTS_UNIT_DIALECT_PLAYS_H
#define TESTS_UNIT_DIALECT_PLAYS_H

#include "dialect/dialect.h"

#define PLAY static __attribute__((unused))

struct play {
    enum dialect_kind dialect;
    const char *method, *path, *query; /* NULL method: POST */
};

PLAY const struct endpoint *play_endpoint(const struct play *play)
{
    return dialect_of(play->dialect)
        ->find_endpoint(slice_of(play->method ? play->method : "POST"), slice_of(play->path));
}

/* ---- requests ---- */

PLAY enum error play_read(const struct play *play, const char *body, struct arena *arena, struct request_facts *facts,
                          const char **problem)
{
    const struct dialect_request request = {.method = slice_of(play->method ? play->method : "POST"),
                                            .path = slice_of(play->path),
                                            .query = slice_of(play->query),
                                            .content_type = slice_of("application/json"),
                                            .body = slice_of(body),
                                            .depth_max = 128};
    *problem = "";
    return dialect_of(play->dialect)->read_request(play_endpoint(play), &request, arena, facts, problem);
}

/* ---- answers ---- */

/* "provider input=3 output=2 whole error pending done model=m tier=t id=i": buckets that are 0 are left out. */
struct play_result {
    char text[600];
    bool has_failed;
};

PLAY void play_describe(const struct meter *meter, enum usage_source source, const struct usage *usage, char *text,
                        size_t bytes_max)
{
    static const char *const sources[] = {"none", "provider", "estimated", "recovered"};
    static const char *const jobs[] = {"", " pending", " done"};
    size_t at = (size_t)snprintf(text, bytes_max, "%s", sources[source]);
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        if (usage->of[i])
            at += (size_t)snprintf(text + at, bytes_max - at, " %s=%llu", bucket_rows[i].name,
                                   (unsigned long long)usage->of[i]);
    snprintf(text + at, bytes_max - at, "%s%s%s%s%s%s%s%s%s", meter->saw_terminal ? " whole" : "",
             meter->saw_error ? " error" : "", jobs[meter->job], meter->served_model[0] ? " model=" : "",
             meter->served_model, meter->service_tier[0] ? " tier=" : "", meter->service_tier,
             meter->answer_id[0] ? " id=" : "", meter->answer_id);
}

/* First `cut` bytes, then `step` at a time. `ends` false: nobody calls meter_finish. */
PLAY struct play_result play_meter(const struct play *play, const struct request_facts *facts, bool is_event_stream,
                                   struct slice bytes, size_t cut, size_t step, bool ends)
{
    struct play_result result = {0};
    struct meter meter;
    struct usage usage;
    struct buffer out;
    buffer_init(&out, 1 << 20);
    meter_init(&meter, dialect_of(play->dialect), play_endpoint(play), is_event_stream, false, 1 << 18, 1 << 16);
    for (size_t at = 0, length = cut; at < bytes.length; at += length, length = step) {
        length = length > bytes.length - at ? bytes.length - at : length;
        char *copy = malloc(length); /* ASan sees reads past a chunk */
        memcpy(copy, bytes.data + at, length);
        result.has_failed |= !meter_feed(&meter, (struct slice){copy, length}, &out);
        free(copy);
        result.has_failed |= buffer_length(&out) != at + length; /* bytes go on at once */
    }
    result.has_failed |= ends && !meter_finish(&meter, &out);
    result.has_failed |= !slice_is_equal(buffer_contents(&out), bytes);
    enum usage_source source = meter_result(&meter, facts, &usage);
    play_describe(&meter, source, &usage, result.text, sizeof result.text);
    meter_done(&meter);
    buffer_done(&out);
    return result;
}

/* However the answer is cut, it is metered the same and passes unchanged. */
PLAY void play_expect(const char *label, const struct play *play, const struct request_facts *facts,
                      bool is_event_stream, struct slice bytes, const char *wanted)
{
    for (size_t cut = 1; cut <= bytes.length || cut == 1; cut++) {
        for (int pass = 0; pass < 2; pass++) {
            if (pass == 1 && cut % 17 != 1)
                continue;
            struct play_result result =
                play_meter(play, facts, is_event_stream, bytes, cut, pass ? 3 : bytes.length, true);
            bool is_right = !result.has_failed && strcmp(result.text, wanted) == 0;
            EXPECT(is_right, "%s, cut at %zu:%s\n      got %s\n   wanted %s", label, cut,
                   result.has_failed ? " failed" : "", result.text, wanted);
            if (!is_right)
                return; /* one report per row is enough */
        }
    }
}

struct play_row {
    const char *answer, *wanted;
};

PLAY void play_expect_rows(const struct play *play, const struct request_facts *facts, bool is_event_stream,
                           const struct play_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char label[64];
        snprintf(label, sizeof label, "%s %zu", is_event_stream ? "stream" : "document", i);
        play_expect(label, play, facts, is_event_stream, slice_of(rows[i].answer), rows[i].wanted);
    }
}

#endif
