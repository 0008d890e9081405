/* SPDX-License-Identifier: Apache-2.0 */
/* Test CA, leaf and server context; see tls.h. The CA signs the leaf and is forgotten, so nothing that the stand-in
 * process holds later can sign for another name. P-256 throughout: a handshake must be cheap in the bench.
 */
#include "tests/provider/tls.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_ALWAYS                                                                                                   \
    "IP:127.0.0.1,DNS:localhost,DNS:api.openai.com,DNS:api.anthropic.com,DNS:generativelanguage.googleapis.com"

static int extension_add(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    int added = extension && X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return added;
}

/* An unsigned certificate with the fields that CA and leaf have in common; issuer NULL: its own. */
static X509 *certificate_new(const char *name, EVP_PKEY *key, X509 *issuer)
{
    X509 *certificate = X509_new();
    unsigned char random[8];
    if (!certificate || RAND_bytes(random, sizeof random) != 1)
        return certificate;
    random[0] &= 0x7f;
    BIGNUM *serial = BN_bin2bn(random, sizeof random, NULL);
    X509_set_version(certificate, X509_VERSION_3);
    BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate));
    BN_free(serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 30L * 24 * 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
                               -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer ? issuer : certificate));
    X509_set_pubkey(certificate, key);
    return certificate;
}

static X509 *authority_new(EVP_PKEY *key)
{
    X509 *ca = certificate_new("Tollgate stand-in provider test CA", key, NULL);
    if (ca && extension_add(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        extension_add(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        extension_add(ca, ca, NID_subject_key_identifier, "hash") && X509_sign(ca, key, EVP_sha256()))
        return ca;
    X509_free(ca);
    return NULL;
}

static X509 *leaf_new(EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key, const char *names)
{
    char all[4096];
    int length = snprintf(all, sizeof all, "%s", NAMES_ALWAYS);
    while (names && *names && length < (int)sizeof all) {
        size_t span = strcspn(names, ",");
        if (span)
            length += snprintf(all + length, sizeof all - (size_t)length, ",DNS:%.*s", (int)span, names);
        names += span + (names[span] == ',');
    }
    if (length >= (int)sizeof all)
        return NULL;
    X509 *leaf = certificate_new("stand-in provider", key, ca);
    if (leaf && extension_add(leaf, ca, NID_basic_constraints, "critical,CA:FALSE") &&
        extension_add(leaf, ca, NID_key_usage, "critical,digitalSignature") &&
        extension_add(leaf, ca, NID_ext_key_usage, "serverAuth") &&
        extension_add(leaf, ca, NID_subject_key_identifier, "hash") &&
        extension_add(leaf, ca, NID_authority_key_identifier, "keyid:always") &&
        extension_add(leaf, ca, NID_subject_alt_name, all) && X509_sign(leaf, ca_key, EVP_sha256()))
        return leaf;
    X509_free(leaf);
    return NULL;
}

static FILE *file_replace_open(const char *path, mode_t mode, char *ret_temporary, size_t temporary_bytes)
{
    snprintf(ret_temporary, temporary_bytes, "%s.%ld", path, (long)getpid());
    int fd = open(ret_temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    return fd < 0 ? NULL : fdopen(fd, "w");
}

static int file_replace_close(FILE *file, const char *temporary, const char *path)
{
    int written = fflush(file) == 0 && !ferror(file);
    fclose(file);
    return written && rename(temporary, path) == 0;
}

/* The key of the CA: from --ca-key when it exists, otherwise new (and kept there). */
static EVP_PKEY *authority_key_open(const char *path)
{
    FILE *file = path ? fopen(path, "re") : NULL;
    if (file) {
        EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
        fclose(file);
        return key;
    }
    EVP_PKEY *key = EVP_EC_gen("P-256");
    if (!key || !path)
        return key;
    char temporary[4096];
    file = file_replace_open(path, 0600, temporary, sizeof temporary);
    if (file && PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) &&
        file_replace_close(file, temporary, path))
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

/* A CA certificate of an earlier run that still fits its key, so that clients need not load it again. */
static X509 *authority_find_kept(const struct tls_options *options, EVP_PKEY *key)
{
    FILE *file = options->ca_key && options->ca_file ? fopen(options->ca_file, "re") : NULL;
    if (!file)
        return NULL;
    X509 *ca = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    time_t day_ahead = time(NULL) + 24L * 3600;
    if (ca && X509_check_private_key(ca, key) == 1 && X509_cmp_time(X509_get0_notAfter(ca), &day_ahead) > 0)
        return ca;
    X509_free(ca);
    return NULL;
}

static int authority_publish(X509 *ca, const char *path)
{
    if (!path)
        return 1;
    char temporary[4096];
    FILE *file = file_replace_open(path, 0644, temporary, sizeof temporary);
    return file && PEM_write_X509(file, ca) && file_replace_close(file, temporary, path);
}

static int alpn_choose(SSL *ssl, const unsigned char **ret_protocol, unsigned char *ret_length,
                       const unsigned char *offered, unsigned offered_length, void *context)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen = NULL;
    (void)ssl;
    (void)context;
    if (SSL_select_next_proto(&chosen, ret_length, ours, sizeof ours - 1, offered, offered_length) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret_protocol = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *context_new(X509 *leaf, EVP_PKEY *key)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context)
        return NULL;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"provider", 8);
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_alpn_select_cb(context, alpn_choose, NULL);
    if (SSL_CTX_use_certificate(context, leaf) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1)
        return context;
    SSL_CTX_free(context);
    return NULL;
}

SSL_CTX *tls_context_new(const struct tls_options *options)
{
    SSL_CTX *context = NULL;
    X509 *ca = NULL, *leaf = NULL;
    EVP_PKEY *leaf_key = EVP_EC_gen("P-256");
    EVP_PKEY *ca_key = authority_key_open(options->ca_key);
    if (!ca_key || !leaf_key)
        goto done;
    ca = authority_find_kept(options, ca_key);
    if (!ca)
        ca = authority_new(ca_key);
    if (ca)
        leaf = leaf_new(leaf_key, ca, ca_key, options->names);
    if (leaf && authority_publish(ca, options->ca_file))
        context = context_new(leaf, leaf_key);
done:
    if (!context) {
        fputs("provider: cannot make the test CA, its leaf or the CA file\n", stderr);
        ERR_print_errors_fp(stderr);
    }
    X509_free(leaf);
    X509_free(ca);
    EVP_PKEY_free(leaf_key);
    EVP_PKEY_free(ca_key);
    return context;
}
