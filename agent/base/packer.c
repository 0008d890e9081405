/* SPDX-License-Identifier: Apache-2.0 */
/* See packer.h. */
#include "base/packer.h"

#include <zstd.h>

void packer_done(struct packer *packer)
{
    ZSTD_freeCCtx(packer->compressor);
    ZSTD_freeDCtx(packer->decompressor);
    *packer = (struct packer){NULL, NULL};
}

size_t packer_bytes_max(size_t raw_bytes)
{
    return ZSTD_compressBound(raw_bytes);
}

bool packer_pack(struct packer *packer, int level, struct slice raw, struct buffer *out)
{
    size_t room = ZSTD_compressBound(raw.length);
    char *bytes = buffer_reserve(out, room);
    if (!packer->compressor)
        packer->compressor = ZSTD_createCCtx();
    if (!packer->compressor || !bytes)
        return false;
    size_t length = ZSTD_compressCCtx(packer->compressor, bytes, room, raw.length ? raw.data : "", raw.length, level);
    if (ZSTD_isError(length))
        return false;
    buffer_commit(out, length);
    return true;
}

bool packer_unpack(struct packer *packer, struct slice packed, size_t raw_bytes, struct buffer *out)
{
    char *bytes = buffer_reserve(out, raw_bytes + 1);
    if (!packer->decompressor)
        packer->decompressor = ZSTD_createDCtx();
    if (!packer->decompressor || !bytes)
        return false;
    size_t length = ZSTD_decompressDCtx(packer->decompressor, bytes, raw_bytes, packed.data, packed.length);
    if (ZSTD_isError(length) || length != raw_bytes)
        return false;
    buffer_commit(out, length);
    return true;
}
