#include "data/sieve.h"
#include "data/raster_private.h"
#include "data/scanlines.h"

#include <cpl_error.h>
#include <gdal_alg.h>

enum { CACHE_SPARE = 8 << 20 };

GIntBig sg_scanlines_begin(GDALRasterBandH band)
{
    int block_w = 0, block_h = 0;
    GIntBig before = GDALGetCacheMax64();
    GDALGetBlockSize(band, &block_w, &block_h);
    GIntBig row = (GIntBig)(GDALGetRasterBandXSize(band) + block_w) * block_h;
    if (2 * row + CACHE_SPARE > before)
        GDALSetCacheMax64(2 * row + CACHE_SPARE);
    return before;
}

void sg_scanlines_end(GIntBig cache)
{
    GDALSetCacheMax64(cache);
}

static sg_err failed(sg_err code, const char *path, const char *what)
{
    char text[512];
    return sg_fail(code, "%s: cannot be %s: %s", path, what, sg_gdal_message(text, sizeof(text)));
}

static GDALDatasetH create(const char *path, int width, int height)
{
    const char *options[] = {"COMPRESS=DEFLATE", "ZLEVEL=1",       "BIGTIFF=IF_SAFER",
                             "TILED=YES",        "SPARSE_OK=TRUE", NULL};
    return GDALCreate(GDALGetDriverByName("GTiff"), path, width, height, 1, GDT_Byte,
                      (CSLConstList)options);
}

sg_err sg_sieve(const char *from, const char *to, int32_t least, int32_t connected)
{
    CPLErrorReset();
    GDALDatasetH in = GDALOpenEx(from, GDAL_OF_RASTER | GDAL_OF_READONLY, NULL, NULL, NULL);
    if (in == NULL)
        return failed(SG_EINPUT, from, "read");
    GDALRasterBandH band = GDALGetRasterBand(in, 1);
    GDALDatasetH out = create(to, GDALGetRasterXSize(in), GDALGetRasterYSize(in));
    sg_err err = out != NULL ? SG_OK : failed(SG_EOUTPUT, to, "written");
    int has_nodata = 0;
    double nodata = GDALGetRasterNoDataValue(band, &has_nodata);
    if (err == SG_OK && has_nodata) /* GDAL writes nothing where there is no patch at all */
        GDALSetRasterNoDataValue(GDALGetRasterBand(out, 1), nodata);
    GIntBig cache = sg_scanlines_begin(band);
    CPLErrorReset();
    if (err == SG_OK &&
        !sg_gdal_succeeded(GDALSieveFilter(band, GDALGetMaskBand(band), GDALGetRasterBand(out, 1),
                                           least, connected, NULL, NULL, NULL)))
        err = failed(SG_EOUTPUT, to, "sieved");
    GDALClose(in);
    if (err == SG_OK)
        CPLErrorReset();
    if (out != NULL)
        GDALClose(out); /* tells of a full disk by its message only */
    if (err == SG_OK && CPLGetLastErrorType() >= CE_Failure)
        err = failed(SG_EOUTPUT, to, "written");
    sg_scanlines_end(cache);
    return err;
}
