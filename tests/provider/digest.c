/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 helpers; see digest.h. Called by dispatch.c (request, key) and connection.c (answer).
 */
#include "tests/provider/digest.h"

#include <stdio.h>
#include <stdlib.h>

static EVP_MD *sha256;

void digest_setup(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!sha256) {
        fputs("provider: no SHA-256\n", stderr);
        exit(1);
    }
}

void digest_cleanup(void)
{
    EVP_MD_free(sha256);
}

void digest_begin(EVP_MD_CTX **context)
{
    if (!*context)
        *context = EVP_MD_CTX_new();
    if (!*context || EVP_DigestInit_ex(*context, sha256, NULL) != 1)
        abort();
}

void digest_end(EVP_MD_CTX *context, char *ret_hex, size_t hex_bytes)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_DigestFinal_ex(context, digest, NULL);
    for (size_t i = 0; i + 1 < hex_bytes; i++)
        ret_hex[i] = digits[i % 2 ? digest[i / 2] & 15 : digest[i / 2] >> 4];
    ret_hex[hex_bytes - 1] = '\0';
}

void digest_text(EVP_MD_CTX **context, const void *bytes, size_t length, char *ret_hex, size_t hex_bytes)
{
    digest_begin(context);
    if (length)
        EVP_DigestUpdate(*context, bytes, length);
    digest_end(*context, ret_hex, hex_bytes);
}
