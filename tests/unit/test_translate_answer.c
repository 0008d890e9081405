/* SPDX-License-Identifier: Apache-2.0 */
/* Answers translated back: the same however a stream is cut, framed or mutated; whole and streamed say the same. */
#include "suite.h"
#include "translate_answer_rows.h"
#include "translate_answer_sdk.h"

enum { DOCUMENT_MAX = 1 << 20, EVENT_MAX = 1 << 16, OUT_MAX = 1 << 22 };

/* One direction: a table of the target's answers, and which of a row's meanings is this client's. */
static const struct way {
    const char *name;
    enum api from, to;
    const struct answer_row *rows;
    size_t count;
    bool is_second;
} ways[] = {
    {"messages to chat", API_CHAT, API_MESSAGES, messages_rows, sizeof messages_rows / sizeof *messages_rows, false},
    {"messages to responses", API_RESPONSES, API_MESSAGES, messages_rows, sizeof messages_rows / sizeof *messages_rows,
     true},
    {"chat to messages", API_MESSAGES, API_CHAT, chat_rows, sizeof chat_rows / sizeof *chat_rows, false},
    {"chat to responses", API_RESPONSES, API_CHAT, chat_rows, sizeof chat_rows / sizeof *chat_rows, true},
};
enum { WAY_COUNT = sizeof ways / sizeof *ways };

/* How one answer is translated. */
struct run {
    const struct way *way;
    struct slice input;
    bool is_stream, is_event_stream, asks_no_usage, wants_json_schema;
    size_t document_max, event_max, out_max; /* 0: large */
    size_t cut, step;                        /* the first piece and the others; 0: all of it */
    struct slice echo;
    struct buffer out;
    bool is_fed, is_finished;
    char problem[128];
};

static char *quoted(const char *text)
{
    char *copy = strdup(text);
    for (char *at = copy; *at; at++)
        if (*at == '\'')
            *at = '"';
    return copy;
}

static void translate(struct run *run)
{
    struct translate_facts facts = {.from = run->way->from,
                                    .to = run->way->to,
                                    .is_streaming = run->is_stream,
                                    .asks_usage = !run->asks_no_usage,
                                    .wants_json_schema = run->wants_json_schema,
                                    .dropped = "",
                                    .echo = run->echo};
    struct translate_answer answer = {.facts = &facts,
                                      .model = "asked",
                                      .id = "ours",
                                      .created_s = 1700000000,
                                      .is_event_stream = run->is_event_stream,
                                      .document_bytes_max = run->document_max ? run->document_max : DOCUMENT_MAX,
                                      .event_bytes_max = run->event_max ? run->event_max : EVENT_MAX};
    struct translation *translation = translation_new(&answer);
    memset(&facts, 0x5a, sizeof facts); /* copied, as the contract says */
    buffer_init(&run->out, run->out_max ? run->out_max : OUT_MAX);
    run->is_fed = true;
    for (size_t at = 0, length = run->cut ? run->cut : run->input.length; at < run->input.length && run->is_fed;
         at += length, length = run->step ? run->step : run->input.length) {
        if (length > run->input.length - at)
            length = run->input.length - at;
        char *piece = malloc(length); /* ASan sees reads past a piece */
        memcpy(piece, run->input.data + at, length);
        run->is_fed = translation_feed(translation, (struct slice){piece, length}, &run->out);
        free(piece);
    }
    size_t length_before = buffer_length(&run->out);
    run->is_finished = translation_finish(translation, &run->out);
    snprintf(run->problem, sizeof run->problem, "%s", translation_problem(translation));
    EXPECT(run->is_finished ? run->is_fed && !run->problem[0] : run->problem[0] != '\0', "%s: %s", run->way->name,
           run->problem);
    if (!run->is_fed)
        EXPECT(!translation_feed(translation, SLICE_LITERAL("data: x\n\n"), &run->out) &&
                   buffer_length(&run->out) == length_before,
               "a failure stays one");
    EXPECT_STRING(translation_content_type(translation),
                  run->is_stream ? "text/event-stream; charset=utf-8" : "application/json");
    translation_free(translation);
}

static struct meaning understand_run(const struct run *run)
{
    struct meaning meaning = {"(nothing)"};
    struct slice out = buffer_contents(&run->out);
    if (!run->is_stream) {
        json_t *document = json_loadb(out.data ? out.data : "", out.length, SDK_FLAGS, NULL);
        if (document)
            meaning = understand(run->way->from, document);
        json_decref(document);
        return meaning;
    }
    struct assembly assembly = assemble(run->way->from, out);
    if (assembly.error)
        snprintf(meaning.text, sizeof meaning.text, "(error: %s)", assembly.error);
    else if (assembly.is_over)
        meaning = understand(run->way->from, assembly.document);
    json_decref(assembly.document);
    return meaning;
}

static void expect_row(const struct way *way, const struct answer_row *row, const char *text, bool is_event_stream)
{
    char *input = quoted(text);
    for (int is_stream = 0; is_stream < 2; is_stream++) {
        struct run run = {.way = way,
                          .input = slice_of(input),
                          .is_stream = is_stream,
                          .is_event_stream = is_event_stream,
                          .wants_json_schema = row->wants_json_schema};
        translate(&run);
        struct meaning meaning = understand_run(&run);
        const char *wanted = way->is_second ? row->second : row->first;
        EXPECT(run.is_finished && strcmp(meaning.text, wanted) == 0,
               "%s, \"%s\", %s to %s: %s\n      got    %s\n      wanted %s\n      of %.*s", way->name, row->name,
               is_event_stream ? "stream" : "document", is_stream ? "stream" : "document", run.problem, meaning.text,
               wanted, SLICE_ARGUMENTS(buffer_contents(&run.out)));
        buffer_done(&run.out);
    }
    free(input);
}

/* Each row in its two forms, for a client that streams and one that does not: all four say the same. */
TEST(documents_and_streams_mean_the_same)
{
    unsigned documents = 0, streams = 0;
    for (size_t w = 0; w < WAY_COUNT; w++) {
        for (size_t i = 0; i < ways[w].count; i++) {
            const struct answer_row *row = &ways[w].rows[i];
            documents += row->document != NULL;
            streams += row->stream != NULL;
            if (row->document)
                expect_row(&ways[w], row, row->document, false);
            if (row->stream)
                expect_row(&ways[w], row, row->stream, true);
        }
    }
    EXPECT(documents >= 40 && streams >= 40, "%u documents, %u streams", documents, streams);
}

/* ---- exact bytes, once per api ---- */

static void expect_bytes(enum api from, enum api to, const char *input, bool is_event_stream, bool is_stream,
                         const char *wanted)
{
    const struct way way = {"bytes", from, to, NULL, 0, false};
    char *text = quoted(input), *bytes = quoted(wanted);
    struct run run = {.way = &way, .input = slice_of(text), .is_event_stream = is_event_stream, .is_stream = is_stream};
    translate(&run);
    EXPECT(slice_is(buffer_contents(&run.out), bytes), "api %d of %d:\n%.*s\nwanted\n%s", (int)from, (int)to,
           SLICE_ARGUMENTS(buffer_contents(&run.out)), bytes);
    buffer_done(&run.out);
    free(text);
    free(bytes);
}

#define OUR_CHUNK(choices, usage)                                                                                      \
    "data: "                                                                                                           \
    "{'id':'chatcmpl-ours','object':'chat.completion.chunk','created':1700000000,'model':'claude-x','choices':"        \
    "[" choices "],'usage':" usage "}\n\n"
#define OUR_DELTA(delta, reason)                                                                                       \
    OUR_CHUNK("{'index':0,'delta':{" delta "},'logprobs':null,'finish_reason':" reason "}", "null")

TEST(chat_frames_are_these)
{
    expect_bytes(API_CHAT, API_MESSAGES,
                 START TEXT_BLOCK(0) TEXT(0, "a") STOP(0) TOOL(1, "t1", "f") INPUT(1, "{}") STOP(1)
                     END("tool_use", USED),
                 true, true,
                 OUR_DELTA("'role':'assistant','content':'','refusal':null", "null") OUR_DELTA("'content':'a'", "null")
                     OUR_DELTA("'tool_calls':[{'index':0,'id':'t1','type':'function','function':{'name':'f',"
                               "'arguments':''}}]",
                               "null") OUR_DELTA("'tool_calls':[{'index':0,'function':{'arguments':'{}'}}]", "null")
                         OUR_DELTA("", "'tool_calls'")
                             OUR_CHUNK("", "{'prompt_tokens':10,'completion_tokens':5,'total_tokens':15,"
                                           "'prompt_tokens_details':{'cached_tokens':0,'cache_write_tokens':0},"
                                           "'completion_tokens_details':{'reasoning_tokens':0}}") DONE);
    expect_bytes(API_CHAT, API_MESSAGES, MESSAGE("{'type':'text','text':'a'}", "end_turn", USED), false, false,
                 "{'id':'chatcmpl-ours','object':'chat.completion','created':1700000000,'model':'claude-x','choices':"
                 "[{'index':0,'message':{'role':'assistant','content':'a','refusal':null},'logprobs':null,"
                 "'finish_reason':'stop'}],'usage':{'prompt_tokens':10,'completion_tokens':5,'total_tokens':15,"
                 "'prompt_tokens_details':{'cached_tokens':0,'cache_write_tokens':0},'completion_tokens_details':{'"
                 "reasoning_tokens':0}}}");
}

TEST(messages_frames_are_these)
{
    expect_bytes(
        API_MESSAGES, API_CHAT, ROLE SAY("a") CALL(0, "c1", "f", "{}") OVER("tool_calls"), true, true,
        EVENT("message_start",
              ",'message':{'id':'msg_ours','type':'message','role':'assistant','model':'gpt-x','content':[],"
              "'stop_reason':null,'stop_sequence':null,'usage':{'input_tokens':0,'cache_creation_input_tokens':0,"
              "'cache_read_input_tokens':0,'output_tokens':0,'output_tokens_details':{'thinking_tokens':0}}}")
            TEXT_BLOCK(0) TEXT(0, "a") STOP(0) TOOL(1, "c1", "f") INPUT(1, "{}") STOP(1)
                END("tool_use", "{'input_tokens':10,'cache_creation_input_tokens':0,'cache_read_input_tokens':0,"
                                "'output_tokens':5,'output_tokens_details':{'thinking_tokens':0}}"));
    expect_bytes(
        API_MESSAGES, API_CHAT,
        COMPLETION("{'content':null,'tool_calls':[" CALLED("c1", "f", " {\\'n\\': 18446744073709551615} ") "]}",
                   "tool_calls", SPENT),
        false, false,
        "{'id':'msg_ours','type':'message','role':'assistant','model':'gpt-x','content':[{'type':'tool_use',"
        "'id':'c1','name':'f','input': {'n': 18446744073709551615} }],'stop_reason':'tool_use',"
        "'stop_sequence':null,'usage':{'input_tokens':10,'cache_creation_input_tokens':0,"
        "'cache_read_input_tokens':0,'output_tokens':5,'output_tokens_details':{'thinking_tokens':0}}}");
}

static const char *const response_event_names[] = {
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.output_item.added",
    "response.content_part.added",
    "response.refusal.delta",
    "response.refusal.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.output_item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
    "response.completed",
};

TEST(responses_events_are_these)
{
    char *input = quoted(ROLE SAY("a") CHUNK("{'refusal':'no'}", "null") CALL(0, "c1", "f", "{}") OVER("tool_calls"));
    struct run run = {.way = &ways[3], .input = slice_of(input), .is_event_stream = true, .is_stream = true};
    translate(&run);
    size_t count = 0;
    for (struct slice rest = buffer_contents(&run.out), name, data, blank; rest.length; count++) {
        if (!take_field(&rest, "event: ", &name) || !take_field(&rest, "data: ", &data) ||
            !take_field(&rest, "", &blank))
            break;
        EXPECT(count < sizeof response_event_names / sizeof *response_event_names &&
                   slice_is(name, response_event_names[count]),
               "event %zu is %.*s", count, SLICE_ARGUMENTS(name));
    }
    EXPECT_INTEGER(count, sizeof response_event_names / sizeof *response_event_names);
    buffer_done(&run.out);
    free(input);
}

TEST(responses_repeat_their_request_but_for_what_is_their_own)
{
    static const char *const rows[][2] = {
        /* echo, what the answer must then hold */
        {"", "'tools':[],'top_p':1.0"},
        {"[1]", "'temperature':1.0"},
        {"{'tools':[{'type':'function',\n'name':'f'}],\r\n'instructions':'x\\ny','temperature':0.5}",
         "'tools':[{'type':'function', 'name':'f'}]"},
        {"{'instructions':'x\\ny'}", "'instructions':'x\\ny'"},
        {"{'id':'theirs','status':'failed','output':[1],'store':true,'usage':7,'model':'m'}", "'id':'resp_ours'"},
        {"{'store':true}", "'store':false"},
        {"{'metadata':{'a':'b'},'unknown':1}", "'metadata':{'a':'b'}"},
    };
    char *input = quoted(ROLE SAY("a") OVER("stop"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *echo = quoted(rows[i][0]), *wanted = quoted(rows[i][1]);
        for (int is_stream = 0; is_stream < 2; is_stream++) {
            struct run run = {.way = &ways[3],
                              .input = slice_of(input),
                              .is_event_stream = true,
                              .is_stream = is_stream,
                              .echo = slice_of(echo)};
            translate(&run);
            EXPECT_STRING(understand_run(&run).text, "gpt-x; text a; completed; 10/0/0/5/0/15");
            CU_ASSERT(buffer_append(&run.out, (struct slice){"", 1}));
            EXPECT(strstr(run.out.data, wanted) != NULL, "row %zu: %s", i, run.out.data);
            buffer_done(&run.out);
        }
        free(echo);
        free(wanted);
    }
    free(input);
}

TEST(usage_is_shown_only_to_clients_that_ask)
{
    char *input = quoted(START TEXT_BLOCK(0) TEXT(0, "a") STOP(0) END("end_turn", USED));
    struct run run = {
        .way = &ways[0], .input = slice_of(input), .is_event_stream = true, .is_stream = true, .asks_no_usage = true};
    translate(&run);
    EXPECT_STRING(understand_run(&run).text, "claude-x; text a; stop; -");
    CU_ASSERT(buffer_append(&run.out, (struct slice){"", 1}));
    EXPECT(!strstr(run.out.data, "usage"), "%s", run.out.data);
    buffer_done(&run.out);
    free(input);
}

/* What has come is passed on at once, not at the end. */
TEST(text_goes_on_as_it_comes)
{
    for (size_t w = 0; w < WAY_COUNT; w++) {
        char *input = quoted(ways[w].to == API_CHAT ? ROLE SAY("early") : START TEXT_BLOCK(0) TEXT(0, "early"));
        struct run run = {.way = &ways[w], .input = slice_of(input), .is_event_stream = true, .is_stream = true};
        translate(&run);
        CU_ASSERT(buffer_append(&run.out, (struct slice){"", 1}));
        EXPECT(!run.is_finished && strstr(run.out.data, "early"), "%s: %s", ways[w].name, run.out.data);
        buffer_done(&run.out);
        free(input);
    }
}

/* ---- however it is cut and framed ---- */

static void expect_same(struct run *run, const struct buffer *wanted, const char *row, const char *how, size_t cut)
{
    translate(run);
    EXPECT(run->is_finished && slice_is_equal(buffer_contents(&run->out), buffer_contents(wanted)),
           "%s, \"%s\", %s %zu: %.*s", run->way->name, row, how, cut, SLICE_ARGUMENTS(buffer_contents(&run->out)));
    buffer_done(&run->out);
}

/* Every line end replaced; a comment and an empty event before each event; data in several lines. */
static char *reframe(const char *stream, const char *line_end, const char *before, bool splits_data)
{
    char *text = malloc(strlen(stream) * 4 + 4096), *at = text;
    bool is_start = true;
    for (const char *from = stream; *from; from++) {
        if (is_start && *from != '\n')
            at = stpcpy(at, before);
        is_start = *from == '\n';
        if (*from == '\n') {
            at = stpcpy(at, line_end);
        } else {
            *at++ = *from;
            if (splits_data && *from == '{' && strncmp(from - 6, "data: ", 6) == 0)
                at = stpcpy(stpcpy(at, line_end), "data:");
        }
    }
    *at = '\0';
    return text;
}

static void expect_reframed(const struct run *run, const char *row)
{
    static const struct {
        const char *name, *line_end, *before;
        bool splits_data;
    } forms[] = {
        {"CRLF", "\r\n", "", false},
        {"CR", "\r", "", false},
        {"comments", "\n", ":ok\n", false},
        {"data in lines", "\n", "", true},
        {"all of it", "\r\n", ": x\r\nid: 7\r\nretry: 1\r\n", true},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char *stream = reframe(run->input.data, forms[i].line_end, forms[i].before, forms[i].splits_data);
        struct run again = *run;
        again.input = slice_of(stream);
        expect_same(&again, &run->out, row, forms[i].name, 0);
        again.cut = again.step = 1;
        expect_same(&again, &run->out, row, forms[i].name, 1);
        free(stream);
    }
}

TEST(streams_are_the_same_at_every_cut)
{
    for (size_t w = 0; w < WAY_COUNT; w++) {
        for (size_t i = 0; i < ways[w].count; i++) {
            const struct answer_row *row = &ways[w].rows[i];
            char *input = row->stream ? quoted(row->stream) : NULL;
            if (!input)
                continue;
            struct run run = {.way = &ways[w],
                              .input = slice_of(input),
                              .is_event_stream = true,
                              .is_stream = true,
                              .wants_json_schema = row->wants_json_schema};
            translate(&run);
            struct run again = run;
            for (again.cut = 1; again.cut < run.input.length; again.cut++)
                expect_same(&again, &run.out, row->name, "cut at", again.cut);
            again.cut = again.step = 1;
            expect_same(&again, &run.out, row->name, "step", 1);
            expect_reframed(&run, row->name);
            buffer_done(&run.out);
            free(input);
        }
    }
}

/* ---- never an end that the target did not say ---- */

static bool holds(struct slice text, const char *word)
{
    return memmem(text.data, text.length, word, strlen(word)) != NULL;
}

/* The target's last event, told from its bytes alone. */
static bool has_said_its_end(enum api to, struct slice input)
{
    return holds(input, to == API_CHAT ? "[DONE]" : "message_stop");
}

static void expect_honest(struct run *run, const char *name)
{
    translate(run);
    struct assembly assembly = assemble(run->way->from, buffer_contents(&run->out));
    EXPECT(!assembly.error, "%s, \"%s\": %s\n%.*s\nof\n%.*s", run->way->name, name, assembly.error,
           SLICE_ARGUMENTS(buffer_contents(&run->out)), SLICE_ARGUMENTS(run->input));
    EXPECT(assembly.is_over == (run->is_finished && run->is_stream), "%s, \"%s\": over %d, finished %d: %.*s",
           run->way->name, name, assembly.is_over, run->is_finished, SLICE_ARGUMENTS(run->input));
    EXPECT(!assembly.is_over || has_said_its_end(run->way->to, run->input), "%s, \"%s\": an end that nobody said: %.*s",
           run->way->name, name, SLICE_ARGUMENTS(run->input));
    json_decref(assembly.document);
    buffer_done(&run->out);
}

TEST(a_stream_that_was_cut_short_never_ends)
{
    for (size_t w = 0; w < WAY_COUNT; w++) {
        for (size_t i = 0; i < ways[w].count; i++) {
            const struct answer_row *row = &ways[w].rows[i];
            char *input = row->stream ? quoted(row->stream) : NULL;
            for (size_t length = 0; input && length < strlen(input); length++) {
                struct run run = {.way = &ways[w],
                                  .input = {input, length},
                                  .is_event_stream = true,
                                  .is_stream = true,
                                  .wants_json_schema = row->wants_json_schema};
                expect_honest(&run, row->name);
            }
            free(input);
        }
    }
}

TEST(a_document_that_was_cut_short_is_no_answer)
{
    for (size_t w = 0; w < WAY_COUNT; w++) {
        for (size_t i = 0; i < ways[w].count; i++) {
            const struct answer_row *row = &ways[w].rows[i];
            char *input = row->document ? quoted(row->document) : NULL;
            for (size_t length = 0; input && length < strlen(input); length++) {
                struct run run = {.way = &ways[w], .input = {input, length}, .is_stream = length % 2};
                translate(&run);
                EXPECT(!run.is_finished && buffer_length(&run.out) == 0, "%s, \"%s\" at %zu", ways[w].name, row->name,
                       length);
                buffer_done(&run.out);
            }
            free(input);
        }
    }
}

/* Answers that fail: what the problem must name, and that nothing looks like an end. */
TEST(broken_answers_fail_with_a_problem)
{
    static const struct {
        const char *problem, *input;
        enum api to;
        bool is_event_stream;
    } rows[] = {
        {"overloaded", START TEXT_BLOCK(0) TEXT(0, "a") EVENT("error", ",'error':{'type':'overloaded_error'}") DONE,
         API_MESSAGES, true},
        {"rate limit", EVENT("error", ",'error':{'type':'rate_limit_error','message':'x'}"), API_MESSAGES, true},
        {"with an error", START EVENT("error", "") END("end_turn", USED), API_MESSAGES, true},
        {"does not begin", TEXT_BLOCK(0) START END("end_turn", USED), API_MESSAGES, true},
        {"malformed", START START END("end_turn", USED), API_MESSAGES, true},
        {"malformed", START "data: {'type':\n\n" END("end_turn", USED), API_MESSAGES, true},
        {"malformed", START "data: [DONE]\n\n" END("end_turn", USED), API_MESSAGES, true},
        {"malformed", START TEXT_BLOCK(0) TEXT(0, "\xc3") TEXT(0, "\xa9") END("end_turn", USED), API_MESSAGES, true},
        {"malformed", START TEXT_BLOCK(0) TEXT(0, "\\ud83d") END("end_turn", USED), API_MESSAGES, true},
        {"malformed", START EVENT("content_block_start", "") END("end_turn", USED), API_MESSAGES, true},
        {"malformed", START EVENT("content_block_stop", ",'index':-1") END("end_turn", USED), API_MESSAGES, true},
        {"cannot be translated", START BLOCK(0, "{'type':'server_tool_use','id':'a','name':'b'}") END("end_turn", USED),
         API_MESSAGES, true},
        {"not open", START TEXT_BLOCK(0) INPUT(0, "{}") END("end_turn", USED), API_MESSAGES, true},
        {"not open", START TOOL(0, "t", "f") STOP(0) INPUT(0, "{}") END("end_turn", USED), API_MESSAGES, true},
        {"without a name", START TOOL(0, "t", "") STOP(0) END("tool_use", USED), API_MESSAGES, true},
        {"why it stopped", START TEXT_BLOCK(0) TEXT(0, "a") STOP(0) EVENT("message_stop", ""), API_MESSAGES, true},
        {"before its last",
         START TEXT_BLOCK(0) TEXT(0, "a") STOP(0) EVENT("message_delta", ",'delta':{'stop_reason':'end_turn'}"),
         API_MESSAGES, true},
        {"before its last", "", API_MESSAGES, true},
        {"overloaded", "{'type':'error','error':{'type':'overloaded_error','message':'x'}}", API_MESSAGES, false},
        {"no message", "{'type':'message'}", API_MESSAGES, false},
        {"malformed", "", API_MESSAGES, false},
        {"malformed", "<html>", API_MESSAGES, false},
        {"why it stopped", "{'content':[{'type':'text','text':'a'}],'stop_reason':null}", API_MESSAGES, false},
        {"cannot be translated", MESSAGE("{'type':'image'}", "end_turn", USED), API_MESSAGES, false},
        {"malformed", MESSAGE("7", "end_turn", USED), API_MESSAGES, false},
        {"with an error", ROLE SAY("a") DATA("{'error':{'message':'x','type':'server_error'}}") DONE, API_CHAT, true},
        {"cannot pay", ROLE DATA("{'error':{'message':'x','type':'insufficient_quota'}}") OVER("stop"), API_CHAT, true},
        {"with an error", ROLE DATA("{'error':'x'}") OVER("stop"), API_CHAT, true},
        {"with an error", ROLE "event: error\ndata: {'message':'x'}\n\n" OVER("stop"), API_CHAT, true},
        {"with an error", ROLE SAY("a") OVER("error"), API_CHAT, true},
        {"no chat completion", ROLE DATA("{'x':1}") OVER("stop"), API_CHAT, true},
        {"malformed", ROLE DATA("{'choices':[7,}") OVER("stop"), API_CHAT, true},
        {"malformed", ROLE DATA("oops") OVER("stop"), API_CHAT, true},
        {"why it stopped", DONE, API_CHAT, true},
        {"why it stopped", ROLE SAY("a") DONE, API_CHAT, true},
        {"before its last", ROLE SAY("a") FINISH("stop") USAGE_CHUNK(SPENT), API_CHAT, true},
        {"without a name",
         ROLE CHUNK("{'tool_calls':[{'index':0,'function':{'arguments':'{}'}}]}", "null") OVER("tool_calls"), API_CHAT,
         true},
        {"custom tool",
         ROLE CHUNK("{'tool_calls':[{'index':0,'id':'c','custom':{'name':'f','input':'x'}}]}", "null")
             OVER("tool_calls"),
         API_CHAT, true},
        {"no choice", "{'choices':[]}", API_CHAT, false},
        {"no chat completion", "{'object':'list'}", API_CHAT, false},
        {"cannot pay", "{'error':{'type':'insufficient_quota'},'choices':[]}", API_CHAT, false},
        {"why it stopped", "{'choices':[{'message':{'content':'a'}}]}", API_CHAT, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *input = quoted(rows[i].input);
        for (size_t w = 0; w < WAY_COUNT; w++) {
            if (ways[w].to != rows[i].to)
                continue;
            struct run run = {.way = &ways[w],
                              .input = slice_of(input),
                              .is_event_stream = rows[i].is_event_stream,
                              .is_stream = true};
            for (size_t step = 0; step < 2; step++) {
                run.cut = run.step = step;
                expect_honest(&run, rows[i].input);
                EXPECT(!run.is_finished && strstr(run.problem, rows[i].problem), "row %zu, %s: \"%s\" lacks \"%s\"", i,
                       ways[w].name, run.problem, rows[i].problem);
            }
        }
        free(input);
    }
}

/* ---- bounds ---- */

static char *repeat(const char *head, const char *piece, unsigned count, const char *tail)
{
    char *text = malloc(strlen(head) + strlen(tail) + count * (strlen(piece) + 16) + 1), *at = stpcpy(text, head);
    for (unsigned i = 0; i < count; i++) /* '#' is the number */
        for (const char *from = piece; *from; from++)
            at += *from == '#' ? sprintf(at, "%u", i) : sprintf(at, "%c", *from);
    stpcpy(at, tail);
    return text;
}

static void expect_bound(const char *problem, char *unquoted, enum api to, struct run limits)
{
    char *input = quoted(unquoted);
    for (size_t w = 0; w < WAY_COUNT; w++) {
        if (ways[w].to != to)
            continue;
        struct run run = limits;
        run.way = &ways[w];
        run.input = slice_of(input);
        run.is_stream = true;
        expect_honest(&run, problem ? problem : "within its bounds");
        EXPECT(problem ? !run.is_finished && strstr(run.problem, problem) : run.is_finished,
               "%s: \"%s\", wanted \"%s\"", ways[w].name, run.problem, problem ? problem : "no problem");
    }
    free(input);
    free(unquoted);
}

#define EACH_CALL                                                                                                      \
    "data: "                                                                                                           \
    "{'choices':[{'delta':{'tool_calls':[{'index':#,'id':'c#','function':{'name':'f','arguments':'{}'}}]}}]}\n\n"
#define EACH_TURN "data: {'choices':[{'delta':{'content':'a'}}]}\n\ndata: {'choices':[{'delta':{'refusal':'b'}}]}\n\n"

TEST(answers_are_bounded)
{
    const struct run stream = {.is_event_stream = true}, document = {0};
    struct run limits = stream;
    expect_bound(NULL, repeat(ROLE, EACH_CALL, 128, OVER("tool_calls")), API_CHAT, stream);
    expect_bound("too many tool calls", repeat(ROLE, EACH_CALL, 129, OVER("tool_calls")), API_CHAT, stream);
    expect_bound(NULL, repeat(ROLE, EACH_TURN, 256, OVER("stop")), API_CHAT, stream);
    expect_bound("too many parts", repeat(ROLE, EACH_TURN, 257, OVER("stop")), API_CHAT, stream);
    /* Arguments that wait for an earlier call are bounded, those that pass are not held. */
    limits.document_max = 4096;
    expect_bound("exceeds its bound",
                 repeat(ROLE CALL(0, "c1", "f", "") CALL(1, "c2", "g", ""), MORE(1, "0123456789abcdef#"), 300,
                        OVER("tool_calls")),
                 API_CHAT, limits);
    /* … all of them together. */
    expect_bound("exceeds its bound",
                 repeat(ROLE CALL(0, "c1", "f", "") CALL(1, "c2", "g", "") CALL(2, "c3", "h", ""),
                        MORE(1, "0123456789abcdef") MORE(2, "0123456789abcdef"), 200, OVER("tool_calls")),
                 API_CHAT, limits);
    expect_bound(NULL,
                 repeat(ROLE CALL(0, "c1", "f", "") CALL(1, "c2", "g", ""), MORE(1, "0123456789abcdef"), 200,
                        OVER("tool_calls")),
                 API_CHAT, limits);
    /* An event past its bound: whether its end follows in the same piece, or it comes byte by byte. */
    limits = stream;
    limits.event_max = 400;
    expect_bound(
        "an event of the target",
        repeat(ROLE SAY("a") "data: {'choices':[{'delta':{'content':'", "0123456789", 60, "'}}]}\n\n" OVER("stop")),
        API_CHAT, limits);
    limits.cut = limits.step = 1;
    expect_bound(
        "an event of the target",
        repeat(ROLE SAY("a") "data: {'choices':[{'delta':{'content':'", "0123456789", 60, "'}}]}\n\n" OVER("stop")),
        API_CHAT, limits);
    limits = document;
    limits.document_max = 500;
    expect_bound("exceeds its bound",
                 repeat("{'content':[{'type':'text','text':'", "x", 600, "'}],'stop_reason':'end_turn'}"), API_MESSAGES,
                 limits);
    expect_bound("malformed", repeat("{'content':", "[", 200, ""), API_MESSAGES, document);
}

static size_t length_of(const struct run *model)
{
    struct run run = *model;
    run.out_max = 0;
    translate(&run);
    size_t length = buffer_length(&run.out);
    buffer_done(&run.out);
    return length;
}

/* At every size of `out` that is too small: whole frames, and no end. */
TEST(a_full_buffer_holds_whole_frames)
{
    for (size_t w = 0; w < WAY_COUNT; w++) {
        char *input = quoted(ways[w].rows[3].stream);
        struct run run = {.way = &ways[w], .input = slice_of(input), .is_event_stream = true, .is_stream = true};
        size_t length = length_of(&run);
        for (run.out_max = 1; run.out_max < length; run.out_max++) {
            expect_honest(&run, "full");
            EXPECT(!run.is_finished && strstr(run.problem, "buffer"), "%s at %zu: %s", ways[w].name, run.out_max,
                   run.problem);
        }
        run.is_stream = false;
        length = length_of(&run);
        for (run.out_max = 1; run.out_max < length; run.out_max++) {
            translate(&run);
            EXPECT(!run.is_finished && buffer_length(&run.out) == 0, "%s at %zu", ways[w].name, run.out_max);
            buffer_done(&run.out);
        }
        free(input);
    }
}

/* A long answer passes in a buffer that the client empties: nothing of it is kept but for Responses. */
TEST(long_streams_take_no_memory)
{
    char *begin = quoted(ROLE), *piece = quoted(SAY("0123456789")), *end = quoted(OVER("stop"));
    struct translate_facts facts = {.from = API_MESSAGES, .to = API_CHAT, .is_streaming = true, .dropped = ""};
    struct translate_answer answer = {&facts, "m", "i", 1, true, 1000, 4096};
    struct translation *translation = translation_new(&answer);
    struct buffer out;
    bool is_ok = true;
    buffer_init(&out, 4096);
    CU_ASSERT(translation_feed(translation, slice_of(begin), &out));
    for (unsigned i = 0; i < 10000 && is_ok; i++) {
        is_ok = translation_feed(translation, slice_of(piece), &out);
        buffer_consume(&out, buffer_length(&out));
    }
    CU_ASSERT(translation_feed(translation, slice_of(end), &out) && translation_finish(translation, &out));
    EXPECT(is_ok, "%s", translation_problem(translation));
    translation_free(translation);
    translation_free(NULL);
    buffer_done(&out);
    free(begin);
    free(piece);
    free(end);
}

/* ---- hostile streams ---- */

static uint64_t random_state = 0x9e3779b97f4a7c15;

static size_t draw(size_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return below ? (size_t)(random_state % below) : 0;
}

static const char *draw_stream(const struct way *way)
{
    const char *stream = NULL;
    while (!stream)
        stream = way->rows[draw(way->count)].stream;
    return stream;
}

static const char *const tokens[] = {
    "\n",
    "\r",
    "\n\n",
    "data: ",
    "event: error\n",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "\xff",
    "\xc3",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "true",
    "-1",
    "1e999",
    "18446744073709551616",
    "\"index\":",
    "\"index\":1",
    "\"index\":0",
    "[DONE]",
    "data: [DONE]\n\n",
    "\"tool_use\"",
    "\"text\"",
    "\"thinking\"",
    "\"message_stop\"",
    "\"finish_reason\":\"stop\"",
    "{\"error\":{}}",
    "\"id\":\"\"",
    "\"name\":\"\"",
};

/* One change: a byte, a token put in, a range gone or said twice, a piece of another stream. */
static size_t mutate(char *text, size_t length, size_t length_max, const struct way *way)
{
    size_t at = draw(length + 1), count = draw(1 + (length - at < 200 ? length - at : 200));
    const char *piece = tokens[draw(sizeof tokens / sizeof *tokens)];
    size_t bytes = strlen(piece);
    switch (draw(5)) {
    case 0:
        if (at < length)
            text[at] = (char)draw(256);
        return length;
    case 1:
        memmove(text + at, text + at + count, length - at - count);
        return length - count;
    case 2:
        piece = text + at;
        bytes = count;
        break;
    case 3: {
        const char *other = draw_stream(way);
        size_t other_length = strlen(other);
        piece = other + draw(other_length);
        bytes = draw(strlen(piece) + 1);
        break;
    }
    default:
        break;
    }
    if (length + bytes > length_max)
        return length;
    char *copy = malloc(bytes + 1);
    memcpy(copy, piece, bytes);
    memmove(text + at + bytes, text + at, length - at);
    for (size_t i = 0; i < bytes; i++)
        text[at + i] = (char)(copy[i] == '\'' ? '"' : copy[i]);
    free(copy);
    return length + bytes;
}

/* Whole events swapped, dropped or said twice: mutations that stay JSON. */
static size_t mutate_events(char *text, size_t length)
{
    char *events[256], *copy = malloc(length + 1);
    size_t count = 0, done = 0;
    memcpy(copy, text, length);
    copy[length] = '\0';
    for (char *at = copy; count < 255 && *at;) {
        char *end = strstr(at, "\n\n");
        events[count++] = at;
        if (!end)
            break;
        *end = '\0';
        at = end + 2;
    }
    for (size_t i = 0, swaps = draw(4); count && i < swaps; i++)
        events[draw(count)] = events[draw(count)];
    for (size_t i = 0; i < count && done + strlen(events[i]) + 2 <= length; i++)
        done += (size_t)sprintf(text + done, "%s\n\n", events[i]);
    free(copy);
    return done;
}

TEST(mutated_streams_stay_well_formed_and_honest)
{
    enum { MUTATIONS = 100000, LENGTH_MAX = 16384 };
    char *text = malloc(LENGTH_MAX + 1);
    unsigned finished = 0, failed = 0;
    for (unsigned i = 0; i < MUTATIONS && CU_get_number_of_failures() < 20; i++) {
        const struct way *way = &ways[draw(WAY_COUNT)];
        char *stream = quoted(draw_stream(way));
        size_t length = strlen(stream);
        memcpy(text, stream, length);
        free(stream);
        if (draw(2))
            length = mutate_events(text, length);
        for (size_t changes = draw(4); changes > 0; changes--)
            length = mutate(text, length, LENGTH_MAX, way);
        struct run run = {.way = way,
                          .input = {text, length},
                          .is_event_stream = true,
                          .is_stream = true,
                          .wants_json_schema = draw(4) == 0,
                          .asks_no_usage = draw(2),
                          .cut = draw(length + 1),
                          .step = draw(300)};
        if (draw(10) == 0)
            run.out_max = 1 + draw(4000);
        if (draw(10) == 0)
            run.event_max = 1 + draw(400);
        if (draw(10) == 0)
            run.document_max = 1 + draw(100);
        expect_honest(&run, "mutated");
        finished += run.is_finished;
        failed += !run.is_finished;
    }
    EXPECT(finished > MUTATIONS / 20 && failed > MUTATIONS / 20, "%u finished, %u failed", finished, failed);
    free(text);
}
