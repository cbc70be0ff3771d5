#include "data/rows.h"
#include "data/raster_private.h"

#include <cpl_error.h>

#include "base/size.h"

struct sg_rows {
    GDALDatasetH dataset;
    GDALRasterBandH band;
    GDALDataType type;
    int width, height;
    int strip; /* rows that are read at once */
    int y;     /* the next row */
    size_t row_bytes;
    uint8_t *pixels; /* (strip, width), owned */
    char path[SG_PATH_MAX];
};

static sg_err unreadable(const char *path)
{
    char text[512];
    return sg_fail(SG_EINPUT, "%s: cannot be read: %s", path, sg_gdal_message(text, sizeof(text)));
}

static sg_err open_band(sg_rows *rows, bool is_float)
{
    int block_w = 0;
    CPLErrorReset();
    rows->dataset = GDALOpenEx(rows->path, GDAL_OF_RASTER | GDAL_OF_READONLY, NULL, NULL, NULL);
    if (rows->dataset == NULL)
        return unreadable(rows->path);
    rows->band = GDALGetRasterBand(rows->dataset, 1);
    rows->type = is_float ? GDT_Float32 : GDT_Byte;
    rows->width = GDALGetRasterXSize(rows->dataset);
    rows->height = GDALGetRasterYSize(rows->dataset);
    GDALGetBlockSize(rows->band, &block_w, &rows->strip);
    sg_err err = sg_size_mul((size_t)rows->width, is_float ? sizeof(float) : 1, &rows->row_bytes);
    return err == SG_OK ? sg_malloc((size_t)rows->strip, rows->row_bytes, &rows->pixels) : err;
}

sg_err sg_rows_open(sg_rows **out, const char *path, bool is_float)
{
    sg_rows *rows = NULL;
    *out = NULL;
    sg_err err = sg_calloc(1, sizeof(*rows), &rows);
    if (err != SG_OK)
        return err;
    err = sg_path_format(rows->path, "%s", path);
    if (err == SG_OK)
        err = open_band(rows, is_float);
    if (err != SG_OK) {
        sg_rows_close(rows);
        return err;
    }
    *out = rows;
    return SG_OK;
}

sg_err sg_rows_window(sg_rows *rows, sg_window w, void *pixels)
{
    CPLErrorReset();
    if (!sg_gdal_succeeded(GDALRasterIO(rows->band, GF_Read, (int)w.x, (int)w.y, (int)w.w, (int)w.h,
                                        pixels, (int)w.w, (int)w.h, rows->type, 0, 0)))
        return unreadable(rows->path);
    return SG_OK;
}

sg_err sg_rows_next(sg_rows *rows, const void **row)
{
    int at = rows->y % rows->strip;
    *row = NULL;
    if (rows->y == rows->height)
        return SG_OK;
    if (at == 0) {
        int rest = rows->height - rows->y, n = rest < rows->strip ? rest : rows->strip;
        sg_err err = sg_rows_window(rows, (sg_window){0, rows->y, rows->width, n}, rows->pixels);
        if (err != SG_OK)
            return err;
    }
    *row = rows->pixels + (size_t)at * rows->row_bytes;
    rows->y++;
    return SG_OK;
}

int64_t sg_rows_width(const sg_rows *rows)
{
    return rows->width;
}

void sg_rows_close(sg_rows *rows)
{
    if (rows == NULL)
        return;
    if (rows->dataset != NULL)
        GDALClose(rows->dataset);
    sg_free(rows->pixels);
    sg_free(rows);
}
