#include "tiles/mask.h"

#include <string.h>
#include "base/size.h"
#include "data/compress.h"
#include "tiles/assemble.h"
#include "tiles/parts.h"

enum { DEFLATE_LEVEL = 6 };

struct sg_mask {
    sg_comm *comm; /* borrowed */
    sg_mask_options options;
    sg_parts *parts;
    int64_t across, down; /* blocks */
    size_t pixel_bytes, block_bytes;
    uint8_t *block;  /* (block, block, bands), as it goes into the file */
    uint8_t *packed; /* the same, compressed */
};

static sg_err make_buffers(sg_mask *mask)
{
    const sg_geotiff_options *raster = &mask->options.raster;
    size_t side = (size_t)raster->block;
    mask->across = sg_div_up(raster->width, raster->block);
    mask->down = sg_div_up(raster->height, raster->block);
    mask->pixel_bytes = (size_t)raster->bands * (raster->is_float ? sizeof(float) : 1);
    sg_err err = sg_size_mul3(side, side, mask->pixel_bytes, &mask->block_bytes);
    if (err == SG_OK)
        err = sg_malloc(mask->block_bytes, 1, &mask->block);
    if (err == SG_OK)
        err = sg_malloc(sg_deflate_bound(mask->block_bytes), 1, &mask->packed);
    return err;
}

sg_err sg_mask_create(sg_mask **out, sg_comm *comm, const sg_mask_options *options)
{
    sg_mask *mask = NULL;
    sg_err err = sg_calloc(1, sizeof *mask, &mask);
    if (err == SG_OK) {
        mask->comm = comm;
        mask->options = *options;
        err = make_buffers(mask);
    }
    err = sg_comm_agree(comm, err);
    if (err == SG_OK) {
        const sg_parts_options parts = {.output = options->path,
                                        .journal = options->journal,
                                        .blocks = mask->across * mask->down,
                                        .restart = options->restart};
        err = sg_parts_open(&mask->parts, comm, &parts);
    }
    if (err != SG_OK) {
        sg_mask_close(mask);
        mask = NULL;
    }
    *out = mask;
    return err;
}

/* Fill the block with nodata, for what lies beyond the scene. */
static void blank_block(sg_mask *mask)
{
    const sg_geotiff_options *options = &mask->options.raster;
    double value = options->has_nodata ? options->nodata : 0;
    if (!options->is_float) {
        memset(mask->block, (int)value, mask->block_bytes);
        return;
    }
    float *pixel = (float *)mask->block;
    for (size_t i = 0; i < mask->block_bytes / sizeof(float); i++)
        pixel[i] = (float)value;
}

/* part: the block's pixels inside core; pixels begin at core's origin. */
static void cut_block(sg_mask *mask, sg_window core, sg_window part, const uint8_t *pixels)
{
    int64_t side = mask->options.raster.block;
    if (part.w < side || part.h < side)
        blank_block(mask);
    for (int64_t row = 0; row < part.h; row++) {
        const uint8_t *from =
            pixels +
            (size_t)((part.y - core.y + row) * core.w + part.x - core.x) * mask->pixel_bytes;
        memcpy(mask->block + (size_t)(row * side) * mask->pixel_bytes, from,
               (size_t)part.w * mask->pixel_bytes);
    }
}

static sg_err put_block(sg_mask *mask, int64_t number)
{
    size_t bytes = sg_deflate_bound(mask->block_bytes);
    sg_err err = sg_deflate(mask->block, mask->block_bytes, DEFLATE_LEVEL, mask->packed, &bytes);
    return err == SG_OK ? sg_parts_add(mask->parts, number, mask->packed, bytes) : err;
}

bool sg_mask_has(const sg_mask *mask, sg_window core)
{
    int64_t side = mask->options.raster.block;
    for (int64_t y = core.y / side; y * side < core.y + core.h; y++)
        for (int64_t x = core.x / side; x * side < core.x + core.w; x++)
            if (!sg_parts_has(mask->parts, y * mask->across + x))
                return false;
    return true;
}

sg_err sg_mask_put(sg_mask *mask, sg_window core, const void *pixels)
{
    int64_t side = mask->options.raster.block;
    sg_err err = SG_OK;
    SG_ASSERT(core.x % side == 0 && core.y % side == 0);
    for (int64_t y = core.y; err == SG_OK && y < core.y + core.h; y += side)
        for (int64_t x = core.x; err == SG_OK && x < core.x + core.w; x += side) {
            sg_window part = sg_window_intersect((sg_window){x, y, side, side}, core);
            int64_t number = y / side * mask->across + x / side;
            if (sg_parts_has(mask->parts, number))
                continue;
            cut_block(mask, core, part, pixels);
            err = put_block(mask, number);
        }
    return err;
}

sg_err sg_mask_sync(sg_mask *mask)
{
    return sg_parts_sync(mask->parts);
}

/* "FOLDER/STEM.qml": where QGIS looks for the style of FOLDER/STEM.tif. */
static sg_err style_path(const char *mask, char *path)
{
    char stem[SG_PATH_MAX];
    sg_err err = sg_path_stem(stem, mask);
    int folder = (int)(sg_path_base(mask) - mask);
    return err == SG_OK ? sg_path_format(path, "%.*s%s.qml", folder, mask, stem) : err;
}

/* Rank 0: all spools into one file, which then gets the final name, and its style. */
static sg_err assemble(sg_mask *mask)
{
    char raster[SG_PATH_MAX], style[SG_PATH_MAX], beside[SG_PATH_MAX];
    sg_spool *const *spool = NULL;
    int spools = 0;
    sg_err err = sg_parts_spools(mask->parts, &spool, &spools);
    if (err == SG_OK)
        err = sg_parts_path(mask->parts, "assembled.tif", raster);
    if (err == SG_OK)
        err = sg_parts_path(mask->parts, "assembled.qml", style);
    if (err == SG_OK)
        err = style_path(mask->options.path, beside);
    if (err == SG_OK)
        err = sg_assemble(raster, &mask->options.raster, spool, spools);
    if (err == SG_OK && mask->options.style)
        err = sg_file_write_text(style, mask->options.style);
    if (err == SG_OK)
        err = sg_geotiff_commit(raster, mask->options.path);
    if (err == SG_OK && mask->options.style)
        err = sg_file_commit(style, beside);
    return err;
}

sg_err sg_mask_commit(sg_mask *mask, sg_err mine)
{
    sg_err err = sg_parts_finish(mask->parts, mine);
    if (err == SG_OK)
        err = sg_comm_agree(mask->comm, sg_comm_rank(mask->comm) == 0 ? assemble(mask) : SG_OK);
    return err;
}

void sg_mask_forget(sg_mask *mask)
{
    if (sg_comm_rank(mask->comm) == 0)
        sg_parts_remove(mask->parts);
}

void sg_mask_close(sg_mask *mask)
{
    if (!mask)
        return;
    sg_parts_close(mask->parts);
    sg_free(mask->block);
    sg_free(mask->packed);
    sg_free(mask);
}
