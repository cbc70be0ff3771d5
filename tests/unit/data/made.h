/* Small rasters and vector layers made with GDAL for the tests of data. Failures end the test. */
#ifndef TESTS_UNIT_DATA_MADE_H
#define TESTS_UNIT_DATA_MADE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <gdal.h>

#include "data/raster.h"
#include "support/tempdir.h"

typedef double (*made_value)(int band, int x, int y); /* band from 0 */

typedef struct {
    int w, h, bands;            /* bands 0: one */
    GDALDataType type;          /* 0: Byte */
    const char *driver;         /* NULL: GTiff */
    const char *const *options; /* creation options or NULL */
    const char *crs;            /* "EPSG:32618" or NULL */
    const double *geotransform; /* or NULL */
    const double *nodata;       /* or NULL */
    made_value value;           /* NULL: made_ramp */
    int alpha;                  /* this band (from 1) is alpha */
} made_raster;

/* Different in every band, column and row, within 0 .. 99. */
double made_ramp(int band, int x, int y);
void make_raster(const char *path, const made_raster *made);
/* Open with all data bands, expecting success. */
sg_raster *open_made(const char *path);
/* Read a window, expecting success, and that it is the same as it is stored; pixels and valid are
 * freed by the caller with free. */
void read_made(sg_raster *raster, sg_window window, float **pixels, uint8_t **valid);
/* Opening fails with SG_EINPUT and a one-line text that names the file and `word`. */
void expect_refused(const char *path, const int32_t *band, int32_t bands, const char *word);
void write_text(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A pseudo-random number below n; *state is advanced. */
uint32_t made_random(uint32_t *state, uint32_t n);
/* The folder with real imagery, or NULL where it is absent. */
const char *real_imagery(void);

extern const double north_up[6]; /* 10 m pixels in EPSG:32618 */

#endif
