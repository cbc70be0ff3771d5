/* What the ranks have written, put together by all of them: overviews completed, the file laid out.
 * [collective] */
#ifndef SG_TILES_ASSEMBLE_H
#define SG_TILES_ASSEMBLE_H

#include "data/raster.h"
#include "tiles/cog.h"
#include "tiles/parts.h"
#include "tiles/records.h"

/* Of what, all borrowed: records that all ranks may read. */
typedef struct {
    sg_comm *comm;
    const sg_geotiff_options *raster;
    const sg_records *records;
    sg_parts *parts;
} sg_assembly;

/*
 * Make the whole file at path (not yet the final name). Each rank makes its share of the overviews
 * that reach over chunks, and writes its share of the file. SG_EOUTPUT: it cannot be written;
 * SG_EINTERNAL: a block is missing; SG_EUSAGE: more than the layout may hold.
 */
sg_err sg_assemble(const sg_assembly *assembly, const char *path, const sg_tiff_layout *layout);
/* The same without overviews, as large as it comes. */
sg_err sg_assemble_plain(const sg_assembly *assembly, const char *path);

#endif
