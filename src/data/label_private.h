/*
 * What a label source shares with its two kinds: the scene's grid and the way from values to
 * classes. Not for other modules. [local]
 */
#ifndef SG_DATA_LABEL_PRIVATE_H
#define SG_DATA_LABEL_PRIVATE_H

#include "data/label.h"
#include "data/raster_private.h"

typedef struct sg_label_raster sg_label_raster;
typedef struct sg_label_vector sg_label_vector;

struct sg_label {
    const sg_raster *image;  /* borrowed */
    sg_label_raster *raster; /* one of the two is set */
    sg_label_vector *vector;
};

/* dataset is taken over, also on failure. */
sg_err sg_label_raster_open(sg_label_raster **label, GDALDatasetH dataset, const char *path,
                            const sg_raster *image, const sg_class_table *classes,
                            const sg_label_options *options);
sg_err sg_label_raster_read(sg_label_raster *label, sg_window inner, uint8_t *out, size_t stride);
void sg_label_raster_close(sg_label_raster *label);

/* The layer of that name, "" or NULL: the first. SG_EINPUT names path. */
sg_err sg_vector_layer(OGRLayerH *layer, GDALDatasetH dataset, const char *path, const char *name);
/* dataset stays the caller's: geometries are copied into memory. */
sg_err sg_label_vector_open(sg_label_vector **label, GDALDatasetH dataset, const char *path,
                            const sg_raster *image, const sg_class_table *classes,
                            const sg_label_options *options);
sg_err sg_label_vector_read(sg_label_vector *label, sg_window inner, uint8_t *out, size_t stride);
/* The pixels that the features' boxes touch, and a number that other geometries do not have. */
sg_window sg_label_vector_bounds(const sg_label_vector *label);
uint64_t sg_label_vector_hash(const sg_label_vector *label);
void sg_label_vector_close(sg_label_vector *label);

#endif
