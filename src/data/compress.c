#include "data/compress.h"

#include <zlib.h>

size_t sg_deflate_bound(size_t bytes)
{
    return compressBound(bytes);
}

sg_err sg_deflate(const void *in, size_t bytes, int level, void *out, size_t *out_bytes)
{
    uLongf length = *out_bytes;
    int status = compress2(out, &length, in, bytes, level);
    if (status == Z_MEM_ERROR)
        return sg_fail(SG_ENOMEM, "no memory left to compress %zu bytes", bytes);
    if (status != Z_OK)
        return sg_fail(SG_EINTERNAL, "compressing %zu bytes at level %d failed: zlib status %d",
                       bytes, level, status);
    *out_bytes = length;
    return SG_OK;
}

sg_err sg_inflate(const void *in, size_t bytes, void *out, size_t out_bytes)
{
    uLongf length = out_bytes;
    int status = uncompress(out, &length, in, bytes);
    if (status == Z_MEM_ERROR)
        return sg_fail(SG_ENOMEM, "no memory left to decompress %zu bytes", bytes);
    if (status != Z_OK || length != out_bytes)
        return sg_fail(SG_EINPUT,
                       "compressed data is damaged: %zu bytes give %lu instead of %zu (zlib "
                       "status %d)",
                       bytes, (unsigned long)length, out_bytes, status);
    return SG_OK;
}

uint32_t sg_crc32(uint32_t crc, const void *data, size_t bytes)
{
    return (uint32_t)crc32_z(crc, data, bytes);
}
