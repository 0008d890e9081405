/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests from one api to another: pairs, round trips, what answers must know, every member of the apis' schemas, and
 * bodies of the wrong kinds everywhere: what is accepted keeps to the target's rules, whatever came in.
 */
#include "suite.h"
#include "translate/translate.h"

#include <time.h>

#include "translate_request_cases.h"
#include "translate_request_rules.h"

enum { MUTATIONS = 120000 };

struct outcome {
    enum error error;
    struct slice body;
    struct translate_facts facts;
    const char *problem;
};

static struct outcome translate(struct arena *arena, enum api from, enum api to, struct slice body)
{
    struct outcome outcome = {.problem = ""};
    struct translate_request request = {.from = from, .to = to, .body = body, .model = "t", .output_tokens_max = 1000};
    outcome.error = translate_request(&request, arena, &outcome.body, &outcome.facts, &outcome.problem);
    return outcome;
}

/* ' for ", so that bodies can be read in C. */
static struct slice quoted(struct arena *arena, const char *text)
{
    char *copy = arena_strdup(arena, text);
    for (char *at = copy; *at; at++)
        if (*at == '\'')
            *at = '"';
    return slice_of(copy);
}

static json_t *parse(struct slice text)
{
    return json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
}

static const char *rules_broken(enum api to, struct slice text)
{
    json_t *body = parse(text);
    const char *broken = !body ? "valid JSON" : to == API_CHAT ? rules_of_chat(body) : rules_of_messages(body);
    json_decref(body);
    return broken;
}

static void expect_body(const struct case_row *row, const struct outcome *outcome, struct arena *arena)
{
    json_t *wanted = parse(quoted(arena, row->out)), *got = parse(outcome->body);
    EXPECT(wanted != NULL, "line %d: the wanted body is no JSON", row->line);
    EXPECT(got && json_equal(wanted, got), "line %d: got " SLICE_FORMAT, row->line, SLICE_ARGUMENTS(outcome->body));
    EXPECT(strcmp(outcome->facts.dropped, row->dropped ? row->dropped : "") == 0, "line %d: dropped \"%s\"", row->line,
           outcome->facts.dropped);
    const char *broken = rules_broken(row->to, outcome->body);
    EXPECT(!broken, "line %d: breaks the rule of %s", row->line, broken);
    json_decref(wanted);
    json_decref(got);
}

TEST(pairs)
{
    for (size_t i = 0; i < sizeof case_rows / sizeof *case_rows; i++) {
        const struct case_row *row = &case_rows[i];
        struct arena *arena = arena_new(4096);
        struct outcome outcome = translate(arena, row->from, row->to, quoted(arena, row->in));
        EXPECT(outcome.error == row->error, "line %d: %s, %s", row->line, error_row(outcome.error)->name,
               outcome.problem);
        if (outcome.error == ERROR_OK && row->out)
            expect_body(row, &outcome, arena);
        size_t length = row->place ? strlen(row->place) : 0;
        if (row->place)
            EXPECT(strncmp(outcome.problem, row->place, length) == 0 && strchr(" :", outcome.problem[length]),
                   "line %d: %s", row->line, outcome.problem);
        arena_free(arena);
    }
    CU_ASSERT(sizeof case_rows / sizeof *case_rows >= 80);
}

TEST(known_pairs)
{
    CU_ASSERT(translate_is_known(API_CHAT, API_MESSAGES) && translate_is_known(API_RESPONSES, API_MESSAGES));
    CU_ASSERT(translate_is_known(API_MESSAGES, API_CHAT) && translate_is_known(API_RESPONSES, API_CHAT));
    CU_ASSERT(!translate_is_known(API_CHAT, API_CHAT) && !translate_is_known(API_MESSAGES, API_RESPONSES));
    CU_ASSERT(!translate_is_known(API_CHAT, API_GENERATE) && !translate_is_known(API_NONE, API_CHAT));
}

TEST(problems_say_why)
{
    struct arena *arena = arena_new(4096);
    struct outcome outcome = translate(arena, API_CHAT, API_MESSAGES,
                                       quoted(arena, CM(U("'a'") "," B("'b'") "," U("'c'") "," U(
                                                         "[{'type':'text','text':'x'},{'type':'input_audio'}]"))));
    EXPECT_STRING(outcome.problem,
                  "messages[3].content[1].input_audio cannot be translated to Anthropic Messages: audio "
                  "has no equivalent");
    outcome = translate(arena, API_CHAT, API_MESSAGES, quoted(arena, "{'model':'m','messages':[{'role':'user'}]}"));
    EXPECT_STRING(outcome.problem, "messages[0].content: is required");
    arena_free(arena);
}

TEST(problems_show_no_values_and_are_short)
{
    struct arena *arena = arena_new(4096);
    char *body = arena_alloc(arena, 100000);
    strcpy(body, "{\"model\":\"m\",\"messages\":[],\"");
    memset(body + strlen(body), 'x', 90000);
    strcat(body, "\":\"secret\"}");
    struct outcome outcome = translate(arena, API_CHAT, API_MESSAGES, slice_of(body));
    EXPECT_INTEGER(outcome.error, ERROR_NO_TRANSLATION);
    CU_ASSERT(strlen(outcome.problem) < 300 && !strstr(outcome.problem, "secret"));
    arena_free(arena);
}

/* ---- facts ---- */

TEST(facts_of_a_stream)
{
    struct arena *arena = arena_new(4096);
    struct outcome outcome = translate(arena, API_CHAT, API_MESSAGES,
                                       quoted(arena, C("'stream':true,'stream_options':{'include_usage':true}")));
    CU_ASSERT(outcome.facts.is_streaming && outcome.facts.asks_usage && !outcome.facts.wants_json_schema);
    CU_ASSERT(outcome.facts.from == API_CHAT && outcome.facts.to == API_MESSAGES && outcome.facts.echo.length == 0);
    outcome = translate(arena, API_CHAT, API_MESSAGES, quoted(arena, C("'stream':true,'stream_options':null")));
    CU_ASSERT(outcome.facts.is_streaming && !outcome.facts.asks_usage);
    outcome =
        translate(arena, API_CHAT, API_MESSAGES,
                  quoted(arena, C("'response_format':{'type':'json_schema','json_schema':{'name':'s','schema':{}}}")));
    CU_ASSERT(!outcome.facts.is_streaming && outcome.facts.wants_json_schema);
    outcome = translate(arena, API_MESSAGES, API_CHAT,
                        quoted(arena, M("'output_format':{'type':'json_schema','schema':{}}")));
    CU_ASSERT(outcome.error == ERROR_OK && !outcome.facts.wants_json_schema);
    arena_free(arena);
}

TEST(responses_echo)
{
    struct arena *arena = arena_new(4096);
    struct outcome outcome = translate(
        arena, API_RESPONSES, API_MESSAGES,
        quoted(arena, R("'instructions':'s','temperature':0.7,'tools':[{'type':'function','name':'f','strict':true}],"
                        "'metadata':{'k':'v'},'reasoning':{'effort':'low'},'store':false,'user':null")));
    json_t *echo = parse(outcome.facts.echo),
           *wanted = parse(quoted(arena, "{'instructions':'s','temperature':0.7,'tools':[{'type':'function','name':'f',"
                                         "'strict':true}],'metadata':{'k':'v'},'reasoning':{'effort':'low'}}"));
    EXPECT(json_equal(echo, wanted), SLICE_FORMAT, SLICE_ARGUMENTS(outcome.facts.echo));
    CU_ASSERT(memmem(outcome.facts.echo.data, outcome.facts.echo.length, "0.7,", 4) != NULL);
    json_decref(echo);
    json_decref(wanted);
    arena_free(arena);
}

TEST(limit_of_output)
{
    struct arena *arena = arena_new(4096);
    struct translate_request request = {.from = API_CHAT, .to = API_MESSAGES, .model = "t"};
    struct slice body;
    struct translate_facts facts;
    const char *problem = "";
    request.body = quoted(arena, "{'model':'m'," HI "}");
    EXPECT_INTEGER(translate_request(&request, arena, &body, &facts, &problem), ERROR_NO_TRANSLATION);
    request.from = API_MESSAGES;
    request.to = API_CHAT;
    request.output_max_member = "max_completion_tokens";
    request.body = quoted(arena, "{'model':'m','max_tokens':3," HI "}");
    EXPECT_INTEGER(translate_request(&request, arena, &body, &facts, &problem), ERROR_OK);
    CU_ASSERT(memmem(body.data, body.length, "\"max_completion_tokens\":3", 25) != NULL);
    arena_free(arena);
}

/* ---- ids ---- */

/* Compatible providers that begin again at call_0 in each turn: Anthropic's ids are unique in the conversation. The
 * beginning of a conversation stays the same as it grows. */
TEST(ids_are_unique_and_stable)
{
    static const char turn[] = ",{'role':'assistant','tool_calls':[" CALL(
        "call_0", "f", "{}") "]},{'role':'tool','tool_call_id':'call_0','content':'r'}";
    struct arena *arena = arena_new(4096);
    char text[4096] = "{'model':'m','tools':[" FN("f") "],'messages':[" U("'a'");
    struct slice last = {NULL, 0};
    for (int i = 0; i < 3; i++) {
        strcat(text, turn);
        struct outcome outcome =
            translate(arena, API_CHAT, API_MESSAGES, quoted(arena, arena_printf(arena, "%s]}", text)));
        EXPECT_INTEGER(outcome.error, ERROR_OK);
        const char *broken = rules_broken(API_MESSAGES, outcome.body);
        EXPECT(!broken, "%s", broken);
        const char *end = last.data ? memmem(last.data, last.length, "]}],\"tools\"", 11) : NULL;
        CU_ASSERT(!last.data || (end && strncmp(last.data, outcome.body.data, (size_t)(end - last.data)) == 0));
        last = outcome.body;
    }
    arena_free(arena);
}

TEST(long_ids_are_cut_for_chat)
{
    struct arena *arena = arena_new(4096);
    static const char id[] = "toolu_0123456789012345678901234567890123456789";
    struct outcome outcome =
        translate(arena, API_MESSAGES, API_CHAT,
                  quoted(arena, arena_printf(arena,
                                             MM(U("'a'") "," B("[" USE("%s", "f", "{}") "]") "," U(
                                                 "[{'type':'tool_result','tool_use_id':'%s','content':'r'}]")),
                                             id, id)));
    EXPECT_INTEGER(outcome.error, ERROR_OK);
    const char *broken = rules_broken(API_CHAT, outcome.body);
    EXPECT(!broken, "%s", broken);
    arena_free(arena);
}

/* ---- round trips ---- */

static const char *const round_trips[] = {
    "{'model':'t','max_tokens':9," HI "}",
    "{'model':'t','max_tokens':9,'messages':[{'role':'system','content':'s'}," U(
        "[{'type':'text','text':'a \xc3\xa9 \\u0000 \\n'},{'type':'image_url','image_url':{'url':'" PNG
        "'}}]") "," B("'b'") "," U("'c'") "]}",
    "{'model':'t','max_tokens':9,'tools':[" FN("f") "," FN("g") "],'tool_choice':'auto','messages':[" U(
        "'a'") ",{'role':'assistant','content':'see','tool_calls':"
               "[" CALL("c1", "f", "{\\'x\\':[1,0.1,null]}") "," CALL("c2", "g", "{}") "]},{"
                                                                                       "'rol"
                                                                                       "e':'"
                                                                                       "tool"
                                                                                       "','"
                                                                                       "tool"
                                                                                       "_cal"
                                                                                       "l_"
                                                                                       "id':"
                                                                                       "'c1'"
                                                                                       ",'"
                                                                                       "cont"
                                                                                       "ent'"
                                                                                       ":'"
                                                                                       "one'"
                                                                                       "},{'"
                                                                                       "role"
                                                                                       "':'"
                                                                                       "tool"
                                                                                       "','"
                                                                                       "tool"
                                                                                       "_cal"
                                                                                       "l_"
                                                                                       "id':"
                                                                                       "'c2'"
                                                                                       ","
                                                                                       "'con"
                                                                                       "tent"
                                                                                       "':'"
                                                                                       "two'"
                                                                                       "}"
                                                                                       "," U("'go on'") "]}",
    "{'model':'t','max_tokens':9,'temperature':0.1,'stop':['x'],'user':'u','stream':true,'stream_options':"
    "{'include_usage':true}," HI "}",
    "{'model':'t','max_tokens':9,'tools':[" FN("f") "],'tool_choice':{'type':'function','function':{'name':'f'}},"
                                                    "'parallel_tool_calls':false," HI "}",
};

TEST(round_trip_keeps_what_was_said)
{
    for (size_t i = 0; i < sizeof round_trips / sizeof *round_trips; i++) {
        struct arena *arena = arena_new(4096);
        struct slice chat = quoted(arena, round_trips[i]);
        struct outcome there = translate(arena, API_CHAT, API_MESSAGES, chat);
        EXPECT(there.error == ERROR_OK, "%zu: %s", i, there.problem);
        struct outcome back = translate(arena, API_MESSAGES, API_CHAT, there.body);
        EXPECT(back.error == ERROR_OK, "%zu: %s", i, back.problem);
        json_t *wanted = parse(chat), *got = parse(back.body);
        EXPECT(json_equal(wanted, got), "%zu: " SLICE_FORMAT, i, SLICE_ARGUMENTS(back.body));
        json_decref(wanted);
        json_decref(got);
        arena_free(arena);
    }
}

/* ---- every member of the schemas ---- */

/* The request members of the providers' published schemas (their SDKs' types of 2026-08), separated by spaces. */
static const struct {
    enum api from, to;
    const char *before, *after, *names;
} schemas[] = {
    {API_CHAT, API_MESSAGES, "{'model':'m','messages':[],", "}",
     "messages model audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens "
     "max_tokens "
     "metadata modalities moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key "
     "prompt_cache_options prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier "
     "stop store stream stream_options temperature tool_choice tools top_logprobs top_p user verbosity "
     "web_search_options"},
    {API_CHAT, API_MESSAGES, "{'model':'m','messages':[{'role':'assistant',", "}]}",
     "audio content function_call name refusal tool_calls annotations"},
    {API_CHAT, API_MESSAGES, "{'model':'m','messages':[{'role':'user',", "}]}", "content name"},
    {API_CHAT, API_MESSAGES, "{'model':'m','messages':[{'role':'system',", "}]}", "content name"},
    {API_CHAT, API_MESSAGES, "{'model':'m','messages':[{'role':'tool',", "}]}", "content tool_call_id"},
    {API_CHAT, API_MESSAGES, "{'model':'m','messages':[{'role':'user','content':[{'type':'text',", "}]}]}",
     "text prompt_cache_breakpoint"},
    {API_CHAT, API_MESSAGES, "{'model':'m','messages':[{'role':'user','content':[{'type':'image_url',", "}]}]}",
     "image_url prompt_cache_breakpoint"},
    {API_CHAT, API_MESSAGES, "{'model':'m','messages':[{'role':'user','content':[{'type':'file','file':{", "}}]}]}",
     "file_data file_id filename"},
    {API_CHAT, API_MESSAGES, "{'model':'m','messages':[],'tools':[{'type':'function','function':{", "}}]}",
     "name description parameters strict"},
    {API_CHAT, API_MESSAGES, "{'model':'m','messages':[],'stream_options':{", "}}",
     "include_usage include_obfuscation"},
    {API_CHAT, API_MESSAGES, "{'model':'m','messages':[],'response_format':{'type':'json_schema','json_schema':{",
     "}}}", "name description schema strict"},
    {API_MESSAGES, API_CHAT, "{'model':'m','max_tokens':1,'messages':[],", "}",
     "max_tokens messages model cache_control container context_management diagnostics fallback_credit_token fallbacks "
     "inference_geo mcp_servers metadata output_config output_format service_tier speed stop_sequences system "
     "temperature "
     "thinking tool_choice tools top_k top_p betas user_profile_id stream"},
    {API_MESSAGES, API_CHAT, "{'model':'m','max_tokens':1,'messages':[{'role':'user','content':[{'type':'text',",
     "}]}]}", "text cache_control citations"},
    {API_MESSAGES, API_CHAT, "{'model':'m','max_tokens':1,'messages':[{'role':'user','content':[{'type':'image',",
     "}]}]}", "source cache_control"},
    {API_MESSAGES, API_CHAT, "{'model':'m','max_tokens':1,'messages':[{'role':'user','content':[{'type':'document',",
     "}]}]}", "source cache_control citations context title"},
    {API_MESSAGES, API_CHAT,
     "{'model':'m','max_tokens':1,'messages':[{'role':'assistant','content':[{'type':'tool_use',", "}]}]}",
     "id input name cache_control caller"},
    {API_MESSAGES, API_CHAT, "{'model':'m','max_tokens':1,'messages':[{'role':'user','content':[{'type':'tool_result',",
     "}]}]}", "tool_use_id cache_control content is_error"},
    {API_MESSAGES, API_CHAT, "{'model':'m','max_tokens':1,'messages':[],'tools':[{", "}]}",
     "input_schema name allowed_callers cache_control defer_loading description eager_input_streaming input_examples "
     "strict"},
    {API_MESSAGES, API_CHAT, "{'model':'m','max_tokens':1,'messages':[],'output_config':{", "}}",
     "effort format task_budget"},
    {API_RESPONSES, API_MESSAGES, "{'model':'m','input':[],", "}",
     "background context_management conversation include input instructions max_output_tokens max_tool_calls metadata "
     "model moderation parallel_tool_calls previous_response_id prompt prompt_cache_key prompt_cache_options "
     "prompt_cache_retention reasoning safety_identifier service_tier store stream stream_options temperature text "
     "tool_choice tools top_logprobs top_p truncation user"},
    {API_RESPONSES, API_MESSAGES, "{'input':[{'type':'message','role':'user',", "}]}", "content id status phase"},
    {API_RESPONSES, API_MESSAGES, "{'input':[{'type':'function_call',", "}]}",
     "arguments call_id name id caller namespace status"},
    {API_RESPONSES, API_MESSAGES, "{'input':[{'type':'function_call_output',", "}]}",
     "call_id output id caller name namespace status"},
    {API_RESPONSES, API_MESSAGES, "{'input':[{'role':'user','content':[{'type':'input_image',", "}]}]}",
     "detail file_id image_url prompt_cache_breakpoint"},
    {API_RESPONSES, API_MESSAGES, "{'input':[{'role':'user','content':[{'type':'input_file',", "}]}]}",
     "detail file_data file_id file_url filename prompt_cache_breakpoint"},
    {API_RESPONSES, API_MESSAGES, "{'input':[{'role':'user','content':[{'type':'input_text',", "}]}]}",
     "text prompt_cache_breakpoint"},
    {API_RESPONSES, API_MESSAGES, "{'input':[{'role':'assistant','content':[{'type':'output_text',", "}]}]}",
     "text annotations logprobs"},
    {API_RESPONSES, API_MESSAGES, "{'input':[],'tools':[{'type':'function',", "}]}",
     "name parameters strict allowed_callers defer_loading description output_schema"},
    {API_RESPONSES, API_MESSAGES, "{'input':[],'text':{", "}}", "format verbosity"},
    {API_RESPONSES, API_MESSAGES, "{'input':[],'text':{'format':{'type':'json_schema',", "}}}",
     "name schema description strict"},
};

/* Unknown members are told apart from all others; a made-up one shows that this would be seen. */
static bool is_member_known(size_t i, const char *name, struct arena *arena)
{
    json_t *body = NULL;
    const char *text = arena_printf(arena, "%s'%s':'odd'%s", schemas[i].before, name, schemas[i].after);
    struct slice quoted_text = quoted(arena, text);
    json_error_t error;
    body = json_loadb(quoted_text.data, quoted_text.length, 0, &error); /* names twice: the last counts */
    EXPECT(body != NULL, "%s: %s", text, error.text);
    char *dump = json_dumps(body, JSON_COMPACT);
    struct outcome outcome = translate(arena, schemas[i].from, schemas[i].to, slice_of(dump));
    bool is_known = !strstr(outcome.problem, "this member is unknown");
    free(dump);
    json_decref(body);
    return is_known;
}

TEST(every_member_of_the_schemas_has_a_row)
{
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        struct arena *arena = arena_new(4096);
        char *names = arena_strdup(arena, schemas[i].names), *rest = NULL;
        for (char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
            EXPECT(is_member_known(i, name, arena), "no row for %s in %s", name, schemas[i].before);
        EXPECT(!is_member_known(i, "made_up", arena), "made_up in %s", schemas[i].before);
        arena_free(arena);
    }
}

/* ---- hostile bodies ---- */

TEST(too_many_values_are_refused)
{
    enum { COUNT = 600000 };
    struct arena *arena = arena_new(4096);
    char *body = arena_alloc(arena, 3 * COUNT + 64), *at = body;
    at += sprintf(at, "{\"model\":\"m\",\"messages\":[");
    for (int i = 0; i < COUNT; i++)
        at += sprintf(at, "[],");
    strcpy(at - 1, "]}");
    struct outcome outcome = translate(arena, API_CHAT, API_MESSAGES, slice_of(body));
    EXPECT_INTEGER(outcome.error, ERROR_NO_TRANSLATION);
    EXPECT(strstr(outcome.problem, "too many values") != NULL, "%s", outcome.problem);
    arena_free(arena);
}

/* One turn of many calls, their results, and a tool for each: no step may take time in the square of them. */
TEST(many_calls_take_little_time)
{
    enum { COUNT = 45000, BYTES_EACH = 260 };
    struct arena *arena = arena_new(4096);
    char *body = arena_alloc(arena, (size_t)COUNT * BYTES_EACH), *at = body;
    at += sprintf(at, "{'model':'m','messages':[{'role':'user','content':'a'},{'role':'assistant','tool_calls':[");
    for (int i = 0; i < COUNT; i++)
        at += sprintf(at, "%s" CALL("c%d", "f%d", "{}"), i ? "," : "", i, i);
    at += sprintf(at, "]}");
    for (int i = 0; i < COUNT; i++)
        at += sprintf(at, ",{'role':'tool','tool_call_id':'c%d','content':'r'}", i);
    strcpy(at, "]}");
    clock_t start = clock();
    struct outcome outcome = translate(arena, API_CHAT, API_MESSAGES, quoted(arena, body));
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    EXPECT(outcome.error == ERROR_OK, "%s", outcome.problem);
    EXPECT(seconds < 4, "%f s", seconds);
    arena_free(arena);
}

static enum error translate_arguments(struct arena *arena, size_t depth)
{
    char *arguments = arena_alloc(arena, 2 * depth + 16);
    memset(arguments + 8, '[', depth);
    memcpy(arguments, "{\\'a\\':  ", 8);
    memset(arguments + 8 + depth, ']', depth);
    strcat(arguments, "}");
    return translate(
               arena, API_CHAT, API_MESSAGES,
               quoted(arena, arena_printf(arena,
                                          CM(U("'a'") ",{'role':'assistant','tool_calls':[" CALL(
                                              "c", "f", "%s") "]},{'role':'tool','tool_call_id':'c','content':'r'}"),
                                          arguments)))
        .error;
}

/* Arguments are a document inside a string: nobody has bounded their depth before. */
TEST(deep_arguments_are_refused)
{
    struct arena *arena = arena_new(4096);
    EXPECT_INTEGER(translate_arguments(arena, 100), ERROR_OK);
    EXPECT_INTEGER(translate_arguments(arena, 200), ERROR_NO_TRANSLATION);
    EXPECT_INTEGER(translate_arguments(arena, 100000), ERROR_NO_TRANSLATION);
    arena_free(arena);
}

static uint64_t random_state = 88172645463325252u;

static size_t draw(size_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return below ? (size_t)(random_state % below) : 0;
}

/* A value of any kind; now and then one that means something somewhere. */
static json_t *odd_value(void)
{
    static const char *const odd[] = {"null",
                                      "true",
                                      "false",
                                      "0",
                                      "-1",
                                      "1e300",
                                      "9223372036854775807",
                                      "\"\"",
                                      "\" \"",
                                      "\"x\"",
                                      "\"\\u0000\"",
                                      "\"x\\u0000\"",
                                      "[]",
                                      "[[]]",
                                      "[null]",
                                      "{}",
                                      "{\"\":0}",
                                      "{\"type\":\"text\"}",
                                      "{\"type\":\"text\",\"text\":\" \\n\"}",
                                      "{\"type\":5}",
                                      "\"user\"",
                                      "\"assistant\"",
                                      "\"system\"",
                                      "\"tool\"",
                                      "\"tool_use\"",
                                      "\"tool_result\"",
                                      "\"function\"",
                                      "\"none\"",
                                      "\"required\"",
                                      "\"c1\"",
                                      "\"data:;base64,\"",
                                      "\"data:image/png;base64,\"",
                                      "\"data:,\"",
                                      "\"https://\"",
                                      "\"message\"",
                                      "\"function_call_output\"",
                                      "\"{}\"",
                                      "\"{\"",
                                      "[\"a\",\"b\"]",
                                      "\"\xf0\x9f\x98\x80\"",
                                      "0.5",
                                      "1.5",
                                      "\"a.b:c\""};
    return json_loads(odd[draw(sizeof odd / sizeof *odd)], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

static size_t count_values(const json_t *value)
{
    size_t count = 1;
    for (size_t i = 0; i < json_array_size(value); i++)
        count += count_values(json_array_get(value, i));
    for (void *at = json_object_iter((json_t *)(uintptr_t)value); at;
         at = json_object_iter_next((json_t *)(uintptr_t)value, at))
        count += count_values(json_object_iter_value(at));
    return count;
}

/* Replaces, removes or doubles the value that *left counts down to, in pre-order below `value`. */
static bool mutate(json_t *value, size_t *left)
{
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (--*left == 0) {
            size_t kind = draw(6);
            if (kind == 0)
                json_array_remove(value, i);
            else if (kind == 1)
                json_array_insert_new(value, i, json_deep_copy(json_array_get(value, i)));
            else if (kind == 2)
                json_array_append(value, json_array_get(value, draw(json_array_size(value))));
            else
                json_array_set_new(value, i, odd_value());
            return true;
        }
        if (mutate(json_array_get(value, i), left))
            return true;
    }
    for (void *at = json_object_iter(value); at; at = json_object_iter_next(value, at)) {
        if (--*left == 0) {
            if (draw(5) == 0)
                json_object_del(value, json_object_iter_key(at));
            else
                json_object_iter_set_new(value, at, odd_value());
            return true;
        }
        if (mutate(json_object_iter_value(at), left))
            return true;
    }
    return false;
}

static void fuzz_once(const struct case_row *row, json_t *seed, size_t *accepted)
{
    json_t *body = json_deep_copy(seed);
    for (size_t changes = 1 + draw(3); changes; changes--) {
        size_t left = 1 + draw(count_values(body) - 1);
        mutate(body, &left);
    }
    char *text = json_dumps(body, JSON_COMPACT);
    struct arena *arena = arena_new(4096);
    struct outcome outcome = translate(arena, row->from, row->to, slice_of(text));
    const char *broken = outcome.error == ERROR_OK ? rules_broken(row->to, outcome.body) : NULL;
    EXPECT(!broken, "rule of %s: %s became " SLICE_FORMAT, broken, text, SLICE_ARGUMENTS(outcome.body));
    EXPECT(outcome.error == ERROR_OK || outcome.error == ERROR_NO_TRANSLATION || outcome.error == ERROR_BODY_INCOMPLETE,
           "%s: %s", text, error_row(outcome.error)->name);
    EXPECT(outcome.error == ERROR_OK || *outcome.problem, "%s: no problem told", text);
    *accepted += outcome.error == ERROR_OK;
    arena_free(arena);
    json_decref(body);
    free(text);
}

TEST(mutated_bodies)
{
    enum { ROWS = sizeof case_rows / sizeof *case_rows };
    json_t *seeds[ROWS];
    size_t accepted = 0;
    struct arena *arena = arena_new(4096);
    for (size_t i = 0; i < ROWS; i++)
        seeds[i] = parse(quoted(arena, case_rows[i].in));
    for (size_t i = 0; i < MUTATIONS; i++) {
        size_t row = draw(ROWS);
        if (json_is_object(seeds[row]))
            fuzz_once(&case_rows[row], seeds[row], &accepted);
    }
    EXPECT(accepted > MUTATIONS / 10, "only %zu of them were accepted", accepted);
    for (size_t i = 0; i < ROWS; i++)
        json_decref(seeds[i]);
    arena_free(arena);
}
