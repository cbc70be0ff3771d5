/*
 * What the files of this module share of a raster: the opened dataset and its georeferencing.
 * Not for other modules. [local]
 */
#ifndef SG_DATA_RASTER_PRIVATE_H
#define SG_DATA_RASTER_PRIVATE_H

#include <gdal.h>
#include <ogr_srs_api.h>

#include "data/raster.h"

struct sg_georef {
    OGRSpatialReferenceH crs; /* owned, x before y; of the geotransform or of the GCPs, or NULL */
    int has_geotransform;
    double geotransform[6];
    int gcps;
    GDAL_GCP *gcp; /* owned, or NULL */
    char **rpc;    /* owned, or NULL */
};

/* How one chosen band says where it has no data. */
typedef struct {
    GDALRasterBandH handle;
    int number;         /* 1-based */
    int is_float;       /* NaN and infinity are possible */
    int is_signed_byte; /* stored as Byte, meant as -128 .. 127 */
    int has_nodata;
    double low, high;     /* nodata when low <= value <= high */
    GDALRasterBandH mask; /* own mask band, or NULL */
} sg_raster_band;

struct sg_raster {
    GDALDatasetH dataset; /* owned */
    sg_raster_info info;
    int32_t bands;
    sg_raster_band *band;  /* [bands] */
    int *number;           /* [bands], as GDAL wants them */
    GDALRasterBandH mask;  /* mask or alpha of the whole dataset, or NULL */
    GDALRasterBandH alpha; /* alpha band that the mask does not cover, or NULL */
    int has_fill;          /* pixels whose chosen bands all hold `fill` are invalid */
    float fill;
    int exact_f32;            /* every value of every chosen band is a f32 */
    int small_integers;       /* every chosen band holds integers of at most 16 bits */
    sg_georef *georef;        /* owned */
    struct sg_mosaic *mosaic; /* owned: what the pixels are made of; NULL: the dataset's own */
    char *stack;              /* owned: the stack in memory that the dataset is, or NULL */
    /* Scratch, grown as needed: one mask window; validity; one band's window in f64. */
    uint8_t *mask_bytes, *valid_bytes;
    double *wide;
    size_t mask_capacity, valid_capacity, wide_capacity;
};

/* GDAL's message of the thread's last error, without line breaks; "" when there is none. */
const char *sg_gdal_message(char *buffer, size_t size);

/* Between start and end, on one thread: what GDAL says of data that it could not read. When there
 * was any, end makes an error of it; else it returns err. */
typedef struct {
    char text[512]; /* GDAL's first such message */
} sg_gdal_watch;
void sg_gdal_watch_start(sg_gdal_watch *watch);
sg_err sg_gdal_watch_end(const sg_gdal_watch *watch, sg_err err, const char *path);

/* Did a call do all that it was asked for? GDAL returns success where, short of memory, it has left
 * out single blocks, and says so by its last error only: CPLErrorReset before the call. */
bool sg_gdal_succeeded(CPLErr status);

/* Does the spec, where there is one, read the band of this number as data? */
static inline bool sg_spec_reads(const sg_spec *spec, int number)
{
    for (int32_t i = 0; spec && i < spec->bands; i++)
        if (spec->band[i] == number)
            return true;
    return false;
}

static inline bool sg_is_north_up(const double geotransform[6])
{
    const double *t = geotransform;
    return t[2] == 0 && t[4] == 0 && t[1] > 0 && t[5] < 0;
}

sg_err sg_georef_read(sg_georef **georef, GDALDatasetH dataset);
/* Metres per pixel at the centre of a width x height scene, 0 when unknown. */
double sg_georef_gsd(const sg_georef *georef, int64_t width, int64_t height);
/* Same CRS (or none on both sides), geotransforms within a hundredth of a pixel at all corners. */
bool sg_georef_same(const sg_georef *a, const sg_georef *b, int64_t width, int64_t height);
bool sg_georef_same_crs(const sg_georef *a, const sg_georef *b);

/* Colour table and category names. */
CPLErr sg_band_put_classes(GDALRasterBandH band, const sg_class_table *classes);

#endif
