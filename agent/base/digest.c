/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See digest.h. The algorithm is fetched once: OpenSSL 3's implicit fetch costs more than hashing a kilobyte.
 */
#include "base/digest.h"

#include "base/check.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdio.h>

static EVP_MD *sha256;

static void fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    check(sha256 != NULL);
}

static const EVP_MD *get_sha256(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fetch);
    return sha256;
}

void digest_sha256(struct slice bytes, unsigned char ret_digest[DIGEST_BYTES])
{
    int ok = EVP_Digest(bytes.length ? bytes.data : "", bytes.length, ret_digest, NULL, get_sha256(), NULL);
    check(ok == 1);
}

void digest_hmac_sha256(struct slice key, struct slice bytes, unsigned char ret_digest[DIGEST_BYTES])
{
    unsigned length = 0;
    const unsigned char *data = (const unsigned char *)(bytes.length ? bytes.data : "");
    const unsigned char *ok =
        HMAC(get_sha256(), key.length ? key.data : "", (int)key.length, data, bytes.length, ret_digest, &length);
    check(ok != NULL && length == DIGEST_BYTES);
}

/* OpenSSL's own context: the type has no members of ours. */
struct digest *digest_begin(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    check(context != NULL && EVP_DigestInit_ex(context, get_sha256(), NULL) == 1);
    return (struct digest *)context;
}

void digest_add(struct digest *digest, struct slice bytes)
{
    check(EVP_DigestUpdate((EVP_MD_CTX *)digest, bytes.data, bytes.length) == 1);
}

void digest_end(struct digest *digest, unsigned char ret_digest[DIGEST_BYTES])
{
    unsigned length = 0;
    EVP_MD_CTX *context = (EVP_MD_CTX *)digest;
    check(EVP_DigestFinal_ex(context, ret_digest, &length) == 1 && length == DIGEST_BYTES);
    EVP_MD_CTX_free(context);
}

char *digest_format(const unsigned char digest[DIGEST_BYTES], char text[DIGEST_TEXT_MAX])
{
    for (size_t i = 0; i < DIGEST_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return text;
}
