/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests and what they become: rows of test_translate_request.c. JSON is written with ' for ". A row wants a body
 * (compared as a JSON value) and what was dropped, or an error and the place that its problem begins with.
 */
#ifndef TESTS_UNIT_TRANSLATE_REQUEST_CASES_H
#define TESTS_UNIT_TRANSLATE_REQUEST_CASES_H

struct case_row {
    int line;
    enum api from, to;
    const char *in;
    const char *out;     /* NULL: refused */
    const char *dropped; /* NULL: nothing */
    enum error error;
    const char *place;
};
#define CHAT_IS(in, out)                                                                                               \
    {                                                                                                                  \
        __LINE__, API_CHAT, API_MESSAGES, in, out, NULL, ERROR_OK, NULL                                                \
    }
#define CHAT_DROPS(in, out, names)                                                                                     \
    {                                                                                                                  \
        __LINE__, API_CHAT, API_MESSAGES, in, out, names, ERROR_OK, NULL                                               \
    }
#define CHAT_NOT(in, place)                                                                                            \
    {                                                                                                                  \
        __LINE__, API_CHAT, API_MESSAGES, in, NULL, NULL, ERROR_NO_TRANSLATION, place                                  \
    }
#define CHAT_BAD(in, place)                                                                                            \
    {                                                                                                                  \
        __LINE__, API_CHAT, API_MESSAGES, in, NULL, NULL, ERROR_BODY_INCOMPLETE, place                                 \
    }
#define MSG_IS(in, out)                                                                                                \
    {                                                                                                                  \
        __LINE__, API_MESSAGES, API_CHAT, in, out, NULL, ERROR_OK, NULL                                                \
    }
#define MSG_DROPS(in, out, names)                                                                                      \
    {                                                                                                                  \
        __LINE__, API_MESSAGES, API_CHAT, in, out, names, ERROR_OK, NULL                                               \
    }
#define MSG_NOT(in, place)                                                                                             \
    {                                                                                                                  \
        __LINE__, API_MESSAGES, API_CHAT, in, NULL, NULL, ERROR_NO_TRANSLATION, place                                  \
    }
#define MSG_BAD(in, place)                                                                                             \
    {                                                                                                                  \
        __LINE__, API_MESSAGES, API_CHAT, in, NULL, NULL, ERROR_BODY_INCOMPLETE, place                                 \
    }
#define RESP_IS(in, out)                                                                                               \
    {                                                                                                                  \
        __LINE__, API_RESPONSES, API_MESSAGES, in, out, NULL, ERROR_OK, NULL                                           \
    }
#define RESP_DROPS(in, out, names)                                                                                     \
    {                                                                                                                  \
        __LINE__, API_RESPONSES, API_MESSAGES, in, out, names, ERROR_OK, NULL                                          \
    }
#define RESP_NOT(in, place)                                                                                            \
    {                                                                                                                  \
        __LINE__, API_RESPONSES, API_MESSAGES, in, NULL, NULL, ERROR_NO_TRANSLATION, place                             \
    }
#define RESP_BAD(in, place)                                                                                            \
    {                                                                                                                  \
        __LINE__, API_RESPONSES, API_MESSAGES, in, NULL, NULL, ERROR_BODY_INCOMPLETE, place                            \
    }
#define RCHAT_IS(in, out)                                                                                              \
    {                                                                                                                  \
        __LINE__, API_RESPONSES, API_CHAT, in, out, NULL, ERROR_OK, NULL                                               \
    }
#define RCHAT_DROPS(in, out, names)                                                                                    \
    {                                                                                                                  \
        __LINE__, API_RESPONSES, API_CHAT, in, out, names, ERROR_OK, NULL                                              \
    }
#define RCHAT_NOT(in, place)                                                                                           \
    {                                                                                                                  \
        __LINE__, API_RESPONSES, API_CHAT, in, NULL, NULL, ERROR_NO_TRANSLATION, place                                 \
    }

#define HI             "'messages':[{'role':'user','content':'hi'}]"
#define C(m)           "{'model':'m'," HI "," m "}"
#define CM(m)          "{'model':'m','messages':[" m "]}"
#define A(m)           "{'model':'t','max_tokens':1000," HI "," m "}"
#define AM(m)          "{'model':'t','max_tokens':1000,'messages':[" m "]}"
#define M(m)           "{'model':'m','max_tokens':9," HI "," m "}"
#define MM(m)          "{'model':'m','max_tokens':9,'messages':[" m "]}"
#define O(m)           "{'model':'t','max_tokens':9," HI "," m "}"
#define OM(m)          "{'model':'t','max_tokens':9,'messages':[" m "]}"
#define R(m)           "{'model':'m','input':'hi'," m "}"
#define RI(m)          "{'model':'m','input':[" m "]}"
#define U(c)           "{'role':'user','content':" c "}"
#define B(c)           "{'role':'assistant','content':" c "}"
#define FN(n)          "{'type':'function','function':{'name':'" n "','parameters':{'type':'object'}}}"
#define TL(n)          "{'name':'" n "','input_schema':{'type':'object'}}"
#define CALL(id, n, a) "{'id':'" id "','type':'function','function':{'name':'" n "','arguments':'" a "'}}"
#define USE(id, n, i)  "{'type':'tool_use','id':'" id "','name':'" n "','input':" i "}"
#define PNG            "data:image/png;base64,iVBORw0KGgo="

static const struct case_row case_rows[] = {
    /* ---- Chat Completions → Messages ---- */
    CHAT_IS("{'model':'m'," HI "}", "{'model':'t','max_tokens':1000," HI "}"),
    CHAT_IS(C("'max_tokens':7"), "{'model':'t','max_tokens':7," HI "}"),
    CHAT_IS(C("'max_completion_tokens':7,'max_tokens':null"), "{'model':'t','max_tokens':7," HI "}"),
    CHAT_BAD(C("'max_completion_tokens':7,'max_tokens':8"), "max_completion_tokens"),
    CHAT_BAD(C("'max_tokens':0"), "max_tokens"),
    CHAT_BAD(C("'max_tokens':'7'"), "max_tokens"),
    CHAT_IS(CM("{'role':'system','content':'be brief'}," U("'hi'")),
            "{'model':'t','max_tokens':1000,'system':'be brief'," HI "}"),
    CHAT_IS(CM("{'role':'developer','content':[{'type':'text','text':'a'},{'type':'text','text':'b'}]},"
               "{'role':'system','content':'c'}," U("'hi'")),
            "{'model':'t','max_tokens':1000,'system':'a\\n\\nb\\n\\nc'," HI "}"),
    CHAT_IS(CM(U("'hi'") "," B("'yes'") ",{'role':'system','content':'now in French'}," U("'more'")),
            "{'model':'t','max_tokens':1000,'system':'now in French','messages':[" U("'hi'") "," B("'yes'") "," U(
                "'more'") "]}"),
    CHAT_NOT(CM("{'role':'system','content':'a'}"), "the body cannot"),
    CHAT_NOT(CM(B("'welcome'") "," U("'hi'")), "messages[0]"),
    CHAT_IS(CM(U("'a'") "," U("[{'type':'text','text':'b'}]")), AM(U("[{'type':'text','text':'a'},"
                                                                     "{'type':'text','text':'b'}]"))),
    CHAT_IS(CM(U("'a'") "," U("''") "," B("' '") "," U("'b'")),
            AM(U("[{'type':'text','text':'a'},{'type':'text','text':'b'}]"))),
    CHAT_IS(CM(U("'a'") "," B("'The answer: \\n'")), AM(U("'a'") "," B("'The answer:'"))),
    CHAT_DROPS(CM("{'role':'user','content':'a','name':'bob'}"), AM(U("'a'")), "messages.name"),
    CHAT_IS(CM(U("'a'") ",{'role':'assistant','content':null,'refusal':'no','annotations':[],'audio':null,"
                        "'function_call':null,'tool_calls':null}," U("'b'")),
            AM(U("'a'") "," B("'no'") "," U("'b'"))),
    CHAT_IS(CM(U("'a'") "," B("[{'type':'text','text':'x'},{'type':'refusal','refusal':'y'}]") "," U("'b'")),
            AM(U("'a'") "," B("[{'type':'text','text':'x'},{'type':'text','text':'y'}]") "," U("'b'"))),
    CHAT_DROPS(CM(U("'a'") ",{'role':'assistant','content':'b','reasoning_content':'hm'}," U("'c'")),
               AM(U("'a'") "," B("'b'") "," U("'c'")), "messages.reasoning_content"),
    /* what OpenAI's SDKs send back of answers that they parsed */
    CHAT_IS(CM(U("'a'") ",{'role':'assistant','content':'{}','parsed':{'x':1}}," U("'c'")),
            AM(U("'a'") "," B("'{}'") "," U("'c'"))),
    CHAT_IS("{'model':'m','tools':[" FN("f") "],'messages':[" U(
                "'a'") ",{'role':'assistant','content':null,'parsed':null,"
                       "'tool_calls':[{'id':'c1','type':'function','function':{'name':'f','arguments':'{\\'x\\':1}',"
                       "'parsed_arguments':{'x':1}}}]},{'role':'tool','tool_call_id':'c1','content':'r'}]}",
            "{'model':'t','max_tokens':1000,'tools':[" TL("f") "],'messages':[" U("'a'") "," B("[" USE(
                "c1", "f", "{'x':1}") "]") "," U("[{'type':'tool_result','tool_use_id':'c1','content':'r'}]") "]}"),
    /* images and files */
    CHAT_IS(CM(U("[{'type':'image_url','image_url':{'url':'" PNG "','detail':'auto'}}]")),
            AM(U("[{'type':'image','source':{'type':'base64','media_type':'image/png','data':'iVBORw0KGgo='}}]"))),
    CHAT_DROPS(CM(U("[{'type':'image_url','image_url':{'url':'https://x.example/a.png','detail':'high'}}]")),
               AM(U("[{'type':'image','source':{'type':'url','url':'https://x.example/a.png'}}]")),
               "messages.content.image_url.detail"),
    CHAT_NOT(CM(U("[{'type':'image_url','image_url':{'url':'http://x.example/a.png'}}]")), "messages[0].content[0]"),
    CHAT_NOT(CM(U("[{'type':'image_url','image_url':{'url':'ftp://x/a'}}]")), "messages[0].content[0].image_url.url"),
    CHAT_NOT(CM(U("[{'type':'image_url','image_url':{'url':'data:image/png,abc'}}]")),
             "messages[0].content[0].image_url.url"),
    CHAT_NOT(
        CM(U("[{'type':'text','text':'x'},{'type':'image_url','image_url':{'url':'data:image/tiff;base64,AA=='}}]")),
        "messages[0].content[1]"),
    CHAT_BAD(CM(U("[{'type':'image_url','image_url':'" PNG "'}]")), "messages[0].content[0].image_url"),
    CHAT_IS(CM(U("[{'type':'file','file':{'filename':'a.pdf','file_data':'data:application/pdf;base64,JVBE'}}]")),
            AM(U("[{'type':'document','title':'a.pdf','source':{'type':'base64','media_type':'application/pdf',"
                 "'data':'JVBE'}}]"))),
    CHAT_NOT(CM(U("[{'type':'file','file':{'file_id':'file-1'}}]")), "messages[0].content[0].file.file_id"),
    CHAT_NOT(CM(U("[{'type':'file','file':{'file_data':'data:text/csv;base64,AA=='}}]")), "messages[0].content[0]"),
    CHAT_BAD(CM(U("[{'type':'file','file':{'filename':'a'}}]")), "messages[0].content[0].file.file_data"),
    CHAT_NOT(CM(U("'a'") "," B("'b'") "," U("'c'") "," U("[{'type':'text','text':'x'},{'type':'input_audio',"
                                                         "'input_audio':{'data':'AA','format':'wav'}}]")),
             "messages[3].content[1].input_audio"),
    CHAT_NOT(CM(U("[{'type':'hologram'}]")), "messages[0].content[0].hologram"),
    CHAT_BAD(CM(U("[{'text':'x'}]")), "messages[0].content[0].type"),
    CHAT_BAD(CM(U("[{'type':5}]")), "messages[0].content[0].type"),
    CHAT_BAD(CM(U("[5]")), "messages[0].content[0]"),
    CHAT_BAD(CM(U("5")), "messages[0].content"),
    CHAT_BAD(CM("{'role':'user'}"), "messages[0].content"),
    CHAT_BAD(CM("{'content':'x'}"), "messages[0].role"),
    CHAT_NOT(CM("{'role':'function','name':'f','content':'x'}"), "messages[0].role"),
    CHAT_BAD(CM("'x'"), "messages[0]"),
    CHAT_BAD("{'model':'m','messages':'hi'}", "messages"),
    CHAT_BAD("{'model':'m','messages':[]}", "messages"),
    CHAT_BAD("{'model':'m'}", "messages"),
    CHAT_BAD("[]", "the body"),
    /* tools */
    CHAT_IS(C("'tools':[{'type':'function','function':{'name':'f','description':'d','parameters':{'type':'object',"
              "'properties':{'a':{'type':'number','multipleOf':0.7}}}}}]"),
            A("'tools':[{'name':'f','description':'d','input_schema':{'type':'object','properties':{'a':{'type':"
              "'number','multipleOf':0.7}}}}]")),
    CHAT_IS(C("'tools':[{'type':'function','function':{'name':'f'}}]"),
            A("'tools':[{'name':'f','input_schema':{'type':'object','properties':{}}}]")),
    CHAT_IS(C("'tools':[{'type':'function','function':{'name':'f','parameters':{}}}]"), A("'tools':[" TL("f") "]")),
    CHAT_DROPS(C("'tools':[{'type':'function','function':{'name':'f','strict':true,'parameters':{'type':'object'}}}]"),
               A("'tools':[" TL("f") "]"), "tools.strict"),
    CHAT_NOT(C("'tools':[{'type':'function','function':{'name':'f','parameters':{'type':'array'}}}]"), "tools[0]"),
    CHAT_NOT(C("'tools':[" FN("g") ",{'type':'function','function':{'name':'f','parameters':{'anyOf':[]}}}]"),
             "tools[1]"),
    CHAT_NOT(C("'tools':[" FN("a b") "]"), "tools[0]"),
    CHAT_NOT(C("'tools':[" FN("f") "," FN("f") "]"), "tools[1]"),
    CHAT_NOT(C("'tools':[{'type':'custom','custom':{'name':'f'}}]"), "tools[0].custom"),
    CHAT_NOT(C("'tools':[{'type':'web_search'}]"), "tools[0].web_search"),
    CHAT_BAD(C("'tools':[{'type':'function'}]"), "tools[0].function"),
    CHAT_NOT(C("'tools':[{'type':'function','function':{'name':'f','colour':1}}]"), "tools[0].function.colour"),
    CHAT_IS(C("'tools':[]"), "{'model':'t','max_tokens':1000," HI "}"),
    CHAT_IS(C("'tools':[" FN("f") "],'tool_choice':'auto'"), A("'tools':[" TL("f") "],'tool_choice':{'type':'auto'}")),
    CHAT_IS(C("'tools':[" FN("f") "],'tool_choice':'none'"), A("'tools':[" TL("f") "],'tool_choice':{'type':'none'}")),
    CHAT_IS(C("'tools':[" FN("f") "],'tool_choice':'required','parallel_tool_calls':false"),
            A("'tools':[" TL("f") "],'tool_choice':{'type':'any','disable_parallel_tool_use':true}")),
    CHAT_IS(C("'tools':[" FN("f") "],'parallel_tool_calls':false"),
            A("'tools':[" TL("f") "],'tool_choice':{'type':'auto','disable_parallel_tool_use':true}")),
    CHAT_IS(C("'tools':[" FN("f") "],'parallel_tool_calls':true"), A("'tools':[" TL("f") "]")),
    CHAT_IS(C("'tools':[" FN("f") "],'tool_choice':{'type':'function','function':{'name':'f'}}"),
            A("'tools':[" TL("f") "],'tool_choice':{'type':'tool','name':'f'}")),
    CHAT_NOT(C("'tools':[" FN("f") "],'tool_choice':{'type':'function','function':{'name':'g'}}"), "tool_choice"),
    CHAT_NOT(C("'tool_choice':'required'"), "tool_choice"),
    CHAT_IS(C("'tool_choice':'auto','parallel_tool_calls':false"), "{'model':'t','max_tokens':1000," HI "}"),
    CHAT_NOT(
        C("'tools':[" FN("f") "],'tool_choice':{'type':'allowed_tools','allowed_tools':{'mode':'auto','tools':[]}}"),
        "tool_choice.allowed_tools"),
    CHAT_BAD(C("'tools':[" FN("f") "],'tool_choice':'maybe'"), "tool_choice"),
    /* calls and results */
    CHAT_IS("{'model':'m','tools':[" FN("f") "],'messages':[" U(
                "'a'") ",{'role':'assistant','content':'let me "
                       "see','tool_calls':[" CALL("c1", "f", "{\\'x\\':1}") "," CALL("c2", "f",
                                                                                     "") "]},{'role':'tool','"
                                                                                         "tool_call_id':'c2',"
                                                                                         "'content':'two'},{'"
                                                                                         "role':'tool','tool_"
                                                                                         "call_id':"
                                                                                         "'c1','content':[{'"
                                                                                         "type':'text','text'"
                                                                                         ":'one'}]}," U("'go on'") "]}",
            "{'model':'t','max_tokens':1000,'tools':[" TL("f") "],'messages':[" U("'a'") "," B(
                "[{'type':'text','text':'let me see'}," USE("c1", "f", "{'x':1}") "," USE(
                    "c2", "f", "{}") "]") "," U("[{'type':'tool_result','tool_use_id':'c2','content':'two'},"
                                                "{'type':'tool_result','tool_use_id':'c1','content':'one'},"
                                                "{'type':'text','text':'go on'}]") "]}"),
    CHAT_IS(CM(U("'a'") ",{'role':'assistant','tool_calls':[" CALL(
                "c1", "f", "{}") "]},{'role':'tool','tool_call_id':'c1','name':'f','content':''}"),
            "{'model':'t','max_tokens':1000,'tools':[" TL("f") "],'tool_choice':{'type':'none'},'messages':[" U(
                "'a'") "," B("[" USE("c1", "f", "{}") "]") "," U("[{'type':'tool_result','tool_use_id':'c1'}]") "]}"),
    CHAT_IS(
        "{'model':'m','tools':[" FN("f") "],'messages':[" U(
            "'a'") ",{'role':'assistant','content':'','tool_calls':[" CALL("functions.f:0", "f",
                                                                           "{}") "]},{'role':'tool','tool_call_id':'"
                                                                                 "functions.f:0','content':'r'}]}",
        "{'model':'t','max_tokens':1000,'tools':[" TL("f") "],'messages':[" U("'a'") "," B("[" USE(
            "call_b937675686d6e12484e201c6", "f", "{}") "]") "," U("[{'type':'tool_result','tool_use_id':'call_"
                                                                   "b937675686d6e12484e201c6','content':'r'}]") "]}"),
    CHAT_NOT(
        CM(U("'a'") ",{'role':'assistant','tool_calls':[" CALL("c1", "f", "[1]") "]},{'role':'tool','tool_call_id':"
                                                                                 "'c1','content':'x'}"),
        "messages[1].tool_calls[0]"),
    CHAT_NOT(CM(U("'a'") ",{'role':'assistant','tool_calls':[" CALL("c1", "f",
                                                                    "{\\'x\\':") "]},{'role':'tool',"
                                                                                 "'tool_call_id':'c1','content':'x'}"),
             "messages[1].tool_calls[0]"),
    CHAT_NOT(CM(U("'a'") ",{'role':'assistant','tool_calls':[" CALL("c1", "f", "{}") "," CALL(
                 "c2", "f", "{}") "]},{'role':'tool','tool_call_id':'c1','content':'x'}"),
             "messages[1].tool_calls[1]"),
    CHAT_NOT(CM(U("'a'") ",{'role':'assistant','tool_calls':[" CALL("c1", "f", "{}") "]}"),
             "messages[1].tool_calls[0]"),
    CHAT_NOT(CM(U("'a'") ",{'role':'tool','tool_call_id':'c1','content':'x'}"), "messages[1]"),
    CHAT_NOT(CM(U("'a'") ",{'role':'assistant','tool_calls':[" CALL(
                 "c1", "f", "{}") "]},{'role':'tool','tool_call_id':"
                                  "'c1','content':'x'},{'role':'tool','tool_call_id':'c1','content':'y'}"),
             "messages[3]"),
    CHAT_NOT(CM(U("'a'") ",{'role':'assistant','tool_calls':[" CALL("c", "f", "{}") "," CALL("c", "f", "{}") "]}"),
             "messages[1].tool_calls[1]"),
    CHAT_NOT(CM(U("'a'") ",{'role':'assistant','tool_calls':[{'id':'c','type':'custom','custom':{}}]}"),
             "messages[1].tool_calls[0].custom"),
    CHAT_BAD(
        CM(U(
            "'a'") ",{'role':'assistant','tool_calls':[{'type':'function','function':{'name':'f','arguments':'{}'}}]}"),
        "messages[1].tool_calls[0].id"),
    CHAT_NOT(CM(U("'a'") ",{'role':'assistant','function_call':{'name':'f','arguments':'{}'}}"),
             "messages[1].function_call"),
    CHAT_NOT(CM(U("'a'") ",{'role':'assistant','audio':{'id':'x'}}"), "messages[1].audio"),
    CHAT_NOT(CM(U("'a'") ",{'role':'assistant','tool_calls':[" CALL(
                 "c", "f", "{}") "]},{'role':'tool','tool_call_id':'c',"
                                 "'content':[{'type':'image_url','image_url':{'url':'" PNG "'}}]}"),
             "messages[2].content[0].image_url"),
    /* sampling and the rest */
    CHAT_IS(C("'stop':'END','temperature':0.7,'stream':true,'stream_options':{'include_usage':true},'user':'u1'"),
            A("'stop_sequences':['END'],'temperature':0.7,'stream':true,'metadata':{'user_id':'u1'}")),
    CHAT_IS(C("'stop':['a','b']"), A("'stop_sequences':['a','b']")),
    CHAT_NOT(C("'stop':'\\n'"), "stop"),
    CHAT_BAD(C("'stop':[1]"), "stop[0]"),
    CHAT_DROPS(C("'temperature':1.5"), A("'temperature':1"), "temperature above 1"),
    CHAT_BAD(C("'temperature':2.5"), "temperature"),
    CHAT_IS(C("'top_p':0.5"), A("'top_p':0.5")),
    CHAT_IS(C("'top_p':1,'temperature':1"), A("'temperature':1")),
    CHAT_DROPS(C("'top_p':0.5,'temperature':0"), A("'temperature':0"), "top_p"),
    CHAT_DROPS(C("'seed':18446744073709551615,'reasoning_effort':'high','store':true,'metadata':{'a':'b'}"),
               "{'model':'t','max_tokens':1000," HI "}", "seed, reasoning_effort, store, metadata"),
    CHAT_NOT(C("'tools':[{'type':'function','function':{'name':'f','parameters':{'maximum':18446744073709551615}}}]"),
             "the body cannot"),
    CHAT_IS(C("'n':1,'store':false,'logprobs':false,'presence_penalty':0,'frequency_penalty':0.0,'logit_bias':{},"
              "'modalities':['text'],'service_tier':'auto','response_format':{'type':'text'},'functions':[],"
              "'verbosity':'medium','audio':null"),
            "{'model':'t','max_tokens':1000," HI "}"),
    CHAT_NOT(C("'n':2"), "n"),
    CHAT_NOT(C("'logprobs':true"), "logprobs"),
    CHAT_NOT(C("'logit_bias':{'5':1}"), "logit_bias"),
    CHAT_NOT(C("'modalities':['text','audio']"), "modalities"),
    CHAT_NOT(C("'web_search_options':{}"), "web_search_options"),
    CHAT_NOT(C("'functions':[{'name':'f'}]"), "functions"),
    CHAT_NOT(C("'wobble':1"), "wobble"),
    CHAT_IS(C("'wobble':null"), "{'model':'t','max_tokens':1000," HI "}"),
    CHAT_IS(
        C("'response_format':{'type':'json_object'}"),
        A("'system':'Answer with one valid JSON object and nothing else: no text before or after it, no code fence.'")),
    CHAT_IS(C("'response_format':{'type':'json_schema','json_schema':{'name':'s','description':'d','strict':true,"
              "'schema':{'type':'object','properties':{'a':{'type':'string'}}}}}"),
            A("'tools':[{'name':'s','description':'d','input_schema':{'type':'object','properties':{'a':{'type':"
              "'string'}}}}],'tool_choice':{'type':'tool','name':'s','disable_parallel_tool_use':true}")),
    CHAT_NOT(C("'tools':[" FN("f") "],'response_format':{'type':'json_schema','json_schema':{'name':'s','schema':{}}}"),
             "response_format"),
    CHAT_NOT(C("'response_format':{'type':'json_schema','json_schema':{'name':'s','schema':{'type':'array'}}}"),
             "response_format"),
    CHAT_NOT(C("'response_format':{'type':'json_schema','json_schema':{'name':'a.b','schema':{}}}"), "response_format"),
    CHAT_BAD(C("'response_format':{'type':'json_schema','json_schema':{'name':'s'}}"),
             "response_format.json_schema.schema"),

    /* ---- Messages → Chat Completions ---- */
    MSG_IS("{'model':'m','max_tokens':9," HI "}", "{'model':'t','max_tokens':9," HI "}"),
    MSG_BAD("{'model':'m'," HI "}", "max_tokens"),
    MSG_IS(M("'system':'s'"), OM("{'role':'system','content':'s'}," U("'hi'"))),
    MSG_DROPS(
        M("'system':[{'type':'text','text':'a','cache_control':{'type':'ephemeral'}},{'type':'text','text':'b'}]"),
        OM("{'role':'system','content':'a\\n\\nb'}," U("'hi'")), "system.cache_control"),
    MSG_IS(MM(U("'a'") "," B("'b'") ",{'role':'system','content':'c'}," U("'d'")),
           OM(U("'a'") "," B("'b'") ",{'role':'system','content':'c'}," U("'d'"))),
    MSG_NOT(MM(U("'a'") "," B("'The answer is ('")), "messages[1]"),
    MSG_IS(MM(U("[{'type':'text','text':'a'},{'type':'image','source':{'type':'base64','media_type':'image/png','data':"
                "'iVBORw0KGgo='}},{'type':'image','source':{'type':'url','url':'https://x.example/b'}}]")),
           OM(U("[{'type':'text','text':'a'},{'type':'image_url','image_url':{'url':'" PNG
                "'}},{'type':'image_url','image_url':{'url':'https://x.example/b'}}]"))),
    MSG_NOT(MM(U("[{'type':'image','source':{'type':'file','file_id':'f'}}]")), "messages[0].content[0].source.file"),
    MSG_IS(MM(U("[{'type':'document','title':'a.pdf','context':'from the web','source':{'type':'base64','media_type':"
                "'application/pdf','data':'JVBE'}},{'type':'document','title':'T','source':{'type':'text','media_type':"
                "'text/plain','data':'plain'}}]")),
           OM(U("[{'type':'text','text':'from the web'},{'type':'file','file':{'filename':'a.pdf','file_data':"
                "'data:application/pdf;base64,JVBE'}},{'type':'text','text':'T'},{'type':'text','text':'plain'}]"))),
    MSG_NOT(MM(U("[{'type':'document','source':{'type':'url','url':'https://x/y.pdf'}}]")),
            "messages[0].content[0].source"),
    MSG_NOT(MM(U("[{'type':'document','citations':{'enabled':true},'source':{'type':'text','data':'x'}}]")),
            "messages[0].content[0].citations"),
    MSG_IS(MM(U("[{'type':'document','source':{'type':'content','content':[{'type':'text','text':'x'}]}}]")),
           OM(U("'x'"))),
    MSG_NOT(MM(U("[{'type':'search_result','source':'s','title':'t','content':[]}]")),
            "messages[0].content[0].search_result"),
    MSG_DROPS(
        MM(U("'a'") "," B("[{'type':'thinking','thinking':'h','signature':'s'},{'type':'redacted_thinking','data':"
                          "'x'},{'type':'text','text':'b'}]") "," U("'c'")),
        OM(U("'a'") "," B("'b'") "," U("'c'")), "messages.content.thinking, messages.content.redacted_thinking"),
    MSG_NOT(MM(U("'a'") "," B("[{'type':'server_tool_use','id':'s','name':'web_search','input':{}}]")),
            "messages[1].content[0].server_tool_use"),
    MSG_IS("{'model':'m','max_tokens':9,'tools':[" TL("f") "],'messages':[" U("'a'") "," B(
               "[{'type':'text','text':'see'}," USE(
                   "t1", "f", "{'x':[1,2.5]}") "]") "," U("[{'type':'tool_result','tool_use_id':'t1','content':[{'type'"
                                                          ":'text','text':'p'},{'type':'text','text':"
                                                          "'q'}]},{'type':'text','text':'go on'}]") "]}",
           "{'model':'t','max_tokens':9,'tools':[" FN("f") "],'messages':[" U(
               "'a'") ",{'role':'assistant','content':'see',"
                      "'tool_calls':[" CALL("t1", "f", "{\\'x\\':[1,2.5]}") "]},{'role':'tool','tool_call_id':'t1','"
                                                                            "content':'p\\n\\nq'}," U("'go on'") "]}"),
    MSG_DROPS(
        MM(U("'a'") "," B("[" USE("t1", "f", "{}") "]") "," U("[{'type':'tool_result','tool_use_id':'t1','is_error':"
                                                              "true,'content':'failed'}]")),
        OM(U("'a'") ",{'role':'assistant','content':null,'tool_calls':[" CALL(
            "t1", "f", "{}") "]},{'role':'tool','tool_call_id':'t1','content':'failed'}"),
        "is_error"),
    MSG_IS(
        MM(U("'a'") "," B("[" USE("t1", "f", "{}") "]") "," U(
            "[{'type':'text','text':'late'},{'type':'tool_result',"
            "'tool_use_id':'t1','content':[{'type':'image','source':{'type':'base64','media_type':'image/png','data':"
            "'iVBORw0KGgo='}}]}]")),
        OM(U("'a'") ",{'role':'assistant','content':null,'tool_calls':[" CALL(
            "t1", "f", "{}") "]},{'role':'tool',"
                             "'tool_call_id':'t1','content':'The result follows in the next message.'}," U(
                                 "[{'type':'text','text':"
                                 "'From the result of tool call t1:'},{'type':'image_url','image_url':{'url':'" PNG
                                 "'}},{'type':'text',"
                                 "'text':'late'}]"))),
    MSG_NOT(MM(U("'a'") "," B("[" USE("t1", "f", "{}") "]") "," U("'no result'")), "messages[1].content[0]"),
    MSG_NOT(MM(U("[{'type':'tool_result','tool_use_id':'t1'}]")), "messages[0].content[0]"),
    MSG_BAD(MM(U("'a'") "," B("[{'type':'tool_use','id':'t','name':'f','input':'{}'}]")),
            "messages[1].content[0].input"),
    MSG_BAD(MM(U("'a'") "," B("[{'type':'tool_use','id':'t','name':'f'}]")), "messages[1].content[0].input"),
    MSG_DROPS(
        M("'tools':[{'type':'custom','name':'f','description':'d','strict':true,'cache_control':{},'input_schema':"
          "{'type':'object'}}],'tool_choice':{'type':'any','disable_parallel_tool_use':true}"),
        O("'tools':[{'type':'function','function':{'name':'f','description':'d','strict':true,'parameters':{'type':"
          "'object'}}}],'tool_choice':'required','parallel_tool_calls':false"),
        "tools.cache_control"),
    MSG_IS(M("'tools':[" TL("f") "],'tool_choice':{'type':'tool','name':'f'}"),
           O("'tools':[" FN("f") "],'tool_choice':{'type':'function','function':{'name':'f'}}")),
    MSG_IS(M("'tools':[" TL("f") "],'tool_choice':{'type':'none'}"), O("'tools':[" FN("f") "],'tool_choice':'none'")),
    MSG_IS(M("'tool_choice':{'type':'auto'}"), "{'model':'t','max_tokens':9," HI "}"),
    MSG_NOT(M("'tools':[{'type':'web_search_20250305','name':'web_search'}]"), "tools[0].web_search_20250305"),
    MSG_NOT(M("'tools':[{'type':'bash_20250124','name':'bash'}]"), "tools[0].bash_20250124"),
    MSG_NOT(M("'tools':[{'name':'f','input_schema':{},'defer_loading':true}]"), "tools[0].defer_loading"),
    MSG_BAD(M("'tools':[{'name':'f'}]"), "tools[0].input_schema"),
    MSG_NOT(M("'tools':[" TL("a123456789012345678901234567890123456789012345678901234567890123456789") "]"),
            "tools[0]"),
    MSG_IS(
        M("'stop_sequences':['a','b','c','d'],'temperature':0.3,'top_p':0.9,'stream':true,'metadata':{'user_id':'u'}"),
        O("'stop':['a','b','c','d'],'temperature':0.3,'top_p':0.9,'stream':true,'stream_options':{'include_usage':true}"
          ","
          "'user':'u'")),
    MSG_NOT(M("'stop_sequences':['a','b','c','d','e']"), "stop_sequences"),
    MSG_BAD(M("'temperature':1.5"), "temperature"),
    MSG_DROPS(M("'top_k':5"), "{'model':'t','max_tokens':9," HI "}", "top_k"),
    MSG_DROPS(M("'thinking':{'type':'enabled','budget_tokens':1024},'output_config':{'effort':'low'},'service_tier':"
                "'standard_only'"),
              "{'model':'t','max_tokens':9," HI "}", "output_config.effort, thinking, service_tier"),
    MSG_IS(M("'thinking':{'type':'disabled'},'service_tier':'auto','mcp_servers':[]"),
           "{'model':'t','max_tokens':9," HI "}"),
    MSG_DROPS(M("'metadata':{'user_id':'0123456789012345678901234567890123456789012345678901234567890123456789'}"),
              "{'model':'t','max_tokens':9," HI "}", "user"),
    MSG_IS(
        M("'output_config':{'format':{'type':'json_schema','schema':{'type':'object'}}}"),
        O("'response_format':{'type':'json_schema','json_schema':{'name':'answer','schema':{'type':'object'},'strict':"
          "true}}")),
    MSG_IS(
        M("'output_format':{'type':'json_schema','schema':{'type':'object'}}"),
        O("'response_format':{'type':'json_schema','json_schema':{'name':'answer','schema':{'type':'object'},'strict':"
          "true}}")),
    MSG_NOT(M("'mcp_servers':[{}]"), "mcp_servers"),
    MSG_NOT(M("'container':'c'"), "container"),
    MSG_NOT(M("'inference_geo':'eu'"), "inference_geo"),
    MSG_NOT(MM("{'role':'tool','content':'x'}"), "messages[0].role"),

    /* ---- Responses → Messages ---- */
    RESP_IS("{'model':'m','input':'hi'}", "{'model':'t','max_tokens':1000," HI "}"),
    RESP_IS(R("'instructions':'s','max_output_tokens':5"), "{'model':'t','max_tokens':5,'system':'s'," HI "}"),
    RESP_DROPS(
        RI("{'role':'developer','content':'d'},{'type':'message','role':'user','content':[{'type':'input_text',"
           "'text':'a'},{'type':'input_image','image_url':'" PNG "','detail':'low'},{'type':'input_file','filename':"
           "'a.pdf','file_data':'data:application/pdf;base64,JVBE'},{'type':'input_file','file_url':"
           "'https://x/y.pdf'}]}"),
        "{'model':'t','max_tokens':1000,'system':'d','messages':[" U(
            "[{'type':'text','text':'a'},{'type':'image',"
            "'source':{'type':'base64','media_type':'image/png','data':'iVBORw0KGgo='}},{'type':'document','title':"
            "'a.pdf','source':{'type':'base64','media_type':'application/pdf','data':'JVBE'}},{'type':'document',"
            "'source':{'type':'url','url':'https://x/y.pdf'}}]") "]}",
        "input.content.detail"),
    RESP_DROPS(
        RI(U("'a'") ",{'type':'reasoning','id':'rs','summary':[],'encrypted_content':'x'},{'type':'message','id':"
                    "'msg','status':'completed','role':'assistant','content':[{'type':'output_text','text':'b','"
                    "annotations':"
                    "[],'logprobs':[]},{'type':'refusal','refusal':'c'}]}," U("'d'")),
        AM(U("'a'") "," B("[{'type':'text','text':'b'},{'type':'text','text':'c'}]") "," U("'d'")), "input.reasoning"),
    RESP_IS(
        "{'model':'m','tools':[{'type':'function','name':'f','description':null,'parameters':{'type':'object'},'strict'"
        ":"
        "false}],'input':[" U(
            "'a'") ",{'role':'assistant','content':'see'},{'type':'function_call','id':'fc','call_id':"
                   "'c1','name':'f','arguments':'{}','status':'completed'},{'type':'function_call','call_id':'c2','"
                   "name':'f',"
                   "'arguments':'{\\'x\\':1}'},{'type':'function_call_output','call_id':'c1','output':'one'},{'type':"
                   "'function_call_output','call_id':'c2','output':[{'type':'input_text','text':'two'},{'type':'input_"
                   "image',"
                   "'image_url':'https://x/y'}]}]}",
        "{'model':'t','max_tokens':1000,'tools':[" TL("f") "],'messages':[" U("'a'") "," B(
            "[{'type':'text','text':'see'}," USE("c1", "f", "{}") "," USE(
                "c2", "f", "{'x':1}") "]") "," U("[{'type':'tool_result','tool_use_id':'c1','content':'one'},{'type':'"
                                                 "tool_result','tool_use_id':'c2',"
                                                 "'content':[{'type':'text','text':'two'},{'type':'image','source':{'"
                                                 "type':'url','url':'https://x/y'}}]}]") "]}"),
    RESP_IS(
        "{'model':'m','tools':[{'type':'function','name':'f','parameters':{'type':'object'},'strict':false}],'input':"
        "[" U(
            "'a'") ",{'type':'message','role':'assistant','content':[{'type':'output_text','text':'{}','parsed':{}}]},"
                   "{'type':'function_call','call_id':'c1','name':'f','arguments':'{}','parsed_arguments':{}},"
                   "{'type':'function_call_output','call_id':'c1','output':'r'}]}",
        "{'model':'t','max_tokens':1000,'tools':[" TL("f") "],'messages':[" U("'a'") "," B(
            "[{'type':'text','text':'{}'}," USE(
                "c1", "f", "{}") "]") "," U("[{'type':'tool_result','tool_use_id':'c1','content':'r'}]") "]}"),
    RESP_NOT(RI(U("'a'") ",{'type':'function_call','call_id':'c1','name':'f','arguments':'{}'}"), "input[1]"),
    RESP_NOT(RI("{'type':'item_reference','id':'x'}"), "input[0].item_reference"),
    RESP_NOT(RI("{'id':'x'}"), "input[0].item_reference"),
    RESP_NOT(RI("{'type':'web_search_call','id':'x'}"), "input[0].web_search_call"),
    RESP_NOT(RI("{'type':'custom_tool_call','call_id':'x'}"), "input[0].custom_tool_call"),
    RESP_NOT(RI(U("[{'type':'input_file','file_id':'x'}]")), "input[0].content[0].file_id"),
    RESP_NOT(RI(U("[{'type':'input_image','file_id':'x','image_url':null}]")), "input[0].content[0].file_id"),
    RESP_BAD(RI(U("[{'type':'input_file','filename':'x'}]")), "input[0].content[0].file_data"),
    RESP_BAD(RI("{'type':'message','content':'x'}"), "input[0].role"),
    RESP_BAD("{'model':'m'}", "input"),
    RESP_BAD("{'model':'m','input':{}}", "input"),
    RESP_BAD("{'model':'m','input':''}", "input"),
    RESP_NOT(R("'previous_response_id':'resp_1'"), "previous_response_id"),
    RESP_NOT(R("'conversation':'conv_1'"), "conversation"),
    RESP_NOT(R("'prompt':{'id':'p'}"), "prompt"),
    RESP_NOT(R("'background':true"), "background"),
    RESP_NOT(R("'tools':[{'type':'web_search'}]"), "tools[0].web_search"),
    RESP_NOT(R("'tools':[{'type':'custom','name':'apply_patch'}]"), "tools[0].custom"),
    RESP_NOT(R("'include':['message.output_text.logprobs']"), "include[0]"),
    RESP_NOT(R("'tool_choice':{'type':'allowed_tools','mode':'auto','tools':[]}"), "tool_choice.allowed_tools"),
    RESP_DROPS(
        R("'reasoning':{'effort':'high'},'include':['reasoning.encrypted_content'],'store':false,'truncation':'auto',"
          "'text':{'verbosity':'low'},'prompt_cache_key':'k'"),
        "{'model':'t','max_tokens':1000," HI "}", "text.verbosity, include, reasoning, truncation, prompt_cache_key"),
    RESP_IS(R("'text':{'format':{'type':'json_schema','name':'s','strict':true,'schema':{'type':'object'}}}"),
            A("'tools':[" TL("s") "],'tool_choice':{'type':'tool','name':'s','disable_parallel_tool_use':true}")),
    RESP_NOT(
        R("'text':{'format':{'type':'json_schema','name':'s','schema':{}}},'tools':[{'type':'function','name':'f'}]"),
        "text.format"),

    /* ---- Responses → Chat Completions ---- */
    RCHAT_IS("{'model':'m','input':'hi'}", "{'model':'t'," HI "}"),
    RCHAT_IS(R("'max_output_tokens':5,'instructions':'s','temperature':1.5,'top_p':0.5,'background':false"),
             "{'model':'t','max_tokens':5,'temperature':1.5,'top_p':0.5,'messages':[{'role':'system','content':'s'}," U(
                 "'hi'") "]}"),
    RCHAT_IS(
        "{'model':'m','tools':[{'type':'function','name':'f','parameters':null,'strict':true}],'tool_choice':{'type':"
        "'function','name':'f'},'parallel_tool_calls':false,'input':[" U(
            "'a'") ",{'type':'function_call','call_id':'c1',"
                   "'name':'f','arguments':'{\\'x\\': "
                   "1}'},{'type':'function_call_output','call_id':'c1','output':'r'}]}",
        "{'model':'t','tools':[{'type':'function','function':{'name':'f','strict':true}}],'tool_choice':{'type':"
        "'function','function':{'name':'f'}},'parallel_tool_calls':false,'messages':[" U(
            "'a'") ",{'role':'assistant',"
                   "'content':null,'tool_calls':[" CALL("c1", "f",
                                                        "{\\'x\\': 1}") "]},{'role':'tool','tool_call_id':'c1',"
                                                                        "'content':'r'}]}"),
    RCHAT_IS(R("'text':{'format':{'type':'json_schema','name':'s','strict':true,'schema':{'type':'object'}}}"),
             "{'model':'t'," HI ",'response_format':{'type':'json_schema','json_schema':{'name':'s','schema':{'type':"
             "'object'},'strict':true}}}"),
    RCHAT_IS(R("'text':{'format':{'type':'json_object'}},'stream':true"),
             "{'model':'t'," HI
             ",'response_format':{'type':'json_object'},'stream':true,'stream_options':{'include_usage':"
             "true}}"),
    RCHAT_IS(RI(U("'a'") ",{'role':'assistant','content':'b'},{'role':'developer','content':'c'}," U("'d'")),
             "{'model':'t','messages':[" U("'a'") "," B("'b'") ",{'role':'system','content':'c'}," U("'d'") "]}"),
    RCHAT_NOT(RI(U("[{'type':'input_file','file_url':'https://x/y.pdf'}]")), "input[0].content[0]"),
};

#endif
