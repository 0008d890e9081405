/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a Java key store that holds trusted certificates only, in the JKS format, which every Java reads without a
 * prompt and which a program can write without Java. Called by publish.c.
 *
 *   magic FEEDFEED · version 2 · count
 *   per entry: tag 2 · alias · time in ms · "X.509" · length · DER
 *   SHA-1 over: password in UTF-16BE, "Mighty Aphrodite", all of the above
 */
#include "net/authority.h"

#include "base/check.h"

#include <openssl/evp.h>

static const char keystore_password[] = "changeit"; /* Java's own default: the store holds no secret */
static const char keystore_salt[] = "Mighty Aphrodite";

static bool keystore_put(struct buffer *buffer, uint64_t value, unsigned bytes)
{
    char text[8];
    for (unsigned i = 0; i < bytes; i++)
        text[i] = (char)(value >> (8 * (bytes - 1 - i)));
    return buffer_append(buffer, (struct slice){text, bytes});
}

static bool keystore_put_text(struct buffer *buffer, const char *text)
{
    return keystore_put(buffer, strlen(text), 2) && buffer_append(buffer, slice_of(text));
}

static bool keystore_put_entry(struct buffer *buffer, const struct keystore_entry *entry, int64_t created_s)
{
    return keystore_put(buffer, 2, 4) && keystore_put_text(buffer, entry->alias) &&
           keystore_put(buffer, (uint64_t)created_s * 1000, 8) && keystore_put_text(buffer, "X.509") &&
           keystore_put(buffer, entry->der_bytes, 4) &&
           buffer_append(buffer, (struct slice){(const char *)entry->der, entry->der_bytes});
}

static bool keystore_digest(struct slice contents, unsigned char digest[20])
{
    char password[2 * sizeof keystore_password];
    size_t length = 0;
    for (const char *c = keystore_password; *c; c++) {
        password[length++] = 0;
        password[length++] = *c;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context && EVP_DigestInit_ex(context, EVP_sha1(), NULL) == 1 &&
              EVP_DigestUpdate(context, password, length) == 1 &&
              EVP_DigestUpdate(context, keystore_salt, sizeof keystore_salt - 1) == 1 &&
              EVP_DigestUpdate(context, contents.data, contents.length) == 1 &&
              EVP_DigestFinal_ex(context, digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}

bool keystore_write(struct buffer *buffer, const struct keystore_entry *entries, size_t count, int64_t created_s)
{
    check(buffer_length(buffer) == 0);
    bool ok = keystore_put(buffer, 0xFEEDFEED, 4) && keystore_put(buffer, 2, 4) && keystore_put(buffer, count, 4);
    for (size_t i = 0; ok && i < count; i++)
        ok = keystore_put_entry(buffer, &entries[i], created_s);
    unsigned char digest[20];
    return ok && keystore_digest(buffer_contents(buffer), digest) &&
           buffer_append(buffer, (struct slice){(const char *)digest, sizeof digest});
}
