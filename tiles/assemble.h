/*
 * Putting compressed blocks from spools into a GeoTIFF, in row order. The only file with tiffio.h
 * behind it. [local]
 */
#ifndef SG_TILES_ASSEMBLE_H
#define SG_TILES_ASSEMBLE_H

#include "data/raster.h"
#include "tiles/spool.h"

/*
 * Make the whole file at path (not yet the final name). spool: open for reading, in rank order.
 * SG_EOUTPUT: the file cannot be written; SG_EINTERNAL: a block is missing or there twice.
 */
sg_err sg_assemble(const char *path, const sg_geotiff_options *options, sg_spool *const *spool,
                   int spools);

#endif
