/*
 * The compressions of a TIFF's blocks behind one call. A codec belongs to one thread and keeps what
 * it works with, so that compressing allocates little or nothing. The same bytes and level give the
 * same result for one version of zlib and zstd. [local]
 */
#ifndef SG_DATA_CODEC_H
#define SG_DATA_CODEC_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

typedef enum { SG_CODEC_DEFLATE, SG_CODEC_ZSTD, SG_CODEC_LZW, SG_CODEC_NONE } sg_codec_kind;

typedef struct sg_codec sg_codec;

/* level: 0 the usual one; of deflate 1 .. 9, of zstd 1 .. 22, else without meaning. */
sg_err sg_codec_open(sg_codec **codec, sg_codec_kind kind, int32_t level);
/* The most bytes that so many can become. */
size_t sg_codec_bound(const sg_codec *codec, size_t bytes);
/* Compress into out, which has room for that many; sets *out_bytes. */
sg_err sg_codec_pack(sg_codec *codec, const void *in, size_t bytes, void *out, size_t *out_bytes);
void sg_codec_close(sg_codec *codec); /* NULL is fine */

/* The highest level, 0: there are none; and the level meant, for 0 the usual one. */
int32_t sg_codec_most_level(sg_codec_kind kind);
int32_t sg_codec_level(sg_codec_kind kind, int32_t level);
/* What stands in a TIFF's tag 259, and GDAL's word for it. */
uint16_t sg_codec_tag(sg_codec_kind kind);
const char *sg_codec_name(sg_codec_kind kind);

#endif
