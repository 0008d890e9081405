/* SPDX-License-Identifier: Apache-2.0 */
/* Metering vectors of Gemini: documents, streams as events and as an array, embeddings. See vectors.h. */
#ifndef TESTS_UNIT_VECTORS_GEMINI_H
#define TESTS_UNIT_VECTORS_GEMINI_H

#include "vectors.h"

#define GENERATE(model)      AT("google", "/v1beta/models/" model ":generateContent")
#define GENERATE_MORE(model) AT("google", "/v1beta/models/" model ":streamGenerateContent")
#define CONTENTS             "{'contents':[{'role':'user','parts':[{'text':'hi'}]}]}"
#define CANDIDATE(text)      "{'content':{'parts':[{'text':'" text "'}],'role':'model'},'index':0}"
#define LAST(text, ...)                                                                                                \
    "{'content':{'parts':[{'text':'" text "'}],'role':'model'},'finishReason':'STOP','index':0" __VA_ARGS__ "}"
#define CONTENT(candidates, ...)                                                                                       \
    "{'candidates':[" candidates "],'usageMetadata':{" __VA_ARGS__ "},'modelVersion':'m','responseId':'r'}"
#define ANSWER(...)       CONTENT(LAST("hello there"), __VA_ARGS__)
#define COUNTS(in, out)   "'promptTokenCount':" #in ",'candidatesTokenCount':" #out
#define ALL(count)        ",'totalTokenCount':" #count
#define FROM_CACHE(count) ",'cachedContentTokenCount':" #count
#define THOUGHT(count)    ",'thoughtsTokenCount':" #count
#define OF_TOOLS(count)   ",'toolUsePromptTokenCount':" #count
#define MODALITY(which, kind, count)                                                                                   \
    ",'" which "TokensDetails':[{'modality':'TEXT','tokenCount':1},{'modality':'" kind "','tokenCount':" #count "}]"
#define SEEN(json) "data: " json "\r\n\r\n"
#define GROUNDED(model, ...)                                                                                           \
    "{'candidates':[" LAST("hi", ",'groundingMetadata':{" __VA_ARGS__                                                  \
                                 "}") "],'usageMetadata':{" COUNTS(1000, 100) "},'modelVersion':'" model "'}"

static const struct vector gemini_vectors[] = {
    DOCUMENT(GENERATE("gemini-2.5-flash"), CONTENTS, ANSWER(COUNTS(10, 5) ALL(15)), "0.0000155", "10*0.3 + 5*2.5"),
    /* the prompt includes what was cached; thoughts are output; the prompts of tools are input */
    DOCUMENT(GENERATE("gemini-2.5-flash"), CONTENTS,
             ANSWER(COUNTS(1000, 50) FROM_CACHE(400) THOUGHT(200) OF_TOOLS(30) ALL(1280)), "0.000826",
             "630*0.3 + 400*0.03 + 250*2.5"),
    DOCUMENT(GENERATE("gemini-2.5-pro"), CONTENTS, ANSWER(COUNTS(100, 50) THOUGHT(20) ALL(150)), "0.000625",
             "100*1.25 + 50*10"), /* a total that counts thoughts among the candidates */
    DOCUMENT(GENERATE("gemini-2.5-pro"), CONTENTS, ANSWER("'promptTokenCount':100,'totalTokenCount':135" THOUGHT(20)),
             "0.000475", "100*1.25 + 35*10"), /* candidates that only the total counts */
    DOCUMENT(GENERATE("gemini-2.0-flash-lite"), CONTENTS, ANSWER(COUNTS(1, 1) FROM_CACHE(1)), "0.000000375",
             "1*0.075 + 1*0.3"),
    DOCUMENT(GENERATE("gemini-2.5-flash"), CONTENTS, ANSWER(COUNTS(0, 0) ALL(0)), "0", ""),
    /* audio in, image and speech out */
    DOCUMENT(GENERATE("gemini-2.5-flash"), CONTENTS, ANSWER(COUNTS(100, 10) MODALITY("prompt", "AUDIO", 70)),
             "0.000104", "30*0.3 + 70*1 + 10*2.5"),
    DOCUMENT(GENERATE("gemini-2.5-flash-lite"), CONTENTS,
             ANSWER(COUNTS(100, 1) FROM_CACHE(50) MODALITY("prompt", "AUDIO", 70) MODALITY("cache", "AUDIO", 40)),
             "0.0000119", "20*0.1 + 50*0.01 + 30*0.3 + 1*0.4"), /* cached audio is cached */
    DOCUMENT(GENERATE("gemini-2.5-flash"), CONTENTS, ANSWER(COUNTS(100, 10) MODALITY("prompt", "IMAGE", 70)),
             "0.000055", "100*0.3 + 10*2.5"), /* images that are read cost what text costs */
    DOCUMENT(GENERATE("gemini-2.5-flash-image"), CONTENTS,
             ANSWER(COUNTS(10, 1295) MODALITY("candidates", "IMAGE", 1290)), "0.0387155", "10*0.3 + 5*2.5 + 1290*30"),
    DOCUMENT(GENERATE("gemini-3-pro-image-preview"), CONTENTS,
             ANSWER(COUNTS(10, 1120) MODALITY("candidates", "IMAGE", 1120) THOUGHT(100)), "0.13562",
             "10*2 + 100*12 + 1120*120"),
    DOCUMENT(GENERATE("gemini-2.5-flash-preview-tts"), CONTENTS,
             ANSWER(COUNTS(10, 500) MODALITY("candidates", "AUDIO", 500)), "0.005005", "10*0.5 + 500*10"),
    /* long context: above 200,000 of the whole prompt */
    DOCUMENT(GENERATE("gemini-2.5-pro"), CONTENTS, ANSWER(COUNTS(199999, 100)), "0.25099875", "199999*1.25 + 100*10"),
    DOCUMENT(GENERATE("gemini-2.5-pro"), CONTENTS, ANSWER(COUNTS(200000, 100)), "0.251", "200000*1.25 + 100*10"),
    DOCUMENT(GENERATE("gemini-2.5-pro"), CONTENTS, ANSWER(COUNTS(200001, 100)), "0.5015025", "200001*2.5 + 100*15"),
    DOCUMENT(GENERATE("gemini-3-pro-preview"), CONTENTS, ANSWER(COUNTS(200001, 100) FROM_CACHE(200000) THOUGHT(10)),
             "0.081984", "1*4 + 200000*0.4 + 110*18"),
    DOCUMENT(GENERATE("gemini-3.1-pro-preview"), CONTENTS, ANSWER(COUNTS(200000, 100) FROM_CACHE(200000)), "0.0412",
             "200000*0.2 + 100*12"),
    DOCUMENT(GENERATE("gemini-2.5-pro"), CONTENTS, ANSWER(COUNTS(199999, 100) OF_TOOLS(2)), "0.5015025",
             "200001*2.5 + 100*15"), /* what tools found is prompt */
    DOCUMENT(GENERATE("gemini-2.5-flash"), CONTENTS, ANSWER(COUNTS(300000, 100)), "0.09025", "300000*0.3 + 100*2.5"),
    /* tiers */
    DOCUMENT(GENERATE("gemini-2.5-pro"), CONTENTS, ANSWER(COUNTS(1000, 100) ",'serviceTier':'FLEX'"), "0.001125",
             "1000*1.25/2 + 100*10/2"),
    DOCUMENT(GENERATE("gemini-2.5-pro"), CONTENTS, ANSWER(COUNTS(1000, 100) ",'serviceTier':'STANDARD'"), "0.00225",
             "1000*1.25 + 100*10"),
    /* grounding: once for the answer before Gemini 3, by the search since; maps by the answer */
    DOCUMENT(GENERATE("gemini-2.5-flash"), CONTENTS, GROUNDED("gemini-2.5-flash", "'webSearchQueries':['a','b']"),
             "0.03555", "1000*0.3 + 100*2.5 + 1*35000"),
    DOCUMENT(GENERATE("gemini-3-pro-preview"), CONTENTS,
             GROUNDED("gemini-3-pro-preview", "'webSearchQueries':['a','','b']"), "0.0312",
             "1000*2 + 100*12 + 2*14000"),
    DOCUMENT(GENERATE("gemini-2.5-flash"), CONTENTS,
             GROUNDED("gemini-2.5-flash", "'groundingChunks':[{'web':{}},{'maps':{'uri':'u'}}]"), "0.03555",
             "1000*0.3 + 100*2.5 + 1*35000"),
    DOCUMENT(GENERATE("gemini-2.5-flash"), CONTENTS, GROUNDED("gemini-2.5-flash", "'webSearchQueries':[]"), "0.00055",
             "1000*0.3 + 100*2.5"),
    /* names */
    DOCUMENT(GENERATE("gemini-2.5-flash-preview-09-2025"), CONTENTS, ANSWER(COUNTS(10, 5)), "0.0000155",
             "10*0.3 + 5*2.5"),
    DOCUMENT(GENERATE("gemini-2.0-flash-001"), CONTENTS, ANSWER(COUNTS(10, 5)), "0.000003", "10*0.1 + 5*0.4"),
    CEILING(GENERATE("gemini-2.5-ultra"), CONTENTS, ANSWER(COUNTS(10, 5)), "0.0001125", "10*1.25 + 5*20"),
    /* streams: each chunk says the usage so far; a count that the last one lacks stays */
    STREAM(GENERATE_MORE("gemini-2.5-flash"), CONTENTS,
           SEEN(CONTENT(CANDIDATE("Hel"), COUNTS(10, 1) FROM_CACHE(4)))
               SEEN(CONTENT(LAST("lo"), COUNTS(10, 7) THOUGHT(3))),
           "0.00002692", "6*0.3 + 4*0.03 + 10*2.5"),
    DOCUMENT(GENERATE_MORE("gemini-2.5-flash"), CONTENTS,
             "[" CONTENT(CANDIDATE("Hel"),
                         COUNTS(10, 1) FROM_CACHE(4)) "\n,\r\n" CONTENT(LAST("lo"), COUNTS(10, 7) THOUGHT(3)) "\n]",
             "0.00002692", "6*0.3 + 4*0.03 + 10*2.5"),
    STREAM(
        GENERATE_MORE("gemini-3-flash-preview"), CONTENTS,
        SEEN("{'promptFeedback':{'blockReason':'SAFETY'},'usageMetadata':{'promptTokenCount':9,'totalTokenCount':9}}"),
        "0.0000045", "9*0.5"), /* refused: its input is billed */
    /* cut, or not said: 54 bytes asked (14) */
    ESTIMATED(GENERATE_MORE("gemini-2.5-flash"), CONTENTS,
              SEEN(CONTENT(CANDIDATE("Hello"), COUNTS(10, 1) FROM_CACHE(4))), true, "0.00000692",
              "6*0.3 + 4*0.03 + 2*2.5"),
    ESTIMATED(GENERATE("gemini-2.5-flash"), CONTENTS, "{'candidates':[" LAST("hello there") "]}", false, "0.0000117",
              "14*0.3 + 3*2.5"),
    UNBILLED(GENERATE("gemini-2.5-flash"), CONTENTS, "{'error':{'code':500,'status':'INTERNAL'}}", false),
    UNBILLED(AT("google", "/v1beta/models/gemini-2.5-flash:countTokens"), CONTENTS, "{'totalTokens':9}", false),
    /* embeddings say nothing, or only their input; 37 bytes */
    ESTIMATED(AT("google", "/v1beta/models/gemini-embedding-001:embedContent"), "{'content':{'parts':[{'text':'hi'}]}}",
              "{'embedding':{'values':[0.1,0.2]}}", false, "0.0000015", "10*0.15"),
    DOCUMENT(AT("google", "/v1beta/models/gemini-embedding-001:embedContent"), "{'content':{'parts':[{'text':'hi'}]}}",
             "{'embedding':{'values':[0.1]},'usageMetadata':{'promptTokenCount':7}}", "0.00000105", "7*0.15"),
    /* the path that speaks OpenAI's dialect */
    DOCUMENT(AT("google", "/v1beta/openai/chat/completions"), ASK("gemini-2.5-flash"), SAID(TOKENS(10, 5)), "0.0000155",
             "10*0.3 + 5*2.5"),
};

#endif
