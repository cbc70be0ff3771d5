/*
 * What a mask says about itself: its classes, and other texts in its metadata. [local]
 */
#ifndef SG_DATA_CATEGORY_H
#define SG_DATA_CATEGORY_H

#include "data/raster.h"

/* Category names and colour table of the first band; values without a name are no class. count is 0
 * when there are no names. */
sg_err sg_raster_classes(const sg_raster *raster, sg_class_table *classes);
/* The value of a metadata key, NULL when absent; borrowed from the raster. */
const char *sg_raster_metadata(const sg_raster *raster, const char *key);
/* A short name of the CRS ("WGS 84 / UTM zone 32N"), "" when there is none. */
void sg_raster_crs_name(const sg_raster *raster, char *name, size_t size);

#endif
