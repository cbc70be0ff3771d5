/* What writing and reading a tile store share. Not for other modules. [local] */
#ifndef SG_DATA_TILE_STORE_PRIVATE_H
#define SG_DATA_TILE_STORE_PRIVATE_H

#include "data/tile_store.h"

enum { SG_TILE_STORE_FORMAT = 1 };
#define SG_TILE_STORE_KIND "tile store"

sg_chunks_shape sg_tile_part_shape(const sg_tile_layout *layout, sg_tile_part part);
const char *sg_tile_part_name(sg_tile_part part);

#endif
