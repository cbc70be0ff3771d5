/*
 * How output files are stored, as GDAL's drivers COG and GTiff take it: -of DRIVER, -co KEY=VALUE.
 * Keys and values are those of both drivers, in any case of letters; what is not known here is an
 * error that names what is. [local]
 */
#ifndef SG_TILES_FORMAT_H
#define SG_TILES_FORMAT_H

#include "base/text.h"
#include "data/packing.h"
#include "tiles/cog.h"

typedef struct {
    sg_packing packing;
    sg_tiff_layout layout;
    int32_t block; /* pixels; a power of two */
    bool overviews;
} sg_format;

#define SG_FORMAT_DRIVERS "COG GTiff"
#define SG_FORMAT_KEYS                                                                             \
    "COMPRESS LEVEL ZLEVEL ZSTD_LEVEL PREDICTOR BLOCKSIZE BLOCKXSIZE BLOCKYSIZE TILED BIGTIFF "    \
    "OVERVIEWS SPARSE_OK"

/* A COG with deflate, blocks of 256 pixels and overviews. */
sg_format sg_format_default(void);
/* driver: NULL or "" stands for COG. option: [count] of "KEY=VALUE". SG_EUSAGE. */
sg_err sg_format_parse(sg_format *format, const char *driver, const char *const *option, int count);
/* A line for a journal: all that blocks on their way into the file depend on. */
sg_err sg_format_describe(const sg_format *format, sg_text *text);

#endif
