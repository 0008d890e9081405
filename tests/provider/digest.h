/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 as hex, for the bill: of request bodies, answer bodies and keys. One context per connection, reused; the
 * algorithm is fetched once, as OpenSSL 3 is slow at that.
 */
#ifndef TESTS_PROVIDER_DIGEST_H
#define TESTS_PROVIDER_DIGEST_H

#include <openssl/evp.h>
#include <stddef.h>

/* Fetches the algorithm; before the first thread. Ends the program when there is none. */
void digest_setup(void);
void digest_cleanup(void);
/* Starts over; *context is made when NULL, and freed by the caller with EVP_MD_CTX_free. */
void digest_begin(EVP_MD_CTX **context);
/* Hex of the first hex_bytes / 2 bytes of the digest, NUL-terminated (hex_bytes is odd: 17 or 65). */
void digest_end(EVP_MD_CTX *context, char *ret_hex, size_t hex_bytes);
void digest_text(EVP_MD_CTX **context, const void *bytes, size_t length, char *ret_hex, size_t hex_bytes);

#endif
