/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metering vectors of those who speak OpenAI's dialect in their own way, and of targets with prices of their own. See
 * vectors.h.
 */
#ifndef TESTS_UNIT_VECTORS_COMPATIBLE_H
#define TESTS_UNIT_VECTORS_COMPATIBLE_H

#include "vectors.h"

#define DEEPSEEK        AT("deepseek", "/chat/completions")
#define XAI             AT("xai", "/v1/chat/completions")
#define GROQ            AT("groq", "/openai/v1/chat/completions")
#define MISTRAL         AT("mistral", "/v1/chat/completions")
#define TOGETHER        AT("together", "/v1/chat/completions")
#define FIREWORKS       AT("fireworks", "/inference/v1/chat/completions")
#define OPENROUTER      AT("openrouter", "/api/v1/chat/completions")
#define PERPLEXITY      AT("perplexity", "/chat/completions")
#define COHERE          AT("cohere", "/compatibility/v1/chat/completions")
#define CEREBRAS        AT("cerebras", "/v1/chat/completions")
#define AZURE           AT("azure", "/openai/v1/chat/completions")

#define HIT(hit, miss)  ",'prompt_cache_hit_tokens':" #hit ",'prompt_cache_miss_tokens':" #miss
#define TOTAL(count)    ",'total_tokens':" #count
#define REASONED(count) OUT_DETAILS("'reasoning_tokens':" #count)
/* The usage rides on the last chunk with a choice: DeepSeek, Mistral. */
#define STREAMED_TOGETHER(usage) CHUNK(DELTA("hello "), "") CHUNK(STOPPED, ",'usage':{" usage "}") "data: [DONE]\n\n"

static const struct vector compatible_vectors[] = {
    DOCUMENT(DEEPSEEK, ASK("deepseek-chat"), SAID(TOKENS(1000, 200) HIT(600, 400)), "0.00011368",
             "400*0.14 + 600*0.0028 + 200*0.28"),
    STREAM(DEEPSEEK, ASK_STREAM("deepseek-reasoner"), STREAMED_TOGETHER(TOKENS(1000, 200) HIT(600, 400) REASONED(150)),
           "0.00011368", "400*0.14 + 600*0.0028 + 200*0.28"),
    DOCUMENT(DEEPSEEK, ASK("deepseek-v4-flash"), SAID(TOKENS(1, 0) HIT(1, 0)), "0.000000003", "1*0.0028"),
    DOCUMENT(DEEPSEEK, ASK("deepseek-v4-pro"), SAID(TOKENS(3, 1) HIT(3, 0) CACHED(3)), "0.000000881",
             "3*0.003625 + 1*0.87"), /* said twice, counted once */
    DOCUMENT(AT("deepseek", "/v1/chat/completions"), ASK("deepseek-chat"), SAID(TOKENS(10, 1)), "0.00000168",
             "10*0.14 + 1*0.28"),
    CEILING(DEEPSEEK, ASK("deepseek-v5"), SAID(TOKENS(1000, 200) HIT(600, 400)), "0.000350175",
            "400*0.435 + 600*0.003625 + 200*0.87"),

    /* xAI counts reasoning beside the completion; its total says so */
    DOCUMENT(XAI, ASK("grok-4.3"), SAID(TOKENS(100, 10) TOTAL(410) REASONED(300)), "0.0009", "100*1.25 + 310*2.5"),
    STREAM(XAI, ASK_STREAM("grok-4.3"), STREAMED(TOKENS(100, 10) TOTAL(410) CACHED(60) REASONED(300)), "0.000837",
           "40*1.25 + 60*0.2 + 310*2.5"),
    DOCUMENT(XAI, ASK("grok-4.3"), SAID(TOKENS(100, 310) TOTAL(410) REASONED(300)), "0.0009", "100*1.25 + 310*2.5"),
    DOCUMENT(XAI, ASK("grok-4.3"), SAID(TOKENS(200000, 10) TOTAL(200010)), "0.250025", "200000*1.25 + 10*2.5"),
    DOCUMENT(XAI, ASK("grok-4.3"), SAID(TOKENS(200001, 10) TOTAL(200011) CACHED(200000)), "0.0800525",
             "1*2.5 + 200000*0.4 + 10*5"),
    DOCUMENT(XAI, ASK("grok-build-0.1"), SAID(TOKENS(199999, 10) TOTAL(200009)), "0.200019", "199999*1 + 10*2"),

    DOCUMENT(GROQ, ASK("llama-3.3-70b-versatile"),
             SAID("'queue_time':0.1," TOKENS(
                 100, 50) ",'prompt_time':0.002,'completion_time':0.1,'total_time':0.1" TOTAL(150)),
             "0.0000985", "100*0.59 + 50*0.79"),
    STREAM(GROQ, ASK_STREAM("openai/gpt-oss-120b"),
           CHUNK(DELTA("hello"), "") CHUNK(STOPPED, ",'x_groq':{'id':'r','usage':{" TOKENS(100, 50) "}}")
               CHUNK("", ",'usage':{" TOKENS(100, 50) CACHED(64) REASONED(20) "}") "data: [DONE]\n\n",
           "0.0000402", "36*0.15 + 64*0.075 + 50*0.6"),
    DOCUMENT(GROQ, ASK("qwen/qwen3-32b"), SAID(TOKENS(7, 3), TIER("on_demand")), "0.0000038", "7*0.29 + 3*0.59"),

    DOCUMENT(MISTRAL, ASK("mistral-small-latest"), SAID(TOKENS(100, 50) TOTAL(150)), "0.000045", "100*0.15 + 50*0.6"),
    STREAM(MISTRAL, ASK_STREAM("mistral-medium-2604"), STREAMED_TOGETHER(TOKENS(100, 50) TOTAL(150)), "0.000525",
           "100*1.5 + 50*7.5"),
    DOCUMENT(AT("mistral", "/v1/fim/completions"), "{'model':'codestral-latest','prompt':'def f('}",
             SAID(TOKENS(8, 91)), "0.0000843", "8*0.3 + 91*0.9"),
    DOCUMENT(AT("mistral", "/v1/embeddings"), "{'model':'mistral-embed','input':['a']}",
             "{'object':'list','data':[],'usage':{" TOKENS(15, 0) TOTAL(15) "}}", "0.0000015", "15*0.1"),
    DOCUMENT(MISTRAL, ASK("labs-devstral-small-2512"), SAID(TOKENS(1000, 500)), "0", "1000*0 + 500*0"), /* free */

    DOCUMENT(TOGETHER, ASK("meta-llama/Llama-3.3-70B-Instruct-Turbo"), SAID(TOKENS(100, 50) TOTAL(150)), "0.000132",
             "100*0.88 + 50*0.88"),
    STREAM(TOGETHER, ASK_STREAM("moonshotai/Kimi-K2.6"), STREAMED(TOKENS(100, 50) CACHED(40)), "0.000305",
           "60*1.2 + 40*0.2 + 50*4.5"),
    DOCUMENT(FIREWORKS, ASK("accounts/fireworks/models/kimi-k2p6"), SAID(TOKENS(100, 50) CACHED(40)), "0.0002634",
             "60*0.95 + 40*0.16 + 50*4"),
    STREAM(FIREWORKS, ASK_STREAM("accounts/fireworks/models/gpt-oss-20b"), STREAMED_TOGETHER(TOKENS(100, 50)),
           "0.000022", "100*0.07 + 50*0.3"),

    /* OpenRouter says a price, too: ours are the list's */
    DOCUMENT(OPENROUTER, ASK("anthropic/claude-opus-4.6"),
             SAID(TOKENS(200000, 10) TOTAL(200010) CACHED(100000) ",'cost':99.5,'cost_details':{'upstream':1}"),
             "0.55025", "100000*5 + 100000*0.5 + 10*25"),
    DOCUMENT(OPENROUTER, ASK("anthropic/claude-opus-4.6"),
             SAID(TOKENS(200001, 10) IN_DETAILS("'cached_tokens':100000,'cache_write_tokens':50000")), "1.225385",
             "50001*10 + 100000*1 + 50000*12.5 + 10*37.5"),
    STREAM(OPENROUTER, ASK_STREAM("z-ai/glm-4.7-flash"), ": OPENROUTER PROCESSING\n\n" STREAMED(TOKENS(100, 50)),
           "0.000026", "100*0.06 + 50*0.4"),
    DOCUMENT(PERPLEXITY, ASK("sonar-pro"),
             SAID(TOKENS(14, 300) TOTAL(314) ",'search_context_size':'low','cost':{'total_cost':0.006}"), "0.004542",
             "14*3 + 300*15"),
    DOCUMENT(COHERE, ASK("command-r7b-12-2024"), SAID(TOKENS(33, 3) TOTAL(36)), "0.000001688",
             "33*0.0375 + 3*0.15"), /* 1.6875: rounded up */
    DOCUMENT(COHERE, ASK("north-mini-code-1-0"), SAID(TOKENS(33, 3)), "0", "33*0 + 3*0"),
    CEILING(COHERE, ASK("north-mini-code-2"), SAID(TOKENS(33, 3)), "0.0001125", "33*2.5 + 3*10"), /* never free */
    DOCUMENT(CEREBRAS, ASK("zai-glm-4.7"), SAID(TOKENS(100, 50) CACHED(64)), "0.0002185", "36*2.25 + 64*0 + 50*2.75"),
    DOCUMENT(CEREBRAS, ASK("gpt-oss-120b"), SAID(TOKENS(100, 50)), "0.0000725", "100*0.35 + 50*0.75"),
    DOCUMENT(AZURE, ASK("gpt-5.2"), SAID(TOKENS(2000, 100) CACHED(1024)), "0.003236", "976*1.75 + 1024*0.125 + 100*14"),
    DOCUMENT(AZURE, ASK("gpt-5.4"), SAID(TOKENS(272001, 10)), "1.36023", "272001*5 + 10*22.5"),
    /* 90 bytes (23), 6 of text: half a stream */
    ESTIMATED(GROQ, ASK_STREAM("llama-3.1-8b-instant"), CHUNK(DELTA("hello "), ""), true, "0.00000131",
              "23*0.05 + 2*0.08"),
};

/* pico-USD per token */
static const struct price_set own_prices = {
    .input = {1500000}, .has_input = true, .output = {6000000}, .has_output = true};
static const struct price_set own_output = {.output = {1000000}, .has_output = true};
static const struct price_set own_nothing = {.input = {0}, .has_input = true, .output = {0}, .has_output = true};
static const struct price_set own_all = {.input = {1000000},
                                         .has_input = true,
                                         .output = {2000000},
                                         .has_output = true,
                                         .cache_read = {100000},
                                         .has_cache_read = true,
                                         .cache_write = {1250000},
                                         .has_cache_write = true,
                                         .tool_calls = {5000000000},
                                         .has_tool_calls = true};

#define OPENAI AT("openai", "/v1/chat/completions")

static const struct vector pinned_vectors[] = {
    PINNED(&own_prices, OPENAI, ASK("gpt-5.4-mini"), SAID(TOKENS(1000, 500)), "0.0045", "1000*1.5 + 500*6"),
    /* what the target does not say is the list's */
    PINNED(&own_prices, OPENAI, ASK("gpt-5.4-mini"), SAID(TOKENS(1000, 500) CACHED(400)), "0.00393",
           "600*1.5 + 400*0.075 + 500*6"),
    PINNED(&own_output, OPENAI, ASK("gpt-5.4"), SAID(TOKENS(1000, 500) CACHED(400)), "0.0021",
           "600*2.5 + 400*0.25 + 500*1"),
    /* … and of a model that no list has, its own input's */
    PINNED(&own_prices, OPENAI, ASK("in-house"), SAID(TOKENS(1000, 500) CACHED(400)), "0.0045",
           "600*1.5 + 400*1.5 + 500*6"),
    /* pinned goes before tiers and fast prices; half prices are of what is pinned */
    PINNED(&own_prices, OPENAI, ASK("gpt-5.4"), SAID(TOKENS(272001, 500)), "0.4110015", "272001*1.5 + 500*6"),
    PINNED(&own_prices, OPENAI, ASK("gpt-5.4"), SAID(TOKENS(272001, 500) CACHED(1)), "0.4110005",
           "272000*1.5 + 1*0.5 + 500*6"),
    PINNED(&own_prices, OPENAI, ASK("gpt-5.4"), SAID(TOKENS(1000, 500), TIER("priority")), "0.0045",
           "1000*1.5 + 500*6"),
    PINNED(&own_prices, OPENAI, ASK("gpt-5.4"), SAID(TOKENS(1001, 500), TIER("flex")), "0.00225075",
           "1001*1.5/2 + 500*6/2"),
    PINNED(&own_nothing, OPENAI, ASK("in-house"), SAID(TOKENS(1000, 500) CACHED(400)), "0", ""),
    PINNED(&own_all, AT("openai", "/v1/responses"), "{'model':'gpt-5','input':'hi','tools':[{'type':'web_search'}]}",
           "{'status':'completed','output':[{'type':'web_search_call'}],'usage':{'input_tokens':100,"
           "'input_tokens_details':{'cached_tokens':40,'cache_write_tokens':20},'output_tokens':10}}",
           "0.005089", "40*1 + 40*0.1 + 20*1.25 + 10*2 + 1*5000"),
    /* Anthropic's cache writes are multiples of the input price: of the pinned one, where nothing else is known */
    PINNED(&own_prices, AT("anthropic", "/v1/messages"), "{'model':'in-house','max_tokens':9,'messages':[]}",
           "{'type':'message','model':'m','usage':{'input_tokens':10,'cache_creation_input_tokens':300,"
           "'cache_creation':{'ephemeral_5m_input_tokens':100,'ephemeral_1h_input_tokens':200},"
           "'cache_read_input_tokens':50,'output_tokens':1}}",
           "0.0008835", "10*1.5 + 100*1.875 + 200*3 + 50*1.5 + 1*6"),
};

#endif
