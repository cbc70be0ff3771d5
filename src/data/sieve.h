/* The minimum mapping unit: patches of a mask that are too small go to a neighbour. [local] */
#ifndef SG_DATA_SIEVE_H
#define SG_DATA_SIEVE_H

#include <stdint.h>
#include "base/error.h"

/*
 * Write to a tiled GeoTIFF at `to` the mask at `from` without patches of fewer than `least`
 * pixels: each takes the value of its largest neighbour, nodata left as it is, just as gdal_sieve
 * does it. Pixels are connected by their sides (4) or by corners too (8). Memory: some lines, and a
 * few numbers for each patch. SG_EINPUT, SG_EOUTPUT name the file.
 */
sg_err sg_sieve(const char *from, const char *to, int32_t least, int32_t connected);

#endif
