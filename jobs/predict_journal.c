#include "jobs/predict.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

sg_err sg_predict_journal(const sg_network *network, const char *scene, const sg_raster_info *info,
                          const sg_predict_plan *plan, sg_text *journal)
{
    const sg_grid *grid = &plan->grid;
    sg_err err =
        sg_text_add(journal, "segtiles predict 1\nmodel %s\nprecision %s\ndevice %s (%s)\n",
                    network->checkpoint.identity, sg_dtype_name(network->type),
                    network->backend->name, network->backend->kind);
    if (err == SG_OK)
        err = add_file(scene, journal);
    if (err == SG_OK)
        err = sg_text_add(journal, "pixels %" PRId64 " x %" PRId64 " of %.17g m\n", info->width,
                          info->height, info->gsd);
    if (err == SG_OK && !network->exact)
        err = sg_text_add(journal,
                          "tiles %" PRId64 " x %" PRId64 ", chunks %" PRId64 " x %" PRId64 "\n",
                          grid->tile_w, grid->tile_h, grid->chunk_w, grid->chunk_h);
    return err;
}
