/* SPDX-License-Identifier: Apache-2.0 */
/* From a complete request to a planned answer: which endpoint, is the key good, what does it ask, what did a rule or
 * a directive order. Called by connection.c, which sends what is planned here.
 */
#ifndef TESTS_PROVIDER_DISPATCH_H
#define TESTS_PROVIDER_DISPATCH_H

#include "tests/provider/digest.h"
#include "tests/provider/exchange.h"
#include "tests/provider/script.h"

struct store;

/* Plans the answer of exchange->request. Ensures: status, content_type, and either stream or body are set. */
void dispatch_plan(struct exchange *exchange, struct script *script, struct store *store, EVP_MD_CTX **digest);
/* For actors: plans the answer that follows from the request alone, 200; without a writer the body is left empty. */
void dispatch_answer(struct exchange *exchange);
/* Answers one request of a batch as if it had come alone, to line->body: whoever began the batch has shown his key. The
 * caller frees line->body. `endpoint` NULL: found by path. */
void dispatch_answer_line(const struct exchange *batch, uint32_t number, const struct endpoint *endpoint,
                          const char *path, json_t *body, struct request *scratch, struct exchange *ret_line);
/* Appends frame `index` of a stream; *ret_is_piece says whether it carries a piece of the answer. */
void dispatch_add_frame(const struct exchange *exchange, uint32_t index, struct buffer *out, bool *ret_is_piece);
/* Frames before the first piece. */
uint32_t dispatch_count_heads(const struct exchange *exchange);

#endif
