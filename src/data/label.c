/* Opening labels of either kind, and the frame around a window that reaches over the scene. */
#include "data/label_private.h"

#include <cpl_error.h>
#include <string.h>

#include "base/size.h"

static sg_err open_labels(GDALDatasetH *dataset, const char *path)
{
    char text[512];
    CPLErrorReset();
    *dataset =
        GDALOpenEx(path, GDAL_OF_RASTER | GDAL_OF_VECTOR | GDAL_OF_READONLY | GDAL_OF_VERBOSE_ERROR,
                   NULL, NULL, NULL);
    if (*dataset == NULL)
        return sg_fail(SG_EINPUT, "%s: cannot be opened as labels: %s", path,
                       sg_gdal_message(text, sizeof(text)));
    return SG_OK;
}

static sg_err open_kind(sg_label *label, const char *path, const sg_class_table *classes,
                        const sg_label_options *options)
{
    GDALDatasetH dataset = NULL;
    sg_err err = open_labels(&dataset, path);
    if (err)
        return err;
    int layers = GDALDatasetGetLayerCount(dataset);
    bool vector_wanted = options->layer[0] != '\0' || options->attribute[0] != '\0';
    if (GDALGetRasterCount(dataset) > 0 && !(layers > 0 && vector_wanted))
        return sg_label_raster_open(&label->raster, dataset, path, label->image, classes, options);
    err = sg_label_vector_open(&label->vector, dataset, path, label->image, classes, options);
    GDALClose(dataset);
    return err;
}

sg_err sg_label_open(sg_label **out, const char *path, const sg_raster *image,
                     const sg_class_table *classes, const sg_label_options *options)
{
    sg_label *label = NULL;
    sg_gdal_watch watch;
    sg_err err = sg_calloc(1, sizeof(*label), &label);
    if (err)
        return err;
    label->image = image;
    sg_gdal_watch_start(&watch);
    err = sg_gdal_watch_end(&watch, open_kind(label, path, classes, options), path);
    if (err) {
        sg_label_close(label);
        return err;
    }
    *out = label;
    return SG_OK;
}

void sg_label_close(sg_label *label)
{
    if (label == NULL)
        return;
    sg_label_raster_close(label->raster);
    sg_label_vector_close(label->vector);
    sg_free(label);
}

sg_err sg_label_read(sg_label *label, sg_window window, uint8_t *classes_out)
{
    const sg_raster_info *info = sg_raster_get_info(label->image);
    sg_window scene = {0, 0, info->width, info->height};
    sg_window inner = sg_window_intersect(window, scene);
    if (!sg_window_contains(scene, window))
        memset(classes_out, SG_NO_CLASS, (size_t)window.w * (size_t)window.h);
    if (sg_window_is_empty(inner))
        return SG_OK;
    uint8_t *out = classes_out + (inner.y - window.y) * window.w + (inner.x - window.x);
    if (label->raster)
        return sg_label_raster_read(label->raster, inner, out, (size_t)window.w);
    return sg_label_vector_read(label->vector, inner, out, (size_t)window.w);
}
