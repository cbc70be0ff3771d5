#include "jobs/predict_area.h"

#include <inttypes.h>

static sg_err outside(const sg_area *area, const sg_area_options *options, const char *scene)
{
    sg_window box = sg_cutline_bounds(area->cutline), part = area->part;
    return sg_fail(SG_EUSAGE,
                   "%s: its polygons lie in columns %" PRId64 " .. %" PRId64 ", rows %" PRId64
                   " .. %" PRId64 " of %s, outside of the part that is asked for, columns %" PRId64
                   " .. %" PRId64 ", rows %" PRId64 " .. %" PRId64,
                   options->cutline, box.x, box.x + box.w, box.y, box.y + box.h, scene, part.x,
                   part.x + part.w, part.y, part.y + part.h);
}

/* The bounding box of the polygons limits what is read and written. */
static sg_err cut(sg_area *area, const sg_area_options *options, const sg_raster *scene)
{
    sg_err err = sg_cutline_open(&area->cutline, options->cutline, options->layer, scene);
    if (err != SG_OK)
        return err;
    sg_window common = sg_window_intersect(area->part, sg_cutline_bounds(area->cutline));
    if (sg_window_is_empty(common))
        return outside(area, options, sg_raster_get_info(scene)->path);
    area->part = common;
    return SG_OK;
}

sg_err sg_area_open(sg_area *area, const sg_area_options *options, const sg_raster *scene)
{
    const sg_raster_info *info = sg_raster_get_info(scene);
    area->cutline = NULL;
    sg_err err = sg_part_find(info, &options->part, &area->part);
    if (err == SG_OK && options->cutline)
        err = cut(area, options, scene);
    if (err != SG_OK)
        sg_area_close(area);
    return err;
}

void sg_area_close(sg_area *area)
{
    sg_cutline_close(area->cutline);
    area->cutline = NULL;
}
