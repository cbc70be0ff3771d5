#include "tiles/mask.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "base/size.h"
#include "data/compress.h"
#include "tiles/assemble.h"

enum { DEFLATE_LEVEL = 6 };

struct sg_mask {
    sg_comm *comm; /* borrowed */
    sg_geotiff_options options;
    char path[SG_PATH_MAX];      /* the final name */
    char temporary[SG_PATH_MAX]; /* rank 0 only */
    char folder[SG_PATH_MAX];    /* of the spools */
    char spool_path[SG_PATH_MAX];
    sg_spool *spool;
    size_t pixel_bytes, block_bytes;
    uint8_t *block;  /* (block, block, bands), as it goes into the file */
    uint8_t *packed; /* the same, compressed */
};

static sg_err spool_path(char *out, const char *folder, int rank)
{
    return sg_path_format(out, "%s/%d.spool", folder, rank);
}

/* What an interrupted run has left there. */
static void remove_old_spools(const char *folder)
{
    DIR *listing = opendir(folder);
    if (!listing)
        return;
    for (struct dirent *item; (item = readdir(listing));) {
        char path[SG_PATH_MAX];
        const char *end = strrchr(item->d_name, '.');
        if (end && strcmp(end, ".spool") == 0 &&
            sg_path_format(path, "%s/%s", folder, item->d_name) == SG_OK)
            unlink(path);
    }
    closedir(listing);
}

static sg_err make_names(sg_mask *mask, const char *path)
{
    sg_err err = sg_path_format(mask->path, "%s", path);
    if (err == SG_OK)
        err = sg_path_format(mask->folder, "%s.parts", path);
    if (err == SG_OK)
        err = spool_path(mask->spool_path, mask->folder, sg_comm_rank(mask->comm));
    if (err == SG_OK)
        err = sg_file_temporary(path, mask->temporary);
    return err;
}

static sg_err make_buffers(sg_mask *mask)
{
    const sg_geotiff_options *options = &mask->options;
    size_t side = (size_t)options->block;
    mask->pixel_bytes = (size_t)options->bands * (options->is_float ? sizeof(float) : 1);
    sg_err err = sg_size_mul3(side, side, mask->pixel_bytes, &mask->block_bytes);
    if (err == SG_OK)
        err = sg_malloc(mask->block_bytes, 1, &mask->block);
    if (err == SG_OK)
        err = sg_malloc(sg_deflate_bound(mask->block_bytes), 1, &mask->packed);
    return err;
}

static sg_err make_folder(const sg_mask *mask)
{
    sg_err err = sg_make_folders(mask->folder);
    if (err == SG_OK)
        remove_old_spools(mask->folder);
    return err;
}

sg_err sg_mask_create(sg_mask **out, sg_comm *comm, const char *path,
                      const sg_geotiff_options *options)
{
    sg_mask *mask = NULL;
    sg_err err = sg_calloc(1, sizeof *mask, &mask);
    if (err == SG_OK) {
        mask->comm = comm;
        mask->options = *options;
        err = make_names(mask, path);
    }
    if (err == SG_OK)
        err = make_buffers(mask);
    if (err == SG_OK && sg_comm_rank(comm) == 0)
        err = make_folder(mask);
    err = sg_comm_agree(comm, err);
    if (err == SG_OK)
        err = sg_spool_create(&mask->spool, mask->spool_path);
    err = sg_comm_agree(comm, err);
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
    const sg_geotiff_options *options = &mask->options;
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
    int64_t side = mask->options.block;
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
    return err == SG_OK ? sg_spool_add(mask->spool, number, mask->packed, bytes) : err;
}

sg_err sg_mask_put(sg_mask *mask, sg_window core, const void *pixels)
{
    int64_t side = mask->options.block, across = sg_div_up(mask->options.width, side);
    sg_err err = SG_OK;
    SG_ASSERT(core.x % side == 0 && core.y % side == 0);
    for (int64_t y = core.y; err == SG_OK && y < core.y + core.h; y += side)
        for (int64_t x = core.x; err == SG_OK && x < core.x + core.w; x += side) {
            sg_window part = sg_window_intersect((sg_window){x, y, side, side}, core);
            cut_block(mask, core, part, pixels);
            err = put_block(mask, y / side * across + x / side);
        }
    return err;
}

/* Rank 0: all spools into the temporary file, which then gets the final name. */
static sg_err assemble(sg_mask *mask)
{
    int ranks = sg_comm_ranks(mask->comm);
    char(*path)[SG_PATH_MAX] = NULL;
    sg_spool **spool = NULL;
    sg_err err = sg_calloc((size_t)ranks, sizeof *spool, &spool);
    if (err == SG_OK)
        err = sg_calloc((size_t)ranks, sizeof *path, &path);
    for (int i = 0; err == SG_OK && i < ranks; i++) {
        err = spool_path(path[i], mask->folder, i);
        if (err == SG_OK)
            err = sg_spool_open(&spool[i], path[i]);
    }
    if (err == SG_OK)
        err = sg_assemble(mask->temporary, &mask->options, spool, ranks);
    if (err == SG_OK)
        err = sg_geotiff_commit(mask->temporary, mask->path);
    for (int i = 0; spool && i < ranks; i++)
        sg_spool_close(spool[i]);
    sg_free(spool);
    sg_free(path);
    return err;
}

sg_err sg_mask_commit(sg_mask *mask, sg_err mine)
{
    sg_err err = mine == SG_OK ? sg_spool_finish(mask->spool) : mine;
    sg_spool_close(mask->spool); /* on a network file system others see it from now on */
    mask->spool = NULL;
    err = sg_comm_agree(mask->comm, err);
    if (err == SG_OK)
        err = sg_comm_agree(mask->comm, sg_comm_rank(mask->comm) == 0 ? assemble(mask) : SG_OK);
    return err;
}

/* The last rank to leave finds the folder empty and removes it. */
static void remove_temporaries(const sg_mask *mask)
{
    if (mask->spool_path[0])
        unlink(mask->spool_path);
    if (mask->folder[0])
        rmdir(mask->folder);
    if (mask->temporary[0] && sg_comm_rank(mask->comm) == 0)
        sg_geotiff_discard(mask->temporary);
}

void sg_mask_close(sg_mask *mask)
{
    if (!mask)
        return;
    sg_spool_close(mask->spool);
    remove_temporaries(mask);
    sg_free(mask->block);
    sg_free(mask->packed);
    sg_free(mask);
}
