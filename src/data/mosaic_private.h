/* Between mosaic.c, which makes mosaics, and raster.c and mosaic_read.c, which read them. [local]
 */
#ifndef SG_DATA_MOSAIC_PRIVATE_H
#define SG_DATA_MOSAIC_PRIVATE_H

#include "data/raster_private.h"

/* A mosaic is a VRT without pixels, whose members stand in this metadata domain: "MEMBER_1=X Y
 * WIDTH HEIGHT PATH" (pixels of the mosaic), the first one on top. */
#define SG_MOSAIC_DOMAIN "SEGTILES_MOSAIC"

typedef struct sg_mosaic sg_mosaic;

/* The mosaic behind a dataset, or NULL where it is none. SG_EINPUT: damaged. */
sg_err sg_mosaic_open(sg_mosaic **mosaic, GDALDatasetH dataset);
void sg_mosaic_close(sg_mosaic *mosaic); /* NULL is fine */
/* Into pixels and valid, which are 0; inner: inside the mosaic; rows are stride pixels apart. */
sg_err sg_mosaic_read(const sg_raster *raster, sg_window inner, float *pixels, uint8_t *valid,
                      size_t stride);
sg_err sg_mosaic_is_blank(const sg_raster *raster, sg_window window, bool *blank);

#endif
