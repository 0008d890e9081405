/* SPDX-License-Identifier: Apache-2.0 */
/* TLS side of the stand-in provider: a test CA and a leaf for the providers' names, made at start in memory.
 * Called by main only. Keys never touch the disk, except the CA key when --ca-key asks for it (0600).
 */
#ifndef TESTS_PROVIDER_TLS_H
#define TESTS_PROVIDER_TLS_H

#include <openssl/ssl.h>

struct tls_options {
    const char *ca_file; /* where the CA certificate goes, by rename; NULL: nowhere */
    const char *ca_key;  /* keeps the CA over restarts; NULL: a new CA every time */
    const char *names;   /* more names for the leaf, comma separated; NULL: none */
};

/* A server context: TLS >= 1.2, ALPN http/1.1. NULL after a message on stderr. The caller frees it. */
SSL_CTX *tls_context_new(const struct tls_options *options);

#endif
