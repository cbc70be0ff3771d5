#include "data/picture.h"

#include <cpl_vsi.h>
#include <gdal.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "data/raster_private.h"

enum { CHANNELS = 4, INKS = 256 };

static sg_err failed(const char *what)
{
    char text[512];
    return sg_fail(SG_EINTERNAL, "a picture cannot be %s: %s", what,
                   sg_gdal_message(text, sizeof(text)));
}

static sg_err set_inks(GDALDatasetH dataset, const sg_ink *ink)
{
    GDALColorTableH table = GDALCreateColorTable(GPI_RGB);
    for (int i = 0; i < INKS; i++) {
        const GDALColorEntry entry = {ink[i].rgb[0], ink[i].rgb[1], ink[i].rgb[2], ink[i].opacity};
        GDALSetColorEntry(table, i, &entry);
    }
    CPLErr status = GDALSetRasterColorTable(GDALGetRasterBand(dataset, 1), table);
    GDALDestroyColorTable(table);
    return status == CE_None ? SG_OK : failed("coloured");
}

/* GDAL's PNG driver only copies: the picture is a raster in memory first. */
static sg_err make_raster(const sg_picture *picture, GDALDatasetH *dataset)
{
    const int bands = picture->ink ? 1 : CHANNELS, w = picture->width, h = picture->height;
    GDALDriverH driver = GDALGetDriverByName("MEM");
    *dataset = driver ? GDALCreate(driver, "", w, h, bands, GDT_Byte, NULL) : NULL;
    if (!*dataset)
        return failed("made");
    if (GDALDatasetRasterIO(*dataset, GF_Write, 0, 0, w, h, (void *)picture->pixels, w, h, GDT_Byte,
                            bands, NULL, bands, bands * w, 1) != CE_None)
        return failed("filled");
    for (int b = 0; !picture->ink && b < CHANNELS; b++)
        GDALSetRasterColorInterpretation(GDALGetRasterBand(*dataset, b + 1),
                                         (GDALColorInterp)(GCI_RedBand + b));
    return picture->ink ? set_inks(*dataset, picture->ink) : SG_OK;
}

static sg_err write_png(GDALDatasetH raster, const char *path)
{
    GDALDriverH driver = GDALGetDriverByName("PNG");
    if (!driver)
        return sg_fail(SG_EUNSUPPORTED, "pictures need GDAL's PNG driver, which this GDAL lacks");
    GDALDatasetH out = GDALCreateCopy(driver, path, raster, FALSE, NULL, NULL, NULL);
    if (!out)
        return failed("written");
    GDALClose(out);
    return SG_OK;
}

static sg_err take_file(const char *path, uint8_t **png, size_t *bytes)
{
    vsi_l_offset length = 0;
    GByte *data = VSIGetMemFileBuffer(path, &length, FALSE);
    if (!data)
        return failed("read");
    sg_err err = sg_malloc((size_t)length, 1, png);
    if (!err) {
        memcpy(*png, data, (size_t)length);
        *bytes = (size_t)length;
    }
    return err;
}

sg_err sg_picture_png(const sg_picture *picture, uint8_t **png, size_t *bytes)
{
    char path[64];
    GDALDatasetH raster = NULL;
    snprintf(path, sizeof path, "/vsimem/sg_picture_%p.png", (const void *)picture);
    *png = NULL;
    sg_err err = make_raster(picture, &raster);
    if (!err)
        err = write_png(raster, path);
    if (!err)
        err = take_file(path, png, bytes);
    if (raster)
        GDALClose(raster);
    VSIUnlink(path);
    char aside[80];
    snprintf(aside, sizeof aside, "%s.aux.xml", path);
    VSIUnlink(aside);
    return err;
}
