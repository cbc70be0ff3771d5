#include "jobs/predict.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/hash.h"
#include "base/size.h"
#include "data/memory.h"

#define CHUNKS "chunks %" PRId64 " x %" PRId64 "\n"

/* Size and time of the scene's file; what GDAL opens need not be one. */
static sg_err add_file(const char *scene, sg_text *journal)
{
    struct stat info;
    char *whole = realpath(scene, NULL);
    sg_err err = sg_text_add(journal, "scene %s\n", whole ? whole : scene);
    free(whole);
    if (err == SG_OK && stat(scene, &info) == 0)
        err =
            sg_text_add(journal, "of %" PRId64 " bytes, changed at %" PRId64 ".%09ld\n",
                        (int64_t)info.st_size, (int64_t)info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
    return err;
}

typedef struct {
    sg_text *journal;
    uint64_t hash; /* of the texts in memory */
} sources;

static sg_err add_source(void *user, const char *path, const char *text)
{
    sources *s = user;
    if (!text)
        return add_file(path, s->journal);
    s->hash = sg_hash(s->hash, text, strlen(text));
    return SG_OK;
}

/* The scene's file; of one that was put together in memory, which files, and how. */
static sg_err add_scene(const char *scene, sg_text *journal)
{
    sources s = {journal, SG_HASH_START};
    sg_err err = sg_memory_sources(scene, add_source, &s);
    if (err == SG_OK && s.hash != SG_HASH_START)
        err = sg_text_add(journal, "put together as %016" PRIx64 "\n", s.hash);
    return err;
}

sg_err sg_predict_journal(const sg_network *network, const char *scene, const sg_raster_info *info,
                          const sg_predict_plan *plan, const sg_format *format, sg_text *journal)
{
    const sg_grid *grid = &plan->grid;
    sg_err err =
        sg_text_add(journal, "segtiles predict 1\nmodel %s\nprecision %s\ndevice %s (%s)\n",
                    network->checkpoint.identity, sg_dtype_name(network->type),
                    network->backend->name, network->backend->kind);
    if (err == SG_OK)
        err = add_scene(scene, journal);
    if (err == SG_OK)
        err = sg_text_add(journal, "pixels %" PRId64 " x %" PRId64 " of %.17g m\n", info->width,
                          info->height, info->gsd);
    if (err == SG_OK && plan->augment)
        err = sg_text_add(journal, "mean of eight flips and rotations\n");
    if (err == SG_OK)
        err = sg_predict_crf_tell(&plan->crf, "crf ", "\n", journal);
    if (err == SG_OK && (grid->part.w < grid->width || grid->part.h < grid->height))
        err = sg_text_add(journal, "at %" PRId64 ", %" PRId64 " of %" PRId64 " x %" PRId64 "\n",
                          grid->part.x, grid->part.y, grid->width, grid->height);
    if (err == SG_OK && plan->cutline)
        err = sg_text_add(journal, "cutline %016" PRIx64 "\n", plan->cutline);
    if (err == SG_OK && grid->step_w > 0)
        err = sg_text_add(
            journal, "blended, tiles %" PRId64 " x %" PRId64 " every %" PRId64 ", %" PRId64 "\n",
            grid->tile_w, grid->tile_h, grid->step_w, grid->step_h);
    else if (err == SG_OK && !network->exact)
        err = sg_text_add(journal, "tiles %" PRId64 " x %" PRId64 "\n", grid->tile_w, grid->tile_h);
    if (err == SG_OK)
        err = sg_format_describe(format, journal);
    if (err == SG_OK)
        err = sg_text_add(journal, CHUNKS, grid->chunk_w, grid->chunk_h);
    return err;
}

void sg_predict_resumed(const char *output, sg_predict_size *size)
{
    char path[SG_PATH_MAX], *text = NULL;
    size->chunk_w = size->chunk_h = 0;
    if (sg_path_format(path, "%s.parts/journal", output) != SG_OK || !sg_file_exists(path) ||
        sg_file_read_text(path, &text) != SG_OK)
        return; /* what is wrong with it, sg_parts_open tells */
    const char *line = strstr(text, "\nchunks ");
    int64_t w = 0, h = 0;
    if (line && sscanf(line, "\n" CHUNKS, &w, &h) == 2 && w > 0 && h > 0) {
        size->chunk_w = w;
        size->chunk_h = h;
    }
    sg_free(text);
}
