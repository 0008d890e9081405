/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endpoints of the OpenAI dialect beside chat: what their requests ask for, what their answers used, and what is
 * known of jobs. Each row is a request and its answer, fed in every cut.
 */
#include "dialect_answers.h"

static const struct endpoint *find(const char *method, const char *path)
{
    return dialect_of(DIALECT_OPENAI)->find_endpoint(slice_of(method), slice_of(path));
}

static enum error read_facts(const char *path, const char *body, struct arena *arena, struct request_facts *facts,
                             const char **problem)
{
    const struct dialect_request request = {
        .content_type = SLICE_LITERAL("application/json"), .body = slice_of(body), .depth_max = 128};
    *problem = "";
    return dialect_of(DIALECT_OPENAI)->read_request(find("POST", path), &request, arena, facts, problem);
}

struct row {
    const char *path, *request; /* NULL: a GET */
    bool is_stream;
    const char *answer, *wanted;
};

static void expect_rows(const struct row *rows, size_t count)
{
    struct arena *arena = arena_new(1024);
    for (size_t i = 0; i < count; i++) {
        char label[64];
        const char *problem = "";
        struct request_facts facts = {.choices = 1, .output_tokens_max = -1};
        struct answer answer = {.kind = DIALECT_OPENAI, .is_stream = rows[i].is_stream, .hides = i % 2};
        answer.endpoint = find(rows[i].request ? "POST" : "GET", rows[i].path);
        snprintf(label, sizeof label, "row %zu of %s", i, rows[i].path);
        if (rows[i].request)
            EXPECT(read_facts(rows[i].path, rows[i].request, arena, &facts, &problem) == ERROR_OK, "%s: %s", label,
                   problem);
        answer.facts = &facts;
        expect_metered(label, &answer, slice_of(rows[i].answer), rows[i].wanted, rows[i].answer);
    }
    arena_free(arena);
}

/* A job that has ended, and nobody says what it used: its hold is the estimate. */
#define UNSAID  "estimated in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0"
#define NOTHING "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0"

/* ---- responses ---- */

#define ASK "{\"model\":\"gpt-5\",\"input\":\"hi\"}" /* 30 bytes */
#define RESPONSE(status, rest)                                                                                         \
    "{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"" status "\",\"model\":\"gpt-5\"" rest "}"
#define TOKENS                                                                                                         \
    ",\"usage\":{\"input_tokens\":2600,\"input_tokens_details\":{\"cached_tokens\":400,\"cache_write_tokens\":200},"   \
    "\"output_tokens\":300,\"output_tokens_details\":{\"reasoning_tokens\":250},\"total_tokens\":2900}"
#define COUNTED "provider in=2000 read=400 write=200 write_1h=0 audio=0 out=300 out_audio=0"
#define TEXT    ",\"output\":[{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"hello there\"}]}]"

TEST(responses_documents)
{
    static const struct row rows[] = {
        {"/v1/responses", ASK, false, RESPONSE("completed", TEXT TOKENS), COUNTED " whole model=gpt-5 id=resp_1"},
        {"/v1/responses", ASK, false,
         RESPONSE("incomplete", ",\"error\":null,\"background\":false,\"service_tier\":\"flex\"" TEXT TOKENS),
         COUNTED " whole model=gpt-5 tier=flex id=resp_1"},
        {"/v1/responses/compact", ASK, false, "{\"id\":\"resp_2\",\"object\":\"response.compaction\"" TOKENS "}",
         COUNTED " whole id=resp_2"},
        /* no usage: 11 bytes of text, 30 asked */
        {"/v1/responses", ASK, false, RESPONSE("completed", TEXT),
         "estimated in=8 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0 whole model=gpt-5 id=resp_1"},
        {"/v1/responses", ASK, false, RESPONSE("failed", ",\"error\":{\"code\":\"server_error\"},\"usage\":null"),
         NOTHING " whole error model=gpt-5 id=resp_1"},
        {"/v1/responses", ASK, false, "{\"error\":{\"message\":\"no\"}}", NOTHING " whole error"},
        /* broken as a whole, but billed */
        {"/v1/responses", ASK, false, "{\"id\":\"\\ud800\"" TOKENS "}", COUNTED},
        /* calls of tools that the provider runs: searches, not the pages opened after them, nor the client's own */
        {"/v1/responses", ASK, false,
         RESPONSE("completed",
                  ",\"output\":[{\"type\":\"web_search_call\",\"action\":{\"type\":\"search\",\"query\":"
                  "\"x\"}},{\"type\":\"web_search_call\",\"action\":{\"type\":\"open_page\"}},{\"type\":"
                  "\"web_search_call\",\"status\":\"completed\"},{\"type\":\"file_search_call\"},{"
                  "\"type\":\"function_call\",\"name\":\"web_search_call\"},{\"type\":\"message\"}]" TOKENS),
         COUNTED " calls=3 whole model=gpt-5 id=resp_1"},
        {"/v1/responses", ASK, false,
         RESPONSE("completed", ",\"output\":[],\"tool_usage\":{\"image_gen\":{\"input_tokens\":50,\"output_tokens\":"
                               "4160},\"web_search\":{\"num_requests\":2}}" TOKENS),
         COUNTED " image=50 out_image=4160 calls=2 whole model=gpt-5 id=resp_1"},
    };
    expect_rows(rows, sizeof rows / sizeof *rows);
}

TEST(responses_as_jobs)
{
    static const struct row rows[] = {
        {"/v1/responses", ASK, false, RESPONSE("queued", ",\"background\":true,\"usage\":null"),
         NOTHING " whole model=gpt-5 id=resp_1 pending"},
        {"/v1/responses", ASK, false, RESPONSE("completed", ",\"background\":true" TEXT TOKENS),
         COUNTED " whole model=gpt-5 id=resp_1 done"},
        {"/v1/responses/resp_1", NULL, false, RESPONSE("in_progress", ",\"background\":true,\"usage\":null"),
         NOTHING " whole model=gpt-5 id=resp_1 pending"},
        {"/v1/responses/resp_1", NULL, false, RESPONSE("completed", TEXT TOKENS),
         COUNTED " whole model=gpt-5 id=resp_1 done"},
        {"/v1/responses/resp_1", NULL, false, RESPONSE("incomplete", ",\"service_tier\":\"priority\"" TEXT TOKENS),
         COUNTED " whole model=gpt-5 tier=priority id=resp_1 done"},
        {"/v1/responses/resp_1", NULL, false, RESPONSE("failed", ",\"error\":{\"code\":\"x\"},\"usage\":null"),
         NOTHING " whole error model=gpt-5 id=resp_1 done"},
        {"/v1/responses/resp_1/cancel", "", false, RESPONSE("cancelled", ",\"output\":[],\"usage\":null"),
         UNSAID " whole model=gpt-5 id=resp_1 done"},
        {"/v1/responses/resp_1/cancel", "", false, RESPONSE("cancelled", TEXT),
         UNSAID " whole model=gpt-5 id=resp_1 done"},
        {"/v1/responses/resp_1/cancel", "", false, RESPONSE("cancelled", TEXT TOKENS),
         COUNTED " whole model=gpt-5 id=resp_1 done"},
        {"/v1/responses/resp_1", NULL, false, RESPONSE("failed", TEXT ",\"error\":{\"code\":\"x\"},\"usage\":null"),
         UNSAID " whole error model=gpt-5 id=resp_1 done"},
        {"/v1/responses/resp_1", NULL, false, RESPONSE("completed", TEXT), UNSAID " whole model=gpt-5 id=resp_1 done"},
        {"/v1/responses/resp_1", NULL, false, "{\"error\":{\"message\":\"not found\"}}", NOTHING " whole error"},
        {"/v1/responses/resp_1", NULL, false, "not JSON", NOTHING},
        /* a list, or what is deleted, ends no job */
        {"/v1/responses/resp_1/input_items", NULL, false, RESPONSE("completed", TEXT TOKENS), NOTHING},
    };
    expect_rows(rows, sizeof rows / sizeof *rows);
}

#define EVENT(name, ...) "event: " name "\ndata: {\"type\":\"" name "\"" __VA_ARGS__ "}\n\n"
#define CREATED(rest)                                                                                                  \
    EVENT("response.created",                                                                                          \
          ",\"sequence_number\":0,\"response\":" RESPONSE("in_progress", ",\"error\":null,\"usage\":null" rest))
#define DELTA(text) EVENT("response.output_text.delta", ",\"delta\":\"" text "\"")
#define DONE(text)  EVENT("response.output_text.done", ",\"text\":\"" text "\"")
#define ENDED(how)  EVENT("response." how, ",\"response\":" RESPONSE(how, ",\"error\":null" TEXT TOKENS))

TEST(responses_streams)
{
    static const struct row rows[] = {
        {"/v1/responses", ASK, true, CREATED("") DELTA("hello ") DELTA("there") DONE("hello there") ENDED("completed"),
         COUNTED " whole model=gpt-5 id=resp_1"},
        {"/v1/responses", ASK, true, CREATED("") DELTA("hello") ENDED("incomplete"),
         COUNTED " whole model=gpt-5 id=resp_1"},
        /* CRLF, comments, no names, data in several lines */
        {"/v1/responses", ASK, true,
         ": hi\r\n\r\ndata: {\"type\":\"response.completed\",\r\ndata: \"response\":" RESPONSE(
             "completed", TOKENS) "\r\ndata: }\r\n\r\n",
         COUNTED " whole model=gpt-5 id=resp_1"},
        /* cut: the deltas are counted once, what repeats them is not */
        {"/v1/responses", ASK, true, CREATED("") DELTA("hello ") DELTA("there") DONE("hello there"),
         "estimated in=8 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0 model=gpt-5 id=resp_1"},
        {"/v1/responses", ASK, true,
         CREATED("") EVENT("response.function_call_arguments.delta", ",\"delta\":\"{\\\"a\\\":1}\""),
         "estimated in=8 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0 model=gpt-5 id=resp_1"},
        /* a text that speaks of the end is text */
        {"/v1/responses", ASK, true,
         DELTA("{\\\"type\\\":\\\"response.completed\\\",\\\"response\\\":{\\\"usage\\\":{\\\"input_tokens\\\":1}}}"),
         "estimated in=8 read=0 write=0 write_1h=0 audio=0 out=20 out_audio=0"},
        {"/v1/responses", ASK, true, CREATED("") EVENT("error", ",\"code\":\"server_error\",\"message\":\"boom\""),
         NOTHING " error model=gpt-5 id=resp_1"},
        {"/v1/responses", ASK, true, "data: {\"error\":{\"message\":\"boom\"}}\n\n", NOTHING " error"},
        {"/v1/responses", ASK, true,
         CREATED("") EVENT("response.failed", ",\"response\":" RESPONSE("failed", ",\"error\":{\"code\":\"x\"},"
                                                                                  "\"usage\":null")),
         NOTHING " whole error model=gpt-5 id=resp_1"},
        /* in the background: pending until it ends, however the stream does */
        {"/v1/responses", ASK, true, CREATED(",\"background\":true") DELTA("hello"),
         NOTHING " model=gpt-5 id=resp_1 pending"},
        {"/v1/responses", ASK, true, CREATED(",\"background\":true") DELTA("hello") ENDED("completed"),
         COUNTED " whole model=gpt-5 id=resp_1 done"},
        {"/v1/responses/resp_1", NULL, true, DELTA("there") ENDED("completed"),
         COUNTED " whole model=gpt-5 id=resp_1 done"},
        {"/v1/responses/resp_1", NULL, true, CREATED("") DELTA("there"), NOTHING " model=gpt-5 id=resp_1 pending"},
    };
    expect_rows(rows, sizeof rows / sizeof *rows);
}

/* ---- completions, embeddings, chat's tools ---- */

/* Of a request of 7 tokens by its bytes, and an answer of 2. */
#define UNREADABLE(usage, in, out)                                                                                     \
    {                                                                                                                  \
        "/v1/completions", "{\"model\":\"m\",\"prompt\":\"abc\"}", false,                                              \
            "{\"choices\":[{\"text\":\"abcdefgh\"}],\"usage\":{" usage "}}",                                           \
            "estimated in=" #in " read=0 write=0 write_1h=0 audio=0 out=" #out " out_audio=0 whole"                    \
    }

TEST(completions_embeddings_and_searches)
{
    static const struct row rows[] = {
        {"/v1/completions", "{\"model\":\"m\",\"prompt\":\"abc\"}", false,
         "{\"model\":\"m\",\"choices\":[{\"text\":\"abcdefgh\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":"
         "2}}",
         "provider in=3 read=0 write=0 write_1h=0 audio=0 out=2 out_audio=0 whole model=m"},
        {"/v1/completions", "{\"model\":\"m\",\"prompt\":\"abc\"}", false,
         "{\"model\":\"m\",\"choices\":[{\"text\":\"abcdefgh\"}]}",
         "estimated in=7 read=0 write=0 write_1h=0 audio=0 out=2 out_audio=0 whole model=m"},
        {"/v1/completions", "{\"model\":\"m\",\"prompt\":\"abc\",\"stream\":true}", true,
         "data: {\"choices\":[{\"text\":\"abcd\"}]}\n\ndata: {\"choices\":[{\"text\":\"efg\"}]}\n\ndata: [DONE]\n\n",
         "estimated in=11 read=0 write=0 write_1h=0 audio=0 out=2 out_audio=0 whole"},
        {"/v1/embeddings", "{\"model\":\"e\",\"input\":[\"a\",\"b\"]}", false,
         "{\"object\":\"list\",\"data\":[{\"embedding\":[0.1,-2e-3]}],\"model\":\"e\",\"usage\":{\"prompt_tokens\":8,"
         "\"total_tokens\":8}}",
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole model=e"},
        {"/v1/embeddings", "{\"model\":\"e\",\"input\":[\"a\",\"b\"]}", false,
         "{\"data\":[{\"embedding\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}],\"model\":\"e\"}",
         "estimated in=8 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole model=e"},
        /* a number that cannot be read, or is missing, is not 0 */
        UNREADABLE("\"prompt_tokens\":8,\"completion_tokens\":2000.0", 8, 2),
        UNREADABLE("\"prompt_tokens\":8,\"completion_tokens\":\"2000\"", 8, 2),
        UNREADABLE("\"prompt_tokens\":8,\"completion_tokens\":-2", 8, 2),
        UNREADABLE("\"prompt_tokens\":8,\"completion_tokens\":18446744073709551616", 8, 2),
        UNREADABLE("\"prompt_tokens\":8", 8, 2),
        UNREADABLE("\"prompt_tokens\":8,\"total_tokens\":10", 8, 2),
        UNREADABLE("\"completion_tokens\":9", 7, 9),
        UNREADABLE("\"prompt_tokens\":null,\"completion_tokens\":9", 7, 9),
        {"/v1/completions", "{\"model\":\"m\",\"prompt\":\"abc\"}", false,
         "{\"choices\":[{\"text\":\"\"}],\"usage\":{\"prompt_tokens\":8,\"total_tokens\":8}}",
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole"},
        /* the length of what was heard, of a model that is billed by tokens */
        {"/v1/chat/completions", "{\"model\":\"voxtral\",\"messages\":[]}", false,
         "{\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":9,\"prompt_audio_seconds\":3}}",
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0 whole"},
        /* searches are billed with the answer, which does not count them; xAI counts its sources */
        {"/v1/chat/completions", "{\"model\":\"s\",\"messages\":[],\"web_search_options\":{},\"n\":2}", false,
         "{\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":9}}",
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0 calls=2 whole"},
        {"/v1/chat/completions", "{\"model\":\"s\",\"messages\":[],\"web_search_options\":{}}", false,
         "{\"error\":{\"message\":\"no\"}}", NOTHING " whole error"},
        {"/v1/chat/completions", "{\"model\":\"grok\",\"messages\":[],\"search_parameters\":{\"mode\":\"on\"}}", false,
         "{\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":9,\"num_sources_used\":3}}",
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0 calls=3 whole"},
        {"/v1/chat/completions", "{\"model\":\"grok\",\"messages\":[],\"search_parameters\":{\"mode\":\"on\"}}", false,
         "{\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":9,\"num_sources_used\":0}}",
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0 whole"},
    };
    expect_rows(rows, sizeof rows / sizeof *rows);
}

/* ---- what is no text, when nobody counts it ---- */

#define TALK           "{\"model\":\"m\",\"messages\":[]}" /* 27 bytes */
#define PIECE(...)     "data: {\"choices\":[{\"delta\":{" __VA_ARGS__ "}}]}\n\n"
#define TEN(text)      text text text text text text text text text text
#define DONE_ITEM(...) EVENT("response.output_item.done", ",\"item\":{" __VA_ARGS__ "}")

TEST(output_that_is_no_text)
{
    static const struct row rows[] = {
        /* 1,000 bytes of samples, 100 of what they say; sound alone may be compressed */
        {"/v1/chat/completions", TALK, true,
         TEN(PIECE("\"audio\":{\"id\":\"a\",\"data\":\"" TEN("QUJDQUJDQU") "\",\"transcript\":\"ten bytes.\"}")),
         "estimated in=7 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=150"},
        {"/v1/chat/completions", TALK, true, TEN(PIECE("\"audio\":{\"id\":\"a\",\"data\":\"" TEN("QUJDQUJDQU") "\"}")),
         "estimated in=7 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=10"},
        {"/v1/chat/completions", TALK, true,
         TEN(PIECE(
             "\"audio\":{\"data\":\"AAAA\",\"transcript\":\"ten bytes.\"}")) "data: "
                                                                             "{\"choices\":[],\"usage\":{\"prompt_"
                                                                             "tokens\":5,\"completion_tokens\":12,"
                                                                             "\"completion_tokens_details\":{\"audio_"
                                                                             "tokens\":9}}}\n\n",
         "provider in=5 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=9"},
        {"/v1/chat/completions", TALK, false,
         "{\"choices\":[{\"message\":{\"content\":null,\"audio\":{\"data\":\"AAAA\",\"transcript\":\"hi there\"}}}]}",
         "estimated in=7 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=12 whole"},
        /* tools of any text, parts, a picture */
        {"/v1/chat/completions", TALK, true,
         PIECE("\"tool_calls\":[{\"custom\":{\"name\":\"f\",\"input\":\"eight by\"}}]")
             PIECE("\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":\"eight by\"}]}]"),
         "estimated in=7 read=0 write=0 write_1h=0 audio=0 out=4 out_audio=0"},
        {"/v1/chat/completions", TALK, true,
         PIECE("\"images\":[{\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}]"),
         "estimated in=7 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0 out_image=2520"},
        /* reasoning that is only there encrypted */
        {"/v1/responses", ASK, true,
         CREATED("") DONE_ITEM("\"type\":\"reasoning\",\"encrypted_content\":\"" TEN("gAAA") "\"") DELTA("hello"),
         "estimated in=8 read=0 write=0 write_1h=0 audio=0 out=12 out_audio=0 model=gpt-5 id=resp_1"},
        {"/v1/responses", ASK, true,
         CREATED("") EVENT("response.image_generation_call.partial_image", ",\"partial_image_b64\":\"AAAA\""),
         "estimated in=8 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0 out_image=2520 model=gpt-5 id=resp_1"},
        {"/v1/responses", ASK, true,
         CREATED("") EVENT("response.image_generation_call.partial_image", ",\"partial_image_b64\":\"AAAA\"")
             DONE_ITEM("\"type\":\"image_generation_call\",\"result\":\"AAAA\"")
                 DONE_ITEM("\"type\":\"image_generation_call\",\"result\":\"AAAA\""),
         "estimated in=8 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0 out_image=5040 model=gpt-5 id=resp_1"},
    };
    expect_rows(rows, sizeof rows / sizeof *rows);
}

/* ---- images ---- */

#define DALLE "{\"model\":\"dall-e-3\",\"prompt\":\"a cat\",\"n\":2,\"quality\":\"hd\"}"
#define DRAW  "{\"model\":\"gpt-image-1\",\"prompt\":\"a cat\",\"n\":2,\"quality\":\"low\"}" /* 62 bytes */
#define DRAWN                                                                                                          \
    "\"usage\":{\"total_tokens\":100,\"input_tokens\":50,\"output_tokens\":408,\"input_tokens_details\":{"             \
    "\"text_tokens\":10,\"image_tokens\":40}"

TEST(images)
{
    static const struct row rows[] = {
        {"/v1/images/generations", DRAW, false, "{\"created\":1,\"data\":[{\"b64_json\":\"AAAA\"}]," DRAWN "}}",
         "provider in=10 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 image=40 out_image=408 whole"},
        {"/v1/images/edits", DRAW, false,
         "{\"data\":[{\"b64_json\":\"AAAA\"}]," DRAWN ",\"output_tokens_details\":{\"text_tokens\":8,\"image_tokens\":"
         "400}}}",
         "provider in=10 read=0 write=0 write_1h=0 audio=0 out=8 out_audio=0 image=40 out_image=400 whole"},
        {"/v1/images/generations", DALLE, false, "{\"data\":[{\"url\":\"https://x/{\"},{\"url\":\"y\"}]}",
         "provider in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 images=2 whole"},
        {"/v1/images/generations", DALLE, false, "{\"data\":[{\"url\":\"x\"}],\"usage\":{\"input_tokens\":0}}",
         "provider in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 images=1 whole"},
        {"/v1/images/generations", DALLE, false, "{\"data\":[{\"url\":\"\\ud800\"}]}",
         "estimated in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 images=2"},
        /* tokens are counted of a model that is billed by the piece: the pieces are not free */
        {"/v1/images/generations", DALLE, false, "{\"data\":[{\"url\":\"x\"}]," DRAWN "}}",
         "estimated in=10 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 image=40 out_image=408 images=2 whole"},
        /* no usage of a model that is billed by tokens: as many as such images have */
        {"/v1/images/generations", DRAW, false, "{\"data\":[{\"b64_json\":\"AAAA\"}]}",
         "estimated in=16 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 out_image=1688 whole"},
        {"/v1/images/generations", DRAW, false, "{\"error\":{\"message\":\"refused\"}}", NOTHING " whole error"},
        {"/v1/images/generations", DRAW, true,
         EVENT("image_generation.partial_image", ",\"b64_json\":\"AAAA\"")
             EVENT("image_generation.completed", ",\"b64_json\":\"AAAA\"," DRAWN "}"),
         "provider in=10 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 image=40 out_image=408 whole"},
        {"/v1/images/edits", DRAW, true, EVENT("image_edit.partial_image", ",\"b64_json\":\"AAAA\""),
         "estimated in=16 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 out_image=1688"},
        {"/v1/images/generations", DRAW, true, EVENT("error", ",\"error\":{\"message\":\"refused\"}"),
         NOTHING " error"},
    };
    expect_rows(rows, sizeof rows / sizeof *rows);
}

/* ---- audio ---- */

#define SAY         "{\"model\":\"tts-1\",\"voice\":\"alloy\",\"input\":\"h\\u00e9\\\\ \\ud83d\\ude00 \xc3\xa9\"}"
#define SAY_TOKENS  "{\"model\":\"gpt-4o-mini-tts\",\"voice\":\"alloy\",\"input\":\"hello\"}" /* 59 bytes */
#define HEAR        "{\"model\":\"whisper-1\",\"language\":\"https://example.com/recording.wav\"}"
#define HEAR_TOKENS "{\"model\":\"gpt-4o-transcribe\",\"language\":\"x\"}" /* 44 bytes */
#define HEAR_THERE  "{\"model\":\"voxtral\",\"file_url\":\"https://example.com/recording.wav\"}"

TEST(audio)
{
    static const struct row rows[] = {
        {"/v1/audio/speech", SAY, false, "\xff\xf3\x84\x64 audio",
         "estimated in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 characters=7"},
        {"/v1/audio/speech", SAY, false, "", NOTHING},
        {"/v1/audio/speech", SAY_TOKENS, false, "\xff\xf3\x84\x64 audio",
         "estimated in=15 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=89"},
        {"/v1/audio/speech", SAY_TOKENS, true,
         EVENT("speech.audio.delta", ",\"audio\":\"AAAA\"")
             EVENT("speech.audio.done", ",\"usage\":{\"input_tokens\":14,\"output_tokens\":101,\"total_tokens\":115}"),
         "provider in=14 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=101 whole"},
        {"/v1/audio/speech", SAY_TOKENS, true, EVENT("speech.audio.delta", ",\"audio\":\"AAAA\""),
         "estimated in=15 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=89"},
        {"/v1/audio/transcriptions", HEAR_TOKENS, false,
         "{\"text\":\"hello\",\"usage\":{\"type\":\"tokens\",\"input_tokens\":14,\"input_token_details\":{"
         "\"text_tokens\":4,\"audio_tokens\":10},\"output_tokens\":5,\"total_tokens\":19}}",
         "provider in=4 read=0 write=0 write_1h=0 audio=10 out=5 out_audio=0 whole"},
        {"/v1/audio/transcriptions", HEAR_TOKENS, true,
         EVENT("transcript.text.delta", ",\"delta\":\"hello\"")
             EVENT("transcript.text.done", ",\"text\":\"hello\",\"usage\":{\"type\":\"tokens\",\"input_tokens\":14,"
                                           "\"input_token_details\":{\"text_tokens\":0,\"audio_tokens\":14},"
                                           "\"output_tokens\":5}"),
         "provider in=0 read=0 write=0 write_1h=0 audio=14 out=5 out_audio=0 whole"},
        {"/v1/audio/transcriptions", HEAR_TOKENS, true, EVENT("transcript.text.delta", ",\"delta\":\"hello\""),
         "estimated in=0 read=0 write=0 write_1h=0 audio=11 out=2 out_audio=0"},
        {"/v1/audio/transcriptions", HEAR, false,
         "{\"text\":\"hello\",\"usage\":{\"type\":\"tokens\",\"input_tokens\":14,\"output_tokens\":5}}",
         "estimated in=14 read=0 write=0 write_1h=0 audio=0 out=5 out_audio=0 seconds=10 whole"},
        {"/v1/audio/transcriptions", HEAR, false,
         "{\"text\":\"hello\",\"usage\":{\"type\":\"duration\",\"seconds\":9}}",
         "provider in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 seconds=9 whole"},
        {"/v1/audio/translations", HEAR, false, "{\"task\":\"translate\",\"duration\":8.47,\"text\":\"hello\"}",
         "provider in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 seconds=9 whole"},
        {"/v1/audio/translations", HEAR, false, "{\"duration\":8.000,\"text\":\"hello\"}",
         "provider in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 seconds=8 whole"},
        {"/v1/audio/transcriptions", HEAR, false, "{\"text\":\"hello\",\"duration\":1e9}",
         "estimated in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 seconds=10 whole"},
        {"/v1/audio/transcriptions", HEAR, false, "hello, there\n",
         "estimated in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 seconds=10"},
        {"/v1/audio/transcriptions", HEAR, false,
         "1\n00:00:00,000 --> 00:00:02,500\nHello\n\n2\n00:00:02,500 --> 01:02:03,100\nthere\n\n",
         "estimated in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 seconds=3724"},
        {"/v1/audio/transcriptions", HEAR, false, "WEBVTT\n\n00:00.000 --> 01:02.250\nHello\n",
         "estimated in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 seconds=63"},
        {"/v1/audio/transcriptions", HEAR, false, "WEBVTT\n\n00:00.000 --> 99999999999:02.250\nHello\n",
         "estimated in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 seconds=10"},
        {"/v1/audio/transcriptions", HEAR, false, "{\"error\":{\"message\":\"no\"}}", NOTHING " whole error"},
        {"/v1/audio/transcriptions", HEAR_THERE, false, "hello, there\n",
         "estimated in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 seconds=14401"},
        {"/v1/audio/transcriptions", HEAR_THERE, false, "{\"text\":\"hello\",\"usage\":{\"prompt_audio_seconds\":9}}",
         "provider in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 seconds=9 whole"},
    };
    expect_rows(rows, sizeof rows / sizeof *rows);
}

/* The API draws with another model when a parameter is given that dall-e-2 does not know. */
TEST(images_without_a_model)
{
    static const struct {
        const char *path, *rest, *model;
    } rows[] = {
        {"/images/generations", "", "dall-e-2"},
        {"/images/generations", ",\"size\":\"512x512\",\"n\":2,\"response_format\":\"url\"", "dall-e-2"},
        {"/images/generations", ",\"quality\":\"standard\",\"background\":null", "dall-e-2"},
        {"/images/generations", ",\"model\":\"dall-e-3\",\"quality\":\"high\"", "dall-e-3"},
        {"/images/generations", ",\"background\":\"transparent\"", "gpt-image-1"},
        {"/images/generations", ",\"output_format\":\"png\"", "gpt-image-1"},
        {"/images/generations", ",\"output_compression\":50", "gpt-image-1"},
        {"/images/generations", ",\"moderation\":\"low\"", "gpt-image-1"},
        {"/images/generations", ",\"partial_images\":1", "gpt-image-1"},
        {"/images/generations", ",\"stream\":true", "gpt-image-1"},
        {"/images/generations", ",\"quality\":\"low\"", "gpt-image-1"},
        {"/images/generations", ",\"quality\":\"auto\"", "gpt-image-1"},
        {"/images/generations", ",\"size\":\"1536x1024\"", "gpt-image-1"},
        {"/images/edits", ",\"input_fidelity\":\"high\"", "gpt-image-1"},
        {"/images/edits", ",\"images\":[{\"file_id\":\"f\"}]", "gpt-image-1"},
    };
    struct arena *arena = arena_new(4096);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts = {0};
        const char *problem, *body = arena_printf(arena, "{\"prompt\":\"x\"%s}", rows[i].rest);
        EXPECT(read_facts(rows[i].path, body, arena, &facts, &problem) == ERROR_OK, "%s: %s", body, problem);
        EXPECT(strcmp(facts.model, rows[i].model) == 0, "%s: %s", body, facts.model);
        EXPECT((facts.units.images == 0) == (strstr(rows[i].model, "gpt") != NULL), "%s: images", body);
    }
    arena_free(arena);
}

/* ---- batches ---- */

#define BATCH(status, rest) "{\"id\":\"batch_1\",\"object\":\"batch\",\"status\":\"" status "\"" rest "}"
#define OF_FILE             "{\"input_file_id\":\"file-1\",\"endpoint\":\"/v1/chat/completions\"}"

TEST(batches)
{
    static const struct row rows[] = {
        {"/v1/files", "", false, "{\"id\":\"file-1\",\"object\":\"file\",\"purpose\":\"batch\"}",
         NOTHING " whole id=file-1"},
        {"/v1/batches", OF_FILE, false, BATCH("validating", ",\"errors\":null"), NOTHING " whole id=batch_1 pending"},
        {"/v1/batches/batch_1", NULL, false, BATCH("finalizing", ",\"usage\":null"),
         NOTHING " whole id=batch_1 pending"},
        {"/v1/batches/batch_1", NULL, false,
         BATCH("in_progress", ",\"usage\":{\"input_tokens\":0,\"output_tokens\":0}"),
         NOTHING " whole tier=batch id=batch_1 pending"},
        {"/v1/batches/batch_1", NULL, false, BATCH("completed", ",\"model\":\"gpt-5\"" TOKENS),
         COUNTED " whole model=gpt-5 tier=batch id=batch_1 done"},
        {"/v1/batches/batch_1", NULL, false, BATCH("expired", TOKENS), COUNTED " whole tier=batch id=batch_1 done"},
        /* no usage: what was held is the estimate, unless nothing was done */
        {"/v1/batches/batch_1", NULL, false, BATCH("completed", ",\"request_counts\":{\"completed\":3}"),
         "estimated in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole id=batch_1 done"},
        {"/v1/batches/batch_1", NULL, false, BATCH("expired", ",\"request_counts\":{\"completed\":3}"),
         "estimated in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole id=batch_1 done"},
        {"/v1/batches/batch_1", NULL, false, BATCH("failed", ",\"errors\":{\"data\":[]}"),
         NOTHING " whole error id=batch_1 done"},
        {"/v1/batches/batch_1/cancel", "", false, BATCH("cancelling", ",\"request_counts\":{\"completed\":0}"),
         NOTHING " whole id=batch_1 pending"},
        {"/v1/batches/batch_1/cancel", "", false, BATCH("cancelled", ",\"request_counts\":{\"completed\":0}"),
         NOTHING " whole error id=batch_1 done"},
        {"/v1/batches", NULL, false, BATCH("completed", TOKENS), NOTHING},
    };
    expect_rows(rows, sizeof rows / sizeof *rows);
}

/* ---- requests ---- */

TEST(bounds_of_requests)
{
    static const struct {
        const char *path, *body;
        int64_t output_tokens_max, choices;
        bool refers_outside, has_no_limit;
        uint64_t calls, images, characters;
        const char *variant;
    } rows[] = {
        {"/responses", "{\"model\":\"m\",\"input\":\"x\"}", -1, 1, false, false, 0, 0, 0, ""},
        {"/responses", "{\"model\":\"m\",\"input\":[],\"max_output_tokens\":64}", 64, 1, false, false, 0, 0, 0, ""},
        {"/responses", "{\"model\":\"m\",\"previous_response_id\":\"resp_0\"}", -1, 1, true, false, 0, 0, 0, ""},
        {"/responses", "{\"model\":\"m\",\"previous_response_id\":null}", -1, 1, false, false, 0, 0, 0, ""},
        {"/responses", "{\"prompt\":{\"id\":\"pmpt_1\"}}", -1, 1, true, false, 0, 0, 0, ""},
        {"/responses", "{\"model\":\"m\",\"conversation\":\"conv_1\"}", -1, 1, true, false, 0, 0, 0, ""},
        {"/responses", "{\"model\":\"m\",\"input\":[{\"type\":\"item_reference\",\"id\":\"i\"}]}", -1, 1, true, false,
         0, 0, 0, ""},
        /* references, whose type is optional; what is none */
        {"/responses", "{\"model\":\"m\",\"input\":[{\"id\":\"msg_1\"}]}", -1, 1, true, false, 0, 0, 0, ""},
        {"/responses", "{\"model\":\"m\",\"input\":[\"\",{\"type\" : null,\"id\":\"msg_1\"}]}", -1, 1, true, false, 0,
         0, 0, ""},
        {"/responses", "{\"model\":\"m\",\"input\":[{\"content\":\"x\",\"role\":\"user\"}]}", -1, 1, false, false, 0, 0,
         0, ""},
        {"/responses",
         "{\"model\":\"m\",\"input\":[{\"id\":\"m\",\"output\":\"x\",\"type\":\"function_call_output\"}]}", -1, 1,
         false, false, 0, 0, 0, ""},
        {"/responses", "{\"model\":\"m\",\"tools\":[{\"type\":\"web_search\"}]}", -1, 1, true, false, 64, 0, 0, ""},
        {"/responses",
         "{\"model\":\"m\",\"tools\":[{\"type\":\"web_search_preview_2025_03_11\"}],\"max_tool_calls\":3}", -1, 1, true,
         false, 3, 0, 0, ""},
        {"/responses", "{\"model\":\"m\",\"tools\":[{\"x\":\"}]\"},{\"type\":\"code_interpreter\"}]}", -1, 1, true,
         false, 64, 0, 0, ""},
        {"/responses", "{\"model\":\"m\",\"tools\":[{\"t\\u0079pe\":\"\\u0077eb_search\"}]}", -1, 1, true, false, 64, 0,
         0, ""},
        {"/responses", "{\"model\":\"m\",\"tools\":[{\"type\":\"mcp\"}]}", -1, 1, true, false, 0, 0, 0, ""},
        {"/responses", "{\"model\":\"m\",\"tools\":[{\"type\":\"function\",\"name\":\"search\"}]}", -1, 1, false, false,
         0, 0, 0, ""},
        {"/completions", "{\"model\":\"m\",\"prompt\":[\"a\",\"b\",\"c\"],\"n\":2,\"max_tokens\":9}", 9, 6, false,
         false, 0, 0, 0, ""},
        {"/completions", "{\"model\":\"m\",\"prompt\":[[1,2],[3]],\"n\":2,\"best_of\":5}", -1, 10, false, false, 0, 0,
         0, ""},
        {"/completions", "{\"model\":\"m\",\"prompt\":[1,2,3]}", -1, 1, false, false, 0, 0, 0, ""},
        {"/completions", "{\"model\":\"m\",\"prompt\":\"x\",\"best_of\":3}", -1, 3, false, false, 0, 0, 0, ""},
        {"/completions", "{\"model\":\"m\",\"prompt\":[\"a\",\"b\"],\"n\":9223372036854775807}", -1, INT64_MAX, false,
         false, 0, 0, 0, ""},
        {"/embeddings", "{\"model\":\"m\",\"input\":\"x\"}", 0, 1, false, true, 0, 0, 0, ""},
        {"/chat/completions", "{\"model\":\"m\",\"messages\":[],\"web_search_options\":{},\"n\":3}", -1, 3, true, false,
         3, 0, 0, ""},
        {"/chat/completions", "{\"model\":\"m\",\"messages\":[],\"search_parameters\":{\"max_search_results\":7}}", -1,
         1, true, false, 7, 0, 0, ""},
        {"/chat/completions", "{\"model\":\"m\",\"messages\":[],\"x\":\"say \\\"web_search\\\" and \\\"file\"}", -1, 1,
         false, false, 0, 0, 0, ""},
        {"/chat/completions", "{\"model\":\"m\",\"messages\":[{\"im\\u0061ge_url\":{}}]}", -1, 1, true, false, 0, 0, 0,
         ""},
        {"/chat/completions", "{\"model\":\"m\",\"messages\":[{\"content\":\"caf\\u00e9 \\u003cb\\u003e\\u0026\"}]}",
         -1, 1, false, false, 0, 0, 0, ""},
        /* what a client's own tools are called says nothing; a type does */
        {"/chat/completions",
         "{\"model\":\"m\",\"messages\":[{\"content\":\"url\"}],\"tools\":[{\"name\":\"web_search\",\"parameters\":{"
         "\"file_path\":{},\"url\":{\"type\":\"string\"},\"required\":[\"url\",\"image\"]}},{\"name\":\"mcp__x__y\"}]}",
         -1, 1, false, false, 0, 0, 0, ""},
        {"/chat/completions", "{\"model\":\"m\",\"messages\":[{\"content\":[{\"type\" :\n\"file\"}]}]}", -1, 1, true,
         false, 0, 0, 0, ""},
        {"/chat/completions", "{\"model\":\"m\",\"messages\":[{\"content\":[{\"image_url\":{}}]}]}", -1, 1, true, false,
         0, 0, 0, ""},
        {"/images/generations", "{\"prompt\":\"x\"}", 0, 1, false, true, 0, 1, 0, "1024x1024/standard"},
        {"/images/generations", "{\"model\":\"dall-e-3\",\"size\":\"1792x1024\",\"quality\":\"hd\",\"n\":4}", 0, 1,
         false, true, 0, 4, 0, "1792x1024/hd"},
        {"/images/generations", "{\"model\":\"gpt-image-1\",\"quality\":\"medium\",\"size\":\"1024x1024\",\"n\":4}",
         2412, 4, false, true, 0, 0, 0, ""},
        {"/images/generations", "{\"model\":\"gpt-image-1\"}", 8620, 1, false, true, 0, 0, 0, ""},
        {"/images/generations", "{\"model\":\"gpt-image-2\",\"size\":\"4096x4096\"}", -1, 1, false, true, 0, 0, 0, ""},
        {"/audio/speech", "{\"model\":\"tts-1-hd\",\"input\":\"abc\"}", 0, 1, false, true, 0, 0, 3, ""},
        {"/audio/speech", "{\"model\":\"gpt-4o-mini-tts\",\"input\":\"abc\"}", 1040, 1, false, true, 0, 0, 0, ""},
        {"/batches", OF_FILE, 0, 1, false, true, 0, 0, 0, ""},
    };
    struct arena *arena = arena_new(4096);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts = {0};
        const char *problem;
        EXPECT(read_facts(rows[i].path, rows[i].body, arena, &facts, &problem) == ERROR_OK, "%s: %s", rows[i].body,
               problem);
        EXPECT(facts.output_tokens_max == rows[i].output_tokens_max, "%s: output %lld", rows[i].body,
               (long long)facts.output_tokens_max);
        EXPECT(facts.choices == rows[i].choices, "%s: choices %lld", rows[i].body, (long long)facts.choices);
        EXPECT(facts.refers_outside == rows[i].refers_outside && facts.has_no_limit == rows[i].has_no_limit, "%s",
               rows[i].body);
        EXPECT(facts.units.tool_calls == rows[i].calls && facts.units.images == rows[i].images &&
                   facts.units.characters == rows[i].characters,
               "%s: units", rows[i].body);
        EXPECT(strcmp(facts.price_variant, rows[i].variant) == 0, "%s: variant %s", rows[i].body, facts.price_variant);
    }
    arena_free(arena);
}

/* Pictures that a tool draws: whose they are, how many, and what each can come to. */
TEST(drawings_of_responses)
{
    static const struct {
        const char *rest, *model; /* NULL: refused */
        uint64_t pictures;
        int64_t each;
        uint64_t input;
    } rows[] = {
        {"\"tools\":[{\"type\":\"web_search\",\"model\":\"x\"}]", "", 0, 0, 0},
        {"\"tools\":[{\"type\":\"image_generation\"}]", "gpt-image-1", 4, 8620, 4 * 8192 + (4 * 17 + 6) * 640},
        {"\"tools\":[{\"type\":\"image_generation\",\"model\":null,\"quality\":\"low\"}],\"max_tool_calls\":1",
         "gpt-image-1", 1, 844, 8192 + 17 * 640},
        {"\"tools\":[{\"type\":\"image_generation\",\"model\":\"gpt-image-1.5\",\"size\":\"4096x4096\"}]",
         "gpt-image-1.5", 4, -1, 4 * 8192 + (4 * 17 + 6) * 8192},
        {"\"previous_response_id\":\"resp_1\",\"max_tool_calls\":2,\"tools\":[{\"type\":\"image_generation\",\"size\":"
         "7,"
         "\"input_fidelity\":\"high\"}]",
         "gpt-image-1", 2, -1, 2 * 8192 + 2 * 17 * 8192 + 8192},
        {"\"tools\":[{\"t\\u0079pe\":\"image_generation\",\"model\":\"\\u0067pt-image-2\"}],\"max_tool_calls\":1",
         "gpt-image-2", 1, 8620, 8192 + 17 * 8192},
        {"\"tools\":[{\"type\":\"image_generation\",\"model\":7}]", NULL, 0, 0, 0},
        {"\"tools\":[{\"type\":\"image_generation\",\"model\":\"\"}]", NULL, 0, 0, 0},
        {"\"tools\":[{\"type\":\"image_generation\"},{\"type\":\"image_generation\",\"model\":\"gpt-image-2\"}]", NULL,
         0, 0, 0},
    };
    struct arena *arena = arena_new(4096);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts = {0};
        const struct drawing_facts *drawing = &facts.drawing;
        const char *problem, *body = arena_printf(arena, "{\"model\":\"m\",\"input\":\"x\",%s}", rows[i].rest);
        enum error error = read_facts("/responses", body, arena, &facts, &problem);
        EXPECT((error == ERROR_OK) == (rows[i].model != NULL), "%s: %s", body, problem);
        if (error) {
            EXPECT(strstr(problem, "image_generation") != NULL, "%s: %s", body, problem);
            continue;
        }
        EXPECT(strcmp(drawing->model, rows[i].model) == 0 && drawing->pictures == rows[i].pictures &&
                   drawing->tokens_each == rows[i].each && drawing->input_tokens == rows[i].input,
               "%s: %llu of %s, %lld each, %llu in", body, (unsigned long long)drawing->pictures, drawing->model,
               (long long)drawing->tokens_each, (unsigned long long)drawing->input_tokens);
        EXPECT(facts.prediction_bytes == 0, "%s", body);
    }
    arena_free(arena);
}

TEST(requests_that_lack_something)
{
    static const struct {
        const char *path, *body, *problem;
    } rows[] = {
        {"/responses", "{\"input\":\"x\"}", "you must provide a model parameter"},
        {"/responses", "{\"model\":\"m\",\"input\":7}", "'input'"},
        {"/responses", "{\"model\":\"m\",\"background\":1}", "'background'"},
        {"/responses", "{\"model\":\"m\",\"previous_response_id\":{}}", "'previous_response_id'"},
        {"/responses", "{\"model\":\"m\",\"max_output_tokens\":0}", "'max_output_tokens'"},
        {"/completions", "{\"prompt\":\"x\"}", "model"},
        {"/completions", "{\"model\":\"m\",\"prompt\":\"x\",\"best_of\":-1}", "'best_of'"},
        {"/embeddings", "{\"model\":\"m\"}", "'input'"},
        {"/images/generations", "{\"model\":\"m\",\"n\":\"2\"}", "'n'"},
        {"/images/generations", "{\"model\":\"m\",\"size\":2}", "'size'"},
        {"/audio/speech", "{\"model\":\"m\"}", "'input'"},
        {"/audio/speech", "{\"model\":\"m\",\"input\":[]}", "'input'"},
        {"/audio/transcriptions", "{}", "model"},
        {"/batches", "{}", "'input_file_id'"},
        {"/batches", "{\"input_file_id\":\"a\\u0000\"}", "'input_file_id'"},
    };
    struct arena *arena = arena_new(4096);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts = {.choices = 99};
        const char *problem;
        EXPECT(read_facts(rows[i].path, rows[i].body, arena, &facts, &problem) == ERROR_BODY_INCOMPLETE, "%s",
               rows[i].body);
        EXPECT(strstr(problem, rows[i].problem), "%s: \"%s\"", rows[i].body, problem);
        EXPECT(facts.choices == 99, "%s: facts touched", rows[i].body);
    }
    arena_free(arena);
}

TEST(facts_of_responses)
{
    struct arena *arena = arena_new(4096);
    struct request_facts facts;
    const char *problem;
    CU_ASSERT(read_facts("/responses",
                         "{\"model\":\"m\",\"input\":\"x\",\"background\":true,\"stream\":true,"
                         "\"previous_response_id\":\"resp_0\",\"service_tier\":\"flex\",\"tools\":[{}]}",
                         arena, &facts, &problem) == ERROR_OK);
    CU_ASSERT(facts.is_background && facts.is_streaming && facts.is_continued && facts.has_tools);
    EXPECT_STRING(facts.previous_id, "resp_0");
    EXPECT_STRING(facts.service_tier, "flex");
    CU_ASSERT(read_facts("/batches", OF_FILE, arena, &facts, &problem) == ERROR_OK);
    EXPECT_STRING(facts.batch.input_file, "file-1");
    EXPECT_STRING(facts.service_tier, "batch");
    /* what has no format has only the facts of an empty request */
    const struct dialect_request request = {.body = SLICE_LITERAL("no JSON")};
    CU_ASSERT(dialect_of(DIALECT_OPENAI)->read_request(find("POST", "/threads"), &request, arena, &facts, &problem) ==
              ERROR_OK);
    CU_ASSERT(facts.choices == 1 && facts.model[0] == '\0' && facts.text_bytes == 7);
    arena_free(arena);
}

TEST(requests_are_edited)
{
    static const struct {
        const char *path;
        struct request_edits edits;
        const char *body, *edited; /* NULL: the same slice */
    } rows[] = {
        {"/responses",
         {"n", true, 50},
         "{\"model\":\"m\",\"input\":\"x\",\"stream\":true}",
         "{\"max_output_tokens\":50,\"model\":\"n\",\"input\":\"x\",\"stream\":true}"},
        {"/responses",
         {NULL, false, 50},
         "{\"model\":\"m\",\"max_output_tokens\":51}",
         "{\"model\":\"m\",\"max_output_tokens\":50}"},
        {"/responses", {"n", false, -1}, "{\"prompt\":{\"id\":\"p\"}}", "{\"model\":\"n\",\"prompt\":{\"id\":\"p\"}}"},
        {"/completions",
         {NULL, true, 5},
         "{\"model\":\"m\",\"stream\":true}",
         "{\"stream_options\":{\"include_usage\":true},\"max_tokens\":5,\"model\":\"m\",\"stream\":true}"},
        {"/embeddings", {"n", true, 5}, "{\"model\":\"m\",\"input\":\"x\"}", "{\"model\":\"n\",\"input\":\"x\"}"},
        {"/images/generations", {"n", false, 5}, " { } ", " {\"model\":\"n\" } "},
        {"/images/generations", {"dall-e-2", false, 5}, "{\"prompt\":\"x\"}", NULL},
        {"/audio/speech", {"n", true, 5}, "{\"model\":\"m\",\"input\":\"x\"}", "{\"model\":\"n\",\"input\":\"x\"}"},
        {"/batches", {"n", true, 5}, OF_FILE, NULL},
        {"/moderations", {"n", true, 5}, "{\"model\":\"m\",\"input\":\"x\"}", NULL},
    };
    struct arena *arena = arena_new(4096);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts;
        const char *problem;
        struct slice body = slice_of(rows[i].body);
        EXPECT(read_facts(rows[i].path, rows[i].body, arena, &facts, &problem) == ERROR_OK, "row %zu: %s", i, problem);
        facts.output_max_member = facts.output_max_member ? facts.output_max_member : "max_tokens"; /* as flow does */
        struct slice edited =
            dialect_of(DIALECT_OPENAI)->edit_request(find("POST", rows[i].path), body, &facts, &rows[i].edits, arena);
        EXPECT((edited.data == body.data) == (rows[i].edited == NULL), "row %zu: copied or not", i);
        EXPECT(slice_is(edited, rows[i].edited ? rows[i].edited : rows[i].body), "row %zu: " SLICE_FORMAT, i,
               SLICE_ARGUMENTS(edited));
        EXPECT(json_scan(edited, 64, NULL, 0, NULL) == ERROR_OK, "row %zu is no JSON any more", i);
    }
    arena_free(arena);
}

/* Wherever in its word it stands: a letter that is written as an escape may hide a name. */
TEST(escaped_letters_refer_outside)
{
    static const struct {
        const char *escape;
        bool is_letter;
    } rows[] = {{"\\u0061", true},  {"\\u007A", true},  {"\\u005f", true},  {"\\u0041", true},
                {"\\u0065", true},  {"\\u003c", false}, {"\\u0022", false}, {"\\u00e9", false},
                {"\\u005b", false}, {"\\u1061", false}, {"\\n0061", false}, {"\\u0040", false}};
    struct arena *arena = arena_new(4096);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int before = 0; before < 20; before++) {
            char body[200];
            struct request_facts facts;
            const char *problem;
            snprintf(body, sizeof body, "{\"model\":\"m\",\"messages\":[{\"content\":\"%.*s%s\"}]}", before,
                     "uuuuuuuuuuuuuuuuuuuu", rows[i].escape);
            CU_ASSERT(read_facts("/chat/completions", body, arena, &facts, &problem) == ERROR_OK);
            EXPECT(facts.refers_outside == rows[i].is_letter, "%s", body);
        }
    }
    arena_free(arena);
}

/* ---- conversations ---- */

#define CHAT(...)  "/chat/completions", "{\"model\":\"m\",\"messages\":[" __VA_ARGS__ "]}"
#define INPUT(...) "/responses", "{\"model\":\"m\"," __VA_ARGS__ "}"
#define SYSTEM     "{\"role\":\"system\",\"content\":\"be brief, \\\"}\"}"
#define USER       "{\"role\":\"user\",\"content\":\"hi\"}"
#define OTHER      "{\"role\":\"user\",\"content\":\"ho\"}"

TEST(conversations)
{
    static const struct {
        int group; /* 0: none. The same group: the same conversation; another: another */
        bool is_continued;
        const char *path, *body;
    } rows[] = {
        {1, false, CHAT(SYSTEM "," USER)},
        {1, false, CHAT(SYSTEM " , " USER ",{\"role\":\"assistant\",\"content\":\"a\"}," OTHER)},
        {1, true, CHAT(SYSTEM "," USER ",{\"role\":\"assistant\",\"tool_calls\":[{}]},{\"role\":\"tool\"}")},
        {1, true, CHAT(SYSTEM "," USER ",{\"role\":\"tool\",\"tool_call_id\":\"x\",\"content\":\"a\"}")},
        {1, true, CHAT(SYSTEM "," USER ",{\"role\":\"assistant\",\"reasoning_content\":\"hmm\"}")},
        {1, false,
         CHAT(SYSTEM "," USER ",{\"role\":\"assistant\",\"content\":\"\\\"tool_calls\\\" and "
                     "\\\"reasoning_content\\\"\"}")},
        {2, false, CHAT(USER)},
        {2, false, "/chat/completions",
         "{\"tools\":[{\"name\":\"tool_call\"}],\"reasoning\":{},\"messages\":[" USER "],\"model\":\"m\"}"},
        {3, false, CHAT(OTHER)},
        {4, false, CHAT(SYSTEM "," OTHER)},
        {5, false, CHAT("{\"content\":\"hi\",\"role\":\"user\"}")},
        {5, false, CHAT("{\"content\":\"hi\",\"role\":\"user\"}," USER)},
        {6, false, CHAT("{\"role\":\"users\",\"content\":\"hi\"},{\"role\":\"user\"}")},
        {0, false, CHAT("")},
        {0, false, CHAT(SYSTEM)},
        {7, false, INPUT("\"input\":\"hi\"")},
        {8, false, INPUT("\"input\":\"hi\",\"instructions\":\"be brief\"")},
        {9, false, INPUT("\"input\":[" USER "],\"instructions\":\"be brief\"")},
        {9, true,
         INPUT("\"instructions\":\"be brief\",\"input\":[" USER ",{\"type\":\"function_call\"},{\"type\":"
               "\"function_call_output\"}]")},
        {9, true, INPUT("\"instructions\":\"be brief\",\"input\":[" USER ",{\"type\":\"reasoning\"}]")},
        {9, false, INPUT("\"instructions\":\"be brief\",\"reasoning\":{\"effort\":\"low\"},\"input\":[" USER "]")},
        {10, true, INPUT("\"conversation\":\"conv_1\",\"input\":\"a\"")},
        {10, true, INPUT("\"conversation\":\"conv_1\",\"input\":\"b\"")},
        {0, true, INPUT("\"previous_response_id\":\"resp_1\"")},
    };
    enum { ROWS = sizeof rows / sizeof *rows };
    struct arena *arena = arena_new(4096);
    struct request_facts facts[ROWS];
    const char *problem;
    for (size_t i = 0; i < ROWS; i++) {
        EXPECT(read_facts(rows[i].path, rows[i].body, arena, &facts[i], &problem) == ERROR_OK, "%s", problem);
        EXPECT(facts[i].is_continued == rows[i].is_continued, "%s: continued or not", rows[i].body);
        EXPECT((facts[i].conversation == 0) == (rows[i].group == 0), "%s: a conversation or none", rows[i].body);
        for (size_t k = 0; k < i; k++)
            EXPECT((facts[i].conversation == facts[k].conversation) == (rows[i].group == rows[k].group), "%s / %s",
                   rows[i].body, rows[k].body);
    }
    arena_free(arena);
}

/* ---- random damage ---- */

TEST(damaged_answers_do_not_depend_on_cuts)
{
    static const struct {
        const char *path;
        bool is_stream;
        const char *seed;
    } rows[] = {
        {"/responses", true, CREATED("") DELTA("hello") ENDED("completed")},
        {"/responses", false, RESPONSE("completed", TEXT TOKENS)},
        {"/images/generations", true, EVENT("image_generation.completed", ",\"b64_json\":\"AAAA\"," DRAWN "}")},
        {"/images/generations", false, "{\"data\":[{\"url\":\"x\"},{\"url\":\"y\"}]," DRAWN "}}"},
        {"/audio/speech", true, EVENT("speech.audio.done", ",\"usage\":{\"input_tokens\":14,\"output_tokens\":101}")},
        {"/audio/transcriptions", true, EVENT("transcript.text.done", ",\"text\":\"hello\"," DRAWN "}")},
        {"/audio/transcriptions", false, "1\n00:00:00,000 --> 00:00:02,500\nHello\n"},
        {"/batches", false, BATCH("completed", TOKENS)},
    };
#ifdef TOLLGATE_SANITIZED
    const int rounds = 4000;
#else
    const int rounds = 20000;
#endif
    for (int round = 0; round < rounds; round++) {
        char bytes[4096];
        size_t row = random_below(sizeof rows / sizeof *rows), length = strlen(rows[row].seed);
        memcpy(bytes, rows[row].seed, length);
        for (size_t changes = random_below(5); changes; changes--)
            length = damage(bytes, length);
        const struct answer answer = {
            .kind = DIALECT_OPENAI, .endpoint = find("POST", rows[row].path), .is_stream = rows[row].is_stream};
        struct result whole = meter_run(&answer, (struct slice){bytes, length}, length, length);
        struct result pieces =
            meter_run(&answer, (struct slice){bytes, length}, 1 + random_below(length), 1 + random_below(9));
        EXPECT(strcmp(whole.text, pieces.text) == 0, "round %d: %s / %s", round, whole.text, pieces.text);
        buffer_done(&whole.out);
        buffer_done(&pieces.out);
    }
}
