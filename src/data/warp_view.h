/*
 * A raster seen on another grid, in any CRS: a warped VRT in memory, opened by its path like any
 * raster. What a pixel is does not depend on the window it is read with. Not for other modules.
 * [local]
 */
#ifndef SG_DATA_WARP_VIEW_H
#define SG_DATA_WARP_VIEW_H

#include "data/raster_private.h"

typedef struct {
    OGRSpatialReferenceH crs; /* borrowed, or NULL */
    double geotransform[6];
    int64_t width, height; /* pixels */
} sg_view_grid;

/* The raster's own, borrowed from it. SG_EINPUT: it has none that is north-up. */
sg_err sg_view_grid_of(sg_view_grid *grid, const sg_raster *raster);
/* Where a raster's pixels lie one for one on the grid: its first pixel there; else false. */
bool sg_view_is_aligned(const sg_view_grid *grid, const sg_raster *raster, int64_t *x, int64_t *y);
/* The grid in a CRS on which a raster would keep its resolution, as GDAL finds it: geotransform,
 * and extent xmin ymin xmax ymax. SG_EINPUT: it has no place there. */
sg_err sg_view_suggest(const sg_raster *source, OGRSpatialReferenceH crs, double geotransform[6],
                       double extent[4]);
/*
 * Make the view. Pixels without data in the source take no part. spec: what tells them, and which
 * bands are data; the view has an alpha band behind the source's bands, where these cannot tell
 * what the source does not cover. NULL: one band, whose nodata tells it where there is one.
 * method: gdalwarp's word for it; NULL: averaged where pixels get larger, else interpolated, and
 * the nearest of a palette.
 */
sg_err sg_view_make(const char *path, const sg_raster *source, const sg_view_grid *grid,
                    const sg_spec *spec, const char *method);

#endif
