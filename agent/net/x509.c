/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds the three kinds of certificate and reads name constraints back. Called by pair.c and contexts.c. Knows no
 * files and keeps nothing. The profile is RFC 5280; AKI and SKI are on all, because Python ≥ 3.13 verifies strictly.
 */
#include "net/authority.h"

#include "base/clock.h"

#include <openssl/rand.h>
#include <stdlib.h>

int64_t authority_now_s(void)
{
    return clock_wall_ns() / 1000000000;
}

EVP_PKEY *x509_new_key(void)
{
    return EVP_EC_gen("P-256");
}

/* A row of the profile: what v3.ext calls it, and its value. Order is the order in the certificate. */
struct x509_extension {
    int nid;
    const char *value;
};
static const struct x509_extension root_extensions[] = {
    {NID_basic_constraints, "critical,CA:TRUE,pathlen:1"},
    {NID_key_usage, "critical,keyCertSign,cRLSign"},
    {NID_subject_key_identifier, "hash"},
    {NID_authority_key_identifier, "keyid:always"},
    {0, NULL},
};
static const struct x509_extension intermediate_extensions[] = {
    {NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
    {NID_key_usage, "critical,keyCertSign,cRLSign"},
    {NID_ext_key_usage, "serverAuth"},
    {NID_subject_key_identifier, "hash"},
    {NID_authority_key_identifier, "keyid:always"},
    {0, NULL},
};
static const struct x509_extension leaf_extensions[] = {
    {NID_basic_constraints, "critical,CA:FALSE"},
    {NID_key_usage, "critical,digitalSignature"},
    {NID_ext_key_usage, "serverAuth"},
    {NID_subject_key_identifier, "hash"},
    {NID_authority_key_identifier, "keyid:always"},
    {0, NULL},
};

static bool x509_add_extensions(X509 *certificate, X509 *issuer, const struct x509_extension *rows)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    for (; rows->value; rows++) {
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, rows->nid, rows->value);
        bool added = extension && X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
        if (!added)
            return false;
    }
    return true;
}

static GENERAL_NAME *x509_new_general_name(int type, const void *bytes, size_t length)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *text = type == GEN_DNS ? (ASN1_STRING *)ASN1_IA5STRING_new() : (ASN1_STRING *)ASN1_OCTET_STRING_new();
    if (!name || !text || !ASN1_STRING_set(text, bytes, (int)length)) {
        ASN1_STRING_free(text);
        GENERAL_NAME_free(name);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, type, text);
    return name;
}

static bool x509_add_subtree(STACK_OF(GENERAL_SUBTREE) * *subtrees, GENERAL_NAME *base)
{
    GENERAL_SUBTREE *subtree = GENERAL_SUBTREE_new();
    if (!*subtrees)
        *subtrees = sk_GENERAL_SUBTREE_new_null();
    if (!base || !subtree || !*subtrees) {
        GENERAL_NAME_free(base);
        GENERAL_SUBTREE_free(subtree);
        return false;
    }
    GENERAL_NAME_free(subtree->base);
    subtree->base = base;
    if (sk_GENERAL_SUBTREE_push(*subtrees, subtree) > 0)
        return true;
    GENERAL_SUBTREE_free(subtree);
    return false;
}

/* 0.0.0.0/0 and ::/0: address and mask, all zero. */
static const unsigned char any_address[32];
static const size_t any_address_bytes[] = {8, 32};

/* Permitted: the names, which by RFC 5280 includes their subdomains. Excluded: every IP address, since a constraint on
 * one name form leaves the others free. */
static bool x509_add_constraints(X509 *certificate, const struct x509_request *request)
{
    NAME_CONSTRAINTS *constraints = NAME_CONSTRAINTS_new();
    bool ok = constraints != NULL;
    for (size_t i = 0; ok && i < request->name_count; i++) {
        const char *name = request->names[i];
        ok = x509_add_subtree(&constraints->permittedSubtrees, x509_new_general_name(GEN_DNS, name, strlen(name)));
    }
    for (size_t i = 0; ok && i < 2; i++)
        ok = x509_add_subtree(&constraints->excludedSubtrees,
                              x509_new_general_name(GEN_IPADD, any_address, any_address_bytes[i]));
    ok = ok && X509_add1_ext_i2d(certificate, NID_name_constraints, constraints, 1, 0);
    NAME_CONSTRAINTS_free(constraints);
    return ok;
}

/* The subject of a leaf is empty, so its alternative name must be critical (RFC 5280 4.2.1.6). */
static bool x509_add_alternative_names(X509 *certificate, const struct x509_request *request)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    bool ok = names != NULL;
    for (size_t i = 0; ok && i < request->name_count; i++) {
        GENERAL_NAME *name = x509_new_general_name(GEN_DNS, request->names[i], strlen(request->names[i]));
        ok = name && sk_GENERAL_NAME_push(names, name) > 0;
        if (!ok)
            GENERAL_NAME_free(name);
    }
    ok = ok && X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 1, 0);
    GENERAL_NAMES_free(names);
    return ok;
}

static bool x509_set_serial(X509 *certificate)
{
    unsigned char bytes[16];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40); /* positive, of constant length */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return ok;
}

static bool x509_add_subject_entry(X509_NAME *subject, const char *field, const char *value)
{
    return X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0);
}

static bool x509_set_names(X509 *certificate, const struct x509_request *request)
{
    X509_NAME *subject = X509_get_subject_name(certificate);
    if (request->common_name && !(x509_add_subject_entry(subject, "O", "Tollgate") &&
                                  x509_add_subject_entry(subject, "CN", request->common_name)))
        return false;
    return X509_set_issuer_name(certificate, request->issuer ? X509_get_subject_name(request->issuer) : subject);
}

static X509 *x509_new_base(const struct x509_request *request)
{
    X509 *certificate = X509_new();
    if (certificate && X509_set_version(certificate, X509_VERSION_3) && x509_set_serial(certificate) &&
        x509_set_names(certificate, request) && X509_set_pubkey(certificate, request->key) &&
        ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)request->not_before_s) &&
        ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)request->not_after_s))
        return certificate;
    X509_free(certificate);
    return NULL;
}

static X509 *x509_new(const struct x509_request *request, const struct x509_extension *extensions,
                      bool (*add_names)(X509 *certificate, const struct x509_request *request))
{
    X509 *certificate = x509_new_base(request);
    if (certificate && x509_add_extensions(certificate, request->issuer ? request->issuer : certificate, extensions) &&
        add_names(certificate, request) && X509_sign(certificate, request->issuer_key, EVP_sha256()) > 0)
        return certificate;
    X509_free(certificate);
    return NULL;
}

X509 *x509_new_root(const struct x509_request *request)
{
    return x509_new(request, root_extensions, x509_add_constraints);
}

X509 *x509_new_intermediate(const struct x509_request *request)
{
    return x509_new(request, intermediate_extensions, x509_add_constraints);
}

X509 *x509_new_leaf(const struct x509_request *request)
{
    return x509_new(request, leaf_extensions, x509_add_alternative_names);
}

static int x509_compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Both zero-mask subtrees must be there: a constraint that forgot addresses is not ours. */
static bool x509_excludes_addresses(const NAME_CONSTRAINTS *constraints)
{
    bool found[2] = {false, false};
    for (int i = 0; i < sk_GENERAL_SUBTREE_num(constraints->excludedSubtrees); i++) {
        const GENERAL_NAME *base = sk_GENERAL_SUBTREE_value(constraints->excludedSubtrees, i)->base;
        for (size_t kind = 0; base->type == GEN_IPADD && kind < 2; kind++)
            found[kind] |= (size_t)ASN1_STRING_length(base->d.iPAddress) == any_address_bytes[kind] &&
                           memcmp(ASN1_STRING_get0_data(base->d.iPAddress), any_address, any_address_bytes[kind]) == 0;
    }
    return found[0] && found[1];
}

static size_t x509_copy_permitted(const NAME_CONSTRAINTS *constraints, char **names)
{
    size_t count = 0;
    for (int i = 0; i < sk_GENERAL_SUBTREE_num(constraints->permittedSubtrees); i++) {
        const GENERAL_NAME *base = sk_GENERAL_SUBTREE_value(constraints->permittedSubtrees, i)->base;
        if (base->type != GEN_DNS)
            continue;
        names[count] =
            strndup((const char *)ASN1_STRING_get0_data(base->d.dNSName), (size_t)ASN1_STRING_length(base->d.dNSName));
        count += names[count] != NULL;
    }
    return count;
}

bool x509_read_constraints(X509 *certificate, char ***ret_names, size_t *ret_count)
{
    int is_critical = 0;
    NAME_CONSTRAINTS *constraints = X509_get_ext_d2i(certificate, NID_name_constraints, &is_critical, NULL);
    int total = constraints ? sk_GENERAL_SUBTREE_num(constraints->permittedSubtrees) : 0;
    char **names = NULL;
    if (is_critical == 1 && total > 0 && x509_excludes_addresses(constraints))
        names = calloc((size_t)total, sizeof(char *));
    size_t count = names ? x509_copy_permitted(constraints, names) : 0;
    NAME_CONSTRAINTS_free(constraints);
    if (count == 0) {
        free(names);
        return false;
    }
    qsort(names, count, sizeof(char *), x509_compare_names);
    *ret_names = names;
    *ret_count = count;
    return true;
}

static bool x509_get_time(const ASN1_TIME *time, int64_t *ret_s)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;
    bool ok = epoch && ASN1_TIME_diff(&days, &seconds, epoch, time);
    ASN1_TIME_free(epoch);
    if (ok)
        *ret_s = (int64_t)days * 86400 + seconds;
    return ok;
}

bool x509_get_validity(const X509 *certificate, int64_t *ret_not_before_s, int64_t *ret_not_after_s)
{
    int64_t not_before_s, not_after_s;
    if (!x509_get_time(X509_get0_notBefore(certificate), &not_before_s) ||
        !x509_get_time(X509_get0_notAfter(certificate), &not_after_s))
        return false;
    *ret_not_before_s = not_before_s;
    *ret_not_after_s = not_after_s;
    return true;
}
