/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that make programs trust the agent: ca.pem (our living roots), bundle.pem (the system's roots and ours, for
 * variables that replace the store), cacerts.jks (the same for Java). Called at start, and when one of them has gone.
 * The system's own store is read, never written. trust.stamp remembers what the files were made from, so that a start
 * with nothing new writes nothing.
 */
#include "net/authority.h"

#include "base/check.h"
#include "base/digest.h"
#include "base/file.h"

#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { PUBLISH_PATH_MAX = 4096, PUBLISH_BYTES_MAX = 16 << 20, PUBLISH_ENTRIES_MAX = 4096 };

static const char *const system_bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Arch, Alpine */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora, RHEL */
    "/etc/pki/tls/certs/ca-bundle.crt",                  /* older RHEL */
    "/etc/ssl/ca-bundle.pem",                            /* openSUSE */
    "/etc/ssl/cert.pem",                                 /* Alpine, BSDs */
};

struct publication {
    const char *directory;
    mode_t mode;
    struct buffer roots;     /* ca.pem */
    struct buffer bundle;    /* bundle.pem */
    struct buffer keystore;  /* cacerts.jks */
    const char *system_path; /* "-": this system has no bundle */
    struct stat system_stat;
};

static const char *publish_path(char path[PUBLISH_PATH_MAX], const struct publication *publication, const char *file)
{
    int length = snprintf(path, PUBLISH_PATH_MAX, "%s/%s", publication->directory, file);
    return length > 0 && length < PUBLISH_PATH_MAX ? path : "";
}

static void publish_find_system_bundle(struct publication *publication)
{
    publication->system_path = "-";
    for (size_t i = 0; i < sizeof system_bundles / sizeof *system_bundles; i++) {
        if (stat(system_bundles[i], &publication->system_stat) == 0 && publication->system_stat.st_size > 0) {
            publication->system_path = system_bundles[i];
            return;
        }
    }
    publication->system_stat = (struct stat){0};
}

static enum error publish_collect_roots(struct certificates *certificates, struct buffer *roots)
{
    BIO *pem = BIO_new(BIO_s_mem());
    bool ok = pem != NULL;
    int64_t now_s = authority_now_s();
    pthread_mutex_lock(&certificates->lock);
    for (unsigned i = 0; ok && i < certificates->pair_count; i++) {
        if (pair_is_living(certificates->pairs[i], now_s))
            ok = PEM_write_bio_X509(pem, certificates->pairs[i]->root) == 1;
    }
    pthread_mutex_unlock(&certificates->lock);
    char *data = NULL;
    long length = ok ? BIO_get_mem_data(pem, &data) : 0;
    ok = ok && buffer_append(roots, (struct slice){data, (size_t)length});
    BIO_free(pem);
    return ok ? ERROR_OK : ERROR_NO_MEMORY;
}

/* One line: all that the files depend on. Times by the nanosecond, so that an update in the same second counts. */
static void publish_format_inputs(const struct publication *publication, char *text, size_t bytes_max)
{
    unsigned char digest[32];
    char hex[65];
    digest_sha256(buffer_contents(&publication->roots), digest);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    const struct stat *system_stat = &publication->system_stat;
    snprintf(text, bytes_max, "1 %s %lld.%09ld %lld %s %o", publication->system_path,
             (long long)system_stat->st_mtim.tv_sec, system_stat->st_mtim.tv_nsec, (long long)system_stat->st_size, hex,
             (unsigned)publication->mode);
}

static const char *const published_files[] = {"ca.pem", "bundle.pem", "cacerts.jks"};

/* The files as they are now; "" when one is missing. Mode and contents cannot change without the time of the last
 * change (inode(7)). */
static void publish_format_outputs(const struct publication *publication, char text[PUBLISHED_FACTS_BYTES])
{
    int length = 0;
    for (int i = 0; i < 3; i++) {
        char path[PUBLISH_PATH_MAX];
        struct stat file_stat;
        if (lstat(publish_path(path, publication, published_files[i]), &file_stat) != 0 ||
            file_stat.st_mode != (S_IFREG | publication->mode)) {
            *text = 0;
            return;
        }
        length += snprintf(text + length, PUBLISHED_FACTS_BYTES - (size_t)length, " %llu %lld %lld.%09ld",
                           (unsigned long long)file_stat.st_ino, (long long)file_stat.st_size,
                           (long long)file_stat.st_ctim.tv_sec, file_stat.st_ctim.tv_nsec);
    }
    snprintf(text + length, PUBLISHED_FACTS_BYTES - (size_t)length, "\n");
}

static bool publish_is_current(const struct publication *publication, const char *inputs)
{
    char path[PUBLISH_PATH_MAX], outputs[PUBLISHED_FACTS_BYTES], wanted[1024];
    publish_format_outputs(publication, outputs);
    int length = snprintf(wanted, sizeof wanted, "%s%s", inputs, outputs);
    struct buffer stamp;
    buffer_init(&stamp, 1 << 20);
    bool is_current = *outputs && length < (int)sizeof wanted &&
                      file_read_into(publish_path(path, publication, "trust.stamp"), &stamp) == ERROR_OK &&
                      slice_is(buffer_contents(&stamp), wanted);
    buffer_done(&stamp);
    return is_current;
}

/* The certificates of a PEM text as DER, without looking inside them: 150 roots take a millisecond. Returns the new
 * count of entries. */
static size_t publish_decode(struct slice text, struct keystore_entry *entries, size_t count)
{
    if (text.length == 0)
        return count;
    BIO *pem = BIO_new_mem_buf(text.data, (int)text.length);
    check(pem != NULL);
    char *label, *header;
    unsigned char *der;
    long der_bytes;
    while (count < PUBLISH_ENTRIES_MAX && PEM_read_bio(pem, &label, &header, &der, &der_bytes) == 1) {
        if (strcmp(label, PEM_STRING_X509) == 0 || strcmp(label, PEM_STRING_X509_OLD) == 0) {
            struct keystore_entry *entry = &entries[count++];
            *entry = (struct keystore_entry){.der = der, .der_bytes = (size_t)der_bytes};
            snprintf(entry->alias, sizeof entry->alias, "root-%04zu", count);
            der = NULL;
        }
        OPENSSL_free(label);
        OPENSSL_free(header);
        OPENSSL_free(der);
    }
    ERR_clear_error(); /* the end of the text is an error to it */
    BIO_free(pem);
    return count;
}

/* Ours come first: whatever the system's file holds, they are in. */
static bool publish_build_keystore(struct publication *publication)
{
    struct keystore_entry *entries = calloc(PUBLISH_ENTRIES_MAX, sizeof *entries);
    check(entries != NULL);
    struct slice roots = buffer_contents(&publication->roots), system = buffer_contents(&publication->bundle);
    system.length -= roots.length;
    size_t count = publish_decode(roots, entries, 0);
    count = publish_decode(system, entries, count);
    bool ok = keystore_write(&publication->keystore, entries, count, publication->system_stat.st_mtim.tv_sec);
    for (size_t i = 0; i < count; i++)
        OPENSSL_free(entries[i].der);
    free(entries);
    return ok;
}

static enum error publish_build(struct publication *publication)
{
    if (strcmp(publication->system_path, "-") != 0 &&
        (file_read_into(publication->system_path, &publication->bundle) != ERROR_OK ||
         !buffer_append(&publication->bundle, SLICE_LITERAL("\n"))))
        return ERROR_FILE_UNREADABLE;
    if (!buffer_append(&publication->bundle, buffer_contents(&publication->roots)))
        return ERROR_FILE_UNREADABLE;
    return publish_build_keystore(publication) ? ERROR_OK : ERROR_INTERNAL;
}

/* The stamp last: without it everything is written again. */
static enum error publish_write(struct publication *publication, const char *inputs)
{
    const struct buffer *contents[] = {&publication->roots, &publication->bundle, &publication->keystore};
    char path[PUBLISH_PATH_MAX], outputs[PUBLISHED_FACTS_BYTES], stamp[1024];
    enum error error = ERROR_OK;
    for (int i = 0; i < 3 && error == ERROR_OK; i++)
        error = file_swap(publish_path(path, publication, published_files[i]), buffer_contents(contents[i]),
                          publication->mode);
    if (error != ERROR_OK)
        return error;
    publish_format_outputs(publication, outputs);
    snprintf(stamp, sizeof stamp, "%s%s", inputs, outputs);
    error = file_swap(publish_path(path, publication, "trust.stamp"), slice_of(stamp), publication->mode);
    return error != ERROR_OK ? error : file_sync_directory(publication->directory);
}

/* Under the lock of publishing. */
static enum error publish(struct certificates *certificates, const char *directory, mode_t mode)
{
    struct publication publication = {.directory = directory, .mode = mode};
    char inputs[512];
    buffer_init(&publication.roots, PUBLISH_BYTES_MAX);
    buffer_init(&publication.bundle, PUBLISH_BYTES_MAX);
    buffer_init(&publication.keystore, PUBLISH_BYTES_MAX);
    publish_find_system_bundle(&publication);
    enum error error = publish_collect_roots(certificates, &publication.roots);
    if (error != ERROR_OK)
        goto done;
    publish_format_inputs(&publication, inputs, sizeof inputs);
    if (publish_is_current(&publication, inputs))
        goto done;
    error = publish_build(&publication);
    if (error == ERROR_OK)
        error = publish_write(&publication, inputs);
done:
    if (error == ERROR_OK)
        publish_format_outputs(&publication, certificates->published);
    buffer_done(&publication.keystore);
    buffer_done(&publication.bundle);
    buffer_done(&publication.roots);
    return error;
}

enum error certificates_publish(struct certificates *certificates, const char *directory, mode_t mode)
{
    pthread_mutex_lock(&certificates->publish_lock);
    enum error error = publish(certificates, directory, mode);
    pthread_mutex_unlock(&certificates->publish_lock);
    return error;
}

enum error certificates_keep_published(struct certificates *certificates, const char *directory, mode_t mode,
                                       bool *ret_was_spoilt)
{
    const struct publication publication = {.directory = directory, .mode = mode};
    char now[PUBLISHED_FACTS_BYTES];
    pthread_mutex_lock(&certificates->publish_lock);
    publish_format_outputs(&publication, now);
    *ret_was_spoilt = strcmp(now, certificates->published) != 0;
    enum error error = *ret_was_spoilt ? publish(certificates, directory, mode) : ERROR_OK;
    pthread_mutex_unlock(&certificates->publish_lock);
    return error;
}
