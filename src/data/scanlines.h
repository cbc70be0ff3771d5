/* For the files of this module that let GDAL go through a raster line by line. [local] */
#ifndef SG_DATA_SCANLINES_H
#define SG_DATA_SCANLINES_H

#include <gdal.h>

/* Let GDAL's cache hold the blocks of a row of each of two rasters of the band's size, so that none
 * is decompressed for every line anew. Returns what to give to sg_scanlines_end. */
GIntBig sg_scanlines_begin(GDALRasterBandH band);
void sg_scanlines_end(GIntBig cache);

#endif
