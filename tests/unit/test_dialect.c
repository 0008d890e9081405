/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dialects: what a request asks for and how it is edited, what an answer used (to the token, however it is cut),
 * what the client sees of it, and the shapes of errors.
 */
#include "dialect_answers.h"

#include <jansson.h>

static const struct endpoint *endpoint_of(enum dialect_kind kind)
{
    const char *path = kind == DIALECT_OPENAI ? "/v1/chat/completions" : "/v1/messages";
    return dialect_of(kind)->find_endpoint(SLICE_LITERAL("POST"), slice_of(path));
}

/* ---- endpoints ---- */

TEST(endpoints_are_found)
{
    static const struct {
        enum dialect_kind dialect;
        const char *method, *path, *name;
        enum endpoint_kind kind;
    } rows[] = {
        {DIALECT_OPENAI, "POST", "/v1/chat/completions", "chat.completions", ENDPOINT_METERED},
        {DIALECT_OPENAI, "POST", "/openai/v1/chat/completions", "chat.completions", ENDPOINT_METERED},
        {DIALECT_OPENAI, "POST", "/chat/completions", "chat.completions", ENDPOINT_METERED},
        {DIALECT_OPENAI, "POST", "/v1/chat/completions/", "chat.completions", ENDPOINT_METERED},
        {DIALECT_OPENAI, "GET", "/v1/chat/completions", "other", ENDPOINT_UNMETERED},
        {DIALECT_OPENAI, "POST", "/v1/xchat/completions", "completions", ENDPOINT_METERED},
        {DIALECT_OPENAI, "POST", "/openai/deployments/gpt-4o/chat/completions", "chat.completions", ENDPOINT_METERED},
        {DIALECT_OPENAI, "POST", "/api/v1/chat/completions", "chat.completions", ENDPOINT_METERED},
        {DIALECT_OPENAI, "POST", "/v1/completions", "completions", ENDPOINT_METERED},
        {DIALECT_OPENAI, "POST", "/v1/responses", "responses", ENDPOINT_METERED},
        {DIALECT_OPENAI, "POST", "/v1/responses/", "responses", ENDPOINT_METERED},
        {DIALECT_OPENAI, "POST", "/v1/responses/compact", "responses.compact", ENDPOINT_METERED},
        {DIALECT_OPENAI, "POST", "/v1/responses/input_tokens", "responses.input_tokens", ENDPOINT_FREE},
        {DIALECT_OPENAI, "GET", "/v1/responses/resp_1", "responses.retrieve", ENDPOINT_JOB},
        {DIALECT_OPENAI, "GET", "/v1/responses/resp_1/", "responses.retrieve", ENDPOINT_JOB},
        {DIALECT_OPENAI, "POST", "/v1/responses/resp_1/cancel", "responses.cancel", ENDPOINT_JOB},
        {DIALECT_OPENAI, "GET", "/v1/responses/resp_1/input_items", "responses.input_items", ENDPOINT_FREE},
        {DIALECT_OPENAI, "DELETE", "/v1/responses/resp_1", "responses.delete", ENDPOINT_FREE},
        {DIALECT_OPENAI, "GET", "/v1/responses", "other", ENDPOINT_UNMETERED},
        {DIALECT_OPENAI, "POST", "/v1/responses/resp_1", "other", ENDPOINT_UNMETERED},
        {DIALECT_OPENAI, "POST", "/v1/responses/a/b/cancel", "other", ENDPOINT_UNMETERED},
        {DIALECT_OPENAI, "POST", "/v1/responses//cancel", "other", ENDPOINT_UNMETERED},
        {DIALECT_OPENAI, "POST", "/v1/embeddings", "embeddings", ENDPOINT_METERED},
        {DIALECT_OPENAI, "POST", "/v1/moderations", "moderations", ENDPOINT_FREE},
        {DIALECT_OPENAI, "POST", "/v1/audio/speech", "audio.speech", ENDPOINT_METERED},
        {DIALECT_OPENAI, "POST", "/v1/audio/transcriptions", "audio.transcriptions", ENDPOINT_METERED},
        {DIALECT_OPENAI, "POST", "/v1/audio/translations", "audio.translations", ENDPOINT_METERED},
        {DIALECT_OPENAI, "GET", "/v1/audio/voices", "audio", ENDPOINT_UNMETERED},
        {DIALECT_OPENAI, "POST", "/v1/images/generations", "images.generations", ENDPOINT_METERED},
        {DIALECT_OPENAI, "POST", "/v1/images/edits", "images.edits", ENDPOINT_METERED},
        {DIALECT_OPENAI, "POST", "/v1/images/variations", "images.variations", ENDPOINT_METERED},
        {DIALECT_OPENAI, "POST", "/v1/images/other", "images", ENDPOINT_UNMETERED},
        {DIALECT_OPENAI, "POST", "/v1/files", "files", ENDPOINT_FREE},
        {DIALECT_OPENAI, "GET", "/v1/files/file-1/content", "files", ENDPOINT_FREE},
        {DIALECT_OPENAI, "DELETE", "/v1/files/file-1", "files", ENDPOINT_FREE},
        {DIALECT_OPENAI, "POST", "/v1/files/file-1", "other", ENDPOINT_UNMETERED},
        {DIALECT_OPENAI, "POST", "/v1/batches", "batches", ENDPOINT_METERED},
        {DIALECT_OPENAI, "GET", "/v1/batches", "batches.list", ENDPOINT_FREE},
        {DIALECT_OPENAI, "GET", "/v1/batches/batch_1", "batches.retrieve", ENDPOINT_JOB},
        {DIALECT_OPENAI, "POST", "/v1/batches/batch_1/cancel", "batches.cancel", ENDPOINT_JOB},
        {DIALECT_OPENAI, "POST", "/v1/batches/batch_1", "batches", ENDPOINT_UNMETERED},
        {DIALECT_OPENAI, "POST", "/v1/vector_stores", "vector_stores", ENDPOINT_UNMETERED},
        {DIALECT_OPENAI, "GET", "/v1/vector_stores/vs_1/files", "vector_stores", ENDPOINT_UNMETERED},
        {DIALECT_OPENAI, "POST", "/v1/threads/t/runs", "threads", ENDPOINT_UNMETERED},
        {DIALECT_OPENAI, "POST", "/v1/fine_tuning/jobs", "fine_tuning", ENDPOINT_UNMETERED},
        {DIALECT_OPENAI, "POST", "/v1/realtime/sessions", "realtime", ENDPOINT_UNMETERED},
        {DIALECT_OPENAI, "POST", "/v1/uploads", "uploads", ENDPOINT_UNMETERED},
        {DIALECT_OPENAI, "GET", "/v1/models", "models", ENDPOINT_FREE},
        {DIALECT_OPENAI, "GET", "/v1/models/gpt-4o", "models", ENDPOINT_FREE},
        {DIALECT_OPENAI, "GET", "/v1/models-x", "other", ENDPOINT_UNMETERED},
        {DIALECT_OPENAI, "DELETE", "/v1/models/ft:mine", "other", ENDPOINT_UNMETERED},
        {DIALECT_OPENAI, "POST", "/v1/models", "other", ENDPOINT_UNMETERED},
        {DIALECT_OPENAI, "POST", "/v1/rerank", "other", ENDPOINT_UNMETERED},
        {DIALECT_OPENAI, "GET", "/", "other", ENDPOINT_UNMETERED},
        {DIALECT_ANTHROPIC, "POST", "/v1/messages", "messages", ENDPOINT_METERED},
        {DIALECT_ANTHROPIC, "POST", "/v1/messages/count_tokens", "count_tokens", ENDPOINT_COUNTING},
        {DIALECT_ANTHROPIC, "POST", "/v1/messages/batches", "batches", ENDPOINT_METERED},
        {DIALECT_ANTHROPIC, "GET", "/v1/messages/batches/b_1/results", "batch.results", ENDPOINT_JOB},
        {DIALECT_ANTHROPIC, "GET", "/v1/models/claude", "models", ENDPOINT_FREE},
        {DIALECT_ANTHROPIC, "GET", "/v1/messages", "other", ENDPOINT_UNMETERED},
        {DIALECT_GEMINI, "GET", "/v1beta/models", "models", ENDPOINT_FREE},
        {DIALECT_GEMINI, "GET", "/v1beta/models/gemini-2.5-pro", "models", ENDPOINT_FREE},
        {DIALECT_GEMINI, "POST", "/v1beta/models/gemini-2.5-pro:generateContent", "generateContent", ENDPOINT_METERED},
        {DIALECT_GEMINI, "POST", "/v1beta/models/g:streamGenerateContent", "streamGenerateContent", ENDPOINT_METERED},
        {DIALECT_GEMINI, "POST", "/v1beta/models/g", "other", ENDPOINT_UNMETERED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct endpoint *endpoint =
            dialect_of(rows[i].dialect)->find_endpoint(slice_of(rows[i].method), slice_of(rows[i].path));
        EXPECT(endpoint->kind == rows[i].kind, "%s %s: kind %d", rows[i].method, rows[i].path, endpoint->kind);
        EXPECT_STRING(endpoint->name, rows[i].name);
    }
}

/* ---- requests ---- */

static enum error read_body(enum dialect_kind kind, const char *body, struct arena *arena, struct request_facts *facts,
                            const char **problem)
{
    *problem = "";
    const struct dialect_request request = {.body = slice_of(body), .depth_max = 128};
    return dialect_of(kind)->read_request(endpoint_of(kind), &request, arena, facts, problem);
}

#define MESSAGES "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

TEST(requests_are_read)
{
    struct arena *arena = arena_new(1024);
    struct request_facts facts;
    const char *problem;
    const char *body =
        " {\"model\":\"gpt\\u002d4o\"," MESSAGES ",\"stream\":true,\"stream_options\":{\"include_usage\":true},"
        "\"n\":3,\"max_tokens\":77,\"tools\":[{}]}";
    CU_ASSERT(read_body(DIALECT_OPENAI, body, arena, &facts, &problem) == ERROR_OK);
    EXPECT_STRING(facts.model, "gpt-4o");
    CU_ASSERT(facts.is_streaming && facts.asks_usage && facts.has_tools);
    EXPECT_INTEGER(facts.choices, 3);
    EXPECT_INTEGER(facts.output_tokens_max, 77);
    EXPECT_STRING(facts.output_max_member, "max_tokens");
    EXPECT_INTEGER(facts.text_bytes, strlen(body));
    EXPECT_INTEGER(facts.object_open, 2);
    CU_ASSERT(strncmp(body + facts.model_value.offset, "\"gpt\\u002d4o\"", facts.model_value.length) == 0);

    CU_ASSERT(read_body(DIALECT_OPENAI,
                        "{\"model\":\"m\"," MESSAGES ",\"stream\":null,\"n\":null,\"max_tokens\":null,"
                        "\"tools\":null,\"stream_options\":null}",
                        arena, &facts, &problem) == ERROR_OK);
    CU_ASSERT(!facts.is_streaming && !facts.asks_usage && !facts.has_tools && facts.choices == 1);
    EXPECT_INTEGER(facts.output_tokens_max, -1);
    CU_ASSERT(facts.output_max_value.length == 4 && facts.stream_options_value.length == 4);

    CU_ASSERT(read_body(DIALECT_OPENAI,
                        "{\"model\":\"m\"," MESSAGES ",\"max_tokens\":null,\"max_completion_tokens\":5}", arena, &facts,
                        &problem) == ERROR_OK);
    EXPECT_STRING(facts.output_max_member, "max_completion_tokens");
    EXPECT_INTEGER(facts.output_tokens_max, 5);
    CU_ASSERT(read_body(DIALECT_OPENAI,
                        "{\"model\":\"m\"," MESSAGES ",\"max_tokens\":6,\"max_completion_tokens\":null}", arena, &facts,
                        &problem) == ERROR_OK);
    EXPECT_STRING(facts.output_max_member, "max_tokens");
    EXPECT_INTEGER(facts.output_tokens_max, 6);

    CU_ASSERT(read_body(DIALECT_ANTHROPIC, "{\"max_tokens\":10,\"model\":\"claude\"," MESSAGES ",\"tools\":[]}", arena,
                        &facts, &problem) == ERROR_OK);
    CU_ASSERT(!facts.has_tools && facts.output_tokens_max == 10);
    EXPECT_STRING(facts.output_max_member, "max_tokens");
    arena_free(arena);
}

TEST(requests_are_refused_in_the_providers_words)
{
    static const struct {
        enum dialect_kind dialect;
        enum error error;
        const char *body, *problem; /* what the text must contain */
    } rows[] = {
        {DIALECT_OPENAI, ERROR_BODY_MALFORMED, "", "a value is missing (at byte 0"},
        {DIALECT_OPENAI, ERROR_BODY_MALFORMED, "{\"model\":\"m\"", "an object does not end (at byte 12"},
        {DIALECT_OPENAI, ERROR_BODY_MALFORMED, "{\"model\":\"m\",\"model\":\"n\"," MESSAGES "}", "same name"},
        {DIALECT_OPENAI, ERROR_BODY_MALFORMED, "{\"model\":\"\xff\"}", "invalid UTF-8 (at byte 10"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "[]", "no JSON object"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "{}", "you must provide a model parameter"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "{" MESSAGES "}", "you must provide a model parameter"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "{\"model\":null," MESSAGES "}", "you must provide a model parameter"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "{\"model\":7," MESSAGES "}", "'model'"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "{\"model\":\"\"," MESSAGES "}", "'model'"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "{\"model\":\"a\\u0000\"," MESSAGES "}", "'model'"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "{\"model\":\"m\"}", "Missing required parameter: 'messages'."},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "{\"model\":\"m\",\"messages\":{}}", "'messages'"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "{\"model\":\"m\",\"messages\":\"hi\"}", "'messages'"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "{\"model\":\"m\"," MESSAGES ",\"stream\":\"true\"}", "'stream'"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "{\"model\":\"m\"," MESSAGES ",\"stream\":1}", "'stream'"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "{\"model\":\"m\"," MESSAGES ",\"n\":0}", "'n'"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "{\"model\":\"m\"," MESSAGES ",\"n\":1.5}", "'n'"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "{\"model\":\"m\"," MESSAGES ",\"max_tokens\":0}", "'max_tokens'"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "{\"model\":\"m\"," MESSAGES ",\"max_tokens\":-5}", "'max_tokens'"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "{\"model\":\"m\"," MESSAGES ",\"max_tokens\":\"5\"}", "'max_tokens'"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "{\"model\":\"m\"," MESSAGES ",\"max_tokens\":99999999999999999999}",
         "'max_tokens'"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "{\"model\":\"m\"," MESSAGES ",\"max_completion_tokens\":[]}",
         "'max_completion_tokens'"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE,
         "{\"model\":\"m\"," MESSAGES ",\"max_tokens\":5,\"max_completion_tokens\":5}", "at the same time"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "{\"model\":\"m\"," MESSAGES ",\"stream_options\":true}",
         "'stream_options'"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE,
         "{\"model\":\"m\"," MESSAGES ",\"stream_options\":{\"include_usage\":1}}", "'stream_options.include_usage'"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, "{\"model\":\"m\"," MESSAGES ",\"tools\":{}}", "'tools'"},
        {DIALECT_ANTHROPIC, ERROR_BODY_INCOMPLETE, "{\"model\":\"m\"," MESSAGES "}", "max_tokens: Field required"},
        {DIALECT_ANTHROPIC, ERROR_BODY_INCOMPLETE, "{\"model\":\"m\"," MESSAGES ",\"max_tokens\":null}",
         "max_tokens: Field required"},
        {DIALECT_ANTHROPIC, ERROR_BODY_INCOMPLETE, "{\"model\":\"m\"," MESSAGES ",\"max_tokens\":1e3}",
         "max_tokens: Input should be a valid integer"},
        {DIALECT_ANTHROPIC, ERROR_BODY_INCOMPLETE, "{\"model\":\"m\",\"max_tokens\":5}", "messages: Field required"},
        {DIALECT_ANTHROPIC, ERROR_BODY_INCOMPLETE, "{\"max_tokens\":5," MESSAGES "}", "model: Field required"},
        {DIALECT_ANTHROPIC, ERROR_BODY_MALFORMED, "{\"model\":}", "a value is missing"},
    };
    struct arena *arena = arena_new(1024);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts = {.choices = 99};
        const char *problem;
        enum error error = read_body(rows[i].dialect, rows[i].body, arena, &facts, &problem);
        EXPECT(error == rows[i].error, "%s: error %d", rows[i].body, error);
        EXPECT(strstr(problem, rows[i].problem), "%s: \"%s\"", rows[i].body, problem);
        EXPECT(facts.choices == 99, "%s: facts touched", rows[i].body);
    }
    char model[300] = "{" MESSAGES ",\"model\":\"";
    size_t start = strlen(model);
    memset(model + start, 'm', 127);
    strcpy(model + start + 127, "\"}");
    struct request_facts facts;
    const char *problem;
    CU_ASSERT(read_body(DIALECT_OPENAI, model, arena, &facts, &problem) == ERROR_OK && strlen(facts.model) == 127);
    strcpy(model + start + 127, "m\"}");
    CU_ASSERT(read_body(DIALECT_OPENAI, model, arena, &facts, &problem) == ERROR_BODY_INCOMPLETE);
    arena_free(arena);
}

TEST(requests_are_edited_by_splices)
{
#define NONE                                                                                                           \
    {                                                                                                                  \
        NULL, false, -1                                                                                                \
    }
    static const struct {
        enum dialect_kind dialect;
        struct request_edits edits;
        const char *body, *edited; /* NULL: the same slice */
    } rows[] = {
        {DIALECT_OPENAI, NONE, "{\"model\":\"m\"," MESSAGES "}", NULL},
        {DIALECT_OPENAI, {"m", false, -1}, "{\"model\":\"m\"," MESSAGES "}", NULL},
        {DIALECT_OPENAI,
         {"n\"1", false, -1},
         "{ \"model\" : \"m\" ," MESSAGES "}",
         "{ \"model\" : \"n\\\"1\" ," MESSAGES "}"},
        {DIALECT_OPENAI,
         {"longer", false, -1},
         "{" MESSAGES ",\"model\":\"m\"}",
         "{" MESSAGES ",\"model\":\"longer\"}"},
        /* usage */
        {DIALECT_OPENAI, {NULL, true, -1}, "{\"model\":\"m\"," MESSAGES "}", NULL}, /* no stream */
        {DIALECT_OPENAI,
         {NULL, true, -1},
         "{\"model\":\"m\"," MESSAGES ",\"stream\":true}",
         "{\"stream_options\":{\"include_usage\":true},\"model\":\"m\"," MESSAGES ",\"stream\":true}"},
        {DIALECT_OPENAI,
         {NULL, true, -1},
         "{\"model\":\"m\"," MESSAGES ",\"stream\":true,\"stream_options\":{}}",
         "{\"model\":\"m\"," MESSAGES ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}"},
        {DIALECT_OPENAI,
         {NULL, true, -1},
         "{\"model\":\"m\"," MESSAGES ",\"stream\":true,\"stream_options\":{ \n}}",
         "{\"model\":\"m\"," MESSAGES ",\"stream\":true,\"stream_options\":{\"include_usage\":true \n}}"},
        {DIALECT_OPENAI,
         {NULL, true, -1},
         "{\"model\":\"m\"," MESSAGES ",\"stream\":true,\"stream_options\":{\"x\":1}}",
         "{\"model\":\"m\"," MESSAGES ",\"stream\":true,\"stream_options\":{\"include_usage\":true,\"x\":1}}"},
        {DIALECT_OPENAI,
         {NULL, true, -1},
         "{\"stream_options\":{\"x\":1,\"include_usage\": false },\"model\":\"m\"," MESSAGES ",\"stream\":true}",
         "{\"stream_options\":{\"x\":1,\"include_usage\": true },\"model\":\"m\"," MESSAGES ",\"stream\":true}"},
        {DIALECT_OPENAI,
         {NULL, true, -1},
         "{\"stream_options\":{\"include_usage\":null},\"model\":\"m\"," MESSAGES ",\"stream\":true}",
         "{\"stream_options\":{\"include_usage\":true},\"model\":\"m\"," MESSAGES ",\"stream\":true}"},
        {DIALECT_OPENAI,
         {NULL, true, -1},
         "{\"stream_options\":null,\"model\":\"m\"," MESSAGES ",\"stream\":true}",
         "{\"stream_options\":{\"include_usage\":true},\"model\":\"m\"," MESSAGES ",\"stream\":true}"},
        {DIALECT_OPENAI,
         {NULL, true, -1},
         "{\"stream_options\":{\"include_usage\":true},\"model\":\"m\"," MESSAGES ",\"stream\":true}",
         NULL},
        /* the output's bound */
        {DIALECT_OPENAI,
         {NULL, false, 50},
         "{\"model\":\"m\"," MESSAGES "}",
         "{\"max_completion_tokens\":50,\"model\":\"m\"," MESSAGES "}"},
        {DIALECT_OPENAI,
         {NULL, false, 50},
         "{\"model\":\"m\"," MESSAGES ",\"max_tokens\":100}",
         "{\"model\":\"m\"," MESSAGES ",\"max_tokens\":50}"},
        {DIALECT_OPENAI, {NULL, false, 50}, "{\"model\":\"m\"," MESSAGES ",\"max_tokens\":50}", NULL},
        {DIALECT_OPENAI, {NULL, false, 50}, "{\"model\":\"m\"," MESSAGES ",\"max_tokens\":7}", NULL},
        {DIALECT_OPENAI,
         {NULL, false, 50},
         "{\"model\":\"m\"," MESSAGES ",\"max_tokens\":null}",
         "{\"model\":\"m\"," MESSAGES ",\"max_tokens\":50}"},
        {DIALECT_OPENAI,
         {NULL, false, 50},
         "{\"max_completion_tokens\":51,\"model\":\"m\"," MESSAGES "}",
         "{\"max_completion_tokens\":50,\"model\":\"m\"," MESSAGES "}"},
        {DIALECT_ANTHROPIC,
         {"claude-b", true, 5},
         "{\"max_tokens\":1000,\"model\":\"claude-a\"," MESSAGES ",\"stream\":true}",
         "{\"max_tokens\":5,\"model\":\"claude-b\"," MESSAGES ",\"stream\":true}"},
        /* all at once, insertions at one place */
        {DIALECT_OPENAI,
         {"n", true, 9},
         "\n{\"stream\":true," MESSAGES ",\"model\":\"m\"}\n",
         "\n{\"stream_options\":{\"include_usage\":true},\"max_completion_tokens\":9,\"stream\":true," MESSAGES
         ",\"model\":\"n\"}\n"},
    };
    struct arena *arena = arena_new(4096);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts;
        const char *problem;
        struct slice body = slice_of(rows[i].body);
        CU_ASSERT(read_body(rows[i].dialect, rows[i].body, arena, &facts, &problem) == ERROR_OK);
        struct slice edited = dialect_of(rows[i].dialect)
                                  ->edit_request(endpoint_of(rows[i].dialect), body, &facts, &rows[i].edits, arena);
        EXPECT((edited.data == body.data) == (rows[i].edited == NULL), "row %zu: copied or not", i);
        EXPECT(slice_is(edited, rows[i].edited ? rows[i].edited : rows[i].body), "row %zu: " SLICE_FORMAT, i,
               SLICE_ARGUMENTS(edited));
        EXPECT(json_scan(edited, 64, NULL, 0, NULL) == ERROR_OK, "row %zu is no JSON any more", i);
    }
    arena_free(arena);
}

/* ---- metering ---- */

struct document_row {
    const char *document, *wanted;
};

static void expect_documents(enum dialect_kind kind, const struct document_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char label[64];
        snprintf(label, sizeof label, "document %zu", i);
        const struct answer answer = {.kind = kind, .endpoint = endpoint_of(kind), .hides = i % 2};
        expect_metered(label, &answer, slice_of(rows[i].document), rows[i].wanted, rows[i].document);
    }
}

#define CHAT(usage)                                                                                                    \
    "{\"id\":\"c\",\"model\":\"gpt-4o\",\"choices\":[{\"message\":{\"content\":\"hello there\"}}]" usage "}"
#define U(...) CHAT(",\"usage\":{" __VA_ARGS__ "}")
#define SEEN   " whole model=gpt-4o"

TEST(openai_documents)
{
    static const struct document_row rows[] = {
        {U("\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15"),
         "provider in=10 read=0 write=0 write_1h=0 audio=0 out=5 out_audio=0" SEEN},
        /* the vector of the design: 2600 = 2000 fresh + 400 read + 200 written */
        {U("\"prompt_tokens\":2600,\"completion_tokens\":300,\"total_tokens\":2900,\"prompt_tokens_details\":{"
           "\"cached_tokens\":400,\"cache_write_tokens\":200}"),
         "provider in=2000 read=400 write=200 write_1h=0 audio=0 out=300 out_audio=0" SEEN},
        {U("\"prompt_tokens\":2600,\"completion_tokens\":300,\"prompt_tokens_details\":{\"cached_tokens\":2600}"),
         "provider in=0 read=2600 write=0 write_1h=0 audio=0 out=300 out_audio=0" SEEN},
        {U("\"prompt_tokens\":100,\"completion_tokens\":60,\"prompt_tokens_details\":{\"audio_tokens\":70,\"cached_"
           "tokens\":0},"
           "\"completion_tokens_details\":{\"audio_tokens\":45,\"reasoning_tokens\":0}"),
         "provider in=30 read=0 write=0 write_1h=0 audio=70 out=15 out_audio=45" SEEN},
        {U("\"prompt_tokens\":10,\"completion_tokens\":1000,\"total_tokens\":1010,\"completion_tokens_details\":{"
           "\"reasoning_tokens\":900,\"accepted_prediction_tokens\":3,\"rejected_prediction_tokens\":7}"),
         "provider in=10 read=0 write=0 write_1h=0 audio=0 out=1000 out_audio=0" SEEN},
        {U("\"prompt_tokens\":10,\"completion_tokens\":20,\"total_tokens\":130,\"completion_tokens_details\":{"
           "\"reasoning_tokens\":100}"),
         "provider in=10 read=0 write=0 write_1h=0 audio=0 out=120 out_audio=0" SEEN},
        {U("\"prompt_tokens\":10,\"completion_tokens\":20,\"total_tokens\":999,\"completion_tokens_details\":{"
           "\"reasoning_tokens\":100}"),
         "provider in=10 read=0 write=0 write_1h=0 audio=0 out=20 out_audio=0" SEEN},
        {U("\"prompt_tokens\":0,\"completion_tokens\":0,\"total_tokens\":0"),
         "provider in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0" SEEN},
        {U("\"prompt_tokens\":7,\"total_tokens\":7"),
         "provider in=7 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0" SEEN},
        {U("\"prompt_tokens\":9,\"completion_tokens\":1,\"prompt_tokens_details\":null,\"completion_tokens_details\":"
           "null"),
         "provider in=9 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0" SEEN},
        {U("\"prompt_tokens\":9,\"completion_tokens\":1,\"prompt_tokens_details\":{\"cached_tokens\":null}"),
         "provider in=9 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0" SEEN},
        {U("\"prompt_tokens\":9,\"completion_tokens\":1,\"prompt_cache_hit_tokens\":4,\"prompt_cache_miss_tokens\":5"),
         "provider in=5 read=4 write=0 write_1h=0 audio=0 out=1 out_audio=0" SEEN},
        {U("\"prompt_tokens\":9,\"completion_tokens\":1,\"prompt_cache_hit_tokens\":4,\"prompt_tokens_details\":{"
           "\"cached_tokens\":3}"),
         "provider in=6 read=3 write=0 write_1h=0 audio=0 out=1 out_audio=0" SEEN},
        /* parts that exceed the whole never wrap */
        {U("\"prompt_tokens\":10,\"completion_tokens\":5,\"prompt_tokens_details\":{\"cached_tokens\":50,"
           "\"cache_write_tokens\":3,\"audio_tokens\":2},\"completion_tokens_details\":{\"audio_tokens\":9}"),
         "provider in=0 read=10 write=0 write_1h=0 audio=0 out=0 out_audio=5" SEEN},
        {U("\"prompt_tokens\":4294967296,\"completion_tokens\":9007199254740993"),
         "provider in=4294967296 read=0 write=0 write_1h=0 audio=0 out=9007199254740993 out_audio=0" SEEN},
        {"{\"service_tier\":\"flex\",\"usage\":{\"completion_tokens\":2,\"prompt_tokens\":1},\"model\":\"m\"}",
         "provider in=1 read=0 write=0 write_1h=0 audio=0 out=2 out_audio=0 whole model=m tier=flex"},
        {"{\"service_tier\":null,\"usage\":{\"completion_tokens\":2,\"prompt_tokens\":1},\"error\":null}",
         "provider in=1 read=0 write=0 write_1h=0 audio=0 out=2 out_audio=0 whole"},
        /* no usage, or none that can be read: 401 bytes asked, 11 bytes of text */
        {CHAT(""), "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0" SEEN},
        {CHAT(",\"usage\":null"), "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0" SEEN},
        {CHAT(",\"usage\":{}"), "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0" SEEN},
        {CHAT(",\"usage\":7"), "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0" SEEN},
        {U("\"prompt_tokens\":-1,\"completion_tokens\":1.5"),
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0" SEEN},
        {"{\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"{"
         "\\\"a\\\":1}\"}}]}}]}",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0 whole"},
        {"{\"choices\":[{\"message\":{\"content\":\"\"}}]}",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=10 out_audio=0 whole"},
        /* a text that speaks of usage is text */
        {"{\"choices\":[{\"message\":{\"content\":\"\\\"usage\\\":{\\\"prompt_tokens\\\":1,\\\"completion_tokens\\\":1}"
         "\"}}]}",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=14 out_audio=0 whole"},
        {"{\"choices\":[{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1},\"text\":\"x\"}],\"usage\":{\"prompt_"
         "tokens\":8,"
         "\"completion_tokens\":9}}",
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0 whole"},
        /* broken as a whole, but billed: half a surrogate pair, invalid UTF-8, a repeated member, a cut */
        {"{\"choices\":[{\"message\":{\"content\":\"a\\ud83d\"}}],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":"
         "9}}",
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0"},
        {"{\"choices\":[{\"message\":{\"content\":\"\xff\xfe\"}}],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":"
         "9}}",
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0"},
        {"{\"id\":1,\"id\":2,\"usage\": {\"prompt_tokens\":8,\"completion_tokens\":9,\"x\":\"}\"}}",
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0"},
        {"{\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":9},\"choices\":[{\"message\":{\"content\":\"cut he",
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0"},
        {"{\"choices\":[{\"message\":{\"content\":\"cut here, and no",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=4 "
         "out_audio=0"},
        {"<html>Bad gateway, with a body of 44 bytes</html>",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=13 out_audio=0"},
        {"{\"error\":{\"message\":\"no\",\"type\":\"server_error\"}}",
         "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole error"},
        {"", "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0"},
    };
    expect_documents(DIALECT_OPENAI, rows, sizeof rows / sizeof *rows);
}

#define MESSAGE(usage)                                                                                                 \
    "{\"type\":\"message\",\"model\":\"claude\",\"content\":[{\"type\":\"text\",\"text\":\"hello there\"}]" usage "}"
#define AU(...) MESSAGE(",\"usage\":{" __VA_ARGS__ "}")
#define ASEEN   " whole model=claude"

TEST(anthropic_documents)
{
    static const struct document_row rows[] = {
        {AU("\"input_tokens\":10,\"output_tokens\":5"),
         "provider in=10 read=0 write=0 write_1h=0 audio=0 out=5 out_audio=0" ASEEN},
        /* the vector of the design: 3 fresh, 12304 written, 550 out */
        {AU("\"input_tokens\":3,\"cache_creation_input_tokens\":12304,\"cache_read_input_tokens\":0,\"output_tokens\":"
            "550,"
            "\"service_tier\":\"standard\""),
         "provider in=3 read=0 write=12304 write_1h=0 audio=0 out=550 out_audio=0" ASEEN " tier=standard"},
        {AU("\"input_tokens\":3,\"cache_creation_input_tokens\":300,\"cache_read_input_tokens\":70,\"cache_creation\":{"
            "\"ephemeral_5m_input_tokens\":100,\"ephemeral_1h_input_tokens\":200},\"output_tokens\":5"),
         "provider in=3 read=70 write=100 write_1h=200 audio=0 out=5 out_audio=0" ASEEN},
        {AU("\"cache_creation\":{\"ephemeral_1h_input_tokens\":200},\"input_tokens\":3,\"output_tokens\":5"),
         "provider in=3 read=0 write=0 write_1h=200 audio=0 out=5 out_audio=0" ASEEN},
        /* a total above its split: the rest is ordinary */
        {AU("\"input_tokens\":3,\"cache_creation_input_tokens\":350,\"cache_creation\":{\"ephemeral_5m_input_tokens\":"
            "100,"
            "\"ephemeral_1h_input_tokens\":200},\"output_tokens\":5"),
         "provider in=3 read=0 write=150 write_1h=200 audio=0 out=5 out_audio=0" ASEEN},
        {AU("\"input_tokens\":3,\"cache_creation_input_tokens\":150,\"cache_creation\":{\"ephemeral_5m_input_tokens\":"
            "100,"
            "\"ephemeral_1h_input_tokens\":200},\"output_tokens\":5"),
         "provider in=3 read=0 write=0 write_1h=150 audio=0 out=5 out_audio=0" ASEEN},
        {AU("\"input_tokens\":0,\"output_tokens\":0"),
         "provider in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0" ASEEN},
        {AU("\"input_tokens\":8,\"output_tokens\":9,\"cache_read_input_tokens\":null,\"cache_creation_input_tokens\":"
            "null,"
            "\"cache_creation\":null,\"server_tool_use\":null,\"service_tier\":null"),
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0" ASEEN},
        {AU("\"input_tokens\":8,\"output_tokens\":9,\"server_tool_use\":{\"web_search_requests\":1},\"service_tier\":"
            "\"batch\""),
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0 calls=1" ASEEN " tier=batch"},
        {MESSAGE(""), "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0" ASEEN},
        {MESSAGE(",\"usage\":null"), "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0" ASEEN},
        {AU("\"input_tokens\":8"), "estimated in=8 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0" ASEEN},
        {"{\"type\":\"message\",\"content\":[{\"text\":\"\\udc00\"}],\"usage\":{\"input_tokens\":8,\"output_tokens\":9}"
         "}",
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0"},
        {"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
         "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole error"},
    };
    expect_documents(DIALECT_ANTHROPIC, rows, sizeof rows / sizeof *rows);
}

struct stream_row {
    bool hides;
    const char *stream, *wanted, *seen; /* NULL: the same bytes */
};

static void expect_streams(enum dialect_kind kind, const struct stream_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char label[64];
        snprintf(label, sizeof label, "stream %zu", i);
        const struct answer answer = {
            .kind = kind, .endpoint = endpoint_of(kind), .is_stream = true, .hides = rows[i].hides};
        expect_metered(label, &answer, slice_of(rows[i].stream), rows[i].wanted,
                       rows[i].seen ? rows[i].seen : rows[i].stream);
    }
}

#define HEAD        "{\"id\":\"c\",\"model\":\"gpt-4o\",\"choices\":["
#define DELTA(text) HEAD "{\"index\":0,\"delta\":{\"content\":\"" text "\"}}]"
#define USAGE                                                                                                          \
    "\"usage\":{\"prompt_tokens\":2600,\"completion_tokens\":7,\"total_tokens\":2607,\"prompt_tokens_details\":{"      \
    "\"cached_tokens\":400,\"cache_write_tokens\":200}}"
#define METERED "provider in=2000 read=400 write=200 write_1h=0 audio=0 out=7 out_audio=0"

TEST(openai_streams)
{
    static const struct stream_row rows[] = {
        /* asked by the client: nothing changes */
        {false,
         "data: " DELTA("") ",\"usage\":null}\n\ndata: " DELTA("Hel") ",\"usage\":null}\n\ndata: " DELTA(
             "lo") ",\"usage\":null}\n\n"
                   "data: " HEAD "]," USAGE ",\"service_tier\":\"priority\"}\n\ndata: [DONE]\n\n",
         METERED " whole model=gpt-4o tier=priority", NULL},
        /* injected: the last chunk and the null members are hidden */
        {true,
         "data: " DELTA("") ",\"usage\":null}\n\ndata: " DELTA("Hel") ",\"usage\":null}\n\ndata: " HEAD "]," USAGE
                                                                      "}\n\ndata: [DONE]\n\n",
         METERED " whole model=gpt-4o", "data: " DELTA("") "}\n\ndata: " DELTA("Hel") "}\n\ndata: [DONE]\n\n"},
        /* CRLF, comments, no space after the colon */
        {true,
         ": hello\r\n\r\ndata:" DELTA("x") ",\"usage\":null}\r\n\r\ndata: {\"choices\":[ ]," USAGE
                                           "}\r\n\r\n: ping\r\n\r\ndata: [DONE]\r\n\r\n",
         METERED " whole model=gpt-4o",
         ": hello\r\n\r\ndata:" DELTA("x") "}\r\n\r\n: ping\r\n\r\ndata: [DONE]\r\n\r\n"},
        /* the member first, in the middle, alone, with spaces */
        {true,
         "data: {\"usage\":null,\"choices\":[{\"index\":0}]}\n\ndata: {\"a\":1, \"usage\" : null , \"choices\":[1]}\n\n"
         "data: {\"usage\":null}\n\ndata: {\"a\":1 , \"usage\":null }\n\ndata: {" USAGE "}\n\n",
         METERED,
         "data: {\"choices\":[{\"index\":0}]}\n\ndata: {\"a\":1,  \"choices\":[1]}\n\ndata: {}\n\ndata: {\"a\":1  "
         "}\n\n"},
        /* usage in the last chunk that has content (some backends): the member goes, the chunk stays */
        {true, "data: {\"choices\":[{\"delta\":{\"content\":\"end\"}}]," USAGE ",\"x\":1}\n\ndata: [DONE]\n\n",
         METERED " whole", "data: {\"choices\":[{\"delta\":{\"content\":\"end\"}}],\"x\":1}\n\ndata: [DONE]\n\n"},
        /* no choices, but usage null: Azure's first chunk */
        {true,
         "data: {\"choices\":[],\"prompt_filter_results\":[],\"usage\":null}\n\ndata: {\"choices\":[]," USAGE "}\n\n",
         METERED, "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n"},
        /* cumulative in every chunk: the last wins */
        {false,
         "data: "
         "{\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":1}}\n\n"
         "data: "
         "{\"choices\":[{\"delta\":{\"content\":\"b\"}}],\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":2}}\n\n"
         "data: [DONE]\n\n",
         "provider in=2 read=0 write=0 write_1h=0 audio=0 out=2 out_audio=0 whole", NULL},
        /* several data lines, an event name, CR line ends */
        {true, "event: e\ndata: {\"choices\":[1],\ndata: \"usage\":null,\ndata: \"b\":2}\n\n",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0",
         "event: e\ndata: {\"choices\":[1],\ndata: \ndata: \"b\":2}\n\n"},
        {true, "data: {\"choices\":[],\rdata: " USAGE "}\r\rdata: [DONE]\r\r", METERED " whole", "data: [DONE]\r\r"},
        /* the stream lacks its last blank line */
        {true, "data: {\"choices\":[1],\"usage\":null}\n\ndata: {\"choices\":[]," USAGE "}", METERED,
         "data: {\"choices\":[1]}\n\n"},
        {false, "data: {\"choices\":[]," USAGE "}\n\ndata: [DONE]", METERED " whole", NULL},
        {true, "data: {\"choices\":[],\"usage\":null}\n\ndata: [DONE]\n",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0 whole",
         "data: {\"choices\":[]}\n\ndata: [DONE]\n"},
        /* no usage at all: a token per event at least, four bytes a token else */
        {false,
         "data: " DELTA("") "}\n\ndata: " DELTA("a") "}\n\ndata: " DELTA("b") "}\n\ndata: " DELTA(
             "c") "}\n\ndata: [DONE]\n\n",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0 whole", NULL},
        {true, "data: " DELTA("twenty bytes of text") "}\n\ndata: [DONE]\n\n",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=5 out_audio=0 whole", NULL},
        {false,
         "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"arguments\":\"{\\\"city\\\": "
         "1}\"}}]}}]}\n\n",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=4 out_audio=0", NULL},
        {false, "data: {\"choices\":[{\"delta\":{\"reasoning_content\" : \"12345678\"}}]}\n\n",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=2 out_audio=0", NULL},
        {false, ": ping\n\n", "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0", NULL},
        /* text that speaks of usage stays as it is */
        {true, "data: " DELTA("\\\"usage\\\":null") "}\n\ndata: {\"choices\":[]," USAGE "}\n\n", METERED,
         "data: " DELTA("\\\"usage\\\":null") "}\n\n"},
        {true, "data: {\"choices\":[{\"usage\":null}]}\n\ndata: {\"choices\":[]," USAGE "}\n\n", METERED,
         "data: {\"choices\":[{\"usage\":null}]}\n\n"},
        /* errors and rubbish pass on */
        {true, "data: {\"error\":{\"message\":\"boom\"}}\n\n",
         "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 error", NULL},
        {true, "data: " DELTA("1234567") "}\n\ndata: {\"error\":{\"message\":\"boom\"}}\n\n",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=2 out_audio=0 error", NULL},
        {true, "data: {\"usage\":{\"prompt_tok\n\ndata: \xff\"usage\"\n\ngarbage\n\n{}\n\n",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0", NULL},
        {true, "data: {\"x\":\"\\ud83d\",\"choices\":[1]," USAGE "}\n\n", METERED, NULL},
        {true,
         "data: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"prompt_tokens\":1},\"choices\":[1]}\n\n",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0", NULL},
    };
    expect_streams(DIALECT_OPENAI, rows, sizeof rows / sizeof *rows);
}

#define EVENT(name, ...) "event: " name "\ndata: {\"type\":\"" name "\"" __VA_ARGS__ "}\n\n"
#define START(...)                                                                                                     \
    EVENT("message_start",                                                                                             \
          ",\"message\":{\"id\":\"m\",\"model\":\"claude\",\"content\":[],\"usage\":{" __VA_ARGS__ "}}")
#define TEXT(text)                                                                                                     \
    EVENT("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" text "\"}")
#define STOP     EVENT("message_stop")
#define END(...) EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{" __VA_ARGS__ "}")

TEST(anthropic_streams)
{
    static const struct stream_row rows[] = {
        {false,
         START("\"input_tokens\":3,\"cache_creation_input_tokens\":12304,\"cache_read_input_tokens\":0,\"output_"
               "tokens\":1,"
               "\"service_tier\":\"standard\"") EVENT("ping") TEXT("Hel") TEXT("lo") END("\"output_tokens\":550") STOP,
         "provider in=3 read=0 write=12304 write_1h=0 audio=0 out=550 out_audio=0 whole model=claude tier=standard "
         "id=m",
         NULL},
        /* cumulative: overwritten, never added */
        {false,
         START("\"input_tokens\":10,\"output_tokens\":1") TEXT("a") END("\"output_tokens\":20")
             END("\"output_tokens\":50") STOP,
         "provider in=10 read=0 write=0 write_1h=0 audio=0 out=50 out_audio=0 whole model=claude id=m", NULL},
        {false,
         START("\"input_tokens\":10,\"cache_read_input_tokens\":5,\"output_tokens\":1") END(
             "\"input_tokens\":12,\"cache_read_input_tokens\":6,\"cache_creation_input_tokens\":0,\"output_tokens\":7")
             STOP,
         "provider in=12 read=6 write=0 write_1h=0 audio=0 out=7 out_audio=0 whole model=claude id=m", NULL},
        /* the input comes only at the end */
        {false,
         START("\"input_tokens\":0,\"output_tokens\":0") TEXT("a")
             END("\"input_tokens\":40,\"cache_creation_input_tokens\":30,\"cache_creation\":{\"ephemeral_5m_input_"
                 "tokens\":10,"
                 "\"ephemeral_1h_input_tokens\":20},\"output_tokens\":7") STOP,
         "provider in=40 read=0 write=10 write_1h=20 audio=0 out=7 out_audio=0 whole model=claude id=m", NULL},
        /* a total in message_delta that repeats the split of message_start */
        {false,
         START("\"input_tokens\":4,\"cache_creation_input_tokens\":30,\"cache_creation\":{\"ephemeral_5m_input_"
               "tokens\":10,"
               "\"ephemeral_1h_input_tokens\":20},\"output_tokens\":1")
             END("\"cache_creation_input_tokens\":30,\"output_tokens\":7") STOP,
         "provider in=4 read=0 write=10 write_1h=20 audio=0 out=7 out_audio=0 whole model=claude id=m", NULL},
        {false, START("\"input_tokens\":4,\"output_tokens\":1") END("\"input_tokens\":null,\"output_tokens\":0") STOP,
         "provider in=4 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole model=claude id=m", NULL},
        /* cut before message_delta: the input is known, the output estimated, never below what was said */
        {false, START("\"input_tokens\":10,\"output_tokens\":1") TEXT("twelve bytes") TEXT("x"),
         "estimated in=10 read=0 write=0 write_1h=0 audio=0 out=4 out_audio=0 model=claude id=m", NULL},
        {false, START("\"input_tokens\":10,\"output_tokens\":9") TEXT("x"),
         "estimated in=10 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0 model=claude id=m", NULL},
        {false, START("\"input_tokens\":0,\"output_tokens\":0") TEXT("x"),
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0 model=claude id=m", NULL},
        {false, TEXT("abc") TEXT("d") STOP,
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=2 out_audio=0 whole", NULL},
        {false,
         EVENT("content_block_delta", ",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\":\"}")
             EVENT("content_block_delta", ",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hmm, hm\"}"),
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=4 out_audio=0", NULL},
        /* a text that quotes the terminal event does not end the stream */
        {false, TEXT("message_stop") TEXT("{\\\"type\\\":\\\"message_stop\\\"}") TEXT("event: error"),
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=13 out_audio=0", NULL},
        {false, EVENT("error", ",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}"),
         "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 error", NULL},
        {false,
         START("\"input_tokens\":10,\"output_tokens\":1") EVENT("error", ",\"error\":{\"type\":\"overloaded_error\"}"),
         "estimated in=10 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0 error model=claude id=m", NULL},
        /* CRLF, and an unterminated end */
        {false,
         "event: message_start\r\ndata: "
         "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":6}}}\r\n\r\n"
         "data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":3}}\r\n\r\nevent: message_stop\r\ndata: "
         "{\"type\":\"message_stop\"}",
         "provider in=6 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0 whole", NULL},
    };
    expect_streams(DIALECT_ANTHROPIC, rows, sizeof rows / sizeof *rows);
}

TEST(meter_of_what_is_not_metered_only_passes_bytes)
{
    static const struct endpoint free_endpoint = {.name = "models", .kind = ENDPOINT_FREE};
    const char *text = "data: {\"choices\":[]," USAGE "}\n\n";
    for (int kind = 0; kind < DIALECT_COUNT; kind++) {
        struct meter meter;
        struct usage usage = {.input = 9};
        struct buffer out;
        buffer_init(&out, 4096);
        meter_init(&meter, dialect_of((enum dialect_kind)kind), &free_endpoint, kind % 2, true, 100, 100);
        CU_ASSERT(meter_feed(&meter, slice_of(text), &out) && meter_finish(&meter, &out));
        CU_ASSERT(meter_result(&meter, &(struct request_facts){.text_bytes = 1000}, &usage) == USAGE_NONE &&
                  usage.input == 0);
        CU_ASSERT(slice_is(buffer_contents(&out), text));
        meter_done(&meter);
        buffer_done(&out);
    }
}

/* A stream whose size no buffer may hold: hundreds of events, one of them large. */
TEST(meter_long_streams)
{
    struct buffer stream, seen;
    char *filler = malloc(60001);
    memset(filler, 'y', 60000);
    filler[60000] = '\0';
    buffer_init(&stream, 1 << 20);
    buffer_init(&seen, 1 << 20);
    for (int i = 0; i < 300; i++) {
        const char *text = i == 150 ? filler : "abcd";
        CU_ASSERT(buffer_append_format(
            &stream, "data: {\"choices\":[{\"delta\":{\"content\":\"%s\"}}],\"usage\":null}\n\n", text));
        CU_ASSERT(buffer_append_format(&seen, "data: {\"choices\":[{\"delta\":{\"content\":\"%s\"}}]}\n\n", text));
    }
    CU_ASSERT(buffer_append(&stream, SLICE_LITERAL("data: {\"choices\":[]," USAGE "}\n\ndata: [DONE]\n\n")));
    CU_ASSERT(buffer_append(&seen, SLICE_LITERAL("data: [DONE]\n\n\0")));
    const struct answer answer = {
        .kind = DIALECT_OPENAI, .endpoint = endpoint_of(DIALECT_OPENAI), .is_stream = true, .hides = true};
    expect_metered("long stream", &answer, buffer_contents(&stream), METERED " whole", buffer_contents(&seen).data);
    buffer_done(&stream);
    buffer_done(&seen);
    free(filler);
}

TEST(meter_bounds)
{
    struct meter meter;
    struct usage usage;
    struct buffer out;
    char large[400];
    snprintf(large, sizeof large, "data: {\"choices\":[{\"delta\":{\"content\":\"%0200d\"}}]," USAGE "}\n\n", 0);
    /* an event past the bound: passed on unread when nothing is hidden, else the stream must end */
    for (int hides = 0; hides < 2; hides++) {
        buffer_init(&out, 4096);
        meter_init(&meter, dialect_of(DIALECT_OPENAI), endpoint_of(DIALECT_OPENAI), true, hides, 100, 100);
        CU_ASSERT(meter_feed(&meter, slice_of(large), &out) == !hides);
        CU_ASSERT(hides || slice_is(buffer_contents(&out), large));
        CU_ASSERT(meter_result(&meter, &(struct request_facts){.text_bytes = 8}, &usage) == USAGE_ESTIMATED &&
                  usage.output > 0 && usage.input == 2);
        meter_done(&meter);
        buffer_done(&out);
    }
    /* a full `out` */
    for (int hides = 0; hides < 2; hides++) {
        buffer_init(&out, 100);
        meter_init(&meter, dialect_of(DIALECT_OPENAI), endpoint_of(DIALECT_OPENAI), true, hides, 1000, 1000);
        CU_ASSERT(!meter_feed(&meter, slice_of(large), &out));
        CU_ASSERT(meter_result(&meter, &(struct request_facts){.text_bytes = 8}, &usage) ==
                  USAGE_PROVIDER); /* metered all the same */
        meter_done(&meter);
        buffer_done(&out);
    }
    /* a document past the bound is only counted: a quarter of its bytes */
    buffer_init(&out, 4096);
    meter_init(&meter, dialect_of(DIALECT_OPENAI), endpoint_of(DIALECT_OPENAI), false, false, 100, 100);
    for (int i = 0; i < 4; i++)
        CU_ASSERT(meter_feed(&meter, (struct slice){large, 50}, &out));
    CU_ASSERT(meter_finish(&meter, &out) && buffer_length(&out) == 200 && meter.document.data == NULL);
    CU_ASSERT(meter_result(&meter, &(struct request_facts){.text_bytes = 8}, &usage) == USAGE_ESTIMATED &&
              usage.output == 50);
    meter_done(&meter);
    buffer_done(&out);
}

/* Whatever an upstream sends: cut otherwise, it is metered the same, and the client sees the same. */
TEST(meter_of_damaged_answers_does_not_depend_on_cuts)
{
    static const char *const seeds[] = {
        "data: " DELTA("a") ",\"usage\":null}\n\ndata: " HEAD "]," USAGE "}\n\ndata: [DONE]\n\n",
        "data: " DELTA("a") ",\"usage\":null}\r\n\r\ndata: " HEAD "]," USAGE "}\r\n\r\ndata: [DONE]\r\n\r\n",
        START("\"input_tokens\":4,\"output_tokens\":1") TEXT("x") END("\"output_tokens\":5") STOP,
        "data: {\"choices\":[1],\rdata: \"usage\":null}\r\rdata: {" USAGE ",\"choices\":[{}]}\r\r",
    };
#ifdef TOLLGATE_SANITIZED
    const int rounds = 4000;
#else
    const int rounds = 40000;
#endif
    for (int round = 0; round < rounds; round++) {
        char bytes[2048];
        const char *seed = seeds[random_below(4)];
        size_t length = strlen(seed);
        memcpy(bytes, seed, length);
        for (size_t changes = random_below(5); changes; changes--)
            length = damage(bytes, length);
        enum dialect_kind kind = random_below(2) ? DIALECT_OPENAI : DIALECT_ANTHROPIC;
        bool is_stream = random_below(4) > 0, hides = kind == DIALECT_OPENAI && random_below(2);
        struct slice sent = {bytes, length};
        const struct answer answer = {
            .kind = kind, .endpoint = endpoint_of(kind), .is_stream = is_stream, .hides = hides};
        struct result whole = meter_run(&answer, sent, length, length);
        struct result pieces = meter_run(&answer, sent, 1 + random_below(length), 1 + random_below(9));
        EXPECT(strcmp(whole.text, pieces.text) == 0 &&
                   slice_is_equal(buffer_contents(&whole.out), buffer_contents(&pieces.out)),
               "round %d: %s / %s", round, whole.text, pieces.text);
        CU_ASSERT(hides || slice_is_equal(buffer_contents(&whole.out), sent));
        buffer_done(&whole.out);
        buffer_done(&pieces.out);
    }
}

/* ---- errors ---- */

TEST(errors_have_the_providers_shape)
{
    static const struct {
        enum dialect_kind dialect;
        enum error error;
        int status;
        const char *type, *code; /* code NULL: not looked at */
    } rows[] = {
        {DIALECT_OPENAI, ERROR_WALLET_EXHAUSTED, 429, "insufficient_quota", "project_spend_limit_exceeded"},
        {DIALECT_OPENAI, ERROR_MODEL_DENIED, 403, "permission_error", "model_denied"},
        {DIALECT_OPENAI, ERROR_MODEL_UNLISTED, 403, "permission_error", "model_unlisted"},
        {DIALECT_OPENAI, ERROR_ENDPOINT_BLOCKED, 403, "permission_error", "endpoint_blocked"},
        {DIALECT_OPENAI, ERROR_KEY_REFUSED, 403, "permission_error", "key_refused"},
        {DIALECT_OPENAI, ERROR_KEY_INVALID, 401, "authentication_error", "invalid_api_key"},
        {DIALECT_OPENAI, ERROR_PRICE_UNKNOWN, 403, "permission_error", "price_unknown"},
        {DIALECT_OPENAI, ERROR_BODY_MALFORMED, 400, "invalid_request_error", "body_malformed"},
        {DIALECT_OPENAI, ERROR_BODY_INCOMPLETE, 400, "invalid_request_error", "body_incomplete"},
        {DIALECT_OPENAI, ERROR_HTTP_BODY_TOO_LARGE, 413, "invalid_request_error", NULL},
        {DIALECT_OPENAI, ERROR_NO_TRANSLATION, 422, "invalid_request_error", "no_translation"},
        {DIALECT_OPENAI, ERROR_HTTP_UPGRADE, 426, "invalid_request_error", NULL},
        {DIALECT_OPENAI, ERROR_NO_TARGET, 503, "service_unavailable_error", "no_target"},
        {DIALECT_OPENAI, ERROR_UPSTREAM_CONNECT, 502, "upstream_error", NULL},
        {DIALECT_OPENAI, ERROR_INTERNAL, 500, "server_error", "internal"},
        {DIALECT_OPENAI, ERROR_CLIENT_GONE, 500, "server_error", NULL},
        {DIALECT_ANTHROPIC, ERROR_WALLET_EXHAUSTED, 402, "billing_error", NULL},
        {DIALECT_ANTHROPIC, ERROR_MODEL_DENIED, 403, "permission_error", NULL},
        {DIALECT_ANTHROPIC, ERROR_KEY_INVALID, 401, "authentication_error", NULL},
        {DIALECT_ANTHROPIC, ERROR_BODY_MALFORMED, 400, "invalid_request_error", NULL},
        {DIALECT_ANTHROPIC, ERROR_BODY_INCOMPLETE, 400, "invalid_request_error", NULL},
        {DIALECT_ANTHROPIC, ERROR_HTTP_BODY_TOO_LARGE, 413, "request_too_large", NULL},
        {DIALECT_ANTHROPIC, ERROR_NO_TRANSLATION, 422, "invalid_request_error", NULL},
        {DIALECT_ANTHROPIC, ERROR_NO_TARGET, 503, "overloaded_error", NULL},
        {DIALECT_ANTHROPIC, ERROR_OVERLOADED, 503, "overloaded_error", NULL},
        {DIALECT_ANTHROPIC, ERROR_UPSTREAM_TIMEOUT, 504, "timeout_error", NULL},
        {DIALECT_ANTHROPIC, ERROR_INTERNAL, 500, "api_error", NULL},
        {DIALECT_ANTHROPIC, ERROR_NOT_FOUND, 404, "not_found_error", NULL},
        {DIALECT_GEMINI, ERROR_WALLET_EXHAUSTED, 429, "RESOURCE_EXHAUSTED", NULL},
        {DIALECT_GEMINI, ERROR_MODEL_DENIED, 403, "PERMISSION_DENIED", NULL},
        {DIALECT_GEMINI, ERROR_NO_TRANSLATION, 422, "INVALID_ARGUMENT", NULL},
        {DIALECT_GEMINI, ERROR_NO_TARGET, 503, "UNAVAILABLE", NULL},
        {DIALECT_GEMINI, ERROR_BODY_MALFORMED, 400, "INVALID_ARGUMENT", NULL},
    };
    const char *message = "wallet \"team-a\" is empty\n(tollgate why 7)";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer body;
        buffer_init(&body, ERROR_BYTES_MAX);
        int status = dialect_of(rows[i].dialect)->write_error(rows[i].error, message, "req_1", &body);
        json_t *json = json_loadb(buffer_contents(&body).data, buffer_length(&body), 0, NULL);
        json_t *error = json_object_get(json, "error");
        const char *type =
            json_string_value(json_object_get(error, rows[i].dialect == DIALECT_GEMINI ? "status" : "type"));
        const char *code = json_string_value(json_object_get(error, "code"));
        EXPECT(status == rows[i].status, "row %zu: status %d", i, status);
        EXPECT_STRING(type, rows[i].type);
        EXPECT_STRING(json_string_value(json_object_get(error, "message")), message);
        if (rows[i].code)
            EXPECT_STRING(code, rows[i].code);
        if (rows[i].dialect == DIALECT_OPENAI)
            CU_ASSERT(code && json_is_null(json_object_get(error, "param")));
        if (rows[i].dialect == DIALECT_ANTHROPIC) {
            EXPECT_STRING(json_string_value(json_object_get(json, "type")), "error");
            EXPECT_STRING(json_string_value(json_object_get(json, "request_id")), "req_1");
            const char *reason = json_string_value(json_object_get(json_object_get(error, "details"), "error_code"));
            EXPECT_STRING(reason ? reason : "", rows[i].status == 422 ? "thread_unsupported_request" : "");
        }
        if (rows[i].dialect == DIALECT_GEMINI)
            EXPECT_INTEGER(json_integer_value(json_object_get(error, "code")), rows[i].status);
        json_decref(json);
        buffer_done(&body);
    }
}

/* Every error in every dialect: valid JSON, a status that no SDK repeats unless its row says so. */
TEST(errors_are_complete_and_final)
{
    char message[9000];
    memset(message, '\x01', sizeof message - 1); /* the costliest text: six bytes each */
    message[sizeof message - 1] = '\0';
    for (int kind = 0; kind < DIALECT_COUNT; kind++) {
        for (int error = ERROR_OK + 1; error < ERROR_COUNT; error++) {
            const struct dialect *dialect = dialect_of((enum dialect_kind)kind);
            const struct error_row *row = error_row((enum error)error);
            struct buffer body, frame;
            buffer_init(&body, ERROR_BYTES_MAX);
            buffer_init(&frame, ERROR_BYTES_MAX);
            int status = dialect->write_error((enum error)error, message, NULL, &body);
            EXPECT(json_scan(buffer_contents(&body), 8, NULL, 0, NULL) == ERROR_OK, "%s %s", dialect->name, row->name);
            EXPECT(status == row->status || row->status == 0 || row->fault == FAULT_WALLET, "%s %s: %d", dialect->name,
                   row->name, status);
            bool is_refusal = row->fault == FAULT_POLICY || row->fault == FAULT_WALLET;
            EXPECT(!is_refusal || row->status == 0 || row->status >= 500 ||
                       (status >= 400 && status < 500 && status != 408 && status != 409),
                   "%s %s: %d", dialect->name, row->name, status);
            dialect->write_stream_error((enum error)error, "cut", &frame);
            struct slice name, data;
            struct arena *arena = arena_new(256);
            sse_parse_event(buffer_contents(&frame), arena, &name, &data);
            EXPECT(json_scan(data, 8, NULL, 0, NULL) == ERROR_OK && memmem(data.data, data.length, "\"cut\"", 5),
                   "%s %s", dialect->name, row->name);
            EXPECT(slice_is(name, kind == DIALECT_ANTHROPIC ? "error" : ""), "%s", dialect->name);
            arena_free(arena);
            buffer_done(&body);
            buffer_done(&frame);
        }
    }
}

TEST(stream_errors_end_a_stream)
{
    struct buffer out;
    buffer_init(&out, 1024);
    dialect_of(DIALECT_OPENAI)->write_stream_error(ERROR_UPSTREAM_CUT, "cut", &out);
    CU_ASSERT(slice_is(buffer_contents(&out),
                       "\n\ndata: {\"error\":{\"message\":\"cut\",\"type\":\"upstream_error\",\"param\":null,"
                       "\"code\":\"upstream_cut\"}}\n\n"));
    buffer_reset(&out, 1024);
    dialect_of(DIALECT_ANTHROPIC)->write_stream_error(ERROR_UPSTREAM_CUT, "cut", &out);
    CU_ASSERT(slice_is(
        buffer_contents(&out),
        "\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"cut\"}}\n\n"));
    buffer_done(&out);
    buffer_init(&out, 10);
    for (int kind = 0; kind < DIALECT_COUNT; kind++)
        dialect_of((enum dialect_kind)kind)->write_stream_error(ERROR_UPSTREAM_CUT, "cut", &out);
    EXPECT_INTEGER(buffer_length(&out), 0);
    buffer_done(&out);
}
