#include "data/stack.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_string.h>
#include <cpl_vsi.h>
#include <gdal_utils.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/size.h"
#include "data/raster_private.h"
#include "data/warp_view.h"

static sg_err check_bands(const sg_raster *raster)
{
    const sg_raster_info *info = sg_raster_get_info(raster);
    if (info->raw_bands == 1)
        return SG_OK;
    return sg_fail(SG_EINPUT, "%s: has %d bands: where several files are stacked, each has one",
                   info->path, info->raw_bands);
}

/* The file itself, or its view on the first one's grid. */
static sg_err place_file(const sg_raster *first, const char *path, const char *file, size_t number,
                         char *placed)
{
    sg_raster *raster = NULL;
    sg_err err = sg_raster_open(&raster, file, NULL, 0);
    if (err == SG_OK)
        err = check_bands(raster);
    if (err == SG_OK && sg_raster_same_grid(first, raster))
        err = sg_path_format(placed, "%s", file);
    else if (err == SG_OK) {
        sg_view_grid grid;
        err = sg_view_grid_of(&grid, first);
        if (err == SG_OK)
            err = sg_path_format(placed, "%s.%zu.vrt", path, number + 1);
        if (err == SG_OK)
            err = sg_view_make(placed, raster, &grid, NULL);
    }
    sg_raster_close(raster);
    return err;
}

static sg_err build(const char *path, char **placed, const sg_raster *first)
{
    char text[512];
    const char *words[] = {"-separate", "-q", NULL};
    GDALBuildVRTOptions *options = GDALBuildVRTOptionsNew((char **)words, NULL);
    int failed = 0;
    CPLErrorReset();
    GDALDatasetH vrt =
        GDALBuildVRT(path, CSLCount(placed), NULL, (const char *const *)placed, options, &failed);
    GDALBuildVRTOptionsFree(options);
    if (!vrt || failed || GDALGetRasterCount(vrt) != CSLCount(placed)) {
        if (vrt)
            GDALClose(vrt);
        return sg_fail(SG_EINPUT, "%s: cannot be stacked with the others: %s",
                       sg_raster_get_info(first)->path, sg_gdal_message(text, sizeof text));
    }
    GDALClose(vrt);
    return SG_OK;
}

sg_err sg_stack_make(const char *path, const char *const *file, size_t files)
{
    sg_raster *first = NULL;
    char **placed = NULL, one[SG_PATH_MAX];
    sg_err err = sg_raster_open(&first, file[0], NULL, 0);
    for (size_t i = 0; err == SG_OK && i < files; i++) {
        err = place_file(first, path, file[i], i, one);
        if (err == SG_OK)
            placed = CSLAddString(placed, one);
    }
    if (err == SG_OK)
        err = build(path, placed, first);
    CSLDestroy(placed);
    sg_raster_close(first);
    return err;
}
