/* A sg_spec in a store. Reading trusts nothing: a damaged file may hold any numbers. */
#include "train/checkpoint_spec.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "data/stack.h"

enum { ITEM_MAX = 64 };

static const char *const normalize_name[] = {"dataset", "scene", "none"};

static sg_err put_classes(sg_store_file *store, const sg_class_table *table)
{
    int64_t value[SG_CLASSES_MAX];
    uint8_t colour[SG_CLASSES_MAX][3];
    const int64_t dim[2] = {table->count, 3};
    char item[ITEM_MAX];
    sg_err err = SG_OK;
    for (int32_t i = 0; !err && i < table->count; i++) {
        value[i] = table->item[i].value;
        memcpy(colour[i], table->item[i].colour, 3);
        snprintf(item, sizeof item, "classes/name/%03d", (int)i);
        err = sg_store_put_text(store, item, table->item[i].name);
    }
    if (!err)
        err = sg_store_put(store, "classes/value", SG_STORE_I64, 1, dim, value);
    if (!err)
        err = sg_store_put(store, "classes/colour", SG_STORE_U8, 2, dim, colour);
    return err ? err : sg_store_put_i64(store, "classes/nodata", table->nodata);
}

static sg_err put_layers(sg_store_file *store, const sg_spec *spec)
{
    char item[ITEM_MAX];
    sg_err err = SG_OK;
    for (int32_t i = 0; !err && i < spec->layers; i++) {
        snprintf(item, sizeof item, "layers/file/%03d", (int)i);
        err = sg_store_put_text(store, item, spec->layer[i].file);
        snprintf(item, sizeof item, "layers/resample/%03d", (int)i);
        if (!err)
            err = sg_store_put_text(store, item, spec->layer[i].resample);
    }
    return err;
}

sg_err sg_spec_put(sg_store_file *store, const sg_spec *spec)
{
    int64_t band[SG_BANDS_MAX];
    const int64_t dim[1] = {spec->bands};
    sg_err err;
    for (int32_t i = 0; i < spec->bands; i++)
        band[i] = spec->band[i];
    err = sg_store_put(store, "spec/band", SG_STORE_I64, 1, dim, band);
    if (!err)
        err = sg_store_put_text(store, "spec/normalize", normalize_name[spec->normalize]);
    if (!err)
        err = sg_store_put(store, "spec/mean", SG_STORE_F64, 1, dim, spec->mean);
    if (!err)
        err = sg_store_put(store, "spec/std", SG_STORE_F64, 1, dim, spec->std);
    if (!err && spec->has_nodata)
        err = sg_store_put_f64(store, "spec/nodata", spec->nodata);
    if (!err)
        err = sg_store_put_f64(store, "spec/gsd", spec->gsd);
    if (!err)
        err = put_layers(store, spec);
    return err ? err : put_classes(store, &spec->classes);
}

static sg_err unsound(const char *path, const char *what)
{
    return sg_fail(SG_EINPUT, "%s: %s: the file is damaged or not of this program", path, what);
}

/* The text of an item that is one of many, into `out` of `size` bytes. */
static sg_err get_numbered(sg_store_file *store, const char *path, const char *items, int32_t index,
                           char *out, size_t size)
{
    char name[ITEM_MAX], *text = NULL;
    sg_err err;
    snprintf(name, sizeof name, "%s/%03d", items, (int)index);
    err = sg_store_get_text(store, name, &text);
    if (!err && strlen(text) >= size)
        err = unsound(path, "a name of a class or a layer is too long");
    if (!err)
        snprintf(out, size, "%s", text);
    sg_free(text);
    return err;
}

static sg_err get_layers(sg_store_file *store, const char *path, sg_spec *spec)
{
    char name[ITEM_MAX];
    sg_err err = SG_OK;
    for (int32_t i = 0; !err; i++) {
        snprintf(name, sizeof name, "layers/file/%03d", (int)i);
        if (!sg_store_has(store, name))
            break;
        if (i == SG_LAYERS_MAX)
            return unsound(path, "it names too many layers");
        sg_layer *layer = &spec->layer[spec->layers++];
        err = get_numbered(store, path, "layers/file", i, layer->file, sizeof layer->file);
        if (!err)
            err = get_numbered(store, path, "layers/resample", i, layer->resample,
                               sizeof layer->resample);
        if (!err && !sg_is_stack_method(layer->resample))
            err = unsound(path, "a layer's way of resampling is unknown");
    }
    return err;
}

static sg_err get_classes(sg_store_file *store, const char *path, sg_class_table *table,
                          int32_t classes)
{
    int64_t value[SG_CLASSES_MAX], nodata;
    uint8_t colour[SG_CLASSES_MAX][3], used[256] = {0};
    sg_err err;
    if (classes < 1 || classes > SG_CLASSES_MAX)
        return unsound(path, "the number of classes is impossible");
    table->count = classes;
    err = sg_store_get(store, "classes/value", SG_STORE_I64, (size_t)classes, value);
    if (!err)
        err = sg_store_get(store, "classes/colour", SG_STORE_U8, (size_t)classes * 3, colour);
    if (!err)
        err = sg_store_get_i64(store, "classes/nodata", &nodata);
    if (!err && (nodata < -1 || nodata > 255))
        err = unsound(path, "the nodata value of masks is not a byte");
    for (int32_t i = 0; !err && i < classes; i++) {
        if (value[i] < 0 || value[i] > 255 || used[value[i]]++)
            return unsound(path, "class values are not different bytes");
        table->item[i].value = (int32_t)value[i];
        memcpy(table->item[i].colour, colour[i], 3);
        err = get_numbered(store, path, "classes/name", i, table->item[i].name,
                           sizeof table->item[i].name);
    }
    if (!err)
        table->nodata = (int32_t)nodata;
    return err;
}

static sg_err get_normalize(sg_store_file *store, const char *path, sg_normalize *normalize)
{
    char *text = NULL;
    int32_t found = -1;
    sg_err err = sg_store_get_text(store, "spec/normalize", &text);
    for (int32_t i = 0; !err && i < 3; i++)
        if (strcmp(text, normalize_name[i]) == 0)
            found = i;
    sg_free(text);
    if (!err && found < 0)
        return unsound(path, "the way of normalising is unknown");
    *normalize = (sg_normalize)found;
    return err;
}

static sg_err get_bands(sg_store_file *store, const char *path, sg_spec *spec)
{
    int64_t band[SG_BANDS_MAX];
    size_t count = (size_t)spec->bands;
    sg_err err = sg_store_get(store, "spec/band", SG_STORE_I64, count, band);
    if (!err)
        err = sg_store_get(store, "spec/mean", SG_STORE_F64, count, spec->mean);
    if (!err)
        err = sg_store_get(store, "spec/std", SG_STORE_F64, count, spec->std);
    for (int32_t i = 0; !err && i < spec->bands; i++) {
        if (band[i] < 1 || band[i] > INT32_MAX)
            return unsound(path, "a band number is impossible");
        if (!isfinite(spec->mean[i]) || !isfinite(spec->std[i]) || spec->std[i] <= 0)
            return unsound(path, "a band's mean or deviation is impossible");
        spec->band[i] = (int32_t)band[i];
    }
    return err;
}

sg_err sg_spec_get(sg_store_file *store, const char *path, sg_spec *spec, int32_t bands,
                   int32_t classes)
{
    sg_err err;
    memset(spec, 0, sizeof *spec);
    if (bands < 1 || bands > SG_BANDS_MAX)
        return unsound(path, "the number of bands is impossible");
    spec->bands = bands;
    err = get_bands(store, path, spec);
    if (!err)
        err = get_normalize(store, path, &spec->normalize);
    spec->has_nodata = !err && sg_store_has(store, "spec/nodata");
    if (spec->has_nodata)
        err = sg_store_get_f64(store, "spec/nodata", &spec->nodata);
    if (!err && !isfinite(spec->nodata))
        err = unsound(path, "the nodata value of scenes is no number");
    if (!err)
        err = sg_store_get_f64(store, "spec/gsd", &spec->gsd);
    if (!err && !(spec->gsd >= 0 && isfinite(spec->gsd)))
        err = unsound(path, "the ground sampling distance is impossible");
    if (!err)
        err = get_layers(store, path, spec);
    return err ? err : get_classes(store, path, &spec->classes, classes);
}
