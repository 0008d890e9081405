/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the private CA that only net/ sees: a pair (root certificate, intermediate with its key), the
 * certificates built from it, the signer that alone has keys, and the TLS contexts that show leaves. Not for other
 * folders.
 */
#ifndef NET_AUTHORITY_H
#define NET_AUTHORITY_H

#include "base/buffer.h"
#include "base/secret.h"
#include "net/net.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>

enum {
    PAIR_DAYS = 400,        /* servers and notebooks read their trust once, at start, and must outlive it */
    PAIR_RENEWAL_DAYS = 30, /* with less than this left, a further pair is added */
    LEAF_HOURS = 24,
    LEAF_RENEWAL_HOURS = 6, /* with less than this left, a new leaf is made for the next handshake */
    /* The intermediate travels in every full handshake, and OpenSSL clients refuse chains above 100 KB: 128 names are
     * about 4 KB. More names make more pairs. */
    PAIR_NAMES_MAX = 128,
    CONTEXT_BUCKETS = 1024, /* 10,000 names: ten to a bucket */
    TICKET_KEY_BYTES = 80,  /* as OpenSSL wants them */
    SIGNER_PAIRS_MAX = 4096,
};

/* One root and its intermediate. Immutable once loaded. */
struct pair {
    unsigned number; /* of directory pair-NNN; ascending = older first */
    X509 *root, *intermediate;
    EVP_PKEY *key; /* the intermediate's, NULL but in the signer; the root's is gone */
    int64_t not_before_s, not_after_s;
    char **names; /* permitted, sorted */
    size_t name_count;
};

/* A governed name and what is shown for it; made at the first handshake, never removed. */
struct context {
    struct context *next; /* in the bucket */
    char *name;
    SSL_CTX *tls;
    int64_t not_before_s, renew_s; /* the leaf's; remade at renew_s */
};

enum { PUBLISHED_FACTS_BYTES = 512 };

struct certificates {
    char *directory;
    char owner[64];       /* "dev CA alice@host": part of common names */
    pthread_mutex_t lock; /* a leaf: nothing is taken while holding it; guards all below */
    struct pair **pairs;  /* by number */
    unsigned pair_count;
    unsigned number_last; /* highest in use on disk, damaged ones included */
    unsigned damaged_count;
    int signer_fd;       /* -1 in the signer itself */
    bool is_signer_gone; /* nothing new can be signed */
    struct context *contexts[CONTEXT_BUCKETS];
    pthread_mutex_t publish_lock;          /* of the files; `lock` may be taken under it */
    char published[PUBLISHED_FACTS_BYTES]; /* what the files looked like when they were written last; "": not yet */
    struct secret *ticket_keys; /* TICKET_KEY_BYTES, shared by all contexts, so that a ticket works on every loop */
};

int64_t authority_now_s(void);

/* x509.c: certificates out of thin air; NULL only when OpenSSL fails. */
EVP_PKEY *x509_new_key(void);
struct x509_request {
    const char *common_name; /* NULL: empty subject */
    const char *const *names;
    size_t name_count;
    EVP_PKEY *key; /* of the subject */
    X509 *issuer;  /* NULL: self-signed */
    EVP_PKEY *issuer_key;
    int64_t not_before_s, not_after_s;
};
X509 *x509_new_root(const struct x509_request *request);
X509 *x509_new_intermediate(const struct x509_request *request);
X509 *x509_new_leaf(const struct x509_request *request);
/* The permitted DNS names of critical constraints that also exclude all IP addresses, sorted; false for any other
 * certificate. Free each and the array. */
bool x509_read_constraints(X509 *certificate, char ***ret_names, size_t *ret_count);
bool x509_get_validity(const X509 *certificate, int64_t *ret_not_before_s, int64_t *ret_not_after_s);

/* pair.c: pairs and their directories. */
enum error pair_create(const char *directory, const char *owner, unsigned number, const char *const *names,
                       size_t name_count, struct pair **ret_pair) MUST_USE;
/* With its key in the signer, without in the agent. FILE_UNREADABLE when anything about it is missing, damaged or does
 * not belong together. */
enum error pair_load(const char *directory, unsigned number, bool has_key, struct pair **ret_pair) MUST_USE;
void pair_free(struct pair *pair);
bool pair_is_living(const struct pair *pair, int64_t now_s);
/* As name constraints count (RFC 5280 4.2.1.10): the name itself, or a subdomain of a permitted one. */
bool pair_permits(const struct pair *pair, const char *name);

/* certificates.c, in the signer: loads the pairs with their keys, adds one for names that no living pair permits. */
enum error certificates_prepare(const char *directory, const char *const *names, size_t name_count,
                                struct certificates **ret_certificates) MUST_USE;

/* signer.c, in the agent. The signer's first message: how it went, and the pairs that it can sign with. */
struct signer_pairs {
    int32_t error; /* enum error */
    uint32_t count, damaged_count;
    uint32_t numbers[SIGNER_PAIRS_MAX];
};
bool signer_read_pairs(int fd, struct signer_pairs *ret_pairs) MUST_USE;
/* From here on a question waits some seconds at most. */
void signer_limit_patience(int fd);
struct signer_leaf {
    X509 *certificate; /* the caller's */
    unsigned pair_number;
    int64_t not_before_s, renew_s;
};
/* A leaf for the name and the public half of the key. NOT_FOUND when no living pair permits it. Under the lock. */
enum error signer_make_leaf(struct certificates *certificates, const char *name, EVP_PKEY *key,
                            struct signer_leaf *ret_leaf) MUST_USE;

/* contexts.c: the context for a name, with one reference for the caller. NOT_FOUND when no living pair permits it.
 * *ret_name lives as long as the certificates. Any thread. */
enum error contexts_find(struct certificates *certificates, const char *name, SSL_CTX **ret_context,
                         const char **ret_name) MUST_USE;
void contexts_done(struct certificates *certificates);
/* tls.c: a server context that shows leaf and intermediate. */
SSL_CTX *tls_new_context(const char *name, X509 *leaf, EVP_PKEY *key, X509 *intermediate,
                         const struct secret *ticket_keys);

/* keystore.c: appends a Java key store (JKS 2) of trusted certificates. */
struct keystore_entry {
    unsigned char *der;
    size_t der_bytes;
    char alias[32]; /* lower case */
};
bool keystore_write(struct buffer *buffer, const struct keystore_entry *entries, size_t count, int64_t created_s);

#endif
