/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl's allocator: libc's, but that what is freed is wiped. libcurl copies a request's head, key included, into
 * buffers of its own, and frees them as they are; without this they are still readable in the heap when the policy has
 * long dropped the key (a 64 KiB buffer costs about a microsecond). Called by upstream.c.
 */
#include "upstream/internal.h"

#include <curl/curl.h>
#include <malloc.h>
#include <stdlib.h>

static void wiping_free(void *memory)
{
    if (memory)
        explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}

/* Never in place of realloc's own moving, which would leave the old bytes behind. */
static void *wiping_realloc(void *memory, size_t bytes)
{
    const size_t old_bytes = memory ? malloc_usable_size(memory) : 0;
    if (memory && bytes && bytes <= old_bytes && bytes >= old_bytes / 2)
        return memory;
    void *moved = malloc(bytes ? bytes : 1);
    if (!moved)
        return NULL;
    if (memory)
        memcpy(moved, memory, old_bytes < bytes ? old_bytes : bytes);
    wiping_free(memory);
    return moved;
}

bool memory_init_library(void)
{
    return curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc, strdup, calloc) == CURLE_OK;
}
