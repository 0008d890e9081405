/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests as forms: transcriptions, image edits, uploads for batches. What two readers could take differently is
 * refused; nothing costs more than a pass over the bytes.
 */
#include "dialect/internal.h"
#include "dialect_answers.h"

#include <time.h>

#define TYPE                     "multipart/form-data; boundary=B0"
#define PART(disposition, value) "--B0\r\nContent-Disposition: form-data; " disposition "\r\n\r\n" value "\r\n"
#define FIELD(name, value)       PART("name=\"" name "\"", value)
#define FILE_PART(value)                                                                                               \
    "--B0\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: "                      \
    "audio/wav\r\n\r\n" value "\r\n"
#define END "--B0--\r\n"

static const struct endpoint *find(const char *path)
{
    return dialect_of(DIALECT_OPENAI)->find_endpoint(SLICE_LITERAL("POST"), slice_of(path));
}

static enum error read_bytes(const char *path, const char *type, struct slice body, struct arena *arena,
                             struct request_facts *facts, const char **problem)
{
    char *copy = malloc(body.length + 1); /* exactly as long: ASan sees reads past the end */
    memcpy(copy, body.data, body.length);
    char *exact = realloc(copy, body.length ? body.length : 1);
    const struct dialect_request request = {
        .content_type = slice_of(type), .body = {exact, body.length}, .depth_max = 128};
    *problem = "";
    enum error error = dialect_of(DIALECT_OPENAI)->read_request(find(path), &request, arena, facts, problem);
    free(exact);
    return error;
}

static enum error read_form(const char *path, const char *type, const char *body, struct arena *arena,
                            struct request_facts *facts, const char **problem)
{
    return read_bytes(path, type, slice_of(body), arena, facts, problem);
}

TEST(forms_are_read)
{
    struct arena *arena = arena_new(1024);
    struct request_facts facts;
    const char *problem;
    /* 1,500 bytes of audio are two seconds at most, and what is begun */
    char body[4096] = FIELD("model", "whisper-1") FIELD("stream", "true") FIELD(
        "response_format", "srt") "--B0\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n";
    size_t length = strlen(body);
    memset(body + length, 'x', 15000 < sizeof body ? 15000 : 1500);
    strcpy(body + length + 1500, "\r\n" END);
    CU_ASSERT(read_form("/audio/transcriptions", TYPE, body, arena, &facts, &problem) == ERROR_OK);
    EXPECT_STRING(facts.model, "whisper-1");
    CU_ASSERT(facts.is_form && facts.is_streaming && facts.has_no_limit && !facts.refers_outside);
    EXPECT_INTEGER(facts.units.seconds, 10); /* the least that some bill */
    CU_ASSERT(read_form("/audio/transcriptions", TYPE, FIELD("model", "whisper-1") FIELD("url", "https://x/a.mp3") END,
                        arena, &facts, &problem) == ERROR_OK);
    EXPECT_INTEGER(facts.units.seconds, 14400);
    CU_ASSERT(read_form("/audio/transcriptions", TYPE, FIELD("model", "whisper-1") FIELD("file", "https://x/a.mp3") END,
                        arena, &facts, &problem) == ERROR_OK);
    EXPECT_INTEGER(facts.units.seconds, 14401);
    CU_ASSERT(read_form("/audio/transcriptions", TYPE, body, arena, &facts, &problem) == ERROR_OK);
    EXPECT_INTEGER(facts.text_bytes, 0);
    CU_ASSERT(strncmp(body + facts.model_value.offset, "whisper-1", facts.model_value.length) == 0);

    CU_ASSERT(read_form("/audio/transcriptions", TYPE,
                        FIELD("model", "gpt-4o-transcribe") FIELD("prompt", "ten bytes.") FILE_PART("x") END, arena,
                        &facts, &problem) == ERROR_OK);
    EXPECT_INTEGER(facts.units.seconds, 0);
    EXPECT_INTEGER(facts.text_bytes, 17 + 10 + 50); /* the fields, and a second */

    CU_ASSERT(read_form("/images/edits", "Multipart/Form-Data; charset=utf-8; Boundary=\"B0\"",
                        FIELD("model", "gpt-image-1") FIELD("n", "3") FIELD("quality", "low")
                            PART("name=\"image[]\"; filename=\"a\"", "\x89PNG")
                                PART("name=\"image[]\"; filename=\"b\"", "") "--B0--",
                        arena, &facts, &problem) == ERROR_OK);
    EXPECT_INTEGER(facts.choices, 3);
    EXPECT_INTEGER(facts.output_tokens_max, 844);
    EXPECT_INTEGER(facts.text_bytes, 11 + 1 + 3 + 2 * 8192);
    CU_ASSERT(read_form("/images/variations", TYPE, FIELD("n", "2") FIELD("size", "256x256") END, arena, &facts,
                        &problem) == ERROR_OK);
    EXPECT_STRING(facts.model, "dall-e-2");
    EXPECT_STRING(facts.price_variant, "256x256/standard");
    EXPECT_INTEGER(facts.units.images, 2);
    arena_free(arena);
}

TEST(forms_that_could_be_read_otherwise_are_refused)
{
    static const struct {
        const char *type, *body, *problem;
    } rows[] = {
        {"multipart/form-data", FIELD("model", "m") END, "boundary is missing"},
        {"multipart/form-data; boundary=", FIELD("model", "m") END, "boundary is missing"},
        {"multipart/form-data; boundary=\"B0", FIELD("model", "m") END, "does not end"},
        {"multipart/form-data; boundary=\"B0\" x", FIELD("model", "m") END, "something else"},
        {"multipart/form-data; boundary=B0; boundary=B1", FIELD("model", "m") END, "two boundaries"},
        {"multipart/form-data; boundary=\"B 0\"", "", "invalid"},
        {"multipart/form-data; "
         "boundary=0123456789012345678901234567890123456789012345678901234567890123456789x",
         "", "invalid"},
        {"multipart/form-data; boundary", FIELD("model", "m") END, "no value"},
        {TYPE, "", "begin with its boundary"},
        {TYPE, "preamble\r\n" FIELD("model", "m") END, "begin with its boundary"},
        {TYPE, "\r\n" FIELD("model", "m") END, "begin with its boundary"},
        {TYPE, FIELD("model", "m"), "does not end"},
        {TYPE, FIELD("model", "m") "--B0", "follows its boundary"},
        {TYPE, FIELD("model", "m") "--B0-", "follows its boundary"},
        {TYPE, FIELD("model", "m") END "epilogue", "follows its boundary"},
        {TYPE, FIELD("model", "m") "--B0--\n", "follows its boundary"},
        {TYPE, FIELD("model", "m") "--B0 \r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nv\r\n" END,
         "follows its boundary"},
        {TYPE, "--B0\nContent-Disposition: form-data; name=\"model\"\n\nm\n--B0--", "follows its boundary"},
        {TYPE, FIELD("model", "m") FILE_PART("a--B0b") END, "inside a part"},
        {TYPE, FIELD("model", "m") FILE_PART("a\n--B0\r\n") END, "inside a part"},
        {TYPE, FIELD("model", "m") FILE_PART("a\r\n--B0x") END, "follows its boundary"},
        {TYPE, FIELD("model", "m") "--B0\r\n\r\nno head\r\n" END, "head is missing"},
        {TYPE, FIELD("model", "m") "--B0\r\nContent-Type: text/plain\r\n\r\nv\r\n" END, "no name"},
        {TYPE, FIELD("model", "m") "--B0\r\nContent-Disposition: form-data; name=\"x\"\r\n" END, "head is missing"},
        {TYPE, PART("name=\"model\"; name=\"x\"", "m") END, "two names"},
        {TYPE, PART("name=\"x\"; name*=UTF-8''model", "m") END, "two names"},
        {TYPE, PART("name=\"mod\\el\"", "m") END, "backslash"},
        {TYPE, PART("name=\"x\"; filename=\"\\\"; name=\"model\"", "m") END, "backslash"},
        {TYPE, PART("name=\"model", "m") END, "does not end"},
        {TYPE, PART("name=\"\"", "m") END, "no name"},
        {TYPE, PART("name", "m") END, "no value"},
        {TYPE, "--B0\r\nContent-Disposition: attachment; name=\"model\"\r\n\r\nm\r\n" END, "no form-data"},
        {TYPE,
         "--B0\r\nContent-Disposition: form-data; name=\"x\"\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n"
         "m\r\n" END,
         "no form-data"},
        {TYPE, "--B0\r\nContent-Disposition : form-data; name=\"model\"\r\n\r\nm\r\n" END, "before its colon"},
        {TYPE, "--B0\r\nContent-Disposition: form-data;\r\n x=\"y\"\r\n\r\nm\r\n" END, "no name"},
        {TYPE, "--B0\r\nContent-Disposition: form-data; name=\"mo\ndel\"\r\n\r\nm\r\n" END, "control character"},
        {TYPE, "--B0\r\n folded: x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n" END, "folded"},
        {TYPE, "--B0\r\nContent-Disposition: form-data; name=\"model\"\r\n ; name=\"x\"\r\n\r\nm\r\n" END, "folded"},
        {TYPE, "--B0\r\nno colon\r\n\r\nm\r\n" END, "no colon"},
        {TYPE,
         "--B0\r\nContent-Disposition: form-data; name=\"model\"\r\nContent-Transfer-Encoding: "
         "base64\r\n\r\nbQ==\r\n" END,
         "encoded"},
        /* of our own members: once, a text, a value */
        {TYPE, FILE_PART("x") END, "you must provide a model parameter"},
        {TYPE, FIELD("model", "m") FIELD("model", "n") END, "'model'"},
        {TYPE, FIELD("model", "") END, "'model'"},
        {TYPE, PART("name=\"model\"; filename=\"f\"", "m") END, "'model'"},
        {TYPE, FIELD("model", "m") FIELD("stream", "maybe") END, "'stream'"},
    };
    struct arena *arena = arena_new(1024);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts = {.choices = 99};
        const char *problem;
        enum error error = read_form("/audio/transcriptions", rows[i].type, rows[i].body, arena, &facts, &problem);
        EXPECT(error == ERROR_BODY_MALFORMED || error == ERROR_BODY_INCOMPLETE, "row %zu: error %d", i, error);
        EXPECT(strstr(problem, rows[i].problem), "row %zu: \"%s\" is not about \"%s\"", i, problem, rows[i].problem);
        EXPECT(facts.choices == 99, "row %zu: facts touched", i);
    }
    /* other readers of other endpoints: n is a number, a form is no JSON */
    struct request_facts facts;
    const char *problem;
    CU_ASSERT(read_form("/images/edits", TYPE, FIELD("model", "m") FIELD("n", "0x2") END, arena, &facts, &problem) ==
              ERROR_BODY_INCOMPLETE);
    CU_ASSERT(read_form("/images/edits", TYPE, FIELD("n", "99999999999999999999") END, arena, &facts, &problem) ==
              ERROR_BODY_INCOMPLETE);
    CU_ASSERT(read_form("/chat/completions", TYPE, FIELD("model", "m") END, arena, &facts, &problem) ==
              ERROR_BODY_MALFORMED);
    CU_ASSERT(read_form("/audio/transcriptions", "multipart/mixed; boundary=B0", FIELD("model", "m") END, arena, &facts,
                        &problem) == ERROR_BODY_MALFORMED);
    arena_free(arena);
}

TEST(forms_get_another_model)
{
    static const struct {
        const char *path, *model, *body, *edited; /* NULL: the same slice */
    } rows[] = {
        {"/audio/transcriptions", "other-1", FIELD("model", "whisper-1") FILE_PART("x") END,
         FIELD("model", "other-1") FILE_PART("x") END},
        {"/audio/transcriptions", "w", FILE_PART("--B") FIELD("model", "whisper-1") "--B0--",
         FILE_PART("--B") FIELD("model", "w") "--B0--"},
        {"/audio/transcriptions", "whisper-1", FIELD("model", "whisper-1") END, NULL},
        {"/audio/transcriptions", "a\r\n--B0--", FIELD("model", "whisper-1") END, NULL},
        {"/images/edits", "gpt-image-1", FILE_PART("x") END, FIELD("model", "gpt-image-1") FILE_PART("x") END},
        {"/images/edits", "dall-e-2", FILE_PART("x") END, NULL},
    };
    struct arena *arena = arena_new(1024);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts, again;
        const char *problem;
        struct slice body = slice_of(rows[i].body);
        const struct request_edits edits = {rows[i].model, true, 7};
        EXPECT(read_form(rows[i].path, TYPE, rows[i].body, arena, &facts, &problem) == ERROR_OK, "row %zu: %s", i,
               problem);
        struct slice edited = dialect_of(DIALECT_OPENAI)->edit_request(find(rows[i].path), body, &facts, &edits, arena);
        EXPECT((edited.data == body.data) == (rows[i].edited == NULL), "row %zu: copied or not", i);
        EXPECT(slice_is(edited, rows[i].edited ? rows[i].edited : rows[i].body), "row %zu: " SLICE_FORMAT, i,
               SLICE_ARGUMENTS(edited));
        EXPECT(read_bytes(rows[i].path, TYPE, edited, arena, &again, &problem) == ERROR_OK, "row %zu: %s", i, problem);
    }
    arena_free(arena);
}

/* ---- uploads ---- */

#define LINE(url, body)        "{\"custom_id\":\"1\",\"method\":\"POST\",\"url\":\"" url "\",\"body\":{" body "}}"
#define CHAT(body)             LINE("/v1/chat/completions", "\"messages\":[]," body)
#define UPLOAD(purpose, lines) FIELD("purpose", purpose) PART("name=\"file\"; filename=\"a.jsonl\"", lines) END

TEST(uploads_for_batches_are_bounded)
{
    static const struct {
        const char *body;
        enum error error;
        struct batch_facts batch; /* input_tokens: not compared */
        size_t input_bytes;
    } rows[] = {
        {UPLOAD("assistants", "no JSON"), ERROR_OK, {0}, 0},
        {UPLOAD("batch", ""), ERROR_OK, {0}, 0},
        {UPLOAD("batch", CHAT("\"model\":\"a\",\"max_tokens\":10,\"n\":3") "\n"),
         ERROR_OK,
         {.requests = 1, .output_tokens = 30, .limit_max = 10, .model = "a"},
         sizeof CHAT("\"model\":\"a\",\"max_tokens\":10,\"n\":3") - 1},
        {UPLOAD("batch", CHAT("\"model\":\"a\"") "\r\n\r\n" CHAT("\"model\":\"a\",\"max_completion_tokens\":7")),
         ERROR_OK,
         {.requests = 2, .output_tokens = 7, .limit_max = 7, .unlimited = 1, .model = "a"},
         sizeof CHAT("\"model\":\"a\"") - 1 + sizeof CHAT("\"model\":\"a\",\"max_completion_tokens\":7") - 1},
        {UPLOAD("batch", CHAT("\"model\":\"a\",\"n\":2") "\n" CHAT("\"model\":\"b\"") "\n"),
         ERROR_OK,
         {.requests = 2, .unlimited = 3, .model = "a", .has_models = true},
         sizeof CHAT("\"model\":\"a\",\"n\":2") - 1 + sizeof CHAT("\"model\":\"b\"") - 1},
        {UPLOAD("batch", CHAT("\"n\":2")),
         ERROR_OK,
         {.requests = 1, .unlimited = 2, .has_models = true},
         sizeof CHAT("\"n\":2") - 1},
        {UPLOAD("batch", LINE("/v1/embeddings", "\"model\":\"e\",\"input\":\"x\"")),
         ERROR_OK,
         {.requests = 1, .model = "e"},
         sizeof LINE("/v1/embeddings", "\"model\":\"e\",\"input\":\"x\"") - 1},
        {UPLOAD("batch", LINE("/v1/responses", "\"model\":\"a\",\"max_output_tokens\":5,\"input\":[{\"image_url\":"
                                               "\"x\"}]")),
         ERROR_OK,
         {.requests = 1, .output_tokens = 5, .limit_max = 5, .has_outside = true, .outside = 1, .model = "a"},
         0},
        {UPLOAD("batch", LINE("/v1/responses", "\"model\":\"a\",\"input\":[{\"id\":\"msg_1\"}]")),
         ERROR_OK,
         {.requests = 1, .unlimited = 1, .has_outside = true, .outside = 1, .model = "a"},
         0},
        {UPLOAD(
             "batch",
             LINE("/v1/responses", "\"model\":\"a\",\"max_tool_calls\":3,\"tools\":[{\"type\":\"shell\"}]") "\n" CHAT(
                 "\"model\":\"a\",\"n\":2,\"web_search_options\":{}")),
         ERROR_OK,
         {.requests = 2, .unlimited = 3, .tool_calls = 5, .has_outside = true, .outside = 2, .model = "a"},
         0},
        /* no batch says what was drawn */
        {UPLOAD("batch", LINE("/v1/responses", "\"model\":\"a\",\"tools\":[{\"type\":\"image_generation\"}]")),
         ERROR_BODY_INCOMPLETE,
         {0},
         0},
        {UPLOAD("batch",
                LINE("/v1/responses", "\"model\":\"a\",\"tools\":[{\"type\":\"image_generation\",\"model\":\"\"}]")),
         ERROR_BODY_INCOMPLETE,
         {0},
         0},
        {UPLOAD("batch", LINE("/v1/responses", "\"model\":\"a\",\"previous_response_id\":\"resp_1\"")),
         ERROR_OK,
         {.requests = 1, .unlimited = 1, .has_outside = true, .outside = 1, .model = "a"},
         0},
        {UPLOAD("batch",
                LINE("/v1/completions", "\"model\":\"a\",\"max_tokens\":2,\"prompt\":[\"x\",\"y\"],\"best_of\":"
                                        "3")),
         ERROR_OK,
         {.requests = 1, .output_tokens = 12, .limit_max = 2, .model = "a"},
         sizeof LINE("/v1/completions", "\"model\":\"a\",\"max_tokens\":2,\"prompt\":[\"x\",\"y\"],\"best_of\":3") - 1},
        {UPLOAD("batch", CHAT("\"model\":\"a\",\"max_tokens\":9223372036854775807,\"n\":9223372036854775807")),
         ERROR_OK,
         {.requests = 1, .output_tokens = UINT64_MAX, .limit_max = INT64_MAX, .model = "a"},
         sizeof CHAT("\"model\":\"a\",\"max_tokens\":9223372036854775807,\"n\":9223372036854775807") - 1},
        {UPLOAD("batch", "{}"), ERROR_OK, {.requests = 1, .unlimited = 1, .has_models = true}, 2},
        {UPLOAD("batch", CHAT("\"model\":\"a\"") "\n{\"body\":\n"), ERROR_BODY_MALFORMED, {0}, 0},
        {FIELD("purpose", "batch") END, ERROR_BODY_INCOMPLETE, {0}, 0},
        {FIELD("purpose", "batch") FIELD("file", "x") END, ERROR_BODY_INCOMPLETE, {0}, 0},
        {FIELD("purpose", "batch") FILE_PART("{}") FILE_PART("{}") END, ERROR_BODY_INCOMPLETE, {0}, 0},
    };
    struct arena *arena = arena_new(1024);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts = {0};
        const char *problem;
        const struct batch_facts *batch = &facts.batch, *wanted = &rows[i].batch;
        enum error error = read_form("/v1/files", TYPE, rows[i].body, arena, &facts, &problem);
        EXPECT(error == rows[i].error, "row %zu: error %d, \"%s\"", i, error, problem);
        EXPECT(batch->requests == wanted->requests && batch->output_tokens == wanted->output_tokens &&
                   batch->unlimited == wanted->unlimited && batch->limit_max == wanted->limit_max &&
                   batch->tool_calls == wanted->tool_calls && batch->outside == wanted->outside &&
                   batch->has_outside == wanted->has_outside && batch->has_models == wanted->has_models,
               "row %zu: %llu requests, %llu output, %llu unlimited, %llu outside", i,
               (unsigned long long)batch->requests, (unsigned long long)batch->output_tokens,
               (unsigned long long)batch->unlimited, (unsigned long long)batch->outside);
        EXPECT_STRING(batch->model, wanted->model);
        EXPECT_INTEGER(batch->input_tokens, rows[i].input_bytes);
    }
    /* no form: nothing is looked at */
    struct request_facts facts;
    const char *problem;
    CU_ASSERT(read_form("/v1/files", "application/octet-stream", "\x01\x02", arena, &facts, &problem) == ERROR_OK);
    CU_ASSERT(facts.batch.requests == 0);
    arena_free(arena);
}

/* ---- bounds ---- */

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

TEST(forms_are_bounded)
{
    struct arena *arena = arena_new(1024);
    struct request_facts facts;
    struct buffer body;
    const char *problem;
    /* too many parts */
    buffer_init(&body, 1 << 20);
    CU_ASSERT(buffer_append(&body, SLICE_LITERAL(FIELD("model", "m"))));
    for (int i = 0; i < 63; i++)
        CU_ASSERT(buffer_append(&body, SLICE_LITERAL(FIELD("x", "y"))));
    size_t length = buffer_length(&body);
    CU_ASSERT(buffer_append(&body, SLICE_LITERAL(END)));
    CU_ASSERT(read_bytes("/audio/transcriptions", TYPE, buffer_contents(&body), arena, &facts, &problem) == ERROR_OK);
    body.end = body.start + length;
    CU_ASSERT(buffer_append(&body, SLICE_LITERAL(FIELD("x", "y") END)));
    CU_ASSERT(read_bytes("/audio/transcriptions", TYPE, buffer_contents(&body), arena, &facts, &problem) ==
              ERROR_BODY_MALFORMED);
    EXPECT(strstr(problem, "too many parts"), "%s", problem);
    buffer_done(&body);
    /* 10 MB: of what nearly is the boundary, and of empty parts' beginnings */
    static const char *const fillers[] = {"\r\n--B", "\r\n\r\n", "--B1", "\"name=\"", "\xff"};
    for (size_t i = 0; i < sizeof fillers / sizeof *fillers; i++) {
        buffer_init(&body, 11 << 20);
        CU_ASSERT(buffer_append(
            &body, SLICE_LITERAL(FIELD("model", "whisper-1") "--B0\r\nContent-Disposition: form-data; name=\"file\"; "
                                                             "filename=\"a\"\r\n\r\n")));
        while (buffer_length(&body) < 10 << 20)
            CU_ASSERT(buffer_append(&body, slice_of(fillers[i])));
        CU_ASSERT(buffer_append(&body, SLICE_LITERAL("\r\n" END)));
        double start = seconds_now();
        EXPECT(read_bytes("/audio/transcriptions", TYPE, buffer_contents(&body), arena, &facts, &problem) == ERROR_OK,
               "%s: %s", fillers[i], problem);
        EXPECT(seconds_now() - start < 2, "%s: takes %f s", fillers[i], seconds_now() - start);
        EXPECT(facts.units.seconds > (10 << 20) / 750 - 2, "%llu seconds", (unsigned long long)facts.units.seconds);
        buffer_done(&body);
    }
    arena_free(arena);
}

/* ---- recordings ---- */

static uint64_t bound_of(const struct buffer *file)
{
    /* A copy of its own size, so that reading past the end is seen by ASan. */
    struct slice contents = buffer_contents(file);
    char *exact = malloc(contents.length + 1);
    memcpy(exact, contents.data, contents.length);
    uint64_t seconds = recording_bound_seconds((struct slice){exact, contents.length});
    free(exact);
    return seconds;
}

static void put_number(struct buffer *buffer, uint64_t number, unsigned bytes)
{
    for (; bytes > 0; bytes--, number >>= 8)
        CU_ASSERT(buffer_append(buffer, (struct slice){(char[]){(char)number}, 1}));
}

static void put_wave(struct buffer *file, struct slice before, unsigned tag, unsigned channels, uint64_t rate,
                     unsigned bits, size_t samples_bytes)
{
    buffer_init(file, 1 << 24);
    CU_ASSERT(buffer_append(file, SLICE_LITERAL("RIFF\x01\0\0\0WAVE")) && buffer_append(file, before));
    CU_ASSERT(buffer_append(file, SLICE_LITERAL("fmt \x10\0\0\0")));
    put_number(file, tag, 2);
    put_number(file, channels, 2);
    put_number(file, rate, 4);
    put_number(file, 0x7fffffff, 4); /* bytes a second, as it says: nobody decodes by that */
    put_number(file, 1, 2);
    put_number(file, bits, 2);
    CU_ASSERT(buffer_append(file, SLICE_LITERAL("data\x01\0\0\0")));
    for (size_t i = 0; i < samples_bytes; i += 4)
        put_number(file, 0, 4);
}

TEST(waves_are_as_long_as_their_samples)
{
    static const struct {
        const char *before;
        unsigned tag, channels;
        uint64_t rate;
        unsigned bits;
        uint64_t seconds; /* of 960,000 bytes; 0: not known, 750 bytes are one */
    } rows[] = {
        {"", 1, 1, 16000, 16, 30},
        {"", 1, 2, 48000, 16, 5},
        {"", 3, 1, 8000, 32, 30},
        {"", 1, 1, 8000, 8, 120},
        {"LIST\x04xxx", 1, 1, 16000, 16, 0}, /* no chunk of that length */
        {"JUNK\x02\x01\x01\x01", 1, 1, 16000, 16, 0},
        {"data", 1, 1, 16000, 16, 0},
        {"", 0x55, 1, 16000, 16, 0}, /* an MP3 in it */
        {"", 1, 0, 16000, 16, 0},
        {"", 1, 1, 0, 16, 0},
        {"", 1, 1, 16000, 0, 0},
        {"", 1, 1, 16000, 4, 0},
        {"", 1, 65535, 16000, 16, 0},
        {"", 1, 1, 4000000, 16, 0},
        {"", 1, 1, 100, 8, 9600},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer file;
        put_wave(&file, slice_of(rows[i].before), rows[i].tag, rows[i].channels, rows[i].rate, rows[i].bits, 960000);
        uint64_t wanted = rows[i].seconds ? rows[i].seconds : 960000 / 750, got = bound_of(&file);
        EXPECT(got >= wanted && got <= wanted + 2, "row %zu: %llu s", i, (unsigned long long)got);
        buffer_done(&file);
    }
}

TEST(of_two_formats_of_a_wave_neither_is_believed)
{
    struct buffer file;
    put_wave(&file, SLICE_LITERAL("fmt \x10\0\0\0\1\0\x20\0\0\xdc\5\0\0\0\0\0\0\1\x40\0"), 1, 1, 8000, 8, 960000);
    EXPECT(bound_of(&file) >= 960000 / 750, "%llu s", (unsigned long long)bound_of(&file));
    buffer_done(&file);
}

static void put_frames(struct buffer *file, const char head[4], size_t frame_bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t start = buffer_length(file);
        CU_ASSERT(buffer_append(file, (struct slice){head, 4}));
        while (buffer_length(file) < start + frame_bytes)
            put_number(file, 0, 1);
    }
}

TEST(mp3s_are_as_long_as_their_frames)
{
    static const struct {
        const char *before, head[4];
        size_t frame_bytes, frames, tail;
        uint64_t seconds;
    } rows[] = {
        {"", "\xff\xfb\x90", 417, 3829, 0, 100},                        /* 128 kbit/s, 44,100 Hz */
        {"", "\xff\xfb\x92", 418, 3829, 0, 100},                        /* padded */
        {"", "\xff\xf3\x84", 192, 4167, 0, 100},                        /* MPEG 2, 64 kbit/s, 24,000 Hz */
        {"", "\xff\xe3\x18", 72, 1389, 0, 100},                         /* MPEG 2.5, 8 kbit/s, 8,000 Hz */
        {"ID3\x04zz\x01\x01\x01\x01", "\xff\xfb\x90", 417, 3829, 0, 0}, /* a tag of 2 MB: not in it */
        {"ID3\x04\x01\x01\x01\x01\x01\x28", "\xff\xe3\x18", 72, 29357 + 1389, 0, 100}, /* 29,357 frames are in it */
        {"ID3\xff\xff\x01\x01\x01\x01\x28", "\xff\xe3\x18", 72, 29357 + 1389, 0, 0},   /* decoders see no tag */
        {"ID3\x04\xff\x01\x01\x01\x01\x28", "\xff\xe3\x18", 72, 29357 + 1389, 0, 0},
        {"ID3\x03\x01\x10\x01\x01\x01\x28", "\xff\xe3\x18", 72, 29357 + 1389, 0, 0},
        {"", "\xff\xfb\x90", 417, 3829, 75000, 200}, /* what is no frame counts as the thriftiest coding */
        {"", "\xff\xfb\x90", 417, 2, 0, 1},          /* two frames may be chance */
        {"", "\xff\xfd\x90", 417, 400, 0, 0},        /* layer II */
        {"", "\xff\xfb\x00", 417, 400, 0, 0},        /* of no fixed rate */
        {"", "\xff\xeb\x90", 417, 400, 0, 0},        /* of no version */
        {"x", "\xff\xfb\x90", 417, 400, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer file;
        buffer_init(&file, 1 << 24);
        CU_ASSERT(buffer_append(&file, slice_of(rows[i].before)));
        put_frames(&file, rows[i].head, rows[i].frame_bytes, rows[i].frames);
        for (size_t j = 0; j < rows[i].tail; j++)
            put_number(&file, 1, 1);
        uint64_t got = bound_of(&file), wanted = rows[i].seconds ? rows[i].seconds : buffer_length(&file) / 750;
        EXPECT(got >= wanted && got <= wanted + 2, "row %zu: %llu s, not %llu", i, (unsigned long long)got,
               (unsigned long long)wanted);
        /* cut anywhere it is never longer than the thriftiest coding, and never read past its end */
        for (size_t length = 0; length < 64; length++) {
            struct buffer cut = file;
            cut.end = cut.start + length;
            EXPECT(bound_of(&cut) <= length / 750 + 1, "row %zu cut at %zu", i, length);
        }
        buffer_done(&file);
    }
}

TEST(tags_before_an_mp3_take_no_time)
{
    struct buffer file;
    buffer_init(&file, 1 << 20);
    CU_ASSERT(buffer_append(&file, SLICE_LITERAL("ID3\x04\0\0\0\x04\0\0"))); /* 65,536 bytes */
    for (int i = 0; i < 65536; i++)
        put_number(&file, 0xff, 1);
    put_frames(&file, "\xff\xfb\x90", 417, 100);
    EXPECT_INTEGER(bound_of(&file), 3);
    buffer_done(&file);
}

TEST(between_the_frames_of_an_mp3_may_be_zeros_and_tags)
{
    struct buffer file;
    buffer_init(&file, 1 << 24);
    CU_ASSERT(buffer_append(&file, SLICE_LITERAL("ID3\4\0\0\0\0\0\2xx")));
    for (int i = 0; i < 64; i++)
        put_number(&file, 0, 1);
    put_frames(&file, "\xff\xfb\x90\x04", 417, 1); /* "Info": of another mode than what follows */
    put_frames(&file, "\xff\xfb\x90\x40", 417, 2296);
    CU_ASSERT(buffer_append(&file, SLICE_LITERAL("ID3\3\0\0\0\0\0\2xx")));
    put_frames(&file, "\xff\xfb\xa0", 522, 2297); /* another rate of bits, as files of no fixed rate have */
    uint64_t got = bound_of(&file);
    EXPECT(got >= 120 && got <= 121, "%llu s", (unsigned long long)got);
    buffer_done(&file);
}

/* Decoders follow frames that agree: others are payload, in which frames of less may be. */
TEST(frames_that_do_not_agree_are_not_believed)
{
    struct buffer file;
    buffer_init(&file, 1 << 24);
    for (int i = 0; i < 500; i++) {
        put_frames(&file, "\xff\xfb\xe8", 1440, 1); /* 320 kbit/s, 32,000 Hz */
        put_frames(&file, "\xff\xfb\xe4", 960, 1);  /* 48,000 Hz */
    }
    EXPECT(bound_of(&file) >= buffer_length(&file) / 750, "%llu s", (unsigned long long)bound_of(&file));
    buffer_done(&file);
    buffer_init(&file, 1 << 24);
    for (int i = 0; i < 300; i++) {
        put_frames(&file, "\xff\xfb\xe8", 1440, 3);
        put_number(&file, 0, 1);
    }
    EXPECT(bound_of(&file) >= buffer_length(&file) / 750, "three alone: %llu s", (unsigned long long)bound_of(&file));
    buffer_done(&file);
}

TEST(a_wave_with_frames_is_no_wave)
{
    struct buffer file;
    put_wave(&file, slice_of(""), 1, 2, 48000, 16, 4000);
    put_frames(&file, "\xff\xe3\x18", 72, 13889);
    EXPECT(bound_of(&file) >= 1000, "%llu s", (unsigned long long)bound_of(&file));
    buffer_done(&file);
    struct buffer chunk;
    buffer_init(&chunk, 1 << 24);
    CU_ASSERT(buffer_append(&chunk, SLICE_LITERAL("junk\xc8\x41\x0f\0"))); /* 999,880 bytes, which are decoded */
    put_frames(&chunk, "\xff\xe3\x18", 72, 13887);
    while (buffer_length(&chunk) < 8 + 999880)
        put_number(&chunk, 0, 1);
    put_wave(&file, buffer_contents(&chunk), 1, 2, 48000, 16, 4000);
    EXPECT(bound_of(&file) >= 999, "before them: %llu s", (unsigned long long)bound_of(&file));
    buffer_done(&chunk);
    buffer_done(&file);
}

/* Whatever is sent: a verdict, nothing read past the end (ASan), and a model that is in the body. */
TEST(damaged_forms)
{
    static const char *const seeds[] = {
        FIELD("model", "whisper-1") FIELD("stream", "true") FILE_PART("abc") END,
        FIELD("purpose", "batch") PART("name=\"file\"; filename=\"f\"", CHAT("\"model\":\"a\"") "\n") END,
        FIELD("n", "2") FIELD("size", "256x256") FILE_PART("abc") END,
    };
    static const char *const paths[] = {"/audio/transcriptions", "/files", "/images/edits"};
    struct arena *arena = arena_new(1 << 16);
    for (int round = 0; round < 20000; round++) {
        char bytes[4096];
        size_t row = random_below(3), length = strlen(seeds[row]);
        struct request_facts facts = {.model = "?"};
        const char *problem;
        memcpy(bytes, seeds[row], length);
        for (size_t changes = random_below(4); changes; changes--)
            length = damage(bytes, length);
        enum error error = read_bytes(paths[row], TYPE, (struct slice){bytes, length}, arena, &facts, &problem);
        EXPECT(error == ERROR_OK || problem[0], "round %d: no words", round);
        if (!error && facts.model_value.length)
            CU_ASSERT(memcmp(bytes + facts.model_value.offset, facts.model, facts.model_value.length) == 0);
    }
    arena_free(arena);
}
