/* SPDX-License-Identifier: Apache-2.0 */
/* Streams that say more than those of the price vectors: tools, thoughts, several choices, texts that speak of usage
 * and of ends. They are mutated, not priced. See vectors.h. */
#ifndef TESTS_UNIT_VECTORS_STREAMS_H
#define TESTS_UNIT_VECTORS_STREAMS_H

#include "vectors_anthropic.h"
#include "vectors_gemini.h"
#include "vectors_openai.h"

#define TRICKY                                                                                                         \
    "\\'usage\\':{\\'prompt_tokens\\':1} data: [DONE]\\n\\nevent: message_stop \\\\ \\u00e9 \\ud83d\\ude00 "           \
    "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 }]{[ :,"
#define BLOCK(index, block) FRAME("content_block_start", ",'index':" #index ",'content_block':" block)
#define PIECE(index, delta) FRAME("content_block_delta", ",'index':" #index ",'delta':" delta)
#define BLOCK_END(index)    FRAME("content_block_stop", ",'index':" #index)
#define CALLED(rest)        "{'index':0,'delta':{'tool_calls':[" rest "]},'finish_reason':null}"

static const struct vector stream_vectors[] = {
    STREAM(AT("openai", "/v1/chat/completions"), ASK_STREAM("gpt-5.4"),
           CHUNK("{'index':0,'delta':{'role':'assistant','content':''},'finish_reason':null}",
                 ",'usage':null") CHUNK(DELTA(TRICKY), ",'usage':null") CHUNK(DELTA("\\n"), ",'usage':null")
               CHUNK(STOPPED, ",'usage':null") CHUNK("", ",'usage':{" TOKENS(90, 40) CACHED(64) "}") "data: [DONE]\n\n",
           "", ""),
    STREAM(AT("openai", "/v1/chat/completions"), ASK_STREAM("gpt-5.4"),
           CHUNK(CALLED("{'index':0,'id':'call_1','type':'function','function':{'name':'f','arguments':''}}"), "")
               CHUNK(CALLED("{'index':0,'function':{'arguments':'{\\'a\\':'}}"), "")
                   CHUNK(CALLED("{'index':0,'function':{'arguments':'18446744073709551615}'}}"), "")
                       CHUNK("{'index':0,'delta':{},'finish_reason':'tool_calls'}", "")
                           CHUNK("", ",'usage':{" TOKENS(90, 40) "}") "data: [DONE]\n\n",
           "", ""),
    STREAM(AT("openai", "/v1/chat/completions"), ASK_STREAM("gpt-5.4", ",'n':2"),
           CHUNK(DELTA("a"), "") CHUNK("{'index':1,'delta':{'content':'b'},'finish_reason':null}", "")
               CHUNK(STOPPED, "") CHUNK("{'index':1,'delta':{},'finish_reason':'stop'}", "")
                   CHUNK("", ",'usage':{" TOKENS(9, 4) "}") "data: [DONE]\n\n",
           "", ""),
    /* usage beside choices, and at another place in the object; an error in the middle */
    STREAM(AT("openai", "/v1/chat/completions"), ASK_STREAM("gpt-5.4"),
           "data: {'usage':null,'choices':[" DELTA("a") "]}\n\ndata: {'choices':[" STOPPED
                                                        "],'usage':{" TOKENS(9, 1) "},'x':1}\n\ndata: [DONE]\n\n",
           "", ""),
    STREAM(AT("openai", "/v1/chat/completions"), ASK_STREAM("gpt-5.4"),
           CHUNK(DELTA("a"), "") "data: {'error':{'message':'no','type':'server_error'}}\n\n", "", ""),
    STREAM(AT("openai", "/v1/chat/completions"), ASK_STREAM("gpt-5.4"), CHUNK(DELTA(TRICKY), "") CHUNK(DELTA("a"), ""),
           "", ""), /* nobody says what it used */
    STREAM(AT("anthropic", "/v1/messages"), MESSAGE("claude-sonnet-4-5", ",'stream':true"),
           FRAME("message_start", ",'message':{'id':'msg_1','type':'message','role':'assistant','model':'m','content':"
                                  "[],'stop_reason':null,'stop_sequence':null,'usage':{" FRESH(3, 1) WRITTEN(300)
                                      LIVES(100, 200) READ(7) "}}") BLOCK(0, "{'type':'text','text':''}") FRAME("ping")
               PIECE(0, "{'type':'text_delta','text':'" TRICKY "'}") BLOCK_END(0)
                   BLOCK(1, "{'type':'tool_use','id':'toolu_1','name':'f','input':{}}")
                       PIECE(1, "{'type':'input_json_delta','partial_json':'{\\'a\\': 1'}")
                           PIECE(1, "{'type':'input_json_delta','partial_json':'}'}") BLOCK_END(1)
                               FRAME("message_delta", ",'delta':{'stop_reason':'tool_use','stop_sequence':null},"
                                                      "'usage':{'output_tokens':89}") STOP,
           "", ""),
    STREAM(AT("anthropic", "/v1/messages"), MESSAGE("claude-sonnet-4-5", ",'stream':true"),
           FRAME("message_start", ",'message':{'id':'msg_1','model':'m','usage':{" FRESH(3, 1) "}}")
               BLOCK(0, "{'type':'thinking','thinking':'','signature':''}")
                   PIECE(0, "{'type':'thinking_delta','thinking':'so'}")
                       PIECE(0, "{'type':'signature_delta','signature':'AAAA'}") BLOCK_END(0)
                           BLOCK(1, "{'type':'text','text':''}") PIECE(1, "{'type':'text_delta','text':'x'}")
                               BLOCK_END(1) DELTAS("'output_tokens':20") STOP,
           "", ""),
    STREAM(AT("anthropic", "/v1/messages"), MESSAGE("claude-sonnet-4-5", ",'stream':true"),
           FRAME("message_start", ",'message':{'id':'msg_1','model':'m','usage':{" FRESH(3, 1) "}}")
               BLOCK(0, "{'type':'server_tool_use','id':'s','name':'web_search','input':{}}") BLOCK_END(0)
                   DELTAS("'output_tokens':20" SEARCHES(1)) STOP,
           "", ""),
    STREAM(AT("openai", "/v1/responses"), RESPOND("gpt-5.4", ",'stream':true"),
           EVENT("response.created", ",'response':" RESPONSE("in_progress", ",'usage':null"))
               EVENT("response.output_text.delta", ",'delta':'" TRICKY "'")
                   EVENT("response.function_call_arguments.delta", ",'delta':'{\\'a\\':1}'")
                       EVENT("response.output_text.done", ",'text':'" TRICKY "'")
                           RESPONSE_ENDED("completed", OUTPUT(SEARCH) USED(2600, 400, 200, 300, 250)),
           "", ""),
    STREAM(GENERATE_MORE("gemini-2.5-pro"), CONTENTS,
           SEEN(CONTENT(CANDIDATE(TRICKY), COUNTS(10, 1) FROM_CACHE(4)))
               SEEN("{'candidates':[{'content':{'parts':[{'functionCall':{'name':'f','args':{'a':1}}}],'role':'model'},"
                    "'index':0}]}") SEEN(CONTENT(LAST("lo"), COUNTS(10, 7) THOUGHT(3) ",'serviceTier':'FLEX'")),
           "", ""),
    DOCUMENT(GENERATE_MORE("gemini-2.5-pro"), CONTENTS,
             "[" CONTENT(CANDIDATE(TRICKY), COUNTS(10, 1) FROM_CACHE(4)) ",\r\n" CONTENT(LAST("lo"),
                                                                                         COUNTS(10, 7) THOUGHT(3)) "]",
             "", ""),
};

#endif
