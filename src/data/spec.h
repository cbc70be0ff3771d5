/*
 * What a network expects of a scene and what its output means: saved in the checkpoint, applied by
 * predict. [local]
 */
#ifndef SG_DATA_SPEC_H
#define SG_DATA_SPEC_H

#include "data/classes.h"

enum { SG_BANDS_MAX = 512, SG_LAYERS_MAX = 16, SG_LAYER_FILE_MAX = 512 };

typedef enum {
    SG_NORMALIZE_DATASET, /* (x - mean) / std over all training scenes, per band */
    SG_NORMALIZE_SCENE,   /* with each scene's own mean and std */
    SG_NORMALIZE_NONE
} sg_normalize;

/* A raster whose bands are read behind those of a scene's own: see data/stack.h. */
typedef struct {
    char file[SG_LAYER_FILE_MAX]; /* "{stem/_10m/_20m}.tif" */
    char resample[16];            /* a word of sg_stack_methods, "" for auto */
} sg_layer;

typedef struct {
    int32_t layers;
    sg_layer layer[SG_LAYERS_MAX];
    int32_t bands;              /* chosen bands, in the network's order */
    int32_t band[SG_BANDS_MAX]; /* 1-based numbers in the raster, those of layers behind its own */
    sg_normalize normalize;
    double mean[SG_BANDS_MAX], std[SG_BANDS_MAX]; /* of the training scenes */
    int32_t has_nodata; /* pixels whose chosen bands all hold nodata have no data, */
    double nodata;      /* beside those that a scene's file declares */
    double gsd;         /* metres per pixel, 0 when unknown (no CRS) */
    sg_class_table classes;
} sg_spec;

#endif
