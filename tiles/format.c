#include "tiles/format.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BLOCK = 256, BLOCK_LEAST = 16, BLOCK_MOST = 4096 };

/* The keys, in the order of SG_FORMAT_KEYS. */
enum {
    COMPRESS,
    LEVEL,
    ZLEVEL,
    ZSTD_LEVEL,
    PREDICTOR,
    BLOCKSIZE,
    BLOCKXSIZE,
    BLOCKYSIZE,
    TILED,
    BIGTIFF,
    OVERVIEWS,
    SPARSE_OK
};

/* What was given, before it is known to fit together. */
typedef struct {
    const char *predictor; /* the values as typed, NULL: not given */
    const char *level, *zlevel, *zstd_level;
    int32_t block, block_x, block_y; /* 0: not given */
} wishes;

sg_format sg_format_default(void)
{
    sg_format format = {.block = BLOCK, .overviews = true};
    format.packing.level = sg_codec_level(format.packing.codec, 0);
    return format;
}

/* The place of text in a list of words, case aside, or -1. */
static int place(const char *text, size_t length, const char *words)
{
    for (int i = 0; *words; i++) {
        size_t word = strcspn(words, " ");
        if (word == length && strncasecmp(words, text, length) == 0)
            return i;
        words += word;
        words += strspn(words, " ");
    }
    return -1;
}

static sg_err choose(const char *option, const char *value, const char *words, int *chosen)
{
    *chosen = place(value, strlen(value), words);
    return *chosen >= 0 ? SG_OK : sg_fail(SG_EUSAGE, "-co %s: expected one of: %s", option, words);
}

static bool is_whole(const char *value, long least, long most, long *number)
{
    char *end = NULL;
    *number = strtol(value, &end, 10);
    return end != value && *end == '\0' && *number >= least && *number <= most;
}

static sg_err take_block(const char *option, const char *value, int32_t *block)
{
    long side;
    if (!is_whole(value, BLOCK_LEAST, BLOCK_MOST, &side) || (side & (side - 1)) != 0)
        return sg_fail(SG_EUSAGE, "-co %s: expected a power of two from %d to %d", option,
                       BLOCK_LEAST, BLOCK_MOST);
    *block = (int32_t)side;
    return SG_OK;
}

/* One option, whose key is known. */
static sg_err take(sg_format *format, wishes *w, const char *option, int key, const char *value)
{
    static const sg_codec_kind codecs[] = {SG_CODEC_NONE, SG_CODEC_LZW, SG_CODEC_DEFLATE,
                                           SG_CODEC_ZSTD};
    static const sg_big_tiff bigs[] = {SG_BIG_YES, SG_BIG_NO, SG_BIG_IF_NEEDED, SG_BIG_IF_SAFER};
    int chosen = 0;
    sg_err err = SG_OK;
    switch (key) {
    case COMPRESS:
        err = choose(option, value, "NONE LZW DEFLATE ZSTD", &chosen);
        format->packing.codec = err == SG_OK ? codecs[chosen] : SG_CODEC_NONE;
        return err;
    case LEVEL:
        w->level = value;
        return SG_OK;
    case ZLEVEL:
        w->zlevel = value;
        return SG_OK;
    case ZSTD_LEVEL:
        w->zstd_level = value;
        return SG_OK;
    case PREDICTOR:
        w->predictor = value;
        return SG_OK;
    case BLOCKSIZE:
        return take_block(option, value, &w->block);
    case BLOCKXSIZE:
        return take_block(option, value, &w->block_x);
    case BLOCKYSIZE:
        return take_block(option, value, &w->block_y);
    case TILED:
        return choose(option, value, "YES TRUE", &chosen);
    case BIGTIFF:
        err = choose(option, value, "YES NO IF_NEEDED IF_SAFER", &chosen);
        format->layout.big = err == SG_OK ? bigs[chosen] : SG_BIG_IF_NEEDED;
        return err;
    case OVERVIEWS:
        err = choose(option, value, "AUTO NONE", &chosen);
        format->overviews = chosen == 0;
        return err;
    case SPARSE_OK:
        err = choose(option, value, "TRUE FALSE YES NO", &chosen);
        format->packing.sparse = chosen % 2 == 0;
        return err;
    default:
        return SG_OK;
    }
}

static sg_err take_option(sg_format *format, wishes *w, const char *option)
{
    size_t length = strcspn(option, "=");
    int key = place(option, length, SG_FORMAT_KEYS);
    if (option[length] != '=')
        return sg_fail(SG_EUSAGE, "-co %s: expected KEY=VALUE", option);
    if (key < 0)
        return sg_fail(SG_EUSAGE, "-co %s: expected one of: %s", option, SG_FORMAT_KEYS);
    return take(format, w, option, key, option + length + 1);
}

static sg_err take_level(sg_packing *packing, const char *key, const char *value, int32_t most)
{
    long level;
    if (!value)
        return SG_OK;
    if (most == 0)
        return sg_fail(SG_EUSAGE, "-co %s=%s does not go with COMPRESS=%s", key, value,
                       sg_codec_name(packing->codec));
    if (!is_whole(value, 1, most, &level))
        return sg_fail(SG_EUSAGE,
                       "-co %s=%s: expected a whole number from 1 to %d with COMPRESS=%s", key,
                       value, (int)most, sg_codec_name(packing->codec));
    packing->level = (int32_t)level;
    return SG_OK;
}

static sg_err take_levels(sg_packing *packing, const wishes *w)
{
    int32_t most = sg_codec_most_level(packing->codec);
    packing->level = 0;
    sg_err err = take_level(packing, "LEVEL", w->level, most);
    if (err == SG_OK)
        err =
            take_level(packing, "ZLEVEL", w->zlevel, packing->codec == SG_CODEC_DEFLATE ? most : 0);
    if (err == SG_OK)
        err = take_level(packing, "ZSTD_LEVEL", w->zstd_level,
                         packing->codec == SG_CODEC_ZSTD ? most : 0);
    packing->level = sg_codec_level(packing->codec, packing->level);
    return err;
}

static sg_err take_predictor(sg_packing *packing, const char *value)
{
    static const sg_predictor_wish wish[] = {
        SG_PREDICT_NOTHING, SG_PREDICT_SUITED,   SG_PREDICT_STANDARD, SG_PREDICT_FLOATS,
        SG_PREDICT_NOTHING, SG_PREDICT_STANDARD, SG_PREDICT_FLOATS};
    const char *words = "NO YES STANDARD FLOATING_POINT 1 2 3";
    if (!value)
        return SG_OK;
    int chosen = place(value, strlen(value), words);
    if (chosen < 0)
        return sg_fail(SG_EUSAGE, "-co PREDICTOR=%s: expected one of: %s", value, words);
    packing->predictor = wish[chosen];
    if (packing->codec == SG_CODEC_NONE && packing->predictor != SG_PREDICT_NOTHING)
        return sg_fail(SG_EUSAGE, "-co PREDICTOR=%s does not go with COMPRESS=NONE", value);
    return SG_OK;
}

static sg_err take_blocks(sg_format *format, const wishes *w)
{
    if (w->block_x != w->block_y)
        return sg_fail(SG_EUSAGE,
                       "blocks are square: give -co BLOCKXSIZE=N and BLOCKYSIZE=N the same N");
    if (w->block && w->block_x && w->block != w->block_x)
        return sg_fail(SG_EUSAGE, "-co BLOCKSIZE=%d and BLOCKXSIZE=%d exclude each other",
                       (int)w->block, (int)w->block_x);
    format->block = w->block ? w->block : w->block_x ? w->block_x : format->block;
    return SG_OK;
}

sg_err sg_format_parse(sg_format *format, const char *driver, const char *const *option, int count)
{
    wishes w = {0};
    int chosen = driver && *driver ? place(driver, strlen(driver), SG_FORMAT_DRIVERS) : 0;
    *format = sg_format_default();
    if (chosen < 0)
        return sg_fail(SG_EUSAGE, "-of %s: expected one of: %s", driver, SG_FORMAT_DRIVERS);
    format->layout.plain = chosen == 1;
    format->overviews = chosen == 0;
    sg_err err = SG_OK;
    for (int i = 0; err == SG_OK && i < count; i++)
        err = take_option(format, &w, option[i]);
    if (err == SG_OK)
        err = take_levels(&format->packing, &w);
    if (err == SG_OK)
        err = take_predictor(&format->packing, w.predictor);
    return err == SG_OK ? take_blocks(format, &w) : err;
}

sg_err sg_format_describe(const sg_format *format, sg_text *text)
{
    const sg_packing *p = &format->packing;
    return sg_text_add(text, "stored as %s, level %d, predictors %d and %d, blocks of %d%s%s\n",
                       sg_codec_name(p->codec), (int)p->level, (int)sg_packing_predictor(p, false),
                       (int)sg_packing_predictor(p, true), (int)format->block,
                       format->overviews ? ", overviews" : "",
                       p->sparse ? ", without blocks that have no data" : "");
}
