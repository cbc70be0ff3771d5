/*
 * Where training and evaluation read from: scenes with their labels, by GDAL or from a tile store,
 * behind one face. Both give the same bytes. All [local].
 */
#ifndef SG_DATA_SOURCE_H
#define SG_DATA_SOURCE_H

#include "data/label.h"

struct sg_tile_store;

/* One scene with its labels; label "" when there are none. */
typedef struct {
    char image[SG_PATH_MAX];
    char label[SG_PATH_MAX];
    double mean[SG_BANDS_MAX], std[SG_BANDS_MAX]; /* to be applied to this scene */
} sg_scene;

typedef struct {
    const sg_scene *scene; /* borrowed */
    int32_t scenes;
    const sg_spec *spec; /* bands, classes; borrowed */
    sg_label_options label;
    struct sg_tile_store
        *store; /* borrowed: holds the scenes, in this order; NULL: their files do */
} sg_scenes;

/* An opened scene. Belongs to one thread. */
typedef struct sg_source sg_source;

/* What scenes point at stays borrowed. Errors are those of sg_raster_open_spec and sg_label_open.
 */
sg_err sg_source_open(sg_source **source, const sg_scenes *scenes, int32_t index);
/* Pixels alone: of the file at path, or of a store's scene number `index` (then path only names
 * it), borrowed. */
sg_err sg_source_open_pixels(sg_source **source, const char *path, const sg_spec *spec,
                             struct sg_tile_store *store, size_t index);
/* As sg_raster_read. */
sg_err sg_source_read(sg_source *source, sg_window window, float *pixels, uint8_t *valid);
/* As sg_raster_raw_type and sg_raster_read_raw; f32 from a store, whose tiles are unpacked to that.
 */
sg_raw_type sg_source_raw_type(const sg_source *source);
sg_err sg_source_read_raw(sg_source *source, sg_window window, void *values, uint8_t *valid);
/* As sg_raster_is_blank; false from a store, whose blank tiles cost little. */
sg_err sg_source_is_blank(sg_source *source, sg_window window, bool *blank);
/* Rows that are read together, at least 1. */
int64_t sg_source_block_h(const sg_source *source);
/* As sg_label_read; SG_NO_CLASS everywhere for a scene without labels. */
sg_err sg_source_labels(sg_source *source, sg_window window, uint8_t *classes);
void sg_source_close(sg_source *source); /* NULL is fine */

/* Width and height of a scene, x and y 0. */
sg_err sg_source_extent(const sg_scenes *scenes, int32_t index, sg_window *extent);

#endif
