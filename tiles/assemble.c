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
static sg_err create_file(const sg_assembly *a, sg_cog *cog, sg_cog_blocks *blocks)
{
    char skeleton[SG_PATH_MAX];
    sg_tiff_tags tags = {0};
    sg_geotiff_options small = *a->raster;
    small.width = sg_min64(a->raster->width, a->raster->block);
    small.height = sg_min64(a->raster->height, a->raster->block);
    sg_err err = check_complete(cog->pyramid, a->parts);
    if (err == SG_OK)
        err = sg_parts_path(a->parts, "skeleton.tif", skeleton);
    if (err == SG_OK)
        err = sg_geotiff_create(skeleton, &small);
    if (err == SG_OK)
        err = sg_tiff_tags_read(&tags, skeleton);
    if (err == SG_OK)
        err = say_packing(&tags, a->raster);
    cog->tags = &tags;
    if (err == SG_OK)
        err = sg_cog_create(cog, blocks);
    if (err == SG_OK)
        err = move_aux(skeleton, cog->path);
    cog->tags = NULL;
    sg_tiff_tags_clear(&tags);
    return err;
}

/* Rank 0 makes the file, and all fill it. */
static sg_err write_file(const sg_assembly *a, const char *path, const sg_tiff_layout *layout,
                         const sg_pyramid *pyramid)
{
    int rank = sg_comm_rank(a->comm);
    sg_cog_blocks blocks = {0};
    sg_cog cog = {.path = path,
                  .layout = *layout,
                  .raw_bytes = raw_bytes(a->raster, pyramid),
                  .pyramid = pyramid,
                  .bytes = block_bytes,
                  .read = read_block,
                  .user = a->parts};
    sg_err err = sg_comm_agree(a->comm, rank == 0 ? create_file(a, &cog, &blocks) : SG_OK);
    if (err != SG_OK)
        return err;
    sg_comm_broadcast(a->comm, &blocks, sizeof blocks, 0);
    return sg_comm_agree(a->comm, sg_cog_put(&cog, &blocks, rank, sg_comm_ranks(a->comm)));
}

sg_err sg_assemble(const sg_assembly *a, const char *path, const sg_tiff_layout *layout)
{
    sg_err err = sg_compose(a->comm, a->parts, a->records, a->raster);
    return err == SG_OK ? write_file(a, path, layout, &a->records->pyramid) : err;
}

sg_err sg_assemble_plain(const sg_assembly *a, const char *path)
{
    const sg_geotiff_options *raster = a->raster;
    const sg_tiff_layout layout = {0};
    sg_pyramid plain;
    sg_pyramid_make(&plain, raster->width, raster->height, raster->block, false);
    SG_ASSERT(a->records->pyramid.level[0].first == 0 &&
              plain.blocks <= a->records->pyramid.blocks);
    return write_file(a, path, &layout, &plain); /* the first records are its blocks */
}
