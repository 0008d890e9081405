/* SPDX-License-Identifier: Apache-2.0 */
/* Metering vectors of Anthropic: messages, their streams, batches and tools. See vectors.h. */
#ifndef TESTS_UNIT_VECTORS_ANTHROPIC_H
#define TESTS_UNIT_VECTORS_ANTHROPIC_H

#include "vectors.h"

#define MESSAGES AT("anthropic", "/v1/messages")
#define MESSAGE(model, ...)                                                                                            \
    "{'model':'" model "','max_tokens':100,'messages':[{'role':'user','content':'hi'}]" __VA_ARGS__ "}"
#define REPLY(...)                                                                                                     \
    "{'id':'msg_1','type':'message','role':'assistant','model':'m','content':[{'type':'text','text':'hello there'}],"  \
    "'stop_reason':'end_turn','usage':{" __VA_ARGS__ "}}"
#define FRESH(in, out) "'input_tokens':" #in ",'output_tokens':" #out
#define WRITTEN(all)   ",'cache_creation_input_tokens':" #all
#define LIVES(minutes, hour)                                                                                           \
    ",'cache_creation':{'ephemeral_5m_input_tokens':" #minutes ",'ephemeral_1h_input_tokens':" #hour "}"
#define READ(count)      ",'cache_read_input_tokens':" #count
#define SEARCHES(count)  ",'server_tool_use':{'web_search_requests':" #count ",'web_fetch_requests':7}"
#define FRAME(name, ...) "event: " name "\ndata: {'type':'" name "'" __VA_ARGS__ "}\n\n"
#define START(usage)                                                                                                   \
    FRAME("message_start", ",'message':{'id':'msg_1','type':'message','role':'assistant','model':'m','content':[],"    \
                           "'stop_reason':null,'usage':{" usage "}}")                                                  \
    FRAME("content_block_start", ",'index':0,'content_block':{'type':'text','text':''}")                               \
    FRAME("ping")                                                                                                      \
    FRAME("content_block_delta", ",'index':0,'delta':{'type':'text_delta','text':'hello there'}")                      \
    FRAME("content_block_stop", ",'index':0")
#define DELTAS(usage)        FRAME("message_delta", ",'delta':{'stop_reason':'end_turn'},'usage':{" usage "}")
#define STOP                 FRAME("message_stop")
#define ROUND(type, in, out) "{'type':'" type "','input_tokens':" #in ",'output_tokens':" #out "}"
#define SUCCEEDED(usage)                                                                                               \
    "{'custom_id':'a','result':{'type':'succeeded','message':{'id':'m','model':'m','usage':{" usage                    \
    ",'service_tier':'batch'}}}}\n"

static const struct vector anthropic_vectors[] = {
    /* the design's vector */
    DOCUMENT(MESSAGES, MESSAGE("claude-sonnet-4-5"), REPLY(FRESH(3, 550) WRITTEN(12304) LIVES(12304, 0) READ(0)),
             "0.054399", "3*3 + 12304*3.75 + 550*15"),
    STREAM(MESSAGES, MESSAGE("claude-sonnet-4-5", ",'stream':true"),
           START(FRESH(3, 1) WRITTEN(12304) READ(0)) DELTAS("'output_tokens':550") STOP, "0.054399",
           "3*3 + 12304*3.75 + 550*15"),
    DOCUMENT(MESSAGES, MESSAGE("claude-opus-4-8"), REPLY(FRESH(100, 50) WRITTEN(3000) LIVES(1000, 2000) READ(5000)),
             "0.0305", "100*5 + 1000*6.25 + 2000*10 + 5000*0.5 + 50*25"),
    DOCUMENT(MESSAGES, MESSAGE("claude-opus-4-8"), REPLY(FRESH(100, 50) WRITTEN(3000)), "0.0205",
             "100*5 + 3000*6.25 + 50*25"), /* not said how long: five minutes */
    DOCUMENT(MESSAGES, MESSAGE("claude-opus-4-8"), REPLY(FRESH(100, 50) LIVES(0, 3000)), "0.03175",
             "100*5 + 3000*10 + 50*25"),
    DOCUMENT(MESSAGES, MESSAGE("claude-haiku-4-5"), REPLY(FRESH(0, 1) READ(99999)), "0.0100049", "99999*0.1 + 1*5"),
    DOCUMENT(MESSAGES, MESSAGE("claude-fable-5"), REPLY(FRESH(1000, 500) WRITTEN(8) LIVES(0, 8)), "0.03516",
             "1000*10 + 8*20 + 500*50"),
    DOCUMENT(MESSAGES, MESSAGE("claude-3-haiku-20240307"), REPLY(FRESH(1, 1) WRITTEN(1) READ(1)), "0.00000183",
             "1*0.25 + 1*0.3 + 1*0.03 + 1*1.25"),
    DOCUMENT(MESSAGES, MESSAGE("claude-sonnet-5"), REPLY(FRESH(0, 0)), "0", ""),
    DOCUMENT(MESSAGES, MESSAGE("claude-opus-4-1"), REPLY(FRESH(1000000, 32000)), "17.4", "1000000*15 + 32000*75"),
    /* one price however long */
    DOCUMENT(MESSAGES, MESSAGE("claude-sonnet-4-6"), REPLY(FRESH(200000, 1)), "0.600015", "200000*3 + 1*15"),
    DOCUMENT(MESSAGES, MESSAGE("claude-sonnet-4-6"), REPLY(FRESH(200001, 1)), "0.600018", "200001*3 + 1*15"),
    /* thinking is output; its details are a part of it */
    DOCUMENT(MESSAGES, MESSAGE("claude-sonnet-5"),
             REPLY(FRESH(10, 1000) ",'output_tokens_details':{'thinking_tokens':900}"), "0.01002", "10*2 + 1000*10"),

    /* tiers: fast is dearer, batch is half, priority is paid in advance */
    DOCUMENT(MESSAGES, MESSAGE("claude-opus-4-8", ",'speed':'fast'"),
             REPLY(FRESH(100, 50) WRITTEN(3000) LIVES(1000, 2000) READ(5000) ",'speed':'fast'"), "0.061",
             "100*10 + 1000*12.5 + 2000*20 + 5000*1 + 50*50"),
    DOCUMENT(MESSAGES, MESSAGE("claude-opus-4-6", ",'speed':'fast'"),
             REPLY(FRESH(100, 50) READ(5000) ",'service_tier':'standard','speed':'fast'"), "0.0255",
             "100*30 + 5000*3 + 50*150"),
    STREAM(MESSAGES, MESSAGE("claude-opus-4-7", ",'speed':'fast','stream':true"),
           START(FRESH(100, 1) ",'speed':'fast'") DELTAS("'output_tokens':50") STOP, "0.0105", "100*30 + 50*150"),
    DOCUMENT(MESSAGES, MESSAGE("claude-opus-4-8", ",'speed':'fast'"), REPLY(FRESH(100, 50) ",'speed':'standard'"),
             "0.00175", "100*5 + 50*25"),
    DOCUMENT(MESSAGES, MESSAGE("claude-opus-4-8"), REPLY(FRESH(100, 50) TIER("priority")), "0.00175", "100*5 + 50*25"),
    DOCUMENT(MESSAGES, MESSAGE("claude-opus-4-8"), REPLY(FRESH(101, 51) READ(7) TIER("batch")), "0.00089175",
             "101*5/2 + 7*0.5/2 + 51*25/2"),

    /* streams: what comes later replaces, field by field, and is never added */
    STREAM(MESSAGES, MESSAGE("claude-sonnet-4-5", ",'stream':true"),
           START(FRESH(10, 1)) DELTAS("'output_tokens':5") DELTAS("'output_tokens':9") STOP, "0.000165", "10*3 + 9*15"),
    STREAM(MESSAGES, MESSAGE("claude-sonnet-4-5", ",'stream':true"),
           START(FRESH(0, 0)) DELTAS("'input_tokens':10,'output_tokens':9" READ(100)) STOP, "0.000195",
           "10*3 + 100*0.3 + 9*15"), /* input comes late */
    STREAM(MESSAGES, MESSAGE("claude-sonnet-4-5", ",'stream':true"),
           START(FRESH(10, 1) WRITTEN(300) LIVES(100, 200)) DELTAS("'output_tokens':9" WRITTEN(300)) STOP, "0.00174",
           "10*3 + 100*3.75 + 200*6 + 9*15"), /* the split stays known */
    STREAM(MESSAGES, MESSAGE("claude-sonnet-4-5", ",'stream':true"),
           START(FRESH(10, 1) READ(5)) DELTAS("'output_tokens':0") STOP, "0.0000315", "10*3 + 5*0.3"),

    /* tools that run there are billed by the call; pages that are fetched are not */
    DOCUMENT(MESSAGES, MESSAGE("claude-sonnet-4-5", ",'tools':[{'type':'web_search_20250305','name':'web_search'}]"),
             REPLY(FRESH(1000, 100) SEARCHES(2)), "0.0245", "1000*3 + 100*15 + 2*10000"),
    STREAM(MESSAGES, MESSAGE("claude-haiku-4-5", ",'stream':true"),
           START(FRESH(1000, 1)) DELTAS("'output_tokens':5" SEARCHES(1)) DELTAS("'output_tokens':100" SEARCHES(3)) STOP,
           "0.0315", "1000*1 + 100*5 + 3*10000"),
    DOCUMENT(MESSAGES, MESSAGE("claude-haiku-4-5"), REPLY(FRESH(1000, 100) SEARCHES(1) TIER("batch")), "0.01075",
             "1000*1/2 + 100*5/2 + 1*10000"), /* nor are their fees halved */
    /* rounds that the totals leave out */
    DOCUMENT(MESSAGES, MESSAGE("claude-opus-4-8"),
             REPLY(FRESH(23000, 1000) ",'iterations':[" ROUND("compaction", 180000, 3500) "," ROUND("message", 23000,
                                                                                                    1000) "]"),
             "1.1275", "203000*5 + 4500*25"),

    /* names */
    DOCUMENT(MESSAGES, MESSAGE("claude-sonnet-4-5-20250929"), REPLY(FRESH(10, 9)), "0.000165", "10*3 + 9*15"),
    DOCUMENT(MESSAGES, MESSAGE("claude-opus-4-7-20260401"), REPLY(FRESH(10, 9)), "0.000275", "10*5 + 9*25"),
    DOCUMENT(MESSAGES, MESSAGE("claude-sonnet-4-6-latest"), REPLY(FRESH(10, 9)), "0.000165", "10*3 + 9*15"),
    DOCUMENT(MESSAGES, MESSAGE("claude-3-5-haiku-latest"), REPLY(FRESH(10, 9)), "0.000044", "10*0.8 + 9*4"),
    CEILING(MESSAGES, MESSAGE("claude-haiku-6"), REPLY(FRESH(10, 9) WRITTEN(8) LIVES(4, 4)), "0.000068",
            "10*1 + 4*1.25 + 4*2 + 9*5"),
    CEILING(MESSAGES, MESSAGE("claude-opus-9"), REPLY(FRESH(10, 9)), "0.000825", "10*15 + 9*75"),

    /* batches: the results say what each request used; half of it is billed */
    JOB("claude-sonnet-4-5", AT("anthropic", "/v1/messages/batches/msgbatch_1/results"),
        SUCCEEDED(FRESH(100, 50)) SUCCEEDED(
            FRESH(11, 1) READ(7)) "{'custom_id':'c','result':{'type':'errored','error':{'type':'invalid_request'}}}\n",
        "0.00055005", "111*3/2 + 7*0.3/2 + 51*15/2"),
    UNBILLED(AT("anthropic", "/v1/messages/batches"),
             "{'requests':[{'custom_id':'a','params':" MESSAGE("claude-sonnet-5") "}]}",
             "{'id':'msgbatch_1','processing_status':'in_progress'}", false),

    /* not said, or cut: what is known stays, the rest is estimated (11 bytes: 3 tokens; asked: 89 bytes, 23) */
    ESTIMATED(MESSAGES, MESSAGE("claude-sonnet-4-5", ",'stream':true"), START(FRESH(10, 1) READ(100)), true, "0.000105",
              "10*3 + 100*0.3 + 3*15"),
    ESTIMATED(MESSAGES, MESSAGE("claude-haiku-4-5"),
              "{'id':'msg_1','type':'message','content':[{'type':'text','text':'hello there'}]}", false, "0.000038",
              "23*1 + 3*5"),
    UNBILLED(MESSAGES, MESSAGE("claude-haiku-4-5"), "{'type':'error','error':{'type':'overloaded_error'}}", false),
    UNBILLED(MESSAGES, MESSAGE("claude-haiku-4-5", ",'stream':true"),
             FRAME("error", ",'error':{'type':'overloaded_error'}"), true),
    UNBILLED(AT("anthropic", "/v1/messages/count_tokens"), MESSAGE("claude-haiku-4-5"), "{'input_tokens':9}", false),
    /* the path that speaks OpenAI's dialect */
    DOCUMENT(AT("anthropic", "/v1/chat/completions"), ASK("claude-haiku-4-5"), SAID(TOKENS(10, 9)), "0.000055",
             "10*1 + 9*5"),
};

#endif
