/* The stack is written as VRT text, GDAL's own format (gdal.org/drivers/raster/vrt.html): its tools
 * to build one take a single band of each file. */
#include "data/stack.h"

#include <cpl_conv.h>
#include <cpl_string.h>
#include <cpl_vsi.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "base/text.h"
#include "data/raster_private.h"
#include "data/warp_view.h"

bool sg_is_stack_method(const char *word)
{
    return !*word || sg_text_has_word(SG_STACK_METHODS, word);
}

/* ---- the names of layers ---- */

/* What one pair of braces stands for. hold: the words between them. */
static sg_err expand(sg_text *out, const char *hold, size_t length, const char *stem,
                     const char *file)
{
    const char *from = memchr(hold, '/', length);
    size_t word = from ? (size_t)(from - hold) : length;
    if (word != 4 || strncmp(hold, "stem", 4) != 0)
        return sg_fail(SG_EUSAGE, "{%.*s} in %s; allowed: {stem}, {stem/old/new}", (int)length,
                       hold, file);
    if (!from)
        return sg_text_add(out, "%s", stem);
    from++;
    const char *end = hold + length, *to = memchr(from, '/', (size_t)(end - from));
    char old[SG_LAYER_FILE_MAX];
    if (!to || to == from)
        return sg_fail(SG_EUSAGE, "{%.*s} in %s; allowed: {stem}, {stem/old/new}", (int)length,
                       hold, file);
    snprintf(old, sizeof old, "%.*s", (int)(to - from), from);
    const char *at = strstr(stem, old);
    if (!at)
        return sg_fail(SG_EUSAGE, "%s: the scene's name, %s, holds no '%s'", file, stem, old);
    return sg_text_add(out, "%.*s%.*s%s", (int)(at - stem), stem, (int)(end - to - 1), to + 1,
                       at + strlen(old));
}

static sg_err fill_in(sg_text *out, const char *file, const char *stem)
{
    sg_err err = SG_OK;
    const char *at = file;
    while (err == SG_OK && *at) {
        size_t plain = strcspn(at, "{");
        err = sg_text_add(out, "%.*s", (int)plain, at);
        at += plain;
        if (err != SG_OK || !*at)
            break;
        size_t length = strcspn(at, "}");
        if (!at[length])
            return sg_fail(SG_EUSAGE, "%s: a brace is not closed", file);
        err = expand(out, at + 1, length - 1, stem, file);
        at += length + 1;
    }
    return err;
}

sg_err sg_layer_file(char *path, const sg_layer *layer, const char *scene)
{
    char stem[SG_PATH_MAX];
    sg_text name = {0};
    sg_err err = sg_path_stem(stem, scene);
    if (err == SG_OK)
        err = fill_in(&name, layer->file, stem);
    int folder = (int)(sg_path_base(scene) - scene);
    if (err == SG_OK && name.data[0] == '/')
        folder = 0;
    if (err == SG_OK)
        err = sg_path_format(path, "%.*s%s", folder, scene, name.data);
    sg_text_clear(&name);
    return err;
}

/* ---- the stack ---- */

/* Where the pixels of an item are on the first one's grid. */
typedef struct {
    char path[SG_PATH_MAX];
    GDALDatasetH dataset; /* of that path, owned */
} placed_item;

static sg_err check_touches(const sg_raster *first, const sg_raster *raster)
{
    const sg_raster_info *a = sg_raster_get_info(first), *b = sg_raster_get_info(raster);
    double shared = 0;
    sg_err err = sg_georef_footprint_overlap(first->georef, a->width, a->height, raster->georef,
                                             b->width, b->height, &shared);
    if (err == SG_OK && !(shared > 0))
        err = sg_fail(SG_EINPUT, "%s: does not lie where %s does; name rasters of one place",
                      b->path, a->path);
    return err;
}

static sg_err make_view(const char *view, const sg_raster *first, const sg_raster *raster,
                        const char *method)
{
    static const sg_spec any = {0}; /* with alpha where nothing lies */
    sg_view_grid grid;
    bool chosen = method && *method && strcmp(method, "auto") != 0;
    sg_err err = sg_view_grid_of(&grid, first);
    if (err == SG_OK)
        err = check_touches(first, raster);
    return err == SG_OK ? sg_view_make(view, raster, &grid, &any, chosen ? method : NULL) : err;
}

/* The file itself, or its view on the first one's grid. */
static sg_err place(const sg_raster *first, const char *path, const sg_stack_item *item,
                    size_t number, placed_item *placed)
{
    sg_raster *raster = NULL;
    sg_err err = sg_raster_open(&raster, item->file, NULL, 0);
    if (err == SG_OK && sg_raster_same_grid(first, raster)) {
        err = sg_path_format(placed->path, "%s", item->file);
    } else if (err == SG_OK) {
        err = sg_path_format(placed->path, "%s.%zu.vrt", path, number + 1);
        if (err == SG_OK)
            err = make_view(placed->path, first, raster, item->method);
    }
    sg_raster_close(raster);
    if (err != SG_OK)
        return err;
    placed->dataset = GDALOpen(placed->path, GA_ReadOnly);
    if (!placed->dataset)
        err = sg_fail(SG_EINPUT, "%s: cannot be stacked with the others", item->file);
    return err;
}

static sg_err add_source(sg_text *vrt, const char *path, const char *band)
{
    char *escaped = CPLEscapeString(path, -1, CPLES_XML);
    sg_err err = sg_text_add(vrt,
                             "<SimpleSource><SourceFilename relativeToVRT=\"0\" shared=\"0\">%s"
                             "</SourceFilename><SourceBand>%s</SourceBand></SimpleSource>\n",
                             escaped, band);
    CPLFree(escaped);
    return err;
}

/* What says beside nodata values where the band has data, as a mask of its own. */
static sg_err add_mask(sg_text *vrt, const placed_item *placed, int number, int alpha)
{
    char source[32];
    int flags = GDALGetMaskFlags(GDALGetRasterBand(placed->dataset, number));
    if (alpha > 0)
        snprintf(source, sizeof source, "%d", alpha);
    else if (flags & (GMF_ALL_VALID | GMF_NODATA))
        return SG_OK;
    else
        snprintf(source, sizeof source, "mask,%d", number);
    sg_err err = sg_text_add(vrt, "<MaskBand><VRTRasterBand dataType=\"Byte\">\n");
    if (err == SG_OK)
        err = add_source(vrt, placed->path, source);
    return err == SG_OK ? sg_text_add(vrt, "</VRTRasterBand></MaskBand>\n") : err;
}

static sg_err add_nodata(sg_text *vrt, GDALRasterBandH band, GDALDataType type)
{
    int has = 0;
    if (type == GDT_Int64) {
        long long value = (long long)GDALGetRasterNoDataValueAsInt64(band, &has);
        return has ? sg_text_add(vrt, "<NoDataValue>%lld</NoDataValue>\n", value) : SG_OK;
    }
    if (type == GDT_UInt64) {
        unsigned long long value = (unsigned long long)GDALGetRasterNoDataValueAsUInt64(band, &has);
        return has ? sg_text_add(vrt, "<NoDataValue>%llu</NoDataValue>\n", value) : SG_OK;
    }
    double value = GDALGetRasterNoDataValue(band, &has);
    return has ? sg_text_add(vrt, "<NoDataValue>%.17g</NoDataValue>\n", value) : SG_OK;
}

static sg_err add_band(sg_text *vrt, const placed_item *placed, int number, int alpha)
{
    GDALRasterBandH band = GDALGetRasterBand(placed->dataset, number);
    GDALDataType type = GDALGetRasterDataType(band);
    const char *pixel = GDALGetMetadataItem(band, "PIXELTYPE", "IMAGE_STRUCTURE");
    char source[16];
    snprintf(source, sizeof source, "%d", number);
    sg_err err = sg_text_add(vrt, "<VRTRasterBand dataType=\"%s\">\n", GDALGetDataTypeName(type));
    if (err == SG_OK && pixel)
        err = sg_text_add(vrt,
                          "<Metadata domain=\"IMAGE_STRUCTURE\"><MDI key=\"PIXELTYPE\">%s</MDI>"
                          "</Metadata>\n",
                          pixel);
    if (err == SG_OK)
        err = add_nodata(vrt, band, type);
    if (err == SG_OK)
        err = add_source(vrt, placed->path, source);
    if (err == SG_OK)
        err = add_mask(vrt, placed, number, alpha);
    return err == SG_OK ? sg_text_add(vrt, "</VRTRasterBand>\n") : err;
}

static sg_err add_item(sg_text *vrt, const placed_item *placed)
{
    int count = GDALGetRasterCount(placed->dataset), alpha = 0;
    sg_err err = SG_OK;
    for (int i = 1; i <= count && !alpha; i++)
        if (GDALGetRasterColorInterpretation(GDALGetRasterBand(placed->dataset, i)) ==
            GCI_AlphaBand)
            alpha = i;
    for (int i = 1; err == SG_OK && i <= count; i++)
        if (i != alpha)
            err = add_band(vrt, placed, i, alpha);
    return err;
}

/* The first one's georeferencing: the file is written by GDAL, from a dataset that has it. */
static sg_err add_georeferencing(const char *path, const sg_raster *first)
{
    const sg_georef *g = first->georef;
    GDALDatasetH vrt = GDALOpen(path, GA_Update);
    bool fits = vrt != NULL;
    if (fits && g->has_geotransform)
        fits = GDALSetGeoTransform(vrt, (double *)g->geotransform) == CE_None;
    if (fits && g->gcps > 0)
        fits = GDALSetGCPs2(vrt, g->gcps, g->gcp, g->crs) == CE_None;
    else if (fits && g->crs)
        fits = GDALSetSpatialRef(vrt, g->crs) == CE_None;
    if (fits && g->rpc)
        fits = GDALSetMetadata(vrt, g->rpc, "RPC") == CE_None;
    if (vrt)
        GDALClose(vrt);
    char text[512];
    return fits ? SG_OK
                : sg_fail(SG_EINPUT, "%s: cannot be stacked with others: %s",
                          sg_raster_get_info(first)->path, sg_gdal_message(text, sizeof text));
}

static sg_err write_memory(const char *path, const sg_text *vrt)
{
    VSILFILE *file = VSIFOpenL(path, "wb");
    size_t written = file ? VSIFWriteL(vrt->data, 1, vrt->length, file) : 0;
    if (file && VSIFCloseL(file) != 0)
        written = 0;
    return written == vrt->length
               ? SG_OK
               : sg_fail(SG_ENOMEM, "no memory for the %zu bytes of a stack's description",
                         vrt->length);
}

sg_err sg_stack_make(const char *path, const sg_stack_item *item, size_t items)
{
    sg_raster *first = NULL;
    sg_text vrt = {0};
    sg_err err = sg_raster_open(&first, item[0].file, NULL, 0);
    if (err == SG_OK)
        err = sg_text_add(&vrt, "<VRTDataset rasterXSize=\"%lld\" rasterYSize=\"%lld\">\n",
                          (long long)sg_raster_get_info(first)->width,
                          (long long)sg_raster_get_info(first)->height);
    for (size_t i = 0; err == SG_OK && i < items; i++) {
        placed_item placed = {0};
        err = place(first, path, &item[i], i, &placed);
        if (err == SG_OK)
            err = add_item(&vrt, &placed);
        if (placed.dataset)
            GDALClose(placed.dataset);
    }
    if (err == SG_OK)
        err = sg_text_add(&vrt, "</VRTDataset>\n");
    if (err == SG_OK)
        err = write_memory(path, &vrt);
    if (err == SG_OK)
        err = add_georeferencing(path, first);
    sg_text_clear(&vrt);
    sg_raster_close(first);
    return err;
}

void sg_stack_remove(const char *path)
{
    char view[SG_PATH_MAX];
    if (!*path)
        return;
    VSIUnlink(path);
    for (size_t i = 0; i <= SG_LAYERS_MAX; i++)
        if (sg_path_format(view, "%s.%zu.vrt", path, i + 1) == SG_OK)
            VSIUnlink(view);
}

sg_err sg_stack_of_scene(const char *path, const char *scene, const sg_layer *layer, int32_t layers)
{
    char file[SG_LAYERS_MAX][SG_PATH_MAX];
    sg_stack_item item[1 + SG_LAYERS_MAX] = {{scene, NULL}};
    sg_err err = SG_OK;
    for (int32_t i = 0; err == SG_OK && i < layers; i++) {
        err = sg_layer_file(file[i], &layer[i], scene);
        item[i + 1] = (sg_stack_item){file[i], layer[i].resample};
    }
    return err == SG_OK ? sg_stack_make(path, item, (size_t)layers + 1) : err;
}
