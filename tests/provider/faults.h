/* SPDX-License-Identifier: Apache-2.0 */
/* Faults on request. A fault is data: what is answered, what is wrong with it, and how the connection ends.
 * Looked up by directives.c; read by the writers (shape) and by connection.c (ending).
 */
#ifndef TESTS_PROVIDER_FAULTS_H
#define TESTS_PROVIDER_FAULTS_H

#include "tests/provider/problems.h"

#include <stdbool.h>

/* How an answer ends. Everything but FAULT_END_NONE stops after the cut (see the directive `cut`). */
enum fault_ending {
    FAULT_END_NONE,
    FAULT_END_FIN,   /* close without the terminator or the rest of the body */
    FAULT_END_RST,   /* TCP reset, once the client's kernel has what was sent */
    FAULT_END_HALF,  /* shutdown of our side, then read until the client leaves */
    FAULT_END_STALL, /* send nothing more, until the client leaves */
    FAULT_END_AFTER, /* whole answer, keep-alive promised, then FIN */
};

enum fault_usage { FAULT_USAGE_EXACT, FAULT_USAGE_NONE, FAULT_USAGE_ZERO };

/* All zero: no fault. Faults of one request are merged (fault_merge). */
struct fault {
    const struct problem *problem; /* answer this instead */
    enum fault_ending ending;
    bool before_answer; /* the ending comes before the first byte */
    bool notify;        /* TLS close_notify before the FIN: the cut looks like a proper close */
    bool broken_json;   /* the answer is not JSON; a stream has one broken event */
    bool broken_utf8;
    bool no_content;  /* 204, a head without a length and without a body */
    bool encoded;     /* Content-Encoding: gzip, which nobody asked for; the bytes are as ever */
    bool error_event; /* the stream turns into the dialect's error event at the cut, then ends properly */
    enum fault_usage usage;
};

/* Adds the fault of that name to *into. False when there is no such fault; *into is untouched then. */
bool fault_merge(const char *name, struct fault *into);
void fault_overlay(const struct fault *over, struct fault *under);

#endif
