/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 (FIPS 180-4) and its HMAC (RFC 2104), from OpenSSL: the one file outside net/ that includes it. Never fails.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/slice.h"

enum { DIGEST_BYTES = 32, DIGEST_TEXT_MAX = 2 * DIGEST_BYTES + 1 };

void digest_sha256(struct slice bytes, unsigned char ret_digest[DIGEST_BYTES]);
void digest_hmac_sha256(struct slice key, struct slice bytes, unsigned char ret_digest[DIGEST_BYTES]);
/* The same of bytes that come one after the other; digest_end frees it. */
struct digest;
struct digest *digest_begin(void);
void digest_add(struct digest *digest, struct slice bytes);
void digest_end(struct digest *digest, unsigned char ret_digest[DIGEST_BYTES]);
/* In lower-case hexadecimal; returns text. */
char *digest_format(const unsigned char digest[DIGEST_BYTES], char text[DIGEST_TEXT_MAX]);

#endif
