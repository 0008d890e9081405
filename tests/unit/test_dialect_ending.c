/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which answers may serve another who asks the same: those alone that end as their api says a good answer does, in
 * whatever pieces they come. Metering stays what it was.
 */
#include "dialect_answers.h"

/* ---- chat ---- */
#define CHOICE(index, delta, reason)                                                                                   \
    "data: {\"id\":\"c\",\"choices\":[{\"index\":" index ",\"delta\":{" delta "},\"finish_reason\":" reason "}]}\n\n"
#define WORD        CHOICE("0", "\"content\":\"hi\"", "null")
#define USAGE       "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":5}}\n\n"
#define DONE        "data: [DONE]\n\n"
#define CHAT(index) CHOICE(index, "", "\"stop\"")
#define DOCUMENT(message, reason)                                                                                      \
    "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\"," message "},\"finish_reason\":" reason            \
    "}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":5}}"
#define LEGACY(reason)                                                                                                 \
    "data: {\"choices\":[{\"index\":0,\"text\":\"hi\",\"finish_reason\":" reason "}],\"usage\":null}\n\n" USAGE DONE

/* ---- messages ---- */
#define EVENT(type, members) "event: " type "\ndata: {\"type\":\"" type "\"" members "}\n\n"
#define BEGIN                                                                                                          \
    EVENT("message_start", ",\"message\":{\"stop_reason\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}")
#define TEXT        EVENT("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}")
#define REASON(why) EVENT("message_delta", ",\"delta\":{\"stop_reason\":" why "},\"usage\":{\"output_tokens\":2}")
#define STOP        EVENT("message_stop", "")
#define MESSAGE(members)                                                                                               \
    "{\"type\":\"message\",\"content\":[{\"type\":\"tool_use\",\"input\":{\"stop_reason\":\"end_turn\",\"refusal\":"   \
    "\"x\"}}],\"usage\":{\"input_tokens\":3,\"output_tokens\":2}" members "}"

/* ---- responses ---- */
#define CREATED             EVENT("response.created", ",\"response\":{\"status\":\"in_progress\",\"usage\":null}")
#define DELTA               EVENT("response.output_text.delta", ",\"delta\":\"hi\"")
#define RESPONSE(status)    "\"status\":" status ",\"usage\":{\"input_tokens\":3,\"output_tokens\":2}"
#define ENDED(type, status) EVENT(type, ",\"response\":{" RESPONSE(status) "}")
#define COMPLETED           ENDED("response.completed", "\"completed\"")
#define WHY(reason)         ",\"incomplete_details\":{\"reason\":\"" reason "\"}"

/* ---- gemini ---- */
#define CANDIDATE(index, reason)                                                                                       \
    "{\"index\":" index ",\"content\":{\"parts\":[{\"text\":\"hi\"},{\"functionCall\":{\"args\":{\"finishReason\":"    \
    "\"STOP\"}}}]}" reason "}"
#define ENDS(why)        ",\"finishReason\":" why
#define COUNTS           ",\"usageMetadata\":{\"promptTokenCount\":3,\"totalTokenCount\":5}"
#define CANDIDATES(list) "{\"candidates\":[" list "]" COUNTS "}"
#define GEMINI(why)      CANDIDATES(CANDIDATE("0", why))
#define DATA(text)       "data: " text "\r\n\r\n"

enum form { STREAM, WHOLE };
struct row {
    const char *text;
    bool is_good;
    int choices; /* 0: one */
};
struct table {
    enum dialect_kind dialect;
    const char *path;
    enum form form;
    const struct row *rows;
    size_t count;
};

static const struct row chat_streams[] = {
    {WORD CHAT("0") USAGE DONE, true, 0},
    {WORD CHOICE("0", "", "\"length\"") DONE, true, 0},
    {WORD CHOICE("0", "", "\"tool_calls\"") USAGE DONE, true, 0},
    {WORD CHOICE("0", "", "\"function_call\"") USAGE DONE, true, 0},
    {CHOICE("0", "\"content\":\"\\\"refusal\\\": \\\"x\\\"\"", "null") CHAT("0") DONE, true, 0},
    {CHOICE("0", "\"refusal\":null", "\"stop\"") DONE, true, 0},
    {WORD CHOICE("0", "", "\"\"") CHAT("0") DONE, true, 0},
    {WORD CHAT("0") "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"stop\"}],"
                    "\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":5}}\n\n" DONE,
     true, 0},
    {WORD "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n" USAGE DONE,
     true, 0},
    {WORD CHAT("0") CHOICE("1", "\"content\":\"hi\"", "null") CHAT("1") USAGE DONE, true, 2},
    {WORD CHAT("1") USAGE DONE, false, 2},
    {WORD CHOICE("0", "", "\"content_filter\"") USAGE DONE, false, 0},
    {WORD CHOICE("0", "", "\"content\\u005ffilter\"") USAGE DONE, false, 0},
    {WORD CHOICE("0", "", "\"error\"") USAGE DONE, false, 0},
    {WORD CHOICE("0", "", "\"eos\"") USAGE DONE, false, 0},
    {WORD CHOICE("0", "", "5") USAGE DONE, false, 0},
    {WORD CHOICE("0", "\"refusal\":\"I cannot\"", "null") CHAT("0") USAGE DONE, false, 0},
    {WORD USAGE DONE, false, 0},
    {WORD DONE, false, 0},
    {DONE, false, 0},
    {WORD CHAT("0") USAGE, false, 0},
    {WORD CHAT("0") CHAT("0") USAGE DONE, false, 0},
    {WORD CHAT("0") WORD USAGE DONE, false, 0},
    {WORD CHAT("0") "data: {}\n\n" DONE, false, 0},
    {WORD CHAT("0") "data: {\"message\":\"overloaded\"}\n\n" USAGE DONE, false, 0},
    {WORD CHAT("0") USAGE DONE WORD, false, 0},
    {WORD CHAT("0") USAGE "data: [DONE] {\"x\"\n\n", false, 0},
    {WORD CHAT("0") USAGE "data: [DONE]x\n\n", false, 0},
    {WORD "data: {\"error\":\"overloaded\"}\n\n" CHAT("0") USAGE DONE, false, 0},
    {WORD "data: {\"error\":{\"message\":\"x\"}}\n\n" CHAT("0") USAGE DONE, false, 0},
    {WORD CHAT("0") "data: {\"error\":\"late\",\"choices\":[]}\n\n" DONE, false, 0},
    {WORD CHAT("0") USAGE DONE "data: {\"error\":\"late\"}\n\n", false, 0},
    {WORD "event: error\ndata: {\"message\":\"overloaded\"}\n\n" CHAT("0") USAGE DONE, false, 0},
};
static const struct row chat_documents[] = {
    {DOCUMENT("\"content\":\"hi\"", "\"stop\""), true, 0},
    {DOCUMENT("\"content\":\"hi\",\"refusal\":null", "\"length\""), true, 0},
    {DOCUMENT("\"content\":null", "\"tool_calls\""), true, 0},
    {DOCUMENT("\"content\":\"hi\"", "\"content_filter\""), false, 0},
    {DOCUMENT("\"content\":null,\"refusal\":\"I cannot\"", "\"stop\""), false, 0},
    {DOCUMENT("\"content\":\"hi\"", "null"), false, 0},
    {DOCUMENT("\"content\":\"hi\"", "\"error\""), false, 0},
    {"{\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"},{\"index\":1,\"finish_reason\":\"length\"}]}", true, 2},
    {"{\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"},{\"index\":1,\"finish_reason\":null}]}", false, 2},
    {"{\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"},{\"index\":1,\"finish_reason\":\"content_filter\"}]}",
     false, 2},
    {"{\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}],\"error\":\"half\"}", false, 0},
    {"{\"choices\":[{\"message\":{\"finish_reason\":\"stop\"}}]}", false, 0},
    {"{\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":0}}", false, 0},
    {"{\"error\":\"the model is overloaded\"}", false, 0},
    {"{\"error\":{\"message\":\"x\"}}", false, 0},
    {"{\"object\":\"error\",\"message\":\"oops\",\"code\":500}", false, 0},
    {"{}", false, 0},
    {"[1]", false, 0},
    {"\"finish_reason\"", false, 0},
    {DOCUMENT("\"content\":\"hi\"", "\"stop\"") " x", false, 0},
};
static const struct row completions_streams[] = {
    {LEGACY("\"stop\""), true, 0},        {LEGACY("\"length\""), true, 0}, {LEGACY("\"content_filter\""), false, 0},
    {LEGACY("\"tool_calls\""), false, 0}, {LEGACY("null"), false, 0},
};
static const struct row messages_streams[] = {
    {BEGIN TEXT REASON("\"end_turn\"") STOP, true, 0},
    {BEGIN TEXT REASON("\"max_tokens\"") STOP, true, 0},
    {BEGIN TEXT REASON("\"stop_sequence\"") STOP, true, 0},
    {BEGIN TEXT REASON("\"tool_use\"") "event: ping\ndata: {\"type\":\"ping\"}\n\n" STOP, true, 0},
    {BEGIN EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\"}") STOP, true, 0},
    {BEGIN REASON("null") REASON("\"end_turn\"") STOP, true, 0},
    {BEGIN TEXT REASON("\"refusal\"") STOP, false, 0},
    {BEGIN TEXT REASON("\"ref\\u0075sal\"") STOP, false, 0},
    {BEGIN TEXT REASON("\"pause_turn\"") STOP, false, 0},
    {BEGIN TEXT REASON("\"something_new\"") STOP, false, 0},
    {BEGIN TEXT REASON("null") STOP, false, 0},
    {BEGIN TEXT STOP, false, 0},
    {BEGIN TEXT REASON("\"end_turn\""), false, 0},
    {BEGIN TEXT REASON("\"end_turn\"") REASON("\"end_turn\"") STOP, false, 0},
    {BEGIN TEXT REASON("\"end_turn\"") TEXT STOP, false, 0},
    {BEGIN TEXT REASON("\"end_turn\"") STOP TEXT, false, 0},
    {BEGIN TEXT REASON("\"end_turn\"") STOP STOP, false, 0},
    {BEGIN STOP TEXT REASON("\"end_turn\""), false, 0},
    {BEGIN "event: error\ndata: {\"message\":\"x\"}\n\n" REASON("\"end_turn\"") STOP, false, 0},
    {BEGIN EVENT("error", ",\"error\":{\"type\":\"overloaded_error\"}") REASON("\"end_turn\"") STOP, false, 0},
    {BEGIN "data: {\"error\":\"x\"}\n\n" REASON("\"end_turn\"") STOP, false, 0},
};
static const struct row messages_documents[] = {
    {MESSAGE(",\"stop_reason\":\"end_turn\""), true, 0},
    {MESSAGE(",\"stop_reason\":\"tool_use\""), true, 0},
    {MESSAGE(",\"stop_reason\":\"refusal\""), false, 0},
    {MESSAGE(",\"stop_reason\":\"pause_turn\""), false, 0},
    {MESSAGE(",\"stop_reason\":null"), false, 0},
    {MESSAGE(""), false, 0},
    {MESSAGE(",\"stop_reason\":\"end_turn\",\"error\":\"x\""), false, 0},
    {"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}", false, 0},
    {"{}", false, 0},
};
static const struct row responses_streams[] = {
    {CREATED DELTA COMPLETED, true, 0},
    {CREATED DELTA COMPLETED DONE, true, 0},
    {CREATED EVENT("response.incomplete", ",\"response\":{" RESPONSE("\"incomplete\"") WHY("max_output_tokens") "}"),
     true, 0},
    {CREATED EVENT("response.incomplete", ",\"response\":{" RESPONSE("\"incomplete\"") WHY("content_filter") "}"),
     false, 0},
    {CREATED ENDED("response.incomplete", "\"incomplete\""), false, 0},
    {CREATED ENDED("response.failed", "\"failed\""), false, 0},
    {CREATED ENDED("response.failed", "\"completed\""), false, 0},
    {CREATED ENDED("response.cancelled", "\"cancelled\""), false, 0},
    {CREATED ENDED("response.completed", "null"), false, 0},
    {CREATED EVENT("response.completed", ",\"response\":{" RESPONSE("\"completed\"") ",\"error\":\"x\"}"), false, 0},
    {CREATED EVENT("response.refusal.delta", ",\"delta\":\"no\"") COMPLETED, false, 0},
    {CREATED "data: {\"type\":\"response.refusal.delta\",\"delta\":\"no\"}\n\n" COMPLETED, false, 0},
    {CREATED EVENT("response.content_part.added", ",\"part\":{\"type\":\"refusal\",\"refusal\":\"\"}") COMPLETED, false,
     0},
    {CREATED EVENT("error", ",\"code\":\"x\",\"message\":\"y\"") COMPLETED, false, 0},
    {CREATED "data: {\"type\":\"error\",\"code\":\"x\"}\n\n" COMPLETED, false, 0},
    {CREATED "data: {\"error\":\"x\"}\n\n" COMPLETED, false, 0},
    {CREATED COMPLETED DELTA, false, 0},
    {CREATED COMPLETED COMPLETED, false, 0},
    {CREATED DELTA, false, 0},
};
static const struct row responses_documents[] = {
    {"{\"error\":null,\"incomplete_details\":null," RESPONSE("\"completed\"") "}", true, 0},
    {"{" RESPONSE("\"incomplete\"") WHY("max_output_tokens") "}", true, 0},
    {"{" RESPONSE("\"incomplete\"") WHY("content_filter") "}", false, 0},
    {"{" RESPONSE("\"incomplete\"") "}", false, 0},
    {"{" RESPONSE("\"failed\"") "}", false, 0},
    {"{" RESPONSE("\"cancelled\"") "}", false, 0},
    {"{" RESPONSE("\"queued\"") "}", false, 0},
    {"{" RESPONSE("null") "}", false, 0},
    {"{\"error\":\"x\"," RESPONSE("\"completed\"") "}", false, 0},
    {"{\"output\":[{\"content\":[{\"type\":\"refusal\",\"refusal\":\"no\"}]}]," RESPONSE("\"completed\"") "}", false,
     0},
    {"{\"error\":\"x\"}", false, 0},
    {"{}", false, 0},
};
#define GEMINI_BAD(wrap)                                                                                               \
    {wrap(GEMINI(ENDS("\"SAFETY\""))), false, 0}, {wrap(GEMINI(ENDS("\"RECITATION\""))), false, 0},                    \
        {wrap(GEMINI(ENDS("\"BLOCKLIST\""))), false, 0}, {wrap(GEMINI(ENDS("\"SPII\""))), false, 0},                   \
        {wrap(GEMINI(ENDS("\"PROHIBITED_CONTENT\""))), false, 0}, {wrap(GEMINI(ENDS("\"LANGUAGE\""))), false, 0},      \
        {wrap(GEMINI(ENDS("\"OTHER\""))), false, 0}, {wrap(GEMINI(ENDS("\"IMAGE_SAFETY\""))), false, 0},               \
        {wrap(GEMINI(ENDS("\"MALFORMED_FUNCTION_CALL\""))), false, 0},                                                 \
        {wrap(GEMINI(ENDS("\"FINISH_REASON_UNSPECIFIED\""))), false, 0}, {wrap(GEMINI(ENDS("3"))), false, 0},          \
        {wrap(GEMINI("")), false, 0}, {wrap("{\"promptFeedback\":{\"blockReason\":\"OTHER\"}" COUNTS "}"), false, 0},  \
        {wrap("{\"promptFeedback\":{\"blockReason\":\"SAFETY\"},\"candidates\":[" CANDIDATE(                           \
             "0", ENDS("\"STOP\"")) "]" COUNTS "}"),                                                                   \
         false, 0},                                                                                                    \
        {wrap("{\"error\":\"x\",\"candidates\":[" CANDIDATE("0", ENDS("\"STOP\"")) "]" COUNTS "}"), false, 0},         \
        {wrap(CANDIDATES(CANDIDATE("0", ENDS("\"STOP\"")) "," CANDIDATE("1", ""))), false, 0},                         \
    {                                                                                                                  \
        wrap("{}"), false, 0                                                                                           \
    }
#define ALONE(text)  text
#define LISTED(text) "[" GEMINI("") ",\r\n" text "]"
static const struct row gemini_streams[] = {
    {DATA(GEMINI("")) DATA(GEMINI(ENDS("\"STOP\""))), true, 0},
    {DATA(GEMINI(ENDS("\"MAX_TOKENS\""))) DATA("{\"modelVersion\":\"m\"" COUNTS "}"), true, 0},
    {DATA(CANDIDATES(CANDIDATE("0", ENDS("\"STOP\"")))) DATA(CANDIDATES(CANDIDATE("1", ENDS("\"STOP\"")))), true, 2},
    {DATA(GEMINI(ENDS("\"STOP\""))), false, 2},
    {DATA(GEMINI(ENDS("\"STOP\""))) DATA(GEMINI("")), false, 0},
    {DATA(GEMINI(ENDS("\"STOP\""))) DATA(GEMINI(ENDS("\"STOP\""))), false, 0},
    {DATA(GEMINI(ENDS("\"STOP\""))) DATA("{\"message\":\"x\"}"), false, 0},
    {DATA(GEMINI(ENDS("\"STOP\""))) DATA("{\"error\":{\"code\":503}}"), false, 0},
    {"event: error\r\n" DATA("{\"message\":\"x\"}") DATA(GEMINI(ENDS("\"STOP\""))), false, 0},
    GEMINI_BAD(DATA),
};
static const struct row gemini_documents[] = {
    {GEMINI(ENDS("\"STOP\"")), true, 0},
    {CANDIDATES(CANDIDATE("0", ENDS("\"STOP\"")) "," CANDIDATE("1", ENDS("\"MAX_TOKENS\""))), true, 2},
    GEMINI_BAD(ALONE),
};
static const struct row gemini_arrays[] = {
    {LISTED(GEMINI(ENDS("\"STOP\""))), true, 0},
    {LISTED(GEMINI(ENDS("\"STOP\"")) "," GEMINI("")), false, 0},
    {LISTED(GEMINI(ENDS("\"STOP\"")) ",{\"error\":{\"code\":503}}"), false, 0},
    {"[" GEMINI(ENDS("\"STOP\"")), false, 0},
    {"[]", false, 0},
    GEMINI_BAD(LISTED),
};
static const struct row vectors[] = {
    {"{\"data\":[{\"embedding\":[0.1]}],\"usage\":{\"prompt_tokens\":5,\"total_tokens\":5}}", true, 0},
    {"{\"data\":[],\"error\":\"x\"}", false, 0},
    {"{\"error\":\"x\"}", false, 0},
    {"{\"object\":\"error\"}", false, 0},
    {"{}", false, 0},
    {"[1]", false, 0},
};
static const struct row gemini_vectors[] = {
    {"{\"embedding\":{\"values\":[0.1]}}", true, 0},
    {"{\"embeddings\":[{\"values\":[0.1]}]}", true, 0},
    {"{\"error\":\"x\"}", false, 0},
    {"{}", false, 0},
    {"[1]", false, 0},
};
static const struct row pictures[] = {
    {"{\"data\":[{\"b64_json\":\"x\"}],\"usage\":{\"input_tokens\":3,\"output_tokens\":2}}", true, 0},
    {"{\"data\":[],\"error\":\"x\"}", false, 0},
    {"{\"error\":\"x\"}", false, 0},
    {"{}", false, 0},
};
static const struct row picture_streams[] = {
    {"data: {\"type\":\"image_generation.completed\",\"usage\":{\"input_tokens\":3,\"output_tokens\":2}}\n\n", true, 0},
    {"data: {\"error\":\"x\"}\n\ndata: {\"usage\":{\"input_tokens\":3,\"output_tokens\":2}}\n\n", false, 0},
};
static const struct row predictions[] = {
    {"{\"predictions\":[{\"bytesBase64Encoded\":\"x\"}]}", true, 0},
    {"{\"predictions\":[{\"bytesBase64Encoded\":\"x\"},{\"raiFilteredReason\":\"y\"}]}", false, 0},
    {"{\"error\":\"x\"}", false, 0},
    {"{}", false, 0},
};
static const struct row transcripts[] = {
    {"{\"text\":\"hi\"}", true, 0},
    {"{\"text\":\"hi\",\"error\":\"x\"}", false, 0},
    {"{\"error\":\"x\"}", false, 0},
    {"{}", false, 0},
};
static const struct row transcript_streams[] = {
    {"data: {\"type\":\"transcript.text.delta\",\"delta\":\"a\"}\n\ndata: {\"type\":\"transcript.text.done\","
     "\"text\":\"a\"}\n\n",
     true, 0},
    {"data: {\"type\":\"transcript.text.done\",\"text\":\"a\"}\n\ndata: {\"delta\":\"b\"}\n\n", false, 0},
    {"data: {\"error\":\"x\"}\n\ndata: {\"type\":\"transcript.text.done\",\"text\":\"a\"}\n\n", false, 0},
};

#define TABLE(dialect, path, form, rows)                                                                               \
    {                                                                                                                  \
        dialect, path, form, rows, sizeof(rows) / sizeof *(rows)                                                       \
    }
#define MODEL "/v1beta/models/m:"
static const struct table tables[] = {
    TABLE(DIALECT_OPENAI, "/v1/chat/completions", STREAM, chat_streams),
    TABLE(DIALECT_OPENAI, "/v1/chat/completions", WHOLE, chat_documents),
    TABLE(DIALECT_OPENAI, "/v1/completions", STREAM, completions_streams),
    TABLE(DIALECT_ANTHROPIC, "/v1/messages", STREAM, messages_streams),
    TABLE(DIALECT_ANTHROPIC, "/v1/messages", WHOLE, messages_documents),
    TABLE(DIALECT_ANTHROPIC, "/v1/chat/completions", STREAM, chat_streams),
    TABLE(DIALECT_OPENAI, "/v1/responses", STREAM, responses_streams),
    TABLE(DIALECT_OPENAI, "/v1/responses", WHOLE, responses_documents),
    TABLE(DIALECT_GEMINI, MODEL "streamGenerateContent", STREAM, gemini_streams),
    TABLE(DIALECT_GEMINI, MODEL "generateContent", WHOLE, gemini_documents),
    TABLE(DIALECT_GEMINI, MODEL "streamGenerateContent", WHOLE, gemini_arrays),
    TABLE(DIALECT_OPENAI, "/v1/embeddings", WHOLE, vectors),
    TABLE(DIALECT_GEMINI, MODEL "embedContent", WHOLE, gemini_vectors),
    TABLE(DIALECT_OPENAI, "/v1/images/generations", WHOLE, pictures),
    TABLE(DIALECT_OPENAI, "/v1/images/generations", STREAM, picture_streams),
    TABLE(DIALECT_GEMINI, MODEL "predict", WHOLE, predictions),
    TABLE(DIALECT_OPENAI, "/v1/audio/transcriptions", WHOLE, transcripts),
    TABLE(DIALECT_OPENAI, "/v1/audio/transcriptions", STREAM, transcript_streams),
};

/* As flow/ judges it. */
static bool may_serve(const struct table *table, const struct row *row, size_t cut, bool hides)
{
    const struct dialect *dialect = dialect_of(table->dialect);
    const struct request_facts facts = {.choices = row->choices ? row->choices : 1, .output_tokens_max = -1};
    struct slice bytes = slice_of(row->text);
    struct meter meter;
    struct buffer out;
    buffer_init(&out, 1 << 16);
    meter_init(&meter, dialect, dialect->find_endpoint(SLICE_LITERAL("POST"), slice_of(table->path)),
               table->form == STREAM, hides, 1 << 16, 4096);
    CU_ASSERT(meter_feed(&meter, (struct slice){bytes.data, cut}, &out));
    CU_ASSERT(meter_feed(&meter, slice_from(bytes, cut), &out));
    CU_ASSERT(meter_finish(&meter, &out));
    bool may =
        meter_ended_well(&meter, &facts) && meter.saw_terminal && !meter.saw_error && !meter.is_damaged && !meter.job;
    meter_done(&meter);
    buffer_done(&out);
    return may;
}

TEST(kept_is_what_ends_well_wherever_it_is_cut)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (size_t j = 0; j < tables[i].count; j++) {
            const struct row *row = &tables[i].rows[j];
            bool is_as_wanted = true;
            for (size_t cut = 0; is_as_wanted && cut <= strlen(row->text); cut++)
                for (int hides = 0; is_as_wanted && hides < 2; hides++) {
                    is_as_wanted = may_serve(&tables[i], row, cut, hides) == row->is_good;
                    EXPECT(is_as_wanted, "%s, cut at %zu: may%s be kept: %s", tables[i].path, cut,
                           row->is_good ? " not" : "", row->text);
                }
        }
}

/* Each good stream, cut short anywhere, is not kept: not before its last event. */
TEST(a_stream_that_was_cut_is_never_kept)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const struct row *row = &tables[i].rows[0];
        const char *end = row->text + strlen(row->text);
        if (tables[i].form != STREAM)
            continue;
        while (end[-1] == '\n' || end[-1] == '\r')
            end--;
        for (size_t length = 0; length < (size_t)(end - row->text); length++) {
            char text[4096];
            snprintf(text, sizeof text, "%.*s", (int)length, row->text);
            const struct row part = {text, false, row->choices};
            EXPECT(!may_serve(&tables[i], &part, 0, false), "%s: kept after %zu bytes", tables[i].path, length);
        }
    }
}
