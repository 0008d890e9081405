/* SPDX-License-Identifier: Apache-2.0 */
/* The formats that the stand-in speaks: one const struct per dialect (keys, errors), one row per endpoint, and per
 * streaming endpoint the writers of its events. endpoints.c holds the table; dispatch.c walks it.
 */
#ifndef TESTS_PROVIDER_DIALECT_H
#define TESTS_PROVIDER_DIALECT_H

#include "tests/provider/buffer.h"
#include "tests/provider/prompt.h"

#include <stdbool.h>
#include <stdint.h>

struct exchange;
struct request;
struct store;
struct usage;

typedef void answer_writer(const struct exchange *exchange, struct buffer *out);
/* Adds what is counted otherwise than by tokens of text to *usage. */
typedef void usage_counter(const struct exchange *exchange, struct usage *usage);
/* Plans the answer of an endpoint that keeps or finds things: see dispatch_plan for what has to be set. */
typedef bool exchange_actor(struct exchange *exchange, struct store *store, struct refusal *ret_refusal);
typedef void frame_writer(const struct exchange *exchange, uint32_t index, struct buffer *out);

/* Writers of one stream, in order. A writer that adds nothing sends no event. `index` is the place of the event within
 * the whole stream for heads and tails, and the piece's number for pieces. */
struct stream_format {
    frame_writer *heads[6]; /* up to the first NULL */
    frame_writer *piece;
    frame_writer *tails[6];
};

struct dialect {
    const char *name;
    const char *id_header;      /* name of the request id in the answer */
    const char *version_needed; /* message when `anthropic-version` is missing; NULL: not needed */
    /* The key of the request, "" when there is none; may point into scratch (512 bytes). */
    const char *(*find_key)(const struct request *request, char *scratch);
    void (*write_error)(const struct exchange *exchange, const struct refusal *refusal, struct buffer *out);
    void (*write_error_event)(const struct exchange *exchange, const struct refusal *refusal, struct buffer *out);
};

struct endpoint {
    const char *method;
    const char *path; /* '*' stands for one model name, or for the id of what an actor finds */
    const char *name;
    const struct dialect *dialect;
    const struct prompt_shape *shape;   /* NULL: there is no body to read */
    answer_writer *write;               /* whole answer; NULL: the endpoint only streams */
    const struct stream_format *stream; /* NULL: never streams */
    bool billed;
    bool answers_text;
    usage_counter *count; /* NULL: tokens of text only */
    exchange_actor *act;  /* NULL: the answer follows from the request alone */
};

extern const struct dialect dialect_openai, dialect_anthropic, dialect_gemini;

/* Finds the row of a request. NULL: unknown path; *ret_wrong_method says whether only the method was wrong. For '*' the
 * model is copied to model (96 bytes). */
const struct endpoint *endpoint_find(const struct request *request, char *model, bool *ret_wrong_method);
/* The dialect whose error shape fits a path that no row has. */
const struct dialect *dialect_find(const struct request *request);

/* "Bearer " key of an Authorization header; "" when there is none. */
const char *key_find_bearer(const struct request *request);

usage_counter images_count, speech_count, transcription_count;
exchange_actor responses_act, responses_retrieve, responses_cancel, files_create, files_retrieve, files_read,
    batches_create, batches_retrieve, batches_cancel, message_batches_create, message_batches_retrieve,
    message_batches_cancel, message_batches_read;
answer_writer openai_write_chat, openai_write_completion, openai_write_embeddings, openai_write_models, responses_write,
    anthropic_write_message, anthropic_write_count, anthropic_write_models, gemini_write, gemini_write_count,
    gemini_write_embedding, gemini_write_embeddings, gemini_write_models, images_write, speech_write,
    transcription_write, runs_write, plain_write;
extern const struct stream_format openai_chat_stream, openai_completion_stream, responses_stream, anthropic_stream,
    gemini_stream, images_stream, speech_stream, transcription_stream, runs_stream;

#endif
