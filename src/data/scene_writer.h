/*
 * Scenes out: a georeferenced GeoTIFF of any pixel type, written window by window, and polygons of
 * a label raster. For makers of test scenes; masks go another way (tiles/mask.h). A writer belongs
 * to one thread. All [local].
 */
#ifndef SG_DATA_SCENE_WRITER_H
#define SG_DATA_SCENE_WRITER_H

#include "data/raster.h"

typedef struct sg_scene_writer sg_scene_writer;

typedef struct {
    int64_t width, height; /* pixels */
    int32_t bands;
    const char *type;     /* "Byte", "UInt16", "Int16", "Float32" */
    int32_t block;        /* pixels, square, a multiple of 16; 0: strips */
    const char *compress; /* "NONE", "DEFLATE", "LZW" ... */
    const char *crs;      /* what PROJ understands: "EPSG:32632"; "" none */
    double geotransform[6];
    int32_t has_nodata;
    double nodata;
    const sg_class_table *classes; /* colour table and names of a label raster, or NULL */
} sg_scene_options;

/* SG_EUSAGE: type or CRS unknown; SG_EOUTPUT: path cannot be written. */
sg_err sg_scene_create(sg_scene_writer **writer, const char *path, const sg_scene_options *options);
/* pixels: (h, w, bands), rounded and clamped to the type. Windows of whole blocks are quickest. */
sg_err sg_scene_write(sg_scene_writer *writer, sg_window window, const float *pixels);
/* valid: (h, w), 0 where pixels have no data; the file gets a mask with the first of them. */
sg_err sg_scene_write_mask(sg_scene_writer *writer, sg_window window, const uint8_t *valid);
/* Flush and rename; the writer is closed in any case. */
sg_err sg_scene_commit(sg_scene_writer *writer);
void sg_scene_close(sg_scene_writer *writer); /* drops what is unfinished; NULL is fine */

/*
 * Polygons of label windows in a vector file (by the path's ending: .gpkg, .shp, .geojson), with
 * the fields "name" (text) and "value" (number). crs is that of the rings' coordinates, file_crs
 * that of the file ("" for the same).
 */
typedef struct sg_polygons sg_polygons;

typedef struct {
    const char *crs, *file_crs;
    double geotransform[6]; /* of the label raster */
    const sg_class_table *classes;
} sg_polygon_options;

sg_err sg_polygons_create(sg_polygons **polygons, const char *path,
                          const sg_polygon_options *options);
/* labels: (h, w) class values; 0 and values of no class make no polygon. Polygons end at the
 * window's edge. */
sg_err sg_polygons_add(sg_polygons *polygons, sg_window window, const uint8_t *labels);
sg_err sg_polygons_commit(sg_polygons *polygons); /* closed in any case */
void sg_polygons_close(sg_polygons *polygons);

#endif
