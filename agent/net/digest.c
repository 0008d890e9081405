/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 for the rest of the agent. The algorithm is fetched once: OpenSSL 3's implicit fetch costs more than hashing
 * a kilobyte.
 */
#include "net/net.h"

#include "base/check.h"

#include <openssl/evp.h>
#include <pthread.h>

static EVP_MD *digest_sha256;

static void digest_fetch(void)
{
    digest_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    check(digest_sha256 != NULL);
}

void net_sha256(struct slice bytes, unsigned char ret_digest[32])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, digest_fetch);
    int ok = EVP_Digest(bytes.length ? bytes.data : "", bytes.length, ret_digest, NULL, digest_sha256, NULL);
    check(ok == 1);
}
