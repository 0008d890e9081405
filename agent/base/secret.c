/* SPDX-License-Identifier: Apache-2.0 */
/* See secret.h. */
#include "base/secret.h"

#include "base/check.h"

#include <stdlib.h>
#include <sys/mman.h>

struct secret {
    size_t length;
    char bytes[];
};

struct secret *secret_new(struct slice bytes)
{
    struct secret *secret = calloc(1, sizeof *secret + bytes.length + 1);
    check(secret != NULL);
    int ignored = mlock(secret, sizeof *secret + bytes.length + 1); /* best effort: RLIMIT_MEMLOCK may forbid it */
    (void)ignored;
    secret->length = bytes.length;
    memcpy(secret->bytes, bytes.data, bytes.length);
    return secret;
}

void secret_free(struct secret *secret)
{
    if (!secret)
        return;
    explicit_bzero(secret->bytes, secret->length);
    free(secret); /* no munlock: pages are shared with other secrets, and it is undone at exit anyway */
}

struct slice secret_reveal(const struct secret *secret)
{
    return (struct slice){secret->bytes, secret->length};
}

const char *secret_format(const struct secret *secret)
{
    (void)secret;
    return "***";
}

bool secret_is_equal(const struct secret *secret, struct slice bytes)
{
    unsigned char difference = secret->length != bytes.length;
    for (size_t i = 0; i < secret->length; i++)
        difference |= (unsigned char)(secret->bytes[i] ^ (i < bytes.length ? bytes.data[i] : 0));
    return difference == 0;
}
