/* A cutline is burned as vector labels of one class are: 0 inside, no class outside. */
#include "data/cutline.h"

#include <cpl_error.h>
#include <gdal.h>
#include <ogr_api.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "base/size.h"
#include "data/label_private.h"

struct sg_cutline {
    pthread_mutex_t lock; /* burning has scratch memory */
    sg_label_vector *polygons;
    sg_window bounds;
    uint64_t identity;
    uint8_t *inside; /* scratch */
    size_t capacity;
};

static sg_err open_file(const char *path, const char *name, GDALDatasetH *file, OGRLayerH *layer)
{
    char text[512];
    CPLErrorReset();
    *file = GDALOpenEx(path, GDAL_OF_VECTOR | GDAL_OF_READONLY | GDAL_OF_VERBOSE_ERROR, NULL, NULL,
                       NULL);
    if (!*file)
        return sg_fail(SG_EINPUT, "%s: cannot be opened as a vector file: %s", path,
                       sg_gdal_message(text, sizeof text));
    return sg_vector_layer(layer, *file, path, name);
}

/* Lines and points would be burned as well. */
static sg_err check_polygons(const char *path, OGRLayerH layer)
{
    OGRFeatureH f;
    sg_err err = SG_OK;
    OGR_L_ResetReading(layer);
    while (err == SG_OK && (f = OGR_L_GetNextFeature(layer))) {
        OGRGeometryH geometry = OGR_F_GetGeometryRef(f);
        if (geometry && !OGR_G_IsEmpty(geometry) && OGR_G_GetDimension(geometry) < 2)
            err = sg_fail(SG_EINPUT, "%s: feature %lld of layer '%s' is no polygon but a %s", path,
                          (long long)OGR_F_GetFID(f), OGR_L_GetName(layer),
                          OGR_G_GetGeometryName(geometry));
        OGR_F_Destroy(f);
    }
    return err;
}

static sg_err check_scene(const char *path, const sg_raster *scene)
{
    const sg_raster_info *info = sg_raster_get_info(scene);
    if (!info->has_geotransform && info->gcps > 0)
        return sg_fail(SG_EINPUT,
                       "%s: a cutline needs a scene with a geotransform, %s has ground control "
                       "points; warp it first (gdalwarp)",
                       path, info->path);
    return SG_OK;
}

static sg_err read_polygons(sg_cutline *cutline, const char *path, const char *name,
                            const sg_raster *scene)
{
    sg_label_options options = {0};
    sg_class_table classes = {.count = 1};
    GDALDatasetH file = NULL;
    OGRLayerH layer = NULL;
    if (name && strlen(name) >= sizeof options.layer)
        return sg_fail(SG_EUSAGE, "%s: layer names have at most %zu bytes", name,
                       sizeof options.layer - 1);
    snprintf(options.layer, sizeof options.layer, "%s", name ? name : "");
    sg_err err = open_file(path, name, &file, &layer);
    if (err == SG_OK)
        err = check_polygons(path, layer);
    if (err == SG_OK)
        err = check_scene(path, scene);
    if (err == SG_OK)
        err = sg_label_vector_open(&cutline->polygons, file, path, scene, &classes, &options);
    if (file)
        GDALClose(file);
    return err;
}

sg_err sg_cutline_open(sg_cutline **out, const char *path, const char *layer,
                       const sg_raster *scene)
{
    const sg_raster_info *info = sg_raster_get_info(scene);
    sg_cutline *cutline = NULL;
    *out = NULL;
    sg_err err = sg_calloc(1, sizeof *cutline, &cutline);
    if (err != SG_OK)
        return err;
    pthread_mutex_init(&cutline->lock, NULL);
    err = read_polygons(cutline, path, layer, scene);
    if (err != SG_OK) {
        sg_cutline_close(cutline);
        return err;
    }
    sg_window whole = {0, 0, info->width, info->height};
    cutline->bounds = sg_window_intersect(sg_label_vector_bounds(cutline->polygons), whole);
    cutline->identity = sg_label_vector_hash(cutline->polygons);
    *out = cutline;
    return SG_OK;
}

void sg_cutline_close(sg_cutline *cutline)
{
    if (!cutline)
        return;
    sg_label_vector_close(cutline->polygons);
    pthread_mutex_destroy(&cutline->lock);
    sg_free(cutline->inside);
    sg_free(cutline);
}

sg_window sg_cutline_bounds(const sg_cutline *cutline)
{
    return cutline->bounds;
}

uint64_t sg_cutline_identity(const sg_cutline *cutline)
{
    return cutline->identity;
}

/* Which pixels of the window are inside, into scratch; under the lock. */
static sg_err burn(sg_cutline *cutline, sg_window window)
{
    size_t pixels = 0;
    sg_err err = sg_size_mul((size_t)window.w, (size_t)window.h, &pixels);
    if (err == SG_OK)
        err = sg_grow(&cutline->inside, &cutline->capacity, pixels, 1);
    return err == SG_OK
               ? sg_label_vector_read(cutline->polygons, window, cutline->inside, (size_t)window.w)
               : err;
}

sg_err sg_cutline_apply(sg_cutline *cutline, sg_window window, uint8_t *mask)
{
    size_t pixels = (size_t)(window.w * window.h);
    if (sg_window_is_empty(sg_window_intersect(window, cutline->bounds))) {
        memset(mask, 0, pixels);
        return SG_OK;
    }
    pthread_mutex_lock(&cutline->lock);
    sg_err err = burn(cutline, window);
    for (size_t i = 0; err == SG_OK && i < pixels; i++)
        mask[i] &= cutline->inside[i] != SG_NO_CLASS;
    pthread_mutex_unlock(&cutline->lock);
    return err;
}

sg_err sg_cutline_misses(sg_cutline *cutline, sg_window window, bool *misses)
{
    *misses = sg_window_is_empty(sg_window_intersect(window, cutline->bounds));
    if (*misses || sg_window_is_empty(window))
        return SG_OK;
    size_t pixels = (size_t)(window.w * window.h), i = 0;
    pthread_mutex_lock(&cutline->lock);
    sg_err err = burn(cutline, window);
    while (err == SG_OK && i < pixels && cutline->inside[i] == SG_NO_CLASS)
        i++;
    *misses = i == pixels;
    pthread_mutex_unlock(&cutline->lock);
    return err;
}
