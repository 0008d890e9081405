/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its answer, from the complete request to the row in the bill. The connection owns it, dispatch.c
 * fills it, the dialects' writers read it. Holds no secret: of the key only a digest is kept.
 */
#ifndef TESTS_PROVIDER_EXCHANGE_H
#define TESTS_PROVIDER_EXCHANGE_H

#include "tests/provider/answer.h"
#include "tests/provider/dialect.h"
#include "tests/provider/http.h"
#include "tests/provider/usage.h"

#include <time.h>

/* Work that went on after its answer and is done now: a row of the bill by itself. */
struct finished_job {
    char id[64]; /* "": none */
    char model[96];
    uint32_t requests;
    struct usage usage;
};

struct exchange {
    uint64_t sequence; /* 1-based, over all connections, in order of arrival */
    struct timespec arrived;
    uint64_t connection;
    uint32_t connection_request; /* 1-based, on its connection */
    const struct request *request;
    const struct endpoint *endpoint; /* NULL: unknown path */
    const struct dialect *dialect;
    struct behaviour behaviour;
    struct prompt prompt;
    struct answer answer;
    struct usage usage; /* of the whole answer */
    char id[64];        /* of the response, file or batch that the path names */
    bool is_job;        /* its work is not billed with this answer */
    struct finished_job finished;
    bool control; /* a path of the stand-in itself: not billed */
    int status;
    const char *content_type;
    const struct stream_format *stream; /* NULL: the answer is `body` */
    bool array;                         /* Gemini without alt=sse */
    struct buffer body;
    uint32_t frame_next;
    uint32_t frame_count;
    uint32_t events; /* frames sent that were not empty */
    uint32_t pieces; /* pieces among them */
    uint64_t answer_bytes;
    uint64_t wire_bytes;
    char key_digest[17];
    char request_digest[65];
    char refusal_message[160];
};

#endif
