/* SPDX-License-Identifier: Apache-2.0 */
/* Metering vectors of OpenAI: chat, legacy completions, embeddings, Responses and their jobs. See vectors.h. */
#ifndef TESTS_UNIT_VECTORS_OPENAI_H
#define TESTS_UNIT_VECTORS_OPENAI_H

#include "vectors.h"

#define CHAT                "openai", "/v1/chat/completions"
#define AUDIO_IN(of, heard) IN_DETAILS("'audio_tokens':" #heard ",'text_tokens':" #of ",'cached_tokens':0")
#define AUDIO_OUT(of, said) OUT_DETAILS("'audio_tokens':" #said ",'text_tokens':" #of ",'reasoning_tokens':0")

static const struct vector openai_chat_vectors[] = {
    DOCUMENT(CHAT, ASK("gpt-5.4-mini"), SAID(TOKENS(1000, 500)), "0.003", "1000*0.75 + 500*4.5"),
    /* the design's vector: 2,600 are 2,000 fresh, 400 cached, 200 written */
    DOCUMENT(CHAT, ASK("gpt-5.4"), SAID(TOKENS(2600, 300) IN_DETAILS("'cached_tokens':400,'cache_write_tokens':200")),
             "0.0101", "2000*2.5 + 400*0.25 + 200*2.5 + 300*15"),
    STREAM(CHAT, ASK_STREAM("gpt-5.4", ",'stream_options':{'include_usage':true}"),
           STREAMED(TOKENS(2600, 300) IN_DETAILS("'cached_tokens':400,'cache_write_tokens':200")), "0.0101",
           "2000*2.5 + 400*0.25 + 200*2.5 + 300*15"),
    STREAM(CHAT, ASK_STREAM("gpt-5.4-mini"), STREAMED(TOKENS(2600, 300) CACHED(400)), "0.00303",
           "2200*0.75 + 400*0.075 + 300*4.5"), /* usage was asked for behind the program's back, and is hidden */
    STREAM(CHAT, ASK_STREAM("gpt-5.4-nano"),
           CHUNK(DELTA("a"), ",'usage':{" TOKENS(9, 1) "}") CHUNK(DELTA("b"), ",'usage':{" TOKENS(9, 2) "}")
               CHUNK(STOPPED, ",'usage':{" TOKENS(9, 2) "}") "data: [DONE]\n\n",
           "0.0000043", "9*0.2 + 2*1.25"), /* usage in each chunk is the usage so far */
    DOCUMENT(CHAT, ASK("gpt-5.4", ",'n':3"), SAID(TOKENS(20, 3000)), "0.04505", "20*2.5 + 3000*15"),
    DOCUMENT(CHAT, ASK("gpt-4.1"), SAID(TOKENS(1000000, 32768)), "2.262144", "1000000*2 + 32768*8"),
    DOCUMENT(CHAT, ASK("gpt-4"), SAID(TOKENS(8000, 192)), "0.25152", "8000*30 + 192*60"),
    DOCUMENT(CHAT, ASK("o3"), SAID(TOKENS(75, 1186) OUT_DETAILS("'reasoning_tokens':1024")), "0.009638",
             "75*2 + 1186*8"), /* reasoning is part of the completion */
    DOCUMENT(CHAT, ASK("o1-pro"), SAID(TOKENS(100, 50)), "0.045", "100*150 + 50*600"),
    DOCUMENT(CHAT, ASK("o3-mini"), SAID(TOKENS(2048, 7) CACHED(1024)), "0.0017204", "1024*1.1 + 1024*0.55 + 7*4.4"),
    DOCUMENT(CHAT, ASK("gpt-4o"),
             SAID(TOKENS(100, 250) OUT_DETAILS("'accepted_prediction_tokens':20,'rejected_prediction_tokens':100")),
             "0.00275", "100*2.5 + 250*10"), /* rejected predictions are part of it, too */
    DOCUMENT(CHAT, ASK("gpt-4o"), SAID(TOKENS(1024, 0) CACHED(1024)), "0.00128", "1024*1.25"),
    DOCUMENT(CHAT, ASK("gpt-4o"), SAID(TOKENS(10, 1) CACHED(99)), "0.0000225", "10*1.25 + 1*10"), /* more than all */
    /* fractions of a nano-dollar are rounded up, once for the request */
    DOCUMENT(CHAT, ASK("gpt-5-nano"), SAID(TOKENS(1, 1)), "0.00000045", "1*0.05 + 1*0.4"),
    DOCUMENT(CHAT, ASK("gpt-5-nano"), SAID(TOKENS(1, 0) CACHED(1)), "0.000000005", "1*0.005"),
    DOCUMENT(CHAT, ASK("gpt-4.1-nano", ",'service_tier':'flex'"), SAID(TOKENS(1, 0) CACHED(1), TIER("flex")),
             "0.000000013", "1*0.025/2"),
    /* explicit zeros are zeros; so is a price of 0 */
    DOCUMENT(CHAT, ASK("gpt-5.4"), SAID(TOKENS(0, 0)), "0", ""),
    DOCUMENT(CHAT, ASK("gpt-3.5-turbo"), SAID(TOKENS(100, 10) CACHED(60)), "0.000035", "40*0.5 + 60*0 + 10*1.5"),
    DOCUMENT(CHAT, ASK("gpt-3.5-turbo"), SAID(TOKENS(60, 0) CACHED(60)), "0", "60*0"),
    /* a model without a price for its cache pays the input's */
    DOCUMENT(CHAT, ASK("o1-pro"), SAID(TOKENS(100, 1) CACHED(60)), "0.0156", "40*150 + 60*150 + 1*600"),

    /* the tier that served is billed, whatever was asked for */
    DOCUMENT(CHAT, ASK("gpt-5.4", ",'service_tier':'priority'"), SAID(TOKENS(1000, 100) CACHED(400), TIER("priority")),
             "0.0062", "600*5 + 400*0.5 + 100*30"),
    DOCUMENT(CHAT, ASK("gpt-5.4-mini", ",'service_tier':'priority'"),
             SAID(TOKENS(1000, 100) CACHED(400), TIER("priority")), "0.00186", "600*1.5 + 400*0.15 + 100*9"),
    STREAM(CHAT, ASK_STREAM("gpt-5.5", ",'service_tier':'priority'"),
           STREAMED(TOKENS(1000, 100) CACHED(400), TIER("priority")), "0.0155", "600*12.5 + 400*1.25 + 100*75"),
    DOCUMENT(CHAT, ASK("gpt-5.4", ",'service_tier':'priority'"), SAID(TOKENS(1000, 100) CACHED(400), TIER("default")),
             "0.0031", "600*2.5 + 400*0.25 + 100*15"),
    DOCUMENT(CHAT, ASK("gpt-5.4-nano", ",'service_tier':'priority'"), SAID(TOKENS(1000, 100), TIER("priority")),
             "0.000325", "1000*0.2 + 100*1.25"), /* no list has a fast price for it */
    DOCUMENT(CHAT, ASK("gpt-5.4", ",'service_tier':'flex'"), SAID(TOKENS(1000, 100) CACHED(400), TIER("flex")),
             "0.00155", "600*2.5/2 + 400*0.25/2 + 100*15/2"),
    STREAM(CHAT, ASK_STREAM("o4-mini", ",'service_tier':'flex'"), STREAMED(TOKENS(33, 11), TIER("flex")), "0.00004235",
           "33*1.1/2 + 11*4.4/2"),
    DOCUMENT(CHAT, ASK("gpt-5.4", ",'service_tier':'flex'"), SAID(TOKENS(1000, 100), TIER("default")), "0.004",
             "1000*2.5 + 100*15"),
    DOCUMENT(CHAT, ASK("gpt-5.4", ",'service_tier':'auto'"), SAID(TOKENS(1000, 100), TIER("scale")), "0.004",
             "1000*2.5 + 100*15"),

    /* long context: the whole prompt, cached or not, decides for all of it, above 272,000 */
    DOCUMENT(CHAT, ASK("gpt-5.4"), SAID(TOKENS(271999, 1000)), "0.6949975", "271999*2.5 + 1000*15"),
    DOCUMENT(CHAT, ASK("gpt-5.4"), SAID(TOKENS(272000, 1000)), "0.695", "272000*2.5 + 1000*15"),
    DOCUMENT(CHAT, ASK("gpt-5.4"), SAID(TOKENS(272001, 1000)), "1.382505", "272001*5 + 1000*22.5"),
    DOCUMENT(CHAT, ASK("gpt-5.4"), SAID(TOKENS(272001, 1000) CACHED(200000)), "0.482505",
             "72001*5 + 200000*0.5 + 1000*22.5"),
    DOCUMENT(CHAT, ASK("gpt-5.4"),
             SAID(TOKENS(300000, 1) IN_DETAILS("'cached_tokens':271000,'cache_write_tokens':9000")), "0.2805225",
             "20000*5 + 271000*0.5 + 9000*5 + 1*22.5"),
    STREAM(CHAT, ASK_STREAM("gpt-5.5"), STREAMED(TOKENS(272001, 1000) CACHED(272000)), "0.31701",
           "1*10 + 272000*1 + 1000*45"),
    STREAM(CHAT, ASK_STREAM("gpt-5.5"), STREAMED(TOKENS(272000, 1000) CACHED(271999)), "0.1660045",
           "1*5 + 271999*0.5 + 1000*30"),
    DOCUMENT(CHAT, ASK("gpt-5.4-pro"), SAID(TOKENS(272000, 10)), "8.1618", "272000*30 + 10*180"),
    DOCUMENT(CHAT, ASK("gpt-5.4-pro"), SAID(TOKENS(272001, 10)), "16.32276", "272001*60 + 10*270"),
    DOCUMENT(CHAT, ASK("gpt-5.4"), SAID(TOKENS(272001, 1000), TIER("flex")), "0.6912525", "272001*5/2 + 1000*22.5/2"),
    /* long and fast: no list says both, the dearer of each counts */
    DOCUMENT(CHAT, ASK("gpt-5.4"), SAID(TOKENS(272001, 1000), TIER("priority")), "1.390005", "272001*5 + 1000*30"),
    DOCUMENT(CHAT, ASK("gpt-5.5"), SAID(TOKENS(272001, 1000), TIER("priority")), "3.4750125", "272001*12.5 + 1000*75"),

    /* audio, in and out */
    DOCUMENT(CHAT, ASK("gpt-audio"), SAID(TOKENS(150, 220) AUDIO_IN(50, 100) AUDIO_OUT(20, 200)), "0.016325",
             "50*2.5 + 100*32 + 20*10 + 200*64"),
    DOCUMENT(CHAT, ASK("gpt-4o-audio-preview-2025-06-03"), SAID(TOKENS(150, 220) AUDIO_IN(50, 100) AUDIO_OUT(20, 200)),
             "0.020325", "50*2.5 + 100*40 + 20*10 + 200*80"),
    STREAM(CHAT, ASK_STREAM("gpt-audio-mini"), STREAMED(TOKENS(150, 20) AUDIO_IN(50, 100)), "0.001078",
           "50*0.6 + 100*10 + 20*2.4"),
    DOCUMENT(CHAT, ASK("gpt-4o-mini-audio-preview"),
             SAID(TOKENS(150, 20) IN_DETAILS("'audio_tokens':100,'cached_tokens':30")), "0.0010195",
             "20*0.15 + 30*0.15 + 100*10 + 20*0.6"),

    /* names with a date, and others' names */
    DOCUMENT(CHAT, ASK("gpt-5.4-mini-2026-03-05"), SAID(TOKENS(1000, 500)), "0.003", "1000*0.75 + 500*4.5"),
    DOCUMENT(CHAT, ASK("gpt-4o-2024-05-13"), SAID(TOKENS(1000, 500)), "0.0125", "1000*5 + 500*15"),
    DOCUMENT(CHAT, ASK("gpt-4o-2024-11-20"), SAID(TOKENS(1000, 500)), "0.0075", "1000*2.5 + 500*10"),
    DOCUMENT(CHAT, ASK("gpt-4-0613"), SAID(TOKENS(1000, 500)), "0.06", "1000*30 + 500*60"),
    DOCUMENT(CHAT, ASK("gpt-5-2025-08-07"), SAID(TOKENS(1000, 500)), "0.00625", "1000*1.25 + 500*10"),
    DOCUMENT(CHAT, ASK("chatgpt-4o-latest"), SAID(TOKENS(1000, 500)), "0.0125", "1000*5 + 500*15"),
    /* unknown: the dearest of the names that share most words, else of all */
    CEILING(CHAT, ASK("gpt-5.4-ultra"), SAID(TOKENS(1000, 500) CACHED(400)), "0.12", "600*30 + 400*30 + 500*180"),
    CEILING(CHAT, ASK("gpt-5.4-mini-maxi"), SAID(TOKENS(1000, 500) CACHED(400)), "0.00273",
            "600*0.75 + 400*0.075 + 500*4.5"),
    CEILING(CHAT, ASK("curie"), SAID(TOKENS(1000, 500)), "0.45", "1000*150 + 500*600"),

    /* searches are billed with the answer, which does not count them */
    DOCUMENT(CHAT, ASK("gpt-4o-search-preview", ",'web_search_options':{}"), SAID(TOKENS(100, 50)), "0.02575",
             "100*2.5 + 50*10 + 1*25000"),
    DOCUMENT(CHAT, ASK("gpt-5-search-api", ",'web_search_options':{}"), SAID(TOKENS(100, 50)), "0.010625",
             "100*1.25 + 50*10 + 1*10000"),

    /* nobody said: a quarter of the bytes, and said so. The request has 68 bytes (17 tokens), the text 11 (3) */
    ESTIMATED(CHAT, ASK("gpt-5.4-mini"),
              "{'id':'c','model':'m','choices':[{'message':{'role':'assistant','content':'hello there'}}]}", false,
              "0.00002625", "17*0.75 + 3*4.5"),
    /* 82 bytes (21); two events of text are two tokens at least, eleven bytes are three */
    ESTIMATED(CHAT, ASK_STREAM("gpt-5.4-mini"),
              CHUNK(DELTA("hello "), "") CHUNK(DELTA("there"), "") CHUNK(STOPPED, "") "data: [DONE]\n\n", true,
              "0.00002925", "21*0.75 + 3*4.5"),
    ESTIMATED(CHAT, ASK_STREAM("gpt-5.4-mini"), CHUNK(DELTA("a"), "") CHUNK(DELTA("b"), "") CHUNK(DELTA("c"), ""), true,
              "0.00002925", "21*0.75 + 3*4.5"), /* cut */
    ESTIMATED(CHAT, ASK("gpt-5.4-mini"), "{'choices':[],'usage':null}", false, "0.00004425", "17*0.75 + 7*4.5"),
    UNBILLED(CHAT, ASK("gpt-5.4"), "{'error':{'message':'no','type':'server_error'}}", false),
    UNBILLED(CHAT, ASK_STREAM("gpt-5.4"), "data: {'error':{'message':'no','type':'server_error'}}\n\n", true),
    UNBILLED(CHAT, ASK("gpt-5.4"), "", false),
    UNBILLED(AT("openai", "/v1/moderations"), "{'input':'x'}", "{'id':'modr','results':[]}", false),
};

#undef CHAT
#define COMPLETIONS "openai", "/v1/completions"
#define EMBEDDINGS  "openai", "/v1/embeddings"
#define VECTORS(usage)                                                                                                 \
    "{'object':'list','data':[{'object':'embedding','index':0,'embedding':[0.1,-2e-3]}],'model':'e','usage':{" usage   \
    "}}"

static const struct vector openai_other_vectors[] = {
    DOCUMENT(COMPLETIONS, "{'model':'gpt-3.5-turbo-instruct','prompt':'hi'}",
             "{'object':'text_completion','choices':[{'text':'hello','index':0}],'usage':{" TOKENS(5, 7) "}}",
             "0.0000215", "5*1.5 + 7*2"),
    STREAM(COMPLETIONS, "{'model':'davinci-002','prompt':'hi','stream':true}",
           "data: {'choices':[{'text':'hel'}],'usage':null}\n\ndata: {'choices':[{'text':'lo'}],'usage':null}\n\n"
           "data: {'choices':[],'usage':{" TOKENS(5, 7) "}}\n\ndata: [DONE]\n\n",
           "0.000024", "5*2 + 7*2"),
    /* 51 bytes (13), 5 of text (2 tokens) */
    ESTIMATED(COMPLETIONS, "{'model':'babbage-002','prompt':'hi','stream':true}",
              "data: {'choices':[{'text':'hello'}]}\n\ndata: [DONE]\n\n", true, "0.000006", "13*0.4 + 2*0.4"),
    DOCUMENT(EMBEDDINGS, "{'model':'text-embedding-3-small','input':'hi'}",
             VECTORS("'prompt_tokens':8,'total_tokens':8"), "0.00000016", "8*0.02"),
    DOCUMENT(EMBEDDINGS, "{'model':'text-embedding-3-large','input':['a','b']}",
             VECTORS("'prompt_tokens':1001,'total_tokens':1001"), "0.00013013", "1001*0.13"),
    DOCUMENT(EMBEDDINGS, "{'model':'text-embedding-ada-002','input':[1,2,3]}", VECTORS("'prompt_tokens':3"),
             "0.0000003", "3*0.1"),
    ESTIMATED(EMBEDDINGS, "{'model':'text-embedding-3-small','input':'hi'}",
              "{'object':'list','data':[{'embedding':[0.1,0.2]}]}", false, "0.00000024", "12*0.02"), /* 47 bytes */
};

#define RESPONSES           "openai", "/v1/responses"
#define RESPOND(model, ...) "{'model':'" model "','input':'hi'" __VA_ARGS__ "}"
#define RESPONSE(status, ...)                                                                                          \
    "{'id':'resp_1','object':'response','status':'" status "','error':null,'model':'m'" __VA_ARGS__ "}"
#define OUTPUT(items) ",'output':[" items "{'type':'message','content':[{'type':'output_text','text':'hello there'}]}]"
#define USED(in, cached, written, out, thought)                                                                        \
    ",'usage':{'input_tokens':" #in ",'input_tokens_details':{'cached_tokens':" #cached                                \
    ",'cache_write_tokens':" #written "},'output_tokens':" #out                                                        \
    ",'output_tokens_details':{'reasoning_tokens':" #thought "}}"
#define EVENT(name, ...) "event: " name "\ndata: {'type':'" name "'" __VA_ARGS__ "}\n\n"
#define RESPONSE_CREATED                                                                                               \
    EVENT("response.created", ",'sequence_number':0,'response':" RESPONSE("in_progress", ",'usage':null"))             \
    EVENT("response.output_text.delta", ",'delta':'hello there'")
#define RESPONSE_ENDED(how, ...) EVENT("response." how, ",'response':" RESPONSE(how, __VA_ARGS__))
#define SEARCH                   "{'type':'web_search_call','action':{'type':'search','query':'x'}},"
#define OPEN_PAGE                "{'type':'web_search_call','action':{'type':'open_page','url':'x'}},"

static const struct vector responses_vectors[] = {
    DOCUMENT(RESPONSES, RESPOND("gpt-5"), RESPONSE("completed", OUTPUT("") USED(2600, 400, 200, 300, 250)), "0.0058",
             "2000*1.25 + 400*0.125 + 200*1.25 + 300*10"),
    DOCUMENT(RESPONSES, RESPOND("codex-mini-latest"), RESPONSE("completed", OUTPUT("") USED(1000, 800, 0, 10, 0)),
             "0.00066", "200*1.5 + 800*0.375 + 10*6"),
    DOCUMENT(RESPONSES, RESPOND("gpt-5.4"), RESPONSE("incomplete", OUTPUT("") USED(20, 0, 0, 16, 16)), "0.00029",
             "20*2.5 + 16*15"),
    STREAM(RESPONSES, RESPOND("gpt-5.4-mini", ",'stream':true"),
           RESPONSE_CREATED RESPONSE_ENDED("completed", OUTPUT("") USED(2600, 400, 200, 300, 250)), "0.00303",
           "2200*0.75 + 400*0.075 + 300*4.5"),
    STREAM(RESPONSES, RESPOND("o3-pro", ",'stream':true"),
           RESPONSE_CREATED RESPONSE_ENDED("incomplete", OUTPUT("") USED(81, 0, 0, 1035, 832)), "0.08442",
           "81*20 + 1035*80"),
    DOCUMENT(RESPONSES, RESPOND("gpt-5.4", ",'service_tier':'flex'"),
             RESPONSE("completed", TIER("flex") OUTPUT("") USED(1000, 0, 0, 100, 0)), "0.002", "1000*2.5/2 + 100*15/2"),
    STREAM(RESPONSES, RESPOND("gpt-5.4", ",'stream':true"),
           RESPONSE_CREATED RESPONSE_ENDED("completed", TIER("priority") USED(1000, 0, 0, 100, 0)), "0.008",
           "1000*5 + 100*30"),
    DOCUMENT(RESPONSES, RESPOND("gpt-5.5"), RESPONSE("completed", USED(272000, 0, 0, 1, 0)), "1.36003",
             "272000*5 + 1*30"),
    DOCUMENT(RESPONSES, RESPOND("gpt-5.5"), RESPONSE("completed", USED(272001, 272001, 0, 1, 0)), "0.272046",
             "272001*1 + 1*45"),
    /* tools that the provider runs: searches, not the pages that are opened after them */
    DOCUMENT(RESPONSES, RESPOND("gpt-5", ",'tools':[{'type':'web_search'}]"),
             RESPONSE("completed", OUTPUT(SEARCH OPEN_PAGE SEARCH) USED(1000, 0, 0, 100, 0)), "0.02225",
             "1000*1.25 + 100*10 + 2*10000"),
    STREAM(
        RESPONSES, RESPOND("gpt-5", ",'stream':true,'tools':[{'type':'file_search'}]"),
        RESPONSE_CREATED RESPONSE_ENDED("completed", OUTPUT("{'type':'file_search_call'},") USED(1000, 0, 0, 100, 0)),
        "0.01225", "1000*1.25 + 100*10 + 1*10000"),
    DOCUMENT(RESPONSES, RESPOND("gpt-5", ",'service_tier':'flex','tools':[{'type':'web_search'}]"),
             RESPONSE("completed", TIER("flex") OUTPUT(SEARCH) USED(1000, 0, 0, 100, 0)), "0.011125",
             "1000*1.25/2 + 100*10/2 + 1*10000"), /* fees of tools are not halved */
    DOCUMENT(
        RESPONSES, RESPOND("gpt-5", ",'tools':[{'type':'x_search'}]"), /* xAI's, which counts in its usage */
        RESPONSE(
            "completed",
            OUTPUT(
                "{'type':'custom_tool_call','name':'x_keyword_search'},") ",'usage':{'input_tokens':1000,"
                                                                          "'output_tokens':100,'num_server_side_tools_"
                                                                          "used':7,'server_side_tool_usage_details':{"
                                                                          "'web_search_calls':1,'x_search_calls':2,'"
                                                                          "code_interpreter_calls':1,'file_search_"
                                                                          "calls':0,"
                                                                          "'mcp_calls':3,'document_search_calls':1}}"),
        "0.05225", "1000*1.25 + 100*10 + 5*10000"),
    DOCUMENT(RESPONSES, RESPOND("gpt-5"),
             RESPONSE("completed",
                      OUTPUT("") ",'tool_usage':{'image_gen':{'input_tokens':50,'output_tokens':4160}}" USED(1000, 0, 0,
                                                                                                             100, 0)),
             "0.0439125", "1000*1.25 + 50*1.25 + 100*10 + 4160*10"), /* the drawing, at the price of the model */
    CEILING(RESPONSES, RESPOND("gpt-5-turbo"), RESPONSE("completed", USED(10, 0, 0, 10, 0)), "0.00135",
            "10*15 + 10*120"),
    /* jobs: nothing until they end; then what all of it used */
    UNBILLED(RESPONSES, RESPOND("gpt-5", ",'background':true"), RESPONSE("queued", ",'background':true,'usage':null"),
             false),
    JOB("gpt-5", AT("openai", "/v1/responses/resp_1"),
        RESPONSE("completed", ",'background':true" OUTPUT("") USED(2600, 400, 200, 300, 250)), "0.0058",
        "2000*1.25 + 400*0.125 + 200*1.25 + 300*10"),
    JOB("o3-deep-research-2025-06-26", AT("openai", "/v1/responses/resp_1"),
        RESPONSE("completed", OUTPUT(SEARCH SEARCH SEARCH) USED(1000, 0, 0, 100, 0)), "0.044",
        "1000*10 + 100*40 + 3*10000"),
    JOB("gpt-5.4", AT("openai", "/v1/batches/batch_1"),
        "{'id':'batch_1','object':'batch','status':'completed','model':'m'" USED(3001, 400, 0, 301, 250) "}",
        "0.00555875", "2601*2.5/2 + 400*0.25/2 + 301*15/2"),
    JOB("text-embedding-3-small", AT("openai", "/v1/batches/batch_1"),
        "{'id':'batch_1','object':'batch','status':'completed'" USED(7, 0, 0, 0, 0) "}", "0.00000007", "7*0.02/2"),
    /* 30 bytes asked (8), 11 of text (3) */
    ESTIMATED(RESPONSES, RESPOND("gpt-5"), RESPONSE("completed", OUTPUT("")), false, "0.00004", "8*1.25 + 3*10"),
    ESTIMATED(RESPONSES, RESPOND("gpt-5", ",'stream':true"), RESPONSE_CREATED, true, "0.00004375", "11*1.25 + 3*10"),
    UNBILLED(RESPONSES, RESPOND("gpt-5"), "{'id':'resp_1','status':'failed','error':{'code':'server_error'}}", false),
};

#endif
