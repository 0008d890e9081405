/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What targets answer, whole and as a stream, and what clients of two apis must understand of it
 * (test_translate_answer). In the texts ' stands for ". A client's understanding is one line, made by the assemblers of
 * translate_answer_sdk.h: model; text …; refusal …; call ID NAME ARGUMENTS; stop; usage usage: chat and responses
 * input/cached/output/reasoning/total, messages input/read/written/output; "-" when unknown.
 */
#ifndef TESTS_UNIT_TRANSLATE_ANSWER_ROWS_H
#define TESTS_UNIT_TRANSLATE_ANSWER_ROWS_H

#include "translate/translate.h"

struct answer_row {
    const char *name;
    const char *document, *stream; /* of the target; NULL: not in this form */
    const char *first, *second;    /* what the clients of the two apis understand */
    bool wants_json_schema;
};

/* ---- Anthropic Messages: for clients of Chat, then of Responses ---- */

#define EVENT(type, rest) "event: " type "\ndata: {'type':'" type "'" rest "}\n\n"
#define START_WITH(usage)                                                                                              \
    EVENT("message_start", ",'message':{'id':'msg_1','type':'message','role':'assistant','model':'claude-x',"          \
                           "'content':[],'stop_reason':null,'stop_sequence':null,'usage':" usage "}")
#define START           START_WITH("{'input_tokens':10,'output_tokens':1}")
#define BLOCK(i, block) EVENT("content_block_start", ",'index':" #i ",'content_block':" block)
#define DELTA(i, delta) EVENT("content_block_delta", ",'index':" #i ",'delta':" delta)
#define STOP(i)         EVENT("content_block_stop", ",'index':" #i)
#define TEXT_BLOCK(i)   BLOCK(i, "{'type':'text','text':''}")
#define TEXT(i, text)   DELTA(i, "{'type':'text_delta','text':'" text "'}")
#define TOOL(i, id, n)  BLOCK(i, "{'type':'tool_use','id':'" id "','name':'" n "','input':{}}")
#define INPUT(i, piece) DELTA(i, "{'type':'input_json_delta','partial_json':'" piece "'}")
#define END(reason, use)                                                                                               \
    EVENT("message_delta", ",'delta':{'stop_reason':'" reason "','stop_sequence':null},'usage':" use)                  \
    EVENT("message_stop", "")
#define MESSAGE(content, reason, usage)                                                                                \
    "{'id':'msg_1','type':'message','role':'assistant','model':'claude-x','content':[" content                         \
    "],'stop_reason':'" reason "','stop_sequence':null,'usage':" usage "}"
#define THOUGHT "{'input_tokens':10,'output_tokens':5,'output_tokens_details':{'thinking_tokens':3}}"
#define USED    "{'input_tokens':10,'output_tokens':5}"

static const struct answer_row messages_rows[] = {
    {"text", MESSAGE("{'type':'text','text':'Hello world'}", "end_turn", USED),
     START TEXT_BLOCK(0) EVENT("ping", "") TEXT(0, "Hello") TEXT(0, " world") STOP(0) END("end_turn", USED),
     "claude-x; text Hello world; stop; 10/0/0/5/0/15", "claude-x; text Hello world; completed; 10/0/0/5/0/15", false},
    {"unicode, escapes and NUL",
     MESSAGE("{'type':'text','text':'\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 \\ud83d\\ude00 \\'\\\\\\n\\u0000!'}",
             "end_turn", USED),
     START TEXT_BLOCK(0) TEXT(0, "\xc3\xa9\xe2\x82\xac") TEXT(0, "\xf0\x9f\x98\x80 \\ud83d\\ude00 \\'")
         TEXT(0, "\\\\\\n\\u0000!") STOP(0) END("end_turn", USED),
     "claude-x; text \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 \xf0\x9f\x98\x80 \"\\\n^@!; stop; 10/0/0/5/0/15",
     "claude-x; text \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 \xf0\x9f\x98\x80 \"\\\n^@!; completed; 10/0/0/5/0/15", false},
    {"one tool",
     MESSAGE("{'type':'tool_use','id':'toolu_1','name':'get','input':{'id':18446744073709551615,'f':0.1,'s':'x\\ny'}}",
             "tool_use", USED),
     START TOOL(0, "toolu_1", "get") INPUT(0, "") INPUT(0, "{\\'id\\':184467440")
         INPUT(0, "73709551615,\\'f\\':0.1,\\'s\\':\\'x\\\\") INPUT(0, "ny\\'}") STOP(0) END("tool_use", USED),
     "claude-x; call toolu_1 get {\"id\":18446744073709551615,\"f\":0.1,\"s\":\"x\\ny\"}; tool_calls; 10/0/0/5/0/15",
     "claude-x; call toolu_1 get {\"id\":18446744073709551615,\"f\":0.1,\"s\":\"x\\ny\"}; completed; 10/0/0/5/0/15",
     false},
    {"text, tools, text",
     MESSAGE("{'type':'text','text':'a'},{'type':'tool_use','id':'t1','name':'f','input':{'x':1}},"
             "{'type':'tool_use','id':'t2','name':'g','input':{}},{'type':'text','text':'b'}",
             "tool_use", USED),
     START TEXT_BLOCK(0) TEXT(0, "a") STOP(0) TOOL(1, "t1", "f") INPUT(1, "{\\'x\\':1}") STOP(1) TOOL(2, "t2", "g")
         INPUT(2, "") STOP(2) TEXT_BLOCK(3) TEXT(3, "b") STOP(3) END("tool_use", USED),
     "claude-x; text ab; call t1 f {\"x\":1}; call t2 g {}; tool_calls; 10/0/0/5/0/15",
     "claude-x; text a; call t1 f {\"x\":1}; call t2 g {}; text b; completed; 10/0/0/5/0/15", false},
    {"texts in a row",
     MESSAGE(
         "{'type':'text','text':'a','citations':[{'type':'x'}]},{'type':'text','text':''},{'type':'text','text':'b'}",
         "end_turn", USED),
     START TEXT_BLOCK(0) TEXT(0, "a") DELTA(0, "{'type':'citations_delta','citation':{}}") STOP(0) TEXT_BLOCK(1) STOP(1)
         TEXT_BLOCK(2) TEXT(2, "b") STOP(2) END("end_turn", USED),
     "claude-x; text ab; stop; 10/0/0/5/0/15", "claude-x; text ab; completed; 10/0/0/5/0/15", false},
    {"thinking is dropped",
     MESSAGE("{'type':'thinking','thinking':'hm','signature':'s'},{'type':'redacted_thinking','data':'d'},"
             "{'type':'text','text':'yes'}",
             "end_turn", THOUGHT),
     START BLOCK(0, "{'type':'thinking','thinking':'','signature':''}")
         DELTA(0, "{'type':'thinking_delta','thinking':'hm'}") DELTA(0, "{'type':'signature_delta','signature':'s'}")
             STOP(0) BLOCK(1, "{'type':'redacted_thinking','data':'d'}") STOP(1) TEXT_BLOCK(2) TEXT(2, "yes") STOP(2)
                 END("end_turn", THOUGHT),
     "claude-x; text yes; stop; 10/0/0/5/3/15", "claude-x; text yes; completed; 10/0/0/5/3/15", false},
    {"length", MESSAGE("{'type':'text','text':'cut of'}", "max_tokens", USED),
     START TEXT_BLOCK(0) TEXT(0, "cut of") STOP(0) END("max_tokens", USED),
     "claude-x; text cut of; length; 10/0/0/5/0/15",
     "claude-x; text cut of (incomplete); incomplete max_output_tokens; 10/0/0/5/0/15", false},
    {"length within a tool's input", NULL,
     START TOOL(0, "t1", "f") INPUT(0, "{\\'x\\':\\'ab") STOP(0) END("max_tokens", USED),
     "claude-x; call t1 f !{\"x\":\"ab; length; 10/0/0/5/0/15",
     "claude-x; call t1 f !{\"x\":\"ab (incomplete); incomplete max_output_tokens; 10/0/0/5/0/15", false},
    {"context window", MESSAGE("{'type':'text','text':'a'}", "model_context_window_exceeded", USED),
     START TEXT_BLOCK(0) TEXT(0, "a") STOP(0) END("model_context_window_exceeded", USED),
     "claude-x; text a; length; 10/0/0/5/0/15",
     "claude-x; text a (incomplete); incomplete max_output_tokens; 10/0/0/5/0/15", false},
    {"a paused turn is not complete", MESSAGE("{'type':'text','text':'a'}", "pause_turn", USED),
     START TEXT_BLOCK(0) TEXT(0, "a") STOP(0) END("pause_turn", USED), "claude-x; text a; length; 10/0/0/5/0/15",
     "claude-x; text a (incomplete); incomplete max_output_tokens; 10/0/0/5/0/15", false},
    {"stop sequence", MESSAGE("{'type':'text','text':'a'}", "stop_sequence", USED),
     START TEXT_BLOCK(0) TEXT(0, "a") STOP(0) END("stop_sequence", USED), "claude-x; text a; stop; 10/0/0/5/0/15",
     "claude-x; text a; completed; 10/0/0/5/0/15", false},
    {"a stop reason to come", MESSAGE("{'type':'text','text':'a'}", "sunset", USED),
     START TEXT_BLOCK(0) TEXT(0, "a") STOP(0) END("sunset", USED), "claude-x; text a; stop; 10/0/0/5/0/15",
     "claude-x; text a; completed; 10/0/0/5/0/15", false},
    {"refusal", MESSAGE("{'type':'text','text':'I'}", "refusal", USED),
     START TEXT_BLOCK(0) TEXT(0, "I") STOP(0) END("refusal", USED), "claude-x; text I; content_filter; 10/0/0/5/0/15",
     "claude-x; text I (incomplete); incomplete content_filter; 10/0/0/5/0/15", false},
    {"empty", MESSAGE("", "end_turn", USED), START END("end_turn", USED), "claude-x; text ; stop; 10/0/0/5/0/15",
     "claude-x; text ; completed; 10/0/0/5/0/15", false},
    {"an empty block", MESSAGE("{'type':'text','text':''}", "end_turn", USED),
     START TEXT_BLOCK(0) STOP(0) END("end_turn", USED), "claude-x; text ; stop; 10/0/0/5/0/15",
     "claude-x; text ; completed; 10/0/0/5/0/15", false},
    {"usage with cache: cumulative, overwritten member by member",
     MESSAGE("{'type':'text','text':'a'}", "end_turn",
             "{'input_tokens':2000,'cache_read_input_tokens':400,'cache_creation_input_tokens':200,'output_tokens':7}"),
     START_WITH(
         "{'input_tokens':1999,'cache_read_input_tokens':400,'cache_creation_input_tokens':200,'output_tokens':1}")
         TEXT_BLOCK(0) TEXT(0, "a") STOP(0) END("end_turn", "{'input_tokens':2000,'output_tokens':7}"),
     "claude-x; text a; stop; 2600/400/200/7/0/2607", "claude-x; text a; completed; 2600/400/200/7/0/2607", false},
    {"usage of hostile size",
     MESSAGE("", "end_turn",
             "{'input_tokens':9223372036854775807,'cache_read_input_tokens':9223372036854775807,'output_tokens':-5}"),
     START_WITH("{'input_tokens':9223372036854775807,'cache_read_input_tokens':9223372036854775807}")
         END("end_turn", "{'output_tokens':-5}"),
     "claude-x; text ; stop; 18014398509481984/9007199254740992/0/0/0/18014398509481984",
     "claude-x; text ; completed; 18014398509481984/9007199254740992/0/0/0/18014398509481984", false},
    {"structured output by a forced tool",
     MESSAGE("{'type':'tool_use','id':'t1','name':'json','input':{'n':1,'s':'\\'q\\''}}", "tool_use", USED),
     START TOOL(0, "t1", "json") INPUT(0, "{\\'n\\':1,") INPUT(0, "\\'s\\':\\'\\\\\\'q\\\\\\'\\'}") STOP(0)
         END("tool_use", USED),
     "claude-x; text {\"n\":1,\"s\":\"\\\"q\\\"\"}; stop; 10/0/0/5/0/15",
     "claude-x; text {\"n\":1,\"s\":\"\\\"q\\\"\"}; completed; 10/0/0/5/0/15", true},
    {"structured output with words before and after it",
     MESSAGE("{'type':'text','text':'Here:'},{'type':'tool_use','id':'t1','name':'json','input':{'n':1}},"
             "{'type':'text','text':'!'},{'type':'tool_use','id':'t2','name':'json','input':{'n':2}}",
             "tool_use", USED),
     START TEXT_BLOCK(0) TEXT(0, "Here:") STOP(0) TOOL(1, "t1", "json") INPUT(1, "{\\'n\\':1}") STOP(1) TEXT_BLOCK(2)
         TEXT(2, "!") STOP(2) TOOL(3, "t2", "json") INPUT(3, "{\\'n\\':2}") STOP(3) END("tool_use", USED),
     "claude-x; text {\"n\":1}; stop; 10/0/0/5/0/15", "claude-x; text {\"n\":1}; completed; 10/0/0/5/0/15", true},
    {"structured output that did not come", MESSAGE("{'type':'text','text':'I cannot'}", "refusal", USED),
     START TEXT_BLOCK(0) TEXT(0, "I cannot") STOP(0) END("refusal", USED),
     "claude-x; text I cannot; content_filter; 10/0/0/5/0/15",
     "claude-x; text I cannot (incomplete); incomplete content_filter; 10/0/0/5/0/15", true},
    {"structured output cut by length", NULL,
     START TOOL(0, "t1", "json") INPUT(0, "{\\'n\\':") STOP(0) END("max_tokens", USED),
     "claude-x; text {\"n\":; length; 10/0/0/5/0/15",
     "claude-x; text {\"n\": (incomplete); incomplete max_output_tokens; 10/0/0/5/0/15", true},
    {"an event to come, a block's input at once", NULL,
     START EVENT("sunrise", ",'x':1") BLOCK(0, "{'type':'tool_use','id':'t1','name':'f','input':{ 'x' : 1 }}") STOP(0)
         END("tool_use", USED),
     "claude-x; call t1 f { \"x\" : 1 }; tool_calls; 10/0/0/5/0/15",
     "claude-x; call t1 f { \"x\" : 1 }; completed; 10/0/0/5/0/15", false},
    {"the model that was asked for, when none is said", "{'content':[],'stop_reason':'end_turn'}",
     EVENT("message_start", ",'message':{}") EVENT("message_delta", ",'delta':{'stop_reason':'end_turn'}")
         EVENT("message_stop", ""),
     "asked; text ; stop; -", "asked; text ; completed; -", false},
};

/* ---- OpenAI Chat: for clients of Messages, then of Responses ---- */

#define DATA(json) "data: " json "\n\n"
#define CHUNK(delta, reason)                                                                                           \
    DATA(                                                                                                              \
        "{'id':'c1','object':'chat.completion.chunk','created':1,'model':'gpt-x','choices':[{'index':0,'delta':" delta \
        ",'logprobs':null,'finish_reason':" reason "}],'usage':null}")
#define ROLE      CHUNK("{'role':'assistant','content':'','refusal':null}", "null")
#define SAY(text) CHUNK("{'content':'" text "'}", "null")
#define CALL(i, id, n, piece)                                                                                          \
    CHUNK("{'tool_calls':[{'index':" #i ",'id':'" id "','type':'function','function':{'name':'" n                      \
          "','arguments':'" piece "'}}]}",                                                                             \
          "null")
#define MORE(i, piece) CHUNK("{'tool_calls':[{'index':" #i ",'function':{'arguments':'" piece "'}}]}", "null")
#define FINISH(reason) CHUNK("{}", "'" reason "'")
#define USAGE_CHUNK(usage)                                                                                             \
    DATA("{'id':'c1','object':'chat.completion.chunk','created':1,'model':'gpt-x','choices':[],'usage':" usage "}")
#define SPENT        "{'prompt_tokens':10,'completion_tokens':5,'total_tokens':15}"
#define DONE         "data: [DONE]\n\n"
#define OVER(reason) FINISH(reason) USAGE_CHUNK(SPENT) DONE
#define COMPLETION(message, reason, usage)                                                                             \
    "{'id':'c1','object':'chat.completion','created':1,'model':'gpt-x','choices':[{'index':0,'message':" message       \
    ",'logprobs':null,'finish_reason':'" reason "'}],'usage':" usage "}"
#define SAID(text) "{'role':'assistant','content':'" text "','refusal':null}"
#define CALLED(id, n, arguments)                                                                                       \
    "{'id':'" id "','type':'function','function':{'name':'" n "','arguments':'" arguments "'}}"

static const struct answer_row chat_rows[] = {
    {"text", COMPLETION(SAID("Hello world"), "stop", SPENT), ROLE SAY("Hello") SAY(" world") OVER("stop"),
     "gpt-x; text Hello world; end_turn; 10/0/0/5/0", "gpt-x; text Hello world; completed; 10/0/0/5/0/15", false},
    {"unicode and escapes", COMPLETION(SAID("\xc3\xa9\xf0\x9f\x98\x80\\u00e9\\'\\t\\u0000"), "stop", SPENT),
     ROLE SAY("\xc3\xa9") SAY("\xf0\x9f\x98\x80\\u00e9") SAY("\\'\\t\\u0000") OVER("stop"),
     "gpt-x; text \xc3\xa9\xf0\x9f\x98\x80\xc3\xa9\"\t^@; end_turn; 10/0/0/5/0",
     "gpt-x; text \xc3\xa9\xf0\x9f\x98\x80\xc3\xa9\"\t^@; completed; 10/0/0/5/0/15", false},
    {"one tool",
     COMPLETION("{'role':'assistant','content':null,'tool_calls':[" CALLED(
                    "call_1", "get", "{\\'id\\':9007199254740993,\\'f\\':0.1}") "]}",
                "tool_calls", SPENT),
     ROLE CALL(0, "call_1", "get", "") MORE(0, "{\\'id\\':900719925474") MORE(0, "0993,\\'f\\':0.1}")
         OVER("tool_calls"),
     "gpt-x; call call_1 get {\"id\":9007199254740993,\"f\":0.1}; tool_use; 10/0/0/5/0",
     "gpt-x; call call_1 get {\"id\":9007199254740993,\"f\":0.1}; completed; 10/0/0/5/0/15", false},
    {"text and parallel tools",
     COMPLETION("{'role':'assistant','content':'a','tool_calls':[" CALLED("c1", "f", "{\\'x\\':1}") "," CALLED(
                    "c2", "g", "{}") "]}",
                "tool_calls", SPENT),
     ROLE SAY("a") CALL(0, "c1", "f", "") MORE(0, "{\\'x\\'") MORE(0, ":1}") CALL(1, "c2", "g", "") MORE(1, "{}")
         OVER("tool_calls"),
     "gpt-x; text a; call c1 f {\"x\":1}; call c2 g {}; tool_use; 10/0/0/5/0",
     "gpt-x; text a; call c1 f {\"x\":1}; call c2 g {}; completed; 10/0/0/5/0/15", false},
    {"parallel tools, interleaved", NULL,
     ROLE CALL(0, "c1", "f", "{") CALL(1, "c2", "g", "") MORE(0, "\\'x\\'") MORE(1, "{\\'y\\'") MORE(0, ":1}")
         MORE(1, ":2}") CHUNK("{'tool_calls':[{'index':2,'id':'c3','function':{'name':'h','arguments':'{'}},"
                              "{'index':1,'function':{'arguments':''}},{'index':2,'function':{'arguments':'}'}}]}",
                              "null") OVER("tool_calls"),
     "gpt-x; call c1 f {\"x\":1}; call c2 g {\"y\":2}; call c3 h {}; tool_use; 10/0/0/5/0",
     "gpt-x; call c1 f {\"x\":1}; call c2 g {\"y\":2}; call c3 h {}; completed; 10/0/0/5/0/15", false},
    {"text after tools", NULL, ROLE SAY("a") CALL(0, "c1", "f", "{}") SAY("b") MORE(0, "") SAY("c") OVER("tool_calls"),
     "gpt-x; text a; call c1 f {}; text bc; tool_use; 10/0/0/5/0",
     "gpt-x; text a; call c1 f {}; text bc; completed; 10/0/0/5/0/15", false},
    {"whole calls that all say index 0", NULL,
     ROLE CALL(0, "c1", "f", "{\\'x\\':1}") CALL(0, "c2", "g", "{\\'y\\':2}") OVER("tool_calls"),
     "gpt-x; call c1 f {\"x\":1}; call c2 g {\"y\":2}; tool_use; 10/0/0/5/0",
     "gpt-x; call c1 f {\"x\":1}; call c2 g {\"y\":2}; completed; 10/0/0/5/0/15", false},
    {"calls without an index or an id", NULL,
     ROLE CHUNK("{'tool_calls':[{'function':{'name':'f','arguments':'{\\'x\\''}}]}", "null")
         CHUNK("{'tool_calls':[{'function':{'arguments':':1}'}}]}", "null") OVER("tool_calls"),
     "gpt-x; call call_ours_0 f {\"x\":1}; tool_use; 10/0/0/5/0",
     "gpt-x; call call_ours_0 f {\"x\":1}; completed; 10/0/0/5/0/15", false},
    {"a name that comes late", NULL,
     ROLE CHUNK("{'tool_calls':[{'index':0,'id':'c1','function':{'arguments':'{'}}]}", "null")
         CHUNK("{'tool_calls':[{'index':0,'function':{'name':'f','arguments':'}'}}]}", "null") OVER("tool_calls"),
     "gpt-x; call c1 f {}; tool_use; 10/0/0/5/0", "gpt-x; call c1 f {}; completed; 10/0/0/5/0/15", false},
    {"a tool without arguments",
     COMPLETION("{'content':null,'tool_calls':[" CALLED("c1", "f", "") "]}", "tool_calls", SPENT),
     ROLE CALL(0, "c1", "f", "") OVER("tool_calls"), "gpt-x; call c1 f {}; tool_use; 10/0/0/5/0",
     "gpt-x; call c1 f {}; completed; 10/0/0/5/0/15", false},
    {"a forced tool stops with stop",
     COMPLETION("{'content':null,'tool_calls':[" CALLED("c1", "f", "{}") "]}", "stop", SPENT),
     ROLE CALL(0, "c1", "f", "{}") OVER("stop"), "gpt-x; call c1 f {}; tool_use; 10/0/0/5/0",
     "gpt-x; call c1 f {}; completed; 10/0/0/5/0/15", false},
    {"arguments that are no object",
     COMPLETION("{'content':null,'tool_calls':[" CALLED("c1", "f", "{\\'x\\':") "," CALLED("c2", "g", "[1]") "]}",
                "length", SPENT),
     ROLE CALL(0, "c1", "f", "{\\'x\\':") CALL(1, "c2", "g", "[1]") OVER("length"),
     "gpt-x; call c1 f {\"INVALID_JSON\":\"{\\\"x\\\":\"}; call c2 g {\"INVALID_JSON\":\"[1]\"}; max_tokens; "
     "10/0/0/5/0",
     "gpt-x; call c1 f !{\"x\":; call c2 g [1] (incomplete); incomplete max_output_tokens; 10/0/0/5/0/15", false},
    {"arguments as an object, content as a list",
     COMPLETION("{'content':[{'type':'thinking','thinking':[]},{'type':'text','text':'a'}],"
                "'tool_calls':[{'id':'c1','function':{'name':'f','arguments':{'x':1}}}]}",
                "tool_calls", SPENT),
     ROLE SAY("a") CHUNK("{'tool_calls':[{'index':0,'id':'c1','function':{'name':'f','arguments':{'x':1}}}]}", "null")
         OVER("tool_calls"),
     "gpt-x; text a; call c1 f {\"x\":1}; tool_use; 10/0/0/5/0",
     "gpt-x; text a; call c1 f {\"x\":1}; completed; 10/0/0/5/0/15", false},
    {"reasoning is dropped",
     COMPLETION("{'content':'yes','reasoning_content':'hm','reasoning':'hm'}", "stop",
                "{'prompt_tokens':10,'completion_tokens':5,'completion_tokens_details':{'reasoning_tokens':3}}"),
     ROLE CHUNK("{'reasoning_content':'hm'}", "null") CHUNK("{'reasoning':'hm','content':null}", "null") SAY("yes")
         FINISH("stop") USAGE_CHUNK(
             "{'prompt_tokens':10,'completion_tokens':5,'completion_tokens_details':{'reasoning_tokens':3}}") DONE,
     "gpt-x; text yes; end_turn; 10/0/0/5/3", "gpt-x; text yes; completed; 10/0/0/5/3/15", false},
    {"length", COMPLETION(SAID("cut of"), "length", SPENT), ROLE SAY("cut of") OVER("length"),
     "gpt-x; text cut of; max_tokens; 10/0/0/5/0",
     "gpt-x; text cut of (incomplete); incomplete max_output_tokens; 10/0/0/5/0/15", false},
    {"content filter", COMPLETION(SAID("I"), "content_filter", SPENT), ROLE SAY("I") OVER("content_filter"),
     "gpt-x; text I; refusal; 10/0/0/5/0", "gpt-x; text I (incomplete); incomplete content_filter; 10/0/0/5/0/15",
     false},
    {"refusal", COMPLETION("{'content':null,'refusal':'I cannot'}", "stop", SPENT),
     ROLE CHUNK("{'refusal':'I '}", "null") CHUNK("{'refusal':'cannot'}", "null") OVER("stop"),
     "gpt-x; text I cannot; refusal; 10/0/0/5/0", "gpt-x; refusal I cannot; completed; 10/0/0/5/0/15", false},
    {"empty", COMPLETION(SAID(""), "stop", SPENT), ROLE OVER("stop"), "gpt-x; end_turn; 10/0/0/5/0",
     "gpt-x; text ; completed; 10/0/0/5/0/15", false},
    {"null content", COMPLETION("{'content':null}", "stop", SPENT), CHUNK("{'content':null}", "null") OVER("stop"),
     "gpt-x; end_turn; 10/0/0/5/0", "gpt-x; text ; completed; 10/0/0/5/0/15", false},
    {"usage with cache",
     COMPLETION(SAID("a"), "stop",
                "{'prompt_tokens':2600,'completion_tokens':7,'total_tokens':2607,'prompt_tokens_details':"
                "{'cached_tokens':400,'cache_write_tokens':200}}"),
     ROLE SAY("a") FINISH("stop")
         USAGE_CHUNK("{'prompt_tokens':2600,'completion_tokens':7,'total_tokens':2607,'prompt_tokens_details':"
                     "{'cached_tokens':400,'cache_write_tokens':200}}") DONE,
     "gpt-x; text a; end_turn; 2000/400/200/7/0", "gpt-x; text a; completed; 2600/400/200/7/0/2607", false},
    {"more cached than there is",
     COMPLETION(SAID("a"), "stop",
                "{'prompt_tokens':5,'completion_tokens':1e3,'prompt_tokens_details':{'cached_tokens':9,"
                "'cache_write_tokens':9}}"),
     ROLE SAY("a") FINISH("stop") USAGE_CHUNK("{'prompt_tokens':5,'completion_tokens':1e3,'prompt_tokens_details':"
                                              "{'cached_tokens':9,'cache_write_tokens':9}}") DONE,
     "gpt-x; text a; end_turn; 0/5/0/0/0", "gpt-x; text a; completed; 5/5/0/0/0/5", false},
    {"no usage", "{'model':'gpt-x','choices':[{'message':{'content':'a'},'finish_reason':'stop'}]}",
     ROLE SAY("a") FINISH("stop") DONE, "gpt-x; text a; end_turn; 0/0/0/0/0", "gpt-x; text a; completed; -", false},
    {"usage in every chunk, the last with the finish", COMPLETION(SAID("a"), "stop", SPENT),
     DATA("{'model':'gpt-x','choices':[{'index':0,'delta':{'content':'a'}}],'usage':{'prompt_tokens':10,"
          "'completion_tokens':1}}")
         DATA("{'model':'gpt-x','choices':[{'index':0,'delta':{},'finish_reason':'stop'}],'usage':" SPENT "}") DONE,
     "gpt-x; text a; end_turn; 10/0/0/5/0", "gpt-x; text a; completed; 10/0/0/5/0/15", false},
    {"another choice is not the client's, words of other providers",
     "{'model':'','choices':[{'index':1,'message':{'content':'no'},'finish_reason':'length'},"
     "{'index':0,'message':{'content':'a'},'finish_reason':'eos'}]}",
     DATA("{'model':'','choices':[{'index':1,'delta':{'content':'no'},'finish_reason':'length'},{'index':0,'delta':"
          "{'content':'a'},'finish_reason':'eos'}]}") DONE,
     "asked; text a; end_turn; 0/0/0/0/0", "asked; text a; completed; -", false},
    {"Azure's first chunk", NULL,
     DATA("{'id':'','model':'','object':'','created':0,'choices':[],'prompt_filter_results':[]}") ROLE SAY("a")
         OVER("stop"),
     "gpt-x; text a; end_turn; 10/0/0/5/0", "gpt-x; text a; completed; 10/0/0/5/0/15", false},
    {"finish with the last piece, whole in one chunk", COMPLETION(SAID("a"), "stop", SPENT),
     CHUNK("{'role':'assistant','content':'a'}", "'stop'") USAGE_CHUNK(SPENT) DONE,
     "gpt-x; text a; end_turn; 10/0/0/5/0", "gpt-x; text a; completed; 10/0/0/5/0/15", false},
};

#endif
