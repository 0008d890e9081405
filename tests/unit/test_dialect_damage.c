/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that end as they should, with something in the middle that is not what their format says: known as damaged,
 * in whatever pieces they come; and whole ones, however they are written, never are. Metering stays what it was.
 */
#include "dialect/internal.h"
#include "dialect_answers.h"

struct stream {
    enum dialect_kind dialect;
    const char *path, *query;
    bool is_document;
    const char *before, *after; /* of the event that is broken */
};

#define CHUNK "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]}\n\n"
#define DELTA "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\n\n"
#define COMPLETED                                                                                                      \
    "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"status\":"    \
    "\"completed\",\"usage\":{\"input_tokens\":3,\"output_tokens\":2}}}\n\n"
#define START                                                                                                          \
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"m\",\"usage\":" \
    "{\"input_tokens\":3,\"output_tokens\":1}}}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n"
#define STOP                                                                                                           \
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":2}}\n\nevent: "              \
    "message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
#define PART   "{\"candidates\":[{\"index\":0,\"content\":{\"parts\":[{\"text\":\"hi\"}]}}]}"
#define FINISH "{\"candidates\":[{\"index\":0,\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"totalTokenCount\":5}}"

static const struct stream streams[] = {
    {DIALECT_OPENAI, "/v1/chat/completions", "", false, ": hello\n\n" CHUNK, CHUNK "data: [DONE]\n\n"},
    {DIALECT_OPENAI, "/v1/completions", "", false, CHUNK, "retry: 5\nid: 1\n\ndata: [DONE]\n\n"},
    {DIALECT_OPENAI, "/v1/responses", "", false, DELTA, DELTA COMPLETED},
    {DIALECT_OPENAI, "/v1/audio/transcriptions", "", false,
     "data: {\"type\":\"transcript.text.delta\",\"delta\":\"a\"}\n\n",
     "data: {\"type\":\"transcript.text.done\",\"text\":\"a\",\"usage\":{\"input_tokens\":3,\"output_tokens\":2}}\n\n"},
    {DIALECT_OPENAI, "/v1/images/generations", "", false, "",
     "data: {\"type\":\"image_generation.completed\",\"usage\":{\"input_tokens\":3,\"output_tokens\":2}}\n\n"},
    {DIALECT_ANTHROPIC, "/v1/messages", "", false, START, STOP},
    {DIALECT_GEMINI, "/v1beta/models/m:streamGenerateContent", "alt=sse", false, "data: " PART "\r\n\r\n",
     "data: " FINISH "\r\n\r\n"},
};

static bool meter_whole(const struct stream *stream, struct slice bytes, size_t step, bool *ret_ended,
                        struct usage *ret_usage)
{
    const struct dialect *dialect = dialect_of(stream->dialect);
    const struct request_facts facts = {.choices = 1, .output_tokens_max = -1};
    struct meter meter;
    struct buffer out;
    buffer_init(&out, 1 << 20);
    meter_init(&meter, dialect, dialect->find_endpoint(SLICE_LITERAL("POST"), slice_of(stream->path)),
               !stream->is_document, false, 1 << 20, 4096);
    for (size_t at = 0; at < bytes.length; at += step) {
        size_t length = bytes.length - at < step ? bytes.length - at : step;
        CU_ASSERT(meter_feed(&meter, (struct slice){bytes.data + at, length}, &out));
    }
    CU_ASSERT(meter_finish(&meter, &out));
    meter_result(&meter, &facts, ret_usage);
    bool is_damaged = meter.is_damaged;
    *ret_ended = meter.saw_terminal;
    meter_done(&meter);
    buffer_done(&out);
    return is_damaged;
}

static void expect_damage(const struct stream *stream, const char *broken, bool wanted)
{
    char text[16384];
    struct usage usage;
    int length = snprintf(text, sizeof text, "%s%s%s", stream->before, broken, stream->after);
    for (size_t step = 1; step <= (size_t)length; step += step < 9 ? 1 : (size_t)length / 3) {
        bool has_ended = false;
        bool is_damaged = meter_whole(stream, (struct slice){text, (size_t)length}, step, &has_ended, &usage);
        EXPECT(is_damaged == wanted && has_ended, "%s in steps of %zu: %d, ended %d: %.80s", stream->path, step,
               is_damaged, has_ended, broken);
    }
}

TEST(an_event_that_cannot_be_read_damages_a_stream_that_ends_well)
{
    static const char *const broken[] = {
        "data: {\"choices\":[{\"delta\":{\"content\":\"cut in tw\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"a\"}\n\n",
        "data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}}\n\n",
        "data: {\"delta\":\"\\x\"}\n\n",
        "data: {\"delta\":\"\xff\"}\n\n",
        "data: {\"delta\":\"a\",}\n\n",
        "data: {\"delta\":\"a\" \"b\":1}\n\n",
        "data: {delta:1}\n\n",
        "data: {\"delta\":01}\n\n",
        "data: {\"a\":[1,2}\n\n",
        "data: {\"a\":1}{\"a\":2}\n\n",
        "data: Internal Server Error\n\n",
        "data: 5\n\n",
        "data: \"text\"\n\n",
        "data: [{\"a\":1}]\n\n",
        "data: {\"a\":\ndata: \"b\n\n",
        "Internal Server Error\n\n",
        "dat: {\"a\":1}\n\n",
        "\x01: 1\n\n",
    };
    static const char *const whole[] = {
        "",
        ": keep-alive\n\n",
        "event: ping\n\n",
        "data:\n\n",
        "id: 7\nretry: 10\ndata: {}\n\n",
        "data:  { \"a\" : [ 1 , -2.5e3, [], {} , true, false, null, \"\\u00e9\\ud83d\\ude00 \xc3\xa9\" ] } \n\n",
        "data: {\"a\":\ndata: {\"b\":[{\"c\":[]}]}}\n\n",
        "data: {\"type\":\"something.new\",\"delta\":{\"content\":\"[DONE]\"}}\n\n",
    };
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        for (size_t j = 0; j < sizeof broken / sizeof *broken; j++)
            expect_damage(&streams[i], broken[j], true);
        for (size_t j = 0; j < sizeof whole / sizeof *whole; j++)
            expect_damage(&streams[i], whole[j], false);
    }
}

TEST(an_event_that_is_too_long_or_too_deep_damages_a_stream)
{
    char event[8192] = "data: {\"a\":\"", deep[1024] = "data: {\"a\":";
    memset(event + strlen(event), 'x', 5000);
    strcat(event, "\"}\n\n");
    for (unsigned i = 0; i < 128; i++)
        strcat(deep, "[");
    for (unsigned i = 0; i < 128; i++)
        strcat(deep, "]");
    strcat(deep, "}\n\n");
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        expect_damage(&streams[i], event, true);
        expect_damage(&streams[i], deep, true);
    }
}

/* Gemini's streams without alt=sse. */
TEST(an_array_of_chunks_is_damaged_by_one_and_by_what_is_between)
{
    static const struct stream array = {
        DIALECT_GEMINI, "/v1beta/models/m:streamGenerateContent", "", true, "[" PART "\n", "," FINISH "]\n"};
    static const struct stream open = {DIALECT_GEMINI, array.path, "", true, "[" PART ",", FINISH};
    static const char *const broken[] = {"," PART ",", "," PART "]", PART, ",{\"a\":01}", ",{\"a\":\"\\x\"}", "x"};
    static const char *const whole[] = {"", "," PART, "\r\n,\t" PART " "};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        expect_damage(&array, broken[i], true);
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        expect_damage(&array, whole[i], false);
    expect_damage(&open, "", true);
}

/* However an event is broken: what is metered of it is what the walk from quote to quote finds. */
TEST(a_glance_that_validates_finds_what_a_glance_finds)
{
    static const char *const seeds[] = {
        "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a \\\"b\\\" \\ud83d\\ude00 "
        "c\",\"refusal\":\"no\"},\"finish_reason\":\"stop\"}],\"usage\":null}",
        "{\"type\":\"d\",\"error\":{\"content\":\"x\"},\"content\":\"\",\"list\":[\"content\",\"usage\",[{}],-1.5e3]}",
        "{\"usage\":{\"a\":[1,2,{\"content\":\"y\",\"arguments\":\"{\\\"z\\\":\\\"\\\\\\\\\\\"}\"}],\"b\":true}}",
    };
    static const char *const members[] = {"content", "arguments", NULL};
    unsigned valid = 0, invalid = 0;
    for (unsigned round = 0; round < 60000; round++) {
        char bytes[1024];
        const char *seed = seeds[random_below(sizeof seeds / sizeof *seeds)];
        size_t length = strlen(seed);
        memcpy(bytes, seed, length);
        for (size_t changes = random_below(4); changes && length; changes--)
            length = damage(bytes, length);
        struct slice text = {bytes, length};
        struct glance plain, strict;
        struct json_problem problem = {0};
        dialect_glance(text, members, "usage", &plain);
        bool is_object = dialect_glance_object(text, members, "usage", &strict);
        bool is_json = json_scan(text, 128, NULL, 0, &problem) == ERROR_OK ||
                       strcmp(problem.message, "an object has two members of the same name") == 0;
        EXPECT(plain.text_bytes == strict.text_bytes && plain.has_usage == strict.has_usage &&
                   plain.has_error == strict.has_error && plain.has_reason == strict.has_reason &&
                   plain.has_refusal == strict.has_refusal,
               "another find in %.*s", (int)length, bytes);
        if (is_json && problem.message)
            continue; /* the scan stopped there: what follows is not known */
        EXPECT(is_object == (is_json && dialect_is_object(text)), "another verdict of %.*s", (int)length, bytes);
        valid += is_object;
        invalid += !is_object;
    }
    EXPECT(valid > 5000 && invalid > 5000, "%u valid, %u not", valid, invalid);
}
