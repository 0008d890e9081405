/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pair on disk: DIRECTORY/pair-NNN/{root.pem, intermediate.pem, intermediate.key}. Made in a directory of another
 * name and renamed when complete, so that a crash leaves nothing that looks like a pair. Called by certificates.c. The
 * root's key lives in one function only and is never written.
 */
#include "net/authority.h"

#include "base/file.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAIR_PATH_MAX = 4096 };

static const char *const pair_files[] = {"root.pem", "intermediate.pem", "intermediate.key"};

static const char *pair_path(char path[PAIR_PATH_MAX], const char *directory, unsigned number, const char *file)
{
    int length =
        snprintf(path, PAIR_PATH_MAX, "%s/pair-%03u%s%s", directory, number, file ? "/" : "", file ? file : "");
    return length > 0 && length < PAIR_PATH_MAX ? path : "";
}

void pair_free(struct pair *pair)
{
    if (!pair)
        return;
    for (size_t i = 0; i < pair->name_count; i++)
        free(pair->names[i]);
    free(pair->names);
    X509_free(pair->root);
    X509_free(pair->intermediate);
    EVP_PKEY_free(pair->key);
    free(pair);
}

/* Signs root and intermediate. The root's key ends here: EVP_PKEY_free wipes it. */
static bool pair_sign(struct pair *pair, const char *owner, const char *const *names, size_t name_count)
{
    char root_name[65], intermediate_name[65];
    snprintf(root_name, sizeof root_name, "Tollgate %s %03u", owner, pair->number);
    snprintf(intermediate_name, sizeof intermediate_name, "Tollgate %s %03u signing", owner, pair->number);
    EVP_PKEY *root_key = x509_new_key();
    pair->key = x509_new_key();
    struct x509_request request = {.common_name = root_name,
                                   .names = names,
                                   .name_count = name_count,
                                   .key = root_key,
                                   .issuer_key = root_key,
                                   .not_before_s = pair->not_before_s,
                                   .not_after_s = pair->not_after_s};
    if (root_key && pair->key)
        pair->root = x509_new_root(&request);
    request.common_name = intermediate_name;
    request.key = pair->key;
    request.issuer = pair->root;
    if (pair->root)
        pair->intermediate = x509_new_intermediate(&request);
    EVP_PKEY_free(root_key);
    return pair->intermediate && x509_read_constraints(pair->intermediate, &pair->names, &pair->name_count);
}

static enum error pair_write_file(const char *directory, const char *file, BIO *pem, mode_t mode)
{
    char path[PAIR_PATH_MAX], *data;
    long length = BIO_get_mem_data(pem, &data);
    int path_length = snprintf(path, sizeof path, "%s/%s", directory, file);
    if (length <= 0 || path_length >= PAIR_PATH_MAX)
        return ERROR_INTERNAL;
    return file_swap(path, (struct slice){data, (size_t)length}, mode);
}

static enum error pair_write_files(const struct pair *pair, const char *directory)
{
    enum error error = ERROR_OK;
    for (int i = 0; i < 3 && error == ERROR_OK; i++) {
        BIO *pem = BIO_new(BIO_s_secmem()); /* wiped when freed: one of them is a key */
        int ok = 0;
        if (pem && i < 2)
            ok = PEM_write_bio_X509(pem, i == 0 ? pair->root : pair->intermediate);
        else if (pem)
            ok = PEM_write_bio_PrivateKey(pem, pair->key, NULL, NULL, 0, NULL, NULL);
        error = ok ? pair_write_file(directory, pair_files[i], pem, 0600) : ERROR_INTERNAL;
        BIO_free(pem);
    }
    return error;
}

static void pair_remove_directory(const char *directory)
{
    char path[PAIR_PATH_MAX];
    for (int i = 0; i < 3; i++) {
        if (snprintf(path, sizeof path, "%s/%s", directory, pair_files[i]) < PAIR_PATH_MAX)
            unlink(path);
    }
    rmdir(directory);
}

static enum error pair_write(const struct pair *pair, const char *directory)
{
    char final[PAIR_PATH_MAX], temporary[PAIR_PATH_MAX];
    if (snprintf(temporary, sizeof temporary, "%s/new-XXXXXX", directory) >= PAIR_PATH_MAX || !mkdtemp(temporary))
        return ERROR_FILE_UNWRITABLE;
    enum error error = pair_write_files(pair, temporary);
    if (error == ERROR_OK)
        error = file_sync_directory(temporary);
    if (error == ERROR_OK && rename(temporary, pair_path(final, directory, pair->number, NULL)) != 0)
        error = ERROR_FILE_UNWRITABLE;
    if (error != ERROR_OK) {
        pair_remove_directory(temporary);
        return error;
    }
    return file_sync_directory(directory);
}

enum error pair_create(const char *directory, const char *owner, unsigned number, const char *const *names,
                       size_t name_count, struct pair **ret_pair)
{
    struct pair *pair = calloc(1, sizeof *pair);
    if (!pair)
        return ERROR_NO_MEMORY;
    pair->number = number;
    pair->not_before_s = authority_now_s() - 86400; /* clocks jump; they jump by a day in our tests */
    pair->not_after_s = pair->not_before_s + 86400 * (PAIR_DAYS + 1);
    enum error error = pair_sign(pair, owner, names, name_count) ? pair_write(pair, directory) : ERROR_INTERNAL;
    if (error != ERROR_OK)
        pair_free(pair);
    else
        *ret_pair = pair;
    return error;
}

/* Our keys have no passphrase; without this OpenSSL would ask the terminal for one. */
static int pair_refuse_passphrase(char *text, int bytes_max, int is_writing, void *context)
{
    (void)text;
    (void)bytes_max;
    (void)is_writing;
    (void)context;
    return -1;
}

static void *pair_read_file(const char *directory, unsigned number, const char *file, bool is_key)
{
    char path[PAIR_PATH_MAX];
    BIO *bio = BIO_new_file(pair_path(path, directory, number, file), "r");
    void *object = NULL;
    if (bio && is_key)
        object = PEM_read_bio_PrivateKey(bio, NULL, pair_refuse_passphrase, NULL);
    else if (bio)
        object = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return object;
}

/* Everything a client would check, and that the three belong together. */
static bool pair_is_sound(struct pair *pair)
{
    char **root_names = NULL;
    size_t root_name_count = 0;
    if (!pair->root || !pair->intermediate || X509_verify(pair->root, X509_get0_pubkey(pair->root)) != 1 ||
        X509_verify(pair->intermediate, X509_get0_pubkey(pair->root)) != 1 ||
        !x509_get_validity(pair->intermediate, &pair->not_before_s, &pair->not_after_s) ||
        !x509_read_constraints(pair->intermediate, &pair->names, &pair->name_count) ||
        !x509_read_constraints(pair->root, &root_names, &root_name_count))
        return false;
    bool is_same = root_name_count == pair->name_count;
    for (size_t i = 0; i < root_name_count; i++) {
        is_same = is_same && strcmp(root_names[i], pair->names[i]) == 0;
        free(root_names[i]);
    }
    free(root_names);
    return is_same;
}

static bool pair_load_key(struct pair *pair, const char *directory)
{
    pair->key = pair_read_file(directory, pair->number, pair_files[2], true);
    return pair->key && X509_check_private_key(pair->intermediate, pair->key) == 1;
}

enum error pair_load(const char *directory, unsigned number, bool has_key, struct pair **ret_pair)
{
    struct pair *pair = calloc(1, sizeof *pair);
    if (!pair)
        return ERROR_NO_MEMORY;
    pair->number = number;
    pair->root = pair_read_file(directory, number, pair_files[0], false);
    pair->intermediate = pair_read_file(directory, number, pair_files[1], false);
    bool is_sound = pair_is_sound(pair) && (!has_key || pair_load_key(pair, directory));
    ERR_clear_error();
    if (!is_sound) {
        pair_free(pair);
        return ERROR_FILE_UNREADABLE;
    }
    char path[PAIR_PATH_MAX];
    if (has_key &&
        chmod(pair_path(path, directory, number, pair_files[2]), 0600) != 0) { /* a restored backup may be wider */
        pair_free(pair);
        return ERROR_FILE_UNWRITABLE;
    }
    *ret_pair = pair;
    return ERROR_OK;
}

bool pair_is_living(const struct pair *pair, int64_t now_s)
{
    return pair->not_before_s <= now_s && now_s < pair->not_after_s;
}

static int pair_compare_name(const void *key, const void *row)
{
    return strcmp(key, *(char *const *)row);
}

bool pair_permits(const struct pair *pair, const char *name)
{
    while (name && *name) {
        if (bsearch(name, pair->names, pair->name_count, sizeof(char *), pair_compare_name))
            return true;
        name = strchr(name, '.');
        name = name ? name + 1 : NULL;
    }
    return false;
}
