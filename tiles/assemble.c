#include "tiles/assemble.h"

#include <inttypes.h>
#include "base/size.h"
#include "tiles/cog.h"
#include "tiles/compose.h"

static int64_t block_bytes(void *user, int64_t block)
{
    return sg_parts_bytes(user, block);
}

static sg_err read_block(void *user, int64_t block, void *data)
{
    return sg_parts_read(user, block, data);
}

static sg_err check_complete(const sg_pyramid *pyramid, const sg_parts *parts)
{
    for (int64_t i = 0; i < pyramid->blocks; i++)
        if (sg_parts_bytes(parts, i) < 0)
            return sg_fail(SG_EINTERNAL, "block %" PRId64 " of %" PRId64 " was never written", i,
                           pyramid->blocks);
    return SG_OK;
}

/* What GDAL has put beside its file. */
static sg_err move_aux(const char *skeleton, const char *path)
{
    char from[SG_PATH_MAX], to[SG_PATH_MAX];
    sg_err err = sg_path_format(from, "%s.aux.xml", skeleton);
    if (err == SG_OK)
        err = sg_path_format(to, "%s.aux.xml", path);
    return err == SG_OK && sg_file_exists(from) ? sg_file_commit(from, to) : err;
}

/* What the blocks are compressed by, in the place of what the skeleton says. */
static sg_err say_packing(sg_tiff_tags *tags, const sg_geotiff_options *raster)
{
    uint16_t codec = sg_codec_tag(raster->packing.codec);
    uint16_t predictor = (uint16_t)sg_packing_predictor(&raster->packing, raster->is_float);
    if (raster->packing.codec == SG_CODEC_NONE)
        sg_tiff_tags_remove(tags, SG_TIFF_PREDICTOR);
    else if (sg_tiff_tags_set(tags, SG_TIFF_PREDICTOR, SG_TIFF_SHORT, 1, &predictor) != SG_OK)
        return SG_ENOMEM;
    return sg_tiff_tags_set(tags, SG_TIFF_COMPRESSION, SG_TIFF_SHORT, 1, &codec);
}

static uint64_t raw_bytes(const sg_geotiff_options *raster, const sg_pyramid *pyramid)
{
    size_t pixel = (size_t)raster->bands * (raster->is_float ? sizeof(float) : 1);
    return (uint64_t)(pyramid->blocks * pyramid->block * pyramid->block) * pixel;
}

/* GDAL makes a file of one block, without pixels: all that it says of the raster goes into ours,
 * and no tables of blocks are made twice. */
static sg_err write_file(const char *path, const sg_geotiff_options *raster,
                         const sg_tiff_layout *layout, const sg_pyramid *pyramid, sg_parts *parts)
{
    char skeleton[SG_PATH_MAX];
    sg_tiff_tags tags = {0};
    sg_geotiff_options small = *raster;
    small.width = sg_min64(raster->width, raster->block);
    small.height = sg_min64(raster->height, raster->block);
    sg_err err = check_complete(pyramid, parts);
    if (err == SG_OK)
        err = sg_parts_path(parts, "skeleton.tif", skeleton);
    if (err == SG_OK)
        err = sg_geotiff_create(skeleton, &small);
    if (err == SG_OK)
        err = sg_tiff_tags_read(&tags, skeleton);
    if (err == SG_OK)
        err = say_packing(&tags, raster);
    const sg_cog cog = {.path = path,
                        .layout = *layout,
                        .raw_bytes = raw_bytes(raster, pyramid),
                        .tags = &tags,
                        .pyramid = pyramid,
                        .bytes = block_bytes,
                        .read = read_block,
                        .user = parts};
    if (err == SG_OK)
        err = sg_cog_write(&cog);
    if (err == SG_OK)
        err = move_aux(skeleton, path);
    sg_tiff_tags_clear(&tags);
    return err;
}

sg_err sg_assemble(const char *path, const sg_geotiff_options *raster, const sg_tiff_layout *layout,
                   const sg_records *records, sg_parts *parts)
{
    sg_err err = sg_compose(parts, records, raster);
    return err == SG_OK ? write_file(path, raster, layout, &records->pyramid, parts) : err;
}

sg_err sg_assemble_plain(const char *path, const sg_geotiff_options *raster,
                         const sg_records *records, sg_parts *parts)
{
    const sg_tiff_layout layout = {0};
    sg_pyramid plain;
    sg_pyramid_make(&plain, raster->width, raster->height, raster->block, false);
    SG_ASSERT(records->pyramid.level[0].first == 0 && plain.blocks <= records->pyramid.blocks);
    return write_file(path, raster, &layout, &plain, parts); /* the first records are its blocks */
}
