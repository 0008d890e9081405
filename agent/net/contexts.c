/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One TLS context per governed name, made at its first handshake (10,000 names must not be signed at start) and remade
 * when its leaf grows old or the clock jumped out of its validity. Called at accept, by any loop: a look-up under one
 * lock; making one holds the lock for a fifth of a millisecond.
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

/* The oldest living pair: running programs may trust no younger one. */
static const struct pair *contexts_find_pair(const struct certificates *certificates, const char *name, int64_t now_s)
{
    for (unsigned i = 0; i < certificates->pair_count; i++) {
        const struct pair *pair = certificates->pairs[i];
        if (pair_is_living(pair, now_s) && pair_permits(pair, name))
            return pair;
    }
    return NULL;
}

static enum error contexts_make(struct certificates *certificates, struct context *context, int64_t now_s)
{
    const struct pair *pair = contexts_find_pair(certificates, context->name, now_s);
    if (!pair)
        return ERROR_NOT_FOUND;
    int64_t not_after_s = now_s + 3600 * LEAF_HOURS;
    const char *name = context->name;
    struct x509_request request = {.names = &name,
                                   .name_count = 1,
                                   .key = x509_new_key(),
                                   .issuer = pair->intermediate,
                                   .issuer_key = pair->key,
                                   .not_before_s = now_s - 300,
                                   .not_after_s = not_after_s < pair->not_after_s ? not_after_s : pair->not_after_s};
    X509 *leaf = request.key ? x509_new_leaf(&request) : NULL;
    SSL_CTX *tls =
        leaf ? tls_new_context(name, leaf, request.key, pair->intermediate, certificates->ticket_keys) : NULL;
    X509_free(leaf);
    EVP_PKEY_free(request.key);
    if (!tls)
        return ERROR_INTERNAL;
    SSL_CTX_free(context->tls);
    context->tls = tls;
    context->not_before_s = request.not_before_s;
    context->renew_s = request.not_after_s == not_after_s
                           ? not_after_s - 3600 * LEAF_RENEWAL_HOURS
                           : request.not_after_s; /* the pair's last day: no better one */
    return ERROR_OK;
}

enum error contexts_find(struct certificates *certificates, const char *name, SSL_CTX **ret_context,
                         const char **ret_name)
{
    enum error error = ERROR_OK;
    int64_t now_s = authority_now_s();
    pthread_mutex_lock(&certificates->lock);
    struct context *context = contexts_get(certificates, name);
    if (!context->tls || now_s < context->not_before_s || now_s >= context->renew_s)
        error = contexts_make(certificates, context, now_s);
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
