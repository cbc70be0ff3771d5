/*
 * Small pictures as PNG, made in memory by GDAL. [local]
 */
#ifndef SG_DATA_PICTURE_H
#define SG_DATA_PICTURE_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

/* RGB and opacity (0: transparent) of one value. */
typedef struct {
    uint8_t rgb[3], opacity;
} sg_ink;

typedef struct {
    int32_t width, height;
    const uint8_t *pixels; /* (height, width, 4) of red, green, blue, opacity; or (height, width) */
    const sg_ink *ink;     /* [256] of each value where pixels are values; else NULL */
} sg_picture;

/* *png: *bytes of a file, owned by the caller, sg_free. */
sg_err sg_picture_png(const sg_picture *picture, uint8_t **png, size_t *bytes);

#endif
