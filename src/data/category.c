#include "data/category.h"
#include "data/raster_private.h"

#include <stdio.h>
#include <string.h>

/* A colour of the table; black stands for none, as sg_classes_complete wants it. */
static void read_colour(GDALColorTableH table, int value, uint8_t colour[3])
{
    const GDALColorEntry *entry = table != NULL && value < GDALGetColorEntryCount(table)
                                      ? GDALGetColorEntry(table, value)
                                      : NULL;
    if (entry == NULL)
        return;
    colour[0] = (uint8_t)entry->c1;
    colour[1] = (uint8_t)entry->c2;
    colour[2] = (uint8_t)entry->c3;
}

sg_err sg_raster_classes(const sg_raster *raster, sg_class_table *classes)
{
    GDALRasterBandH band = GDALGetRasterBand(raster->dataset, 1);
    char **names = GDALGetRasterCategoryNames(band);
    GDALColorTableH table = GDALGetRasterColorTable(band);
    memset(classes, 0, sizeof(*classes));
    for (int value = 0; names != NULL && names[value] != NULL && value < 256; value++) {
        if (names[value][0] == '\0' || classes->count == SG_CLASSES_MAX)
            continue;
        sg_class *class = &classes->item[classes->count++];
        snprintf(class->name, sizeof(class->name), "%s", names[value]);
        class->value = value;
        read_colour(table, value, class->colour);
    }
    if (classes->count == 0)
        return SG_OK;
    sg_err err = sg_classes_complete(classes);
    if (err != SG_OK)
        return sg_fail_in(err, raster->info.path);
    if (raster->info.has_nodata && raster->info.nodata >= 0 && raster->info.nodata <= 255)
        classes->nodata = (int32_t)raster->info.nodata;
    return SG_OK;
}

const char *sg_raster_metadata(const sg_raster *raster, const char *key)
{
    return GDALGetMetadataItem(raster->dataset, key, NULL);
}

void sg_raster_crs_name(const sg_raster *raster, char *name, size_t size)
{
    OGRSpatialReferenceH crs = GDALGetSpatialRef(raster->dataset);
    const char *text = crs != NULL ? OSRGetName(crs) : NULL;
    snprintf(name, size, "%s", text != NULL ? text : "");
}
