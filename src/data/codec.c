#include "data/codec.h"

#include <string.h>
#include <zstd.h>
#include "base/size.h"
#include "data/compress.h"
#include "data/lzw.h"

struct sg_codec {
    sg_codec_kind kind;
    int32_t level;
    sg_lzw *lzw;
    ZSTD_CCtx *zstd;
};

/* ZSTD: registered by GDAL's authors, and in libtiff. */
static const struct {
    uint16_t tag;
    const char *name;
    int32_t most_level, usual_level; /* the usual ones are GDAL's */
} KINDS[] = {[SG_CODEC_DEFLATE] = {8, "DEFLATE", 9, 6},
             [SG_CODEC_ZSTD] = {50000, "ZSTD", 22, 9},
             [SG_CODEC_LZW] = {5, "LZW", 0, 0},
             [SG_CODEC_NONE] = {1, "NONE", 0, 0}};

uint16_t sg_codec_tag(sg_codec_kind kind)
{
    return KINDS[kind].tag;
}

const char *sg_codec_name(sg_codec_kind kind)
{
    return KINDS[kind].name;
}

int32_t sg_codec_most_level(sg_codec_kind kind)
{
    return KINDS[kind].most_level;
}

int32_t sg_codec_level(sg_codec_kind kind, int32_t level)
{
    return level > 0 ? level : KINDS[kind].usual_level;
}

sg_err sg_codec_open(sg_codec **out, sg_codec_kind kind, int32_t level)
{
    sg_codec *codec = NULL;
    *out = NULL;
    sg_err err = sg_calloc(1, sizeof *codec, &codec);
    if (err != SG_OK)
        return err;
    codec->kind = kind;
    codec->level = sg_codec_level(kind, level);
    if (kind == SG_CODEC_LZW)
        err = sg_malloc(1, sizeof *codec->lzw, &codec->lzw);
    if (kind == SG_CODEC_ZSTD && !(codec->zstd = ZSTD_createCCtx()))
        err = sg_fail(SG_ENOMEM, "no memory left to compress with zstd");
    if (err == SG_OK)
        *out = codec;
    else
        sg_codec_close(codec);
    return err;
}

size_t sg_codec_bound(const sg_codec *codec, size_t bytes)
{
    switch (codec->kind) {
    case SG_CODEC_DEFLATE:
        return sg_deflate_bound(bytes);
    case SG_CODEC_ZSTD:
        return ZSTD_compressBound(bytes);
    case SG_CODEC_LZW:
        return sg_lzw_bound(bytes);
    default:
        return bytes;
    }
}

static sg_err pack_zstd(sg_codec *codec, const void *in, size_t bytes, void *out, size_t *out_bytes)
{
    size_t got =
        ZSTD_compressCCtx(codec->zstd, out, ZSTD_compressBound(bytes), in, bytes, codec->level);
    if (ZSTD_isError(got))
        return sg_fail(SG_ENOMEM, "compressing %zu bytes with zstd at level %d failed: %s", bytes,
                       (int)codec->level, ZSTD_getErrorName(got));
    *out_bytes = got;
    return SG_OK;
}

sg_err sg_codec_pack(sg_codec *codec, const void *in, size_t bytes, void *out, size_t *out_bytes)
{
    *out_bytes = sg_codec_bound(codec, bytes);
    switch (codec->kind) {
    case SG_CODEC_DEFLATE:
        return sg_deflate(in, bytes, codec->level, out, out_bytes);
    case SG_CODEC_ZSTD:
        return pack_zstd(codec, in, bytes, out, out_bytes);
    case SG_CODEC_LZW:
        *out_bytes = sg_lzw_encode(codec->lzw, in, bytes, out);
        return SG_OK;
    default:
        memcpy(out, in, bytes);
        return SG_OK;
    }
}

void sg_codec_close(sg_codec *codec)
{
    if (!codec)
        return;
    ZSTD_freeCCtx(codec->zstd);
    sg_free(codec->lzw);
    sg_free(codec);
}
