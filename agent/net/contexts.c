/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One TLS context per governed name, made at its first handshake (10,000 names must not be signed at start) and remade
 * when its leaf grows old or the clock jumped out of its validity. Called at accept, by any loop: a look-up under one
 * lock; making one asks the signer, and holds the lock for a third of a millisecond.
 */
#include "net/authority.h"

#include "base/check.h"

#include <stdlib.h>

static unsigned contexts_hash(const char *name)
{
    unsigned hash = 2166136261U; /* FNV-1a */
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619U;
    return hash % CONTEXT_BUCKETS;
}

static struct context *contexts_get(struct certificates *certificates, const char *name)
{
    struct context **bucket = &certificates->contexts[contexts_hash(name)];
    for (struct context *context = *bucket; context; context = context->next) {
        if (strcmp(context->name, name) == 0)
            return context;
    }
    struct context *context = calloc(1, sizeof *context);
    check(context != NULL);
    context->name = strdup(name);
    check(context->name != NULL);
    context->next = *bucket;
    *bucket = context;
    return context;
}

static X509 *contexts_find_intermediate(const struct certificates *certificates, unsigned pair_number)
{
    for (unsigned i = 0; i < certificates->pair_count; i++)
        if (certificates->pairs[i]->number == pair_number)
            return certificates->pairs[i]->intermediate;
    return NULL;
}

static enum error contexts_make(struct certificates *certificates, struct context *context)
{
    EVP_PKEY *key = x509_new_key();
    struct signer_leaf leaf = {0};
    SSL_CTX *tls = NULL;
    enum error error = key ? signer_make_leaf(certificates, context->name, key, &leaf) : ERROR_INTERNAL;
    if (error)
        goto done;
    X509 *intermediate = contexts_find_intermediate(certificates, leaf.pair_number);
    tls = intermediate ? tls_new_context(context->name, leaf.certificate, key, intermediate, certificates->ticket_keys)
                       : NULL;
    if (!tls) {
        error = ERROR_INTERNAL;
        goto done;
    }
    SSL_CTX_free(context->tls);
    context->tls = tls;
    context->not_before_s = leaf.not_before_s;
    context->renew_s = leaf.renew_s;
done:
    X509_free(leaf.certificate);
    EVP_PKEY_free(key);
    return error;
}

enum error contexts_find(struct certificates *certificates, const char *name, SSL_CTX **ret_context,
                         const char **ret_name)
{
    enum error error = ERROR_OK;
    int64_t now_s = authority_now_s();
    pthread_mutex_lock(&certificates->lock);
    struct context *context = contexts_get(certificates, name);
    if (!context->tls || now_s < context->not_before_s || now_s >= context->renew_s)
        error = contexts_make(certificates, context);
    if (error == ERROR_OK) {
        SSL_CTX_up_ref(context->tls);
        *ret_context = context->tls;
        *ret_name = context->name;
    }
    pthread_mutex_unlock(&certificates->lock);
    return error;
}

void contexts_done(struct certificates *certificates)
{
    for (unsigned i = 0; i < CONTEXT_BUCKETS; i++) {
        for (struct context *context = certificates->contexts[i], *next; context; context = next) {
            next = context->next;
            SSL_CTX_free(context->tls);
            free(context->name);
            free(context);
        }
    }
}
