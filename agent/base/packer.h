/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compression, boxed: the only files that know zstd. A packer is embedded, zeroed before its first use, and takes its
 * memory (some 100 KB each way) when it is needed. One thread at a time.
 */
#ifndef BASE_PACKER_H
#define BASE_PACKER_H

#include "base/buffer.h"

struct packer {
    void *compressor, *decompressor;
};

void packer_done(struct packer *packer);
/* The most that `raw_bytes` can come to. */
size_t packer_bytes_max(size_t raw_bytes);
/* Appends the frame to `out`. `level`: zstd's; below 0 is faster and worse. False: no memory, or the buffer's bound. */
bool packer_pack(struct packer *packer, int level, struct slice raw, struct buffer *out) MUST_USE;
/* Appends exactly `raw_bytes`, or nothing and false: no bomb, no remainder. */
bool packer_unpack(struct packer *packer, struct slice packed, size_t raw_bytes, struct buffer *out) MUST_USE;

#endif
