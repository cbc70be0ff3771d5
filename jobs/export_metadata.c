/*
 * Metadata of ONNX files, each value JSON. Deepness (QGIS) divides pixels by 255 and then takes the
 * standardization off them, so mean and deviation are given in 255ths; resolution is in
 * centimetres, the overlap of tiles in per cent.
 */
#include "jobs/export.h"
#include "base/log.h"
#include "base/size.h"

#include <math.h>

enum { USUAL_TILE = 512, MOST_OVERLAP = 50 };

static sg_err add_names(const sg_class_table *classes, sg_text *text)
{
    sg_err err = sg_text_add(text, "{");
    for (int32_t i = 0; err == SG_OK && i < classes->count; i++) {
        err = sg_text_add(text, "%s\"%d\": ", i > 0 ? ", " : "", (int)i);
        if (err == SG_OK)
            err = sg_text_add_json(text, classes->item[i].name);
    }
    return err == SG_OK ? sg_text_add(text, "}") : err;
}

static sg_err add_list(sg_text *text, int32_t count, const double *value)
{
    sg_err err = sg_text_add(text, "[");
    for (int32_t i = 0; err == SG_OK && i < count; i++)
        err = sg_text_add(text, "%s%.9g", i > 0 ? ", " : "", value[i]);
    return err == SG_OK ? sg_text_add(text, "]") : err;
}

/* Hands the text over and empties it. */
static sg_err put(sg_onnx *model, const char *key, sg_err err, sg_text *text)
{
    if (err == SG_OK)
        sg_onnx_add_metadata(model, key, text->data);
    sg_text_clear(text);
    return err;
}

static sg_err put_list(sg_onnx *model, const char *key, int32_t count, const double *value)
{
    sg_text text = {0};
    return put(model, key, add_list(&text, count, value), &text);
}

static sg_err put_number(sg_onnx *model, const char *key, double value)
{
    sg_text text = {0};
    return put(model, key, sg_text_add(&text, "%.9g", value), &text);
}

/* As much overlap as the network's reach asks for: half of it is cut off at each side. */
static int64_t overlap(const sg_network_reach *reach, int64_t tile)
{
    int64_t percent = reach->unbounded ? MOST_OVERLAP : sg_div_up(200 * reach->halo, tile);
    return sg_min64(percent, MOST_OVERLAP);
}

static sg_err put_tiles(sg_onnx *model, const sg_network_reach *reach, int64_t tile)
{
    tile = tile > 0 ? tile : sg_round_up(USUAL_TILE, reach->stride);
    sg_err err = put_number(model, "tiles_size", (double)tile);
    if (err == SG_OK) /* what is documented, and what Deepness asks for */
        err = put_number(model, "tile_size", (double)tile);
    return err == SG_OK ? put_number(model, "tiles_overlap", (double)overlap(reach, tile)) : err;
}

static sg_err put_standardization(sg_onnx *model, const sg_spec *spec, bool raw)
{
    double mean[SG_BANDS_MAX], std[SG_BANDS_MAX];
    if (spec->normalize == SG_NORMALIZE_SCENE) {
        sg_warn("this network was trained with normalize: scene: scenes must be normalised, each "
                "by its own statistics, before they are given to it");
        return SG_OK;
    }
    bool plain = raw || spec->normalize == SG_NORMALIZE_NONE;
    for (int32_t b = 0; b < spec->bands; b++) {
        mean[b] = plain ? 0 : spec->mean[b] / 255;
        std[b] = (plain ? 1 : spec->std[b]) / 255;
    }
    sg_err err = put_list(model, "standardization_mean", spec->bands, mean);
    return err == SG_OK ? put_list(model, "standardization_std", spec->bands, std) : err;
}

static sg_err put_own(sg_onnx *model, const sg_checkpoint *checkpoint,
                      const sg_network_reach *reach)
{
    const sg_spec *spec = &checkpoint->spec;
    double number[SG_BANDS_MAX];
    sg_text text = {0};
    for (int32_t b = 0; b < spec->bands; b++)
        number[b] = spec->band[b];
    sg_err err = put_list(model, "segtiles_bands", spec->bands, number);
    for (int32_t c = 0; c < spec->classes.count; c++)
        number[c] = spec->classes.item[c].value;
    if (err == SG_OK)
        err = put_list(model, "segtiles_class_values", spec->classes.count, number);
    if (err == SG_OK)
        err = put_number(model, "segtiles_stride", (double)reach->stride);
    if (err == SG_OK)
        err = put(model, "segtiles_model", sg_text_add_json(&text, checkpoint->identity), &text);
    return err;
}

sg_err sg_export_metadata(sg_onnx *model, const sg_checkpoint *checkpoint,
                          const sg_network_reach *reach, const sg_export_options *options)
{
    const sg_spec *spec = &checkpoint->spec;
    sg_text text = {0};
    sg_onnx_add_metadata(model, "model_type", "\"Segmentor\"");
    sg_err err = put(model, "class_names", add_names(&spec->classes, &text), &text);
    if (err == SG_OK && spec->gsd > 0)
        err = put_number(model, "resolution", 100 * spec->gsd);
    if (err == SG_OK)
        err = put_tiles(model, reach, options->tile);
    if (err == SG_OK)
        err = put_number(model, "seg_thresh", 0); /* the most probable class, however probable */
    if (err == SG_OK)
        err = put_standardization(model, spec, options->raw);
    return err == SG_OK ? put_own(model, checkpoint, reach) : err;
}
