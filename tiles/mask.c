#include "tiles/mask.h"

#include "base/size.h"
#include "data/rows.h"
#include "data/sieve.h"
#include "tiles/assemble.h"
#include "tiles/blocks.h"
#include "tiles/parts.h"

struct sg_mask {
    sg_comm *comm; /* borrowed */
    sg_mask_options options;
    sg_records records;
    sg_parts *parts;
    /* Where records go: to this rank's spool, or, after the sieve, to what is derived of all. */
    sg_err (*add)(sg_parts *parts, int64_t record, const void *data, size_t bytes);
    sg_blocks blocks;
    void *reduced; /* a chunk's pixels in one overview */
};

static sg_reduction reduction_of(const sg_mask *mask)
{
    const sg_geotiff_options *raster = &mask->options.raster;
    return (sg_reduction){raster->bands, raster->is_float, raster->nodata, raster->scale > 0};
}

/* What is not compressed is known to be too large before anything is done. */
static sg_err check_size(const sg_mask *mask)
{
    const sg_packing *packing = &mask->options.raster.packing;
    double bytes = (double)mask->records.pyramid.blocks * (double)mask->blocks.block_bytes;
    if (mask->options.layout.big != SG_BIG_NO || packing->codec != SG_CODEC_NONE ||
        packing->sparse || bytes <= (double)UINT32_MAX)
        return SG_OK;
    return sg_fail(SG_EUSAGE,
                   "%s: %.0f bytes do not fit into a TIFF without BIGTIFF: compress it, or leave "
                   "-co BIGTIFF=NO out",
                   mask->options.path, bytes);
}

static sg_err prepare(sg_mask *mask)
{
    const sg_geotiff_options *raster = &mask->options.raster;
    sg_pyramid pyramid;
    size_t pixels;
    sg_pyramid_make(&pyramid, raster->width, raster->height, raster->block,
                    mask->options.overviews);
    sg_records_make(&mask->records, &pyramid, mask->options.chunk_w, mask->options.chunk_h);
    sg_err err = sg_blocks_open(&mask->blocks, raster);
    if (err == SG_OK)
        err = check_size(mask);
    if (err == SG_OK)
        err = sg_size_mul((size_t)sg_div_up(mask->options.chunk_w, 2),
                          (size_t)sg_div_up(mask->options.chunk_h, 2), &pixels);
    if (err == SG_OK && mask->options.overviews)
        err = sg_malloc(pixels, mask->blocks.pixel_bytes, &mask->reduced);
    return err;
}

sg_err sg_mask_create(sg_mask **out, sg_comm *comm, const sg_mask_options *options)
{
    sg_mask *mask = NULL;
    sg_err err = sg_calloc(1, sizeof *mask, &mask);
    if (err == SG_OK) {
        mask->comm = comm;
        mask->options = *options;
        mask->add = sg_parts_add;
        err = prepare(mask);
    }
    err = sg_comm_agree(comm, err);
    if (err == SG_OK) {
        const sg_parts_options parts = {.output = options->path,
                                        .journal = options->journal,
                                        .records = sg_records_count(&mask->records),
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

bool sg_mask_has(const sg_mask *mask, int64_t chunk)
{
    return sg_parts_has(mask->parts, sg_records_done(&mask->records, chunk));
}

/* The blocks of a level that lie in the window, whose pixels are given. */
static sg_err put_blocks(sg_mask *mask, int32_t level, sg_window window, const void *pixels)
{
    sg_blocks *b = &mask->blocks;
    sg_err err = SG_OK;
    SG_ASSERT(window.x % b->side == 0 && window.y % b->side == 0);
    for (int64_t y = 0; err == SG_OK && y < window.h; y += b->side)
        for (int64_t x = 0; err == SG_OK && x < window.w; x += b->side) {
            const char *first = (const char *)pixels + (size_t)(y * window.w + x) * b->pixel_bytes;
            int64_t number = sg_records_block(&mask->records, level, (window.x + x) / b->side,
                                              (window.y + y) / b->side);
            err = sg_blocks_pack(b, first, window.w, sg_min64(b->side, window.w - x),
                                 sg_min64(b->side, window.h - y));
            if (err == SG_OK)
                err = mask->add(mask->parts, number, b->packed, b->packed_bytes);
        }
    return err;
}

static sg_err put_piece(sg_mask *mask, int32_t level, int64_t chunk, sg_window window,
                        const void *pixels)
{
    sg_blocks *b = &mask->blocks;
    sg_err err = sg_blocks_pack_piece(b, pixels, (size_t)(window.w * window.h) * b->pixel_bytes);
    int64_t number = sg_records_piece(&mask->records, level, chunk);
    return err == SG_OK ? mask->add(mask->parts, number, b->piece, b->piece_bytes) : err;
}

static sg_err put_overviews(sg_mask *mask, int64_t chunk, const void *pixels)
{
    const sg_records *r = &mask->records;
    sg_reduction how = reduction_of(mask);
    sg_window whole = sg_records_window(r, 0, chunk);
    bool blank = sg_blocks_are_blank(&mask->blocks, pixels, (size_t)(whole.w * whole.h));
    sg_err err = SG_OK;
    for (int32_t k = 1; err == SG_OK && k <= sg_pyramid_direct(&r->pyramid); k++) {
        sg_window window = sg_records_window(r, k, chunk);
        if (blank) /* and so is every overview */
            sg_blocks_blank(&mask->blocks, mask->reduced, (size_t)(window.w * window.h));
        else
            sg_reduce(&how, k, pixels, whole.w, whole.h, mask->reduced);
        err = sg_records_whole(r, k) ? put_blocks(mask, k, window, mask->reduced)
                                     : put_piece(mask, k, chunk, window, mask->reduced);
    }
    return err;
}

static sg_err put_levels(sg_mask *mask, int64_t chunk, const void *pixels)
{
    sg_err err = put_blocks(mask, 0, sg_records_window(&mask->records, 0, chunk), pixels);
    return err == SG_OK ? put_overviews(mask, chunk, pixels) : err;
}

sg_err sg_mask_put(sg_mask *mask, int64_t chunk, const void *pixels)
{
    sg_err err = put_levels(mask, chunk, pixels);
    if (err == SG_OK)
        err = sg_parts_add(mask->parts, sg_records_done(&mask->records, chunk), NULL, 0);
    return err == SG_OK ? sg_parts_sync(mask->parts) : err;
}

int64_t sg_mask_written(const sg_mask *mask)
{
    return sg_parts_written(mask->parts);
}

/* "FOLDER/STEM.qml": where QGIS looks for the style of FOLDER/STEM.tif. */
static sg_err style_path(const char *mask, char *path)
{
    char trunk[SG_PATH_MAX];
    sg_err err = sg_path_trunk(trunk, mask);
    return err == SG_OK ? sg_path_format(path, "%s.qml", trunk) : err;
}

/* All records once more, of the sieved pixels at path: of this rank's share of the chunks. */
static sg_err derive_levels(sg_mask *mask, const char *path)
{
    const sg_records *r = &mask->records;
    int64_t chunks = sg_records_chunks(r), rank = sg_comm_rank(mask->comm),
            ranks = sg_comm_ranks(mask->comm);
    uint8_t *pixels = NULL;
    sg_rows *sieved = NULL;
    sg_err err = sg_malloc((size_t)r->chunk_w, (size_t)r->chunk_h, &pixels);
    if (err == SG_OK)
        err = sg_rows_open(&sieved, path, false);
    mask->add = sg_parts_derive;
    for (int64_t i = chunks * rank / ranks; err == SG_OK && i < chunks * (rank + 1) / ranks; i++) {
        err = sg_rows_window(sieved, sg_records_window(r, 0, i), pixels);
        if (err == SG_OK)
            err = put_levels(mask, i, pixels);
    }
    sg_rows_close(sieved);
    sg_free(pixels);
    return err;
}

/* The sieve itself is rank 0's. [collective] */
static sg_err sieve(sg_mask *mask, const sg_assembly *assembly)
{
    const sg_mask_options *o = &mask->options;
    const bool first = sg_comm_rank(mask->comm) == 0;
    char whole[SG_PATH_MAX], sieved[SG_PATH_MAX];
    sg_err err = sg_parts_path(mask->parts, "whole.tif", whole);
    if (err == SG_OK)
        err = sg_parts_path(mask->parts, "sieved.tif", sieved);
    if (err == SG_OK) /* so far the same on all ranks */
        err = sg_assemble_plain(assembly, whole);
    if (err == SG_OK && first)
        err = sg_sieve(whole, sieved, o->sieve, o->connected);
    if (first)
        sg_geotiff_discard(whole);
    err = sg_comm_agree(mask->comm, err);
    if (err == SG_OK)
        err = sg_parts_share(mask->parts, derive_levels(mask, sieved));
    if (first)
        sg_geotiff_discard(sieved);
    return err;
}

/* Rank 0: the file gets the final name, and its style. */
static sg_err give_names(const sg_mask *mask, const char *raster)
{
    char style[SG_PATH_MAX], beside[SG_PATH_MAX];
    sg_err err = sg_parts_path(mask->parts, "assembled.qml", style);
    if (err == SG_OK)
        err = style_path(mask->options.path, beside);
    if (err == SG_OK && mask->options.style)
        err = sg_file_write_text(style, mask->options.style);
    if (err == SG_OK)
        err = sg_geotiff_commit(raster, mask->options.path);
    if (err == SG_OK && mask->options.style)
        err = sg_file_commit(style, beside);
    return err;
}

/* All spools into one file. [collective] */
static sg_err assemble(sg_mask *mask)
{
    const sg_assembly assembly = {mask->comm, &mask->options.raster, &mask->records, mask->parts};
    char raster[SG_PATH_MAX];
    sg_err err = sg_parts_path(mask->parts, "assembled.tif", raster); /* the same on all ranks */
    if (err == SG_OK && mask->options.sieve > 0)
        err = sieve(mask, &assembly);
    if (err == SG_OK)
        err = sg_assemble(&assembly, raster, &mask->options.layout);
    sg_parts_rest(mask->parts);
    if (err == SG_OK && sg_comm_rank(mask->comm) == 0)
        err = give_names(mask, raster);
    return sg_comm_agree(mask->comm, err);
}

sg_err sg_mask_commit(sg_mask *mask, sg_err mine)
{
    sg_err err = sg_parts_finish(mask->parts, mine);
    return err == SG_OK ? assemble(mask) : err;
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
    sg_blocks_close(&mask->blocks);
    sg_free(mask->reduced);
    sg_free(mask);
}
