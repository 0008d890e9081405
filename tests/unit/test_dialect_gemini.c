/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Gemini dialect: models in paths, requests in both spellings, the edits of their limit, and what answers used: as
 * documents, as server-sent events and as JSON arrays, cut at every byte.
 */
#include "dialect_plays.h"

#define PATH "/v1beta/models/gemini-2.5-flash:"

static const struct play generate = {DIALECT_GEMINI, NULL, PATH "generateContent", ""};
static const struct play stream = {DIALECT_GEMINI, NULL, PATH "streamGenerateContent", "alt=sse"};
static const struct play embed = {DIALECT_GEMINI, NULL, "/v1beta/models/gemini-embedding-001:embedContent", ""};
static const struct play batch = {DIALECT_GEMINI, NULL, "/v1beta/models/gemini-embedding-001:batchEmbedContents", ""};
static const struct play predict = {DIALECT_GEMINI, NULL, "/v1beta/models/imagen-4.0-generate-001:predict", ""};
static const struct play compatible = {DIALECT_GEMINI, NULL, "/v1beta/openai/chat/completions", ""};

/* ---- endpoints and paths ---- */

TEST(gemini_endpoints)
{
    static const struct {
        const char *method, *path, *name;
        enum endpoint_kind kind;
    } rows[] = {
        {"POST", PATH "generateContent", "generateContent", ENDPOINT_METERED},
        {"POST", "/v1/models/g:generateContent", "generateContent", ENDPOINT_METERED},
        {"POST", "/v1alpha/tunedModels/mine:generateContent", "generateContent", ENDPOINT_METERED},
        {"POST", PATH "streamGenerateContent", "streamGenerateContent", ENDPOINT_METERED},
        {"POST", PATH "embedContent", "embedContent", ENDPOINT_METERED},
        {"POST", PATH "batchEmbedContents", "batchEmbedContents", ENDPOINT_METERED},
        {"POST", PATH "predict", "predict", ENDPOINT_METERED},
        {"POST", PATH "countTokens", "countTokens", ENDPOINT_COUNTING},
        {"POST", PATH "batchGenerateContent", "batches", ENDPOINT_UNMETERED},
        {"POST", PATH "predictLongRunning", "predictLongRunning", ENDPOINT_UNMETERED},
        {"POST", "/v1beta/openai/chat/completions", "chat.completions", ENDPOINT_METERED},
        {"POST", "/v1beta/openai/embeddings", "embeddings", ENDPOINT_METERED},
        {"GET", "/v1beta/openai/models", "models", ENDPOINT_FREE},
        {"POST", PATH "asyncBatchEmbedContent", "other", ENDPOINT_UNMETERED},
        {"POST", PATH "generateAnswer", "other", ENDPOINT_UNMETERED},
        {"POST", "/v1beta/interactions", "other", ENDPOINT_UNMETERED},
        {"GET", "/v1beta/models", "models", ENDPOINT_FREE},
        {"GET", "/v1beta/models/gemini-2.5-flash", "models", ENDPOINT_FREE},
        {"GET", "/v1beta/models/veo-3/operations/abc", "models", ENDPOINT_FREE},
        {"GET", "/v1beta/tunedModels/mine", "models", ENDPOINT_FREE},
        {"POST", "/v1beta/models", "other", ENDPOINT_UNMETERED},
        /* a GET that an X-HTTP-Method-Override makes a POST */
        {"GET", PATH "generateContent", "generateContent", ENDPOINT_METERED},
        {"GET", PATH "generateContent/", "generateContent", ENDPOINT_METERED},
        {"GET", PATH "generateAnswer", "other", ENDPOINT_UNMETERED},
        {"GET", "/v1beta/models/g%3AgenerateContent", "other", ENDPOINT_UNMETERED},
        {"POST", "/v1beta/cachedContents", "cachedContents", ENDPOINT_UNMETERED},
        {"PATCH", "/v1beta/cachedContents/a", "cachedContents", ENDPOINT_UNMETERED},
        {"GET", "/v1beta/cachedContents/a", "cachedContents", ENDPOINT_FREE},
        {"DELETE", "/v1beta/cachedContents/a", "cachedContents", ENDPOINT_FREE},
        {"POST", "/upload/v1beta/files", "files", ENDPOINT_FREE},
        {"DELETE", "/v1beta/files/a", "files", ENDPOINT_FREE},
        {"GET", "/v1beta/batches/a", "batches", ENDPOINT_FREE},
        {"POST", "/v1beta/batches/a:cancel", "batches", ENDPOINT_FREE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct endpoint *endpoint =
            dialect_of(DIALECT_GEMINI)->find_endpoint(slice_of(rows[i].method), slice_of(rows[i].path));
        EXPECT(endpoint->kind == rows[i].kind, "%s %s: kind %d", rows[i].method, rows[i].path, endpoint->kind);
        EXPECT_STRING(endpoint->name, rows[i].name);
    }
}

#define CONTENTS "\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]"

TEST(gemini_models_are_read_from_paths)
{
    static const struct {
        const char *path, *model; /* NULL: refused */
    } rows[] = {
        {"/v1beta/models/gemini-2.5-pro:generateContent", "gemini-2.5-pro"},
        {"/v1/models/gemini-2.5-pro:generateContent", "gemini-2.5-pro"},
        {"/v1alpha/models/gemini-2.5-pro:generateContent/", "gemini-2.5-pro"},
        {"/models/g:generateContent", "g"},
        {"models/g:generateContent", "g"},
        {"/v1/projects/p/locations/l/publishers/google/models/g:generateContent", "g"},
        {"/v1beta/tunedModels/mine-1:generateContent", "tunedModels/mine-1"},
        {"/v1beta/dynamic/d:generateContent", "dynamic/d"},
        {"/v1beta/models/gemini%2D2.5%2dpro:generateContent", "gemini-2.5-pro"},
        {"/v1beta/mode%6Cs/g:generateContent", "g"},
        {"/v1beta/models/a%2Fb:generateContent", NULL},
        {"/v1beta/models/a%3Ab:generateContent", NULL},
        {"/v1beta/models/a%00b:generateContent", NULL},
        {"/v1beta/models/a%0ab:generateContent", NULL},
        {"/v1beta/models/a%2:generateContent", NULL},
        {"/v1beta/models/a%:generateContent", NULL},
        {"/v1beta/models/a%gg:generateContent", NULL},
        {"/v1beta/models/:generateContent", NULL},
        {"/v1beta//g:generateContent", NULL},
        {"/g:generateContent", NULL},
        {"g:generateContent", NULL},
        {":generateContent", NULL},
    };
    struct arena *arena = arena_new(1024);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct play play = {DIALECT_GEMINI, NULL, rows[i].path, ""};
        struct request_facts facts = {.choices = 99};
        const char *problem;
        enum error error = play_read(&play, slice_of("{" CONTENTS "}"), arena, &facts, &problem);
        EXPECT(error == (rows[i].model ? ERROR_OK : ERROR_BODY_INCOMPLETE), "%s: %d", rows[i].path, error);
        if (rows[i].model)
            EXPECT_STRING(facts.model, rows[i].model);
        else
            EXPECT(facts.choices == 99 && strstr(problem, "model"), "%s: %s", rows[i].path, problem);
    }
    char path[400] = "/v1beta/models/";
    size_t start = strlen(path);
    struct request_facts facts;
    const char *problem;
    const struct play play = {DIALECT_GEMINI, NULL, path, ""};
    memset(path + start, 'm', 127);
    strcpy(path + start + 127, ":generateContent");
    CU_ASSERT(play_read(&play, slice_of("{" CONTENTS "}"), arena, &facts, &problem) == ERROR_OK &&
              strlen(facts.model) == 127);
    strcpy(path + start + 127, "m:generateContent");
    CU_ASSERT(play_read(&play, slice_of("{" CONTENTS "}"), arena, &facts, &problem) == ERROR_BODY_INCOMPLETE);
    arena_free(arena);
}

TEST(gemini_paths_are_edited)
{
    static const struct {
        const char *path, *model, *edited; /* NULL: the same slice */
    } rows[] = {
        {PATH "generateContent", "gemini-3-pro-preview", "/v1beta/models/gemini-3-pro-preview:generateContent"},
        {PATH "generateContent", "gemini-2.5-flash", NULL},
        {PATH "generateContent", "models/gemini-2.5-flash", NULL},
        {PATH "streamGenerateContent/", "models/g", "/v1beta/models/g:streamGenerateContent/"},
        {PATH "generateContent", "tunedModels/mine", "/v1beta/tunedModels/mine:generateContent"},
        {"/v1beta/tunedModels/mine:generateContent", "g", "/v1beta/models/g:generateContent"},
        {"/v1beta/tunedModels/mine:generateContent", "tunedModels/mine", NULL},
        {"/v1/publishers/google/models/a:embedContent", "b", "/v1/publishers/google/models/b:embedContent"},
        {PATH "generateContent", "a b:c%?#", "/v1beta/models/a%20b%3Ac%25%3F%23:generateContent"},
        {"/v1beta/models", "g", NULL},
        {"/v1beta/files/x", "g", NULL},
        {"", "g", NULL},
    };
    struct arena *arena = arena_new(1024);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice path = slice_of(rows[i].path);
        struct slice edited = dialect_of(DIALECT_GEMINI)->edit_path(path, rows[i].model, arena);
        EXPECT((edited.data == path.data) == (rows[i].edited == NULL), "row %zu", i);
        EXPECT(slice_is(edited, rows[i].edited ? rows[i].edited : rows[i].path), "row %zu: " SLICE_FORMAT, i,
               SLICE_ARGUMENTS(edited));
    }
    arena_free(arena);
}

/* ---- requests ---- */

TEST(gemini_requests_are_read)
{
    static const struct {
        const char *body;
        int64_t output_max, choices, thinking;
        bool has_tools, is_outside, is_continued;
        uint64_t calls;
        const char *tier;
    } rows[] = {
        {"{" CONTENTS "}", -1, 1, 0, false, false, false, 0, "standard"},
        {"{\"contents\":{\"parts\":{\"text\":\"hi\"}}}", -1, 1, 0, false, false, false, 0, "standard"},
        {"{" CONTENTS ",\"generationConfig\":{}}", -1, 1, 0, false, false, false, 0, "standard"},
        {"{" CONTENTS ",\"generationConfig\":{\"maxOutputTokens\":77,\"candidateCount\":3,\"thinkingConfig\":{"
         "\"thinkingBudget\":50}}}",
         77, 3, 50, false, false, false, 0, "standard"},
        {"{" CONTENTS ",\"generation_config\":{\"max_output_tokens\":77,\"candidate_count\":3,\"thinking_config\":{"
         "\"thinking_budget\":50}}}",
         77, 3, 50, false, false, false, 0, "standard"},
        {"{" CONTENTS ",\"generationConfig\":{\"max_output_tokens\":\"77\",\"candidateCount\":\"3\",\"thinkingConfig\":"
         "{\"thinking_budget\":-1}}}",
         77, 3, 0, false, false, false, 0, "standard"},
        {"{" CONTENTS ",\"generationConfig\":null,\"generation_config\":{\"maxOutputTokens\":null,"
         "\"max_output_tokens\":5,\"candidateCount\":null}}",
         5, 1, 0, false, false, false, 0, "standard"},
        {"{" CONTENTS ",\"serviceTier\":\"SERVICE_TIER_PRIORITY\"}", -1, 1, 0, false, false, false, 0, "priority"},
        {"{" CONTENTS ",\"service_tier\":\"flex\"}", -1, 1, 0, false, false, false, 0, "flex"},
        {"{" CONTENTS ",\"service_tier\":\"Unspecified\"}", -1, 1, 0, false, false, false, 0, "standard"},
        {"{" CONTENTS ",\"tools\":[]}", -1, 1, 0, false, false, false, 0, "standard"},
        {"{" CONTENTS ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"}]}]}", -1, 1, 0, true, false, false, 0,
         "standard"},
        {"{" CONTENTS ",\"tools\":[{\"functionDeclarations\":[]},{\"googleSearch\":{}}]}", -1, 1, 0, true, true, false,
         20, "standard"},
        {"{" CONTENTS ",\"tools\":[{\"google_search\":{}}]}", -1, 1, 0, true, true, false, 20, "standard"},
        {"{" CONTENTS ",\"tools\":{\"google_search_retrieval\":{}}}", -1, 1, 0, true, true, false, 20, "standard"},
        {"{" CONTENTS ",\"tools\":[{\"url_context\":{}},{\"codeExecution\":{}}]}", -1, 1, 0, true, true, false, 0,
         "standard"},
        {"{" CONTENTS ",\"tools\":[{\"googleMaps\":{}}]}", -1, 1, 0, true, true, false, 1, "standard"},
        {"{" CONTENTS ",\"tools\":[{\"googl\\u0065Search\":{}}]}", -1, 1, 0, true, true, false, 20, "standard"},
        {"{" CONTENTS ",\"tools\":[{\"googleSearch\":null}]}", -1, 1, 0, true, false, false, 0, "standard"},
        {"{" CONTENTS
         ",\"tools\":[{\"functionDeclarations\":[{\"parameters\":{\"properties\":{\"file_path\":{},\"url\":{}}}}"
         "]}]}",
         -1, 1, 0, true, false, false, 0, "standard"},
        {"{\"contents\":[{\"parts\":[{\"f\\u0069leData\":{}}]}]}", -1, 1, 0, false, true, false, 0, "standard"},
        {"{\"contents\":[{\"parts\":[{\"fileData\":{\"fileUri\":\"u\"}}]}]}", -1, 1, 0, false, true, false, 0,
         "standard"},
        {"{\"contents\":[{\"parts\":[{\"inline_data\":{\"data\":\"AA==\"}}]}]}", -1, 1, 0, false, true, false, 0,
         "standard"},
        {"{\"contents\":[{\"parts\":[{\"text\":\"say \\\"inline_data\\\"\"}]}]}", -1, 1, 0, false, false, false, 0,
         "standard"},
        {"{" CONTENTS ",\"cachedContent\":\"cachedContents/a\"}", -1, 1, 0, false, true, false, 0, "standard"},
        {"{" CONTENTS ",\"cached_content\":\"cachedContents/a\"}", -1, 1, 0, false, true, false, 0, "standard"},
        {"{\"contents\":[{\"parts\":[{\"functionCall\":{\"name\":\"f\"}}]}]}", -1, 1, 0, false, false, true, 0,
         "standard"},
        {"{\"contents\":[{\"parts\":[{\"function_response\":{\"name\":\"f\"}}]}]}", -1, 1, 0, false, false, true, 0,
         "standard"},
        {"{\"contents\":[{\"parts\":[{\"text\":\"a\",\"thoughtSignature\":\"x\"}]}]}", -1, 1, 0, false, false, true, 0,
         "standard"},
        {"{" CONTENTS ",\"model\":\"models/gemini-2.5-flash\"}", -1, 1, 0, false, false, false, 0, "standard"},
    };
    struct arena *arena = arena_new(1024);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts;
        const char *problem;
        enum error error = play_read(&generate, slice_of(rows[i].body), arena, &facts, &problem);
        EXPECT(error == ERROR_OK, "%s: %s", rows[i].body, problem);
        if (error)
            continue;
        EXPECT(facts.output_tokens_max == rows[i].output_max && facts.choices == rows[i].choices &&
                   facts.thinking_tokens == rows[i].thinking,
               "%s: %lld, %lld, %lld", rows[i].body, (long long)facts.output_tokens_max, (long long)facts.choices,
               (long long)facts.thinking_tokens);
        EXPECT(facts.has_tools == rows[i].has_tools && facts.refers_outside == rows[i].is_outside &&
                   facts.is_continued == rows[i].is_continued && facts.units.tool_calls == rows[i].calls,
               "%s: %d %d %d %llu", rows[i].body, facts.has_tools, facts.refers_outside, facts.is_continued,
               (unsigned long long)facts.units.tool_calls);
        EXPECT_STRING(facts.service_tier, rows[i].tier);
        EXPECT_STRING(facts.model, "gemini-2.5-flash");
        CU_ASSERT(facts.text_bytes == strlen(rows[i].body) && !facts.is_streaming && !facts.has_no_limit);
        CU_ASSERT(play_read(&stream, slice_of(rows[i].body), arena, &facts, &problem) == ERROR_OK &&
                  facts.is_streaming);
    }
    arena_free(arena);
}

TEST(gemini_requests_are_refused_in_googles_words)
{
    static const struct {
        const struct play *play;
        enum error error;
        const char *body, *problem;
    } rows[] = {
        {&generate, ERROR_BODY_MALFORMED, "", "a value is missing"},
        {&generate, ERROR_BODY_MALFORMED, "{" CONTENTS "," CONTENTS "}", "same name"},
        {&generate, ERROR_BODY_INCOMPLETE, "[]", "no JSON object"},
        {&generate, ERROR_BODY_INCOMPLETE, "{}", "contents is not specified"},
        {&generate, ERROR_BODY_INCOMPLETE, "{\"contents\":null}", "contents is not specified"},
        {&generate, ERROR_BODY_INCOMPLETE, "{\"contents\":\"hi\"}", "Invalid value at 'contents'"},
        {&generate, ERROR_BODY_INCOMPLETE, "{" CONTENTS ",\"model\":7}", "'model'"},
        {&generate, ERROR_BODY_INCOMPLETE, "{" CONTENTS ",\"model\":\"models/gemini-2.5-pro\"}", "than in the path"},
        {&generate, ERROR_BODY_INCOMPLETE, "{" CONTENTS ",\"generationConfig\":[]}", "'generation_config'"},
        {&generate, ERROR_BODY_INCOMPLETE, "{" CONTENTS ",\"generationConfig\":{\"maxOutputTokens\":0}}",
         "max_output_tokens"},
        {&generate, ERROR_BODY_INCOMPLETE, "{" CONTENTS ",\"generationConfig\":{\"maxOutputTokens\":-1}}",
         "max_output_tokens"},
        {&generate, ERROR_BODY_INCOMPLETE, "{" CONTENTS ",\"generationConfig\":{\"maxOutputTokens\":1e3}}",
         "max_output_tokens"},
        {&generate, ERROR_BODY_INCOMPLETE, "{" CONTENTS ",\"generationConfig\":{\"maxOutputTokens\":\"\"}}",
         "max_output_tokens"},
        {&generate, ERROR_BODY_INCOMPLETE, "{" CONTENTS ",\"generationConfig\":{\"maxOutputTokens\":\" 5\"}}",
         "max_output_tokens"},
        {&generate, ERROR_BODY_INCOMPLETE, "{" CONTENTS ",\"generationConfig\":{\"maxOutputTokens\":true}}",
         "max_output_tokens"},
        {&generate, ERROR_BODY_INCOMPLETE,
         "{" CONTENTS ",\"generationConfig\":{\"maxOutputTokens\":99999999999999999999}}", "max_output_tokens"},
        {&generate, ERROR_BODY_INCOMPLETE,
         "{" CONTENTS ",\"generationConfig\":{\"maxOutputTokens\":5,\"max_output_tokens\":5000}}", "max_output_tokens"},
        {&generate, ERROR_BODY_INCOMPLETE,
         "{" CONTENTS ",\"generationConfig\":{\"maxOutputTokens\":5},\"generation_config\":{\"maxOutputTokens\":6}}",
         "given twice"},
        {&generate, ERROR_BODY_INCOMPLETE, "{" CONTENTS ",\"systemInstruction\":{},\"system_instruction\":{}}",
         "given twice"},
        {&generate, ERROR_BODY_INCOMPLETE, "{" CONTENTS ",\"generationConfig\":{\"candidateCount\":0}}",
         "candidate_count"},
        {&generate, ERROR_BODY_INCOMPLETE,
         "{" CONTENTS ",\"generationConfig\":{\"thinkingConfig\":{\"thinkingBudget\":-2}}}", "thinking_budget"},
        {&generate, ERROR_BODY_INCOMPLETE,
         "{" CONTENTS ",\"generationConfig\":{\"thinkingConfig\":{\"thinkingBudget\":1},\"thinking_config\":{"
         "\"thinkingBudget\":2}}}",
         "thinking_budget"},
        {&embed, ERROR_BODY_INCOMPLETE, "{}", "content is not specified"},
        {&embed, ERROR_BODY_INCOMPLETE, "{\"content\":{},\"model\":\"models/dear\"}", "than in the path"},
        {&batch, ERROR_BODY_INCOMPLETE, "{}", "requests is not specified"},
        {&batch, ERROR_BODY_INCOMPLETE, "{\"requests\":[7]}", "'requests'"},
        {&batch, ERROR_BODY_INCOMPLETE,
         "{\"requests\":[{\"model\":\"models/gemini-embedding-001\"},{\"model\":\"models/dear\"}]}",
         "must be the model of the path"},
        {&predict, ERROR_BODY_INCOMPLETE, "{\"parameters\":{}}", "instances is not specified"},
        {&predict, ERROR_BODY_INCOMPLETE, "{\"instances\":[{}],\"parameters\":{\"sampleCount\":0}}", "sampleCount"},
        {&predict, ERROR_BODY_INCOMPLETE,
         "{\"instances\":[{},{},{}],\"parameters\":{\"sampleCount\":9223372036854775807}}", "sampleCount"},
    };
    struct arena *arena = arena_new(1024);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts = {.choices = 99};
        const char *problem;
        enum error error = play_read(rows[i].play, slice_of(rows[i].body), arena, &facts, &problem);
        EXPECT(error == rows[i].error, "%s: error %d", rows[i].body, error);
        EXPECT(strstr(problem, rows[i].problem), "%s: \"%s\"", rows[i].body, problem);
        EXPECT(facts.choices == 99, "%s: facts touched", rows[i].body);
    }
    arena_free(arena);
}

TEST(gemini_units_are_bounded)
{
    static const struct {
        const struct play *play;
        const char *body;
        uint64_t images;
        size_t text_bytes;
        bool is_outside;
    } rows[] = {
        {&embed, "{\"content\":{\"parts\":[{\"text\":\"hi\"}]}}", 0, 37, false},
        {&embed, "{\"content\":{\"parts\":[{\"inlineData\":{}}]}}", 0, 41, true},
        {&embed, "{\"content\":{\"parts\":[{\"inline\\u0044ata\":{}}]}}", 0, 46, true},
        {&batch, "{\"requests\":[{\"model\":\"gemini-embedding-001\",\"content\":{}}]}", 0, 60, false},
        {&predict, "{\"instances\":[{\"prompt\":\"a\"}]}", 4, 0, false},
        {&predict, "{\"instances\":[{\"prompt\":\"a\"},{}],\"parameters\":{\"sampleCount\":3}}", 6, 0, false},
        {&predict, "{\"instances\":[],\"parameters\":{\"sampleCount\":3}}", 0, 0, false},
    };
    struct arena *arena = arena_new(1024);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts;
        const char *problem;
        CU_ASSERT(play_read(rows[i].play, slice_of(rows[i].body), arena, &facts, &problem) == ERROR_OK);
        EXPECT_INTEGER(facts.units.images, rows[i].images);
        EXPECT_INTEGER(facts.text_bytes, rows[i].text_bytes);
        EXPECT_INTEGER(facts.output_tokens_max, 0);
        CU_ASSERT(facts.choices == 1 && facts.has_no_limit && facts.refers_outside == rows[i].is_outside);
    }
    arena_free(arena);
}

TEST(gemini_conversations)
{
    static const struct {
        const char *body;
        int conversation; /* equal numbers: equal hashes */
    } rows[] = {
        {"{" CONTENTS "}", 1},
        {"{\"contents\":[{\"parts\":[{\"text\":\"hi\"}],\"role\":\"user\"},{\"role\":\"model\",\"parts\":[{\"text\":"
         "\"yes\"}]}],\"generationConfig\":{\"maxOutputTokens\":9}}",
         1},
        {"{\"contents\":[{\"parts\":[{\"text\":\"ho\"}]}]}", 2},
        {"{" CONTENTS ",\"systemInstruction\":{\"parts\":[{\"text\":\"be brief\"}]}}", 3},
        {"{\"system_instruction\":{\"parts\":{\"text\":\"be brief\"}}," CONTENTS "}", 3},
        {"{\"contents\":[]}", 0},
    };
    struct arena *arena = arena_new(1024);
    uint64_t hashes[sizeof rows / sizeof *rows];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts = {0};
        const char *problem;
        CU_ASSERT(play_read(&generate, slice_of(rows[i].body), arena, &facts, &problem) == ERROR_OK);
        hashes[i] = facts.conversation;
        CU_ASSERT((facts.conversation == 0) == (rows[i].conversation == 0));
        for (size_t j = 0; j < i; j++)
            EXPECT((hashes[i] == hashes[j]) == (rows[i].conversation == rows[j].conversation), "%zu and %zu", i, j);
    }
    arena_free(arena);
}

TEST(gemini_requests_are_edited)
{
    static const struct {
        const struct play *play;
        struct request_edits edits;
        const char *body, *edited; /* NULL: the same slice */
    } rows[] = {
        {&generate, {NULL, true, -1}, "{" CONTENTS "}", NULL},
        {&generate, {"gemini-3-pro", false, -1}, "{" CONTENTS "}", NULL}, /* the path's */
        {&generate,
         {"gemini-3-pro", false, -1},
         "{\"model\":\"gemini-2.5-flash\"," CONTENTS "}",
         "{\"model\":\"models/gemini-3-pro\"," CONTENTS "}"},
        {&generate, {"gemini-2.5-flash", false, -1}, "{\"model\":\"models/gemini-2.5-flash\"," CONTENTS "}", NULL},
        {&generate,
         {NULL, false, 50},
         "{" CONTENTS "}",
         "{\"generationConfig\":{\"maxOutputTokens\":50}," CONTENTS "}"},
        {&generate,
         {NULL, false, 50},
         "{ \"generationConfig\" : {}," CONTENTS "}",
         "{ \"generationConfig\" : {\"maxOutputTokens\":50}," CONTENTS "}"},
        {&generate,
         {NULL, false, 50},
         "{" CONTENTS ",\"generationConfig\":{ }}",
         "{" CONTENTS ",\"generationConfig\":{\"maxOutputTokens\":50 }}"},
        {&generate,
         {NULL, false, 50},
         "{" CONTENTS ",\"generation_config\":{\"top_k\":1}}",
         "{" CONTENTS ",\"generation_config\":{\"maxOutputTokens\":50,\"top_k\":1}}"},
        {&generate,
         {NULL, false, 50},
         "{\"generationConfig\":null," CONTENTS "}",
         "{\"generationConfig\":{\"maxOutputTokens\":50}," CONTENTS "}"},
        {&generate,
         {NULL, false, 50},
         "{" CONTENTS ",\"generation_config\":{\"max_output_tokens\": 1000 }}",
         "{" CONTENTS ",\"generation_config\":{\"max_output_tokens\": 50 }}"},
        {&generate,
         {NULL, false, 50},
         "{" CONTENTS ",\"generationConfig\":{\"maxOutputTokens\":\"1000\"}}",
         "{" CONTENTS ",\"generationConfig\":{\"maxOutputTokens\":50}}"},
        {&generate,
         {NULL, false, 50},
         "{" CONTENTS ",\"generationConfig\":{\"maxOutputTokens\":null}}",
         "{" CONTENTS ",\"generationConfig\":{\"maxOutputTokens\":50}}"},
        {&generate,
         {NULL, false, 50},
         "{\"generation_config\":{\"topK\":2},\"generationConfig\":null," CONTENTS "}",
         "{\"generation_config\":{\"maxOutputTokens\":50,\"topK\":2},\"generationConfig\":null," CONTENTS "}"},
        {&generate, {NULL, false, 50}, "{" CONTENTS ",\"generationConfig\":{\"maxOutputTokens\":50}}", NULL},
        {&generate, {NULL, false, 50}, "{" CONTENTS ",\"generationConfig\":{\"maxOutputTokens\":7}}", NULL},
        {&embed, {NULL, false, 50}, "{\"content\":{}}", NULL},
        {&embed,
         {"e", false, -1},
         "{\"content\":{},\"model\":\"models/gemini-embedding-001\"}",
         "{\"content\":{},\"model\":\"models/e\"}"},
        {&batch,
         {"embedding-longer-than-before-it-was", false, -1},
         " {\"requests\":[ {\"model\":\"models/gemini-embedding-001\",\"content\":{}},{\"content\":{}},{\"content\":{},"
         "\"model\":\"gemini-embedding-001\"} ] }",
         " {\"requests\":[ {\"model\":\"models/embedding-longer-than-before-it-was\",\"content\":{}},{\"content\":{}},{"
         "\"content\":{},\"model\":\"models/embedding-longer-than-before-it-was\"} ] }"},
        {&batch, {"gemini-embedding-001", false, -1}, "{\"requests\":[]}", NULL},
        {&compatible,
         {"g", false, 50},
         "{\"model\":\"gemini-2.5-flash\",\"messages\":[]}",
         "{\"max_completion_tokens\":50,\"model\":\"g\",\"messages\":[]}"},
        {&predict, {"imagen-5", false, 5}, "{\"instances\":[{\"prompt\":\"a\"}]}", NULL},
    };
    struct arena *arena = arena_new(4096);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts;
        const char *problem;
        struct slice body = slice_of(rows[i].body);
        CU_ASSERT(play_read(rows[i].play, slice_of(rows[i].body), arena, &facts, &problem) == ERROR_OK);
        struct slice edited =
            dialect_of(DIALECT_GEMINI)->edit_request(play_endpoint(rows[i].play), body, &facts, &rows[i].edits, arena);
        EXPECT((edited.data == body.data) == (rows[i].edited == NULL), "row %zu: copied or not", i);
        EXPECT(slice_is(edited, rows[i].edited ? rows[i].edited : rows[i].body), "row %zu: " SLICE_FORMAT, i,
               SLICE_ARGUMENTS(edited));
        EXPECT(json_scan(edited, 64, NULL, 0, NULL) == ERROR_OK, "row %zu is no JSON any more", i);
    }
    arena_free(arena);
}

/* ---- answers ---- */

static const struct request_facts asked = {.text_bytes = 401, .units = {.tool_calls = 20}},
                                  asked_images = {.text_bytes = 401, .units = {.images = 4, .tool_calls = 20}};

#define PART(text) "{\"content\":{\"parts\":[{\"text\":\"" text "\"}],\"role\":\"model\"},\"index\":0}"
#define LAST(text) "{\"content\":{\"parts\":[{\"text\":\"" text "\"}]},\"finishReason\":\"STOP\",\"index\":0}"
#define ANSWER(c, ...)                                                                                                 \
    "{\"candidates\":[" c "],\"usageMetadata\":{" __VA_ARGS__ "},\"modelVersion\":\"g\",\"responseId\":\"r\"}"
#define DONE(...) ANSWER(LAST("hello there"), __VA_ARGS__)
#define SEEN      " whole model=g id=r"

TEST(gemini_documents)
{
    static const struct play_row rows[] = {
        {DONE("\"promptTokenCount\":10,\"candidatesTokenCount\":5,\"totalTokenCount\":15"),
         "provider in=10 read=0 write=0 write_1h=0 audio=0 out=5 out_audio=0" SEEN},
        /* the design's rule: the prompt includes what was cached; thoughts are output, tools' prompts are input */
        {DONE("\"promptTokenCount\":1000,\"cachedContentTokenCount\":400,\"candidatesTokenCount\":50,"
              "\"thoughtsTokenCount\":200,\"toolUsePromptTokenCount\":30,\"totalTokenCount\":1280"),
         "provider in=630 read=400 write=0 write_1h=0 audio=0 out=250 out_audio=0" SEEN},
        {DONE("\"promptTokenCount\":0,\"candidatesTokenCount\":0,\"totalTokenCount\":0"),
         "provider in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0" SEEN},
        {DONE("\"promptTokenCount\":100,\"candidatesTokenCount\":60,\"totalTokenCount\":160,\"promptTokensDetails\":[{"
              "\"modality\":\"TEXT\",\"tokenCount\":20},{\"modality\":\"AUDIO\",\"tokenCount\":70},{\"modality\":"
              "\"IMAGE\",\"tokenCount\":10}],\"candidatesTokensDetails\":[{\"modality\":\"AUDIO\",\"tokenCount\":45},{"
              "\"modality\":\"IMAGE\",\"tokenCount\":10}]"),
         "provider in=30 read=0 write=0 write_1h=0 audio=70 out=5 out_audio=45 out_image=10" SEEN},
        /* cached audio is cached */
        {DONE("\"promptTokenCount\":100,\"cachedContentTokenCount\":50,\"candidatesTokenCount\":1,\"promptTokensDetails"
              "\":[{\"modality\":\"AUDIO\",\"tokenCount\":70}],\"cacheTokensDetails\":[{\"modality\":\"AUDIO\","
              "\"tokenCount\":40}]"),
         "provider in=20 read=50 write=0 write_1h=0 audio=30 out=1 out_audio=0" SEEN},
        /* a total that says thoughts are among the candidates, and one that stands for them */
        {DONE("\"promptTokenCount\":10,\"candidatesTokenCount\":50,\"thoughtsTokenCount\":20,\"totalTokenCount\":60"),
         "provider in=10 read=0 write=0 write_1h=0 audio=0 out=50 out_audio=0" SEEN},
        {DONE("\"promptTokenCount\":10,\"totalTokenCount\":35,\"thoughtsTokenCount\":20"),
         "provider in=10 read=0 write=0 write_1h=0 audio=0 out=25 out_audio=0" SEEN},
        /* all of the limit was thought: no candidate tokens, no text */
        {ANSWER("{\"finishReason\":\"MAX_TOKENS\"}",
                "\"promptTokenCount\":10,\"thoughtsTokenCount\":90,\"totalTokenCount\":100"),
         "provider in=10 read=0 write=0 write_1h=0 audio=0 out=90 out_audio=0" SEEN},
        /* text that nobody counted is estimated: 11 bytes */
        {DONE("\"promptTokenCount\":10"), "estimated in=10 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0" SEEN},
        {DONE("\"promptTokenCount\":10,\"totalTokenCount\":10"),
         "estimated in=10 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0" SEEN},
        {DONE(), "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0" SEEN},
        {"{\"candidates\":[" LAST("hello there") "]}",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0 whole"},
        {"{\"candidates\":[" LAST("hello there") "],\"usageMetadata\":null}",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0 whole"},
        /* the prompt was blocked: nothing but input */
        {"{\"promptFeedback\":{\"blockReason\":\"SAFETY\"},\"usageMetadata\":{\"promptTokenCount\":9,"
         "\"totalTokenCount\":9},\"modelVersion\":\"models/g\"}",
         "provider in=9 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole model=g"},
        /* hostile numbers */
        {DONE("\"promptTokenCount\":10,\"cachedContentTokenCount\":50,\"candidatesTokenCount\":5,"
              "\"candidatesTokensDetails\":[{\"modality\":\"AUDIO\",\"tokenCount\":9}],\"promptTokensDetails\":[{"
              "\"modality\":\"AUDIO\",\"tokenCount\":99}]"),
         "provider in=0 read=10 write=0 write_1h=0 audio=0 out=0 out_audio=5" SEEN},
        {DONE("\"promptTokenCount\":9223372036854775807,\"toolUsePromptTokenCount\":9223372036854775807,"
              "\"candidatesTokenCount\":9223372036854775807,\"thoughtsTokenCount\":9223372036854775807,"
              "\"totalTokenCount\":1"),
         "provider in=18446744073709551614 read=0 write=0 write_1h=0 audio=0 out=18446744073709551614 "
         "out_audio=0" SEEN},
        {DONE("\"promptTokenCount\":-1,\"candidatesTokenCount\":1.5,\"totalTokenCount\":99999999999999999999,"
              "\"promptTokensDetails\":7,\"candidatesTokensDetails\":[7,{}]"),
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0" SEEN},
        {DONE("\"promptTokenCount\":8,\"candidatesTokenCount\":9,\"serviceTier\":\"PRIORITY\""),
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0 whole model=g tier=priority id=r"},
        /* broken as a whole, but billed */
        {"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\\ud83d\"}]},\"finishReason\":\"STOP\"}],"
         "\"usageMetadata\":{\"promptTokenCount\":8,\"candidatesTokenCount\":9}}",
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0 whole"},
        {"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"cut he",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=2 out_audio=0"},
        {"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\\\"usageMetadata\\\":{\\\"promptTokenCount\\\":1}\"}]"
         "}}]}",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=11 out_audio=0 whole"},
        {"{\"error\":{\"code\":500,\"message\":\"no\",\"status\":\"INTERNAL\"}}",
         "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole error"},
        {"[{\"error\":{\"code\":500,\"message\":\"no\",\"status\":\"INTERNAL\"}}]",
         "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 error"},
        {"<html>Bad gateway, with a body of 44 bytes</html>",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=13 out_audio=0"},
        {"", "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0"},
    };
    play_expect_rows(&generate, &asked, false, rows, sizeof rows / sizeof *rows);
}

#define GROUND(model, ...)                                                                                             \
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"finishReason\":\"STOP\",\"groundingMetadata\":"    \
    "{" __VA_ARGS__                                                                                                    \
    "}}],\"usageMetadata\":{\"promptTokenCount\":8,\"candidatesTokenCount\":9},\"modelVersion\":\"" model "\"}"

TEST(gemini_grounding)
{
    static const struct play_row rows[] = {
        {GROUND("gemini-2.5-flash", "\"webSearchQueries\":[\"a\",\"b\"]"),
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0 calls=1 whole model=gemini-2.5-flash"},
        {GROUND("gemini-3-pro-preview", "\"webSearchQueries\":[\"a\",\"\",\"b\"]"),
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0 calls=2 whole model=gemini-3-pro-preview"},
        {GROUND("gemini-3-pro-preview", "\"webSearchQueries\":[]"),
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0 whole model=gemini-3-pro-preview"},
        {GROUND("gemini-2.5-flash", ""),
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0 whole model=gemini-2.5-flash"},
        {GROUND("gemini-2.5-flash", "\"groundingChunks\":[{\"web\":{}},{\"maps\":{\"uri\":\"u\"}},{\"maps\":{}}]"),
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0 calls=1 whole model=gemini-2.5-flash"},
        {GROUND("gemini-2.5-flash", "\"groundingChunks\":[7],\"webSearchQueries\":[7]"),
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0 whole model=gemini-2.5-flash"},
    };
    play_expect_rows(&generate, &asked, false, rows, sizeof rows / sizeof *rows);
}

#define EVENT(...) "data: " __VA_ARGS__ "\r\n\r\n"
#define FIRST      ANSWER(PART("Hel"), "\"promptTokenCount\":10,\"cachedContentTokenCount\":4,\"candidatesTokenCount\":1")
#define FINAL      ANSWER(LAST("lo"), "\"promptTokenCount\":10,\"candidatesTokenCount\":7,\"thoughtsTokenCount\":3")

#define BYTE_PART(mime, data)                                                                                          \
    "{\"content\":{\"parts\":[{\"inlineData\":{\"mimeType\":\"" mime "\",\"data\":\"" data "\"}}]}}"
#define BYTES(mime, data) "{\"candidates\":[" BYTE_PART(mime, data) "]}"

TEST(gemini_streams)
{
    static const struct play_row rows[] = {
        /* cumulative; a count that the last chunk lacks stays */
        {EVENT(FIRST) EVENT(FINAL), "provider in=6 read=4 write=0 write_1h=0 audio=0 out=10 out_audio=0" SEEN},
        {"data: " FIRST "\n\ndata: " FINAL "\n\n",
         "provider in=6 read=4 write=0 write_1h=0 audio=0 out=10 out_audio=0" SEEN},
        {EVENT(FIRST) "data: " FINAL, "provider in=6 read=4 write=0 write_1h=0 audio=0 out=10 out_audio=0" SEEN},
        /* usage after the last text */
        {EVENT("{\"candidates\":[" LAST("x") "]}")
             EVENT("{\"usageMetadata\":{\"promptTokenCount\":2,\"candidatesTokenCount\":1}}"),
         "provider in=2 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0 whole"},
        /* cut before the last word: what is known, and no less than what was seen */
        {EVENT(FIRST), "estimated in=6 read=4 write=0 write_1h=0 audio=0 out=1 out_audio=0 model=g id=r"},
        {EVENT("{\"candidates\":[" PART("twenty bytes of text") "],\"usageMetadata\":{\"promptTokenCount\":10,"
                                                                "\"candidatesTokenCount\":1}}"),
         "estimated in=10 read=0 write=0 write_1h=0 audio=0 out=5 out_audio=0"},
        {EVENT("{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{}}}]}}]}")
             EVENT("{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{}}}]}}]}"),
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=11 out_audio=0"},
        /* no text: samples of sound (a token is 2,560 bytes of them), other sound, pictures, a call that was cut */
        {EVENT(BYTES("audio/L16;codec=pcm;rate=24000", "AAAA")) EVENT(BYTES("audio/L16", "AAAA")),
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=1"},
        {EVENT(BYTES("audio/ogg", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))
             EVENT(BYTES("audio/ogg", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=2"},
        {EVENT(BYTES("image/png", "AAAA")),
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0 out_image=2520"},
        {EVENT("{\"candidates\":[" BYTE_PART("image/png", "AAAA") "],\"usageMetadata\":{\"promptTokenCount\":10,"
                                                                  "\"candidatesTokenCount\":3000}}"),
         "estimated in=10 read=0 write=0 write_1h=0 audio=0 out=480 out_audio=0 out_image=2520"},
        {"data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"args\":{\"x\":\"eight by",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=6 out_audio=0"},
        /* two candidates: whole when both are */
        {EVENT("{\"candidates\":[" PART("a") ",{\"index\":1}],\"usageMetadata\":{\"promptTokenCount\":10,"
                                             "\"candidatesTokenCount\":2}}")
             EVENT("{\"candidates\":[" LAST("b") "],\"usageMetadata\":{\"promptTokenCount\":10,\"candidatesTokenCount"
                                                 "\":3}}"),
         "estimated in=10 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0"},
        {EVENT("{\"candidates\":[" LAST("a") ",{\"index\":1}],\"usageMetadata\":{\"promptTokenCount\":10,"
                                             "\"candidatesTokenCount\":2}}")
             EVENT("{\"candidates\":[{\"index\":1,\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":"
                   "10,\"candidatesTokenCount\":3}}"),
         "provider in=10 read=0 write=0 write_1h=0 audio=0 out=3 out_audio=0 whole"},
        {EVENT("{\"candidates\":[{\"index\":99999999,\"finishReason\":\"FINISH_REASON_UNSPECIFIED\"}]}"),
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0"},
        /* grounding is repeated */
        {EVENT(GROUND("gemini-3", "\"webSearchQueries\":[\"a\",\"b\"]"))
             EVENT(GROUND("gemini-3", "\"webSearchQueries\":[\"a\"]")),
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0 calls=2 whole model=gemini-3"},
        {EVENT("{\"promptFeedback\":{\"blockReason\":\"OTHER\"},\"usageMetadata\":{\"promptTokenCount\":9}}"),
         "provider in=9 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole"},
        {EVENT(FIRST) EVENT("{\"error\":{\"code\":503,\"message\":\"overloaded\",\"status\":\"UNAVAILABLE\"}}"),
         "estimated in=6 read=4 write=0 write_1h=0 audio=0 out=1 out_audio=0 error model=g id=r"},
        {EVENT("{\"error\":{\"code\":503}}"), "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 error"},
        {EVENT("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\\ud83d\"}]},\"finishReason\":\"STOP\"}],"
               "\"usageMetadata\":{\"promptTokenCount\":8,\"candidatesTokenCount\":9}}"),
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0 whole"},
        {"data: {\"candidates\":[" LAST("a") "],\ndata: \"usageMetadata\":{\"promptTokenCount\":8,"
                                             "\"candidatesTokenCount\":9}}\n\n",
         "provider in=8 read=0 write=0 write_1h=0 audio=0 out=9 out_audio=0 whole"},
        {": ping\n\ndata: garbage\n\n{}\n\n", "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0"},
    };
    play_expect_rows(&stream, &asked, true, rows, sizeof rows / sizeof *rows);
}

/* Without alt=sse a stream is one JSON array. */
TEST(gemini_arrays)
{
    static const struct play_row rows[] = {
        {"[" FIRST ",\r\n" FINAL "]", "provider in=6 read=4 write=0 write_1h=0 audio=0 out=10 out_audio=0" SEEN},
        {"[" FIRST "\n,\n" FINAL "\n]\n", "provider in=6 read=4 write=0 write_1h=0 audio=0 out=10 out_audio=0" SEEN},
        {"[" FIRST ",\r\n" FINAL, "provider in=6 read=4 write=0 write_1h=0 audio=0 out=10 out_audio=0" SEEN},
        {"[" FIRST ",\r\n{\"candidates\":[{\"conte",
         "estimated in=6 read=4 write=0 write_1h=0 audio=0 out=1 out_audio=0 model=g id=r"},
        {"[{\"candidates\":[" PART("a brace: } { [ \\\" ]") "]},\n" FINAL "]",
         "provider in=10 read=0 write=0 write_1h=0 audio=0 out=10 out_audio=0" SEEN},
        {"[" FIRST ",\r\n{\"error\":{\"code\":503}}]",
         "estimated in=6 read=4 write=0 write_1h=0 audio=0 out=1 out_audio=0 error model=g id=r"},
        {"[", "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0"},
        {"[]", "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0"},
    };
    play_expect_rows(&stream, &asked, false, rows, sizeof rows / sizeof *rows);
    /* nobody let it end: the chunks that came are known */
    static const struct {
        struct slice bytes;
        uint64_t input, output;
    } cut[] = {
        {SLICE_LITERAL("[" FIRST ",\r\n" FINAL), 6, 10},
        {SLICE_LITERAL("[" FIRST ",\r\n"), 6, 1},
        {SLICE_LITERAL("[{\"candidates\""), 101, 4},
    };
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        struct meter meter;
        struct usage usage;
        struct buffer out;
        buffer_init(&out, 4096);
        meter_init(&meter, dialect_of(DIALECT_GEMINI), play_endpoint(&stream), false, false, 4096, 4096);
        CU_ASSERT(meter_feed(&meter, cut[i].bytes, &out));
        CU_ASSERT(meter_result(&meter, &asked, &usage) == USAGE_ESTIMATED);
        EXPECT_INTEGER(usage.input, cut[i].input);
        EXPECT_INTEGER(usage.output, cut[i].output);
        meter_done(&meter);
        buffer_done(&out);
    }
}

TEST(gemini_embeddings_and_images)
{
    static const struct play_row embeddings[] = {
        {"{\"embedding\":{\"values\":[0.1,0.2,0.3]}}",
         "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole"},
        {"{\"embedding\":{\"values\":[0.1]},\"usageMetadata\":{\"promptTokenCount\":7}}",
         "provider in=7 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole"},
        {"{\"embedding\":{\"values\":[0.1]},\"usageMetadata\":{\"promptTokenCount\":0}}",
         "provider in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole"},
        {"{\"embedding\":{\"values\":[0.1,0.2", "estimated in=101 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0"},
        {"{\"error\":{\"code\":400}}", "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole error"},
    };
    static const struct play_row predictions[] = {
        {"{\"predictions\":[{\"mimeType\":\"image/png\",\"bytesBase64Encoded\":\"AAAA\"},{\"bytesBase64Encoded\":"
         "\"BBBB\"}]}",
         "provider in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 images=2 whole"},
        {"{\"predictions\":[{\"bytesBase64Encoded\":\"AAAA\"},{\"raiFilteredReason\":\"no\"}]}",
         "provider in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 images=1 whole"},
        {"{\"predictions\":[{\"raiFilteredReason\":\"no\"}]}",
         "provider in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole"},
        {"{\"predictions\":[{\"embeddings\":{}}]}",
         "estimated in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 calls=20 images=4 whole"},
        {"{\"predictions\":[7]}",
         "estimated in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 calls=20 images=4 whole"},
        {"{\"predictions\":[{\"bytesBase64Enc",
         "estimated in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 calls=20 images=4"},
        {"{\"error\":{\"code\":400}}", "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole error"},
    };
    play_expect_rows(&embed, &asked, false, embeddings, sizeof embeddings / sizeof *embeddings);
    play_expect_rows(&batch, &asked, false, embeddings, sizeof embeddings / sizeof *embeddings);
    play_expect_rows(&predict, &asked_images, false, predictions, sizeof predictions / sizeof *predictions);
}

TEST(gemini_damage)
{
    static const struct play_seed answers[] = {
        {&stream, EVENT(FIRST) EVENT(FINAL), true},
        {&stream, "[" FIRST ",\r\n" FINAL "]", false},
        {&generate,
         DONE("\"promptTokenCount\":10,\"totalTokenCount\":35,\"promptTokensDetails\":[{\"modality\":\"AUDIO\","
              "\"tokenCount\":7}]"),
         false},
        {&generate, GROUND("gemini-3", "\"webSearchQueries\":[\"a\",\"b\"],\"groundingChunks\":[{\"maps\":{}}]"),
         false},
        {&predict, "{\"predictions\":[{\"bytesBase64Encoded\":\"AAAA\"},{\"raiFilteredReason\":\"no\"}]}", false},
        {&embed, "{\"embedding\":{\"values\":[0.1]},\"usageMetadata\":{\"promptTokenCount\":7}}", false},
    };
    static const struct play_seed requests[] = {
        {&generate,
         "{\"generationConfig\":{\"maxOutputTokens\":\"77\",\"candidateCount\":3}," CONTENTS
         ",\"tools\":[{\"googleSearch\":{}}],\"system_instruction\":{\"parts\":[{\"text\":\"x\"}]}}",
         false},
        {&stream, "{" CONTENTS ",\"generation_config\":{ },\"generationConfig\":null}", true},
        {&generate, "{\"model\":\"models/gemini-2.5-flash\"," CONTENTS "}", false},
        {&batch, "{\"requests\":[{\"model\":\"models/gemini-embedding-001\",\"content\":{}},{\"content\":{}}]}", false},
        {&predict, "{\"instances\":[{\"prompt\":\"a\"}],\"parameters\":{\"sampleCount\":2}}", false},
    };
    play_damaged_answers(answers, sizeof answers / sizeof *answers, &asked);
    play_damaged_requests(requests, sizeof requests / sizeof *requests);
}
