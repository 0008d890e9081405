/* SPDX-License-Identifier: Apache-2.0 */
/* The response object, which is answered, streamed and kept. Written by responses.c; used by jobs.c and batches.c.
 */
#ifndef TESTS_PROVIDER_RESPONSES_H
#define TESTS_PROVIDER_RESPONSES_H

#include "tests/provider/exchange.h"

enum response_state { RESPONSE_QUEUED, RESPONSE_RUNNING, RESPONSE_ENDED, RESPONSE_FAILED, RESPONSE_CANCELLED };

/* Appends the response of a planned exchange as it looks in that state. */
void responses_add(const struct exchange *exchange, enum response_state state, struct buffer *out);
/* Appends usage in the words of Responses, which those of batches are, too. */
void responses_add_usage(const struct usage *usage, struct buffer *out);

#endif
