/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a fuzz target is made of: LLVMFuzzerTestOneInput in a file fuzz_NAME.c, one parser each, with whatever must hold
 * of its results. The driver (driver.c) is ours, so that no tool is needed; libFuzzer can take its place.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"

/* 0, always: what is wrong aborts. `data` is exactly `size` bytes of heap, so that ASan sees a read past its end. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold; says which of it did not, and aborts. */
#define FUZZ_REQUIRE(condition, ...)                                                                                   \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                                            \
            fprintf(stderr, __VA_ARGS__);                                                                              \
            fputc('\n', stderr);                                                                                       \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static inline struct slice fuzz_slice(const uint8_t *data, size_t size)
{
    return (struct slice){(const char *)data, size};
}

/* The first byte chooses: one of `count`; the rest is the input. An empty input chooses 0. */
static inline unsigned fuzz_choose(struct slice *input, unsigned count)
{
    unsigned chosen = input->length ? (unsigned char)input->data[0] % count : 0;
    *input = slice_from(*input, 1);
    return chosen;
}

/* A part of an input as heap of its own, NUL-terminated: what is passed on must not be read beyond. */
static inline char *fuzz_copy(struct slice bytes)
{
    char *copy = malloc(bytes.length + 1);
    if (!copy)
        abort();
    if (bytes.length)
        memcpy(copy, bytes.data, bytes.length);
    copy[bytes.length] = '\0';
    return copy;
}

static inline bool fuzz_is_within(struct slice part, struct slice whole)
{
    return part.length == 0 || (part.data >= whole.data && part.data + part.length <= whole.data + whole.length);
}

/* support.c: a file of this name below a folder of this process, which is removed at its end, with these bytes. The
 * path is valid until four further calls. */
const char *fuzz_path(const char *name);
const char *fuzz_file(const char *name, struct slice bytes);

#endif
