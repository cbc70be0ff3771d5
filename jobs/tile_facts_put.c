/* Writing what stands beside the tiles. */
#include "jobs/tile_facts.h"

#include <string.h>

#include "base/size.h"
#include "train/checkpoint_spec.h"

/* ---- where scenes lie ---- */

static sg_err find_place(sg_tile_places *places, size_t i, const char *image)
{
    sg_raster *raster = NULL;
    sg_georef *georef = NULL;
    sg_err err = sg_raster_open(&raster, image, NULL, 0);
    if (err == SG_OK)
        err = sg_raster_georef(raster, &georef);
    if (err == SG_OK)
        err = sg_georef_wkt(georef, &places->crs[i]);
    if (err == SG_OK)
        memcpy(places->geotransform[i], sg_raster_get_info(raster)->geotransform,
               sizeof places->geotransform[i]);
    sg_georef_close(georef);
    sg_raster_close(raster);
    return err;
}

sg_err sg_tile_places_find(sg_tile_places *places, const sg_survey *survey)
{
    *places = (sg_tile_places){.scenes = survey->count};
    sg_err err = sg_calloc(survey->count, sizeof *places->geotransform, &places->geotransform);
    if (err == SG_OK)
        err = sg_calloc(survey->count, sizeof *places->crs, &places->crs);
    for (size_t i = 0; err == SG_OK && i < survey->count; i++)
        err = find_place(places, i, survey->scene[i].image);
    return err;
}

void sg_tile_places_clear(sg_tile_places *places)
{
    for (size_t i = 0; places->crs != NULL && i < places->scenes; i++)
        sg_free(places->crs[i]);
    sg_free(places->crs);
    sg_free(places->geotransform);
    *places = (sg_tile_places){0};
}

/* ---- arrays ---- */

/* Texts of equal length, padded with zeros. `of` gives the i-th. */
static sg_err put_texts(sg_store_file *file, const char *name, size_t count,
                        const char *(*of)(const void *user, size_t i), const void *user)
{
    char *all = NULL;
    size_t longest = 1;
    for (size_t i = 0; i < count; i++)
        longest = (size_t)sg_max64((int64_t)longest, (int64_t)strlen(of(user, i)));
    const int64_t dim[2] = {(int64_t)count, (int64_t)longest};
    sg_err err = sg_calloc(count, longest, &all);
    for (size_t i = 0; err == SG_OK && i < count; i++)
        memcpy(all + i * longest, of(user, i), strlen(of(user, i)));
    if (err == SG_OK)
        err = sg_store_put(file, name, SG_STORE_U8, 2, dim, all);
    sg_free(all);
    return err;
}

static const char *image_of(const void *user, size_t i)
{
    return ((const sg_survey *)user)->scene[i].image;
}

static const char *label_of(const void *user, size_t i)
{
    return ((const sg_survey *)user)->scene[i].label;
}

static const char *text_of(const void *user, size_t i)
{
    return ((const char *const *)user)[i];
}

/* Each CRS once, in the order of the scenes. */
static sg_err put_crs(sg_store_file *file, const sg_tile_places *places)
{
    const int64_t dim[1] = {(int64_t)places->scenes};
    const char **distinct = NULL;
    int64_t *row = NULL;
    size_t count = 0;
    sg_err err = sg_calloc(places->scenes, sizeof *distinct, &distinct);
    if (err == SG_OK)
        err = sg_calloc(places->scenes, sizeof *row, &row);
    for (size_t i = 0; err == SG_OK && i < places->scenes; i++) {
        size_t k = 0;
        while (k < count && strcmp(distinct[k], places->crs[i]) != 0)
            k++;
        if (k == count)
            distinct[count++] = places->crs[i];
        row[i] = (int64_t)k;
    }
    if (err == SG_OK)
        err = sg_store_put(file, "scene/crs", SG_STORE_I64, 1, dim, row);
    if (err == SG_OK)
        err = put_texts(file, "crs", count, text_of, distinct);
    sg_free(row);
    sg_free(distinct);
    return err;
}

static sg_err put_places(sg_store_file *file, const sg_survey *survey, const sg_tile_places *places)
{
    const int64_t dim[2] = {(int64_t)survey->count, 6};
    double *gsd = NULL;
    sg_err err =
        sg_store_put(file, "scene/geotransform", SG_STORE_F64, 2, dim, places->geotransform);
    if (err == SG_OK)
        err = sg_calloc(survey->count, sizeof *gsd, &gsd);
    for (size_t i = 0; err == SG_OK && i < survey->count; i++)
        gsd[i] = survey->size[i].gsd;
    if (err == SG_OK)
        err = sg_store_put(file, "scene/gsd", SG_STORE_F64, 1, dim, gsd);
    sg_free(gsd);
    return err == SG_OK ? put_crs(file, places) : err;
}

static sg_err put_splits(sg_store_file *file, const sg_survey *survey)
{
    const int64_t dim[1] = {(int64_t)survey->count};
    int64_t *split = NULL;
    sg_err err = sg_calloc(survey->count, sizeof *split, &split);
    for (size_t i = 0; err == SG_OK && i < survey->count; i++)
        split[i] = survey->split[i];
    if (err == SG_OK)
        err = sg_store_put(file, "scene/split", SG_STORE_I64, 1, dim, split);
    sg_free(split);
    return err;
}

static sg_err put_moments(sg_store_file *file, const sg_survey *survey, int32_t bands)
{
    const int64_t dim[3] = {(int64_t)survey->count, bands, SG_MOMENT_VALUES};
    double *values = NULL;
    size_t count = survey->count * (size_t)bands;
    sg_err err = sg_calloc(count, SG_MOMENT_VALUES * sizeof *values, &values);
    for (size_t i = 0; err == SG_OK && i < count; i++) {
        const sg_moments *m = &survey->moments[i];
        const double row[SG_MOMENT_VALUES] = {(double)m->count, m->mean, m->m2, m->least, m->most};
        memcpy(values + i * SG_MOMENT_VALUES, row, sizeof row);
    }
    if (err == SG_OK)
        err = sg_store_put(file, "scene/moments", SG_STORE_F64, 3, dim, values);
    sg_free(values);
    return err;
}

static sg_err put_regions(sg_store_file *file, const sg_regions *regions)
{
    const int64_t dim[2] = {(int64_t)regions->count, 6};
    int64_t *values = NULL;
    sg_err err = sg_calloc(regions->count, 6 * sizeof *values, &values);
    for (size_t i = 0; err == SG_OK && i < regions->count; i++) {
        const sg_region *r = &regions->item[i];
        const int64_t row[6] = {r->scene,    r->split,    r->window.x,
                                r->window.y, r->window.w, r->window.h};
        memcpy(values + 6 * i, row, sizeof row);
    }
    if (err == SG_OK)
        err = sg_store_put(file, "regions", SG_STORE_I64, 2, dim, values);
    sg_free(values);
    return err;
}

static sg_err put_counts(sg_store_file *file, const sg_survey *survey)
{
    const int64_t dim[2] = {SG_SPLITS, 256};
    int64_t count[SG_SPLITS][256];
    for (int s = 0; s < SG_SPLITS; s++) {
        memcpy(count[s], survey->pixels[s], sizeof survey->pixels[s]);
        count[s][SG_NO_CLASS] = survey->unlabelled[s];
    }
    return sg_store_put(file, "counts", SG_STORE_I64, 2, dim, count);
}

sg_err sg_tile_facts_put(sg_store_file *file, const sg_survey *survey, const sg_spec *spec,
                         const sg_tile_places *places, const char *job_text)
{
    sg_err err = sg_store_put_text(file, "job", job_text);
    if (err == SG_OK)
        err = sg_spec_put(file, spec);
    if (err == SG_OK)
        err = put_texts(file, "scene/image", survey->count, image_of, survey);
    if (err == SG_OK)
        err = put_texts(file, "scene/label", survey->count, label_of, survey);
    if (err == SG_OK)
        err = put_splits(file, survey);
    if (err == SG_OK)
        err = put_moments(file, survey, spec->bands);
    if (err == SG_OK)
        err = put_places(file, survey, places);
    if (err == SG_OK)
        err = put_regions(file, &survey->regions);
    return err == SG_OK ? put_counts(file, survey) : err;
}
