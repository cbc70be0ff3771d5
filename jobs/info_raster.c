/* What a scene or a mask is. A mask is a raster that names the model that made it, or its classes.
 */
#include "jobs/info.h"

#include "base/size.h"
#include "data/category.h"
#include "data/stats.h"

#include <string.h>

enum { WINDOW = 1024 }; /* pixels */

typedef struct {
    sg_raster *raster;
    const sg_raster_info *info;
    char crs[256];
    const char *model;        /* the identity in a mask, or NULL */
    const char *augmentation; /* how the mask was averaged, or NULL */
    sg_class_table classes;
    int64_t count[256];  /* pixels per value of a mask */
    int64_t nodata;      /* pixels without a class */
    sg_moments *moments; /* [bands] of a scene, NULL when not wanted */
} raster_facts;

static sg_err count_window(raster_facts *facts, sg_raster *band, sg_window window, float *pixels,
                           uint8_t *valid)
{
    sg_err err = sg_raster_read(band, window, pixels, valid);
    for (int64_t i = 0; err == SG_OK && i < window.w * window.h; i++) {
        if (valid[i] && pixels[i] >= 0 && pixels[i] <= 255)
            facts->count[(int)pixels[i]]++;
        else
            facts->nodata++;
    }
    return err;
}

static sg_err count_mask(raster_facts *facts)
{
    const int32_t first = 1;
    float *pixels = NULL;
    uint8_t *valid = NULL;
    sg_raster *band = NULL;
    sg_window scene = {0, 0, facts->info->width, facts->info->height};
    sg_err err = sg_raster_open(&band, facts->info->path, &first, 1);
    if (err == SG_OK)
        err = sg_malloc((size_t)WINDOW * WINDOW, sizeof(float), &pixels);
    if (err == SG_OK)
        err = sg_malloc((size_t)WINDOW * WINDOW, 1, &valid);
    for (int64_t y = 0; y < scene.h; y += WINDOW) {
        for (int64_t x = 0; err == SG_OK && x < scene.w; x += WINDOW) {
            sg_window window = {x, y, WINDOW, WINDOW};
            err = count_window(facts, band, sg_window_intersect(window, scene), pixels, valid);
        }
    }
    sg_free(valid);
    sg_free(pixels);
    sg_raster_close(band);
    return err;
}

static sg_err measure(raster_facts *facts)
{
    sg_err err = sg_calloc((size_t)facts->info->bands, sizeof(*facts->moments), &facts->moments);
    return err == SG_OK ? sg_stats_scene(facts->raster, facts->moments) : err;
}

static sg_err gather(raster_facts *facts, const char *path, const sg_info_options *options)
{
    sg_err err = sg_raster_open(&facts->raster, path, NULL, 0);
    if (err != SG_OK)
        return err;
    facts->info = sg_raster_get_info(facts->raster);
    facts->model = sg_raster_metadata(facts->raster, "SEGTILES_MODEL");
    facts->augmentation = sg_raster_metadata(facts->raster, "SEGTILES_AUGMENTATION");
    sg_raster_crs_name(facts->raster, facts->crs, sizeof(facts->crs));
    if (facts->info->bands == 1 && strcmp(facts->info->type, "Byte") == 0)
        err = sg_raster_classes(facts->raster, &facts->classes);
    if (err == SG_OK && facts->classes.count > 0)
        err = count_mask(facts);
    else if (err == SG_OK && options->stats)
        err = measure(facts);
    return err;
}

/* ---- for people ---- */

static sg_err add_place(const raster_facts *facts, sg_text *text)
{
    const sg_raster_info *info = facts->info;
    const double *g = info->geotransform;
    sg_err err = sg_text_add(text, "CRS        %s\n", facts->crs[0] != '\0' ? facts->crs : "none");
    if (err == SG_OK && info->gsd > 0)
        err = sg_text_add(text, "pixel      %.6g m\n", info->gsd);
    if (err == SG_OK && info->has_geotransform)
        err = sg_text_add(text, "origin     %.10g, %.10g; per pixel %.10g %.10g, %.10g %.10g\n",
                          g[0], g[3], g[1], g[2], g[4], g[5]);
    if (err == SG_OK && info->gcps > 0)
        err = sg_text_add(text, "GCPs       %d\n", info->gcps);
    return err;
}

static sg_err add_extras(const sg_raster_info *info, sg_text *text)
{
    sg_err err = SG_OK;
    if (info->has_nodata)
        err = sg_text_add(text, "nodata     %.10g\n", info->nodata);
    if (err == SG_OK && (info->has_alpha || info->has_mask || info->has_palette))
        err = sg_text_add(text, "has       %s%s%s\n", info->has_alpha ? " alpha" : "",
                          info->has_mask ? " mask" : "", info->has_palette ? " palette" : "");
    return err;
}

static sg_err add_classes(const raster_facts *facts, sg_text *text)
{
    int64_t all = facts->info->width * facts->info->height;
    sg_err err = sg_text_add(text, "%-24s %6s %14s %9s\n", "class", "value", "pixels", "share");
    for (int32_t i = 0; err == SG_OK && i < facts->classes.count; i++) {
        const sg_class *class = &facts->classes.item[i];
        int64_t count = facts->count[class->value];
        err = sg_text_add(text, "  %-22s %6d %14lld %8.3f%%\n", class->name, class->value,
                          (long long)count, 100.0 * (double)count / (double)all);
    }
    if (err == SG_OK)
        err = sg_text_add(text, "  %-22s %6s %14lld %8.3f%%\n", "(no data)", "",
                          (long long)facts->nodata, 100.0 * (double)facts->nodata / (double)all);
    return err;
}

static sg_err add_moments(const raster_facts *facts, sg_text *text)
{
    sg_err err = sg_text_add(text, "%4s %14s %12s %12s %12s %12s\n", "band", "valid pixels",
                             "least", "most", "mean", "deviation");
    for (int32_t b = 0; err == SG_OK && b < facts->info->bands; b++) {
        const sg_moments *m = &facts->moments[b];
        if (m->count == 0)
            err = sg_text_add(text, "%4d %14d\n", b + 1, 0);
        else
            err = sg_text_add(text, "%4d %14lld %12.6g %12.6g %12.6g %12.6g\n", b + 1,
                              (long long)m->count, m->least, m->most, m->mean, sg_moments_std(*m));
    }
    return err;
}

static sg_err show_text(const raster_facts *facts, sg_text *text)
{
    const sg_raster_info *info = facts->info;
    sg_err err =
        sg_text_add(text,
                    "%s\n%s of %lld x %lld pixels, %d band%s of %s (%s), blocks of %d x "
                    "%d\n",
                    info->path, facts->classes.count > 0 ? "mask" : "scene", (long long)info->width,
                    (long long)info->height, info->bands, info->bands == 1 ? "" : "s", info->type,
                    info->driver, info->block_w, info->block_h);
    if (err == SG_OK)
        err = add_place(facts, text);
    if (err == SG_OK)
        err = add_extras(info, text);
    if (err == SG_OK && facts->model != NULL)
        err = sg_text_add(text, "model      %s\n", facts->model);
    if (err == SG_OK && facts->augmentation != NULL)
        err = sg_text_add(text, "mean of    %s\n", facts->augmentation);
    if (err == SG_OK && facts->classes.count > 0)
        err = add_classes(facts, text);
    if (err == SG_OK && facts->moments != NULL)
        err = add_moments(facts, text);
    return err;
}

/* ---- for programs ---- */

static sg_err add_pair(sg_text *text, const char *key, const char *value)
{
    sg_err err = sg_text_add(text, ", \"%s\": ", key);
    return err != SG_OK    ? err
           : value != NULL ? sg_text_add_json(text, value)
                           : sg_text_add(text, "null");
}

static sg_err add_json_classes(const raster_facts *facts, sg_text *text)
{
    sg_err err = sg_text_add(text, ", \"classes\": [");
    for (int32_t i = 0; err == SG_OK && i < facts->classes.count; i++) {
        const sg_class *class = &facts->classes.item[i];
        err = sg_text_add(text, "%s{\"name\": ", i > 0 ? ", " : "");
        if (err == SG_OK)
            err = sg_text_add_json(text, class->name);
        if (err == SG_OK)
            err = sg_text_add(text,
                              ", \"value\": %d, \"color\": \"#%02x%02x%02x\", \"pixels\": %lld}",
                              class->value, class->colour[0], class->colour[1], class->colour[2],
                              (long long)facts->count[class->value]);
    }
    return err == SG_OK ? sg_text_add(text, "], \"no_data\": %lld", (long long)facts->nodata) : err;
}

static sg_err add_json_moments(const raster_facts *facts, sg_text *text)
{
    sg_err err = sg_text_add(text, ", \"statistics\": [");
    for (int32_t b = 0; err == SG_OK && b < facts->info->bands; b++) {
        const sg_moments *m = &facts->moments[b];
        err = sg_text_add(text, "%s{\"valid\": %lld", b > 0 ? ", " : "", (long long)m->count);
        if (err == SG_OK && m->count > 0)
            err = sg_text_add(text,
                              ", \"least\": %.17g, \"most\": %.17g, \"mean\": %.17g, "
                              "\"deviation\": %.17g",
                              m->least, m->most, m->mean, sg_moments_std(*m));
        if (err == SG_OK)
            err = sg_text_add(text, "}");
    }
    return err == SG_OK ? sg_text_add(text, "]") : err;
}

static sg_err add_json_place(const raster_facts *facts, sg_text *text)
{
    const sg_raster_info *info = facts->info;
    const double *g = info->geotransform;
    sg_err err = add_pair(text, "crs", facts->crs[0] != '\0' ? facts->crs : NULL);
    if (err == SG_OK)
        err = sg_text_add(text, ", \"gsd\": %.17g", info->gsd);
    if (err == SG_OK && info->has_geotransform)
        err = sg_text_add(text, ", \"geotransform\": [%.17g, %.17g, %.17g, %.17g, %.17g, %.17g]",
                          g[0], g[1], g[2], g[3], g[4], g[5]);
    if (err == SG_OK && info->has_nodata && info->nodata == info->nodata)
        err = sg_text_add(text, ", \"nodata\": %.17g", info->nodata);
    return err;
}

static sg_err show_json(const raster_facts *facts, sg_text *text)
{
    const sg_raster_info *info = facts->info;
    sg_err err =
        sg_text_add(text, "{\"kind\": \"%s\"", facts->classes.count > 0 ? "mask" : "scene");
    if (err == SG_OK)
        err = add_pair(text, "path", info->path);
    if (err == SG_OK)
        err = add_pair(text, "driver", info->driver);
    if (err == SG_OK)
        err = add_pair(text, "type", info->type);
    if (err == SG_OK)
        err = sg_text_add(text,
                          ", \"width\": %lld, \"height\": %lld, \"bands\": %d, \"block\": [%d, %d]",
                          (long long)info->width, (long long)info->height, info->bands,
                          info->block_w, info->block_h);
    if (err == SG_OK)
        err = sg_text_add(text, ", \"alpha\": %s, \"mask_band\": %s, \"palette\": %s",
                          info->has_alpha ? "true" : "false", info->has_mask ? "true" : "false",
                          info->has_palette ? "true" : "false");
    if (err == SG_OK)
        err = add_json_place(facts, text);
    if (err == SG_OK && facts->model != NULL)
        err = add_pair(text, "model", facts->model);
    if (err == SG_OK && facts->augmentation != NULL)
        err = add_pair(text, "augmentation", facts->augmentation);
    if (err == SG_OK && facts->classes.count > 0)
        err = add_json_classes(facts, text);
    if (err == SG_OK && facts->moments != NULL)
        err = add_json_moments(facts, text);
    return err == SG_OK ? sg_text_add(text, "}\n") : err;
}

sg_err sg_info_raster(const char *path, const sg_info_options *options, sg_text *text)
{
    raster_facts facts = {0};
    sg_err err = gather(&facts, path, options);
    if (err == SG_OK)
        err = options->json ? show_json(&facts, text) : show_text(&facts, text);
    sg_free(facts.moments);
    sg_raster_close(facts.raster);
    return err;
}
