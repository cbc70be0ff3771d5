/* zlib: deflate for GeoTIFF blocks, CRC-32 for files. [local], thread-safe. */
#ifndef SG_DATA_COMPRESS_H
#define SG_DATA_COMPRESS_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

size_t sg_deflate_bound(size_t bytes);
/* Deflate (zlib format, as TIFF's ADOBE_DEFLATE) into out of *out_bytes; sets *out_bytes. level 1
 * .. 9. */
sg_err sg_deflate(const void *in, size_t bytes, int level, void *out, size_t *out_bytes);
sg_err sg_inflate(const void *in, size_t bytes, void *out, size_t out_bytes);
uint32_t sg_crc32(uint32_t crc, const void *data, size_t bytes); /* start with 0 */

#endif
