/* What a tile store holds. */
#include "jobs/info.h"

#include "base/size.h"
#include "jobs/tile_facts.h"

typedef struct {
    sg_tile_store *store;
    const sg_tile_layout *layout;
    sg_survey survey;
    sg_spec spec;
    sg_job job;
} tile_facts;

static sg_err gather(tile_facts *facts, const char *path)
{
    const unsigned all = (1u << SG_SPLITS) - 1;
    sg_err err = sg_tile_store_open(&facts->store, path, 0);
    if (err == SG_OK)
        err = sg_tile_facts_spec(facts->store, &facts->spec);
    if (err == SG_OK)
        err = sg_tile_facts_job(facts->store, &facts->job);
    if (err == SG_OK)
        err = sg_tile_facts_survey(facts->store, &facts->job, all, &facts->survey);
    if (err == SG_OK)
        facts->layout = sg_tile_store_layout(facts->store);
    return err;
}

static void close_facts(tile_facts *facts)
{
    sg_survey_close(&facts->survey);
    sg_job_clear(&facts->job);
    sg_tile_store_close(facts->store);
}

/* Bytes of all pixels, unpacked. */
static double pixel_bytes(const tile_facts *facts)
{
    double pixels = 0;
    for (size_t i = 0; i < facts->survey.count; i++)
        pixels += (double)facts->survey.size[i].width * (double)facts->survey.size[i].height;
    return pixels * facts->spec.bands * (double)sg_chunks_type_size(facts->layout->format.type);
}

/* ---- for people ---- */

static sg_err add_bands(const tile_facts *facts, sg_text *text)
{
    const sg_spec *spec = &facts->spec;
    sg_err err = sg_text_add(text, "bands     ");
    for (int32_t b = 0; err == SG_OK && b < spec->bands; b++)
        err = sg_text_add(text, " %d", spec->band[b]);
    if (err == SG_OK)
        err = sg_text_add(text, " (%s)\n", sg_chunks_type_name(facts->layout->format.type));
    for (int32_t i = 0; err == SG_OK && i < spec->layers; i++)
        err =
            sg_text_add(text, "layer      %s (%s)\n", spec->layer[i].file, spec->layer[i].resample);
    if (err == SG_OK && spec->has_nodata)
        err = sg_text_add(text, "nodata     %.10g\n", spec->nodata);
    if (err == SG_OK && spec->gsd > 0)
        err = sg_text_add(text, "pixel      %.6g m\n", spec->gsd);
    return err;
}

static sg_err add_splits(const tile_facts *facts, sg_text *text)
{
    const sg_survey *survey = &facts->survey;
    sg_err err = SG_OK;
    for (int s = 0; err == SG_OK && s < SG_SPLITS; s++)
        err = sg_text_add(text, "%-10s %zu scenes, %.2f Mpx in regions\n", sg_split_name(s),
                          sg_survey_scenes(survey, s), 1e-6 * (double)sg_survey_pixels(survey, s));
    return err;
}

static sg_err add_classes(const tile_facts *facts, sg_text *text)
{
    const sg_class_table *classes = &facts->spec.classes;
    const sg_survey *survey = &facts->survey;
    sg_err err = sg_text_add(text, "%-24s %6s %14s %14s %14s\n", "class (labelled pixels)", "value",
                             "train", "val", "test");
    for (int32_t c = 0; err == SG_OK && c < classes->count; c++)
        err = sg_text_add(text, "  %-22s %6d %14lld %14lld %14lld\n", classes->item[c].name,
                          classes->item[c].value, (long long)survey->pixels[SG_SPLIT_TRAIN][c],
                          (long long)survey->pixels[SG_SPLIT_VAL][c],
                          (long long)survey->pixels[SG_SPLIT_TEST][c]);
    if (err == SG_OK)
        err = sg_text_add(text, "  %-22s %6s %14lld %14lld %14lld\n", "(unlabelled)", "",
                          (long long)survey->unlabelled[SG_SPLIT_TRAIN],
                          (long long)survey->unlabelled[SG_SPLIT_VAL],
                          (long long)survey->unlabelled[SG_SPLIT_TEST]);
    return err;
}

static sg_err show_text(const tile_facts *facts, sg_text *text)
{
    const sg_tile_format *format = &facts->layout->format;
    double bytes = (double)sg_tile_store_bytes(facts->store);
    sg_err err = sg_text_add(
        text,
        "%s\ntile store of job '%s': %zu scenes in %lld tiles of %d x %d pixels, %.1f MB, "
        "%.2f of the pixels' bytes\n",
        sg_tile_store_path(facts->store), facts->job.name, facts->survey.count,
        (long long)facts->layout->tiles, format->tile, format->tile, 1e-6 * bytes,
        bytes / pixel_bytes(facts));
    if (err == SG_OK)
        err = add_bands(facts, text);
    if (err == SG_OK)
        err = add_splits(facts, text);
    return err == SG_OK ? add_classes(facts, text) : err;
}

/* ---- for programs ---- */

static sg_err add_json_classes(const tile_facts *facts, sg_text *text)
{
    const sg_class_table *classes = &facts->spec.classes;
    sg_err err = sg_text_add(text, ", \"classes\": [");
    for (int32_t c = 0; err == SG_OK && c < classes->count; c++) {
        err = sg_text_add(text, "%s{\"name\": ", c > 0 ? ", " : "");
        if (err == SG_OK)
            err = sg_text_add_json(text, classes->item[c].name);
        if (err == SG_OK)
            err = sg_text_add(text, ", \"value\": %d", classes->item[c].value);
        for (int s = 0; err == SG_OK && s < SG_SPLITS; s++)
            err = sg_text_add(text, ", \"%s\": %lld", sg_split_name(s),
                              (long long)facts->survey.pixels[s][c]);
        if (err == SG_OK)
            err = sg_text_add(text, "}");
    }
    return err == SG_OK ? sg_text_add(text, "]") : err;
}

static sg_err add_json_scenes(const tile_facts *facts, sg_text *text)
{
    sg_err err = sg_text_add(text, ", \"scenes\": [");
    for (size_t i = 0; err == SG_OK && i < facts->survey.count; i++) {
        const sg_tile_scene *scene = &facts->layout->scene[i];
        err = sg_text_add(text, "%s{\"image\": ", i > 0 ? ", " : "");
        if (err == SG_OK)
            err = sg_text_add_json(text, facts->survey.scene[i].image);
        if (err == SG_OK)
            err = sg_text_add(text,
                              ", \"split\": \"%s\", \"width\": %lld, \"height\": %lld, "
                              "\"first_tile\": %lld}",
                              sg_split_name(facts->survey.split[i]), (long long)scene->width,
                              (long long)scene->height, (long long)scene->first);
    }
    return err == SG_OK ? sg_text_add(text, "]") : err;
}

static sg_err show_json(const tile_facts *facts, sg_text *text)
{
    const sg_tile_format *format = &facts->layout->format;
    sg_err err = sg_text_add(text, "{\"kind\": \"tile store\", \"path\": ");
    if (err == SG_OK)
        err = sg_text_add_json(text, sg_tile_store_path(facts->store));
    if (err == SG_OK)
        err = sg_text_add(text, ", \"job\": ");
    if (err == SG_OK)
        err = sg_text_add_json(text, facts->job.name);
    if (err == SG_OK)
        err = sg_text_add(text,
                          ", \"tiles\": %lld, \"tile\": %d, \"type\": \"%s\", \"bytes\": %lld, "
                          "\"gsd\": %.17g, \"bands\": [",
                          (long long)facts->layout->tiles, format->tile,
                          sg_chunks_type_name(format->type),
                          (long long)sg_tile_store_bytes(facts->store), facts->spec.gsd);
    for (int32_t b = 0; err == SG_OK && b < facts->spec.bands; b++)
        err = sg_text_add(text, "%s%d", b > 0 ? ", " : "", facts->spec.band[b]);
    if (err == SG_OK)
        err = sg_text_add(text, "]");
    if (err == SG_OK && facts->spec.has_nodata)
        err = sg_text_add(text, ", \"nodata\": %.17g", facts->spec.nodata);
    if (err == SG_OK)
        err = add_json_classes(facts, text);
    if (err == SG_OK)
        err = add_json_scenes(facts, text);
    return err == SG_OK ? sg_text_add(text, "}\n") : err;
}

sg_err sg_info_tiles(const char *path, const sg_info_options *options, sg_text *text)
{
    tile_facts facts = {0};
    sg_err err = gather(&facts, path);
    if (err == SG_OK)
        err = options->json ? show_json(&facts, text) : show_text(&facts, text);
    close_facts(&facts);
    return err;
}
