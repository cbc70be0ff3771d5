/* Shared by scene_writer.c and polygons.c. [local] */
#ifndef SG_DATA_SCENE_PRIVATE_H
#define SG_DATA_SCENE_PRIVATE_H

#include <ogr_srs_api.h>

#include "base/error.h"

/* "EPSG:32632" and the like, x before y; "" gives NULL. Owned by the caller. SG_EUSAGE. */
sg_err sg_crs_parse(const char *text, OGRSpatialReferenceH *crs);

#endif
