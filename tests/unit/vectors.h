/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One metering vector: what was asked, the answer's bytes, and what it costs. The amount is there twice: as it was
 * worked out by hand, and as the sum it was worked out from (tokens × USD per million, the published prices written
 * out), so that a row explains itself and a slip of the pen is seen. Included by test_vectors.c and its tables.
 */
#ifndef TESTS_UNIT_VECTORS_H
#define TESTS_UNIT_VECTORS_H

#include "dialect/dialect.h"
#include "prices/prices.h"

struct vector {
    const char *provider, *path;
    const char *request; /* ' stands for "; NULL: a GET */
    const char *answer;  /* ' stands for " */
    bool is_stream;
    const char *usd;
    const char *sum; /* "1000*0.75 + 500*4.5/2": USD per million of them; "": nothing */
    enum usage_source source;
    enum price_basis basis;
    const struct price_set *pinned; /* the target's `pricing` */
    const char *job_model;          /* GET: the model of the job that is asked after */
    const char *content_type;       /* NULL: JSON */
};

#define AT(provider, path) provider, path
/* A document and a stream that say what they used; the same without a word of it; an answer that costs nothing. */
#define DOCUMENT(where, request, answer, usd, sum)                                                                     \
    {                                                                                                                  \
        where, request, answer, false, usd, sum, USAGE_PROVIDER, PRICE_LISTED, NULL, NULL, NULL                        \
    }
#define STREAM(where, request, answer, usd, sum)                                                                       \
    {                                                                                                                  \
        where, request, answer, true, usd, sum, USAGE_PROVIDER, PRICE_LISTED, NULL, NULL, NULL                         \
    }
#define ESTIMATED(where, request, answer, is_stream, usd, sum)                                                         \
    {                                                                                                                  \
        where, request, answer, is_stream, usd, sum, USAGE_ESTIMATED, PRICE_LISTED, NULL, NULL, NULL                   \
    }
#define UNBILLED(where, request, answer, is_stream)                                                                    \
    {                                                                                                                  \
        where, request, answer, is_stream, "0", "", USAGE_NONE, PRICE_LISTED, NULL, NULL, NULL                         \
    }
/* A model that no list has; a target with prices of its own; a job that is asked after. */
#define CEILING(where, request, answer, usd, sum)                                                                      \
    {                                                                                                                  \
        where, request, answer, false, usd, sum, USAGE_PROVIDER, PRICE_CEILING, NULL, NULL, NULL                       \
    }
#define PINNED(pinned, where, request, answer, usd, sum)                                                               \
    {                                                                                                                  \
        where, request, answer, false, usd, sum, USAGE_PROVIDER, PRICE_PINNED, pinned, NULL, NULL                      \
    }
#define JOB(model, where, answer, usd, sum)                                                                            \
    {                                                                                                                  \
        where, NULL, answer, false, usd, sum, USAGE_PROVIDER, PRICE_LISTED, NULL, model, NULL                          \
    }

/* Chat completions, as the documents of OpenAI and those who speak like it show them. */
#define ASK(model, ...) "{'model':'" model "','messages':[{'role':'user','content':'hi'}]" __VA_ARGS__ "}"
#define ASK_STREAM(model, ...)                                                                                         \
    "{'model':'" model "','stream':true,'messages':[{'role':'user','content':'hi'}]" __VA_ARGS__ "}"
#define SAID(usage, ...)                                                                                               \
    "{'id':'chatcmpl-1','object':'chat.completion','created':1,'model':'m','choices':[{'index':0,'message':{'role':"   \
    "'assistant','content':'hello there'},'finish_reason':'stop'}]" __VA_ARGS__ ",'usage':{" usage "}}"
#define CHUNK(choices, ...)                                                                                            \
    "data: {'id':'chatcmpl-1','object':'chat.completion.chunk','created':1,'model':'m','choices':[" choices            \
    "]" __VA_ARGS__ "}\n\n"
#define DELTA(text) "{'index':0,'delta':{'content':'" text "'},'finish_reason':null}"
#define STOPPED     "{'index':0,'delta':{},'finish_reason':'stop'}"
#define STREAMED(usage, ...)                                                                                           \
    CHUNK(DELTA("hello "), ",'usage':null")                                                                            \
    CHUNK(DELTA("there"), ",'usage':null")                                                                             \
    CHUNK(STOPPED, ",'usage':null") CHUNK("", __VA_ARGS__ ",'usage':{" usage "}") "data: [DONE]\n\n"
#define TOKENS(in, out)  "'prompt_tokens':" #in ",'completion_tokens':" #out
#define IN_DETAILS(...)  ",'prompt_tokens_details':{" __VA_ARGS__ "}"
#define OUT_DETAILS(...) ",'completion_tokens_details':{" __VA_ARGS__ "}"
#define CACHED(count)    IN_DETAILS("'cached_tokens':" #count)
#define TIER(name)       ",'service_tier':'" name "'"

#endif
