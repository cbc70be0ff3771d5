/*
 * Rasters in: the only module with gdal.h. A sg_raster is one GDAL handle and belongs to one
 * thread; open one per thread. Pixels come out as f32, bands innermost (H, W, C), with a validity
 * mask. All [local].
 */
#ifndef SG_DATA_RASTER_H
#define SG_DATA_RASTER_H

#include "base/file.h"
#include "base/raw.h"
#include "data/packing.h"
#include "data/spec.h"
#include "data/window.h"

/* Register drivers, quiet GDAL's own messages, set the block cache (bytes). Once per process. */
void sg_gdal_start(size_t cache_bytes);
/* Another size of the block cache. */
void sg_gdal_cache(size_t bytes);

typedef struct sg_georef sg_georef; /* CRS, geotransform, GCPs: opaque, copied from in to out */

typedef struct {
    char path[SG_PATH_MAX];
    char driver[32];
    char type[16];         /* GDAL's name of the pixel type: "Byte", "UInt16" ... */
    int64_t width, height; /* pixels */
    int32_t bands;         /* data bands: alpha and mask bands are not counted */
    int32_t raw_bands;     /* all bands */
    int32_t has_alpha, has_mask, has_palette; /* a palette's indices are read, not its colours */
    int32_t has_nodata;
    double nodata; /* of the first band */
    int32_t block_w, block_h;
    double geotransform[6]; /* GDAL's; identity when absent */
    int32_t has_geotransform, has_crs, gcps;
    double gsd; /* metres per pixel (geometric mean of both axes at the centre), 0 unknown */
} sg_raster_info;

typedef struct sg_raster sg_raster;

/*
 * Open for reading. band: 1-based numbers of the wanted bands, or NULL with bands 0 for all data
 * bands. An alpha band chosen by number is data (many four-band files mark near infrared as alpha).
 * SG_EINPUT: missing, not a raster, complex type, a band that does not exist (naming file and
 * cure).
 */
sg_err sg_raster_open(sg_raster **raster, const char *path, const int32_t *band, int32_t bands);
/* The bands that a network reads, those of its spec's layers among them, with its nodata. bands 0:
 * all bands. */
sg_err sg_raster_open_spec(sg_raster **raster, const char *path, const sg_spec *spec);
void sg_raster_close(sg_raster *raster);
const sg_raster_info *sg_raster_get_info(const sg_raster *raster);
int32_t sg_raster_bands(const sg_raster *raster); /* chosen bands */
/* The smallest type that holds whatever is read of them: "Byte", "UInt16", "Int16" or "Float32". */
const char *sg_raster_exact_type(const sg_raster *raster);
/* What GDAL may hold of one block of all bands beside its cache: packed and unpacked, bytes. */
double sg_raster_block_bytes(const sg_raster_info *info);

/*
 * Read window (it may reach over the scene's edges: there pixels are 0 and invalid).
 * pixels: (h, w, bands) f32. valid: (h, w), 1 where every chosen band has data: not nodata, not NaN
 * or infinite, not transparent in alpha or mask, and not the spec's nodata in all of them; invalid
 * pixels are 0 in all bands. valid may be NULL. SG_EINPUT: damaged or truncated file, naming it and
 * the window.
 */
sg_err sg_raster_read(sg_raster *raster, sg_window window, float *pixels, uint8_t *valid);

/*
 * The type in which windows can be read as they are stored: that of all chosen bands, where it is
 * one of at most 16 bits and they are the file's own (no mosaic, no stack); else SG_RAW_F32.
 */
sg_raw_type sg_raster_raw_type(const sg_raster *raster);
/* As sg_raster_read, values (h, w, bands) of that type, which is not SG_RAW_F32. Those of pixels
 * that are not valid may be anything. */
sg_err sg_raster_read_raw(sg_raster *raster, sg_window window, void *values, uint8_t *valid);

/*
 * Is it known, without reading its pixels, that no pixel of a window inside the scene is valid? For
 * sparse files and what a VRT does not cover; false also where the format cannot tell.
 */
sg_err sg_raster_is_blank(sg_raster *raster, sg_window window, bool *blank);

/* The georeferencing, owned by the caller. Equality: same CRS, geotransform within a hundredth of a
 * pixel. */
sg_err sg_raster_georef(const sg_raster *raster, sg_georef **georef);
void sg_georef_close(sg_georef *georef);
/* The CRS as WKT, "" where there is none; for sg_free. */
sg_err sg_georef_wkt(const sg_georef *georef, char **wkt);
/* Make it that of a part of the raster. */
void sg_georef_shift(sg_georef *georef, sg_window part);
bool sg_raster_same_grid(const sg_raster *a, const sg_raster *b);
/*
 * How much two footprints (sizes in pixels) share on the ground, in pixels of a; edges are followed
 * through the change of CRS. 0 when one of them has no CRS or neither geotransform nor GCPs.
 */
sg_err sg_georef_footprint_overlap(const sg_georef *a, int64_t a_width, int64_t a_height,
                                   const sg_georef *b, int64_t b_width, int64_t b_height,
                                   double *shared_pixels);

/* The dataset behind the raster (GDALDatasetH), for this module only. */
void *sg_raster_dataset(const sg_raster *raster);

/*
 * Rasters out: a tiled GeoTIFF with georeferencing and nodata, but no pixels (sparse): the blocks
 * are put in afterwards. Written to path as given. Category names have no place in a TIFF: GDAL
 * keeps them in path.aux.xml, so commit and discard through the two functions below.
 */
typedef struct {
    int64_t width, height;
    int32_t bands;
    int32_t is_float;              /* 1: Float32, 0: Byte */
    int32_t block;                 /* pixels, square */
    const sg_georef *georef;       /* may be NULL */
    const sg_class_table *classes; /* colour table, category names, nodata; or NULL */
    const char *const *band_names; /* [bands] or NULL */
    const char *const *metadata;   /* "KEY=VALUE" ..., NULL-terminated; or NULL */
    int32_t has_nodata;
    double nodata;
    sg_packing packing; /* of the blocks put in; the file without pixels says deflate in any case */
    double scale; /* of bytes that stand for amounts: scale * byte; 0: they stand for themselves */
} sg_geotiff_options;

sg_err sg_geotiff_create(const char *path, const sg_geotiff_options *options);
/* sg_file_commit and sg_file_discard for a GeoTIFF and its .aux.xml. The GeoTIFF goes last. */
sg_err sg_geotiff_commit(const char *temporary, const char *final_path);
void sg_geotiff_discard(const char *temporary);

#endif
