/* SPDX-License-Identifier: Apache-2.0 */
/* Answers fed to a meter, cut everywhere: for the tests of the dialects. */
#ifndef TESTS_UNIT_DIALECT_ANSWERS_H
#define TESTS_UNIT_DIALECT_ANSWERS_H

#include "dialect/dialect.h"
#include "suite.h"

struct answer {
    enum dialect_kind kind;
    const struct endpoint *endpoint;
    bool is_stream, hides;
    const struct request_facts *facts; /* NULL: of a request of 401 bytes */
};
struct result {
    char text[512]; /* source and buckets, as one line; those that are rare only when they are not 0 */
    struct buffer out;
    bool is_complete, has_failed;
};

static void describe(const struct meter *meter, enum usage_source source, const struct usage *usage, char *text,
                     size_t bytes_max)
{
    static const char *const sources[] = {"none", "provider", "estimated", "recovered"};
    static const char *const jobs[] = {"", " pending", " done"};
    const struct {
        const char *name;
        uint64_t count;
    } rare[] = {{"image", usage->input_image}, {"out_image", usage->output_image}, {"calls", usage->tool_calls},
                {"images", usage->images},     {"seconds", usage->seconds},        {"characters", usage->characters}};
    int length =
        snprintf(text, bytes_max, "%s in=%llu read=%llu write=%llu write_1h=%llu audio=%llu out=%llu out_audio=%llu",
                 sources[source], (unsigned long long)usage->input, (unsigned long long)usage->cache_read,
                 (unsigned long long)usage->cache_write, (unsigned long long)usage->cache_write_1h,
                 (unsigned long long)usage->input_audio, (unsigned long long)usage->output,
                 (unsigned long long)usage->output_audio);
    for (size_t i = 0; i < sizeof rare / sizeof *rare; i++)
        if (rare[i].count)
            length += snprintf(text + length, bytes_max - (size_t)length, " %s=%llu", rare[i].name,
                               (unsigned long long)rare[i].count);
    snprintf(text + length, bytes_max - (size_t)length, "%s%s%s%s%s%s%s%s%s%s", meter->saw_terminal ? " whole" : "",
             meter->saw_error ? " error" : "", meter->served_model[0] ? " model=" : "", meter->served_model,
             meter->service_tier[0] ? " tier=" : "", meter->service_tier, meter->answer_id[0] ? " id=" : "",
             meter->answer_id, jobs[meter->job], meter->is_regional ? " regional" : "");
}

static struct result meter_run(const struct answer *answer, struct slice bytes, size_t cut, size_t step)
{
    struct request_facts standard = {.text_bytes = 401};
    struct result result = {0};
    struct meter meter;
    struct usage usage;
    buffer_init(&result.out, 1 << 20);
    meter_init(&meter, dialect_of(answer->kind), answer->endpoint, answer->is_stream, answer->hides, 1 << 18, 1 << 16);
    for (size_t at = 0, length = cut; at < bytes.length; at += length, length = step) {
        length = length > bytes.length - at ? bytes.length - at : length;
        char *copy = malloc(length); /* ASan sees reads past a chunk */
        memcpy(copy, bytes.data + at, length);
        result.has_failed |= !meter_feed(&meter, (struct slice){copy, length}, &result.out);
        free(copy);
        if (!answer->hides && !result.has_failed) /* bytes go on at once */
            CU_ASSERT(buffer_length(&result.out) == at + length);
    }
    result.has_failed |= !meter_finish(&meter, &result.out);
    enum usage_source source = meter_result(&meter, answer->facts ? answer->facts : &standard, &usage);
    describe(&meter, source, &usage, result.text, sizeof result.text);
    meter_done(&meter);
    return result;
}

__attribute__((unused)) static void expect_metered(const char *label, const struct answer *answer, struct slice bytes,
                                                   const char *wanted, const char *seen)
{
    size_t stride = bytes.length > 3000 ? bytes.length / 300 : 1;
    for (size_t cut = 1; cut <= bytes.length; cut += stride) {
        for (int pass = 0; pass < 2; pass++) { /* two pieces; and a piece, then three bytes at a time */
            if (pass == 1 && cut % 17 != 1)
                continue;
            struct result result = meter_run(answer, bytes, cut, pass ? 3 : bytes.length);
            EXPECT(!result.has_failed, "%s: failed, cut at %zu", label, cut);
            EXPECT(strcmp(result.text, wanted) == 0, "%s, cut at %zu:\n      got %s\n   wanted %s", label, cut,
                   result.text, wanted);
            EXPECT(slice_is(buffer_contents(&result.out), seen), "%s, cut at %zu: the client sees\n" SLICE_FORMAT,
                   label, cut, SLICE_ARGUMENTS(buffer_contents(&result.out)));
            bool goes_on = strcmp(result.text, wanted) == 0;
            buffer_done(&result.out);
            if (!goes_on)
                return; /* one report per row is enough */
        }
    }
}

/* ---- random damage ---- */

static size_t random_below(size_t bound)
{
    static unsigned long long state = 20260717;
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (size_t)(state >> 33) % bound;
}

__attribute__((unused)) static size_t damage(char *bytes, size_t length)
{
    static const char *const splices[] = {
        "\"",   "\\",   "{",      "}",       "[",        "]",          ",",
        ":",    "\n",   "\r",     "\r\n",    "\n\n",     "data: ",     "usage",
        "\xff", "null", "[DONE]", ": c\n\n", "\r\n\r\n", "event: x\n", "\"usage\":null"};
    size_t at = random_below(length), span = 1 + random_below(20);
    const char *splice = splices[random_below(sizeof splices / sizeof *splices)];
    switch (random_below(3)) {
    case 0:
        bytes[at] = (char)random_below(256);
        return length;
    case 1:
        span = span < length - at ? span : length - at;
        if (span == length)
            return length;
        memmove(bytes + at, bytes + at + span, length - at - span);
        return length - span;
    default:
        memmove(bytes + at + strlen(splice), bytes + at, length - at);
        memcpy(bytes + at, splice, strlen(splice));
        return length + strlen(splice);
    }
}

#endif
