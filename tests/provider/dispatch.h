/* SPDX-License-Identifier: Apache-2.0 */
/* From a complete request to a planned answer: which endpoint, is the key good, what does it ask, what did a rule or
 * a directive order. Called by connection.c, which sends what is planned here.
 */
#ifndef TESTS_PROVIDER_DISPATCH_H
#define TESTS_PROVIDER_DISPATCH_H

#include "tests/provider/digest.h"
#include "tests/provider/exchange.h"
#include "tests/provider/script.h"

/* Plans the answer of exchange->request. Ensures: status, content_type, and either stream or body are set. */
void dispatch_plan(struct exchange *exchange, struct script *script, EVP_MD_CTX **digest);
/* Appends frame `index` of a stream; *ret_is_piece says whether it carries a piece of the answer. */
void dispatch_add_frame(const struct exchange *exchange, uint32_t index, struct buffer *out, bool *ret_is_piece);
/* Frames before the first piece. */
uint32_t dispatch_count_heads(const struct exchange *exchange);

#endif
