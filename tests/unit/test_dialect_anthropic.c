/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Anthropic dialect beyond a plain message (test_dialect.c): tools that are billed by the call, summaries, batches
 * and their results, and which conversation a request belongs to.
 */
#include "dialect_plays.h"

static const struct play messages = {DIALECT_ANTHROPIC, NULL, "/v1/messages", ""};
static const struct play batches = {DIALECT_ANTHROPIC, NULL, "/v1/messages/batches", ""};
static const struct play batch = {DIALECT_ANTHROPIC, "GET", "/v1/messages/batches/msgbatch_1", ""};
static const struct play cancel = {DIALECT_ANTHROPIC, NULL, "/v1/messages/batches/msgbatch_1/cancel", ""};
static const struct play results = {DIALECT_ANTHROPIC, "GET", "/v1/messages/batches/msgbatch_1/results", ""};

TEST(anthropic_endpoints)
{
    static const struct {
        const char *method, *path, *name;
        enum endpoint_kind kind;
    } rows[] = {
        {"POST", "/v1/messages", "messages", ENDPOINT_METERED},
        {"POST", "/v1/messages/count_tokens", "count_tokens", ENDPOINT_COUNTING},
        {"POST", "/v1/messages/batches", "batches", ENDPOINT_METERED},
        {"POST", "/v1/messages/batches/", "batches", ENDPOINT_METERED},
        {"GET", "/v1/messages/batches", "batches", ENDPOINT_FREE},
        {"GET", "/v1/messages/batches/msgbatch_1", "batch", ENDPOINT_JOB},
        {"GET", "/v1/messages/batches/msgbatch_1/results", "batch.results", ENDPOINT_JOB},
        {"POST", "/v1/messages/batches/msgbatch_1/cancel", "batch", ENDPOINT_JOB},
        {"DELETE", "/v1/messages/batches/msgbatch_1", "batch", ENDPOINT_FREE},
        {"POST", "/v1/messages/batches/msgbatch_1/retry", "batches", ENDPOINT_UNMETERED},
        {"PUT", "/v1/messages/batches/msgbatch_1", "batches", ENDPOINT_UNMETERED},
        {"GET", "/v1/models/claude", "models", ENDPOINT_FREE},
        {"POST", "/v1/chat/completions", "chat.completions", ENDPOINT_METERED},
        {"POST", "/v1/complete", "complete", ENDPOINT_UNMETERED},
        {"POST", "/v1/files", "files", ENDPOINT_FREE},
        {"GET", "/v1/files/f/content", "files", ENDPOINT_FREE},
        {"GET", "/v1/messages", "other", ENDPOINT_UNMETERED},
        {"POST", "/v1/organizations/x", "other", ENDPOINT_UNMETERED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct endpoint *endpoint =
            dialect_of(DIALECT_ANTHROPIC)->find_endpoint(slice_of(rows[i].method), slice_of(rows[i].path));
        EXPECT(endpoint->kind == rows[i].kind, "%s %s: kind %d", rows[i].method, rows[i].path, endpoint->kind);
        EXPECT_STRING(endpoint->name, rows[i].name);
    }
}

/* ---- requests ---- */

#define USER        "{\"role\":\"user\",\"content\":\"hi\"}"
#define ASK(...)    "{\"model\":\"claude\",\"max_tokens\":5,\"messages\":[" __VA_ARGS__ "]}"
#define TOOLS(...)  "{\"model\":\"claude\",\"max_tokens\":5,\"messages\":[" USER "],\"tools\":[" __VA_ARGS__ "]}"
#define SEARCH(...) "{\"type\":\"web_search_20250305\",\"name\":\"web_search\"" __VA_ARGS__ "}"
#define REPEATED_BODY                                                                                                  \
    "{\"model\":\"claude\",\"max_tokens\":5,\"messages\":[" USER                                                       \
    "],\"context_management\":{\"edits\":[{\"type\":\"compact_20260112\"}]}}"

TEST(anthropic_requests_are_read)
{
    static const struct {
        const char *body;
        bool is_outside, is_continued;
        uint64_t calls, added;
    } rows[] = {
        {ASK(USER), false, false, 0, 0},
        {TOOLS("{\"name\":\"f\",\"input_schema\":{}}"), false, false, 0, 530},
        {TOOLS(SEARCH()), true, false, 20, 530},
        {TOOLS(SEARCH(",\"max_uses\":3")), true, false, 3, 530},
        {TOOLS(SEARCH(",\"max_uses\":0")), true, false, 0, 530},
        {TOOLS(SEARCH(",\"max_uses\":null")), true, false, 20, 530},
        {TOOLS(SEARCH(",\"max_uses\":-3")), true, false, 20, 530},
        {TOOLS(SEARCH(",\"max_uses\":3") "," SEARCH(",\"max_uses\":4")), true, false, 7, 530},
        {TOOLS(
             SEARCH(",\"max_uses\":9223372036854775807") "," SEARCH(",\"max_uses\":9223372036854775807") "," SEARCH()),
         true, false, UINT64_MAX, 530},
        {TOOLS("{\"type\":\"web_fetch_20250910\",\"name\":\"web_fetch\",\"max_uses\":9}"), true, false, 0, 530},
        {TOOLS("{\"type\":\"code_execution_20250825\",\"name\":\"code_execution\"}"), true, false, 0, 530},
        {TOOLS("{\"name\":\"read\",\"input_schema\":{\"type\":\"object\",\"properties\":{\"file_path\":{\"type\":"
               "\"string\"},\"url\":{},\"image\":{}}}}"),
         false, false, 0, 530},
        {ASK("{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"input\":{\"file_path\":\"a\"}}]}"), false,
         true, 0, 0},
        {ASK("{\"role\":\"user\",\"content\":[{\"type\" : \"image\",\"source\":{}}]}"), true, false, 0, 0},
        {ASK("{\"role\":\"user\",\"content\":[{\"source\":{},\"type\":\"document\"}]}"), true, false, 0, 0},
        {ASK("{\"role\":\"user\",\"content\":[{\"t\\u0079pe\":\"image\"}]}"), true, false, 0, 0},
        {"{\"model\":\"claude\",\"max_tokens\":5,\"messages\":[" USER "],\"container\":\"c_1\"}", true, false, 0, 0},
        {"{\"model\":\"claude\",\"max_tokens\":5,\"messages\":[" USER "],\"mcp_servers\":[{}]}", true, false, 0, 0},
        {REPEATED_BODY, false, false, 0, sizeof REPEATED_BODY - 1},
        {ASK(USER ",{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t\"}]}"), false, true, 0, 0},
        {ASK(USER ",{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"id\":\"t\"}]}"), false, true, 0, 0},
        {ASK(USER ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\"}]}"), false, true, 0,
         0},
        {"{\"model\":\"claude\",\"max_tokens\":5000,\"thinking\":{\"budget_tokens\":2000},\"messages\":[" USER "]}",
         false, false, 0, 0},
    };
    struct arena *arena = arena_new(1024);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts;
        const char *problem;
        enum error error = play_read(&messages, slice_of(rows[i].body), arena, &facts, &problem);
        EXPECT(error == ERROR_OK, "%s: %s", rows[i].body, problem);
        EXPECT(facts.refers_outside == rows[i].is_outside && facts.is_continued == rows[i].is_continued &&
                   facts.units.tool_calls == rows[i].calls && facts.added_tokens == rows[i].added,
               "%s: %d %d %llu %llu", rows[i].body, facts.refers_outside, facts.is_continued,
               (unsigned long long)facts.units.tool_calls, (unsigned long long)facts.added_tokens);
    }
    struct request_facts facts;
    const char *problem;
    CU_ASSERT(play_read(&messages, slice_of("{\"model\":\"claude\",\"max_tokens\":0,\"messages\":[" USER "]}"), arena,
                        &facts, &problem) == ERROR_OK &&
              facts.output_tokens_max == 0); /* writes the prompt cache */
    CU_ASSERT(play_read(&messages, slice_of("{\"model\":\"claude\",\"max_tokens\":-1,\"messages\":[]}"), arena, &facts,
                        &problem) == ERROR_BODY_INCOMPLETE);
    static const char *const places[] = {"null", "\"global\"", "\"us\""};
    for (size_t i = 0; i < 3; i++) {
        const char *body = arena_printf(
            arena, "{\"model\":\"claude\",\"max_tokens\":5,\"messages\":[],\"inference_geo\":%s}", places[i]);
        CU_ASSERT(play_read(&messages, slice_of(body), arena, &facts, &problem) == ERROR_OK &&
                  facts.is_regional == (i == 2));
    }
    /* a model that no policy has looked at */
    static const char *const advisors[] = {"claude-opus", "claude"};
    for (size_t i = 0; i < 2; i++) {
        const char *body = arena_printf(arena,
                                        "{\"model\":\"claude\",\"max_tokens\":5,\"messages\":[" USER "],\"tools\":[{"
                                        "\"type\":\"adv\\u0069sor_1\",\"model\":\"%s\"}]}",
                                        advisors[i]);
        CU_ASSERT(play_read(&messages, slice_of(body), arena, &facts, &problem) ==
                  (i ? ERROR_OK : ERROR_BODY_INCOMPLETE));
    }
    arena_free(arena);
}

/* A cheaper model with a dear adviser would be charged as the cheap one. */
TEST(anthropic_advisers_go_with_their_request)
{
#define ADVISER(model) "{\"type\":\"advisor_1\",\"model\":\"" model "\",\"name\":\"advisor\"}"
#define BEFORE(model)  "{\"tools\":[{\"name\":\"read\"}," ADVISER(model) "],\"model\":\"" model "\","
#define AFTER(model)   "{\"model\":\"" model "\",\"tools\":[" ADVISER(model) "],"
#define REST           "\"max_tokens\":5,\"messages\":[" USER "]}"
    static const struct {
        const char *body, *edited; /* NULL: refused */
    } rows[] = {
        {BEFORE("claude") REST, BEFORE("other") REST},
        {AFTER("claude") REST, AFTER("other") REST},
        {"{\"model\":\"claude\",\"tools\":[{\"type\":\"advisor_1\"}]," REST,
         "{\"model\":\"other\",\"tools\":[{\"type\":\"advisor_1\"}]," REST},
        {"{\"model\":\"claude\",\"tools\":[" ADVISER("claude") "," ADVISER("claude") "]," REST, NULL},
    };
    struct arena *arena = arena_new(1024);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts;
        const char *problem;
        struct slice body = slice_of(rows[i].body);
        enum error error = play_read(&messages, body, arena, &facts, &problem);
        EXPECT((error == ERROR_OK) == (rows[i].edited != NULL), "row %zu: %s", i, problem);
        if (error)
            continue;
        const struct request_edits edits = {"other", false, -1};
        struct slice edited =
            dialect_of(DIALECT_ANTHROPIC)->edit_request(play_endpoint(&messages), body, &facts, &edits, arena);
        EXPECT(slice_is(edited, rows[i].edited), "row %zu: " SLICE_FORMAT, i, SLICE_ARGUMENTS(edited));
    }
    struct request_facts facts;
    const char *problem, *in_a_batch = "{\"requests\":[{\"custom_id\":\"a\",\"params\":" AFTER("claude") REST "}]}";
    CU_ASSERT(play_read(&batches, slice_of(in_a_batch), arena, &facts, &problem) == ERROR_BODY_INCOMPLETE);
    arena_free(arena);
}

TEST(anthropic_conversations)
{
#define WITH(system, messages)                                                                                         \
    "{\"model\":\"claude\",\"max_tokens\":5,\"system\":" system ",\"messages\":[" messages "]}"
    static const struct {
        const char *body;
        int conversation; /* equal numbers: equal hashes; 0: none */
    } rows[] = {
        {ASK(USER), 1},
        {ASK(USER ",{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"more\"}"), 1},
        /* the same turn as blocks, with a cache mark that moves on later */
        {ASK("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\",\"cache_control\":{\"type\":"
             "\"ephemeral\",\"ttl\":\"1h\"}}]}"),
         1},
        {ASK("{\"content\":\"hi\",\"role\":\"user\"}"), 1},
        {ASK("{\"role\":\"user\",\"content\":\"ho\"}"), 2},
        {WITH("\"be brief\"", USER), 3},
        {WITH("[{\"type\":\"text\",\"text\":\"be brief\"}]", USER), 3},
        {WITH("[{\"type\":\"text\",\"text\":\"x-anthropic-billing-header: cch=1;\"},{\"type\":\"text\",\"text\":"
              "\"be brief\"}]",
              USER),
         3},
        {WITH("[{\"type\":\"text\",\"text\":\"x-anthropic-billing-header: cch=2;\"},{\"type\":\"text\",\"text\":"
              "\"be brief\"}]",
              USER),
         3},
        {WITH("\"be long\"", USER), 4},
        {ASK("{\"role\":\"assistant\",\"content\":\"hi\"}"), 0},
        {ASK(), 0},
    };
    struct arena *arena = arena_new(1024);
    uint64_t hashes[sizeof rows / sizeof *rows];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts = {0};
        const char *problem;
        CU_ASSERT(play_read(&messages, slice_of(rows[i].body), arena, &facts, &problem) == ERROR_OK);
        hashes[i] = facts.conversation;
        CU_ASSERT((facts.conversation == 0) == (rows[i].conversation == 0));
        for (size_t j = 0; j < i; j++)
            EXPECT((hashes[i] == hashes[j]) == (rows[i].conversation == rows[j].conversation), "%zu and %zu", i, j);
    }
    arena_free(arena);
}

/* ---- batches ---- */

#define PARAMS(model, most, ...)                                                                                       \
    "{\"custom_id\":\"a\",\"params\":{\"model\":\"" model "\",\"max_tokens\":" most ",\"messages\":[" USER             \
    "]" __VA_ARGS__ "}}"
#define BATCH(...) "{\"requests\":[" __VA_ARGS__ "]}"
enum { PARAMS_BYTES = sizeof "{\"model\":\"claude\",\"max_tokens\":5,\"messages\":[" USER "]}" - 1 };

TEST(anthropic_batches_are_bounded)
{
    static const struct {
        const char *body;
        uint64_t requests, input, output, outside, calls;
        bool has_models;
    } rows[] = {
        {BATCH(PARAMS("claude", "5")), 1, PARAMS_BYTES, 5, 0, 0, false},
        {BATCH(PARAMS("claude", "5") " , " PARAMS("claude", "7")), 2, 2 * PARAMS_BYTES, 12, 0, 0, false},
        {BATCH(PARAMS("claude", "5") "," PARAMS("claudX", "7")), 2, 2 * PARAMS_BYTES, 12, 0, 0, true},
        {BATCH(PARAMS("claude", "5") "," PARAMS("claude", "7", ",\"tools\":[" SEARCH() "]")), 2,
         2 * PARAMS_BYTES + sizeof ",\"tools\":[" SEARCH() "]" - 1 + 530, 12, 1, 20, false},
    };
    struct arena *arena = arena_new(1024);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts;
        const char *problem;
        enum error error = play_read(&batches, slice_of(rows[i].body), arena, &facts, &problem);
        EXPECT(error == ERROR_OK, "%s: %s", rows[i].body, problem);
        EXPECT_STRING(facts.model, "claude");
        EXPECT_STRING(facts.batch.model, "claude");
        EXPECT_STRING(facts.batch.input_file, "");
        EXPECT_STRING(facts.service_tier, "batch");
        EXPECT_INTEGER(facts.batch.requests, rows[i].requests);
        EXPECT_INTEGER(facts.batch.input_tokens, rows[i].input);
        EXPECT_INTEGER(facts.batch.output_tokens, rows[i].output);
        EXPECT_INTEGER(facts.batch.outside, rows[i].outside);
        EXPECT_INTEGER(facts.units.tool_calls, rows[i].calls);
        CU_ASSERT(facts.batch.has_models == rows[i].has_models && facts.batch.unlimited == 0 && facts.has_no_limit &&
                  facts.batch.has_outside == (rows[i].outside > 0) && facts.refers_outside == (rows[i].outside > 0));
    }
    arena_free(arena);
}

TEST(anthropic_batches_are_refused)
{
    static const struct {
        enum error error;
        const char *body, *problem;
    } rows[] = {
        {ERROR_BODY_MALFORMED, "{\"requests\":[", "an array does not end"},
        {ERROR_BODY_INCOMPLETE, "{}", "requests: Field required"},
        {ERROR_BODY_INCOMPLETE, "{\"requests\":{}}", "requests: Input should be a valid list"},
        {ERROR_BODY_INCOMPLETE, BATCH(), "at least 1"},
        {ERROR_BODY_INCOMPLETE, BATCH("7"), "requests.0.params: Field required"},
        {ERROR_BODY_INCOMPLETE, BATCH("{\"params\":7}"), "requests.0.params: Field required"},
        {ERROR_BODY_INCOMPLETE, BATCH(PARAMS("claude", "5") ",{}"), "requests.1.params: Field required"},
        {ERROR_BODY_INCOMPLETE, BATCH(PARAMS("claude", "5") "," PARAMS("claude", "-1")),
         "requests.1.params.max_tokens: Input should be a valid integer"},
        {ERROR_BODY_INCOMPLETE, BATCH("{\"params\":{\"model\":\"m\",\"messages\":[]}}"),
         "requests.0.params.max_tokens: Field required"},
        {ERROR_BODY_INCOMPLETE,
         BATCH(PARAMS("m", "9223372036854775807") "," PARAMS("m", "9223372036854775807") "," PARAMS("m", "9")),
         "no number"},
    };
    struct arena *arena = arena_new(1024);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts = {.choices = 99};
        const char *problem;
        enum error error = play_read(&batches, slice_of(rows[i].body), arena, &facts, &problem);
        EXPECT(error == rows[i].error, "%s: error %d", rows[i].body, error);
        EXPECT(strstr(problem, rows[i].problem), "%s: \"%s\"", rows[i].body, problem);
        EXPECT(facts.choices == 99, "%s: facts touched", rows[i].body);
    }
    arena_free(arena);
}

TEST(anthropic_batches_are_edited)
{
    static const struct {
        struct request_edits edits;
        const char *body, *edited; /* NULL: the same slice */
    } rows[] = {
        {{NULL, true, 1}, BATCH(PARAMS("claude", "5")), NULL},
        {{"claude", false, -1}, BATCH(PARAMS("claude", "5")), NULL},
        {{"other\"", false, -1},
         BATCH(PARAMS("claude", "5") ", " PARAMS("claude", "6")),
         BATCH(PARAMS("other\\\"", "5") ", " PARAMS("other\\\"", "6"))},
        {{"other", false, -1}, BATCH(PARAMS("claude", "5") ", " PARAMS("claudX", "6")), NULL},
    };
    struct arena *arena = arena_new(1024);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_facts facts;
        const char *problem;
        struct slice body = slice_of(rows[i].body);
        CU_ASSERT(play_read(&batches, slice_of(rows[i].body), arena, &facts, &problem) == ERROR_OK);
        struct slice edited =
            dialect_of(DIALECT_ANTHROPIC)->edit_request(play_endpoint(&batches), body, &facts, &rows[i].edits, arena);
        EXPECT((edited.data == body.data) == (rows[i].edited == NULL), "row %zu: copied or not", i);
        EXPECT(slice_is(edited, rows[i].edited ? rows[i].edited : rows[i].body), "row %zu: " SLICE_FORMAT, i,
               SLICE_ARGUMENTS(edited));
    }
    arena_free(arena);
}

/* ---- answers ---- */

static const struct request_facts asked = {.text_bytes = 401, .units = {.tool_calls = 20}};

#define ANSWER(...)                                                                                                    \
    "{\"id\":\"msg_1\",\"type\":\"message\",\"model\":\"claude\",\"content\":[{\"type\":\"text\",\"text\":\"hello\"}]" \
    ","                                                                                                                \
    "\"usage\":{" __VA_ARGS__ "}}"
#define SEEN " whole model=claude id=msg_1"
#define ROUND(type, in, out)                                                                                           \
    "{\"type\":\"" type "\",\"input_tokens\":" in ",\"output_tokens\":" out ",\"cache_read_input_tokens\":1}"

TEST(anthropic_answers)
{
    static const struct play_row rows[] = {
        {ANSWER("\"input_tokens\":10,\"output_tokens\":5,\"server_tool_use\":{\"web_search_requests\":3,"
                "\"web_fetch_requests\":9}"),
         "provider in=10 read=0 write=0 write_1h=0 audio=0 out=5 out_audio=0 calls=3" SEEN},
        {ANSWER("\"input_tokens\":1,\"output_tokens\":1,\"inference_geo\":\"us\""),
         "provider in=1 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0" SEEN " regional"},
        {ANSWER("\"input_tokens\":1,\"output_tokens\":1,\"inference_geo\":\"not_available\""),
         "provider in=1 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0" SEEN},
        /* rounds that the totals leave out */
        {ANSWER("\"input_tokens\":23000,\"output_tokens\":1000,\"iterations\":[" ROUND(
             "compaction", "180000", "3500") "," ROUND("message", "23000", "1000") "]"),
         "provider in=203000 read=1 write=0 write_1h=0 audio=0 out=4500 out_audio=0" SEEN},
        {ANSWER("\"input_tokens\":1,\"output_tokens\":1,\"iterations\":[" ROUND("compaction", "2", "3") "," ROUND(
             "compaction", "4", "5") ",7,{}]"),
         "provider in=7 read=2 write=0 write_1h=0 audio=0 out=9 out_audio=0" SEEN},
        {ANSWER("\"input_tokens\":1,\"output_tokens\":1,\"iterations\":[" ROUND("message", "1", "1") "]"),
         "provider in=1 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0" SEEN},
        {ANSWER("\"input_tokens\":9223372036854775807,\"output_tokens\":1,\"iterations\":[" ROUND(
             "compaction", "9223372036854775807", "3") "," ROUND("compaction", "9223372036854775807", "5") "]"),
         "provider in=18446744073709551615 read=2 write=0 write_1h=0 audio=0 out=9 out_audio=0" SEEN},
    };
    play_expect_rows(&messages, &asked, false, rows, sizeof rows / sizeof *rows);
}

#define EVENT(name, ...) "event: " name "\ndata: {\"type\":\"" name "\"" __VA_ARGS__ "}\n\n"
#define START                                                                                                          \
    EVENT("message_start",                                                                                             \
          ",\"message\":{\"id\":\"msg_1\",\"model\":\"claude\",\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}")
#define DELTA(...) EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{" __VA_ARGS__ "}")
#define SEARCHING                                                                                                      \
    EVENT("content_block_start",                                                                                       \
          ",\"index\":1,\"content_block\":{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web_search\"}")
#define STOP EVENT("message_stop")

TEST(anthropic_streams)
{
    static const struct play_row rows[] = {
        {START DELTA("\"output_tokens\":5,\"server_tool_use\":{\"web_search_requests\":1}")
             DELTA("\"output_tokens\":7,\"server_tool_use\":{\"web_search_requests\":2}") STOP,
         "provider in=10 read=0 write=0 write_1h=0 audio=0 out=7 out_audio=0 calls=2" SEEN},
        /* cut after two searches */
        {START SEARCHING SEARCHING EVENT("content_block_start",
                                         ",\"content_block\":{\"type\":\"server_tool_use\",\"name\":\"web_fetch\"}"),
         "estimated in=10 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0 calls=2 model=claude id=msg_1"},
        /* what a tool found is input, thinking that is not shown is output */
        {START SEARCHING EVENT("content_block_start",
                               ",\"content_block\":{\"type\":\"web_search_tool_result\","
                               "\"content\":[{\"text\":\"found\",\"encrypted_content\":\"AAAA\"}]}"),
         "estimated in=44 read=0 write=0 write_1h=0 audio=0 out=1 out_audio=0 calls=1 model=claude id=msg_1"},
        {START EVENT("content_block_start", ",\"content_block\":{\"type\":\"redacted_thinking\",\"data\":\"eight by\"}")
             EVENT("content_block_delta", ",\"delta\":{\"type\":\"signature_delta\",\"signature\":\"eight by\"}"),
         "estimated in=10 read=0 write=0 write_1h=0 audio=0 out=4 out_audio=0 model=claude id=msg_1"},
        {START SEARCHING DELTA("\"output_tokens\":5,\"server_tool_use\":{\"web_search_requests\":1}") STOP,
         "provider in=10 read=0 write=0 write_1h=0 audio=0 out=5 out_audio=0 calls=1" SEEN},
        /* rounds beside the totals count once, however often they are told */
        {START DELTA("\"output_tokens\":5,\"iterations\":[" ROUND("compaction", "100", "20") "]")
             DELTA("\"output_tokens\":7,\"iterations\":[" ROUND("compaction", "100", "20") "]") STOP,
         "provider in=110 read=1 write=0 write_1h=0 audio=0 out=27 out_audio=0" SEEN},
        {START DELTA("\"output_tokens\":5,\"iterations\":[" ROUND("compaction", "100", "20") "]")
             DELTA("\"input_tokens\":12,\"output_tokens\":7") STOP,
         "provider in=112 read=1 write=0 write_1h=0 audio=0 out=27 out_audio=0" SEEN},
    };
    play_expect_rows(&messages, &asked, true, rows, sizeof rows / sizeof *rows);
}

#define OBJECT(status, succeeded)                                                                                      \
    "{\"id\":\"msgbatch_1\",\"type\":\"message_batch\",\"processing_status\":\"" status                                \
    "\",\"request_counts\":{\"processing\":0,\"succeeded\":" succeeded ",\"errored\":1,\"canceled\":0,\"expired\":0}}"

TEST(anthropic_batch_objects)
{
    static const struct play_row rows[] = {
        {OBJECT("in_progress", "0"),
         "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole id=msgbatch_1 pending"},
        {OBJECT("canceling", "0"),
         "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole id=msgbatch_1 pending"},
        {OBJECT("ended", "1"),
         "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole id=msgbatch_1 pending"}, /* what it used,
                                                                                                          its results
                                                                                                          say */
        {OBJECT("ended", "0"),
         "provider in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole id=msgbatch_1 done"},
        {OBJECT("ended", "null"),
         "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole id=msgbatch_1 pending"},
        {OBJECT("ended", "-1"),
         "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole id=msgbatch_1 pending"},
        {"{\"id\":\"msgbatch_1\",\"processing_status\":\"ended\"}",
         "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole id=msgbatch_1 pending"},
        {"{\"id\":\"msgbatch_1\",\"processing_sta",
         "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 pending"},
        {"{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\"}}",
         "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole error"},
    };
    play_expect_rows(&batches, &asked, false, rows, sizeof rows / sizeof *rows);
    play_expect_rows(&batch, &asked, false, rows, sizeof rows / sizeof *rows);
    play_expect_rows(&cancel, &asked, false, rows, sizeof rows / sizeof *rows);
}

#define DID(...)                                                                                                       \
    "{\"custom_id\":\"a\",\"result\":{\"type\":\"succeeded\",\"message\":{\"type\":\"message\",\"model\":\"claude\","  \
    "\"content\":[{\"type\":\"text\",\"text\":\"\\\"usage\\\":{}\"}],\"usage\":{" __VA_ARGS__                          \
    ",\"service_tier\":\"batch\"}}}}"
#define FAILED "{\"custom_id\":\"b\",\"result\":{\"type\":\"errored\",\"error\":{\"type\":\"error\"}}}"

TEST(anthropic_batch_results)
{
    static const struct play_row rows[] = {
        {DID("\"input_tokens\":10,\"output_tokens\":5") "\n",
         "provider in=10 read=0 write=0 write_1h=0 audio=0 out=5 out_audio=0 whole model=claude tier=batch done"},
        {DID("\"input_tokens\":10,\"output_tokens\":5,\"cache_read_input_tokens\":3") "\n" FAILED "\r\n\n" DID(
             "\"input_tokens\":1,\"output_tokens\":2,\"server_tool_use\":{\"web_search_requests\":2}"),
         "provider in=11 read=3 write=0 write_1h=0 audio=0 out=7 out_audio=0 calls=2 whole model=claude tier=batch "
         "done"},
        {FAILED "\n" FAILED "\n", "provider in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 whole done"},
        /* half a surrogate pair in a text: billed all the same */
        {"{\"result\":{\"type\":\"succeeded\",\"message\":{\"content\":[{\"text\":\"\\ud83d\"}],\"usage\":{"
         "\"input_tokens\":4,\"output_tokens\":5}}}}\n",
         "provider in=4 read=0 write=0 write_1h=0 audio=0 out=5 out_audio=0 whole done"},
        /* a sum that lacks a line is none: it can be read again */
        {DID("\"input_tokens\":10,\"output_tokens\":5") "\n{\"custom_id\":\"b\",\"resu",
         "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 model=claude tier=batch pending"},
        {DID("\"input_tokens\":10") "\n",
         "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 model=claude pending"},
        {"{\"result\":{\"type\":\"unheard of\"}}\n",
         "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 pending"},
        {DID("\"input_tokens\":9223372036854775807,\"output_tokens\":5") "\n" DID(
             "\"input_tokens\":9223372036854775807,\"output_tokens\":5") "\n" DID("\"input_tokens\":9,"
                                                                                  "\"output_tokens\":5") "\n",
         "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 model=claude tier=batch pending"},
        {"\n\n", "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 pending"},
        {"", "none in=0 read=0 write=0 write_1h=0 audio=0 out=0 out_audio=0 pending"},
    };
    play_expect_rows(&results, &asked, false, rows, sizeof rows / sizeof *rows);
}

/* Far more than the document's bound; and a single line beyond it. */
TEST(anthropic_results_are_not_kept)
{
    static const struct slice line = {DID("\"input_tokens\":10,\"output_tokens\":5") "\n",
                                      sizeof DID("\"input_tokens\":10,\"output_tokens\":5")};
    struct meter meter;
    struct usage usage;
    struct buffer out;
    buffer_init(&out, 1 << 20);
    for (int is_long = 0; is_long < 2; is_long++) {
        meter_init(&meter, dialect_of(DIALECT_ANTHROPIC), play_endpoint(&results), false, false, 1000, 1000);
        for (size_t i = 0; i < 500; i++) {
            size_t cut = i % line.length;
            CU_ASSERT(meter_feed(&meter, (struct slice){line.data, cut}, &out));
            CU_ASSERT(buffer_length(&meter.document) == cut);
            CU_ASSERT(meter_feed(&meter, slice_from(line, cut), &out));
        }
        CU_ASSERT(buffer_length(&meter.document) == 0);
        for (int i = 0; is_long && i < 1001; i++)
            CU_ASSERT(meter_feed(&meter, SLICE_LITERAL(" "), &out));
        CU_ASSERT(meter_finish(&meter, &out));
        enum usage_source source = meter_result(&meter, &asked, &usage);
        CU_ASSERT(source == (is_long ? USAGE_NONE : USAGE_PROVIDER) && meter.job == (is_long ? JOB_PENDING : JOB_DONE));
        CU_ASSERT(is_long || (usage.input == 5000 && usage.output == 2500));
        meter_done(&meter);
    }
    buffer_done(&out);
}

TEST(anthropic_damage)
{
    static const struct play_seed answers[] = {
        {&messages,
         START SEARCHING DELTA("\"output_tokens\":5,\"iterations\":[" ROUND("compaction", "100", "20") "]") STOP, true},
        {&messages, ANSWER("\"input_tokens\":1,\"output_tokens\":1,\"iterations\":[" ROUND("compaction", "2", "3") "]"),
         false},
        {&batch, OBJECT("ended", "0"), false},
        {&results,
         DID("\"input_tokens\":10,\"output_tokens\":5") "\n" FAILED "\n" DID("\"input_tokens\":1,\"output_tokens\":2"),
         false},
    };
    static const struct play_seed requests[] = {
        {&messages, TOOLS(SEARCH(",\"max_uses\":3")), false},
        {&messages, ASK("{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{}}]}"), false},
        {&batches, BATCH(PARAMS("claude", "5") " , " PARAMS("claude", "7")), false},
    };
    play_damaged_answers(answers, sizeof answers / sizeof *answers, &asked);
    play_damaged_requests(requests, sizeof requests / sizeof *requests);
}
