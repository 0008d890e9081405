/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS settings in one place: versions, ciphers, tickets, ALPN and the rule on server names. Called by contexts.c to
 * make a context and by connections for errors. Does no I/O.
 */
#include "net/authority.h"
#include "net/connection.h"

#include "base/digest.h"

#include <openssl/err.h>

/* AES-128 first: on loopback its strength is ample, and it costs a quarter less than AES-256, which clients prefer. */
static const char suites_13[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char suites_12[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
                                "ECDHE-ECDSA-CHACHA20-POLY1305";
/* Of its own accord OpenSSL also agrees to finite fields of 8192 bits, which cost a hundred times as much. */
static const char groups[] = "X25519:P-256:P-384";
static const char signatures[] = "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512"; /* OpenSSL's own list has SHA-224, too */

struct connection *tls_connection(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

void tls_set_connection(SSL *ssl, struct connection *connection)
{
    SSL_set_app_data(ssl, connection);
}

/* The address has decided the name already; a different SNI is a program that resolved the name in some other way. */
static int tls_check_server_name(SSL *ssl, int *ret_alert, void *argument)
{
    (void)argument;
    struct connection *connection = tls_connection(ssl);
    const char *server_name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (!server_name)
        return SSL_TLSEXT_ERR_NOACK;
    if (strcasecmp(server_name, connection->name) == 0) {
        connection->has_server_name = true;
        return SSL_TLSEXT_ERR_OK;
    }
    connection->name_is_refused = true;
    *ret_alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* A client that offers only h2 goes on without ALPN: most then speak HTTP/1.1. */
static int tls_select_protocol(SSL *ssl, const unsigned char **ret_protocol, unsigned char *ret_length,
                               const unsigned char *offered, unsigned offered_bytes, void *argument)
{
    (void)ssl;
    (void)argument;
    static const char http11[] = "http/1.1";
    for (unsigned i = 0; i < offered_bytes; i += 1U + offered[i]) {
        if (offered[i] != sizeof http11 - 1 || offered_bytes - i <= offered[i] ||
            memcmp(offered + i + 1, http11, sizeof http11 - 1) != 0)
            continue;
        *ret_protocol = offered + i + 1;
        *ret_length = sizeof http11 - 1;
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

static bool tls_set_identity(SSL_CTX *context, X509 *leaf, EVP_PKEY *key, X509 *intermediate)
{
    return SSL_CTX_use_certificate(context, leaf) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1 &&
           SSL_CTX_add1_chain_cert(context, intermediate) == 1;
}

/* Tickets are stateless and their keys shared, so a session resumes on any loop; the session id context binds it to its
 * name. One ticket, not two: programs that open several connections at once are rare, and each costs a signature of
 * time in the first handshake. */
static bool tls_set_tickets(SSL_CTX *context, const char *name, const struct secret *ticket_keys)
{
    unsigned char digest[SSL_MAX_SID_CTX_LENGTH];
    digest_sha256(slice_of(name), digest);
    unsigned char keys[TICKET_KEY_BYTES]; /* it takes no const; copies of it are OpenSSL's, in each context */
    memcpy(keys, secret_reveal(ticket_keys).data, sizeof keys);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    bool ok = SSL_CTX_set_tlsext_ticket_keys(context, keys, sizeof keys) == 1 &&
              SSL_CTX_set_session_id_context(context, digest, sizeof digest) == 1 &&
              SSL_CTX_set_num_tickets(context, 1) == 1;
    OPENSSL_cleanse(keys, sizeof keys);
    return ok;
}

static void tls_set_behaviour(SSL_CTX *context)
{
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1); /* otherwise header and body of a record are a system call each */
    SSL_CTX_set_tlsext_servername_callback(context, tls_check_server_name);
    SSL_CTX_set_alpn_select_cb(context, tls_select_protocol, NULL);
}

SSL_CTX *tls_new_context(const char *name, X509 *leaf, EVP_PKEY *key, X509 *intermediate,
                         const struct secret *ticket_keys)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context)
        return NULL;
    tls_set_behaviour(context);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
        SSL_CTX_set_ciphersuites(context, suites_13) == 1 && SSL_CTX_set_cipher_list(context, suites_12) == 1 &&
        SSL_CTX_set1_groups_list(context, groups) == 1 && SSL_CTX_set1_sigalgs_list(context, signatures) == 1 &&
        tls_set_identity(context, leaf, key, intermediate) && tls_set_tickets(context, name, ticket_keys))
        return context;
    SSL_CTX_free(context);
    ERR_clear_error();
    return NULL;
}

/* Records that were read and not yet asked for lie in the buffers, which SSL_free_buffers alone does not see. */
bool tls_spare_buffers(void *ssl)
{
    return !ssl || (!SSL_has_pending(ssl) && SSL_free_buffers(ssl) == 1);
}

void tls_clear_errors(void)
{
    if (ERR_peek_error())
        ERR_clear_error();
}

int tls_error(SSL *ssl, int result)
{
    int error = SSL_get_error(ssl, result);
    tls_clear_errors();
    return error;
}
