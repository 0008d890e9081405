/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers as objects, and answers on disk. Opened by cache_open, then only the cache's thread calls. No lock.
 */
#ifndef CACHE_KEEP_H
#define CACHE_KEEP_H

#include "cache/internal.h"

/* ---- answer.c ---- */

/* A copy of all that `from` points to, with one reference. body.data NULL: its bytes are to be filled in by the caller
 * (answer_body), before anybody else sees it. */
struct cache_answer *answer_new(const struct cache_answer *from);
char *answer_body(struct cache_answer *answer);
struct cache_frame *answer_frames(struct cache_answer *answer);
size_t answer_bytes(const struct cache_answer *answer); /* of memory */

/* ---- row.c: an entry's row: everything but the body, with a digest over it and its key ---- */

enum { ROW_BYTES_MAX = 64 << 10, ROW_BOOT_BYTES = 16 };

struct row {
    unsigned char boot[ROW_BOOT_BYTES];
    int64_t made_ns;
    uint32_t ttl_s;
    uint64_t stored_bytes;                   /* of the body, compressed */
    unsigned char body_digest[DIGEST_BYTES]; /* of those bytes */
    const char *group, *model;
    struct cache_answer answer; /* without body and frames: their lengths and counts only */
};
/* False: it is too long to be kept. */
bool row_write(const struct cache_key *key, const struct row *row, struct buffer *bytes) MUST_USE;
enum row_state { ROW_FINE, ROW_FOREIGN /* of another version */, ROW_CORRUPT };
/* Texts and fields of *ret_row point into `bytes` and `fields`. */
enum { ROW_FIELDS_MAX = 16 };
enum row_state row_read(const struct cache_key *key, struct slice bytes, struct http_field fields[ROW_FIELDS_MAX],
                        struct row *ret_row) MUST_USE;

/* ---- keep.c ---- */

struct keep;

struct keep *keep_open(const struct cache_options *options);
void keep_close(struct keep *keep);
/* Which one it is: 0 when there is none. Changes when one was lost and made anew. */
unsigned keep_generation(const struct keep *keep);
const unsigned char *keep_boot(const struct keep *keep);

/* Calls `visit` for each row; false: the store is unusable (keep_renew). */
typedef bool keep_visit(void *context, const struct cache_key *key, enum row_state state, const struct row *row);
bool keep_load(struct keep *keep, keep_visit *visit, void *context) MUST_USE;
/* Changes go together: begin, any of the others, end. False: none of them was made. */
bool keep_begin(struct keep *keep) MUST_USE;
bool keep_end(struct keep *keep) MUST_USE;
/* *ret_bytes: of the compressed body. False: it was not written (it cannot be, or the store has failed). */
bool keep_write(struct keep *keep, const struct cache_key *key, struct row *row, uint64_t *ret_bytes) MUST_USE;
void keep_delete(struct keep *keep, const struct cache_key *key);
/* OK, NOT_FOUND, STORE_CORRUPT (of this one, or all of it: keep_is_failed). Its body was what was written. */
enum error keep_read(struct keep *keep, const struct cache_key *key, int64_t made_ns,
                     struct cache_answer **ret_answer) MUST_USE;
bool keep_is_failed(const struct keep *keep);
/* Deletes the store and makes it anew; after a few times there is none. */
void keep_renew(struct keep *keep);

#endif
