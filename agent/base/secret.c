/* SPDX-License-Identifier: Apache-2.0 */
/* See secret.h. Each secret has pages of its own: what is freed goes back to the kernel at once, and a lock or an
 * advice that is given for it touches nothing else. Secrets are few (a policy has at most some hundred keys). */
#include "base/secret.h"

#include "base/check.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

struct secret {
    size_t length, mapped_bytes;
    bool is_locked;
    char bytes[];
};

static atomic_uint swappable;

struct secret *secret_new(struct slice bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t mapped_bytes = (sizeof(struct secret) + bytes.length + 1 + page - 1) / page * page;
    struct secret *secret = mmap(NULL, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(secret != MAP_FAILED);
    /* Before it is written to: a page that was swapped out once has left its copy. */
    bool is_locked = mlock(secret, mapped_bytes) == 0; /* RLIMIT_MEMLOCK may forbid it */
    (void)!madvise(secret, mapped_bytes, MADV_DONTDUMP);
    (void)!madvise(secret, mapped_bytes, MADV_WIPEONFORK); /* who is forked has no business with it */
    if (!is_locked)
        atomic_fetch_add(&swappable, 1);
    secret->length = bytes.length;
    secret->mapped_bytes = mapped_bytes;
    secret->is_locked = is_locked;
    memcpy(secret->bytes, bytes.data, bytes.length);
    return secret;
}

/* In a forked child the length is wiped, too: its copy of the page stays until it ends. */
void secret_free(struct secret *secret)
{
    if (!secret || secret->mapped_bytes == 0)
        return;
    if (!secret->is_locked)
        atomic_fetch_sub(&swappable, 1);
    const size_t mapped_bytes = secret->mapped_bytes;
    explicit_bzero(secret, mapped_bytes);
    munmap(secret, mapped_bytes);
}

unsigned secret_count_swappable(void)
{
    return atomic_load(&swappable);
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
