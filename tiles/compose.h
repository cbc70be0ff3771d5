/* Overview blocks that reach over several chunks, made of the chunks' pieces by all ranks. */
#ifndef SG_TILES_COMPOSE_H
#define SG_TILES_COMPOSE_H

#include "data/raster.h"
#include "tiles/parts.h"
#include "tiles/records.h"

/* Derive the blocks of parts that all ranks may read. Holds a part of a row of blocks, and the
 * whole of the last level that is made of level 0 where there are further ones. [collective] */
sg_err sg_compose(sg_comm *comm, sg_parts *parts, const sg_records *records,
                  const sg_geotiff_options *raster);

#endif
