/* What the ranks have written, put together: overviews completed, the file laid out. [local] */
#ifndef SG_TILES_ASSEMBLE_H
#define SG_TILES_ASSEMBLE_H

#include "data/raster.h"
#include "tiles/cog.h"
#include "tiles/parts.h"
#include "tiles/records.h"

/*
 * Make the whole file at path (not yet the final name) of parts, which have been gathered.
 * SG_EOUTPUT: it cannot be written; SG_EINTERNAL: a block is missing; SG_EUSAGE: more than the
 * layout may hold.
 */
sg_err sg_assemble(const char *path, const sg_geotiff_options *raster, const sg_tiff_layout *layout,
                   const sg_records *records, sg_parts *parts);
/* The same without overviews, as large as it comes. */
sg_err sg_assemble_plain(const char *path, const sg_geotiff_options *raster,
                         const sg_records *records, sg_parts *parts);

#endif
