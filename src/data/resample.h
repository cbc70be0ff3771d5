/*
 * A scene seen at another ground sampling distance: a warped VRT in memory, opened by its path like
 * any raster, by any number of threads. Pixels are averaged where they get larger, interpolated
 * where they get smaller. What a pixel is does not depend on the window it is read with. [local]
 */
#ifndef SG_DATA_RESAMPLE_H
#define SG_DATA_RESAMPLE_H

#include "data/raster.h"

/*
 * Make the view with the spec's pixels of gsd metres, on the scene's own axes, to be read with
 * sg_raster_open_spec. path receives its name, SG_PATH_MAX bytes. SG_EINPUT: the scene has no
 * geotransform.
 */
sg_err sg_resample_open(const sg_raster *raster, const sg_spec *spec, char *path);
/* Forget the view; "" is fine. */
void sg_resample_close(const char *path);

#endif
