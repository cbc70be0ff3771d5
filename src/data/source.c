#include "data/source.h"

#include <string.h>

#include "base/size.h"
#include "data/tile_store.h"

struct sg_source {
    sg_tile_store *store; /* borrowed; NULL: the two below */
    size_t scene;
    sg_raster *raster;
    sg_label *label; /* NULL without labels */
};

sg_err sg_source_open_pixels(sg_source **out, const char *path, const sg_spec *spec,
                             sg_tile_store *store, size_t index)
{
    sg_source *source = NULL;
    sg_err err = sg_calloc(1, sizeof *source, &source);
    if (err)
        return err;
    source->store = store;
    source->scene = index;
    if (!store)
        err = sg_raster_open_spec(&source->raster, path, spec);
    if (err) {
        sg_source_close(source);
        return err;
    }
    *out = source;
    return SG_OK;
}

sg_err sg_source_open(sg_source **out, const sg_scenes *scenes, int32_t index)
{
    const sg_scene *scene = &scenes->scene[index];
    sg_source *source = NULL;
    sg_err err =
        sg_source_open_pixels(&source, scene->image, scenes->spec, scenes->store, (size_t)index);
    if (!err && !source->store && scene->label[0])
        err = sg_label_open(&source->label, scene->label, source->raster, &scenes->spec->classes,
                            &scenes->label);
    if (err) {
        sg_source_close(source);
        return err;
    }
    *out = source;
    return SG_OK;
}

sg_err sg_source_read(sg_source *source, sg_window window, float *pixels, uint8_t *valid)
{
    return source->store ? sg_tile_store_pixels(source->store, source->scene, window, pixels, valid)
                         : sg_raster_read(source->raster, window, pixels, valid);
}

sg_raw_type sg_source_raw_type(const sg_source *source)
{
    return source->store ? SG_RAW_F32 : sg_raster_raw_type(source->raster);
}

sg_err sg_source_read_raw(sg_source *source, sg_window window, void *values, uint8_t *valid)
{
    SG_ASSERT(!source->store);
    return sg_raster_read_raw(source->raster, window, values, valid);
}

sg_err sg_source_is_blank(sg_source *source, sg_window window, bool *blank)
{
    *blank = false;
    return source->store ? SG_OK : sg_raster_is_blank(source->raster, window, blank);
}

int64_t sg_source_block_h(const sg_source *source)
{
    int64_t rows = source->store ? sg_tile_store_layout(source->store)->format.tile
                                 : sg_raster_get_info(source->raster)->block_h;
    return sg_max64(rows, 1);
}

sg_err sg_source_labels(sg_source *source, sg_window window, uint8_t *classes)
{
    if (source->store)
        return sg_tile_store_labels(source->store, source->scene, window, classes);
    if (source->label)
        return sg_label_read(source->label, window, classes);
    memset(classes, SG_NO_CLASS, (size_t)window.w * (size_t)window.h);
    return SG_OK;
}

void sg_source_close(sg_source *source)
{
    if (!source)
        return;
    sg_label_close(source->label);
    sg_raster_close(source->raster);
    sg_free(source);
}

sg_err sg_source_extent(const sg_scenes *scenes, int32_t index, sg_window *extent)
{
    sg_raster *raster = NULL;
    if (scenes->store) {
        const sg_tile_scene *scene = &sg_tile_store_layout(scenes->store)->scene[index];
        *extent = (sg_window){0, 0, scene->width, scene->height};
        return SG_OK;
    }
    sg_err err = sg_raster_open(&raster, scenes->scene[index].image, NULL, 0);
    if (err)
        return err;
    *extent =
        (sg_window){0, 0, sg_raster_get_info(raster)->width, sg_raster_get_info(raster)->height};
    sg_raster_close(raster);
    return SG_OK;
}
