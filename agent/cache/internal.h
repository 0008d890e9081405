/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of cache/ share that has to do with keys. The rest is in index.h and flight.h. Nobody outside this
 * folder includes it.
 */
#ifndef CACHE_INTERNAL_H
#define CACHE_INTERNAL_H

#include "cache/cache.h"

/* ---- canonical.c ---- */

/* The one form of all documents that ask for the same thing: `document` is valid JSON (json_scan). The caller frees
 * it. NULL: nested too deeply, or no JSON after all; then only the same bytes are the same request. */
char *canonical_make(enum api api, struct slice document, size_t *ret_length) MUST_USE;

/* ---- number.c ---- */

/* The number's exact decimal value in one form ("15e-1"), never more than NUMBER_ROOM_BYTES longer than it was. Returns
 * how many bytes were written. `number` is valid JSON. */
enum { NUMBER_ROOM_BYTES = 24 };
size_t number_write_canonical(struct slice number, char *text);

/* ---- parts.c: length-prefixed parts in a buffer; a part that does not fit makes the whole unusable ---- */

struct parts {
    struct buffer buffer;
    bool has_failed;
};
void parts_init(struct parts *parts, size_t bytes_max);
void parts_add(struct parts *parts, struct slice part);
void parts_add_text(struct parts *parts, const char *text); /* NULL and "" differ */
void parts_add_number(struct parts *parts, int64_t number);
void parts_add_list(struct parts *parts, const char *const *texts, size_t count);
/* False: a part was lost. Frees the buffer in any case. */
bool parts_finish(struct parts *parts, unsigned char ret_digest[DIGEST_BYTES]) MUST_USE;

/* ---- memo.c: bodies that were made canonical before ---- */

struct memo;
struct memo *memo_new(void);
void memo_free(struct memo *memo);
/* What a body asks for, as a digest. *ret_is_canonical: else it is that of its bytes. */
void memo_find_digest(struct memo *memo, enum api api, struct slice body, unsigned char ret_digest[DIGEST_BYTES],
                      bool *ret_is_canonical);

struct memo *cache_memo(struct cache *cache);

#endif
