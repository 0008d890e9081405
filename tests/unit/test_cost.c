/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the worst inputs cost: none of at most 64 KiB may take more than 100 times the processor time of a plain request
 * of that size, or 6 MiB of memory (faults.md). A plain request is one chat request that goes through all that a
 * request goes through here. Time is relative, the best of three; memory is that of a child of its own.
 */
#include "base/json.h"
#include "base/pattern.h"
#include "cache/internal.h"
#include "dialect/dialect.h"
#include "http/http.h"
#include "net/hello.h"
#include "policy/policy.h"
#include "suite.h"
#include "translate/translate.h"

#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef __SANITIZE_THREAD__
enum { COST_SLACK = 4 }; /* it looks at every access, which these inputs have most of */
#else
enum { COST_SLACK = 1 };
#endif
enum { INPUT_BYTES = 65536, TIMES_MAX = 100, MEMORY_KIB_MAX = 6 * 1024 };

/* ---- what is done with an input ---- */

typedef void consumption(struct slice input);

static void ignore_member(void *context, const struct json_member *member)
{
    (void)context;
    (void)member;
}

static void consume_json(struct slice input)
{
    struct json_value model;
    const struct json_query query = {"model", &model};
    size_t rest;
    (void)!json_scan(input, 128, &query, 1, NULL);
    (void)json_walk_members(input, ignore_member, NULL, &rest);
}

static void read_request(enum dialect_kind kind, const char *path, const char *type, struct slice body)
{
    const struct dialect *dialect = dialect_of(kind);
    const struct endpoint *endpoint = dialect->find_endpoint(SLICE_LITERAL("POST"), slice_of(path));
    const struct dialect_request request = {.method = SLICE_LITERAL("POST"),
                                            .path = slice_of(path),
                                            .content_type = slice_of(type),
                                            .body = body,
                                            .depth_max = 128};
    const struct request_edits edits = {.model = "another", .inject_usage = true, .output_tokens_max = 5};
    struct request_facts facts;
    const char *problem;
    struct arena *arena = arena_new(4096);
    if (!dialect->read_request(endpoint, &request, arena, &facts, &problem))
        (void)dialect->edit_request(endpoint, body, &facts, &edits, arena);
    arena_free(arena);
}

#define JSON "application/json"
#define FORM "multipart/form-data; boundary=xYz"
static void consume_chat(struct slice input)
{
    read_request(DIALECT_OPENAI, "/v1/chat/completions", JSON, input);
}
static void consume_responses(struct slice input)
{
    read_request(DIALECT_OPENAI, "/v1/responses", JSON, input);
}
static void consume_messages(struct slice input)
{
    read_request(DIALECT_ANTHROPIC, "/v1/messages", JSON, input);
    read_request(DIALECT_ANTHROPIC, "/v1/messages/batches", JSON, input);
}
static void consume_gemini(struct slice input)
{
    read_request(DIALECT_GEMINI, "/v1beta/models/g:generateContent", JSON, input);
    read_request(DIALECT_GEMINI, "/v1beta/models/g:batchEmbedContents", JSON, input);
}
static void consume_form(struct slice input)
{
    read_request(DIALECT_OPENAI, "/v1/images/edits", FORM, input);
    read_request(DIALECT_OPENAI, "/v1/audio/transcriptions", FORM, input);
    read_request(DIALECT_OPENAI, "/v1/files", FORM, input);
}

static void consume_canonical(struct slice input)
{
    size_t length;
    if (!json_scan(input, 1024, NULL, 0, NULL))
        free(canonical_make(API_CHAT, input, &length));
}

static void consume_translation(struct slice input)
{
    static const enum api ways[][2] = {
        {API_CHAT, API_MESSAGES}, {API_RESPONSES, API_MESSAGES}, {API_MESSAGES, API_CHAT}, {API_RESPONSES, API_CHAT}};
    for (size_t i = 0; i < 4 && !json_scan(input, 128, NULL, 0, NULL); i++) {
        const struct translate_request request = {
            .from = ways[i][0], .to = ways[i][1], .body = input, .model = "t", .output_tokens_max = 1000};
        struct translate_facts facts;
        struct slice body;
        const char *problem;
        struct arena *arena = arena_new(4096);
        (void)!translate_request(&request, arena, &body, &facts, &problem);
        arena_free(arena);
    }
}

/* One rule with expressions that backtrack. */
static void consume_redaction(struct slice input)
{
    static const char *const texts[] = {"(a+)+$", "([a-z]+)*[0-9]!", "(.*)(.*)(.*)x$", "^(?=(a|b)*c)"};
    static const char *keywords[] = {"bluebird", "aaaaaaab", "4111"};
    static struct pattern *patterns[4];
    static struct policy_rule rule = {.id = "r",
                                      .action = RULE_REDACT,
                                      .keywords = keywords,
                                      .keyword_count = 3,
                                      .patterns = patterns,
                                      .pattern_count = 4};
    struct policy_verdict verdict = {.redact = (1 << DETECT_COUNT) - 1, .redact_pattern_count = 1};
    struct arena *arena = arena_new(4096);
    char problem[128];
    const char *found;
    size_t offset;
    for (size_t i = 0; i < 4 && !patterns[i]; i++)
        patterns[i] = pattern_new(texts[i], problem, sizeof problem, &offset);
    verdict.redact_patterns[0] = &rule;
    (void)policy_redact(&verdict, input, arena, &found);
    (void)policy_detect(input, verdict.redact);
    arena_free(arena);
}

static const struct http_limits limits = {
    .head_bytes_max = INPUT_BYTES, .request_line_bytes_max = 8192, .fields_max = 100, .body_bytes_max = 1 << 25};

/* Parsed, in one piece and byte by byte, and its fields looked at as they are before they go on. */
static void parse_http(struct slice input, size_t step)
{
    struct arena *arena = arena_new(4096);
    struct http_parser *parser = http_parser_new(&limits);
    enum http_parse result = HTTP_PARSE_MORE;
    enum error error;
    for (size_t at = 0, used; at < input.length && result < HTTP_PARSE_DONE; at += used) {
        size_t length = input.length - at < step ? input.length - at : step;
        used = 0;
        result = http_parser_feed(parser, arena, (struct slice){input.data + at, length}, &used, &error);
    }
    if (result == HTTP_PARSE_DONE) {
        const struct http_request *request = http_parser_request(parser);
        struct slice connection = http_find_field(request->fields, request->field_count, "connection");
        for (size_t i = 0; i < request->field_count; i++)
            (void)http_field_is_hop_by_hop(request->fields[i].name, connection);
    }
    http_parser_free(parser);
    arena_free(arena);
}
static void consume_http(struct slice input)
{
    parse_http(input, SIZE_MAX);
}
static void consume_http_bytes(struct slice input)
{
    parse_http(input, 1);
}

static void meter(enum dialect_kind kind, const char *path, bool is_stream, bool hides, size_t step, struct slice input)
{
    const struct dialect *dialect = dialect_of(kind);
    struct request_facts facts = {.text_bytes = 400, .choices = 1};
    struct usage usage;
    struct buffer out;
    struct meter meter;
    bool is_fed = true;
    buffer_init(&out, 1 << 20);
    meter_init(&meter, dialect, dialect->find_endpoint(SLICE_LITERAL("POST"), slice_of(path)), is_stream, hides,
               1 << 20, 1 << 20);
    for (size_t at = 0; at < input.length && is_fed; at += step) {
        size_t length = input.length - at < step ? input.length - at : step;
        is_fed = meter_feed(&meter, (struct slice){input.data + at, length}, &out);
    }
    (void)!meter_finish(&meter, &out);
    (void)meter_result(&meter, &facts, &usage);
    meter_done(&meter);
    buffer_done(&out);
}
static void consume_streams(struct slice input)
{
    meter(DIALECT_OPENAI, "/v1/chat/completions", true, true, SIZE_MAX / 2, input);
    meter(DIALECT_OPENAI, "/v1/responses", true, false, SIZE_MAX / 2, input);
    meter(DIALECT_ANTHROPIC, "/v1/messages", true, false, SIZE_MAX / 2, input);
    meter(DIALECT_GEMINI, "/v1beta/models/g:streamGenerateContent", true, false, SIZE_MAX / 2, input);
}
static void consume_stream_bytes(struct slice input)
{
    meter(DIALECT_OPENAI, "/v1/chat/completions", true, true, 1, input);
    meter(DIALECT_ANTHROPIC, "/v1/messages", true, false, 1, input);
}

static void consume_documents(struct slice input)
{
    meter(DIALECT_OPENAI, "/v1/chat/completions", false, false, SIZE_MAX / 2, input);
    meter(DIALECT_OPENAI, "/v1/responses", false, false, SIZE_MAX / 2, input);
    meter(DIALECT_ANTHROPIC, "/v1/messages", false, false, SIZE_MAX / 2, input);
    meter(DIALECT_GEMINI, "/v1beta/models/g:generateContent", false, false, SIZE_MAX / 2, input);
}

/* An answer on its way back through a translation. */
static void translate(enum api from, enum api to, bool is_stream, size_t step, struct slice input)
{
    const struct translate_facts facts = {.from = from,
                                          .to = to,
                                          .is_streaming = is_stream,
                                          .asks_usage = true,
                                          .dropped = "",
                                          .echo = SLICE_LITERAL("{}")};
    const struct translate_answer answer = {.facts = &facts,
                                            .model = "m",
                                            .id = "i",
                                            .is_event_stream = is_stream,
                                            .document_bytes_max = 1 << 20,
                                            .event_bytes_max = 1 << 20};
    struct translation *translation = translation_new(&answer);
    struct buffer out;
    bool is_fed = true;
    buffer_init(&out, 1 << 22);
    for (size_t at = 0; at < input.length && is_fed; at += step) {
        size_t length = input.length - at < step ? input.length - at : step;
        is_fed = translation_feed(translation, (struct slice){input.data + at, length}, &out);
    }
    (void)!translation_finish(translation, &out);
    translation_free(translation);
    buffer_done(&out);
}
static void consume_translated(struct slice input)
{
    translate(API_CHAT, API_MESSAGES, true, SIZE_MAX / 2, input);
    translate(API_MESSAGES, API_CHAT, true, SIZE_MAX / 2, input);
    translate(API_RESPONSES, API_MESSAGES, true, 1, input);
    translate(API_RESPONSES, API_CHAT, true, 1, input);
}
static void consume_translated_documents(struct slice input)
{
    translate(API_CHAT, API_MESSAGES, false, SIZE_MAX / 2, input);
    translate(API_RESPONSES, API_CHAT, false, SIZE_MAX / 2, input);
}

/* ---- inputs ---- */

enum { OF_JSON = 1, OF_HTTP = 2, OF_STREAM = 4, OF_FORM = 8 };
static const struct consumer {
    const char *name;
    consumption *consume;
    unsigned of;
} consumers[] = {
    {"json", consume_json, OF_JSON | OF_STREAM},
    {"chat", consume_chat, OF_JSON},
    {"responses", consume_responses, OF_JSON},
    {"messages", consume_messages, OF_JSON},
    {"gemini", consume_gemini, OF_JSON},
    {"canonical", consume_canonical, OF_JSON},
    {"translation", consume_translation, OF_JSON},
    {"redaction", consume_redaction, OF_JSON | OF_FORM | OF_STREAM},
    {"http", consume_http, OF_HTTP},
    {"http byte by byte", consume_http_bytes, OF_HTTP},
    {"streams", consume_streams, OF_STREAM},
    {"streams byte by byte", consume_stream_bytes, OF_STREAM},
    {"forms", consume_form, OF_FORM},
    {"documents", consume_documents, OF_JSON},
    {"translated streams", consume_translated, OF_STREAM},
    {"translated documents", consume_translated_documents, OF_JSON},
};

/* head, the unit again and again up to 64 KiB (%d counts), tail. */
static const struct shape {
    const char *name;
    unsigned of;
    const char *head, *unit, *tail;
} shapes[] = {
#define CHAT(text) "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[" text
    {"arrays", OF_JSON, "", "[", ""},
    {"objects", OF_JSON, "", "{\"a\":", ""},
    {"flat arrays", OF_JSON, "[", "[],", "0]"},
    {"names", OF_JSON, "{", "\"%d\":0,", "\"z\":0}"},
    {"long names that differ at the end", OF_JSON, "{", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%d\":0,",
     "\"z\":0}"},
    {"escaped names", OF_JSON, "{", "\"\\u0061%d\":0,", "\"z\":0}"},
    {"names in messages", OF_JSON, CHAT("{\"role\":\"user\",\"content\":\"\"}],\"x\":{"), "\"%d\":0,", "\"z\":0}}"},
    {"objects in an array", OF_JSON, "[", "{\"b\":1,\"a\":{}},", "0]"},
    {"one string", OF_JSON, "\"", "a", "\""},
    {"escapes", OF_JSON, "\"", "\\u0041", "\""},
    {"pairs", OF_JSON, "\"", "\\ud83d\\ude00", "\""},
    {"backslashes", OF_JSON, "\"", "\\\\", "\""},
    {"a long number", OF_JSON, "1", "0", ""},
    {"a long fraction", OF_JSON, "0.", "1", ""},
    {"a long exponent", OF_JSON, "1e", "0", "1"},
    {"many numbers", OF_JSON, "[", "1e10,", "0]"},
    {"white space", OF_JSON, "", " ", "1"},
    {"many messages", OF_JSON, CHAT(""), "{\"role\":\"user\",\"content\":\"a\"},",
     "{\"role\":\"user\",\"content\":\"\"}]}"},
    {"many parts", OF_JSON, CHAT("{\"role\":\"user\",\"content\":["), "{\"type\":\"text\",\"text\":\"\"},",
     "{\"type\":\"text\",\"text\":\"\"}]}]}"},
    {"many tool calls", OF_JSON, CHAT("{\"role\":\"assistant\",\"tool_calls\":["),
     "{\"id\":\"c%d\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},",
     "{\"id\":\"z\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}]}"},
    {"many tool results", OF_JSON, CHAT(""), "{\"role\":\"tool\",\"tool_call_id\":\"c%d\",\"content\":\"1\"},",
     "{\"role\":\"user\",\"content\":\"\"}]}"},
    {"many tools", OF_JSON, CHAT("{\"role\":\"user\",\"content\":\"\"}],\"tools\":["),
     "{\"type\":\"function\",\"function\":{\"name\":\"f%d\"}},",
     "{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]}"},
    {"a schema", OF_JSON,
     CHAT("{\"role\":\"user\",\"content\":\"\"}],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
          "\"parameters\":{"),
     "\"p%d\":{\"type\":\"string\"},", "\"z\":0}}}]}"},
    {"items of responses", OF_JSON, "{\"model\":\"m\",\"input\":[",
     "{\"type\":\"function_call_output\",\"call_id\":\"c%d\",\"output\":\"\"},",
     "{\"role\":\"user\",\"content\":\"\"}]}"},
    {"results of messages", OF_JSON, CHAT("{\"role\":\"user\",\"content\":["),
     "{\"type\":\"tool_result\",\"tool_use_id\":\"t%d\",\"content\":\"\"},", "{\"type\":\"text\",\"text\":\"\"}]}]}"},
    {"requests of a batch", OF_JSON, "{\"requests\":[",
     "{\"custom_id\":\"%d\",\"params\":{\"model\":\"m\",\"max_tokens\":1}},",
     "{\"custom_id\":\"z\",\"params\":{\"model\":\"m\",\"max_tokens\":1}}]}"},
    {"mail addresses", OF_JSON, "[\"", "a@b.co ", "\"]"},
    {"half mail addresses", OF_JSON, "[\"", "a@", "\"]"},
    {"dots and at", OF_JSON, "[\"", "a.b.", "@\"]"},
    {"cards", OF_JSON, "[\"", "4111 1111 1111 1111 ", "\"]"},
    {"digits", OF_JSON, "[\"", "4", "\"]"},
    {"digits and spaces", OF_JSON, "[\"", "4 ", "\"]"},
    {"phone numbers", OF_JSON, "[\"", "+49 171 1234567 ", "\"]"},
    {"IBANs", OF_JSON, "[\"", "DE89370400440532013000 ", "\"]"},
    {"letters like IBANs", OF_JSON, "[\"", "DE89 3704 ", "\"]"},
    {"keys", OF_JSON, "[\"", "sk-", "\"]"},
    {"private keys", OF_JSON, "[\"", "-----BEGIN PRIVATE KEY-----", "\"]"},
    {"beginnings of a keyword", OF_JSON, "[\"", "aaaaaaa", "\"]"},
    {"what expressions choke on", OF_JSON, "[\"", "ab", "!\"]"},
    {"many texts", OF_JSON, "[", "\"aaaaaaaaaaaa!\",", "\"\"]"},
    {"very many texts", OF_JSON, "[", "\"\",", "\"\"]"},
    {"JSON in JSON", OF_JSON, "[\"[", "1,", "1]\"]"},
    {"JSON in JSON with addresses", OF_JSON, "[\"[", "\\\"a@b.co\\\",", "1]\"]"},
    {"escaped escapes", OF_JSON, "[\"", "\\\\u0040", "\"]"},
    {"no width", OF_JSON, "[\"", "a\\u200b@", "b.co\"]"},
    {"base64", OF_JSON, "[\"data:image/png;base64,", "iVBORw0K", "\"]"},
    {"not UTF-8", OF_JSON, "[\"", "\xff", "\"]"},
#define LINE "POST /v1/chat/completions HTTP/1.1\r\nHost: a.b\r\n"
    {"fields", OF_HTTP, LINE, "a: b\r\n", "\r\n"},
    {"one long field", OF_HTTP, LINE "X: ", "a", "\r\n\r\n"},
    {"one long name", OF_HTTP, LINE, "a", ": x\r\n\r\n"},
    {"a list of connections", OF_HTTP,
     LINE "a: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\ne: 1\r\nf: 1\r\ng: 1\r\nh: 1\r\ni: 1\r\nj: 1\r\n"
          "k: 1\r\nl: 1\r\nm: 1\r\nn: 1\r\no: 1\r\np: 1\r\nq: 1\r\nr: 1\r\ns: 1\r\nt: 1\r\nConnection: ",
     "x,", "x\r\n\r\n"},
    {"a list of nothing", OF_HTTP, LINE "a: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\nUpgrade: ,\r\nConnection: ", ",", "\r\n\r\n"},
    {"spaces in a value", OF_HTTP, LINE "X:", " ", "\r\n\r\n"},
    {"no line end", OF_HTTP, "GET /", "a", ""},
    {"dot segments", OF_HTTP, "GET /", "...%2e/", " HTTP/1.1\r\nHost: a.b\r\n\r\n"},
    {"chunks of one byte", OF_HTTP, LINE "Transfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n", "0\r\n\r\n"},
    {"chunks of one byte with zeros", OF_HTTP, LINE "Transfer-Encoding: chunked\r\n\r\n", "000000000000001\r\na\r\n",
     "0\r\n\r\n"},
    {"an extension", OF_HTTP, LINE "Transfer-Encoding: chunked\r\n\r\n1;", "a", "\r\na\r\n0\r\n\r\n"},
    {"a body", OF_HTTP, LINE "Content-Length: 60000\r\n\r\n", "a", ""},
    {"empty events", OF_STREAM, "", "\n\n", ""},
    {"tiny events", OF_STREAM, "", "data:{}\n\n", ""},
    {"events without data", OF_STREAM, "", ":\n\n", ""},
    {"one event of many lines", OF_STREAM, "", "data:\n", "\n"},
    {"carriage returns", OF_STREAM, "", "\r", ""},
    {"one long event", OF_STREAM, "data: {\"a\":\"", "x", "\"}\n\n"},
    {"usage again and again", OF_STREAM, "", "data: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n", ""},
    {"half usage", OF_STREAM, "data: {", "\"usage\":{", "\n\n"},
    {"deep events", OF_STREAM, "data: ", "[", "\n\n"},
    {"choices", OF_STREAM, "data: {\"choices\":[", "{\"index\":%d,\"delta\":{\"content\":\"a\"}},", "{}]}\n\n"},
    {"tool deltas", OF_STREAM, "",
     "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":%d}]}}]}\n\n", ""},
    {"content blocks", OF_STREAM, "",
     "event: content_block_start\ndata: "
     "{\"type\":\"content_block_start\",\"index\":%d,\"content_block\":{\"type\":\"text\"}}\n\n",
     ""},
    {"text of a message", OF_STREAM,
     "event: message_start\ndata: "
     "{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":1}}}\n\n"
     "event: content_block_start\ndata: "
     "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
     "event: content_block_delta\ndata: "
     "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n",
     ""},
    {"tools of a message", OF_STREAM, "",
     "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":%d,\"content_block\":{\"type\":"
     "\"tool_use\",\"id\":\"t\",\"name\":\"f\"}}\n\n",
     ""},
    {"tools in one delta", OF_STREAM, "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[",
     "{\"index\":%d,\"id\":\"x\",\"function\":{\"name\":\"f\"}},", "{\"index\":0}]}}]}\n\n"},
    {"parts of candidates", OF_STREAM, "data: {\"candidates\":[{\"content\":{\"parts\":[", "{\"text\":\"a\"},",
     "{}]}}],\"usageMetadata\":{\"promptTokenCount\":1}}\n\n"},
    {"half an answer", OF_JSON, "{", "\"usage\":{", ""},
    {"half an answer of Gemini's", OF_JSON, "{", "\"usageMetadata\":{", ""},
    {"usage that ends", OF_JSON, "{", "\"usage\":{},", ""},
    {"output of responses", OF_JSON, "{\"id\":\"r\",\"status\":\"completed\",\"output\":[",
     "{\"type\":\"web_search_call\",\"id\":\"%d\"},", "{}],\"usage\":{\"input_tokens\":1}}"},
    {"content of a message", OF_JSON, "{\"type\":\"message\",\"content\":[", "{\"type\":\"text\",\"text\":\"a\"},",
     "{\"type\":\"text\",\"text\":\"\"}],\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":1,\"output_tokens\":"
     "1}}"},
    {"choices of an answer", OF_JSON, "{\"choices\":[", "{\"index\":%d,\"message\":{\"content\":\"a\"}},", "{}]}"},
#define PART "--xYz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n"
    {"parts", OF_FORM, "", PART "\r\n", "--xYz--\r\n"},
    {"nearly boundaries", OF_FORM, PART, "\r\n--xY", "\r\n--xYz--\r\n"},
    {"dashes", OF_FORM, PART, "-", "\r\n--xYz--\r\n"},
    {"header lines", OF_FORM, "--xYz\r\nContent-Disposition: form-data; name=\"a\"\r\n", "a: b\r\n",
     "\r\nv\r\n--xYz--\r\n"},
    {"lines of a batch", OF_FORM,
     "--xYz\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--xYz\r\nContent-Disposition: "
     "form-data; "
     "name=\"file\"; filename=\"f\"\r\n\r\n",
     "{\"body\":{\"model\":\"m%d\"}}\n", "\r\n--xYz--\r\n"},
};

static const struct shape plain = {"plain", 0, CHAT("{\"role\":\"user\",\"content\":\""),
                                   "The quick brown fox jumps over the lazy dog, and %d others do. ", "\"}]}"};

static size_t fill(const struct shape *shape, char *text, size_t bytes)
{
    size_t length = strlen(shape->head), tail = strlen(shape->tail);
    memcpy(text, shape->head, length);
    for (int n = 0;; n++) {
        char unit[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        int unit_length = strstr(shape->unit, "%d") ? snprintf(unit, sizeof unit, shape->unit, n)
                                                    : snprintf(unit, sizeof unit, "%s", shape->unit);
#pragma GCC diagnostic pop
        if (length + (size_t)unit_length + tail > bytes)
            break;
        memcpy(text + length, unit, (size_t)unit_length);
        length += (size_t)unit_length;
    }
    memcpy(text + length, shape->tail, tail);
    return length + tail;
}

/* ---- measuring ---- */

static int64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int64_t best_of(consumption *consume, struct slice input, int times)
{
    int64_t best = INT64_MAX;
    for (int i = 0; i < times; i++) {
        int64_t start = cpu_ns();
        consume(input);
        int64_t cost = cpu_ns() - start;
        best = cost < best ? cost : best;
    }
    return best;
}

/* What a plain request goes through where a rule looks for addresses and cards. */
static void consume_plain(struct slice input)
{
    consume_json(input);
    consume_chat(input);
    consume_canonical(input);
    const struct policy_verdict verdict = {.redact = (1 << DETECT_COUNT) - 1};
    const char *found;
    struct arena *arena = arena_new(4096);
    (void)policy_redact(&verdict, input, arena, &found);
    arena_free(arena);
}

#ifndef TOLLGATE_SANITIZED /* its memory is not ours */
static void consume_nothing(struct slice input)
{
    (void)input;
}

/* How far the memory of a child grows that does it once. */
static long peak_kib(consumption *consume, struct slice input)
{
    struct rusage usage;
    int status = 0;
    pid_t child = fork();
    CU_ASSERT_FATAL(child >= 0);
    if (child == 0) {
        consume(input);
        _exit(0);
    }
    CU_ASSERT_EQUAL_FATAL(wait4(child, &status, 0, &usage), child);
    EXPECT(status == 0, "a child ended with %d", status);
    return usage.ru_maxrss;
}
#endif

static void expect_cheap(const struct shape *shape, const struct consumer *consumer, char *text, int64_t plain_ns)
{
    struct slice input = {text, fill(shape, text, INPUT_BYTES)};
    int64_t cost = best_of(consumer->consume, input, 1);
    if (cost > plain_ns * TIMES_MAX / 2) /* this processor may have been taken away in the middle of a cache */
        cost = best_of(consumer->consume, input, 3);
    EXPECT(cost <= plain_ns * TIMES_MAX, "%s, %s: %lld us, a plain request %lld us", consumer->name, shape->name,
           (long long)cost / 1000, (long long)plain_ns / 1000);
    long grown = 0;
#ifndef TOLLGATE_SANITIZED
    grown = peak_kib(consumer->consume, input) - peak_kib(consume_nothing, input);
    EXPECT(grown <= MEMORY_KIB_MAX, "%s, %s: %ld KiB", consumer->name, shape->name, grown);
#endif
    if (getenv("TEST_COST_VERBOSE"))
        fprintf(stderr, "%8.2f x %6ld KiB  %s, %s\n", (double)cost / (double)plain_ns, grown, consumer->name,
                shape->name);
}

TEST(no_input_costs_much)
{
    char *text = malloc(INPUT_BYTES + 1024);
    int64_t plain_ns = best_of(consume_plain, (struct slice){text, fill(&plain, text, INPUT_BYTES)}, 5);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t j = 0; j < sizeof consumers / sizeof *consumers; j++)
            if (shapes[i].of & consumers[j].of)
                expect_cheap(&shapes[i], &consumers[j], text, plain_ns);
    free(text);
}

#ifndef TOLLGATE_SANITIZED /* nor are its times */
/* Bodies, answers and single events may have many MiB: what costs little at 64 KiB must not grow with the square. */
static void expect_linear(const struct shape *shape, const struct consumer *consumer, char *text)
{
    enum { MORE = 8, SLACK = 5, LEAST_NS = 200000 };
    int64_t small = 0, large = INT64_MAX;
    for (int tries = 0; tries < 3 && large > small * MORE * SLACK; tries++) {
        small = best_of(consumer->consume, (struct slice){text, fill(shape, text, INPUT_BYTES)}, 1);
        small = small < LEAST_NS ? LEAST_NS : small;
        large = best_of(consumer->consume, (struct slice){text, fill(shape, text, MORE * INPUT_BYTES)}, 1);
    }
    EXPECT(large <= small * MORE * SLACK, "%s, %s: %lld us, %d times as much %lld us", consumer->name, shape->name,
           (long long)small / 1000, MORE, (long long)large / 1000);
    if (getenv("TEST_COST_VERBOSE"))
        fprintf(stderr, "%8.2f x as much  %s, %s\n", (double)large / (double)small, consumer->name, shape->name);
}

TEST(cost_grows_as_the_input_does)
{
    char *text = malloc(8 * INPUT_BYTES + 1024);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t j = 0; j < sizeof consumers / sizeof *consumers; j++)
            if (shapes[i].of & consumers[j].of)
                expect_linear(&shapes[i], &consumers[j], text);
    free(text);
}
#endif

/* A ClientHello in records of one byte, which comes byte by byte: peek.c looks at all of it each time. */
static void consume_hello(struct slice input)
{
    static uint8_t bytes[HELLO_BYTES_MAX];
    char name[HELLO_NAME_MAX];
    for (size_t length = 1; length <= input.length; length++) {
        memcpy(bytes, input.data, length);
        (void)hello_parse(bytes, length, name);
    }
}

TEST(a_hello_in_pieces_costs_little)
{
    enum { RECORD_BYTES = 6 };
    char *text = malloc(INPUT_BYTES);
    int64_t plain_ns = best_of(consume_plain, (struct slice){text, fill(&plain, text, INPUT_BYTES)}, 5);
    const char message[] = {1, 0, 0x3f, 0, 3, 3};
    for (size_t i = 0; i < HELLO_BYTES_MAX / RECORD_BYTES; i++) {
        const char record[RECORD_BYTES] = {0x16, 3, 1, 0, 1, i < sizeof message ? message[i] : 0};
        memcpy(text + i * RECORD_BYTES, record, sizeof record);
    }
    int64_t cost = best_of(consume_hello, (struct slice){text, HELLO_BYTES_MAX / RECORD_BYTES * RECORD_BYTES}, 3);
    EXPECT(cost <= plain_ns * TIMES_MAX * COST_SLACK, "%lld us, a plain request %lld us", (long long)cost / 1000,
           (long long)plain_ns / 1000);
    if (getenv("TEST_COST_VERBOSE"))
        fprintf(stderr, "%8.2f x hello\n", (double)cost / (double)plain_ns);
    free(text);
}
